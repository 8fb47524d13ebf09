/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Compacting a guest over the snapshot that it runs from.
 */
#ifndef _HLK_DELTA_H
#define _HLK_DELTA_H

#include "snap.h"

int hlk_reloc_delta(struct hlk_snap *snap, struct hlk_gmem *gmem,
		    const struct hlk_snap_params *params, struct hlk_why_at *at);

#endif /* _HLK_DELTA_H */
