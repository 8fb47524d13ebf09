// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * How a call ends in time, without handlers, threads or global state.
 *
 * A timer of the sandbox sends a real-time signal to the thread that makes the
 * call. The thread has the signal blocked; KVM unblocks it inside KVM_RUN and
 * nowhere else, so KVM_RUN returns EINTR, no handler runs, and the signal is
 * taken away with sigtimedwait(). hlk_sandbox_kick() sends the same signal.
 *
 * A signal is a hint only: a host function may use another sandbox, which then
 * takes our signal for its own. The clock and @kicked are what counts.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id	_sigev_un._tid
#endif

#define KERNEL_SIGSET	8	/* bytes of the kernel's sigset_t */
#define NSEC_PER_SEC	1000000000ULL

static const char op[] = "cannot set a timeout";

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static uint64_t deadline(uint64_t timeout_us)
{
	uint64_t longest = INT64_MAX / 2000;

	if (timeout_us == HLK_TIMEOUT_KICK)
		return HLK_TIMEOUT_KICK;
	if (timeout_us > longest)
		timeout_us = longest;
	return now() + timeout_us * 1000;
}

static void one_signal(const struct hlk_sandbox *sb, sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, sb->timeout.signal);
}

static void take_signals(const struct hlk_sandbox *sb)
{
	const struct timespec zero = {};
	sigset_t set;

	one_signal(sb, &set);
	while (sigtimedwait(&set, NULL, &zero) > 0 || errno == EINTR)
		;
}

/* @set is what KVM blocks inside KVM_RUN; NULL is what the thread blocks */
static int set_kvm_mask(struct hlk_sandbox *sb, const sigset_t *set)
{
	union {
		struct kvm_signal_mask head;
		unsigned char bytes[sizeof(struct kvm_signal_mask) +
				    KERNEL_SIGSET];
	} mask = { .head.len = KERNEL_SIGSET };
	struct hlk_timeout *timeout = &sb->timeout;

	if (!set && !timeout->mask_set)
		return 0;
	if (set && timeout->mask_set &&
	    !memcmp(set, &timeout->mask, KERNEL_SIGSET))
		return 0;
	if (set)
		memcpy(mask.head.sigset, set, KERNEL_SIGSET);
	if (ioctl(sb->vcpu_fd, KVM_SET_SIGNAL_MASK, set ? &mask : NULL))
		return hlk_err_system(&sb->err, op);
	timeout->mask_set = set;
	if (set)
		timeout->mask = *set;
	return 0;
}

static int block_signal(struct hlk_sandbox *sb)
{
	sigset_t set, before;

	one_signal(sb, &set);
	errno = pthread_sigmask(SIG_BLOCK, &set, &before);
	if (errno)
		return hlk_err_system(&sb->err, op);
	sigdelset(&before, sb->timeout.signal);
	return set_kvm_mask(sb, &before);
}

static int make_timer(struct hlk_sandbox *sb, pid_t tid)
{
	struct hlk_timeout *timeout = &sb->timeout;
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = timeout->signal,
	};

	if (timeout->timer_tid == tid)
		return 0;
	hlk_timeout_destroy(sb);
	event.sigev_notify_thread_id = tid;
	if (timer_create(CLOCK_MONOTONIC, &event, &timeout->timer))
		return hlk_err_system(&sb->err, op);
	timeout->timer_tid = tid;
	return 0;
}

static int start_timer(struct hlk_sandbox *sb, pid_t tid)
{
	struct hlk_timeout *timeout = &sb->timeout;
	struct itimerspec spec = {
		.it_value.tv_sec = timeout->deadline / NSEC_PER_SEC,
		.it_value.tv_nsec = timeout->deadline % NSEC_PER_SEC,
	};
	int ret;

	if (timeout->deadline == HLK_TIMEOUT_KICK)
		return 0;
	ret = make_timer(sb, tid);
	if (ret)
		return ret;
	if (timer_settime(timeout->timer, TIMER_ABSTIME, &spec, NULL))
		return hlk_err_system(&sb->err, op);
	return 0;
}

static bool stop_timer(struct hlk_sandbox *sb)
{
	const struct itimerspec never = {};
	struct itimerspec left;

	if (sb->timeout.deadline == HLK_TIMEOUT_KICK)
		return false;
	timer_settime(sb->timeout.timer, 0, &never, &left);
	return !left.it_value.tv_sec && !left.it_value.tv_nsec;
}

/**
 * hlk_timeout_begin() - from here on a KVM_RUN can be ended
 * @sb: the sandbox
 * @timeout_us: see hlk_sandbox_call()
 *
 * Return: 0 or a negative errno
 */
int hlk_timeout_begin(struct hlk_sandbox *sb, uint64_t timeout_us)
{
	pid_t tid;
	int ret;

	if (timeout_us == HLK_TIMEOUT_NONE)
		return set_kvm_mask(sb, NULL);
	ret = block_signal(sb);
	if (ret)
		return ret;
	tid = syscall(SYS_gettid);
	sb->timeout.deadline = deadline(timeout_us);
	ret = start_timer(sb, tid);
	if (ret)
		return ret;
	pthread_mutex_lock(&sb->lock);
	sb->runner = tid;
	sb->kicked = false;
	pthread_mutex_unlock(&sb->lock);
	return 0;
}

/**
 * hlk_timeout_end() - undo hlk_timeout_begin()
 * @sb: the sandbox
 *
 * No signal of this sandbox is under way or pending afterwards.
 */
void hlk_timeout_end(struct hlk_sandbox *sb)
{
	bool sent;

	if (!sb->runner)
		return;
	pthread_mutex_lock(&sb->lock);
	sb->runner = 0;
	sent = sb->kicked;
	sb->run->immediate_exit = 0;
	pthread_mutex_unlock(&sb->lock);
	if (stop_timer(sb))
		sent = true;
	if (sent)
		take_signals(sb);
}

/**
 * hlk_timeout_check() - is the call to end now?
 * @sb: the sandbox
 *
 * Return: 0 if not, -ETIMEDOUT or -EINTR
 */
int hlk_timeout_check(struct hlk_sandbox *sb)
{
	bool kicked;

	if (!sb->runner)
		return 0;
	pthread_mutex_lock(&sb->lock);
	kicked = sb->kicked;
	pthread_mutex_unlock(&sb->lock);
	if (kicked) {
		hlk_exit_set(sb, HLK_EXIT_KICKED, 0);
		return hlk_err_set(&sb->err, EINTR, HLK_WHAT_KICKED, NULL);
	}
	if (now() < sb->timeout.deadline)
		return 0;
	hlk_exit_set(sb, HLK_EXIT_TIMEOUT, 0);
	return hlk_err_set(&sb->err, ETIMEDOUT, HLK_WHAT_TIMEOUT, NULL);
}

/**
 * hlk_timeout_woken() - a signal ended KVM_RUN; was it ours?
 * @sb: the sandbox
 *
 * Return: 0 if the guest is to go on, -ETIMEDOUT or -EINTR
 */
int hlk_timeout_woken(struct hlk_sandbox *sb)
{
	if (sb->runner)
		take_signals(sb);
	return hlk_timeout_check(sb);
}

/**
 * hlk_timeout_destroy() - free the timer
 * @sb: the sandbox
 */
void hlk_timeout_destroy(struct hlk_sandbox *sb)
{
	if (sb->timeout.timer_tid)
		timer_delete(sb->timeout.timer);
	sb->timeout.timer_tid = 0;
}

EXPORT int hlk_sandbox_kick(struct hlk_sandbox *sb)
{
	int ret = -ESRCH;

	pthread_mutex_lock(&sb->lock);
	if (sb->runner) {
		sb->kicked = true;
		sb->run->immediate_exit = 1;
		syscall(SYS_tgkill, getpid(), sb->runner, sb->timeout.signal);
		ret = 0;
	}
	pthread_mutex_unlock(&sb->lock);
	return ret;
}
