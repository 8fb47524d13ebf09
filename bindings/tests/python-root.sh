#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# python-root.sh LIBHLK FILE.tar: this host's Python with cffi and what both load, the package
# hlk and LIBHLK, for a VM that has nothing.
set -e
here=$(cd "$(dirname "$0")/.." && pwd)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
python=$(readlink -f /usr/bin/python3)
lib=$($python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
native=$($python -c 'import _cffi_backend; print(_cffi_backend.__file__)')
cffi=$($python -c 'import cffi, os; print(os.path.dirname(cffi.__file__))')
parser=$($python -c 'import pycparser, os; print(os.path.dirname(pycparser.__file__))')
# which Debian's pycparser has beside it
ply=$($python -c 'import ply, os; print(os.path.dirname(ply.__file__))')
mkdir -p "$root/usr/bin" "$root$lib" "$root/site"
cp "$python" "$root/usr/bin/python3"
tar -C "$lib" -c --exclude=test --exclude=dist-packages --exclude=config-\* --exclude=idlelib \
	--exclude=ensurepip --exclude=lib2to3 --exclude=__pycache__ . | tar -C "$root$lib" -x
cp -rL "$native" "$cffi" "$parser" "$ply" "$here/python/hlk" "$here/python/tests/test_hlk.py" "$root/site/"
cp "$1" "$root/site/libhlk.so.0"
find "$root" -name '*.so*' -o -path '*/bin/*' | while read -r file; do
	# what is no program has none
	ldd "$file" 2> /dev/null | grep -o '/[^ ]*' || :
done | sort -u | while read -r file; do
	[ -e "$file" ] || continue
	mkdir -p "$root$(dirname "$file")"
	[ -e "$root$file" ] || cp -L "$file" "$root$file"
done
mkdir -p "$root/dev" "$root/proc" "$root/tmp"
tar -C "$root" -cf "$2" .
