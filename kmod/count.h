/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What lives, of the whole module. For HLK_INFO.
 */
#ifndef _HLK_COUNT_H
#define _HLK_COUNT_H

#include <linux/atomic.h>

extern atomic_long_t hlk_live_vms;
extern atomic_long_t hlk_live_snaps;
extern atomic_long_t hlk_live_pages;
void hlk_count_vms(long by);
void hlk_count_snaps(long by);
void hlk_count_pages(long by);

#endif /* _HLK_COUNT_H */
