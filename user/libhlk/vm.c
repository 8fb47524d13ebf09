// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The VM under a sandbox: a KVM VM whose memory is windows of hlk.ko, and one
 * vCPU that cannot change anything that a restore does not bring back.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

static const char op[] = "cannot create the VM";

/*
 * Pages that KVM wants for itself on Intel. They lie between scratch and the
 * end of the address space, where the guest has no memory.
 */
#define IDENTITY_MAP	0xfffbc000ULL
#define TSS		0xfffbd000UL

static int reserve_kvm_pages(struct hlk_sandbox *sb, struct hlk_err *err)
{
	uint64_t identity = IDENTITY_MAP;

	if (ioctl(sb->vm_fd, KVM_CHECK_EXTENSION,
		  KVM_CAP_SET_IDENTITY_MAP_ADDR) > 0 &&
	    ioctl(sb->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity))
		return hlk_err_system(err, op);
	if (ioctl(sb->vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_SET_TSS_ADDR) > 0 &&
	    ioctl(sb->vm_fd, KVM_SET_TSS_ADDR, TSS))
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

static int create_vm(struct hlk_sandbox *sb, struct hlk_err *err)
{
	int ret;

	sb->vm_fd = create_kvm(sb->ctx->kvm_fd);
	if (sb->vm_fd < 0)
		return hlk_err_system(err, op);
	ret = reserve_kvm_pages(sb, err);
	return ret ? ret : deny_msrs(sb, err);
}

static int attach(struct hlk_sandbox *sb, const struct hlk_config *config,
		  struct hlk_err *err)
{
	struct hlk_vm_attach attach = {
		.head.size = sizeof(attach),
		.vm_fd = sb->vm_fd,
		.max_private = config->max_private,
		.keep_private = config->keep_private,
	};

	if (ioctl(sb->ctx->hlk_fd, HLK_VM_ATTACH, &attach))
		return hlk_err_module(err, &attach.head,
				      "cannot attach the VM");
	sb->hlk_fd = attach.out_fd;
	return 0;
}

static int add_window(struct hlk_sandbox *sb, const struct hlk_window *window,
		      struct hlk_err *err)
{
	struct hlk_window_add add = {
		.head.size = sizeof(add),
		.window = *window,
	};
	struct hlk_mapped *mapped = &sb->window[sb->nr_windows];
	struct kvm_userspace_memory_region region = {
		.slot = sb->nr_windows,
		.guest_phys_addr = window->gpa,
		.memory_size = window->bytes,
	};
	int prot = PROT_READ | PROT_WRITE;
	void *mem;

	if (window->flags & HLK_WINDOW_READONLY) {
		prot = PROT_READ;
		region.flags = KVM_MEM_READONLY;
	}
	if (ioctl(sb->hlk_fd, HLK_WINDOW_ADD, &add))
		return hlk_err_module(err, &add.head,
				      "cannot add guest memory");
	mem = mmap(NULL, window->bytes, prot, MAP_SHARED, sb->hlk_fd,
		   window->gpa);
	if (mem == MAP_FAILED)
		return hlk_err_system(err, "cannot map guest memory");
	mapped->gpa = window->gpa;
	mapped->bytes = window->bytes;
	mapped->mem = mem;
	if (window->flags & HLK_WINDOW_SCRATCH)
		sb->scratch = mapped;
	sb->nr_windows++;
	region.userspace_addr = (uintptr_t)mem;
	if (ioctl(sb->vm_fd, KVM_SET_USER_MEMORY_REGION, &region))
		return hlk_err_system(err, "cannot give KVM the guest memory");
	return 0;
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
	sb->run->kvm_valid_regs = KVM_SYNC_X86_VALID_FIELDS;
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

	ret = create_vm(sb, err);
	if (ret)
		return ret;
	ret = attach(sb, config, err);
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
	const struct hlk_mapped *mapped;
	uint32_t i;

	for (i = 0; i < sb->nr_windows; i++) {
		mapped = &sb->window[i];
		if (gpa >= mapped->gpa && bytes <= mapped->bytes &&
		    gpa - mapped->gpa <= mapped->bytes - bytes)
			return mapped->mem + (gpa - mapped->gpa);
	}
	return NULL;
}
