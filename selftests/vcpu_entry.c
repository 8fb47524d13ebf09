// SPDX-License-Identifier: GPL-2.0-only
/*
 * What lies between KVM's registers and struct kvm_run: what a snapshot takes of both,
 * what a VMM may do after a restore and before the entry, as Documentation/restore.rst says
 * call by call, and what would be refused there. That each piece of a vCPU comes back
 * is in vcpu_state.c.
 */
#include <pthread.h>

#include "state.h"
#include "harness.h"

#define CR4_PAE		0x20
#define CR4_SMEP	0x100000
#define EFER_LME	0x100
#define EFER_LMA	0x400
#define EFER_NX		0x800
#define CPUID_SMEP	0x80U		/* leaf 7, EBX */
#define CPUID_NX	0x100000U	/* leaf 0x80000001, EDX */
#define MARK		0x24000U	/* what guests leave for tests */
#define NOWHERE		0xdead0000U	/* nobody executes or touches it */

GUEST(halt, "	hlt\n");
/* An NMI handler that never returns leaves NMIs masked */
GUEST(nmi_stays, "	incl 0x24000\n"
		 "	hlt\n");
GUEST(count, "	incl 0x24004\n"
	     "	hlt\n");

FIXTURE(vcpu_entry) {
	struct tvm t;
	struct state *s;
};

FIXTURE_SETUP(vcpu_entry)
{
	t_begin();
	tvm_start(&self->t, 0, 0);
	tvm_load(&self->t, TVM_CODE, halt);
	self->s = calloc(3, sizeof(*self->s));
	t_must(self->s);
}

FIXTURE_TEARDOWN(vcpu_entry)
{
	free(self->s);
	tvm_close(&self->t);
	EXPECT_EQ(0, t_end());
}

/* ---- between a restore and the entry: what Documentation/restore.rst says, call by call ---- */

TEST_F(vcpu_entry, an_nmi_after_a_restore_is_delivered)
{
	struct kvm_sync_regs regs;
	int round;
	int snap;

	tvm_handler(&self->t, 2, nmi_stays);
	tvm_tables(&regs);
	tvm_set_regs(&self->t, &regs);
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	for (round = 0; round < 3; round++) {
		OK(hlk_restore(self->t.hlk, snap, NULL));
		ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_NMI));
		ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
		ASSERT_EQ(1, tvm_word(&self->t, MARK));
	}
	/* or as an event, which says itself that it counts */
	OK(hlk_restore(self->t.hlk, snap, NULL));
	self->t.run->s.regs.events.flags |= KVM_VCPUEVENT_VALID_NMI_PENDING;
	self->t.run->s.regs.events.nmi.pending = 1;
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	ASSERT_EQ(1, tvm_word(&self->t, MARK));
	/* and none of them comes later */
	OK(hlk_restore(self->t.hlk, snap, NULL));
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	ASSERT_EQ(0, tvm_word(&self->t, MARK));
	close(snap);
}

TEST_F(vcpu_entry, an_nmi_of_the_snapshot_comes_back)
{
	struct kvm_vcpu_events nmi = {
		.flags = KVM_VCPUEVENT_VALID_NMI_PENDING, .nmi.pending = 1,
	};
	struct kvm_sync_regs regs;
	int round;
	int snap;

	tvm_handler(&self->t, 2, nmi_stays);
	tvm_tables(&regs);
	tvm_set_regs(&self->t, &regs);
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_VCPU_EVENTS, &nmi));
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	for (round = 0; round < 3; round++) {
		OK(hlk_restore(self->t.hlk, snap, NULL));
		ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
		ASSERT_EQ(1, tvm_word(&self->t, MARK));
	}
	close(snap);
}

#define SMI_HANDLER	0x38000U	/* of a processor after reset */

TEST_F(vcpu_entry, an_smi_after_a_restore_is_delivered)
{
	/* SMM has an address space of its own */
	struct kvm_userspace_memory_region smram = {
		.slot = 1 << 16,
		.memory_size = TVM_LOW,
		.userspace_addr = (uintptr_t)tvm_at(&self->t, 0),
	};
	int snap;

	if (ioctl(self->t.kvm, KVM_CHECK_EXTENSION, KVM_CAP_X86_SMM) <= 0)
		SKIP(return, "KVM was built without SMM");
	ASSERT_EQ(0, ioctl(self->t.vm, KVM_SET_USER_MEMORY_REGION, &smram));
	tvm_load(&self->t, SMI_HANDLER, halt);
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, snap, NULL));
	get_state(&self->t, &self->s[0]);
	OK(hlk_restore(self->t.hlk, snap, NULL));
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SMI));
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	ASSERT_EQ(1, self->t.run->s.regs.events.smi.smm);
	OK(hlk_restore(self->t.hlk, snap, NULL));
	get_state(&self->t, &self->s[1]);
	SAME_STATE(self->s[0], self->s[1]);
	close(snap);
}

/*
 * The events of the snapshot are loaded over it. ready_for_interrupt_injection says
 * so, which KVM wants to be asked before KVM_INTERRUPT.
 */
TEST_F(vcpu_entry, an_interrupt_after_a_restore_is_for_later)
{
	struct kvm_interrupt irq = { .irq = 0x30 };
	struct kvm_run *run = self->t.run;
	struct kvm_sync_regs regs;
	int snap;

	tvm_handler(&self->t, 0x30, nmi_stays);
	tvm_tables(&regs);
	regs.regs.rflags |= 0x200;
	tvm_set_regs(&self->t, &regs);
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	ASSERT_EQ(1, run->ready_for_interrupt_injection);
	OK(hlk_restore(self->t.hlk, snap, NULL));
	ASSERT_EQ(0, run->ready_for_interrupt_injection);
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_INTERRUPT, &irq));
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	ASSERT_EQ(0, tvm_word(&self->t, MARK));

	/* as an event */
	OK(hlk_restore(self->t.hlk, snap, NULL));
	run->s.regs.events.interrupt.injected = 1;
	run->s.regs.events.interrupt.nr = 0x30;
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	ASSERT_EQ(1, tvm_word(&self->t, MARK));

	/* after an entry that ends at once, or at the window that it asks for */
	OK(hlk_restore(self->t.hlk, snap, NULL));
	ASSERT_EQ(0, tvm_complete_io(&self->t));
	ASSERT_EQ(1, run->ready_for_interrupt_injection);
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_INTERRUPT, &irq));
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	ASSERT_EQ(1, tvm_word(&self->t, MARK));

	OK(hlk_restore(self->t.hlk, snap, NULL));
	run->request_interrupt_window = 1;
	ASSERT_EQ(KVM_EXIT_IRQ_WINDOW_OPEN, tvm_run(&self->t));
	run->request_interrupt_window = 0;
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_INTERRUPT, &irq));
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	ASSERT_EQ(1, tvm_word(&self->t, MARK));
	close(snap);
}

#define MSR_SYSENTER_CS	0x174

TEST_F(vcpu_entry, what_is_set_after_a_restore)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msr = { .head.nmsrs = 1, .entry = { .index = MSR_SYSENTER_CS, .data = 0x77 } };
	struct kvm_vcpu_events events = { .exception = { .injected = 1, .nr = 6 } };
	struct kvm_debugregs debug;
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	struct kvm_fpu fpu;
	int snap;

	snap = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, snap, NULL));
	get_state(&self->t, &self->s[0]);
	regs = self->s[0].regs;
	sregs = self->s[0].sregs;
	fpu = self->s[0].fpu;
	debug = self->s[0].debug;
	OK(hlk_restore(self->t.hlk, snap, NULL));

	/* loaded over at the entry */
	regs.rbx = 0x77;
	sregs.cr2 = 0x77000;
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_REGS, &regs));
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_SREGS, &sregs));
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_VCPU_EVENTS, &events));
	get_state(&self->t, &self->s[1]);
	SAME_STATE(self->s[0], self->s[1]);

	/* not loaded again: these stay */
	OK(hlk_restore(self->t.hlk, snap, NULL));
	fpu.fcw = 0x27f;
	debug.db[1] = NOWHERE;
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_FPU, &fpu));
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_DEBUGREGS, &debug));
	ASSERT_EQ(1, ioctl(self->t.vcpu, KVM_SET_MSRS, &msr));
	get_state(&self->t, &self->s[1]);
	SAME(self->s[0], self->s[1], regs);
	ASSERT_EQ(0x27f, self->s[1].fpu.fcw);
	ASSERT_EQ(NOWHERE, self->s[1].debug.db[1]);
	msr.entry.data = 0;
	ASSERT_EQ(1, ioctl(self->t.vcpu, KVM_GET_MSRS, &msr));
	ASSERT_EQ(0x77, msr.entry.data);

	/* what KVM shows until then is what was there before */
	OK(hlk_restore(self->t.hlk, snap, NULL));
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	OK(hlk_restore(self->t.hlk, snap, NULL));
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_GET_REGS, &regs));
	ASSERT_EQ(TVM_CODE + 1, regs.rip);
	ASSERT_EQ(TVM_CODE, self->t.run->s.regs.regs.rip);
	close(snap);
}

/* ---- one truth: what a snapshot takes ---- */

TEST_F(vcpu_entry, a_snapshot_before_the_first_entry)
{
	struct kvm_sync_regs regs;
	struct tvm t;
	u32 valid;
	int snap;

	for (valid = 0; valid < 2; valid++) {
		tvm_open(&t);
		t.run->kvm_valid_regs = valid ? SYNC_ALL : 0;
		tvm_attach(&t, 0, 0);
		tvm_window(&t, 0, TVM_LOW, 0);
		tvm_load(&t, TVM_CODE, count);
		tvm_flat(&regs, TVM_CODE, TVM_STACK);
		regs.regs.rbx = 0x77;
		ASSERT_EQ(0, ioctl(t.vcpu, KVM_SET_SREGS, &regs.sregs));
		ASSERT_EQ(0, ioctl(t.vcpu, KVM_SET_REGS, &regs.regs));
		snap = OK(hlk_snapshot_flat(t.hlk));
		OK(hlk_restore(t.hlk, snap, NULL));
		ASSERT_EQ(0x77, t.run->s.regs.regs.rbx);
		get_state(&t, &self->s[0]);
		ASSERT_EQ(TVM_CODE, self->s[0].regs.rip);
		ASSERT_EQ(regs.sregs.cr0, self->s[0].sregs.cr0);
		ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&t));
		ASSERT_EQ(1, tvm_word(&t, MARK + 4));
		OK(hlk_restore(t.hlk, -1, NULL));
		get_state(&t, &self->s[1]);
		SAME_STATE(self->s[0], self->s[1]);
		close(snap);
		tvm_close(&t);
	}
}

/* Each by the call that changes it, with old ones in kvm_run */
TEST_F(vcpu_entry, a_snapshot_after_registers_were_set)
{
	struct kvm_vcpu_events masked = { .nmi.masked = 1 };
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	int snap[4];
	int round;
	u32 i;

	get_state(&self->t, &self->s[0]);
	regs = self->s[0].regs;
	sregs = self->s[0].sregs;
	snap[0] = OK(hlk_snapshot_flat(self->t.hlk));
	regs.rbx = 0x77;
	regs.rflags ^= 0x40;
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_REGS, &regs));
	snap[1] = OK(hlk_snapshot_flat(self->t.hlk));
	sregs.ds.base = 0x5000;
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_SREGS, &sregs));
	snap[2] = OK(hlk_snapshot_flat(self->t.hlk));
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_VCPU_EVENTS, &masked));
	snap[3] = OK(hlk_snapshot_flat(self->t.hlk));
	for (round = 0; round < 2; round++)
		for (i = 0; i < ARRAY_SIZE(snap); i++) {
			OK(hlk_restore(self->t.hlk, snap[i], NULL));
			get_state(&self->t, &self->s[1]);
			ASSERT_EQ(i > 0, self->s[1].regs.rbx == 0x77);
			ASSERT_EQ(i > 0, self->s[1].regs.rflags == regs.rflags);
			ASSERT_EQ(i > 1, self->s[1].sregs.ds.base == 0x5000);
			ASSERT_EQ(i > 2, self->s[1].events.nmi.masked);
		}
	/* what waits to be loaded wins, part by part */
	OK(hlk_restore(self->t.hlk, snap[0], NULL));
	ASSERT_EQ(0, tvm_complete_io(&self->t));
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_REGS, &regs));
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_SREGS, &sregs));
	self->t.run->s.regs.regs.rbx = 0x88;
	self->t.run->kvm_dirty_regs = KVM_SYNC_X86_REGS;
	close(snap[1]);
	snap[1] = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, snap[1], NULL));
	get_state(&self->t, &self->s[1]);
	ASSERT_EQ(0x88, self->s[1].regs.rbx);
	ASSERT_EQ(0x5000, self->s[1].sregs.ds.base);
	for (i = 0; i < ARRAY_SIZE(snap); i++)
		close(snap[i]);
}

static void *snapshot_without_file(void *arg)
{
	struct tvm *t = arg;

	t_must(!unshare(CLONE_FILES));
	close(t->vcpu);
	return (void *)(long)hlk_snapshot_flat(t->hlk);
}

static u32 thread_why, thread_index;

static void *snapshot_and_why(void *arg)
{
	void *ret = snapshot_without_file(arg);

	thread_why = t_why;
	thread_index = t_index;
	return ret;
}

TEST_F(vcpu_entry, a_snapshot_without_a_file_of_the_vcpu)
{
	pthread_t thread;
	void *ret;
	int snap;

	ASSERT_EQ(0, pthread_create(&thread, NULL, snapshot_and_why, &self->t));
	ASSERT_EQ(0, pthread_join(thread, &ret));
	ASSERT_EQ(-EINVAL, (long)ret);
	ASSERT_EQ(HLK_WHY_VCPU_FD, thread_why);
	ASSERT_EQ(0, thread_index);
	snap = OK(hlk_snapshot_flat(self->t.hlk));

	/* what waits in kvm_run needs none */
	OK(hlk_restore(self->t.hlk, snap, NULL));
	ASSERT_EQ(0, pthread_create(&thread, NULL, snapshot_without_file, &self->t));
	ASSERT_EQ(0, pthread_join(thread, &ret));
	/* its fd went with the thread */
	ASSERT_LE(0, (long)ret);
	close(snap);
}

/* The guest changes its PDPT, and goes by what its processor loaded before. */
GUEST(pae, "	movl $0x29001, 0x26008\n"
	   "	hlt\n"
	   "	movl 0x40000000, %eax\n"
	   "	hlt\n");

TEST_F(vcpu_entry, page_directory_pointers)
{
	struct kvm_sync_regs regs;
	u64 *pdpt = (u64 *)tvm_at(&self->t, 0x26000);
	u64 *table = (u64 *)tvm_at(&self->t, 0x2a000);
	u32 seen, i;
	int snap;

	tvm_load(&self->t, TVM_CODE, pae);
	pdpt[0] = 0x27001;
	pdpt[1] = 0x28001;
	*(u64 *)tvm_at(&self->t, 0x27000) = 0x2a003;
	*(u64 *)tvm_at(&self->t, 0x28000) = 0x2b003;
	*(u64 *)tvm_at(&self->t, 0x29000) = 0x2c003;
	for (i = 0; i < 256; i++)
		table[i] = i * PAGE + 3;
	*(u64 *)tvm_at(&self->t, 0x2b000) = 0x30003;
	*(u64 *)tvm_at(&self->t, 0x2c000) = 0x31003;
	*(u32 *)tvm_at(&self->t, 0x30000) = 0xaa;
	*(u32 *)tvm_at(&self->t, 0x31000) = 0xbb;
	tvm_flat(&regs, TVM_CODE, TVM_STACK);
	regs.sregs.cr0 = HLK_GUEST_CR0;
	regs.sregs.cr4 = CR4_PAE;
	regs.sregs.cr3 = 0x26000;
	tvm_set_regs(&self->t, &regs);
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	close(snap);
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	snap = hlk_snapshot_flat(self->t.hlk);
	if (snap < 0) {
		/* with VMX, where the processor keeps them */
		ASSERT_EQ(-EOPNOTSUPP, snap);
		ASSERT_EQ(HLK_WHY_PDPTRS, t_why);
	}
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	seen = self->t.run->s.regs.regs.rax;
	TH_LOG("the guest sees %#x", seen);
	if (snap < 0) {
		ASSERT_EQ(0xaa, seen);
		return;
	}
	OK(hlk_restore_flags(self->t.hlk, snap, HLK_RESTORE_AUDIT, NULL));
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	ASSERT_EQ(seen, self->t.run->s.regs.regs.rax);
	close(snap);
}

/* ---- what KVM would refuse ---- */

static void change_refused(struct kvm_sync_regs *regs, u32 what)
{
	switch (what) {
	case 0:
		regs->sregs.cr0 = 0x80000000;
		return;
	case 1:
		regs->sregs.cr0 |= 1ULL << 32;
		return;
	case 2:
		regs->sregs.cr0 |= 1 << 29;
		return;
	case 3:
		regs->sregs.cr4 |= 1 << 30;
		return;
	case 4:
		regs->sregs.efer = EFER_LME | EFER_LMA;
		return;
	case 5:
		regs->sregs.efer = EFER_LME;
		regs->sregs.cr0 = HLK_GUEST_CR0;
		regs->sregs.cr4 |= CR4_PAE;
		return;
	case 6:
		regs->sregs.efer = EFER_LME | EFER_LMA;
		regs->sregs.cr0 = HLK_GUEST_CR0;
		return;
	case 7:
		regs->sregs.efer = EFER_LME | EFER_LMA;
		regs->sregs.cr0 = HLK_GUEST_CR0;
		regs->sregs.cr4 |= CR4_PAE;
		regs->sregs.cr3 = 1ULL << 60;
		return;
	case 8:
		regs->sregs.cs.l = 1;
		return;
	case 9:
		regs->sregs.apic_base |= 2;
		return;
	case 10:
		regs->sregs.apic_base = 0xfee00400;
		return;
	case 11:
		regs->events.flags = 0x80;
		return;
	case 12:
		regs->events.exception.injected = 1;
		regs->events.exception.nr = 40;
		return;
	case 13:
		regs->events.exception.injected = 1;
		regs->events.exception.nr = 2;
		return;
	}
}

static const u32 refused[] = {
	HLK_REFUSED_CR0, HLK_REFUSED_CR0, HLK_REFUSED_CR0, HLK_REFUSED_CR4,
	HLK_REFUSED_EFER, HLK_REFUSED_EFER, HLK_REFUSED_CR4, HLK_REFUSED_CR3,
	HLK_REFUSED_EFER, HLK_REFUSED_APIC_BASE, HLK_REFUSED_APIC_BASE,
	HLK_REFUSED_EVENTS, HLK_REFUSED_EVENTS, HLK_REFUSED_EVENTS,
};

TEST_F(vcpu_entry, what_kvm_would_refuse_is_refused)
{
	struct kvm_sync_regs good = {}, regs;
	int snap, bad;
	u32 i;

	get_state(&self->t, &self->s[0]);
	good.regs = self->s[0].regs;
	good.sregs = self->s[0].sregs;
	snap = OK(tvm_build(&self->t, &good));
	for (i = 0; i < ARRAY_SIZE(refused); i++) {
		regs = good;
		change_refused(&regs, i);
		bad = OK(tvm_build(&self->t, &regs));
		OK(hlk_restore(self->t.hlk, snap, NULL));
		self->t.run->s.regs.regs.rbx = i + 1;
		FAILS(EMEDIUMTYPE, HLK_WHY_VCPU_REFUSED,
		      hlk_restore(self->t.hlk, bad, NULL));
		ASSERT_EQ(refused[i], t_where) {
			TH_LOG("%u", i);
		}
		ASSERT_EQ(0, t_index);
		/* nothing was changed */
		ASSERT_EQ(i + 1, self->t.run->s.regs.regs.rbx);
		ASSERT_EQ(0, tvm_complete_io(&self->t));
		/* and it is so: KVM does refuse it */
		self->t.run->s.regs.regs = regs.regs;
		self->t.run->s.regs.sregs = regs.sregs;
		self->t.run->s.regs.events = regs.events;
		self->t.run->kvm_dirty_regs = SYNC_ALL;
		self->t.run->immediate_exit = 1;
		ASSERT_EQ(-EINVAL, tvm_run(&self->t)) {
			TH_LOG("%u", i);
		}
		self->t.run->immediate_exit = 0;
		close(bad);
	}
	OK(hlk_restore(self->t.hlk, snap, NULL));
	get_state(&self->t, &self->s[1]);
	SAME(self->s[0], self->s[1], regs);
	close(snap);
}

static struct kvm_cpuid_entry2 *leaf(struct state *s, u32 function)
{
	u32 i;

	for (i = 0; i < s->cpuid.head.nent; i++)
		if (s->cpuid.entries[i].function == function &&
		    !s->cpuid.entries[i].index)
			return &s->cpuid.entries[i];
	return NULL;
}

TEST_F(vcpu_entry, registers_that_the_cpuid_has_not)
{
	struct tvm *t = &self->t;
	struct state *s = &self->s[1];
	struct kvm_sync_regs regs;
	int smep, nx, plain;
	struct tvm other;

	get_state(t, s);
	if (!leaf(s, 7) || !(leaf(s, 7)->ebx & CPUID_SMEP) ||
	    !(leaf(s, 0x80000001)->edx & CPUID_NX))
		SKIP(return, "no SMEP, or no NX");
	plain = OK(hlk_snapshot_flat(t->hlk));
	tvm_flat(&regs, TVM_CODE, TVM_STACK);
	regs.sregs.cr4 = CR4_SMEP;
	tvm_set_regs(t, &regs);
	smep = OK(hlk_snapshot_flat(t->hlk));
	regs.sregs.cr4 = 0;
	regs.sregs.efer = EFER_NX;
	tvm_set_regs(t, &regs);
	nx = OK(hlk_snapshot_flat(t->hlk));

	leaf(s, 7)->ebx &= ~CPUID_SMEP;
	leaf(s, 0x80000001)->edx &= ~CPUID_NX;
	tvm_open(&other);
	tvm_attach(&other, 0, 0);
	tvm_window(&other, 0, TVM_LOW, 0);
	tvm_window(&other, TVM_SCRATCH_GPA, TVM_SCRATCH, HLK_WINDOW_SCRATCH);
	/* taken as long as it has the CPUID for it */
	OK(hlk_restore(other.hlk, smep, NULL));
	ASSERT_EQ(0, ioctl(other.vcpu, KVM_SET_CPUID2, &s->cpuid));
	FAILS(EMEDIUMTYPE, HLK_WHY_VCPU_REFUSED, hlk_restore(other.hlk, -1, NULL));
	ASSERT_EQ(HLK_REFUSED_CR4, t_where);
	FAILS(EMEDIUMTYPE, HLK_WHY_VCPU_REFUSED, hlk_restore(other.hlk, nx, NULL));
	ASSERT_EQ(HLK_REFUSED_EFER, t_where);
	OK(hlk_restore(other.hlk, plain, NULL));
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&other));
	FAILS(EMEDIUMTYPE, HLK_WHY_VCPU_REFUSED, hlk_restore(other.hlk, smep, NULL));
	ASSERT_EQ(HLK_REFUSED_CR4, t_where);
	OK(hlk_restore(other.hlk, -1, NULL));
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&other));
	OK(hlk_restore(t->hlk, smep, NULL));
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(t));
	tvm_close(&other);
	close(plain);
	close(smep);
	close(nx);
}

/* Events that the next entry would start with, which KVM was not told: a VMM's zeroes */
TEST_F(vcpu_entry, events_that_flags_leave_out)
{
	struct kvm_vcpu_events *left = &self->s[0].events;
	struct hlk_restore r = HLK_STRUCT(hlk_restore);
	struct tvm *t = &self->t;
	int snap;

	t->run->kvm_valid_regs = SYNC_ALL;
	ASSERT_EQ(0, tvm_complete_io(t));
	memset(&t->run->s.regs.events, 0, sizeof(t->run->s.regs.events));
	t->run->kvm_dirty_regs = SYNC_ALL;
	snap = OK(hlk_snapshot_flat(t->hlk));
	ASSERT_EQ(0, tvm_complete_io(t));

	left->flags = KVM_VCPUEVENT_VALID_SHADOW;
	left->interrupt.shadow = KVM_X86_SHADOW_INT_STI;
	ASSERT_EQ(0, ioctl(t->vcpu, KVM_SET_VCPU_EVENTS, left));
	OK(hlk_restore(t->hlk, snap, &r));
	ASSERT_EQ(0, tvm_complete_io(t));
	ASSERT_EQ(0, ioctl(t->vcpu, KVM_GET_VCPU_EVENTS, left));
	ASSERT_EQ(0, left->interrupt.shadow);
	close(snap);
}

/* What KVM_NMI asks for between a restore and a snapshot waits for the next entry. */
TEST_F(vcpu_entry, a_snapshot_has_the_nmi_that_was_asked_for)
{
	struct kvm_vcpu_events *events = &self->s[0].events;
	struct hlk_restore r = HLK_STRUCT(hlk_restore);
	struct tvm *t = &self->t;
	int first, second;

	first = OK(hlk_snapshot_flat(t->hlk));
	OK(hlk_restore(t->hlk, first, &r));
	ASSERT_EQ(0, ioctl(t->vcpu, KVM_NMI, 0));
	second = OK(hlk_snapshot_flat(t->hlk));

	OK(hlk_restore(t->hlk, first, &r));
	ASSERT_EQ(0, tvm_complete_io(t));
	ASSERT_EQ(0, ioctl(t->vcpu, KVM_GET_VCPU_EVENTS, events));
	ASSERT_EQ(0, events->nmi.pending);
	OK(hlk_restore(t->hlk, second, &r));
	ASSERT_EQ(0, tvm_complete_io(t));
	ASSERT_EQ(0, ioctl(t->vcpu, KVM_GET_VCPU_EVENTS, events));
	ASSERT_EQ(1, events->nmi.pending);
	close(first);
	close(second);
}

TEST_F(vcpu_entry, a_snapshot_has_the_smi_that_was_asked_for)
{
	struct hlk_restore r = HLK_STRUCT(hlk_restore);
	struct tvm *t = &self->t;
	int first, second;

	if (ioctl(t->kvm, KVM_CHECK_EXTENSION, KVM_CAP_X86_SMM) <= 0)
		SKIP(return, "KVM was built without SMM");
	first = OK(hlk_snapshot_flat(t->hlk));
	OK(hlk_restore(t->hlk, first, &r));
	ASSERT_EQ(0, ioctl(t->vcpu, KVM_SMI));
	second = OK(hlk_snapshot_flat(t->hlk));

	OK(hlk_restore(t->hlk, first, &r));
	ASSERT_EQ(0, t->run->s.regs.events.smi.pending);
	OK(hlk_restore(t->hlk, second, &r));
	ASSERT_EQ(1, t->run->s.regs.events.smi.pending);
	close(first);
	close(second);
}

TEST_HARNESS_MAIN
