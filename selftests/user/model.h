/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What windows have to show, said once more and as simply as it can be: an array of
 * pages for each VM and each snapshot. It knows nothing of lists, chunks and references.
 */
#ifndef _MODEL_H
#define _MODEL_H

#include "hlk.h"
#include "mm.h"

#define MAX_SITES	640
#define MAX_VMS		3
#define MAX_SNAPS	8
#define MAX_MAPS	16
#define MAX_PINS	12
#define MAX_PENDING	4
#define WORDS		8

/* Words of a page that are written; all others are zero. */
extern const u32 word_at[WORDS];

struct content {
	u64 word[WORDS];
};

/**
 * struct site - a page of the guest that is used
 * @window: its window, in order of addresses
 * @index: page number in it
 * @gfn: its frame
 */
struct site {
	u32 window;
	u64 index;
	u64 gfn;
};

/**
 * struct base - a page of a snapshot
 * @present: it has a page, else it is zeroes
 * @c: what it shows
 * @touched: what is remembered of it
 */
struct base {
	bool present;
	struct content c;
	unsigned long touched;
};

/**
 * struct msnap - a snapshot
 * @used: there is one
 * @fd: its fd, -1 if it is closed
 * @maps: how many mappings
 * @users: VMs that were restored to it
 * @misfit: its windows are not those of the VMs
 * @snap: what the module has
 * @file: its file, while @fd or @maps
 * @base: its pages
 */
struct msnap {
	bool used;
	int fd;
	u32 maps;
	u32 users;
	bool misfit;
	u64 generation;
	struct hlk_snap *snap;
	struct file *file;
	struct base base[MAX_SITES];
};

/**
 * struct mpage - a page of a VM
 * @private: it was written, and is not shared any more
 * @told: the snapshot knows
 * @idle: probes in a row that found it unwritten
 * @every: it is asked in every so many of them
 * @writers: devices that may write it
 * @c: what it shows, if private
 */
struct mpage {
	bool private;
	bool told;
	u32 idle;
	u32 every;
	u32 writers;
	struct content c;
};

/**
 * struct mvm - a VM
 * @used: there is one
 * @fd: its fd, -1 if it is closed
 * @maps: how many mappings
 * @crowd: mappings of each window that are none, of the crowd
 * @mappings: mappings of each window
 * @window: the module's windows, by address
 * @order: which of them was added first, second, and so on
 */
struct mvm {
	bool used;
	int fd;
	u32 maps;
	u32 crowd[HLK_MAX_WINDOWS];
	u32 mappings[HLK_MAX_WINDOWS];
	struct hlk_vm *vm;
	struct file *file;
	struct hlk_vm_window *window[HLK_MAX_WINDOWS];
	u32 order[HLK_MAX_WINDOWS];
	struct kvm kvm;
	struct mm_struct mm;
	struct msnap *snap;
	u64 nr_private;
	u64 max_private;
	u64 keep_private;
	u64 kept;		/* private pages that do not count in the budget */
	bool trim;
	bool took;	/* a snapshot, since the last restore */
	bool half;	/* a restore came to no end */
	struct hlk_vm_stats stats;
	struct mpage page[MAX_SITES];
};

/* A mapping, of a VM's window or of a snapshot */
struct mmap {
	struct vm_area_struct *vma;
	struct mvm *vm;
	struct msnap *snap;
	u32 window;
	u32 pending;
};

/* A reference that somebody else has, as of a device if @pin */
struct mpin {
	struct page *page;
	struct mvm *vm;
	u32 site;
	bool pin;
	bool write;
};

struct pending {
	struct mmap *map;
	struct mm_write w;
	u32 site;
};

struct world {
	u64 seed;
	u64 random;
	const char *op;
	u64 ops;
	u32 nr_sites;
	u32 nr_windows;
	int book;		/* site, or -1 */
	bool poison;
	bool raced;
	struct hlk_range range[HLK_MAX_WINDOWS];
	u32 first_site[HLK_MAX_WINDOWS + 1];
	struct site site[MAX_SITES];
	struct mvm vm[MAX_VMS];
	struct msnap snap[MAX_SNAPS];
	struct mmap map[MAX_MAPS];
	struct mpin pin[MAX_PINS];
	struct pending pending[MAX_PENDING];
};

extern struct world world;

/* Chance */
u64 random_u64(void);
u32 below(u32 n);
bool chance(u32 percent);

/* Contents */
void content_load(struct content *c, const struct page *page);
bool content_same(const struct content *a, const struct content *b);
bool content_zero(const struct content *c);
bool page_shows(const struct page *page, const struct content *c);

/* Sites */
int site_of(u64 gfn);
const struct content *model_shows(const struct mvm *m, u32 s);
const struct content *model_base(const struct msnap *snap, u32 s);
struct page *real_base(const struct mvm *m, u32 s);
struct page *real_private(const struct mvm *m, u32 s);
bool model_crowded(const struct mvm *m, u32 window);

/* What happens to the model */
void model_touch(struct msnap *snap, u32 s, unsigned long bits);
bool model_budget(const struct mvm *m, u64 pages);
int model_private(struct mvm *m, u32 s);
void model_drop(struct mvm *m, u32 s);
void model_hear(struct mvm *m);

/* References of others */
void pin_page(struct mpin *pin, struct mvm *m, u32 s, struct page *page, bool dma,
	      bool write);
void unpin_page(struct mpin *pin);

/* Is the module as the model says? */
void check_vm(struct mvm *m);
void check_map(struct mmap *map);
void check_snap(struct msnap *snap);
void check_counts(void);

/* What was made to fail, and did */
void inject_none(void);
void inject_some(void);
bool failed_alloc(void);
bool failed_any(void);
bool excused(int err);

/* Somebody, something: one of those that there are, or NULL */
struct mvm *any_vm(bool open);
struct msnap *any_snap(void);
struct mmap *any_map_of(bool snap);
struct mmap *any_map(void);
pte_t *any_pte(struct mmap *map);
u64 any_value(void);
void act_somebody(struct mvm *m);

/* model_access.c */
void store(struct mvm *m, u32 s, struct page *page, u32 nr, u64 value);
void op_read(void);
void op_write(void);
void op_write_run(void);
void op_spurious(void);
void pending_finish(struct pending *p);
void unlock_for(struct page *page);
void pending_ask(struct pending *p);
void op_pending(void);
void op_pin(void);
void op_read_snap(void);
void op_marker(void);
void op_poison(void);

/* model_maps.c */
void map_vm(struct mvm *m, u32 w);
void op_map(void);
void unmap(struct mmap *map);
void op_unmap(void);
void op_remap(void);
void crowd_leaves(struct mvm *m, u32 w);
void op_crowd(void);

/* model_calls.c */
void snap_end(struct msnap *snap);
void op_restore_any(void);
void op_restore_often(void);
void op_snapshot(void);
void op_build(void);
void op_snap_close(void);
void op_prefault(void);
void op_input(void);
void op_get(void);
void op_owner(void);
void vm_gone(struct mvm *m);
void op_stats(void);
void op_vm(void);
void op_wrong(void);

/* model_restore.c */
void op_restore(struct mvm *m, struct msnap *target);

#endif /* _MODEL_H */
