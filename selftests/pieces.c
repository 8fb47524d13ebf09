// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each piece of a machine's state that a guest can change is back after a restore by a
 * program: changed by the guest, looked at by the guest and by KVM_GET_*, in 32-bit, PAE and
 * long mode, with KVM's interrupt controllers and without. What is of one mode alone, or is
 * not the guest's to change, is in program.c and vcpu_state.c.
 */
#include <signal.h>
#include <sys/time.h>

#include "machine.h"
#include "state.h"
#include "harness.h"

#define CR0_BASE	0x80050033U	/* PG, WP, NE, ET, MP, PE */
#define CR4_DE		0x8
#define CR4_PSE		0x10
#define CR4_PAE		0x20
#define CR4_OSFXSR	0x200
#define CR4_OSXSAVE	0x40000
#define EFER_LONG	0x500		/* LME, LMA */

#define TABLES		0x50000UL
#define LARGE		0x83		/* a large page: present, writable */
#define TABLE		0x3
#define APICS		0xfec00000U	/* I/O and local APIC */

#define CODE		0x60000UL
#define CODE_BYTES	0x80UL		/* of one that spoils, or looks */
#define DATA		0x20000U

/*
 * Each is the same instruction in 32-bit and in 64-bit code: no absolute address, no INC.
 * What they are about is in registers, which the test sets.
 */
#define TELL	"	outl %eax, $0xe9\n" \
		"1:	jmp 1b\n"

GUEST(msr_write, "	wrmsr\n" TELL);
GUEST(msr_flip, "	rdmsr\n"
		"	xorl %ebx, %eax\n"
		"	wrmsr\n" TELL);
GUEST(msr_read, "	rdmsr\n" TELL);
GUEST(msr_read_high, "	rdmsr\n"
		     "	movl %edx, %eax\n" TELL);
GUEST(tsc_adjust_read, "	movl $0x3b, %ecx\n"
		       "	rdmsr\n"
		       "	movl %edx, %eax\n" TELL);
/* The timer's entry has to be in that mode first */
GUEST(deadline_write, "	movl $0x50071, %edi\n"
		      "	movl %edi, (%ebx)\n"
		      "	wrmsr\n" TELL);
GUEST(swap_gs, "	.byte 0x0f, 0x01, 0xf8\n" TELL);
GUEST(xcr_write, "	xsetbv\n" TELL);
GUEST(xcr_read, "	xgetbv\n" TELL);
GUEST(xmm_write, "	movd %eax, %xmm0\n" TELL);
GUEST(xmm_read, "	movd %xmm0, %eax\n" TELL);
GUEST(fcw_write, "	movl %eax, (%ebx)\n"
		 "	fldcw (%ebx)\n" TELL);
GUEST(fcw_read, "	xorl %eax, %eax\n"
		"	movl %eax, (%ebx)\n"
		"	fnstcw (%ebx)\n"
		"	movl (%ebx), %eax\n" TELL);
GUEST(mem_write, "	movl %eax, (%ebx)\n" TELL);
GUEST(mem_read, "	movl (%ebx), %eax\n" TELL);
GUEST(mem_read_other, "	movl (%ecx), %eax\n" TELL);
/* The APIC is on, and has an interrupt that nobody takes */
GUEST(ipi_write, "	movl %edx, (%ebx)\n"
		 "	movl %eax, 0x210(%ebx)\n" TELL);
GUEST(ioapic_write, "	movl %ecx, (%ebx)\n"
		    "	movl %eax, 16(%ebx)\n" TELL);
GUEST(ioapic_read, "	movl %ecx, (%ebx)\n"
		   "	movl 16(%ebx), %eax\n" TELL);
GUEST(port_write, "	outb %al, %dx\n" TELL);
GUEST(port_read, "	xorl %eax, %eax\n"
		 "	inb %dx, %al\n" TELL);
/* Channel 0: both bytes, mode 2; then what a read-back says of mode and access */
GUEST(pit_write, "	movb $0x34, %al\n"
		 "	outb %al, $0x43\n"
		 "	movb $0x77, %al\n"
		 "	outb %al, $0x40\n"
		 "	outb %al, $0x40\n" TELL);
GUEST(pit_read, "	movb $0xe2, %al\n"
		"	outb %al, $0x43\n"
		"	xorl %eax, %eax\n"
		"	inb $0x40, %al\n" TELL);
/* The slave is being initialized; the mask of one that is done */
GUEST(pic_write, "	movb $0x11, %al\n"
		 "	outb %al, $0xa0\n"
		 "	movb $0x70, %al\n"
		 "	outb %al, $0xa1\n" TELL);
GUEST(cr2_write, "	movl %eax, %cr2\n" TELL);
GUEST(cr2_read, "	movl %cr2, %eax\n" TELL);
GUEST(cr4_write, "	movl %cr4, %eax\n"
		 "	xorl %ecx, %eax\n"
		 "	movl %eax, %cr4\n" TELL);
GUEST(cr4_read, "	movl %cr4, %eax\n" TELL);
GUEST(cr0_write, "	movl %cr0, %eax\n"
		 "	xorl %ecx, %eax\n"
		 "	movl %eax, %cr0\n" TELL);
GUEST(cr0_read, "	movl %cr0, %eax\n" TELL);
GUEST(halt, "	hlt\n" TELL);

#define DEBUG_REGISTER(nr)						\
	GUEST(dr##nr##_write, "	movl %eax, %dr" #nr "\n" TELL);	\
	GUEST(dr##nr##_read, "	movl %dr" #nr ", %eax\n" TELL)

DEBUG_REGISTER(0);
DEBUG_REGISTER(1);
DEBUG_REGISTER(2);
DEBUG_REGISTER(3);
DEBUG_REGISTER(6);
DEBUG_REGISTER(7);

#define ONE(name)	name, name##_end

#define IRQCHIP	1	/* with interrupt controllers alone */
#define LONG	2	/* in long mode alone */
#define INTERCEPT 4	/* KVM has to be told, which an emulated processor may not do */

static const struct piece {
	const char *name;
	const u8 *spoil, *spoil_end;
	const u8 *look, *look_end;
	u32 ax, cx, dx, bx;
	u32 mask;
	u32 needs;
} pieces[] = {
	{ "SYSENTER_CS", ONE(msr_write), ONE(msr_read), .ax = 0x18, .cx = 0x174 },
	{ "SYSENTER_ESP", ONE(msr_write), ONE(msr_read), .ax = 0x1818, .cx = 0x175 },
	{ "SYSENTER_EIP", ONE(msr_write), ONE(msr_read), .ax = 0x1819, .cx = 0x176 },
	{ "STAR", ONE(msr_write), ONE(msr_read), .ax = 0x1111, .cx = 0xc0000081 },
	{ "LSTAR", ONE(msr_write), ONE(msr_read), .ax = 0x2222, .cx = 0xc0000082 },
	{ "CSTAR", ONE(msr_write), ONE(msr_read), .ax = 0x3333, .cx = 0xc0000083 },
	{ "SFMASK", ONE(msr_write), ONE(msr_read), .ax = 0x4444, .cx = 0xc0000084 },
	{ "KERNEL_GS_BASE", ONE(msr_write), ONE(msr_read),
	  .ax = 0x5555, .cx = 0xc0000102 },
	{ "KERNEL_GS_BASE, high", ONE(msr_write), ONE(msr_read_high),
	  .cx = 0xc0000102, .dx = 0x6666 },
	{ "KERNEL_GS_BASE by SWAPGS", ONE(swap_gs), ONE(msr_read),
	  .cx = 0xc0000102, .needs = LONG },
	{ "PAT", ONE(msr_write), ONE(msr_read),
	  .ax = 0x00070401, .cx = 0x277, .dx = 0x00070406 },
	{ "TSC_AUX", ONE(msr_write), ONE(msr_read), .ax = 0x77, .cx = 0xc0000103 },
	{ "TSC", ONE(msr_write), ONE(msr_read_high),
	  .cx = 0x10, .dx = 0x12345678, .mask = 0xffff0000 },
	{ "TSC_ADJUST", ONE(msr_write), ONE(msr_read), .ax = 0x99999, .cx = 0x3b },
	{ "TSC_ADJUST by TSC", ONE(msr_write), ONE(tsc_adjust_read),
	  .cx = 0x10, .dx = 0x12345678 },
	{ "MISC_ENABLE", ONE(msr_flip), ONE(msr_read), .cx = 0x1a0, .bx = 1 },
	{ "MTRR, default", ONE(msr_write), ONE(msr_read), .ax = 0x806, .cx = 0x2ff },
	{ "MTRR, variable", ONE(msr_write), ONE(msr_read), .ax = 0x1000, .cx = 0x200 },
	{ "MTRR, fixed", ONE(msr_write), ONE(msr_read),
	  .ax = 0x06060606, .cx = 0x250, .dx = 0x06060606 },
	{ "EFER", ONE(msr_write), ONE(msr_read),
	  .ax = 0x501, .cx = 0xc0000080, .needs = LONG },
	{ "kvmclock", ONE(msr_write), ONE(msr_read), .ax = DATA | 1, .cx = 0x4b564d01 },
	{ "asynchronous page faults", ONE(msr_write), ONE(msr_read),
	  .ax = 0x41, .cx = 0x4b564d06, .needs = IRQCHIP },
	{ "TSC_DEADLINE", ONE(deadline_write), ONE(msr_read),
	  .ax = ~0U, .cx = 0x6e0, .dx = 0x7fffffff, .bx = 0xfee00320, .needs = IRQCHIP },
	{ "XCR0", ONE(xcr_write), ONE(xcr_read), .ax = 3, .needs = INTERCEPT },
	{ "XMM0", ONE(xmm_write), ONE(xmm_read), .ax = 0xabcd },
	{ "x87", ONE(fcw_write), ONE(fcw_read), .ax = 0x27f, .bx = DATA },
	{ "DR0", ONE(dr0_write), ONE(dr0_read), .ax = 0x9990 },
	{ "DR1", ONE(dr1_write), ONE(dr1_read), .ax = 0x9991 },
	{ "DR2", ONE(dr2_write), ONE(dr2_read), .ax = 0x9992 },
	{ "DR3", ONE(dr3_write), ONE(dr3_read), .ax = 0x9993 },
	{ "DR6", ONE(dr6_write), ONE(dr6_read), .ax = 0xffff0ff5 },
	{ "DR7", ONE(dr7_write), ONE(dr7_read), .ax = 0x502 },
	{ "CR0", ONE(cr0_write), ONE(cr0_read), .cx = 0x10000 },
	{ "CR2", ONE(cr2_write), ONE(cr2_read), .ax = 0x9999000 },
	{ "CR4", ONE(cr4_write), ONE(cr4_read), .cx = CR4_DE },
	{ "memory", ONE(mem_write), ONE(mem_read), .ax = 0x1234, .bx = DATA },
	{ "APIC base: off", ONE(msr_write), ONE(msr_read),
	  .ax = 0xfee00100, .cx = 0x1b, .needs = IRQCHIP },
	{ "APIC base: x2APIC", ONE(msr_write), ONE(msr_read),
	  .ax = 0xfee00d00, .cx = 0x1b, .needs = IRQCHIP },
	{ "APIC: TPR", ONE(mem_write), ONE(mem_read),
	  .ax = 0x20, .bx = 0xfee00080, .needs = IRQCHIP },
	{ "APIC: LDR", ONE(mem_write), ONE(mem_read),
	  .ax = 0x2000000, .bx = 0xfee000d0, .needs = IRQCHIP },
	{ "APIC: DFR", ONE(mem_write), ONE(mem_read),
	  .ax = 0x0fffffff, .bx = 0xfee000e0, .needs = IRQCHIP },
	{ "APIC: SVR", ONE(mem_write), ONE(mem_read),
	  .ax = 0x1fe, .bx = 0xfee000f0, .needs = IRQCHIP },
	{ "APIC: ICR, high", ONE(mem_write), ONE(mem_read),
	  .ax = 0x5000000, .bx = 0xfee00310, .needs = IRQCHIP },
	{ "APIC: LVT timer", ONE(mem_write), ONE(mem_read),
	  .ax = 0x10071, .bx = 0xfee00320, .needs = IRQCHIP },
	{ "APIC: LVT0", ONE(mem_write), ONE(mem_read),
	  .ax = 0x10041, .bx = 0xfee00350, .needs = IRQCHIP },
	{ "APIC: LVT error", ONE(mem_write), ONE(mem_read),
	  .ax = 0x10042, .bx = 0xfee00370, .needs = IRQCHIP },
	{ "APIC: timer's initial count", ONE(mem_write), ONE(mem_read),
	  .ax = 0x7fffffff, .bx = 0xfee00380, .needs = IRQCHIP },
	{ "APIC: timer's current count", ONE(mem_write), ONE(mem_read_other),
	  .ax = 0x7fffffff, .cx = 0xfee00390, .bx = 0xfee00380, .needs = IRQCHIP },
	{ "APIC: divider", ONE(mem_write), ONE(mem_read),
	  .ax = 0xb, .bx = 0xfee003e0, .needs = IRQCHIP },
	{ "APIC: IRR, by an IPI to itself", ONE(ipi_write), ONE(mem_read_other),
	  .ax = 0x44051, .cx = 0xfee00220, .dx = 0x1ff, .bx = 0xfee000f0,
	  .needs = IRQCHIP },
	{ "I/O APIC: id", ONE(ioapic_write), ONE(ioapic_read),
	  .ax = 0x3000000, .bx = APICS, .needs = IRQCHIP },
	{ "I/O APIC: an entry", ONE(ioapic_write), ONE(ioapic_read),
	  .ax = 0x10051, .cx = 0x12, .bx = APICS, .needs = IRQCHIP },
	{ "I/O APIC: an entry, high", ONE(ioapic_write), ONE(ioapic_read),
	  .ax = 0x1000000, .cx = 0x3f, .bx = APICS, .needs = IRQCHIP },
	{ "PIC: the master's mask", ONE(port_write), ONE(port_read),
	  .ax = 0x5a, .dx = 0x21, .needs = IRQCHIP },
	{ "PIC: the slave's mask", ONE(port_write), ONE(port_read),
	  .ax = 0xa5, .dx = 0xa1, .needs = IRQCHIP },
	{ "PIC: level or edge", ONE(port_write), ONE(port_read),
	  .ax = 0x20, .dx = 0x4d0, .needs = IRQCHIP },
	{ "PIC: its initialization", ONE(pic_write), NULL, NULL, .needs = IRQCHIP },
	{ "PIT: channel 0", ONE(pit_write), ONE(pit_read),
	  .mask = 0x3f, .needs = IRQCHIP },
	{ "PIT: gate and speaker", ONE(port_write), ONE(port_read),
	  .ax = 3, .dx = 0x61, .mask = 3, .needs = IRQCHIP },
};

FIXTURE(pieces) {
	struct tvm t;
	struct prog *p;
	struct machine *before, *after;
	u8 *at;
	int snap;
};

FIXTURE_VARIANT(pieces) {
	enum { MODE_32, MODE_PAE, MODE_64 } mode;
	bool irqchip;
};

FIXTURE_VARIANT_ADD(pieces, i386) { MODE_32, false };
FIXTURE_VARIANT_ADD(pieces, i386_irqchip) { MODE_32, true };
FIXTURE_VARIANT_ADD(pieces, pae) { MODE_PAE, false };
FIXTURE_VARIANT_ADD(pieces, pae_irqchip) { MODE_PAE, true };
FIXTURE_VARIANT_ADD(pieces, x86_64) { MODE_64, false };
FIXTURE_VARIANT_ADD(pieces, x86_64_irqchip) { MODE_64, true };

static void set_64(struct tvm *t, u64 table, u32 entry, u64 value)
{
	((u64 *)tvm_at(t, table))[entry] = value;
}

/* Low memory and the APICs, where they are; by large pages */
static void set_mode(struct tvm *t, struct kvm_sregs *sregs, int mode)
{
	const u64 low = TABLES + PAGE, high = TABLES + 2 * PAGE, top = TABLES + 3 * PAGE;

	sregs->cr0 = CR0_BASE;
	sregs->cr3 = TABLES;
	sregs->cr4 = CR4_OSFXSR | CR4_OSXSAVE;
	if (mode == MODE_32) {
		((u32 *)tvm_at(t, TABLES))[0] = LARGE;
		((u32 *)tvm_at(t, TABLES))[APICS >> 22] = APICS | LARGE;
		sregs->cr4 |= CR4_PSE;
		return;
	}
	sregs->cr4 |= CR4_PAE;
	set_64(t, low, 0, LARGE);
	set_64(t, high, APICS >> 21 & 511, APICS | LARGE);
	set_64(t, high, (APICS >> 21 & 511) + 1, (APICS + 0x200000) | LARGE);
	if (mode == MODE_PAE) {
		set_64(t, TABLES, 0, low | 1);
		set_64(t, TABLES, 3, high | 1);
		return;
	}
	set_64(t, TABLES, 0, top | TABLE);
	set_64(t, top, 0, low | TABLE);
	set_64(t, top, 3, high | TABLE);
	sregs->efer = EFER_LONG;
	sregs->cs.l = 1;
	sregs->cs.db = 0;
}

static u64 code_of(u32 nr, bool look)
{
	return CODE + (2 * nr + look) * CODE_BYTES;
}

FIXTURE_SETUP(pieces)
{
	struct kvm_sync_regs regs;
	u32 i;

	t_begin();
	if (variant->irqchip)
		tvm_open_deadline(&self->t);
	else
		tvm_open_msrs(&self->t);
	tvm_machine(&self->t, 0, 0);
	tvm_flat(&regs, TVM_CODE, TVM_STACK);
	regs.regs.rflags = 2;
	set_mode(&self->t, &regs.sregs, variant->mode);
	tvm_set_regs(&self->t, &regs);
	for (i = 0; i < ARRAY_SIZE(pieces); i++) {
		tvm_load_(&self->t, code_of(i, false), pieces[i].spoil, pieces[i].spoil_end);
		if (pieces[i].look)
			tvm_load_(&self->t, code_of(i, true), pieces[i].look,
				  pieces[i].look_end);
	}
	tvm_load(&self->t, TVM_CODE, halt);
	t_must(code_of(ARRAY_SIZE(pieces), false) <= TVM_LOW);
	self->p = calloc(1, sizeof(*self->p));
	self->before = calloc(1, sizeof(*self->before));
	self->after = calloc(1, sizeof(*self->after));
	t_must(self->p && self->before && self->after);
	msr_set(&self->t, MSR_KERNEL_GS_BASE, 0xaaaa);
	machine_get(&self->t, self->before);
	prog_machine(self->p, self->before, variant->irqchip);
	self->snap = prog_snapshot(self->t.hlk, self->p);
	t_must(self->snap >= 0);
	self->at = prog_map(self->snap);
	t_must(self->at != MAP_FAILED);
	self->after->msrs = self->before->msrs;
}

FIXTURE_TEARDOWN(pieces)
{
	munmap(self->at, prog_size(self->snap));
	close(self->snap);
	tvm_close(&self->t);
	free(self->p);
	free(self->before);
	free(self->after);
	EXPECT_EQ(0, t_end());
}

/* Have the guest spoil a piece, or look at it: what it says */
static int piece_run(struct tvm *t, u32 nr, bool look, u32 *said)
{
	const struct piece *piece = &pieces[nr];
	struct kvm_regs *regs = &t->run->s.regs.regs;
	int ret;

	regs->rip = code_of(nr, look);
	regs->rax = piece->ax;
	regs->rbx = piece->bx;
	regs->rcx = piece->cx;
	regs->rdx = piece->dx;
	t->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
	ret = tvm_run(t);
	if (ret != KVM_EXIT_IO || t->run->io.port != 0xe9)
		return ret;
	memcpy(said, (u8 *)t->run + t->run->io.data_offset, sizeof(*said));
	*said &= piece->mask ?: ~0U;
	return ret;
}

TEST_F(pieces, each_comes_back)
{
	const struct piece *piece;
	u32 was, spoilt, is, wrote;
	struct hlk_restore r;
	u32 i, tried = 0;

	for (i = 0; i < ARRAY_SIZE(pieces); i++) {
		piece = &pieces[i];
		if ((piece->needs & IRQCHIP && !variant->irqchip) ||
		    (piece->needs & LONG && variant->mode != MODE_64))
			continue;
		tried++;
		was = 0;
		spoilt = 0;
		is = 0;
		OK(prog_restore(self->t.hlk, self->snap, self->at, 0, &r));
		ASSERT_EQ(prog_residue(variant->irqchip), r.residue);
		if (piece->look) {
			ASSERT_EQ(KVM_EXIT_IO, piece_run(&self->t, i, true, &was)) {
				TH_LOG("%s", piece->name);
			}
		}
		OK(prog_restore(self->t.hlk, -1, self->at, 0, &r));
		ASSERT_EQ(KVM_EXIT_IO, piece_run(&self->t, i, false, &wrote)) {
			TH_LOG("%s", piece->name);
		}
		ASSERT_EQ(0, tvm_complete_io(&self->t));
		if (piece->look) {
			ASSERT_EQ(KVM_EXIT_IO, piece_run(&self->t, i, true, &spoilt)) {
				TH_LOG("%s", piece->name);
			}
			if (was == spoilt)
				TH_LOG("%s is not changed", piece->name);
			ASSERT_TRUE(was != spoilt || piece->needs & INTERCEPT);
		}
		OK(prog_restore(self->t.hlk, -1, self->at, 0, &r));
		ASSERT_EQ(prog_residue(variant->irqchip), r.residue) {
			TH_LOG("%s", piece->name);
		}
		machine_get(&self->t, self->after);
		SAME_MACHINE(self->before, self->after);
		OK(prog_restore(self->t.hlk, -1, self->at, HLK_RESTORE_AUDIT, &r));
		ASSERT_TRUE(!piece->look ||
			    piece_run(&self->t, i, true, &is) == KVM_EXIT_IO);
		ASSERT_EQ(was, is) {
			TH_LOG("%s", piece->name);
		}
	}
	TH_LOG("%u pieces", tried);
}

static void no_op(int sig)
{
}

/* With interrupt controllers it waits in the kernel, until a signal comes; else it comes out. */
TEST_F(pieces, who_halted_does_not)
{
	/* again and again: the first may come before the guest is entered */
	const struct itimerval soon = { { .tv_usec = 5000 }, { .tv_usec = 5000 } };
	const struct itimerval never = {};
	struct sigaction action = { .sa_handler = no_op };
	struct kvm_mp_state mp;
	int round, tries;
	u32 said;

	sigaction(SIGALRM, &action, NULL);
	for (round = 0; round < 3; round++) {
		OK(prog_restore(self->t.hlk, self->snap, self->at, 0, NULL));
		mp.mp_state = KVM_MP_STATE_RUNNABLE;
		if (!variant->irqchip)
			ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
		ASSERT_EQ(0, setitimer(ITIMER_REAL, variant->irqchip ? &soon : &never, NULL));
		for (tries = variant->irqchip ? 100 : 0;
		     mp.mp_state != KVM_MP_STATE_HALTED && tries; tries--) {
			ASSERT_EQ(-EINTR, tvm_run(&self->t));
			ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_GET_MP_STATE, &mp));
		}
		ASSERT_EQ(0, setitimer(ITIMER_REAL, &never, NULL));
		ASSERT_TRUE(!variant->irqchip || mp.mp_state == KVM_MP_STATE_HALTED);
		OK(prog_restore(self->t.hlk, -1, self->at, 0, NULL));
		ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_GET_MP_STATE, &mp));
		ASSERT_EQ(KVM_MP_STATE_RUNNABLE, mp.mp_state);
		ASSERT_EQ(KVM_EXIT_IO, piece_run(&self->t, 0, true, &said));
	}
}

TEST_HARNESS_MAIN
