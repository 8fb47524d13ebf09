/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Snapshots in files, by libhlk, for programs that make all other calls by themselves. Its
 * hlk_open() is another one than theirs, so this is all that they see of it.
 */
#ifndef _STORED_FILES_H
#define _STORED_FILES_H

#include <stdbool.h>
#include <stdint.h>

struct hlk_snap;

struct hlk_snap *files_save(int fd, struct hlk_snap *parent, const char *folder,
			    const char *name);
int files_load(const char *folder, const char *name, bool hot);
void files_forget(struct hlk_snap *snap);
uint64_t files_bytes(const char *folder);
void files_remove(const char *folder);
const char *files_largest(const char *folder);

#endif /* _STORED_FILES_H */
