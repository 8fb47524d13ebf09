/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What tests of calls into a Linux guest have in common: sandboxes of a snapshot of it, and
 * calls whose answers are known. One program includes it once.
 */
#ifndef LIBHLK_LINUX_GUEST_H
#define LIBHLK_LINUX_GUEST_H

#include <ctype.h>
#include <stdio.h>
#include <time.h>

#include "module.h"

#define SECOND	1000000ULL
#define AUDIT	50
#define ANSWER	4096

static uint64_t seed;
static uint64_t mean_us = 2000;
static bool has_shell;
static bool has_steps;

static inline uint32_t any(uint32_t below)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (seed >> 33) % below;
}

static inline uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * SECOND + ts.tv_nsec / 1000;
}

/* A watchdog of the guest's said something. */
static bool barked;

static inline void print(void *arg UNUSED, const char *text, size_t len)
{
	static char tail[512];
	size_t have = strlen(tail), keep = have < 16 ? have : 16;

	fwrite(text, 1, len, stderr);
	if (len > sizeof(tail) - 17)
		len = sizeof(tail) - 17;
	memmove(tail, tail + have - keep, keep);
	memcpy(tail + keep, text, len);
	tail[keep + len] = '\0';
	barked |= !!strstr(tail, "soft lockup");
}

static inline void __attribute__((noreturn)) bail(const char *what, const struct hlk_err *err)
{
	printf("Bail out! %s: %s\n", what, words(err));
	exit(1);
}

static inline struct hlk_sandbox *clone_of(struct hlk_snap *snap, uint32_t flags)
{
	struct hlk_config config = HLK_CONFIG_INIT;
	struct hlk_sandbox *sb = NULL;
	struct hlk_err err;

	config.flags = flags;
	config.print = print;
	if (hlk_sandbox_from_snapshot(ctx, snap, &config, &sb, &err))
		tap(false, "a sandbox of the snapshot: %s", words(&err));
	return sb;
}

/* ---- calls ---- */

/**
 * struct question - a call whose answer is known
 * @name: the function
 * @in: its argument
 * @len: length of that
 * @want: the answer
 * @want_len: length of that
 */
struct question {
	const char *name;
	char in[ANSWER];
	size_t len;
	char want[ANSWER];
	size_t want_len;
};

static inline void ask_echo(struct question *q)
{
	size_t i;

	q->name = "echo";
	/* now and then over more pages than one */
	q->len = any(8) ? any(200) : any(ANSWER);
	for (i = 0; i < q->len; i++)
		q->in[i] = any(256);
	memcpy(q->want, q->in, q->len);
	q->want_len = q->len;
}

/* Files, processes, a pipe, and what a guest that is as new has of those before: nothing */
static inline void ask_shell(struct question *q)
{
	uint32_t a = any(10000), b = any(10000);

	q->name = "sh";
	q->len = snprintf(q->in, sizeof(q->in),
			  "ls /tmp; echo $((%u + %u)) > /tmp/%u; cat /tmp/* | cat", a, b, a);
	q->want_len = snprintf(q->want, sizeof(q->want), "%u\n", a + b);
}

/*
 * A process that was in the middle of it goes on: it sleeps, and writes down how often it
 * did, since before the snapshot. It has to do so three times more; none may be missing
 * or come twice.
 */
static inline void ask_steps(struct question *q)
{
	q->name = "sh";
	q->len = snprintf(q->in, sizeof(q->in),
			  "set -- $(cat /steps); want=$(($# + 3)); "
			  "while [ $# -lt $want ]; do "
			  "busybox usleep 1000; set -- $(cat /steps); done; "
			  "i=0; for step; do "
			  "i=$((i + 1)); [ $step = $i ] || echo $step, not $i; done; "
			  "echo right");
	q->want_len = snprintf(q->want, sizeof(q->want), "right\n");
}

static inline void ask(struct question *q)
{
	if (has_steps && any(2))
		ask_steps(q);
	else if (has_shell && !any(4))
		ask_shell(q);
	else
		ask_echo(q);
}

static inline bool is_answer(const struct question *q, const char *answer, size_t len)
{
	return len == q->want_len && !memcmp(answer, q->want, len);
}

static inline bool call(struct hlk_sandbox *sb, const struct question *q)
{
	char answer[ANSWER];
	size_t len = 0, i;

	if (!hlk_sandbox_restore_call(sb, q->name, q->in, q->len, answer,
				      sizeof(answer), &len, 120 * SECOND) &&
	    is_answer(q, answer, len))
		return true;
	printf("# %s: %s; %zu bytes, wanted %zu\n", q->name, why(sb), len, q->want_len);
	for (i = 0; q->name[0] == 's' && i < len; i++)
		printf("%s%c", i && answer[i - 1] != '\n' ? "" : "#   ",
		       isprint((unsigned char)answer[i]) || answer[i] == '\n' ? answer[i] : '?');
	if (i && answer[i - 1] != '\n')
		printf("\n");
	return false;
}

/* A call that has no time to end; whether it did is of no interest. */
static inline bool cut(struct hlk_sandbox *sb, const struct question *q)
{
	uint64_t us = 1 + any(2 * mean_us);
	char answer[ANSWER];
	size_t len = 0;
	int ret;

	ret = hlk_sandbox_restore_call(sb, q->name, q->in, q->len, answer,
				       sizeof(answer), &len, us);
	return ret == -ETIMEDOUT || (!ret && is_answer(q, answer, len));
}

/**
 * struct counts - what came of calls
 * @right: answers that were right
 * @cut: calls that were cut off
 * @audited: audits without a difference
 * @wrong: whatever else
 */
struct counts {
	unsigned int right;
	unsigned int cut;
	unsigned int audited;
	unsigned int wrong;
};

static inline void audit(struct hlk_sandbox *sb, struct counts *counts)
{
	if (!hlk_sandbox_audit(sb)) {
		counts->audited++;
	} else {
		printf("# audit: %s\n", why(sb));
		counts->wrong++;
	}
}

static inline void one(struct hlk_sandbox *sb, struct counts *counts, unsigned int nr)
{
	static struct question q;

	ask(&q);
	if (nr % 5 == 1) {
		if (cut(sb, &q))
			counts->cut++;
		else
			counts->wrong++;
	}
	if (nr % AUDIT == AUDIT - 1)
		audit(sb, counts);
	if (call(sb, &q))
		counts->right++;
	else
		counts->wrong++;
}

static inline void calls(struct hlk_sandbox *sb, unsigned int nr, const char *where)
{
	struct counts counts = {};
	uint64_t start = now_us();
	unsigned int i;

	if (!sb)
		return;
	for (i = 0; i < nr && counts.wrong < 10; i++) {
		one(sb, &counts, i);
		mean_us = (now_us() - start) / (i + 1);
	}
	audit(sb, &counts);
	tap(counts.right == nr && !counts.wrong,
	    "%s: %u of %u answers right, %u calls cut off before, %u audits without a difference",
	    where, counts.right, nr, counts.cut, counts.audited);
	printf("# %llu us for each\n", (unsigned long long)mean_us);
}

static inline bool find_shell(struct hlk_sandbox *sb)
{
	char answer[16];

	return sb && !hlk_sandbox_restore_call(sb, "sh", "true", 4, answer,
					       sizeof(answer), NULL, 120 * SECOND);
}

#endif /* LIBHLK_LINUX_GUEST_H */
