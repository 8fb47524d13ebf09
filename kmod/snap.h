/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The snapshot object, and how one is made from an image, as it is, or
 * compacted.
 *
 * No KVM and no ioctl here: this also compiles in user space.
 */
#ifndef _HLK_SNAP_H
#define _HLK_SNAP_H

#include "chunk.h"
#include "env.h"
#include "i686pt.h"

/*
 * Windows are looked for one after the other. The mutexes of all vCPUs are held at
 * once, of which lockdep follows 48.
 */
#define HLK_MAX_WINDOWS		64
#define HLK_MAX_VCPUS		16
#define HLK_MAX_ROOTS		1024

/**
 * struct hlk_range - one window's place and kind
 * @gfn: first frame
 * @pages: how many
 * @flags: HLK_WINDOW_*
 */
struct hlk_range {
	u64 gfn;
	u64 pages;
	u32 flags;
};

static inline bool hlk_range_has(const struct hlk_range *range, u64 gfn)
{
	return gfn - range->gfn < range->pages;
}

/**
 * struct hlk_layout - the windows of a VM or of a snapshot
 * @nr: how many
 * @range: sorted by @gfn, without overlap
 */
struct hlk_layout {
	u32 nr;
	struct hlk_range range[HLK_MAX_WINDOWS];
};

/**
 * struct hlk_table_info - what is remembered of a new table
 * @end: entries from this one on map scratch
 * @is_root: a directory
 */
struct hlk_table_info {
	u16 end;
	bool is_root;
};

/**
 * struct hlk_tables - the tables of a line of compact snapshots
 * @ref: snapshots that have the same tables at the same frames
 * @gfn: frame of the first
 * @nr: how many
 * @info: of each, in order of their frames
 */
struct hlk_tables {
	struct kref ref;
	u64 gfn;
	u32 nr;
	struct hlk_table_info info[];
};

#define HLK_TOUCHED_READ_BIT	BIT(0)
#define HLK_TOUCHED_WRITE_BIT	BIT(1)
#define HLK_TOUCHED_BACK_SHIFT	2
#define HLK_TOUCHED_BACK_MAX	10
#define HLK_MAX_TOUCHED		16384

/**
 * struct hlk_touched_set - what guests that run from a snapshot touch in a window
 * @pages: page number in the window -> value of HLK_TOUCHED_*_BIT and, above
 *	them, how often the page was given back as idle; protected by its own
 *	lock. Two guests at once may lose what one of them touched
 * @nr: how many, at most HLK_MAX_TOUCHED, as an import takes no more
 */
struct hlk_touched_set {
	struct xarray pages;
	atomic_t nr;
};

/**
 * enum hlk_program_part - what of a machine a state program may bring back
 * @HLK_PROGRAM_OTHER: nothing that anybody asks for
 * @HLK_PROGRAM_LAPIC: local APICs
 * @HLK_PROGRAM_MSRS: MSRs, the one that SWAPGS writes among them
 * @HLK_PROGRAM_DEBUGREGS: debug registers
 * @HLK_PROGRAM_NESTED: whether there is a guest of the guest, and which
 * @HLK_PROGRAM_PDPTRS: page directory pointers
 * @HLK_PROGRAM_CHIPS: interrupt controllers of the VM
 * @HLK_PROGRAM_PIT: its PIT
 * @HLK_PROGRAM_TSC_KHZ: how fast TSCs run
 * @HLK_PROGRAM_FPU: the FPU
 * @HLK_PROGRAM_XCRS: XCR0
 * @HLK_PROGRAM_MP_STATE: halted or not
 * @HLK_PROGRAM_STARTS: INIT and SIPI under way, of which there are none then
 * @HLK_PROGRAM_PARTS: how many there are
 */
enum hlk_program_part {
	HLK_PROGRAM_OTHER,
	HLK_PROGRAM_LAPIC,
	HLK_PROGRAM_MSRS,
	HLK_PROGRAM_DEBUGREGS,
	HLK_PROGRAM_NESTED,
	HLK_PROGRAM_PDPTRS,
	HLK_PROGRAM_CHIPS,
	HLK_PROGRAM_PIT,
	HLK_PROGRAM_TSC_KHZ,
	HLK_PROGRAM_FPU,
	HLK_PROGRAM_XCRS,
	HLK_PROGRAM_MP_STATE,
	HLK_PROGRAM_STARTS,
	HLK_PROGRAM_PARTS,
};

struct hlk_program_call;

/**
 * struct hlk_program - a snapshot's state program, checked
 * @bytes: its size
 * @nr_pages: length of @pages
 * @nr_calls: length of @calls
 * @calls: what to call; see program.h
 * @vcpus: bits of the vCPUs that it calls
 * @sets: of each vCPU, KVM_SYNC_X86_* that it sets
 * @xsave: of each vCPU, how much it has for KVM_SET_XSAVE, or 0
 * @does: of each part, bits of the vCPUs or controllers that it brings back: where
 *	time goes on, and where it comes back
 * @pages: what the caller gave, for KVM to read by the caller's mapping
 *
 * As immutable as its snapshot.
 */
struct hlk_program {
	u32 bytes;
	u32 nr_pages;
	u32 nr_calls;
	struct hlk_program_call *calls;
	u32 vcpus;
	u32 sets[HLK_MAX_VCPUS];
	u32 xsave[HLK_MAX_VCPUS];
	u32 does[2][HLK_PROGRAM_PARTS];
	struct page *pages[];
};

/* Does it bring a part of a vCPU back, whatever the time? */
static inline bool hlk_program_does(const struct hlk_program *program,
				    enum hlk_program_part part, u32 nr)
{
	return program && program->does[0][part] & program->does[1][part] & BIT(nr);
}

/* Does it set a part of a vCPU, be it only where time goes on, or comes back? */
static inline bool hlk_program_touches(const struct hlk_program *program,
				       enum hlk_program_part part, u32 nr)
{
	return program && (program->does[0][part] | program->does[1][part]) & BIT(nr);
}

/**
 * struct hlk_snap - a snapshot
 * @ref: holders: its fd, each VM that was restored to it last, and whoever
 *	works with it
 * @layout: the windows it fits
 * @base: for each window: page number in the window / HLK_CHUNK_PAGES -> struct
 *	hlk_chunk, held; absent are pages of zeroes
 * @nr_pages: base pages that are not zero
 * @max_pages: how many it may have
 * @flags: HLK_SNAPSHOT_* flags it was made with
 * @generation: snapshots on the path from an image to this one
 * @counts: what it holds
 * @nr_vcpus: length of @vcpus
 * @vcpus: states of the vCPUs, see vcpustate.h
 * @nr_roots: length of @roots
 * @roots: new addresses of the roots, in the order in which they were given
 * @input_bytes: compact: size of the input buffer
 * @output_bytes: compact: size of the output buffer
 * @first_free: compact: address of the first free page of scratch
 * @mode: compact: how the tables were read
 * @tables: compact: the new tables; held
 * @dense: compact: the window in which the next page would be placed
 * @dense_used: compact: pages of it that are used
 * @touched: for each window: what guests touch, for the next sandbox
 * @program: what else of the machine it brings back, or NULL
 * @files: all files that pages are of, those of the parent first; held, or NULL
 * @file_pages: of its pages, those that are of files
 * @id: its number; set when it is published
 * @parent_id: that of the snapshot that it was made over, or 0
 * @zero_page: what an absent page looks like where the snapshot itself is mapped;
 *	NULL until the first mapping sets it, by cmpxchg()
 *
 * Nothing protects the fields but @touched, because nothing changes them once
 * the maker has published the snapshot, @zero_page apart: it is immutable from
 * then to its last reference.
 */
struct hlk_snap {
	struct kref ref;
	struct hlk_layout layout;
	struct xarray base[HLK_MAX_WINDOWS];
	u64 nr_pages;
	u64 max_pages;
	u32 flags;
	u64 generation;
	struct hlk_snapshot_counts counts;
	u32 nr_vcpus;
	void *vcpus[HLK_MAX_VCPUS];
	u32 nr_roots;
	u64 *roots;
	u32 input_bytes;
	u32 output_bytes;
	u64 first_free;
	struct i686_mode mode;
	struct hlk_tables *tables;
	u32 dense;
	u64 dense_used;
	struct hlk_touched_set touched[HLK_MAX_WINDOWS];
	struct hlk_program *program;
	struct hlk_files *files;
	u64 file_pages;
	u64 id;
	u64 parent_id;
	struct page *zero_page;
};

/**
 * struct hlk_snap_params - how a compact snapshot is to be made
 * @mode: modes of the vCPU
 * @flags: HLK_SNAPSHOT_*
 * @roots: directories, as in CR3
 * @nr_roots: how many
 * @input_bytes: size of the input buffer
 * @output_bytes: size of the output buffer
 * @parent: the snapshot that the guest was restored to last, or NULL
 * @max_tables: limit of distinct tables, read or made
 * @max_pages: limit of distinct pages
 */
struct hlk_snap_params {
	struct i686_mode mode;
	u32 flags;
	const u64 *roots;
	u32 nr_roots;
	u32 input_bytes;
	u32 output_bytes;
	struct hlk_snap *parent;
	u64 max_tables;
	u64 max_pages;
};

#define HLK_KEEP_MANY		16

/**
 * struct hlk_kept - a guest page that a snapshot is to keep
 * @gfn: its frame in the snapshot
 * @gpage: the page; its reference is taken over
 * @leaves: how many leaves map a frame that is new; 0 for one that is not
 * @copy: what it is to be copied to, for hlk_snap_keep() alone
 */
struct hlk_kept {
	u64 gfn;
	struct hlk_gpage gpage;
	u16 leaves;
	struct page *copy;
};

void hlk_xa_destroy(struct xarray *xa, u64 nr);
void hlk_program_free(struct hlk_program *program);

int hlk_layout_add(struct hlk_layout *layout, const struct hlk_range *range,
		   struct hlk_why_at *at);
int hlk_layout_find(const struct hlk_layout *layout, u64 gfn);
int hlk_layout_find_bytes(const struct hlk_layout *layout, u64 gpa, u64 bytes);
int hlk_layout_scratch(const struct hlk_layout *layout);

struct hlk_snap *hlk_snap_alloc(const struct hlk_layout *layout, u64 max_pages);
void hlk_snap_clear(struct hlk_snap *snap);
void hlk_snap_put(struct hlk_snap *snap);
struct page *hlk_snap_page(struct hlk_snap *snap, u64 gfn);
bool hlk_snap_has(struct hlk_snap *snap, u64 gfn);
int hlk_snap_read(struct hlk_snap *snap, u64 gfn, bool nowait);
struct page *hlk_snap_next(struct hlk_snap *snap, u32 *nr, u64 *index);
int hlk_snap_set(struct hlk_snap *snap, u64 gfn, struct page *page);
int hlk_snap_set_files(struct hlk_snap *snap, u32 nr, u64 index, u64 pages, u64 from,
		       u16 leaves);
u16 hlk_snap_leaves(struct hlk_snap *snap, u64 gfn);
int hlk_snap_count_leaf(struct hlk_snap *snap, u64 gfn, int by);
int hlk_snap_inherit(struct hlk_snap *snap, struct hlk_snap *parent);
int hlk_snap_write(struct hlk_snap *snap, u64 gpa, u64 bytes,
		   int (*fill)(void *to, size_t bytes, void *arg), void *arg);
int hlk_snap_keep(struct hlk_snap *snap, struct hlk_kept *kept, u32 nr);
int hlk_snap_dedup(struct hlk_snap *snap, const siphash_key_t *key);

/* reloc.c */
int hlk_snap_compact(struct hlk_snap *snap, struct hlk_gmem *gmem,
		     const struct hlk_snap_params *params, struct hlk_why_at *at);

/* place.c */
u64 hlk_snap_cr3(const struct hlk_snap *snap, const u64 *old_roots, u64 cr3);

#endif /* _HLK_SNAP_H */
