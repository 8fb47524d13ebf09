/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A second walker for tables of 64-bit entries: what the processor does with one linear
 * address under PAE, 4-level and 5-level paging, by the Intel SDM, volume 3, "Paging". It
 * is the oracle for kmod/pt.c, so it shares neither code nor constants with it: each table
 * of the manual is a struct, each sentence about access rights an if.
 */
#ifndef _SDM_H
#define _SDM_H

#include <linux/types.h>
#include <stdbool.h>

enum sdm_paging {
	SDM_PAE,
	SDM_4LEVEL,
	SDM_5LEVEL,
};

/* Paging structures, by the number of levels that a walk has to go from there */
enum {
	SDM_PT = 1,
	SDM_PD,
	SDM_PDPT,
	SDM_PML4,
	SDM_PML5,
};

/**
 * struct sdm_memory - physical memory
 * @page: 4096 bytes of the frame, or NULL where there is no memory
 */
struct sdm_memory {
	const __u8 *(*page)(const struct sdm_memory *mem, __u64 frame);
};

/**
 * struct sdm_cpu - the registers that count, and what CPUID says
 * @paging: which paging is on
 * @cr3: CR3
 * @wp: CR0.WP
 * @smep: CR4.SMEP
 * @smap: CR4.SMAP
 * @pke: CR4.PKE
 * @pks: CR4.PKS
 * @nxe: EFER.NXE
 * @no_1g: CPUID knows no pages of 1 GiB
 * @amd: bit 8 of PML4 and PML5 entries must be zero
 * @loaded: @pdptr counts, not what CR3 points at
 * @maxphyaddr: MAXPHYADDR
 * @pkru: PKRU
 * @pkrs: IA32_PKRS
 * @pdptr: the PDPTE registers
 */
struct sdm_cpu {
	enum sdm_paging paging;
	__u64 cr3;
	bool wp;
	bool smep;
	bool smap;
	bool pke;
	bool pks;
	bool nxe;
	bool no_1g;
	bool amd;
	bool loaded;
	unsigned int maxphyaddr;
	__u32 pkru;
	__u32 pkrs;
	__u64 pdptr[4];
};

enum sdm_outcome {
	SDM_MAPPED,
	SDM_NOT_CANONICAL,
	SDM_NO_MEMORY,		/* the structure at @level is not in memory */
	SDM_NOT_PRESENT,
	SDM_RESERVED,
};

/**
 * struct sdm_result - one translation
 * @outcome: how it ended
 * @level: the structure whose entry ended it
 * @entry: entries that were used, by the level of their structure
 * @entry_at: where they are
 * @physical: the address
 * @page_bytes: size of the page
 * @key: its protection key
 * @writable: R/W of all entries that have it
 * @user: U/S of all
 * @no_execute: XD of any
 * @attributes: bits of the last entry as those of a 4-KByte page: PAT is bit 7
 */
struct sdm_result {
	enum sdm_outcome outcome;
	int level;
	__u64 entry[6];
	__u64 entry_at[6];
	__u64 physical;
	__u64 page_bytes;
	unsigned int key;
	bool writable;
	bool user;
	bool no_execute;
	__u64 attributes;
};

struct sdm_result sdm_translate(const struct sdm_memory *mem, const struct sdm_cpu *cpu,
				__u64 linear);

enum sdm_access {
	SDM_READ,
	SDM_WRITE,
	SDM_FETCH,
};

/* May it? @ac is EFLAGS.AC */
bool sdm_may(const struct sdm_cpu *cpu, const struct sdm_result *to, enum sdm_access access,
	     bool by_user, bool ac);

/* How many levels, bits of an entry's number at one, and bits below those */
int sdm_levels(enum sdm_paging paging);
unsigned int sdm_entries(enum sdm_paging paging, int level);
unsigned int sdm_shift(int level);

/* An address as instructions have it */
__u64 sdm_canonical(enum sdm_paging paging, __u64 linear);

#endif /* _SDM_H */
