/* SPDX-License-Identifier: GPL-2.0-only */
/* Files of pages, without files */
#ifndef _FILEPAGES_H
#define _FILEPAGES_H

#include "snap.h"

/**
 * struct hlk_files - what pages are read from
 * @ref: who has it
 * @read: pages that were read
 * @cached: there is nothing to wait for
 * @fail_at: the page that cannot be read, see hlk_from(); 0 for none
 */
struct hlk_files {
	struct kref ref;
	u64 read;
	bool cached;
	u64 fail_at;
};

struct hlk_files *shim_files_new(void);

#endif /* _FILEPAGES_H */
