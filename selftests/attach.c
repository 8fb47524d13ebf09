// SPDX-License-Identifier: GPL-2.0-only
/*
 * What can be attached: the KVM VM of the calling process, and nothing else
 * that is behind an fd.
 */
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "hlk_test.h"
#include "tracing.h"
#include "harness.h"

GUEST(halt, "	hlt\n");

FIXTURE(attach) {
	struct tvm t;
};

FIXTURE_SETUP(attach)
{
	t_begin();
	tvm_open(&self->t);
}

FIXTURE_TEARDOWN(attach)
{
	tvm_close(&self->t);
	EXPECT_EQ(0, t_end());
}

TEST_F(attach, only_the_fd_of_a_vm)
{
	struct kvm_create_device device = { .type = KVM_DEV_TYPE_VFIO };
	int hlk = OK(hlk_attach(self->t.dev, self->t.vm, 0, 0));
	int snap, i;
	struct {
		const char *name;
		int fd;
	} fds[] = {
		{ "no fd", -1 },
		{ "a closed fd", 9999 },
		{ "a file", open("/proc/self/exe", O_RDONLY) },
		{ "a directory", open("/", O_RDONLY) },
		{ "a memfd", memfd_create("x", 0) },
		{ "a memfd with the name of a VM", memfd_create("kvm-vm", 0) },
		{ "a file with the name of a VM",
		  open("/tmp/kvm-vm", O_CREAT | O_RDWR, 0600) },
		{ "/dev/kvm", self->t.kvm },
		{ "a vCPU", self->t.vcpu },
		{ "a vCPU's statistics", ioctl(self->t.vcpu, KVM_GET_STATS_FD, 0) },
		{ "a VM's statistics", ioctl(self->t.vm, KVM_GET_STATS_FD, 0) },
		{ "a device of a VM", -1 },
		{ "/dev/hlk", self->t.dev },
		{ "an hlk VM", hlk },
		{ "a snapshot", -1 },
		{ "a path only", open("/dev/kvm", O_PATH) },
	};

	if (!ioctl(self->t.vm, KVM_CREATE_DEVICE, &device))
		fds[11].fd = device.fd;
	tvm_set(&self->t, TVM_CODE);
	unlink("/tmp/kvm-vm");
	snap = OK(hlk_snapshot_flat(hlk));
	fds[14].fd = snap;
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		FAILS(EBADF, HLK_WHY_NOT_KVM_VM,
		      hlk_attach(self->t.dev, fds[i].fd, 0, 0));
		if (fds[i].fd >= 0 && fds[i].fd < 9999 && fds[i].fd != self->t.kvm &&
		    fds[i].fd != self->t.vcpu && fds[i].fd != self->t.dev)
			close(fds[i].fd);
	}
}

static bool cpu_has(const char *flag)
{
	FILE *file = fopen("/proc/cpuinfo", "r");
	char line[8192];
	bool found = false;
	char *word;

	t_must(file);
	while (!found && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "flags", 5))
			continue;
		for (word = strtok(line, " \t\n"); word && !found; word = strtok(NULL, " \t\n"))
			found = !strcmp(word, flag);
		break;
	}
	fclose(file);
	return found;
}

/* A barrier for the branch predictors, or an error where the processor has none */
TEST_F(attach, a_barrier_only_where_there_is_one)
{
	struct hlk_vm_attach attach = HLK_STRUCT(hlk_vm_attach);
	struct hlk_restore r;
	int snap;
	int i;

	attach.head.flags = HLK_ATTACH_IBPB;
	attach.vm_fd = self->t.vm;
	if (!cpu_has("ibpb")) {
		FAILS(EOPNOTSUPP, HLK_WHY_NO_IBPB,
		      hlk_call(self->t.dev, HLK_VM_ATTACH, &attach));
		return;
	}
	OK(hlk_call(self->t.dev, HLK_VM_ATTACH, &attach));
	self->t.hlk = attach.out_fd;
	tvm_window(&self->t, 0, TVM_LOW, 0);
	tvm_set(&self->t, TVM_CODE);
	tvm_load(&self->t, TVM_CODE, halt);
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	for (i = 0; i < 20; i++) {
		OK(hlk_restore(self->t.hlk, i ? -1 : snap, &r));
		ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
	}
	close(snap);
}

/* How many lines of the trace are of a CPU */
static u32 traced(u32 cpu)
{
	char want[16], line[512];
	FILE *file = fopen(TRACING "/trace", "r");
	u32 nr = 0;

	t_must(file);
	snprintf(want, sizeof(want), "[%03u]", cpu);
	while (fgets(line, sizeof(line), file))
		nr += line[0] != '#' && strstr(line, want);
	fclose(file);
	return nr;
}

static void run_on(u32 cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	t_must(!sched_setaffinity(0, sizeof(set), &set));
}

/*
 * Where the vCPU ran last, whoever restores where. An emulator that has no barrier is told
 * by the kernel's parameter setcpuid=ibpb, from Linux 6.15 on, that it has, and takes the
 * WRMSR for one of no meaning.
 */
TEST_F(attach, a_barrier_where_the_vcpu_was)
{
	struct hlk_vm_attach attach = HLK_STRUCT(hlk_vm_attach);
	u32 round, here, there;
	int snap;

	if (!cpu_has("ibpb") || sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "no barrier, or one CPU");
	attach.head.flags = HLK_ATTACH_IBPB;
	attach.vm_fd = self->t.vm;
	OK(hlk_call(self->t.dev, HLK_VM_ATTACH, &attach));
	self->t.hlk = attach.out_fd;
	tvm_window(&self->t, 0, TVM_LOW, 0);
	tvm_set(&self->t, TVM_CODE);
	tvm_load(&self->t, TVM_CODE, halt);
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	OK(hlk_restore(self->t.hlk, snap, NULL));
	tracing_mount();
	tracing_put("events/msr/write_msr/filter", "msr == 0x49");
	for (round = 0; round < 4; round++) {
		run_on(round % 2);
		ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));
		run_on(!(round % 2));
		tracing_put("trace", "");
		tracing_put("events/msr/write_msr/enable", "1");
		OK(hlk_restore(self->t.hlk, -1, NULL));
		tracing_put("events/msr/write_msr/enable", "0");
		there = traced(round % 2);
		here = traced(!(round % 2));
		ASSERT_EQ(1, there);
		ASSERT_EQ(0, here);
	}
	tracing_umount();
	close(snap);
}

/* Runs in a child; its exit code says which step failed. */
static void use_all(struct tvm *t, int hlk, int snap)
{
	struct hlk_translate translate = { .paging.flags = HLK_PAGING_GIVEN };
	struct hlk_walk walk = HLK_STRUCT(hlk_walk);
	struct hlk_mapping mapping;
	struct hlk_vm_stats stats;
	struct hlk_snapshot s = {};
	u64 root = 0;

#define STEP(nr, call)							\
	do {								\
		if ((call) != -EPERM || t_why != HLK_WHY_OTHER_PROCESS)	\
			_exit(nr);					\
	} while (0)

	walk.paging.flags = HLK_PAGING_GIVEN;
	walk.roots = (uintptr_t)&root;
	walk.nr_roots = 1;
	walk.mappings = (uintptr_t)&mapping;
	walk.mapping_size = sizeof(struct hlk_mapping);
	walk.nr_mappings = 1;
	STEP(1, hlk_attach(t->dev, t->vm, 0, 0));
	STEP(2, hlk_window_add(hlk, 0x10000000, PAGE, 0));
	STEP(3, hlk_snapshot(hlk, &s));
	STEP(4, hlk_restore(hlk, snap, NULL));
	STEP(5, hlk_restore(hlk, -1, NULL));
	STEP(6, hlk_translate(hlk, 0, 0, &translate));
	STEP(7, hlk_call(hlk, HLK_WALK, &walk));
	if (mmap(NULL, PAGE, PROT_READ, MAP_SHARED, hlk, 0) != MAP_FAILED ||
	    errno != EPERM)
		_exit(8);
	/* Counters are no secret of a process that was given the fd. */
	if (hlk_stats(hlk, &stats))
		_exit(9);
	_exit(0);
}

TEST_F(attach, not_the_vm_of_another_process)
{
	int status;
	pid_t pid;
	int snap;
	int hlk;

	hlk = OK(hlk_attach(self->t.dev, self->t.vm, 0, 0));
	OK(hlk_window_add(hlk, 0, PAGE, 0));
	tvm_set(&self->t, TVM_CODE);
	snap = OK(hlk_snapshot_flat(hlk));
	pid = fork();
	if (!pid)
		use_all(&self->t, hlk, snap);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	close(snap);
	close(hlk);
}

/* fds that came through a socket, to a process that is no child of the VM's */
TEST_F(attach, not_by_fds_through_a_socket)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(4 * sizeof(int))];
	} control = {
		.head.cmsg_len = CMSG_LEN(4 * sizeof(int)),
		.head.cmsg_level = SOL_SOCKET,
		.head.cmsg_type = SCM_RIGHTS,
	};
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct tvm t = {};
	int pair[2];
	int fds[4];
	int status;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	pid = fork();
	if (!pid) {
		if (recvmsg(pair[1], &msg, 0) != 1)
			_exit(20);
		memcpy(fds, CMSG_DATA(&control.head), sizeof(fds));
		t.dev = fds[0];
		t.vm = fds[1];
		use_all(&t, fds[2], fds[3]);
	}
	tvm_open(&t);
	tvm_attach(&t, 0, 0);
	tvm_window(&t, 0, PAGE, 0);
	tvm_set(&t, TVM_CODE);
	fds[0] = t.dev;
	fds[1] = t.vm;
	fds[2] = t.hlk;
	fds[3] = OK(hlk_snapshot_flat(t.hlk));
	memcpy(CMSG_DATA(&control.head), fds, sizeof(fds));
	ASSERT_EQ(1, sendmsg(pair[0], &msg, 0));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	close(fds[3]);
	tvm_close(&t);
	close(pair[0]);
	close(pair[1]);
}

TEST_F(attach, budgets)
{
	struct hlk_vm_stats stats;
	struct hlk_info info;
	int hlk;

	OK(hlk_info(self->t.dev, &info));
	FAILS(EDQUOT, HLK_WHY_BUDGET,
	      hlk_attach(self->t.dev, self->t.vm, info.max_private + 1, 0));
	ASSERT_EQ(info.max_private, t_where);
	FAILS(EDQUOT, HLK_WHY_BUDGET,
	      hlk_attach(self->t.dev, self->t.vm, ~0ULL, 0));

	hlk = OK(hlk_attach(self->t.dev, self->t.vm, info.max_private, 0));
	OK(hlk_stats(hlk, &stats));
	ASSERT_EQ(info.max_private, stats.max_private);
	close(hlk);
	hlk = OK(hlk_attach(self->t.dev, self->t.vm, 0, ~0ULL));
	OK(hlk_stats(hlk, &stats));
	ASSERT_EQ(info.max_private, stats.max_private);
	close(hlk);
	hlk = OK(hlk_attach(self->t.dev, self->t.vm, 7, 3));
	OK(hlk_stats(hlk, &stats));
	ASSERT_EQ(7, stats.max_private);
	ASSERT_EQ(0, stats.private_pages);
	ASSERT_EQ(0, stats.generation);
	ASSERT_EQ(0, stats.restores);
	close(hlk);
}

TEST_F(attach, the_hlk_vm_holds_the_kvm_vm)
{
	int snap;

	tvm_attach(&self->t, 0, 0);
	tvm_window(&self->t, 0, TVM_LOW, 0);
	tvm_load(&self->t, TVM_CODE, halt);
	tvm_set(&self->t, TVM_CODE);
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	close(self->t.vm);
	self->t.vm = -1;
	OK(hlk_restore(self->t.hlk, snap, NULL));
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(&self->t));

	/* and without the vCPU's fd too: the vCPU is then in its VM alone */
	munmap(self->t.run, self->t.run_bytes);
	self->t.run = NULL;
	close(self->t.vcpu);
	self->t.vcpu = -1;
	OK(hlk_restore(self->t.hlk, -1, NULL));
	close(snap);
}

TEST_F(attach, twice)
{
	int a = OK(hlk_attach(self->t.dev, self->t.vm, 0, 0));
	int b = OK(hlk_attach(self->t.dev, self->t.vm, 0, 0));
	struct hlk_info info;
	u8 *x, *y;

	OK(hlk_info(self->t.dev, &info));
	ASSERT_EQ(2, info.live_vms);
	OK(hlk_window_add(a, 0, PAGE, 0));
	OK(hlk_window_add(b, 0, PAGE, 0));
	x = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, a, 0);
	y = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, b, 0);
	ASSERT_NE(MAP_FAILED, x);
	ASSERT_NE(MAP_FAILED, y);
	*x = 1;
	ASSERT_EQ(0, *y);
	munmap(x, PAGE);
	munmap(y, PAGE);
	close(a);
	close(b);
}

/* There is a VM, but no room for the fd of what is made from it. */
TEST_F(attach, no_fd_left)
{
	struct rlimit old, new;
	struct hlk_info info;
	int snap;

	tvm_attach(&self->t, 0, 0);
	tvm_set(&self->t, TVM_CODE);
	getrlimit(RLIMIT_NOFILE, &old);
	new = old;
	new.rlim_cur = 0;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &new));
	ASSERT_EQ(-EMFILE, hlk_attach(self->t.dev, self->t.vm, 0, 0));
	ASSERT_EQ(-EMFILE, hlk_snapshot_flat(self->t.hlk));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &old));
	OK(hlk_info(self->t.dev, &info));
	ASSERT_EQ(1, info.live_vms);
	ASSERT_EQ(0, info.live_snapshots);
	snap = OK(hlk_snapshot_flat(self->t.hlk));
	close(snap);
}

static u64 number(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	t_must(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	return strtoull(text, NULL, 10);
}

static void set_number(const char *path, u64 value)
{
	char text[32];
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int len = snprintf(text, sizeof(text), "%llu", (unsigned long long)value);

	t_must(fd >= 0 && write(fd, text, len) == len);
	close(fd);
}

#define FILE_MAX	"/proc/sys/fs/file-max"
#define HLK_USERS	"/sys/module/hlk/refcnt"
#define INODES		"/proc/sys/fs/inode-nr"
#define TRIES		500

/* As nobody, who may have no file beyond the limit, over a VM that is there already */
static int attach_without_a_file(int dev)
{
	int ready[2], go[2], status, ret;
	u64 limit = number(FILE_MAX);
	char byte = 0;
	pid_t pid;

	t_must(!pipe(ready) && !pipe(go));
	pid = fork();
	if (!pid) {
		int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
		int vm = ioctl(kvm, KVM_CREATE_VM, 0);
		int i;

		t_must(vm >= 0 && !setgid(65534) && !setuid(65534));
		t_must(write(ready[1], &byte, 1) == 1 && read(go[0], &byte, 1) == 1);
		for (i = 0; i < TRIES; i++) {
			ret = hlk_attach(dev, vm, 0, 0);
			if (ret != -ENFILE)
				_exit(ret ? -ret : 255);
		}
		_exit(0);
	}
	t_must(read(ready[0], &byte, 1) == 1);
	set_number(FILE_MAX, 0);
	if (write(go[1], &byte, 1) != 1 || waitpid(pid, &status, 0) != pid)
		status = -1;
	set_number(FILE_MAX, limit);
	close(ready[0]);
	close(ready[1]);
	close(go[0]);
	close(go[1]);
	return status;
}

/* Nothing stays of an object whose file could not be made, not the module either. */
TEST_F(attach, no_file_left)
{
	u64 users = number(HLK_USERS), inodes = number(INODES);
	int tries;

	ASSERT_EQ(0, attach_without_a_file(self->t.dev));
	ASSERT_EQ(users, number(HLK_USERS));
	/* others come and go, and inodes are freed a little later */
	for (tries = 0; number(INODES) > inodes + TRIES / 2 && tries < 200; tries++)
		usleep(20000);
	ASSERT_GT(200, tries);
}

TEST_HARNESS_MAIN
