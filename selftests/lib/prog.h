/* SPDX-License-Identifier: GPL-2.0-only */
/* State programs: made, given to a snapshot, mapped. */
#ifndef _HLK_PROG_H
#define _HLK_PROG_H

#include "hlk_test.h"

#define PROG_ENTRIES	64
#define PROG_ARGS	0x10000

/**
 * struct prog - a program that is being made
 * @header: as the module takes it
 * @entry: entries; those behind the last one are where no argument is
 * @args: arguments
 * @bytes: its size, up to the end of the last argument
 */
struct prog {
	struct hlk_program_header header;
	struct hlk_program_entry entry[PROG_ENTRIES];
	u8 args[PROG_ARGS];
	u32 bytes;
};

void prog_begin(struct prog *p);
void *prog_add(struct prog *p, u32 cmd, u32 target, const void *arg, u32 bytes);
void prog_msr(struct prog *p, u32 index, u64 data);
int prog_snapshot(int vm, struct prog *p);
u32 prog_residue(bool irqchip);
u64 prog_size(int snap);
void *prog_map(int snap);
int prog_restore(int vm, int snap, const void *at, u32 flags, struct hlk_restore *r);

#endif /* _HLK_PROG_H */
