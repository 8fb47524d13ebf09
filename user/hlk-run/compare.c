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

/**
 * struct entry - what is in an object or an array
 * @item: that
 * @other: its like in the other one, or NULL
 * @nr: its number
 * @again: so many before it have the same name
 * @name: what it is called, or NULL: by its number alone
 * @own: the name, if it is to be freed
 */
struct entry {
	const struct cJSON *item;
	const struct cJSON *other;
	size_t nr;
	size_t again;
	const char *name;
	char *own;
};

struct entries {
	struct entry *entry;
	size_t nr;
};

/* By its key, or as it says itself. Return: 0, or -1 without memory */
static int name_entry(struct entry *entry)
{
	static const char * const names[] = { "way", "goal", "name", "pages" };
	const struct cJSON *name;
	size_t i;

	entry->name = entry->item->string;
	for (i = 0; !entry->name && cJSON_IsObject(entry->item) &&
	     i < sizeof(names) / sizeof(*names); i++) {
		name = cJSON_GetObjectItemCaseSensitive(entry->item, names[i]);
		if (cJSON_IsString(name)) {
			entry->name = name->valuestring;
		} else if (cJSON_IsNumber(name)) {
			if (asprintf(&entry->own, "%s %.15g", names[i], name->valuedouble) < 0) {
				entry->own = NULL;
				return -1;
			}
			entry->name = entry->own;
		}
	}
	return 0;
}

/* Those without a name first, by their numbers */
static int by_name(const struct entry *x, const struct entry *y)
{
	if (!x->name || !y->name)
		return !y->name - !x->name ?: (x->nr > y->nr) - (x->nr < y->nr);
	return strcmp(x->name, y->name);
}

static int by_place(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return by_name(x, y) ?: (x->nr > y->nr) - (x->nr < y->nr);
}

static int by_nr(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return (x->nr > y->nr) - (x->nr < y->nr);
}

static void free_entries(struct entries *all)
{
	while (all->nr)
		free(all->entry[--all->nr].own);
	free(all->entry);
}

/* All of them, by name */
static int list(const struct cJSON *in, struct entries *all)
{
	const struct cJSON *item;
	struct entry *entry;
	size_t nr = 0;

	cJSON_ArrayForEach(item, in)
		nr++;
	*all = (struct entries) { .entry = calloc(nr + 1, sizeof(*all->entry)) };
	if (!all->entry)
		return -1;
	cJSON_ArrayForEach(item, in) {
		entry = &all->entry[all->nr];
		entry->item = item;
		entry->nr = all->nr++;
		if (name_entry(entry))
			return -1;
	}
	qsort(all->entry, nr, sizeof(*all->entry), by_place);
	for (entry = all->entry + 1; nr > 1 && entry < all->entry + nr; entry++)
		entry->again = by_name(entry - 1, entry) ? 0 : entry[-1].again + 1;
	return 0;
}

/* For each its like: of the same name, and as often there before. The first are in order again. */
static void match(struct entries *all, const struct entries *others)
{
	size_t i = 0, k = 0;
	int order;

	while (i < all->nr && k < others->nr) {
		order = by_name(&all->entry[i], &others->entry[k]);
		if (!order)
			order = (all->entry[i].again > others->entry[k].again) -
				(all->entry[i].again < others->entry[k].again);
		if (!order)
			all->entry[i].other = others->entry[k].item;
		i += order <= 0;
		k += order >= 0;
	}
	qsort(all->entry, all->nr, sizeof(*all->entry), by_nr);
}

/* How much of a text is no longer than that, and does not end within a character */
static int whole(const char *text, size_t most)
{
	size_t len = strnlen(text, most);

	if (text[len])
		while (len && ((unsigned char)text[len] & 0xc0) == 0x80)
			len--;
	return len;
}

static void name_below(const char *path, const struct entry *entry, char *below, size_t size)
{
	char text[96];

	if (!entry->name)
		snprintf(text, sizeof(text), "%zu", entry->nr);
	else if (entry->again)
		snprintf(text, sizeof(text), "%.*s, %zu", whole(entry->name, 64), entry->name,
			 entry->again + 1);
	else
		snprintf(text, sizeof(text), "%.*s", whole(entry->name, 64), entry->name);
	snprintf(below, size, entry->item->string ? "%.*s%s%s" : "%.*s%s[%s]", whole(path, 128),
		 path, entry->item->string && *path ? "." : "", text);
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

static int compare_trees(struct compare *c, const struct cJSON *a, const struct cJSON *b,
			 const char *path);

static int compare_entry(struct compare *c, const struct entry *entry, const char *path)
{
	const struct cJSON *item = entry->item, *other = entry->other;
	char below[PATH];

	if (!other || (item->type & 0xff) != (other->type & 0xff)) {
		c->missed += figures_of(item);
		return 0;
	}
	name_below(path, entry, below, sizeof(below));
	if (!cJSON_IsNumber(item))
		return compare_trees(c, item, other, below);
	compare_figures(c, below, entry->name ?: "",
			(const double[]) { item->valuedouble, other->valuedouble });
	return 0;
}

/* Return: 0, or -1 without memory */
static int compare_trees(struct compare *c, const struct cJSON *a, const struct cJSON *b,
			 const char *path)
{
	struct entries all, others = {};
	int ret = list(a, &all);
	size_t i;

	if (!ret)
		ret = list(b, &others);
	if (!ret)
		match(&all, &others);
	free_entries(&others);
	for (i = 0; i < all.nr && !ret; i++)
		ret = compare_entry(c, &all.entry[i], path);
	free_entries(&all);
	return ret;
}

static void circumstance(const struct cJSON *item, char *text, size_t size)
{
	if (cJSON_IsString(item))
		snprintf(text, size, "%.*s", whole(item->valuestring, size - 1),
			 item->valuestring);
	else if (cJSON_IsNumber(item))
		snprintf(text, size, "%.15g", item->valuedouble);
	else
		snprintf(text, size, "%s", cJSON_IsTrue(item) ? "yes" :
			 cJSON_IsFalse(item) ? "no" : cJSON_IsNull(item) ? "null" : "(more)");
}

/* What is no figure, and makes others say something else */
static void compare_circumstances(const struct compare *c, struct cJSON **root)
{
	static const char * const names[] = { "kernel", "version", "unit", "emulated" };
	char was[96], is[96], text[256];
	const struct cJSON *a, *b;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		a = cJSON_GetObjectItemCaseSensitive(root[0], names[i]);
		b = cJSON_GetObjectItemCaseSensitive(root[1], names[i]);
		if (!a || !b || cJSON_Compare(a, b, true))
			continue;
		circumstance(a, was, sizeof(was));
		circumstance(b, is, sizeof(is));
		snprintf(text, sizeof(text), "%s differs: %s, %s", names[i], was, is);
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
	if (compare_trees(c, root[0], root[1], ""))
		return fail_say("out of memory");
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
