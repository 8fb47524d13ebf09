// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The ELF parser: a table of hostile images, then random mutations of a good
 * one. Each image is parsed from a buffer of exactly its size, so that the
 * sanitizer sees a read that goes too far.
 *
 * Arguments: a seed, and how many mutations.
 */
#include <elf.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../elf.h"
#include "tap.h"

#define TEXT	0x100000U
#define DATA	0x102000U

struct image {
	Elf32_Ehdr ehdr;
	Elf32_Phdr phdr[3];
	unsigned char text[256];
	unsigned char data[128];
};

static const struct image good = {
	.ehdr = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32,
			     ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_386,
		.e_version = EV_CURRENT,
		.e_entry = TEXT + 16,
		.e_phoff = offsetof(struct image, phdr),
		.e_ehsize = sizeof(Elf32_Ehdr),
		.e_phentsize = sizeof(Elf32_Phdr),
		.e_phnum = 3,
	},
	.phdr = {
		{ PT_LOAD, offsetof(struct image, text), TEXT, TEXT, 256, 256,
		  PF_R | PF_X, 4 },
		{ PT_LOAD, offsetof(struct image, data), DATA, DATA, 128, 4096,
		  PF_R | PF_W, 4 },
		{ PT_NOTE, 0, 0, 0, 0, 0, 0, 0 },
	},
};

static int parse(struct hlk_elf *elf, const void *image, size_t size,
		 struct hlk_err *err)
{
	void *copy = malloc(size ? size : 1);
	int ret;

	memcpy(copy, image, size);
	ret = hlk_elf_parse(elf, copy, size, err);
	free(copy);
	return ret;
}

static void test_good(void)
{
	struct hlk_err err = {};
	struct hlk_elf elf;

	tap(!hlk_elf_parse(&elf, &good, sizeof(good), &err), "a good image");
	tap(elf.nr == 2 && elf.entry == TEXT + 16 && elf.end == DATA + 4096,
	    "its segments, entry and end");
	tap(elf.segment[0].gpa == TEXT && !elf.segment[0].writable &&
	    elf.segment[0].data == good.text, "its text");
	tap(elf.segment[1].writable && elf.segment[1].file_size == 128 &&
	    elf.segment[1].mem_size == 4096, "its data and bss");
}

static void test_sorted(void)
{
	struct image image = good;
	struct hlk_elf elf;

	image.phdr[2] = image.phdr[0];
	image.phdr[0] = image.phdr[1];
	image.phdr[1] = image.phdr[2];
	image.phdr[2].p_type = PT_NULL;
	tap(!parse(&elf, &image, sizeof(image), NULL) &&
	    elf.segment[0].gpa == TEXT && elf.segment[1].gpa == DATA,
	    "segments in any order come out sorted");
}

/* Fields of struct image, and what to put there */
#define SET8(field, value)	offsetof(struct image, field), 1, value
#define SET16(field, value)	offsetof(struct image, field), 2, value
#define SET32(field, value)	offsetof(struct image, field), 4, value

static const struct {
	const char *want;
	size_t at;
	size_t bytes;
	uint32_t value;
	size_t at2;
	size_t bytes2;
	uint32_t value2;
} hostile[] = {
	{ "not an ELF file", SET8(ehdr.e_ident[0], 0), 0, 0, 0 },
	{ "not an ELF file", SET32(ehdr.e_ident[0], 0x464c457e), 0, 0, 0 },
	{ "64-bit ELF: this is for i686 guests",
	  SET8(ehdr.e_ident[EI_CLASS], ELFCLASS64), 0, 0, 0 },
	{ "ELF of unknown class 7", SET8(ehdr.e_ident[EI_CLASS], 7), 0, 0, 0 },
	{ "ELF is not little-endian",
	  SET8(ehdr.e_ident[EI_DATA], ELFDATA2MSB), 0, 0, 0 },
	{ "ELF of unknown version 2", SET8(ehdr.e_ident[EI_VERSION], 2),
	  0, 0, 0 },
	{ "ELF is for machine 40, not for i386 (3)",
	  SET16(ehdr.e_machine, EM_ARM), 0, 0, 0 },
	{ "position-independent", SET16(ehdr.e_type, ET_DYN), 0, 0, 0 },
	{ "not an executable (type 1)", SET16(ehdr.e_type, ET_REL), 0, 0, 0 },
	{ "not an executable (type 4)", SET16(ehdr.e_type, ET_CORE), 0, 0, 0 },
	{ "ELF of unknown version 0", SET32(ehdr.e_version, 0), 0, 0, 0 },
	{ "no program headers", SET16(ehdr.e_phnum, 0), 0, 0, 0 },
	{ "headers have 0 bytes", SET16(ehdr.e_phentsize, 0), 0, 0, 0 },
	{ "headers have 56 bytes", SET16(ehdr.e_phentsize, 56), 0, 0, 0 },
	{ "headers lie outside", SET16(ehdr.e_phnum, PN_XNUM), 0, 0, 0 },
	{ "headers lie outside", SET32(ehdr.e_phoff, 0xfffffff0), 0, 0, 0 },
	{ "headers lie outside", SET32(ehdr.e_phoff, sizeof(struct image)),
	  0, 0, 0 },
	{ "headers lie outside", SET32(ehdr.e_phoff, 0), 0, 0, 0 },
	{ "entry point 0x0 is in no", SET32(ehdr.e_entry, 0), 0, 0, 0 },
	{ "entry point 0x102000 is in no", SET32(ehdr.e_entry, DATA), 0, 0, 0 },
	{ "entry point 0x100100 is in no", SET32(ehdr.e_entry, TEXT + 256),
	  0, 0, 0 },
	{ "segment 0 goes past the end", SET32(phdr[0].p_offset, 0xfffffff0),
	  0, 0, 0 },
	{ "segment 0 goes past the end",
	  SET32(phdr[0].p_offset, sizeof(struct image)), 0, 0, 0 },
	{ "segment 1 goes past the end",
	  SET32(phdr[1].p_filesz, 0xffffffff),
	  SET32(phdr[1].p_memsz, 0xffffffff) },
	{ "segment 1 is larger in the file", SET32(phdr[1].p_memsz, 127),
	  0, 0, 0 },
	{ "segment 1 is larger in the file", SET32(phdr[1].p_memsz, 0),
	  0, 0, 0 },
	{ "segment 0 has alignment 0x3", SET32(phdr[0].p_align, 3), 0, 0, 0 },
	{ "segment 0 has alignment 0xffffffff",
	  SET32(phdr[0].p_align, 0xffffffff), 0, 0, 0 },
	{ "segment 0 is not aligned", SET32(phdr[0].p_align, 0x1000), 0, 0, 0 },
	{ "segment 0 is not aligned", SET32(phdr[0].p_align, 0x80000000),
	  0, 0, 0 },
	{ "segment 0 starts at 0x0, below", SET32(phdr[0].p_paddr, 0),
	  SET32(ehdr.e_entry, 16) },
	{ "segment 0 starts at 0xfff, below", SET32(phdr[0].p_paddr, 0xfff),
	  SET32(ehdr.e_entry, 0xfff) },
	{ "segment 1 ends above", SET32(phdr[1].p_memsz, 0xffffffff),
	  0, 0, 0 },
	{ "segment 1 ends above", SET32(phdr[1].p_paddr, 0xfffff000), 0, 0, 0 },
	{ "segment 1 ends above", SET32(phdr[1].p_paddr, 0xfedff001), 0, 0, 0 },
	{ "segment 1 overlaps", SET32(phdr[1].p_paddr, TEXT), 0, 0, 0 },
	{ "segment 1 overlaps", SET32(phdr[1].p_paddr, TEXT + 255), 0, 0, 0 },
	{ "segment 1 overlaps", SET32(phdr[1].p_paddr, TEXT - 4095), 0, 0, 0 },
	{ "segment 1 overlaps", SET32(phdr[0].p_memsz, DATA - TEXT + 1),
	  0, 0, 0 },
	{ "dynamic loader", SET32(phdr[2].p_type, PT_INTERP), 0, 0, 0 },
	{ "in no executable segment", SET32(phdr[0].p_type, PT_NULL), 0, 0, 0 },
	{ "nothing to load", SET32(phdr[0].p_type, PT_NULL),
	  SET32(phdr[1].p_type, PT_NULL) },
};

static void put(struct image *image, size_t at, size_t bytes, uint32_t value)
{
	memcpy((char *)image + at, &value, bytes);
}

static void test_hostile(void)
{
	char line[256];
	struct image image;
	struct hlk_elf elf;
	struct hlk_err err;
	size_t i;
	int ret;

	for (i = 0; i < sizeof(hostile) / sizeof(*hostile); i++) {
		image = good;
		put(&image, hostile[i].at, hostile[i].bytes, hostile[i].value);
		put(&image, hostile[i].at2, hostile[i].bytes2,
		    hostile[i].value2);
		memset(&err, 0, sizeof(err));
		ret = parse(&elf, &image, sizeof(image), &err);
		hlk_strerror(&err, line, sizeof(line));
		tap(ret == -ENOEXEC && strstr(line, hostile[i].want),
		    "refused: %s", line);
	}
}

/* Segments that touch, but do not overlap, are good */
static void test_adjacent(void)
{
	struct image image = good;
	struct hlk_elf elf;

	image.phdr[1].p_paddr = TEXT + 256;
	image.phdr[1].p_vaddr = TEXT + 256;
	tap(!parse(&elf, &image, sizeof(image), NULL), "adjacent segments");
	image.phdr[1].p_paddr = TEXT - 4096;
	image.phdr[1].p_vaddr = TEXT - 4096;
	tap(!parse(&elf, &image, sizeof(image), NULL),
	    "adjacent segments, the other way round");
	image.phdr[1].p_paddr = HLK_GUEST_SCRATCH_TOP - 4096;
	tap(!parse(&elf, &image, sizeof(image), NULL),
	    "a segment up to the top of memory");
}

static void test_cut(void)
{
	struct hlk_elf elf;
	bool refused = true;
	size_t size;

	/* The image is whole where the last byte of its data is. */
	for (size = 0; size < sizeof(good); size++)
		if (!parse(&elf, &good, size, NULL))
			refused = false;
	tap(refused, "an image cut anywhere is refused");
}

static void test_many(void)
{
	const uint16_t nr = HLK_ELF_MAX_SEGMENTS + 1;
	size_t size = sizeof(Elf32_Ehdr) + nr * sizeof(Elf32_Phdr);
	unsigned char *image = calloc(1, size);
	Elf32_Ehdr ehdr = good.ehdr;
	Elf32_Phdr phdr = good.phdr[1];
	struct hlk_elf elf;
	uint16_t i;

	ehdr.e_phoff = sizeof(ehdr);
	ehdr.e_phnum = nr;
	memcpy(image, &ehdr, sizeof(ehdr));
	phdr.p_offset = 0;
	phdr.p_filesz = 0;
	phdr.p_flags = PF_X;
	for (i = 0; i < nr; i++) {
		phdr.p_paddr = TEXT + i * 4096;
		memcpy(image + sizeof(ehdr) + i * sizeof(phdr), &phdr,
		       sizeof(phdr));
	}
	tap(parse(&elf, image, size, NULL) == -ENOEXEC,
	    "one segment too many is refused");
	ehdr.e_phnum--;
	memcpy(image, &ehdr, sizeof(ehdr));
	tap(!parse(&elf, image, size, NULL), "as many as allowed are not");
	free(image);
}

/* What a parser that says yes has promised */
static bool sane(const struct hlk_elf *elf, const void *image, size_t size)
{
	const struct hlk_elf_segment *segment;
	const unsigned char *start = image;
	uint64_t end = HLK_GUEST_MEM_BASE;
	uint32_t i;

	for (i = 0; i < elf->nr; i++) {
		segment = &elf->segment[i];
		if (segment->gpa < end || !segment->mem_size ||
		    segment->file_size > segment->mem_size ||
		    segment->data < start ||
		    segment->data + segment->file_size > start + size)
			return false;
		end = (uint64_t)segment->gpa + segment->mem_size;
	}
	return elf->nr && end == elf->end && end <= HLK_GUEST_SCRATCH_TOP &&
	       elf->entry >= HLK_GUEST_MEM_BASE && elf->entry < end;
}

static void mutate(unsigned char *image, size_t *size)
{
	static const unsigned char edge[] = { 0, 1, 0x7f, 0x80, 0xfe, 0xff };
	int nr = 1 + rand() % 6;

	while (nr--) {
		size_t at = rand() % 4 ? rand() % offsetof(struct image, text) :
					 rand() % *size;

		if (at < *size)
			image[at] = rand() % 2 ? edge[rand() % sizeof(edge)] :
						 rand();
	}
	if (!(rand() % 8))
		*size = rand() % (*size + 1);
}

static void test_mutations(unsigned int seed, unsigned int nr)
{
	unsigned int accepted = 0;
	struct hlk_elf elf;
	unsigned int i;

	srand(seed);
	for (i = 0; i < nr; i++) {
		size_t size = sizeof(good);
		unsigned char *image = malloc(size);
		unsigned char *exact;

		memcpy(image, &good, size);
		mutate(image, &size);
		exact = malloc(size ? size : 1);
		memcpy(exact, image, size);
		free(image);
		if (!hlk_elf_parse(&elf, exact, size, NULL)) {
			accepted++;
			if (!sane(&elf, exact, size)) {
				tap(false, "mutation %u of seed %u", i, seed);
				free(exact);
				return;
			}
		}
		free(exact);
	}
	tap(true, "%u mutations with seed %u, %u of them accepted and sane",
	    nr, seed, accepted);
}

int main(int argc, char **argv)
{
	test_good();
	test_sorted();
	test_hostile();
	test_adjacent();
	test_cut();
	test_many();
	test_mutations(argc > 1 ? strtoul(argv[1], NULL, 0) : 1,
		       argc > 2 ? strtoul(argv[2], NULL, 0) : 100000);
	return tap_done();
}
