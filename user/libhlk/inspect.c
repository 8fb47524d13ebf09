// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Looking at a guest that is at rest, a sandbox's or another VM's. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "internal.h"

#define PAGE	HLK_GUEST_PAGE_SIZE

static const char op_read[] = "cannot read guest memory";
static const char op_roots[] = "cannot list the roots";
static const char op_write[] = "cannot write guest memory";

EXPORT int hlk_sandbox_stats_sized(struct hlk_sandbox *sb,
				   struct hlk_vm_stats *stats, size_t size)
{
	static const char op[] = "cannot read statistics";
	/* In a call the error is the call's. */
	bool mine = !hlk_enter(sb, op);
	struct hlk_err *err = mine ? &sb->err : NULL;
	int ret = hlk_grow_reply(&stats->head, size, "hlk_vm_stats", op, err);

	if (!ret && ioctl(sb->hlk_fd, HLK_VM_STATS, stats))
		ret = hlk_err_module(err, &stats->head, op);
	return mine ? hlk_leave(sb, ret) : ret;
}

EXPORT int hlk_sandbox_translate_sized(struct hlk_sandbox *sb,
				       struct hlk_translate *translate,
				       size_t size)
{
	static const char op[] = "cannot translate an address";
	int ret = hlk_debug_enter(sb, op);

	if (ret)
		return ret;
	ret = hlk_grow_head(&translate->head, size, "hlk_translate", op, &sb->err);
	if (!ret && ioctl(sb->hlk_fd, HLK_TRANSLATE, translate))
		ret = hlk_err_module(&sb->err, &translate->head, op);
	return hlk_leave(sb, ret);
}

EXPORT int hlk_sandbox_walk_sized(struct hlk_sandbox *sb, struct hlk_walk *walk,
				  size_t size)
{
	static const char op[] = "cannot walk the page tables";
	int ret = hlk_debug_enter(sb, op);

	if (ret)
		return ret;
	ret = hlk_grow_head(&walk->head, size, "hlk_walk", op, &sb->err);
	if (!ret && ioctl(sb->hlk_fd, HLK_WALK, walk))
		ret = hlk_err_module(&sb->err, &walk->head, op);
	return hlk_leave(sb, ret);
}

EXPORT int hlk_sandbox_mark_cow_sized(struct hlk_sandbox *sb,
				      struct hlk_mark_cow *mark, size_t size)
{
	static const char op[] = "cannot mark pages copy-on-write";
	int ret = hlk_enter(sb, op);

	if (ret)
		return ret;
	ret = hlk_grow_head(&mark->head, size, "hlk_mark_cow", op, &sb->err);
	if (!ret && ioctl(sb->hlk_fd, HLK_MARK_COW, mark))
		ret = hlk_err_module(&sb->err, &mark->head, op);
	return hlk_leave(sb, ret);
}

/* Memory of the guest, with pages that are there, so that access cannot fail */
static int reach(struct hlk_sandbox *sb, uint64_t gpa, size_t len, bool write,
		 unsigned char **mem)
{
	const char *op = write ? op_write : op_read;
	int ret;

	*mem = hlk_vm_at(sb, gpa, len);
	if (!*mem)
		return hlk_err_where(&sb->err, ENODEV, HLK_WHAT_SYSTEM, gpa,
				     op);
	ret = hlk_populate(*mem - gpa % PAGE,
			   (gpa % PAGE + len + PAGE - 1) / PAGE * PAGE, write);
	return ret ? hlk_exit_host(sb, ret, op) : 0;
}

static int read_memory(struct hlk_sandbox *sb, uint64_t gpa, void *buf, size_t len)
{
	unsigned char *mem;
	int ret = reach(sb, gpa, len, false, &mem);

	if (!ret)
		memcpy(buf, mem, len);
	return ret;
}

EXPORT int hlk_sandbox_read(struct hlk_sandbox *sb, uint64_t gpa, void *buf,
			    size_t len)
{
	int ret = hlk_debug_enter(sb, op_read);

	return ret ? ret : hlk_leave(sb, read_memory(sb, gpa, buf, len));
}

EXPORT int hlk_sandbox_write(struct hlk_sandbox *sb, uint64_t gpa,
			     const void *buf, size_t len)
{
	unsigned char *mem;
	int ret = hlk_debug_enter(sb, op_write);

	if (ret)
		return ret;
	ret = reach(sb, gpa, len, true, &mem);
	if (!ret)
		memcpy(mem, buf, len);
	return hlk_leave(sb, ret);
}

static int read_roots(struct hlk_sandbox *sb, uint64_t *roots, uint32_t *nr_roots)
{
	uint64_t gpa = HLK_GUEST_SCRATCH_TOP - HLK_GUEST_OFF_ROOTS;
	uint32_t room = *nr_roots;
	uint64_t count;
	int ret;

	ret = read_memory(sb, gpa, &count, sizeof(count));
	if (ret)
		return ret;
	*nr_roots = count > HLK_GUEST_MAX_ROOTS ? HLK_GUEST_MAX_ROOTS : count;
	if (*nr_roots > room)
		return hlk_err_set(&sb->err, EMSGSIZE, HLK_WHAT_NONE,
				   op_roots);
	return read_memory(sb, gpa + sizeof(count), roots,
			   *nr_roots * sizeof(*roots));
}

EXPORT int hlk_sandbox_roots(struct hlk_sandbox *sb, uint64_t *roots,
			     uint32_t *nr_roots)
{
	int ret = hlk_enter(sb, op_roots);

	return ret ? ret : hlk_leave(sb, read_roots(sb, roots, nr_roots));
}

EXPORT int hlk_sandbox_fd(const struct hlk_sandbox *sb, enum hlk_fd which)
{
	switch (which) {
	case HLK_FD_HLK:
		return sb->hlk_fd;
	case HLK_FD_VM:
		return sb->vm_fd;
	case HLK_FD_VCPU:
		return sb->vcpu_fd;
	}
	return -EINVAL;
}

/**
 * struct hlk_inspect - see hlk_inspect_open()
 * @fd: the hlk VM
 */
struct hlk_inspect {
	int fd;
};

EXPORT int hlk_inspect_open(struct hlk_ctx *ctx, int vm_fd,
			    struct hlk_inspect **out, struct hlk_err *err)
{
	static const char op[] = "cannot look at the VM";
	struct hlk_vm_attach attach = {
		.head.size = sizeof(attach),
		.head.flags = HLK_ATTACH_INSPECT,
		.vm_fd = vm_fd,
	};
	struct hlk_inspect *inspect;
	int ret;

	*out = NULL;
	inspect = malloc(sizeof(*inspect));
	if (!inspect)
		return hlk_err_system(err, op);
	if (ioctl(ctx->hlk_fd, HLK_VM_ATTACH, &attach)) {
		ret = hlk_err_module(err, &attach.head, op);
		free(inspect);
		return ret;
	}
	inspect->fd = attach.out_fd;
	*out = inspect;
	return hlk_err_clear(err);
}

EXPORT void hlk_inspect_close(struct hlk_inspect *inspect)
{
	if (!inspect)
		return;
	close(inspect->fd);
	free(inspect);
}

EXPORT int hlk_inspect_translate_sized(struct hlk_inspect *inspect,
				       struct hlk_translate *translate,
				       size_t size, struct hlk_err *err)
{
	static const char op[] = "cannot translate an address";
	int ret = hlk_grow_head(&translate->head, size, "hlk_translate", op, err);

	if (ret)
		return ret;
	if (ioctl(inspect->fd, HLK_TRANSLATE, translate))
		return hlk_err_module(err, &translate->head, op);
	return hlk_err_clear(err);
}

EXPORT int hlk_inspect_walk_sized(struct hlk_inspect *inspect,
				  struct hlk_walk *walk, size_t size,
				  struct hlk_err *err)
{
	static const char op[] = "cannot walk the page tables";
	int ret = hlk_grow_head(&walk->head, size, "hlk_walk", op, err);

	if (ret)
		return ret;
	if (ioctl(inspect->fd, HLK_WALK, walk))
		return hlk_err_module(err, &walk->head, op);
	return hlk_err_clear(err);
}

EXPORT int hlk_inspect_read(struct hlk_inspect *inspect, uint64_t gpa, void *buf,
			    size_t *len, struct hlk_err *err)
{
	struct hlk_read read = {
		.head.size = sizeof(read),
		.gpa = gpa,
		.bytes = *len,
		.data = (uintptr_t)buf,
	};
	int ret = ioctl(inspect->fd, HLK_READ, &read);

	/* a module that does not know it has not read anything */
	*len = read.done;
	if (ret)
		return hlk_err_module(err, &read.head, op_read);
	return hlk_err_clear(err);
}
