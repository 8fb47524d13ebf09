// SPDX-License-Identifier: GPL-2.0-only
/*
 * While gdb has one guest of a snapshot, another one is restored and called as ever, in a
 * thread of its own. Nothing that gdb does may be seen by it.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../fail.h"
#include "../guest.h"
#include "beside.h"

#define ANSWER_SIZE	65536U

/**
 * struct beside - the other guest
 * @sb: its sandbox
 * @opt: the command line
 * @thread: who calls it
 * @done: calls that were answered, all as the first
 * @failed: a call failed, as the sandbox says
 * @differs: an answer was another one
 * @first: the first answer
 * @first_len: its length
 * @answer: another one
 */
struct beside {
	struct hlk_sandbox *sb;
	const struct options *opt;
	pthread_t thread;
	uint64_t done;
	bool failed;
	bool differs;
	char first[ANSWER_SIZE];
	size_t first_len;
	char answer[ANSWER_SIZE];
};

static int call(struct beside *beside, char *answer, size_t *len)
{
	const struct options *opt = beside->opt;

	return hlk_sandbox_restore_call(beside->sb, opt->call, opt->input, opt->input_len,
					answer, ANSWER_SIZE, len, opt->timeout_us);
}

/* What went wrong is told by the thread that tells all else, in the end. */
static void *call_all(void *arg)
{
	struct beside *beside = arg;
	size_t len;

	for (; beside->done < beside->opt->beside; beside->done++) {
		if (call(beside, beside->answer, &len)) {
			beside->failed = true;
			return NULL;
		}
		if (!beside->done) {
			memcpy(beside->first, beside->answer, len);
			beside->first_len = len;
		} else if (len != beside->first_len ||
			   memcmp(beside->first, beside->answer, len)) {
			beside->differs = true;
			return NULL;
		}
	}
	return NULL;
}

/**
 * beside_start() - have another guest answer calls
 * @ctx: the context
 * @snap: its snapshot
 * @opt: the command line: whether, how often, and what it is called
 * @beside: out: it, or NULL
 *
 * What it prints is not shown.
 *
 * Return: RUN_OK or an exit code, after the reason was printed
 */
int beside_start(struct hlk_ctx *ctx, struct hlk_snap *snap, const struct options *opt,
		 struct beside **beside)
{
	struct hlk_config config = HLK_CONFIG_INIT;
	struct beside *new;
	struct hlk_err err;
	int ret;

	*beside = NULL;
	if (!opt->beside)
		return RUN_OK;
	new = calloc(1, sizeof(*new));
	if (!new) {
		fail_say("out of memory");
		return RUN_ERROR;
	}
	new->opt = opt;
	config.max_private = opt->max_private;
	if (hlk_sandbox_from_snapshot(ctx, snap, &config, &new->sb, &err)) {
		free(new);
		return fail_err("beside gdb", &err);
	}
	ret = guest_functions(new->sb) ? fail_sandbox(new->sb) : RUN_OK;
	if (!ret && pthread_create(&new->thread, NULL, call_all, new)) {
		fail_say("beside gdb: no thread");
		ret = RUN_ERROR;
	}
	if (ret) {
		hlk_sandbox_close(new->sb);
		free(new);
		return ret;
	}
	*beside = new;
	return RUN_OK;
}

/**
 * beside_end() - wait for the other guest's last answer, and say how it went
 * @beside: it, or NULL
 *
 * Return: RUN_OK or an exit code
 */
int beside_end(struct beside *beside)
{
	int ret = RUN_OK;

	if (!beside)
		return RUN_OK;
	pthread_join(beside->thread, NULL);
	if (beside->failed)
		ret = fail_sandbox(beside->sb);
	if (beside->differs) {
		fail_say("beside gdb: an answer is not as the first");
		ret = RUN_MISMATCH;
	}
	fprintf(stderr, "hlk-run: beside gdb: %llu of %llu calls answered, all as the first\n",
		(unsigned long long)beside->done, (unsigned long long)beside->opt->beside);
	hlk_sandbox_close(beside->sb);
	free(beside);
	return ret;
}
