#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# linux-root.sh: a root file system for Linux guests, of Debian's i386 packages: a shell, and
# a small Python. Print its folder.
#
# It is kept in the cache, and fetched by an apt of its own, for i386.
. "$(dirname "$0")/common.sh"

packages=(busybox-static libc6 libexpat1 libpython3.11-minimal libssl3 python3.11-minimal
	  zlib1g)
dir=$CACHE/kernels/root-i386
if [ -d "$dir" ]; then
	echo "$dir"
	exit 0
fi

"$VM_DIR/setup.sh"
mkdir -p "$CACHE/kernels"
exec 9> "$CACHE/kernels/root-i386.lock"
flock 9
if [ -d "$dir" ]; then
	echo "$dir"
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
mkdir -p "$new" "$apt/archives"
i386 apt-get update > /dev/null
say "guest root: ${packages[*]}"
(cd "$apt/archives" && i386 apt-get download "${packages[@]}" > /dev/null)
debs=$apt/archives
extract "$new" "${packages[@]}"
(cd "$new/usr" && rm -rf share lib/i386-linux-gnu/gconv lib/i386-linux-gnu/engines-3)
ln -sf busybox "$new/bin/sh"
for name in cat echo date ls ps sleep uname; do
	ln -sf busybox "$new/bin/$name"
done
ln -sf python3.11 "$new/usr/bin/python3"
mv "$new" "$dir"
echo "$dir"
