#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# setup.sh [bochs|registry|vmm|bindings|docs|deb]: install what building and testing need, and if asked what
# check-vmx.sh, check-registry.sh, check-vmm.sh, the manual or packages do; costs nothing where
# it is there.
. "$(dirname "$0")/common.sh"

packages=(acpica-tools bc bison busybox-static codespell cpio debian-archive-keyring
	  debootstrap dwarves e2fsprogs flex gcc gcc-12 git gcc-multilib g++ kmod libc6-dev
	  libarchive-dev libc6-dev-i386 libcjson-dev libelf-dev libssl-dev liburing-dev libzstd-dev make
	  mandoc nettle-dev pkg-config python3-cffi python3-prometheus-client python3-pycparser python3-sphinx
	  qemu-system-x86 reuse rsync shellcheck sparse systemtap-sdt-dev xz-utils)
[ "${1:-}" != bochs ] ||
	packages+=(bochs bochs-term bochsbios bsdutils genisoimage isolinux
		   syslinux-common vgabios)
[ "${1:-}" != registry ] ||
	packages+=(docker-registry python3 skopeo)
[ "${1:-}" != vmm ] ||
	packages+=(dpkg-dev libfdt-dev libglib2.0-dev libpixman-1-dev meson ninja-build
		   patch python3 qemu-system-data seabios zlib1g-dev)
[ "${1:-}" != bindings ] ||
	packages+=(cargo librust-libc-dev librust-vm-memory-dev rustc)
case ${1:-} in
docs)	packages=(python3-sphinx make) ;;
deb)	mapfile -t packages < <(sed -n '/^Build-Depends:/,/^[A-Z]/p' "$TOP/debian/control" |
		grep -oE '(: | )+[a-z][a-z0-9+.-]+' | tr -d ': ' |
		sed 's/^debhelper-compat$/debhelper/')
	packages+=(build-essential fakeroot lintian) ;;
esac

missing=()
for package in "${packages[@]}"; do
	status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || :)
	[ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

# Another one may be installing them just now.
if [ -z "${SETUP_LOCKED:-}" ]; then
	mkdir -p "$CACHE"
	SETUP_LOCKED=1 exec flock "$CACHE/setup.lock" "$0" "$@"
fi

[ "$(id -u)" = 0 ] ||
	die "please install, as root: apt-get install --no-install-recommends ${missing[*]}"
say "installing: ${missing[*]}"
install() {
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
		--no-install-recommends "${missing[@]}" < /dev/null > /dev/null
}
apt-get update -qq
install || { sleep 5; apt-get update -qq; install; } ||
	die "apt-get could not install: ${missing[*]}"
