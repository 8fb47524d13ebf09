// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The guest's counter: a word that only the host writes.
 *
 * The truth is in the sandbox, the word in the guest's memory is a copy that is
 * never read back. A restore may overwrite the copy at any moment; it is
 * written anew right after.
 */
#include <errno.h>
#include <sched.h>
#include <sys/uio.h>
#include <unistd.h>

#include "internal.h"

#define PAGE	HLK_GUEST_PAGE_SIZE
#define GPA	((uint64_t)HLK_GUEST_SCRATCH_TOP - HLK_GUEST_OFF_COUNTER)
#define YIELDS	100

/*
 * The sandbox's own thread goes first: somebody who counts in a tight loop would have
 * the lock again before that thread is awake.
 */
static void lock(struct hlk_sandbox *sb)
{
	atomic_fetch_add(&sb->waiting, 1);
	pthread_mutex_lock(&sb->count_lock);
	atomic_fetch_sub(&sb->waiting, 1);
}

/* A thread of a higher real-time priority yields to nobody: that one has to sleep. */
static void lock_last(struct hlk_sandbox *sb)
{
	const struct timespec moment = { .tv_nsec = 200000 };
	unsigned int tries = 0;

	while (atomic_load(&sb->waiting)) {
		if (tries++ < YIELDS)
			sched_yield();
		else
			nanosleep(&moment, NULL);
	}
	pthread_mutex_lock(&sb->count_lock);
}

static void unlock(struct hlk_sandbox *sb)
{
	pthread_mutex_unlock(&sb->count_lock);
}

/*
 * While a restore may be under way the page can go at any moment, and the guest that
 * is entered after it may use up its budget before the page could be had again: what
 * would be SIGBUS for us is an errno of a system call.
 */
static int write_carefully(unsigned char *mem, uint64_t value)
{
	const struct iovec from = { &value, sizeof(value) };
	const struct iovec to = { mem, sizeof(value) };

	if (process_vm_writev(getpid(), &from, 1, &to, 1, 0) == sizeof(value))
		return 0;
	return errno == EFAULT ? -EDQUOT : -errno;
}

static unsigned char *place(const struct hlk_sandbox *sb)
{
	/* A machine's guest has no such word. */
	return sb->agent ? NULL : hlk_vm_at(sb, GPA, sizeof(uint64_t));
}

static int write_counter(struct hlk_sandbox *sb, uint64_t value)
{
	unsigned char *mem = place(sb);

	if (!mem)
		return -ENODEV;
	if (sb->restoring)
		return write_carefully(mem, value);
	if (!sb->counter_ready) {
		int ret = hlk_populate(mem - GPA % PAGE, PAGE, true);

		if (ret)
			return ret;
		sb->counter_ready = true;
	}
	__atomic_store_n((uint64_t *)mem, value, __ATOMIC_RELEASE);
	return 0;
}

/**
 * hlk_counter_lose() - a restore is going to be asked for
 * @sb: the sandbox
 *
 * hlk_counter_refresh() is called when it is over.
 *
 * Return: as hlk_counter_used()
 */
bool hlk_counter_lose(struct hlk_sandbox *sb)
{
	bool used;

	lock(sb);
	sb->counter_ready = false;
	sb->restoring = true;
	used = sb->counter_set || sb->counter_there;
	unlock(sb);
	return used;
}

/**
 * hlk_counter_look() - has the snapshot something where the counter is?
 * @sb: the sandbox, restored to another snapshot than before
 *
 * What another sandbox counted is in a flat one, as all that is private. It is not
 * this one's.
 *
 * Return: 0 or a negative errno
 */
int hlk_counter_look(struct hlk_sandbox *sb)
{
	unsigned char *mem = sb->last->flat ? place(sb) : NULL;
	uint64_t value = 0;
	int ret;

	if (mem) {
		ret = hlk_populate(mem - GPA % PAGE, PAGE, false);
		if (ret)
			return hlk_exit_host(sb, ret, "cannot read the counter");
		value = __atomic_load_n((uint64_t *)mem, __ATOMIC_RELAXED);
	}
	lock(sb);
	sb->counter_there = value;
	unlock(sb);
	return 0;
}

/**
 * hlk_counter_refresh() - write the counter again, if it is used
 * @sb: the sandbox, which came out of a restore
 *
 * In a fused restore and call the module writes the counter, and reads it from the
 * sandbox to do so. Another thread that counts in between can lose; here it wins.
 *
 * Return: 0 or a negative errno
 */
int hlk_counter_refresh(struct hlk_sandbox *sb)
{
	int ret = 0;

	lock(sb);
	sb->restoring = false;
	if (sb->counter_set || sb->counter_there)
		ret = write_counter(sb, sb->counter);
	unlock(sb);
	return ret;
}

/**
 * hlk_counter_restore() - bring the counter back after a restore
 * @sb: the sandbox
 *
 * Return: 0 or a negative errno
 */
int hlk_counter_restore(struct hlk_sandbox *sb)
{
	int ret = hlk_counter_refresh(sb);

	return ret ? hlk_exit_host(sb, ret, "cannot set the counter") : 0;
}

/**
 * hlk_counter_forget() - the counter's page may not be private any more
 * @sb: the sandbox
 */
void hlk_counter_forget(struct hlk_sandbox *sb)
{
	lock(sb);
	sb->counter_ready = false;
	unlock(sb);
}

/**
 * hlk_counter_used() - has anybody counted, or is it not 0 by itself?
 * @sb: the sandbox
 */
bool hlk_counter_used(struct hlk_sandbox *sb)
{
	bool used;

	lock(sb);
	used = sb->counter_set || sb->counter_there;
	unlock(sb);
	return used;
}

/**
 * hlk_counter_reset() - forget what was counted
 * @sb: the sandbox, which is to be restored before the guest sees it
 * @value: what it is to be
 */
void hlk_counter_reset(struct hlk_sandbox *sb, uint64_t value)
{
	lock(sb);
	sb->counter = value;
	sb->counter_set = value;
	unlock(sb);
}

EXPORT int hlk_sandbox_counter_add(struct hlk_sandbox *sb, int64_t by)
{
	uint64_t distance = by < 0 ? -(uint64_t)by : (uint64_t)by;
	uint64_t before, value;
	bool first = false;
	bool out;
	int ret;

	if (!hlk_at_home(sb->ctx, sb->home))
		return -EPERM;
	lock_last(sb);
	if (by < 0)
		out = __builtin_sub_overflow(sb->counter, distance, &value);
	else
		out = __builtin_add_overflow(sb->counter, distance, &value);
	ret = out ? -EOVERFLOW : 0;
	if (!ret) {
		/* The number first: the module may read it, after a restore. */
		before = sb->counter;
		__atomic_store_n(&sb->counter, value, __ATOMIC_SEQ_CST);
		ret = write_counter(sb, value);
		if (ret)
			__atomic_store_n(&sb->counter, before, __ATOMIC_SEQ_CST);
		first = !ret && !sb->counter_set;
		sb->counter_set |= first;
	}
	unlock(sb);
	/* What is under way did not know of it, and may be many calls. */
	if (first)
		hlk_timeout_nudge(sb);
	return ret;
}

EXPORT uint64_t hlk_sandbox_counter(struct hlk_sandbox *sb)
{
	uint64_t value;

	/* In a child the lock may be held for ever. */
	if (!hlk_at_home(sb->ctx, sb->home))
		return __atomic_load_n(&sb->counter, __ATOMIC_RELAXED);
	lock_last(sb);
	value = sb->counter;
	unlock(sb);
	return value;
}
