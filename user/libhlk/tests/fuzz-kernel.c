// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Boot protocols for libFuzzer: "make fuzz", then run build/user/fuzz-kernel. The first
 * byte says which protocol; without any file to begin with it starts from good images.
 */
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdlib.h>

#include "kernels.h"

#define LOW	0xa0000U
#define HIGH	0x100000U
#define BYTES	0x80000U

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
size_t LLVMFuzzerCustomMutator(unsigned char *data, size_t size, size_t max,
			       unsigned int seed);
size_t LLVMFuzzerMutate(unsigned char *data, size_t size, size_t max);

static bool inside(const struct hlk_ram *ram, uint64_t gpa, uint64_t bytes)
{
	return gpa - ram[0].gpa < ram[0].bytes ?
	       bytes <= ram[0].bytes - (gpa - ram[0].gpa) :
	       gpa - ram[1].gpa < ram[1].bytes &&
	       bytes <= ram[1].bytes - (gpa - ram[1].gpa);
}

/* What a loader that says yes has promised; a flat binary may go over both pieces */
static bool sane(const struct hlk_placed *placed, const struct hlk_ram *ram)
{
	return placed->kernel < placed->kernel_end &&
	       inside(ram, placed->kernel, 1) &&
	       inside(ram, placed->kernel_end - 1, 1) &&
	       inside(ram, placed->entry, 1) &&
	       (!placed->initrd_size ||
		inside(ram, placed->initrd, placed->initrd_size));
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static const char initrd[] = "initrd";
	struct hlk_kernel kernel = HLK_KERNEL_INIT;
	struct kvm_sregs sregs = {};
	struct hlk_placed placed;
	struct hlk_ram ram[2] = {
		{ 0, LOW, malloc(LOW) }, { HIGH, BYTES, malloc(BYTES) },
	};
	struct kvm_regs regs;

	if (size) {
		kernel.protocol = *data % (HLK_PROTOCOL_NANVIX + 1);
		kernel.image = data + 1;
		kernel.image_size = size - 1;
	}
	if (size && *data & 0x80) {
		kernel.initrd = initrd;
		kernel.initrd_size = sizeof(initrd);
	}
	if (!hlk_kernel_load(&kernel, ram, 2, &regs, &sregs, &placed, NULL) &&
	    !sane(&placed, ram))
		abort();
	free(ram[0].mem);
	free(ram[1].mem);
	return 0;
}

static size_t give(unsigned char *data, size_t max, const void *image, size_t size)
{
	if (size + 1 > max)
		return 1;
	memcpy(data + 1, image, size);
	return size + 1;
}

/* An input that is too short to be anything becomes a good image. */
size_t LLVMFuzzerCustomMutator(unsigned char *data, size_t size, size_t max,
			       unsigned int seed)
{
	struct addresses addresses;
	struct bzimage bzimage;
	struct elf32 narrow;
	struct elf64 wide;

	if (size > 32)
		return LLVMFuzzerMutate(data, size, max);
	*data = seed >> 8;
	switch (seed % 5) {
	case 0:
		make_addresses(&addresses);
		return give(data, max, &addresses, sizeof(addresses));
	case 1:
		make_bzimage(&bzimage);
		return give(data, max, &bzimage, sizeof(bzimage));
	case 2:
		make_multiboot_elf(&narrow);
		return give(data, max, &narrow, sizeof(narrow));
	case 3:
		make_elf32(&narrow);
		return give(data, max, &narrow, sizeof(narrow));
	default:
		make_elf64(&wide);
		return give(data, max, &wide, sizeof(wide));
	}
}
