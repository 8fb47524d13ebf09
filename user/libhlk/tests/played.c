// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The module and KVM, played: files of memory that can be mapped as theirs are, and
 * a guest that answers. A restore brings its scratch back, all of it.
 *
 * Functions of the guest: "e" answers its argument, "h" calls the host function that
 * the argument names and answers what that does, "k" answers with its counter, "p"
 * prints its argument byte by byte, "s" does not end before its time, "f" touches what
 * cannot be had, "i" KVM cannot run, "o" is "s" and "e" in turn, "u" dies, "x" answers
 * what is none, "z" leaves a buffer that is none. The name of a longer one is an error.
 */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../internal.h"
#include "../prefault.h"
#include "played.h"

#define PAGE		4096U
#define RUN_SIZE	(3 * PAGE)
#define VMS		64
#define BUF		0x4000U		/* the default of both buffers */
#define SIZE		HLK_GUEST_SCRATCH_SIZE
#define GPA		(HLK_GUEST_SCRATCH_TOP - SIZE)
#define READY		0x1234		/* EIP and ESP of calls */

int ioctl(int fd, unsigned long cmd, ...);
int open(const char *path, int flags, ...);

struct vm {
	int hlk_fd, vcpu_fd;
	unsigned char *scratch;
	struct kvm_run *run;
	uint64_t generation;
	struct {
		unsigned int at, len;
		unsigned char text[256];
	} say;			/* what is left to be printed */
	bool asked;		/* a host function was called */
	unsigned int odd;	/* calls of "o" */
};

struct played played;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct vm vms[VMS];

/* Shall this one fail? */
bool played_fails(const char *what)
{
	unsigned int at = atomic_load(&played.fail_at);

	if (!at || atomic_fetch_add(&played.things, 1) + 1 != at)
		return false;
	atomic_store(&played.failed, what);
	return true;
}

unsigned int played_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int nr = 0;

	while (readdir(dir))
		nr++;
	closedir(dir);
	return nr;
}

static int new_file(off_t size)
{
	int fd = memfd_create("played", MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, size))
		abort();
	return fd;
}

/* Not by mmap(), which a test may have fail, and count */
static void *map(int fd, off_t at, size_t size)
{
#ifdef SYS_mmap2
	long mem = syscall(SYS_mmap2, NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
			   fd, (unsigned long)(at / PAGE));
#else
	long mem = syscall(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
			   fd, at);
#endif

	if (mem == -1)
		abort();
	return (void *)mem;
}

static void forget(struct vm *vm)
{
	if (vm->scratch)
		syscall(SYS_munmap, vm->scratch, SIZE);
	if (vm->run)
		syscall(SYS_munmap, vm->run, RUN_SIZE);
	*vm = (struct vm) {};
}

/* VMs are told by their files; a number that comes again is that of a new one. */
static void forget_fd(int fd)
{
	struct vm *vm;

	for (vm = vms; vm < vms + VMS; vm++)
		if (vm->scratch && (vm->hlk_fd == fd || vm->vcpu_fd == fd))
			forget(vm);
}

static struct vm *vm_of(int hlk_fd, int vcpu_fd)
{
	struct vm *vm, *found = NULL;

	pthread_mutex_lock(&lock);
	for (vm = vms; vm < vms + VMS && !found; vm++)
		if (vm->scratch && ((hlk_fd >= 0 && vm->hlk_fd == hlk_fd) ||
				    (vcpu_fd >= 0 && vm->vcpu_fd == vcpu_fd)))
			found = vm;
	pthread_mutex_unlock(&lock);
	return found;
}

/* Of an fd that was duplicated, too */
static struct vm *vm_of_file(int fd)
{
	struct stat one, other;
	struct vm *vm, *found = NULL;

	if (fstat(fd, &one))
		return NULL;
	pthread_mutex_lock(&lock);
	for (vm = vms; vm < vms + VMS && !found; vm++)
		if (vm->scratch && !fstat(vm->hlk_fd, &other) && one.st_ino == other.st_ino)
			found = vm;
	pthread_mutex_unlock(&lock);
	return found;
}

static int attach(struct hlk_vm_attach *arg)
{
	struct vm *vm;
	int fd = new_file(1LL << 32);

	if (fd < 0)
		return -1;
	pthread_mutex_lock(&lock);
	forget_fd(fd);
	forget_fd(-arg->vm_fd - 2);
	for (vm = vms; vm->scratch; vm++)
		if (vm == vms + VMS - 1)
			abort();
	vm->hlk_fd = fd;
	vm->vcpu_fd = -arg->vm_fd - 2;	/* until there is one */
	vm->scratch = map(fd, GPA, SIZE);
	pthread_mutex_unlock(&lock);
	arg->out_fd = fd;
	return 0;
}

static int new_vcpu(int vm_fd)
{
	int fd = new_file(RUN_SIZE);
	struct vm *vm;

	if (fd < 0)
		return -1;
	pthread_mutex_lock(&lock);
	forget_fd(fd);
	for (vm = vms; vm < vms + VMS; vm++)
		if (vm->scratch && vm->vcpu_fd == -vm_fd - 2)
			break;
	if (vm == vms + VMS)
		abort();
	vm->vcpu_fd = fd;
	vm->run = map(fd, 0, RUN_SIZE);
	pthread_mutex_unlock(&lock);
	return fd;
}

/* ---- the guest ---- */

static void push(struct vm *vm, const void *head, size_t head_len, const void *body,
		 size_t len)
{
	unsigned char *buf = vm->scratch + BUF;
	uint64_t sp, end;

	memcpy(&sp, buf, 8);
	memcpy(buf + sp, head, head_len);
	if (len)
		memcpy(buf + sp + head_len, body, len);
	end = sp + head_len + len;
	memcpy(buf + end, &sp, 8);
	end += 8;
	memcpy(buf, &end, 8);
}

static void answer(struct vm *vm, uint32_t status, const void *body, size_t len)
{
	struct hlk_guest_ret ret = { HLK_GUEST_RET_MAGIC, status, len };

	push(vm, &ret, sizeof(ret), body, len);
	vm->run->exit_reason = KVM_EXIT_HLT;
}

static const unsigned char *pop(struct vm *vm, uint64_t *len)
{
	uint64_t sp, start;

	memcpy(&sp, vm->scratch, 8);
	memcpy(&start, vm->scratch + sp - 8, 8);
	memcpy(vm->scratch, &start, 8);
	*len = sp - 8 - start;
	return vm->scratch + start;
}

static void out(struct vm *vm, uint16_t port, unsigned int size, uint32_t value)
{
	struct kvm_run *run = vm->run;

	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = KVM_EXIT_IO_OUT;
	run->io.port = port;
	run->io.size = size;
	run->io.count = 1;
	run->io.data_offset = 2 * PAGE;
	memcpy((unsigned char *)run + 2 * PAGE, &value, 4);
}

static void go_on(struct vm *vm)
{
	struct hlk_guest_ret ret;
	const unsigned char *got;
	uint64_t len;

	if (vm->asked) {
		vm->asked = false;
		got = pop(vm, &len);
		memcpy(&ret, got, sizeof(ret));
		answer(vm, ret.status, got + sizeof(ret), ret.len);
	} else if (vm->say.at < vm->say.len) {
		out(vm, HLK_GUEST_PORT_PUTC, 1, vm->say.text[vm->say.at++]);
	} else {
		answer(vm, 0, NULL, 0);
	}
}

static void begin(struct vm *vm)
{
	struct hlk_guest_call call;
	const unsigned char *got;
	uint64_t len;

	got = pop(vm, &len);
	memcpy(&call, got, sizeof(call));
	got += sizeof(call);
	switch (call.name_len == 1 ? *got++ : 0) {
	case 'e':
	case 'o':
		answer(vm, 0, got, call.arg_len);
		break;
	case 'k':
		answer(vm, 0, vm->scratch + SIZE - HLK_GUEST_OFF_COUNTER, 8);
		break;
	case 'x':
		push(vm, "what?", 5, NULL, 0);
		vm->run->exit_reason = KVM_EXIT_HLT;
		break;
	case 'z':
		memset(vm->scratch + BUF, 0, 8);
		vm->run->exit_reason = KVM_EXIT_HLT;
		break;
	case 'u':
		vm->run->exit_reason = KVM_EXIT_SHUTDOWN;
		break;
	case 'h':
		call.name_len = call.arg_len;
		call.arg_len = 0;
		vm->asked = true;
		push(vm, &call, sizeof(call), got, call.name_len);
		out(vm, HLK_GUEST_PORT_CALL, 4, 0);
		break;
	case 'p':
		vm->say.at = 0;
		vm->say.len = call.arg_len;
		memcpy(vm->say.text, got, call.arg_len);
		go_on(vm);
		break;
	default:
		answer(vm, ENOENT, NULL, 0);
	}
}

/* What the guest that is called does without an exit */
static int fails(struct vm *vm)
{
	uint64_t sp, start;
	struct hlk_guest_call call;
	const unsigned char *got;

	memcpy(&sp, vm->scratch, 8);
	memcpy(&start, vm->scratch + sp - 8, 8);
	got = vm->scratch + start;
	memcpy(&call, got, sizeof(call));
	if (call.name_len != 1)
		return 0;
	switch (got[sizeof(call)]) {
	case 'f':
		return -EFAULT;
	case 'i':
		return -EIO;
	case 'o':
		return vm->odd++ % 2 ? 0 : -ETIMEDOUT;
	case 's':
		return -ETIMEDOUT;
	default:
		return 0;
	}
}

/* One of so many that are left */
static bool take(atomic_uint *left)
{
	unsigned int nr = atomic_load(left);

	while (nr && !atomic_compare_exchange_weak(left, &nr, nr - 1))
		;
	return nr;
}

/* The first run is the boot. A call begins at READY. */
static int enter(struct vm *vm)
{
	struct kvm_regs *regs = &vm->run->s.regs.regs;
	int ret;

	if (vm->run->immediate_exit) {
		errno = EINTR;
		return -1;
	}
	played.runs++;
	if (atomic_load(&played.broken) || take(&played.breaks)) {
		errno = EIO;
		return -1;
	}
	ret = regs->rip == READY ? fails(vm) : 0;
	if (ret) {
		errno = -ret;
		return -1;
	}
	if (regs->rip == READY)
		begin(vm);
	else if (vm->generation || vm->asked)
		go_on(vm);
	else
		vm->run->exit_reason = KVM_EXIT_HLT;
	regs->rip = 0;
	regs->rax = READY;
	regs->rsp = READY;
	return 0;
}

/* ---- snapshots ---- */

static void empty(unsigned char *scratch)
{
	const uint64_t none = HLK_GUEST_BUFFER_EMPTY;

	memcpy(scratch, &none, 8);
	memcpy(scratch + BUF, &none, 8);
}

static int snapshot(int *out_fd, uint64_t generation)
{
	int fd = new_file(8);

	if (fd < 0)
		return -1;
	if (pwrite(fd, &generation, 8, 0) != 8)
		abort();
	*out_fd = fd;
	return 0;
}

static int info_of(int fd, struct hlk_snapshot_info *info)
{
	struct hlk_window *window = (void *)(uintptr_t)info->windows;

	if (pread(fd, &info->generation, 8, 0) != 8)
		abort();
	info->nr_vcpus = 1;
	info->input_bytes = BUF;
	info->output_bytes = BUF;
	if (info->nr_windows >= 2) {
		memset(window, 0, 2 * sizeof(*window));
		window[0].bytes = 16U << 20;
		window[1].gpa = GPA;
		window[1].bytes = SIZE;
		window[1].flags = HLK_WINDOW_SCRATCH;
	}
	info->nr_windows = 2;
	return 0;
}

/* All snapshots of a guest that is ready are the same. */
static int restore(struct vm *vm, int snap_fd)
{
	uint64_t kept = played.kept;

	if (snap_fd >= 0 && pread(snap_fd, &vm->generation, 8, 0) != 8)
		abort();
	memset(vm->scratch, 0, SIZE);
	memcpy(vm->scratch + SIZE - HLK_GUEST_OFF_COUNTER, &kept, sizeof(kept));
	empty(vm->scratch);
	vm->asked = false;
	vm->say.len = 0;
	vm->run->s.regs.regs.rip = 0;
	vm->run->s.regs.regs.rax = READY;
	vm->run->s.regs.regs.rsp = READY;
	played.restores++;
	return 0;
}

/* A word, such as the counter, may change meanwhile. */
static void copy_in(void *to, const void *from, size_t bytes)
{
	uint64_t word;

	if (bytes != sizeof(word)) {
		memcpy(to, from, bytes);
		return;
	}
	word = __atomic_load_n((const uint64_t *)from, __ATOMIC_RELAXED);
	memcpy(to, &word, sizeof(word));
}

/* Restore and give input; @own is that of the one of many calls, or NULL */
static int begin_run(struct vm *vm, struct hlk_run *arg, const struct hlk_run_call *own)
{
	const struct hlk_segment *in = (void *)(uintptr_t)arg->inputs;
	uint32_t i;

	arg->done = 0;
	arg->residue = 0;
	arg->exit_reason = 0;
	if (!(arg->head.flags & HLK_RUN_CONTINUE)) {
		restore(vm, -1);
		arg->done |= HLK_DONE_RESTORED;
		arg->freed = 1;
		if (take(&played.debug))
			arg->residue = HLK_RESIDUE_DEBUGREGS;
	}
	if (atomic_load(&played.no_input) && (arg->nr_inputs || own)) {
		played.refused++;
		errno = EDQUOT;
		return -1;
	}
	for (i = 0; i < arg->nr_inputs; i++)
		copy_in(vm->scratch + in[i].gpa - GPA, (void *)(uintptr_t)in[i].data,
			in[i].bytes);
	if (own)
		copy_in(vm->scratch + own->in_gpa - GPA, (void *)(uintptr_t)own->in,
			own->in_bytes);
	if (arg->head.flags & HLK_RUN_REGS)
		vm->run->s.regs.regs = *(struct kvm_regs *)(uintptr_t)arg->regs;
	arg->done |= HLK_DONE_INPUT;
	return 0;
}

static int enter_logged(struct vm *vm, struct hlk_run *arg)
{
	int ret;

	arg->done |= HLK_DONE_ENTERED;
	for (;;) {
		ret = enter(vm);
		if (ret || vm->run->exit_reason != KVM_EXIT_IO ||
		    vm->run->io.port != HLK_GUEST_PORT_PUTC ||
		    arg->log_used == arg->log_size)
			break;
		((char *)(uintptr_t)arg->log)[arg->log_used++] =
			((char *)vm->run)[2 * PAGE];
	}
	arg->exit_reason = vm->run->exit_reason;
	return ret;
}

/* 1: it is not as many bytes as there is room for */
static int tell(struct vm *vm, struct hlk_run_call *call)
{
	const unsigned char *from = vm->scratch + call->out_gpa - GPA;
	uint64_t bytes;

	if (atomic_load(&played.no_output)) {
		errno = EDQUOT;
		return -1;
	}
	memcpy(&bytes, from, sizeof(bytes));
	if (bytes > call->out_bytes)
		return 1;
	memcpy((void *)(uintptr_t)call->out, from, bytes);
	call->out_used = bytes;
	return 0;
}

static int run_calls(struct vm *vm, struct hlk_run *arg)
{
	struct hlk_run_call *call = (void *)(uintptr_t)arg->calls;
	int ret;

	for (arg->calls_done = 0; arg->calls_done < arg->nr_calls; call++) {
		if (arg->calls_done && vm->run->immediate_exit) {
			arg->done = 0;
			errno = EINTR;
			return -1;
		}
		if (arg->call_timeout_ns) {
			arg->call_deadline_ns = HLK_DEADLINE_NEVER - 1;
			played.begun++;
		}
		ret = begin_run(vm, arg, call);
		arg->freed = !arg->calls_done;
		arg->copied = arg->calls_done;
		if (ret || arg->residue)
			return ret;
		ret = enter_logged(vm, arg);
		if (ret || vm->run->exit_reason != KVM_EXIT_HLT)
			return ret;
		ret = tell(vm, call);
		if (ret)
			return ret < 0 ? ret : 0;
		arg->calls_done++;
	}
	return 0;
}

static int run(struct vm *vm, struct hlk_run *arg)
{
	played.requests++;
	if (arg->head.flags & HLK_RUN_CONTINUE)
		played.has_deadline = arg->deadline_ns;
	arg->log_used = 0;
	if (arg->nr_calls)
		return run_calls(vm, arg);
	if (arg->timeout_ns) {
		arg->deadline_ns = HLK_DEADLINE_NEVER - 1;
		played.begun++;
	}
	return begin_run(vm, arg, NULL) ? -1 : enter_logged(vm, arg);
}

static int run_many(struct hlk_run_many *many)
{
	struct hlk_many_call *call = (void *)(uintptr_t)many->calls;

	if (played.no_many) {
		errno = ENOMEM;
		return -1;
	}
	for (many->nr_done = 0; many->nr_done < many->nr_calls; many->nr_done++, call++)
		call->ret = run(vm_of(call->vm_fd, -1), (void *)(uintptr_t)call->run) ?
			    -errno : 0;
	return 0;
}

/* ---- system calls ---- */

/* What any processor has */
static int cpuid(struct kvm_cpuid2 *all)
{
	all->nent = 1;
	all->entries[0] = (struct kvm_cpuid_entry2) { .function = 1, .edx = ~0U };
	return 0;
}

static int on_device(int fd, unsigned long cmd, void *arg)
{
	struct hlk_info *info = arg;
	int out_fd = -1;

	switch (cmd) {
	case HLK_INFO:
		info->version = HLK_ABI_VERSION;
		info->features = ~0ULL;
		return 0;
	case HLK_VM_ATTACH:
		return attach(arg);
	case HLK_SNAPSHOT_BUILD:
		if (snapshot(&out_fd, 0))
			return -1;
		((struct hlk_snapshot_build *)arg)->out_fd = out_fd;
		return 0;
	case HLK_SNAPSHOT_INFO:
		return info_of(fd, arg);
	case HLK_RUN_MANY:
		return run_many(arg);
	case HLK_PREFAULT:
		((struct hlk_prefault *)arg)->nr_runs = 0;
		return 0;
	case KVM_GET_API_VERSION:
		return KVM_API_VERSION;
	case KVM_CHECK_EXTENSION:
		return (uintptr_t)arg == KVM_CAP_SYNC_REGS ? KVM_SYNC_X86_VALID_FIELDS :
		       (uintptr_t)arg != KVM_CAP_PRE_FAULT_MEMORY;
	case KVM_GET_VCPU_MMAP_SIZE:
		return RUN_SIZE;
	case KVM_GET_SUPPORTED_CPUID:
		return cpuid(arg);
	case KVM_GET_XSAVE:
		played.fpu_reads++;
		return 0;
	case HLK_WALK:
		((struct hlk_walk *)arg)->nr_mappings = 0;
		return 0;
	case KVM_GET_REGS:
		((struct kvm_regs *)arg)->rbx = played.rbx;
		return 0;
	case KVM_CREATE_VM:
		return new_file(PAGE);
	case KVM_CREATE_VCPU:
		return new_vcpu(fd);
	default:
		return 0;
	}
}

static int on_vm(struct vm *vm, unsigned long cmd, void *arg)
{
	struct hlk_vm_stats *stats = arg;
	struct hlk_snapshot *made = arg;
	int fd = -1;

	switch (cmd) {
	case HLK_SNAPSHOT:
		if (snapshot(&fd, 1))
			return -1;
		made->out_fd = fd;
		return 0;
	case HLK_RESTORE:
		((struct hlk_restore *)arg)->freed = 1;
		return restore(vm, ((struct hlk_restore *)arg)->snapshot_fd);
	case HLK_RUN:
		return run(vm, arg);
	case HLK_VM_STATS:
		stats->over_budget = played.refused;
		stats->private_pages = played.private_pages;
		if (played.on_stats)
			played.on_stats();
		return 0;
	case KVM_RUN:
		return enter(vm);
	default:
		return 0;
	}
}

int ioctl(int fd, unsigned long cmd, ...)
{
	struct vm *vm;
	va_list args;
	void *arg;

	va_start(args, cmd);
	arg = va_arg(args, void *);
	va_end(args);
	/* terminals are what they are */
	if (_IOC_TYPE(cmd) == 'T')
		return syscall(SYS_ioctl, fd, cmd, arg);
	if (played_fails("ioctl")) {
		errno = EIO;
		return -1;
	}
	switch (cmd) {
	case HLK_SNAPSHOT:
	case HLK_RESTORE:
	case HLK_RUN:
		vm = vm_of(fd, -1);
		break;
	case HLK_VM_STATS:
		vm = vm_of_file(fd);
		break;
	case KVM_RUN:
		vm = vm_of(-1, fd);
		break;
	default:
		return on_device(fd, cmd, arg);
	}
	if (vm)
		return on_vm(vm, cmd, arg);
	errno = EBADF;
	return -1;
}

int open(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
	va_end(args);
	if (played_fails("open")) {
		errno = EMFILE;
		return -1;
	}
	if (!strcmp(path, "/dev/hlk") || !strcmp(path, "/dev/kvm"))
		return new_file(PAGE);
	return openat(AT_FDCWD, path, flags, mode);
}

/* An ELF file of one page that nobody runs */
static const struct {
	unsigned char ehdr[52];
	uint32_t phdr[8];
	unsigned char text[16];
} __attribute__((packed)) elf = {
	{ 0x7f, 'E', 'L', 'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	  2, 0, 3, 0, 1, 0, 0, 0, 0x00, 0x10, 0x10, 0x00, 52, 0, 0, 0,
	  0, 0, 0, 0, 0, 0, 0, 0, 52, 0, 32, 0, 1, 0, 0, 0, 0, 0, 0, 0 },
	{ 1, 84, 0x101000, 0x101000, 16, 16, 5, 1 },
	{ 0xf4 },
};

int played_image(void)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);

	if (fd < 0 || pwrite(fd, &elf, sizeof(elf), 0) != sizeof(elf))
		abort();
	return fd;
}

struct hlk_sandbox *played_ready(struct hlk_ctx *ctx, struct hlk_snap **snap,
				 const struct hlk_config *config, struct hlk_err *err)
{
	struct hlk_sandbox *sb;

	*snap = NULL;
	if (hlk_sandbox_from_image(ctx, &elf, sizeof(elf), config, &sb, err))
		return NULL;
	if (!hlk_sandbox_boot(sb, 0) && !hlk_sandbox_snapshot(sb, NULL, snap) &&
	    !hlk_sandbox_restore(sb, *snap))
		return sb;
	*err = *hlk_sandbox_error(sb);
	hlk_snapshot_close(*snap);
	hlk_sandbox_close(sb);
	return NULL;
}
