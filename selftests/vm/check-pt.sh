#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# check-pt.sh [SERIES [OPTION-OF-RUN...]]: hlk-run pt of a 64-bit Linux of Debian, of 1 GiB, under
# a QEMU that knows nothing of hlk, stopped: each page, with its size and attributes, has to be
# what QEMU's own `info tlb` says, and listing them has to take less than 2 s of a processor.
. "$(dirname "$0")/common.sh"

series=${1:-6.12}
shift || :

"$VM_DIR/setup.sh" vmm
build_user
qemu=$("$VM_DIR/vmm.sh")
"$VM_DIR/linux-initrd.sh" cloud

data=()
for file in "$qemu" "$BUILD/user/hlk-run/hlk-run" "$BUILD/linux/vmlinuz-cloud" \
	    "$BUILD/linux/agent-cloud.cpio" "$VM_DIR/pt-qemu.sh" "$VM_DIR/pt-leaves.awk" \
	    /usr/share/qemu/{qboot.rom,linuxboot_dma.bin}; do
	data+=(--data "$file")
done
dir=$BUILD/pt
mkdir -p "$dir"
"$VM_DIR/run.sh" "$series" --smp 1 --mem 2560 --timeout 1200 "$@" "${data[@]}" \
	--shell 'sh /data/pt-qemu.sh' | tee "$dir/output"
grep -qx 'pt: the same as the emulator says' "$dir/output"
