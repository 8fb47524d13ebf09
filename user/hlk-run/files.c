// SPDX-License-Identifier: GPL-2.0-only
/* Files of the host for a guest to read: --map FILE@GPA[:LABEL]. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fail.h"
#include "files.h"

/**
 * files_parse() - take one from the command line
 * @state: where the parser is
 * @arg: FILE@GPA[:LABEL]; a file's own name may have an @
 * @opt: out: where it is added
 *
 * Ends the program if it is none.
 */
void files_parse(struct argp_state *state, const char *arg, struct options *opt)
{
	const char *at = strrchr(arg, '@'), *slash;
	struct file_option *file;
	char *end;

	if (opt->nr_files == HLK_MAX_FILES)
		argp_error(state, "at most %u files", HLK_MAX_FILES);
	file = &opt->files[opt->nr_files++];
	errno = 0;
	file->gpa = at ? strtoull(at + 1, &end, 0) : 0;
	if (!at || at == arg || errno || end == at + 1 || strpbrk(at, "+-") ||
	    (*end && (*end != ':' || !end[1])))
		argp_error(state, "--map wants FILE@ADDRESS or FILE@ADDRESS:LABEL, not '%s'", arg);
	file->path = strndup(arg, at - arg);
	if (!file->path)
		argp_failure(state, RUN_ERROR, errno, "--map");
	slash = strrchr(file->path, '/');
	file->label = *end ? end + 1 : slash ? slash + 1 : file->path;
}

static int map(struct hlk_sandbox *sb, const struct file_option *option)
{
	struct hlk_file file = HLK_FILE_INIT;
	int ret = RUN_OK;

	file.fd = open(option->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (file.fd < 0) {
		fprintf(stderr, "hlk-run: cannot read %s: %s\n", option->path, strerror(errno));
		return RUN_ERROR;
	}
	file.gpa = option->gpa;
	file.label = option->label;
	if (hlk_sandbox_map_file(sb, &file))
		ret = fail_sandbox(sb);
	close(file.fd);
	return ret;
}

/**
 * files_map() - let a guest read those that were asked for
 * @sb: the sandbox
 * @opt: the command line
 *
 * Return: RUN_OK or an exit code, after the reason was printed
 */
int files_map(struct hlk_sandbox *sb, const struct options *opt)
{
	int ret = RUN_OK;
	uint32_t i;

	for (i = 0; i < opt->nr_files && !ret; i++)
		ret = map(sb, &opt->files[i]);
	return ret;
}
