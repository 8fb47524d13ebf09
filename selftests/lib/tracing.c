// SPDX-License-Identifier: GPL-2.0-only
/* The kernel's tracing, by a tracefs of one's own. */
#include <sys/mount.h>
#include <sys/stat.h>

#include "hlk_test.h"
#include "tracing.h"

/* Its files are at TRACING then. */
void tracing_mount(void)
{
	mkdir(TRACING, 0700);
	t_must(!mount("tracefs", TRACING, "tracefs", 0, NULL));
}

static void write_to(const char *name, const char *text, int how)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), TRACING "/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC | how);
	t_must(fd >= 0);
	t_must(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

/* In place of what is in a file */
void tracing_put(const char *name, const char *text)
{
	write_to(name, text, O_TRUNC);
}

/* Beside what is in a file, such as the list of probes */
void tracing_add(const char *name, const char *text)
{
	write_to(name, text, O_APPEND);
}

void tracing_umount(void)
{
	umount(TRACING);
}
