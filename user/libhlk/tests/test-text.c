// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* What a guest says is only text, however it is cut. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../error.h"
#include "../text.h"
#include "tap.h"

static const char *clean(const char *bytes, size_t len, unsigned int flags)
{
	static char out[256];
	struct hlk_text text = {};
	char *at = out;

	while (len--)
		at += hlk_text_add(&text, *bytes++, flags, at);
	at += hlk_text_end(&text, flags, at);
	*at = '\0';
	return out;
}

static void is(const char *what, const char *bytes, const char *want)
{
	tap(!strcmp(clean(bytes, strlen(bytes), HLK_TEXT_LINES), want), "%s", what);
}

static void test_characters(void)
{
	is("ASCII", "hello\n\tworld ~", "hello\n\tworld ~");
	is("characters", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
	is("C0", "a\033[31mb\rc\x7f" "d\x01", "a?[31mb?c?d?");
	is("C1 in UTF-8", "\xc2\x9b" "31mRED\xc2\x9d" "52;c;x\xc2\x9c", "?31mRED?52;c;x?");
	is("C1 as bytes", "\x9b" "2J\x9d" "0;x\x9c", "?2J?0;x?");
	is("the first and the last of C1", "\xc2\x80\xc2\x9f\xc2\xa0", "??\xc2\xa0");
	is("overrides", "\xe2\x80\xae" "a\xe2\x80\xaa" "b\xe2\x80\xac", "?a?b?");
	is("isolates", "\xe2\x81\xa6" "a\xe2\x81\xa9", "?a?");
	is("marks of direction", "\xe2\x80\x8e\xe2\x80\x8f\xd8\x9c", "???");
	is("lines and paragraphs", "\xe2\x80\xa8\xe2\x80\xa9", "??");
	is("dashes beside them", "\xe2\x80\x90\xe2\x80\xaf\xe2\x81\xa5", "\xe2\x80\x90\xe2\x80\xaf\xe2\x81\xa5");
	is("a long form of ESC", "\xc0\x9b[m\xe0\x80\x9b[m", "??[m???[m");
	is("a surrogate", "\xed\xa0\x80", "???");
	is("beyond Unicode", "\xf4\x90\x80\x80\xf5\x80", "??????");
	is("a cut character, then a whole one", "\xe2\x82\xc3\xa4", "??\xc3\xa4");
	is("a cut one at the end", "a\xf0\x9f\x98", "a???");
	is("half of a C1, then another start", "\xc2\xc2\x9b" "2J", "??2J");
	tap(!strcmp(clean("\xc3\xa4\xc3\x9b", 4, HLK_TEXT_ASCII), "??"),
	    "for a terminal of another character set");
	tap(!strcmp(clean("a\n\0b", 4, 0), "a??b"), "one line");
	tap(!strcmp(clean("\n\033\0\x7f", 4, HLK_TEXT_QUOTED | HLK_TEXT_MARK),
		    "\n\033\xef\xbf\xbd\xef\xbf\xbd"), "where it is escaped");
}

/* A decoder that shares nothing with the one under test */
static bool harmless(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	uint32_t c;

	for (; *p; p++) {
		c = *p;
		if (c >= 0x80) {
			int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc2 ? 1 : 9;

			if (more == 9)
				return false;
			c &= 0x3f >> more;
			while (more--) {
				if ((*++p & 0xc0) != 0x80)
					return false;
				c = c << 6 | (*p & 0x3f);
			}
		}
		if (c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0xd800 && c < 0xe000) ||
		    c > 0x10ffff || (c >= 0x202a && c <= 0x202e) ||
		    (c >= 0x2066 && c <= 0x2069))
			return false;
	}
	return true;
}

/* All sequences of three bytes, each byte of which is a kind of its own */
static void test_all(void)
{
	static const unsigned char kind[] = {
		0x00, 0x1b, 0x41, 0x7f, 0x80, 0x81, 0x8e, 0x90, 0x9b, 0x9c, 0x9f, 0xa0,
		0xa6, 0xae, 0xbf, 0xc0, 0xc2, 0xd8, 0xdf, 0xe0, 0xe2, 0xed, 0xef, 0xf0,
		0xf4, 0xf5, 0xff,
	};
	const unsigned int nr = sizeof(kind);
	bool good = true;
	unsigned int i;
	char bytes[4];

	for (i = 0; i < nr * nr * nr * nr; i++) {
		bytes[0] = kind[i % nr];
		bytes[1] = kind[i / nr % nr];
		bytes[2] = kind[i / nr / nr % nr];
		bytes[3] = kind[i / nr / nr / nr];
		good = good && harmless(clean(bytes, 4, 0)) &&
		       harmless(clean(bytes, 4, HLK_TEXT_MARK));
	}
	tap(good, "%u sequences of four bytes", i);
}

static void test_lines(void)
{
	struct hlk_err err;
	char line[256];

	hlk_err_text(&err, EIO, HLK_WHAT_GUEST_EXIT, NULL, "%s",
		     "\xc2\x9b" "2J\xe2\x80\xae" "lru\x9b" "2J");
	tap(!strcmp(hlk_strerror(&err, line, sizeof(line)), "the guest failed: ?2J?lru?2J"),
	    "a line of an error: %s", line);
}

static void test_cut(void)
{
	char text[8];
	bool good = true;
	int i;

	for (i = 0; i <= 7; i++) {
		strcpy(text, "a\xf0\x9f\x98\x80\xc3");
		text[i < 6 ? i : 6] = '\0';
		hlk_text_cut(text);
		good = good && !strcmp(text, i < 1 ? "" : i < 5 ? "a" : "a\xf0\x9f\x98\x80");
	}
	tap(good, "cut between characters");
}

int main(void)
{
	test_characters();
	test_all();
	test_lines();
	test_cut();
	return tap_done();
}
