/* SPDX-License-Identifier: GPL-2.0-only */
/* All that KVM tells about a vCPU, and macros that compare it. */
#ifndef _HLK_STATE_H
#define _HLK_STATE_H

#include "hlk_test.h"

#define STATE_CPUID	64

/**
 * struct state - a vCPU
 * @regs: general registers
 * @sregs: segment and control registers
 * @events: pending events
 * @debug: debug registers
 * @mp: halted or not
 * @xcrs: XCR0
 * @fpu: the FPU
 * @xsave: the FPU, and what came with XSAVE
 * @cpuid: what CPUID gives, parts of which follow registers
 */
struct state {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_vcpu_events events;
	struct kvm_debugregs debug;
	struct kvm_mp_state mp;
	struct kvm_xcrs xcrs;
	struct kvm_fpu fpu;
	struct kvm_xsave xsave;
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[STATE_CPUID];
	} cpuid;
};

void get_state(struct tvm *t, struct state *s);

#define SAME(a, b, what)						\
	do {								\
		u32 i_;							\
		for (i_ = 0; i_ < sizeof((a).what); i_++)		\
			ASSERT_EQ(((u8 *)&(a).what)[i_], ((u8 *)&(b).what)[i_]) { \
				TH_LOG("byte %u of " #what, i_);	\
			}						\
	} while (0)

#define SAME_STATE(a, b)						\
	do {								\
		SAME(a, b, regs);					\
		SAME(a, b, sregs);					\
		SAME(a, b, events);					\
		SAME(a, b, debug);					\
		SAME(a, b, mp);						\
		SAME(a, b, xcrs);					\
		SAME(a, b, fpu);					\
		SAME(a, b, xsave);					\
		SAME(a, b, cpuid);					\
	} while (0)

#define DIFFERENT(a, b, what)						\
	ASSERT_NE(0, memcmp(&(a).what, &(b).what, sizeof((a).what)))

#endif /* _HLK_STATE_H */
