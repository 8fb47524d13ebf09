// SPDX-License-Identifier: GPL-2.0-only
/* What the kernel writes into a trace buffer, read and told again. */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../libhlk/tests/tap.h"
#include "../trace.h"

static const char buffer[] =
	"# tracer: nop\n"
	"#\n"
	"# entries-in-buffer/entries-written: 7/9   #P:2\n"
	"#\n"
	"         hlk-run-77      [001] ..... 10.000100: tracing_mark_write: begin\n"
	"         hlk-run-77      [001] d..1. 10.000105: kvm_entry: vcpu 0, rip 0x1000\n"
	"         hlk-run-77      [001] d..1. 10.000117: kvm_exit: reason npf rip 0x1000 info1 0x4\n"
	"  a] [b: 1.5: c-77       [001] ..... 10.000118: kvm_page_fault: address 0x2000 error_code 0x6\n"
	"         hlk-run-77      [001] ..... 10.000120: hlk_cow_fault: vm=3 gpa=0x2000 private=5\n"
	"         hlk-run-77      [001] ..... 10.000121: sched_switch: of no interest\n"
	"no line of it\n"
	"         hlk-run-77      [001] ..... : kvm_exit: without a time\n"
	"         hlk-run-77      [001] d..1. 10.000130: kvm_entry: vcpu 0, \x1b[31m\n"
	"         hlk-run-77      [001] ..... 10.000140: tracing_mark_write: end\n";

static const char *const lines[] = {
	"\n         0         5  begin\n",
	"\n         5        12  guest runs: vcpu 0, rip 0x1000\n",
	"\n        17         1  exit: reason npf rip 0x1000 info1 0x4\n",
	"\n        18         2  nested page fault: address 0x2000 error_code 0x6\n",
	"\n        20        10  first write to a page: vm=3 gpa=0x2000 private=5\n",
	"\n        30        10  guest runs: vcpu 0, ?[31m\n",
	"\n        40         0  end\n",
	"\nthe first events were lost",
};

static struct trace *parse(const char *text)
{
	struct trace *trace = trace_new();
	FILE *file = fmemopen((void *)text, strlen(text), "r");

	if (!trace || !file || trace_parse(trace, file))
		abort();
	fclose(file);
	return trace;
}

static void as_text(const struct trace *trace)
{
	char *text = NULL;
	size_t size, i;
	FILE *file = open_memstream(&text, &size);

	if (!file)
		abort();
	tap(!trace_print(trace, NULL, file), "as text");
	fclose(file);
	for (i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		tap(strstr(text, lines[i]), "line %zu", i);
	tap(!strstr(text, "no interest") && !strstr(text, "without a time"), "and no others");
	free(text);
}

static void as_json(const struct trace *trace)
{
	char path[] = "/tmp/trace.XXXXXX", text[8192] = "";
	int fd = mkstemp(path);
	const cJSON *list, *one;
	cJSON *root;

	tap(fd >= 0 && !trace_print(trace, path, stdout), "as JSON");
	if (read(fd, text, sizeof(text) - 1) < 0)
		abort();
	root = cJSON_Parse(text);
	list = cJSON_GetObjectItem(root, "traceEvents");
	tap(cJSON_GetArraySize(list) == 7, "with each event");
	one = cJSON_GetArrayItem(list, 1);
	tap(!strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(one, "name")), "guest runs") &&
	    cJSON_GetNumberValue(cJSON_GetObjectItem(one, "ts")) > 4.9 &&
	    cJSON_GetNumberValue(cJSON_GetObjectItem(one, "dur")) > 11.9 &&
	    !strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(one, "ph")), "X"),
	    "its begin and what it took");
	tap(cJSON_IsTrue(cJSON_GetObjectItem(root, "lost")), "and whether some are lost");
	cJSON_Delete(root);
	close(fd);
	unlink(path);
	tap(trace_print(trace, "/none/trace", stdout), "a file that cannot be written");
}

int main(void)
{
	struct trace *trace = parse(buffer);

	as_text(trace);
	as_json(trace);
	trace_close(trace);
	trace = parse("# nothing\n");
	tap(!trace_print(trace, "/dev/null", stdout), "a trace of nothing");
	trace_close(trace);
	trace_close(NULL);
	return tap_done();
}
