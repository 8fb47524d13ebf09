// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMX without unrestricted guests, as old processors have it: KVM keeps memory of its
 * own where the guest can write, and no snapshot holds it. Where guests are unrestricted, and
 * with SVM, there is nothing to test; see vm/check-vmx.sh.
 */
#include "hlk_test.h"
#include "harness.h"

#define IDENTITY_MAP	0xfffbc000U	/* unless KVM_SET_IDENTITY_MAP_ADDR says else */
#define OTHER_TSS	0xfffc8000U

/* Of the identity map, an entry that the guest does not use */
GUEST(count, "	incl 0xfffbd100\n"
	     "	incl 0xfffbc800\n"
	     "	movl 0xfffbd100, %eax\n"
	     "	movl 0xfffbc800, %ebx\n"
	     "	hlt\n");

static bool parameter(const char *name)
{
	char path[64];
	char value = 'N';
	int fd;

	snprintf(path, sizeof(path), "/sys/module/kvm_intel/parameters/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	t_must(read(fd, &value, 1) == 1);
	close(fd);
	return value == 'Y';
}

static bool restricted(void)
{
	return parameter("ept") && !parameter("unrestricted_guest");
}

/* What it is about: the guest finds there what it wrote in another call. */
TEST(guests_write_to_kvm_s_own_pages)
{
	struct tvm t;
	u32 tss, identity;

	if (!restricted())
		SKIP(return, "guests are unrestricted, or there is no VMX");
	tvm_open(&t);
	tvm_ram(&t, 0, TVM_LOW);
	tvm_load(&t, TVM_CODE, count);
	tvm_set(&t, TVM_CODE);
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&t));
	tss = t.run->s.regs.regs.rax;
	identity = t.run->s.regs.regs.rbx;
	tvm_set(&t, TVM_CODE);
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&t));
	ASSERT_EQ(tss + 1, (u32)t.run->s.regs.regs.rax);
	ASSERT_EQ(identity + 1, (u32)t.run->s.regs.regs.rbx);
	tvm_close(&t);
}

/* They come after the attach, and after a snapshot; and KVM takes none back. */
TEST(a_tss_that_comes_is_refused)
{
	struct hlk_restore r = HLK_STRUCT(hlk_restore);
	int dev, kvm, vm, hlk, snap, vcpu;

	if (!restricted())
		SKIP(return, "guests are unrestricted, or there is no VMX");
	t_begin();
	dev = hlk_open();
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, kvm);
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	ASSERT_LE(0, vm);
	hlk = OK(hlk_attach(dev, vm, 0, 0));
	snap = OK(hlk_snapshot_flat(hlk));
	OK(hlk_restore(hlk, snap, &r));
	ASSERT_EQ(0, r.residue);

	ASSERT_EQ(0, ioctl(vm, KVM_SET_TSS_ADDR, OTHER_TSS));
	FAILS(EOPNOTSUPP, HLK_WHY_KVM_PAGES, hlk_restore(hlk, -1, NULL));
	ASSERT_EQ(OTHER_TSS, t_where);
	FAILS(EOPNOTSUPP, HLK_WHY_KVM_PAGES, hlk_restore(hlk, snap, NULL));
	FAILS(EOPNOTSUPP, HLK_WHY_KVM_PAGES, hlk_snapshot_flat(hlk));
	ASSERT_EQ(OTHER_TSS, t_where);

	/* that of the identity map comes with a vCPU, and the first one is told */
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	ASSERT_LE(0, vcpu);
	FAILS(EOPNOTSUPP, HLK_WHY_KVM_PAGES, hlk_snapshot_flat(hlk));
	ASSERT_EQ(IDENTITY_MAP, t_where);
	close(vcpu);
	close(snap);
	close(hlk);
	close(vm);
	close(kvm);
	close(dev);
	EXPECT_EQ(0, t_end());
}

/* Before the dirty log, which one could turn off */
TEST(a_vm_with_a_vcpu_is_refused)
{
	struct hlk_run run = HLK_STRUCT(hlk_run);
	struct tvm t;

	if (!restricted())
		SKIP(return, "guests are unrestricted, or there is no VMX");
	t_begin();
	tvm_open(&t);
	tvm_attach(&t, 0, 0);
	tvm_window(&t, 0, TVM_LOW, 0);
	FAILS(EOPNOTSUPP, HLK_WHY_KVM_PAGES, hlk_snapshot_flat(t.hlk));
	ASSERT_EQ(IDENTITY_MAP, t_where);
	tvm_memslot(&t, 0x40000000, PAGE, t.maps[0].at, KVM_MEM_LOG_DIRTY_PAGES);
	FAILS(EOPNOTSUPP, HLK_WHY_KVM_PAGES, hlk_snapshot_flat(t.hlk));
	run.vcpu_fd = t.vcpu;
	run.head.flags = HLK_RUN_CONTINUE;
	tvm_load(&t, TVM_CODE, count);
	tvm_set(&t, TVM_CODE);
	/* nothing is restored or written there */
	OK(hlk_call(t.hlk, HLK_RUN, &run));
	ASSERT_EQ(KVM_EXIT_HLT, t.run->exit_reason);
	tvm_close(&t);
	EXPECT_EQ(0, t_end());
}

TEST_HARNESS_MAIN
