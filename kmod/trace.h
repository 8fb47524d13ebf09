/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints, in /sys/kernel/tracing/events/hlk. @vm is the number of the hlk
 * VM since the module was loaded; nanoseconds are measured while the event is
 * enabled.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM hlk

#if !defined(_HLK_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _HLK_TRACE_H

#include <linux/timekeeping.h>
#include <linux/tracepoint.h>

#include "hlk.h"

#ifndef _HLK_TRACE_SINCE
#define _HLK_TRACE_SINCE
/* An event that was enabled in the middle has no start. */
static inline u64 hlk_trace_since(u64 start)
{
	return start ? ktime_get_ns() - start : 0;
}
#endif

TRACE_EVENT(hlk_restore,
	TP_PROTO(u32 vm, const struct hlk_restored *r, u64 start, int ret),
	TP_ARGS(vm, r, start, ret),
	TP_STRUCT__entry(
		__field(u32, vm)
		__field(int, ret)
		__field(u64, copied)
		__field(u64, cleared)
		__field(u64, freed)
		__field(u64, private_pages)
		__field(u64, ns)
	),
	TP_fast_assign(
		__entry->vm = vm;
		__entry->ret = ret;
		__entry->copied = r->copied;
		__entry->cleared = r->cleared;
		__entry->freed = r->freed;
		__entry->private_pages = r->private_pages;
		__entry->ns = hlk_trace_since(start);
	),
	TP_printk("vm=%u ret=%d copied=%llu cleared=%llu freed=%llu private=%llu ns=%llu",
		  __entry->vm, __entry->ret, __entry->copied, __entry->cleared,
		  __entry->freed, __entry->private_pages, __entry->ns)
);

TRACE_EVENT(hlk_cow_fault,
	TP_PROTO(u32 vm, u64 gpa, u64 private_pages),
	TP_ARGS(vm, gpa, private_pages),
	TP_STRUCT__entry(
		__field(u32, vm)
		__field(u64, gpa)
		__field(u64, private_pages)
	),
	TP_fast_assign(
		__entry->vm = vm;
		__entry->gpa = gpa;
		__entry->private_pages = private_pages;
	),
	TP_printk("vm=%u gpa=0x%llx private=%llu", __entry->vm, __entry->gpa,
		  __entry->private_pages)
);

/* A write that was refused: a call's budget, of @max_private pages, is used up */
TRACE_EVENT(hlk_over_budget,
	TP_PROTO(u32 vm, u64 gpa, u64 max_private),
	TP_ARGS(vm, gpa, max_private),
	TP_STRUCT__entry(
		__field(u32, vm)
		__field(u64, gpa)
		__field(u64, max_private)
	),
	TP_fast_assign(
		__entry->vm = vm;
		__entry->gpa = gpa;
		__entry->max_private = max_private;
	),
	TP_printk("vm=%u gpa=0x%llx max=%llu", __entry->vm, __entry->gpa,
		  __entry->max_private)
);

TRACE_EVENT(hlk_snapshot,
	TP_PROTO(u32 vm, u32 flags, const struct hlk_snapshot_counts *c, u64 start,
		 int ret),
	TP_ARGS(vm, flags, c, start, ret),
	TP_STRUCT__entry(
		__field(u32, vm)
		__field(u32, flags)
		__field(int, ret)
		__field(u64, pages)
		__field(u64, copied)
		__field(u64, inherited)
		__field(u64, tables)
		__field(u64, tables_kept)
		__field(u64, ns)
	),
	TP_fast_assign(
		__entry->vm = vm;
		__entry->flags = flags;
		__entry->ret = ret;
		__entry->pages = c->pages;
		__entry->copied = c->copied;
		__entry->inherited = c->inherited;
		__entry->tables = c->tables;
		__entry->tables_kept = c->tables_kept;
		__entry->ns = hlk_trace_since(start);
	),
	TP_printk("vm=%u flags=0x%x ret=%d pages=%llu copied=%llu inherited=%llu tables=%llu kept=%llu ns=%llu",
		  __entry->vm, __entry->flags, __entry->ret, __entry->pages,
		  __entry->copied, __entry->inherited, __entry->tables,
		  __entry->tables_kept, __entry->ns)
);

TRACE_EVENT(hlk_walk,
	TP_PROTO(u32 vm, u32 roots, u64 tables, u64 mappings, u64 start, int ret),
	TP_ARGS(vm, roots, tables, mappings, start, ret),
	TP_STRUCT__entry(
		__field(u32, vm)
		__field(u32, roots)
		__field(int, ret)
		__field(u64, tables)
		__field(u64, mappings)
		__field(u64, ns)
	),
	TP_fast_assign(
		__entry->vm = vm;
		__entry->roots = roots;
		__entry->ret = ret;
		__entry->tables = tables;
		__entry->mappings = mappings;
		__entry->ns = hlk_trace_since(start);
	),
	TP_printk("vm=%u roots=%u ret=%d tables=%llu mappings=%llu ns=%llu",
		  __entry->vm, __entry->roots, __entry->ret, __entry->tables,
		  __entry->mappings, __entry->ns)
);

TRACE_EVENT(hlk_mark_cow,
	TP_PROTO(u32 vm, const struct hlk_mark_cow *m, u64 start, int ret),
	TP_ARGS(vm, m, start, ret),
	TP_STRUCT__entry(
		__field(u32, vm)
		__field(int, ret)
		__field(u64, tables)
		__field(u64, marked)
		__field(u64, ns)
	),
	TP_fast_assign(
		__entry->vm = vm;
		__entry->ret = ret;
		__entry->tables = m->tables;
		__entry->marked = m->marked;
		__entry->ns = hlk_trace_since(start);
	),
	TP_printk("vm=%u ret=%d tables=%llu marked=%llu ns=%llu", __entry->vm,
		  __entry->ret, __entry->tables, __entry->marked, __entry->ns)
);

TRACE_EVENT(hlk_run,
	TP_PROTO(u32 vm, const struct hlk_run *run, u64 start, int ret),
	TP_ARGS(vm, run, start, ret),
	TP_STRUCT__entry(
		__field(u32, vm)
		__field(int, ret)
		__field(u32, done)
		__field(u32, entries)
		__field(u32, exit_reason)
		__field(u64, ns)
	),
	TP_fast_assign(
		__entry->vm = vm;
		__entry->ret = ret;
		__entry->done = run->done;
		__entry->entries = run->entries;
		__entry->exit_reason = run->exit_reason;
		__entry->ns = hlk_trace_since(start);
	),
	TP_printk("vm=%u ret=%d done=0x%x entries=%u exit=%u ns=%llu", __entry->vm,
		  __entry->ret, __entry->done, __entry->entries,
		  __entry->exit_reason, __entry->ns)
);

#endif /* _HLK_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
