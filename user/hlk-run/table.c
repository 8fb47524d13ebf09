// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tables that fit the terminal. In a file there is room for a line of any length: who reads
 * it there finds one line for each thing.
 */
#include "table.h"

#include <string.h>

#define NAME		22
#define VALUE		12
#define NARROW		16
#define NARROW_VALUE	10

/**
 * table_words() - a text, on as many lines as it takes
 * @term: the terminal
 * @used: columns that its first line has used up already
 * @indent: blanks before each line after the first
 * @text: words of one column each character, which may be of a file or a guest
 *
 * The last line is ended, too.
 */
void table_words(const struct term *term, int used, int indent, const char *text)
{
	bool begun = false;
	int len;

	while (*text) {
		len = strcspn(text, " ");
		if (term->columns && begun && used + 1 + len > term->columns) {
			printf("\n%*s", indent, "");
			used = indent;
			begun = false;
		}
		if (begun)
			putchar(' ');
		print_safe(stdout, text, len);
		used += begun + len;
		begun = true;
		text += len;
		text += *text == ' ';
	}
	putchar('\n');
}

/**
 * table_row() - a row with a name, a figure, and words about it
 * @term: the terminal
 * @name: what it is
 * @value: the figure
 * @more: the words, or nothing
 *
 * Words that do not fit go to lines of their own.
 */
void table_row(const struct term *term, const char *name, const char *value,
	       const char *more)
{
	bool narrow = term->columns && term->columns < NAME + VALUE + NAME;
	int used = narrow ? printf("%-*s %*s", NARROW, name, NARROW_VALUE, value) :
			    printf("%-*s %*s", NAME, name, VALUE, value);

	if (!*more) {
		putchar('\n');
	} else if (!term->columns || used + 2 + (int)strlen(more) <= term->columns) {
		printf("  %s\n", more);
	} else {
		printf("\n    ");
		table_words(term, 4, 4, more);
	}
}

/**
 * table_count() - such a row, of a number
 * @term: the terminal
 * @name: what it is
 * @value: how many
 * @more: words about it, or nothing
 */
void table_count(const struct term *term, const char *name, unsigned long long value,
		 const char *more)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", value);
	table_row(term, name, text, more);
}
