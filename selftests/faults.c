// SPDX-License-Identifier: GPL-2.0-only
/*
 * What others put into the page tables of a window, or do to its mappings: a page
 * fault is served or ends, in user mode, in a system call and in KVM, and a restore
 * is right after it.
 *
 * Each runs in a child that has its time: one that faults for ever is killed, and is
 * gone then or not.
 */
#include <linux/userfaultfd.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <pthread.h>

#include "hlk_test.h"
#include "harness.h"

#define RW		(PROT_READ | PROT_WRITE)
#define DATA		0x40000UL
#define PAGES		16UL
#define SECONDS		20

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#define MADV_GUARD_REMOVE	103
#endif
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC	(1 << 15)
#endif
#ifndef AF_XDP
#define AF_XDP		44
#endif
#define XDP_LEVEL	283
#define XDP_UMEM	4

/* Write a byte to each of ECX pages from EDI on */
GUEST(touch, "1:	movb $7, (%edi)\n"
	     "	add $4096, %edi\n"
	     "	loop 1b\n"
	     "	hlt\n");
GUEST(peek, "1:	movb (%edi), %al\n"
	    "	add $4096, %edi\n"
	    "	loop 1b\n"
	    "	hlt\n");

FIXTURE(faults) {
	int unused;
};

FIXTURE_SETUP(faults)
{
	t_begin();
}

FIXTURE_TEARDOWN(faults)
{
	EXPECT_EQ(0, t_end());
}

/* ---- the child ---- */

#define SKIPPED		4

/**
 * struct child - a sandbox that runs from a snapshot
 * @t: the VM
 * @snap: the snapshot: one byte in each page of the data
 * @at: the data
 */
struct child {
	struct tvm t;
	int snap;
	u8 *at;
};

static u8 want(u32 page)
{
	return page + 1;
}

static void begin(struct child *c, u64 keep_private)
{
	u32 i;

	tvm_start(&c->t, 0, keep_private);
	tvm_load(&c->t, TVM_CODE, touch);
	tvm_load(&c->t, TVM_CODE + 0x100, peek);
	c->at = tvm_at(&c->t, DATA);
	for (i = 0; i < PAGES; i++)
		c->at[i * PAGE] = want(i);
	c->snap = hlk_snapshot_flat(c->t.hlk);
	t_must(c->snap >= 0);
	/* what is private now is shared in the other */
	tvm_close(&c->t);
	tvm_start(&c->t, 0, keep_private);
	t_must(!hlk_restore(c->t.hlk, c->snap, NULL));
	c->at = tvm_at(&c->t, DATA);
}

static int go(struct child *c, u32 eip)
{
	tvm_complete_io(&c->t);
	t_must(!hlk_restore(c->t.hlk, c->snap, NULL));
	c->t.run->s.regs.regs.rip = eip;
	c->t.run->s.regs.regs.rdi = DATA;
	c->t.run->s.regs.regs.rcx = PAGES;
	c->t.run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
	return tvm_run(&c->t);
}

static int guest_writes(struct child *c)
{
	return go(c, TVM_CODE);
}

static int guest_reads(struct child *c)
{
	return go(c, TVM_CODE + 0x100);
}

static sigjmp_buf out;
static volatile sig_atomic_t caught;

static void on_fault(int sig)
{
	caught = sig;
	siglongjmp(out, 1);
}

/* What an access of user mode gives: 0 or a signal */
static int access_byte(volatile u8 *at, bool write)
{
	signal(SIGBUS, on_fault);
	signal(SIGSEGV, on_fault);
	caught = 0;
	if (!sigsetjmp(out, 1)) {
		if (write)
			*at = 0x99;
		else
			(void)*at;
	}
	signal(SIGBUS, SIG_DFL);
	signal(SIGSEGV, SIG_DFL);
	return caught;
}

/* What one of a system call gives: 0 or an errno */
static int call_writes(u8 *at)
{
	int fd = open("/dev/zero", O_RDONLY);
	ssize_t n;

	t_must(fd >= 0);
	n = read(fd, at, 16);
	close(fd);
	return n == 16 ? 0 : errno;
}

/* The guest runs, and a restore brings everything back. */
static void all_is_well(struct child *c)
{
	u32 i;

	t_must(guest_reads(c) == KVM_EXIT_HLT);
	t_must(guest_writes(c) == KVM_EXIT_HLT);
	for (i = 0; i < PAGES; i++) {
		t_must(c->at[i * PAGE] == 7);
		t_must(!access_byte(&c->at[i * PAGE + 1], true));
		t_must(c->at[i * PAGE + 1] == 0x99);
	}
	t_must(!call_writes(c->at));
	t_must(!hlk_restore_flags(c->t.hlk, c->snap, HLK_RESTORE_AUDIT, NULL));
	for (i = 0; i < PAGES; i++) {
		t_must(c->at[i * PAGE] == want(i));
		t_must(c->at[i * PAGE + 1] == 0);
	}
}

/* ---- the parent ---- */

static void ends(struct __test_metadata *_metadata, int (*child)(void))
{
	int status = 0;
	pid_t pid;
	u32 i;

	fflush(stdout);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(child());
	}
	for (i = 0; i < SECONDS * 10 && waitpid(pid, &status, WNOHANG) != pid; i++)
		usleep(100000);
	if (i == SECONDS * 10) {
		kill(pid, SIGKILL);
		for (i = 0; i < 100 && waitpid(pid, &status, WNOHANG) != pid; i++)
			usleep(100000);
		TH_LOG("not back, and after SIGKILL it is %s", i < 100 ? "gone" : "there");
		ASSERT_TRUE(false);
	}
	ASSERT_TRUE(WIFEXITED(status)) {
		TH_LOG("signal %d", WTERMSIG(status));
	}
	if (WEXITSTATUS(status) == SKIPPED)
		SKIP(return, "not on this kernel");
	ASSERT_EQ(0, WEXITSTATUS(status));
}

#define ENDS(child) ends(_metadata, child)

/* ---- userfaultfd ---- */

/* User mode only: what anybody may have */
static int uffd_protect(u8 *at, u64 bytes)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_WP_ASYNC };
	struct uffdio_register reg = {
		.range = { (uintptr_t)at, bytes },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};
	struct uffdio_writeprotect wp = {
		.range = reg.range,
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | 1);

	if (fd < 0)
		return -1;
	if (!ioctl(fd, UFFDIO_API, &api) && !ioctl(fd, UFFDIO_REGISTER, &reg)) {
		t_must(!ioctl(fd, UFFDIO_WRITEPROTECT, &wp));
		return fd;
	}
	close(fd);
	return -1;
}

/* No page was there yet. */
static int uffd_call(void)
{
	struct child c;
	int fd;

	begin(&c, 0);
	fd = uffd_protect(c.at, PAGES * PAGE);
	if (fd < 0)
		return SKIPPED;
	t_must(call_writes(c.at) == EFAULT);
	close(fd);
	all_is_well(&c);
	return 0;
}

TEST_F(faults, under_userfaultfd_in_a_system_call)
{
	ENDS(uffd_call);
}

static int uffd_user(void)
{
	struct child c;
	int fd;

	begin(&c, 0);
	fd = uffd_protect(c.at, PAGES * PAGE);
	if (fd < 0)
		return SKIPPED;
	t_must(access_byte(c.at, false) == SIGBUS);
	t_must(access_byte(c.at, true) == SIGBUS);
	close(fd);
	all_is_well(&c);
	return 0;
}

TEST_F(faults, under_userfaultfd_in_user_mode)
{
	ENDS(uffd_user);
}

static int uffd_guest(void)
{
	struct child c;
	int fd;

	begin(&c, 0);
	fd = uffd_protect(c.at, PAGES * PAGE);
	if (fd < 0)
		return SKIPPED;
	t_must(guest_reads(&c) == -EFAULT);
	t_must(guest_writes(&c) == -EFAULT);
	close(fd);
	all_is_well(&c);
	return 0;
}

TEST_F(faults, under_userfaultfd_in_a_guest)
{
	ENDS(uffd_guest);
}

/* A page was there, was write-protected, and is unmapped by a switch. */
static int uffd_switch(void)
{
	struct child c;
	int other, fd;

	begin(&c, 0);
	other = hlk_snapshot_flat(c.t.hlk);
	t_must(other >= 0);
	t_must(*(volatile u8 *)c.at == want(0));
	fd = uffd_protect(c.at, PAGES * PAGE);
	if (fd < 0)
		return SKIPPED;
	t_must(*(volatile u8 *)c.at == want(0));
	t_must(!hlk_restore(c.t.hlk, other, NULL));
	t_must(access_byte(c.at, false) == SIGBUS);
	close(fd);
	all_is_well(&c);
	return 0;
}

TEST_F(faults, under_userfaultfd_after_a_switch)
{
	ENDS(uffd_switch);
}

/* It becomes private by another mapping. */
static int uffd_private(void)
{
	struct child c;
	u8 *other;
	int fd;

	begin(&c, 0);
	other = tvm_map(&c.t, DATA, PAGE, RW);
	t_must(*(volatile u8 *)c.at == want(0));
	fd = uffd_protect(c.at, PAGES * PAGE);
	if (fd < 0)
		return SKIPPED;
	*other = 9;
	t_must(access_byte(c.at, false) == SIGBUS);
	close(fd);
	t_must(*c.at == 9);
	munmap(other, PAGE);
	all_is_well(&c);
	return 0;
}

TEST_F(faults, under_userfaultfd_a_page_that_becomes_private)
{
	ENDS(uffd_private);
}

/* All other modes are refused: for windows and for what a snapshot maps. */
static int uffd_refused(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {};
	struct child c;
	u8 *map;
	int fd;

	begin(&c, 0);
	map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, c.snap, DATA);
	t_must(map != MAP_FAILED);
	t_must(uffd_protect(map, PAGE) < 0);
	fd = syscall(SYS_userfaultfd, O_CLOEXEC | 1);
	if (fd < 0)
		return SKIPPED;
	t_must(!ioctl(fd, UFFDIO_API, &api));
	for (reg.mode = 1; reg.mode < 8; reg.mode++) {
		reg.range.start = (uintptr_t)c.at;
		reg.range.len = PAGE;
		t_must(ioctl(fd, UFFDIO_REGISTER, &reg));
		reg.range.start = (uintptr_t)map;
		t_must(ioctl(fd, UFFDIO_REGISTER, &reg));
	}
	close(fd);
	all_is_well(&c);
	return 0;
}

TEST_F(faults, other_modes_of_userfaultfd_are_refused)
{
	ENDS(uffd_refused);
}

/* ---- what protects memory ---- */

static int guards(void)
{
	struct child c;

	begin(&c, 0);
	if (madvise(c.at, PAGES * PAGE, MADV_GUARD_INSTALL)) {
		/* not for mappings like these, or not on this kernel */
		t_must(errno == EINVAL);
	} else {
		t_must(access_byte(c.at, false) == SIGSEGV);
		t_must(call_writes(c.at) == EFAULT);
		t_must(guest_writes(&c) == -EFAULT);
		t_must(!madvise(c.at, PAGES * PAGE, MADV_GUARD_REMOVE));
	}
	all_is_well(&c);
	return 0;
}

TEST_F(faults, guard_pages)
{
	ENDS(guards);
}

static int protects(void)
{
	struct child c;
	u32 i;

	begin(&c, 0);
	for (i = 0; i < 2; i++) {
		/* shared pages, then private ones */
		t_must(!mprotect(c.at, PAGES * PAGE, PROT_NONE));
		t_must(access_byte(c.at, false) == SIGSEGV);
		t_must(call_writes(c.at) == EFAULT);
		t_must(guest_reads(&c) == -EFAULT);
		t_must(guest_writes(&c) == -EFAULT);
		t_must(!mprotect(c.at, PAGES * PAGE, PROT_READ));
		t_must(!access_byte(c.at, false));
		t_must(access_byte(c.at, true) == SIGSEGV);
		t_must(call_writes(c.at) == EFAULT);
		t_must(guest_reads(&c) == KVM_EXIT_HLT);
		t_must(guest_writes(&c) == -EFAULT);
		t_must(!mprotect(c.at, PAGES * PAGE, RW));
		all_is_well(&c);
	}
	return 0;
}

TEST_F(faults, mprotect)
{
	ENDS(protects);
}

static int keys(void)
{
	int key = pkey_alloc(0, PKEY_DISABLE_ACCESS);
	struct child c;

	if (key < 0)
		return SKIPPED;
	begin(&c, 0);
	t_must(!pkey_mprotect(c.at, PAGES * PAGE, RW, key));
	t_must(access_byte(c.at, false) == SIGSEGV);
	t_must(access_byte(c.at, true) == SIGSEGV);
	t_must(call_writes(c.at) == EFAULT);
	/* KVM is the process, with its rights: it may fail, but it ends */
	guest_reads(&c);
	guest_writes(&c);
	t_must(!pkey_set(key, 0));
	all_is_well(&c);
	t_must(!pkey_mprotect(c.at, PAGES * PAGE, RW, 0));
	pkey_free(key);
	return 0;
}

TEST_F(faults, protection_keys)
{
	ENDS(keys);
}

static int locks(void)
{
	struct child c;

	begin(&c, 0);
	t_must(!mlock(c.at, PAGES * PAGE));
	all_is_well(&c);
	t_must(!munlock(c.at, PAGES * PAGE));
	t_must(!mlock2(c.at, PAGES * PAGE, MLOCK_ONFAULT));
	all_is_well(&c);
	t_must(!mlockall(MCL_CURRENT | MCL_FUTURE));
	tvm_map(&c.t, DATA, PAGES * PAGE, RW);
	all_is_well(&c);
	return 0;
}

TEST_F(faults, mlock)
{
	ENDS(locks);
}

static void write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	t_must(fd >= 0);
	t_must(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static int soft_dirty(void)
{
	struct child c;
	u32 i;

	begin(&c, 0);
	for (i = 0; i < 3; i++) {
		t_must(guest_writes(&c) == KVM_EXIT_HLT);
		write_to("/proc/self/clear_refs", i == 2 ? "1" : "4");
		all_is_well(&c);
	}
	return 0;
}

TEST_F(faults, soft_dirty)
{
	ENDS(soft_dirty);
}

/* Nodes of one: no hints are made, but all that moves pages is tried. */
static int policies(void)
{
	unsigned long node = 1;
	struct child c;

	begin(&c, 0);
	t_must(guest_writes(&c) == KVM_EXIT_HLT);
	if (syscall(SYS_mbind, c.at, PAGES * PAGE, 2 /* MPOL_BIND */, &node, 64,
		    2 /* MPOL_MF_MOVE */))
		t_must(errno == EIO || errno == ENOSYS);
	if (syscall(SYS_mbind, c.at, PAGES * PAGE, 2, &node, 64, 8 /* MPOL_MF_LAZY */))
		t_must(errno == EINVAL || errno == EIO || errno == ENOSYS);
	all_is_well(&c);
	return 0;
}

TEST_F(faults, policies_for_nodes)
{
	ENDS(policies);
}

/* ---- pins ---- */

static u64 frame(const u8 *at)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	u64 entry = 0;

	(void)*(volatile const u8 *)at;
	t_must(pread(fd, &entry, 8, (uintptr_t)at / PAGE * 8) == 8);
	close(fd);
	return entry & ((1ULL << 55) - 1);
}

/* A device goes on with its page, so the guest does, too. */
static int pins(void)
{
	struct {
		u64 addr;
		u64 len;
		u32 chunk;
		u32 headroom;
		u32 flags;
		u32 tx;
	} umem = { .len = PAGES * PAGE, .chunk = PAGE };
	int fd = socket(AF_XDP, SOCK_RAW, 0);
	struct hlk_vm_stats stats;
	u64 frames[PAGES];
	struct child c;
	u32 i;

	begin(&c, 1);
	umem.addr = (uintptr_t)c.at;
	if (fd < 0 || setsockopt(fd, XDP_LEVEL, XDP_UMEM, &umem, sizeof(umem)))
		return SKIPPED;
	for (i = 0; i < PAGES; i++)
		frames[i] = frame(c.at + i * PAGE);
	memset(c.at + PAGES * PAGE, 1, 4 * PAGE);
	t_must(!hlk_restore(c.t.hlk, c.snap, NULL));
	t_must(!hlk_stats(c.t.hlk, &stats));
	t_must(stats.private_pages == PAGES || stats.private_pages == PAGES + 1);
	for (i = 0; i < PAGES; i++) {
		t_must(c.at[i * PAGE] == want(i));
		t_must(frame(c.at + i * PAGE) == frames[i]);
		c.at[i * PAGE] = 0x55;
		t_must(frame(c.at + i * PAGE) == frames[i]);
	}
	all_is_well(&c);
	/* let go, they are given back as all are */
	close(fd);
	for (i = 0; i < 100; i++) {
		t_must(!hlk_restore(c.t.hlk, c.snap, NULL));
		t_must(!hlk_stats(c.t.hlk, &stats));
		if (stats.private_pages <= 1)
			return 0;
		usleep(10000);
	}
	return 1;
}

TEST_F(faults, pages_that_a_device_has_are_kept)
{
	ENDS(pins);
}

static volatile bool stop;

/* Pins pages for a moment, and says that they are dirty when it lets them go. */
static void *writer(void *arg)
{
	static u8 bytes[PAGES * PAGE];
	struct child *c = arg;
	struct iovec from = { bytes, sizeof(bytes) };
	struct iovec to = { c->at, sizeof(bytes) };

	while (!stop)
		process_vm_writev(getpid(), &from, 1, &to, 1, 0);
	return NULL;
}

/* A page that is marked dirty while it is given back, or its VM is freed */
static int dirtied(void)
{
	pthread_t thread[2];
	struct child c;
	u32 i, k;

	begin(&c, 1);
	for (k = 0; k < 2; k++)
		t_must(!pthread_create(&thread[k], NULL, writer, &c));
	for (i = 0; i < 2000; i++)
		t_must(!hlk_restore(c.t.hlk, c.snap, NULL));
	tvm_close(&c.t);
	stop = true;
	for (k = 0; k < 2; k++)
		pthread_join(thread[k], NULL);
	return 0;
}

TEST_F(faults, pages_that_get_dirty_as_they_are_given_back)
{
	ENDS(dirtied);
}

TEST_HARNESS_MAIN
