/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What must hold, asked at run time: `make modules HLK_DEBUG=1`. Else there is no
 * code for it. The debug kernel's module has it, and so has the model in
 * selftests/user.
 */
#ifndef _HLK_DEBUG_H
#define _HLK_DEBUG_H

#include <linux/bug.h>
#include <linux/kernel.h>

#ifdef HLK_DEBUG
#define hlk_assert(cond)	((void)WARN_ON_ONCE(!(cond)))
#define hlk_might_sleep()	might_sleep()
#else
#define hlk_assert(cond)	((void)(false && (cond)))
#define hlk_might_sleep()	((void)0)
#endif

#endif /* _HLK_DEBUG_H */
