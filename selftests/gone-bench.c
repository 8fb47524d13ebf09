// SPDX-License-Identifier: GPL-2.0-only
/*
 * Not a test: how long each call takes with the worst arguments that were thought of,
 * and how long after SIGKILL in the middle of it the process is gone.
 *
 *	gone-bench [CASE...]
 *
 * Beside it stands what it takes to kill the same process when it makes no call, for
 * its memory has to be freed in either case; and at the top how long this machine takes
 * to copy the pages of the largest case. A lock is held at most as long as the call.
 */
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "hlk_test.h"

#define BIG_GPA		0x1000000UL
#define BIG_PAGES	8192UL
#define TABLES		0x40000UL
#define SPARSE_GPA	0x100000000UL
#define SPARSE_PAGES	(1UL << 21)
#define ROOTS		8
#define SLOTS		4096
#define NR_REPLIES	(1UL << 16)
#define PARTS		4

/**
 * struct shared - what both processes see
 * @ready: the child is about to make the call, or to pause
 * @ns: how long the call took; 0 for not over
 */
struct shared {
	volatile bool ready;
	volatile u64 ns;
};

static struct shared *shared;
static bool idle;

static u64 now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* ---- the child ---- */

static void make_call(int fd, unsigned long cmd, void *arg)
{
	u64 start = now();

	shared->ready = true;
	if (!idle)
		hlk_call(fd, cmd, arg);
	shared->ns = now() - start ?: 1;
	for (;;)
		pause();
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

static void restore_give_back(void)
{
	struct hlk_restore r = HLK_STRUCT(hlk_restore);
	struct tvm t;
	u8 *at = machine(&t, 1, BIG_GPA, BIG_PAGES);

	r.snapshot_fd = snapshot(&t);
	t_must(!hlk_restore(t.hlk, r.snapshot_fd, NULL));
	write_pages(at, BIG_PAGES / 4, 2);
	map_often(&t, 256);
	make_call(t.hlk, HLK_RESTORE, &r);
}

static void restore_switch(void)
{
	struct hlk_restore r = HLK_STRUCT(hlk_restore);
	struct tvm t;
	u8 *at = machine(&t, 0, BIG_GPA, BIG_PAGES);
	int other = snapshot(&t);

	write_pages(at, BIG_PAGES, 1);
	r.snapshot_fd = snapshot(&t);
	t_must(!hlk_restore(t.hlk, other, NULL));
	map_often(&t, 8);
	make_call(t.hlk, HLK_RESTORE, &r);
}

static void restore_copy(void)
{
	struct hlk_restore r = HLK_STRUCT(hlk_restore);
	struct tvm t;
	u8 *at = machine(&t, 0, BIG_GPA, BIG_PAGES);

	write_pages(at, BIG_PAGES, 1);
	r.snapshot_fd = snapshot(&t);
	t_must(!hlk_restore(t.hlk, r.snapshot_fd, NULL));
	make_call(t.hlk, HLK_RESTORE, &r);
}

/* All memory once more in many memslots */
static void more_slots(struct tvm *t, u8 *at)
{
	struct kvm_userspace_memory_region region = {
		.guest_phys_addr = SPARSE_GPA,
		.memory_size = PAGE,
	};
	u32 i;

	for (i = 0; i < SLOTS; i++, region.guest_phys_addr += 2 * PAGE) {
		region.slot = 100 + i;
		region.userspace_addr = (uintptr_t)at + i * PAGE;
		t_must(!ioctl(t->vm, KVM_SET_USER_MEMORY_REGION, &region));
	}
}

static void restore_audit(void)
{
	struct hlk_restore r = HLK_STRUCT(hlk_restore);
	struct tvm t;
	u8 *at = machine(&t, 0, BIG_GPA, BIG_PAGES);

	more_slots(&t, at);
	write_pages(at, BIG_PAGES, 1);
	r.snapshot_fd = snapshot(&t);
	t_must(!hlk_restore(t.hlk, r.snapshot_fd, NULL));
	write_pages(at, BIG_PAGES, 1);
	r.head.flags = HLK_RESTORE_AUDIT;
	make_call(t.hlk, HLK_RESTORE, &r);
}

static void snapshot_flat(void)
{
	struct hlk_snapshot s = HLK_STRUCT(hlk_snapshot);
	struct tvm t;

	write_pages(machine(&t, 0, BIG_GPA, BIG_PAGES), BIG_PAGES, 1);
	make_call(t.hlk, HLK_SNAPSHOT, &s);
}

/* A parent of many pages that lie far from each other */
static void snapshot_inherit(void)
{
	struct hlk_snapshot s = HLK_STRUCT(hlk_snapshot);
	struct tvm t;

	write_pages(machine(&t, 1, SPARSE_GPA, SPARSE_PAGES), BIG_PAGES, 256);
	t_must(!hlk_restore(t.hlk, snapshot(&t), NULL));
	make_call(t.hlk, HLK_SNAPSHOT, &s);
}

static void snapshot_dedup(void)
{
	struct hlk_snapshot s = HLK_STRUCT(hlk_snapshot);
	struct tvm t;

	write_pages(machine(&t, 0, BIG_GPA, BIG_PAGES), BIG_PAGES, 1);
	s.head.flags = HLK_SNAPSHOT_DEDUP;
	make_call(t.hlk, HLK_SNAPSHOT, &s);
}

static void snapshot_compact(void)
{
	struct tvm_pt pt = { .next = TABLES, .flags = PTE_P | PTE_W };
	struct hlk_snapshot s = HLK_STRUCT(hlk_snapshot);
	struct tvm t;
	u32 root;

	write_pages(machine(&t, 0, BIG_GPA, BIG_PAGES), BIG_PAGES, 1);
	pt.t = &t;
	root = tvm_pt_page(&pt);
	tvm_pt_map(&pt, root, 0x10000000, BIG_GPA, BIG_PAGES, PTE_P | PTE_W);
	tvm_set_paging(&t, TVM_CODE, root, 0);
	s.head.flags = HLK_SNAPSHOT_COMPACT;
	s.input_bytes = 0x4000;
	s.output_bytes = 0x4000;
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
	b.windows = (uintptr_t)&window;
	b.nr_segments = 1;
	b.segments = (uintptr_t)&segment;
	make_call(hlk_open(), HLK_SNAPSHOT_BUILD, &b);
}

/* Directories of 4 MiB entries: of each page it has to be asked whether it is there. */
static u64 *large_roots(struct tvm *t)
{
	static u64 roots[ROOTS];
	u8 *at = machine(t, 0, BIG_GPA, BIG_PAGES);
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

static void walk(void)
{
	struct hlk_walk w = HLK_STRUCT(hlk_walk);
	struct tvm t;

	w.roots = (uintptr_t)large_roots(&t);
	w.nr_roots = ROOTS;
	w.paging.flags = HLK_PAGING_GIVEN | HLK_PAGING_PSE;
	w.nr_mappings = NR_REPLIES * 4;
	w.mappings = (uintptr_t)mmap(NULL, w.nr_mappings * sizeof(struct hlk_mapping),
				     PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	make_call(t.hlk, HLK_WALK, &w);
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

static void translate(void)
{
	struct hlk_translate tr = HLK_STRUCT(hlk_translate);
	struct tvm t;

	tr.root = large_roots(&t)[0];
	tr.paging.flags = HLK_PAGING_GIVEN | HLK_PAGING_PSE;
	make_call(t.hlk, HLK_TRANSLATE, &tr);
}

static void prefault(void)
{
	static struct hlk_touched runs[BIG_PAGES];
	struct hlk_prefault p = HLK_STRUCT(hlk_prefault);
	struct tvm t, other;
	u8 *at = machine(&t, 0, BIG_GPA, BIG_PAGES);
	int snap = snapshot(&t);

	t_must(!hlk_restore(t.hlk, snap, NULL));
	write_pages(at, BIG_PAGES / 2, 2);
	tvm_close(&t);
	machine(&other, 0, BIG_GPA, BIG_PAGES);
	t_must(!hlk_restore(other.hlk, snap, NULL));
	map_often(&other, 256);
	p.runs = (uintptr_t)runs;
	p.nr_runs = BIG_PAGES;
	make_call(other.hlk, HLK_PREFAULT, &p);
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
	{ "snapshot-flat", snapshot_flat },
	{ "snapshot-inherit", snapshot_inherit },
	{ "snapshot-dedup", snapshot_dedup },
	{ "snapshot-compact", snapshot_compact },
	{ "snapshot-build", snapshot_build },
	{ "walk", walk },
	{ "mark-cow", mark_cow },
	{ "translate", translate },
	{ "prefault", prefault },
};

/* From SIGKILL, @ns after the child was ready, until it is gone. @call: how long that took */
static u64 gone(void (*child)(void), bool no_call, u64 ns, u64 *call)
{
	int status;
	u64 start;
	pid_t pid;

	shared->ready = false;
	shared->ns = 0;
	idle = no_call;
	fflush(stdout);
	pid = fork();
	t_must(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		child();
	}
	while (!shared->ready)
		t_must(!waitpid(pid, &status, WNOHANG));
	start = now();
	while (!shared->ns && now() - start < ns)
		sched_yield();
	*call = shared->ns;
	start = now();
	kill(pid, SIGKILL);
	t_must(waitpid(pid, &status, 0) == pid);
	return now() - start;
}

static double ms(u64 ns)
{
	return ns / 1e6;
}

static void measure(const char *name, void (*child)(void))
{
	u64 whole, over, ns, none, worst = 0;
	u32 i;

	gone(child, false, ~0ULL, &whole);
	none = gone(child, true, 0, &over);
	for (i = 1; i < PARTS; i++) {
		ns = gone(child, false, whole * i / PARTS, &over);
		if (ns > worst)
			worst = ns;
	}
	printf("%-18s %10.1f %10.1f %10.1f\n", name, ms(whole), ms(worst), ms(none));
	fflush(stdout);
}

static void reference(void)
{
	u8 *from = calloc(BIG_PAGES, PAGE);
	u8 *to = calloc(BIG_PAGES, PAGE);
	u64 start;

	memset(from, 1, BIG_PAGES * PAGE);
	memset(to, 2, BIG_PAGES * PAGE);
	start = now();
	memcpy(to, from, BIG_PAGES * PAGE);
	asm volatile("" :: "r"(to) : "memory");
	printf("%lu pages are copied in %.1f ms\n", BIG_PAGES, ms(now() - start));
	free(from);
	free(to);
}

int main(int argc, char **argv)
{
	u32 i;
	int k;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	t_must(shared != MAP_FAILED);
	reference();
	printf("%-18s %10s %10s %10s   ms\n", "", "call", "killed", "no call");
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		for (k = 1; k < argc && strcmp(argv[k], cases[i].name); k++)
			;
		if (argc == 1 || k < argc)
			measure(cases[i].name, cases[i].child);
	}
	return 0;
}
