#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# gdb.sh: print the path of a gdb for VMs, Debian 12's gdb-minimal, which needs no Python there.
# It is fetched into the cache; the machine's packages stay as they are.
. "$(dirname "$0")/common.sh"

suite=bookworm
dir=$CACHE/gdb
gdb=$dir/usr/bin/gdb
if [ -x "$gdb" ]; then
	echo "$gdb"
	exit 0
fi

"$VM_DIR/setup.sh"
mkdir -p "$CACHE"
exec 9> "$CACHE/gdb.lock"
flock 9
if [ ! -x "$gdb" ]; then
	apt=$CACHE/apt/$suite
	debs=$apt/archives/gdb
	rm -rf "$dir.new" "$dir"
	mkdir -p "$dir.new" "$debs"
	private_apt "$apt" "$suite" apt-get update > /dev/null || die "no package lists of $suite"
	fetch gdb-minimal || die "could not fetch gdb-minimal"
	extract "$dir.new" gdb-minimal
	missing=$(ldd "$dir.new/usr/bin/gdb" | awk '/not found/ {printf " %s", $1}')
	[ -z "$missing" ] || die "gdb-minimal wants what is not installed:$missing"
	mv "$dir.new" "$dir"
	rm -rf "$debs"
fi
echo "$gdb"
