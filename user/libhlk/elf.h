/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* ELF images of guests and of kernels. The image is hostile until it was parsed. */
#ifndef LIBHLK_ELF_H
#define LIBHLK_ELF_H

#include <stdbool.h>

#include "error.h"

#define HLK_ELF_MAX_SEGMENTS	64
#define HLK_ELF_MAX_NOTES	8

/**
 * struct hlk_elf_segment - a PT_LOAD that has a size
 * @gpa: where it goes
 * @va: where it runs
 * @mem_size: bytes there
 * @file_size: bytes of these that come from @data; the rest is zero
 * @writable: PF_W
 * @executable: PF_X
 * @data: into the image
 */
struct hlk_elf_segment {
	uint64_t gpa;
	uint64_t va;
	uint64_t mem_size;
	uint64_t file_size;
	bool writable;
	bool executable;
	const unsigned char *data;
};

/**
 * struct hlk_elf_notes - a PT_NOTE of a kernel
 * @data: into the image
 * @size: bytes there
 */
struct hlk_elf_notes {
	const unsigned char *data;
	uint64_t size;
};

/**
 * struct hlk_elf - a parsed image
 * @entry: where it starts; of a guest, inside an executable segment
 * @end: first byte after the highest segment
 * @wide: it is for x86-64
 * @nr: length of @segment
 * @nr_notes: length of @notes
 * @segment: sorted by @gpa, without overlap; of a guest, none below
 *	HLK_GUEST_MEM_BASE or above HLK_GUEST_SCRATCH_TOP
 * @notes: of a kernel, in the order of the file
 */
struct hlk_elf {
	uint64_t entry;
	uint64_t end;
	bool wide;
	uint32_t nr;
	uint32_t nr_notes;
	struct hlk_elf_segment segment[HLK_ELF_MAX_SEGMENTS];
	struct hlk_elf_notes notes[HLK_ELF_MAX_NOTES];
};

int hlk_elf_parse(struct hlk_elf *elf, const void *image, size_t size,
		  struct hlk_err *err);
int hlk_elf_parse_kernel(struct hlk_elf *elf, const void *image, size_t size,
			 struct hlk_err *err);
const struct hlk_elf_segment *hlk_elf_at(const struct hlk_elf *elf, uint64_t gpa);
bool hlk_elf_physical(const struct hlk_elf *elf, uint64_t *entry);
bool hlk_elf_note(const struct hlk_elf *elf, const char *name,
		  const uint32_t *type, const unsigned char **desc,
		  uint32_t *bytes);

#endif /* LIBHLK_ELF_H */
