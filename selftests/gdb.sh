#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# hlk-run --gdb, with the real gdb, which lies beside it (see vm/gdb.sh). Runs as root beside
# the guests; TAP. Where breakpoints do not come out of KVM the guest is stepped, and what
# a guest does behind an IRET cannot be seen: that is skipped.

# shellcheck source-path=SCRIPTDIR source=lib/gdb-talk.sh
. ./gdb-talk.sh

echo "TAP version 13"

# The guest's own thread of a call: stop, look, change, go on
under_gdb server.elf run server.elf --call sum --input "1 2 39" --repeat 2 << 'END'
printf "at its first instruction: %d\n", $eip == (int)&_start
info threads
tbreak fn_sum
continue
backtrace
printf "argument %s\n", req->arg
set var $before = $eip
stepi
printf "one step: %d\n", $eip != $before && $eip - $before < 16
next
set var *(char *)req->arg = '3'
maintenance packet qNonesuch
maintenance packet QNonesuch:1
maintenance packet m0,zz
disconnect
END
[ "$rights" = 600 ]
result $? "the socket is its owner's alone"
said "gdb has the guest from its first instruction on" 1 '^at its first instruction: 1$'
said "a processor is a thread" 1 '^\* 1 .*Thread 1'
said "it breaks in a call" 1 '^Temporary breakpoint 1, fn_sum \(req=0x[0-9a-f]*\) at server.c:'
said "with the way to it" 1 '^#2 .* rt_dispatch \(\) at rt.c:'
said "the guest's variables" 1 '^argument 1 2 39'
said "one step is one instruction" 1 '^one step: 1$'
said "packets that are not known get the empty answer" 2 '^received: ""$'
said "bad ones an error" 1 '^received: "E16"$'
[ $code = 0 ]
result $? "when gdb leaves, the guest goes on"
ran "with what gdb wrote in this call, and without in the next" '^answer: 44$'
ran "as it was" '^answer: 42$'

# Over restores: a breakpoint is the debugger's. Meanwhile another guest answers.
under_gdb server.elf run server.elf --call counter --repeat 3 --beside 1000 << 'END'
break fn_counter
commands
silent
printf "counter is %d\n", counter
end
continue
continue
monitor restore
maintenance flush register-cache
printf "restored: %d\n", $eip == (int)&fn_counter
continue
watch counter
continue
printf "changed to %d\n", counter
delete
set var counter = 41
monitor snapshot
continue
END
said "it breaks in each call, in the restored guest: by gdb, and by the loop" 3 '^counter is 0$'
said "a restore begins the call again" 1 '^restored: 0$'
said "a variable is watched" 1 '^New value = 1$'
said "and has changed" 1 '^changed to 1$'
said "in the end" 1 'exited normally'
ran "a snapshot that gdb wants is what the next call begins with" '^answer: 42$'
ran "another guest of the snapshot answered 1000 calls, and saw nothing of it" \
	'^hlk-run: beside gdb: 1000 of 1000 calls answered, all as the first$'

under_gdb server.elf run server.elf --call crash --input 0xdeadbee0 << 'END'
continue
printf "wrote to %x\n", $cr2
backtrace
monitor help
monitor restore
maintenance flush register-cache
continue
set var $eax = 1
END
said "a guest that fails is shown where it did" 2 '^Program received signal SIGSEGV'
said "with the address" 1 '^wrote to deadbee0$'
said "and the way to it" 1 '^#0 .*fn_crash \(req=0x[0-9a-f]*\) at server.c:'
said "its registers are what they were" 1 'Could not write register|Could not write registers'
said "monitor says what there is" 1 '^monitor restore: '
[ $code = 3 ]
result $? "when gdb leaves it fails, as without gdb"

# Ctrl-C, and an end
under_gdb server.elf run server.elf --call loop << 'END'
tbreak fn_loop
continue
shell sh -c 'sleep 2; kill -INT $(pidof gdb)' &
continue
backtrace
kill
END
said "a guest that runs is interrupted" 1 '^Program received signal SIGINT'
said "where it is" 1 '^#0 .*fn_loop \(req=.*\) at server.c:'
[ $code = 3 ]
result $? "gdb ends it"
ran "and that is said" '^hlk-run: gdb ended the guest$'

# A machine, in real mode, protected mode, and with paging
under_gdb three.elf boot three.elf --cpus 2 --snapshot-at "print:three: ready" --repeat 2 << 'END'
info registers cr0
info threads
thread 2
thread 1
monitor restore
stepi
stepi
monitor snapshot
set var $there = $eip
stepi
stepi
monitor restore
maintenance flush register-cache
printf "back: %d\n", $eip == $there
detach
END
said "a machine from its first instruction on" 1 '^cr0 '
said "each processor is a thread" 2 'Thread 2'
said "it has nothing to be restored to yet" 1 'nothing was restored yet'
said "a snapshot of gdb's, and back to it" 1 '^back: 1$'
[ $code = 0 ]
result $? "then it goes on"

# gdb ends it, and so what goes on beside it
under_gdb three.elf boot three.elf --cpus 2 --snapshot-at "print:three: ready" \
	--repeat 1000000000 --beside 1000000000 << 'END'
shell sh -c 'until grep -q "three: done" /tmp/run.out; do sleep 1; done; kill -INT $(pidof gdb)' &
continue
kill
END
said "a machine that runs is interrupted in a round" 1 'received signal SIGINT'
[ $code = 3 ]
result $? "gdb ends it"
ran "that is said" '^hlk-run: gdb ended the guest$'
ran "and the machine beside it ends with it" '^hlk-run: beside gdb: [0-9]+ rounds, all as the first$'

# Cores
hlk-run run server.elf --call crash --input 0xdeadbee0 --core /tmp/crash.core > $run 2>&1
[ $? = 3 ]
result $? "a guest that fails leaves a core"
core /tmp/crash.core server.elf -ex bt -ex 'printf "cr %x\n", counter' -ex 'info threads'
said "of what it failed for" 1 '^Program terminated with signal SIGSEGV'
said "with the way to it" 2 '^#0 .*fn_crash \(req=0x[0-9a-f]*\) at server.c:'
said "and further" 1 '^#2 .* rt_dispatch \(\) at rt.c:'
said "and its memory" 1 '^cr 0$'
ran "the report names the function" 'eip .* fn_crash\+0x[0-9a-f]+'
size=$(stat -c '%b * 512' /tmp/crash.core)
[ $((size)) -lt $(($(stat -c %s /tmp/crash.core) / 2)) ]
result $? "with holes"
hlk-run run microkernel.elf --call hello --core /tmp/end.core --core-at-snapshot /tmp/snap.core \
	> $run 2>&1
result $? "cores of the end and of the snapshot"
core /tmp/snap.core microkernel.elf -ex bt -ex 'printf "runs %d\n", runs'
said "in the snapshot it waits for a call" 2 '^#0 .* at (rt.c|entry.S|.*hlk_rt.h):'
said "and was never called" 1 '^runs 1$'
core /tmp/end.core microkernel.elf -ex 'printf "runs %d\n", runs'
said "in the end it was" 1 '^runs 2$'
hlk-run boot three.elf --until "print:three: ready" --core /tmp/machine.core > $run 2>&1
# shellcheck disable=SC2016  # gdb's
core /tmp/machine.core three.elf -ex 'x/i $pc' -ex 'info registers cr0'
said "a machine's" 1 '^=> 0x'
if [ -f vmlinuz-cloud ]; then
	hlk-run boot vmlinuz-cloud --append "console=ttyS0 nokaslr" --quiet \
		--until "print:Memory: " --core /tmp/wide.core > $run 2>&1
	# shellcheck disable=SC2016
	gdb -nx -batch -ex 'core-file /tmp/wide.core' -ex 'x/2i $pc' \
		-ex 'x/s $sp' > $out 2>&1
	said "of a kernel of 64 bits" 1 '^=> 0xffffffff8'
fi
hlk-run run server.elf --call echo --input x --core /nowhere/core > $run 2>&1
[ $? = 1 ]
result $? "a core that cannot be written"

# Where breakpoints come out: programs of the guest, and a Linux kernel
if [ -n "$stepped" ]; then
	nr=$((nr + 1))
	echo "ok $nr # SKIP breakpoints do not come out of KVM here"
else
	under_gdb microkernel.elf run microkernel.elf --call hello --repeat 3 --beside 1000 << 'END'
tbreak say_hello
continue
print runs
watch runs
continue
backtrace
monitor restore
maintenance flush register-cache
delete
break hlk_syscall
continue
backtrace
delete
tbreak *0x40000000
continue
printf "ring %d\n", $cs & 3
x/3i $pc
print *(int *)0x40010000
hbreak fn_hello
continue
continue
delete
continue
END
	said "INT3 in a kernel" 1 '^Temporary breakpoint 1.* say_hello \(req='
	said "a watchpoint" 1 '^New value = 2$'
	said "the way to it" 1 '^#1 .*say_hello'
	said "system calls of its programs" 1 '^Breakpoint 3.* hlk_syscall \(frame='
	said "a program" 1 '^ring 3$'
	said "its code, as it is" 1 '^=> 0x40000000:	push'
	said "a breakpoint of the processor, in the next call" 2 '^Breakpoint 5.*hello'
	said "in the end" 1 'exited normally'
	ran "another guest of the snapshot saw nothing of it" \
		'^hlk-run: beside gdb: 1000 of 1000 calls answered, all as the first$'
fi

# Linux: to where the unpacked kernel begins, where breakpoints come out; else anywhere
if [ -f vmlinuz-686 ]; then
	{
		if [ -z "$stepped" ]; then
			# shellcheck disable=SC2016  # gdb's
			printf 'hbreak *0x1000000\ncontinue\n'
			# shellcheck disable=SC2016
			printf 'printf "begins at %%x\\n", $eip\ndelete\n'
		fi
		cat << 'END'
shell sh -c 'sleep 8; kill -INT $(pidof gdb)' &
continue
x/i $pc
monitor snapshot
set var $there = $eip
stepi
stepi
stepi
printf "went on: %d\n", $eip != $there
monitor restore
maintenance flush register-cache
printf "back: %d\n", $eip == $there
kill
END
	} | under_gdb "" boot vmlinuz-686 --append "console=ttyS0 nokaslr" --quiet
	if [ -z "$stepped" ]; then
		said "Linux, to a breakpoint of the processor" 1 '^begins at 1000000$'
	fi
	said "Linux is interrupted" 1 '^Program received signal SIGINT'
	said "where it is" 1 '^=> 0x[0-9a-f]*:'
	said "steps" 1 '^went on: 1$'
	said "and is restored" 1 '^back: 1$'
fi

hlk-run run server.elf --gdb 0 > $run 2>&1
[ $? = 1 ]
result $? "a port that is none"
: > /tmp/file
hlk-run run server.elf --gdb /tmp/file > $run 2>&1
[ $? = 1 ] && [ -f /tmp/file ]
result $? "a name that something else has is left alone"

echo "1..$nr"
exit $bad
