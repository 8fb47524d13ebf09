// SPDX-License-Identifier: GPL-2.0-only
/* hlk-run bench --kernel: tables, and JSON. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "../fail.h"
#include "../json.h"
#include "../term.h"
#include "linux_bench.h"
#include "out.h"

#define MSRS_SHOWN	8

static const char *emulation(const struct bench_env *env)
{
	if (env->perf_counts)
		return "Figures are instructions, if the emulator runs with -icount shift=0.";
	if (env->emulated)
		return "This machine's processor is emulated: times mean something only in relation.";
	return NULL;
}

static void print_row(const struct bench_env *env, const struct linux_result *r,
		      uint64_t best)
{
	char p50[24], p90[24];

	printf("  %-4s%-36s", r->ops->id, r->ops->name);
	if (!r->p50) {
		printf(" %s\n", r->why);
		return;
	}
	format_time(env, p50, sizeof(p50), r->p50);
	format_time(env, p90, sizeof(p90), r->p90);
	printf(" %9s %9s %9.2f %7.1f\n", p50, p90, best ? (double)r->p50 / best : 0,
	       r->pages);
}

static void print_ways(const struct linux_report *report)
{
	const uint64_t best = report->way[0].p50;
	char text[24];
	uint32_t i;

	printf("\n  %-40s %9s %9s %9s %7s\n", "", "p50", "p90", "ratio", "pages");
	for (i = 0; i < report->nr_ways; i++)
		print_row(report->env, &report->way[i], best);
	format_time(report->env, text, sizeof(text), report->boot);
	printf("  %-4s%-36s %9s %9s %9.2f %7s\n", "LB", "a boot, measured once", text, "-",
	       best ? (double)report->boot / best : 0, "-");
}

static void print_more(uint64_t value, uint64_t base)
{
	printf(" %10lld", (long long)(value - base));
}

static void print_costs(const struct linux_report *report)
{
	const struct linux_cost *cost;
	uint32_t i;

	printf("\nWhat each call of a program adds to a restore and call, fused, in %s:\n"
	       "by itself to a program without calls (%llu; without a program %llu), and to\n"
	       "libhlk's that has all others (whole, where time comes back: %llu,",
	       report->env->perf_counts ? "instructions" : "ns",
	       (unsigned long long)report->empty, (unsigned long long)report->none,
	       (unsigned long long)report->whole);
	print_more(report->whole, report->empty);
	printf(" more). Beside\n"
	       "that, from user space: the call, and the KVM_GET_... that tells what it sets.\n\n"
	       "  KVM_SET_...%25s %10s %10s  %10s %10s\n", "", "alone", "in whole", "SET", "GET");
	for (i = 0; i < report->nr_costs; i++) {
		cost = &report->cost[i];
		printf("  %-36s", cost->name);
		print_more(cost->alone, report->empty);
		if (cost->without)
			print_more(report->whole, cost->without);
		else if (cost->with)
			print_more(cost->with, report->whole);
		else
			printf(" %10s", "-");
		printf("  %10llu", (unsigned long long)cost->set);
		if (cost->get)
			printf(" %10llu\n", (unsigned long long)cost->get);
		else
			printf(" %10s\n", "-");
	}
}

/* The dearest of them, dearest first */
static void print_msrs(const struct linux_report *report)
{
	bool shown[LINUX_MAX_COSTS] = {};
	uint64_t least = UINT64_MAX;
	uint32_t i, k, most;

	for (i = 0; i < report->nr_msrs; i++)
		if (report->msr[i].alone < least)
			least = report->msr[i].alone;
	if (!report->nr_msrs)
		return;
	printf("\nA KVM_SET_MSRS of one MSR adds %lld or more; the dearest are\n",
	       (long long)(least - report->empty));
	for (k = 0; k < MSRS_SHOWN && k < report->nr_msrs; k++) {
		most = LINUX_MAX_COSTS;
		for (i = 0; i < report->nr_msrs; i++)
			if (!shown[i] && (most == LINUX_MAX_COSTS ||
					  report->msr[i].alone > report->msr[most].alone))
				most = i;
		shown[most] = true;
		printf("  %-36s", report->msr[most].name);
		print_more(report->msr[most].alone, report->empty);
		putchar('\n');
	}
}

/**
 * linux_table() - all of it, for people
 * @report: the run
 */
void linux_table(const struct linux_report *report)
{
	const char *word = emulation(report->env);

	printf("A Linux guest of %llu MiB: brought back and called, on Linux %s\n",
	       (unsigned long long)report->mem >> 20, report->env->kernel);
	if (word)
		puts(word);
	printf("User space copies pages by %s.\n",
	       report->env->rep ? "string instructions, as the kernel does" : "memcpy()");
	print_ways(report);
	if (!report->whole)
		return;
	print_costs(report);
	print_msrs(report);
}

static void json_ways(struct cJSON *root, const struct linux_report *report)
{
	struct cJSON *list = cJSON_AddArrayToObject(root, "ways");
	const struct linux_result *r;
	struct cJSON *one;

	for (r = report->way; r < report->way + report->nr_ways; r++) {
		one = cJSON_CreateObject();
		cJSON_AddItemToArray(list, one);
		cJSON_AddStringToObject(one, "way", r->ops->id);
		cJSON_AddStringToObject(one, "name", r->ops->name);
		cJSON_AddBoolToObject(one, "present", r->p50);
		if (!r->p50) {
			cJSON_AddStringToObject(one, "why", r->why);
			continue;
		}
		json_u64(one, "turns", r->turns);
		json_u64(one, "min", r->min);
		json_u64(one, "p50", r->p50);
		json_u64(one, "p90", r->p90);
		cJSON_AddNumberToObject(one, "pages", r->pages);
	}
}

static void json_costs(struct cJSON *root, const char *name,
		       const struct linux_cost *cost, uint32_t nr)
{
	struct cJSON *list = cJSON_AddArrayToObject(root, name);
	struct cJSON *one;

	for (; nr; nr--, cost++) {
		one = cJSON_CreateObject();
		cJSON_AddItemToArray(list, one);
		cJSON_AddStringToObject(one, "name", cost->name);
		json_u64(one, "alone", cost->alone);
		if (cost->without)
			json_u64(one, "left_out", cost->without);
		if (cost->with)
			json_u64(one, "put_in", cost->with);
		if (!cost->set)
			continue;
		json_u64(one, "set", cost->set);
		if (cost->get)
			json_u64(one, "get", cost->get);
	}
}

/**
 * linux_json() - all of it, for programs
 * @report: the run
 * @path: the file, or - for standard output
 *
 * Return: 0, or -1 after the reason was printed
 */
int linux_json(const struct linux_report *report, const char *path)
{
	const struct bench_env *env = report->env;
	struct cJSON *root = cJSON_CreateObject();
	struct cJSON *costs;

	cJSON_AddStringToObject(root, "version", HLK_RUN_VERSION);
	cJSON_AddStringToObject(root, "kernel", env->kernel);
	cJSON_AddStringToObject(root, "unit", env->perf_counts ? "instructions" : "ns");
	cJSON_AddBoolToObject(root, "emulated", env->emulated);
	json_u64(root, "memory", report->mem);
	json_u64(root, "boot", report->boot);
	json_ways(root, report);
	costs = cJSON_AddObjectToObject(root, "program");
	json_u64(costs, "none", report->none);
	json_u64(costs, "empty", report->empty);
	json_u64(costs, "whole", report->whole);
	json_costs(costs, "calls", report->cost, report->nr_costs);
	json_costs(costs, "msrs", report->msr, report->nr_msrs);
	if (!json_write(root, path))
		return 0;
	fail_file(path, "cannot write");
	return -1;
}
