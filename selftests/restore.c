// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a restore does to memory: every byte comes back, only what was written
 * is copied, and a restore that is refused changes nothing.
 */
#include "hlk_test.h"
#include "harness.h"

/* Fill [TVM_DATA, TVM_DATA + ECX bytes) with AL; halt; again */
GUEST(fill, "1:	mov $0x20000, %edi\n"
	    "	rep stosb\n"
	    "	hlt\n"
	    "	jmp 1b\n");

/* Count for ever, and say that it runs */
GUEST(spin, "1:	incl 0x30000\n"
	    "	incl 0x20000\n"
	    "	jmp 1b\n");

GUEST(halt, "	hlt\n");

#define DATA_PAGES	((TVM_LOW - TVM_DATA) / PAGE)
#define BOOK		(HLK_GUEST_SCRATCH_TOP - PAGE)
#define PINNED		1	/* the bookkeeping page is always private */

FIXTURE(restore) {
	struct tvm t;
	u8 *low;
	u8 *scratch;
	u8 *copy;	/* of low memory and scratch */
};

typedef FIXTURE_DATA(restore) fixture;

FIXTURE_SETUP(restore)
{
	t_begin();
	tvm_start(&self->t, 0, 0);
	self->low = tvm_at(&self->t, 0);
	self->scratch = tvm_at(&self->t, TVM_SCRATCH_GPA);
	self->copy = malloc(TVM_LOW + TVM_SCRATCH);
	tvm_load(&self->t, TVM_CODE, halt);
}

FIXTURE_TEARDOWN(restore)
{
	free(self->copy);
	tvm_close(&self->t);
	EXPECT_EQ(0, t_end());
}

static void remember(fixture *self)
{
	memcpy(self->copy, self->low, TVM_LOW);
	memcpy(self->copy + TVM_LOW, self->scratch, TVM_SCRATCH);
}

/* Reads make no private page, so this may be done at any time. */
static bool as_remembered(fixture *self)
{
	return !memcmp(self->copy, self->low, TVM_LOW) &&
	       !memcmp(self->copy + TVM_LOW, self->scratch, TVM_SCRATCH);
}

/* Run the guest once: it fills so many bytes from TVM_DATA on. */
static int guest_fill(fixture *self, u8 byte, u32 bytes)
{
	struct kvm_run *run = self->t.run;

	run->s.regs.regs.rip = TVM_CODE;
	run->s.regs.regs.rax = byte;
	run->s.regs.regs.rcx = bytes;
	run->kvm_dirty_regs = KVM_SYNC_X86_REGS;
	return tvm_run(&self->t);
}

TEST_F(restore, all_bytes_come_back)
{
	struct hlk_restore r;
	u32 seed = t_seed();
	int round;
	int snap;
	u32 i;

	tvm_load(&self->t, TVM_CODE, fill);
	for (i = 0; i < 200; i++)
		self->low[TVM_DATA + t_rnd(&seed) % (TVM_LOW - TVM_DATA)] = t_rnd(&seed);
	for (i = 0; i < 50; i++)
		self->scratch[t_rnd(&seed) % TVM_SCRATCH] = t_rnd(&seed);
	remember(self);
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	for (round = 0; round < 20; round++) {
		OK(hlk_restore_flags(self->t.hlk, round ? -1 : snap,
				     HLK_RESTORE_REPRODUCIBLE, &r));
		ASSERT_TRUE(as_remembered(self));
		ASSERT_EQ(KVM_EXIT_HLT, guest_fill(self, round + 1, t_rnd(&seed) % 0x30000));
		ASSERT_EQ(round + 1, self->low[TVM_DATA]);
		for (i = 0; i < 30; i++) {
			self->low[t_rnd(&seed) % TVM_LOW] ^= 1 + t_rnd(&seed) % 255;
			self->scratch[t_rnd(&seed) % TVM_SCRATCH] ^= 0xff;
		}
	}
	OK(hlk_restore_flags(self->t.hlk, -1, HLK_RESTORE_REPRODUCIBLE, NULL));
	ASSERT_TRUE(as_remembered(self));
	close(snap);
	/* The VM holds what it was restored to. */
	self->low[TVM_DATA]++;
	OK(hlk_restore_flags(self->t.hlk, -1, HLK_RESTORE_REPRODUCIBLE, NULL));
	ASSERT_TRUE(as_remembered(self));
}

TEST_F(restore, only_written_pages_are_copied)
{
	struct hlk_vm_stats stats;
	struct hlk_restore r;
	struct tvm other;
	int snap;
	u32 i;

	for (i = 0; i < 10; i++)
		self->low[TVM_DATA + i * PAGE] = 1;
	tvm_load(&self->t, TVM_CODE, fill);
	snap = OK(hlk_snapshot_flat(self->t.hlk));

	/* A VM that has written nothing yet, so that the counts start at 0 */
	tvm_start(&other, 0, 0);
	OK(hlk_restore_flags(other.hlk, snap, HLK_RESTORE_REPRODUCIBLE, &r));
	ASSERT_EQ(0, r.copied);
	ASSERT_EQ(PINNED, r.cleared);
	ASSERT_EQ(PINNED, r.private_pages);

	/* 3 pages of the 10 that the snapshot has, and 2 that it does not have */
	tvm_at(&other, TVM_DATA)[0] = 2;
	tvm_at(&other, TVM_DATA)[1] = 2;
	tvm_at(&other, TVM_DATA)[2 * PAGE] = 2;
	tvm_at(&other, TVM_DATA)[3 * PAGE + 5] = 2;
	tvm_at(&other, TVM_DATA)[20 * PAGE] = 2;
	tvm_at(&other, TVM_SCRATCH_GPA)[0] = 2;
	OK(hlk_restore_flags(other.hlk, -1, HLK_RESTORE_REPRODUCIBLE, &r));
	ASSERT_EQ(3, r.copied);
	ASSERT_EQ(2 + PINNED, r.cleared);
	ASSERT_EQ(0, r.freed);
	ASSERT_EQ(5 + PINNED, r.private_pages);
	ASSERT_EQ(1, tvm_at(&other, TVM_DATA)[0]);
	ASSERT_EQ(0, tvm_at(&other, TVM_DATA)[1]);
	ASSERT_EQ(0, tvm_at(&other, TVM_DATA)[20 * PAGE]);
	ASSERT_EQ(0, tvm_at(&other, TVM_SCRATCH_GPA)[0]);

	/* Private pages are sticky: written again they cost no fault. */
	OK(hlk_stats(other.hlk, &stats));
	ASSERT_EQ(5 + PINNED, stats.write_faults);
	tvm_at(&other, TVM_DATA)[0] = 3;
	tvm_at(&other, TVM_DATA)[20 * PAGE] = 3;
	OK(hlk_stats(other.hlk, &stats));
	ASSERT_EQ(5 + PINNED, stats.write_faults);
	ASSERT_EQ(5 + PINNED, stats.private_pages);
	ASSERT_EQ(2, stats.restores);
	ASSERT_EQ(1, stats.switches);
	ASSERT_EQ(3, stats.pages_copied);
	ASSERT_EQ(2 + 2 * PINNED, stats.pages_cleared);
	ASSERT_EQ(0, stats.pages_freed);
	tvm_close(&other);
	close(snap);
}

TEST_F(restore, the_watermark_gives_pages_back)
{
	struct hlk_vm_stats stats;
	struct hlk_restore r;
	struct hlk_info info;
	struct tvm t;
	u64 before;
	int snap;
	u32 i;

	snap = OK(hlk_snapshot_flat(self->t.hlk));
	tvm_start(&t, 0, 8);
	OK(hlk_restore_flags(t.hlk, snap, HLK_RESTORE_REPRODUCIBLE, NULL));
	OK(hlk_info(t.dev, &info));
	before = info.live_pages;

	for (i = 0; i < 40; i++)
		tvm_at(&t, TVM_DATA)[i * PAGE] = 1;
	for (i = 0; i < 10; i++)
		tvm_at(&t, TVM_SCRATCH_GPA)[i * PAGE] = 1;
	OK(hlk_info(t.dev, &info));
	ASSERT_EQ(before + 50, info.live_pages);

	OK(hlk_restore_flags(t.hlk, -1, HLK_RESTORE_REPRODUCIBLE, &r));
	ASSERT_EQ(42 + PINNED, r.freed);
	ASSERT_EQ(8, r.private_pages);
	OK(hlk_info(t.dev, &info));
	ASSERT_EQ(before + 8 - PINNED, info.live_pages);
	OK(hlk_stats(t.hlk, &stats));
	ASSERT_EQ(8, stats.private_pages);
	ASSERT_EQ(42 + PINNED, stats.pages_freed);
	for (i = 0; i < 40; i++)
		ASSERT_EQ(0, tvm_at(&t, TVM_DATA)[i * PAGE]);
	for (i = 0; i < 10; i++)
		ASSERT_EQ(0, tvm_at(&t, TVM_SCRATCH_GPA)[i * PAGE]);

	/* and below it none */
	OK(hlk_restore_flags(t.hlk, -1, HLK_RESTORE_REPRODUCIBLE, &r));
	ASSERT_EQ(0, r.freed);

	/* no mapping kept a page that was given back: all writes are seen */
	for (i = 0; i < 40; i++)
		tvm_at(&t, TVM_DATA)[i * PAGE] = 1;
	OK(hlk_stats(t.hlk, &stats));
	ASSERT_LE(40, stats.private_pages);
	OK(hlk_restore_flags(t.hlk, -1, HLK_RESTORE_REPRODUCIBLE, &r));
	for (i = 0; i < 40; i++)
		ASSERT_EQ(0, tvm_at(&t, TVM_DATA)[i * PAGE]);
	tvm_close(&t);
	close(snap);
}

TEST_F(restore, two_snapshots_back_and_forth)
{
	struct hlk_vm_stats stats;
	int round;
	int a, b;
	u32 i;

	for (i = 0; i < 30; i++)
		self->low[TVM_DATA + i * PAGE] = 'a';
	a = OK(hlk_snapshot_flat(self->t.hlk));
	for (i = 10; i < 40; i++)
		self->low[TVM_DATA + i * PAGE] = 'b';
	memset(self->low + TVM_DATA, 0, 5 * PAGE);
	b = OK(hlk_snapshot_flat(self->t.hlk));

	for (round = 0; round < 10; round++) {
		OK(hlk_restore(self->t.hlk, a, NULL));
		for (i = 0; i < 40; i++)
			ASSERT_EQ(i < 30 ? 'a' : 0, self->low[TVM_DATA + i * PAGE]);
		self->low[TVM_DATA + 7 * PAGE] = 'x';
		self->low[TVM_DATA + 35 * PAGE] = 'x';
		OK(hlk_restore(self->t.hlk, b, NULL));
		for (i = 0; i < 40; i++)
			ASSERT_EQ(i < 5 ? 0 : i < 10 ? 'a' : 'b',
				  self->low[TVM_DATA + i * PAGE]);
		self->low[TVM_DATA + 39 * PAGE] = 'x';
		self->low[TVM_DATA + (100 + round) * PAGE] = 'x';
		OK(hlk_restore(self->t.hlk, -1, NULL));
		ASSERT_EQ('b', self->low[TVM_DATA + 39 * PAGE]);
		ASSERT_EQ(0, self->low[TVM_DATA + (100 + round) * PAGE]);
	}
	OK(hlk_stats(self->t.hlk, &stats));
	ASSERT_EQ(30, stats.restores);
	ASSERT_EQ(20, stats.switches);
	close(a);
	close(b);
}

/* Pages that only were read are shared, and must go when the snapshot does. */
TEST_F(restore, shared_pages_follow_the_snapshot)
{
	struct tvm t;
	int a, b;

	self->low[TVM_DATA] = 'a';
	a = OK(hlk_snapshot_flat(self->t.hlk));
	self->low[TVM_DATA] = 'b';
	b = OK(hlk_snapshot_flat(self->t.hlk));

	tvm_start(&t, 0, 0);
	ASSERT_EQ(0, tvm_at(&t, TVM_DATA)[0]);
	OK(hlk_restore(t.hlk, a, NULL));
	ASSERT_EQ('a', tvm_at(&t, TVM_DATA)[0]);
	close(a);
	OK(hlk_restore(t.hlk, b, NULL));
	ASSERT_EQ('b', tvm_at(&t, TVM_DATA)[0]);
	close(b);
	tvm_close(&t);
}

TEST_F(restore, nothing_restored_yet)
{
	int snap;

	FAILS(EINVAL, HLK_WHY_NO_SNAPSHOT, hlk_restore(self->t.hlk, -1, NULL));
	/* A snapshot that was made is not one that was restored. */
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	FAILS(EINVAL, HLK_WHY_NO_SNAPSHOT, hlk_restore(self->t.hlk, -1, NULL));
	OK(hlk_restore(self->t.hlk, snap, NULL));
	OK(hlk_restore(self->t.hlk, -1, NULL));
	close(snap);
}

TEST_F(restore, not_a_snapshot)
{
	int file = open("/dev/null", O_RDONLY);

	FAILS(EBADF, HLK_WHY_NOT_SNAPSHOT, hlk_restore(self->t.hlk, file, NULL));
	FAILS(EBADF, HLK_WHY_NOT_SNAPSHOT, hlk_restore(self->t.hlk, self->t.hlk, NULL));
	FAILS(EBADF, HLK_WHY_NOT_SNAPSHOT, hlk_restore(self->t.hlk, self->t.vm, NULL));
	FAILS(EBADF, HLK_WHY_NOT_SNAPSHOT, hlk_restore(self->t.hlk, self->t.dev, NULL));
	FAILS(EBADF, HLK_WHY_NOT_SNAPSHOT, hlk_restore(self->t.hlk, 9999, NULL));
	FAILS(EBADF, HLK_WHY_NOT_SNAPSHOT, hlk_restore(self->t.hlk, -2, NULL));
	close(file);
}

TEST_F(restore, another_layout)
{
	static const struct {
		u64 low;
		u64 bytes;
		u32 flags;
		u64 where;
	} layouts[] = {
		{ 0, TVM_LOW + PAGE, 0, 0 },
		{ 0, TVM_LOW - PAGE, 0, 0 },
		{ 0, TVM_LOW, HLK_WINDOW_READONLY, 0 },
		{ PAGE, TVM_LOW - PAGE, 0, PAGE },
	};
	struct hlk_vm_stats stats;
	struct tvm t;
	int snap;
	u32 i;

	snap = OK(hlk_snapshot_flat(self->t.hlk));
	for (i = 0; i < ARRAY_SIZE(layouts); i++) {
		tvm_open(&t);
		tvm_attach(&t, 0, 0);
		tvm_window(&t, layouts[i].low, layouts[i].bytes, layouts[i].flags);
		tvm_window(&t, TVM_SCRATCH_GPA, TVM_SCRATCH, HLK_WINDOW_SCRATCH);
		FAILS(EMEDIUMTYPE, HLK_WHY_LAYOUT, hlk_restore(t.hlk, snap, NULL));
		ASSERT_EQ(layouts[i].where, t_where);
		OK(hlk_stats(t.hlk, &stats));
		ASSERT_EQ(0, stats.restores);
		FAILS(EINVAL, HLK_WHY_NO_SNAPSHOT, hlk_restore(t.hlk, -1, NULL));
		tvm_close(&t);
	}
	/* one window less, one more, no scratch flag */
	tvm_open(&t);
	tvm_attach(&t, 0, 0);
	tvm_window(&t, 0, TVM_LOW, 0);
	FAILS(EMEDIUMTYPE, HLK_WHY_LAYOUT, hlk_restore(t.hlk, snap, NULL));
	tvm_window(&t, TVM_SCRATCH_GPA, TVM_SCRATCH, 0);
	FAILS(EMEDIUMTYPE, HLK_WHY_LAYOUT, hlk_restore(t.hlk, snap, NULL));
	tvm_window(&t, 0x40000000, PAGE, 0);
	FAILS(EMEDIUMTYPE, HLK_WHY_LAYOUT, hlk_restore(t.hlk, snap, NULL));
	tvm_close(&t);

	/* the same in another order of adding is the same */
	tvm_open(&t);
	tvm_attach(&t, 0, 0);
	tvm_window(&t, TVM_SCRATCH_GPA, TVM_SCRATCH, HLK_WINDOW_SCRATCH);
	tvm_window(&t, 0, TVM_LOW, 0);
	tvm_set(&t, TVM_CODE);
	OK(hlk_restore(t.hlk, snap, NULL));
	tvm_close(&t);
	close(snap);
}

TEST_F(restore, another_number_of_vcpus)
{
	struct tvm t;
	int second;
	int snap;

	snap = OK(hlk_snapshot_flat(self->t.hlk));
	tvm_start(&t, 0, 0);
	second = ioctl(t.vm, KVM_CREATE_VCPU, 1);
	ASSERT_LE(0, second);
	FAILS(EMEDIUMTYPE, HLK_WHY_VCPU_COUNT, hlk_restore(t.hlk, snap, NULL));
	close(second);
	tvm_close(&t);
	close(snap);
}

/* Whoever runs is left alone, and so is its memory. */
TEST_F(restore, busy_while_the_vcpu_runs)
{
	struct hlk_vm_stats before, after;
	struct tvm_runner runner;
	volatile u32 *counter;
	u32 seen;
	int snap;
	int i;

	tvm_load(&self->t, TVM_CODE, spin);
	strcpy((char *)self->low + 0x40000, "before");
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, snap, NULL));
	strcpy((char *)self->low + 0x40000, "after");
	counter = (u32 *)(self->low + 0x30000);

	tvm_runner_start(&runner, &self->t);
	OK(hlk_stats(self->t.hlk, &before));
	for (i = 0; i < 20; i++) {
		seen = *counter;
		FAILS(EBUSY, HLK_WHY_VCPU_RUNNING, hlk_restore(self->t.hlk, -1, NULL));
		FAILS(EBUSY, HLK_WHY_VCPU_RUNNING, hlk_restore(self->t.hlk, snap, NULL));
		FAILS(EBUSY, HLK_WHY_VCPU_RUNNING, hlk_snapshot_flat(self->t.hlk));
		ASSERT_EQ(0, t_index);
		ASSERT_LE(seen, *counter);
		ASSERT_STREQ("after", (char *)self->low + 0x40000);
	}
	OK(hlk_stats(self->t.hlk, &after));
	ASSERT_EQ(before.restores, after.restores);
	ASSERT_EQ(before.private_pages, after.private_pages);

	ASSERT_EQ(-EINTR, tvm_runner_kick(&runner));
	ASSERT_NE(0, *counter);
	OK(hlk_restore(self->t.hlk, -1, NULL));
	ASSERT_EQ(0, *counter);
	ASSERT_STREQ("before", (char *)self->low + 0x40000);
	close(snap);
}

/* Each restore gives the guest numbers that no other restore gives. */
TEST_F(restore, numbers_are_unique)
{
	const u32 seed_at = PAGE - HLK_GUEST_OFF_SEED;
	u8 *book = tvm_at(&self->t, BOOK);
	struct hlk_vm_stats stats;
	u8 seeds[20][HLK_GUEST_SEED_SIZE];
	u64 unique[20];
	u32 i, j;
	int snap;

	snap = OK(hlk_snapshot_flat(self->t.hlk));
	for (i = 0; i < 20; i++) {
		OK(hlk_restore(self->t.hlk, snap, NULL));
		memcpy(seeds[i], book + seed_at, HLK_GUEST_SEED_SIZE);
		memcpy(&unique[i], book + PAGE - HLK_GUEST_OFF_UNIQUE, 8);
		OK(hlk_stats(self->t.hlk, &stats));
		ASSERT_EQ(stats.unique, unique[i]);
		for (j = 0; j < i; j++) {
			ASSERT_NE(unique[j], unique[i]);
			ASSERT_NE(0, memcmp(seeds[i], seeds[j], HLK_GUEST_SEED_SIZE));
		}
	}
	OK(hlk_restore_flags(self->t.hlk, -1, HLK_RESTORE_REPRODUCIBLE, NULL));
	for (i = 0; i < PAGE; i++)
		ASSERT_EQ(0, book[i]);
	close(snap);
}

/* ... however few pages the sandbox may keep. */
TEST_F(restore, numbers_are_unique_below_the_watermark)
{
	struct hlk_restore r;
	struct tvm t;
	u64 unique, last = 0;
	u8 *book;
	int snap;
	u32 i;

	snap = OK(hlk_snapshot_flat(self->t.hlk));
	tvm_start(&t, 0, 1);
	book = tvm_at(&t, BOOK);
	for (i = 0; i < 5; i++) {
		memset(tvm_at(&t, TVM_DATA), i, 3 * PAGE);
		memset(tvm_at(&t, TVM_SCRATCH_GPA), i, 3 * PAGE);
		OK(hlk_restore(t.hlk, snap, &r));
		memcpy(&unique, book + PAGE - HLK_GUEST_OFF_UNIQUE, 8);
		ASSERT_NE(last, unique);
		ASSERT_GE(1, r.private_pages);
		last = unique;
	}
	tvm_close(&t);
	close(snap);
}

/* A restore takes nothing from the budget, so it works when that is used up. */
TEST_F(restore, out_of_budget)
{
	struct hlk_restore r;
	struct tvm t;
	int snap;

	snap = OK(hlk_snapshot_flat(self->t.hlk));
	tvm_start(&t, 2 + PINNED, 0);
	tvm_at(&t, TVM_DATA)[0] = 1;
	tvm_at(&t, TVM_DATA)[PAGE] = 1;
	OK(hlk_restore(t.hlk, snap, &r));
	ASSERT_EQ(2 + PINNED, r.private_pages);
	ASSERT_EQ(0, tvm_at(&t, TVM_DATA)[0]);
	ASSERT_EQ(0, tvm_at(&t, TVM_DATA)[PAGE]);
	tvm_close(&t);
	close(snap);
}

TEST_HARNESS_MAIN
