/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run: what the terminal and the machine are like. */
#ifndef HLK_RUN_TERM_H
#define HLK_RUN_TERM_H

#include <stdbool.h>
#include <stdio.h>

#include "../libhlk/text.h"

/**
 * struct term - what can be shown
 * @unicode: more than ASCII
 * @color: bold type
 * @width: columns for what is drawn
 * @columns: columns that there are, or 0 where lines can be of any length
 */
struct term {
	bool unicode;
	bool color;
	int width;
	int columns;
};

void term_init(struct term *term, FILE *file);
const char *term_on(const struct term *term, const char *code);
const char *term_off(const struct term *term);
void print_text(struct hlk_text *state, FILE *file, const char *text, size_t len);
void print_safe(FILE *file, const char *text, size_t len);
bool emulated(void);

#endif /* HLK_RUN_TERM_H */
