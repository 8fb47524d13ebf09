/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run: names of a guest's functions. */
#ifndef HLK_RUN_SYMBOL_H
#define HLK_RUN_SYMBOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool symbol_at(const char *path, uint64_t addr, char *name, size_t size);

#endif /* HLK_RUN_SYMBOL_H */
