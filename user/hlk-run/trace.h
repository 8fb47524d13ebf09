/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run: what happens in one call, in order. */
#ifndef HLK_RUN_TRACE_H
#define HLK_RUN_TRACE_H

#include <stdio.h>

struct trace;

int trace_open(struct trace **trace);
int trace_begin(struct trace *trace);
int trace_end(struct trace *trace);
void trace_mark(const char *text);
int trace_parse(struct trace *trace, FILE *from);
int trace_print(const struct trace *trace, const char *json, FILE *to);
struct trace *trace_new(void);
void trace_close(struct trace *trace);

#endif /* HLK_RUN_TRACE_H */
