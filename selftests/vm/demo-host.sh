#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The demonstration on this host, with its own kernel.
. "$(dirname "$0")/common.sh"

[ "$(id -u)" = 0 ] || die "loading a module needs root"
[ -c /dev/kvm ] || die "there is no /dev/kvm; leave HOST=1 out to use a VM"
headers=/lib/modules/$(uname -r)/build
[ -d "$headers" ] ||
	die "no headers for $(uname -r): apt-get install linux-headers-$(uname -r)"

"$VM_DIR/setup.sh"
mkdir -p "$BUILD"
make -s -C "$TOP" modules user > "$BUILD/host.log" 2>&1 ||
	{ cat "$BUILD/host.log" >&2; die "the build failed"; }
loaded=''
if [ ! -d /sys/module/hlk ]; then
	insmod "$TOP/hlk.ko" || die "the module cannot be loaded; see dmesg"
	loaded=yes
fi
trap '[ -z "$loaded" ] || rmmod hlk' EXIT
cd "$BUILD/user/guest"
PATH=$BUILD/user/hlk-run:$PATH sh "$VM_DIR/demo.sh"
