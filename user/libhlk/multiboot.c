// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Multiboot 1 (the specification 0.6.96): a header in the first 8 KiB of a file, which is
 * loaded by addresses in that header or as an ELF file.
 */
#include "kernel.h"

#include <errno.h>
#include <string.h>

#define SEARCH		8192U
#define MAGIC		0x1badb002U
#define LOADER_MAGIC	0x2badb002U
#define PAGE		4096U

/* flags of the header; those of the lower half have to be understood */
#define WANTS_PAGES	0x00000001U	/* modules at page boundaries: they are */
#define WANTS_MEMORY	0x00000002U	/* mem_lower, mem_upper: they are there */
#define WANTS_VIDEO	0x00000004U
#define MUST_KNOW	0x0000ffffU
#define HAS_ADDRESSES	0x00010000U

/* flags of the information */
#define INFO_MEMORY	0x00000001U
#define INFO_CMDLINE	0x00000004U
#define INFO_MODS	0x00000008U
#define INFO_MMAP	0x00000040U
#define INFO_LOADER	0x00000200U

#define MAP_AVAILABLE	1
#define MAP_RESERVED	2

struct header {
	uint32_t magic;
	uint32_t flags;
	uint32_t checksum;
	uint32_t header_addr;
	uint32_t load_addr;
	uint32_t load_end_addr;
	uint32_t bss_end_addr;
	uint32_t entry_addr;
};

/* Without addresses it is this long. */
#define SHORT_HEADER	offsetof(struct header, header_addr)

struct info {
	uint32_t flags;
	uint32_t mem_lower;
	uint32_t mem_upper;
	uint32_t boot_device;
	uint32_t cmdline;
	uint32_t mods_count;
	uint32_t mods_addr;
	uint32_t syms[4];
	uint32_t mmap_length;
	uint32_t mmap_addr;
	uint32_t drives_length;
	uint32_t drives_addr;
	uint32_t config_table;
	uint32_t boot_loader_name;
	uint32_t apm_table;
	uint32_t vbe[4];
};

struct mod {
	uint32_t mod_start;
	uint32_t mod_end;
	uint32_t string;
	uint32_t reserved;
};

struct mmap {
	uint32_t size;
	uint64_t addr;
	uint64_t length;
	uint32_t type;
} __attribute__((packed));

_Static_assert(sizeof(struct info) == 88 && sizeof(struct mod) == 16 &&
	       sizeof(struct mmap) == 24, "as the specification has them");

/* The whole header, as far as it is in the image; the rest is 0 */
static bool find_header(const struct hlk_kernel *kernel, struct header *header,
			uint64_t *at)
{
	memset(header, 0, sizeof(*header));
	for (*at = 0; *at + SHORT_HEADER <= SEARCH; *at += 4) {
		if (!hlk_image_get(kernel, *at, header, SHORT_HEADER))
			return false;
		if (header->magic != MAGIC ||
		    header->magic + header->flags + header->checksum)
			continue;
		hlk_image_get(kernel, *at, header, sizeof(*header));
		return true;
	}
	return false;
}

/**
 * hlk_multiboot_is() - whether an image has a Multiboot header
 * @kernel: the kernel
 *
 * Return: whether it has
 */
bool hlk_multiboot_is(const struct hlk_kernel *kernel)
{
	struct header header;
	uint64_t at;

	return find_header(kernel, &header, &at);
}

static int check_header(struct hlk_booting *booting, const struct header *header,
			uint64_t at)
{
	uint32_t unknown = header->flags & MUST_KNOW &
			   ~(WANTS_PAGES | WANTS_MEMORY);

	if (unknown & WANTS_VIDEO)
		return hlk_booting_fail(booting, ENOEXEC, "flags 0x%x of the Multiboot header ask for a video mode, and there is none",
					header->flags);
	if (unknown)
		return hlk_booting_fail(booting, ENOEXEC, "flags of the Multiboot header ask for something unknown: 0x%x",
					unknown);
	if (header->flags & HAS_ADDRESSES &&
	    (!hlk_image_has(&booting->kernel, at, sizeof(*header)) ||
	     at + sizeof(*header) > SEARCH))
		return hlk_booting_fail(booting, ENOEXEC, "the address fields of the Multiboot header are cut off");
	return 0;
}

/**
 * struct span - what the address fields say
 * @at: where it starts in the file
 * @bytes: its size there
 * @room: what it needs in memory
 */
struct span {
	uint64_t at;
	uint64_t bytes;
	uint64_t room;
};

static int read_addresses(struct hlk_booting *booting,
			  const struct header *header, uint64_t at,
			  struct span *span)
{
	const struct hlk_kernel *kernel = &booting->kernel;

	if (header->header_addr < header->load_addr ||
	    header->header_addr - header->load_addr > at)
		return hlk_booting_fail(booting, ENOEXEC, "load_addr 0x%x and header_addr 0x%x: the file has nothing so far before its Multiboot header",
					header->load_addr, header->header_addr);
	span->at = at - (header->header_addr - header->load_addr);
	span->bytes = kernel->image_size - span->at;
	if (header->load_end_addr) {
		if (header->load_end_addr <= header->load_addr)
			return hlk_booting_fail(booting, ENOEXEC, "load_end_addr 0x%x is not above load_addr 0x%x",
						header->load_end_addr,
						header->load_addr);
		span->bytes = header->load_end_addr - header->load_addr;
	}
	if (!hlk_image_has(kernel, span->at, span->bytes))
		return hlk_booting_fail(booting, ENOEXEC, "load_end_addr 0x%x goes past the end of the file",
					header->load_end_addr);
	span->room = span->bytes;
	if (header->bss_end_addr) {
		if (header->bss_end_addr < header->load_addr + span->bytes)
			return hlk_booting_fail(booting, ENOEXEC, "bss_end_addr 0x%x is below the end of what is loaded, 0x%llx",
						header->bss_end_addr,
						header->load_addr + (unsigned long long)span->bytes);
		span->room = header->bss_end_addr - header->load_addr;
	}
	if (header->entry_addr - header->load_addr >= span->bytes)
		return hlk_booting_fail(booting, ENOEXEC, "entry_addr 0x%x is not in what is loaded",
					header->entry_addr);
	return 0;
}

static int load_addresses(struct hlk_booting *booting,
			  const struct header *header, uint64_t at,
			  uint32_t *entry)
{
	struct hlk_placed *placed = &booting->placed;
	struct span span = {};
	int ret = read_addresses(booting, header, at, &span);

	if (ret)
		return ret;
	*entry = header->entry_addr;
	placed->kernel = header->load_addr;
	placed->kernel_end = header->load_addr + span.room;
	return hlk_load_put(&booting->load, "the kernel", header->load_addr,
			    span.room,
			    (const char *)booting->kernel.image + span.at,
			    span.bytes);
}

static int load_elf(struct hlk_booting *booting, uint32_t *entry)
{
	struct hlk_elf elf;
	uint64_t where;
	int ret = hlk_booting_elf(booting, &elf);

	if (ret)
		return ret;
	where = elf.entry;
	if (!hlk_elf_physical(&elf, &where) || where > UINT32_MAX)
		return hlk_booting_fail(booting, ENOEXEC, "e_entry 0x%llx is in no segment below 4 GiB",
					(unsigned long long)elf.entry);
	*entry = where;
	return 0;
}

static int load_kernel(struct hlk_booting *booting, uint32_t *entry)
{
	struct header header;
	uint64_t at;
	int ret;

	if (!find_header(&booting->kernel, &header, &at))
		return hlk_booting_fail(booting, ENOEXEC, "no Multiboot header (magic, flags and checksum) in the first %u bytes",
					SEARCH);
	ret = check_header(booting, &header, at);
	if (ret)
		return ret;
	if (header.flags & HAS_ADDRESSES)
		return load_addresses(booting, &header, at, entry);
	return load_elf(booting, entry);
}

static int add_module(struct hlk_booting *booting,
		      const struct hlk_module *module, struct mod *mod)
{
	struct hlk_load_wish wish = {
		.bytes = module->size,
		.align = PAGE,
		.min = HLK_LOAD_HIGH,
		.max = UINT32_MAX,
	};
	uint64_t gpa, text;
	int ret;

	/* Behind the kernel, where one that maps little of its memory sees them */
	if (booting->placed.kernel_end > wish.min)
		wish.min = booting->placed.kernel_end;
	ret = hlk_load_add(&booting->load, "a module", &wish, module->data,
			   module->size, &gpa);
	if (!ret)
		ret = hlk_booting_text(booting, "a module's text", module->text,
				       &text);
	if (ret)
		return ret;
	mod->mod_start = gpa;
	mod->mod_end = gpa + module->size;
	mod->string = text;
	return 0;
}

static int add_modules(struct hlk_booting *booting, struct info *info)
{
	const struct hlk_kernel *kernel = &booting->kernel;
	struct mod mods[HLK_KERNEL_MAX_MODULES] = {};
	uint64_t gpa = 0;
	uint32_t i;
	int ret;

	for (i = 0; i < kernel->nr_modules; i++) {
		ret = add_module(booting, &kernel->modules[i], &mods[i]);
		if (ret)
			return ret;
	}
	info->flags |= INFO_MODS;
	info->mods_count = kernel->nr_modules;
	if (!kernel->nr_modules)
		return 0;
	ret = hlk_load_low(&booting->load, "the list of modules", mods,
			   kernel->nr_modules * sizeof(*mods), 4, &gpa);
	info->mods_addr = gpa;
	return ret;
}

/* KiB from @gpa on without a gap, as far as 32 bits can say it */
static uint32_t kib_from(const struct hlk_load_area *areas, uint32_t nr,
			 uint64_t gpa)
{
	uint64_t kib;
	uint32_t i;

	for (i = 0; i < nr; i++) {
		if (!areas[i].usable || gpa - areas[i].gpa >= areas[i].bytes)
			continue;
		kib = (areas[i].bytes - (gpa - areas[i].gpa)) / 1024;
		return kib < UINT32_MAX ? kib : UINT32_MAX;
	}
	return 0;
}

static int add_memory(struct hlk_booting *booting, struct info *info)
{
	struct hlk_load_area areas[HLK_LOAD_MAX_AREAS];
	uint32_t nr = hlk_load_areas(&booting->load, areas);
	struct mmap map[HLK_LOAD_MAX_AREAS] = {};
	uint64_t gpa = 0;
	uint32_t i;
	int ret;

	for (i = 0; i < nr; i++) {
		/* without the field itself */
		map[i].size = sizeof(*map) - sizeof(map->size);
		map[i].addr = areas[i].gpa;
		map[i].length = areas[i].bytes;
		map[i].type = areas[i].usable ? MAP_AVAILABLE : MAP_RESERVED;
	}
	info->flags |= INFO_MEMORY | INFO_MMAP;
	info->mem_lower = kib_from(areas, nr, 0);
	info->mem_upper = kib_from(areas, nr, HLK_LOAD_HIGH);
	info->mmap_length = nr * sizeof(*map);
	ret = hlk_load_low(&booting->load, "the memory map", map,
			   info->mmap_length, 8, &gpa);
	info->mmap_addr = gpa;
	return ret;
}

static int add_info(struct hlk_booting *booting)
{
	struct hlk_placed *placed = &booting->placed;
	struct info info = {
		.flags = INFO_CMDLINE | INFO_LOADER,
	};
	uint64_t name = 0;
	int ret = hlk_booting_text(booting, "the command line",
				   booting->kernel.cmdline, &placed->cmdline);

	info.cmdline = placed->cmdline;
	if (!ret)
		ret = hlk_booting_text(booting, "the loader's name", "hlk", &name);
	info.boot_loader_name = name;
	if (!ret)
		ret = add_modules(booting, &info);
	if (!ret)
		ret = add_memory(booting, &info);
	if (!ret)
		ret = hlk_load_low(&booting->load, "Multiboot's information",
				   &info, sizeof(info), 8, &placed->info);
	return ret;
}

/**
 * hlk_multiboot_load() - load a Multiboot kernel
 * @booting: the kernel
 *
 * Return: 0 or a negative errno
 */
int hlk_multiboot_load(struct hlk_booting *booting)
{
	uint32_t entry = 0;
	int ret = load_kernel(booting, &entry);

	if (!ret)
		ret = add_info(booting);
	if (!ret)
		ret = hlk_booting_32(booting, entry);
	booting->regs.rax = LOADER_MAGIC;
	booting->regs.rbx = booting->placed.info;
	return ret;
}
