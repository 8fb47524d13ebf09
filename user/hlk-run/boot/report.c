// SPDX-License-Identifier: GPL-2.0-only
/* hlk-run boot: what it took. */
#include "../fail.h"
#include "../interrupt.h"
#include "../json.h"
#include "../latency.h"
#include "../table.h"
#include "rounds.h"

static double per_round(const struct rounds *rounds, uint64_t sum)
{
	return rounds->done ? (double)sum / rounds->done : 0;
}

static void print_table(const struct rounds *rounds)
{
	const char *what = rounds->opt->call ? "restore + call" : "restore + run";
	const struct hlk_snapshot_counts *counts = &rounds->info.counts;
	char more[128], text[24];
	struct term term;

	term_init(&term, stdout);
	format_ns(text, sizeof(text), rounds->boot_ns);
	putchar('\n');
	table_row(&term, rounds->opt->loaded ? "load" : "boot", text,
		  rounds->opt->loaded ? "" : hlk_protocol_text(rounds->placed.protocol));
	if (!rounds->snap)
		return;
	snprintf(more, sizeof(more), "%llu of zeroes",
		 (unsigned long long)counts->zero);
	table_count(&term, "snapshot pages", counts->pages, more);
	if (rounds->opt->call)
		snprintf(more, sizeof(more), "%.1f pages copied back each",
			 per_round(rounds, rounds->copied));
	else
		snprintf(more, sizeof(more), "%.1f exits, %.1f pages copied back each",
			 per_round(rounds, rounds->exits),
			 per_round(rounds, rounds->copied));
	table_count(&term, rounds->opt->call ? "calls" : "rounds", rounds->done, more);
	if (rounds->audits)
		table_count(&term, "audits", rounds->audits, "0 differences");
	if (rounds->cuts)
		table_count(&term, "rounds cut off", rounds->cuts, "");
	if (rounds->opt->clones)
		table_count(&term, "clones", rounds->opt->clones, rounds->exit_code ? "" : "in processes of their own, with the same rounds");
	if (!rounds->both.nr)
		return;
	latency_table(&term, &(const struct latency) { what, &rounds->both }, 1);
	if (rounds->both.nr >= 10) {
		printf("\n%s%s%s\n", term_on(&term, "\033[1m"), what,
		       term_off(&term));
		samples_draw(&rounds->both, stdout, term.width, term.unicode);
	}
	latency_note(&term);
}

static void json_stop(struct cJSON *to, const struct rounds *rounds)
{
	const struct hlk_machine_run *run = &rounds->run;
	struct cJSON *one = cJSON_AddObjectToObject(to, "stop");

	cJSON_AddStringToObject(one, "reason", hlk_stop_text(run->stop));
	json_u64(one, "value", run->value);
	json_u64(one, "rip", run->rip);
	json_u64(one, "cr3", run->cr3);
}

static void print_json(const struct rounds *rounds)
{
	struct cJSON *root = cJSON_CreateObject();
	size_t kept = rounds->first.len < OUTPUT_KEPT ? rounds->first.len :
							OUTPUT_KEPT;
	struct cJSON *latency;

	cJSON_AddNumberToObject(root, "exit_code", rounds->exit_code);
	if (rounds->exit_code)
		fail_json(root);
	cJSON_AddBoolToObject(root, "interrupted", interrupted());
	if (!rounds->opt->loaded)
		cJSON_AddStringToObject(root, "protocol",
					hlk_protocol_text(rounds->placed.protocol));
	json_u64(root, "entry", rounds->placed.entry);
	json_u64(root, rounds->opt->loaded ? "load_ns" : "boot_ns", rounds->boot_ns);
	json_u64(root, "rounds", rounds->done);
	json_u64(root, "elapsed_ns", rounds->elapsed);
	json_u64(root, "exits", rounds->exits);
	json_u64(root, "copied", rounds->copied);
	json_u64(root, "audits", rounds->audits);
	json_u64(root, "cut_off", rounds->cuts);
	json_u64(root, "clones", rounds->opt->clones);
	json_stop(root, rounds);
	if (rounds->done)
		json_bytes(root, "output", "output_hex", rounds->first.text, kept);
	if (rounds->snap) {
		json_u64(root, "snapshot_pages", rounds->info.counts.pages);
		json_u64(root, "snapshot_zero", rounds->info.counts.zero);
	}
	latency = cJSON_AddObjectToObject(root, "latency_ns");
	latency_json(latency, "restore_and_run", &rounds->both);
	cJSON_AddBoolToObject(root, "emulated", emulated());
	json_print(root);
}

/**
 * rounds_report() - say what it took
 * @rounds: the run
 */
void rounds_report(const struct rounds *rounds)
{
	if (rounds->opt->json)
		print_json(rounds);
	else
		print_table(rounds);
}
