// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names of a guest's functions, by the symbols of its ELF file. It is read when a name is
 * asked for: after a crash, and never else. Without libelf there are no names.
 */
#include "symbol.h"

#ifdef HAVE_LIBELF
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <unistd.h>

/**
 * struct nearest - the function that an address is in
 * @addr: the address
 * @at: where the function begins
 * @name: its name, or NULL if none was found
 */
struct nearest {
	uint64_t addr;
	uint64_t at;
	const char *name;
};

/* Those of assembly have no size, and last until the next one begins. */
static void look_at(struct nearest *nearest, Elf *elf, const GElf_Shdr *section,
		    const GElf_Sym *sym)
{
	const int type = GELF_ST_TYPE(sym->st_info);

	if ((type != STT_FUNC && type != STT_NOTYPE) || sym->st_shndx == SHN_UNDEF ||
	    sym->st_shndx >= SHN_LORESERVE || sym->st_value > nearest->addr ||
	    (sym->st_size && nearest->addr - sym->st_value >= sym->st_size) ||
	    (nearest->name && sym->st_value < nearest->at))
		return;
	nearest->name = elf_strptr(elf, section->sh_link, sym->st_name);
	nearest->at = sym->st_value;
}

static void look_in(struct nearest *nearest, Elf *elf, Elf_Scn *scn)
{
	GElf_Shdr section;
	Elf_Data *data;
	GElf_Sym sym;
	size_t i;

	if (!gelf_getshdr(scn, &section) || section.sh_type != SHT_SYMTAB ||
	    !section.sh_entsize)
		return;
	data = elf_getdata(scn, NULL);
	for (i = 0; data && i < section.sh_size / section.sh_entsize; i++) {
		/* beyond INT_MAX there are none */
		if (!gelf_getsym(data, i, &sym))
			return;
		look_at(nearest, elf, &section, &sym);
	}
}

static bool find(struct nearest *nearest, int fd, char *name, size_t size)
{
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	Elf_Scn *scn = NULL;
	bool found = false;

	while (elf && (scn = elf_nextscn(elf, scn)) != NULL)
		look_in(nearest, elf, scn);
	if (nearest->name && *nearest->name) {
		snprintf(name, size, "%.80s+0x%llx", nearest->name,
			 (unsigned long long)(nearest->addr - nearest->at));
		found = true;
	}
	elf_end(elf);
	return found;
}

/**
 * symbol_at() - the function that an address is in
 * @path: the guest's ELF file, or NULL; of anybody's
 * @addr: the address
 * @name: out: the function and how far in it that is; may be any bytes
 * @size: room there
 *
 * Return: whether there is one
 */
bool symbol_at(const char *path, uint64_t addr, char *name, size_t size)
{
	struct nearest nearest = { .addr = addr };
	bool found;
	int fd;

	if (!path || elf_version(EV_CURRENT) == EV_NONE)
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return false;
	found = find(&nearest, fd, name, size);
	close(fd);
	return found;
}
#else
bool symbol_at(const char *path, uint64_t addr, char *name, size_t size)
{
	(void)path;
	(void)addr;
	(void)name;
	(void)size;
	return false;
}
#endif
