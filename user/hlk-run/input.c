// SPDX-License-Identifier: GPL-2.0-only
/* hlk-run: files that are read. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail.h"
#include "input.h"

#define AT_ONCE		(1U << 20)

/**
 * input_fail() - say why a file cannot be taken
 * @name: its name
 * @why: the reason
 *
 * Return: RUN_FILE
 */
int input_fail(const char *name, const char *why)
{
	fail_say("%s: %s", name, why);
	return RUN_FILE;
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
			return input_fail(name, strerror(errno));
		if (!got)
			break;
		done += got;
	}
	*size = done;
	return RUN_OK;
}

static int too_large(const char *name, uint64_t most)
{
	fail_say("%s: larger than %llu %s, and no more is read", name,
		 (unsigned long long)most >> (most >> 20 ? 20 : 10), most >> 20 ? "MiB" : "KiB");
	return RUN_FILE;
}

/**
 * input_read() - read a regular file
 * @fd: the file
 * @name: its name, for people
 * @most: bytes
 * @data: out: its bytes, to be freed, or NULL
 * @size: out: its size
 *
 * Return: RUN_OK, or RUN_FILE after the reason was printed
 */
int input_read(int fd, const char *name, uint64_t most, void **data, size_t *size)
{
	struct stat st;
	int ret;

	*data = NULL;
	if (fstat(fd, &st))
		return input_fail(name, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return input_fail(name, "not a regular file");
	if ((uint64_t)st.st_size > most)
		return too_large(name, most);
	*size = st.st_size;
	*data = malloc(*size ? *size : 1);
	if (!*data)
		return input_fail(name, strerror(errno));
	ret = read_all(name, fd, *data, size);
	if (ret) {
		free(*data);
		*data = NULL;
	}
	return ret;
}

/**
 * input_open() - open a regular file and read it
 * @path: where it is
 * @name: its name, for people
 * @most: bytes
 * @data: out: its bytes, to be freed, or NULL
 * @size: out: its size
 *
 * Return: RUN_OK, or RUN_FILE after the reason was printed
 */
int input_open(const char *path, const char *name, uint64_t most, void **data,
	       size_t *size)
{
	/* A FIFO is not waited for. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int ret;

	*data = NULL;
	if (fd < 0)
		return input_fail(name, strerror(errno));
	ret = input_read(fd, name, most, data, size);
	close(fd);
	return ret;
}

/**
 * input_any() - read a file of any kind to its end
 * @path: where it is; - is standard input
 * @most: bytes
 * @data: out: its bytes, to be freed, or NULL
 * @size: out: how many
 *
 * A FIFO or a terminal is waited for.
 *
 * Return: RUN_OK, or RUN_FILE after the reason was printed
 */
int input_any(const char *path, uint64_t most, void **data, size_t *size)
{
	bool in = !strcmp(path, "-");
	int fd = in ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	const char *name = in ? "standard input" : path;
	int ret;

	*data = NULL;
	if (fd < 0)
		return input_fail(name, strerror(errno));
	*size = most + 1;
	*data = malloc(*size);
	ret = *data ? read_all(name, fd, *data, size) : input_fail(name, strerror(errno));
	if (!ret && *size > most)
		ret = too_large(name, most);
	if (!in)
		close(fd);
	if (ret) {
		free(*data);
		*data = NULL;
	}
	return ret;
}
