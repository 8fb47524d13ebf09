// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The PVH entry of the x86/HVM direct boot ABI: an ELF file says by a note where it
 * starts in 32-bit protected mode, and finds in EBX what it is told.
 */
#include "kernel.h"

#include <errno.h>
#include <string.h>

#define NOTE_PHYS32_ENTRY	18
#define START_MAGIC		0x336ec578U
#define START_VERSION		1
#define MAP_RAM			1
#define MAP_RESERVED		2
#define TSS_LIMIT		0x67

/* struct hvm_start_info of the ABI, version 1 */
struct start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t nr_modules;
	uint64_t modlist_paddr;
	uint64_t cmdline_paddr;
	uint64_t rsdp_paddr;
	uint64_t memmap_paddr;
	uint32_t memmap_entries;
	uint32_t reserved;
};

struct modlist_entry {
	uint64_t paddr;
	uint64_t size;
	uint64_t cmdline_paddr;
	uint64_t reserved;
};

struct memmap_entry {
	uint64_t addr;
	uint64_t size;
	uint32_t type;
	uint32_t reserved;
};

_Static_assert(sizeof(struct start_info) == 56 &&
	       sizeof(struct modlist_entry) == 32 &&
	       sizeof(struct memmap_entry) == 24, "as the ABI has them");

/* The note has 4 or 8 bytes, by the class of the file. */
static bool find_entry(const struct hlk_elf *elf, uint64_t *entry)
{
	const uint32_t type = NOTE_PHYS32_ENTRY;
	const unsigned char *desc;
	uint32_t bytes;

	*entry = 0;
	if (!hlk_elf_note(elf, "Xen", &type, &desc, &bytes) ||
	    (bytes != 4 && bytes != 8))
		return false;
	memcpy(entry, desc, bytes);
	return true;
}

/**
 * hlk_pvh_is() - whether an ELF file has a PVH entry
 * @elf: the file
 *
 * Return: whether it has
 */
bool hlk_pvh_is(const struct hlk_elf *elf)
{
	uint64_t entry;

	return find_entry(elf, &entry);
}

static int add_module(struct hlk_booting *booting, const char *what,
		      const struct hlk_module *module,
		      struct modlist_entry *entry)
{
	struct hlk_load_wish wish = {
		.bytes = module->size,
		.align = 4096,
		.min = HLK_LOAD_HIGH,
		.max = UINT32_MAX,
	};
	int ret = hlk_load_add(&booting->load, what, &wish, module->data,
			       module->size, &entry->paddr);

	entry->size = module->size;
	if (!ret && module->text)
		ret = hlk_booting_text(booting, "a module's text", module->text,
				       &entry->cmdline_paddr);
	return ret;
}

static int add_modules(struct hlk_booting *booting, struct start_info *info)
{
	struct modlist_entry list[1 + HLK_KERNEL_MAX_MODULES] = {};
	const struct hlk_kernel *kernel = &booting->kernel;
	struct hlk_module initrd = {
		.data = kernel->initrd,
		.size = kernel->initrd_size,
	};
	uint32_t i;
	int ret;

	if (kernel->initrd) {
		ret = add_module(booting, "the initrd", &initrd,
				 &list[info->nr_modules++]);
		if (ret)
			return ret;
		booting->placed.initrd = list[0].paddr;
		booting->placed.initrd_size = initrd.size;
	}
	for (i = 0; i < kernel->nr_modules; i++) {
		ret = add_module(booting, "a module", &kernel->modules[i],
				 &list[info->nr_modules++]);
		if (ret)
			return ret;
	}
	if (!info->nr_modules)
		return 0;
	return hlk_load_low(&booting->load, "the list of modules", list,
			    info->nr_modules * sizeof(*list), 8,
			    &info->modlist_paddr);
}

static int add_map(struct hlk_booting *booting, struct start_info *info)
{
	struct hlk_load_area areas[HLK_LOAD_MAX_AREAS];
	struct memmap_entry map[HLK_LOAD_MAX_AREAS] = {};
	uint32_t i;

	info->memmap_entries = hlk_load_areas(&booting->load, areas);
	for (i = 0; i < info->memmap_entries; i++) {
		map[i].addr = areas[i].gpa;
		map[i].size = areas[i].bytes;
		map[i].type = areas[i].usable ? MAP_RAM : MAP_RESERVED;
	}
	return hlk_load_low(&booting->load, "the memory map", map,
			    info->memmap_entries * sizeof(*map), 8,
			    &info->memmap_paddr);
}

static int add_info(struct hlk_booting *booting)
{
	struct hlk_placed *placed = &booting->placed;
	struct start_info info = {
		.magic = START_MAGIC,
		.version = START_VERSION,
		.rsdp_paddr = booting->kernel.rsdp,
	};
	int ret = hlk_booting_text(booting, "the command line",
				   booting->kernel.cmdline, &placed->cmdline);

	info.cmdline_paddr = placed->cmdline;
	if (!ret)
		ret = add_modules(booting, &info);
	if (!ret)
		ret = add_map(booting, &info);
	if (!ret)
		ret = hlk_load_low(&booting->load, "the start information",
				   &info, sizeof(info), 8, &placed->info);
	return ret;
}

/**
 * hlk_pvh_load() - load a kernel by its PVH entry
 * @booting: the kernel
 *
 * Return: 0 or a negative errno
 */
int hlk_pvh_load(struct hlk_booting *booting)
{
	struct hlk_elf elf;
	uint64_t entry;
	int ret = hlk_booting_elf(booting, &elf);

	if (ret)
		return ret;
	if (!find_entry(&elf, &entry))
		return hlk_booting_fail(booting, ENOEXEC, "the ELF file has no note of type XEN_ELFNOTE_PHYS32_ENTRY: it has no PVH entry");
	if (entry > UINT32_MAX || !hlk_elf_at(&elf, entry))
		return hlk_booting_fail(booting, ENOEXEC, "XEN_ELFNOTE_PHYS32_ENTRY is 0x%llx, in no segment below 4 GiB",
					(unsigned long long)entry);
	ret = add_info(booting);
	if (!ret)
		ret = hlk_booting_32(booting, entry);
	booting->sregs.tr.limit = TSS_LIMIT;
	booting->regs.rbx = booting->placed.info;
	return ret;
}
