#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# run.sh SERIES [OPTION...] -- PROGRAM...: run test programs in a throw-away VM.
#
#   --shell 'COMMAND'   run a shell command there instead of programs
#   --data FILE         put a file beside the programs, in /data; repeatable
#   --module HLK.KO     instead of the one that build.sh makes
#   --smp N, --mem MIB  default 2 and 1024
#   --timeout S         that a program may print nothing; default 300
#   --total S           for each program, whatever it prints; default 1800, or twice --timeout
#   --limit S           for the whole VM; default 3600
#   --log FOLDER        where console.log, output.log go; default build/SERIES/log.PID
#   --thread multi      emulate CPUs side by side. Faster with several, but QEMU 7.2
#                       then now and then crashes a kernel that patches its own
#                       code (static keys) while another CPU runs it; QEMU=10 does
#                       not, see qemu.sh
#   --kvm ARGUMENT      for the module kvm-amd or kvm-intel
#   --emulator bochs    with VMX instead of SVM, and one CPU; slow. See bochs.sh
#   --cpu MODEL         default max
#   --disk MIB          with an ext4 in it, mounted at /disk; 0 for none
#   --disk-file FILE    which is this file, made if it is not there, and stays: what one VM
#                       leaves there another finds. Wants --disk, and QEMU
#   --with MODULE       another of the kernel's; repeatable. See modules.sh for
#                       which are kept. What is part of the kernel is no error
#   --icount N          QEMU's clock counts instructions, 2^N ns each, and does not wait
#                       while the VM is idle; with --smp 1. No interrupt gets lost then;
#                       see Documentation/testing.rst
#   --qemu ARGS         more for QEMU
#   --append ARGS       more for the kernel's command line
#   --env NAME=VALUE    for the programs; repeatable
#   --gcov FILE         where what the kernel counted of itself goes, as tar.gz
#
# What programs always ask for of these, `make -C selftests wants` says.
#
# What the programs print appears as it comes. The exit code is 0 only if the
# VM came to its end with a clean verdict and all programs passed. The last
# line is `N passed, N failed, N skipped`, not with --shell; before it, what each
# took. Seconds of programs are of the VM's clock, which is the host's in QEMU.
. "$(dirname "$0")/common.sh"

series=${1:?usage: run.sh SERIES [OPTION...] -- PROGRAM...}
shift
smp=2 mem=1024 timeout=300 total='' limit=3600 log='' append='' thread=single shell='' module='' kvm='' cpu=max emulator=qemu icount='' disk_file=''
data=() env=() qemu=() gcov=/dev/null disk='' with=()
while [ $# -gt 0 ]; do
	case $1 in
	--shell) shell=$2 ;;
	--data) data+=("$2") ;;
	--module) module=$2 ;;
	--smp) smp=$2 ;;
	--mem) mem=$2 ;;
	--timeout) timeout=$2 ;;
	--total) total=$2 ;;
	--limit) limit=$2 ;;
	--log) log=$2 ;;
	--append) append=$2 ;;
	--kvm) kvm=$2 ;;
	--env) env+=("$2") ;;
	--gcov) gcov=$2 ;;
	--thread) thread=$2 ;;
	--cpu) cpu=$2 ;;
	--emulator) emulator=$2 ;;
	--disk) disk=$2 ;;
	--disk-file) disk_file=$2 ;;
	--icount) icount=$2 ;;
	--with) with+=("$2") ;;
	--qemu) read -ra qemu <<< "$2" ;;
	--) shift; break ;;
	*) die "unknown option $1" ;;
	esac
	shift 2
done
case $emulator in
qemu|bochs) ;;
*) die "no emulator $emulator; there are qemu and bochs" ;;
esac

while read -r program option value; do
	[[ " ${*##*/} " = *" $program "* ]] || continue
	case $option in
	--disk) disk=${disk:-$value} ;;
	--with) with+=("$value") ;;
	--append) append+=" ${value/:/=}" ;;
	esac
done < <(make -s -C "$TOP/selftests" wants)
[ "$emulator" = qemu ] || disk=0
disk=${disk:-0}
[ -z "$disk_file" ] || [ "$disk" != 0 ] || die "--disk-file $disk_file: there is no disk"

total=${total:-$((timeout > 900 ? 2 * timeout : 1800))}
log=${log:-$BUILD/$series/log.$$}
mkdir -p "$log"
rm -f "$log"/{console,output,verdict}.log
[ "$emulator" = bochs ] || command=$("$VM_DIR/qemu.sh")
kernel=$("$VM_DIR/kernel.sh" "$series")
[ -n "$module" ] || module=$("$VM_DIR/build.sh" "$series" 2> "$log/build.log") ||
	{ cat "$log/build.log" >&2; die "the module does not build"; }

root=$(mktemp -d)
trap 'rm -rf "$root" "$root.gz" "$root.ext4" "$root.ext4.new"' EXIT
chmod 755 "$root"
mkdir -p "$root"/{bin,data,dev,modules,proc,sys,tmp}
cp /bin/busybox "$root/bin/"
cp "$kernel"/modules/*.ko "$root/modules/"
cp "$module" "$root/modules/hlk.ko"
if [ "$emulator" = bochs ]; then
	intel=$("$VM_DIR/bochs.sh" module "$series")
	rm -f "$root"/modules/{ccp,kvm-amd}.ko
	cp "$intel" "$root/modules/"
else
	rm -f "$root/modules/kvm-intel.ko"
fi
if [ "$disk" != 0 ]; then
	with+=(virtio_pci virtio_blk crc32c_generic ext4)
	disk_file=${disk_file:-$root.ext4}
	# Verity wants blocks of a page; what is not lazy does not disturb the tests.
	# One that is half made is not there.
	if [ ! -e "$disk_file" ]; then
		rm -f "$disk_file.new"
		PATH=$PATH:/sbin mkfs.ext4 -q -b 4096 -O verity -E lazy_itable_init=0 \
			"$disk_file.new" "${disk}M" > /dev/null
		mv "$disk_file.new" "$disk_file"
	fi
	qemu+=(-drive "file=$disk_file,format=raw,if=none,id=disk,cache=unsafe"
	       -device "virtio-blk-pci,drive=disk")
fi
for name in "${with[@]}"; do
	[ -f "$kernel/more/$name.needs" ] || die "no module $name; see modules.sh"
	while read -r needed; do
		cp "$kernel/more/$needed.ko" "$root/modules/"
		echo "$needed"
	done < "$kernel/more/$name.needs"
done > "$root/modules/with"
cp "$VM_DIR/init" "$VM_DIR/splats" "$root/"
for helper in hold-vm printed; do
	gcc -O2 -static -o "$root/data/$helper" "$VM_DIR/$helper.c"
done
for file in "$@" "${data[@]}"; do
	cp "$file" "$root/data/"
	# Programs bring their libraries, 32-bit ones too.
	ldd "$file" 2> /dev/null | grep -o '/[^ ]*' | while read -r lib; do
		mkdir -p "$root$(dirname "$lib")"
		cp -nL "$lib" "$root$lib"
		# the tree may be where the VM has another /tmp; programs look beside themselves
		[[ $lib != "$TOP"/* ]] || cp -nL "$lib" "$root/data/"
	done || :
done
for program in "$@"; do
	basename "$program"
done > "$root/run.list"
[ -z "$shell" ] || printf '%s\n' "$shell" > "$root/run.sh"
printf 'TIMEOUT=%s\nTOTAL=%s\nKVM_ARGS=%s\nDISK=%s\n' "$timeout" "$total" "$kvm" \
	"$disk" > "$root/run.env"
for setting in "${env[@]}"; do
	printf 'export %s=%q\n' "${setting%%=*}" "${setting#*=}" >> "$root/run.env"
done
(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) > "$root.gz"

# A CPU with SVM and nested paging; a clock that need not be calibrated, for
# without one KVM_RUN may hang on a busy host.
in_qemu() {
	# QEMU 10 says of "max" that it is of AMD's family 6: on that the kernel copies by
	# other means. These are 7.2's.
	cpu=${cpu/#max/max,family=15,model=107,stepping=1}
	# There QEMU's method that routes interrupts of PCI takes half a minute, and is aborted.
	[ "$series" != debug ] || append="pci=noacpi $append"
	[ -z "$icount" ] || qemu+=(-icount "shift=$icount,sleep=off")
	timeout --foreground -k 10 "$limit" "$command" -accel "tcg,thread=$thread" -cpu "$cpu" "${qemu[@]}" \
		-smp "$smp,sockets=$smp,cores=1,threads=1" -m "$mem" \
		-display none -no-reboot -nodefaults \
		-chardev "file,id=console,path=$log/console.log" -serial chardev:console \
		-chardev stdio,id=out,signal=off -serial chardev:out \
		-chardev "file,id=verdict,path=$log/verdict.log" -serial chardev:verdict \
		-chardev "file,id=gcov,path=$gcov" -serial chardev:gcov \
		-kernel "$kernel/vmlinuz" -initrd "$root.gz" \
		-append "console=ttyS0 panic=-1 loglevel=6 tsc_early_khz=2600000 tsc=reliable $append" \
		< /dev/null | tee "$log/output.log"
}

# Its serial ports are files: what appears there is followed.
in_bochs() {
	: > "$log/output.log"
	"$VM_DIR/bochs.sh" boot "$log" "$limit" "$mem" "$kernel/vmlinuz" "$root.gz" \
		"$append" &
	tail -s 5 -n +1 -f --pid=$! "$log/output.log"
}

[ -n "$shell" ] || echo "# kernel $series ($(cat "$kernel/release")), $emulator"
"in_$emulator" | grep --line-buffered -av '^#@ ' || :

problem=''
if ! grep -qs '^verdict ' "$log/verdict.log"; then
	problem="the VM did not come to its end"
elif ! grep -q '^verdict 0' "$log/verdict.log"; then
	problem="verdict: $(cat "$log/verdict.log")"
fi
# Two stacks are no fault; selftests/lib/call.c says which.
splat=$(sed -E '/invoked oom-killer|FAULT_FLAG_ALLOW_RETRY missing/,/<.TASK>/s/Call Trace://' "$log/console.log" |
	grep -anE -m 1 -f "$VM_DIR/splats" || :)
if [ -n "$splat" ]; then
	problem="the kernel complained: $log/console.log:$splat"
fi
if [ -n "$shell" ]; then
	[ -z "$problem" ] || { say "$problem (logs in $log)"; exit 1; }
	exit 0
fi

# Count the TAP. A program without its plan, or that ends badly with no test
# failed, is a failure of its own.
counts=$(tr -d '\r' < "$log/output.log" | awk -f "$VM_DIR/tap.awk")
echo "$counts" | sed '$d'
read -r passed failed skipped <<< "$(echo "$counts" | tail -n 1)"
[ -z "$problem" ] || { echo "not ok - kernel $series: $problem"; failed=$((failed + 1)); }
begun=$(grep -ac '#@ begin ' "$log/output.log" || :)
[ "$begun" -ge $# ] || { echo "not ok - never begun: ${*:begun + 1}"; failed=$((failed + $# - begun)); }
[ "$failed" -eq 0 ] || say "logs: $log/output.log $log/console.log"
echo "# seconds: $(tr -d '\r' < "$log/output.log" | awk -f "$VM_DIR/seconds.awk" |
	sort -rn | awk '{ printf "%s%s %s", sep, $2, $1; sep = ", " }')"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
