#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# linux-initrd.sh [686|cloud]: what linux.sh wants in a VM: a kernel of Debian, and an initrd
# of hlk's agent and a shell, in build/linux. User space has to be built. There is no
# console in it, which only root could make: the agent opens that of devtmpfs.
. "$(dirname "$0")/common.sh"

guest=${1:-686}
kernel=$("$VM_DIR/linux-guest.sh" "$guest")
case $guest in
686) busybox=$("$VM_DIR/linux-root.sh")/bin/busybox agent=i386 ;;
# that of Debian's package, which is static
cloud) busybox=/bin/busybox agent=amd64 ;;
esac
dir=$BUILD/linux
root=$dir/root-$guest
rm -rf "$root"
mkdir -p "$root"/{bin,dev,proc,sys,tmp}
cp "$kernel" "$dir/vmlinuz-$guest"
cp "$busybox" "$root/bin/busybox"
for name in sh cat ls; do
	ln -s busybox "$root/bin/$name"
done
cp "$BUILD/user/guest/hlk-agent-$agent" "$root/hlk-agent"
(cd "$root" && find . | cpio -o -H newc --quiet) > "$dir/agent-$guest.cpio.new"
mv "$dir/agent-$guest.cpio.new" "$dir/agent-$guest.cpio"
