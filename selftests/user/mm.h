/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mappings of files, and what happens when they are accessed: the part of the
 * kernel's memory management that calls the module.
 */
#ifndef _MM_H
#define _MM_H

#include "kernel.h"

/**
 * struct mm_access - who accesses, and how it ended
 * @user: a thread in user mode, else the kernel in the name of a guest
 * @faults: calls of the module since it was set to 0
 */
struct mm_access {
	bool user;
	u32 faults;
};

/**
 * struct mm_write - a write to a page that is mapped read-only, on its way
 * @vma: the mapping
 * @pte: the entry
 * @page: what was mapped when it began, with a reference
 * @locked: the module said yes; the page's lock is held
 */
struct mm_write {
	struct vm_area_struct *vma;
	pte_t *pte;
	struct page *page;
	bool locked;
};

int mm_map(struct file *file, u64 first, u64 pages, unsigned long flags,
	   const u64 *places, u32 nr, struct vm_area_struct **vma);
void mm_unmap(struct vm_area_struct *vma);
int mm_split(struct vm_area_struct *vma, u64 at, struct vm_area_struct **second);
struct vm_area_struct *mm_copy(struct vm_area_struct *vma, bool ptes);
void mm_protect(struct vm_area_struct *vma, bool write);

pte_t *mm_pte(struct vm_area_struct *vma, u64 place);
vm_fault_t mm_fault(struct vm_area_struct *vma, pte_t *pte, bool write,
		    struct mm_access *access);
vm_fault_t mm_touch(struct vm_area_struct *vma, pte_t *pte, bool write,
		    struct mm_access *access);
void mm_write_begin(struct vm_area_struct *vma, pte_t *pte, struct mm_write *w);
vm_fault_t mm_write_ask(struct mm_write *w);
bool mm_write_finish(struct mm_write *w);
void mm_zap(pte_t *pte);

#endif /* _MM_H */
