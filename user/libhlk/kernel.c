// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Kernels of others: which protocol starts an image, and what they have in common.
 *
 * The image is read through hlk_image_get() or the ELF parser, and memory is written by
 * load.c, and nowhere else: what is in a header cannot lead out of either.
 */
#include "acpi.h"
#include "kernel.h"

#include <errno.h>
#include <string.h>

#include "grow.h"

#define EXPORT __attribute__((visibility("default")))

#define MAX_TEXT	65536U

static const char op[] = "cannot load the kernel";

enum has {
	HAS_INITRD	= 1 << 0,
	HAS_CMDLINE	= 1 << 1,
	HAS_MODULES	= 1 << 2,
	HAS_GPA		= 1 << 3,
	HAS_RSDP	= 1 << 4,
	FINDS_RSDP	= 1 << 5,	/* by itself, where a PC has it */
};

/* What each protocol takes beside the image */
static const struct {
	const char *name;
	unsigned int has;
	int (*load)(struct hlk_booting *booting);
} protocols[] = {
	[HLK_PROTOCOL_LINUX32] = {
		"linux32", HAS_INITRD | HAS_CMDLINE | HAS_RSDP, hlk_linux_load
	},
	[HLK_PROTOCOL_LINUX64] = {
		"linux64", HAS_INITRD | HAS_CMDLINE | HAS_RSDP, hlk_linux_load
	},
	[HLK_PROTOCOL_PVH] = {
		"pvh", HAS_INITRD | HAS_CMDLINE | HAS_MODULES | HAS_RSDP,
		hlk_pvh_load
	},
	[HLK_PROTOCOL_MULTIBOOT] = {
		"multiboot", HAS_CMDLINE | HAS_MODULES | FINDS_RSDP,
		hlk_multiboot_load
	},
	[HLK_PROTOCOL_FLAT16] = { "flat16", HAS_GPA, hlk_flat_load },
	[HLK_PROTOCOL_FLAT32] = { "flat32", HAS_GPA, hlk_flat_load },
	[HLK_PROTOCOL_NANVIX] = { "nanvix", HAS_INITRD, hlk_nanvix_load },
};

#define PROTOCOLS	(sizeof(protocols) / sizeof(*protocols))

EXPORT const char *hlk_protocol_text(uint32_t protocol)
{
	if (protocol == HLK_PROTOCOL_AUTO)
		return "auto";
	return protocol < PROTOCOLS ? protocols[protocol].name : NULL;
}

/**
 * hlk_image_has() - whether a part of the image is there
 * @kernel: the kernel
 * @at: where it starts
 * @bytes: its size
 *
 * Return: whether all of it is
 */
bool hlk_image_has(const struct hlk_kernel *kernel, uint64_t at, uint64_t bytes)
{
	return at <= kernel->image_size && bytes <= kernel->image_size - at;
}

/**
 * hlk_image_get() - read a part of the image
 * @kernel: the kernel
 * @at: where it starts
 * @to: where it goes
 * @bytes: its size
 *
 * Return: whether all of it is there
 */
bool hlk_image_get(const struct hlk_kernel *kernel, uint64_t at, void *to,
		   uint64_t bytes)
{
	if (!hlk_image_has(kernel, at, bytes))
		return false;
	memcpy(to, (const unsigned char *)kernel->image + at, bytes);
	return true;
}

/**
 * hlk_booting_elf() - load an ELF file, each segment where it wants to be
 * @booting: the kernel
 * @elf: out: the file
 *
 * Return: 0, -ENOEXEC or -ENOSPC
 */
int hlk_booting_elf(struct hlk_booting *booting, struct hlk_elf *elf)
{
	int ret = hlk_elf_parse_kernel(elf, booting->kernel.image,
				       booting->kernel.image_size, booting->err);

	if (ret)
		return ret;
	booting->placed.kernel = elf->segment[0].gpa;
	booting->placed.kernel_end = elf->end;
	return hlk_load_elf(&booting->load, elf);
}

/**
 * hlk_booting_text() - put a text below 4 GiB
 * @booting: the kernel
 * @what: what it is
 * @text: the text; NULL is an empty one
 * @gpa: out: where it is, with its NUL
 *
 * Return: 0, -E2BIG or -ENOSPC
 */
int hlk_booting_text(struct hlk_booting *booting, const char *what,
		     const char *text, uint64_t *gpa)
{
	size_t bytes;

	if (!text)
		text = "";
	bytes = strnlen(text, MAX_TEXT);
	if (bytes == MAX_TEXT)
		return hlk_booting_fail(booting, E2BIG, "%s has more than %u bytes",
					what, MAX_TEXT - 1);
	return hlk_load_low(&booting->load, what, text, bytes + 1, 1, gpa);
}

/**
 * hlk_booting_gdt() - put the first segment descriptors below 4 GiB
 * @booting: the kernel
 * @wide: for long mode
 * @gpa: out: where they are
 *
 * Return: 0 or -ENOSPC
 */
int hlk_booting_gdt(struct hlk_booting *booting, bool wide, uint64_t *gpa)
{
	uint64_t gdt[HLK_START_GDT];

	hlk_start_gdt(gdt, wide);
	return hlk_load_low(&booting->load, "the segment descriptors", gdt,
			    sizeof(gdt), sizeof(*gdt), gpa);
}

/**
 * hlk_booting_32() - start in protected mode, without paging
 * @booting: the kernel
 * @entry: where
 *
 * Return: 0 or -ENOSPC
 */
int hlk_booting_32(struct hlk_booting *booting, uint32_t entry)
{
	uint64_t gdt;
	int ret = hlk_booting_gdt(booting, false, &gdt);

	if (ret)
		return ret;
	booting->placed.entry = entry;
	hlk_start_32(&booting->regs, &booting->sregs, entry, gdt);
	return 0;
}

/* An ELF file that is not of Linux's, nor has a note of PVH, is anybody's. */
static int guess_elf(struct hlk_booting *booting, uint32_t *protocol)
{
	const unsigned char *desc;
	struct hlk_elf elf;
	uint32_t bytes;
	int ret = hlk_elf_parse_kernel(&elf, booting->kernel.image,
				       booting->kernel.image_size, booting->err);

	if (ret)
		return ret;
	if (hlk_elf_note(&elf, "Linux", NULL, &desc, &bytes))
		*protocol = elf.wide ? HLK_PROTOCOL_LINUX64 :
				       HLK_PROTOCOL_LINUX32;
	else if (hlk_pvh_is(&elf))
		*protocol = HLK_PROTOCOL_PVH;
	else
		return hlk_booting_fail(booting, ENOEXEC, "the ELF file has no mark of Linux, PVH or Multiboot: say by which protocol it starts");
	return 0;
}

static int guess(struct hlk_booting *booting, uint32_t *protocol)
{
	const struct hlk_kernel *kernel = &booting->kernel;
	unsigned char magic[4] = {};

	hlk_image_get(kernel, 0, magic, sizeof(magic));
	if (hlk_linux_is(kernel))
		*protocol = hlk_linux_wide(kernel) ? HLK_PROTOCOL_LINUX64 :
						     HLK_PROTOCOL_LINUX32;
	else if (hlk_multiboot_is(kernel))
		*protocol = HLK_PROTOCOL_MULTIBOOT;
	else if (!memcmp(magic, "\177ELF", sizeof(magic)))
		return guess_elf(booting, protocol);
	else
		return hlk_booting_fail(booting, ENOEXEC, "the image is no bzImage, no ELF file and has no Multiboot header");
	return 0;
}

static int refuse(struct hlk_booting *booting, const char *what)
{
	return hlk_booting_fail(booting, EINVAL, "protocol %s has no %s",
				protocols[booting->placed.protocol].name, what);
}

static int check_extras(struct hlk_booting *booting)
{
	const struct hlk_kernel *kernel = &booting->kernel;
	unsigned int has = protocols[booting->placed.protocol].has;

	if (kernel->initrd && !(has & HAS_INITRD))
		return refuse(booting, "initrd");
	if (kernel->cmdline && *kernel->cmdline && !(has & HAS_CMDLINE))
		return refuse(booting, "command line");
	if (kernel->nr_modules && !(has & HAS_MODULES))
		return refuse(booting, "modules");
	if (kernel->gpa && !(has & HAS_GPA))
		return refuse(booting, "load address of the caller's choice");
	if (kernel->rsdp && !(has & HAS_RSDP))
		return refuse(booting, "way to tell of ACPI");
	return 0;
}

/* Sizes are of memory that the caller has, so they fit a size_t. */
static int check_sizes(struct hlk_booting *booting)
{
	const struct hlk_kernel *kernel = &booting->kernel;
	uint32_t i;

	if (!kernel->image || !kernel->image_size)
		return hlk_booting_fail(booting, ENOEXEC, "the image is empty");
	if (kernel->initrd && !kernel->initrd_size)
		return hlk_booting_fail(booting, EINVAL, "the initrd is empty");
	if (!kernel->initrd && kernel->initrd_size)
		return hlk_booting_fail(booting, EINVAL, "an initrd that is not there has a size");
	if (kernel->nr_modules > HLK_KERNEL_MAX_MODULES)
		return hlk_booting_fail(booting, E2BIG, "%u modules, more than %u",
					kernel->nr_modules,
					HLK_KERNEL_MAX_MODULES);
	if (kernel->nr_modules && !kernel->modules)
		return hlk_booting_fail(booting, EINVAL, "modules that are not there have a number");
	for (i = 0; i < kernel->nr_modules; i++)
		if (!kernel->modules[i].data || !kernel->modules[i].size)
			return hlk_booting_fail(booting, EINVAL, "module %u is empty", i);
	return 0;
}

/* Who has no memory there, or has seen to it himself, gets none. */
static int add_acpi(struct hlk_booting *booting)
{
	unsigned int has = protocols[booting->placed.protocol].has;
	unsigned char tables[HLK_ACPI_BYTES];
	int ret;

	booting->placed.rsdp = booting->kernel.rsdp;
	if (!booting->acpi_cpus || booting->kernel.rsdp ||
	    !(has & (HAS_RSDP | FINDS_RSDP)) ||
	    !hlk_load_is_ram(&booting->load, HLK_ACPI_GPA, sizeof(tables)))
		return 0;
	hlk_acpi_write(tables, booting->acpi_cpus);
	ret = hlk_load_put(&booting->load, "ACPI", HLK_ACPI_GPA, sizeof(tables),
			   tables, sizeof(tables));
	if (has & HAS_RSDP)
		booting->kernel.rsdp = HLK_ACPI_TABLES;
	booting->placed.rsdp = HLK_ACPI_TABLES;
	return ret;
}

static int load(struct hlk_booting *booting)
{
	uint32_t protocol = booting->kernel.protocol;
	int ret = hlk_grow_flags(booting->kernel.flags, 0, "hlk_kernel", op,
				 booting->err);

	if (ret)
		return ret;
	if (protocol >= PROTOCOLS)
		return hlk_booting_fail(booting, EINVAL, "there is no protocol %u",
					protocol);
	ret = check_sizes(booting);
	if (!ret && protocol == HLK_PROTOCOL_AUTO)
		ret = guess(booting, &protocol);
	if (ret)
		return ret;
	booting->placed.protocol = protocol;
	ret = check_extras(booting);
	if (!ret)
		ret = add_acpi(booting);
	return ret ? ret : protocols[protocol].load(booting);
}

/**
 * hlk_kernel_place() - hlk_kernel_load() into memory that may not be had
 * @kernel: as there
 * @ram: as there
 * @nr_ram: as there
 * @acpi_cpus: processors that ACPI is to name, if there is room for it; 0: no ACPI
 * @reach: called before memory is written; what it returns, if not 0, ends all
 * @regs: as there
 * @sregs: as there
 * @placed: as there
 * @size: of @placed, as the caller knows it
 * @err: as there
 *
 * Return: as there
 */
int hlk_kernel_place(const struct hlk_kernel *kernel, const struct hlk_ram *ram,
		     uint32_t nr_ram, uint32_t acpi_cpus,
		     int (*reach)(unsigned char *mem, uint64_t bytes),
		     struct kvm_regs *regs, struct kvm_sregs *sregs,
		     struct hlk_placed *placed, size_t size,
		     struct hlk_err *err)
{
	struct hlk_booting booting = {
		.sregs = *sregs,
		.acpi_cpus = acpi_cpus,
		.err = err,
	};
	int ret;

	memset(placed, 0, size);
	ret = hlk_grow_take(&booting.kernel, sizeof(booting.kernel),
			    HLK_FIRST_KERNEL, kernel, "hlk_kernel", op, err);
	if (!ret)
		ret = hlk_load_init(&booting.load, ram, nr_ram, err);
	booting.load.reach = reach;
	if (!ret)
		ret = load(&booting);
	if (ret)
		return ret;
	*regs = booting.regs;
	*sregs = booting.sregs;
	memcpy(placed, &booting.placed,
	       size < sizeof(booting.placed) ? size : sizeof(booting.placed));
	return hlk_err_clear(err);
}

EXPORT int hlk_kernel_load_sized(const struct hlk_kernel *kernel,
				 const struct hlk_ram *ram, uint32_t nr_ram,
				 struct kvm_regs *regs, struct kvm_sregs *sregs,
				 struct hlk_placed *placed, size_t size,
				 struct hlk_err *err)
{
	return hlk_kernel_place(kernel, ram, nr_ram, 0, NULL, regs, sregs, placed,
				size, err);
}
