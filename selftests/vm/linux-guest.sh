#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# linux-guest.sh [686|cloud|gnumach]: fetch a kernel of Debian, as a guest; print its file.
#
#   686      Linux, i386, not PAE: boots fast where all is emulated
#   cloud    Linux, x86-64
#   gnumach  GNU Mach, i386, by Multiboot
#
# None is written for hlk. The package is kept in the cache, and fetched by an apt of its
# own, for its architecture.
. "$(dirname "$0")/common.sh"

what=${1:-686}
case $what in
686) arch=i386 package=linux-image-686 ;;
cloud) arch=amd64 package=linux-image-cloud-amd64 ;;
gnumach) arch=i386 package=gnumach-image-1.8-486 ;;
*) die "no guest kernel $what" ;;
esac

dir=$CACHE/kernels/guest-$what
there() {
	[ -f "$dir/vmlinuz" ] || return 1
	echo "$dir/vmlinuz"
	exit 0
}
there || :

"$VM_DIR/setup.sh"
mkdir -p "$CACHE/kernels"
exec 9> "$dir.lock"
flock 9
there || :

apt=$CACHE/apt/guest-$arch
guest_apt() {
	local program=$1
	shift
	private_apt "$apt" bookworm "$program" -o APT::Architecture="$arch" \
		-o APT::Architectures="$arch" -o Dir::State::status=/dev/null "$@"
}
new=$dir.new
rm -rf "$new"
mkdir -p "$new/image" "$apt/archives"
guest_apt apt-get update > /dev/null
# One of Linux depends on that of a version.
image=$(guest_apt apt-cache depends "$package" |
	awk '/Depends:/ && $2 ~ /^linux-image-/ {print $2; exit}')
image=${image:-$package}
say "guest kernel: $image"
(cd "$apt/archives" && guest_apt apt-get download "$image" > /dev/null)
debs=$apt/archives
extract "$new/image" "$image"
vmlinuz=$(find "$new/image/boot" '(' -name 'vmlinuz*' -o -name 'gnumach*' ')' -type f | head -n 1)
[ -n "$vmlinuz" ] || die "guest kernel: $image has no kernel"
case $vmlinuz in
*.gz) gzip -dc "$vmlinuz" > "$new/vmlinuz" ;;
*) mv "$vmlinuz" "$new/vmlinuz" ;;
esac
rm -rf "$new/image"
mv "$new" "$dir"
echo "$dir/vmlinuz"
