#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# qemu-mended.sh: build Debian's QEMU without what qemu-svm.patch says is wrong with it,
# and print the command that starts it. Of devices it has what run.sh uses.
. "$(dirname "$0")/common.sh"

patch=$VM_DIR/qemu-svm.patch
dir=$CACHE/qemu-mended
command=$dir/qemu-system-x86_64
key=$(cat "$patch" "$0" | sha256sum)

ready() { [ -x "$command" ] && [ "$(cat "$dir/key")" = "$key" ]; }
if ready; then
	echo "$command"
	exit 0
fi

"$VM_DIR/setup.sh" vmm
mkdir -p "$dir"
exec 9> "$CACHE/qemu-mended.lock"
flock 9
if ready; then
	echo "$command"
	exit 0
fi

rm -rf "$dir/build"
qemu_source "$dir/source" "$patch" > "$dir/log"
printf 'CONFIG_%s=y\n' I440FX HPET VIRTIO_PCI VIRTIO_BLK \
	> "$dir/source/configs/devices/x86_64-softmmu/hlk.mak"
say "building QEMU"
mkdir "$dir/build"
(
	cd "$dir/build"
	../source/configure --target-list=x86_64-softmmu --with-devices-x86_64=hlk \
		--without-default-features --without-default-devices --enable-tcg \
		--disable-kvm --disable-tools --disable-docs --disable-install-blobs \
		--meson=/usr/bin/meson
	nice ninja -j"$(nproc)" qemu-system-x86_64
) >> "$dir/log" 2>&1 || { tail -n 30 "$dir/log" >&2; die "QEMU does not build"; }
strip -o "$dir/qemu" "$dir/build/qemu-system-x86_64"
rm -rf "$dir/build" "$dir/source"

# The firmware is that of the machine's packages.
cat > "$command" << END
#!/bin/sh
exec "$dir/qemu" -L /usr/share/qemu -L /usr/share/seabios "\$@"
END
chmod 755 "$command"
echo "$key" > "$dir/key"
echo "$command"
