// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads that write memory and page tables, while others walk, snapshot,
 * restore, map and unmap: no crash, no errno but those that are documented, and
 * in the end a restore brings everything back.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "hlk_test.h"
#include "harness.h"

#define TABLES		0x40000UL
#define NR_TABLES	8
#define SECONDS		4

GUEST(count, "1:	incl 0x20000\n"
	     "	incl 0x30000\n"
	     "	jmp 1b\n");

FIXTURE(races) {
	struct tvm t;
	int snap[2];
	u8 *before;
};

typedef FIXTURE_DATA(races) fixture;

static struct tvm *vm;
static int snaps[2];
static atomic_int stop;
static atomic_int strange;	/* -errno that nobody expected */
static atomic_int calls;	/* that were made */

static void expect(int ret, const int *allowed)
{
	calls++;
	if (ret >= 0)
		return;
	for (; *allowed; allowed++)
		if (ret == -*allowed)
			return;
	strange = ret;
}

#define MAY(call, ...)	expect(call, (const int[]){ __VA_ARGS__, 0 })

static u32 seed_of_all;

static u32 thread_seed(void *arg)
{
	return seed_of_all ^ (u32)(uintptr_t)arg * 2654435761U ?: 1;
}

/* ---- what threads do ---- */

static void *write_tables(void *arg)
{
	u32 *table = (u32 *)tvm_at(vm, TABLES);
	u32 seed = thread_seed(arg);

	while (!stop) {
		u32 nr = t_rnd(&seed) % (NR_TABLES * 1024);
		u32 entry = t_rnd(&seed) & 0xfff & ~PTE_PS;

		if (nr < 1024)
			entry |= (TABLES + t_rnd(&seed) % NR_TABLES * PAGE);
		else
			entry |= t_rnd(&seed) % TVM_LOW & -PAGE;
		__atomic_store_n(&table[nr], entry, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void *write_pages(void *arg)
{
	u32 seed = thread_seed(arg);
	u8 *low = tvm_at(vm, 0);

	while (!stop)
		low[0x50000 + t_rnd(&seed) % 0x40000] = t_rnd(&seed);
	return NULL;
}

static void *walk(void *arg)
{
	u64 roots[] = { TABLES, TABLES + PAGE, TABLES };
	struct hlk_mapping *mapping = malloc(500 * sizeof(*mapping));
	struct hlk_translate tr = {};
	u32 seed = thread_seed(arg);
	struct hlk_walk w;

	while (!stop) {
		w = (struct hlk_walk)HLK_STRUCT(hlk_walk);
		w.paging.flags = HLK_PAGING_GIVEN | HLK_PAGING_PSE;
		w.roots = (uintptr_t)roots;
		w.nr_roots = 3;
		w.mappings = (uintptr_t)mapping;
		w.mapping_size = sizeof(struct hlk_mapping);
		w.nr_mappings = 1 + t_rnd(&seed) % 500;
		do {
			MAY(hlk_call(vm->hlk, HLK_WALK, &w), EINVAL, EDQUOT);
		} while (w.cursor && t_rnd(&seed) % 4 && !stop);
		tr.paging.flags = HLK_PAGING_GIVEN;
		MAY(hlk_translate(vm->hlk, TABLES, t_rnd(&seed), &tr), ENXIO);
		tr.paging.flags = 0;
		MAY(hlk_translate(vm->hlk, HLK_ROOT_CR3, t_rnd(&seed), &tr),
		    ENXIO, EBUSY, EOPNOTSUPP);
	}
	free(mapping);
	return NULL;
}

static void *mark(void *arg)
{
	u64 roots[2] = { TABLES, TABLES + PAGE };
	u32 seed = thread_seed(arg);
	struct hlk_mark_cow m;

	while (!stop) {
		m = (struct hlk_mark_cow)HLK_STRUCT(hlk_mark_cow);
		m.paging.flags = HLK_PAGING_GIVEN;
		m.roots = (uintptr_t)roots;
		m.nr_roots = 1 + t_rnd(&seed) % 2;
		m.start = t_rnd(&seed) & -PAGE;
		MAY(hlk_call(vm->hlk, HLK_MARK_COW, &m), EBUSY, EDQUOT);
		/* a table entry is counted at most once */
		if (m.marked + m.already + m.read_only + m.live + m.not_ram > m.tables * 1024)
			strange = -ERANGE;
	}
	return NULL;
}

static void *restore(void *arg)
{
	u32 seed = thread_seed(arg);

	while (!stop)
		MAY(hlk_restore(vm->hlk, t_rnd(&seed) % 3 ? -1 : snaps[t_rnd(&seed) % 2],
				NULL), EBUSY);
	return NULL;
}

static void *snapshot(void *arg)
{
	u64 roots[2] = { TABLES, TABLES + PAGE };
	u32 seed = thread_seed(arg);

	while (!stop) {
		struct hlk_snapshot s = HLK_STRUCT(hlk_snapshot);
		int fd;

		if (t_rnd(&seed) % 2) {
			s.head.flags = HLK_SNAPSHOT_COMPACT |
				       (t_rnd(&seed) % 2 ? HLK_SNAPSHOT_HOST_COW : 0);
			s.roots = (uintptr_t)roots;
			s.nr_roots = 2;
			s.input_bytes = 0x2000;
			s.output_bytes = 0x2000;
		}
		if (t_rnd(&seed) % 4 == 0)
			s.head.flags |= HLK_SNAPSHOT_DEDUP;
		fd = hlk_snapshot(vm->hlk, &s);
		MAY(fd, EBUSY, EINVAL, ENOSPC, EDQUOT, ENODEV, EOPNOTSUPP);
		if (fd >= 0)
			close(fd);
	}
	return NULL;
}

static void *map(void *arg)
{
	u32 seed = thread_seed(arg);
	u64 gpa, pages, i;
	u8 *at;

	while (!stop) {
		gpa = t_rnd(&seed) % (TVM_LOW / PAGE) * PAGE;
		pages = 1 + t_rnd(&seed) % 16;
		if (gpa + pages * PAGE > TVM_LOW)
			continue;
		at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			  vm->hlk, gpa);
		if (at == MAP_FAILED) {
			strange = -errno;
			break;
		}
		for (i = 0; i < pages; i++) {
			*(volatile u8 *)&at[i * PAGE];
			if (gpa >= 0x50000 && t_rnd(&seed) % 2)
				at[i * PAGE] = 1;
		}
		if (t_rnd(&seed) % 2)
			madvise(at, pages * PAGE, MADV_DONTNEED);
		munmap(at, pages * PAGE);
		calls++;
	}
	return NULL;
}

static void *stats(void *arg)
{
	struct hlk_vm_stats s;
	struct hlk_info info;

	while (!stop) {
		MAY(hlk_stats(vm->hlk, &s), 0);
		MAY(hlk_info(vm->dev, &info), 0);
		if (s.private_pages > 2 * s.max_private + 2)
			strange = -ERANGE;
	}
	return NULL;
}

/* In and out of KVM_RUN; whatever the guest runs into is fine */
static void *run(void *arg)
{
	int ret;

	while (!stop) {
		ret = tvm_run(vm);
		calls++;
		if (ret < 0 && ret != -EINTR && ret != -EFAULT && ret != -EAGAIN)
			strange = ret;
	}
	return NULL;
}

static void no_op(int sig)
{
}

/* ---- mixtures ---- */

static void mix(struct __test_metadata *_metadata, fixture *self,
		void *(*const *what)(void *), u32 nr)
{
	const struct timespec tick = { .tv_nsec = 3000000 };
	struct sigaction action = { .sa_handler = no_op };
	pthread_t threads[9];
	time_t end;
	u32 i;

	vm = &self->t;
	snaps[0] = self->snap[0];
	snaps[1] = self->snap[1];
	stop = 0;
	strange = 0;
	calls = 0;
	sigaction(SIGUSR1, &action, NULL);
	for (i = 0; i < nr; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, what[i],
					    (void *)(uintptr_t)(i + 1)));
	/* a slow machine has longer */
	for (end = time(NULL) + SECONDS;
	     time(NULL) < end || (calls <= 10 && time(NULL) < end + 4 * SECONDS);
	     nanosleep(&tick, NULL))
		for (i = 0; i < nr; i++)
			if (what[i] == run)
				pthread_kill(threads[i], SIGUSR1);
	stop = 1;
	for (i = 0; i < nr; i++) {
		while (what[i] == run && pthread_tryjoin_np(threads[i], NULL)) {
			pthread_kill(threads[i], SIGUSR1);
			nanosleep(&tick, NULL);
		}
		if (what[i] != run)
			pthread_join(threads[i], NULL);
	}
	ASSERT_EQ(0, strange) {
		TH_LOG("%s", strerror(-strange));
	}
	TH_LOG("%d calls", calls);
	ASSERT_LT(10, calls);

	/* now that all is quiet everything comes back */
	OK(hlk_restore_flags(self->t.hlk, self->snap[0],
			     HLK_RESTORE_REPRODUCIBLE, NULL));
	ASSERT_EQ(0, memcmp(self->before, tvm_at(&self->t, 0), TVM_LOW));
}

#define MIX(...)							\
	do {								\
		void *(*const what_[])(void *) = { __VA_ARGS__ };	\
		mix(_metadata, self, what_, ARRAY_SIZE(what_));		\
	} while (0)

FIXTURE_SETUP(races)
{
	u32 seed = t_seed();
	u32 i;

	seed_of_all = seed;
	t_begin();
	tvm_start(&self->t, 0, 20);
	tvm_load(&self->t, TVM_CODE, count);
	for (i = 0; i < 100; i++)
		tvm_at(&self->t, 0x50000)[t_rnd(&seed) % 0x40000] = t_rnd(&seed);
	self->before = malloc(TVM_LOW);
	memcpy(self->before, tvm_at(&self->t, 0), TVM_LOW);
	tvm_set_paging(&self->t, TVM_CODE, TABLES, 0);
	self->snap[0] = OK(hlk_snapshot_flat(self->t.hlk));
	memset(tvm_at(&self->t, 0x60000), 0x66, 20 * PAGE);
	tvm_set(&self->t, TVM_CODE);
	self->snap[1] = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, self->snap[0], NULL));
}

FIXTURE_TEARDOWN(races)
{
	free(self->before);
	close(self->snap[0]);
	close(self->snap[1]);
	tvm_close(&self->t);
	EXPECT_EQ(0, t_end());
}

TEST_F(races, walks_of_tables_that_change)
{
	MIX(write_tables, walk, walk, restore);
}

TEST_F(races, snapshots_of_tables_that_change)
{
	MIX(write_tables, snapshot, snapshot, restore);
}

TEST_F(races, marks_of_tables_that_change)
{
	MIX(write_tables, write_tables, mark, mark, walk, restore);
}

TEST_F(races, snapshots_of_tables_that_are_marked)
{
	MIX(write_tables, mark, snapshot, restore);
}

TEST_F(races, restores_against_writes)
{
	MIX(write_pages, write_pages, restore, restore, stats);
}

TEST_F(races, restores_against_mappings)
{
	MIX(map, map, restore, write_pages);
}

TEST_F(races, restores_against_a_guest)
{
	MIX(run, restore, write_pages, snapshot);
}

TEST_F(races, all_at_once)
{
	MIX(run, write_tables, write_pages, walk, mark, restore, snapshot, map, stats);
}

/* Whoever reads sees the one snapshot or the other. */
static void *read_page(void *arg)
{
	const volatile u64 *words = arg;

	while (!stop) {
		u64 word = words[5];

		if (word != 0x1111111111111111ULL && word != 0x2222222222222222ULL)
			strange = -EIO;
		calls++;
	}
	return NULL;
}

TEST_F(races, readers_see_one_snapshot_or_the_other)
{
	const struct timespec tick = { .tv_nsec = 100000 };
	volatile u64 *words;
	pthread_t reader;
	int a, b, i;

	/* read through a mapping of its own, by nobody written: shared pages */
	OK(hlk_restore(self->t.hlk, self->snap[0], NULL));
	memset(tvm_at(&self->t, 0x90000), 0x11, PAGE);
	a = OK(hlk_snapshot_flat(self->t.hlk));
	memset(tvm_at(&self->t, 0x90000), 0x22, PAGE);
	b = OK(hlk_snapshot_flat(self->t.hlk));
	tvm_close(&self->t);
	tvm_start(&self->t, 0, 0);
	OK(hlk_restore(self->t.hlk, a, NULL));
	words = (u64 *)tvm_at(&self->t, 0x90000);
	stop = 0;
	strange = 0;
	calls = 0;
	ASSERT_EQ(0, pthread_create(&reader, NULL, read_page,
				    (void *)words));
	for (i = 0; i < 500; i++) {
		OK(hlk_restore(self->t.hlk, i % 2 ? a : b, NULL));
		nanosleep(&tick, NULL);
		/* whoever reads after the restore sees the new one */
		ASSERT_EQ(i % 2 ? 0x1111111111111111ULL : 0x2222222222222222ULL,
			  *words);
	}
	stop = 1;
	pthread_join(reader, NULL);
	ASSERT_EQ(0, strange);
	ASSERT_LT(10, calls);
	close(a);
	close(b);
}

TEST_HARNESS_MAIN
