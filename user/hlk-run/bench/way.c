// SPDX-License-Identifier: GPL-2.0-only
/* KVM VMs that run the guest, and what all ways have in common. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "way.h"

#define TSS_ADDR	0xfffbd000

/* Notes errno's reason for a failure; always -1 */
int way_fail(struct bench_way *way, const char *what)
{
	if (!way->why[0])
		snprintf(way->why, sizeof(way->why), "%s: %s", what,
			 strerror(errno));
	return -1;
}

static int enable_ring(struct bench_way *way, struct machine *m, uint32_t bytes)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_DIRTY_LOG_RING, .args = { bytes },
	};

	if (!bytes || !BENCH_SYS(way, ioctl(m->vm, KVM_ENABLE_CAP, &cap)))
		return 0;
	return way_fail(way, "KVM_CAP_DIRTY_LOG_RING");
}

/**
 * machine_open() - a VM with a vCPU and no memory
 * @way: whose
 * @m: out: the VM
 * @ring_bytes: size of its dirty ring, or 0
 *
 * Return: 0 or -1; to be closed in both cases
 */
int machine_open(struct bench_way *way, struct machine *m, uint32_t ring_bytes)
{
	const struct bench_env *env = way->env;
	void *run;

	*m = (struct machine){ .vm = -1, .vcpu = -1, .hlk = -1 };
	m->vm = BENCH_SYS(way, ioctl(env->kvm, KVM_CREATE_VM, 0));
	if (m->vm < 0)
		return way_fail(way, "KVM_CREATE_VM");
	if (BENCH_SYS(way, ioctl(m->vm, KVM_SET_TSS_ADDR, TSS_ADDR)))
		return way_fail(way, "KVM_SET_TSS_ADDR");
	if (enable_ring(way, m, ring_bytes))
		return -1;
	m->vcpu = BENCH_SYS(way, ioctl(m->vm, KVM_CREATE_VCPU, 0));
	if (m->vcpu < 0)
		return way_fail(way, "KVM_CREATE_VCPU");
	if (BENCH_SYS(way, ioctl(m->vcpu, KVM_SET_CPUID2, env->cpuid)))
		return way_fail(way, "KVM_SET_CPUID2");
	run = BENCH_SYS(way, mmap(NULL, env->run_bytes, PROT_READ | PROT_WRITE,
				  MAP_SHARED, m->vcpu, 0));
	if (run == MAP_FAILED)
		return way_fail(way, "mmap of the vCPU");
	m->run = run;
	return 0;
}

int machine_slot(struct bench_way *way, struct machine *m, uint32_t slot,
		 uint32_t flags, uint64_t gpa, uint64_t bytes, void *at)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = bytes,
		.userspace_addr = (uintptr_t)at,
	};

	if (BENCH_SYS(way, ioctl(m->vm, KVM_SET_USER_MEMORY_REGION, &region)))
		return way_fail(way, "KVM_SET_USER_MEMORY_REGION");
	return 0;
}

/* What the guest is to start with as the number of pages */
uint64_t machine_rdi(const struct bench_way *way)
{
	return way->n;
}

/* All registers, by one ioctl for each kind */
int machine_set_regs(struct bench_way *way, struct machine *m)
{
	struct kvm_regs regs = way->image->regs.regs;

	regs.rdi = machine_rdi(way);
	if (BENCH_SYS(way, ioctl(m->vcpu, KVM_SET_SREGS,
				 &way->image->regs.sregs)) ||
	    BENCH_SYS(way, ioctl(m->vcpu, KVM_SET_REGS, &regs)) ||
	    BENCH_SYS(way, ioctl(m->vcpu, KVM_SET_FPU, &way->image->fpu)) ||
	    BENCH_SYS(way, ioctl(m->vcpu, KVM_SET_VCPU_EVENTS,
				 &way->image->regs.events)))
		return way_fail(way, "KVM_SET_*");
	return 0;
}

/*
 * The same without a system call. As long as kvm_valid_regs is 0 KVM does not
 * write there, so marking what is there dirty is enough.
 */
void machine_sync_regs(struct bench_way *way, struct machine *m)
{
	struct kvm_run *run = m->run;

	if (!run->s.regs.sregs.cr3)
		run->s.regs = way->image->regs;
	run->s.regs.regs.rdi = machine_rdi(way);
	run->kvm_dirty_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS |
			      KVM_SYNC_X86_EVENTS;
}

/* Run it until it halts */
int machine_enter(struct bench_way *way, struct machine *m)
{
	if (BENCH_SYS(way, ioctl(m->vcpu, KVM_RUN, 0)))
		return way_fail(way, "KVM_RUN");
	if (m->run->exit_reason != KVM_EXIT_HLT) {
		snprintf(way->why, sizeof(way->why), "KVM exit %u",
			 m->run->exit_reason);
		return -1;
	}
	way->dirty = way->n;
	return 0;
}

void machine_close(struct bench_way *way, struct machine *m)
{
	if (m->low)
		munmap(m->low, way->image->cfg.guest);
	if (m->scratch)
		munmap(m->scratch, way->image->cfg.scratch);
	if (m->run)
		munmap(m->run, way->env->run_bytes);
	if (m->hlk >= 0)
		close(m->hlk);
	if (m->vcpu >= 0)
		close(m->vcpu);
	if (m->vm >= 0)
		close(m->vm);
	*m = (struct machine){ .vm = -1, .vcpu = -1, .hlk = -1 };
}

/*
 * An emulator runs string instructions an element at a time, and the kernel
 * copies pages with them. To compare anything there, all have to copy so.
 */
void pages_copy(const struct bench_env *env, void *to, const void *from,
		size_t bytes)
{
	size_t words = bytes / 8;

	if (!env->rep)
		memcpy(to, from, bytes);
	else
		asm volatile("rep movsq" : "+D" (to), "+S" (from), "+c" (words)
			     : : "memory");
}

void pages_clear(const struct bench_env *env, void *to, size_t bytes)
{
	size_t words = bytes / 8;

	if (!env->rep)
		memset(to, 0, bytes);
	else
		asm volatile("rep stosq" : "+D" (to), "+c" (words) : "a" (0)
			     : "memory");
}

/* One page of scratch as it is in the image */
void page_back(struct bench_way *way, uint64_t page)
{
	uint64_t at = page * BENCH_PAGE;

	way->copied++;
	if (at < way->image->scratch_used)
		pages_copy(way->env, way->m.scratch + at,
			   way->image->scratch + at, BENCH_PAGE);
	else
		pages_clear(way->env, way->m.scratch + at, BENCH_PAGE);
}

/**
 * way_open() - get a way ready for its first turn
 * @way: out: the way
 * @ops: what it does
 * @env: the run
 * @image: the guest
 *
 * Return: 0, or -1 with @why of the way set and nothing left open
 */
int way_open(struct bench_way *way, const struct way_ops *ops,
	     const struct bench_env *env, const struct bench_image *image)
{
	*way = (struct bench_way){
		.ops = ops, .env = env, .image = image, .batch = 1,
		.n = image->cfg.pages, .fd = -1, .uffd = -1,
		.m = { .vm = -1, .vcpu = -1, .hlk = -1 },
	};
	if (ops->flags & WAY_HLK && env->dev < 0) {
		snprintf(way->why, sizeof(way->why), "/dev/hlk is not there");
		return -1;
	}
	errno = 0;
	if (!ops->open || !ops->open(way))
		return 0;
	way_fail(way, "failed");
	way_close(way);
	return -1;
}

void way_close(struct bench_way *way)
{
	if (way->ops->close)
		way->ops->close(way);
	machine_close(way, &way->m);
	if (way->fd >= 0)
		close(way->fd);
	way->fd = -1;
}

static int verify_written(struct bench_way *way, const struct machine *m)
{
	const uint8_t *at = m->scratch + way->image->first * BENCH_PAGE;
	uint32_t i;

	for (i = 0; i < way->image->cfg.pages; i++)
		if (*(const uint32_t *)(at + i * BENCH_PAGE) != IMAGE_VALUE) {
			snprintf(way->why, sizeof(way->why),
				 "wrong: the call did not write page %u", i);
			return -1;
		}
	return 0;
}

/*
 * Below the bookkeeping page, which is another one at every restore. Of the rest
 * of a batch only what calls write is looked at: looking maps all of it.
 */
static int verify_restored(struct bench_way *way, const struct machine *m)
{
	const struct bench_image *image = way->image;
	const bool all = m == &way->m;
	uint64_t bytes = (image->first + image->cfg.pages) * BENCH_PAGE;

	if (all)
		bytes = image->cfg.scratch - BENCH_PAGE;
	if (memcmp(m->scratch, image->scratch, bytes) ||
	    (all && memcmp(m->low, image->low, image->low_used))) {
		snprintf(way->why, sizeof(way->why),
			 "wrong: the restore left memory behind");
		return -1;
	}
	return 0;
}

static int verify_turn(struct bench_way *way, uint32_t n,
		       int (*check)(struct bench_way *, const struct machine *))
{
	uint32_t i;

	if (way->ops->before)
		way->ops->before(way);
	way->n = n;
	if (way->ops->turn(way))
		return way_fail(way, "turn");
	if (check(way, &way->m))
		return -1;
	for (i = 0; way->more && i < way->batch; i++)
		if (check(way, &way->more[i]))
			return -1;
	return 0;
}

/**
 * way_verify() - does it do what it is timed for?
 * @way: a way that is open; its VM should not be timed afterwards, for looking
 *	at memory maps it
 *
 * Return: 0 or -1 with @why of the way set
 */
int way_verify(struct bench_way *way)
{
	const uint32_t n = way->image->cfg.pages;
	int ret;

	ret = verify_turn(way, n, verify_written);
	if (!ret)
		ret = verify_turn(way, n, verify_written);
	if (!ret && !(way->ops->flags & WAY_NO_RESTORE))
		ret = verify_turn(way, 0, verify_restored);
	way->n = n;
	return ret;
}
