// SPDX-License-Identifier: GPL-2.0-only
/* hlk-run pt: what is different between two moments, as text and as JSON. */
#include <inttypes.h>
#include <string.h>

#include "../json.h"
#include "../term.h"
#include "diff.h"
#include "text.h"

/* In the order of their bits */
static const struct {
	const char *text;
	const char *json;
} names[PT_CHANGES] = {
	{ "came", "came" },
	{ "went", "went" },
	{ "lead elsewhere", "moved" },
	{ "with other rights", "rights" },
	{ "with other attributes", "attributes" },
	{ "with other contents", "contents" },
};

static int width_of(const struct pt_moment *was, const struct pt_moment *is)
{
	int a = pt_width(&was->space), b = pt_width(&is->space);

	return a > b ? a : b;
}

static uint32_t roots_of(const struct pt_moment *was, const struct pt_moment *is)
{
	return was->space.nr_roots > is->space.nr_roots ? was->space.nr_roots :
							  is->space.nr_roots;
}

static bool root_known(const struct pt_moment *moment, uint32_t root)
{
	return root < moment->space.nr_roots && moment->space.roots[root].addr != PT_NO_ADDR;
}

static bool root_same(const struct pt_moment *was, const struct pt_moment *is, uint32_t root)
{
	return root_known(was, root) == root_known(is, root) &&
	       (!root_known(was, root) ||
		pt_root_addr(&was->space, root) == pt_root_addr(&is->space, root));
}

/* ---- text ---- */

static void print_where(const struct pt_moment *moment, uint32_t root)
{
	if (root >= moment->space.nr_roots)
		printf("nowhere");
	else if (root_known(moment, root))
		printf("at %08" PRIx64, pt_root_addr(&moment->space, root));
	else
		printf("in CR3 of vCPU 0");
}

static void print_counts(const uint64_t *pages)
{
	bool first = true;
	unsigned int bit;

	for (bit = 0; bit < PT_CHANGES; bit++) {
		if (!pages[bit])
			continue;
		printf("%s%" PRIu64 " pages %s", first ? "" : ", ", pages[bit],
		       names[bit].text);
		first = false;
	}
	if (first)
		printf("no page is different");
}

static void print_change(const struct pt_change *change, int width)
{
	if (change->what & PT_CONTENTS) {
		pt_print_mapping("  bytes ", &change->is, width);
		return;
	}
	if (change->what & PT_CAME) {
		pt_print_mapping("  came  ", &change->is, width);
		return;
	}
	pt_print_mapping(change->what & PT_WENT ? "  went  " : "  was   ", &change->was,
			 width);
	if (!(change->what & PT_WENT))
		pt_print_mapping("  is    ", &change->is, width);
}

static bool same_slot(const struct pt_diff *diff, size_t a, size_t b, unsigned int shift)
{
	return diff->change[a].page >> shift == diff->change[b].page >> shift;
}

/* How many lines there are if slots have so many pages, as a power of two */
static uint64_t count_slots(const struct pt_diff *diff, size_t from, size_t to,
			    unsigned int shift)
{
	uint64_t nr = from < to;

	for (; from + 1 < to; from++)
		nr += !same_slot(diff, from, from + 1, shift);
	return nr;
}

static void print_folded(const struct pt_diff *diff, size_t from, size_t to, int width)
{
	uint64_t first = diff->change[from].page, end = 0, pages[PT_CHANGES] = {};
	size_t nr = to - from;
	unsigned int bit;

	for (; from < to; from++) {
		const struct pt_change *change = &diff->change[from];

		if (change->page + change->pages > end)
			end = change->page + change->pages;
		for (bit = 0; bit < PT_CHANGES; bit++)
			pages[bit] += change->what & 1U << bit ? change->pages : 0;
	}
	printf("        %0*" PRIx64 "-%0*" PRIx64 "  %zu changes: ", width,
	       (uint64_t)(first * PT_PAGE), width, (uint64_t)(end * PT_PAGE - 1), nr);
	print_counts(pages);
	putchar('\n');
}

static void print_changes(const struct pt_diff *diff, size_t from, size_t to, int width,
			  uint64_t fold)
{
	unsigned int shift = 0;
	bool folds = fold && to - from > fold;
	size_t next;

	while (folds && shift < 52 && count_slots(diff, from, to, shift) > fold)
		shift++;
	for (; from < to; from = next) {
		for (next = from + 1; folds && next < to; next++)
			if (!same_slot(diff, from, next, shift))
				break;
		if (next == from + 1)
			print_change(&diff->change[from], width);
		else
			print_folded(diff, from, next, width);
	}
}

static void print_heading(int width)
{
	printf("        virtual%*s                 size  physical           super user attributes\n",
	       2 * (width - 8), "");
}

static size_t root_end(const struct pt_diff *diff, size_t from, uint32_t root)
{
	while (from < diff->nr && diff->change[from].root == root)
		from++;
	return from;
}

static void print_source(const char *before, const struct pt_moment *moment)
{
	fputs(before, stdout);
	print_safe(stdout, moment->space.source, strlen(moment->space.source));
	putchar('\n');
}

/**
 * pt_diff_text() - what is different, for a person
 * @diff: what was found
 * @was: the earlier moment
 * @is: the later one
 * @fold: most lines for a root; 0 for as many as there are changes
 */
void pt_diff_text(const struct pt_diff *diff, const struct pt_moment *was,
		  const struct pt_moment *is, uint64_t fold)
{
	int width = width_of(was, is);
	size_t from = 0, to;
	uint32_t root;

	print_source("from ", was);
	print_source("to   ", is);
	for (root = 0; root < roots_of(was, is); root++) {
		to = root_end(diff, from, root);
		printf("root %u, ", root);
		print_where(was, root);
		if (!root_same(was, is, root) || root >= was->space.nr_roots ||
		    root >= is->space.nr_roots) {
			printf(", then ");
			print_where(is, root);
		}
		printf("%s\n", from == to ? ": nothing is different" : "");
		if (from < to)
			print_heading(width);
		print_changes(diff, from, to, width, fold);
		from = to;
	}
	printf("in all: ");
	print_counts(diff->pages);
	printf("; %" PRIu64 " newly accessed, %" PRIu64 " newly dirty\n", diff->accessed,
	       diff->dirty);
	if (was->space.cut || is->space.cut)
		puts("cut off where the shorter list ends; see --limit and --range");
}

/* ---- JSON ---- */

static void print_source_json(const char *name, const struct pt_moment *moment)
{
	struct cJSON *one = cJSON_CreateObject();

	json_text(one, "text", moment->space.source, strlen(moment->space.source));
	printf("\"%s\": ", name);
	pt_print_object(one);
	fputs(",\n", stdout);
}

static struct cJSON *change_json(const struct pt_change *change)
{
	struct cJSON *one = cJSON_CreateObject(), *what;
	unsigned int bit;

	json_u64(one, "root", change->root);
	json_u64(one, "va", change->page * PT_PAGE);
	json_u64(one, "pages", change->pages);
	what = cJSON_AddArrayToObject(one, "what");
	for (bit = 0; bit < PT_CHANGES; bit++)
		if (change->what & 1U << bit)
			cJSON_AddItemToArray(what, cJSON_CreateString(names[bit].json));
	if (!(change->what & PT_CAME))
		cJSON_AddItemToObject(one, "was", pt_mapping_json(&change->was));
	if (!(change->what & PT_WENT))
		cJSON_AddItemToObject(one, "is", pt_mapping_json(&change->is));
	return one;
}

static struct cJSON *root_json(const struct pt_moment *was, const struct pt_moment *is,
			       uint32_t root)
{
	struct cJSON *one = cJSON_CreateObject();

	json_u64(one, "root", root);
	if (root_known(was, root))
		json_u64(one, "was", pt_root_addr(&was->space, root));
	if (root_known(is, root))
		json_u64(one, "is", pt_root_addr(&is->space, root));
	return one;
}

/**
 * pt_diff_json() - what is different, for a program
 * @diff: what was found
 * @was: the earlier moment
 * @is: the later one
 */
void pt_diff_json(const struct pt_diff *diff, const struct pt_moment *was,
		  const struct pt_moment *is)
{
	bool cut = was->space.cut || is->space.cut;
	struct cJSON *one;
	unsigned int bit;
	uint32_t root;
	size_t i;

	json_begun();
	fputs("{\n", stdout);
	print_source_json("from", was);
	print_source_json("to", is);
	fputs("\"roots\": [", stdout);
	for (root = 0; root < roots_of(was, is); root++) {
		fputs(root ? ",\n" : "\n", stdout);
		pt_print_object(root_json(was, is, root));
	}
	fputs("\n],\n\"changes\": [", stdout);
	for (i = 0; i < diff->nr; i++) {
		fputs(i ? ",\n" : "\n", stdout);
		pt_print_object(change_json(&diff->change[i]));
	}
	one = cJSON_CreateObject();
	for (bit = 0; bit < PT_CHANGES; bit++)
		json_u64(one, names[bit].json, diff->pages[bit]);
	json_u64(one, "accessed", diff->accessed);
	json_u64(one, "dirty", diff->dirty);
	fputs("\n],\n\"pages\": ", stdout);
	pt_print_object(one);
	printf(",\n\"cut\": %s\n}\n", cut ? "true" : "false");
}
