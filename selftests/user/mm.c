// SPDX-License-Identifier: GPL-2.0-only
#include "mm.h"

/* How often an access may fault until it is one that does so for ever */
#define MANY_FAULTS	8

/* The first entry at or after a place */
static u32 first_pte(const struct vm_area_struct *vma, u64 place)
{
	u32 low = 0;
	u32 high = vma->nr_ptes;
	u32 mid;

	while (low < high) {
		mid = (low + high) / 2;
		if (vma->ptes[mid].place < place)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

pte_t *mm_pte(struct vm_area_struct *vma, u64 place)
{
	u32 nr = first_pte(vma, place);

	return nr < vma->nr_ptes && vma->ptes[nr].place == place ? &vma->ptes[nr] : NULL;
}

void mm_zap(pte_t *pte)
{
	struct page *page = pte->page;

	if (!page)
		return;
	SHIM_ASSERT(page->maps > 0);
	page->maps--;
	pte->page = NULL;
	pte->write = false;
	put_page(page);
}

void unmap_mapping_pages(struct address_space *mapping, u64 start, u64 nr,
			 bool even_cows)
{
	struct vm_area_struct *vma;
	u32 i;

	might_sleep();
	SHIM_ASSERT(!even_cows);
	if (kernel.race)
		kernel.race();
	for (vma = mapping->first; vma; vma = vma->next)
		for (i = first_pte(vma, start);
		     i < vma->nr_ptes && vma->ptes[i].place < start + nr; i++)
			mm_zap(&vma->ptes[i]);
}

int vm_insert_page(struct vm_area_struct *vma, unsigned long at, struct page *page)
{
	pte_t *pte = mm_pte(vma, vma->vm_pgoff + ((at - vma->vm_start) >> PAGE_SHIFT));

	SHIM_ASSERT(vma->vm_flags & VM_MIXEDMAP);
	SHIM_ASSERT(!(at & ~PAGE_MASK));
	SHIM_ASSERT(!shim.unpaid);
	if (++shim.tries == shim.fail_at)
		return -ENOMEM;		/* a page table */
	if (!pte_none(*pte))
		return -EBUSY;
	get_page(page);
	page->maps++;
	pte->page = page;
	pte->write = false;
	return 0;
}

static void vma_link(struct vm_area_struct *vma)
{
	struct address_space *mapping = vma->vm_file->f_mapping;

	vma->vm_file->refs++;
	vma->next = mapping->first;
	mapping->first = vma;
}

static struct vm_area_struct *vma_alloc(const struct vm_area_struct *from, u32 nr_ptes)
{
	struct vm_area_struct *vma = malloc(sizeof(*vma));

	SHIM_ASSERT(vma);
	*vma = *from;
	vma->nr_ptes = nr_ptes;
	vma->ptes = calloc(nr_ptes ? nr_ptes : 1, sizeof(*vma->ptes));
	SHIM_ASSERT(vma->ptes);
	return vma;
}

static void vma_free(struct vm_area_struct *vma)
{
	free(vma->ptes);
	free(vma);
}

/**
 * mm_map() - mmap()
 * @file: what is mapped; its hlk_vm_mmap() or snapshot_mmap() judges
 * @first: first page of the file
 * @pages: how many
 * @flags: VM_*
 * @places: pages of it that will be accessed, sorted
 * @nr: how many
 * @vma: out: the mapping
 *
 * Return: 0 or what the file said
 */
int mm_map(struct file *file, u64 first, u64 pages, unsigned long flags,
	   const u64 *places, u32 nr, struct vm_area_struct **vma)
{
	struct vm_area_struct new = {
		.vm_start = 0x100000000000 + (first << PAGE_SHIFT),
		.vm_end = 0x100000000000 + ((first + pages) << PAGE_SHIFT),
		.vm_pgoff = first,
		.vm_flags = flags,
		.vm_mm = kernel.task.mm,
		.vm_file = file,
	};
	u32 i;
	int ret;

	*vma = vma_alloc(&new, nr);
	for (i = 0; i < nr; i++)
		(*vma)->ptes[i].place = places[i];
	ret = file->f_op->mmap(file, *vma);
	if (ret) {
		vma_free(*vma);
		return ret;
	}
	vma_link(*vma);
	return 0;
}

void mm_unmap(struct vm_area_struct *vma)
{
	struct vm_area_struct **at = &vma->vm_file->f_mapping->first;
	u32 i;

	for (i = 0; i < vma->nr_ptes; i++)
		mm_zap(&vma->ptes[i]);
	while (*at != vma)
		at = &(*at)->next;
	*at = vma->next;
	if (vma->vm_ops->close)
		vma->vm_ops->close(vma);
	fput(vma->vm_file);
	vma_free(vma);
}

static void pte_copy(pte_t *to, const pte_t *from)
{
	*to = *from;
	if (to->page) {
		get_page(to->page);
		to->page->maps++;
	}
}

/* As fork(), or as mremap() before the old one is gone */
struct vm_area_struct *mm_copy(struct vm_area_struct *vma, bool ptes)
{
	struct vm_area_struct *copy = vma_alloc(vma, vma->nr_ptes);
	u32 i;

	for (i = 0; i < vma->nr_ptes; i++) {
		copy->ptes[i].place = vma->ptes[i].place;
		if (ptes)
			pte_copy(&copy->ptes[i], &vma->ptes[i]);
	}
	vma_link(copy);
	if (copy->vm_ops->open)
		copy->vm_ops->open(copy);
	return copy;
}

/* The first keeps what is before @at. */
int mm_split(struct vm_area_struct *vma, u64 at, struct vm_area_struct **second)
{
	u32 keep = first_pte(vma, at);
	unsigned long where = vma->vm_start + ((at - vma->vm_pgoff) << PAGE_SHIFT);
	u32 i;
	int ret;

	ret = vma->vm_ops->may_split ? vma->vm_ops->may_split(vma, where) : 0;
	if (ret)
		return ret;
	*second = vma_alloc(vma, vma->nr_ptes - keep);
	for (i = keep; i < vma->nr_ptes; i++)
		(*second)->ptes[i - keep] = vma->ptes[i];
	(*second)->vm_start = where;
	(*second)->vm_pgoff = at;
	vma->vm_end = where;
	vma->nr_ptes = keep;
	vma_link(*second);
	if (vma->vm_ops->open)
		vma->vm_ops->open(*second);
	return 0;
}

/* mprotect(); what becomes writable asks page_mkwrite() again */
void mm_protect(struct vm_area_struct *vma, bool write)
{
	u32 i;

	if (write) {
		SHIM_ASSERT(vma->vm_flags & VM_MAYWRITE);
		vma->vm_flags |= VM_WRITE;
		return;
	}
	vma->vm_flags &= ~VM_WRITE;
	for (i = 0; i < vma->nr_ptes; i++)
		vma->ptes[i].write = false;
}

static void vmf_init(struct vm_fault *vmf, struct vm_area_struct *vma, const pte_t *pte)
{
	memset(vmf, 0, sizeof(*vmf));
	vmf->vma = vma;
	vmf->pgoff = pte->place;
	vmf->address = vma->vm_start + ((pte->place - vma->vm_pgoff) << PAGE_SHIFT) + 8;
	vmf->orig_pte = *pte;
}

/**
 * mm_fault() - an access to what is not mapped
 * @vma: the mapping
 * @pte: the entry; another thread may have filled it meanwhile
 * @write: whether it is written
 * @access: who does it
 *
 * Return: what the module says
 */
vm_fault_t mm_fault(struct vm_area_struct *vma, pte_t *pte, bool write,
		    struct mm_access *access)
{
	struct vm_fault vmf;
	vm_fault_t ret;

	vmf_init(&vmf, vma, pte);
	vmf.flags = (write ? FAULT_FLAG_WRITE : 0) | (access->user ? FAULT_FLAG_USER : 0);
	/* the entry was looked at before the other thread came */
	if (pte->page)
		memset(&vmf.orig_pte, 0, sizeof(vmf.orig_pte));
	vmf.flags |= FAULT_FLAG_ORIG_PTE_VALID;
	access->faults++;
	ret = vma->vm_ops->fault(&vmf);
	SHIM_ASSERT(ret == VM_FAULT_NOPAGE || ret == VM_FAULT_SIGBUS ||
		    ret == VM_FAULT_OOM);
	return ret;
}

/* A write to a page that is mapped read-only, in three steps */
void mm_write_begin(struct vm_area_struct *vma, pte_t *pte, struct mm_write *w)
{
	w->vma = vma;
	w->pte = pte;
	w->page = pte->page;
	w->locked = false;
	get_page(w->page);
}

vm_fault_t mm_write_ask(struct mm_write *w)
{
	struct vm_fault vmf;
	vm_fault_t ret;

	vmf_init(&vmf, w->vma, w->pte);
	vmf.flags = FAULT_FLAG_WRITE | FAULT_FLAG_MKWRITE;
	vmf.page = w->page;
	ret = w->vma->vm_ops->page_mkwrite(&vmf);
	if (ret == VM_FAULT_LOCKED) {
		SHIM_ASSERT(w->page->locked && w->page->mapping);
		w->locked = true;
		return 0;
	}
	SHIM_ASSERT(ret == VM_FAULT_NOPAGE || ret == VM_FAULT_SIGBUS ||
		    ret == VM_FAULT_OOM);
	put_page(w->page);
	return ret;
}

/* Return: whether the entry is writable; if it changed meanwhile, it is not */
bool mm_write_finish(struct mm_write *w)
{
	bool same = w->pte->page == w->page;

	if (same) {
		/* as the module says yes for the page that is the right one */
		SHIM_ASSERT(w->page->mapping);
		w->pte->write = true;
	}
	unlock_page(w->page);
	put_page(w->page);
	return same;
}

/**
 * mm_touch() - have an entry that allows an access
 * @vma: the mapping
 * @pte: the entry
 * @write: whether it is written
 * @access: who does it
 *
 * Return: 0 or VM_FAULT_ERROR
 */
vm_fault_t mm_touch(struct vm_area_struct *vma, pte_t *pte, bool write,
		    struct mm_access *access)
{
	struct mm_write w;
	vm_fault_t ret;
	u32 tries;

	for (tries = 0; tries < MANY_FAULTS; tries++) {
		if (!pte->page) {
			ret = mm_fault(vma, pte, write, access);
		} else if (write && !pte->write) {
			mm_write_begin(vma, pte, &w);
			access->faults++;
			ret = mm_write_ask(&w);
			if (!ret)
				mm_write_finish(&w);
		} else {
			return 0;
		}
		if (ret & VM_FAULT_ERROR)
			return ret;
	}
	shim_die(__FILE__, __LINE__, "faults for ever");
}
