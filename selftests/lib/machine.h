/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All that KVM tells of a machine beside what a restore brings back by itself, and the
 * program that puts it back.
 */
#ifndef _HLK_MACHINE_H
#define _HLK_MACHINE_H

#include "prog.h"

#define MSR_TSC			0x10
#define MSR_TSC_ADJUST		0x3b
#define MSR_SYSENTER_CS		0x174
#define MSR_PAT			0x277
#define MSR_TSC_DEADLINE	0x6e0
#define MSR_LSTAR		0xc0000082
#define MSR_KERNEL_GS_BASE	0xc0000102

#define MAX_MSRS	250

struct msrs {
	struct kvm_msrs head;
	struct kvm_msr_entry entry[MAX_MSRS];
};

/**
 * struct machine - one of a single vCPU
 * @sregs: control registers
 * @xcrs: XCR0
 * @debug: debug registers
 * @lapic: with interrupt controllers: the local APIC
 * @chip: PICs, I/O APIC
 * @pit: the timer, but for when it was loaded, which is by the host's clock
 * @msrs: those that stay as they are
 */
struct machine {
	struct kvm_sregs2 sregs;
	struct kvm_xcrs xcrs;
	struct kvm_debugregs debug;
	struct kvm_lapic_state lapic;
	struct kvm_irqchip chip[KVM_NR_IRQCHIPS];
	struct kvm_pit_state2 pit;
	struct msrs msrs;
};

u32 msrs_bytes(const struct msrs *msrs);
u64 msr_get(struct tvm *t, u32 index);
void msr_set(struct tvm *t, u32 index, u64 data);
void machine_get(struct tvm *t, struct machine *m);
void machine_get_vcpu(struct tvm *t, struct machine *m);
void prog_msrs(struct prog *p, u32 vcpu, const struct msrs *msrs);
void prog_machine(struct prog *p, const struct machine *m, bool irqchip);
void prog_machine_vcpu(struct prog *p, u32 vcpu, const struct machine *m);

#define SAME_PART(a, b, what)						\
	do {								\
		u32 i_;							\
		for (i_ = 0; i_ < sizeof((a)->what); i_++)		\
			ASSERT_EQ(((u8 *)&(a)->what)[i_], ((u8 *)&(b)->what)[i_]) { \
				TH_LOG("byte %u of " #what, i_);	\
			}						\
	} while (0)

#define SAME_MACHINE(a, b)						\
	do {								\
		u32 m_;							\
		SAME_PART(a, b, sregs);					\
		SAME_PART(a, b, xcrs);					\
		SAME_PART(a, b, debug);					\
		SAME_PART(a, b, lapic);					\
		SAME_PART(a, b, chip);					\
		SAME_PART(a, b, pit);					\
		for (m_ = 0; m_ < (a)->msrs.head.nmsrs; m_++) {		\
			ASSERT_EQ((a)->msrs.entry[m_].data, (b)->msrs.entry[m_].data) { \
				TH_LOG("MSR %#x", (a)->msrs.entry[m_].index); \
			}						\
		}							\
	} while (0)

#endif /* _HLK_MACHINE_H */
