#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# vm.sh CALLS: in the VM, beside what check.sh put there: Rust, Python and C, and what a
# fused call takes by each
cd /data || exit 1
calls=$1
bad=0
say() {
	echo "$@"
	"$@" || bad=1
}
export LD_LIBRARY_PATH=/data
say ./hlk-rust server.elf
say ./vmm
say ./hlk-c server.elf "$calls"
say ./hlk-rust server.elf count "$calls"
if [ -e python.tar ]; then
	mkdir -p py
	tar -C py -xf python.tar
	cp server.elf py/
	mknod py/dev/null c 1 3
	mknod py/dev/urandom c 1 9
	for dev in kvm hlk; do
		numbers=$(sed -n "s/^ *\([0-9]*\) $dev\$/\1/p" /proc/misc)
		mknod py/dev/$dev c 10 "$numbers"
	done
	inside() {
		LD_LIBRARY_PATH='' PYTHONPATH=/site LIBHLK=/site/libhlk.so.0 \
			chroot py /usr/bin/python3 -B /site/test_hlk.py "$@"
	}
	say inside server.elf
	say inside server.elf "$calls"
fi
[ $bad = 0 ] && echo "bindings: all good"
