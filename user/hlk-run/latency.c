// SPDX-License-Identifier: GPL-2.0-only
/* What calls took, for people and for programs. */
#include "latency.h"

#include <stdio.h>

#include "json.h"

static const struct {
	const char *name;
	unsigned int percent;
} columns[] = {
	{ "min", 0 }, { "p50", 50 }, { "p90", 90 }, { "p99", 99 },
	{ "max", 100 },
};

#define NR_COLUMNS	(sizeof(columns) / sizeof(*columns))

/**
 * latency_head() - the head of a table
 * @term: where it goes
 */
void latency_head(const struct term *term)
{
	size_t i;

	printf("\n%s%-16s", term_on(term, "\033[1m"), "latency");
	for (i = 0; i < NR_COLUMNS; i++)
		printf(" %10s", columns[i].name);
	printf(" %10s%s\n", "mean", term_off(term));
}

/**
 * latency_row() - a row of it, if anything was measured
 * @name: of what
 * @samples: the latencies
 */
void latency_row(const char *name, const struct samples *samples)
{
	char text[24];
	size_t i;

	if (!samples->nr)
		return;
	printf("%-16s", name);
	for (i = 0; i < NR_COLUMNS; i++) {
		format_ns(text, sizeof(text),
			  samples_at(samples, columns[i].percent));
		printf(" %10s", text);
	}
	format_ns(text, sizeof(text), samples_mean(samples));
	printf(" %10s\n", text);
}

/**
 * latency_json() - the same as an object, if anything was measured
 * @to: what it becomes a member of
 * @name: under which name
 * @samples: the latencies
 */
void latency_json(struct cJSON *to, const char *name,
		  const struct samples *samples)
{
	struct cJSON *one;
	size_t i;

	if (!samples->nr)
		return;
	one = cJSON_AddObjectToObject(to, name);
	for (i = 0; i < NR_COLUMNS; i++)
		json_u64(one, columns[i].name,
			 samples_at(samples, columns[i].percent));
	json_u64(one, "mean", samples_mean(samples));
}

/**
 * latency_note() - say so where times are not real
 */
void latency_note(void)
{
	if (emulated())
		puts("\nThis machine's processor is emulated: times mean something only in relation\nto each other.");
}
