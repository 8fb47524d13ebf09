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

# in_order WHAT: the last try's trace: time goes on, a nested fault comes of an exit, and what is
# written first is the page of the fault before it, in ten pages and more
in_order() {
	nr=$((nr + 1))
	if awk '
		function page(text, word) {
			sub(".*" word "(0x)?0*", "", text)
			sub(/ .*/, "", text)
			return substr(text, 1, length(text) - 3)
		}
		/^ *[0-9]+ +[0-9]+  / { if ($1 < last) exit (wrong = 1); last = $1 }
		/  guest runs: / { out = 0; fault = "" }
		/  exit: / { out = 1 }
		/  nested page fault: / { if (!out) exit (wrong = 1); fault = page($0, " address ") }
		/  first write to a page: / && fault != "" {
			if (page($0, " gpa=") != fault) exit (wrong = 1)
			pairs++
		}
		END { exit wrong || pairs < 10 }' $out; then
		echo "ok $nr $1"
		return
	fi
	sed 's/^/# /' $out | head -n 60
	echo "not ok $nr $1"
	bad=1
}

# short_of RESOURCE LEAST STEP MOST COMMAND...: the limit of ulimit is raised from
# LEAST on until the command works. Each time before it says why, and no worse
short_of() {
	limit=$1 at=$2 step=$3 most=$4 good='' met=0
	shift 4
	nr=$((nr + 1))
	while [ -z "$good" ] && [ "$at" -le "$most" ]; do
		# shellcheck disable=SC3045
		(ulimit "$limit" "$at" && "$@") > $out 2>&1
		got=$?
		case $got in
		0) good=y ;;
		1) grep -q "^hlk-run: " $out || break ;;
		127) ;;	# not even the program could be loaded
		*) break ;;
		esac
		[ $got != 1 ] || met=$((met + 1))
		at=$((at + step))
	done
	if [ -n "$good" ] && [ $met -gt 1 ]; then
		echo "ok $nr ulimit $limit: $*"
		return
	fi
	echo "# $met clean failures; at $at exit code $got:"
	sed 's/^/# /' $out | head -n 30
	echo "not ok $nr ulimit $limit: $*"
	bad=1
}

# on_tty COMMAND...: on a terminal; what it wrote is what that one echoes
# shellcheck disable=SC2317  # called through try
on_tty() {
	exec 3<> /dev/ptmx
	"$@" >&3 2>&3
	code=$?
	timeout 5 dd bs=4096 count=1 <&3 2> /dev/null
	exec 3>&-
	return "$code"
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
try "ten answers that differ are enough" 0 "answers go on to differ" \
	call counter --repeat 12 --no-restore
lines "to be shown" 10 "^answer: [0-9]*$"
try "restores alone are counted" 0 "^restores  *20  [0-9]* per second" \
	hlk-run run server.elf --repeat 20
try "what the guest prints can be left out" 0 "^answer: hello$" \
	call hello --quiet --no-progress
lines "which it is" 0 "i686 guest"
try "it cannot move the cursor" 0 "^a?\[2Jb" call putc --input "$(printf 'a\033[2Jb\n')"
try "the guest calls hlk-run's own function" 0 "^answer: hi$" \
	call host --input "echo hi"
try "a strict snapshot" 0 "^answer: x$" call echo --input x --strict
try "of CR3 alone" 0 "^answer: x$" call echo --input x --cr3
try "other sizes" 0 "^answer: x$" call echo --input x --mem 32 --scratch 512
try "colours on a terminal" 0 "1mlatency" \
	on_tty env TERM=linux hlk-run run server.elf --call echo --repeat 20
try "but not on all" 0 "^latency" \
	on_tty env TERM=dumb hlk-run run server.elf --call echo --repeat 20
try "progress on a terminal" 5 " of 4 (" \
	on_tty hlk-run run server.elf --call loop --timeout 300 --repeat 4
try "the FPU comes back" 0 . call fpu --expect "37f 1f80" --repeat 20
try "debug registers come back" 0 . \
	call dr --expect "0 0 0 0 ffff0ff0 400" --repeat 20

try "a crash is the guest's, with its address" 3 "0x\{0,1\}deadbee0" \
	call crash --input 0xdeadbee0
try "an invalid opcode is reported" 3 "invalid opcode at 0x" call ud
lines "with the page-table entries on the way to it" 1 "^  eip .* pde .* pte "
try "or as JSON" 3 '"guest_exit":' call crash --input 0xdeadbee0 --json
lines "with the address" 1 '"fault":'
try "an error of the guest as JSON" 3 '"error":' call nonesuch --json
try "a triple fault" 3 "triple fault" call overflow
try "a guest that cannot even boot" 3 "private pages" call echo --max-private 1
try "a guest out of scratch says so" 3 "[Ss]cratch" call fill
try "a budget of private pages ends a call" 3 "private pages" \
	call touch --input 200 --max-private 60 --scratch 2048
try "what happens in a call" 0 "first write to a page: " hlk-run run server.elf \
	--call touch --input 20 --trace
in_order "in order, from nested fault to first write"
try "its exits and runs" 0 "  guest runs: " hlk-run run server.elf \
	--call host --input "echo abc" --repeat 3 --trace
lines "and the host's function" 1 "  host function echo: begins$"
lines "from its begin" 1 "^         0 .*  begin$"
try "for a browser" 0 . hlk-run run server.elf --call echo --trace-json /tmp/trace.json
try "as JSON" 0 '"traceEvents"' cat /tmp/trace.json
try "and leaves no trace buffer" 0 '^0$' \
	sh -c 'find /sys/kernel/tracing/instances /sys/kernel/debug/tracing/instances -name "hlk-run-*" 2> /dev/null | wc -l'
try "a trace of no call" 2 "wants --call" hlk-run run server.elf --trace
printf 'a file of the host' > /tmp/mapped
try "a file of the host" 0 . hlk-run run server.elf --map /tmp/mapped@0x40000000 \
	--call file --input mapped --expect "a file of the host" --repeat 100 --audit 10
try "by another name" 0 . hlk-run run server.elf --map /tmp/mapped@0x40000000:other \
	--call file --input other --expect "a file of the host"
try "which the guest did not write" 0 "^a file of the host$" cat /tmp/mapped
try "one that it has not" 3 . hlk-run run server.elf --call file --input mapped
try "where memory is" 1 "cover memory" hlk-run run server.elf --map /tmp/mapped@0x1000
try "that is none" 1 "No such file" hlk-run run server.elf --map /tmp/none@0x40000000
try "at no place" 2 "wants FILE@ADDRESS" hlk-run run server.elf --map /tmp/mapped
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
try "one page of them" 0 "^  00001000-00001fff " hlk-run pt server.elf --range 1000-1fff
lines "and no more" 1 "^  0000"
try "as with CR0.WP and CR4.PSE clear" 0 "^  00001000-" \
	hlk-run pt server.elf --no-wp --no-pse --maxphyaddr 36
try "as many as are asked for" 0 "cut off after 1 ranges" \
	hlk-run pt server.elf --limit 1 --svg /tmp/pt.svg
try "which the picture says too" 0 "Cut off after 1 ranges" cat /tmp/pt.svg
try "and the JSON" 0 '"cut": true$' hlk-run pt server.elf --json --limit 1
try "tables that are shared, as JSON" 0 '"alias_root"' \
	hlk-run pt microkernel.elf --snapshot --json
try "a picture that cannot be made" 1 "cannot write" \
	hlk-run pt server.elf --svg /nowhere/pt.svg
try "or is cut off" 1 "cannot write" hlk-run pt server.elf --svg /dev/full
try "page tables after a call that fails" 3 "nonesuch" \
	hlk-run pt server.elf --call nonesuch
try "what a call changes" 0 "^from server.elf, before echo$" \
	hlk-run pt server.elf --diff --call echo --input x
lines "which is the contents of pages" 1 "^in all: [0-9]* pages with other contents; "
try "as JSON" 0 '"what":\["contents"\],"was":{' \
	hlk-run pt server.elf --diff --call echo --input x --json
try "and in one line" 0 "^        .* changes: [0-9]* pages with other contents$" \
	hlk-run pt server.elf --diff --call echo --input x --fold 1
rm -rf /tmp/diff
try "a saved snapshot" 0 "^saved: " hlk-run snapshot server.elf -o /tmp/diff --name one
try "has page tables" 0 "^snapshot in /tmp/diff$" hlk-run pt /tmp/diff
try "which are those that it has" 0 "^  bytes fffff000-ffffffff " \
	hlk-run pt --diff /tmp/diff /tmp/diff
lines "but for the page with what is random" 1 "^in all: 1 pages with other contents; 0 newly accessed, 0 newly dirty$"
try "and another one after a call" 0 "^saved: " \
	hlk-run snapshot /tmp/diff -o /tmp/diff --name two --call echo --input x
try "differs" 0 "^  bytes " hlk-run pt --diff /tmp/diff --from one /tmp/diff --to two
try "as JSON" 0 '^"to": {"text":"snapshot in /tmp/diff: two"},$' \
	hlk-run pt --diff /tmp/diff --from one /tmp/diff --to two --json
try "but for one that is not there" 6 . hlk-run pt --diff /tmp/diff --from one /tmp/diff --to three
try "differences of one thing" 2 "between what" hlk-run pt --diff /tmp/diff
try "of two guests" 2 "one guest at a time" hlk-run pt --diff server.elf microkernel.elf
try "of two folders that nobody asked for" 2 "two folders with --diff" \
	hlk-run pt /tmp/diff /tmp/diff
try "a name and no folder" 2 "wants a folder" hlk-run pt server.elf --from one
try "a second name and no folder" 2 "wants a second folder" hlk-run pt /tmp/diff --to one
try "later than nothing" 2 "wants --diff and --pid" hlk-run pt server.elf --after 1
try "page tables of a missing file" 1 "No such file" hlk-run pt none.elf
try "the module's limits" 0 "^roots per snapshot" hlk-run info
try "as JSON" 0 '"max_roots":' hlk-run info --json
try "and all it can do" 0 \
	"^features *flat compact walk mark-cow run io_uring prefault audit dedup inspect" \
	hlk-run info
try "a disk that is full" 1 "cannot write" sh -c "hlk-run info > /dev/full"

try "a map on standard output" 0 "^</svg>$" hlk-run pt server.elf --svg=-
lines "and nothing else there" 0 "^  0000"

short_of -n 4 1 40 hlk-run run server.elf --call echo --input x
short_of -n 4 1 40 hlk-run serve-bench server.elf -T 2 -p 2 -n 4
short_of -v 6000 1500 200000 hlk-run run server.elf --call echo --input x

# vms PID: fds of its VMs
vms() {
	# shellcheck disable=SC2012
	ls -l "/proc/$1/fd" | sed -n 's/.* \([0-9]*\) -> anon_inode:kvm-vm$/\1/p'
}

# until_said PATTERN COMMAND...: until that is in what it says
until_said() {
	pattern=$1
	shift
	tries=0
	until "$@" 2>&1 | grep -q -- "$pattern" || [ $((tries += 1)) = 100 ]; do
		sleep 0.1
	done
}

hlk-run run server.elf --call loop --timeout 600000 > /dev/null 2>&1 &
other=$!
until_said "^root 0," hlk-run pt --pid $other
root=0x$(hlk-run pt server.elf --snapshot | sed -n 's/^root 0 at //p')
try "the page tables of another program's VM" 0 "^VM of process $other, hlk-run$" \
	hlk-run pt --pid $other
lines "by CR3" 1 "^root 0, in CR3 of vCPU 0$"
try "chosen by its fd" 0 "^  00001000-" hlk-run pt --pid $other --fd "$(vms $other)"
try "while it runs" 0 "^  00001000-" hlk-run pt --pid $other --running --root "$root"
try "now and later" 0 "^from VM of process $other, hlk-run$" \
	hlk-run pt --pid $other --diff --after 200
lines "in sums" 1 "^in all: "
kill -STOP $other
try "while it is stopped" 0 '"va":4096,' \
	hlk-run pt --pid $other --svg /tmp/pt.svg --json
try "in a picture" 0 "CR3 of vCPU 0" cat /tmp/pt.svg
kill -CONT $other
try "an fd that is no VM" 1 "." hlk-run pt --pid $other --fd 0
try "an fd that is not open" 1 "cannot take its VM" hlk-run pt --pid $other --fd 999
kill -KILL $other
try "a program without a VM" 1 "has no KVM VM" hlk-run pt --pid 1
try "a program that is none" 1 "cannot be opened" hlk-run pt --pid 2147483647

hlk-run serve-bench server.elf -T 1 -p 2 -c loop -t 600000 > /dev/null 2>&1 &
other=$!
until_said "several VMs" hlk-run pt --pid $other
try "a program with several" 1 "choose by --fd" hlk-run pt --pid $other
try "of which one is chosen" 0 "^  00001000-" \
	hlk-run pt --pid $other --fd "$(vms $other | tail -n 1)"
kill -KILL $other

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

# Kernels that know nothing of hlk; selftests/machines.sh does more of that.
# This one takes no interrupts, which QEMU may deliver twice.
try "a kernel of others, restored" 0 "^nanvix: sum [0-9a-f]" \
	hlk-run boot nanvix.elf --protocol nanvix --initrd cli.sh \
	--snapshot-at "print:nanvix: ready" --repeat 6 --audit 2 --cut-off 3 --clones 1
lines "of which one round is shown" 1 "^nanvix: done"
lines "audited" 1 "^audits  *3  0 differences"
lines "cut off" 1 "^rounds cut off  *2"
try "as JSON" 0 '"rounds":' hlk-run boot nanvix.elf --protocol nanvix --initrd cli.sh \
	--snapshot-at "print:nanvix: ready" --repeat 3 --json
try "memory in pieces" 0 "pieces above 4 GiB in use: 0x2" hlk-run boot pae.elf \
	--ram 0:16 --ram 0x100000000:1 --ram 0xfffff00000:1
try "memory that there is on no machine" 1 . hlk-run boot pae.elf \
	--ram 0:16 --ram 0x10000000000:1
try "an image that is none" 7 "no bzImage, no ELF file and has no Multiboot header" \
	hlk-run boot cli.sh
try "an empty one" 7 "the image is empty" hlk-run boot /tmp/empty.elf
head -c 6000 three.elf > /tmp/cut.elf
try "one that was cut off" 7 "past the end of the file" hlk-run boot /tmp/cut.elf
cp three.elf /tmp/arm.elf
printf '\050' | dd of=/tmp/arm.elf bs=1 seek=18 conv=notrunc 2> /dev/null
try "one for another processor" 7 "ELF is for machine 40" hlk-run boot /tmp/arm.elf
try "a kernel that does not fit" 8 "wants 0x1000 bytes at 0x100000" \
	hlk-run boot three.elf --mem 1
try "an initrd that does not fit" 8 "the initrd wants 0x[0-9a-f]* bytes at 0x800000" \
	hlk-run boot nanvix.elf --protocol nanvix --mem 8 --initrd cli.sh
mkfifo /tmp/fifo
try "a kernel that is a FIFO" 6 "not a regular file" hlk-run boot /tmp/fifo
try "an initrd that is one" 6 "not a regular file" \
	hlk-run boot nanvix.elf --protocol nanvix --initrd /tmp/fifo
try "a guest that is off too early" 9 "did not come to print:never: it switched itself off" \
	hlk-run boot three.elf --snapshot-at print:never
lines "and where it was" 1 "^guest: at 0x[0-9a-f]*, in 32-bit code of the kernel, interrupts off, page tables at "

# flat CODE: a flat binary in real mode that prints nothing
# shellcheck disable=SC2317,SC2059  # called through try; octal is the format's
flat() {
	printf "$1" > /tmp/flat.bin
	shift
	hlk-run boot /tmp/flat.bin --protocol flat16 --addr 0x7c00 "$@"
}
try "one that halts for good" 11 "it halted for good" flat '\372\364' --snapshot-at print:x
lines "and where" 1 "^guest: at 0x7c02, in real mode, interrupts off$"
try "one that waits" 0 "^boot" flat '\373\364\353\375' --until idle
try "a triple fault" 10 "triple fault" flat '\017\001\036\000\200\314' --snapshot-at print:x
lines "and where" 1 "^guest: "
try "one that takes too long" 5 "the time is over" \
	flat '\353\376' --snapshot-at print:x --timeout 200
try "one that takes too long in a round" 5 "round 1: the time is over" \
	flat '\346\200\353\376' --snapshot-at port:0x80 --timeout 200
try "or has another limit for that" 5 "round 1: the time is over" \
	flat '\346\200\353\376' --snapshot-at port:0x80 --timeout 200 --boot-timeout 5000
# out 0x80,al; rdtsc; out 0xe9,al; cli; hlt
try "rounds that differ" 4 "is not as the first" flat '\346\200\017\061\346\351\372\364' \
	--snapshot-at port:0x80 --repeat 100
try "over its budget" 3 "private pages" hlk-run boot three.elf --max-private 2

if [ "$(id -u)" = 0 ] && [ -n "$HLK_KO" ]; then
	mkdir -p /etc
	grep -qs nobody /etc/passwd ||
		echo 'nobody:x:65534:65534::/:/bin/sh' >> /etc/passwd
	chmod 666 /dev/kvm
	try "no permission on /dev/hlk" 1 "permission on /dev/hlk" \
		su -s /bin/sh nobody -c "hlk-run info"
	mv /dev/kvm /dev/kvm.away
	try "no /dev/kvm" 1 "/dev/kvm" hlk-run run server.elf --call echo
	try "and no benchmark" 1 "/dev/kvm" hlk-run bench --quick
	mv /dev/kvm.away /dev/kvm
	rmmod hlk
	try "no module" 1 "module is not loaded" hlk-run info
	try "for nobody" 1 "module is not loaded" hlk-run pt server.elf
	try "nor a pool" 1 "module is not loaded" hlk-run serve-bench server.elf
	try "nor much of a benchmark" 0 "going on without it" \
		hlk-run bench --quick --two-threads
	insmod "$HLK_KO"
	try "and with it again" 0 . hlk-run info
fi
echo "1..$nr"
exit $bad
