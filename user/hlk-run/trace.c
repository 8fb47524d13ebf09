// SPDX-License-Identifier: GPL-2.0-only
/*
 * hlk-run run --trace: what happens in one call, in order, and what it costs.
 *
 * The kernel says it: its tracepoints of KVM and of hlk.ko, in a trace buffer of our own,
 * for this thread alone. Each line is an event; from one to the next of the thread is
 * what it took. Between an entry and an exit it is the guest that runs.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail.h"
#include "json.h"
#include "term.h"
#include "trace.h"

#define BUFFER_KIB	"16384"
#define MAX_EVENTS	(1U << 20)

/* Which events, and what they are in words; those of the first two have to be there */
static const struct {
	const char *event;
	const char *words;
} kinds[] = {
	{ "kvm/kvm_entry", "guest runs" },
	{ "kvm/kvm_exit", "exit" },
	{ "kvm/kvm_page_fault", "nested page fault" },
	{ "kvm/kvm_pio", "port" },
	{ "kvm/kvm_mmio", "device memory" },
	{ "kvm/kvm_msr", "MSR" },
	{ "kvm/kvm_cpuid", "CPUID" },
	{ "kvm/kvm_inj_virq", "interrupt" },
	{ "kvm/kvm_inj_exception", "exception" },
	{ "hlk/hlk_cow_fault", "first write to a page" },
	{ "hlk/hlk_restore", "restored" },
	{ "hlk/hlk_run", "call and restore by the module" },
};

#define KINDS	(sizeof(kinds) / sizeof(*kinds))
#define MUST	2

/**
 * struct event - a line
 * @us: when, in microseconds
 * @kind: index in kinds, or KINDS for what hlk-run marked
 * @text: what the kernel says
 */
struct event {
	double us;
	size_t kind;
	char *text;
};

/**
 * struct trace - a trace
 * @dir: the folder of the trace buffer; -1 is none
 * @top: where that folder is
 * @name: its name there
 * @event: what was read
 * @nr: length of @event
 * @room: how many fit
 * @lost: the buffer was too small
 */
struct trace {
	int dir;
	int top;
	char name[32];
	struct event *event;
	size_t nr;
	size_t room;
	bool lost;
};

/* Where trace_mark() writes: one call is traced at a time */
static int marker = -1;

static int complain(const char *what)
{
	fprintf(stderr, "hlk-run: cannot trace: %s: %s\n", what, strerror(errno));
	return RUN_ERROR;
}

static int put(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CLOEXEC | O_TRUNC);
	ssize_t len = strlen(text);
	int err = 0;

	if (fd < 0)
		return -1;
	if (write(fd, text, len) != len)
		err = errno ? errno : EIO;
	close(fd);
	errno = err;
	return err ? -1 : 0;
}

static int enable_events(const struct trace *trace)
{
	char path[64];
	size_t i;

	for (i = 0; i < KINDS; i++) {
		snprintf(path, sizeof(path), "events/%s/enable", kinds[i].event);
		/* not each kernel has all of them */
		if (put(trace->dir, path, "1") && (i < MUST || errno != ENOENT))
			return complain(kinds[i].event);
	}
	return RUN_OK;
}

static int prepare(struct trace *trace)
{
	char tid[16];

	snprintf(tid, sizeof(tid), "%d", gettid());
	if (put(trace->dir, "tracing_on", "0") || put(trace->dir, "trace_clock", "mono") ||
	    put(trace->dir, "buffer_size_kb", BUFFER_KIB) ||
	    put(trace->dir, "set_event_pid", tid))
		return complain("the trace buffer");
	return enable_events(trace);
}

/**
 * trace_new() - a trace without a buffer
 *
 * Return: the trace, or NULL without memory
 */
struct trace *trace_new(void)
{
	struct trace *trace = calloc(1, sizeof(*trace));

	if (trace) {
		trace->dir = -1;
		trace->top = -1;
	}
	return trace;
}

/**
 * trace_open() - make a trace buffer for this thread
 * @out: out: the trace, also after a failure, to be closed
 *
 * Return: RUN_OK or an exit code, after the reason was printed
 */
int trace_open(struct trace **out)
{
	static const char *const tops[] = {
		"/sys/kernel/tracing/instances", "/sys/kernel/debug/tracing/instances",
	};
	struct trace *trace = trace_new();
	size_t i;

	*out = trace;
	if (!trace)
		return complain("memory");
	for (i = 0; i < sizeof(tops) / sizeof(*tops) && trace->top < 0; i++)
		trace->top = open(tops[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (trace->top < 0)
		return complain("tracefs, which only root sees");
	snprintf(trace->name, sizeof(trace->name), "hlk-run-%d", getpid());
	if (mkdirat(trace->top, trace->name, 0700) && errno != EEXIST)
		return complain("a trace buffer");
	trace->dir = openat(trace->top, trace->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (trace->dir < 0)
		return complain("a trace buffer");
	marker = openat(trace->dir, "trace_marker", O_WRONLY | O_CLOEXEC);
	return prepare(trace);
}

/**
 * trace_close() - take the trace buffer away
 * @trace: the trace, or NULL
 */
void trace_close(struct trace *trace)
{
	size_t i;

	if (!trace)
		return;
	if (marker >= 0)
		close(marker);
	marker = -1;
	if (trace->dir >= 0) {
		put(trace->dir, "tracing_on", "0");
		put(trace->dir, "events/enable", "0");
		close(trace->dir);
		unlinkat(trace->top, trace->name, AT_REMOVEDIR);
	}
	if (trace->top >= 0)
		close(trace->top);
	for (i = 0; i < trace->nr; i++)
		free(trace->event[i].text);
	free(trace->event);
	free(trace);
}

/**
 * trace_mark() - note something in the trace, if there is one
 * @text: one line
 */
void trace_mark(const char *text)
{
	size_t len = strlen(text);

	/* what the kernel does not take is missing in the trace, and nowhere else */
	if (marker >= 0 && write(marker, text, len) != (ssize_t)len)
		return;
}

/* ---- what the kernel wrote ---- */

/* The number of a kind by what stands between time and text */
static size_t kind_of(const char *name, size_t len)
{
	const char *event;
	size_t i;

	for (i = 0; i < KINDS; i++) {
		event = strchr(kinds[i].event, '/') + 1;
		if (strlen(event) == len && !memcmp(event, name, len))
			break;
	}
	return i;
}

static int add(struct trace *trace, double us, size_t kind, const char *text)
{
	struct event *event = trace->event;

	if (trace->nr == MAX_EVENTS) {
		trace->lost = true;
		return 0;
	}
	if (trace->nr == trace->room) {
		trace->room = trace->room ? 2 * trace->room : 256;
		event = realloc(event, trace->room * sizeof(*event));
		if (!event)
			return -1;
		trace->event = event;
	}
	event[trace->nr] = (struct event) { .us = us, .kind = kind, .text = strdup(text) };
	if (!event[trace->nr].text)
		return -1;
	trace->nr++;
	return 0;
}

/*
 * "  hlk-run-77  [000] d..1.  12.345678: kvm_exit: reason npf ...": a name may have
 * anything in it, but what follows the CPU is the kernel's.
 */
static int take_line(struct trace *trace, char *line)
{
	char *at, *end, *name;
	double seconds;
	size_t kind;

	line[strcspn(line, "\n")] = '\0';
	at = strstr(line, "] ");
	while (at && !isdigit((unsigned char)at[-1]))
		at = strstr(at + 1, "] ");
	if (!at)
		return 0;
	at += 2 + strspn(at + 2, " ");
	at += strcspn(at, " ");
	seconds = strtod(at, &end);
	if (end == at || *end != ':')
		return 0;
	name = end + 1 + strspn(end + 1, " ");
	end = strstr(name, ": ");
	if (!end)
		return 0;
	kind = kind_of(name, end - name);
	if (kind == KINDS && strncmp(name, "tracing_mark_write", end - name))
		return 0;
	return add(trace, seconds * 1e6, kind, end + 2);
}

/* "# entries-in-buffer/entries-written: 12/40": the first were overwritten. */
static void take_header(struct trace *trace, const char *line)
{
	const char *at = strstr(line, "entries-written: ");
	unsigned long long has, had;

	if (at && sscanf(at, "entries-written: %llu/%llu", &has, &had) == 2 && has != had)
		trace->lost = true;
}

/**
 * trace_parse() - take what a trace buffer has
 * @trace: the trace
 * @from: its file "trace"
 *
 * Return: RUN_OK or an exit code, after the reason was printed
 */
int trace_parse(struct trace *trace, FILE *from)
{
	char *line = NULL;
	size_t size = 0;
	int ret = 0;

	while (!ret && getline(&line, &size, from) > 0) {
		if (*line == '#')
			take_header(trace, line);
		else
			ret = take_line(trace, line);
	}
	free(line);
	if (!ret && !ferror(from))
		return RUN_OK;
	return complain("what the kernel wrote cannot be read");
}

/**
 * trace_begin() - from now on
 * @trace: the trace
 *
 * Return: RUN_OK or an exit code, after the reason was printed
 */
int trace_begin(struct trace *trace)
{
	if (put(trace->dir, "trace", "") || put(trace->dir, "tracing_on", "1"))
		return complain("the trace buffer");
	trace_mark("begin");
	return RUN_OK;
}

/**
 * trace_end() - until now; read it
 * @trace: the trace
 *
 * Return: RUN_OK or an exit code, after the reason was printed
 */
int trace_end(struct trace *trace)
{
	FILE *file;
	int fd, ret;

	trace_mark("end");
	if (put(trace->dir, "tracing_on", "0"))
		return complain("the trace buffer");
	fd = openat(trace->dir, "trace", O_RDONLY | O_CLOEXEC);
	file = fd < 0 ? NULL : fdopen(fd, "r");
	if (!file) {
		if (fd >= 0)
			close(fd);
		return complain("the trace buffer");
	}
	ret = trace_parse(trace, file);
	fclose(file);
	return ret;
}

/* ---- for a person, and for a browser ---- */

static const char *words_of(const struct event *event)
{
	return event->kind < KINDS ? kinds[event->kind].words : event->text;
}

/* What it took: until the next event; nothing is known of the last */
static double took(const struct trace *trace, size_t i)
{
	return i + 1 < trace->nr ? trace->event[i + 1].us - trace->event[i].us : 0;
}

static void print_events(const struct trace *trace, FILE *to)
{
	double first = trace->nr ? trace->event[0].us : 0;
	const struct event *event;
	size_t i;

	fputs("        us      took  what\n", to);
	for (i = 0; i < trace->nr; i++) {
		event = &trace->event[i];
		fprintf(to, "%10.0f  %8.0f  ", event->us - first, took(trace, i));
		if (event->kind == KINDS) {
			print_safe(to, event->text, strlen(event->text));
			fputc('\n', to);
			continue;
		}
		fprintf(to, "%s: ", words_of(event));
		print_safe(to, event->text, strlen(event->text));
		fputc('\n', to);
	}
	if (trace->lost)
		fputs("the first events were lost: the buffer was too small\n", to);
}

/* An event of the Trace Event Format, as Chrome and Perfetto read it */
static struct cJSON *event_json(const struct trace *trace, size_t i)
{
	const struct event *event = &trace->event[i];
	struct cJSON *one = cJSON_CreateObject(), *args;

	json_text(one, "name", words_of(event), strlen(words_of(event)));
	cJSON_AddStringToObject(one, "ph", "X");
	cJSON_AddNumberToObject(one, "ts", event->us - trace->event[0].us);
	cJSON_AddNumberToObject(one, "dur", took(trace, i));
	cJSON_AddNumberToObject(one, "pid", 1);
	/* the guest has a line of its own */
	cJSON_AddNumberToObject(one, "tid", event->kind ? 1 : 2);
	args = cJSON_AddObjectToObject(one, "args");
	json_text(args, "event", event->text, strlen(event->text));
	return one;
}

static int write_json(const struct trace *trace, const char *path)
{
	struct cJSON *root = cJSON_CreateObject(), *list;
	size_t i;

	list = cJSON_AddArrayToObject(root, "traceEvents");
	for (i = 0; i < trace->nr; i++)
		cJSON_AddItemToArray(list, event_json(trace, i));
	cJSON_AddStringToObject(root, "displayTimeUnit", "ns");
	cJSON_AddBoolToObject(root, "lost", trace->lost);
	return json_write(root, path) ? fail_file(path, "cannot write") : RUN_OK;
}

/**
 * trace_print() - say what was read
 * @trace: the trace
 * @json: file for a browser, or NULL to print it for a person
 * @to: where it is printed
 *
 * Return: RUN_OK or an exit code, after the reason was printed
 */
int trace_print(const struct trace *trace, const char *json, FILE *to)
{
	if (json)
		return write_json(trace, json);
	print_events(trace, to);
	return RUN_OK;
}
