#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# All tests: native ones, then those in a VM for each of $KERNELS, and with
# CHECK_DEBUG=1 those of check-debug.sh; CHECK_DEBUG=short leaves out the longest of
# these. The last line is `N passed, N failed, N skipped`.
. "$(dirname "$0")/common.sh"

"$VM_DIR/setup.sh"
mkdir -p "$BUILD"
passed=0 failed=0 skipped=0
summary=()

count() { # count NAME COUNTS: add "passed failed skipped"
	local p f s
	read -r p f s <<< "$2"
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	summary+=("$1: $p passed, $f failed, $s skipped")
}

# native NAME COMMAND...: several TAP streams in one output
native() {
	local name=$1 log=$BUILD/native-$1.log rc=0 counts
	shift
	echo "# $name"
	"$@" 2>&1 < /dev/null | tee "$log" || rc=$?
	counts=$({ echo "#@ begin $name"; cat "$log"; echo "#@ end $name $rc"; } |
		 awk -v many=1 -f "$VM_DIR/tap.awk")
	echo "$counts" | sed '$d'
	count "$name" "$(echo "$counts" | tail -n 1)"
}

make -C "$TOP" user > "$BUILD/user.log" 2>&1 || {
	cat "$BUILD/user.log"
	echo "not ok - user space does not build"
	echo "0 passed, 1 failed, 0 skipped"
	exit 1
}
native lint "$VM_DIR/lint.sh"
native pure make -s -C "$TOP/selftests/user" check
native libhlk make -s -C "$TOP/user" check

programs=() data=()
mapfile -t programs < <(make -s -C "$TOP/selftests" list)
while read -r file; do
	data+=(--data "$file")
done < <(make -s -C "$TOP/selftests" data)

counted() { # counted NAME LOG COMMAND...: whose last line says how many
	local name=$1 log=$2 counts
	shift 2
	echo "# $name"
	"$@" 2>&1 | tee "$log" || :
	counts=$(tail -n 1 "$log" |
		 sed -nE 's/^([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\1 \2 \3/p')
	count "$name" "${counts:-0 1 0}"
}

in_vm() { # in_vm NAME RUN.SH-ARGUMENT...
	local name=$1
	shift
	counted "$name" "$BUILD/check-$1.log" "$VM_DIR/run.sh" "$@"
}

for series in $KERNELS; do
	release=$(cat "$("$VM_DIR/kernel.sh" "$series")/release")
	in_vm "kernel $series ($release)" "$series" "${data[@]}" -- "${programs[@]}"
done
for series in ${KERNELS%% *}; do
	in_vm "kernel $series without nested paging" "$series" "${data[@]}" \
		--kvm npt=0 -- "$TOP/selftests/no_npt.sh"
done
[ "${CHECK_DEBUG:-0}" = 0 ] ||
	counted "debug kernel" "$BUILD/check-debug.log" "$VM_DIR/check-debug.sh" \
		"${CHECK_DEBUG/#short/--short}"

echo
[ "${CHECK_DEBUG:-0}" = 0 ] || grep '^debug kernel:' "$BUILD/check-debug.log" || :
printf '%s\n' "${summary[@]}"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
