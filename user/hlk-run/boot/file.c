// SPDX-License-Identifier: GPL-2.0-only
/* hlk-run boot: files that go into a machine. */
#include <stdlib.h>
#include <string.h>

#include "../fail.h"
#include "file.h"
#include "../input.h"
#include "rootfs.h"

static int file_read(const char *name, const void **data, uint64_t *size)
{
	size_t bytes = 0;
	void *all;
	int ret = input_open(name, name, INPUT_LARGEST, &all, &bytes);

	*data = all;
	*size = ret ? 0 : bytes;
	return ret;
}

/* A comma ends the name, and begins the text. */
static int read_module(char *arg, struct hlk_module *module)
{
	char *comma = strchr(arg, ',');

	if (comma) {
		*comma = '\0';
		module->text = comma + 1;
	}
	return file_read(arg, &module->data, &module->size);
}

/**
 * files_read() - read a kernel and what goes with it
 * @opt: the command line; out: @call, if that is a file
 * @files: out: the files, which files_free() frees, also after a failure
 *
 * Return: RUN_OK, or RUN_FILE after the reason was printed
 */
int files_read(struct boot_options *opt, struct files *files)
{
	struct hlk_kernel *kernel = &files->kernel;
	uint32_t i;
	int ret;

	*files = (struct files) { .kernel = HLK_KERNEL_INIT };
	kernel->protocol = opt->protocol;
	kernel->cmdline = opt->append;
	kernel->gpa = opt->addr;
	kernel->modules = files->modules;
	kernel->nr_modules = opt->nr_modules;
	ret = opt->loaded ? RUN_OK :
	      file_read(opt->kernel, &kernel->image, &kernel->image_size);
	if (!ret && opt->initrd)
		ret = file_read(opt->initrd, &kernel->initrd,
				&kernel->initrd_size);
	if (!ret && opt->rootfs)
		ret = rootfs_make(opt, kernel);
	for (i = 0; !ret && i < opt->nr_modules; i++)
		ret = read_module(opt->modules[i], &files->modules[i]);
	if (!ret && opt->call_file) {
		ret = file_read(opt->call_file, &files->call, &opt->call_len);
		opt->call = files->call;
	}
	return ret;
}

/**
 * files_free() - free what was read
 * @files: the files
 */
void files_free(struct files *files)
{
	uint32_t i;

	free((void *)files->kernel.image);
	free((void *)files->kernel.initrd);
	free((void *)files->call);
	for (i = 0; i < HLK_KERNEL_MAX_MODULES; i++)
		free((void *)files->modules[i].data);
}
