// SPDX-License-Identifier: GPL-2.0-only
/*
 * What happens beside the calls: fds and mappings come and go, processes fork,
 * exec and die, memory is short.
 */
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#include "fuzz.h"

#ifndef MADV_COLD
#define MADV_COLD	20
#define MADV_PAGEOUT	21
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

/* ---- fds ---- */

static void op_close(struct fuzzer *f)
{
	int fd = slot(f, rnd(f, KINDS)), old;

	if (say(f, "close(fd %d)", fd))
		return;
	old = __atomic_exchange_n(&w.fd[fd / NR][fd % NR], -1, __ATOMIC_RELAXED);
	if (old >= 0)
		close(old);
}

static void op_dup(struct fuzzer *f)
{
	enum kind kind = rnd(f, KINDS);
	int from = slot(f, kind);
	u32 to = rnd(f, NR);

	if (say(f, "%u[%u] = dup(fd %d)", kind, to, from))
		return;
	put_fd(kind, to, dup(get_fd(from)));
}

static void op_send(struct fuzzer *f)
{
	enum kind kind = rnd(f, KINDS);
	int fd = slot(f, kind);
	bool receive = !one_in(f, 4);
	u32 to = rnd(f, NR);
	char byte = 0, control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	if (say(f, "send fd %d%s", fd, receive ? ", receive" : ""))
		return;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	fd = get_fd(fd);
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	sendmsg(w.sock[0], &msg, MSG_DONTWAIT);
	if (!receive)
		return;
	msg.msg_controllen = sizeof(control);
	if (recvmsg(w.sock[1], &msg, MSG_DONTWAIT) < 0 || !CMSG_FIRSTHDR(&msg))
		return;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	put_fd(kind, to, fd);
}

static void op_file(struct fuzzer *f)
{
	int any = rnd(f, KINDS * NR);
	u32 what = rnd(f, 6);
	char bytes[64];

	if (say(f, "file operation %u on fd %d", what, any))
		return;
	any = get_fd(any);
	switch (what) {
	case 0:
		if (pread(any, bytes, sizeof(bytes), 0) > 0)
			break;
		break;
	case 1:
		lseek(any, 4096, SEEK_SET);
		break;
	case 2:
		if (ftruncate(any, 4096))
			break;
		break;
	case 3:
		fsync(any);
		break;
	case 4:
		fallocate(any, 3, 0, 4096);
		break;
	case 5:
		fcntl(any, F_SETFL, O_NONBLOCK);
		break;
	}
}

/* ---- memory ---- */

static void op_mmap(struct fuzzer *f)
{
	static const u64 offsets[] = { 0, 0x100000, TVM_SCRATCH_GPA, 0x10000, 0x200000 };
	enum kind kind = one_in(f, 3) ? SNAP : HLK;
	u32 place = rnd(f, PLACES), at = rnd(f, ARRAY_SIZE(offsets));
	u64 offset = one_in(f, 20) ? odd_number(f) : offsets[at];
	u64 bytes = one_in(f, 2) ? (at == 2 ? TVM_SCRATCH : TVM_LOW) : (1 + rnd(f, 80)) * PAGE;
	int prot = kind == SNAP && !one_in(f, 5) ? PROT_READ : rnd(f, 4);
	int flags = one_in(f, 20) ? MAP_PRIVATE : MAP_SHARED;
	int fd = slot(f, kind);

	if (one_in(f, 10))
		flags |= MAP_POPULATE;
	if (one_in(f, 20))
		flags |= MAP_LOCKED;
	if (say(f, "place %u = mmap(fd %d, %#llx + %#llx, prot %d, flags %#x)", place, fd,
		(unsigned long long)offset, (unsigned long long)bytes, prot, flags))
		return;
	mmap(w.place[place], bytes, prot, flags | MAP_FIXED, get_fd(fd), offset);
}

static void op_munmap(struct fuzzer *f)
{
	u32 place = rnd(f, PLACES), first = rnd(f, 8), pages = 1 + rnd(f, 512);

	if (say(f, "place %u: pages %u + %u gone", place, first, pages))
		return;
	if (first + pages > PLACE_BYTES / PAGE)
		pages = PLACE_BYTES / PAGE - first;
	mmap(w.place[place] + first * PAGE, pages * PAGE, PROT_NONE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void op_madvise(struct fuzzer *f)
{
	static const int advice[] = {
		MADV_DONTNEED, MADV_DONTNEED, MADV_POPULATE_READ, MADV_POPULATE_WRITE,
		MADV_WILLNEED, MADV_COLD, MADV_PAGEOUT, MADV_FREE, MADV_DOFORK,
		MADV_DONTFORK, MADV_DODUMP, MADV_MERGEABLE, MADV_HUGEPAGE,
		MADV_COLLAPSE, MADV_REMOVE, MADV_RANDOM, MADV_WIPEONFORK,
	};
	u32 place = rnd(f, PLACES / 2), which = rnd(f, ARRAY_SIZE(advice));
	u32 first = rnd(f, 100), pages = 1 + rnd(f, 156);

	if (say(f, "madvise(place %u, pages %u + %u, %d)", place, first, pages, advice[which]))
		return;
	madvise(w.place[place] + first * PAGE, pages * PAGE, advice[which]);
}

static void op_protect(struct fuzzer *f)
{
	u32 place = rnd(f, PLACES / 2), what = rnd(f, 6), first = rnd(f, 100);
	u32 pages = 1 + rnd(f, 100), prot = rnd(f, 4), other = rnd(f, PLACES);
	u8 *at = w.place[place] + first * PAGE;

	if (say(f, "place %u, pages %u + %u: change %u, prot %u, place %u", place, first,
		pages, what, prot, other))
		return;
	switch (what) {
	case 0:
	case 1:
		mprotect(at, pages * PAGE, prot);
		break;
	case 2:
		mlock(at, pages * PAGE);
		break;
	case 3:
		msync(at, pages * PAGE, MS_SYNC);
		break;
	case 4:		/* moves the pages, leaves a hole that is filled again */
		if (place == other)
			break;
		if (mremap(at, pages * PAGE, pages * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			   w.place[other]) != MAP_FAILED)
			mmap(at, pages * PAGE, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		break;
	case 5:		/* doubles or grows it: refused */
		mremap(at, one_in(f, 2) ? 0 : PAGE, 2 * PAGE, MREMAP_MAYMOVE);
		break;
	}
}

static void touch_word(volatile u32 *word, bool write, u32 value)
{
	if (write)
		MAY_FAULT(*word = value);
	else
		MAY_FAULT((void)*word);
}

static void op_touch(struct fuzzer *f)
{
	u32 place = one_in(f, 3) ? rnd(f, PLACES) : rnd(f, 2), first = rnd(f, 256);
	u32 pages = 1 + rnd(f, 30), i, seed = f->seed | 1;
	bool write = one_in(f, 2);

	if (say(f, "%s place %u, pages %u + %u", write ? "write" : "read", place, first, pages))
		return;
	for (i = first; i < first + pages && i < PLACE_BYTES / PAGE; i++) {
		volatile u32 *word = (u32 *)(w.place[place] + i * PAGE + t_rnd(&seed) % 1024 * 4);

		touch_word(word, write, seed);
	}
}

/* The same by other ways into memory: by process, by pipe, for good */
static void op_gup(struct fuzzer *f)
{
	u32 from = rnd(f, PLACES / 2), to = rnd(f, PLACES / 2), what = rnd(f, 4);
	u64 bytes = 1 + rnd(f, 60000);
	struct iovec a = { w.place[from] + rnd(f, 64) * PAGE, bytes };
	struct iovec b = { w.place[to] + rnd(f, 64) * PAGE, bytes };
	u32 nr = rnd(f, NR);
	int pipes[2], mem;

	if (say(f, "place %u into place %u, %u bytes, way %u", from, to, (u32)bytes, what))
		return;
	switch (what) {
	case 0:
		process_vm_readv(getpid(), &b, 1, &a, 1, 0);
		break;
	case 1:
		process_vm_writev(getpid(), &b, 1, &a, 1, 0);
		break;
	case 2:
		if (pipe2(pipes, O_NONBLOCK | O_CLOEXEC))
			break;
		vmsplice(pipes[1], &a, 1, SPLICE_F_NONBLOCK | (one_in(f, 2) ? SPLICE_F_GIFT : 0));
		close(pipes[1]);
		put_fd(OTHER, nr, pipes[0]);	/* holds the pages */
		break;
	case 3:		/* what ptrace does: may write where the mapping may not */
		mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
		if (pwrite(mem, w.buffer, bytes, (uintptr_t)b.iov_base) < 0)
			sched_yield();
		close(mem);
		break;
	}
}

static void put_word(volatile u32 *to, u32 value)
{
	MAY_FAULT(*to = value);
}

/* Half a page of guest page tables, right or wrong */
static void op_tables(struct fuzzer *f)
{
	u32 at = 0x40000 + rnd(f, 3) * PAGE, seed = f->seed | 1, i;
	bool right = !one_in(f, 3);

	if (say(f, "write %s page tables at %#x", right ? "right" : "odd", at))
		return;
	for (i = 0; i < 64; i++) {
		const u32 page = (t_rnd(&seed) % 256) << 12;
		const u32 bits = right ? (t_rnd(&seed) & 0x27) | PTE_P : t_rnd(&seed) & 0xfff;
		volatile u32 *to = (u32 *)(w.place[0] + at) + t_rnd(&seed) % 1024;

		put_word(to, page | bits);
	}
}

/* ---- processes ---- */

static void op_fork(struct fuzzer *f)
{
	u32 what = rnd(f, 4), ms = rnd(f, 10);
	struct timespec nap = { .tv_nsec = ms * 1000000 };
	struct fuzzer child;
	pid_t pid;
	u32 i;

	/* the child's operations are drawn before, so that the list has them */
	child = (struct fuzzer){ .seed = f->seed ^ 0x5bd1e995 ?: 1, .nr = f->nr + 100,
				 .list = f->list };
	if (!say(f, "fork, %s", what == 0 ? "exec" : what == 1 ? "exit" : what == 2 ?
		    "call and exit" : "call until killed")) {
		pid = fork_child();
		if (pid < 0)
			return;
		if (pid) {
			if (what == 3) {
				nanosleep(&nap, NULL);
				kill(pid, SIGKILL);
			}
			while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
				;
			return;
		}
	}
	for (i = 0; what >= 2 && (i < 8 || (what == 3 && !f->list)); i++) {
		const struct op *op = &call_ops[rnd(&child, nr_call_ops)];

		child.calls++;
		op->run(&child);
		if (child.list)
			continue;
		/* windows are not here, unless MADV_DOFORK said so */
		MAY_FAULT(*(volatile u8 *)(w.place[i % 2] + i % 8 * PAGE) += 1);
	}
	if (f->list)
		return;
	if (!what)
		execl("/proc/self/exe", "fuzz", "--nothing", NULL);
	_exit(0);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		sched_yield();
	close(fd);
}

static void op_cgroup(struct fuzzer *f)
{
	u32 which = rnd(f, 2);

	if (say(f, "move to cgroup %u", which))
		return;
	if (w.cgroup[which])
		write_file(w.cgroup[which], "0");
}

static void op_pressure(struct fuzzer *f)
{
	u32 what = rnd(f, 4), mib = 1 + rnd(f, 24);
	u8 *memory;

	if (say(f, "pressure %u, %u MiB", what, mib))
		return;
	switch (what) {
	case 0:
		write_file("/proc/sys/vm/drop_caches", "3");
		break;
	case 1:
		write_file("/proc/sys/vm/compact_memory", "1");
		break;
	default:
		memory = mmap(NULL, mib << 20, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		if (memory == MAP_FAILED)
			break;
		madvise(memory, mib << 20, what == 2 ? MADV_PAGEOUT : MADV_MERGEABLE);
		munmap(memory, mib << 20);
	}
}

static void op_rest(struct fuzzer *f)
{
	u32 us = rnd(f, 3000);
	struct timespec nap = { .tv_nsec = us * 1000 };

	if (say(f, "rest %u us", us))
		return;
	if (us % 2)
		sched_yield();
	else
		nanosleep(&nap, NULL);
}

const struct op disturb_ops[] = {
	{ "close", 3, op_close },
	{ "dup", 2, op_dup },
	{ "send", 2, op_send },
	{ "file", 1, op_file },
	{ "mmap", 4, op_mmap },
	{ "munmap", 2, op_munmap },
	{ "madvise", 4, op_madvise },
	{ "protect", 3, op_protect },
	{ "touch", 8, op_touch },
	{ "gup", 3, op_gup },
	{ "tables", 3, op_tables },
	{ "fork", 1, op_fork },
	{ "cgroup", 1, op_cgroup },
	{ "pressure", 1, op_pressure },
	{ "rest", 2, op_rest },
	{ "event", 4, op_event },
	{ "events", 1, op_events },
	{ "uffd", 2, op_uffd },
	{ "foreign", 1, op_foreign },
	{ "keys", 1, op_keys },
	{ "timer", 1, op_timer },
	{ "sched", 1, op_sched },
	{ "numa", 2, op_numa },
	{ "limit", 1, op_limit },
};

const u32 nr_disturb_ops = ARRAY_SIZE(disturb_ops);
