/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* A machine's memory, while a kernel is put there; see load.c. */
#ifndef LIBHLK_LOAD_H
#define LIBHLK_LOAD_H

#include <stdbool.h>

#include "elf.h"

#define HLK_LOAD_MAX_RAM	64
/* segments, modules and their texts, and what the protocol has beside these */
#define HLK_LOAD_MAX_PLACES	(HLK_ELF_MAX_SEGMENTS + 2 * HLK_KERNEL_MAX_MODULES + 16)
/* each piece of memory, cut in two by what a PC has at 640 KiB */
#define HLK_LOAD_MAX_AREAS	(HLK_LOAD_MAX_RAM + 2)

#define HLK_LOAD_LOW		0x1000U		/* vectors and BIOS data are below */
#define HLK_LOAD_HOLE		0xa0000U	/* the PC's hole, up to 1 MiB */
#define HLK_LOAD_HIGH		0x100000U

/**
 * struct hlk_load_place - memory that is in use
 * @gpa: where it starts
 * @bytes: its size; not 0
 * @what: what is there
 */
struct hlk_load_place {
	uint64_t gpa;
	uint64_t bytes;
	const char *what;
};

/**
 * struct hlk_load - a machine's memory, and what was put there
 * @nr_ram: length of @ram
 * @nr: length of @place
 * @ram: the memory, sorted, without overlap
 * @place: what is in use; no two overlap, and all of it is memory
 * @err: out: why something could not be put there
 * @reach: called before memory is written, or NULL; its errno is that of the load
 */
struct hlk_load {
	uint32_t nr_ram;
	uint32_t nr;
	struct hlk_ram ram[HLK_LOAD_MAX_RAM];
	struct hlk_load_place place[HLK_LOAD_MAX_PLACES];
	struct hlk_err *err;
	int (*reach)(unsigned char *mem, uint64_t bytes);
};

/**
 * struct hlk_load_wish - where something may go
 * @bytes: its size
 * @align: a power of two
 * @min: not below
 * @max: its last byte is not above
 * @high: as high as it can be, and not as low
 */
struct hlk_load_wish {
	uint64_t bytes;
	uint64_t align;
	uint64_t min;
	uint64_t max;
	bool high;
};

/**
 * struct hlk_load_area - a part of the address space, as a guest is told
 * @gpa: where it starts
 * @bytes: its size
 * @usable: it is plain memory
 */
struct hlk_load_area {
	uint64_t gpa;
	uint64_t bytes;
	bool usable;
};

int hlk_load_init(struct hlk_load *load, const struct hlk_ram *ram, uint32_t nr,
		  struct hlk_err *err);
bool hlk_load_is_ram(const struct hlk_load *load, uint64_t gpa, uint64_t bytes);
int hlk_load_put(struct hlk_load *load, const char *what, uint64_t gpa,
		 uint64_t bytes, const void *data, uint64_t data_bytes);
bool hlk_load_room(const struct hlk_load *load, const struct hlk_load_wish *wish,
		   uint64_t *gpa);
int hlk_load_add(struct hlk_load *load, const char *what,
		 const struct hlk_load_wish *wish, const void *data,
		 uint64_t data_bytes, uint64_t *gpa);
int hlk_load_low(struct hlk_load *load, const char *what, const void *data,
		 uint64_t bytes, uint64_t align, uint64_t *gpa);
int hlk_load_elf(struct hlk_load *load, const struct hlk_elf *elf);
uint32_t hlk_load_areas(const struct hlk_load *load, struct hlk_load_area *areas);

#endif /* LIBHLK_LOAD_H */
