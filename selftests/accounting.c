// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who pays: what the module holds for a process is charged to the cgroup of that
 * process, whoever touches it, its limit ends in ENOMEM or in an exit of the
 * guest and kills nobody, budgets and the module's limits hold, and when all is closed the
 * charge is gone. Memory that is short otherwise (reclaim, compaction, KSM)
 * takes nothing away. How a guest learns of a limit is in refused.c.
 */
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include "cgroup.h"
#include "harness.h"

#define SLACK		(2 * MIB)	/* charges are kept in stock, per CPU */

/* Read a page of each two MiB: hardly a page, but one of page tables for each */
GUEST(look, "	movl $0x1000000, %eax\n"
	    "1:	movl (%eax), %ebx\n"
	    "	addl $0x200000, %eax\n"
	    "	jmp 1b\n");

FIXTURE(accounting) {
	int dev;
};

FIXTURE_SETUP(accounting)
{
	t_begin();
	cg_begin();
	self->dev = hlk_open();
}

FIXTURE_TEARDOWN(accounting)
{
	close(self->dev);
	EXPECT_EQ(0, t_end());
	EXPECT_TRUE(cg_end());
}

static u8 *big_machine(struct tvm *t, u64 max_private)
{
	tvm_start(t, max_private, 0);
	return cg_eater(t);
}

static void fill(u8 *at, u64 bytes)
{
	u64 i;

	for (i = 0; i < bytes; i += PAGE)
		*(u64 *)(at + i) = i + 1;
}

static int check(bool ok, int code)
{
	if (!ok)
		fprintf(stderr, "# check %d: charged %llu KiB\n", code,
			(unsigned long long)cg_charged() / 1024);
	return ok ? 0 : code;
}

static int charges_and_gives_back(void)
{
	u64 start = cg_charged(), now;
	struct tvm t;
	int snap, ret;
	u8 *big;

	big = big_machine(&t, 0);
	fill(big, BIG);
	now = cg_charged();
	ret = check(now - start >= BIG - SLACK && now - start < BIG + BIG / 4 + SLACK, 1);
	snap = hlk_snapshot_flat(t.hlk);
	t_must(snap >= 0);
	now = cg_charged();
	ret = ret ?: check(now - start >= 2 * BIG - SLACK, 2);
	tvm_close(&t);
	/* the snapshot alone is left */
	now = cg_charged();
	ret = ret ?: check(now - start >= BIG - SLACK && now - start < BIG + BIG / 4 + SLACK, 3);
	close(snap);
	now = cg_charged();
	return ret ?: check(now < start + SLACK + MIB, 4);
}

TEST_F_TIMEOUT(accounting, what_is_held_is_charged_and_given_back, 280)
{
	u64 start = cg_charged();

	ASSERT_EQ(0, IN_CHILD(_exit(charges_and_gives_back())));
	ASSERT_LT(cg_charged(), start + SLACK);
}

/* Of each snapshot its own; entries that there are none of take the bytes all the same */
static int programs(void)
{
	struct hlk_program_header *header = calloc(1, HLK_MAX_PROGRAM);
	struct hlk_snapshot s = {
		.program = (uintptr_t)header,
		.program_bytes = HLK_MAX_PROGRAM,
	};
	struct tvm t;
	int snaps[16];
	u64 start;
	u32 i;

	t_must(header);
	header->size = sizeof(*header);
	header->entry_size = sizeof(struct hlk_program_entry);
	tvm_start(&t, 0, 0);
	start = cg_charged();
	for (i = 0; i < ARRAY_SIZE(snaps); i++) {
		snaps[i] = hlk_snapshot(t.hlk, &s);
		t_must(snaps[i] >= 0);
	}
	if (check(cg_charged() - start >= ARRAY_SIZE(snaps) * HLK_MAX_PROGRAM - SLACK, 1))
		return 1;
	for (i = 0; i < ARRAY_SIZE(snaps); i++)
		close(snaps[i]);
	return check(cg_charged() < start + SLACK, 2);
}

TEST_F_TIMEOUT(accounting, programs_are_charged, 280)
{
	ASSERT_EQ(0, IN_CHILD(_exit(programs())));
}

static int reads_free_writes_paid(int snap)
{
	u64 start = cg_charged();
	struct tvm t;
	u8 *big = big_machine(&t, 0);
	u64 i;

	t_must(!hlk_restore(t.hlk, snap, NULL));
	/* reading is free but for the page tables */
	for (i = 0; i < BIG; i += PAGE)
		t_must(*(volatile u64 *)(big + i) == i + 1);
	if (check(cg_charged() - start < SLACK + 2 * MIB, 1))
		return 1;
	fill(big, BIG / 2);
	return check(cg_charged() - start >= BIG / 2 - SLACK, 2);
}

/* What a sandbox of another cgroup writes, it pays itself. */
TEST_F_TIMEOUT(accounting, a_snapshot_is_paid_by_who_took_it, 280)
{
	struct tvm t;
	u64 before;
	int snap;
	u8 *big;

	big = big_machine(&t, 0);
	fill(big, BIG);
	snap = OK(hlk_snapshot_flat(t.hlk));
	before = cg_charged();
	ASSERT_EQ(0, IN_CHILD(_exit(reads_free_writes_paid(snap))));
	ASSERT_LT(cg_charged(), before + SLACK);
	close(snap);
	tvm_close(&t);
}

/* ---- whoever touches ---- */

#define PART	(BIG / 4)

static int charged_between(u64 now, u64 before, u64 least, u64 most, int code)
{
	bool ok = now + SLACK >= before + least && now <= before + most + SLACK;

	if (!ok)
		fprintf(stderr, "# check %d: %lld KiB more, and not %llu to %llu\n", code,
			((long long)now - (long long)before) / 1024,
			(unsigned long long)least / 1024, (unsigned long long)most / 1024);
	return ok ? 0 : code;
}

/* What another process writes to a window, from a cgroup of its own */
static int written_by_another(u8 *at)
{
	struct iovec from = { .iov_len = PART }, to = { at, PART };
	pid_t vmm = getpid(), pid;
	int status;

	pid = fork();
	if (!pid) {
		cg_enter_other();
		from.iov_base = calloc(1, PART);
		memset(from.iov_base, 1, PART);
		_exit(process_vm_writev(vmm, &from, 1, &to, 1, 0) == (ssize_t)PART ? 0 : 1);
	}
	t_must(waitpid(pid, &status, 0) == pid);
	return status;
}

static int foreign_writes(void)
{
	u64 mine, others = cg_other_charged();
	struct tvm t;
	u8 *big = big_machine(&t, 0);

	mine = cg_charged();
	if (written_by_another(big))
		return 1;
	return charged_between(cg_charged(), mine, PART, PART + PART / 4, 2) ?:
	       charged_between(cg_other_charged(), others, 0, 0, 3);
}

/* For as long as the page lives, not only while the writer does */
TEST_F_TIMEOUT(accounting, what_another_process_writes_is_paid_by_the_vmm, 280)
{
	ASSERT_EQ(0, IN_CHILD(_exit(foreign_writes())));
}

static int vmm_moves(void)
{
	u64 before, after, others;
	struct tvm t;
	u8 *big = big_machine(&t, 0);

	before = cg_charged();
	fill(big, PART);
	if (charged_between(cg_charged(), before, PART, PART + PART / 4, 1))
		return 1;
	cg_enter_other();
	after = cg_charged();
	others = cg_other_charged();
	fill(big + PART, PART);
	return charged_between(cg_charged(), after, 0, 0, 2) ?:
	       charged_between(cg_other_charged(), others, PART, PART + PART / 4, 3);
}

/* As for any memory: what is there stays where it was paid, what comes is paid here. */
TEST_F_TIMEOUT(accounting, a_vmm_that_moves_pays_where_it_is, 280)
{
	ASSERT_EQ(0, IN_CHILD(_exit(vmm_moves())));
}

/* A process of its own that has the VMM's memory map */
struct sharer {
	u8 *big;
	pid_t vmm;
	volatile int step;
	int told;
};

static int sharer(void *arg)
{
	struct sharer *s = arg;
	u64 before;
	int ret;

	cg_enter_other();
	fill(s->big, PART);
	s->step = 1;
	while (getppid() == s->vmm)
		usleep(10000);
	/* now it is the one whose memory it is */
	before = cg_other_charged();
	fill(s->big + PART, PART);
	ret = charged_between(cg_other_charged(), before, PART, PART + PART / 4, 3);
	t_must(write(s->told, &ret, sizeof(ret)) == sizeof(ret));
	_exit(0);
}

static int owner_goes(int told)
{
	u64 before, others = cg_other_charged();
	u8 *stack = malloc(1 << 16);
	struct sharer s = { .told = told, .vmm = getpid() };
	struct tvm t;

	s.big = big_machine(&t, 0);
	before = cg_charged();
	t_must(clone(sharer, stack + (1 << 16), CLONE_VM | SIGCHLD, &s) > 0);
	while (!s.step)
		usleep(10000);
	return charged_between(cg_charged(), before, PART, PART + PART / 4, 1) ?:
	       charged_between(cg_other_charged(), others, 0, 0, 2);
}

/* The stack and all that is on it stay, for the other has them as well. */
TEST_F_TIMEOUT(accounting, the_owner_pays_and_then_its_heir, 280)
{
	int pair[2], ret = -1;

	ASSERT_EQ(0, pipe(pair));
	ASSERT_EQ(0, IN_CHILD(syscall(SYS_exit_group, owner_goes(pair[1]))));
	ASSERT_EQ((ssize_t)sizeof(ret), read(pair[0], &ret, sizeof(ret)));
	ASSERT_EQ(0, ret);
	close(pair[0]);
	close(pair[1]);
}

static void *outlive(void *arg)
{
	struct sharer *s = arg;
	u64 before;
	int ret;

	while (!syscall(SYS_tgkill, s->vmm, s->vmm, 0) && s->step++ < 20)
		usleep(10000);
	before = cg_charged();
	fill(s->big, PART);
	ret = charged_between(cg_charged(), before, PART, PART + PART / 4, 1);
	_exit(ret);
}

static void leader_goes(void)
{
	static struct sharer s;
	static struct tvm t;
	pthread_t thread;

	s.vmm = getpid();
	s.big = big_machine(&t, 0);
	t_must(!pthread_create(&thread, NULL, outlive, &s));
	syscall(SYS_exit, 0);	/* this thread alone */
}

TEST_F_TIMEOUT(accounting, a_thread_pays_after_the_first_one_is_gone, 280)
{
	ASSERT_EQ(0, IN_CHILD(leader_goes()));
}

struct writer {
	pid_t vmm;
	struct iovec from;
	struct iovec to;
	ssize_t ret;
};

static void *write_all(void *arg)
{
	struct writer *w = arg;

	w->ret = process_vm_writev(w->vmm, &w->from, 1, &w->to, 1, 0);
	return NULL;
}

/*
 * A process that is killed while another writes to its window: nobody is left to pay.
 * The writer has the first pages made, 1,024 at most, and waits for its own memory until
 * the process is gone.
 */
TEST_F(accounting, no_page_for_a_process_that_is_gone)
{
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_zeropage zero = {};
	struct writer w = {};
	struct uffd_msg msg;
	pthread_t thread;
	int fd, pair[2];
	struct tvm t;
	u8 *bytes;

	bytes = mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, bytes);
	fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	ASSERT_LE(0, fd);
	reg.range.start = (uintptr_t)bytes;
	reg.range.len = BIG;
	zero.range = reg.range;
	ASSERT_EQ(0, ioctl(fd, UFFDIO_API, &api));
	ASSERT_EQ(0, ioctl(fd, UFFDIO_REGISTER, &reg));
	ASSERT_EQ(0, pipe(pair));
	w.from = (struct iovec){ bytes, BIG };
	w.to.iov_len = BIG;
	w.vmm = fork();
	if (!w.vmm) {
		cg_enter();
		w.to.iov_base = big_machine(&t, 0);
		t_must(write(pair[1], &w.to, sizeof(w.to)) == sizeof(w.to));
		pause();
	}
	ASSERT_EQ((ssize_t)sizeof(w.to), read(pair[0], &w.to, sizeof(w.to)));
	ASSERT_EQ(0, pthread_create(&thread, NULL, write_all, &w));
	ASSERT_EQ((ssize_t)sizeof(msg), read(fd, &msg, sizeof(msg)));
	kill(w.vmm, SIGKILL);
	ASSERT_EQ(w.vmm, waitpid(w.vmm, NULL, 0));
	ASSERT_EQ(0, ioctl(fd, UFFDIO_ZEROPAGE, &zero));
	pthread_join(thread, NULL);
	ASSERT_LT(0, w.ret);
	ASSERT_GE(1024 * PAGE, w.ret);
	close(fd);
	close(pair[0]);
	close(pair[1]);
	munmap(bytes, BIG);
}

/* Whatever one large array is made from; pages of guests are neither */
static u64 listed(void)
{
	return file_number(ROOT "/t/memory.stat", "slab_unreclaimable ") +
	       file_number(ROOT "/t/memory.stat", "vmalloc ");
}

/* One page in each 64: an array's node for each, and a place in the list */
static int sparse(void)
{
	const u64 bytes = 1UL << 30;
	const u64 pages = bytes / PAGE / 64;
	u64 before, lists, i;
	struct tvm t;
	u8 *big;

	tvm_start(&t, 0, 0);
	big = tvm_window(&t, BIG_GPA, bytes, 0);
	before = file_number(ROOT "/t/memory.stat", "slab_reclaimable ");
	lists = listed();
	for (i = 0; i < bytes; i += 64 * PAGE)
		big[i] = 1;
	return check(file_number(ROOT "/t/memory.stat", "slab_reclaimable ") - before >=
		     pages * 512, 1) ?:
	       check(listed() - lists >= pages * 3 * sizeof(u64), 2);
}

TEST_F_TIMEOUT(accounting, bookkeeping_is_charged, 280)
{
	ASSERT_EQ(0, IN_CHILD(_exit(sparse())));
}

/* ---- what an audit that finds something leaves ---- */

struct meddler {
	volatile u32 *at;
	volatile bool stop;
};

static void *meddle(void *arg)
{
	struct meddler *m = arg;

	while (!m->stop)
		(*m->at)++;
	return NULL;
}

static u64 frame_of(const void *at)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	u64 entry;

	t_must(pread(fd, &entry, sizeof(entry), (uintptr_t)at / PAGE * sizeof(entry)) ==
	       sizeof(entry));
	close(fd);
	t_must(entry >> 63);
	return entry & ((1ULL << 55) - 1);
}

/* Whom a frame is charged to: the inode of a cgroup */
static u64 payer_of(u64 frame)
{
	int fd = open("/proc/kpagecgroup", O_RDONLY | O_CLOEXEC);
	u64 inode;

	t_must(pread(fd, &inode, sizeof(inode), frame * sizeof(inode)) == sizeof(inode));
	close(fd);
	return inode;
}

/* Until an audit finds a page that somebody writes; the frame of that */
static u64 audited(void)
{
	time_t end = time(NULL) + 150;
	struct meddler m = {};
	pthread_t thread;
	struct tvm t;
	int snap, ret;
	u64 frame;

	tvm_start(&t, 0, 0);
	m.at = (u32 *)(tvm_at(&t, TVM_DATA) + 0x40);
	snap = hlk_snapshot_flat(t.hlk);
	t_must(snap >= 0);
	t_must(!hlk_restore(t.hlk, snap, NULL));
	t_must(!pthread_create(&thread, NULL, meddle, &m));
	do {
		ret = hlk_restore_flags(t.hlk, -1, HLK_RESTORE_AUDIT, NULL);
	} while (!ret && time(NULL) < end);
	t_must(ret == -EUCLEAN && t_why == HLK_WHY_AUDIT_MEMORY);
	m.stop = true;
	pthread_join(thread, NULL);
	/* not before: pages that are not written for a while are given back */
	frame = frame_of((void *)m.at);
	t_must(payer_of(frame));
	close(snap);
	tvm_close(&t);
	return frame;
}

/* A reference too many keeps the page, and its charge, for ever. */
TEST_F_TIMEOUT(accounting, an_audit_that_finds_something_keeps_no_page, 280)
{
	struct stat cgroup;
	int frames[2];
	u64 frame;

	ASSERT_EQ(0, pipe(frames));
	ASSERT_EQ(0, IN_CHILD({
		frame = audited();
		t_must(write(frames[1], &frame, sizeof(frame)) == sizeof(frame));
	}));
	ASSERT_EQ((ssize_t)sizeof(frame), read(frames[0], &frame, sizeof(frame)));
	ASSERT_EQ(0, stat(ROOT "/t", &cgroup));
	ASSERT_NE(cgroup.st_ino, payer_of(frame));
	close(frames[0]);
	close(frames[1]);
}

static u8 image[MIB];

/* An image of one MiB, many times over: what is charged is the snapshot. */
static int build(int dev)
{
	struct hlk_snapshot_build b = HLK_STRUCT(hlk_snapshot_build);
	struct hlk_window window = { .bytes = BIG };
	struct hlk_segment segments[BIG / MIB];
	u32 i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(segments); i++) {
		segments[i].gpa = i * MIB;
		segments[i].bytes = MIB;
		segments[i].data = (uintptr_t)image;
	}
	b.windows = (uintptr_t)&window;
	b.window_size = sizeof(struct hlk_window);
	b.nr_windows = 1;
	b.segments = (uintptr_t)segments;
	b.segment_size = sizeof(struct hlk_segment);
	b.nr_segments = ARRAY_SIZE(segments);
	ret = hlk_call(dev, HLK_SNAPSHOT_BUILD, &b);
	return ret ?: b.out_fd;
}

/* Each with a limit that its memory does not fit */
static int limited_snapshot(void)
{
	struct tvm t;
	char bytes[32];
	u8 *big = big_machine(&t, 0);
	int ret;

	fill(big, BIG);
	snprintf(bytes, sizeof(bytes), "%llu", (unsigned long long)cg_charged() + BIG / 4);
	cg_limit(bytes);
	ret = hlk_snapshot_flat(t.hlk);
	if (ret != -ENOMEM)
		return check(false, ret == -EFAULT ? 1 : 2);
	cg_limit("max");
	/* it goes on as it was */
	ret = hlk_snapshot_flat(t.hlk);
	if (ret < 0 || hlk_restore(t.hlk, ret, NULL))
		return 3;
	return *(u64 *)(big + 5 * PAGE) == 5 * PAGE + 1 ? 0 : 4;
}

/*
 * Page tables, one for each 512 pages, are made by the core of the kernel, which
 * does call the OOM killer: the limit is met half-way between two of them.
 */
static int limited_guest(void)
{
	struct hlk_vm_stats stats;
	char bytes[32];
	struct tvm t;
	int ret;

	big_machine(&t, 0);
	ret = hlk_snapshot_flat(t.hlk);
	if (ret < 0 || hlk_restore(t.hlk, ret, NULL))
		return 1;
	snprintf(bytes, sizeof(bytes), "%llu", (unsigned long long)cg_charged() + BIG / 4 + MIB);
	cg_limit(bytes);
	ret = tvm_run(&t);
	cg_limit("max");
	if (ret != -EFAULT && ret != -ENOMEM) {
		fprintf(stderr, "# KVM_RUN: %d\n", ret);
		return 2;
	}
	if (hlk_stats(t.hlk, &stats) || stats.private_pages > BIG / 4 / PAGE + 512) {
		fprintf(stderr, "# %llu private pages\n",
			(unsigned long long)stats.private_pages);
		return 3;
	}
	if (hlk_restore_flags(t.hlk, -1, HLK_RESTORE_AUDIT, NULL))
		return 4;
	return 0;
}

/* A thread of the VMM's, of pages that it has read before or not */
static int limited_thread(bool read)
{
	char bytes[32];
	struct tvm t;
	u8 *big = big_machine(&t, 0);
	u64 i;

	for (i = 0; i < BIG; i += read ? PAGE : 512 * PAGE)
		(void)*(volatile u8 *)(big + i);
	snprintf(bytes, sizeof(bytes), "%llu", (unsigned long long)cg_charged() + BIG / 4);
	cg_limit(bytes);
	/* without a handler, either ends the process */
	alarm(30);
	fill(big, BIG);
	return 1;
}

/* Of page tables, with nobody whom the OOM killer may take */
static int limited_tables(void)
{
	char bytes[32];
	struct tvm t;
	int ret;

	file_write("/proc/self/oom_score_adj", "-1000");
	tvm_start(&t, 0, 0);
	tvm_load(&t, TVM_CODE, look);
	tvm_window(&t, BIG_GPA, 1UL << 30, 0);
	ret = hlk_snapshot_flat(t.hlk);
	if (ret < 0 || hlk_restore(t.hlk, ret, NULL))
		return 1;
	snprintf(bytes, sizeof(bytes), "%llu", (unsigned long long)cg_charged() + MIB);
	cg_limit(bytes);
	ret = tvm_run(&t);
	cg_limit("max");
	if (ret != -EFAULT && ret != -ENOMEM) {
		fprintf(stderr, "# KVM_RUN: %d\n", ret);
		return 2;
	}
	return hlk_restore_flags(t.hlk, -1, HLK_RESTORE_AUDIT, NULL) ? 3 : 0;
}

static int limited_build(void)
{
	char bytes[32];
	int dev = hlk_open(), ret;

	memset(image, 0x77, MIB);
	ret = build(dev);
	if (ret < 0)
		return 1;
	close(ret);
	snprintf(bytes, sizeof(bytes), "%llu", (unsigned long long)cg_charged() + BIG / 4);
	cg_limit(bytes);
	ret = build(dev);
	cg_limit("max");
	return ret == -ENOMEM ? 0 : 2;
}

static void limited(struct __test_metadata *_metadata, int (*what)(void))
{
	pid_t other = cg_bystander();
	u64 before = cg_kills();
	int ret = IN_CHILD(_exit(what()));

	cg_limit("max");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(before, cg_kills());
	ASSERT_EQ(0, waitpid(other, NULL, WNOHANG));
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
}

TEST_F_TIMEOUT(accounting, a_snapshot_over_the_limit_is_enomem, 280)
{
	limited(_metadata, limited_snapshot);
}

TEST_F_TIMEOUT(accounting, a_guest_over_the_limit_is_an_exit, 280)
{
	limited(_metadata, limited_guest);
}

TEST_F_TIMEOUT(accounting, a_thread_over_the_limit_is_sigbus, 280)
{
	u64 before = cg_kills();
	int read, ret;

	for (read = 0; read < 2; read++) {
		ret = IN_CHILD(_exit(limited_thread(read)));
		cg_limit("max");
		ASSERT_EQ(256 + SIGBUS, ret);
	}
	ASSERT_EQ(before, cg_kills());
}

TEST_F_TIMEOUT(accounting, page_tables_over_the_limit_kill_none_who_may_not_be, 280)
{
	u64 before = cg_kills();
	int ret = IN_CHILD(_exit(limited_tables()));

	cg_limit("max");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(before, cg_kills());
}

TEST_F_TIMEOUT(accounting, a_build_over_the_limit_is_enomem, 280)
{
	limited(_metadata, limited_build);
}

/* ---- budgets ---- */

TEST_F_TIMEOUT(accounting, budgets_hold_in_every_way_to_a_private_page, 280)
{
	struct hlk_segment input = { .gpa = BIG_GPA, .bytes = 64 * PAGE };
	struct hlk_run run = HLK_STRUCT(hlk_run);
	struct hlk_vm_stats stats;
	struct hlk_restore r;
	struct tvm t;
	int snap;
	u8 *big;

	big = big_machine(&t, 20);
	snap = OK(hlk_snapshot_flat(t.hlk));
	OK(hlk_restore(t.hlk, snap, &r));
	ASSERT_EQ(-EFAULT, tvm_run(&t));		/* a guest */
	OK(hlk_stats(t.hlk, &stats));
	ASSERT_EQ(r.private_pages + 20, stats.private_pages);
	ASSERT_LT(0, stats.over_budget);
	FAILS_ERRNO(EFAULT, madvise(big, 64 * PAGE, MADV_POPULATE_WRITE));
	input.data = (uintptr_t)calloc(64, PAGE);
	run.vcpu_fd = t.vcpu;
	run.inputs = (uintptr_t)&input;
	run.input_size = sizeof(struct hlk_segment);
	run.nr_inputs = 1;
	FAILS(EDQUOT, HLK_WHY_BUDGET, hlk_call(t.hlk, HLK_RUN, &run));
	OK(hlk_stats(t.hlk, &stats));
	ASSERT_EQ(20, run.private_pages);		/* kept */
	ASSERT_EQ(20 + 20, stats.private_pages);
	OK(hlk_restore_flags(t.hlk, -1, HLK_RESTORE_AUDIT, NULL));
	close(snap);
	tvm_close(&t);
	free((void *)(uintptr_t)input.data);
}

static void parameter(const char *name, u64 value)
{
	char path[64], text[32];

	snprintf(path, sizeof(path), "/sys/module/hlk/parameters/%s", name);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	file_write(path, text);
}

TEST_F(accounting, module_wide_limits_hold)
{
	u64 pages = file_number("/sys/module/hlk/parameters/max_pages", NULL);
	u64 private = file_number("/sys/module/hlk/parameters/max_private", NULL);
	u64 tables = file_number("/sys/module/hlk/parameters/max_tables", NULL);
	struct hlk_snapshot s = {};
	struct tvm t;
	u8 *big;

	big = big_machine(&t, 0);
	fill(big, 200 * PAGE);
	tvm_set(&t, TVM_CODE);
	parameter("max_pages", 50);
	parameter("max_tables", 50);	/* a snapshot may hold those beside */
	parameter("max_private", 50);
	EXPECT_EQ(-EDQUOT, hlk_snapshot(t.hlk, &s));
	EXPECT_EQ(-EDQUOT, hlk_attach(t.dev, t.vm, 51, 0));
	parameter("max_pages", pages);
	parameter("max_tables", tables);
	parameter("max_private", private);
	close(OK(hlk_snapshot_flat(t.hlk)));
	tvm_close(&t);
}

/* ---- pressure ---- */

TEST_F_TIMEOUT(accounting, nothing_is_taken_away_under_pressure, 280)
{
	struct tvm t;
	u64 i, round;
	int snap;
	u8 *big;

	big = big_machine(&t, 0);
	fill(big, BIG);
	snap = OK(hlk_snapshot_flat(t.hlk));
	OK(hlk_restore(t.hlk, snap, NULL));
	for (round = 0; round < 3; round++) {
		fill(big, BIG / 4);
		big[8] = 1;
		madvise(big, BIG, MADV_COLD);
		madvise(big, BIG, MADV_PAGEOUT);
		madvise(big, BIG, MADV_MERGEABLE);
		madvise(big, BIG, MADV_HUGEPAGE);
		file_write("/proc/sys/vm/drop_caches", "3");
		file_write("/proc/sys/vm/compact_memory", "1");
		for (i = 0; i < BIG; i += PAGE)
			ASSERT_EQ(i + 1, *(u64 *)(big + i));
		ASSERT_EQ(1, big[8]);
		OK(hlk_restore_flags(t.hlk, -1, HLK_RESTORE_AUDIT, NULL));
	}
	close(snap);
	tvm_close(&t);
}

TEST_HARNESS_MAIN
