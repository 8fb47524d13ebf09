/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Where a snapshot was saved to; see remember.c. */
#ifndef LIBHLK_REMEMBER_H
#define LIBHLK_REMEMBER_H

#include "internal.h"
#include "saved.h"

/**
 * struct hlk_saved - where a snapshot was saved to, or loaded from
 * @next: another place, or NULL
 * @digest: that of its index
 * @nr: length of @layers
 * @layers: indices and pages of it and of its ancestors
 */
struct hlk_saved {
	struct hlk_saved *next;
	struct hlk_digest digest;
	uint32_t nr;
	struct hlk_blob layers[];
};

void hlk_saved_note(struct hlk_snap *snap, const struct hlk_digest *digest,
		    const struct hlk_blob *layers, uint32_t nr);

#endif /* LIBHLK_REMEMBER_H */
