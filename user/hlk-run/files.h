/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run: files of the host for a guest to read. */
#ifndef HLK_RUN_FILES_H
#define HLK_RUN_FILES_H

#include <hlk.h>

#include "option.h"

void files_parse(struct argp_state *state, const char *arg, struct options *opt);
int files_map(struct hlk_sandbox *sb, const struct options *opt);

#endif /* HLK_RUN_FILES_H */
