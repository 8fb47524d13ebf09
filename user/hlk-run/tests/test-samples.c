// SPDX-License-Identifier: GPL-2.0-only
/* Percentiles, units and the histogram of hlk-run. */
#include <stdlib.h>
#include <string.h>

#include "../../libhlk/tests/tap.h"
#include "../samples.h"

static void test_percentiles(void)
{
	struct samples samples;
	uint64_t i;

	samples_init(&samples);
	for (i = 100; i; i--)
		samples_add(&samples, i * 10);
	tap(samples_at(&samples, 0) == 10 && samples_at(&samples, 5000) == 500 &&
	    samples_at(&samples, 9000) == 900 &&
	    samples_at(&samples, 9900) == 990 &&
	    samples_at(&samples, 9990) == 1000 && samples_at(&samples, 9901) == 1000 &&
	    samples_at(&samples, SAMPLES_ALL) == 1000, "percentiles of 100");
	tap(samples_mean(&samples) == 505, "mean");
	samples_free(&samples);

	samples_init(&samples);
	samples_add(&samples, 7);
	tap(samples_at(&samples, 100) == 7 && samples_at(&samples, 9900) == 7,
	    "percentiles of one");
	samples_free(&samples);
}

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

#define MANY		1000000

/* Of all widths: a percentile is the value of its rank, or as little above it as is told */
static void test_many(void)
{
	static const unsigned int part[] = { 1, 5000, 9000, 9900, 9990, 9999 };
	uint64_t *value = malloc(MANY * sizeof(*value)), x = 88172645463325252, got, want;
	struct samples samples[2];
	double most = 0;
	bool below = false;
	size_t i;

	samples_init(&samples[0]);
	samples_init(&samples[1]);
	for (i = 0; i < MANY; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		value[i] = x >> (x % 50);
		samples_add(&samples[i % 3 == 0], value[i]);
	}
	samples_merge(&samples[0], &samples[1]);
	qsort(value, MANY, sizeof(*value), compare);
	for (i = 0; i < sizeof(part) / sizeof(*part); i++) {
		got = samples_at(&samples[0], part[i]);
		want = value[((uint64_t)MANY * part[i] + SAMPLES_ALL - 1) / SAMPLES_ALL - 1];
		below |= got < want;
		if ((double)(got - want) / want > most)
			most = (double)(got - want) / want;
	}
	tap(!below && most < 1.0 / 8192, "ranks of a million of two threads are exact, values to 1/8192 (%.6f)",
	    most);
	tap(samples[0].nr == MANY && samples_at(&samples[0], 0) == value[0] &&
	    samples_at(&samples[0], SAMPLES_ALL) == value[MANY - 1], "none is left out");
	samples_free(&samples[0]);
	samples_free(&samples[1]);
	free(value);
}

/* One in ten thousand: 9,999 others hide it from all columns but the last one and p99.99 */
static void test_tail(void)
{
	struct samples samples;
	int i;

	samples_init(&samples);
	for (i = 0; i < 19998; i++)
		samples_add(&samples, 16383);
	samples_add(&samples, 1000000);
	tap(samples_at(&samples, 9999) == 16383 && samples_at(&samples, SAMPLES_ALL) == 1000000,
	    "p99.99 of one in 19,999");
	samples_add(&samples, 1000000);
	samples_add(&samples, 1000000);
	tap(samples_at(&samples, 9999) >= 1000000 && samples_at(&samples, 9990) == 16383,
	    "and of three in 20,001");
	samples_free(&samples);
}

static void test_bounds(void)
{
	struct samples samples;
	bool good = true;
	uint64_t value;
	int i;

	for (i = 0; i < 64; i++) {
		value = 1ULL << i;
		samples_init(&samples);
		samples_add(&samples, value - 1);
		samples_add(&samples, value);
		samples_add(&samples, UINT64_MAX);
		good &= samples_at(&samples, 3333) >= value - 1 && samples_at(&samples, 3333) <
			value && samples_at(&samples, 5000) >= value;
		samples_free(&samples);
	}
	tap(good, "powers of two and what is below them are in different buckets");
}

static void unit(uint64_t ns, const char *want)
{
	char text[24];

	format_ns(text, sizeof(text), ns);
	tap(!strcmp(text, want), "%llu is %s, got %s", (unsigned long long)ns,
	    want, text);
}

static void test_units(void)
{
	unit(0, "0 ns");
	unit(999, "999 ns");
	unit(1000, "1.00 us");
	unit(9994, "9.99 us");
	unit(12345, "12.3 us");
	unit(99960, "100 us");
	unit(999600, "1.00 ms");
	unit(1500000000, "1.50 s");
	unit(250000000000, "250 s");
}

static size_t lines_of(const struct samples *samples, bool unicode, int width,
		       bool *ascii)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	size_t lines = 0;
	size_t i;

	samples_draw(samples, file, width, unicode);
	fclose(file);
	*ascii = true;
	for (i = 0; i < size; i++) {
		lines += text[i] == '\n';
		if (text[i] & 0x80)
			*ascii = false;
	}
	free(text);
	return lines;
}

static void test_drawing(void)
{
	struct samples samples;
	bool ascii;
	int i;

	samples_init(&samples);
	tap(!lines_of(&samples, true, 80, &ascii), "nothing to draw");
	for (i = 0; i < 1000; i++)
		samples_add(&samples, 5);
	tap(lines_of(&samples, false, 80, &ascii) == 12 && ascii,
	    "all the same, in ASCII");
	samples_add(&samples, UINT64_MAX / 2);
	samples_add(&samples, 0);
	tap(lines_of(&samples, true, 0, &ascii) == 12 && !ascii,
	    "extremes, in blocks, on no terminal");
	samples_free(&samples);
}

static void test_merge(void)
{
	struct samples a, b;
	int i;

	samples_init(&a);
	samples_init(&b);
	samples_merge(&a, &b);
	tap(!a.nr, "nothing merged with nothing");
	for (i = 0; i < 100; i++) {
		samples_add(&a, 100);
		samples_add(&b, 300);
	}
	samples_add(&b, 7);
	samples_merge(&a, &b);
	tap(a.nr == 201 && samples_at(&a, 0) == 7 && samples_at(&a, SAMPLES_ALL) == 300 &&
	    samples_at(&a, 4000) == 100 && samples_at(&a, 6000) == 300 &&
	    samples_mean(&a) == 40007 / 201, "two collections merged");
	samples_free(&a);
	samples_free(&b);
}

int main(void)
{
	test_merge();
	test_percentiles();
	test_many();
	test_tail();
	test_bounds();
	test_units();
	test_drawing();
	return tap_done();
}
