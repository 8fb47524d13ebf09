// SPDX-License-Identifier: GPL-2.0-only
/*
 * One call into each of many guests, in one system call.
 */
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "hlk.h"

static struct hlk_many_call __user *many_call(const struct hlk_run_many *many, u32 nr)
{
	return u64_to_user_ptr(many->calls + (u64)nr * many->call_size);
}

static int many_tell(const struct hlk_run_many *many, u32 nr, int ret,
		     struct hlk_why_at *at)
{
	struct hlk_many_call __user *to = many_call(many, nr);

	if (put_user(ret, &to->ret) || put_user(at->why, &to->why))
		return hlk_fail(at, -EFAULT, HLK_WHY_NONE, nr, 0);
	return 0;
}

/* So that it is known before the first guest runs that all can be told. */
static int many_check(const struct hlk_run_many *many, struct hlk_why_at *at)
{
	u32 i;
	int ret;

	if (many->__reserved)
		return hlk_fail(at, -EOPNOTSUPP, HLK_WHY_RESERVED, 0, 0);
	if (many->nr_calls > HLK_MAX_CALLS)
		return hlk_fail(at, -E2BIG, HLK_WHY_TOO_MANY_CALLS, 0, HLK_MAX_CALLS);
	if (!many->nr_calls)
		return 0;
	ret = hlk_element_size(many->call_size, HLK_FIRST_MANY_CALL,
			       HLK_WHY_ELEMENT_SIZE, at);
	if (ret)
		return ret;
	for (i = 0; i < many->nr_calls; i++) {
		ret = many_tell(many, i, -ECANCELED, at);
		if (ret)
			return ret;
		cond_resched();
	}
	return 0;
}

/* The element is read when its turn comes, once. */
static int many_run(const struct hlk_run_many *many, u32 nr, struct hlk_why_at *at)
{
	struct hlk_many_call call;
	int ret;

	ret = hlk_element_get(&call, sizeof(call), many->calls, many->call_size, nr,
			      at);
	if (ret)
		return ret;
	if (call.__reserved)
		return hlk_fail(at, -EOPNOTSUPP, HLK_WHY_RESERVED, nr, 0);
	return hlk_vm_run(call.vm_fd, call.run, at);
}

/**
 * hlk_cmd_run_many() - HLK_RUN_MANY
 * @obj: unused
 * @ucmd: the call
 *
 * Holds nothing from one guest to the next. What is pending when it begins ends
 * the first guest, as it would end HLK_RUN, so that each call gets on.
 *
 * Return: 0; -EINTR after a signal; an errno if the array is wrong
 */
int hlk_cmd_run_many(void *obj, struct hlk_ucmd *ucmd)
{
	struct hlk_run_many *many = ucmd->cmd;
	struct hlk_why_at at;
	int ret, done;

	many->nr_done = 0;
	ret = many_check(many, &ucmd->at);
	while (!ret && many->nr_done < many->nr_calls) {
		if (many->nr_done && signal_pending(current))
			return -EINTR;
		at = (struct hlk_why_at) {};
		done = many_run(many, many->nr_done, &at);
		ret = many_tell(many, many->nr_done++, done, &at);
		if (ret)
			ucmd->at = at;
		if (done && many->head.flags & HLK_RUN_MANY_STOP)
			break;
		cond_resched();
	}
	return ret;
}
