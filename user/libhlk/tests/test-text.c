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
	is("characters", "\303\244\342\202\254\360\237\230\200", "\303\244\342\202\254\360\237\230\200");
	is("C0", "a\033[31mb\rc\177d\001", "a?[31mb?c?d?");
	is("C1 in UTF-8", "\302\23331mRED\302\23552;c;x\302\234", "?31mRED?52;c;x?");
	is("C1 as bytes", "\2332J\2350;x\234", "?2J?0;x?");
	is("the first and the last of C1", "\302\200\302\237\302\240", "??\302\240");
	is("overrides", "\342\200\256a\342\200\252b\342\200\254", "?a?b?");
	is("isolates", "\342\201\246a\342\201\251", "?a?");
	is("marks of direction", "\342\200\216\342\200\217\330\234", "???");
	is("lines and paragraphs", "\342\200\250\342\200\251", "??");
	is("dashes beside them", "\342\200\220\342\200\257\342\201\245", "\342\200\220\342\200\257\342\201\245");
	is("a long form of ESC", "\300\233[m\340\200\233[m", "??[m???[m");
	is("a surrogate", "\355\240\200", "???");
	is("beyond Unicode", "\364\220\200\200\365\200", "??????");
	is("a cut character, then a whole one", "\342\202\303\244", "??\303\244");
	is("a cut one at the end", "a\360\237\230", "a???");
	is("half of a C1, then another start", "\302\302\2332J", "??2J");
	tap(!strcmp(clean("\303\244\303\233", 4, HLK_TEXT_ASCII), "??"),
	    "for a terminal of another character set");
	tap(!strcmp(clean("a\n\0b", 4, 0), "a??b"), "one line");
	tap(!strcmp(clean("\n\033\0\177", 4, HLK_TEXT_QUOTED | HLK_TEXT_MARK),
		    "\n\033\357\277\275\357\277\275"), "where it is escaped");
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
		     "\302\2332J\342\200\256lru\2332J");
	tap(!strcmp(hlk_strerror(&err, line, sizeof(line)), "the guest failed: ?2J?lru?2J"),
	    "a line of an error: %s", line);
}

static void test_cut(void)
{
	char text[8];
	bool good = true;
	int i;

	for (i = 0; i <= 7; i++) {
		strcpy(text, "a\360\237\230\200\303");
		text[i < 6 ? i : 6] = '\0';
		hlk_text_cut(text);
		good = good && !strcmp(text, i < 1 ? "" : i < 5 ? "a" : "a\360\237\230\200");
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
