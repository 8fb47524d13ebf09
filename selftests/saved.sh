#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Snapshots in files: saved by one process, loaded by others after that one has gone, with
# restores, calls and audits; layers, names, machines, what is kept by fs-verity and what is
# not. Runs as root beside the guests; /disk is an ext4 with verity. TAP.
#
# CALLS=, ROUNDS= say how many calls of a sandbox and rounds of a machine; KEEP= is a folder
# that is left, LOAD= one that another kernel left: what is in it has to run here. With LACKS=
# this processor has not that feature, which the other one had: who sees it may not run. LINUX= is
# 686 or cloud: a Linux guest, whose kernel and initrd lie beside it (see vm/linux-initrd.sh)
# as libhlk-saved does, is saved and called as well.

nr=0
bad=0
out=/tmp/saved.out
calls=${CALLS:-200}
rounds=${ROUNDS:-50}

# try WHAT CODE PATTERN COMMAND...: exit code and a pattern in the output
try() {
	what=$1 code=$2 pattern=$3
	shift 3
	nr=$((nr + 1))
	"$@" > $out 2>&1
	got=$?
	if [ $got = "$code" ] && grep -q -- "$pattern" $out; then
		echo "ok $nr $what"
		return
	fi
	echo "# wanted exit code $code and \"$pattern\"; exit code $got:"
	sed 's/^/# /' $out | head -n 30
	echo "not ok $nr $what"
	bad=1
}

# shellcheck disable=SC2317  # called through try
echoes() { # echoes FOLDER OPTION...
	hlk-run run "$@" --call echo --input hello --expect hello --repeat "$calls" \
		--audit 20 --timeout 60000
}

# shellcheck disable=SC2317  # called through try
three() { # three KERNEL-OR-FOLDER OPTION...
	hlk-run boot "$@" --repeat "$rounds" --audit 10 --timeout 60000
}

# Its files are those of the snapshot, which has none in /tmp.
# shellcheck disable=SC2016,SC2317  # the guest's shell expands it; called through try
linux() { # linux KERNEL-OR-FOLDER OPTION...
	hlk-run boot "$@" --function sh --call 'echo -n $((6 * 7)) > /tmp/a$$; cat /tmp/*' \
		--expect 42 --timeout 120000
}

if [ -n "$LOAD" ] && [ -n "$LACKS" ]; then
	try "a sandbox, whose guest sees nothing of $LACKS, runs" 0 "audits" \
		echoes "$LOAD" --name sandbox
	if [ -n "${LINUX:-}" ]; then
		try "a Linux guest of a processor with $LACKS is refused" 6 \
			"its processor has $LACKS, which this host's KVM has not" \
			linux "$LOAD" --name linux
	fi
	echo "1..$nr"
	exit $bad
elif [ -n "$LOAD" ]; then
	try "a sandbox of another kernel runs here, $calls times" 0 "audits" \
		echoes "$LOAD" --name sandbox
	try "and its layer" 0 "audits" echoes "$LOAD" --name layer
	if [ -n "${MACHINES:-}" ]; then
		try "and so does a machine" 0 "audits" three "$LOAD" --name machine
	fi
	if [ -n "${LINUX:-}" ]; then
		try "and a Linux guest, $calls times" 0 "audits" \
			linux "$LOAD" --name linux --repeat "$calls" --audit 10
		try "which is forked, and saved as a layer" 0 "^1\.\." libhlk-saved "$LOAD" linux
	fi
	echo "1..$nr"
	exit $bad
fi

for top in /disk /tmp; do
	dir=${KEEP:-$top/saved}
	rm -rf "$dir"
	try "$top: a sandbox is saved" 0 "^saved: .*layer 1" \
		hlk-run snapshot server.elf -o "$dir" --name sandbox
	try "$top: and runs in another process, $calls times" 0 "audits" \
		echoes "$dir"
	try "$top: verified" 0 "audits" echoes "$dir" --verify
	try "$top: as a layer on top of itself" 0 "^saved: .*layer 2" \
		hlk-run snapshot "$dir" -o "$dir" --name layer --call echo --input x
	try "$top: which runs" 0 "audits" echoes "$dir" --name layer
	try "$top: one of two has to be named" 6 "say which" echoes "$dir"
	try "$top: flat and compressed" 0 "^saved: " \
		hlk-run snapshot server.elf --flat --compress -o "$dir" --name flat
	try "$top: it runs" 0 "audits" echoes "$dir" --name flat
	# Its guest does not live for long in an emulator that delivers interrupts twice, see
	# testing.rst, so whoever wants it asks for it.
	if [ -n "${MACHINES:-}" ]; then
		try "$top: a machine is saved" 0 "saved: .*: machine, layer 1" three three.elf --snapshot-at \
			"print:three: ready" --save "$dir" --save-name machine
		try "$top: and runs in another process, $rounds times" 0 "audits" \
			three "$dir" --name machine
		try "$top: with the time of the snapshot" 0 "audits" \
			three "$dir" --name machine --time-back
	fi
	if [ -n "${LINUX:-}" ]; then
		try "$top: a Linux guest is saved" 0 "^saved: .*: linux, layer 1" \
			linux "vmlinuz-$LINUX" --initrd "agent-$LINUX.cpio" --quiet \
			--append "console=ttyS0 quiet panic=-1 rdinit=/hlk-agent" \
			--boot-timeout 900000 --save "$dir" --save-name linux
		try "$top: and runs in another process, $calls times" 0 "audits" \
			linux "$dir" --name linux --repeat "$calls" --audit 10
	fi
	try "$top: what is in the folder" 0 "layer: sha256:" hlk-run inspect "$dir"
	if [ "$top" = /disk ]; then
		try "$top: pages are kept by fs-verity" 0 "kept by fs-verity" \
			hlk-run inspect "$dir" --name sandbox
	fi
	[ -z "$KEEP" ] || break
done

# A copy has no fs-verity; it is read into memory.
if [ -z "$KEEP" ]; then
	cp -a /disk/saved /disk/copy
	try "a copy runs" 0 "audits" echoes /disk/copy --name layer
	for blob in /disk/copy/blobs/sha256/*; do
		[ "$(wc -c < "$blob")" -lt 16384 ] || printf X >> "$blob"
	done
	try "one that is longer is refused" 6 "where its descriptor says" \
		echoes /disk/copy --name sandbox
	rm -rf /disk/copy /disk/saved /tmp/saved
fi
try "what is no folder of snapshots" 1 "Is a directory" hlk-run run /tmp
try "nor is this" 6 "No such file" hlk-run inspect /proc

echo "1..$nr"
exit $bad
