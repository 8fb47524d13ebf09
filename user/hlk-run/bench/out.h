/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run bench: output. */
#ifndef HLK_RUN_BENCH_OUT_H
#define HLK_RUN_BENCH_OUT_H

#include "goals.h"
#include "results.h"

struct cJSON;

struct cJSON *bench_json(const struct bench_report *report,
			 const struct bench_goal *goal, uint32_t nr_goals);
void bench_table(const struct bench_report *report,
		 const struct bench_goal *goal, uint32_t nr_goals);
int bench_svg(const struct bench_report *report, const char *path);
void model_table(void);
void model_beside(const struct bench_report *report);
int bench_report_file(const struct bench_report *report, const struct bench_goal *goal,
		      uint32_t nr_goals, const char *path);
void used_table(const struct bench_env *env, const struct bench_used *used);
void used_json(struct cJSON *root, const struct bench_used *used);
void format_cfg(char *buf, size_t size, const struct bench_cfg *cfg);
void format_time(const struct bench_env *env, char *buf, size_t size,
		 double value);

#endif /* HLK_RUN_BENCH_OUT_H */
