/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run: files of the host for a guest to read. */
#ifndef HLK_RUN_FILES_H
#define HLK_RUN_FILES_H

#include <hlk.h>

#include "option.h"

int files_map(struct hlk_sandbox *sb, const struct options *opt);

#endif /* HLK_RUN_FILES_H */
