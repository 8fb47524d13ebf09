// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Many sandboxes in two system calls: restores by io_uring, and then calls by
 * HLK_RUN_MANY.
 *
 * A restore is done by the thread that submits, or, if asked for, by the
 * ring's workers side by side. A call is always made by the thread that
 * submits, when no restore is under way any more: a worker that is done wakes
 * that thread, and so would end its guest. What a guest asks for in its call is
 * done after all of the batch came back, one sandbox after the other.
 */
#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "internal.h"

static const char op[] = "cannot put it into a batch";
static const char op_submit[] = "cannot submit the batch";
static const char op_ring[] = "cannot make an io_uring";

/**
 * struct entry - one sandbox in a batch
 * @sb: the sandbox
 * @snap: what it is restored to, or NULL
 * @cmd: HLK_RESTORE or HLK_RUN
 * @async: a worker is to do it
 * @came: it came back
 * @ret: what came of it
 * @answer: where the answer goes
 * @name: the function's name, of which the answer tells
 */
struct entry {
	struct hlk_sandbox *sb;
	struct hlk_snap *snap;
	uint32_t cmd;
	bool async;
	bool came;
	int ret;
	struct hlk_answer answer;
	char name[HLK_ERR_TEXT];
};

/**
 * struct hlk_batch - see hlk_batch_open()
 * @ctx: the context
 * @ring: the ring
 * @home: see hlk_home()
 * @has_ring: there is one; if not, the next restore makes it
 * @busy: it is being submitted
 * @size: length of @entries
 * @nr: entries in use
 * @submitted: they were submitted; the next one begins anew
 * @calls: room for the calls among @entries, as the module takes them
 * @entries: what was asked for
 */
struct hlk_batch {
	struct hlk_ctx *ctx;
	struct io_uring ring;
	uint64_t home;
	bool has_ring;
	bool busy;
	uint32_t size;
	uint32_t nr;
	bool submitted;
	struct hlk_many_call *calls;
	struct entry entries[];
};

static int open_ring(struct hlk_batch *batch)
{
	/* A worker for each core is all that side by side can mean. */
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned int workers[2] = { cores > 0 ? cores : 1,
				    cores > 0 ? cores : 1 };
	int ret;

	ret = io_uring_queue_init(batch->size, &batch->ring,
				  IORING_SETUP_SUBMIT_ALL);
	if (ret)
		return ret;
	ret = io_uring_register_iowq_max_workers(&batch->ring, workers);
	batch->has_ring = ret >= 0;
	if (!batch->has_ring)
		io_uring_queue_exit(&batch->ring);
	return batch->has_ring ? 0 : ret;
}

EXPORT int hlk_batch_open(struct hlk_ctx *ctx, uint32_t size,
			  struct hlk_batch **out, struct hlk_err *err)
{
	static const char op_open[] = "cannot make a batch";
	struct hlk_batch *batch;
	int ret;

	*out = NULL;
	hlk_err_clear(err);
	if (!size || size > HLK_BATCH_MAX)
		return hlk_err_text(err, EINVAL, HLK_WHAT_ARGUMENT, op_open,
				    "a batch has 1 to %u sandboxes",
				    HLK_BATCH_MAX);
	if (!(ctx->features & HLK_FEATURE_URING))
		return hlk_err_text(err, EOPNOTSUPP, HLK_WHAT_FEATURE, op_open,
				    "io_uring");
	batch = calloc(1, sizeof(*batch) + size * sizeof(*batch->entries));
	if (!batch)
		return hlk_err_system(err, op_open);
	batch->calls = calloc(size, sizeof(*batch->calls));
	if (!batch->calls) {
		free(batch);
		return hlk_err_system(err, op_open);
	}
	batch->size = size;
	ret = open_ring(batch);
	if (ret) {
		free(batch->calls);
		free(batch);
		errno = -ret;
		return hlk_err_system(err, op_ring);
	}
	batch->ctx = hlk_ctx_get(ctx);
	batch->home = hlk_home(ctx);
	*out = batch;
	return 0;
}

/* A child has not the sandboxes' memory. */
static bool is_here(const struct hlk_batch *batch)
{
	return hlk_at_home(batch->ctx, batch->home);
}

/* Nothing is to be done with its sandbox any more. */
static void let_go(struct entry *e)
{
	hlk_snapshot_close(e->snap);
	e->snap = NULL;
	hlk_leave(e->sb, 0);
}

/* An entry that was not submitted */
static void cancel(struct entry *e, int ret)
{
	e->ret = ret;
	if (e->cmd == HLK_RUN)
		hlk_timeout_end(e->sb);
	if (hlk_counter_refresh(e->sb))
		e->sb->state = HLK_STATE_BROKEN;
	errno = -ret;
	hlk_err_system(&e->sb->err, op_submit);
	let_go(e);
}

EXPORT void hlk_batch_close(struct hlk_batch *batch)
{
	uint32_t i;

	if (!batch || (batch->busy && is_here(batch)))
		return;
	for (i = 0; i < batch->nr; i++) {
		if (!is_here(batch))
			hlk_snapshot_close(batch->entries[i].snap);
		else if (!batch->submitted)
			cancel(&batch->entries[i], -ECANCELED);
	}
	if (batch->has_ring)
		io_uring_queue_exit(&batch->ring);
	hlk_close(batch->ctx);
	free(batch->calls);
	free(batch);
}

/* What comes in the middle of a submit comes from a function that a guest called. */
static struct entry *next(struct hlk_batch *batch)
{
	if (batch->submitted) {
		batch->nr = 0;
		batch->submitted = false;
	}
	return batch->nr < batch->size ? &batch->entries[batch->nr] : NULL;
}

static int full(struct hlk_batch *batch, struct hlk_sandbox *sb)
{
	return hlk_err_text(&sb->err, ENOSPC, HLK_WHAT_ARGUMENT, op,
			    "a batch of %u is full", batch->size);
}

/* The sandbox stays entered until the batch was submitted; it may be in this one. */
static int take(struct hlk_batch *batch, struct hlk_sandbox *sb)
{
	int ret;

	if (!is_here(batch))
		return -EPERM;
	ret = batch->busy ? -EBUSY : hlk_enter(sb, op);
	return ret == -EBUSY && !batch->busy && !next(batch) ? -ENOSPC : ret;
}

static int put_restore(struct hlk_batch *batch, struct hlk_sandbox *sb,
		       struct hlk_snap *snap, uint32_t flags)
{
	struct entry *e = next(batch);
	int ret;

	if (!e)
		return full(batch, sb);
	ret = hlk_grow_flags(flags, HLK_BATCH_ASYNC, "hlk_batch", op, &sb->err);
	if (ret)
		return ret;
	ret = batch->has_ring ? 0 : open_ring(batch);
	if (ret) {
		errno = -ret;
		return hlk_err_system(&sb->err, op_ring);
	}
	ret = hlk_restore_prepare(sb, snap, 0);
	if (ret)
		return ret;
	*e = (struct entry) {
		.sb = sb,
		.snap = snap ? hlk_snap_get(snap) : NULL,
		.cmd = HLK_RESTORE,
		.async = flags & HLK_BATCH_ASYNC,
	};
	batch->nr++;
	return 0;
}

EXPORT int hlk_batch_restore(struct hlk_batch *batch, struct hlk_sandbox *sb,
			     struct hlk_snap *snap, uint32_t flags)
{
	int ret = take(batch, sb);

	if (ret)
		return ret;
	ret = put_restore(batch, sb, snap, flags);
	return ret ? hlk_leave(sb, ret) : 0;
}

/* After a restore that looked at all, a call can mostly be fused. */
static int make_fusible(struct hlk_sandbox *sb, const char *name, size_t in_len)
{
	int ret;

	if (hlk_fused_can(sb, name, in_len))
		return 0;
	ret = hlk_restore_now(sb, NULL);
	if (ret)
		return ret;
	sb->debug_residue = false;
	if (!hlk_fused_can(sb, name, in_len))
		return hlk_err_text(&sb->err, EOPNOTSUPP, HLK_WHAT_FEATURE, op,
				    "calls in batches that are so long");
	return 0;
}

static int put_call(struct hlk_batch *batch, struct hlk_sandbox *sb,
		    const struct hlk_answer *answer, const void *in, size_t in_len,
		    uint64_t timeout_us)
{
	struct entry *e = next(batch);
	int ret;

	if (!e)
		return full(batch, sb);
	if (!sb->last->generation)
		return hlk_err_set(&sb->err, ESTALE, HLK_WHAT_NOT_READY, op);
	if (!(batch->ctx->features & HLK_FEATURE_RUN_MANY))
		return hlk_err_text(&sb->err, EOPNOTSUPP, HLK_WHAT_FEATURE, op,
				    "calls in batches");
	ret = make_fusible(sb, answer->name, in_len);
	if (!ret)
		ret = hlk_fused_prepare(sb, answer->name, in, in_len);
	if (ret)
		return ret;
	ret = hlk_timeout_begin(sb, timeout_us);
	if (ret) {
		hlk_counter_refresh(sb);
		return ret;
	}
	*e = (struct entry) {
		.sb = sb,
		.cmd = HLK_RUN,
		.answer = *answer,
	};
	snprintf(e->name, sizeof(e->name), "%s", answer->name);
	e->answer.name = e->name;
	batch->nr++;
	return 0;
}

EXPORT int hlk_batch_restore_call(struct hlk_batch *batch,
				  struct hlk_sandbox *sb, const char *name,
				  const void *in, size_t in_len,
				  void *out, size_t out_size, size_t *out_len,
				  uint64_t timeout_us)
{
	const struct hlk_answer answer = { name, out, out_size, out_len };
	int ret;

	if (out_len)
		*out_len = 0;
	ret = take(batch, sb);
	if (ret)
		return ret;
	ret = put_call(batch, sb, &answer, in, in_len, timeout_us);
	return ret ? hlk_leave(sb, ret) : 0;
}

static int fill(struct hlk_batch *batch, struct entry *e)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&batch->ring);
	struct hlk_uring payload = { .arg = (uintptr_t)&e->sb->restored };

	if (!sqe)
		return -EBUSY;
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = e->sb->hlk_fd;
	sqe->cmd_op = HLK_RESTORE;
	if (e->async)
		sqe->flags |= IOSQE_ASYNC;
	memcpy(sqe->cmd, &payload, sizeof(payload));
	io_uring_sqe_set_data(sqe, e);
	return 0;
}

static uint32_t reap(struct hlk_batch *batch)
{
	struct io_uring_cqe *cqe;
	struct entry *e;
	unsigned int head;
	uint32_t nr = 0;

	io_uring_for_each_cqe(&batch->ring, head, cqe) {
		e = io_uring_cqe_get_data(cqe);
		e->ret = cqe->res;
		e->came = true;
		nr++;
	}
	io_uring_cq_advance(&batch->ring, nr);
	return nr;
}

/*
 * All that the kernel took has to come back, whatever happens: it writes to
 * the sandboxes. What it did not take is not done.
 */
static int restore_all(struct hlk_batch *batch)
{
	uint32_t nr = 0, done = 0, left = 0, i;
	struct io_uring_cqe *cqe;
	int ret, error = 0;

	for (i = 0; i < batch->nr; i++) {
		if (batch->entries[i].cmd != HLK_RESTORE)
			continue;
		if (fill(batch, &batch->entries[i]))
			return -EBUSY;
		nr++;
	}
	while (done < nr - left) {
		if (error)
			ret = io_uring_wait_cqe(&batch->ring, &cqe);
		else
			ret = io_uring_submit_and_wait(&batch->ring, nr - done);
		done += reap(batch);
		if (ret >= 0 || ret == -EINTR || ret == -EAGAIN ||
		    ret == -EBUSY)
			continue;
		error = ret;
		left = io_uring_sq_ready(&batch->ring);
	}
	return error;
}

/*
 * A signal ends the call; its handler has run then, and those that are left are
 * a call of their own.
 */
static int call_some(struct hlk_batch *batch, uint32_t nr, uint32_t *done)
{
	struct hlk_run_many many = {
		.head.size = sizeof(many),
		.call_size = sizeof(*batch->calls),
	};
	int ret;

	for (*done = 0; *done < nr; *done += many.nr_done) {
		many.calls = (uintptr_t)&batch->calls[*done];
		many.nr_calls = nr - *done;
		many.nr_done = 0;
		ret = ioctl(batch->ctx->hlk_fd, HLK_RUN_MANY, &many) ? -errno : 0;
		if (ret && ret != -EINTR)
			return ret;
	}
	return 0;
}

static int call_all(struct hlk_batch *batch)
{
	uint32_t nr = 0, done, i;
	struct entry *e;
	int ret;

	for (i = 0; i < batch->nr; i++) {
		e = &batch->entries[i];
		if (e->cmd != HLK_RUN)
			continue;
		hlk_fused_go(e->sb);
		batch->calls[nr++] = (struct hlk_many_call) {
			.vm_fd = e->sb->hlk_fd,
			.run = (uintptr_t)&e->sb->fused.arg,
		};
	}
	ret = call_some(batch, nr, &done);
	for (i = 0, nr = 0; i < batch->nr; i++) {
		e = &batch->entries[i];
		if (e->cmd != HLK_RUN)
			continue;
		e->came = nr < done;
		e->ret = batch->calls[nr++].ret;
	}
	return ret;
}

static void finish(struct entry *e)
{
	struct hlk_sandbox *sb = e->sb;

	/*
	 * Linux 6.1 gives up a request, with nothing done, for which it cannot
	 * have a worker, such as while a signal is pending.
	 */
	if (e->async && e->ret == -ECANCELED)
		e->ret = ioctl(sb->hlk_fd, HLK_RESTORE, &sb->restored) ? -errno : 0;
	if (e->cmd == HLK_RUN)
		e->ret = hlk_fused_finish(sb, e->ret, &e->answer);
	else
		e->ret = hlk_restore_finish(sb, e->snap, e->ret);
	let_go(e);
}

/*
 * A ring with requests that the kernel did not take is of no more use. The next
 * restore that is put into the batch makes another one, or says why it cannot.
 */
static int drop_ring(struct hlk_batch *batch, int error)
{
	io_uring_queue_exit(&batch->ring);
	batch->has_ring = false;
	return error;
}

EXPORT int hlk_batch_submit(struct hlk_batch *batch)
{
	int first = 0, restored, called;
	struct entry *e;
	uint32_t i;

	if (!is_here(batch))
		return -EPERM;
	if (batch->busy)
		return -EBUSY;
	if (batch->submitted || !batch->nr)
		return 0;
	batch->busy = true;
	restored = restore_all(batch);
	called = call_all(batch);
	batch->submitted = true;
	for (i = 0; i < batch->nr; i++) {
		e = &batch->entries[i];
		if (e->came)
			finish(e);
		else
			cancel(e, e->cmd == HLK_RUN ? called : restored);
		if (!first)
			first = e->ret;
	}
	batch->busy = false;
	return restored ? drop_ring(batch, restored) : first;
}

EXPORT int hlk_batch_result(const struct hlk_batch *batch, uint32_t index)
{
	if (!batch->submitted || index >= batch->nr)
		return -EINVAL;
	return batch->entries[index].ret;
}
