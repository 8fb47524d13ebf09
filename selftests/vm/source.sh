#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Fetch what we use of Debian's kernel sources (checkpatch, kernel-doc, the
# kselftest headers); print the folder.
. "$(dirname "$0")/common.sh"

dir=$CACHE/source
if [ -d "$dir" ]; then
	echo "$dir"
	exit 0
fi
"$VM_DIR/setup.sh"
mkdir -p "$CACHE"
exec 9> "$CACHE/source.lock"
flock 9
if [ -d "$dir" ]; then
	echo "$dir"
	exit 0
fi

apt=$CACHE/apt/host
mkdir -p "$apt/archives"
package=$(depends_on "$apt" host linux-source '^linux-source-' | tail -n 1)
say "fetching $package"
(cd "$apt/archives" && private_apt "$apt" host apt-get download "$package" > /dev/null)
rm -rf "$dir.new"
mkdir -p "$dir.new"
dpkg-deb --fsys-tarfile "$apt/archives/$package"_*.deb |
	tar -xO "./usr/src/$package.tar.xz" |
	tar -xJ -C "$dir.new" --strip-components=1 --wildcards \
		'*/scripts/checkpatch.pl' '*/scripts/spelling.txt' \
		'*/scripts/const_structs.checkpatch' '*/scripts/kernel-doc' \
		'*/tools/testing/selftests/kselftest.h' \
		'*/tools/testing/selftests/kselftest_harness.h' \
		'*/tools/testing/selftests/lib.mk'
rm -f "$apt/archives/$package"_*.deb
mv "$dir.new" "$dir"
echo "$dir"
