// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Calls by whichever sandbox of a pool is there. */
#include <errno.h>

#include "pool.h"

/* Return: does somebody wait for a sandbox? */
static bool count_calls(struct hlk_pool *pool, uint32_t nr, uint32_t failures)
{
	bool waited;

	pthread_mutex_lock(&pool->lock);
	pool->stats.calls += nr;
	pool->stats.call_failures += failures;
	waited = pool->waiting;
	pthread_mutex_unlock(&pool->lock);
	return waited;
}

EXPORT int hlk_pool_call_from(struct hlk_pool *pool, struct hlk_snap *snap,
			      uint64_t wait_us, const char *name, const void *in,
			      size_t in_len, void *out, size_t out_size,
			      size_t *out_len, uint64_t timeout_us,
			      struct hlk_err *err)
{
	struct hlk_sandbox *sb;
	int ret;

	if (out_len)
		*out_len = 0;
	ret = hlk_pool_get_from(pool, snap, wait_us, &sb, err);
	if (ret)
		return ret;
	ret = hlk_sandbox_call(sb, name, in, in_len, out, out_size, out_len,
			       timeout_us);
	if (ret && err)
		*err = sb->err;
	count_calls(pool, 1, ret != 0);
	hlk_pool_put(pool, sb);
	return ret;
}

EXPORT int hlk_pool_call(struct hlk_pool *pool, uint64_t wait_us,
			 const char *name, const void *in, size_t in_len,
			 void *out, size_t out_size, size_t *out_len,
			 uint64_t timeout_us, struct hlk_err *err)
{
	return hlk_pool_call_from(pool, NULL, wait_us, name, in, in_len, out, out_size,
				  out_len, timeout_us, err);
}

/* Calls that were made: those behind one that ends all are for another sandbox. */
static uint32_t count_made(const struct hlk_call *calls, uint32_t nr, uint32_t *failures)
{
	uint32_t made;

	*failures = 0;
	for (made = 0; made < nr && calls[made].ret != -ECANCELED; made++)
		*failures += calls[made].ret != 0;
	return made;
}

/* As many as one sandbox is to make while others wait; true: give it back */
static bool make_calls(struct hlk_pool *pool, struct hlk_sandbox *sb,
		       struct hlk_call *calls, uint32_t *nr, int *ret)
{
	uint32_t failures;

	if (*nr > HLK_CALLS_MOST)
		*nr = HLK_CALLS_MOST;
	*ret = hlk_sandbox_calls(sb, calls, *nr, 0);
	*nr = count_made(calls, *nr, &failures);
	return count_calls(pool, *nr, failures) || sb->doubtful || !*nr;
}

EXPORT int hlk_pool_calls_from(struct hlk_pool *pool, struct hlk_snap *snap,
			       uint64_t wait_us, struct hlk_call *calls, uint32_t nr,
			       uint32_t flags, struct hlk_err *err)
{
	struct hlk_sandbox *sb;
	uint32_t done = 0, some = 1;
	struct hlk_err local;
	bool give = false;
	int ret, first;

	if (!err)
		err = &local;
	hlk_err_clear(err);
	first = hlk_calls_check(calls, nr, flags, err);
	if (first)
		return first;
	/* None is made where somebody uses a sandbox that is not his. */
	while (done < nr && some) {
		ret = hlk_pool_get_from(pool, snap, wait_us, &sb, first ? &local : err);
		if (ret)
			return first ? first : ret;
		for (give = false; done < nr && !give; done += some) {
			some = nr - done;
			give = make_calls(pool, sb, calls + done, &some, &ret);
			if (ret && !first) {
				first = ret;
				*err = sb->err;
			}
		}
		hlk_pool_put(pool, sb);
	}
	return first;
}

EXPORT int hlk_pool_calls(struct hlk_pool *pool, uint64_t wait_us,
			  struct hlk_call *calls, uint32_t nr, uint32_t flags,
			  struct hlk_err *err)
{
	return hlk_pool_calls_from(pool, NULL, wait_us, calls, nr, flags, err);
}
