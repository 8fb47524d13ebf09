// SPDX-License-Identifier: GPL-2.0-only
/*
 * What lives, of the whole module. For HLK_INFO.
 */
#include "count.h"
#include "debug.h"

atomic_long_t hlk_live_vms;
atomic_long_t hlk_live_snaps;
atomic_long_t hlk_live_pages;

/**
 * hlk_count_vms() - count attached VMs
 * @by: how many more
 */
void hlk_count_vms(long by)
{
	atomic_long_add(by, &hlk_live_vms);
	hlk_assert(atomic_long_read(&hlk_live_vms) >= 0);
}

/**
 * hlk_count_snaps() - count snapshots
 * @by: how many more
 */
void hlk_count_snaps(long by)
{
	atomic_long_add(by, &hlk_live_snaps);
	hlk_assert(atomic_long_read(&hlk_live_snaps) >= 0);
}

/**
 * hlk_count_pages() - count guest pages that VMs and snapshots hold
 * @by: how many more
 *
 * A page that two snapshots share counts in each.
 */
void hlk_count_pages(long by)
{
	atomic_long_add(by, &hlk_live_pages);
	hlk_assert(atomic_long_read(&hlk_live_pages) >= 0);
}
