#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# check-machines.sh [SERIES [OPTION-OF-RUN...]]: boot Debian's 686 kernel, unmodified, under
# hlk-run boot, with an initrd of one small program; snapshot it when that says that it is
# ready, and restore it ROUNDS=50 times, to the time of the snapshot (a kernel that finds
# that half a minute is gone says so). What each round prints has to be the same.
. "$(dirname "$0")/common.sh"

series=${1:-6.12}
shift || :
rounds=${ROUNDS:-50}

kernel=$("$VM_DIR/linux-guest.sh")
build_user
dir=$BUILD/machines
mkdir -p "$dir/root/dev"
cp "$kernel" "$dir/vmlinuz-686"
${CC:-gcc} -m32 -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack \
	"$TOP/selftests/guests/linux-init.S" -o "$dir/root/init"
[ -e "$dir/root/dev/console" ] || mknod "$dir/root/dev/console" c 5 1
(cd "$dir/root" && find . | cpio -o -H newc --quiet | gzip -9) > "$dir/initrd.gz"

"$VM_DIR/run.sh" "$series" --timeout 900 "$@" --data "$dir/vmlinuz-686" --data "$dir/initrd.gz" \
	--data "$BUILD/user/hlk-run/hlk-run" --shell "cd /data && ./hlk-run boot vmlinuz-686 \
	--initrd initrd.gz --append 'console=ttyS0 quiet' --mem 64 --timeout 600000 \
	--snapshot-at 'print:init: ready' --until 'print:init: done' --time-back --repeat $rounds &&
	echo 'machines: all rounds are the same'" | tee "$dir/output"
grep -qx 'machines: all rounds are the same' "$dir/output"
