/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the fuzzer share: a world of slots, and operations on it.
 *
 * Each thread draws its operations from a seed of its own; what it draws
 * depends on nothing but the seed. So a sequence can be listed without running
 * it, and run again. What the calls return may differ from run to run, as the
 * threads race.
 */
#ifndef _FUZZ_H
#define _FUZZ_H

#include <pthread.h>
#include <setjmp.h>

#include "hlk_test.h"

/* ---- the world ---- */

/* Slots of file descriptors; a kind has NR of them. Mistakes are made on purpose. */
enum kind {
	DEV,
	VM,
	VCPU,
	HLK,
	SNAP,
	OTHER,		/* rings, pipes, memfds */
	KINDS,
};

#define NR		6

/* Where windows, snapshots and anonymous memory are mapped */
#define PLACES		12
#define PLACE_BYTES	(2UL << 20)

/* What pointers point into; threads write it while others use it */
#define BUFFER_BYTES	(256UL << 10)
#define BUFFER_GUARD	((size_t)HLK_MAX_CALLS * HLK_MAX_STRUCT)

struct world {
	int fd[KINDS][NR];
	u8 *place[PLACES];
	u8 *run[NR];		/* struct kvm_run of the vCPU in that slot */
	u8 *buffer;
	size_t run_bytes;
	u8 *page;		/* what a fault is answered with; nobody else's */
	int event;		/* what polls wait for */
	int sock[2];
	int kvm;
	const char *cgroup[2];
	volatile bool stop;
};

extern struct world w;

/**
 * struct fuzzer - one thread of a sequence
 * @seed: what all is drawn from
 * @nr: which thread
 * @list: print, do not run
 * @calls: operations so far
 * @thread: itself
 * @kcov: its coverage: a counter and program counters, or NULL
 */
struct fuzzer {
	u32 seed;
	u32 nr;
	bool list;
	u32 calls;
	pthread_t thread;
	u64 *kcov;
};

/**
 * struct op - an operation
 * @name: in listings
 * @weight: how often it is drawn, against the others
 * @run: draws its arguments and then, if say() lets it, does it
 */
struct op {
	const char *name;
	u32 weight;
	void (*run)(struct fuzzer *f);
};

extern const struct op call_ops[];
extern const struct op disturb_ops[];
extern const u32 nr_call_ops;
extern const u32 nr_disturb_ops;

/* ---- drawing ---- */

u32 rnd(struct fuzzer *f, u32 below);
bool one_in(struct fuzzer *f, u32 n);
int slot(struct fuzzer *f, enum kind kind);
u64 odd_number(struct fuzzer *f);
u64 some_gpa(struct fuzzer *f);
bool say(struct fuzzer *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- doing ---- */

void put_fd(enum kind kind, u32 nr, int fd);
int get_fd(u32 kind_and_nr);

/* Memory that may go away at any time: what faults, ends the block. */
extern __thread sigjmp_buf *fault_at;
#define MAY_FAULT(...)							\
	do {								\
		sigjmp_buf here_;					\
		fault_at = &here_;					\
		if (!sigsetjmp(here_, 1)) {				\
			__VA_ARGS__;					\
		}							\
		fault_at = NULL;					\
	} while (0)

pid_t fork_child(void);

/* ---- operations that are not where their table is ---- */

struct hlk_restore *a_restore(struct fuzzer *f, int *snap, u32 *flags);
struct hlk_run *a_run(struct fuzzer *f, int *vcpu, u32 *flags);
void op_uring(struct fuzzer *f);
void op_enter(struct fuzzer *f);
void op_event(struct fuzzer *f);
void op_events(struct fuzzer *f);
void op_uffd(struct fuzzer *f);
void op_foreign(struct fuzzer *f);
void op_keys(struct fuzzer *f);
void op_timer(struct fuzzer *f);
void op_sched(struct fuzzer *f);
void op_numa(struct fuzzer *f);
void op_limit(struct fuzzer *f);

void world_open(void);
void world_machine(u32 seed);

#endif /* _FUZZ_H */
