#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The demonstration itself: where hlk is loaded, in the folder of its files. Debian's kernel
# boots twice: with a Python that waits, and without one. In the second guest each call
# starts an interpreter.
set -e
cd /data
CALLS=${CALLS:-100}
EXPECT='1 8 078894e852a1 192.0.2.42'
mkdir -p root/srv
tar -C root -xf root.tar
cp demo-linux.py root/srv/warm.py
cp demo-linux-call.py root/srv/call.py

boot() {
	./hlk-run boot vmlinuz-686 --rootfs root --mem 160 --timeout 300000 \
		--append 'console=ttyS0 quiet panic=-1' --json "$@" 2> boot.log ||
		{ cat boot.log; return 1; }
}
# value FILE NAME: a number, of the last member with that name
value() {
	sed -n "s/.*\"$2\":[^0-9]*\\([0-9]*\\).*/\\1/p" "$1" | tail -n 1
}
row() {
	awk -v what="$1" -v ns="$2" -v one="$3" \
		'BEGIN { printf "%-46s %12.2f ms %10.1f\n", what, ns / 1e6, ns / one }'
}

echo "== Debian's 686 kernel, with a Python that has its modules imported: $CALLS calls"
boot --warm 'python3 -I -S /srv/warm.py' --call-file demo-linux-call.py --repeat "$CALLS" \
	--expect "$EXPECT
" > warm.json
echo "each of $(value warm.json rounds) calls answered: $EXPECT"
echo "== the same guest without it: 5 calls, each of which starts the interpreter"
boot --call "python3 -I -S -c 'import sys, re, hashlib, ipaddress
exec(sys.stdin.read())' < /srv/call.py" --repeat 5 --expect "$EXPECT
" > cold.json
echo
printf '%-46s %15s %10s\n' 'a few lines of Python, in a guest that is as new' '' ''
one=$(value warm.json mean)
row 'restore, and a call of a Python that waits' "$one" "$one"
row 'restore, and start the interpreter for it' "$(value cold.json mean)" "$one"
row 'boot the guest for it' "$(value warm.json boot_ns)" "$one"
echo
echo 'demo-linux: all answers are right'
