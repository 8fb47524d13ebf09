// SPDX-License-Identifier: GPL-2.0-only
/*
 * hlk-run bench: a chart. Above, all ways side by side at 64 pages; below, how
 * they grow with the pages that a call writes. Both logarithmic.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../fail.h"
#include "out.h"

#define WIDTH		920
#define LEFT		290
#define RIGHT		90
#define TOP		114
#define ROW		24
#define BAR		15
#define PLOT		(WIDTH - LEFT - RIGHT)
#define LINES		260
#define GAP		92
#define SIDE		64
#define LABELS		250
#define MAX_POINTS	4

static const uint32_t axis_pages[MAX_POINTS] = { 1, 8, 64, 512 };

struct scale {
	double low;
	double high;
};

static double at(const struct scale *s, double value, double length)
{
	return length * (log10(value) - s->low) / (s->high - s->low);
}

static void widen(struct scale *s, uint64_t value)
{
	double x = value ? log10(value) : s->low;

	if (x < s->low)
		s->low = x;
	if (x > s->high)
		s->high = x;
}

/* To whole powers of ten */
static void round_out(struct scale *s)
{
	s->low = floor(s->low);
	s->high = ceil(s->high);
	if (s->high <= s->low)
		s->high = s->low + 1;
}

static const char *color_of(const struct way_ops *ops)
{
	if (ops->flags & WAY_HLK)
		return "hlk";
	return ops->flags & WAY_NO_RESTORE ? "none" : "user";
}

static void style(FILE *f, int height)
{
	fprintf(f,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\" aria-label=\"Restore and call: hlk and user space\">\n"
		"<style>\n"
		"text{font:13px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#1d2733}\n"
		".soft{fill:#5d6b7a;font-size:12px}.head{font-size:19px;font-weight:600}\n"
		".end{text-anchor:end}.mid{text-anchor:middle}.back{fill:#fff}.grid{stroke:#e3e8ee}\n"
		".hlk{fill:#0b7a75}.user{fill:#b9c3cf}.none{fill:#e0a458}\n"
		"polyline{fill:none;stroke-width:2.4}.l-hlk{stroke:#0b7a75}.l-user{stroke:#a3afbc;stroke-width:1.4}\n"
		".l-none{stroke:#e0a458;stroke-dasharray:4 4}\n"
		"@media(prefers-color-scheme:dark){text{fill:#e8edf2}.soft{fill:#9aa8b6}.back{fill:#12181f}.grid{stroke:#26313d}\n"
		".hlk{fill:#2bb8ae}.user{fill:#465464}.l-hlk{stroke:#2bb8ae}.l-user{stroke:#66768a}}\n"
		"</style>\n<rect width=\"100%%\" height=\"100%%\" class=\"back\"/>\n",
		WIDTH, height, WIDTH, height);
}

static void head(FILE *f, const struct bench_env *env, const struct bench_run *run)
{
	char text[96];

	format_cfg(text, sizeof(text), &run->cfg);
	fprintf(f, "<text x=\"24\" y=\"36\" class=\"head\">Throw the guest back and call it again: %s per restore + call</text>\n",
		env->perf_counts ? "instructions" : "median time");
	fprintf(f, "<text x=\"24\" y=\"58\" class=\"soft\">A call writes %s. Linux %s%s.</text>\n"
		"<text x=\"24\" y=\"76\" class=\"soft\">Shorter is better; each line of the grid is ten times the one before.</text>\n",
		text, env->kernel, env->perf_counts ? ", counted by an emulator" :
		env->emulated ? ", emulated: only the ratios mean something" : "");
}

static void tick(const struct bench_env *env, double power, char *text, size_t size)
{
	format_time(env, text, size, pow(10, power));
}

static void bars(FILE *f, const struct bench_env *env, const struct bench_run *run)
{
	struct scale s = { 99, -99 };
	const struct bench_result *r;
	char text[24];
	double power, x;
	uint32_t i;
	int y;

	for (i = 0; i < run->nr; i++)
		if (run->result[i].present)
			widen(&s, run->result[i].p50);
	round_out(&s);
	for (power = s.low; power <= s.high; power++) {
		x = LEFT + PLOT * (power - s.low) / (s.high - s.low);
		tick(env, power, text, sizeof(text));
		fprintf(f, "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/><text class=\"soft mid\" x=\"%.1f\" y=\"%d\">%s</text>\n",
			x, x, TOP - 4, TOP + ROW * (int)run->nr, x, TOP - 10, text);
	}
	for (i = 0, y = TOP + 4; i < run->nr; i++, y += ROW) {
		r = &run->result[i];
		fprintf(f, "<text class=\"end\" x=\"%d\" y=\"%d\">%s</text><text class=\"soft\" x=\"%d\" y=\"%d\">%s</text>\n",
			LEFT - 10, y + 12, r->ops->name, 24, y + 12, r->ops->id);
		if (!r->present) {
			fprintf(f, "<text class=\"soft\" x=\"%d\" y=\"%d\">not here</text>\n",
				LEFT + 6, y + 12);
			continue;
		}
		format_time(env, text, sizeof(text), r->p50);
		x = at(&s, r->p50, PLOT);
		fprintf(f, "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"2\"/><text x=\"%.1f\" y=\"%d\">%s</text>\n",
			color_of(r->ops), LEFT, y, x < 2 ? 2 : x, BAR, LEFT + x + 6,
			y + 12, text);
	}
}

struct line {
	const char *id;
	double x[MAX_POINTS];
	uint64_t value[MAX_POINTS];
	const struct way_ops *ops;
	double label;
	int nr;
};

static int gather(const struct bench_report *report, struct line *line,
		  const char *id)
{
	struct bench_cfg cfg = bench_base;
	const struct bench_result *r;
	int i;

	*line = (struct line){ .id = id };
	for (i = 0; i < MAX_POINTS; i++) {
		cfg.pages = axis_pages[i];
		r = find_way(find_run(report, &cfg), id);
		if (!r)
			continue;
		line->x[line->nr] = i / (double)(MAX_POINTS - 1);
		line->value[line->nr++] = r->p50;
		line->ops = r->ops;
	}
	return line->nr;
}

/* Labels at the lines' ends, moved apart where they would overlap */
static void place_labels(struct line *line, int nr, const struct scale *s, int top)
{
	bool moved = true;
	int i, k, times;

	for (i = 0; i < nr; i++)
		line[i].label = top + LINES -
				at(s, line[i].value[line[i].nr - 1], LINES);
	for (times = 0; moved && times < 200; times++) {
		moved = false;
		for (i = 0; i < nr; i++)
			for (k = 0; k < nr; k++) {
				double gap = line[k].label - line[i].label;

				if (i == k || gap < 0 || gap >= 14 ||
				    (gap == 0 && i > k))
					continue;
				line[k].label += 1;
				line[i].label -= 1;
				moved = true;
			}
	}
}

static void draw_line(FILE *f, const struct line *line, const struct scale *s,
		      int top)
{
	const double width = WIDTH - SIDE - LABELS;
	const char *color = color_of(line->ops);
	double x, y;
	int i;

	fprintf(f, "<polyline class=\"l-%s\" points=\"", color);
	for (i = 0; i < line->nr; i++)
		fprintf(f, "%.1f,%.1f ", SIDE + width * line->x[i],
			top + LINES - at(s, line->value[i], LINES));
	fputs("\"/>", f);
	for (i = 0; i < line->nr; i++) {
		x = SIDE + width * line->x[i];
		y = top + LINES - at(s, line->value[i], LINES);
		fprintf(f, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.2\"/>",
			color, x, y);
	}
	fprintf(f, "<text class=\"soft\" x=\"%.1f\" y=\"%.1f\">%s %s</text>\n",
		SIDE + width + 10, line->label + 4, line->id, line->ops->name);
}

static void grow(FILE *f, const struct bench_report *report, int top)
{
	static const char *const ids[] = {
		"A", "A2", "B1", "B2", "B3", "B4", "B5", "B5w", "B6", "B6f", "B7", "C",
	};
	const double width = WIDTH - SIDE - LABELS;
	struct line line[sizeof(ids) / sizeof(*ids)];
	struct scale s = { 99, -99 };
	char text[24];
	double power, y;
	int nr = 0, i, k;

	for (i = 0; i < (int)(sizeof(ids) / sizeof(*ids)); i++)
		if (gather(report, &line[nr], ids[i]) > 1)
			nr++;
	if (!nr)
		return;
	for (i = 0; i < nr; i++)
		for (k = 0; k < line[i].nr; k++)
			widen(&s, line[i].value[k]);
	round_out(&s);
	fprintf(f, "<text x=\"24\" y=\"%d\">The same over the pages that a call writes</text>\n",
		top - 22);
	for (power = s.low; power <= s.high; power++) {
		y = top + LINES - LINES * (power - s.low) / (s.high - s.low);
		tick(report->env, power, text, sizeof(text));
		fprintf(f, "<line class=\"grid\" x1=\"%d\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/><text class=\"soft end\" x=\"%d\" y=\"%.1f\">%s</text>\n",
			SIDE, SIDE + width, y, y, SIDE - 6, y + 4, text);
	}
	for (i = 0; i < MAX_POINTS; i++)
		fprintf(f, "<text class=\"soft mid\" x=\"%.1f\" y=\"%d\">%u</text>\n",
			SIDE + width * i / (MAX_POINTS - 1), top + LINES + 18,
			axis_pages[i]);
	place_labels(line, nr, &s, top);
	/* ours last, so on top */
	for (k = 0; k < 2; k++)
		for (i = 0; i < nr; i++)
			if (!!(line[i].ops->flags & WAY_HLK) == k)
				draw_line(f, &line[i], &s, top);
}

/**
 * bench_svg() - a chart
 * @report: the run
 * @path: where to write it
 *
 * Return: 0, or -1 after saying why
 */
int bench_svg(const struct bench_report *report, const char *path)
{
	const struct bench_run *run = find_run(report, &bench_base);
	FILE *f;
	int height, top;

	if (!run && report->nr)
		run = &report->run[0];
	if (!run) {
		fail_say("nothing to draw");
		return -1;
	}
	f = fopen(path, "we");
	if (!f) {
		fail_file(path, "cannot write");
		return -1;
	}
	top = TOP + ROW * run->nr + GAP;
	height = top + LINES + 44;
	style(f, height);
	head(f, report->env, run);
	bars(f, report->env, run);
	grow(f, report, top);
	fputs("</svg>\n", f);
	if (ferror(f) | fclose(f)) {
		fail_file(path, "cannot write");
		return -1;
	}
	return 0;
}
