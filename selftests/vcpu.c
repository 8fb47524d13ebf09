// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a restore does to vCPUs: every register that KVM can show comes back,
 * an I/O that KVM had half done is forgotten, and TLBs are flushed.
 */
#include "state.h"
#include "harness.h"

#define CR4_PSE		0x10
#define CR4_OSFXSR	0x200
#define MXCSR		6	/* its place in struct kvm_xsave */

/*
 * Change all that an unprivileged test can change of a vCPU without paging:
 * general, flags, segments and their tables, CR2 to CR4, x87, SSE.
 */
GUEST(wreck, "	lgdt 0x22000\n"
	"	lidt 0x22008\n"
	"	mov $0x18, %eax\n"
	"	mov %eax, %ds\n"
	"	mov %eax, %es\n"
	"	mov %eax, %fs\n"
	"	mov %eax, %gs\n"
	"	mov %eax, %ss\n"
	"	mov $0xdeadb000, %eax\n"
	"	mov %eax, %cr2\n"
	"	mov %eax, %cr3\n"
	"	mov %cr4, %eax\n"
	"	or $0x10, %eax\n"
	"	mov %eax, %cr4\n"
	"	mov %cr0, %eax\n"
	"	or $0x10020, %eax\n"
	"	mov %eax, %cr0\n"
	"	fninit\n"
	"	fldpi\n"
	"	fld1\n"
	"	fldcw 0x22010\n"
	"	ldmxcsr 0x22018\n"
	"	pcmpeqd %xmm0, %xmm0\n"
	"	pcmpeqd %xmm7, %xmm7\n"
	"	mov $0x11111111, %eax\n"
	"	mov $0x22222222, %ebx\n"
	"	mov $0x33333333, %ecx\n"
	"	mov $0x44444444, %edx\n"
	"	mov $0x55555555, %esi\n"
	"	mov $0x66666666, %edi\n"
	"	mov $0x77777777, %ebp\n"
	"	mov $0x8888, %esp\n"
	"	std\n"
	"	stc\n"
	"	hlt\n");

GUEST(debug, "	mov $0x1234, %eax\n"
	"	mov %eax, %db0\n"
	"	mov %eax, %db3\n"
	"	mov $0x701, %eax\n"
	"	mov %eax, %db7\n"
	"	hlt\n");

GUEST(halt, "	hlt\n");
GUEST(triple, "	ud2\n");
GUEST(spin, "1:	incl 0x20000\n"
	    "	jmp 1b\n");

/* Each I/O is the first instruction; the next is another exit. */
GUEST(io_out, "	outb %al, $0x63\n	hlt\n");
GUEST(io_in, "	inl $0x63, %eax\n	hlt\n");
GUEST(io_outs, "	rep outsb\n	hlt\n");
GUEST(io_ins, "	rep insb\n	hlt\n");
GUEST(mmio_read, "	mov 0xd0000000, %eax\n	hlt\n");
GUEST(mmio_write, "	mov %eax, 0xd0000000\n	hlt\n");
GUEST(mmio_push, "	pushl 0xd0000000\n	hlt\n");

FIXTURE(vcpu) {
	struct tvm t;
};

FIXTURE_SETUP(vcpu)
{
	t_begin();
	tvm_start(&self->t, 0, 0);
	tvm_load(&self->t, TVM_CODE, halt);
}

FIXTURE_TEARDOWN(vcpu)
{
	tvm_close(&self->t);
	EXPECT_EQ(0, t_end());
}

/* Registers of which each has a value of its own */
static void odd_regs(struct kvm_sync_regs *regs, u32 eip)
{
	tvm_flat(regs, eip, TVM_STACK);
	regs->regs.rax = 0xa0a0a0a0;
	regs->regs.rbx = 0xb1b1b1b1;
	regs->regs.rcx = 0xc2c2c2c2;
	regs->regs.rdx = 0xd3d3d3d3;
	regs->regs.rsi = 0xe4e4e4e4;
	regs->regs.rdi = 0xf5f5f5f5;
	regs->regs.rbp = 0x06060606;
	regs->regs.rflags = 0x2 | 0x4 | 0x80;
	regs->sregs.cr2 = 0x12345678;
	regs->sregs.cr3 = 0x7000;
	regs->sregs.cr4 = CR4_OSFXSR;
	regs->sregs.gdt.base = 0x5000;
	regs->sregs.gdt.limit = 0x77;
	regs->sregs.idt.base = 0x6000;
	regs->sregs.idt.limit = 0x0;
	regs->sregs.gs.base = 0x9000;
	regs->sregs.gs.limit = 0xfffff;
}

static void load_wreck(struct tvm *t)
{
	u8 *tables = tvm_at(t, 0x22000);
	static const u64 gdt[] = {
		0, 0, 0, 0x00cf93000000ffffULL,	/* 0x18: data, flat */
	};

	tvm_load(t, TVM_CODE, wreck);
	memcpy(tables, &(u16){ sizeof(gdt) - 1 }, 2);
	memcpy(tables + 2, &(u32){ 0x22100 }, 4);
	memcpy(tables + 8, &(u16){ 0x123 }, 2);
	memcpy(tables + 10, &(u32){ 0x22200 }, 4);
	memcpy(tables + 0x10, &(u16){ 0x27f }, 2);
	memcpy(tables + 0x18, &(u32){ 0x3f80 }, 4);
	memcpy(tables + 0x100, gdt, sizeof(gdt));
}

TEST_F(vcpu, every_register_comes_back)
{
	struct state before, wrecked, after;
	struct kvm_sync_regs regs;
	int round;
	int snap;

	load_wreck(&self->t);
	odd_regs(&regs, TVM_CODE);
	tvm_set_regs(&self->t, &regs);
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	get_state(&self->t, &before);
	ASSERT_EQ(0xa0a0a0a0, before.regs.rax);

	for (round = 0; round < 5; round++) {
		ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
		get_state(&self->t, &wrecked);
		DIFFERENT(before, wrecked, regs);
		DIFFERENT(before, wrecked, sregs);
		DIFFERENT(before, wrecked, fpu);
		ASSERT_EQ(0x11111111, wrecked.regs.rax);
		ASSERT_EQ(0xdeadb000, wrecked.sregs.cr2);
		ASSERT_EQ(CR4_OSFXSR | CR4_PSE, wrecked.sregs.cr4);
		ASSERT_EQ(0x18, wrecked.sregs.ds.selector);

		OK(hlk_restore(self->t.hlk, round ? -1 : snap, NULL));
		get_state(&self->t, &after);
		SAME_STATE(before, after);
	}
	close(snap);
}

/* The other way round: the snapshot has the odd FPU. */
TEST_F(vcpu, an_fpu_in_use_comes_back)
{
	struct kvm_fpu clean = { .fcw = 0x37f, .mxcsr = 0x1f80 };
	struct state before, after;
	struct kvm_sync_regs regs;
	int snap;

	load_wreck(&self->t);
	odd_regs(&regs, TVM_CODE);
	tvm_set_regs(&self->t, &regs);
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	get_state(&self->t, &before);
	ASSERT_EQ(0x27f, before.fpu.fcw);
	ASSERT_EQ(0x3f80, before.xsave.region[MXCSR]);

	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_FPU, &clean));
	OK(hlk_restore(self->t.hlk, snap, NULL));
	get_state(&self->t, &after);
	SAME_STATE(before, after);
	close(snap);
}

TEST_F(vcpu, the_guest_sees_its_registers)
{
	struct kvm_run *run = self->t.run;
	int snap;

	tvm_load(&self->t, TVM_CODE, halt);
	run->s.regs.regs.rax = 0x1111;
	run->s.regs.regs.rip = TVM_CODE;
	run->kvm_dirty_regs = SYNC_ALL;
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, snap, NULL));
	ASSERT_EQ(0x1111, run->s.regs.regs.rax);
	ASSERT_EQ(SYNC_ALL, run->kvm_dirty_regs);
	/* They may be changed there before they are loaded ... */
	run->s.regs.regs.rax = 0x2222;
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	ASSERT_EQ(0x2222, run->s.regs.regs.rax);
	ASSERT_EQ(TVM_CODE + 1, run->s.regs.regs.rip);
	/* ... and win over an ioctl that comes in between. */
	OK(hlk_restore(self->t.hlk, -1, NULL));
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_REGS,
			   &(struct kvm_regs){ .rax = 0x3333, .rflags = 2 }));
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	ASSERT_EQ(0x1111, run->s.regs.regs.rax);
	close(snap);
}

TEST_F(vcpu, debug_registers_are_residue)
{
	struct state before, after;
	struct kvm_debugregs regs;
	struct hlk_restore r;
	int snap;

	tvm_load(&self->t, TVM_CODE, debug);
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	get_state(&self->t, &before);
	OK(hlk_restore(self->t.hlk, snap, &r));
	ASSERT_EQ(0, r.residue);

	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	get_state(&self->t, &after);
	ASSERT_EQ(0x1234, after.debug.db[3]);
	ASSERT_EQ(0x701, after.debug.dr7);
	OK(hlk_restore(self->t.hlk, -1, &r));
	ASSERT_EQ(HLK_RESIDUE_DEBUGREGS, r.residue);
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_GET_DEBUGREGS, &regs));
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_DEBUGREGS, &regs));
	get_state(&self->t, &after);
	SAME_STATE(before, after);

	/* once, not for ever */
	OK(hlk_restore(self->t.hlk, -1, &r));
	ASSERT_EQ(0, r.residue);
	close(snap);
}

/* ---- I/O that KVM finishes at the next entry ---- */

static const struct io {
	const char *name;
	const u8 *code, *end;
	u32 exit;
	bool pending;	/* KVM finishes it at the next entry */
} ios[] = {
	{ "out", io_out, io_out_end, KVM_EXIT_IO, true },
	{ "in", io_in, io_in_end, KVM_EXIT_IO, true },
	{ "rep outs", io_outs, io_outs_end, KVM_EXIT_IO, false },
	{ "rep ins", io_ins, io_ins_end, KVM_EXIT_IO, true },
	{ "mmio read", mmio_read, mmio_read_end, KVM_EXIT_MMIO, true },
	{ "mmio write", mmio_write, mmio_write_end, KVM_EXIT_MMIO, true },
	{ "mmio push", mmio_push, mmio_push_end, KVM_EXIT_MMIO, true },
};

static void io_regs(struct tvm *t, const struct io *io)
{
	struct kvm_sync_regs regs;

	tvm_load_(t, TVM_CODE, io->code, io->end);
	tvm_flat(&regs, TVM_CODE, TVM_STACK);
	regs.regs.rdx = 0x64;
	regs.regs.rcx = 3;
	regs.regs.rsi = TVM_DATA;
	regs.regs.rdi = TVM_DATA + PAGE;
	regs.regs.rax = 0x42;
	tvm_set_regs(t, &regs);
}

/* The device's answer to a read */
static void answer(struct tvm *t, u8 byte)
{
	struct kvm_run *run = t->run;

	if (run->exit_reason == KVM_EXIT_MMIO)
		memset(run->mmio.data, byte, 4);
	else if (run->io.direction == KVM_EXIT_IO_IN)
		memset((u8 *)run + run->io.data_offset, byte,
		       run->io.size * run->io.count);
}

/* Go on to the HLT; how many I/O exits there were on the way */
static int finish(struct tvm *t)
{
	int exits = 0;

	for (;;) {
		int ret = tvm_run(t);

		if (ret == KVM_EXIT_HLT)
			return exits;
		if (ret != KVM_EXIT_IO && ret != KVM_EXIT_MMIO)
			return -100;
		answer(t, 0x77);
		exits++;
	}
}

TEST_F(vcpu, pending_io_is_cancelled)
{
	struct tvm *t = &self->t;
	struct state first, second;
	u32 expected;
	int snap;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(ios); i++) {
		io_regs(t, &ios[i]);
		memset(tvm_at(t, TVM_DATA), 'd', 2 * PAGE);
		snap = OK(hlk_snapshot_flat(t->hlk));

		/* how it goes if nobody disturbs it */
		OK(hlk_restore_flags(t->hlk, snap, HLK_RESTORE_REPRODUCIBLE, NULL));
		expected = finish(t);
		ASSERT_LE(1, (int)expected) {
			TH_LOG("%s", ios[i].name);
		}
		get_state(t, &first);
		ASSERT_EQ(TVM_CODE + (ios[i].end - ios[i].code), first.regs.rip);

		/* the exit, and then a restore to before it */
		OK(hlk_restore_flags(t->hlk, snap, HLK_RESTORE_REPRODUCIBLE, NULL));
		ASSERT_EQ(ios[i].exit, tvm_run(t)) {
			TH_LOG("%s", ios[i].name);
		}
		answer(t, 0x99);
		OK(hlk_restore_flags(t->hlk, -1, HLK_RESTORE_REPRODUCIBLE, NULL));
		ASSERT_EQ(expected, finish(t)) {
			TH_LOG("%s", ios[i].name);
		}
		get_state(t, &second);
		SAME_STATE(first, second);
		/* what the abandoned read was answered is nowhere */
		ASSERT_NE(0x99, tvm_at(t, TVM_DATA + PAGE)[0]);
		ASSERT_NE(0x99, tvm_at(t, TVM_DATA + PAGE)[1]);
		close(snap);
	}
}

/* The same with a snapshot of which the guest is somewhere else */
TEST_F(vcpu, pending_io_is_cancelled_elsewhere)
{
	struct tvm *t = &self->t;
	struct kvm_sync_regs regs;
	struct state before, after;
	int snap;
	u32 i;

	tvm_load(t, 0x3000, halt);
	tvm_flat(&regs, 0x3000, TVM_STACK);
	tvm_set_regs(t, &regs);
	get_state(t, &before);
	snap = OK(hlk_snapshot_flat(t->hlk));
	for (i = 0; i < ARRAY_SIZE(ios); i++) {
		io_regs(t, &ios[i]);
		ASSERT_EQ(ios[i].exit, tvm_run(t));
		answer(t, 0x99);
		OK(hlk_restore(t->hlk, snap, NULL));
		get_state(t, &after);
		SAME_STATE(before, after);
		ASSERT_EQ(KVM_EXIT_HLT, tvm_run(t));
		ASSERT_EQ(0x3001, t->run->s.regs.regs.rip);
	}
	close(snap);
}

TEST_F(vcpu, no_snapshot_of_pending_io)
{
	struct tvm *t = &self->t;
	struct hlk_info info;
	int snap;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(ios); i++) {
		io_regs(t, &ios[i]);
		if (!ios[i].pending)
			continue;
		ASSERT_EQ(ios[i].exit, tvm_run(t));
		answer(t, 0x77);
		FAILS(EBUSY, HLK_WHY_VCPU_IO, hlk_snapshot_flat(t->hlk));
		ASSERT_EQ(0, t_index);
		OK(hlk_info(t->dev, &info));
		ASSERT_EQ(0, info.live_snapshots);
		while (tvm_complete_io(t))
			answer(t, 0x77);
		snap = OK(hlk_snapshot_flat(t->hlk));
		close(snap);
		ASSERT_LE(0, finish(t));
	}
}

TEST_F(vcpu, registers_need_not_be_in_kvm_run)
{
	struct state before, after;
	u32 missing;
	int snap;

	get_state(&self->t, &before);
	memset(&self->t.run->s, 0x5a, sizeof(self->t.run->s.regs));
	for (missing = 1; missing <= SYNC_ALL; missing++) {
		self->t.run->kvm_valid_regs = SYNC_ALL & ~missing;
		snap = OK(hlk_snapshot_flat(self->t.hlk));
		OK(hlk_restore(self->t.hlk, snap, NULL));
		get_state(&self->t, &after);
		SAME_STATE(before, after);
		close(snap);
	}
}

/* ---- states that are no registers ---- */

TEST_F(vcpu, after_a_triple_fault)
{
	struct state before, after;
	struct kvm_sync_regs regs;
	int round;
	int snap;

	tvm_load(&self->t, TVM_CODE, triple);
	odd_regs(&regs, TVM_CODE);
	tvm_set_regs(&self->t, &regs);
	get_state(&self->t, &before);
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	for (round = 0; round < 3; round++) {
		ASSERT_EQ(KVM_EXIT_SHUTDOWN, tvm_run(&self->t));
		OK(hlk_restore(self->t.hlk, snap, NULL));
		get_state(&self->t, &after);
		SAME_STATE(before, after);
	}
	/* and it runs */
	tvm_load(&self->t, TVM_CODE, halt);
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	close(snap);
}

TEST_F(vcpu, the_interrupt_shadow)
{
	struct kvm_vcpu_events set = { .flags = KVM_VCPUEVENT_VALID_SHADOW };
	struct kvm_vcpu_events get;
	int with, without;

	set.interrupt.shadow = KVM_X86_SHADOW_INT_STI;
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_VCPU_EVENTS, &set));
	ASSERT_EQ(0, tvm_complete_io(&self->t));
	with = OK(hlk_snapshot_flat(self->t.hlk));
	set.interrupt.shadow = 0;
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_VCPU_EVENTS, &set));
	ASSERT_EQ(0, tvm_complete_io(&self->t));
	without = OK(hlk_snapshot_flat(self->t.hlk));

	OK(hlk_restore(self->t.hlk, with, NULL));
	ASSERT_EQ(0, tvm_complete_io(&self->t));
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_GET_VCPU_EVENTS, &get));
	ASSERT_NE(0, get.interrupt.shadow);
	OK(hlk_restore(self->t.hlk, without, NULL));
	ASSERT_EQ(0, tvm_complete_io(&self->t));
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_GET_VCPU_EVENTS, &get));
	ASSERT_EQ(0, get.interrupt.shadow);
	close(with);
	close(without);
}

TEST_F(vcpu, pending_events_are_dropped)
{
	struct kvm_vcpu_events set = {
		.flags = KVM_VCPUEVENT_VALID_NMI_PENDING,
		.exception = { .injected = 1, .nr = 6 },
	};
	struct state before, after;
	int snap;

	get_state(&self->t, &before);
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	set.nmi.pending = 1;
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_VCPU_EVENTS, &set));
	OK(hlk_restore(self->t.hlk, snap, NULL));
	get_state(&self->t, &after);
	SAME_STATE(before, after);
	/* injected, it would end in a triple fault */
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	close(snap);
}

TEST_F(vcpu, halted)
{
	struct kvm_mp_state state = { KVM_MP_STATE_HALTED };
	struct tvm t;
	int running, halted;

	tvm_open_irqchip(&t);
	tvm_machine(&t, 0, 0);
	tvm_load_(&t, TVM_CODE, io_out, io_out_end);
	running = OK(hlk_snapshot_flat(t.hlk));
	ASSERT_EQ(0, ioctl(t.vcpu, KVM_SET_MP_STATE, &state));
	halted = OK(hlk_snapshot_flat(t.hlk));

	OK(hlk_restore(t.hlk, running, NULL));
	ASSERT_EQ(0, ioctl(t.vcpu, KVM_GET_MP_STATE, &state));
	ASSERT_EQ(KVM_MP_STATE_RUNNABLE, state.mp_state);
	ASSERT_EQ(KVM_EXIT_IO, tvm_run(&t));
	OK(hlk_restore(t.hlk, halted, NULL));
	ASSERT_EQ(0, ioctl(t.vcpu, KVM_GET_MP_STATE, &state));
	ASSERT_EQ(KVM_MP_STATE_HALTED, state.mp_state);
	OK(hlk_restore(t.hlk, running, NULL));
	ASSERT_EQ(KVM_EXIT_IO, tvm_run(&t));
	ASSERT_EQ(0, tvm_complete_io(&t));
	close(running);
	close(halted);
	tvm_close(&t);
}

/* ---- TLBs ---- */

TEST_F(vcpu, each_restore_flushes_the_tlb_once)
{
	struct tvm *t = &self->t;
	u64 before;
	int round;
	int snap;

	snap = OK(hlk_snapshot_flat(t->hlk));
	OK(hlk_restore(t->hlk, snap, NULL));
	for (round = 0; round < 5; round++)
		ASSERT_EQ(KVM_EXIT_HLT, (t->run->s.regs.regs.rip = TVM_CODE,
					 t->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS,
					 tvm_run(t)));
	for (round = 0; round < 10; round++) {
		before = tvm_stat(t, "tlb_flush");
		OK(hlk_restore(t->hlk, -1, NULL));
		ASSERT_EQ(KVM_EXIT_HLT, tvm_run(t));
		ASSERT_EQ(before + 1, tvm_stat(t, "tlb_flush"));
		/* loading the same registers by itself does not */
		t->run->s.regs.regs.rip = TVM_CODE;
		t->run->kvm_dirty_regs = SYNC_ALL;
		ASSERT_EQ(KVM_EXIT_HLT, tvm_run(t));
		ASSERT_EQ(before + 1, tvm_stat(t, "tlb_flush"));
	}
	close(snap);
}

/* HLK_RUN restores and enters in one call, with no look at the vCPU in between. */
TEST_F(vcpu, each_run_flushes_the_tlb_once)
{
	struct hlk_run run = HLK_STRUCT(hlk_run);
	struct tvm *t = &self->t;
	u64 before;
	int round;
	int snap;

	run.vcpu_fd = t->vcpu;
	snap = OK(hlk_snapshot_flat(t->hlk));
	OK(hlk_restore(t->hlk, snap, NULL));
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(t));
	for (round = 0; round < 10; round++) {
		before = tvm_stat(t, "tlb_flush");
		OK(hlk_call(t->hlk, HLK_RUN, &run));
		ASSERT_EQ(KVM_EXIT_HLT, run.exit_reason);
		ASSERT_EQ(before + 1, tvm_stat(t, "tlb_flush"));
	}
	close(snap);
}

/* ---- images and several vCPUs ---- */

TEST_F(vcpu, from_an_image)
{
	struct hlk_snapshot_build build = HLK_STRUCT(hlk_snapshot_build);
	struct hlk_window windows[] = {
		{ .gpa = 0, .bytes = TVM_LOW },
		{ .gpa = TVM_SCRATCH_GPA, .bytes = TVM_SCRATCH,
		  .flags = HLK_WINDOW_SCRATCH },
	};
	struct hlk_segment seg = {
		.gpa = TVM_CODE,
		.bytes = wreck_end - wreck,
		.data = (uintptr_t)wreck,
	};
	struct kvm_sync_regs regs;
	struct state first, after;
	struct hlk_info info;
	int round;

	odd_regs(&regs, TVM_CODE);
	build.windows = (uintptr_t)windows;
	build.window_size = sizeof(struct hlk_window);
	build.nr_windows = 2;
	build.segments = (uintptr_t)&seg;
	build.segment_size = sizeof(struct hlk_segment);
	build.nr_segments = 1;
	build.vcpus = (uintptr_t)&regs;
	build.nr_vcpus = 1;
	build.vcpu_size = sizeof(regs) - 1;
	FAILS(EINVAL, HLK_WHY_VCPU_SIZE,
	      hlk_call(self->t.dev, HLK_SNAPSHOT_BUILD, &build));
	ASSERT_EQ(sizeof(regs), t_where);
	build.vcpu_size = sizeof(regs);
	OK(hlk_info(self->t.dev, &info));
	build.nr_vcpus = info.max_vcpus + 1;
	FAILS(EDQUOT, HLK_WHY_TOO_MANY_VCPUS,
	      hlk_call(self->t.dev, HLK_SNAPSHOT_BUILD, &build));
	build.nr_vcpus = 1;
	OK(hlk_call(self->t.dev, HLK_SNAPSHOT_BUILD, &build));

	for (round = 0; round < 3; round++) {
		OK(hlk_restore(self->t.hlk, build.out_fd, NULL));
		get_state(&self->t, &after);
		if (!round)
			first = after;
		SAME_STATE(first, after);
		ASSERT_EQ(TVM_CODE, after.regs.rip);
		ASSERT_EQ(0xf5f5f5f5, after.regs.rdi);
		ASSERT_EQ(0x12345678, after.sregs.cr2);
		/* as after reset */
		ASSERT_EQ(0x37f, after.fpu.fcw);
		ASSERT_EQ(0x1f80, after.xsave.region[MXCSR]);
		ASSERT_EQ(0, after.fpu.fsw);
		ASSERT_EQ(0, after.fpu.ftwx);
		ASSERT_EQ(0, after.fpu.xmm[0][0]);
		ASSERT_EQ(0, after.fpu.xmm[7][15]);
		ASSERT_EQ(0x400, after.debug.dr7);
		ASSERT_EQ(KVM_MP_STATE_RUNNABLE, after.mp.mp_state);

		/* it is given a GDT by the host, and then wrecks itself */
		load_wreck(&self->t);
		ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
		get_state(&self->t, &after);
		ASSERT_EQ(0xff, after.fpu.xmm[7][15]);
	}

	/* without vCPUs they are left alone, but for their TLBs */
	close(build.out_fd);
	build.nr_vcpus = 0;
	OK(hlk_call(self->t.dev, HLK_SNAPSHOT_BUILD, &build));
	get_state(&self->t, &first);
	OK(hlk_restore(self->t.hlk, build.out_fd, NULL));
	get_state(&self->t, &after);
	SAME_STATE(first, after);
	close(build.out_fd);
}

/* A shutdown that KVM had not delivered; an image says nothing of it. */
TEST_F(vcpu, a_pending_triple_fault_is_dropped)
{
	struct hlk_snapshot_build build = HLK_STRUCT(hlk_snapshot_build);
	struct kvm_enable_cap cap = { .cap = KVM_CAP_X86_TRIPLE_FAULT_EVENT,
				      .args = { 1 } };
	struct kvm_vcpu_events set = {
		.flags = KVM_VCPUEVENT_VALID_TRIPLE_FAULT,
		.triple_fault = { .pending = 1 },
	};
	struct hlk_window windows[] = {
		{ .gpa = 0, .bytes = TVM_LOW },
		{ .gpa = TVM_SCRATCH_GPA, .bytes = TVM_SCRATCH,
		  .flags = HLK_WINDOW_SCRATCH },
	};
	struct hlk_segment seg = { TVM_CODE, halt_end - halt, (uintptr_t)halt };
	struct kvm_sync_regs regs;

	if (ioctl(self->t.vm, KVM_ENABLE_CAP, &cap))
		SKIP(return, "KVM does not tell of triple faults");
	tvm_flat(&regs, TVM_CODE, TVM_STACK);
	build.windows = (uintptr_t)windows;
	build.window_size = sizeof(struct hlk_window);
	build.nr_windows = 2;
	build.segments = (uintptr_t)&seg;
	build.segment_size = sizeof(struct hlk_segment);
	build.nr_segments = 1;
	build.vcpus = (uintptr_t)&regs;
	build.nr_vcpus = 1;
	build.vcpu_size = sizeof(regs);
	OK(hlk_call(self->t.dev, HLK_SNAPSHOT_BUILD, &build));
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_VCPU_EVENTS, &set));
	OK(hlk_restore(self->t.hlk, build.out_fd, NULL));
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	close(build.out_fd);
}

TEST_F(vcpu, several)
{
	struct kvm_sync_regs regs;
	struct tvm_runner runner;
	struct tvm second;
	struct kvm_regs got;
	int snap;

	tvm_vcpu(&second, &self->t, 1);
	tvm_load(&self->t, TVM_CODE, spin);
	tvm_flat(&regs, TVM_CODE, TVM_STACK);
	regs.regs.rax = 1;
	tvm_set_regs(&self->t, &regs);
	regs.regs.rax = 2;
	tvm_set_regs(&second, &regs);
	snap = OK(hlk_snapshot_flat(self->t.hlk));

	tvm_runner_start(&runner, &second);
	FAILS(EBUSY, HLK_WHY_VCPU_RUNNING, hlk_restore(self->t.hlk, snap, NULL));
	ASSERT_EQ(1, t_index);
	ASSERT_EQ(-EINTR, tvm_runner_kick(&runner));

	memset(&got, 0, sizeof(got));
	got.rflags = 2;
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_REGS, &got));
	ASSERT_EQ(0, ioctl(second.vcpu, KVM_SET_REGS, &got));
	OK(hlk_restore(self->t.hlk, snap, NULL));
	ASSERT_EQ(0, tvm_complete_io(&self->t));
	ASSERT_EQ(0, tvm_complete_io(&second));
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_GET_REGS, &got));
	ASSERT_EQ(1, got.rax);
	ASSERT_EQ(TVM_CODE, got.rip);
	ASSERT_EQ(0, ioctl(second.vcpu, KVM_GET_REGS, &got));
	ASSERT_EQ(2, got.rax);
	ASSERT_EQ(TVM_CODE, got.rip);
	tvm_vcpu_close(&second);
	close(snap);
}

/* The registers of each are its own in an image, too. */
TEST_F(vcpu, an_image_with_several)
{
	struct hlk_snapshot_build build = HLK_STRUCT(hlk_snapshot_build);
	struct hlk_window windows[] = {
		{ .gpa = 0, .bytes = TVM_LOW },
		{ .gpa = TVM_SCRATCH_GPA, .bytes = TVM_SCRATCH,
		  .flags = HLK_WINDOW_SCRATCH },
	};
	struct kvm_sync_regs regs[3];
	struct tvm vcpus[3];
	u32 i;

	vcpus[0] = self->t;
	for (i = 1; i < 3; i++)
		tvm_vcpu(&vcpus[i], &self->t, i);
	for (i = 0; i < 3; i++) {
		odd_regs(&regs[i], TVM_CODE + i);
		regs[i].regs.rsi = 0x100 + i;
		regs[i].sregs.cr2 = 0x200 + i;
	}
	build.windows = (uintptr_t)windows;
	build.window_size = sizeof(struct hlk_window);
	build.nr_windows = 2;
	build.vcpus = (uintptr_t)regs;
	build.nr_vcpus = 3;
	build.vcpu_size = sizeof(regs[0]);
	OK(hlk_call(self->t.dev, HLK_SNAPSHOT_BUILD, &build));
	OK(hlk_restore_flags(self->t.hlk, build.out_fd, HLK_RESTORE_AUDIT, NULL));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(TVM_CODE + i, vcpus[i].run->s.regs.regs.rip);
		ASSERT_EQ(0x100 + i, vcpus[i].run->s.regs.regs.rsi);
		ASSERT_EQ(0x200 + i, vcpus[i].run->s.regs.sregs.cr2);
	}
	for (i = 1; i < 3; i++)
		tvm_vcpu_close(&vcpus[i]);
	close(build.out_fd);
}

static void set_beside(struct tvm *t, u8 xmm, u32 mp_state)
{
	struct kvm_debugregs debug = { .db = { xmm }, .dr6 = 0xffff0ff0, .dr7 = 0x400 };
	struct kvm_mp_state state = { mp_state };
	struct kvm_fpu fpu = { .fcw = 0x37f, .mxcsr = 0x1f80 };

	fpu.xmm[3][5] = xmm;
	t_must(!ioctl(t->vcpu, KVM_SET_FPU, &fpu));
	t_must(!ioctl(t->vcpu, KVM_SET_DEBUGREGS, &debug));
	t_must(!ioctl(t->vcpu, KVM_SET_MP_STATE, &state));
}

/* Of what struct kvm_run has no room for, too, each vCPU gets back its own. */
TEST_F(vcpu, several_with_state_beside_their_registers)
{
	struct kvm_debugregs debug;
	struct kvm_mp_state state;
	struct tvm vcpus[3];
	struct kvm_fpu fpu;
	u32 round, i;
	int snap;

	tvm_open_irqchip(&vcpus[0]);
	tvm_machine(&vcpus[0], 0, 0);
	tvm_load(&vcpus[0], TVM_CODE, halt);
	for (i = 1; i < 3; i++) {
		tvm_vcpu(&vcpus[i], &vcpus[0], i);
		tvm_set(&vcpus[i], TVM_CODE);
	}
	for (i = 0; i < 3; i++)
		set_beside(&vcpus[i], 0x10 + i,
			   i == 1 ? KVM_MP_STATE_HALTED : KVM_MP_STATE_RUNNABLE);
	snap = OK(hlk_snapshot_flat(vcpus[0].hlk));
	for (round = 0; round < 2; round++) {
		for (i = 0; i < 3; i++)
			set_beside(&vcpus[i], 0x77, i == 1 ? KVM_MP_STATE_RUNNABLE :
							     KVM_MP_STATE_HALTED);
		OK(hlk_restore_flags(vcpus[0].hlk, snap, HLK_RESTORE_AUDIT, NULL));
		for (i = 0; i < 3; i++) {
			ASSERT_EQ(0, ioctl(vcpus[i].vcpu, KVM_GET_FPU, &fpu));
			ASSERT_EQ(0x10 + i, fpu.xmm[3][5]);
			ASSERT_EQ(0, ioctl(vcpus[i].vcpu, KVM_GET_DEBUGREGS, &debug));
			ASSERT_EQ(0x10 + i, debug.db[0]);
			ASSERT_EQ(0, ioctl(vcpus[i].vcpu, KVM_GET_MP_STATE, &state));
			ASSERT_EQ(i == 1 ? KVM_MP_STATE_HALTED : KVM_MP_STATE_RUNNABLE,
				  state.mp_state);
		}
	}
	for (i = 1; i < 3; i++)
		tvm_vcpu_close(&vcpus[i]);
	close(snap);
	tvm_close(&vcpus[0]);
}

TEST_HARNESS_MAIN
