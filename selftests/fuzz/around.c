// SPDX-License-Identifier: GPL-2.0-only
/*
 * What reaches into the process from outside of its calls: userfaultfd, other
 * processes, task work, the scheduler, NUMA, and cgroup limits that move.
 */
#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#include "fuzz.h"

#ifndef UFFD_FEATURE_WP_HUGETLBFS_SHMEM
#define UFFD_FEATURE_WP_HUGETLBFS_SHMEM	(1 << 12)
#endif
#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED	(1 << 13)
#endif
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC		(1 << 15)
#endif

/* ---- userfaultfd ---- */

/**
 * struct answers - a thread that answers faults, or does not
 * @fd: the userfaultfd, its own
 * @ms: how long it lives; who waits is let go then
 * @how: 0 reads nothing, 1 reads and says nothing, 2 gives a page, 3 zeroes, 4 makes
 *	it writable, 5 wakes up
 */
struct answers {
	int fd;
	u32 ms;
	u32 how;
};

static void answer(int fd, u64 at, u32 how)
{
	struct uffdio_range range = { .start = at & -PAGE, .len = PAGE };
	struct uffdio_copy copy = { .dst = range.start, .src = (uintptr_t)w.page, .len = PAGE };
	struct uffdio_zeropage zero = { .range = range };
	struct uffdio_writeprotect protect = { .range = range };

	switch (how) {
	case 2:
		ioctl(fd, UFFDIO_COPY, &copy);
		break;
	case 3:
		ioctl(fd, UFFDIO_ZEROPAGE, &zero);
		break;
	case 4:
		ioctl(fd, UFFDIO_WRITEPROTECT, &protect);
		break;
	case 5:
		ioctl(fd, UFFDIO_WAKE, &range);
		break;
	}
}

static void *answers(void *arg)
{
	struct answers *a = arg;
	struct pollfd p = { .fd = a->fd, .events = POLLIN };
	struct uffd_msg msg;
	struct timespec tick = { .tv_nsec = 1000000 };

	for (; a->ms && !w.stop; a->ms--) {
		if (!a->how) {
			nanosleep(&tick, NULL);
			continue;
		}
		if (poll(&p, 1, 1) <= 0 || read(a->fd, &msg, sizeof(msg)) != sizeof(msg))
			continue;
		if (msg.event == UFFD_EVENT_PAGEFAULT)
			answer(a->fd, msg.arg.pagefault.address, a->how);
	}
	close(a->fd);
	free(a);
	return NULL;
}

/* Guest memory, snapshots, or what our structs and arrays lie in */
void op_uffd(struct fuzzer *f)
{
	static const u64 features[] = {
		0, 0, UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM,
		UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM |
		UFFD_FEATURE_WP_UNPOPULATED | UFFD_FEATURE_WP_ASYNC,
		UFFD_FEATURE_SIGBUS,
	};
	struct uffdio_api api = { .api = UFFD_API,
				  .features = features[rnd(f, ARRAY_SIZE(features))] };
	u32 place = rnd(f, PLACES + 1), first = rnd(f, 32), pages = 1 + rnd(f, 32);
	u32 mode = 1 + rnd(f, 3), how = rnd(f, 6), ms = 1 + rnd(f, 200);
	struct uffdio_register reg = {
		.range.start = (uintptr_t)(place < PLACES ? w.place[place] : w.buffer) +
			       first * PAGE,
		.range.len = pages * PAGE,
		.mode = mode,
	};
	struct uffdio_writeprotect protect = {
		.range = reg.range, .mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};
	struct answers *a;
	pthread_t thread;
	int fd;

	if (say(f, "userfaultfd, features %#llx, place %u, pages %u + %u, mode %u, answers %u for %u ms",
		(unsigned long long)api.features, place, first, pages, mode, how, ms))
		return;
	fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return;
	if (ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &reg)) {
		close(fd);
		return;
	}
	if (mode & UFFDIO_REGISTER_MODE_WP)
		ioctl(fd, UFFDIO_WRITEPROTECT, &protect);
	a = malloc(sizeof(*a));
	if (a) {
		*a = (struct answers){ .fd = fd, .ms = ms, .how = how };
		if (!pthread_create(&thread, NULL, answers, a)) {
			pthread_detach(thread);
			return;
		}
	}
	free(a);
	close(fd);
}

/* ---- others ---- */

/* A child reads and writes its parent, or the parent its child. */
void op_foreign(struct fuzzer *f)
{
	u32 place = rnd(f, PLACES / 2), times = 1 + rnd(f, 20);
	bool write = one_in(f, 2), wait = one_in(f, 2);
	u64 bytes = 1 + rnd(f, 100000);
	pid_t parent = getpid(), pid;
	struct iovec here = { w.place[PLACES - 1], bytes }, there = { w.place[place], bytes };

	if (say(f, "another process %s place %u, %u times %u bytes%s", write ? "writes" : "reads",
		place, times, (u32)bytes, wait ? "" : ", meanwhile"))
		return;
	pid = fork_child();
	if (pid < 0)
		return;
	if (pid) {
		if (!wait)
			return;
		/* and at the same time the other way */
		process_vm_readv(pid, &here, 1, &there, 1, 0);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		return;
	}
	here.iov_base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	while (times--) {
		if (write)
			process_vm_writev(parent, &here, 1, &there, 1, 0);
		else
			process_vm_readv(parent, &here, 1, &there, 1, 0);
	}
	_exit(0);
}

/* ---- task work ---- */

GUEST(spin, "1:	incl 0x20000\n"
	    "	jmp 1b\n");

static void no_op(int sig)
{
}

/*
 * Keys come as task work, to a process of one thread alone: so this one has a guest
 * of its own, and a child that gives it a new session all the time.
 */
static void keys(u32 ms, bool many)
{
	struct itimerval timer = { { 0, 2000 }, { 0, 2000 } };
	struct hlk_run_many all = HLK_STRUCT(hlk_run_many);
	struct hlk_run run = HLK_STRUCT(hlk_run);
	struct hlk_many_call calls[4];
	static struct tvm t;
	int snap;
	u32 i;

	tvm_start(&t, 0, 0);
	tvm_load(&t, TVM_CODE, spin);
	snap = hlk_snapshot_flat(t.hlk);
	if (snap < 0 || hlk_restore(t.hlk, snap, NULL))
		_exit(0);
	if (!fork_child()) {
		for (;;) {
			syscall(SYS_keyctl, 1 /* JOIN_SESSION_KEYRING */, NULL);
			syscall(SYS_keyctl, 18 /* SESSION_TO_PARENT */);
		}
	}
	signal(SIGALRM, no_op);
	setitimer(ITIMER_REAL, &timer, NULL);
	run.vcpu_fd = t.vcpu;
	for (i = 0; i < ARRAY_SIZE(calls); i++)
		calls[i] = (struct hlk_many_call){ .vm_fd = t.hlk, .run = (uintptr_t)&run };
	all.calls = (uintptr_t)calls;
	all.nr_calls = ARRAY_SIZE(calls);
	all.call_size = sizeof(*calls);
	for (i = 0; i < ms; i += 2)
		hlk_call(many ? t.dev : t.hlk, many ? HLK_RUN_MANY : HLK_RUN,
			 many ? (void *)&all : (void *)&run);
	_exit(0);
}

void op_keys(struct fuzzer *f)
{
	u32 ms = 10 + rnd(f, 100);
	bool many = one_in(f, 2);

	if (say(f, "a guest of its own with keys for %u ms%s", ms, many ? ", by many" : ""))
		return;
	if (!fork_child())
		keys(ms, many);
}

/* Of the thread's own: CPU timers are task work too, and need send no signal */
void op_timer(struct fuzzer *f)
{
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	u32 us = 100 + rnd(f, 5000);
	struct itimerspec spec = {
		.it_interval.tv_nsec = us * 1000, .it_value.tv_nsec = us * 1000,
	};
	bool real = one_in(f, 3);
	timer_t timer;

	if (say(f, "a timer, every %u us%s", us, real ? "" : " of CPU time"))
		return;
	if (!timer_create(real ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &event, &timer))
		timer_settime(timer, 0, &spec, NULL);
}

/* ---- the machine ---- */

/* What it forks is not to keep others from the CPU for ever. */
void op_sched(struct fuzzer *f)
{
	struct sched_param param = { .sched_priority = 1 + rnd(f, 5) };
	bool fifo = one_in(f, 3);
	u32 mask = one_in(f, 2) ? 1 + rnd(f, 3) : 3;
	cpu_set_t set;
	u32 i;

	if (say(f, "%s, CPUs %#x", fifo ? "SCHED_FIFO" : "SCHED_OTHER", mask))
		return;
	CPU_ZERO(&set);
	for (i = 0; i < 2; i++)
		if (mask >> i & 1)
			CPU_SET(i, &set);
	sched_setaffinity(0, sizeof(set), &set);
	if (!fifo)
		param.sched_priority = 0;
	sched_setscheduler(0, (fifo ? SCHED_FIFO : SCHED_OTHER) | SCHED_RESET_ON_FORK,
			   &param);
}

void op_numa(struct fuzzer *f)
{
	static const int policies[] = { MPOL_DEFAULT, MPOL_PREFERRED, MPOL_BIND,
					MPOL_INTERLEAVE, MPOL_BIND | MPOL_F_NUMA_BALANCING };
	u32 place = rnd(f, PLACES / 2), first = rnd(f, 64), pages = 1 + rnd(f, 32), i;
	int policy = policies[rnd(f, ARRAY_SIZE(policies))], status[32], nodes[32] = {};
	u32 what = rnd(f, 4), flags = rnd(f, 8);
	u8 *at = w.place[place] + first * PAGE;
	unsigned long mask = 1 + rnd(f, 3);
	void *list[32];

	if (say(f, "NUMA %u, policy %#x, nodes %#lx, place %u, pages %u + %u", what, policy,
		mask, place, first, pages))
		return;
	for (i = 0; i < pages; i++) {
		list[i] = at + i * PAGE;
		nodes[i] = i & mask & 1;
	}
	switch (what) {
	case 0:
		syscall(SYS_move_pages, 0, pages, list, nodes, status,
			flags & 4 ? MPOL_MF_MOVE_ALL : MPOL_MF_MOVE);
		break;
	case 1:
		syscall(SYS_mbind, at, pages * PAGE, policy, &mask, 8UL, flags);
		break;
	case 2:
		syscall(SYS_set_mempolicy, policy, &mask, 8UL);
		break;
	case 3:
		syscall(SYS_migrate_pages, 0, 8UL, &mask, &(unsigned long){ 1 });
		break;
	}
}

/* The limits of both groups, while somebody is in them or nobody */
void op_limit(struct fuzzer *f)
{
	u32 which = rnd(f, 2), mib = which ? 32 + rnd(f, 256) : 4 + rnd(f, 28);
	char path[128], text[16], *slash;
	int fd;

	if (say(f, "cgroup %u has %u MiB", which, mib))
		return;
	if (!w.cgroup[which])
		return;
	snprintf(path, sizeof(path) - 16, "%s", w.cgroup[which]);
	slash = strrchr(path, '/');
	strcpy(slash, "/memory.max");
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	snprintf(text, sizeof(text), "%u", mib << 20);
	if (write(fd, text, strlen(text)) < 0)
		sched_yield();
	close(fd);
}
