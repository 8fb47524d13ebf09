#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# check-gdb.sh [SERIES [OPTION-OF-RUN...]]: the real gdb of a 64-bit Linux with symbols and two
# processors, see selftests/gdb-linux.sh. On VMX, in Bochs, where breakpoints come out of KVM,
# on kernel VMX_KERNEL= (default 6.1, empty leaves it out), and what needs none of these in QEMU, on
# SERIES (default 6.12). TAP; the last line is `N passed, N failed, N skipped`.
. "$(dirname "$0")/common.sh"

VMX_KERNEL=${VMX_KERNEL-6.1}
series=${1:-6.12}
shift || :

[ -z "$VMX_KERNEL" ] || "$VM_DIR/setup.sh" bochs
"$VM_DIR/setup.sh"
record check-gdb VMX_KERNEL
build_user || exit 1
symbols=$("$VM_DIR/symbols-kernel.sh")
gdb=$("$VM_DIR/gdb.sh")

dir=$BUILD/gdb
mkdir -p "$dir/root"
${CC:-gcc} -O1 -g -Wall -Wextra -ffreestanding -fno-stack-protector -nostdlib -static -no-pie \
	-Wl,--build-id=none -Wl,-z,noexecstack \
	"$TOP/selftests/guests/linux/gdb.c" -o "$dir/root/init"
(cd "$dir/root" && find . | cpio -o -H newc --quiet) > "$dir/gdb.cpio"
data=()
for file in "$BUILD/user/hlk-run/hlk-run" "$symbols/bzImage" "$symbols/vmlinux" "$gdb" \
	    "$dir/gdb.cpio" "$TOP/selftests/lib/gdb-talk.sh"; do
	data+=(--data "$file")
done

passed=0 failed=0 skipped=0
check() { # check NAME OPTION-OF-RUN...
	local name=$1 p f s
	shift
	"$VM_DIR/run.sh" "$@" "${data[@]}" -- "$TOP/selftests/gdb-linux.sh" 2>&1 |
		tee "$dir/output-$name" || :
	read -r p f s < <(tail -n 1 "$dir/output-$name" |
		sed -nE 's/^([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\1 \2 \3/p' |
		grep . || echo 0 1 0)
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

check qemu "$series" --smp 1 --timeout 1800 --log "$dir/qemu" "$@"
[ -z "$VMX_KERNEL" ] || check bochs "$VMX_KERNEL" --emulator bochs --timeout 1800 \
	--log "$dir/bochs"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
