// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Many calls of one sandbox, each on a guest that is restored before it.
 *
 * The module makes them one after the other in one system call, until one ends with
 * something that has to be looked at: a function of the host that is called, a failure, an
 * answer for which there was no room. That call is brought to its end as any other that is
 * fused with its restore, and then the rest goes on in the next system call.
 *
 * A system call has no more than MOST of them, all with the same timeout. So who waits
 * for the sandbox, or for the pool that it is from, waits for these at most, and
 * what the module holds of ours is bounded. A kick ends all that are left,
 * wherever it finds them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* In one system call: so many, with inputs of so many bytes, and answers of each */
#define MOST		HLK_CALLS_MOST
#define INPUTS		65536
#define OUTPUT		4096
#define LOG		16384

#define EMPTY		HLK_GUEST_BUFFER_EMPTY
#define WORD		sizeof(uint64_t)

static const char op[] = "calls failed";

/**
 * struct hlk_many - the calls of one system call
 * @call: as the module takes them
 * @log: what their guests print byte by byte
 * @in: images of the input buffer, one behind the other
 * @out: copies of the output buffer
 */
struct hlk_many {
	struct hlk_run_call call[MOST];
	char log[LOG];
	unsigned char in[INPUTS];
	unsigned char out[MOST][OUTPUT];
};

/**
 * struct queue - the calls that are to be made
 * @sb: the sandbox
 * @calls: the caller's array
 * @nr: its length
 * @done: how many of them are over
 * @ret: how the first ended that failed, or 0
 * @err: why
 */
struct queue {
	struct hlk_sandbox *sb;
	struct hlk_call *calls;
	uint32_t nr;
	uint32_t done;
	int ret;
	struct hlk_err err;
};

/* The next one is over. What the sandbox has of errors is of the one that follows then. */
static void over(struct queue *q, int ret)
{
	struct hlk_call *call = &q->calls[q->done++];
	struct hlk_err *err = &q->sb->err;

	call->ret = ret;
	if (call->err)
		*call->err = *err;
	if (!ret)
		return;
	if (!q->ret) {
		q->ret = ret;
		q->err = *err;
	}
	hlk_err_clear(err);
}

static struct hlk_answer answer_of(struct hlk_call *call)
{
	return (struct hlk_answer) {
		call->name, call->out, call->out_size, &call->out_len,
	};
}

static uint64_t timeout_of(const struct queue *q, const struct hlk_call *call)
{
	return q->sb->can_kick && call->timeout_us == HLK_TIMEOUT_NONE ?
	       HLK_TIMEOUT_KICK : call->timeout_us;
}

static void make_one(struct queue *q)
{
	struct hlk_call *call = &q->calls[q->done];
	const struct hlk_answer answer = answer_of(call);

	over(q, hlk_fused_call(q->sb, &answer, call->in, call->in_len,
			       timeout_of(q, call)));
}

/* ---- those that the module makes ---- */

static bool can(struct hlk_sandbox *sb)
{
	if (!(sb->ctx->features & HLK_FEATURE_RUN_CALLS) || sb->agent ||
	    !sb->last->generation)
		return false;
	/* Without memory for it each call is made by itself. */
	if (!sb->many)
		sb->many = calloc(1, sizeof(*sb->many));
	return sb->many;
}

/* An answer that is longer than this stays where it is, for us to look at. */
static uint64_t room_for(const struct hlk_sandbox *sb, size_t out_size)
{
	uint64_t most = sb->output.size < OUTPUT ? sb->output.size : OUTPUT;
	uint64_t around = EMPTY + sizeof(struct hlk_guest_ret) + WORD;

	return out_size < most - around ? around + out_size : most;
}

/* Returns bytes used, or 0 if it cannot be among them */
static uint64_t put_one(struct hlk_sandbox *sb, const struct hlk_call *call,
			uint32_t nr, uint64_t at)
{
	struct hlk_many *many = sb->many;
	uint64_t bytes;

	if (!hlk_fused_can(sb, call->name, call->in_len))
		return 0;
	bytes = hlk_fused_bytes(call->name, call->in_len);
	if (bytes > sb->input.size || bytes > INPUTS - at ||
	    hlk_fused_image(sb, many->in + at, bytes, call->name, call->in,
			    call->in_len, &bytes))
		return 0;
	many->call[nr] = (struct hlk_run_call) {
		.in_gpa = sb->scratch->gpa,
		.in_bytes = bytes,
		.in = (uintptr_t)(many->in + at),
		.out_gpa = sb->scratch->gpa + sb->input.size,
		.out_bytes = room_for(sb, call->out_size),
		.out = (uintptr_t)many->out[nr],
	};
	return bytes;
}

static uint32_t put_some(struct queue *q)
{
	const struct hlk_call *call = &q->calls[q->done];
	uint32_t most = q->nr - q->done < MOST ? q->nr - q->done : MOST;
	uint64_t at = 0, bytes;
	uint32_t nr;

	for (nr = 0; nr < most && call[nr].timeout_us == call->timeout_us; nr++) {
		bytes = put_one(q->sb, &call[nr], nr, at);
		if (!bytes)
			break;
		at += bytes;
	}
	return nr;
}

static int prepare(struct queue *q, uint32_t nr)
{
	struct hlk_sandbox *sb = q->sb;
	struct hlk_run *arg = &sb->fused.arg;
	int ret;

	sb->fused.nr_parts = 0;
	hlk_fused_fill(sb);
	ret = hlk_timeout_begin(sb, timeout_of(q, &q->calls[q->done]));
	if (ret)
		return ret;
	arg->head.flags |= HLK_RUN_SIZED;
	arg->calls = (uintptr_t)sb->many->call;
	arg->nr_calls = nr;
	arg->call_size = sizeof(sb->many->call[0]);
	arg->call_timeout_ns = arg->timeout_ns;
	arg->timeout_ns = 0;
	arg->log = (uintptr_t)sb->many->log;
	arg->log_size = sizeof(sb->many->log);
	return 0;
}

/* What has begun is a request of its own from now on. */
static void alone(struct hlk_sandbox *sb, uint32_t nr)
{
	const struct hlk_run_call *call = &sb->many->call[nr];
	struct hlk_fused *fused = &sb->fused;
	struct hlk_run *arg = &fused->arg;

	fused->inputs[1] = fused->inputs[0];
	fused->inputs[0] = (struct hlk_segment) {
		.gpa = call->in_gpa,
		.bytes = call->in_bytes,
		.data = call->in,
	};
	fused->nr_parts = 1;
	arg->nr_inputs++;
	arg->head.flags &= ~HLK_RUN_SIZED;
	arg->calls = 0;
	arg->nr_calls = 0;
	if (arg->call_timeout_ns)
		arg->deadline_ns = arg->call_deadline_ns;
	arg->call_timeout_ns = 0;
}

/*
 * A guest that halted, and has not the page in which its answer would be: no KVM_RUN fails so.
 * What comes of it is found out by who looks for the answer.
 */
static int halted(const struct hlk_run *arg, int ret)
{
	return arg->done & HLK_DONE_ENTERED && ret == -EDQUOT ? 0 : ret;
}

/* A guest that ran again since is well, whatever it did before. */
static void take_answer(struct queue *q, uint32_t nr, bool last)
{
	struct hlk_sandbox *sb = q->sb;
	const struct hlk_answer answer = answer_of(&q->calls[q->done]);
	const uint32_t used = sb->many->call[nr].out_used;
	const enum hlk_state state = sb->state;
	struct hlk_buffer copy = {
		.mem = sb->many->out[nr],
		.size = used,
		.written = OUTPUT,
		.read = OUTPUT,
	};
	int ret;

	ret = hlk_pop_answer(sb, &copy, &answer);
	if (ret == -EPROTO && !last) {
		sb->state = state;
		hlk_exit_none(sb);
		sb->exit.reason = HLK_EXIT_HALT;
	}
	over(q, ret);
}

/* The guest is as the last call left it, or as one that began after it. */
static void all_done(struct hlk_sandbox *sb)
{
	hlk_fused_restored(sb);
	sb->fresh = false;
	sb->exit.reason = HLK_EXIT_HALT;
	if (hlk_counter_refresh(sb))
		sb->state = HLK_STATE_BROKEN;
}

/* Nothing of the next one has begun; a signal, a kick, or that somebody counts */
static int between(struct hlk_sandbox *sb)
{
	sb->fresh = false;
	if (hlk_counter_refresh(sb))
		sb->state = HLK_STATE_BROKEN;
	return hlk_timeout_woken(sb);
}

static void finish(struct queue *q, int ret, uint32_t nr)
{
	struct hlk_sandbox *sb = q->sb;
	struct hlk_run *arg = &sb->fused.arg;
	uint32_t done = arg->calls_done;
	uint32_t i;

	hlk_fused_print(sb);
	/* What the restores of all but the last one gave back is not told. */
	if (done)
		hlk_forget_pages(sb);
	if (done == nr)
		all_done(sb);
	for (i = 0; i < done; i++)
		take_answer(q, i, i + 1 == nr);
	if (done == nr)
		return;
	if (ret == -EINTR && !arg->done) {
		ret = between(sb);
		if (ret)
			over(q, ret);
	} else {
		const struct hlk_answer answer = answer_of(&q->calls[q->done]);

		alone(sb, done);
		over(q, hlk_fused_finish(sb, halted(arg, ret), &answer));
	}
}

static void make_some(struct queue *q)
{
	uint32_t nr = can(q->sb) ? put_some(q) : 0;
	int ret;

	if (nr < 2) {
		make_one(q);
		return;
	}
	ret = prepare(q, nr);
	if (!ret) {
		finish(q, hlk_fused_submit(q->sb), nr);
		return;
	}
	hlk_counter_refresh(q->sb);
	over(q, ret);
}

/* ---- all of them ---- */

static void cancel(struct hlk_call *call)
{
	call->ret = -ECANCELED;
	call->out_len = 0;
	if (call->err)
		hlk_err_set(call->err, ECANCELED, HLK_WHAT_NONE, op);
}

/**
 * hlk_calls_check() - look at calls that are to be made; none of them is yet
 * @calls: the caller's array
 * @nr: its length
 * @flags: of all
 * @err: out: what is wrong, or NULL
 *
 * Return: 0 or a negative errno
 */
int hlk_calls_check(struct hlk_call *calls, uint32_t nr, uint32_t flags,
		    struct hlk_err *err)
{
	uint32_t bad = 0;
	uint32_t i;

	for (i = 0; i < nr; i++) {
		cancel(&calls[i]);
		bad |= calls[i].flags;
		if (calls[i].__reserved[0] || calls[i].__reserved[1])
			bad |= 1;
	}
	return hlk_grow_flags(flags | bad, 0, "hlk_call", op, err);
}

static bool kickable(const struct queue *q)
{
	uint32_t i;

	if (!(q->sb->ctx->features & HLK_FEATURE_DEADLINE))
		return false;
	for (i = 0; i < q->nr; i++)
		if (q->calls[i].timeout_us != HLK_TIMEOUT_NONE)
			return true;
	return false;
}

/**
 * hlk_calls_now() - make many calls
 * @sb: the sandbox, entered
 * @calls: see hlk_sandbox_calls(), looked at by hlk_calls_check()
 * @nr: see there
 *
 * Return: 0, or what the first that failed came to
 */
int hlk_calls_now(struct hlk_sandbox *sb, struct hlk_call *calls, uint32_t nr)
{
	struct queue q = { .sb = sb, .calls = calls, .nr = nr };

	hlk_timeout_queue(sb, kickable(&q));
	while (q.done < nr) {
		make_some(&q);
		/* It was kicked, or another guest would not fare better. */
		if (sb->doubtful || (q.done && calls[q.done - 1].ret == -EINTR))
			break;
	}
	hlk_timeout_queue_end(sb);
	if (q.ret)
		sb->err = q.err;
	return q.ret;
}

EXPORT int hlk_sandbox_calls(struct hlk_sandbox *sb, struct hlk_call *calls,
			     uint32_t nr, uint32_t flags)
{
	struct hlk_err bad;
	int wrong = hlk_calls_check(calls, nr, flags, &bad);
	int ret = hlk_enter(sb, op);

	if (ret)
		return ret;
	if (!wrong)
		return hlk_leave(sb, hlk_calls_now(sb, calls, nr));
	sb->err = bad;
	return hlk_leave(sb, wrong);
}
