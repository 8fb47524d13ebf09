// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that fails: a private page is replaced, a base page reaches nobody any
 * more, and all that is asked for afterwards is done or refused with a reason.
 */
#include <setjmp.h>
#include <signal.h>
#include <sys/wait.h>

#include "hlk_test.h"
#include "harness.h"

#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101	/* asm-generic/mman-common.h */
#endif

#define GPA	(TVM_DATA + 3 * PAGE)

/* EBX: 0 reads at ESI, else writes there; halt */
GUEST(touch, "	test %ebx, %ebx\n"
	     "	jnz 1f\n"
	     "	mov (%esi), %eax\n"
	     "	hlt\n"
	     "1:	mov %ebx, (%esi)\n"
	     "	hlt\n");

FIXTURE(poison) {
	struct tvm t;
	struct tvm other;
	int snap;
	u8 *page;
};

typedef FIXTURE_DATA(poison) fixture;

FIXTURE_SETUP(poison)
{
	t_begin();
	tvm_start(&self->t, 0, 0);
	tvm_load(&self->t, TVM_CODE, touch);
	self->page = tvm_at(&self->t, GPA);
	memset(self->page - PAGE, 0x55, 3 * PAGE);
	self->snap = OK(hlk_snapshot_flat(self->t.hlk));
	tvm_start(&self->other, 0, 0);
	OK(hlk_restore(self->other.hlk, self->snap, NULL));
}

FIXTURE_TEARDOWN(poison)
{
	close(self->snap);
	tvm_close(&self->other);
	tvm_close(&self->t);
	EXPECT_EQ(0, t_end());
}

/* The page at an address fails. The kernel does what it can, which may be nothing. */
static bool fails(void *at)
{
	if (!madvise(at, PAGE, MADV_HWPOISON) || errno == EBUSY || errno == EIO)
		return true;
	return false;
}

static int guest_touch(struct tvm *t, u32 gpa, u32 value)
{
	struct kvm_run *run = t->run;

	run->s.regs.regs.rip = TVM_CODE;
	run->s.regs.regs.rbx = value;
	run->s.regs.regs.rsi = gpa;
	run->kvm_dirty_regs = KVM_SYNC_X86_REGS;
	return tvm_run(t);
}

static sigjmp_buf bus_error;

static void on_sigbus(int sig)
{
	siglongjmp(bus_error, 1);
}

/* May the process itself read, or write, there? */
static bool can_touch(volatile u8 *at, bool write)
{
	struct sigaction action = { .sa_handler = on_sigbus };
	struct sigaction old;
	bool ok = false;

	sigaction(SIGBUS, &action, &old);
	if (!sigsetjmp(bus_error, 1)) {
		if (write)
			*at = 1;
		else
			(void)*at;
		ok = true;
	}
	sigaction(SIGBUS, &old, NULL);
	return ok;
}

#define NO_POISON	"no MADV_HWPOISON in this kernel"

TEST_F(poison, a_private_page_is_replaced)
{
	struct hlk_restore r;

	memset(self->page, 0x66, PAGE);
	OK(hlk_restore(self->t.hlk, self->snap, &r));
	memset(self->page, 0x77, PAGE);
	if (!fails(self->page))
		SKIP(return, NO_POISON);
	OK(hlk_restore(self->t.hlk, -1, &r));
	ASSERT_EQ(1, r.freed);
	ASSERT_EQ(0x55, self->page[0]);
	ASSERT_EQ(0x55, self->page[PAGE - 1]);
	OK(hlk_restore_flags(self->t.hlk, -1, HLK_RESTORE_AUDIT, &r));
	ASSERT_EQ(0, r.freed);
	/* and is written as any other */
	ASSERT_EQ(KVM_EXIT_HLT, guest_touch(&self->t, GPA, 0x99));
	ASSERT_EQ(0x99, self->page[0]);
	OK(hlk_restore_flags(self->t.hlk, -1, HLK_RESTORE_AUDIT, NULL));
	ASSERT_EQ(0x55, self->page[0]);
}

/*
 * A page cannot be given back as long as its window has far too many mappings, which
 * forks may make. That is an error, whatever else is given back; later it can be.
 */
TEST_F(poison, a_private_page_that_cannot_be_given_back)
{
	u8 *theirs = tvm_at(&self->t, TVM_SCRATCH_GPA + 4 * PAGE);
	u8 *at[HLK_MAX_MAPPINGS];
	int round, i, fds[2];
	char byte;
	u32 nr;

	OK(hlk_restore(self->t.hlk, self->snap, NULL));
	for (nr = 0; nr < HLK_MAX_MAPPINGS; nr++) {
		at[nr] = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, self->t.hlk,
			      TVM_SCRATCH_GPA);
		if (at[nr] == MAP_FAILED)
			break;
		if (madvise(at[nr], PAGE, MADV_DOFORK))
			SKIP(return, "not inherited here");
	}
	theirs[0] = 0x66;
	self->page[0] = 0x66;
	if (!fails(theirs) || !fails(self->page))
		SKIP(return, NO_POISON);
	ASSERT_EQ(0, pipe(fds));
	for (i = 0; i < 2; i++) {
		if (fork())
			continue;
		close(fds[1]);
		_exit(read(fds[0], &byte, 1));
	}
	close(fds[0]);
	for (round = 0; round < 3; round++)
		FAILS(EHWPOISON, HLK_WHY_MEMORY_FAILED,
		      hlk_restore(self->t.hlk, -1, NULL));
	close(fds[1]);
	while (wait(NULL) > 0)
		;
	OK(hlk_restore_flags(self->t.hlk, -1, HLK_RESTORE_AUDIT, NULL));
	ASSERT_EQ(0x55, self->page[0]);
	ASSERT_EQ(0, theirs[0]);
	while (nr--)
		munmap(at[nr], PAGE);
}

TEST_F(poison, a_private_page_is_in_no_snapshot)
{
	struct hlk_snapshot s = { .head.flags = HLK_SNAPSHOT_DEDUP };

	memset(self->page, 0x66, PAGE);
	if (!fails(self->page))
		SKIP(return, NO_POISON);
	ASSERT_EQ(-EHWPOISON, hlk_snapshot_flat(self->t.hlk));
	ASSERT_EQ(-EHWPOISON, hlk_snapshot(self->t.hlk, &s));
	OK(hlk_restore(self->t.hlk, self->snap, NULL));
	close(OK(hlk_snapshot_flat(self->t.hlk)));
}

/* The page is the snapshot's, and neither VM has written it */
TEST_F(poison, a_base_page_reaches_nobody)
{
	u8 *theirs = tvm_at(&self->other, GPA);
	struct hlk_vm_stats before, stats;
	struct tvm third;
	int flat;

	OK(hlk_restore(self->t.hlk, self->snap, NULL));
	ASSERT_EQ(0x55, theirs[0]);
	if (!fails(theirs))
		SKIP(return, NO_POISON);
	OK(hlk_stats(self->other.hlk, &before));

	/* a second tenant: by its process, by its guest, for a read, for a write */
	tvm_start(&third, 0, 0);
	OK(hlk_restore(third.hlk, self->snap, NULL));
	ASSERT_FALSE(can_touch(tvm_at(&third, GPA), false));
	ASSERT_FALSE(can_touch(tvm_at(&third, GPA), true));
	ASSERT_EQ(-EFAULT, guest_touch(&third, GPA, 0));
	OK(hlk_restore(third.hlk, -1, NULL));
	ASSERT_EQ(-EFAULT, guest_touch(&third, GPA, 1));
	OK(hlk_restore(third.hlk, -1, NULL));
	/* its neighbours are well */
	ASSERT_EQ(KVM_EXIT_HLT, guest_touch(&third, GPA - PAGE, 0));
	ASSERT_EQ(0x55, third.run->s.regs.regs.rax & 0xff);
	ASSERT_EQ(0x55, tvm_at(&third, GPA)[PAGE]);

	/* who has it mapped cannot write it either */
	ASSERT_FALSE(can_touch(theirs, true));
	OK(hlk_stats(self->other.hlk, &stats));
	ASSERT_EQ(before.private_pages, stats.private_pages);
	OK(hlk_restore(self->other.hlk, -1, NULL));

	/* a child of the snapshot has the same page */
	flat = OK(hlk_snapshot_flat(self->other.hlk));
	OK(hlk_restore(third.hlk, flat, NULL));
	ASSERT_FALSE(can_touch(tvm_at(&third, GPA), true));
	ASSERT_EQ(-EFAULT, guest_touch(&third, GPA, 0));
	tvm_close(&third);
	close(flat);

	/* it can be read by no fd */
	theirs = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, self->snap, GPA);
	ASSERT_NE(MAP_FAILED, theirs);
	ASSERT_FALSE(can_touch(theirs, false));
	munmap(theirs, PAGE);
}

/* Of what its parent lost a snapshot keeps nothing but the place. */
TEST_F(poison, a_base_page_is_compared_with_none)
{
	struct hlk_snapshot s = { .head.flags = HLK_SNAPSHOT_DEDUP };
	u8 *first = self->page - PAGE;
	struct tvm third;

	OK(hlk_restore(self->t.hlk, self->snap, NULL));
	/* private again, which it is not of whoever took the snapshot */
	memset(first, 0x55, PAGE);
	ASSERT_EQ(0x55, *tvm_at(&self->other, GPA - PAGE));
	if (!fails(tvm_at(&self->other, GPA - PAGE)))
		SKIP(return, NO_POISON);
	/* others that were equal do not become it */
	tvm_start(&third, 0, 0);
	OK(hlk_restore(third.hlk, self->snap, NULL));
	OK(hlk_snapshot(third.hlk, &s));
	OK(hlk_restore(third.hlk, s.out_fd, NULL));
	ASSERT_FALSE(can_touch(tvm_at(&third, GPA - PAGE), false));
	ASSERT_TRUE(can_touch(tvm_at(&third, GPA), false));
	ASSERT_TRUE(can_touch(tvm_at(&third, GPA + PAGE), false));
	close(s.out_fd);
	tvm_close(&third);

	/* nor does who has the same in a page of his own */
	memset(first, 0x55, PAGE);
	s.head.flags = 0;
	OK(hlk_snapshot(self->t.hlk, &s));
	OK(hlk_restore(self->other.hlk, s.out_fd, NULL));
	ASSERT_TRUE(can_touch(tvm_at(&self->other, GPA - PAGE), false));
	ASSERT_EQ(0x55, *tvm_at(&self->other, GPA - PAGE));
	close(s.out_fd);
}

TEST_F(poison, a_base_page_cannot_be_restored)
{
	struct hlk_restore r;
	int good;

	/* private here, so it comes from the snapshot at each restore */
	OK(hlk_restore(self->t.hlk, self->snap, NULL));
	memset(self->page, 0x66, PAGE);
	good = OK(hlk_snapshot_flat(self->t.hlk));
	ASSERT_EQ(0x55, tvm_at(&self->other, GPA)[0]);
	if (!fails(tvm_at(&self->other, GPA)))
		SKIP(return, NO_POISON);
	FAILS(EHWPOISON, HLK_WHY_MEMORY_FAILED, hlk_restore(self->t.hlk, -1, &r));
	ASSERT_EQ(GPA, t_where);
	FAILS(EHWPOISON, HLK_WHY_MEMORY_FAILED, hlk_restore(self->t.hlk, self->snap, &r));
	/* when each page is asked whether it is idle, too */
	for (int i = 0; i < 40; i++)
		FAILS(EHWPOISON, HLK_WHY_MEMORY_FAILED, hlk_restore(self->t.hlk, -1, &r));
	/* another snapshot brings it back, whose page is its own */
	OK(hlk_restore_flags(self->t.hlk, good, HLK_RESTORE_AUDIT, &r));
	ASSERT_EQ(0x66, self->page[0]);
	ASSERT_EQ(KVM_EXIT_HLT, guest_touch(&self->t, GPA, 0));
	close(good);
}

/* Nothing is moved, and nothing is lost. */
TEST_F(poison, soft_offline_of_both_kinds)
{
	u8 *theirs = tvm_at(&self->other, GPA);
	int round;

	for (round = 0; round < 10; round++) {
		memset(self->page, round, PAGE);
		ASSERT_EQ(0x55, theirs[0]);
		if (madvise(self->page, PAGE, MADV_SOFT_OFFLINE) && errno == EINVAL)
			SKIP(return, "no MADV_SOFT_OFFLINE in this kernel");
		madvise(theirs, PAGE, MADV_SOFT_OFFLINE);
		ASSERT_EQ(round, self->page[PAGE - 1]);
		ASSERT_EQ(0x55, theirs[PAGE - 1]);
		ASSERT_EQ(KVM_EXIT_HLT, guest_touch(&self->t, GPA, 0x99));
		OK(hlk_restore_flags(self->t.hlk, self->snap, HLK_RESTORE_AUDIT, NULL));
		OK(hlk_restore_flags(self->other.hlk, self->snap, HLK_RESTORE_AUDIT, NULL));
		ASSERT_EQ(0x55, self->page[0]);
	}
}

/* The page that a restore writes itself, and can do without neither */
TEST_F(poison, the_bookkeeping_page)
{
	u8 *book = tvm_at(&self->t, HLK_GUEST_SCRATCH_TOP - PAGE);

	OK(hlk_restore(self->t.hlk, self->snap, NULL));
	book[0]++;
	if (!fails(book))
		SKIP(return, NO_POISON);
	FAILS(EHWPOISON, HLK_WHY_MEMORY_FAILED, hlk_restore(self->t.hlk, -1, NULL));
	ASSERT_EQ(HLK_GUEST_SCRATCH_TOP - PAGE, t_where);
}

TEST_HARNESS_MAIN
