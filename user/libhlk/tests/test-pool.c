// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Pools, against a played module: what goes from one user to the next, and what comes
 * of those who use them wrongly. Runs under ThreadSanitizer, too.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../pool.h"
#include "played.h"

#define MS	1000ULL
#define LONG	(30000 * MS)
#define YEARS	(95 * 365 * 86400000ULL * MS)	/* in 32 bits a time before the epoch */

static struct hlk_ctx *ctx;
static struct hlk_snap *snap;
static struct hlk_pool *pool;
static struct hlk_err err;
static const char set_up_says[] = "set up", secret[] = "secret", mine[] = "mine";

static int say(void *arg, const void *in, size_t in_len, void *out, size_t out_size,
	       size_t *out_len)
{
	(void)in, (void)in_len, (void)out_size;
	*out_len = strlen(arg);
	memcpy(out, arg, *out_len);
	return 0;
}

static int set_up(void *arg, struct hlk_sandbox *sb)
{
	(void)arg;
	if (hlk_sandbox_counter_add(sb, 5))
		return -EIO;
	return hlk_sandbox_host_function(sb, "setup", say, (void *)set_up_says);
}

static void open_pool(uint32_t sandboxes, uint32_t restorers)
{
	struct hlk_pool_config config = HLK_POOL_CONFIG_INIT;

	config.sandboxes = sandboxes;
	config.restorers = restorers;
	config.setup = set_up;
	if (hlk_pool_open(ctx, snap, &config, &pool, &err)) {
		printf("Bail out! %d\n", err.code);
		exit(1);
	}
}

static struct hlk_sandbox *take(void)
{
	struct hlk_sandbox *sb;

	return hlk_pool_get(pool, LONG, &sb, &err) ? NULL : sb;
}

static uint32_t refused(void)
{
	struct hlk_pool_stats stats;

	hlk_pool_stats(pool, &stats);
	return stats.refused;
}

static uint64_t seen_counter(struct hlk_sandbox *sb)
{
	uint64_t value = 0;

	hlk_sandbox_call(sb, "k", NULL, 0, &value, sizeof(value), NULL, 0);
	return value;
}

static void test_handed_over(void)
{
	struct hlk_sandbox *a, *b;
	char out[16] = "";
	size_t len;

	open_pool(1, 1);
	a = take();
	tap(a && !hlk_sandbox_host_function(a, "secret", say, (void *)secret) &&
	    !hlk_sandbox_host_function(a, "setup", NULL, NULL) &&
	    !hlk_sandbox_counter_add(a, 1000), "one user adds and removes functions, and counts");
	tap(hlk_sandbox_call(a, "u", NULL, 0, NULL, 0, NULL, 0) == -ENOTRECOVERABLE,
	    "its guest dies");
	hlk_pool_put(pool, a);
	b = take();
	tap(a == b, "the next one has the same sandbox");
	tap(hlk_sandbox_exit(b)->reason == HLK_EXIT_NONE && !hlk_sandbox_exit(b)->regs.eip &&
	    hlk_sandbox_exit(b)->size == sizeof(struct hlk_exit) &&
	    !hlk_sandbox_error(b)->code, "without report and error");
	tap(hlk_sandbox_call(b, "h", "secret", 6, out, sizeof(out), &len, 0) ==
	    -EREMOTEIO && hlk_sandbox_error(b)->where == ENOENT, "without the other's function");
	tap(!hlk_sandbox_call(b, "h", "setup", 5, out, sizeof(out), &len, 0) && len == 6 &&
	    !memcmp(out, "set up", 6), "with that of the set-up");
	tap(hlk_sandbox_counter(b) == 5 && seen_counter(b) == 5,
	    "and with what the set-up counted");
	hlk_pool_put(pool, b);
	tap(!hlk_pool_close(pool), "close");
}

static void wait_ready(uint32_t nr)
{
	struct hlk_pool_stats stats;

	do {
		sched_yield();
		hlk_pool_stats(pool, &stats);
	} while (stats.ready < nr);
}

static void *take_one(void *arg)
{
	struct hlk_sandbox **sb = arg;

	*sb = take();
	hlk_pool_put(pool, *sb);
	return NULL;
}

/* KVM has least to do for the vCPU that ran on this core last. */
static void test_same_again(void)
{
	struct hlk_sandbox *a, *b, *c, *other = NULL;
	pthread_t thread;

	open_pool(3, 2);
	a = take();
	hlk_pool_put(pool, a);
	wait_ready(3);
	b = take();
	tap(a == b, "who comes again has his own");
	a = take();
	hlk_pool_put(pool, a);
	wait_ready(2);
	hlk_pool_put(pool, b);
	wait_ready(3);
	c = take();
	tap(a != b && c == b, "of two the one that he gave back last");
	pthread_create(&thread, NULL, take_one, &other);
	pthread_join(thread, NULL);
	tap(other && other != a && other != b, "another thread has what nobody ran");
	hlk_pool_put(pool, c);
	wait_ready(3);
	tap(!hlk_pool_close(pool), "close");
}

/* A set-up that has the guest die, and would close the sandbox */
static int set_up_badly(void *arg, struct hlk_sandbox *sb)
{
	(void)arg;
	hlk_sandbox_call(sb, "u", NULL, 0, NULL, 0, NULL, 0);
	hlk_sandbox_close(sb);
	return 0;
}

static void test_set_up(void)
{
	struct hlk_pool_config config = HLK_POOL_CONFIG_INIT;
	struct hlk_sandbox *sb;

	config.sandboxes = 1;
	config.setup = set_up_badly;
	if (hlk_pool_open(ctx, snap, &config, &pool, &err))
		exit(1);
	sb = take();
	tap(!hlk_sandbox_call(sb, "e", NULL, 0, NULL, 0, NULL, 0),
	    "what the guest did in the set-up is taken back");
	hlk_pool_put(pool, sb);
	tap(!hlk_pool_close(pool), "and the sandbox is the pool's to close");
}

/* ---- what is made anew, and what is not ---- */

static atomic_int set_up_fails;
static atomic_uint set_up_takes;		/* in microseconds */

static int set_up_slowly(void *arg, struct hlk_sandbox *sb)
{
	(void)arg;
	(void)sb;
	usleep(set_up_takes);
	return set_up_fails ? -EIO : 0;
}

static struct hlk_pool_stats stats_of(void)
{
	struct hlk_pool_stats stats;

	hlk_pool_stats(pool, &stats);
	return stats;
}

/* Made anew after this call of one that ends with @ret? */
static bool replaced_after(const char *name, int ret, bool broken, bool discard)
{
	struct hlk_sandbox *sb = take();
	uint32_t before = stats_of().replaced;

	played.broken = broken;
	if (!sb || hlk_sandbox_call(sb, name, NULL, 0, NULL, 0, NULL, 1000) != ret)
		before = ~0U;
	played.broken = false;
	if (discard)
		hlk_pool_discard(pool, sb);
	else
		hlk_pool_put(pool, sb);
	sb = take();
	if (!sb || hlk_sandbox_call(sb, "e", NULL, 0, NULL, 0, NULL, 0))
		before = ~0U;
	hlk_pool_put(pool, sb);
	return stats_of().replaced == before + 1;
}

static void test_made_anew(void)
{
	open_pool(1, 1);
	tap(!replaced_after("e", 0, false, false) &&
	    !replaced_after("u", -ENOTRECOVERABLE, false, false) &&
	    !replaced_after("s", -ETIMEDOUT, false, false), "what a guest does is restored");
	tap(replaced_after("e", -EIO, true, false), "one whose KVM failed is made anew");
	tap(replaced_after("e", 0, false, true), "and one that is not to be used again");
	tap(!hlk_pool_close(pool), "close");
}

static void open_slow_pool(uint32_t sandboxes)
{
	struct hlk_pool_config config = HLK_POOL_CONFIG_INIT;

	config.sandboxes = sandboxes;
	config.setup = set_up_slowly;
	if (hlk_pool_open(ctx, snap, &config, &pool, &err))
		exit(1);
}

/* Who has to wait for a sandbox waits; a failure is told while it is one. */
static void test_failures(void)
{
	struct hlk_sandbox *sb;
	int i, ret = -EIO;

	open_slow_pool(1);
	sb = take();
	set_up_fails = true;
	hlk_pool_discard(pool, sb);
	tap(hlk_pool_get(pool, LONG, &sb, &err) == -EIO && err.code == EIO,
	    "who waits for none is told why there is none");
	set_up_fails = false;
	/* it is tried again by itself */
	for (i = 0; i < 1000 && ret; i++) {
		ret = hlk_pool_get(pool, 100 * MS, &sb, &err);
		usleep(10000);
	}
	tap(!ret && stats_of().make_failures, "and of one again when there is");
	set_up_takes = 200000;
	hlk_pool_discard(pool, sb);
	tap(!hlk_pool_get(pool, LONG, &sb, &err),
	    "who waits for the next one is not told of what was before");
	set_up_takes = 0;
	hlk_pool_put(pool, sb);
	tap(!hlk_pool_close(pool), "close");
}

static void *put_later(void *sb)
{
	usleep(100000);
	hlk_pool_put(pool, sb);
	return NULL;
}

/* One of two cannot be made; the other one comes back by itself. */
static void test_one_failure(void)
{
	struct hlk_sandbox *a, *b, *got = NULL;
	pthread_t thread;
	int i, ret;

	open_slow_pool(2);
	a = take();
	b = take();
	set_up_fails = true;
	hlk_pool_discard(pool, a);
	for (i = 0; i < 1000 && !stats_of().make_failures; i++)
		usleep(10000);
	ret = hlk_pool_get(pool, 1000, &got, &err);
	tap(ret == -ETIMEDOUT && !got, "one cannot be made, and one is taken");
	pthread_create(&thread, NULL, put_later, b);
	tap(!hlk_pool_get(pool, LONG, &got, &err) && got == b,
	    "who waits gets the other one when it is given back");
	pthread_join(thread, NULL);
	set_up_fails = false;
	hlk_pool_put(pool, got);
	tap(!hlk_pool_close(pool), "close");
}

static int put_own(void *arg, const void *in, size_t in_len, void *out, size_t out_size,
		   size_t *out_len)
{
	(void)in, (void)in_len, (void)out, (void)out_size, (void)out_len;
	hlk_pool_put(pool, arg);
	hlk_sandbox_close(arg);
	return 0;
}

static void test_wrong_puts(void)
{
	struct hlk_snap *other;
	struct hlk_sandbox *stranger = played_ready(ctx, &other, NULL, &err);
	struct hlk_sandbox *a, *b;

	open_pool(2, 1);
	a = take();
	hlk_pool_put(pool, a);
	hlk_pool_put(pool, a);
	tap(refused() == 1, "put twice");
	a = take();
	b = take();
	tap(a && b && a != b, "nobody shares a sandbox");
	hlk_pool_put(pool, stranger);
	hlk_pool_discard(pool, stranger);
	hlk_pool_put(pool, (void *)64);
	hlk_pool_put(pool, NULL);
	tap(refused() == 4 && !hlk_sandbox_call(stranger, "e", NULL, 0, NULL, 0, NULL, 0),
	    "strangers");
	hlk_sandbox_close(a);
	hlk_sandbox_host_function(a, "put", put_own, a);
	tap(!hlk_sandbox_call(a, "h", "put", 3, NULL, 0, NULL, 0) && refused() == 5,
	    "one that is in a call");
	hlk_pool_put(pool, a);
	tap(hlk_sandbox_call(a, "e", NULL, 0, NULL, 0, NULL, 0) == -EBUSY,
	    "what was put back is not used any more");
	tap(hlk_pool_close(pool) == -EBUSY, "one is out");
	hlk_pool_put(pool, b);
	tap(!hlk_pool_close(pool), "close");
	hlk_snapshot_close(other);
	hlk_sandbox_close(stranger);
}

/* AddressSanitizer takes the stack that a cancelled thread leaves for one in use. */
#ifdef __SANITIZE_ADDRESS__
static void test_cancelled(uint64_t wait)
{
	(void)wait;
}
#else
static void *waiter(void *arg)
{
	struct hlk_sandbox *sb;

	hlk_pool_get(pool, *(uint64_t *)arg, &sb, NULL);
	return NULL;
}

static void test_cancelled(uint64_t wait)
{
	struct hlk_sandbox *sb;
	struct hlk_pool_stats stats;
	pthread_t thread;
	void *result;

	open_pool(1, 1);
	sb = take();
	pthread_create(&thread, NULL, waiter, &wait);
	usleep(20000);
	pthread_cancel(thread);
	pthread_join(thread, &result);
	tap(result == PTHREAD_CANCELED, "a thread that waits is cancelled");
	hlk_pool_put(pool, sb);
	sb = take();
	hlk_pool_stats(pool, &stats);
	tap(sb && stats.out == 1, "others go on");
	hlk_pool_put(pool, sb);
	tap(!hlk_pool_close(pool), "close");
}

#endif

static int in_child(struct hlk_sandbox *sb)
{
	struct hlk_pool_stats stats;
	struct hlk_sandbox *got;

	if (hlk_pool_call(pool, LONG, "e", NULL, 0, NULL, 0, NULL, 0, &err) != -EPERM ||
	    err.why != HLK_WHY_OTHER_PROCESS)
		return 1;
	if (hlk_pool_get(pool, LONG, &got, &err) != -EPERM || got)
		return 2;
	hlk_pool_put(pool, sb);
	hlk_pool_stats(pool, &stats);
	return hlk_pool_close(pool) ? 3 : 0;
}

static void test_child(void)
{
	struct hlk_sandbox *sb;
	int status = 0;
	pid_t pid;

	open_pool(2, 2);
	sb = take();
	fflush(stdout);
	pid = fork();
	if (!pid) {
		alarm(20);
		_exit(in_child(sb));
	}
	waitpid(pid, &status, 0);
	tap(!status, "a child has no pool, but can close it (%d)",
	    WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
	hlk_pool_put(pool, sb);
	tap(!hlk_pool_call(pool, LONG, "e", NULL, 0, NULL, 0, NULL, 0, &err) &&
	    !hlk_pool_close(pool), "its parent has");
}

/* ---- many at once ---- */

#define THREADS	6
#define CALLS	60

static atomic_int wrong;

static void one(unsigned int *seed)
{
	struct hlk_sandbox *sb = take();
	char out[16];
	size_t len;

	if (!sb || hlk_sandbox_counter(sb) != 5 ||
	    hlk_sandbox_exit(sb)->reason != HLK_EXIT_NONE || hlk_sandbox_error(sb)->code) {
		wrong++;
		return;
	}
	hlk_sandbox_counter_add(sb, 1);
	hlk_sandbox_host_function(sb, "mine", say, (void *)mine);
	if (hlk_sandbox_call(sb, "h", "mine", 4, out, sizeof(out), &len, 0))
		wrong++;
	if (rand_r(seed) % 4 == 0)
		hlk_sandbox_call(sb, "u", NULL, 0, NULL, 0, NULL, 0);
	if (rand_r(seed) % 8 == 0)
		hlk_pool_discard(pool, sb);
	else
		hlk_pool_put(pool, sb);
	if (rand_r(seed) % 4 == 0)
		hlk_pool_put(pool, sb == (void *)1 ? NULL : (void *)&wrong);
}

static void *user(void *arg)
{
	unsigned int seed = (uintptr_t)arg;
	struct hlk_err why;
	int i;

	for (i = 0; i < CALLS; i++) {
		if (i % 3)
			one(&seed);
		else if (hlk_pool_call(pool, LONG, "e", "x", 1, NULL, 0, NULL, 0, &why) !=
			 -EMSGSIZE)
			wrong++;
	}
	return NULL;
}

static void test_many(void)
{
	pthread_t thread[THREADS];
	struct hlk_pool_stats stats;
	uintptr_t i;

	open_pool(3, 2);
	for (i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, user, (void *)(i + 1));
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	hlk_pool_stats(pool, &stats);
	tap(!wrong && !stats.out && stats.gets == THREADS * CALLS,
	    "%d threads, each with a sandbox of its own each time", THREADS);
	tap(!hlk_pool_close(pool), "close");
}

static int set_up_file(void *arg, struct hlk_sandbox *sb)
{
	struct hlk_file file = HLK_FILE_INIT;

	file.fd = *(int *)arg;
	file.gpa = 0x40000000;
	file.label = "set up";
	return hlk_sandbox_map_file(sb, &file);
}

/* Whatever who had it before did, a sandbox has the files of the set-up. */
static void test_files(void)
{
	struct hlk_pool_config config = HLK_POOL_CONFIG_INIT;
	int fd = memfd_create("set up", MFD_CLOEXEC);
	struct hlk_sandbox *sb, *child;

	config.sandboxes = 1;
	config.restorers = 1;
	config.setup = set_up_file;
	config.setup_arg = &fd;
	if (fd < 0 || ftruncate(fd, 4096) || hlk_pool_open(ctx, snap, &config, &pool, &err)) {
		tap(false, "a pool with a file");
		return;
	}
	sb = take();
	tap(hlk_sandbox_fork(sb, NULL, &child) == -EOPNOTSUPP &&
	    !strcmp(hlk_sandbox_error(sb)->text, "files are mapped, which it would not have"),
	    "files: no fork");
	hlk_pool_put(pool, sb);
	sb = take();
	tap(!stats_of().replaced && !hlk_sandbox_unmap_file(sb, "set up") &&
	    hlk_sandbox_unmap_file(sb, "set up") == -ENOENT, "files: one takes it away");
	hlk_pool_put(pool, sb);
	sb = take();
	tap(stats_of().replaced == 1 && !hlk_sandbox_unmap_file(sb, "set up"),
	    "files: the next one has it");
	hlk_pool_put(pool, sb);
	tap(!hlk_pool_close(pool), "close");
	close(fd);
}

/* A wait in vain is one. */
static void test_waits(void)
{
	struct hlk_pool_stats stats;
	struct hlk_sandbox *sb, *none;
	uint64_t all = 0;
	int i;

	open_pool(1, 1);
	sb = take();
	tap(hlk_pool_get(pool, 5 * MS, &none, &err) == -ETIMEDOUT, "nothing comes");
	stats = stats_of();
	for (i = 0; i < HLK_POOL_BUCKETS; i++)
		all += stats.wait_hist[i];
	tap(all == 2 && stats.gets == 1 && stats.waits == 1 && stats.wait_timeouts == 1 &&
	    stats.wait_ns >= 5000000, "which is a wait, too");
	hlk_pool_put(pool, sb);
	tap(!hlk_pool_close(pool), "close");
}

static bool locked;

static void is_locked(void)
{
	if (pthread_mutex_trylock(&pool->lock))
		locked = true;
	else
		pthread_mutex_unlock(&pool->lock);
}

/* All of it, cut off at any place, under a name that is none */
static void test_metrics(void)
{
	static char whole[HLK_POOL_METRICS_SIZE], part[HLK_POOL_METRICS_SIZE];
	char name[1000];
	size_t len, size;
	bool good = true;

	open_pool(2, 1);
	hlk_pool_put(pool, take());
	wait_ready(2);
	len = hlk_pool_metrics(pool, NULL, whole, sizeof(whole));
	tap(len < sizeof(whole) && strlen(whole) == len &&
	    !strcmp(whole + len - 6, "# EOF\n"), "metrics: a text with its end (%zu bytes)", len);
	tap(strstr(whole, "\nhlk_gets_total 1\n") && strstr(whole, "\nhlk_restores_total 1\n") &&
	    strstr(whole, "\nhlk_restore_duration_seconds_count 1\n") &&
	    strstr(whole, "\nhlk_restore_duration_seconds_bucket{le=\"+Inf\"} 1\n") &&
	    strstr(whole, "\nhlk_sandboxes_ready 2\n") &&
	    strstr(whole, "\nhlk_private_bytes 0\n"), "metrics: what it did");
	for (size = 0; size <= len; size += size < 200 ? 1 : 97) {
		memset(part, 'x', sizeof(part));
		good &= hlk_pool_metrics(pool, NULL, part, size) == len && part[size] == 'x' &&
			(!size || (strlen(part) == size - 1 && !memcmp(part, whole, size - 1)));
	}
	tap(good, "metrics: cut off at any place");
	hlk_pool_metrics(pool, "a\"b\\\n\xff", part, sizeof(part));
	tap(strstr(part, "\nhlk_gets_total{pool=\"a\\\"b\\\\??\"} 1\n") &&
	    strstr(part, "{pool=\"a\\\"b\\\\??\",le=\"+Inf\"} 1\n"), "metrics: a name that is none");
	memset(name, '"', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	tap(hlk_pool_metrics(pool, name, part, sizeof(part)) < sizeof(part) &&
	    strstr(part, "\\\"\"} 1\n"), "metrics: and one without an end");
	played.private_pages = 3;
	played.on_stats = is_locked;
	hlk_pool_metrics(pool, NULL, whole, sizeof(whole));
	tap(strstr(whole, "\nhlk_private_bytes 24576\n") && !locked,
	    "metrics: the module is asked while the pool goes on");
	played.on_stats = NULL;
	played.private_pages = 0;
	tap(!hlk_pool_close(pool), "close");
}

/* Neighbours are not all in one row: of as many as half of the room most stay. */
static void test_neighbours(void)
{
	static struct hlk_near near;
	struct hlk_snap one = {}, other = {};
	uint32_t pages, known = 0, nr = HLK_NEAR_SETS * HLK_NEAR_WAYS / 2;

	for (one.id = 1; one.id <= nr; one.id++) {
		other.id = one.id + 1;
		hlk_near_learn(&near, &one, &other, one.id);
	}
	for (one.id = 1; one.id <= nr; one.id++) {
		other.id = one.id + 1;
		known += hlk_near_known(&near, &one, &other, &pages) && pages == one.id;
	}
	tap(known > nr / 4 * 3, "distances of neighbours: %u of %u are known", known, nr);
}

/* What is learned again takes nobody's place. */
static void test_again(void)
{
	static struct hlk_near near;
	struct hlk_snap one = { .id = 1 }, other = {};
	uint64_t found[HLK_NEAR_WAYS], id;
	uint32_t pages, nr = 0, i, lost = 0, row;

	/* of one row: those that drive the first one out */
	for (id = 2; nr < HLK_NEAR_WAYS; id++) {
		memset(&near, 0, sizeof(near));
		other.id = id;
		hlk_near_learn(&near, &one, &other, 7);
		for (row = 0; row < HLK_NEAR_SETS && !near.pair[row][0].a; row++)
			;
		if (!row)
			found[nr++] = id;
	}
	memset(&near, 0, sizeof(near));
	for (i = 0; i < HLK_NEAR_WAYS + 3; i++) {
		other.id = found[i < HLK_NEAR_WAYS ? i : 0];
		hlk_near_learn(&near, &one, &other, other.id);
	}
	for (i = 0; i < HLK_NEAR_WAYS; i++) {
		other.id = found[i];
		lost += !hlk_near_known(&near, &one, &other, &pages) || pages != other.id;
	}
	tap(!lost, "distances: one that is learned again drives none out: %u are lost", lost);
}

/* As many distances as one call asks for, whatever the snapshots' ids are */
static void test_distances(void)
{
	static struct hlk_near near;
	struct hlk_snap one = { .id = 1 }, other = {};
	uint64_t first, id;
	uint32_t pages, lost = 0;

	for (first = 2; first < 4000; first += 4) {
		for (id = first; id < first + 8; id++) {
			other.id = first + id % 4;
			hlk_near_learn(&near, &one, &other, other.id);
		}
		for (other.id = first; other.id < first + 4; other.id++)
			lost += !hlk_near_known(&near, &other, &one, &pages) ||
				 pages != other.id;
	}
	tap(!lost, "distances: four that were learned last are known: %u are not", lost);
}

int main(void)
{
	struct hlk_sandbox *sb;
	uint64_t for_ever = HLK_TIMEOUT_NONE;

	if (!tap(!hlk_open(&ctx, &err), "a played module")) {
		printf("Bail out! %d %u %s\n", err.code, err.what, err.text);
		return 1;
	}
	sb = played_ready(ctx, &snap, NULL, &err);
	tap(sb, "a snapshot");
	hlk_sandbox_close(sb);
	test_distances();
	test_neighbours();
	test_again();
	test_handed_over();
	test_same_again();
	test_set_up();
	test_files();
	test_waits();
	test_metrics();
	test_made_anew();
	test_failures();
	test_one_failure();
	test_wrong_puts();
	test_cancelled(for_ever);
	test_cancelled(LONG);
	test_cancelled(YEARS);
	test_child();
	test_many();
	hlk_snapshot_close(snap);
	hlk_close(ctx);
	return tap_done();
}
