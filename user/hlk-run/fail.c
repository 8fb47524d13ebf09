// SPDX-License-Identifier: GPL-2.0-only
/* What is said when something failed, above all when the guest did. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "fail.h"
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

int fail_err(const char *what, const struct hlk_err *err)
{
	char line[256];

	hlk_strerror(err, line, sizeof(line));
	fprintf(stderr, "hlk-run: %s%s", what ? what : "", what ? ": " : "");
	print_safe(stderr, line, strlen(line));
	fputc('\n', stderr);
	return exit_code(err);
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
