/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* What a guest finds in memory and registers at its first entry. */
#ifndef LIBHLK_BOOT_H
#define LIBHLK_BOOT_H

#include <linux/kvm.h>

#include "elf.h"

#define HLK_DEFAULT_MEM		(16U << 20)
#define HLK_DEFAULT_STACK	(64U << 10)

/**
 * struct hlk_plan - where everything goes
 * @elf: the image
 * @boot: what the guest is told
 * @boot_gpa: where it is told
 * @pt_gpa: page tables; the directory comes first
 * @pt_pages: how many
 */
struct hlk_plan {
	const struct hlk_elf *elf;
	struct hlk_guest_boot boot;
	uint32_t boot_gpa;
	uint32_t pt_gpa;
	uint32_t pt_pages;
};

int hlk_plan(struct hlk_plan *plan, const struct hlk_elf *elf,
	     const struct hlk_config *config, struct hlk_err *err);
void hlk_plan_windows(uint64_t mem_end, uint64_t scratch_size,
		      struct hlk_window windows[2]);
void hlk_plan_tables(const struct hlk_plan *plan, uint32_t *tables);
void hlk_plan_vcpu(const struct hlk_plan *plan, uint32_t seed,
		   uint32_t log_level, struct kvm_sync_regs *regs);

/* what hlk_plan_segments() makes besides the image's segments */
#define HLK_PLAN_EXTRA		5
#define HLK_PLAN_SEGMENTS	(HLK_ELF_MAX_SEGMENTS + HLK_PLAN_EXTRA)

/**
 * struct hlk_plan_words - memory that the last segments point to
 * @empty: stack pointer of an empty buffer
 * @bookkeeping: the words from HLK_GUEST_OFF_GENERATION to the top
 */
struct hlk_plan_words {
	uint64_t empty;
	uint64_t bookkeeping[4];
};

uint32_t hlk_plan_segments(const struct hlk_plan *plan, const uint32_t *tables,
			   struct hlk_plan_words *words,
			   struct hlk_segment *segments);

#endif /* LIBHLK_BOOT_H */
