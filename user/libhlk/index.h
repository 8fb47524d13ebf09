/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* The index of a snapshot in a file; see index.c and Documentation/format.rst. */
#ifndef LIBHLK_INDEX_H
#define LIBHLK_INDEX_H

#include "digest.h"
#include "error.h"

#define HLK_INDEX_MAGIC		"hlk-snap"
#define HLK_INDEX_ENDIAN	0x01020304U
#define HLK_INDEX_VERSION	1U
#define HLK_INDEX_LARGEST	(256U << 20)
#define HLK_INDEX_MAX_PAGES	(1ULL << 24)
#define HLK_INDEX_MAX_DEPTH	255U
/* of a hot set: runs, and pages of a window, as the module takes them */
#define HLK_INDEX_MAX_RUNS	(1U << 16)
#define HLK_INDEX_MAX_TOUCHED	(1U << 14)

/**
 * enum hlk_index_part - the parts of an index, in their order
 * @HLK_INDEX_WINDOWS: struct hlk_window each
 * @HLK_INDEX_ROOTS: 64-bit numbers: see struct hlk_snapshot_info
 * @HLK_INDEX_EXTENTS: struct hlk_index_extent each
 * @HLK_INDEX_VCPUS: of each vCPU a struct hlk_index_vcpu, its registers and its FPU
 * @HLK_INDEX_TABLES: 32-bit numbers: see struct hlk_snapshot_export
 * @HLK_INDEX_PROGRAM: the state program
 * @HLK_INDEX_CPUID: struct hlk_index_cpuid each: what the processor had
 * @HLK_INDEX_PARTS: how many there are
 */
enum hlk_index_part {
	HLK_INDEX_WINDOWS,
	HLK_INDEX_ROOTS,
	HLK_INDEX_EXTENTS,
	HLK_INDEX_VCPUS,
	HLK_INDEX_TABLES,
	HLK_INDEX_PROGRAM,
	HLK_INDEX_CPUID,
	HLK_INDEX_PARTS,
};

/**
 * struct hlk_index_extent - pages in a row, in the guest and in the layer's pages
 * @gpa: the first one's address in the guest
 * @page: its number in the layer's pages; 0 for zeroes
 * @pages: how many
 * @flags: HLK_INDEX_ZERO: they are zero, whatever the parent has
 */
struct hlk_index_extent {
	uint64_t gpa;
	uint64_t page;
	uint32_t pages;
	uint32_t flags;
};

#define HLK_INDEX_ZERO		1U

/**
 * struct hlk_index_vcpu - a vCPU; see struct hlk_vcpu_image, which is the same but for
 *	pointers
 *
 * Behind it come its registers and its FPU, each up to a multiple of 8 bytes.
 */
struct hlk_index_vcpu {
	uint32_t regs_bytes;
	uint32_t fpu_bytes;
	uint32_t flags;
	uint32_t mp_state;
	int32_t ext_vector;
	uint32_t pkru;
	uint64_t tsc;
	uint64_t db[4];
	uint64_t dr6;
	uint64_t dr7;
	uint64_t xcr0;
	uint64_t xfd;
	uint32_t xsave_bytes[2];
	uint64_t __reserved[2];
};

/* a leaf of CPUID: EAX and ECX, and what it says */
struct hlk_index_cpuid {
	uint32_t function;
	uint32_t index;
	uint32_t eax;
	uint32_t ebx;
	uint32_t ecx;
	uint32_t edx;
};

/**
 * struct hlk_index_head - the begin of an index
 * @magic: HLK_INDEX_MAGIC
 * @endian: HLK_INDEX_ENDIAN
 * @version: HLK_INDEX_VERSION
 * @bytes: of the index
 * @flags: HLK_SNAPSHOT_* of the snapshot
 * @depth: how many ancestors it has here
 * @generation: as the next one, see struct hlk_snapshot_info
 * @first_free: see there
 * @tables_gpa: see struct hlk_snapshot_export
 * @input_bytes: size of the input buffer, if it is known
 * @output_bytes: of the output buffer
 * @nr_vcpus: vCPUs
 * @__reserved: 0
 * @pages: of this layer
 * @digest: of these, uncompressed; zeroes if there are none
 * @verity: by which fs-verity knows them; the same
 * @parent: the parent's index; zeroes if there is none
 * @counts: see struct hlk_snapshot_counts
 * @part: of each part, where it is and how many bytes it has
 */
struct hlk_index_head {
	char magic[8];
	uint32_t endian;
	uint32_t version;
	uint64_t bytes;
	uint32_t flags;
	uint32_t depth;
	uint64_t generation;
	uint64_t first_free;
	uint64_t tables_gpa;
	uint32_t input_bytes;
	uint32_t output_bytes;
	uint32_t nr_vcpus;
	uint32_t __reserved;
	uint64_t pages;
	struct hlk_digest digest;
	struct hlk_digest verity;
	struct hlk_digest parent;
	struct hlk_snapshot_counts counts;
	struct {
		uint64_t offset;
		uint64_t bytes;
	} part[HLK_INDEX_PARTS];
};

/**
 * struct hlk_index - an index, read or to be written
 * @head: its begin
 * @part: its parts, in memory that is not the index's
 * @file: what it is called in errors
 */
struct hlk_index {
	struct hlk_index_head head;
	const unsigned char *part[HLK_INDEX_PARTS];
	const char *file;
};

uint64_t hlk_index_nr(const struct hlk_index *index, enum hlk_index_part part);
uint32_t hlk_index_touched(const struct hlk_index *index, struct hlk_touched *touched,
			   uint32_t nr);
int hlk_index_encode(struct hlk_index *index, void **data, struct hlk_err *err);
int hlk_index_decode(struct hlk_index *index, const char *file, const void *data,
		     uint64_t size, struct hlk_err *err);
const unsigned char *hlk_index_vcpu(const struct hlk_index *index, uint64_t *at,
				    struct hlk_index_vcpu *vcpu);

#endif /* LIBHLK_INDEX_H */
