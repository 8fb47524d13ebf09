// SPDX-License-Identifier: GPL-2.0-only
/*
 * Not a test: what each call does to those who wait, with the worst arguments that were
 * thought of.
 *
 *	gone-bench [--holds] [--runs N] [--json FILE] [CASE...]
 *	gone-bench --list
 *
 * How long it takes, and how long after SIGKILL in the middle of it the process is gone;
 * beside it stands what it takes to kill the same process when it makes no call, for
 * its memory has to be freed in either case. With --holds, the longest time for which it
 * holds a lock of each kind instead: that takes a kernel with the trace events of
 * lockdep. At the top is how long this machine takes to copy the pages of the largest
 * case. Of several runs the shortest counts, since others disturb; of kills the longest.
 */
#include <liburing.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "hlk_test.h"
#include "gone/holds.h"

#define BIG_GPA		0x1000000UL
#define BIG_PAGES	8192UL
#define FEW_PAGES	256UL
#define TABLES		0x40000UL
#define SPARSE_GPA	0x100000000UL
#define SPARSE_PAGES	(1UL << 21)
#define ROOTS		2
#define SLOTS		2048
#define NR_REPLIES	(1UL << 18)
#define NR_TABLES	(4 * 1024)
#define BUFFER		0x4000
#define PARTS		4

GUEST(halt, "	hlt\n");

/**
 * struct shared - what both processes see
 * @ns: how long the call took
 * @ret: what it returned
 * @fd: from the owner of a VM to who looks at it
 */
struct shared {
	volatile u64 ns;
	volatile long ret;
	volatile int fd;
};

static struct shared *shared;
static bool idle;
static int tracing = -1;
static int tell[2];

/* ---- the child ---- */

/* The call; the parent is told before and after it. */
static void act(long (*call)(void *arg), void *arg)
{
	u64 start;

	t_must(write(tell[1], "b", 1) == 1);
	if (tracing >= 0)
		t_must(write(tracing, "1", 1) == 1);
	start = t_now();
	if (!idle)
		shared->ret = call(arg);
	shared->ns = t_now() - start;
	if (tracing >= 0)
		t_must(write(tracing, "0", 1) == 1);
	t_must(write(tell[1], "e", 1) == 1);
	for (;;)
		pause();
}

struct make_call {
	int fd;
	unsigned long cmd;
	void *arg;
};

static long ioctl_call(void *arg)
{
	const struct make_call *call = arg;

	return hlk_call(call->fd, call->cmd, call->arg);
}

static void make_call(int fd, unsigned long cmd, void *arg)
{
	struct make_call call = { fd, cmd, arg };

	act(ioctl_call, &call);
}

static u8 *machine(struct tvm *t, u64 keep_private, u64 gpa, u64 pages)
{
	u8 *at;

	tvm_open(t);
	tvm_attach(t, 0, keep_private);
	tvm_window(t, 0, TVM_LOW, 0);
	at = tvm_window(t, gpa, pages * PAGE, 0);
	tvm_window(t, TVM_SCRATCH_GPA, TVM_SCRATCH, HLK_WINDOW_SCRATCH);
	tvm_set(t, TVM_CODE);
	return at;
}

static u8 *big(struct tvm *t)
{
	return machine(t, 0, BIG_GPA, BIG_PAGES);
}

static void write_pages(u8 *at, u64 nr, u64 step)
{
	u64 i;

	for (i = 0; i < nr; i++)
		*(u64 *)(at + i * step * PAGE) = i + 1;
}

static int snapshot(struct tvm *t)
{
	int snap = hlk_snapshot_flat(t->hlk);

	t_must(snap >= 0);
	return snap;
}

/* A snapshot that the VM runs from */
static int restored(struct tvm *t)
{
	int snap = snapshot(t);

	t_must(!hlk_restore(t->hlk, snap, NULL));
	return snap;
}

/* As many mappings as may be, with one page in so many in their tables */
static void map_often(struct tvm *t, u32 step)
{
	u32 i, k;
	u8 *at;

	for (i = 1; i < HLK_MAX_MAPPINGS; i++) {
		at = tvm_map(t, BIG_GPA, BIG_PAGES * PAGE, PROT_READ);
		for (k = 0; k < BIG_PAGES; k += step)
			(void)*(volatile u8 *)(at + k * PAGE);
	}
}

static void slots_from(struct tvm *t, u32 nr, u8 *at, u64 bytes, u64 step)
{
	struct kvm_userspace_memory_region region = {
		.guest_phys_addr = SPARSE_GPA,
		.memory_size = bytes,
	};
	u32 i;

	for (i = 0; i < nr; i++, region.guest_phys_addr += bytes + PAGE) {
		region.slot = 100 + i;
		region.userspace_addr = (uintptr_t)at + i * step;
		t_must(!ioctl(t->vm, KVM_SET_USER_MEMORY_REGION, &region));
	}
}

/* Memory once more in many memslots */
static void more_slots(struct tvm *t, u8 *at)
{
	slots_from(t, SLOTS, at, PAGE, PAGE);
}

/* ---- restores and runs ---- */

static void restore_give_back(void)
{
	struct hlk_restore r = HLK_STRUCT(hlk_restore);
	struct tvm t;
	u8 *at = machine(&t, 1, BIG_GPA, BIG_PAGES);

	r.snapshot_fd = restored(&t);
	write_pages(at, FEW_PAGES, 2);
	map_often(&t, 256);
	make_call(t.hlk, HLK_RESTORE, &r);
}

/* To a snapshot with everything private, and one page of @step in all mappings */
static int may_switch(struct tvm *t, u32 step)
{
	u8 *at = big(t);
	int other = snapshot(t);
	int snap;

	write_pages(at, BIG_PAGES, 1);
	snap = snapshot(t);
	t_must(!hlk_restore(t->hlk, other, NULL));
	map_often(t, step);
	return snap;
}

static void restore_switch(void)
{
	struct hlk_restore r = HLK_STRUCT(hlk_restore);
	struct tvm t;

	r.snapshot_fd = may_switch(&t, 16);
	make_call(t.hlk, HLK_RESTORE, &r);
}

static void restore_copy(void)
{
	struct hlk_restore r = HLK_STRUCT(hlk_restore);
	struct tvm t;

	write_pages(big(&t), BIG_PAGES, 1);
	r.snapshot_fd = restored(&t);
	make_call(t.hlk, HLK_RESTORE, &r);
}

static void restore_audit(void)
{
	struct hlk_restore r = HLK_STRUCT(hlk_restore);
	struct tvm t;
	u8 *at = big(&t);

	more_slots(&t, at);
	write_pages(at, BIG_PAGES, 1);
	r.snapshot_fd = restored(&t);
	write_pages(at, BIG_PAGES, 1);
	r.head.flags = HLK_RESTORE_AUDIT;
	make_call(t.hlk, HLK_RESTORE, &r);
}

struct ring_call {
	struct io_uring ring;
	struct hlk_restore restore;
};

static long ring_call(void *arg)
{
	struct ring_call *call = arg;
	struct io_uring_cqe *cqe;

	t_must(io_uring_submit_and_wait(&call->ring, 1) == 1);
	t_must(!io_uring_peek_cqe(&call->ring, &cqe));
	return cqe->res;
}

static void ring(unsigned int flags, u32 async)
{
	struct ring_call call = { .restore = HLK_STRUCT(hlk_restore) };
	struct hlk_uring payload = { .arg = (uintptr_t)&call.restore };
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | flags,
	};
	struct io_uring_sqe *sqe;
	struct tvm t;

	if (async) {
		call.restore.snapshot_fd = may_switch(&t, 64);
	} else {
		write_pages(big(&t), BIG_PAGES, 1);
		call.restore.snapshot_fd = restored(&t);
	}
	t_must(!io_uring_queue_init_params(1, &call.ring, &params));
	sqe = io_uring_get_sqe(&call.ring);
	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, t.hlk, NULL, 0, 0);
	sqe->cmd_op = HLK_RESTORE;
	memcpy(sqe->cmd, &payload, sizeof(payload));
	sqe->flags |= async;
	act(ring_call, &call);
}

static void ring_inline(void)
{
	ring(IORING_SETUP_DEFER_TASKRUN, 0);
}

static void ring_worker(void)
{
	ring(0, IOSQE_ASYNC);
}

/* All is copied back, and then as much input as may be is put in. */
static void run(void)
{
	static u8 bytes[HLK_MAX_INPUT_BYTES];
	struct hlk_segment inputs[HLK_MAX_INPUTS];
	struct hlk_run r = HLK_STRUCT(hlk_run);
	struct tvm t;
	u32 i;

	write_pages(big(&t), BIG_PAGES, 1);
	tvm_load(&t, TVM_CODE, halt);
	restored(&t);
	memset(bytes, 1, sizeof(bytes));
	for (i = 0; i < ARRAY_SIZE(inputs); i++)
		inputs[i] = (struct hlk_segment){
			.gpa = BIG_GPA + i * sizeof(bytes) + 1,
			.bytes = sizeof(bytes) / ARRAY_SIZE(inputs),
			.data = (uintptr_t)bytes,
		};
	r.vcpu_fd = t.vcpu;
	r.nr_inputs = ARRAY_SIZE(inputs);
	r.input_size = sizeof(inputs[0]);
	r.inputs = (uintptr_t)inputs;
	make_call(t.hlk, HLK_RUN, &r);
}

static void run_many(void)
{
	static struct hlk_many_call calls[HLK_MAX_CALLS];
	struct hlk_run_many many = HLK_STRUCT(hlk_run_many);
	struct hlk_run r = HLK_STRUCT(hlk_run);
	struct tvm t;
	u32 i;

	tvm_start(&t, 0, 0);
	tvm_load(&t, TVM_CODE, halt);
	restored(&t);
	r.vcpu_fd = t.vcpu;
	for (i = 0; i < HLK_MAX_CALLS; i++) {
		calls[i].vm_fd = t.hlk;
		calls[i].run = (uintptr_t)&r;
	}
	many.calls = (uintptr_t)calls;
	many.call_size = sizeof(calls[0]);
	many.nr_calls = HLK_MAX_CALLS;
	make_call(t.dev, HLK_RUN_MANY, &many);
}

/* Remembered from one sandbox, made private in another one that has many mappings */
static void prefault(void)
{
	static struct hlk_touched runs[BIG_PAGES];
	struct hlk_prefault p = HLK_STRUCT(hlk_prefault);
	struct tvm t, other;
	u8 *at = big(&t);
	int snap = restored(&t);

	write_pages(at, FEW_PAGES, 2);
	tvm_close(&t);
	big(&other);
	t_must(!hlk_restore(other.hlk, snap, NULL));
	map_often(&other, 256);
	p.runs = (uintptr_t)runs;
	p.run_size = sizeof(runs[0]);
	p.nr_runs = BIG_PAGES;
	make_call(other.hlk, HLK_PREFAULT, &p);
}

/* ---- snapshots ---- */

static void snapshot_flat(void)
{
	struct hlk_snapshot s = HLK_STRUCT(hlk_snapshot);
	struct tvm t;

	write_pages(big(&t), BIG_PAGES, 1);
	make_call(t.hlk, HLK_SNAPSHOT, &s);
}

/* A parent of many pages that lie far from each other */
static void snapshot_inherit(void)
{
	struct hlk_snapshot s = HLK_STRUCT(hlk_snapshot);
	struct tvm t;

	write_pages(machine(&t, 1, SPARSE_GPA, SPARSE_PAGES), BIG_PAGES, 256);
	restored(&t);
	make_call(t.hlk, HLK_SNAPSHOT, &s);
}

static void snapshot_dedup(void)
{
	struct hlk_snapshot s = HLK_STRUCT(hlk_snapshot);
	struct tvm t;

	write_pages(big(&t), BIG_PAGES, 1);
	s.head.flags = HLK_SNAPSHOT_DEDUP;
	make_call(t.hlk, HLK_SNAPSHOT, &s);
}

static void set_compact(struct hlk_snapshot *s)
{
	s->head.flags = HLK_SNAPSHOT_COMPACT;
	s->input_bytes = BUFFER;
	s->output_bytes = BUFFER;
}

static u8 *mapped(struct tvm *t)
{
	struct tvm_pt pt = { .t = t, .next = TABLES, .flags = PTE_P | PTE_W };
	u8 *at = big(t);
	u32 root;

	write_pages(at, BIG_PAGES, 1);
	root = tvm_pt_page(&pt);
	tvm_pt_map(&pt, root, 0x10000000, BIG_GPA, BIG_PAGES, PTE_P | PTE_W);
	tvm_set_paging(t, TVM_CODE, root, 0);
	return at;
}

static void snapshot_compact(void)
{
	struct hlk_snapshot s = HLK_STRUCT(hlk_snapshot);
	struct tvm t;

	mapped(&t);
	set_compact(&s);
	make_call(t.hlk, HLK_SNAPSHOT, &s);
}

/* Over a parent, of which each page was written where it is */
static void snapshot_delta(void)
{
	struct hlk_snapshot s = HLK_STRUCT(hlk_snapshot);
	struct tvm t;
	int snap;

	mapped(&t);
	set_compact(&s);
	snap = hlk_snapshot(t.hlk, &s);
	t_must(snap >= 0);
	t_must(!hlk_restore(t.hlk, snap, NULL));
	write_pages(tvm_at(&t, 0), TVM_LOW / PAGE, 1);
	write_pages(tvm_at(&t, BIG_GPA), BIG_PAGES - TVM_LOW / PAGE, 1);
	make_call(t.hlk, HLK_SNAPSHOT, &s);
}

static void snapshot_build(void)
{
	struct hlk_snapshot_build b = HLK_STRUCT(hlk_snapshot_build);
	struct hlk_window window = { .gpa = BIG_GPA, .bytes = BIG_PAGES * PAGE };
	struct hlk_segment segment = { .gpa = BIG_GPA, .bytes = window.bytes };
	void *at = mmap(NULL, window.bytes, PROT_READ,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	t_must(at != MAP_FAILED);
	segment.data = (uintptr_t)at;
	b.nr_windows = 1;
	b.window_size = sizeof(window);
	b.windows = (uintptr_t)&window;
	b.nr_segments = 1;
	b.segment_size = sizeof(segment);
	b.segments = (uintptr_t)&segment;
	make_call(hlk_open(), HLK_SNAPSHOT_BUILD, &b);
}

/* ---- page tables ---- */

/* Directories of 4 MiB entries: of each page it has to be asked whether it is there. */
static u64 *large_roots(struct tvm *t)
{
	static u64 roots[ROOTS];
	u8 *at = big(t);
	u32 i, nr;
	u32 *pd;

	more_slots(t, at);
	for (i = 0; i < ROOTS; i++) {
		roots[i] = TABLES + i * PAGE;
		pd = (u32 *)tvm_at(t, roots[i]);
		for (nr = 0; nr < 1024; nr++)
			pd[nr] = BIG_GPA | PTE_PS | PTE_W | PTE_P;
	}
	return roots;
}

static void set_walk(struct hlk_walk *w)
{
	void *at;

	w->nr_roots = ROOTS;
	w->paging.flags = HLK_PAGING_GIVEN | HLK_PAGING_PSE;
	w->nr_mappings = NR_REPLIES;
	w->mapping_size = sizeof(struct hlk_mapping);
	at = mmap(NULL, NR_REPLIES * sizeof(struct hlk_mapping), PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	t_must(at != MAP_FAILED);
	w->mappings = (uintptr_t)at;
}

static void walk(void)
{
	struct hlk_walk w = HLK_STRUCT(hlk_walk);
	struct tvm t;

	w.roots = (uintptr_t)large_roots(&t);
	set_walk(&w);
	make_call(t.hlk, HLK_WALK, &w);
}

/* Of another process's VM, whose memory is none of ours */
static void walk_inspect(void)
{
	struct hlk_vm_attach attach = HLK_STRUCT(hlk_vm_attach);
	struct hlk_walk w = HLK_STRUCT(hlk_walk);
	u64 roots[ROOTS];
	int pidfd, ready[2];
	struct tvm t;
	pid_t owner;
	char byte;

	t_must(!pipe(ready));
	owner = fork();
	t_must(owner >= 0);
	if (!owner) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		large_roots(&t);
		shared->fd = t.vm;
		t_must(write(ready[1], "r", 1) == 1);
		for (;;)
			pause();
	}
	t_must(read(ready[0], &byte, 1) == 1);
	pidfd = syscall(SYS_pidfd_open, owner, 0);
	attach.head.flags = HLK_ATTACH_INSPECT;
	attach.vm_fd = syscall(SYS_pidfd_getfd, pidfd, shared->fd, 0);
	t_must(attach.vm_fd >= 0);
	t_must(!hlk_call(hlk_open(), HLK_VM_ATTACH, &attach));
	for (pidfd = 0; pidfd < ROOTS; pidfd++)
		roots[pidfd] = TABLES + pidfd * PAGE;
	w.roots = (uintptr_t)roots;
	set_walk(&w);
	make_call(attach.out_fd, HLK_WALK, &w);
}

static void translate(void)
{
	struct hlk_translate tr = HLK_STRUCT(hlk_translate);
	struct tvm t;

	tr.root = large_roots(&t)[0];
	tr.paging.flags = HLK_PAGING_GIVEN | HLK_PAGING_PSE;
	make_call(t.hlk, HLK_TRANSLATE, &tr);
}

static void mark_cow(void)
{
	struct hlk_mark_cow m = HLK_STRUCT(hlk_mark_cow);
	struct tvm t;

	m.roots = (uintptr_t)large_roots(&t);
	m.nr_roots = ROOTS;
	m.paging.flags = HLK_PAGING_GIVEN | HLK_PAGING_PSE;
	make_call(t.hlk, HLK_MARK_COW, &m);
}

/* Every entry of many tables is to be marked. */
static void mark_cow_tables(void)
{
	struct hlk_mark_cow m = HLK_STRUCT(hlk_mark_cow);
	u64 roots[NR_TABLES / 1024];
	struct tvm t;
	u8 *at = big(&t);
	u32 i, k;
	u32 *to;

	for (i = 0; i < NR_TABLES; i++) {
		to = (u32 *)(at + i * PAGE);
		for (k = 0; k < 1024; k++)
			to[k] = (BIG_GPA + (NR_TABLES + k) * PAGE) | PTE_W | PTE_P;
		roots[i / 1024] = TABLES + i / 1024 * PAGE;
		to = (u32 *)tvm_at(&t, roots[i / 1024]);
		to[i % 1024] = (BIG_GPA + i * PAGE) | PTE_W | PTE_P;
	}
	m.roots = (uintptr_t)roots;
	m.nr_roots = ARRAY_SIZE(roots);
	m.paging.flags = HLK_PAGING_GIVEN;
	make_call(t.hlk, HLK_MARK_COW, &m);
}

/* ---- what is no ioctl ---- */

static long write_byte(void *at)
{
	*(volatile u8 *)at = 1;
	return 0;
}

/*
 * A page that all mappings show, and each of them all memslots: KVM goes through those
 * for each mapping.
 */
static void fault(void)
{
	struct tvm t;
	u8 *at;
	u32 i;

	big(&t);
	at = mmap(NULL, HLK_MAX_MAPPINGS * PAGE, PROT_NONE,
		  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	t_must(at != MAP_FAILED);
	for (i = 0; i < HLK_MAX_MAPPINGS - 1; i++) {
		t_must(mmap(at + i * PAGE, PAGE, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_FIXED, t.hlk, BIG_GPA) != MAP_FAILED);
		(void)*(volatile u8 *)(at + i * PAGE);
	}
	slots_from(&t, SLOTS, at, (HLK_MAX_MAPPINGS - 1) * PAGE, 0);
	act(write_byte, at);
}

static long unmap_big(void *at)
{
	return munmap(at, BIG_PAGES * PAGE) ? -errno : 0;
}

static void unmap(void)
{
	struct tvm t;
	u8 *at = big(&t);

	write_pages(at, BIG_PAGES, 1);
	act(unmap_big, at);
}

static long close_fd(void *fd)
{
	return close((intptr_t)fd) ? -errno : 0;
}

/* The last reference to a VM with many private pages */
static void close_vm(void)
{
	struct tvm t;
	intptr_t fd;

	write_pages(big(&t), BIG_PAGES, 1);
	fd = t.hlk;
	t.hlk = -1;
	tvm_close(&t);
	act(close_fd, (void *)fd);
}

static void close_snapshot(void)
{
	struct tvm t;
	intptr_t fd;

	write_pages(big(&t), BIG_PAGES, 1);
	fd = snapshot(&t);
	tvm_close(&t);
	act(close_fd, (void *)fd);
}

/* ---- those with little to do: 64 windows are the most that they look at ---- */

static u64 window_gpa(u32 i)
{
	return BIG_GPA + i * 2 * PAGE;
}

static void windows(struct tvm *t, u32 nr)
{
	u32 i;

	tvm_open(t);
	tvm_attach(t, 0, 0);
	for (i = 0; i < nr; i++)
		t_must(!hlk_window_add(t->hlk, window_gpa(i), PAGE, 0));
	tvm_set(t, TVM_CODE);
}

static void info(void)
{
	struct hlk_info i = HLK_STRUCT(hlk_info);

	make_call(hlk_open(), HLK_INFO, &i);
}

static void attach(void)
{
	struct hlk_vm_attach a = HLK_STRUCT(hlk_vm_attach);
	struct tvm t;

	tvm_open(&t);
	a.vm_fd = t.vm;
	make_call(t.dev, HLK_VM_ATTACH, &a);
}

static void window_add(void)
{
	struct hlk_window_add a = HLK_STRUCT(hlk_window_add);
	struct tvm t;

	windows(&t, 63);
	a.window.gpa = window_gpa(63);
	a.window.bytes = PAGE;
	make_call(t.hlk, HLK_WINDOW_ADD, &a);
}

static void stats(void)
{
	struct hlk_vm_stats s = HLK_STRUCT(hlk_vm_stats);
	struct tvm t;

	windows(&t, 64);
	make_call(t.hlk, HLK_VM_STATS, &s);
}

static void snapshot_info(void)
{
	struct hlk_snapshot_info i = HLK_STRUCT(hlk_snapshot_info);
	static struct hlk_window to[64];
	struct tvm t;

	windows(&t, 64);
	i.windows = (uintptr_t)to;
	i.window_size = sizeof(to[0]);
	i.nr_windows = ARRAY_SIZE(to);
	make_call(snapshot(&t), HLK_SNAPSHOT_INFO, &i);
}

/* ---- the parent ---- */

static const struct {
	const char *name;
	void (*child)(void);
} cases[] = {
	{ "restore-give-back", restore_give_back },
	{ "restore-switch", restore_switch },
	{ "restore-copy", restore_copy },
	{ "restore-audit", restore_audit },
	{ "uring-inline", ring_inline },
	{ "uring-worker", ring_worker },
	{ "run", run },
	{ "run-many", run_many },
	{ "prefault", prefault },
	{ "snapshot-flat", snapshot_flat },
	{ "snapshot-inherit", snapshot_inherit },
	{ "snapshot-dedup", snapshot_dedup },
	{ "snapshot-compact", snapshot_compact },
	{ "snapshot-delta", snapshot_delta },
	{ "snapshot-build", snapshot_build },
	{ "walk", walk },
	{ "walk-inspect", walk_inspect },
	{ "translate", translate },
	{ "mark-cow", mark_cow },
	{ "mark-cow-tables", mark_cow_tables },
	{ "page-fault", fault },
	{ "munmap", unmap },
	{ "close-vm", close_vm },
	{ "close-snapshot", close_snapshot },
	{ "info", info },
	{ "vm-attach", attach },
	{ "window-add", window_add },
	{ "vm-stats", stats },
	{ "snapshot-info", snapshot_info },
};

static FILE *json;

static void wait_for(char what)
{
	char byte;

	t_must(read(tell[0], &byte, 1) == 1);
	t_must(byte == what);
}

static pid_t begin(void (*child)(void), bool no_call)
{
	pid_t pid;

	memset(shared, 0, sizeof(*shared));
	idle = no_call;
	fflush(NULL);
	t_must(!pipe(tell));
	pid = fork();
	t_must(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		child();
	}
	/* or it would never be heard that the child has died */
	close(tell[1]);
	wait_for('b');
	return pid;
}

/* How long a process takes to be gone from SIGKILL on */
static u64 end(pid_t pid)
{
	u64 start = t_now();
	int status;

	kill(pid, SIGKILL);
	t_must(waitpid(pid, &status, 0) == pid);
	start = t_now() - start;
	close(tell[0]);
	t_must(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	return start;
}

/* The whole call; with @hold, of each kind of lock */
static u64 whole(void (*child)(void), double *hold)
{
	pid_t pid = begin(child, false);

	wait_for('e');
	if (hold)
		holds_read(pid, hold);
	end(pid);
	errno = -shared->ret;
	t_must(!shared->ret);
	return shared->ns;
}

/* In the middle of the call: @ns after it began, if it is not over by then */
static u64 killed(void (*child)(void), u64 ns)
{
	struct timespec wait = { ns / 1000000000, ns % 1000000000 };
	pid_t pid = begin(child, false);

	nanosleep(&wait, NULL);
	return end(pid);
}

static u64 not_called(void (*child)(void))
{
	pid_t pid = begin(child, true);

	wait_for('e');
	return end(pid);
}

static double ms(u64 ns)
{
	return ns / 1e6;
}

static void to_json(const char *name, double value)
{
	if (json)
		fprintf(json, ", \"%s_ms\": %.4f", name, value);
}

static void measure_gone(void (*child)(void), u32 runs)
{
	u64 call = ~0ULL, none = ~0ULL, worst = 0;
	u64 ns;
	u32 i;

	for (i = 0; i < runs; i++) {
		ns = whole(child, NULL);
		call = ns < call ? ns : call;
		ns = not_called(child);
		none = ns < none ? ns : none;
	}
	for (i = 1; i < PARTS; i++) {
		ns = killed(child, call * i / PARTS);
		worst = ns > worst ? ns : worst;
	}
	printf(" %10.3f %10.3f %10.3f\n", ms(call), ms(worst), ms(none));
	to_json("call", ms(call));
	to_json("killed", ms(worst));
	to_json("no_call", ms(none));
}

static void measure_holds(void (*child)(void), u32 runs)
{
	double least[NR_HOLDS], hold[NR_HOLDS];
	u64 call = ~0ULL, ns;
	u32 i, k;

	for (i = 0; i < runs; i++) {
		holds_clear();
		ns = whole(child, hold);
		call = ns < call ? ns : call;
		for (k = 0; k < NR_HOLDS; k++)
			if (!i || hold[k] < least[k])
				least[k] = hold[k];
	}
	printf(" %10.3f", ms(call));
	to_json("call", ms(call));
	for (k = 0; k < NR_HOLDS; k++) {
		if (least[k] < 0) {
			printf(" %10s", "-");
			continue;
		}
		printf(" %10.3f", least[k]);
		to_json(hold_names[k], least[k]);
	}
	printf("\n");
}

static double reference(void)
{
	u8 *from = calloc(BIG_PAGES, PAGE);
	u8 *to = calloc(BIG_PAGES, PAGE);
	u64 start;

	t_must(from && to);
	memset(from, 1, BIG_PAGES * PAGE);
	memset(to, 2, BIG_PAGES * PAGE);
	start = t_now();
	memcpy(to, from, BIG_PAGES * PAGE);
	asm volatile("" :: "r"(to) : "memory");
	start = t_now() - start;
	free(from);
	free(to);
	return ms(start);
}

static void head(bool holds)
{
	double copy = reference();
	u32 i;

	printf("%lu pages are copied in %.3f ms\n", BIG_PAGES, copy);
	printf("%-18s %10s", "ms", "call");
	for (i = 0; holds && i < NR_HOLDS; i++)
		printf(" %10s", hold_names[i]);
	printf(holds ? "\n" : " %10s %10s\n", "killed", "no call");
	if (json)
		fprintf(json, "{ \"copy_%lu_pages_ms\": %.4f }\n", BIG_PAGES, copy);
}

static bool wanted(const char *name, char **names)
{
	char **any;

	for (any = names; *any; any++)
		if (!strcmp(name, *any))
			return true;
	return !*names;
}

static int list(void)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		printf("%s\n", cases[i].name);
	return 0;
}

int main(int argc, char **argv)
{
	bool holds = false;
	u32 runs = 2;
	u32 i;

	for (argv++; *argv && !strncmp(*argv, "--", 2); argv++) {
		if (!strcmp(*argv, "--list"))
			return list();
		if (!strcmp(*argv, "--holds"))
			holds = true;
		else if (!strcmp(*argv, "--runs") && argv[1])
			runs = strtoul(*++argv, NULL, 0);
		else if (!strcmp(*argv, "--json") && argv[1])
			t_must((json = fopen(*++argv, "w")));
		else
			return 2;
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	t_must(shared != MAP_FAILED);
	if (holds) {
		holds_open();
		tracing = holds_switch();
	}
	head(holds);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		if (!wanted(cases[i].name, argv))
			continue;
		printf("%-18s", cases[i].name);
		if (json)
			fprintf(json, "{ \"case\": \"%s\"", cases[i].name);
		if (holds)
			measure_holds(cases[i].child, runs);
		else
			measure_gone(cases[i].child, runs);
		if (json)
			fprintf(json, " }\n");
		fflush(NULL);
	}
	if (json)
		fclose(json);
	if (holds)
		holds_close();
	return 0;
}
