// SPDX-License-Identifier: GPL-2.0-only
/* What is said when something failed, above all when the guest did. */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>

#include "fail.h"
#include "json.h"
#include "names.h"	/* of enum hlk_what and enum hlk_why, made of the headers */
#include "symbol.h"
#include "term.h"

/* Which exit code an error makes */
int exit_code(const struct hlk_err *err)
{
	switch (err->what) {
	case HLK_WHAT_TIMEOUT:
		return RUN_TIMEOUT;
	case HLK_WHAT_SAVED:
		return RUN_FILE;
	case HLK_WHAT_GUEST_EXIT:
	case HLK_WHAT_GUEST_STATUS:
	case HLK_WHAT_BUDGET:
		return RUN_GUEST;
	default:
		return RUN_ERROR;
	}
}

/*
 * What failed last, for JSON. One thread has guests; what others say in their own name is
 * not told by programs to programs.
 */
static struct {
	bool wanted;
	char line[512];
	char hint[192];
	struct hlk_err err;
} last;

/* Limits of this process that have a name of their own, and how they are raised */
static void note_hint(const struct hlk_err *err)
{
	static const struct {
		int code;
		int resource;
		const char *what;
		unsigned int unit;
	} limits[] = {
		{ EMFILE, RLIMIT_NOFILE, "open files: ulimit -n is %llu; raise it", 1 },
		{ ENOMEM, RLIMIT_AS, "address space: ulimit -v is %llu; raise it", 1024 },
		{ EAGAIN, RLIMIT_NPROC, "threads: ulimit -u is %llu; raise it", 1 },
		{ EFBIG, RLIMIT_FSIZE, "size of files: ulimit -f is %llu; raise it", 1024 },
	};
	struct rlimit limit;
	int code = err->code;
	size_t i;

	/* That is said of much else, too. */
	if (code == EAGAIN && !(err->op && strstr(err->op, "thread")))
		code = 0;
	last.hint[0] = '\0';
	if (code == ENFILE)
		snprintf(last.hint, sizeof(last.hint),
			 "the host has a limit of open files: /proc/sys/fs/file-max");
	for (i = 0; i < sizeof(limits) / sizeof(*limits); i++)
		if (limits[i].code == code && !getrlimit(limits[i].resource, &limit) &&
		    limit.rlim_cur != RLIM_INFINITY)
			snprintf(last.hint, sizeof(last.hint), limits[i].what,
				 (unsigned long long)limit.rlim_cur / limits[i].unit);
}

static void say_last(void)
{
	fprintf(stderr, "hlk-run: ");
	print_safe(stderr, last.line, strlen(last.line));
	if (last.hint[0])
		fprintf(stderr, " (%s)", last.hint);
	fputc('\n', stderr);
}

/**
 * fail_say() - say that something failed
 * @fmt: a line, as of printf(), without a line feed
 *
 * Return: RUN_ERROR
 */
int fail_say(const char *fmt, ...)
{
	va_list args;

	last.err = (struct hlk_err) {};
	last.hint[0] = '\0';
	va_start(args, fmt);
	vsnprintf(last.line, sizeof(last.line), fmt, args);
	va_end(args);
	say_last();
	return RUN_ERROR;
}

/**
 * fail_file() - say that something with a file failed, as errno says
 * @path: the file
 * @what: what was to be done with it, such as "cannot write"
 *
 * Return: RUN_ERROR
 */
int fail_file(const char *path, const char *what)
{
	last.err = (struct hlk_err) { .code = errno, .what = HLK_WHAT_FILE, .op = what };
	snprintf(last.err.text, sizeof(last.err.text), "%s", path);
	note_hint(&last.err);
	snprintf(last.line, sizeof(last.line), "%s %s: %s", what, path,
		 strerror(last.err.code));
	say_last();
	return RUN_ERROR;
}

int fail_err(const char *what, const struct hlk_err *err)
{
	char line[256];

	last.err = *err;
	note_hint(err);
	hlk_strerror(err, line, sizeof(line));
	snprintf(last.line, sizeof(last.line), "%s%s%s", what ? what : "",
		 what ? ": " : "", line);
	say_last();
	return exit_code(err);
}

#define NAME_OF(table, nr) \
	((nr) < sizeof(table) / sizeof(*(table)) ? (table)[nr] : NULL)

static void add_name(struct cJSON *to, const char *key, const char *name)
{
	if (name)
		cJSON_AddStringToObject(to, key, name);
	else
		cJSON_AddNullToObject(to, key);
}

/**
 * fail_json() - what failed last, for programs
 * @to: what it becomes members of
 */
void fail_json(struct cJSON *to)
{
	const struct hlk_err *err = &last.err;
	struct cJSON *one;

	if (!last.line[0])
		return;
	json_text(to, "error", last.line, strlen(last.line));
	if (last.hint[0])
		cJSON_AddStringToObject(to, "hint", last.hint);
	if (!err->code)
		return;
	one = cJSON_AddObjectToObject(to, "failure");
	json_u64(one, "errno", err->code);
	add_name(one, "errno_name", strerrorname_np(err->code));
	add_name(one, "what", NAME_OF(what_names, err->what));
	if (err->what == HLK_WHAT_MODULE)
		add_name(one, "why", NAME_OF(why_names, err->why));
	json_u64(one, "index", err->index);
	json_u64(one, "where", err->where);
	if (err->op)
		cJSON_AddStringToObject(one, "op", err->op);
	if (err->text[0])
		json_text(one, "text", err->text, strlen(err->text));
}

/**
 * fail_want_json() - what is printed is read by a program
 */
void fail_want_json(void)
{
	last.wanted = true;
}

/**
 * fail_end() - before the program ends: a failure is told as JSON, too
 * @code: the exit code
 *
 * If nothing else told of it: where JSON was wanted there is always one object.
 */
void fail_end(int code)
{
	struct cJSON *root;

	if (!code || !last.wanted || json_printed())
		return;
	root = cJSON_CreateObject();
	cJSON_AddNumberToObject(root, "exit_code", code);
	fail_json(root);
	json_print(root);
}

int fail_sandbox(struct hlk_sandbox *sb)
{
	const struct hlk_err err = *hlk_sandbox_error(sb);
	int ret = fail_err(NULL, &err);

	if (ret == RUN_GUEST || ret == RUN_TIMEOUT)
		report_guest(stderr, sb);
	return ret;
}

static void print_regs(FILE *file, const struct hlk_regs *regs)
{
	fprintf(file,
		"  eax %08x  ebx %08x  ecx %08x  edx %08x\n"
		"  esi %08x  edi %08x  ebp %08x  esp %08x\n"
		"  eip %08x  eflags %08x\n"
		"  cr0 %08x  cr2 %08x  cr3 %08x  cr4 %08x\n"
		"  cs %04x  ss %04x  ds %04x  es %04x  fs %04x  gs %04x\n",
		regs->eax, regs->ebx, regs->ecx, regs->edx,
		regs->esi, regs->edi, regs->ebp, regs->esp,
		regs->eip, regs->eflags,
		regs->cr0, regs->cr2, regs->cr3, regs->cr4,
		regs->cs, regs->ss, regs->ds, regs->es, regs->fs, regs->gs);
}

static void print_bits(FILE *file, uint32_t entry, bool directory)
{
	fprintf(file, "%08x %s%s%s%s%s%s%s", entry,
		entry & 1 ? "P" : "-",
		entry & 2 ? "W" : "R",
		entry & 4 ? "U" : "S",
		entry & 0x20 ? "A" : "-",
		entry & 0x40 ? "D" : "-",
		directory && entry & 0x80 ? " 4M" : "",
		!directory && entry & HLK_GUEST_PTE_COW ? " CoW" : "");
}

static const char *symbols;

/**
 * report_symbols() - where names of a guest's functions are to be had
 * @path: the guest's ELF file, or NULL; it has to stay
 *
 * One guest is looked at, by one thread.
 */
void report_symbols(const char *path)
{
	symbols = path;
}

/**
 * report_name() - the name of the function that an address is in, if there is one
 * @file: where to say it
 * @addr: the address
 */
void report_name(FILE *file, uint64_t addr)
{
	char name[128];

	if (!symbol_at(symbols, addr, name, sizeof(name)))
		return;
	fputs("  ", file);
	print_safe(file, name, strlen(name));
}

/* The entries on the way to an address, as far as there are any */
static void print_way(FILE *file, struct hlk_sandbox *sb, const char *what,
		      uint32_t va, uint32_t cr3, bool name)
{
	struct hlk_translate t = { .root = cr3, .va = va };
	int ret = hlk_sandbox_translate(sb, &t);

	if (ret && ret != -ENXIO && ret != -ENODEV)
		return;
	fprintf(file, "  %-6s %08x  pde ", what, va);
	print_bits(file, t.entry[1], true);
	if (t.entry[0]) {
		fputs("  pte ", file);
		print_bits(file, t.entry[0], false);
	}
	if (!ret)
		fprintf(file, "  -> %08llx%s", (unsigned long long)t.gpa,
			t.map & HLK_MAP_NOT_RAM ? ", which is no memory" : "");
	else
		fprintf(file, "  -> %s", ret == -ENXIO ? "not mapped" :
			"table or page not in memory");
	if (name)
		report_name(file, va);
	fputc('\n', file);
}

static void print_reason(FILE *file, const struct hlk_exit *exit)
{
	fprintf(file, "guest: %s", hlk_exit_reason_text(exit->reason));
	switch (exit->reason) {
	case HLK_EXIT_TRAP:
		fprintf(file, " (vector %u, error code 0x%x)", exit->code,
			exit->error_code);
		break;
	case HLK_EXIT_ABORT:
	case HLK_EXIT_PORT:
	case HLK_EXIT_FAIL_ENTRY:
	case HLK_EXIT_INTERNAL:
	case HLK_EXIT_UNKNOWN:
		fprintf(file, " (0x%x)", exit->code);
		break;
	}
	if (exit->flags & HLK_EXIT_HAS_FAULT)
		fprintf(file, ", %s %saddress 0x%llx",
			exit->flags & HLK_EXIT_WRITE ? "write to" :
			"read or execution of",
			exit->reason == HLK_EXIT_TRAP ? "" : "guest-physical ",
			(unsigned long long)exit->fault);
	fputc('\n', file);
}

/**
 * report_guest() - how the guest's last run ended
 * @file: where to say it
 * @sb: the sandbox
 */
void report_guest(FILE *file, struct hlk_sandbox *sb)
{
	const struct hlk_exit *exit = hlk_sandbox_exit(sb);
	const struct hlk_regs *regs = &exit->regs;

	if (exit->reason == HLK_EXIT_NONE || exit->reason == HLK_EXIT_HALT)
		return;
	print_reason(file, exit);
	if (exit->flags & HLK_EXIT_REGS_LOST) {
		fputs("  (the processor reset itself: its registers are lost)\n",
		      file);
		return;
	}
	print_regs(file, regs);
	print_way(file, sb, "eip", regs->eip, regs->cr3, true);
	print_way(file, sb, "esp", regs->esp, regs->cr3, false);
	if (exit->reason == HLK_EXIT_TRAP && exit->flags & HLK_EXIT_HAS_FAULT)
		print_way(file, sb, "fault", exit->fault, regs->cr3, false);
}
