// SPDX-License-Identifier: GPL-2.0-only
/* hlk-run pt: the way to one address, entry by entry, in words. */
#include <inttypes.h>
#include <string.h>

#include "../json.h"
#include "../term.h"
#include "at.h"
#include "text.h"

#define P	0x1
#define W	0x2
#define U	0x4
#define A	0x20
#define D	0x40
#define G	0x100
#define COW	0x200
#define XD	(1ULL << 63)
#define FRAME	((uint64_t)0x000ffffffffff000)

static const char *const entries[HLK_PAGING_LEVELS] = {
	"PTE", "PDE", "PDPTE", "PML4E", "PML5E",
};

static int levels_of(uint32_t format)
{
	return format == HLK_FORMAT_32BIT ? 2 : format == HLK_FORMAT_PAE ? 3 :
	       format == HLK_FORMAT_4LEVEL ? 4 : 5;
}

/* What one entry of a level is for, as a power of two, and how many a table has */
static unsigned int shift_of(uint32_t format, int level)
{
	return 12 + level * (format == HLK_FORMAT_32BIT ? 10 : 9);
}

static uint64_t nr_of(const struct hlk_translate *t, int level)
{
	uint64_t entries_of = t->format == HLK_FORMAT_32BIT ? 1024 :
			      t->format == HLK_FORMAT_PAE && level == 2 ? 4 : 512;

	return (t->va >> shift_of(t->format, level)) % entries_of;
}

static const char *format_name(uint32_t format)
{
	static const char *const names[] = {
		[HLK_FORMAT_32BIT] = "32-bit paging", [HLK_FORMAT_PAE] = "PAE paging",
		[HLK_FORMAT_4LEVEL] = "4-level paging", [HLK_FORMAT_5LEVEL] = "5-level paging",
	};

	return format < sizeof(names) / sizeof(*names) && names[format] ? names[format] : "?";
}

static const char *end_name(const struct hlk_translate *t)
{
	switch (t->head.why) {
	case HLK_WHY_NOT_PRESENT:
		return "not-present";
	case HLK_WHY_NOT_RAM:
		return "table-not-in-memory";
	case HLK_WHY_PDE_RESERVED:
		return "reserved-bits";
	default:
		return NULL;
	}
}

/* Flags of an entry in words; those of PAE's pointers are none of these. */
static void print_flags(const struct hlk_translate *t, int level, bool last)
{
	uint64_t entry = t->entry[level];
	bool wide = t->format != HLK_FORMAT_32BIT;

	if (t->format == HLK_FORMAT_PAE && level == 2)
		return;
	printf("; %s, %s", entry & W ? "writable" : "read-only",
	       entry & U ? "for user mode" : "for supervisors");
	if (wide && entry & XD)
		printf(", not to be executed");
	if (entry & A)
		printf(", accessed");
	if (!last)
		return;
	if (entry & D)
		printf(", dirty");
	if (entry & G)
		printf(", global");
	if (entry & COW)
		printf(", copy-on-write");
	if (t->format >= HLK_FORMAT_4LEVEL && entry >> 59 & 15)
		printf(", protection key %u", (unsigned int)(entry >> 59 & 15));
}

static void print_entry(const struct hlk_translate *t, int level, bool last)
{
	int width = t->format == HLK_FORMAT_32BIT ? 8 : 16;
	uint64_t entry = t->entry[level];
	const char *end = last ? end_name(t) : NULL;
	char size[16];

	printf("  %-5s %4" PRIu64 "  ", entries[level], nr_of(t, level));
	if (end && t->head.why == HLK_WHY_NOT_RAM) {
		printf("the table at %" PRIx64 " is not in memory\n", (uint64_t)t->head.where);
		return;
	}
	printf("%0*" PRIx64 "  ", width, entry);
	if (end && t->head.why == HLK_WHY_NOT_PRESENT) {
		puts(entry ? "not present, though not zero" : "not present");
		return;
	}
	if (end) {
		puts("has reserved bits set: each access faults");
		return;
	}
	if (last) {
		pt_size_text(1ULL << t->page_shift, size, sizeof(size));
		printf("page of %s at %" PRIx64, size,
		       (uint64_t)t->gpa & ~(((uint64_t)1 << t->page_shift) - 1));
	} else {
		printf("table at %" PRIx64, entry & FRAME);
	}
	print_flags(t, level, last);
	putchar('\n');
}

static void print_rights(const struct hlk_translate *t)
{
	uint32_t map = t->map;
	bool access = !(map & HLK_MAP_KEY_NO_ACCESS);
	bool write = map & (HLK_MAP_WRITE | HLK_MAP_SUPER_WRITE);
	bool key = map & HLK_MAP_KEY_NO_WRITE;

	printf("  supervisor: %s%s%s%s%s\n", access ? "read" : "no data",
	       access && write && !(key && map & HLK_MAP_WRITE) ? ", write" : "",
	       map & (HLK_MAP_NX | HLK_MAP_SUPER_NX) ? "" : ", execute",
	       access && map & HLK_MAP_SUPER_AC ? "; data with EFLAGS.AC only, by SMAP" : "",
	       map & HLK_MAP_SUPER_WRITE ? "; writes as CR0.WP is clear" : "");
	if (!(map & HLK_MAP_USER))
		puts("  user mode: nothing");
	else
		printf("  user mode: %s%s%s\n", access ? "read" : "no data",
		       access && map & HLK_MAP_WRITE && !key ? ", write" : "",
		       map & HLK_MAP_NX ? "" : ", execute");
}

static void print_one(const struct pt_space *space, uint32_t nr)
{
	const struct hlk_translate *t = &space->roots[nr].at;
	int level;
	bool last;

	printf("%s, ", format_name(t->format));
	if (space->roots[nr].addr == PT_NO_ADDR)
		puts("root in CR3 of vCPU 0");
	else
		printf("root %u at %08" PRIx64 "\n", nr, pt_root_addr(space, nr));
	for (level = levels_of(t->format) - 1; level >= 0; level--) {
		last = shift_of(t->format, level) == t->page_shift;
		print_entry(t, level, last);
		if (last)
			break;
	}
	if (end_name(t)) {
		printf("%0*" PRIx64 " leads nowhere\n", pt_width(space), (uint64_t)t->va);
		return;
	}
	printf("%0*" PRIx64 " is guest-physical %" PRIx64 "%s\n", pt_width(space),
	       (uint64_t)t->va, (uint64_t)t->gpa,
	       t->map & HLK_MAP_NOT_RAM ? ", which is no memory" : "");
	print_rights(t);
}

static void print_one_json(const struct pt_space *space, uint32_t nr)
{
	const struct hlk_translate *t = &space->roots[nr].at;
	struct cJSON *one = cJSON_CreateObject();
	int level;

	json_u64(one, "root", nr);
	cJSON_AddStringToObject(one, "format", format_name(t->format));
	json_u64(one, "va", t->va);
	for (level = levels_of(t->format) - 1; level >= 0; level--)
		json_u64(one, entries[level], t->entry[level]);
	if (end_name(t)) {
		cJSON_AddStringToObject(one, "end", end_name(t));
		json_u64(one, "where", t->head.where);
	} else {
		json_u64(one, "gpa", t->gpa);
		json_u64(one, "page_bytes", 1ULL << t->page_shift);
		json_u64(one, "map", t->map);
	}
	json_print(one);
}

/**
 * pt_print_at() - the way to the address in each root
 * @space: the roots, after pt_find()
 * @json: for a program
 */
void pt_print_at(const struct pt_space *space, bool json)
{
	uint32_t i;

	if (!json) {
		print_safe(stdout, space->source, strlen(space->source));
		putchar('\n');
	}
	for (i = 0; i < space->nr_roots; i++) {
		if (json) {
			fputs(i ? ",\n" : "[\n", stdout);
			print_one_json(space, i);
		} else {
			print_one(space, i);
		}
	}
	if (json)
		puts("\n]");
}
