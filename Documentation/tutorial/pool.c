// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Four threads that call one pool of warm sandboxes; each call has one that is as new. */
#include <hlk.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS	4
#define CALLS	50

static struct hlk_pool *pool;

static void *work(void *arg)
{
	char answer[64], why[256];
	struct hlk_err err;
	size_t len;
	int i;

	(void)arg;
	for (i = 0; i < CALLS; i++) {
		if (hlk_pool_call(pool, 10000000, "count", NULL, 0, answer, sizeof(answer),
				  &len, 1000000, &err)) {
			fprintf(stderr, "%s\n", hlk_strerror(&err, why, sizeof(why)));
			exit(1);
		}
		if (len != 1 || *answer != '1') {
			fprintf(stderr, "not as new: %.*s\n", (int)len, answer);
			exit(1);
		}
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct hlk_pool_config config = HLK_POOL_CONFIG_INIT;
	struct hlk_pool_stats stats;
	pthread_t thread[THREADS];
	struct hlk_sandbox *sb;
	struct hlk_snap *snap;
	struct hlk_ctx *ctx;
	struct hlk_err err;
	char why[256];
	int i;

	if (argc != 2)
		return 2;
	config.sandboxes = 2 * THREADS;
	if (hlk_open(&ctx, &err) || hlk_sandbox_from_path(ctx, argv[1], NULL, &sb, &err)) {
		fprintf(stderr, "%s\n", hlk_strerror(&err, why, sizeof(why)));
		return 1;
	}
	if (hlk_sandbox_boot(sb, 5000000) || hlk_sandbox_snapshot(sb, NULL, &snap)) {
		fprintf(stderr, "%s\n",
			hlk_strerror(hlk_sandbox_error(sb), why, sizeof(why)));
		return 1;
	}
	hlk_sandbox_close(sb);		/* the snapshot lives on */
	if (hlk_pool_open(ctx, snap, &config, &pool, &err)) {
		fprintf(stderr, "%s\n", hlk_strerror(&err, why, sizeof(why)));
		return 1;
	}
	for (i = 0; i < THREADS; i++)
		if (pthread_create(&thread[i], NULL, work, NULL))
			return 1;
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	hlk_pool_stats(pool, &stats);
	printf("%u calls, %u failed\n", (unsigned int)stats.calls,
	       (unsigned int)stats.call_failures);
	if (hlk_pool_close(pool))
		return 1;
	hlk_snapshot_close(snap);
	hlk_close(ctx);
	return 0;
}
