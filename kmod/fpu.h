/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What of an FPU's register image counts, and what of it a processor loads
 * without a fault. No KVM here: this also compiles in user space.
 */
#ifndef _HLK_FPU_H
#define _HLK_FPU_H

#include "env.h"

/* Bytes of an XSAVE area with x87 and SSE alone; SDM volume 1, "XSAVE Area" */
#define HLK_FPU_LEGACY		576

/* State components: SDM volume 1, "XSAVE-Supported Features" */
#define HLK_FPU_X87_SSE		0x3ULL
#define HLK_FPU_PKRU		BIT_ULL(9)

/* XCOMP_BV: the image is compacted; SDM volume 1, "XSAVE Header" */
#define HLK_FPU_COMPACTED	BIT_ULL(63)

/**
 * hlk_fpu_bytes() - how much of a register image counts
 * @features: XSTATE_BV of its header
 * @size: its size
 *
 * A component that the header leaves out is not read from memory but reset,
 * whatever is there (SDM volume 1, "Operation of XRSTOR"): nearly always all
 * behind x87 and SSE. PKRU lies there but is never loaded from there; KVM keeps
 * the guest's elsewhere.
 */
static inline u32 hlk_fpu_bytes(u64 features, u32 size)
{
	if (size < HLK_FPU_LEGACY || features & ~(HLK_FPU_X87_SSE | HLK_FPU_PKRU))
		return size;
	return HLK_FPU_LEGACY;
}

/**
 * hlk_fpu_loadable() - the components of an image that can be loaded
 * @features: XSTATE_BV of its header
 * @format: XCOMP_BV of its header
 * @disabled: XFD of who it belongs to
 *
 * XRSTORS of a component that XFD disables is a fault in the host, and so is one
 * that the format has no room for (SDM volume 1, "Operation of XRSTORS" and
 * "Extended Feature Disable (XFD)"). A component that is left out is reset.
 */
static inline u64 hlk_fpu_loadable(u64 features, u64 format, u64 disabled)
{
	features &= ~disabled;
	return format & HLK_FPU_COMPACTED ? features & format : features;
}

#endif /* _HLK_FPU_H */
