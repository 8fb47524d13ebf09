// SPDX-License-Identifier: GPL-2.0-only
/*
 * A snapshot from what user space kept of another one: HLK_SNAPSHOT_IMPORT.
 *
 * What comes in may be anybody's. Files are not parsed: which page of which file a
 * page of the guest is, the caller says, and all that he says is checked here. No page is
 * read.
 */
#include <linux/file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "hlk.h"

#define IMPORT(field)	offsetof(struct hlk_snapshot_import, field)

/**
 * struct import - one call
 * @in: what was asked
 * @snap: what is made
 * @parent: what it begins as, or NULL
 * @at: the reason of a failure
 */
struct import {
	const struct hlk_snapshot_import *in;
	struct hlk_snap *snap;
	struct hlk_snap *parent;
	struct hlk_why_at *at;
};

static int import_bad(struct import *im, u32 index, size_t offset)
{
	return hlk_fail(im->at, -EINVAL, HLK_WHY_TABLES, index, offset);
}

/* ---- extents ---- */

/* Which page of which file an extent begins with; 0 for zeroes */
static int extent_from(struct import *im, const struct hlk_extent *extent, u32 nr, u64 *from)
{
	u32 inherited = hlk_files_nr(im->parent ? im->parent->files : NULL);
	u32 file;
	u64 size;

	*from = 0;
	if (extent->source == HLK_EXTENT_ZERO)
		return extent->offset ? hlk_fail(im->at, -EINVAL, HLK_WHY_EXTENT_ALIGN, nr,
						 extent->offset) : 0;
	if (extent->source >= im->in->nr_sources)
		return hlk_fail(im->at, -EINVAL, HLK_WHY_EXTENT_SOURCE, nr, extent->source);
	if (!PAGE_ALIGNED(extent->offset))
		return hlk_fail(im->at, -EINVAL, HLK_WHY_EXTENT_ALIGN, nr, extent->offset);
	file = inherited + extent->source;
	size = hlk_files_size(im->snap->files, file);
	if (extent->bytes > size || extent->offset > size - extent->bytes)
		return hlk_fail(im->at, -EINVAL, HLK_WHY_EXTENT_FILE, nr, size);
	*from = hlk_from(file, extent->offset >> PAGE_SHIFT);
	return 0;
}

static int import_extent(struct import *im, const struct hlk_extent *extent, u32 nr, u64 end)
{
	u64 pages = extent->bytes >> PAGE_SHIFT;
	u64 gfn = extent->gpa >> PAGE_SHIFT;
	struct hlk_snap *snap = im->snap;
	int window;
	u64 from;
	int ret;

	if (!PAGE_ALIGNED(extent->gpa))
		return hlk_fail(im->at, -EINVAL, HLK_WHY_EXTENT_ALIGN, nr, extent->gpa);
	if (!PAGE_ALIGNED(extent->bytes) || !extent->bytes)
		return hlk_fail(im->at, -EINVAL, HLK_WHY_EXTENT_ALIGN, nr, extent->bytes);
	if (extent->leaves > U16_MAX ||
	    (extent->leaves && !(snap->flags & HLK_SNAPSHOT_COMPACT)))
		return import_bad(im, nr, IMPORT(extents));
	window = hlk_layout_find_bytes(&snap->layout, extent->gpa, extent->bytes);
	if (window < 0)
		return hlk_fail(im->at, -EINVAL, HLK_WHY_EXTENT_RANGE, nr, extent->gpa);
	if (extent->gpa < end)
		return hlk_fail(im->at, -EINVAL, HLK_WHY_EXTENT_ORDER, nr, extent->gpa);
	ret = extent_from(im, extent, nr, &from);
	if (ret)
		return ret;
	ret = hlk_snap_set_files(snap, window, gfn - snap->layout.range[window].gfn, pages,
				 from, extent->leaves);
	return ret == -EDQUOT ? hlk_fail(im->at, ret, HLK_WHY_TOO_MANY_PAGES, nr,
					 snap->max_pages) : ret;
}

static int import_extents(struct import *im)
{
	const struct hlk_snapshot_import *in = im->in;
	struct hlk_extent extent;
	u64 end = 0;
	u32 i;
	int ret;

	if (!in->nr_extents)
		return 0;
	if (in->nr_extents > hlk_max_segments)
		return hlk_fail(im->at, -E2BIG, HLK_WHY_TOO_MANY_EXTENTS, in->nr_extents,
				hlk_max_segments);
	ret = hlk_element_size(in->extent_size, HLK_FIRST_EXTENT, HLK_WHY_ELEMENT_SIZE, im->at);
	if (ret)
		return ret;
	for (i = 0; i < in->nr_extents; i++) {
		ret = hlk_element_get(&extent, sizeof(extent), in->extents, in->extent_size,
				      i, im->at);
		if (!ret)
			ret = import_extent(im, &extent, i, end);
		if (ret)
			return ret;
		end = extent.gpa + extent.bytes;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/* ---- what a compact one has beside pages ---- */

static int import_roots(struct import *im)
{
	const struct hlk_snapshot_import *in = im->in;
	struct hlk_snap *snap = im->snap;
	u32 i;

	if (!in->nr_roots)
		return hlk_fail(im->at, -EINVAL, HLK_WHY_NO_ROOTS, 0, 0);
	if (in->nr_roots > HLK_MAX_ROOTS)
		return hlk_fail(im->at, -E2BIG, HLK_WHY_TOO_MANY_ROOTS, in->nr_roots, 0);
	snap->roots = kvcalloc(in->nr_roots, sizeof(u64), HLK_GFP);
	if (!snap->roots)
		return -ENOMEM;
	snap->nr_roots = in->nr_roots;
	if (copy_from_user(snap->roots, u64_to_user_ptr(in->roots),
			   in->nr_roots * sizeof(u64)))
		return -EFAULT;
	for (i = 0; i < in->nr_roots; i++)
		if (hlk_layout_find(&snap->layout, snap->roots[i] >> PAGE_SHIFT) < 0)
			return hlk_fail(im->at, -EINVAL, HLK_WHY_ROOT_NOT_RAM, i,
					snap->roots[i]);
	return 0;
}

static int table_get(struct import *im, u32 nr)
{
	u64 at = im->in->tables + nr * sizeof(u32);
	struct hlk_table_info *info = &im->snap->tables->info[nr];
	u32 table;

	if (copy_from_user(&table, u64_to_user_ptr(at), sizeof(table)))
		return -EFAULT;
	if (table & ~(HLK_TABLE_END | HLK_TABLE_ROOT) ||
	    (table & HLK_TABLE_END) > I686_ENTRIES)
		return import_bad(im, nr, IMPORT(tables));
	info->end = table & HLK_TABLE_END;
	info->is_root = table & HLK_TABLE_ROOT;
	return 0;
}

static int import_tables(struct import *im, const struct hlk_range *scratch)
{
	const struct hlk_snapshot_import *in = im->in;
	struct hlk_tables *tables;
	u32 i;
	int ret;

	if (!in->nr_tables)
		return in->tables_gpa ? import_bad(im, 0, IMPORT(tables_gpa)) : 0;
	if (in->nr_tables > hlk_max_tables)
		return hlk_fail(im->at, -EDQUOT, HLK_WHY_TOO_MANY_TABLES, in->nr_tables,
				hlk_max_tables);
	if (!PAGE_ALIGNED(in->tables_gpa) ||
	    !hlk_range_has(scratch, in->tables_gpa >> PAGE_SHIFT) ||
	    in->nr_tables > scratch->gfn + scratch->pages - (in->tables_gpa >> PAGE_SHIFT))
		return import_bad(im, 0, IMPORT(tables_gpa));
	tables = kvzalloc(struct_size(tables, info, in->nr_tables), HLK_GFP);
	if (!tables)
		return -ENOMEM;
	kref_init(&tables->ref);
	tables->gfn = in->tables_gpa >> PAGE_SHIFT;
	tables->nr = in->nr_tables;
	im->snap->tables = tables;
	for (i = 0; i < in->nr_tables; i++) {
		ret = table_get(im, i);
		if (ret)
			return ret;
		if (i % 1024)
			continue;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/*
 * How its tables were read, and where its next page would have its place, is not told: so a
 * compact snapshot over it reads all tables, see hlk_reloc_delta().
 */
static int import_compact(struct import *im)
{
	const struct hlk_snapshot_import *in = im->in;
	struct hlk_snap *snap = im->snap;
	int nr = hlk_layout_scratch(&snap->layout);
	const struct hlk_range *scratch;
	int ret;

	if (nr < 0)
		return hlk_fail(im->at, -EINVAL, HLK_WHY_NO_SCRATCH, 0, 0);
	scratch = &snap->layout.range[nr];
	if (scratch->gfn + scratch->pages != HLK_GUEST_SCRATCH_TOP >> PAGE_SHIFT)
		return hlk_fail(im->at, -EINVAL, HLK_WHY_NO_SCRATCH, 0,
				scratch->gfn << PAGE_SHIFT);
	if (!PAGE_ALIGNED(in->input_bytes) || !PAGE_ALIGNED(in->output_bytes) ||
	    (u64)in->input_bytes + in->output_bytes > scratch->pages << PAGE_SHIFT)
		return hlk_fail(im->at, -EINVAL, HLK_WHY_IO_BUFFERS, 0,
				scratch->pages << PAGE_SHIFT);
	if (!PAGE_ALIGNED(in->first_free) ||
	    !hlk_range_has(scratch, in->first_free >> PAGE_SHIFT))
		return import_bad(im, 0, IMPORT(first_free));
	snap->input_bytes = in->input_bytes;
	snap->output_bytes = in->output_bytes;
	snap->first_free = in->first_free;
	ret = import_roots(im);
	return ret ? ret : import_tables(im, scratch);
}

static int import_flat(struct import *im)
{
	const struct hlk_snapshot_import *in = im->in;

	if (in->flags & (HLK_SNAPSHOT_GUEST_ROOTS | HLK_SNAPSHOT_HOST_COW |
			 HLK_SNAPSHOT_STRICT))
		return hlk_fail(im->at, -EINVAL, HLK_WHY_FLAGS, 0, 0);
	if (in->nr_roots)
		return import_bad(im, 0, IMPORT(nr_roots));
	if (in->nr_tables || in->tables_gpa)
		return import_bad(im, 0, IMPORT(nr_tables));
	if (in->input_bytes || in->output_bytes)
		return import_bad(im, 0, IMPORT(input_bytes));
	return in->first_free ? import_bad(im, 0, IMPORT(first_free)) : 0;
}

/* ---- the rest ---- */

static int import_vcpus(struct import *im)
{
	const struct hlk_snapshot_import *in = im->in;
	u64 host_tsc = rdtsc_ordered();
	u32 i;
	int ret;

	if (!in->nr_vcpus)
		return 0;
	if (in->nr_vcpus > HLK_MAX_VCPUS)
		return hlk_fail(im->at, -EDQUOT, HLK_WHY_TOO_MANY_VCPUS, in->nr_vcpus, 0);
	ret = hlk_element_size(in->vcpu_size, HLK_FIRST_VCPU_IMAGE, HLK_WHY_ELEMENT_SIZE,
			       im->at);
	for (i = 0; i < in->nr_vcpus && !ret; i++)
		ret = hlk_vcpu_image_get(in->vcpus, in->vcpu_size, i, host_tsc, im->snap,
					 im->at);
	return ret;
}

static int touched_set(struct hlk_touched_set *set, u64 index, unsigned long bits)
{
	void *old = xa_store(&set->pages, index, xa_mk_value(bits), HLK_GFP);

	if (!old)
		atomic_inc(&set->nr);
	return xa_err(old);
}

static int import_run(struct import *im, const struct hlk_touched *run, u32 nr)
{
	unsigned long bits = run->flags & HLK_TOUCHED_WRITE ?
			     HLK_TOUCHED_READ_BIT | HLK_TOUCHED_WRITE_BIT :
			     HLK_TOUCHED_READ_BIT;
	struct hlk_touched_set *set;
	u64 index;
	int window;
	u64 i;
	int ret;

	if (run->flags & ~HLK_TOUCHED_WRITE)
		return hlk_fail(im->at, -EOPNOTSUPP, HLK_WHY_FLAGS, nr, 0);
	if (run->__reserved)
		return hlk_fail(im->at, -EOPNOTSUPP, HLK_WHY_RESERVED, nr, 0);
	if (!PAGE_ALIGNED(run->gpa) || !run->pages || run->pages > HLK_MAX_TOUCHED)
		return hlk_fail(im->at, -EINVAL, HLK_WHY_TOUCHED, nr, run->gpa);
	window = hlk_layout_find_bytes(&im->snap->layout, run->gpa, run->pages << PAGE_SHIFT);
	if (window < 0)
		return hlk_fail(im->at, -EINVAL, HLK_WHY_TOUCHED, nr, run->gpa);
	set = &im->snap->touched[window];
	if (run->pages > HLK_MAX_TOUCHED - atomic_read(&set->nr))
		return hlk_fail(im->at, -EINVAL, HLK_WHY_TOUCHED, nr, run->gpa);
	index = (run->gpa >> PAGE_SHIFT) - im->snap->layout.range[window].gfn;
	for (i = 0; i < run->pages; i++) {
		ret = touched_set(set, index + i, bits);
		if (ret)
			return ret;
	}
	return 0;
}

static int import_touched(struct import *im)
{
	const struct hlk_snapshot_import *in = im->in;
	struct hlk_touched run;
	u32 i;
	int ret;

	if (!in->nr_touched)
		return 0;
	ret = hlk_element_size(in->touched_size, HLK_FIRST_TOUCHED, HLK_WHY_ELEMENT_SIZE,
			       im->at);
	for (i = 0; i < in->nr_touched && !ret; i++) {
		ret = hlk_element_get(&run, sizeof(run), in->touched, in->touched_size, i,
				      im->at);
		if (!ret)
			ret = import_run(im, &run, i);
		if (!ret && fatal_signal_pending(current))
			ret = -EINTR;
		cond_resched();
	}
	return ret;
}

static int import_parent(struct import *im)
{
	const struct hlk_range *theirs;
	const struct hlk_range *ours;
	u32 i;

	for (i = 0; i < max(im->snap->layout.nr, im->parent->layout.nr); i++) {
		ours = &im->snap->layout.range[i];
		theirs = &im->parent->layout.range[i];
		if (im->snap->layout.nr != im->parent->layout.nr ||
		    ours->gfn != theirs->gfn || ours->pages != theirs->pages ||
		    ours->flags != theirs->flags)
			return hlk_fail(im->at, -EMEDIUMTYPE, HLK_WHY_LAYOUT, i,
					ours->gfn << PAGE_SHIFT);
	}
	im->snap->parent_id = im->parent->id;
	return hlk_snap_inherit(im->snap, im->parent);
}

static int import_check(const struct hlk_snapshot_import *in, struct hlk_why_at *at)
{
	const u32 flags = HLK_SNAPSHOT_COMPACT | HLK_SNAPSHOT_GUEST_ROOTS |
			  HLK_SNAPSHOT_HOST_COW | HLK_SNAPSHOT_STRICT | HLK_SNAPSHOT_DEDUP;

	if (in->flags & ~flags)
		return hlk_fail(at, -EOPNOTSUPP, HLK_WHY_FLAGS, 0, 0);
	if (memchr_inv(in->counts.__reserved, 0, sizeof(in->counts.__reserved)))
		return hlk_fail(at, -EOPNOTSUPP, HLK_WHY_RESERVED, 0, 0);
	return 0;
}

static int import_fill(struct import *im)
{
	const struct hlk_snapshot_import *in = im->in;
	struct hlk_snap *snap = im->snap;
	bool compact = in->flags & HLK_SNAPSHOT_COMPACT;
	struct hlk_program *program;
	int ret;

	snap->flags = in->flags;
	ret = hlk_files_new(&snap->files, im->parent ? im->parent->files : NULL, in->sources,
			    in->source_size, in->nr_sources, im->at);
	if (!ret && im->parent)
		ret = import_parent(im);
	if (!ret)
		ret = compact ? import_compact(im) : import_flat(im);
	if (!ret)
		ret = import_extents(im);
	if (!ret)
		ret = import_vcpus(im);
	if (ret)
		return ret;
	program = hlk_program_new(in->program, in->program_bytes, compact, im->at);
	if (IS_ERR(program))
		return PTR_ERR(program);
	snap->program = program;
	ret = hlk_program_settle(snap, im->at);
	if (ret)
		return ret;
	snap->counts = in->counts;
	snap->generation = in->generation ?: im->parent ? im->parent->generation + 1 : 1;
	return import_touched(im);
}

/**
 * hlk_cmd_snapshot_import() - HLK_SNAPSHOT_IMPORT
 * @obj: unused
 * @ucmd: the call
 *
 * Return: 0 or an errno; nothing is left behind after a failure
 */
int hlk_cmd_snapshot_import(void *obj, struct hlk_ucmd *ucmd)
{
	struct hlk_snapshot_import *in = ucmd->cmd;
	struct import im = { .in = in, .at = &ucmd->at };
	struct file *file = NULL;
	struct hlk_layout *layout;
	int ret;

	ret = import_check(in, &ucmd->at);
	if (ret)
		return ret;
	if (in->parent_fd != -1) {
		file = hlk_snap_file(in->parent_fd);
		if (!file)
			return hlk_fail(&ucmd->at, -EBADF, HLK_WHY_NOT_SNAPSHOT, 0, 0);
		im.parent = file->private_data;
	}
	ret = -ENOMEM;
	layout = kzalloc(sizeof(*layout), HLK_GFP);
	if (!layout)
		goto put_parent;
	ret = hlk_layout_from_user(layout, in->windows, in->nr_windows, in->window_size,
				   &ucmd->at);
	if (ret)
		goto free_layout;
	ret = -ENOMEM;
	im.snap = hlk_snap_alloc(layout, hlk_snap_max_pages());
	if (!im.snap)
		goto free_layout;
	ret = import_fill(&im);
	if (ret)
		hlk_snap_put(im.snap);
	else
		ret = hlk_snap_publish(ucmd, im.snap, &in->out_fd);
free_layout:
	kfree(layout);
put_parent:
	if (file)
		fput(file);
	return ret;
}
