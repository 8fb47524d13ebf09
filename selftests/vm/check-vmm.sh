#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# check-vmm.sh [SERIES [OPTION-OF-RUN...]]: Debian's 686 kernel under a QEMU that takes its
# memory from hlk, by the patch in Documentation/examples. By its monitor it is snapshot
# while the guest counts aloud, and restored ROUNDS=50 times; each time the guest has to
# go on from the same number. Every tenth restore is audited. MACHINES are QEMU's.
. "$(dirname "$0")/common.sh"

series=${1:-6.12}
shift || :
rounds=${ROUNDS:-50}
machines=${MACHINES:-"microvm,acpi=off pc"}

"$VM_DIR/setup.sh" vmm
kernel=$("$VM_DIR/linux-guest.sh")
qemu=$("$VM_DIR/vmm.sh")
dir=$BUILD/vmm
mkdir -p "$dir"
cp "$kernel" "$dir/vmlinuz-686"
"$VM_DIR/initrd.sh" ticks "$dir/initrd.gz"

data=()
for file in "$qemu" "$dir/vmlinuz-686" "$dir/initrd.gz" "$VM_DIR/vmm-rounds.sh" \
	    /usr/share/qemu/{qboot.rom,linuxboot_dma.bin} /usr/share/seabios/bios-256k.bin; do
	data+=(--data "$file")
done
commands=''
for machine in $machines; do
	commands+="sh /data/vmm-rounds.sh '$machine' $rounds || exit 1; "
done
"$VM_DIR/run.sh" "$series" --smp 1 --timeout 900 "$@" "${data[@]}" --shell "$commands
	echo 'vmm: all rounds are the same'" | tee "$dir/output"
grep -qx 'vmm: all rounds are the same' "$dir/output"
