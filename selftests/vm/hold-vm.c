// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hold one KVM VM open for as long as this runs.
 *
 * The first VM and the last one flip static keys of the scheduler. Under
 * QEMU's multi-threaded emulation code that is patched while another CPU runs
 * it can be met half-written; with one VM always there it is patched once.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

int main(void)
{
	int kvm = open("/dev/kvm", O_RDWR);
	int vm = ioctl(kvm, KVM_CREATE_VM, 0);

	if (vm < 0 || ioctl(vm, KVM_CREATE_VCPU, 0) < 0) {
		perror("hold-vm");
		return 1;
	}
	pause();
	return 0;
}
