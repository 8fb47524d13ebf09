// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ways to bring a Linux guest back and call it: by hlk, and by user space on ordinary
 * memory, with all of KVM_SET_*.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "linux_bench.h"
#include "way.h"

static int call_done(struct linux_way *way, uint8_t said)
{
	if (!way->ops->checked || said == LINUX_DONE)
		return 0;
	snprintf(way->vm.why, sizeof(way->vm.why),
		 "wrong: the guest says %u, so it was not brought back", said);
	return -1;
}

static int enter(struct linux_way *way)
{
	uint8_t said;

	return linux_enter(&way->vm, &said) ?: call_done(way, said);
}

/* ---- hlk: both in one system call ---- */

static int open_clone(struct linux_way *way, const struct linux_snap *snap)
{
	way->run = (struct hlk_run){
		.head = { .size = sizeof(way->run), .flags = way->ops->flags },
		.program = (uintptr_t)snap->program,
	};
	if (linux_open(&way->vm, way->guest->env) ||
	    linux_windows(&way->vm, way->guest->vm.bytes) ||
	    linux_restore(&way->vm, snap))
		return -1;
	way->run.vcpu_fd = way->vm.vcpu;
	return 0;
}

static int open_hlk(struct linux_way *way)
{
	return open_clone(way, &way->guest->snap);
}

/* From a snapshot that says nothing of what the module cannot reach */
static int open_bare(struct linux_way *way)
{
	if (open_clone(way, &way->guest->snap) || linux_settle(&way->vm) ||
	    linux_snapshot(&way->vm, NULL, 0, &way->snap))
		return -1;
	way->run.program = 0;
	return linux_restore(&way->vm, &way->snap);
}

static int turn_hlk(struct linux_way *way)
{
	uint8_t said;

	if (ioctl(way->vm.hlk, HLK_RUN, &way->run))
		return linux_fail(&way->vm, "HLK_RUN");
	way->pages = way->run.copied + way->run.cleared;
	return linux_answer(&way->vm, &said) ?: call_done(way, said);
}

/* ---- a new VM ---- */

static void before_new(struct linux_way *way)
{
	linux_close(&way->vm);
}

static int turn_new(struct linux_way *way)
{
	const struct linux_guest *guest = way->guest;
	struct linux_vm *vm = &way->vm;

	if (linux_open(vm, guest->env) ||
	    linux_memory(vm, mmap(NULL, guest->vm.bytes, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_NORESERVE, guest->file, 0),
			 guest->vm.bytes, 0) ||
	    linux_set(vm, &guest->state))
		return -1;
	return enter(way);
}

/* ---- KVM's log of dirty pages ---- */

static int open_log(struct linux_way *way)
{
	const struct linux_guest *guest = way->guest;
	void *mem;

	way->log = calloc((guest->vm.bytes / BENCH_PAGE + 63) / 64, sizeof(*way->log));
	if (!way->log || linux_open(&way->vm, guest->env))
		return linux_fail(&way->vm, "memory");
	mem = mmap(NULL, guest->vm.bytes, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mem != MAP_FAILED)
		memcpy(mem, guest->image, guest->vm.bytes);
	return linux_memory(&way->vm, mem, guest->vm.bytes, KVM_MEM_LOG_DIRTY_PAGES) ?:
	       linux_set(&way->vm, &guest->state);
}

static int turn_log(struct linux_way *way)
{
	const struct linux_guest *guest = way->guest;
	struct kvm_dirty_log arg = { .dirty_bitmap = way->log };
	uint64_t bits, at;
	uint32_t i;

	if (ioctl(way->vm.vm, KVM_GET_DIRTY_LOG, &arg))
		return linux_fail(&way->vm, "KVM_GET_DIRTY_LOG");
	way->pages = 0;
	for (i = 0; i < (guest->vm.bytes / BENCH_PAGE + 63) / 64; i++)
		for (bits = way->log[i]; bits; bits &= bits - 1, way->pages++) {
			at = (i * 64 + __builtin_ctzll(bits)) * BENCH_PAGE;
			pages_copy(guest->env, way->vm.mem + at, guest->image + at,
				   BENCH_PAGE);
		}
	return linux_set(&way->vm, &guest->state) ?: enter(way);
}

/* ---- the call alone ---- */

static int turn_alone(struct linux_way *way)
{
	return enter(way);
}

const struct linux_way_ops linux_ways[] = {
	{ "L2", "hlk: fused, time comes back", HLK_RESTORE_TIME_BACK, open_hlk, NULL,
	  turn_hlk, true },
	{ "L2t", "hlk: fused, time goes on", 0, open_hlk, NULL, turn_hlk, true },
	{ "L20", "hlk: fused, without a program", HLK_RESTORE_TIME_BACK, open_bare,
	  NULL, turn_hlk, true },
	{ "LD", "dirty log, all KVM_SET_*", 0, open_log, NULL, turn_log, true },
	{ "LN", "new VM, private file, all KVM_SET_*", 0, NULL, before_new, turn_new,
	  true },
	{ "LC", "no restore", 0, open_hlk, NULL, turn_alone, false },
};

const uint32_t nr_linux_ways = sizeof(linux_ways) / sizeof(*linux_ways);

/**
 * linux_way_open() - get a way ready for its first turn
 * @way: out: the way
 * @ops: what it does
 * @guest: the guest
 *
 * Return: 0 or -1; to be closed in both cases
 */
int linux_way_open(struct linux_way *way, const struct linux_way_ops *ops,
		   const struct linux_guest *guest)
{
	*way = (struct linux_way){
		.ops = ops,
		.guest = guest,
		.vm = { .env = guest->env, .vm = -1, .vcpu = -1, .hlk = -1 },
		.snap.fd = -1,
	};
	errno = 0;
	return ops->open && ops->open(way) ? linux_fail(&way->vm, "failed") : 0;
}

/**
 * linux_way_turn() - bring back and call, once
 * @way: the way
 * @took: out: nanoseconds or instructions
 *
 * Return: 0 or -1
 */
int linux_way_turn(struct linux_way *way, uint64_t *took)
{
	uint64_t start;
	int ret;

	if (way->ops->before)
		way->ops->before(way);
	start = bench_now(way->guest->env);
	ret = way->ops->turn(way);
	*took = bench_now(way->guest->env) - start;
	return ret;
}

void linux_way_close(struct linux_way *way)
{
	linux_close(&way->vm);
	linux_snap_close(&way->snap);
	free(way->log);
	way->log = NULL;
}
