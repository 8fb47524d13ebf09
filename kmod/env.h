/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel headers that the pure files (i686pt.c, pt.c, mark.c, snap.c, chunk.c, reloc.c,
 * delta.c, place.c) need. In user space selftests/user/env.h is included first and takes this
 * header's guard.
 */
#ifndef _HLK_ENV_H
#define _HLK_ENV_H

#include <linux/align.h>
#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/highmem.h>
#include <linux/kref.h>
#include <linux/limits.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/prefetch.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/siphash.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/types.h>
#include <linux/xarray.h>

#include "copy.h"
#include "count.h"

#endif /* _HLK_ENV_H */
