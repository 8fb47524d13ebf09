#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# check-long.sh: what takes hours. The fuzzer on the debug kernel, for FUZZ_SECONDS
# (default 7200, 0 leaves it out), and then the soak on Linux SOAK_KERNEL (default
# 6.12): RESTORES (default a million, 0 leaves it out) restores of random guests, a
# sample of them audited. Under emulation a million take about half an hour.
# SEED= starts both from a seed of its own. The last line is
# `N passed, N failed, N skipped`.
. "$(dirname "$0")/common.sh"

seconds=${FUZZ_SECONDS:-7200}
restores=${RESTORES:-1000000}
series=${SOAK_KERNEL:-6.12}
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

"$VM_DIR/setup.sh"
mkdir -p "$BUILD"
make -C "$TOP" user > "$BUILD/user.log" 2>&1 || {
	cat "$BUILD/user.log"
	echo "not ok - user space does not build"
	echo "0 passed, 1 failed, 0 skipped"
	exit 1
}
if [ "$seconds" != 0 ]; then
	FUZZ_SECONDS=$seconds "$VM_DIR/check-debug.sh" --long 2>&1 |
		tee "$BUILD/check-long-fuzz.log" || :
	count "$BUILD/check-long-fuzz.log"
fi
if [ "$restores" != 0 ]; then
	# a second for 50 restores is far more than it takes
	limit=$((600 + restores / 50))
	"$VM_DIR/run.sh" "$series" --smp 1 --timeout "$limit" --limit $((limit + 300)) \
		--log "$BUILD/$series/soak" --env "RESTORES=$restores" \
		${SEED:+--env "SEED=$SEED"} -- "$BUILD/selftests/soak" 2>&1 |
		tee "$BUILD/check-long-soak.log" || :
	count "$BUILD/check-long-soak.log"
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
