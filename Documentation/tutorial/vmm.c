// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* The smallest VMM that uses hlk: no library, a guest of ten bytes in real mode. */
#include <errno.h>
#include <fcntl.h>
#include <linux/hlk.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define MEM	(64UL << 10)
#define CODE	0x1000
#define WORD	0x2000

/* inc byte [0x2000]; mov al, [0x2000]; hlt; jmp to the first */
static const uint8_t code[] = { 0xfe, 0x06, 0x00, 0x20, 0xa0, 0x00, 0x20, 0xf4, 0xeb, 0xf6 };

static int fail(const char *what, const struct hlk_head *head)
{
	fprintf(stderr, "%s: %s", what, strerror(errno));
	if (head)
		fprintf(stderr, " (why %u, index %u, where %#llx)", head->why, head->index,
			(unsigned long long)head->where);
	fprintf(stderr, "\n");
	return 1;
}

/* Until the guest halts; what it left in AL */
static int run(int vcpu, struct kvm_run *shared)
{
	struct kvm_regs regs;

	if (ioctl(vcpu, KVM_RUN, 0) || shared->exit_reason != KVM_EXIT_HLT ||
	    ioctl(vcpu, KVM_GET_REGS, &regs))
		return -1;
	return regs.rax & 0xff;
}

int main(void)
{
	struct hlk_snapshot snap = { .head.size = sizeof(snap) };
	struct hlk_restore restore = { .head.size = sizeof(restore) };
	struct hlk_vm_attach attach = { .head.size = sizeof(attach) };
	struct hlk_window_add add = { .head.size = sizeof(add) };
	struct kvm_userspace_memory_region slot = { .memory_size = MEM };
	struct kvm_regs regs = { .rip = CODE, .rflags = 2 };
	struct kvm_sregs sregs;
	struct kvm_run *shared;
	int kvm, dev, vm, vcpu, i;
	uint8_t *mem;

	/* 1. A VM of KVM's, and hlk at it */
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	dev = open("/dev/hlk", O_RDWR | O_CLOEXEC);
	if (kvm < 0 || dev < 0)
		return fail("open", NULL);
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0)
		return fail("KVM_CREATE_VM", NULL);
	attach.vm_fd = vm;
	if (ioctl(dev, HLK_VM_ATTACH, &attach))
		return fail("HLK_VM_ATTACH", &attach.head);

	/* 2. Memory: a window, mapped at its own address, and that mapping as a memslot */
	add.window.bytes = MEM;
	if (ioctl(attach.out_fd, HLK_WINDOW_ADD, &add))
		return fail("HLK_WINDOW_ADD", &add.head);
	mem = mmap(NULL, MEM, PROT_READ | PROT_WRITE, MAP_SHARED, attach.out_fd, 0);
	if (mem == MAP_FAILED)
		return fail("mmap", NULL);
	slot.userspace_addr = (uintptr_t)mem;
	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot))
		return fail("KVM_SET_USER_MEMORY_REGION", NULL);

	/* 3. A vCPU, whose fd stays open */
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0)
		return fail("KVM_CREATE_VCPU", NULL);
	shared = mmap(NULL, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE,
		      MAP_SHARED, vcpu, 0);
	if (shared == MAP_FAILED || ioctl(vcpu, KVM_GET_SREGS, &sregs))
		return fail("vCPU", NULL);
	memcpy(mem + CODE, code, sizeof(code));
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	if (ioctl(vcpu, KVM_SET_SREGS, &sregs) || ioctl(vcpu, KVM_SET_REGS, &regs))
		return fail("registers", NULL);

	/* 4. Run it to where it is ready, and take the snapshot */
	printf("before the snapshot: %d\n", run(vcpu, shared));
	if (ioctl(attach.out_fd, HLK_SNAPSHOT, &snap))
		return fail("HLK_SNAPSHOT", &snap.head);
	printf("without a restore: %d\n", run(vcpu, shared));

	/* 5. Go back to it: the first time by its fd, then by none, which is the fast way */
	restore.snapshot_fd = snap.out_fd;
	for (i = 0; i < 3; i++) {
		if (ioctl(attach.out_fd, HLK_RESTORE, &restore))
			return fail("HLK_RESTORE", &restore.head);
		printf("after a restore: %d, %llu pages back\n", run(vcpu, shared),
		       (unsigned long long)(restore.copied + restore.cleared));
		restore.snapshot_fd = -1;
	}
	printf("residue: %#x\n", restore.residue);

	/* 6. All of it goes with the last fd and mapping, in any order. */
	close(snap.out_fd);
	munmap(shared, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0));
	munmap(mem, MEM);
	close(attach.out_fd);
	close(vcpu);
	close(vm);
	close(dev);
	close(kvm);
	return 0;
}
