// SPDX-License-Identifier: GPL-2.0-only
/* hlk-run run: what it took. */
#include <errno.h>

#include "fail.h"
#include "interrupt.h"
#include "json.h"
#include "latency.h"
#include "report.h"
#include "table.h"
#include "term.h"

static const char *both_name(const struct loop *loop)
{
	return loop->opt->restore ? "restore + call" : "call";
}

static double rate(const struct loop *loop)
{
	return loop->elapsed ? loop->done * 1e9 / loop->elapsed : 0;
}

static void print_counts(const struct loop *loop, const struct term *term)
{
	const struct hlk_snapshot_counts *counts = &loop->info.counts;
	char more[128] = "";

	snprintf(more, sizeof(more), "%.0f per second", rate(loop));
	table_count(term, "calls", loop->calls, loop->calls ? more : "");
	if (loop->timeouts)
		table_count(term, "timeouts", loop->timeouts, "");
	if (loop->audits)
		table_count(term, "audits", loop->audits,
			    loop->err.code == EUCLEAN ? "and a difference" :
							"no difference");
	if (!loop->snap)
		return;
	table_count(term, "restores", loop->restores, loop->calls ? "" : more);
	snprintf(more, sizeof(more), "%.1f written back per restore",
		 loop->stats.restores ? (double)(loop->stats.pages_copied +
						 loop->stats.pages_cleared) /
					loop->stats.restores : 0.0);
	table_count(term, "private pages", loop->stats.private_pages, more);
	snprintf(more, sizeof(more), "%llu copied, %llu shared, %llu of zeroes",
		 (unsigned long long)counts->copied,
		 (unsigned long long)counts->inherited,
		 (unsigned long long)counts->zero);
	table_count(term, "snapshot pages", counts->pages, more);
	snprintf(more, sizeof(more), "%llu read, %u roots",
		 (unsigned long long)counts->tables_read, loop->info.nr_roots);
	table_count(term, "page-table pages", counts->tables, more);
}

static void print_table(const struct loop *loop)
{
	const struct samples *drawn = loop->both.nr ? &loop->both :
						      &loop->restore;
	struct term term;

	term_init(&term, stdout);
	putchar('\n');
	print_counts(loop, &term);
	latency_table(&term, (const struct latency[]) {
		{ "restore", &loop->restore },
		{ both_name(loop), &loop->both },
	}, 2);
	if (drawn->nr >= 10) {
		printf("\n%s%s%s\n", term_on(&term, "\033[1m"),
		       loop->both.nr ? both_name(loop) : "restore",
		       term_off(&term));
		samples_draw(drawn, stdout, term.width, term.unicode);
	}
	latency_note(&term);
}

static void json_snapshot(struct cJSON *to, const struct loop *loop)
{
	const struct hlk_snapshot_counts *counts = &loop->info.counts;
	struct cJSON *one;

	if (!loop->snap)
		return;
	one = cJSON_AddObjectToObject(to, "snapshot");
	cJSON_AddBoolToObject(one, "compact",
			      loop->info.flags & HLK_SNAPSHOT_COMPACT);
	json_u64(one, "roots", loop->info.nr_roots);
	json_u64(one, "pages", counts->pages);
	json_u64(one, "copied", counts->copied);
	json_u64(one, "inherited", counts->inherited);
	json_u64(one, "zero", counts->zero);
	json_u64(one, "tables", counts->tables);
	json_u64(one, "tables_read", counts->tables_read);
	json_u64(one, "aliased", counts->aliased);
	json_u64(one, "large", counts->large);
	json_u64(one, "leaf_not_ram", counts->leaf_not_ram);
	json_u64(one, "table_not_ram", counts->table_not_ram);
	json_u64(one, "duplicate", counts->duplicate);
	json_u64(one, "tables_kept", counts->tables_kept);
}

static void json_stats(struct cJSON *to, const struct hlk_vm_stats *stats)
{
	struct cJSON *one = cJSON_AddObjectToObject(to, "stats");

	json_u64(one, "private_pages", stats->private_pages);
	json_u64(one, "max_private", stats->max_private);
	json_u64(one, "read_faults", stats->read_faults);
	json_u64(one, "write_faults", stats->write_faults);
	json_u64(one, "over_budget", stats->over_budget);
	json_u64(one, "restores", stats->restores);
	json_u64(one, "switches", stats->switches);
	json_u64(one, "pages_copied", stats->pages_copied);
	json_u64(one, "pages_cleared", stats->pages_cleared);
	json_u64(one, "pages_freed", stats->pages_freed);
	json_u64(one, "pages_idle", stats->pages_idle);
	json_u64(one, "prefaulted", stats->prefaulted);
	json_u64(one, "runs", stats->runs);
}

static void json_failure(struct cJSON *to, const struct loop *loop)
{
	const struct hlk_exit *exit = hlk_sandbox_exit(loop->sb);
	struct cJSON *one;

	fail_json(to);
	if (!loop->err.code)
		return;
	if (exit->reason == HLK_EXIT_NONE || exit->reason == HLK_EXIT_HALT)
		return;
	one = cJSON_AddObjectToObject(to, "guest_exit");
	cJSON_AddStringToObject(one, "reason",
				hlk_exit_reason_text(exit->reason));
	json_u64(one, "code", exit->code);
	json_u64(one, "error_code", exit->error_code);
	if (exit->flags & HLK_EXIT_HAS_FAULT)
		json_u64(one, "fault", exit->fault);
	json_u64(one, "eip", exit->regs.eip);
	json_u64(one, "esp", exit->regs.esp);
	json_u64(one, "cr2", exit->regs.cr2);
	json_u64(one, "cr3", exit->regs.cr3);
}

static void print_json(const struct loop *loop)
{
	struct cJSON *root = cJSON_CreateObject();
	struct cJSON *latency;

	cJSON_AddNumberToObject(root, "exit_code", loop->exit_code);
	json_u64(root, "calls", loop->calls);
	json_u64(root, "restores", loop->restores);
	json_u64(root, "audits", loop->audits);
	json_u64(root, "timeouts", loop->timeouts);
	json_u64(root, "elapsed_ns", loop->elapsed);
	cJSON_AddBoolToObject(root, "interrupted", interrupted());
	if (loop->answers)
		json_bytes(root, "answer", "answer_hex", loop->last, loop->last_len);
	cJSON_AddBoolToObject(root, "answers_differ", loop->answers > 1);
	if (loop->exit_code)
		json_failure(root, loop);
	json_snapshot(root, loop);
	json_stats(root, &loop->stats);
	latency = cJSON_AddObjectToObject(root, "latency_ns");
	latency_json(latency, "restore", &loop->restore);
	latency_json(latency, loop->opt->restore ? "restore_and_call" : "call",
		     &loop->both);
	cJSON_AddBoolToObject(root, "emulated", emulated());
	json_print(root);
}

void report_loop(const struct loop *loop)
{
	if (loop->opt->json)
		print_json(loop);
	else
		print_table(loop);
}
