#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
# pt-qemu.sh: a 64-bit Linux under QEMU, in the VM of check-pt.sh. When its shell waits it is
# stopped, and QEMU and hlk-run are both asked what its page tables map.
cd /tmp || exit 1
rm -f monitor serial answers
mkfifo monitor
: > serial
/data/qemu-system-x86_64 -L /data -M microvm,accel=kvm,acpi=off -cpu host -m 1024M \
	-display none -nodefaults -no-reboot \
	-chardev file,id=serial,path=serial -serial chardev:serial -monitor stdio \
	-kernel /data/vmlinuz-cloud -initrd /data/agent-cloud.cpio \
	-append 'console=ttyS0 panic=-1 rdinit=/bin/sh' < monitor > answers 2>&1 &
qemu=$!
exec 3> monitor

fail() {
	echo "not ok - $*"
	tail -n 5 answers
	tail -c 600 serial
	kill $qemu
	exit 1
}

# wait_for WHAT COMMAND...: until that is true, for at most a quarter of an hour
wait_for() {
	what=$1 tries=0
	shift
	until "$@"; do
		tries=$((tries + 1))
		[ $tries -lt 1800 ] || fail "no $what"
		kill -0 $qemu 2> /dev/null || fail "QEMU is gone, before $what"
		sleep 0.5
	done
}

# ask COMMAND NUMBER: with what shows that QEMU has done it
ask() {
	echo "$1" >&3
	echo "print/d $2" >&3
	wait_for "answer to '$1'" grep -q "^$2" answers
}

# seconds of processor time of all children that ended, user and system
spent() { awk '{ print ($16 + $17) / 100 }' "/proc/$$/stat"; }

wait_for shell grep -aq '^/ # ' serial
ask stop 5001
ask 'info tlb' 5002
grep -a '^[0-9a-f]\{16\}: ' answers | tr -d '\r' | sort > tlb
[ "$(wc -l < tlb)" -gt 1000 ] || fail 'info tlb says little'

before=$(spent)
hlk-run pt --pid $qemu --fold 0 > listed || fail "hlk-run pt"
after=$(spent)
awk -f /data/pt-leaves.awk listed | sort > leaves
if ! cmp -s tlb leaves; then
	diff tlb leaves | head -n 40
	fail "$(diff tlb leaves | grep -c '^[<>]') lines differ"
fi
echo "# $(wc -l < tlb) entries, $(grep -c '^  [0-9a-f]\{16\}-' listed) ranges"
tail -n 2 listed | sed 's/^/# /'
echo "$before $after" | awk '{
	printf "# %.2f s of an emulated processor, of 2\n", $2 - $1
	exit !($2 - $1 < 2)
}' || fail "hlk-run pt takes too long"
before=$after
hlk-run pt --pid $qemu > folded || fail "hlk-run pt, folded"
hlk-run pt --pid $qemu --diff --after 1 > changes || fail "hlk-run pt --diff"
grep -q '^in all: no page is different' changes || fail "$(head -n 20 changes)"
hlk-run pt --pid $qemu --svg map.svg > folded || fail "hlk-run pt --svg"
echo "# map.svg has $(wc -c < map.svg) bytes"
echo quit >&3
wait $qemu || fail "QEMU ended with $?"
echo 'pt: the same as the emulator says'
