#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# check-watch.sh [SERIES...]: the scripts of contrib/bpftrace in VMs of these kernels (6.12), with
# Debian 12's bpftrace: what they count beside guests has to be what the module counts. And the
# metrics of a pool there, read by prometheus_client and by promtool. TAP.
#
# A few minutes for each kernel, most of which LLVM takes in the emulator. The VM's clock counts
# instructions, so that nothing in it depends on what else the machine does.
. "$(dirname "$0")/common.sh"

[ $# -gt 0 ] || set -- 6.12
"$VM_DIR/setup.sh"
record check-watch
root=$("$VM_DIR/bpftrace.sh")
make -s -C "$TOP/user" -j"$(nproc)" run guest > /dev/null
dir=$BUILD/watch
image=$dir/root.ext4
mkdir -p "$dir"
at_exit rm -f "$image"
rm -f "$image"
PATH=$PATH:/sbin mkfs.ext4 -q -O ^has_journal -E lazy_itable_init=0 -d "$root" "$image" 1G

data=()
for file in "$BUILD/user/hlk-run/hlk-run" "$BUILD/user/guest/server.elf" "$VM_DIR/watch-vm.sh" \
	    "$TOP"/contrib/bpftrace/*.bt; do
	data+=(--data "$file")
done

# promtool reads the older format too, in which a counter is told of by the name of its sample.
promtool() {
	local text code=0
	text=$("$root/usr/bin/promtool" check metrics < "$dir/metrics" 2>&1) || code=$?
	text=$(grep -v '_total no help text$' <<< "$text") || :
	# 3: it would have something put in another way
	[[ $code != [03] || -n $text ]] || return 0
	echo "$text"
	echo "promtool: exit code $code"
	return 1
}

passed=0 failed=0 skipped=0
for series in "$@"; do
	echo "# kernel $series ($(cat "$("$VM_DIR/kernel.sh" "$series")/release"))"
	"$VM_DIR/run.sh" "$series" --smp 1 --icount 0 --mem 1536 --timeout 1200 --log "$dir/log-$series" \
		--with virtio_pci --with virtio_blk --with crc32c_generic --with ext4 "${data[@]}" \
		--qemu "-drive file=$image,format=raw,if=none,id=disk,snapshot=on -device virtio-blk-pci,drive=disk" \
		--shell 'sh /data/watch-vm.sh' > "$dir/said-$series" 2>&1 ||
		{ tail -n 20 "$dir/said-$series"; echo "not ok - kernel $series"; failed=$((failed + 1)); }
	/usr/bin/python3 "$VM_DIR/watched.py" "$dir/said-$series" "$dir/metrics" |
		tee "$dir/tap" || :
	if [ -s "$dir/metrics" ]; then
		if promtool > "$dir/promtool"; then
			echo "ok - metrics, by promtool"
			passed=$((passed + 1))
		else
			sed 's/^/# /' "$dir/promtool"
			echo "not ok - metrics, by promtool"
			failed=$((failed + 1))
		fi
	fi
	grep -q '^1\.\.' "$dir/tap" || failed=$((failed + 1))
	skips=$(grep -c '# SKIP' "$dir/tap" || :)
	passed=$((passed + $(grep -c '^ok ' "$dir/tap" || :) - $(grep -c '^ok .*# SKIP' "$dir/tap" || :)))
	failed=$((failed + $(grep -c '^not ok ' "$dir/tap" || :)))
	skipped=$((skipped + skips))
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
