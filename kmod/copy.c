// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copies that fail on purpose, on kernels that are built to inject failures.
 */
#include "copy.h"

#ifdef CONFIG_FAULT_INJECTION
static DECLARE_FAULT_ATTR(hlk_fail_copy);

/**
 * hlk_copy_fails() - shall this copy fail?
 *
 * By /proc/PID/fail-nth, as allocations do. Without a stack trace each time, which
 * others can turn off by a file of theirs.
 */
bool hlk_copy_fails(void)
{
	hlk_fail_copy.verbose = 0;
	return should_fail(&hlk_fail_copy, PAGE_SIZE);
}
#endif
