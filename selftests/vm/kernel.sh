#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kernel.sh SERIES: fetch a Debian kernel with its headers; print its folder.
# SERIES is 6.1, 6.12, 7.3, or debug: see debug-kernel.sh.
#
# The exact version comes from Debian's metapackages, so that it does not rot
# when Debian moves on. What lies in the folder:
#   release     its release, as uname -r
#   vmlinuz     the kernel
#   modules/    the modules that each VM loads, not compressed
#   more/       those that a VM may ask for by run.sh --with, and NAME.needs: what
#               NAME needs, line by line in the order to load them, itself last;
#               empty if it is no module of this kernel, but part of it
#   root/       where its headers are installed; usr/src/linux-headers-RELEASE
#   chroot      exists if the module is built by chroot into root/
#   kdir        names the folder to build against, if that is not in root/
. "$(dirname "$0")/common.sh"
. "$VM_DIR/modules.sh"

series=${1:?usage: kernel.sh SERIES}
case $series in
6.1)	suite=host tested=6.1.0-56 ;;
6.12)	suite=bookworm-backports tested=6.12.95+deb12 ;;
7.3)	suite=trixie-backports tested=7.3.4+deb13 ;;
debug)	exec "$VM_DIR/debug-kernel.sh" ;;
*)	die "no kernel $series; there are 6.1, 6.12, 7.3 and debug" ;;
esac

# A cache that was made before a module was asked for gains it below.
dir=$CACHE/kernels/$series
if [ -f "$dir/release" ] && has_modules "$dir"; then
	echo "$dir"
	exit 0
fi

"$VM_DIR/setup.sh"
mkdir -p "$CACHE/kernels"
exec 9> "$CACHE/kernels/$series.lock"
flock 9
if [ -f "$dir/release" ] && has_modules "$dir"; then
	echo "$dir"
	exit 0
fi

# Packages stay in apt/ until all is done: a broken download is resumed.
apt=$CACHE/apt/$suite
debs=$apt/archives/$series
new=$dir.new
umount_proc() { mountpoint -q "$new/root/proc" && umount "$new/root/proc"; }
trap 'umount_proc || :' EXIT
umount_proc || :
rm -rf "$new"
mkdir -p "$new/root" "$new/image" "$debs"

private_apt "$apt" "$suite" apt-get update > /dev/null
image=$(depends_on "$apt" "$suite" linux-image-amd64 '^linux-image-')
release=${image#linux-image-}
say "kernel $series: $release"
[ "${release%-amd64}" = "$tested" ] ||
	say "kernel $series: tested with $tested; Debian now has $release"

# 7.3's image is split into several packages.
images=("$image")
while read -r part; do
	images+=("$part")
done < <(depends_on "$apt" "$suite" "$image" "^linux-(modules|binary)-")
fetch "${images[@]}"
extract "$new/image" "${images[@]}"

modules=$(find "$new/image" -type d -path "*/lib/modules/$release" | head -n 1)
vmlinuz=$(find "$new/image" -name 'vmlinuz*' -type f | head -n 1)
if [ -z "$modules" ] || [ -z "$vmlinuz" ]; then
	die "kernel $series: $image has no kernel or no modules"
fi
cp "$vmlinuz" "$new/vmlinuz"

take_modules "$modules/kernel" "$new"
rm -rf "$new/image"

if [ "$release" = "$(cat "$dir/release" 2>/dev/null)" ]; then
	# VMs may run from it: nothing goes.
	mkdir -p "$dir/more"
	cp -n "$new"/more/*.ko "$dir/more/"
	cp -n "$new"/more/*.needs "$dir/more/"
	rm -rf "$new"
	rm -rf "$debs"
	echo "$dir"
	exit 0
fi
rm -rf "$dir"

headers=linux-headers-$release
if [ "$suite" = trixie-backports ]; then
	# Its tools want a newer C library than Debian 12's.
	say "kernel $series: a trixie to build in"
	[ "$(id -u)" = 0 ] || die "debootstrap needs root"
	debootstrap --variant=minbase \
		--cache-dir="$(mkdir -p "$CACHE/debs" && echo "$CACHE/debs")" \
		trixie "$new/root" "$(mirror)" > "$CACHE/debootstrap.log" 2>&1 ||
		die "debootstrap failed; see $CACHE/debootstrap.log"
	printf 'deb %s %s main\n' "$(mirror)" "$suite" \
		> "$new/root/etc/apt/sources.list.d/backports.list"
	cp /etc/resolv.conf "$new/root/etc/"
	find /etc/apt/apt.conf.d -name '*prox*' \
		-exec cp {} "$new/root/etc/apt/apt.conf.d/" \;
	mount --bind /proc "$new/root/proc"
	chroot "$new/root" sh -c "apt-get update -qq &&
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
		--no-install-recommends gcc make $headers && apt-get clean" \
		< /dev/null > "$CACHE/chroot.log" 2>&1 ||
		die "could not install the headers; see $CACHE/chroot.log"
	umount_proc
	touch "$new/chroot"
else
	common=$(depends_on "$apt" "$suite" "$headers" '^linux-headers-.*common')
	kbuild=$(depends_on "$apt" "$suite" "$headers" '^linux-kbuild-')
	fetch "$headers" "$common" "$kbuild"
	extract "$new/root" "$headers" "$common" "$kbuild"
	# The headers name each other by absolute paths.
	sed -i "s:/usr/src:$dir/root/usr/src:" \
		"$new/root/usr/src/$headers/Makefile"
	find "$new/root/usr/src/$headers" -maxdepth 1 -type l -print0 |
		while IFS= read -r -d '' link; do
			target=$(readlink "$link")
			case $target in
			/usr/*) ln -sfn "$dir/root$target" "$link" ;;
			esac
		done
fi

echo "$release" > "$new/release"
mv "$new" "$dir"
rm -rf "$debs"
echo "$dir"
