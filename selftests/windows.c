// SPDX-License-Identifier: GPL-2.0-only
/*
 * Windows: where they may be, how they are mapped, and which accesses cost a
 * page.
 */
#include <setjmp.h>
#include <signal.h>
#include <sys/wait.h>

#include "hlk_test.h"
#include "harness.h"

/* Read or write one byte in each of ECX pages from EDI on */
GUEST(peek, "1:	movb (%edi), %al\n"
	    "	add $4096, %edi\n"
	    "	loop 1b\n"
	    "	hlt\n");
GUEST(touch, "1:	movb $7, (%edi)\n"
	     "	add $4096, %edi\n"
	     "	loop 1b\n"
	     "	hlt\n");

#define APIC	0xfee00000UL
#define END	(1ULL << 40)	/* of what 32-bit paging can reach */

FIXTURE(windows) {
	struct tvm t;
};

FIXTURE_SETUP(windows)
{
	t_begin();
	tvm_open(&self->t);
	tvm_attach(&self->t, 0, 0);
}

FIXTURE_TEARDOWN(windows)
{
	tvm_close(&self->t);
	EXPECT_EQ(0, t_end());
}

/* ---- where ---- */

TEST_F(windows, ranges_that_are_refused)
{
	static const struct {
		u64 gpa;
		u64 bytes;
		u32 why;
	} bad[] = {
		{ 1, PAGE, HLK_WHY_GPA_ALIGN },
		{ 0x800, PAGE, HLK_WHY_GPA_ALIGN },
		{ 0, 1, HLK_WHY_GPA_ALIGN },
		{ 0, PAGE + 1, HLK_WHY_GPA_ALIGN },
		{ 0, PAGE - 1, HLK_WHY_GPA_ALIGN },
		{ 0, 0, HLK_WHY_GPA_ALIGN },
		{ PAGE, 0, HLK_WHY_GPA_ALIGN },
		{ ~0ULL, ~0ULL, HLK_WHY_GPA_ALIGN },
		{ END, PAGE, HLK_WHY_GPA_RANGE },
		{ END - PAGE, 2 * PAGE, HLK_WHY_GPA_RANGE },
		{ 0, END + PAGE, HLK_WHY_GPA_RANGE },
		{ PAGE, END, HLK_WHY_GPA_RANGE },
		{ 1ULL << 63, PAGE, HLK_WHY_GPA_RANGE },
		{ -PAGE, PAGE, HLK_WHY_GPA_RANGE },
		{ -PAGE, 2 * PAGE, HLK_WHY_GPA_RANGE },
		{ -PAGE, -PAGE, HLK_WHY_GPA_RANGE },
		{ PAGE, -PAGE, HLK_WHY_GPA_RANGE },
		{ APIC, PAGE, HLK_WHY_APIC_PAGE },
		{ APIC - PAGE, 2 * PAGE, HLK_WHY_APIC_PAGE },
		{ 0, 1ULL << 32, HLK_WHY_APIC_PAGE },
	};
	struct hlk_info info;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		FAILS(EINVAL, bad[i].why,
		      hlk_window_add(self->t.hlk, bad[i].gpa, bad[i].bytes, 0));
		ASSERT_EQ(bad[i].why == HLK_WHY_APIC_PAGE ? APIC : bad[i].gpa,
			  t_where);
	}
	/* none of them was added, so these fit */
	OK(hlk_window_add(self->t.hlk, 0, PAGE, 0));
	OK(hlk_window_add(self->t.hlk, APIC - PAGE, PAGE, 0));
	OK(hlk_window_add(self->t.hlk, APIC + PAGE, PAGE, 0));
	OK(hlk_window_add(self->t.hlk, END - PAGE, PAGE, 0));
	OK(hlk_info(self->t.dev, &info));
	ASSERT_EQ(0, info.live_pages);
}

TEST_F(windows, overlaps)
{
	const u64 at = 0x10000, bytes = 4 * PAGE;

	OK(hlk_window_add(self->t.hlk, at, bytes, 0));
	FAILS(EEXIST, HLK_WHY_OVERLAP, hlk_window_add(self->t.hlk, at, bytes, 0));
	ASSERT_EQ(at, t_where);
	FAILS(EEXIST, HLK_WHY_OVERLAP, hlk_window_add(self->t.hlk, at - PAGE, 2 * PAGE, 0));
	FAILS(EEXIST, HLK_WHY_OVERLAP,
	      hlk_window_add(self->t.hlk, at + bytes - PAGE, 2 * PAGE, 0));
	FAILS(EEXIST, HLK_WHY_OVERLAP, hlk_window_add(self->t.hlk, at + PAGE, PAGE, 0));
	FAILS(EEXIST, HLK_WHY_OVERLAP, hlk_window_add(self->t.hlk, 0, 0x100000, 0));
	OK(hlk_window_add(self->t.hlk, at - PAGE, PAGE, 0));
	OK(hlk_window_add(self->t.hlk, at + bytes, PAGE, 0));
}

TEST_F(windows, too_many)
{
	struct hlk_info info;
	u32 i;

	OK(hlk_info(self->t.dev, &info));
	for (i = 0; i < info.max_windows; i++)
		OK(hlk_window_add(self->t.hlk, (u64)(i * 7 % info.max_windows) << 20,
				  PAGE, 0));
	FAILS(EDQUOT, HLK_WHY_TOO_MANY_WINDOWS,
	      hlk_window_add(self->t.hlk, 1ULL << 30, PAGE, 0));
}

TEST_F(windows, one_scratch)
{
	OK(hlk_window_add(self->t.hlk, 0x100000, PAGE, HLK_WINDOW_SCRATCH));
	FAILS(EEXIST, HLK_WHY_TWO_SCRATCH,
	      hlk_window_add(self->t.hlk, 0x200000, PAGE, HLK_WINDOW_SCRATCH));
	ASSERT_EQ(0x100000, t_where);
	OK(hlk_window_add(self->t.hlk, 0x200000, PAGE, 0));
}

TEST_F(windows, fixed_by_the_first_snapshot)
{
	struct tvm t;
	int snap;

	OK(hlk_window_add(self->t.hlk, 0, PAGE, 0));
	tvm_set(&self->t, TVM_CODE);
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	FAILS(EINVAL, HLK_WHY_WINDOWS_FIXED,
	      hlk_window_add(self->t.hlk, 0x100000, PAGE, 0));

	/* or by the first restore; one that fails fixes nothing */
	tvm_open(&t);
	tvm_attach(&t, 0, 0);
	FAILS(EMEDIUMTYPE, HLK_WHY_LAYOUT, hlk_restore(t.hlk, snap, NULL));
	OK(hlk_window_add(t.hlk, 0, PAGE, 0));
	OK(hlk_restore(t.hlk, snap, NULL));
	FAILS(EINVAL, HLK_WHY_WINDOWS_FIXED, hlk_window_add(t.hlk, 0x100000, PAGE, 0));
	tvm_close(&t);
	close(snap);
}

/* ---- mappings ---- */

#define RW	(PROT_READ | PROT_WRITE)

static void *try_mmap(struct tvm *t, u64 gpa, u64 bytes, int prot, int flags)
{
	return mmap(NULL, bytes, prot, flags, t->hlk, gpa);
}

TEST_F(windows, mmap_only_inside)
{
	struct tvm *t = &self->t;
	const u64 at = 0x10000;
	u8 *p;

	OK(hlk_window_add(t->hlk, at, 4 * PAGE, 0));
	OK(hlk_window_add(t->hlk, at + 4 * PAGE, 4 * PAGE, 0));
	FAILS_ERRNO(ENXIO, try_mmap(t, 0, PAGE, RW, MAP_SHARED));
	FAILS_ERRNO(ENXIO, try_mmap(t, at - PAGE, PAGE, RW, MAP_SHARED));
	FAILS_ERRNO(ENXIO, try_mmap(t, at - PAGE, 2 * PAGE, RW, MAP_SHARED));
	FAILS_ERRNO(ENXIO, try_mmap(t, at, 5 * PAGE, RW, MAP_SHARED));
	FAILS_ERRNO(ENXIO, try_mmap(t, at + 3 * PAGE, 2 * PAGE, RW, MAP_SHARED));
	FAILS_ERRNO(ENXIO, try_mmap(t, at + 8 * PAGE, PAGE, RW, MAP_SHARED));
	FAILS_ERRNO(ENXIO, try_mmap(t, at + 7 * PAGE, 2 * PAGE, RW, MAP_SHARED));
	FAILS_ERRNO(EINVAL, try_mmap(t, at, PAGE, RW, MAP_PRIVATE));
	FAILS_ERRNO(EINVAL, try_mmap(t, at, PAGE, PROT_READ, MAP_PRIVATE));

	p = try_mmap(t, at + 3 * PAGE, PAGE, RW, MAP_SHARED);
	ASSERT_NE(MAP_FAILED, p);
	*p = 1;
	munmap(p, PAGE);
}

TEST_F(windows, read_only_stays_read_only)
{
	struct tvm *t = &self->t;
	u8 *p;

	OK(hlk_window_add(t->hlk, 0, 4 * PAGE, HLK_WINDOW_READONLY));
	FAILS_ERRNO(EACCES, try_mmap(t, 0, PAGE, RW, MAP_SHARED));
	FAILS_ERRNO(EACCES, try_mmap(t, 0, PAGE, PROT_WRITE, MAP_SHARED));
	p = try_mmap(t, 0, PAGE, PROT_READ, MAP_SHARED);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, *p);
	FAILS_ERRNO(EACCES, mprotect(p, PAGE, RW));
	munmap(p, PAGE);
}

/* A guest's write to a read-only window is an exit and changes nothing. */
TEST_F(windows, read_only_for_the_guest)
{
	struct kvm_run *run = self->t.run;
	struct hlk_vm_stats stats;

	tvm_window(&self->t, 0, TVM_LOW, 0);
	tvm_window(&self->t, 0x200000, 4 * PAGE, HLK_WINDOW_READONLY);
	tvm_load(&self->t, TVM_CODE, touch);
	tvm_set(&self->t, TVM_CODE);
	run->s.regs.regs.rcx = 4;
	run->s.regs.regs.rdi = 0x201000;
	run->kvm_dirty_regs = KVM_SYNC_X86_REGS;
	ASSERT_EQ(KVM_EXIT_MMIO, tvm_run(&self->t));
	ASSERT_EQ(0x201000, run->mmio.phys_addr);
	ASSERT_EQ(1, run->mmio.is_write);
	ASSERT_EQ(0, tvm_at(&self->t, 0x201000)[0]);
	OK(hlk_stats(self->t.hlk, &stats));
	ASSERT_EQ(1, stats.private_pages);	/* the code */
}

TEST_F(windows, mremap)
{
	struct tvm *t = &self->t;
	u8 *p, *q;

	OK(hlk_window_add(t->hlk, 0, 16 * PAGE, 0));
	p = tvm_map(t, 0, 4 * PAGE, RW);
	p[PAGE] = 3;
	FAILS_ERRNO(EFAULT, mremap(p, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE));
	q = mmap(NULL, 4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, q);
	ASSERT_EQ(q, mremap(p, 4 * PAGE, 4 * PAGE,
			    MREMAP_MAYMOVE | MREMAP_FIXED, q));
	ASSERT_EQ(3, q[PAGE]);
	q[2 * PAGE] = 4;
	ASSERT_EQ(q, mremap(q, 4 * PAGE, 2 * PAGE, 0));
	ASSERT_EQ(3, q[PAGE]);
	munmap(q, 2 * PAGE);
	p = tvm_map(t, 0, 4 * PAGE, RW);
	ASSERT_EQ(3, p[PAGE]);
	ASSERT_EQ(4, p[2 * PAGE]);
	munmap(p, 4 * PAGE);
}

static sigjmp_buf on_sigbus;

static void sigbus(int sig)
{
	siglongjmp(on_sigbus, 1);
}

/* As many mappings as may be, of two pages each; how many there were already */
static u32 fill(struct tvm *t, u8 **at)
{
	u32 nr = 0;

	for (;; nr++) {
		at[nr] = try_mmap(t, 0, 2 * PAGE, RW, MAP_SHARED);
		if (at[nr] == MAP_FAILED)
			break;
		t_must(nr < HLK_MAX_MAPPINGS);
	}
	t_must(errno == EMLINK);
	return HLK_MAX_MAPPINGS - nr;
}

static void empty(u8 **at, u32 had)
{
	u32 i;

	for (i = 0; i < HLK_MAX_MAPPINGS - had; i++)
		munmap(at[i], 2 * PAGE);
}

TEST_F(windows, mappings_are_counted)
{
	u8 *at[HLK_MAX_MAPPINGS + 1];
	struct tvm *t = &self->t;
	u8 *p, *q;
	u32 i;

	OK(hlk_window_add(t->hlk, 0, 16 * PAGE, 0));
	OK(hlk_window_add(t->hlk, 0x100000, PAGE, 0));
	p = tvm_map(t, 0, 16 * PAGE, RW);
	q = mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, q);
	ASSERT_EQ(1, fill(t, at));
	/* what would make one more out of another */
	FAILS_ERRNO(EMLINK, munmap(p + 4 * PAGE, PAGE));
	FAILS_ERRNO(EMLINK, mprotect(p + 4 * PAGE, PAGE, PROT_READ));
	FAILS_ERRNO(EMLINK, mremap(p + 4 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
				   q));
	*p = 1;
	p[15 * PAGE] = 1;
	/* another window has its own */
	munmap(tvm_map(t, 0x100000, PAGE, RW), PAGE);
	empty(at, 1);

	/* one in the middle is two more; all that is undone is given back */
	ASSERT_EQ(0, mprotect(p + 4 * PAGE, PAGE, PROT_READ));
	ASSERT_EQ(3, fill(t, at));
	empty(at, 3);
	ASSERT_EQ(0, munmap(p + 4 * PAGE, PAGE));
	ASSERT_EQ(2, fill(t, at));
	empty(at, 2);
	for (i = 0; i < 1000; i++) {
		u8 *from = i % 2 ? q : p + 8 * PAGE;
		u8 *to = i % 2 ? p + 8 * PAGE : q;

		ASSERT_EQ(to, mremap(from, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to));
	}
	munmap(q, 2 * PAGE);
	q = mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_EQ(4, fill(t, at));
	/* a move is no split */
	ASSERT_EQ(q, mremap(at[0], 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q));
	at[0] = q;
	empty(at, 4);
	munmap(p, 16 * PAGE);
	ASSERT_EQ(0, fill(t, at));
	empty(at, 0);
}

/* A fork cannot be refused: what would go through all mappings is. */
TEST_F(windows, mappings_of_children)
{
	u8 *at[HLK_MAX_MAPPINGS + 1];
	struct tvm *t = &self->t;
	struct hlk_vm_stats stats;
	int one, two, ret;
	int fds[2];
	char byte;
	u32 i;

	close(t->hlk);
	tvm_attach(t, 0, 1);
	OK(hlk_window_add(t->hlk, 0, 16 * PAGE, 0));
	tvm_set(t, TVM_CODE);
	one = OK(hlk_snapshot_flat(t->hlk));
	ASSERT_EQ(0, fill(t, at));
	at[0][0] = 1;
	two = OK(hlk_snapshot_flat(t->hlk));
	OK(hlk_restore(t->hlk, one, NULL));
	for (i = 0; i < HLK_MAX_MAPPINGS; i++)
		if (madvise(at[i], 2 * PAGE, MADV_DOFORK))
			SKIP(goto out, "not inherited here");
	ASSERT_EQ(0, pipe(fds));
	for (i = 0; i < 2; i++) {
		if (fork())
			continue;
		close(fds[1]);
		_exit(read(fds[0], &byte, 1));
	}
	close(fds[0]);
	ASSERT_EQ(-EMLINK, hlk_restore(t->hlk, two, NULL));
	ASSERT_EQ(HLK_WHY_MAPPINGS, t_why);
	ASSERT_EQ(0, at[1][0]);
	signal(SIGBUS, sigbus);
	ret = sigsetjmp(on_sigbus, 1);
	if (!ret)
		at[0][PAGE] = 2;
	signal(SIGBUS, SIG_DFL);
	ASSERT_EQ(1, ret);
	OK(hlk_restore(t->hlk, one, NULL));

	close(fds[1]);
	while (wait(NULL) > 0)
		;
	at[0][PAGE] = 2;
	OK(hlk_restore(t->hlk, two, NULL));
	ASSERT_EQ(0, at[0][PAGE]);
	ASSERT_EQ(1, at[1][0]);
	OK(hlk_stats(t->hlk, &stats));
	ASSERT_GE(1, stats.private_pages);
out:
	empty(at, 0);
	close(one);
	close(two);
}

TEST_F(windows, fork_does_not_inherit)
{
	int status;
	pid_t pid;
	u8 *p;

	p = tvm_window(&self->t, 0, TVM_LOW, 0);
	*p = 1;
	pid = fork();
	if (!pid) {
		signal(SIGSEGV, SIG_DFL);
		_exit(*(volatile u8 *)p);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));
	ASSERT_EQ(SIGSEGV, WTERMSIG(status));
	ASSERT_EQ(1, *p);
}

TEST_F(windows, contents_outlive_their_mapping)
{
	u8 *p;

	OK(hlk_window_add(self->t.hlk, 0, 16 * PAGE, 0));
	p = tvm_map(&self->t, 0, 16 * PAGE, RW);
	memset(p + 3 * PAGE, 'x', PAGE);
	munmap(p, 16 * PAGE);
	p = tvm_map(&self->t, 3 * PAGE, PAGE, PROT_READ);
	ASSERT_EQ('x', p[0]);
	ASSERT_EQ('x', p[PAGE - 1]);
	munmap(p, PAGE);
}

TEST_F(windows, two_mappings_show_one_memory)
{
	u8 *a, *b;
	u32 i;

	OK(hlk_window_add(self->t.hlk, 0, 16 * PAGE, 0));
	a = tvm_map(&self->t, 0, 16 * PAGE, RW);
	b = tvm_map(&self->t, 0, 16 * PAGE, RW);
	for (i = 0; i < 16; i++) {
		/* both show the shared page of zeroes before one is written */
		ASSERT_EQ(0, *(volatile u8 *)&a[i * PAGE]);
		ASSERT_EQ(0, *(volatile u8 *)&b[i * PAGE]);
		(i & 1 ? a : b)[i * PAGE] = i + 1;
		ASSERT_EQ(i + 1, *(volatile u8 *)&a[i * PAGE]);
		ASSERT_EQ(i + 1, *(volatile u8 *)&b[i * PAGE]);
	}
	munmap(a, 16 * PAGE);
	munmap(b, 16 * PAGE);
}

/* ---- what costs a page ---- */

static void run_over(struct tvm *t, u32 gpa, u32 pages)
{
	t->run->s.regs.regs.rip = TVM_CODE;
	t->run->s.regs.regs.rdi = gpa;
	t->run->s.regs.regs.rcx = pages;
	t->run->kvm_dirty_regs = KVM_SYNC_X86_REGS;
}

TEST_F(windows, reads_cost_nothing_writes_one_page_each)
{
	struct tvm *t = &self->t;
	struct hlk_vm_stats stats;
	volatile u8 *p;
	u64 base;
	u32 i;

	p = tvm_window(t, 0, TVM_LOW, 0);
	tvm_load(t, TVM_CODE, peek);
	tvm_set(t, TVM_CODE);
	OK(hlk_stats(t->hlk, &stats));
	ASSERT_EQ(1, stats.private_pages);
	base = stats.private_pages;

	for (i = 0; i < 20; i++)
		ASSERT_EQ(0, p[TVM_DATA + i * PAGE]);
	run_over(t, TVM_DATA, 40);
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(t));
	OK(hlk_stats(t->hlk, &stats));
	ASSERT_EQ(base, stats.private_pages);
	ASSERT_LE(40, stats.read_faults);

	/* by the host: pages that it read before and pages that it did not */
	for (i = 0; i < 10; i++) {
		p[TVM_DATA + (15 + i) * PAGE] = 1;
		p[TVM_DATA + (15 + i) * PAGE + 100] = 1;
		OK(hlk_stats(t->hlk, &stats));
		ASSERT_EQ(base + i + 1, stats.private_pages);
		ASSERT_EQ(stats.private_pages, stats.write_faults);
	}
	/* by the guest, over some of the same */
	tvm_load(t, TVM_CODE, touch);
	run_over(t, TVM_DATA + 20 * PAGE, 10);
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(t));
	OK(hlk_stats(t->hlk, &stats));
	ASSERT_EQ(base + 15, stats.private_pages);
	ASSERT_EQ(base + 15, stats.write_faults);
	for (i = 0; i < 10; i++)
		ASSERT_EQ(7, p[TVM_DATA + (20 + i) * PAGE]);
	/* all read again: what the other wrote is seen, and costs nothing */
	run_over(t, TVM_DATA, 40);
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(t));
	run_over(t, TVM_DATA + 20 * PAGE, 10);
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(t));
	OK(hlk_stats(t->hlk, &stats));
	ASSERT_EQ(0, stats.over_budget);
}

TEST_F(windows, the_budget_ends_a_guest)
{
	struct tvm *t = &self->t;
	struct hlk_vm_stats stats;
	struct hlk_info info;
	u32 written = 0;
	u8 *p;
	u32 i;

	close(t->hlk);
	tvm_attach(t, 10, 0);
	p = tvm_window(t, 0, TVM_LOW, 0);
	tvm_load(t, TVM_CODE, touch);
	tvm_set(t, TVM_CODE);
	run_over(t, TVM_DATA, 9);
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(t));
	OK(hlk_stats(t->hlk, &stats));
	ASSERT_EQ(10, stats.private_pages);
	ASSERT_EQ(0, stats.over_budget);

	run_over(t, TVM_DATA, 30);
	ASSERT_EQ(-EFAULT, tvm_run(t));
	OK(hlk_stats(t->hlk, &stats));
	ASSERT_EQ(10, stats.private_pages);
	ASSERT_LE(1, stats.over_budget);
	for (i = 0; i < 30; i++)
		written += p[TVM_DATA + i * PAGE] == 7;
	ASSERT_EQ(9, written);
	OK(hlk_info(t->dev, &info));
	ASSERT_EQ(10, info.live_pages);

	/* and gives the host a SIGBUS */
	signal(SIGBUS, sigbus);
	if (!sigsetjmp(on_sigbus, 1)) {
		p[TVM_DATA + 50 * PAGE] = 1;
		ASSERT_TRUE(false);
	}
	signal(SIGBUS, SIG_DFL);
	ASSERT_EQ(0, p[TVM_DATA + 50 * PAGE]);
}

/* ---- what else can be done to a mapping or a file ---- */

TEST_F(windows, nobody_takes_pages_away)
{
	struct hlk_vm_stats stats;
	char byte;
	u8 *p;

	p = tvm_window(&self->t, 0, TVM_LOW, 0);
	memset(p, 'x', 4 * PAGE);
	ASSERT_EQ(0, madvise(p, 4 * PAGE, MADV_DONTNEED));
	ASSERT_EQ('x', p[0]);
	ASSERT_EQ('x', p[3 * PAGE]);
	ASSERT_EQ(-1, madvise(p, 4 * PAGE, MADV_REMOVE));
	ASSERT_EQ('x', p[0]);
	madvise(p, 4 * PAGE, MADV_PAGEOUT);
	madvise(p, 4 * PAGE, MADV_FREE);
	madvise(p, 4 * PAGE, MADV_HUGEPAGE);
	ASSERT_EQ('x', p[0]);
	FAILS_ERRNO(EINVAL, ftruncate(self->t.hlk, 0));
	ASSERT_EQ(-1, fallocate(self->t.hlk, 3, 0, 4 * PAGE));
	ASSERT_EQ(-1, pread(self->t.hlk, &byte, 1, 0));
	ASSERT_EQ(-1, pwrite(self->t.hlk, &byte, 1, 0));
	ASSERT_EQ('x', p[0]);
	ASSERT_EQ('x', p[4 * PAGE - 1]);
	OK(hlk_stats(self->t.hlk, &stats));
	ASSERT_EQ(4, stats.private_pages);
}

/* A debugger's write, which may ignore a mapping's protection, changes no base. */
TEST_F(windows, no_write_through_proc_mem)
{
	int mem = open("/proc/self/mem", O_RDWR);
	const u8 *map;
	char byte = 'y';
	int snap;
	u8 *p;

	ASSERT_LE(0, mem);
	p = tvm_window(&self->t, 0, TVM_LOW, 0);
	*p = 'x';
	tvm_set(&self->t, TVM_CODE);
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, snap, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(-1, pwrite(mem, &byte, 1, (uintptr_t)map));
	ASSERT_EQ('x', *map);
	FAILS_ERRNO(EACCES, mmap(NULL, PAGE, RW, MAP_SHARED, snap, 0));
	FAILS_ERRNO(EACCES, mprotect((void *)map, PAGE, RW));
	FAILS_ERRNO(EINVAL, mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, snap, 0));

	/* through a window it is a write like any other */
	ASSERT_EQ(1, pwrite(mem, &byte, 1, (uintptr_t)p));
	ASSERT_EQ('y', *p);
	ASSERT_EQ('x', *map);
	munmap((void *)map, PAGE);
	close(snap);
	close(mem);
}

TEST_HARNESS_MAIN
