// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * ELF images: of i686 guests that are written for hlk, and of kernels, which may
 * be 64-bit ones and go anywhere.
 *
 * Nothing in the image is believed: every offset, count and size is checked
 * against the file before it is used, so that no sum wraps. Headers are copied
 * out, because nothing says that they are aligned; 32-bit ones are widened then,
 * and are all the same from there on.
 */
#include "elf.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

static const char op_guest[] = "cannot load the guest";
static const char op_kernel[] = "cannot load the kernel";

/**
 * struct reader - an image that is being read
 * @image: the image
 * @size: its size
 * @guest: it has to be one of an i686 guest
 * @wide: it is a 64-bit one
 * @err: out: what is wrong with it
 */
struct reader {
	const unsigned char *image;
	size_t size;
	bool guest;
	bool wide;
	struct hlk_err *err;
};

#define fail(reader, ...) \
	hlk_err_text((reader)->err, ENOEXEC, HLK_WHAT_ELF, \
		     (reader)->guest ? op_guest : op_kernel, __VA_ARGS__)

static int check_ident(struct reader *reader, const unsigned char *ident)
{
	if (memcmp(ident, ELFMAG, SELFMAG))
		return fail(reader, "not an ELF file");
	reader->wide = ident[EI_CLASS] == ELFCLASS64;
	if (reader->wide && reader->guest)
		return fail(reader, "64-bit ELF: this is for i686 guests");
	if (!reader->wide && ident[EI_CLASS] != ELFCLASS32)
		return fail(reader, "ELF of unknown class %u", ident[EI_CLASS]);
	if (ident[EI_DATA] != ELFDATA2LSB)
		return fail(reader, "ELF is not little-endian");
	if (ident[EI_VERSION] != EV_CURRENT)
		return fail(reader, "ELF of unknown version %u",
			    ident[EI_VERSION]);
	return 0;
}

static int check_kind(const struct reader *reader, const Elf64_Ehdr *ehdr)
{
	unsigned int machine = reader->wide ? EM_X86_64 : EM_386;

	if (ehdr->e_machine != machine)
		return fail(reader, "ELF is for machine %u, not for %s (%u)",
			    ehdr->e_machine, reader->wide ? "x86-64" : "i386",
			    machine);
	if (ehdr->e_type == ET_DYN)
		return fail(reader, "ELF is position-independent: link it with -no-pie");
	if (ehdr->e_type != ET_EXEC)
		return fail(reader, "ELF is not an executable (type %u)",
			    ehdr->e_type);
	if (ehdr->e_version != EV_CURRENT)
		return fail(reader, "ELF of unknown version %u",
			    ehdr->e_version);
	return 0;
}

static size_t phdr_size(const struct reader *reader)
{
	return reader->wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
}

static int check_headers(const struct reader *reader, const Elf64_Ehdr *ehdr)
{
	size_t bytes = ehdr->e_phnum * phdr_size(reader);

	if (!ehdr->e_phnum)
		return fail(reader, "ELF has no program headers");
	if (ehdr->e_phentsize != phdr_size(reader))
		return fail(reader, "ELF program headers have %u bytes, not %zu",
			    ehdr->e_phentsize, phdr_size(reader));
	if (ehdr->e_phoff < ehdr->e_ehsize || ehdr->e_phoff > reader->size ||
	    bytes > reader->size - ehdr->e_phoff)
		return fail(reader, "ELF program headers lie outside the file");
	return 0;
}

/* @e_ehsize becomes what it is, whatever the image says */
static void widen_ehdr(Elf64_Ehdr *ehdr, const Elf32_Ehdr *narrow)
{
	*ehdr = (Elf64_Ehdr) {
		.e_type = narrow->e_type,
		.e_machine = narrow->e_machine,
		.e_version = narrow->e_version,
		.e_entry = narrow->e_entry,
		.e_phoff = narrow->e_phoff,
		.e_ehsize = sizeof(*narrow),
		.e_phentsize = narrow->e_phentsize,
		.e_phnum = narrow->e_phnum,
	};
}

static int read_header(struct reader *reader, Elf64_Ehdr *ehdr)
{
	unsigned char ident[EI_NIDENT] = {};
	Elf32_Ehdr narrow;
	int ret;

	memcpy(ident, reader->image,
	       reader->size < sizeof(ident) ? reader->size : sizeof(ident));
	ret = check_ident(reader, ident);
	if (ret)
		return ret;
	if (reader->size < (reader->wide ? sizeof(*ehdr) : sizeof(narrow)))
		return fail(reader, "ELF header is cut off");
	if (reader->wide) {
		memcpy(ehdr, reader->image, sizeof(*ehdr));
		ehdr->e_ehsize = sizeof(*ehdr);
	} else {
		memcpy(&narrow, reader->image, sizeof(narrow));
		widen_ehdr(ehdr, &narrow);
	}
	ret = check_kind(reader, ehdr);
	if (ret)
		return ret;
	return check_headers(reader, ehdr);
}

static void read_phdr(const struct reader *reader, const Elf64_Ehdr *ehdr,
		      uint32_t at, Elf64_Phdr *phdr)
{
	const unsigned char *from = reader->image + ehdr->e_phoff +
				    at * phdr_size(reader);
	Elf32_Phdr narrow;

	if (reader->wide) {
		memcpy(phdr, from, sizeof(*phdr));
		return;
	}
	memcpy(&narrow, from, sizeof(narrow));
	*phdr = (Elf64_Phdr) {
		.p_type = narrow.p_type,
		.p_flags = narrow.p_flags,
		.p_offset = narrow.p_offset,
		.p_vaddr = narrow.p_vaddr,
		.p_paddr = narrow.p_paddr,
		.p_filesz = narrow.p_filesz,
		.p_memsz = narrow.p_memsz,
		.p_align = narrow.p_align,
	};
}

static int check_file(const struct reader *reader, const Elf64_Phdr *phdr,
		      uint32_t at)
{
	if (phdr->p_offset > reader->size ||
	    phdr->p_filesz > reader->size - phdr->p_offset)
		return fail(reader, "ELF segment %u goes past the end of the file",
			    at);
	return 0;
}

/* What the guest ABI asks for beyond */
static int check_guest(const struct reader *reader, const Elf64_Phdr *phdr,
		       uint32_t at)
{
	if (phdr->p_align & (phdr->p_align - 1))
		return fail(reader, "ELF segment %u has alignment 0x%llx, not a power of two",
			    at, (unsigned long long)phdr->p_align);
	if (phdr->p_align > 1 &&
	    (phdr->p_vaddr - phdr->p_offset) & (phdr->p_align - 1))
		return fail(reader, "ELF segment %u is not aligned as it says",
			    at);
	if (phdr->p_paddr < HLK_GUEST_MEM_BASE)
		return fail(reader, "ELF segment %u starts at 0x%llx, below guest memory (0x%x)",
			    at, (unsigned long long)phdr->p_paddr,
			    HLK_GUEST_MEM_BASE);
	if (phdr->p_paddr + phdr->p_memsz > HLK_GUEST_SCRATCH_TOP)
		return fail(reader, "ELF segment %u ends above guest memory", at);
	return 0;
}

static int check_load(const struct reader *reader, const Elf64_Phdr *phdr,
		      uint32_t at)
{
	int ret = check_file(reader, phdr, at);

	if (ret)
		return ret;
	if (phdr->p_filesz > phdr->p_memsz)
		return fail(reader, "ELF segment %u is larger in the file than in memory",
			    at);
	if (phdr->p_memsz > UINT64_MAX - phdr->p_paddr)
		return fail(reader, "ELF segment %u ends above all addresses", at);
	return reader->guest ? check_guest(reader, phdr, at) : 0;
}

static bool covers(uint64_t gpa, uint64_t size, uint64_t at)
{
	return at - gpa < size;
}

/* Sorted insertion: what overlaps is a neighbour */
static int insert(const struct reader *reader, struct hlk_elf *elf,
		  const struct hlk_elf_segment *new, uint32_t at)
{
	struct hlk_elf_segment *segment = elf->segment;
	uint32_t i = elf->nr;

	if (elf->nr == HLK_ELF_MAX_SEGMENTS)
		return fail(reader, "ELF has more than %u segments",
			    HLK_ELF_MAX_SEGMENTS);
	while (i && segment[i - 1].gpa > new->gpa)
		i--;
	if ((i < elf->nr && covers(new->gpa, new->mem_size, segment[i].gpa)) ||
	    (i && covers(segment[i - 1].gpa, segment[i - 1].mem_size,
			 new->gpa)))
		return fail(reader, "ELF segment %u overlaps another one", at);
	memmove(&segment[i + 1], &segment[i],
		(elf->nr - i) * sizeof(*segment));
	segment[i] = *new;
	elf->nr++;
	return 0;
}

static int add_load(const struct reader *reader, struct hlk_elf *elf,
		    const Elf64_Phdr *phdr, uint32_t at)
{
	struct hlk_elf_segment new = {
		.gpa = phdr->p_paddr,
		.va = phdr->p_vaddr,
		.mem_size = phdr->p_memsz,
		.file_size = phdr->p_filesz,
		.writable = phdr->p_flags & PF_W,
		.executable = phdr->p_flags & PF_X,
	};
	int ret;

	if (!phdr->p_memsz && !phdr->p_filesz)
		return 0;
	ret = check_load(reader, phdr, at);
	if (ret)
		return ret;
	new.data = reader->image + phdr->p_offset;
	return insert(reader, elf, &new, at);
}

static int add_notes(const struct reader *reader, struct hlk_elf *elf,
		     const Elf64_Phdr *phdr, uint32_t at)
{
	int ret;

	/* A guest's are not looked at. */
	if (reader->guest || elf->nr_notes == HLK_ELF_MAX_NOTES)
		return 0;
	ret = check_file(reader, phdr, at);
	if (ret)
		return ret;
	elf->notes[elf->nr_notes++] = (struct hlk_elf_notes) {
		.data = reader->image + phdr->p_offset,
		.size = phdr->p_filesz,
	};
	return 0;
}

static int add_phdr(const struct reader *reader, struct hlk_elf *elf,
		    const Elf64_Ehdr *ehdr, uint32_t at)
{
	Elf64_Phdr phdr;

	read_phdr(reader, ehdr, at, &phdr);
	switch (phdr.p_type) {
	case PT_INTERP:
		return fail(reader, "ELF wants a dynamic loader: link it with -static");
	case PT_LOAD:
		return add_load(reader, elf, &phdr, at);
	case PT_NOTE:
		return add_notes(reader, elf, &phdr, at);
	default:
		return 0;
	}
}

static int parse(struct reader *reader, struct hlk_elf *elf)
{
	const struct hlk_elf_segment *last;
	Elf64_Ehdr ehdr;
	uint32_t i;
	int ret;

	memset(elf, 0, sizeof(*elf));
	ret = read_header(reader, &ehdr);
	if (ret)
		return ret;
	for (i = 0; i < ehdr.e_phnum; i++) {
		ret = add_phdr(reader, elf, &ehdr, i);
		if (ret)
			return ret;
	}
	if (!elf->nr)
		return fail(reader, "ELF has nothing to load");
	last = &elf->segment[elf->nr - 1];
	elf->wide = reader->wide;
	elf->entry = ehdr.e_entry;
	elf->end = last->gpa + last->mem_size;
	return 0;
}

/**
 * hlk_elf_parse() - read an ELF image of a guest
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
	struct reader reader = {
		.image = image,
		.size = size,
		.guest = true,
		.err = err,
	};
	const struct hlk_elf_segment *at;
	int ret = parse(&reader, elf);

	if (ret)
		return ret;
	at = hlk_elf_at(elf, elf->entry);
	if (!at || !at->executable)
		return fail(&reader, "ELF entry point 0x%llx is in no executable segment",
			    (unsigned long long)elf->entry);
	return 0;
}

/**
 * hlk_elf_parse_kernel() - read an ELF image of a kernel, of 32 or 64 bits
 * @elf: out: what is to be loaded; points into @image
 * @image: the image
 * @size: its size
 * @err: out: what is wrong with it
 *
 * Where the segments go and what e_entry means is for the boot protocol to say:
 * neither is checked.
 *
 * Return: 0 or -ENOEXEC
 */
int hlk_elf_parse_kernel(struct hlk_elf *elf, const void *image, size_t size,
			 struct hlk_err *err)
{
	struct reader reader = {
		.image = image,
		.size = size,
		.err = err,
	};

	return parse(&reader, elf);
}

/**
 * hlk_elf_at() - which segment has an address, as loaded
 * @elf: the image
 * @gpa: the address
 *
 * Return: the segment, or NULL
 */
const struct hlk_elf_segment *hlk_elf_at(const struct hlk_elf *elf, uint64_t gpa)
{
	uint32_t i;

	for (i = 0; i < elf->nr; i++)
		if (covers(elf->segment[i].gpa, elf->segment[i].mem_size, gpa))
			return &elf->segment[i];
	return NULL;
}

/**
 * hlk_elf_physical() - where the entry point of a kernel is in memory
 * @elf: the image
 * @entry: in: e_entry, which may be an address where the kernel runs later, or where it
 *	is loaded. out: where it is loaded
 *
 * Return: whether it is in a segment
 */
bool hlk_elf_physical(const struct hlk_elf *elf, uint64_t *entry)
{
	const struct hlk_elf_segment *segment;
	uint32_t i;

	for (i = 0; i < elf->nr; i++) {
		segment = &elf->segment[i];
		if (covers(segment->va, segment->mem_size, *entry)) {
			*entry += segment->gpa - segment->va;
			return true;
		}
	}
	return hlk_elf_at(elf, *entry);
}

/* A note's parts are padded to 4 bytes. All sizes are below 2^32: no sum wraps. */
static uint64_t pad(uint64_t bytes)
{
	return (bytes + 3) & ~(uint64_t)3;
}

static bool find_note(const struct hlk_elf_notes *notes, const char *name,
		      const uint32_t *type, const unsigned char **desc,
		      uint32_t *bytes)
{
	uint64_t at = 0, body;
	Elf64_Nhdr nhdr;

	while (notes->size - at >= sizeof(nhdr)) {
		memcpy(&nhdr, notes->data + at, sizeof(nhdr));
		body = at + sizeof(nhdr) + pad(nhdr.n_namesz);
		if (body > notes->size || nhdr.n_descsz > notes->size - body)
			return false;
		if (nhdr.n_namesz == strlen(name) + 1 &&
		    !memcmp(notes->data + at + sizeof(nhdr), name,
			    nhdr.n_namesz) &&
		    (!type || *type == nhdr.n_type)) {
			*desc = notes->data + body;
			*bytes = nhdr.n_descsz;
			return true;
		}
		at = body + pad(nhdr.n_descsz);
		if (at > notes->size)
			return false;
	}
	return false;
}

/**
 * hlk_elf_note() - look for a note of a kernel
 * @elf: the image
 * @name: the note's name
 * @type: its type; NULL takes any
 * @desc: out: what it says; in the image
 * @bytes: out: length of that
 *
 * A list of notes that is broken ends there.
 *
 * Return: whether there is one
 */
bool hlk_elf_note(const struct hlk_elf *elf, const char *name,
		  const uint32_t *type, const unsigned char **desc,
		  uint32_t *bytes)
{
	uint32_t i;

	for (i = 0; i < elf->nr_notes; i++)
		if (find_note(&elf->notes[i], name, type, desc, bytes))
			return true;
	return false;
}
