// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looking at the VM of another program: by the module with HLK_ATTACH_INSPECT,
 * and by `hlk-run pt --pid`, which must leave the program as it found it.
 */
#include <linux/capability.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "hlk_test.h"
#include "harness.h"

#define CR4_PSE		0x10
#define PWT		0x8
#define PCD		0x10
#define PAT		0x80
#define AVL(n)		((n) << 9)

#define HOLE		0xe0000U	/* of a memslot, where nothing is mapped */

#define ROOT		0x30000U
#define TABLES		0x31000U

GUEST(spin, "1:	incl 0x20000\n"
	    "	jmp 1b\n");

/**
 * struct other - what the other program and the test share
 * @ready: the guest is about to run
 * @vm: the program's fd of its VM
 * @second: that of a VM that has no vCPU, or -1
 * @asked: how often it was asked for memory that it has not brought yet
 */
struct other {
	volatile bool ready;
	volatile int vm;
	volatile int second;
	volatile int asked;
};

FIXTURE(inspect) {
	struct other *other;
	u8 *memory;
	pid_t pid;
	int pidfd;
	int dev;
	char *out;
};

#define OUT_BYTES	(256 << 10)

/* Every kind of entry that the dump has a word for */
static void make_tables(struct tvm *t)
{
	struct tvm_pt pt = { .t = t, .next = TABLES, .flags = PTE_P | PTE_W | PTE_U };
	u32 *pd;

	memset(tvm_at(t, ROOT), 0, PAGE);
	tvm_pt_map(&pt, ROOT, 0, 0, 0x100, PTE_P | PTE_W);
	tvm_pt_map(&pt, ROOT, 0x08048000, 0x40000, 3, PTE_P | PTE_U);
	tvm_pt_map(&pt, ROOT, 0x08050000, 0x50000, 2,
		   PTE_P | PTE_W | PTE_U | PTE_G | PWT | PCD | PAT | AVL(4));
	tvm_pt_map(&pt, ROOT, 0x40000000, 0x60000, 5, PTE_P | PTE_U | PTE_COW);
	tvm_pt_map(&pt, ROOT, 0x50000000, 0xd0000000, 1, PTE_P | PTE_W);
	pd = (u32 *)tvm_at(t, ROOT);
	pd[0x60000000 >> 22] = 0xd0000000 | PTE_P | PTE_W;
	pd[0x80000000 >> 22] = 0 | PTE_P | PTE_PS;
	pd[0xc0000000 >> 22] = (pd[0x08000000 >> 22] & ~(PTE_W | PTE_U));
}

/* The other program: a VM that knows nothing of hlk, with a guest that runs */
static void play(struct other *other, u8 *memory)
{
	struct tvm t;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "vmm<&\"\33[31m");
	tvm_open(&t);
	tvm_memslot(&t, 0, TVM_LOW, memory, 0);
	make_tables(&t);
	t_must(!munmap(memory + HOLE, PAGE));
	tvm_load(&t, TVM_CODE, spin);
	tvm_set_paging(&t, TVM_CODE, ROOT, CR4_PSE);
	other->second = -1;
	other->vm = t.vm;
	other->ready = true;
	for (;;)
		tvm_run(&t);
}

static u32 progress(const u8 *memory)
{
	return *(const volatile u32 *)(memory + TVM_DATA);
}

static void pause_ms(long ms)
{
	const struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

/* Does the guest get on? */
static bool runs(const u8 *memory)
{
	u32 before = progress(memory);
	int tries;

	for (tries = 0; tries < 2000; tries++) {
		if (progress(memory) != before)
			return true;
		pause_ms(1);
	}
	return false;
}

static char state_of(pid_t pid)
{
	char path[64], line[512] = "";
	const char *at;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	at = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
	fclose(file);
	return at ? at[2] : 0;
}

FIXTURE_SETUP(inspect)
{
	t_begin();
	self->other = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	self->memory = mmap(NULL, TVM_LOW, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	self->out = malloc(OUT_BYTES);
	t_must(self->other != MAP_FAILED && self->memory != MAP_FAILED &&
	       self->out);
	self->pid = fork();
	t_must(self->pid >= 0);
	if (!self->pid)
		play(self->other, self->memory);
	while (!self->other->ready)
		pause_ms(1);
	t_must(runs(self->memory));
	self->pidfd = syscall(SYS_pidfd_open, self->pid, 0);
	t_must(self->pidfd >= 0);
	self->dev = hlk_open();
}

FIXTURE_TEARDOWN(inspect)
{
	kill(self->pid, SIGKILL);
	waitpid(self->pid, NULL, 0);
	close(self->pidfd);
	close(self->dev);
	munmap(self->other, PAGE);
	munmap(self->memory, TVM_LOW);
	free(self->out);
	EXPECT_EQ(0, t_end());
}

static int take_vm(int pidfd, int fd)
{
	int vm = syscall(SYS_pidfd_getfd, pidfd, fd, 0);

	t_must(vm >= 0);
	return vm;
}

static int attach(int dev, int vm_fd, u32 flags)
{
	struct hlk_vm_attach attach = HLK_STRUCT(hlk_vm_attach);
	int ret;

	attach.head.flags = flags;
	attach.vm_fd = vm_fd;
	ret = hlk_call(dev, HLK_VM_ATTACH, &attach);
	return ret ? ret : attach.out_fd;
}

static const struct hlk_paging given = {
	.flags = HLK_PAGING_GIVEN | HLK_PAGING_WP | HLK_PAGING_PSE,
};

static int walk(int vm, const struct hlk_paging *paging, u64 *root,
		struct hlk_mapping *map, u32 *nr)
{
	struct hlk_walk walk = HLK_STRUCT(hlk_walk);
	int ret;

	if (paging)
		walk.paging = *paging;
	walk.roots = (uintptr_t)root;
	walk.nr_roots = root ? 1 : 0;
	walk.mappings = (uintptr_t)map;
	walk.mapping_size = sizeof(struct hlk_mapping);
	walk.nr_mappings = *nr;
	ret = hlk_call(vm, HLK_WALK, &walk);
	*nr = walk.nr_mappings;
	return ret;
}

static void drop_ptrace(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	t_must(!syscall(SYS_capget, &head, data));
	data[CAP_SYS_PTRACE / 32].effective &= ~(1U << CAP_SYS_PTRACE % 32);
	t_must(!syscall(SYS_capset, &head, data));
}

static void raise_ptrace(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	t_must(!syscall(SYS_capget, &head, data));
	data[CAP_SYS_PTRACE / 32].effective |= 1U << CAP_SYS_PTRACE % 32;
	t_must(!syscall(SYS_capset, &head, data));
}

/* ---- the module ---- */

TEST_F(inspect, another_process_is_looked_at_only_if_asked)
{
	int kvm = take_vm(self->pidfd, self->other->vm);
	int hlk;

	FAILS(EPERM, HLK_WHY_OTHER_PROCESS, attach(self->dev, kvm, 0));
	hlk = OK(attach(self->dev, kvm, HLK_ATTACH_INSPECT));
	close(hlk);
	close(kvm);
}

TEST_F(inspect, privilege_is_asked_for_at_each_call)
{
	int kvm = take_vm(self->pidfd, self->other->vm);
	struct hlk_translate t = { .paging = given };
	struct hlk_mapping map[64];
	u64 root = ROOT;
	u32 nr = 64;
	int hlk;

	hlk = OK(attach(self->dev, kvm, HLK_ATTACH_INSPECT));
	OK(walk(hlk, &given, &root, map, &nr));
	OK(hlk_translate(hlk, ROOT, 0x40000123, &t));
	drop_ptrace();
	FAILS(EPERM, HLK_WHY_PRIVILEGE,
	      attach(self->dev, kvm, HLK_ATTACH_INSPECT));
	nr = 64;
	FAILS(EPERM, HLK_WHY_PRIVILEGE, walk(hlk, &given, &root, map, &nr));
	FAILS(EPERM, HLK_WHY_PRIVILEGE, hlk_translate(hlk, ROOT, 0, &t));
	raise_ptrace();
	nr = 64;
	OK(walk(hlk, &given, &root, map, &nr));
	close(hlk);
	close(kvm);
}

TEST_F(inspect, looking_is_all_it_is_for)
{
	int kvm = take_vm(self->pidfd, self->other->vm);
	struct hlk_mark_cow mark = HLK_STRUCT(hlk_mark_cow);
	struct hlk_run run = HLK_STRUCT(hlk_run);
	int hlk;

	hlk = OK(attach(self->dev, kvm, HLK_ATTACH_INSPECT));
	FAILS(EPERM, HLK_WHY_INSPECT_ONLY,
	      hlk_window_add(hlk, TVM_SCRATCH_GPA, TVM_SCRATCH, 0));
	FAILS(EPERM, HLK_WHY_INSPECT_ONLY, hlk_snapshot_flat(hlk));
	FAILS(EPERM, HLK_WHY_INSPECT_ONLY, hlk_restore(hlk, -1, NULL));
	FAILS(EPERM, HLK_WHY_INSPECT_ONLY, hlk_call(hlk, HLK_RUN, &run));
	if (hlk_call(hlk, HLK_MARK_COW, &mark) != -ENOTTY)
		FAILS(EPERM, HLK_WHY_INSPECT_ONLY,
		      hlk_call(hlk, HLK_MARK_COW, &mark));
	FAILS_ERRNO(EPERM, mmap(NULL, PAGE, PROT_READ, MAP_SHARED, hlk, 0));
	close(hlk);
	close(kvm);
	ASSERT_TRUE(runs(self->memory));
}

/* What is found is what is there, and a guest that runs is no obstacle. */
TEST_F(inspect, tables_are_read_while_the_guest_runs)
{
	int kvm = take_vm(self->pidfd, self->other->vm);
	struct hlk_translate t = { .paging = given };
	struct hlk_mapping map[64];
	u64 root = ROOT;
	u32 nr = 64;
	int hlk;

	hlk = OK(attach(self->dev, kvm, HLK_ATTACH_INSPECT));
	OK(walk(hlk, &given, &root, map, &nr));
	ASSERT_LE(8, nr);
	ASSERT_EQ(0, map[0].va);
	OK(hlk_translate(hlk, ROOT, 0x40001234, &t));
	ASSERT_EQ(0x61234, t.gpa);
	ASSERT_EQ(HLK_MAP_USER | HLK_MAP_COW, t.map);
	/* but its registers are */
	nr = 64;
	FAILS(EBUSY, HLK_WHY_VCPU_RUNNING, walk(hlk, NULL, &root, map, &nr));
	nr = 64;
	FAILS(EBUSY, HLK_WHY_VCPU_RUNNING, walk(hlk, &given, NULL, map, &nr));
	close(hlk);
	close(kvm);
}

static int read_at(int vm, u64 gpa, void *data, u64 bytes, u64 *done)
{
	struct hlk_read read = HLK_STRUCT(hlk_read);
	int ret;

	read.gpa = gpa;
	read.data = (uintptr_t)data;
	read.bytes = bytes;
	ret = hlk_call(vm, HLK_READ, &read);
	*done = read.done;
	return ret;
}

/* Any bytes of it, also from the middle of a page on, and no more than there are */
TEST_F(inspect, memory_is_read)
{
	int kvm = take_vm(self->pidfd, self->other->vm);
	u8 *buf = mmap(NULL, 5 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);
	u64 done;
	int hlk;
	u32 i;

	ASSERT_NE(MAP_FAILED, buf);
	for (i = 0; i < 4 * PAGE; i++)
		self->memory[0x40000 + i] = i * 7 + i / PAGE;
	memset(self->memory + TVM_LOW - PAGE, 0x5a, PAGE);
	hlk = OK(attach(self->dev, kvm, HLK_ATTACH_INSPECT));
	memset(buf, 0xee, 5 * PAGE);
	OK(read_at(hlk, 0x40123, buf, 3 * PAGE, &done));
	ASSERT_EQ(3 * PAGE, done);
	ASSERT_EQ(0, memcmp(buf, self->memory + 0x40123, 3 * PAGE));
	ASSERT_EQ(0xee, buf[3 * PAGE]);
	OK(read_at(hlk, 0xffffffffffff0000, NULL, 0, &done));
	ASSERT_EQ(0, done);

	FAILS(ENODEV, HLK_WHY_NOT_RAM, read_at(hlk, TVM_LOW - 16, buf, PAGE, &done));
	ASSERT_EQ(16, done);
	ASSERT_EQ(0x5a, buf[15]);
	FAILS(ENODEV, HLK_WHY_NOT_RAM, read_at(hlk, 1ULL << 52, buf, 1, &done));
	ASSERT_EQ(0, done);
	FAILS(ENODEV, HLK_WHY_NOT_RAM, read_at(hlk, HOLE - 16, buf, PAGE, &done));
	ASSERT_EQ(16, done);
	FAILS(EINVAL, HLK_WHY_GPA_RANGE, read_at(hlk, -PAGE, buf, PAGE + 1, &done));
	t_must(!munmap(buf + PAGE, PAGE));
	FAILS(EFAULT, HLK_WHY_NONE, read_at(hlk, 0x40000, buf, 2 * PAGE, &done));
	ASSERT_EQ(PAGE, done);

	drop_ptrace();
	FAILS(EPERM, HLK_WHY_PRIVILEGE, read_at(hlk, 0x40000, buf, 1, &done));
	raise_ptrace();
	close(hlk);
	close(kvm);
	munmap(buf, PAGE);
	munmap(buf + 2 * PAGE, 3 * PAGE);
	ASSERT_TRUE(runs(self->memory));
}

/*
 * A program that brings its memory itself, and only when it is asked twice. Meanwhile
 * it maps something, for which nobody else may have its memory map.
 */
static void hold_back(struct other *other)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_zeropage page = {};
	struct uffd_msg msg;
	struct tvm t;
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	tvm_open(&t);
	reg.range.start = (uintptr_t)tvm_ram(&t, 0, TVM_LOW);
	reg.range.len = TVM_LOW;
	fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	t_must(fd >= 0);
	t_must(!ioctl(fd, UFFDIO_API, &api));
	t_must(!ioctl(fd, UFFDIO_REGISTER, &reg));
	other->vm = t.vm;
	other->ready = true;
	for (;;) {
		t_must(read(fd, &msg, sizeof(msg)) == sizeof(msg));
		t_must(mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
		       MAP_FAILED);
		other->asked++;
		page.range.start = msg.arg.pagefault.address & ~(PAGE - 1);
		page.range.len = PAGE;
		if (other->asked == 2)
			t_must(!ioctl(fd, UFFDIO_ZEROPAGE, &page));
	}
}

/* Look at it from yet another process, whose exit code is what it found. */
static pid_t look(int dev, pid_t owner, struct other *other)
{
	struct hlk_translate t = { .paging = given };
	pid_t pid = fork();
	int hlk;

	t_must(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	hlk = attach(dev, take_vm(syscall(SYS_pidfd_open, owner, 0), other->vm),
		     HLK_ATTACH_INSPECT);
	t_must(hlk >= 0);
	_exit(-hlk_translate(hlk, 0, 0, &t));
}

TEST_F(inspect, who_waits_for_memory_can_be_killed)
{
	struct other *other = self->other;
	pid_t owner, pid;
	int status;
	int tries;

	other->ready = false;
	owner = fork();
	ASSERT_LE(0, owner);
	if (!owner)
		hold_back(other);
	while (!other->ready)
		pause_ms(1);
	pid = look(self->dev, owner, other);
	for (tries = 0; tries < 10000 && !other->asked; tries++)
		pause_ms(1);
	EXPECT_EQ(1, other->asked);
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));

	pid = look(self->dev, owner, other);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(2, other->asked);
	EXPECT_EQ(ENXIO, WEXITSTATUS(status));
	kill(owner, SIGKILL);
	ASSERT_EQ(owner, waitpid(owner, NULL, 0));
}

/* The VM outlives its process, whose memory does not. */
TEST_F(inspect, the_process_may_end)
{
	int kvm = take_vm(self->pidfd, self->other->vm);
	struct hlk_mapping map[64];
	u64 root = ROOT;
	u32 nr = 64;
	int hlk;

	hlk = OK(attach(self->dev, kvm, HLK_ATTACH_INSPECT));
	close(kvm);
	kill(self->pid, SIGKILL);
	ASSERT_EQ(self->pid, waitpid(self->pid, NULL, 0));
	FAILS(ESRCH, HLK_WHY_NONE, walk(hlk, &given, &root, map, &nr));
	close(hlk);
}

/* ---- hlk-run pt ---- */

/* Run a command; its output of both kinds in @out. The exit code */
static int command(char *out, size_t size, char *const argv[])
{
	size_t used = 0;
	int fds[2];
	ssize_t len;
	int status;
	pid_t pid;

	t_must(!pipe(fds));
	pid = fork();
	t_must(pid >= 0);
	if (!pid) {
		dup2(fds[1], 1);
		dup2(fds[1], 2);
		close(fds[0]);
		close(fds[1]);
		execvp(argv[0], argv);
		_exit(127);
	}
	close(fds[1]);
	while ((len = read(fds[0], out + used, size - 1 - used)) > 0)
		used += len;
	out[used] = '\0';
	close(fds[0]);
	t_must(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#define PT(...)								\
	({								\
		char pid_[16];						\
		snprintf(pid_, sizeof(pid_), "%d", self->pid);		\
		command(self->out, OUT_BYTES,				\
			(char *[]){ "hlk-run", "pt", "--pid", pid_,	\
				    ##__VA_ARGS__, NULL });		\
	})

#define HAS(text)							\
	ASSERT_TRUE(strstr(self->out, text)) {				\
		fprintf(stderr, "# not in the output: %s\n%s", text,	\
			self->out);					\
	}

static const char *const lines[] = {
	"root 0, in CR3 of vCPU 0",
	"  00001000-00001fff      4 KiB  00001000-00001fff  rw  --  A--\n",
	"  00020000-00020fff      4 KiB  00020000-00020fff  rw  --  AD-\n",
	"  00021000-000fffff    892 KiB  00021000-000fffff  rw  --  ---\n",
	"  08048000-0804afff     12 KiB  00040000-00042fff  r-  r-  ---\n",
	"  08050000-08051fff      8 KiB  00050000-00051fff  rw  rw  --G  PWT PCD PAT AVL=4\n",
	"  40000000-40004fff     20 KiB  00060000-00064fff  r-  r-  ---  cow\n",
	"  50000000-50000fff      4 KiB  d0000000-d0000fff  rw  --  ---  no-memory\n",
	"  60000000-603fffff      4 MiB  d0000000           rw  --  ---  table-not-in-memory\n",
	"  80000000-800fffff      1 MiB  00000000-000fffff  r-  --  ---  4M\n",
	"  80100000-803fffff      3 MiB  00100000-003fffff  r-  --  ---  4M no-memory\n",
	"  c0000000-c03fffff      4 MiB  00032000           r-  --  ---  same table as root 0 at 08000000\n",
	"; 1 tables that were met before; 1 tables that are not in memory\n",
	"physical: 256 pages, 1 MiB; 256 of them mapped more than once, 256 of these writable\n",
};

TEST_F(inspect, pt_lists_every_kind_of_entry)
{
	u32 i;

	ASSERT_EQ(0, PT()) {
		fputs(self->out, stderr);
	}
	/* what the program calls itself is no escape sequence here */
	HAS("vmm<&\"?[31m\n");
	for (i = 0; i < ARRAY_SIZE(lines); i++)
		ASSERT_TRUE(strstr(self->out, lines[i])) {
			fprintf(stderr, "# not in the output, line %u:\n%s", i,
				self->out);
		}
	ASSERT_TRUE(runs(self->memory));
	ASSERT_NE('T', state_of(self->pid));
}

TEST_F(inspect, pt_gives_json)
{
	ASSERT_EQ(0, PT("--json"));
	HAS("vmm<&\\\"\\u001b[31m\"}");
	HAS("{\"root\":0,\"va\":1073741824,\"pages\":5,\"gpa\":393216,\"write\":false,\"user\":true,\"cow\":true,");
	HAS("\"va\":3221225472,\"pages\":1024,\"gpa\":204800,\"write\":false,\"user\":false,\"alias_root\":0,\"alias_va\":134217728}");
	HAS("\"global\":true,\"pwt\":true,\"pcd\":true,\"pat\":true,\"avl\":4}");
	HAS("\"cut\": false\n}\n");
}

TEST_F(inspect, pt_draws)
{
	char path[] = "/tmp/pt.XXXXXX";
	int fd = mkstemp(path);
	ssize_t len;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, PT("--svg", path));
	len = read(fd, self->out, OUT_BYTES - 1);
	ASSERT_LT(0, len);
	self->out[len] = '\0';
	ASSERT_EQ(0, strncmp(self->out, "<?xml", 5));
	HAS("vmm&lt;&amp;&quot;?[31m</text>");
	HAS("table at 00032000\ntable met before; same table as root 0 at 08000000</title>");
	ASSERT_EQ(0, strcmp(self->out + len - 7, "</svg>\n"));
	ASSERT_EQ(NULL, strchr(self->out, '\33'));
	close(fd);
	unlink(path);
	ASSERT_EQ(1, PT("--svg", "/none/pt.svg"));
	HAS("cannot write /none/pt.svg: No such file");
}

TEST_F(inspect, pt_of_a_guest_that_goes_on)
{
	ASSERT_EQ(0, PT("--running", "--root", "0x30018"));
	HAS("root 0 at 00030000\n");
	HAS("  40000000-40004fff     20 KiB  00060000-00064fff  r-  r-  ---  cow\n");
	/* without CR4.PSE, 4 MiB entries are tables */
	ASSERT_EQ(0, PT("--running", "--root", "0x30000", "--no-pse", "--range",
			"80000000-80ffffff"));
	ASSERT_EQ(NULL, strstr(self->out, "4M"));
	ASSERT_EQ(0, PT("--root", "0x30000", "--no-wp", "--range",
			"8048000-8048000"));
	HAS("  08048000-08048fff      4 KiB  00040000-00040fff  rw  r-  ---  wp-off\n");
	ASSERT_EQ(1, PT("--root", "0xd0000000"));
	ASSERT_TRUE(runs(self->memory));
}

TEST_F(inspect, pt_tells_what_is_different)
{
	ASSERT_EQ(0, PT("--diff", "--after", "300")) {
		fputs(self->out, stderr);
	}
	HAS("to   VM of process ");
	HAS("  bytes 00020000-00020fff      4 KiB  00020000-00020fff  rw  --  AD-\n");
	HAS("in all: 1 pages with other contents; 0 newly accessed, 0 newly dirty\n");
	ASSERT_TRUE(runs(self->memory));
	/* a program that rests shows nothing */
	ASSERT_EQ(0, kill(self->pid, SIGSTOP));
	ASSERT_EQ(0, PT("--diff", "--after", "1"));
	HAS("root 0, in CR3 of vCPU 0: nothing is different\n");
	ASSERT_EQ(0, kill(self->pid, SIGCONT));
	ASSERT_EQ(2, PT("--diff", "--at", "0"));
	HAS("--diff goes with no");
	ASSERT_EQ(0, PT("--diff", "--json", "--after", "100"));
	HAS("\"what\":[\"contents\"],\"was\":{\"root\":0,\"va\":131072,");
}

TEST_F(inspect, pt_stops_at_a_limit)
{
	ASSERT_EQ(0, PT("--limit", "3"));
	HAS("cut off after 3 ranges");
	ASSERT_EQ(NULL, strstr(self->out, "  40000000-"));
	ASSERT_EQ(0, PT("--limit", "3", "--json"));
	HAS("\"cut\": true\n}\n");
}

TEST_F(inspect, pt_leaves_a_stopped_program_stopped)
{
	int tries;

	ASSERT_EQ(0, kill(self->pid, SIGSTOP));
	for (tries = 0; tries < 2000 && state_of(self->pid) != 'T'; tries++)
		pause_ms(1);
	ASSERT_EQ('T', state_of(self->pid));
	ASSERT_EQ(0, PT());
	HAS("  40000000-40004fff     20 KiB  00060000-00064fff  r-  r-  ---  cow\n");
	pause_ms(50);
	ASSERT_EQ('T', state_of(self->pid));
	ASSERT_EQ(0, kill(self->pid, SIGCONT));
	ASSERT_TRUE(runs(self->memory));
}

/* However it ends, the program goes on. */
TEST_F(inspect, pt_may_be_killed)
{
	char pid[16];
	pid_t child;
	int round;
	int null;

	snprintf(pid, sizeof(pid), "%d", self->pid);
	for (round = 0; round < 30; round++) {
		child = fork();
		ASSERT_LE(0, child);
		if (!child) {
			null = open("/dev/null", O_WRONLY);
			dup2(null, 1);
			dup2(null, 2);
			execlp("hlk-run", "hlk-run", "pt", "--pid", pid, NULL);
			_exit(127);
		}
		pause_ms(round % 10 * 4);
		kill(child, round % 3 == 0 ? SIGKILL :
			    round % 3 == 1 ? SIGTERM : SIGINT);
		ASSERT_EQ(child, waitpid(child, NULL, 0));
		ASSERT_TRUE(runs(self->memory));
		ASSERT_NE('T', state_of(self->pid));
		ASSERT_NE('t', state_of(self->pid));
	}
}

TEST_F(inspect, pt_says_what_is_wrong)
{
	char *const none[] = { "hlk-run", "pt", "--pid", "4194303", NULL };
	char *const self_[] = { "hlk-run", "pt", "--pid", "1", NULL };
	char *const without[] = { "hlk-run", "pt", "--pid", "1", "--running", NULL };
	char fd[16];

	ASSERT_EQ(1, command(self->out, OUT_BYTES, none));
	HAS("process 4194303: cannot be opened: ");
	ASSERT_EQ(1, command(self->out, OUT_BYTES, self_));
	HAS("process 1 has no KVM VM\n");
	ASSERT_EQ(2, command(self->out, OUT_BYTES, without));
	HAS("--running wants --root");
	ASSERT_EQ(1, PT("--fd", "99"));
	HAS("cannot take its VM: Bad file descriptor");
	ASSERT_EQ(1, PT("--fd", "0"));
	snprintf(fd, sizeof(fd), "%d", self->other->vm);
	ASSERT_EQ(0, PT("--fd", fd));
	ASSERT_EQ(0, kill(self->pid, SIGKILL));
	pause_ms(20);
	ASSERT_EQ(1, PT("--fd", fd));
	ASSERT_EQ(2, PT("--fd", "x"));
}

TEST_HARNESS_MAIN
