/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* KVM_PRE_FAULT_MEMORY, for headers that are older than Linux 6.11. */
#ifndef LIBHLK_PREFAULT_H
#define LIBHLK_PREFAULT_H

#include <linux/kvm.h>

#ifndef KVM_PRE_FAULT_MEMORY
#define KVM_CAP_PRE_FAULT_MEMORY	236

struct kvm_pre_fault_memory {
	__u64 gpa;
	__u64 size;
	__u64 flags;
	__u64 padding[5];
};

#define KVM_PRE_FAULT_MEMORY	_IOWR(KVMIO, 0xd5, struct kvm_pre_fault_memory)
#endif

#endif /* LIBHLK_PREFAULT_H */
