// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tracepoints.
 */
#include "hlk.h"

#define CREATE_TRACE_POINTS
#include "trace.h"
