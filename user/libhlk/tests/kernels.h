/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Small images of each boot protocol, for the tests and the fuzzer. */
#ifndef LIBHLK_KERNELS_H
#define LIBHLK_KERNELS_H

#include <asm/bootparam.h>
#include <elf.h>
#include <stddef.h>
#include <string.h>

#include "hlk.h"

#define SETUP_HEADER	0x1f1
#define BZ_SECTS	1
#define BZ_CODE		((1 + BZ_SECTS) * 512)
#define BZ_SIZE		(BZ_CODE + 2048)
#define BZ_PREF		0x120000
#define BZ_INIT_SIZE	0x8000

/* A bzImage by version 2.15, with a 64-bit entry */
struct bzimage {
	unsigned char bytes[BZ_SIZE];
};

static inline struct setup_header *bz_header(struct bzimage *image)
{
	return (struct setup_header *)(image->bytes + SETUP_HEADER);
}

static inline void make_bzimage(struct bzimage *image)
{
	struct setup_header *hdr = bz_header(image);

	memset(image, 0x90, sizeof(*image));
	*hdr = (struct setup_header) {
		.setup_sects = BZ_SECTS,
		.syssize = (BZ_SIZE - BZ_CODE) / 16,
		.boot_flag = 0xaa55,
		.jump = 0xeb | (SETUP_HEADER + sizeof(*hdr) - 0x202) << 8,
		.header = 0x53726448,
		.version = 0x20f,
		.loadflags = LOADED_HIGH,
		.initrd_addr_max = 0x7fffffff,
		.kernel_alignment = 0x10000,
		.relocatable_kernel = 1,
		.xloadflags = XLF_KERNEL_64,
		.cmdline_size = 255,
		.pref_address = BZ_PREF,
		.init_size = BZ_INIT_SIZE,
	};
}

#define KELF_TEXT	0x110000U
#define KELF_DATA	0x112000U
#define KELF_VIRT	0xc0000000U
#define KELF_ENTRY	0x40

struct note {
	uint32_t namesz;
	uint32_t descsz;
	uint32_t type;
	char name[8];
	uint32_t desc[2];
};

/* An ELF32 kernel that is linked at KELF_VIRT, with room for a Multiboot header */
struct elf32 {
	Elf32_Ehdr ehdr;
	Elf32_Phdr phdr[3];
	struct note notes[2];
	uint32_t multiboot[8];
	unsigned char text[256];
	unsigned char data[128];
};

struct elf64 {
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr[3];
	struct note notes[2];
	unsigned char text[256];
	unsigned char data[128];
};

#define IDENT(class) \
	{ ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, class, ELFDATA2LSB, EV_CURRENT }

#define MAKE_ELF(bits, elfclass, elfmachine) \
static inline void make_elf##bits(struct elf##bits *image) \
{ \
	memset(image, 0x90, sizeof(*image)); \
	image->ehdr = (Elf##bits##_Ehdr) { \
		.e_ident = IDENT(elfclass), \
		.e_type = ET_EXEC, \
		.e_machine = elfmachine, \
		.e_version = EV_CURRENT, \
		.e_entry = KELF_TEXT + KELF_ENTRY, \
		.e_phoff = offsetof(struct elf##bits, phdr), \
		.e_phentsize = sizeof(image->phdr[0]), \
		.e_phnum = 3, \
	}; \
	image->phdr[0] = (Elf##bits##_Phdr) { \
		.p_type = PT_LOAD, \
		.p_flags = PF_R | PF_X, \
		.p_offset = offsetof(struct elf##bits, text), \
		.p_vaddr = KELF_VIRT + KELF_TEXT, \
		.p_paddr = KELF_TEXT, \
		.p_filesz = sizeof(image->text), \
		.p_memsz = sizeof(image->text), \
	}; \
	image->phdr[1] = (Elf##bits##_Phdr) { \
		.p_type = PT_LOAD, \
		.p_flags = PF_R | PF_W, \
		.p_offset = offsetof(struct elf##bits, data), \
		.p_vaddr = KELF_VIRT + KELF_DATA, \
		.p_paddr = KELF_DATA, \
		.p_filesz = sizeof(image->data), \
		.p_memsz = 4096, \
	}; \
	image->phdr[2] = (Elf##bits##_Phdr) { \
		.p_type = PT_NOTE, \
		.p_offset = offsetof(struct elf##bits, notes), \
		.p_filesz = sizeof(image->notes), \
		.p_memsz = sizeof(image->notes), \
	}; \
	image->notes[0] = (struct note) { 6, 4, 0x101, "Linux", { 1 } }; \
	image->notes[1] = (struct note) { \
		4, 8, 18, "Xen", { KELF_TEXT + KELF_ENTRY + 4 } \
	}; \
	/* a name of 4 bytes has no padding */ \
	memmove(image->notes[1].name + 4, image->notes[1].desc, 8); \
	image->phdr[2].p_filesz -= 4; \
	/* and this one's text has 4 bytes */ \
	memmove(&image->notes[0].desc[1], &image->notes[1], \
		sizeof(image->notes[1])); \
	image->phdr[2].p_filesz -= 4; \
	memset(image->text, 0xcc, sizeof(image->text)); \
	memset(image->data, 0xdd, sizeof(image->data)); \
}

MAKE_ELF(32, ELFCLASS32, EM_386)
MAKE_ELF(64, ELFCLASS64, EM_X86_64)

/* Without its notes: no kernel of Linux, and no PVH entry */
static inline void make_multiboot_elf(struct elf32 *image)
{
	const uint32_t flags = 3;

	make_elf32(image);
	image->phdr[2].p_type = PT_NULL;
	image->ehdr.e_entry = KELF_VIRT + KELF_TEXT + KELF_ENTRY;
	image->multiboot[0] = 0x1badb002;
	image->multiboot[1] = flags;
	image->multiboot[2] = -(0x1badb002 + flags);
}

#define FLAT_HEADER	16
#define FLAT_LOAD	0x100000U
#define FLAT_BSS	0x1000U

/* Any format, with the header's address fields: those of @image from byte 4 on */
struct addresses {
	unsigned char before[FLAT_HEADER];
	uint32_t multiboot[8];
	unsigned char text[256];
};

static inline void make_addresses(struct addresses *image)
{
	const uint32_t flags = 0x10000;

	memset(image, 0xcc, sizeof(*image));
	image->multiboot[0] = 0x1badb002;
	image->multiboot[1] = flags;
	image->multiboot[2] = -(0x1badb002 + flags);
	image->multiboot[3] = FLAT_LOAD + FLAT_HEADER - 4;
	image->multiboot[4] = FLAT_LOAD;
	image->multiboot[5] = FLAT_LOAD + sizeof(*image) - 4;
	image->multiboot[6] = FLAT_LOAD + FLAT_BSS;
	image->multiboot[7] = FLAT_LOAD + offsetof(struct addresses, text) - 4;
}

#endif /* LIBHLK_KERNELS_H */
