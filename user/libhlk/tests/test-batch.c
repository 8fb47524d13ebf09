// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Batches, against a played module and an io_uring whose kernel is played: what comes
 * of requests that are not taken, and of functions of guests that use the batch.
 */
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
	test_child();
	hlk_batch_close(batch);
	hlk_snapshot_close(snap);
	hlk_sandbox_close(a);
	hlk_sandbox_close(b);
	hlk_close(ctx);
	return tap_done();
}
