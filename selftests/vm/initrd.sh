#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# initrd.sh NAME FILE: make an initial RAM disk whose only program is selftests/guests/NAME.S
. "$(dirname "$0")/common.sh"

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
mkdir "$root/dev"
${CC:-gcc} -m32 -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack \
	"$TOP/selftests/guests/$1.S" -o "$root/init"
mknod "$root/dev/console" c 5 1
(cd "$root" && find . | cpio -o -H newc --quiet | gzip -9) > "$2"
