// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Many calls of one sandbox, against a played module: each comes to what it would come to
 * alone, in fewer system calls, whatever the others do. Runs under ThreadSanitizer, too.
 */
#include <pthread.h>
#include <unistd.h>

#include "../internal.h"
#include "played.h"

#define NR	200U
#define ROOM	64U
#define LONG	30000000ULL

static struct hlk_ctx *ctx;
static struct hlk_snap *snap;
static struct hlk_sandbox *sb;
static struct hlk_err err;
static struct hlk_err why[NR];
static struct hlk_call calls[NR];
static char in[NR][ROOM], out[NR][ROOM], printed[256], big[16384];

static void print(void *arg, const char *text, size_t len)
{
	(void)arg;
	strncat(printed, text, len);
}

/* Each echoes its number. */
static void begin(void)
{
	uint32_t i;

	memset(out, 0, sizeof(out));
	memset(printed, 0, sizeof(printed));
	for (i = 0; i < NR; i++) {
		snprintf(in[i], ROOM, "number %u", i);
		calls[i] = (struct hlk_call) {
			.name = "e",
			.in = in[i],
			.in_len = strlen(in[i]),
			.out = out[i],
			.out_size = ROOM,
			.err = &why[i],
			.ret = 77,
		};
	}
	atomic_store(&played.requests, 0);
}

static void is(uint32_t i, const char *name, const char *arg)
{
	calls[i].name = name;
	calls[i].in = arg;
	calls[i].in_len = strlen(arg);
}

/* Did those echo, from @first on? */
static bool echoed(uint32_t first, uint32_t end)
{
	for (; first < end; first++)
		if (calls[first].ret || why[first].code ||
		    calls[first].out_len != strlen(in[first]) ||
		    strcmp(out[first], in[first]))
			return false;
	return true;
}

static bool cancelled(uint32_t first, uint32_t end)
{
	for (; first < end; first++)
		if (calls[first].ret != -ECANCELED || why[first].code != ECANCELED ||
		    calls[first].out_len)
			return false;
	return true;
}

/* That sandbox is as good as before. */
static bool good(void)
{
	char got[8];
	size_t len = 0;

	return hlk_sandbox_kick(sb) == -ESRCH &&
	       !hlk_sandbox_call(sb, "e", "on", 2, got, sizeof(got), &len, 1000) &&
	       len == 2 && !hlk_sandbox_restore(sb, NULL);
}

static int make(void)
{
	return hlk_sandbox_calls(sb, calls, NR, 0);
}

static void test_plain(void)
{
	begin();
	tap(!make() && echoed(0, NR), "each has its answer");
	tap(played.requests == 4, "of %u, 64 are one system call: %u", NR, played.requests);
	tap(hlk_sandbox_exit(sb)->reason == HLK_EXIT_HALT, "the last one halted");
	tap(hlk_sandbox_restored(sb)->copied == (NR - 1) % HLK_CALLS_MOST &&
	    !hlk_sandbox_restored(sb)->freed, "what its restore did is told");
	tap(good() && !hlk_sandbox_call(sb, "e", NULL, 0, NULL, 0, NULL, 0) &&
	    sb->input.written && !make() && !sb->input.written,
	    "what restores before the last one gave back is forgotten");
	begin();
	tap(!hlk_sandbox_calls(sb, calls, 1, 0) && echoed(0, 1) && calls[1].ret == 77 &&
	    played.requests == 1, "one is one");
	tap(!hlk_sandbox_calls(sb, NULL, 0, 0), "none is none");
	begin();
	ctx->features &= ~HLK_FEATURE_RUN_CALLS;
	tap(!make() && echoed(0, NR) && played.requests == NR,
	    "a module that has nothing of it: one by one");
	ctx->features |= HLK_FEATURE_RUN_CALLS;
}

static void test_refused(void)
{
	begin();
	tap(hlk_sandbox_calls(sb, calls, NR, 1) == -EOPNOTSUPP && cancelled(0, NR) &&
	    hlk_sandbox_error(sb)->what == HLK_WHAT_FLAGS, "a flag that is none");
	begin();
	calls[NR - 1].flags = 2;
	tap(make() == -EOPNOTSUPP && cancelled(0, NR) && !played.requests,
	    "or of one of them: none is made");
	begin();
	calls[9].__reserved[1] = 1;
	tap(make() == -EOPNOTSUPP && cancelled(0, NR), "what is reserved");
}

static void test_failures(void)
{
	char line[128];

	begin();
	is(5, "u", "");
	is(70, "none", "");
	is(71, "f", "");
	tap(make() == -ENOTRECOVERABLE, "guests that fail, in the middle");
	tap(calls[5].ret == -ENOTRECOVERABLE && why[5].what == HLK_WHAT_GUEST_EXIT &&
	    calls[70].ret == -EREMOTEIO && why[70].where == ENOENT &&
	    !strcmp(why[70].text, "none") && calls[71].ret == -ENOTRECOVERABLE,
	    "each says how: %s", hlk_strerror(&why[70], line, sizeof(line)));
	tap(echoed(0, 5) && echoed(6, 70) && echoed(72, NR), "the others are well");
	tap(hlk_sandbox_error(sb)->code == ENOTRECOVERABLE &&
	    !strcmp(hlk_sandbox_error(sb)->text, why[5].text) && good(),
	    "the sandbox tells of the first, and is well");
	begin();
	is(3, "x", "");
	is(4, "z", "");
	tap(make() == -EPROTO && calls[3].ret == -EPROTO && calls[4].ret == -EPROTO &&
	    echoed(0, 3) && echoed(5, NR), "answers that are none");
	begin();
	is(3, "x", "");
	tap(hlk_sandbox_calls(sb, calls, 10, 0) == -EPROTO &&
	    hlk_sandbox_exit(sb)->reason == HLK_EXIT_HALT && good(),
	    "are none of those behind them");
	begin();
	is(NR - 1, "x", "");
	tap(make() == -EPROTO && hlk_sandbox_exit(sb)->reason == HLK_EXIT_PROTOCOL &&
	    hlk_sandbox_call(sb, "e", NULL, 0, NULL, 0, NULL, 0) == -ESTALE &&
	    !hlk_sandbox_restore(sb, NULL) && good(), "the last one's is the sandbox's");
}

static void test_long(void)
{
	static char got[16384];
	uint32_t i;

	for (i = 0; i < sizeof(big); i++)
		big[i] = 'a' + i % 26;
	begin();
	for (i = 0; i < 20; i += 2) {
		calls[i].in = big;
		calls[i].in_len = 10000;
		calls[i].out = got;
		calls[i].out_size = sizeof(got);
	}
	tap(!make() && calls[18].out_len == 10000 && !memcmp(got, big, 10000) &&
	    !calls[18].ret && echoed(1, 2) && echoed(19, 20) && echoed(21, NR),
	    "long ones between short ones");
	begin();
	for (i = 0; i < 12; i++) {
		calls[i].in = big;
		calls[i].in_len = 8000;
		calls[i].out_size = 16;
	}
	is(12, "e", "123");
	calls[12].out_size = 2;
	tap(make() == -EMSGSIZE && calls[11].ret == -EMSGSIZE && calls[11].out_len == 8000 &&
	    !memcmp(out[11], big, 16) && calls[12].ret == -EMSGSIZE &&
	    calls[12].out_len == 3 && why[12].where == 3 && !memcmp(out[12], "12", 3) &&
	    echoed(13, NR), "answers that do not fit");
	begin();
	calls[7].in = big;
	calls[7].in_len = sizeof(big);
	calls[8].in_len = SIZE_MAX;
	tap(make() == -ENOBUFS && calls[7].ret == -ENOBUFS && calls[8].ret == -ENOBUFS &&
	    echoed(0, 7) && echoed(9, NR) && good(), "inputs that do not fit");
}

static int note(void *arg, const void *got, size_t in_len, void *to, size_t out_size,
		size_t *out_len)
{
	(void)arg, (void)got, (void)in_len, (void)out_size;
	strcat(printed, "!");
	memcpy(to, "noted", 5);
	*out_len = 5;
	return hlk_sandbox_calls(sb, calls, 1, 0) == -EBUSY ? 0 : -EIO;
}

static void test_host(void)
{
	struct hlk_call inner;

	begin();
	is(2, "p", "ab");
	is(3, "h", "note");
	is(4, "p", "cd");
	is(150, "h", "note");
	inner = calls[0];
	hlk_sandbox_host_function(sb, "note", note, NULL);
	tap(!make() && !memcmp(out[3], "noted", 6) && !memcmp(out[150], "noted", 6),
	    "functions of the host are called in the middle");
	calls[0] = inner;
	calls[0].ret = 0;
	memcpy(out[0], in[0], ROOM);
	calls[0].out_len = strlen(in[0]);
	tap(echoed(1, 2) && echoed(5, 150) && echoed(151, NR) &&
	    !strcmp(printed, "ab!cd!"), "and all comes in its order: %s", printed);
	tap(played.requests == 7, "%u system calls", played.requests);
}

static void test_timeouts(void)
{
	unsigned int begun = played.begun;
	uint32_t i;

	begin();
	for (i = 0; i < NR; i++)
		calls[i].timeout_us = 1000;
	is(10, "s", "");
	tap(make() == -ETIMEDOUT && calls[10].ret == -ETIMEDOUT && echoed(0, 10) &&
	    echoed(11, NR) && good(), "one that takes too long is one");
	tap(played.begun - begun == NR + 1, "each has its own time");
	begin();
	is(10, "h", "note");
	calls[10].timeout_us = 1000;
	calls[11].timeout_us = 1000;
	played.has_deadline = false;
	tap(!make() && played.has_deadline,
	    "its time goes on when it asks for something");
	begin();
	calls[100].timeout_us = 5;
	tap(!make() && echoed(0, NR) && played.requests == 5,
	    "another time is another system call");
	begin();
	ctx->features &= ~HLK_FEATURE_DEADLINE;
	calls[100].timeout_us = 5;
	tap(make() == -EOPNOTSUPP && calls[100].ret == -EOPNOTSUPP && echoed(0, 100) &&
	    echoed(101, NR), "a module without deadlines");
	calls[101].timeout_us = 5;
	tap(make() == -EOPNOTSUPP && calls[100].ret == -EOPNOTSUPP &&
	    calls[101].ret == -EOPNOTSUPP && echoed(0, 100) && echoed(102, NR),
	    "for several of them");
	ctx->features |= HLK_FEATURE_DEADLINE;
	tap(good(), "which does no harm");
}

static int kick(void *arg, const void *got, size_t in_len, void *to, size_t out_size,
		size_t *out_len)
{
	(void)got, (void)in_len, (void)to, (void)out_size, (void)out_len;
	*(int *)arg = hlk_sandbox_kick(sb);
	return 0;
}

static void *kick_later(void *arg)
{
	unsigned int *after = arg;

	while (atomic_load(&played.restores) < *after)
		sched_yield();
	while (hlk_sandbox_kick(sb))
		sched_yield();
	return NULL;
}

static void test_kick(void)
{
	unsigned int after = atomic_load(&played.restores) + 100;
	pthread_t thread;
	uint32_t i;
	int ret = 1;

	hlk_sandbox_host_function(sb, "kick", kick, &ret);
	begin();
	is(10, "h", "kick");
	calls[NR - 1].timeout_us = HLK_TIMEOUT_KICK;
	tap(make() == -EINTR && !ret && echoed(0, 10) && calls[10].ret == -EINTR &&
	    cancelled(11, NR) && why[10].what == HLK_WHAT_KICKED &&
	    hlk_sandbox_exit(sb)->reason == HLK_EXIT_KICKED,
	    "a kick ends the call that is under way, and all behind it");
	tap(!hlk_sandbox_restore(sb, NULL) && good(), "and none that follows");
	begin();
	is(10, "h", "kick");
	tap(!make() && ret == -ESRCH && echoed(11, NR), "where none has a time, none is kicked");
	begin();
	calls[0].timeout_us = LONG;
	pthread_create(&thread, NULL, kick_later, &after);
	for (i = 0; i < 1000 && !hlk_sandbox_calls(sb, calls, NR, 0); i++)
		;
	pthread_join(thread, NULL);
	for (i = 0; i < NR && !calls[i].ret; i++)
		;
	tap(i < NR && calls[i].ret == -EINTR && echoed(0, i) && cancelled(i + 1, NR) &&
	    !hlk_sandbox_restore(sb, NULL) && good(), "from another thread, in number %u", i);
	hlk_sandbox_host_function(sb, "kick", NULL, NULL);
}

static int add(void *arg, const void *got, size_t in_len, void *to, size_t out_size,
	       size_t *out_len)
{
	(void)got, (void)in_len, (void)to, (void)out_size, (void)out_len;
	return hlk_sandbox_counter_add(arg, 3);
}

/* How many restores there had been when it was counted */
static unsigned int counted;

static void *add_later(void *arg)
{
	unsigned int after = atomic_load(&played.restores) + 20;

	while (atomic_load(&played.restores) < after)
		sched_yield();
	hlk_sandbox_counter_add(arg, 4);
	counted = atomic_load(&played.restores);
	return NULL;
}

static uint64_t seen(uint32_t i)
{
	uint64_t value = ~0ULL;

	memcpy(&value, out[i], sizeof(value));
	return value;
}

/* Nobody counted before: what had begun without the counter goes on with it. */
static void test_counter(void)
{
	struct hlk_snap *other;
	struct hlk_sandbox *first = sb;
	struct hlk_call *call;

	sb = played_ready(ctx, &other, NULL, &err);
	begin();
	for (call = calls; call < calls + NR; call++)
		is(call - calls, "k", "");
	hlk_sandbox_host_function(sb, "add", add, sb);
	is(20, "h", "add");
	tap(!make() && !seen(19) && seen(21) == 3 && seen(NR - 1) == 3,
	    "somebody begins to count in a function of the host");
	hlk_sandbox_close(sb);
	hlk_snapshot_close(other);
	sb = first;
}

/* The first call that sees it begins no later than the one after it was counted. */
static bool seen_at_once(void)
{
	struct hlk_snap *other;
	unsigned int before = 0;
	uint32_t from = NR, i;
	pthread_t thread;

	sb = played_ready(ctx, &other, NULL, &err);
	pthread_create(&thread, NULL, add_later, sb);
	while (from == NR) {
		begin();
		for (i = 0; i < NR; i++)
			is(i, "k", "");
		before = atomic_load(&played.restores);
		make();
		for (from = 0; from < NR && !seen(from); from++)
			;
	}
	pthread_join(thread, NULL);
	for (i = from; i < NR && seen(i) == 4; i++)
		;
	if (i == NR && before + from <= counted + 1 && !sb->run->immediate_exit && good())
		i++;
	hlk_sandbox_close(sb);
	hlk_snapshot_close(other);
	return i > NR;
}

static void test_counter_thread(void)
{
	struct hlk_sandbox *first = sb;
	uint32_t i;

	for (i = 0; i < 20 && seen_at_once(); i++)
		;
	tap(i == 20, "or in another thread: seen by the next call, %u times", i);
	sb = first;
}

static void test_module(void)
{
	begin();
	atomic_store(&played.debug, 3);
	tap(!make() && echoed(0, NR) && !played.debug, "guests that change debug registers");
	begin();
	atomic_store(&played.no_output, true);
	tap(!make() && echoed(0, NR), "answers that the module cannot copy");
	atomic_store(&played.no_output, false);
	begin();
	atomic_store(&played.no_input, true);
	tap(hlk_sandbox_calls(sb, calls, 3, 0) == -EDQUOT && calls[0].ret == -EDQUOT &&
	    calls[2].ret == -EDQUOT && why[2].code == EDQUOT && !sb->doubtful &&
	    sb->exit.reason != HLK_EXIT_HALT, "no room for inputs");
	atomic_store(&played.no_input, false);
	begin();
	is(4, "i", "");
	tap(make() == -EIO && echoed(0, 4) && calls[4].ret == -EIO && cancelled(5, NR) &&
	    sb->doubtful, "KVM fails: no other is made");
}

/* ---- pools ---- */

static struct hlk_pool *pool;
static atomic_uint made;

static int count(void *arg, const void *got, size_t in_len, void *to, size_t out_size,
		 size_t *out_len)
{
	(void)arg, (void)got, (void)in_len, (void)out_size;
	*out_len = sizeof(made);
	memcpy(to, &made, sizeof(made));
	made++;
	return 0;
}

static void *call_once(void *arg)
{
	hlk_pool_call(pool, LONG, "h", "count", 5, arg, 4, NULL, 0, NULL);
	return NULL;
}

static pthread_t waits;
static uint32_t at = ~0U;

/* Somebody comes, and has to wait. */
static int come(void *arg, const void *got, size_t in_len, void *to, size_t out_size,
		size_t *out_len)
{
	(void)arg, (void)got, (void)in_len, (void)to, (void)out_size, (void)out_len;
	pthread_create(&waits, NULL, call_once, &at);
	usleep(200000);
	return 0;
}

static int set_up(void *arg, struct hlk_sandbox *new)
{
	(void)arg;
	return hlk_sandbox_host_function(new, "come", come, NULL) ?:
	       hlk_sandbox_host_function(new, "count", count, NULL);
}

static void test_pool(void)
{
	struct hlk_pool_config config = HLK_POOL_CONFIG_INIT;
	struct hlk_pool_stats stats;
	uint32_t i;

	config.sandboxes = 1;
	config.setup = set_up;
	hlk_pool_open(ctx, snap, &config, &pool, &err);
	begin();
	tap(!hlk_pool_calls(pool, 0, calls, NR, 0, &err) && echoed(0, NR) && !err.code,
	    "a pool's sandbox makes many");
	hlk_pool_stats(pool, &stats);
	tap(stats.calls == NR && stats.gets == 1 && !stats.call_failures,
	    "all of them, when nobody waits");
	begin();
	for (i = 1; i < NR; i++)
		is(i, "h", "count");
	is(0, "h", "come");
	tap(!hlk_pool_calls(pool, LONG, calls, NR, 0, &err), "somebody comes meanwhile");
	pthread_join(waits, NULL);
	hlk_pool_stats(pool, &stats);
	tap(at < NR - 1 && stats.gets >= 3, "and has his turn, at number %u", at);
	begin();
	is(3, "u", "");
	tap(hlk_pool_calls(pool, LONG, calls, NR, 0, &err) == -ENOTRECOVERABLE &&
	    err.what == HLK_WHAT_GUEST_EXIT && echoed(0, 3) && echoed(4, NR),
	    "a guest fails there");
	begin();
	atomic_store(&played.breaks, 1);
	tap(hlk_pool_calls(pool, LONG, calls, NR, 0, &err) == -EIO && calls[0].ret == -EIO &&
	    echoed(1, NR), "KVM fails: the rest is another sandbox's");
	hlk_pool_stats(pool, &stats);
	tap(stats.replaced == 1 && stats.call_failures == 2, "which was made in its place");
	begin();
	tap(hlk_pool_calls(pool, 0, calls, NR, 4, &err) == -EOPNOTSUPP && err.code == EOPNOTSUPP &&
	    cancelled(0, NR) && !hlk_pool_calls(pool, 0, NULL, 0, 0, NULL),
	    "a flag that is none, and no call");
	tap(!hlk_pool_close(pool), "close");
}

int main(void)
{
	struct hlk_config config = HLK_CONFIG_INIT;

	config.print = print;
	if (!hlk_open(&ctx, &err))
		sb = played_ready(ctx, &snap, &config, &err);
	if (!sb) {
		printf("Bail out! %d\n", err.code);
		return 1;
	}
	test_plain();
	test_refused();
	test_failures();
	test_long();
	test_host();
	test_timeouts();
	test_kick();
	test_counter();
	test_counter_thread();
	test_pool();
	test_module();
	hlk_sandbox_close(sb);
	hlk_snapshot_close(snap);
	hlk_close(ctx);
	return tap_done();
}
