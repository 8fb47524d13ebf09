/* SPDX-License-Identifier: GPL-2.0-only */
/* Who pays for what is made in a window */
#ifndef _HLK_PAYER_H
#define _HLK_PAYER_H

#include <linux/memcontrol.h>
#include <linux/sched/mm.h>

#include "hlk.h"

/**
 * struct payer - who pays for what is made in a window
 * @memcg: the memory cgroup, held; NULL if there are none
 * @before: what the task's own allocations were charged to
 */
struct payer {
	struct mem_cgroup *memcg;
	struct mem_cgroup *before;
};

/*
 * Charge what is made to the cgroup that the VM's process is in now, whoever touches
 * the window: it may be a worker of KVM's, which no cgroup has, a vhost thread, or
 * another process. kvm->mm is there for as long as the VM, if perhaps without
 * a user.
 */
static inline void payer_begin(struct hlk_vm_window *window, struct payer *payer)
{
	payer->memcg = get_mem_cgroup_from_mm(window->vm->kvm->mm);
	payer->before = set_active_memcg(payer->memcg);
}

static inline void payer_end(struct payer *payer)
{
	set_active_memcg(payer->before);
	mem_cgroup_put(payer->memcg);
}

/*
 * Is there a process to pay? The memory map of one that is gone may be held by
 * somebody who writes to it still; without an owner it would be charged to nobody.
 */
static inline bool payer_there(struct mm_struct *mm)
{
#ifdef CONFIG_MEMCG
	return rcu_access_pointer(mm->owner);
#else
	return true;
#endif
}

#endif /* _HLK_PAYER_H */
