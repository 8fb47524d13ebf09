// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Flat binaries, and kernels for Nanvix's microvm. */
#include "kernel.h"

#include <errno.h>

#define REAL_END	0x100000U

/* What Nanvix's monitor puts into EAX, and where its initrd goes */
#define NANVIX_MAGIC	0x0c00ffeeU
#define NANVIX_INITRD	0x00800000U
#define NANVIX_PAGE	4096U
#define NANVIX_PAGES	0xfffU

/**
 * hlk_flat_load() - load a flat binary
 * @booting: the kernel
 *
 * Return: 0 or a negative errno
 */
int hlk_flat_load(struct hlk_booting *booting)
{
	const struct hlk_kernel *kernel = &booting->kernel;
	bool real = booting->placed.protocol == HLK_PROTOCOL_FLAT16;
	int ret;

	if (kernel->gpa > UINT32_MAX)
		return hlk_booting_fail(booting, EINVAL, "a flat binary at 0x%llx starts above 4 GiB",
					(unsigned long long)kernel->gpa);
	if (real && kernel->gpa >= REAL_END)
		return hlk_booting_fail(booting, EINVAL, "a flat binary at 0x%llx cannot start in real mode: it is not below 1 MiB",
					(unsigned long long)kernel->gpa);
	ret = hlk_load_put(&booting->load, "the kernel", kernel->gpa,
			   kernel->image_size, kernel->image,
			   kernel->image_size);
	if (ret)
		return ret;
	booting->placed.kernel = kernel->gpa;
	booting->placed.kernel_end = kernel->gpa + kernel->image_size;
	if (!real)
		return hlk_booting_32(booting, kernel->gpa);
	booting->placed.entry = kernel->gpa;
	hlk_start_real(&booting->regs, &booting->sregs, kernel->gpa);
	return 0;
}

static int nanvix_initrd(struct hlk_booting *booting)
{
	const struct hlk_kernel *kernel = &booting->kernel;
	uint64_t pages = (kernel->initrd_size + NANVIX_PAGE - 1) / NANVIX_PAGE;
	int ret;

	booting->regs.rbx = NANVIX_INITRD;
	if (!kernel->initrd)
		return 0;
	if (kernel->initrd_size > (uint64_t)NANVIX_PAGES * NANVIX_PAGE)
		return hlk_booting_fail(booting, ENOSPC, "the initrd has more than %u pages, which is all that Nanvix can be told",
					NANVIX_PAGES);
	ret = hlk_load_put(&booting->load, "the initrd", NANVIX_INITRD,
			   pages * NANVIX_PAGE, kernel->initrd,
			   kernel->initrd_size);
	if (ret)
		return ret;
	booting->placed.initrd = NANVIX_INITRD;
	booting->placed.initrd_size = kernel->initrd_size;
	booting->regs.rbx |= pages;
	return 0;
}

/**
 * hlk_nanvix_load() - load a kernel as Nanvix's microvm does
 * @booting: the kernel
 *
 * Return: 0 or a negative errno
 */
int hlk_nanvix_load(struct hlk_booting *booting)
{
	struct hlk_elf elf;
	int ret = hlk_booting_elf(booting, &elf);

	if (ret)
		return ret;
	if (elf.wide)
		return hlk_booting_fail(booting, ENOEXEC, "a Nanvix kernel is an ELF32 file, and this one is 64-bit");
	if (!hlk_elf_at(&elf, elf.entry) || elf.entry >= REAL_END)
		return hlk_booting_fail(booting, ENOEXEC, "e_entry 0x%llx is in no segment below 1 MiB, where real mode could start",
					(unsigned long long)elf.entry);
	hlk_start_real(&booting->regs, &booting->sregs, elf.entry);
	booting->placed.entry = elf.entry;
	booting->regs.rax = NANVIX_MAGIC;
	return nanvix_initrd(booting);
}
