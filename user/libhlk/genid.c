// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What a guest finds new after each restore, so that it does not go on with random numbers
 * that it had in the snapshot: 16 bytes that no other restore has, and vmclock's
 * markers. The system is asked for many at once: a restore is one system call.
 */
#include "genid.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

static int draw(struct hlk_genid *genid)
{
	unsigned char *to = (unsigned char *)genid->ahead;
	size_t done = 0;
	ssize_t got;

	while (done < sizeof(genid->ahead)) {
		got = getrandom(to + done, sizeof(genid->ahead) - done, 0);
		if (got > 0)
			done += got;
		else if (errno != EINTR)
			return -errno;
	}
	genid->left = HLK_GENID_AHEAD;
	return 0;
}

/**
 * hlk_genid_next() - have what the next restore gives to the guest
 * @genid: out: @inputs
 *
 * What was given once is nowhere else any more.
 *
 * Return: 0 or a negative errno
 */
int hlk_genid_next(struct hlk_genid *genid)
{
	struct hlk_genid_random *random;
	int ret = genid->left ? 0 : draw(genid);

	if (ret)
		return ret;
	random = &genid->ahead[--genid->left];
	memcpy(genid->id, random->id, sizeof(genid->id));
	hlk_acpi_clock(genid->clock, random->marker);
	explicit_bzero(random, sizeof(*random));
	genid->inputs[0] = (struct hlk_segment) {
		.gpa = HLK_ACPI_GENID,
		.bytes = sizeof(genid->id),
		.data = (uintptr_t)genid->id,
	};
	genid->inputs[1] = (struct hlk_segment) {
		.gpa = HLK_ACPI_CLOCK,
		.bytes = sizeof(genid->clock),
		.data = (uintptr_t)genid->clock,
	};
	return 0;
}
