// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The one filter for all that a guest says, or a file is called, on its way to a
 * terminal, a line of an error, or JSON.
 *
 * Characters pass that show something. None passes that would move the cursor, change
 * colours or worse: control characters, those of ISO 6429 beyond ASCII too (C1, which
 * come as U+0080 to U+009F or as bytes of an older character set); nor one that has
 * what follows it shown in another order or on another line. What comes out is valid
 * UTF-8, however the bytes were cut on their way.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "text.h"

/* How long the UTF-8 sequence is that begins with @byte; 0 if none does */
static unsigned int length(unsigned char byte)
{
	if (byte < 0x80)
		return 1;
	if (byte < 0xc2 || byte > 0xf4)
		return 0;
	return byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
}

/* Can these bytes begin, or be, a character? Only the second one can be too small. */
static bool plausible(const unsigned char *part, unsigned int nr)
{
	unsigned int i;

	if (!length(*part))
		return false;
	for (i = 1; i < nr; i++)
		if ((part[i] & 0xc0) != 0x80)
			return false;
	if (nr < 2)
		return true;
	switch (*part) {
	case 0xe0:			/* a long form */
		return part[1] >= 0xa0;
	case 0xed:			/* a surrogate */
		return part[1] < 0xa0;
	case 0xf0:
		return part[1] >= 0x90;
	case 0xf4:			/* beyond Unicode */
		return part[1] < 0x90;
	default:
		return true;
	}
}

static uint32_t code(const unsigned char *part, unsigned int nr)
{
	uint32_t value = nr == 1 ? *part : *part & (0x7f >> nr);
	unsigned int i;

	for (i = 1; i < nr; i++)
		value = value << 6 | (part[i] & 0x3f);
	return value;
}

static bool shows(uint32_t c, unsigned int flags)
{
	if (c < ' ')
		return (flags & HLK_TEXT_LINES && (c == '\n' || c == '\t')) ||
		       (flags & HLK_TEXT_QUOTED && c);
	if (c < 0x7f)
		return true;
	if (c < 0xa0 || flags & HLK_TEXT_ASCII)
		return false;
	return c != 0x061c &&				/* marks of direction */
	       c != 0x200e && c != 0x200f &&
	       (c < 0x2028 || c > 0x202e) &&		/* lines; embeddings, overrides */
	       (c < 0x2066 || c > 0x2069);		/* isolates */
}

static size_t replace(unsigned int flags, char *out)
{
	if (flags & HLK_TEXT_MARK) {
		memcpy(out, "\xef\xbf\xbd", 3);
		return 3;
	}
	*out = '?';
	return 1;
}

static size_t put(struct hlk_text *text, unsigned int flags, char *out)
{
	unsigned int nr = text->nr;

	text->nr = 0;
	if (!shows(code(text->part, nr), flags))
		return replace(flags, out);
	memcpy(out, text->part, nr);
	return nr;
}

/* The first byte is no character, whatever comes; the others may begin one */
static size_t give_up_one(struct hlk_text *text, unsigned int flags, char *out)
{
	text->nr--;
	memmove(text->part, text->part + 1, text->nr);
	return replace(flags, out);
}

/**
 * hlk_text_add() - the next byte of a stream
 * @text: the stream, all zero at its start
 * @byte: the byte
 * @flags: HLK_TEXT_*
 * @out: what is to be shown, HLK_TEXT_MAX bytes of room, not terminated
 *
 * Return: how many bytes are to be shown; 0 in the middle of a character
 */
size_t hlk_text_add(struct hlk_text *text, unsigned char byte, unsigned int flags,
		    char *out)
{
	size_t len = 0;

	text->part[text->nr++] = byte;
	while (text->nr && !plausible(text->part, text->nr))
		len += give_up_one(text, flags, out + len);
	if (text->nr && text->nr == length(*text->part))
		len += put(text, flags, out + len);
	return len;
}

/**
 * hlk_text_end() - no more bytes come
 * @text: the stream
 * @flags: HLK_TEXT_*
 * @out: as for hlk_text_add()
 *
 * Return: as hlk_text_add()
 */
size_t hlk_text_end(struct hlk_text *text, unsigned int flags, char *out)
{
	size_t len = 0;

	while (text->nr)
		len += give_up_one(text, flags, out + len);
	return len;
}

/**
 * hlk_text_cut() - a string was cut: not in the middle of a character
 * @text: the string
 */
void hlk_text_cut(char *text)
{
	size_t len = strlen(text), at = len;

	/* to where its last character begins */
	while (at && len - at < 4 && ((unsigned char)text[at - 1] & 0xc0) == 0x80)
		at--;
	if (at && length(text[at - 1]) > len - at + 1)
		text[at - 1] = '\0';
}
