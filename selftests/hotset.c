// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which pages a sandbox keeps private: those that calls write, no others; and
 * how a new sandbox learns of them.
 */
#include <sys/wait.h>

#include "hlk_test.h"
#include "harness.h"

#define DATA_PAGES	((TVM_LOW - TVM_DATA) / PAGE)
#define PINNED		1	/* the bookkeeping page is always private */
#define ENOUGH		64	/* restores after which idle pages are gone */

FIXTURE(hotset) {
	struct tvm t;
	u8 *data;
	int snap;
	struct hlk_restore r;
};

typedef FIXTURE_DATA(hotset) fixture;

static void start(fixture *self, u64 max_private, u64 keep_private)
{
	u32 i;

	tvm_start(&self->t, max_private, keep_private);
	self->data = tvm_at(&self->t, TVM_DATA);
	for (i = 0; i < DATA_PAGES; i += 2)
		memset(self->data + i * PAGE, 1 + i, PAGE);
	self->snap = hlk_snapshot_flat(self->t.hlk);
	t_must(self->snap >= 0);
	t_must(!hlk_restore(self->t.hlk, self->snap, NULL));
}

FIXTURE_SETUP(hotset)
{
	t_begin();
	start(self, 0, 0);
	self->r = (struct hlk_restore)HLK_STRUCT(hlk_restore);
}

FIXTURE_TEARDOWN(hotset)
{
	close(self->snap);
	tvm_close(&self->t);
	EXPECT_EQ(0, t_end());
}

static void touch(fixture *self, u32 first, u32 pages)
{
	u32 i;

	for (i = first; i < first + pages; i++)
		self->data[i * PAGE + 8 * i % PAGE] ^= 0x5a;
}

static bool as_in_snapshot(fixture *self)
{
	u32 i, at;

	for (i = 0; i < DATA_PAGES; i++)
		for (at = 0; at < PAGE; at++)
			if (self->data[i * PAGE + at] != (i % 2 ? 0 : (u8)(1 + i)))
				return false;
	return true;
}

static long restore(fixture *self)
{
	return hlk_restore(self->t.hlk, -1, &self->r);
}

static struct hlk_vm_stats stats_of(struct tvm *t)
{
	struct hlk_vm_stats stats = HLK_STRUCT(hlk_vm_stats);

	t_must(!hlk_stats(t->hlk, &stats));
	return stats;
}

static struct hlk_vm_stats stats(fixture *self)
{
	return stats_of(&self->t);
}

TEST_F(hotset, pages_that_calls_write_stay)
{
	u64 faults, idle;
	u32 i;

	/* until those that only the set-up wrote are gone */
	for (i = 0; i < ENOUGH; i++) {
		touch(self, 10, 64);
		OK(restore(self));
	}
	faults = stats(self).write_faults;
	idle = stats(self).pages_idle;
	for (i = 0; i < 200; i++) {
		touch(self, 10, 64);
		OK(restore(self));
		ASSERT_EQ(0, self->r.freed);
		ASSERT_EQ(64 + PINNED, self->r.copied + self->r.cleared);
	}
	ASSERT_EQ(faults, stats(self).write_faults);
	ASSERT_EQ(idle, stats(self).pages_idle);
	ASSERT_TRUE(as_in_snapshot(self));
}

TEST_F(hotset, pages_that_calls_stop_to_write_go)
{
	u64 before = stats(self).private_pages;
	u32 i;

	for (i = 0; i < 5; i++) {
		touch(self, 0, DATA_PAGES);
		OK(restore(self));
	}
	ASSERT_LE(DATA_PAGES, self->r.private_pages);
	for (i = 0; i < ENOUGH; i++) {
		touch(self, 3, 8);
		OK(restore(self));
	}
	ASSERT_LE(8, self->r.copied + self->r.cleared);
	ASSERT_GE(16, self->r.copied + self->r.cleared);
	ASSERT_GE(16, self->r.private_pages);
	ASSERT_LE(DATA_PAGES - 8, stats(self).pages_idle);
	ASSERT_LE(stats(self).pages_idle, stats(self).pages_freed);
	ASSERT_TRUE(as_in_snapshot(self));
	ASSERT_GE(before + 16, stats(self).private_pages);
}

/* What it wrote before its snapshot it need not write again. */
TEST_F(hotset, who_took_the_snapshot_is_as_a_clone)
{
	struct hlk_restore r = HLK_STRUCT(hlk_restore);
	u8 *page = self->data + 5 * PAGE;
	int snap;
	u32 i;

	for (i = 0; i < 4; i++) {
		touch(self, 0, DATA_PAGES);
		if (i % 2)
			OK(restore(self));
	}
	memset(page, 7, PAGE);
	snap = hlk_snapshot_flat(self->t.hlk);
	t_must(snap >= 0);
	OK(hlk_restore(self->t.hlk, snap, &r));
	ASSERT_LE(1, r.freed);
	ASSERT_EQ(PINNED, r.private_pages);
	ASSERT_EQ(PINNED, r.copied + r.cleared);
	ASSERT_EQ(7, page[PAGE - 1]);
	/* what is known to be written stays, also for who takes the next one */
	for (i = 0; i < 3; i++) {
		memset(page, 8, PAGE);
		OK(restore(self));
		ASSERT_EQ(7, page[0]);
	}
	ASSERT_EQ(1 + PINNED, self->r.private_pages);
	close(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, self->snap, NULL));
	ASSERT_TRUE(as_in_snapshot(self));
	OK(hlk_restore(self->t.hlk, snap, &r));
	ASSERT_EQ(7, page[0]);
	ASSERT_EQ(0, r.freed);
	close(snap);
}

/* What was given back is written again, and comes back again. */
TEST_F(hotset, pages_may_come_and_go)
{
	u32 state = t_seed();
	u32 i, k;

	for (i = 0; i < 400; i++) {
		u32 first = t_rnd(&state) % DATA_PAGES;
		u32 pages = t_rnd(&state) % (DATA_PAGES - first);

		if (t_rnd(&state) % 4)
			pages %= 5;
		for (k = 0; k < 1 + t_rnd(&state) % 3; k++)
			touch(self, first, pages);
		OK(restore(self));
		if (i % 20 == 0)
			ASSERT_TRUE(as_in_snapshot(self));
	}
	ASSERT_TRUE(as_in_snapshot(self));
}

/* A page that is written with what it holds is idle to a probe, and needed. */
TEST_F(hotset, pages_that_come_back_are_left_alone_for_longer)
{
	u64 before = stats(self).write_faults;
	u32 i, k;

	for (i = 0; i < 2000; i++) {
		for (k = 0; k < 10; k++)
			*(volatile u8 *)(self->data + k * PAGE) = k % 2 ? 0 : 1 + k;
		OK(restore(self));
	}
	ASSERT_LE(before + 10, stats(self).write_faults);
	ASSERT_GE(before + 10 * 8, stats(self).write_faults);
	ASSERT_TRUE(as_in_snapshot(self));
}

TEST_F(hotset, the_pinned_page_never_goes)
{
	u32 i;

	for (i = 0; i < 3 * ENOUGH; i++)
		OK(hlk_restore_flags(self->t.hlk, -1, HLK_RESTORE_REPRODUCIBLE,
				     &self->r));
	ASSERT_EQ(PINNED, self->r.private_pages);
	OK(restore(self));
}

/* Over the watermark, what is idle goes before what is written. */
TEST_F(hotset, idle_pages_go_first)
{
	u64 faults;
	u32 i;

	close(self->snap);
	tvm_close(&self->t);
	start(self, 0, 40);
	for (i = 0; i < ENOUGH; i++) {
		touch(self, 0, 16);
		OK(restore(self));
	}
	for (i = 0; i < ENOUGH; i++) {
		touch(self, 100, 16);
		OK(restore(self));
		ASSERT_GE(40, self->r.private_pages);
	}
	faults = stats(self).write_faults;
	for (i = 0; i < ENOUGH; i++) {
		touch(self, 100, 16);
		OK(restore(self));
	}
	ASSERT_EQ(faults, stats(self).write_faults);
	ASSERT_GE(16 + PINNED, self->r.private_pages);
}

/* ---- prefault ---- */

static long prefault(int hlk, struct hlk_prefault *p, struct hlk_touched *runs, u32 nr)
{
	*p = (struct hlk_prefault)HLK_STRUCT(hlk_prefault);
	p->runs = (uintptr_t)runs;
	p->run_size = sizeof(struct hlk_touched);
	p->nr_runs = nr;
	return hlk_call(hlk, HLK_PREFAULT, p);
}

static bool told(const struct hlk_touched *runs, u32 nr, u64 gpa, u32 flags)
{
	u32 i;

	for (i = 0; i < nr; i++)
		if (gpa >= runs[i].gpa && gpa < runs[i].gpa + runs[i].pages * PAGE)
			return runs[i].flags == flags;
	return false;
}

static u64 told_written(const struct hlk_touched *runs, u32 nr)
{
	u64 pages = 0;
	u32 i;

	for (i = 0; i < nr; i++)
		pages += runs[i].flags & HLK_TOUCHED_WRITE ? runs[i].pages : 0;
	return pages;
}

/* Sandboxes that differ in nothing but their budgets; the first one learns. */
static void clone(fixture *self, struct tvm *t, u64 max_private, u64 keep_private)
{
	volatile u8 *data = self->data;
	u32 i, k;

	for (k = 0; k < ENOUGH; k++) {
		touch(self, 20, 10);
		touch(self, 40, 1);
		t_must(!restore(self));
	}
	for (i = 60; i < 70; i++)
		(void)data[i * PAGE];
	tvm_start(t, max_private, keep_private);
	t_must(!hlk_restore(t->hlk, self->snap, NULL));
}

TEST_F(hotset, a_new_sandbox_is_made_ready)
{
	struct hlk_vm_stats before = HLK_STRUCT(hlk_vm_stats);
	struct hlk_vm_stats after = HLK_STRUCT(hlk_vm_stats);
	struct hlk_touched runs[64];
	struct hlk_prefault p;
	struct tvm t;
	u8 *data;
	u32 i;

	clone(self, &t, 0, 0);
	data = tvm_at(&t, TVM_DATA);
	OK(hlk_stats(t.hlk, &before));
	OK(prefault(t.hlk, &p, runs, ARRAY_SIZE(runs)));
	ASSERT_LE(11, p.made);
	for (i = 20; i < 30; i++)
		ASSERT_TRUE(told(runs, p.nr_runs, TVM_DATA + i * PAGE,
				 HLK_TOUCHED_WRITE));
	ASSERT_TRUE(told(runs, p.nr_runs, TVM_DATA + 40 * PAGE, HLK_TOUCHED_WRITE));
	for (i = 60; i < 70; i++)
		ASSERT_TRUE(told(runs, p.nr_runs, TVM_DATA + i * PAGE, 0));
	for (i = 80; i < 90; i++) {
		ASSERT_FALSE(told(runs, p.nr_runs, TVM_DATA + i * PAGE, 0));
		ASSERT_FALSE(told(runs, p.nr_runs, TVM_DATA + i * PAGE,
				  HLK_TOUCHED_WRITE));
	}
	OK(hlk_stats(t.hlk, &after));
	ASSERT_EQ(before.private_pages + p.made, after.private_pages);
	ASSERT_EQ(p.made, after.prefaulted);
	ASSERT_EQ(0, stats(self).prefaulted);

	/* the pages are there: a write makes no more, and reads the snapshot */
	before = after;
	for (i = 20; i < 30; i++) {
		ASSERT_EQ(i % 2 ? 0 : (u8)(1 + i), data[i * PAGE + 100]);
		data[i * PAGE] = 77;
	}
	OK(hlk_stats(t.hlk, &after));
	ASSERT_EQ(before.write_faults, after.write_faults);

	/* again: nothing new */
	OK(prefault(t.hlk, &p, runs, ARRAY_SIZE(runs)));
	ASSERT_EQ(0, p.made);
	ASSERT_EQ(77, data[20 * PAGE]);
	OK(hlk_restore(t.hlk, -1, NULL));
	ASSERT_EQ(21, data[20 * PAGE]);
	tvm_close(&t);
}

/* Read a VM's memory from another process. */
static int look_on(const struct tvm *t, u64 gpa, u64 bytes)
{
	struct hlk_vm_attach attach = HLK_STRUCT(hlk_vm_attach);
	struct hlk_read read = HLK_STRUCT(hlk_read);
	pid_t pid = fork();
	int status;
	int ret;

	t_must(pid >= 0);
	if (pid) {
		t_must(waitpid(pid, &status, 0) == pid);
		return status;
	}
	attach.head.flags = HLK_ATTACH_INSPECT;
	attach.vm_fd = t->vm;
	read.gpa = gpa;
	read.bytes = bytes;
	read.data = (uintptr_t)malloc(bytes);
	ret = hlk_call(t->dev, HLK_VM_ATTACH, &attach);
	if (!ret)
		ret = hlk_call(attach.out_fd, HLK_READ, &read);
	_exit(ret || read.done != bytes);
}

TEST_F(hotset, who_looks_on_is_no_guest)
{
	struct hlk_touched runs[64];
	struct hlk_prefault p;
	struct tvm t;
	u64 before;
	u32 i;

	clone(self, &t, 0, 0);
	before = stats_of(&t).read_faults;
	ASSERT_EQ(0, look_on(&t, TVM_DATA + 80 * PAGE, 10 * PAGE));
	ASSERT_LE(before + 10, stats_of(&t).read_faults);
	OK(prefault(t.hlk, &p, runs, ARRAY_SIZE(runs)));
	ASSERT_TRUE(told(runs, p.nr_runs, TVM_DATA + 60 * PAGE, 0));
	for (i = 80; i < 90; i++)
		ASSERT_FALSE(told(runs, p.nr_runs, TVM_DATA + i * PAGE, 0));
	/* but who reads the same as the VM's process is */
	for (i = 90; i < 100; i++)
		(void)*(volatile u8 *)tvm_at(&t, TVM_DATA + i * PAGE);
	OK(prefault(t.hlk, &p, runs, ARRAY_SIZE(runs)));
	ASSERT_TRUE(told(runs, p.nr_runs, TVM_DATA + 95 * PAGE, 0));
	tvm_close(&t);
}

TEST_F(hotset, what_is_idle_is_not_prefaulted)
{
	struct hlk_touched runs[64];
	struct hlk_prefault p;
	struct tvm t;
	u32 i;

	for (i = 0; i < ENOUGH; i++) {
		touch(self, 0, 100);
		OK(restore(self));
	}
	clone(self, &t, 0, 0);
	OK(prefault(t.hlk, &p, runs, ARRAY_SIZE(runs)));
	ASSERT_TRUE(told(runs, p.nr_runs, TVM_DATA + 25 * PAGE, HLK_TOUCHED_WRITE));
	ASSERT_FALSE(told(runs, p.nr_runs, TVM_DATA + 50 * PAGE, HLK_TOUCHED_WRITE));
	tvm_close(&t);
}

TEST_F(hotset, prefault_keeps_budget_and_watermark)
{
	struct hlk_touched runs[64];
	struct hlk_vm_stats after = HLK_STRUCT(hlk_vm_stats);
	struct hlk_prefault p;
	struct tvm t;

	clone(self, &t, 5, 0);
	OK(prefault(t.hlk, &p, runs, ARRAY_SIZE(runs)));
	OK(hlk_stats(t.hlk, &after));
	ASSERT_EQ(5, after.private_pages);
	ASSERT_EQ(0, after.over_budget);
	/* who maps what is told is not refused a page */
	ASSERT_GE(5, told_written(runs, p.nr_runs));
	tvm_close(&t);

	clone(self, &t, 0, 4);
	OK(prefault(t.hlk, &p, runs, ARRAY_SIZE(runs)));
	OK(hlk_stats(t.hlk, &after));
	ASSERT_EQ(4, after.private_pages);
	ASSERT_GE(4, told_written(runs, p.nr_runs));
	tvm_close(&t);
}

/* Pages of the data that were not touched before, as far as they are allowed */
static long write_more(struct tvm *t, u32 first, u32 pages)
{
	return madvise(tvm_at(t, TVM_DATA) + first * PAGE, pages * PAGE,
		       MADV_POPULATE_WRITE) ? -errno : 0;
}

/* Whatever calls before it did, each one may write as many pages as it was promised. */
TEST_F(hotset, a_budget_is_one_call_s)
{
	struct hlk_touched runs[64];
	struct hlk_prefault p;
	struct hlk_restore r;
	struct tvm t;
	u32 i, first;

	clone(self, &t, 20, 0);
	OK(hlk_restore(t.hlk, -1, NULL));
	for (i = 0; i < 3 * ENOUGH; i++) {
		first = i % 5 * 28;
		OK(write_more(&t, first, 20));
		OK(hlk_restore(t.hlk, -1, &r));
		ASSERT_GE(20, r.private_pages);
	}
	/* no more than that, of pages that nobody kept */
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(-EFAULT, write_more(&t, 140, 20 + 20 + 1));
		OK(hlk_restore(t.hlk, -1, &r));
		ASSERT_GE(20, r.private_pages);
		ASSERT_LE(20, r.copied + r.cleared);
		ASSERT_GE(20 + 20, r.copied + r.cleared);
	}
	tvm_close(&t);

	/* what is prefaulted is not the first call's either */
	clone(self, &t, 20, 0);
	OK(prefault(t.hlk, &p, runs, ARRAY_SIZE(runs)));
	ASSERT_LE(11, p.made);
	OK(write_more(&t, 100, 20));
	ASSERT_EQ(-EFAULT, write_more(&t, 200, 1));
	tvm_close(&t);
}

TEST_F(hotset, prefault_says_how_many_runs)
{
	struct hlk_touched runs[64];
	struct hlk_prefault p;
	struct tvm t;
	u32 nr;

	clone(self, &t, 0, 0);
	memset(runs, 0xee, sizeof(runs));
	FAILS(EMSGSIZE, HLK_WHY_NONE, prefault(t.hlk, &p, runs, 1));
	nr = p.nr_runs;
	ASSERT_LT(2, nr);
	ASSERT_EQ(0xeeeeeeeeeeeeeeeeULL, runs[1].pages);
	ASSERT_LE(11, p.made);
	FAILS(EMSGSIZE, HLK_WHY_NONE, prefault(t.hlk, &p, NULL, 0));
	ASSERT_EQ(nr, p.nr_runs);
	OK(prefault(t.hlk, &p, runs, nr));
	ASSERT_EQ(nr, p.nr_runs);
	FAILS(EFAULT, HLK_WHY_NONE, prefault(t.hlk, &p, NULL, nr));
	tvm_close(&t);

	tvm_start(&t, 0, 0);
	FAILS(EINVAL, HLK_WHY_NO_SNAPSHOT, prefault(t.hlk, &p, runs, nr));
	tvm_close(&t);
}

TEST_HARNESS_MAIN
