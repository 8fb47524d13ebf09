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

static const char op[] = "cannot add or remove a host function";

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

static struct hlk_host_entry *find(const struct hlk_sandbox *sb,
				   const void *name, size_t len)
{
	struct hlk_host_entry *entry;

	for (entry = sb->functions; entry; entry = entry->next)
		if (!entry->removed && entry->name_len == len &&
		    !memcmp(entry->name, name, len))
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

/* What the library answers itself, if the embedder does not */
static bool is_files(const void *name, size_t len)
{
	return len == sizeof(HLK_GUEST_FILES) - 1 && !memcmp(name, HLK_GUEST_FILES, len);
}

/* @in is the element without its header; returns what the guest gets */
static uint32_t call(struct hlk_sandbox *sb, const struct hlk_guest_call *head,
		     const unsigned char *in, void *out, size_t out_size,
		     size_t *out_len)
{
	const struct hlk_host_entry *entry = find(sb, in, head->name_len);
	int ret;

	if (!entry && is_files(in, head->name_len))
		return -hlk_files_list(sb, out, out_size, out_len);
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
	/* A function may say that its answer is longer than what it wrote. */
	if (sb->stale)
		memset(out, 0, sb->input.size);
	sb->stale = false;
	status = call(sb, &head, sb->bounce + sizeof(head), out, out_size,
		      &out_len);
	ret = reply(sb, status, out, status ? 0 : out_len);
	if (ret == -ENOBUFS && !status)
		ret = reply(sb, EMSGSIZE, NULL, 0);
	return ret ? hlk_exit_buffer(sb, ret) : 0;
}

static void drop(struct hlk_host_entry **at)
{
	struct hlk_host_entry *entry = *at;

	*at = entry->next;
	free(entry);
}

static int remove_function(struct hlk_sandbox *sb, const char *name,
			   struct hlk_host_entry *entry)
{
	struct hlk_host_entry **at = &sb->functions;

	if (!entry)
		return hlk_err_text(&sb->err, ENOENT, HLK_WHAT_ARGUMENT, op,
				    "there is no host function %s", name);
	if (entry->set_up) {
		entry->removed = true;
		return 0;
	}
	while (*at != entry)
		at = &(*at)->next;
	drop(at);
	return 0;
}

static int add_function(struct hlk_sandbox *sb, const char *name, size_t len,
			hlk_host_fn fn, void *arg)
{
	struct hlk_host_entry *entry = malloc(sizeof(*entry) + len);

	if (!entry)
		return hlk_err_system(&sb->err, op);
	*entry = (struct hlk_host_entry) {
		.next = sb->functions,
		.fn = fn,
		.arg = arg,
		.name_len = len,
	};
	memcpy(entry->name, name, len);
	sb->functions = entry;
	return 0;
}

static int host_function(struct hlk_sandbox *sb, const char *name, hlk_host_fn fn,
			 void *arg)
{
	size_t len = strlen(name);
	struct hlk_host_entry *entry;

	if (!len || len > MAX_NAME)
		return hlk_err_text(&sb->err, EINVAL, HLK_WHAT_ARGUMENT, op,
				    "a name has 1 to %d bytes", MAX_NAME);
	entry = find(sb, name, len);
	if (!fn)
		return remove_function(sb, name, entry);
	if (entry)
		return hlk_err_text(&sb->err, EEXIST, HLK_WHAT_EXISTS, op,
				    "%s", name);
	return add_function(sb, name, len, fn, arg);
}

EXPORT int hlk_sandbox_host_function(struct hlk_sandbox *sb, const char *name,
				     hlk_host_fn fn, void *arg)
{
	int ret = hlk_enter(sb, op);

	return ret ? ret : hlk_leave(sb, host_function(sb, name, fn, arg));
}

/**
 * hlk_host_set_up() - the functions and files that are there now are those of a pool's set-up
 * @sb: the sandbox
 */
void hlk_host_set_up(struct hlk_sandbox *sb)
{
	struct hlk_host_entry *entry;

	for (entry = sb->functions; entry; entry = entry->next)
		entry->set_up = true;
	hlk_files_set_up(sb);
}

/**
 * hlk_host_reset() - those, and no others
 * @sb: the sandbox
 */
void hlk_host_reset(struct hlk_sandbox *sb)
{
	struct hlk_host_entry **at = &sb->functions;

	hlk_files_reset(sb);
	while (*at) {
		if (!(*at)->set_up) {
			drop(at);
			continue;
		}
		(*at)->removed = false;
		at = &(*at)->next;
	}
}

/**
 * hlk_host_copy() - have the functions of another sandbox
 * @sb: a new sandbox
 * @from: the other one
 *
 * Return: 0 or a negative errno
 */
int hlk_host_copy(struct hlk_sandbox *sb, const struct hlk_sandbox *from)
{
	const struct hlk_host_entry *entry;
	int ret;

	for (entry = from->functions; entry; entry = entry->next) {
		if (entry->removed)
			continue;
		ret = add_function(sb, entry->name, entry->name_len, entry->fn, entry->arg);
		if (ret)
			return ret;
	}
	return 0;
}

void hlk_host_free(struct hlk_sandbox *sb)
{
	while (sb->functions)
		drop(&sb->functions);
}
