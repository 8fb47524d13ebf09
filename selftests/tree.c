// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM that goes from one snapshot to another loses of what it had mapped only what
 * differs, and has all of the other one.
 */
#include "family.h"
#include "harness.h"

#define LOW		0x2000000UL
#define STRIDE		37U
#define LEAVES		5

static const struct family_pages writes = { 200, 64, 3 };
static const struct family_pages reads = { 600, 180, STRIDE };
static const struct family_pages differ = { 600, 20, STRIDE };

FIXTURE(tree) {
	struct family f;
	int middle;
	int leaf;
};

typedef FIXTURE_DATA(tree) fixture;

FIXTURE_SETUP(tree)
{
	u32 i;

	t_begin();
	family_open(&self->f, LOW, &writes, &reads);
	self->middle = family_child(&self->f, 0, &reads, 0x100);
	self->leaf = self->f.nr;
	for (i = 0; i < LEAVES; i++)
		family_child(&self->f, self->middle, &differ, 0x1000 + i);
}

FIXTURE_TEARDOWN(tree)
{
	family_close(&self->f);
	EXPECT_EQ(0, t_end());
}

static long audit(fixture *self, int snap)
{
	struct hlk_restore r = HLK_STRUCT(hlk_restore);

	return hlk_restore_flags(self->f.t.hlk, self->f.snap[snap], HLK_RESTORE_AUDIT, &r);
}

static u64 faults(fixture *self)
{
	struct hlk_vm_stats stats = family_stats(&self->f);

	return stats.read_faults + stats.write_faults;
}

static void settle(fixture *self)
{
	u32 i;

	for (i = 0; i < 2 * LEAVES; i++) {
		family_go(&self->f, self->leaf + i % LEAVES);
		family_call(&self->f);
	}
}

TEST_F(tree, what_siblings_both_have_stays_mapped)
{
	u64 before, nested;
	u32 i;

	settle(self);
	for (i = 0; i < 20; i++) {
		OK(audit(self, self->leaf + i % LEAVES));
		before = faults(self);
		nested = tvm_stat(&self->f.t, "pf_taken");
		family_call(&self->f);
		ASSERT_EQ(differ.nr, faults(self) - before);
		ASSERT_EQ(differ.nr, tvm_stat(&self->f.t, "pf_taken") - nested);
		ASSERT_EQ((u64)(0x1000 + i % LEAVES) << 32 | 3,
			  *family_at(&self->f, differ.first + 3 * differ.step));
	}
}

/* Of private pages no mapping changes, whatever their bases are. */
TEST_F(tree, what_calls_write_stays_mapped)
{
	const struct family_pages own = { 200, 40, 3 };
	int leaf[2];
	u64 before;
	u32 i;

	leaf[0] = family_child(&self->f, self->middle, &own, 0x2000);
	leaf[1] = family_child(&self->f, self->middle, &own, 0x2001);
	for (i = 0; i < 60; i++) {
		before = faults(self);
		OK(audit(self, leaf[i % 2]));
		ASSERT_EQ((u64)(0x2000 + i % 2) << 32 | 39, *family_at(&self->f, 200 + 39 * 3));
		ASSERT_EQ(350 + FAMILY_DATA / PAGE + 1, *family_at(&self->f, 350));
		family_call(&self->f);
		/* until pages that only the set-up wrote are given back, and asked for once */
		if (i > 40)
			ASSERT_EQ(before, faults(self));
	}
}

TEST_F(tree, from_one_layer_to_another)
{
	static const int way[] = { 0, 1, 0, 3, 1, 4, 0, 6, 1, 2 };
	u32 i, n, k;
	u64 want;

	for (i = 0; i < 60; i++) {
		n = way[i % ARRAY_SIZE(way)];
		OK(audit(self, n));
		if (i % 3)
			family_call(&self->f);
		if (i % 4 == 1)
			OK(audit(self, n));
		for (k = 0; k < reads.nr; k++) {
			want = reads.first + k * STRIDE + FAMILY_DATA / PAGE + 1;
			if (n >= 1)
				want = 0x100ULL << 32 | k;
			if (n >= 2 && k < differ.nr)
				want = (0x1000ULL + n - 2) << 32 | k;
			ASSERT_EQ(want, *family_at(&self->f, reads.first + k * STRIDE)) {
				TH_LOG("round %u, snapshot %u, page %u", i, n, k);
			}
		}
	}
}

/* Everything has gone, and where there was nothing is something. */
TEST_F(tree, to_a_stranger_and_back)
{
	struct family_pages all = { 0, (LOW - FAMILY_DATA) / PAGE, 1 };
	struct kvm_sync_regs regs;
	struct hlk_window windows[] = {
		{ .bytes = LOW },
		{ .gpa = TVM_SCRATCH_GPA, .bytes = TVM_SCRATCH,
		  .flags = HLK_WINDOW_SCRATCH },
	};
	struct hlk_snapshot_build build = HLK_STRUCT(hlk_snapshot_build);
	u32 i, k;

	tvm_flat(&regs, TVM_CODE, TVM_STACK);
	build.windows = (uintptr_t)windows;
	build.nr_windows = ARRAY_SIZE(windows);
	build.window_size = sizeof(windows[0]);
	build.vcpus = (uintptr_t)&regs;
	build.nr_vcpus = 1;
	build.vcpu_size = sizeof(regs);
	OK(hlk_call(self->f.t.dev, HLK_SNAPSHOT_BUILD, &build));
	settle(self);
	for (i = 0; i < 4; i++) {
		OK(hlk_restore(self->f.t.hlk, build.out_fd, NULL));
		for (k = 0; k < all.nr; k++)
			ASSERT_EQ(0, *family_at(&self->f, k));
		OK(audit(self, self->leaf));
		for (k = all.nr; k--;)
			ASSERT_NE(0, *family_at(&self->f, k));
		family_call(&self->f);
	}
	close(build.out_fd);
}

/* A mapping that came later, and one that went, are mappings as the first was. */
TEST_F(tree, all_mappings_let_go)
{
	u32 page = reads.first;
	u64 *other;
	u32 i;

	other = mmap(NULL, LOW, PROT_READ | PROT_WRITE, MAP_SHARED, self->f.t.hlk, 0);
	t_must(other != MAP_FAILED);
	for (i = 0; i < 10; i++) {
		OK(audit(self, self->leaf + i % LEAVES));
		ASSERT_EQ(0x1000ULL + i % LEAVES,
			  other[(FAMILY_DATA + page * PAGE) / 8] >> 32);
		if (i % 2)
			ASSERT_EQ(0x1000ULL + i % LEAVES, *family_at(&self->f, page) >> 32);
		ASSERT_EQ(0x100ULL, other[(FAMILY_DATA + (page + 30 * STRIDE) * PAGE) / 8] >> 32);
	}
	munmap(other, LOW);
	OK(audit(self, self->leaf));
	ASSERT_EQ(0x1000ULL, *family_at(&self->f, page) >> 32);
}

TEST_HARNESS_MAIN
