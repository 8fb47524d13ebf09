/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Static probes (USDT), for bpftrace, perf, gdb and SystemTap: each is one NOP, and a note in
 * the file that says where what it tells of is. Without <sys/sdt.h> there are none.
 *
 *	hlk:call__begin		sandbox, name
 *	hlk:call__end		sandbox, 0 or a negative errno, pages copied back before it if
 *				it was restored in the same system call
 *	hlk:restore		sandbox, 0 or a negative errno, pages copied back
 *	hlk:pool__get		pool, sandbox, nanoseconds waited
 *	hlk:pool__restore	pool, sandbox, nanoseconds, whether it went well
 *
 * Calls of a queue are none of these.
 */
#ifndef HLK_PROBE_H
#define HLK_PROBE_H

#ifdef __has_include
#if __has_include("sys/sdt.h")
#define SDT_USE_VARIADIC
#include <sys/sdt.h>
#endif
#endif

#ifdef STAP_PROBEV
#define hlk_probe(name, ...)	STAP_PROBEV(hlk, name, __VA_ARGS__)
#else
static inline void hlk_no_probe(const void *a, ...)
{
	(void)a;
}

#define hlk_probe(name, ...)	hlk_no_probe(__VA_ARGS__)
#endif

#endif /* HLK_PROBE_H */
