// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stdio.h>

#include "tap.h"

#define TAP_MAX_LINES	20

static int broken;

bool tap_failed(void)
{
	return broken;
}

void tap_broken(const char *file, int line, const char *format, ...)
{
	const char *name = strrchr(file, '/');
	va_list args;

	if (++broken > TAP_MAX_LINES)
		return;
	printf("# %s:%d: ", name ? name + 1 : file, line);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
}

static void run_one(const struct tap_test *test)
{
	broken = 0;
	memset(&shim, 0, sizeof(shim));
	test->run();
	CHECK_EQ(shim.allocs, 0);
	CHECK_EQ(shim.pages, 0);
	CHECK_EQ(shim.maps, 0);
	CHECK_EQ(shim.counted_pages, 0);
	CHECK_EQ(shim.counted_snaps, 0);
}

/* All tests, or those whose names are given. */
int tap_main(int argc, char **argv, const struct tap_test *tests, unsigned int nr)
{
	unsigned int run = 0;
	unsigned int bad = 0;
	unsigned int i;
	int arg;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n1..%u\n", argc > 1 ? (unsigned int)argc - 1 : nr);
	for (i = 0; i < nr; i++) {
		for (arg = 1; arg < argc; arg++)
			if (!strcmp(argv[arg], tests[i].name))
				break;
		if (argc > 1 && arg == argc)
			continue;
		run_one(&tests[i]);
		bad += !!broken;
		printf("%sok %u %s\n", broken ? "not " : "", ++run, tests[i].name);
	}
	return bad || !run;
}
