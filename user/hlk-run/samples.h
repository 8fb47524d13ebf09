/* SPDX-License-Identifier: GPL-2.0-only */
/* Latencies: counted, drawn. */
#ifndef HLK_RUN_SAMPLES_H
#define HLK_RUN_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SAMPLES_ALL	10000U		/* all of them, in hundredths of a percent */

/**
 * struct samples - latencies in nanoseconds
 * @count: how many are in each bucket
 * @nr: how many there are
 * @min: the least of them
 * @max: the greatest
 * @sum: of all
 */
struct samples {
	uint64_t *count;
	uint64_t nr;
	uint64_t min;
	uint64_t max;
	uint64_t sum;
};

int samples_init(struct samples *samples);
void samples_free(struct samples *samples);
void samples_add(struct samples *samples, uint64_t ns);
void samples_merge(struct samples *to, const struct samples *from);
uint64_t samples_at(const struct samples *samples, unsigned int part);
uint64_t samples_mean(const struct samples *samples);
void samples_draw(const struct samples *samples, FILE *file, int width,
		  bool unicode);
int format_ns(char *buf, size_t size, uint64_t ns);

#endif /* HLK_RUN_SAMPLES_H */
