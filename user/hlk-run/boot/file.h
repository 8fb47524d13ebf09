/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run boot: files that go into a machine. */
#ifndef HLK_RUN_BOOT_FILE_H
#define HLK_RUN_BOOT_FILE_H

#include <stddef.h>

int file_read(const char *name, void **data, size_t *size);

#endif /* HLK_RUN_BOOT_FILE_H */
