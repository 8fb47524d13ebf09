#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# demo-linux.sh SERIES: the demonstration with a Linux guest, in a throw-away VM: Debian's 686
# kernel, and a root file system of Debian's packages in which a Python waits. CALLS=100.
. "$(dirname "$0")/common.sh"

series=${1:?usage: demo-linux.sh SERIES}
kernel=$("$VM_DIR/linux-guest.sh")
root=$("$VM_DIR/linux-root.sh")
make -s -C "$TOP/user" -j"$(nproc)" run > /dev/null
dir=$BUILD/demo-linux
mkdir -p "$dir"
cp "$kernel" "$dir/vmlinuz-686"
cp "$VM_DIR/demo-linux.py" "$VM_DIR/demo-linux-call.py" "$VM_DIR/demo-linux-vm.sh" "$dir/"
tar -C "$root" -cf "$dir/root.tar" .

# One CPU, as for other guests of Linux: see testing.rst on interrupts that QEMU loses.
"$VM_DIR/run.sh" "$series" --smp 1 --mem 1536 --limit 840 --timeout 300 --env CALLS="${CALLS:-100}" \
	--data "$BUILD/user/hlk-run/hlk-run" --data "$dir/vmlinuz-686" --data "$dir/root.tar" \
	--data "$dir/demo-linux.py" --data "$dir/demo-linux-call.py" \
	--data "$dir/demo-linux-vm.sh" --shell 'sh /data/demo-linux-vm.sh' | tee "$dir/output"
grep -qx 'demo-linux: all answers are right' "$dir/output"
