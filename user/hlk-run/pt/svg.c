// SPDX-License-Identifier: GPL-2.0-only
/*
 * hlk-run pt: a map of virtual and guest-physical memory.
 *
 * For each root a panel: virtual memory on the left, physical on the right, a
 * band from each range to where it leads. What is mapped is spread over both
 * sides of an axis that is cut where nothing is. All is drawn to a quarter of a pixel, for
 * who zooms: a guest decides how many ranges it has, not how many rectangles come of them.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../fail.h"
#include "../json.h"
#include "svg.h"
#include "text.h"

#define WIDTH		1000
#define TITLE		75U	/* characters that fit it */
#define LEFT		130	/* the virtual bar */
#define RIGHT		720	/* the physical bar */
#define BAR		150
#define PANEL		620	/* height of the bars of a panel */
#define PANEL_TOP	64	/* above them */
#define PANEL_GAP	40
#define LEGEND		96
#define MAX_PANELS	16
#define MAX_PARTS	14	/* of an axis */
#define MAX_PIECES	28	/* of its parts together */
#define MAX_BANDS	300
#define CUT		16	/* where an axis is cut */
#define LEAST		10	/* height of a piece */
#define FIRST_GAP	(64 << 10)
#define GRAIN		0.25	/* what is less goes together */
#define FRAMED		3	/* height of what has a line around it */

/* Distinguishable for the colour-blind, after Okabe and Ito */
static const struct {
	const char *name;
	const char *fill;
	bool hatched;
} kinds[PT_KINDS] = {
	[PT_USER_WRITE] = { "user, writable", "#d55e00", false },
	[PT_USER_READ] = { "user, read-only", "#e69f00", false },
	[PT_SUPER_WRITE] = { "supervisor, writable", "#0072b2", false },
	[PT_SUPER_READ] = { "supervisor, read-only", "#56b4e9", false },
	[PT_USER_COW] = { "user, copy-on-write", "#006d52", false },
	[PT_SUPER_COW] = { "supervisor, copy-on-write", "#4fbf9a", false },
	[PT_NOT_RAM] = { "not in memory", "#8a8a8a", true },
	[PT_ALIAS] = { "table met before", "#cc79a7", true },
	[PT_LOST_TABLE] = { "table not in memory", "#333333", true },
	[PT_RESERVED] = { "reserved bits set", "#b40426", true },
};

/**
 * struct piece - a piece of an axis with a scale of its own
 * @start: first address
 * @end: one behind the last
 * @low: where @start is drawn; y grows downwards, addresses upwards
 * @high: where @end is drawn
 * @cut: nothing follows until the next one starts
 */
struct piece {
	uint64_t start;
	uint64_t end;
	double low;
	double high;
	bool cut;
};

/* Pieces that are not cut from each other are one part */
struct axis {
	struct piece piece[MAX_PIECES];
	int nr;
};

/**
 * struct run - what is drawn as one rectangle
 * @map: its first range
 * @nr: how many ranges
 * @end: one behind its last address
 * @low: where it starts
 * @high: where it ends
 * @base: where what it is for ends, without what went along
 * @least: how high it is drawn at least: up to a pixel, if there is room
 * @small: it is for ranges that are less than the grain each
 * @mixed: something else went along
 */
struct run {
	const struct hlk_mapping *map;
	size_t nr;
	uint64_t end;
	double low;
	double high;
	double base;
	double least;
	bool small;
	bool mixed;
};

/* One side of a panel: which ranges, by which address */
struct side {
	struct axis axis;
	const struct hlk_mapping **maps;
	size_t nr;
	bool physical;
};

static uint64_t start_of(const struct hlk_mapping *map, bool physical)
{
	return physical ? map->gpa : map->va;
}

static uint64_t end_of(const struct hlk_mapping *map, bool physical)
{
	uint64_t start = start_of(map, physical);
	uint64_t end = start + map->pages * PT_PAGE;

	/* what ends with the address space does so one byte early */
	return end > start ? end : UINT64_MAX;
}

static int by_va(const void *a, const void *b)
{
	const struct hlk_mapping *x = *(const struct hlk_mapping **)a;
	const struct hlk_mapping *y = *(const struct hlk_mapping **)b;

	return x->va < y->va ? -1 : x->va > y->va;
}

static int by_gpa(const void *a, const void *b)
{
	const struct hlk_mapping *x = *(const struct hlk_mapping **)a;
	const struct hlk_mapping *y = *(const struct hlk_mapping **)b;

	return x->gpa < y->gpa ? -1 : x->gpa > y->gpa;
}

/* ---- axes ---- */

/* Cut where @gap bytes are empty; false if that gives too many parts */
static bool axis_cut(struct axis *axis, const struct side *side, uint64_t gap)
{
	uint64_t start, end;
	struct piece *last;
	size_t i;

	axis->nr = 0;
	for (i = 0; i < side->nr; i++) {
		start = start_of(side->maps[i], side->physical);
		end = end_of(side->maps[i], side->physical);
		last = axis->nr ? &axis->piece[axis->nr - 1] : NULL;
		if (last && (start <= last->end || start - last->end <= gap)) {
			if (end > last->end)
				last->end = end;
			continue;
		}
		if (axis->nr == MAX_PARTS)
			return false;
		axis->piece[axis->nr++] = (struct piece) { .start = start,
							   .end = end,
							   .cut = true };
	}
	return true;
}

static int by_address(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Where ranges start and end, each once; how many */
static size_t list_bounds(const struct side *side, uint64_t *bound)
{
	size_t nr = 0;
	size_t i;

	for (i = 0; i < side->nr; i++) {
		bound[2 * i] = start_of(side->maps[i], side->physical);
		bound[2 * i + 1] = end_of(side->maps[i], side->physical);
	}
	qsort(bound, 2 * side->nr, sizeof(*bound), by_address);
	for (i = 0; i < 2 * side->nr; i++)
		if (!nr || bound[nr - 1] != bound[i])
			bound[nr++] = bound[i];
	return nr;
}

/*
 * A page beside 16 MiB would not be seen. If there are few ranges, each gets a
 * scale of its own.
 */
static void axis_split(struct axis *axis, const struct side *side)
{
	uint64_t *bound = calloc(2 * side->nr, sizeof(*bound));
	struct axis split = {};
	size_t nr, at = 0;
	int i;

	/* without memory it is one scale for a part */
	if (!bound)
		return;
	nr = list_bounds(side, bound);
	if (nr - axis->nr > MAX_PIECES)
		goto out;
	for (i = 0; i < axis->nr; i++)
		for (; at + 1 < nr && bound[at + 1] <= axis->piece[i].end; at++)
			if (bound[at] >= axis->piece[i].start)
				split.piece[split.nr++] = (struct piece) {
					.start = bound[at],
					.end = bound[at + 1],
					.cut = bound[at + 1] == axis->piece[i].end,
				};
	*axis = split;
out:
	free(bound);
}

/* A piece grows with its size, but slowly, so that small ones can be seen too */
static double weight(const struct piece *piece)
{
	return cbrt((piece->end - piece->start) / (double)PT_PAGE);
}

static void axis_make(struct side *side)
{
	struct axis *axis = &side->axis;
	double room = PANEL + CUT;
	uint64_t gap = FIRST_GAP;
	double sum = 0;
	double y = PANEL;
	int i;

	if (!side->nr)
		return;
	while (!axis_cut(axis, side, gap))
		gap = gap < 1ULL << 62 ? 2 * gap : UINT64_MAX;
	axis_split(axis, side);
	for (i = 0; i < axis->nr; i++) {
		sum += weight(&axis->piece[i]);
		room -= LEAST + axis->piece[i].cut * CUT;
	}
	for (i = 0; i < axis->nr; i++) {
		struct piece *piece = &axis->piece[i];

		piece->low = y;
		y -= LEAST + room * weight(piece) / sum;
		piece->high = y;
		y -= piece->cut * CUT;
	}
}

/* Where an address is drawn; below 0 if it is nowhere */
static double axis_y(const struct axis *axis, uint64_t address)
{
	const struct piece *piece = axis->piece;

	for (; piece < axis->piece + axis->nr; piece++)
		if (address >= piece->start && address <= piece->end)
			return piece->low - (piece->low - piece->high) *
			       (double)(address - piece->start) /
			       (double)(piece->end - piece->start);
	return -1;
}

/* ---- text ---- */

/*
 * What XML has a meaning for, and what it does not allow, becomes something
 * else; the bytes may be anything.
 */
static void put_text(FILE *file, const char *text)
{
	char *clean = text_clean(text, strlen(text));
	const char *at;

	for (at = clean ? clean : ""; *at; at++)
		switch (*at) {
		case '&':
			fputs("&amp;", file);
			break;
		case '<':
			fputs("&lt;", file);
			break;
		case '>':
			fputs("&gt;", file);
			break;
		case '"':
			fputs("&quot;", file);
			break;
		default:
			/* U+FFFE and U+FFFF are no characters of XML either */
			if (!strncmp(at, "\xef\xbf\xbe", 3) ||
			    !strncmp(at, "\xef\xbf\xbf", 3)) {
				fputs("?", file);
				at += 2;
			} else {
				fputc((unsigned char)*at < ' ' || *at == 0x7f ?
				      '?' : *at, file);
			}
		}
	free(clean);
}

static void put_title(FILE *file, const struct run *run)
{
	const struct hlk_mapping *map = run->map;
	uint64_t bytes = map->pages * PT_PAGE;
	char notes[192], size[16];

	fputs("<title>", file);
	if (run->nr > 1) {
		fprintf(file, "%zu ranges up to %08" PRIx64 ", the first:\n",
			run->nr, run->end - 1);
	}
	pt_size_text(bytes, size, sizeof(size));
	fprintf(file, "%08" PRIx64 "-%08" PRIx64 ", %s\n", (uint64_t)map->va,
		(uint64_t)map->va + bytes - 1, size);
	if (pt_is_table(map))
		fprintf(file, "table at %08" PRIx64 "\n", (uint64_t)map->gpa);
	else
		fprintf(file, "physical %08" PRIx64 "-%08" PRIx64 "\n",
			(uint64_t)map->gpa, (uint64_t)map->gpa + bytes - 1);
	pt_notes(map, notes, sizeof(notes));
	fprintf(file, "%s%s%s</title>\n", kinds[pt_kind(map)].name,
		*notes ? "; " : "", notes);
}

/* ---- runs ---- */

/* Less than the grain high, for itself */
static bool small(double low, double high)
{
	return low - high < GRAIN;
}

/* A run of many small ranges grows as long as they are of one kind. */
static bool run_grows(const struct run *run, const struct hlk_mapping *map,
		      double low, double high)
{
	return run->small && !run->mixed && small(low, high) &&
	       pt_kind(run->map) == pt_kind(map);
}

/*
 * A range goes into the run before it if it adds less than the grain to what
 * the run is for, or if both are small and of a kind; not into a large one that
 * it only touches. So of two runs that are new, one ends at least a grain above
 * the one before, however the ranges overlap.
 */
static bool run_takes(const struct run *run, const struct hlk_mapping *map,
		      double low, double high)
{
	if (low <= run->high - (run->small ? GRAIN : -0.01))
		return false;
	return high > run->base - GRAIN || run_grows(run, map, low, high);
}

static void run_take(struct run *run, const struct hlk_mapping *map, uint64_t end,
		     double low, double high)
{
	bool writes = map->map & ~run->map->map & HLK_MAP_WRITE;

	if (!run_grows(run, map, low, high))
		run->mixed = true;
	else if (high < run->base)
		run->base = high;
	run->nr++;
	/* of two that are the same size, what can be written is what counts */
	if (writes && low - high >= run->low - run->high)
		run->map = map;
	if (end > run->end) {
		run->end = end;
		run->high = high;
	}
}

/* A page far from others can be seen; those that lie near each other share the pixel. */
static void give_room(struct run *run, size_t nr)
{
	size_t i;

	for (i = 0; i + 1 < nr; i++) {
		run[i].least = run[i].low - run[i + 1].low;
		if (run[i].least > 1)
			run[i].least = 1;
		if (run[i].least < GRAIN)
			run[i].least = GRAIN;
	}
}

/* Ranges that would be drawn into the same place become one run. */
static size_t make_runs(const struct side *side, struct run *run)
{
	double low, high;
	size_t nr = 0;
	size_t i;

	for (i = 0; i < side->nr; i++) {
		const struct hlk_mapping *map = side->maps[i];
		uint64_t end = end_of(map, side->physical);

		low = axis_y(&side->axis, start_of(map, side->physical));
		high = axis_y(&side->axis, end);
		if (nr && run_takes(&run[nr - 1], map, low, high))
			run_take(&run[nr - 1], map, end, low, high);
		else
			run[nr++] = (struct run) { map, 1, end, low, high, high, 1,
						   small(low, high), false };
	}
	give_room(run, nr);
	return nr;
}

static int by_height(const void *a, const void *b)
{
	const struct run *x = a, *y = b;
	double dx = x->low - x->high, dy = y->low - y->high;

	return dx < dy ? 1 : dx > dy ? -1 : x->map > y->map ? 1 : -1;
}

static void draw_rect(FILE *file, const struct run *run, double x)
{
	double height = run->low - run->high;

	if (height < run->least)
		height = run->least;
	fprintf(file, "<rect %sx=\"%g\" y=\"%.2f\" width=\"%d\" height=\"%.2f\"/>\n",
		height < FRAMED ? "class=\"f\" " : "", x, run->low - height, BAR, height);
	if (kinds[pt_kind(run->map)].hatched)
		fprintf(file, "<rect %sx=\"%g\" y=\"%.2f\" width=\"%d\" height=\"%.2f\" fill=\"url(#hatch)\"/>\n",
			height < FRAMED ? "class=\"f\" " : "", x, run->low - height, BAR,
			height);
}

/* The way from a range to where it leads */
static void draw_band(FILE *file, const struct run *run, const struct axis *axis)
{
	const int a = LEFT + BAR, b = RIGHT, mid = (a + b) / 2;
	double low = axis_y(axis, run->map->gpa);
	double high = axis_y(axis, end_of(run->map, true));

	fprintf(file, "<path d=\"M%d %.1fC%d %.1f %d %.1f %d %.1fL%d %.1fC%d %.1f %d %.1f %d %.1fZ\"/>\n",
		a, run->low, mid, run->low, mid, low, b, low,
		b, high, mid, high, mid, run->high, a, run->high);
}

/* Says what it is where there is room for a line */
static void draw_label(FILE *file, const struct run *run, double x)
{
	char size[16];

	if (run->low - run->high < 15 || run->nr > 1)
		return;
	pt_size_text(run->map->pages * PT_PAGE, size, sizeof(size));
	fprintf(file, "<text class=\"in\" x=\"%g\" y=\"%.1f\">%s</text>\n",
		x + BAR / 2.0, (run->low + run->high) / 2 + 4, size);
}

static int draw_runs(FILE *file, const struct side *side, double x,
		     const struct axis *to)
{
	struct run *run = calloc(side->nr ? side->nr : 1, sizeof(*run));
	int bands = 0;
	size_t nr, i;

	if (!run)
		return fail_say("out of memory");
	nr = make_runs(side, run);
	qsort(run, nr, sizeof(*run), by_height);
	for (i = 0; i < nr; i++) {
		fprintf(file, "<g class=\"k%d\">\n", pt_kind(run[i].map));
		put_title(file, &run[i]);
		if (to && run[i].nr == 1 && !pt_is_table(run[i].map) &&
		    bands++ < MAX_BANDS)
			draw_band(file, &run[i], to);
		draw_rect(file, &run[i], x);
		draw_label(file, &run[i], x);
		fputs("</g>\n", file);
	}
	free(run);
	return RUN_OK;
}

static void draw_axis(FILE *file, const struct axis *axis, double x, bool left)
{
	double at = left ? x - 6 : x + BAR + 6;
	const char *class = left ? "al" : "ar";
	const struct piece *piece = axis->piece;
	double last = PANEL + 100;
	char size[16];

	for (; piece < axis->piece + axis->nr; piece++) {
		if (last - piece->low > 10) {
			fprintf(file, "<text class=\"%s\" x=\"%g\" y=\"%.1f\">%08" PRIx64 "</text>\n",
				class, at, piece->low, piece->start);
			last = piece->low;
		}
		if (!piece->cut)
			continue;
		if (last - piece->high > 20) {
			fprintf(file, "<text class=\"%s\" x=\"%g\" y=\"%.1f\">%08" PRIx64 "</text>\n",
				class, at, piece->high + 8, piece->end - 1);
			last = piece->high + 8;
		}
		if (piece + 1 == axis->piece + axis->nr)
			break;
		pt_size_text(piece[1].start - piece->end, size, sizeof(size));
		fprintf(file, "<text class=\"cut\" x=\"%g\" y=\"%.1f\">%s not mapped</text>\n",
			x + BAR / 2.0, piece->high - CUT / 2.0 + 4, size);
	}
}

/* ---- panels ---- */

static int side_make(struct side *side, const struct pt_space *space, size_t from,
		     size_t to, bool physical)
{
	size_t i;

	side->physical = physical;
	side->nr = 0;
	side->maps = calloc(to - from + 1, sizeof(*side->maps));
	if (!side->maps)
		return fail_say("out of memory");
	for (i = from; i < to; i++)
		if (!physical || !pt_is_table(&space->maps[i]))
			side->maps[side->nr++] = &space->maps[i];
	qsort(side->maps, side->nr, sizeof(*side->maps),
	      physical ? by_gpa : by_va);
	return RUN_OK;
}

static void draw_heading(FILE *file, const struct pt_space *space, uint32_t nr)
{
	const struct pt_root *root = &space->roots[nr];
	const struct pt_totals *t = &root->totals;
	char size[16];

	pt_size_text(t->pages * PT_PAGE, size, sizeof(size));
	if (root->addr == PT_NO_ADDR)
		fputs("<text class=\"h\" x=\"20\" y=\"-36\">CR3 of vCPU 0", file);
	else
		fprintf(file, "<text class=\"h\" x=\"20\" y=\"-36\">Root %u at %08" PRIx64,
			nr, pt_root_addr(space, nr));
	fprintf(file, "<tspan class=\"s\" dx=\"12\">%" PRIu64 " pages, %s; %" PRIu64
		" writable, %" PRIu64 " copy-on-write, %" PRIu64
		" for user mode</tspan></text>\n",
		t->pages, size, t->write, t->cow, t->user);
	fprintf(file, "<text class=\"b\" x=\"%g\" y=\"-10\">virtual</text>\n"
		"<text class=\"b\" x=\"%g\" y=\"-10\">guest-physical</text>\n",
		LEFT + BAR / 2.0, RIGHT + BAR / 2.0);
}

static int draw_panel(FILE *file, const struct pt_space *space, uint32_t nr,
		      const struct axis *axis)
{
	size_t from = space->roots[nr].first;
	size_t to = pt_root_end(space, nr);
	struct side virt = {}, phys = { .axis = *axis };
	int ret;

	draw_heading(file, space, nr);
	if (from == to) {
		fprintf(file, "<text class=\"cut\" x=\"%d\" y=\"20\">nothing is mapped</text>\n",
			WIDTH / 2);
		return RUN_OK;
	}
	ret = side_make(&virt, space, from, to, false);
	if (!ret)
		ret = side_make(&phys, space, from, to, true);
	if (!ret) {
		axis_make(&virt);
		ret = draw_runs(file, &virt, LEFT, axis);
	}
	if (!ret)
		ret = draw_runs(file, &phys, RIGHT, NULL);
	if (!ret) {
		draw_axis(file, &virt.axis, LEFT, true);
		draw_axis(file, axis, RIGHT, false);
	}
	free(virt.maps);
	free(phys.maps);
	return ret;
}

static void draw_style(FILE *file)
{
	int i;

	/* Colours in full: not every renderer knows variables, nor schemes. */
	fputs("<style>\n"
	      "text{font:12px ui-sans-serif,system-ui,sans-serif;fill:#222}\n"
	      ".t{font-size:20px;font-weight:600}.h{font-size:15px;font-weight:600}\n"
	      ".s{font-size:12px;font-weight:400}\n"
	      ".s,.b,.cut{fill:#6b6b6b}.b,.cut,.in{text-anchor:middle}\n"
	      ".al,.ar{font:11px ui-monospace,monospace}.al{text-anchor:end}\n"
	      ".cut{font-size:11px}\n"
	      ".in{font-size:11px;fill:#fff;pointer-events:none;"
	      "paint-order:stroke;stroke:#000;stroke-opacity:.45;stroke-width:2px}\n"
	      "rect{stroke:#fff;stroke-width:.4}.f{stroke:none}.bg{fill:#fff}\n"
	      "path{fill-opacity:.22}g:hover>path{fill-opacity:.75}"
	      "g:hover>rect{stroke:#222;stroke-width:1.2}\n"
	      "@media (prefers-color-scheme:dark){text{fill:#e8e6e3}.s,.b,.cut{fill:#9a9a9a}"
	      ".in{fill:#fff}.bg{fill:#181a1b}rect{stroke:#181a1b}"
	      "g:hover>rect{stroke:#e8e6e3}}\n",
	      file);
	for (i = 0; i < PT_KINDS; i++)
		fprintf(file, ".k%d{fill:%s}\n", i, kinds[i].fill);
	fputs("</style>\n<defs><pattern id=\"hatch\" width=\"6\" height=\"6\" "
	      "patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">"
	      "<line y2=\"6\" stroke=\"#fff\" stroke-opacity=\".55\" stroke-width=\"3\"/>"
	      "</pattern></defs>\n", file);
}

/*
 * For a browser: the wheel zooms at the pointer, dragging moves, a double click shows all.
 * Other renderers pass it over. Nothing in it means something to XML.
 */
static void draw_script(FILE *file)
{
	fputs("<script>\n"
	      "var s=document.documentElement,b=s.viewBox.baseVal,w=b.width,h=b.height,d=null;\n"
	      "function set(x,y,k){b.width=w*k;b.height=h*k;\n"
	      "b.x=Math.max(0,Math.min(w-b.width,x));b.y=Math.max(0,Math.min(h-b.height,y))}\n"
	      "s.addEventListener('wheel',function(e){\n"
	      "var r=s.getBoundingClientRect(),x=(e.clientX-r.left)/r.width,\n"
	      "y=(e.clientY-r.top)/r.height,\n"
	      "k=Math.max(.001,Math.min(1,b.width/w*Math.pow(1.002,e.deltaY)));\n"
	      "set(b.x+(b.width-w*k)*x,b.y+(b.height-h*k)*y,k);e.preventDefault()},"
	      "{passive:false});\n"
	      "s.addEventListener('pointerdown',function(e){d=[e.clientX,e.clientY,b.x,b.y]});\n"
	      "s.addEventListener('pointermove',function(e){if(!d)return;\n"
	      "var r=s.getBoundingClientRect();\n"
	      "set(d[2]+(d[0]-e.clientX)*b.width/r.width,\n"
	      "d[3]+(d[1]-e.clientY)*b.height/r.height,b.width/w)});\n"
	      "s.addEventListener('pointerup',function(){d=null});\n"
	      "s.addEventListener('dblclick',function(){set(0,0,1)});\n"
	      "</script>\n", file);
}

static void draw_legend(FILE *file)
{
	int i;

	fprintf(file, "<g transform=\"translate(0 44)\">\n");
	for (i = 0; i < PT_KINDS; i++) {
		int x = 20 + i % 5 * 196;
		int y = i / 5 * 22;

		fprintf(file, "<g class=\"k%d\"><rect x=\"%d\" y=\"%d\" width=\"16\" height=\"12\"/>",
			i, x, y);
		if (kinds[i].hatched)
			fprintf(file, "<rect x=\"%d\" y=\"%d\" width=\"16\" height=\"12\" fill=\"url(#hatch)\"/>",
				x, y);
		fprintf(file, "<text x=\"%d\" y=\"%d\">%s</text></g>\n", x + 22,
			y + 10, kinds[i].name);
	}
	fputs("</g>\n", file);
}

static void draw_head(FILE *file, const struct pt_space *space, uint32_t panels)
{
	int height = LEGEND + panels * (PANEL_TOP + PANEL + PANEL_GAP) + 24;

	fprintf(file, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\">\n",
		WIDTH, height, WIDTH, height);
	draw_style(file);
	draw_script(file);
	fputs("<rect class=\"bg\" width=\"100%\" height=\"100%\"/>\n"
	      "<text class=\"t\" x=\"20\" y=\"28\"", file);
	/* A long one is as small as it has to be. */
	if (strlen(space->source) > TITLE)
		fprintf(file, " style=\"font-size:%.1fpx\"",
			20.0 * TITLE / strlen(space->source));
	putc('>', file);
	put_text(file, space->source);
	fputs("</text>\n", file);
	draw_legend(file);
	fprintf(file, "<text class=\"s\" x=\"20\" y=\"%d\">", height - 16);
	if (panels < space->nr_roots)
		fprintf(file, "%u more roots are not drawn. ",
			space->nr_roots - panels);
	if (space->cut)
		fprintf(file, "Cut off after %zu ranges. ", space->nr);
	fprintf(file, "%" PRIu64 " pages of memory are mapped, %" PRIu64
		" of them more than once.</text>\n",
		space->phys.pages, space->phys.shared);
}

/**
 * pt_write_svg() - draw what was collected
 * @space: what was collected and counted
 * @file: where to
 *
 * Return: RUN_OK or an exit code, after the reason was printed
 */
int pt_write_svg(const struct pt_space *space, FILE *file)
{
	uint32_t panels = space->nr_roots < MAX_PANELS ? space->nr_roots :
							 MAX_PANELS;
	struct side all = {};
	uint32_t i;
	int ret;

	/* physical memory looks the same in all panels */
	ret = side_make(&all, space, 0, pt_root_end(space, panels - 1), true);
	if (ret)
		return ret;
	axis_make(&all);
	free(all.maps);
	draw_head(file, space, panels);
	for (i = 0; i < panels && !ret; i++) {
		fprintf(file, "<g transform=\"translate(0 %d)\">\n",
			LEGEND + PANEL_TOP + (int)i * (PANEL_TOP + PANEL + PANEL_GAP));
		ret = draw_panel(file, space, i, &all.axis);
		fputs("</g>\n", file);
	}
	fputs("</svg>\n", file);
	return ret;
}
