// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest's page tables: translate, walk, mark; and its memory: read.
 */
#include <linux/highmem.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "hlk.h"
#include "pt.h"
#include "trace.h"

#define PAGING_FLAGS	(HLK_PAGING_GIVEN | HLK_PAGING_WP | HLK_PAGING_PSE |		\
			 HLK_PAGING_PAE | HLK_PAGING_LONG | HLK_PAGING_LA57 |		\
			 HLK_PAGING_NXE | HLK_PAGING_SMEP | HLK_PAGING_SMAP |		\
			 HLK_PAGING_PKE | HLK_PAGING_PKS | HLK_PAGING_PDPTRS |		\
			 HLK_PAGING_NO_1G | HLK_PAGING_AMD)

/* What is given only with a flag is zero without */
static bool paging_unused(const struct hlk_paging *p)
{
	return (p->flags & HLK_PAGING_PKE || !p->pkru) &&
	       (p->flags & HLK_PAGING_PKS || !p->pkrs) &&
	       (p->flags & HLK_PAGING_PDPTRS ||
		!memchr_inv(p->pdpte, 0, sizeof(p->pdpte)));
}

static int paging_check(const struct hlk_paging *paging, u32 nr_roots,
			struct hlk_why_at *at)
{
	bool given = paging->flags & HLK_PAGING_GIVEN;
	struct pt_mode mode;

	if (memchr_inv(paging->__reserved, 0, sizeof(paging->__reserved)) ||
	    !paging_unused(paging))
		return hlk_fail(at, -EOPNOTSUPP, HLK_WHY_RESERVED, 0, 0);
	if (paging->flags & ~PAGING_FLAGS)
		return hlk_fail(at, -EOPNOTSUPP, HLK_WHY_FLAGS, 0, 0);
	if (!given && (paging->flags || paging->maxphyaddr))
		return hlk_fail(at, -EINVAL, HLK_WHY_FLAGS, 0, 0);
	if (paging->flags & HLK_PAGING_PDPTRS && nr_roots > 1)
		return hlk_fail(at, -EINVAL, HLK_WHY_TOO_MANY_ROOTS, nr_roots, 0);
	return given ? pt_mode_init(&mode, paging, at) : 0;
}

/*
 * How the tables are to be read: as given, or as vCPU 0, which is held, does. What it
 * holds of PAE's tables is of its own CR3.
 */
static int paging_mode(struct hlk_vm *vm, const struct hlk_paging *paging, bool want_cr3,
		       struct pt_mode *mode, u64 *cr3, struct hlk_why_at *at)
{
	struct hlk_paging of_vcpu;
	int ret;

	ret = hlk_vcpu_modes(vm, &of_vcpu, cr3, at);
	if (ret)
		return ret;
	if (!want_cr3)
		of_vcpu.flags &= ~HLK_PAGING_PDPTRS;
	return pt_mode_init(mode, paging->flags & HLK_PAGING_GIVEN ? paging : &of_vcpu, at);
}

/*
 * The same, from whatever the vCPU is about. It is looked at only if it is needed, so that
 * a caller who gives modes and roots can look at a guest that runs.
 */
static int paging_modes(struct hlk_vm *vm, const struct hlk_paging *paging,
			bool want_cr3, struct pt_mode *mode, u64 *cr3,
			struct hlk_why_at *at)
{
	int ret;

	if (paging->flags & HLK_PAGING_GIVEN && !want_cr3)
		return pt_mode_init(mode, paging, at);
	ret = mutex_lock_killable(&vm->lock);
	if (ret)
		return ret;
	ret = hlk_vcpus_hold(vm, false, at);
	if (!ret) {
		ret = paging_mode(vm, paging, want_cr3, mode, cr3, at);
		hlk_vcpus_release(vm);
	}
	mutex_unlock(&vm->lock);
	return ret;
}

/*
 * Bits above those of a physical address are none of CR3 but for three, which are no
 * part of the address: LAM, and not to flush.
 */
static int root_check(const struct pt_mode *mode, u64 root, u32 nr, struct hlk_why_at *at)
{
	u64 bad = ~0ULL << 32;

	if (mode->flags & HLK_PAGING_LONG)
		bad = GENMASK_ULL(60, 0) & (~0ULL << mode->maxphyaddr);
	if (root & bad)
		return hlk_fail(at, -EINVAL, HLK_WHY_GPA_RANGE, nr, root);
	return 0;
}

/**
 * hlk_cmd_translate() - HLK_TRANSLATE
 * @obj: the VM
 * @ucmd: the call
 *
 * Return: 0 or an errno
 */
int hlk_cmd_translate(void *obj, struct hlk_ucmd *ucmd)
{
	struct hlk_translate *t = ucmd->cmd;
	struct hlk_vm *vm = obj;
	struct hlk_vm_gmem g;
	struct pt_mode mode;
	u64 root = t->root;
	int ret;

	ret = hlk_vm_check_look(vm, &ucmd->at);
	if (ret)
		return ret;
	t->__reserved = 0;
	ret = paging_check(&t->paging, 1, &ucmd->at);
	if (!ret)
		ret = paging_modes(vm, &t->paging, root == HLK_ROOT_CR3, &mode, &root,
				   &ucmd->at);
	if (ret)
		return ret;
	if (t->root != HLK_ROOT_CR3)
		root = t->root;
	ret = root_check(&mode, root, 0, &ucmd->at);
	if (ret)
		return ret;
	ret = hlk_gmem_init(&g, vm);
	if (ret)
		return ret;
	ret = pt_translate(&g.gmem, &mode, root, t->va, t, &ucmd->at);
	hlk_gmem_exit(&g);
	return ret;
}

/**
 * struct user_walk - a walk whose mappings go to user space
 * @walk: the walk
 * @to: the caller's array, a user pointer
 * @size: what the caller takes for the size of one of its elements
 * @nr: how many were written
 * @room: how many fit
 */
struct user_walk {
	struct pt_walk walk;
	u64 to;
	u32 size;
	u32 nr;
	u32 room;
};

static int walk_emit(struct pt_walk *walk, const struct hlk_mapping *mapping)
{
	struct user_walk *user = container_of(walk, struct user_walk, walk);

	if (user->nr == user->room)
		return 1;
	if (hlk_element_put(user->to, user->size, user->nr, mapping, sizeof(*mapping)))
		return -EFAULT;
	user->nr++;
	return 0;
}

/* What of a range of virtual addresses is wrong whatever the format of the tables is */
static int range_check(u64 start, u64 end, struct hlk_why_at *at)
{
	if (!PAGE_ALIGNED(start) || !PAGE_ALIGNED(end))
		return hlk_fail(at, -EINVAL, HLK_WHY_GPA_ALIGN, 0, start);
	if (end && start >= end)
		return hlk_fail(at, -EINVAL, HLK_WHY_GPA_RANGE, 0, end);
	return 0;
}

/* A range of virtual addresses, for the engine */
static int range_get(const struct pt_mode *mode, u64 from, u64 to, u64 *start, u64 *end,
		     struct hlk_why_at *at)
{
	if (pt_range(mode->format, from, to, start, end))
		return hlk_fail(at, -EINVAL, HLK_WHY_GPA_RANGE, 0, to);
	return 0;
}

static int walk_check(struct hlk_walk *w, struct hlk_why_at *at)
{
	int ret;

	if (w->__reserved)
		return hlk_fail(at, -EOPNOTSUPP, HLK_WHY_RESERVED, 0, 0);
	ret = range_check(w->start, w->end, at);
	if (!ret)
		ret = paging_check(&w->paging, w->nr_roots, at);
	if (ret)
		return ret;
	if (w->nr_roots > HLK_MAX_ROOTS)
		return hlk_fail(at, -E2BIG, HLK_WHY_TOO_MANY_ROOTS, w->nr_roots, 0);
	if (!w->nr_mappings)
		return -EMSGSIZE;
	return hlk_element_size(w->mapping_size, HLK_FIRST_MAPPING,
				HLK_WHY_ELEMENT_SIZE, at);
}

/* The roots that are given, or CR3 if there are none; to be freed */
static u64 *roots_get(const struct pt_mode *mode, u64 from, u32 given, u64 cr3,
		      struct hlk_why_at *at)
{
	u32 nr = max(given, 1U);
	u64 *roots = kvmalloc_array(nr, sizeof(*roots), HLK_GFP);
	int err = -EFAULT;
	u32 i;

	if (!roots)
		return ERR_PTR(-ENOMEM);
	if (!given)
		roots[0] = cr3;
	else if (copy_from_user(roots, u64_to_user_ptr(from), nr * sizeof(*roots)))
		goto free;
	for (i = 0; i < nr; i++) {
		err = root_check(mode, roots[i], i, at);
		if (err)
			goto free;
	}
	return roots;
free:
	kvfree(roots);
	return ERR_PTR(err);
}

/**
 * hlk_cmd_walk() - HLK_WALK
 * @obj: the VM
 * @ucmd: the call
 *
 * Return: 0 or an errno
 */
int hlk_cmd_walk(void *obj, struct hlk_ucmd *ucmd)
{
	u64 start = trace_hlk_walk_enabled() ? ktime_get_ns() : 0;
	struct hlk_walk *w = ucmd->cmd;
	u32 nr = max(w->nr_roots, 1U);
	struct user_walk user = {
		.walk.emit = walk_emit,
		.walk.nr_roots = nr,
		.walk.max_tables = hlk_max_tables,
		.walk.cursor = w->cursor,
		.to = w->mappings,
		.size = w->mapping_size,
		.room = w->nr_mappings,
	};
	struct hlk_vm *vm = obj;
	struct hlk_vm_gmem g;
	u64 cr3 = 0;
	u64 *roots;
	int ret;

	ret = hlk_vm_check_look(vm, &ucmd->at);
	if (ret)
		return ret;
	ret = walk_check(w, &ucmd->at);
	if (ret)
		return ret;
	ret = paging_modes(vm, &w->paging, !w->nr_roots, &user.walk.mode, &cr3,
			   &ucmd->at);
	if (!ret)
		ret = range_get(&user.walk.mode, w->start, w->end, &user.walk.start,
				&user.walk.end, &ucmd->at);
	if (ret)
		return ret;
	w->format = user.walk.mode.format->name;
	w->__reserved2 = 0;
	if (w->format <= HLK_FORMAT_PAE && !PAGE_ALIGNED(w->cursor))
		return hlk_fail(&ucmd->at, -EINVAL, HLK_WHY_GPA_ALIGN, 0, w->cursor);
	roots = roots_get(&user.walk.mode, w->roots, w->nr_roots, cr3, &ucmd->at);
	if (IS_ERR(roots))
		return PTR_ERR(roots);
	user.walk.roots = roots;
	ret = hlk_gmem_init(&g, vm);
	if (ret)
		goto free;
	user.walk.gmem = &g.gmem;
	ret = pt_walk(&user.walk, &ucmd->at);
	hlk_gmem_exit(&g);
	w->nr_mappings = user.nr;
	w->cursor = user.walk.cursor;
	w->tables_read = user.walk.tables_read;
	trace_hlk_walk(vm->id, nr, w->tables_read, user.nr, start, ret);
free:
	kvfree(roots);
	return ret;
}

/* EFAULT is the caller's memory alone. */
static int read_failed(int err, u64 gpa, struct hlk_why_at *at)
{
	switch (err) {
	case -ENODEV:
	case -EFAULT:
		return hlk_fail(at, -ENODEV, HLK_WHY_NOT_RAM, 0, gpa);
	case -EIO:
		return hlk_fail(at, err, HLK_WHY_BASE_READ, 0, gpa);
	case -EHWPOISON:
		return hlk_fail(at, err, HLK_WHY_MEMORY_FAILED, 0, gpa);
	default:
		return err;
	}
}

/* Of one page, to the caller */
static int read_part(struct hlk_gmem *gmem, u64 gpa, size_t bytes, void __user *to,
		     struct hlk_why_at *at)
{
	struct hlk_gpage gpage;
	unsigned long left;
	void *from;
	int ret;

	ret = gmem->ops->get(gmem, gpa >> PAGE_SHIFT, &gpage);
	if (ret)
		return read_failed(ret, gpa, at);
	if (!gpage.page)
		return clear_user(to, bytes) ? -EFAULT : 0;
	from = kmap_local_page(gpage.page);
	left = copy_to_user(to, from + offset_in_page(gpa), bytes);
	kunmap_local(from);
	put_page(gpage.page);
	return left ? -EFAULT : 0;
}

/**
 * hlk_cmd_read() - HLK_READ
 * @obj: the VM
 * @ucmd: the call
 *
 * Return: 0 or an errno
 */
int hlk_cmd_read(void *obj, struct hlk_ucmd *ucmd)
{
	struct hlk_read *r = ucmd->cmd;
	struct hlk_vm *vm = obj;
	struct hlk_vm_gmem g;
	u64 gpa, bytes;
	int ret;

	r->done = 0;
	ret = hlk_vm_check_look(vm, &ucmd->at);
	if (ret)
		return ret;
	if (r->gpa + r->bytes < r->gpa)
		return hlk_fail(&ucmd->at, -EINVAL, HLK_WHY_GPA_RANGE, 0, r->gpa);
	ret = hlk_gmem_init(&g, vm);
	if (ret)
		return ret;
	while (!ret && r->done < r->bytes) {
		gpa = r->gpa + r->done;
		bytes = min_t(u64, r->bytes - r->done, PAGE_SIZE - offset_in_page(gpa));
		ret = fatal_signal_pending(current) ? -EINTR :
		      read_part(&g.gmem, gpa, bytes, u64_to_user_ptr(r->data) + r->done,
				&ucmd->at);
		if (!ret)
			r->done += bytes;
		cond_resched();
	}
	hlk_gmem_exit(&g);
	return ret;
}

/* The guest rests. */
static int mark_cow(struct hlk_vm *vm, struct hlk_mark_cow *m, struct hlk_why_at *at)
{
	struct pt_mark mark = {
		.nr_roots = max(m->nr_roots, 1U),
		.max_tables = hlk_max_tables,
		.out = m,
	};
	struct hlk_vm_gmem g;
	u64 cr3 = 0;
	u64 *roots;
	int ret;

	if (m->paging.flags & HLK_PAGING_GIVEN && m->nr_roots)
		ret = pt_mode_init(&mark.mode, &m->paging, at);
	else
		ret = paging_mode(vm, &m->paging, !m->nr_roots, &mark.mode, &cr3, at);
	if (!ret)
		ret = range_get(&mark.mode, m->start, m->end, &mark.start, &mark.end, at);
	if (ret)
		return ret;
	roots = roots_get(&mark.mode, m->roots, m->nr_roots, cr3, at);
	if (IS_ERR(roots))
		return PTR_ERR(roots);
	mark.roots = roots;
	ret = hlk_gmem_init(&g, vm);
	if (!ret) {
		mark.gmem = &g.gmem;
		ret = pt_mark(&mark, at);
		hlk_gmem_exit(&g);
	}
	if (!ret)
		hlk_vcpus_flush(vm);
	kvfree(roots);
	return ret;
}

/**
 * hlk_cmd_mark_cow() - HLK_MARK_COW
 * @obj: the VM
 * @ucmd: the call
 *
 * Return: 0 or an errno; no entry was changed then
 */
int hlk_cmd_mark_cow(void *obj, struct hlk_ucmd *ucmd)
{
	u64 start = trace_hlk_mark_cow_enabled() ? ktime_get_ns() : 0;
	struct hlk_mark_cow *m = ucmd->cmd;
	struct hlk_vm *vm = obj;
	int ret;

	m->marked = 0;
	m->already = 0;
	m->read_only = 0;
	m->live = 0;
	m->not_ram = 0;
	m->tables = 0;
	ret = hlk_vm_check(vm, &ucmd->at);
	if (ret)
		return ret;
	if (m->__reserved)
		return hlk_fail(&ucmd->at, -EOPNOTSUPP, HLK_WHY_RESERVED, 0, 0);
	if (m->nr_roots > HLK_MAX_ROOTS)
		return hlk_fail(&ucmd->at, -E2BIG, HLK_WHY_TOO_MANY_ROOTS,
				m->nr_roots, 0);
	ret = range_check(m->start, m->end, &ucmd->at);
	if (!ret)
		ret = paging_check(&m->paging, m->nr_roots, &ucmd->at);
	if (ret)
		return ret;
	ret = mutex_lock_killable(&vm->lock);
	if (ret)
		return ret;
	ret = hlk_vm_check_slots(vm, &ucmd->at);
	if (!ret)
		ret = hlk_vcpus_hold(vm, false, &ucmd->at);
	if (!ret) {
		ret = mark_cow(vm, m, &ucmd->at);
		hlk_vcpus_release(vm);
		trace_hlk_mark_cow(vm->id, m, start, ret);
	}
	mutex_unlock(&vm->lock);
	return ret;
}
