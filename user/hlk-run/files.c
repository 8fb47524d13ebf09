// SPDX-License-Identifier: GPL-2.0-only
/* Files of the host for a guest to read: --map. */
#include <fcntl.h>
#include <unistd.h>

#include "fail.h"
#include "files.h"

static int map(struct hlk_sandbox *sb, const struct file_option *option)
{
	struct hlk_file file = HLK_FILE_INIT;
	int ret = RUN_OK;

	file.fd = open(option->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (file.fd < 0)
		return fail_file(option->path, "cannot read");
	file.gpa = option->gpa;
	file.label = option->label;
	if (hlk_sandbox_map_file(sb, &file))
		ret = fail_err(option->path, hlk_sandbox_error(sb));
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
