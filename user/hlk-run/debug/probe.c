// SPDX-License-Identifier: GPL-2.0-only
/*
 * Do breakpoints come out of KVM here? Where an emulator plays the processor they may not:
 * QEMU's SVM gives INT3 to the guest in spite of KVM, and VMRUN loads no breakpoint. So three
 * instructions in a VM of their own are tried.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "probe.h"

#define PAGE		4096U
#define CODE		0x800U
#define HLT		0xf4
#define INT3		0xcc
#define NOP		0x90

/* In real mode, where an interrupt that comes to the guest finds a HLT */
static int run(int kvm, int vcpu, struct kvm_guest_debug *debug, bool *out)
{
	struct kvm_regs regs = { .rip = CODE, .rsp = PAGE / 2, .rflags = 2 };
	int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	struct kvm_sregs sregs;
	struct kvm_run *run;
	int ret = 0;

	if (size < 0 || ioctl(vcpu, KVM_GET_SREGS, &sregs))
		return errno;
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED)
		return errno;
	if (ioctl(vcpu, KVM_SET_SREGS, &sregs) || ioctl(vcpu, KVM_SET_REGS, &regs) ||
	    ioctl(vcpu, KVM_SET_GUEST_DEBUG, debug) || ioctl(vcpu, KVM_RUN, 0))
		ret = errno;
	else
		*out = run->exit_reason == KVM_EXIT_DEBUG;
	munmap(run, size);
	return ret;
}

static int try_one(int kvm, unsigned char *mem, unsigned char code,
		   struct kvm_guest_debug *debug, bool *out)
{
	struct kvm_userspace_memory_region region = {
		.memory_size = PAGE,
		.userspace_addr = (unsigned long)mem,
	};
	int vm = ioctl(kvm, KVM_CREATE_VM, 0), vcpu = -1, ret = 0;

	memset(mem, 0, PAGE);
	mem[CODE] = NOP;
	mem[CODE + 1] = code;
	mem[CODE + 2] = HLT;
	/* the vectors 1 and 3 to an HLT, at 0x600 */
	mem[4 * 1 + 1] = 6;
	mem[4 * 3 + 1] = 6;
	mem[0x600] = HLT;
	if (vm < 0 || ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region))
		ret = errno;
	if (!ret) {
		vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
		ret = vcpu < 0 ? errno : run(kvm, vcpu, debug, out);
	}
	if (vcpu >= 0)
		close(vcpu);
	if (vm >= 0)
		close(vm);
	return ret;
}

static int try_both(int kvm, unsigned char *mem, struct probed *probed)
{
	struct kvm_guest_debug soft = {
		.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP,
	};
	struct kvm_guest_debug hard = {
		.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP,
		.arch.debugreg = { [0] = CODE + 1, [7] = 0x602 },
	};
	int ret = try_one(kvm, mem, INT3, &soft, &probed->soft);

	return ret ? ret : try_one(kvm, mem, NOP, &hard, &probed->hard);
}

/**
 * probe() - what can KVM do for a debugger?
 * @probed: out: the answer
 *
 * Return: 0 or an errno
 */
int probe(struct probed *probed)
{
	unsigned char *mem;
	int kvm, ret;

	*probed = (struct probed) {};
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		return errno;
	ret = ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_SET_GUEST_DEBUG2);
	probed->block = ret > 0 && ret & KVM_GUESTDBG_BLOCKIRQ;
	mem = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED) {
		ret = errno;
	} else {
		ret = try_both(kvm, mem, probed);
		munmap(mem, PAGE);
	}
	close(kvm);
	return ret;
}
