/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run bench: a way to restore and call, and the VMs it does it with. */
#ifndef HLK_RUN_BENCH_WAY_H
#define HLK_RUN_BENCH_WAY_H

#include <hlk.h>
#include <linux/kvm.h>

#include "env.h"
#include "image.h"

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

/* Counts the system call and makes it */
#define BENCH_SYS(way, call)	((way)->syscalls++, (call))

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

#endif /* HLK_RUN_BENCH_WAY_H */
