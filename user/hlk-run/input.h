/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run: files that are read. */
#ifndef HLK_RUN_INPUT_H
#define HLK_RUN_INPUT_H

#include <stddef.h>
#include <stdint.h>

#define INPUT_LARGEST	(1ULL << 32)

int input_fail(const char *name, const char *why);
int input_read(int fd, const char *name, uint64_t most, void **data, size_t *size);
int input_any(const char *path, uint64_t most, void **data, size_t *size);
int input_open(const char *path, const char *name, uint64_t most, void **data,
	       size_t *size);

#endif /* HLK_RUN_INPUT_H */
