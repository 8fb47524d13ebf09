/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* What a guest finds new after each restore; see genid.c. */
#ifndef LIBHLK_GENID_H
#define LIBHLK_GENID_H

#include <linux/hlk.h>

#include "acpi.h"

#define HLK_GENID_AHEAD		64
#define HLK_GENID_INPUTS	2

/**
 * struct hlk_genid_random - random bytes that one restore takes
 * @id: the VM generation ID
 * @marker: those of vmclock
 */
struct hlk_genid_random {
	unsigned char id[HLK_ACPI_GENID_BYTES];
	uint64_t marker[2];
};

/**
 * struct hlk_genid - what a machine's guest finds new after each restore
 * @ahead: random bytes for restores to come
 * @left: how many of them were not taken
 * @id: the VM generation ID
 * @clock: vmclock
 * @inputs: both, for struct hlk_run
 */
struct hlk_genid {
	struct hlk_genid_random ahead[HLK_GENID_AHEAD];
	uint32_t left;
	unsigned char id[HLK_ACPI_GENID_BYTES];
	unsigned char clock[HLK_ACPI_CLOCK_BYTES];
	struct hlk_segment inputs[HLK_GENID_INPUTS];
};

int hlk_genid_next(struct hlk_genid *genid);

#endif /* LIBHLK_GENID_H */
