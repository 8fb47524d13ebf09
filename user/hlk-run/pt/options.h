/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run pt: its command line. */
#ifndef HLK_RUN_PT_OPTIONS_H
#define HLK_RUN_PT_OPTIONS_H

#include <hlk.h>
#include <sys/types.h>

#include "../option.h"

#define PT_AFTER	1000	/* ms, if nothing is said */
#define PT_MAX_ROOTS	1024	/* the module's limit */

/**
 * struct pt_options - the command line of 'hlk-run pt'
 * @run: what it shares with other commands
 * @pid: another program, whose VM is listed; 0 is none
 * @fd: its fd of the VM; -1 to look for it
 * @running: do not stop it
 * @of_snapshot: list a snapshot of the guest
 * @snapshot_fd: an open snapshot to list, or -1
 * @paging: how to read the tables; 0 as vCPU 0 does
 * @roots: roots to list
 * @nr_roots: length of @roots; 0 lists those that the guest published, or CR3
 * @start: first virtual address
 * @end: first virtual address that is not wanted; 0 is the end
 * @limit: most ranges to list
 * @find: only the way to one address
 * @at: that address
 * @fold: most lines for a root; what lies near each other is put together
 * @svg: file for a picture, or NULL
 * @saved: the guest is a folder of snapshots
 * @diff: what is different between two moments
 * @other: the folder of the second snapshot, or NULL
 * @to: its name there, or NULL
 * @after_ms: how much later another program is looked at again
 */
struct pt_options {
	struct options run;
	pid_t pid;
	int fd;
	bool running;
	bool of_snapshot;
	int snapshot_fd;
	struct hlk_paging paging;
	uint64_t roots[PT_MAX_ROOTS];
	uint32_t nr_roots;
	uint64_t start;
	uint64_t end;
	uint64_t limit;
	bool find;
	uint64_t at;
	uint64_t fold;
	const char *svg;
	bool saved;
	bool diff;
	const char *other;
	const char *to;
	uint64_t after_ms;
};

extern const struct argp pt_argp;

#endif /* HLK_RUN_PT_OPTIONS_H */
