// SPDX-License-Identifier: GPL-2.0-only
/*
 * Real execution: a guest touches every mapping of random address spaces, with
 * reads and writes, in ring 0 and ring 3, with CR0.WP set and clear, and notes
 * what it read or which fault it took. That is the same before a compact snapshot
 * and after its restore, whoever copies on write.
 *
 * The guest's page-fault handler is one for copy-on-write. It reaches page tables by the
 * directory that maps itself, so it also shows that tables mapped as data live.
 */
#include "failing.h"
#include "hlk_test.h"
#include "harness.h"

#define CR4_PSE		0x10
#define SLOT		0x400000UL

/* Low memory: code, tables, and the pages that random leaves map */
#define TABLES		0x10000UL
#define POOL		0xc0000UL
#define NR_POOL		60
#define LARGE_GPA	0x800000UL	/* of the page that 4 MiB entries map */

/* Scratch is not a multiple of a slot: 8 pages of it are for random leaves. */
#define SCRATCH		0x7f8000UL
#define SCRATCH_GPA	(HLK_GUEST_SCRATCH_TOP - SCRATCH)
#define SCRATCH_VA	((u32)(0x100000000ULL - SCRATCH))
#define PARTLY_VA	(SCRATCH_VA & ~(u32)(SLOT - 1))
#define BUFFER		0x2000

/* What the guest knows by number */
#define CODE_VA		0x08000000
#define SELF_VA		0xfa000000	/* the directory in itself */
#define MACHINE_VA	0xffff8000	/* descriptor tables; the stack grows down to them */
#define LIST_VA		0xfff78000
#define LIST_BYTES	0x80000
#define SCRATCH_TO_GPA(va) ((u64)(va) - HLK_GUEST_SCRATCH_DELTA)

_Static_assert(SCRATCH_TO_GPA(MACHINE_VA) + 0x1000 ==
	       HLK_GUEST_SCRATCH_TOP - HLK_GUEST_OFF_ALLOC_END, "below what is not allocated");

#define AT_START	0x000
#define AT_PROBE	0x040
#define AT_NEXT		0x100
#define AT_FAULT	0x140
#define AT_SYSCALL	0x300
#define AT_BAD		0x340
#define AT_USER		0x380

#define HOW_WRITE	1
#define HOW_USER	2
#define HOW_NO_WP	4

/**
 * struct touch - one access
 * @va: where
 * @cr3: with this directory
 * @how: HOW_*
 * @value: to be written
 * @error: out: error code of the fault; -1 if there was none
 * @cr2: out: where it was
 * @got: out: what was read
 */
struct touch {
	u32 va;
	u32 cr3;
	u32 how;
	u32 value;
	u32 error;
	u32 cr2;
	u32 got;
	u32 unused;
};

#define MAX_TOUCHES	(LIST_BYTES / sizeof(struct touch))

/* EDI: the list; ECX: its length */
GUEST(t_start, "	mov $0x23, %ax\n"
	"	mov %ax, %ds\n"
	"	mov %ax, %es\n"
	/* a busy TR that KVM loaded does not take traps under every emulator */
	"	andb $0xfd, 0xffff802d\n"
	"	mov $0x28, %ax\n"
	"	ltr %ax\n"
	"	mov $0x08000040, %eax\n"
	"	jmp *%eax\n");
GUEST(t_probe, "	mov 4(%edi), %eax\n"
	"	mov %eax, %cr3\n"
	"	mov %cr0, %eax\n"
	"	or $0x10000, %eax\n"
	"	mov 8(%edi), %ebx\n"
	"	test $4, %ebx\n"
	"	jz 1f\n"
	"	and $~0x10000, %eax\n"
	"1:	mov %eax, %cr0\n"
	"	movl $-1, 16(%edi)\n"
	"	mov (%edi), %esi\n"
	"	mov 12(%edi), %edx\n"
	"	test $2, %ebx\n"
	"	jnz 3f\n"
	"	test $1, %ebx\n"
	"	jnz 2f\n"
	"	mov (%esi), %eax\n"
	"	mov %eax, 24(%edi)\n"
	"	jmp 4f\n"
	"2:	mov %edx, (%esi)\n"
	"4:	mov $0x08000100, %eax\n"
	"	jmp *%eax\n"
	"3:	pushl $0x23\n"
	"	pushl $0\n"
	"	pushl $2\n"
	"	pushl $0x1b\n"
	"	pushl $0x08000380\n"
	"	iret\n");
GUEST(t_next, "	mov $0xffff9000, %esp\n"
	"	add $32, %edi\n"
	"	dec %ecx\n"
	"	jz 1f\n"
	"	mov $0x08000040, %eax\n"
	"	jmp *%eax\n"
	"1:	hlt\n"
	"	jmp 1b\n");
/* Copy on write if it is that, and try again; else note it and go on. */
GUEST(t_fault, "	push %eax\n"
	"	push %ecx\n"
	"	push %ebp\n"
	"	push %esi\n"
	"	push %edi\n"
	"	mov %cr2, %eax\n"
	"	mov 20(%esp), %ebx\n"
	"	and $3, %ebx\n"
	"	cmp $3, %ebx\n"
	"	jne 9f\n"
	"	mov %eax, %ecx\n"
	"	shr $22, %ecx\n"
	"	mov 0xfa3e8000(,%ecx,4), %ecx\n"
	"	test $0x80, %ecx\n"		/* PS */
	"	jnz 9f\n"
	"	test $2, %ecx\n"
	"	jz 9f\n"
	"	mov %eax, %ebp\n"
	"	shr $12, %ebp\n"
	"	lea 0xfa000000(,%ebp,4), %ebp\n"
	"	and (%ebp), %ecx\n"		/* U of both */
	"	testl $4, 20(%esp)\n"
	"	jz 1f\n"
	"	test $4, %ecx\n"
	"	jz 9f\n"
	"1:	mov (%ebp), %ecx\n"
	"	test $2, %ecx\n"
	"	jnz 9f\n"
	"	test $0x200, %ecx\n"
	"	jz 9f\n"
	"	mov 0xfffffff0, %ebx\n"		/* a fresh page */
	"	addl $4096, 0xfffffff0\n"
	"	mov %eax, %esi\n"
	"	and $-4096, %esi\n"
	"	lea 0x1200000(%ebx), %edi\n"
	"	push %ecx\n"
	"	mov $1024, %ecx\n"
	"	cld\n"
	"	rep movsl\n"
	"	pop %ecx\n"
	"	and $0xdff, %ecx\n"
	"	or $2, %ecx\n"
	"	or %ebx, %ecx\n"
	"	mov %ecx, (%ebp)\n"
	"	invlpg (%eax)\n"
	"	pop %edi\n"
	"	pop %esi\n"
	"	pop %ebp\n"
	"	pop %ecx\n"
	"	pop %eax\n"
	"	mov 8(%edi), %ebx\n"
	"	add $4, %esp\n"
	"	iret\n"
	"9:	pop %edi\n"
	"	pop %esi\n"
	"	pop %ebp\n"
	"	pop %ecx\n"
	"	mov %eax, 20(%edi)\n"
	"	mov 4(%esp), %eax\n"
	"	mov %eax, 16(%edi)\n"
	"	mov $0x08000100, %eax\n"
	"	jmp *%eax\n");
GUEST(t_syscall, "	mov %eax, 24(%edi)\n"
	"	mov $0x08000100, %eax\n"
	"	jmp *%eax\n");
GUEST(t_bad, "	movl $0xbad, 16(%edi)\n"
	"	mov $0x08000100, %eax\n"
	"	jmp *%eax\n");
GUEST(t_user, "	test $1, %ebx\n"
	"	jnz 1f\n"
	"	mov (%esi), %eax\n"
	"	int $0x80\n"
	"1:	mov %edx, (%esi)\n"
	"	xor %eax, %eax\n"
	"	int $0x80\n");

FIXTURE(touch) {
	struct tvm t;
	struct tvm_pt pt;
	u32 seed;
	u64 root[3];
	u64 new_root[3];
	struct hlk_window windows[8];
	struct hlk_snapshot_info info;
	struct touch *list;	/* how it was made */
	struct touch *before;	/* what came of it */
	u32 nr;
	u32 faults;
	u32 copies;
};

typedef FIXTURE_DATA(touch) fixture;

FIXTURE_VARIANT(touch) {
	u32 flags;
};

FIXTURE_VARIANT_ADD(touch, guest_cow) { .flags = 0, };
FIXTURE_VARIANT_ADD(touch, host_cow) { .flags = HLK_SNAPSHOT_HOST_COW, };

static void load_code(struct tvm *t)
{
#define LOAD(at, code, end)						\
	do {								\
		t_must(code##_end - code <= (end) - (at));		\
		tvm_load(t, TVM_CODE + (at), code);			\
	} while (0)
	LOAD(AT_START, t_start, AT_PROBE);
	LOAD(AT_PROBE, t_probe, AT_NEXT);
	LOAD(AT_NEXT, t_next, AT_FAULT);
	LOAD(AT_FAULT, t_fault, AT_SYSCALL);
	LOAD(AT_SYSCALL, t_syscall, AT_BAD);
	LOAD(AT_BAD, t_bad, AT_USER);
	LOAD(AT_USER, t_user, PAGE);
}

static u64 gate(u32 at, u32 dpl)
{
	u64 offset = CODE_VA + at;

	return (offset & 0xffff) | 0x8ULL << 16 | (0x8e00ULL | dpl << 13) << 32 |
	       (offset >> 16) << 48;
}

/* Descriptor tables and the list of touches: scratch does not come back. */
static void fill_machine(fixture *self)
{
	u64 tss = MACHINE_VA + 0x100;
	const u64 gdt[] = {
		0, 0x00cf9b000000ffffULL, 0x00cf93000000ffffULL,
		0x00cffb000000ffffULL, 0x00cff3000000ffffULL,
		103 | (tss & 0xffffff) << 16 | 0x89ULL << 40 | (tss >> 24) << 56,
	};
	u8 *at = tvm_at(&self->t, SCRATCH_TO_GPA(MACHINE_VA));
	u32 i;

	memset(at, 0, PAGE);
	memcpy(at, gdt, sizeof(gdt));
	*(u32 *)(at + 0x104) = MACHINE_VA + PAGE;
	*(u32 *)(at + 0x108) = HLK_GUEST_DS;
	*(u16 *)(at + 0x166) = 104;
	for (i = 0; i < 32; i++)
		*(u64 *)(at + 0x200 + 8 * i) = gate(i == 14 ? AT_FAULT : AT_BAD, 0);
	*(u64 *)(at + 0x200 + 8 * 0x80) = gate(AT_SYSCALL, 3);
	memcpy(tvm_at(&self->t, SCRATCH_TO_GPA(LIST_VA)), self->list,
	       self->nr * sizeof(*self->list));
}

static u32 rnd(fixture *self, u32 limit)
{
	return t_rnd(&self->seed) % limit;
}

static bool one_in(fixture *self, u32 n)
{
	return !rnd(self, n);
}

static u32 leaf_flags(fixture *self)
{
	static const u32 rights[] = {
		0, PTE_W, PTE_U, PTE_W | PTE_U, PTE_W | PTE_U, PTE_W | PTE_U,
		PTE_COW, PTE_COW | PTE_U,
	};
	u32 flags = rights[rnd(self, ARRAY_SIZE(rights))];

	/* bits that are for the guest, that it accessed and wrote it, and PAT */
	flags |= rnd(self, 4) << 10 | rnd(self, 4) << 5;
	return one_in(self, 12) ? flags : flags | PTE_P;
}

static u32 pool_page(fixture *self)
{
	return POOL + rnd(self, NR_POOL) * PAGE;
}

/* A table of its own, with a dozen leaves at its start and its end */
static u32 random_table(fixture *self)
{
	u32 gpa = tvm_pt_page(&self->pt);
	u32 *table = (u32 *)tvm_at(&self->t, gpa);
	u32 i;

	for (i = 0; i < 6; i++) {
		table[i] = pool_page(self) | leaf_flags(self);
		table[1018 + i] = pool_page(self) | leaf_flags(self);
	}
	return gpa;
}

static u32 random_rights(fixture *self)
{
	u32 flags = PTE_P | rnd(self, 4) << 1 | rnd(self, 8) << 9;

	return one_in(self, 3) ? flags : flags | PTE_W | PTE_U;
}

/* Three address spaces over a few tables: shared, twice, with other rights */
static void random_spaces(fixture *self)
{
	const u32 rw = PTE_P | PTE_W;
	struct tvm *t = &self->t;
	u32 tables[6];
	u32 scratch = 0;
	u32 partly = 0;
	u32 *pd;
	u32 r, i;

	self->pt = (struct tvm_pt){ t, TABLES, rw };
	for (i = 0; i < NR_POOL; i++)
		memset(tvm_at(t, POOL + i * PAGE), one_in(self, 4) ? 0 : i + 1, PAGE);
	for (i = 0; i < 1024; i += 100)
		memset(tvm_at(t, LARGE_GPA + i * PAGE), i / 4 + 1, PAGE);
	for (r = 0; r < 3; r++)
		self->root[r] = tvm_pt_page(&self->pt);
	for (i = 0; i < ARRAY_SIZE(tables); i++)
		tables[i] = random_table(self);
	for (r = 0; r < 3; r++) {
		u32 root = self->root[r];

		pd = (u32 *)tvm_at(t, root);
		for (i = 1; i < 9; i++)
			pd[i] = tables[rnd(self, ARRAY_SIZE(tables))] | random_rights(self);
		pd[16] = LARGE_GPA | PTE_PS | PTE_P | (rnd(self, 4) << 1);
		if (one_in(self, 3))
			pd[17] = LARGE_GPA | PTE_PS | PTE_P | PTE_U;
		pd[SELF_VA >> 22] = root | rw;
		if (!r) {
			tvm_pt_map(&self->pt, root, CODE_VA, TVM_CODE, 1, PTE_P | PTE_U);
			pd[CODE_VA >> 22] |= PTE_U;
			tvm_pt_map(&self->pt, root, SCRATCH_VA, SCRATCH_GPA, SCRATCH / PAGE, rw);
			scratch = pd[1023];
			partly = pd[PARTLY_VA >> 22];
			/*
			 * One table under two rights becomes two, so what is
			 * copy-on-write already would be copied twice.
			 */
			for (i = 0; i < 8; i++)
				*tvm_pt_entry(&self->pt, root, PARTLY_VA + i * PAGE) =
					pool_page(self) | (leaf_flags(self) & ~PTE_COW);
		}
		pd[CODE_VA >> 22] = ((u32 *)tvm_at(t, self->root[0]))[CODE_VA >> 22];
		pd[1023] = scratch;
		pd[PARTLY_VA >> 22] = partly | (one_in(self, 2) ? PTE_U : 0);
	}
}

static void touch(fixture *self, u32 r, u32 va, u32 how)
{
	t_must(self->nr < MAX_TOUCHES);
	self->list[self->nr] = (struct touch){
		.va = va + 0x40,
		.cr3 = r,
		.how = how,
		.value = self->nr + 0x10000000,
		.error = 0x1234,
	};
	self->nr++;
}

/* Each page that is mapped, and some that are not, in each way, in any order */
static void random_touches(fixture *self)
{
	static const u32 ways[] = {
		0, HOW_WRITE, HOW_USER, HOW_USER | HOW_WRITE, HOW_NO_WP | HOW_WRITE,
		HOW_NO_WP | HOW_USER | HOW_WRITE,
	};
	struct touch swap;
	u32 r, slot, i, w, other, nr;

	self->nr = 0;
	for (r = 0; r < 3; r++) {
		for (w = 0; w < ARRAY_SIZE(ways); w++) {
			for (slot = 1; slot < 10; slot++)
				for (i = 0; i < 7; i++) {
					touch(self, r, slot * SLOT + i * PAGE, ways[w]);
					touch(self, r, slot * SLOT + (1023 - i) * PAGE, ways[w]);
				}
			for (i = 0; i < 1024; i += 50) {
				touch(self, r, 16 * SLOT + i * PAGE, ways[w]);
				touch(self, r, 17 * SLOT + i * PAGE, ways[w]);
			}
			for (i = 0; i < 8; i++)
				touch(self, r, PARTLY_VA + i * PAGE, ways[w]);
			touch(self, r, 0x7f000000, ways[w]);
		}
	}
	nr = self->nr;
	for (i = 0; i < nr; i++) {
		other = rnd(self, nr);
		swap = self->list[i];
		self->list[i] = self->list[other];
		self->list[other] = swap;
	}
	/* in the end, what each address shows */
	for (i = 0; i < nr; i++)
		if (self->list[i].how == 0)
			touch(self, self->list[i].cr3, self->list[i].va - 0x40, 0);
}

static void set_roots(fixture *self, const u64 *roots)
{
	struct touch *list = (struct touch *)tvm_at(&self->t, SCRATCH_TO_GPA(LIST_VA));
	u32 i;

	for (i = 0; i < self->nr; i++)
		list[i].cr3 = roots[self->list[i].cr3];
}

static void set_registers(fixture *self)
{
	struct kvm_sync_regs regs;

	tvm_flat(&regs, CODE_VA + AT_START, MACHINE_VA + PAGE);
	regs.sregs.cr0 = HLK_GUEST_CR0;
	regs.sregs.cr3 = self->root[0];
	regs.sregs.cr4 = CR4_PSE;
	regs.sregs.gdt.base = MACHINE_VA;
	regs.sregs.gdt.limit = 6 * 8 - 1;
	regs.sregs.idt.base = MACHINE_VA + 0x200;
	regs.sregs.idt.limit = 0x81 * 8 - 1;
	regs.regs.rdi = LIST_VA;
	regs.regs.rcx = self->nr;
	tvm_set_regs(&self->t, &regs);
}

FIXTURE_SETUP(touch)
{
	u64 alloc = SCRATCH_GPA + 0x400000;
	struct tvm *t = &self->t;

	t_begin();
	self->seed = t_seed();
	tvm_open(t);
	tvm_attach(t, 0, 0);
	tvm_window(t, 0, TVM_LOW, 0);
	tvm_window(t, LARGE_GPA, SLOT, 0);
	tvm_window(t, SCRATCH_GPA, SCRATCH, HLK_WINDOW_SCRATCH);
	load_code(t);
	self->list = calloc(MAX_TOUCHES, sizeof(*self->list));
	self->before = calloc(MAX_TOUCHES, sizeof(*self->before));
	random_spaces(self);
	random_touches(self);
	fill_machine(self);
	memcpy(tvm_at(t, HLK_GUEST_SCRATCH_TOP - HLK_GUEST_OFF_ALLOC), &alloc, 8);
	set_registers(self);
}

FIXTURE_TEARDOWN(touch)
{
	free(self->list);
	free(self->before);
	tvm_close(&self->t);
	EXPECT_EQ(0, t_end());
}

static int compact(fixture *self, u32 flags)
{
	struct hlk_snapshot s = HLK_STRUCT(hlk_snapshot);
	int snap;

	s.head.flags = HLK_SNAPSHOT_COMPACT | flags;
	s.roots = (uintptr_t)self->root;
	s.nr_roots = 3;
	s.input_bytes = BUFFER;
	s.output_bytes = BUFFER;
	snap = hlk_snapshot(self->t.hlk, &s);
	if (snap < 0)
		return snap;
	self->info.windows = (uintptr_t)self->windows;
	self->info.window_size = sizeof(struct hlk_window);
	self->info.nr_windows = 8;
	self->info.roots = (uintptr_t)self->new_root;
	self->info.nr_roots = 3;
	t_must(!hlk_snapshot_info(snap, &self->info));
	return snap;
}

static const struct touch *result(fixture *self)
{
	return (struct touch *)tvm_at(&self->t, SCRATCH_TO_GPA(LIST_VA));
}

/* The same faults and values as before */
static void compare(struct __test_metadata *_metadata, fixture *self)
{
	const struct touch *now = result(self);
	const struct touch *was = self->before;
	u32 i;

	for (i = 0; i < self->nr; i++) {
		ASSERT_TRUE(now[i].error == was[i].error && now[i].cr2 == was[i].cr2 &&
			    now[i].got == was[i].got) {
			TH_LOG("touch %u of root %u va %#x how %u: fault %#x at %#x got %#x, before %#x %#x %#x",
			       i, self->list[i].cr3, was[i].va, was[i].how, now[i].error,
			       now[i].cr2, now[i].got, was[i].error, was[i].cr2, was[i].got);
		}
	}
}

static void count(fixture *self)
{
	const struct touch *now = result(self);
	u32 i;

	memcpy(self->before, now, self->nr * sizeof(*now));
	self->faults = 0;
	for (i = 0; i < self->nr; i++)
		self->faults += now[i].error != ~0U;
}

/* Before the snapshot, with the old tables; memory is as it was afterwards. */
static void run_before(struct __test_metadata *_metadata, fixture *self)
{
	int flat;

	flat = OK(hlk_snapshot_flat(self->t.hlk));
	set_roots(self, self->root);
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t)) {
		TH_LOG("eip %#llx", (unsigned long long)self->t.run->s.regs.regs.rip);
	}
	ASSERT_EQ(0, self->t.run->s.regs.regs.rcx);
	count(self);
	/* some of each, or this shows nothing */
	ASSERT_LT(100, self->faults);
	ASSERT_LT(self->faults, self->nr - 100);
	OK(hlk_restore(self->t.hlk, flat, NULL));
	ASSERT_FALSE(tvm_complete_io(&self->t));
	close(flat);
}

static void run_after(struct __test_metadata *_metadata, fixture *self)
{
	fill_machine(self);
	set_roots(self, self->new_root);
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t)) {
		TH_LOG("eip %#llx", (unsigned long long)self->t.run->s.regs.regs.rip);
	}
	ASSERT_EQ(0, self->t.run->s.regs.regs.rcx);
	compare(_metadata, self);
}

TEST_F(touch, the_same_faults_and_values)
{
	int snap, round;

	run_before(_metadata, self);
	snap = OK(compact(self, variant->flags));
	TH_LOG("%u touches, %u faults; %llu pages, %llu aliased, %llu tables", self->nr,
	       self->faults, (unsigned long long)self->info.counts.pages,
	       (unsigned long long)self->info.counts.aliased,
	       (unsigned long long)self->info.counts.tables);
	for (round = 0; round < 3; round++) {
		OK(hlk_restore(self->t.hlk, snap, NULL));
		run_after(_metadata, self);
	}
	close(snap);
}

/*
 * Leaves that are left writable, for what earlier rounds copied: the same again, and in
 * a child that is made then. Which are, changes from round to round: now and then a round
 * makes half of the touches.
 */
TEST_F(touch, the_same_with_what_was_learned)
{
	struct hlk_vm_stats stats = HLK_STRUCT(hlk_vm_stats);
	struct hlk_restore r = HLK_STRUCT(hlk_restore);
	int snap, child, round;
	u64 most = 0;

	run_before(_metadata, self);
	snap = OK(compact(self, variant->flags));
	OK(hlk_restore(self->t.hlk, snap, NULL));
	for (round = 0; round < 100; round++) {
		if (round % 10 == 9) {
			fill_machine(self);
			set_roots(self, self->new_root);
			self->t.run->s.regs.regs.rcx = self->nr / 2;
			self->t.run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
			ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
		} else {
			run_after(_metadata, self);
		}
		OK(hlk_restore_flags(self->t.hlk, -1,
				     HLK_RESTORE_LEARN | HLK_RESTORE_AUDIT, &r));
		OK(hlk_stats(self->t.hlk, &stats));
		most = stats.learned > most ? stats.learned : most;
	}
	TH_LOG("%llu leaves were writable", (unsigned long long)most);
	ASSERT_EQ(!variant->flags, most > 0);

	memcpy(self->root, self->new_root, sizeof(self->root));
	set_registers(self);
	child = OK(compact(self, variant->flags));
	OK(hlk_restore(self->t.hlk, child, NULL));
	OK(hlk_stats(self->t.hlk, &stats));
	ASSERT_EQ(0, stats.learned);
	run_after(_metadata, self);
	close(child);
	close(snap);
}

/* Each once, whichever roots have it */
static u32 *tables(fixture *self, u32 *nr)
{
	static u32 found[3 * 1024];
	u32 i, k, n;

	*nr = 0;
	for (k = 0; k < 3; k++) {
		const u32 *root = (u32 *)tvm_at(&self->t, self->new_root[k]);

		for (i = 0; i < 1024; i++) {
			if ((root[i] & (PTE_P | PTE_PS)) != PTE_P)
				continue;
			found[*nr] = root[i] & ~0xfffU;
			for (n = 0; found[n] != found[*nr]; n++)
				;
			*nr += n == *nr;
		}
	}
	return found;
}

static u32 sum(struct tvm *t, u32 table)
{
	const u32 *entry = (u32 *)tvm_at(t, table);
	u32 sum = 0;
	u32 i;

	for (i = 0; i < 1024; i++)
		sum = sum * 31 + entry[i];
	return sum;
}

/*
 * Memory of a table that was learned fails: of one that calls have stopped to write, for
 * it is nowhere mapped else. The snapshot has another page for it.
 */
TEST_F(touch, the_same_when_memory_of_what_was_learned_fails)
{
	struct hlk_restore r = HLK_STRUCT(hlk_restore);
	u32 nr, i, round, failed = 0;
	static u32 sums[3 * 1024];
	u32 *table;
	int snap;

	run_before(_metadata, self);
	snap = OK(compact(self, variant->flags));
	OK(hlk_restore(self->t.hlk, snap, NULL));
	table = tables(self, &nr);
	for (i = 0; i < nr; i++)
		sums[i] = sum(&self->t, table[i]);
	for (round = 0; round < 20; round++) {
		run_after(_metadata, self);
		OK(hlk_restore_flags(self->t.hlk, -1, HLK_RESTORE_LEARN, &r));
	}
	/* those that differ, while nobody writes them */
	for (i = 0; i < nr; i++)
		if (sum(&self->t, table[i]) == sums[i])
			table[i] = 0;
	for (round = 0; round < 200; round++)
		OK(hlk_restore(self->t.hlk, -1, &r));
	for (i = 0; i < nr; i++) {
		if (!table[i])
			continue;
		(void)*(volatile u32 *)tvm_at(&self->t, table[i]);
		if (madvise(tvm_at(&self->t, table[i]), PAGE, MADV_HWPOISON) &&
		    errno != EBUSY && errno != EIO)
			SKIP(return, "no MADV_HWPOISON in this kernel");
		failed++;
	}
	TH_LOG("%u of %u tables", failed, nr);
	/* where the windows alone copy on write nothing is learned */
	ASSERT_EQ(!variant->flags, !!failed);
	OK(hlk_restore_flags(self->t.hlk, -1, HLK_RESTORE_AUDIT, &r));
	for (round = 0; round < 40; round++) {
		run_after(_metadata, self);
		OK(hlk_restore_flags(self->t.hlk, -1,
				     HLK_RESTORE_LEARN | HLK_RESTORE_AUDIT, &r));
	}
	close(snap);
}

/* Whatever fails while restores learn: nothing is lost but what would have been learned. */
TEST_F(touch, the_same_when_learning_fails)
{
	struct hlk_vm_stats stats = HLK_STRUCT(hlk_vm_stats);
	int fd = failing_open(), snap, other, ret;
	u32 nth, failed = 0, survived = 0;
	bool used = true;

	if (variant->flags || fd < 0)
		SKIP(return, "nothing is learned, or nothing can be made fail");
	run_before(_metadata, self);
	snap = OK(compact(self, variant->flags));
	other = OK(compact(self, variant->flags));
	for (nth = 1; used; nth++) {
		ASSERT_GT(1000, nth);
		/* from the beginning: what was learned is of one snapshot */
		OK(hlk_restore(self->t.hlk, other, NULL));
		OK(hlk_restore(self->t.hlk, snap, NULL));
		do {
			run_after(_metadata, self);
			failing_arm(fd, nth);
			ret = hlk_restore_flags(self->t.hlk, -1, HLK_RESTORE_LEARN, NULL);
			used = failing_disarm(fd);
			OK(hlk_stats(self->t.hlk, &stats));
		} while (!used && !stats.learned);
		ASSERT_TRUE(!ret || (used && (ret == -ENOMEM || ret == -EFAULT ||
					      ret == -EHWPOISON)));
		failed += !!ret;
		survived += used && !ret;
		OK(hlk_restore_flags(self->t.hlk, -1,
				     HLK_RESTORE_LEARN | HLK_RESTORE_AUDIT, NULL));
		run_after(_metadata, self);
	}
	TH_LOG("%u faults injected: %u errors, %u made no difference", nth - 2, failed,
	       survived);
	ASSERT_LT(0, survived);
	close(fd);
	close(other);
	close(snap);
}

/* A child of that snapshot, after writes: the guest sees what it saw before. */
TEST_F(touch, the_same_in_the_next_generation)
{
	int snap, child, round;
	u32 i;

	run_before(_metadata, self);
	snap = OK(compact(self, variant->flags));
	OK(hlk_restore(self->t.hlk, snap, NULL));
	/* half of the touches, then a snapshot, then all of them */
	fill_machine(self);
	set_roots(self, self->new_root);
	self->t.run->s.regs.regs.rcx = self->nr / 2;
	self->t.run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	memcpy(self->root, self->new_root, sizeof(self->root));
	set_registers(self);
	child = OK(compact(self, variant->flags));
	fill_machine(self);
	set_roots(self, self->root);
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	count(self);
	for (i = 0; i < self->nr && self->before[i].error == ~0U; i++)
		;
	ASSERT_NE(self->nr, i);
	for (round = 0; round < 2; round++) {
		OK(hlk_restore(self->t.hlk, child, NULL));
		run_after(_metadata, self);
	}
	close(child);
	close(snap);
}

TEST_HARNESS_MAIN
