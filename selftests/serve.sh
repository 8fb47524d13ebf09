#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# hlk-run serve-bench, and hlk-run run --audit: what they print, and their exit
# codes. Runs as root beside the guests; TAP.

nr=0
bad=0
out=/tmp/serve.out

# try WHAT CODE PATTERN COMMAND...: exit code and a pattern in the output
try() {
	what=$1 code=$2 pattern=$3
	shift 3
	nr=$((nr + 1))
	"$@" > $out 2>&1
	got=$?
	if [ $got = "$code" ] && grep -qE -- "$pattern" $out; then
		echo "ok $nr $what"
		return
	fi
	echo "# wanted exit code $code and \"$pattern\"; exit code $got:"
	sed 's/^/# /' $out | head -n 30
	echo "not ok $nr $what"
	bad=1
}

# has WHAT PATTERN: in the output of the last try
has() {
	nr=$((nr + 1))
	if grep -qE -- "$2" $out; then
		echo "ok $nr $1"
	else
		echo "# no \"$2\""
		echo "not ok $nr $1"
		bad=1
	fi
}

echo "TAP version 13"
try "calls from two threads on a pool of three" 0 "^calls +200 +[0-9]+ per second, by 2 threads" \
	hlk-run serve-bench server.elf --threads 2 --pool 3 --calls 200 \
	--input hello --expect hello
has "each sandbox restored" "^sandboxes +3 +[0-9]+ restored by 1 threads, 0 made anew"
has "latencies of calls" "^call +[0-9]"
try "more threads than sandboxes, as JSON" 0 '"calls":[[:space:]]*200,' \
	hlk-run serve-bench server.elf -T 4 -p 2 -n 200 -r 2 -i hello \
	-e hello --timeout 60000 --json
has "with the pool's metrics" '"restore_failures":[[:space:]]*0,'
has "and a rate" '"calls_per_second":[[:space:]]*[0-9]'
try "calls by seven at a time" 0 "^calls +200 " \
	hlk-run serve-bench server.elf -T 3 -p 2 -n 200 -i hello -e hello --queue 7
try "an answer that is not the one expected" 4 "not the one expected" \
	hlk-run serve-bench server.elf -n 10 -i hello -e other
try "a function that the guest does not have" 3 "gave an error" \
	hlk-run serve-bench server.elf -n 10 -c none
try "a guest that runs too long" 5 "longer than allowed" \
	hlk-run serve-bench server.elf -T 1 -n 2 -c loop -t 300
try "a pool of flat snapshots, with sizes of its own" 0 "^calls +20 " \
	hlk-run serve-bench server.elf -n 20 -i a -e a --flat --mem 32 \
	--scratch 512 --max-private 2000
try "with equal pages kept once, and the host's copies" 0 "^calls +20 " \
	hlk-run serve-bench server.elf -n 20 -i a -e a --dedup --host-cow
# The call ends long after the wait, and who failed first is who is told of, whichever
# thread that is: so more than once.
for _ in 1 2 3 4 5; do
	try "no sandbox to be had in time" 1 "no sandbox of the pool" \
		hlk-run serve-bench server.elf -T 2 -p 1 -n 8 -c loop -t 600 --wait 50
done
try "no guest" 2 "which guest" hlk-run serve-bench
try "no threads" 2 "wants a number from 1" hlk-run serve-bench server.elf -T 0
try "no such file" 1 "No such file" hlk-run serve-bench none.elf
try "an audit of every fourth restore" 0 "^audits +10 +no difference" \
	hlk-run run server.elf --call echo -i hello -e hello -n 40 --audit 4
try "audits without restores" 2 "about restores" \
	hlk-run run server.elf --call echo --no-restore --audit 4
try "equal pages kept once" 0 "^calls +4 " \
	hlk-run run server.elf --call echo -i a -e a -n 4 --dedup
echo "1..$nr"
exit $bad
