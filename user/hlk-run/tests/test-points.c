// SPDX-License-Identifier: GPL-2.0-only
/* Breakpoints in memory, of a guest that is played: a byte of it may have two addresses. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../libhlk/tests/tap.h"
#include "../debug/points.h"

#define BYTES	0x2000U
#define INT3	0xcc
#define TWICE	0x100000U	/* all of it is mapped here again */

static unsigned char memory[BYTES];

int __wrap_state_translate(const struct state *state, uint32_t cpu, uint64_t root,
			   uint64_t va, uint64_t *gpa);
int __wrap_state_read(const struct state *state, uint64_t gpa, void *buf, size_t len);
int __wrap_state_write(const struct state *state, uint64_t gpa, const void *buf, size_t len);

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

/* No processor is asked: there is none. */
static struct state nobody;
static struct points points;

static void begin(void)
{
	points = (struct points) { .state = &nobody, .probed.hard = true };
	nobody.vcpu[0] = -1;
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

int main(void)
{
	unsigned int i;

	test_one();
	for (i = 0; i < 4; i++)
		test_two(i & 1, i & 2);
	return tap_done();
}
