#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# check-debug.sh [--long | --short]: all kselftests on a kernel that catches our mistakes:
# KASAN, UBSAN, lockdep, sleep in atomic context, page-table check, list and
# object debugging, two CPUs side by side, and kmemleak at the end. With them
# those that inject failures and the fuzzer. Any report of the kernel is a
# failure.
#
# --long runs the fuzzer alone, for FUZZ_SECONDS (default two hours). SEED= starts
# it from a seed of its own. --short leaves out those that take minutes each: they go
# over every page or every way again, or test user space more than the module. The
# last line is `N passed, N failed, N skipped`.
. "$(dirname "$0")/common.sh"

long='' leave_out=''
case ${1:-} in
--long) long=1 ;;
--short)
	leave_out='bench.sh translate touch layers'
	leave_out+=' kept examples fused libhlk-calls libhlk-files libhlk-machines libhlk-queue libhlk-sandboxes serve.sh cli.sh'
	;;
esac
FUZZ_SECONDS=${FUZZ_SECONDS:-${long:+7200}}
FUZZ_SECONDS=${FUZZ_SECONDS:-60}
[ -z "$long" ] || SEED=${SEED:-$SRANDOM}

"$VM_DIR/setup.sh"
record check-debug FUZZ_SECONDS
log=$BUILD/debug/check${long:+-long}
mkdir -p "$log"
build_user || exit 1

programs=() data=()
if [ -n "$long" ]; then
	programs=("$BUILD/selftests/fuzz")
else
	while read -r file; do
		[[ " $leave_out " == *" ${file##*/} "* ]] || programs+=("$file")
	done < <(make -s -C "$TOP/selftests" list list-debug)
	while read -r file; do
		data+=(--data "$file")
	done < <(make -s -C "$TOP/selftests" data)
fi

rc=0
"$VM_DIR/run.sh" debug --thread multi --mem 2048 --log "$log" \
	--timeout $((900 + FUZZ_SECONDS)) --limit $((5400 + 2 * FUZZ_SECONDS)) \
	--append kasan_multi_shot --env "FUZZ_SECONDS=$FUZZ_SECONDS" \
	${SEED:+--env "SEED=$SEED"} "${data[@]}" -- "${programs[@]}" \
	2>&1 | tee "$log/tap.log" || rc=$?

# What was reached, before the line that counts
awk 'match($0, /[0-9]+ faults injected/) { faults += substr($0, RSTART); calls++ }
     / PCs reached/ { sub(/^# */, ""); fuzz = $0 }
     END {
	if (calls)
		print "debug kernel: " faults " faults injected in " calls " calls"
	if (fuzz)
		print "debug kernel: " fuzz
     }' "$log/tap.log"
tail -n 1 "$log/tap.log"
exit $rc
