// SPDX-License-Identifier: GPL-2.0-only
/*
 * Latencies, in a histogram whose buckets are linear within each power of two.
 * Below SAMPLES_EXACT each number has a bucket of its own; above, a bucket is
 * narrower than its numbers by SAMPLES_STEPS or more. Each one is counted, however many
 * there are, so percentiles are of all of them, the last ones too, and two histograms
 * are put together by adding. Least, greatest and mean are exact.
 */
#include "samples.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES_STEPS	8192U		/* in each power of two */
#define SAMPLES_EXACT	(2 * SAMPLES_STEPS)
#define STEPS_BITS	13
#define BUCKETS		((64 - STEPS_BITS) * SAMPLES_STEPS + SAMPLES_STEPS)
#define ROWS	12
#define LABEL	26

static unsigned int shift_of(uint64_t ns)
{
	return ns < SAMPLES_EXACT ? 0 : 63 - __builtin_clzll(ns) - STEPS_BITS;
}

static size_t bucket_of(uint64_t ns)
{
	unsigned int shift = shift_of(ns);

	return (size_t)shift * SAMPLES_STEPS + (ns >> shift);
}

/* The least number of a bucket; there is one after the last, which has none */
static uint64_t bucket_from(size_t bucket)
{
	unsigned int shift = bucket < SAMPLES_EXACT ? 0 : bucket / SAMPLES_STEPS - 1;

	return (uint64_t)(bucket - (size_t)shift * SAMPLES_STEPS) << shift;
}

/**
 * samples_init() - a collection with nothing in it
 * @samples: out: the collection
 *
 * Memory is touched where there are latencies, and nowhere else.
 *
 * Return: 0, or -1 without memory
 */
int samples_init(struct samples *samples)
{
	memset(samples, 0, sizeof(*samples));
	samples->min = UINT64_MAX;
	samples->count = calloc(BUCKETS, sizeof(*samples->count));
	return samples->count ? 0 : -1;
}

void samples_free(struct samples *samples)
{
	free(samples->count);
	samples->count = NULL;
}

void samples_add(struct samples *samples, uint64_t ns)
{
	samples->count[bucket_of(ns)]++;
	samples->nr++;
	samples->sum += ns;
	if (ns < samples->min)
		samples->min = ns;
	if (ns > samples->max)
		samples->max = ns;
}

/**
 * samples_merge() - add those of another collection
 * @to: where they go
 * @from: the other one
 */
void samples_merge(struct samples *to, const struct samples *from)
{
	size_t i, last;

	if (!from->nr)
		return;
	last = bucket_of(from->max);
	for (i = bucket_of(from->min); i <= last; i++)
		if (from->count[i])
			to->count[i] += from->count[i];
	to->nr += from->nr;
	to->sum += from->sum;
	if (from->min < to->min)
		to->min = from->min;
	if (from->max > to->max)
		to->max = from->max;
}

/**
 * samples_at() - a percentile
 * @samples: at least one
 * @part: in hundredths of a percent; 0 is the least of all, SAMPLES_ALL the greatest
 *
 * Return: the least latency that so many do not exceed; of its bucket the greatest
 */
uint64_t samples_at(const struct samples *samples, unsigned int part)
{
	uint64_t rank, at;
	size_t i;

	if (!part)
		return samples->min;
	if (part >= SAMPLES_ALL)
		return samples->max;
	rank = samples->nr / SAMPLES_ALL * part +
	       (samples->nr % SAMPLES_ALL * part + SAMPLES_ALL - 1) / SAMPLES_ALL;
	for (i = bucket_of(samples->min); rank > samples->count[i]; i++)
		rank -= samples->count[i];
	at = bucket_from(i + 1) - 1;
	return at < samples->max ? at : samples->max;
}

uint64_t samples_mean(const struct samples *samples)
{
	return samples->nr ? samples->sum / samples->nr : 0;
}

/* Three digits and a unit, as wide as a column of the table */
int format_ns(char *buf, size_t size, uint64_t ns)
{
	static const char * const unit[] = { "ns", "us", "ms", "s" };
	double value = ns;
	int at = 0;

	while (value >= 999.5 && at < 3) {
		value /= 1000;
		at++;
	}
	return snprintf(buf, size, "%.*f %s",
			!at || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2,
			value, unit[at]);
}

static void draw_bar(FILE *file, double share, int width, bool unicode)
{
	static const char * const part[] = {
		"", "▏", "▎", "▍", "▌", "▋", "▊", "▉",
	};
	int eighths = lround(share * width * 8);
	int i;

	/* What is there is seen, however little it is. */
	if (share > 0 && eighths < 1)
		eighths = 1;
	if (!unicode) {
		for (i = 0; i < (eighths + 7) / 8; i++)
			fputc('#', file);
		return;
	}
	for (i = 0; i < eighths / 8; i++)
		fputs("█", file);
	fputs(part[eighths % 8], file);
}

/*
 * The bounds of the rows: from the least to the 99th percentile in equal steps
 * of the logarithm; what is beyond goes into the last row.
 */
static void make_bounds(const struct samples *samples, double *bound)
{
	double low = log(samples->min + 1.0);
	double high = log(samples_at(samples, 9900) + 2.0);
	int i;

	for (i = 0; i <= ROWS; i++)
		bound[i] = exp(low + (high - low) * i / ROWS) - 1.0;
}

static void count_rows(const struct samples *samples, const double *bound,
		       uint64_t *count)
{
	size_t i, last = bucket_of(samples->max);
	int row = 0;

	memset(count, 0, ROWS * sizeof(*count));
	for (i = bucket_of(samples->min); i <= last; i++) {
		while (row < ROWS - 1 && bucket_from(i) >= bound[row + 1])
			row++;
		count[row] += samples->count[i];
	}
}

/**
 * samples_draw() - a histogram
 * @samples: the latencies
 * @file: where it goes
 * @width: columns of the terminal
 * @unicode: block characters can be shown
 */
void samples_draw(const struct samples *samples, FILE *file, int width,
		  bool unicode)
{
	double bound[ROWS + 1];
	uint64_t count[ROWS];
	uint64_t most = 0;
	char text[24];
	int i;

	if (!samples->nr)
		return;
	make_bounds(samples, bound);
	count_rows(samples, bound, count);
	for (i = 0; i < ROWS; i++)
		if (count[i] > most)
			most = count[i];
	width = width > LABEL + 10 ? width - LABEL : 10;
	for (i = 0; i < ROWS; i++) {
		format_ns(text, sizeof(text), bound[i]);
		fprintf(file, "  %s %9s %8.2f%%  ", unicode ? "≥" : ">", text,
			100.0 * count[i] / samples->nr);
		draw_bar(file, (double)count[i] / most, width, unicode);
		fputc('\n', file);
	}
}
