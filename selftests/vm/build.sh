#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# build.sh SERIES [MAKE-ARGUMENT...]: build hlk.ko; print its path. VARIANT= names
# another folder than SERIES for it.
#
# Each kernel has a copy of the sources under build/, so that objects of one
# are never taken for those of another.
. "$(dirname "$0")/common.sh"

series=${1:?usage: build.sh SERIES [MAKE-ARGUMENT...]}
shift
kernel=$("$VM_DIR/kernel.sh" "$series")
# What the fuzzer reaches is counted, and what must hold is asked.
[ "$series" != debug ] || set -- KCOV_INSTRUMENT=y HLK_DEBUG=1 "$@"
release=$(cat "$kernel/release")
out=$BUILD/${VARIANT:-$series}
headers=/usr/src/linux-headers-$release

mkdir -p "$out/src"
exec 9> "$out/lock"
flock 9
# What is excluded first is kept there: nothing is compiled twice.
rsync -a --delete --exclude='*.o' --exclude='*.ko' --exclude='.*.cmd' \
	--exclude='*.mod*' --exclude='.tmp*' --exclude='*.gcno' \
	--exclude='Module.symvers' --exclude='modules.order' \
	--include='/Kbuild' --include='/VERSION' --include='/kmod/***' --include='/uapi/***' \
	--exclude='/*' "$TOP/" "$out/src/"
# FILE SED-SCRIPT: a bug on purpose, see planted.sh. The file of the bug before
# is back with the time it always had, so make would keep the object with the bug.
if [ -f "$out/planted" ]; then
	touch "$out/src/$(cat "$out/planted")"
	rm -f "$out/planted"
fi
if [ -n "${PLANT:-}" ]; then
	echo "${PLANT%% *}" > "$out/planted"
	sed -i -E "${PLANT#* }" "$out/src/${PLANT%% *}"
	! cmp -s "$TOP/${PLANT%% *}" "$out/src/${PLANT%% *}" || die "no change: $PLANT"
fi

if [ -e "$kernel/chroot" ]; then
	[ "$(id -u)" = 0 ] || die "building for $series uses chroot, which needs root"
	root=$kernel/root
	# one build at a time in the chroot, whatever tree it is from
	exec 8> "$kernel/chroot.lock"
	flock 8
	mkdir -p "$root/src"
	mountpoint -q "$root/proc" || mount --bind /proc "$root/proc"
	mountpoint -q "$root/src" && umount "$root/src"
	mount --bind "$out/src" "$root/src"
	trap 'umount "$root/src" "$root/proc" || :' EXIT
	chroot "$root" make -s -C "$headers" M=/src modules "$@" >&2
else
	kdir=$kernel/root$headers
	[ ! -f "$kernel/kdir" ] || kdir=$(cat "$kernel/kdir")
	make -s -C "$kdir" M="$out/src" CC=gcc-12 modules "$@" >&2
fi
# Others may be reading the one before.
strip --strip-debug -o "$out/hlk.ko.new" "$out/src/hlk.ko"
mv "$out/hlk.ko.new" "$out/hlk.ko"
echo "$out/hlk.ko"
