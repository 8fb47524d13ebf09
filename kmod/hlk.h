/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Internal types: what protects what, and in which order locks nest.
 *
 * Lock order, outermost first; see Documentation/locking.rst:
 *
 *	hlk_vm.lock
 *	  kvm->lock		(by trylock, where nothing may wait)
 *	    vcpu->mutex		(by trylock, for as long as guests must rest; again
 *				while somebody only looks)
 *	      mmap_lock		(get_user_pages, page faults)
 *	        hlk_window.lock
 *	          i_mmap_rwsem	(unmap_mapping_pages)
 *	          page lock	(of a private page, in page_mkwrite; by trylock
 *				to give it back)
 *
 * No user copy and no get_user_pages() under hlk_window.lock: a page fault on a
 * window takes it under mmap_lock. unmap_mapping_pages() is fine under it: it
 * takes i_mmap_rwsem, never mmap_lock, as under a filesystem's invalidate_lock.
 * hlk_vm.watch_lock is taken with no other lock held, and only the kernel's own of
 * timers are taken inside.
 * A restore holds hlk_window.lock of all windows; they nest under hlk_vm.lock, and
 * nobody else takes two.
 */
#ifndef _HLK_H
#define _HLK_H

#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/kvm_host.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include <linux/hlk.h>
#include <linux/hlk_guest.h>

#include "debug.h"
#include "i686pt.h"
#include "seed.h"
#include "snap.h"

struct io_uring_cmd;

struct hlk_vm;

/**
 * struct hlk_watch - ends a run in time; on the stack of its task
 * @timer: stops the task; anybody who finds the watch may start it
 * @task: who runs the vCPU
 * @vcpu: number of the vCPU; constant
 * @deadline: in ns of CLOCK_MONOTONIC, or HLK_DEADLINE_NEVER; the task's
 * @kicked: HLK_KICK has started the timer; protected by hlk_vm.watch_lock
 * @fired: the timer has expired; written by its callback, and by the task when that is
 *	over
 */
struct hlk_watch {
	struct hrtimer timer;
	struct task_struct *task;
	u32 vcpu;
	u64 deadline;
	bool kicked;
	bool fired;
};

/**
 * struct hlk_private - one private page of a window
 * @page: the page; the window holds a reference
 * @at: its address
 * @base: what a restore copies into it; NULL clears it. Borrowed from the
 *	snapshot that @vm holds
 * @index: page number in the window
 * @idle: comparisons in a row that found it unwritten
 * @every: it is compared in every so many probes, a power of two
 * @told: the snapshot has been told that calls write it
 */
struct hlk_private {
	struct page *page;
	void *at;
	struct page *base;
	u64 index;
	u32 idle;
	u16 every;
	bool told;
};

/**
 * struct hlk_vm_window - a range of guest-physical memory that the module backs
 * @vm: the VM; it frees the window, so the pointer is always good
 * @range: where it is; constant
 * @pinned_page: the page that is private as long as the window lives, or NULL;
 *	constant once the VM has the window
 * @mappings: how many there are, of all processes; any context. Who unmaps a page
 *	goes through all of them, with the locks of window and VM held
 * @lock: protects all below, and makes a page's becoming private one step for
 *	all mappings of it
 * @base: base pages of the snapshot restored last, or NULL
 * @touched: what that snapshot remembers of the window, or NULL
 * @index: page number -> position in @list, as a value
 * @list: private pages
 * @nr: how many
 * @room: how many fit @list
 * @pinned: how many, from the first on, are never given back
 * @shown: page number / HLK_CHUNK_PAGES -> struct hlk_shown: shared pages that mappings may
 *	show
 * @learned: page number -> struct hlk_learned: what a restore brings back there
 *	instead of the snapshot's page. Changed under hlk_vm.lock as well
 * @nr_learned: how many
 * @read_faults: shared pages mapped
 * @write_faults: private pages made
 */
struct hlk_vm_window {
	struct hlk_vm *vm;
	struct hlk_range range;
	struct page *pinned_page;
	atomic_t mappings;
	struct mutex lock;	/* protects all below */
	struct xarray *base;
	struct hlk_touched_set *touched;
	struct xarray index;
	struct hlk_private *list;
	u64 nr;
	u64 room;
	u64 pinned;
	struct xarray shown;
	struct xarray learned;
	u32 nr_learned;
	u64 read_faults;
	u64 write_faults;
};

/* Looks that are kept */
#define HLK_LEARN_LOOKS		6
#define HLK_LEARN_WORDS		(I686_ENTRIES / 64)

/**
 * struct hlk_learned - a table with leaves that are left writable
 * @page: what a restore brings back: the snapshot's, but for these leaves
 * @leaves: how many
 * @look: the last look that found something copied
 * @seen: what each of the last looks found, the last one first: a bit for each leaf
 *
 * Protected by hlk_vm.lock; @page is constant.
 */
struct hlk_learned {
	struct page *page;
	u32 leaves;
	u64 look;
	u64 seen[HLK_LEARN_LOOKS][HLK_LEARN_WORDS];
};

/**
 * struct hlk_learn - how a VM learns which pages calls copy on write; see learn.c
 * @leaves: leaves that restores leave writable
 * @looks: how often it looked
 * @copied: pages that guests took since the last look
 * @wait: how many they have to take until the next one
 * @freed: pages that had been given back when it looked for leaves to be copy-on-write
 *	again
 * @restores: restores, then
 */
struct hlk_learn {
	u64 leaves;
	u64 looks;
	u64 copied;
	u64 wait;
	u64 freed;
	u64 restores;
};

/**
 * struct hlk_audited - what the last audit looked at
 * @audits: how many there were
 * @mapped: pages that mappings show
 * @absent: pages of mappings that show nothing yet
 * @beside: pages of memslots that are no window
 * @elsewhere: mappings of other processes
 */
struct hlk_audited {
	u64 audits;
	u64 mapped;
	u64 absent;
	u64 beside;
	u64 elsewhere;
};

/* Ten segments of 16 bytes */
#define HLK_VMCB_WORDS	20

/**
 * struct hlk_vcpu_kept - segment and control registers that a restore may leave out
 * @state: the state in hlk_vm.snap whose they were when the vCPU was last marked, or NULL
 * @looks: how often it was seen that @vmcb is not known
 * @vmcb: where AMD's processors leave them; NULL as long as @segment and @cpl are not known
 * @segment: how segments are there when they are those of hlk_vm.snap
 * @cpl: and the privilege level
 * @cr0: and CR0, as the processor has it
 * @cr3: and CR3
 *
 * Protected by the vCPU's mutex; see hlk_vcpu_keep().
 */
struct hlk_vcpu_kept {
	const struct hlk_vcpu_state *state;
	u32 looks;
	const struct vmcb *vmcb;
	u64 segment[HLK_VMCB_WORDS];
	u64 cr0;
	u64 cr3;
	u8 cpl;
};

/**
 * struct hlk_vm - an attached KVM VM
 * @kvm_file: held for as long as @kvm: on newer kernels only files pin the
 *	vendor module whose code the last kvm_put_kvm() runs
 * @kvm: the VM; held
 * @zero_page: what a page without a base looks like in the windows, never written;
 *	constant. NULL if @inspect
 * @mapping: the address space of the hlk VM's inode; lives as long as any
 *	mapping, and so longer than any use
 * @lock: serialises snapshot, restore and window changes; protects all below
 *	but where another rule is given
 * @layout: ranges of the windows; constant once @sealed
 * @nr_windows: written with release under @lock, read with acquire anywhere
 * @windows: the first @nr_windows are constant until the VM is freed
 * @book: the window with the bookkeeping page, or NULL. The page is pinned, for
 *	a restore writes it and must not fail
 * @sealed: no more windows: a snapshot was made or restored
 * @snap: the snapshot restored last, or NULL; held
 * @half: a restore has changed something and came to no end: a run of HLK_RUN does
 *	not go on from there, and there is nothing to take a snapshot of
 * @took: a snapshot was taken since the last restore: what is private may be what came
 *	before it, and not what calls from it write
 * @trim: a restore that must not wait found pages that may be given back
 * @inspect: only to be looked at; constant
 * @ibpb: a restore forgets what the branch predictors learnt; constant
 * @max_private: budget of one call; constant
 * @keep_private: watermark; constant
 * @nr_vcpus: vCPUs that are known
 * @vcpus: these; they live as long as @kvm
 * @vcpu_files: their files, as far as somebody looked for them; held, and constant
 *	once set. They hold @kvm as @kvm_file does, and nothing that holds this VM
 * @kept: what restores to @snap may leave out of each vCPU
 * @nr_private: private pages of all windows; any context
 * @nr_kept: of these, those that were there when the call began, which do not count
 *	in its budget: what the last restore kept, and what was prefaulted. Written
 *	under @lock, read anywhere
 * @over_budget: writes refused; any context
 * @unread: base pages refused because their file could not be read; any context
 * @unread_gfn: the last one
 * @unique: given to the guest by the last restore
 * @seeds: what the next ones give it
 * @restores: for statistics, as all that follow
 * @restores_kept: of these, those that left out registers, see hlk_vcpu_keep()
 * @switches: restores to another snapshot than before
 * @copied: pages copied back
 * @cleared: pages cleared
 * @freed: pages given back
 * @idle: of these, those that were found idle
 * @prefaulted: pages made private by HLK_PREFAULT
 * @learn: what calls copy on write, since it was restored to @snap
 * @audited: what the last audit looked at
 * @slots_generation: of KVM's memslots, the sum over its address spaces, when they
 *	were looked at; what follows was so then
 * @beside: the guest can write memory that lies in no window, by addresses
 * @slots_why: why the VM is refused for a memslot
 * @slots_gfn: where the first such slot begins
 * @id: for tracepoints; constant
 * @runs: times that a guest was entered; any context
 * @turn: counts what HLK_RUN_LEAD began; written under @lock, read anywhere
 * @followers: tasks that wait for the next one
 * @watch_lock: protects @watch, and that what it leads to stays
 * @watch: of each vCPU, who ends the run that is under way, or NULL
 *
 * Its file holds it; each mapping of a window holds that file.
 */
struct hlk_vm {
	struct file *kvm_file;
	struct kvm *kvm;
	struct page *zero_page;
	struct address_space *mapping;
	struct mutex lock;	/* one change or snapshot at a time */
	struct hlk_layout layout;
	u32 nr_windows;
	struct hlk_vm_window *windows[HLK_MAX_WINDOWS];
	struct hlk_vm_window *book;
	bool sealed;
	struct hlk_snap *snap;
	bool half;
	bool took;
	bool trim;
	bool inspect;
	bool ibpb;
	u64 max_private;
	u64 keep_private;
	u32 nr_vcpus;
	struct kvm_vcpu *vcpus[HLK_MAX_VCPUS];
	struct file *vcpu_files[HLK_MAX_VCPUS];
	struct hlk_vcpu_kept kept[HLK_MAX_VCPUS];
	atomic64_t nr_private;
	u64 nr_kept;
	atomic64_t over_budget;
	atomic64_t unread;
	u64 unread_gfn;
	u64 unique;
	struct hlk_seeds seeds;
	u64 restores;
	u64 restores_kept;
	u64 switches;
	u64 copied;
	u64 cleared;
	u64 freed;
	u64 idle;
	u64 prefaulted;
	struct hlk_learn learn;
	struct hlk_audited audited;
	u64 slots_generation;
	bool beside;
	enum hlk_why slots_why;
	u64 slots_gfn;
	u32 id;
	atomic64_t runs;
	u64 turn;
	wait_queue_head_t followers;
	spinlock_t watch_lock;	/* protects what follows */
	struct hlk_watch *watch[HLK_MAX_VCPUS];
};

/**
 * struct hlk_restored - what a restore did
 * @residue: HLK_RESIDUE_*
 * @copied: pages copied back
 * @cleared: pages cleared
 * @freed: pages given back
 * @idle: of these, those that were found idle
 * @failed: private pages whose memory failed, which are given back
 * @private_pages: private pages left
 * @unwritten: pages that were found unwritten
 * @kept: the vCPU that is entered next has its segment and control registers already
 * @old: the snapshot that the VM went away from, or NULL; the caller puts it, with
 *	no lock held, since that may free all of it
 */
struct hlk_restored {
	u32 residue;
	u64 copied;
	u64 cleared;
	u64 freed;
	u64 idle;
	u64 failed;
	u64 private_pages;
	u64 unwritten;
	bool kept;
	struct hlk_snap *old;
};

/**
 * struct hlk_ucmd - one ioctl call
 * @cmd: the struct, copied in, of the size that this kernel knows
 * @nowait: rather fail with -EAGAIN than wait; the call comes again then
 * @at: reason of a failure, for the head of @cmd
 * @new_file: a new object; the dispatcher installs it after the reply was
 *	copied out, or drops it
 * @new_fd: its fd
 */
struct hlk_ucmd {
	void *cmd;
	bool nowait;
	struct hlk_why_at at;
	struct file *new_file;
	int new_fd;
};

/**
 * struct hlk_op - one row of an ioctl table
 * @size: size of the struct
 * @min_size: size of its first version, for ever
 * @flags: the flags it knows
 * @execute: the handler; @obj is the file's private data
 */
struct hlk_op {
	u32 size;
	u32 min_size;
	u32 flags;
	int (*execute)(void *obj, struct hlk_ucmd *ucmd);
};

/* What each call's struct is copied to */
union hlk_cmd_buffer {
	struct hlk_head head;
	struct hlk_info info;
	struct hlk_vm_attach attach;
	struct hlk_snapshot_build build;
	struct hlk_window_add window_add;
	struct hlk_snapshot snapshot;
	struct hlk_restore restore;
	struct hlk_translate translate;
	struct hlk_walk walk;
	struct hlk_vm_stats stats;
	struct hlk_mark_cow mark;
	struct hlk_read read;
	struct hlk_prefault prefault;
	struct hlk_run run;
	struct hlk_kick kick;
	struct hlk_run_many run_many;
	struct hlk_snapshot_info snapshot_info;
	struct hlk_snapshot_export snapshot_export;
	struct hlk_snapshot_pages snapshot_pages;
	struct hlk_snapshot_import import;
};

/*
 * @_type: the struct. @_first: the size of its first version, a number, for old
 * programs come with it; see abi.c
 */
#define HLK_OP(_type, _first, _flags, _fn)				\
	{								\
		.size = sizeof(_type) +					\
			BUILD_BUG_ON_ZERO(sizeof(_type) >		\
					  sizeof(union hlk_cmd_buffer)) + \
			BUILD_BUG_ON_ZERO(sizeof(_type) > HLK_MAX_STRUCT), \
		.min_size = (_first),					\
		.flags = (_flags),					\
		.execute = (_fn),					\
	}

/* Sizes of the first versions of what arrays of callers are made of */
#define HLK_FIRST_WINDOW	48
#define HLK_FIRST_SEGMENT	24
#define HLK_FIRST_MAPPING	56
#define HLK_FIRST_TOUCHED	24
#define HLK_FIRST_MANY_CALL	24
#define HLK_FIRST_RUN_CALL	64
#define HLK_FIRST_SYNC_REGS	520
#define HLK_FIRST_VCPU_IMAGE	136
#define HLK_FIRST_EXTENT	32
#define HLK_FIRST_SOURCE	8

/**
 * enum hlk_drop - which private pages are given back
 * @HLK_DROP_IDLE: those that were found unwritten often enough
 * @HLK_DROP_UNWRITTEN: those that the last probe found unwritten
 * @HLK_DROP_ANY: any
 * @HLK_DROP_FAILED: those whose memory failed
 * @HLK_DROP_STRANGE: those that no call from the snapshot is known to write
 */
enum hlk_drop {
	HLK_DROP_IDLE,
	HLK_DROP_UNWRITTEN,
	HLK_DROP_ANY,
	HLK_DROP_FAILED,
	HLK_DROP_STRANGE,
};

/* abi.c */
int hlk_element_size(u32 size, u32 first, enum hlk_why why, struct hlk_why_at *at);
int hlk_element_get(void *to, size_t known, u64 array, u32 size, u32 nr,
		    struct hlk_why_at *at);
int hlk_element_put(u64 array, u32 size, u32 nr, const void *from, size_t known);

/* param.c */
extern unsigned int hlk_max_tables;
extern unsigned int hlk_max_segments;
extern unsigned long hlk_max_pages;
extern unsigned long hlk_max_private;

/* file.c */
struct file *hlk_file(const char *name, const struct file_operations *fops,
		      void *obj, int flags);
void hlk_file_released(struct inode *inode);

/* ucmd.c */
long hlk_ioctl(struct file *file, unsigned int cmd, unsigned long arg, bool nowait,
	       const struct hlk_op *ops, u32 first, u32 nr);
int hlk_ucmd_new(struct hlk_ucmd *ucmd, struct file *file, s32 *out_fd);

/* access.c */
struct hlk_vm_window *hlk_vm_window(struct hlk_vm *vm, u32 nr);
int hlk_vm_check(struct hlk_vm *vm, struct hlk_why_at *at);
int hlk_vm_check_look(struct hlk_vm *vm, struct hlk_why_at *at);
int hlk_vm_check_slots(struct hlk_vm *vm, struct hlk_why_at *at);
int hlk_layout_add_user(struct hlk_layout *layout, const struct hlk_window *window,
			struct hlk_range *range, struct hlk_why_at *at);

/* vm.c */
int hlk_cmd_vm_attach(void *obj, struct hlk_ucmd *ucmd);
int hlk_vm_run(int fd, u64 run, struct hlk_why_at *at);

/* many.c */
int hlk_cmd_run_many(void *obj, struct hlk_ucmd *ucmd);

/* window.c */
extern const struct vm_operations_struct hlk_window_vm_ops;
struct hlk_vm_window *hlk_window_alloc(struct hlk_vm *vm, const struct hlk_range *range);
void hlk_window_free(struct hlk_vm_window *window);
int hlk_window_mmap(struct hlk_vm_window *window, struct vm_area_struct *vma);
struct page *hlk_window_page(struct hlk_vm_window *window, u64 index, bool *frozen);
int hlk_window_get(struct hlk_vm_window *window, u64 index, struct hlk_gpage *gpage);
bool hlk_window_next(struct hlk_vm_window *window, unsigned long *index);
bool hlk_budget(const struct hlk_vm *vm, u64 pages);
bool hlk_window_has(struct hlk_vm_window *window, u64 index);
int hlk_window_pin(struct hlk_vm_window *window, u64 index);
struct page *hlk_window_private(struct hlk_vm_window *window, u64 index);
int hlk_window_unmap(struct hlk_vm_window *window, struct xarray *base);
struct page *hlk_window_base(struct hlk_vm_window *window, u64 index);
void hlk_window_rebase(struct hlk_vm_window *window, struct xarray *base,
		       struct hlk_touched_set *touched);
void hlk_window_touch(struct hlk_vm_window *window, u64 index, unsigned long bits,
		      gfp_t gfp);
u64 hlk_window_drop(struct hlk_vm_window *window, u64 pages, enum hlk_drop which);
vm_fault_t hlk_insert_shared(const struct vm_fault *vmf, struct page *page);

/* Which reason it was, for an errno of hlk_window_private() */
static inline enum hlk_why hlk_private_why(int err)
{
	return err == -EDQUOT ? HLK_WHY_BUDGET :
	       err == -EIO ? HLK_WHY_BASE_READ : HLK_WHY_NONE;
}

/* shown.c */
int hlk_window_show(struct hlk_vm_window *window, u64 index);
void hlk_window_hide(struct hlk_vm_window *window, u64 index);
bool hlk_window_shows(struct hlk_vm_window *window, u64 index);
int hlk_window_leave(struct hlk_vm_window *window, struct xarray *base, u64 step);
void hlk_shown_free(struct hlk_vm_window *window);

/* keep.c */
int hlk_windows_keep(struct hlk_vm *vm, struct hlk_snap *snap);

/* fetch.c */
int hlk_window_read(struct hlk_vm_window *window, u64 index, bool nowait);
int hlk_window_fetch(struct hlk_vm_window *window, struct xarray *base, u64 *index);

/* restore.c */
/* of hlk_restore() alone, no flag of an ioctl: rather -EAGAIN than wait */
#define HLK_RESTORE_NOWAIT	BIT(31)
/* what was learned depends on all calls before, and the guest can see it */
static inline bool hlk_restore_bad_flags(u32 flags)
{
	return flags & HLK_RESTORE_REPRODUCIBLE && flags & HLK_RESTORE_LEARN;
}

int hlk_restore(struct hlk_vm *vm, struct hlk_snap *snap, u32 flags, u64 program,
		const struct kvm_vcpu *next, struct hlk_restored *r,
		struct hlk_why_at *at);
int hlk_cmd_restore(void *obj, struct hlk_ucmd *ucmd);

/* learn.c */
void hlk_learn(struct hlk_vm *vm);
int hlk_learn_audit(struct hlk_vm *vm, struct hlk_why_at *at);

/* learned.c */
struct page *hlk_learned_page(struct hlk_vm_window *window, u64 index);
bool hlk_learned_give_up(struct hlk_vm_window *window, u64 index);
void hlk_learned_failed(struct hlk_vm_window *window);
void hlk_learned_forget(struct hlk_vm_window *window);

/* prefault.c */
int hlk_prefault_page(struct hlk_vm *vm, struct hlk_vm_window *window, u64 index,
		      u64 *made);
int hlk_cmd_prefault(void *obj, struct hlk_ucmd *ucmd);

/* audit.c */
int hlk_audit(struct hlk_vm *vm, struct hlk_snap *snap, u32 flags,
	      struct hlk_why_at *at);

/* deadline.c */
u64 hlk_deadline_in(u64 timeout_ns);
int hlk_watch_begin(struct hlk_vm *vm, struct kvm_vcpu *vcpu, u64 deadline,
		    struct hlk_watch *watch, struct hlk_why_at *at);
int hlk_watch_call(struct hlk_vm *vm, struct hlk_watch *watch, u64 deadline);
int hlk_watch_called(struct hlk_vm *vm, struct hlk_watch *watch, int ret);
int hlk_watch_end(struct hlk_vm *vm, struct hlk_watch *watch, int ret);
int hlk_cmd_kick(void *obj, struct hlk_ucmd *ucmd);

/* turn.c */
u64 hlk_turn_begin(struct hlk_vm *vm);
int hlk_turn_wait(struct hlk_vm *vm, const struct kvm_vcpu *vcpu, u64 *turn,
		  struct hlk_why_at *at);

/* run.c */
int hlk_cmd_run(void *obj, struct hlk_ucmd *ucmd);

/* snapshot.c */
int hlk_cmd_snapshot_build(void *obj, struct hlk_ucmd *ucmd);
int hlk_cmd_snapshot(void *obj, struct hlk_ucmd *ucmd);
struct file *hlk_snap_file(int fd);
u64 hlk_snap_max_pages(void);
int hlk_layout_from_user(struct hlk_layout *layout, u64 windows, u32 nr, u32 size,
			 struct hlk_why_at *at);
int hlk_snap_publish(struct hlk_ucmd *ucmd, struct hlk_snap *snap, s32 *out_fd);

/* source.c */
int hlk_files_new(struct hlk_files **files, struct hlk_files *parent, u64 sources, u32 size,
		  u32 nr, struct hlk_why_at *at);

/* import.c */
int hlk_cmd_snapshot_import(void *obj, struct hlk_ucmd *ucmd);

/* export.c */
int hlk_snap_export(struct hlk_snap *snap, struct hlk_snapshot_export *x,
		    struct hlk_why_at *at);
int hlk_snap_pages(struct hlk_snap *snap, struct hlk_snap *other,
		   struct hlk_snapshot_pages *p, struct hlk_why_at *at);

/* vcpuimage.c */
int hlk_vcpu_image_get(u64 array, u32 size, u32 nr, u64 host_tsc, struct hlk_snap *snap,
		       struct hlk_why_at *at);
int hlk_vcpu_image_put(u64 array, u32 size, u32 nr, const struct hlk_snap *snap,
		       struct hlk_why_at *at);

/* inspect.c */
int hlk_cmd_translate(void *obj, struct hlk_ucmd *ucmd);
int hlk_cmd_walk(void *obj, struct hlk_ucmd *ucmd);
int hlk_cmd_read(void *obj, struct hlk_ucmd *ucmd);
int hlk_cmd_mark_cow(void *obj, struct hlk_ucmd *ucmd);

/* program.c */
struct hlk_program *hlk_program_new(u64 user, u32 bytes, bool compact,
				    struct hlk_why_at *at);
int hlk_program_settle(struct hlk_snap *snap, struct hlk_why_at *at);

/* replay.c */
u32 hlk_program_residue(const struct hlk_snap *snap, const struct kvm *kvm,
			bool time_back);
int hlk_program_mmap(struct hlk_snap *snap, struct vm_area_struct *vma);
int hlk_program_ready(struct hlk_vm *vm, const struct hlk_snap *snap, u64 address,
		      struct hlk_why_at *at);
int hlk_program_accept(struct hlk_vm *vm, const struct hlk_snap *snap,
		       struct hlk_why_at *at);
int hlk_program_run(struct hlk_vm *vm, const struct hlk_snap *snap, u64 address,
		    u32 flags, struct hlk_why_at *at);

/* vcpufile.c */
void hlk_vcpu_files_find(struct hlk_vm *vm);
void hlk_vcpu_files_put(struct hlk_vm *vm);

/* look.c */
struct hlk_looks;
struct hlk_looks *hlk_looks_take(struct hlk_vm *vm, struct hlk_why_at *at);
void hlk_looks_free(struct hlk_looks *looks);
const struct kvm_sync_regs *hlk_looks_settle(struct hlk_vm *vm, struct hlk_looks *looks,
					     const struct hlk_program *program,
					     struct hlk_why_at *at);

/* vcpu.c */
#define HLK_SYNC_ALL	(KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS)
struct hlk_vcpu_state;
bool hlk_is_vcpu_file(const struct file *file);
struct kvm_vcpu *hlk_vcpu_of(struct hlk_vm *vm, struct file *file);
bool hlk_task_in_guest(void);
void hlk_vcpu_refused(struct kvm *kvm);
int hlk_vcpus_hold(struct hlk_vm *vm, bool nowait, struct hlk_why_at *at);
void hlk_vcpus_release(struct hlk_vm *vm);
void hlk_vcpus_flush(struct hlk_vm *vm);
u32 hlk_vcpus_residue(struct hlk_vm *vm);
u32 hlk_vcpus_restore(struct hlk_vm *vm, const struct hlk_snap *snap, bool time_back,
		      const struct kvm_vcpu *kept);
int hlk_vcpus_audit(struct hlk_vm *vm, const struct hlk_snap *snap,
		    struct hlk_why_at *at);
u32 hlk_vcpus_scaled(struct hlk_vm *vm, const struct hlk_snap *snap, bool time_back);
bool hlk_vcpus_await(const struct hlk_snap *snap);
bool hlk_vcpus_shadow_stacks(const struct hlk_snap *snap);

/* vcpusnap.c */
bool hlk_events_whole(const struct kvm_vcpu_events *events);
void hlk_events_complete(struct kvm_vcpu_events *events,
			 const struct kvm_vcpu_events *now);
int hlk_vcpus_capture(struct hlk_vm *vm, const struct kvm_sync_regs *sync,
		      struct hlk_snap *snap, struct hlk_why_at *at);
int hlk_vcpu_from_user(u64 array, u32 size, u32 nr, struct hlk_snap *snap,
		       struct hlk_why_at *at);
void hlk_vcpu_loads(struct hlk_snap *snap, u32 nr, u32 loads);
u64 hlk_vcpu_cr3(const struct hlk_snap *snap, u32 nr);
void hlk_vcpu_set_cr3(struct hlk_snap *snap, u32 nr, u64 cr3);

/* vcpukept.c */
unsigned long hlk_task_switches(void);
bool hlk_vcpu_refresh(struct kvm_vcpu *vcpu);
bool hlk_vcpu_kept(struct hlk_vm *vm, const struct kvm_vcpu *vcpu);
void hlk_vcpu_keep(struct hlk_vm *vm, struct kvm_vcpu *vcpu, unsigned long switches);

/* paging.c */
int hlk_vcpu_paging(struct hlk_vm *vm, const struct hlk_snap *snap,
		    struct i686_mode *mode, u64 *cr3, struct hlk_why_at *at);
int hlk_vcpu_modes(struct hlk_vm *vm, struct hlk_paging *paging, u64 *cr3,
		   struct hlk_why_at *at);

/* vcpufit.c */
int hlk_vcpus_restorable(struct hlk_vm *vm, const struct hlk_snap *snap,
			 struct hlk_why_at *at);
int hlk_vcpus_fit(struct hlk_vm *vm, const struct hlk_snap *snap,
		  struct hlk_why_at *at);

/* gmem.c */
/**
 * struct hlk_gmem_slot - memory of the guest, as its memslots say
 * @gfn: first frame
 * @pages: how many
 * @hva: where it is mapped in the process of the VM
 * @readonly: the guest cannot write it
 * @logged: KVM logs which of its pages are written
 * @window: the window that is mapped there, if one is
 * @first: page number in the window
 */
struct hlk_gmem_slot {
	u64 gfn;
	u64 pages;
	unsigned long hva;
	bool readonly;
	bool logged;
	struct hlk_vm_window *window;
	u64 first;
};

/**
 * struct hlk_vm_gmem - the memory of a VM for the pure files
 * @gmem: what they see
 * @vm: the VM
 * @slots: sorted by gfn
 * @nr: how many
 * @hit: the slot that was found last
 * @whole: all windows are mapped where they belong
 * @mm: held, where it is not that of the caller; else NULL
 */
struct hlk_vm_gmem {
	struct hlk_gmem gmem;
	struct hlk_vm *vm;
	struct mm_struct *mm;
	struct hlk_gmem_slot *slots;
	u32 nr;
	u32 hit;
	bool whole;
};

int hlk_gmem_init(struct hlk_vm_gmem *g, struct hlk_vm *vm);
void hlk_gmem_exit(struct hlk_vm_gmem *g);

#endif /* _HLK_H */
