// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Batches, against a played module and an io_uring whose kernel is played: what comes
 * of requests that are not taken, and of functions of guests that use the batch.
 * Runs under ThreadSanitizer, too.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../internal.h"
#include "played.h"

static struct hlk_ctx *ctx;
static struct hlk_snap *snap;
static struct hlk_sandbox *a, *b;
static struct hlk_batch *batch;
static struct hlk_err err;

static void test_no_ring(void)
{
	bool good;

	played_ring.refuse = 1;
	tap(!hlk_batch_restore(batch, a, NULL, 0) && hlk_batch_submit(batch) == -ENOMEM &&
	    hlk_batch_result(batch, 0) == -ENOMEM, "requests that are not taken");
	tap(hlk_sandbox_error(a)->code == ENOMEM, "which the sandbox tells, too");
	tap(!hlk_sandbox_restore(a, NULL), "their sandboxes are free again");
	played_ring.no_ring = true;
	tap(hlk_batch_restore(batch, a, NULL, 0) == -EMFILE &&
	    hlk_sandbox_error(a)->what == HLK_WHAT_SYSTEM, "and no other ring to be had");
	tap(played_ring.made == played_ring.gone, "none is closed twice");
	good = !hlk_batch_restore_call(batch, a, "e", NULL, 0, NULL, 0, NULL, 0) &&
	       !hlk_batch_submit(batch);
	tap(good, "calls need none");
	played_ring.no_ring = false;
	tap(!hlk_batch_restore(batch, a, NULL, 0) && !hlk_batch_submit(batch) &&
	    played_ring.made == played_ring.gone + 1, "the next one makes one");
	played_ring.refuse = 1;
	hlk_batch_restore(batch, a, NULL, 0);
	hlk_batch_submit(batch);
	hlk_batch_close(batch);
	tap(played_ring.made == played_ring.gone, "closed without a ring");
	hlk_batch_open(ctx, 4, &batch, &err);
}

static int use_batch(void *arg, const void *in, size_t in_len, void *out, size_t out_size,
		     size_t *out_len)
{
	int *results = arg;

	(void)in, (void)in_len, (void)out, (void)out_size, (void)out_len;
	results[0] = hlk_batch_restore(batch, b, NULL, 0);
	results[1] = hlk_batch_restore_call(batch, b, "e", NULL, 0, NULL, 0, NULL, 0);
	results[2] = hlk_batch_submit(batch);
	hlk_batch_close(batch);
	return 0;
}

static void test_from_inside(void)
{
	struct hlk_snap *other;
	struct hlk_sandbox *c = played_ready(ctx, &other, NULL, &err);
	int results[3] = {};
	char out[8];
	size_t len = 0;

	hlk_sandbox_host_function(a, "use", use_batch, results);
	hlk_batch_restore_call(batch, a, "h", "use", 3, NULL, 0, NULL, 0);
	hlk_batch_restore_call(batch, c, "e", "hello", 5, out, sizeof(out), &len, 0);
	tap(!hlk_batch_submit(batch) && len == 5, "a function of a guest uses its batch");
	tap(results[0] == -EBUSY && results[1] == -EBUSY && results[2] == -EBUSY,
	    "it is told that it cannot");
	tap(!hlk_sandbox_restore(a, NULL) && !hlk_sandbox_restore(b, NULL) &&
	    !hlk_sandbox_restore(c, NULL), "no sandbox is lost");
	tap(!hlk_batch_submit(batch) && !hlk_batch_result(batch, 1), "nor is the batch");
	hlk_snapshot_close(other);
	hlk_sandbox_close(c);
}

static uint64_t seen_counter(struct hlk_sandbox *sb)
{
	uint64_t value = 0;

	hlk_sandbox_call(sb, "k", NULL, 0, &value, sizeof(value), NULL, 0);
	return value;
}

static void test_counter(void)
{
	uint64_t value = 0;

	tap(!hlk_batch_restore_call(batch, b, "k", NULL, 0, &value, 8, NULL, 0) &&
	    !hlk_sandbox_counter_add(b, 3) && !hlk_batch_submit(batch) && value == 3,
	    "somebody counts before the batch is submitted");
	hlk_batch_restore_call(batch, b, "e", NULL, 0, NULL, 0, NULL, 0);
	hlk_sandbox_counter_add(b, 1);
	hlk_batch_close(batch);
	tap(!hlk_sandbox_restore(b, NULL) && seen_counter(b) == 4,
	    "or before it is closed and forgotten");
	hlk_batch_open(ctx, 4, &batch, &err);
}

/* What was given to put something there need not live until the batch is submitted. */
static void test_given(void)
{
	char name[] = "none", line[128];
	struct hlk_snap *other = NULL;
	bool good;

	good = !hlk_batch_restore_call(batch, a, name, NULL, 0, NULL, 0, NULL, 0);
	memset(name, 'x', 4);
	good = good && hlk_batch_submit(batch) == -EREMOTEIO;
	tap(good && strstr(hlk_strerror(hlk_sandbox_error(a), line, sizeof(line)), "none"),
	    "the name of a function");
	hlk_sandbox_snapshot(a, NULL, &other);
	good = other && !hlk_batch_restore(batch, b, other, 0);
	hlk_snapshot_close(other);
	tap(good && !hlk_batch_submit(batch) && !hlk_sandbox_restore(b, NULL), "a snapshot");
	hlk_sandbox_restore(b, snap);
}

static int nothing(void *arg, const void *in, size_t in_len, void *out, size_t out_size,
		   size_t *out_len)
{
	(void)arg, (void)in, (void)in_len, (void)out, (void)out_size, (void)out_len;
	return 0;
}

static bool put_timed(uint64_t timeout_us)
{
	return !hlk_batch_restore_call(batch, a, "h", "nothing", 7, NULL, 0, NULL,
				       timeout_us);
}

/* Nobody can kick what is over, however it came to be over, nor hit the next call. */
static bool over(void)
{
	bool none = hlk_sandbox_kick(a) == -ESRCH && hlk_sandbox_kick(b) == -ESRCH;

	return none && !hlk_sandbox_restore_call(a, "e", NULL, 0, NULL, 0, NULL, 1000);
}

static void test_timeouts(void)
{
	unsigned int before;
	bool good;

	hlk_sandbox_host_function(a, "nothing", nothing, NULL);
	before = played.begun;
	good = put_timed(1000000) && !hlk_batch_submit(batch);
	tap(good && played.begun == before + 1,
	    "the time of a call goes on while a host function runs");
	tap(over(), "no kick after a call");
	good = put_timed(HLK_TIMEOUT_KICK) && !hlk_sandbox_kick(a);
	tap(good && hlk_batch_submit(batch) == -EINTR && over(),
	    "a kick before the batch is submitted, none after it");
	good = !hlk_batch_restore_call(batch, a, "s", NULL, 0, NULL, 0, NULL, 1000);
	tap(good && hlk_batch_submit(batch) == -ETIMEDOUT && over(),
	    "nor after one that timed out");
	played.no_many = true;
	good = put_timed(1000) && hlk_batch_submit(batch) == -ENOMEM;
	played.no_many = false;
	tap(good && over(), "nor after one that was not made");
	good = put_timed(HLK_TIMEOUT_KICK);
	hlk_sandbox_kick(a);
	hlk_batch_close(batch);
	tap(good && over(), "nor after one that was forgotten");
	hlk_batch_open(ctx, 4, &batch, &err);
}

/* ---- many at once: each thread has a batch, and all the same sandboxes ---- */

#define THREADS		4
#define SANDBOXES	6
#define ROUNDS		150

static struct hlk_sandbox *shared[SANDBOXES];
static atomic_bool stop;
static atomic_uint wrong, done, busy, kicked;

struct put {
	uint64_t word;
	uint64_t out;
	size_t len;
	bool calls;
};

/* 1 if the sandbox is another thread's, or in this batch already */
static int put_one(struct hlk_batch *mine, struct put *put, unsigned int *seed)
{
	struct hlk_sandbox *sb = shared[rand_r(seed) % SANDBOXES];
	unsigned int kind = rand_r(seed) % 4;
	int ret;

	*put = (struct put) { .word = *seed, .calls = kind > 1 };
	if (put->calls)
		ret = hlk_batch_restore_call(mine, sb, "e", &put->word, 8, &put->out, 8,
					     &put->len,
					     kind == 2 ? HLK_TIMEOUT_NONE : 1000000);
	else
		ret = hlk_batch_restore(mine, sb, kind ? snap : NULL,
					kind ? HLK_BATCH_ASYNC : 0);
	busy += ret == -EBUSY;
	wrong += ret && ret != -EBUSY;
	return !!ret;
}

static void judge(const struct hlk_batch *mine, const struct put *put, uint32_t nr)
{
	uint32_t i;
	int ret;

	for (i = 0; i < nr; i++) {
		ret = hlk_batch_result(mine, i);
		done++;
		if (ret == -EINTR && put[i].calls)
			kicked++;
		else if (ret || (put[i].calls && (put[i].len != 8 || put[i].out != put[i].word)))
			wrong++;
	}
}

static void *batches(void *arg)
{
	unsigned int seed = (uintptr_t)arg;
	struct hlk_batch *mine;
	struct put put[4];
	uint32_t nr;
	int i, tries;

	if (hlk_batch_open(ctx, 4, &mine, NULL)) {
		wrong++;
		return NULL;
	}
	for (i = 0; i < ROUNDS; i++) {
		for (nr = 0, tries = 0; nr < 4 && tries < 8; tries++)
			nr += !put_one(mine, &put[nr], &seed);
		if (nr && rand_r(&seed) % 8 == 0) {
			hlk_batch_close(mine);
			if (hlk_batch_open(ctx, 4, &mine, NULL)) {
				wrong++;
				return NULL;
			}
			continue;
		}
		hlk_batch_submit(mine);
		judge(mine, put, nr);
	}
	hlk_batch_close(mine);
	return NULL;
}

/* What can be done from any thread, at any time */
static void *disturbs(void *arg)
{
	unsigned int i;

	for (i = 0; !stop; i++) {
		hlk_sandbox_counter_add(shared[i % SANDBOXES], 1);
		hlk_sandbox_counter(shared[i % SANDBOXES]);
		hlk_sandbox_kick(shared[i / 7 % SANDBOXES]);
		sched_yield();
	}
	return arg;
}

static void test_many(void)
{
	pthread_t thread[THREADS], other;
	bool good = true;
	uintptr_t i;

	for (i = 0; i < SANDBOXES; i++)
		if (hlk_sandbox_from_snapshot(ctx, snap, NULL, &shared[i], &err))
			exit(1);
	pthread_create(&other, NULL, disturbs, NULL);
	for (i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, batches, (void *)(i + 1));
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	stop = true;
	pthread_join(other, NULL);
	tap(!wrong && done && busy, "%d threads, each with a batch, and the same sandboxes: "
	    "%u done, %u kicked, %u in use", THREADS, done, kicked, busy);
	for (i = 0; i < SANDBOXES; i++) {
		good = good && hlk_sandbox_kick(shared[i]) == -ESRCH &&
		       !hlk_sandbox_restore(shared[i], snap) &&
		       !hlk_sandbox_call(shared[i], "e", NULL, 0, NULL, 0, NULL, 0);
		hlk_sandbox_close(shared[i]);
	}
	tap(good, "all of which are free again");
}

static int in_child(void)
{
	struct hlk_sandbox *own;
	struct hlk_snap *other;
	int ret = 0;

	if (hlk_batch_submit(batch) != -EPERM)
		return 1;
	own = played_ready(ctx, &other, NULL, &err);
	if (!own || hlk_batch_restore(batch, own, NULL, 0) != -EPERM ||
	    hlk_batch_restore_call(batch, own, "e", NULL, 0, NULL, 0, NULL, 0) != -EPERM)
		ret = 2;
	hlk_batch_close(batch);
	if (own && hlk_sandbox_call(own, "e", NULL, 0, NULL, 0, NULL, 0))
		ret = 3;
	hlk_snapshot_close(other);
	hlk_sandbox_close(own);
	return ret;
}

static void test_child(void)
{
	int status = 0;
	pid_t pid;

	hlk_batch_restore_call(batch, a, "e", NULL, 0, NULL, 0, NULL, 0);
	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(in_child());
	waitpid(pid, &status, 0);
	tap(!status && !hlk_batch_submit(batch), "a child cannot use it, but close (%d)",
	    WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
}

int main(void)
{
	if (!tap(!hlk_open(&ctx, &err), "a played module"))
		return 1;
	a = played_ready(ctx, &snap, NULL, &err);
	hlk_sandbox_from_snapshot(ctx, snap, NULL, &b, &err);
	if (!tap(a && b && !hlk_batch_open(ctx, 4, &batch, &err), "a batch"))
		return 1;
	test_no_ring();
	test_from_inside();
	test_counter();
	test_given();
	test_timeouts();
	test_many();
	test_child();
	hlk_batch_close(batch);
	hlk_snapshot_close(snap);
	hlk_sandbox_close(a);
	hlk_sandbox_close(b);
	hlk_close(ctx);
	return tap_done();
}
