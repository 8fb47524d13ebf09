// SPDX-License-Identifier: GPL-2.0-only
/*
 * A run that ends in time, whatever the guest does, and whatever happens to the
 * task that runs it: by its deadline, or by HLK_KICK.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#include "hlk_test.h"
#include "harness.h"

#define MS		1000000ULL
#define LATE		(10000 * MS)	/* of a machine that does much else */
#define FOR_EVER	(3600000 * MS)
#define DONE_ALL (HLK_DONE_RESTORED | HLK_DONE_INPUT | HLK_DONE_ENTERED)
#define ROUNDS		2000

GUEST(count, "	incl 0x22000\n"
	     "	hlt\n");
/* Takes some milliseconds */
GUEST(work, "	movl $1000000, %ecx\n"
	    "1:	loop 1b\n"
	    "	hlt\n");
GUEST(spin, "1:	incl 0x20000\n"
	    "	jmp 1b\n");
/* Each of these is an exit: to user space, to the log, to KVM */
GUEST(ports, "1:	incl 0x20000\n"
	     "	outb %al, $0x80\n"
	     "	jmp 1b\n");
GUEST(prints, "	mov $0xe9, %edx\n"
	      "1:	incl 0x20000\n"
	      "	outb %al, %dx\n"
	      "	jmp 1b\n");
GUEST(cpuids, "1:	incl 0x20000\n"
	      "	xor %eax, %eax\n"
	      "	cpuid\n"
	      "	jmp 1b\n");
/* Waits in KVM, where that has interrupt controllers */
GUEST(halts, "	incl 0x20000\n"
	     "1:	hlt\n"
	     "	jmp 1b\n");
/* Writes one page after the other, over and over */
GUEST(writes, "2:	mov $0x30000, %esi\n"
	      "1:	incl (%esi)\n"
	      "	incl 0x20000\n"
	      "	add $0x1000, %esi\n"
	      "	cmp $0xf0000, %esi\n"
	      "	jb 1b\n"
	      "	jmp 2b\n");

FIXTURE(deadline) {
	struct tvm t;
	int snap;
	struct hlk_run run;
};

typedef FIXTURE_DATA(deadline) fixture;

static void begin(fixture *self, const u8 *code, const u8 *end)
{
	close(self->snap);
	tvm_load_(&self->t, TVM_CODE, code, end);
	tvm_set(&self->t, TVM_CODE);
	self->snap = hlk_snapshot_flat(self->t.hlk);
	t_must(self->snap >= 0);
	t_must(!hlk_restore(self->t.hlk, self->snap, NULL));
	self->run = (struct hlk_run)HLK_STRUCT(hlk_run);
	self->run.vcpu_fd = self->t.vcpu;
}

#define BEGIN(code) begin(self, code, code##_end)

FIXTURE_SETUP(deadline)
{
	t_begin();
	self->snap = -1;
	tvm_start(&self->t, 0, 0);
	BEGIN(spin);
}

FIXTURE_TEARDOWN(deadline)
{
	close(self->snap);
	tvm_close(&self->t);
	EXPECT_EQ(0, t_end());
}

static long call(fixture *self)
{
	return hlk_call(self->t.hlk, HLK_RUN, &self->run);
}

static u32 steps(fixture *self)
{
	return *(volatile u32 *)tvm_at(&self->t, TVM_DATA);
}

static void no_op(int sig)
{
}

/* The task has nothing left that would end a call: of KVM, or of anything else. */
static bool undisturbed(void)
{
	const struct timespec nap = { .tv_nsec = 1 };
	sigset_t set;

	sigpending(&set);
	return sigisemptyset(&set) && !nanosleep(&nap, NULL);
}

/*
 * The call takes @ms, and is over soon then. Anything between that time and the
 * guest's first step is the machine's, so there need not be one.
 */
#define ENDS_IN(ms, call)						\
	do {								\
		u64 start_ = t_now();					\
									\
		FAILS(ETIMEDOUT, HLK_WHY_NONE, call);			\
		ASSERT_LE((ms) * MS, t_now() - start_);			\
		ASSERT_GE((ms) * MS + LATE, t_now() - start_);		\
		ASSERT_TRUE(undisturbed());				\
	} while (0)

/* ---- what the guest does ---- */

TEST_F(deadline, a_guest_that_spins)
{
	u32 i, before;
	u64 given;

	for (i = 0; i < 4; i++) {
		self->run.timeout_ns = 300 * MS;
		self->run.head.flags = 0;
		given = t_now();
		ENDS_IN(300, call(self));
		ASSERT_EQ(DONE_ALL, self->run.done);
		ASSERT_EQ(1, self->run.entries);
		ASSERT_EQ(KVM_EXIT_INTR, self->run.exit_reason);
		ASSERT_LE(given + 300 * MS, self->run.deadline_ns);
		ASSERT_GT(t_now(), self->run.deadline_ns);
		before = steps(self);
		ASSERT_LT(0, before);
		/* on from there with a new one, and as the old one says not at all */
		self->run.head.flags = HLK_RUN_CONTINUE;
		ENDS_IN(300, call(self));
		ASSERT_LT(before, steps(self));
		before = steps(self);
		self->run.timeout_ns = 0;
		FAILS(ETIMEDOUT, HLK_WHY_NONE, call(self));
		ASSERT_EQ(HLK_DONE_INPUT, self->run.done);
		ASSERT_EQ(0, self->run.entries);
		ASSERT_EQ(before, steps(self));
	}
}

/* Each exit is a call of its own; all of them together are held to the time. */
TEST_F(deadline, a_guest_that_comes_out_all_the_time)
{
	u64 start = t_now(), given;
	u32 exits = 0;
	long ret;

	BEGIN(ports);
	self->run.timeout_ns = 200 * MS;
	ret = call(self);
	given = self->run.deadline_ns;
	while (!ret) {
		ASSERT_EQ(KVM_EXIT_IO, self->run.exit_reason);
		exits++;
		self->run.head.flags = HLK_RUN_CONTINUE;
		self->run.timeout_ns = 0;
		ret = call(self);
		ASSERT_EQ(given, self->run.deadline_ns);
	}
	ASSERT_EQ(-ETIMEDOUT, ret);
	ASSERT_LE(200 * MS, t_now() - start);
	ASSERT_GE(200 * MS + LATE, t_now() - start);
	ASSERT_LT(0, exits);
	ASSERT_TRUE(undisturbed());
}

TEST_F(deadline, a_guest_that_prints_for_ever)
{
	u32 bytes = 64 << 20;
	void *log = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	t_must(log != MAP_FAILED);
	BEGIN(prints);
	self->run.log = (uintptr_t)log;
	self->run.log_size = bytes;
	self->run.log_port = 0xe9;
	self->run.timeout_ns = 300 * MS;
	ENDS_IN(300, call(self));
	ASSERT_LT(0, self->run.log_used);
	ASSERT_GT(bytes, self->run.log_used);
	/* every byte that it has sent is there, but for the one that it was ended at */
	ASSERT_GE(1, steps(self) - self->run.log_used);
	munmap(log, bytes);
}

TEST_F(deadline, a_guest_that_only_KVM_sees)
{
	BEGIN(cpuids);
	self->run.timeout_ns = 300 * MS;
	ENDS_IN(300, call(self));
	ASSERT_LT(0, steps(self));
}

TEST_F(deadline, a_guest_that_waits_in_hlt)
{
	struct hlk_run *run = &self->run;
	u32 i;

	tvm_close(&self->t);
	tvm_open_irqchip(&self->t);
	tvm_machine(&self->t, 0, 0);
	BEGIN(halts);
	for (i = 0; i < 3; i++) {
		*run = (struct hlk_run)HLK_STRUCT(hlk_run);
		run->vcpu_fd = self->t.vcpu;
		run->timeout_ns = 300 * MS;
		ENDS_IN(300, call(self));
		ASSERT_EQ(DONE_ALL, run->done);
		ASSERT_EQ(1, steps(self));
		run->head.flags = HLK_RUN_CONTINUE;
		ENDS_IN(300, call(self));
		ASSERT_EQ(1, steps(self));
	}
}

struct unmapper {
	void *at;
	volatile bool stop;
};

static void *unmaps(void *arg)
{
	struct unmapper *u = arg;

	while (!u->stop)
		madvise(u->at, 0xd0000, MADV_DONTNEED);
	return NULL;
}

TEST_F(deadline, a_guest_that_faults_all_the_time)
{
	struct unmapper u = { .at = tvm_at(&self->t, 0x20000) };
	pthread_t thread;
	u32 i;

	BEGIN(writes);
	ASSERT_EQ(0, pthread_create(&thread, NULL, unmaps, &u));
	for (i = 0; i < 5; i++) {
		self->run.timeout_ns = 200 * MS;
		ENDS_IN(200, call(self));
	}
	u.stop = true;
	pthread_join(thread, NULL);
}

/* ---- which deadlines ---- */

TEST_F(deadline, one_that_is_over)
{
	static const u64 past[] = { 1, 2, 1000 * MS };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(past); i++) {
		self->run.deadline_ns = past[i];
		FAILS(ETIMEDOUT, HLK_WHY_NONE, call(self));
		/* what comes before the guest is done */
		ASSERT_EQ(HLK_DONE_RESTORED | HLK_DONE_INPUT, self->run.done);
		ASSERT_EQ(0, self->run.entries);
		ASSERT_EQ(past[i], self->run.deadline_ns);
		ASSERT_EQ(0, steps(self));
	}
	self->run.timeout_ns = 1;
	FAILS(ETIMEDOUT, HLK_WHY_NONE, call(self));
	ASSERT_EQ(0, self->run.entries);
}

TEST_F(deadline, one_that_does_not_come)
{
	static const u64 far[] = { INT64_MAX / 2, INT64_MAX - 1, INT64_MAX,
				   1ULL << 63, ~0ULL - 1, ~0ULL };
	u32 i;

	/* long enough for a timer that was set by mistake */
	BEGIN(work);
	for (i = 0; i < ARRAY_SIZE(far); i++) {
		self->run.timeout_ns = 0;
		self->run.deadline_ns = far[i];
		OK(call(self));
		ASSERT_EQ(DONE_ALL, self->run.done);
		ASSERT_EQ(KVM_EXIT_HLT, self->run.exit_reason);
		ASSERT_EQ(far[i], self->run.deadline_ns);
		self->run.timeout_ns = far[i];
		self->run.deadline_ns = 1;
		OK(call(self));
		ASSERT_LE(far[i], self->run.deadline_ns);
		ASSERT_EQ(far[i] >= INT64_MAX - 1,
			  self->run.deadline_ns == HLK_DEADLINE_NEVER);
	}
	/* a program that knows nothing of it */
	self->run.head.size = offsetof(struct hlk_run, timeout_ns);
	OK(call(self));
	ASSERT_TRUE(undisturbed());
}

/*
 * Ends at any point of a short call, and then kicks as well: nothing else comes of
 * it than that it ends.
 */
struct kicker {
	int hlk;
	volatile bool stop;
	u32 kicked;
	u32 failed;
};

static void *kicks(void *arg)
{
	struct kicker *k = arg;

	while (!k->stop) {
		struct hlk_kick kick = HLK_STRUCT(hlk_kick);

		k->failed += ioctl(k->hlk, HLK_KICK, &kick) < 0;
		k->kicked += kick.kicked;
	}
	return NULL;
}

TEST_F(deadline, at_any_point_of_a_call)
{
	struct kicker k = { .hlk = self->t.hlk };
	u32 seed = t_seed(), out[3] = {}, i;
	pthread_t thread;
	u64 took = t_now();
	long ret;

	BEGIN(count);
	took = t_now();
	for (i = 0; i < 100; i++)
		OK(call(self));
	took = (t_now() - took) / 100;
	for (i = 0; i < ROUNDS; i++) {
		if (i == ROUNDS / 2)
			ASSERT_EQ(0, pthread_create(&thread, NULL, kicks, &k));
		self->run.timeout_ns = 1 + t_rnd(&seed) % (2 * took);
		self->run.deadline_ns = HLK_DEADLINE_NEVER;
		if (i > ROUNDS / 2 && i % 2)
			self->run.timeout_ns = 0;
		ret = call(self);
		ASSERT_TRUE(!ret || ret == -ETIMEDOUT ||
			    (ret == -EINTR && i >= ROUNDS / 2)) {
			TH_LOG("round %u: %ld", i, ret);
		}
		ASSERT_TRUE(ret == -ETIMEDOUT || self->run.done == DONE_ALL);
		/* what came out is told, however late it was */
		ASSERT_TRUE(!self->run.entries ||
			    self->run.exit_reason == (ret ? KVM_EXIT_INTR : KVM_EXIT_HLT));
		out[!ret ? 0 : ret == -ETIMEDOUT ? 1 : 2]++;
		ASSERT_TRUE(undisturbed());
	}
	k.stop = true;
	pthread_join(thread, NULL);
	ASSERT_EQ(0, k.failed);
	TH_LOG("of calls of %llu ns %u came out, %u were too long, %u ended by %u kicks",
	       (unsigned long long)took, out[0], out[1], out[2], k.kicked);
	ASSERT_LT(0, out[0]);
	ASSERT_LT(0, out[1]);
}

/* ---- what happens to the task ---- */

TEST_F(deadline, a_signal_that_is_pending_and_blocked)
{
	sigset_t set;
	u32 i;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	signal(SIGUSR1, no_op);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR1);
	for (i = 0; i < 3; i++) {
		u64 start = t_now();

		self->run.timeout_ns = 300 * MS;
		FAILS(ETIMEDOUT, HLK_WHY_NONE, call(self));
		ASSERT_LE(300 * MS, t_now() - start);
		ASSERT_LT(0, steps(self));
	}
	sigpending(&set);
	ASSERT_EQ(1, sigismember(&set, SIGUSR1));
}

static volatile u32 alarms;

static void on_alarm(int sig)
{
	alarms++;
}

/* They end runs as ever, their handlers run, and the time is kept all the same. */
TEST_F(deadline, signals_all_the_time)
{
	struct itimerval timer = { { 0, 10000 }, { 0, 10000 } };
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	u64 start = t_now();
	u32 ended = 0;
	long ret;

	sigaction(SIGALRM, &action, NULL);
	self->run.timeout_ns = 500 * MS;
	setitimer(ITIMER_REAL, &timer, NULL);
	ret = call(self);
	while (ret == -EINTR) {
		ended++;
		self->run.head.flags = HLK_RUN_CONTINUE;
		self->run.timeout_ns = 0;
		ret = call(self);
	}
	setitimer(ITIMER_REAL, &(struct itimerval){}, NULL);
	ASSERT_EQ(-ETIMEDOUT, ret);
	ASSERT_LE(500 * MS, t_now() - start);
	ASSERT_GE(500 * MS + LATE, t_now() - start);
	ASSERT_LT(0, ended);
	ASSERT_LE(ended, alarms);
}

/* KVM lets a signal through that ends the run; what keeps time is none. */
TEST_F(deadline, with_a_signal_mask_of_KVM)
{
	struct {
		struct kvm_signal_mask head;
		u64 set;
	} mask = { .head.len = 8, .set = ~0ULL };

	t_must(!ioctl(self->t.vcpu, KVM_SET_SIGNAL_MASK, &mask));
	self->run.timeout_ns = 100 * MS;
	ENDS_IN(100, call(self));
	t_must(!ioctl(self->t.vcpu, KVM_SET_SIGNAL_MASK, NULL));
}

/* In a child, for it owns its VM: 20 calls, each in time; 0, or what went wrong */
static int timed_calls(void)
{
	fixture mine = { .snap = -1 }, *self = &mine;
	u64 start;
	u32 i;
	long ret;

	tvm_start(&self->t, 0, 0);
	BEGIN(spin);
	for (i = 0; i < 20; i++) {
		self->run.head.flags = 0;
		self->run.timeout_ns = 50 * MS;
		start = t_now();
		do {
			ret = call(self);
			self->run.head.flags = HLK_RUN_CONTINUE;
			self->run.timeout_ns = 0;
		} while (ret == -EINTR);
		if (ret != -ETIMEDOUT)
			return 1;
		if (t_now() - start < 50 * MS)
			return 2;
		if (t_now() - start > 50 * MS + LATE)
			return 3;
	}
	close(self->snap);
	tvm_close(&self->t);
	return 0;
}

TEST_F(deadline, under_a_tracer)
{
	u32 stops = 0;
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(timed_calls());
	ASSERT_EQ(0, ptrace(PTRACE_SEIZE, pid, NULL, NULL));
	for (;;) {
		usleep(3000);
		ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		if (!WIFSTOPPED(status))
			break;
		stops++;
		ptrace(PTRACE_CONT, pid, NULL, NULL);
	}
	ASSERT_TRUE(WIFEXITED(status));
	ASSERT_EQ(0, WEXITSTATUS(status));
	ASSERT_LT(10, stops);
}

/* Nobody waits for a deadline who was killed. */
TEST_F(deadline, killed)
{
	u64 start;
	int status, i;
	pid_t pid;

	for (i = 0; i < 5; i++) {
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			fixture mine = { .snap = -1 }, *self = &mine;

			tvm_start(&self->t, 0, 0);
			BEGIN(spin);
			self->run.timeout_ns = i % 2 ? FOR_EVER : 300 * MS;
			_exit(call(self) == -ETIMEDOUT ? 7 : 1);
		}
		usleep(300000);
		start = t_now();
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_GE(LATE, t_now() - start);
		ASSERT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 7);
	}
}

/* ---- several at a time ---- */

struct runner {
	pthread_t thread;
	struct tvm t;
	struct hlk_run run;
	u64 took;
	long ret;
	volatile bool done;
};

static void *runs(void *arg)
{
	struct runner *r = arg;
	u64 start = t_now();

	r->ret = ioctl(r->t.hlk, HLK_RUN, &r->run) ? -errno : 0;
	r->took = t_now() - start;
	r->done = true;
	return NULL;
}

static volatile u32 *word_of(struct runner *r)
{
	return (u32 *)tvm_at(&r->t, TVM_DATA);
}

/* Until the guest says that it runs */
static void start(struct runner *r, struct tvm *t, u64 timeout_ns, u64 deadline_ns)
{
	r->t = *t;
	r->run = (struct hlk_run)HLK_STRUCT(hlk_run);
	r->run.head.flags = HLK_RUN_CONTINUE;
	r->run.vcpu_fd = t->vcpu;
	r->run.timeout_ns = timeout_ns;
	r->run.deadline_ns = deadline_ns;
	r->done = false;
	*word_of(r) = 0;
	t_must(!pthread_create(&r->thread, NULL, runs, r));
	while (!*word_of(r) && !r->done)
		usleep(1000);
	t_must(!r->done);
}

/* How many were kicked, or -errno */
static long kick(int hlk, u32 vcpu)
{
	struct hlk_kick kick = HLK_STRUCT(hlk_kick);
	long ret;

	kick.vcpu = vcpu;
	kick.kicked = 77;
	ret = hlk_call(hlk, HLK_KICK, &kick);
	return ret ? ret : kick.kicked;
}

/* A second vCPU of the same VM, under its own name */
static void add_vcpu(struct tvm *t, struct tvm *second)
{
	struct kvm_sync_regs regs;

	*second = *t;
	second->vcpu = ioctl(t->vm, KVM_CREATE_VCPU, 1);
	t_must(second->vcpu >= 0);
	second->run = mmap(NULL, t->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			   second->vcpu, 0);
	t_must(second->run != MAP_FAILED);
	second->run->kvm_valid_regs = SYNC_ALL;
	tvm_flat(&regs, TVM_CODE, TVM_STACK);
	tvm_set_regs(second, &regs);
}

TEST_F(deadline, two_vcpus)
{
	struct runner r[2];
	struct tvm second;

	add_vcpu(&self->t, &second);
	start(&r[0], &self->t, 200 * MS, 0);
	start(&r[1], &second, FOR_EVER, 0);
	pthread_join(r[0].thread, NULL);
	ASSERT_EQ(-ETIMEDOUT, r[0].ret);
	ASSERT_LE(200 * MS, r[0].took);
	usleep(100000);
	ASSERT_FALSE(r[1].done);
	ASSERT_EQ(0, kick(self->t.hlk, 0));
	usleep(100000);
	ASSERT_FALSE(r[1].done);
	ASSERT_EQ(1, kick(self->t.hlk, 1));
	pthread_join(r[1].thread, NULL);
	ASSERT_EQ(-EINTR, r[1].ret);
	munmap(second.run, second.run_bytes);
	close(second.vcpu);
}

TEST_F(deadline, one_thread_at_a_time)
{
	struct runner r;

	start(&r, &self->t, FOR_EVER, 0);
	self->run.head.flags = HLK_RUN_CONTINUE;
	self->run.timeout_ns = 100 * MS;
	FAILS(EBUSY, HLK_WHY_VCPU_RUNNING, call(self));
	ASSERT_EQ(0, t_index);
	ASSERT_EQ(HLK_DONE_INPUT, self->run.done);
	ASSERT_FALSE(r.done);
	ASSERT_EQ(1, kick(self->t.hlk, 0));
	pthread_join(r.thread, NULL);
	ENDS_IN(100, call(self));
}

TEST_F(deadline, one_of_many_spins)
{
	struct hlk_run_many many = HLK_STRUCT(hlk_run_many);
	struct hlk_many_call calls[8] = {};
	struct hlk_run run[8];
	struct tvm t[8];
	int snap[8];
	u64 took;
	u32 i;

	for (i = 0; i < 8; i++) {
		tvm_start(&t[i], 0, 0);
		if (i % 4 == 1)
			tvm_load(&t[i], TVM_CODE, spin);
		else
			tvm_load(&t[i], TVM_CODE, count);
		snap[i] = hlk_snapshot_flat(t[i].hlk);
		t_must(snap[i] >= 0);
		t_must(!hlk_restore(t[i].hlk, snap[i], NULL));
		run[i] = (struct hlk_run)HLK_STRUCT(hlk_run);
		run[i].vcpu_fd = t[i].vcpu;
		/* from its turn on; the one before it takes as long */
		run[i].timeout_ns = i % 4 == 1 ? 1000 * MS : 5000 * MS;
		calls[i].vm_fd = t[i].hlk;
		calls[i].run = (uintptr_t)&run[i];
	}
	many.calls = (uintptr_t)calls;
	many.nr_calls = 8;
	many.call_size = sizeof(*calls);
	took = t_now();
	OK(hlk_call(self->t.dev, HLK_RUN_MANY, &many));
	took = t_now() - took;
	ASSERT_EQ(8, many.nr_done);
	for (i = 0; i < 8; i++) {
		ASSERT_EQ(i % 4 == 1 ? -ETIMEDOUT : 0, calls[i].ret);
		ASSERT_EQ(DONE_ALL, run[i].done);
	}
	ASSERT_LE(2000 * MS, took);
	ASSERT_GE(2000 * MS + LATE, took);
	/* the first that is too long is the last, if one wants */
	many.head.flags = HLK_RUN_MANY_STOP;
	OK(hlk_call(self->t.dev, HLK_RUN_MANY, &many));
	ASSERT_EQ(2, many.nr_done);
	ASSERT_EQ(-ETIMEDOUT, calls[1].ret);
	ASSERT_EQ(-ECANCELED, calls[2].ret);
	ASSERT_TRUE(undisturbed());
	for (i = 0; i < 8; i++) {
		close(snap[i]);
		tvm_close(&t[i]);
	}
}

/* ---- kicks ---- */

TEST_F(deadline, a_kick_ends_what_can_be_kicked)
{
	struct tvm_runner plain;
	struct runner r;
	u32 i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, kick(self->t.hlk, 0));
		start(&r, &self->t, 0, i ? HLK_DEADLINE_NEVER : t_now() + FOR_EVER);
		usleep(50000);
		ASSERT_FALSE(r.done);
		ASSERT_EQ(1, kick(self->t.hlk, 0));
		pthread_join(r.thread, NULL);
		ASSERT_EQ(-EINTR, r.ret);
		ASSERT_EQ(HLK_DONE_INPUT | HLK_DONE_ENTERED, r.run.done);
	}
	ASSERT_EQ(0, kick(self->t.hlk, 0));
	/* neither a run without a deadline nor KVM_RUN */
	tvm_runner_start(&plain, &self->t);
	ASSERT_EQ(0, kick(self->t.hlk, 0));
	usleep(50000);
	ASSERT_FALSE(plain.done);
	ASSERT_EQ(-EINTR, tvm_runner_kick(&plain));
}

/* What came before a run does not end it, unless immediate_exit says so. */
TEST_F(deadline, a_kick_is_not_kept_in_mind)
{
	ASSERT_EQ(0, kick(self->t.hlk, 0));
	self->run.timeout_ns = 100 * MS;
	ENDS_IN(100, call(self));
	self->t.run->immediate_exit = 1;
	ASSERT_EQ(0, kick(self->t.hlk, 0));
	self->run.timeout_ns = FOR_EVER;
	FAILS(EINTR, HLK_WHY_NONE, call(self));
	self->t.run->immediate_exit = 0;
}

TEST_F(deadline, a_kick_in_hlt)
{
	struct runner r;

	tvm_close(&self->t);
	tvm_open_irqchip(&self->t);
	tvm_machine(&self->t, 0, 0);
	BEGIN(halts);
	start(&r, &self->t, 0, HLK_DEADLINE_NEVER);
	usleep(50000);
	ASSERT_FALSE(r.done);
	ASSERT_EQ(1, kick(self->t.hlk, 0));
	pthread_join(r.thread, NULL);
	ASSERT_EQ(-EINTR, r.ret);
}

/* A signal would find no place in the queue. */
TEST_F(deadline, a_kick_needs_no_signal)
{
	struct rlimit none = { 0, 0 }, before;
	struct runner r;
	u32 i;

	getrlimit(RLIMIT_SIGPENDING, &before);
	none.rlim_max = before.rlim_max;
	setrlimit(RLIMIT_SIGPENDING, &none);
	for (i = 0; i < 3; i++) {
		start(&r, &self->t, 0, HLK_DEADLINE_NEVER);
		ASSERT_EQ(1, kick(self->t.hlk, 0));
		pthread_join(r.thread, NULL);
		ASSERT_EQ(-EINTR, r.ret);
	}
	self->run.timeout_ns = 100 * MS;
	ENDS_IN(100, call(self));
	setrlimit(RLIMIT_SIGPENDING, &before);
}

TEST_F(deadline, what_a_kick_refuses)
{
	int status;
	pid_t pid;

	FAILS(EINVAL, HLK_WHY_NO_VCPU, kick(self->t.hlk, 1));
	ASSERT_EQ(1, t_index);
	FAILS(EINVAL, HLK_WHY_NO_VCPU, kick(self->t.hlk, 16));
	FAILS(EINVAL, HLK_WHY_NO_VCPU, kick(self->t.hlk, ~0U));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(kick(self->t.hlk, 0) == -EPERM && t_why == HLK_WHY_OTHER_PROCESS);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(1, WEXITSTATUS(status));
}

TEST_HARNESS_MAIN
