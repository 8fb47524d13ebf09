// SPDX-License-Identifier: GPL-2.0-only
/*
 * io_uring: rings of every kind, chains of requests with ours among them, and
 * what makes those come true later, as task work, in the middle of a guest.
 */
#include <linux/io_uring.h>
#include <linux/time_types.h>
#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>

#include "fuzz.h"

/* Newer than the headers that this may be built with */
#ifndef IORING_SETUP_COOP_TASKRUN
#define IORING_SETUP_COOP_TASKRUN	(1U << 8)
#endif
#ifndef IORING_SETUP_TASKRUN_FLAG
#define IORING_SETUP_TASKRUN_FLAG	(1U << 9)
#endif
#ifndef IORING_SETUP_SINGLE_ISSUER
#define IORING_SETUP_SINGLE_ISSUER	(1U << 12)
#endif
#ifndef IORING_SETUP_DEFER_TASKRUN
#define IORING_SETUP_DEFER_TASKRUN	(1U << 13)
#endif

#define ENTRIES		8

static const u32 ring_flags[] = {
	0, 0, 0, IORING_SETUP_SQPOLL, IORING_SETUP_IOPOLL,
	IORING_SETUP_COOP_TASKRUN,
	IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
	IORING_SETUP_SINGLE_ISSUER,
	IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
	IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
	IORING_SETUP_SUBMIT_ALL,
	IORING_SETUP_SQPOLL | IORING_SETUP_SINGLE_ISSUER,
};

/* For as long as requests may be under way: that they be read late is of use */
static struct __kernel_timespec soon[4] = {
	{ 0, 100000 }, { 0, 1000000 }, { 0, 5000000 }, { 0, 30000000 },
};

static void fill_hlk(struct fuzzer *f, struct io_uring_sqe *sqe)
{
	int hlk = slot(f, HLK), other;
	struct hlk_uring cmd = {};
	u32 kind = rnd(f, 8), op, flags;
	void *arg;

	arg = kind ? (void *)a_restore(f, &other, &flags) : (void *)a_run(f, &other, &flags);
	op = one_in(f, 30) ? odd_number(f) : kind ? HLK_RESTORE :
	     one_in(f, 4) ? HLK_RUN_MANY : HLK_RUN;
	cmd.arg = one_in(f, 30) ? odd_number(f) : (uintptr_t)arg;
	cmd.__reserved = one_in(f, 60);
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = f->list ? hlk : get_fd(hlk);
	sqe->off = op;		/* cmd_op, in newer headers */
	memcpy((u8 *)sqe + 48, &cmd, sizeof(cmd));
}

static void fill_other(struct fuzzer *f, struct io_uring_sqe *sqe)
{
	u32 kind = rnd(f, 7), at = rnd(f, 4);

	switch (kind) {
	case 0:
		sqe->opcode = IORING_OP_NOP;
		break;
	case 1:
	case 2:		/* once, or for as long as there is a ring */
		sqe->opcode = IORING_OP_POLL_ADD;
		sqe->fd = w.event;
		sqe->poll32_events = POLLIN;
		sqe->len = kind == 2 ? IORING_POLL_ADD_MULTI : 0;
		break;
	case 3:
		sqe->opcode = IORING_OP_TIMEOUT;
		sqe->fd = -1;
		sqe->addr = (uintptr_t)&soon[at];
		sqe->len = 1;
		sqe->timeout_flags = one_in(f, 2) ? IORING_TIMEOUT_ETIME_SUCCESS : 0;
		break;
	case 4:
		sqe->opcode = IORING_OP_LINK_TIMEOUT;
		sqe->fd = -1;
		sqe->addr = (uintptr_t)&soon[at];
		sqe->len = 1;
		break;
	case 5:		/* into guest memory, which may fault */
		sqe->opcode = IORING_OP_READ;
		sqe->fd = w.event;
		sqe->addr = (uintptr_t)w.place[at & 1] + at * PAGE;
		sqe->len = 8;
		break;
	case 6:
		sqe->opcode = IORING_OP_WRITE;
		sqe->fd = w.event;
		sqe->addr = (uintptr_t)w.place[at & 1] + at * PAGE;
		sqe->len = 8;
		break;
	}
}

static u8 sqe_flags(struct fuzzer *f)
{
	static const u8 some[] = {
		0, IOSQE_ASYNC, IOSQE_IO_LINK, IOSQE_IO_LINK, IOSQE_IO_HARDLINK,
		IOSQE_IO_DRAIN, IOSQE_IO_LINK | IOSQE_ASYNC, IOSQE_IO_DRAIN | IOSQE_ASYNC,
	};

	return some[rnd(f, ARRAY_SIZE(some))];
}

static void submit(int fd, const struct io_uring_params *p,
		   const struct io_uring_sqe *from, u32 nr, u32 wait)
{
	struct io_uring_sqe *sqes;
	u32 *ring, i, flags = wait ? IORING_ENTER_GETEVENTS : 0;

	ring = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQ_RING);
	sqes = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQES);
	if (ring != MAP_FAILED && sqes != MAP_FAILED) {
		memcpy(sqes, from, nr * sizeof(*sqes));
		for (i = 0; i < nr; i++)
			ring[p->sq_off.array / 4 + i] = i;
		__atomic_store_n(&ring[p->sq_off.tail / 4], nr, __ATOMIC_RELEASE);
		if (p->flags & IORING_SETUP_SQPOLL)
			flags |= IORING_ENTER_SQ_WAKEUP;
		syscall(SYS_io_uring_enter, fd, nr, wait, flags, NULL, 0);
	}
	if (ring != MAP_FAILED)
		munmap(ring, PAGE);
	if (sqes != MAP_FAILED)
		munmap(sqes, PAGE);
}

/* Requests in a row; those that wait come true while this thread does other things. */
void op_uring(struct fuzzer *f)
{
	struct io_uring_sqe sqes[ENTRIES] = {};
	struct io_uring_params p = { .flags = ring_flags[rnd(f, ARRAY_SIZE(ring_flags))] };
	u32 nr = 1 + rnd(f, ENTRIES), wait = one_in(f, 3) ? 1 : 0, i, to = rnd(f, NR);
	bool keep = one_in(f, 2);
	int fd;

	for (i = 0; i < nr; i++) {
		if (one_in(f, 2))
			fill_hlk(f, &sqes[i]);
		else
			fill_other(f, &sqes[i]);
		sqes[i].flags = sqe_flags(f);
		sqes[i].user_data = i;
		if (f->list)
			say(f, "  request %u: opcode %u, fd %d, op %#llx, flags %#x", i,
			    sqes[i].opcode, sqes[i].fd, (unsigned long long)sqes[i].off,
			    sqes[i].flags);
	}
	if (say(f, "io_uring, flags %#x: %u requests%s%s", p.flags, nr,
		wait ? ", wait for one" : "", keep ? ", kept" : ""))
		return;
	if (p.flags & IORING_SETUP_SQPOLL)
		p.sq_thread_idle = 10;
	fd = syscall(SYS_io_uring_setup, ENTRIES, &p);
	if (fd < 0)
		return;
	submit(fd, &p, sqes, nr, wait);
	if (keep)
		put_fd(OTHER, to, fd);
	else
		close(fd);
}

/* A ring that was kept, and what came there: perhaps by another thread */
void op_enter(struct fuzzer *f)
{
	int ring = slot(f, OTHER);
	u32 wait = one_in(f, 4);

	if (say(f, "io_uring_enter(fd %d)%s", ring, wait ? ", wait for one" : ""))
		return;
	syscall(SYS_io_uring_enter, get_fd(ring), 0, wait, IORING_ENTER_GETEVENTS, NULL, 0);
}

/* What polls wait for */
void op_event(struct fuzzer *f)
{
	u64 word = 1;
	bool take = one_in(f, 3);

	if (say(f, "%s the event", take ? "take" : "make"))
		return;
	if (take ? read(w.event, &word, 8) < 0 : write(w.event, &word, 8) < 0)
		sched_yield();
}

/*
 * Another process makes events for a while, at times with a real-time priority, so
 * that it comes between whatever the threads do.
 */
void op_events(struct fuzzer *f)
{
	struct sched_param param = { .sched_priority = 10 };
	u32 us = 50 + rnd(f, 2000), times = 20 + rnd(f, 200);
	struct timespec nap = { .tv_nsec = us * 1000 };
	bool fifo = one_in(f, 2);
	u64 word = 1;

	if (say(f, "%u events, one in %u us%s", times, us, fifo ? ", SCHED_FIFO" : ""))
		return;
	if (fork_child())
		return;
	if (fifo)
		sched_setscheduler(0, SCHED_FIFO, &param);
	while (times-- && !w.stop) {
		nanosleep(&nap, NULL);
		if (write(w.event, &word, 8) < 0 && read(w.event, &word, 8) < 0)
			sched_yield();
	}
	_exit(0);
}
