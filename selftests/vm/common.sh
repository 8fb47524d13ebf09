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

# The mirror that this machine's apt uses for Debian itself.
mirror() {
	# shellcheck disable=SC2016
	apt-get indextargets --format '$(SITE) $(RELEASE)' 'Created-By: Packages' |
		awk '$2 == "bookworm" {print $1; exit}'
}

# apt with a sources list, package lists and a cache of its own:
# private_apt FOLDER SUITE COMMAND...
# SUITE "host" is what the machine's own apt has, security updates included. Others
# that use the same folder wait.
private_apt() {
	local dir=$1 suite=$2 program=$3
	shift 3
	mkdir -p "$dir/lists/partial" "$dir/archives/partial"
	if [ "$suite" = host ]; then
		flock "$dir/lock" "$program" -q -o APT::Sandbox::User=root "$@"
		return
	fi
	printf 'deb [signed-by=%s] %s %s main\n' \
		/usr/share/keyrings/debian-archive-keyring.gpg \
		"$(mirror)" "$suite" > "$dir/sources.list.$$"
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
