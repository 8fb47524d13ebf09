#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# hlk-run: what it prints, its exit codes, and one clear line for each thing
# that can be wrong. Runs as root beside the guests; TAP.

nr=0
bad=0
out=/tmp/cli.out

# try WHAT CODE PATTERN COMMAND...: exit code and a pattern in the output
try() {
	what=$1 code=$2 pattern=$3
	shift 3
	nr=$((nr + 1))
	"$@" > $out 2>&1
	got=$?
	if [ $got = "$code" ] && grep -q -- "$pattern" $out; then
		echo "ok $nr $what"
		return
	fi
	echo "# wanted exit code $code and \"$pattern\"; exit code $got:"
	sed 's/^/# /' $out | head -n 30
	echo "not ok $nr $what"
	bad=1
}

# lines WHAT COUNT PATTERN: of the output of the last try
lines() {
	nr=$((nr + 1))
	got=$(grep -c -- "$3" $out)
	if [ "$got" = "$2" ]; then
		echo "ok $nr $1"
	else
		echo "# $got lines with \"$3\""
		echo "not ok $nr $1"
		bad=1
	fi
}

# shellcheck disable=SC2317  # called through try
call() { # call FUNCTION OPTION...
	function=$1
	shift
	hlk-run run server.elf --call "$function" "$@"
}

echo "TAP version 13"
try "five processes say hello through restore and call" 0 "Hello 5/5" \
	hlk-run run microkernel.elf --call hello --repeat 4
lines "in each of four calls" 4 "^Hello 5/5$"
lines "each process in each call" 20 "^Hello from process [1-5]$"
try "without restores too" 0 "Hello 5/5" \
	hlk-run run microkernel.elf --call hello --repeat 4 --no-restore
lines "in each of four calls without restores" 4 "^Hello 5/5$"
try "with copy-on-write left to the host" 0 "Hello 5/5" \
	hlk-run run microkernel.elf --call hello --repeat 4 --host-cow
lines "in each of four calls with the host's copies" 4 "^Hello 5/5$"
try "with a flat snapshot" 0 "Hello 5/5" \
	hlk-run run microkernel.elf --call hello --repeat 4 --flat
lines "in each of four calls from a flat snapshot" 4 "^Hello 5/5$"

try "an answer is printed" 0 "^answer: 42$" call sum --input "1 2 39"
try "each answer is compared" 0 "restore + call" \
	call echo --input same --expect same --repeat 200
try "a wrong answer has its own exit code" 4 . \
	call echo --input one --expect two
try "a restored guest remembers nothing" 0 . \
	call counter --expect 1 --repeat 50
try "a guest that is not restored does" 4 . \
	call counter --expect 1 --repeat 2 --no-restore
try "JSON is asked for and given" 0 '"restores":' \
	call echo --input x --repeat 3 --json
try "the FPU comes back" 0 . call fpu --expect "37f 1f80" --repeat 20
try "debug registers come back" 0 . \
	call dr --expect "0 0 0 0 ffff0ff0 400" --repeat 20

try "a crash is the guest's, with its address" 3 "0x\{0,1\}deadbee0" \
	call crash --input 0xdeadbee0
try "an invalid opcode is reported" 3 "invalid opcode at 0x" call ud
lines "with the page-table entries on the way to it" 1 "^  eip .* pde .* pte "
try "a guest out of scratch says so" 3 "[Ss]cratch" call fill
try "a budget of private pages ends a call" 3 "private pages" \
	call touch --input 200 --max-private 60 --scratch 2048
try "a runaway guest is stopped" 5 . call loop --timeout 200
try "an unknown function is the guest's answer" 3 "nonesuch" call nonesuch
try "an unknown command is a usage error" 2 . hlk-run nonesuch
try "a page table listing" 0 "^  00001000-[0-9a-f]*  .* rw  --  AD-$" \
	hlk-run pt server.elf
lines "with sums" 1 "^physical: [0-9]* pages, "
try "the page tables of a snapshot" 0 "same table as root 0 at ffc00000$" \
	hlk-run pt microkernel.elf --snapshot
lines "of five roots" 5 "^root [0-4] at fedc[0-9a-f]*$"
lines "with the kernel's tables shared by four" 16 "same table as root 0 at 00[048c]00000$"
lines "and copy-on-write pages of each process" 5 "^  40010000-.* r-  r-  AD-  cow$"
try "of a snapshot that the host copies for" 0 "^  40010000-.* rw  rw  AD-$" \
	hlk-run pt microkernel.elf --snapshot --host-cow
try "after calls" 0 "^  00001000-" \
	hlk-run pt server.elf --call echo --input x --repeat 3
try "page tables as JSON" 0 '"cut": false$' hlk-run pt server.elf --json
try "page tables as a picture" 0 . hlk-run pt microkernel.elf --svg /tmp/pt.svg
try "which is whole" 0 "^</svg>$" tail -n 1 /tmp/pt.svg
try "page tables of nothing" 2 "of which guest" hlk-run pt
try "page tables of two things" 2 "of which guest" hlk-run pt server.elf --pid 1
try "page tables of a file that is no snapshot" 1 . \
	hlk-run pt --snapshot-fd 0
try "a range that is none" 2 "two addresses" \
	hlk-run pt server.elf --range 2000-1000
try "a root that is not in memory" 1 . hlk-run pt server.elf --root 0xd0000000
try "the module's limits" 0 . hlk-run info

dd if=server.elf of=/tmp/short.elf bs=100 count=1 2> /dev/null
dd if=server.elf of=/tmp/cut.elf bs=1024 count=12 2> /dev/null
echo "no ELF file, this, but long enough to be one, were it not for the magic" \
	> /tmp/text.elf
: > /tmp/empty.elf
try "a missing file" 1 "No such file" hlk-run run /tmp/none.elf --call echo
try "an empty file" 1 ELF hlk-run run /tmp/empty.elf --call echo
try "a text file" 1 "not an ELF" hlk-run run /tmp/text.elf --call echo
try "a short ELF file" 1 ELF hlk-run run /tmp/short.elf --call echo
try "an ELF file that was cut off" 1 "past the end" \
	hlk-run run /tmp/cut.elf --call echo
try "a 64-bit ELF file" 1 "64-bit" hlk-run run "$(command -v hlk-run)" --call echo

if [ "$(id -u)" = 0 ] && [ -n "$HLK_KO" ]; then
	mkdir -p /etc
	grep -qs nobody /etc/passwd ||
		echo 'nobody:x:65534:65534::/:/bin/sh' >> /etc/passwd
	chmod 666 /dev/kvm
	try "no permission on /dev/hlk" 1 "permission on /dev/hlk" \
		su -s /bin/sh nobody -c "hlk-run info"
	mv /dev/kvm /dev/kvm.away
	try "no /dev/kvm" 1 "/dev/kvm" hlk-run run server.elf --call echo
	mv /dev/kvm.away /dev/kvm
	rmmod hlk
	try "no module" 1 "module is not loaded" hlk-run info
	insmod "$HLK_KO"
	try "and with it again" 0 . hlk-run info
fi
echo "1..$nr"
exit $bad
