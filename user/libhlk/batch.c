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
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "internal.h"

static const char op[] = "cannot put it into a batch";

/**
 * struct entry - one sandbox in a batch
 * @sb: the sandbox
 * @snap: what it is restored to, or NULL
 * @cmd: HLK_RESTORE or HLK_RUN
 * @async: a worker is to do it
 * @came: it came back
 * @ret: what came of it
 * @answer: where the answer goes
 */
struct entry {
	struct hlk_sandbox *sb;
	struct hlk_snap *snap;
	uint32_t cmd;
	bool async;
	bool came;
	int ret;
	struct hlk_answer answer;
};

/**
 * struct hlk_batch - see hlk_batch_open()
 * @ctx: the context
 * @ring: the ring
 * @size: length of @entries
 * @nr: entries in use
 * @submitted: they were submitted; the next one begins anew
 * @calls: room for the calls among @entries, as the module takes them
 * @entries: what was asked for
 */
struct hlk_batch {
	struct hlk_ctx *ctx;
	struct io_uring ring;
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
	if (ret < 0)
		io_uring_queue_exit(&batch->ring);
	return ret < 0 ? ret : 0;
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
		return hlk_err_system(err, "cannot make an io_uring");
	}
	batch->ctx = hlk_ctx_get(ctx);
	*out = batch;
	return 0;
}

/* An entry that was not submitted: its sandbox is let go. */
static void cancel(struct entry *e, int ret)
{
	e->ret = ret;
	if (e->cmd == HLK_RUN)
		hlk_timeout_end(e->sb);
	e->sb->in_call = false;
}

EXPORT void hlk_batch_close(struct hlk_batch *batch)
{
	uint32_t i;

	if (!batch)
		return;
	for (i = 0; i < batch->nr && !batch->submitted; i++)
		cancel(&batch->entries[i], -ECANCELED);
	io_uring_queue_exit(&batch->ring);
	hlk_close(batch->ctx);
	free(batch->calls);
	free(batch);
}

static struct entry *next(struct hlk_batch *batch, struct hlk_sandbox *sb)
{
	if (batch->submitted) {
		batch->nr = 0;
		batch->submitted = false;
	}
	if (batch->nr < batch->size)
		return &batch->entries[batch->nr];
	hlk_err_text(&sb->err, ENOSPC, HLK_WHAT_ARGUMENT, op,
		     "a batch of %u is full", batch->size);
	return NULL;
}

EXPORT int hlk_batch_restore(struct hlk_batch *batch, struct hlk_sandbox *sb,
			     struct hlk_snap *snap, uint32_t flags)
{
	struct entry *e = next(batch, sb);
	int ret;

	if (!e)
		return -ENOSPC;
	ret = hlk_grow_flags(flags, HLK_BATCH_ASYNC, "hlk_batch", op, &sb->err);
	if (!ret)
		ret = hlk_restore_prepare(sb, snap, 0);
	if (ret)
		return ret;
	*e = (struct entry) {
		.sb = sb,
		.snap = snap,
		.cmd = HLK_RESTORE,
		.async = flags & HLK_BATCH_ASYNC,
	};
	sb->in_call = true;
	batch->nr++;
	return 0;
}

EXPORT int hlk_batch_restore_call(struct hlk_batch *batch,
				  struct hlk_sandbox *sb, const char *name,
				  const void *in, size_t in_len,
				  void *out, size_t out_size, size_t *out_len,
				  uint64_t timeout_us)
{
	struct entry *e = next(batch, sb);
	int ret;

	if (out_len)
		*out_len = 0;
	if (!e)
		return -ENOSPC;
	if (sb->in_call)
		return hlk_err_set(&sb->err, EBUSY, HLK_WHAT_IN_CALL, op);
	if (!sb->last->generation)
		return hlk_err_set(&sb->err, ESTALE, HLK_WHAT_NOT_READY, op);
	if (!(batch->ctx->features & HLK_FEATURE_RUN_MANY))
		return hlk_err_text(&sb->err, EOPNOTSUPP, HLK_WHAT_FEATURE, op,
				    "calls in batches");
	hlk_err_clear(&sb->err);
	if (!hlk_fused_can(sb, name, in_len)) {
		/* After a restore that looked at all, it mostly can. */
		ret = hlk_sandbox_restore(sb, NULL);
		if (ret)
			return ret;
		sb->debug_residue = false;
		if (!hlk_fused_can(sb, name, in_len))
			return hlk_err_text(&sb->err, EOPNOTSUPP,
					    HLK_WHAT_FEATURE, op,
					    "calls in batches that are so long");
	}
	ret = hlk_fused_prepare(sb, name, in, in_len);
	if (!ret)
		ret = hlk_timeout_begin(sb, timeout_us);
	if (ret)
		return ret;
	*e = (struct entry) {
		.sb = sb,
		.cmd = HLK_RUN,
		.answer = { name, out, out_size, out_len },
	};
	sb->in_call = true;
	batch->nr++;
	return 0;
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
		if (e->cmd == HLK_RUN)
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
	sb->in_call = false;
	if (e->cmd == HLK_RUN)
		e->ret = hlk_fused_finish(sb, e->ret, &e->answer);
	else
		e->ret = hlk_restore_finish(sb, e->snap, e->ret);
}

/* A ring with requests that the kernel did not take is of no more use. */
static int renew(struct hlk_batch *batch, int error)
{
	io_uring_queue_exit(&batch->ring);
	if (open_ring(batch))
		batch->size = 0;
	return error;
}

EXPORT int hlk_batch_submit(struct hlk_batch *batch)
{
	int first = 0, restored, called;
	struct entry *e;
	uint32_t i;

	if (batch->submitted || !batch->nr)
		return 0;
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
	return restored ? renew(batch, restored) : first;
}

EXPORT int hlk_batch_result(const struct hlk_batch *batch, uint32_t index)
{
	if (!batch->submitted || index >= batch->nr)
		return -EINVAL;
	return batch->entries[index].ret;
}
