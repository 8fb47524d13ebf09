// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Booting the guest, and calling it. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "internal.h"
#include "probe.h"

static const char op_call[] = "call failed";
static const char op_boot[] = "boot failed";

/* In the header of an XSAVE area (SDM volume 1, "XSAVE Header"), as 32-bit words */
#define XSTATE_BV	(512 / 4)
#define XSTATE_X87_SSE	0x3U

/**
 * hlk_get_fpu() - note the FPU as each call is to find it
 * @sb: the sandbox, with a guest that is ready
 *
 * Return: 0 or a negative errno
 */
int hlk_get_fpu(struct hlk_sandbox *sb)
{
	if (ioctl(sb->vcpu_fd, KVM_GET_XSAVE, &sb->fpu))
		return hlk_err_system(&sb->err, "cannot read the FPU");
	/*
	 * What is said to be in its initial state, KVM_SET_XSAVE does not copy,
	 * and MXCSR with it; but a processor without XSAVES loads MXCSR from
	 * there all the same.
	 */
	sb->fpu.region[XSTATE_BV] |= XSTATE_X87_SSE;
	return 0;
}

/**
 * hlk_set_fpu() - put the FPU back to what hlk_get_fpu() noted
 * @sb: the sandbox
 *
 * Not needed after a restore. KVM_SET_FPU would not do: it leaves alone which
 * components KVM takes to be in their initial state.
 *
 * Return: 0 or a negative errno
 */
int hlk_set_fpu(struct hlk_sandbox *sb)
{
	if (ioctl(sb->vcpu_fd, KVM_SET_XSAVE, &sb->fpu))
		return hlk_err_system(&sb->err, "cannot set the FPU");
	return 0;
}

/**
 * hlk_check_ready() - can the guest be called?
 * @sb: the sandbox
 * @op: what is to be done
 *
 * Return: 0 or -ESTALE
 */
int hlk_check_ready(struct hlk_sandbox *sb, const char *op)
{
	switch (sb->state) {
	case HLK_STATE_READY:
		return 0;
	case HLK_STATE_NEW:
		return hlk_err_set(&sb->err, ESTALE, HLK_WHAT_NOT_READY, op);
	default:
		return hlk_err_set(&sb->err, ESTALE, HLK_WHAT_NEEDS_RESTORE,
				   op);
	}
}

static int boot(struct hlk_sandbox *sb, uint64_t timeout_us)
{
	int ret;

	if (sb->state == HLK_STATE_READY)
		return hlk_err_text(&sb->err, EINVAL, HLK_WHAT_ARGUMENT,
				    op_boot, "the guest is booted already");
	if (sb->state == HLK_STATE_BROKEN)
		return hlk_err_set(&sb->err, ESTALE, HLK_WHAT_NEEDS_RESTORE,
				   op_boot);
	ret = hlk_run(sb, timeout_us);
	if (ret) {
		sb->err.op = op_boot;
		return ret;
	}
	sb->dispatch = sb->run->s.regs.regs.rax;
	sb->stack = sb->run->s.regs.regs.rsp;
	sb->state = HLK_STATE_READY;
	sb->fresh = false;
	return hlk_get_fpu(sb);
}

EXPORT int hlk_sandbox_boot(struct hlk_sandbox *sb, uint64_t timeout_us)
{
	int ret = hlk_enter(sb, op_boot);

	return ret ? ret : hlk_leave(sb, boot(sb, timeout_us));
}

/* No budget, or a buffer that makes no sense: that is what the guest left. */
static int buffer_failed(struct hlk_sandbox *sb, int ret)
{
	if (ret == -ENOBUFS)
		return hlk_err_where(&sb->err, ENOBUFS, HLK_WHAT_INPUT,
				     hlk_buffer_room(&sb->input), op_call);
	if (ret == -EPROTO || ret == -EDQUOT)
		sb->state = HLK_STATE_BROKEN;
	if (ret == -EPROTO)
		return hlk_exit_set(sb, HLK_EXIT_PROTOCOL, 0);
	hlk_exit_none(sb);
	if (ret == -EDQUOT)
		sb->exit.reason = HLK_EXIT_BUDGET;
	return hlk_exit_host(sb, ret, op_call);
}

/**
 * hlk_push_call() - push a call on an input buffer
 * @sb: the sandbox
 * @buf: its input buffer, or a copy of one
 * @name: the function
 * @in: its argument
 * @in_len: length of that
 *
 * Return: 0 or a negative errno
 */
int hlk_push_call(struct hlk_sandbox *sb, struct hlk_buffer *buf,
		  const char *name, const void *in, size_t in_len)
{
	size_t room = hlk_buffer_room(buf);
	size_t name_len = strlen(name);
	struct hlk_guest_call head = {
		.magic = HLK_GUEST_CALL_MAGIC,
		.name_len = name_len,
		.arg_len = in_len,
	};
	const struct iovec part[] = {
		{ &head, sizeof(head) },
		{ (void *)name, name_len },
		{ (void *)in, in_len },
	};
	int ret;

	/* Also keeps the lengths in the header from being cut */
	if (name_len > room || in_len > room)
		return buffer_failed(sb, -ENOBUFS);
	ret = hlk_buffer_push(buf, part, 3);
	return ret ? buffer_failed(sb, ret) : 0;
}

/* Without a restore before it, a call starts from what the last one left. */
static int start_over(struct hlk_sandbox *sb)
{
	int ret;

	ret = sb->agent ? 0 : hlk_set_fpu(sb);
	if (ret)
		return ret;
	ret = hlk_buffer_reset(&sb->input);
	if (!ret)
		ret = hlk_buffer_reset(&sb->output);
	return ret ? buffer_failed(sb, ret) : 0;
}

/**
 * hlk_call_regs() - the registers that a call starts with
 * @sb: the sandbox
 * @regs: out: the registers
 */
void hlk_call_regs(const struct hlk_sandbox *sb, struct kvm_regs *regs)
{
	*regs = (struct kvm_regs) {
		.rip = sb->dispatch,
		.rsp = sb->stack,
		.rflags = 2,
	};
}

static int bad_answer(struct hlk_sandbox *sb, int ret)
{
	sb->state = HLK_STATE_BROKEN;
	return hlk_exit_buffer(sb, ret);
}

/**
 * hlk_pop_answer() - take the answer of a call
 * @sb: the sandbox, whose guest halted
 * @from: its output buffer, or a copy of one
 * @answer: where it goes
 *
 * Return: 0 or a negative errno
 */
int hlk_pop_answer(struct hlk_sandbox *sb, struct hlk_buffer *from,
		   const struct hlk_answer *answer)
{
	size_t out_size = answer->out_size;
	struct hlk_guest_ret head;
	uint32_t len;
	int ret;

	ret = hlk_buffer_pop(from, sb->bounce, &len);
	if (ret)
		return bad_answer(sb, ret);
	if (len < sizeof(head))
		return bad_answer(sb, -EPROTO);
	memcpy(&head, sb->bounce, sizeof(head));
	if (head.magic != HLK_GUEST_RET_MAGIC ||
	    head.len > len - sizeof(head))
		return bad_answer(sb, -EPROTO);
	if (answer->out_len)
		*answer->out_len = head.len;
	if (out_size > head.len)
		out_size = head.len;
	if (out_size)
		memcpy(answer->out, sb->bounce + sizeof(head), out_size);
	if (head.status) {
		hlk_err_text(&sb->err, EREMOTEIO, HLK_WHAT_GUEST_STATUS,
			     op_call, "%s", answer->name);
		sb->err.where = head.status;
		return -EREMOTEIO;
	}
	if (head.len > out_size)
		return hlk_err_where(&sb->err, EMSGSIZE, HLK_WHAT_OUTPUT,
				     head.len, op_call);
	return 0;
}

/**
 * hlk_call_now() - call a function of the guest
 * @sb: the sandbox, entered
 * @answer: the function, and where its answer goes
 * @in: its argument
 * @in_len: length of that
 * @timeout_us: see hlk_sandbox_call()
 *
 * Return: 0 or a negative errno
 */
int hlk_call_now(struct hlk_sandbox *sb, const struct hlk_answer *answer,
		 const void *in, size_t in_len, uint64_t timeout_us)
{
	int ret;

	ret = hlk_check_ready(sb, op_call);
	if (!ret && !sb->fresh)
		ret = start_over(sb);
	if (!ret)
		ret = hlk_push_call(sb, &sb->input, answer->name, in, in_len);
	if (ret)
		return ret;
	if (!sb->agent) {
		hlk_call_regs(sb, &sb->run->s.regs.regs);
		sb->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
	}
	sb->fresh = false;
	hlk_probe(call__begin, sb, answer->name);
	ret = hlk_run(sb, timeout_us);
	if (!ret)
		ret = hlk_pop_answer(sb, &sb->output, answer);
	hlk_probe(call__end, sb, ret, 0);
	return ret;
}

EXPORT int hlk_sandbox_call(struct hlk_sandbox *sb, const char *name,
			    const void *in, size_t in_len,
			    void *out, size_t out_size, size_t *out_len,
			    uint64_t timeout_us)
{
	const struct hlk_answer answer = { name, out, out_size, out_len };
	int ret;

	if (out_len)
		*out_len = 0;
	ret = hlk_enter(sb, op_call);
	return ret ? ret : hlk_leave(sb, hlk_call_now(sb, &answer, in, in_len,
						      timeout_us));
}
