// SPDX-License-Identifier: GPL-2.0-only
/* Ways that use the module: one by one, fused, in batches, new from a snapshot. */
#include <cpuid.h>
#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ways_hlk.h"

#define HEAD(type)	.head = { .size = sizeof(struct type) }
#define MAX_RUNS	512

#ifndef KVM_PRE_FAULT_MEMORY
#define KVM_CAP_PRE_FAULT_MEMORY	236
#define KVM_PRE_FAULT_MEMORY	_IOWR(KVMIO, 0xd5, struct kvm_pre_fault_memory)
struct kvm_pre_fault_memory {
	__u64 gpa;
	__u64 size;
	__u64 flags;
	__u64 padding[5];
};
#endif

static int window(struct bench_way *way, struct machine *m, uint32_t slot,
		  const struct hlk_window *w, uint8_t **at)
{
	struct hlk_window_add add = { HEAD(hlk_window_add), .window = *w };
	void *map;

	if (BENCH_SYS(way, ioctl(m->hlk, HLK_WINDOW_ADD, &add)))
		return way_fail(way, "HLK_WINDOW_ADD");
	map = BENCH_SYS(way, mmap(NULL, w->bytes, PROT_READ | PROT_WRITE,
				  MAP_SHARED, m->hlk, w->gpa));
	if (map == MAP_FAILED)
		return way_fail(way, "mmap of a window");
	*at = map;
	return machine_slot(way, m, slot, 0, w->gpa, w->bytes, map);
}

static int restore_to(struct bench_way *way, struct machine *m, int snap)
{
	m->restore.snapshot_fd = snap;
	if (BENCH_SYS(way, ioctl(m->hlk, HLK_RESTORE, &m->restore)))
		return way_fail(way, "HLK_RESTORE");
	way->copied += m->restore.copied + m->restore.cleared;
	return 0;
}

int sandbox_restore(struct bench_way *way, struct machine *m)
{
	return restore_to(way, m, -1);
}

/* A sandbox that was restored once, so that it can be called */
int sandbox_open(struct bench_way *way, struct machine *m)
{
	struct hlk_vm_attach attach = { HEAD(hlk_vm_attach), .out_fd = -1 };
	struct hlk_window w[2];

	if (machine_open(way, m, 0))
		return -1;
	m->restore = (struct hlk_restore){ HEAD(hlk_restore) };
	m->fused = (struct hlk_run){
		HEAD(hlk_run), .vcpu_fd = m->vcpu,
	};
	attach.vm_fd = m->vm;
	if (BENCH_SYS(way, ioctl(way->env->dev, HLK_VM_ATTACH, &attach)))
		return way_fail(way, "HLK_VM_ATTACH");
	m->hlk = attach.out_fd;
	image_windows(way->image, w);
	if (window(way, m, 0, &w[0], &m->low) ||
	    window(way, m, 1, &w[1], &m->scratch))
		return -1;
	return restore_to(way, m, way->image->snap);
}

/* KVM maps what the call will touch; older KVMs cannot be asked to. */
static int prefault_nested(struct bench_way *way, struct machine *m,
			   const struct hlk_touched *t)
{
	struct kvm_pre_fault_memory pf = {
		.gpa = t->gpa, .size = t->pages * BENCH_PAGE,
	};

	while (pf.size)
		if (BENCH_SYS(way, ioctl(m->vcpu, KVM_PRE_FAULT_MEMORY, &pf)))
			return errno == EINTR ? 0 :
			       way_fail(way, "KVM_PRE_FAULT_MEMORY");
	return 0;
}

static int populate(struct bench_way *way, struct machine *m,
		    const struct hlk_touched *t)
{
	const struct bench_image *image = way->image;
	uint8_t *at;

	if (t->gpa >= image->scratch_gpa)
		at = m->scratch + (t->gpa - image->scratch_gpa);
	else
		at = m->low + t->gpa;
	if (BENCH_SYS(way, madvise(at, t->pages * BENCH_PAGE,
				   t->flags & HLK_TOUCHED_WRITE ?
				   MADV_POPULATE_WRITE : MADV_POPULATE_READ)))
		return way_fail(way, "MADV_POPULATE");
	return 0;
}

/* What KVM leaves to the first entry: an entry that ends before the guest runs */
static int enter_once(struct bench_way *way, struct machine *m)
{
	int ret;

	m->run->immediate_exit = 1;
	ret = BENCH_SYS(way, ioctl(m->vcpu, KVM_RUN, 0));
	m->run->immediate_exit = 0;
	return !ret || errno == EINTR ? 0 : way_fail(way, "KVM_RUN at once");
}

/**
 * sandbox_prefault() - what calls on this snapshot touch, before the first one
 * @way: whose
 * @m: a new sandbox
 * @nested: out: nested page tables could be filled too
 *
 * Return: 0 or -1
 */
int sandbox_prefault(struct bench_way *way, struct machine *m, bool *nested)
{
	struct hlk_touched runs[MAX_RUNS];
	struct hlk_prefault prefault = {
		HEAD(hlk_prefault), .runs = (uintptr_t)runs, .nr_runs = MAX_RUNS,
		.run_size = sizeof(runs[0]),
	};
	uint32_t i;

	*nested = ioctl(way->env->kvm, KVM_CHECK_EXTENSION,
			KVM_CAP_PRE_FAULT_MEMORY) > 0;
	if (enter_once(way, m))
		return -1;
	if (BENCH_SYS(way, ioctl(m->hlk, HLK_PREFAULT, &prefault)))
		return way_fail(way, "HLK_PREFAULT");
	for (i = 0; i < prefault.nr_runs; i++)
		if (populate(way, m, &runs[i]) ||
		    (*nested && prefault_nested(way, m, &runs[i])))
			return -1;
	return 0;
}

/* ---- A: a restore, a run ---- */

static int open_a(struct bench_way *way)
{
	return sandbox_open(way, &way->m);
}

/* A call that writes another number of pages than the snapshot's registers say */
static void other_call(struct bench_way *way, struct machine *m)
{
	if (way->n != way->image->cfg.pages)
		m->run->s.regs.regs.rdi = machine_rdi(way);
}

static int turn_a(struct bench_way *way)
{
	if (sandbox_restore(way, &way->m))
		return -1;
	other_call(way, &way->m);
	return machine_enter(way, &way->m);
}

/* ---- A2: both in one call ---- */

static int need(struct bench_way *way, uint64_t feature, const char *what)
{
	if ((way->env->features & feature) == feature)
		return 0;
	snprintf(way->why, sizeof(way->why), "the module has no %s", what);
	return -1;
}

static int open_a2(struct bench_way *way)
{
	if (need(way, HLK_FEATURE_RUN, "HLK_RUN"))
		return -1;
	return sandbox_open(way, &way->m);
}

/* ---- A2l: the same with registers as libhlk has them ---- */

#define CPUID_SVM	(1U << 2)

static int open_a2l(struct bench_way *way)
{
	unsigned int eax, ebx, ecx, edx;

	if (open_a2(way))
		return -1;
	way->m.run->kvm_valid_regs = KVM_SYNC_X86_REGS;
	if (!__get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx) || !(ecx & CPUID_SVM))
		way->m.run->kvm_valid_regs |= KVM_SYNC_X86_SREGS;
	return 0;
}

/* @regs has to live until the run is done */
static void fused_call(struct bench_way *way, struct machine *m,
		       struct kvm_regs *regs)
{
	m->fused.head.flags = 0;
	if (way->n == way->image->cfg.pages)
		return;
	*regs = way->image->regs.regs;
	regs->rdi = machine_rdi(way);
	m->fused.head.flags = HLK_RUN_REGS;
	m->fused.regs = (uintptr_t)regs;
}

static int fused_done(struct bench_way *way, const struct machine *m)
{
	if (m->fused.exit_reason != KVM_EXIT_HLT) {
		snprintf(way->why, sizeof(way->why), "KVM exit %u",
			 m->fused.exit_reason);
		return -1;
	}
	way->copied += m->fused.copied + m->fused.cleared;
	way->dirty = way->n;
	return 0;
}

static int turn_a2(struct bench_way *way)
{
	struct machine *m = &way->m;
	struct kvm_regs regs;

	fused_call(way, m, &regs);
	if (BENCH_SYS(way, ioctl(m->hlk, HLK_RUN, &m->fused)))
		return way_fail(way, "HLK_RUN");
	return fused_done(way, m);
}

/* ---- A4: a batch of calls of one sandbox, by one HLK_RUN ---- */

static int open_a4(struct bench_way *way)
{
	if (need(way, HLK_FEATURE_RUN_CALLS, "calls of HLK_RUN") || open_a2l(way))
		return -1;
	way->batch = way->env->batch;
	return 0;
}

static int turn_a4(struct bench_way *way)
{
	struct hlk_run_call calls[BENCH_BATCH] = {};
	struct machine *m = &way->m;
	struct kvm_regs regs;

	fused_call(way, m, &regs);
	m->fused.calls = (uintptr_t)calls;
	m->fused.nr_calls = way->batch;
	m->fused.call_size = sizeof(calls[0]);
	if (BENCH_SYS(way, ioctl(m->hlk, HLK_RUN, &m->fused)))
		return way_fail(way, "HLK_RUN");
	way->copied += (way->batch - 1) * (m->fused.copied + m->fused.cleared);
	if (m->fused.calls_done == way->batch)
		return fused_done(way, m);
	snprintf(way->why, sizeof(way->why), "%u calls done", m->fused.calls_done);
	return -1;
}

/* ---- A3: batches, by one HLK_RUN_MANY or by io_uring ---- */

static int open_ring(struct bench_way *way)
{
	struct io_uring *ring = calloc(1, sizeof(*ring));
	int ret;

	if (!ring)
		return way_fail(way, "memory");
	ret = io_uring_queue_init(way->batch, ring, 0);
	if (ret) {
		free(ring);
		errno = -ret;
		return way_fail(way, "io_uring_queue_init");
	}
	way->buf = ring;
	return 0;
}

static int open_batch(struct bench_way *way, uint64_t feature, const char *what)
{
	uint32_t i;

	if (need(way, feature, what))
		return -1;
	way->batch = way->env->batch;
	way->more = calloc(way->batch, sizeof(*way->more));
	if (!way->more)
		return way_fail(way, "memory");
	for (i = 0; i < way->batch; i++)
		way->more[i] = (struct machine){ .vm = -1, .vcpu = -1, .hlk = -1 };
	if (feature & HLK_FEATURE_URING && open_ring(way))
		return -1;
	for (i = 0; i < way->batch; i++)
		if (sandbox_open(way, &way->more[i]))
			return -1;
	/* what is looked at as the way's VM is the first; it is closed once */
	way->m = way->more[0];
	return 0;
}

static int open_a3(struct bench_way *way)
{
	return open_batch(way, HLK_FEATURE_RUN_MANY, "HLK_RUN_MANY");
}

static int open_a3r(struct bench_way *way)
{
	return open_batch(way, HLK_FEATURE_URING, "io_uring");
}

static void close_batch(struct bench_way *way)
{
	uint32_t i;

	if (way->buf)
		io_uring_queue_exit(way->buf);
	free(way->buf);
	way->buf = NULL;
	for (i = 0; way->more && i < way->batch; i++)
		machine_close(way, &way->more[i]);
	free(way->more);
	way->more = NULL;
	way->m = (struct machine){ .vm = -1, .vcpu = -1, .hlk = -1 };
}

/* The arguments are read when the batch is submitted. */
static int queue(struct bench_way *way, int fd, uint32_t op, const void *arg)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(way->buf);
	struct hlk_uring payload = { .arg = (uintptr_t)arg };

	if (!sqe) {
		errno = EBUSY;
		return way_fail(way, "io_uring_get_sqe");
	}
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = fd;
	sqe->cmd_op = op;
	memcpy(sqe->cmd, &payload, sizeof(payload));
	return 0;
}

/* One system call: all are done when it returns, or it waits until they are. */
static int submit(struct bench_way *way)
{
	struct io_uring *ring = way->buf;
	struct io_uring_cqe *cqe;
	unsigned int head;
	unsigned int nr = 0;
	int ret;

	ret = BENCH_SYS(way, io_uring_submit_and_wait(ring, way->batch));
	if (ret != (int)way->batch) {
		errno = ret < 0 ? -ret : EIO;
		return way_fail(way, "io_uring_enter");
	}
	ret = 0;
	io_uring_for_each_cqe(ring, head, cqe) {
		ret = ret ?: cqe->res;
		nr++;
	}
	io_uring_cq_advance(ring, nr);
	if (!ret && nr == way->batch)
		return 0;
	errno = ret ? -ret : EIO;
	return way_fail(way, "a command of the batch");
}

static int turn_a3(struct bench_way *way)
{
	struct hlk_many_call calls[BENCH_BATCH] = {};
	struct hlk_run_many many = {
		.head.size = sizeof(many),
		.calls = (uintptr_t)calls,
		.nr_calls = way->batch,
		.call_size = sizeof(*calls),
	};
	struct kvm_regs regs;
	uint32_t i;

	for (i = 0; i < way->batch; i++) {
		fused_call(way, &way->more[i], &regs);
		calls[i].vm_fd = way->more[i].hlk;
		calls[i].run = (uintptr_t)&way->more[i].fused;
	}
	if (BENCH_SYS(way, ioctl(way->env->dev, HLK_RUN_MANY, &many)))
		return way_fail(way, "HLK_RUN_MANY");
	for (i = 0; i < way->batch; i++)
		if (calls[i].ret) {
			errno = -calls[i].ret;
			return way_fail(way, "a call of the batch");
		}
	for (i = 0; i < way->batch; i++)
		if (fused_done(way, &way->more[i]))
			return -1;
	return 0;
}

static int turn_a3r(struct bench_way *way)
{
	struct machine *m;
	uint32_t i;

	for (i = 0; i < way->batch; i++) {
		way->more[i].restore.snapshot_fd = -1;
		if (queue(way, way->more[i].hlk, HLK_RESTORE,
			  &way->more[i].restore))
			return -1;
	}
	if (submit(way))
		return -1;
	for (i = 0; i < way->batch; i++) {
		m = &way->more[i];
		way->copied += m->restore.copied + m->restore.cleared;
		other_call(way, m);
		if (machine_enter(way, m))
			return -1;
	}
	return 0;
}

/* ---- A0: a new sandbox for each call ---- */

static void before_a0(struct bench_way *way)
{
	machine_close(way, &way->m);
}

static int turn_a0(struct bench_way *way)
{
	if (sandbox_open(way, &way->m))
		return -1;
	other_call(way, &way->m);
	return machine_enter(way, &way->m);
}

const struct way_ops hlk_ways[] = {
	{ "A", "hlk: restore, run", WAY_HLK, open_a, NULL, turn_a, NULL },
	{ "A2", "hlk: fused", WAY_HLK, open_a2, NULL, turn_a2, NULL },
	{ "A3", "hlk: fused, by HLK_RUN_MANY", WAY_HLK | WAY_BATCH, open_a3, NULL,
	  turn_a3, close_batch },
	{ "A3r", "hlk: restores by io_uring, runs", WAY_HLK | WAY_BATCH,
	  open_a3r, NULL, turn_a3r, close_batch },
	{ "A2l", "hlk: fused, registers as libhlk", WAY_HLK, open_a2l, NULL, turn_a2,
	  NULL },
	{ "A4", "hlk: fused, many calls in one", WAY_HLK | WAY_BATCH, open_a4, NULL,
	  turn_a4, NULL },
	{ "A0", "hlk: new sandbox", WAY_HLK | WAY_NEW_VM, NULL, before_a0,
	  turn_a0, NULL },
};

const uint32_t nr_hlk_ways = sizeof(hlk_ways) / sizeof(*hlk_ways);

/* The way that its user would take for one sandbox */
const struct way_ops *best_hlk_way(const struct bench_env *env)
{
	return &hlk_ways[env->features & HLK_FEATURE_RUN ? 1 : 0];
}
