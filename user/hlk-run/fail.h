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
};

int fail_err(const char *what, const struct hlk_err *err);
int fail_sandbox(struct hlk_sandbox *sb);
int exit_code(const struct hlk_err *err);
void report_guest(FILE *file, struct hlk_sandbox *sb);

#endif /* HLK_RUN_FAIL_H */
