// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* A second sandbox that goes on from where the first one is. */
#include <errno.h>
#include <stdlib.h>

#include "internal.h"

static const char op[] = "cannot fork the sandbox";

/* Memory, registers and devices are in the snapshot; this is what libhlk has beside it. */
static int inherit(struct hlk_sandbox *sb, struct hlk_sandbox *child)
{
	int ret = hlk_host_copy(child, sb);

	if (ret)
		return ret;
	hlk_counter_reset(child, hlk_sandbox_counter(sb));
	/* the guest sees what was counted from its restore on */
	return hlk_sandbox_restore(child, NULL);
}

static int fork_from(struct hlk_sandbox *sb, struct hlk_snap *snap,
		     const struct hlk_config *config, struct hlk_sandbox **out)
{
	struct hlk_sandbox *child;
	int ret;

	ret = hlk_sandbox_from_snapshot(sb->ctx, snap, config ? config : &sb->config,
					&child, &sb->err);
	if (ret)
		return ret;
	ret = inherit(sb, child);
	if (ret) {
		sb->err = child->err;
		hlk_sandbox_close(child);
		return ret;
	}
	*out = child;
	return 0;
}

EXPORT int hlk_sandbox_fork(struct hlk_sandbox *sb, const struct hlk_config *config,
			    struct hlk_sandbox **child)
{
	struct hlk_snapshot_config flat = HLK_SNAPSHOT_CONFIG_INIT;
	struct hlk_snap *snap;
	int ret;

	*child = NULL;
	ret = hlk_enter(sb, op);
	if (ret)
		return ret;
	/* What was not written since is shared, so it costs what was. */
	flat.flags = HLK_SNAP_FLAT;
	if (hlk_files_any(sb))
		ret = hlk_err_text(&sb->err, EOPNOTSUPP, HLK_WHAT_ARGUMENT, op,
				   "files are mapped, which it would not have");
	else
		ret = hlk_snap_make(sb, &flat, &snap);
	if (!ret) {
		ret = fork_from(sb, snap, config, child);
		hlk_snapshot_close(snap);
	}
	return hlk_leave(sb, ret);
}
