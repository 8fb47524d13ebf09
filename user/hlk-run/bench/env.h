/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run bench: what all of a run has in common. */
#ifndef HLK_RUN_BENCH_ENV_H
#define HLK_RUN_BENCH_ENV_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define BENCH_PAGE	4096UL
#define BENCH_BATCH	64	/* sandboxes of one system call */

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
 * @guest: path of the example guest, or NULL
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
	const char *guest;
	char kernel[96];
};

static inline uint64_t bench_now(const struct bench_env *env)
{
	struct timespec ts;

	if (env->perf_counts)
		return __builtin_ia32_rdtsc();
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

#endif /* HLK_RUN_BENCH_ENV_H */
