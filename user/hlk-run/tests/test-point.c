// SPDX-License-Identifier: GPL-2.0-only
/* hlk-run boot: points in the run of a machine. */
#include <string.h>

#include "../../libhlk/tests/tap.h"
#include "../boot/options.h"

static const struct {
	const char *arg;
	enum when when;
	uint64_t number;
} good[] = {
	{ "idle", WHEN_IDLE, 0 },
	{ "print:ready", WHEN_PRINT, 0 },
	{ "print::", WHEN_PRINT, 0 },
	{ "port:0xf4", WHEN_PORT, 0xf4 },
	{ "port:65535", WHEN_PORT, 65535 },
	{ "addr:0xffffffff81000000", WHEN_ADDR, 0xffffffff81000000 },
	{ "after:20", WHEN_AFTER, 20000 },
};

static const char * const bad[] = {
	"", "idle ", "print", "print:", "port:", "port:-1", "port:65536", "port:1x",
	"addr:", "addr:0x10000000000000000", "after:0", "after:86400001", "never",
};

static void test_ram(void)
{
	static const char * const none[] = {
		"", ":", "1", "0:", ":1", "0:0", "0:65537", "x:1", "0:1x", "-4096:1",
		"0x10000000000000000:1", "000000000000000000000000000000000000000:1",
	};
	struct hlk_ram ram;
	size_t i;

	tap(ram_parse("0x100000000:64", &ram) && ram.gpa == 1ULL << 32 &&
	    ram.bytes == 64 << 20 && !ram.mem, "a piece of memory");
	for (i = 0; i < sizeof(none) / sizeof(*none); i++)
		tap(!ram_parse(none[i], &ram), "no memory: '%s'", none[i]);
}

int main(void)
{
	struct point point;
	char text[300] = "print:";
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(*good); i++)
		tap(point_parse(good[i].arg, &point) && point.when == good[i].when &&
		    point.number == good[i].number && point.said == good[i].arg,
		    "%s", good[i].arg);
	tap(point_parse("print:a b", &point) && !strcmp(point.text, "a b"), "a text");
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		tap(!point_parse(bad[i], &point), "none: '%s'", bad[i]);
	test_ram();
	memset(text + 6, 'x', 255);
	tap(point_parse(text, &point), "a long text");
	text[6 + 255] = 'x';
	tap(!point_parse(text, &point), "a text too long");
	return tap_done();
}
