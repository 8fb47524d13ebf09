// SPDX-License-Identifier: GPL-2.0-only
/* hlk-run bench: figures in words. */
#include <stdio.h>

#include "../samples.h"
#include "out.h"

static void format_bytes(char *buf, size_t size, uint64_t bytes)
{
	if (bytes >= 1ULL << 30)
		snprintf(buf, size, "%llu GiB", (unsigned long long)bytes >> 30);
	else if (bytes >= 1ULL << 20)
		snprintf(buf, size, "%llu MiB", (unsigned long long)bytes >> 20);
	else
		snprintf(buf, size, "%llu KiB", (unsigned long long)bytes >> 10);
}

void format_cfg(char *buf, size_t size, const struct bench_cfg *cfg)
{
	char scratch[24], guest[24];

	format_bytes(scratch, sizeof(scratch), cfg->scratch);
	format_bytes(guest, sizeof(guest), cfg->guest);
	snprintf(buf, size, "%u page%s of %s, scratch of %s, guest of %s",
		 cfg->pages, cfg->pages == 1 ? "" : "s",
		 cfg->data ? "data" : "zeroes", scratch, guest);
}

/* Nanoseconds, or instructions */
void format_time(const struct bench_env *env, char *buf, size_t size,
		 double value)
{
	if (!env->perf_counts)
		format_ns(buf, size, value + 0.5);
	else if (value >= 1e6)
		snprintf(buf, size, "%.2fM", value / 1e6);
	else if (value >= 1e4)
		snprintf(buf, size, "%.1fk", value / 1e3);
	else
		snprintf(buf, size, "%.0f", value);
}
