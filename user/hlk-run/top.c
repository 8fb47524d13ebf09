// SPDX-License-Identifier: GPL-2.0-only
/*
 * hlk-run top: what pools do just now, by what they tell as OpenMetrics, at UNIX sockets or in
 * files: see hlk_pool_metrics(3). Several pools in one text are taken together.
 */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "input.h"
#include "fail.h"
#include "interrupt.h"
#include "option.h"
#include "samples.h"
#include "table.h"
#include "top.h"

#define UNIX		"unix:"
#define MOST		(1U << 20)
#define MAX_POOLS	64
#define ASKS_S		2

enum figure {
	GETS, RESTORES, FAILURES, WAITS, SANDBOXES, READY, OUT, MISSING, PRIVATE, NR_FIGURES
};

static const char * const names[NR_FIGURES] = {
	[GETS] = "hlk_gets_total", [RESTORES] = "hlk_restores_total",
	[FAILURES] = "hlk_restore_failures_total", [WAITS] = "hlk_waits_total",
	[SANDBOXES] = "hlk_sandboxes", [READY] = "hlk_sandboxes_ready",
	[OUT] = "hlk_sandboxes_out", [MISSING] = "hlk_sandboxes_missing",
	[PRIVATE] = "hlk_private_bytes",
};

/**
 * struct told - what a text told
 * @figure: by enum figure
 * @below: restores that took less than 2^(n+1) nanoseconds
 * @when: when that was, in nanoseconds
 */
struct told {
	double figure[NR_FIGURES];
	double below[HLK_POOL_BUCKETS];
	uint64_t when;
};

struct top {
	const char *where[MAX_POOLS];
	uint32_t nr;
	uint64_t times;
	uint64_t delay_ms;
	struct told before[MAX_POOLS];
};

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void take_line(const char *line, struct told *told)
{
	static const char bucket[] = "hlk_restore_duration_seconds_bucket{";
	size_t len = strcspn(line, "{ ");
	const char *le, *value = strrchr(line, ' ');
	double limit;
	int i;

	if (*line == '#' || !value)
		return;
	for (i = 0; i < NR_FIGURES; i++)
		if (strlen(names[i]) == len && !memcmp(line, names[i], len))
			told->figure[i] += strtod(value, NULL);
	if (strncmp(line, bucket, sizeof(bucket) - 1))
		return;
	le = strstr(line, "le=\"");
	limit = le ? strtod(le + 4, NULL) * 1e9 : 0;
	for (i = 0; le && i < HLK_POOL_BUCKETS; i++)
		if (limit < (double)(4ULL << i) || i == HLK_POOL_BUCKETS - 1) {
			told->below[i] += strtod(value, NULL);
			break;
		}
}

/* Only a text that has its end is one. */
static int take_text(char *text, struct told *told)
{
	char *line, *rest = text;
	bool whole = false;

	*told = (struct told) { .when = now() };
	while ((line = strsep(&rest, "\n"))) {
		whole |= !strcmp(line, "# EOF");
		take_line(line, told);
	}
	return whole ? 0 : -1;
}

static int ask(const char *path, char **text)
{
	static const char get[] = "GET /metrics HTTP/1.0\r\n\r\n";
	const struct timeval limit = { .tv_sec = ASKS_S };
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t len = 0;
	ssize_t got = -1;

	*text = malloc(MOST + 1);
	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	if (fd < 0 || !*text || strlen(path) >= sizeof(to.sun_path))
		goto out;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) ||
	    send(fd, get, sizeof(get) - 1, MSG_NOSIGNAL) != sizeof(get) - 1)
		goto out;
	while (len < MOST && (got = recv(fd, *text + len, MOST - len, 0)) > 0)
		len += got;
	(*text)[len] = '\0';
out:
	if (fd >= 0)
		close(fd);
	return got < 0 ? -1 : 0;
}

static int look(const char *where, struct told *told)
{
	bool is_unix = !strncmp(where, UNIX, strlen(UNIX));
	char *text = NULL;
	size_t len = 0;
	void *data;
	int ret;

	if (is_unix) {
		errno = 0;
		ret = ask(where + strlen(UNIX), &text);
		if (ret)
			ret = fail_file(where, "cannot ask");
	} else {
		ret = input_any(where, MOST, &data, &len);
		text = data;
		/* one byte more than there is at most has room */
		if (!ret)
			text[len] = '\0';
	}
	if (!ret && take_text(text, told)) {
		fail_say("%s: no text of OpenMetrics, or not all of it", where);
		ret = RUN_FILE;
	}
	free(text);
	return ret;
}

/* Between two looks; to the bucket's upper bound */
static void percentile(const struct told *a, const struct told *b, double part, char *text,
		       size_t size)
{
	double all = b->below[HLK_POOL_BUCKETS - 1] - a->below[HLK_POOL_BUCKETS - 1];
	int i;

	for (i = 0; i < HLK_POOL_BUCKETS - 1 && b->below[i] - a->below[i] < all * part; i++)
		;
	if (all > 0)
		format_ns(text, size, 2ULL << i);
	else
		snprintf(text, size, "-");
}

static void show(const struct term *term, const char *where, const struct told *a,
		 const struct told *b)
{
	double seconds = (b->when - a->when) / 1e9;
	char p50[24], p99[24], line[256];

	if (seconds <= 0)
		seconds = 1;
	percentile(a, b, 0.5, p50, sizeof(p50));
	percentile(a, b, 0.99, p99, sizeof(p99));
	snprintf(line, sizeof(line),
		 "%.0f restores/s, half below %s, 99%% below %s; %.0f gets/s, %.0f waits/s; %.0f ready, %.0f out, %.0f missing of %.0f; %.1f MiB private%s",
		 (b->figure[RESTORES] - a->figure[RESTORES]) / seconds, p50, p99,
		 (b->figure[GETS] - a->figure[GETS]) / seconds,
		 (b->figure[WAITS] - a->figure[WAITS]) / seconds, b->figure[READY],
		 b->figure[OUT], b->figure[MISSING], b->figure[SANDBOXES],
		 b->figure[PRIVATE] / (1 << 20),
		 b->figure[FAILURES] > a->figure[FAILURES] ? "; RESTORES FAIL" : "");
	print_safe(stdout, where, strlen(where));
	printf("\n  ");
	table_words(term, 2, 2, line);
}

static int run(struct top *top)
{
	const struct timespec delay = { .tv_sec = top->delay_ms / 1000,
					.tv_nsec = top->delay_ms % 1000 * 1000000 };
	struct told told;
	struct term term;
	uint64_t done;
	uint32_t i;
	int ret;

	term_init(&term, stdout);
	for (i = 0; i < top->nr; i++) {
		ret = look(top->where[i], &top->before[i]);
		if (ret)
			return ret;
	}
	for (done = 0; done < top->times && !interrupted(); done++) {
		nanosleep(&delay, NULL);
		if (term.color)
			fputs("\033[H\033[J", stdout);
		for (i = 0; i < top->nr; i++) {
			ret = look(top->where[i], &told);
			if (ret)
				return ret;
			show(&term, top->where[i], &top->before[i], &told);
			top->before[i] = told;
		}
		fflush(stdout);
	}
	return RUN_OK;
}

enum { OPT_DELAY = 'd', OPT_TIMES = 'n' };

static const struct argp_option options[] = {
	{ "delay", OPT_DELAY, "MS", 0, "Time between two looks (default 1000)", 0 },
	{ "times", OPT_TIMES, "N", 0, "Look so many times (default: to Ctrl-C)", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct top *top = state->input;

	switch (key) {
	case OPT_DELAY:
		top->delay_ms = option_number(state, "delay", arg, 1, 86400000);
		return 0;
	case OPT_TIMES:
		top->times = option_number(state, "times", arg, 1, 1ULL << 40);
		return 0;
	case ARGP_KEY_ARG:
		if (top->nr == MAX_POOLS)
			argp_error(state, "at most %u pools", MAX_POOLS);
		top->where[top->nr++] = arg;
		return 0;
	case ARGP_KEY_END:
		if (!top->nr)
			argp_error(state, "which pools? (what --metrics of serve-bench was given)");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "FILE|unix:SOCKET...",
	.doc = "Show what pools do, by what they tell as OpenMetrics.\v"
	       "Exit status: 0 all well, 1 one cannot be asked, 2 usage, 6 a file cannot be read, or is none.",
};

/**
 * cmd_top() - hlk-run top
 * @argc: as of main
 * @argv: as of main
 *
 * Return: the exit code
 */
int cmd_top(int argc, char **argv)
{
	struct top *top = calloc(1, sizeof(*top));
	int ret;

	if (!top)
		return fail_say("out of memory");
	top->times = UINT64_MAX;
	top->delay_ms = 1000;
	if (argp_parse(&argp, argc, argv, 0, NULL, top)) {
		ret = RUN_USAGE;
	} else {
		interrupt_begin();
		ret = run(top);
	}
	free(top);
	return ret;
}
