// SPDX-License-Identifier: GPL-2.0-only
/*
 * The disk that run.sh --disk gives a VM, for tests that need files which are not in
 * memory: an ext4 at /disk that gives back what it was given, and seals by verity.
 */
#include <linux/fsverity.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include "hlk_test.h"
#include "harness.h"

#define PAGES		64
#define SIZE		(PAGES * PAGE)

FIXTURE(disk) {
	u32 data[SIZE / 4];
	u32 read[SIZE / 4];
	int fd;
};

/*
 * Of the file alone: unlike drop_caches, this also takes the pages that another CPU
 * still has on its list of those that are to go to the LRU (mm/fadvise.c).
 */
static void forget(int fd)
{
	t_must(!fsync(fd) && !posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
}

FIXTURE_SETUP(disk)
{
	struct statfs fs;
	u32 i;

	if (statfs("/disk", &fs))
		SKIP(return, "no disk here; see vm/run.sh --disk");
	ASSERT_EQ(EXT4_SUPER_MAGIC, fs.f_type);
	for (i = 0; i < SIZE / 4; i++)
		self->data[i] = i * 2654435761u;
	self->fd = open("/disk/file", O_RDWR | O_CREAT | O_TRUNC, 0600);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(SIZE, write(self->fd, self->data, SIZE));
}

FIXTURE_TEARDOWN(disk)
{
	close(self->fd);
	unlink("/disk/file");
}

TEST_F(disk, reads_what_was_written)
{
	forget(self->fd);
	ASSERT_EQ(SIZE, pread(self->fd, self->read, SIZE, 0));
	EXPECT_EQ(0, memcmp(self->data, self->read, SIZE));
}

static u32 in_memory(const void *map)
{
	unsigned char in[PAGES];
	u32 i, nr = 0;

	t_must(!mincore((void *)map, SIZE, in));
	for (i = 0; i < PAGES; i++)
		nr += in[i] & 1;
	return nr;
}

/* None is in memory before it is looked at: what cold means for a test that times it. */
TEST_F(disk, pages_go_and_come_back)
{
	const void *map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, self->fd, 0);
	int tries;

	ASSERT_NE(MAP_FAILED, map);
	for (tries = 0; tries < 20 && in_memory(map); tries++)
		forget(self->fd);
	EXPECT_EQ(0, in_memory(map));
	EXPECT_EQ(0, memcmp(self->data, map, SIZE));
	EXPECT_EQ(PAGES, in_memory(map));
	munmap((void *)map, SIZE);
}

TEST_F(disk, verity_seals_a_file)
{
	struct fsverity_enable_arg arg = {
		.version = 1,
		.hash_algorithm = FS_VERITY_HASH_ALG_SHA256,
		.block_size = PAGE,
	};
	struct {
		struct fsverity_digest head;
		u8 bytes[64];
	} digest = { .head.digest_size = sizeof(digest.bytes) };
	int fd;

	close(self->fd);
	self->fd = open("/disk/file", O_RDONLY);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, ioctl(self->fd, FS_IOC_ENABLE_VERITY, &arg)) {
		TH_LOG("FS_IOC_ENABLE_VERITY: %s", strerror(errno));
	}
	ASSERT_EQ(0, ioctl(self->fd, FS_IOC_MEASURE_VERITY, &digest));
	EXPECT_EQ(32, digest.head.digest_size);
	fd = open("/disk/file", O_RDWR);
	EXPECT_EQ(-1, fd);
	EXPECT_EQ(EPERM, errno);
	forget(self->fd);
	ASSERT_EQ(SIZE, pread(self->fd, self->read, SIZE, 0));
	EXPECT_EQ(0, memcmp(self->data, self->read, SIZE));
}

TEST_HARNESS_MAIN
