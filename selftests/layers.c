// SPDX-License-Identifier: GPL-2.0-only
/*
 * A compact snapshot of a guest that runs from one costs what changed since, and
 * is as right as the first: the same bytes at the same addresses, whoever of the
 * line is closed, and in which order.
 */
#include <time.h>

#include "hlk_test.h"
#include "harness.h"

#define SLOT		0x400000UL
#define LOW		(8 * SLOT)
#define SCRATCH		0x200000UL
#define SCRATCH_GPA	(HLK_GUEST_SCRATCH_TOP - SCRATCH)
#define SCRATCH_VA	(0x100000000ULL - SCRATCH)
#define TABLES		0x10000UL
#define DATA		0x100000UL
#define DATA_VA		0x10000000U
#define NR_DATA		2500
#define NR_CHANGED	16
#define ALLOC		(HLK_GUEST_SCRATCH_TOP - HLK_GUEST_OFF_ALLOC)

GUEST(halt, "	hlt\n");

FIXTURE(layers) {
	struct tvm t;
	struct tvm_pt pt;
	u64 root;
	u64 *want;	/* first word of each page of DATA_VA; 0: not mapped */
	struct hlk_snapshot_counts counts;
};

typedef FIXTURE_DATA(layers) fixture;

FIXTURE_VARIANT(layers) {
	u32 flags;
};

FIXTURE_VARIANT_ADD(layers, guest_cow) { .flags = 0, };
FIXTURE_VARIANT_ADD(layers, host_cow) { .flags = HLK_SNAPSHOT_HOST_COW, };
FIXTURE_VARIANT_ADD(layers, dedup) { .flags = HLK_SNAPSHOT_DEDUP, };

static u32 va_of(u32 n)
{
	return DATA_VA + n * PAGE;
}

static void machine(struct tvm *t)
{
	tvm_open(t);
	tvm_attach(t, 0, 0);
	tvm_window(t, 0, LOW, 0);
	tvm_window(t, SCRATCH_GPA, SCRATCH, HLK_WINDOW_SCRATCH);
}

FIXTURE_SETUP(layers)
{
	const u32 rw = PTE_P | PTE_W;
	struct tvm *t = &self->t;
	u32 i;

	t_begin();
	machine(t);
	tvm_load(t, TVM_CODE, halt);
	self->pt = (struct tvm_pt){ t, TABLES, rw };
	self->root = tvm_pt_page(&self->pt);
	self->want = calloc(NR_DATA, sizeof(u64));
	tvm_pt_map(&self->pt, self->root, TVM_CODE, TVM_CODE, 1, PTE_P);
	tvm_pt_map(&self->pt, self->root, SCRATCH_VA, SCRATCH_GPA, SCRATCH / PAGE, rw);
	for (i = 0; i < NR_DATA; i++) {
		self->want[i] = 0x1000000 + i;
		memcpy(tvm_at(t, DATA + i * PAGE), &self->want[i], 8);
	}
	tvm_pt_map(&self->pt, self->root, DATA_VA, DATA, NR_DATA, rw | PTE_U);
	tvm_set_paging(t, TVM_CODE, self->root, 0);
}

FIXTURE_TEARDOWN(layers)
{
	free(self->want);
	tvm_close(&self->t);
	EXPECT_EQ(0, t_end());
}

static int compact(fixture *self, u32 flags)
{
	struct hlk_snapshot s = HLK_STRUCT(hlk_snapshot);
	int ret;

	s.head.flags = HLK_SNAPSHOT_COMPACT | flags;
	s.input_bytes = 0x4000;
	s.output_bytes = 0x4000;
	ret = hlk_snapshot(self->t.hlk, &s);
	self->counts = s.counts;
	return ret;
}

static int restore(fixture *self, int snap)
{
	int ret = hlk_restore(self->t.hlk, snap, NULL);

	self->root = self->t.run->s.regs.sregs.cr3;
	self->pt.next = 0;
	return ret;
}

/* The entry that maps a page of data, in the tables that the guest has now */
static u32 *leaf(fixture *self, u32 n)
{
	return tvm_pt_entry(&self->pt, self->root, va_of(n));
}

static u32 fresh(fixture *self, u64 word)
{
	u64 *alloc = (u64 *)tvm_at(&self->t, ALLOC);
	u32 page = *alloc;

	*alloc += PAGE;
	memset(tvm_at(&self->t, page), 0, PAGE);
	memcpy(tvm_at(&self->t, page), &word, 8);
	return page;
}

/* As the guest's handler: a page of scratch in the place of the old one */
static void write_page(fixture *self, u32 n, u64 word)
{
	u32 *pte = leaf(self, n);

	if (*pte & PTE_COW)
		*pte = fresh(self, word) | ((*pte & 0xfff) & ~PTE_COW) | PTE_W;
	else
		memcpy(tvm_at(&self->t, *pte & -PAGE), &word, 8);
	self->want[n] = word;
}

static void unmap(fixture *self, u32 n)
{
	*leaf(self, n) = 0;
	self->want[n] = 0;
}

static void check(struct __test_metadata *_metadata, fixture *self)
{
	struct hlk_translate tr = { .paging.flags = HLK_PAGING_GIVEN };
	int ret;
	u32 n;

	for (n = 0; n < NR_DATA; n++) {
		ret = hlk_translate(self->t.hlk, self->root, va_of(n), &tr);
		if (!self->want[n]) {
			ASSERT_EQ(-ENXIO, ret);
			continue;
		}
		ASSERT_EQ(0, ret);
		ASSERT_EQ(self->want[n], *(u64 *)tvm_at(&self->t, tr.gpa)) {
			TH_LOG("page %u at %#llx", n, (unsigned long long)tr.gpa);
		}
	}
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

TEST_F(layers, the_second_costs_what_changed)
{
	double first_ms, second_ms;
	int first, second;
	u64 tables;
	u32 i;

	first_ms = now();
	first = OK(compact(self, variant->flags));
	first_ms = now() - first_ms;
	ASSERT_EQ(NR_DATA + 1, self->counts.copied);
	ASSERT_EQ(0, self->counts.tables_kept);
	tables = self->counts.tables;
	OK(restore(self, first));
	check(_metadata, self);
	for (i = 0; i < NR_CHANGED; i++)
		write_page(self, i * 150, 7 + i);
	second_ms = now();
	second = OK(compact(self, variant->flags));
	second_ms = now() - second_ms;
	TH_LOG("first %.2f ms, second %.2f ms, emulated", first_ms, second_ms);
	ASSERT_EQ(NR_CHANGED, self->counts.copied);
	ASSERT_EQ(NR_DATA + 1 - NR_CHANGED, self->counts.inherited);
	ASSERT_EQ(tables, self->counts.tables);
	ASSERT_EQ(tables, self->counts.tables_kept + self->counts.tables_read);
	/* the pages that were copied lie in three tables */
	ASSERT_EQ(variant->flags & HLK_SNAPSHOT_HOST_COW ? 0 : 3, self->counts.tables_read);
	close(first);
	for (i = 0; i < 2; i++) {
		OK(restore(self, second));
		check(_metadata, self);
	}
	close(second);
}

/* Pages come and go; in the end all are what they should be. */
TEST_F_TIMEOUT(layers, many_generations, 200)
{
	struct hlk_snapshot_info info = {};
	struct hlk_window windows[8];
	u32 seed = t_seed();
	int old[3] = { -1, -1, -1 };
	u64 root;
	u32 round, i, n;
	int snap;

	snap = OK(compact(self, variant->flags));
	for (round = 0; round < 10; round++) {
		OK(restore(self, snap));
		check(_metadata, self);
		for (i = 0; i < 20; i++) {
			n = t_rnd(&seed) % NR_DATA;
			if (!self->want[n]) {
				self->want[n] = t_rnd(&seed) | 1;
				*leaf(self, n) = fresh(self, self->want[n]) | PTE_P | PTE_W;
			} else if (t_rnd(&seed) % 4) {
				write_page(self, n, t_rnd(&seed) | 1);
			} else {
				unmap(self, n);
			}
		}
		/* parents go before their children, or long after */
		i = t_rnd(&seed) % 3;
		if (old[i] >= 0)
			close(old[i]);
		old[i] = snap;
		snap = OK(compact(self, variant->flags));
		ASSERT_NE(0, self->counts.tables_kept);
		info.windows = (uintptr_t)windows;
		info.window_size = sizeof(struct hlk_window);
		info.nr_windows = 8;
		info.roots = (uintptr_t)&root;
		info.nr_roots = 1;
		OK(hlk_snapshot_info(snap, &info));
		ASSERT_EQ(round + 2, info.generation);
		ASSERT_EQ(0, memcmp(&info.counts, &self->counts, sizeof(self->counts)));
	}
	for (i = 0; i < 3; i++)
		if (old[i] >= 0)
			close(old[i]);
	OK(restore(self, snap));
	check(_metadata, self);
	close(snap);
}

/* More than a guest does to its tables: as for the first time, and right */
TEST_F(layers, whoever_rewrites_tables)
{
	int first, second;

	first = OK(compact(self, variant->flags));
	OK(restore(self, first));
	close(first);
	/* one page at two addresses */
	*leaf(self, 5) = *leaf(self, 6);
	self->want[5] = self->want[6];
	second = OK(compact(self, variant->flags));
	ASSERT_EQ(0, self->counts.tables_kept);
	/* one is gone; of the others those are copied that were private before */
	ASSERT_EQ(NR_DATA, self->counts.copied + self->counts.inherited);
	OK(restore(self, second));
	check(_metadata, self);
	close(second);

	/* another directory entry */
	write_page(self, 9, 99);
	((u32 *)tvm_at(&self->t, self->root))[DATA_VA >> 22] |= PTE_G;
	second = OK(compact(self, variant->flags));
	ASSERT_EQ(0, self->counts.tables_kept);
	OK(restore(self, second));
	check(_metadata, self);
	/* the other way to copy on write */
	first = OK(compact(self, variant->flags ^ HLK_SNAPSHOT_HOST_COW));
	ASSERT_EQ(0, self->counts.tables_kept);
	close(second);
	OK(restore(self, first));
	check(_metadata, self);
	close(first);
}

/* The parent is the snapshot that was restored last, not the one made last. */
TEST_F(layers, the_parent_is_what_it_runs_from)
{
	u64 changed[2] = { 71, 72 };
	int first, branch[2], i;

	first = OK(compact(self, variant->flags));
	for (i = 0; i < 2; i++) {
		OK(restore(self, first));
		write_page(self, 70, changed[i]);
		write_page(self, 80 + i, changed[i]);
		branch[i] = OK(compact(self, variant->flags));
		ASSERT_EQ(2, self->counts.copied);
		self->want[80 + i] = 0x1000000 + 80 + i;
	}
	close(first);
	for (i = 0; i < 4; i++) {
		OK(restore(self, branch[i % 2]));
		self->want[70] = changed[i % 2];
		self->want[80] = i % 2 ? 0x1000000 + 80 : 71;
		self->want[81] = i % 2 ? 72 : 0x1000000 + 81;
		check(_metadata, self);
	}
	close(branch[0]);
	close(branch[1]);
}

/* Another VM goes on from the child, and its child from there. */
TEST_F(layers, in_another_sandbox)
{
	int first, second, third;

	first = OK(compact(self, variant->flags));
	OK(restore(self, first));
	write_page(self, 3, 33);
	second = OK(compact(self, variant->flags));
	tvm_close(&self->t);
	machine(&self->t);
	tvm_set(&self->t, TVM_CODE);
	OK(restore(self, second));
	check(_metadata, self);
	write_page(self, 4, 44);
	third = OK(compact(self, variant->flags));
	ASSERT_EQ(1, self->counts.copied);
	close(first);
	close(second);
	OK(restore(self, third));
	check(_metadata, self);
	close(third);
}

TEST_HARNESS_MAIN
