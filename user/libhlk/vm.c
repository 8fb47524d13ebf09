// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The VM under a sandbox: a KVM VM whose memory is windows of hlk.ko, and one
 * vCPU that cannot change anything that a restore does not bring back.
 */
#include <cpuid.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent.h"
#include "internal.h"

static const char op[] = "cannot create the VM";

#define CPUID_SVM	(1U << 2)

/*
 * Pages that KVM wants for itself on Intel. They lie between scratch and the
 * end of the address space, where the guest has no memory.
 */
#define IDENTITY_MAP	0xfffbc000ULL
#define TSS		0xfffbd000UL

static int reserve_kvm_pages(int vm_fd, struct hlk_err *err)
{
	uint64_t identity = IDENTITY_MAP;

	if (ioctl(vm_fd, KVM_CHECK_EXTENSION,
		  KVM_CAP_SET_IDENTITY_MAP_ADDR) > 0 &&
	    ioctl(vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity))
		return hlk_err_system(err, op);
	if (ioctl(vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_SET_TSS_ADDR) > 0 &&
	    ioctl(vm_fd, KVM_SET_TSS_ADDR, TSS))
		return hlk_err_system(err, op);
	return 0;
}

/*
 * A restore does not bring MSRs back, so the guest gets #GP for each of them.
 * KVM wants at least one range to be given: one that allows nothing.
 */
static int deny_msrs(struct hlk_sandbox *sb, struct hlk_err *err)
{
	uint64_t nothing = 0;
	struct kvm_msr_filter filter = {
		.flags = KVM_MSR_FILTER_DEFAULT_DENY,
		.ranges[0] = {
			.flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE,
			.nmsrs = 8,
			.bitmap = (uint8_t *)&nothing,
		},
	};

	if (ioctl(sb->vm_fd, KVM_X86_SET_MSR_FILTER, &filter))
		return hlk_err_system(err, "cannot keep MSRs from the guest");
	return 0;
}

/*
 * Linux gives up the making of a VM for any signal, though the call could just be
 * made again. Signals that keep coming would have it do so for ever, so they
 * wait; one that stops the process cannot.
 */
static int create_kvm(int kvm_fd)
{
	sigset_t all, old;
	int fd;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	do
		fd = ioctl(kvm_fd, KVM_CREATE_VM, 0);
	while (fd < 0 && errno == EINTR);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return fd;
}

/**
 * hlk_vm_kvm() - make a KVM VM
 * @ctx: the context
 * @vm_fd: out: the VM, also after a failure if there is one; else as it was
 * @err: out: why it cannot be
 *
 * Return: 0 or a negative errno
 */
int hlk_vm_kvm(struct hlk_ctx *ctx, int *vm_fd, struct hlk_err *err)
{
	int fd = create_kvm(ctx->kvm_fd);

	if (fd < 0)
		return hlk_err_system(err, op);
	*vm_fd = fd;
	return reserve_kvm_pages(fd, err);
}

/*
 * MSRs whose writes nobody could take back: KVM takes VM_CR.SVM_DIS for good, old ones
 * HWCR.McStatusWrEn too, and memory that it may have where the local APIC is shows when
 * that is switched off or over.
 */
#define APIC_BASE	0x1bU
#define HWCR		0xc0010015U
#define VM_CR		0xc0010114U

/**
 * hlk_vm_machine() - close to a machine's guest what a restore does not bring back
 * @vm_fd: the VM
 * @err: out: why it cannot be
 *
 * Return: 0 or a negative errno
 */
int hlk_vm_machine(int vm_fd, struct hlk_err *err)
{
	uint64_t nothing = 0;
	struct kvm_msr_filter filter = {
		.flags = KVM_MSR_FILTER_DEFAULT_ALLOW,
		.ranges = {
			{ .flags = KVM_MSR_FILTER_WRITE, .nmsrs = 1, .base = APIC_BASE,
			  .bitmap = (uint8_t *)&nothing },
			{ .flags = KVM_MSR_FILTER_WRITE, .nmsrs = 1, .base = HWCR,
			  .bitmap = (uint8_t *)&nothing },
			{ .flags = KVM_MSR_FILTER_WRITE, .nmsrs = 1, .base = VM_CR,
			  .bitmap = (uint8_t *)&nothing },
		},
	};

	if (ioctl(vm_fd, KVM_X86_SET_MSR_FILTER, &filter))
		return hlk_err_system(err, "cannot keep MSRs from the guest");
	return 0;
}

/**
 * hlk_vm_attach() - attach hlk to a KVM VM
 * @ctx: the context
 * @vm_fd: the VM
 * @max_private: see struct hlk_config
 * @keep_private: see struct hlk_config
 * @hlk_fd: out: the hlk VM
 * @err: out: why it cannot be
 *
 * Return: 0 or a negative errno
 */
int hlk_vm_attach(struct hlk_ctx *ctx, int vm_fd, uint64_t max_private,
		  uint64_t keep_private, int *hlk_fd, struct hlk_err *err)
{
	struct hlk_vm_attach attach = {
		.head.size = sizeof(attach),
		.vm_fd = vm_fd,
		.max_private = max_private,
		.keep_private = keep_private,
	};

	if (ioctl(ctx->hlk_fd, HLK_VM_ATTACH, &attach))
		return hlk_err_module(err, &attach.head,
				      "cannot attach the VM");
	*hlk_fd = attach.out_fd;
	return 0;
}

/**
 * hlk_vm_window() - give a VM a window of memory
 * @hlk_fd: the hlk VM
 * @vm_fd: the KVM VM
 * @slot: number of the memslot
 * @window: the window
 * @mem: out: where it is mapped, also after a failure if it is; else as it was
 * @err: out: why it cannot be
 *
 * Return: 0 or a negative errno
 */
int hlk_vm_window(int hlk_fd, int vm_fd, uint32_t slot,
		  const struct hlk_window *window, void **mem,
		  struct hlk_err *err)
{
	struct hlk_window_add add = {
		.head.size = sizeof(add),
		.window = *window,
	};
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.guest_phys_addr = window->gpa,
		.memory_size = window->bytes,
	};
	int prot = PROT_READ | PROT_WRITE;
	void *map;

	if (window->flags & HLK_WINDOW_READONLY) {
		prot = PROT_READ;
		region.flags = KVM_MEM_READONLY;
	}
	if (ioctl(hlk_fd, HLK_WINDOW_ADD, &add))
		return hlk_err_module(err, &add.head,
				      "cannot add guest memory");
	map = mmap(NULL, window->bytes, prot, MAP_SHARED, hlk_fd, window->gpa);
	if (map == MAP_FAILED)
		return hlk_err_system(err, "cannot map guest memory");
	*mem = map;
	region.userspace_addr = (uintptr_t)map;
	if (ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, &region))
		return hlk_err_system(err, "cannot give KVM the guest memory");
	return 0;
}

static int add_window(struct hlk_sandbox *sb, const struct hlk_window *window,
		      struct hlk_err *err)
{
	struct hlk_ram *ram = &sb->window[sb->nr_windows];
	int ret = hlk_vm_window(sb->hlk_fd, sb->vm_fd, sb->nr_windows, window,
				&ram->mem, err);

	if (!ram->mem)
		return ret;
	ram->gpa = window->gpa;
	ram->bytes = window->bytes;
	if (window->flags & HLK_WINDOW_SCRATCH)
		sb->scratch = ram;
	sb->nr_windows++;
	return ret;
}

static int set_cpu(struct hlk_sandbox *sb, struct hlk_err *err)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_ENFORCE_PV_FEATURE_CPUID,
		.args[0] = 1,
	};

	if (ioctl(sb->vcpu_fd, KVM_SET_CPUID2, sb->ctx->cpuid))
		return hlk_err_system(err, "cannot set the vCPU's CPUID");
	if (sb->ctx->enforce_pv && ioctl(sb->vcpu_fd, KVM_ENABLE_CAP, &cap))
		return hlk_err_system(err, "cannot close KVM's hypercalls");
	return 0;
}

/* Of AMD's processors the module looks at segment and control registers by itself. */
static bool finds_segments(void)
{
	unsigned int eax, ebx, ecx, edx;

	return __get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx) && ecx & CPUID_SVM;
}

static int create_vcpu(struct hlk_sandbox *sb, struct hlk_err *err)
{
	void *run;

	sb->vcpu_fd = ioctl(sb->vm_fd, KVM_CREATE_VCPU, 0);
	if (sb->vcpu_fd < 0)
		return hlk_err_system(err, "cannot create the vCPU");
	run = mmap(NULL, sb->ctx->run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		   sb->vcpu_fd, 0);
	if (run == MAP_FAILED)
		return hlk_err_system(err, "cannot map the vCPU");
	sb->run = run;
	/* what is looked at after a call; all else KVM is asked for when it is needed */
	sb->run->kvm_valid_regs = KVM_SYNC_X86_REGS;
	if (!finds_segments())
		sb->run->kvm_valid_regs |= KVM_SYNC_X86_SREGS;
	return set_cpu(sb, err);
}

/**
 * hlk_vm_create() - make the VM of a sandbox
 * @sb: the sandbox; what was made is in it, also after a failure
 * @config: budgets
 * @windows: its memory
 * @nr: length of @windows, at most HLK_LIB_MAX_WINDOWS
 * @err: out: why it cannot be
 *
 * Return: 0 or a negative errno
 */
int hlk_vm_create(struct hlk_sandbox *sb, const struct hlk_config *config,
		  const struct hlk_window *windows, uint32_t nr,
		  struct hlk_err *err)
{
	uint32_t i;
	int ret;

	ret = hlk_vm_kvm(sb->ctx, &sb->vm_fd, err);
	if (!ret)
		ret = deny_msrs(sb, err);
	if (!ret)
		ret = hlk_vm_attach(sb->ctx, sb->vm_fd, config->max_private,
				    config->keep_private, &sb->hlk_fd, err);
	if (ret)
		return ret;
	for (i = 0; i < nr; i++) {
		ret = add_window(sb, &windows[i], err);
		if (ret)
			return ret;
	}
	return create_vcpu(sb, err);
}

/**
 * hlk_vm_destroy() - undo hlk_vm_create(), as far as it came
 * @sb: the sandbox
 */
void hlk_vm_destroy(struct hlk_sandbox *sb)
{
	uint32_t i;

	if (sb->agent) {
		hlk_agent_destroy(sb);
		return;
	}
	if (sb->run)
		munmap(sb->run, sb->ctx->run_size);
	if (sb->vcpu_fd >= 0)
		close(sb->vcpu_fd);
	if (sb->vm_fd >= 0)
		close(sb->vm_fd);
	for (i = 0; i < sb->nr_windows; i++)
		munmap(sb->window[i].mem, sb->window[i].bytes);
	if (sb->hlk_fd >= 0)
		close(sb->hlk_fd);
}

/**
 * hlk_vm_at() - where guest-physical memory is mapped
 * @sb: the sandbox
 * @gpa: where it starts
 * @bytes: how much of it
 *
 * Return: where, or NULL if it is not all in one window
 */
unsigned char *hlk_vm_at(const struct hlk_sandbox *sb, uint64_t gpa,
			 uint64_t bytes)
{
	const struct hlk_ram *ram;
	uint32_t i;

	for (i = 0; i < sb->nr_windows; i++) {
		ram = &sb->window[i];
		if (gpa >= ram->gpa && bytes <= ram->bytes &&
		    gpa - ram->gpa <= ram->bytes - bytes)
			return (unsigned char *)ram->mem + (gpa - ram->gpa);
	}
	return NULL;
}
