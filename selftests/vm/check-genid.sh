#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# check-genid.sh [SERIES [OPTION-OF-RUN...]]: do kernels of Debian draw other random numbers
# after each restore? libhlk-genid says so, of Debian's 686 kernel and of the amd64 kernels that
# the VMs run, in a VM with SERIES=6.12. GENID_GUESTS= names some of 686, 6.1, 6.12, 7.3 (686 6.1).
. "$(dirname "$0")/common.sh"

series=${1:-6.12}
shift || :
guests=${GENID_GUESTS:-686 6.1}
"$VM_DIR/setup.sh"
record check-genid GENID_GUESTS
build_user

dir=$BUILD/genid
mkdir -p "$dir"
data=(--data "$BUILD/user/tests/libhlk-genid")

# initrd NAME FLAG: one small program, for a Linux of 32 or 64 bits
initrd() {
	local root=$dir/root-$1
	mkdir -p "$root/dev"
	${CC:-gcc} "$2" -O2 -Wall -Wextra -Werror -ffreestanding -fno-pic \
		-fno-stack-protector -fcf-protection=none -nostdlib -static -no-pie \
		-Wl,--build-id=none -Wl,-z,noexecstack \
		"$TOP/selftests/guests/linux/random.c" -o "$root/init"
	[ -e "$root/dev/console" ] || mknod "$root/dev/console" c 5 1
	(cd "$root" && find . | cpio -o -H newc --quiet | gzip -9n) > "$dir/initrd-$1.gz"
	data+=(--data "$dir/initrd-$1.gz")
}

initrd 32 -m32
initrd 64 -m64
commands=:
for guest in $guests; do
	bits=64 mem=256
	if [ "$guest" = 686 ]; then
		bits=32 mem=64
		kernel=$("$VM_DIR/linux-guest.sh")
	else
		kernel=$("$VM_DIR/kernel.sh" "$guest")/vmlinuz
	fi
	cp "$kernel" "$dir/guest-$guest"
	data+=(--data "$dir/guest-$guest")
	commands+=" && echo '# guest $guest' && ./libhlk-genid guest-$guest initrd-$bits.gz $mem"
done

# One CPU: between several QEMU changes by a timer, and then may give a guest the interrupt
# that KVM injects twice; see testing.rst.
"$VM_DIR/run.sh" "$series" --smp 1 --timeout 1800 "$@" "${data[@]}" \
	--shell "cd /data && $commands && echo 'genid: all guests'" | tee "$dir/output"
grep -qx 'genid: all guests' "$dir/output"
