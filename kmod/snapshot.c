// SPDX-License-Identifier: GPL-2.0-only
/*
 * Snapshots as user space sees them: how one is asked for, and its fd.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "hlk.h"
#include "trace.h"

static vm_fault_t snapshot_fault(struct vm_fault *vmf)
{
	struct hlk_snap *snap = vmf->vma->vm_private_data;
	struct page *page;
	int err;

	if (hlk_layout_find(&snap->layout, vmf->pgoff) < 0)
		return VM_FAULT_SIGBUS;
	err = hlk_snap_read(snap, vmf->pgoff, vmf->flags & FAULT_FLAG_RETRY_NOWAIT);
	if (err)
		return err == -EAGAIN ? VM_FAULT_RETRY :
		       err == -ENOMEM && !(vmf->flags & FAULT_FLAG_USER) ?
		       VM_FAULT_OOM : VM_FAULT_SIGBUS;
	page = hlk_snap_page(snap, vmf->pgoff);
	return hlk_insert_shared(vmf, page ?: READ_ONCE(snap->zero_page));
}

static const struct vm_operations_struct snapshot_vm_ops = {
	.fault = snapshot_fault,
};

/* The snapshot's page of zeroes: few snapshots are ever mapped. */
static int snapshot_zero_page(struct hlk_snap *snap)
{
	struct page *page;

	if (READ_ONCE(snap->zero_page))
		return 0;
	page = alloc_page(HLK_GFP | __GFP_ZERO);
	if (!page)
		return -ENOMEM;
	if (cmpxchg(&snap->zero_page, NULL, page))
		put_page(page);
	return 0;
}

/*
 * A snapshot is immutable, so it is never mapped writable. VM_SHARED is already
 * cleared then, since the file is read-only; VM_MAYSHARE says what was asked.
 */
static int snapshot_mmap(struct file *file, struct vm_area_struct *vma)
{
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_flags & VM_WRITE)
		return -EACCES;
	if (vma->vm_pgoff >= HLK_PROGRAM_OFFSET >> PAGE_SHIFT)
		return hlk_program_mmap(file->private_data, vma);
	if (snapshot_zero_page(file->private_data))
		return -ENOMEM;
	vm_flags_clear(vma, VM_MAYWRITE);
	vm_flags_set(vma, VM_MIXEDMAP | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_private_data = file->private_data;
	vma->vm_ops = &snapshot_vm_ops;
	return 0;
}

static int copy_windows(struct hlk_snapshot_info *info, const struct hlk_snap *snap)
{
	const struct hlk_range *range;
	u32 i;

	for (i = 0; i < snap->layout.nr && i < info->nr_windows; i++) {
		struct hlk_window window = {};

		range = &snap->layout.range[i];
		window.gpa = range->gfn << PAGE_SHIFT;
		window.bytes = range->pages << PAGE_SHIFT;
		window.flags = range->flags;
		if (hlk_element_put(info->windows, info->window_size, i, &window,
				    sizeof(window)))
			return -EFAULT;
	}
	return 0;
}

static int cmd_info(void *obj, struct hlk_ucmd *ucmd)
{
	struct hlk_snapshot_info *info = ucmd->cmd;
	struct hlk_snap *snap = obj;
	u32 roots = min(info->nr_roots, snap->nr_roots);
	bool fits = info->nr_windows >= snap->layout.nr &&
		    info->nr_roots >= snap->nr_roots;
	int ret;

	if (info->__reserved)
		return hlk_fail(&ucmd->at, -EOPNOTSUPP, HLK_WHY_RESERVED, 0, 0);
	if (info->nr_windows) {
		ret = hlk_element_size(info->window_size, HLK_FIRST_WINDOW,
				       HLK_WHY_ELEMENT_SIZE, &ucmd->at);
		if (ret)
			return ret;
	}
	if (copy_windows(info, snap))
		return -EFAULT;
	if (roots && copy_to_user(u64_to_user_ptr(info->roots), snap->roots,
				  roots * sizeof(u64)))
		return -EFAULT;
	info->flags = snap->flags;
	info->nr_vcpus = snap->nr_vcpus;
	info->generation = snap->generation;
	info->nr_windows = snap->layout.nr;
	info->nr_roots = snap->nr_roots;
	info->first_free = snap->first_free;
	info->input_bytes = snap->input_bytes;
	info->output_bytes = snap->output_bytes;
	info->counts = snap->counts;
	info->program_bytes = snap->program ? snap->program->bytes : 0;
	info->__reserved2 = 0;
	info->id = snap->id;
	info->parent_id = snap->parent_id;
	info->file_pages = snap->file_pages;
	info->file_read = hlk_files_read(snap->files);
	return fits ? 0 : -EMSGSIZE;
}

static int cmd_export(void *obj, struct hlk_ucmd *ucmd)
{
	return hlk_snap_export(obj, ucmd->cmd, &ucmd->at);
}

static int cmd_pages(void *obj, struct hlk_ucmd *ucmd)
{
	struct hlk_snapshot_pages *p = ucmd->cmd;
	struct file *file;
	int ret;

	if (p->__reserved)
		return hlk_fail(&ucmd->at, -EOPNOTSUPP, HLK_WHY_RESERVED, 0, 0);
	if (!p->nr_extents)
		return hlk_fail(&ucmd->at, -EINVAL, HLK_WHY_ELEMENT_SIZE, 0, 0);
	ret = hlk_element_size(p->extent_size, HLK_FIRST_EXTENT, HLK_WHY_ELEMENT_SIZE,
			       &ucmd->at);
	if (ret)
		return ret;
	if (p->other_fd == -1)
		return hlk_snap_pages(obj, NULL, p, &ucmd->at);
	file = hlk_snap_file(p->other_fd);
	if (!file)
		return hlk_fail(&ucmd->at, -EBADF, HLK_WHY_NOT_SNAPSHOT, 0, 0);
	ret = hlk_snap_pages(obj, file->private_data, p, &ucmd->at);
	fput(file);
	return ret;
}

static const struct hlk_op snapshot_ops[] = {
	[HLK_CMD_SNAPSHOT_INFO - HLK_CMD_SNAPSHOT_INFO] =
		HLK_OP(struct hlk_snapshot_info, 280, 0, cmd_info),
	[HLK_CMD_SNAPSHOT_EXPORT - HLK_CMD_SNAPSHOT_INFO] =
		HLK_OP(struct hlk_snapshot_export, 80, 0, cmd_export),
	[HLK_CMD_SNAPSHOT_PAGES - HLK_CMD_SNAPSHOT_INFO] =
		HLK_OP(struct hlk_snapshot_pages, 56, 0, cmd_pages),
};

static long snapshot_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return hlk_ioctl(file, cmd, arg, false, snapshot_ops, HLK_CMD_SNAPSHOT_INFO,
			 ARRAY_SIZE(snapshot_ops));
}

static int snapshot_release(struct inode *inode, struct file *file)
{
	hlk_snap_put(file->private_data);
	hlk_file_released(inode);
	return 0;
}

static const struct file_operations snapshot_fops = {
	.owner = THIS_MODULE,
	.release = snapshot_release,
	.mmap = snapshot_mmap,
	.unlocked_ioctl = snapshot_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

/**
 * hlk_snap_file() - the file of a snapshot
 * @fd: its fd
 *
 * Return: the file with a reference, its private data is the snapshot; or NULL if
 * the fd is not that of one
 */
struct file *hlk_snap_file(int fd)
{
	struct file *file = fget(fd);

	if (!file || file->f_op == &snapshot_fops)
		return file;
	fput(file);
	return NULL;
}

/**
 * hlk_snap_publish() - hand a finished snapshot to the caller
 * @ucmd: the call
 * @snap: the snapshot; the caller's reference goes to its file
 * @out_fd: where the fd goes
 *
 * Return: 0 or an errno
 */
int hlk_snap_publish(struct hlk_ucmd *ucmd, struct hlk_snap *snap, s32 *out_fd)
{
	static atomic64_t last_id;
	struct file *file;

	snap->id = atomic64_inc_return(&last_id);
	file = hlk_file("hlk-snapshot", &snapshot_fops, snap, O_RDONLY);
	if (IS_ERR(file)) {
		hlk_snap_put(snap);
		return PTR_ERR(file);
	}
	return hlk_ucmd_new(ucmd, file, out_fd);
}

/**
 * hlk_snap_max_pages() - how many pages a snapshot may have
 *
 * The guest's, its tables, and what is written beside them
 */
u64 hlk_snap_max_pages(void)
{
	return (u64)hlk_max_pages + hlk_max_tables + 16;
}

struct image_piece {
	const void __user *from;
};

static int image_fill(void *to, size_t bytes, void *arg)
{
	struct image_piece *piece = arg;

	if (copy_from_user(to, piece->from, bytes))
		return -EFAULT;
	piece->from += bytes;
	return 0;
}

static int build_segments(struct hlk_snap *snap, struct hlk_snapshot_build *build,
			  struct hlk_why_at *at)
{
	struct image_piece piece;
	struct hlk_segment seg;
	u32 i;
	int ret;

	if (!build->nr_segments)
		return 0;
	if (build->nr_segments > hlk_max_segments)
		return hlk_fail(at, -E2BIG, HLK_WHY_TOO_MANY_SEGMENTS,
				build->nr_segments, hlk_max_segments);
	ret = hlk_element_size(build->segment_size, HLK_FIRST_SEGMENT,
			       HLK_WHY_ELEMENT_SIZE, at);
	if (ret)
		return ret;
	for (i = 0; i < build->nr_segments; i++) {
		ret = hlk_element_get(&seg, sizeof(seg), build->segments,
				      build->segment_size, i, at);
		if (ret)
			return ret;
		if (seg.bytes && hlk_layout_find_bytes(&snap->layout, seg.gpa,
						       seg.bytes) < 0)
			return hlk_fail(at, -EINVAL, HLK_WHY_SEGMENT, i, seg.gpa);
		piece.from = u64_to_user_ptr(seg.data);
		ret = hlk_snap_write(snap, seg.gpa, seg.bytes, image_fill, &piece);
		if (ret)
			return ret;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

static int build_vcpus(struct hlk_snap *snap, struct hlk_snapshot_build *build,
		       struct hlk_why_at *at)
{
	u32 i;
	int ret;

	if (!build->nr_vcpus)
		return 0;
	if (build->nr_vcpus > HLK_MAX_VCPUS)
		return hlk_fail(at, -EDQUOT, HLK_WHY_TOO_MANY_VCPUS,
				build->nr_vcpus, 0);
	ret = hlk_element_size(build->vcpu_size, HLK_FIRST_SYNC_REGS,
			       HLK_WHY_VCPU_SIZE, at);
	if (ret)
		return ret;
	for (i = 0; i < build->nr_vcpus; i++) {
		ret = hlk_vcpu_from_user(build->vcpus, build->vcpu_size, i, snap, at);
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * hlk_layout_from_user() - windows that a caller gives
 * @layout: out: the layout, empty before
 * @windows: an array of struct hlk_window, a user pointer
 * @nr: how many
 * @size: what the caller takes for the size of one
 * @at: the reason of a failure
 *
 * Return: 0, or as hlk_layout_add() and the functions of arrays
 */
int hlk_layout_from_user(struct hlk_layout *layout, u64 windows, u32 nr, u32 size,
			 struct hlk_why_at *at)
{
	struct hlk_window window;
	struct hlk_range range;
	u32 i;
	int ret;

	if (!nr)
		return 0;
	ret = hlk_element_size(size, HLK_FIRST_WINDOW, HLK_WHY_ELEMENT_SIZE, at);
	if (ret)
		return ret;
	for (i = 0; i < nr; i++) {
		ret = hlk_element_get(&window, sizeof(window), windows, size, i, at);
		if (ret)
			return ret;
		ret = hlk_layout_add_user(layout, &window, &range, at);
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * hlk_cmd_snapshot_build() - HLK_SNAPSHOT_BUILD
 * @obj: unused
 * @ucmd: the call
 *
 * Return: 0 or an errno; nothing is left behind after a failure
 */
int hlk_cmd_snapshot_build(void *obj, struct hlk_ucmd *ucmd)
{
	struct hlk_snapshot_build *build = ucmd->cmd;
	struct hlk_program *program;
	struct hlk_layout *layout;
	struct hlk_snap *snap;
	int ret;

	if (build->__reserved || build->__reserved2)
		return hlk_fail(&ucmd->at, -EOPNOTSUPP, HLK_WHY_RESERVED, 0, 0);
	layout = kzalloc(sizeof(*layout), HLK_GFP);
	if (!layout)
		return -ENOMEM;
	ret = hlk_layout_from_user(layout, build->windows, build->nr_windows,
				   build->window_size, &ucmd->at);
	if (ret) {
		kfree(layout);
		return ret;
	}
	snap = hlk_snap_alloc(layout, hlk_snap_max_pages());
	kfree(layout);
	if (!snap)
		return -ENOMEM;
	program = hlk_program_new(build->program, build->program_bytes, false, &ucmd->at);
	ret = PTR_ERR_OR_ZERO(program);
	if (!ret) {
		snap->program = program;
		ret = build_segments(snap, build, &ucmd->at);
	}
	if (!ret)
		ret = build_vcpus(snap, build, &ucmd->at);
	if (!ret)
		ret = hlk_program_settle(snap, &ucmd->at);
	if (ret == -EDQUOT && ucmd->at.why == HLK_WHY_NONE)
		hlk_fail(&ucmd->at, ret, HLK_WHY_TOO_MANY_PAGES, 0, 0);
	if (ret) {
		hlk_snap_put(snap);
		return ret;
	}
	return hlk_snap_publish(ucmd, snap, &build->out_fd);
}

/* The roots that the guest published; a guest may write anything there. */
static int guest_roots(struct hlk_gmem *gmem, u64 **roots, u32 *nr,
		       struct hlk_why_at *at)
{
	u64 gfn = (HLK_GUEST_SCRATCH_TOP - HLK_GUEST_OFF_ROOTS) >> PAGE_SHIFT;
	u64 *page = kmalloc(PAGE_SIZE, HLK_GFP);
	int ret;

	if (!page)
		return -ENOMEM;
	ret = i686_read_table(gmem, gfn, (u32 *)page);
	if (ret) {
		hlk_fail(at, ret, HLK_WHY_NOT_RAM, 0, gfn << PAGE_SHIFT);
		goto free;
	}
	ret = -EINVAL;
	if (!page[0]) {
		hlk_fail(at, ret, HLK_WHY_NO_ROOTS, 0, 0);
		goto free;
	}
	if (page[0] > HLK_GUEST_MAX_ROOTS) {
		ret = hlk_fail(at, -E2BIG, HLK_WHY_TOO_MANY_ROOTS,
			       min_t(u64, page[0], U32_MAX), 0);
		goto free;
	}
	*nr = page[0];
	memmove(page, page + 1, *nr * sizeof(u64));
	*roots = page;
	return 0;
free:
	kfree(page);
	return ret;
}

/* Roots: given, published, or the one in CR3. */
static int snapshot_roots(struct hlk_snapshot *s, struct hlk_gmem *gmem, u64 cr3,
			  u64 **roots, u32 *nr, struct hlk_why_at *at)
{
	if (s->nr_roots > HLK_MAX_ROOTS)
		return hlk_fail(at, -E2BIG, HLK_WHY_TOO_MANY_ROOTS, s->nr_roots, 0);
	if (s->head.flags & HLK_SNAPSHOT_GUEST_ROOTS)
		return guest_roots(gmem, roots, nr, at);
	*nr = max(s->nr_roots, 1U);
	*roots = kvmalloc_array(*nr, sizeof(u64), HLK_GFP);
	if (!*roots)
		return -ENOMEM;
	if (!s->nr_roots) {
		**roots = cr3;
	} else if (copy_from_user(*roots, u64_to_user_ptr(s->roots),
				  *nr * sizeof(u64))) {
		kvfree(*roots);
		return -EFAULT;
	}
	return 0;
}

/*
 * What lies in the buffers is not kept, so a guest that runs with smaller ones
 * than are asked for would lose the pages behind them.
 */
static int snapshot_buffers(struct hlk_vm *vm, const struct hlk_snapshot *s,
			    struct hlk_why_at *at)
{
	const struct hlk_snap *parent = vm->snap;

	if (parent && parent->flags & HLK_SNAPSHOT_COMPACT &&
	    (parent->input_bytes != s->input_bytes ||
	     parent->output_bytes != s->output_bytes))
		return hlk_fail(at, -EINVAL, HLK_WHY_IO_BUFFERS, 0,
				(u64)parent->input_bytes + parent->output_bytes);
	return 0;
}

static int snapshot_compact(struct hlk_vm *vm, struct hlk_snapshot *s,
			    struct hlk_snap *snap, struct hlk_why_at *at)
{
	struct hlk_snap_params params = {
		.flags = s->head.flags,
		.input_bytes = s->input_bytes,
		.output_bytes = s->output_bytes,
		.parent = vm->snap,
		.max_tables = hlk_max_tables,
		.max_pages = hlk_max_pages,
	};
	struct hlk_vm_gmem g;
	u64 *roots;
	u64 cr3;
	u32 i;
	int ret;

	ret = snapshot_buffers(vm, s, at);
	if (ret)
		return ret;
	ret = hlk_vcpu_paging(vm, snap, &params.mode, &cr3, at);
	if (ret)
		return ret;
	ret = hlk_gmem_init(&g, vm);
	if (ret)
		return ret;
	ret = snapshot_roots(s, &g.gmem, cr3, &roots, &params.nr_roots, at);
	if (ret)
		goto exit_gmem;
	params.roots = roots;
	/* pages that are shared may be of its files, which have to be there as long as they */
	if (vm->snap && !snap->files)
		snap->files = hlk_files_get(vm->snap->files);
	ret = hlk_snap_compact(snap, &g.gmem, &params, at);
	if (ret)
		goto free_roots;
	for (i = 0; i < snap->nr_vcpus; i++)
		hlk_vcpu_set_cr3(snap, i, hlk_snap_cr3(snap, roots,
						       hlk_vcpu_cr3(snap, i)));
free_roots:
	kvfree(roots);
exit_gmem:
	hlk_gmem_exit(&g);
	return ret;
}

/* Every page at its place: what is private is copied, the rest shared. */
static int snapshot_flat(struct hlk_vm *vm, struct hlk_snap *snap)
{
	int ret = vm->snap ? hlk_snap_inherit(snap, vm->snap) : 0;

	return ret ? ret : hlk_windows_keep(vm, snap);
}

static int snapshot_check(struct hlk_snapshot *s, struct hlk_why_at *at)
{
	u32 compact_only = HLK_SNAPSHOT_GUEST_ROOTS | HLK_SNAPSHOT_HOST_COW |
			   HLK_SNAPSHOT_STRICT;

	if (s->__reserved)
		return hlk_fail(at, -EOPNOTSUPP, HLK_WHY_RESERVED, 0, 0);
	if (s->head.flags & HLK_SNAPSHOT_COMPACT) {
		if (s->head.flags & HLK_SNAPSHOT_GUEST_ROOTS && s->nr_roots)
			return hlk_fail(at, -EINVAL, HLK_WHY_TOO_MANY_ROOTS,
					s->nr_roots, 0);
		return 0;
	}
	if (s->head.flags & compact_only)
		return hlk_fail(at, -EINVAL, HLK_WHY_FLAGS, 0, 0);
	if (s->nr_roots || s->input_bytes || s->output_bytes)
		return hlk_fail(at, -EINVAL, HLK_WHY_RESERVED, 0, 0);
	return 0;
}

/* The guest rests and its windows are constant. */
static int snapshot_take(struct hlk_vm *vm, struct hlk_looks *looks,
			 struct hlk_snapshot *s, struct hlk_snap *snap,
			 struct hlk_why_at *at)
{
	const struct kvm_sync_regs *sync = hlk_looks_settle(vm, looks, snap->program, at);
	int ret;

	if (IS_ERR(sync))
		return PTR_ERR(sync);
	/* nothing is written here, but where a restore will be refused */
	ret = hlk_vm_check_slots(vm, at);
	if (!ret)
		ret = hlk_vcpus_capture(vm, sync, snap, at);
	if (!ret)
		ret = hlk_program_settle(snap, at);
	if (ret)
		return ret;
	snap->counts.residue = vm->beside ? HLK_RESIDUE_MEMSLOTS : 0;
	if (snap->nr_vcpus)
		snap->counts.residue |= hlk_vcpus_residue(vm) &
					~hlk_program_residue(snap, vm->kvm, false);
	snap->flags = s->head.flags;
	snap->generation = vm->snap ? vm->snap->generation + 1 : 1;
	snap->parent_id = vm->snap ? vm->snap->id : 0;
	if (s->head.flags & HLK_SNAPSHOT_COMPACT)
		ret = snapshot_compact(vm, s, snap, at);
	else
		ret = snapshot_flat(vm, snap);
	if (!ret && s->head.flags & HLK_SNAPSHOT_DEDUP) {
		siphash_key_t key;

		get_random_bytes(&key, sizeof(key));
		ret = hlk_snap_dedup(snap, &key);
	}
	if (ret == -EDQUOT && at->why == HLK_WHY_NONE)
		hlk_fail(at, ret, HLK_WHY_TOO_MANY_PAGES, 0, 0);
	return ret;
}

/**
 * hlk_cmd_snapshot() - HLK_SNAPSHOT
 * @obj: the VM
 * @ucmd: the call
 *
 * Return: 0 or an errno; the VM goes on as it was in either case
 */
int hlk_cmd_snapshot(void *obj, struct hlk_ucmd *ucmd)
{
	u64 start = trace_hlk_snapshot_enabled() ? ktime_get_ns() : 0;
	struct hlk_snapshot *s = ucmd->cmd;
	struct hlk_vm *vm = obj;
	struct hlk_program *program;
	struct hlk_looks *looks;
	struct hlk_snap *snap = NULL;
	int ret;

	ret = hlk_vm_check(vm, &ucmd->at);
	if (ret)
		return ret;
	ret = snapshot_check(s, &ucmd->at);
	if (ret)
		return ret;
	program = hlk_program_new(s->program, s->program_bytes,
				  s->head.flags & HLK_SNAPSHOT_COMPACT, &ucmd->at);
	if (IS_ERR(program))
		return PTR_ERR(program);
	looks = hlk_looks_take(vm, &ucmd->at);
	if (IS_ERR(looks)) {
		ret = PTR_ERR(looks);
		goto free_program;
	}
	ret = mutex_lock_killable(&vm->lock);
	if (ret)
		goto free_looks;
	if (vm->half) {
		ret = hlk_fail(&ucmd->at, -EINVAL, HLK_WHY_HALF_RESTORED, 0, 0);
		goto unlock;
	}
	ret = -ENOMEM;
	snap = hlk_snap_alloc(&vm->layout, hlk_snap_max_pages());
	if (!snap)
		goto unlock;
	swap(snap->program, program);
	ret = hlk_vcpus_hold(vm, false, &ucmd->at);
	if (ret)
		goto unlock;
	ret = snapshot_take(vm, looks, s, snap, &ucmd->at);
	hlk_vcpus_release(vm);
	trace_hlk_snapshot(vm->id, s->head.flags, &snap->counts, start, ret);
	if (ret)
		goto unlock;
	vm->sealed = true;
	vm->took = true;
	mutex_unlock(&vm->lock);
	hlk_looks_free(looks);
	s->counts = snap->counts;
	return hlk_snap_publish(ucmd, snap, &s->out_fd);
unlock:
	mutex_unlock(&vm->lock);
free_looks:
	hlk_looks_free(looks);
	hlk_snap_put(snap);
free_program:
	hlk_program_free(program);
	return ret;
}
