// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every allocation, every user copy and every copy of a page on the way of every
 * call fails, one after the other: what comes back is ENOMEM, EFAULT or EHWPOISON,
 * nothing is left behind, and the VM restores and runs as before.
 *
 * Wants a kernel with fault injection (see vm/debug.config) and is run on that
 * one only. fail-nth counts down per thread; a point may also be used up while
 * the call succeeds, so each loop ends when the counter was not used up.
 */
#include <linux/io_uring.h>
#include <sys/syscall.h>

#include "failing.h"
#include "hlk_test.h"
#include "harness.h"
#include "prog.h"
#include "travel.h"

#define MAX_NTH		2000
#define TABLES		0x40000UL
#define FRESH		0x80000UL	/* pages that only fault tests touch */
#define FRESH_BYTES	(4 * PAGE)
#define BUFFERS		0x2000

/* Eight pages, one input, one byte out, and rest */
GUEST(touch, "	movl $0x50000, %eax\n"
	     "1:	incl (%eax)\n"
	     "	addl $0x1000, %eax\n"
	     "	cmpl $0x58000, %eax\n"
	     "	jne 1b\n"
	     "	movl $0xe9, %edx\n"
	     "	movb $0x41, %al\n"
	     "	outb %al, (%dx)\n"
	     "	hlt\n");

FIXTURE(failnth) {
	struct tvm t;
	int snap[2];
	u8 *before;
	u64 live[3];
	int nth;
	u8 *map;
	struct hlk_touched runs[64];
	int other;
	struct prog prog;
	struct travel travel;
	int by_program;
	void *program;
	struct {
		int fd;
		u8 *rings;
		struct io_uring_sqe *sqes;
		struct io_uring_params p;
	} ring;
};

typedef FIXTURE_DATA(failnth) fixture;

static void live(fixture *self, u64 *nr)
{
	struct hlk_info info;

	t_must(!hlk_info(self->t.dev, &info));
	nr[0] = info.live_vms;
	nr[1] = info.live_snapshots;
	nr[2] = info.live_pages;
}

/* Back to the first snapshot, all of it, with as much held as at first */
static void works(struct __test_metadata *_metadata, fixture *self)
{
	u64 now[3];
	int ret;

	OK(hlk_restore_flags(self->t.hlk, self->snap[0],
			     HLK_RESTORE_REPRODUCIBLE | HLK_RESTORE_AUDIT, NULL));
	/* what a ring has the task do ends a KVM_RUN as a signal does */
	do {
		ret = tvm_run(&self->t);
	} while (ret == -EINTR);
	ASSERT_EQ(KVM_EXIT_IO, ret);
	ASSERT_EQ(self->before[0x50000] + 1, *tvm_at(&self->t, 0x50000));
	OK(hlk_restore_flags(self->t.hlk, self->snap[0],
			     HLK_RESTORE_REPRODUCIBLE | HLK_RESTORE_AUDIT, NULL));
	ASSERT_EQ(0, memcmp(self->before, tvm_at(&self->t, 0), TVM_LOW));
	live(self, now);
	ASSERT_EQ(self->live[0], now[0]);
	ASSERT_EQ(self->live[1], now[1]);
	ASSERT_EQ(self->live[2], now[2]);
}

/**
 * struct step - a call that is to fail everywhere
 * @name: for the log
 * @before: what is done before each try, without failures; or NULL
 * @call: the call; 0, an fd or -errno
 * @undo: what is done after it, with what it returned; or NULL
 */
struct step {
	const char *name;
	void (*before)(fixture *self);
	int (*call)(fixture *self);
	void (*undo)(fixture *self, int ret);
};

static void fail_each(struct __test_metadata *_metadata, fixture *self,
		      const struct step *step)
{
	u32 enomem = 0, efault = 0, poison = 0, survived = 0;
	bool used = true;
	u32 nth;
	int ret;

	for (nth = 1; used; nth++) {
		ASSERT_GT(MAX_NTH, nth);
		if (step->before)
			step->before(self);
		t_why = 0;
		failing_arm(self->nth, nth);
		ret = step->call(self);
		used = failing_disarm(self->nth);
		if (step->undo)
			step->undo(self, ret);
		if (!used)
			break;
		ASSERT_TRUE(ret >= 0 || ret == -ENOMEM || ret == -EFAULT ||
			    ret == -EHWPOISON) {
			TH_LOG("%s: point %u: %s", step->name, nth, strerror(-ret));
		}
		ASSERT_TRUE(ret >= 0 || !t_why || t_why == HLK_WHY_PROGRAM_CALL ||
			    (ret == -EHWPOISON && t_why == HLK_WHY_MEMORY_FAILED)) {
			TH_LOG("%s: point %u: %s", step->name, nth, strerror(-ret));
		}
		enomem += ret == -ENOMEM;
		efault += ret == -EFAULT;
		poison += ret == -EHWPOISON;
		survived += ret >= 0;
		works(_metadata, self);
	}
	ASSERT_LE(0, ret) {
		TH_LOG("%s: without a failure: %s", step->name, strerror(-ret));
	}
	works(_metadata, self);
	TH_LOG("%s: %u faults injected: %u ENOMEM, %u EFAULT, %u EHWPOISON, %u made no difference",
	       step->name, nth - 1, enomem, efault, poison, survived);
	ASSERT_LT(0, nth - 1);
}

#define FAIL_EACH(...)	\
	fail_each(_metadata, self, &(const struct step){ __VA_ARGS__ })

static void close_it(fixture *self, int fd)
{
	if (fd >= 0)
		close(fd);
}

FIXTURE_SETUP(failnth)
{
	struct tvm_pt pt = { .t = &self->t, .next = TABLES + PAGE,
			     .flags = PTE_P | PTE_W };
	u32 i;

	t_begin();
	self->nth = failing_open();
	ASSERT_LE(0, self->nth);
	self->ring.fd = -1;
	tvm_start(&self->t, 0, 1);
	tvm_load(&self->t, TVM_CODE, touch);
	for (i = 0; i < 0x40; i++)
		memset(tvm_at(&self->t, 0x50000 + i * PAGE), 0x10 + i, 64);
	/* 4 KiB pages over low memory, one of them aliased, and a table in common */
	tvm_pt_map(&pt, TABLES, 0, 0, TVM_LOW / PAGE, PTE_P | PTE_W | PTE_U);
	tvm_pt_map(&pt, TABLES, 0x400000, 0x50000, 4, PTE_P | PTE_W);
	tvm_set_paging(&self->t, TVM_CODE, TABLES, 0);
	self->snap[0] = OK(hlk_snapshot_flat(self->t.hlk));
	self->before = malloc(TVM_LOW);
	memcpy(self->before, tvm_at(&self->t, 0), TVM_LOW);
	memset(tvm_at(&self->t, 0x60000), 0x66, 20 * PAGE);
	self->snap[1] = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, self->snap[0], NULL));
	live(self, self->live);
	works(_metadata, self);
}

FIXTURE_TEARDOWN(failnth)
{
	free(self->before);
	close(self->snap[0]);
	close(self->snap[1]);
	close(self->nth);
	tvm_close(&self->t);
	EXPECT_EQ(0, t_end());
}

/* ---- /dev/hlk ---- */

static int call_open(fixture *self)
{
	int fd = open("/dev/hlk", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int call_info(fixture *self)
{
	struct hlk_info info;

	return hlk_info(self->t.dev, &info);
}

static int call_attach(fixture *self)
{
	return hlk_attach(self->t.dev, self->t.vm, 0, 0);
}

static int call_attach_inspect(fixture *self)
{
	struct hlk_vm_attach attach = HLK_STRUCT(hlk_vm_attach);
	int ret;

	attach.head.flags = HLK_ATTACH_INSPECT;
	attach.vm_fd = self->t.vm;
	ret = hlk_call(self->t.dev, HLK_VM_ATTACH, &attach);
	return ret ?: attach.out_fd;
}

static int call_build(fixture *self)
{
	struct hlk_snapshot_build b = HLK_STRUCT(hlk_snapshot_build);
	struct hlk_window windows[] = {
		{ .gpa = 0, .bytes = TVM_LOW },
		{ .gpa = TVM_SCRATCH_GPA, .bytes = TVM_SCRATCH,
		  .flags = HLK_WINDOW_SCRATCH },
	};
	struct hlk_segment segments[] = {
		{ .gpa = 0x1234, .bytes = 3 * PAGE,
		  .data = (uintptr_t)self->before + 0x50000 },
		{ .gpa = TVM_SCRATCH_GPA, .bytes = 10,
		  .data = (uintptr_t)self->before },
	};
	struct kvm_sync_regs regs;
	int ret;

	tvm_flat(&regs, TVM_CODE, TVM_STACK);
	b.window_size = sizeof(struct hlk_window);
	b.nr_windows = ARRAY_SIZE(windows);
	b.windows = (uintptr_t)windows;
	b.segment_size = sizeof(struct hlk_segment);
	b.nr_segments = ARRAY_SIZE(segments);
	b.segments = (uintptr_t)segments;
	b.nr_vcpus = 1;
	b.vcpu_size = sizeof(regs);
	b.vcpus = (uintptr_t)&regs;
	ret = hlk_call(self->t.dev, HLK_SNAPSHOT_BUILD, &b);
	return ret ?: b.out_fd;
}

TEST_F_TIMEOUT(failnth, device, 280)
{
	FAIL_EACH("open", .call = call_open, .undo = close_it);
	FAIL_EACH("HLK_INFO", .call = call_info);
	FAIL_EACH("HLK_VM_ATTACH", .call = call_attach, .undo = close_it);
	FAIL_EACH("HLK_VM_ATTACH inspect", .call = call_attach_inspect,
		  .undo = close_it);
	FAIL_EACH("HLK_SNAPSHOT_BUILD", .call = call_build, .undo = close_it);
}

/* ---- windows ---- */

static void attach_other(fixture *self)
{
	self->other = hlk_attach(self->t.dev, self->t.vm, 0, 0);
	t_must(self->other >= 0);
}

static int call_window_add(fixture *self)
{
	return hlk_window_add(self->other, 0x10000, 0x20000, 0);
}

static int call_window_add_scratch(fixture *self)
{
	return hlk_window_add(self->other, TVM_SCRATCH_GPA, TVM_SCRATCH,
			      HLK_WINDOW_SCRATCH);
}

/* A window cannot be taken away, so each try has an hlk VM of its own. */
static void close_other(fixture *self, int ret)
{
	close(self->other);
}

static int call_mmap(fixture *self)
{
	self->map = mmap(NULL, FRESH_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->t.hlk, FRESH);
	return self->map == MAP_FAILED ? -errno : 0;
}

static int call_mmap_snapshot(fixture *self)
{
	self->map = mmap(NULL, FRESH_BYTES, PROT_READ, MAP_SHARED, self->snap[0],
			 0x50000);
	return self->map == MAP_FAILED ? -errno : 0;
}

static void unmap(fixture *self, int ret)
{
	if (!ret)
		munmap(self->map, FRESH_BYTES);
}

/* Where nothing is near, so that a fault needs page tables too */
#ifdef __LP64__
#define FAR		((void *)0x100000000000)
#else
#define FAR		((void *)0x60000000)
#endif

static void map_far(fixture *self, int prot, int fd, u64 offset)
{
	self->map = mmap(FAR, FRESH_BYTES, prot, MAP_SHARED | MAP_FIXED_NOREPLACE, fd,
			 offset);
	t_must(self->map == FAR);
}

static void map_fresh(fixture *self)
{
	map_far(self, PROT_READ | PROT_WRITE, self->t.hlk, FRESH);
}

static void map_fresh_snapshot(fixture *self)
{
	map_far(self, PROT_READ, self->snap[0], 0x50000);
}

static void unmap_fresh(fixture *self, int ret)
{
	munmap(self->map, FRESH_BYTES);
}

static int call_fault_read(fixture *self)
{
	return madvise(self->map, FRESH_BYTES, MADV_POPULATE_READ) ? -errno : 0;
}

static int call_fault_write(fixture *self)
{
	return madvise(self->map, FRESH_BYTES, MADV_POPULATE_WRITE) ? -errno : 0;
}

/* First read, so that the write is one to a shared page that is mapped */
static void map_fresh_and_read(fixture *self)
{
	map_fresh(self);
	t_must(!call_fault_read(self));
}

TEST_F_TIMEOUT(failnth, windows, 280)
{
	FAIL_EACH("HLK_WINDOW_ADD", .before = attach_other,
		  .call = call_window_add, .undo = close_other);
	FAIL_EACH("HLK_WINDOW_ADD scratch", .before = attach_other,
		  .call = call_window_add_scratch, .undo = close_other);
	FAIL_EACH("mmap of a window", .call = call_mmap, .undo = unmap);
	FAIL_EACH("mmap of a snapshot", .call = call_mmap_snapshot, .undo = unmap);
}

TEST_F_TIMEOUT(failnth, faults, 280)
{
	FAIL_EACH("read fault", .before = map_fresh, .call = call_fault_read,
		  .undo = unmap_fresh);
	FAIL_EACH("write fault", .before = map_fresh, .call = call_fault_write,
		  .undo = unmap_fresh);
	FAIL_EACH("write fault after a read", .before = map_fresh_and_read,
		  .call = call_fault_write, .undo = unmap_fresh);
	FAIL_EACH("read fault in a snapshot", .before = map_fresh_snapshot,
		  .call = call_fault_read, .undo = unmap_fresh);
}

/* ---- snapshots ---- */

static int call_snapshot(fixture *self)
{
	return hlk_snapshot_flat(self->t.hlk);
}

static int snapshot(fixture *self, u32 flags)
{
	u64 roots[] = { TABLES };
	struct hlk_snapshot s = {};

	s.head.flags = flags;
	if (flags & HLK_SNAPSHOT_COMPACT) {
		s.roots = (uintptr_t)roots;
		s.nr_roots = 1;
		s.input_bytes = BUFFERS;
		s.output_bytes = BUFFERS;
	}
	return hlk_snapshot(self->t.hlk, &s);
}

static int call_snapshot_dedup(fixture *self)
{
	return snapshot(self, HLK_SNAPSHOT_DEDUP);
}

static int call_snapshot_compact(fixture *self)
{
	return snapshot(self, HLK_SNAPSHOT_COMPACT);
}

static int call_snapshot_compact_dedup(fixture *self)
{
	return snapshot(self, HLK_SNAPSHOT_COMPACT | HLK_SNAPSHOT_DEDUP |
			      HLK_SNAPSHOT_HOST_COW);
}

/* Pages that were written since, so that there is something to copy */
static void write_some(fixture *self)
{
	memset(tvm_at(&self->t, 0x60000), 0x77, 4 * PAGE);
	*tvm_at(&self->t, 0x70000) = 0x77;
}

static int call_snapshot_info(fixture *self)
{
	struct hlk_snapshot_info info = {};
	struct hlk_window windows[4];

	info.window_size = sizeof(struct hlk_window);
	info.nr_windows = ARRAY_SIZE(windows);
	info.windows = (uintptr_t)windows;
	return hlk_snapshot_info(self->snap[0], &info);
}

TEST_F_TIMEOUT(failnth, snapshots, 280)
{
	FAIL_EACH("HLK_SNAPSHOT", .before = write_some, .call = call_snapshot,
		  .undo = close_it);
	FAIL_EACH("HLK_SNAPSHOT dedup", .before = write_some,
		  .call = call_snapshot_dedup, .undo = close_it);
	FAIL_EACH("HLK_SNAPSHOT_INFO", .call = call_snapshot_info);
}

TEST_F_TIMEOUT(failnth, compact_snapshots, 280)
{
	FAIL_EACH("HLK_SNAPSHOT compact", .before = write_some,
		  .call = call_snapshot_compact, .undo = close_it);
	FAIL_EACH("HLK_SNAPSHOT compact, dedup, host CoW", .before = write_some,
		  .call = call_snapshot_compact_dedup, .undo = close_it);
}

/* ---- restores and runs ---- */

static int call_restore(fixture *self)
{
	return hlk_restore(self->t.hlk, -1, NULL);
}

static int call_restore_other(fixture *self)
{
	return hlk_restore(self->t.hlk, self->snap[1], NULL);
}

static int call_restore_audit(fixture *self)
{
	return hlk_restore_flags(self->t.hlk, self->snap[1], HLK_RESTORE_AUDIT, NULL);
}

static int call_kvm_run(fixture *self)
{
	int ret = tvm_run(&self->t);

	t_why = 0;
	return ret < 0 ? ret : ret == KVM_EXIT_IO ? 0 : -EPROTO;
}

/* Nothing is mapped, neither in the process nor in the guest's nested tables. */
static void unmapped(fixture *self)
{
	t_must(!madvise(tvm_at(&self->t, 0), TVM_LOW, MADV_DONTNEED));
}

static int run(fixture *self, u32 flags, const void *program, struct hlk_run *r)
{
	struct hlk_segment input = {
		.gpa = 0x58ff0,
		.bytes = PAGE,
		.data = (uintptr_t)self->before,
	};
	struct kvm_regs regs = self->t.run->s.regs.regs;
	char log[8];

	*r = (struct hlk_run)HLK_STRUCT(hlk_run);
	regs.rip = TVM_CODE;
	r->head.flags = flags | HLK_RUN_REGS;
	r->vcpu_fd = self->t.vcpu;
	r->program = (uintptr_t)program;
	r->inputs = (uintptr_t)&input;
	r->input_size = sizeof(struct hlk_segment);
	r->nr_inputs = 1;
	r->regs = (uintptr_t)&regs;
	r->log = (uintptr_t)log;
	r->log_size = sizeof(log);
	r->log_port = 0xe9;
	return hlk_call(self->t.hlk, HLK_RUN, r);
}

/* A log that cannot be written is an exit like any other, not an error. */
static int call_run_flags(fixture *self, u32 flags, const void *program)
{
	struct hlk_run r;
	int ret = run(self, flags, program, &r);

	return ret ?: r.exit_reason == KVM_EXIT_HLT ||
		      r.exit_reason == KVM_EXIT_IO ? 0 : -EPROTO;
}

static int call_run(fixture *self)
{
	return call_run_flags(self, 0, NULL);
}

static int call_run_continue(fixture *self)
{
	return call_run_flags(self, HLK_RUN_CONTINUE, NULL);
}

static int call_lead(fixture *self)
{
	return call_run_flags(self, HLK_RUN_LEAD, NULL);
}

/* A turn of the VM's only vCPU, which did not run in it */
static void lead(fixture *self)
{
	struct hlk_run r;

	self->t.run->immediate_exit = 1;
	t_must(run(self, HLK_RUN_LEAD, NULL, &r) == -EINTR);
	self->t.run->immediate_exit = 0;
	t_must(r.turn);
	unmapped(self);
}

static int call_follow(fixture *self)
{
	struct hlk_run r = HLK_STRUCT(hlk_run);
	int ret;

	r.head.flags = HLK_RUN_CONTINUE | HLK_RUN_FOLLOW;
	r.vcpu_fd = self->t.vcpu;
	r.timeout_ns = 60000000000ULL;
	ret = hlk_call(self->t.hlk, HLK_RUN, &r);
	return ret ?: r.turn && r.exit_reason == KVM_EXIT_IO ? 0 : -EPROTO;
}

/* What a point in a call of one is, its element says, or the call. */
static int call_run_many(fixture *self)
{
	struct hlk_run_many many = HLK_STRUCT(hlk_run_many);
	struct hlk_run r[2] = { HLK_STRUCT(hlk_run), HLK_STRUCT(hlk_run) };
	struct hlk_many_call calls[2] = {};
	int ret;
	u32 i;

	for (i = 0; i < 2; i++) {
		r[i].vcpu_fd = self->t.vcpu;
		calls[i].vm_fd = self->t.hlk;
		calls[i].run = (uintptr_t)&r[i];
	}
	many.calls = (uintptr_t)calls;
	many.nr_calls = 2;
	many.call_size = sizeof(*calls);
	ret = hlk_call(self->t.dev, HLK_RUN_MANY, &many);
	for (i = 0; i < 2 && !ret; i++)
		ret = calls[i].ret ?: r[i].exit_reason == KVM_EXIT_HLT ||
				      r[i].exit_reason == KVM_EXIT_IO ? 0 : -EPROTO;
	return ret;
}

static int call_run_calls(fixture *self)
{
	struct hlk_run_call calls[3] = {};
	struct hlk_run r = HLK_STRUCT(hlk_run);
	u32 i;
	int ret;

	for (i = 0; i < 3; i++) {
		calls[i].in_gpa = 0x58ff0;
		calls[i].in_bytes = PAGE;
		calls[i].in = (uintptr_t)self->before;
		calls[i].out_gpa = 0x5a000;
		calls[i].out_bytes = PAGE;
		calls[i].out = (uintptr_t)self->before;
	}
	r.vcpu_fd = self->t.vcpu;
	r.calls = (uintptr_t)calls;
	r.nr_calls = 3;
	r.call_size = sizeof(calls[0]);
	ret = hlk_call(self->t.hlk, HLK_RUN, &r);
	return ret ?: r.calls_done == 3 || r.exit_reason == KVM_EXIT_IO ? 0 : -EPROTO;
}

static int call_prefault(fixture *self)
{
	struct hlk_prefault p = HLK_STRUCT(hlk_prefault);

	p.runs = (uintptr_t)self->runs;
	p.run_size = sizeof(struct hlk_touched);
	p.nr_runs = ARRAY_SIZE(self->runs);
	return hlk_call(self->t.hlk, HLK_PREFAULT, &p);
}

static int call_stats(fixture *self)
{
	struct hlk_vm_stats stats;

	return hlk_stats(self->t.hlk, &stats);
}

TEST_F_TIMEOUT(failnth, restores, 280)
{
	FAIL_EACH("HLK_RESTORE", .before = write_some, .call = call_restore);
	FAIL_EACH("HLK_RESTORE of another", .before = write_some,
		  .call = call_restore_other);
	FAIL_EACH("HLK_RESTORE audited", .before = write_some,
		  .call = call_restore_audit);
	FAIL_EACH("HLK_PREFAULT", .call = call_prefault);
	FAIL_EACH("HLK_VM_STATS", .call = call_stats);
}

TEST_F_TIMEOUT(failnth, runs, 280)
{
	FAIL_EACH("KVM_RUN", .before = unmapped, .call = call_kvm_run);
	FAIL_EACH("HLK_RUN", .before = unmapped, .call = call_run);
	FAIL_EACH("HLK_RUN continue", .before = unmapped,
		  .call = call_run_continue);
	FAIL_EACH("HLK_RUN_MANY", .before = unmapped, .call = call_run_many);
	FAIL_EACH("HLK_RUN of calls", .before = unmapped, .call = call_run_calls);
}

TEST_F_TIMEOUT(failnth, turns, 280)
{
	FAIL_EACH("HLK_RUN lead", .before = unmapped, .call = call_lead);
	FAIL_EACH("HLK_RUN follow", .before = lead, .call = call_follow);
}

/* ---- snapshots in files ---- */

static int call_import(fixture *self)
{
	int snap = travel_in(&self->travel, self->t.dev);

	if (snap >= 0)
		close(snap);
	return snap < 0 ? snap : 0;
}

static int call_export(fixture *self)
{
	struct hlk_snapshot_export x = HLK_STRUCT(hlk_snapshot_export);

	x.vcpus = (uintptr_t)self->travel.vcpus;
	x.nr_vcpus = ARRAY_SIZE(self->travel.vcpus);
	x.vcpu_size = sizeof(self->travel.vcpus[0]);
	x.touched = (uintptr_t)self->runs;
	x.nr_touched = ARRAY_SIZE(self->runs);
	x.touched_size = sizeof(self->runs[0]);
	return hlk_call(self->snap[0], HLK_SNAPSHOT_EXPORT, &x);
}

static int call_pages(fixture *self)
{
	struct hlk_snapshot_pages p = HLK_STRUCT(hlk_snapshot_pages);
	struct hlk_extent extents[16];

	p.other_fd = -1;
	p.extents = (uintptr_t)extents;
	p.nr_extents = ARRAY_SIZE(extents);
	p.extent_size = sizeof(extents[0]);
	return hlk_call(self->snap[0], HLK_SNAPSHOT_PAGES, &p);
}

/* To a snapshot of which nothing was read yet, and back */
static int call_restore_import(fixture *self)
{
	int snap = travel_in(&self->travel, self->t.dev), ret;

	if (snap < 0)
		return snap;
	ret = hlk_restore(self->t.hlk, snap, NULL);
	close(snap);
	return ret ?: hlk_restore(self->t.hlk, self->snap[0], NULL);
}

/* What a guest touches is read. */
static int call_run_import(fixture *self)
{
	int snap = travel_in(&self->travel, self->t.dev), ret;

	if (snap < 0)
		return snap;
	ret = hlk_restore(self->t.hlk, snap, NULL);
	close(snap);
	return ret ?: call_run(self);
}

TEST_F_TIMEOUT(failnth, files, 280)
{
	travel_out(&self->travel, self->snap[0], -1, travel_memfd());
	travel_seal(self->travel.fd);
	FAIL_EACH("HLK_SNAPSHOT_EXPORT", .call = call_export);
	FAIL_EACH("HLK_SNAPSHOT_PAGES", .call = call_pages);
	FAIL_EACH("HLK_SNAPSHOT_IMPORT", .call = call_import);
	FAIL_EACH("HLK_RESTORE of an import", .before = write_some,
		  .call = call_restore_import);
	FAIL_EACH("HLK_RUN from an import", .before = unmapped, .call = call_run_import);
	travel_end(&self->travel);
}

/* ---- state programs ---- */

static int call_snapshot_program(fixture *self)
{
	return prog_snapshot(self->t.hlk, &self->prog);
}

/* What KVM copies and allocates for the call fails as well. */
static int call_restore_program(fixture *self)
{
	return prog_restore(self->t.hlk, self->by_program, self->program, 0, NULL);
}

static int call_audit_program(fixture *self)
{
	return prog_restore(self->t.hlk, self->by_program, self->program,
			    HLK_RESTORE_AUDIT, NULL);
}

/* A run restores the snapshot restored last, which has to be the program's. */
static void to_program(fixture *self)
{
	t_must(!prog_restore(self->t.hlk, self->by_program, self->program, 0, NULL));
	unmapped(self);
}

static int call_run_program(fixture *self)
{
	return call_run_flags(self, 0, self->program);
}

static int call_mmap_program(fixture *self)
{
	void *at = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, self->by_program,
			HLK_PROGRAM_OFFSET);

	if (at == MAP_FAILED)
		return -errno;
	munmap(at, PAGE);
	return 0;
}

TEST_F_TIMEOUT(failnth, programs, 280)
{
	struct kvm_xcrs xcrs;
	struct kvm_sregs2 sregs;

	prog_msr(&self->prog, 0x277, 0x0007040600070401);
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_GET_XCRS, &xcrs));
	prog_add(&self->prog, KVM_SET_XCRS, 0, &xcrs, sizeof(xcrs));
	ASSERT_EQ(0, ioctl(self->t.vcpu, KVM_GET_SREGS2, &sregs));
	prog_add(&self->prog, KVM_SET_SREGS2, 0, &sregs, sizeof(sregs));
	FAIL_EACH("HLK_SNAPSHOT with a program", .call = call_snapshot_program,
		  .undo = close_it);
	self->by_program = OK(prog_snapshot(self->t.hlk, &self->prog));
	self->program = prog_map(self->by_program);
	ASSERT_NE(MAP_FAILED, self->program);
	live(self, self->live);
	FAIL_EACH("mmap of a program", .call = call_mmap_program);
	FAIL_EACH("HLK_RESTORE with a program", .before = write_some,
		  .call = call_restore_program);
	FAIL_EACH("HLK_RESTORE with a program, audited", .before = write_some,
		  .call = call_audit_program);
	FAIL_EACH("HLK_RUN with a program", .before = to_program,
		  .call = call_run_program);
	munmap(self->program, PAGE);
	close(self->by_program);
}

/* ---- page tables ---- */

static int call_translate(fixture *self)
{
	struct hlk_translate t = {};

	t.paging.flags = HLK_PAGING_GIVEN;
	return hlk_translate(self->t.hlk, TABLES, 0x51000, &t);
}

static int call_walk(fixture *self)
{
	u64 roots[] = { TABLES };
	struct hlk_mapping mappings[64];
	struct hlk_walk w = HLK_STRUCT(hlk_walk);

	w.paging.flags = HLK_PAGING_GIVEN;
	w.roots = (uintptr_t)roots;
	w.nr_roots = 1;
	w.mappings = (uintptr_t)mappings;
	w.mapping_size = sizeof(struct hlk_mapping);
	w.nr_mappings = ARRAY_SIZE(mappings);
	return hlk_call(self->t.hlk, HLK_WALK, &w);
}

static int call_read(fixture *self)
{
	struct hlk_read r = HLK_STRUCT(hlk_read);
	u8 data[64];

	r.gpa = TABLES;
	r.data = (uintptr_t)data;
	r.bytes = sizeof(data);
	return hlk_call(self->t.hlk, HLK_READ, &r);
}

static int call_mark_cow(fixture *self)
{
	u64 roots[] = { TABLES };
	struct hlk_mark_cow m = HLK_STRUCT(hlk_mark_cow);

	m.paging.flags = HLK_PAGING_GIVEN;
	m.roots = (uintptr_t)roots;
	m.nr_roots = 1;
	return hlk_call(self->t.hlk, HLK_MARK_COW, &m);
}

TEST_F_TIMEOUT(failnth, page_tables, 280)
{
	FAIL_EACH("HLK_TRANSLATE", .call = call_translate);
	FAIL_EACH("HLK_WALK", .call = call_walk);
	FAIL_EACH("HLK_READ", .call = call_read);
	FAIL_EACH("HLK_MARK_COW", .call = call_mark_cow);
}

/* ---- io_uring ---- */

static void ring_open(fixture *self)
{
	struct io_uring_params *p = &self->ring.p;

	self->ring.fd = syscall(SYS_io_uring_setup, 4, p);
	t_must(self->ring.fd >= 0);
	t_must(p->features & IORING_FEAT_SINGLE_MMAP);
	self->ring.rings = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
				self->ring.fd, IORING_OFF_SQ_RING);
	self->ring.sqes = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			       self->ring.fd, IORING_OFF_SQES);
	t_must(self->ring.rings != MAP_FAILED && self->ring.sqes != MAP_FAILED);
}

static u32 *ring_u32(fixture *self, u32 offset)
{
	return (u32 *)(self->ring.rings + offset);
}

static void ring_put(fixture *self, u32 op, void *arg)
{
	u32 *tail = ring_u32(self, self->ring.p.sq_off.tail);
	u32 slot = *tail & (self->ring.p.sq_entries - 1);
	struct io_uring_sqe *sqe = &self->ring.sqes[slot];
	struct hlk_uring cmd = { .arg = (uintptr_t)arg };

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = self->t.hlk;
	sqe->off = op;		/* cmd_op, in newer headers */
	memcpy((u8 *)sqe + 48, &cmd, sizeof(cmd));
	ring_u32(self, self->ring.p.sq_off.array)[slot] = slot;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
}

/*
 * What the one command came to. An enter that failed took no entry: without a
 * failure it goes on to take it.
 */
static int ring_submit(fixture *self)
{
	u32 *sq_head = ring_u32(self, self->ring.p.sq_off.head);
	u32 *sq_tail = ring_u32(self, self->ring.p.sq_off.tail);
	u32 *head = ring_u32(self, self->ring.p.cq_off.head);
	u32 *tail = ring_u32(self, self->ring.p.cq_off.tail);
	struct io_uring_cqe *cqe;
	int error = 0;

	while (*head == __atomic_load_n(tail, __ATOMIC_ACQUIRE)) {
		if (syscall(SYS_io_uring_enter, self->ring.fd,
			    *sq_tail - __atomic_load_n(sq_head, __ATOMIC_ACQUIRE), 1,
			    IORING_ENTER_GETEVENTS, NULL, 0) >= 0)
			continue;
		if (error)	/* a failure is injected once */
			return -EPROTO;
		error = -errno;
	}
	cqe = (struct io_uring_cqe *)(self->ring.rings + self->ring.p.cq_off.cqes) +
	      (*head & (self->ring.p.cq_entries - 1));
	error = cqe->res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return error;
}

static int call_uring_restore(fixture *self)
{
	struct hlk_restore r = HLK_STRUCT(hlk_restore);
	int ret;

	r.snapshot_fd = self->snap[1];
	ring_put(self, HLK_RESTORE, &r);
	ret = ring_submit(self);
	t_why = r.head.why;
	return ret;
}

TEST_F_TIMEOUT(failnth, uring, 280)
{
	ring_open(self);
	FAIL_EACH("io_uring HLK_RESTORE", .before = write_some,
		  .call = call_uring_restore);
	close(self->ring.fd);
}

TEST_HARNESS_MAIN
