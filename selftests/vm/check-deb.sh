#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# check-deb.sh [STEP...]: Debian's packages as a stranger has them, in TAP. Steps, all of them
# if none is named, and each after those before it:
#
#   root     a bare Debian 12 by debootstrap, in build/check-deb/root
#   build    `make deb` there, by a user
#   install  apt installs them; dkms has built the module for 6.1 and 6.12 (headers of 7.3
#            want a C library that Debian 12 does not have)
#   vm       a VM of each loads what dkms built; there a user in the group does what the
#            README and the tutorial say, on what was installed
#   purge    apt purges them: the files and the groups are those from before
#
# Takes half an hour or so, wants root and the network, and 4 GiB of disk.
. "$(dirname "$0")/common.sh"

[ "$(id -u)" = 0 ] || die "debootstrap needs root"
"$VM_DIR/setup.sh"
steps=("$@")
[ $# -gt 0 ] || steps=(root build install vm purge)
dir=$BUILD/check-deb
root=$dir/root
series=(6.1 6.12)
packages=(hlk-dkms libhlk0 libhlk-dev hlk-guest-dev hlk-tools hlk-doc python3-hlk
	  librust-hlk-dev)
nr=0
failed=0
[ $# -gt 0 ] || record check-deb

mkdir -p "$dir"
unmount() {
	mountpoint -q "$root/proc" && umount "$root/proc"
	return 0
}
at_exit unmount

# ok NAME COMMAND...: one line of TAP, with what the command said if it failed
ok() {
	local name=$1
	shift
	nr=$((nr + 1))
	if "$@" > "$dir/log" 2>&1 < /dev/null; then
		echo "ok $nr $name"
	else
		tail -n 40 "$dir/log" | sed 's/^/# /'
		echo "not ok $nr $name"
		failed=$((failed + 1))
		cp "$dir/log" "$dir/log.$nr"
	fi
}

inside() {
	mountpoint -q "$root/proc" || mount --bind /proc "$root/proc"
	DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 HOME=/root chroot "$root" "$@"
}

as_user() { inside su - somebody -c "$*"; }
release() { cat "$("$VM_DIR/kernel.sh" "$1")/release"; }

# module SERIES: where dkms put it
module() {
	find "$root/lib/modules/$(release "$1")" -name 'hlk.ko*' 2> /dev/null | head -n 1
}

# All files but what apt, dpkg and the kernel note of themselves; dkms keeps its own key.
list() {
	(cd "$root" && find . -xdev \( -path ./proc -o -path ./tmp -o -path ./var/cache \
		-o -path ./var/log -o -path ./var/lib/apt -o -path ./var/lib/dpkg \
		-o -path ./home -o -path './var/lib/dkms/mok.*' \
		-o -path './etc/*-' -o -path ./run \) -prune -o -print) | sort
	cat "$root/etc/group" "$root/etc/gshadow" "$root/etc/passwd"
}

step_root() {
	unmount
	rm -rf "$root"
	mkdir -p "$CACHE/debs"
	ok "a bare Debian 12" debootstrap --variant=minbase --cache-dir="$CACHE/debs" bookworm \
		"$root" "$(mirror)"
	# what this machine's apt has of Debian 12, and backports
	# shellcheck disable=SC2016
	{ apt-get indextargets --format 'deb $(SITE) $(RELEASE) main' 'Created-By: Packages' |
		grep -E ' bookworm(-security|-updates)? main$' | sort -u
	  echo "deb $(mirror) bookworm-backports main"; } > "$root/etc/apt/sources.list"
	cp /etc/resolv.conf "$root/etc/"
	find /etc/apt/apt.conf.d -name '*prox*' -exec cp {} "$root/etc/apt/apt.conf.d/" \;
	inside useradd -m -s /bin/bash somebody
	ok "apt has lists" inside apt-get update
	mkdir -p "$root/home/somebody/hlk"
	(cd "$TOP" && { git ls-files -z --cached --others --exclude-standard 2> /dev/null ||
		find . -path ./build -prune -o -type f -print0; } |
		tar -c --null --files-from=- --ignore-failed-read 2> /dev/null) |
		tar -x -C "$root/home/somebody/hlk"
	inside chown -R somebody: /home/somebody
}

refuses() { as_user 'make -C hlk deb 2>&1 | grep "please install, as root"'; }

step_build() {
	ok "make" inside apt-get install -y -q --no-install-recommends make
	ok "make deb names to a user what is missing" refuses
	ok "root installs that" inside /home/somebody/hlk/selftests/vm/setup.sh deb
	ok "make deb, as a user" as_user 'make -C hlk deb'
}

step_install() {
	local s names=() debs=()
	for s in "${series[@]}"; do
		names+=("linux-headers-$(release "$s")")
	done
	# what the packages want, and what a user of them has beside them: not theirs
	ok "headers of ${series[*]}, compilers, udev" inside apt-get install -y -q \
		--no-install-recommends "${names[@]}" dkms udev kmod adduser gcc-multilib \
		pkg-config man-db libcjson1 liburing2 liburing-dev libjs-sphinxdoc systemd \
		python3-cffi cargo
	# as where a kernel is installed, and not its headers alone
	for s in "${series[@]}"; do
		inside depmod "$(release "$s")" 2> /dev/null || :
	done
	list > "$dir/before"
	for s in "${packages[@]}"; do
		debs+=("$(cd "$root" && echo home/somebody/hlk/build/deb/"$s"_*.deb)")
	done
	ok "apt installs the packages" inside apt-get install -y -q --no-install-recommends \
		"${debs[@]/#//}"
	cp "$dir/log" "$dir/install.log"
	for s in "${series[@]}"; do
		ok "dkms has built for $(release "$s")" test -n "$(module "$s")"
	done
	ok "the group is there" inside getent group hlk
	ok "each man page can be read" inside sh -c "for page in \$(dpkg -L ${packages[*]} |
		grep -E '^/usr/share/man/.*\.[0-9]\.gz\$'); do
		man --warnings -E UTF-8 -l \$page > /dev/null || exit 1; done"
	ok "systemd takes the unit whole" inside sh -c \
		'cp /usr/share/doc/hlk-tools/examples/hlk-runtime.service /tmp/ &&
		 ! systemd-analyze verify /tmp/hlk-runtime.service 2>&1 | grep . &&
		 rm /tmp/hlk-runtime.service'
	ok "a Rust program of the crates" rust
	ok "somebody comes into the groups" inside sh -c \
		'adduser somebody hlk && adduser somebody kvm'
}

# A program of theirs, of the crates that are installed, with nothing downloaded
rust() {
	local home=$root/home/somebody/rust
	mkdir -p "$home/src" "$home/.cargo"
	cp "$TOP/bindings/rust/.cargo/config.toml" "$home/.cargo/"
	cp "$TOP/bindings/rust/hlk/examples/hlk-rust.rs" "$home/src/main.rs"
	printf '[package]\nname = "mine"\nversion = "1.0.0"\nedition = "2021"\n
[dependencies]\nhlk = "%s"\n' "$(cat "$TOP/VERSION")" > "$home/Cargo.toml"
	inside chown -R somebody: /home/somebody/rust
	as_user 'cd rust && RUSTFLAGS=-Dwarnings cargo build --release --offline'
}

step_vm() {
	local s file image=$dir/root.ext4 home=$root/home/somebody
	awk '/^```c/{f=1;next} /^```/{f=0} f' "$TOP/README.md" > "$home/example.c"
	cp "$TOP/selftests/tutorial.py" "$TOP"/Documentation/{tutorial,vmm}.rst "$home/"
	cp "$TOP"/Documentation/tutorial/* "$home/"
	cat > "$home/mine.py" <<-'END'
		import hlk
		import sys
		with hlk.Sandbox(sys.argv[1]) as s:
		    for _ in range(100):
		        assert s.call('counter') == b'1'
		    assert s.call('echo', b'python') == b'python'
		    assert s.stats()['restores'] >= 101
	END
	inside chown -R somebody: /home/somebody
	unmount
	rm -f "$image"
	ok "a disk with that" env PATH="$PATH:/sbin" mkfs.ext4 -q -O ^has_journal \
		-E lazy_itable_init=0 -d "$root" "$image" 4G
	for s in "${series[@]}"; do
		file=$(module "$s")
		case $file in
		*.xz) xz -dc "$file" > "$dir/hlk-$s.ko" ;;
		*) cp "$file" "$dir/hlk-$s.ko" ;;
		esac
		ok "on $s a user does what README and tutorial say" in_vm "$s"
		cp "$dir/log" "$dir/vm-$s.log"
	done
	rm -f "$image"
}

in_vm() {
	# udev gives the devices to their groups, by the rules of the packages
	# shellcheck disable=SC2016
	"$VM_DIR/run.sh" "$1" --module "$dir/hlk-$1.ko" --smp 2 --mem 1024 --log "$dir/log-$1" \
		--timeout 1200 --limit 1800 --with virtio_pci --with virtio_blk --with crc32c_generic --with ext4 --qemu \
		"-drive file=$dir/root.ext4,format=raw,if=none,id=disk,snapshot=on -device virtio-blk-pci,drive=disk" \
		--shell 'mkdir /disk && mount -t ext4 /dev/vda /disk || exit 1
			for dir in dev proc sys; do mount --bind /$dir /disk/$dir; done
			mount -t tmpfs run /disk/run
			chroot /disk /lib/systemd/systemd-udevd --daemon
			export SYSTEMD_IGNORE_CHROOT=1
			chroot /disk udevadm trigger --action=add --subsystem-match=misc
			chroot /disk udevadm settle
			ls -l /dev/hlk /dev/kvm
			chroot /disk su - somebody -c "id; set -e
				cc example.c \$(pkg-config --cflags --libs libhlk) -o example
				./example /usr/lib/hlk/server.elf
				python3 tutorial.py tutorial.rst; python3 tutorial.py vmm.rst
				python3 mine.py /usr/lib/hlk/server.elf
				rust/target/release/mine /usr/lib/hlk/server.elf
				echo somebody did all of it"
			kill $(cat /disk/proc/[0-9]*/stat | awk "/systemd-udevd/ { print \$1 }")
			sleep 1'
	cat "$dir/log-$1/output.log"
	tr -d '\r' < "$dir/log-$1/output.log" | grep -qx 'somebody did all of it'
}

step_purge() {
	inside sh -c 'deluser somebody hlk; deluser somebody kvm' > /dev/null 2>&1 || :
	ok "apt purges the packages" inside apt-get purge -y -q "${packages[@]}"
	list > "$dir/after"
	ok "which leaves nothing" diff "$dir/before" "$dir/after"
	echo "# $(wc -l < "$dir/before") names before, $(wc -l < "$dir/after") after"
}

echo "TAP version 13"
for step in "${steps[@]}"; do
	"step_$step"
done
echo "1..$nr"
echo "$((nr - failed)) passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
