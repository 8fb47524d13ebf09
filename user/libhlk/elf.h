/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* ELF32 images of i686 guests. The image is hostile until it was parsed. */
#ifndef LIBHLK_ELF_H
#define LIBHLK_ELF_H

#include <stdbool.h>

#include "error.h"

#define HLK_ELF_MAX_SEGMENTS	64

/**
 * struct hlk_elf_segment - a PT_LOAD that has a size
 * @gpa: where it goes
 * @mem_size: bytes there
 * @file_size: bytes of these that come from @data; the rest is zero
 * @writable: PF_W
 * @data: into the image
 */
struct hlk_elf_segment {
	uint32_t gpa;
	uint32_t mem_size;
	uint32_t file_size;
	bool writable;
	const unsigned char *data;
};

/**
 * struct hlk_elf - a parsed image
 * @entry: where it starts; inside an executable segment
 * @end: first byte after the highest segment
 * @nr: length of @segment
 * @segment: sorted by @gpa, without overlap, none below HLK_GUEST_MEM_BASE
 */
struct hlk_elf {
	uint32_t entry;
	uint32_t end;
	uint32_t nr;
	struct hlk_elf_segment segment[HLK_ELF_MAX_SEGMENTS];
};

int hlk_elf_parse(struct hlk_elf *elf, const void *image, size_t size,
		  struct hlk_err *err);

#endif /* LIBHLK_ELF_H */
