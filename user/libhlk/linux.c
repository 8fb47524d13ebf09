// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Linux/x86: a bzImage or a vmlinux, by the 32-bit or 64-bit entry of Linux's boot
 * protocol (Documentation/arch/x86/boot.rst there). The setup code, which would run in
 * real mode, is not used: what it would have found out is given in boot_params.
 */
#include "kernel.h"

#include <asm/bootparam.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#define HEADER		0x1f1U		/* of the setup header, in file and boot_params */
#define BOOT_FLAG	0xaa55U
#define MAGIC		0x53726448U	/* "HdrS" */
#define SECTOR		512U
#define DEFAULT_SECTS	4
#define PARAGRAPH	16U
#define PAGE		4096U

/* Versions of the protocol that brought something */
#define HAS_CMD_LINE_PTR	0x202
#define HAS_INITRD_ADDR_MAX	0x203
#define HAS_SYSSIZE		0x204	/* of 32 bits */
#define HAS_RELOCATABLE		0x205
#define HAS_CMDLINE_SIZE	0x206
#define HAS_INIT_SIZE		0x20a
#define HAS_XLOADFLAGS		0x20c
#define OUR_VERSION		0x20f	/* what a vmlinux is told */

#define OLD_CMDLINE_MAX		255
#define OLD_INITRD_MAX		0x37ffffffU
#define VMLINUX_CMDLINE_MAX	2047
#define VMLINUX_INITRD_MAX	0x7fffffffU
#define VMLINUX_ALIGN		0x1000000U

#define ENTRY_64		0x200
#define OTHER_LOADER		0xff
#define E820_RAM		1
#define E820_RESERVED		2

/**
 * struct boot - a kernel of Linux that is being loaded
 * @booting: the kernel
 * @wide: by its 64-bit entry
 * @params: what it is told
 * @initrd_max: the highest address that its initrd may have
 * @cmdline_max: length of the longest command line
 */
struct boot {
	struct hlk_booting *booting;
	bool wide;
	struct boot_params params;
	uint32_t initrd_max;
	uint32_t cmdline_max;
};

#define fail(boot, code, ...) \
	hlk_booting_fail((boot)->booting, code, __VA_ARGS__)

/* The first byte after a field of the setup header, counted from its start */
#define up_to(field) \
	(offsetof(struct setup_header, field) + \
	 sizeof(((struct setup_header *)NULL)->field))

/* What is there of the header; the byte at 0x201 says where it ends. */
static size_t read_header(const struct hlk_kernel *kernel,
			  struct setup_header *hdr)
{
	const uint64_t jump = HEADER + offsetof(struct setup_header, jump);
	unsigned char offset = 0;
	size_t bytes;

	memset(hdr, 0, sizeof(*hdr));
	if (!hlk_image_get(kernel, jump + 1, &offset, sizeof(offset)))
		return 0;
	bytes = jump + sizeof(hdr->jump) + offset - HEADER;
	if (bytes > sizeof(*hdr))
		bytes = sizeof(*hdr);
	return hlk_image_get(kernel, HEADER, hdr, bytes) ? bytes : 0;
}

/**
 * hlk_linux_is() - whether an image is a bzImage
 * @kernel: the kernel
 *
 * Return: whether it says so
 */
bool hlk_linux_is(const struct hlk_kernel *kernel)
{
	struct setup_header hdr;

	return read_header(kernel, &hdr) >= up_to(header) &&
	       hdr.boot_flag == BOOT_FLAG && hdr.header == MAGIC;
}

static bool has_64(const struct setup_header *hdr)
{
	return hdr->version >= HAS_XLOADFLAGS && hdr->xloadflags & XLF_KERNEL_64;
}

/**
 * hlk_linux_wide() - whether a bzImage has a 64-bit entry
 * @kernel: the kernel
 *
 * Return: whether it has
 */
bool hlk_linux_wide(const struct hlk_kernel *kernel)
{
	struct setup_header hdr;

	read_header(kernel, &hdr);
	return has_64(&hdr);
}

/* How much of the header a version of the protocol has at least */
static size_t least_header(unsigned int version)
{
	if (version >= HAS_INIT_SIZE)
		return up_to(init_size);
	if (version >= HAS_CMDLINE_SIZE)
		return up_to(cmdline_size);
	if (version >= HAS_RELOCATABLE)
		return up_to(relocatable_kernel);
	if (version >= HAS_INITRD_ADDR_MAX)
		return up_to(initrd_addr_max);
	return up_to(cmd_line_ptr);
}

static int check_header(struct boot *boot, const struct setup_header *hdr,
			size_t bytes)
{
	if (bytes < up_to(version))
		return fail(boot, ENOEXEC, "the setup header is cut off");
	if (hdr->version < HAS_CMD_LINE_PTR)
		return fail(boot, ENOEXEC, "version is 0x%x: a boot protocol before 2.02 is too old",
			    hdr->version);
	if (bytes < least_header(hdr->version))
		return fail(boot, ENOEXEC, "the setup header has %zu bytes, too few for version 0x%x",
			    bytes, hdr->version);
	if (!(hdr->loadflags & LOADED_HIGH))
		return fail(boot, ENOEXEC, "loadflags 0x%x lacks LOADED_HIGH: a zImage, not a bzImage",
			    hdr->loadflags);
	if (boot->wide && !has_64(hdr))
		return fail(boot, ENOEXEC, "xloadflags 0x%x lacks XLF_KERNEL_64: the kernel has no 64-bit entry",
			    hdr->xloadflags);
	if (hdr->version >= HAS_RELOCATABLE && hdr->relocatable_kernel &&
	    (!hdr->kernel_alignment ||
	     hdr->kernel_alignment & (hdr->kernel_alignment - 1)))
		return fail(boot, ENOEXEC, "kernel_alignment 0x%x is not a power of two",
			    hdr->kernel_alignment);
	return 0;
}

/**
 * struct code - what of a bzImage goes into memory
 * @at: where it starts in the file
 * @bytes: its size there
 * @room: what it needs in memory, from where it is put
 */
struct code {
	uint64_t at;
	uint64_t bytes;
	uint64_t room;
};

static int find_code(struct boot *boot, const struct setup_header *hdr,
		     struct code *code)
{
	const struct hlk_kernel *kernel = &boot->booting->kernel;
	unsigned int sects = hdr->setup_sects ? hdr->setup_sects : DEFAULT_SECTS;
	uint64_t bytes = (uint64_t)hdr->syssize * PARAGRAPH;

	code->at = (1 + sects) * SECTOR;
	if (!hlk_image_has(kernel, code->at, ENTRY_64 + 1))
		return fail(boot, ENOEXEC, "setup_sects %u: nothing of the kernel comes after the setup code",
			    hdr->setup_sects);
	code->bytes = kernel->image_size - code->at;
	code->room = code->bytes;
	/* The file may end within the last paragraph, and a signature may follow. */
	if (hdr->version >= HAS_SYSSIZE &&
	    code->bytes + PARAGRAPH - 1 < bytes)
		return fail(boot, ENOEXEC, "the kernel is cut off: syssize says 0x%llx bytes, the file has 0x%llx",
			    (unsigned long long)bytes,
			    (unsigned long long)code->bytes);
	if (hdr->version >= HAS_INIT_SIZE && hdr->init_size > code->room)
		code->room = hdr->init_size;
	return 0;
}

/* Code and tables are reached by 32 bits. */
static bool fits(const struct hlk_load *load, uint64_t gpa, uint64_t bytes)
{
	struct hlk_load_wish wish = {
		.bytes = bytes,
		.align = 1,
		.min = gpa,
		.max = gpa + bytes - 1,
	};

	return gpa <= UINT32_MAX && bytes <= UINT32_MAX &&
	       wish.max <= UINT32_MAX && hlk_load_room(load, &wish, &gpa);
}

/* It moves itself to where it wants to be: all from here to there has to be free. */
static void place_fixed(const struct setup_header *hdr, struct code *code,
			uint64_t *gpa)
{
	*gpa = HLK_LOAD_HIGH;
	if (hdr->version >= HAS_INIT_SIZE && hdr->pref_address > *gpa &&
	    hdr->pref_address <= UINT32_MAX)
		code->room += hdr->pref_address - *gpa;
}

static int place_code(struct boot *boot, const struct setup_header *hdr,
		      struct code *code, uint64_t *gpa)
{
	struct hlk_load *load = &boot->booting->load;
	struct hlk_load_wish wish = {
		.bytes = code->room,
		.align = hdr->kernel_alignment,
		.min = HLK_LOAD_HIGH,
		.max = UINT32_MAX,
	};

	if (hdr->version < HAS_RELOCATABLE || !hdr->relocatable_kernel) {
		place_fixed(hdr, code, gpa);
		return 0;
	}
	*gpa = hdr->version >= HAS_INIT_SIZE ? hdr->pref_address : HLK_LOAD_HIGH;
	if (fits(load, *gpa, code->room))
		return 0;
	if (!hlk_load_room(load, &wish, gpa))
		return fail(boot, ENOSPC, "the kernel wants 0x%llx bytes between 1 MiB and 4 GiB (init_size, kernel_alignment 0x%x): give it more memory",
			    (unsigned long long)code->room,
			    hdr->kernel_alignment);
	return 0;
}

static int load_bzimage(struct boot *boot, uint64_t *entry)
{
	struct hlk_booting *booting = boot->booting;
	struct setup_header *hdr = &boot->params.hdr;
	size_t bytes = read_header(&booting->kernel, hdr);
	struct code code = {};
	uint64_t gpa = 0;
	int ret = check_header(boot, hdr, bytes);

	if (!ret)
		ret = find_code(boot, hdr, &code);
	if (!ret)
		ret = place_code(boot, hdr, &code, &gpa);
	if (!ret)
		ret = hlk_load_put(&booting->load, "the kernel", gpa, code.room,
				   (const char *)booting->kernel.image + code.at,
				   code.bytes);
	if (ret)
		return ret;
	booting->placed.kernel = gpa;
	booting->placed.kernel_end = gpa + code.room;
	*entry = boot->wide ? gpa + ENTRY_64 : gpa;
	hdr->code32_start = gpa;
	hdr->ramdisk_image = 0;
	hdr->ramdisk_size = 0;
	hdr->setup_data = 0;
	boot->initrd_max = hdr->version >= HAS_INITRD_ADDR_MAX ?
			   hdr->initrd_addr_max : OLD_INITRD_MAX;
	boot->cmdline_max = hdr->version >= HAS_CMDLINE_SIZE ?
			    hdr->cmdline_size : OLD_CMDLINE_MAX;
	return 0;
}

/* A vmlinux has no header of its own: it gets what a loader would have made of one. */
static int load_vmlinux(struct boot *boot, uint64_t *entry)
{
	struct hlk_booting *booting = boot->booting;
	struct setup_header *hdr = &boot->params.hdr;
	struct hlk_elf elf;
	int ret = hlk_booting_elf(booting, &elf);

	if (ret)
		return ret;
	if (elf.wide != boot->wide)
		return fail(boot, ENOEXEC, "a %s entry, and the ELF file is for %s",
			    boot->wide ? "64-bit" : "32-bit",
			    elf.wide ? "x86-64" : "i386");
	if (!hlk_elf_at(&elf, elf.entry) || elf.entry > UINT32_MAX)
		return fail(boot, ENOEXEC, "e_entry 0x%llx is in no segment below 4 GiB",
			    (unsigned long long)elf.entry);
	*entry = elf.entry;
	hdr->boot_flag = BOOT_FLAG;
	hdr->header = MAGIC;
	hdr->version = OUR_VERSION;
	hdr->loadflags = LOADED_HIGH;
	hdr->kernel_alignment = VMLINUX_ALIGN;
	boot->initrd_max = elf.wide ? VMLINUX_INITRD_MAX : OLD_INITRD_MAX;
	boot->cmdline_max = VMLINUX_CMDLINE_MAX;
	return 0;
}

static int add_initrd(struct boot *boot)
{
	struct hlk_booting *booting = boot->booting;
	const struct hlk_kernel *kernel = &booting->kernel;
	struct hlk_load_wish wish = {
		.bytes = kernel->initrd_size,
		.align = PAGE,
		.min = HLK_LOAD_HIGH,
		.max = boot->initrd_max,
		.high = true,
	};
	int ret;

	if (!kernel->initrd)
		return 0;
	ret = hlk_load_add(&booting->load, "the initrd", &wish, kernel->initrd,
			   kernel->initrd_size, &booting->placed.initrd);
	if (ret)
		return ret;
	booting->placed.initrd_size = kernel->initrd_size;
	boot->params.hdr.ramdisk_image = booting->placed.initrd;
	boot->params.hdr.ramdisk_size = kernel->initrd_size;
	return 0;
}

static int add_cmdline(struct boot *boot)
{
	struct hlk_booting *booting = boot->booting;
	const char *text = booting->kernel.cmdline;
	int ret;

	if (text && strnlen(text, boot->cmdline_max + 1ULL) > boot->cmdline_max)
		return fail(boot, E2BIG, "the command line has more than %u bytes, which is what the kernel takes",
			    boot->cmdline_max);
	ret = hlk_booting_text(booting, "the command line", text,
			       &booting->placed.cmdline);
	boot->params.hdr.cmd_line_ptr = booting->placed.cmdline;
	return ret;
}

static void add_map(struct boot *boot)
{
	struct hlk_load_area areas[HLK_LOAD_MAX_AREAS];
	struct boot_e820_entry *entry = boot->params.e820_table;
	uint32_t nr = hlk_load_areas(&boot->booting->load, areas);
	uint32_t i;

	_Static_assert(HLK_LOAD_MAX_AREAS <= E820_MAX_ENTRIES_ZEROPAGE,
		       "boot_params has room for each area");
	for (i = 0; i < nr; i++) {
		entry[i].addr = areas[i].gpa;
		entry[i].size = areas[i].bytes;
		entry[i].type = areas[i].usable ? E820_RAM : E820_RESERVED;
	}
	boot->params.e820_entries = nr;
}

static int add_params(struct boot *boot)
{
	struct hlk_booting *booting = boot->booting;
	int ret = add_initrd(boot);

	if (!ret)
		ret = add_cmdline(boot);
	if (ret)
		return ret;
	add_map(boot);
	boot->params.hdr.type_of_loader = OTHER_LOADER;
	boot->params.acpi_rsdp_addr = booting->kernel.rsdp;
	return hlk_load_low(&booting->load, "boot_params", &boot->params,
			    sizeof(boot->params), PAGE, &booting->placed.info);
}

static int start_64(struct hlk_booting *booting, uint64_t entry)
{
	uint64_t tables[HLK_START_TABLES][HLK_START_ENTRIES];
	struct hlk_load_wish wish = {
		.bytes = sizeof(tables),
		.align = PAGE,
		.min = HLK_LOAD_LOW,
		.max = UINT32_MAX,
	};
	uint64_t gdt;
	int ret = hlk_booting_gdt(booting, true, &gdt);

	if (ret)
		return ret;
	/* They say where they are, so that has to be known before. */
	if (hlk_load_room(&booting->load, &wish, &booting->placed.tables))
		hlk_start_tables(tables, booting->placed.tables);
	ret = hlk_load_add(&booting->load, "the page tables", &wish, tables,
			   sizeof(tables), &booting->placed.tables);
	if (ret)
		return ret;
	booting->placed.entry = entry;
	hlk_start_64(&booting->regs, &booting->sregs, entry, gdt,
		     booting->placed.tables);
	return 0;
}

/**
 * hlk_linux_load() - load a kernel of Linux
 * @booting: the kernel
 *
 * Return: 0 or a negative errno
 */
int hlk_linux_load(struct hlk_booting *booting)
{
	struct boot boot = {
		.booting = booting,
		.wide = booting->placed.protocol == HLK_PROTOCOL_LINUX64,
	};
	uint64_t entry = 0;
	int ret;

	if (hlk_linux_is(&booting->kernel))
		ret = load_bzimage(&boot, &entry);
	else
		ret = load_vmlinux(&boot, &entry);
	if (!ret)
		ret = add_params(&boot);
	if (!ret)
		ret = boot.wide ? start_64(booting, entry) :
				  hlk_booting_32(booting, entry);
	booting->regs.rsi = booting->placed.info;
	return ret;
}
