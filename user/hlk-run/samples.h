/* SPDX-License-Identifier: GPL-2.0-only */
/* Latencies: collected, ordered, drawn. */
#ifndef HLK_RUN_SAMPLES_H
#define HLK_RUN_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/**
 * struct samples - latencies in nanoseconds
 * @ns: the latencies; a random choice of them once there are too many
 * @nr: how many are in @ns
 * @seen: how many were added
 * @min: the least of all that were added
 * @max: the greatest
 * @sum: of all that were added
 * @random: state of the choice
 */
struct samples {
	uint64_t *ns;
	size_t nr;
	uint64_t seen;
	uint64_t min;
	uint64_t max;
	uint64_t sum;
	uint64_t random;
};

#define SAMPLES_MAX	(1U << 18)

int samples_init(struct samples *samples);
void samples_free(struct samples *samples);
void samples_add(struct samples *samples, uint64_t ns);
void samples_merge(struct samples *to, const struct samples *from);
void samples_sort(struct samples *samples);
uint64_t samples_at(const struct samples *samples, unsigned int percent);
uint64_t samples_mean(const struct samples *samples);
void samples_draw(const struct samples *samples, FILE *file, int width,
		  bool unicode);
int format_ns(char *buf, size_t size, uint64_t ns);

#endif /* HLK_RUN_SAMPLES_H */
