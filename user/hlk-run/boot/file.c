// SPDX-License-Identifier: GPL-2.0-only
/* hlk-run boot: files that go into a machine. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../fail.h"
#include "../term.h"
#include "file.h"

#define LARGEST		(1LL << 32)
#define AT_ONCE		(1U << 20)

static int fail(const char *name, const char *why)
{
	fprintf(stderr, "hlk-run: ");
	print_safe(stderr, name, strlen(name));
	fprintf(stderr, ": %s\n", why);
	return RUN_ERROR;
}

/* A file that gets shorter meanwhile is as long as it was in the end. */
static int read_all(const char *name, int fd, char *data, size_t *size)
{
	size_t done = 0;
	ssize_t got;

	while (done < *size) {
		got = read(fd, data + done,
			   *size - done < AT_ONCE ? *size - done : AT_ONCE);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fail(name, strerror(errno));
		if (!got)
			break;
		done += got;
	}
	*size = done;
	return RUN_OK;
}

static int read_open(const char *name, int fd, void **data, size_t *size)
{
	struct stat st;
	int ret;

	if (fstat(fd, &st))
		return fail(name, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fail(name, "not a regular file");
	if (st.st_size > LARGEST)
		return fail(name, "larger than 4 GiB");
	*size = st.st_size;
	*data = malloc(*size ? *size : 1);
	if (!*data)
		return fail(name, strerror(errno));
	ret = read_all(name, fd, *data, size);
	if (ret) {
		free(*data);
		*data = NULL;
	}
	return ret;
}

static int file_read(const char *name, const void **data, uint64_t *size)
{
	/* A FIFO is not waited for. */
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t bytes = 0;
	void *all = NULL;
	int ret;

	if (fd < 0)
		return fail(name, strerror(errno));
	ret = read_open(name, fd, &all, &bytes);
	close(fd);
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
 * @opt: the command line
 * @files: out: the files, which files_free() frees, also after a failure
 *
 * Return: RUN_OK, or RUN_ERROR after the reason was printed
 */
int files_read(const struct boot_options *opt, struct files *files)
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
	ret = file_read(opt->kernel, &kernel->image, &kernel->image_size);
	if (!ret && opt->initrd)
		ret = file_read(opt->initrd, &kernel->initrd,
				&kernel->initrd_size);
	for (i = 0; !ret && i < opt->nr_modules; i++)
		ret = read_module(opt->modules[i], &files->modules[i]);
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
	for (i = 0; i < HLK_KERNEL_MAX_MODULES; i++)
		free((void *)files->modules[i].data);
}
