// SPDX-License-Identifier: GPL-2.0-only
/*
 * A KVM VM with one vCPU, 32-bit code and page tables.
 */
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "hlk_test.h"

#define CR0_PE	0x1
#define CR0_ET	0x10
#define CPUID_DEADLINE	0x1000000U	/* leaf 1, ECX */

/* As libhlk does: what guests can do to MSRs is no news in every test. */
static void deny_msrs(int vm)
{
	struct kvm_msr_filter filter = { .flags = KVM_MSR_FILTER_DEFAULT_DENY };
	u64 none = 0;

	filter.ranges[0].flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE;
	filter.ranges[0].nmsrs = 1;
	filter.ranges[0].bitmap = (u8 *)&none;
	t_must(!ioctl(vm, KVM_X86_SET_MSR_FILTER, &filter));
}

static void open_vm(struct tvm *t, bool irqchip, bool msrs, u32 ecx)
{
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[256];
	} cpuid = { .head.nent = 256 };
	u32 i;

	memset(t, 0, sizeof(*t));
	t->hlk = -1;
	t->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	t_must(t->kvm >= 0);
	/* mm_take_all_locks() gives up for any signal, SIGSTOP too */
	do
		t->vm = ioctl(t->kvm, KVM_CREATE_VM, 0);
	while (t->vm < 0 && errno == EINTR);
	t_must(t->vm >= 0);
	t_must(!ioctl(t->vm, KVM_SET_TSS_ADDR, 0xfffbd000));
	if (!msrs)
		deny_msrs(t->vm);
	if (irqchip)
		t_must(!ioctl(t->vm, KVM_CREATE_IRQCHIP, 0));
	t->vcpu = ioctl(t->vm, KVM_CREATE_VCPU, 0);
	t_must(t->vcpu >= 0);
	t_must(!ioctl(t->kvm, KVM_GET_SUPPORTED_CPUID, &cpuid));
	for (i = 0; i < cpuid.head.nent; i++)
		if (cpuid.entries[i].function == 1)
			cpuid.entries[i].ecx |= ecx;
	t_must(!ioctl(t->vcpu, KVM_SET_CPUID2, &cpuid));
	t->run_bytes = ioctl(t->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	t->run = mmap(NULL, t->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		      t->vcpu, 0);
	t_must(t->run != MAP_FAILED);
	t->run->kvm_valid_regs = SYNC_ALL;
	t->dev = hlk_open();
}

void tvm_open(struct tvm *t)
{
	open_vm(t, false, false, 0);
}

/* One that lets its guest at all MSRs */
void tvm_open_msrs(struct tvm *t)
{
	open_vm(t, false, true, 0);
}

static void add_pit(struct tvm *t)
{
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };

	t_must(!ioctl(t->vm, KVM_CREATE_PIT2, &pit));
}

/* One that does, with all of KVM's interrupt controllers */
void tvm_open_pc(struct tvm *t)
{
	open_vm(t, true, true, 0);
	add_pit(t);
}

/* And with deadlines of the APIC's timer, which KVM has, but does not offer by CPUID */
void tvm_open_deadline(struct tvm *t)
{
	open_vm(t, true, true, CPUID_DEADLINE);
	add_pit(t);
}

/* With KVM's interrupt controllers, so that HLT waits and does not exit */
void tvm_open_irqchip(struct tvm *t)
{
	open_vm(t, true, false, 0);
}

void tvm_attach(struct tvm *t, u64 max_private, u64 keep_private)
{
	t->hlk = hlk_attach(t->dev, t->vm, max_private, keep_private);
	errno = t->hlk < 0 ? -t->hlk : 0;
	t_must(t->hlk >= 0);
}

u8 *tvm_memslot(struct tvm *t, u64 gpa, u64 bytes, void *at, u32 flags)
{
	struct kvm_userspace_memory_region slot = {
		.slot = t->nr_maps,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = bytes,
		.userspace_addr = (uintptr_t)at,
	};

	t_must(t->nr_maps < ARRAY_SIZE(t->maps));
	t_must(!ioctl(t->vm, KVM_SET_USER_MEMORY_REGION, &slot));
	t->maps[t->nr_maps].gpa = gpa;
	t->maps[t->nr_maps].bytes = bytes;
	t->maps[t->nr_maps++].at = at;
	return at;
}

/* Ordinary memory, that hlk knows nothing of */
u8 *tvm_ram(struct tvm *t, u64 gpa, u64 bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	t_must(at != MAP_FAILED);
	return tvm_memslot(t, gpa, bytes, at, 0);
}

u8 *tvm_map(struct tvm *t, u64 gpa, u64 bytes, int prot)
{
	void *at = mmap(NULL, bytes, prot, MAP_SHARED, t->hlk, gpa);

	t_must(at != MAP_FAILED);
	return at;
}

u8 *tvm_window(struct tvm *t, u64 gpa, u64 bytes, u32 flags)
{
	bool readonly = flags & HLK_WINDOW_READONLY;
	u8 *at;

	t_must(!hlk_window_add(t->hlk, gpa, bytes, flags));
	at = tvm_map(t, gpa, bytes, readonly ? PROT_READ : PROT_READ | PROT_WRITE);
	return tvm_memslot(t, gpa, bytes, at, readonly ? KVM_MEM_READONLY : 0);
}

/* Where the process has what the guest has at gpa */
u8 *tvm_at(struct tvm *t, u64 gpa)
{
	u32 i;

	for (i = 0; i < t->nr_maps; i++)
		if (gpa - t->maps[i].gpa < t->maps[i].bytes)
			return t->maps[i].at + (gpa - t->maps[i].gpa);
	t_must(!"gpa in a memslot");
	return NULL;
}

/* One more vCPU of the same VM, under its own name */
void tvm_vcpu(struct tvm *other, const struct tvm *t, u32 id)
{
	*other = *t;
	other->vcpu = ioctl(t->vm, KVM_CREATE_VCPU, id);
	t_must(other->vcpu >= 0);
	other->run = mmap(NULL, other->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			  other->vcpu, 0);
	t_must(other->run != MAP_FAILED);
	other->run->kvm_valid_regs = SYNC_ALL;
}

void tvm_vcpu_close(struct tvm *other)
{
	munmap(other->run, other->run_bytes);
	close(other->vcpu);
}

void tvm_close(struct tvm *t)
{
	u32 i;

	for (i = 0; i < t->nr_maps; i++)
		munmap(t->maps[i].at, t->maps[i].bytes);
	t->nr_maps = 0;
	if (t->run)
		munmap(t->run, t->run_bytes);
	t->run = NULL;
	if (t->hlk >= 0)
		close(t->hlk);
	close(t->dev);
	close(t->vcpu);
	close(t->vm);
	close(t->kvm);
}

/* The usual machine, for a VM that is open */
void tvm_machine(struct tvm *t, u64 max_private, u64 keep_private)
{
	tvm_attach(t, max_private, keep_private);
	tvm_window(t, 0, TVM_LOW, 0);
	tvm_window(t, TVM_SCRATCH_GPA, TVM_SCRATCH, HLK_WINDOW_SCRATCH);
	tvm_set(t, TVM_CODE);
}

void tvm_start(struct tvm *t, u64 max_private, u64 keep_private)
{
	tvm_open(t);
	tvm_machine(t, max_private, keep_private);
}

void tvm_load_(struct tvm *t, u64 gpa, const u8 *code, const u8 *end)
{
	memcpy(tvm_at(t, gpa), code, end - code);
}

/* A gate in the guest's IDT; its code is at TVM_HANDLER */
void tvm_handler_(struct tvm *t, u32 vector, const u8 *code, const u8 *end)
{
	static const u64 gdt[] = {
		0, 0x00cf9b000000ffffULL, 0x00cf93000000ffffULL,
	};
	u64 gate = (TVM_HANDLER & 0xffff) | (u64)HLK_GUEST_CS << 16 |
		   0x8e00ULL << 32 | (u64)(TVM_HANDLER >> 16) << 48;

	memcpy(tvm_at(t, TVM_GDT), gdt, sizeof(gdt));
	memcpy(tvm_at(t, TVM_IDT + 8 * vector), &gate, sizeof(gate));
	tvm_load_(t, TVM_HANDLER, code, end);
}

/* Where KVM says that the guest has an address, or ~0 */
u64 tvm_gpa(struct tvm *t, u64 va)
{
	struct kvm_translation tr = { .linear_address = va };

	t_must(!ioctl(t->vcpu, KVM_TRANSLATE, &tr));
	return tr.valid ? tr.physical_address : ~0ULL;
}

u32 tvm_word(struct tvm *t, u32 gpa)
{
	return *(volatile u32 *)tvm_at(t, gpa);
}

static struct kvm_segment segment(u32 selector, u8 type)
{
	return (struct kvm_segment){
		.limit = 0xffffffff,
		.selector = selector,
		.type = type,
		.present = 1,
		.db = 1,
		.s = 1,
		.g = 1,
	};
}

/*
 * Flat 32-bit segments, no paging. EFLAGS.IF is set though no interrupt comes:
 * Bochs cannot take a guest off the CPU that runs for ever without.
 */
void tvm_flat(struct kvm_sync_regs *regs, u32 eip, u32 esp)
{
	struct kvm_sregs *s = &regs->sregs;

	memset(regs, 0, sizeof(*regs));
	regs->regs.rip = eip;
	regs->regs.rsp = esp;
	regs->regs.rflags = 0x202;
	s->cs = segment(HLK_GUEST_CS, 11);
	s->ds = segment(HLK_GUEST_DS, 3);
	s->es = s->ds;
	s->fs = s->ds;
	s->gs = s->ds;
	s->ss = s->ds;
	s->tr = (struct kvm_segment){ .limit = 0xffff, .type = 11, .present = 1 };
	s->ldt = (struct kvm_segment){ .unusable = 1 };
	s->cr0 = CR0_PE | CR0_ET;
	s->apic_base = 0xfee00900;
}

/* The same with the tables that tvm_handler() fills */
void tvm_tables(struct kvm_sync_regs *regs)
{
	tvm_flat(regs, TVM_CODE, TVM_STACK);
	regs->sregs.gdt.base = TVM_GDT;
	regs->sregs.gdt.limit = 23;
	regs->sregs.idt.base = TVM_IDT;
	regs->sregs.idt.limit = 0x1ff;
}

/* A snapshot of the usual machine with a vCPU that has these registers */
int tvm_build(struct tvm *t, struct kvm_sync_regs *regs)
{
	struct hlk_snapshot_build build = HLK_STRUCT(hlk_snapshot_build);
	struct hlk_window windows[] = {
		{ .bytes = TVM_LOW },
		{ .gpa = TVM_SCRATCH_GPA, .bytes = TVM_SCRATCH,
		  .flags = HLK_WINDOW_SCRATCH },
	};
	long ret;

	build.windows = (uintptr_t)windows;
	build.nr_windows = ARRAY_SIZE(windows);
	build.window_size = sizeof(windows[0]);
	build.vcpus = (uintptr_t)regs;
	build.nr_vcpus = 1;
	build.vcpu_size = sizeof(*regs);
	ret = hlk_call(t->dev, HLK_SNAPSHOT_BUILD, &build);
	return ret ? ret : build.out_fd;
}

/*
 * Registers are set by ioctl, so that KVM has checked them, and are then also
 * in struct kvm_run.
 */
void tvm_set_regs(struct tvm *t, struct kvm_sync_regs *regs)
{
	t_must(!ioctl(t->vcpu, KVM_SET_SREGS, &regs->sregs));
	t_must(!ioctl(t->vcpu, KVM_SET_REGS, &regs->regs));
	t->run->immediate_exit = 1;
	t_must(ioctl(t->vcpu, KVM_RUN, 0) == -1 && errno == EINTR);
	t->run->immediate_exit = 0;
}

void tvm_set(struct tvm *t, u32 eip)
{
	struct kvm_sync_regs regs;

	tvm_flat(&regs, eip, TVM_STACK);
	tvm_set_regs(t, &regs);
}

void tvm_set_paging(struct tvm *t, u32 eip, u32 cr3, u32 cr4)
{
	struct kvm_sync_regs regs;

	tvm_flat(&regs, eip, TVM_STACK);
	regs.sregs.cr0 = HLK_GUEST_CR0;
	regs.sregs.cr3 = cr3;
	regs.sregs.cr4 = cr4;
	tvm_set_regs(t, &regs);
}

/* The exit reason, or -errno */
int tvm_run(struct tvm *t)
{
	return ioctl(t->vcpu, KVM_RUN, 0) ? -errno : (int)t->run->exit_reason;
}

/* Let KVM finish the I/O that the last exit was for, without running on */
int tvm_complete_io(struct tvm *t)
{
	int ret;

	t->run->immediate_exit = 1;
	ret = tvm_run(t);
	t->run->immediate_exit = 0;
	return ret == -EINTR ? 0 : -1;
}

/* A statistic of the vCPU, by name */
u64 tvm_stat(struct tvm *t, const char *name)
{
	int fd = ioctl(t->vcpu, KVM_GET_STATS_FD, 0);
	struct kvm_stats_header head;
	struct kvm_stats_desc *desc;
	u64 value = 0;
	bool found = false;
	size_t bytes;
	u32 i;

	t_must(fd >= 0);
	t_must(pread(fd, &head, sizeof(head), 0) == sizeof(head));
	bytes = sizeof(*desc) + head.name_size;
	desc = malloc(bytes);
	for (i = 0; i < head.num_desc && !found; i++) {
		t_must(pread(fd, desc, bytes, head.desc_offset + i * bytes) ==
		       (ssize_t)bytes);
		found = !strcmp(desc->name, name);
	}
	t_must(found);
	t_must(pread(fd, &value, sizeof(value), head.data_offset + desc->offset) ==
	       sizeof(value));
	free(desc);
	close(fd);
	return value;
}

static void no_op(int sig)
{
}

static void *runner(void *arg)
{
	struct tvm_runner *r = arg;

	r->ret = tvm_run(r->t);
	r->done = true;
	return NULL;
}

/*
 * Run the vCPU in a thread of its own. The guest says that it runs by changing
 * the word at TVM_DATA from 0.
 */
void tvm_runner_start(struct tvm_runner *r, struct tvm *t)
{
	struct sigaction action = { .sa_handler = no_op };
	const struct timespec tick = { .tv_nsec = 1000000 };
	volatile u32 *word = (u32 *)tvm_at(t, TVM_DATA);
	pthread_t thread;

	sigaction(SIGUSR1, &action, NULL);
	*word = 0;
	r->t = t;
	r->done = false;
	t_must(!pthread_create(&thread, NULL, runner, r));
	r->thread = (unsigned long)thread;
	while (!*word && !r->done)
		nanosleep(&tick, NULL);
	t_must(!r->done);
}

/* Get it out of KVM_RUN; what that returned */
int tvm_runner_kick(struct tvm_runner *r)
{
	const struct timespec tick = { .tv_nsec = 1000000 };

	while (!r->done) {
		pthread_kill((pthread_t)r->thread, SIGUSR1);
		nanosleep(&tick, NULL);
	}
	pthread_join((pthread_t)r->thread, NULL);
	return r->ret;
}

u32 tvm_pt_page(struct tvm_pt *pt)
{
	u32 gpa = pt->next;

	memset(tvm_at(pt->t, gpa), 0, PAGE);
	pt->next += PAGE;
	return gpa;
}

/* The table entry for va; its table is made if there is none. */
u32 *tvm_pt_entry(struct tvm_pt *pt, u32 root, u32 va)
{
	u32 *pde = (u32 *)tvm_at(pt->t, root) + (va >> 22);

	if (!(*pde & PTE_P))
		*pde = tvm_pt_page(pt) | pt->flags;
	return (u32 *)tvm_at(pt->t, *pde & ~4095U) + (va >> 12) % 1024;
}

void tvm_pt_map(struct tvm_pt *pt, u32 root, u32 va, u32 gpa, u32 pages, u32 flags)
{
	for (; pages--; va += PAGE, gpa += PAGE)
		*tvm_pt_entry(pt, root, va) = gpa | flags;
}
