/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run: the command line. */
#ifndef HLK_RUN_OPTION_H
#define HLK_RUN_OPTION_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct options - the command line
 * @guest: the ELF file
 * @call: function to call, or NULL
 * @input: its argument
 * @input_len: length of that
 * @expect: what each answer has to be, or NULL
 * @expect_len: length of that
 * @repeat: how many calls
 * @restore: restore before each call
 * @audit: audit every so many restores; 0 is none
 * @timeout_us: limit of one call
 * @mem: bytes of memory
 * @scratch: bytes of scratch
 * @max_private: budget of private pages
 * @snapshot: HLK_SNAP_* flags
 * @json: print JSON and nothing else
 * @quiet: do not print what the guest prints
 * @no_progress: no progress line
 */
struct options {
	const char *guest;
	const char *call;
	const char *input;
	size_t input_len;
	const char *expect;
	size_t expect_len;
	uint64_t repeat;
	bool restore;
	uint64_t audit;
	uint64_t timeout_us;
	uint64_t mem;
	uint64_t scratch;
	uint64_t max_private;
	uint32_t snapshot;
	bool json;
	bool quiet;
	bool no_progress;
};

/* main.c */
extern const struct argp memory_argp;
extern const struct argp snapshot_argp;

uint64_t option_number(struct argp_state *state, const char *name,
		       const char *arg, uint64_t least, uint64_t most);

#endif /* HLK_RUN_OPTION_H */
