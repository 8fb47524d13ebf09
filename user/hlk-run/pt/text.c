// SPDX-License-Identifier: GPL-2.0-only
/* hlk-run pt: the list as text and as JSON. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../json.h"
#include "../term.h"
#include "text.h"

/* attributes of struct hlk_mapping: bits of the leaf */
#define PWT	0x8
#define PCD	0x10
#define A	0x20
#define D	0x40
#define PAT	0x80
#define G	0x100
#define AVL(attributes)	((attributes) >> 9 & 7)
#define AVL_COW	1
#define AVL_HIGH(attributes)	((attributes) >> 52 & 0x7f)
#define KEY(attributes)	((attributes) >> 59 & 15)

static const struct {
	uint32_t bit;
	const char *name;
} attributes[] = {
	{ PWT, "PWT" }, { PCD, "PCD" }, { PAT, "PAT" },
}, kinds[] = {
	{ HLK_MAP_COW, "cow" },
	{ HLK_MAP_NOT_RAM, "no-memory" },
	{ HLK_MAP_TABLE_NOT_RAM, "table-not-in-memory" },
	{ HLK_MAP_SUPER_WRITE, "wp-off" },
	{ HLK_MAP_NX, "nx" },
	{ HLK_MAP_SUPER_NX, "smep" },
	{ HLK_MAP_SUPER_AC, "smap" },
	{ HLK_MAP_KEY_NO_ACCESS, "key-no-access" },
	{ HLK_MAP_KEY_NO_WRITE, "key-no-write" },
	{ HLK_MAP_RESERVED, "reserved-bits" },
};

#define NR(array)	(sizeof(array) / sizeof(*(array)))

/**
 * pt_size_text() - a size as a person would say it
 * @bytes: the size, a multiple of 4 KiB
 * @text: out: the text
 * @size: size of @text
 */
void pt_size_text(uint64_t bytes, char *text, size_t size)
{
	static const char units[] = "KMGTPE";
	double value = bytes / 1024.0;
	size_t i;

	for (i = 0; value >= 1024 && i + 2 < sizeof(units); i++)
		value /= 1024;
	snprintf(text, size, "%.*f %ciB", value < 10 && (uint64_t)value != value,
		 value, units[i]);
}

static int append(char *text, size_t size, int at, const char *what)
{
	int len;

	if (at < 0 || (size_t)at >= size)
		return at;
	len = snprintf(text + at, size - at, "%s%s", at ? " " : "", what);
	return at + len;
}

/* The size of a range's pages, if it is not the usual one */
static const char *large_name(const struct hlk_mapping *map)
{
	if (!(map->map & HLK_MAP_LARGE))
		return NULL;
	return map->page_shift == 30 ? "1G" : map->page_shift == 21 ? "2M" : "4M";
}

/**
 * pt_notes() - what is special about a range
 * @map: the range
 * @text: out: words with spaces between them, or nothing
 * @size: size of @text; 192 is enough
 */
void pt_notes(const struct hlk_mapping *map, char *text, size_t size)
{
	uint32_t avl = AVL(map->attributes);
	char word[64];
	int at = 0;
	size_t i;

	*text = '\0';
	if (large_name(map))
		at = append(text, size, at, large_name(map));
	for (i = 0; i < NR(kinds); i++)
		if (map->map & kinds[i].bit)
			at = append(text, size, at, kinds[i].name);
	for (i = 0; i < NR(attributes); i++)
		if (map->attributes & attributes[i].bit)
			at = append(text, size, at, attributes[i].name);
	if (avl & ~AVL_COW) {
		snprintf(word, sizeof(word), "AVL=%u", avl);
		at = append(text, size, at, word);
	}
	if (AVL_HIGH(map->attributes)) {
		snprintf(word, sizeof(word), "AVL-high=%u",
			 (unsigned int)AVL_HIGH(map->attributes));
		at = append(text, size, at, word);
	}
	if (KEY(map->attributes)) {
		snprintf(word, sizeof(word), "key=%u", (unsigned int)KEY(map->attributes));
		at = append(text, size, at, word);
	}
	if (map->map & HLK_MAP_ALIAS) {
		snprintf(word, sizeof(word), "same table as root %u at %08" PRIx64,
			 map->alias_root, (uint64_t)map->alias_va);
		append(text, size, at, word);
	}
}

/**
 * pt_print_mapping() - print a line for a range
 * @before: what comes first on it
 * @map: the range
 * @width: digits of a virtual address
 */
void pt_print_mapping(const char *before, const struct hlk_mapping *map, int width)
{
	uint64_t bytes = map->pages * PT_PAGE;
	bool table = pt_is_table(map);
	char notes[192], size[16], last[24] = "";

	pt_size_text(bytes, size, sizeof(size));
	pt_notes(map, notes, sizeof(notes));
	if (!table)
		snprintf(last, sizeof(last), "-%08" PRIx64,
			 (uint64_t)map->gpa + bytes - 1);
	printf("%s%0*" PRIx64 "-%0*" PRIx64 "  %9s  %08" PRIx64 "%-9s  r%c  %c%c  %c%c%c%s%s\n",
	       before, width, (uint64_t)map->va, width, (uint64_t)map->va + bytes - 1, size,
	       (uint64_t)map->gpa, last,
	       map->map & (HLK_MAP_WRITE | HLK_MAP_SUPER_WRITE) ? 'w' : '-',
	       map->map & HLK_MAP_USER ? 'r' : '-',
	       map->map & HLK_MAP_USER && map->map & HLK_MAP_WRITE ? 'w' : '-',
	       map->attributes & A ? 'A' : '-', map->attributes & D ? 'D' : '-',
	       map->attributes & G ? 'G' : '-', *notes ? "  " : "", notes);
}

static void print_pages(const char *before, uint64_t pages, const char *what)
{
	if (pages)
		printf("%s%" PRIu64 " %s", before, pages, what);
}

static void print_totals(const struct pt_space *space, const struct pt_totals *t)
{
	char size[16];

	pt_size_text(t->pages * PT_PAGE, size, sizeof(size));
	printf("  %" PRIu64 " pages, %s", t->pages, size);
	print_pages("; ", t->write, "writable");
	print_pages(", ", t->cow, "copy-on-write");
	print_pages(", ", t->user, "for user mode");
	if (space->format != HLK_FORMAT_32BIT)
		print_pages(", ", t->exec, "executable");
	print_pages(", ", t->large, space->format == HLK_FORMAT_32BIT ?
		    "in 4 MiB entries" : "in large pages");
	print_pages(", ", t->not_ram, "no memory");
	print_pages("; ", t->alias_tables, "tables that were met before");
	print_pages("; ", t->lost_tables, "tables that are not in memory");
	print_pages("; ", t->reserved, "entries with reserved bits set");
	putchar('\n');
}

/* ---- folding: what lies in one aligned slot of addresses is one line ---- */

static bool same_slot(const struct pt_space *space, size_t a, size_t b, unsigned int shift)
{
	return space->maps[a].va >> shift == space->maps[b].va >> shift;
}

/* How many lines there are if slots have so many bits */
static uint64_t count_slots(const struct pt_space *space, size_t from, size_t to,
			    unsigned int shift)
{
	uint64_t nr = from < to;

	for (; from + 1 < to; from++)
		nr += !same_slot(space, from, from + 1, shift);
	return nr;
}

static void print_folded(const struct pt_space *space, size_t from, size_t to)
{
	const struct hlk_mapping *first = &space->maps[from];
	const struct hlk_mapping *last = &space->maps[to - 1];
	uint64_t pages = 0, tables = 0, write = 0, user = 0, exec = 0;
	int width = pt_width(space);
	char size[16];

	for (; from < to; from++) {
		const struct hlk_mapping *map = &space->maps[from];

		if (pt_is_table(map)) {
			tables++;
			continue;
		}
		pages += map->pages;
		write += map->map & HLK_MAP_WRITE ? map->pages : 0;
		user += map->map & HLK_MAP_USER ? map->pages : 0;
		exec += map->map & HLK_MAP_NX ? 0 : map->pages;
	}
	pt_size_text(pages * PT_PAGE, size, sizeof(size));
	printf("  %0*" PRIx64 "-%0*" PRIx64 "  %9s  %td ranges", width, (uint64_t)first->va,
	       width, (uint64_t)(last->va + last->pages * PT_PAGE - 1), size,
	       last - first + 1);
	print_pages(", ", write, "pages writable");
	print_pages(", ", user, "for user mode");
	if (space->format != HLK_FORMAT_32BIT)
		print_pages(", ", exec, "executable");
	print_pages(", ", tables, "tables");
	putchar('\n');
}

static void print_ranges(const struct pt_space *space, size_t from, size_t to, uint64_t fold)
{
	unsigned int shift = 0;
	size_t next;

	if (fold && to - from > fold)
		for (shift = 12; shift < 63 && count_slots(space, from, to, shift) > fold; )
			shift++;
	for (; from < to; from = next) {
		for (next = from + 1; shift && next < to; next++)
			if (!same_slot(space, from, next, shift))
				break;
		if (next == from + 1)
			pt_print_mapping("  ", &space->maps[from], pt_width(space));
		else
			print_folded(space, from, next);
	}
}

static void print_root(const struct pt_space *space, uint32_t nr, uint64_t fold)
{
	const struct pt_root *root = &space->roots[nr];
	int more = 2 * (pt_width(space) - 8);

	if (root->addr == PT_NO_ADDR)
		puts("root 0, in CR3 of vCPU 0");
	else
		printf("root %u at %08" PRIx64 "\n", nr, pt_root_addr(space, nr));
	if (root->totals.ranges)
		printf("  virtual%*s                 size  physical           super user attributes\n",
		       more, "");
	print_ranges(space, root->first, pt_root_end(space, nr), fold);
	print_totals(space, &root->totals);
}

/**
 * pt_print_text() - the list for a person
 * @space: what was collected and counted
 * @fold: most lines for a root; 0 for as many as there are ranges
 */
void pt_print_text(const struct pt_space *space, uint64_t fold)
{
	char size[16];
	uint32_t i;

	print_safe(stdout, space->source, strlen(space->source));
	putchar('\n');
	for (i = 0; i < space->nr_roots; i++)
		print_root(space, i, fold);
	pt_size_text(space->phys.pages * PT_PAGE, size, sizeof(size));
	printf("physical: %" PRIu64 " pages, %s", space->phys.pages, size);
	print_pages("; ", space->phys.shared, "of them mapped more than once");
	print_pages(", ", space->phys.shared_write, "of these writable");
	putchar('\n');
	if (space->cut)
		printf("cut off after %zu ranges; see --limit and --range\n",
		       space->nr);
}

/* ---- JSON: an object for each range, printed at once, so that memory does not
 * grow with their number
 */

/**
 * pt_print_object() - print an object on one line, and free it
 * @object: the object
 */
void pt_print_object(struct cJSON *object)
{
	char *text = cJSON_PrintUnformatted(object);

	fputs(text ? text : "{}", stdout);
	cJSON_free(text);
	cJSON_Delete(object);
}

/**
 * pt_mapping_json() - an object for a range
 * @map: the range
 */
struct cJSON *pt_mapping_json(const struct hlk_mapping *map)
{
	struct cJSON *one = cJSON_CreateObject();
	uint64_t attr = map->attributes;
	size_t i;

	json_u64(one, "root", map->root);
	json_u64(one, "va", map->va);
	json_u64(one, "pages", map->pages);
	json_u64(one, "gpa", map->gpa);
	cJSON_AddBoolToObject(one, "write", map->map & HLK_MAP_WRITE);
	cJSON_AddBoolToObject(one, "user", map->map & HLK_MAP_USER);
	if (large_name(map))
		cJSON_AddTrueToObject(one, large_name(map));
	for (i = 0; i < NR(kinds); i++)
		if (map->map & kinds[i].bit)
			cJSON_AddTrueToObject(one, kinds[i].name);
	if (map->map & HLK_MAP_ALIAS) {
		json_u64(one, "alias_root", map->alias_root);
		json_u64(one, "alias_va", map->alias_va);
	}
	if (pt_is_table(map))
		return one;
	cJSON_AddBoolToObject(one, "accessed", attr & A);
	cJSON_AddBoolToObject(one, "dirty", attr & D);
	cJSON_AddBoolToObject(one, "global", attr & G);
	cJSON_AddBoolToObject(one, "pwt", attr & PWT);
	cJSON_AddBoolToObject(one, "pcd", attr & PCD);
	cJSON_AddBoolToObject(one, "pat", attr & PAT);
	json_u64(one, "avl", AVL(attr));
	if (AVL_HIGH(attr))
		json_u64(one, "avl_high", AVL_HIGH(attr));
	if (KEY(attr))
		json_u64(one, "key", KEY(attr));
	return one;
}

static struct cJSON *root_json(const struct pt_space *space, uint32_t nr)
{
	const struct pt_totals *t = &space->roots[nr].totals;
	struct cJSON *one = cJSON_CreateObject();

	json_u64(one, "root", nr);
	if (space->roots[nr].addr != PT_NO_ADDR)
		json_u64(one, "gpa", pt_root_addr(space, nr));
	json_u64(one, "ranges", t->ranges);
	json_u64(one, "pages", t->pages);
	json_u64(one, "write", t->write);
	json_u64(one, "user", t->user);
	json_u64(one, "cow", t->cow);
	json_u64(one, "large", t->large);
	json_u64(one, "no-memory", t->not_ram);
	json_u64(one, "alias_tables", t->alias_tables);
	json_u64(one, "tables-not-in-memory", t->lost_tables);
	if (space->format != HLK_FORMAT_32BIT) {
		json_u64(one, "executable", t->exec);
		json_u64(one, "reserved-bits", t->reserved);
	}
	return one;
}

/**
 * pt_print_json() - the list for a program
 * @space: what was collected and counted
 */
void pt_print_json(const struct pt_space *space)
{
	struct cJSON *one = cJSON_CreateObject();
	uint32_t i;
	size_t nr;

	json_begun();
	json_text(one, "text", space->source, strlen(space->source));
	fputs("{\n\"source\": ", stdout);
	pt_print_object(one);
	fputs(",\n\"roots\": [", stdout);
	for (i = 0; i < space->nr_roots; i++) {
		fputs(i ? ",\n" : "\n", stdout);
		pt_print_object(root_json(space, i));
	}
	fputs("\n],\n\"mappings\": [", stdout);
	for (nr = 0; nr < space->nr; nr++) {
		fputs(nr ? ",\n" : "\n", stdout);
		pt_print_object(pt_mapping_json(&space->maps[nr]));
	}
	one = cJSON_CreateObject();
	json_u64(one, "pages", space->phys.pages);
	json_u64(one, "shared", space->phys.shared);
	json_u64(one, "shared_write", space->phys.shared_write);
	fputs("\n],\n\"physical\": ", stdout);
	pt_print_object(one);
	printf(",\n\"cut\": %s\n}\n", space->cut ? "true" : "false");
}
