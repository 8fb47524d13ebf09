// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * ELF32 images of i686 guests.
 *
 * Nothing in the image is believed: every offset, count and size is checked
 * against the file before it is used, in 64 bits so that no sum wraps. Headers
 * are copied out, because nothing says that they are aligned.
 */
#include "elf.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

static const char op[] = "cannot load the guest";

#define fail(err, ...) hlk_err_text(err, ENOEXEC, HLK_WHAT_ELF, op, __VA_ARGS__)

static int check_ident(const unsigned char *ident, struct hlk_err *err)
{
	if (memcmp(ident, ELFMAG, SELFMAG))
		return fail(err, "not an ELF file");
	if (ident[EI_CLASS] == ELFCLASS64)
		return fail(err, "64-bit ELF: this is for i686 guests");
	if (ident[EI_CLASS] != ELFCLASS32)
		return fail(err, "ELF of unknown class %u", ident[EI_CLASS]);
	if (ident[EI_DATA] != ELFDATA2LSB)
		return fail(err, "ELF is not little-endian");
	if (ident[EI_VERSION] != EV_CURRENT)
		return fail(err, "ELF of unknown version %u",
			    ident[EI_VERSION]);
	return 0;
}

static int check_kind(const Elf32_Ehdr *ehdr, struct hlk_err *err)
{
	if (ehdr->e_machine != EM_386)
		return fail(err, "ELF is for machine %u, not for i386 (%u)",
			    ehdr->e_machine, EM_386);
	if (ehdr->e_type == ET_DYN)
		return fail(err, "ELF is position-independent: link it with -no-pie");
	if (ehdr->e_type != ET_EXEC)
		return fail(err, "ELF is not an executable (type %u)",
			    ehdr->e_type);
	if (ehdr->e_version != EV_CURRENT)
		return fail(err, "ELF of unknown version %u", ehdr->e_version);
	return 0;
}

static int check_headers(const Elf32_Ehdr *ehdr, size_t size,
			 struct hlk_err *err)
{
	uint64_t end = (uint64_t)ehdr->e_phoff +
		       (uint64_t)ehdr->e_phnum * sizeof(Elf32_Phdr);

	if (!ehdr->e_phnum)
		return fail(err, "ELF has no program headers");
	if (ehdr->e_phentsize != sizeof(Elf32_Phdr))
		return fail(err, "ELF program headers have %u bytes, not %zu",
			    ehdr->e_phentsize, sizeof(Elf32_Phdr));
	if (ehdr->e_phoff < sizeof(Elf32_Ehdr) || end > size)
		return fail(err, "ELF program headers lie outside the file");
	return 0;
}

static int read_header(Elf32_Ehdr *ehdr, const void *image, size_t size,
		       struct hlk_err *err)
{
	unsigned char ident[EI_NIDENT] = {};
	int ret;

	memcpy(ident, image, size < sizeof(ident) ? size : sizeof(ident));
	ret = check_ident(ident, err);
	if (ret)
		return ret;
	if (size < sizeof(*ehdr))
		return fail(err, "ELF header is cut off");
	memcpy(ehdr, image, sizeof(*ehdr));
	ret = check_kind(ehdr, err);
	if (ret)
		return ret;
	return check_headers(ehdr, size, err);
}

static int check_load(const Elf32_Phdr *phdr, size_t size, uint32_t at,
		      struct hlk_err *err)
{
	if ((uint64_t)phdr->p_offset + phdr->p_filesz > size)
		return fail(err, "ELF segment %u goes past the end of the file",
			    at);
	if (phdr->p_filesz > phdr->p_memsz)
		return fail(err, "ELF segment %u is larger in the file than in memory",
			    at);
	if (phdr->p_align & (phdr->p_align - 1))
		return fail(err, "ELF segment %u has alignment 0x%x, not a power of two",
			    at, phdr->p_align);
	if (phdr->p_align > 1 &&
	    (phdr->p_vaddr - phdr->p_offset) & (phdr->p_align - 1))
		return fail(err, "ELF segment %u is not aligned as it says",
			    at);
	if (phdr->p_paddr < HLK_GUEST_MEM_BASE)
		return fail(err, "ELF segment %u starts at 0x%x, below guest memory (0x%x)",
			    at, phdr->p_paddr, HLK_GUEST_MEM_BASE);
	if ((uint64_t)phdr->p_paddr + phdr->p_memsz > HLK_GUEST_SCRATCH_TOP)
		return fail(err, "ELF segment %u ends above guest memory", at);
	return 0;
}

static bool covers(uint32_t gpa, uint32_t size, uint32_t at)
{
	return at - gpa < size;
}

/* Sorted insertion: what overlaps is a neighbour */
static int insert(struct hlk_elf *elf, const struct hlk_elf_segment *new,
		  uint32_t at, struct hlk_err *err)
{
	struct hlk_elf_segment *segment = elf->segment;
	uint32_t i = elf->nr;

	if (elf->nr == HLK_ELF_MAX_SEGMENTS)
		return fail(err, "ELF has more than %u segments",
			    HLK_ELF_MAX_SEGMENTS);
	while (i && segment[i - 1].gpa > new->gpa)
		i--;
	if ((i < elf->nr && covers(new->gpa, new->mem_size, segment[i].gpa)) ||
	    (i && covers(segment[i - 1].gpa, segment[i - 1].mem_size,
			 new->gpa)))
		return fail(err, "ELF segment %u overlaps another one", at);
	memmove(&segment[i + 1], &segment[i],
		(elf->nr - i) * sizeof(*segment));
	segment[i] = *new;
	elf->nr++;
	return 0;
}

static int add_load(struct hlk_elf *elf, const Elf32_Phdr *phdr,
		    const void *image, size_t size, uint32_t at,
		    struct hlk_err *err)
{
	struct hlk_elf_segment new = {
		.gpa = phdr->p_paddr,
		.mem_size = phdr->p_memsz,
		.file_size = phdr->p_filesz,
		.writable = phdr->p_flags & PF_W,
	};
	int ret;

	if (!phdr->p_memsz && !phdr->p_filesz)
		return 0;
	ret = check_load(phdr, size, at, err);
	if (ret)
		return ret;
	new.data = (const unsigned char *)image + phdr->p_offset;
	return insert(elf, &new, at, err);
}

static int add_phdr(struct hlk_elf *elf, const Elf32_Ehdr *ehdr,
		    const void *image, size_t size, uint32_t at, bool *entry_ok,
		    struct hlk_err *err)
{
	Elf32_Phdr phdr;

	memcpy(&phdr, (const unsigned char *)image + ehdr->e_phoff +
	       at * sizeof(phdr), sizeof(phdr));
	switch (phdr.p_type) {
	case PT_INTERP:
		return fail(err, "ELF wants a dynamic loader: link it with -static");
	case PT_LOAD:
		if (phdr.p_flags & PF_X &&
		    covers(phdr.p_paddr, phdr.p_memsz, ehdr->e_entry))
			*entry_ok = true;
		return add_load(elf, &phdr, image, size, at, err);
	default:
		return 0;
	}
}

/**
 * hlk_elf_parse() - read an ELF image
 * @elf: out: what is to be loaded; points into @image
 * @image: the image
 * @size: its size
 * @err: out: what is wrong with it
 *
 * Segments are loaded at p_paddr, and the guest starts with an identity map, so
 * e_entry has to be an address in a segment as loaded.
 *
 * Return: 0 or -ENOEXEC
 */
int hlk_elf_parse(struct hlk_elf *elf, const void *image, size_t size,
		  struct hlk_err *err)
{
	const struct hlk_elf_segment *last;
	bool entry_ok = false;
	Elf32_Ehdr ehdr;
	uint32_t i;
	int ret;

	memset(elf, 0, sizeof(*elf));
	ret = read_header(&ehdr, image, size, err);
	if (ret)
		return ret;
	for (i = 0; i < ehdr.e_phnum; i++) {
		ret = add_phdr(elf, &ehdr, image, size, i, &entry_ok, err);
		if (ret)
			return ret;
	}
	if (!elf->nr)
		return fail(err, "ELF has nothing to load");
	if (!entry_ok)
		return fail(err, "ELF entry point 0x%x is in no executable segment",
			    ehdr.e_entry);
	last = &elf->segment[elf->nr - 1];
	elf->entry = ehdr.e_entry;
	elf->end = last->gpa + last->mem_size;
	return 0;
}
