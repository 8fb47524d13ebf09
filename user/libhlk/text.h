/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* What a guest says, as text and nothing else; see text.c. */
#ifndef LIBHLK_TEXT_H
#define LIBHLK_TEXT_H

#include <stddef.h>

/* The most that comes out for one byte */
#define HLK_TEXT_MAX	16

#define HLK_TEXT_LINES	1U	/* line feed and tab pass */
#define HLK_TEXT_QUOTED	2U	/* so do all below a space but 0: they are escaped later */
#define HLK_TEXT_MARK	4U	/* what does not pass becomes U+FFFD, else '?' */
#define HLK_TEXT_ASCII	8U	/* nothing beyond ASCII passes */

/**
 * struct hlk_text - a stream of bytes that is made text
 * @nr: length of @part
 * @part: the start of a character whose rest has not come yet
 */
struct hlk_text {
	unsigned int nr;
	unsigned char part[4];
};

size_t hlk_text_add(struct hlk_text *text, unsigned char byte, unsigned int flags,
		    char *out);
size_t hlk_text_end(struct hlk_text *text, unsigned int flags, char *out);
void hlk_text_cut(char *text);

#endif /* LIBHLK_TEXT_H */
