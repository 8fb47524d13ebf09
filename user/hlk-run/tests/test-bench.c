// SPDX-License-Identifier: GPL-2.0-only
/* What the benchmark says of measurements that are made up: nothing is timed. */
#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../libhlk/tests/tap.h"
#include "../bench/out.h"
#include "../bench/ways_hlk.h"
#include "../bench/ways_kvm.h"

#define MIB	(1ULL << 20)

const char *argp_program_version = "test-bench";

static struct bench_run runs[5];

static void add_way(struct bench_run *run, const struct way_ops *ops, uint64_t p50)
{
	struct bench_result *r = &run->result[run->nr++];
	int i;

	*r = (struct bench_result) {
		.ops = ops, .present = p50, .turns = 10, .min = p50 / 2,
		.mean = p50, .p50 = p50, .p90 = 2 * p50, .p99 = 3 * p50,
	};
	snprintf(r->why, sizeof(r->why), "made up as missing");
	for (i = 0; i < NR_COUNTS; i++)
		r->count[i] = i == COUNT_IPI ? BENCH_NO_COUNT : 0.5;
	r->count[COUNT_SYSCALLS] = ops->flags & WAY_BATCH ? 1.0 / 64 : 1;
}

/* All ways at 1, 8, 64 and 512 pages, and one configuration of the largest sizes */
static void make_runs(void)
{
	static const uint32_t pages[] = { 1, 8, 64, 512, 64 };
	struct bench_run *run;
	uint32_t i, k;

	for (i = 0; i < 5; i++) {
		run = &runs[i];
		*run = (struct bench_run) { .cfg = bench_base };
		run->cfg.pages = pages[i];
		for (k = 0; k < nr_hlk_ways; k++)
			add_way(run, &hlk_ways[k], 1000 * pages[i] + k);
		for (k = 0; k < nr_kvm_ways; k++)
			add_way(run, &kvm_ways[k], k ? 3000 * pages[i] + 7 * k : 0);
	}
	runs[4].cfg.guest = 1024 * MIB;
	runs[4].cfg.scratch = MIB / 2;
	runs[4].cfg.data = true;
}

static struct bench_extra made_up(void)
{
	return (struct bench_extra) {
		.clones = {
			.create = 100, .create_prefault = 200, .first = 300,
			.first_prefault = 150, .hundredth = 140,
			.prefault = true, .nested = true,
		},
		.copy = 10, .copy_libc = 11, .clear = 9,
		.pages = { 8, 64, 512 }, .restore = { 180, 740, 5220 },
		.restore_none = 100, .restore_again = 60,
		.hot_first = 512, .hot_after = 9.5, .hot_restore = 195, .hot_calls = 33,
		.side = { 1000, 1010, 1000, 1200 },
		.one = 1000, .two = 1900, .one_alone = 3000, .two_alone = 5900,
		.cpus = 2,
	};
}

/* What bench_table() prints */
static char *table(const struct bench_report *report)
{
	struct bench_goal goal[BENCH_MAX_GOALS];
	uint32_t nr = bench_goals(report, goal);
	int before = dup(STDOUT_FILENO);
	FILE *file = tmpfile();
	char *text;
	long len;

	fflush(stdout);
	if (!file || before < 0 || dup2(fileno(file), STDOUT_FILENO) < 0)
		abort();
	bench_table(report, goal, nr);
	fflush(stdout);
	dup2(before, STDOUT_FILENO);
	close(before);
	fseek(file, 0, SEEK_END);
	len = ftell(file);
	rewind(file);
	text = calloc(1, len + 1);
	if (!text || fread(text, 1, len, file) != (size_t)len)
		abort();
	fclose(file);
	return text;
}

/* has(): are all of these texts in it, up to a NULL? */
static void has(const char *what, const struct bench_report *report, ...)
{
	char *text = table(report);
	const char *want;
	va_list args;

	va_start(args, report);
	while ((want = va_arg(args, const char *)) && strstr(text, want))
		;
	va_end(args);
	if (!tap(!want, "table: %s", what))
		printf("# no \"%s\"\n", want);
	free(text);
}

static void test_tables(void)
{
	struct bench_env env = { .kernel = "6.12", .emulated = true, .batch = 64,
				 .features = ~0ULL };
	struct bench_report report = {
		.env = &env, .nr = 5, .run = runs, .extra = made_up(),
	};

	has("what was measured", &report, "processor is emulated", "memcpy()",
	    "512 pages of zeroes, scratch of 16 MiB, guest of 16 MiB",
	    "64 pages of data, scratch of 512 KiB, guest of 1 GiB",
	    "1 page of", "made up as missing", "from call 33 on",
	    "once more, with no world switch between",
	    "made and prefaulted, by KVM too", "1900 calls/s; one: 1000 calls/s",
	    "with no restore: 5900 calls/s", "prefaulted ", "at least 100: MISSED",
	    "(only stated)", "at most  1.05: met", "at most  1.05: MISSED",
	    "system calls per restore + call, 64 pages", NULL);
}

static void test_less(void)
{
	struct bench_env env = { .kernel = "6.12", .perf_counts = true, .rep = true };
	struct bench_report report = { .env = &env, .extra = made_up() };

	report.extra.clones.nested = false;
	report.extra.hot_calls = 0;
	report.extra.restore[0] = 30000000;
	report.extra.restore[1] = 30000;
	has("instructions, and a KVM that cannot prefault", &report,
	    "Figures are instructions", "string instructions", "never",
	    "made and prefaulted; this KVM cannot", "30.00M", "30.0k", "not measured",
	    "prefaulted, but not by KVM", NULL);
	report.extra.clones.prefault = false;
	report.extra.one_alone = 0;
	has("a module that does not prefault", &report,
	    "(this module does not prefault)", "no prefaulting in this module", NULL);
	env.threads_only = true;
	report.extra = (struct bench_extra) { .cpus = 1 };
	has("two threads on one CPU", &report, "only one CPU", NULL);
}

static void test_json(void)
{
	struct bench_env env = { .kernel = "6.12", .batch = 64, .features = ~0ULL };
	struct bench_report report = {
		.env = &env, .nr = 5, .run = runs, .extra = made_up(),
	};
	struct bench_goal goal[BENCH_MAX_GOALS];
	uint32_t nr = bench_goals(&report, goal);
	struct cJSON *root = bench_json(&report, goal, nr);
	struct cJSON *list = cJSON_GetObjectItem(root, "configurations");

	tap(cJSON_GetArraySize(list) == 5, "JSON: five configurations");
	list = cJSON_GetObjectItem(root, "goals");
	tap(cJSON_GetArraySize(list) == (int)nr, "JSON: %u goals", nr);
	cJSON_Delete(root);
}

static void test_svg(void)
{
	struct bench_env env = { .kernel = "6.12", .emulated = true };
	struct bench_report report = { .env = &env, .nr = 5, .run = runs };
	char path[] = "/tmp/test-bench.XXXXXX", text[65536] = "";
	int fd = mkstemp(path);
	char *at = text;
	int lines = 0;

	if (fd < 0)
		abort();
	tap(!bench_svg(&report, path), "a chart is drawn");
	if (read(fd, text, sizeof(text) - 1) < 0)
		abort();
	while ((at = strstr(at, "<polyline ")) && lines < 100)
		at++, lines++;
	tap(strstr(text, "</svg>\n") && strstr(text, "not here") && lines >= 8,
	    "with %d lines, and a way that is missing", lines);
	tap(!strstr(text, "var("), "no variables, which not all viewers know");
	report.run = &runs[4];
	report.nr = 1;
	tap(!bench_svg(&report, path), "of what there is if nothing is usual");
	tap(bench_svg(&report, "/dev/full") < 0, "a full disk is told");
	tap(bench_svg(&report, "/nowhere/at.svg") < 0, "and a file that cannot be made");
	report.nr = 0;
	tap(bench_svg(&report, path) < 0, "and when there is nothing to draw");
	close(fd);
	unlink(path);
}

int main(void)
{
	make_runs();
	test_tables();
	test_less();
	test_json();
	test_svg();
	return tap_done();
}
