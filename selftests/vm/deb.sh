#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# deb.sh: build Debian's packages into build/deb, as any user. What is missing for that is
# installed by setup.sh, or named by it to who is not root.
#
# They are built from a copy of what git does not ignore, so nothing that was built here gets into
# them; dates are those of debian/changelog.
. "$(dirname "$0")/common.sh"

"$VM_DIR/setup.sh" deb
version=$(cat "$TOP/VERSION")
out=$BUILD/deb
rm -rf "$out"
mkdir -p "$out/hlk-$version"
if git -C "$TOP" rev-parse --git-dir > /dev/null 2>&1; then
	(cd "$TOP" && git ls-files -z --cached --others --exclude-standard \
		-- . ':!selftests/user/corpus' |
		tar -c --null --files-from=- --ignore-failed-read 2> /dev/null) |
		tar -x -C "$out/hlk-$version"
else
	tar -c -C "$TOP" --exclude=./build . | tar -x -C "$out/hlk-$version"
fi
cd "$out/hlk-$version"
dpkg-buildpackage -us -uc -b -tc > "$out/build.log" 2>&1 ||
	{ tail -n 30 "$out/build.log"; die "the packages do not build: $out/build.log"; }
cd "$out"
rm -rf "hlk-$version"
# As root it works as somebody else, or warns.
lintian --fail-on error,warning --allow-root hlk_*.changes ||
	die "lintian complains"
ls -- *.deb
