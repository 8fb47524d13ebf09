// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Everything that can fail does, once: the same story is told again and again, and
 * each time the next allocation, mapping, system call or thread fails.
 * Afterwards nothing is left that was not there before, and as long as a sandbox lives
 * it can be called, or says that it wants a restore, and then it can be called.
 */
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../internal.h"
#include "played.h"

#define SECOND	1000000ULL

static atomic_int allocated, mapped;
static const char *wrong;

/* ---- what fails; the linker puts these before those of the C library ---- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t nr, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t nr, size_t size);
void __real_free(void *old);
void *__real_mmap64(void *at, size_t size, int prot, int flags, int fd, off_t offset);
int __real_munmap(void *at, size_t size);
int __real_close(int fd);
int __real_madvise(void *at, size_t size, int advice);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*fn)(void *), void *arg);
int __real_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attr);
int __real_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attr);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t nr, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t nr, size_t size);
void __wrap_free(void *old);
void *__wrap_mmap64(void *at, size_t size, int prot, int flags, int fd, off_t offset);
int __wrap_munmap(void *at, size_t size);
int __wrap_close(int fd);
int __wrap_madvise(void *at, size_t size, int advice);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*fn)(void *), void *arg);
int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attr);
int __wrap_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attr);

static bool no(const char *what, int code)
{
	if (!played_fails(what))
		return false;
	errno = code;
	return true;
}

static void *counted(void *new, const void *old)
{
	allocated += new && !old;
	return new;
}

void *__wrap_malloc(size_t size)
{
	return no("malloc", ENOMEM) ? NULL : counted(__real_malloc(size), NULL);
}

void *__wrap_calloc(size_t nr, size_t size)
{
	return no("calloc", ENOMEM) ? NULL : counted(__real_calloc(nr, size), NULL);
}

void *__wrap_realloc(void *old, size_t size)
{
	return no("realloc", ENOMEM) ? NULL : counted(__real_realloc(old, size), old);
}

void *__wrap_reallocarray(void *old, size_t nr, size_t size)
{
	return no("reallocarray", ENOMEM) ? NULL :
	       counted(__real_reallocarray(old, nr, size), old);
}

void __wrap_free(void *old)
{
	allocated -= !!old;
	__real_free(old);
}

void *__wrap_mmap64(void *at, size_t size, int prot, int flags, int fd, off_t offset)
{
	void *mem;

	if (no("mmap", ENOMEM))
		return MAP_FAILED;
	mem = __real_mmap64(at, size, prot, flags, fd, offset);
	mapped += mem != MAP_FAILED;
	return mem;
}

int __wrap_munmap(void *at, size_t size)
{
	mapped--;
	return __real_munmap(at, size);
}

/* By then it may be somebody else's. */
int __wrap_close(int fd)
{
	int ret = __real_close(fd);

	if (ret)
		wrong = "a file is closed twice";
	return ret;
}

int __wrap_madvise(void *at, size_t size, int advice)
{
	return no("madvise", EFAULT) ? -1 : __real_madvise(at, size, advice);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*fn)(void *), void *arg)
{
	return no("pthread_create", EAGAIN) ? EAGAIN :
	       __real_pthread_create(thread, attr, fn, arg);
}

int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attr)
{
	return no("pthread_mutex_init", ENOMEM) ? ENOMEM :
	       __real_pthread_mutex_init(mutex, attr);
}

int __wrap_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attr)
{
	return no("pthread_cond_init", ENOMEM) ? ENOMEM :
	       __real_pthread_cond_init(cond, attr);
}

/* ---- the story ---- */

/* Nothing fails while it is asked how things are */
static unsigned int pause_failures(void)
{
	return atomic_exchange(&played.fail_at, 0);
}

static void go_on_failing(unsigned int at)
{
	played.fail_at = at;
}

/* After a step that may have failed: usable, or wants a restore and then is */
static void check(struct hlk_sandbox *sb, int ret, const char *what)
{
	unsigned int at = pause_failures();
	int again;

	if (ret > 0 || (ret && !hlk_sandbox_error(sb)->code && ret != -EBUSY))
		wrong = what;
	if (hlk_sandbox_kick(sb) != -ESRCH || sb->run->immediate_exit)
		wrong = "what is over can be kicked";
	again = hlk_sandbox_call(sb, "e", NULL, 0, NULL, 0, NULL, 0);
	if (again && again != -ESTALE)
		wrong = what;
	if (hlk_sandbox_restore(sb, NULL) || hlk_sandbox_error(sb)->code)
		wrong = what;
	again = hlk_sandbox_call(sb, "e", NULL, 0, NULL, 0, NULL, 0);
	if (again && (again != -ESTALE || hlk_sandbox_error(sb)->what != HLK_WHAT_NOT_READY))
		wrong = what;
	go_on_failing(at);
}

static int nothing(void *arg, const void *in, size_t in_len, void *out, size_t out_size,
		   size_t *out_len)
{
	(void)arg, (void)in, (void)in_len, (void)out, (void)out_size, (void)out_len;
	return 0;
}

static void calls(struct hlk_sandbox *sb)
{
	uint64_t word = 0, seen = 0;
	int ret;

	check(sb, hlk_sandbox_host_function(sb, "f", nothing, NULL), "host function");
	check(sb, hlk_sandbox_call(sb, "e", NULL, 0, NULL, 0, NULL, SECOND), "timed call");
	check(sb, hlk_sandbox_restore_call(sb, "e", NULL, 0, NULL, 0, NULL, 0), "fused call");
	check(sb, hlk_sandbox_restore_call(sb, "e", NULL, 0, NULL, 0, NULL, SECOND),
	      "timed fused call");
	check(sb, hlk_sandbox_call(sb, "h", "f", 1, NULL, 0, NULL, 0), "host call");
	check(sb, hlk_sandbox_call(sb, "p", "xy", 2, NULL, 0, NULL, 0), "print");
	check(sb, hlk_sandbox_call(sb, "u", NULL, 0, NULL, 0, NULL, 0), "dead guest");
	ret = hlk_sandbox_counter_add(sb, 5);
	check(sb, hlk_sandbox_restore_call(sb, "e", NULL, 0, NULL, 0, NULL, 0),
	      "fused call with a counter");
	check(sb, hlk_sandbox_audit(sb), "audit");
	check(sb, hlk_sandbox_write(sb, 0x100000, &word, 8), "write");
	check(sb, hlk_sandbox_read(sb, 0x100000, &word, 8), "read");
	pause_failures();
	if (hlk_sandbox_counter(sb) != (ret ? 0 : 5) ||
	    hlk_sandbox_call(sb, "k", NULL, 0, &seen, 8, NULL, 0) ||
	    seen != (ret ? 0 : 5))
		wrong = "counter";
}

static void batches(struct hlk_ctx *ctx, struct hlk_sandbox *a, struct hlk_sandbox *b)
{
	struct hlk_batch *batch;
	int i;

	if (hlk_batch_open(ctx, 2, &batch, NULL))
		return;
	for (i = 0; i < 2; i++) {
		hlk_batch_restore(batch, a, NULL, 0);
		hlk_batch_restore_call(batch, b, "e", NULL, 0, NULL, 0, NULL, SECOND);
		hlk_batch_submit(batch);
		check(a, 0, "restore in a batch");
		check(b, 0, "call in a batch");
	}
	hlk_batch_restore(batch, a, NULL, 0);
	hlk_batch_close(batch);
	check(a, 0, "a batch that is closed");
}

static void pools(struct hlk_ctx *ctx, struct hlk_snap *snap)
{
	struct hlk_pool_config config = HLK_POOL_CONFIG_INIT;
	struct hlk_sandbox *sb;
	struct hlk_pool *pool;
	struct hlk_err err;
	unsigned int at;

	config.sandboxes = 2;
	if (hlk_pool_open(ctx, snap, &config, &pool, &err))
		return;
	hlk_pool_call(pool, SECOND, "e", NULL, 0, NULL, 0, NULL, SECOND, &err);
	if (!hlk_pool_get(pool, SECOND, &sb, &err))
		hlk_pool_discard(pool, sb);
	hlk_pool_call(pool, SECOND, "u", NULL, 0, NULL, 0, NULL, 0, &err);
	at = pause_failures();
	/* whatever failed, the pool has sandboxes again */
	if (hlk_pool_call(pool, 20 * SECOND, "e", NULL, 0, NULL, 0, NULL, 0, &err))
		wrong = "pool";
	go_on_failing(at);
	if (hlk_pool_close(pool))
		wrong = "close of a pool";
}

/* Its fd goes to somebody else. */
static void sent(const struct hlk_snap *snap)
{
	struct hlk_snapshot_info info = {};
	struct hlk_snap *same;

	if (hlk_snapshot_from_fd(hlk_snapshot_fd(snap), &same, NULL))
		return;
	hlk_snapshot_get_info(same, &info, NULL);
	hlk_snapshot_close(same);
}

static void two(struct hlk_ctx *ctx, struct hlk_snap *snap, struct hlk_sandbox *a)
{
	struct hlk_sandbox *b;
	unsigned int at = played.fail_at;

	calls(a);
	go_on_failing(at);
	sent(snap);
	if (hlk_sandbox_from_snapshot(ctx, snap, NULL, &b, NULL))
		return;
	check(b, 0, "another sandbox");
	batches(ctx, a, b);
	hlk_sandbox_close(b);
}

static void story(void)
{
	struct hlk_sandbox *sb;
	struct hlk_snap *snap;
	struct hlk_ctx *ctx;
	struct hlk_err err = {};

	if (hlk_open(&ctx, &err)) {
		wrong = err.code && !ctx ? wrong : "open";
		return;
	}
	sb = played_ready(ctx, &snap, NULL, &err);
	if (sb) {
		two(ctx, snap, sb);
		hlk_sandbox_close(sb);
		pools(ctx, snap);
		hlk_snapshot_close(snap);
	} else if (!err.code) {
		wrong = "no reason";
	}
	hlk_close(ctx);
}

int main(void)
{
	unsigned int fds, at = 0, bad = 0;
	int before, maps;

	story();		/* the C library makes what it keeps */
	fds = played_fds();
	do {
		before = allocated;
		maps = mapped;
		wrong = NULL;
		played.failed = NULL;
		played.things = 0;
		played.fail_at = ++at;
		story();
		pause_failures();
		if (!wrong && allocated != before)
			wrong = "memory is left";
		if (!wrong && mapped != maps)
			wrong = "a mapping is left";
		if (!wrong && played_fds() != fds)
			wrong = "a file is left";
		if (!wrong && played_ring.made != played_ring.gone)
			wrong = "a ring is left";
		if (wrong) {
			printf("# the %uth thing, %s, fails: %s\n", at,
			       played.failed ? played.failed : "none", wrong);
			bad++;
		}
	} while (played.failed && bad < 20);
	tap(!bad && at > 150, "%u failures, one after the other", at - 1);
	return tap_done();
}
