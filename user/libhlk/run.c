// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Running the guest: enter, see why it came out, do what it asks for, enter
 * again, until it halts or fails.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "agent.h"
#include "internal.h"

#define HALTED	1

static int print_bytes(struct hlk_sandbox *sb, const unsigned char *text,
		       size_t len)
{
	if (sb->print && len)
		sb->print(sb->print_arg, (const char *)text, len);
	return 0;
}

/* The guest's EAX, or the part of it that it sent */
static uint32_t io_value(const struct kvm_run *run)
{
	uint32_t value = 0;

	memcpy(&value, (const unsigned char *)run + run->io.data_offset,
	       run->io.size);
	return value;
}

static int handle_out(struct hlk_sandbox *sb)
{
	const struct kvm_run *run = sb->run;

	switch (run->io.port) {
	case HLK_GUEST_PORT_LOG:
	case HLK_GUEST_PORT_PRINT:
		return hlk_host_print(sb);
	case HLK_GUEST_PORT_CALL:
		return hlk_host_call(sb);
	case HLK_GUEST_PORT_ABORT:
		return hlk_exit_abort(sb, io_value(run));
	case HLK_GUEST_PORT_PUTC:
		return print_bytes(sb, (const unsigned char *)run +
				   run->io.data_offset, 1);
	default:
		return hlk_exit_set(sb, HLK_EXIT_PORT, run->io.port);
	}
}

/* One OUT of one value is all that a guest has a use for */
static int handle_io(struct hlk_sandbox *sb)
{
	const struct kvm_run *run = sb->run;

	if (run->io.direction != KVM_EXIT_IO_OUT || run->io.count != 1 ||
	    run->io.size > sizeof(uint32_t))
		return hlk_exit_set(sb, HLK_EXIT_PORT, run->io.port);
	return handle_out(sb);
}

static int handle_exit(struct hlk_sandbox *sb)
{
	const struct kvm_run *run = sb->run;

	if (sb->agent)
		return hlk_agent_exit(sb);
	if (run->exit_reason == KVM_EXIT_DEBUG && sb->debug)
		return hlk_debug_over(sb, HLK_DEBUG_EXIT);
	switch (run->exit_reason) {
	case KVM_EXIT_HLT:
		return HALTED;
	case KVM_EXIT_IO:
		return handle_io(sb);
	case KVM_EXIT_MMIO:
		return hlk_exit_no_memory(sb);
	case KVM_EXIT_SHUTDOWN:
		return hlk_exit_set(sb, HLK_EXIT_SHUTDOWN, 0);
	case KVM_EXIT_FAIL_ENTRY:
		sb->doubtful = true;
		return hlk_exit_set(sb, HLK_EXIT_FAIL_ENTRY,
			run->fail_entry.hardware_entry_failure_reason);
	case KVM_EXIT_INTERNAL_ERROR:
		sb->doubtful = true;
		return hlk_exit_set(sb, HLK_EXIT_INTERNAL,
				    run->internal.suberror);
	default:
		return hlk_exit_set(sb, HLK_EXIT_UNKNOWN, run->exit_reason);
	}
}

static int enter(struct hlk_sandbox *sb)
{
	return ioctl(sb->vcpu_fd, KVM_RUN, 0) ? -errno : 0;
}

/* @ret is what entering the guest returned. */
static int came_out(struct hlk_sandbox *sb, int ret)
{
	switch (ret) {
	case 0:
		return handle_exit(sb);
	case -EINTR:
		return hlk_timeout_woken(sb);
	case -ETIMEDOUT:
		return hlk_timeout_over(sb);
	case -EFAULT:
		return hlk_exit_fault(sb);
	default:
		sb->doubtful = true;
		errno = -ret;
		return hlk_err_system(&sb->err, "KVM cannot run the guest");
	}
}

/**
 * hlk_run_on() - a guest came out; run it until it halts
 * @sb: the sandbox, with its timeout begun, which is ended here
 * @ret: what entering it returned: 0 or a negative errno
 * @again: enters it again, and returns the same
 *
 * Return: 0 when it halted, or a negative errno: the guest has to be restored
 */
int hlk_run_on(struct hlk_sandbox *sb, int ret,
	       int (*again)(struct hlk_sandbox *sb))
{
	ret = came_out(sb, ret);
	while (!ret)
		ret = came_out(sb, again(sb));
	hlk_timeout_end(sb);
	if (ret != HALTED) {
		sb->state = HLK_STATE_BROKEN;
		if (ret != -ECANCELED)
			hlk_debug_call(sb, HLK_DEBUG_FAILED);
		return ret;
	}
	sb->exit.reason = HLK_EXIT_HALT;
	return 0;
}

/**
 * hlk_run() - run the guest until it halts
 * @sb: the sandbox, with registers set
 * @timeout_us: see hlk_sandbox_call()
 *
 * Return: 0 when it halted, or a negative errno: the guest has to be restored
 */
int hlk_run(struct hlk_sandbox *sb, uint64_t timeout_us)
{
	int ret;

	hlk_exit_none(sb);
	if (hlk_agent_several(sb))
		return hlk_agent_run(sb, timeout_us);
	if (timeout_us == HLK_TIMEOUT_NONE) {
		ret = hlk_debug_begin(sb);
		return ret ? ret : hlk_run_on(sb, enter(sb), enter);
	}
	hlk_fused_request(sb, HLK_RUN_CONTINUE);
	ret = hlk_timeout_begin(sb, timeout_us);
	if (!ret)
		ret = hlk_debug_begin(sb);
	return ret ? ret : hlk_run_on(sb, hlk_fused_on(sb), hlk_fused_on);
}

/**
 * hlk_settle() - have KVM load the registers that are to be loaded
 * @sb: the sandbox, not in a call
 *
 * The guest does not run. What is in kvm_run afterwards is what KVM has.
 *
 * Return: 0 or a negative errno
 */
int hlk_settle(struct hlk_sandbox *sb)
{
	int ret;

	sb->run->immediate_exit = 1;
	ret = ioctl(sb->vcpu_fd, KVM_RUN, 0);
	sb->run->immediate_exit = 0;
	if (ret && errno == EINTR)
		return 0;
	if (!ret)
		errno = EIO;
	return hlk_err_system(&sb->err, "cannot read the guest's registers");
}
