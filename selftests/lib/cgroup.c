// SPDX-License-Identifier: GPL-2.0-only
/* Two cgroups: one for a VMM, with a limit, and one for whoever is not that. */
#include <sys/mount.h>
#include <sys/stat.h>

#include "cgroup.h"

/* Write to page after page, for ever */
GUEST(eat, "	movl $0x1000000, %eax\n"
	   "1:	incl (%eax)\n"
	   "	addl $0x1000, %eax\n"
	   "	jmp 1b\n");

static int max_fd;

void file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	t_must(fd >= 0);
	t_must(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

/* What follows @key in a file, or what it begins with */
u64 file_number(const char *path, const char *key)
{
	char text[4096] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *at = text;

	t_must(fd >= 0);
	t_must(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	if (key) {
		at = strstr(text, key);
		t_must(at);
		at += strlen(key);
	}
	return strtoull(at, NULL, 10);
}

void cg_begin(void)
{
	mkdir(ROOT, 0700);
	t_must(!mount("none", ROOT, "cgroup2", 0, NULL) || errno == EBUSY);
	file_write(ROOT "/cgroup.subtree_control", "+memory");
	mkdir(ROOT "/t", 0700);
	mkdir(ROOT "/u", 0700);
	max_fd = open(ROOT "/t/memory.max", O_WRONLY | O_CLOEXEC);
	t_must(max_fd >= 0);
	/* one that was killed may have left its own */
	cg_limit("max");
}

/* Whether nobody is left in them */
bool cg_end(void)
{
	int tries;

	close(max_fd);
	for (tries = 0; rmdir(ROOT "/t") && tries < 100; tries++)
		usleep(20000);
	for (; rmdir(ROOT "/u") && tries < 100; tries++)
		usleep(20000);
	return tries < 100;
}

u64 cg_charged(void)
{
	return file_number(ROOT "/t/memory.current", NULL);
}

u64 cg_kills(void)
{
	return file_number(ROOT "/t/memory.events", "oom_kill ");
}

/* By an fd that is open: at the limit an open() would be what asks for more. */
void cg_limit(const char *bytes)
{
	t_must(pwrite(max_fd, bytes, strlen(bytes), 0) == (ssize_t)strlen(bytes));
}

/* The caller and its children from here on */
void cg_enter(void)
{
	file_write(ROOT "/t/cgroup.procs", "0");
}

/* Another cgroup, for whoever is not the VMM */
u64 cg_other_charged(void)
{
	return file_number(ROOT "/u/memory.current", NULL);
}

void cg_enter_other(void)
{
	file_write(ROOT "/u/cgroup.procs", "0");
}

/*
 * Somebody who does no harm and whose memory would be the first to go: the
 * module's users must not have him killed.
 */
pid_t cg_bystander(void)
{
	int ready[2];
	char byte;
	pid_t pid;

	t_must(!pipe(ready));
	pid = fork();
	if (!pid) {
		cg_enter();
		t_must(mmap(NULL, 8 * MIB, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) != MAP_FAILED);
		file_write("/proc/self/oom_score_adj", "1000");
		t_must(write(ready[1], "", 1) == 1);
		pause();
		_exit(0);
	}
	t_must(read(ready[0], &byte, 1) == 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

/* A window, and a guest that writes to all of its pages */
u8 *cg_eater(struct tvm *t)
{
	tvm_load(t, TVM_CODE, eat);
	return tvm_window(t, BIG_GPA, BIG, 0);
}
