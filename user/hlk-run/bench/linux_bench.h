/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hlk-run bench --kernel: what it takes to bring a Linux guest back, and each call of its
 * state program.
 */
#ifndef HLK_RUN_BENCH_LINUX_BENCH_H
#define HLK_RUN_BENCH_LINUX_BENCH_H

#include <argp.h>
#include <hlk.h>
#include <linux/kvm.h>

#include "env.h"

/**
 * struct linux_options - the guest
 * @kernel: the kernel's file, or NULL: nothing of this is measured
 * @initrd: the initial RAM disk's file
 * @append: the kernel's command line
 * @mem: bytes of memory
 */
struct linux_options {
	const char *kernel;
	const char *initrd;
	const char *append;
	uint64_t mem;
};

/* The guest writes a byte to it when it is ready, and 1 at the end of a call. */
#define LINUX_PORT	0xf4
#define LINUX_DONE	1

/* whom a call is for */
#define LINUX_OF_USER	0x1	/* user space has to make it; hlk brings that back itself */
#define LINUX_OF_HLK	0x2	/* in the program that libhlk would write */
#define LINUX_OF_ALL	(LINUX_OF_USER | LINUX_OF_HLK)

#define LINUX_MAX_CALLS	24

/**
 * struct linux_call - a call of KVM that puts state back
 * @name: its name
 * @of: LINUX_OF_*, or 0: it is measured only
 * @cmd: its number
 * @get: number of the call that tells that state, or 0
 * @of_vm: of the VM, not the vCPU
 * @when: HLK_PROGRAM_TIME_* of its entry
 * @arg: its argument
 * @bytes: size of that
 */
struct linux_call {
	char name[40];
	uint32_t of;
	unsigned long cmd;
	unsigned long get;
	bool of_vm;
	uint32_t when;
	void *arg;
	uint32_t bytes;
};

/**
 * struct linux_state - all that KVM tells of a VM
 * @nr: length of @call
 * @call: calls that bring it back, in order
 * @msrs: MSRs of the last KVM_SET_MSRS
 * @nr_listed: how many of these, from the first on, KVM lists
 * @nr_unlisted: how many come then that it does not
 */
struct linux_state {
	uint32_t nr;
	struct linux_call call[LINUX_MAX_CALLS];
	struct kvm_msrs *msrs;
	uint32_t nr_listed;
	uint32_t nr_unlisted;
};

/**
 * struct linux_vm - a VM with interrupt controllers
 * @env: the run
 * @bytes: size of its memory
 * @vm: the KVM VM
 * @vcpu: its vCPU
 * @hlk: the hlk VM, or -1
 * @run: the vCPU's shared page
 * @mem: its memory, or NULL
 * @why: why it cannot be
 */
struct linux_vm {
	const struct bench_env *env;
	uint64_t bytes;
	int vm;
	int vcpu;
	int hlk;
	struct kvm_run *run;
	uint8_t *mem;
	char why[128];
};

/**
 * struct linux_snap - a snapshot and its program, mapped
 * @fd: the snapshot, or -1
 * @program: the program, or NULL
 * @bytes: its size
 */
struct linux_snap {
	int fd;
	void *program;
	size_t bytes;
};

/**
 * struct linux_guest - the guest at the begin of a call
 * @env: the run
 * @opt: the guest's files
 * @boot: what it took to come there
 * @vm: the VM that booted
 * @state: of it
 * @snap: of it, with the program that libhlk would write
 * @file: its memory
 * @image: a mapping of that
 */
struct linux_guest {
	const struct bench_env *env;
	const struct linux_options *opt;
	uint64_t boot;
	struct linux_vm vm;
	struct linux_state state;
	struct linux_snap snap;
	int file;
	uint8_t *image;
};

struct linux_way;

/**
 * struct linux_way_ops - a way to bring the guest back and call it
 * @id: its letters
 * @name: in a few words
 * @flags: of HLK_RUN
 * @open: make what lives on; or NULL
 * @before: what is not timed; or NULL
 * @turn: bring back and call
 * @checked: the guest is where it was, so that each call does the same
 */
struct linux_way_ops {
	const char *id;
	const char *name;
	uint32_t flags;
	int (*open)(struct linux_way *way);
	void (*before)(struct linux_way *way);
	int (*turn)(struct linux_way *way);
	bool checked;
};

/**
 * struct linux_way - a way at work
 * @ops: what it does
 * @guest: the guest
 * @vm: its VM
 * @snap: its snapshot, where that is not the guest's
 * @run: for HLK_RUN
 * @log: where KVM_GET_DIRTY_LOG writes
 * @pages: pages copied or cleared by the last turn
 */
struct linux_way {
	const struct linux_way_ops *ops;
	const struct linux_guest *guest;
	struct linux_vm vm;
	struct linux_snap snap;
	struct hlk_run run;
	uint64_t *log;
	uint64_t pages;
};

#define LINUX_MAX_WAYS	8
#define LINUX_MAX_COSTS	320

/**
 * struct linux_result - what came out for a way
 * @ops: the way
 * @turns: how often it was timed
 * @min: nanoseconds or instructions
 * @p50: the median
 * @p90: percentile
 * @pages: per turn
 * @why: why not
 */
struct linux_result {
	const struct linux_way_ops *ops;
	uint64_t turns;
	uint64_t min;
	uint64_t p50;
	uint64_t p90;
	double pages;
	char why[128];
};

/**
 * struct linux_cost - what a call of a program costs
 * @name: the call
 * @of: LINUX_OF_*
 * @alone: a restore and call with a program of it alone
 * @without: with all of libhlk's but it; 0 if it is not one of these
 * @with: with all of libhlk's and it, if they are without it where time comes back; else 0
 * @set: the call from user space
 * @get: the call that tells what it sets, if there is one
 */
struct linux_cost {
	char name[40];
	uint32_t of;
	uint64_t alone;
	uint64_t without;
	uint64_t with;
	uint64_t set;
	uint64_t get;
};

/**
 * struct linux_report - all of it
 * @env: the run
 * @mem: bytes of the guest's memory
 * @boot: until the guest was ready
 * @nr_ways: length of @way
 * @way: see there
 * @none: a restore and call without a program
 * @empty: with one that has no calls
 * @whole: with libhlk's
 * @nr_costs: length of @cost
 * @cost: of each call
 * @nr_msrs: length of @msr
 * @msr: of each MSR, alone
 */
struct linux_report {
	const struct bench_env *env;
	uint64_t mem;
	uint64_t boot;
	uint32_t nr_ways;
	struct linux_result way[LINUX_MAX_WAYS];
	uint64_t none;
	uint64_t empty;
	uint64_t whole;
	uint32_t nr_costs;
	struct linux_cost cost[LINUX_MAX_CALLS];
	uint32_t nr_msrs;
	struct linux_cost msr[LINUX_MAX_COSTS];
};

extern const struct argp linux_argp;

/* linux_vm.c */
int linux_fail(struct linux_vm *vm, const char *what);
int linux_open(struct linux_vm *vm, const struct bench_env *env);
int linux_memory(struct linux_vm *vm, void *mem, uint64_t bytes, uint32_t flags);
int linux_windows(struct linux_vm *vm, uint64_t bytes);
int linux_enter(struct linux_vm *vm, uint8_t *said);
int linux_answer(struct linux_vm *vm, uint8_t *said);
void linux_tr(struct kvm_segment *tr);
int linux_settle(struct linux_vm *vm);
void linux_close(struct linux_vm *vm);

/* linux_state.c */
int linux_get(struct linux_vm *vm, struct linux_state *state);
int linux_set(struct linux_vm *vm, const struct linux_state *state);
void linux_state_free(struct linux_state *state);
int linux_snapshot(struct linux_vm *vm, const struct linux_call *call, uint32_t nr,
		   struct linux_snap *snap);
int linux_restore(struct linux_vm *vm, const struct linux_snap *snap);
void linux_snap_close(struct linux_snap *snap);

/* linux_ways.c */
extern const struct linux_way_ops linux_ways[];
extern const uint32_t nr_linux_ways;
int linux_way_open(struct linux_way *way, const struct linux_way_ops *ops,
		   const struct linux_guest *guest);
int linux_way_turn(struct linux_way *way, uint64_t *took);
void linux_way_close(struct linux_way *way);

/* linux_costs.c */
int linux_costs(const struct linux_guest *guest, struct linux_report *report);

/* linux_out.c */
void linux_table(const struct linux_report *report);
int linux_json(const struct linux_report *report, const char *path);

int bench_linux(const struct bench_env *env, const struct linux_options *opt,
		const char *json);

#endif /* HLK_RUN_BENCH_LINUX_BENCH_H */
