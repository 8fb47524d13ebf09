// SPDX-License-Identifier: GPL-2.0-only
/*
 * Turns: vCPUs that wait in the kernel for one of them to restore, and run then. None is
 * missed, none comes twice, and whoever waits can be brought out in each way.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "prog.h"
#include "hlk_test.h"
#include "harness.h"

#define MS		1000000ULL
#define ROUNDS		100
#define WORD_IN		(TVM_DATA + 0x1000)	/* input of each round */
#define WORD_OUT	(TVM_DATA + 0x2000)	/* what the second made of it */
#define COUNT		(TVM_DATA + 0x3000)	/* how often it ran since the restore */

GUEST(first, "	incl 0x20000\n"
	     "	hlt\n");
GUEST(second, "	incl 0x23000\n"
	      "	mov 0x21000, %eax\n"
	      "	mov %eax, 0x22000\n"
	      "	hlt\n");
GUEST(spin, "1:	incl 0x20000\n"
	    "	jmp 1b\n");

FIXTURE(turns) {
	struct tvm t;
	struct tvm second;
	struct prog *p;
	int snap;
	u64 turn;
};

typedef FIXTURE_DATA(turns) fixture;

static void begin(fixture *self, const u8 *code, const u8 *end)
{
	struct kvm_sync_regs regs;

	tvm_load(&self->t, TVM_CODE, first);
	tvm_load_(&self->t, 0x3000, code, end);
	tvm_set(&self->t, TVM_CODE);
	tvm_flat(&regs, 0x3000, TVM_STACK - 0x1000);
	tvm_set_regs(&self->second, &regs);
	self->snap = hlk_snapshot_flat(self->t.hlk);
	t_must(self->snap >= 0);
	t_must(!hlk_restore(self->t.hlk, self->snap, NULL));
}

FIXTURE_SETUP(turns)
{
	t_begin();
	self->p = malloc(sizeof(*self->p));
	tvm_start(&self->t, 0, 0);
	tvm_vcpu(&self->second, &self->t, 1);
	begin(self, second, second_end);
}

FIXTURE_TEARDOWN(turns)
{
	close(self->snap);
	free(self->p);
	tvm_vcpu_close(&self->second);
	tvm_close(&self->t);
	EXPECT_EQ(0, t_end());
}

static long lead(fixture *self, u32 flags, struct hlk_run *run)
{
	long ret;

	*run = (struct hlk_run)HLK_STRUCT(hlk_run);
	run->head.flags = HLK_RUN_LEAD | flags;
	run->vcpu_fd = self->t.vcpu;
	ret = hlk_call(self->t.hlk, HLK_RUN, run);
	if (run->turn)
		self->turn = run->turn;
	return ret;
}

/**
 * struct follower - a thread that follows for one turn
 * @thread: it
 * @t: its vCPU
 * @run: its request and what became of it
 * @why: with it
 * @ret: what it returned
 * @done: it did
 */
struct follower {
	pthread_t thread;
	struct tvm *t;
	struct hlk_run run;
	u32 why;
	volatile long ret;
	volatile bool done;
};

static void *follows(void *arg)
{
	struct follower *f = arg;

	f->ret = hlk_call(f->t->hlk, HLK_RUN, &f->run);
	f->why = t_why;
	f->done = true;
	return NULL;
}

static void follower(struct follower *f, struct tvm *t, u64 turn, u64 deadline)
{
	*f = (struct follower){ .t = t, .run = HLK_STRUCT(hlk_run) };
	f->run.head.flags = HLK_RUN_CONTINUE | HLK_RUN_FOLLOW;
	f->run.vcpu_fd = t->vcpu;
	f->run.turn = turn;
	f->run.deadline_ns = deadline;
}

/* One that is given time to wait */
static void follow(struct follower *f, struct tvm *t, u64 turn, u64 deadline)
{
	follower(f, t, turn, deadline);
	t_must(!pthread_create(&f->thread, NULL, follows, f));
	usleep(50000);
	t_must(!f->done);
}

static long kick(int hlk, u32 flags, u32 vcpu)
{
	struct hlk_kick kick = HLK_STRUCT(hlk_kick);
	long ret;

	kick.head.flags = flags;
	kick.vcpu = vcpu;
	ret = hlk_call(hlk, HLK_KICK, &kick);
	return ret ? ret : kick.kicked;
}

static u64 now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 * MS + ts.tv_nsec;
}

/* ---- turns ---- */

struct loop {
	struct tvm *t;
	u32 rounds;
	u32 wrong;
	u64 turn;
};

static void *follows_on(void *arg)
{
	struct loop *loop = arg;
	struct follower f;
	u32 i;

	for (i = 0; i < loop->rounds; i++) {
		follower(&f, loop->t, loop->turn, 0);
		f.ret = hlk_call(loop->t->hlk, HLK_RUN, &f.run);
		loop->wrong += f.ret || f.run.turn != loop->turn + 1 || f.run.entries != 1;
		loop->turn = f.run.turn;
	}
	return NULL;
}

/* One call for each vCPU and round; the input is there before the second begins. */
TEST_F(turns, each_round_is_one_call_for_each)
{
	struct loop loop = { .t = &self->second, .rounds = ROUNDS };
	volatile u32 *out = (u32 *)tvm_at(&self->t, WORD_OUT);
	struct hlk_run run;
	struct hlk_segment in = { .gpa = WORD_IN, .bytes = 4 };
	pthread_t thread;
	u32 i;

	ASSERT_EQ(0, pthread_create(&thread, NULL, follows_on, &loop));
	for (i = 1; i <= ROUNDS; i++) {
		run = (struct hlk_run)HLK_STRUCT(hlk_run);
		run.head.flags = HLK_RUN_LEAD;
		run.vcpu_fd = self->t.vcpu;
		in.data = (uintptr_t)&i;
		run.inputs = (uintptr_t)&in;
		run.nr_inputs = 1;
		run.input_size = sizeof(in);
		/* It may be in its guest of the round before, for a moment. */
		while (hlk_call(self->t.hlk, HLK_RUN, &run) == -EBUSY)
			run.turn = 0;
		ASSERT_EQ(i, run.turn);
		ASSERT_EQ(KVM_EXIT_HLT, run.exit_reason);
		while (*out != i)
			usleep(10);
		ASSERT_EQ(1, tvm_word(&self->t, COUNT));
		ASSERT_EQ(1, tvm_word(&self->t, TVM_DATA));
	}
	pthread_join(thread, NULL);
	ASSERT_EQ(0, loop.wrong);
	ASSERT_EQ(ROUNDS, loop.turn);
}

TEST_F(turns, one_that_began_before_is_not_missed)
{
	struct follower f;
	struct hlk_run run;

	OK(lead(self, 0, &run));
	ASSERT_EQ(1, run.turn);
	follower(&f, &self->second, 0, now() + 10000 * MS);
	OK(hlk_call(self->t.hlk, HLK_RUN, &f.run));
	ASSERT_EQ(1, f.run.turn);
	ASSERT_EQ(1, f.run.entries);
	/* several that began are one, and any other number is an old one */
	OK(lead(self, 0, &run));
	OK(lead(self, 0, &run));
	ASSERT_EQ(3, run.turn);
	follower(&f, &self->second, 77, now() + 10000 * MS);
	OK(hlk_call(self->t.hlk, HLK_RUN, &f.run));
	ASSERT_EQ(3, f.run.turn);
	ASSERT_EQ(1, tvm_word(&self->t, COUNT));
}

TEST_F(turns, the_same_does_not_come_twice)
{
	struct follower f;
	struct hlk_run run;

	OK(lead(self, 0, &run));
	follow(&f, &self->second, run.turn, now() + 20000 * MS);
	/* neither a restore alone, nor a run that does not lead, begins one */
	OK(hlk_restore(self->t.hlk, self->snap, NULL));
	run = (struct hlk_run)HLK_STRUCT(hlk_run);
	run.vcpu_fd = self->t.vcpu;
	run.turn = 99;
	OK(hlk_call(self->t.hlk, HLK_RUN, &run));
	ASSERT_EQ(0, run.turn);
	usleep(50000);
	ASSERT_FALSE(f.done);
	OK(lead(self, HLK_RUN_CONTINUE, &run));
	pthread_join(f.thread, NULL);
	ASSERT_EQ(0, f.ret);
	ASSERT_EQ(2, f.run.turn);
}

/* ---- ways out ---- */

TEST_F(turns, a_kick_a_deadline_and_immediate_exit)
{
	struct follower f;
	u64 start = now();

	follow(&f, &self->second, 0, 0);
	ASSERT_EQ(0, kick(self->t.hlk, 0, 0));
	ASSERT_EQ(1, kick(self->t.hlk, 0, 1));
	pthread_join(f.thread, NULL);
	ASSERT_EQ(-EINTR, f.ret);
	ASSERT_EQ(0, f.run.entries);
	ASSERT_EQ(0, f.run.turn);
	follower(&f, &self->second, 0, start + 300 * MS);
	FAILS(ETIMEDOUT, HLK_WHY_NONE, hlk_call(self->t.hlk, HLK_RUN, &f.run));
	ASSERT_LE(300 * MS, now() - start);
	self->second.run->immediate_exit = 1;
	follower(&f, &self->second, 0, 0);
	FAILS(EINTR, HLK_WHY_NONE, hlk_call(self->t.hlk, HLK_RUN, &f.run));
	ASSERT_EQ(0, f.run.entries);
	self->second.run->immediate_exit = 0;
}

/* A turn that came is told, so that nobody waits for one who did not run in it. */
TEST_F(turns, a_turn_counts_more_than_immediate_exit)
{
	struct follower f;
	struct hlk_run run;

	OK(lead(self, 0, &run));
	self->second.run->immediate_exit = 1;
	follower(&f, &self->second, 0, 0);
	FAILS(EINTR, HLK_WHY_NONE, hlk_call(self->t.hlk, HLK_RUN, &f.run));
	ASSERT_EQ(1, f.run.turn);
	ASSERT_EQ(1, f.run.entries);
	ASSERT_EQ(0, tvm_word(&self->t, COUNT));
	self->second.run->immediate_exit = 0;
}

static void no_op(int sig)
{
}

TEST_F(turns, a_signal)
{
	struct sigaction action = { .sa_handler = no_op, .sa_flags = SA_RESTART };
	struct follower f;

	sigaction(SIGUSR1, &action, NULL);
	follow(&f, &self->second, 0, 0);
	pthread_kill(f.thread, SIGUSR1);
	pthread_join(f.thread, NULL);
	ASSERT_EQ(-EINTR, f.ret);
}

TEST_F(turns, all_are_kicked)
{
	struct follower f[2];

	follow(&f[0], &self->t, 0, 0);
	follow(&f[1], &self->second, 0, 0);
	ASSERT_EQ(2, kick(self->t.hlk, HLK_KICK_ALL, 0));
	pthread_join(f[0].thread, NULL);
	pthread_join(f[1].thread, NULL);
	ASSERT_EQ(-EINTR, f[0].ret);
	ASSERT_EQ(-EINTR, f[1].ret);
	ASSERT_EQ(0, kick(self->t.hlk, HLK_KICK_ALL, 0));
	FAILS(EINVAL, HLK_WHY_FLAGS, kick(self->t.hlk, HLK_KICK_ALL, 1));
}

TEST_F(turns, killed)
{
	struct tvm t, second;
	struct follower f;
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		tvm_start(&t, 0, 0);
		tvm_vcpu(&second, &t, 1);
		follower(&f, &second, 0, 0);
		hlk_call(t.hlk, HLK_RUN, &f.run);
		_exit(1);
	}
	usleep(500000);
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));
}

/* The call holds the file; a last reference of it goes with the call. */
TEST_F(turns, the_fds_are_closed_meanwhile)
{
	struct sigaction action = { .sa_handler = no_op };
	struct tvm second;
	struct follower f;
	struct tvm t;
	int mine;

	sigaction(SIGUSR1, &action, NULL);
	tvm_start(&t, 0, 0);
	tvm_vcpu(&second, &t, 1);
	follow(&f, &second, 0, 0);
	mine = dup(t.hlk);
	tvm_vcpu_close(&second);
	tvm_close(&t);
	usleep(50000);
	ASSERT_FALSE(f.done);
	ASSERT_EQ(1, kick(mine, 0, 1));
	pthread_join(f.thread, NULL);
	ASSERT_EQ(-EINTR, f.ret);
	close(mine);
}

/* ---- who is not let in ---- */

TEST_F(turns, one_follower_for_each_vcpu)
{
	struct follower f, other;
	struct hlk_run run;

	follow(&f, &self->second, 0, 0);
	follower(&other, &self->second, 0, 0);
	FAILS(EBUSY, HLK_WHY_VCPU_RUNNING, hlk_call(self->t.hlk, HLK_RUN, &other.run));
	ASSERT_EQ(1, t_index);
	OK(lead(self, 0, &run));
	pthread_join(f.thread, NULL);
	ASSERT_EQ(0, f.ret);
	ASSERT_EQ(1, tvm_word(&self->t, COUNT));
}

TEST_F(turns, flags_that_do_not_go_together)
{
	static const u32 bad[] = {
		HLK_RUN_FOLLOW,
		HLK_RUN_FOLLOW | HLK_RESTORE_TIME_BACK,
		HLK_RUN_FOLLOW | HLK_RUN_CONTINUE | HLK_RUN_LEAD,
		HLK_RUN_FOLLOW | HLK_RUN_CONTINUE | HLK_RUN_REGS,
		HLK_RUN_FOLLOW | HLK_RUN_CONTINUE | HLK_RESTORE_REPRODUCIBLE,
	};
	struct kvm_regs regs = {};
	struct hlk_segment in = { .gpa = WORD_IN };
	struct follower f;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		follower(&f, &self->second, 5, now() + 100 * MS);
		f.run.head.flags = bad[i];
		f.run.regs = (uintptr_t)&regs;
		FAILS(EINVAL, HLK_WHY_FLAGS, hlk_call(self->t.hlk, HLK_RUN, &f.run));
	}
	follower(&f, &self->second, 5, now() + 100 * MS);
	f.run.inputs = (uintptr_t)&in;
	f.run.nr_inputs = 1;
	f.run.input_size = sizeof(in);
	FAILS(EINVAL, HLK_WHY_FLAGS, hlk_call(self->t.hlk, HLK_RUN, &f.run));
	follower(&f, &self->second, 5, 0);
	f.run.vcpu_fd = self->t.vm;
	FAILS(EBADF, HLK_WHY_NOT_VCPU, hlk_call(self->t.hlk, HLK_RUN, &f.run));
}

/* ---- leaders that fail ---- */

/* What changes nothing begins no turn. */
TEST_F(turns, a_leader_that_may_not)
{
	struct follower f;
	struct hlk_run run;
	struct tvm_runner r;

	close(self->snap);
	begin(self, spin, spin_end);
	tvm_runner_start(&r, &self->second);
	while (!tvm_word(&self->t, TVM_DATA))
		usleep(1000);
	follow(&f, &self->t, 0, 0);
	FAILS(EBUSY, HLK_WHY_VCPU_RUNNING, lead(self, 0, &run));
	ASSERT_EQ(0, run.turn);
	usleep(50000);
	ASSERT_FALSE(f.done);
	ASSERT_EQ(-EINTR, tvm_runner_kick(&r));
	ASSERT_EQ(1, kick(self->t.hlk, HLK_KICK_ALL, 0));
	pthread_join(f.thread, NULL);
	ASSERT_EQ(0, f.run.turn);
}

/* What leaves the VM in no state is told to all, and the next turn is one again. */
TEST_F(turns, a_restore_that_comes_to_no_end)
{
	struct kvm_xcrs xcrs = {
		.nr_xcrs = 1,
		.xcrs[0].value = 0x4,	/* AVX without SSE and x87 */
	};
	struct follower f;
	struct hlk_run run;
	int snap;
	u8 *at;

	prog_begin(self->p);
	prog_add(self->p, KVM_SET_XCRS, 0, &xcrs, sizeof(xcrs));
	snap = OK(prog_snapshot(self->t.hlk, self->p));
	at = prog_map(snap);
	FAILS(EINVAL, HLK_WHY_PROGRAM_CALL, prog_restore(self->t.hlk, snap, at, 0, NULL));
	follow(&f, &self->second, 0, 0);
	run = (struct hlk_run)HLK_STRUCT(hlk_run);
	run.head.flags = HLK_RUN_LEAD;
	run.vcpu_fd = self->t.vcpu;
	run.program = (uintptr_t)at;
	FAILS(EINVAL, HLK_WHY_PROGRAM_CALL, hlk_call(self->t.hlk, HLK_RUN, &run));
	ASSERT_EQ(1, run.turn);
	pthread_join(f.thread, NULL);
	ASSERT_EQ(-EINVAL, f.ret);
	ASSERT_EQ((u32)HLK_WHY_HALF_RESTORED, f.why);
	ASSERT_EQ(0, f.run.entries);
	ASSERT_EQ(1, f.run.turn);
	follow(&f, &self->second, 1, 0);
	OK(hlk_restore(self->t.hlk, self->snap, NULL));
	OK(lead(self, 0, &run));
	pthread_join(f.thread, NULL);
	ASSERT_EQ(0, f.ret);
	ASSERT_EQ(2, f.run.turn);
	munmap(at, PAGE);
	close(snap);
}

TEST_HARNESS_MAIN
