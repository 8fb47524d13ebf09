/* SPDX-License-Identifier: GPL-2.0-only */
/* A table of latencies, and the same as JSON. */
#ifndef HLK_RUN_LATENCY_H
#define HLK_RUN_LATENCY_H

#include "samples.h"
#include "term.h"

struct cJSON;

void latency_head(const struct term *term);
void latency_row(const char *name, const struct samples *samples);
void latency_json(struct cJSON *to, const char *name,
		  const struct samples *samples);
void latency_note(void);

#endif /* HLK_RUN_LATENCY_H */
