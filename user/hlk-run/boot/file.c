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

/**
 * file_read() - read a file
 * @name: its name
 * @data: out: its content, to be freed
 * @size: out: its size
 *
 * Return: RUN_OK, or RUN_ERROR after the reason was printed
 */
int file_read(const char *name, void **data, size_t *size)
{
	/* A FIFO is not waited for. */
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int ret;

	if (fd < 0)
		return fail(name, strerror(errno));
	ret = read_open(name, fd, data, size);
	close(fd);
	return ret;
}
