/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What the tests of libhlk against the module have in common: a guest, guest.c,
 * and sandboxes of it. One program includes it once.
 */
#ifndef LIBHLK_MODULE_H
#define LIBHLK_MODULE_H

#include <errno.h>
#include <hlk.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"

extern const unsigned char guest_elf[];
extern const unsigned char guest_elf_end[];

__asm__(".section .rodata\n"
	".globl guest_elf, guest_elf_end\n"
	"guest_elf: .incbin \"" GUEST_ELF "\"\n"
	"guest_elf_end: .previous\n");

#define UNUSED	__attribute__((unused))
#define MS	1000ULL		/* timeouts are in microseconds */

static struct hlk_ctx *ctx;

static inline const char *words(const struct hlk_err *err)
{
	static char line[256];

	return hlk_strerror(err, line, sizeof(line));
}

static inline const char *why(const struct hlk_sandbox *sb)
{
	return words(hlk_sandbox_error(sb));
}

/* The condition first, and the words of its failure only then */
#define tap_err(err, condition, ...) do {				\
	bool good_ = (condition);					\
	char said_[128];						\
									\
	snprintf(said_, sizeof(said_), __VA_ARGS__);			\
	tap(good_, "%s: %s", said_, words(err));			\
} while (0)

#define tap_why(sb, ...) tap_err(hlk_sandbox_error(sb), __VA_ARGS__)

static inline struct hlk_sandbox *make(const struct hlk_config *config)
{
	struct hlk_sandbox *sb;
	struct hlk_err err;

	if (hlk_sandbox_from_image(ctx, guest_elf, guest_elf_end - guest_elf,
				   config, &sb, &err)) {
		printf("# %s\n", words(&err));
		printf("Bail out! no sandbox\n");
		exit(1);
	}
	return sb;
}

/* A sandbox that is restored to a snapshot of the ready guest */
static inline struct hlk_sandbox *make_ready(const struct hlk_config *config,
					     uint32_t flags, struct hlk_snap **snap)
{
	struct hlk_snapshot_config how = HLK_SNAPSHOT_CONFIG_INIT;
	struct hlk_sandbox *sb = make(config);

	how.flags = flags;
	if (hlk_sandbox_boot(sb, 0) || hlk_sandbox_snapshot(sb, &how, snap) ||
	    hlk_sandbox_restore(sb, *snap)) {
		printf("# %s\n", why(sb));
		printf("Bail out! no snapshot\n");
		exit(1);
	}
	return sb;
}

static inline int call_u32(struct hlk_sandbox *sb, const char *name, uint32_t *value,
			   uint64_t timeout)
{
	size_t len = 0;
	int ret;

	*value = 0;
	ret = hlk_sandbox_call(sb, name, NULL, 0, value, sizeof(*value), &len,
			       timeout);
	return ret ? ret : len == sizeof(*value) ? 0 : -EIO;
}

static inline bool echoes(struct hlk_sandbox *sb, uint64_t timeout)
{
	char answer[16];
	size_t len;

	return !hlk_sandbox_call(sb, "e", "hello", 5, answer, sizeof(answer),
				 &len, timeout) &&
	       len == 5 && !memcmp(answer, "hello", 5);
}

static inline void open_ctx(void)
{
	struct hlk_err err;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (hlk_open(&ctx, &err)) {
		printf("Bail out! %s\n", words(&err));
		exit(1);
	}
}

static inline int finish(void)
{
	struct hlk_info info = {};

	hlk_get_info(ctx, &info, NULL);
	tap(info.version && !info.live_vms && !info.live_snapshots &&
	    !info.live_pages,
	    "nothing is left in the module: %llu VMs, %llu snapshots, %llu pages",
	    (unsigned long long)info.live_vms,
	    (unsigned long long)info.live_snapshots,
	    (unsigned long long)info.live_pages);
	hlk_close(ctx);
	return tap_done();
}

#endif /* LIBHLK_MODULE_H */
