// SPDX-License-Identifier: GPL-2.0-only
/*
 * State programs: what they may be, how they are mapped, and that each piece of state
 * which they set is back after a restore, whoever changed it.
 */
#include <linux/hlk_guest.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include "machine.h"
#include "harness.h"

#define MSR_WALL_CLOCK		0x4b564d00
#define MSR_NONE		0xdeadbeef

FIXTURE(program) {
	struct tvm t;
	struct prog *p;
	struct machine *before, *after;
};

FIXTURE_SETUP(program)
{
	t_begin();
	tvm_open_pc(&self->t);
	tvm_machine(&self->t, 0, 0);
	self->p = calloc(1, sizeof(*self->p));
	self->before = calloc(1, sizeof(*self->before));
	self->after = calloc(1, sizeof(*self->after));
	t_must(self->p && self->before && self->after);
}

FIXTURE_TEARDOWN(program)
{
	tvm_close(&self->t);
	free(self->p);
	free(self->before);
	free(self->after);
	EXPECT_EQ(0, t_end());
}

/* ---- what a program may be ---- */

#define BAD(errno_, why_, index_, where_)				\
	do {								\
		FAILS(errno_, why_, prog_snapshot(self->t.hlk, self->p)); \
		ASSERT_EQ((u32)(index_), t_index);			\
		ASSERT_EQ((u64)(where_), t_where);			\
	} while (0)

#define BAD_HEADER(errno_, field, value)				\
	do {								\
		prog_msr(self->p, MSR_LSTAR, 1);			\
		self->p->header.field = (value);			\
		BAD(errno_, HLK_WHY_PROGRAM_HEADER, 0,			\
		    offsetof(struct hlk_program_header, field));	\
	} while (0)

TEST_F(program, headers_that_are_wrong)
{
	BAD_HEADER(EINVAL, size, 0);
	BAD_HEADER(EINVAL, size, sizeof(struct hlk_program_header) + 8);
	BAD_HEADER(EINVAL, entry_size, 0);
	BAD_HEADER(EINVAL, entry_size, sizeof(struct hlk_program_entry) + 8);
	BAD_HEADER(EOPNOTSUPP, flags, 1);
	BAD_HEADER(E2BIG, nr_entries, HLK_MAX_PROGRAM_ENTRIES + 1);
	BAD_HEADER(E2BIG, nr_entries, ~0U);
	BAD_HEADER(EOPNOTSUPP, __reserved[0], 1);
	prog_msr(self->p, MSR_LSTAR, 1);
	self->p->header.__reserved[1] = 1;
	BAD(EOPNOTSUPP, HLK_WHY_PROGRAM_HEADER, 0,
	    offsetof(struct hlk_program_header, __reserved));
	/* more entries than there are bytes */
	prog_begin(self->p);
	self->p->bytes = sizeof(self->p->header) + sizeof(self->p->entry[0]);
	self->p->header.nr_entries = 2;
	BAD(EINVAL, HLK_WHY_PROGRAM_SIZE, 0,
	    sizeof(self->p->header) + 2 * sizeof(self->p->entry[0]));
}

TEST_F(program, sizes_that_are_wrong)
{
	struct hlk_snapshot s = { .program = (uintptr_t)self->p };
	u8 *hole;
	int snap;

	prog_msr(self->p, MSR_LSTAR, 1);
	s.program_bytes = HLK_MAX_PROGRAM + 8;
	FAILS(E2BIG, HLK_WHY_PROGRAM_SIZE, hlk_snapshot(self->t.hlk, &s));
	ASSERT_EQ(HLK_MAX_PROGRAM, t_where);
	s.program_bytes = ~0U;
	FAILS(E2BIG, HLK_WHY_PROGRAM_SIZE, hlk_snapshot(self->t.hlk, &s));
	s.program_bytes = sizeof(struct hlk_program_header) - 8;
	FAILS(EINVAL, HLK_WHY_PROGRAM_SIZE, hlk_snapshot(self->t.hlk, &s));
	ASSERT_EQ(sizeof(struct hlk_program_header), t_where);
	s.program_bytes = self->p->bytes - 4;
	FAILS(EINVAL, HLK_WHY_PROGRAM_SIZE, hlk_snapshot(self->t.hlk, &s));
	s.program_bytes = self->p->bytes;
	s.__reserved = 1;
	FAILS(EOPNOTSUPP, HLK_WHY_RESERVED, hlk_snapshot(self->t.hlk, &s));
	s.__reserved = 0;
	s.program = 0x1000;
	FAILS(EFAULT, HLK_WHY_NONE, hlk_snapshot(self->t.hlk, &s));
	/* the second page is not there */
	hole = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	ASSERT_NE(MAP_FAILED, hole);
	munmap(hole + PAGE, PAGE);
	prog_begin(self->p);
	memcpy(hole, self->p, PAGE);
	s.program = (uintptr_t)hole;
	s.program_bytes = PAGE + 8;
	FAILS(EFAULT, HLK_WHY_NONE, hlk_snapshot(self->t.hlk, &s));
	s.program_bytes = PAGE;
	snap = OK(hlk_snapshot(self->t.hlk, &s));
	ASSERT_EQ(PAGE, prog_size(snap));
	close(snap);
	munmap(hole, PAGE);
	/* none */
	s.program = 0x1000;
	s.program_bytes = 0;
	snap = OK(hlk_snapshot(self->t.hlk, &s));
	ASSERT_EQ(0, prog_size(snap));
	FAILS_ERRNO(ENXIO, mmap(NULL, PAGE, PROT_READ, MAP_SHARED, snap,
				HLK_PROGRAM_OFFSET));
	close(snap);
}

#define BAD_ENTRY(errno_, field, value)					\
	do {								\
		prog_msr(self->p, MSR_LSTAR, 1);			\
		prog_add(self->p, KVM_SET_XCRS, 0, &xcrs, sizeof(xcrs)); \
		self->p->entry[1].field = (value);			\
		BAD(errno_, HLK_WHY_PROGRAM_ENTRY, 1,			\
		    offsetof(struct hlk_program_entry, field));		\
	} while (0)

TEST_F(program, entries_that_are_wrong)
{
	struct kvm_xcrs xcrs = {};

	BAD_ENTRY(EINVAL, target, 1);
	BAD_ENTRY(EINVAL, target, 15);
	BAD_ENTRY(EINVAL, target, 16);
	BAD_ENTRY(EINVAL, target, 0x80000000);
	BAD_ENTRY(EINVAL, target, HLK_PROGRAM_VM);
	BAD_ENTRY(EINVAL, offset, 0);
	BAD_ENTRY(EINVAL, offset, sizeof(struct hlk_program_header) +
		  sizeof(struct hlk_program_entry));
	BAD_ENTRY(EINVAL, offset, offsetof(struct prog, args) + 4);
	BAD_ENTRY(EINVAL, offset, self->p->bytes + 8);
	BAD_ENTRY(EINVAL, offset, 0xfffffff8);
	BAD_ENTRY(EINVAL, bytes, 0);
	BAD_ENTRY(EINVAL, bytes, sizeof(xcrs) - 8);
	BAD_ENTRY(EINVAL, bytes, sizeof(xcrs) + 8);
	BAD_ENTRY(EINVAL, bytes, ~0U);
	BAD_ENTRY(EOPNOTSUPP, flags, 8);
	BAD_ENTRY(EINVAL, flags, HLK_PROGRAM_TIME_BACK | HLK_PROGRAM_TIME_GOES_ON);
	BAD_ENTRY(EOPNOTSUPP, __reserved[0], 1);
	prog_msr(self->p, MSR_LSTAR, 1);
	self->p->entry[0].__reserved[2] = 1;
	BAD(EOPNOTSUPP, HLK_WHY_PROGRAM_ENTRY, 0,
	    offsetof(struct hlk_program_entry, __reserved));
	/* the argument would reach beyond the end */
	prog_begin(self->p);
	prog_add(self->p, KVM_SET_XCRS, 0, &xcrs, sizeof(xcrs));
	self->p->bytes -= 8;
	BAD(EINVAL, HLK_WHY_PROGRAM_ENTRY, 0, offsetof(struct hlk_program_entry, bytes));
}

TEST_F(program, calls_that_a_program_may_not_make)
{
	static const u32 cmds[] = {
		0, ~0U, KVM_RUN, KVM_CREATE_VCPU, KVM_GET_REGS, KVM_GET_MSRS,
		KVM_SET_CPUID2, KVM_SET_DEVICE_ATTR, KVM_SET_USER_MEMORY_REGION,
		KVM_INTERRUPT, KVM_NMI, KVM_SET_SIGNAL_MASK, KVM_SET_GSI_ROUTING,
		KVM_SET_ONE_REG, KVM_ENABLE_CAP, KVM_CREATE_PIT2, HLK_RUN, HLK_RESTORE,
		KVM_SET_REGS + 1, KVM_SET_MSRS ^ 0x10000,
	};
	u64 zero = 0;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		prog_msr(self->p, MSR_LSTAR, 1);
		prog_add(self->p, cmds[i], 0, &zero, sizeof(zero));
		BAD(EOPNOTSUPP, HLK_WHY_PROGRAM_CMD, 1, cmds[i]);
		self->p->entry[1].target = HLK_PROGRAM_VM;
		BAD(EOPNOTSUPP, HLK_WHY_PROGRAM_CMD, 1, cmds[i]);
	}
}

TEST_F(program, arguments_whose_size_varies)
{
	static struct kvm_nested_state nested;
	static struct kvm_xsave xsave;
	struct msrs msrs = { .head.nmsrs = 2 };
	const u32 bytes = offsetof(struct hlk_program_entry, bytes);
	const u32 offset = offsetof(struct hlk_program_entry, offset);
	struct kvm_msrs *head;
	u64 khz = 1ULL << 32;

	prog_begin(self->p);
	head = prog_add(self->p, KVM_SET_MSRS, 0, &msrs, msrs_bytes(&msrs));
	head->nmsrs = 1;
	BAD(EINVAL, HLK_WHY_PROGRAM_ENTRY, 0, bytes);
	head->nmsrs = 3;
	BAD(EINVAL, HLK_WHY_PROGRAM_ENTRY, 0, bytes);
	head->nmsrs = 0x10000002;	/* times 16 is the same in 32 bits */
	BAD(EINVAL, HLK_WHY_PROGRAM_ENTRY, 0, bytes);
	head->nmsrs = ~0U;
	BAD(EINVAL, HLK_WHY_PROGRAM_ENTRY, 0, bytes);
	self->p->entry[0].bytes = 4;
	BAD(EINVAL, HLK_WHY_PROGRAM_ENTRY, 0, bytes);
	/* more than KVM takes */
	prog_begin(self->p);
	head = prog_add(self->p, KVM_SET_MSRS, 0, &msrs, sizeof(msrs.head));
	self->p->bytes += 256 * sizeof(msrs.entry[0]);
	self->p->entry[0].bytes += 256 * sizeof(msrs.entry[0]);
	head->nmsrs = 256;
	BAD(EINVAL, HLK_WHY_PROGRAM_ENTRY, 0, bytes);

	prog_begin(self->p);
	prog_add(self->p, KVM_SET_XSAVE, 0, &xsave, sizeof(xsave));
	self->p->entry[0].bytes -= 8;
	BAD(EINVAL, HLK_WHY_PROGRAM_ENTRY, 0, bytes);

	prog_begin(self->p);
	nested.size = sizeof(nested) + 8;
	prog_add(self->p, KVM_SET_NESTED_STATE, 0, &nested, sizeof(nested));
	BAD(EINVAL, HLK_WHY_PROGRAM_ENTRY, 0, bytes);
	self->p->entry[0].bytes = 8;
	BAD(EINVAL, HLK_WHY_PROGRAM_ENTRY, 0, bytes);

	prog_begin(self->p);
	prog_add(self->p, KVM_SET_TSC_KHZ, 0, &khz, sizeof(khz));
	BAD(EINVAL, HLK_WHY_PROGRAM_ENTRY, 0, offset);
	self->p->entry[0].bytes = 4;
	BAD(EINVAL, HLK_WHY_PROGRAM_ENTRY, 0, bytes);
}

/* Who loads a vCPU's registers cannot change from one restore to the next. */
TEST_F(program, registers_of_some_restores_alone)
{
	struct kvm_sregs2 sregs;

	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_GET_SREGS2, &sregs));
	prog_begin(self->p);
	prog_add(self->p, KVM_SET_SREGS2, 0, &sregs, sizeof(sregs));
	self->p->entry[0].flags = HLK_PROGRAM_TIME_BACK;
	BAD(EINVAL, HLK_WHY_PROGRAM_ENTRY, 0, offsetof(struct hlk_program_entry, flags));
}

TEST_F(program, a_compact_snapshot_has_directories_of_its_own)
{
	struct hlk_snapshot s = { .head.flags = HLK_SNAPSHOT_COMPACT };
	struct kvm_sregs sregs;

	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_GET_SREGS, &sregs));
	prog_msr(self->p, MSR_LSTAR, 1);
	prog_add(self->p, KVM_SET_SREGS, 0, &sregs, sizeof(sregs));
	s.program = (uintptr_t)self->p;
	s.program_bytes = self->p->bytes;
	FAILS(EINVAL, HLK_WHY_PROGRAM_COMPACT, hlk_snapshot(self->t.hlk, &s));
	ASSERT_EQ(1, t_index);
}

/* ---- the mapping ---- */

TEST_F(program, is_mapped_read_only_and_whole)
{
	u64 bytes;
	u8 *at;
	int snap;

	machine_get(&self->t, self->before);
	prog_machine(self->p, self->before, true);
	snap = OK(prog_snapshot(self->t.hlk, self->p));
	bytes = prog_size(snap);
	ASSERT_LT(PAGE, bytes);
	FAILS_ERRNO(EACCES, mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, snap,
				 HLK_PROGRAM_OFFSET));
	FAILS_ERRNO(EINVAL, mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, snap,
				 HLK_PROGRAM_OFFSET));
	FAILS_ERRNO(EINVAL, mmap(NULL, bytes - PAGE, PROT_READ, MAP_SHARED, snap,
				 HLK_PROGRAM_OFFSET));
	FAILS_ERRNO(EINVAL, mmap(NULL, bytes + PAGE, PROT_READ, MAP_SHARED, snap,
				 HLK_PROGRAM_OFFSET));
	FAILS_ERRNO(ENXIO, mmap(NULL, bytes, PROT_READ, MAP_SHARED, snap,
				HLK_PROGRAM_OFFSET + PAGE));
	at = prog_map(snap);
	ASSERT_NE(MAP_FAILED, at);
	ASSERT_EQ(0, memcmp(at, self->p, self->p->bytes));
	for (; self->p->bytes < bytes; self->p->bytes++)
		ASSERT_EQ(0, at[self->p->bytes]);
	FAILS_ERRNO(EACCES, mprotect(at, bytes, PROT_READ | PROT_WRITE));
	FAILS_ERRNO(EFAULT, mremap(at, bytes, bytes + PAGE, MREMAP_MAYMOVE));
	munmap(at, bytes);
	close(snap);
}

/* What the caller does to his own copy afterwards is nothing to the snapshot. */
TEST_F(program, is_a_copy)
{
	int snap;
	u8 *at;

	prog_msr(self->p, MSR_LSTAR, 0x1234);
	snap = OK(prog_snapshot(self->t.hlk, self->p));
	memset(self->p, 0xff, self->p->bytes);
	at = prog_map(snap);
	ASSERT_NE(MAP_FAILED, at);
	OK(prog_restore(self->t.hlk, snap, at, 0, NULL));
	ASSERT_EQ(0x1234, msr_get(&self->t, MSR_LSTAR));
	munmap(at, PAGE);
	close(snap);
}

TEST_F(program, another_mapping_will_not_do)
{
	int snap, other, plain;
	u8 *at, *others, *anon;
	u64 bytes;

	machine_get(&self->t, self->before);
	prog_machine(self->p, self->before, true);
	snap = OK(prog_snapshot(self->t.hlk, self->p));
	other = OK(prog_snapshot(self->t.hlk, self->p));
	plain = OK(hlk_snapshot_flat(self->t.hlk));
	bytes = prog_size(snap);
	at = prog_map(snap);
	others = prog_map(other);
	anon = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	ASSERT_NE(MAP_FAILED, at);
	ASSERT_NE(MAP_FAILED, others);
	ASSERT_NE(MAP_FAILED, anon);
	memcpy(anon, self->p, self->p->bytes);

	FAILS(EINVAL, HLK_WHY_PROGRAM_MISSING, prog_restore(self->t.hlk, snap, NULL, 0, NULL));
	FAILS(EFAULT, HLK_WHY_PROGRAM_MAPPING, prog_restore(self->t.hlk, snap, others, 0, NULL));
	ASSERT_EQ((uintptr_t)others, t_where);
	FAILS(EFAULT, HLK_WHY_PROGRAM_MAPPING, prog_restore(self->t.hlk, snap, anon, 0, NULL));
	FAILS(EFAULT, HLK_WHY_PROGRAM_MAPPING,
	      prog_restore(self->t.hlk, snap, at + PAGE, 0, NULL));
	FAILS(EFAULT, HLK_WHY_PROGRAM_MAPPING, prog_restore(self->t.hlk, snap, at + 8, 0, NULL));
	FAILS(EFAULT, HLK_WHY_PROGRAM_MAPPING,
	      prog_restore(self->t.hlk, snap, (void *)-PAGE, 0, NULL));
	FAILS(EFAULT, HLK_WHY_PROGRAM_MAPPING, prog_restore(self->t.hlk, plain, at, 0, NULL));
	/* none of these changed anything */
	OK(hlk_restore(self->t.hlk, plain, NULL));
	OK(prog_restore(self->t.hlk, snap, at, 0, NULL));
	OK(prog_restore(self->t.hlk, -1, at, 0, NULL));
	FAILS(EINVAL, HLK_WHY_PROGRAM_MISSING, prog_restore(self->t.hlk, -1, NULL, 0, NULL));

	/* moved */
	anon = mremap(at, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, anon);
	ASSERT_NE(MAP_FAILED, anon);
	FAILS(EFAULT, HLK_WHY_PROGRAM_MAPPING, prog_restore(self->t.hlk, -1, at, 0, NULL));
	OK(prog_restore(self->t.hlk, -1, anon, 0, NULL));
	/* in two pieces: rights split it */
	ASSERT_EQ(0, mprotect(anon + PAGE, PAGE, PROT_NONE));
	FAILS(EFAULT, HLK_WHY_PROGRAM_MAPPING, prog_restore(self->t.hlk, -1, anon, 0, NULL));
	ASSERT_EQ(0, mprotect(anon + PAGE, PAGE, PROT_READ));
	/* without its end, without its begin */
	munmap(anon + bytes - PAGE, PAGE);
	FAILS(EFAULT, HLK_WHY_PROGRAM_MAPPING, prog_restore(self->t.hlk, -1, anon, 0, NULL));
	munmap(anon, bytes);
	FAILS(EFAULT, HLK_WHY_PROGRAM_MAPPING, prog_restore(self->t.hlk, -1, anon, 0, NULL));
	at = prog_map(snap);
	munmap(at, PAGE);
	FAILS(EFAULT, HLK_WHY_PROGRAM_MAPPING,
	      prog_restore(self->t.hlk, -1, at + PAGE, 0, NULL));
	munmap(at, bytes);

	/* a mapping needs no fd */
	at = prog_map(snap);
	close(snap);
	OK(prog_restore(self->t.hlk, -1, at, 0, NULL));
	munmap(at, bytes);
	munmap(others, bytes);
	close(other);
	close(plain);
}

/* One that cannot be read is KVM's to say, when all else is done. */
TEST_F(program, a_mapping_that_cannot_be_read)
{
	int snap;
	u8 *at;

	prog_msr(self->p, MSR_LSTAR, 0x1234);
	snap = OK(prog_snapshot(self->t.hlk, self->p));
	at = mmap(NULL, PAGE, PROT_NONE, MAP_SHARED, snap, HLK_PROGRAM_OFFSET);
	ASSERT_NE(MAP_FAILED, at);
	FAILS(EFAULT, HLK_WHY_PROGRAM_CALL, prog_restore(self->t.hlk, snap, at, 0, NULL));
	ASSERT_EQ(0, t_index);
	ASSERT_EQ(KVM_SET_MSRS, t_where);
	munmap(at, PAGE);
	at = prog_map(snap);
	OK(prog_restore(self->t.hlk, -1, at, 0, NULL));
	munmap(at, PAGE);
	close(snap);
}

/**
 * struct mover - a thread that takes the mapping away all the time
 * @snap: the snapshot
 * @at: where it is mapped, or not
 * @bytes: how large
 * @stop: end it
 */
struct mover {
	int snap;
	u8 *at;
	u64 bytes;
	volatile bool stop;
};

static void *mover(void *arg)
{
	struct mover *m = arg;
	u32 i;

	for (i = 0; !m->stop; i++) {
		mmap(m->at, m->bytes, PROT_READ | (i & 1 ? PROT_WRITE : 0),
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		if (i % 3 == 0)
			munmap(m->at + PAGE, PAGE);
		mmap(m->at, m->bytes, PROT_READ, MAP_SHARED | MAP_FIXED, m->snap,
		     HLK_PROGRAM_OFFSET);
		sched_yield();
	}
	return NULL;
}

/* The caller's own VM gets what he gave it, and nothing else happens. */
TEST_F(program, a_mapping_that_goes_away_meanwhile)
{
	struct mover m = {};
	pthread_t thread;
	u32 good = 0, bad = 0;
	int ret;

	machine_get(&self->t, self->before);
	prog_machine(self->p, self->before, true);
	m.snap = OK(prog_snapshot(self->t.hlk, self->p));
	m.bytes = prog_size(m.snap);
	m.at = prog_map(m.snap);
	ASSERT_NE(MAP_FAILED, m.at);
	OK(prog_restore(self->t.hlk, m.snap, m.at, 0, NULL));
	ASSERT_EQ(0, pthread_create(&thread, NULL, mover, &m));
	while (good + bad < 300) {
		ret = prog_restore(self->t.hlk, -1, m.at, 0, NULL);
		if (!ret)
			good++;
		else
			bad++;
	}
	m.stop = true;
	pthread_join(thread, NULL);
	TH_LOG("%u restores, %u refused", good, bad);
	OK(prog_restore(self->t.hlk, -1, m.at, 0, NULL));
	machine_get(&self->t, self->after);
	SAME_MACHINE(self->before, self->after);
	munmap(m.at, m.bytes);
	close(m.snap);
}

/* ---- what comes back ---- */

/* MSRs, PIC, PIT, local APIC, I/O APIC, DR0, and SWAPGS's MSR; then an exit */
GUEST(spoil, "	movl $0xc0000102, %ecx\n"
	     "	movl $0x11111111, %eax\n"
	     "	xorl %edx, %edx\n"
	     "	wrmsr\n"
	     "	movl $0xc0000082, %ecx\n"
	     "	wrmsr\n"
	     "	movl $0x174, %ecx\n"
	     "	wrmsr\n"
	     "	movb $0x5a, %al\n"
	     "	outb %al, $0x21\n"
	     "	movb $0xa5, %al\n"
	     "	outb %al, $0xa1\n"
	     "	movb $0x34, %al\n"
	     "	outb %al, $0x43\n"
	     "	movb $0x77, %al\n"
	     "	outb %al, $0x40\n"
	     "	outb %al, $0x40\n"
	     "	movl $0x20, 0xfee00080\n"	/* TPR */
	     "	movl $0x1fe, 0xfee000f0\n"	/* SVR */
	     "	movl $0x10041, 0xfee00350\n"	/* LVT0 */
	     "	movl $0x12, 0xfec00000\n"
	     "	movl $0x51, 0xfec00010\n"
	     "	movl $0x9999, %eax\n"
	     "	movl %eax, %dr0\n"
	     "	outb %al, $0xe9\n"
	     "1:	jmp 1b\n");

static void spoil_by_calls(struct tvm *t, const struct machine *m)
{
	struct kvm_irqchip chip;
	struct kvm_lapic_state lapic = m->lapic;
	struct kvm_pit_state2 pit = m->pit;
	struct kvm_debugregs debug = m->debug;
	u32 i;

	for (i = 0; i < KVM_NR_IRQCHIPS; i++) {
		chip = m->chip[i];
		if (i == KVM_IRQCHIP_IOAPIC)
			chip.chip.ioapic.redirtbl[3].bits = 0x10055;
		else
			chip.chip.pic.imr = 0x3c + i;
		t_must(!ioctl(t->vm, KVM_SET_IRQCHIP, &chip));
	}
	lapic.regs[0x80] = 0x30;
	t_must(!ioctl(t->vcpu, KVM_SET_LAPIC, &lapic));
	pit.channels[0].count = 0x4321;
	pit.channels[0].mode = 2;
	pit.channels[2].gate = 1;
	t_must(!ioctl(t->vm, KVM_SET_PIT2, &pit));
	debug.db[1] = 0x7777;
	t_must(!ioctl(t->vcpu, KVM_SET_DEBUGREGS, &debug));
	msr_set(t, MSR_KERNEL_GS_BASE, 0x2222);
	msr_set(t, MSR_LSTAR, 0x3333);
	msr_set(t, MSR_SYSENTER_CS, 0x44);
	msr_set(t, MSR_TSC_ADJUST, 0x5555);
}

#define CHANGED(what)							\
	ASSERT_NE(0, memcmp(&self->before->what, &self->after->what,	\
			    sizeof(self->before->what)))

TEST_F(program, all_of_it_comes_back)
{
	struct hlk_run run = HLK_STRUCT(hlk_run);
	struct hlk_restore r;
	struct hlk_vm_stats stats;
	struct hlk_snapshot s;
	int round;
	u64 bytes;
	u8 *at;
	int snap;

	tvm_load(&self->t, TVM_CODE, spoil);
	msr_set(&self->t, MSR_KERNEL_GS_BASE, 0xaaaa);
	msr_set(&self->t, MSR_PAT, 0x0007040600070406);
	machine_get(&self->t, self->before);
	prog_machine(self->p, self->before, true);
	s = (struct hlk_snapshot){ .program = (uintptr_t)self->p,
				   .program_bytes = self->p->bytes };
	snap = OK(hlk_snapshot(self->t.hlk, &s));
	ASSERT_EQ(prog_residue(true), s.counts.residue);
	bytes = prog_size(snap);
	at = prog_map(snap);
	ASSERT_NE(MAP_FAILED, at);
	for (round = 0; round < 20; round++) {
		OK(prog_restore(self->t.hlk, round ? -1 : snap, at,
				round % 3 ? 0 : HLK_RESTORE_AUDIT, &r));
		ASSERT_EQ(prog_residue(true), r.residue);
		/* what the program sets, the entry does not load over */
		ASSERT_EQ(KVM_SYNC_X86_REGS | KVM_SYNC_X86_EVENTS,
			  self->t.run->kvm_dirty_regs);
		self->after->msrs = self->before->msrs;
		machine_get(&self->t, self->after);
		SAME_MACHINE(self->before, self->after);
		if (!(round % 2))
			spoil_by_calls(&self->t, self->before);
		else
			ASSERT_EQ(KVM_EXIT_IO, tvm_run(&self->t));
		machine_get(&self->t, self->after);
		CHANGED(debug);
		CHANGED(lapic);
		CHANGED(chip[0]);
		CHANGED(chip[1]);
		CHANGED(chip[2]);
		CHANGED(pit);
		CHANGED(msrs);
	}
	OK(hlk_stats(self->t.hlk, &stats));
	ASSERT_EQ(prog_residue(true), stats.residue);

	/* and in the one call */
	run.vcpu_fd = self->t.vcpu;
	run.program = (uintptr_t)at;
	for (round = 0; round < 5; round++) {
		run.head.flags = 0;
		OK(hlk_call(self->t.hlk, HLK_RUN, &run));
		ASSERT_EQ(KVM_EXIT_IO, run.exit_reason);
		ASSERT_EQ(prog_residue(true), run.residue);
		ASSERT_EQ(0xe9, self->t.run->io.port);
		ASSERT_EQ(0x11111111, msr_get(&self->t, MSR_KERNEL_GS_BASE));
		self->t.run->immediate_exit = 1;
		FAILS(EINTR, HLK_WHY_NONE, hlk_call(self->t.hlk, HLK_RUN, &run));
		self->t.run->immediate_exit = 0;
		machine_get(&self->t, self->after);
		SAME_MACHINE(self->before, self->after);
		/* it is not asked for the program where nothing is restored */
		run.head.flags = HLK_RUN_CONTINUE;
		run.program = 8;
		OK(hlk_call(self->t.hlk, HLK_RUN, &run));
		run.program = (uintptr_t)at;
	}
	run.head.flags = 0;
	run.program = 0;
	FAILS(EINVAL, HLK_WHY_PROGRAM_MISSING, hlk_call(self->t.hlk, HLK_RUN, &run));
	ASSERT_EQ(0, run.done);
	munmap(at, bytes);
	close(snap);
}

/* Without interrupt controllers in the kernel there are MSRs. */
TEST_F(program, without_interrupt_controllers)
{
	struct hlk_restore r;
	struct tvm t;
	u64 bytes;
	int snap;
	u8 *at;

	tvm_open_msrs(&t);
	tvm_machine(&t, 0, 0);
	machine_get(&t, self->before);
	prog_machine(self->p, self->before, false);
	snap = OK(prog_snapshot(t.hlk, self->p));
	bytes = prog_size(snap);
	at = prog_map(snap);
	OK(prog_restore(t.hlk, snap, at, 0, &r));
	ASSERT_EQ(0, r.residue);
	msr_set(&t, MSR_KERNEL_GS_BASE, 0x2222);
	msr_set(&t, MSR_LSTAR, 0x3333);
	OK(prog_restore(t.hlk, -1, at, 0, &r));
	self->after->msrs = self->before->msrs;
	machine_get(&t, self->after);
	SAME_MACHINE(self->before, self->after);
	munmap(at, bytes);
	close(snap);
	tvm_close(&t);
}

/* What one brings back is told no more, and all else still is. */
TEST_F(program, the_rest_is_residue)
{
	struct machine *m = self->before;
	struct hlk_restore r;
	int snap;
	u8 *at;

	machine_get(&self->t, m);
	prog_machine(self->p, m, true);
	/* another PIT call than the VM's: none */
	self->p->entry[3].cmd = KVM_SET_CLOCK;
	self->p->entry[3].bytes = sizeof(struct kvm_clock_data);
	memset((u8 *)self->p + self->p->entry[3].offset, 0, sizeof(struct kvm_clock_data));
	snap = OK(prog_snapshot(self->t.hlk, self->p));
	at = prog_map(snap);
	OK(prog_restore(self->t.hlk, snap, at, 0, &r));
	ASSERT_EQ(HLK_RESIDUE_IRQCHIP, r.residue);
	munmap(at, prog_size(snap));
	close(snap);

	prog_machine(self->p, m, true);
	/* the slave twice, the master not at all */
	((struct kvm_irqchip *)((u8 *)self->p + self->p->entry[4].offset))->chip_id = 1;
	snap = OK(prog_snapshot(self->t.hlk, self->p));
	at = prog_map(snap);
	OK(prog_restore(self->t.hlk, snap, at, 0, &r));
	ASSERT_EQ(HLK_RESIDUE_IRQCHIP, r.residue);
	munmap(at, prog_size(snap));
	close(snap);

	/* MSRs where time comes back alone */
	prog_machine(self->p, m, true);
	self->p->entry[self->p->header.nr_entries - 1].flags = HLK_PROGRAM_TIME_BACK;
	snap = OK(prog_snapshot(self->t.hlk, self->p));
	at = prog_map(snap);
	OK(prog_restore(self->t.hlk, snap, at, 0, &r));
	msr_set(&self->t, MSR_LSTAR, 0x3333);
	OK(prog_restore(self->t.hlk, -1, at, 0, &r));
	ASSERT_EQ(0x3333, msr_get(&self->t, MSR_LSTAR));
	OK(prog_restore(self->t.hlk, -1, at, HLK_RESTORE_TIME_BACK, &r));
	ASSERT_NE(0x3333, msr_get(&self->t, MSR_LSTAR));
	munmap(at, prog_size(snap));
	close(snap);
}

/*
 * What a list of MSRs is worth its caller knows; but one without what SWAPGS writes, which no
 * filter closes, or with none at all, brings MSRs back to nobody.
 */
TEST_F(program, msrs_without_that_of_swapgs_are_residue)
{
	static const struct {
		u32 nr;
		u32 index[2];
		u32 residue;
	} lists[] = {
		{ 0, {}, HLK_RESIDUE_MSRS },
		{ 1, { MSR_LSTAR }, HLK_RESIDUE_MSRS },
		{ 2, { MSR_LSTAR, MSR_SYSENTER_CS }, HLK_RESIDUE_MSRS },
		{ 1, { MSR_KERNEL_GS_BASE }, 0 },
		{ 2, { MSR_LSTAR, MSR_KERNEL_GS_BASE }, 0 },
	};
	struct hlk_snapshot s;
	u32 i, k;
	int snap;

	for (i = 0; i < ARRAY_SIZE(lists); i++) {
		struct msrs msrs = { .head.nmsrs = lists[i].nr };

		for (k = 0; k < lists[i].nr; k++)
			msrs.entry[k].index = lists[i].index[k];
		prog_begin(self->p);
		prog_msrs(self->p, 0, &msrs);
		s = (struct hlk_snapshot){ .program = (uintptr_t)self->p,
					   .program_bytes = self->p->bytes };
		snap = OK(hlk_snapshot(self->t.hlk, &s));
		ASSERT_EQ(lists[i].residue, s.counts.residue & HLK_RESIDUE_MSRS) {
			TH_LOG("list %u", i);
		}
		close(snap);
	}
}

/* What KVM writes to the guest's memory for a program, the audit sees. */
TEST_F(program, an_audit_comes_after_it)
{
	struct kvm_mp_state mp = { .mp_state = KVM_MP_STATE_HALTED };
	struct kvm_debugregs debug = { .db[0] = 0x1234, .dr6 = 0xffff0ff0, .dr7 = 0x400 };
	struct kvm_xcrs xcrs;
	struct kvm_fpu fpu;
	int snap;
	u8 *at;

	prog_msr(self->p, MSR_WALL_CLOCK, TVM_DATA);
	snap = OK(prog_snapshot(self->t.hlk, self->p));
	at = prog_map(snap);
	ASSERT_NE(MAP_FAILED, at);
	OK(prog_restore(self->t.hlk, snap, at, 0, NULL));
	ASSERT_NE(0, tvm_word(&self->t, TVM_DATA));
	FAILS(EUCLEAN, HLK_WHY_AUDIT_MEMORY,
	      prog_restore(self->t.hlk, -1, at, HLK_RESTORE_AUDIT, NULL));
	ASSERT_EQ(TVM_DATA, t_where);
	/* that is no restore in the middle */
	close(OK(prog_snapshot(self->t.hlk, self->p)));
	munmap(at, PAGE);
	close(snap);

	/* what one sets is its own affair, and what it does not set is looked at */
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_GET_XCRS, &xcrs));
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_GET_FPU, &fpu));
	fpu.fpr[0][0] ^= 1;
	prog_begin(self->p);
	prog_add(self->p, KVM_SET_XCRS, 0, &xcrs, sizeof(xcrs));
	prog_add(self->p, KVM_SET_FPU, 0, &fpu, sizeof(fpu));
	prog_add(self->p, KVM_SET_DEBUGREGS, 0, &debug, sizeof(debug));
	prog_add(self->p, KVM_SET_MP_STATE, 0, &mp, sizeof(mp));
	snap = OK(prog_snapshot(self->t.hlk, self->p));
	at = prog_map(snap);
	OK(prog_restore(self->t.hlk, snap, at, HLK_RESTORE_AUDIT, NULL));
	OK(prog_restore(self->t.hlk, -1, at, HLK_RESTORE_AUDIT, NULL));
	munmap(at, PAGE);
	close(snap);
}

/* What was sent to start a vCPU is in none of KVM's calls, and may start the next call's. */
TEST_F(program, who_waits_to_be_started_is_residue)
{
	static const u32 states[] = {
		KVM_MP_STATE_RUNNABLE, KVM_MP_STATE_HALTED,
		KVM_MP_STATE_UNINITIALIZED, KVM_MP_STATE_INIT_RECEIVED,
	};
	struct machine *m = self->before;
	struct kvm_lapic_state lapic;
	struct kvm_vcpu_events events;
	struct kvm_mp_state mp;
	struct hlk_restore r;
	struct tvm second;
	u32 i, whole;
	int snap;
	u8 *at;

	tvm_vcpu(&second, &self->t, 1);
	tvm_set(&second, TVM_CODE);
	machine_get(&self->t, m);
	for (i = 0; i < 2 * ARRAY_SIZE(states); i++) {
		mp.mp_state = states[i / 2];
		whole = i % 2;
		ASSERT_EQ(0, ioctl(second.vcpu, KVM_SET_MP_STATE, &mp));
		ASSERT_EQ(0, ioctl(second.vcpu, KVM_GET_LAPIC, &lapic));
		ASSERT_EQ(0, ioctl(second.vcpu, KVM_GET_VCPU_EVENTS, &events));
		prog_machine(self->p, m, true);
		prog_add(self->p, KVM_SET_LAPIC, 1, &lapic, sizeof(lapic));
		if (whole) {
			prog_add(self->p, KVM_SET_REGS, 1, &(struct kvm_regs) {},
				 sizeof(struct kvm_regs));
			prog_add(self->p, KVM_SET_SREGS2, 1, &m->sregs, sizeof(m->sregs));
			prog_add(self->p, KVM_SET_VCPU_EVENTS, 1, &events, sizeof(events));
		}
		snap = OK(prog_snapshot(self->t.hlk, self->p));
		at = prog_map(snap);
		OK(prog_restore(self->t.hlk, snap, at, 0, &r));
		ASSERT_EQ(i < 4 || i == 5 ? prog_residue(true) : HLK_RESIDUE_IRQCHIP,
			  r.residue & HLK_RESIDUE_IRQCHIP) {
			TH_LOG("MP state %u, %u", mp.mp_state, whole);
		}
		munmap(at, prog_size(snap));
		close(snap);
	}
	tvm_vcpu_close(&second);
}

/* ---- clones ---- */

static void fresh_vm(struct tvm *t)
{
	tvm_open_pc(t);
	tvm_machine(t, 0, 0);
}

TEST_F(program, a_clone_is_the_same_machine)
{
	struct tvm other;
	u64 bytes;
	int snap;
	u8 *at;

	msr_set(&self->t, MSR_KERNEL_GS_BASE, 0xaaaa);
	machine_get(&self->t, self->before);
	prog_machine(self->p, self->before, true);
	snap = OK(prog_snapshot(self->t.hlk, self->p));
	bytes = prog_size(snap);
	at = prog_map(snap);
	ASSERT_NE(MAP_FAILED, at);
	fresh_vm(&other);
	OK(prog_restore(other.hlk, snap, at, 0, NULL));
	self->after->msrs = self->before->msrs;
	machine_get(&other, self->after);
	SAME_MACHINE(self->before, self->after);
	tvm_close(&other);
	munmap(at, bytes);
	close(snap);
}

/* Another process maps it anew; what it inherited is of no use to its own VMs. */
TEST_F(program, a_clone_in_another_process)
{
	int status;
	u64 bytes;
	pid_t pid;
	int snap;
	u8 *at;

	msr_set(&self->t, MSR_KERNEL_GS_BASE, 0xaaaa);
	machine_get(&self->t, self->before);
	prog_machine(self->p, self->before, true);
	snap = OK(prog_snapshot(self->t.hlk, self->p));
	bytes = prog_size(snap);
	at = prog_map(snap);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct tvm other;
		void *mine = prog_map(snap);

		t_must(prog_restore(self->t.hlk, snap, mine, 0, NULL) == -EPERM);
		fresh_vm(&other);
		t_must(!prog_restore(other.hlk, snap, mine, 0, NULL));
		msr_set(&other, MSR_KERNEL_GS_BASE, 1);
		t_must(!prog_restore(other.hlk, -1, mine, 0, NULL));
		t_must(msr_get(&other, MSR_KERNEL_GS_BASE) == 0xaaaa);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	OK(prog_restore(self->t.hlk, snap, at, 0, NULL));
	munmap(at, bytes);
	close(snap);
}

/* Each vCPU has its own; a snapshot of two does not fit one. */
TEST_F(program, two_vcpus)
{
	struct msrs one = { .head.nmsrs = 1, .entry[0].index = MSR_LSTAR };
	struct tvm second;
	int snap;
	u8 *at;

	tvm_vcpu(&second, &self->t, 1);
	tvm_set(&second, TVM_CODE);
	prog_begin(self->p);
	one.entry[0].data = 0x1111;
	prog_msrs(self->p, 0, &one);
	one.entry[0].data = 0x2222;
	prog_msrs(self->p, 1, &one);
	snap = OK(prog_snapshot(self->t.hlk, self->p));
	at = prog_map(snap);
	OK(prog_restore(self->t.hlk, snap, at, 0, NULL));
	ASSERT_EQ(0x1111, msr_get(&self->t, MSR_LSTAR));
	ASSERT_EQ(0x2222, msr_get(&second, MSR_LSTAR));
	munmap(at, PAGE);
	close(snap);
	tvm_vcpu_close(&second);
}

/* ---- calls that fail ---- */

TEST_F(program, an_msr_that_kvm_does_not_take_is_named)
{
	struct hlk_run run = HLK_STRUCT(hlk_run);
	struct msrs msrs = {
		.head.nmsrs = 3,
		.entry = { { MSR_LSTAR, 0, 1 }, { MSR_NONE, 0, 0 }, { MSR_PAT, 0, 0 } },
	};
	struct kvm_xcrs xcrs = {};
	int snap, plain;
	u8 *at;

	run.vcpu_fd = self->t.vcpu;
	plain = OK(hlk_snapshot_flat(self->t.hlk));
	prog_begin(self->p);
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_GET_XCRS, &xcrs));
	prog_add(self->p, KVM_SET_XCRS, 0, &xcrs, sizeof(xcrs));
	prog_msrs(self->p, 0, &msrs);
	snap = OK(prog_snapshot(self->t.hlk, self->p));
	at = prog_map(snap);
	OK(hlk_restore(self->t.hlk, plain, NULL));
	FAILS(EOPNOTSUPP, HLK_WHY_PROGRAM_MSR, prog_restore(self->t.hlk, snap, at, 0, NULL));
	ASSERT_EQ(1, t_index);
	ASSERT_EQ(MSR_NONE, t_where);
	ASSERT_EQ(1, msr_get(&self->t, MSR_LSTAR));
	/* it is in no state */
	run.head.flags = HLK_RUN_CONTINUE;
	FAILS(EINVAL, HLK_WHY_HALF_RESTORED, hlk_call(self->t.hlk, HLK_RUN, &run));
	ASSERT_EQ(0, run.entries);
	FAILS(EINVAL, HLK_WHY_HALF_RESTORED, hlk_snapshot_flat(self->t.hlk));
	run.head.flags = 0;
	run.program = (uintptr_t)at;
	FAILS(EOPNOTSUPP, HLK_WHY_PROGRAM_MSR, hlk_call(self->t.hlk, HLK_RUN, &run));
	ASSERT_EQ(0, run.done);
	/* a refusal that changes nothing does not help */
	FAILS(EINVAL, HLK_WHY_PROGRAM_MISSING, hlk_restore(self->t.hlk, -1, NULL));
	FAILS(EINVAL, HLK_WHY_HALF_RESTORED, hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, plain, NULL));
	close(OK(hlk_snapshot_flat(self->t.hlk)));
	munmap(at, PAGE);
	close(snap);
	close(plain);
}

TEST_F(program, a_call_that_kvm_refuses_is_named)
{
	struct kvm_xcrs xcrs = {
		.nr_xcrs = 1,
		.xcrs[0].value = 0x4,	/* AVX without SSE and x87 */
	};
	struct kvm_irqchip chip = { .chip_id = 7 };
	int snap;
	u8 *at;

	prog_msr(self->p, MSR_LSTAR, 5);
	prog_add(self->p, KVM_SET_XCRS, 0, &xcrs, sizeof(xcrs));
	snap = OK(prog_snapshot(self->t.hlk, self->p));
	at = prog_map(snap);
	FAILS(EINVAL, HLK_WHY_PROGRAM_CALL, prog_restore(self->t.hlk, snap, at, 0, NULL));
	ASSERT_EQ(1, t_index);
	ASSERT_EQ(KVM_SET_XCRS, t_where);
	FAILS(EINVAL, HLK_WHY_HALF_RESTORED, hlk_snapshot_flat(self->t.hlk));
	munmap(at, PAGE);
	close(snap);
	prog_begin(self->p);
	OK(hlk_restore(self->t.hlk, -1, NULL) == -EINVAL ? 0 : -1);
	tvm_close(&self->t);
	fresh_vm(&self->t);
	prog_add(self->p, KVM_SET_IRQCHIP, HLK_PROGRAM_VM, &chip, sizeof(chip));
	snap = OK(prog_snapshot(self->t.hlk, self->p));
	at = prog_map(snap);
	FAILS(EINVAL, HLK_WHY_PROGRAM_CALL, prog_restore(self->t.hlk, snap, at, 0, NULL));
	munmap(at, PAGE);
	close(snap);
}

/* Interrupt controllers that the VM has not: the call says so. */
TEST_F(program, a_vm_of_another_kind)
{
	struct tvm t;
	u64 bytes;
	int snap;
	u8 *at;

	machine_get(&self->t, self->before);
	prog_machine(self->p, self->before, true);
	snap = OK(prog_snapshot(self->t.hlk, self->p));
	bytes = prog_size(snap);
	at = prog_map(snap);
	tvm_open_msrs(&t);
	tvm_machine(&t, 0, 0);
	FAILS(ENXIO, HLK_WHY_PROGRAM_CALL, prog_restore(t.hlk, snap, at, 0, NULL));
	ASSERT_EQ(3, t_index);
	ASSERT_EQ(KVM_SET_PIT2, t_where);
	tvm_close(&t);
	munmap(at, bytes);
	close(snap);
}

/**
 * struct stranger - a thread whose files are its own
 * @t: the VM
 * @snap: the snapshot
 * @at: where its program is
 * @ret: what a restore returned
 * @why: and why
 */
struct stranger {
	struct tvm *t;
	int snap;
	u8 *at;
	int ret;
	u32 why;
};

static void *stranger(void *arg)
{
	struct stranger *s = arg;

	t_must(!unshare(CLONE_FILES));
	close(s->t->vcpu);
	s->ret = prog_restore(s->t->hlk, s->snap, s->at, 0, NULL);
	s->why = t_why;
	return NULL;
}

/* It is needed once: what was found is kept. */
TEST_F(program, without_a_file_of_the_vcpu)
{
	struct stranger s = { .t = &self->t };
	pthread_t thread;

	prog_msr(self->p, MSR_LSTAR, 5);
	/* registers wait in kvm_run, so that nobody has asked for the file yet */
	self->t.run->kvm_dirty_regs = SYNC_ALL;
	s.snap = OK(prog_snapshot(self->t.hlk, self->p));
	s.at = prog_map(s.snap);
	ASSERT_EQ(0, pthread_create(&thread, NULL, stranger, &s));
	pthread_join(thread, NULL);
	ASSERT_EQ(-EINVAL, s.ret);
	ASSERT_EQ(HLK_WHY_VCPU_FD, s.why);
	OK(prog_restore(self->t.hlk, s.snap, s.at, 0, NULL));
	ASSERT_EQ(0, pthread_create(&thread, NULL, stranger, &s));
	pthread_join(thread, NULL);
	ASSERT_EQ(0, s.ret);
	munmap(s.at, PAGE);
	close(s.snap);
}

/* ---- time ---- */

static u64 tsc_offset(struct tvm *t, const u64 *set)
{
	u64 offset = set ? *set : 0;
	struct kvm_device_attr attr = {
		.group = KVM_VCPU_TSC_CTRL,
		.attr = KVM_VCPU_TSC_OFFSET,
		.addr = (uintptr_t)&offset,
	};

	t_must(!ioctl(t->vcpu, set ? KVM_SET_DEVICE_ATTR : KVM_GET_DEVICE_ATTR, &attr));
	return offset;
}

TEST_F(program, the_tsc_goes_on_or_comes_back)
{
	u64 offset, other, then, now;
	struct hlk_restore r;
	struct tvm clone;
	int snap;

	offset = tsc_offset(&self->t, NULL);
	then = msr_get(&self->t, MSR_TSC);
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, snap, NULL));
	other = offset + 0x123456789;
	tsc_offset(&self->t, &other);
	ASSERT_EQ(other, tsc_offset(&self->t, NULL));
	/* twice, for the first waits for an entry, or any call */
	OK(hlk_restore(self->t.hlk, -1, &r));
	ASSERT_EQ(0, r.residue & HLK_RESIDUE_TIME);
	OK(hlk_restore(self->t.hlk, -1, &r));
	usleep(50000);
	now = msr_get(&self->t, MSR_TSC);
	ASSERT_EQ(offset, tsc_offset(&self->t, NULL));
	ASSERT_LT(then, now);
	ASSERT_GT(0x123456789, now - then);

	/* to what it was, each time */
	OK(hlk_restore_flags(self->t.hlk, -1, HLK_RESTORE_TIME_BACK, NULL));
	usleep(20000);
	OK(hlk_restore_flags(self->t.hlk, -1, HLK_RESTORE_TIME_BACK, &r));
	ASSERT_EQ(0, r.residue & HLK_RESIDUE_TIME);
	other = msr_get(&self->t, MSR_TSC);
	ASSERT_LE(then, other);
	ASSERT_LT(other, now);
	OK(hlk_restore(self->t.hlk, -1, NULL));
	tvm_complete_io(&self->t);
	ASSERT_EQ(offset, tsc_offset(&self->t, NULL));

	fresh_vm(&clone);
	ASSERT_NE(offset, tsc_offset(&clone, NULL));
	OK(hlk_restore(clone.hlk, snap, &r));
	ASSERT_EQ(0, r.residue & HLK_RESIDUE_TIME);
	tvm_complete_io(&clone);
	ASSERT_EQ(offset, tsc_offset(&clone, NULL));
	tvm_close(&clone);
	close(snap);
}

/* A snapshot has what a restore asked for, though no entry has done it yet. */
TEST_F(program, a_tsc_that_waits_for_the_entry)
{
	u64 offset = tsc_offset(&self->t, NULL);
	u64 other = offset + 0x10000000;
	int snap[2];

	snap[0] = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, snap[0], NULL));
	tsc_offset(&self->t, &other);
	OK(hlk_restore(self->t.hlk, snap[0], NULL));
	/* registers wait in kvm_run, so nothing loads the vCPU */
	snap[1] = OK(hlk_snapshot_flat(self->t.hlk));
	tvm_complete_io(&self->t);
	tsc_offset(&self->t, &other);
	OK(hlk_restore(self->t.hlk, snap[1], NULL));
	tvm_complete_io(&self->t);
	ASSERT_EQ(offset, tsc_offset(&self->t, NULL));
	close(snap[0]);
	close(snap[1]);
}

TEST_F(program, entries_for_either_time)
{
	struct msrs one = { .head.nmsrs = 1, .entry[0].index = MSR_LSTAR };
	struct kvm_clock_data clock = {};
	int snap;
	u8 *at;

	prog_begin(self->p);
	one.entry[0].data = 0x1111;
	prog_msrs(self->p, 0, &one);
	self->p->entry[0].flags = HLK_PROGRAM_TIME_GOES_ON;
	one.entry[0].data = 0x2222;
	prog_msrs(self->p, 0, &one);
	self->p->entry[1].flags = HLK_PROGRAM_TIME_BACK;
	clock.clock = 0x100000000000;
	prog_add(self->p, KVM_SET_CLOCK, HLK_PROGRAM_VM, &clock, sizeof(clock));
	self->p->entry[2].flags = HLK_PROGRAM_TIME_BACK;
	snap = OK(prog_snapshot(self->t.hlk, self->p));
	at = prog_map(snap);
	OK(prog_restore(self->t.hlk, snap, at, 0, NULL));
	ASSERT_EQ(0x1111, msr_get(&self->t, MSR_LSTAR));
	ASSERT_EQ(0, ioctl(self->t.vm, KVM_GET_CLOCK, &clock));
	ASSERT_GT(0x100000000000, clock.clock);
	OK(prog_restore(self->t.hlk, -1, at, HLK_RESTORE_TIME_BACK, NULL));
	ASSERT_EQ(0x2222, msr_get(&self->t, MSR_LSTAR));
	ASSERT_EQ(0, ioctl(self->t.vm, KVM_GET_CLOCK, &clock));
	ASSERT_LE(0x100000000000, clock.clock);
	munmap(at, PAGE);
	close(snap);
}

GUEST(leave, "	out %al, $0x80");

#define CLOCK_PAGE	0x30000
#define CLOCK_FLAGS	29	/* in struct pvclock_vcpu_time_info */
#define CLOCK_STOPPED	2

TEST_F(program, who_has_a_clock_is_told_that_he_did_not_run)
{
	struct msrs one = {
		.head.nmsrs = 1,
		.entry[0] = { .index = 0x4b564d01, .data = CLOCK_PAGE | 1 },
	};
	u8 *flags = tvm_at(&self->t, CLOCK_PAGE) + CLOCK_FLAGS;
	u64 none = 0;
	int snap, i;
	u8 *at;

	tvm_load(&self->t, TVM_CODE, leave);
	prog_begin(self->p);
	prog_msrs(self->p, 0, &one);
	prog_add(self->p, KVM_KVMCLOCK_CTRL, 0, &none, sizeof(none));
	self->p->entry[1].flags = HLK_PROGRAM_TIME_GOES_ON;
	snap = OK(prog_snapshot(self->t.hlk, self->p));
	at = prog_map(snap);
	for (i = 0; i < 4; i++) {
		OK(prog_restore(self->t.hlk, i ? -1 : snap, at,
				i % 2 ? HLK_RESTORE_TIME_BACK : 0, NULL));
		ASSERT_EQ(0, *flags);
		ASSERT_EQ(KVM_EXIT_IO, tvm_run(&self->t));
		ASSERT_EQ(i % 2 ? 0 : CLOCK_STOPPED, *flags & CLOCK_STOPPED);
	}
	OK(prog_restore(self->t.hlk, -1, at, 0, NULL));
	munmap(at, PAGE);
	close(snap);
	/* there is none */
	one.entry[0].data = 0;
	prog_begin(self->p);
	prog_msrs(self->p, 0, &one);
	prog_add(self->p, KVM_KVMCLOCK_CTRL, 0, &none, sizeof(none));
	snap = OK(prog_snapshot(self->t.hlk, self->p));
	at = prog_map(snap);
	FAILS(EINVAL, HLK_WHY_PROGRAM_CALL, prog_restore(self->t.hlk, snap, at, 0, NULL));
	ASSERT_EQ(1, t_index);
	ASSERT_EQ(KVM_KVMCLOCK_CTRL, t_where);
	munmap(at, PAGE);
	close(snap);
}

/* An edge at pin 16 of the I/O APIC, which is vector 0x71: pending where it is to be */
static bool irq_pending(struct tvm *t)
{
	struct kvm_lapic_state lapic;

	t_must(!ioctl(t->vcpu, KVM_GET_LAPIC, &lapic));
	return *(u32 *)(lapic.regs + 0x200 + (0x71 / 32) * 0x10) &
	       1U << (0x71 % 32);
}

TEST_F(program, an_interrupt_with_each_restore)
{
	const u32 reproducible = HLK_RESTORE_REPRODUCIBLE;
	struct kvm_irq_level line = { .irq = 16, .level = 1 };
	struct kvm_ioapic_state *ioapic;
	int snap, i;
	u8 *at;

	machine_get(&self->t, self->before);
	ioapic = &self->before->chip[KVM_IRQCHIP_IOAPIC].chip.ioapic;
	ioapic->redirtbl[16].bits = 0x71;
	/* spurious interrupt vector register: the APIC is on */
	*(u32 *)(self->before->lapic.regs + 0xf0) = 0x1ff;
	prog_machine(self->p, self->before, true);
	prog_add(self->p, KVM_IRQ_LINE, HLK_PROGRAM_VM, &line, sizeof(line));
	self->p->entry[self->p->header.nr_entries - 1].flags = HLK_PROGRAM_FRESH;
	snap = OK(prog_snapshot(self->t.hlk, self->p));
	at = prog_map(snap);
	OK(prog_restore(self->t.hlk, snap, at, reproducible, NULL));
	ASSERT_FALSE(irq_pending(&self->t));
	/* each time, though nobody takes the line back */
	for (i = 0; i < 3; i++) {
		OK(prog_restore(self->t.hlk, -1, at, 0, NULL));
		ASSERT_TRUE(irq_pending(&self->t));
		OK(prog_restore(self->t.hlk, -1, at, reproducible | HLK_RESTORE_TIME_BACK,
				NULL));
		ASSERT_FALSE(irq_pending(&self->t));
	}
	OK(prog_restore(self->t.hlk, -1, at, 0, NULL));
	OK(prog_restore(self->t.hlk, -1, at, HLK_RESTORE_TIME_BACK, NULL));
	ASSERT_TRUE(irq_pending(&self->t));
	munmap(at, prog_size(snap));
	close(snap);
}

/* KVM takes it as it is, not by a pointer. */
TEST_F(program, the_frequency_of_the_tsc)
{
	u64 khz = ioctl(self->t.vcpu, KVM_GET_TSC_KHZ, 0);
	struct hlk_restore r;
	int round;
	int snap;
	u8 *at;

	prog_begin(self->p);
	prog_add(self->p, KVM_SET_TSC_KHZ, 0, &khz, sizeof(khz));
	snap = OK(prog_snapshot(self->t.hlk, self->p));
	at = prog_map(snap);
	OK(prog_restore(self->t.hlk, snap, at, 0, NULL));
	ASSERT_EQ(khz, ioctl(self->t.vcpu, KVM_GET_TSC_KHZ, 0));
	munmap(at, PAGE);
	close(snap);

	/* one that is not the host's, from the first restore on */
	khz *= 2;
	prog_begin(self->p);
	prog_add(self->p, KVM_SET_TSC_KHZ, 0, &khz, sizeof(khz));
	snap = OK(prog_snapshot(self->t.hlk, self->p));
	at = prog_map(snap);
	for (round = 0; round < 2; round++) {
		OK(prog_restore(self->t.hlk, snap, at, HLK_RESTORE_TIME_BACK, &r));
		ASSERT_EQ(HLK_RESIDUE_TIME, r.residue & HLK_RESIDUE_TIME);
	}
	munmap(at, PAGE);
	close(snap);
}

/* ---- registers ---- */

/* Page directory pointers that are not those in memory: KVM_SET_SREGS2 alone has them. */
TEST_F(program, page_directory_pointers)
{
	struct kvm_sregs2 sregs, now;
	u64 *table;
	int snap;
	u8 *at;

	table = (u64 *)tvm_at(&self->t, 0x26000);
	memset(table, 0, 4 * sizeof(*table));
	table[0] = 0x27001;
	*(u64 *)tvm_at(&self->t, 0x27000) = 0x83;	/* 2 MiB at 0 */
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_GET_SREGS2, &sregs));
	sregs.cr3 = 0x26000;
	sregs.cr4 = 0x20;
	sregs.cr0 |= 0x80000001;
	sregs.flags = KVM_SREGS2_FLAGS_PDPTRS_VALID;
	sregs.pdptrs[0] = 0x27001;
	sregs.pdptrs[1] = 0x28001;
	sregs.pdptrs[2] = 0;
	sregs.pdptrs[3] = 0;
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_SREGS2, &sregs));
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_GET_SREGS2, &now));
	ASSERT_EQ(0x28001, now.pdptrs[1]);
	prog_begin(self->p);
	prog_add(self->p, KVM_SET_SREGS2, 0, &sregs, sizeof(sregs));
	snap = OK(prog_snapshot(self->t.hlk, self->p));
	at = prog_map(snap);
	now = sregs;
	now.pdptrs[1] = 0x29001;
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_SET_SREGS2, &now));
	OK(prog_restore(self->t.hlk, snap, at, HLK_RESTORE_AUDIT, NULL));
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_GET_SREGS2, &now));
	ASSERT_EQ(0x28001, now.pdptrs[1]);
	ASSERT_EQ(0, tvm_complete_io(&self->t));
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_GET_SREGS2, &now));
	ASSERT_EQ(0x28001, now.pdptrs[1]);
	munmap(at, PAGE);
	close(snap);
}

/* ---- at random ---- */

static void prog_random(struct prog *p, const struct machine *m, u32 *seed)
{
	u32 i, nr = t_rnd(seed) % 4;
	u8 *at;

	prog_machine(p, m, true);
	for (i = 0; i < nr; i++) {
		at = t_rnd(seed) % 2 ? (u8 *)&p->header : p->args;
		at += t_rnd(seed) % (at == p->args ? p->bytes - offsetof(struct prog, args) :
				     sizeof(p->header) +
				     p->header.nr_entries * sizeof(p->entry[0]));
		*at = t_rnd(seed) % 3 ? t_rnd(seed) : *at ^ 1 << t_rnd(seed) % 8;
		if (p->header.nr_entries > PROG_ENTRIES)
			return;
	}
	if (t_rnd(seed) % 8 == 0)
		p->bytes = t_rnd(seed) % p->bytes;
}

/* KVM may refuse it, or the module. Nothing worse comes of it. */
TEST_F(program, random_programs)
{
	u32 seed = t_seed();
	u32 made = 0, good = 0;
	int round;
	int plain;
	int snap;
	u8 *at;

	plain = OK(hlk_snapshot_flat(self->t.hlk));
	machine_get(&self->t, self->before);
	for (round = 0; round < 400; round++) {
		prog_random(self->p, self->before, &seed);
		snap = prog_snapshot(self->t.hlk, self->p);
		if (snap < 0)
			continue;
		made++;
		at = prog_map(snap);
		ASSERT_NE(MAP_FAILED, at);
		good += !prog_restore(self->t.hlk, snap, at, 0, NULL);
		self->t.run->immediate_exit = 1;
		tvm_run(&self->t);
		self->t.run->immediate_exit = 0;
		munmap(at, prog_size(snap));
		close(snap);
		/* a VM that KVM will not enter any more is the caller's */
		if (hlk_restore(self->t.hlk, plain, NULL)) {
			tvm_close(&self->t);
			fresh_vm(&self->t);
			OK(hlk_restore(self->t.hlk, plain, NULL));
		}
	}
	TH_LOG("%u programs of 400, %u restores", made, good);
	ASSERT_LT(20, good);
	close(plain);
}

/* ---- the end of a process ---- */

TEST_F(program, killed_in_the_middle)
{
	struct timespec wait = {};
	struct hlk_info info;
	u32 seed = t_seed();
	int status;
	pid_t pid;
	int round;
	int snap;
	u8 *at;

	machine_get(&self->t, self->before);
	prog_machine(self->p, self->before, true);
	snap = OK(prog_snapshot(self->t.hlk, self->p));
	for (round = 0; round < 10; round++) {
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			struct tvm t;

			fresh_vm(&t);
			at = prog_map(snap);
			t_must(!prog_restore(t.hlk, snap, at, 0, NULL));
			for (;;)
				t_must(!prog_restore(t.hlk, -1, at, 0, NULL));
		}
		wait.tv_nsec = 100000000 + t_rnd(&seed) % 50000000;
		nanosleep(&wait, NULL);
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_TRUE(WIFSIGNALED(status));
	}
	close(snap);
	OK(hlk_info(self->t.dev, &info));
	ASSERT_EQ(1, info.live_vms);
	ASSERT_EQ(0, info.live_snapshots);
}

TEST_HARNESS_MAIN
