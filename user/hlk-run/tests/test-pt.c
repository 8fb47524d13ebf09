// SPDX-License-Identifier: GPL-2.0-only
/* Pictures of address spaces that a guest made up to be awkward. */
#include <stdlib.h>
#include <string.h>

#include "../../libhlk/tests/tap.h"
#include "../pt/collect.h"
#include "../pt/svg.h"
#include "../pt/text.h"

#define PAGE	0x1000ULL
#define MAPS	200000
#define MANY	1000000
#define MOST	(4 << 20)	/* bytes of a picture of one root */

static void add(struct pt_space *space, uint32_t root, uint64_t va, uint64_t gpa,
		uint32_t pages, uint32_t map)
{
	space->maps[space->nr++] = (struct hlk_mapping) {
		.va = va,
		.gpa = gpa,
		.pages = pages,
		.root = root,
		.map = map,
		.alias_va = 0x400000,
	};
}

static void begin(struct pt_space *space, uint32_t roots)
{
	static const uint64_t addr[64];

	if (pt_space_init(space, addr, roots))
		abort();
	space->maps = calloc(MAPS, sizeof(*space->maps));
	if (!space->maps)
		abort();
	space->room = MAPS;
}

/* Is each element closed, and nothing else in the text that XML forbids? */
static bool well_formed(const char *text)
{
	int depth = 0;

	for (; *text; text++) {
		if ((unsigned char)*text < ' ' && *text != '\n')
			return false;
		if (*text != '<')
			continue;
		if (text[1] == '?') {
			text = strstr(text, "?>");
		} else {
			depth += text[1] == '/' ? -1 : 1;
			text = strchr(text, '>');
			if (text && text[-1] == '/')
				depth--;
		}
		if (!text || depth < 0)
			return false;
	}
	return !depth;
}

static char *draw(struct pt_space *space, size_t *size)
{
	char *text = NULL;
	FILE *file = open_memstream(&text, size);

	if (!file || pt_count(space) || pt_write_svg(space, file))
		abort();
	fclose(file);
	pt_space_free(space);
	return text;
}

static void check(const char *what, struct pt_space *space)
{
	size_t nr = space->nr;
	size_t size;
	char *text = draw(space, &size);

	tap(well_formed(text), "%s: well-formed", what);
	tap(size < MOST, "%s: %zu bytes for %zu ranges", what, size, nr);
	free(text);
}

/* As of a 64-bit kernel with many programs: in four places, in single pages and small runs */
static void many(void)
{
	static const uint64_t places[] = {
		0x400000, 0x7f0000000000, 0xffff888000000000, 0xffffffff40000000,
	};
	struct pt_space space;
	uint64_t va = 0, i;

	begin(&space, 1);
	free(space.maps);
	space.maps = calloc(MANY, sizeof(*space.maps));
	if (!space.maps)
		abort();
	space.format = HLK_FORMAT_4LEVEL;
	for (i = 0; i < MANY; i++) {
		if (i % (MANY / 4) == 0)
			va = places[i / (MANY / 4)];
		add(&space, 0, va, i * 7919 % 262144 * PAGE, 1 + i % 3,
		    i % 5 | (i < MANY / 2 ? HLK_MAP_USER : 0));
		va += (1 + i % 3 + i % 7 / 3) * PAGE;
	}
	check("10^6 in four places", &space);
}

static uint32_t random_next(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static void random_space(uint32_t seed)
{
	struct pt_space space;
	uint64_t va = 0;
	char what[32];

	begin(&space, 1);
	while (space.nr < MAPS && va < 1ULL << 32) {
		uint32_t pages = 1 + (random_next(&seed) % 8 ? 0 :
				      random_next(&seed) % 1024);
		uint64_t gpa = random_next(&seed) % 0x100000 * PAGE;

		if (va + pages * PAGE > 1ULL << 32)
			break;
		add(&space, 0, va, gpa, pages, random_next(&seed) & 0xff);
		va += (pages + random_next(&seed) % 16) * PAGE;
	}
	snprintf(what, sizeof(what), "random, seed %u", seed);
	check(what, &space);
}

static void names(void)
{
	struct pt_space space;
	size_t size;
	char *text;

	begin(&space, 1);
	strcpy(space.source, "a<b>&\"'\x01\x1b\xff\xef\xbf\xbe");
	add(&space, 0, 0, 0, 1, 0);
	text = draw(&space, &size);
	tap(well_formed(text) &&
	    strstr(text, ">a&lt;b&gt;&amp;&quot;'??\xef\xbf\xbd?</text>"),
	    "a name is text and nothing else");
	tap(!strstr(text, "font-size:5."), "in its usual size");
	free(text);
	memset(space.source, 'w', sizeof(space.source) - 1);
	space.source[sizeof(space.source) - 1] = '\0';
	text = draw(&space, &size);
	tap(well_formed(text) && strstr(text, "style=\"font-size:5.9px\">www"),
	    "a long one is not cut: it is smaller");
	tap(!strstr(text, "var("), "no variables, which not all viewers know");
	free(text);
}

int main(void)
{
	struct pt_space space;
	uint32_t i;

	begin(&space, 1);
	check("nothing", &space);

	begin(&space, 1);
	for (i = 0; i < MAPS; i++)
		add(&space, 0, i * PAGE, i % 2 * PAGE, 1, i % 2 ? 1 : 2);
	check("two pages, mapped 100,000 times each", &space);

	begin(&space, 1);
	for (i = 0; i < 1000; i++)
		add(&space, 0, i * 0x400000ULL, i % 2 * PAGE, 1024, i % 3);
	check("4 MiB in a thousand places", &space);

	begin(&space, 1);
	for (i = 0; i < MAPS; i++)
		add(&space, 0, i * 2 * PAGE, (MAPS - i) * 2 * PAGE, 1, i % 8);
	check("every other page, backwards", &space);

	begin(&space, 1);
	for (i = 0; i < 1024; i++)
		add(&space, 0, i * 0x400000ULL, 0x1000, 1024,
		    i % 2 ? HLK_MAP_ALIAS : HLK_MAP_TABLE_NOT_RAM);
	check("tables and nothing else", &space);

	begin(&space, 1);
	add(&space, 0, 0xfffff000, 0xfffffff000, 1, 1);
	check("the last page of both", &space);

	begin(&space, 64);
	for (i = 0; i < 64; i += 2)
		add(&space, i, 0x1000 * i, 0x1000, 1, 1);
	check("64 roots, each other one empty", &space);

	many();
	names();
	for (i = 1; i <= 20; i++)
		random_space(i);
	return tap_done();
}
