// SPDX-License-Identifier: GPL-2.0-only
/*
 * One call each, and what surrounds every test: the kernel says nothing, and
 * the module holds nothing afterwards.
 */
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>

#include "hlk_test.h"

__thread u32 t_why;
__thread u32 t_index;
__thread u64 t_where;

static int kmsg = -1;

long hlk_call(int fd, unsigned long cmd, void *arg)
{
	struct hlk_head *head = arg;
	long ret = ioctl(fd, cmd, arg);

	if (ret < 0)
		ret = -errno;
	t_why = head->why;
	t_index = head->index;
	t_where = head->where;
	return ret;
}

int hlk_open(void)
{
	int fd = open("/dev/hlk", O_RDWR | O_CLOEXEC);

	t_must(fd >= 0);
	return fd;
}

int hlk_info(int dev, struct hlk_info *info)
{
	*info = (struct hlk_info)HLK_STRUCT(hlk_info);
	return hlk_call(dev, HLK_INFO, info);
}

int hlk_attach(int dev, int vm_fd, u64 max_private, u64 keep_private)
{
	struct hlk_vm_attach attach = HLK_STRUCT(hlk_vm_attach);
	int ret;

	attach.vm_fd = vm_fd;
	attach.out_fd = -1;
	attach.max_private = max_private;
	attach.keep_private = keep_private;
	ret = hlk_call(dev, HLK_VM_ATTACH, &attach);
	return ret ? ret : attach.out_fd;
}

int hlk_window_add(int vm, u64 gpa, u64 bytes, u32 flags)
{
	struct hlk_window_add add = HLK_STRUCT(hlk_window_add);

	add.window.gpa = gpa;
	add.window.bytes = bytes;
	add.window.flags = flags;
	return hlk_call(vm, HLK_WINDOW_ADD, &add);
}

int hlk_snapshot(int vm, struct hlk_snapshot *s)
{
	int ret;

	s->head.size = sizeof(*s);
	s->out_fd = -1;
	ret = hlk_call(vm, HLK_SNAPSHOT, s);
	return ret ? ret : s->out_fd;
}

int hlk_snapshot_flat(int vm)
{
	struct hlk_snapshot s = {};

	return hlk_snapshot(vm, &s);
}

int hlk_restore_flags(int vm, int snap, u32 flags, struct hlk_restore *r)
{
	struct hlk_restore local;

	if (!r)
		r = &local;
	*r = (struct hlk_restore)HLK_STRUCT(hlk_restore);
	r->head.flags = flags;
	r->snapshot_fd = snap;
	return hlk_call(vm, HLK_RESTORE, r);
}

int hlk_restore(int vm, int snap, struct hlk_restore *r)
{
	return hlk_restore_flags(vm, snap, 0, r);
}

int hlk_translate(int vm, u64 root, u64 va, struct hlk_translate *t)
{
	t->head.size = sizeof(*t);
	t->root = root;
	t->va = va;
	return hlk_call(vm, HLK_TRANSLATE, t);
}

int hlk_stats(int vm, struct hlk_vm_stats *stats)
{
	*stats = (struct hlk_vm_stats)HLK_STRUCT(hlk_vm_stats);
	return hlk_call(vm, HLK_VM_STATS, stats);
}

int hlk_snapshot_info(int snap, struct hlk_snapshot_info *info)
{
	info->head.size = sizeof(*info);
	return hlk_call(snap, HLK_SNAPSHOT_INFO, info);
}

/* What must work for the test to make sense */
void t_must_(bool ok, const char *what, const char *file, int line)
{
	if (ok)
		return;
	fprintf(stderr, "# %s:%d: %s: %s\n", file, line, what, strerror(errno));
	_exit(1);
}

void t_begin(void)
{
	/* a test whose harness is killed must not go on beside the next */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	t_must(kmsg >= 0);
	lseek(kmsg, 0, SEEK_END);
}

static bool splat(const char *line)
{
	static const char *const words[] = {
		"BUG:", "WARNING: ", "Oops", "KASAN:", "UBSAN:", "kernel BUG at",
		"locking dependency", "inconsistent lock state",
		"suspicious RCU usage", "blocked for more than", "rcu: INFO:",
		"detected stall", "refcount_t:", "general protection fault",
		"Call Trace:", "Bad page", "Bad rss-counter",
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (strstr(line, words[i]))
			return true;
	return false;
}

static int splats(void)
{
	char line[8192];
	bool harmless = false;
	int bad = 0;
	ssize_t len;

	while ((len = read(kmsg, line, sizeof(line) - 1)) > 0 ||
	       (len < 0 && errno == EPIPE)) {
		if (len < 0)
			continue;
		line[len] = 0;
		/*
		 * Two stacks are no fault: of who runs out of its cgroup, and, with
		 * CONFIG_DEBUG_VM, of /proc/PID/mem where userfaultfd has a page
		 */
		if (strstr(line, "invoked oom-killer") ||
		    strstr(line, "FAULT_FLAG_ALLOW_RETRY missing"))
			harmless = true;
		else if (strstr(line, "</TASK>"))
			harmless = false;
		if (!splat(line) || (harmless && strstr(line, "Call Trace:")))
			continue;
		fprintf(stderr, "# the kernel says: %s\n", line);
		bad++;
	}
	close(kmsg);
	return bad;
}

/*
 * Nothing is left: of other processes too, for a child that was killed may
 * still be on its way out.
 */
static int leftovers(void)
{
	const struct timespec tick = { .tv_nsec = 20000000 };
	struct hlk_info info;
	int dev = hlk_open();
	int tries;

	for (tries = 0; tries < 250; tries++) {
		t_must(!hlk_info(dev, &info));
		if (!info.live_vms && !info.live_snapshots && !info.live_pages)
			break;
		nanosleep(&tick, NULL);
	}
	close(dev);
	if (tries < 250)
		return 0;
	fprintf(stderr, "# left: %llu VMs, %llu snapshots, %llu pages\n",
		(unsigned long long)info.live_vms,
		(unsigned long long)info.live_snapshots,
		(unsigned long long)info.live_pages);
	return 1;
}

/* How many things are wrong after the test closed all it opened */
int t_end(void)
{
	int left = leftovers();

	return left + splats();
}

/* SEED=N in the environment repeats a run. */
u32 t_seed(void)
{
	const char *env = getenv("SEED");
	u32 seed = env ? strtoul(env, NULL, 0) : (u32)time(NULL) ^ getpid() << 16;

	seed = seed ?: 1;
	fprintf(stderr, "# SEED=%u\n", seed);
	return seed;
}

/* Nanoseconds */
u64 t_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

u32 t_rnd(u32 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* The module's file, for tests that unload it; NULL if they may not */
const char *t_module(void)
{
	const char *path = getenv("HLK_KO");

	return path && !geteuid() && !access(path, R_OK) ? path : NULL;
}
