#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# check-machines.sh [SERIES [OPTION-OF-RUN...]]: kernels that know nothing of hlk under
# hlk-run boot: kernels of Debian as they are in their packages, and some of our own. See
# selftests/machines.sh, which runs in a VM of each of $KERNELS, or of SERIES alone; with
# CHECK_DEBUG=1 in one of the debug kernel too, a twentieth as often.
#
# The agent of Linux guests is called ROUNDS times in place, as often in another process, and
# at 20 random moments; see libhlk-linux.
#
# Each is restored ROUNDS=1000 times, and CLONE_ROUNDS times in another process, a tenth of
# that if it is not given. MACHINES= names some of them. TAP; the last line is
# `N passed, N failed, N skipped`.
. "$(dirname "$0")/common.sh"

ROUNDS=${ROUNDS:-1000}
guests=${MACHINES:-nanvix three pae gnumach 686 cloud}
"$VM_DIR/setup.sh"
record check-machines KERNELS ROUNDS CLONE_ROUNDS MACHINES CHECK_DEBUG
build_user

dir=$BUILD/machines
mkdir -p "$dir"
data=()
while read -r file; do
	data+=(--data "$file")
done < <(make -s -C "$TOP/selftests" data)

# initrd NAME FLAG: one small program, for a Linux of 32 or 64 bits
initrd() {
	local root=$dir/root-$1
	mkdir -p "$root/dev"
	${CC:-gcc} "$2" -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack \
		"$TOP/selftests/guests/linux-init.S" -o "$root/init"
	[ -e "$root/dev/console" ] || mknod "$root/dev/console" c 5 1
	(cd "$root" && find . | cpio -o -H newc --quiet | gzip -9n) > "$dir/initrd-$1.gz"
	data+=(--data "$dir/initrd-$1.gz")
}

# kernel NAME FILE: a kernel of Debian
kernel() {
	cp "$("$VM_DIR/linux-guest.sh" "$1")" "$dir/$2"
	data+=(--data "$dir/$2")
}

for guest in $guests; do
	case $guest in
	686) kernel 686 vmlinuz-686; initrd 686 -m32 ;;
	cloud) kernel cloud vmlinuz-cloud; initrd cloud -m64 ;;
	gnumach) kernel gnumach gnumach ;;
	esac
done

# calls into those that are Linux
programs=("$TOP/selftests/machines.sh")
for guest in $guests; do
	case $guest in
	686) programs+=("$TOP/selftests/linux.sh") ;;
	cloud) programs+=("$TOP/selftests/linux-cloud.sh")
		data+=(--data "$TOP/selftests/linux.sh") ;;
	*) continue ;;
	esac
	"$VM_DIR/linux-initrd.sh" "$guest"
	data+=(--data "$BUILD/linux/agent-$guest.cpio")
done
data+=(--data "$BUILD/user/tests/libhlk-linux")

series=${1:-}
shift || :
passed=0 failed=0 skipped=0
# With several CPUs QEMU may give a guest an interrupt twice that KVM injects; see testing.rst.
check() { # check SERIES ROUNDS OPTION-OF-RUN...
	local series=$1 rounds=$2 p f s rc=0
	shift 2
	"$VM_DIR/run.sh" "$series" --smp 1 --timeout 3600 --total 14400 --limit 14400 "$@" \
		"${data[@]}" --env "ROUNDS=$rounds" --env "CLONE_ROUNDS=${CLONE_ROUNDS:-}" \
		--env "MACHINES=$guests" --env "CALLS=$rounds" --env "MOMENTS=20" \
		-- "${programs[@]}" |
		tee "$dir/output-$series" || rc=$?
	read -r p _ f _ s _ < <(tail -n 1 "$dir/output-$series" |
		grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' ||
		echo "0 passed, 1 failed, 0 skipped")
	[ "$rc" -eq 0 ] || [ "$f" -gt 0 ] || f=1
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

for one in ${series:-$KERNELS}; do
	check "$one" "$ROUNDS" "$@"
done
if [ -z "$series" ] && [ "${CHECK_DEBUG:-0}" != 0 ]; then
	check debug $(((ROUNDS + 19) / 20))
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
