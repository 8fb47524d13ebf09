#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vmm.sh: fetch the sources of Debian's QEMU, apply the patch by which it takes memory
# from hlk, build what a test needs of it, and print the program's name.
#
# Sources and program are in the cache; both are made anew when the patch changes.
. "$(dirname "$0")/common.sh"

patch=$TOP/Documentation/examples/qemu-7.2-hlk.patch
dir=$CACHE/vmm
program=$dir/qemu-system-x86_64
key=$(cat "$patch" "$TOP/uapi/linux/hlk.h" "$0" | sha256sum)

ready() { [ -x "$program" ] && [ "$(cat "$dir/key")" = "$key" ]; }
if ready; then
	echo "$program"
	exit 0
fi

"$VM_DIR/setup.sh" vmm
mkdir -p "$dir"
exec 9> "$CACHE/vmm.lock"
flock 9
if ready; then
	echo "$program"
	exit 0
fi

rm -rf "$dir/build"
qemu_source "$dir/source" "$patch" > "$dir/log"
printf 'CONFIG_MICROVM=y\nCONFIG_I440FX=y\n' \
	> "$dir/source/configs/devices/x86_64-softmmu/hlk.mak"
say "building QEMU"
mkdir "$dir/build"
(
	cd "$dir/build"
	../source/configure --target-list=x86_64-softmmu --with-devices-x86_64=hlk \
		--without-default-features --without-default-devices --disable-tcg \
		--enable-kvm --enable-fdt=system --disable-tools --disable-docs \
		--disable-install-blobs --meson=/usr/bin/meson \
		--extra-cflags="-O1 -I$TOP/uapi"
	nice ninja -j"$(nproc)" qemu-system-x86_64
) >> "$dir/log" 2>&1 || { tail -n 30 "$dir/log" >&2; die "QEMU does not build"; }
strip -o "$program" "$dir/build/qemu-system-x86_64"
rm -rf "$dir/build" "$dir/source"
echo "$key" > "$dir/key"
echo "$program"
