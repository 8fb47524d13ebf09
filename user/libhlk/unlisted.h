/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* MSRs in lists, and those that KVM does not list */
#ifndef HLK_UNLISTED_H
#define HLK_UNLISTED_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * What KVM does not list, and guests can write all the same: keys of SGX, MTRRs, the one bank
 * of machine checks, AMD's errata and DE_CFG
 */
static const struct {
	uint32_t first;
	uint32_t nr;
} hlk_unlisted[] = {
	{ 0x8c, 4 }, { 0x200, 16 }, { 0x250, 1 }, { 0x258, 2 }, { 0x268, 8 }, { 0x2ff, 1 },
	{ 0x400, 4 }, { 0xc0010140, 2 }, { 0xc0011029, 1 },
};

#define HLK_UNLISTED	(sizeof(hlk_unlisted) / sizeof(*hlk_unlisted))

/* Is an MSR among those? */
static inline bool hlk_msr_in(const struct kvm_msr_entry *entries, uint32_t nr, uint32_t index)
{
	uint32_t i;

	for (i = 0; i < nr; i++)
		if (entries[i].index == index)
			return true;
	return false;
}

#endif
