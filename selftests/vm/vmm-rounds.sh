#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
# vmm-rounds.sh MACHINE ROUNDS: a Linux guest under the patched QEMU, in the VM of
# check-vmm.sh. It counts aloud; it is snapshot, and restored ROUNDS times. What it
# prints after each restore has to be the same. Every tenth restore is audited.
machine=$1 rounds=$2 lines=4
cd /tmp || exit 1
rm -f monitor serial answers
mkfifo monitor
: > serial
/data/qemu-system-x86_64 -L /data -M "$machine,accel=kvm,memory-backend=ram" -cpu host \
	-m 64M -object memory-backend-hlk,id=ram,size=64M -display none -nodefaults \
	-chardev file,id=serial,path=serial -serial chardev:serial -monitor stdio \
	-kernel /data/vmlinuz-686 -initrd /data/initrd.gz \
	-append 'console=ttyS0 quiet' < monitor > answers 2>&1 &
qemu=$!
exec 3> monitor

fail() {
	echo "not ok - $machine: $*"
	# what is typed is shown letter by letter
	grep -av '^(qemu)' answers | tail -n 20
	tail -c 600 serial
	kill $qemu
	exit 1
}

# wait_for WHAT COMMAND...: until that is true, for at most two minutes
wait_for() {
	what=$1 tries=0
	shift
	until "$@"; do
		tries=$((tries + 1))
		[ $tries -lt 1200 ] || fail "no $what"
		kill -0 $qemu 2> /dev/null || fail "QEMU is gone, before $what"
		sleep 0.1
	done
}

printed() { tail -c +$(($1 + 1)) serial | tr -d '\r'; }
has_lines() { [ "$(printed "$1" | wc -l)" -gt $lines ]; }
size() { wc -c < serial; }
# ask COMMAND: with what shows that QEMU has done it
ask() {
	asked=$((asked + 1))
	[ -z "$VERBOSE" ] || echo "# $(cut -d' ' -f1 /proc/uptime) $1"
	echo "$1" >&3
	echo "print/d $asked+5000" >&3
	wait_for "answer to '$1'" grep -q "^$((asked + 5000))" answers
	! grep -aq ^Error: answers || fail "$1"
}
asked=0

wait_for 'first tick' grep -q 'tick 0000002' serial
ask stop
first=$(size)
ask hlk_snapshot
ask cont
wait_for 'ticks' has_lines "$first"
want=$(printed "$first" | head -n $lines)
round=0
while [ $round -lt "$rounds" ]; do
	round=$((round + 1))
	ask stop
	at=$(size)
	audit=
	[ $((round % 10)) -ne 0 ] || audit=-a
	ask "hlk_restore $audit"
	ask cont
	wait_for "ticks of round $round" has_lines "$at"
	got=$(printed "$at" | head -n $lines)
	[ "$got" = "$want" ] || fail "round $round: '$got', not '$want'"
done
restored=$(grep -ac '^hlk: [0-9]* pages copied' answers)
[ "$restored" = "$rounds" ] || fail "$restored restores, not $rounds"
echo 'quit' >&3
wait $qemu || fail "QEMU ended with $?"
echo "ok - $machine: $rounds restores, each time the guest went on to '$(echo "$want" | tail -n 1)'"
grep -a '^hlk: ' answers | tail -n 3 | sed 's/^/# /'
