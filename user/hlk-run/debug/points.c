// SPDX-License-Identifier: GPL-2.0-only
/*
 * Breakpoints, watchpoints and steps. They are the debugger's and no part of the guest's
 * state: points_arm() puts them there before the guest runs, points_disarm() tells KVM
 * to forget them when it stopped. INT3 stays in memory until it is removed, or hidden from a
 * snapshot; a restore takes it away, and the next points_arm() puts it back.
 *
 * INT3 is written as all of the host's writes are: to a page of this guest alone. Others
 * that run from the same snapshot go on with the page that they share.
 *
 * Where breakpoints do not come out of KVM (see probe.c) a guest that has some is stepped,
 * instruction by instruction, and looked at each time. That is slow, and it lasts only until an
 * IRET loads other flags; for emulators.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "points.h"

#define PAGE		4096ULL
#define INT3		0xccU
#define LONGEST		15U	/* instruction */
#define EFER_LMA	0x400U
#define DR6_BS		0x4000U
#define DR6_POINTS	0xfU
#define DR7_FIXED	0x600U	/* GE, and a bit that is always set */
#define EXCEPTION_DB	1U
#define EXCEPTION_BP	3U

/* ---- memory ---- */

static size_t part_of_page(uint64_t addr, size_t len)
{
	uint64_t left = PAGE - addr % PAGE;

	return len < left ? len : left;
}

/* Where the guest has written something else since, that is what is there. */
static void mask(const struct points *points, uint64_t gpa, unsigned char *buf, size_t len)
{
	const struct soft *soft;

	for (soft = points->soft; soft < points->soft + POINTS_SOFT; soft++)
		if (soft->there && soft->gpa - gpa < len && buf[soft->gpa - gpa] == INT3)
			buf[soft->gpa - gpa] = soft->byte;
}

/* Another breakpoint in the same byte, which has two addresses then */
static struct soft *find_twin(struct points *points, const struct soft *one)
{
	struct soft *soft;

	for (soft = points->soft; soft < points->soft + POINTS_SOFT; soft++)
		if (soft != one && soft->there && soft->gpa == one->gpa)
			return soft;
	return NULL;
}

/**
 * points_read() - read from a virtual address, as if there were no breakpoints
 * @points: all of them
 * @cpu: whose address
 * @addr: the address
 * @buf: out: what is there
 * @len: how much
 *
 * Return: how much there is to be had
 */
size_t points_read(struct points *points, uint32_t cpu, uint64_t addr, void *buf, size_t len)
{
	unsigned char *to = buf;
	size_t done, part;
	uint64_t gpa;

	for (done = 0; done < len; done += part) {
		part = part_of_page(addr + done, len - done);
		if (state_translate(points->state, cpu, 0, addr + done, &gpa) ||
		    state_read(points->state, gpa, to + done, part))
			break;
		mask(points, gpa, to + done, part);
	}
	return done;
}

static void remove_soft(struct points *points, struct soft *soft)
{
	unsigned char byte;

	if (!soft->there)
		return;
	soft->there = false;
	/* The guest may have written something else since. */
	if (!find_twin(points, soft) &&
	    !state_read(points->state, soft->gpa, &byte, 1) && byte == INT3)
		state_write(points->state, soft->gpa, &soft->byte, 1);
}

/**
 * points_hide() - take all breakpoints out of memory; points_arm() brings them back
 * @points: all of them
 */
void points_hide(struct points *points)
{
	uint32_t i;

	for (i = 0; i < POINTS_SOFT; i++)
		remove_soft(points, &points->soft[i]);
}

/**
 * points_lost() - a restore took all breakpoints out of memory
 * @points: all of them
 */
void points_lost(struct points *points)
{
	uint32_t i;

	for (i = 0; i < POINTS_SOFT; i++)
		points->soft[i].there = false;
}

/**
 * points_write() - write to a virtual address
 * @points: all of them
 * @cpu: whose address
 * @addr: the address
 * @buf: what
 * @len: how much
 *
 * Return: 0 or an errno; some of it may be written then
 */
int points_write(struct points *points, uint32_t cpu, uint64_t addr, const void *buf,
		 size_t len)
{
	const unsigned char *from = buf;
	size_t done, part;
	uint64_t gpa;
	int ret = 0;

	points_hide(points);
	for (done = 0; !ret && done < len; done += part) {
		part = part_of_page(addr + done, len - done);
		ret = state_translate(points->state, cpu, 0, addr + done, &gpa);
		if (!ret)
			ret = state_write(points->state, gpa, from + done, part);
	}
	return ret;
}

/* ---- setting them ---- */

static bool by_steps(const struct points *points)
{
	return !points->probed.hard;
}

static uint64_t root_of(const struct points *points, uint32_t cpu)
{
	struct kvm_sregs sregs;

	return ioctl(points->state->vcpu[cpu], KVM_GET_SREGS, &sregs) ? 0 : sregs.cr3;
}

/*
 * With the tables that it was set by; where these are not any more, with those that are in
 * use. A page that is not there yet, or not any more, gets it the next time.
 */
static void insert_soft(struct points *points, struct soft *soft)
{
	const unsigned char int3 = INT3;
	struct soft *twin;
	uint64_t gpa;

	if (!soft->used || soft->there)
		return;
	if (state_translate(points->state, 0, soft->root, soft->addr, &gpa) &&
	    state_translate(points->state, 0, 0, soft->addr, &gpa))
		return;
	soft->gpa = gpa;
	twin = find_twin(points, soft);
	if (state_read(points->state, gpa, &soft->byte, 1))
		return;
	/* What is to be there afterwards is what the guest wrote last, for both. */
	if (twin && soft->byte == INT3)
		soft->byte = twin->byte;
	else if (twin)
		twin->byte = soft->byte;
	if (state_write(points->state, gpa, &int3, 1))
		return;
	soft->there = true;
}

static struct soft *find_soft(struct points *points, uint64_t addr)
{
	uint32_t i;

	for (i = 0; i < POINTS_SOFT; i++)
		if (points->soft[i].used && points->soft[i].addr == addr)
			return &points->soft[i];
	return NULL;
}

static int set_soft(struct points *points, uint32_t cpu, bool insert, uint64_t addr)
{
	struct soft *soft = find_soft(points, addr);
	unsigned char byte;
	uint32_t i;

	if (!insert) {
		if (soft) {
			remove_soft(points, soft);
			soft->used = false;
		}
		return 0;
	}
	if (soft)
		return 0;
	if (!points_read(points, cpu, addr, &byte, 1))
		return EFAULT;
	for (i = 0; i < POINTS_SOFT; i++) {
		if (points->soft[i].used)
			continue;
		points->soft[i] = (struct soft) {
			.addr = addr, .root = root_of(points, cpu), .used = true,
		};
		return 0;
	}
	return ENOSPC;
}

static int set_hard(struct points *points, uint32_t cpu, bool insert, enum gdb_point kind,
		    uint64_t addr, uint32_t len)
{
	struct hard *free = NULL, *hard;

	for (hard = points->hard; hard < points->hard + POINTS_HARD; hard++) {
		if (!hard->used) {
			free = hard;
		} else if (hard->addr == addr && hard->kind == kind && hard->len == len) {
			hard->used = insert;
			return 0;
		}
	}
	if (!insert)
		return 0;
	if (!free)
		return ENOSPC;
	*free = (struct hard) { .addr = addr, .kind = kind, .len = len, .used = true };
	points_read(points, cpu, addr, free->before, len);
	return 0;
}

/**
 * points_set() - insert or remove a breakpoint or a watchpoint
 * @points: all of them
 * @cpu: whose address
 * @insert: whether there is to be one
 * @kind: its kind
 * @addr: its address
 * @len: bytes that are watched
 *
 * Return: 0 or an errno
 */
int points_set(struct points *points, uint32_t cpu, bool insert, enum gdb_point kind,
	       uint64_t addr, uint64_t len)
{
	if (kind == GDB_SOFT)
		return set_soft(points, cpu, insert, addr);
	if (kind == GDB_HARD)
		return set_hard(points, cpu, insert, kind, addr, 1);
	/* The processor knows no watchpoint for reads alone, and steps show writes alone. */
	if (kind == GDB_READ || (kind == GDB_ACCESS && by_steps(points)))
		return EOPNOTSUPP;
	if ((len != 1 && len != 2 && len != 4 && len != 8) || addr % len)
		return EINVAL;
	return set_hard(points, cpu, insert, kind, addr, len);
}

/* ---- running ---- */

static bool any_soft(const struct points *points)
{
	uint32_t i;

	for (i = 0; i < POINTS_SOFT; i++)
		if (points->soft[i].used)
			return true;
	return false;
}

static uint64_t fill_debugregs(const struct points *points, uint64_t *debugreg)
{
	static const uint32_t len_bits[] = { [1] = 0, [2] = 1, [4] = 3, [8] = 2 };
	uint64_t dr7 = 0, bits;
	uint32_t i;

	for (i = 0; i < POINTS_HARD; i++) {
		const struct hard *hard = &points->hard[i];

		if (!hard->used)
			continue;
		bits = hard->kind == GDB_HARD ? 0 : hard->kind == GDB_WRITE ? 1 : 3;
		if (hard->kind != GDB_HARD)
			bits |= len_bits[hard->len] << 2;
		debugreg[i] = hard->addr;
		dr7 |= 2ULL << 2 * i | bits << (16 + 4 * i);
	}
	return dr7;
}

static bool is_stepped(const struct points *points)
{
	uint64_t debugreg[8] = {};

	return by_steps(points) && (any_soft(points) || fill_debugregs(points, debugreg));
}

static int arm(struct points *points, uint32_t cpu)
{
	struct kvm_guest_debug debug = { .control = KVM_GUESTDBG_ENABLE };
	uint64_t debugreg[8] = {}, dr7 = fill_debugregs(points, debugreg);
	struct kvm_regs regs;
	uint32_t i;

	if (ioctl(points->state->vcpu[cpu], KVM_GET_REGS, &regs))
		return errno;
	points->ip[cpu] = regs.rip;
	if (any_soft(points) && !by_steps(points))
		debug.control |= KVM_GUESTDBG_USE_SW_BP;
	if (dr7 && !by_steps(points)) {
		debug.control |= KVM_GUESTDBG_USE_HW_BP;
		for (i = 0; i < POINTS_HARD; i++)
			debug.arch.debugreg[i] = debugreg[i];
		debug.arch.debugreg[7] = dr7 | DR7_FIXED;
	}
	if (points->step[cpu] && points->probed.block)
		debug.control |= KVM_GUESTDBG_BLOCKIRQ;
	if (points->step[cpu] || is_stepped(points))
		debug.control |= KVM_GUESTDBG_SINGLESTEP;
	if (points->inject[cpu] == EXCEPTION_BP)
		debug.control |= KVM_GUESTDBG_INJECT_BP;
	if (points->inject[cpu] == EXCEPTION_DB)
		debug.control |= KVM_GUESTDBG_INJECT_DB;
	points->inject[cpu] = 0;
	/* Who rests does not run with it. */
	if (!points->rests[cpu]) {
		points->was_armed[cpu] = points->armed[cpu];
		points->armed[cpu] = debug.control;
	}
	return ioctl(points->state->vcpu[cpu], KVM_SET_GUEST_DEBUG, &debug) ? errno : 0;
}

/* Others rest only if one runs alone. */
static void note_acts(struct points *points, const enum gdb_act *act)
{
	uint32_t i, run = 0;

	for (i = 0; i < points->state->nr_cpus; i++)
		run += act[i] != GDB_STAY;
	for (i = 0; i < points->state->nr_cpus; i++) {
		points->step[i] = act[i] == GDB_STEP;
		points->rests[i] = act[i] == GDB_STAY && run == 1;
	}
}

/**
 * points_arm() - the guest is about to run
 * @points: all of them
 * @act: what each processor is to do, or NULL: as before
 *
 * Return: 0 or an errno
 */
int points_arm(struct points *points, const enum gdb_act *act)
{
	uint32_t i;
	int ret = 0;

	if (!by_steps(points))
		for (i = 0; i < POINTS_SOFT; i++)
			insert_soft(points, &points->soft[i]);
	points->again &= !act;
	points->rearm = false;
	if (act)
		note_acts(points, act);
	for (i = 0; !ret && i < points->state->nr_cpus; i++)
		ret = arm(points, i);
	return ret;
}

/**
 * points_disarm() - the guest is at rest, and KVM has nothing to stop it for
 * @points: all of them
 *
 * So no snapshot is made and no restore while KVM plays with the trap flag.
 */
void points_disarm(struct points *points)
{
	struct kvm_guest_debug none = {};
	uint32_t i;

	for (i = 0; i < points->state->nr_cpus; i++)
		ioctl(points->state->vcpu[i], KVM_SET_GUEST_DEBUG, &none);
}

static bool met(struct gdb_stop *stop, enum gdb_point kind, uint64_t addr)
{
	stop->met = true;
	stop->kind = kind;
	stop->addr = addr;
	return true;
}

/* Of those that KVM gave no sign of, because it cannot */
static bool is_there(struct points *points, uint32_t cpu, uint64_t ip, struct gdb_stop *stop)
{
	unsigned char now[8] = {};
	struct hard *hard;

	if (find_soft(points, ip))
		return met(stop, GDB_SOFT, ip);
	for (hard = points->hard; hard < points->hard + POINTS_HARD; hard++) {
		if (!hard->used)
			continue;
		if (hard->kind == GDB_HARD) {
			if (hard->addr == ip)
				return met(stop, GDB_HARD, ip);
			continue;
		}
		if (points_read(points, cpu, hard->addr, now, hard->len) != hard->len ||
		    !memcmp(now, hard->before, hard->len))
			continue;
		memcpy(hard->before, now, hard->len);
		return met(stop, hard->kind, hard->addr);
	}
	return false;
}

/* Return: false, for it goes on */
static bool inject(struct points *points, uint32_t cpu, uint32_t exception)
{
	points->inject[cpu] = exception;
	points->rearm = true;
	return false;
}

/* Where it runs, as an address that tables translate */
static bool address_of(const struct points *points, uint32_t cpu, uint64_t rip, uint64_t *addr)
{
	struct kvm_sregs sregs;

	if (ioctl(points->state->vcpu[cpu], KVM_GET_SREGS, &sregs))
		return false;
	*addr = sregs.efer & EFER_LMA && sregs.cs.l ? rip :
						      (uint32_t)(sregs.cs.base + rip);
	return true;
}

static bool is_prefix(unsigned char byte)
{
	static const unsigned char prefixes[] = {
		0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3,
	};

	return memchr(prefixes, byte, sizeof(prefixes));
}

/*
 * INT3 that gdb does not know at this address. It is the guest's own; or gdb's, set by another
 * address of the same byte; or it was gdb's, and is gone: this processor met it
 * when another one had stopped the guest, and goes on with what is there now.
 */
static bool met_unknown(struct points *points, uint32_t cpu, uint64_t rip)
{
	unsigned char code[LONGEST];
	struct soft here = {};
	uint64_t addr;
	size_t len, i = 0;

	if (!address_of(points, cpu, rip, &addr) ||
	    state_translate(points->state, cpu, 0, addr, &here.gpa))
		return inject(points, cpu, EXCEPTION_BP);
	len = points_read(points, cpu, addr, code, sizeof(code));
	while (i < len && is_prefix(code[i]))
		i++;
	if (i == len || code[i] == INT3)
		return inject(points, cpu, EXCEPTION_BP);
	return find_twin(points, &here);
}

/* Of a point or a step that is over, and not of the guest's own */
static bool is_past(const struct points *points, uint32_t cpu, uint32_t dr6)
{
	uint32_t control = points->was_armed[cpu];

	return (dr6 & DR6_BS && control & KVM_GUESTDBG_SINGLESTEP) ||
	       (dr6 & DR6_POINTS && control & KVM_GUESTDBG_USE_HW_BP);
}

/* An emulator's step may end before its instruction; of one that repeats itself it should. */
static bool came_nowhere(struct points *points, uint32_t cpu, uint64_t ip)
{
	if (points->again || ip != points->ip[cpu])
		return false;
	points->again = true;
	return true;
}

/**
 * points_met() - KVM_EXIT_DEBUG came: what was it for?
 * @points: all of them
 * @cpu: the processor that came out
 * @exception: as of struct kvm_debug_exit_arch
 * @dr6: as there
 * @late: it came when another processor had stopped the guest already, and gdb may have done
 *	anything since
 * @stop: out: what gdb is to be told
 *
 * Return: whether the guest is to stop. Else it goes on: as it is, or, with @rearm, after points_arm():
 * that was an exception of its own
 */
bool points_met(struct points *points, uint32_t cpu, uint32_t exception, uint32_t dr6,
		bool late, struct gdb_stop *stop)
{
	struct kvm_regs regs;
	uint32_t i;

	*stop = (struct gdb_stop) { .cpu = cpu, .signal = GDB_SIGTRAP };
	if (ioctl(points->state->vcpu[cpu], KVM_GET_REGS, &regs))
		return true;
	if (exception == EXCEPTION_BP) {
		if (find_soft(points, regs.rip))
			return met(stop, GDB_SOFT, regs.rip);
		return met_unknown(points, cpu, regs.rip);
	}
	for (i = 0; i < POINTS_HARD; i++)
		if (dr6 & 1U << i && points->hard[i].used && !by_steps(points))
			return met(stop, points->hard[i].kind, points->hard[i].addr);
	if (dr6 & DR6_BS && is_stepped(points) && is_there(points, cpu, regs.rip, stop))
		return true;
	if (dr6 & DR6_BS && points->step[cpu])
		return !came_nowhere(points, cpu, regs.rip);
	if (late && is_past(points, cpu, dr6))
		return false;
	if (!(dr6 & DR6_BS) || !is_stepped(points))
		return inject(points, cpu, EXCEPTION_DB);
	return false;
}
