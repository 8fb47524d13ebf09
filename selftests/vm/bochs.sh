#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Bochs in QEMU's place, for VMX and EPT, which QEMU does not emulate.
#
#   bochs.sh module SERIES                  fetch kvm-intel.ko; print its path
#   bochs.sh boot LOG LIMIT MIB VMLINUZ INITRD APPEND
#                                           boot; ends when the VM does, or after
#                                           LIMIT seconds
#
# The VM's four serial ports are the files console.log, output.log, verdict.log
# and gcov in LOG. Its time is counted in instructions, IPS= of them a second,
# whatever they take on the host: what limits a test in time limits its work.
. "$(dirname "$0")/common.sh"

ips=${IPS:-100000000}

module() { # module SERIES
	local series=$1 kernel release dir apt suite deb
	kernel=$("$VM_DIR/kernel.sh" "$series")
	if [ -f "$kernel/modules/kvm-intel.ko" ]; then
		echo "$kernel/modules/kvm-intel.ko"
		return
	fi
	release=$(cat "$kernel/release")
	dir=$CACHE/vmx/$release
	mkdir -p "$dir"
	exec 9> "$dir/lock"
	flock 9
	if [ ! -f "$dir/kvm-intel.ko" ]; then
		case $series in
		6.1)	suite=host ;;
		6.12)	suite=bookworm-backports ;;
		*)	die "no kvm-intel.ko for kernel $series; there are 6.1 and 6.12" ;;
		esac
		apt=$CACHE/apt/$suite
		mkdir -p "$dir/new" "$apt/archives"
		private_apt "$apt" "$suite" apt-get update > /dev/null
		(cd "$dir/new" &&
		 private_apt "$apt" "$suite" apt-get download "linux-image-$release" > /dev/null) ||
			die "no kvm-intel.ko of $release any more: make update-kernels"
		deb=$(find "$dir/new" -name '*.deb' | head -n 1)
		dpkg --fsys-tarfile "$deb" |
			tar -x -O --wildcards '*/arch/x86/kvm/kvm-intel.ko*' > "$dir/new/file"
		if ! xz -dc "$dir/new/file" > "$dir/new/kvm-intel.ko" 2> /dev/null; then
			mv "$dir/new/file" "$dir/new/kvm-intel.ko"
		fi
		strip --strip-debug "$dir/new/kvm-intel.ko"
		mv "$dir/new/kvm-intel.ko" "$dir/"
		rm -rf "$dir/new"
	fi
	echo "$dir/kvm-intel.ko"
}

boot() { # boot LOG LIMIT MIB VMLINUZ INITRD APPEND
	local log=$1 limit=$2 mem=$3 vmlinuz=$4 initrd=$5 append=$6 iso com=0 name
	iso=$(mktemp -d)
	# shellcheck disable=SC2064
	trap "rm -rf '$iso' '$iso.iso'" EXIT
	cp /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32 "$iso/"
	cp "$vmlinuz" "$iso/vmlinuz"
	cp "$initrd" "$iso/initrd"
	# tsc_early_khz: Bochs counts one cycle for each instruction.
	printf 'default vm\nlabel vm\nkernel vmlinuz\ninitrd initrd\nappend %s\n' \
		"console=ttyS0,115200 panic=-1 reboot=t loglevel=6 tsc_early_khz=$((ips / 1000)) tsc=reliable $append" \
		> "$iso/isolinux.cfg"
	genisoimage -quiet -o "$iso.iso" -b isolinux.bin -c boot.cat -no-emul-boot \
		-boot-load-size 4 -boot-info-table "$iso" 2> "$log/iso.log"

	# reboot=t ends in a triple fault, and that ends Bochs.
	cat > "$log/bochsrc" <<-END
		config_interface: textconfig
		display_library: term
		romimage: file=/usr/share/bochs/BIOS-bochs-latest
		vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
		cpu: model=corei7_haswell_4770, count=1, ips=$ips, reset_on_triple_fault=0
		clock: sync=none
		megs: $mem
		ata0-master: type=cdrom, path=$iso.iso, status=inserted
		boot: cdrom
		sound: driver=dummy
		speaker: enabled=0
		log: $log/bochs.log
		panic: action=fatal
		error: action=report
		info: action=ignore
		debug: action=ignore
	END
	for name in console.log output.log verdict.log gcov; do
		com=$((com + 1))
		: > "$log/$name"
		echo "com$com: enabled=1, mode=file, dev=$log/$name" >> "$log/bochsrc"
	done
	# Debian's build starts in its debugger and stops there again at the end.
	printf 'c\nq\n' > "$log/bochs.cmd"
	# Its display is a terminal, which it makes itself; the VM stands still when
	# nobody reads there. The reader ends with it.
	: > "$log/screen.log"
	(
		until screen=$(grep -ao -m 1 'screen "/dev/pts/[0-9]*' "$log/screen.log"); do
			sleep 1
		done
		stty -F "${screen#*\"}" raw -echo
		exec cat "${screen#*\"}"
	) > "$log/display.log" 2>&1 &
	# It wants to be started from one, too. In a session of its own and deaf to
	# SIGTERM it would outlive a timeout from outside.
	TERM=linux script -qfc "timeout --foreground -s KILL $limit \
		bochs -q -f '$log/bochsrc' -rc '$log/bochs.cmd'" /dev/null \
		< /dev/null > "$log/screen.log" 2>&1 || :
	kill $! 2> /dev/null || :
}

case ${1:-} in
module)	module "${2:?usage: bochs.sh module SERIES}" ;;
boot)	shift; boot "$@" ;;
*)	die "usage: bochs.sh module|boot ..." ;;
esac
