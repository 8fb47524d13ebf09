// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Going back to a snapshot.
 *
 * What comes before the system call and what comes after it are apart, because
 * the call can be made in three ways: by ioctl, by io_uring, and as part of
 * HLK_RUN.
 */
#include <errno.h>
#include <sys/ioctl.h>

#include "agent.h"
#include "internal.h"
#include "probe.h"

static const char op[] = "cannot restore";

/*
 * The module has put KVM's copy of the debug registers back, but the hardware's
 * follow only when KVM is told to set them.
 */
static int reload_debugregs(struct hlk_sandbox *sb)
{
	struct kvm_debugregs regs;

	if (ioctl(sb->vcpu_fd, KVM_GET_DEBUGREGS, &regs) ||
	    ioctl(sb->vcpu_fd, KVM_SET_DEBUGREGS, &regs))
		return hlk_err_system(&sb->err,
				      "cannot reset the debug registers");
	return 0;
}

/* What differs from one snapshot to the next, and so is read once */
static int after_switch(struct hlk_sandbox *sb)
{
	const struct kvm_regs *regs = &sb->run->s.regs.regs;
	const struct hlk_snap *snap = sb->last;
	int ret;

	hlk_forget_pages(sb);
	if (sb->agent) {
		ret = hlk_agent_switch(sb);
		if (!ret)
			sb->switched = false;
		return ret;
	}
	if (snap->input_size) {
		ret = hlk_set_buffers(sb, snap->input_size,
				      snap->output_size);
		if (ret)
			return ret;
	}
	if (snap->generation) {
		sb->dispatch = regs->rax;
		sb->stack = regs->rsp;
		ret = hlk_get_fpu(sb);
		if (ret)
			return ret;
	}
	ret = hlk_counter_look(sb);
	if (ret)
		return ret;
	sb->cr8 = sb->run->s.regs.sregs.cr8;
	sb->switched = false;
	return 0;
}

/**
 * hlk_restore_ready() - what is left to do after any restore
 * @sb: the sandbox; @restored says what the restore did
 *
 * Return: 0 or a negative errno
 */
int hlk_restore_ready(struct hlk_sandbox *sb)
{
	int ret;

	if (sb->restored.freed)
		hlk_forget_pages(sb);
	/* KVM takes CR8 from here, after it took all else from s.regs. */
	sb->run->cr8 = sb->cr8;
	sb->debug_residue = sb->restored.residue & HLK_RESIDUE_DEBUGREGS;
	if (sb->debug_residue) {
		ret = reload_debugregs(sb);
		if (ret)
			return ret;
	}
	ret = hlk_counter_restore(sb);
	if (ret)
		return ret;
	sb->state = sb->last->generation ? HLK_STATE_READY : HLK_STATE_NEW;
	sb->fresh = true;
	return 0;
}

/**
 * hlk_restore_prepare() - fill in the request for a restore
 * @sb: the sandbox
 * @snap: the snapshot, or NULL for the one restored last
 * @flags: HLK_RESTORE_* bits
 *
 * Return: 0 or a negative errno
 */
int hlk_restore_prepare(struct hlk_sandbox *sb, struct hlk_snap *snap,
			uint32_t flags)
{
	struct hlk_snap *to = snap ? snap : sb->last;
	int ret = sb->agent ? hlk_agent_prepare(sb, to) : 0;

	if (ret)
		return ret;
	hlk_counter_lose(sb);
	sb->restored = (struct hlk_restore) {
		.head.size = sizeof(sb->restored),
		.head.flags = flags | sb->learn,
		.snapshot_fd = snap && snap != sb->last ? snap->fd : -1,
	};
	if (sb->agent) {
		sb->restored.head.flags |= sb->agent->flags;
		sb->restored.program = (uintptr_t)atomic_load(&to->program);
	}
	return 0;
}

/*
 * Who counted meanwhile wrote to a page that is not sure to be the guest's now. The
 * reason of the failure is the one that is told.
 */
static int fail(struct hlk_sandbox *sb, int ret)
{
	if (hlk_counter_refresh(sb))
		sb->state = HLK_STATE_BROKEN;
	return ret;
}

/**
 * hlk_restore_finish() - what follows the request of hlk_restore_prepare()
 * @sb: the sandbox
 * @snap: as there
 * @ret: what the module returned: 0 or a negative errno
 *
 * Return: 0 or a negative errno
 */
int hlk_restore_finish(struct hlk_sandbox *sb, struct hlk_snap *snap, int ret)
{
	/* An audit comes after the restore, which was done. */
	if (ret && ret != -EUCLEAN) {
		errno = -ret;
		ret = hlk_err_module(&sb->err, &sb->restored.head, op);
		return fail(sb, ret);
	}
	/* Until all of it is done */
	sb->state = HLK_STATE_BROKEN;
	if (snap && snap != sb->last) {
		struct hlk_snap *old = sb->last;

		sb->last = hlk_snap_get(snap);
		hlk_snapshot_close(old);
		sb->switched = true;
	}
	sb->stale = true;
	if (ret) {
		errno = -ret;
		ret = hlk_err_module(&sb->err, &sb->restored.head, op);
		return fail(sb, ret);
	}
	if (sb->agent)
		ret = hlk_agent_tell(sb);
	if (!ret && sb->switched)
		ret = after_switch(sb);
	return ret ? ret : hlk_restore_ready(sb);
}

/**
 * hlk_restore_again() - restore after a restore that left a residue
 * @sb: the sandbox
 *
 * This one finds the debug registers as it wants them, for the one before set
 * KVM's copy; they are yet to be loaded.
 *
 * Return: 0 or a negative errno
 */
int hlk_restore_again(struct hlk_sandbox *sb)
{
	int ret = hlk_restore_prepare(sb, NULL, 0);

	if (ret)
		return ret;
	if (ioctl(sb->hlk_fd, HLK_RESTORE, &sb->restored))
		return hlk_restore_finish(sb, NULL, -errno);
	sb->restored.residue |= HLK_RESIDUE_DEBUGREGS;
	return hlk_restore_finish(sb, NULL, 0);
}

/**
 * hlk_restore_now() - go back to a snapshot
 * @sb: the sandbox, entered
 * @snap: the snapshot, or NULL for the one restored last
 *
 * Return: 0 or a negative errno
 */
int hlk_restore_now(struct hlk_sandbox *sb, struct hlk_snap *snap)
{
	int ret = hlk_restore_prepare(sb, snap, 0);

	if (ret)
		return ret;
	ret = ioctl(sb->hlk_fd, HLK_RESTORE, &sb->restored) ? -errno : 0;
	hlk_probe(restore, sb, ret, sb->restored.copied);
	return hlk_restore_finish(sb, snap, ret);
}

EXPORT int hlk_sandbox_restore(struct hlk_sandbox *sb, struct hlk_snap *snap)
{
	int ret = hlk_enter(sb, op);

	return ret ? ret : hlk_leave(sb, hlk_restore_now(sb, snap));
}

EXPORT const struct hlk_restore *
hlk_sandbox_restored(const struct hlk_sandbox *sb)
{
	return &sb->restored;
}
