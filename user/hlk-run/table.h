/* SPDX-License-Identifier: GPL-2.0-only */
/* Tables that fit the terminal. */
#ifndef HLK_RUN_TABLE_H
#define HLK_RUN_TABLE_H

#include "term.h"

void table_words(const struct term *term, int used, int indent, const char *text);
void table_row(const struct term *term, const char *name, const char *value,
	       const char *more);
void table_count(const struct term *term, const char *name, unsigned long long value,
		 const char *more);

#endif /* HLK_RUN_TABLE_H */
