/* SPDX-License-Identifier: GPL-2.0-only */
/* The next allocation, or copy, of this thread fails: on a kernel with fault injection. */
#ifndef _HLK_FAILING_H
#define _HLK_FAILING_H

#include "hlk_test.h"

int failing_open(void);
void failing_arm(int fd, u32 nth);
bool failing_disarm(int fd);

#endif /* _HLK_FAILING_H */
