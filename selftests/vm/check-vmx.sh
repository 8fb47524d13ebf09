#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# check-vmx.sh [NAME...]: all kselftests, or those named, on kvm-intel. QEMU has
# no VMX to emulate, Bochs has; it is slow, so this is no part of check.sh. Two of them
# want a boot of their own: "restricted" is without unrestricted guests, "no_npt" without EPT.
#
# VMX_KERNEL= is the kernel, default 6.1. A boot runs VMX_GROUP= programs (default
# 6), so that a VM that hangs loses no more than these. VMX_TIMEOUT= (default 150)
# is for how long each may print nothing, in the VM's seconds; see bochs.sh for these. The
# last line is `N passed, N failed, N skipped`, before it those that failed.
. "$(dirname "$0")/common.sh"

VMX_KERNEL=${VMX_KERNEL:-6.1}
VMX_GROUP=${VMX_GROUP:-6}
VMX_TIMEOUT=${VMX_TIMEOUT:-150}
# shellcheck disable=SC2034
TESTS=$*

"$VM_DIR/setup.sh" bochs
record check-vmx TESTS VMX_KERNEL VMX_GROUP VMX_TIMEOUT
mkdir -p "$BUILD/vmx"
build_user || exit 1

# soak's random guests clear EFLAGS.IF and never end; Bochs then keeps interrupts
# from its host, and the VM stands still. No processor does that (security.rst).
programs=() data=() wanted=" $* " skipped=0 passed=0 failed=0
while read -r program; do
	if [ $# -eq 0 ] && [ "${program##*/}" = soak ]; then
		echo "# left out, for a fault of Bochs: soak"
		skipped=$((skipped + 1))
		continue
	fi
	[ $# -eq 0 ] || [[ $wanted == *" ${program##*/} "* ]] || continue
	programs+=("$program")
done < <(make -s -C "$TOP/selftests" list)
while read -r file; do
	data+=(--data "$file")
done < <(make -s -C "$TOP/selftests" data)
# There breakpoints come out of KVM.
if [ $# -eq 0 ] || [[ $wanted == *" gdb.sh "* ]]; then
	programs+=("$TOP/selftests/gdb.sh")
	data+=(--data "$("$VM_DIR/gdb.sh")" --data "$TOP/selftests/lib/gdb-talk.sh")
fi
alone=()
for program in "restricted unrestricted_guest=0" "no_npt ept=0"; do
	[ $# -gt 0 ] && [[ $wanted != *" ${program% *} "* ]] || alone+=("$program")
done
[ ${#programs[@]} -gt 0 ] || [ ${#alone[@]} -gt 0 ] || die "no such test: $*"

in_bochs() { # in_bochs LOG KVM-ARGUMENT PROGRAM...
	local log=$BUILD/vmx/$1 kvm=$2 counts p f s
	shift 2
	mkdir -p "$log"
	echo "# $(date +%T) ${*##*/}"
	"$VM_DIR/run.sh" "$VMX_KERNEL" --emulator bochs --log "$log" --limit 7200 \
		--timeout "$VMX_TIMEOUT" ${kvm:+--kvm "$kvm"} ${SEED:+--env "SEED=$SEED"} \
		"${data[@]}" -- "$@" 2>&1 | tee "$log/tap.log" || :
	counts=$(tail -n 1 "$log/tap.log" |
		 sed -nE 's/^([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\1 \2 \3/p')
	read -r p f s <<< "${counts:-0 1 0}"
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	# what a test did, then what run.sh found
	tr -d '\r' < "$log/output.log" | awk '/^#@ begin/ { program = $3 }
		/^not ok/ { print program ": " $0 }' >> "$BUILD/vmx/failed"
	grep -a '^not ok - ' "$log/tap.log" >> "$BUILD/vmx/failed" || :
}

: > "$BUILD/vmx/failed"
for ((first = 0; first < ${#programs[@]}; first += VMX_GROUP)); do
	in_bochs "$first" "" "${programs[@]:first:VMX_GROUP}"
done
for program in "${alone[@]}"; do
	in_bochs "${program% *}" "${program#* }" "$BUILD/selftests/${program% *}"
done

echo
cat "$BUILD/vmx/failed"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
