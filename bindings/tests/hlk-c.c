// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* hlk-c GUEST N [FUNCTION]: how many ticks of the TSC a fused call takes, for other languages to be
 * compared with, and how many nanoseconds.
 */
#include <hlk.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <x86intrin.h>

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

int main(int argc, char **argv)
{
	uint64_t least = UINT64_MAX, least_ns = UINT64_MAX, ticks, ns;
	const char *name = argc > 3 ? argv[3] : "echo";
	unsigned long calls = argc > 2 ? strtoul(argv[2], NULL, 0) : 0, i;
	struct hlk_sandbox *sb = NULL;
	struct hlk_snap *snap = NULL;
	char out[64], why[256];
	struct hlk_ctx *ctx;
	struct hlk_err err;
	size_t len;
	int k;

	if (!calls)
		return 2;
	if (hlk_open(&ctx, &err) || hlk_sandbox_from_path(ctx, argv[1], NULL, &sb, &err))
		return puts(hlk_strerror(&err, why, sizeof(why))), 1;
	if (hlk_sandbox_boot(sb, 0) || hlk_sandbox_snapshot(sb, NULL, &snap) ||
	    hlk_sandbox_restore(sb, snap))
		return puts(hlk_strerror(hlk_sandbox_error(sb), why, sizeof(why))), 1;
	for (k = 0; k < 4; k++) {
		ns = now();
		ticks = __rdtsc();
		for (i = 0; i < calls; i++)
			if (hlk_sandbox_restore_call(sb, name, "hello", 5, out, sizeof(out), &len,
						     HLK_TIMEOUT_NONE))
				return puts(hlk_strerror(hlk_sandbox_error(sb), why, sizeof(why))), 1;
		ticks = (__rdtsc() - ticks) / calls;
		ns = (now() - ns) / calls;
		least = ticks < least ? ticks : least;
		least_ns = ns < least_ns ? ns : least_ns;
	}
	printf("# c: %llu ticks, %llu ns a fused call\n", (unsigned long long)least,
	       (unsigned long long)least_ns);
	hlk_snapshot_close(snap);
	hlk_sandbox_close(sb);
	hlk_close(ctx);
	return 0;
}
