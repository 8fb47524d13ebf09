/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Structs of callers that were compiled with another version of the library. */
#ifndef LIBHLK_GROW_H
#define LIBHLK_GROW_H

#include "error.h"

/* Sizes of the first versions, which never change: up to the field that was last */
#define HLK_FIRST_CONFIG \
	(offsetof(struct hlk_config, print_arg) + sizeof(void *))
#define HLK_FIRST_SNAPSHOT_CONFIG \
	(offsetof(struct hlk_snapshot_config, __reserved) + sizeof(uint32_t))
#define HLK_FIRST_POOL_CONFIG \
	(offsetof(struct hlk_pool_config, setup_arg) + sizeof(void *))
#define HLK_FIRST_KERNEL \
	(offsetof(struct hlk_kernel, rsdp) + sizeof(uint64_t))
#define HLK_FIRST_MACHINE_CONFIG \
	(offsetof(struct hlk_machine_config, print_arg) + sizeof(void *))
#define HLK_FIRST_MACHINE_RUN \
	(offsetof(struct hlk_machine_run, exits) + sizeof(uint64_t))
#define HLK_FIRST_SAVE_CONFIG \
	(offsetof(struct hlk_save_config, digest) + HLK_SAVED_DIGEST)
#define HLK_FIRST_FILE \
	(offsetof(struct hlk_file, label) + sizeof(char *))
#define HLK_FIRST_LOAD_CONFIG \
	(offsetof(struct hlk_load_config, __reserved) + sizeof(uint32_t))
#define HLK_FIRST_MACHINE_DEVICE \
	(offsetof(struct hlk_machine_device, load) + sizeof(void *))

int hlk_grow_take(void *to, size_t known, size_t first, const void *from,
		  const char *name, const char *op, struct hlk_err *err);
int hlk_grow_flags(uint32_t flags, uint32_t known, const char *name,
		   const char *op, struct hlk_err *err);
int hlk_grow_head(struct hlk_head *head, size_t size, const char *name,
		  const char *op, struct hlk_err *err);
int hlk_grow_reply(struct hlk_head *head, size_t size, const char *name,
		   const char *op, struct hlk_err *err);

#endif /* LIBHLK_GROW_H */
