/* SPDX-License-Identifier: GPL-2.0-only */
/* A snapshot out of the kernel and into it again, its pages in a file. */
#ifndef _TRAVEL_H
#define _TRAVEL_H

#include "hlk_test.h"

/* What travel_guest() sums up: pages with their number in them */
#define TRAVEL_LOOK	0x40000UL
#define TRAVEL_NR_LOOK	32
#define TRAVEL_SUM	(TRAVEL_NR_LOOK * (TRAVEL_NR_LOOK + 1) / 2)

#define TRAVEL_EXTENTS	512
#define TRAVEL_FPU	16384

/**
 * struct travel - all of a snapshot
 * @in: what makes it again; its pointers lead into this struct
 * @info: what HLK_SNAPSHOT_INFO says
 * @windows: its windows
 * @vcpus: its vCPUs
 * @regs: of each, the registers
 * @fpu: of each, the FPU
 * @roots: compact: its roots
 * @tables: compact: its tables
 * @touched: what guests touch
 * @extents: its pages
 * @source: the file with the pages
 * @program: its state program
 * @fd: the file, which is closed by travel_end()
 */
struct travel {
	struct hlk_snapshot_import in;
	struct hlk_snapshot_info info;
	struct hlk_window windows[8];
	struct hlk_vcpu_image vcpus[2];
	struct kvm_sync_regs regs[2];
	u8 fpu[2][TRAVEL_FPU];
	u64 roots[8];
	u32 tables[64];
	struct hlk_touched touched[256];
	struct hlk_extent extents[TRAVEL_EXTENTS];
	struct hlk_source source;
	u8 *program;
	int fd;
};

int travel_memfd(void);
void travel_seal(int fd);
void travel_out(struct travel *tr, int snap, int parent, int fd);
int travel_in(struct travel *tr, int dev);
void travel_end(struct travel *tr);
void travel_guest(struct tvm *t);
int travel_call(struct tvm *t);
u64 travel_read(int snap);

#endif /* _TRAVEL_H */
