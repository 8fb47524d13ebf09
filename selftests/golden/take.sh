#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# take.sh VERSION          keep a copy of today's headers and test guest for ever
# take.sh --again VERSION  once more, as long as it was not given out
# take.sh --check          is each copy as it was taken?
set -eu
cd "$(dirname "$0")"
top=../..

listed() { find . -mindepth 2 -type f | sort; }

if [ "${1:-}" = --check ]; then
	sha256sum --quiet -c SHA256SUMS
	[ "$(listed)" = "$(sed 's/^[^ ]* [ *]//' SHA256SUMS)" ] && exit 0
	echo "golden: SHA256SUMS does not list what is there" >&2
	exit 1
fi

again=
if [ "${1:-}" = --again ]; then
	again=1
	shift
fi
version=${1:?usage: take.sh [--again] VERSION, or take.sh --check}
if [ -e "$version" ] && [ -z "$again" ]; then
	echo "golden: there is $version, and what was given out does not change" >&2
	exit 1
fi
last=$(find . -mindepth 1 -maxdepth 1 -type d | sort -V | tail -n 1)
mkdir -p "$version/linux"
cp $top/uapi/linux/hlk.h $top/uapi/linux/hlk_guest.h "$version/linux/"
cp $top/user/libhlk/include/hlk.h "$version/"
cp $top/user/libhlk/tests/guest.c $top/user/libhlk/tests/guest.ld "$version/"
# A new client does what the last one did, and what is new.
[ -e "$version/client.c" ] || cp "$last/client.c" "$version/"
listed | xargs sha256sum > SHA256SUMS
