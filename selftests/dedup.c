// SPDX-License-Identifier: GPL-2.0-only
/*
 * HLK_SNAPSHOT_DEDUP keeps equal pages once: one page frame stands behind them, all
 * bytes are as without it, and who writes to one of them writes to no other.
 */
#include "hlk_test.h"
#include "harness.h"

#define DATA_VA		0x10000000U
#define TABLES		0x10000UL
#define NR_PAGES	64
#define KINDS		4

GUEST(halt, "	hlt\n");

FIXTURE(dedup) {
	struct tvm t;
	struct tvm_pt pt;
	u32 root;
};

typedef FIXTURE_DATA(dedup) fixture;

FIXTURE_VARIANT(dedup) {
	bool compact;
};

FIXTURE_VARIANT_ADD(dedup, flat) { .compact = false, };
FIXTURE_VARIANT_ADD(dedup, compact) { .compact = true, };

static u8 kind(u32 n)
{
	return 0x11 * (1 + n % KINDS);
}

/* Of each kind the last page differs from its like in its last byte. */
FIXTURE_SETUP(dedup)
{
	struct tvm *t = &self->t;
	u32 i;

	t_begin();
	tvm_start(t, 0, 0);
	tvm_load(t, TVM_CODE, halt);
	for (i = 0; i < NR_PAGES; i++) {
		memset(tvm_at(t, TVM_DATA + i * PAGE), kind(i), PAGE);
		if (i >= NR_PAGES - KINDS)
			tvm_at(t, TVM_DATA + i * PAGE)[PAGE - 1] = 0xff;
	}
	self->pt = (struct tvm_pt){ t, TABLES, PTE_P | PTE_W };
	self->root = tvm_pt_page(&self->pt);
	tvm_pt_map(&self->pt, self->root, TVM_CODE, TVM_CODE, 1, PTE_P);
	tvm_pt_map(&self->pt, self->root, DATA_VA, TVM_DATA, NR_PAGES, PTE_P | PTE_W);
	tvm_set_paging(t, TVM_CODE, self->root, 0);
}

FIXTURE_TEARDOWN(dedup)
{
	tvm_close(&self->t);
	EXPECT_EQ(0, t_end());
}

static int snapshot(fixture *self, bool compact, u32 flags,
		    struct hlk_snapshot_counts *counts)
{
	struct hlk_snapshot s = HLK_STRUCT(hlk_snapshot);
	int ret;

	s.head.flags = flags;
	if (compact) {
		s.head.flags |= HLK_SNAPSHOT_COMPACT | HLK_SNAPSHOT_HOST_COW;
		s.input_bytes = 0x4000;
		s.output_bytes = 0x4000;
	}
	ret = hlk_snapshot(self->t.hlk, &s);
	*counts = s.counts;
	return ret;
}

/* Where a page of data is in the snapshot */
static u64 gpa_of(fixture *self, bool compact, u32 n)
{
	struct hlk_translate tr = { .paging.flags = HLK_PAGING_GIVEN };

	if (!compact)
		return TVM_DATA + n * PAGE;
	t_must(!hlk_translate(self->t.hlk, self->t.run->s.regs.sregs.cr3,
			      DATA_VA + n * PAGE, &tr));
	return tr.gpa;
}

/* The page frame behind an address of ours */
static u64 frame_of(const volatile u8 *at)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	u64 entry = 0;

	t_must(fd >= 0);
	(void)*at;
	t_must(pread(fd, &entry, 8, (uintptr_t)at / PAGE * 8) == 8);
	close(fd);
	t_must(entry >> 63);
	return entry & ((1ULL << 55) - 1);
}

/* Which pages of data are one, as the snapshot's own mapping shows them */
static void one_or_many(struct __test_metadata *_metadata, fixture *self, int snap,
			bool compact, bool merged)
{
	u64 frames[NR_PAGES];
	u32 i, j;
	u8 *at;

	for (i = 0; i < NR_PAGES; i++) {
		at = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, snap, gpa_of(self, compact, i));
		ASSERT_NE(MAP_FAILED, (void *)at);
		ASSERT_EQ(kind(i), at[0]);
		ASSERT_EQ(i >= NR_PAGES - KINDS ? 0xff : kind(i), at[PAGE - 1]);
		frames[i] = frame_of(at);
		munmap(at, PAGE);
	}
	for (i = 0; i < NR_PAGES; i++)
		for (j = 0; j < i; j++)
			ASSERT_EQ(merged && kind(i) == kind(j) && i < NR_PAGES - KINDS &&
				  frames[i] != 0, frames[i] == frames[j]) {
				TH_LOG("pages %u and %u", i, j);
			}
}

TEST_F(dedup, equal_pages_are_one)
{
	struct hlk_snapshot_counts plain, merged;
	u8 *at;
	int a, b;
	u32 i;

	a = OK(snapshot(self, variant->compact, 0, &plain));
	ASSERT_EQ(0, plain.duplicate);
	b = OK(snapshot(self, variant->compact, HLK_SNAPSHOT_DEDUP, &merged));
	ASSERT_EQ(plain.pages, merged.pages);
	/* the starts of the two buffers are equal too */
	ASSERT_EQ(NR_PAGES - 2 * KINDS + variant->compact, merged.duplicate);
	OK(hlk_restore(self->t.hlk, a, NULL));
	one_or_many(_metadata, self, a, variant->compact, false);
	OK(hlk_restore(self->t.hlk, b, NULL));
	one_or_many(_metadata, self, b, variant->compact, true);

	/* a write to one of them is a write to no other */
	at = tvm_at(&self->t, gpa_of(self, variant->compact, 0));
	at[100] = 0x77;
	for (i = 1; i < NR_PAGES; i++)
		ASSERT_EQ(kind(i), tvm_at(&self->t, gpa_of(self, variant->compact, i))[100]);
	ASSERT_EQ(0x77, at[100]);
	one_or_many(_metadata, self, b, variant->compact, true);
	OK(hlk_restore(self->t.hlk, -1, NULL));
	ASSERT_EQ(kind(0), at[100]);
	close(a);
	close(b);
}

/* A child of a snapshot whose equal pages are one, and the other way round */
TEST_F(dedup, children)
{
	struct hlk_snapshot_counts counts;
	int snap, child;
	u32 i;
	u8 *at;

	snap = OK(snapshot(self, variant->compact, HLK_SNAPSHOT_DEDUP, &counts));
	OK(hlk_restore(self->t.hlk, snap, NULL));
	at = tvm_at(&self->t, gpa_of(self, variant->compact, 1));
	at[5] = 0x99;
	child = OK(snapshot(self, variant->compact, 0, &counts));
	/* and the bookkeeping page, that each restore writes */
	ASSERT_EQ(variant->compact ? 1 : 2, counts.copied);
	close(snap);
	OK(hlk_restore(self->t.hlk, child, NULL));
	for (i = 0; i < NR_PAGES; i++)
		ASSERT_EQ(i == 1 ? 0x99 : kind(i),
			  tvm_at(&self->t, gpa_of(self, variant->compact, i))[5]);
	/* written back to what its like are: found again */
	at = tvm_at(&self->t, gpa_of(self, variant->compact, 1));
	at[5] = kind(1);
	snap = OK(snapshot(self, variant->compact, HLK_SNAPSHOT_DEDUP, &counts));
	ASSERT_EQ(NR_PAGES - 2 * KINDS + variant->compact, counts.duplicate);
	close(child);
	OK(hlk_restore(self->t.hlk, snap, NULL));
	one_or_many(_metadata, self, snap, variant->compact, true);
	close(snap);
}

TEST_HARNESS_MAIN
