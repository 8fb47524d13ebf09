// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Structs of callers that are older or newer than the library. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../grow.h"
#include "tap.h"

#define FIRST	HLK_FIRST_CONFIG

static const char op[] = "cannot test";

/* A caller's struct of @size bytes, in memory that ends with it */
static struct hlk_config *caller(uint32_t size)
{
	struct hlk_config *config = calloc(1, size);

	memcpy(config, &size, sizeof(size));
	return config;
}

static int take(struct hlk_config *to, const void *from, struct hlk_err *err)
{
	memset(to, 0x55, sizeof(*to));
	return hlk_grow_take(to, sizeof(*to), FIRST, from, "hlk_config", op, err);
}

static bool says(const struct hlk_err *err, enum hlk_what what, uint64_t where)
{
	char line[256];

	hlk_strerror(err, line, sizeof(line));
	printf("# %s\n", line);
	return err->what == what && err->where == where &&
	       !strcmp(err->text, "struct hlk_config") && strstr(line, "hlk_config");
}

static void sizes(void)
{
	struct hlk_config *from, to;
	struct hlk_err err = {};
	uint32_t size;
	bool good = true;

	for (size = sizeof(uint32_t); size < FIRST; size++) {
		from = caller(size);
		good &= take(&to, from, &err) == -EINVAL &&
			err.what == HLK_WHAT_STRUCT && err.where == size;
		free(from);
	}
	tap(good && says(&err, HLK_WHAT_STRUCT, FIRST - 1), "too short");
	for (size = FIRST; size <= HLK_MAX_STRUCT; size++) {
		from = caller(size);
		from->mem_size = size;
		from->print_arg = from;
		good &= !take(&to, from, &err) && to.size == sizeof(to) &&
			to.mem_size == size && to.print_arg == from && !to.flags;
		free(from);
	}
	tap(good, "each size from the first on, with zeroes behind");
	from = caller(HLK_MAX_STRUCT + 1);
	tap(take(&to, from, &err) == -EINVAL &&
	    says(&err, HLK_WHAT_STRUCT, HLK_MAX_STRUCT + 1), "too long");
	memset(from, 0xff, sizeof(uint32_t));
	tap(take(&to, from, &err) == -EINVAL && says(&err, HLK_WHAT_STRUCT, ~0U),
	    "not initialised");
	tap(take(&to, from, NULL) == -EINVAL, "and nobody wants to know");
	free(from);
}

/* What an older caller does not have is 0, and is not read */
static void older(void)
{
	struct { struct hlk_config now; uint64_t newer; } to;
	struct hlk_config *from = caller(FIRST);
	struct hlk_err err = {};

	memset(&to, 0x55, sizeof(to));
	from->keep_private = 7;
	tap(!hlk_grow_take(&to, sizeof(to), FIRST, from, "hlk_config", op, &err) &&
	    to.now.size == sizeof(to) && to.now.keep_private == 7 && !to.newer,
	    "an older caller");
	free(from);
}

static void newer(void)
{
	const uint32_t size = sizeof(struct hlk_config) + 40;
	struct hlk_config *from = caller(size), to;
	struct hlk_err err = {};
	bool good = true;
	uint32_t at;

	for (at = sizeof(to); at < size; at++) {
		((unsigned char *)from)[at] = 1;
		good &= take(&to, from, &err) == -E2BIG && err.where == at;
		((unsigned char *)from)[at] = 0;
	}
	tap(good && says(&err, HLK_WHAT_NEWER, size - 1), "a newer caller's wish");
	free(from);
}

static void flags(void)
{
	struct hlk_err err = {};

	tap(!hlk_grow_flags(5, 7, "hlk_config", op, &err), "flags");
	tap(hlk_grow_flags(13, 7, "hlk_config", op, &err) == -EOPNOTSUPP &&
	    says(&err, HLK_WHAT_FLAGS, 8), "a flag that is not known");
}

static void replies(void)
{
	struct hlk_head *head = malloc(100);
	unsigned char *bytes = (void *)head;
	struct hlk_err err = {};
	int i, set = 0;

	memset(bytes, 0x55, 100);
	tap(hlk_grow_head(head, sizeof(*head) - 1, "hlk_config", op, &err) == -EINVAL &&
	    says(&err, HLK_WHAT_STRUCT, sizeof(*head) - 1) && bytes[0] == 0x55,
	    "no room for a head");
	tap(hlk_grow_head(head, HLK_MAX_STRUCT + 1, "hlk_config", op, &err) == -EINVAL,
	    "a head of too much");
	tap(!hlk_grow_head(head, 90, "hlk_config", op, &err) && head->size == 90 &&
	    !head->flags && !head->where && bytes[sizeof(*head)] == 0x55, "a head");
	tap(!hlk_grow_reply(head, 90, "hlk_config", op, &err) && head->size == 90,
	    "a reply");
	for (i = sizeof(*head); i < 100; i++)
		set += bytes[i] == (i < 90 ? 0 : 0x55);
	tap(set == 100 - sizeof(*head), "it is cleared, and no more");
	free(head);
}

static void version(void)
{
	char text[32];

	snprintf(text, sizeof(text), "%u.%u.%u", hlk_version() >> 16,
		 hlk_version() >> 8 & 255, hlk_version() & 255);
	tap(hlk_version() == HLK_VERSION && !strcmp(text, hlk_version_text()),
	    "version %s", text);
}

int main(void)
{
	sizes();
	older();
	newer();
	flags();
	replies();
	version();
	return tap_done();
}
