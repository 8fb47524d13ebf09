/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run bench: the guest as it is before each call. */
#ifndef HLK_RUN_BENCH_IMAGE_H
#define HLK_RUN_BENCH_IMAGE_H

#include <hlk.h>
#include <linux/kvm.h>
#include <stddef.h>

#include "env.h"

/* What a call writes into each page */
#define IMAGE_VALUE	0x5eed600d

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

int image_make(const struct bench_env *env, const struct bench_cfg *cfg,
	       struct bench_image *image, char *why, size_t size);
void image_free(struct bench_image *image);
bool cfg_fits(const struct bench_cfg *cfg);
void image_windows(const struct bench_image *image, struct hlk_window *w);

#endif /* HLK_RUN_BENCH_IMAGE_H */
