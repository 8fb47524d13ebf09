// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Where a snapshot was saved to, so that others can be saved on top of it. */
#include <stdlib.h>
#include <string.h>

#include "remember.h"

void hlk_saved_free(struct hlk_saved *saved)
{
	struct hlk_saved *next;

	for (; saved; saved = next) {
		next = saved->next;
		free(saved);
	}
}

/**
 * hlk_saved_note() - remember where a snapshot is
 * @snap: the snapshot
 * @digest: that of its index
 * @layers: the indices and pages of it and its ancestors
 * @nr: how many
 *
 * Without memory it is not remembered: it cannot be a parent then.
 */
void hlk_saved_note(struct hlk_snap *snap, const struct hlk_digest *digest,
		    const struct hlk_blob *layers, uint32_t nr)
{
	struct hlk_saved *new = malloc(sizeof(*new) + nr * sizeof(*layers));

	if (!new)
		return;
	new->digest = *digest;
	new->nr = nr;
	memcpy(new->layers, layers, nr * sizeof(*layers));
	new->next = atomic_load(&snap->saved);
	while (!atomic_compare_exchange_weak(&snap->saved, &new->next, new))
		;
}
