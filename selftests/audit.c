// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an audit finds. Most tests here are of guests that are well: each holds
 * a bug of one kind ready to be seen, and nothing but the audit looks. The bugs are
 * in vm/planted.sh.
 */
#include <sys/wait.h>

#include "hlk_test.h"
#include "harness.h"

#define CR4_OSFXSR	0x200
#define CR4_OSXSAVE	0x40000

#define PAGES		((TVM_LOW + TVM_SCRATCH) / PAGE)
#define BESIDE		0x40000000UL

GUEST(halt, "	hlt\n");
GUEST(io_in, "	inl $0x63, %eax\n"
	     "	hlt\n");

FIXTURE(audit) {
	struct tvm t;
	int snap;
};

FIXTURE_SETUP(audit)
{
	t_begin();
	tvm_start(&self->t, 0, 0);
	tvm_load(&self->t, TVM_CODE, halt);
	self->snap = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, self->snap, NULL));
}

FIXTURE_TEARDOWN(audit)
{
	close(self->snap);
	tvm_close(&self->t);
	EXPECT_EQ(0, t_end());
}

static int audited(struct tvm *t, int snap)
{
	return hlk_restore_flags(t->hlk, snap, HLK_RESTORE_AUDIT, NULL);
}

/* What a call may have done to a page; nobody but the audit looks what it is now. */
static void look(struct tvm *t, u64 gpa)
{
	(void)*(volatile u8 *)tvm_at(t, gpa);
}

/* ---- what mappings show ---- */

/* Two pages differ. */
static void two_snapshots(struct tvm *t, int snap[2])
{
	int i;

	for (i = 0; i < 2; i++) {
		tvm_at(t, TVM_DATA)[0] = 1 + i;
		tvm_at(t, TVM_DATA + PAGE)[0] = 1 + i;
		snap[i] = hlk_snapshot_flat(t->hlk);
		t_must(snap[i] >= 0);
	}
}

TEST_F(audit, shared_pages_of_another_snapshot)
{
	struct tvm other;
	int snap[2];

	two_snapshots(&self->t, snap);
	tvm_start(&other, 0, 0);
	OK(hlk_restore(other.hlk, snap[0], NULL));
	look(&other, TVM_DATA);
	tvm_at(&other, TVM_DATA + PAGE)[0] = 3;
	OK(audited(&other, snap[1]));
	ASSERT_EQ(2, tvm_at(&other, TVM_DATA)[0]);
	ASSERT_EQ(2, tvm_at(&other, TVM_DATA + PAGE)[0]);
	tvm_close(&other);
	close(snap[0]);
	close(snap[1]);
}

/* One that no memslot has, mapped so that nobody may touch it */
TEST_F(audit, in_each_mapping)
{
	struct tvm other;
	int snap[2];
	u8 *at;

	two_snapshots(&self->t, snap);
	tvm_start(&other, 0, 0);
	at = tvm_map(&other, TVM_DATA, PAGE, PROT_READ);
	OK(hlk_restore(other.hlk, snap[0], NULL));
	ASSERT_EQ(1, *(volatile u8 *)at);
	ASSERT_EQ(0, mprotect(at, PAGE, PROT_NONE));
	OK(audited(&other, snap[1]));
	ASSERT_EQ(0, mprotect(at, PAGE, PROT_READ));
	ASSERT_EQ(2, *(volatile u8 *)at);
	munmap(at, PAGE);
	tvm_close(&other);
	close(snap[0]);
	close(snap[1]);
}

TEST_F(audit, shared_pages_are_not_writable)
{
	look(&self->t, TVM_DATA);
	OK(audited(&self->t, -1));
}

/* Given back, and not left in page tables; and counted */
TEST_F(audit, pages_that_were_given_back)
{
	struct hlk_restore r;
	struct tvm few;
	u32 i;

	tvm_start(&few, 0, 4);
	OK(hlk_restore(few.hlk, self->snap, NULL));
	for (i = 0; i < 20; i++)
		tvm_at(&few, TVM_DATA + i * PAGE)[0] = 1;
	OK(hlk_restore_flags(few.hlk, -1, HLK_RESTORE_AUDIT, &r));
	ASSERT_LE(16, r.freed);
	tvm_close(&few);
}

TEST_F(audit, the_numbers_are_new)
{
	OK(audited(&self->t, -1));
	OK(audited(&self->t, -1));
	OK(hlk_restore_flags(self->t.hlk, -1,
			     HLK_RESTORE_AUDIT | HLK_RESTORE_REPRODUCIBLE, NULL));
}

/* ---- what it looked at, and what not ---- */

static struct hlk_vm_stats stats(struct tvm *t)
{
	struct hlk_vm_stats s = HLK_STRUCT(hlk_vm_stats);

	t_must(!hlk_stats(t->hlk, &s));
	return s;
}

TEST_F(audit, pages_are_counted)
{
	struct hlk_vm_stats before, after;
	u8 *at;
	u32 i;

	OK(audited(&self->t, -1));
	before = stats(&self->t);
	ASSERT_EQ(PAGES, before.audit_mapped + before.audit_absent);
	ASSERT_EQ(0, before.audit_beside);
	ASSERT_EQ(0, before.audit_elsewhere);
	for (i = 0; i < 10; i++)
		look(&self->t, TVM_DATA + i * PAGE);
	for (; i < 15; i++)
		tvm_at(&self->t, TVM_DATA + i * PAGE)[0] = 1;
	OK(audited(&self->t, -1));
	after = stats(&self->t);
	ASSERT_EQ(before.audits + 1, after.audits);
	ASSERT_EQ(before.audit_mapped + 15, after.audit_mapped);
	ASSERT_EQ(before.audit_absent - 15, after.audit_absent);

	/* a second mapping, of 20 pages, of which one is there */
	at = tvm_map(&self->t, TVM_DATA, 20 * PAGE, PROT_READ);
	(void)*(volatile u8 *)(at + 16 * PAGE);
	OK(audited(&self->t, -1));
	after = stats(&self->t);
	ASSERT_EQ(PAGES + 20, after.audit_mapped + after.audit_absent);
	ASSERT_EQ(before.audit_mapped + 16, after.audit_mapped);
	munmap(at, 20 * PAGE);
	/* others are none of an audit */
	OK(hlk_restore(self->t.hlk, -1, NULL));
	ASSERT_EQ(after.audits, stats(&self->t).audits);
}

TEST_F(audit, memslots_beside_the_windows)
{
	u8 *at = tvm_ram(&self->t, BESIDE, 3 * PAGE);

	at[0] = 1;
	OK(audited(&self->t, -1));
	ASSERT_EQ(3, stats(&self->t).audit_beside);
	/* and a window's, where something else was mapped over a part of it */
	at = mmap(tvm_at(&self->t, TVM_DATA), 2 * PAGE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)at);
	OK(audited(&self->t, -1));
	ASSERT_EQ(5, stats(&self->t).audit_beside);
	/* a window in two mappings is looked at all the same */
	ASSERT_EQ(0, mprotect(tvm_at(&self->t, TVM_DATA + 16 * PAGE), PAGE, PROT_READ));
	OK(audited(&self->t, -1));
	ASSERT_EQ(5, stats(&self->t).audit_beside);
	ASSERT_EQ(PAGES - 2, stats(&self->t).audit_mapped + stats(&self->t).audit_absent);
}

TEST_F(audit, mappings_of_other_processes)
{
	char byte;
	int fds[2];
	pid_t pid;

	if (madvise(tvm_at(&self->t, 0), TVM_LOW, MADV_DOFORK))
		SKIP(return, "not inherited here");
	ASSERT_EQ(0, pipe(fds));
	pid = fork();
	if (!pid) {
		close(fds[1]);
		_exit(read(fds[0], &byte, 1));
	}
	OK(audited(&self->t, -1));
	ASSERT_EQ(1, stats(&self->t).audit_elsewhere);
	close(fds[0]);
	close(fds[1]);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	OK(audited(&self->t, -1));
	ASSERT_EQ(0, stats(&self->t).audit_elsewhere);
}

/* ---- vCPUs ---- */

TEST_F(audit, registers)
{
	struct kvm_sync_regs regs;

	tvm_flat(&regs, TVM_CODE, TVM_STACK + 16);
	regs.regs.rbx = 0x12345678;
	tvm_set_regs(&self->t, &regs);
	OK(audited(&self->t, -1));
}

TEST_F(audit, cr8)
{
	self->t.run->cr8 = 5;
	OK(audited(&self->t, -1));
}

TEST_F(audit, the_fpu)
{
	struct kvm_fpu fpu;

	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_GET_FPU, &fpu));
	fpu.xmm[3][5] ^= 1;
	fpu.fcw ^= 1;
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_FPU, &fpu));
	OK(audited(&self->t, -1));
}

TEST_F(audit, debug_registers)
{
	struct kvm_debugregs debug;

	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_GET_DEBUGREGS, &debug));
	debug.db[2] = 0xdead0000;
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_DEBUGREGS, &debug));
	OK(audited(&self->t, -1));
}

TEST_F(audit, halted_or_not)
{
	struct kvm_mp_state state = { KVM_MP_STATE_HALTED };
	struct tvm t;

	tvm_open_irqchip(&t);
	tvm_machine(&t, 0, 0);
	OK(hlk_restore(t.hlk, self->snap, NULL));
	ASSERT_EQ(0, ioctl(t.vcpu, KVM_SET_MP_STATE, &state));
	OK(audited(&t, -1));
	tvm_close(&t);
}

TEST_F(audit, xcr0)
{
	struct kvm_xcrs xcrs = { .nr_xcrs = 1, .xcrs[0].value = 3 };
	struct kvm_sync_regs regs;

	tvm_flat(&regs, TVM_CODE, TVM_STACK);
	regs.sregs.cr4 = CR4_OSFXSR | CR4_OSXSAVE;
	if (ioctl(self->t.vcpu, KVM_SET_SREGS, &regs.sregs) ||
	    ioctl(self->t.vcpu, KVM_SET_XCRS, &xcrs))
		SKIP(return, "no XSAVE");
	OK(audited(&self->t, -1));
}

TEST_F(audit, a_pending_io)
{
	tvm_load(&self->t, TVM_CODE, io_in);
	tvm_set(&self->t, TVM_CODE);
	ASSERT_EQ(KVM_EXIT_IO, tvm_run(&self->t));
	OK(audited(&self->t, -1));
}

TEST_F(audit, a_flush_of_the_tlb)
{
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	OK(audited(&self->t, -1));
}

/* ---- dirty logs ---- */

static void log_slot(struct tvm *t, u32 slot, u32 flags)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = t->maps[slot].gpa,
		.memory_size = t->maps[slot].bytes,
		.userspace_addr = (uintptr_t)t->maps[slot].at,
	};

	t_must(!ioctl(t->vm, KVM_SET_USER_MEMORY_REGION, &region));
}

static int run_on(struct tvm *t, const void *input, u32 bytes)
{
	struct hlk_segment in = { TVM_DATA, bytes, (uintptr_t)input };
	struct hlk_run run = HLK_STRUCT(hlk_run);

	run.head.flags = HLK_RUN_CONTINUE;
	run.vcpu_fd = t->vcpu;
	run.inputs = (uintptr_t)&in;
	run.input_size = sizeof(in);
	run.nr_inputs = !!bytes;
	return hlk_call(t->hlk, HLK_RUN, &run);
}

/* What would write without a word to the log is refused, and nothing was written. */
TEST_F(audit, dirty_logs_are_refused)
{
	struct hlk_mark_cow mark = HLK_STRUCT(hlk_mark_cow);
	struct hlk_run run = HLK_STRUCT(hlk_run);
	u8 *at = tvm_at(&self->t, TVM_DATA);
	u8 byte = 9;
	int again;

	at[0] = 7;
	log_slot(&self->t, 1, KVM_MEM_LOG_DIRTY_PAGES);
	FAILS(EOPNOTSUPP, HLK_WHY_DIRTY_LOG, hlk_restore(self->t.hlk, -1, NULL));
	ASSERT_EQ(TVM_SCRATCH_GPA, t_where);
	log_slot(&self->t, 0, KVM_MEM_LOG_DIRTY_PAGES);
	FAILS(EOPNOTSUPP, HLK_WHY_DIRTY_LOG, hlk_restore(self->t.hlk, self->snap, NULL));
	ASSERT_EQ(0, t_where);
	log_slot(&self->t, 1, 0);
	run.vcpu_fd = self->t.vcpu;
	FAILS(EOPNOTSUPP, HLK_WHY_DIRTY_LOG, hlk_call(self->t.hlk, HLK_RUN, &run));
	ASSERT_EQ(0, run.done);
	FAILS(EOPNOTSUPP, HLK_WHY_DIRTY_LOG, run_on(&self->t, &byte, 1));
	mark.paging.flags = HLK_PAGING_GIVEN;
	FAILS(EOPNOTSUPP, HLK_WHY_DIRTY_LOG, hlk_call(self->t.hlk, HLK_MARK_COW, &mark));
	FAILS(EOPNOTSUPP, HLK_WHY_DIRTY_LOG, hlk_snapshot_flat(self->t.hlk));
	ASSERT_EQ(7, at[0]);
	/* the guest's own writes are KVM's to log */
	OK(run_on(&self->t, NULL, 0));
	ASSERT_EQ(KVM_EXIT_HLT, self->t.run->exit_reason);

	/* without, all is as before */
	log_slot(&self->t, 0, 0);
	again = OK(hlk_snapshot_flat(self->t.hlk));
	OK(audited(&self->t, again));
	ASSERT_EQ(7, at[0]);
	OK(audited(&self->t, self->snap));
	ASSERT_EQ(0, at[0]);
	close(again);
}

/* Should it be there all the same, an audit finds it. */
TEST_F(audit, finds_no_dirty_log)
{
	log_slot(&self->t, 0, KVM_MEM_LOG_DIRTY_PAGES);
	ASSERT_NE(-EUCLEAN, audited(&self->t, -1));
}

/* A dirty ring is for slots with the same flag; it comes before all vCPUs. */
TEST_F(audit, dirty_rings_are_refused)
{
	struct kvm_enable_cap ring = {
		.cap = KVM_CAP_DIRTY_LOG_RING,
		.args[0] = 65536,
	};
	struct tvm t = { .dev = hlk_open() };
	void *at;
	int snap;

	t.kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	t.vm = ioctl(t.kvm, KVM_CREATE_VM, 0);
	ASSERT_LE(0, t.vm);
	t.vcpu = -1;
	if (ioctl(t.vm, KVM_ENABLE_CAP, &ring))
		SKIP(goto out, "no dirty ring");
	tvm_attach(&t, 0, 0);
	t_must(!hlk_window_add(t.hlk, 0, TVM_LOW, 0));
	at = tvm_map(&t, 0, TVM_LOW, PROT_READ | PROT_WRITE);
	tvm_memslot(&t, 0, TVM_LOW, at, KVM_MEM_LOG_DIRTY_PAGES);
	FAILS(EOPNOTSUPP, HLK_WHY_DIRTY_LOG, hlk_snapshot_flat(t.hlk));
	log_slot(&t, 0, 0);
	snap = OK(hlk_snapshot_flat(t.hlk));
	log_slot(&t, 0, KVM_MEM_LOG_DIRTY_PAGES);
	FAILS(EOPNOTSUPP, HLK_WHY_DIRTY_LOG, hlk_restore(t.hlk, snap, NULL));
	close(snap);
out:
	tvm_close(&t);
}

TEST_HARNESS_MAIN
