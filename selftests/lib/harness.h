/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's harness, with more time for a test: its 30 seconds are for real
 * machines, and a debug kernel on an emulated one with a busy host takes as many
 * for what they do in one. A test that hangs is ended all the same.
 */
#ifndef _HLK_HARNESS_H
#define _HLK_HARNESS_H

#include "kselftest_harness.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 240

#endif /* _HLK_HARNESS_H */
