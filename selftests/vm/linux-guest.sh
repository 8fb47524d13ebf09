#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# linux-guest.sh: fetch Debian's 686 kernel, as a guest; print its file.
#
# It is neither PAE nor written for hlk, and boots fast where all is emulated. The package
# is kept in the cache, and fetched by an apt of its own, for i386.
. "$(dirname "$0")/common.sh"

dir=$CACHE/kernels/guest-686
if [ -f "$dir/vmlinuz" ]; then
	echo "$dir/vmlinuz"
	exit 0
fi

"$VM_DIR/setup.sh"
mkdir -p "$CACHE/kernels"
exec 9> "$CACHE/kernels/guest-686.lock"
flock 9
if [ -f "$dir/vmlinuz" ]; then
	echo "$dir/vmlinuz"
	exit 0
fi

apt=$CACHE/apt/i386
i386() {
	local program=$1
	shift
	private_apt "$apt" bookworm "$program" -o APT::Architecture=i386 \
		-o APT::Architectures=i386 -o Dir::State::status=/dev/null "$@"
}
new=$dir.new
rm -rf "$new"
mkdir -p "$new/image" "$apt/archives"
i386 apt-get update > /dev/null
image=$(i386 apt-cache depends linux-image-686 |
	awk '/Depends:/ && $2 ~ /^linux-image-/ {print $2; exit}')
say "guest kernel: $image"
(cd "$apt/archives" && i386 apt-get download "$image" > /dev/null)
debs=$apt/archives
extract "$new/image" "$image"
vmlinuz=$(find "$new/image" -name 'vmlinuz*' -type f | head -n 1)
[ -n "$vmlinuz" ] || die "guest kernel: $image has no kernel"
mv "$vmlinuz" "$new/vmlinuz"
rm -rf "$new/image"
mv "$new" "$dir"
echo "$dir/vmlinuz"
