// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * A Linux guest that another process saved, against the module: loaded when that one has gone,
 * and called again and again; forked; changed, and saved as a layer. Runs in the test VM.
 *
 *   libhlk-saved [FOLDER [NAME [CALLS]]]
 *
 * FOLDER is what libhlk-linux left with SAVE=FOLDER, and taken from there if it is not given.
 * There has to be a shell in the guest. SEED= is for what is random.
 */
#include "linux-guest.h"

#define OLD	"echo old > /tmp/which"

static struct hlk_snap *load(const char *folder, const char *name)
{
	struct hlk_load_config how = HLK_LOAD_CONFIG_INIT;
	struct hlk_snap *snap;
	struct hlk_err err;

	how.name = name;
	if (hlk_snapshot_load(ctx, folder, &how, &snap, &err))
		bail("it cannot be loaded", &err);
	printf("# %s: %llu pages, %llu of them not read yet\n", name,
	       (unsigned long long)how.pages, (unsigned long long)how.lazy);
	return snap;
}

/* A line of shell, without a restore before it, and what it prints */
static bool says(struct hlk_sandbox *sb, const char *line, const char *want)
{
	char answer[256] = "";
	int ret = hlk_sandbox_call(sb, "sh", line, strlen(line), answer, sizeof(answer) - 1,
				   NULL, 120 * SECOND);

	if (!ret && (!want || !strcmp(answer, want)))
		return true;
	printf("# %s: '%s'; %s\n", line, answer, ret ? why(sb) : "that is not it");
	return false;
}

/* ---- forks ---- */

static struct hlk_sandbox *fork_of(struct hlk_sandbox *sb, const char *what)
{
	struct hlk_sandbox *child;
	bool good = !hlk_sandbox_fork(sb, NULL, &child);

	tap_why(sb, good, "%s", what);
	return child;
}

static void test_each_for_itself(struct hlk_snap *snap)
{
	struct hlk_sandbox *sb = clone_of(snap, 0), *child, *next;

	if (!sb || !says(sb, "ls /tmp", "") || !says(sb, OLD, ""))
		bail("no guest to fork", hlk_sandbox_error(sb));
	child = fork_of(sb, "a fork");
	if (!child)
		return;
	tap(says(child, "cat /tmp/which", "old\n") && says(sb, "cat /tmp/which", "old\n"),
	    "both go on from there");
	tap(says(sb, "echo new > /tmp/which", "") && says(child, "cat /tmp/which", "old\n") &&
	    says(child, "echo other > /tmp/which", "") && says(sb, "cat /tmp/which", "new\n"),
	    "each for itself");
	next = fork_of(child, "a fork of the fork");
	hlk_sandbox_close(child);
	tap(next && says(next, "cat /tmp/which", "other\n"), "goes on without it");
	tap(next && says(next, "rm /tmp/which", "") && !hlk_sandbox_restore(next, NULL) &&
	    says(next, "cat /tmp/which", "other\n"), "and goes back to where it was made");
	tap(next && !hlk_sandbox_audit(next), "in which nothing is lost");
	tap(!hlk_sandbox_restore(sb, NULL) && says(sb, "ls /tmp", ""),
	    "the first one goes back to where it was loaded");
	tap(!hlk_sandbox_audit(sb), "where nothing is lost, too");
	hlk_sandbox_close(next);
	hlk_sandbox_close(sb);
}

/* Its generator is told, as that of any clone. */
static void test_random(struct hlk_snap *snap)
{
	static const char line[] = "cat /proc/sys/kernel/random/uuid";
	struct hlk_sandbox *sb = clone_of(snap, 0), *child = NULL;
	char a[64] = "", b[64] = "", c[64] = "";

	/* that there is one */
	if (sb && says(sb, line, NULL))
		child = fork_of(sb, "a fork of a guest that draws random numbers");
	tap(child && !hlk_sandbox_call(sb, "sh", line, sizeof(line) - 1, a, sizeof(a) - 1, NULL,
				       120 * SECOND) &&
	    !hlk_sandbox_call(child, "sh", line, sizeof(line) - 1, b, sizeof(b) - 1, NULL,
			      120 * SECOND) &&
	    !hlk_sandbox_restore_call(child, "sh", line, sizeof(line) - 1, c, sizeof(c) - 1,
				      NULL, 120 * SECOND) &&
	    *a && *b && *c && strcmp(a, b) && strcmp(a, c) && strcmp(b, c),
	    "draws others: %.8s, %.8s, %.8s", a, b, c);
	hlk_sandbox_close(child);
	hlk_sandbox_close(sb);
}

/* A process that counts does so in both. */
static void test_goes_on(struct hlk_snap *snap)
{
	static const char counts[] =
		"(i=0; while :; do i=$((i + 1)); echo $i > /tmp/n; busybox usleep 1000; done) "
		"< /dev/null > /dev/null 2>&1 &";
	static const char wait[] =
		"n=$(cat /tmp/n); while [ \"$(cat /tmp/n)\" = \"$n\" ]; do "
		"busybox usleep 1000; done; echo on";
	struct hlk_sandbox *sb = clone_of(snap, 0), *child = NULL;

	if (sb && says(sb, counts, "") && says(sb, wait, "on\n"))
		child = fork_of(sb, "a fork while a process is at work");
	tap(child && says(child, wait, "on\n") && says(sb, wait, "on\n") &&
	    says(child, wait, "on\n"), "which goes on in both");
	hlk_sandbox_close(child);
	hlk_sandbox_close(sb);
}

static void test_cost(struct hlk_snap *snap)
{
	struct hlk_sandbox *sb = clone_of(snap, 0), *child = NULL;
	struct hlk_snapshot_info info = {};
	struct hlk_info before = {}, after = {};
	struct hlk_vm_stats stats = {};
	uint64_t most, start = 0;

	if (!sb || !says(sb, OLD, "") || hlk_snapshot_get_info(snap, &info, NULL) ||
	    hlk_sandbox_stats(sb, &stats) || hlk_get_info(ctx, &before, NULL)) {
		tap(false, "numbers of a guest: %s", sb ? why(sb) : "none");
	} else {
		start = now_us();
		child = fork_of(sb, "a fork, for its numbers");
		start = now_us() - start;
	}
	hlk_get_info(ctx, &after, NULL);
	/* The snapshot's, and what the second one has to write at once */
	most = 2 * stats.private_pages + 64;
	tap(child && after.live_pages - before.live_pages <= most &&
	    after.live_snapshots - before.live_snapshots == 1,
	    "it costs %llu pages, where the guest had written %llu of %llu",
	    (unsigned long long)(after.live_pages - before.live_pages),
	    (unsigned long long)stats.private_pages, (unsigned long long)info.counts.pages);
	printf("# in %llu us\n", (unsigned long long)start);
	hlk_sandbox_close(child);
	hlk_sandbox_close(sb);
}

static int up(void *arg, const void *in UNUSED, size_t in_len UNUSED, void *out UNUSED,
	      size_t out_size UNUSED, size_t *out_len)
{
	++*(int *)arg;
	*out_len = 0;
	return 0;
}

static void test_refused(struct hlk_snap *snap)
{
	struct hlk_sandbox *sb = clone_of(snap, 0), *child = (void *)1;
	char answer[16];
	int nr = 0, ret;

	if (!sb)
		return;
	ret = hlk_sandbox_call(sb, "sh", "while :; do :; done", 19, answer, sizeof(answer), NULL,
			       20000);
	tap(ret == -ETIMEDOUT, "a call that does not end is cut off");
	ret = hlk_sandbox_fork(sb, NULL, &child);
	tap_why(sb, ret < 0 && !child, "and the guest cannot be forked in it");
	tap_why(sb, !hlk_sandbox_restore(sb, NULL) &&
		!hlk_sandbox_host_function(sb, "up", up, &nr), "after a restore");
	child = fork_of(sb, "it can");
	tap(child && hlk_sandbox_host_function(child, "up", up, &nr) == -EEXIST,
	    "and has the host's functions");
	hlk_sandbox_close(child);
	hlk_sandbox_close(sb);
}

/* ---- layers ---- */

static void test_layer(struct hlk_snap *snap, const char *folder)
{
	struct hlk_save_config how = HLK_SAVE_CONFIG_INIT;
	struct hlk_sandbox *sb = clone_of(snap, 0);
	struct hlk_snapshot_info info = {};
	struct hlk_snap *layer = NULL;
	struct hlk_err err = {};

	if (!sb || !says(sb, OLD, "") || hlk_sandbox_snapshot(sb, NULL, &layer))
		bail("no snapshot of a guest that was loaded", hlk_sandbox_error(sb));
	hlk_sandbox_close(sb);
	hlk_snapshot_get_info(snap, &info, NULL);
	how.name = "linux-layer";
	how.parent = snap;
	tap_err(&err, !hlk_snapshot_save(ctx, layer, folder, &how, &err) && how.layers == 2 &&
		how.pages < info.counts.pages / 4, "a layer of %llu pages, on %llu",
		(unsigned long long)how.pages, (unsigned long long)info.counts.pages);
	hlk_snapshot_close(layer);
	layer = load(folder, "linux-layer");
	sb = clone_of(layer, 0);
	tap(sb && says(sb, "cat /tmp/which", "old\n") && !hlk_sandbox_audit(sb),
	    "has what the guest had written");
	hlk_sandbox_close(sb);
	hlk_snapshot_close(layer);
}

int main(int argc, char **argv)
{
	const char *given = getenv("SEED");
	const char *folder = argc > 1 ? argv[1] : getenv("SAVE");
	struct hlk_sandbox *sb;
	struct hlk_snap *snap;

	if (!folder)
		return 2;
	seed = given ? strtoull(given, NULL, 0) : now_us();
	printf("TAP version 13\n# SEED=%llu\n", (unsigned long long)seed);
	open_ctx();
	snap = load(folder, argc > 2 ? argv[2] : "linux");
	sb = clone_of(snap, 0);
	has_shell = find_shell(sb);
	calls(sb, argc > 3 ? strtoul(argv[3], NULL, 0) : 20, "loaded");
	hlk_sandbox_close(sb);
	if (has_shell) {
		test_each_for_itself(snap);
		test_random(snap);
		test_goes_on(snap);
		test_cost(snap);
		test_refused(snap);
		test_layer(snap, folder);
	}
	tap(has_shell && !barked, "there is a shell, and no watchdog says anything");
	hlk_snapshot_close(snap);
	return finish();
}
