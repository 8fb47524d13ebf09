/* SPDX-License-Identifier: GPL-2.0-only */
/* A table of latencies, and the same as JSON. */
#ifndef HLK_RUN_LATENCY_H
#define HLK_RUN_LATENCY_H

#include "samples.h"
#include "term.h"

struct cJSON;

/**
 * struct latency - a row of a table of latencies
 * @name: of what
 * @samples: the latencies
 */
struct latency {
	const char *name;
	const struct samples *samples;
};

void latency_table(const struct term *term, const struct latency *rows, size_t nr);
void latency_json(struct cJSON *to, const char *name,
		  const struct samples *samples);
void latency_note(const struct term *term);

#endif /* HLK_RUN_LATENCY_H */
