// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Who saves is killed before and after each system call that it makes, and in the middle of
 * each write; and each of them fails. Whatever happens, the folder has the snapshot of
 * before or the new one, never a mix; the next one who saves clears up.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stored.h"

#define PAGE	4096U
#define KILLED	9
#define ENOUGH	3	/* failures */

/* How a call ends */
enum end {
	BEFORE,		/* killed before it */
	AFTER,		/* and after it */
	HALF,		/* in the middle of a write; else after it */
	FULL,		/* it fails: ENOSPC */
	READ_ONLY,	/* EROFS */
	ENDS,
};

static unsigned int at, calls;
static enum end how;
static char folder[24] = "/tmp/hlk-killed-XXXXXX";
static char path[sizeof(folder) + 8];
/* how often the folder that holds it was brought to the disk, and whether it can be read */
static unsigned int synced;
static bool secret;

int __real_mkdir(const char *name, mode_t mode);
int __real_mkdirat(int dir, const char *name, mode_t mode);
int __real_openat64(int dir, const char *name, int flags, mode_t mode);
ssize_t __real_write(int fd, const void *data, size_t size);
int __real_fsync(int fd);
int __real_close(int fd);
int __real_flock(int fd, int op);
int __real_renameat(int from, const char *old, int to, const char *new);
int __real_syncfs(int fd);
int __real_unlinkat(int dir, const char *name, int flags);
int __wrap_mkdir(const char *name, mode_t mode);
int __wrap_mkdirat(int dir, const char *name, mode_t mode);
int __wrap_openat64(int dir, const char *name, int flags, mode_t mode);
ssize_t __wrap_write(int fd, const void *data, size_t size);
int __wrap_fsync(int fd);
int __wrap_close(int fd);
int __wrap_flock(int fd, int op);
int __wrap_renameat(int from, const char *old, int to, const char *new);
int __wrap_syncfs(int fd);
int __wrap_unlinkat(int dir, const char *name, int flags);

/* Is it this one? Then true if it fails. */
static bool now(void)
{
	if (!at || ++calls != at)
		return false;
	if (how == BEFORE)
		_exit(KILLED);
	errno = how == FULL ? ENOSPC : EROFS;
	return how >= FULL;
}

static long then(long ret)
{
	int code = errno;

	if (at && calls == at && how < FULL)
		_exit(KILLED);
	errno = code;
	return ret;
}

int __wrap_mkdir(const char *name, mode_t mode)
{
	return now() ? -1 : then(__real_mkdir(name, mode));
}

int __wrap_mkdirat(int dir, const char *name, mode_t mode)
{
	return now() ? -1 : then(__real_mkdirat(dir, name, mode));
}

int __wrap_openat64(int dir, const char *name, int flags, mode_t mode)
{
	if (secret && !strcmp(name, "..")) {
		errno = EACCES;
		return -1;
	}
	return now() ? -1 : then(__real_openat64(dir, name, flags, mode));
}

/* Half of it is written, also where that is no failure. */
ssize_t __wrap_write(int fd, const void *data, size_t size)
{
	if (now())
		return -1;
	if (at && calls == at && how == HALF)
		size = (size + 1) / 2;
	return then(__real_write(fd, data, size));
}

int __wrap_fsync(int fd)
{
	struct stat is, above;

	if (!fstat(fd, &is) && !stat(folder, &above))
		synced += is.st_ino == above.st_ino;
	return now() ? -1 : then(__real_fsync(fd));
}

int __wrap_syncfs(int fd)
{
	synced++;
	return now() ? -1 : then(__real_syncfs(fd));
}

/* A file that could not be closed is closed. */
int __wrap_close(int fd)
{
	bool fails = now();
	int ret = __real_close(fd);

	if (fails)
		errno = EIO;
	return fails ? -1 : then(ret);
}

int __wrap_flock(int fd, int op)
{
	return now() ? -1 : then(__real_flock(fd, op));
}

int __wrap_renameat(int from, const char *old, int to, const char *new)
{
	return now() ? -1 : then(__real_renameat(from, old, to, new));
}

int __wrap_unlinkat(int dir, const char *name, int flags)
{
	return now() ? -1 : then(__real_unlinkat(dir, name, flags));
}

/* ---- stories ---- */

/* What is saved over what */
struct story {
	const char *what;
	bool first;		/* nothing is there */
	bool compress;
	bool layer;		/* on top of the one that is there, under another name */
};

static struct hlk_snap *before, *after;

static int save(const struct hlk_snap *snap, const struct story *story)
{
	struct hlk_save_config config = HLK_SAVE_CONFIG_INIT;

	config.flags = story && story->compress ? HLK_SAVE_COMPRESS : 0;
	config.parent = story && story->layer ? before : NULL;
	return hlk_snapshot_save(stored_ctx(), (struct hlk_snap *)snap, path, &config, NULL);
}

static bool is(const struct hlk_snap *as, struct hlk_snap *snap)
{
	return snap && stored_same(snap, as);
}

static unsigned int temps(void)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	unsigned int nr = 0;

	while (dir && (entry = readdir(dir)))
		nr += !strncmp(entry->d_name, ".hlk-", 5);
	if (dir)
		closedir(dir);
	return nr;
}

static void empty(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", path);
	if (system(command))
		abort();
}

/* In a child: its exit code is 0 if it saved, 1 if it could not */
static int try(const struct story *story)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		at = 0;
		calls = 0;
		at = atoi(getenv("AT"));
		status = save(after, story);
		_exit(!!status);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		abort();
	return WEXITSTATUS(status);
}

static const char *wrong(const struct story *story, int exit_code)
{
	struct hlk_snap *snap = NULL;
	struct hlk_err err = {};
	bool old, new, none;

	hlk_snapshot_load(stored_ctx(), path, NULL, &snap, &err);
	new = is(after, snap);
	old = is(before, snap);
	none = !snap && err.code == ENOENT;
	hlk_snapshot_close(snap);
	if (!new && !(story->first ? none : old))
		return "neither the old one nor the new one";
	if (!exit_code && !new)
		return "it said that it was saved";
	if (exit_code != KILLED && temps())
		return "something is left";
	if (save(after, story->layer ? NULL : story) || temps())
		return "it cannot be saved any more";
	return NULL;
}

static unsigned int tell(const struct story *story)
{
	unsigned int nr = 0, bad = 0, last[ENDS] = {}, i;
	const char *said;
	char number[16];
	int code;

	for (how = 0; how < ENDS && bad < ENOUGH; how++) {
		for (i = 1; bad < ENOUGH; i++) {
			empty();
			if (!story->first && save(before, NULL))
				abort();
			snprintf(number, sizeof(number), "%u", i);
			setenv("AT", number, 1);
			code = try(story);
			said = wrong(story, code);
			nr++;
			if (said) {
				printf("# call %u, way %u, exit code %d: %s\n", i, how,
				       code, said);
				bad++;
			}
			/* What fails and does not matter is no end. */
			if (!code && (how < FULL || i > last[BEFORE]))
				break;
		}
		last[how] = i;
	}
	tap(!bad && last[BEFORE] > 20, "%s: %u times: old or new", story->what, nr);
	return nr;
}

static void test_above(void)
{
	empty();
	synced = 0;
	tap(!save(before, NULL) && synced == 1, "the name of a new folder is on the disk");
	tap(!save(after, NULL) && synced == 1, "which is done once");
	empty();
	secret = true;
	tap(!save(before, NULL) && synced == 2, "also where it cannot be read");
	secret = false;
}

int main(void)
{
	static const struct story stories[] = {
		{ .what = "the first one", .first = true },
		{ .what = "over another one" },
		{ .what = "compressed", .compress = true },
		{ .what = "a layer", .layer = true },
	};
	unsigned int i, nr = 0;

	if (!mkdtemp(folder))
		abort();
	snprintf(path, sizeof(path), "%s/snap", folder);
	before = stored_new(false);
	after = stored_new(false);
	for (i = 0; i < 260; i++) {
		stored_put(before, i * PAGE, 1);
		stored_put(after, i * PAGE, 1 + i % 2);
	}
	stored.per_call = 256;
	test_above();
	for (i = 0; i < sizeof(stories) / sizeof(*stories) && !tap_failed; i++)
		nr += tell(&stories[i]);
	tap(nr > 1000, "%u saves were killed or failed", nr);
	empty();
	rmdir(folder);
	hlk_snapshot_close(before);
	hlk_snapshot_close(after);
	return tap_done();
}
