#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# check-saved.sh: snapshots that go from one kernel to another, on a disk that goes from VM to
# VM, an ext4 with verity. Each of SAVED (default "6.1:7.3 7.3:6.1") is saved on the first
# kernel and run on the second, CALLS times (default 1,000) with audits: a sandbox, its
# layer, and a Linux guest (LINUX=686, or cloud). At the end on a processor that lacks a
# feature, LACKS (default sse4_2), which has to be named. The last line is
# `N passed, N failed, N skipped`.
. "$(dirname "$0")/common.sh"

SAVED=${SAVED-6.1:7.3 7.3:6.1}
CALLS=${CALLS:-1000}
LINUX=${LINUX:-686}
LACKS=${LACKS:-sse4_2}
"$VM_DIR/setup.sh"
record check-saved SAVED CALLS LINUX LACKS
build_user
"$VM_DIR/linux-initrd.sh" "$LINUX"

dir=$BUILD/saved
passed=0 failed=0 skipped=0
mkdir -p "$dir"

# vm SERIES DISK WHAT OPTION...: saved.sh there
vm() {
	local series=$1 disk=$2 log=$dir/$1-$3.log p f s
	shift 3
	# One CPU: QEMU delivers some interrupts twice else; see testing.rst.
	"$VM_DIR/run.sh" "$series" --smp 1 --disk 512 --disk-file "$disk" --timeout 900 \
		--log "$dir/vm-$series" --env "LINUX=$LINUX" "$@" \
		--data "$BUILD/user/hlk-run/hlk-run" --data "$BUILD/user/guest/server.elf" \
		--data "$BUILD/user/tests/libhlk-saved" \
		--data "$BUILD/linux/vmlinuz-$LINUX" --data "$BUILD/linux/agent-$LINUX.cpio" \
		-- "$TOP/selftests/saved.sh" 2>&1 | tee "$log" || :
	read -r p _ f _ s _ <<< "$(tail -n 1 "$log")"
	if [[ $p$f$s =~ ^[0-9]+$ ]]; then
		passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	else
		failed=$((failed + 1))
	fi
}

for way in $SAVED; do
	disk=$dir/${way/:/-}.ext4
	rm -f "$disk"
	echo "== saved on Linux ${way%:*}"
	vm "${way%:*}" "$disk" saves --env KEEP=/disk/saved --env CALLS=20
	echo "== saved on Linux ${way%:*}, run on ${way#*:}"
	vm "${way#*:}" "$disk" runs --env LOAD=/disk/saved --env "CALLS=$CALLS"
	echo "== without $LACKS, Linux ${way#*:}"
	vm "${way#*:}" "$disk" lacks --env LOAD=/disk/saved --env "LACKS=$LACKS" \
		--cpu "max,-${LACKS/_/.}"
	rm -f "$disk"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
