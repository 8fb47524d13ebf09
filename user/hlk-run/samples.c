// SPDX-License-Identifier: GPL-2.0-only
/*
 * Latencies. Memory is bounded: beyond SAMPLES_MAX each new one replaces a
 * random old one or none, so that all have the same chance to be kept
 * (reservoir sampling); least, greatest and mean are those of all.
 */
#include "samples.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROWS	12
#define LABEL	32

int samples_init(struct samples *samples)
{
	memset(samples, 0, sizeof(*samples));
	samples->min = UINT64_MAX;
	samples->random = 0x9e3779b97f4a7c15;
	samples->ns = malloc(SAMPLES_MAX * sizeof(*samples->ns));
	return samples->ns ? 0 : -1;
}

void samples_free(struct samples *samples)
{
	free(samples->ns);
	samples->ns = NULL;
}

/* xorshift64; its quality does not matter here */
static uint64_t next_random(struct samples *samples)
{
	uint64_t x = samples->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	samples->random = x;
	return x;
}

void samples_add(struct samples *samples, uint64_t ns)
{
	uint64_t at = samples->seen++;

	samples->sum += ns;
	if (ns < samples->min)
		samples->min = ns;
	if (ns > samples->max)
		samples->max = ns;
	if (samples->nr < SAMPLES_MAX)
		samples->nr++;
	else
		at = next_random(samples) % samples->seen;
	if (at < SAMPLES_MAX)
		samples->ns[at] = ns;
}

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a;
	uint64_t right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

/**
 * samples_merge() - add those of another collection
 * @to: where they go
 * @from: the other one
 *
 * Beyond SAMPLES_MAX those kept of @from stand for all of it.
 */
void samples_merge(struct samples *to, const struct samples *from)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < from->nr; i++) {
		samples_add(to, from->ns[i]);
		sum += from->ns[i];
	}
	to->seen += from->seen - from->nr;
	to->sum += from->sum - sum;
	if (from->min < to->min)
		to->min = from->min;
	if (from->max > to->max)
		to->max = from->max;
}

void samples_sort(struct samples *samples)
{
	qsort(samples->ns, samples->nr, sizeof(*samples->ns), compare);
}

/**
 * samples_at() - a percentile
 * @samples: sorted, at least one
 * @percent: 0 is the least of all, 100 the greatest of all
 *
 * Return: the least latency that so many percent do not exceed
 */
uint64_t samples_at(const struct samples *samples, unsigned int percent)
{
	size_t rank;

	if (!percent)
		return samples->min;
	if (percent >= 100)
		return samples->max;
	rank = (samples->nr * percent + 99) / 100;
	return samples->ns[rank - 1];
}

uint64_t samples_mean(const struct samples *samples)
{
	return samples->seen ? samples->sum / samples->seen : 0;
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
	double low = log(samples->ns[0] + 1.0);
	double high = log(samples_at(samples, 99) + 2.0);
	int i;

	for (i = 0; i <= ROWS; i++)
		bound[i] = exp(low + (high - low) * i / ROWS) - 1.0;
}

static void count_rows(const struct samples *samples, const double *bound,
		       size_t *count)
{
	size_t i;
	int row;

	memset(count, 0, ROWS * sizeof(*count));
	for (i = 0, row = 0; i < samples->nr; i++) {
		while (row < ROWS - 1 && samples->ns[i] >= bound[row + 1])
			row++;
		count[row]++;
	}
}

/**
 * samples_draw() - a histogram
 * @samples: sorted
 * @file: where it goes
 * @width: columns of the terminal
 * @unicode: block characters can be shown
 */
void samples_draw(const struct samples *samples, FILE *file, int width,
		  bool unicode)
{
	double bound[ROWS + 1];
	size_t count[ROWS];
	size_t most = 0;
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
