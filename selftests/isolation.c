// SPDX-License-Identifier: GPL-2.0-only
/*
 * No byte of a sandbox, of the kernel or of freed memory reaches another
 * sandbox; an fd that is passed on, or kept over fork and exec, gives no more
 * than it gave; and looking at another process's VM takes the privilege that
 * hlk(4) names, in the first user namespace.
 */
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#include "hlk_test.h"
#include "harness.h"

#define RW		(PROT_READ | PROT_WRITE)
#define CANARY		0xc4a9a57e5ec2e701ULL
#define LOW_WORDS	(TVM_LOW / sizeof(u64))

/* Registers full of the canary's lower half, SSE too, and rest */
GUEST(fill, "	movl $0x5ec2e701, %ebx\n"
	    "	movl %ebx, %ecx\n"
	    "	movl %ebx, %edx\n"
	    "	movl %ebx, %esi\n"
	    "	movl %ebx, %edi\n"
	    "	movl %ebx, %ebp\n"
	    "	hlt\n");

FIXTURE(isolation) {
	struct tvm t;
	int snap;
};

FIXTURE_SETUP(isolation)
{
	t_begin();
	tvm_start(&self->t, 0, 0);
	tvm_load(&self->t, TVM_CODE, fill);
	memset(tvm_at(&self->t, TVM_DATA), 0x11, 16 * PAGE);
	self->snap = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, self->snap, NULL));
}

FIXTURE_TEARDOWN(isolation)
{
	close(self->snap);
	tvm_close(&self->t);
	EXPECT_EQ(0, t_end());
}

static void canaries(void *at, size_t bytes)
{
	u64 *word = at;

	for (; bytes; bytes -= sizeof(u64))
		*word++ = CANARY;
}

/* Half of it is enough: registers have 32 bits. */
static bool has_canary(const void *at, size_t bytes)
{
	const u32 half = (u32)CANARY;
	const u8 *p = at;
	size_t i;

	for (i = 0; i + sizeof(half) <= bytes; i++)
		if (!memcmp(p + i, &half, sizeof(half)))
			return true;
	return false;
}

/* The pages that a process gives back are the first that are handed out again. */
static void litter(void)
{
	size_t bytes = 32UL << 20;
	void *at = mmap(NULL, bytes, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	t_must(at != MAP_FAILED);
	canaries(at, bytes);
	munmap(at, bytes);
}

TEST_F_TIMEOUT(isolation, nothing_of_freed_memory, 280)
{
	const u64 *low;
	struct tvm t;
	u64 i;

	litter();
	tvm_start(&t, 0, 0);
	low = (u64 *)tvm_at(&t, 0);
	for (i = 0; i < LOW_WORDS; i++)
		ASSERT_EQ(0, low[i]);
	/* private pages too: one byte of each is written, the rest is zero */
	litter();
	for (i = 0; i < TVM_LOW; i += PAGE)
		tvm_at(&t, 0)[i + 8] = 1;
	for (i = 0; i < LOW_WORDS; i++)
		ASSERT_EQ(i % 512 == 1, low[i]);
	for (i = 0; i < TVM_SCRATCH; i += PAGE)
		tvm_at(&t, TVM_SCRATCH_GPA)[i + 8] = 1;
	ASSERT_FALSE(has_canary(tvm_at(&t, TVM_SCRATCH_GPA), TVM_SCRATCH));
	tvm_close(&t);
}

/* Nor of a VM that was there before: its pages and its registers */
TEST_F_TIMEOUT(isolation, nothing_of_a_vm_that_is_gone, 280)
{
	struct kvm_debugregs debug;
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	struct kvm_fpu fpu;
	struct tvm t;
	u64 i;

	tvm_start(&t, 0, 0);
	canaries(tvm_at(&t, 0), TVM_LOW);
	tvm_load(&t, TVM_CODE, fill);
	memset(&fpu, 0, sizeof(fpu));
	canaries(fpu.xmm, sizeof(fpu.xmm));
	canaries(fpu.fpr, sizeof(fpu.fpr));
	fpu.fcw = 0x37f;
	fpu.mxcsr = 0x1f80;
	ASSERT_EQ(0, ioctl(t.vcpu, KVM_SET_FPU, &fpu));
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&t));
	ASSERT_TRUE(has_canary(&t.run->s.regs.regs, sizeof(regs)));
	close(OK(hlk_snapshot_flat(t.hlk)));
	tvm_close(&t);

	tvm_start(&t, 0, 0);
	for (i = 0; i < TVM_LOW; i += PAGE)
		*tvm_at(&t, i) = 1;
	OK(hlk_restore(t.hlk, self->snap, NULL));
	ASSERT_EQ(0, memcmp(tvm_at(&t, 0), tvm_at(&self->t, 0), TVM_LOW));
	ASSERT_FALSE(has_canary(tvm_at(&t, 0), TVM_CODE));
	ASSERT_FALSE(has_canary(tvm_at(&t, TVM_CODE + PAGE), TVM_LOW - TVM_CODE - PAGE));
	ASSERT_EQ(0, ioctl(t.vcpu, KVM_GET_REGS, &regs));
	ASSERT_EQ(0, ioctl(t.vcpu, KVM_GET_SREGS, &sregs));
	ASSERT_EQ(0, ioctl(t.vcpu, KVM_GET_FPU, &fpu));
	ASSERT_EQ(0, ioctl(t.vcpu, KVM_GET_DEBUGREGS, &debug));
	ASSERT_FALSE(has_canary(&regs, sizeof(regs)));
	ASSERT_FALSE(has_canary(&sregs, sizeof(sregs)));
	ASSERT_FALSE(has_canary(&fpu, sizeof(fpu)));
	ASSERT_FALSE(has_canary(&debug, sizeof(debug)));
	tvm_close(&t);
}

/* Two sandboxes of one snapshot, side by side */
TEST_F_TIMEOUT(isolation, nothing_of_the_sandbox_beside, 280)
{
	struct kvm_fpu fpu, clean;
	struct tvm t;
	u8 *before;

	tvm_start(&t, 0, 0);
	OK(hlk_restore(t.hlk, self->snap, NULL));
	before = malloc(TVM_LOW);
	memcpy(before, tvm_at(&t, 0), TVM_LOW);
	ASSERT_EQ(0, ioctl(t.vcpu, KVM_GET_FPU, &clean));

	canaries(tvm_at(&self->t, TVM_DATA), TVM_LOW - TVM_DATA);
	canaries(tvm_at(&self->t, TVM_SCRATCH_GPA), TVM_SCRATCH - PAGE);
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	ASSERT_EQ(0, memcmp(before, tvm_at(&t, 0), TVM_LOW));
	ASSERT_FALSE(has_canary(tvm_at(&t, TVM_SCRATCH_GPA), TVM_SCRATCH));
	ASSERT_EQ(0, ioctl(t.vcpu, KVM_GET_FPU, &fpu));
	ASSERT_EQ(0, memcmp(&fpu, &clean, sizeof(fpu)));

	/* and after it was restored nothing is left in it */
	OK(hlk_restore_flags(self->t.hlk, -1, HLK_RESTORE_AUDIT, NULL));
	ASSERT_EQ(0, memcmp(before, tvm_at(&self->t, 0), TVM_LOW));
	ASSERT_FALSE(has_canary(tvm_at(&self->t, TVM_SCRATCH_GPA), TVM_SCRATCH));
	free(before);
	tvm_close(&t);
}

/* What comes back in a struct is what the header says, and zero. */
static bool kernel_address(const void *at, size_t bytes)
{
	const u64 *word = at;

	for (; bytes; bytes -= sizeof(*word), word++)
		if (*word >> 47 == 0x1ffff && *word != ~0ULL)
			return true;
	return false;
}

TEST_F(isolation, no_kernel_address_in_a_reply)
{
	u64 roots[] = { 0x40000 };
	struct hlk_mapping mappings[32] = {};
	struct hlk_touched touched[32] = {};
	struct hlk_window windows[8] = {};
	struct {
		struct hlk_info info;
		struct hlk_vm_stats stats;
		struct hlk_snapshot_info snap;
		struct hlk_restore restore;
		struct hlk_translate translate;
		struct hlk_walk walk;
		struct hlk_mark_cow mark;
		struct hlk_run run;
		struct hlk_prefault prefault;
	} r = {};
	struct tvm_pt pt = { .t = &self->t, .next = 0x41000, .flags = PTE_P | PTE_W };

	tvm_pt_map(&pt, 0x40000, 0, 0, 64, PTE_P | PTE_W);
	OK(hlk_info(self->t.dev, &r.info));
	OK(hlk_stats(self->t.hlk, &r.stats));
	r.snap.windows = (uintptr_t)windows;
	r.snap.window_size = sizeof(struct hlk_window);
	r.snap.nr_windows = ARRAY_SIZE(windows);
	OK(hlk_snapshot_info(self->snap, &r.snap));
	r.translate.paging.flags = HLK_PAGING_GIVEN;
	OK(hlk_translate(self->t.hlk, 0x40000, 0x1000, &r.translate));
	r.walk.head.size = sizeof(r.walk);
	r.walk.paging.flags = HLK_PAGING_GIVEN;
	r.walk.roots = (uintptr_t)roots;
	r.walk.nr_roots = 1;
	r.walk.mappings = (uintptr_t)mappings;
	r.walk.mapping_size = sizeof(struct hlk_mapping);
	r.walk.nr_mappings = ARRAY_SIZE(mappings);
	OK(hlk_call(self->t.hlk, HLK_WALK, &r.walk));
	r.mark.head.size = sizeof(r.mark);
	r.mark.paging.flags = HLK_PAGING_GIVEN;
	r.mark.roots = (uintptr_t)roots;
	r.mark.nr_roots = 1;
	OK(hlk_call(self->t.hlk, HLK_MARK_COW, &r.mark));
	r.run.head.size = sizeof(r.run);
	r.run.vcpu_fd = self->t.vcpu;
	OK(hlk_call(self->t.hlk, HLK_RUN, &r.run));
	r.prefault.head.size = sizeof(r.prefault);
	r.prefault.runs = (uintptr_t)touched;
	r.prefault.run_size = sizeof(struct hlk_touched);
	r.prefault.nr_runs = ARRAY_SIZE(touched);
	OK(hlk_call(self->t.hlk, HLK_PREFAULT, &r.prefault));
	OK(hlk_restore(self->t.hlk, -1, &r.restore));
	/* and after failures */
	hlk_translate(self->t.hlk, 0x40000, 0xfff00000, &r.translate);
	ASSERT_FALSE(kernel_address(&r, sizeof(r)));
	ASSERT_FALSE(kernel_address(mappings, sizeof(mappings)));
	ASSERT_FALSE(kernel_address(touched, sizeof(touched)));
	ASSERT_FALSE(kernel_address(windows, sizeof(windows)));
}

/* ---- snapshots ---- */

TEST_F(isolation, a_snapshot_is_sealed)
{
	u8 *map = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, self->snap, TVM_DATA);
	u8 page[PAGE], was[PAGE];
	struct iovec from = { page, PAGE }, to = { map, PAGE };
	char path[64];
	int mem, fd;

	ASSERT_NE(MAP_FAILED, map);
	memcpy(was, map, PAGE);
	memset(page, 0xee, PAGE);
	mem = open("/proc/self/mem", O_RDWR);
	FAILS_ERRNO(EACCES, mmap(NULL, PAGE, RW, MAP_SHARED, self->snap, TVM_DATA));
	FAILS_ERRNO(EINVAL, mmap(NULL, PAGE, RW, MAP_PRIVATE, self->snap, TVM_DATA));
	FAILS_ERRNO(EACCES, mprotect(map, PAGE, RW));
	FAILS_ERRNO(EACCES, mprotect(map, PAGE, PROT_WRITE));
	ASSERT_EQ(-1, pwrite(mem, page, PAGE, (uintptr_t)map));
	ASSERT_EQ(-1, process_vm_writev(getpid(), &from, 1, &to, 1, 0));
	ASSERT_EQ(-1, pwrite(self->snap, page, PAGE, TVM_DATA));
	ASSERT_EQ(-1, write(self->snap, page, PAGE));
	ASSERT_EQ(-1, pread(self->snap, page, PAGE, TVM_DATA));
	ASSERT_EQ(-1, ftruncate(self->snap, 0));
	ASSERT_EQ(-1, fallocate(self->snap, 3, TVM_DATA, PAGE));
	ASSERT_EQ(-1, madvise(map, PAGE, MADV_REMOVE));
	ASSERT_EQ(-1, madvise(map, PAGE, MADV_POPULATE_WRITE));
	FAILS_ERRNO(EFAULT, mremap(map, PAGE, 8 * PAGE, MREMAP_MAYMOVE));
	FAILS_ERRNO(EFAULT, mremap(map, 0, PAGE, MREMAP_MAYMOVE));
	/* its file cannot be opened anew with more rights */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->snap);
	fd = open(path, O_RDWR);
	ASSERT_EQ(-1, fd);
	/* KVM may use it as the guest's memory, and the guest cannot write it */
	tvm_memslot(&self->t, 0x10000000, PAGE, map, KVM_MEM_READONLY);
	self->t.nr_maps--;
	ASSERT_EQ(0, memcmp(was, map, PAGE));
	memset(tvm_at(&self->t, TVM_DATA), 0xee, PAGE);
	ASSERT_EQ(0, memcmp(was, map, PAGE));
	munmap(map, 4 * PAGE);
	close(mem);
}

/* ---- other processes ---- */

/* What a process whose VM it is not may do with the fds: nothing but look at counters */
static int others_calls(int hlk, int vcpu, int snap)
{
	struct hlk_window_add add = HLK_STRUCT(hlk_window_add);
	struct hlk_mark_cow mark = HLK_STRUCT(hlk_mark_cow);
	struct hlk_prefault prefault = HLK_STRUCT(hlk_prefault);
	struct hlk_translate translate = {};
	struct hlk_walk walk = HLK_STRUCT(hlk_walk);
	struct hlk_run run = HLK_STRUCT(hlk_run);
	struct hlk_vm_stats stats;

	run.vcpu_fd = vcpu;
	if (hlk_call(hlk, HLK_WINDOW_ADD, &add) != -EPERM ||
	    hlk_snapshot_flat(hlk) != -EPERM)
		return 1;
	if (hlk_restore(hlk, -1, NULL) != -EPERM || hlk_restore(hlk, snap, NULL) != -EPERM)
		return 2;
	if (hlk_translate(hlk, 0, 0, &translate) != -EPERM ||
	    hlk_call(hlk, HLK_WALK, &walk) != -EPERM ||
	    hlk_call(hlk, HLK_MARK_COW, &mark) != -EPERM)
		return 3;
	if (hlk_call(hlk, HLK_RUN, &run) != -EPERM ||
	    hlk_call(hlk, HLK_PREFAULT, &prefault) != -EPERM)
		return 4;
	if (mmap(NULL, PAGE, PROT_READ, MAP_SHARED, hlk, 0) != MAP_FAILED || errno != EPERM)
		return 5;
	return hlk_stats(hlk, &stats) ? 6 : 0;
}

TEST_F(isolation, fds_in_another_process_give_counters_alone)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(others_calls(self->t.hlk, self->t.vcpu, self->snap));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
}

/* After exec the process is another one, whatever fds it kept. */
static __attribute__((constructor)) void after_exec(void)
{
	const char *fds = getenv("ISOLATION_FDS");
	int hlk, vcpu, snap;

	if (!fds)
		return;
	t_must(sscanf(fds, "%d %d %d", &hlk, &vcpu, &snap) == 3);
	_exit(others_calls(hlk, vcpu, snap));
}

TEST_F(isolation, nor_do_they_after_exec)
{
	int fds[] = { self->t.hlk, self->t.vcpu, self->snap };
	char text[64];
	int status, i;
	pid_t pid;

	pid = fork();
	if (!pid) {
		/* a VM of its own: nobody else's mm is left when it execs */
		tvm_start(&self->t, 0, 0);
		tvm_load(&self->t, TVM_CODE, fill);
		fds[0] = self->t.hlk;
		fds[1] = self->t.vcpu;
		OK(hlk_restore(self->t.hlk, self->snap, NULL));
		for (i = 0; i < 3; i++)
			fcntl(fds[i], F_SETFD, 0);
		snprintf(text, sizeof(text), "%d %d %d", fds[0], fds[1], fds[2]);
		setenv("ISOLATION_FDS", text, 1);
		execl("/proc/self/exe", "isolation", NULL);
		_exit(127);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
}

static void send_fds(int to, const int *fds, int nr)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(4 * sizeof(int))];
	} control = {};
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(nr * sizeof(int)),
	};

	control.head.cmsg_len = CMSG_LEN(nr * sizeof(int));
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(&control.head), fds, nr * sizeof(int));
	t_must(sendmsg(to, &msg, 0) == 1);
}

static void receive_fds(int from, int *fds, int nr)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(4 * sizeof(int))];
	} control = {};
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	t_must(recvmsg(from, &msg, 0) == 1);
	memcpy(fds, CMSG_DATA(&control.head), nr * sizeof(int));
}

/* A VM whose process died: its fds are of no use, and closing them frees it. */
TEST_F(isolation, fds_that_outlive_their_process)
{
	int pair[2], fds[4], status;
	struct hlk_info before, info;
	struct tvm t;
	pid_t pid;

	OK(hlk_info(self->t.dev, &before));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	pid = fork();
	if (!pid) {
		tvm_start(&t, 0, 0);
		t_must(!hlk_restore(t.hlk, self->snap, NULL));
		memset(tvm_at(&t, TVM_DATA), 1, 10 * PAGE);
		send_fds(pair[1], (int[]){ t.hlk, t.vcpu, t.vm }, 3);
		_exit(0);
	}
	receive_fds(pair[0], fds, 3);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	ASSERT_EQ(0, others_calls(fds[0], fds[1], self->snap));
	FAILS(EPERM, HLK_WHY_OTHER_PROCESS, hlk_attach(self->t.dev, fds[2], 0, 0));
	OK(hlk_info(self->t.dev, &info));
	ASSERT_EQ(before.live_vms + 1, info.live_vms);
	close(fds[2]);
	close(fds[1]);
	close(fds[0]);
	OK(hlk_info(self->t.dev, &info));
	ASSERT_EQ(before.live_vms, info.live_vms);
	ASSERT_EQ(before.live_pages, info.live_pages);
	close(pair[0]);
	close(pair[1]);
}

/* A snapshot is a right to read: whoever has its fd may restore from it. */
TEST_F(isolation, a_snapshot_serves_whoever_has_its_fd)
{
	int status;
	pid_t pid = fork();
	struct tvm t;

	if (!pid) {
		tvm_start(&t, 0, 0);
		if (hlk_restore(t.hlk, self->snap, NULL) ||
		    tvm_at(&t, TVM_DATA)[5] != 0x11)
			_exit(1);
		tvm_at(&t, TVM_DATA)[5] = 0x12;
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	ASSERT_EQ(0x11, tvm_at(&self->t, TVM_DATA)[5]);
}

/*
 * The owner may ask for it to be inherited, where the kernel lets him (newer ones
 * do not for mappings like these); both see one memory then.
 */
TEST_F(isolation, fork_inherits_only_what_was_asked_for)
{
	volatile u8 *at = tvm_at(&self->t, TVM_DATA);
	bool inherited = !madvise((void *)at, PAGE, MADV_DOFORK);
	int status;
	pid_t pid;

	ASSERT_TRUE(inherited || errno == EINVAL);
	pid = fork();
	if (!pid) {
		signal(SIGSEGV, SIG_DFL);
		at[1] = 0x77;
		_exit(at[PAGE]);	/* this page was not asked for */
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));
	ASSERT_EQ(inherited ? 0x77 : 0x11, at[1]);
	OK(hlk_restore(self->t.hlk, -1, NULL));
	ASSERT_EQ(0x11, at[1]);
}

/* ---- privileges ---- */

static int attach_inspect(int dev, int vm)
{
	struct hlk_vm_attach attach = HLK_STRUCT(hlk_vm_attach);
	int ret;

	attach.head.flags = HLK_ATTACH_INSPECT;
	attach.vm_fd = vm;
	ret = hlk_call(dev, HLK_VM_ATTACH, &attach);
	return ret ?: attach.out_fd;
}

static void drop_ptrace(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	t_must(!syscall(SYS_capget, &head, data));
	data[0].effective &= ~(1U << CAP_SYS_PTRACE);
	data[0].permitted &= ~(1U << CAP_SYS_PTRACE);
	t_must(!syscall(SYS_capset, &head, data));
}

static int look(int hlk)
{
	struct hlk_translate translate = { .paging.flags = HLK_PAGING_GIVEN };
	int ret = hlk_translate(hlk, 0x40000, 0, &translate);

	return ret == -ENXIO ? 0 : ret;
}

static int in_child(int (*what)(int dev, int vm, int hlk), int dev, int vm, int hlk)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(what(dev, vm, hlk));
	t_must(waitpid(pid, &status, 0) == pid);
	return status;
}

static int with_ptrace(int dev, int vm, int hlk)
{
	struct hlk_window_add add = HLK_STRUCT(hlk_window_add);
	int own = attach_inspect(dev, vm);

	if (own < 0 || look(own))
		return 1;
	/* to look is all */
	if (hlk_call(own, HLK_WINDOW_ADD, &add) != -EPERM ||
	    hlk_restore(own, -1, NULL) != -EPERM || hlk_snapshot_flat(own) != -EPERM)
		return 2;
	if (mmap(NULL, PAGE, PROT_READ, MAP_SHARED, own, 0) != MAP_FAILED)
		return 3;
	if (hlk_attach(dev, vm, 0, 0) != -EPERM || t_why != HLK_WHY_OTHER_PROCESS)
		return 4;
	/* and the right is asked for at each call */
	drop_ptrace();
	if (look(own) != -EPERM || t_why != HLK_WHY_PRIVILEGE)
		return 5;
	return 0;
}

static int without_ptrace(int dev, int vm, int hlk)
{
	drop_ptrace();
	if (attach_inspect(dev, vm) != -EPERM || t_why != HLK_WHY_PRIVILEGE)
		return 1;
	return look(hlk) == -EPERM ? 0 : 2;
}

static int in_user_namespace(int dev, int vm, int hlk)
{
	if (unshare(CLONE_NEWUSER))
		return 3;
	if (attach_inspect(dev, vm) != -EPERM || t_why != HLK_WHY_PRIVILEGE)
		return 1;
	return look(hlk) == -EPERM ? 0 : 2;
}

static int nobody(int dev, int vm, int hlk)
{
	if (setgid(65534) || setuid(65534))
		return 3;
	if (open("/dev/hlk", O_RDONLY) >= 0 || errno != EACCES)
		return 1;
	return attach_inspect(dev, vm) == -EPERM ? 0 : 2;
}

TEST_F(isolation, another_process_s_vm_takes_a_privilege)
{
	int dev = self->t.dev, vm = self->t.vm, own;

	ASSERT_EQ(0, geteuid());
	own = OK(attach_inspect(dev, vm));
	ASSERT_EQ(0, look(own));
	ASSERT_EQ(0, in_child(with_ptrace, dev, vm, own));
	ASSERT_EQ(0, in_child(without_ptrace, dev, vm, own));
	ASSERT_EQ(0, in_child(in_user_namespace, dev, vm, own));
	ASSERT_EQ(0, in_child(nobody, dev, vm, own));
	close(own);
}

static int counters(int dev, int vm, int hlk)
{
	struct hlk_info info;

	if (hlk_info(dev, &info) || !info.version || !info.max_pages)
		return 1;
	return info.live_vms || info.live_snapshots || info.live_pages ? 2 : 0;
}

static int counters_of_nobody(int dev, int vm, int hlk)
{
	return setgid(65534) || setuid(65534) ? 3 : counters(dev, vm, hlk);
}

static int counters_in_user_namespace(int dev, int vm, int hlk)
{
	return unshare(CLONE_NEWUSER) ? 3 : counters(dev, vm, hlk);
}

/* They go up with each fault of anybody's guest. */
TEST_F(isolation, what_all_have_is_counted_for_root_alone)
{
	int dev = self->t.dev, vm = self->t.vm, hlk = self->t.hlk;

	ASSERT_EQ(2, counters(dev, vm, hlk));
	ASSERT_EQ(0, in_child(counters_of_nobody, dev, vm, hlk));
	ASSERT_EQ(0, in_child(counters_in_user_namespace, dev, vm, hlk));
}

/* ---- threads ---- */

/* A vCPU's thread that ends in the middle leaves the vCPU to others. */
TEST_F(isolation, a_vcpu_outlives_its_thread)
{
	struct tvm_runner runner;

	memcpy(tvm_at(&self->t, TVM_CODE), "\xff\x05\x00\x00\x02\x00\xeb\xfe", 8);
	tvm_runner_start(&runner, &self->t);
	FAILS(EBUSY, HLK_WHY_VCPU_RUNNING, hlk_restore(self->t.hlk, -1, NULL));
	ASSERT_EQ(-EINTR, tvm_runner_kick(&runner));
	OK(hlk_restore(self->t.hlk, -1, NULL));
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
}

/* ---- arguments ---- */

static volatile bool flip_stop;

static void flip_wait(void)
{
	int i;

	for (i = 0; i < 50; i++)
		asm volatile("pause");
}

static void *flip(void *arg)
{
	volatile struct hlk_segment *input = arg;

	/* each value for a while: an emulator may switch CPUs at jumps alone */
	while (!flip_stop) {
		input->gpa = 0x7ffff000000;
		flip_wait();
		input->gpa = TVM_DATA;
		flip_wait();
	}
	return NULL;
}

/* An array is read once: what was checked is what is used. */
TEST_F(isolation, an_argument_that_changes_under_the_call)
{
	struct hlk_segment input = { .gpa = TVM_DATA, .bytes = 8 };
	struct hlk_run run = HLK_STRUCT(hlk_run);
	u32 good = 0, bad = 0;
	u64 data = 1;
	pthread_t thread;
	time_t end;
	int ret;

	input.data = (uintptr_t)&data;
	run.vcpu_fd = self->t.vcpu;
	run.inputs = (uintptr_t)&input;
	run.input_size = sizeof(struct hlk_segment);
	run.nr_inputs = 1;
	flip_stop = false;
	ASSERT_EQ(0, pthread_create(&thread, NULL, flip, &input));
	for (end = time(NULL) + 4; time(NULL) < end || !good || !bad;) {
		ret = hlk_call(self->t.hlk, HLK_RUN, &run);
		good += !ret;
		bad += ret == -EINVAL && t_why == HLK_WHY_INPUT;
		ASSERT_TRUE(!ret || ret == -EINVAL);
	}
	flip_stop = true;
	pthread_join(thread, NULL);
	OK(hlk_restore_flags(self->t.hlk, -1, HLK_RESTORE_AUDIT, NULL));
}

TEST_HARNESS_MAIN
