/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Results in the Test Anything Protocol, as kselftests print them. */
#ifndef LIBHLK_TAP_H
#define LIBHLK_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static unsigned int tap_nr;
static unsigned int tap_failed;

__attribute__((format(printf, 2, 3)))
static inline bool tap(bool good, const char *fmt, ...)
{
	va_list args;

	tap_nr++;
	if (!good)
		tap_failed++;
	printf("%sok %u ", good ? "" : "not ", tap_nr);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	return good;
}

static inline int tap_done(void)
{
	printf("1..%u\n", tap_nr);
	return tap_failed ? 1 : 0;
}

#endif /* LIBHLK_TAP_H */
