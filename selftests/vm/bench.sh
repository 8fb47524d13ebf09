#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# bench.sh [OPTION...]: the benchmarks. Natively that of compaction, then for
# each of $KERNELS, in a VM, that of restore and call: time, instructions, two threads,
# and a Linux guest, Debian's 686 kernel. Options are passed on to `hlk-run bench`, such as
# --quick or --full.
#
# What comes out is printed, and is in build/bench: SERIES.txt, .json and .svg.
. "$(dirname "$0")/common.sh"

hlk_run=$BUILD/user/hlk-run/hlk-run
out=$BUILD/bench
mkdir -p "$out"
make -s -C "$TOP/user" all > "$out/build.log" 2>&1 || { cat "$out/build.log"; exit 1; }

if make -s -C "$TOP/selftests/user" -n bench > /dev/null 2>&1; then
	make -s -C "$TOP/selftests/user" bench | tee "$out/compact.txt"
fi

# in_vm SERIES NAME "HLK-RUN-OPTIONS" RUN.SH-OPTION...: files come out of the VM
# by its output, each line of them behind a mark.
in_vm() {
	local series=$1 name=$2 options=$3 log="$out/$1-$2.log"
	shift 3
	"$VM_DIR/run.sh" "$series" --data "$hlk_run" --data "$BUILD/user/guest/server.elf" --cpu max,-erms,-fsrm \
		--mem 2048 --limit 7200 "$@" --shell "
		hlk-run bench --emulated --guest server.elf $options --json /tmp/json \
			> /tmp/table 2> /tmp/err
		rc=\$?
		for file in err table json svg; do
			[ -f /tmp/\$file ] && sed \"s/^/\$file: /\" /tmp/\$file
		done
		exit \$rc" > "$log" 2>&1 || { cat "$log" >&2; return 1; }
	tr -d '\r' < "$log" > "$log.clean"
	mv "$log.clean" "$log"
	sed -n 's/^table: //p' "$log" > "$out/$series$name.txt"
	sed -n 's/^json: //p' "$log" > "$out/$series$name.json"
	sed -n 's/^svg: //p' "$log" > "$out/$series$name.svg"
	[ -s "$out/$series$name.svg" ] || rm -f "$out/$series$name.svg"
	sed -n 's/^err: hlk-run: /hlk-run: /p' "$log" >&2
	cat "$out/$series$name.txt"
}

kernel=$("$VM_DIR/linux-guest.sh")
cp "$kernel" "$out/vmlinuz-686"
"$VM_DIR/initrd.sh" linux-call "$out/initrd.gz"
guest=(--data "$out/vmlinuz-686" --data "$out/initrd.gz" --timeout 1800)
linux="--kernel vmlinuz-686 --initrd initrd.gz --append quiet"

failed=0
for series in $KERNELS; do
	echo
	echo "== Linux $series: time"
	in_vm "$series" '' "--svg /tmp/svg $*" || failed=1
	echo
	echo "== Linux $series: instructions"
	in_vm "$series" -counts "--perf-counts --budget 100 --svg /tmp/svg $*" --smp 1 \
		--qemu '-icount shift=0,sleep=off' || failed=1
	echo
	echo "== Linux $series: a Linux guest, time"
	in_vm "$series" -linux "$linux $*" "${guest[@]}" || failed=1
	echo
	echo "== Linux $series: a Linux guest, instructions"
	in_vm "$series" -linux-counts "$linux --perf-counts --budget 100 $*" "${guest[@]}" \
		--smp 1 --qemu '-icount shift=0,sleep=off' || failed=1
	echo
	echo "== Linux $series: two threads on two CPUs"
	QEMU=${QEMU:-10} in_vm "$series" -threads --two-threads --thread multi || failed=1
done
say "tables, JSON and charts: $out"
exit $failed
