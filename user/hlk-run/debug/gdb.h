/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run --gdb: GDB's remote serial protocol; see gdb.c. */
#ifndef HLK_RUN_DEBUG_GDB_H
#define HLK_RUN_DEBUG_GDB_H

#include "talk.h"

void gdb_init(struct gdb *gdb, const struct gdb_target *target);
bool gdb_interrupted(struct gdb *gdb);
enum gdb_wants gdb_talk(struct gdb *gdb, const struct gdb_stop *stop);

void gdb_bye(struct gdb *gdb, const struct gdb_stop *stop);

#endif /* HLK_RUN_DEBUG_GDB_H */
