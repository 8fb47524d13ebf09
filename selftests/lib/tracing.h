/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's tracing, by a tracefs of one's own. */
#ifndef _HLK_TRACING_H
#define _HLK_TRACING_H

#define TRACING		"/tmp/hlk-tracing"

void tracing_mount(void);
void tracing_put(const char *name, const char *text);
void tracing_add(const char *name, const char *text);
void tracing_umount(void);

#endif /* _HLK_TRACING_H */
