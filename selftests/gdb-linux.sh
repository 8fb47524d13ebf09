#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# hlk-run boot --gdb of a 64-bit Linux with symbols and two processors, with the real gdb. Kernel
# and initrd lie beside it (see vm/symbols-kernel.sh and guests/linux/gdb.c). Runs as root; TAP.
# Where breakpoints do not come out of KVM what wants them is skipped. PARTS= is what runs, in
# which order.

# shellcheck source-path=SCRIPTDIR source=lib/gdb-talk.sh
. ./gdb-talk.sh

limit=${GDB_SECONDS:-1800}
append='console=ttyS0 quiet'
# struct new_utsname begins with two names of 65 bytes; the second one is the host's
name='(char *)&init_uts_ns + 65'

# linux APPEND OPTION...: under gdb
linux() {
	more=$1
	shift
	under_gdb vmlinux boot bzImage --cpus 2 --mem 64 --initrd gdb.cpio \
		--append "$append $more" "$@"
}

# It runs until it is ready, and is stopped somewhere behind that; the core is written then.
stopped_anywhere() {
	rm -f /tmp/ready.core
	linux '-- spin' --quiet --snapshot-at print:ready --core-at-snapshot /tmp/ready.core << END
shell sh -c 'until [ -s /tmp/ready.core ]; do sleep 0.1; done; sleep 1; kill -INT \$(pidof gdb)' &
continue
set scheduler-locking step
info threads
printf "it is %s", (char *)&linux_banner
thread 1
x/i \$pc
set var \$stands = \$rip
thread 2
x/i \$pc
set var \$before = \$rip
stepi
set var \$one = \$rip
stepi
stepi
printf "went on: %d\n", \$one != \$before || \$rip != \$one
thread 1
printf "stood: %d\n", \$rip == \$stands
monitor snapshot
stepi
stepi
monitor restore
maintenance flush register-cache
printf "back: %d\n", \$rip == \$stands
printf "the name is %s\n", $name
kill
END
	said "Linux of 64 bits is interrupted" 1 '^Thread [12] "processor [01]" received signal SIGINT'
	said "both processors are threads" 2 '^[* ] [12] +Thread [12] "processor [01]"'
	said "its variables have their names" 1 '^it is Linux version 6\.12'
	said "each is somewhere" 2 '^=> 0x'
	said "the second one steps" 1 '^went on: 1$'
	said "and the first one stands" 1 '^stood: 1$'
	said "a snapshot of gdb's, and back to it" 1 '^back: 1$'
	said "memory of the kernel's" 1 '^the name is \(none\)$'

	core /tmp/ready.core vmlinux -ex 'info threads' -ex "printf \"the name is %s\n\", $name"
	said "a core of the snapshot has both processors" 2 '^[* ] [12] +LWP [12] '
	said "where it was: at the last byte of what was printed" 2 ' in io_serial_out \('
	said "and its memory" 1 '^the name is \(none\)$'
	rm -f /tmp/ready.core
}

# Snapshot where the kernel says so, and on from there
panicked() {
	hlk-run boot bzImage --cpus 2 --mem 64 --initrd gdb.cpio --append "$append -- crash" \
		--quiet --snapshot-at 'print:Kernel panic' --core-at-snapshot /tmp/snap.core \
		--until 'print:end Kernel panic' --core /tmp/crash.core > "$run" 2>&1
	result $? "Linux panics"
	for file in /tmp/crash.core /tmp/snap.core; do
		core "$file" vmlinux -ex bt -ex "printf \"the name is %s\n\", $name"
		said "$file has the way to it" 1 '^#[0-9]+ .* in do_exit \('
		said "$file: panic" 1 '^#[0-9]+ .* in panic \('
		said "$file: from the program on" 1 '^#[0-9]+ .* in entry_SYSCALL_64[a-z_]* \('
		said "$file has what was there" 1 '^the name is \(none\)$'
	done
	rm -f /tmp/crash.core /tmp/snap.core
}

breakpoints() {
	if [ -n "$stepped" ]; then
		nr=$((nr + 1))
		echo "ok $nr # SKIP breakpoints do not come out of KVM here"
		return
	fi
	linux '' --quiet --snapshot-at print:ready --until 'print:answer 42' --repeat 2 \
		--beside "${BESIDE:-1000}" << END
set scheduler-locking step
hbreak start_kernel
continue
backtrace
delete
break __x64_sys_sethostname
break __x64_sys_setdomainname
continue
backtrace
info threads
printf "the name is %s\n", $name
watch *($name)
continue
info symbol \$pc
delete 4
continue
backtrace
set var \$before = \$rip
thread 1
set var \$stands = \$rip
thread 2
stepi
printf "went on: %d\n", \$rip != \$before
thread 1
printf "stood: %d\n", \$rip == \$stands
thread 2
finish
printf "the name was %s\n", $name
monitor restore
maintenance flush register-cache
printf "the name is again %s\n", $name
continue
continue
continue
printf "in the next round it is %s\n", $name
delete
continue
END
	said "from where Linux begins" 1 'hit Breakpoint 1, .*start_kernel \(\)'
	said "with the way to it" 1 '^#[0-9]+ .* in x86_64_start_kernel '
	said "a breakpoint on the first processor, in each round, and after a restore" 3 \
		'^Thread 1 "processor 0" hit Breakpoint 2, .*__x64_sys_sethostname '
	said "its system call" 2 '^#[0-9]+ .* in do_syscall_64 '
	said "the other processor beside it" 1 '^  2 +Thread 2 "processor 1"'
	said "nothing is named yet" 1 '^the name is \(none\)$'
	said "a variable of the kernel's is watched" 1 "^New value = 102 'f'"
	said "and who writes it" 1 '^__x64_sys_sethostname \+ '
	said "a breakpoint on the second one, and again after a restore" 2 \
		'^Thread 2 "processor 1" hit Breakpoint 3, '
	said "the second one steps" 1 '^went on: 1$'
	said "and the first one stands" 1 '^stood: 1$'
	said "to the end of a function" 1 '^(Run till exit .*)?0x[0-9a-f]+ in x64_sys_call '
	said "the name was there" 1 '^the name was first$'
	said "and not any more after a restore" 1 '^the name is again \(none\)$'
	said "nor in the next round" 1 '^in the next round it is \(none\)$'
	said "in the end" 1 'exited normally'
	ran "another machine of the snapshot saw nothing of it" \
		"^hlk-run: beside gdb: ${BESIDE:-1000} rounds, all as the first\$"
}

echo "TAP version 13"
for part in ${PARTS:-stopped_anywhere panicked breakpoints}; do
	case $part in
	stopped_anywhere) stopped_anywhere ;;
	panicked) panicked ;;
	breakpoints) breakpoints ;;
	*) echo "Bail out! there is no part $part"; exit 1 ;;
	esac
done
echo "1..$nr"
exit $bad
