// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many calls in one HLK_RUN: each as if it were alone, and where it ends early, what is
 * done is told and nothing is lost.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>

#include "hlk_test.h"
#include "harness.h"

#define IN	0x21000U
#define OUT	0x22000U
#define NR	64
#define DONE_ALL (HLK_DONE_RESTORED | HLK_DONE_INPUT | HLK_DONE_ENTERED)

/*
 * What it is to do at IN, a number behind it, and one for all calls behind that. Writes a
 * buffer to OUT: how many bytes, the sum, how often it was here. 1: an OUT before. 2: for
 * ever. 3: more bytes than there is room for. 4: prints. 5: breakpoints. 6: takes as long as
 * the bits above it say.
 */
GUEST(sum, "	mov 0x21000, %ecx\n"
	   "	mov 0x21004, %eax\n"
	   "	add 0x21008, %eax\n"
	   "	mov %eax, 0x22008\n"
	   "	incl 0x2200c\n"
	   "	movl $16, 0x22000\n"
	   "	cmp $1, %ecx\n	jne 1f\n	outb %al, $0x80\n"
	   "1:	cmp $2, %ecx\n	jne 1f\n"
	   "2:	jmp 2b\n"
	   "1:	cmp $3, %ecx\n	jne 1f\n	movl $17, 0x22000\n"
	   "1:	cmp $4, %ecx\n	jne 1f\n	outb %al, $0xe9\n"
	   "1:	cmp $5, %ecx\n	jne 1f\n	mov $0x401, %eax\n	mov %eax, %dr7\n"
	   "1:	cmp $6, %cl\n	jne 1f\n	shr $8, %ecx\n"
	   "2:	imul %edx, %edx\n	imul %edx, %edx\n	imul %edx, %edx\n	loop 2b\n"
	   "1:	hlt\n");

struct answer {
	u64 bytes;
	u32 sum;
	u32 times;
};

FIXTURE(calls) {
	struct tvm t;
	int snap;
	u32 in[NR][2];
	u32 all;
	struct answer out[NR];
	struct hlk_segment segment;
	struct hlk_run_call call[NR];
	struct hlk_run run;
	char log[NR];
};

FIXTURE_SETUP(calls)
{
	u32 i;

	t_begin();
	tvm_start(&self->t, 0, 0);
	tvm_load(&self->t, TVM_CODE, sum);
	tvm_set(&self->t, TVM_CODE);
	self->snap = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, self->snap, NULL));
	self->all = 1000;
	self->segment = (struct hlk_segment){
		.gpa = IN + 8, .bytes = 4, .data = (uintptr_t)&self->all,
	};
	for (i = 0; i < NR; i++) {
		self->in[i][1] = i;
		self->call[i] = (struct hlk_run_call){
			.in_gpa = IN, .in_bytes = 8, .in = (uintptr_t)self->in[i],
			.out_gpa = OUT, .out_bytes = sizeof(struct answer),
			.out = (uintptr_t)&self->out[i], .out_used = ~0,
		};
	}
	self->run = (struct hlk_run)HLK_STRUCT(hlk_run);
	self->run.head.flags = HLK_RUN_SIZED;
	self->run.vcpu_fd = self->t.vcpu;
	self->run.inputs = (uintptr_t)&self->segment;
	self->run.nr_inputs = 1;
	self->run.input_size = sizeof(self->segment);
	self->run.calls = (uintptr_t)self->call;
	self->run.nr_calls = NR;
	self->run.call_size = sizeof(self->call[0]);
}

FIXTURE_TEARDOWN(calls)
{
	close(self->snap);
	tvm_close(&self->t);
	EXPECT_EQ(0, t_end());
}

#define CALL()	hlk_call(self->t.hlk, HLK_RUN, &self->run)

/* These were done, and no other was */
#define DONE(nr)							\
	do {								\
		u32 i_;							\
		ASSERT_EQ(nr, self->run.calls_done);			\
		for (i_ = 0; i_ < (nr); i_++) {				\
			ASSERT_EQ(16, self->out[i_].bytes);		\
			ASSERT_EQ(1000 + i_, self->out[i_].sum);	\
			ASSERT_EQ(1, self->out[i_].times);		\
			ASSERT_EQ(16, self->call[i_].out_used);		\
		}							\
		for (; i_ < NR; i_++) {					\
			ASSERT_EQ(0, self->out[i_].bytes);		\
			ASSERT_EQ(~0U, self->call[i_].out_used);	\
		}							\
	} while (0)

TEST_F(calls, each_as_if_it_were_alone)
{
	OK(CALL());
	DONE(NR);
	ASSERT_EQ(DONE_ALL, self->run.done);
	ASSERT_EQ(KVM_EXIT_HLT, self->run.exit_reason);
	ASSERT_EQ(NR, self->run.entries);
}

TEST_F(calls, with_bytes_that_are_not_counted)
{
	self->run.head.flags = 0;
	self->in[5][0] = 3;
	OK(CALL());
	ASSERT_EQ(NR, self->run.calls_done);
	ASSERT_EQ(17, self->out[5].bytes);
	ASSERT_EQ(16, self->call[5].out_used);
	ASSERT_EQ(1005, self->out[5].sum);
}

TEST_F(calls, an_exit_in_the_middle_is_seen)
{
	self->in[10][0] = 1;
	OK(CALL());
	DONE(10);
	ASSERT_EQ(DONE_ALL, self->run.done);
	ASSERT_EQ(KVM_EXIT_IO, self->run.exit_reason);
	ASSERT_EQ(0x80, self->t.run->io.port);
	ASSERT_EQ(1010, tvm_word(&self->t, OUT + 8));
	/* on with this one, then with the rest */
	self->run.head.flags = HLK_RUN_CONTINUE;
	self->run.nr_calls = 0;
	self->run.nr_inputs = 0;
	OK(CALL());
	ASSERT_EQ(KVM_EXIT_HLT, self->run.exit_reason);
	ASSERT_EQ(1, tvm_word(&self->t, OUT + 12));
	memcpy(&self->out[10], tvm_at(&self->t, OUT), sizeof(self->out[10]));
	self->call[10].out_used = 16;
	self->run.head.flags = HLK_RUN_SIZED;
	self->run.nr_inputs = 1;
	self->run.nr_calls = NR - 11;
	self->run.calls = (uintptr_t)&self->call[11];
	OK(CALL());
	ASSERT_EQ(NR - 11, self->run.calls_done);
	self->run.calls_done = NR;
	DONE(NR);
}

TEST_F(calls, an_output_that_is_too_long_is_seen)
{
	self->in[7][0] = 3;
	OK(CALL());
	DONE(7);
	ASSERT_EQ(KVM_EXIT_HLT, self->run.exit_reason);
	ASSERT_EQ(17, tvm_word(&self->t, OUT));
	ASSERT_EQ(1007, tvm_word(&self->t, OUT + 8));
}

TEST_F(calls, what_is_printed)
{
	u32 i;

	self->run.log = (uintptr_t)self->log;
	self->run.log_size = sizeof(self->log);
	self->run.log_port = 0xe9;
	for (i = 0; i < NR; i += 2)
		self->in[i][0] = 4;
	OK(CALL());
	DONE(NR);
	for (i = 0; i < NR; i++) {
		ASSERT_EQ(i / 2 + 1, self->call[i].log_used);
		ASSERT_EQ((char)(1000 + i / 2 * 2), self->log[i / 2]);
	}
	/* full in the middle: it is an exit */
	self->run.log_size = 3;
	OK(CALL());
	ASSERT_EQ(6, self->run.calls_done);
	ASSERT_EQ(KVM_EXIT_IO, self->run.exit_reason);
}

TEST_F(calls, breakpoints_are_for_user_space)
{
	self->in[3][0] = 5;
	OK(CALL());
	DONE(4);
	ASSERT_EQ(HLK_DONE_RESTORED | HLK_DONE_INPUT, self->run.done);
	ASSERT_EQ(HLK_RESIDUE_DEBUGREGS, self->run.residue & HLK_RESIDUE_DEBUGREGS);
}

/* ---- deadlines, signals ---- */

TEST_F(calls, a_deadline_of_one)
{
	self->in[20][0] = 2;
	self->run.call_timeout_ns = 50000000;
	ASSERT_EQ(-ETIMEDOUT, CALL());
	DONE(20);
	ASSERT_EQ(DONE_ALL, self->run.done);
	ASSERT_NE(0, self->run.call_deadline_ns);
	ASSERT_EQ(0, self->run.deadline_ns);
	/* held to the same */
	self->run.head.flags = HLK_RUN_CONTINUE;
	self->run.nr_calls = 0;
	self->run.nr_inputs = 0;
	self->run.deadline_ns = self->run.call_deadline_ns;
	ASSERT_EQ(-ETIMEDOUT, CALL());
	ASSERT_EQ(0, self->run.entries);
}

TEST_F(calls, a_deadline_of_each)
{
	u64 start, took, i;
	u32 loops = 1 << 10;

	/* so long that all of them take longer than one may */
	do {
		loops *= 2;
		self->in[0][0] = 6 | loops << 8;
		self->run.nr_calls = 1;
		start = t_now();
		OK(CALL());
		took = t_now() - start;
	} while (took < 20000000 && loops < 1 << 23);
	for (i = 0; i < NR; i++)
		self->in[i][0] = 6 | loops << 8;
	memset(self->out, 0, sizeof(self->out));
	self->run.nr_calls = NR;
	self->run.call_timeout_ns = NR / 2 * took;
	OK(CALL());
	DONE(NR);
}

TEST_F(calls, a_deadline_of_all)
{
	self->in[20][0] = 2;
	self->run.timeout_ns = 2000000000;
	ASSERT_EQ(-ETIMEDOUT, CALL());
	DONE(20);
	/* that of all is that of each */
	memset(self->out, 0, sizeof(self->out));
	self->run.timeout_ns = 0;
	self->run.deadline_ns = 1;
	self->run.call_timeout_ns = 5000000000;
	ASSERT_EQ(-ETIMEDOUT, CALL());
	ASSERT_EQ(0, self->run.calls_done);
	self->run.call_timeout_ns = 0;
	ASSERT_EQ(-ETIMEDOUT, CALL());
	ASSERT_EQ(0, self->run.calls_done);
	ASSERT_EQ(0, self->run.done);
}

static void no_op(int sig)
{
}

TEST_F(calls, a_signal)
{
	const struct itimerval soon = { .it_value.tv_usec = 200000 };
	struct sigaction action = { .sa_handler = no_op };

	sigaction(SIGALRM, &action, NULL);
	self->in[20][0] = 2;
	setitimer(ITIMER_REAL, &soon, NULL);
	ASSERT_EQ(-EINTR, CALL());
	DONE(20);
	ASSERT_EQ(DONE_ALL, self->run.done);
}

/* One that comes between two calls: then nothing of the next is begun. */
TEST_F(calls, signals_at_any_time)
{
	struct sigaction action = { .sa_handler = no_op };
	struct itimerval soon = {};
	u32 between = 0, within = 0, seed = t_seed(), i;
	u32 left = NR;
	long ret;

	sigaction(SIGALRM, &action, NULL);
	for (i = 0; i < 300; i++) {
		soon.it_value.tv_usec = 1 + t_rnd(&seed) % 20000;
		setitimer(ITIMER_REAL, &soon, NULL);
		self->run.head.flags = HLK_RUN_SIZED;
		self->run.nr_inputs = 1;
		self->run.calls = (uintptr_t)&self->call[NR - left];
		self->run.nr_calls = left;
		ret = CALL();
		ASSERT_TRUE(!ret || ret == -EINTR);
		left -= self->run.calls_done;
		if (ret && !self->run.done) {
			between++;
		} else if (ret) {
			within++;
			/* it is done again, from the start */
		}
		if (left)
			continue;
		self->run.calls_done = NR;
		DONE(NR);
		memset(self->out, 0, sizeof(self->out));
		left = NR;
	}
	TH_LOG("%u between, %u within", between, within);
	ASSERT_LT(0, between);
	ASSERT_LT(0, within);
}

struct kicker {
	struct tvm *t;
	struct answer *out;
	u32 rest;
	u32 kicked;
	bool early;	/* there was one to come that had not begun */
};

static void *kick(void *arg)
{
	struct hlk_kick kick = HLK_STRUCT(hlk_kick);
	struct kicker *k = arg;

	while (!__atomic_load_n(&k->out[0].bytes, __ATOMIC_SEQ_CST))
		sched_yield();
	usleep(k->rest);
	t_must(!hlk_call(k->t->hlk, HLK_KICK, &kick));
	k->early = !__atomic_load_n(&k->out[NR - 2].bytes, __ATOMIC_SEQ_CST);
	k->kicked = kick.kicked;
	return NULL;
}

/* A kick finds who makes calls between two of them, too, and ends all of them. */
TEST_F(calls, kicks_at_any_time)
{
	struct kicker k = { .t = &self->t, .out = self->out };
	u32 ended = 0, late = 0, seed = t_seed(), i;
	pthread_t thread;
	long ret;

	self->run.call_timeout_ns = 60000000000ULL;
	for (i = 0; i < 200; i++) {
		memset(self->out, 0, sizeof(self->out));
		k.rest = t_rnd(&seed) % 5000;
		ASSERT_EQ(0, pthread_create(&thread, NULL, kick, &k));
		ret = CALL();
		pthread_join(thread, NULL);
		if (!k.early && !ret) {
			late++;
			continue;
		}
		ASSERT_EQ(-EINTR, ret) {
			TH_LOG("%u done, exit %u, %#x, kicked %u", self->run.calls_done,
			       self->run.exit_reason, self->run.done, k.kicked);
		}
		ASSERT_EQ(1, k.kicked);
		ended++;
	}
	TH_LOG("%u ended, %u were late", ended, late);
	ASSERT_LT(0, ended);
}

TEST_F(calls, immediate_exit)
{
	self->t.run->immediate_exit = 1;
	ASSERT_EQ(-EINTR, CALL());
	self->t.run->immediate_exit = 0;
	ASSERT_EQ(0, self->run.calls_done);
	OK(CALL());
	DONE(NR);
}

/* ---- hostile callers ---- */

TEST_F(calls, what_is_wrong_in_the_middle)
{
	struct hlk_run_call good = self->call[9];

	self->call[9].in_gpa = TVM_LOW - 4;
	FAILS(EINVAL, HLK_WHY_INPUT, CALL());
	ASSERT_EQ(1, t_index);
	DONE(9);
	ASSERT_EQ(0, self->run.done);
	self->call[9] = good;
	self->call[9].in_bytes = HLK_MAX_INPUT_BYTES;
	FAILS(E2BIG, HLK_WHY_INPUT, CALL());
	self->call[9].in_bytes = ~0ULL;
	FAILS(E2BIG, HLK_WHY_INPUT, CALL());
	self->call[9] = good;
	self->call[9].in = 0;
	FAILS(EFAULT, HLK_WHY_NONE, CALL());
	ASSERT_EQ(9, self->run.calls_done);
	ASSERT_EQ(HLK_DONE_RESTORED, self->run.done);
	self->call[9] = good;
	self->call[9].out_gpa++;
	FAILS(EINVAL, HLK_WHY_OUTPUT, CALL());
	ASSERT_EQ(9, t_index);
	self->call[9] = good;
	self->call[9].out_gpa = TVM_LOW - 8;
	FAILS(EINVAL, HLK_WHY_OUTPUT, CALL());
	self->call[9].out_bytes = HLK_MAX_INPUT_BYTES + 1ULL;
	FAILS(EINVAL, HLK_WHY_OUTPUT, CALL());
	self->call[9].out_bytes = ~0ULL;
	FAILS(EINVAL, HLK_WHY_OUTPUT, CALL());
	self->call[9] = good;
	self->call[9].out = 0;
	FAILS(EFAULT, HLK_WHY_NONE, CALL());
	/* it has run, and what it left is there */
	ASSERT_EQ(9, self->run.calls_done);
	ASSERT_EQ(DONE_ALL, self->run.done);
	ASSERT_EQ(1009, tvm_word(&self->t, OUT + 8));
	self->call[9] = good;
	self->call[9].__reserved = 1;
	FAILS(EOPNOTSUPP, HLK_WHY_RESERVED, CALL());
	self->call[9] = good;
	OK(CALL());
	DONE(NR);
}

TEST_F(calls, what_is_wrong_from_the_start)
{
	self->run.nr_calls = HLK_MAX_CALLS + 1;
	FAILS(E2BIG, HLK_WHY_TOO_MANY_CALLS, CALL());
	self->run.nr_calls = ~0;
	FAILS(E2BIG, HLK_WHY_TOO_MANY_CALLS, CALL());
	self->run.nr_calls = NR;
	self->run.call_size = sizeof(self->call[0]) - 1;
	FAILS(EINVAL, HLK_WHY_ELEMENT_SIZE, CALL());
	self->run.call_size = 8192;
	FAILS(E2BIG, HLK_WHY_ELEMENT_SIZE, CALL());
	self->run.call_size = sizeof(self->call[0]);
	self->run.head.flags = HLK_RUN_CONTINUE;
	FAILS(EINVAL, HLK_WHY_FLAGS, CALL());
	self->run.head.flags = HLK_RUN_SIZED;
	self->run.__reserved = 1;
	FAILS(EOPNOTSUPP, HLK_WHY_RESERVED, CALL());
	self->run.__reserved = 0;
	self->run.calls = 0;
	FAILS(EFAULT, HLK_WHY_NONE, CALL());
	ASSERT_EQ(0, self->run.calls_done);
	self->run.nr_calls = 0;
	FAILS(EINVAL, HLK_WHY_FLAGS, CALL());
	self->run.calls = (uintptr_t)self->call;
	self->run.nr_calls = NR;
	OK(CALL());
	DONE(NR);
}

/* Elements that are longer than the kernel knows, and outputs that lie on the array */
TEST_F(calls, other_arrays)
{
	struct {
		struct hlk_run_call call;
		u64 more;
	} calls[4] = {};
	u32 i;

	for (i = 0; i < 4; i++)
		calls[i].call = self->call[i];
	self->run.calls = (uintptr_t)calls;
	self->run.nr_calls = 4;
	self->run.call_size = sizeof(calls[0]);
	OK(CALL());
	ASSERT_EQ(4, self->run.calls_done);
	ASSERT_EQ(1003, self->out[3].sum);
	calls[2].more = 1;
	FAILS(E2BIG, HLK_WHY_TAIL, CALL());
	ASSERT_EQ(2, self->run.calls_done);
	calls[2].more = 0;
	/* the next element becomes what the guest wrote, and is refused as what it is */
	calls[1].call.out = (uintptr_t)&calls[2].call;
	t_why = 0;
	ASSERT_NE(0, CALL());
	ASSERT_EQ(2, self->run.calls_done);
	/* memory of the guest itself */
	self->run.calls = (uintptr_t)self->call;
	self->run.call_size = sizeof(self->call[0]);
	self->call[1].out = (uintptr_t)tvm_at(&self->t, 0x50000);
	OK(CALL());
	ASSERT_EQ(4, self->run.calls_done);
}

TEST_HARNESS_MAIN
