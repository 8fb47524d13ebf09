// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process that is killed in the middle of long work in the kernel is gone at
 * once: the work stops where it is, and nothing of it stays.
 *
 * How far the work got is seen from outside: by the pages that the module holds,
 * or by the reply, in memory that both processes share.
 */
#include <poll.h>
#include <signal.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "hlk_test.h"
#include "harness.h"

#define BIG_GPA		0x1000000UL
#define BIG_PAGES	8192UL
#define WIDE_GPA	0x10000000UL
#define WIDE_PAGES	65536UL
#define TABLES		0x40000UL
#define ROUNDS		6
#define NR_REPLIES	(1UL << 16)

/**
 * struct shared - what both processes see
 * @ready: the child is about to make the call
 * @over: the call came to its end
 * @ns: how long it took, of those who say it
 * @hlk: the child's hlk VM, for who wants it
 * @looker: a process that has the child's memory, and looks at its guest
 * @looks: how often it did
 * @replies: an array for the call to write
 */
struct shared {
	volatile bool ready;
	volatile bool over;
	volatile u64 ns;
	volatile int hlk;
	volatile pid_t looker;
	volatile u64 looks;
	u8 replies[NR_REPLIES * sizeof(struct hlk_mapping)] __attribute__((aligned(64)));
};

FIXTURE(killed) {
	int dev;
	struct hlk_info info;
	struct shared *shared;
};

typedef FIXTURE_DATA(killed) fixture;

FIXTURE_SETUP(killed)
{
	t_begin();
	self->dev = hlk_open();
	self->shared = mmap(NULL, sizeof(*self->shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->shared);
	OK(hlk_info(self->dev, &self->info));
}

FIXTURE_TEARDOWN(killed)
{
	munmap(self->shared, sizeof(*self->shared));
	close(self->dev);
	EXPECT_EQ(0, t_end());
}

static u64 live_pages(fixture *self)
{
	struct hlk_info info;

	t_must(!hlk_info(self->dev, &info));
	return info.live_pages - self->info.live_pages;
}

/* ---- the child ---- */

static u8 *big(struct tvm *t)
{
	u8 *at;

	tvm_open(t);
	tvm_attach(t, 0, 0);
	tvm_window(t, 0, TVM_LOW, 0);
	at = tvm_window(t, BIG_GPA, BIG_PAGES * PAGE, 0);
	tvm_window(t, TVM_SCRATCH_GPA, TVM_SCRATCH, HLK_WINDOW_SCRATCH);
	tvm_set(t, TVM_CODE);
	return at;
}

static void write_pages(u8 *at)
{
	u64 i;

	for (i = 0; i < BIG_PAGES; i++)
		*(u64 *)(at + i * PAGE) = i + 1;
}

static u32 map_pages(struct tvm *t)
{
	struct tvm_pt pt = { t, TABLES, PTE_P | PTE_W };
	u32 root = tvm_pt_page(&pt);

	tvm_pt_map(&pt, root, 0x10000000, BIG_GPA, BIG_PAGES, PTE_P | PTE_W);
	tvm_set_paging(t, TVM_CODE, root, 0);
	return root;
}

static void child_flat(struct shared *shared)
{
	struct tvm t;

	write_pages(big(&t));
	shared->ready = true;
	hlk_snapshot_flat(t.hlk);
}

static void child_compact(struct shared *shared)
{
	struct hlk_snapshot s = {};
	struct tvm t;

	write_pages(big(&t));
	map_pages(&t);
	s.head.flags = HLK_SNAPSHOT_COMPACT;
	s.input_bytes = 0x4000;
	s.output_bytes = 0x4000;
	shared->ready = true;
	hlk_snapshot(t.hlk, &s);
}

static void child_build(struct shared *shared)
{
	struct hlk_snapshot_build b = HLK_STRUCT(hlk_snapshot_build);
	struct hlk_window window = { .gpa = BIG_GPA, .bytes = BIG_PAGES * PAGE };
	struct hlk_segment segment = { .gpa = BIG_GPA, .bytes = window.bytes };
	void *at = mmap(NULL, window.bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int dev = hlk_open();

	t_must(at != MAP_FAILED);
	/* pages of zeroes are not kept, and so would be no progress */
	write_pages(at);
	segment.data = (uintptr_t)at;
	b.window_size = sizeof(struct hlk_window);
	b.nr_windows = 1;
	b.windows = (uintptr_t)&window;
	b.segment_size = sizeof(struct hlk_segment);
	b.nr_segments = 1;
	b.segments = (uintptr_t)&segment;
	shared->ready = true;
	hlk_call(dev, HLK_SNAPSHOT_BUILD, &b);
}

/* What is private in one sandbox, and so is remembered, is made so in another */
static void child_prefault(struct shared *shared)
{
	struct hlk_prefault p = HLK_STRUCT(hlk_prefault);
	struct tvm t, other;
	u8 *at = big(&t);
	int snap = hlk_snapshot_flat(t.hlk);

	t_must(snap >= 0);
	t_must(!hlk_restore(t.hlk, snap, NULL));
	write_pages(at);
	tvm_close(&t);
	big(&other);
	t_must(!hlk_restore(other.hlk, snap, NULL));
	p.runs = (uintptr_t)shared->replies;
	p.run_size = sizeof(struct hlk_touched);
	p.nr_runs = NR_REPLIES;
	shared->ready = true;
	hlk_call(other.hlk, HLK_PREFAULT, &p);
}

/* Many directories of which each entry is a run of its own */
static void child_walk(struct shared *shared)
{
	struct hlk_walk w = HLK_STRUCT(hlk_walk);
	struct tvm_pt pt = { .next = TABLES, .flags = PTE_P | PTE_W };
	static u64 roots[64];
	struct tvm t;
	u32 table, i;
	u32 *pd;

	big(&t);
	pt.t = &t;
	table = tvm_pt_page(&pt);
	for (i = 0; i < ARRAY_SIZE(roots); i++) {
		roots[i] = tvm_pt_page(&pt);
		pd = (u32 *)tvm_at(&t, roots[i]);
		memset(pd, 0, PAGE);
		for (table = 0; table < 1024; table++)
			pd[table] = TABLES | PTE_P;
	}
	w.paging.flags = HLK_PAGING_GIVEN;
	w.roots = (uintptr_t)roots;
	w.nr_roots = ARRAY_SIZE(roots);
	w.mappings = (uintptr_t)shared->replies;
	w.mapping_size = sizeof(struct hlk_mapping);
	w.nr_mappings = NR_REPLIES;
	shared->ready = true;
	hlk_call(t.hlk, HLK_WALK, &w);
}

/* Private pages with a gap between each two, and more mappings than anybody wants */
#define FEW_PAGES	1024UL

static int may_give_back(struct tvm *t)
{
	int snap;
	u8 *at;
	u64 i;

	tvm_open(t);
	tvm_attach(t, 0, 1);
	at = tvm_window(t, BIG_GPA, BIG_PAGES * PAGE, 0);
	for (i = 1; i < HLK_MAX_MAPPINGS; i++)
		tvm_map(t, BIG_GPA, BIG_PAGES * PAGE, PROT_READ);
	tvm_set(t, TVM_CODE);
	snap = hlk_snapshot_flat(t->hlk);
	t_must(snap >= 0);
	t_must(!hlk_restore(t->hlk, snap, NULL));
	for (i = 0; i < FEW_PAGES; i++)
		at[2 * i * PAGE] = 1;
	return snap;
}

static void child_give_back(struct shared *shared)
{
	struct tvm t;
	int snap = may_give_back(&t);

	shared->hlk = t.hlk;
	shared->ready = true;
	hlk_restore(t.hlk, snap, NULL);
}

/* The second switch: to unmap a page of each 256, in each of many mappings */
static void child_switch(struct shared *shared)
{
	int snap, other;
	struct tvm t;
	u64 i, k;
	u8 *at;

	tvm_open(&t);
	tvm_attach(&t, 0, 0);
	at = tvm_window(&t, WIDE_GPA, WIDE_PAGES * PAGE, 0);
	tvm_set(&t, TVM_CODE);
	other = hlk_snapshot_flat(t.hlk);
	for (k = 0; k < WIDE_PAGES; k += 256)
		at[k * PAGE] = 1;
	snap = hlk_snapshot_flat(t.hlk);
	t_must(other >= 0 && snap >= 0);
	t_must(!hlk_restore(t.hlk, other, NULL));
	for (i = 1; i < HLK_MAX_MAPPINGS; i++) {
		at = tvm_map(&t, WIDE_GPA, WIDE_PAGES * PAGE, PROT_READ);
		for (k = 0; k < WIDE_PAGES; k += 256)
			(void)*(volatile u8 *)(at + k * PAGE);
	}
	shared->hlk = t.hlk;
	shared->ns = t_now();
	shared->ready = true;
	hlk_restore(t.hlk, snap, NULL);
	shared->ns = t_now() - shared->ns;
}

/* It has the child's memory, and so shall not touch what the C library keeps there. */
static int look(void *arg)
{
	static struct hlk_translate t = HLK_STRUCT(hlk_translate);
	struct shared *shared = arg;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	t.root = BIG_GPA;
	t.paging.flags = HLK_PAGING_GIVEN;
	for (;;) {
		ioctl(shared->hlk, HLK_TRANSLATE, &t);
		shared->looks++;
	}
	return 0;
}

static void child_looked_at(struct shared *shared)
{
	static u8 stack[8 * PAGE] __attribute__((aligned(16)));
	struct tvm t;
	int snap = may_give_back(&t);

	shared->hlk = t.hlk;
	shared->looker = clone(look, stack + sizeof(stack), CLONE_VM | SIGCHLD, shared);
	t_must(shared->looker > 0);
	while (!shared->looks)
		sched_yield();
	shared->ready = true;
	hlk_restore(t.hlk, snap, NULL);
}

/* ---- the parent ---- */

static u64 progress_pages(fixture *self)
{
	return live_pages(self);
}

/* Of two mappings in a row one at least does not begin at address 0. */
static u64 progress_walk(fixture *self)
{
	volatile struct hlk_mapping *to = (void *)self->shared->replies;
	u64 i;

	for (i = 0; i + 1 < NR_REPLIES; i += 100)
		if (!to[i].va && !to[i + 1].va)
			break;
	return i;
}

/*
 * Who is to kill and who works have one CPU, which is the former's whenever he wants it: on
 * an emulated machine two CPUs take turns, and one may be through with the work in its turn.
 */
static void come_first(void)
{
	struct sched_param param = { .sched_priority = 10 };
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	t_must(!sched_setaffinity(0, sizeof(set), &set));
	t_must(!sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param));
}

static void let_work(void)
{
	const struct timespec tick = { .tv_nsec = 1000000 };

	nanosleep(&tick, NULL);
}

/*
 * Kill the child when it has made @start steps since it was ready. How many there
 * were when it was gone.
 */
static u64 kill_at(struct __test_metadata *_metadata, fixture *self,
		   void (*child)(struct shared *shared), u64 (*progress)(fixture *self),
		   u64 start)
{
	long long now, most = 0;
	pid_t pid, ended;
	u64 begin;
	int status;

	memset(self->shared, 0, sizeof(*self->shared));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		child(self->shared);
		self->shared->over = true;
		pause();
	}
	while (!self->shared->ready && !waitpid(pid, &status, WNOHANG))
		let_work();
	ASSERT_TRUE(self->shared->ready);
	begin = progress(self);
	do {
		let_work();
		now = progress(self) - begin;
		/* what is under way at the begin may be gone */
	} while (now < (long long)start && !self->shared->over);
	kill(pid, SIGKILL);
	do {
		let_work();
		/* once more when it is gone: what was done until then can be seen still */
		ended = waitpid(pid, &status, WNOHANG);
		now = progress(self) - begin;
		if (now > most)
			most = now;
	} while (!ended);
	ASSERT_EQ(SIGKILL, WTERMSIG(status));
	return self->shared->over ? ~0ULL : most;
}

/*
 * Now and then the call is over before the signal comes. And what does not look at signals
 * may end by one in its middle, where it meets somebody at a lock.
 */
static void stops(struct __test_metadata *_metadata, fixture *self,
		  void (*child)(struct shared *shared), u64 (*progress)(fixture *self),
		  u64 all)
{
	u64 most = ~0ULL;
	u32 i;

	come_first();
	for (i = 0; i < ROUNDS && most >= all / 2; i++) {
		most = kill_at(_metadata, self, child, progress, all / 16);
		ASSERT_EQ(0, live_pages(self));
	}
	TH_LOG("gone after %lld of %llu", (long long)most, (unsigned long long)all);
	ASSERT_GT(all / 2, most);
}

#define STOPS(child, progress, all)	stops(_metadata, self, child, progress, all)

TEST_F(killed, in_a_flat_snapshot)
{
	STOPS(child_flat, progress_pages, BIG_PAGES);
}

TEST_F(killed, in_a_compact_snapshot)
{
	STOPS(child_compact, progress_pages, BIG_PAGES);
}

TEST_F(killed, in_the_build_of_an_image)
{
	STOPS(child_build, progress_pages, BIG_PAGES);
}

TEST_F(killed, in_a_prefault)
{
	STOPS(child_prefault, progress_pages, BIG_PAGES);
}

TEST_F(killed, in_a_walk)
{
	STOPS(child_walk, progress_walk, NR_REPLIES);
}

/* The VM outlives the child by a second fd, which says what came of it. */
static void outlived(struct __test_metadata *_metadata, fixture *self,
		     void (*child)(struct shared *shared), bool (*go_on)(fixture *self, u64 begin),
		     struct hlk_vm_stats *stats)
{
	int pidfd, vm, status;
	u64 begin;
	pid_t pid;

	memset(self->shared, 0, sizeof(*self->shared));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		child(self->shared);
		self->shared->over = true;
		pause();
	}
	while (!self->shared->ready && !waitpid(pid, &status, WNOHANG))
		sched_yield();
	ASSERT_TRUE(self->shared->ready);
	begin = live_pages(self);
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	vm = syscall(SYS_pidfd_getfd, pidfd, self->shared->hlk, 0);
	ASSERT_LE(0, vm);
	while (go_on(self, begin) && !self->shared->over)
		sched_yield();
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	OK(hlk_stats(vm, stats));
	close(vm);
	close(pidfd);
}

static bool few_given_back(fixture *self, u64 begin)
{
	return live_pages(self) + 16 > begin;
}

TEST_F(killed, while_pages_are_given_back)
{
	struct hlk_vm_stats stats;
	u64 kept = 1;
	u32 i;

	for (i = 0; i < ROUNDS && kept <= 1; i++) {
		outlived(_metadata, self, child_give_back, few_given_back, &stats);
		kept = stats.private_pages;
		ASSERT_EQ(0, live_pages(self));
	}
	TH_LOG("%llu of %lu pages were not given back", (unsigned long long)kept, FEW_PAGES);
	ASSERT_LT(1, kept);
}

static u64 whole;

static bool not_over(fixture *self, u64 begin)
{
	return true;
}

static bool in_its_first_third(fixture *self, u64 begin)
{
	return t_now() - self->shared->ns < whole / 3;
}

/* Then it has changed nothing. */
TEST_F(killed, while_going_over_to_another_snapshot)
{
	struct hlk_vm_stats stats;
	u32 i;

	outlived(_metadata, self, child_switch, not_over, &stats);
	ASSERT_EQ(2, stats.switches);
	whole = self->shared->ns;
	for (i = 0; i < ROUNDS && stats.switches == 2; i++) {
		outlived(_metadata, self, child_switch, in_its_first_third, &stats);
		ASSERT_EQ(0, live_pages(self));
	}
	TH_LOG("it takes %llu us", (unsigned long long)whole / 1000);
	ASSERT_EQ(1, stats.switches);
}

static bool sleeps(pid_t pid)
{
	char path[64], line[512] = "";
	const char *at;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	t_must(file);
	at = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
	fclose(file);
	return at && at[2] == 'D';
}

/*
 * Is one that waits for the guest's pages gone before the restore lets go of them? That
 * it is not over says its work: by then it has given all pages back but one.
 */
static bool gone_before(struct __test_metadata *_metadata, fixture *self)
{
	struct pollfd gone = { .events = POLLIN };
	bool before, waits;
	int status;
	pid_t pid;
	u64 looks;

	memset(self->shared, 0, sizeof(*self->shared));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		child_looked_at(self->shared);
		self->shared->over = true;
		pause();
	}
	while (!self->shared->ready && !waitpid(pid, &status, WNOHANG))
		sched_yield();
	ASSERT_TRUE(self->shared->ready);
	gone.fd = syscall(SYS_pidfd_open, self->shared->looker, 0);
	ASSERT_LE(0, gone.fd);
	do {
		looks = self->shared->looks;
		waits = sleeps(self->shared->looker);
		usleep(10000);
		waits &= sleeps(self->shared->looker) && looks == self->shared->looks;
	} while (!waits && !self->shared->over);
	kill(self->shared->looker, SIGKILL);
	ASSERT_EQ(1, poll(&gone, 1, -1));
	before = waits && live_pages(self) > FEW_PAGES / 4;
	close(gone.fd);
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	return before;
}

TEST_F(killed, in_a_look_at_a_guest_that_is_restored)
{
	bool before = false;
	u32 i;

	for (i = 0; i < ROUNDS && !before; i++) {
		before = gone_before(_metadata, self);
		ASSERT_EQ(0, live_pages(self));
	}
	ASSERT_TRUE(before);
}

TEST_HARNESS_MAIN
