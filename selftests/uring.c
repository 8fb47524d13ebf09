// SPDX-License-Identifier: GPL-2.0-only
/*
 * Restores by io_uring: the same calls with the same replies, many for one system
 * call, by workers where that can be. And no guest is run by it, in whatever way
 * the request comes, also while another guest runs.
 */
#include <dirent.h>
#include <liburing.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "hlk_test.h"
#include "harness.h"
#include "prog.h"

#define ENTRIES	64
#define VMS	16
#define INSIDE_SECONDS	10	/* an inline HLK_RUN stood still within one or two */
#define INSIDE_LONGEST	40

GUEST(count, "	incl 0x22000\n"
	     "	mov 0x22000, %ebx\n"
	     "	hlt\n");
GUEST(spin, "1:	incl 0x20000\n"
	    "	jmp 1b\n");

FIXTURE(uring) {
	struct tvm t;
	int snap;
	struct io_uring ring;
	struct hlk_restore restore;
	struct hlk_run run;
};

typedef FIXTURE_DATA(uring) fixture;

FIXTURE_SETUP(uring)
{
	t_begin();
	tvm_start(&self->t, 0, 0);
	tvm_load(&self->t, TVM_CODE, count);
	self->snap = hlk_snapshot_flat(self->t.hlk);
	t_must(self->snap >= 0);
	t_must(!hlk_restore(self->t.hlk, self->snap, NULL));
	t_must(!io_uring_queue_init(ENTRIES, &self->ring, 0));
	self->restore = (struct hlk_restore)HLK_STRUCT(hlk_restore);
	self->restore.snapshot_fd = -1;
	self->run = (struct hlk_run)HLK_STRUCT(hlk_run);
	self->run.input_size = sizeof(struct hlk_segment);
	self->run.vcpu_fd = self->t.vcpu;
}

FIXTURE_TEARDOWN(uring)
{
	io_uring_queue_exit(&self->ring);
	close(self->snap);
	tvm_close(&self->t);
	EXPECT_EQ(0, t_end());
}

/* liburing of 2022 has no function for these */
static struct io_uring_sqe *prepare(struct io_uring *ring, int fd, u32 op,
				    const void *arg)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	struct hlk_uring payload = { .arg = (uintptr_t)arg };

	t_must(sqe);
	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, fd, NULL, 0, 0);
	sqe->cmd_op = op;
	memcpy(sqe->cmd, &payload, sizeof(payload));
	return sqe;
}

/* Submit what is prepared; the result of one */
static int wait_one(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	int ret;

	t_must(io_uring_submit_and_wait(ring, 1) >= 0);
	t_must(!io_uring_peek_cqe(ring, &cqe));
	ret = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return ret;
}

/* One request, as a call; the head of the struct says what it said */
static int one(struct io_uring *ring, int fd, u32 op, void *arg, u32 flags)
{
	struct hlk_head *head = arg;
	int ret;

	prepare(ring, fd, op, arg)->flags |= flags;
	ret = wait_one(ring);
	t_why = head->why;
	t_index = head->index;
	t_where = head->where;
	return ret;
}

static void no_op(int sig)
{
}

static u32 counter(struct tvm *t)
{
	return *(volatile u32 *)tvm_at(t, 0x22000);
}

/* ---- what it does ---- */

TEST_F(uring, restores)
{
	int i;

	for (i = 0; i < 10; i++) {
		memset(tvm_at(&self->t, TVM_DATA), 1, 5 * PAGE);
		OK(one(&self->ring, self->t.hlk, HLK_RESTORE, &self->restore,
		       i % 2 ? IOSQE_ASYNC : 0));
		ASSERT_EQ(0, *tvm_at(&self->t, TVM_DATA));
		/* the reply is that of the ioctl */
		ASSERT_LE(5, self->restore.copied + self->restore.cleared);
		ASSERT_LE(5, self->restore.private_pages);
	}
	/* to a snapshot by its fd too */
	self->restore.snapshot_fd = self->snap;
	OK(one(&self->ring, self->t.hlk, HLK_RESTORE, &self->restore, 0));
	OK(one(&self->ring, self->t.hlk, HLK_RESTORE, &self->restore, IOSQE_ASYNC));
}

/* More locks are tried at once than lockdep follows one by one. */
TEST_F(uring, as_many_windows_as_there_may_be)
{
	struct hlk_info info;
	struct tvm wide;
	int snap;
	u32 i;

	OK(hlk_info(self->t.dev, &info));
	tvm_start(&wide, 0, 0);
	for (i = wide.nr_maps; i < info.max_windows; i++)
		OK(hlk_window_add(wide.hlk, (1ULL << 30) + ((u64)i << 20), PAGE, 0));
	snap = OK(hlk_snapshot_flat(wide.hlk));
	OK(hlk_restore(wide.hlk, snap, NULL));
	for (i = 0; i < 10; i++) {
		memset(tvm_at(&wide, TVM_DATA), 1, PAGE);
		OK(one(&self->ring, wide.hlk, HLK_RESTORE, &self->restore,
		       i % 2 ? IOSQE_ASYNC : 0));
		ASSERT_EQ(0, *tvm_at(&wide, TVM_DATA));
	}
	close(snap);
	tvm_close(&wide);
}

TEST_F(uring, vcpus_are_reset)
{
	struct kvm_sync_regs before;

	OK(hlk_restore(self->t.hlk, -1, NULL));
	ASSERT_EQ(0, tvm_complete_io(&self->t));
	before = self->t.run->s.regs;
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	ASSERT_NE(0, memcmp(&before.regs, &self->t.run->s.regs.regs,
			    sizeof(before.regs)));
	OK(one(&self->ring, self->t.hlk, HLK_RESTORE, &self->restore, IOSQE_ASYNC));
	ASSERT_EQ(0, tvm_complete_io(&self->t));
	ASSERT_EQ(0, memcmp(&before, &self->t.run->s.regs, sizeof(before)));
}

/* A request may wait for the one before it. */
TEST_F(uring, one_after_the_other)
{
	struct hlk_restore second = self->restore;

	prepare(&self->ring, self->t.hlk, HLK_RESTORE, &self->restore)->flags |=
		IOSQE_IO_LINK;
	prepare(&self->ring, self->t.hlk, HLK_RESTORE, &second)->flags |= IOSQE_IO_DRAIN;
	OK(wait_one(&self->ring));
	OK(wait_one(&self->ring));
}

/* What follows a request that failed is not done. */
TEST_F(uring, nothing_after_a_failure)
{
	struct hlk_restore second = self->restore;

	self->restore.snapshot_fd = self->t.vm;
	memset(tvm_at(&self->t, TVM_DATA), 1, PAGE);
	prepare(&self->ring, self->t.hlk, HLK_RESTORE, &self->restore)->flags |=
		IOSQE_IO_LINK;
	prepare(&self->ring, self->t.hlk, HLK_RESTORE, &second);
	ASSERT_EQ(-EBADF, wait_one(&self->ring));
	ASSERT_EQ(-ECANCELED, wait_one(&self->ring));
	ASSERT_EQ(1, *tvm_at(&self->t, TVM_DATA));
}

/* ---- many ---- */

struct many {
	struct tvm t[VMS];
	int snap[VMS];
	struct hlk_restore restore[ENTRIES];
};

static void open_many(struct many *m)
{
	u32 i;

	for (i = 0; i < VMS; i++) {
		tvm_start(&m->t[i], 0, 0);
		m->snap[i] = hlk_snapshot_flat(m->t[i].hlk);
		t_must(m->snap[i] >= 0);
		t_must(!hlk_restore(m->t[i].hlk, m->snap[i], NULL));
	}
}

static void close_many(struct many *m)
{
	u32 i;

	for (i = 0; i < VMS; i++) {
		close(m->snap[i]);
		tvm_close(&m->t[i]);
	}
}

static void dirty_many(struct many *m)
{
	u32 i;

	for (i = 0; i < VMS; i++)
		memset(tvm_at(&m->t[i], TVM_DATA), 1, 4 * PAGE);
}

static void prepare_many(struct io_uring *ring, struct many *m, u32 flags)
{
	struct io_uring_sqe *sqe;
	u32 i;

	for (i = 0; i < ENTRIES; i++) {
		m->restore[i] = (struct hlk_restore)HLK_STRUCT(hlk_restore);
		m->restore[i].snapshot_fd = -1;
		sqe = prepare(ring, m->t[i % VMS].hlk, HLK_RESTORE,
			      &m->restore[i]);
		sqe->flags |= flags;
		sqe->user_data = i;
	}
}

TEST_F(uring, sixty_four_in_one_system_call)
{
	struct many *m = calloc(1, sizeof(*m));
	struct io_uring_cqe *cqe;
	u64 seen;
	u32 round, i;

	ASSERT_NE(NULL, m);
	open_many(m);
	for (round = 0; round < 4; round++) {
		dirty_many(m);
		prepare_many(&self->ring, m, round % 2 ? IOSQE_ASYNC : 0);
		/* this is one io_uring_enter() */
		ASSERT_EQ(ENTRIES, io_uring_submit_and_wait(&self->ring, ENTRIES));
		for (seen = 0, i = 0; i < ENTRIES; i++) {
			ASSERT_EQ(0, io_uring_peek_cqe(&self->ring, &cqe));
			ASSERT_EQ(0, cqe->res);
			seen |= 1ULL << cqe->user_data;
			io_uring_cqe_seen(&self->ring, cqe);
		}
		ASSERT_EQ(~0ULL, seen);
		for (i = 0; i < VMS; i++)
			ASSERT_EQ(0, *tvm_at(&m->t[i], TVM_DATA + 3 * PAGE));
		/* each has its reply; those that come first have the work */
		for (i = 0; i < ENTRIES; i++)
			ASSERT_LE(1, m->restore[i].copied + m->restore[i].cleared);
	}
	close_many(m);
	free(m);
}

/* The ring goes while its requests are on their way; nothing is left. */
TEST_F(uring, a_ring_that_is_closed)
{
	struct many *m = calloc(1, sizeof(*m));
	struct io_uring ring;
	int round;

	ASSERT_NE(NULL, m);
	open_many(m);
	for (round = 0; round < 8; round++) {
		ASSERT_EQ(0, io_uring_queue_init(ENTRIES, &ring, 0));
		dirty_many(m);
		prepare_many(&ring, m, IOSQE_ASYNC);
		ASSERT_EQ(ENTRIES, io_uring_submit(&ring));
		io_uring_queue_exit(&ring);
	}
	close_many(m);
	free(m);
}

/* ---- errors ---- */

TEST_F(uring, errors_are_those_of_the_calls)
{
	struct hlk_snapshot snapshot = HLK_STRUCT(hlk_snapshot);
	struct hlk_head small = { .size = sizeof(small) };
	u32 async;

	for (async = 0; async <= IOSQE_ASYNC; async += IOSQE_ASYNC) {
		self->restore.snapshot_fd = self->t.vm;
		FAILS(EBADF, HLK_WHY_NOT_SNAPSHOT,
		      one(&self->ring, self->t.hlk, HLK_RESTORE, &self->restore, async));
		self->restore.snapshot_fd = -1;
		self->restore.head.flags = 0x80000000;
		FAILS(EOPNOTSUPP, HLK_WHY_FLAGS,
		      one(&self->ring, self->t.hlk, HLK_RESTORE, &self->restore, async));
		self->restore.head.flags = 0;
		FAILS(EINVAL, HLK_WHY_SIZE,
		      one(&self->ring, self->t.hlk, HLK_RESTORE, &small, async));
		prepare(&self->ring, self->t.hlk, HLK_RESTORE, (void *)8)->flags |= async;
		ASSERT_EQ(-EFAULT, wait_one(&self->ring));
		/* what makes files, and what is unknown */
		prepare(&self->ring, self->t.hlk, HLK_SNAPSHOT, &snapshot)->flags |= async;
		ASSERT_EQ(-ENOTTY, wait_one(&self->ring));
		prepare(&self->ring, self->t.hlk, 0, &snapshot)->flags |= async;
		ASSERT_EQ(-ENOTTY, wait_one(&self->ring));
		prepare(&self->ring, self->t.hlk, ~0, &snapshot)->flags |= async;
		ASSERT_EQ(-ENOTTY, wait_one(&self->ring));
		/* fds that take no such requests */
		prepare(&self->ring, self->snap, HLK_RESTORE, &self->restore)->flags |= async;
		ASSERT_EQ(-EOPNOTSUPP, wait_one(&self->ring));
	}
}

TEST_F(uring, the_rest_of_the_payload_is_zero)
{
	struct hlk_uring payload = { (uintptr_t)&self->restore, 1 };
	struct io_uring_sqe *sqe;

	sqe = prepare(&self->ring, self->t.hlk, HLK_RESTORE, NULL);
	memcpy(sqe->cmd, &payload, sizeof(payload));
	ASSERT_EQ(-EOPNOTSUPP, wait_one(&self->ring));
}

TEST_F(uring, a_thread_that_polls_restores)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SQPOLL, .sq_thread_idle = 100,
	};
	struct io_uring ring;

	ASSERT_EQ(0, io_uring_queue_init_params(8, &ring, &params));
	memset(tvm_at(&self->t, TVM_DATA), 1, PAGE);
	OK(one(&ring, self->t.hlk, HLK_RESTORE, &self->restore, 0));
	ASSERT_EQ(0, *tvm_at(&self->t, TVM_DATA));
	io_uring_queue_exit(&ring);
}

/* ---- no guest by io_uring ---- */

/* What runs a request: the rings that there are */
static const struct ring_kind {
	const char *name;
	u32 flags;
} ring_kinds[] = {
	{ "plain", 0 },
	{ "sqpoll", IORING_SETUP_SQPOLL },
	{ "coop", IORING_SETUP_COOP_TASKRUN },
	{ "coop flag", IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG },
	{ "single", IORING_SETUP_SINGLE_ISSUER },
	{ "defer", IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN },
	{ "all", IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CLAMP },
};

enum before {
	NOTHING,
	LINK_NOP,
	HARDLINK_NOP,
	DRAIN_NOP,
	LINK_POLL,
	DRAIN_POLL,
	LINK_TIMEOUT,
	LINK_RESTORE,
	WITH_TIMEOUT,
	NR_BEFORE,
};

/* A request for HLK_RUN with something before or behind it; how many there are */
static int put_run(struct io_uring *ring, fixture *self, enum before before, int efd,
		   u32 flags)
{
	static struct __kernel_timespec soon = { .tv_nsec = 1000000 },
					late = { .tv_sec = 100 };
	struct io_uring_sqe *sqe;

	if (before == LINK_RESTORE) {
		sqe = prepare(ring, self->t.hlk, HLK_RESTORE, &self->restore);
		sqe->user_data = 0;
		sqe->flags |= IOSQE_IO_LINK;
	} else if (before != NOTHING && before != WITH_TIMEOUT) {
		sqe = io_uring_get_sqe(ring);
		t_must(sqe);
		switch (before) {
		case LINK_POLL:
		case DRAIN_POLL:
			io_uring_prep_poll_add(sqe, efd, POLLIN);
			break;
		case LINK_TIMEOUT:
			io_uring_prep_timeout(sqe, &soon, 0, IORING_TIMEOUT_ETIME_SUCCESS);
			break;
		default:
			io_uring_prep_nop(sqe);
		}
		sqe->user_data = 0;
		if (before == HARDLINK_NOP)
			sqe->flags |= IOSQE_IO_HARDLINK;
		else if (before != DRAIN_NOP && before != DRAIN_POLL)
			sqe->flags |= IOSQE_IO_LINK;
	}
	sqe = prepare(ring, self->t.hlk, HLK_RUN, &self->run);
	sqe->user_data = 1;
	sqe->flags |= flags;
	if (before == DRAIN_NOP || before == DRAIN_POLL)
		sqe->flags |= IOSQE_IO_DRAIN;
	if (before == NOTHING)
		return 1;
	if (before != WITH_TIMEOUT)
		return 2;
	sqe->flags |= IOSQE_IO_LINK;
	sqe = io_uring_get_sqe(ring);
	t_must(sqe);
	io_uring_prep_link_timeout(sqe, &late, 0);
	sqe->user_data = 0;
	return 2;
}

/* What the request for HLK_RUN came to, of @nr that come back */
static int wait_run(struct io_uring *ring, int nr)
{
	struct io_uring_cqe *cqe;
	int ret = 1;

	while (nr--) {
		t_must(!io_uring_wait_cqe(ring, &cqe));
		if (cqe->user_data == 1)
			ret = cqe->res;
		io_uring_cqe_seen(ring, cqe);
	}
	return ret;
}

TEST_F(uring, no_guest_in_any_way)
{
	struct io_uring ring;
	u64 word = 1;
	u32 kind, before, async;
	int efd = eventfd(0, EFD_NONBLOCK), ret, nr;

	ASSERT_LE(0, efd);
	for (kind = 0; kind < ARRAY_SIZE(ring_kinds); kind++) {
		ret = io_uring_queue_init(8, &ring, ring_kinds[kind].flags);
		ASSERT_EQ(0, ret) {
			TH_LOG("%s: %s", ring_kinds[kind].name, strerror(-ret));
		}
		for (before = NOTHING; before < NR_BEFORE; before++) {
			for (async = 0; async <= IOSQE_ASYNC; async += IOSQE_ASYNC) {
				self->run.head.why = 0;
				nr = put_run(&ring, self, before, efd, async);
				ASSERT_LE(0, io_uring_submit(&ring));
				ASSERT_EQ(8, write(efd, &word, 8));
				ASSERT_EQ(-EOPNOTSUPP, wait_run(&ring, nr)) {
					TH_LOG("%s, %u, %u", ring_kinds[kind].name,
					       before, async);
				}
				ASSERT_EQ(HLK_WHY_IO_URING, self->run.head.why);
				ASSERT_EQ(0, self->run.done);
				ASSERT_EQ(8, read(efd, &word, 8));
				word = 1;
			}
		}
		io_uring_queue_exit(&ring);
	}
	ASSERT_EQ(0, counter(&self->t));
	/* /dev/hlk and snapshots take no commands at all */
	prepare(&self->ring, self->t.dev, HLK_RUN_MANY, &self->run);
	ASSERT_EQ(-EOPNOTSUPP, wait_one(&self->ring));
	close(efd);
}

/* Newer kernels let it restore, as any other ring. */
TEST_F(uring, a_ring_for_polled_io)
{
	struct io_uring ring;
	int ret;

	ASSERT_EQ(0, io_uring_queue_init(8, &ring, IORING_SETUP_IOPOLL));
	prepare(&ring, self->t.hlk, HLK_RESTORE, &self->restore);
	ret = wait_one(&ring);
	ASSERT_TRUE(!ret || ret == -EOPNOTSUPP);
	prepare(&ring, self->t.hlk, HLK_RUN, &self->run);
	ASSERT_EQ(-EOPNOTSUPP, wait_one(&ring));
	io_uring_queue_exit(&ring);
}

/* ---- task work in the middle of a guest ---- */

/**
 * struct inside - a child whose guest runs while requests come as task work
 * @rounds: entries into the guest
 * @came: requests that came back
 * @done: of these, those that were done
 * @refused: of these, those that were refused as they should be
 * @worker: the child had a worker
 * @stop: it is enough
 */
struct inside {
	volatile u64 rounds;
	volatile u64 came;
	volatile u64 done;
	volatile u64 refused;
	volatile bool worker;
	volatile bool stop;
};

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void die_with_parent(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/*
 * Such a kernel has let others run before KVM looks for work, and none comes between:
 * so what a restore does there is not shown.
 */
static bool preempts_at_once(void)
{
	struct utsname kernel;

	return !uname(&kernel) && strstr(kernel.version, "PREEMPT ");
}

/*
 * Beside the guest's task: task work by keys, polls that come true. KVM does task work
 * if some was there when it looked; a request among it came while KVM let others run
 * before it did so. Whoever makes the poll true must be one of these others, so no
 * FIFO: for that one, kernels that preempt lazily do not wait until KVM lets it.
 */
static void disturb(struct inside *in, int efd, bool keys)
{
	struct timespec nap = { .tv_nsec = 1000000 };
	u64 word = 1;

	if (!fork()) {
		die_with_parent();
		pin(0);
		setpriority(PRIO_PROCESS, 0, -20);
		while (!in->stop) {
			nanosleep(&nap, NULL);
			if (write(efd, &word, 8) < 0)
				sched_yield();
		}
		_exit(0);
	}
	if (keys && !fork()) {
		die_with_parent();
		pin(1);
		while (!in->stop) {
			syscall(SYS_keyctl, 1 /* JOIN_SESSION_KEYRING */, NULL);
			syscall(SYS_keyctl, 18 /* SESSION_TO_PARENT */);
		}
		_exit(0);
	}
}

static bool has_worker(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	char path[64], name[32];
	bool found = false;
	FILE *f;

	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/self/task/%.16s/comm", entry->d_name);
		f = fopen(path, "r");
		if (f && fgets(name, sizeof(name), f) && !strncmp(name, "iou-wrk", 7))
			found = true;
		if (f)
			fclose(f);
	}
	if (dir)
		closedir(dir);
	return found;
}

static void take(struct inside *in, struct io_uring *ring, int efd, bool *armed)
{
	struct io_uring_cqe *cqe;
	u64 word;

	io_uring_get_events(ring);
	while (!io_uring_peek_cqe(ring, &cqe)) {
		if (cqe->user_data == 2) {
			in->came++;
			in->worker = in->worker || has_worker();
			in->done += !cqe->res;
			in->refused += cqe->res == -EOPNOTSUPP;
			*armed = false;
		}
		io_uring_cqe_seen(ring, cqe);
	}
	if (read(efd, &word, 8) < 0)
		sched_yield();
}

/*
 * One VM's guest spins, by KVM_RUN or by HLK_RUN_MANY; a request for another VM
 * comes behind a poll, which another task makes true all the time.
 */
static void be_inside(struct inside *in, u32 op, u32 ring_flags, bool many)
{
	struct hlk_run_many all = HLK_STRUCT(hlk_run_many);
	struct hlk_run run = HLK_STRUCT(hlk_run), other = HLK_STRUCT(hlk_run);
	struct hlk_restore restore = HLK_STRUCT(hlk_restore);
	struct itimerval timer = { { 0, 20000 }, { 0, 20000 } };
	struct itimerval cpu_timer = { { 0, 1000 }, { 0, 1000 } };
	int efd = eventfd(0, EFD_NONBLOCK), snap[2];
	struct hlk_many_call call = {};
	struct io_uring_sqe *sqe;
	struct io_uring ring;
	bool armed = false;
	struct tvm a, b;
	u32 i;

	die_with_parent();
	pin(0);
	tvm_start(&a, 0, 0);
	tvm_load(&a, TVM_CODE, spin);
	tvm_start(&b, 0, 0);
	tvm_load(&b, TVM_CODE, count);
	snap[0] = hlk_snapshot_flat(a.hlk);
	t_must(!hlk_restore(a.hlk, snap[0], NULL));
	snap[1] = hlk_snapshot_flat(b.hlk);
	t_must(!hlk_restore(b.hlk, snap[1], NULL));
	/* so that no page is left that a worker would have to give back */
	for (i = 0; i < 64; i++)
		t_must(!hlk_restore(b.hlk, -1, NULL));
	t_must(!io_uring_queue_init(64, &ring, ring_flags));
	disturb(in, efd, true);
	signal(SIGALRM, no_op);
	setitimer(ITIMER_REAL, &timer, NULL);
	/* task work at each tick, whose signal nobody gets */
	signal(SIGPROF, SIG_IGN);
	setitimer(ITIMER_PROF, &cpu_timer, NULL);
	other.vcpu_fd = b.vcpu;
	restore.snapshot_fd = -1;
	run.vcpu_fd = a.vcpu;
	run.head.flags = HLK_RUN_CONTINUE;
	call.vm_fd = a.hlk;
	call.run = (uintptr_t)&run;
	all.calls = (uintptr_t)&call;
	all.nr_calls = 1;
	all.call_size = sizeof(call);
	for (; !in->stop; in->rounds++) {
		if (!armed) {
			sqe = io_uring_get_sqe(&ring);
			t_must(sqe);
			io_uring_prep_poll_add(sqe, efd, POLLIN);
			sqe->flags |= IOSQE_IO_LINK;
			sqe->user_data = 1;
			prepare(&ring, b.hlk, op, op == HLK_RUN ? (void *)&other :
				(void *)&restore)->user_data = 2;
			armed = true;
		}
		io_uring_submit(&ring);
		take(in, &ring, efd, &armed);
		if (many)
			ioctl(a.dev, HLK_RUN_MANY, &all);
		else
			ioctl(a.vcpu, KVM_RUN, 0);
		take(in, &ring, efd, &armed);
	}
	/* what came as task work in a guest was a worker's */
	t_must(op == HLK_RUN || ring_flags || in->worker || preempts_at_once());
	t_must(op == HLK_RUN ? !in->done : !in->refused);
	t_must(*(volatile u32 *)tvm_at(&b, 0x22000) == 0);
	_exit(0);
}

static void inside(struct __test_metadata *_metadata, u32 op, u32 ring_flags, bool many)
{
	struct inside *in = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	bool want = op == HLK_RESTORE && !ring_flags && !preempts_at_once();
	u32 seconds, still = 0;
	u64 last = 0;
	int status;
	pid_t pid;

	ASSERT_NE(MAP_FAILED, in);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		be_inside(in, op, ring_flags, many);
	pin(1);
	for (seconds = 0; seconds < INSIDE_SECONDS || still ||
	     (seconds < INSIDE_LONGEST && want && !in->worker); seconds++) {
		sleep(1);
		still = in->rounds == last ? still + 1 : 0;
		last = in->rounds;
		ASSERT_GT(12, still) {
			TH_LOG("it stands still after %llu rounds",
			       (unsigned long long)last);
		}
		ASSERT_EQ(0, waitpid(pid, &status, WNOHANG));
	}
	in->stop = true;
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	TH_LOG("%llu rounds, %llu requests came, %llu done, %llu refused",
	       (unsigned long long)in->rounds, (unsigned long long)in->came,
	       (unsigned long long)in->done, (unsigned long long)in->refused);
	ASSERT_LT(0, in->came);
	munmap(in, PAGE);
}

#define DEFER	(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN)

TEST_F_TIMEOUT(uring, no_guest_inside_a_guest, 120)
{
	inside(_metadata, HLK_RUN, 0, false);
	inside(_metadata, HLK_RUN, DEFER, false);
	inside(_metadata, HLK_RUN, 0, true);
}

TEST_F_TIMEOUT(uring, restores_inside_a_guest_are_a_worker_s, 120)
{
	inside(_metadata, HLK_RESTORE, 0, false);
	inside(_metadata, HLK_RESTORE, DEFER, false);
	inside(_metadata, HLK_RESTORE, 0, true);
}

TEST_F(uring, a_vcpu_that_runs_is_busy)
{
	struct tvm_runner runner;

	tvm_load(&self->t, TVM_CODE, spin);
	tvm_runner_start(&runner, &self->t);
	FAILS(EBUSY, HLK_WHY_VCPU_RUNNING,
	      one(&self->ring, self->t.hlk, HLK_RESTORE, &self->restore, 0));
	FAILS(EBUSY, HLK_WHY_VCPU_RUNNING,
	      one(&self->ring, self->t.hlk, HLK_RESTORE, &self->restore, IOSQE_ASYNC));
	ASSERT_EQ(-EINTR, tvm_runner_kick(&runner));
}

/**
 * struct holder - somebody who holds an hlk VM, kvm->lock and all vCPUs, as long as we like
 * @hlk: the hlk VM
 * @roots: memory that is not there until userfaultfd is told to bring it
 * @uffd: by this one
 * @ret: what the call gave
 * @thread: it
 * @timer: who ends it
 * @enough: it is enough
 * @late: it was ended because nobody said so: somebody waits
 * @begun: for who looks from another process
 */
struct holder {
	int hlk;
	u8 *roots;
	int uffd;
	int ret;
	pthread_t thread;
	pthread_t timer;
	volatile bool enough;
	volatile bool late;
	volatile bool begun;
};

static void *hold(void *arg)
{
	struct hlk_mark_cow m = HLK_STRUCT(hlk_mark_cow);
	struct holder *h = arg;

	m.paging.flags = HLK_PAGING_GIVEN;
	m.roots = (uintptr_t)h->roots;
	m.nr_roots = 1;
	h->ret = hlk_call(h->hlk, HLK_MARK_COW, &m);
	return NULL;
}

static void *let_go(void *arg)
{
	struct holder *h = arg;
	struct uffdio_zeropage zero = { .range = { (uintptr_t)h->roots, PAGE } };
	u32 ticks;

	for (ticks = 0; !h->enough && ticks < 1000; ticks++)
		usleep(10000);
	h->late = !h->enough;
	t_must(!ioctl(h->uffd, UFFDIO_ZEROPAGE, &zero));
	return NULL;
}

static void hold_start(struct holder *h, int hlk)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffd_msg msg;

	h->hlk = hlk;
	h->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	t_must(h->uffd >= 0);
	h->roots = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			0);
	t_must(h->roots != MAP_FAILED);
	reg.range.start = (uintptr_t)h->roots;
	reg.range.len = PAGE;
	t_must(!ioctl(h->uffd, UFFDIO_API, &api));
	t_must(!ioctl(h->uffd, UFFDIO_REGISTER, &reg));
	t_must(!pthread_create(&h->thread, NULL, hold, h));
	t_must(read(h->uffd, &msg, sizeof(msg)) == sizeof(msg));
	t_must(!pthread_create(&h->timer, NULL, let_go, h));
}

static void hold_end(struct holder *h)
{
	pthread_join(h->timer, NULL);
	pthread_join(h->thread, NULL);
	t_must(!h->ret);
	munmap(h->roots, PAGE);
	close(h->uffd);
}

/* The ring is not kept from others meanwhile. */
static void would_wait(struct __test_metadata *_metadata, fixture *self, int hlk)
{
	struct holder holder = {};
	struct io_uring_cqe *cqe;

	hold_start(&holder, hlk);
	/* each of these comes back at once */
	prepare(&self->ring, self->t.hlk, HLK_RESTORE, &self->restore)->user_data = 1;
	ASSERT_EQ(1, io_uring_submit(&self->ring));
	io_uring_prep_nop(io_uring_get_sqe(&self->ring));
	ASSERT_EQ(0, wait_one(&self->ring));
	ASSERT_EQ(-EAGAIN, io_uring_peek_cqe(&self->ring, &cqe));
	ASSERT_FALSE(holder.late);

	holder.enough = true;
	ASSERT_EQ(0, io_uring_wait_cqe(&self->ring, &cqe));
	ASSERT_EQ(1, cqe->user_data);
	ASSERT_EQ(0, cqe->res);
	io_uring_cqe_seen(&self->ring, cqe);
	hold_end(&holder);
}

TEST_F(uring, what_would_wait_is_done_by_a_worker)
{
	int other = OK(hlk_attach(self->t.dev, self->t.vm, 0, 0));

	would_wait(_metadata, self, other);
	close(other);
}

TEST_F(uring, what_would_wait_for_the_vm_is_done_by_a_worker)
{
	would_wait(_metadata, self, self->t.hlk);
}

/* ---- who holds a window: a thread for which a page is mapped ---- */

#define FAULT_PAGES	128UL

struct faulting {
	u8 *at;
	volatile bool stop;
};

static void *fault_again(void *arg)
{
	struct faulting *f = arg;
	u64 i;

	pin(1);
	while (!f->stop) {
		madvise(f->at, FAULT_PAGES * PAGE, MADV_DONTNEED);
		for (i = 0; i < FAULT_PAGES; i++)
			(void)*(volatile u8 *)(f->at + i * PAGE);
	}
	return NULL;
}

/* Now and then it is in the middle of one. */
TEST_F(uring, what_would_wait_for_a_page_fault_is_done_by_a_worker)
{
	struct faulting f = {};
	pthread_t threads[2];
	u32 i, restores = 0;
	struct timespec start, now;
	struct tvm t;

	tvm_start(&t, 0, 0);
	OK(hlk_restore(t.hlk, self->snap, NULL));
	f.at = tvm_at(&t, TVM_DATA);
	OK(one(&self->ring, t.hlk, HLK_RESTORE, &self->restore, 0));
	ASSERT_FALSE(has_worker());
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		t_must(!pthread_create(&threads[i], NULL, fault_again, &f));
	pin(0);
	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		OK(one(&self->ring, t.hlk, HLK_RESTORE, &self->restore, 0));
		restores++;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (!has_worker() && now.tv_sec < start.tv_sec + 60);
	TH_LOG("a worker after %u restores", restores);
	EXPECT_TRUE(has_worker());
	f.stop = true;
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	tvm_close(&t);
}

/*
 * A child with a VM of its own, by a ring that its parent made: a guest that never ends,
 * and a restore that has to wait
 */
static void by_a_ring_of_another(struct io_uring *ring, struct holder *h)
{
	struct hlk_restore restore = HLK_STRUCT(hlk_restore);
	struct hlk_run run = HLK_STRUCT(hlk_run);
	struct tvm t;
	int snap;

	die_with_parent();
	tvm_start(&t, 0, 0);
	tvm_load(&t, TVM_CODE, spin);
	snap = hlk_snapshot_flat(t.hlk);
	t_must(snap >= 0 && !hlk_restore(t.hlk, snap, NULL));
	run.vcpu_fd = t.vcpu;
	restore.snapshot_fd = -1;
	hold_start(h, t.hlk);
	h->begun = true;
	prepare(ring, t.hlk, HLK_RESTORE, &restore)->user_data = 1;
	prepare(ring, t.hlk, HLK_RUN, &run)->user_data = 2;
	t_must(io_uring_submit(ring) == 2);
	hold_end(h);
	_exit(0);
}

/* Who submits has the ring's lock meanwhile, whoever made the ring. */
TEST_F(uring, nobody_waits_for_what_another_does_with_a_ring)
{
	struct holder *h = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct timespec tick = { .tv_nsec = 10000000 };
	u32 ticks, came;
	int res[4], status;
	struct io_uring_cqe *cqe;
	pid_t pid;

	ASSERT_NE(MAP_FAILED, h);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		by_a_ring_of_another(&self->ring, h);
	for (ticks = 0; !h->begun; ticks++) {
		ASSERT_GT(3000, ticks);
		nanosleep(&tick, NULL);
	}
	for (ticks = 0; ticks < 20; ticks++)
		nanosleep(&tick, NULL);
	/* the child has gone on in the queue */
	self->ring.sq.sqe_tail = *(volatile unsigned int *)self->ring.sq.ktail;
	self->ring.sq.sqe_head = self->ring.sq.sqe_tail;
	io_uring_prep_nop(io_uring_get_sqe(&self->ring));
	ASSERT_EQ(1, io_uring_submit(&self->ring));
	ASSERT_FALSE(h->late);
	h->enough = true;
	memset(res, 0x55, sizeof(res));
	for (came = 0; came < 3; came++) {
		ASSERT_EQ(0, io_uring_wait_cqe(&self->ring, &cqe));
		ASSERT_GT(3, cqe->user_data);
		res[cqe->user_data] = cqe->res;
		io_uring_cqe_seen(&self->ring, cqe);
	}
	ASSERT_EQ(0, res[0]);
	ASSERT_EQ(0, res[1]);
	ASSERT_EQ(-EOPNOTSUPP, res[2]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	munmap(h, PAGE);
}

/* What does not wait is done at once: there is no worker before, and one after. */
TEST_F(uring, what_unmaps_is_done_by_a_worker)
{
	int second = OK(hlk_snapshot_flat(self->t.hlk));

	memset(tvm_at(&self->t, TVM_DATA), 1, PAGE);
	OK(one(&self->ring, self->t.hlk, HLK_RESTORE, &self->restore, 0));
	ASSERT_FALSE(has_worker());
	self->restore.snapshot_fd = second;
	OK(one(&self->ring, self->t.hlk, HLK_RESTORE, &self->restore, 0));
	ASSERT_TRUE(has_worker());
	close(second);
}

TEST_F(uring, what_gives_back_is_done_by_a_worker)
{
	struct tvm t;

	tvm_start(&t, 0, 8);
	OK(hlk_restore(t.hlk, self->snap, NULL));
	memset(tvm_at(&t, TVM_DATA), 1, PAGE);
	OK(one(&self->ring, t.hlk, HLK_RESTORE, &self->restore, 0));
	ASSERT_FALSE(has_worker());
	memset(tvm_at(&t, TVM_DATA), 1, 32 * PAGE);
	OK(one(&self->ring, t.hlk, HLK_RESTORE, &self->restore, 0));
	ASSERT_TRUE(has_worker());
	tvm_close(&t);
}

TEST_F(uring, an_audit_is_done_by_a_worker)
{
	OK(one(&self->ring, self->t.hlk, HLK_RESTORE, &self->restore, 0));
	ASSERT_FALSE(has_worker());
	self->restore.head.flags = HLK_RESTORE_AUDIT;
	OK(one(&self->ring, self->t.hlk, HLK_RESTORE, &self->restore, 0));
	ASSERT_TRUE(has_worker());
}

TEST_F(uring, a_program_is_a_worker_s)
{
	static struct prog p;
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} pat = { .head.nmsrs = 1, .entry.index = 0x277 };
	void *at;
	int snap;

	prog_msr(&p, 0x277, 0x0007040600070401);
	snap = OK(prog_snapshot(self->t.hlk, &p));
	at = prog_map(snap);
	ASSERT_NE(MAP_FAILED, at);
	/* to another snapshot is a worker's anyway */
	OK(prog_restore(self->t.hlk, snap, at, 0, NULL));
	ASSERT_EQ(1, ioctl(self->t.vcpu, KVM_GET_MSRS, &pat));
	pat.entry.data = 0x0007040600070406;
	ASSERT_EQ(1, ioctl(self->t.vcpu, KVM_SET_MSRS, &pat));
	FAILS(EINVAL, HLK_WHY_PROGRAM_MISSING,
	      one(&self->ring, self->t.hlk, HLK_RESTORE, &self->restore, 0));
	self->restore.program = (uintptr_t)at;
	OK(one(&self->ring, self->t.hlk, HLK_RESTORE, &self->restore, 0));
	ASSERT_TRUE(has_worker());
	ASSERT_EQ(1, ioctl(self->t.vcpu, KVM_GET_MSRS, &pat));
	ASSERT_EQ(0x0007040600070401, pat.entry.data);
	munmap(at, PAGE);
	close(snap);
}

/* Idle pages, pages above the watermark and audits: by a worker, or the next time */
TEST_F(uring, gives_back_all_the_same)
{
	struct hlk_vm_stats stats;
	struct tvm t;
	int i;

	tvm_start(&t, 0, 8);
	OK(hlk_restore(t.hlk, self->snap, NULL));
	memset(tvm_at(&t, TVM_DATA), 1, 32 * PAGE);
	OK(one(&self->ring, t.hlk, HLK_RESTORE, &self->restore, 0));
	ASSERT_EQ(8, self->restore.private_pages);
	ASSERT_EQ(0, *tvm_at(&t, TVM_DATA));
	self->restore.head.flags = HLK_RESTORE_AUDIT;
	OK(one(&self->ring, t.hlk, HLK_RESTORE, &self->restore, 0));
	self->restore.head.flags = 0;
	/* what nobody writes any more is found, a few probes later */
	for (i = 0; i < 16 * 40; i++)
		OK(one(&self->ring, t.hlk, HLK_RESTORE, &self->restore, 0));
	OK(hlk_stats(t.hlk, &stats));
	ASSERT_GE(1, stats.private_pages);
	ASSERT_LE(7, stats.pages_idle);
	tvm_close(&t);
}

/* The fd may be passed on, the right to use it is not. */
TEST_F(uring, not_from_another_process)
{
	struct io_uring ring;
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		t_must(!io_uring_queue_init(8, &ring, 0));
		t_must(one(&ring, self->t.hlk, HLK_RESTORE, &self->restore, 0) == -EPERM);
		t_must(t_why == HLK_WHY_OTHER_PROCESS);
		t_must(one(&ring, self->t.hlk, HLK_RESTORE, &self->restore,
			   IOSQE_ASYNC) == -EPERM);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
}

TEST_HARNESS_MAIN
