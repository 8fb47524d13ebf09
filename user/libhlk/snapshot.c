// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Snapshots: how they are made, their life, their fds. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent.h"
#include "internal.h"

static const char op_make[] = "cannot make a snapshot";

/**
 * hlk_snap_new() - a handle for a snapshot's fd
 * @fd: the fd; the handle owns it, and it is closed if there will be none
 * @snap: out: the handle
 * @err: out: why there is none
 *
 * Return: 0 or a negative errno
 */
int hlk_snap_new(int fd, struct hlk_snap **snap, struct hlk_err *err)
{
	struct hlk_snapshot_info info = {};
	struct hlk_snap *new;
	int ret;

	ret = hlk_snap_read_info(fd, &info, sizeof(info), err);
	if (ret)
		goto close_fd;
	new = calloc(1, sizeof(*new));
	if (!new) {
		ret = hlk_err_system(err, op_make);
		goto close_fd;
	}
	atomic_init(&new->refs, 1);
	atomic_init(&new->vcpu, NULL);
	atomic_init(&new->program, NULL);
	atomic_init(&new->saved, NULL);
	new->fd = fd;
	new->id = info.id;
	new->generation = info.generation;
	new->flat = !(info.flags & HLK_SNAPSHOT_COMPACT);
	new->input_size = info.input_bytes;
	new->output_size = info.output_bytes;
	new->program_bytes = info.program_bytes;
	*snap = new;
	return 0;

close_fd:
	close(fd);
	return ret;
}

struct hlk_snap *hlk_snap_get(struct hlk_snap *snap)
{
	atomic_fetch_add(&snap->refs, 1);
	return snap;
}

EXPORT void hlk_snapshot_close(struct hlk_snap *snap)
{
	if (!snap || atomic_fetch_sub(&snap->refs, 1) != 1)
		return;
	if (atomic_load(&snap->program))
		munmap((void *)atomic_load(&snap->program), snap->program_bytes);
	close(snap->fd);
	hlk_saved_free(atomic_load(&snap->saved));
	free(atomic_load(&snap->vcpu));
	free(snap);
}

/* Arrays that are too short are no error: the counts are written then too */
int hlk_snap_read_info(int fd, struct hlk_snapshot_info *info, size_t size,
		       struct hlk_err *err)
{
	static const char op[] = "cannot read the snapshot";
	int ret = hlk_grow_head(&info->head, size, "hlk_snapshot_info", op, err);

	if (ret)
		return ret;
	if (!ioctl(fd, HLK_SNAPSHOT_INFO, info) || errno == EMSGSIZE)
		return 0;
	if (errno == ENOTTY)
		info->head.why = HLK_WHY_NOT_SNAPSHOT;
	return hlk_err_module(err, &info->head, op);
}

EXPORT int hlk_snapshot_get_info_sized(const struct hlk_snap *snap,
				       struct hlk_snapshot_info *info,
				       size_t size, struct hlk_err *err)
{
	hlk_err_clear(err);
	return hlk_snap_read_info(snap->fd, info, size, err);
}

EXPORT int hlk_snapshot_from_fd(int fd, struct hlk_snap **snap,
				struct hlk_err *err)
{
	int own;

	*snap = NULL;
	hlk_err_clear(err);
	own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (own < 0)
		return hlk_err_system(err, "cannot take the snapshot's fd");
	return hlk_snap_new(own, snap, err);
}

EXPORT int hlk_snapshot_fd(const struct hlk_snap *snap)
{
	return snap->fd;
}

static uint32_t module_flags(const struct hlk_snapshot_config *config)
{
	uint32_t flags = HLK_SNAPSHOT_COMPACT;

	if (config->flags & HLK_SNAP_FLAT)
		flags = 0;
	else if (!config->nr_roots && !(config->flags & HLK_SNAP_CR3))
		flags |= HLK_SNAPSHOT_GUEST_ROOTS;
	if (config->flags & HLK_SNAP_HOST_COW)
		flags |= HLK_SNAPSHOT_HOST_COW;
	if (config->flags & HLK_SNAP_STRICT)
		flags |= HLK_SNAPSHOT_STRICT;
	if (config->flags & HLK_SNAP_DEDUP)
		flags |= HLK_SNAPSHOT_DEDUP;
	return flags;
}

static int check_config(struct hlk_sandbox *sb,
			const struct hlk_snapshot_config *config)
{
	const uint32_t known = HLK_SNAP_FLAT | HLK_SNAP_HOST_COW |
			       HLK_SNAP_STRICT | HLK_SNAP_CR3 |
			       HLK_SNAP_DEDUP;
	const uint32_t compact = HLK_SNAP_HOST_COW | HLK_SNAP_STRICT |
				 HLK_SNAP_CR3;
	const char *text = NULL;
	int ret;

	ret = hlk_grow_flags(config->flags, known, "hlk_snapshot_config", op_make,
			     &sb->err);
	if (ret)
		return ret;
	if (config->__reserved)
		text = "a reserved field of struct hlk_snapshot_config is not 0";
	else if (config->flags & HLK_SNAP_FLAT &&
		 (config->nr_roots || config->flags & compact))
		text = "a flat snapshot has no roots and no flags of compact ones";
	else if (config->flags & HLK_SNAP_CR3 && config->nr_roots)
		text = "either CR3 or a list of roots";
	if (!text && config->flags & HLK_SNAP_FLAT && hlk_files_any(sb))
		return hlk_err_text(&sb->err, EOPNOTSUPP, HLK_WHAT_ARGUMENT, op_make,
				    "a flat snapshot does not take in files that are mapped");
	if (!text)
		return 0;
	return hlk_err_text(&sb->err, EINVAL, HLK_WHAT_ARGUMENT, op_make, "%s",
			    text);
}

/*
 * Bring the vCPU to where it was when the guest said that it is ready, so that
 * each call after a restore starts the same way.
 */
static int make_ready(struct hlk_sandbox *sb)
{
	struct kvm_regs *regs = &sb->run->s.regs.regs;
	int ret;

	ret = hlk_set_fpu(sb);
	if (ret)
		return ret;
	regs->rax = sb->dispatch;
	regs->rsp = sb->stack;
	sb->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
	return hlk_settle(sb);
}

static int take(struct hlk_sandbox *sb,
		const struct hlk_snapshot_config *config, int *fd)
{
	struct hlk_snapshot arg = {
		.head.size = sizeof(arg),
		.head.flags = module_flags(config),
		.nr_roots = config->nr_roots,
		.roots = (uintptr_t)config->roots,
	};
	const char *file;

	if (arg.head.flags & HLK_SNAPSHOT_COMPACT) {
		arg.input_bytes = sb->input.size;
		arg.output_bytes = sb->output.size;
	}
	if (ioctl(sb->hlk_fd, HLK_SNAPSHOT, &arg)) {
		file = errno == EFAULT ? hlk_files_short(sb) : NULL;
		if (file)
			return hlk_err_text(&sb->err, EFAULT, HLK_WHAT_FILE, op_make, "%s", file);
		return hlk_err_module(&sb->err, &arg.head, op_make);
	}
	*fd = arg.out_fd;
	return 0;
}

/**
 * hlk_snap_make() - make a snapshot of a sandbox
 * @sb: the sandbox, entered
 * @config: see hlk_sandbox_snapshot()
 * @snap: out: the snapshot
 *
 * Return: 0 or a negative errno
 */
int hlk_snap_make(struct hlk_sandbox *sb, const struct hlk_snapshot_config *config,
		  struct hlk_snap **snap)
{
	struct hlk_snapshot_config own = HLK_SNAPSHOT_CONFIG_INIT;
	int fd = -1;
	int ret;

	ret = hlk_check_ready(sb, op_make);
	if (!ret && config)
		ret = hlk_grow_take(&own, sizeof(own), HLK_FIRST_SNAPSHOT_CONFIG,
				    config, "hlk_snapshot_config", op_make,
				    &sb->err);
	if (!ret)
		ret = check_config(sb, &own);
	if (!ret && sb->agent)
		return hlk_agent_snapshot(sb, &own, snap);
	if (!ret)
		ret = make_ready(sb);
	if (!ret)
		ret = take(sb, &own, &fd);
	if (ret)
		return ret;
	/* What was private may be shared with the snapshot now. */
	hlk_forget_pages(sb);
	hlk_counter_forget(sb);
	ret = hlk_snap_new(fd, snap, &sb->err);
	if (ret)
		return ret;
	(*snap)->input_size = sb->input.size;
	(*snap)->output_size = sb->output.size;
	ret = hlk_vcpu_note(sb, *snap);
	if (ret) {
		hlk_snapshot_close(*snap);
		*snap = NULL;
	}
	return ret;
}

EXPORT int hlk_sandbox_snapshot(struct hlk_sandbox *sb,
				const struct hlk_snapshot_config *config,
				struct hlk_snap **snap)
{
	int ret;

	*snap = NULL;
	ret = hlk_enter(sb, op_make);
	return ret ? ret : hlk_leave(sb, hlk_snap_make(sb, config, snap));
}
