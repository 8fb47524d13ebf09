// SPDX-License-Identifier: GPL-2.0-only
/* hlk-run boot: what rounds of all kinds do. */
#include <stdio.h>

#include "../fail.h"
#include "rounds.h"

/**
 * rounds_save() - save the snapshot, if it is to be
 * @ctx: the context
 * @rounds: the run, with a snapshot
 *
 * Return: RUN_OK or an exit code, after the reason was printed
 */
int rounds_save(struct hlk_ctx *ctx, const struct rounds *rounds)
{
	const struct boot_options *opt = rounds->opt;

	if (!opt->saving.folder)
		return RUN_OK;
	return saved_put(ctx, rounds->snap, NULL, &opt->saving, opt->json ? stderr : stdout);
}
