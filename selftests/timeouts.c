// SPDX-License-Identifier: GPL-2.0-only
/*
 * libhlk's timeouts and kicks, whatever happens to threads, their numbers and their
 * signals: no call lasts longer than it may, and no other one ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <hlk.h>

#include "harness.h"

#define MS		1000ULL		/* of libhlk's time, which is in microseconds */
#define SECOND		(1000 * MS)
#define NR_BATCH	8

FIXTURE(timeouts)
{
	struct hlk_ctx *ctx;
	struct hlk_sandbox *sb;
	struct hlk_snap *snap;
};

typedef FIXTURE_DATA(timeouts) fixture;

static int prepare(fixture *self)
{
	struct hlk_snapshot_config how = HLK_SNAPSHOT_CONFIG_INIT;
	struct hlk_err err;
	char line[256];
	int ret;

	how.flags = HLK_SNAP_FLAT;
	ret = hlk_open(&self->ctx, &err);
	if (!ret)
		ret = hlk_sandbox_from_path(self->ctx, "guest.elf", NULL, &self->sb,
					    &err);
	if (!ret) {
		ret = hlk_sandbox_boot(self->sb, 0);
		if (!ret)
			ret = hlk_sandbox_snapshot(self->sb, &how, &self->snap);
		if (!ret)
			ret = hlk_sandbox_restore(self->sb, self->snap);
		err = *hlk_sandbox_error(self->sb);
	}
	if (ret)
		fprintf(stderr, "# %s\n", hlk_strerror(&err, line, sizeof(line)));
	return ret;
}

static void finish(fixture *self)
{
	hlk_snapshot_close(self->snap);
	hlk_sandbox_close(self->sb);
	hlk_close(self->ctx);
}

FIXTURE_SETUP(timeouts)
{
	ASSERT_EQ(0, prepare(self));
}

FIXTURE_TEARDOWN(timeouts)
{
	finish(self);
}

/* In microseconds, as timeouts are */
static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * SECOND + ts.tv_nsec / 1000;
}

static int spin(struct hlk_sandbox *sb, uint64_t timeout_us)
{
	return hlk_sandbox_restore_call(sb, "s", NULL, 0, NULL, 0, NULL, timeout_us);
}

static int echo(struct hlk_sandbox *sb, uint64_t timeout_us)
{
	char out[8];
	size_t len = 0;
	int ret;

	ret = hlk_sandbox_restore_call(sb, "e", "hello", 5, out, sizeof(out), &len,
				       timeout_us);
	return ret ? ret : len == 5 && !memcmp(out, "hello", 5) ? 0 : -EIO;
}

/* ---- threads ---- */

/*
 * All 400 numbers of a PID namespace are used again and again; below 300 none is, once
 * they came round. Every second thread has the number of the one that called the same
 * sandbox before it. A third of them spins.
 */
#define LAST		700
#define SANDBOXES	16
#define AT_ONCE		8
#define SPIN_LIMIT	(20 * MS)
#define LIMIT		(20 * SECOND)	/* of the others: a machine may be slow */

struct one {
	struct hlk_sandbox *sb;
	pthread_t thread;
	pid_t number;
	unsigned int same;
	bool started;
	bool spins;
	uint64_t took;
	int ret;
};

static sem_t places;

static void *calls(void *arg)
{
	pid_t number = syscall(SYS_gettid);
	struct one *one = arg;
	uint64_t start = now();

	one->same += number == one->number;
	one->number = number;
	one->ret = one->spins ? spin(one->sb, SPIN_LIMIT) : echo(one->sb, LIMIT);
	one->took = now() - start;
	sem_post(&places);
	return NULL;
}

/* The next thread has this number, if it is free */
static void next_number(pid_t number)
{
	int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY);
	char text[16];

	snprintf(text, sizeof(text), "%d", number - 1);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		_exit(102);
	close(fd);
}

/* 0, or what was wrong with its call */
static int look(struct one *one)
{
	uint64_t limit = one->spins ? SPIN_LIMIT : LIMIT;

	if (!one->started)
		return 0;
	pthread_join(one->thread, NULL);
	one->started = false;
	if (one->ret == (one->spins ? -ETIMEDOUT : 0) && one->took <= limit + SECOND)
		return 0;
	fprintf(stderr, "# a call of %llu us that may take %llu: %d\n",
		(unsigned long long)one->took, (unsigned long long)limit, one->ret);
	return 1;
}

/* The first process of the namespace; how many went wrong */
static int in_namespace(unsigned int threads, unsigned int seed)
{
	static struct one all[SANDBOXES];
	fixture mine, *self = &mine;
	unsigned int i, bad = 0, same = 0;

	sem_init(&places, 0, AT_ONCE);
	if (prepare(self))
		return 100;
	for (i = 0; i < SANDBOXES; i++)
		if (hlk_sandbox_from_snapshot(self->ctx, self->snap, NULL, &all[i].sb,
					      NULL))
			return 101;
	for (i = 0; i < threads && bad < 10; i++) {
		struct one *one = &all[rand_r(&seed) % SANDBOXES];

		sem_wait(&places);
		bad += look(one);
		one->spins = rand_r(&seed) % 3 == 0;
		if (one->number && rand_r(&seed) % 2)
			next_number(one->number);
		if (pthread_create(&one->thread, NULL, calls, one))
			return 104;
		one->started = true;
		if (i % 500 == 499)
			fprintf(stderr, "# %u threads\n", i + 1);
	}
	for (i = 0; i < SANDBOXES; i++) {
		bad += look(&all[i]);
		same += all[i].same;
		hlk_sandbox_close(all[i].sb);
	}
	finish(self);
	fprintf(stderr, "# %u had the number of the one before\n", same);
	if (!bad && same < threads / 10)
		return 103;
	return bad;
}

static void pid_max(char *value, size_t size, bool write_it)
{
	int fd = open("/proc/sys/kernel/pid_max", write_it ? O_WRONLY : O_RDONLY);
	ssize_t len = write_it ? write(fd, value, strlen(value)) :
				 read(fd, value, size - 1);

	if (fd < 0 || len <= 0)
		_exit(105);
	if (!write_it)
		value[len] = 0;
	close(fd);
}

TEST_F_TIMEOUT(timeouts, thread_numbers_that_come_again, 3600)
{
	const char *many = getenv("THREADS"), *seed = getenv("SEED");
	unsigned int threads = many ? strtoul(many, NULL, 0) : 600;
	char before[32], last[8];
	int status;
	pid_t pid;

	/* Linux 6.14 has one for each namespace, so that is where it is written. */
	pid_max(before, sizeof(before), false);
	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		snprintf(last, sizeof(last), "%d", LAST);
		pid_max(last, 0, true);
		_exit(in_namespace(threads, seed ? strtoul(seed, NULL, 0) : 1));
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	pid_max(before, 0, true);
	ASSERT_TRUE(WIFEXITED(status));
	ASSERT_EQ(0, WEXITSTATUS(status));
	TH_LOG("%u threads", threads);
}

/* ---- batches ---- */

struct put {
	fixture *self;
	struct hlk_batch *batch;
	int ret;
};

static void *puts_one(void *arg)
{
	struct put *put = arg;

	put->ret = hlk_batch_restore_call(put->batch, put->self->sb, "s", NULL, 0, NULL,
					  0, NULL, 200 * MS);
	return NULL;
}

TEST_F(timeouts, put_by_one_thread_and_submitted_by_another)
{
	struct put put = { .self = self };
	struct hlk_err err;
	pthread_t thread;
	uint64_t start;
	int i;

	ASSERT_EQ(0, hlk_batch_open(self->ctx, 1, &put.batch, &err));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, pthread_create(&thread, NULL, puts_one, &put));
		pthread_join(thread, NULL);
		ASSERT_EQ(0, put.ret);
		start = now();
		ASSERT_EQ(-ETIMEDOUT, hlk_batch_submit(put.batch));
		ASSERT_LE(200 * MS, now() - start);
		ASSERT_GE(10 * SECOND, now() - start);
	}
	hlk_batch_close(put.batch);
	ASSERT_EQ(0, echo(self->sb, SECOND * 10));
}

/* Each has its time from its turn on, so who spins takes nothing from the others. */
TEST_F(timeouts, one_of_a_batch_spins)
{
	struct hlk_sandbox *sb[NR_BATCH];
	size_t len[NR_BATCH];
	char out[NR_BATCH][8];
	struct hlk_batch *batch;
	struct hlk_err err;
	int i;

	ASSERT_EQ(0, hlk_batch_open(self->ctx, NR_BATCH, &batch, &err));
	for (i = 0; i < NR_BATCH; i++) {
		ASSERT_EQ(0, hlk_sandbox_from_snapshot(self->ctx, self->snap, NULL, &sb[i],
						       &err));
		ASSERT_EQ(0, hlk_batch_restore_call(batch, sb[i], i % 3 ? "e" : "s",
						    "hello", 5, out[i], sizeof(out[i]),
						    &len[i], 2 * SECOND));
	}
	ASSERT_EQ(-ETIMEDOUT, hlk_batch_submit(batch));
	for (i = 0; i < NR_BATCH; i++) {
		ASSERT_EQ(i % 3 ? 0 : -ETIMEDOUT, hlk_batch_result(batch, i)) {
			TH_LOG("call %d", i);
		}
		ASSERT_TRUE(!(i % 3) || (len[i] == 5 && !memcmp(out[i], "hello", 5)));
	}
	hlk_batch_close(batch);
	for (i = 0; i < NR_BATCH; i++) {
		ASSERT_EQ(0, echo(sb[i], 0));
		hlk_sandbox_close(sb[i]);
	}
}

/* ---- signals ---- */

static void no_op(int sig)
{
}

/* A host function that leaves a signal blocked and pending */
static int blocks(void *arg, const void *in, size_t in_len, void *out, size_t out_size,
		  size_t *out_len)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR1);
	return 0;
}

TEST_F(timeouts, a_host_function_that_blocks_a_signal)
{
	sigset_t set;
	size_t len;

	signal(SIGUSR1, no_op);
	ASSERT_EQ(0, hlk_sandbox_host_function(self->sb, "up", blocks, NULL));
	ASSERT_EQ(0, hlk_sandbox_call(self->sb, "h", "x", 1, NULL, 0, &len,
				      HLK_TIMEOUT_KICK));
	ASSERT_EQ(0, hlk_sandbox_restore_call(self->sb, "h", "x", 1, NULL, 0, &len,
					      20 * SECOND));
	ASSERT_EQ(-ETIMEDOUT, spin(self->sb, 100 * MS));
	sigpending(&set);
	ASSERT_EQ(1, sigismember(&set, SIGUSR1));
}

/* Nothing of the process is changed, and nothing of it is needed. */
TEST_F(timeouts, the_process_is_left_alone)
{
	struct rlimit before, none = { 0, 0 };
	struct sigaction action;
	char line[64] = "";
	sigset_t set;
	FILE *timers;
	int i;

	getrlimit(RLIMIT_SIGPENDING, &before);
	none.rlim_max = before.rlim_max;
	setrlimit(RLIMIT_SIGPENDING, &none);
	ASSERT_EQ(-ETIMEDOUT, spin(self->sb, 50 * MS));
	ASSERT_EQ(0, echo(self->sb, 20 * SECOND));
	setrlimit(RLIMIT_SIGPENDING, &before);
	pthread_sigmask(SIG_BLOCK, NULL, &set);
	ASSERT_TRUE(sigisemptyset(&set));
	sigpending(&set);
	ASSERT_TRUE(sigisemptyset(&set));
	for (i = SIGRTMIN; i <= SIGRTMAX; i++) {
		ASSERT_EQ(0, sigaction(i, NULL, &action));
		ASSERT_EQ(SIG_DFL, action.sa_handler);
	}
	timers = fopen("/proc/self/timers", "r");
	if (timers) {
		ASSERT_EQ(NULL, fgets(line, sizeof(line), timers));
		fclose(timers);
	}
}

/* ---- kicks ---- */

struct kicker {
	struct hlk_sandbox *sb;
	volatile bool stop;
	volatile unsigned int kicked;
	int failed;
};

static void *kicks_once(void *arg)
{
	struct kicker *k = arg;
	int i, ret = -ESRCH;

	for (i = 0; i < 10000 && ret == -ESRCH; i++) {
		usleep(1000);
		ret = hlk_sandbox_kick(k->sb);
	}
	k->failed = ret;
	return NULL;
}

TEST_F(timeouts, a_kick_needs_no_signal)
{
	struct rlimit before, none = { 0, 0 };
	struct kicker k = { .sb = self->sb };
	pthread_t thread;
	int i;

	getrlimit(RLIMIT_SIGPENDING, &before);
	none.rlim_max = before.rlim_max;
	setrlimit(RLIMIT_SIGPENDING, &none);
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, pthread_create(&thread, NULL, kicks_once, &k));
		ASSERT_EQ(-EINTR, spin(self->sb, i % 2 ? HLK_TIMEOUT_KICK : 100 * SECOND));
		ASSERT_EQ(HLK_EXIT_KICKED, hlk_sandbox_exit(self->sb)->reason);
		pthread_join(thread, NULL);
		ASSERT_EQ(0, k.failed);
		ASSERT_EQ(-ESRCH, hlk_sandbox_kick(self->sb));
	}
	setrlimit(RLIMIT_SIGPENDING, &before);
	ASSERT_EQ(0, echo(self->sb, 20 * SECOND));
}

static void *kicks(void *arg)
{
	struct kicker *k = arg;
	unsigned int seed = 1;

	while (!k->stop) {
		if (!hlk_sandbox_kick(k->sb))
			k->kicked++;
		usleep(rand_r(&seed) % 2000);
	}
	return NULL;
}

/*
 * A kick that found a call ends that one (or none, when it was nearly over), and not
 * the next: no more calls end than were kicked, and each spinning one does.
 */
TEST_F(timeouts, a_kick_ends_one_call)
{
	struct kicker k = { .sb = self->sb };
	unsigned int ended = 0, done = 0, i;
	pthread_t thread;
	int ret;

	ASSERT_EQ(0, pthread_create(&thread, NULL, kicks, &k));
	for (i = 0; i < 300; i++) {
		ret = i % 3 ? echo(self->sb, HLK_TIMEOUT_KICK) :
			      spin(self->sb, HLK_TIMEOUT_KICK);
		ASSERT_TRUE(ret == -EINTR || (!ret && i % 3)) {
			TH_LOG("call %u: %d", i, ret);
		}
		ended += ret == -EINTR;
		done += !ret;
		/* one that cannot be kicked is not */
		ASSERT_EQ(0, echo(self->sb, HLK_TIMEOUT_NONE));
	}
	k.stop = true;
	pthread_join(thread, NULL);
	ASSERT_LE(ended, k.kicked);
	ASSERT_LE(100, ended);
	TH_LOG("%u ended, %u done, %u kicks", ended, done, k.kicked);
}

TEST_HARNESS_MAIN
