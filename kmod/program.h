/* SPDX-License-Identifier: GPL-2.0-only */
/* What a state program becomes */
#ifndef _HLK_PROGRAM_H
#define _HLK_PROGRAM_H

#include "snap.h"

/**
 * struct hlk_program_call - one call
 * @cmd: KVM's ioctl
 * @target: number of the vCPU, or HLK_PROGRAM_VM
 * @offset: of the argument, in the program
 * @when: flags of the entry: in which restores; 0: in all
 * @by_value: the argument is @value
 * @value: it
 * @success: what KVM returns then
 * @first: made before anything is put back
 */
struct hlk_program_call {
	unsigned int cmd;
	u32 target;
	u32 offset;
	u32 when;
	bool by_value;
	u32 value;
	u32 success;
	bool first;
};

void hlk_program_read(const struct hlk_program *program, u32 offset, void *to, u32 bytes);

#endif /* _HLK_PROGRAM_H */
