/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Boot protocols; see kernel.c. */
#ifndef LIBHLK_KERNEL_H
#define LIBHLK_KERNEL_H

#include "load.h"
#include "start.h"

/**
 * struct hlk_booting - a kernel that is being loaded
 * @kernel: what was asked for
 * @load: the machine's memory
 * @regs: registers at its start
 * @sregs: the others
 * @placed: what was put where
 * @acpi_cpus: processors that ACPI is to name, or 0 for no ACPI
 * @err: out: why it cannot be
 */
struct hlk_booting {
	struct hlk_kernel kernel;
	struct hlk_load load;
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct hlk_placed placed;
	uint32_t acpi_cpus;
	struct hlk_err *err;
};

/* The image, or what goes with it, is not what it has to be */
#define hlk_booting_fail(booting, code, ...) \
	hlk_err_text((booting)->err, code, HLK_WHAT_KERNEL, \
		     "cannot load the kernel", __VA_ARGS__)

/* kernel.c */
int hlk_kernel_place(const struct hlk_kernel *kernel, const struct hlk_ram *ram,
		     uint32_t nr_ram, uint32_t acpi_cpus,
		     int (*reach)(unsigned char *mem, uint64_t bytes),
		     struct kvm_regs *regs, struct kvm_sregs *sregs,
		     struct hlk_placed *placed, size_t size,
		     struct hlk_err *err);
bool hlk_image_has(const struct hlk_kernel *kernel, uint64_t at, uint64_t bytes);
bool hlk_image_get(const struct hlk_kernel *kernel, uint64_t at, void *to,
		   uint64_t bytes);
int hlk_booting_elf(struct hlk_booting *booting, struct hlk_elf *elf);
int hlk_booting_text(struct hlk_booting *booting, const char *what,
		     const char *text, uint64_t *gpa);
int hlk_booting_gdt(struct hlk_booting *booting, bool wide, uint64_t *gpa);
int hlk_booting_32(struct hlk_booting *booting, uint32_t entry);

/* linux.c */
bool hlk_linux_is(const struct hlk_kernel *kernel);
bool hlk_linux_wide(const struct hlk_kernel *kernel);
int hlk_linux_load(struct hlk_booting *booting);

/* pvh.c */
bool hlk_pvh_is(const struct hlk_elf *elf);
int hlk_pvh_load(struct hlk_booting *booting);

/* multiboot.c */
bool hlk_multiboot_is(const struct hlk_kernel *kernel);
int hlk_multiboot_load(struct hlk_booting *booting);

/* flat.c */
int hlk_flat_load(struct hlk_booting *booting);
int hlk_nanvix_load(struct hlk_booting *booting);

#endif /* LIBHLK_KERNEL_H */
