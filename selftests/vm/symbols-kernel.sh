#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# symbols-kernel.sh: build a small 64-bit Linux guest with its symbols from Debian's
# linux-source-6.12; print its folder, in which are
#   bzImage     the kernel
#   vmlinux     the same with names, and how to find callers. No types and no lines: an
#               emulated gdb would take minutes to read them
#
# Takes some minutes once, half a minute of which is the sources if debug-kernel.sh has not
# unpacked them already; 20 MB are kept in the cache outside the tree.
. "$(dirname "$0")/common.sh"

config=$VM_DIR/symbols.config
dir=$CACHE/kernels/symbols-$(sha256sum < "$config" | cut -c 1-12)
there() {
	[ -f "$dir/bzImage" ] || return 1
	echo "$dir"
	exit 0
}
there || :

"$VM_DIR/setup.sh"
mkdir -p "$CACHE/kernels"
exec 9> "$CACHE/kernels/symbols.lock"
flock 9
there || :

log=$CACHE/symbols-kernel.log
tree=''
for unpacked in "$CACHE"/kernels/debug-*/tree/.unpacked; do
	[ ! -f "$unpacked" ] || tree=${unpacked%/.unpacked}
done
new=$dir.new
rm -rf "$new"
mkdir -p "$new/build"
if [ -z "$tree" ]; then
	tree=$new/tree
	kernel_tree "$tree"
fi

say "building a kernel with symbols; the log is $log"
export KBUILD_BUILD_TIMESTAMP=2026-01-01 KBUILD_BUILD_USER=hlk KBUILD_BUILD_HOST=hlk
{
	make -C "$tree" O="$new/build" ARCH=x86_64 KCONFIG_ALLCONFIG="$config" \
		allnoconfig
	make -C "$new/build" -j"$(nproc)" bzImage
} > "$log" 2>&1 || die "the kernel with symbols does not build; see $log"

# What was asked for must not have fallen to a dependency.
while read -r option; do
	grep -qxF "$option" "$new/build/.config" || die "$option did not survive"
done < <(grep '^CONFIG_' "$config")

objcopy --strip-debug --keep-section=.debug_frame "$new/build/vmlinux" "$new/vmlinux"
cp "$new/build/arch/x86/boot/bzImage" "$new/bzImage"
rm -rf "$new/build" "$new/tree" "$dir"
mv "$new" "$dir"
echo "$dir"
