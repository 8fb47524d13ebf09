/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run --gdb, --core: signals, as gdb numbers them, and as Linux does. */
#ifndef HLK_RUN_DEBUG_SIGNALS_H
#define HLK_RUN_DEBUG_SIGNALS_H

enum {
	GDB_SIGINT = 2,
	GDB_SIGILL = 4,
	GDB_SIGTRAP = 5,
	GDB_SIGABRT = 6,
	GDB_SIGSEGV = 11,
};

#endif /* HLK_RUN_DEBUG_SIGNALS_H */
