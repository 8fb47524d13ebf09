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
	samples_sort(&samples);
	tap(samples_at(&samples, 0) == 10 && samples_at(&samples, 50) == 500 &&
	    samples_at(&samples, 90) == 900 &&
	    samples_at(&samples, 99) == 990 &&
	    samples_at(&samples, 100) == 1000, "percentiles of 100");
	tap(samples_mean(&samples) == 505, "mean");
	samples_free(&samples);

	samples_init(&samples);
	samples_add(&samples, 7);
	samples_sort(&samples);
	tap(samples_at(&samples, 1) == 7 && samples_at(&samples, 99) == 7,
	    "percentiles of one");
	samples_free(&samples);
}

/* More than are kept: the kept ones still look like all of them */
static void test_many(void)
{
	const uint64_t nr = 4ULL * SAMPLES_MAX;
	struct samples samples;
	uint64_t i, p50;

	samples_init(&samples);
	for (i = 0; i < nr; i++)
		samples_add(&samples, i);
	samples_sort(&samples);
	p50 = samples_at(&samples, 50);
	tap(samples.nr == SAMPLES_MAX && samples.seen == nr,
	    "memory is bounded");
	tap(p50 > nr / 2 - nr / 50 && p50 < nr / 2 + nr / 50,
	    "the median is about right");
	tap(samples_at(&samples, 100) == nr - 1 && !samples_at(&samples, 0),
	    "least and greatest are exact");
	samples_free(&samples);
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
	samples_sort(&samples);
	tap(lines_of(&samples, false, 80, &ascii) == 12 && ascii,
	    "all the same, in ASCII");
	samples_add(&samples, UINT64_MAX / 2);
	samples_add(&samples, 0);
	samples_sort(&samples);
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
	tap(!a.seen && !a.nr, "nothing merged with nothing");
	for (i = 0; i < 100; i++) {
		samples_add(&a, 100);
		samples_add(&b, 300);
	}
	samples_add(&b, 7);
	samples_merge(&a, &b);
	samples_sort(&a);
	tap(a.seen == 201 && samples_at(&a, 0) == 7 && samples_at(&a, 100) == 300 &&
	    samples_at(&a, 40) == 100 && samples_at(&a, 60) == 300 &&
	    samples_mean(&a) == 40007 / 201, "two collections merged");
	for (i = 0; i < (int)SAMPLES_MAX; i++)
		samples_add(&b, 300);
	samples_merge(&a, &b);
	tap(a.seen == 201 + 101 + SAMPLES_MAX && a.nr == SAMPLES_MAX &&
	    samples_mean(&a) == (40007 + 30007 + 300ULL * SAMPLES_MAX) / a.seen,
	    "more than are kept");
	samples_free(&a);
	samples_free(&b);
}

int main(void)
{
	test_merge();
	test_percentiles();
	test_many();
	test_units();
	test_drawing();
	return tap_done();
}
