#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# bpftrace.sh: print a folder with Debian 12's bpftrace and all that it loads, and with promtool of
# its prometheus. They are fetched into the cache; the machine's packages stay as they are, and
# nothing is started.
. "$(dirname "$0")/common.sh"

suite=bookworm
dir=$CACHE/bpftrace
if [ -d "$dir" ]; then
	echo "$dir"
	exit 0
fi

"$VM_DIR/setup.sh"
mkdir -p "$CACHE"
exec 9> "$CACHE/bpftrace.lock"
flock 9
if [ ! -d "$dir" ]; then
	apt=$CACHE/apt/$suite
	debs=$apt/archives/bpftrace
	rm -rf "$dir.new"
	mkdir -p "$dir.new/promtool" "$debs"
	private_apt "$apt" "$suite" apt-get update > /dev/null || die "no package lists of $suite"
	mapfile -t packages < <(private_apt "$apt" "$suite" apt-cache depends --recurse \
		--no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
		--no-enhances bpftrace | grep '^[a-z]')
	say "fetching ${packages[*]} prometheus"
	fetch "${packages[@]}" prometheus || die "could not fetch bpftrace and prometheus"
	extract "$dir.new" "${packages[@]}"
	extract "$dir.new/promtool" prometheus
	mv "$dir.new/promtool/usr/bin/promtool" "$dir.new/usr/bin/"
	rm -rf "$dir.new/promtool" "$dir.new/usr/share/doc" "$debs"
	mv "$dir.new" "$dir"
fi
echo "$dir"
