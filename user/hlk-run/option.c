// SPDX-License-Identifier: GPL-2.0-only
/* Arguments of the command line. */
#include <errno.h>
#include <hlk.h>
#include <stdlib.h>
#include <string.h>

#include "input.h"
#include "fail.h"
#include "option.h"

/**
 * option_number() - a number of the command line
 * @state: where the parser is
 * @name: the option's name, for an error
 * @arg: its argument
 * @least: the smallest that is valid
 * @most: the largest that is valid
 *
 * Ends the program if it is none.
 *
 * Return: the number
 */
uint64_t option_number(struct argp_state *state, const char *name,
		       const char *arg, uint64_t least, uint64_t most)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(arg, &end, 0);
	if (errno || *end || end == arg || *arg == '-' || value < least ||
	    value > most)
		argp_error(state, "--%s wants a number from %llu to %llu, not '%s'",
			   name, (unsigned long long)least,
			   (unsigned long long)most, arg);
	return value;
}

static error_t parse_snapshot(int key, struct options *opt)
{
	switch (key) {
	case OPT_FLAT:
		opt->snapshot |= HLK_SNAP_FLAT;
		return 0;
	case OPT_HOST_COW:
		opt->snapshot |= HLK_SNAP_HOST_COW;
		return 0;
	case OPT_STRICT:
		opt->snapshot |= HLK_SNAP_STRICT;
		return 0;
	case OPT_CR3:
		opt->snapshot |= HLK_SNAP_CR3;
		return 0;
	case OPT_DEDUP:
		opt->snapshot |= HLK_SNAP_DEDUP;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Is it @GPA[:LABEL]? */
static bool is_place(char *at, uint64_t *gpa, const char **label)
{
	char *end;

	if (at[1] < '0' || at[1] > '9')
		return false;
	errno = 0;
	*gpa = strtoull(at + 1, &end, 0);
	if (errno || (*end && (*end != ':' || !end[1])))
		return false;
	*label = *end ? end + 1 : NULL;
	return true;
}

/*
 * FILE@GPA[:LABEL], which is cut up. A file's own name may have an @, and the label, too: the last
 * one that an address follows is meant.
 */
static void parse_map(struct argp_state *state, char *arg, struct options *opt)
{
	char *at = arg + strlen(arg), *slash;
	struct file_option *file;

	if (opt->nr_files == HLK_MAX_FILES)
		argp_error(state, "at most %u files", HLK_MAX_FILES);
	file = &opt->files[opt->nr_files++];
	while (at > arg && (*at != '@' || !is_place(at, &file->gpa, &file->label)))
		at--;
	if (at == arg)
		argp_error(state, "--map wants FILE@ADDRESS or FILE@ADDRESS:LABEL, not '%s'", arg);
	*at = '\0';
	file->path = arg;
	slash = strrchr(file->path, '/');
	if (!file->label)
		file->label = slash ? slash + 1 : file->path;
}

static error_t parse_call(int key, char *arg, struct argp_state *state,
			  struct options *opt)
{
	switch (key) {
	case OPT_CALL:
		opt->call = arg;
		return 0;
	case OPT_INPUT:
		opt->input = arg;
		opt->input_len = strlen(arg);
		return 0;
	case OPT_INPUT_FILE:
		opt->input_file = arg;
		return 0;
	case OPT_EXPECT:
		opt->expect = arg;
		opt->expect_len = strlen(arg);
		return 0;
	case OPT_REPEAT:
		opt->repeat = option_number(state, "repeat", arg, 0, 1ULL << 40);
		return 0;
	default:
		return parse_snapshot(key, opt);
	}
}

/**
 * option_parse() - what several commands take
 * @key: as of an argp parser, as the next two
 * @arg: its argument
 * @state: where the parser is
 * @opt: out: what was said
 *
 * Which options there are the command's own table says.
 *
 * Return: 0 or ARGP_ERR_UNKNOWN
 */
error_t option_parse(int key, char *arg, struct argp_state *state,
		     struct options *opt)
{
	switch (key) {
	case OPT_MEM:
		opt->mem = option_number(state, "mem", arg, 0, 4096) << 20;
		return 0;
	case OPT_SCRATCH:
		opt->scratch = option_number(state, "scratch", arg, 0, 1 << 22) << 10;
		return 0;
	case OPT_MAX_PRIVATE:
		opt->max_private = option_number(state, "max-private", arg, 0, 1 << 20);
		return 0;
	case OPT_TIMEOUT:
		opt->timeout_us = option_number(state, "timeout", arg, 0,
						86400000) * 1000;
		return 0;
	case OPT_MAP:
		parse_map(state, arg, opt);
		return 0;
	case OPT_JSON:
		opt->json = true;
		fail_want_json();
		return 0;
	default:
		return parse_call(key, arg, state, opt);
	}
}

/**
 * option_input() - read the file of --input-file, if there is one
 * @opt: the command line; out: @input and @input_len
 *
 * Return: RUN_OK, or RUN_FILE after the reason was printed
 */
int option_input(struct options *opt)
{
	size_t len = 0;
	void *data;
	int ret;

	if (!opt->input_file)
		return RUN_OK;
	ret = input_any(opt->input_file, OPTION_MAX_INPUT, &data, &len);
	opt->input = data;
	opt->input_len = len;
	return ret;
}

/**
 * option_input_free() - free what option_input() read
 * @opt: the command line
 */
void option_input_free(struct options *opt)
{
	if (!opt->input_file)
		return;
	free((void *)opt->input);
	opt->input = NULL;
}

/**
 * option_parse_guest() - the same, for commands that take a guest
 * @key: as of option_parse()
 * @arg: its argument
 * @state: where the parser is
 * @opt: out: what was said
 *
 * Return: 0 or ARGP_ERR_UNKNOWN
 */
error_t option_parse_guest(int key, char *arg, struct argp_state *state,
			   struct options *opt)
{
	switch (key) {
	case ARGP_KEY_ARG:
		if (opt->guest)
			argp_error(state, "one guest at a time, please");
		opt->guest = arg;
		return 0;
	case ARGP_KEY_END:
		if (!opt->guest)
			argp_error(state, "which guest? (an i686 ELF file)");
		if (opt->input && opt->input_file)
			argp_error(state, "--input or --input-file?");
		return 0;
	default:
		return option_parse(key, arg, state, opt);
	}
}
