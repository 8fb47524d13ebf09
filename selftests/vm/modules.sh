# SPDX-License-Identifier: GPL-2.0-only
# Sourced by kernel.sh and debug-kernel.sh: the modules that are kept of a kernel.
# shellcheck shell=bash

# Those that each VM loads
every=(irqbypass ccp kvm kvm-amd)
# and those that one may ask for: a disk, a second one, memory that fails, a kernel
# thread that writes to a process.
asked=(virtio_pci virtio_blk crc32c_generic ext4 loop hwpoison-inject vhost_vsock)

# module FROM NAME: its file; that has - where the name has _, or not
module() {
	find "$1" -name "${2//[-_]/[-_]}.ko*" | head -n 1
}

# needs FROM NAME: the files to load, itself last; none if it is no module
needs() {
	local file one
	file=$(module "$1" "$2")
	[ -n "$file" ] || return 0
	for one in $(modinfo -F depends "$file" | tr , ' '); do
		needs "$1" "$one"
	done
	echo "$file"
}

# keep FILE FOLDER: not compressed, without what only debuggers read
keep() {
	local to
	to=$2/$(basename "${1%.xz}")
	case $1 in
	*.xz) xz -dc "$1" > "$to" ;;
	*) cp "$1" "$to" ;;
	esac
	strip --strip-debug "$to"
}

# take_modules FROM FOLDER: see kernel.sh for how they lie there
take_modules() {
	local from=$1 to=$2 name file
	mkdir -p "$to/modules" "$to/more"
	for name in "${every[@]}"; do
		file=$(module "$from" "$name")
		[ -z "$file" ] || keep "$file" "$to/modules"
	done
	for name in "${asked[@]}"; do
		needs "$from" "$name" | awk '!seen[$0]++' > "$to/more/files"
		while read -r file; do
			keep "$file" "$to/more"
		done < "$to/more/files"
		sed 's:.*/::; s/\.ko.*//' "$to/more/files" > "$to/more/$name.needs"
	done
	rm "$to/more/files"
}

# has_modules FOLDER: all that are asked for today
has_modules() {
	local name
	for name in "${asked[@]}"; do
		[ -f "$1/more/$name.needs" ] || return
	done
}
