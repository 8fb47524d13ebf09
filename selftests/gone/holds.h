/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How long locks are held, by the trace events of lockdep.
 */
#ifndef _HLK_HOLDS_H
#define _HLK_HOLDS_H

#include <stdbool.h>
#include <sys/types.h>

/**
 * enum hold - kinds of locks
 * @HOLD_VM: hlk_vm.lock
 * @HOLD_KVM: kvm->lock
 * @HOLD_VCPU: the mutex of a vCPU
 * @HOLD_MM: mmap_lock, or that of one mapping
 * @HOLD_WINDOW: hlk_window.lock
 * @HOLD_MAPPING: i_mmap_rwsem, of any file
 * @HOLD_MMU: KVM's mmu_lock
 * @NR_HOLDS: how many there are
 */
enum hold {
	HOLD_VM,
	HOLD_KVM,
	HOLD_VCPU,
	HOLD_MM,
	HOLD_WINDOW,
	HOLD_MAPPING,
	HOLD_MMU,
	NR_HOLDS,
};

extern const char *const hold_names[NR_HOLDS];

void holds_open(void);
int holds_switch(void);
void holds_clear(void);
void holds_read(pid_t pid, double *ms);
void holds_close(void);

#endif /* _HLK_HOLDS_H */
