// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many guests in one call: each as HLK_RUN would, one after the other, and what
 * comes of them when one fails, a signal comes, or the array is wrong.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "hlk_test.h"
#include "harness.h"

#define VMS	8
#define DONE_ALL (HLK_DONE_RESTORED | HLK_DONE_INPUT | HLK_DONE_ENTERED)

GUEST(count, "	incl 0x22000\n"
	     "	mov 0x22000, %ebx\n"
	     "	hlt\n");
GUEST(spin, "1:	incl 0x20000\n"
	    "	jmp 1b\n");

FIXTURE(runmany) {
	struct tvm t[VMS];
	int snap[VMS];
	int dev;
	struct hlk_run run[VMS];
	struct hlk_many_call calls[VMS];
	struct hlk_run_many many;
};

typedef FIXTURE_DATA(runmany) fixture;

/* Call @i, as it is before its turn */
static void arm(fixture *self, u32 i)
{
	self->run[i] = (struct hlk_run)HLK_STRUCT(hlk_run);
	self->run[i].vcpu_fd = self->t[i].vcpu;
	self->calls[i] = (struct hlk_many_call){
		.vm_fd = self->t[i].hlk,
		.run = (uintptr_t)&self->run[i],
		.ret = 77,
		.why = 77,
	};
}

static void arm_all(fixture *self)
{
	u32 i;

	for (i = 0; i < VMS; i++)
		arm(self, i);
	self->many = (struct hlk_run_many)HLK_STRUCT(hlk_run_many);
	self->many.calls = (uintptr_t)self->calls;
	self->many.nr_calls = VMS;
	self->many.call_size = sizeof(*self->calls);
	self->many.nr_done = 77;
}

static void load(fixture *self, u32 i, const u8 *code, const u8 *end)
{
	if (self->snap[i] >= 0)
		close(self->snap[i]);
	tvm_load_(&self->t[i], TVM_CODE, code, end);
	self->snap[i] = hlk_snapshot_flat(self->t[i].hlk);
	t_must(self->snap[i] >= 0);
	t_must(!hlk_restore(self->t[i].hlk, self->snap[i], NULL));
}

FIXTURE_SETUP(runmany)
{
	u32 i;

	t_begin();
	self->dev = hlk_open();
	ASSERT_LE(0, self->dev);
	for (i = 0; i < VMS; i++) {
		tvm_start(&self->t[i], 0, 0);
		self->snap[i] = -1;
		load(self, i, count, count_end);
	}
	arm_all(self);
}

FIXTURE_TEARDOWN(runmany)
{
	u32 i;

	for (i = 0; i < VMS; i++) {
		close(self->snap[i]);
		tvm_close(&self->t[i]);
	}
	close(self->dev);
	EXPECT_EQ(0, t_end());
}

static long go(fixture *self)
{
	return hlk_call(self->dev, HLK_RUN_MANY, &self->many);
}

static u32 counter(struct tvm *t)
{
	return *(volatile u32 *)tvm_at(t, 0x22000);
}

#define CAME(i)								\
	do {								\
		ASSERT_EQ(0, self->calls[i].ret);			\
		ASSERT_EQ(0, self->calls[i].why);			\
		ASSERT_EQ(DONE_ALL, self->run[i].done);			\
		ASSERT_EQ(KVM_EXIT_HLT, self->run[i].exit_reason);	\
		ASSERT_EQ(1, counter(&self->t[i]));			\
	} while (0)

#define NOT_BEGUN(i)							\
	do {								\
		ASSERT_EQ(-ECANCELED, self->calls[i].ret);		\
		ASSERT_EQ(0, self->calls[i].why);			\
		ASSERT_EQ(0, self->run[i].done);			\
		ASSERT_EQ(0, counter(&self->t[i]));			\
	} while (0)

/* ---- what it does ---- */

TEST_F(runmany, each_as_hlk_run_would)
{
	struct hlk_vm_stats stats;
	u32 value = 41, round, i;
	struct hlk_segment in = { .gpa = 0x22000, .bytes = 4, .data = (uintptr_t)&value };

	for (round = 0; round < 5; round++) {
		arm_all(self);
		OK(go(self));
		ASSERT_EQ(VMS, self->many.nr_done);
		for (i = 0; i < VMS; i++)
			CAME(i);
	}
	for (i = 0; i < VMS; i++) {
		OK(hlk_stats(self->t[i].hlk, &stats));
		ASSERT_EQ(5, stats.runs);
	}
	/* what one is given, it alone gets */
	arm_all(self);
	self->run[3].inputs = (uintptr_t)&in;
	self->run[3].nr_inputs = 1;
	self->run[3].input_size = sizeof(in);
	OK(go(self));
	ASSERT_EQ(42, self->t[3].run->s.regs.regs.rbx);
	ASSERT_EQ(1, self->t[4].run->s.regs.regs.rbx);
}

TEST_F(runmany, one_vm_several_times)
{
	u32 i;

	for (i = 0; i < VMS; i++) {
		self->calls[i].vm_fd = self->t[0].hlk;
		self->run[i].vcpu_fd = self->t[0].vcpu;
	}
	/* and one struct twice: it is read when its turn comes */
	self->calls[7].run = self->calls[6].run;
	OK(go(self));
	ASSERT_EQ(VMS, self->many.nr_done);
	for (i = 0; i < VMS - 1; i++)
		ASSERT_EQ(DONE_ALL, self->run[i].done);
	ASSERT_EQ(0, self->run[7].done);
	ASSERT_EQ(1, counter(&self->t[0]));
}

TEST_F(runmany, none)
{
	self->many.nr_calls = 0;
	self->many.calls = 0;
	self->many.call_size = 0;
	OK(go(self));
	ASSERT_EQ(0, self->many.nr_done);
}

TEST_F(runmany, one_that_fails_keeps_none_from_its_turn)
{
	u32 i;

	self->run[1].vcpu_fd = self->t[2].vcpu;
	self->run[3].head.flags = 0x80000000;
	self->calls[5].run = 8;
	OK(go(self));
	ASSERT_EQ(VMS, self->many.nr_done);
	ASSERT_EQ(-EBADF, self->calls[1].ret);
	ASSERT_EQ(HLK_WHY_NOT_VCPU, self->run[1].head.why);
	ASSERT_EQ(-EOPNOTSUPP, self->calls[3].ret);
	ASSERT_EQ(HLK_WHY_FLAGS, self->run[3].head.why);
	ASSERT_EQ(-EFAULT, self->calls[5].ret);
	for (i = 0; i < VMS; i += 2)
		CAME(i);
	CAME(7);
}

TEST_F(runmany, unless_that_is_asked_for)
{
	u32 i;

	self->many.head.flags = HLK_RUN_MANY_STOP;
	OK(go(self));
	ASSERT_EQ(VMS, self->many.nr_done);
	for (i = 0; i < VMS; i++)
		OK(hlk_restore(self->t[i].hlk, -1, NULL));
	arm_all(self);
	self->many.head.flags = HLK_RUN_MANY_STOP;
	self->run[2].vcpu_fd = self->t[3].vcpu;
	OK(go(self));
	ASSERT_EQ(3, self->many.nr_done);
	CAME(0);
	CAME(1);
	ASSERT_EQ(-EBADF, self->calls[2].ret);
	for (i = 3; i < VMS; i++)
		NOT_BEGUN(i);
}

/* ---- signals ---- */

static void no_op(int sig)
{
}

/* A signal ends the guest that runs, and the rest is left as it was. */
TEST_F(runmany, a_signal_ends_it)
{
	struct itimerval timer = { { 0, 200000 }, { 0, 200000 } };
	u32 i;

	load(self, 2, spin, spin_end);
	signal(SIGALRM, no_op);
	setitimer(ITIMER_REAL, &timer, NULL);
	FAILS(EINTR, HLK_WHY_NONE, go(self));
	setitimer(ITIMER_REAL, &(struct itimerval){}, NULL);
	/* it may come before that guest's turn */
	ASSERT_LE(1, self->many.nr_done);
	ASSERT_GE(3, self->many.nr_done);
	if (self->many.nr_done == 3) {
		ASSERT_EQ(-EINTR, self->calls[2].ret);
		ASSERT_EQ(DONE_ALL, self->run[2].done);
	}
	for (i = 3; i < VMS; i++)
		NOT_BEGUN(i);
	/* the rest is a call of its own */
	self->many.calls = (uintptr_t)&self->calls[3];
	self->many.nr_calls = VMS - 3;
	OK(go(self));
	for (i = 3; i < VMS; i++)
		CAME(i);
}

/* What is pending when the call begins ends the first, so that it gets on. */
TEST_F(runmany, signals_all_the_time)
{
	struct itimerval timer = { { 0, 1000 }, { 0, 1000 } };
	u32 done = 0, rounds = 0, i;
	long ret;

	signal(SIGALRM, no_op);
	setitimer(ITIMER_REAL, &timer, NULL);
	while (done < VMS) {
		self->many.calls = (uintptr_t)&self->calls[done];
		self->many.nr_calls = VMS - done;
		self->many.nr_done = 0;
		ret = go(self);
		ASSERT_TRUE(!ret || ret == -EINTR);
		ASSERT_LE(1, self->many.nr_done);
		done += self->many.nr_done;
		rounds++;
	}
	setitimer(ITIMER_REAL, &(struct itimerval){}, NULL);
	ASSERT_GE(VMS, rounds);
	for (i = 0; i < VMS; i++)
		ASSERT_TRUE(!self->calls[i].ret || self->calls[i].ret == -EINTR);
}

/* A signal that only the guest's run lets through ends that guest alone. */
TEST_F(runmany, a_signal_for_one)
{
	struct {
		struct kvm_signal_mask head;
		u64 set;
	} mask = { .head.len = 8 };
	timer_t timer;
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2 };
	struct itimerspec spec = { .it_value.tv_nsec = 300000000 };
	sigset_t set, pending;
	u32 i;

	load(self, 2, spin, spin_end);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	t_must(!sigprocmask(SIG_BLOCK, &set, NULL));
	memcpy((u8 *)&mask + sizeof(mask.head), &(u64){ 0 }, 8);
	t_must(!ioctl(self->t[2].vcpu, KVM_SET_SIGNAL_MASK, &mask));
	t_must(!timer_create(CLOCK_MONOTONIC, &event, &timer));
	t_must(!timer_settime(timer, 0, &spec, NULL));
	OK(go(self));
	ASSERT_EQ(VMS, self->many.nr_done);
	ASSERT_EQ(-EINTR, self->calls[2].ret);
	for (i = 0; i < VMS; i++)
		if (i != 2)
			CAME(i);
	t_must(!sigpending(&pending));
	ASSERT_TRUE(sigismember(&pending, SIGUSR2));
	timer_delete(timer);
	signal(SIGUSR2, SIG_IGN);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

TEST_F(runmany, immediate_exit_is_for_one)
{
	self->t[1].run->immediate_exit = 1;
	OK(go(self));
	ASSERT_EQ(-EINTR, self->calls[1].ret);
	self->t[1].run->immediate_exit = 0;
	CAME(0);
	CAME(7);
}

/* ---- what it refuses ---- */

TEST_F(runmany, wrong_fds)
{
	const int bad[] = { -1, 1 << 20, self->dev, self->snap[0], self->t[0].vm,
			    self->t[0].vcpu, self->t[0].kvm };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		arm_all(self);
		self->calls[0].vm_fd = bad[i];
		OK(go(self));
		ASSERT_EQ(-EBADF, self->calls[0].ret);
		ASSERT_EQ(HLK_WHY_NOT_HLK_VM, self->calls[0].why);
		ASSERT_EQ(0, self->run[0].done);
		CAME(1);
	}
}

TEST_F(runmany, wrong_arrays)
{
	struct hlk_many_call *page;

	self->many.nr_calls = HLK_MAX_CALLS + 1;
	FAILS(E2BIG, HLK_WHY_TOO_MANY_CALLS, go(self));
	ASSERT_EQ(HLK_MAX_CALLS, t_where);
	self->many.nr_calls = ~0U;
	FAILS(E2BIG, HLK_WHY_TOO_MANY_CALLS, go(self));
	arm_all(self);
	self->many.__reserved = 1;
	FAILS(EOPNOTSUPP, HLK_WHY_RESERVED, go(self));
	arm_all(self);
	self->many.head.flags = 2;
	FAILS(EOPNOTSUPP, HLK_WHY_FLAGS, go(self));
	arm_all(self);
	self->many.call_size = sizeof(*self->calls) - 1;
	FAILS(EINVAL, HLK_WHY_ELEMENT_SIZE, go(self));
	ASSERT_EQ(sizeof(*self->calls), t_where);
	self->many.call_size = HLK_MAX_STRUCT + 8;
	FAILS(E2BIG, HLK_WHY_ELEMENT_SIZE, go(self));
	self->many.call_size = ~0U;
	FAILS(E2BIG, HLK_WHY_ELEMENT_SIZE, go(self));
	/* none of these has begun anything, or written there */
	ASSERT_EQ(77, self->calls[0].ret);
	ASSERT_EQ(0, counter(&self->t[0]));

	arm_all(self);
	self->many.calls = 0;
	FAILS(EFAULT, HLK_WHY_NONE, go(self));
	self->many.calls = ~0ULL;
	FAILS(EFAULT, HLK_WHY_NONE, go(self));
	self->many.calls = 0xffff800000000000ULL;
	FAILS(EFAULT, HLK_WHY_NONE, go(self));
	/* an array whose end cannot be written is refused before the first runs */
	page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, page);
	mprotect((u8 *)page + PAGE, PAGE, PROT_READ);
	page = (void *)((u8 *)page + PAGE - 3 * sizeof(*page));
	memcpy(page, self->calls, 3 * sizeof(*page));
	self->many.calls = (uintptr_t)page;
	FAILS(EFAULT, HLK_WHY_NONE, go(self));
	ASSERT_EQ(3, t_index);
	ASSERT_EQ(0, self->many.nr_done);
	ASSERT_EQ(0, counter(&self->t[0]));
	self->many.nr_calls = 3;
	OK(go(self));
	ASSERT_EQ(0, page[2].ret);
	munmap((void *)((uintptr_t)page & -PAGE), 2 * PAGE);
}

/* Longer elements, of a caller that knows more */
TEST_F(runmany, elements_that_are_longer)
{
	struct {
		struct hlk_many_call call;
		u64 more;
	} longer[3] = {};
	u32 i;

	for (i = 0; i < 3; i++)
		longer[i].call = self->calls[i];
	longer[1].more = 1;
	self->many.calls = (uintptr_t)longer;
	self->many.call_size = sizeof(*longer);
	self->many.nr_calls = 3;
	OK(go(self));
	ASSERT_EQ(3, self->many.nr_done);
	ASSERT_EQ(0, longer[0].call.ret);
	ASSERT_EQ(-E2BIG, longer[1].call.ret);
	ASSERT_EQ(HLK_WHY_TAIL, longer[1].call.why);
	ASSERT_EQ(0, self->run[1].done);
	ASSERT_EQ(0, longer[2].call.ret);
	arm(self, 0);
	longer[0].call = self->calls[0];
	longer[0].call.__reserved = 1;
	self->many.nr_calls = 1;
	OK(go(self));
	ASSERT_EQ(-EOPNOTSUPP, longer[0].call.ret);
	ASSERT_EQ(HLK_WHY_RESERVED, longer[0].call.why);
}

TEST_F(runmany, the_most_at_once)
{
	struct hlk_many_call *calls = calloc(HLK_MAX_CALLS, sizeof(*calls));
	u32 i;

	ASSERT_NE(NULL, calls);
	for (i = 0; i < HLK_MAX_CALLS; i++)
		calls[i] = self->calls[i % VMS];
	self->many.calls = (uintptr_t)calls;
	self->many.nr_calls = HLK_MAX_CALLS;
	OK(go(self));
	ASSERT_EQ(HLK_MAX_CALLS, self->many.nr_done);
	for (i = 0; i < HLK_MAX_CALLS; i++)
		ASSERT_EQ(0, calls[i].ret);
	free(calls);
}

TEST_F(runmany, a_vcpu_that_runs_is_busy)
{
	struct tvm_runner runner;

	load(self, 2, spin, spin_end);
	tvm_runner_start(&runner, &self->t[2]);
	OK(go(self));
	ASSERT_EQ(-EBUSY, self->calls[2].ret);
	ASSERT_EQ(HLK_WHY_VCPU_RUNNING, self->run[2].head.why);
	CAME(1);
	CAME(3);
	ASSERT_EQ(-EINTR, tvm_runner_kick(&runner));
}

/* The right to use a VM is not passed on with its fd. */
TEST_F(runmany, not_from_another_process)
{
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		t_must(!go(self));
		t_must(self->calls[0].ret == -EPERM);
		t_must(self->run[0].head.why == HLK_WHY_OTHER_PROCESS);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
}

/* ---- while it runs ---- */

static volatile bool stop;

static void *close_and_open(void *arg)
{
	fixture *self = arg;
	int kept[VMS];
	u32 i;

	for (i = 0; i < VMS; i++)
		kept[i] = dup(self->t[i].hlk);
	for (i = 0; !stop; i = (i + 1) % VMS) {
		close(self->t[i].hlk);
		sched_yield();
		t_must(dup2(kept[i], self->t[i].hlk) == self->t[i].hlk);
	}
	for (i = 0; i < VMS; i++)
		close(kept[i]);
	return NULL;
}

/* Fds go and come; what is under way keeps what it has. */
TEST_F(runmany, fds_that_are_closed_meanwhile)
{
	pthread_t thread;
	u32 round, i, ran = 0;

	stop = false;
	t_must(!pthread_create(&thread, NULL, close_and_open, self));
	for (round = 0; round < 500; round++) {
		arm_all(self);
		ASSERT_EQ(0, go(self));
		for (i = 0; i < VMS; i++) {
			ASSERT_TRUE(!self->calls[i].ret || self->calls[i].ret == -EBADF) {
				TH_LOG("%d", self->calls[i].ret);
			}
			ran += !self->calls[i].ret;
		}
	}
	stop = true;
	pthread_join(thread, NULL);
	ASSERT_LT(0, ran);
}

/* The last fds are closed while the guest runs; all goes when it has come out. */
struct closer {
	fixture own;
	pthread_t runner;
};

static void *close_all(void *arg)
{
	const struct timespec nap = { .tv_nsec = 200000000 };
	struct closer *c = arg;
	u32 i;

	nanosleep(&nap, NULL);
	for (i = 0; i < VMS; i++) {
		close(c->own.t[i].hlk);
		close(c->own.t[i].vcpu);
		close(c->own.t[i].vm);
	}
	nanosleep(&nap, NULL);
	pthread_kill(c->runner, SIGUSR1);
	return NULL;
}

/* A VM belongs to its process, so a child makes its own. */
static void open_own(fixture *own, bool spins)
{
	u32 i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	own->dev = hlk_open();
	t_must(own->dev >= 0);
	for (i = 0; i < VMS; i++) {
		tvm_start(&own->t[i], 0, 0);
		own->snap[i] = -1;
		if (spins)
			load(own, i, spin, spin_end);
		else
			load(own, i, count, count_end);
	}
	arm_all(own);
}

TEST_F(runmany, all_is_closed_while_the_guest_runs)
{
	static struct closer c;
	pthread_t thread;
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		signal(SIGUSR1, no_op);
		open_own(&c.own, true);
		c.runner = pthread_self();
		t_must(!pthread_create(&thread, NULL, close_all, &c));
		t_must(go(&c.own) == -EINTR);
		t_must(c.own.many.nr_done == 1);
		t_must(c.own.calls[0].ret == -EINTR);
		t_must(c.own.run[0].done == DONE_ALL);
		t_must(c.own.calls[1].ret == -ECANCELED);
		/* what is gone now is refused */
		arm_all(&c.own);
		t_must(!go(&c.own) && c.own.calls[0].ret == -EBADF);
		pthread_join(thread, NULL);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
}

/* Killed in the middle, it is gone at once, whatever is left to do. */
TEST_F(runmany, killed_in_the_middle)
{
	volatile u32 *begun = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct timespec tick = { .tv_nsec = 10000000 };
	static fixture own;
	u32 round, ticks, i;
	int status;
	pid_t pid;

	ASSERT_NE(MAP_FAILED, begun);
	for (round = 0; round < 6; round++) {
		*begun = 0;
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			open_own(&own, round % 2);
			for (*begun = 1;;) {
				arm_all(&own);
				go(&own);
			}
		}
		while (!*begun)
			nanosleep(&tick, NULL);
		for (i = 0; i < 1 + round; i++)
			nanosleep(&tick, NULL);
		kill(pid, SIGKILL);
		for (ticks = 0; !waitpid(pid, &status, WNOHANG); ticks++) {
			ASSERT_GT(500, ticks);
			nanosleep(&tick, NULL);
		}
		ASSERT_EQ(SIGKILL, WTERMSIG(status));
	}
	munmap((void *)begun, PAGE);
}

TEST_HARNESS_MAIN
