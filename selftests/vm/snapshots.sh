#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# snapshots.sh [BENCH...]: what many snapshots and many sandboxes cost, on each of $KERNELS:
#
#   tree     to go from a snapshot to a sibling (tree-bench), in instructions; and how much
#            memory and disk a tree takes
#   pause    to make a snapshot (pause-bench), in instructions
#   clones   a thousand sandboxes of one snapshot (clones-bench); CLONES= for fewer, and
#            CLONES_MEM= for a smaller VM than one of 4 GiB
#   load     to load a snapshot of LOADS MiB, and to call its guest (load-bench), in
#            instructions
#
# What comes out is printed, and is in build/bench: SERIES-BENCH.txt and .json.
. "$(dirname "$0")/common.sh"

out=$BUILD/bench
mkdir -p "$out"
make -s -C "$TOP/selftests" "$BUILD"/selftests/{tree,pause,clones,load}-bench > /dev/null

# in_vm SERIES BENCH RUN.SH-OPTION... -- OPTION...
in_vm() {
	local series=$1 name=$2 options=() log="$out/$1-$2.log"
	shift 2
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	"$VM_DIR/run.sh" "$series" --timeout 1800 --total 3600 "${options[@]}" \
		--data "$BUILD/selftests/$name-bench" --shell "
		$name-bench --json /tmp/json $* > /tmp/table
		rc=\$?
		sed 's/^/table: /' /tmp/table
		sed 's/^/json: /' /tmp/json
		exit \$rc" > "$log" 2>&1 || failed=1
	tr -d '\r' < "$log" | sed -n 's/^table: //p' | tee "$out/$series-$name.txt"
	tr -d '\r' < "$log" | sed -n 's/^json: //p' > "$out/$series-$name.json"
	[ -s "$out/$series-$name.txt" ] || cat "$log" >&2
}

counted=(--cpu 'max,-erms,-fsrm' --mem 2300 --smp 1 --qemu '-icount shift=0,sleep=off')
failed=0
[ $# -gt 0 ] || set -- tree pause clones load
for series in $KERNELS; do
	for name in "$@"; do
		echo "== Linux $series: $name"
		case $name in
		clones)
			in_vm "$series" clones --mem "${CLONES_MEM:-4096}" -- \
				--clones "${CLONES:-1000}"
			;;
		tree)
			in_vm "$series" tree "${counted[@]}" --disk 1280 -- --disk /disk
			;;
		pause)
			in_vm "$series" pause "${counted[@]}" --
			;;
		load)
			in_vm "$series" load "${counted[@]}" --disk 2560 -- /disk "${LOADS:-}"
			;;
		*)
			die "there is no $name"
			;;
		esac
	done
done
exit $failed
