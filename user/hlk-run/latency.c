// SPDX-License-Identifier: GPL-2.0-only
/* What calls took, for people and for programs. */
#include "latency.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "table.h"

#define MEAN		UINT_MAX

static const struct {
	const char *name;
	const char *json;
	unsigned int part;
} columns[] = {
	{ "min", "min", 0 }, { "p50", "p50", 5000 }, { "p90", "p90", 9000 },
	{ "p99", "p99", 9900 }, { "p99.9", "p999", 9990 }, { "p99.99", "p9999", 9999 },
	{ "max", "max", SAMPLES_ALL }, { "mean", "mean", MEAN },
};

#define NR_COLUMNS	(sizeof(columns) / sizeof(*columns))
#define NAME		15
#define FIGURE		7
#define WIDE		(NAME + NR_COLUMNS * (FIGURE + 1))

static uint64_t figure(const struct samples *samples, size_t column)
{
	return columns[column].part == MEAN ? samples_mean(samples) :
	       samples_at(samples, columns[column].part);
}

/* A row for each kind of latency */
static void print_wide(const struct term *term, const struct latency *rows, size_t nr)
{
	char text[24];
	size_t i, k;

	printf("\n%s%-*s", term_on(term, "\033[1m"), NAME, "latency");
	for (i = 0; i < NR_COLUMNS; i++)
		printf(" %*s", FIGURE, columns[i].name);
	printf("%s\n", term_off(term));
	for (k = 0; k < nr; k++) {
		if (!rows[k].samples->nr)
			continue;
		printf("%-*s", NAME, rows[k].name);
		for (i = 0; i < NR_COLUMNS; i++) {
			format_ns(text, sizeof(text), figure(rows[k].samples, i));
			printf(" %*s", FIGURE, text);
		}
		putchar('\n');
	}
}

static int width_of(const struct latency *row)
{
	int len = strlen(row->name);

	return (len > FIGURE ? len : FIGURE) + 1;
}

/* The same with a column for each kind */
static void print_narrow(const struct term *term, const struct latency *rows, size_t nr)
{
	char text[24];
	size_t i, k;

	printf("\n%s%-*s", term_on(term, "\033[1m"), FIGURE, "latency");
	for (k = 0; k < nr; k++)
		if (rows[k].samples->nr)
			printf(" %*s", width_of(&rows[k]), rows[k].name);
	printf("%s\n", term_off(term));
	for (i = 0; i < NR_COLUMNS; i++) {
		printf("%-*s", FIGURE, columns[i].name);
		for (k = 0; k < nr; k++) {
			if (!rows[k].samples->nr)
				continue;
			format_ns(text, sizeof(text), figure(rows[k].samples, i));
			printf(" %*s", width_of(&rows[k]), text);
		}
		putchar('\n');
	}
}

/**
 * latency_table() - a table of latencies, as far as any were measured
 * @term: where it goes
 * @rows: of what
 * @nr: length of @rows
 */
void latency_table(const struct term *term, const struct latency *rows, size_t nr)
{
	size_t i;

	for (i = 0; i < nr && !rows[i].samples->nr; i++)
		;
	if (i == nr)
		return;
	if (term->columns && term->columns < (int)WIDE)
		print_narrow(term, rows, nr);
	else
		print_wide(term, rows, nr);
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
	json_u64(one, "count", samples->nr);
	for (i = 0; i < NR_COLUMNS; i++)
		json_u64(one, columns[i].json, figure(samples, i));
}

/**
 * latency_note() - say so where times are not real
 * @term: where it goes
 */
void latency_note(const struct term *term)
{
	if (!emulated())
		return;
	putchar('\n');
	table_words(term, 0, 0, "This machine's processor is emulated: times mean something only in relation to each other.");
}
