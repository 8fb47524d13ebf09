// SPDX-License-Identifier: GPL-2.0-only
/* One of the next allocations, user copies or copies of pages of this thread fails. */
#include "failing.h"

static void knob(const char *dir, const char *name, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", dir, name);
	fd = open(path, O_WRONLY);
	t_must(fd >= 0);
	t_must(write(fd, value, strlen(value)) == (ssize_t)strlen(value));
	close(fd);
}

/**
 * failing_open() - make it so that allocations that may sleep fail too
 *
 * No stack is printed for any.
 *
 * Return: an fd for the others, of this thread; -1 if this kernel injects no failures
 */
int failing_open(void)
{
	int fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -1;
	knob("failslab", "ignore-gfp-wait", "N");
	knob("failslab", "verbose", "0");
	knob("fail_page_alloc", "ignore-gfp-wait", "N");
	knob("fail_page_alloc", "ignore-gfp-highmem", "N");
	knob("fail_page_alloc", "min-order", "0");
	knob("fail_page_alloc", "verbose", "0");
	knob("fail_usercopy", "verbose", "0");
	return fd;
}

/**
 * failing_arm() - have something fail
 * @fd: of failing_open()
 * @nth: which one of what can, counted from 1 on
 */
void failing_arm(int fd, u32 nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	t_must(pwrite(fd, text, len, 0) == len);
}

/**
 * failing_disarm() - nothing is to fail any more
 * @fd: of failing_open()
 *
 * Asking can be what uses the counter up.
 *
 * Return: whether something failed since failing_arm()
 */
bool failing_disarm(int fd)
{
	char text[16] = "";
	ssize_t len = pread(fd, text, sizeof(text) - 1, 0);
	bool used = len == 2 && text[0] == '0';

	if (pwrite(fd, "0", 1, 0) != 1) {
		used = false;
		t_must(pwrite(fd, "0", 1, 0) == 1);
	}
	return used;
}
