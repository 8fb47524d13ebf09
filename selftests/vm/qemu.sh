#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# qemu.sh: print the command that starts QEMU. QEMU=10 fetches that from Debian's
# backports; QEMU=mended builds 7.2 with qemu-svm.patch, see there; QEMU=COMMAND is
# another; by default it is the machine's own.
#
# Debian 12's is 7.2. It crashes kernels that patch their code (static keys) while
# several threads emulate their CPUs; 10 does not. But 10 emulates SVM less well, see
# testing.rst, so that tests of what a guest may do need 7.2. What is fetched lies in
# the cache; the machine's packages stay as they are, and bring all its libraries.
. "$(dirname "$0")/common.sh"

chosen=${QEMU:-system}
[ "$chosen" != system ] || chosen="qemu-system-x86_64"
[ "$chosen" != mended ] || exec "$VM_DIR/qemu-mended.sh"
if [ "$chosen" != 10 ]; then
	command -v "$chosen" || die "QEMU=${QEMU:-system}: no command $chosen"
	exit 0
fi

suite=bookworm-backports
tested=10.0.2
# The emulator; what -kernel boots by, and other option ROMs; the BIOS
packages=(qemu-system-x86 qemu-system-data seabios)
dir=$CACHE/qemu
qemu=$dir/qemu-system-x86_64
if [ -f "$dir/version" ]; then
	echo "$qemu"
	exit 0
fi

"$VM_DIR/setup.sh"
mkdir -p "$CACHE"
exec 9> "$CACHE/qemu.lock"
flock 9
if [ -f "$dir/version" ]; then
	echo "$qemu"
	exit 0
fi

apt=$CACHE/apt/$suite
debs=$apt/archives/qemu
new=$dir.new
rm -rf "$new" "$dir"
mkdir -p "$new" "$debs"
private_apt "$apt" "$suite" apt-get update > /dev/null ||
	die "no package lists of $suite"
fetch "${packages[@]}" ||
	die "could not fetch ${packages[*]}"
extract "$new" "${packages[@]}"

# Without -L it would take the firmware of the machine's QEMU.
binary=usr/bin/qemu-system-x86_64
cat > "$new/qemu-system-x86_64" << END
#!/bin/sh
exec "$dir/$binary" -L "$dir/usr/share/qemu" -L "$dir/usr/share/seabios" "\$@"
END
chmod 755 "$new/qemu-system-x86_64"

missing=$(ldd "$new/$binary" | awk '/not found/ {printf " %s", $1}')
[ -z "$missing" ] || die "QEMU of $suite wants what is not installed:$missing"
version=$("$new/$binary" -version | sed -n 's/^QEMU emulator version \([0-9.]*\).*/\1/p')
[ -n "$version" ] || die "QEMU of $suite does not run"
say "QEMU $version"
[ "$version" = "$tested" ] || say "QEMU: tested with $tested; Debian now has $version"

echo "$version" > "$new/version"
mv "$new" "$dir"
rm -rf "$debs"
echo "$qemu"
