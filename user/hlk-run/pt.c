// SPDX-License-Identifier: GPL-2.0-only
/* hlk-run pt: what a guest's page tables map. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

#define BATCH	256

/**
 * struct listing - a list that is being printed
 * @json: the array that mappings are added to, or NULL for text
 * @root: the root that was printed last
 * @roots: all roots
 */
struct listing {
	struct cJSON *json;
	uint32_t root;
	const uint64_t *roots;
};

static const struct {
	uint32_t bit;
	const char *name;
} kinds[] = {
	{ HLK_MAP_LARGE, "4M" },
	{ HLK_MAP_COW, "cow" },
	{ HLK_MAP_NOT_RAM, "no-memory" },
	{ HLK_MAP_TABLE_NOT_RAM, "table-not-in-memory" },
	{ HLK_MAP_SUPER_WRITE, "wp-off" },
};

#define NR_KINDS	(sizeof(kinds) / sizeof(*kinds))

static void add_json(struct listing *list, const struct hlk_mapping *map)
{
	struct cJSON *one = cJSON_CreateObject();
	size_t i;

	json_u64(one, "root", map->root);
	json_u64(one, "va", map->va);
	json_u64(one, "pages", map->pages);
	json_u64(one, "gpa", map->gpa);
	cJSON_AddBoolToObject(one, "write", map->map & HLK_MAP_WRITE);
	cJSON_AddBoolToObject(one, "user", map->map & HLK_MAP_USER);
	for (i = 0; i < NR_KINDS; i++)
		if (map->map & kinds[i].bit)
			cJSON_AddTrueToObject(one, kinds[i].name);
	if (map->map & HLK_MAP_ALIAS) {
		json_u64(one, "alias_root", map->alias_root);
		json_u64(one, "alias_va", map->alias_va);
	}
	cJSON_AddItemToArray(list->json, one);
}

static void print_mapping(struct listing *list, const struct hlk_mapping *map)
{
	size_t i;

	if (map->root != list->root) {
		list->root = map->root;
		printf("root %u at 0x%08llx\n", map->root,
		       (unsigned long long)list->roots[map->root]);
	}
	printf("  %08llx-%08llx  %6u pages  -> %08llx  %c%c",
	       (unsigned long long)map->va,
	       (unsigned long long)(map->va + map->pages * 4096ULL - 1),
	       map->pages, (unsigned long long)map->gpa,
	       map->map & HLK_MAP_WRITE ? 'w' : 'r',
	       map->map & HLK_MAP_USER ? 'u' : 's');
	for (i = 0; i < NR_KINDS; i++)
		if (map->map & kinds[i].bit)
			printf(" %s", kinds[i].name);
	if (map->map & HLK_MAP_ALIAS)
		printf(" table of root %u, %08x", map->alias_root,
		       map->alias_va);
	putchar('\n');
}

static int list_all(struct hlk_sandbox *sb, const uint64_t *roots, uint32_t nr,
		    struct listing *list)
{
	struct hlk_mapping map[BATCH];
	struct hlk_walk walk = {
		.roots = (uintptr_t)roots,
		.mappings = (uintptr_t)map,
		.nr_roots = nr,
	};
	uint32_t i;

	do {
		walk.nr_mappings = BATCH;
		if (hlk_sandbox_walk(sb, &walk))
			return fail_sandbox(sb);
		for (i = 0; i < walk.nr_mappings; i++) {
			if (list->json)
				add_json(list, &map[i]);
			else
				print_mapping(list, &map[i]);
		}
	} while (walk.cursor);
	return RUN_OK;
}

/* Roots that the guest published; a guest that published none has CR3 */
static int find_roots(struct hlk_sandbox *sb, uint64_t *roots, uint32_t *nr)
{
	*nr = HLK_GUEST_MAX_ROOTS;
	if (hlk_sandbox_roots(sb, roots, nr))
		return fail_sandbox(sb);
	if (!*nr) {
		struct hlk_regs regs;

		if (hlk_sandbox_regs(sb, &regs))
			return fail_sandbox(sb);
		roots[0] = regs.cr3;
		*nr = 1;
	}
	return RUN_OK;
}

static int list_guest(struct hlk_sandbox *sb, const struct options *opt)
{
	uint64_t roots[HLK_GUEST_MAX_ROOTS];
	struct listing list = { .root = UINT32_MAX, .roots = roots };
	uint32_t nr;
	int ret;

	ret = find_roots(sb, roots, &nr);
	if (ret)
		return ret;
	if (opt->json)
		list.json = cJSON_CreateArray();
	ret = list_all(sb, roots, nr, &list);
	if (list.json)
		json_print(list.json);
	return ret;
}

int cmd_pt(const struct options *opt)
{
	struct options quiet = *opt;
	struct hlk_sandbox *sb;
	struct hlk_ctx *ctx;
	struct hlk_err err;
	int ret;

	if (hlk_open(&ctx, &err))
		return fail_err(NULL, &err);
	quiet.quiet = true;
	ret = guest_open(ctx, &quiet, &sb);
	if (!ret) {
		ret = list_guest(sb, opt);
		hlk_sandbox_close(sb);
	}
	hlk_close(ctx);
	return ret;
}
