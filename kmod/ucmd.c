// SPDX-License-Identifier: GPL-2.0-only
/*
 * One ioctl: the struct is read and checked, the handler called, the reply written.
 */
#include <linux/file.h>
#include <linux/nospec.h>
#include <linux/uaccess.h>

#include "hlk.h"

/**
 * hlk_ucmd_new() - give a new object an fd
 * @ucmd: the call
 * @file: the object's file; taken over
 * @out_fd: where the reply says the fd
 *
 * The dispatcher installs it once nothing can fail any more.
 *
 * Return: 0 or an errno
 */
int hlk_ucmd_new(struct hlk_ucmd *ucmd, struct file *file, s32 *out_fd)
{
	int fd = get_unused_fd_flags(O_CLOEXEC);

	if (fd < 0) {
		fput(file);
		return fd;
	}
	ucmd->new_file = file;
	ucmd->new_fd = fd;
	*out_fd = fd;
	return 0;
}

static void ucmd_finish(struct hlk_ucmd *ucmd, int ret)
{
	if (!ucmd->new_file)
		return;
	if (!ret) {
		fd_install(ucmd->new_fd, ucmd->new_file);
		return;
	}
	put_unused_fd(ucmd->new_fd);
	fput(ucmd->new_file);
}

/*
 * Of what is called most. The compiler knows that such a copy stays within the buffer, of
 * any other size the kernel looks at the stack.
 */
#define USUAL_SIZE	sizeof(struct hlk_run)

static int ucmd_read(struct hlk_ucmd *ucmd, const struct hlk_op *op,
		     void __user *from, u32 size)
{
	struct hlk_head *head = ucmd->cmd;
	int ret;

	if (size < op->min_size)
		return hlk_fail(&ucmd->at, -EINVAL, HLK_WHY_SIZE, 0, op->min_size);
	/* the tail is looked at in one go */
	if (size > HLK_MAX_STRUCT)
		return hlk_fail(&ucmd->at, -E2BIG, HLK_WHY_SIZE, 0, HLK_MAX_STRUCT);
	if (likely(size == USUAL_SIZE && op->size == USUAL_SIZE))
		ret = copy_from_user(head, from, USUAL_SIZE) ? -EFAULT : 0;
	else
		ret = copy_struct_from_user(head, op->size, from, size);
	if (ret == -E2BIG)
		return hlk_fail(&ucmd->at, ret, HLK_WHY_TAIL, 0, op->size);
	if (ret)
		return ret;
	if (head->flags & ~op->flags)
		return hlk_fail(&ucmd->at, -EOPNOTSUPP, HLK_WHY_FLAGS, 0, op->flags);
	return 0;
}

static void ucmd_tell(const struct hlk_ucmd *ucmd, struct hlk_head *head)
{
	head->why = ucmd->at.why;
	head->index = ucmd->at.index;
	head->where = ucmd->at.where;
}

static int ucmd_reply(void __user *to, const union hlk_cmd_buffer *from, u32 size)
{
	unsigned long left = likely(size == USUAL_SIZE) ?
			     copy_to_user(to, from, USUAL_SIZE) :
			     copy_to_user(to, from, size);

	return left ? -EFAULT : 0;
}

/* Tell why the struct was not read, whatever its size, if it has room for it. */
static void ucmd_refuse(const struct hlk_ucmd *ucmd, void __user *to, u32 size)
{
	const size_t skip = offsetof(struct hlk_head, why);
	struct hlk_head head;

	ucmd_tell(ucmd, &head);
	/* the call has failed, and cannot say more if this does */
	if (size >= sizeof(head) &&
	    copy_to_user(to + skip, (void *)&head + skip, sizeof(head) - skip))
		return;
}

/**
 * hlk_ioctl() - the ioctl of every file of the module
 * @file: the file
 * @cmd: the number
 * @arg: user pointer to the struct
 * @nowait: see struct hlk_ucmd
 * @ops: the file's table
 * @first: command of its first row
 * @nr: how many rows
 *
 * Return: 0 or an errno
 */
long hlk_ioctl(struct file *file, unsigned int cmd, unsigned long arg, bool nowait,
	       const struct hlk_op *ops, u32 first, u32 nr)
{
	void __user *user = (void __user *)arg;
	/* read in whole, as far as it is used */
	union hlk_cmd_buffer buffer __uninitialized;
	struct hlk_ucmd ucmd = { .cmd = &buffer, .nowait = nowait };
	const struct hlk_op *op;
	u32 row;
	u32 size;
	int ret;

	if (cmd != _IO(HLK_IOC_TYPE, _IOC_NR(cmd)))
		return -ENOTTY;
	row = _IOC_NR(cmd) - first;
	if (row >= nr)
		return -ENOTTY;
	op = &ops[array_index_nospec(row, nr)];
	if (!op->execute)
		return -ENOTTY;
	if (get_user(size, (u32 __user *)user))
		return -EFAULT;
	ret = ucmd_read(&ucmd, op, user, size);
	if (ret) {
		ucmd_refuse(&ucmd, user, size);
		return ret;
	}
	ret = op->execute(file->private_data, &ucmd);
	buffer.head.size = size;
	ucmd_tell(&ucmd, &buffer.head);
	if (ucmd_reply(user, &buffer, min(size, op->size)) && !ret)
		ret = -EFAULT;
	ucmd_finish(&ucmd, ret);
	return ret;
}
