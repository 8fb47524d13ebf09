#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# linux-initrd.sh: what linux.sh wants in a VM: Debian's 686 kernel, and an initrd of hlk's
# agent and a shell. Prints the folder. User space has to be built.
. "$(dirname "$0")/common.sh"

kernel=$("$VM_DIR/linux-guest.sh")
root=$("$VM_DIR/linux-root.sh")
dir=$BUILD/linux
rm -rf "$dir/root"
mkdir -p "$dir"/root/{bin,dev,proc,sys,tmp}
cp "$kernel" "$dir/vmlinuz-686"
cp "$root/bin/busybox" "$dir/root/bin/"
for name in sh cat ls; do
	ln -s busybox "$dir/root/bin/$name"
done
cp "$BUILD/user/guest/hlk-agent-i386" "$dir/root/hlk-agent"
mknod "$dir/root/dev/console" c 5 1
(cd "$dir/root" && find . | cpio -o -H newc --quiet) > "$dir/linux-initrd.cpio.new"
mv "$dir/linux-initrd.cpio.new" "$dir/linux-initrd.cpio"
echo "$dir"
