// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* What libhlk keeps at the end of a state program, which may be anybody's. No system call here. */
#include <errno.h>
#include <string.h>

#include "program.h"

/**
 * hlk_program_tail() - what libhlk keeps at the end of a program
 * @program: the program; it may be anybody's
 * @bytes: its size
 * @tail: out: a copy
 *
 * Return: 0, or -EINVAL if there is nothing of libhlk's
 */
int hlk_program_tail(const unsigned char *program, uint64_t bytes,
		     struct hlk_program_tail *tail)
{
	if (!program || bytes < sizeof(*tail))
		return -EINVAL;
	memcpy(tail, program + bytes - sizeof(*tail), sizeof(*tail));
	if (tail->magic != HLK_PROGRAM_MAGIC || tail->size != sizeof(*tail))
		return -EINVAL;
	return 0;
}

/**
 * hlk_program_state() - what an embedder's device has in a program
 * @program: the program; it may be anybody's
 * @bytes: its size
 * @tail: its tail
 *
 * Return: that, or NULL if there is not that much
 */
const void *hlk_program_state(const unsigned char *program, uint64_t bytes,
			      const struct hlk_program_tail *tail)
{
	uint64_t size = (tail->state_bytes + 7ULL) / 8 * 8;

	if (bytes - sizeof(*tail) < size)
		return NULL;
	return program + bytes - sizeof(*tail) - size;
}
