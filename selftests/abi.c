// SPDX-License-Identifier: GPL-2.0-only
/*
 * The contract of every ioctl, from one list: sizes, tails, flags, numbers,
 * files and pointers. Also built for 32 bits.
 */
#include <dirent.h>

#include "hlk_test.h"
#include "harness.h"

GUEST(halt, "	hlt\n");

#define ROOT	0x30000
#define TABLE	0x31000

enum kind { DEV, VM, SNAP, NR_KINDS };

FIXTURE(abi) {
	struct tvm t;
	int fd[NR_KINDS];
	struct hlk_window window[8];
	struct hlk_mapping mapping[8];
	u64 roots[8];
	struct hlk_touched touched[64];
	struct hlk_many_call call;
	struct hlk_extent extent[8];
	struct hlk_vcpu_image vcpu;
	u8 fpu[16384];
	int fresh;	/* a VM for HLK_WINDOW_ADD */
	u8 *page;	/* with a hole behind it */
};

typedef FIXTURE_DATA(abi) fixture;

FIXTURE_SETUP(abi)
{
	t_begin();
	tvm_open(&self->t);
	tvm_attach(&self->t, 0, 0);
	tvm_window(&self->t, 0, TVM_LOW, 0);
	tvm_set(&self->t, TVM_CODE);
	tvm_load(&self->t, TVM_CODE, halt);
	*(u32 *)tvm_at(&self->t, ROOT) = TABLE | PTE_P | PTE_W;
	*(u32 *)tvm_at(&self->t, TABLE) = 0x1000 | PTE_P;
	((u32 *)tvm_at(&self->t, TABLE))[2] = 0x1000 | PTE_P;
	self->fd[DEV] = self->t.dev;
	self->fd[VM] = self->t.hlk;
	self->page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->page);
	munmap(self->page + PAGE, PAGE);
}

/* Made when it is needed */
static int snapshot(fixture *self)
{
	if (!self->fd[SNAP])
		self->fd[SNAP] = hlk_snapshot_flat(self->t.hlk);
	t_must(self->fd[SNAP] >= 0);
	return self->fd[SNAP];
}

FIXTURE_TEARDOWN(abi)
{
	if (self->fd[SNAP])
		close(self->fd[SNAP]);
	if (self->fresh)
		close(self->fresh);
	munmap(self->page, PAGE);
	tvm_close(&self->t);
	EXPECT_EQ(0, t_end());
}

/* ---- the list ---- */

static void fill_none(fixture *self, void *arg)
{
}

static void fill_attach(fixture *self, void *arg)
{
	struct hlk_vm_attach *attach = arg;

	attach->vm_fd = self->t.vm;
}

static void fill_build(fixture *self, void *arg)
{
	struct hlk_snapshot_build *build = arg;

	self->window[0] = (struct hlk_window){ .bytes = TVM_LOW };
	build->window_size = sizeof(struct hlk_window);
	build->nr_windows = 1;
	build->windows = (uintptr_t)self->window;
}

static void fill_import(fixture *self, void *arg)
{
	struct hlk_snapshot_import *import = arg;

	self->window[0] = (struct hlk_window){ .bytes = TVM_LOW };
	import->parent_fd = -1;
	import->window_size = sizeof(struct hlk_window);
	import->nr_windows = 1;
	import->windows = (uintptr_t)self->window;
}

static void fill_many(fixture *self, void *arg)
{
	struct hlk_run_many *many = arg;

	self->call.vm_fd = self->t.hlk;
	many->calls = (uintptr_t)&self->call;
	many->nr_calls = 1;
	many->call_size = sizeof(self->call);
}

static void fill_window(fixture *self, void *arg)
{
	struct hlk_window_add *add = arg;

	/* Each call needs a window of its own, and a VM has few. */
	if (self->fresh)
		close(self->fresh);
	self->fresh = hlk_attach(self->t.dev, self->t.vm, 0, 0);
	t_must(self->fresh >= 0);
	add->window.bytes = PAGE;
}

static void fill_restore(fixture *self, void *arg)
{
	struct hlk_restore *restore = arg;

	restore->snapshot_fd = snapshot(self);
}

static void fill_translate(fixture *self, void *arg)
{
	struct hlk_translate *translate = arg;

	translate->paging.flags = HLK_PAGING_GIVEN;
	translate->root = ROOT;
}

static void fill_walk(fixture *self, void *arg)
{
	struct hlk_walk *walk = arg;

	walk->paging.flags = HLK_PAGING_GIVEN;
	self->roots[0] = ROOT;
	walk->roots = (uintptr_t)self->roots;
	walk->nr_roots = 1;
	walk->mappings = (uintptr_t)self->mapping;
	walk->mapping_size = sizeof(struct hlk_mapping);
	walk->nr_mappings = ARRAY_SIZE(self->mapping);
}

static void fill_read(fixture *self, void *arg)
{
	struct hlk_read *read = arg;

	read->data = (uintptr_t)self->mapping;
	read->bytes = sizeof(self->mapping);
}

static void fill_snapshot_info(fixture *self, void *arg)
{
	struct hlk_snapshot_info *info = arg;

	snapshot(self);
	info->windows = (uintptr_t)self->window;
	info->window_size = sizeof(struct hlk_window);
	info->nr_windows = ARRAY_SIZE(self->window);
}

static void fill_export(fixture *self, void *arg)
{
	struct hlk_snapshot_export *x = arg;

	snapshot(self);
	self->vcpu.regs = (uintptr_t)&self->t.run->s.regs;
	self->vcpu.regs_bytes = sizeof(self->t.run->s.regs);
	self->vcpu.fpu = (uintptr_t)self->fpu;
	self->vcpu.fpu_bytes = sizeof(self->fpu);
	x->vcpus = (uintptr_t)&self->vcpu;
	x->nr_vcpus = 1;
	x->vcpu_size = sizeof(self->vcpu);
	x->touched = (uintptr_t)self->touched;
	x->nr_touched = ARRAY_SIZE(self->touched);
	x->touched_size = sizeof(self->touched[0]);
}

static void fill_pages(fixture *self, void *arg)
{
	struct hlk_snapshot_pages *p = arg;

	snapshot(self);
	p->other_fd = -1;
	p->extents = (uintptr_t)self->extent;
	p->nr_extents = ARRAY_SIZE(self->extent);
	p->extent_size = sizeof(self->extent[0]);
}

static void fill_mark_cow(fixture *self, void *arg)
{
	struct hlk_mark_cow *mark = arg;

	mark->paging.flags = HLK_PAGING_GIVEN;
	self->roots[0] = ROOT;
	mark->roots = (uintptr_t)self->roots;
	mark->nr_roots = 1;
}

/* Each run needs a snapshot to go back to. */
static void fill_run(fixture *self, void *arg)
{
	struct hlk_run *run = arg;

	t_must(!hlk_restore(self->t.hlk, snapshot(self), NULL));
	run->vcpu_fd = self->t.vcpu;
	run->regs = (uintptr_t)&self->t.run->s.regs.regs;
}

static void fill_prefault(fixture *self, void *arg)
{
	struct hlk_prefault *prefault = arg;

	t_must(!hlk_restore(self->t.hlk, snapshot(self), NULL));
	prefault->runs = (uintptr_t)self->touched;
	prefault->run_size = sizeof(struct hlk_touched);
	prefault->nr_runs = ARRAY_SIZE(self->touched);
}

#define SNAPSHOT_FLAGS (HLK_SNAPSHOT_COMPACT | HLK_SNAPSHOT_GUEST_ROOTS | \
			HLK_SNAPSHOT_HOST_COW | HLK_SNAPSHOT_STRICT | \
			HLK_SNAPSHOT_DEDUP)

/*
 * @min: the size of the first version, which never changes. @fd_at: where the fd
 * of a new object is, or 0
 */
static const struct call {
	const char *name;
	enum kind kind;
	unsigned long cmd;
	u32 size;
	u32 min;
	u32 flags;
	u32 fd_at;
	void (*fill)(fixture *self, void *arg);
} calls[] = {
#define CALL(kind, cmd, type, min, flags, fd_at, fill) \
	{ #cmd, kind, cmd, sizeof(struct type), min, flags, fd_at, fill }
	CALL(DEV, HLK_INFO, hlk_info, 112, 0, 0, fill_none),
	CALL(DEV, HLK_VM_ATTACH, hlk_vm_attach, 48, HLK_ATTACH_INSPECT | HLK_ATTACH_IBPB,
	     offsetof(struct hlk_vm_attach, out_fd), fill_attach),
	CALL(DEV, HLK_SNAPSHOT_BUILD, hlk_snapshot_build, 80, 0,
	     offsetof(struct hlk_snapshot_build, out_fd), fill_build),
	CALL(DEV, HLK_RUN_MANY, hlk_run_many, 48, HLK_RUN_MANY_STOP, 0, fill_many),
	CALL(DEV, HLK_SNAPSHOT_IMPORT, hlk_snapshot_import, 376, 0,
	     offsetof(struct hlk_snapshot_import, out_fd), fill_import),
	CALL(VM, HLK_WINDOW_ADD, hlk_window_add, 72, 0, 0, fill_window),
	CALL(VM, HLK_SNAPSHOT, hlk_snapshot, 240, SNAPSHOT_FLAGS,
	     offsetof(struct hlk_snapshot, out_fd), fill_none),
	CALL(VM, HLK_RESTORE, hlk_restore, 64,
	     HLK_RESTORE_REPRODUCIBLE | HLK_RESTORE_AUDIT | HLK_RESTORE_TIME_BACK |
	     HLK_RESTORE_LEARN, 0,
	     fill_restore),
	CALL(VM, HLK_TRANSLATE, hlk_translate, 160, 0, 0, fill_translate),
	CALL(VM, HLK_WALK, hlk_walk, 152, 0, 0, fill_walk),
	CALL(VM, HLK_READ, hlk_read, 56, 0, 0, fill_read),
	CALL(VM, HLK_VM_STATS, hlk_vm_stats, 144, 0, 0, fill_none),
	CALL(VM, HLK_MARK_COW, hlk_mark_cow, 168, 0, 0, fill_mark_cow),
	CALL(VM, HLK_RUN, hlk_run, 120,
	     HLK_RESTORE_REPRODUCIBLE | HLK_RESTORE_TIME_BACK | HLK_RESTORE_LEARN |
	     HLK_RUN_CONTINUE | HLK_RUN_REGS | HLK_RUN_SIZED | HLK_RUN_LEAD |
	     HLK_RUN_FOLLOW, 0, fill_run),
	CALL(VM, HLK_KICK, hlk_kick, 32, HLK_KICK_ALL, 0, fill_none),
	CALL(VM, HLK_PREFAULT, hlk_prefault, 48, 0, 0, fill_prefault),
	CALL(SNAP, HLK_SNAPSHOT_INFO, hlk_snapshot_info, 280, 0, 0,
	     fill_snapshot_info),
	CALL(SNAP, HLK_SNAPSHOT_EXPORT, hlk_snapshot_export, 80, 0, 0, fill_export),
	CALL(SNAP, HLK_SNAPSHOT_PAGES, hlk_snapshot_pages, 56, 0, 0, fill_pages),
};

#define FOR_EACH_CALL(c)						\
	for (const struct call *c = calls; c < calls + ARRAY_SIZE(calls); c++)

static int fd_of(fixture *self, const struct call *c)
{
	return c->cmd == HLK_WINDOW_ADD ? self->fresh : self->fd[c->kind];
}

static long do_call(fixture *self, const struct call *c, void *arg)
{
	long ret = hlk_call(fd_of(self, c), c->cmd, arg);

	if (!ret && c->fd_at)
		close(*(int *)((u8 *)arg + c->fd_at));
	return ret;
}

static struct hlk_head *prepare(fixture *self, const struct call *c,
				void *arg, u32 size)
{
	struct hlk_head *head = arg;

	memset(arg, 0, size);
	c->fill(self, arg);
	head->size = size;
	return head;
}

static int open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int nr = 0;

	while (readdir(dir))
		nr++;
	closedir(dir);
	return nr;
}

/* ---- what holds for each ---- */

TEST_F(abi, every_call_works)
{
	u8 buffer[512];

	FOR_EACH_CALL(c) {
		struct hlk_head *head = prepare(self, c, buffer, c->size);

		head->why = 77;
		head->index = 77;
		head->where = 77;
		ASSERT_EQ(0, do_call(self, c, buffer)) {
			TH_LOG("%s: why %u", c->name, t_why);
		}
		ASSERT_EQ(c->size, head->size);
		ASSERT_EQ(0, head->why);
		ASSERT_EQ(0, head->index);
		ASSERT_EQ(0, head->where);
	}
}

TEST_F(abi, a_short_struct_is_refused)
{
	u8 buffer[512];
	u32 size, i;

	FOR_EACH_CALL(c) {
		for (size = sizeof(struct hlk_head); size < c->min; size++) {
			struct hlk_head *head = prepare(self, c, buffer, c->size);

			head->size = size;
			FAILS(EINVAL, HLK_WHY_SIZE, do_call(self, c, buffer));
			ASSERT_EQ(c->min, t_where);
			ASSERT_EQ(size, head->size);
		}
		/* without room for a head nothing is written */
		for (size = 0; size < sizeof(struct hlk_head); size++) {
			memset(buffer, 0xaa, sizeof(buffer));
			memcpy(buffer, &size, sizeof(size));
			ASSERT_EQ(-EINVAL, do_call(self, c, buffer));
			for (i = 4; i < sizeof(buffer); i++)
				ASSERT_EQ(0xaa, buffer[i]);
		}
	}
}

TEST_F(abi, a_longer_struct_is_taken_if_its_tail_is_zero)
{
	u8 exact[512], longer[512], *at;
	u32 tail, i;

	FOR_EACH_CALL(c) {
		for (tail = 1; tail < 100; tail += 33) {
			prepare(self, c, exact, c->size);
			ASSERT_EQ(0, do_call(self, c, exact)) {
				TH_LOG("%s: why %u", c->name, t_why);
			}
			memset(longer, 0xaa, sizeof(longer));
			prepare(self, c, longer, c->size + tail);
			ASSERT_EQ(0, do_call(self, c, longer)) {
				TH_LOG("%s: why %u", c->name, t_why);
			}
			/* the tail and what lies behind it stay as they were */
			at = longer + c->size;
			for (i = 0; i < tail; i++)
				ASSERT_EQ(0, *at++);
			for (; at < longer + sizeof(longer); at++)
				ASSERT_EQ(0xaa, *at);
			ASSERT_EQ(c->size + tail, *(u32 *)longer);
		}
		for (i = 0; i < 64; i++) {
			prepare(self, c, longer, c->size + 64);
			longer[c->size + i] = 1;
			FAILS(E2BIG, HLK_WHY_TAIL, do_call(self, c, longer));
			ASSERT_EQ(c->size, t_where);
		}
	}
}

/* So that no call looks for long whether a tail is zero */
TEST_F(abi, a_struct_larger_than_a_page_is_refused)
{
	u8 *buffer = calloc(2, HLK_MAX_STRUCT);

	ASSERT_EQ(4096, HLK_MAX_STRUCT);
	FOR_EACH_CALL(c) {
		prepare(self, c, buffer, HLK_MAX_STRUCT);
		OK(do_call(self, c, buffer));
		prepare(self, c, buffer, HLK_MAX_STRUCT + 1);
		FAILS(E2BIG, HLK_WHY_SIZE, do_call(self, c, buffer));
		ASSERT_EQ(HLK_MAX_STRUCT, t_where);
		*(u32 *)buffer = ~0;
		FAILS(E2BIG, HLK_WHY_SIZE, do_call(self, c, buffer));
		ASSERT_EQ(~0U, *(u32 *)buffer);
	}
	free(buffer);
}

TEST_F(abi, unknown_flags_are_refused)
{
	struct hlk_head *head;
	u8 buffer[512];
	u32 bit;

	FOR_EACH_CALL(c) {
		for (bit = 1; bit; bit <<= 1) {
			if (bit & c->flags)
				continue;
			head = prepare(self, c, buffer, c->size);
			head->flags = bit;
			FAILS(EOPNOTSUPP, HLK_WHY_FLAGS, do_call(self, c, buffer));
			ASSERT_EQ(c->flags, t_where);
			head->flags = c->flags | bit;
			FAILS(EOPNOTSUPP, HLK_WHY_FLAGS, do_call(self, c, buffer));
		}
	}
}

TEST_F(abi, numbers_belong_to_one_kind_of_fd)
{
	u8 buffer[512] = {};
	enum kind kind;
	u32 nr;

	snapshot(self);
	for (kind = 0; kind < NR_KINDS; kind++) {
		for (nr = 0; nr < 256; nr++) {
			bool known = false;

			FOR_EACH_CALL(c)
				known |= c->kind == kind &&
					 c->cmd == _IO(HLK_IOC_TYPE, nr);
			if (known)
				continue;
			ASSERT_EQ(-ENOTTY, hlk_call(self->fd[kind],
						    _IO(HLK_IOC_TYPE, nr), buffer)) {
				TH_LOG("kind %u nr %u", kind, nr);
			}
		}
		/* right number, wrong direction, size or type */
		FOR_EACH_CALL(c) {
			nr = _IOC_NR(c->cmd);
			ASSERT_EQ(-ENOTTY, hlk_call(self->fd[kind],
						    _IOR(HLK_IOC_TYPE, nr, int), buffer));
			ASSERT_EQ(-ENOTTY, hlk_call(self->fd[kind],
						    _IOC(_IOC_NONE, HLK_IOC_TYPE, nr, 8),
						    buffer));
			ASSERT_EQ(-ENOTTY, hlk_call(self->fd[kind],
						    _IO(HLK_IOC_TYPE + 1, nr), buffer));
		}
	}
}

TEST_F(abi, bad_pointers)
{
	void *bad[] = { NULL, (void *)8, (void *)-4096L, (void *)-8L,
			self->page + PAGE, self->page + PAGE - 2 };
	int before;
	u8 *at;
	u32 i;

	FOR_EACH_CALL(c) {
		prepare(self, c, self->page, c->size);
		before = open_fds();
		for (i = 0; i < ARRAY_SIZE(bad); i++)
			FAILS_ERRNO(EFAULT, ioctl(fd_of(self, c), c->cmd, bad[i]));

		/* cut off by the end of the mapping, at each place */
		for (i = 4; i < c->size; i += 4) {
			at = self->page + PAGE - i;
			memset(at, 0, i);
			*(u32 *)at = c->size;
			FAILS_ERRNO(EFAULT, ioctl(fd_of(self, c), c->cmd, at));
		}
		ASSERT_EQ(before, open_fds());
	}
}

/*
 * The reply cannot be written, or not all of it: no fd may be left behind, nor
 * an object. @rw: how much of the struct is in memory that can be written.
 */
static void reply_cut(struct __test_metadata *_metadata, fixture *self,
		      u32 rw)
{
	struct hlk_info info, after;
	int before;
	u8 *pages;
	u8 *at;

	pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, pages);
	at = pages + PAGE - rw;
	FOR_EACH_CALL(c) {
		prepare(self, c, at, c->size);
		ASSERT_EQ(0, mprotect(pages + PAGE, PAGE, PROT_READ));
		OK(hlk_info(self->t.dev, &info));
		before = open_fds();
		FAILS_ERRNO(EFAULT, ioctl(fd_of(self, c), c->cmd, at));
		ASSERT_EQ(before, open_fds());
		OK(hlk_info(self->t.dev, &after));
		ASSERT_EQ(info.live_vms, after.live_vms);
		ASSERT_EQ(info.live_snapshots, after.live_snapshots);
		ASSERT_EQ(0, mprotect(pages + PAGE, PAGE, PROT_READ | PROT_WRITE));
	}
	munmap(pages, 2 * PAGE);
}

TEST_F(abi, a_reply_that_cannot_be_written)
{
	reply_cut(_metadata, self, 0);
}

TEST_F(abi, a_reply_of_which_only_the_head_can_be_written)
{
	reply_cut(_metadata, self, sizeof(struct hlk_head));
}

/* ---- what holds for some ---- */

/* ---- arrays of structs ---- */

#define ELEMENTS	3

/*
 * @first: size of the first version; @known: of today's. @out: the module writes
 * it. The others are where the struct of the call says what.
 */
static const struct array {
	const char *name;
	unsigned long cmd;
	u32 first;
	u32 known;
	bool out;
	u32 why;
	u32 pointer;
	u32 nr;
	u32 size;
} arrays[] = {
#define ARRAY(cmd, type, field, nr, size, element, first, out, why) \
	{ #cmd " " #field, cmd, first, sizeof(struct element), out, why, \
	  offsetof(struct type, field), offsetof(struct type, nr), \
	  offsetof(struct type, size) }
	ARRAY(HLK_SNAPSHOT_BUILD, hlk_snapshot_build, windows, nr_windows, window_size,
	      hlk_window, 48, false, HLK_WHY_ELEMENT_SIZE),
	ARRAY(HLK_SNAPSHOT_BUILD, hlk_snapshot_build, segments, nr_segments,
	      segment_size, hlk_segment, 24, false, HLK_WHY_ELEMENT_SIZE),
	ARRAY(HLK_SNAPSHOT_BUILD, hlk_snapshot_build, vcpus, nr_vcpus, vcpu_size,
	      kvm_sync_regs, 520, false, HLK_WHY_VCPU_SIZE),
	ARRAY(HLK_RUN, hlk_run, inputs, nr_inputs, input_size, hlk_segment, 24, false,
	      HLK_WHY_ELEMENT_SIZE),
	ARRAY(HLK_RUN, hlk_run, calls, nr_calls, call_size, hlk_run_call, 64, false,
	      HLK_WHY_ELEMENT_SIZE),
	ARRAY(HLK_WALK, hlk_walk, mappings, nr_mappings, mapping_size, hlk_mapping, 56,
	      true, HLK_WHY_ELEMENT_SIZE),
	ARRAY(HLK_PREFAULT, hlk_prefault, runs, nr_runs, run_size, hlk_touched, 24,
	      true, HLK_WHY_ELEMENT_SIZE),
	ARRAY(HLK_SNAPSHOT_IMPORT, hlk_snapshot_import, windows, nr_windows, window_size,
	      hlk_window, 48, false, HLK_WHY_ELEMENT_SIZE),
	ARRAY(HLK_SNAPSHOT_INFO, hlk_snapshot_info, windows, nr_windows, window_size,
	      hlk_window, 48, true, HLK_WHY_ELEMENT_SIZE),
};

#define FOR_EACH_ARRAY(a)						\
	for (const struct array *a = arrays; a < arrays + ARRAY_SIZE(arrays); a++)

static const struct call *call_of(const struct array *a)
{
	FOR_EACH_CALL(c)
		if (c->cmd == a->cmd)
			return c;
	return NULL;
}

/*
 * A call with an array at @at, of which an element has @size bytes. Elements of
 * zeroes are good, but for windows.
 */
static long array_call(fixture *self, const struct array *a, u8 *at, u32 nr,
		       u32 size, u8 *arg)
{
	const struct call *c = call_of(a);
	struct hlk_window *window;
	u32 i;

	prepare(self, c, arg, c->size);
	for (i = 0; i < nr && !a->out && a->known == sizeof(*window); i++) {
		window = (void *)(at + i * size);
		window->gpa = i << 20;
		window->bytes = PAGE;
	}
	for (i = 0; a->cmd == HLK_PREFAULT && i < 2; i++)
		*(volatile u8 *)tvm_at(&self->t, TVM_DATA + (5 + 2 * i) * PAGE) = 1;
	*(u64 *)(arg + a->pointer) = (uintptr_t)at;
	*(u32 *)(arg + a->nr) = nr;
	*(u32 *)(arg + a->size) = size;
	return do_call(self, c, arg);
}

TEST_F(abi, elements_of_a_bad_size)
{
	u8 *at = calloc(ELEMENTS + 1, HLK_MAX_STRUCT);
	u8 arg[512];
	u32 size;

	FOR_EACH_ARRAY(a) {
		for (size = 0; size < a->first; size++) {
			memset(at, 0, ELEMENTS * HLK_MAX_STRUCT);
			FAILS(EINVAL, a->why, array_call(self, a, at, 1, size, arg));
			ASSERT_EQ(size, t_index);
			ASSERT_EQ(a->first, t_where);
		}
		memset(at, 0, ELEMENTS * HLK_MAX_STRUCT);
		ASSERT_EQ(0, array_call(self, a, at, ELEMENTS, HLK_MAX_STRUCT, arg)) {
			TH_LOG("%s: why %u", a->name, t_why);
		}
		FAILS(E2BIG, a->why,
		      array_call(self, a, at, 1, HLK_MAX_STRUCT + 1, arg));
		ASSERT_EQ(HLK_MAX_STRUCT, t_where);
		FAILS(E2BIG, a->why, array_call(self, a, at, 1, ~0, arg));
		/* of no element the size does not matter */
		ASSERT_EQ(a->out ? -EMSGSIZE : 0, array_call(self, a, at, 0, 0, arg)) {
			TH_LOG("%s: why %u", a->name, t_why);
		}
	}
	free(at);
}

TEST_F(abi, elements_of_a_newer_caller)
{
	u8 *at = calloc(ELEMENTS, HLK_MAX_STRUCT);
	u32 i, tail, size;
	u8 arg[512];

	FOR_EACH_ARRAY(a) {
		if (a->out)
			continue;
		for (tail = 0; tail < 70; tail += 23) {
			size = a->known + tail;
			memset(at, 0, ELEMENTS * HLK_MAX_STRUCT);
			ASSERT_EQ(0, array_call(self, a, at, ELEMENTS, size, arg)) {
				TH_LOG("%s: why %u", a->name, t_why);
			}
			for (i = 0; tail && i < ELEMENTS; i++) {
				at[(i + 1) * size - 1] = 1;
				FAILS(E2BIG, HLK_WHY_TAIL,
				      array_call(self, a, at, ELEMENTS, size, arg));
				ASSERT_EQ(i, t_index);
				ASSERT_EQ(a->known, t_where);
				at[(i + 1) * size - 1] = 0;
			}
		}
	}
	free(at);
}

/* What the module does not know is cleared, and nothing behind it is written. */
TEST_F(abi, elements_for_a_newer_caller)
{
	u8 *plain = calloc(ELEMENTS, HLK_MAX_STRUCT);
	u8 *at = calloc(ELEMENTS, HLK_MAX_STRUCT);
	u32 nr, size, i, n;
	u8 arg[512];

	FOR_EACH_ARRAY(a) {
		if (!a->out)
			continue;
		OK(array_call(self, a, plain, ELEMENTS, a->known, arg));
		nr = *(u32 *)(arg + a->nr);
		ASSERT_LE(1, nr);
		ASSERT_GE(ELEMENTS, nr);
		for (size = a->known; size < a->known + 70; size += 23) {
			memset(at, 0xaa, ELEMENTS * HLK_MAX_STRUCT);
			OK(array_call(self, a, at, ELEMENTS, size, arg));
			ASSERT_EQ(nr, *(u32 *)(arg + a->nr));
			for (i = 0; i < nr; i++) {
				ASSERT_EQ(0, memcmp(at + i * size,
						    plain + i * a->known, a->known)) {
					TH_LOG("%s: element %u", a->name, i);
				}
				for (n = a->known; n < size; n++)
					ASSERT_EQ(0, at[i * size + n]);
			}
			for (n = nr * size; n < ELEMENTS * HLK_MAX_STRUCT; n++)
				ASSERT_EQ(0xaa, at[n]);
		}
	}
	free(plain);
	free(at);
}

/* An element of a newer caller that is only partly in memory */
TEST_F(abi, elements_cut_off)
{
	u8 arg[512];
	u32 size;
	u8 *at;

	FOR_EACH_ARRAY(a) {
		for (size = a->known; size < a->known + 70; size += 23) {
			at = self->page + PAGE - size + 8;
			memset(at, 0, size - 8);
			FAILS(EFAULT, 0, array_call(self, a, at, 1, size, arg));
		}
	}
}

TEST_F(abi, reserved_fields_of_embedded_structs)
{
	struct hlk_translate t = HLK_STRUCT(hlk_translate);
	struct hlk_mark_cow m = HLK_STRUCT(hlk_mark_cow);
	struct hlk_window_add add = HLK_STRUCT(hlk_window_add);
	struct hlk_walk w = HLK_STRUCT(hlk_walk);
	u32 i;

	for (i = 0; i < ARRAY_SIZE(t.paging.__reserved); i++) {
		fill_translate(self, &t);
		t.paging.__reserved[i] = 1ULL << (9 * i);
		FAILS(EOPNOTSUPP, HLK_WHY_RESERVED,
		      hlk_call(self->t.hlk, HLK_TRANSLATE, &t));
		t.paging.__reserved[i] = 0;
		fill_walk(self, &w);
		w.paging.__reserved[i] = 1;
		FAILS(EOPNOTSUPP, HLK_WHY_RESERVED, hlk_call(self->t.hlk, HLK_WALK, &w));
		w.paging.__reserved[i] = 0;
		fill_mark_cow(self, &m);
		m.paging.__reserved[i] = 1;
		FAILS(EOPNOTSUPP, HLK_WHY_RESERVED,
		      hlk_call(self->t.hlk, HLK_MARK_COW, &m));
		m.paging.__reserved[i] = 0;
	}
	for (i = 0; i < ARRAY_SIZE(add.window.__reserved2); i++) {
		fill_window(self, &add);
		add.window.__reserved2[i] = 1;
		FAILS(EOPNOTSUPP, HLK_WHY_RESERVED,
		      hlk_call(self->fresh, HLK_WINDOW_ADD, &add));
		add.window.__reserved2[i] = 0;
	}
}

TEST_F(abi, reserved_fields)
{
	struct hlk_snapshot_info info = HLK_STRUCT(hlk_snapshot_info);
	struct hlk_walk w = HLK_STRUCT(hlk_walk);
	struct hlk_snapshot_build build = HLK_STRUCT(hlk_snapshot_build);
	struct hlk_window_add add = HLK_STRUCT(hlk_window_add);

	fill_window(self, &add);
	add.window.__reserved = 1;
	FAILS(EOPNOTSUPP, HLK_WHY_RESERVED,
	      hlk_call(self->fresh, HLK_WINDOW_ADD, &add));
	add.window.__reserved = 0;
	add.window.flags = 4;
	FAILS(EOPNOTSUPP, HLK_WHY_FLAGS, hlk_call(self->fresh, HLK_WINDOW_ADD, &add));
	add.window.flags = 0x80000000;
	FAILS(EOPNOTSUPP, HLK_WHY_FLAGS, hlk_call(self->fresh, HLK_WINDOW_ADD, &add));
	add.window.flags = 0;
	OK(hlk_call(self->fresh, HLK_WINDOW_ADD, &add));

	fill_build(self, &build);
	build.__reserved = 1;
	FAILS(EOPNOTSUPP, HLK_WHY_RESERVED,
	      hlk_call(self->t.dev, HLK_SNAPSHOT_BUILD, &build));
	build.__reserved = 0;
	self->window[0].__reserved = 1;
	FAILS(EOPNOTSUPP, HLK_WHY_RESERVED,
	      hlk_call(self->t.dev, HLK_SNAPSHOT_BUILD, &build));

	fill_walk(self, &w);
	w.__reserved = 1;
	FAILS(EOPNOTSUPP, HLK_WHY_RESERVED, hlk_call(self->t.hlk, HLK_WALK, &w));
	fill_snapshot_info(self, &info);
	info.__reserved = 1;
	FAILS(EOPNOTSUPP, HLK_WHY_RESERVED,
	      hlk_call(self->fd[SNAP], HLK_SNAPSHOT_INFO, &info));
}

TEST_F(abi, paging_modes)
{
	struct hlk_translate t = HLK_STRUCT(hlk_translate);
	struct hlk_walk w = HLK_STRUCT(hlk_walk);
	u32 i;
	static const struct {
		struct hlk_paging paging;
		int err;
		u32 why;
	} bad[] = {
		{ { .flags = 0x4000 | HLK_PAGING_GIVEN }, EOPNOTSUPP, HLK_WHY_FLAGS },
		{ { .flags = 0x80000000 }, EOPNOTSUPP, HLK_WHY_FLAGS },
		{ { .flags = HLK_PAGING_WP }, EINVAL, HLK_WHY_FLAGS },
		{ { .maxphyaddr = 36 }, EINVAL, HLK_WHY_FLAGS },
		{ { .flags = HLK_PAGING_GIVEN, .maxphyaddr = 31 }, EINVAL, HLK_WHY_GPA_RANGE },
		{ { .flags = HLK_PAGING_GIVEN, .maxphyaddr = 41 }, EINVAL, HLK_WHY_GPA_RANGE },
		{ { .flags = HLK_PAGING_GIVEN | HLK_PAGING_PAE, .maxphyaddr = 53 },
		  EINVAL, HLK_WHY_GPA_RANGE },
		/* modes that no processor has, and what is given without its flag */
		{ { .flags = HLK_PAGING_GIVEN | HLK_PAGING_LONG }, EINVAL, HLK_WHY_FLAGS },
		{ { .flags = HLK_PAGING_GIVEN | HLK_PAGING_PAE | HLK_PAGING_LA57 },
		  EINVAL, HLK_WHY_FLAGS },
		{ { .flags = HLK_PAGING_GIVEN | HLK_PAGING_PDPTRS }, EINVAL, HLK_WHY_FLAGS },
		{ { .flags = HLK_PAGING_GIVEN, .pkru = 1 }, EOPNOTSUPP, HLK_WHY_RESERVED },
		{ { .flags = HLK_PAGING_GIVEN, .pkrs = 1 }, EOPNOTSUPP, HLK_WHY_RESERVED },
		{ { .flags = HLK_PAGING_GIVEN, .pdpte = { 0, 0, 0, 1 } },
		  EOPNOTSUPP, HLK_WHY_RESERVED },
		/* this guest does not use paging */
		{ { .flags = 0 }, EOPNOTSUPP, HLK_WHY_NOT_I686 },
	};

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		fill_translate(self, &t);
		t.paging = bad[i].paging;
		FAILS(bad[i].err, bad[i].why, hlk_call(self->t.hlk, HLK_TRANSLATE, &t));
		fill_walk(self, &w);
		w.paging = bad[i].paging;
		FAILS(bad[i].err, bad[i].why, hlk_call(self->t.hlk, HLK_WALK, &w));
	}
}

/* Pointers inside of structs */
TEST_F(abi, bad_inner_pointers)
{
	struct hlk_snapshot_build build = HLK_STRUCT(hlk_snapshot_build);
	struct hlk_snapshot_info info = HLK_STRUCT(hlk_snapshot_info);
	struct hlk_segment seg = { .gpa = TVM_DATA, .bytes = 2 * PAGE };
	const uintptr_t hole = (uintptr_t)(self->page + PAGE);
	struct hlk_walk w = HLK_STRUCT(hlk_walk);
	struct kvm_sync_regs regs = {};
	const u64 bad[] = { 8, hole, hole - 4, -4096ULL, 1ULL << 63 };
	struct hlk_info counts;
	u32 i;

	snapshot(self);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		fill_build(self, &build);
		build.windows = bad[i];
		FAILS(EFAULT, 0, hlk_call(self->t.dev, HLK_SNAPSHOT_BUILD, &build));
		fill_build(self, &build);
		build.segment_size = sizeof(struct hlk_segment);
		build.nr_segments = 1;
		build.segments = bad[i];
		FAILS(EFAULT, 0, hlk_call(self->t.dev, HLK_SNAPSHOT_BUILD, &build));
		build.segments = (uintptr_t)&seg;
		seg.data = bad[i];
		FAILS(EFAULT, 0, hlk_call(self->t.dev, HLK_SNAPSHOT_BUILD, &build));
		fill_build(self, &build);
		build.nr_segments = 0;
		build.nr_vcpus = 1;
		build.vcpu_size = sizeof(regs);
		build.vcpus = bad[i];
		FAILS(EFAULT, 0, hlk_call(self->t.dev, HLK_SNAPSHOT_BUILD, &build));
		build.nr_vcpus = 0;

		fill_walk(self, &w);
		w.roots = bad[i];
		FAILS(EFAULT, 0, hlk_call(self->t.hlk, HLK_WALK, &w));
		fill_walk(self, &w);
		w.mappings = bad[i];
		FAILS(EFAULT, 0, hlk_call(self->t.hlk, HLK_WALK, &w));

		fill_snapshot_info(self, &info);
		info.windows = bad[i];
		FAILS(EFAULT, 0, hlk_call(self->fd[SNAP], HLK_SNAPSHOT_INFO, &info));
	}
	OK(hlk_info(self->t.dev, &counts));
	ASSERT_EQ(1, counts.live_snapshots);
}

TEST_F(abi, info)
{
	struct hlk_info info;

	OK(hlk_info(self->t.dev, &info));
	ASSERT_EQ(HLK_ABI_VERSION, info.version);
	ASSERT_LE(64, info.max_windows);
	ASSERT_LE(1024, info.max_segments);
	ASSERT_EQ(HLK_MAX_INPUTS, info.max_inputs);
	ASSERT_EQ(HLK_MAX_INPUT_BYTES, info.max_input_bytes);
	ASSERT_EQ(HLK_MAX_STRUCT, info.max_struct);
	ASSERT_LE(sizeof(struct kvm_sync_regs), info.vcpu_size);
	ASSERT_LE(1, info.max_vcpus);
	ASSERT_LE(1, info.max_roots);
	ASSERT_LE(1, info.max_tables);
	ASSERT_LE(1, info.max_pages);
	ASSERT_LE(1, info.max_private);
	ASSERT_EQ(2 * HLK_FEATURE_READ - 1,
		  info.features);
	ASSERT_EQ(1, info.live_vms);
	ASSERT_EQ(0, info.live_snapshots);
	/* the code, the root, the table */
	ASSERT_EQ(3, info.live_pages);
	snapshot(self);
	OK(hlk_info(self->t.dev, &info));
	ASSERT_EQ(1, info.live_snapshots);
	ASSERT_EQ(6, info.live_pages);
}

TEST_F(abi, snapshot_info)
{
	struct hlk_snapshot_info info = {};

	info.windows = (uintptr_t)self->window;
	info.window_size = sizeof(struct hlk_window);
	info.nr_windows = 8;
	OK(hlk_snapshot_info(snapshot(self), &info));
	ASSERT_EQ(0, info.flags);
	ASSERT_EQ(1, info.nr_vcpus);
	ASSERT_EQ(1, info.generation);
	ASSERT_EQ(1, info.nr_windows);
	ASSERT_EQ(0, info.nr_roots);
	ASSERT_EQ(3, info.counts.pages);
	ASSERT_EQ(3, info.counts.copied);
	ASSERT_EQ(0, info.counts.inherited);
	ASSERT_EQ(0, self->window[0].gpa);
	ASSERT_EQ(TVM_LOW, self->window[0].bytes);
	ASSERT_EQ(0, self->window[0].flags);

	/* too short: the counts are told all the same */
	info = (struct hlk_snapshot_info){};
	FAILS(EMSGSIZE, 0, hlk_snapshot_info(snapshot(self), &info));
	ASSERT_EQ(1, info.nr_windows);
	ASSERT_EQ(3, info.counts.pages);
}

/* fds of objects are close-on-exec. */
TEST_F(abi, close_on_exec)
{
	ASSERT_EQ(FD_CLOEXEC, fcntl(self->t.hlk, F_GETFD));
	ASSERT_EQ(FD_CLOEXEC, fcntl(snapshot(self), F_GETFD));
}

TEST_HARNESS_MAIN
