// SPDX-License-Identifier: GPL-2.0-only
/*
 * Restore and run by io_uring: the same calls with the same replies, many for
 * one system call, by workers where that can be.
 */
#include <liburing.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "hlk_test.h"
#include "harness.h"

#define ENTRIES	64
#define VMS	16

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

TEST_F(uring, runs)
{
	u32 value = 41;
	struct hlk_segment in = { 0x22000, 4, (uintptr_t)&value };
	int i;

	for (i = 0; i < 10; i++) {
		OK(one(&self->ring, self->t.hlk, HLK_RUN, &self->run, 0));
		ASSERT_EQ(HLK_DONE_RESTORED | HLK_DONE_INPUT | HLK_DONE_ENTERED,
			  self->run.done);
		ASSERT_EQ(KVM_EXIT_HLT, self->run.exit_reason);
		ASSERT_EQ(1, counter(&self->t));
	}
	self->run.inputs = (uintptr_t)&in;
	self->run.nr_inputs = 1;
	OK(one(&self->ring, self->t.hlk, HLK_RUN, &self->run, 0));
	ASSERT_EQ(42, counter(&self->t));
	ASSERT_EQ(42, self->t.run->s.regs.regs.rbx);
}

TEST_F(uring, vcpus_are_reset)
{
	struct kvm_sync_regs before = self->t.run->s.regs;

	OK(one(&self->ring, self->t.hlk, HLK_RUN, &self->run, 0));
	ASSERT_NE(0, memcmp(&before.regs, &self->t.run->s.regs.regs,
			    sizeof(before.regs)));
	OK(one(&self->ring, self->t.hlk, HLK_RESTORE, &self->restore, IOSQE_ASYNC));
	ASSERT_EQ(0, tvm_complete_io(&self->t));
	ASSERT_EQ(0, memcmp(&before, &self->t.run->s.regs, sizeof(before)));
}

/*
 * A request may wait for the one before it. io_uring starts the second from
 * work that it has queued for the task, and more such work ends a run as a
 * signal does; then it goes on.
 */
TEST_F(uring, one_after_the_other)
{
	int ret;

	prepare(&self->ring, self->t.hlk, HLK_RESTORE, &self->restore)->flags |=
		IOSQE_IO_LINK;
	prepare(&self->ring, self->t.hlk, HLK_RUN, &self->run);
	OK(wait_one(&self->ring));
	ret = wait_one(&self->ring);
	ASSERT_TRUE(!ret || ret == -EINTR);
	ASSERT_EQ(HLK_DONE_RESTORED | HLK_DONE_INPUT | HLK_DONE_ENTERED,
		  self->run.done);
	self->run.head.flags = HLK_RUN_CONTINUE;
	if (ret)
		OK(one(&self->ring, self->t.hlk, HLK_RUN, &self->run, 0));
	ASSERT_EQ(KVM_EXIT_HLT, self->run.exit_reason);
	ASSERT_EQ(1, counter(&self->t));
}

/* What follows a request that failed is not done. */
TEST_F(uring, nothing_after_a_failure)
{
	self->restore.snapshot_fd = self->t.vm;
	prepare(&self->ring, self->t.hlk, HLK_RESTORE, &self->restore)->flags |=
		IOSQE_IO_LINK;
	prepare(&self->ring, self->t.hlk, HLK_RUN, &self->run);
	ASSERT_EQ(-EBADF, wait_one(&self->ring));
	ASSERT_EQ(-ECANCELED, wait_one(&self->ring));
	ASSERT_EQ(0, counter(&self->t));
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

/* A worker's FPU registers are not kept, so no guest runs there. */
TEST_F(uring, no_run_by_a_worker)
{
	FAILS(EOPNOTSUPP, HLK_WHY_WORKER,
	      one(&self->ring, self->t.hlk, HLK_RUN, &self->run, IOSQE_ASYNC));
	ASSERT_EQ(0, self->run.done);
	ASSERT_EQ(0, counter(&self->t));
}

TEST_F(uring, a_thread_that_polls_restores_but_does_not_run)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SQPOLL, .sq_thread_idle = 100,
	};
	struct io_uring ring;

	ASSERT_EQ(0, io_uring_queue_init_params(8, &ring, &params));
	memset(tvm_at(&self->t, TVM_DATA), 1, PAGE);
	OK(one(&ring, self->t.hlk, HLK_RESTORE, &self->restore, 0));
	ASSERT_EQ(0, *tvm_at(&self->t, TVM_DATA));
	FAILS(EOPNOTSUPP, HLK_WHY_WORKER,
	      one(&ring, self->t.hlk, HLK_RUN, &self->run, 0));
	ASSERT_EQ(0, self->run.done);
	io_uring_queue_exit(&ring);
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
	FAILS(EBUSY, HLK_WHY_VCPU_RUNNING,
	      one(&self->ring, self->t.hlk, HLK_RUN, &self->run, 0));
	ASSERT_EQ(-EINTR, tvm_runner_kick(&runner));
}

static void no_op(int sig)
{
}

TEST_F(uring, a_signal_ends_a_run)
{
	struct itimerval timer = { { 0, 200000 }, { 0, 200000 } };
	int snap;

	tvm_load(&self->t, TVM_CODE, spin);
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, snap, NULL));
	signal(SIGALRM, no_op);
	setitimer(ITIMER_REAL, &timer, NULL);
	prepare(&self->ring, self->t.hlk, HLK_RUN, &self->run);
	ASSERT_EQ(1, io_uring_submit(&self->ring));
	setitimer(ITIMER_REAL, &(struct itimerval){}, NULL);
	ASSERT_EQ(-EINTR, wait_one(&self->ring));
	ASSERT_EQ(HLK_DONE_RESTORED | HLK_DONE_INPUT | HLK_DONE_ENTERED,
		  self->run.done);
	ASSERT_LT(0, *(volatile u32 *)tvm_at(&self->t, TVM_DATA));
	self->t.run->immediate_exit = 1;
	FAILS(EINTR, HLK_WHY_NONE,
	      one(&self->ring, self->t.hlk, HLK_RUN, &self->run, 0));
	self->t.run->immediate_exit = 0;
	close(snap);
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
		t_must(one(&ring, self->t.hlk, HLK_RUN, &self->run, 0) == -EPERM);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
}

TEST_HARNESS_MAIN
