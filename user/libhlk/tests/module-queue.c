// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Many calls of one sandbox against the module: what comes of each is what comes of it when
 * it is made alone, whatever the others do. Runs in the test VM.
 */
#include <pthread.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "module.h"

#define NR	300U
#define ROOM	40U
#define LONGEST	12000U

static struct hlk_call calls[NR];
static struct hlk_err why_not[NR];
static unsigned char in[NR][LONGEST], out[NR][LONGEST];
static char printed[65536];
static size_t printed_len;
static uint32_t seed = 20261128;

static uint32_t draw(uint32_t below)
{
	seed = seed * 1664525U + 1013904223U;
	return (seed >> 8) % below;
}

static void print(void *arg, const char *text, size_t len)
{
	(void)arg;
	if (len > sizeof(printed) - printed_len)
		len = sizeof(printed) - printed_len;
	memcpy(printed + printed_len, text, len);
	printed_len += len;
}

static int up(void *arg, const void *from, size_t in_len, void *to, size_t out_size,
	      size_t *out_len)
{
	(void)arg;
	(void)out_size;
	print(NULL, "up", 2);
	memcpy(to, from, in_len);
	*out_len = in_len;
	return in_len % 3 ? 0 : -EPERM;
}

static struct hlk_sandbox *make_printing(uint32_t how, struct hlk_snap **snap)
{
	struct hlk_config config = HLK_CONFIG_INIT;
	struct hlk_sandbox *sb;

	config.print = print;
	config.max_private = 500;
	sb = make_ready(&config, how, snap);
	hlk_sandbox_host_function(sb, "up", up, NULL);
	return sb;
}

/* Most echo; all else that a guest can do, fail, or ask for is among them. */
static void choose(struct hlk_call *call, uint32_t i)
{
	static const char *const names[] = {
		"e", "e", "e", "e", "e", "e", "e", "e", "e", "c", "c", "f", "h", "w", "x",
		"a", "u", "m", "mw", "o", "i", "d", "b", "W", "l", "n0", "n2", "n5", "n7", "n9", "none",
	};
	uint32_t len = draw(20) ? draw(ROOM) : draw(LONGEST);
	uint32_t at;

	*call = (struct hlk_call) {
		.name = names[draw(sizeof(names) / sizeof(*names))],
		.in = in[i],
		.out = out[i],
		.err = &why_not[i],
	};
	for (at = 0; at < len; at++)
		in[i][at] = draw(256);
	call->in_len = len;
	call->out_size = draw(4) ? draw(LONGEST) : draw(ROOM);
	if (*call->name == 'W') {
		const uint32_t arg[2] = { 0xa00000 + draw(500) * 4096, draw(20) };

		memcpy(in[i], arg, sizeof(arg));
		call->in_len = sizeof(arg);
	} else if (*call->name == 'b') {
		const uint32_t arg = draw(LONGEST);

		memcpy(in[i], &arg, sizeof(arg));
		call->in_len = sizeof(arg);
	} else if (draw(40) == 1) {
		call->name = "s";
		call->timeout_us = 20 * MS;
	}
}

/* All but addresses of structs */
static bool same_error(const struct hlk_err *a, const struct hlk_err *b)
{
	return a->code == b->code && a->what == b->what && a->why == b->why &&
	       a->where == b->where && !strcmp(a->text, b->text);
}

static bool same(struct hlk_sandbox *one, uint32_t i)
{
	static unsigned char answer[LONGEST];
	const struct hlk_call *call = &calls[i];
	uint32_t room = call->out_size;
	size_t len;
	int ret;

	memset(answer, 0, sizeof(answer));
	ret = hlk_sandbox_restore_call(one, call->name, call->in, call->in_len, answer,
				       room, &len, call->timeout_us);
	if (ret == call->ret && len == call->out_len &&
	    !memcmp(answer, out[i], sizeof(answer)) &&
	    same_error(hlk_sandbox_error(one), &why_not[i]))
		return true;
	printf("# number %u, %s of %zu: %d, %zu bytes (%s)", i, call->name, call->in_len,
	       call->ret, call->out_len, words(&why_not[i]));
	printf(" and alone %d, %zu (%s)\n", ret, len, why(one));
	return false;
}

static void test_mix(const char *what, uint32_t how)
{
	static char first[sizeof(printed)];
	struct hlk_snap *snap, *other;
	struct hlk_sandbox *sb = make_printing(how, &snap);
	struct hlk_sandbox *one = make_printing(how, &other);
	uint32_t bad = 0, failed = 0, i;
	size_t len;

	memset(out, 0, sizeof(out));
	for (i = 0; i < NR; i++)
		choose(&calls[i], i);
	printed_len = 0;
	hlk_sandbox_calls(sb, calls, NR, 0);
	len = printed_len;
	memcpy(first, printed, len);
	printed_len = 0;
	for (i = 0; i < NR; i++) {
		failed += calls[i].ret != 0;
		bad += !same(one, i);
	}
	tap(!bad && failed > NR / 10 && failed < NR,
	    "%s: %u calls, of which %u fail, and %u differ", what, NR, failed, bad);
	tap(len > 10 && len == printed_len && !memcmp(first, printed, len),
	    "%s: what they print, in its order: %zu bytes", what, len);
	tap(!hlk_sandbox_restore(sb, NULL) && echoes(sb, 0), "%s: the guest is well", what);
	hlk_snapshot_close(snap);
	hlk_snapshot_close(other);
	hlk_sandbox_close(sb);
	hlk_sandbox_close(one);
}

static void all_echo(uint64_t timeout_us)
{
	uint32_t i;

	memset(out, 0, sizeof(out));
	for (i = 0; i < NR; i++) {
		snprintf((char *)in[i], ROOM, "number %u", i);
		calls[i] = (struct hlk_call) {
			.name = "e",
			.in = in[i],
			.in_len = strlen((char *)in[i]),
			.out = out[i],
			.out_size = ROOM,
			.timeout_us = timeout_us,
		};
	}
}

/* How many did, from the first one on? */
static uint32_t echoed(void)
{
	uint32_t i;

	for (i = 0; i < NR; i++)
		if (calls[i].ret || strcmp((char *)in[i], (char *)out[i]))
			break;
	return i;
}

static uint32_t cancelled(uint32_t from)
{
	while (from < NR && calls[from].ret == -ECANCELED)
		from++;
	return from;
}

static void *kicker(void *sb)
{
	while (hlk_sandbox_kick(sb))
		sched_yield();
	return NULL;
}

static void *late_kicker(void *sb)
{
	const struct timespec rest = { .tv_nsec = draw(30000000) };

	nanosleep(&rest, NULL);
	return kicker(sb);
}

static void test_kick(void)
{
	struct hlk_snap *snap;
	struct hlk_sandbox *sb = make_printing(HLK_SNAP_FLAT, &snap);
	uint32_t done = 0, bad = 0, i;
	pthread_t thread;
	int ret;

	all_echo(0);
	calls[100].name = "s";
	calls[100].timeout_us = HLK_TIMEOUT_KICK;
	pthread_create(&thread, NULL, kicker, sb);
	ret = hlk_sandbox_calls(sb, calls, NR, 0);
	pthread_join(thread, NULL);
	done = echoed();
	tap(ret == -EINTR && done <= 100 && calls[done].ret == -EINTR &&
	    cancelled(done + 1) == NR, "a kick, when %u were done", done);
	for (i = 0; i < 20; i++) {
		all_echo(60000 * MS);
		pthread_create(&thread, NULL, late_kicker, sb);
		while (!(ret = hlk_sandbox_calls(sb, calls, NR, 0)))
			;
		pthread_join(thread, NULL);
		done = echoed();
		bad += ret != -EINTR || done == NR || calls[done].ret != -EINTR ||
		       cancelled(done + 1) != NR || hlk_sandbox_restore(sb, NULL) ||
		       !echoes(sb, 60000 * MS);
	}
	tap(!bad, "at any time, the last when %u were done", done);
	all_echo(60000 * MS);
	calls[70].name = "s";
	calls[70].timeout_us = 30 * MS;
	tap_why(sb, hlk_sandbox_calls(sb, calls, NR, 0) == -ETIMEDOUT && echoed() == 70 &&
		calls[70].ret == -ETIMEDOUT && !calls[71].ret && !calls[NR - 1].ret,
		"one that runs too long, alone");
	hlk_snapshot_close(snap);
	hlk_sandbox_close(sb);
}

static void *count(void *sb)
{
	const struct timespec rest = { .tv_nsec = 3000000 };

	nanosleep(&rest, NULL);
	return hlk_sandbox_counter_add(sb, 7) ? sb : NULL;
}

/* The guest sees the counter in a call that begins after somebody began to count. */
static void test_counter(void)
{
	struct hlk_snap *snap;
	struct hlk_sandbox *sb = make_printing(HLK_SNAP_FLAT, &snap);
	uint64_t got[NR][8] = {};
	uint32_t from = 0, i;
	pthread_t thread;
	void *failed;

	pthread_create(&thread, NULL, count, sb);
	do {
		for (i = 0; i < NR; i++)
			calls[i] = (struct hlk_call) {
				.name = "k", .out = got[i], .out_size = sizeof(got[i]),
			};
		hlk_sandbox_calls(sb, calls, NR, 0);
	} while (hlk_sandbox_counter(sb) != 7 || got[NR - 1][3] != 7);
	pthread_join(thread, &failed);
	while (from < NR && !got[from][3])
		from++;
	for (i = from; i < NR && got[i][3] == 7; i++)
		;
	tap(!failed && i == NR, "somebody counts: seen from %u on", from);
	hlk_snapshot_close(snap);
	hlk_sandbox_close(sb);
}

static struct hlk_pool *pool;

static void *many(void *arg)
{
	struct hlk_call own[200];
	char answer[200][8];
	uint32_t i, bad = 0;
	struct hlk_err err;

	(void)arg;
	for (i = 0; i < 200; i++)
		own[i] = (struct hlk_call) {
			.name = i == 77 ? "u" : "e",
			.in = "abcdef" + i % 6,
			.in_len = 6 - i % 6,
			.out = answer[i],
			.out_size = 8,
		};
	hlk_pool_calls(pool, 60000 * MS, own, 200, 0, &err);
	for (i = 0; i < 200; i++)
		bad += own[i].ret != (i == 77 ? -ENOTRECOVERABLE : 0) ||
		       (i != 77 && memcmp(answer[i], "abcdef" + i % 6, 6 - i % 6));
	return bad || err.code != ENOTRECOVERABLE ? arg : NULL;
}

static void test_pool(void)
{
	struct hlk_pool_config config = HLK_POOL_CONFIG_INIT;
	struct hlk_pool_stats stats = {};
	struct hlk_snap *snap;
	pthread_t thread[3];
	void *failed, *any = NULL;
	struct hlk_err err;
	int i;

	hlk_sandbox_close(make_printing(HLK_SNAP_FLAT, &snap));
	config.sandboxes = 1;
	tap(!hlk_pool_open(ctx, snap, &config, &pool, &err), "a pool of one sandbox");
	for (i = 0; i < 3; i++)
		pthread_create(&thread[i], NULL, many, &pool);
	for (i = 0; i < 3; i++) {
		pthread_join(thread[i], &failed);
		any = any ? any : failed;
	}
	hlk_pool_stats(pool, &stats);
	tap(!any && stats.calls == 600 && stats.call_failures == 3 && stats.gets > 3,
	    "three threads share it: it was taken %llu times", (unsigned long long)stats.gets);
	tap(!hlk_pool_close(pool), "close");
	hlk_snapshot_close(snap);
}

int main(void)
{
	open_ctx();
	test_mix("flat", HLK_SNAP_FLAT);
	test_mix("compact", HLK_SNAP_HOST_COW);
	test_kick();
	test_counter();
	test_pool();
	return finish();
}
