/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run: exit codes, errors, crashed guests. */
#ifndef HLK_RUN_FAIL_H
#define HLK_RUN_FAIL_H

#include <hlk.h>
#include <stdio.h>

/* exit codes */
enum {
	RUN_OK = 0,
	RUN_ERROR = 1,
	RUN_USAGE = 2,
	RUN_GUEST = 3,
	RUN_MISMATCH = 4,
	RUN_TIMEOUT = 5,
	RUN_FILE = 6,		/* a file cannot be read, or is none */
	/* of hlk-run boot alone */
	RUN_IMAGE = 7,		/* a kernel that is none, or not for this */
	RUN_ROOM = 8,		/* something does not fit the memory */
	RUN_ENDED = 9,		/* the guest switched itself off too early */
	RUN_CRASH = 10,		/* triple fault */
	RUN_WAITS = 11,		/* the guest waits, and nothing comes */
	RUN_UNFIT = 12,		/* a snapshot that does not fit the machine */
	RUN_HOST = 13,		/* this host's KVM does not take something */
};

struct cJSON;

int fail_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int fail_file(const char *path, const char *what);
void fail_want_json(void);
void fail_json(struct cJSON *to);
void fail_end(int code);
int fail_err(const char *what, const struct hlk_err *err);
int fail_sandbox(struct hlk_sandbox *sb);
int exit_code(const struct hlk_err *err);
void report_symbols(const char *path);
void report_name(FILE *file, uint64_t addr);
void report_guest(FILE *file, struct hlk_sandbox *sb);

#endif /* HLK_RUN_FAIL_H */
