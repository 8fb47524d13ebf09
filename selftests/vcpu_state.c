// SPDX-License-Identifier: GPL-2.0-only
/*
 * The complete reset of a vCPU, piece by piece: each test changes one that
 * Documentation/restore.rst lists, by the guest where the guest can, and looks.
 * What makes up most of a vCPU's life is in vcpu.c.
 */
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "prog.h"
#include "state.h"
#include "harness.h"

#define CR0_NE		0x20
#define CR0_WP		0x10000
#define CR4_PSE		0x10
#define CR4_PAE		0x20
#define CR4_PGE		0x80
#define CR4_OSFXSR	0x200
#define CR4_VMXE	0x2000
#define CR4_OSXSAVE	0x40000
#define EFER_SCE	0x1
#define EFER_LME	0x100
#define EFER_LMA	0x400
#define EFER_SVME	0x1000
#define VM_HSAVE_PA	0xc0010117	/* MSR */
#define FEAT_CTL	0x3aU		/* MSRs */
#define VMX_BASIC	0x480U

#define MARK		0x24000U	/* what guests leave for tests */
#define NOWHERE		0xdead0000U	/* nobody executes or touches it */

GUEST(halt, "	hlt\n");

/* An NMI handler that never returns leaves NMIs masked */
GUEST(nmi_stays, "	incl 0x24000\n"
		 "	hlt\n");
/* One that does */
GUEST(nmi_returns, "	incl 0x24000\n"
		   "	iret\n");
GUEST(count, "	incl 0x24004\n"
	     "	hlt\n");

/* AVX registers, and how much room CPUID says that XSAVE takes for XCR0 */
GUEST(avx, "	vbroadcastss 0x24000, %ymm0\n"
	   "	vmovaps %ymm0, %ymm7\n"
	   "	jmp 1f\n"
	   "1:	mov $0xd, %eax\n"
	   "	xor %ecx, %ecx\n"
	   "	cpuid\n"
	   "	mov %ebx, 0x24004\n"
	   "	hlt\n");

GUEST(debug_all, "	mov $0xdead0000, %eax\n"
		 "	mov %eax, %db0\n"
		 "	inc %eax\n"
		 "	mov %eax, %db1\n"
		 "	inc %eax\n"
		 "	mov %eax, %db2\n"
		 "	inc %eax\n"
		 "	mov %eax, %db3\n"
		 "	mov $0xffff4ff0, %eax\n"
		 "	mov %eax, %db6\n"
		 "	mov $0x400, %eax\n"
		 "	mov %eax, %db7\n"
		 "	hlt\n");

GUEST(tsc, "	rdtsc\n"
	   "	mov %eax, 0x24000\n"
	   "	mov %edx, 0x24004\n"
	   "	hlt\n");

/* A KVM that lets the hardware keep the GIF lets each guest have CLGI, too */
GUEST(clgi, "	clgi\n"
	    "	hlt\n");

/* A guest of its own, and what that one has in EAX in the end */
GUEST(vmrun, "	mov $0x40000, %eax\n"
	     "	vmrun\n"
	     "	stgi\n"
	     "	mov 0x405f8, %eax\n"
	     "	mov 0x40070, %ebx\n"
	     "	hlt\n");

GUEST(l2, "	mov 0x24000, %eax\n"
	  "	vmmcall\n");

/* VMX operation: what permits it first, then itself */
GUEST(vmxon, "	mov %cr4, %eax\n"
	     "	or $0x2000, %eax\n"
	     "	mov %eax, %cr4\n"
	     "	hlt\n"
	     "	xor %ebx, %ebx\n"
	     "	vmxon 0x24000\n"
	     "	jbe 1f\n"
	     "	inc %ebx\n"
	     "1:	hlt\n"
	     "	vmxoff\n"
	     "	mov %cr4, %eax\n"
	     "	and $~0x2000, %eax\n"
	     "	mov %eax, %cr4\n"
	     "	hlt\n");

/* Interrupts on, and an instruction later the shadow of STI still there */
GUEST(sti, "	sti\n"
	   "	hlt\n");

FIXTURE(vcpu_state) {
	struct tvm t;
	struct state *s;
};

FIXTURE_SETUP(vcpu_state)
{
	t_begin();
	tvm_start(&self->t, 0, 0);
	tvm_load(&self->t, TVM_CODE, halt);
	self->s = calloc(3, sizeof(*self->s));
	t_must(self->s);
}

FIXTURE_TEARDOWN(vcpu_state)
{
	free(self->s);
	tvm_close(&self->t);
	EXPECT_EQ(0, t_end());
}

/* ---- registers, one by one ---- */

TEST_F(vcpu_state, each_general_register)
{
	struct kvm_regs regs, got;
	u32 i;
	int snap;

	snap = OK(hlk_snapshot_flat(self->t.hlk));
	get_state(&self->t, &self->s[0]);
	for (i = 0; i < sizeof(regs) / sizeof(u64); i++) {
		regs = self->s[0].regs;
		((u64 *)&regs)[i] ^= i == 17 ? 0xd5 : 0x5a5a5a5aULL;
		ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_REGS, &regs));
		ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_GET_REGS, &got));
		DIFFERENT(self->s[0], (struct state){ .regs = got }, regs);
		OK(hlk_restore(self->t.hlk, snap, NULL));
		get_state(&self->t, &self->s[1]);
		SAME_STATE(self->s[0], self->s[1]);
	}
	close(snap);
}

#define SEGMENTS	8	/* the segments come first in struct kvm_sregs */

static void change_segment(struct kvm_segment *seg, u32 what)
{
	switch (what) {
	case 0:
		seg->base ^= 0x1000;
		return;
	case 1:
		seg->limit = seg->unusable ? seg->limit : 0xfff;
		seg->g = 0;
		return;
	case 2:
		seg->selector ^= 0x40;
		return;
	case 3:
		seg->avl ^= 1;
		return;
	}
}

TEST_F(vcpu_state, each_segment)
{
	struct kvm_sregs sregs;
	u32 i, what;
	int snap;

	snap = OK(hlk_snapshot_flat(self->t.hlk));
	get_state(&self->t, &self->s[0]);
	for (i = 0; i < SEGMENTS; i++)
		for (what = 0; what < 4; what++) {
			sregs = self->s[0].sregs;
			change_segment(&(&sregs.cs)[i], what);
			ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_SREGS, &sregs));
			OK(hlk_restore(self->t.hlk, snap, NULL));
			get_state(&self->t, &self->s[1]);
			SAME_STATE(self->s[0], self->s[1]);
		}
	close(snap);
}

TEST_F(vcpu_state, each_control_register)
{
	struct kvm_sregs sregs, got;
	u32 i;
	int snap;

	snap = OK(hlk_snapshot_flat(self->t.hlk));
	get_state(&self->t, &self->s[0]);
	for (i = 0; i < 10; i++) {
		sregs = self->s[0].sregs;
		switch (i) {
		case 0:
			sregs.cr0 |= CR0_WP;
			break;
		case 1:
			sregs.cr2 = 0x12345000;
			break;
		case 2:
			sregs.cr3 = 0x7000;
			break;
		case 3:
			sregs.cr4 |= CR4_PSE | CR4_PGE | CR4_OSFXSR;
			break;
		case 4:
			sregs.cr8 = 9;
			break;
		case 5:
			sregs.efer = EFER_SCE;
			break;
		case 6:
			sregs.gdt.base = 0x5000;
			sregs.gdt.limit = 0x77;
			break;
		case 7:
			sregs.idt.base = 0x6000;
			sregs.idt.limit = 0x77;
			break;
		case 8:
			sregs.cr4 |= CR4_OSXSAVE;
			break;
		case 9:
			sregs.apic_base ^= 0x100;
			break;
		}
		ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_SREGS, &sregs));
		ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_GET_SREGS, &got));
		ASSERT_NE(0, memcmp(&got, &self->s[0].sregs, sizeof(got))) {
			TH_LOG("%u was not changed", i);
		}
		OK(hlk_restore(self->t.hlk, snap, NULL));
		get_state(&self->t, &self->s[1]);
		SAME_STATE(self->s[0], self->s[1]);
	}
	close(snap);
}

/*
 * CR8 has a place of its own in struct kvm_run: an exit leaves it there, and the
 * next entry loads it, after the registers area. AMD has a way to it from
 * 32-bit code, which an emulated CPU has not.
 */
TEST_F(vcpu_state, cr8_as_an_exit_leaves_it)
{
	int snap;

	snap = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, snap, NULL));
	get_state(&self->t, &self->s[0]);
	self->t.run->cr8 = 5;
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	ASSERT_EQ(5, self->t.run->cr8);
	get_state(&self->t, &self->s[1]);
	ASSERT_EQ(5, self->s[1].sregs.cr8);
	OK(hlk_restore(self->t.hlk, -1, NULL));
	get_state(&self->t, &self->s[1]);
	SAME_STATE(self->s[0], self->s[1]);
	close(snap);
}

/* ---- events ---- */

static const struct {
	const char *name;
	struct kvm_vcpu_events events;
} events[] = {
	{ "exception", { .exception = { .injected = 1, .nr = 6 } } },
	{ "exception with code", { .exception = { .injected = 1, .nr = 13,
						  .has_error_code = 1,
						  .error_code = 0x50 } } },
	{ "interrupt", { .interrupt = { .injected = 1, .nr = 0x30 } } },
	{ "software interrupt", { .interrupt = { .injected = 1, .nr = 0x30,
						 .soft = 1 } } },
	{ "shadow of STI", { .flags = KVM_VCPUEVENT_VALID_SHADOW,
			     .interrupt.shadow = KVM_X86_SHADOW_INT_STI } },
	{ "NMI injected", { .nmi.injected = 1 } },
	{ "NMI pending", { .flags = KVM_VCPUEVENT_VALID_NMI_PENDING,
			   .nmi.pending = 1 } },
	{ "NMI masked", { .nmi.masked = 1 } },
};

TEST_F(vcpu_state, each_event)
{
	struct kvm_vcpu_events got;
	u32 i;
	int snap;

	snap = OK(hlk_snapshot_flat(self->t.hlk));
	get_state(&self->t, &self->s[0]);
	for (i = 0; i < ARRAY_SIZE(events); i++) {
		ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_VCPU_EVENTS,
				   &events[i].events)) {
			TH_LOG("%s", events[i].name);
		}
		ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_GET_VCPU_EVENTS, &got));
		ASSERT_NE(0, memcmp(&got, &self->s[0].events, sizeof(got))) {
			TH_LOG("%s is not there", events[i].name);
		}
		OK(hlk_restore(self->t.hlk, snap, NULL));
		get_state(&self->t, &self->s[1]);
		SAME_STATE(self->s[0], self->s[1]);
		/* delivered, any of them would end in a triple fault */
		ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t)) {
			TH_LOG("%s", events[i].name);
		}
	}
	close(snap);
}

/* The other way round: an event that the snapshot has is delivered, each time */
TEST_F(vcpu_state, events_of_the_snapshot_come_back)
{
	struct kvm_vcpu_events set = {
		.exception = { .injected = 1, .nr = 6 },
	};
	struct kvm_sync_regs regs;
	int round;
	int snap;

	tvm_handler(&self->t, 6, nmi_stays);
	tvm_tables(&regs);
	tvm_set_regs(&self->t, &regs);
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_VCPU_EVENTS, &set));
	ASSERT_EQ(0, tvm_complete_io(&self->t));
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	for (round = 0; round < 3; round++) {
		OK(hlk_restore(self->t.hlk, snap, NULL));
		ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
		ASSERT_EQ(1, tvm_word(&self->t, MARK));
		ASSERT_EQ(TVM_HANDLER + (nmi_stays_end - nmi_stays),
			  self->t.run->s.regs.regs.rip);
	}
	close(snap);
}

/* A guest that does not return from its NMI handler would never get another. */
TEST_F(vcpu_state, nmis_that_the_guest_left_masked)
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
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, snap, NULL));
	get_state(&self->t, &self->s[0]);
	for (round = 0; round < 3; round++) {
		ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_VCPU_EVENTS, &nmi));
		ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
		ASSERT_EQ(1, tvm_word(&self->t, MARK));
		get_state(&self->t, &self->s[1]);
		ASSERT_EQ(1, self->s[1].events.nmi.masked);
		OK(hlk_restore(self->t.hlk, -1, NULL));
		get_state(&self->t, &self->s[1]);
		SAME_STATE(self->s[0], self->s[1]);
		ASSERT_EQ(0, tvm_word(&self->t, MARK));
	}
	close(snap);
}

/* What user space asked for before the restore belongs to what is thrown away. */
TEST_F(vcpu_state, nmis_and_interrupts_that_were_asked_for)
{
	struct kvm_interrupt irq = { .irq = 0x30 };
	struct kvm_sync_regs regs;
	int snap;

	tvm_handler(&self->t, 2, nmi_returns);
	tvm_handler(&self->t, 0x30, nmi_returns);
	tvm_load(&self->t, TVM_CODE, count);
	tvm_tables(&regs);
	tvm_set_regs(&self->t, &regs);
	snap = OK(hlk_snapshot_flat(self->t.hlk));

	/* it works if nobody restores */
	OK(hlk_restore(self->t.hlk, snap, NULL));
	get_state(&self->t, &self->s[0]);
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_NMI));
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	ASSERT_EQ(1, tvm_word(&self->t, MARK));

	OK(hlk_restore(self->t.hlk, -1, NULL));
	get_state(&self->t, &self->s[1]);
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_NMI));
	OK(hlk_restore(self->t.hlk, -1, NULL));
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	ASSERT_EQ(1, tvm_word(&self->t, MARK + 4));
	ASSERT_EQ(0, tvm_word(&self->t, MARK));

	OK(hlk_restore(self->t.hlk, -1, NULL));
	get_state(&self->t, &self->s[1]);
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_INTERRUPT, &irq));
	OK(hlk_restore(self->t.hlk, -1, NULL));
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	ASSERT_EQ(0, tvm_word(&self->t, MARK));
	get_state(&self->t, &self->s[1]);
	SAME(self->s[0], self->s[1], events);
	close(snap);
}

TEST_F(vcpu_state, system_management_mode)
{
	struct kvm_vcpu_events smm = {
		.flags = KVM_VCPUEVENT_VALID_SMM, .smi.smm = 1,
	};
	int snap;

	if (ioctl(self->t.kvm, KVM_CHECK_EXTENSION, KVM_CAP_X86_SMM) <= 0)
		SKIP(return, "KVM was built without SMM");
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	get_state(&self->t, &self->s[0]);
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_VCPU_EVENTS, &smm));
	get_state(&self->t, &self->s[1]);
	ASSERT_EQ(1, self->s[1].events.smi.smm);
	OK(hlk_restore(self->t.hlk, snap, NULL));
	get_state(&self->t, &self->s[1]);
	SAME_STATE(self->s[0], self->s[1]);

	/* one that was asked for, but did not come yet */
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SMI));
	OK(hlk_restore(self->t.hlk, -1, NULL));
	get_state(&self->t, &self->s[1]);
	SAME_STATE(self->s[0], self->s[1]);
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	ASSERT_EQ(TVM_CODE + 1, self->t.run->s.regs.regs.rip);
	close(snap);
}

TEST_F(vcpu_state, the_shadow_that_the_guest_left)
{
	struct kvm_sync_regs regs;
	int snap;

	tvm_load(&self->t, TVM_CODE, sti);
	tvm_tables(&regs);
	/* only sti that changes the flag casts a shadow */
	regs.regs.rflags = 2;
	tvm_set_regs(&self->t, &regs);
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, snap, NULL));
	get_state(&self->t, &self->s[0]);
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	get_state(&self->t, &self->s[1]);
	ASSERT_NE(0, self->s[1].regs.rflags & 0x200);
	OK(hlk_restore(self->t.hlk, -1, NULL));
	get_state(&self->t, &self->s[1]);
	SAME_STATE(self->s[0], self->s[1]);
	close(snap);
}

/* ---- XSAVE ---- */

static bool has_avx(const struct state *s)
{
	u32 i;

	for (i = 0; i < s->cpuid.head.nent; i++)
		if (s->cpuid.entries[i].function == 1)
			return s->cpuid.entries[i].ecx >> 28 & 1;
	return false;
}

/*
 * By the host and not by the guest's XSETBV, which QEMU's emulation does not
 * intercept, so that KVM does not learn of it.
 */
static void set_xcr0(struct tvm *t, u64 xcr0)
{
	struct kvm_xcrs xcrs = {
		.nr_xcrs = 1,
		.xcrs[0].value = xcr0,
	};

	t_must(!ioctl(t->vcpu, KVM_SET_XCRS, &xcrs));
}

static void run_avx(struct tvm *t, u32 value)
{
	*(u32 *)tvm_at(t, MARK) = value;
	t_must(tvm_run(t) == KVM_EXIT_HLT);
}

TEST_F(vcpu_state, xcr0_and_avx)
{
	struct tvm *t = &self->t;
	struct kvm_sync_regs regs;
	int plain, wide;

	get_state(t, &self->s[0]);
	if (!has_avx(&self->s[0]))
		SKIP(return, "no AVX");
	tvm_load(t, TVM_CODE, avx);
	plain = OK(hlk_snapshot_flat(t->hlk));
	OK(hlk_restore(t->hlk, plain, NULL));
	get_state(t, &self->s[0]);
	ASSERT_EQ(1, self->s[0].xcrs.xcrs[0].value);

	/* from a snapshot without to what was turned on */
	tvm_flat(&regs, TVM_CODE, TVM_STACK);
	regs.sregs.cr4 = CR4_OSFXSR | CR4_OSXSAVE;
	tvm_set_regs(t, &regs);
	set_xcr0(t, 7);
	run_avx(t, 0x11112222);
	get_state(t, &self->s[1]);
	ASSERT_EQ(7, self->s[1].xcrs.xcrs[0].value);
	DIFFERENT(self->s[0], self->s[1], xsave);
	DIFFERENT(self->s[0], self->s[1], cpuid);
	OK(hlk_restore(t->hlk, plain, NULL));
	get_state(t, &self->s[1]);
	SAME_STATE(self->s[0], self->s[1]);

	/* and from one with to what was turned off, or changed */
	tvm_set_regs(t, &regs);
	set_xcr0(t, 7);
	run_avx(t, 0x33334444);
	regs.regs.rip = TVM_CODE;
	tvm_set_regs(t, &regs);
	wide = OK(hlk_snapshot_flat(t->hlk));
	OK(hlk_restore(t->hlk, wide, NULL));
	get_state(t, &self->s[0]);
	run_avx(t, 0x55556666);
	OK(hlk_restore(t->hlk, -1, NULL));
	get_state(t, &self->s[1]);
	SAME_STATE(self->s[0], self->s[1]);
	set_xcr0(t, 3);
	OK(hlk_restore(t->hlk, -1, NULL));
	get_state(t, &self->s[1]);
	SAME_STATE(self->s[0], self->s[1]);
	close(plain);
	close(wide);
}

/* KVM may put off what CPUID says of XCR0 until it is asked. */
TEST_F(vcpu_state, xcr0_before_cpuid_was_asked)
{
	struct tvm *t = &self->t;
	struct kvm_sync_regs regs;
	int wide;

	get_state(t, &self->s[0]);
	if (!has_avx(&self->s[0]))
		SKIP(return, "no AVX");
	tvm_flat(&regs, TVM_CODE, TVM_STACK);
	regs.sregs.cr4 = CR4_OSFXSR | CR4_OSXSAVE;
	tvm_set_regs(t, &regs);
	set_xcr0(t, 7);
	wide = OK(hlk_snapshot_flat(t->hlk));
	OK(hlk_restore(t->hlk, wide, NULL));
	get_state(t, &self->s[0]);
	set_xcr0(t, 1);
	get_state(t, &self->s[1]);
	DIFFERENT(self->s[0], self->s[1], cpuid);
	OK(hlk_restore(t->hlk, wide, NULL));
	get_state(t, &self->s[1]);
	SAME_STATE(self->s[0], self->s[1]);
	close(wide);
}

/* KVM would load XCR0 at the entry and believe that the processor takes it. */
TEST_F(vcpu_state, xcr0_that_the_cpuid_has_not)
{
	struct tvm *t = &self->t;
	struct kvm_sync_regs regs;
	struct state *s = &self->s[1];
	struct tvm other;
	int plain, wide;
	u32 i;

	get_state(t, s);
	if (!has_avx(s))
		SKIP(return, "no AVX");
	plain = OK(hlk_snapshot_flat(t->hlk));
	tvm_flat(&regs, TVM_CODE, TVM_STACK);
	regs.sregs.cr4 = CR4_OSFXSR | CR4_OSXSAVE;
	tvm_set_regs(t, &regs);
	set_xcr0(t, 7);
	wide = OK(hlk_snapshot_flat(t->hlk));

	/* KVM takes another CPUID as long as the vCPU has not run. */
	for (i = 0; i < s->cpuid.head.nent; i++)
		if (s->cpuid.entries[i].function == 0xd && !s->cpuid.entries[i].index)
			s->cpuid.entries[i].eax &= ~4U;
	tvm_open(&other);
	t_must(!ioctl(other.vcpu, KVM_SET_CPUID2, &s->cpuid));
	tvm_machine(&other, 0, 0);
	FAILS(EMEDIUMTYPE, HLK_WHY_VCPU_XCR0, hlk_restore(other.hlk, wide, NULL));
	OK(hlk_restore(other.hlk, plain, NULL));
	OK(hlk_restore(t->hlk, wide, NULL));
	tvm_close(&other);
	close(plain);
	close(wide);
}

/* ---- debug registers ---- */

TEST_F(vcpu_state, each_debug_register)
{
	struct kvm_debugregs regs;
	struct hlk_restore r;
	u32 i;
	int snap;

	snap = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, snap, NULL));
	get_state(&self->t, &self->s[0]);
	for (i = 0; i < 6; i++) {
		regs = self->s[0].debug;
		if (i < 4)
			regs.db[i] = NOWHERE + i;
		else if (i == 4)
			regs.dr6 ^= 0x4000;
		else
			regs.dr7 ^= 0x300;
		ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_DEBUGREGS, &regs));
		OK(hlk_restore(self->t.hlk, -1, &r));
		ASSERT_EQ(i == 5 ? HLK_RESIDUE_DEBUGREGS : 0, r.residue) {
			TH_LOG("%u", i);
		}
		if (i == 5) {
			ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_GET_DEBUGREGS, &regs));
			ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_DEBUGREGS, &regs));
		}
		get_state(&self->t, &self->s[1]);
		SAME_STATE(self->s[0], self->s[1]);
		OK(hlk_restore(self->t.hlk, -1, &r));
		ASSERT_EQ(0, r.residue);
	}
	close(snap);
}

TEST_F(vcpu_state, debug_registers_that_the_guest_changed)
{
	struct hlk_restore r;
	int snap;

	tvm_load(&self->t, TVM_CODE, debug_all);
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, snap, NULL));
	get_state(&self->t, &self->s[0]);
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	get_state(&self->t, &self->s[1]);
	ASSERT_EQ(NOWHERE + 3, self->s[1].debug.db[3]);
	OK(hlk_restore(self->t.hlk, -1, &r));
	/* the guest's DR7 was that of the snapshot */
	ASSERT_EQ(0, r.residue);
	get_state(&self->t, &self->s[1]);
	SAME_STATE(self->s[0], self->s[1]);
	close(snap);
}

/* ---- what is refused or told ---- */

TEST_F(vcpu_state, interrupt_controllers_are_residue)
{
	struct hlk_run run = HLK_STRUCT(hlk_run);
	struct hlk_restore r;
	struct tvm t;
	int snap;

	tvm_open_irqchip(&t);
	tvm_machine(&t, 0, 0);
	snap = OK(hlk_snapshot_flat(t.hlk));
	OK(hlk_restore(t.hlk, snap, &r));
	ASSERT_EQ(HLK_RESIDUE_IRQCHIP, r.residue);
	OK(hlk_restore(t.hlk, -1, &r));
	ASSERT_EQ(HLK_RESIDUE_IRQCHIP, r.residue);
	run.vcpu_fd = t.vcpu;
	t.run->immediate_exit = 1;
	FAILS(EINTR, HLK_WHY_NONE, hlk_call(t.hlk, HLK_RUN, &run));
	ASSERT_EQ(HLK_RESIDUE_IRQCHIP, run.residue);
	close(snap);
	tvm_close(&t);

	snap = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, snap, &r));
	ASSERT_EQ(0, r.residue);
	close(snap);
}

/* One MSR, as a VMM gives it to its guest; false if KVM has none */
static bool msr(struct tvm *t, unsigned long request, u32 index, u64 *value)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msrs = { .head.nmsrs = 1, .entry = { .index = index, .data = *value } };
	bool done = ioctl(t->vcpu, request, &msrs) == 1;

	*value = msrs.entry.data;
	return done;
}

#define VMCB_BYTES	0x2000

/* In a guest of its own, by KVM_SET_NESTED_STATE; a VMM that migrates does so */
static int enter_nested(struct tvm *t)
{
	struct {
		struct kvm_nested_state head;
		u8 vmcb[VMCB_BYTES];
	} *n;
	struct kvm_sync_regs regs;
	u64 *save;
	int ret;

	tvm_flat(&regs, TVM_CODE, TVM_STACK);
	regs.sregs.efer = EFER_SVME;
	tvm_set_regs(t, &regs);
	n = calloc(1, sizeof(*n));
	t_must(n);
	n->head.format = KVM_STATE_NESTED_FORMAT_SVM;
	n->head.size = sizeof(n->head) + KVM_STATE_NESTED_SVM_VMCB_SIZE;
	n->head.flags = KVM_STATE_NESTED_GUEST_MODE | KVM_STATE_NESTED_GIF_SET;
	n->head.hdr.svm.vmcb_pa = 0x40000;
	/* AMD manual volume 2, "VMCB Layout": control area, then save area */
	*(u32 *)(n->vmcb + 0x10) = 1;		/* intercept VMRUN */
	*(u32 *)(n->vmcb + 0x58) = 1;		/* ASID */
	save = (u64 *)(n->vmcb + 0x400);
	save[0xd0 / 8] = EFER_SVME;
	save[0x150 / 8] = 0x7000;		/* CR3 */
	save[0x158 / 8] = HLK_GUEST_CR0;
	save[0x160 / 8] = 0x400;		/* DR7 */
	save[0x168 / 8] = 0xffff0ff0;		/* DR6 */
	save[0x170 / 8] = 2;			/* RFLAGS */
	ret = ioctl(t->vcpu, KVM_SET_NESTED_STATE, &n->head) ? -errno : 0;
	free(n);
	return ret;
}

static struct kvm_nested_state nested_state(struct tvm *t)
{
	struct {
		struct kvm_nested_state head;
		u8 more[VMCB_BYTES];
	} n = { .head.size = sizeof(n) };

	t_must(!ioctl(t->vcpu, KVM_GET_NESTED_STATE, &n.head));
	return n.head;
}

/* What these tests put there is SVM's: on VMX there is none of it. */
static bool nested_svm(struct tvm *t)
{
	return ioctl(t->kvm, KVM_CHECK_EXTENSION, KVM_CAP_NESTED_STATE) > 0 &&
	       nested_state(t).format == KVM_STATE_NESTED_FORMAT_SVM;
}

TEST_F(vcpu_state, a_guest_of_the_guest_is_refused)
{
	int snap;

	if (!nested_svm(&self->t))
		SKIP(return, "no nested guests, or not those of SVM");
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, snap, NULL));
	ASSERT_EQ(0, tvm_complete_io(&self->t));
	ASSERT_EQ(0, enter_nested(&self->t));
	FAILS(EOPNOTSUPP, HLK_WHY_NESTED, hlk_restore(self->t.hlk, snap, NULL));
	ASSERT_EQ(0, t_index);
	FAILS(EOPNOTSUPP, HLK_WHY_NESTED, hlk_snapshot_flat(self->t.hlk));
	close(snap);
}

static void vmcb_segment(u8 *vmcb, u32 at, u32 selector, u32 attributes)
{
	*(u16 *)(vmcb + at) = selector;
	*(u16 *)(vmcb + at + 2) = attributes;
	*(u32 *)(vmcb + at + 4) = ~0U;
}

/* A guest of the guest with nested paging; page tables map it 1:1 but for MARK */
#define NESTED_VMCB	0x40000U
#define NESTED_CODE	0x43000U
#define NESTED_ROOT	0x44000U

static u32 *nested_paging(struct tvm *t)
{
	struct tvm_pt pt = { .t = t, .next = NESTED_ROOT, .flags = PTE_P | PTE_W | PTE_U };
	u8 *vmcb = tvm_at(t, NESTED_VMCB);
	u32 at;

	/* AMD manual volume 2, "VMCB Layout" */
	*(u32 *)(vmcb + 0x10) = 3;		/* intercept VMRUN, VMMCALL */
	*(u64 *)(vmcb + 0x40) = 0x48000;	/* I/O permissions */
	*(u64 *)(vmcb + 0x48) = 0x4b000;	/* MSR permissions */
	*(u32 *)(vmcb + 0x58) = 1;		/* ASID */
	*(u64 *)(vmcb + 0x90) = 1;		/* nested paging */
	*(u64 *)(vmcb + 0xb0) = tvm_pt_page(&pt);
	for (at = 0x400; at < 0x460; at += 0x10)
		vmcb_segment(vmcb, at, 0x10, 0xc93);
	vmcb_segment(vmcb, 0x410, 0x8, 0xc9b);	/* CS */
	*(u64 *)(vmcb + 0x4d0) = EFER_SVME;
	*(u64 *)(vmcb + 0x558) = 0x11;		/* CR0 */
	*(u64 *)(vmcb + 0x560) = 0x400;		/* DR7 */
	*(u64 *)(vmcb + 0x568) = 0xffff0ff0;	/* DR6 */
	*(u64 *)(vmcb + 0x570) = 2;		/* RFLAGS */
	*(u64 *)(vmcb + 0x578) = NESTED_CODE;	/* RIP */
	*(u64 *)(vmcb + 0x668) = 0x0007040600070406;	/* PAT */
	tvm_pt_map(&pt, NESTED_ROOT, 0, 0, TVM_LOW / PAGE, PTE_P | PTE_W | PTE_U);
	tvm_load(t, NESTED_CODE, l2);
	return tvm_pt_entry(&pt, NESTED_ROOT, MARK);
}

/* KVM goes on by tables of its own, whatever a restore does to those of the guest. */
TEST_F(vcpu_state, tables_of_a_guest_of_the_guest)
{
	struct tvm_pt pt = { .t = &self->t, .next = 0x50000, .flags = PTE_P | PTE_W };
	struct kvm_sync_regs regs;
	u64 hsave = 0x4e000;
	u32 *entry;
	int snap, bare;

	if (!nested_svm(&self->t))
		SKIP(return, "no nested guests, or not those of SVM");
	tvm_flat(&regs, TVM_CODE, TVM_STACK);
	bare = OK(tvm_build(&self->t, &regs));
	entry = nested_paging(&self->t);
	*(u32 *)tvm_at(&self->t, MARK) = 1;
	*(u32 *)tvm_at(&self->t, MARK + PAGE) = 2;
	tvm_load(&self->t, TVM_CODE, vmrun);
	/* KVM takes VMRUN with paging alone */
	regs.sregs.cr0 = HLK_GUEST_CR0;
	regs.sregs.cr3 = tvm_pt_page(&pt);
	regs.sregs.efer = EFER_SVME;
	tvm_pt_map(&pt, regs.sregs.cr3, 0, 0, TVM_LOW / PAGE, PTE_P | PTE_W);
	tvm_set_regs(&self->t, &regs);
	ASSERT_TRUE(msr(&self->t, KVM_SET_MSRS, VM_HSAVE_PA, &hsave));
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, snap, NULL));
	*entry = (MARK + PAGE) | PTE_P | PTE_W | PTE_U;
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	ASSERT_EQ(0x81, self->t.run->s.regs.regs.rbx);
	ASSERT_EQ(2, self->t.run->s.regs.regs.rax);
	FAILS(EOPNOTSUPP, HLK_WHY_NESTED, hlk_restore(self->t.hlk, snap, NULL));
	ASSERT_NE(0, t_where);
	FAILS(EOPNOTSUPP, HLK_WHY_NESTED, hlk_restore(self->t.hlk, bare, NULL));
	FAILS(EOPNOTSUPP, HLK_WHY_NESTED, hlk_snapshot_flat(self->t.hlk));
	close(bare);
	close(snap);
}

/* In VMX operation, or about to be: KVM would not even take the snapshot's CR4. */
TEST_F(vcpu_state, vmx_operation_is_refused)
{
	struct tvm_pt pt = { .t = &self->t, .next = 0x40000, .flags = PTE_P | PTE_W };
	struct kvm_sync_regs regs;
	u64 feature = 5;	/* locked, VMXON */
	u64 basic = 0;
	int snap;

	if (!msr(&self->t, KVM_SET_MSRS, FEAT_CTL, &feature) ||
	    !msr(&self->t, KVM_GET_MSRS, VMX_BASIC, &basic))
		SKIP(return, "no nested guests, or not those of VMX");
	*(u64 *)tvm_at(&self->t, MARK) = MARK + PAGE;
	*(u32 *)tvm_at(&self->t, MARK + PAGE) = basic;
	tvm_load(&self->t, TVM_CODE, vmxon);
	tvm_flat(&regs, TVM_CODE, TVM_STACK);
	regs.sregs.cr0 = HLK_GUEST_CR0 | CR0_NE;
	regs.sregs.cr3 = tvm_pt_page(&pt);
	tvm_pt_map(&pt, regs.sregs.cr3, 0, 0, TVM_LOW / PAGE, PTE_P | PTE_W);
	tvm_set_regs(&self->t, &regs);
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, snap, NULL));
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	ASSERT_EQ(CR4_VMXE, self->t.run->s.regs.sregs.cr4);
	FAILS(EOPNOTSUPP, HLK_WHY_NESTED, hlk_restore(self->t.hlk, snap, NULL));
	ASSERT_EQ(0, t_index);
	FAILS(EOPNOTSUPP, HLK_WHY_NESTED, hlk_snapshot_flat(self->t.hlk));

	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	ASSERT_EQ(1, self->t.run->s.regs.regs.rbx);
	FAILS(EOPNOTSUPP, HLK_WHY_NESTED, hlk_restore(self->t.hlk, snap, NULL));
	FAILS(EOPNOTSUPP, HLK_WHY_NESTED, hlk_snapshot_flat(self->t.hlk));
	/* what a restore would have had the next entry load */
	self->t.run->s.regs.sregs.cr4 = 0;
	self->t.run->kvm_dirty_regs = KVM_SYNC_X86_SREGS;
	ASSERT_EQ(-EINVAL, tvm_run(&self->t));
	self->t.run->kvm_dirty_regs = 0;

	/* which the guest may leave */
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	ASSERT_EQ(0, self->t.run->s.regs.sregs.cr4);
	OK(hlk_restore(self->t.hlk, snap, NULL));
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	ASSERT_EQ(CR4_VMXE, self->t.run->s.regs.sregs.cr4);
	close(snap);
}

static int nested_flags(struct tvm *t)
{
	return nested_state(t).flags;
}

/* With a program that says whether there is one, and which, there may be one. */
TEST_F(vcpu_state, a_guest_of_the_guest_by_a_program)
{
	static struct prog p;
	static struct {
		struct kvm_nested_state head;
		u8 vmcb[VMCB_BYTES];
	} n = { .head.size = sizeof(n) };
	struct kvm_nested_state none = {
		.format = KVM_STATE_NESTED_FORMAT_SVM,
		.flags = KVM_STATE_NESTED_GIF_SET,
		.size = sizeof(none),
	};
	struct kvm_sregs2 sregs;
	int round;
	int snap;
	void *at;

	if (!nested_svm(&self->t))
		SKIP(return, "no nested guests, or not those of SVM");
	ASSERT_EQ(0, enter_nested(&self->t));
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_GET_SREGS2, &sregs));
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_GET_NESTED_STATE, &n.head));
	ASSERT_TRUE(n.head.flags & KVM_STATE_NESTED_GUEST_MODE);
	prog_begin(&p);
	prog_add(&p, KVM_SET_SREGS2, 0, &sregs, sizeof(sregs));
	prog_add(&p, KVM_SET_NESTED_STATE, 0, &n.head, n.head.size);
	snap = OK(prog_snapshot(self->t.hlk, &p));
	at = prog_map(snap);
	ASSERT_NE(MAP_FAILED, at);
	for (round = 0; round < 6; round++) {
		if (round % 2) {
			ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_NESTED_STATE, &none));
			ASSERT_FALSE(nested_flags(&self->t) & KVM_STATE_NESTED_GUEST_MODE);
		}
		OK(prog_restore(self->t.hlk, snap, at, 0, NULL));
		ASSERT_TRUE(nested_flags(&self->t) & KVM_STATE_NESTED_GUEST_MODE);
	}
	/* and one without is refused as ever */
	FAILS(EOPNOTSUPP, HLK_WHY_NESTED, hlk_snapshot_flat(self->t.hlk));
	munmap(at, prog_size(snap));
	close(snap);
}

/*
 * Not the module's to restore: no guest can read the flag, and a VMM that
 * gives its guest NMIs or interrupts sets it, by KVM_SET_NESTED_STATE.
 */
TEST_F(vcpu_state, the_global_interrupt_flag_is_the_vmms)
{
	struct kvm_nested_state gif = {
		.format = KVM_STATE_NESTED_FORMAT_SVM,
		.flags = KVM_STATE_NESTED_GIF_SET,
		.size = sizeof(gif),
	};
	int snap;

	if (!nested_svm(&self->t))
		SKIP(return, "no nested guests, or not those of SVM");
	tvm_load(&self->t, TVM_CODE, clgi);
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, snap, NULL));
	get_state(&self->t, &self->s[0]);
	ASSERT_EQ(KVM_STATE_NESTED_GIF_SET, nested_flags(&self->t));
	/* a KVM that gives it to none has nothing to restore either */
	if (tvm_run(&self->t) == KVM_EXIT_HLT)
		ASSERT_EQ(0, nested_flags(&self->t));
	OK(hlk_restore(self->t.hlk, -1, NULL));
	get_state(&self->t, &self->s[1]);
	SAME_STATE(self->s[0], self->s[1]);
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_NESTED_STATE, &gif));
	ASSERT_EQ(KVM_STATE_NESTED_GIF_SET, nested_flags(&self->t));
	get_state(&self->t, &self->s[1]);
	SAME_STATE(self->s[0], self->s[1]);
	close(snap);
}

/* ---- residue ---- */

TEST_F(vcpu_state, dr7_is_told_until_it_is_right)
{
	struct kvm_debugregs regs;
	struct hlk_restore r;
	int snap, armed;
	int round;

	tvm_load(&self->t, TVM_CODE, debug_all);
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, snap, &r));
	ASSERT_EQ(0, r.residue);
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_GET_DEBUGREGS, &regs));
	regs.dr7 = 0x400 | 0x300;
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_DEBUGREGS, &regs));
	for (round = 0; round < 3; round++) {
		OK(hlk_restore(self->t.hlk, -1, &r));
		ASSERT_EQ(HLK_RESIDUE_DEBUGREGS, r.residue);
		if (round == 1)
			ASSERT_EQ(0, tvm_complete_io(&self->t));
	}
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_GET_DEBUGREGS, &regs));
	ASSERT_EQ(0x400, regs.dr7);
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_DEBUGREGS, &regs));
	OK(hlk_restore(self->t.hlk, -1, &r));
	ASSERT_EQ(0, r.residue);

	/* with breakpoints nobody can tell: always */
	regs.db[0] = NOWHERE;
	regs.dr7 = 0x402;
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_DEBUGREGS, &regs));
	armed = OK(hlk_snapshot_flat(self->t.hlk));
	for (round = 0; round < 2; round++) {
		OK(hlk_restore(self->t.hlk, armed, &r));
		ASSERT_EQ(HLK_RESIDUE_DEBUGREGS, r.residue);
		ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_DEBUGREGS, &regs));
	}
	close(snap);
	close(armed);
}

TEST_F(vcpu_state, msrs_that_nobody_closed_are_residue)
{
	struct hlk_snapshot s = HLK_STRUCT(hlk_snapshot);
	struct kvm_sync_regs regs = {};
	struct hlk_vm_stats stats;
	struct hlk_restore r;
	struct tvm t;
	int snap;

	OK(hlk_snapshot(self->t.hlk, &s));
	ASSERT_EQ(0, s.counts.residue);
	OK(hlk_stats(self->t.hlk, &stats));
	ASSERT_EQ(0, stats.residue);
	close(s.out_fd);
	tvm_open_msrs(&t);
	tvm_machine(&t, 0, 0);
	OK(hlk_snapshot(t.hlk, &s));
	ASSERT_EQ(HLK_RESIDUE_MSRS, s.counts.residue);
	OK(hlk_stats(t.hlk, &stats));
	ASSERT_EQ(HLK_RESIDUE_MSRS, stats.residue);
	OK(hlk_restore_flags(t.hlk, s.out_fd, HLK_RESTORE_AUDIT, &r));
	ASSERT_EQ(0, r.residue);
	close(s.out_fd);
	tvm_close(&t);

	/* SWAPGS is not closed by a filter */
	get_state(&self->t, &self->s[0]);
	regs.regs = self->s[0].regs;
	regs.sregs = self->s[0].sregs;
	snap = OK(tvm_build(&self->t, &regs));
	OK(hlk_restore(self->t.hlk, snap, &r));
	ASSERT_EQ(0, r.residue);
	close(snap);
	regs.sregs.efer = EFER_LME | EFER_LMA;
	regs.sregs.cr0 = HLK_GUEST_CR0;
	regs.sregs.cr4 |= CR4_PAE;
	snap = OK(tvm_build(&self->t, &regs));
	OK(hlk_restore(self->t.hlk, snap, &r));
	ASSERT_EQ(HLK_RESIDUE_MSRS, r.residue);
	close(snap);
}

static void set_tsc_offset(struct tvm *t, u64 add)
{
	u64 offset;
	struct kvm_device_attr attr = {
		.group = KVM_VCPU_TSC_CTRL,
		.attr = KVM_VCPU_TSC_OFFSET,
		.addr = (uintptr_t)&offset,
	};

	t_must(!ioctl(t->vcpu, KVM_GET_DEVICE_ATTR, &attr));
	offset += add;
	t_must(!ioctl(t->vcpu, KVM_SET_DEVICE_ATTR, &attr));
}

static u64 tsc_offset(struct tvm *t)
{
	u64 offset;
	struct kvm_device_attr attr = {
		.group = KVM_VCPU_TSC_CTRL,
		.attr = KVM_VCPU_TSC_OFFSET,
		.addr = (uintptr_t)&offset,
	};

	/* the restored one is loaded with the registers */
	t_must(!tvm_complete_io(t));
	t_must(!ioctl(t->vcpu, KVM_GET_DEVICE_ATTR, &attr));
	return offset;
}

TEST_F(vcpu_state, another_tsc_comes_back)
{
	u64 offset = tsc_offset(&self->t);
	struct hlk_restore r;
	struct tvm other;
	int snap;

	snap = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, snap, &r));
	ASSERT_EQ(0, r.residue);
	set_tsc_offset(&self->t, 0x10000);
	ASSERT_EQ(offset + 0x10000, tsc_offset(&self->t));
	OK(hlk_restore(self->t.hlk, -1, &r));
	ASSERT_EQ(0, r.residue);
	ASSERT_EQ(offset, tsc_offset(&self->t));

	tvm_open(&other);
	tvm_machine(&other, 0, 0);
	ASSERT_NE(offset, tsc_offset(&other));
	OK(hlk_restore(other.hlk, snap, &r));
	ASSERT_EQ(0, r.residue);
	ASSERT_EQ(offset, tsc_offset(&other));
	tvm_close(&other);
	close(snap);
}

TEST_F(vcpu_state, memory_in_no_window_is_residue)
{
	struct hlk_snapshot s = HLK_STRUCT(hlk_snapshot);
	struct kvm_userspace_memory_region slot = {
		.slot = 9,
		.guest_phys_addr = 0x40000000,
		.memory_size = PAGE,
	};
	struct hlk_restore r;
	void *at;
	int snap;

	at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, at);
	slot.userspace_addr = (uintptr_t)at;
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, snap, &r));
	ASSERT_EQ(0, r.residue);
	ASSERT_EQ(0, ioctl(self->t.vm, KVM_SET_USER_MEMORY_REGION, &slot));
	OK(hlk_restore(self->t.hlk, -1, &r));
	ASSERT_EQ(HLK_RESIDUE_MEMSLOTS, r.residue);
	OK(hlk_restore(self->t.hlk, -1, &r));
	ASSERT_EQ(HLK_RESIDUE_MEMSLOTS, r.residue);
	OK(hlk_snapshot(self->t.hlk, &s));
	ASSERT_EQ(HLK_RESIDUE_MEMSLOTS, s.counts.residue);
	close(s.out_fd);
	/* which the guest cannot write */
	slot.memory_size = 0;
	ASSERT_EQ(0, ioctl(self->t.vm, KVM_SET_USER_MEMORY_REGION, &slot));
	slot.memory_size = PAGE;
	slot.flags = KVM_MEM_READONLY;
	ASSERT_EQ(0, ioctl(self->t.vm, KVM_SET_USER_MEMORY_REGION, &slot));
	OK(hlk_restore(self->t.hlk, -1, &r));
	ASSERT_EQ(0, r.residue);
	slot.memory_size = 0;
	ASSERT_EQ(0, ioctl(self->t.vm, KVM_SET_USER_MEMORY_REGION, &slot));
	OK(hlk_restore(self->t.hlk, -1, &r));
	ASSERT_EQ(0, r.residue);
	munmap(at, PAGE);
	close(snap);
}

/* ---- who looks is not who runs ---- */

struct looker {
	struct tvm *t;
	volatile bool stop;
	volatile u32 looks;
};

static void *look(void *arg)
{
	struct looker *l = arg;
	struct kvm_regs regs;

	while (!l->stop) {
		t_must(!ioctl(l->t->vcpu, KVM_GET_REGS, &regs));
		l->looks++;
	}
	return NULL;
}

TEST_F(vcpu_state, who_looks_is_waited_for)
{
	struct looker l = { .t = &self->t };
	pthread_t thread;
	int round;
	int snap;

	snap = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, snap, NULL));
	ASSERT_EQ(0, pthread_create(&thread, NULL, look, &l));
	while (!l.looks)
		sched_yield();
	for (round = 0; round < 2000; round++)
		OK(hlk_restore(self->t.hlk, -1, NULL));
	for (round = 0; round < 20; round++) {
		close(snap);
		snap = OK(hlk_snapshot_flat(self->t.hlk));
	}
	l.stop = true;
	pthread_join(thread, NULL);
	close(snap);
}

/* ---- time ---- */

TEST_F(vcpu_state, time_goes_on)
{
	u64 last = 0, now;
	int round;
	int snap;

	tvm_load(&self->t, TVM_CODE, tsc);
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	for (round = 0; round < 5; round++) {
		OK(hlk_restore(self->t.hlk, round ? -1 : snap, NULL));
		ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
		now = tvm_word(&self->t, MARK) | (u64)tvm_word(&self->t, MARK + 4) << 32;
		ASSERT_LT(last, now);
		last = now;
	}
	close(snap);
}

/* ---- the audit ---- */

TEST_F(vcpu_state, an_audit_of_what_is_well_passes)
{
	int round;
	int snap;

	snap = OK(hlk_snapshot_flat(self->t.hlk));
	for (round = 0; round < 10; round++) {
		OK(hlk_restore_flags(self->t.hlk, round ? -1 : snap,
				     HLK_RESTORE_AUDIT |
				     (round % 2 ? HLK_RESTORE_REPRODUCIBLE : 0),
				     NULL));
		ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
		memset(tvm_at(&self->t, TVM_DATA), round, 30 * PAGE);
		memset(tvm_at(&self->t, TVM_SCRATCH_GPA), round, TVM_SCRATCH);
	}
	close(snap);
}

/**
 * struct meddler - a thread that changes things while a restore is under way
 * @at: what it changes
 * @stop: end it
 */
struct meddler {
	volatile u32 *at;
	volatile bool stop;
	pthread_t thread;
};

static void *meddle(void *arg)
{
	struct meddler *m = arg;

	while (!m->stop)
		(*m->at)++;
	return NULL;
}

static void meddle_start(struct meddler *m, void *at)
{
	m->at = at;
	m->stop = false;
	t_must(!pthread_create(&m->thread, NULL, meddle, m));
}

static void meddle_end(struct meddler *m)
{
	m->stop = true;
	pthread_join(m->thread, NULL);
}

/*
 * Until an audit finds something; how it ended then. An emulator with one thread changes
 * CPUs ten times a second, and it has to do so in the moment before the audit looks.
 */
static int audit_until(int vm, int snap, u32 flags)
{
	time_t end = time(NULL) + 150;
	int ret;

	do {
		ret = hlk_restore_flags(vm, snap, HLK_RESTORE_AUDIT | flags, NULL);
	} while (!ret && time(NULL) < end);
	return ret;
}

TEST_F(vcpu_state, an_audit_finds_memory_that_changed)
{
	u8 *at = tvm_at(&self->t, TVM_DATA + 5 * PAGE + 0x123 * 4);
	struct meddler m;
	int snap;

	snap = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, snap, NULL));
	meddle_start(&m, at);
	FAILS(EUCLEAN, HLK_WHY_AUDIT_MEMORY, audit_until(self->t.hlk, -1, 0));
	meddle_end(&m);
	/* the first byte of the word that is different */
	ASSERT_EQ(TVM_DATA + 5 * PAGE + 0x123 * 4, t_where & ~3ULL);
	OK(hlk_restore_flags(self->t.hlk, -1, HLK_RESTORE_AUDIT, NULL));
	close(snap);
}

/* A page of which a restore writes a part anew is compared but for that part. */
TEST_F(vcpu_state, an_audit_finds_bookkeeping_that_changed)
{
	const u64 seed = HLK_GUEST_SCRATCH_TOP - HLK_GUEST_OFF_SEED;
	const struct {
		u64 gpa;
		u32 flags;
	} words[] = {
		{ seed, HLK_RESTORE_REPRODUCIBLE },
		{ HLK_GUEST_SCRATCH_TOP - HLK_GUEST_OFF_UNIQUE, HLK_RESTORE_REPRODUCIBLE },
		{ seed - 4, 0 },
		{ seed + HLK_GUEST_SEED_SIZE, 0 },
	};
	struct meddler m;
	int snap;
	u32 i;

	snap = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, snap, NULL));
	for (i = 0; i < ARRAY_SIZE(words); i++) {
		meddle_start(&m, tvm_at(&self->t, words[i].gpa));
		FAILS(EUCLEAN, HLK_WHY_AUDIT_MEMORY,
		      audit_until(self->t.hlk, -1, words[i].flags));
		meddle_end(&m);
		ASSERT_EQ(words[i].gpa, t_where & ~3ULL);
	}
	close(snap);
}

TEST_F(vcpu_state, an_audit_finds_registers_that_changed)
{
	struct meddler m;
	int snap;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "one CPU: nobody meddles while the audit looks");
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, snap, NULL));
	meddle_start(&m, &self->t.run->s.regs.regs.rbx);
	FAILS(EUCLEAN, HLK_WHY_AUDIT_VCPU, audit_until(self->t.hlk, -1, 0));
	meddle_end(&m);
	ASSERT_EQ(0, t_index);
	ASSERT_EQ(HLK_AUDIT_REGS, t_where);
	OK(hlk_restore_flags(self->t.hlk, -1, HLK_RESTORE_AUDIT, NULL));
	close(snap);
}

/* Where HLT does not exit, the VMCS keeps that the guest is halted; a VMCB does not. */
TEST_F(vcpu_state, hlt_that_does_not_exit)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_X86_DISABLE_EXITS,
		.args[0] = KVM_X86_DISABLE_EXITS_HLT,
	};
	int vm, vcpu, hlk;

	if (!(ioctl(self->t.kvm, KVM_CHECK_EXTENSION, cap.cap) & cap.args[0]))
		SKIP(return, "HLT always exits");
	vm = ioctl(self->t.kvm, KVM_CREATE_VM, 0);
	ASSERT_LE(0, vm);
	ASSERT_EQ(0, ioctl(vm, KVM_ENABLE_CAP, &cap));
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	ASSERT_LE(0, vcpu);
	hlk = OK(hlk_attach(self->t.dev, vm, 0, 0));
	if (access("/sys/module/kvm_intel", F_OK))
		close(OK(hlk_snapshot_flat(hlk)));
	else
		FAILS(EOPNOTSUPP, HLK_WHY_HLT_IN_GUEST, hlk_snapshot_flat(hlk));
	close(hlk);
	close(vcpu);
	close(vm);
}

TEST_HARNESS_MAIN
