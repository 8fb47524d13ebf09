// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Restore and call in one system call.
 *
 * HLK_RUN restores, writes the call's input and the counter into the guest,
 * and enters it. From the first exit on that somebody has to see, the call is
 * like any other.
 *
 * One thing a restore cannot do by itself: load debug registers that the guest
 * had changed. In a fused call this is known only when the guest has run with
 * those of the call before. Nothing of that run has left the guest by then: an
 * OUT is an exit, and what it printed is still in our log. So the run is thrown
 * away and made again, after the registers were loaded; and the next call from
 * this sandbox restores first and looks.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "agent.h"
#include "internal.h"
#include "probe.h"

/* Two of these and what is around them are less than the module takes. */
#define MAX_PART	(HLK_MAX_INPUT_BYTES / 4)
#define AROUND		(HLK_GUEST_BUFFER_EMPTY + sizeof(struct hlk_guest_call) + \
			 sizeof(uint64_t))

static const char op[] = "restore and call failed";

/**
 * hlk_fused_can() - can restore and call be one system call?
 * @sb: the sandbox
 * @name: the function
 * @in_len: length of its argument
 *
 * Return: whether they can; else it is done in two steps
 */
bool hlk_fused_can(const struct hlk_sandbox *sb, const char *name,
		   size_t in_len)
{
	size_t name_len = strlen(name);

	if (!(sb->ctx->features & HLK_FEATURE_RUN) || sb->switched ||
	    sb->debug_residue || sb->debug || in_len > MAX_PART || name_len > MAX_PART ||
	    hlk_agent_several(sb))
		return false;
	return !sb->agent || hlk_agent_inputs(sb, NULL, hlk_fused_bytes(name, in_len),
					      NULL) + HLK_GENID_INPUTS < HLK_MAX_INPUTS;
}

/**
 * hlk_fused_bytes() - how much of an input buffer a call takes
 * @name: the function; hlk_fused_can() holds
 * @in_len: length of its argument
 *
 * Return: its bytes, from the start of the buffer on
 */
uint64_t hlk_fused_bytes(const char *name, size_t in_len)
{
	return AROUND + strlen(name) + in_len;
}

/**
 * hlk_fused_image() - the input buffer as the guest is to find it
 * @sb: the sandbox
 * @mem: where it goes
 * @size: how much room there is, at most that of the input buffer
 * @name: the function
 * @in: its argument
 * @in_len: length of that
 * @bytes: out: bytes that were written
 *
 * Return: 0 or a negative errno
 */
int hlk_fused_image(struct hlk_sandbox *sb, unsigned char *mem, uint64_t size,
		    const char *name, const void *in, size_t in_len,
		    uint64_t *bytes)
{
	struct hlk_buffer image = {
		.mem = mem,
		.size = size,
		.written = size,
	};
	int ret;

	hlk_buffer_reset(&image);
	ret = hlk_push_call(sb, &image, name, in, in_len);
	if (!ret)
		memcpy(bytes, image.mem, sizeof(*bytes));
	return ret;
}

/* Where the image goes: to scratch, or to where the agent has its pages */
static int put_image(struct hlk_sandbox *sb, uint64_t bytes)
{
	unsigned char *image = sb->bounce + sb->output.size;
	struct hlk_fused *fused = &sb->fused;
	int nr;

	if (sb->agent) {
		fused->nr_parts = hlk_agent_inputs(sb, image, bytes, fused->inputs);
		nr = hlk_agent_fresh(sb, fused->inputs + fused->nr_parts);
		if (nr < 0)
			return nr;
		fused->nr_parts += nr;
		return 0;
	}
	fused->nr_parts = 1;
	fused->inputs[0] = (struct hlk_segment) {
		.gpa = sb->scratch->gpa,
		.bytes = bytes,
		.data = (uintptr_t)image,
	};
	return 0;
}

/**
 * hlk_fused_request() - begin a request to the module
 * @sb: the sandbox, not in a call
 * @flags: HLK_RUN_*
 */
void hlk_fused_request(struct hlk_sandbox *sb, uint32_t flags)
{
	sb->fused.arg = (struct hlk_run) {
		.head.size = sizeof(sb->fused.arg),
		.head.flags = flags,
		.vcpu_fd = sb->vcpu_fd,
	};
}

/**
 * hlk_fused_fill() - fill in all of the request but the call itself
 * @sb: the sandbox, with @nr_parts of inputs
 */
void hlk_fused_fill(struct hlk_sandbox *sb)
{
	struct hlk_fused *fused = &sb->fused;
	bool counts;

	/* From the sandbox, so that a thread that counts now is not lost */
	fused->inputs[fused->nr_parts] = (struct hlk_segment) {
		.gpa = HLK_GUEST_SCRATCH_TOP - HLK_GUEST_OFF_COUNTER,
		.bytes = sizeof(sb->counter),
		.data = (uintptr_t)&sb->counter,
	};
	hlk_call_regs(sb, &fused->regs);
	counts = hlk_counter_lose(sb);
	hlk_fused_request(sb, sb->learn |
			      (sb->agent ? sb->agent->flags : HLK_RUN_REGS));
	fused->arg.inputs = (uintptr_t)fused->inputs;
	fused->arg.nr_inputs = fused->nr_parts + counts;
	fused->arg.input_size = sizeof(fused->inputs[0]);
	fused->arg.regs = (uintptr_t)&fused->regs;
	fused->arg.log_port = sb->agent ? HLK_PORT_DEBUG : HLK_GUEST_PORT_PUTC;
	fused->arg.log = (uintptr_t)fused->log;
	fused->arg.log_size = sizeof(fused->log);
	sb->run->cr8 = sb->cr8;
	hlk_exit_none(sb);
}

/**
 * hlk_fused_prepare() - fill in the request for a restore and call
 * @sb: the sandbox, for which hlk_fused_can() holds, not in a call
 * @name: the function
 * @in: its argument; not needed any more afterwards
 * @in_len: length of that
 *
 * Return: 0 or a negative errno
 */
int hlk_fused_prepare(struct hlk_sandbox *sb, const char *name, const void *in,
		      size_t in_len)
{
	struct hlk_fused *fused = &sb->fused;
	uint64_t bytes = 0;
	int ret;

	ret = hlk_fused_image(sb, sb->bounce + sb->output.size, sb->input.size,
			      name, in, in_len, &bytes);
	if (!ret && sb->agent)
		ret = hlk_agent_prepare(sb, sb->last);
	if (!ret)
		ret = put_image(sb, bytes);
	if (ret)
		return ret;
	hlk_fused_fill(sb);
	if (sb->agent)
		fused->arg.program = (uintptr_t)atomic_load(&sb->last->program);
	return 0;
}

/**
 * hlk_fused_go() - a request that was prepared some time ago is about to be made
 * @sb: the sandbox
 *
 * Somebody may have begun to count since.
 */
void hlk_fused_go(struct hlk_sandbox *sb)
{
	sb->fused.arg.nr_inputs = sb->fused.nr_parts + hlk_counter_used(sb);
}

/**
 * hlk_fused_submit() - make the request
 * @sb: the sandbox
 *
 * Return: what the module returned: 0 or a negative errno
 */
int hlk_fused_submit(struct hlk_sandbox *sb)
{
	int ret = ioctl(sb->hlk_fd, HLK_RUN, &sb->fused.arg) ? -errno : 0;

	/* what follows is held to the deadline that the module gave */
	sb->fused.arg.timeout_ns = 0;
	return ret;
}

/**
 * hlk_fused_print() - print what is in the log
 * @sb: the sandbox
 */
void hlk_fused_print(struct hlk_sandbox *sb)
{
	struct hlk_fused *fused = &sb->fused;

	if (sb->print && fused->arg.log_used)
		sb->print(sb->print_arg, (const char *)(uintptr_t)fused->arg.log,
			  fused->arg.log_used);
	fused->arg.log_used = 0;
}

/**
 * hlk_fused_on() - enter the guest again, or without a restore
 * @sb: the sandbox, with a request
 *
 * Return: what the module returned: 0 or a negative errno
 */
int hlk_fused_on(struct hlk_sandbox *sb)
{
	struct hlk_run *arg = &sb->fused.arg;
	int ret;

	arg->head.flags = HLK_RUN_CONTINUE;
	arg->nr_inputs = 0;
	ret = hlk_fused_submit(sb);
	hlk_fused_print(sb);
	return ret;
}

/* Restore, look at the debug registers, and only then enter. */
static int in_two_steps(struct hlk_sandbox *sb, int *ret)
{
	*ret = hlk_restore_again(sb);
	if (*ret)
		return *ret;
	sb->fused.arg.head.flags = HLK_RUN_REGS | HLK_RUN_CONTINUE;
	*ret = hlk_fused_submit(sb);
	return 0;
}

/**
 * hlk_fused_restored() - note what HLK_RUN's restore did, as HLK_RESTORE would say it
 * @sb: the sandbox
 */
void hlk_fused_restored(struct hlk_sandbox *sb)
{
	const struct hlk_run *arg = &sb->fused.arg;

	sb->restored = (struct hlk_restore) {
		.head.size = sizeof(sb->restored),
		.snapshot_fd = -1,
		.residue = arg->residue,
		.copied = arg->copied,
		.cleared = arg->cleared,
		.freed = arg->freed,
		.private_pages = arg->private_pages,
	};
	if (arg->freed)
		hlk_forget_pages(sb);
	sb->state = HLK_STATE_READY;
	sb->stale = true;
}

/* A counter that could not be written back wants another restore. */
static int fail(struct hlk_sandbox *sb, int ret)
{
	hlk_timeout_end(sb);
	if (ret == -EDQUOT)
		hlk_exit_host(sb, ret, op);
	if (hlk_counter_refresh(sb))
		sb->state = HLK_STATE_BROKEN;
	errno = -ret;
	return hlk_err_module(&sb->err, &sb->fused.arg.head, op);
}

/**
 * hlk_fused_finish() - what follows the request of hlk_fused_prepare()
 * @sb: the sandbox, with its timeout begun
 * @ret: what the module returned: 0 or a negative errno
 * @answer: where the answer goes
 *
 * Return: 0 or a negative errno
 */
int hlk_fused_finish(struct hlk_sandbox *sb, int ret,
		     const struct hlk_answer *answer)
{
	struct hlk_run *arg = &sb->fused.arg;

	/* as in hlk_fused_submit(), which a batch does not call */
	arg->timeout_ns = 0;
	/* Nothing was done, as when hlk_sandbox_restore() fails. */
	if (!(arg->done & (HLK_DONE_RESTORED | HLK_DONE_INPUT)))
		return fail(sb, ret);
	if (arg->done & HLK_DONE_RESTORED)
		hlk_fused_restored(sb);
	sb->fresh = false;
	if (arg->residue & HLK_RESIDUE_DEBUGREGS) {
		if (in_two_steps(sb, &ret)) {
			hlk_timeout_end(sb);
			return ret;
		}
		sb->fresh = false;
	}
	if (!(arg->done & HLK_DONE_ENTERED) && ret != -ETIMEDOUT)
		return fail(sb, ret);
	hlk_counter_refresh(sb);
	hlk_fused_print(sb);
	ret = hlk_run_on(sb, ret, hlk_fused_on);
	return ret ? ret : hlk_pop_answer(sb, &sb->output, answer);
}

/**
 * hlk_fused_call() - restore, and call a function of the guest
 * @sb: the sandbox, entered
 * @answer: the function, and where its answer goes
 * @in: its argument
 * @in_len: length of that
 * @timeout_us: see hlk_sandbox_call()
 *
 * Return: 0 or a negative errno
 */
int hlk_fused_call(struct hlk_sandbox *sb, const struct hlk_answer *answer,
		   const void *in, size_t in_len, uint64_t timeout_us)
{
	int ret;

	if (!sb->last->generation)
		return hlk_err_set(&sb->err, ESTALE, HLK_WHAT_NOT_READY, op);
	if (!hlk_fused_can(sb, answer->name, in_len)) {
		ret = hlk_restore_now(sb, NULL);
		return ret ? ret : hlk_call_now(sb, answer, in, in_len,
						timeout_us);
	}
	ret = hlk_fused_prepare(sb, answer->name, in, in_len);
	if (ret)
		return ret;
	ret = hlk_timeout_begin(sb, timeout_us);
	if (ret) {
		hlk_counter_refresh(sb);
		return ret;
	}
	hlk_probe(call__begin, sb, answer->name);
	ret = hlk_fused_finish(sb, hlk_fused_submit(sb), answer);
	hlk_probe(call__end, sb, ret, sb->restored.copied);
	return ret;
}

EXPORT int hlk_sandbox_restore_call(struct hlk_sandbox *sb, const char *name,
				    const void *in, size_t in_len,
				    void *out, size_t out_size,
				    size_t *out_len, uint64_t timeout_us)
{
	const struct hlk_answer answer = { name, out, out_size, out_len };
	int ret;

	if (out_len)
		*out_len = 0;
	ret = hlk_enter(sb, op);
	return ret ? ret : hlk_leave(sb, hlk_fused_call(sb, &answer, in, in_len,
							timeout_us));
}
