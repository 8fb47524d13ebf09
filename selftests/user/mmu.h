/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A software MMU: what the CPU does with one linear address under 32-bit
 * paging. It is the oracle for kmod/i686pt.c and kmod/snap.c, so it shares
 * neither code nor constants with them; each table of the Intel SDM, volume 3,
 * "32-Bit Paging", is a struct here.
 */
#ifndef _MMU_H
#define _MMU_H

#include <linux/types.h>
#include <stdbool.h>

/**
 * struct physmem - physical memory
 * @page: 4096 bytes of the frame, or NULL where there is no memory
 */
struct physmem {
	const __u8 *(*page)(const struct physmem *mem, __u64 frame);
};

/**
 * struct mmu_cpu - the control registers that count
 * @cr3: CR3
 * @cr0_wp: CR0.WP
 * @cr4_pse: CR4.PSE
 * @maxphyaddr: MAXPHYADDR
 */
struct mmu_cpu {
	__u32 cr3;
	bool cr0_wp;
	bool cr4_pse;
	unsigned int maxphyaddr;
};

enum mmu_outcome {
	MMU_MAPPED,
	MMU_NO_DIRECTORY,	/* the directory is not in memory */
	MMU_PDE_ABSENT,
	MMU_PDE_RESERVED,	/* page fault with RSVD */
	MMU_NO_TABLE,		/* the table is not in memory */
	MMU_PTE_ABSENT,
};

/* Format of an entry that maps a page, whatever its size */
struct mmu_attr {
	bool write_through;
	bool cache_disable;
	bool accessed;
	bool dirty;
	bool pat;
	bool global;
	unsigned int ignored;	/* bits 11:9 */
};

/**
 * struct mmu_result - one translation
 * @outcome: how it ended
 * @pde: the directory entry, if it was read
 * @pde_at: its physical address
 * @pte: the table entry, if it was read
 * @leaf_at: physical address of the entry that maps the page
 * @large: a 4 MiB page
 * @frame: the 4 KiB frame that the address is in
 * @rw: R/W of all entries that were used
 * @us: U/S of all entries that were used
 * @leaf_rw: R/W of the entry that maps the page
 * @leaf_us: U/S of the entry that maps the page
 * @attr: the rest of that entry
 */
struct mmu_result {
	enum mmu_outcome outcome;
	__u32 pde;
	__u64 pde_at;
	__u32 pte;
	__u64 leaf_at;
	bool large;
	__u64 frame;
	bool rw;
	bool us;
	bool leaf_rw;
	bool leaf_us;
	struct mmu_attr attr;
};

struct mmu_result mmu_translate(const struct physmem *mem,
				const struct mmu_cpu *cpu, __u32 linear);

/* All of it as a number: bits 11:3 of a 4 KiB entry */
__u32 mmu_attr_bits(const struct mmu_attr *attr);

#endif /* _MMU_H */
