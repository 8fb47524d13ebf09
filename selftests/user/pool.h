/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The shim's memory for benchmarks.
 */
#ifndef _POOL_H
#define _POOL_H

#include <stddef.h>

void pool_init(size_t nr);
void pool_reset(void);

#endif /* _POOL_H */
