// SPDX-License-Identifier: GPL-2.0-only
/* VMs of a Linux guest: interrupt controllers, a timer, and no device at all. */
#include <cpuid.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "linux_bench.h"

/* CPUID 1, ECX and EDX */
#define VMX		(1U << 5)
#define HYPERVISOR	(1U << 31)
#define HTT		(1U << 28)
/* 0x80000001, ECX */
#define SVM		(1U << 2)
/* KVM's: clocks, and no delays for I/O */
#define PARAVIRT	(1U << 0 | 1U << 1 | 1U << 3 | 1U << 24)

#define TSS_BUSY	11
#define TSS_AVAILABLE	9
#define AUTH		0x68747541U	/* AuthenticAMD */
#define HYGO		0x6f677948U	/* HygonGenuine */

/* Notes errno's reason for a failure; always -1 */
int linux_fail(struct linux_vm *vm, const char *what)
{
	if (!vm->why[0])
		snprintf(vm->why, sizeof(vm->why), "%s: %s", what, strerror(errno));
	return -1;
}

/* KVM's, for one processor that has no guests of its own */
static int set_cpuid(struct linux_vm *vm)
{
	const struct kvm_cpuid2 *from = vm->env->cpuid;
	struct kvm_cpuid_entry2 *entry;
	struct kvm_cpuid2 *own;
	uint32_t i;
	int ret;

	own = malloc(sizeof(*own) + from->nent * sizeof(*entry));
	if (!own)
		return linux_fail(vm, "memory");
	memcpy(own, from, sizeof(*own) + from->nent * sizeof(*entry));
	for (i = 0; i < own->nent; i++) {
		entry = &own->entries[i];
		if (entry->function == 1) {
			entry->ebx = (entry->ebx & 0xffff) | 1U << 16;
			entry->ecx = (entry->ecx | HYPERVISOR) & ~VMX;
			entry->edx &= ~HTT;
		} else if (entry->function == 0x40000001) {
			entry->eax &= PARAVIRT;
		} else if (entry->function == 0x80000001) {
			entry->ecx &= ~SVM;
		} else if (entry->function == 0x80000008) {
			entry->ecx = 0;
		}
	}
	ret = ioctl(vm->vcpu, KVM_SET_CPUID2, own);
	free(own);
	return ret ? linux_fail(vm, "KVM_SET_CPUID2") : 0;
}

/**
 * linux_open() - a VM with a vCPU and no memory
 * @vm: out: the VM
 * @env: the run
 *
 * Return: 0 or -1; to be closed in both cases
 */
int linux_open(struct linux_vm *vm, const struct bench_env *env)
{
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };
	void *run;

	*vm = (struct linux_vm){ .env = env, .vm = -1, .vcpu = -1, .hlk = -1 };
	vm->vm = ioctl(env->kvm, KVM_CREATE_VM, 0);
	if (vm->vm < 0)
		return linux_fail(vm, "KVM_CREATE_VM");
	if (ioctl(vm->vm, KVM_CREATE_IRQCHIP, 0) ||
	    ioctl(vm->vm, KVM_CREATE_PIT2, &pit))
		return linux_fail(vm, "interrupt controllers");
	vm->vcpu = ioctl(vm->vm, KVM_CREATE_VCPU, 0);
	if (vm->vcpu < 0)
		return linux_fail(vm, "KVM_CREATE_VCPU");
	run = mmap(NULL, env->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		   vm->vcpu, 0);
	if (run == MAP_FAILED)
		return linux_fail(vm, "mmap of the vCPU");
	vm->run = run;
	return set_cpuid(vm);
}

/**
 * linux_memory() - give a VM its memory
 * @vm: the VM
 * @mem: a mapping, which is the VM's from now on; or MAP_FAILED
 * @bytes: its size
 * @flags: of the memslot
 *
 * Return: 0 or -1
 */
int linux_memory(struct linux_vm *vm, void *mem, uint64_t bytes, uint32_t flags)
{
	struct kvm_userspace_memory_region region = {
		.flags = flags,
		.memory_size = bytes,
		.userspace_addr = (uintptr_t)mem,
	};

	if (mem == MAP_FAILED)
		return linux_fail(vm, "mmap of memory");
	vm->mem = mem;
	vm->bytes = bytes;
	if (ioctl(vm->vm, KVM_SET_USER_MEMORY_REGION, &region))
		return linux_fail(vm, "KVM_SET_USER_MEMORY_REGION");
	return 0;
}

/* The same, with memory of hlk */
int linux_windows(struct linux_vm *vm, uint64_t bytes)
{
	struct hlk_vm_attach attach = {
		.head.size = sizeof(attach), .vm_fd = vm->vm,
	};
	struct hlk_window_add add = {
		.head.size = sizeof(add), .window.bytes = bytes,
	};

	if (ioctl(vm->env->dev, HLK_VM_ATTACH, &attach))
		return linux_fail(vm, "HLK_VM_ATTACH");
	vm->hlk = attach.out_fd;
	if (ioctl(vm->hlk, HLK_WINDOW_ADD, &add))
		return linux_fail(vm, "HLK_WINDOW_ADD");
	return linux_memory(vm, mmap(NULL, bytes, PROT_READ | PROT_WRITE,
				     MAP_SHARED, vm->hlk, 0), bytes, 0);
}

/* Nothing is there: what is read has all bits set. */
static int no_device(struct linux_vm *vm, bool *done, uint8_t *said)
{
	struct kvm_run *run = vm->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		*done = run->io.direction == KVM_EXIT_IO_OUT &&
			run->io.port == LINUX_PORT;
		*said = *data;
		if (run->io.direction == KVM_EXIT_IO_IN)
			memset(data, 0xff, (size_t)run->io.size * run->io.count);
		return 0;
	case KVM_EXIT_MMIO:
		if (!run->mmio.is_write)
			memset(run->mmio.data, 0xff, sizeof(run->mmio.data));
		return 0;
	default:
		snprintf(vm->why, sizeof(vm->why), "KVM exit %u", run->exit_reason);
		return -1;
	}
}

/**
 * linux_enter() - run the guest until it speaks
 * @vm: the VM
 * @said: out: what it wrote to LINUX_PORT
 *
 * Return: 0 or -1
 */
int linux_enter(struct linux_vm *vm, uint8_t *said)
{
	if (ioctl(vm->vcpu, KVM_RUN, 0))
		return linux_fail(vm, "KVM_RUN");
	return linux_answer(vm, said);
}

/* The same, for a vCPU that has just left KVM_RUN */
int linux_answer(struct linux_vm *vm, uint8_t *said)
{
	bool done = false;

	for (;;) {
		if (no_device(vm, &done, said))
			return -1;
		if (done)
			return 0;
		if (ioctl(vm->vcpu, KVM_RUN, 0))
			return linux_fail(vm, "KVM_RUN");
	}
}

/* See set_tr() of libhlk's program.c: an emulator wants it so. */
void linux_tr(struct kvm_segment *tr)
{
	uint32_t eax, ebx, ecx, edx;

	if (tr->type == TSS_BUSY && __get_cpuid(0, &eax, &ebx, &ecx, &edx) &&
	    (ebx == AUTH || ebx == HYGO))
		tr->type = TSS_AVAILABLE;
}

/**
 * linux_settle() - bring a VM to where a snapshot can be made
 * @vm: the VM
 *
 * What KVM leaves to the next entry is done by one that ends before the guest runs. A
 * snapshot has the control registers that are in struct kvm_run then.
 *
 * Return: 0 or -1
 */
int linux_settle(struct linux_vm *vm)
{
	struct kvm_sregs *sregs = &vm->run->s.regs.sregs;
	int ret;

	vm->run->immediate_exit = 1;
	ret = ioctl(vm->vcpu, KVM_RUN, 0);
	vm->run->immediate_exit = 0;
	if (ret && errno != EINTR)
		return linux_fail(vm, "KVM_RUN at once");
	if (ioctl(vm->vcpu, KVM_GET_SREGS, sregs))
		return linux_fail(vm, "KVM_GET_SREGS");
	linux_tr(&sregs->tr);
	vm->run->kvm_dirty_regs = KVM_SYNC_X86_SREGS;
	return 0;
}

void linux_close(struct linux_vm *vm)
{
	if (vm->run)
		munmap(vm->run, vm->env->run_bytes);
	if (vm->vcpu >= 0)
		close(vm->vcpu);
	if (vm->vm >= 0)
		close(vm->vm);
	if (vm->mem)
		munmap(vm->mem, vm->bytes);
	if (vm->hlk >= 0)
		close(vm->hlk);
	vm->vm = -1;
	vm->vcpu = -1;
	vm->hlk = -1;
	vm->run = NULL;
	vm->mem = NULL;
}
