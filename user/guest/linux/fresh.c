// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Random numbers of a guest that was restored: before a call is answered the agent looks
 * whether the VM generation ID is another, and has the kernel reseed with it. The kernel's
 * own driver, if there is one, may be later than the answer.
 *
 * The ID is where libhlk's machines have it, below 1 MiB and not memory, so /dev/mem shows it,
 * in kernels that show no memory by it too. Looking costs no system call.
 */
#include "agent.h"

#define GENID		0xe0000U
#define RNDADDENTROPY	0x40085203L
#define RNDRESEEDCRNG	0x5207L

struct genid {
	uint64_t half[2];
};

static const volatile struct genid *now;
static struct genid seen;
static long random;

/**
 * fresh_begin() - find the generation ID, if there is one
 */
void fresh_begin(void)
{
	long mem = sys(SYS_open, (long)"/dev/mem", O_RDONLY | O_CLOEXEC, 0, 0, 0);
	long at;

	if (mem < 0)
		return;
	random = sys(SYS_open, (long)"/dev/random", O_RDWR | O_CLOEXEC, 0, 0, 0);
	at = sys_mmap_file(mem, PAGE, PROT_READ, MAP_SHARED, GENID);
	sys(SYS_close, mem, 0, 0, 0, 0);
	if (random < 0 || (unsigned long)at >= -4095UL)
		return;
	now = (const volatile struct genid *)at;
	seen.half[0] = now->half[0];
	seen.half[1] = now->half[1];
	/* Where there is no memory each look would leave the guest. */
	if (!~seen.half[0])
		now = NULL;
}

/**
 * fresh_look() - have the kernel reseed if it was restored
 */
void fresh_look(void)
{
	struct {
		int bits;
		int bytes;
		struct genid id;
	} add = { .bits = 128, .bytes = sizeof(add.id) };

	if (!now)
		return;
	add.id.half[0] = now->half[0];
	add.id.half[1] = now->half[1];
	if (add.id.half[0] == seen.half[0] && add.id.half[1] == seen.half[1])
		return;
	seen = add.id;
	sys(SYS_ioctl, random, RNDADDENTROPY, (long)&add, 0, 0);
	sys(SYS_ioctl, random, RNDRESEEDCRNG, 0, 0, 0);
}
