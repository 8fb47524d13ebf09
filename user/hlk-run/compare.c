// SPDX-License-Identifier: GPL-2.0-only
/*
 * hlk-run compare: what another run of the same command took. Figures are found in the
 * two by their names, and those of ways of the benchmark by the way, wherever in its list
 * that is.
 */
#include <argp.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "input.h"
#include "compare.h"
#include "fail.h"
#include "json.h"
#include "option.h"
#include "samples.h"
#include "table.h"

#define MOST		(64U << 20)
#define PATH		256
#define NAME		40

/**
 * struct compare - one comparison
 * @file: the names of the two files
 * @only: the last part of the names that are of interest, or NULL for all
 * @worse: more than so many percent are a failure; 0 is none
 * @term: the terminal
 * @alike: figures that are the same in both
 * @differ: figures that are not
 * @missed: figures that are in one alone
 * @failed: those that became worse by more than @worse
 */
struct compare {
	const char *file[2];
	const char *only;
	uint64_t worse;
	struct term term;
	uint64_t alike;
	uint64_t differ;
	uint64_t missed;
	uint64_t failed;
};

enum kind { OTHER, TIME, RATE };

static bool is_time(const char *name)
{
	static const char * const names[] = {
		"min", "p50", "p90", "p99", "p999", "p9999", "max", "mean", "first",
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(name, names[i]))
			return true;
	return strlen(name) > 3 && !strcmp(name + strlen(name) - 3, "_ns");
}

/* What is better: less of it, more of it, or is that not known? */
static enum kind kind_of(const char *name)
{
	if (strstr(name, "_per_s"))
		return RATE;
	return is_time(name) ? TIME : OTHER;
}

static void format(char *text, size_t size, enum kind kind, double value)
{
	if (kind == TIME && value >= 0 && value < 1e18)
		format_ns(text, size, value);
	else if (value == floor(value) && fabs(value) < 1e15)
		snprintf(text, size, "%.0f", value);
	else
		snprintf(text, size, "%.3g", value);
}

static void print_pair(struct compare *c, const char *path, enum kind kind, const double *value)
{
	char text[2][32], change[32];

	format(text[0], sizeof(text[0]), kind, value[0]);
	format(text[1], sizeof(text[1]), kind, value[1]);
	if (value[0])
		snprintf(change, sizeof(change), "%+.1f%%",
			 100 * (value[1] - value[0]) / fabs(value[0]));
	else
		snprintf(change, sizeof(change), "-");
	print_safe(stdout, path, strlen(path));
	if (c->term.columns && c->term.columns < 78)
		printf("\n    %10s %10s %9s\n", text[0], text[1], change);
	else
		printf("%*s %11s %11s %9s\n", strlen(path) < NAME ? NAME - (int)strlen(path) : 0, "",
		       text[0], text[1], change);
}

static void compare_figures(struct compare *c, const char *path, const char *name,
			    const double *value)
{
	enum kind kind = kind_of(name);
	double worse = kind == RATE ? value[0] - value[1] : value[1] - value[0];

	if (c->only && strcmp(name, c->only))
		return;
	if (value[0] == value[1]) {
		c->alike++;
		return;
	}
	c->differ++;
	print_pair(c, path, kind, value);
	if (c->worse && kind != OTHER && worse * 100 > value[0] * c->worse)
		c->failed++;
}

/* What an element of an array is called: as it says itself, or by its number */
static void label(const struct cJSON *item, int nr, char *text, size_t size)
{
	static const char * const names[] = { "way", "goal", "name", "pages" };
	const struct cJSON *name;
	size_t i;

	for (i = 0; cJSON_IsObject(item) && i < sizeof(names) / sizeof(*names); i++) {
		name = cJSON_GetObjectItemCaseSensitive(item, names[i]);
		if (cJSON_IsString(name))
			snprintf(text, size, "%s", name->valuestring);
		else if (cJSON_IsNumber(name))
			snprintf(text, size, "%s %.0f, %d", names[i], name->valuedouble, nr);
		else
			continue;
		return;
	}
	snprintf(text, size, "%d", nr);
}

static const struct cJSON *find(const struct cJSON *in, const struct cJSON *item,
				const char *name)
{
	const struct cJSON *other;
	char text[64];
	int nr = 0;

	if (item->string)
		return cJSON_GetObjectItemCaseSensitive(in, item->string);
	cJSON_ArrayForEach(other, in) {
		label(other, nr++, text, sizeof(text));
		if (!strcmp(text, name))
			return other;
	}
	return NULL;
}

/* It is no deeper than the parser allows. */
static uint64_t figures_of(const struct cJSON *tree)
{
	uint64_t nr = cJSON_IsNumber(tree);
	const struct cJSON *item;

	cJSON_ArrayForEach(item, tree)
		nr += figures_of(item);
	return nr;
}

static void compare_trees(struct compare *c, const struct cJSON *a, const struct cJSON *b,
			  const char *path)
{
	const struct cJSON *item, *other;
	char name[64], below[PATH];
	int nr = 0;

	cJSON_ArrayForEach(item, a) {
		label(item, nr++, name, sizeof(name));
		if (item->string)
			snprintf(below, sizeof(below), "%.128s%s%.64s", path, *path ? "." : "",
				 item->string);
		else
			snprintf(below, sizeof(below), "%.128s[%s]", path, name);
		other = find(b, item, name);
		if (!other || (item->type & 0xff) != (other->type & 0xff)) {
			c->missed += figures_of(item);
			continue;
		}
		if (cJSON_IsNumber(item))
			compare_figures(c, below, item->string ?: name, (const double[]) {
					item->valuedouble, other->valuedouble });
		else
			compare_trees(c, item, other, below);
	}
}

/* What is no figure, and makes others say something else */
static void compare_circumstances(const struct compare *c, struct cJSON **root)
{
	static const char * const names[] = { "kernel", "version", "unit", "emulated" };
	const struct cJSON *a, *b;
	char text[128];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		a = cJSON_GetObjectItemCaseSensitive(root[0], names[i]);
		b = cJSON_GetObjectItemCaseSensitive(root[1], names[i]);
		if (!a || !b || cJSON_Compare(a, b, true))
			continue;
		snprintf(text, sizeof(text), "%s differs: %s, %s", names[i],
			 cJSON_IsString(a) ? a->valuestring : cJSON_IsTrue(a) ? "yes" : "no",
			 cJSON_IsString(b) ? b->valuestring : cJSON_IsTrue(b) ? "yes" : "no");
		table_words(&c->term, 0, 2, text);
	}
}

static int read_json(const char *path, struct cJSON **root)
{
	size_t len = 0;
	void *data;
	int ret = input_any(path, MOST, &data, &len);

	if (ret)
		return ret;
	*root = cJSON_ParseWithLength(data, len);
	if (!cJSON_IsObject(*root)) {
		fail_say("%s: not a JSON object, as --json writes one", path);
		ret = RUN_FILE;
	}
	free(data);
	return ret;
}

static int compare_all(struct compare *c, struct cJSON **root)
{
	char text[128];

	term_init(&c->term, stdout);
	compare_circumstances(c, root);
	compare_trees(c, root[0], root[1], "");
	snprintf(text, sizeof(text), "%llu figures differ, %llu are the same, %llu are not in the second",
		 (unsigned long long)c->differ, (unsigned long long)c->alike,
		 (unsigned long long)c->missed);
	table_words(&c->term, 0, 2, text);
	if (!c->differ && !c->alike) {
		fail_say("there is nothing to compare in these");
		return RUN_FILE;
	}
	if (!c->failed)
		return RUN_OK;
	fail_say("%llu of them are worse by more than %llu%%", (unsigned long long)c->failed,
		 (unsigned long long)c->worse);
	return RUN_MISMATCH;
}

enum {
	OPT_ONLY = OPT_OWN,
	OPT_WORSE,
};

static const struct argp_option options[] = {
	{ "only", OPT_ONLY, "NAME", 0, "Only figures of this name, such as p50", 0 },
	{ "worse", OPT_WORSE, "PERCENT", 0,
	  "Fail if a time or a rate is worse by more than this", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct compare *c = state->input;

	switch (key) {
	case OPT_ONLY:
		c->only = arg;
		return 0;
	case OPT_WORSE:
		c->worse = option_number(state, "worse", arg, 1, 100000);
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 1)
			argp_error(state, "two files, please");
		c->file[state->arg_num] = arg;
		return 0;
	case ARGP_KEY_END:
		if (!c->file[1])
			argp_error(state, "which two files? (of --json)");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "FILE FILE",
	.doc = "Compare what two runs of a command wrote with --json: each figure that differs, and by how much.\v"
	       "- is standard input. Exit status: 0 all well, 2 usage, "
	       "4 a figure is worse by more than --worse, 6 a file is not JSON.",
};

/**
 * cmd_compare() - hlk-run compare
 * @argc: as of main
 * @argv: as of main
 *
 * Return: the exit code
 */
int cmd_compare(int argc, char **argv)
{
	struct cJSON *root[2] = {};
	struct compare c = {};
	int ret;

	if (argp_parse(&argp, argc, argv, 0, NULL, &c))
		return RUN_USAGE;
	ret = read_json(c.file[0], &root[0]);
	if (!ret)
		ret = read_json(c.file[1], &root[1]);
	if (!ret)
		ret = compare_all(&c, root);
	cJSON_Delete(root[0]);
	cJSON_Delete(root[1]);
	return ret;
}
