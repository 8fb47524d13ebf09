#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# debug-kernel.sh: build a kernel that catches our mistakes from Debian's
# linux-source-6.12; print its folder, laid out as kernel.sh does.
#
# KASAN, UBSAN, lockdep, sleep-in-atomic, object debugging, kmemleak and fault
# injection. Takes some minutes once; kept in the cache outside the tree.
. "$(dirname "$0")/common.sh"
. "$VM_DIR/modules.sh"

config=$VM_DIR/debug.config
dir=$CACHE/kernels/debug-$(sha256sum < "$config" | cut -c 1-12)
if [ -f "$dir/release" ] && has_modules "$dir"; then
	echo "$dir"
	exit 0
fi

"$VM_DIR/setup.sh"
mkdir -p "$CACHE/kernels"
exec 9> "$CACHE/kernels/debug.lock"
flock 9
if [ -f "$dir/release" ] && has_modules "$dir"; then
	echo "$dir"
	exit 0
fi

log=$CACHE/debug-kernel.log
tree=$dir/tree
[ -f "$tree/.unpacked" ] || rm -rf "$dir"
kernel_tree "$tree"

say "building a debug kernel; the log is $log"
# With static keys every CPU may run code that another one patches, which QEMU's
# multi-threaded emulation does not stand; without them two CPUs run side by side.
grep -q '^CONFIG_JUMP_LABEL=' "$config" && die "no static keys, please"

export KBUILD_BUILD_TIMESTAMP=2026-01-01 KBUILD_BUILD_USER=hlk KBUILD_BUILD_HOST=hlk
{
	make -C "$tree" O="$dir/build" ARCH=x86_64 KCONFIG_ALLCONFIG="$config" \
		allnoconfig
	make -C "$dir/build" -j"$(nproc)" bzImage modules
} > "$log" 2>&1 || die "the debug kernel does not build; see $log"

# What was asked for must not have fallen to a dependency.
for option in KASAN_GENERIC UBSAN PROVE_LOCKING DEBUG_ATOMIC_SLEEP KVM_AMD=m \
	      DEBUG_KMEMLEAK FAILSLAB FAIL_PAGE_ALLOC FAULT_INJECTION_USERCOPY \
	      FAULT_INJECTION_DEBUG_FS PAGE_TABLE_CHECK DEBUG_LIST DEBUG_OBJECTS \
	      KCOV GCOV_KERNEL USER_NS SWAP BLK_DEV_RAM KSM TRANSPARENT_HUGEPAGE \
	      MEMCG MEMCG_V1 CPUSETS USERFAULTFD PTE_MARKER_UFFD_WP MEM_SOFT_DIRTY \
	      SECRETMEM HUGETLBFS NUMA_BALANCING NUMA_EMU X86_64_ACPI_NUMA KEYS \
	      X86_MCE MEMORY_FAILURE HWPOISON_INJECT=m ACPI VIRTIO_PCI VIRTIO_BLK \
	      EXT4_FS FS_VERITY BLK_DEV_LOOP FAIL_MAKE_REQUEST VHOST_VSOCK=m \
	      KVM_ASYNC_PF KVM_HYPERV KVM_XEN X86_INTEL_MEMORY_PROTECTION_KEYS \
	      HIGH_RES_TIMERS X86_PM_TIMER CROSS_MEMORY_ATTACH IO_URING EVENT_TRACING \
	      SECCOMP_FILTER UNIX98_PTYS; do
	[[ $option = *=m ]] || option=$option=y
	grep -qx "CONFIG_$option" "$dir/build/.config" ||
		die "CONFIG_$option did not survive"
done

cp "$dir/build/arch/x86/boot/bzImage" "$dir/vmlinuz"
take_modules "$dir/build" "$dir"
echo "$dir/build" > "$dir/kdir"
cat "$dir/build/include/config/kernel.release" > "$dir/release"
echo "$dir"
