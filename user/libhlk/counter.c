// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The guest's counter: a word that only the host writes.
 *
 * The truth is in the sandbox, the word in the guest's memory is a copy that is
 * never read back. A restore may overwrite the copy at any moment; it is
 * written anew right after.
 */
#include <errno.h>

#include "internal.h"

#define PAGE	HLK_GUEST_PAGE_SIZE

static int write_counter(struct hlk_sandbox *sb, uint64_t value)
{
	uint64_t gpa = HLK_GUEST_SCRATCH_TOP - HLK_GUEST_OFF_COUNTER;
	unsigned char *mem = hlk_vm_at(sb, gpa, sizeof(value));

	if (!mem)
		return -ENODEV;
	if (!sb->counter_ready) {
		int ret = hlk_populate(mem - gpa % PAGE, PAGE, true);

		if (ret)
			return ret;
		sb->counter_ready = true;
	}
	__atomic_store_n((uint64_t *)mem, value, __ATOMIC_RELEASE);
	return 0;
}

/**
 * hlk_counter_restore() - bring the counter back after a restore
 * @sb: the sandbox
 *
 * Return: 0 or a negative errno
 */
int hlk_counter_restore(struct hlk_sandbox *sb)
{
	int ret = 0;

	pthread_mutex_lock(&sb->lock);
	if (sb->counter_set)
		ret = write_counter(sb, sb->counter);
	pthread_mutex_unlock(&sb->lock);
	if (ret)
		hlk_err_populate(&sb->err, ret, "cannot set the counter");
	return ret;
}

/**
 * hlk_counter_refresh() - write the counter again, if it is used
 * @sb: the sandbox, which came out of a fused restore and call
 *
 * There the module writes the counter, and reads it from the sandbox to do so.
 * Another thread that counts in between can lose; here it wins.
 */
void hlk_counter_refresh(struct hlk_sandbox *sb)
{
	pthread_mutex_lock(&sb->lock);
	if (sb->counter_set)
		write_counter(sb, sb->counter);
	pthread_mutex_unlock(&sb->lock);
}

/**
 * hlk_counter_forget() - the counter's page may not be private any more
 * @sb: the sandbox
 */
void hlk_counter_forget(struct hlk_sandbox *sb)
{
	pthread_mutex_lock(&sb->lock);
	sb->counter_ready = false;
	pthread_mutex_unlock(&sb->lock);
}

EXPORT int hlk_sandbox_counter_add(struct hlk_sandbox *sb, int64_t by)
{
	uint64_t distance = by < 0 ? -(uint64_t)by : (uint64_t)by;
	uint64_t before, value;
	bool out;
	int ret;

	pthread_mutex_lock(&sb->lock);
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
		else
			sb->counter_set = true;
	}
	pthread_mutex_unlock(&sb->lock);
	return ret;
}

EXPORT uint64_t hlk_sandbox_counter(struct hlk_sandbox *sb)
{
	uint64_t value;

	pthread_mutex_lock(&sb->lock);
	value = sb->counter;
	pthread_mutex_unlock(&sb->lock);
	return value;
}
