// SPDX-License-Identifier: GPL-2.0-only
/* Breakpoints in memory, of a guest that is played: a byte of it may have two addresses. */
#include <errno.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "../../libhlk/tests/tap.h"
#include "../debug/points.h"

#define BYTES	0x2000U
#define INT3	0xcc
#define TWICE	0x100000U	/* all of it is mapped here again */

#define RIP	16U
#define BP	3U
#define DB	1U
#define DR6_BS	0x4000U

static unsigned char memory[BYTES];
static struct kvm_guest_debug armed[2];
static uint64_t rip, base;

int __wrap_state_translate(const struct state *state, uint32_t cpu, uint64_t root,
			   uint64_t va, uint64_t *gpa);
int __wrap_state_read(const struct state *state, uint64_t gpa, void *buf, size_t len);
int __wrap_state_write(const struct state *state, uint64_t gpa, const void *buf, size_t len);
int __wrap_ioctl(int fd, unsigned long cmd, ...);

int __wrap_state_translate(const struct state *state, uint32_t cpu, uint64_t root,
			   uint64_t va, uint64_t *gpa)
{
	(void)state, (void)cpu, (void)root;
	*gpa = va % TWICE;
	return *gpa < BYTES ? 0 : ENXIO;
}

int __wrap_state_read(const struct state *state, uint64_t gpa, void *buf, size_t len)
{
	(void)state;
	memcpy(buf, memory + gpa, len);
	return 0;
}

int __wrap_state_write(const struct state *state, uint64_t gpa, const void *buf, size_t len)
{
	(void)state;
	memcpy(memory + gpa, buf, len);
	return 0;
}

/* Two processors, in the same place */
int __wrap_ioctl(int fd, unsigned long cmd, ...)
{
	struct kvm_sregs *sregs;
	struct kvm_regs *regs;
	va_list args;
	void *arg;

	va_start(args, cmd);
	arg = va_arg(args, void *);
	va_end(args);
	switch (cmd) {
	case KVM_GET_REGS:
		regs = arg;
		*regs = (struct kvm_regs) { .rip = rip };
		return 0;
	case KVM_GET_SREGS:
		sregs = arg;
		*sregs = (struct kvm_sregs) { .cs.base = base };
		return 0;
	case KVM_SET_GUEST_DEBUG:
		memcpy(&armed[fd], arg, sizeof(armed[fd]));
		return 0;
	default:
		abort();
	}
}

static struct state two = { .nr_cpus = 2, .vcpu = { 0, 1 } };
static struct points points;

static void begin(void)
{
	points = (struct points) { .state = &two, .probed.hard = true };
	rip = RIP;
	base = 0;
	memset(memory, 0x90, sizeof(memory));
}

static void set(uint64_t addr, bool insert)
{
	if (points_set(&points, 0, insert, GDB_SOFT, addr, 1))
		abort();
	points_arm(&points, NULL);
}

static unsigned char seen(uint64_t addr)
{
	unsigned char byte = 0;

	return points_read(&points, 0, addr, &byte, 1) == 1 ? byte : 0;
}

static void test_one(void)
{
	const unsigned char byte = 0x42;

	begin();
	set(16, true);
	tap(memory[16] == INT3 && seen(16) == 0x90, "one is in memory, and is not seen");
	memory[16] = 0x41;
	tap(seen(16) == 0x41, "what the guest wrote over it is seen");
	set(16, false);
	tap(memory[16] == 0x41, "and stays");
	set(16, true);
	tap(!points_write(&points, 0, 16, &byte, 1) && memory[16] == byte,
	    "what the debugger writes comes to memory");
	points_arm(&points, NULL);
	tap(memory[16] == INT3 && seen(16) == byte, "behind it");
	points_hide(&points);
	tap(memory[16] == byte, "and is what a snapshot has");
}

/* In each order, with what was there before and with what the guest wrote meanwhile */
static void test_two(bool first, bool written)
{
	const char *when = written ? ", one later than a write" : "";
	unsigned char is = written ? 0x41 : 0x90;

	begin();
	set(16, true);
	if (written)
		memory[16] = is;
	set(TWICE + 16, true);
	tap(memory[16] == INT3 && seen(16) == is && seen(TWICE + 16) == is,
	    "two in one byte are not seen%s", when);
	set(first ? 16 : TWICE + 16, false);
	tap(memory[16] == INT3 && seen(16) == is, "the %s one goes, and the other one stays%s",
	    first ? "first" : "second", when);
	set(first ? TWICE + 16 : 16, false);
	tap(memory[16] == is, "and both%s", when);
}

/* ---- what the second processor met when the first had stopped the guest ---- */

static const enum gdb_act all[STATE_MAX_CPUS], first_steps[STATE_MAX_CPUS] = { GDB_STEP, GDB_STAY };

/* What KVM gives it when it goes on, and whether gdb is told */
static bool is_told(uint32_t exception, uint32_t dr6, bool late, uint32_t *injected)
{
	struct gdb_stop stop;
	bool told = points_met(&points, 1, exception, dr6, late, &stop);

	points_arm(&points, NULL);
	*injected = armed[1].control & (KVM_GUESTDBG_INJECT_BP | KVM_GUESTDBG_INJECT_DB);
	return told;
}

static void test_int3(void)
{
	uint32_t injected;

	begin();
	set(RIP, true);
	tap(is_told(BP, 0, true, &injected) && !injected, "late at a breakpoint");
	set(RIP, false);
	tap(!is_told(BP, 0, true, &injected) && !injected,
	    "at one that is gone meanwhile, and it goes on");
	memory[RIP] = INT3;
	tap(!is_told(BP, 0, false, &injected) && injected == KVM_GUESTDBG_INJECT_BP,
	    "the guest's own INT3 is the guest's");
	memory[RIP] = 0x66;
	memory[RIP + 1] = INT3;
	tap(!is_told(BP, 0, false, &injected) && injected == KVM_GUESTDBG_INJECT_BP,
	    "with a prefix, too");
	memory[RIP] = 0x90;
	base = 64;
	memory[64 + RIP] = INT3;
	tap(!is_told(BP, 0, false, &injected) && injected == KVM_GUESTDBG_INJECT_BP,
	    "and in a segment of code that begins elsewhere");
	base = 0;
	memory[RIP + 1] = 0x90;
	set(TWICE + RIP, true);
	tap(is_told(BP, 0, false, &injected) && !injected,
	    "gdb's, by another address than it has: gdb is told");
}

static void set_hard(bool insert)
{
	if (points_set(&points, 0, insert, GDB_HARD, RIP, 1))
		abort();
}

static void test_debug(void)
{
	uint32_t injected;

	begin();
	set_hard(true);
	points_arm(&points, all);
	set_hard(false);
	points_arm(&points, all);
	tap(!is_told(DB, 1, true, &injected) && !injected,
	    "late at one of the processor's that is gone");
	points_arm(&points, (enum gdb_act [STATE_MAX_CPUS]) { GDB_STEP, GDB_STEP });
	points_arm(&points, first_steps);
	points_arm(&points, all);
	tap(!is_told(DB, DR6_BS, true, &injected) && !injected,
	    "late after a step, told when it runs again");
	points_arm(&points, all);
	points_arm(&points, all);
	tap(!is_told(DB, DR6_BS, true, &injected) && injected == KVM_GUESTDBG_INJECT_DB,
	    "a step of the guest's own is the guest's");
	points_arm(&points, all);
	points_arm(&points, all);
	tap(!is_told(DB, 1, true, &injected) && injected == KVM_GUESTDBG_INJECT_DB,
	    "and a breakpoint of its own");
}

int main(void)
{
	unsigned int i;

	test_one();
	for (i = 0; i < 4; i++)
		test_two(i & 1, i & 2);
	test_int3();
	test_debug();
	return tap_done();
}
