// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits, and memory that is not what it seems: each is refused by the errno and
 * the reason that the header names, and the VM goes on as it was.
 */
#include "hlk_test.h"
#include "harness.h"

#define TABLES		0x40000UL
#define VA		0x00800000
#define BUFFERS		0x4000
#define FOREIGN		0x40000000UL	/* memory that is no window */
#define FOREIGN_BYTES	(512 * PAGE)
#define RW		(PTE_P | PTE_W)

static const char *const params[] = { "max_pages", "max_tables", "max_private" };

FIXTURE(limits) {
	struct tvm t;
	struct tvm_pt pt;
	u32 root;
	char params[ARRAY_SIZE(params)][32];
};

typedef FIXTURE_DATA(limits) fixture;

static int param_open(u32 nr, int flags)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/sys/module/hlk/parameters/%s", params[nr]);
	fd = open(path, flags | O_CLOEXEC);
	t_must(fd >= 0);
	return fd;
}

static void set_param(u32 nr, const char *value)
{
	int fd = param_open(nr, O_WRONLY);

	t_must(write(fd, value, strlen(value)) > 0);
	close(fd);
}

static void set_limits(const char *pages, const char *tables)
{
	set_param(0, pages);
	set_param(1, tables);
}

FIXTURE_SETUP(limits)
{
	ssize_t got;
	u32 i;
	int fd;

	t_begin();
	for (i = 0; i < ARRAY_SIZE(params); i++) {
		fd = param_open(i, O_RDONLY);
		got = read(fd, self->params[i], sizeof(self->params[i]) - 1);
		t_must(got > 0);
		close(fd);
	}
	tvm_start(&self->t, 0, 0);
	self->pt = (struct tvm_pt){ &self->t, TABLES, RW };
	self->root = tvm_pt_page(&self->pt);
	tvm_pt_map(&self->pt, self->root, VA, 0x50000, 8, RW);
	tvm_set_paging(&self->t, TVM_CODE, self->root, 0);
}

FIXTURE_TEARDOWN(limits)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(params); i++)
		set_param(i, self->params[i]);
	tvm_close(&self->t);
	EXPECT_EQ(0, t_end());
}

static int compact(fixture *self, u32 flags)
{
	struct hlk_snapshot s = {};

	s.head.flags = HLK_SNAPSHOT_COMPACT | flags;
	s.input_bytes = BUFFERS;
	s.output_bytes = BUFFERS;
	return hlk_snapshot(self->t.hlk, &s);
}

static int mark(fixture *self, u32 flags)
{
	struct hlk_mark_cow m = HLK_STRUCT(hlk_mark_cow);

	m.paging.flags = flags;
	return hlk_call(self->t.hlk, HLK_MARK_COW, &m);
}

static int walk(fixture *self, struct hlk_mapping *to, u32 nr)
{
	struct hlk_walk w = HLK_STRUCT(hlk_walk);

	w.mappings = (uintptr_t)to;
	w.mapping_size = sizeof(struct hlk_mapping);
	w.nr_mappings = nr;
	return hlk_call(self->t.hlk, HLK_WALK, &w) ?: (int)w.nr_mappings;
}

static int translate(fixture *self, u64 va)
{
	struct hlk_translate t = {};

	return hlk_translate(self->t.hlk, HLK_ROOT_CR3, va, &t);
}

/* ---- how many ---- */

TEST_F(limits, pages_of_a_flat_snapshot)
{
	int snap;

	memset(tvm_at(&self->t, 0x50000), 1, 60 * PAGE);
	set_limits("20", "20");		/* and 16 more that are no guest's */
	FAILS(EDQUOT, HLK_WHY_TOO_MANY_PAGES, hlk_snapshot_flat(self->t.hlk));
	set_limits("20", "60");
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore_flags(self->t.hlk, snap, HLK_RESTORE_AUDIT, NULL));
	close(snap);
}

TEST_F(limits, pages_of_a_compact_snapshot)
{
	memset(tvm_at(&self->t, 0x50000), 1, 8 * PAGE);
	set_limits("7", "100");
	FAILS(EDQUOT, HLK_WHY_TOO_MANY_PAGES, compact(self, 0));
	ASSERT_EQ(0x57000, t_where);
	set_limits("8", "100");
	close(OK(compact(self, 0)));
}

TEST_F(limits, tables_of_a_compact_snapshot)
{
	/* a directory, a table, and one or two to map scratch by */
	set_limits("100", "1");
	FAILS(EDQUOT, HLK_WHY_TOO_MANY_TABLES, compact(self, 0));
	set_limits("100", "2");
	FAILS(EDQUOT, HLK_WHY_TOO_MANY_TABLES, compact(self, 0));
	set_limits("100", "3");
	close(OK(compact(self, 0)));
}

TEST_F(limits, tables_that_are_walked_and_marked)
{
	struct hlk_mapping mapping[4];

	tvm_pt_map(&self->pt, self->root, 2 * VA, 0x50000, 1, RW);
	set_limits("100", "1");
	FAILS(EDQUOT, HLK_WHY_TOO_MANY_TABLES, walk(self, mapping, 4));
	FAILS(EDQUOT, HLK_WHY_TOO_MANY_TABLES, mark(self, 0));
	ASSERT_TRUE(*tvm_pt_entry(&self->pt, self->root, VA) & PTE_W);
	set_limits("100", "3");		/* roots count for marks alone */
	OK(walk(self, mapping, 4));
	OK(mark(self, 0));
	ASSERT_FALSE(*tvm_pt_entry(&self->pt, self->root, VA) & PTE_W);
	set_limits("100", "0");
	FAILS(EDQUOT, HLK_WHY_TOO_MANY_TABLES, mark(self, 0));
}

TEST_F(limits, more_than_the_windows_have_room_for)
{
	/* all of what lies beside the windows, and no frame twice */
	tvm_ram(&self->t, FOREIGN, FOREIGN_BYTES);
	tvm_pt_map(&self->pt, self->root, 2 * VA, FOREIGN, TVM_LOW / PAGE - 7, RW);
	tvm_set_paging(&self->t, TVM_CODE, self->root, 0);
	FAILS(ENOSPC, HLK_WHY_SNAPSHOT_FULL, compact(self, 0));
	ASSERT_EQ(TVM_LOW + PAGE, t_where);
	*tvm_pt_entry(&self->pt, self->root, VA) = 0;
	close(OK(compact(self, 0)));
}

TEST_F(limits, more_vcpus_than_are_held)
{
	int snap = OK(hlk_snapshot_flat(self->t.hlk));
	struct hlk_info info;
	int vcpu[32];
	u32 i;

	OK(hlk_info(self->t.dev, &info));
	ASSERT_GT(ARRAY_SIZE(vcpu), info.max_vcpus);
	for (i = 1; i <= info.max_vcpus; i++) {
		vcpu[i] = ioctl(self->t.vm, KVM_CREATE_VCPU, i);
		ASSERT_LE(0, vcpu[i]);
	}
	FAILS(EDQUOT, HLK_WHY_TOO_MANY_VCPUS, hlk_restore(self->t.hlk, snap, NULL));
	ASSERT_EQ(info.max_vcpus + 1, t_index);
	FAILS(EDQUOT, HLK_WHY_TOO_MANY_VCPUS, hlk_snapshot_flat(self->t.hlk));
	FAILS(EDQUOT, HLK_WHY_TOO_MANY_VCPUS, mark(self, 0));
	FAILS(EDQUOT, HLK_WHY_TOO_MANY_VCPUS, translate(self, VA));
	for (i = 1; i <= info.max_vcpus; i++)
		close(vcpu[i]);
	close(snap);
}

/* ---- nothing to look at ---- */

TEST_F(limits, no_vcpu)
{
	int vm = ioctl(self->t.kvm, KVM_CREATE_VM, 0);
	struct hlk_restore r;
	int hlk, snap, old;

	ASSERT_LE(0, vm);
	hlk = OK(hlk_attach(self->t.dev, vm, 0, 0));
	OK(hlk_window_add(hlk, 0, TVM_LOW, 0));
	OK(hlk_window_add(hlk, TVM_SCRATCH_GPA, TVM_SCRATCH, HLK_WINDOW_SCRATCH));
	old = self->t.hlk;
	self->t.hlk = hlk;
	FAILS(EINVAL, HLK_WHY_NO_VCPU, compact(self, 0));
	FAILS(EINVAL, HLK_WHY_NO_VCPU, mark(self, 0));
	FAILS(EINVAL, HLK_WHY_NO_VCPU, translate(self, VA));
	self->t.hlk = old;
	/* its memory alone can be taken and brought back */
	snap = OK(hlk_snapshot_flat(hlk));
	OK(hlk_restore_flags(hlk, snap, HLK_RESTORE_AUDIT, &r));
	ASSERT_EQ(0, r.residue);
	close(snap);
	close(hlk);
	close(vm);
}

/* ---- an image ---- */

static int build(fixture *self, struct hlk_segment *segments, u32 nr, u64 bytes)
{
	struct hlk_snapshot_build b = HLK_STRUCT(hlk_snapshot_build);
	struct hlk_window windows[] = {
		{ .gpa = 0x10000, .bytes = bytes },
		{ .gpa = 0x10000 + bytes, .bytes = bytes },
	};

	b.window_size = sizeof(struct hlk_window);
	b.nr_windows = ARRAY_SIZE(windows);
	b.windows = (uintptr_t)windows;
	b.segment_size = sizeof(struct hlk_segment);
	b.nr_segments = nr;
	b.segments = (uintptr_t)segments;
	return hlk_call(self->t.dev, HLK_SNAPSHOT_BUILD, &b) ?: b.out_fd;
}

TEST_F(limits, segments_of_an_image)
{
	static const struct {
		u64 gpa;
		u64 bytes;
	} bad[] = {
		{ 0, 1 }, { 0xffff, 2 }, { 0xffff, 1 }, { 0x50000, 1 },
		{ 0x2ffff, 2 },			/* from one window into the next */
		{ 0x4ffff, 2 }, { 0x10000, ~0ULL }, { 0x10001, ~0ULL },
		{ ~0ULL, 1 }, { ~0ULL, ~0ULL },
	};
	struct hlk_window windows[2];
	struct hlk_snapshot_info made = {
		.windows = (uintptr_t)windows,
		.window_size = sizeof(*windows),
		.nr_windows = ARRAY_SIZE(windows),
	};
	struct hlk_segment *segment;
	struct hlk_info info;
	static u8 image[40 * PAGE];
	int snap;
	u32 i;

	OK(hlk_info(self->t.dev, &info));
	segment = calloc(info.max_segments + 1, sizeof(*segment));
	segment[0] = (struct hlk_segment){ .gpa = 0x10000, .bytes = 1,
					   .data = (uintptr_t)image };
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		segment[1] = (struct hlk_segment){ .gpa = bad[i].gpa,
						   .bytes = bad[i].bytes,
						   .data = (uintptr_t)image };
		FAILS(EINVAL, HLK_WHY_SEGMENT, build(self, segment, 2, 0x20000));
		ASSERT_EQ(1, t_index);
		ASSERT_EQ(bad[i].gpa, t_where);
	}
	/* an empty one may be anywhere */
	segment[1] = (struct hlk_segment){ .gpa = ~0ULL };
	close(OK(build(self, segment, info.max_segments, 0x20000)));
	FAILS(E2BIG, HLK_WHY_TOO_MANY_SEGMENTS,
	      build(self, segment, info.max_segments + 1, 0x20000));
	ASSERT_EQ(info.max_segments, t_where);
	FAILS(E2BIG, HLK_WHY_TOO_MANY_SEGMENTS, build(self, segment, ~0, 0x20000));

	segment[1] = (struct hlk_segment){ .gpa = 0x10fff, .bytes = sizeof(image),
					   .data = (uintptr_t)image };
	memset(image, 1, sizeof(image));
	set_limits("10", "14");		/* 40 with the 16 of the module */
	FAILS(EDQUOT, HLK_WHY_TOO_MANY_PAGES, build(self, segment, 2, 0x40000));
	set_limits("10", "15");
	close(OK(build(self, segment, 2, 0x40000)));
	/* pages of zeroes cost nothing, also where there was something before */
	memset(image, 0, sizeof(image));
	image[20 * PAGE] = 1;
	segment[0].data = (uintptr_t)&image[20 * PAGE];
	segment[0].gpa = segment[1].gpa;
	snap = OK(build(self, segment, 2, 0x40000));
	OK(hlk_snapshot_info(snap, &made));
	ASSERT_EQ(1, made.counts.pages);
	close(snap);
	segment[1].bytes = 0;
	snap = OK(build(self, segment, 2, 0x40000));
	OK(hlk_snapshot_info(snap, &made));
	ASSERT_EQ(1, made.counts.pages);
	close(snap);
	free(segment);
}

/* ---- memory that cannot be had ---- */

/* A memslot of which the first page can only be read, and the second not even that */
static void *half_a_memslot(fixture *self)
{
	u8 *at = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	t_must(at != MAP_FAILED);
	tvm_memslot(&self->t, FOREIGN, 2 * PAGE, at, 0);
	t_must(!mprotect(at + PAGE, PAGE, PROT_NONE));
	return at;
}

TEST_F(limits, a_root_that_cannot_be_read)
{
	struct hlk_mapping mapping[4];
	u64 root = FOREIGN + PAGE;
	struct hlk_mark_cow m = HLK_STRUCT(hlk_mark_cow);
	struct hlk_walk w = HLK_STRUCT(hlk_walk);
	struct hlk_translate t = {};

	half_a_memslot(self);
	FAILS(EFAULT, HLK_WHY_NOT_RAM, hlk_translate(self->t.hlk, root, VA, &t));
	ASSERT_EQ(root, t_where);
	w.roots = (uintptr_t)&root;
	w.nr_roots = 1;
	w.mappings = (uintptr_t)mapping;
	w.mapping_size = sizeof(struct hlk_mapping);
	w.nr_mappings = ARRAY_SIZE(mapping);
	FAILS(EFAULT, HLK_WHY_ROOT_NOT_RAM, hlk_call(self->t.hlk, HLK_WALK, &w));
	ASSERT_EQ(root, t_where);
	m.roots = (uintptr_t)&root;
	m.nr_roots = 1;
	FAILS(EFAULT, HLK_WHY_ROOT_NOT_RAM, hlk_call(self->t.hlk, HLK_MARK_COW, &m));
	ASSERT_EQ(root, t_where);
}

TEST_F(limits, a_table_that_cannot_be_read_or_written)
{
	u32 *pde = (u32 *)tvm_at(&self->t, self->root) + 100;
	struct hlk_mapping mapping[4];
	void *at = half_a_memslot(self);
	const u64 va = 100ULL << 22;

	*pde = (FOREIGN + PAGE) | RW;
	FAILS(EFAULT, HLK_WHY_NOT_RAM, translate(self, va));
	ASSERT_EQ(FOREIGN + PAGE, t_where);
	FAILS(EFAULT, HLK_WHY_NOT_RAM, walk(self, mapping, 4));
	ASSERT_EQ(FOREIGN + PAGE, t_where);
	FAILS(EFAULT, HLK_WHY_NOT_RAM, mark(self, 0));
	ASSERT_EQ(FOREIGN + PAGE, t_where);
	ASSERT_EQ(-EFAULT, compact(self, 0));
	/* what came before it was not marked */
	ASSERT_TRUE(*tvm_pt_entry(&self->pt, self->root, VA) & PTE_W);

	/* one that can be read, but not held for writing */
	t_must(!mprotect(at, PAGE, PROT_READ | PROT_WRITE));
	*(u32 *)at = 0x50000 | RW;
	t_must(!mprotect(at, PAGE, PROT_READ));
	*pde = FOREIGN | RW;
	OK(translate(self, va));
	ASSERT_EQ(-EFAULT, mark(self, 0));
	ASSERT_TRUE(*tvm_pt_entry(&self->pt, self->root, VA) & PTE_W);
	ASSERT_EQ(0x50000 | RW, *(u32 *)at);
}

TEST_F(limits, a_page_that_cannot_be_read)
{
	half_a_memslot(self);
	tvm_pt_map(&self->pt, self->root, 2 * VA, FOREIGN + PAGE, 1, RW);
	FAILS(EFAULT, HLK_WHY_NOT_RAM, compact(self, 0));
	ASSERT_EQ(FOREIGN + PAGE, t_where);
}

/* The roots that a guest published, where there is no memory for them */
TEST_F(limits, no_published_roots)
{
	struct hlk_snapshot s = {};
	struct tvm t;

	tvm_open(&t);
	tvm_attach(&t, 0, 0);
	tvm_window(&t, 0, TVM_LOW, 0);
	/* a window, but no memslot */
	OK(hlk_window_add(t.hlk, TVM_SCRATCH_GPA, TVM_SCRATCH, HLK_WINDOW_SCRATCH));
	tvm_set_paging(&t, TVM_CODE, TABLES, 0);
	s.head.flags = HLK_SNAPSHOT_COMPACT | HLK_SNAPSHOT_GUEST_ROOTS;
	s.input_bytes = BUFFERS;
	s.output_bytes = BUFFERS;
	FAILS(ENODEV, HLK_WHY_NOT_RAM, hlk_snapshot(t.hlk, &s));
	ASSERT_EQ(HLK_GUEST_SCRATCH_TOP - HLK_GUEST_OFF_ROOTS, t_where);
	tvm_close(&t);
}

/*
 * Who has not mapped all of its windows into the guest cannot be compacted by
 * what changed, and is compacted as for the first time.
 */
TEST_F(limits, a_second_time_without_all_windows)
{
	struct hlk_snapshot s = HLK_STRUCT(hlk_snapshot);
	struct tvm_pt pt = { .next = TABLES, .flags = RW };
	struct tvm t;
	int first;
	u32 root;

	tvm_open(&t);
	tvm_attach(&t, 0, 0);
	tvm_window(&t, 0, TVM_LOW, 0);
	tvm_window(&t, TVM_SCRATCH_GPA, TVM_SCRATCH, HLK_WINDOW_SCRATCH);
	OK(hlk_window_add(t.hlk, FOREIGN, PAGE, 0));
	pt.t = &t;
	root = tvm_pt_page(&pt);
	memset(tvm_at(&t, 0x50000), 1, 8 * PAGE);
	tvm_pt_map(&pt, root, VA, 0x50000, 8, RW);
	tvm_set_paging(&t, TVM_CODE, root, 0);
	s.head.flags = HLK_SNAPSHOT_COMPACT;
	s.input_bytes = BUFFERS;
	s.output_bytes = BUFFERS;
	first = OK(hlk_snapshot(t.hlk, &s));
	OK(hlk_restore(t.hlk, first, NULL));
	*tvm_at(&t, 0) = 7;
	close(OK(hlk_snapshot(t.hlk, &s)));
	ASSERT_EQ(0, s.counts.tables_kept);
	ASSERT_LT(0, s.counts.tables_read);
	close(first);
	tvm_close(&t);
}

/* ---- memory that ends ---- */

/* Whatever was looked at before, which is what the next look begins with */
TEST_F(limits, memslots_end_where_they_end)
{
	static const struct {
		u64 gpa;
		bool ram;
	} frames[] = {
		{ TVM_LOW - PAGE, true },
		{ TVM_LOW, false },
		{ TVM_SCRATCH_GPA - PAGE, false },
		{ TVM_SCRATCH_GPA, true },
		{ HLK_GUEST_SCRATCH_TOP - PAGE, true },
		{ HLK_GUEST_SCRATCH_TOP, false },
		{ FOREIGN - PAGE, false },
		{ FOREIGN, true },
		{ FOREIGN + FOREIGN_BYTES - PAGE, true },
		{ FOREIGN + FOREIGN_BYTES, false },
	};
	struct hlk_translate t = {};
	u32 *table, *pd, i, j;

	/* the table lies in one slot after the other, right before its end */
	tvm_ram(&self->t, FOREIGN, FOREIGN_BYTES);
	pd = (u32 *)tvm_at(&self->t, self->root);
	for (i = 0; i < ARRAY_SIZE(frames); i++) {
		if (!frames[i].ram)
			continue;
		table = (u32 *)tvm_at(&self->t, frames[i].gpa);
		pd[2] = frames[i].gpa | RW;
		for (j = 0; j < ARRAY_SIZE(frames); j++) {
			table[j] = frames[j].gpa | RW;
			OK(hlk_translate(self->t.hlk, HLK_ROOT_CR3, 0x800000 + j * PAGE, &t));
			ASSERT_EQ(frames[j].gpa, t.gpa);
			ASSERT_EQ(!frames[j].ram, !!(t.map & HLK_MAP_NOT_RAM)) {
				TH_LOG("%#llx after %#llx", (unsigned long long)frames[j].gpa,
				       (unsigned long long)frames[i].gpa);
			}
		}
		memset(table, 0, PAGE);
	}
}

/* The rest of the memslot is what the process has there, not more of the window. */
TEST_F(limits, a_memslot_of_which_a_window_is_a_part)
{
	u8 *at = mmap(NULL, FOREIGN_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const u64 part = FOREIGN_BYTES / 2;
	struct hlk_translate t = {};
	u64 beyond[] = { part, part + PAGE, FOREIGN_BYTES - PAGE };
	u64 inside[] = { 0, part - PAGE };
	u32 i;
	int snap;

	ASSERT_NE(MAP_FAILED, at);
	/* the first half is mapped, the other half is the process's own */
	OK(hlk_window_add(self->t.hlk, FOREIGN, FOREIGN_BYTES, 0));
	ASSERT_EQ(at, mmap(at, part, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			   self->t.hlk, FOREIGN));
	tvm_memslot(&self->t, FOREIGN, FOREIGN_BYTES, at, 0);
	for (i = 0; i < ARRAY_SIZE(beyond); i++) {
		at[beyond[i]] = 0x50 + i;
		tvm_pt_map(&self->pt, self->root, VA + i * PAGE, FOREIGN + beyond[i], 1, RW);
	}
	for (i = 0; i < ARRAY_SIZE(inside); i++) {
		at[inside[i]] = 0x60 + i;
		tvm_pt_map(&self->pt, self->root, VA + (4 + i) * PAGE, FOREIGN + inside[i], 1,
			   RW);
	}
	snap = OK(compact(self, 0));
	OK(hlk_restore(self->t.hlk, snap, NULL));
	for (i = 0; i < ARRAY_SIZE(beyond); i++) {
		OK(hlk_translate(self->t.hlk, HLK_ROOT_CR3, VA + i * PAGE, &t));
		ASSERT_EQ(0x50 + i, *tvm_at(&self->t, t.gpa));
	}
	for (i = 0; i < ARRAY_SIZE(inside); i++) {
		OK(hlk_translate(self->t.hlk, HLK_ROOT_CR3, VA + (4 + i) * PAGE, &t));
		ASSERT_EQ(0x60 + i, *tvm_at(&self->t, t.gpa));
	}
	close(snap);
}

/* ---- pages in the wrong place ---- */

#define CR4_PSE		0x10

static u64 gpa_after(struct __test_metadata *_metadata, struct tvm *t, u32 flags, u32 va)
{
	struct hlk_snapshot s = HLK_STRUCT(hlk_snapshot);
	struct hlk_translate out = {};
	int snap;

	s.head.flags = HLK_SNAPSHOT_COMPACT | flags;
	s.input_bytes = BUFFERS;
	s.output_bytes = BUFFERS;
	snap = OK(hlk_snapshot(t->hlk, &s));
	OK(hlk_restore(t->hlk, snap, NULL));
	OK(hlk_translate(t->hlk, HLK_ROOT_CR3, va, &out));
	close(snap);
	return out.gpa;
}

/* There a write that the guest may make would be an exit. */
TEST_F(limits, no_writable_page_in_a_read_only_window)
{
	const u64 ram = 0x100000;
	struct tvm t;
	u32 i, root;
	u64 gpa;

	for (i = 0; i < 2; i++) {
		struct tvm_pt pt = { &t, ram + TABLES, RW };

		tvm_open(&t);
		tvm_attach(&t, 0, 0);
		tvm_window(&t, 0, 0x10000, HLK_WINDOW_READONLY);
		tvm_window(&t, ram, TVM_LOW, 0);
		tvm_window(&t, TVM_SCRATCH_GPA, TVM_SCRATCH, HLK_WINDOW_SCRATCH);
		root = tvm_pt_page(&pt);
		*tvm_at(&t, ram) = 1;
		tvm_pt_map(&pt, root, VA, ram, 1, RW);
		tvm_set_paging(&t, VA, root, 0);
		gpa = gpa_after(_metadata, &t, i ? HLK_SNAPSHOT_HOST_COW : 0, VA);
		ASSERT_EQ(i ? ram : 0, gpa);
		tvm_close(&t);
	}
}

TEST_F(limits, four_mib_pages_that_are_not_all_memory)
{
	u32 *pd = (u32 *)tvm_at(&self->t, self->root);
	const u64 beyond = 1ULL << 32;
	struct hlk_snapshot s = HLK_STRUCT(hlk_snapshot);

	tvm_set_paging(&self->t, TVM_CODE, self->root, CR4_PSE);
	s.head.flags = HLK_SNAPSHOT_COMPACT;
	s.input_bytes = BUFFERS;
	s.output_bytes = BUFFERS;

	/* no memory at all: it stays, unless that was an error */
	pd[100] = 0x80000000 | PTE_PS | RW;
	pd[101] = 0x80000000 | PTE_PS | RW;
	close(OK(hlk_snapshot(self->t.hlk, &s)));
	ASSERT_EQ(2, s.counts.leaf_not_ram);
	FAILS(ENODEV, HLK_WHY_LEAF_NOT_RAM, compact(self, HLK_SNAPSHOT_STRICT));
	ASSERT_EQ(100ULL << 22, t_where);
	set_limits("100", "2");
	FAILS(EDQUOT, HLK_WHY_TOO_MANY_TABLES, compact(self, 0));
	set_limits("100", "100");

	/* a page of memory beyond 4 GiB, and a neighbour that no entry can name */
	pd[101] = 0;
	tvm_ram(&self->t, beyond, PAGE);
	pd[100] = 1 << 13 | PTE_PS | RW;
	FAILS(EINVAL, HLK_WHY_PDE_RESERVED, compact(self, 0));
	ASSERT_EQ((100ULL << 22) + PAGE, t_where);

	pd[100] = 1 << 21 | PTE_PS | RW;
	FAILS(EINVAL, HLK_WHY_PDE_RESERVED, compact(self, 0));
	ASSERT_EQ(100ULL << 22, t_where);
	pd[100] = 0;
	close(OK(compact(self, 0)));
}

/* A directory that is none of the roots is not among the tables that are made. */
TEST_F(limits, a_vcpu_in_none_of_the_roots)
{
	struct hlk_snapshot s = HLK_STRUCT(hlk_snapshot);
	u64 root = tvm_pt_page(&self->pt);
	int snap;

	tvm_pt_map(&self->pt, root, VA, 0x50000, 1, RW);
	s.head.flags = HLK_SNAPSHOT_COMPACT;
	s.input_bytes = BUFFERS;
	s.output_bytes = BUFFERS;
	s.roots = (uintptr_t)&root;
	s.nr_roots = 1;
	snap = OK(hlk_snapshot(self->t.hlk, &s));
	OK(hlk_restore(self->t.hlk, snap, NULL));
	/* in the first of them, then */
	ASSERT_EQ(3, s.counts.tables);	/* one of them maps scratch */
	OK(translate(self, VA));
	root = 1ULL << 32;
	FAILS(EINVAL, HLK_WHY_GPA_RANGE, hlk_snapshot(self->t.hlk, &s));
	close(snap);
}

/* The slot in which scratch begins: other mappings below it, and their rights */
TEST_F(limits, what_shares_a_slot_with_scratch)
{
	u32 *pd = (u32 *)tvm_at(&self->t, self->root);
	struct hlk_translate t = {};
	const u32 va = 1023U << 22;

	/* a directory entry that denies writes and users */
	tvm_pt_map(&self->pt, self->root, va, 0x50000, 2, RW | PTE_U);
	pd[1023] &= ~(PTE_W | PTE_U);
	ASSERT_NE(~0ULL, gpa_after(_metadata, &self->t, 0, va));
	OK(hlk_translate(self->t.hlk, HLK_ROOT_CR3, va, &t));
	ASSERT_EQ(0, t.map & (HLK_MAP_WRITE | HLK_MAP_USER | HLK_MAP_COW));
	ASSERT_TRUE(t.entry[1] & PTE_W);
}

TEST_F(limits, a_four_mib_page_of_which_scratch_hides_the_end)
{
	u32 *pd = (u32 *)tvm_at(&self->t, self->root);
	struct hlk_translate t = {};
	const u32 va = 1023U << 22;

	pd[1023] = PTE_PS | RW;
	tvm_set_paging(&self->t, TVM_CODE, self->root, CR4_PSE);
	ASSERT_NE(~0ULL, gpa_after(_metadata, &self->t, 0, va + 0x90000));
	OK(hlk_translate(self->t.hlk, HLK_ROOT_CR3, va + 0x90000, &t));
	ASSERT_EQ(12, t.page_shift);
	ASSERT_TRUE(t.map & HLK_MAP_COW);
}

/* I/O buffers stay where they are, wherever else they are mapped. */
TEST_F(limits, a_buffer_that_is_mapped_elsewhere)
{
	tvm_pt_map(&self->pt, self->root, 2 * VA, TVM_SCRATCH_GPA, 2, RW);
	ASSERT_EQ(TVM_SCRATCH_GPA, gpa_after(_metadata, &self->t, 0, 2 * VA));
}

/* ---- the second time ---- */

TEST_F(limits, other_buffers_the_second_time)
{
	struct hlk_snapshot s = HLK_STRUCT(hlk_snapshot);
	int snap = OK(compact(self, 0));

	OK(hlk_restore(self->t.hlk, snap, NULL));
	s.head.flags = HLK_SNAPSHOT_COMPACT;
	s.input_bytes = BUFFERS;
	s.output_bytes = 2 * BUFFERS;
	FAILS(EINVAL, HLK_WHY_IO_BUFFERS, hlk_snapshot(self->t.hlk, &s));
	ASSERT_EQ(2 * BUFFERS, t_where);
	close(snap);
}

/* Rights change, pages of zeroes go: a delta knows both. */
TEST_F(limits, other_rights_the_second_time)
{
	struct hlk_snapshot s = HLK_STRUCT(hlk_snapshot);
	struct hlk_translate t = {};
	int first, second;
	u32 *pte;

	memset(tvm_at(&self->t, 0x50000), 1, 4 * PAGE);
	first = OK(compact(self, 0));
	OK(hlk_restore(self->t.hlk, first, NULL));
	OK(hlk_translate(self->t.hlk, HLK_ROOT_CR3, VA, &t));
	pte = (u32 *)tvm_at(&self->t, t.entry[1] & ~4095U) + (VA >> 12) % 1024;
	pte[0] = (pte[0] & ~PTE_COW) | PTE_U;	/* read-only now */
	pte[1] |= PTE_W;
	pte[5] = 0;				/* a page of zeroes */
	pte[6] = 0xabcdef00;
	s.head.flags = HLK_SNAPSHOT_COMPACT;
	s.input_bytes = BUFFERS;
	s.output_bytes = BUFFERS;
	second = OK(hlk_snapshot(self->t.hlk, &s));
	ASSERT_EQ(1, s.counts.tables_read);
	ASSERT_EQ(2, s.counts.zero);
	OK(hlk_restore_flags(self->t.hlk, second, HLK_RESTORE_AUDIT, NULL));
	OK(hlk_translate(self->t.hlk, HLK_ROOT_CR3, VA, &t));
	ASSERT_EQ(0, t.map & (HLK_MAP_WRITE | HLK_MAP_COW));
	ASSERT_TRUE(t.entry[0] & PTE_U);
	ASSERT_EQ(1, *tvm_at(&self->t, t.gpa));
	OK(hlk_translate(self->t.hlk, HLK_ROOT_CR3, VA + PAGE, &t));
	ASSERT_EQ(HLK_MAP_COW, t.map & (HLK_MAP_WRITE | HLK_MAP_COW));
	FAILS(ENXIO, HLK_WHY_NOT_PRESENT,
	      hlk_translate(self->t.hlk, HLK_ROOT_CR3, VA + 5 * PAGE, &t));
	close(first);
	close(second);
}

/* ---- parts ---- */

/* A part of a table that another root maps too */
TEST_F(limits, a_part_of_an_alias)
{
	u64 roots[2] = { self->root, tvm_pt_page(&self->pt) };
	struct hlk_walk w = HLK_STRUCT(hlk_walk);
	struct hlk_mapping mapping[4];

	((u32 *)tvm_at(&self->t, roots[1]))[VA >> 22] =
		((u32 *)tvm_at(&self->t, roots[0]))[VA >> 22];
	w.roots = (uintptr_t)roots;
	w.nr_roots = 2;
	w.start = VA + 2 * PAGE;
	w.end = VA + 5 * PAGE;
	w.mappings = (uintptr_t)mapping;
	w.mapping_size = sizeof(struct hlk_mapping);
	w.nr_mappings = ARRAY_SIZE(mapping);
	OK(hlk_call(self->t.hlk, HLK_WALK, &w));
	ASSERT_EQ(2, w.nr_mappings);
	ASSERT_EQ(0x52000, mapping[0].gpa);
	ASSERT_EQ(3, mapping[0].pages);
	ASSERT_TRUE(mapping[1].map & HLK_MAP_ALIAS);
	ASSERT_EQ(1, mapping[1].root);
	ASSERT_EQ(VA + 2 * PAGE, mapping[1].va);
	ASSERT_EQ(3, mapping[1].pages);
	ASSERT_EQ(0, mapping[1].alias_root);
	ASSERT_EQ(VA, mapping[1].alias_va);
}

TEST_F(limits, no_budget_to_mark)
{
	struct tvm_pt pt = { .next = TABLES, .flags = RW };
	struct hlk_mark_cow m = HLK_STRUCT(hlk_mark_cow);
	struct tvm t;
	int snap;
	u32 root;

	tvm_open(&t);
	tvm_attach(&t, 20, 2);
	tvm_window(&t, 0, TVM_LOW, 0);
	pt.t = &t;
	root = tvm_pt_page(&pt);
	tvm_pt_map(&pt, root, VA, 0x50000, 8, RW);
	tvm_set_paging(&t, TVM_CODE, root, 0);
	snap = OK(hlk_snapshot_flat(t.hlk));
	tvm_close(&t);

	/* the tables are shared here, and to write them takes private pages */
	tvm_open(&t);
	tvm_attach(&t, 1, 0);
	tvm_window(&t, 0, TVM_LOW, 0);
	tvm_set_paging(&t, TVM_CODE, root, 0);
	OK(hlk_restore(t.hlk, snap, NULL));
	*tvm_at(&t, 0x90000) = 1;
	FAILS(EDQUOT, HLK_WHY_BUDGET, hlk_call(t.hlk, HLK_MARK_COW, &m));
	OK(hlk_restore_flags(t.hlk, -1, HLK_RESTORE_AUDIT, NULL));
	close(snap);
	tvm_close(&t);
}

/* An image's vCPU has an FPU after reset, and an audit knows what that is. */
TEST_F(limits, an_image_with_a_vcpu_stands_an_audit)
{
	struct hlk_snapshot_build b = HLK_STRUCT(hlk_snapshot_build);
	struct hlk_window windows[] = {
		{ .bytes = TVM_LOW },
		{ .gpa = TVM_SCRATCH_GPA, .bytes = TVM_SCRATCH,
		  .flags = HLK_WINDOW_SCRATCH },
	};
	struct kvm_sync_regs regs;

	tvm_flat(&regs, TVM_CODE, TVM_STACK);
	b.window_size = sizeof(struct hlk_window);
	b.nr_windows = ARRAY_SIZE(windows);
	b.windows = (uintptr_t)windows;
	b.nr_vcpus = 1;
	b.vcpu_size = sizeof(regs);
	b.vcpus = (uintptr_t)&regs;
	OK(hlk_call(self->t.dev, HLK_SNAPSHOT_BUILD, &b));
	OK(hlk_restore_flags(self->t.hlk, b.out_fd, HLK_RESTORE_AUDIT, NULL));
	close(b.out_fd);
}

/* ---- values ---- */

TEST_F(limits, values_out_of_range)
{
	struct hlk_mark_cow m = HLK_STRUCT(hlk_mark_cow);
	struct hlk_walk w = HLK_STRUCT(hlk_walk);
	struct hlk_prefault p = HLK_STRUCT(hlk_prefault);
	u64 root = 1ULL << 32;
	struct hlk_translate t = {};
	struct hlk_info info;
	int snap;

	OK(hlk_info(self->t.dev, &info));
	FAILS(EINVAL, HLK_WHY_GPA_RANGE, translate(self, 1ULL << 32));
	FAILS(EINVAL, HLK_WHY_GPA_RANGE, hlk_translate(self->t.hlk, root, VA, &t));
	FAILS(EINVAL, HLK_WHY_NO_SNAPSHOT, hlk_call(self->t.hlk, HLK_PREFAULT, &p));
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, snap, NULL));
	*tvm_at(&self->t, 0x90000) = 1;
	p.runs = 1;
	p.run_size = sizeof(struct hlk_touched);
	p.nr_runs = 1;
	FAILS(EFAULT, HLK_WHY_NONE, hlk_call(self->t.hlk, HLK_PREFAULT, &p));
	close(snap);

#define WALK(errno_, why, change)						\
	do {									\
		w = (struct hlk_walk)HLK_STRUCT(hlk_walk);			\
		w.mapping_size = sizeof(struct hlk_mapping);				\
		w.nr_mappings = 1;						\
		change;								\
		FAILS(errno_, why, hlk_call(self->t.hlk, HLK_WALK, &w));	\
	} while (0)
	WALK(EINVAL, HLK_WHY_GPA_ALIGN, w.start = 1);
	WALK(EINVAL, HLK_WHY_GPA_ALIGN, w.end = PAGE + 1);
	WALK(EINVAL, HLK_WHY_GPA_ALIGN, w.cursor = 1);
	WALK(EINVAL, HLK_WHY_GPA_RANGE, (w.start = PAGE, w.end = PAGE));
	WALK(EINVAL, HLK_WHY_GPA_RANGE, w.end = (1ULL << 32) + PAGE);
	WALK(EINVAL, HLK_WHY_GPA_RANGE, w.start = 1ULL << 32);
	WALK(E2BIG, HLK_WHY_TOO_MANY_ROOTS, w.nr_roots = info.max_roots + 1);
	WALK(EMSGSIZE, HLK_WHY_NONE, w.nr_mappings = 0);
	WALK(EFAULT, HLK_WHY_NONE, (w.nr_roots = 1, w.roots = 1));
	WALK(EINVAL, HLK_WHY_GPA_RANGE,
	     (w.nr_roots = 1, w.roots = (uintptr_t)&root));

#define MARK(errno_, why, change)						\
	do {									\
		m = (struct hlk_mark_cow)HLK_STRUCT(hlk_mark_cow);		\
		change;								\
		FAILS(errno_, why, hlk_call(self->t.hlk, HLK_MARK_COW, &m));	\
	} while (0)
	MARK(EINVAL, HLK_WHY_GPA_ALIGN, m.start = 1);
	MARK(EINVAL, HLK_WHY_GPA_RANGE, (m.start = 2 * PAGE, m.end = PAGE));
	MARK(E2BIG, HLK_WHY_TOO_MANY_ROOTS, m.nr_roots = info.max_roots + 1);
	MARK(EOPNOTSUPP, HLK_WHY_RESERVED, m.__reserved = 1);
	MARK(EFAULT, HLK_WHY_NONE, (m.nr_roots = 1, m.roots = 1));
	MARK(EINVAL, HLK_WHY_GPA_RANGE,
	     (m.nr_roots = 1, m.roots = (uintptr_t)&root));
}

TEST_HARNESS_MAIN
