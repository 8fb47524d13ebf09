// SPDX-License-Identifier: GPL-2.0-only
/*
 * Snapshots whose pages are in a file on a disk, with fs-verity: they are read when they are
 * touched, shared by all who use the file, and charged to who brings them in. A block of
 * the disk that changes ends the guest that needs it, says which page it was, and hurts
 * nobody else.
 */
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/fsverity.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "cgroup.h"
#include "travel.h"
#include "harness.h"

#define FILE_NAME	"/disk/pages"
#define DISK_NODE	"/tmp/verity-disk"
#define LOOK		TRAVEL_LOOK
#define SUM		TRAVEL_SUM
#define BAD		(LOOK + 20 * PAGE)

FIXTURE(verity) {
	struct tvm t;
	struct travel tr;
	int snap;
	bool ready;
};

typedef FIXTURE_DATA(verity) fixture;

/* Of the file alone, and what is in no list of pages to go yet */
static void forget(int fd)
{
	t_must(!fsync(fd) && !posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
}

static int seal(const char *name)
{
	struct fsverity_enable_arg arg = {
		.version = 1,
		.hash_algorithm = FS_VERITY_HASH_ALG_SHA256,
		.block_size = PAGE,
	};
	int fd = open(name, O_RDONLY | O_CLOEXEC);

	t_must(fd >= 0);
	return ioctl(fd, FS_IOC_ENABLE_VERITY, &arg) ? -1 : fd;
}

FIXTURE_SETUP(verity)
{
	struct stat st;
	int fd;

	if (stat("/disk", &st))
		SKIP(return, "no disk here; see vm/run.sh --disk");
	t_begin();
	tvm_start(&self->t, 0, 0);
	travel_guest(&self->t);
	self->snap = OK(hlk_snapshot_flat(self->t.hlk));
	fd = open(FILE_NAME, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	travel_out(&self->tr, self->snap, -1, fd);
	FAILS(ETXTBSY, HLK_WHY_SOURCE_MUTABLE, travel_in(&self->tr, self->t.dev));
	close(fd);
	fd = seal(FILE_NAME);
	ASSERT_LE(0, fd);
	self->tr.fd = fd;
	self->tr.source.fd = fd;
	self->ready = true;
}

FIXTURE_TEARDOWN(verity)
{
	if (!self->ready)
		return;
	travel_end(&self->tr);
	close(self->snap);
	tvm_close(&self->t);
	unlink(FILE_NAME);
	EXPECT_EQ(0, t_end());
}

TEST_F(verity, runs_from_a_disk)
{
	struct tvm t;
	int snap;
	u32 i;

	forget(self->tr.fd);
	snap = OK(travel_in(&self->tr, self->t.dev));
	EXPECT_EQ(0, travel_read(snap));
	close(self->tr.fd);
	self->tr.fd = -1;
	unlink(FILE_NAME);
	tvm_start(&t, 0, 0);
	OK(hlk_restore(t.hlk, snap, NULL));
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(SUM, travel_call(&t));
		ASSERT_EQ(1, tvm_word(&t, LOOK));
		OK(hlk_restore_flags(t.hlk, -1, HLK_RESTORE_AUDIT, NULL));
	}
	close(snap);
	tvm_close(&t);
}

static u64 frame_of(const void *at)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	u64 entry = 0;

	t_must(fd >= 0);
	*(volatile const u8 *)at;
	t_must(pread(fd, &entry, sizeof(entry), (uintptr_t)at / PAGE * sizeof(entry)) ==
	       sizeof(entry));
	close(fd);
	return entry & (1ULL << 63) ? entry & ((1ULL << 55) - 1) : 0;
}

/* Two snapshots of one file, a VM of each, and who maps the file: one page frame */
TEST_F(verity, all_who_use_the_file_share_its_pages)
{
	const u64 gpa = LOOK + 3 * PAGE;
	struct tvm t[2];
	u64 offset = 0;
	int snap[2];
	u8 *map;
	u32 i;

	for (i = 0; i < self->tr.in.nr_extents; i++)
		if (gpa - self->tr.extents[i].gpa < self->tr.extents[i].bytes)
			offset = self->tr.extents[i].offset + gpa - self->tr.extents[i].gpa;
	map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, self->tr.fd, offset);
	ASSERT_NE(MAP_FAILED, map);
	for (i = 0; i < 2; i++) {
		snap[i] = OK(travel_in(&self->tr, self->t.dev));
		tvm_start(&t[i], 0, 0);
		OK(hlk_restore(t[i].hlk, snap[i], NULL));
		ASSERT_EQ(SUM, travel_call(&t[i]));
	}
	ASSERT_NE(0, frame_of(map));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(frame_of(map), frame_of(tvm_at(&t[i], gpa)));
		tvm_close(&t[i]);
		close(snap[i]);
	}
	munmap(map, PAGE);
}

/* Where on the disk a byte of a file is */
static u64 block_of(int fd, u64 offset)
{
	struct {
		struct fiemap head;
		struct fiemap_extent extent;
	} map = { .head.fm_start = offset, .head.fm_length = 1, .head.fm_extent_count = 1,
		  .head.fm_flags = FIEMAP_FLAG_SYNC };

	t_must(!ioctl(fd, FS_IOC_FIEMAP, &map) && map.head.fm_mapped_extents == 1);
	return map.extent.fe_physical + offset - map.extent.fe_logical;
}

/*
 * What the disk has for a page of the guest is another byte from now on. Some kernels let nobody
 * write to a disk that is mounted.
 */
static void rot(fixture *self, u64 gpa)
{
	u64 offset = ~0ULL;
	struct stat st;
	u8 page[PAGE];
	u64 at;
	u32 i;
	int fd;

	for (i = 0; i < self->tr.in.nr_extents; i++)
		if (gpa - self->tr.extents[i].gpa < self->tr.extents[i].bytes)
			offset = self->tr.extents[i].offset + gpa - self->tr.extents[i].gpa;
	t_must(offset != ~0ULL);
	at = block_of(self->tr.fd, offset);
	t_must(!stat("/disk", &st));
	close(self->tr.fd);
	unlink(DISK_NODE);
	t_must(!mknod(DISK_NODE, S_IFBLK | 0600, st.st_dev));
	t_must(!umount("/disk"));
	fd = open(DISK_NODE, O_RDWR | O_CLOEXEC);
	t_must(fd >= 0);
	t_must(pread(fd, page, PAGE, at) == PAGE);
	page[100] ^= 0x10;
	t_must(pwrite(fd, page, PAGE, at) == PAGE && !fsync(fd));
	close(fd);
	t_must(!mount(DISK_NODE, "/disk", "ext4", 0, NULL));
	unlink(DISK_NODE);
	self->tr.fd = open(FILE_NAME, O_RDONLY | O_CLOEXEC);
	t_must(self->tr.fd >= 0);
	self->tr.source.fd = self->tr.fd;
}

static u64 unread(struct tvm *t)
{
	struct hlk_vm_stats stats;

	t_must(!hlk_stats(t->hlk, &stats));
	return stats.unread;
}

/* A guest that needs the page ends, with the reason; who does not need it goes on. */
TEST_F(verity, a_block_that_changed_ends_who_needs_it)
{
	struct hlk_run run = HLK_STRUCT(hlk_run);
	struct hlk_vm_stats stats;
	struct tvm good, bad;
	int snap;

	rot(self, BAD);
	snap = OK(travel_in(&self->tr, self->t.dev));
	tvm_start(&good, 0, 0);
	tvm_start(&bad, 0, 0);
	OK(hlk_restore(good.hlk, self->snap, NULL));
	OK(hlk_restore(bad.hlk, snap, NULL));
	EXPECT_EQ(0, unread(&bad));
	ASSERT_EQ(-EFAULT, travel_call(&bad));
	OK(hlk_stats(bad.hlk, &stats));
	EXPECT_LE(1, stats.unread);
	EXPECT_GE(3, stats.unread);
	EXPECT_EQ(BAD, stats.unread_gpa);
	ASSERT_EQ(SUM, travel_call(&good));
	EXPECT_EQ(0, unread(&good));
	/* once more, by the call that does all */
	run.vcpu_fd = bad.vcpu;
	ASSERT_EQ(-EFAULT, hlk_call(bad.hlk, HLK_RUN, &run));
	/* nothing is half done: another snapshot, and it runs */
	OK(hlk_restore_flags(bad.hlk, self->snap, HLK_RESTORE_AUDIT, NULL));
	ASSERT_EQ(SUM, travel_call(&bad));
	tvm_close(&bad);
	tvm_close(&good);
	close(snap);
}

/* Who writes to it has the base to be copied first; so has a restore that brings it back. */
TEST_F(verity, a_restore_that_cannot_read_changes_nothing)
{
	struct tvm *t = &self->t;
	int snap;

	rot(self, BAD);
	snap = OK(travel_in(&self->tr, t->dev));
	OK(hlk_restore(t->hlk, self->snap, NULL));
	*(volatile u32 *)tvm_at(t, BAD) = 7;
	FAILS(EIO, HLK_WHY_BASE_READ, hlk_restore(t->hlk, snap, NULL));
	EXPECT_EQ(BAD, t_where);
	EXPECT_EQ(7, tvm_word(t, BAD));
	ASSERT_EQ(SUM, travel_call(t));
	OK(hlk_restore_flags(t->hlk, -1, HLK_RESTORE_AUDIT, NULL));
	ASSERT_EQ(SUM, travel_call(t));
	close(snap);
}

static sigjmp_buf back;

static void on_bus(int sig)
{
	siglongjmp(back, 1);
}

static bool touch_faults(const u8 *at)
{
	struct sigaction action = { .sa_handler = on_bus }, old;
	bool faults = true;

	sigaction(SIGBUS, &action, &old);
	if (!sigsetjmp(back, 1)) {
		*(volatile const u8 *)at;
		faults = false;
	}
	sigaction(SIGBUS, &old, NULL);
	return faults;
}

TEST_F(verity, who_looks_at_it_has_a_signal)
{
	struct tvm t;
	u8 *map;
	int snap;

	rot(self, BAD);
	snap = OK(travel_in(&self->tr, self->t.dev));
	map = mmap(NULL, TVM_LOW, PROT_READ, MAP_SHARED, snap, 0);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_TRUE(touch_faults(map + BAD));
	EXPECT_FALSE(touch_faults(map + BAD + 3 * PAGE));
	tvm_start(&t, 0, 0);
	OK(hlk_restore(t.hlk, snap, NULL));
	EXPECT_TRUE(touch_faults(tvm_at(&t, BAD)));
	EXPECT_FALSE(touch_faults(tvm_at(&t, LOOK)));
	munmap(map, TVM_LOW);
	tvm_close(&t);
	close(snap);
}

/* ---- who pays ---- */

#define MUCH		(12 * MIB)
#define MUCH_GPA	0x1000000UL
#define MUCH_FILE	"/disk/much"
#define SLACK		(2 * MIB)
#define PAGE_TABLE	(2 * MIB)

/* A snapshot of nothing but pages of a file */
static int much_import(int dev, int fd)
{
	struct hlk_snapshot_import in = HLK_STRUCT(hlk_snapshot_import);
	struct hlk_window window = { .gpa = MUCH_GPA, .bytes = MUCH };
	struct hlk_extent extent = { .gpa = MUCH_GPA, .bytes = MUCH };
	struct hlk_source source = { .fd = fd };
	long ret;

	in.parent_fd = -1;
	in.windows = (uintptr_t)&window;
	in.nr_windows = 1;
	in.window_size = sizeof(window);
	in.sources = (uintptr_t)&source;
	in.nr_sources = 1;
	in.source_size = sizeof(source);
	in.extents = (uintptr_t)&extent;
	in.nr_extents = 1;
	in.extent_size = sizeof(extent);
	ret = hlk_call(dev, HLK_SNAPSHOT_IMPORT, &in);
	return ret ? ret : in.out_fd;
}

static int check(bool ok, int code)
{
	if (!ok)
		fprintf(stderr, "# check %d: charged %llu KiB\n", code,
			(unsigned long long)cg_charged() / 1024);
	return ok ? 0 : code;
}

static int pays_for_what_it_reads(int fd)
{
	u64 start = cg_charged(), i;
	struct tvm t;
	int snap, ret;
	u8 *at;

	tvm_open(&t);
	tvm_attach(&t, 0, 0);
	at = tvm_window(&t, MUCH_GPA, MUCH, 0);
	snap = much_import(t.dev, fd);
	ret = check(snap >= 0 && !hlk_restore(t.hlk, snap, NULL), 1);
	/* what it costs to have it */
	if (!ret)
		ret = check(cg_charged() < start + SLACK, 2);
	for (i = 0; i < MUCH && !ret; i += PAGE)
		*(volatile u8 *)(at + i);
	if (!ret)
		ret = check(cg_charged() >= start + MUCH - SLACK, 3);
	/* it is held: nobody can have it dropped */
	for (i = 0; i < 10; i++)
		forget(fd);
	if (!ret)
		ret = check(cg_charged() >= start + MUCH - SLACK, 4);
	tvm_close(&t);
	close(snap);
	/* let go: it is page cache as any other */
	for (i = 0; i < 10; i++)
		forget(fd);
	return ret ? ret : check(cg_charged() < start + 2 * SLACK, 5);
}

/* What does not fit its limit is a signal, or an exit, and nobody is killed. */
static int over_the_limit(int fd)
{
	struct tvm t;
	int snap, ret;
	char text[32];
	u64 i;
	u8 *at, *none;

	/* beyond a file's end */
	none = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, memfd_create("none", MFD_CLOEXEC), 0);
	t_must(none != MAP_FAILED);
	tvm_open(&t);
	tvm_attach(&t, 0, 0);
	at = tvm_window(&t, MUCH_GPA, MUCH, 0);
	snap = much_import(t.dev, fd);
	ret = check(snap >= 0 && !hlk_restore(t.hlk, snap, NULL), 1);
	/* page tables and a signal's stack are charged too, and those do kill at a limit */
	for (i = 0; i < MUCH; i += PAGE_TABLE)
		t_must(!touch_faults(at + i));
	t_must(touch_faults(none));
	snprintf(text, sizeof(text), "%llu", (unsigned long long)(cg_charged() + MUCH / 2));
	cg_limit(text);
	for (i = 0; i < MUCH && !ret; i += PAGE)
		if (touch_faults(at + i))
			break;
	cg_limit("max");
	if (!ret)
		ret = check(i > MUCH / 4 && i < MUCH, 2);
	tvm_close(&t);
	close(snap);
	return ret;
}

static int much_file(void)
{
	int fd = open(MUCH_FILE, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	u8 block[16 * PAGE];
	u64 i;

	t_must(fd >= 0);
	for (i = 0; i < MUCH; i += sizeof(block)) {
		memset(block, 1 + i / sizeof(block), sizeof(block));
		t_must(write(fd, block, sizeof(block)) == sizeof(block));
	}
	close(fd);
	fd = seal(MUCH_FILE);
	t_must(fd >= 0);
	for (i = 0; i < 10; i++)
		forget(fd);
	return fd;
}

TEST_F(verity, who_reads_pays)
{
	int fd = much_file();

	cg_begin();
	EXPECT_EQ(0, IN_CHILD(_exit(pays_for_what_it_reads(fd))));
	for (int i = 0; i < 10; i++)
		forget(fd);
	EXPECT_EQ(0, IN_CHILD(_exit(over_the_limit(fd))));
	EXPECT_EQ(0, cg_kills());
	close(fd);
	unlink(MUCH_FILE);
	EXPECT_TRUE(cg_end());
}

TEST_HARNESS_MAIN
