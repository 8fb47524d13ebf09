// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sandboxes of one snapshot share its pages, in one process and across
 * processes, and never see each other's writes.
 */
#include <sys/wait.h>

#include "hlk_test.h"
#include "harness.h"

#define PAGES	64UL
#define BYTES	(PAGES * PAGE)

/* Fill the first pages of data with AL, then halt */
GUEST(fill, "1:	mov $0x20000, %edi\n"
	    "	mov $0x40000, %ecx\n"
	    "	rep stosb\n"
	    "	hlt\n"
	    "	jmp 1b\n");

FIXTURE(sharing) {
	struct tvm a;
	struct tvm b;
	int snap;
	u8 *data_a;
	u8 *data_b;
	const u8 *base;		/* the snapshot, as user space sees it */
};

static void pattern(u8 *to)
{
	unsigned long i;

	for (i = 0; i < BYTES; i++)
		to[i] = 1 + (i / PAGE + i) % 255;
}

static bool has_pattern(const u8 *data)
{
	unsigned long i;

	for (i = 0; i < BYTES; i++)
		if (data[i] != 1 + (i / PAGE + i) % 255)
			return false;
	return true;
}

static u64 sum(const u8 *data)
{
	u64 all = 0;
	unsigned long i;

	for (i = 0; i < BYTES; i += PAGE)
		all += *(volatile const u8 *)&data[i];
	return all;
}

/* A field of /proc/self/smaps, in KiB, for the mapping that starts at @at */
static long smaps(const void *at, const char *field)
{
	unsigned long start;
	bool here = false;
	char line[256];
	long kib = -1;
	FILE *f = fopen("/proc/self/smaps", "r");

	t_must(f);
	while (kib < 0 && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%*x ", &start) == 1 && strchr(line, '-'))
			here = start == (unsigned long)at;
		else if (here && !strncmp(line, field, strlen(field)))
			sscanf(line + strlen(field), ": %ld", &kib);
	}
	fclose(f);
	return kib;
}

FIXTURE_SETUP(sharing)
{
	struct hlk_restore r;

	t_begin();
	tvm_start(&self->a, 0, 0);
	tvm_start(&self->b, 0, 0);
	self->data_a = tvm_at(&self->a, TVM_DATA);
	self->data_b = tvm_at(&self->b, TVM_DATA);
	tvm_load(&self->a, TVM_CODE, fill);
	pattern(self->data_a);
	self->snap = OK(hlk_snapshot_flat(self->a.hlk));
	self->base = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, self->snap, TVM_DATA);
	ASSERT_NE(MAP_FAILED, self->base);

	/*
	 * Those of A were private when the snapshot copied them. Give them back
	 * by a VM that never wrote them.
	 */
	tvm_close(&self->a);
	tvm_start(&self->a, 0, 0);
	self->data_a = tvm_at(&self->a, TVM_DATA);
	OK(hlk_restore(self->a.hlk, self->snap, &r));
	OK(hlk_restore(self->b.hlk, self->snap, &r));
}

FIXTURE_TEARDOWN(sharing)
{
	munmap((void *)self->base, BYTES);
	close(self->snap);
	tvm_close(&self->a);
	tvm_close(&self->b);
	EXPECT_EQ(0, t_end());
}

TEST_F(sharing, one_set_of_pages)
{
	struct hlk_vm_stats a, b;
	struct hlk_info before, after;

	OK(hlk_info(self->a.dev, &before));
	ASSERT_EQ(sum(self->data_a), sum(self->data_b));
	ASSERT_TRUE(has_pattern(self->data_a));
	ASSERT_TRUE(has_pattern(self->data_b));
	OK(hlk_info(self->a.dev, &after));
	EXPECT_EQ(before.live_pages, after.live_pages);

	OK(hlk_stats(self->a.hlk, &a));
	OK(hlk_stats(self->b.hlk, &b));
	EXPECT_EQ(1, a.private_pages);
	EXPECT_EQ(1, b.private_pages);
	EXPECT_EQ(0, a.write_faults - a.private_pages);
	EXPECT_LE(PAGES, a.read_faults);
}

static u64 frame(const u8 *at)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	u64 entry = *(volatile const u8 *)at;

	t_must(fd >= 0);
	t_must(pread(fd, &entry, sizeof(entry), (uintptr_t)at / PAGE * sizeof(entry)) ==
	       sizeof(entry));
	close(fd);
	t_must(entry >> 63);
	return entry & ((1ULL << 55) - 1);
}

/* One for all would run out of references for all. */
TEST_F(sharing, zeroes_are_one_page_for_each_vm)
{
	const u8 *zeroes = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, self->snap,
				TVM_DATA + BYTES);
	const u8 *a = self->data_a + BYTES, *b = self->data_b + BYTES;

	ASSERT_NE(MAP_FAILED, zeroes);
	ASSERT_EQ(frame(a), frame(a + PAGE));
	ASSERT_EQ(frame(b), frame(b + PAGE));
	ASSERT_EQ(frame(zeroes), frame(zeroes + PAGE));
	ASSERT_NE(frame(a), frame(b));
	ASSERT_NE(frame(a), frame(zeroes));
	ASSERT_NE(frame(b), frame(zeroes));
	/* base pages are shared all the same */
	ASSERT_EQ(frame(self->data_a), frame(self->data_b));
	ASSERT_EQ(frame(self->data_a), frame(self->base));
	munmap((void *)zeroes, 2 * PAGE);
}

TEST_F(sharing, smaps_counts_them_as_shared)
{
	void *low_a = tvm_at(&self->a, 0);
	void *low_b = tvm_at(&self->b, 0);

	/* nobody else has them mapped yet */
	sum(self->data_a);
	EXPECT_LE(BYTES / 1024, smaps(low_a, "Private_Clean"));
	EXPECT_EQ(0, smaps(low_a, "Private_Dirty"));

	sum(self->data_b);
	EXPECT_LE(BYTES / 1024, smaps(low_a, "Shared_Clean"));
	EXPECT_LE(BYTES / 1024, smaps(low_b, "Shared_Clean"));
	EXPECT_EQ(0, smaps(low_b, "Private_Dirty"));
	/* each counts for half */
	EXPECT_GE(BYTES / 1024 / 2 + 4, smaps(low_b, "Pss"));

	self->data_b[0] = 0;
	EXPECT_EQ(PAGE / 1024, smaps(low_b, "Private_Dirty"));
}

TEST_F(sharing, writes_are_not_seen_by_others)
{
	struct hlk_restore r;

	sum(self->data_b);
	memset(self->data_a, 0xee, BYTES);
	EXPECT_TRUE(has_pattern(self->data_b));
	EXPECT_TRUE(has_pattern(self->base));

	self->b.run->s.regs.regs.rip = TVM_CODE;
	self->b.run->s.regs.regs.rax = 0x55;
	self->b.run->kvm_dirty_regs = KVM_SYNC_X86_REGS;
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->b));
	EXPECT_EQ(0x55, self->data_b[BYTES - 1]);
	EXPECT_EQ(0xee, self->data_a[BYTES - 1]);
	EXPECT_TRUE(has_pattern(self->base));

	OK(hlk_restore(self->b.hlk, -1, &r));
	EXPECT_EQ(PAGES, r.copied);
	EXPECT_TRUE(has_pattern(self->data_b));
	EXPECT_EQ(0xee, self->data_a[0]);
	OK(hlk_restore(self->a.hlk, -1, &r));
	EXPECT_TRUE(has_pattern(self->data_a));
}

/* In a child with a VM of its own: the exit code says what did not hold. */
static int child(int snap)
{
	struct hlk_restore r;
	struct tvm t;
	u8 *data;

	tvm_start(&t, 0, 0);
	if (hlk_restore(t.hlk, snap, &r))
		return 1;
	data = tvm_at(&t, TVM_DATA);
	if (!has_pattern(data))
		return 2;
	if (smaps(tvm_at(&t, 0), "Shared_Clean") < (long)(BYTES / 1024))
		return 3;
	memset(data, 0x77, BYTES);
	if (hlk_restore(t.hlk, -1, &r) || r.copied != PAGES)
		return 4;
	if (!has_pattern(data))
		return 5;
	data[0] = 0x77;
	return 0;
}

TEST_F(sharing, two_processes)
{
	int status;
	pid_t pid;

	sum(self->data_a);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(child(self->snap));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	EXPECT_TRUE(has_pattern(self->data_a));
	EXPECT_TRUE(has_pattern(self->base));
}

TEST_F(sharing, a_second_snapshot_inherits_what_did_not_change)
{
	struct hlk_snapshot s = HLK_STRUCT(hlk_snapshot);
	struct hlk_restore r;

	memset(self->data_b, 0x11, 3 * PAGE);
	memset(self->data_b + 3 * PAGE, 0, PAGE);
	OK(hlk_snapshot(self->b.hlk, &s));
	/* the rest of the data and the page with the code */
	EXPECT_EQ(PAGES - 4 + 1, s.counts.inherited);
	EXPECT_LE(3, s.counts.copied);
	EXPECT_GE(4, s.counts.copied);		/* and the bookkeeping page */
	EXPECT_LE(1, s.counts.zero);

	OK(hlk_restore(self->a.hlk, s.out_fd, &r));
	EXPECT_EQ(0x11, self->data_a[3 * PAGE - 1]);
	EXPECT_EQ(0, self->data_a[3 * PAGE]);
	EXPECT_EQ(self->base[4 * PAGE], self->data_a[4 * PAGE]);
	EXPECT_TRUE(has_pattern(self->base));
	close(s.out_fd);
}

TEST_F(sharing, a_snapshot_cannot_be_written)
{
	FAILS_ERRNO(EACCES, mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
				 self->snap, TVM_DATA));
	FAILS_ERRNO(EINVAL, mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, self->snap,
				 TVM_DATA));
	FAILS_ERRNO(EACCES, mprotect((void *)self->base, PAGE,
				     PROT_READ | PROT_WRITE));
}

TEST_HARNESS_MAIN
