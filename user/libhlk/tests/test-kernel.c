// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Boot protocols: what a kernel finds, read as the kernel would; tables of hostile
 * images; then random mutations of good ones. Each image is in a buffer of exactly its
 * size, and so is each piece of memory, so that the sanitizer sees what goes too far.
 *
 * Arguments: a seed, and how many mutations of each.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdlib.h>

#include "../elf.h"
#include "../load.h"
#include "kernels.h"
#include "tap.h"

#define PIECES	5

/* As a PC has it, a hole beyond, and some above 4 GiB; not in order */
static struct hlk_ram ram[PIECES] = {
	{ 0x200000, 0x20000, NULL },
	{ 0x100000, 0x80000, NULL },
	{ 0x0, 0xa0000, NULL },
	{ 0x100000000, 0x4000, NULL },
	{ 0xf0000, 0x10000, NULL },
};

static struct kvm_regs regs;
static struct kvm_sregs sregs;
static struct hlk_placed placed;
static struct hlk_err err;

static void make_ram(void)
{
	uint32_t i;

	for (i = 0; i < PIECES; i++)
		ram[i].mem = calloc(1, ram[i].bytes);
}

static void clear_ram(void)
{
	uint32_t i;

	for (i = 0; i < PIECES; i++)
		memset(ram[i].mem, 0, ram[i].bytes);
}

static void free_ram(void)
{
	uint32_t i;

	for (i = 0; i < PIECES; i++)
		free(ram[i].mem);
}

/* The guest's memory, or NULL if not all of that is in one piece */
static void *at(uint64_t gpa, uint64_t bytes)
{
	uint32_t i;

	for (i = 0; i < PIECES; i++)
		if (gpa >= ram[i].gpa && gpa - ram[i].gpa < ram[i].bytes &&
		    bytes <= ram[i].bytes - (gpa - ram[i].gpa))
			return (char *)ram[i].mem + (gpa - ram[i].gpa);
	return NULL;
}

static uint64_t word(uint64_t gpa)
{
	uint64_t value = 0;

	if (at(gpa, sizeof(value)))
		memcpy(&value, at(gpa, sizeof(value)), sizeof(value));
	return value;
}

static uint32_t half(uint64_t gpa)
{
	uint32_t value = 0;

	if (at(gpa, sizeof(value)))
		memcpy(&value, at(gpa, sizeof(value)), sizeof(value));
	return value;
}

static bool text_at(uint64_t gpa, const char *text)
{
	const char *there = at(gpa, strlen(text) + 1);

	return there && !strcmp(there, text);
}

static bool filled(uint64_t gpa, uint64_t bytes, unsigned char value)
{
	const unsigned char *there = at(gpa, bytes);
	uint64_t i;

	for (i = 0; there && i < bytes; i++)
		if (there[i] != value)
			return false;
	return there;
}

static int load_exact(const struct hlk_kernel *kernel)
{
	struct hlk_kernel copy = *kernel;
	void *image = malloc(kernel->image_size ? kernel->image_size : 1);
	int ret;

	if (kernel->image_size)
		memcpy(image, kernel->image, kernel->image_size);
	copy.image = image;
	memset(&err, 0, sizeof(err));
	memset(&sregs, 0x55, sizeof(sregs));
	ret = hlk_kernel_load(&copy, ram, PIECES, &regs, &sregs, &placed, &err);
	free(image);
	return ret;
}

static int load(const struct hlk_kernel *kernel)
{
	clear_ram();
	return load_exact(kernel);
}

static const char *line(void)
{
	static char buf[256];

	return hlk_strerror(&err, buf, sizeof(buf));
}

static const char cmdline[] = "console=ttyS0 quiet";
static const char initrd[5000] = "initrd";
static const struct hlk_module modules[] = {
	{ "first", 6, "one" },
	{ initrd, sizeof(initrd), NULL },
};

static struct hlk_kernel kernel_of(const void *image, size_t size)
{
	struct hlk_kernel kernel = HLK_KERNEL_INIT;

	kernel.image = image;
	kernel.image_size = size;
	return kernel;
}

static bool is_protected(bool wide)
{
	const struct kvm_segment *data[] = {
		&sregs.ds, &sregs.es, &sregs.fs, &sregs.gs, &sregs.ss
	};
	uint32_t i;

	for (i = 0; i < 5; i++)
		if (data[i]->base || data[i]->limit != 0xffffffff ||
		    data[i]->selector != 0x18 || data[i]->type != 3 ||
		    !data[i]->present || !data[i]->s || !data[i]->db)
			return false;
	return sregs.cs.selector == 0x10 && sregs.cs.type == 11 &&
	       sregs.cs.l == wide && sregs.cs.db == !wide && !sregs.cs.base &&
	       sregs.cs.limit == 0xffffffff && sregs.cs.g && regs.rflags == 2 &&
	       sregs.gdt.limit >= 0x1f &&
	       word(sregs.gdt.base + 0x10) ==
	       (wide ? 0x00af9b000000ffff : 0x00cf9b000000ffff) &&
	       word(sregs.gdt.base + 0x18) == 0x00cf93000000ffff &&
	       sregs.apic_base == 0x5555555555555555;
}

static bool is_32(uint32_t entry)
{
	return is_protected(false) && sregs.cr0 == 0x11 && !sregs.cr4 &&
	       !sregs.efer && regs.rip == entry && placed.entry == entry;
}

/* Walked as the processor does */
static bool maps(uint64_t va)
{
	uint64_t entry = sregs.cr3;
	int level;

	for (level = 3; level >= 1; level--) {
		entry = word((entry & ~0xfffULL) + (va >> (12 + 9 * level) & 511) * 8);
		if ((entry & 3) != 3)
			return false;
	}
	return entry & 0x80 && (entry & ~0x1fffffULL) + (va & 0x1fffff) == va;
}

static bool is_64(uint64_t entry)
{
	return is_protected(true) && sregs.cr0 == 0x80000011 &&
	       sregs.cr4 == 0x20 && sregs.efer == 0x500 && regs.rip == entry &&
	       sregs.cr3 == placed.tables && maps(0) && maps(0x123456) &&
	       maps(0xffffffff) && !maps(0x100000000);
}

static bool e820_is(const struct boot_params *params)
{
	static const struct boot_e820_entry want[] = {
		{ 0, 0xa0000, 1 },
		{ 0xf0000, 0x10000, 2 },
		{ 0x100000, 0x80000, 1 },
		{ 0x200000, 0x20000, 1 },
		{ 0x100000000, 0x4000, 1 },
	};

	return params->e820_entries == 5 &&
	       !memcmp(params->e820_table, want, sizeof(want));
}

static void test_params(const char *name)
{
	const struct boot_params *params = at(regs.rsi, sizeof(*params));

	tap(params && regs.rsi == placed.info && !regs.rbx && !regs.rbp &&
	    !regs.rdi && !params->sentinel, "%s: ESI has boot_params", name);
	if (!params)
		return;
	tap(params->hdr.header == 0x53726448 && params->hdr.boot_flag == 0xaa55 &&
	    params->hdr.type_of_loader == 0xff &&
	    params->acpi_rsdp_addr == 0xe0000, "%s: the header", name);
	tap(text_at(params->hdr.cmd_line_ptr, cmdline) &&
	    params->hdr.cmd_line_ptr == placed.cmdline, "%s: command line", name);
	tap(params->hdr.ramdisk_image % 4096 == 0 &&
	    params->hdr.ramdisk_size == sizeof(initrd) &&
	    text_at(params->hdr.ramdisk_image, "initrd") &&
	    params->hdr.ramdisk_image == placed.initrd &&
	    placed.initrd == 0x21e000,
	    "%s: the initrd, as high as it can be", name);
	tap(e820_is(params), "%s: the memory map", name);
}

static struct hlk_kernel linux_of(const void *image, size_t size,
				  uint32_t protocol)
{
	struct hlk_kernel kernel = kernel_of(image, size);

	kernel.protocol = protocol;
	kernel.cmdline = cmdline;
	kernel.initrd = initrd;
	kernel.initrd_size = sizeof(initrd);
	kernel.rsdp = 0xe0000;
	return kernel;
}

static void test_bzimage(void)
{
	struct bzimage image;
	struct hlk_kernel kernel = linux_of(&image, sizeof(image), 0);

	make_bzimage(&image);
	tap(!load(&kernel) && placed.protocol == HLK_PROTOCOL_LINUX64 &&
	    placed.kernel == BZ_PREF && is_64(BZ_PREF + 0x200),
	    "bzImage: 64-bit entry where it has one %s", line());
	test_params("bzImage, 64 bits");
	tap(filled(BZ_PREF, BZ_SIZE - BZ_CODE, 0x90), "bzImage: the code");
	kernel.protocol = HLK_PROTOCOL_LINUX32;
	tap(!load(&kernel) && is_32(BZ_PREF), "bzImage: 32-bit entry");
	test_params("bzImage, 32 bits");
	bz_header(&image)->xloadflags = 0;
	kernel.protocol = HLK_PROTOCOL_AUTO;
	tap(!load(&kernel) && placed.protocol == HLK_PROTOCOL_LINUX32,
	    "bzImage: 32-bit entry where it has no other");
	bz_header(&image)->pref_address = 0x1000000;
	tap(!load(&kernel) && is_32(0x100000),
	    "bzImage: moved to where there is memory");
	bz_header(&image)->relocatable_kernel = 0;
	bz_header(&image)->pref_address = BZ_PREF;
	tap(!load(&kernel) && is_32(0x100000) &&
	    placed.kernel_end == BZ_PREF + BZ_INIT_SIZE,
	    "bzImage: one that moves itself has what it needs");
	bz_header(&image)->pref_address = 0x1000;
	tap(!load(&kernel) && placed.kernel_end == 0x100000 + BZ_INIT_SIZE,
	    "bzImage: one that moves down");
	bz_header(&image)->pref_address = 1ULL << 32;
	tap(!load(&kernel) && placed.kernel_end == 0x100000 + BZ_INIT_SIZE,
	    "bzImage: one that wants to be above all");
	bz_header(&image)->init_size = 16;
	tap(!load(&kernel) && placed.kernel_end == 0x100000 + BZ_SIZE - BZ_CODE,
	    "bzImage: what is there has room");
	bz_header(&image)->version = 0x202;
	bz_header(&image)->initrd_addr_max = 0x10000;
	tap(!load(&kernel) && is_32(0x100000), "bzImage: an old one");
	bz_header(&image)->version = 0x203;
	bz_header(&image)->initrd_addr_max = 0x17ffff;
	tap(!load(&kernel) && placed.initrd == 0x17e000,
	    "bzImage: the initrd goes where the kernel takes it");
}

/* Each version of the protocol has its least header. */
static void test_versions(void)
{
	static const struct {
		uint16_t version;
		uint16_t end;
	} rows[] = {
		{ 0x202, 0x22c }, { 0x203, 0x230 }, { 0x204, 0x230 },
		{ 0x205, 0x235 }, { 0x206, 0x23c }, { 0x209, 0x23c },
		{ 0x20a, 0x264 }, { 0x20f, 0x264 },
	};
	struct bzimage image;
	struct hlk_kernel kernel = kernel_of(&image, sizeof(image));
	bool good = true;
	size_t i;
	int ret;

	kernel.protocol = HLK_PROTOCOL_LINUX32;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		make_bzimage(&image);
		bz_header(&image)->version = rows[i].version;
		bz_header(&image)->jump = 0xeb | (rows[i].end - 0x202) << 8;
		good &= !load(&kernel);
		bz_header(&image)->jump = 0xeb | (rows[i].end - 0x203) << 8;
		ret = load(&kernel);
		good &= ret == -ENOEXEC && strstr(line(), "too few for version");
	}
	tap(good, "bzImage: the header of each version");
}

static void test_vmlinux(void)
{
	struct elf64 wide;
	struct elf32 narrow;
	struct hlk_kernel kernel = linux_of(&wide, sizeof(wide), 0);

	make_elf64(&wide);
	make_elf32(&narrow);
	tap(!load(&kernel) && placed.protocol == HLK_PROTOCOL_LINUX64 &&
	    is_64(KELF_TEXT + KELF_ENTRY), "vmlinux of x86-64 %s", line());
	test_params("vmlinux, 64 bits");
	tap(filled(KELF_TEXT, 256, 0xcc) && filled(KELF_DATA, 128, 0xdd) &&
	    filled(KELF_DATA + 128, 4096 - 128, 0), "vmlinux: its segments");
	kernel = linux_of(&narrow, sizeof(narrow), 0);
	tap(!load(&kernel) && placed.protocol == HLK_PROTOCOL_LINUX32 &&
	    is_32(KELF_TEXT + KELF_ENTRY), "vmlinux of i386 %s", line());
	test_params("vmlinux, 32 bits");
	kernel.protocol = HLK_PROTOCOL_LINUX64;
	tap(load(&kernel) == -ENOEXEC && strstr(line(), "a 64-bit entry, and"),
	    "refused: %s", line());
	kernel = linux_of(&wide, sizeof(wide), HLK_PROTOCOL_LINUX32);
	tap(load(&kernel) == -ENOEXEC && strstr(line(), "a 32-bit entry, and"),
	    "refused: %s", line());
}

static void test_pvh_of(const char *name, struct hlk_kernel kernel)
{
	uint64_t info, list;

	kernel.modules = modules;
	kernel.nr_modules = 2;
	tap(!load(&kernel) && placed.protocol == HLK_PROTOCOL_PVH &&
	    is_32(KELF_TEXT + KELF_ENTRY + 4), "PVH, %s: entry %s", name, line());
	info = regs.rbx;
	tap(info == placed.info && half(info) == 0x336ec578 &&
	    half(info + 4) == 1 && !half(info + 8) && half(info + 12) == 3 &&
	    word(info + 32) == 0xe0000 && !half(info + 52) &&
	    sregs.tr.limit == 0x67 && sregs.tr.type == 11 && !sregs.tr.base,
	    "PVH, %s: EBX has the start information", name);
	tap(text_at(word(info + 24), cmdline), "PVH, %s: command line", name);
	list = word(info + 16);
	tap(word(list) == placed.initrd && word(list + 8) == sizeof(initrd) &&
	    text_at(word(list), "initrd") && !word(list + 16),
	    "PVH, %s: the initrd is the first module", name);
	tap(text_at(word(list + 32), "first") && word(list + 40) == 6 &&
	    text_at(word(list + 48), "one") && !word(list + 56) &&
	    text_at(word(list + 64), "initrd"), "PVH, %s: the others", name);
	tap(half(info + 48) == 5 && word(word(info + 40) + 24) == 0xf0000 &&
	    word(word(info + 40) + 32) == 0x10000 &&
	    half(word(info + 40) + 40) == 2, "PVH, %s: memory map", name);
}

static void test_pvh(void)
{
	struct elf64 wide;
	struct elf32 narrow;
	struct hlk_kernel kernel = linux_of(&wide, sizeof(wide),
					    HLK_PROTOCOL_PVH);

	make_elf64(&wide);
	make_elf32(&narrow);
	test_pvh_of("64 bits", kernel);
	kernel.initrd = NULL;
	kernel.initrd_size = 0;
	tap(!load(&kernel) && !half(regs.rbx + 12) && !word(regs.rbx + 16) &&
	    !placed.initrd, "PVH: nothing goes with it");
	/* Without Linux's note nothing else is left. */
	narrow.notes[0].name[0] = 'l';
	test_pvh_of("32 bits", linux_of(&narrow, sizeof(narrow), 0));
}

static void test_multiboot_info(const char *name)
{
	uint64_t info = regs.rbx;
	uint64_t list = half(info + 24);

	tap(regs.rax == 0x2badb002 && info == placed.info &&
	    half(info) == 0x24d, "%s: EAX, EBX, flags", name);
	tap(half(info + 4) == 640 && half(info + 8) == 512, "%s: memory in KiB",
	    name);
	tap(text_at(half(info + 16), cmdline), "%s: command line", name);
	tap(half(info + 20) == 2 && text_at(half(list), "first") &&
	    half(list + 4) == half(list) + 6 && text_at(half(list + 8), "one") &&
	    text_at(half(list + 16), "initrd") &&
	    half(list + 16) % 4096 == 0 && half(list + 16) > half(list) &&
	    text_at(half(list + 24), ""), "%s: modules", name);
	tap(half(info + 44) == 5 * 24 && half(half(info + 48)) == 20 &&
	    word(half(info + 48) + 28) == 0xf0000 &&
	    word(half(info + 48) + 36) == 0x10000 &&
	    half(half(info + 48) + 44) == 2, "%s: memory map", name);
	tap(text_at(half(info + 64), "hlk"), "%s: loader", name);
}

static struct hlk_kernel multiboot_of(const void *image, size_t size)
{
	struct hlk_kernel kernel = kernel_of(image, size);

	kernel.cmdline = cmdline;
	kernel.modules = modules;
	kernel.nr_modules = 2;
	return kernel;
}

static void test_multiboot(void)
{
	struct addresses flat;
	struct elf32 elf;
	struct hlk_kernel kernel = multiboot_of(&elf, sizeof(elf));

	make_multiboot_elf(&elf);
	make_addresses(&flat);
	tap(!load(&kernel) && placed.protocol == HLK_PROTOCOL_MULTIBOOT &&
	    is_32(KELF_TEXT + KELF_ENTRY),
	    "Multiboot, ELF: a virtual entry is found %s", line());
	test_multiboot_info("Multiboot, ELF");
	tap(filled(KELF_TEXT, 256, 0xcc) && filled(KELF_DATA, 128, 0xdd),
	    "Multiboot, ELF: its segments");
	tap(half(half(regs.rbx + 24)) >= placed.kernel_end,
	    "Multiboot, ELF: modules are behind it");
	elf.ehdr.e_entry -= KELF_VIRT;
	tap(!load(&kernel) && is_32(KELF_TEXT + KELF_ENTRY),
	    "Multiboot, ELF: a physical entry");
	elf.phdr[0].p_paddr = 0x8000;
	elf.phdr[1].p_paddr = 0x9000;
	elf.ehdr.e_entry = 0x8000;
	tap(!load(&kernel) && is_32(0x8000) && half(half(regs.rbx + 24)) == 0x100000,
	    "Multiboot, ELF: low, and modules are not");
	kernel = multiboot_of(&flat, sizeof(flat));
	tap(!load(&kernel) && is_32(flat.multiboot[7]) &&
	    filled(flat.multiboot[7], 256, 0xcc) &&
	    placed.kernel_end == FLAT_LOAD + FLAT_BSS,
	    "Multiboot, addresses %s", line());
	test_multiboot_info("Multiboot, addresses");
	flat.multiboot[5] = 0;
	flat.multiboot[6] = 0;
	tap(!load(&kernel) &&
	    placed.kernel_end == FLAT_LOAD + sizeof(flat) - 4,
	    "Multiboot, addresses: all of the file, no BSS");
	kernel.cmdline = NULL;
	kernel.nr_modules = 0;
	tap(!load(&kernel) && text_at(half(regs.rbx + 16), "") &&
	    !half(regs.rbx + 20), "Multiboot: nothing goes with it");
}

static bool is_real(uint32_t selector, uint32_t ip)
{
	return sregs.cr0 == 0x10 && !sregs.cr4 && !sregs.efer &&
	       sregs.cs.selector == selector && sregs.cs.base == selector * 16 &&
	       sregs.cs.limit == 0xffff && !sregs.cs.db && regs.rip == ip &&
	       !sregs.ds.base && !sregs.ss.base && sregs.ds.limit == 0xffff &&
	       !sregs.idt.base && sregs.idt.limit == 0xffff && regs.rflags == 2 &&
	       sregs.apic_base == 0x5555555555555555;
}

static void test_flat(void)
{
	static const char image[] = "any bytes";
	struct hlk_kernel kernel = kernel_of(image, sizeof(image));

	kernel.protocol = HLK_PROTOCOL_FLAT16;
	kernel.gpa = 0x7c00;
	tap(!load(&kernel) && is_real(0, 0x7c00) && text_at(0x7c00, image),
	    "flat, real mode: a boot sector");
	kernel.gpa = 0xfffff - sizeof(image);
	tap(!load(&kernel) && is_real(0xffff, kernel.gpa & 15) &&
	    text_at(kernel.gpa, image), "flat, real mode: up to 1 MiB");
	kernel.gpa = 0x100000;
	tap(load(&kernel) == -EINVAL, "refused: %s", line());
	kernel.protocol = HLK_PROTOCOL_FLAT32;
	tap(!load(&kernel) && is_32(0x100000) && text_at(0x100000, image),
	    "flat, protected mode");
	kernel.gpa = 0x100000000;
	tap(load(&kernel) == -EINVAL, "refused: %s", line());
	kernel.gpa = 0x180000 - sizeof(image);
	tap(!load(&kernel), "flat: up to the end of memory");
	kernel.gpa++;
	tap(load(&kernel) == -ENOSPC && half(0x180000 - 4) == 0, "refused: %s",
	    line());
	kernel.gpa = 0x100000 - 4;
	tap(!load(&kernel) && !memcmp(at(0xffffc, 4), image, 4) &&
	    !memcmp(at(0x100000, 6), image + 4, 6),
	    "flat: over two pieces that touch");
	kernel.gpa = 0xefffe;
	tap(load(&kernel) == -ENOSPC, "refused: %s", line());
}

static void test_nanvix(void)
{
	struct hlk_ram big[2] = {
		{ 0, 0x100000, calloc(1, 0x100000) },
		{ 0x800000, 0x3000, calloc(1, 0x3000) },
	};
	struct elf32 image;
	struct elf64 wide;
	struct hlk_kernel kernel = kernel_of(&image, sizeof(image));

	make_elf32(&image);
	image.phdr[0].p_paddr = 0x8000;
	image.phdr[1].p_paddr = 0x20000;
	image.ehdr.e_entry = 0x8040;
	kernel.protocol = HLK_PROTOCOL_NANVIX;
	tap(!load(&kernel) && is_real(0, 0x8040) && regs.rax == 0x0c00ffee &&
	    regs.rbx == 0x00800000, "Nanvix %s", line());
	kernel.initrd = initrd;
	kernel.initrd_size = sizeof(initrd);
	tap(load(&kernel) == -ENOSPC, "refused: %s", line());
	tap(!hlk_kernel_load(&kernel, big, 2, &regs, &sregs, &placed, &err) &&
	    regs.rbx == 0x00800002 && !strcmp(big[1].mem, "initrd"),
	    "Nanvix: the initrd and its pages");
	image.phdr[1].p_paddr = 0x801000;
	tap(hlk_kernel_load(&kernel, big, 2, &regs, &sregs, &placed, &err) == -ENOSPC &&
	    strstr(line(), "would be over a segment"), "refused: %s", line());
	image.phdr[1].p_paddr = 0x20000;
	kernel.initrd_size = 0xfff001;
	tap(load(&kernel) == -ENOSPC && strstr(line(), "more than 4095 pages"),
	    "refused: %s", line());
	kernel.initrd = NULL;
	kernel.initrd_size = 0;
	image.ehdr.e_entry = 0x8100;
	tap(load(&kernel) == -ENOEXEC, "refused: %s", line());
	image.phdr[0].p_paddr = 0x100000;
	image.ehdr.e_entry = 0x100000;
	tap(load(&kernel) == -ENOEXEC, "refused: %s", line());
	make_elf64(&wide);
	kernel.image = &wide;
	kernel.image_size = sizeof(wide);
	tap(load(&kernel) == -ENOEXEC && strstr(line(), "this one is 64-bit"),
	    "refused: %s", line());
	free(big[0].mem);
	free(big[1].mem);
}

/* A field of an image, and what to put there */
struct hostile {
	const char *want;
	int code;
	size_t at;
	size_t bytes;
	uint64_t value;
	size_t at2;
	size_t bytes2;
	uint64_t value2;
};

static void test_hostile(const struct hlk_kernel *kernel,
			 const struct hostile *rows, size_t nr)
{
	unsigned char *image = malloc(kernel->image_size);
	struct hlk_kernel other = *kernel;
	size_t i;
	int ret;

	other.image = image;
	for (i = 0; i < nr; i++) {
		memcpy(image, kernel->image, kernel->image_size);
		memcpy(image + rows[i].at, &rows[i].value, rows[i].bytes);
		memcpy(image + rows[i].at2, &rows[i].value2, rows[i].bytes2);
		ret = load(&other);
		tap(ret == -rows[i].code && strstr(line(), rows[i].want),
		    "refused: %s", line());
	}
	free(image);
}

#define NR(array)	(sizeof(array) / sizeof(*(array)))
#define HDR(field, value) \
	SETUP_HEADER + offsetof(struct setup_header, field), \
	sizeof(((struct setup_header *)NULL)->field), value

static const struct hostile bz_rows[] = {
	{ "a boot protocol before 2.02", ENOEXEC, HDR(version, 0x201), 0, 0, 0 },
	{ "is cut off", ENOEXEC, HDR(jump, 0x05eb), 0, 0, 0 },
	{ "too few for version 0x20f", ENOEXEC, HDR(jump, 0x60eb), 0, 0, 0 },
	{ "lacks LOADED_HIGH", ENOEXEC, HDR(loadflags, 0), 0, 0, 0 },
	{ "kernel_alignment 0x0 is", ENOEXEC, HDR(kernel_alignment, 0), 0, 0, 0 },
	{ "kernel_alignment 0x3 is", ENOEXEC, HDR(kernel_alignment, 3), 0, 0, 0 },
	{ "setup_sects 255", ENOEXEC, HDR(setup_sects, 255), 0, 0, 0 },
	{ "syssize says 0xffffffff0", ENOEXEC, HDR(syssize, 0xffffffff), 0, 0, 0 },
	{ "syssize says 0x810", ENOEXEC, HDR(syssize, 129), 0, 0, 0 },
	{ "wants 0x80001 bytes", ENOSPC, HDR(init_size, 0x80001), 0, 0, 0 },
	{ "wants 0xffffffff bytes", ENOSPC, HDR(init_size, 0xffffffff),
	  HDR(pref_address, UINT64_MAX) },
	{ "wants 0x8000 bytes", ENOSPC, HDR(kernel_alignment, 0x80000000),
	  HDR(pref_address, 0x170000 + 0x8001) },
	{ "the kernel wants", ENOSPC, HDR(relocatable_kernel, 0),
	  HDR(pref_address, 0xffffffff) },
	{ "no room for the initrd", ENOSPC, HDR(initrd_addr_max, 0xfffff), 0, 0, 0 },
	{ "no room for the initrd", ENOSPC, HDR(initrd_addr_max, 0), 0, 0, 0 },
	{ "command line has more than 18", E2BIG, HDR(cmdline_size, 18), 0, 0, 0 },
	{ "no bzImage, no ELF", ENOEXEC, HDR(header, 0x53726449), 0, 0, 0 },
	{ "no bzImage, no ELF", ENOEXEC, HDR(boot_flag, 0), 0, 0, 0 },
};

static const struct hostile bz64_rows[] = {
	{ "has no 64-bit entry", ENOEXEC, HDR(xloadflags, 0), 0, 0, 0 },
	{ "has no 64-bit entry", ENOEXEC, HDR(version, 0x20b), 0, 0, 0 },
};

#define E64(field, value) \
	offsetof(struct elf64, field), \
	sizeof(((struct elf64 *)NULL)->field), value

static const struct hostile elf_rows[] = {
	{ "not for x86-64", ENOEXEC, E64(ehdr.e_machine, EM_386), 0, 0, 0 },
	{ "headers lie outside", ENOEXEC, E64(ehdr.e_phoff, UINT64_MAX - 8), 0, 0, 0 },
	{ "headers have 32 bytes, not 56", ENOEXEC, E64(ehdr.e_phentsize, 32), 0, 0, 0 },
	{ "not for i386", ENOEXEC, E64(ehdr.e_ident[EI_CLASS], 1), 0, 0, 0 },
	{ "e_entry 0x110100 is in no", ENOEXEC, E64(ehdr.e_entry, KELF_TEXT + 256), 0, 0, 0 },
	{ "goes past the end", ENOEXEC, E64(phdr[0].p_offset, UINT64_MAX), 0, 0, 0 },
	{ "goes past the end", ENOEXEC, E64(phdr[1].p_filesz, UINT64_MAX),
	  E64(phdr[1].p_memsz, UINT64_MAX) },
	{ "goes past the end", ENOEXEC, E64(phdr[2].p_offset, UINT64_MAX), 0, 0, 0 },
	{ "ends above all", ENOEXEC, E64(phdr[1].p_paddr, UINT64_MAX - 100), 0, 0, 0 },
	{ "wants 0x1000 bytes at 0x17f001", ENOSPC, E64(phdr[1].p_paddr, 0x17f001), 0, 0, 0 },
	{ "wants 0x1000 bytes at 0x190000", ENOSPC, E64(phdr[1].p_paddr, 0x190000), 0, 0, 0 },
	{ "wants 0x8000000000000000 bytes", ENOSPC, E64(phdr[1].p_memsz, 1ULL << 63), 0, 0, 0 },
};

static const struct hostile pvh_rows[] = {
	{ "no note of type XEN", ENOEXEC, E64(phdr[2].p_type, PT_NULL), 0, 0, 0 },
	{ "no note of type XEN", ENOEXEC, E64(phdr[2].p_filesz, 40), 0, 0, 0 },
	{ "no note of type XEN", ENOEXEC, E64(notes[0].namesz, UINT32_MAX), 0, 0, 0 },
	{ "no note of type XEN", ENOEXEC, E64(notes[0].descsz, UINT32_MAX), 0, 0, 0 },
	/* the second note begins with the first one's second word */
	{ "no note of type XEN", ENOEXEC, E64(notes[0].desc[1], 5), 0, 0, 0 },
	{ "no note of type XEN", ENOEXEC, E64(notes[1].namesz, 2), 0, 0, 0 },
	{ "no note of type XEN", ENOEXEC, E64(notes[1].descsz, 17), 0, 0, 0 },
	{ "ENTRY is 0x100110044,", ENOEXEC,
	  offsetof(struct elf64, notes[1].name[4]), 1, 1, 0, 0, 0 },
};

#define MB(field, value) \
	offsetof(struct addresses, multiboot[field]), 4, value
/* A flag, and the checksum that goes with it */
#define FLAG(flag) MB(1, flag), MB(2, (uint32_t)-(0x1badb002 + (flag)))

static const struct hostile mb_rows[] = {
	{ "no bzImage, no ELF", ENOEXEC, MB(2, 0), 0, 0, 0 },
	{ "ask for a video mode", ENOEXEC, FLAG(0x10004) },
	{ "unknown: 0x8000", ENOEXEC, FLAG(0x18000) },
	{ "load_addr 0x10000d", ENOEXEC, MB(4, FLAT_LOAD + 13), 0, 0, 0 },
	{ "header_addr 0x100011", ENOEXEC, MB(3, FLAT_LOAD + 17), 0, 0, 0 },
	{ "load_end_addr 0x100000 is not", ENOEXEC, MB(5, FLAT_LOAD), 0, 0, 0 },
	{ "load_end_addr 0x1 is not", ENOEXEC, MB(5, 1), 0, 0, 0 },
	{ "goes past the end", ENOEXEC, MB(5, FLAT_LOAD + sizeof(struct addresses)), 0, 0, 0 },
	{ "goes past the end", ENOEXEC, MB(5, 0xffffffff), 0, 0, 0 },
	{ "bss_end_addr 0x100001 is below", ENOEXEC, MB(6, FLAT_LOAD + 1), 0, 0, 0 },
	{ "bytes at 0x100000, where", ENOSPC, MB(6, 0xffffffff), 0, 0, 0 },
	{ "entry_addr 0xfffff is not", ENOEXEC, MB(7, FLAT_LOAD - 1), 0, 0, 0 },
	{ "entry_addr 0x1000 is not", ENOEXEC, MB(7, 0x1000), 0, 0, 0 },
};

static void test_all_hostile(void)
{
	struct addresses addresses;
	struct bzimage bzimage;
	struct elf64 elf;
	struct hlk_kernel kernel = linux_of(&bzimage, sizeof(bzimage), 0);

	make_addresses(&addresses);
	make_bzimage(&bzimage);
	make_elf64(&elf);
	test_hostile(&kernel, bz_rows, NR(bz_rows));
	kernel.protocol = HLK_PROTOCOL_LINUX64;
	test_hostile(&kernel, bz64_rows, NR(bz64_rows));
	kernel = linux_of(&elf, sizeof(elf), 0);
	test_hostile(&kernel, elf_rows, NR(elf_rows));
	kernel.protocol = HLK_PROTOCOL_PVH;
	test_hostile(&kernel, pvh_rows, NR(pvh_rows));
	kernel = multiboot_of(&addresses, sizeof(addresses));
	test_hostile(&kernel, mb_rows, NR(mb_rows));
}

static void refused(struct hlk_kernel *kernel, int code, const char *want)
{
	int ret = load(kernel);

	tap(ret == -code && strstr(line(), want), "refused: %s", line());
}

static void test_arguments(void)
{
	struct bzimage image;
	struct hlk_kernel kernel = kernel_of(&image, sizeof(image));
	char *text = malloc(70000);

	make_bzimage(&image);
	memset(text, 'x', 69999);
	text[69999] = '\0';
	kernel.flags = 4;
	refused(&kernel, EOPNOTSUPP, "flags");
	kernel.flags = 0;
	kernel.protocol = HLK_PROTOCOL_NANVIX + 1;
	refused(&kernel, EINVAL, "no protocol 8");
	kernel.protocol = 0;
	kernel.nr_modules = 1;
	refused(&kernel, EINVAL, "modules that are not there");
	kernel.modules = modules;
	refused(&kernel, EINVAL, "linux64 has no modules");
	kernel.nr_modules = HLK_KERNEL_MAX_MODULES + 1;
	refused(&kernel, E2BIG, "65 modules");
	kernel.nr_modules = 0;
	kernel.gpa = 0x1000;
	refused(&kernel, EINVAL, "linux64 has no load address");
	kernel.gpa = 0;
	kernel.initrd = initrd;
	refused(&kernel, EINVAL, "initrd is empty");
	kernel.initrd = NULL;
	kernel.initrd_size = 1;
	refused(&kernel, EINVAL, "not there has a size");
	kernel.initrd_size = 0;
	kernel.cmdline = text;
	refused(&kernel, E2BIG, "command line has more than 255");
	kernel.protocol = HLK_PROTOCOL_FLAT32;
	refused(&kernel, EINVAL, "flat32 has no command line");
	kernel.cmdline = NULL;
	kernel.image_size = 0;
	refused(&kernel, ENOEXEC, "the image is empty");
	kernel.size = 8;
	refused(&kernel, EINVAL, "not initialised");
	free(text);
}

static void refused_ram(const struct hlk_ram *bad, uint32_t nr, const char *want)
{
	struct bzimage image;
	struct hlk_kernel kernel = kernel_of(&image, sizeof(image));
	int ret;

	make_bzimage(&image);
	ret = hlk_kernel_load(&kernel, bad, nr, &regs, &sregs, &placed, &err);
	tap(ret == -EINVAL && strstr(line(), want), "refused: %s", line());
}

static void test_ram(void)
{
	struct hlk_ram bad[HLK_KERNEL_MAX_MODULES + 1] = {
		{ 0x1000, 0x1000, bad }, { 0, 0x1001, bad },
	};

	refused_ram(bad, 0, "0 pieces");
	refused_ram(bad, 65, "65 pieces");
	refused_ram(bad, 2, "at 0x1000 is there twice");
	bad[1].bytes = 0;
	refused_ram(bad, 2, "at 0x0 is none");
	bad[1].bytes = 1;
	bad[1].gpa = UINT64_MAX;
	refused_ram(bad, 2, "ends above");
	bad[1].gpa = 0;
	bad[1].mem = NULL;
	refused_ram(bad, 2, "at 0x0 is none");
}

/* A whole image is needed, but for what comes after the code of the kernel. */
static void test_cut(const char *name, struct hlk_kernel kernel, size_t least)
{
	const size_t whole = kernel.image_size;
	bool good = true;
	size_t size;

	for (size = 0; size < whole; size++) {
		kernel.image_size = size;
		if (!load_exact(&kernel) && size < least)
			good = false;
	}
	tap(good, "%s: cut anywhere, it is refused", name);
}

/* What a loader that says yes has promised */
static bool sane(const struct hlk_kernel *kernel)
{
	return placed.protocol && placed.kernel < placed.kernel_end &&
	       at(placed.kernel, 1) && at(placed.kernel_end - 1, 1) &&
	       placed.entry >= placed.kernel && placed.entry < placed.kernel_end &&
	       at(placed.entry, 1) &&
	       (!kernel->initrd || at(placed.initrd, kernel->initrd_size)) &&
	       (!placed.cmdline || at(placed.cmdline, 1)) &&
	       (!placed.info || at(placed.info, 56)) &&
	       (!placed.tables || at(placed.tables, 24576));
}

static void mutate(unsigned char *image, size_t *size, size_t head)
{
	static const unsigned char edge[] = { 0, 1, 0x7f, 0x80, 0xfe, 0xff };
	int nr = 1 + rand() % 5;

	while (nr--) {
		size_t where = rand() % (rand() % 8 ? head : *size);

		image[where] = rand() % 2 ? edge[rand() % sizeof(edge)] : rand();
	}
	if (!(rand() % 16))
		*size = rand() % (*size + 1);
}

static void test_mutations(const char *name, const struct hlk_kernel *kernel,
			   size_t head, unsigned int nr)
{
	struct hlk_kernel other = *kernel;
	unsigned int accepted = 0;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		unsigned char *image = malloc(kernel->image_size);
		size_t size = kernel->image_size;
		bool good = true;

		memcpy(image, kernel->image, size);
		mutate(image, &size, head);
		other.image = image;
		other.image_size = size;
		if (!load_exact(&other)) {
			accepted++;
			good = sane(&other);
		}
		free(image);
		if (!good) {
			tap(false, "%s: mutation %u", name, i);
			return;
		}
	}
	tap(accepted && accepted < nr,
	    "%s: %u mutations, %u of them accepted and sane", name, nr, accepted);
}

static void test_images(unsigned int nr)
{
	struct addresses addresses;
	struct bzimage bzimage;
	struct elf32 multiboot;
	struct elf32 narrow;
	struct elf64 wide;
	struct hlk_kernel kernel = linux_of(&bzimage, sizeof(bzimage), 0);

	make_addresses(&addresses);
	make_bzimage(&bzimage);
	make_multiboot_elf(&multiboot);
	make_elf32(&narrow);
	make_elf64(&wide);
	test_cut("bzImage", kernel, sizeof(bzimage) - 15);
	test_mutations("bzImage", &kernel, BZ_CODE, nr);
	kernel = linux_of(&wide, sizeof(wide), 0);
	test_cut("vmlinux", kernel, sizeof(wide));
	test_mutations("vmlinux, 64 bits", &kernel,
		       offsetof(struct elf64, text), nr);
	kernel.protocol = HLK_PROTOCOL_PVH;
	test_mutations("PVH", &kernel, offsetof(struct elf64, text), nr);
	kernel = linux_of(&narrow, sizeof(narrow), 0);
	test_mutations("vmlinux, 32 bits", &kernel,
		       offsetof(struct elf32, text), nr);
	kernel = multiboot_of(&multiboot, sizeof(multiboot));
	test_cut("Multiboot, ELF", kernel, sizeof(multiboot));
	test_mutations("Multiboot, ELF", &kernel,
		       offsetof(struct elf32, text), nr);
	kernel = multiboot_of(&addresses, sizeof(addresses));
	test_cut("Multiboot, addresses", kernel, sizeof(addresses));
	test_mutations("Multiboot, addresses", &kernel,
		       offsetof(struct addresses, text), nr);
}

/* Each segment, module and text is a thing of its own, and the list has an end. */
static void test_full(void)
{
	struct hlk_module many[HLK_KERNEL_MAX_MODULES];
	struct addresses image;
	struct hlk_kernel kernel = multiboot_of(&image, sizeof(image));
	uint32_t i;

	make_addresses(&image);
	for (i = 0; i < HLK_KERNEL_MAX_MODULES; i++)
		many[i] = (struct hlk_module) { "module", 7, "its text" };
	kernel.modules = many;
	kernel.nr_modules = HLK_KERNEL_MAX_MODULES;
	tap(!load(&kernel) && half(regs.rbx + 20) == HLK_KERNEL_MAX_MODULES &&
	    text_at(half(half(regs.rbx + 24) + 63 * 16), "module"),
	    "as many modules as can be %s", line());
	many[40].size = 1 << 20;
	many[40].data = calloc(1, 1 << 20);
	refused(&kernel, ENOSPC, "no room for a module: 0x100000 bytes");
	free((void *)many[40].data);
}

static int no_memory(unsigned char *mem, uint64_t bytes)
{
	(void)mem;
	return bytes == 5 ? -ENOMEM : 0;
}

/* The one place that writes, by itself */
static void test_load(void)
{
	struct hlk_ram whole = { 0, 0x200000, calloc(1, 0x200000) };
	const struct hlk_load_wish wish = {
		.bytes = 0x9c000,
		.align = 0x1000,
		.min = 0x1000,
		.max = UINT32_MAX,
	};
	struct hlk_load_wish high = wish;
	struct hlk_load *memory = calloc(1, sizeof(*memory));
	uint64_t gpa = 0;
	uint32_t i;
	int ret;

	hlk_load_init(memory, &whole, 1, &err);
	high.align = 0x100000;
	high.min = 0x101000;
	high.bytes = 0x1000;
	tap(!hlk_load_room(memory, &high, &gpa), "what is aligned may be beyond");
	high.high = true;
	tap(!hlk_load_room(memory, &high, &gpa), "or below");
	high = wish;
	tap(!hlk_load_add(memory, "first", &wish, "x", 1, &gpa) && gpa == 0x1000 &&
	    !hlk_load_add(memory, "second", &wish, "x", 1, &gpa) && gpa == 0x100000,
	    "room is not looked for in the PC's hole");
	high.high = true;
	high.max = 0x19bfff;
	tap(hlk_load_add(memory, "third", &high, "x", 1, &gpa) == -ENOSPC,
	    "nor from above: %s", line());
	tap(!hlk_load_put(memory, "video", 0xa0000, 16, "x", 1), "it is there to be asked for");
	ret = hlk_load_put(memory, "more", 0xa0008, 16, "x", 1);
	tap(ret == -ENOSPC && strstr(line(), "more at 0xa0008 would be over video at 0xa0000"),
	    "%s", line());
	ret = hlk_load_put(memory, "more", 0x9fff8, 9, "x", 1);
	tap(ret == -ENOSPC && strstr(line(), "over video"), "%s", line());
	ret = hlk_load_put(memory, "a long one", 0xa0018, 1, "0123456789", 10);
	tap(!ret && hlk_load_put(memory, "after", 0xa0021, 1, "x", 1) == -ENOSPC,
	    "what is written is in use, whatever was said");
	tap(hlk_load_put(memory, "nothing", 0xb0000, 0, NULL, 0) == -ENOSPC, "nothing");
	memory->reach = no_memory;
	ret = hlk_load_put(memory, "five", 0xb0000, 5, "12345", 5);
	tap(ret == -ENOMEM && !((char *)whole.mem)[0xb0000], "memory that is not to be had");
	for (i = memory->nr; i < HLK_LOAD_MAX_PLACES; i++)
		if (hlk_load_put(memory, "many", 0xc0000 + i, 1, "x", 1))
			tap(false, "thing %u", i);
	tap(hlk_load_put(memory, "one more", 0xd0000, 1, "x", 1) == -E2BIG &&
	    !((char *)whole.mem)[0xd0000], "%s", line());
	free(whole.mem);
	free(memory);
}

static void test_names(void)
{
	bool good = true;
	uint32_t i;

	for (i = 0; i <= HLK_PROTOCOL_NANVIX; i++)
		good &= !!hlk_protocol_text(i);
	tap(good && !hlk_protocol_text(i), "protocols have names");
}

int main(int argc, char **argv)
{
	unsigned int seed = argc > 1 ? strtoul(argv[1], NULL, 0) : 1;
	unsigned int nr = argc > 2 ? strtoul(argv[2], NULL, 0) : 20000;

	printf("# seed %u\n", seed);
	srand(seed);
	make_ram();
	test_bzimage();
	test_versions();
	test_vmlinux();
	test_pvh();
	test_multiboot();
	test_flat();
	test_nanvix();
	test_all_hostile();
	test_arguments();
	test_ram();
	test_full();
	test_load();
	test_names();
	test_images(nr);
	free_ram();
	return tap_done();
}
