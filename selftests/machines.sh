#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Kernels that know nothing of hlk, under hlk-run boot: each is booted once, snapshot where
# it says that it is ready, and restored ROUNDS times, with an audit before every 50th round,
# and before every fifth one that is cut off anywhere. Then another process, which gets the
# snapshot's fd over a UNIX socket, does the same CLONE_ROUNDS times in a machine of its own. What the
# first round prints has to be right, and what all others print has to be that.
#
# MACHINES names some of them. Runs beside the guests; TAP. See vm/check-machines.sh.

rounds=${ROUNDS:-1000}
clone_rounds=${CLONE_ROUNDS:-$(((rounds + 9) / 10))}
limit=${ROUND_MS:-120000}
nr=0
bad=0
out=/tmp/machines.out
want=/tmp/machines.want

# boot WHAT HLK-RUN-OPTION...: lines of $want have to be in what is printed, in this order
boot() {
	what=$1
	shift
	nr=$((nr + 1))
	hlk-run boot --repeat "$rounds" --clones 1 --clone-rounds "$clone_rounds" \
		--audit 50 --cut-off 5 --timeout "$limit" --boot-timeout 1200000 "$@" > "$out" 2>&1
	code=$?
	tr -d '\r' < "$out" | grep -Fx -f "$want" > "$out.got"
	if [ "$code" = 0 ] && cmp -s "$want" "$out.got"; then
		sed -n 's/^\(boot\|snapshot pages\|rounds\|audits\|restore + run\) /#   &/p' "$out"
		echo "ok $nr $what: $rounds rounds, and $clone_rounds in another process"
		return
	fi
	echo "# exit code $code:"
	sed 's/^/# /' "$out" | tail -n 40
	echo "not ok $nr $what"
	bad=1
}

# Three processes with their own page tables, in ring 3, with a timer between them. Pages
# come when they are touched; the first and the second touch what they may not, and end.
processes() { # processes FIRST-LINE FAULT-OF-THE-SECOND
	# the sum of N numbers from 1 on, and of their multiples
	n=$((20 * 1024))
	sum=$((n * (n + 1) / 2))
	{
		printf 'process 0x0: sum 0x%x, 0x14 pages came, was interrupted, ' "$sum"
		echo 'ended by a fault at 0x100000, code 0x7'
		printf 'process 0x1: sum 0x%x, 0x14 pages came, was interrupted, ' $((2 * sum))
		echo "ended by a fault at $1"
		printf 'process 0x2: sum 0x%x, 0x14 pages came, was interrupted, ' $((3 * sum))
		echo 'code 0x0'
		echo 'three: done'
	} > "$want"
}

check_three() {
	processes '0x50040000, code 0x4'
	boot "three processes, no PAE, PIT" three.elf --snapshot-at 'print:three: ready'
	boot "the same, from anywhere in the middle" three.elf --snapshot-at after:20
}

check_pae() {
	processes '0x50000000, code 0x15'
	boot "three processes, PAE, local APIC" pae.elf --snapshot-at 'print:three: ready'
	# 4 GiB are below; the highest piece ends at 64 GiB, one of 20 GiB is at 32 GiB.
	pieces='--ram 0:16 --ram 0x800000000:20480'
	gib=4
	while [ $gib -le 63 ]; do
		[ $gib -ge 32 ] && [ $gib -lt 52 ] ||
			pieces="$pieces --ram $((gib << 30 | 1023 << 20)):1"
		gib=$((gib + 1))
	done
	# shellcheck disable=SC2086
	boot "the same, in pieces of memory up to 64 GiB" pae.elf $pieces \
		--snapshot-at 'print:three: ready'
}

check_nanvix() {
	{ echo "The first line"; head -c 20000 /bin/busybox; } > /tmp/initrd
	sum=$(od -An -v -tu1 /tmp/initrd | awk '{ for (i = 1; i <= NF; i++) sum += $i } END { printf "%08x", sum }')
	printf '%s\n' "The first line" "nanvix: sum $sum" "nanvix: done" > "$want"
	boot "Nanvix's microvm, off by port 0x604" nanvix.elf --protocol nanvix --initrd /tmp/initrd \
		--snapshot-at 'print:nanvix: ready'
	sed -i '1s/.*/halt/' /tmp/initrd
	sum=$(od -An -v -tu1 /tmp/initrd | awk '{ for (i = 1; i <= NF; i++) sum += $i } END { printf "%08x", sum }')
	printf '%s\n' "halt" "nanvix: sum $sum" "nanvix: done" > "$want"
	boot "Nanvix's microvm, halts for good" nanvix.elf --protocol nanvix --initrd /tmp/initrd \
		--snapshot-at 'print:nanvix: ready'
}

check_gnumach() {
	bootstrap='panic ../kern/bootstrap.c:181: bootstrap_create: No bootstrap code loaded with the kernel!'
	echo "$bootstrap" > "$want"
	boot "GNU Mach, at the end of its boot" gnumach --append console=com0 \
		--snapshot-at 'print:panic ' --until 'print:kernel!'
	printf '%s\n' 'scsi : 0 hosts.' 'scsi : detected total.' > "$want"
	all=$rounds all_clone=$clone_rounds
	# some seconds each
	rounds=$(((rounds + 99) / 100)) clone_rounds=1
	boot "GNU Mach, looking for disks" gnumach --append console=com0 \
		--snapshot-at 'print:probing scsi 0/16' --until 'print:com 2 out of range'
	rounds=$all clone_rounds=$all_clone
}

# Timers have to work, and no time may be gone: the kernel would say so.
linux() { # linux KERNEL HLK-RUN-OPTION...
	linux=$1
	shift
	printf '%s\n' "..........init: done" > "$want"
	boot "$linux, ready" "$@" --time-back --snapshot-at 'print:init: ready' --until 'print:init: done'
	boot "$linux, between two sleeps" "$@" --time-back --snapshot-at 'print:..' --until 'print:init: done'
}

check_686() {
	linux "Debian's 686 kernel" vmlinuz-686 --initrd initrd-686.gz --mem 64 \
		--append 'console=ttyS0 quiet'
}

check_cloud() {
	linux "Debian's amd64 cloud kernel" vmlinuz-cloud --initrd initrd-cloud.gz --mem 128 \
		--append 'console=ttyS0 quiet'
}

# Whoever adds a guest or a way to use one adds a function, and its name here.
echo "TAP version 13"
for guest in ${MACHINES:-nanvix three pae gnumach 686 cloud}; do
	case $guest in
	nanvix) check_nanvix ;;
	three) check_three ;;
	pae) check_pae ;;
	gnumach) check_gnumach ;;
	686) check_686 ;;
	cloud) check_cloud ;;
	*) echo "Bail out! there is no guest $guest"; exit 1 ;;
	esac
done
echo "1..$nr"
exit $bad
