#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# check-long.sh: what takes hours. The fuzzer on the debug kernel, for FUZZ_SECONDS
# (default 7200, 0 leaves it out), and half as long on each of FUZZ_KERNELS (default
# 6.12 and 7.3) as users have them (where the host has much else to do, an emulated CPU
# may stand still for a minute: a soft lockup is one of two there), and then
# the soak on Linux SOAK_KERNEL (default 6.12): RESTORES (default a million, 0 leaves it
# out) restores of random guests, a sample of them audited. Under emulation a million
# take about half an hour. Before it gone-bench, if GONE is not 0: a table of how long
# calls take to be killed, on 6.12, and one of how long they hold locks, on the debug
# kernel; also in build/gone, with a line of JSON for each. A few run in one VM, so that
# what is cut off loses no others. The VM's clock counts instructions there, 2.6 million
# a millisecond, so that the load of the host does not matter. Nothing fails for being
# slow. Then the model of windows and restores, MODEL_OPS operations (default 100
# million, 0 leaves it out), natively, and at the end calls in time by THREADS (default
# 10,000, 0 leaves it out) threads in a small PID namespace, and CALLS (default 10,000,
# 0 leaves it out) calls of a pool, each after one that uses up its budget, and KEPT
# (default a million, 0 leaves it out) calls whose restores leave registers out.
# Tables of 64-bit entries: PT_GUESTS (default 2,000, 0 leaves it out) random ones of each
# format, natively and on each of PT_KERNELS (default 6.12, 6.1 and 7.3), and libFuzzer for
# PT_SECONDS (default 1,200, 0 leaves it out) on each format.
# FUZZ_SAVED (default 5 million, 0 leaves it out) executions of libFuzzer on what reads saved
# snapshots, natively.
# SEED= starts both from a seed of its own. The last line is
# `N passed, N failed, N skipped`.
. "$(dirname "$0")/common.sh"

FUZZ_SECONDS=${FUZZ_SECONDS:-7200}
FUZZ_KERNELS=${FUZZ_KERNELS-6.12 7.3}
RESTORES=${RESTORES:-1000000}
SOAK_KERNEL=${SOAK_KERNEL:-6.12}
GONE=${GONE:-1}
MODEL_OPS=${MODEL_OPS:-100000000}
THREADS=${THREADS:-10000}
CALLS=${CALLS:-10000}
KEPT=${KEPT:-1000000}
PT_GUESTS=${PT_GUESTS:-2000}
PT_KERNELS=${PT_KERNELS-6.12 6.1 7.3}
PT_SECONDS=${PT_SECONDS:-1200}
GDB=${GDB:-1000000}
FUZZ_SAVED=${FUZZ_SAVED:-5000000}
export SEED=${SEED:-$SRANDOM}
passed=0 failed=0 skipped=0

count() { # count LOG: add what its last line says
	local p f s
	read -r p _ f _ s _ <<< "$(tail -n 1 "$1")"
	# without that line it did not come to its end
	if [[ $p$f$s =~ ^[0-9]+$ ]]; then
		passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	else
		failed=$((failed + 1))
	fi
}

# gone SERIES [OPTION]: the table of gone-bench, in parts, and build/gone/SERIES.json
gone() {
	local series=$1 options=${2:-} log cases i
	mkdir -p "$BUILD/gone"
	rm -f "$BUILD/gone/$series"[-.]*
	echo "# gone-bench${options:+ $options}, Linux $series"
	mapfile -t cases < <("$BUILD/selftests/gone-bench" --list)
	for ((i = 0; i < ${#cases[@]}; i += 5)); do
		log=$BUILD/gone/$series-$i.log
		if "$VM_DIR/run.sh" "$series" --mem 2048 --limit 3600 --log "$BUILD/$series/gone" \
			--qemu '-icount shift=0,sleep=off' \
			--data "$BUILD/selftests/gone-bench" --shell "
			gone-bench --runs 1 $options --json /tmp/json ${cases[*]:i:5}
			rc=\$?
			sed 's/^/json: /' /tmp/json
			exit \$rc" 2>&1 | tr -d '\r' > "$log"; then
			passed=$((passed + 1))
		else
			failed=$((failed + 1))
		fi
		sed -n 's/^json: //p' "$log" >> "$BUILD/gone/$series.json"
		grep -v '^json: ' "$log" || :
	done
}

"$VM_DIR/setup.sh"
record check-long FUZZ_SECONDS FUZZ_KERNELS GONE RESTORES SOAK_KERNEL MODEL_OPS THREADS KEPT PT_GUESTS \
	PT_KERNELS PT_SECONDS FUZZ_SAVED
mkdir -p "$BUILD"
build_user || exit 1
if [ "$FUZZ_SECONDS" != 0 ]; then
	FUZZ_SECONDS=$FUZZ_SECONDS "$VM_DIR/check-debug.sh" --long 2>&1 |
		tee "$BUILD/check-long-fuzz.log" || :
	count "$BUILD/check-long-fuzz.log"
fi
half=$((FUZZ_SECONDS / 2))
read -ra plain <<< "$FUZZ_KERNELS"
for kernel in "${plain[@]}"; do
	[ "$half" != 0 ] || continue
	"$VM_DIR/run.sh" "$kernel" --append watchdog_thresh=60 \
		--timeout 900 --total $((900 + half)) \
		--limit $((1800 + half)) --log "$BUILD/$kernel/fuzz" \
		--env "FUZZ_SECONDS=$half" --env "SEED=$SEED" \
		-- "$BUILD/selftests/fuzz" 2>&1 |
		tee "$BUILD/check-long-fuzz-$kernel.log" || :
	count "$BUILD/check-long-fuzz-$kernel.log"
done
if [ "$GONE" != 0 ]; then
	gone 6.12
	gone debug --holds
fi
if [ "$RESTORES" != 0 ]; then
	# a second for 50 restores is far more than it takes
	limit=$((600 + RESTORES / 50))
	"$VM_DIR/run.sh" "$SOAK_KERNEL" --smp 1 --timeout 1800 --total "$limit" --limit $((limit + 300)) \
		--log "$BUILD/$SOAK_KERNEL/soak" --env "RESTORES=$RESTORES" \
		--env "SEED=$SEED" -- "$BUILD/selftests/soak" 2>&1 |
		tee "$BUILD/check-long-soak.log" || :
	count "$BUILD/check-long-soak.log"
fi
if [ "$GDB" != 0 ]; then
	if make -s -C "$TOP/user" "$BUILD/user/fuzz-gdb" &&
			"$BUILD/user/fuzz-gdb" "-runs=$GDB" -max_len=4096 > "$BUILD/check-long-gdb.log" 2>&1; then
		passed=$((passed + 1))
	else
		tail -n 40 "$BUILD/check-long-gdb.log"
		failed=$((failed + 1))
	fi
fi
if [ "$MODEL_OPS" != 0 ]; then
	if make -s -C "$TOP/selftests/user" model "OPS=$MODEL_OPS" 2>&1 |
			tee "$BUILD/check-long-model.log"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
	fi
fi
good() { # good LOG COMMAND...: one more that passed or failed
	local log=$BUILD/$1
	shift
	if "$@" 2>&1 | tee "$log"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
	fi
}
if [ "$PT_GUESTS" != 0 ]; then
	good check-long-pt.log env "PT_GUESTS=$PT_GUESTS" "PT_SEED=$((SEED + 1))" \
		make -s -C "$TOP/selftests/user" pt
	for kernel in $PT_KERNELS; do
		"$VM_DIR/run.sh" "$kernel" --timeout 3600 --total 14400 --limit 14700 \
			--log "$BUILD/$kernel/formats" --env "PT_GUESTS=$PT_GUESTS" \
			--env "SEED=$SEED" -- "$BUILD/selftests/formats" 2>&1 |
			tee "$BUILD/check-long-formats-$kernel.log" || :
		count "$BUILD/check-long-formats-$kernel.log"
	done
fi
if [ "$PT_SECONDS" != 0 ]; then
	for format in 0 1 2; do
		good "check-long-fuzz-pt-$format.log" make -s -C "$TOP/selftests/user" fuzz-pt \
			"PT_FORMAT=$format" "FUZZ_SECONDS=$PT_SECONDS"
	done
fi
if [ "$THREADS" != 0 ]; then
	"$VM_DIR/run.sh" "$SOAK_KERNEL" --total 3600 --log "$BUILD/$SOAK_KERNEL/timeouts" \
		--data "$BUILD/user/tests/guest.elf" --env "THREADS=$THREADS" \
		--env "SEED=$SEED" -- "$BUILD/selftests/timeouts" 2>&1 |
		tee "$BUILD/check-long-timeouts.log" || :
	count "$BUILD/check-long-timeouts.log"
fi
if [ "$CALLS" != 0 ]; then
	"$VM_DIR/run.sh" "$SOAK_KERNEL" --total 7200 --limit 7500 \
		--log "$BUILD/$SOAK_KERNEL/calls" --env "HLK_CALLS=$CALLS" \
		--data "$BUILD/user/tests/guest.elf" -- "$BUILD/user/tests/libhlk-calls" 2>&1 |
		tee "$BUILD/check-long-calls.log" || :
	count "$BUILD/check-long-calls.log"
fi
if [ "$KEPT" != 0 ]; then
	"$VM_DIR/run.sh" "$SOAK_KERNEL" --timeout 7200 --total 14400 --limit 14700 \
		--log "$BUILD/$SOAK_KERNEL/kept" --env "KEPT_TURNS=$KEPT" --env "SEED=$SEED" \
		-- "$BUILD/selftests/kept" 2>&1 | tee "$BUILD/check-long-kept.log" || :
	count "$BUILD/check-long-kept.log"
fi
if [ "$FUZZ_SAVED" != 0 ]; then
	if make -s -C "$TOP/user" "$BUILD/user/fuzz-saved" &&
			"$BUILD/user/fuzz-saved" "-runs=$FUZZ_SAVED" "-seed=$((SEED & 0xffffffff))" \
			-max_len=3000 -artifact_prefix="$BUILD/" -print_final_stats=1 2>&1 |
			tail -n 20; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
	fi
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
