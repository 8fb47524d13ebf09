// SPDX-License-Identifier: GPL-2.0-only
/* What the terminal and the machine are like. */
#include <cpuid.h>
#include <langinfo.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "term.h"

#define DEFAULT_WIDTH	80
#define MAX_WIDTH	120

/* A terminal that does not say is as most are. */
static int columns_of(FILE *file)
{
	struct winsize size;

	if (!isatty(fileno(file)))
		return 0;
	if (ioctl(fileno(file), TIOCGWINSZ, &size) || !size.ws_col)
		return DEFAULT_WIDTH;
	return size.ws_col;
}

/**
 * term_init() - see what can be shown
 * @term: out: that
 * @file: where it is to be shown
 *
 * Colours only on a terminal that is none of the dumb ones, and not if NO_COLOR
 * is set (see no-color.org).
 */
void term_init(struct term *term, FILE *file)
{
	const char *no_color = getenv("NO_COLOR");
	const char *name = getenv("TERM");

	term->unicode = !strcmp(nl_langinfo(CODESET), "UTF-8");
	term->color = isatty(fileno(file)) && !(no_color && *no_color) &&
		      name && strcmp(name, "dumb");
	term->columns = columns_of(file);
	term->width = term->columns ? term->columns : DEFAULT_WIDTH;
	if (term->width > MAX_WIDTH)
		term->width = MAX_WIDTH;
}

const char *term_on(const struct term *term, const char *code)
{
	return term->color ? code : "";
}

const char *term_off(const struct term *term)
{
	return term->color ? "\033[0m" : "";
}

/* What is no UTF-8 terminal may take bytes of UTF-8 for control characters. */
static unsigned int flags_of(FILE *file)
{
	if (isatty(fileno(file)) && strcmp(nl_langinfo(CODESET), "UTF-8"))
		return HLK_TEXT_LINES | HLK_TEXT_ASCII;
	return HLK_TEXT_LINES;
}

/**
 * print_text() - print what a guest says, which may be cut anywhere
 * @state: what is left of what came before, all zero at the start
 * @file: where to
 * @text: the bytes; NULL at the end
 * @len: how many
 *
 * It must not move the user's cursor or worse: of the control characters only line
 * feed and tab pass.
 */
void print_text(struct hlk_text *state, FILE *file, const char *text, size_t len)
{
	unsigned int flags = flags_of(file);
	char out[HLK_TEXT_MAX];

	if (!text)
		fwrite(out, 1, hlk_text_end(state, flags, out), file);
	for (; text && len; len--)
		fwrite(out, 1, hlk_text_add(state, *text++, flags, out), file);
}

/* All of it at once */
void print_safe(FILE *file, const char *text, size_t len)
{
	struct hlk_text state = {};

	print_text(&state, file, text ? text : "", len);
	print_text(&state, file, NULL, 0);
}

/* QEMU without hardware acceleration says so. */
static bool says_tcg(uint32_t leaf)
{
	uint32_t eax, ebx, ecx, edx;
	char name[13] = {};

	__cpuid(leaf, eax, ebx, ecx, edx);
	memcpy(name, &ebx, 4);
	memcpy(name + 4, &ecx, 4);
	memcpy(name + 8, &edx, 4);
	return !strcmp(name, "TCGTCGTCGTCG");
}

static bool cpuinfo_says_emulator(void)
{
	static const char * const word[] = { "TCG", "Bochs", "bochs" };
	FILE *file = fopen("/proc/cpuinfo", "re");
	bool found = false;
	char line[256];
	size_t i;

	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "model name", 10))
			continue;
		for (i = 0; i < sizeof(word) / sizeof(*word); i++)
			found |= !!strstr(line, word[i]);
		break;
	}
	fclose(file);
	return found;
}

/**
 * emulated() - is this machine's processor a program?
 *
 * Then times say something only in relation to each other.
 */
bool emulated(void)
{
	uint32_t eax, ebx, ecx, edx;

	if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) && ecx >> 31 &&
	    says_tcg(0x40000000))
		return true;
	return cpuinfo_says_emulator();
}
