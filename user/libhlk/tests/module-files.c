// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * libhlk against the module: files of the host in a guest's memory: what is refused, what the
 * guest sees of them, and snapshots that outlive them. Runs in the test VM.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "module.h"

#define PAGE	4096U
#define PLACE	0x40000000ULL	/* no memory is there */
#define RO	0x1U		/* entries of page tables: present */
#define RW	0x3U
#define COW	(RO | HLK_GUEST_PTE_COW)
#define BYTES	16		/* that the guest answers */

/* A file whose pages begin with what @tag says and their number; the last one is half a page */
static int make_file(const char *tag, uint32_t pages)
{
	int fd = memfd_create(tag, MFD_CLOEXEC);
	char line[BYTES] = {};
	uint32_t i;

	for (i = 0; i < pages; i++) {
		snprintf(line, sizeof(line), "%s %u", tag, i);
		if (pwrite(fd, line, sizeof(line), (off_t)i * PAGE) != sizeof(line))
			abort();
	}
	if (fd < 0 || ftruncate(fd, pages ? (off_t)pages * PAGE - PAGE / 2 : 0))
		abort();
	return fd;
}

static int map_at(struct hlk_sandbox *sb, int fd, uint64_t gpa, const char *label)
{
	struct hlk_file file = HLK_FILE_INIT;

	file.fd = fd;
	file.gpa = gpa;
	file.label = label;
	return hlk_sandbox_map_file(sb, &file);
}

/* What the guest sees in a page of its heap, mapped there by @entry before, unless that is 0 */
static int see(struct hlk_sandbox *sb, const char *name, uint32_t page, uint32_t entry,
	       uint32_t offset, char *seen)
{
	const uint32_t arg[] = { page, entry, offset };
	size_t len;

	memset(seen, 0, BYTES + 1);
	return hlk_sandbox_call(sb, name, arg, sizeof(arg), seen, BYTES, &len, 20000 * MS);
}

static bool sees(struct hlk_sandbox *sb, uint32_t page, uint32_t entry, const char *want)
{
	char seen[BYTES + 1];

	return !see(sb, "g", page, entry, 0, seen) && !strcmp(seen, want);
}

static uint32_t listed(struct hlk_sandbox *sb, struct hlk_guest_file *files)
{
	size_t len = 0;

	if (hlk_sandbox_call(sb, "F", NULL, 0, files, HLK_MAX_FILES * sizeof(*files), &len,
			     20000 * MS))
		return UINT32_MAX;
	return len / sizeof(*files);
}

static void test_refused(struct hlk_sandbox *sb)
{
	struct hlk_file file = HLK_FILE_INIT;
	struct hlk_guest_file files[HLK_MAX_FILES];
	int fd = make_file("file", 3), empty = make_file("", 0);
	int dir = open("/", O_RDONLY | O_CLOEXEC), fds[2];
	char label[66];

	memset(label, 'x', sizeof(label));
	label[64] = '\0';
	tap_why(sb, map_at(sb, fd, PLACE, label) == -ENAMETOOLONG, "64 bytes of a label");
	tap_why(sb, map_at(sb, fd, PLACE, "") == -EINVAL, "no label");
	tap_why(sb, map_at(sb, fd, PLACE, NULL) == -EINVAL, "none at all");
	tap_why(sb, map_at(sb, -1, PLACE, "a") == -EBADF, "no file");
	tap_why(sb, map_at(sb, dir, PLACE, "a") == -EINVAL, "a directory");
	tap_why(sb, map_at(sb, empty, PLACE, "a") == -EINVAL, "an empty file");
	tap_why(sb, map_at(sb, fd, PLACE + 1, "a") == -EINVAL, "within a page");
	tap_why(sb, map_at(sb, fd, 0, "a") == -EINVAL, "at 0, where nothing ever is");
	tap_why(sb, map_at(sb, fd, 0x1000, "a") == -EEXIST, "over memory");
	tap_why(sb, map_at(sb, fd, HLK_GUEST_SCRATCH_TOP - 2 * PAGE, "a") == -EINVAL,
		"over the end of scratch");
	tap_why(sb, map_at(sb, fd, HLK_GUEST_SCRATCH_TOP - 3 * PAGE, "a") == -EEXIST,
		"over scratch");
	tap_why(sb, map_at(sb, fd, UINT64_MAX - PAGE + 1, "a") == -EINVAL, "at the end of all");
	tap(!pipe(fds) && map_at(sb, fds[0], PLACE, "a") == -EINVAL, "a pipe");
	file.fd = fd;
	file.gpa = PLACE;
	file.label = "a";
	file.offset = 1;
	tap_why(sb, hlk_sandbox_map_file(sb, &file) == -EINVAL, "an offset within a page");
	file.offset = 4 * PAGE;
	tap_why(sb, hlk_sandbox_map_file(sb, &file) == -EINVAL, "an offset behind the end");
	file.offset = PAGE;
	file.bytes = 2 * PAGE;
	tap_why(sb, hlk_sandbox_map_file(sb, &file) == -EINVAL, "more than there is");
	file.bytes = UINT64_MAX;
	tap_why(sb, hlk_sandbox_map_file(sb, &file) == -EINVAL, "much more");
	file.bytes = 0;
	file.flags = 1;
	tap_why(sb, hlk_sandbox_map_file(sb, &file) == -EOPNOTSUPP, "a flag");
	file.flags = 0;
	file.__reserved = 1;
	tap_why(sb, hlk_sandbox_map_file(sb, &file) == -EINVAL, "a reserved field");
	tap_why(sb, hlk_sandbox_unmap_file(sb, "a") == -ENOENT, "a label that is not used");
	tap(!listed(sb, files), "and nothing of that is mapped");
	close(fds[0]);
	close(fds[1]);
	close(dir);
	close(empty);
	close(fd);
}

static void test_many(struct hlk_sandbox *sb)
{
	struct hlk_guest_file files[HLK_MAX_FILES];
	char label[64], want[BYTES];
	int fd = make_file("file", 2);
	bool good = true;
	uint32_t i;

	for (i = 0; i < HLK_MAX_FILES; i++) {
		snprintf(label, sizeof(label), "%063u", i);
		good &= !map_at(sb, fd, PLACE + i * 2 * PAGE, label);
	}
	tap_why(sb, good, "32 files, side by side, with labels of 63 bytes");
	tap_why(sb, map_at(sb, fd, PLACE + 64 * PAGE, "one") == -ENOSPC, "and no more");
	tap(listed(sb, files) == HLK_MAX_FILES, "the guest is told of all");
	for (i = 0; i < HLK_MAX_FILES; i++) {
		snprintf(label, sizeof(label), "%063u", i);
		good &= !strcmp(files[i].label, label) && files[i].bytes == 2 * PAGE - PAGE / 2 &&
			files[i].gpa == PLACE + i * 2 * PAGE;
		snprintf(want, sizeof(want), "file %u", i % 2);
		good &= sees(sb, 1, (files[i].gpa + i % 2 * PAGE) | RO, want);
	}
	tap_why(sb, good, "what each is, and what is in it");
	tap_why(sb, !hlk_sandbox_unmap_file(sb, label), "one is taken away");
	tap_why(sb, map_at(sb, fd, PLACE + PAGE, "x") == -EEXIST, "one cannot cover another one");
	tap_why(sb, map_at(sb, fd, PLACE + 61 * PAGE, "x") == -EEXIST, "nor its end");
	snprintf(label, sizeof(label), "%063u", 5);
	tap_why(sb, map_at(sb, fd, PLACE + 62 * PAGE, label) == -EEXIST, "nor have its label");
	tap_why(sb, !map_at(sb, fd, PLACE + 62 * PAGE, "x") && listed(sb, files) == 32,
		"its place can be had again");
	for (i = 0; i < 31; i++) {
		snprintf(label, sizeof(label), "%063u", i);
		good &= !hlk_sandbox_unmap_file(sb, label);
	}
	tap(good && !hlk_sandbox_unmap_file(sb, "x") && !listed(sb, files), "all are taken away");
	close(fd);
}

/* Read-only, whatever the guest's tables say; and as the file is now */
static void test_contents(struct hlk_sandbox *sb)
{
	int fd = make_file("file", 3);
	struct hlk_file file = HLK_FILE_INIT;
	char seen[BYTES + 1], now[BYTES];

	file.fd = fd;
	file.gpa = PLACE;
	file.offset = PAGE;
	file.bytes = PAGE + 20;
	file.label = "part";
	tap_why(sb, !hlk_sandbox_map_file(sb, &file), "a part of a file");
	tap(sees(sb, 1, PLACE | RO, "file 1") && sees(sb, 2, (PLACE + PAGE) | RO, "file 2"),
	    "is that part");
	tap(!see(sb, "g", 2, 0, PAGE - BYTES, seen) && !*seen, "zeroes behind the file's end");
	tap(pwrite(fd, "written", 8, PAGE) == 8 && sees(sb, 1, 0, "written"),
	    "what is written meanwhile is seen");
	tap(see(sb, "gw", 1, PLACE | RW, 0, seen) == -ENOTRECOVERABLE, "it cannot be written");
	tap(pread(fd, now, BYTES, PAGE) == BYTES && !strcmp(now, "written"), "and was not");
	tap(!hlk_sandbox_restore(sb, NULL) && sees(sb, 1, PLACE | RO, "written"),
	    "a restore leaves it mapped");
	tap_why(sb, !hlk_sandbox_unmap_file(sb, "part") &&
		see(sb, "g", 1, 0, 0, seen) == -ENOTRECOVERABLE, "taken away is no memory");
	tap(!hlk_sandbox_restore(sb, NULL) && echoes(sb, 20000 * MS), "the guest goes on");
	close(fd);
}

static void test_shrinks(struct hlk_sandbox *sb)
{
	struct hlk_snapshot_config how = HLK_SNAPSHOT_CONFIG_INIT;
	struct hlk_snap *snap = NULL;
	int fd = make_file("file", 2);
	char seen[BYTES + 1];

	how.flags = HLK_SNAP_HOST_COW;
	tap_why(sb, !map_at(sb, fd, PLACE, "shrinks") && sees(sb, 1, PLACE | RO, "file 0") &&
		sees(sb, 2, (PLACE + PAGE) | RO, "file 1"), "a file");
	tap(!ftruncate(fd, PAGE) && sees(sb, 1, 0, "file 0"), "that is shorter than it was");
	tap_why(sb, hlk_sandbox_snapshot(sb, &how, &snap) == -EFAULT && !snap &&
		hlk_sandbox_error(sb)->what == HLK_WHAT_FILE &&
		!strcmp(hlk_sandbox_error(sb)->text, "shrinks"), "is in no snapshot");
	tap_why(sb, see(sb, "g", 2, 0, 0, seen) == -ENOTRECOVERABLE &&
		strstr(hlk_sandbox_error(sb)->text, "shrinks"), "nor can be read to the end");
	tap(!hlk_sandbox_restore(sb, NULL) && sees(sb, 1, PLACE | RO, "file 0"),
	    "the guest goes on");
	how.flags = HLK_SNAP_FLAT;
	tap_why(sb, hlk_sandbox_snapshot(sb, &how, &snap) == -EOPNOTSUPP && !snap,
		"no flat snapshot takes a file in");
	tap(!hlk_sandbox_unmap_file(sb, "shrinks"), "it is taken away");
	close(fd);
}

/* The rights of the page that begins with this; UINT32_MAX if there is none */
static uint32_t rights_of(struct hlk_sandbox *sb, const char *text)
{
	struct hlk_mapping maps[64];
	struct hlk_walk walk = { .mappings = (uintptr_t)maps, .mapping_size = sizeof(*maps) };
	char found[BYTES];
	uint64_t page;
	uint32_t i;

	do {
		walk.nr_mappings = 64;
		if (hlk_sandbox_walk(sb, &walk))
			break;
		for (i = 0; i < walk.nr_mappings; i++)
			for (page = 0; page < maps[i].pages; page++)
				if (!(maps[i].map & (HLK_MAP_NOT_RAM | HLK_MAP_ALIAS)) &&
				    !hlk_sandbox_read(sb, maps[i].gpa + page * PAGE, found,
						      BYTES) && !strcmp(found, text))
					return maps[i].map & (HLK_MAP_COW | HLK_MAP_WRITE);
	} while (walk.cursor);
	return UINT32_MAX;
}

/* The file goes, the pages stay: here, and in another sandbox, and in the next generation */
static void test_outlives(void)
{
	struct hlk_snap *first, *snap, *next;
	struct hlk_sandbox *sb = make_ready(NULL, HLK_SNAP_HOST_COW, &first), *other;
	struct hlk_snapshot_config how = HLK_SNAPSHOT_CONFIG_INIT;
	int fd = make_file("one", 2), two = make_file("two", 2);
	struct hlk_guest_file files[HLK_MAX_FILES];

	how.flags = HLK_SNAP_HOST_COW | HLK_SNAP_STRICT;
	tap_why(sb, !map_at(sb, fd, PLACE, "one") && sees(sb, 1, PLACE | COW, "one 0") &&
		sees(sb, 2, (PLACE + PAGE) | RO, "one 1"), "a file that the guest maps");
	if (hlk_sandbox_snapshot(sb, &how, &snap)) {
		tap_why(sb, false, "a snapshot takes it in");
		exit(tap_done());
	}
	tap(!hlk_sandbox_unmap_file(sb, "one") && !ftruncate(fd, 0) && !close(fd),
	    "and the file is gone");
	tap_why(sb, !hlk_sandbox_restore(sb, snap) && sees(sb, 1, 0, "one 0") &&
		sees(sb, 2, 0, "one 1"), "what was in it stays");
	tap(rights_of(sb, "one 0") == HLK_MAP_COW && !rights_of(sb, "one 1"),
	    "one page copy-on-write, as the guest had it, the other read-only");
	tap(!hlk_sandbox_from_snapshot(ctx, snap, NULL, &other, NULL) &&
	    sees(other, 1, 0, "one 0") && sees(other, 2, 0, "one 1") && !listed(other, files),
	    "also in another sandbox, where no file is mapped");
	hlk_sandbox_close(other);

	tap_why(sb, !map_at(sb, two, PLACE, "two") && sees(sb, 3, PLACE | RO, "two 0") &&
		sees(sb, 2, (PLACE + PAGE) | RO, "two 1"), "another file at its place");
	if (hlk_sandbox_snapshot(sb, &how, &next)) {
		tap_why(sb, false, "a snapshot of the next generation takes it in");
		exit(tap_done());
	}
	tap(!hlk_sandbox_unmap_file(sb, "two") && !ftruncate(two, 0) && !close(two),
	    "and goes as well");
	tap_why(sb, !hlk_sandbox_restore(sb, next) && sees(sb, 1, 0, "one 0") &&
		sees(sb, 2, 0, "two 1") && sees(sb, 3, 0, "two 0"), "both are there");
	tap_why(sb, !hlk_sandbox_restore(sb, snap) && sees(sb, 2, 0, "one 1"), "or the first");
	tap_why(sb, !hlk_sandbox_restore(sb, first) && echoes(sb, 20000 * MS), "or none");
	hlk_snapshot_close(next);
	hlk_snapshot_close(snap);
	hlk_snapshot_close(first);
	hlk_sandbox_close(sb);
}

static int set_up(void *arg, struct hlk_sandbox *sb)
{
	return map_at(sb, *(int *)arg, PLACE, "set up");
}

static void test_pool(void)
{
	struct hlk_pool_config config = HLK_POOL_CONFIG_INIT;
	struct hlk_guest_file files[HLK_MAX_FILES];
	struct hlk_snap *snap;
	struct hlk_sandbox *sb = make_ready(NULL, HLK_SNAP_HOST_COW, &snap);
	int fd = make_file("pool", 1);
	struct hlk_pool *pool;
	struct hlk_err err;

	hlk_sandbox_close(sb);
	config.sandboxes = 1;
	config.setup = set_up;
	config.setup_arg = &fd;
	if (hlk_pool_open(ctx, snap, &config, &pool, &err) ||
	    hlk_pool_get(pool, 20000 * MS, &sb, &err)) {
		tap_err(&err, false, "a pool");
		exit(tap_done());
	}
	tap(!map_at(sb, fd, PLACE + PAGE, "mine") && listed(sb, files) == 2,
	    "two files in a pool's sandbox");
	hlk_pool_put(pool, sb);
	tap_err(&err, !hlk_pool_get(pool, 20000 * MS, &sb, &err) && listed(sb, files) == 1 &&
		!strcmp(files[0].label, "set up") && sees(sb, 1, PLACE | RO, "pool 0"),
		"of which the next one has that of the set-up alone");
	hlk_pool_put(pool, sb);
	hlk_pool_close(pool);
	hlk_snapshot_close(snap);
	close(fd);
}

int main(void)
{
	struct hlk_snap *snap;
	struct hlk_sandbox *sb;

	open_ctx();
	sb = make_ready(NULL, HLK_SNAP_HOST_COW, &snap);
	test_refused(sb);
	test_many(sb);
	test_contents(sb);
	test_shrinks(sb);
	hlk_snapshot_close(snap);
	hlk_sandbox_close(sb);
	test_outlives();
	test_pool();
	return finish();
}
