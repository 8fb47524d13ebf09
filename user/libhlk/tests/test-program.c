// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* What libhlk keeps behind a state program, which may be anybody's. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../program.h"
#include "tap.h"

static int tail_of(const void *bytes, size_t size, struct hlk_program_tail *tail)
{
	unsigned char *exact = malloc(size ? size : 1);
	int ret;

	if (size)
		memcpy(exact, bytes, size);
	ret = hlk_program_tail(exact, size, tail);
	free(exact);
	return ret;
}

int main(void)
{
	struct hlk_program_tail good = {
		.magic = HLK_PROGRAM_MAGIC,
		.size = sizeof(good),
		.irqchip = 1,
		.cr8 = 3,
	};
	unsigned char program[64 + sizeof(good)] = {};
	struct hlk_program_tail tail;
	bool refused = true;
	size_t size;

	memcpy(program + 64, &good, sizeof(good));
	tap(!tail_of(program, sizeof(program), &tail) &&
	    !memcmp(&tail, &good, sizeof(good)), "it is at the end");
	for (size = 0; size < sizeof(program); size++)
		refused &= tail_of(program, size, &tail) == -EINVAL;
	tap(refused, "and nowhere else");
	tap(hlk_program_tail(NULL, 0, &tail) == -EINVAL, "nor where there is no program");
	program[64 + offsetof(struct hlk_program_tail, size)]++;
	tap(tail_of(program, sizeof(program), &tail) == -EINVAL, "of another size");
	program[64 + offsetof(struct hlk_program_tail, size)]--;
	program[64]++;
	tap(tail_of(program, sizeof(program), &tail) == -EINVAL, "of another kind");
	return tap_done();
}
