// SPDX-License-Identifier: GPL-2.0-only
/* hlk-run bench: what users of libhlk get, for people and for programs. */
#include <cjson/cJSON.h>
#include <stdio.h>

#include "out.h"

static const char *const how_text[] = { "learns", "guest", "host" };
static const char *const which_text[] = { "the same", "others", "drifting" };

static void print_cell(const struct bench_env *env, const struct used_cell *cell)
{
	char p50[24], mean[24], young[24];

	if (!cell->known)
		return;
	format_time(env, p50, sizeof(p50), cell->p50);
	format_time(env, mean, sizeof(mean), cell->mean);
	if (cell->young)
		format_time(env, young, sizeof(young), cell->young);
	else
		snprintf(young, sizeof(young), "-");
	printf(" %9s %9s %9s %8llu", p50, mean, young, (unsigned long long)cell->private);
}

static void print_first(const struct bench_env *env, const char *who,
			const struct used_first *of)
{
	char first[24], mean[24];

	format_time(env, first, sizeof(first), of->first);
	format_time(env, mean, sizeof(mean), of->mean);
	printf("  %-28s %9s %9s %8.1f\n", who, first, mean, of->pages);
}

/**
 * used_table() - that, for people
 * @env: the run
 * @used: what came out
 */
void used_table(const struct bench_env *env, const struct bench_used *used)
{
	const struct used_cell *cell;
	uint32_t i, which, how;
	char a2[24];

	puts("\nlibhlk as it is used: a call by name, its snapshot that of a new guest");
	puts("young: mean of the first 32 calls on the snapshot. private: pages at the end.");
	printf("a queue: %u calls at once, which learn; what each of them took\n", BENCH_BATCH);
	for (i = 0; i < NR_USED_PAGES && used->pages[i]; i++) {
		format_time(env, a2, sizeof(a2), used->a2[i]);
		printf("%u page%s; A2 %s%20s %9s %9s %8s\n", used->pages[i],
		       used->pages[i] == 1 ? "" : "s", a2, "p50", "mean", "young", "private");
		for (which = 0; which < NR_USED_WHICH; which++)
			for (how = 0; how < NR_USED_HOW; how++) {
				cell = &used->cell[i][which][how];
				printf("  %-9s %-8s", which_text[which], how_text[how]);
				print_cell(env, cell);
				putchar('\n');
			}
		printf("  %-9s %-8s", which_text[USED_SAME], "a queue");
		print_cell(env, &used->queue[i]);
		putchar('\n');
	}
	printf("restores 1 to 32, 8 pages     %10s %9s %8s\n", "first", "mean", "pages");
	print_first(env, "who took the snapshot", &used->taker);
	print_first(env, "a clone", &used->clone);
}

static void json_cell(struct cJSON *list, const struct bench_used *used, uint32_t i,
		      const char *which, const char *how, const struct used_cell *cell)
{
	struct cJSON *to = cJSON_CreateObject();

	cJSON_AddNumberToObject(to, "pages", used->pages[i]);
	cJSON_AddNumberToObject(to, "a2", used->a2[i]);
	cJSON_AddStringToObject(to, "writes", which);
	cJSON_AddStringToObject(to, "copy_on_write", how);
	cJSON_AddNumberToObject(to, "p50", cell->p50);
	cJSON_AddNumberToObject(to, "mean", cell->mean);
	cJSON_AddNumberToObject(to, "young", cell->young);
	cJSON_AddNumberToObject(to, "private", cell->private);
	cJSON_AddItemToArray(list, to);
}

static void json_first(struct cJSON *root, const char *name, const struct used_first *of)
{
	struct cJSON *to = cJSON_AddObjectToObject(root, name);

	cJSON_AddNumberToObject(to, "first", of->first);
	cJSON_AddNumberToObject(to, "mean", of->mean);
	cJSON_AddNumberToObject(to, "pages", of->pages);
}

/**
 * used_json() - that, for programs
 * @root: where it goes
 * @used: what came out
 */
void used_json(struct cJSON *root, const struct bench_used *used)
{
	struct cJSON *list = cJSON_AddArrayToObject(root, "libhlk");
	uint32_t i, which, how;

	for (i = 0; i < NR_USED_PAGES && used->pages[i]; i++) {
		for (which = 0; which < NR_USED_WHICH; which++)
			for (how = 0; how < NR_USED_HOW; how++)
				json_cell(list, used, i, which_text[which], how_text[how],
					  &used->cell[i][which][how]);
		json_cell(list, used, i, which_text[USED_SAME], "learns, a queue",
			  &used->queue[i]);
	}
	json_first(root, "restores_1_to_32_of_who_took_the_snapshot", &used->taker);
	json_first(root, "restores_1_to_32_of_a_clone", &used->clone);
}
