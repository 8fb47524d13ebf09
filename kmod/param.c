// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits that an administrator sets.
 */
#include <linux/module.h>

#include "hlk.h"

unsigned int hlk_max_tables = 16384;
module_param_named(max_tables, hlk_max_tables, uint, 0644);
MODULE_PARM_DESC(max_tables, "distinct page tables per snapshot or walk: memory of the kernel, charged to the caller");

unsigned int hlk_max_segments = 1U << 20;
module_param_named(max_segments, hlk_max_segments, uint, 0644);
MODULE_PARM_DESC(max_segments, "segments per image: how long one call reads");

unsigned long hlk_max_pages = 1UL << 24;
module_param_named(max_pages, hlk_max_pages, ulong, 0644);
MODULE_PARM_DESC(max_pages, "pages per snapshot: memory, charged to the caller");

unsigned long hlk_max_private = 1UL << 24;
module_param_named(max_private, hlk_max_private, ulong, 0644);
MODULE_PARM_DESC(max_private, "largest budget of private pages per VM: half of its memory, charged to who writes");
