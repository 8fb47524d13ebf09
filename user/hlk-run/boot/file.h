/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run boot: files that go into a machine. */
#ifndef HLK_RUN_BOOT_FILE_H
#define HLK_RUN_BOOT_FILE_H

#include <hlk.h>

#include "options.h"

/**
 * struct files - a kernel and what goes with it
 * @kernel: all of it
 * @modules: those of @kernel
 * @call: what the agent is called with, if that is a file
 */
struct files {
	struct hlk_kernel kernel;
	const void *call;
	struct hlk_module modules[HLK_KERNEL_MAX_MODULES];
};

int files_read(struct boot_options *opt, struct files *files);
void files_free(struct files *files);

#endif /* HLK_RUN_BOOT_FILE_H */
