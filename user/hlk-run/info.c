// SPDX-License-Identifier: GPL-2.0-only
/* hlk-run info: what the module is like. */
#include <cjson/cJSON.h>

#include "fail.h"
#include "info.h"
#include "json.h"
#include "term.h"

static const struct {
	uint64_t bit;
	const char *name;
} features[] = {
	{ HLK_FEATURE_FLAT, "flat" },
	{ HLK_FEATURE_COMPACT, "compact" },
	{ HLK_FEATURE_WALK, "walk" },
	{ HLK_FEATURE_MARK_COW, "mark-cow" },
	{ HLK_FEATURE_RUN, "run" },
	{ HLK_FEATURE_URING, "io_uring" },
	{ HLK_FEATURE_PREFAULT, "prefault" },
	{ HLK_FEATURE_AUDIT, "audit" },
	{ HLK_FEATURE_DEDUP, "dedup" },
	{ HLK_FEATURE_INSPECT, "inspect" },
	{ HLK_FEATURE_RUN_MANY, "run-many" },
	{ HLK_FEATURE_DEADLINE, "deadline" },
	{ HLK_FEATURE_PROGRAM, "program" },
	{ HLK_FEATURE_LEARN, "learn" },
	{ HLK_FEATURE_TURNS, "turns" },
	{ HLK_FEATURE_IMPORT, "import" },
};

#define NR_FEATURES	(sizeof(features) / sizeof(*features))

static void print_json(const struct hlk_info *info)
{
	struct cJSON *root = cJSON_CreateObject();
	struct cJSON *list = cJSON_AddArrayToObject(root, "features");
	struct cJSON *name;
	size_t i;

	for (i = 0; i < NR_FEATURES; i++)
		if (info->features & features[i].bit) {
			name = cJSON_CreateString(features[i].name);
			cJSON_AddItemToArray(list, name);
		}
	json_u64(root, "version", info->version);
	json_u64(root, "max_windows", info->max_windows);
	json_u64(root, "max_vcpus", info->max_vcpus);
	json_u64(root, "max_roots", info->max_roots);
	json_u64(root, "max_tables", info->max_tables);
	json_u64(root, "max_pages", info->max_pages);
	json_u64(root, "max_private", info->max_private);
	json_u64(root, "live_vms", info->live_vms);
	json_u64(root, "live_snapshots", info->live_snapshots);
	json_u64(root, "live_pages", info->live_pages);
	cJSON_AddBoolToObject(root, "emulated", emulated());
	json_print(root);
}

static void row(const char *name, unsigned long long value)
{
	printf("%-28s %12llu\n", name, value);
}

static void print_table(const struct hlk_info *info)
{
	size_t i;

	row("module version", info->version);
	printf("%-28s", "features");
	for (i = 0; i < NR_FEATURES; i++)
		if (info->features & features[i].bit)
			printf(" %s", features[i].name);
	putchar('\n');
	row("windows per VM", info->max_windows);
	row("vCPUs per VM", info->max_vcpus);
	row("roots per snapshot", info->max_roots);
	row("page tables per snapshot", info->max_tables);
	row("pages per snapshot", info->max_pages);
	row("private pages per VM", info->max_private);
	row("VMs now", info->live_vms);
	row("snapshots now", info->live_snapshots);
	row("guest pages held now", info->live_pages);
	if (emulated())
		puts("This machine's processor is emulated: times mean little.");
}

int cmd_info(struct options *opt)
{
	struct hlk_info info;
	struct hlk_ctx *ctx;
	struct hlk_err err;
	int ret = RUN_OK;

	if (hlk_open(&ctx, &err))
		return fail_err(NULL, &err);
	if (hlk_get_info(ctx, &info, &err))
		ret = fail_err(NULL, &err);
	else if (opt->json)
		print_json(&info);
	else
		print_table(&info);
	hlk_close(ctx);
	return ret;
}
