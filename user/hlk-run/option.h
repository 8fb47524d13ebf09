/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run: what its parts share. */
#ifndef HLK_RUN_OPTION_H
#define HLK_RUN_OPTION_H

#include <argp.h>
#include <hlk.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

/* exit codes */
enum {
	RUN_OK = 0,
	RUN_ERROR = 1,
	RUN_USAGE = 2,
	RUN_GUEST = 3,
	RUN_MISMATCH = 4,
	RUN_TIMEOUT = 5,
};

#define PT_MAX_ROOTS	1024	/* the module's limit */

/**
 * struct pt_options - what 'hlk-run pt' has beside the rest
 * @pid: another program, whose VM is listed; 0 is none
 * @fd: its fd of the VM; -1 to look for it
 * @running: do not stop it
 * @of_snapshot: list a snapshot of the guest
 * @snapshot_fd: an open snapshot to list, or -1
 * @paging: how to read the tables; 0 as vCPU 0 does
 * @roots: roots to list
 * @nr_roots: length of @roots; 0 lists those that the guest published, or CR3
 * @start: first virtual address
 * @end: first virtual address that is not wanted; 0 is 4 GiB
 * @limit: most ranges to list
 * @svg: file for a picture, or NULL
 */
struct pt_options {
	pid_t pid;
	int fd;
	bool running;
	bool of_snapshot;
	int snapshot_fd;
	struct hlk_paging paging;
	uint64_t roots[PT_MAX_ROOTS];
	uint32_t nr_roots;
	uint64_t start;
	uint64_t end;
	uint64_t limit;
	const char *svg;
};

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
 * @pt: the rest of what 'hlk-run pt' takes
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
	struct pt_options pt;
};

/* main.c, pt/options.c: reading the command line */
extern const struct argp memory_argp;
extern const struct argp snapshot_argp;
extern const struct argp pt_argp;

/* option.c */
uint64_t option_number(struct argp_state *state, const char *name,
		       const char *arg, uint64_t least, uint64_t most);

/* term.c: what the terminal can do */
struct term {
	bool unicode;
	bool color;
	int width;
};

void term_init(struct term *term, FILE *file);
const char *term_on(const struct term *term, const char *code);
const char *term_off(const struct term *term);
void print_safe(FILE *file, const char *text, size_t len);
bool emulated(void);

/* fail.c: errors and crashed guests */
int fail_err(const char *what, const struct hlk_err *err);
int fail_sandbox(struct hlk_sandbox *sb);
int exit_code(const struct hlk_err *err);
void report_guest(FILE *file, struct hlk_sandbox *sb);

/* guest.c: a guest that is ready */
int guest_functions(struct hlk_sandbox *sb);
int guest_open(struct hlk_ctx *ctx, const struct options *opt,
	       struct hlk_sandbox **sb);

int cmd_run(const struct options *opt);
int cmd_info(const struct options *opt);
int cmd_pt(const struct options *opt);

#endif /* HLK_RUN_OPTION_H */
