// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The version, and structs of callers that were compiled with another one.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "grow.h"

#define EXPORT __attribute__((visibility("default")))

#define TEXT_(number)	#number
#define TEXT(number)	TEXT_(number)

static const char version[] = TEXT(HLK_VERSION_MAJOR) "." TEXT(HLK_VERSION_MINOR)
			      "." TEXT(HLK_VERSION_PATCH);

/* What the caller allocates and has no size: never larger, nor smaller */
#if UINTPTR_MAX > UINT32_MAX
_Static_assert(sizeof(struct hlk_err) == 192, "struct hlk_err");
_Static_assert(HLK_FIRST_CONFIG == 80, "struct hlk_config");
_Static_assert(HLK_FIRST_SNAPSHOT_CONFIG == 24, "struct hlk_snapshot_config");
_Static_assert(HLK_FIRST_POOL_CONFIG == 40, "struct hlk_pool_config");
_Static_assert(HLK_FIRST_KERNEL == 80, "struct hlk_kernel");
_Static_assert(HLK_FIRST_MACHINE_CONFIG == 64, "struct hlk_machine_config");
_Static_assert(HLK_FIRST_MACHINE_RUN == 96, "struct hlk_machine_run");
_Static_assert(HLK_FIRST_SAVE_CONFIG == 120, "struct hlk_save_config");
_Static_assert(HLK_FIRST_FILE == 48, "struct hlk_file");
_Static_assert(HLK_FIRST_LOAD_CONFIG == 48, "struct hlk_load_config");
_Static_assert(sizeof(struct hlk_module) == 24, "struct hlk_module");
_Static_assert(sizeof(struct hlk_ram) == 24, "struct hlk_ram");
#endif
_Static_assert(sizeof(struct hlk_regs) == 128, "struct hlk_regs");

EXPORT uint32_t hlk_version(void)
{
	return HLK_VERSION;
}

EXPORT const char *hlk_version_text(void)
{
	return version;
}

static int fail(struct hlk_err *err, int code, enum hlk_what what,
		const char *op, const char *name, uint64_t where)
{
	hlk_err_text(err, code, what, op, "struct %s", name);
	if (err)
		err->where = where;
	return -code;
}

/**
 * hlk_grow_take() - take a struct that the caller filled in
 * @to: where it goes; what an older caller does not have of it is 0. Begins, as
 *	all of them do, with its size
 * @known: its size
 * @first: that of its first version
 * @from: the caller's
 * @name: its name
 * @op: what it is for
 * @err: why it cannot be taken
 *
 * Return: 0; -EINVAL if it is too small; -E2BIG if there is something in it
 * that is not known
 */
int hlk_grow_take(void *to, size_t known, size_t first, const void *from,
		  const char *name, const char *op, struct hlk_err *err)
{
	const unsigned char *bytes = from;
	uint32_t size, now = known;
	size_t i;

	memcpy(&size, from, sizeof(size));
	if (size < first || size > HLK_MAX_STRUCT)
		return fail(err, EINVAL, HLK_WHAT_STRUCT, op, name, size);
	for (i = known; i < size; i++)
		if (bytes[i])
			return fail(err, E2BIG, HLK_WHAT_NEWER, op, name, i);
	memset(to, 0, known);
	memcpy(to, from, size < known ? size : known);
	memcpy(to, &now, sizeof(now));
	return 0;
}

/**
 * hlk_grow_flags() - refuse flags that are not known
 * @flags: the flags
 * @known: those that are
 * @name: the struct in which they are
 * @op: what they are for
 * @err: why they are refused
 *
 * Return: 0 or -EOPNOTSUPP
 */
int hlk_grow_flags(uint32_t flags, uint32_t known, const char *name,
		   const char *op, struct hlk_err *err)
{
	if (flags & ~known)
		return fail(err, EOPNOTSUPP, HLK_WHAT_FLAGS, op, name,
			    flags & ~known);
	return 0;
}

/**
 * hlk_grow_head() - begin a struct that the module knows, too
 * @head: the start of the caller's struct
 * @size: its size as the caller knows it: the module does what is to be done
 * @name: its name
 * @op: what it is for
 * @err: why it cannot be
 *
 * Return: 0, or -EINVAL if it is no such struct
 */
int hlk_grow_head(struct hlk_head *head, size_t size, const char *name,
		  const char *op, struct hlk_err *err)
{
	if (size < sizeof(*head) || size > HLK_MAX_STRUCT)
		return fail(err, EINVAL, HLK_WHAT_STRUCT, op, name, size);
	*head = (struct hlk_head) { .size = size };
	return 0;
}

/**
 * hlk_grow_reply() - begin one that the module fills in, all of it
 * @head: as for hlk_grow_head()
 * @size: as for hlk_grow_head()
 * @name: as for hlk_grow_head()
 * @op: as for hlk_grow_head()
 * @err: as for hlk_grow_head()
 *
 * What an older module does not know of it is 0.
 *
 * Return: as hlk_grow_head()
 */
int hlk_grow_reply(struct hlk_head *head, size_t size, const char *name,
		   const char *op, struct hlk_err *err)
{
	int ret = hlk_grow_head(head, size, name, op, err);

	if (!ret)
		memset(head + 1, 0, size - sizeof(*head));
	return ret;
}
