// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * How a call ends in time: the module sees to it, see struct hlk_run. No signal,
 * no timer and no thread number of the process has a part in it.
 *
 * The time begins with the first system call of the call (in a batch, with its
 * turn there), and goes on while host functions run: the deadline that the module
 * gave is the one of all system calls that follow.
 *
 * hlk_sandbox_kick() sets immediate_exit, for a system call that is yet to come,
 * and has the module end the one that is under way. Both, and the end of the call,
 * are under the sandbox's lock, so no other call can be meant.
 */
#include <errno.h>
#include <sys/ioctl.h>

#include "agent.h"
#include "internal.h"

/**
 * hlk_timeout_queue() - many calls begin, of which a kick ends all
 * @sb: the sandbox
 * @can_kick: whether they can be kicked
 */
void hlk_timeout_queue(struct hlk_sandbox *sb, bool can_kick)
{
	pthread_mutex_lock(&sb->lock);
	sb->queued = true;
	sb->can_kick = can_kick;
	sb->kicked = false;
	pthread_mutex_unlock(&sb->lock);
}

/**
 * hlk_timeout_queue_end() - undo hlk_timeout_queue()
 * @sb: the sandbox
 */
void hlk_timeout_queue_end(struct hlk_sandbox *sb)
{
	pthread_mutex_lock(&sb->lock);
	sb->queued = false;
	sb->can_kick = false;
	sb->run->immediate_exit = 0;
	pthread_mutex_unlock(&sb->lock);
}

/**
 * hlk_timeout_nudge() - have the system call that makes many calls end after one of them
 * @sb: the sandbox; any thread may do this
 *
 * What is the same for all of them is another for the rest.
 */
void hlk_timeout_nudge(struct hlk_sandbox *sb)
{
	pthread_mutex_lock(&sb->lock);
	if (sb->queued)
		sb->run->immediate_exit = 1;
	pthread_mutex_unlock(&sb->lock);
}

/**
 * hlk_timeout_begin() - the call whose request was filled in ends in time
 * @sb: the sandbox
 * @timeout_us: see hlk_sandbox_call()
 *
 * Return: 0 or a negative errno
 */
int hlk_timeout_begin(struct hlk_sandbox *sb, uint64_t timeout_us)
{
	struct hlk_run *arg = &sb->fused.arg;

	if (timeout_us == HLK_TIMEOUT_NONE)
		return 0;
	if (!(sb->ctx->features & HLK_FEATURE_DEADLINE))
		return hlk_err_text(&sb->err, EOPNOTSUPP, HLK_WHAT_FEATURE,
				    "cannot set a timeout", "deadlines of calls");
	if (timeout_us == HLK_TIMEOUT_KICK)
		arg->deadline_ns = HLK_DEADLINE_NEVER;
	else if (__builtin_mul_overflow(timeout_us, 1000, &arg->timeout_ns))
		arg->timeout_ns = UINT64_MAX;
	if (sb->queued)
		return 0;
	pthread_mutex_lock(&sb->lock);
	sb->can_kick = true;
	sb->kicked = false;
	pthread_mutex_unlock(&sb->lock);
	return 0;
}

/**
 * hlk_timeout_end() - undo hlk_timeout_begin()
 * @sb: the sandbox
 *
 * No kick can reach a call that follows.
 */
void hlk_timeout_end(struct hlk_sandbox *sb)
{
	if (!sb->can_kick || sb->queued)
		return;
	pthread_mutex_lock(&sb->lock);
	sb->can_kick = false;
	sb->run->immediate_exit = 0;
	pthread_mutex_unlock(&sb->lock);
}

/**
 * hlk_timeout_over() - note that the module ended the call at its deadline
 * @sb: the sandbox
 *
 * Return: -ETIMEDOUT
 */
int hlk_timeout_over(struct hlk_sandbox *sb)
{
	hlk_exit_set(sb, HLK_EXIT_TIMEOUT, 0);
	return hlk_err_set(&sb->err, ETIMEDOUT, HLK_WHAT_TIMEOUT, NULL);
}

/**
 * hlk_timeout_woken() - the guest was stopped; is the call to end?
 * @sb: the sandbox
 *
 * Return: 0 if that was for a signal and the guest is to go on, or -EINTR
 */
int hlk_timeout_woken(struct hlk_sandbox *sb)
{
	bool kicked;

	if (!sb->can_kick && !sb->queued)
		return 0;
	pthread_mutex_lock(&sb->lock);
	kicked = sb->kicked;
	/* It was a nudge, if anything. */
	if (!kicked)
		sb->run->immediate_exit = 0;
	pthread_mutex_unlock(&sb->lock);
	if (!kicked)
		return 0;
	if (sb->debug) {
		/* The debugger wants it to rest, and not to end. */
		pthread_mutex_lock(&sb->lock);
		sb->kicked = false;
		sb->run->immediate_exit = 0;
		pthread_mutex_unlock(&sb->lock);
		return hlk_debug_over(sb, HLK_DEBUG_KICK);
	}
	hlk_exit_set(sb, HLK_EXIT_KICKED, 0);
	return hlk_err_set(&sb->err, EINTR, HLK_WHAT_KICKED, NULL);
}

EXPORT int hlk_sandbox_kick(struct hlk_sandbox *sb)
{
	struct hlk_kick kick = { .head.size = sizeof(kick) };
	int ret = -ESRCH;

	/* struct kvm_run is inherited, and would be the parent's. */
	if (!hlk_at_home(sb->ctx, sb->home))
		return -EPERM;
	pthread_mutex_lock(&sb->lock);
	if (sb->can_kick) {
		sb->kicked = true;
		if (hlk_agent_several(sb)) {
			hlk_machine_stop(sb->agent->machine);
			ret = 0;
		} else {
			sb->run->immediate_exit = 1;
			ret = ioctl(sb->hlk_fd, HLK_KICK, &kick) ? -errno : 0;
		}
	}
	pthread_mutex_unlock(&sb->lock);
	return ret;
}
