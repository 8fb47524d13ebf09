#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# watch-vm.sh: in the VM: each script for bpftrace beside guests, and what hlk-run and the module
# counted meanwhile, between lines that watched.py knows.
cd /data || exit 1
mkdir -p /bpf
mount -t ext4 -o ro /dev/vda /bpf || exit 1
mount -t tracefs tracefs /sys/kernel/debug/tracing 2> /dev/null
if [ ! -e /sys/kernel/debug/tracing/events/hlk/hlk_restore/format ]; then
	echo "watch: SKIP no tracepoints in tracefs"
	exit 0
fi
if [ ! -e /sys/kernel/btf/vmlinux ]; then
	echo "watch: SKIP a kernel without BTF"
	exit 0
fi
root=/bpf
lib=$root/lib/x86_64-linux-gnu:$root/usr/lib/x86_64-linux-gnu

cat > /bin/bpftrace <<END
#!/bin/sh
exec $root/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 --library-path $lib $root/usr/bin/bpftrace -B line "\$@" 2>&1
END
chmod +x /bin/bpftrace

# What is watched: at most one of each at a time
cat > /tmp/some.sh <<'END'
exec 2> /dev/null
hlk-run run server.elf --call touch --input 20 --repeat 300 --json > /tmp/run.json
hlk-run serve-bench server.elf -T 2 -p 2 -n 200 --metrics /tmp/metrics --json > /tmp/pool.json
END
cat > /tmp/fused.sh <<'END'
sh /tmp/some.sh
hlk-run bench --quick --ways=A2 --config=1,64,16 > /dev/null 2>&1
END
# a call that wants more than it may have
cat > /tmp/over.sh <<'END'
hlk-run run server.elf --call touch --input 200 --max-private 60 --scratch 2048 --json \
	> /tmp/run.json 2> /dev/null
END

# more pages than a map is to have room for
cat > /tmp/full.sh <<'END'
hlk-run run server.elf --call touch --input 40 --repeat 5 --json > /tmp/run.json 2> /dev/null
END

# watch SCRIPT WHAT [NAME]: and the JSON of what was watched
watch() {
	name=${3:-$1}
	rm -f /tmp/*.json
	echo "watch: begin $name"
	bpftrace -c "/bin/sh /tmp/$2.sh" "/data/$1"
	echo "watch: end $name $?"
	for file in /tmp/*.json; do
		echo "watch: json $name ${file##*/}"
		cat "$file"
		echo "watch: end json"
	done
}

watch hlk-latency.bt fused
watch hlk-pages.bt some
(export BPFTRACE_MAP_KEYS_MAX=16; watch hlk-pages.bt full full)
watch hlk-budget.bt over
echo "watch: metrics"
cat /tmp/metrics
echo "watch: end metrics"

# Ctrl-C, as who looks at it ends it; and by itself
echo "watch: begin hlk-restores.bt"
bpftrace /data/hlk-restores.bt > /tmp/said &
for _ in $(seq 600); do
	grep -q "Ctrl-C ends it" /tmp/said && break
	sleep 0.2
done
sh /tmp/some.sh
kill -INT $!
wait $!
code=$?
cat /tmp/said
echo "watch: end hlk-restores.bt $code"
echo "watch: json hlk-restores.bt run.json"
cat /tmp/run.json
echo "watch: end json"
echo "watch: json hlk-restores.bt pool.json"
cat /tmp/pool.json
echo "watch: end json"
echo "watch: begin seconds"
timeout 300 bpftrace /data/hlk-budget.bt 1
echo "watch: end seconds $?"
umount /bpf
echo "watch: came to its end"
