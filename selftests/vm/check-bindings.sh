#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# check-bindings.sh [python]: libhlk for Rust and for Python, with nothing but Debian's packages
# and offline: what is made of the headers is as it is in the tree; tests without a module and
# with one that is played; then in a VM, with what a fused call takes by each beside C.
# SERIES=6.12, CALLS=2000; SERIES= leaves the VM out. SETUP=0: what is not installed is
# skipped. `python` leaves out Rust's tests and the VM, as make check does.
. "$(dirname "$0")/common.sh"

bindings=$TOP/bindings
out=$BUILD/rust
calls=${CALLS:-2000}
nr=0
bad=0

result() {
	nr=$((nr + 1))
	if [ "$1" = 0 ]; then
		echo "ok $nr $2"
	else
		sed 's/^/# /' "$out/log" | tail -n 40
		echo "not ok $nr $2"
		bad=1
	fi
}
step() {
	local what=$1
	shift
	"$@" > "$out/log" 2>&1
	result $? "$what"
}

if [ "${1:-}" = python ]; then
	"$VM_DIR/setup.sh"
elif [ "${SETUP:-1}" != 0 ]; then
	"$VM_DIR/setup.sh" bindings
fi
mkdir -p "$out"
# make check has built it, and others are at it at the same time
if [ "${1:-}" != python ] || [ ! -e "$BUILD/user/libhlk.so" ]; then
	make -s -C "$TOP/user" lib guest > /dev/null
fi

gcc -shared -fPIC -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -pthread -O1 \
	"-I$TOP/user/libhlk/include" "-I$TOP/uapi" "$TOP/user/libhlk/tests/played.c" \
	-o "$out/libplayed.so"

python=/usr/bin/python3
export PYTHONDONTWRITEBYTECODE=1

same() {
	$python "$bindings/generate.py" "$1" | diff "$bindings/$2" - && return
	echo "make bindings makes them anew"
	return 1
}
with_python() {
	env PYTHONPATH="$bindings/python" LIBHLK="$BUILD/user/libhlk.so" "$@" \
		"$python" "$bindings/python/tests/test_hlk.py"
}
if $python -c 'import cffi, pycparser' 2> /dev/null; then
	step "Rust's declarations are those of the headers" same rust rust/hlk-sys/src/bindings.rs
	step "and Python's" same python python/hlk/_cdef.py
	step "Python, without a module" with_python
	step "Python, with a module that is played" with_python "LD_PRELOAD=$out/libplayed.so"
else
	echo "ok $((nr += 1)) # SKIP Python: no python3-cffi"
fi

# Debian's, whatever else there is
cargo() {
	(cd "$bindings/rust" && env -u RUSTFLAGS PATH=/usr/bin:/bin CARGO_TARGET_DIR="$out" \
		CARGO_HOME="$out/home" HLK_LIB_DIR="$BUILD/user" HLK_STATIC=1 \
		RUSTFLAGS=-Dwarnings /usr/bin/cargo "$@" --offline --release)
}
data=()
if [ "${1:-}" = python ]; then
	SERIES=''
elif [ -x /usr/bin/cargo ] && [ -d /usr/share/cargo/registry ]; then
	step "Rust: all of it builds, without a warning" cargo build --workspace --bins --examples
	step "Rust: tests that need no module" cargo test
	export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="env HLK_PLAYED=1 LD_PRELOAD=$out/libplayed.so"
	step "Rust, with a module that is played" cargo test -p hlk --test played
	data=(--data "$out/release/examples/hlk-rust" --data "$out/release/vmm")
else
	echo "ok $((nr += 1)) # SKIP Rust: no cargo of Debian's"
fi

if [ -n "${SERIES-6.12}" ] && [ ${#data[@]} -gt 0 ]; then
	gcc -O2 -Wall -Wextra -Werror "-I$TOP/user/libhlk/include" "-I$TOP/uapi" \
		"$bindings/tests/hlk-c.c" "$BUILD/user/libhlk.a" -luring -lnettle -lzstd \
		-pthread -o "$out/hlk-c"
	if $python -c 'import cffi' 2> /dev/null; then
		"$bindings/tests/python-root.sh" "$BUILD/user/libhlk.so" "$out/python.tar"
		data+=(--data "$out/python.tar")
	fi
	# Ticks of the TSC are instructions then.
	step "in a VM with a module" "$VM_DIR/run.sh" "${SERIES-6.12}" --smp 1 --icount 0 \
		--mem 1536 "${data[@]}" --data "$out/hlk-c" \
		--data "$BUILD/user/guest/server.elf" --data "$bindings/tests/vm.sh" \
		--shell "sh /data/vm.sh $calls"
	cp "$out/log" "$out/vm.log"
	step "which came to its end" grep -q '^bindings: all good' "$out/vm.log"
	step "with all tests of both passed" sh -c "! grep '^not ok' '$out/vm.log'"
	c=$(sed -n 's/^# c: \([0-9]*\) ticks.*/\1/p' "$out/vm.log")
	rust=$(sed -n 's/^# rust: \([0-9]*\) ticks.*/\1/p' "$out/vm.log")
	grep -E '^# (c|rust|python): ' "$out/vm.log" || :
	step "Rust is at most 1% above C in instructions" \
		test "${rust:-1000000000}" -le $((${c:-0} * 101 / 100))
fi
echo "1..$nr"
exit $bad
