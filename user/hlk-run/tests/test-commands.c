// SPDX-License-Identifier: GPL-2.0-only
/*
 * What 'hlk-run run' and 'hlk-run serve-bench' say and end with, for guests that do
 * as they are told. Against a played module.
 */
#include <argp.h>
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../libhlk/tests/played.h"
#include "../boot/options.h"
#include "../fail.h"
#include "../loop.h"
#include "../serve.h"

static char guest[32];
static cJSON *json;

/* Runs @command with stdout and stderr in a file; what it printed is in @json */
static int quietly(int (*command)(void *arg), void *arg)
{
	int out = memfd_create("out", 0), before[2] = { dup(1), dup(2) }, ret;
	char *text;
	off_t size;

	fflush(stdout);
	dup2(out, 1);
	dup2(out, 2);
	ret = command(arg);
	fflush(stdout);
	dup2(before[0], 1);
	dup2(before[1], 2);
	close(before[0]);
	close(before[1]);
	size = lseek(out, 0, SEEK_END);
	text = calloc(1, size + 1);
	if (pread(out, text, size, 0) != size)
		abort();
	close(out);
	cJSON_Delete(json);
	/* errors come before it */
	json = cJSON_Parse(strchr(text, '{') ?: "null");
	free(text);
	return ret;
}

static double number(const char *name)
{
	const cJSON *item = cJSON_GetObjectItem(json, name);

	return item ? item->valuedouble : -1;
}

static int run_with(void *opt)
{
	return cmd_run(opt);
}

static int run(const char *call, const char *input, const char *expect, uint64_t repeat)
{
	struct options opt = {
		.guest = guest, .call = call, .input = input, .input_len = strlen(input),
		.expect = expect, .expect_len = expect ? strlen(expect) : 0,
		.repeat = repeat, .restore = true, .json = true, .timeout_us = 1000000,
	};

	return quietly(run_with, &opt);
}

static int serve_with(void *argv)
{
	int argc = 0;

	while (((char **)argv)[argc])
		argc++;
	return cmd_serve_bench(argc, argv);
}

static int serve_queue(const char *queue, const char *call, const char *input,
		       const char *expect)
{
	char *argv[16] = { (char *)"serve-bench", (char *)"--json", (char *)"-n", (char *)"8",
			   (char *)"-c", (char *)call, (char *)"-i", (char *)input,
			   (char *)"-t", (char *)"1000", (char *)"--queue", (char *)queue,
			   guest, (char *)(expect ? "-e" : NULL), (char *)expect, NULL };

	return quietly(serve_with, argv);
}

static int serve(const char *call, const char *input, const char *expect)
{
	return serve_queue("1", call, input, expect);
}

/* An answer that is the one expected, one of which it is the beginning, and so on */
static void test_expect(void)
{
	static const struct {
		const char *expect;
		int ret;
	} want[] = {
		{ "abc", RUN_OK }, { "ab", RUN_MISMATCH }, { "abcd", RUN_MISMATCH },
		{ "abd", RUN_MISMATCH }, { "", RUN_MISMATCH },
	};
	size_t i;

	for (i = 0; i < sizeof(want) / sizeof(*want); i++) {
		tap(run("e", "abc", want[i].expect, 3) == want[i].ret,
		    "run: 'abc' where '%s' is expected", want[i].expect);
		tap(serve("e", "abc", want[i].expect) == want[i].ret,
		    "serve-bench: 'abc' where '%s' is expected", want[i].expect);
		tap(serve_queue("3", "e", "abc", want[i].expect) == want[i].ret &&
		    (want[i].ret || number("calls") == 8),
		    "serve-bench: in a queue of three, '%s'", want[i].expect);
	}
}

static void test_exit_codes(void)
{
	static const struct {
		const char *call;
		int ret;
		const char *what;
	} want[] = {
		{ "u", RUN_GUEST, "dies" }, { "none", RUN_GUEST, "gives an error" },
		{ "s", RUN_TIMEOUT, "spins" }, { "f", RUN_GUEST, "has no memory" },
		{ "budget", RUN_GUEST, "uses up its budget" },
		{ "i", RUN_ERROR, "KVM cannot run" },
	};
	bool budget;
	size_t i;

	for (i = 0; i < sizeof(want) / sizeof(*want); i++) {
		budget = !strcmp(want[i].call, "budget");
		played.refused += budget;
		tap(run(budget ? "f" : want[i].call, "", NULL, 1) == want[i].ret &&
		    number("exit_code") == want[i].ret, "run: a guest that %s",
		    want[i].what);
		played.refused += budget;
		tap(serve(budget ? "f" : want[i].call, "", NULL) == want[i].ret &&
		    number("exit_code") == want[i].ret, "serve-bench: a guest that %s",
		    want[i].what);
		played.refused += budget;
		tap(serve_queue("5", budget ? "f" : want[i].call, "", NULL) == want[i].ret,
		    "serve-bench: in a queue, a guest that %s", want[i].what);
	}
}

/* Every second call times out, the first one too. It has no answer. */
static void test_timeouts(void)
{
	tap(run("o", "abc", "abc", 6) == RUN_TIMEOUT && number("timeouts") == 3 &&
	    number("calls") == 6, "run: calls that time out, and others go on");
	tap(cJSON_IsFalse(cJSON_GetObjectItem(json, "answers_differ")),
	    "run: those that answer, answer the same");
}

static int serve_flags(void *flags)
{
	struct options opt = {
		.call = "e", .input = "abc", .input_len = 3, .repeat = 4, .json = true,
		.timeout_us = 1000000, .config = *(uint32_t *)flags,
	};
	struct hlk_sandbox *sb;
	struct hlk_snap *snap;
	struct hlk_ctx *ctx;
	struct hlk_err err;
	int ret;

	if (hlk_open(&ctx, &err))
		return -1;
	sb = played_ready(ctx, &snap, NULL, &err);
	ret = serve_snapshot(ctx, snap, &opt, 1);
	hlk_snapshot_close(snap);
	hlk_sandbox_close(sb);
	hlk_close(ctx);
	return ret;
}

/* One that there is not is refused, if it comes to where sandboxes are made. */
static void test_flags(void)
{
	uint32_t good = HLK_CONFIG_TIME_BACK | HLK_CONFIG_REPRODUCIBLE, bad = 1U << 31;

	tap(quietly(serve_flags, &good) == RUN_OK, "serve_snapshot: flags");
	tap(quietly(serve_flags, &bad) > 0, "serve_snapshot: are those of its sandboxes");
}

static int parse(void *argv)
{
	struct boot_options boot;
	int argc = 0, status;
	pid_t pid;

	while (((char **)argv)[argc])
		argc++;
	pid = fork();
	if (!pid) {
		argp_err_exit_status = RUN_USAGE;
		_exit(boot_parse(argc, argv, &boot));
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A debugger and cores want what is not in a folder. */
static void test_folder(void)
{
	static const char * const options[] = { "--gdb=x", "--core=x", "--core-at-snapshot=x" };
	char folder[] = "/tmp/hlk-boot-XXXXXX", layout[sizeof(folder) + 16];
	char *argv[4] = { (char *)"boot", folder };
	size_t i;

	snprintf(layout, sizeof(layout), "%s/oci-layout", mkdtemp(folder));
	fclose(fopen(layout, "w"));
	tap(quietly(parse, argv) == RUN_OK, "boot: a folder");
	for (i = 0; i < sizeof(options) / sizeof(*options); i++) {
		argv[2] = (char *)options[i];
		tap(quietly(parse, argv) == RUN_USAGE, "boot: a folder and %s", options[i]);
	}
	unlink(layout);
	rmdir(folder);
}

/* Another machine beside gdb's is one of a snapshot. */
static void test_beside(void)
{
	char *argv[6] = { (char *)"boot", guest, (char *)"--beside=1" };

	tap(quietly(parse, argv) == RUN_USAGE, "boot: --beside alone");
	argv[3] = (char *)"--gdb=x";
	tap(quietly(parse, argv) == RUN_USAGE, "boot: --beside without a snapshot");
	argv[4] = (char *)"--snapshot-at=idle";
	tap(quietly(parse, argv) == RUN_OK, "boot: --beside");
}

int main(void)
{
	snprintf(guest, sizeof(guest), "/proc/self/fd/%d", played_image());
	test_expect();
	test_exit_codes();
	test_timeouts();
	test_flags();
	test_folder();
	test_beside();
	cJSON_Delete(json);
	return tap_done();
}
