// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What the guest asks of the host: to print, and to call functions.
 *
 * It pushes an element on the output buffer and does an OUT. The element is
 * copied out in one go, and the copy is judged.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define MAX_NAME	63

/**
 * hlk_host_print() - the guest pushed text
 * @sb: the sandbox
 *
 * Return: 0 or a negative errno
 */
int hlk_host_print(struct hlk_sandbox *sb)
{
	uint32_t len;
	int ret = hlk_buffer_pop(&sb->output, sb->bounce, &len);

	if (ret)
		return hlk_exit_buffer(sb, ret);
	if (sb->print && len)
		sb->print(sb->print_arg, (const char *)sb->bounce, len);
	return 0;
}

static const struct hlk_host_entry *find(const struct hlk_sandbox *sb,
					 const void *name, size_t len)
{
	const struct hlk_host_entry *entry;

	for (entry = sb->functions; entry; entry = entry->next)
		if (entry->name_len == len && !memcmp(entry->name, name, len))
			return entry;
	return NULL;
}

static int reply(struct hlk_sandbox *sb, uint32_t status, void *out, size_t len)
{
	struct hlk_guest_ret ret = {
		.magic = HLK_GUEST_RET_MAGIC,
		.status = status,
		.len = len,
	};
	const struct iovec part[] = {
		{ &ret, sizeof(ret) },
		{ out, len },
	};

	return hlk_buffer_push(&sb->input, part, 2);
}

/* @in is the element without its header; returns what the guest gets */
static uint32_t call(struct hlk_sandbox *sb, const struct hlk_guest_call *head,
		     const unsigned char *in, void *out, size_t out_size,
		     size_t *out_len)
{
	const struct hlk_host_entry *entry = find(sb, in, head->name_len);
	int ret;

	if (!entry)
		return ENOENT;
	ret = entry->fn(entry->arg, in + head->name_len, head->arg_len, out,
			out_size, out_len);
	if (ret)
		return ret < 0 ? -ret : ret;
	return *out_len > out_size ? EMSGSIZE : 0;
}

/**
 * hlk_host_call() - the guest pushed a call
 * @sb: the sandbox
 *
 * Return: 0 or a negative errno
 */
int hlk_host_call(struct hlk_sandbox *sb)
{
	unsigned char *out = sb->bounce + sb->output.size;
	size_t out_size = hlk_buffer_room(&sb->input) -
			  sizeof(struct hlk_guest_ret);
	struct hlk_guest_call head;
	uint32_t len, status;
	size_t out_len = 0;
	int ret;

	ret = hlk_buffer_pop(&sb->output, sb->bounce, &len);
	if (ret)
		return hlk_exit_buffer(sb, ret);
	if (len < sizeof(head))
		return hlk_exit_set(sb, HLK_EXIT_PROTOCOL, 0);
	memcpy(&head, sb->bounce, sizeof(head));
	len -= sizeof(head);
	if (head.magic != HLK_GUEST_CALL_MAGIC || head.name_len > len ||
	    head.arg_len > len - head.name_len)
		return hlk_exit_set(sb, HLK_EXIT_PROTOCOL, 0);
	status = call(sb, &head, sb->bounce + sizeof(head), out, out_size,
		      &out_len);
	ret = reply(sb, status, out, status ? 0 : out_len);
	if (ret == -ENOBUFS && !status)
		ret = reply(sb, EMSGSIZE, NULL, 0);
	return ret ? hlk_exit_buffer(sb, ret) : 0;
}

EXPORT int hlk_sandbox_host_function(struct hlk_sandbox *sb, const char *name,
				     hlk_host_fn fn, void *arg)
{
	static const char op[] = "cannot add a host function";
	struct hlk_host_entry *entry;
	size_t len = strlen(name);

	if (sb->in_call)
		return hlk_err_set(&sb->err, EBUSY, HLK_WHAT_IN_CALL, op);
	if (!len || len > MAX_NAME)
		return hlk_err_text(&sb->err, EINVAL, HLK_WHAT_ARGUMENT, op,
				    "a name has 1 to %d bytes", MAX_NAME);
	if (find(sb, name, len))
		return hlk_err_text(&sb->err, EEXIST, HLK_WHAT_EXISTS, op,
				    "%s", name);
	entry = malloc(sizeof(*entry) + len);
	if (!entry)
		return hlk_err_system(&sb->err, op);
	entry->fn = fn;
	entry->arg = arg;
	entry->name_len = len;
	memcpy(entry->name, name, len);
	entry->next = sb->functions;
	sb->functions = entry;
	return hlk_err_clear(&sb->err);
}

void hlk_host_free(struct hlk_sandbox *sb)
{
	struct hlk_host_entry *entry;

	while ((entry = sb->functions)) {
		sb->functions = entry->next;
		free(entry);
	}
}
