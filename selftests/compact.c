// SPDX-License-Identifier: GPL-2.0-only
/*
 * A compact snapshot gives every root the virtual layout it had: the same
 * addresses, bytes and rights, though the pages have moved. KVM_TRANSLATE says
 * so on both sides, and so does the guest's own code.
 */
#include "hlk_test.h"
#include "harness.h"

#define CR4_PSE		0x10

#define TABLES		0x60000UL
#define CODE_VA		0x08000000
#define DATA_VA		0x10000000	/* differs between the roots */
#define RO_VA		0x10100000
#define KERNEL_VA	0xc0000000	/* one table for both roots */
#define FOREIGN_VA	0xd0000000	/* memory that is no window */
#define SELF_VA		0xff800000	/* the directory in itself */
#define SCRATCH_VA	(0x100000000ULL - TVM_SCRATCH)
#define ROOTS_VA	"0xffffe000"

#define FOREIGN_GPA	0x40000000
#define ROOTS_GPA	(HLK_GUEST_SCRATCH_TOP - HLK_GUEST_OFF_ROOTS)

/*
 * Go through the published roots, add up the words of the data pages, leave the
 * sums in the kernel half; also leave a mark in the data.
 */
GUEST(walk_roots, "1:	mov $1, %esi\n"
	"2:	mov " ROOTS_VA "(,%esi,8), %eax\n"
	"	mov %eax, %cr3\n"
	"	mov $0x10000000, %edi\n"
	"	mov $2048, %ecx\n"
	"	xor %eax, %eax\n"
	"3:	add (%edi), %eax\n"
	"	add $4, %edi\n"
	"	loop 3b\n"
	"	add 0xd0000010, %eax\n"
	"	mov %eax, 0xc0000000(,%esi,4)\n"
	"	incl 0x10000004\n"
	"	inc %esi\n"
	"	cmp " ROOTS_VA ", %esi\n"
	"	jbe 2b\n"
	"	hlt\n"
	"	jmp 1b\n");

FIXTURE(compact) {
	struct tvm t;
	u32 root[2];
	struct tvm_pt pt;
	u64 new_root[2];
	struct hlk_window windows[8];
	struct hlk_snapshot_info info;
	u64 *gpa[2];		/* of each page that was mapped */
	u8 *bytes[2];		/* what it held */
};

typedef FIXTURE_DATA(compact) fixture;

/* Where the guest maps something; all else has to stay unmapped */
static const struct {
	u32 va;
	u32 pages;
} mapped[] = {
	{ CODE_VA, 1 }, { DATA_VA, 8 }, { RO_VA, 4 }, { KERNEL_VA, 6 },
	{ FOREIGN_VA, 2 },
};

#define MAPPED_PAGES	21

static void publish(fixture *self, u64 nr)
{
	u64 *roots = (u64 *)tvm_at(&self->t, ROOTS_GPA);

	roots[0] = nr;
	roots[1] = self->root[0];
	roots[2] = self->root[1];
}

static void fill(fixture *self, u64 gpa, u32 value)
{
	u32 *at = (u32 *)tvm_at(&self->t, gpa);
	u32 i;

	for (i = 0; i < PAGE / 4; i++)
		at[i] = value + i;
}

/* Two address spaces whose pages lie about in no order */
FIXTURE_SETUP(compact)
{
	const u32 rw = PTE_P | PTE_W;
	struct tvm *t = &self->t;
	struct tvm_pt *pt = &self->pt;
	u32 r, i;

	t_begin();
	tvm_open(t);
	tvm_attach(t, 0, 0);
	tvm_window(t, 0, TVM_LOW, 0);
	tvm_window(t, TVM_SCRATCH_GPA, TVM_SCRATCH, HLK_WINDOW_SCRATCH);
	tvm_ram(t, FOREIGN_GPA, 0x10000);
	tvm_load(t, 0x9f000, walk_roots);
	*pt = (struct tvm_pt){ t, TABLES, rw };
	for (r = 0; r < 2; r++)
		self->root[r] = tvm_pt_page(pt);
	for (r = 0; r < 2; r++) {
		u32 root = self->root[r];
		u32 *pd = (u32 *)tvm_at(t, root);

		tvm_pt_map(pt, root, CODE_VA, 0x9f000, 1, PTE_P);
		for (i = 0; i < 8; i++) {
			u32 gpa = 0xf0000 - (2 * i + r) * PAGE;

			/* the last two pages are zero */
			if (i < 6)
				fill(self, gpa, (r + 1) * 12345 + i * 777);
			tvm_pt_map(pt, root, DATA_VA + i * PAGE, gpa, 1, rw | PTE_U);
		}
		for (i = 0; i < 4; i++) {
			fill(self, 0x31000 + 3 * i * PAGE, i + 77);
			tvm_pt_map(pt, root, RO_VA + i * PAGE, 0x31000 + 3 * i * PAGE,
				   1, PTE_P | PTE_U);
		}
		if (r) {
			pd[KERNEL_VA >> 22] = *((u32 *)tvm_at(t, self->root[0]) +
						(KERNEL_VA >> 22));
			pd[FOREIGN_VA >> 22] = *((u32 *)tvm_at(t, self->root[0]) +
						 (FOREIGN_VA >> 22));
		} else {
			for (i = 0; i < 6; i++)
				tvm_pt_map(pt, root, KERNEL_VA + i * PAGE,
					   0xa0000 + 5 * i * PAGE, 1, rw);
			fill(self, 0xa0000 + PAGE * 25, 0xabc);
			fill(self, FOREIGN_GPA + 0x3000, 0xf0f0);
			tvm_pt_map(pt, root, FOREIGN_VA, FOREIGN_GPA + 0x3000, 2, rw);
		}
		pd[SELF_VA >> 22] = root | rw;
		tvm_pt_map(pt, root, SCRATCH_VA, TVM_SCRATCH_GPA,
			   TVM_SCRATCH / PAGE, rw);
	}
	publish(self, 2);
	for (r = 0; r < 2; r++) {
		self->gpa[r] = calloc(MAPPED_PAGES, sizeof(u64));
		self->bytes[r] = malloc(MAPPED_PAGES * PAGE);
	}
}

FIXTURE_TEARDOWN(compact)
{
	u32 r;

	for (r = 0; r < 2; r++) {
		free(self->gpa[r]);
		free(self->bytes[r]);
	}
	tvm_close(&self->t);
	EXPECT_EQ(0, t_end());
}

/* CR3 alone, for the oracle; afterwards also in struct kvm_run */
static void set_root(struct tvm *t, u32 root)
{
	struct kvm_sregs sregs;

	t_must(!tvm_complete_io(t));
	t_must(!ioctl(t->vcpu, KVM_GET_SREGS, &sregs));
	sregs.cr3 = root;
	t_must(!ioctl(t->vcpu, KVM_SET_SREGS, &sregs));
	t_must(!tvm_complete_io(t));
}

static u64 nth_va(u32 n)
{
	u32 i;

	for (i = 0; n >= mapped[i].pages; i++)
		n -= mapped[i].pages;
	return mapped[i].va + n * PAGE;
}

static void remember(fixture *self)
{
	u32 r, n;

	for (r = 0; r < 2; r++) {
		set_root(&self->t, self->root[r]);
		for (n = 0; n < MAPPED_PAGES; n++) {
			self->gpa[r][n] = tvm_gpa(&self->t, nth_va(n));
			t_must(self->gpa[r][n] != ~0ULL);
			memcpy(self->bytes[r] + n * PAGE,
			       tvm_at(&self->t, self->gpa[r][n]), PAGE);
		}
	}
	set_root(&self->t, self->root[0]);
}

static int compact(fixture *self, u32 flags, struct hlk_snapshot *s)
{
	struct hlk_snapshot local;

	s = s ?: &local;
	*s = (struct hlk_snapshot)HLK_STRUCT(hlk_snapshot);
	s->head.flags = HLK_SNAPSHOT_COMPACT | flags;
	s->input_bytes = 0x4000;
	s->output_bytes = 0x4000;
	return hlk_snapshot(self->t.hlk, s);
}

static void get_info(fixture *self, int snap)
{
	self->info.windows = (uintptr_t)self->windows;
	self->info.window_size = sizeof(struct hlk_window);
	self->info.nr_windows = 8;
	self->info.roots = (uintptr_t)self->new_root;
	self->info.nr_roots = 2;
	t_must(!hlk_snapshot_info(snap, &self->info));
	t_must(self->info.nr_roots == 2);
}

/* After a restore: the layout under the new roots is the remembered one. */
static void same_layout(struct __test_metadata *_metadata,
			fixture *self)
{
	struct tvm *t = &self->t;
	u64 gpa, va;
	u32 r, n, m;

	for (r = 0; r < 2; r++) {
		set_root(t, self->new_root[r]);
		for (n = 0; n < MAPPED_PAGES; n++) {
			gpa = tvm_gpa(t, nth_va(n));
			ASSERT_NE(~0ULL, gpa) {
				TH_LOG("root %u va %#llx", r,
				       (unsigned long long)nth_va(n));
			}
			ASSERT_EQ(0, memcmp(tvm_at(t, gpa), self->bytes[r] + n * PAGE,
					    PAGE)) {
				TH_LOG("root %u va %#llx gpa %#llx", r,
				       (unsigned long long)nth_va(n),
				       (unsigned long long)gpa);
			}
			/* dense, from the bottom */
			ASSERT_GT(MAPPED_PAGES * 2 * PAGE, gpa);
			/* pages that were one are one, and only those */
			for (m = 0; m < n; m++)
				ASSERT_EQ(self->gpa[r][n] == self->gpa[r][m],
					  gpa == tvm_gpa(t, nth_va(m)));
		}
		/* what lies beside is as unmapped as it was */
		for (n = 0; n < ARRAY_SIZE(mapped); n++) {
			va = mapped[n].va;
			ASSERT_EQ(~0ULL, tvm_gpa(t, va + mapped[n].pages * PAGE));
			ASSERT_EQ(~0ULL, tvm_gpa(t, va - PAGE));
		}
		for (va = SCRATCH_VA; va < 1ULL << 32; va += PAGE) {
			gpa = va - HLK_GUEST_SCRATCH_DELTA;
			if (gpa == HLK_GUEST_SCRATCH_TOP - HLK_GUEST_OFF_GUARD)
				gpa = ~0ULL;
			ASSERT_EQ(gpa, tvm_gpa(t, va));
		}
		/* the directory maps itself: its new self */
		ASSERT_EQ(self->new_root[r],
			  tvm_gpa(t, SELF_VA + (SELF_VA >> 22) * PAGE));
	}
	/* the kernel half is one table still */
	ASSERT_EQ(((u32 *)tvm_at(t, self->new_root[0]))[KERNEL_VA >> 22],
		  ((u32 *)tvm_at(t, self->new_root[1]))[KERNEL_VA >> 22]);
	set_root(t, self->new_root[0]);
}

static u32 sums[2];

static int run_guest(fixture *self)
{
	u32 *result;
	int ret;

	self->t.run->s.regs.regs.rip = CODE_VA;
	self->t.run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
	ret = tvm_run(&self->t);
	if (ret != KVM_EXIT_HLT)
		return ret;
	result = (u32 *)tvm_at(&self->t, tvm_gpa(&self->t, KERNEL_VA));
	sums[0] = result[1];
	sums[1] = result[2];
	return ret;
}

TEST_F(compact, the_same_layout_elsewhere)
{
	struct hlk_snapshot s;
	u32 expected[2];
	int round;
	int snap;

	tvm_set_paging(&self->t, CODE_VA, self->root[0], 0);
	remember(self);
	snap = OK(compact(self, HLK_SNAPSHOT_GUEST_ROOTS | HLK_SNAPSHOT_HOST_COW, &s));
	ASSERT_EQ(0, s.counts.leaf_not_ram);
	ASSERT_EQ(0, s.counts.table_not_ram);
	/* the last two data pages of each root and four of the kernel half and one */
	ASSERT_EQ(2 * 2 + 5 + 1, s.counts.zero);
	/* and besides what was copied: bookkeeping, roots, two buffers' starts */
	ASSERT_EQ(s.counts.pages, s.counts.copied + 4);
	get_info(self, snap);
	ASSERT_EQ(TVM_SCRATCH_GPA + 0x8000, self->new_root[0]);
	ASSERT_EQ(TVM_SCRATCH_GPA + 0x9000, self->new_root[1]);
	ASSERT_EQ(self->new_root[0] + s.counts.tables * PAGE, self->info.first_free);

	/* the VM goes on as it was, under its old tables */
	ASSERT_EQ(KVM_EXIT_HLT, run_guest(self));
	memcpy(expected, sums, sizeof(sums));
	ASSERT_NE(expected[0], expected[1]);

	for (round = 0; round < 3; round++) {
		OK(hlk_restore(self->t.hlk, snap, NULL));
		ASSERT_EQ(self->new_root[0], self->t.run->s.regs.sregs.cr3);
		same_layout(_metadata, self);
		ASSERT_EQ(KVM_EXIT_HLT, run_guest(self));
		ASSERT_EQ(expected[0], sums[0]);
		ASSERT_EQ(expected[1], sums[1]);
	}
	close(snap);
}

/* Each vCPU goes on in the address space that it was in. */
TEST_F(compact, each_vcpu_has_its_own_root)
{
	struct tvm second, third;
	int generation;
	int snap, next;

	tvm_vcpu(&second, &self->t, 1);
	tvm_vcpu(&third, &self->t, 2);
	tvm_set_paging(&self->t, CODE_VA, self->root[0], 0);
	tvm_set_paging(&second, CODE_VA, self->root[1], 0);
	tvm_set_paging(&third, CODE_VA, self->root[1], 0);
	snap = OK(compact(self, HLK_SNAPSHOT_GUEST_ROOTS, NULL));
	/* the second time over a parent */
	for (generation = 1; generation < 3; generation++) {
		get_info(self, snap);
		OK(hlk_restore(self->t.hlk, snap, NULL));
		ASSERT_NE(self->new_root[0], self->new_root[1]);
		ASSERT_EQ(self->new_root[0], self->t.run->s.regs.sregs.cr3);
		ASSERT_EQ(self->new_root[1], second.run->s.regs.sregs.cr3);
		ASSERT_EQ(self->new_root[1], third.run->s.regs.sregs.cr3);
		next = OK(compact(self, HLK_SNAPSHOT_GUEST_ROOTS, NULL));
		close(snap);
		snap = next;
	}
	close(snap);
	tvm_vcpu_close(&third);
	tvm_vcpu_close(&second);
}

TEST_F(compact, a_snapshot_of_a_restored_guest)
{
	struct hlk_snapshot s;
	int generation;
	int first, next;

	tvm_set_paging(&self->t, CODE_VA, self->root[0], 0);
	remember(self);
	first = OK(compact(self, HLK_SNAPSHOT_GUEST_ROOTS | HLK_SNAPSHOT_HOST_COW, NULL));
	for (generation = 2; generation < 6; generation++) {
		get_info(self, first);
		OK(hlk_restore(self->t.hlk, first, NULL));
		same_layout(_metadata, self);
		next = OK(compact(self, HLK_SNAPSHOT_GUEST_ROOTS |
				  HLK_SNAPSHOT_HOST_COW, &s));
		close(first);
		first = next;
		get_info(self, first);
		ASSERT_EQ(generation, self->info.generation);
		/* nothing was written but scratch, so nothing is copied */
		ASSERT_EQ(0, s.counts.copied);
		ASSERT_LE(10, s.counts.inherited);
	}
	get_info(self, first);
	OK(hlk_restore(self->t.hlk, first, NULL));
	same_layout(_metadata, self);
	ASSERT_EQ(KVM_EXIT_HLT, run_guest(self));
	close(first);
}

/* Without HOST_COW the guest is to copy on write: leaves say so. */
TEST_F(compact, the_guest_copies_on_write)
{
	static const struct {
		u32 va;
		u32 map;
	} rights[] = {
		{ DATA_VA, HLK_MAP_USER | HLK_MAP_COW },
		{ RO_VA, HLK_MAP_USER },
		{ CODE_VA, 0 },
		{ KERNEL_VA, HLK_MAP_COW },
	};
	struct hlk_translate tr = {
		.paging.flags = HLK_PAGING_GIVEN | HLK_PAGING_WP,
	};
	int snap;
	u32 r, i;

	/* user rights need the directory's too; map one page twice, writable */
	for (r = 0; r < 2; r++) {
		u32 *pd = (u32 *)tvm_at(&self->t, self->root[r]);

		pd[DATA_VA >> 22] |= PTE_U;
		*tvm_pt_entry(&self->pt, self->root[r], DATA_VA + 7 * PAGE) =
			0xe0000 | PTE_P | PTE_W;
	}
	fill(self, 0xe0000, 1234);
	tvm_set_paging(&self->t, CODE_VA, self->root[0], 0);
	remember(self);
	snap = OK(compact(self, HLK_SNAPSHOT_GUEST_ROOTS, NULL));
	get_info(self, snap);
	ASSERT_EQ(1, self->info.counts.aliased);
	OK(hlk_restore(self->t.hlk, snap, NULL));
	for (r = 0; r < 2; r++) {
		for (i = 0; i < ARRAY_SIZE(rights); i++) {
			OK(hlk_translate(self->t.hlk, self->new_root[r],
					 rights[i].va, &tr));
			ASSERT_EQ(rights[i].map, tr.map) {
				TH_LOG("root %u va %#x", r, rights[i].va);
			}
		}
		/* one page for both, in scratch, written in place */
		OK(hlk_translate(self->t.hlk, self->new_root[r],
				 DATA_VA + 7 * PAGE, &tr));
		ASSERT_EQ(HLK_MAP_WRITE, tr.map);
		ASSERT_EQ(self->info.first_free - PAGE, tr.gpa);
		ASSERT_EQ(0, memcmp(tvm_at(&self->t, tr.gpa),
				    self->bytes[r] + 8 * PAGE, PAGE));
	}
	close(snap);
}

TEST_F(compact, bookkeeping)
{
	u8 *top = tvm_at(&self->t, HLK_GUEST_SCRATCH_TOP - PAGE) + PAGE;
	u64 *roots = (u64 *)tvm_at(&self->t, ROOTS_GPA);
	struct hlk_vm_stats stats;
	u64 word;
	int snap;

#define WORD(offset) ({ memcpy(&word, top - (offset), 8); word; })
	tvm_set_paging(&self->t, CODE_VA, self->root[0], 0);
	snap = OK(compact(self, HLK_SNAPSHOT_GUEST_ROOTS, NULL));
	get_info(self, snap);
	memset(tvm_at(&self->t, TVM_SCRATCH_GPA), 0xee, TVM_SCRATCH);
	OK(hlk_restore(self->t.hlk, snap, NULL));
	OK(hlk_stats(self->t.hlk, &stats));
	ASSERT_EQ(TVM_SCRATCH, WORD(HLK_GUEST_OFF_SIZE));
	ASSERT_EQ(self->info.first_free, WORD(HLK_GUEST_OFF_ALLOC));
	ASSERT_EQ(self->new_root[0], WORD(HLK_GUEST_OFF_PT_BASE));
	ASSERT_EQ(1, WORD(HLK_GUEST_OFF_GENERATION));
	ASSERT_EQ(stats.unique, WORD(HLK_GUEST_OFF_UNIQUE));
	ASSERT_EQ(2, roots[0]);
	ASSERT_EQ(self->new_root[0], roots[1]);
	ASSERT_EQ(self->new_root[1], roots[2]);
	ASSERT_EQ(0, roots[3]);
	ASSERT_EQ(8, *(u64 *)tvm_at(&self->t, TVM_SCRATCH_GPA));
	ASSERT_EQ(8, *(u64 *)tvm_at(&self->t, TVM_SCRATCH_GPA + 0x4000));
	/* what lies between is clean */
	for (word = self->info.first_free; word < ROOTS_GPA; word += PAGE)
		ASSERT_EQ(0, *tvm_at(&self->t, word));
	close(snap);
}

/* Roots by CR3 or as given, and which CR3 the vCPU gets */
TEST_F(compact, roots)
{
	struct hlk_snapshot s = HLK_STRUCT(hlk_snapshot);
	u64 given[2] = { self->root[1], self->root[0] };
	struct hlk_snapshot_info info = {};
	u64 new[4] = {};
	int snap;

	tvm_set_paging(&self->t, CODE_VA, self->root[0], 0);
	snap = OK(compact(self, 0, NULL));
	info.roots = (uintptr_t)new;
	info.nr_roots = 4;
	info.windows = (uintptr_t)self->windows;
	info.window_size = sizeof(struct hlk_window);
	info.nr_windows = 8;
	OK(hlk_snapshot_info(snap, &info));
	ASSERT_EQ(1, info.nr_roots);
	close(snap);

	s.head.flags = HLK_SNAPSHOT_COMPACT;
	s.input_bytes = 0x2000;
	s.output_bytes = 0x3000;
	s.roots = (uintptr_t)given;
	s.nr_roots = 2;
	snap = OK(hlk_snapshot(self->t.hlk, &s));
	info.nr_roots = 4;
	info.window_size = sizeof(struct hlk_window);
	info.nr_windows = 8;
	OK(hlk_snapshot_info(snap, &info));
	ASSERT_EQ(2, info.nr_roots);
	ASSERT_EQ(TVM_SCRATCH_GPA + 0x5000, new[0]);
	OK(hlk_restore(self->t.hlk, snap, NULL));
	/* CR3 was the second of those given */
	ASSERT_EQ(new[1], self->t.run->s.regs.sregs.cr3);
	close(snap);
}

TEST_F(compact, four_mib_pages_are_split)
{
	u32 *pd = (u32 *)tvm_at(&self->t, self->root[0]);
	struct hlk_translate tr = {
		.paging.flags = HLK_PAGING_GIVEN | HLK_PAGING_WP | HLK_PAGING_PSE,
	};
	struct hlk_snapshot s;
	int snap;
	u32 i;

	/* of which a quarter is memory; read-only, so nothing is aliased */
	pd[0x20000000 >> 22] = PTE_PS | PTE_P;
	fill(self, 0x5000, 4321);
	tvm_set_paging(&self->t, CODE_VA, self->root[0], CR4_PSE);
	remember(self);
	FAILS(ENODEV, HLK_WHY_LEAF_NOT_RAM,
	      compact(self, HLK_SNAPSHOT_STRICT | HLK_SNAPSHOT_GUEST_ROOTS |
		      HLK_SNAPSHOT_HOST_COW, NULL));
	ASSERT_EQ(0x20000000 + TVM_LOW, t_where);
	snap = OK(compact(self, HLK_SNAPSHOT_GUEST_ROOTS | HLK_SNAPSHOT_HOST_COW, &s));
	ASSERT_EQ(1, s.counts.large);
	ASSERT_EQ(1024 - TVM_LOW / PAGE, s.counts.leaf_not_ram);
	get_info(self, snap);
	OK(hlk_restore(self->t.hlk, snap, NULL));
	OK(hlk_translate(self->t.hlk, self->new_root[0], 0x20005000, &tr));
	ASSERT_EQ(12, tr.page_shift);
	ASSERT_EQ(0, tr.map);
	ASSERT_EQ(4321, *(u32 *)tvm_at(&self->t, tr.gpa));
	for (i = TVM_LOW / PAGE; i < 1024; i += 100) {
		OK(hlk_translate(self->t.hlk, self->new_root[0],
				 0x20000000 + i * PAGE, &tr));
		ASSERT_EQ(i * PAGE, tr.gpa);
		ASSERT_EQ(HLK_MAP_NOT_RAM, tr.map);
	}
	close(snap);
}

TEST_F(compact, what_leads_nowhere)
{
	u32 *pd = (u32 *)tvm_at(&self->t, self->root[1]);
	struct hlk_snapshot s;
	int snap;

	tvm_set_paging(&self->t, CODE_VA, self->root[0], 0);
	*tvm_pt_entry(&self->pt, self->root[1], DATA_VA + 20 * PAGE) =
		0x90000000 | PTE_P | PTE_W;
	FAILS(ENODEV, HLK_WHY_LEAF_NOT_RAM,
	      compact(self, HLK_SNAPSHOT_STRICT | HLK_SNAPSHOT_GUEST_ROOTS, NULL));
	ASSERT_EQ(1, t_index);
	ASSERT_EQ(DATA_VA + 20 * PAGE, t_where);
	snap = OK(compact(self, HLK_SNAPSHOT_GUEST_ROOTS, &s));
	ASSERT_EQ(1, s.counts.leaf_not_ram);
	close(snap);

	pd[0x30000000 >> 22] = 0xa0000000 | PTE_P | PTE_W;
	FAILS(ENODEV, HLK_WHY_TABLE_NOT_RAM,
	      compact(self, HLK_SNAPSHOT_STRICT | HLK_SNAPSHOT_GUEST_ROOTS, NULL));
	ASSERT_EQ(1, t_index);
	ASSERT_EQ(0x30000000, t_where);
	snap = OK(compact(self, HLK_SNAPSHOT_GUEST_ROOTS, &s));
	ASSERT_EQ(1, s.counts.table_not_ram);
	get_info(self, snap);
	OK(hlk_restore(self->t.hlk, snap, NULL));
	set_root(&self->t, self->new_root[1]);
	ASSERT_EQ(0x90000000, tvm_gpa(&self->t, DATA_VA + 20 * PAGE));
	ASSERT_EQ(~0ULL, tvm_gpa(&self->t, 0x30000000));
	close(snap);
}

TEST_F(compact, what_is_refused)
{
	struct hlk_snapshot s, good = HLK_STRUCT(hlk_snapshot);
	u64 bad_roots[2] = { self->root[0], 0x90000000 };
	struct hlk_info info;
	struct tvm t;

#define BAD(err, why, change)						\
	do {								\
		s = good;						\
		change;							\
		FAILS(err, why, hlk_snapshot(self->t.hlk, &s));		\
	} while (0)
	good.head.flags = HLK_SNAPSHOT_COMPACT;
	good.input_bytes = 0x4000;
	good.output_bytes = 0x4000;
	tvm_set(&self->t, TVM_CODE);
	BAD(EOPNOTSUPP, HLK_WHY_NOT_I686, (void)0);
	tvm_set_paging(&self->t, CODE_VA, self->root[0], 0);

	BAD(EINVAL, HLK_WHY_IO_BUFFERS, s.input_bytes = 0x1000);
	BAD(EINVAL, HLK_WHY_IO_BUFFERS, s.output_bytes = 0);
	BAD(EINVAL, HLK_WHY_IO_BUFFERS, s.input_bytes = 0x2800);
	BAD(EINVAL, HLK_WHY_IO_BUFFERS, s.output_bytes = 0x40000);
	BAD(EINVAL, HLK_WHY_IO_BUFFERS,
	    (s.input_bytes = 0xfffff000, s.output_bytes = 0xfffff000));
	BAD(EFAULT, 0, s.nr_roots = 1);
	BAD(ENODEV, HLK_WHY_ROOT_NOT_RAM,
	    (s.nr_roots = 2, s.roots = (uintptr_t)bad_roots));
	ASSERT_EQ(1, t_index);
	ASSERT_EQ(0x90000000, t_where);
	OK(hlk_info(self->t.dev, &info));
	BAD(E2BIG, HLK_WHY_TOO_MANY_ROOTS, s.nr_roots = info.max_roots + 1);

	/* flags that need another */
	BAD(EINVAL, HLK_WHY_FLAGS, s.head.flags = HLK_SNAPSHOT_STRICT);
	BAD(EINVAL, HLK_WHY_FLAGS, s.head.flags = HLK_SNAPSHOT_HOST_COW);
	BAD(EINVAL, HLK_WHY_FLAGS, s.head.flags = HLK_SNAPSHOT_GUEST_ROOTS);
	BAD(EINVAL, HLK_WHY_RESERVED, s.head.flags = 0);

	/* what the guest published */
	good.head.flags |= HLK_SNAPSHOT_GUEST_ROOTS;
	BAD(EINVAL, HLK_WHY_TOO_MANY_ROOTS, s.nr_roots = 1);
	publish(self, 0);
	BAD(EINVAL, HLK_WHY_NO_ROOTS, (void)0);
	publish(self, HLK_GUEST_MAX_ROOTS + 1);
	BAD(E2BIG, HLK_WHY_TOO_MANY_ROOTS, (void)0);
	publish(self, ~0ULL);
	BAD(E2BIG, HLK_WHY_TOO_MANY_ROOTS, (void)0);
	publish(self, 1ULL << 32);
	BAD(E2BIG, HLK_WHY_TOO_MANY_ROOTS, (void)0);
	publish(self, 2);
	OK(hlk_info(self->t.dev, &info));
	ASSERT_EQ(0, info.live_snapshots);

	/* no scratch, or not where guests look for it */
	tvm_open(&t);
	tvm_attach(&t, 0, 0);
	tvm_window(&t, 0, TVM_LOW, 0);
	tvm_set_paging(&t, TVM_CODE, 0x3000, 0);
	s = good;
	s.head.flags = HLK_SNAPSHOT_COMPACT;
	FAILS(EINVAL, HLK_WHY_NO_SCRATCH, hlk_snapshot(t.hlk, &s));
	tvm_window(&t, TVM_SCRATCH_GPA - PAGE, TVM_SCRATCH, HLK_WINDOW_SCRATCH);
	s = good;
	s.head.flags = HLK_SNAPSHOT_COMPACT;
	FAILS(EINVAL, HLK_WHY_NO_SCRATCH, hlk_snapshot(t.hlk, &s));
	tvm_close(&t);
}

TEST_F(compact, no_room_in_scratch)
{
	struct hlk_snapshot s;
	u32 i;

	/* a table for each of 64 slots, but scratch has 0x48 pages in all */
	for (i = 0; i < 64; i++)
		tvm_pt_map(&self->pt, self->root[0], 0x40000000 + (i << 22), 0x5000,
			   1, PTE_P);
	tvm_set_paging(&self->t, CODE_VA, self->root[0], 0);
	FAILS(ENOSPC, HLK_WHY_SCRATCH_FULL, compact(self, 0, &s));
	ASSERT_LE(TVM_SCRATCH + PAGE, t_where);
	ASSERT_EQ(0, t_where % PAGE);
}

TEST_HARNESS_MAIN
