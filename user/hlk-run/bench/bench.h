/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hlk-run bench: one guest, one call, and all the ways to throw it back.
 *
 * bench.c        command line and order of things
 * guest.c        the guest's image and KVM VMs that run it
 * ways_hlk.c     ways that use the module
 * ways_kvm.c     ways of user space on ordinary memory
 * count.c        what the kernel counts
 * measure.c      one configuration: all ways, interleaved
 * extra.c        clones, the hot set, page copies, two threads
 * goals.c        the ratios that are wanted
 * out_json.c, out_table.c, out_svg.c  output
 */
#ifndef HLK_RUN_BENCH_H
#define HLK_RUN_BENCH_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "../run.h"
#include "../samples.h"

struct cJSON;

#define BENCH_PAGE	4096UL
#define BENCH_BATCH	64	/* sandboxes of one io_uring_enter() */
#define BENCH_NO_COUNT	(-1.0)

/**
 * struct bench_cfg - one point of the matrix
 * @pages: pages that a call writes
 * @scratch: bytes of scratch, where these pages are
 * @guest: bytes of memory below it
 * @data: the pages hold data in the snapshot, else they are zero
 */
struct bench_cfg {
	uint32_t pages;
	uint64_t scratch;
	uint64_t guest;
	bool data;
};

/**
 * struct bench_env - what all of a run has in common
 * @kvm: /dev/kvm
 * @dev: /dev/hlk, or -1
 * @features: of the module
 * @cpuid: for the vCPUs
 * @run_bytes: size of a struct kvm_run
 * @emulated: times mean little
 * @perf_counts: the TSC counts instructions; it is read instead of the clock
 * @rep: copy and clear by string instructions, as the kernel does
 * @quick: as short as it can be
 * @full: all of the matrix
 * @threads_only: nothing but the two threads
 * @batch: sandboxes in a batch
 * @firsts: how often a first call is made
 * @rounds: blocks per way
 * @budget_ns: time per way and configuration
 * @stdout_busy: stdout is for JSON
 * @only: letters of the ways that are asked for, or NULL
 * @kernel: what uname says
 */
struct bench_env {
	int kvm;
	int dev;
	uint64_t features;
	struct kvm_cpuid2 *cpuid;
	size_t run_bytes;
	bool emulated;
	bool perf_counts;
	bool rep;
	bool quick;
	bool full;
	bool threads_only;
	uint32_t batch;
	uint32_t firsts;
	uint32_t rounds;
	uint64_t budget_ns;
	bool stdout_busy;
	const char *only;
	char kernel[96];
};

/**
 * struct bench_image - the guest as it is before each call
 * @cfg: what it is made for
 * @low: memory from 0 up
 * @low_used: bytes of it that are not zero
 * @low_fd: the file behind it
 * @scratch: the scratch region
 * @scratch_used: bytes of it that are not zero: page tables, data if any
 * @scratch_fd: the file behind it
 * @scratch_gpa: where it starts
 * @first: page of scratch that a call writes first
 * @regs: the vCPU
 * @fpu: its FPU
 * @snap: the same as an hlk snapshot, or -1
 */
struct bench_image {
	struct bench_cfg cfg;
	uint8_t *low;
	uint64_t low_used;
	int low_fd;
	uint8_t *scratch;
	uint64_t scratch_used;
	int scratch_fd;
	uint64_t scratch_gpa;
	uint32_t first;
	struct kvm_sync_regs regs;
	struct kvm_fpu fpu;
	int snap;
};

/**
 * struct machine - a VM that runs the guest
 * @vm: the KVM VM
 * @vcpu: its vCPU
 * @hlk: the hlk VM, or -1
 * @run: the vCPU's struct kvm_run
 * @low: memory from 0 up
 * @scratch: the scratch region
 * @fused: for HLK_RUN
 * @restore: for HLK_RESTORE
 */
struct machine {
	int vm;
	int vcpu;
	int hlk;
	struct kvm_run *run;
	uint8_t *low;
	uint8_t *scratch;
	struct hlk_run fused;
	struct hlk_restore restore;
};

enum bench_count {
	COUNT_SYSCALLS,		/* as the way counts them */
	COUNT_SYSCALLS_SEEN,	/* as the kernel does */
	COUNT_ENTRIES,
	COUNT_NESTED,
	COUNT_TLB,
	COUNT_PAGES,
	COUNT_FAULTS,
	COUNT_ALLOC,
	COUNT_IPI,
	NR_COUNTS
};

struct bench_way;

/* what a way is like */
#define WAY_HLK		0x1	/* uses the module */
#define WAY_NEW_VM	0x2	/* a new VM at each turn */
#define WAY_NO_RESTORE	0x4
#define WAY_BATCH	0x8	/* a turn is a batch */

/**
 * struct way_ops - a way to restore and call
 * @id: its letter
 * @name: in a few words
 * @flags: WAY_*
 * @open: make the VM, or NULL; a failure is in @why of the way
 * @before: what is not timed: get rid of the VM of the last turn
 * @turn: restore and call
 * @close: free all
 */
struct way_ops {
	const char *id;
	const char *name;
	uint32_t flags;
	int (*open)(struct bench_way *way);
	void (*before)(struct bench_way *way);
	int (*turn)(struct bench_way *way);
	void (*close)(struct bench_way *way);
};

/**
 * struct bench_way - a way at work
 * @ops: what it does
 * @env: the run
 * @image: the guest
 * @m: its VM, or the first of a batch
 * @batch: length of the batch, or 1
 * @more: the VMs of a batch, or NULL
 * @n: pages that the next call writes
 * @dirty: pages that the last call wrote
 * @syscalls: made so far
 * @copied: pages copied or cleared so far
 * @next: where its ring goes on
 * @fd: a file that the way needs
 * @uffd: another one
 * @buf: memory that the way needs
 * @buf_bytes: its size
 * @why: why it cannot be
 */
struct bench_way {
	const struct way_ops *ops;
	const struct bench_env *env;
	const struct bench_image *image;
	struct machine m;
	uint32_t batch;
	struct machine *more;
	uint32_t n;
	uint32_t dirty;
	uint64_t syscalls;
	uint64_t copied;
	uint32_t next;
	int fd;
	int uffd;
	void *buf;
	size_t buf_bytes;
	char why[128];
};

/**
 * struct bench_result - what came out for a way in a configuration
 * @ops: the way
 * @present: it could be done
 * @why: why not
 * @turns: how often it was timed
 * @min: nanoseconds, or instructions with --perf-counts
 * @mean: of all
 * @p50: the median
 * @p90: percentile
 * @p99: percentile
 * @first: median of first calls in a new VM, 0 if not measured
 * @count: per restore and call; BENCH_NO_COUNT where it cannot be had
 */
struct bench_result {
	const struct way_ops *ops;
	bool present;
	char why[128];
	uint64_t turns;
	uint64_t min;
	uint64_t mean;
	uint64_t p50;
	uint64_t p90;
	uint64_t p99;
	uint64_t first;
	double count[NR_COUNTS];
};

#define BENCH_MAX_WAYS	24

struct bench_run {
	struct bench_cfg cfg;
	uint32_t nr;
	struct bench_result result[BENCH_MAX_WAYS];
};

/**
 * struct bench_clones - sandboxes made from a snapshot in memory
 * @create: until it is ready to be called
 * @create_prefault: the same with prefaulting
 * @first: the first call after that, without prefaulting
 * @first_prefault: and with it
 * @hundredth: the 100th
 * @prefault: the module can do it
 * @nested: KVM_PRE_FAULT_MEMORY is there too
 */
struct bench_clones {
	uint64_t create;
	uint64_t create_prefault;
	uint64_t first;
	uint64_t first_prefault;
	uint64_t hundredth;
	bool prefault;
	bool nested;
};

#define BENCH_SIZES	3

/* sandboxes that differ from the usual one in one size */
enum { SIDE_BASE, SIDE_GUEST, SIDE_SMALL, SIDE_LARGE, NR_SIDES };

/**
 * struct bench_extra - what is measured beside the matrix
 * @clones: see there
 * @copy: one page copied by string instructions, hot, in user space
 * @copy_libc: one page copied by memcpy()
 * @clear: one page cleared by string instructions
 * @pages: how many pages the calls of @restore wrote
 * @restore: HLK_RESTORE alone
 * @restore_none: the same after a call that writes nothing
 * @restore_again: the same right after that restore, with no entry between
 * @hot_first: pages written back by the first restore after 512 were written
 * @hot_after: pages written back per restore after 64 calls that wrote 8
 * @hot_restore: what such a restore takes
 * @hot_calls: calls until no more than 16 pages were written back, or 0
 * @side: restore and call of the usual sandbox, and with a guest of 1 GiB, with
 *	scratch of 1 MiB, of 64 MiB, all by turns
 * @one: calls per second of one thread
 * @two: of two
 * @one_alone: the same with no restore
 * @two_alone: of two
 * @cpus: processors that there are
 */
struct bench_extra {
	struct bench_clones clones;
	double copy;
	double copy_libc;
	double clear;
	uint32_t pages[BENCH_SIZES];
	uint64_t restore[BENCH_SIZES];
	uint64_t restore_none;
	uint64_t restore_again;
	uint64_t hot_first;
	double hot_after;
	uint64_t hot_restore;
	uint32_t hot_calls;
	uint64_t side[NR_SIDES];
	double one;
	double two;
	double one_alone;
	double two_alone;
	uint32_t cpus;
};

/**
 * struct bench_report - all of it
 * @env: the run
 * @nr: configurations
 * @run: what came out for each
 * @extra: beside the matrix
 */
struct bench_report {
	const struct bench_env *env;
	uint32_t nr;
	struct bench_run *run;
	struct bench_extra extra;
};

/**
 * struct bench_goal - a ratio that is wanted
 * @id: its number
 * @text: what
 * @figure: what it is
 * @limit: what it should be
 * @at_least: a lower limit, not an upper one
 * @known: there is a figure
 * @stated: the figure is only to be stated
 * @why: why not, or where it was missed
 */
struct bench_goal {
	const char *id;
	char text[112];
	double figure;
	double limit;
	bool at_least;
	bool known;
	bool stated;
	char why[96];
};

#define BENCH_MAX_GOALS	48

static inline uint64_t bench_now(const struct bench_env *env)
{
	struct timespec ts;

	if (env->perf_counts)
		return __builtin_ia32_rdtsc();
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static inline bool goal_met(const struct bench_goal *goal)
{
	return goal->at_least ? goal->figure >= goal->limit :
				goal->figure <= goal->limit;
}

/* Counts the system call and makes it */
#define BENCH_SYS(way, call)	((way)->syscalls++, (call))

/* guest.c */
int image_make(const struct bench_env *env, const struct bench_cfg *cfg,
	       struct bench_image *image, char *why, size_t size);
void image_free(struct bench_image *image);
bool cfg_fits(const struct bench_cfg *cfg);
int way_fail(struct bench_way *way, const char *what);
int machine_open(struct bench_way *way, struct machine *m, uint32_t ring_bytes);
int machine_slot(struct bench_way *way, struct machine *m, uint32_t slot,
		 uint32_t flags, uint64_t gpa, uint64_t bytes, void *at);
int machine_set_regs(struct bench_way *way, struct machine *m);
void machine_sync_regs(struct bench_way *way, struct machine *m);
int machine_enter(struct bench_way *way, struct machine *m);
void machine_close(struct bench_way *way, struct machine *m);
uint64_t machine_rdi(const struct bench_way *way);
void pages_copy(const struct bench_env *env, void *to, const void *from,
		size_t bytes);
void pages_clear(const struct bench_env *env, void *to, size_t bytes);
void page_back(struct bench_way *way, uint64_t page);
int way_open(struct bench_way *way, const struct way_ops *ops,
	     const struct bench_env *env, const struct bench_image *image);
void way_close(struct bench_way *way);
int way_verify(struct bench_way *way);

/* ways_hlk.c */
extern const struct way_ops hlk_ways[];
extern const uint32_t nr_hlk_ways;
int snapshot_build(const struct bench_env *env, struct bench_image *image);
int sandbox_open(struct bench_way *way, struct machine *m);
int sandbox_prefault(struct bench_way *way, struct machine *m, bool *nested);
int sandbox_restore(struct bench_way *way, struct machine *m);
const struct way_ops *best_hlk_way(const struct bench_env *env);

/* ways_kvm.c */
extern const struct way_ops kvm_ways[];
extern const uint32_t nr_kvm_ways;

/* count.c */
void count_init(void);
int count_way(struct bench_way *way, uint32_t turns, double *count);

/* measure.c */
const char *bench_no_way(const char *list);
int bench_measure(const struct bench_env *env, const struct bench_cfg *cfg,
		  struct bench_run *run);

/* extra.c */
int bench_extras(const struct bench_env *env, struct bench_extra *extra);

/* goals.c */
uint32_t bench_goals(const struct bench_report *report, struct bench_goal *goal);
const struct bench_run *find_run(const struct bench_report *report,
				 const struct bench_cfg *cfg);
const struct bench_result *find_way(const struct bench_run *run, const char *id);
extern const struct bench_cfg bench_base;

/* output */
struct cJSON *bench_json(const struct bench_report *report,
			 const struct bench_goal *goal, uint32_t nr_goals);
void bench_table(const struct bench_report *report,
		 const struct bench_goal *goal, uint32_t nr_goals);
int bench_svg(const struct bench_report *report, const char *path);
void format_cfg(char *buf, size_t size, const struct bench_cfg *cfg);
void format_time(const struct bench_env *env, char *buf, size_t size,
		 double value);
const char *count_name(enum bench_count count);

int cmd_bench(int argc, char **argv);

#endif /* HLK_RUN_BENCH_H */
