# SPDX-License-Identifier: GPL-2.0-only
# Sourced by the other scripts: where things are, and how they speak.
# shellcheck shell=bash

set -euo pipefail

VM_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export VM_DIR
TOP=$(cd "$VM_DIR/../.." && pwd)
BUILD=$TOP/build
CACHE=${HLK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hlk}
KERNELS=${KERNELS-6.1 6.12 7.3}
export TOP BUILD CACHE KERNELS

say() { printf '%s\n' "$*" >&2; }
die() { say "${0##*/}: $*"; exit 1; }

# User space and then the test programs, of which each would build user space for itself.
# One at a time; says what is wrong.
build_user() {
	local lock
	mkdir -p "$BUILD"
	exec {lock}> "$BUILD/user.lock"
	flock "$lock"
	if make -C "$TOP/user" -j"$(nproc)" > "$BUILD/user.log" 2>&1 &&
	   make -C "$TOP/selftests" -j"$(nproc)" >> "$BUILD/user.log" 2>&1; then
		exec {lock}>&-
		return 0
	fi
	cat "$BUILD/user.log"
	echo "not ok - user space does not build"
	echo "0 passed, 1 failed, 0 skipped"
	return 1
}

# at_exit COMMAND...: to be run when this script ends, however that is, before its record is
# complete; the last one first. A `trap ... EXIT` instead of it would be in the place of the record's.
at_exit() {
	at_exits+=("$(printf '%q ' "$@")")
	trap 'at_end $?' EXIT
}
at_exits=()

at_end() { # at_end EXIT-CODE
	local i
	trap '' HUP INT TERM
	for ((i = ${#at_exits[@]} - 1; i >= 0; i--)); do
		eval "${at_exits[i]}" || :
	done
	[ -z "${record_file:-}" ] || record_end "$1"
}

# record TARGET [SETTING...]: what this script prints from here on is kept in
# build/results, as TARGET-DATE.log, and when it ends a TARGET-DATE.txt says of which
# commit it was, with which seed, SETTINGs (names of variables) and kernels, how long
# it took and how it ended: a line each, to be quoted. A wait for everything would wait
# for what keeps it. Not for one that another one of
# them runs.
record() {
	[ -z "${RECORDED:-}" ] || return 0
	record_target=$1
	shift
	export RECORDED=$record_target
	record_settings=("$@")
	record_start=$(date -u +%FT%TZ)
	record_commit=$(git -C "$TOP" rev-parse HEAD 2> /dev/null || echo unknown)
	[ -z "$(git -C "$TOP" status --porcelain 2> /dev/null)" ] || record_commit+=-dirty
	mkdir -p "$BUILD/results"
	record_file=$BUILD/results/$record_target-$(date -u +%Y%m%d-%H%M%S)-$$
	# now, for the last line is that with the counts
	say "# recorded in ${record_file#"$TOP/"}.txt"
	exec {record_out}>&1 {record_err}>&2
	exec > >(trap '' HUP INT TERM; exec tee "$record_file.log") 2>&1
	record_tee=$!
	SECONDS=0
	trap 'at_end $?' EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
}

record_end() { # record_end EXIT-CODE
	local name tries=100
	exec >&"$record_out" 2>&"$record_err" {record_out}>&- {record_err}>&-
	# It is no job: wait knows only the last of its kind. It ends with the last that
	# writes to it.
	while kill -0 "$record_tee" 2> /dev/null && [ $((tries--)) -gt 0 ]; do
		sleep 0.1
	done
	{
		echo "target: $record_target"
		echo "commit: $record_commit"
		echo "started: $record_start"
		echo "seconds: $SECONDS"
		echo "seed: ${SEED:-what each program drew, SEED= in the log}"
		for name in "${record_settings[@]}"; do
			echo "setting: $name=${!name:-}"
		done
		sed -nE 's/^# kernel ([^ ]+ \(.*\), .*)/kernel: \1/p' "$record_file.log" | sort -u
		echo "machine: $(nproc) CPUs, $(awk '/^MemTotal:/ { print int($2 / 1024) }' /proc/meminfo) MiB"
		echo "result: $(tail -n 1 "$record_file.log" |
			grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' || echo none)"
		echo "exit: $1"
	} > "$record_file.txt"
}

# The mirror that this machine's apt uses for Debian itself.
mirror() {
	# shellcheck disable=SC2016
	apt-get indextargets --format '$(SITE) $(RELEASE)' 'Created-By: Packages' |
		awk '$2 == "bookworm" {print $1; exit}'
}

# apt with a sources list, package lists and a cache of its own:
# private_apt FOLDER SUITE COMMAND...
# SUITE "host" is what the machine's own apt has, security updates included; "src:" before
# one means its sources. Others that use the same folder wait.
private_apt() {
	local dir=$1 suite=$2 program=$3 kind=deb
	shift 3
	mkdir -p "$dir/lists/partial" "$dir/archives/partial"
	if [ "$suite" = host ]; then
		flock "$dir/lock" "$program" -q -o APT::Sandbox::User=root "$@"
		return
	fi
	[ "$suite" = "${suite#src:}" ] || kind="deb-src"
	printf '%s [signed-by=%s] %s %s main\n' "$kind" \
		/usr/share/keyrings/debian-archive-keyring.gpg \
		"$(mirror)" "${suite#src:}" > "$dir/sources.list.$$"
	mv "$dir/sources.list.$$" "$dir/sources.list"
	flock "$dir/lock" "$program" -q -o Dir::Etc::sourcelist="$dir/sources.list" \
		-o Dir::Etc::sourceparts=- -o Dir::State::lists="$dir/lists" \
		-o Dir::Cache="$dir" -o Dir::Cache::archives="$dir/archives" \
		-o APT::Sandbox::User=root "$@"
}

# The packages that a package depends on and whose names match a pattern.
depends_on() {
	local dir=$1 suite=$2 package=$3 pattern=$4
	private_apt "$dir" "$suite" apt-cache depends "$package" |
		awk -v p="$pattern" '/Depends:/ && $2 ~ p {print $2}' | sort -u
}

# fetch PACKAGE...: into $debs, by private_apt in $apt for $suite
fetch() {
	(cd "$debs" && private_apt "$apt" "$suite" apt-get download "$@" > /dev/null)
}

# extract FOLDER PACKAGE...: from there
extract() {
	local to=$1 package deb
	shift
	for package in "$@"; do
		deb=$(find "$debs" -name "${package}_*.deb" | sort -V | tail -n 1)
		dpkg -x "$deb" "$to"
	done
}

# kernel_tree FOLDER: Debian's linux-source-6.12, unpacked once
kernel_tree() {
	local tree=$1 suite=bookworm-backports package=linux-source-6.12
	local apt=$CACHE/apt/$suite
	local debs=$apt/archives/tree-$$
	[ ! -f "$tree/.unpacked" ] || return 0
	private_apt "$apt" "$suite" apt-get update > /dev/null
	mkdir -p "$debs"
	fetch "$package"
	rm -rf "$tree"
	mkdir -p "$tree"
	dpkg-deb --fsys-tarfile "$debs/$package"_*.deb |
		tar -xO "./usr/src/$package.tar.xz" |
		tar -xJ -C "$tree" --strip-components=1
	rm -rf "$debs"
	touch "$tree/.unpacked"
}

# qemu_source FOLDER PATCH: the sources of Debian's QEMU, with a patch; says what it does.
# What is fetched stays in the cache.
qemu_source() {
	local to=$1 patch=$2 apt=$CACHE/apt/sources debs=$CACHE/vmm
	mkdir -p "$debs"
	(
		flock 8
		! ls "$debs"/qemu_*.dsc > /dev/null 2>&1 || exit 0
		say "fetching the sources of QEMU"
		private_apt "$apt" src:bookworm apt-get update > /dev/null
		cd "$debs" && private_apt "$apt" src:bookworm apt-get source --download-only \
			qemu > /dev/null
	) 8> "$debs/fetch.lock"
	rm -rf "$to"
	# apt has looked whether they are Debian's
	dpkg-source --no-check --no-copy -x "$debs"/qemu_*.dsc "$to"
	patch -d "$to" -p1 < "$patch" || die "the patch does not apply"
}
