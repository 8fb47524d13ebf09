// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The index of a snapshot: all of it but its pages, and where these are.
 *
 * Bytes in, a struct out, and the other way; nothing here makes a system call. What is read
 * may be anybody's, so each field is looked at before anything is built of it. An index has
 * one form only: parts in their order, with nothing between them but zeroes up to a multiple
 * of 8, so what is read and written again has the same digest.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "index.h"
#include "saved.h"

#define PAGE		4096U
#define MAX_WINDOWS	64U
#define MAX_ROOTS	1024U
#define MAX_VCPUS	16U
#define MAX_TABLES	(1U << 20)
#define MAX_CPUID	1024U

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a file is as memory is");
_Static_assert(sizeof(struct hlk_index_head) == 480, "struct hlk_index_head");
_Static_assert(sizeof(struct hlk_index_extent) == 24, "struct hlk_index_extent");
_Static_assert(sizeof(struct hlk_index_vcpu) == 120, "struct hlk_index_vcpu");
_Static_assert(sizeof(struct hlk_index_cpuid) == 24, "struct hlk_index_cpuid");
_Static_assert(sizeof(struct hlk_window) == 48, "struct hlk_window");

static const struct {
	const char *name;
	uint32_t size;		/* of an element */
	uint32_t most;		/* of these */
} parts[HLK_INDEX_PARTS] = {
	[HLK_INDEX_WINDOWS] = { "windows", sizeof(struct hlk_window), MAX_WINDOWS },
	[HLK_INDEX_ROOTS] = { "roots", sizeof(uint64_t), MAX_ROOTS },
	[HLK_INDEX_EXTENTS] = { "extents", sizeof(struct hlk_index_extent), 1U << 20 },
	[HLK_INDEX_VCPUS] = { "vCPUs", 8, (MAX_VCPUS * (HLK_MAX_FPU + 8192)) / 8 },
	[HLK_INDEX_TABLES] = { "tables", sizeof(uint32_t), MAX_TABLES },
	[HLK_INDEX_PROGRAM] = { "program", 8, HLK_MAX_PROGRAM / 8 },
	[HLK_INDEX_CPUID] = { "CPUID", sizeof(struct hlk_index_cpuid), MAX_CPUID },
};

static uint64_t round_up(uint64_t bytes)
{
	return (bytes + 7) / 8 * 8;
}

/* How many elements a part has */
uint64_t hlk_index_nr(const struct hlk_index *index, enum hlk_index_part part)
{
	return index->head.part[part].bytes / parts[part].size;
}

/**
 * hlk_index_encode() - write an index
 * @index: the index; of its @head and its parts' offsets what follows from the rest is set
 * @data: out: the index, which the caller frees
 * @err: out: why it cannot be
 *
 * Return: 0 or a negative errno
 */
int hlk_index_encode(struct hlk_index *index, void **data, struct hlk_err *err)
{
	struct hlk_index_head *head = &index->head;
	uint64_t at = sizeof(*head);
	unsigned char *to;
	unsigned int i;

	if (head->pages > HLK_INDEX_MAX_PAGES)
		return hlk_err_saved(err, EFBIG, "index", "%" PRIu64 " pages, at most %llu",
				     head->pages, (unsigned long long)HLK_INDEX_MAX_PAGES);
	for (i = 0; i < HLK_INDEX_PARTS; i++) {
		if (hlk_index_nr(index, i) > parts[i].most)
			return hlk_err_saved(err, EFBIG, "index", "%" PRIu64 " %s, more than %u",
					     hlk_index_nr(index, i), parts[i].name,
					     parts[i].most);
		head->part[i].offset = at;
		at += round_up(head->part[i].bytes);
	}
	if (at > HLK_INDEX_LARGEST)
		return hlk_err_saved(err, EFBIG, "index", "it would have %" PRIu64
				     " bytes, more than %u", at, HLK_INDEX_LARGEST);
	memcpy(head->magic, HLK_INDEX_MAGIC, sizeof(head->magic));
	head->endian = HLK_INDEX_ENDIAN;
	head->version = HLK_INDEX_VERSION;
	head->bytes = at;
	to = calloc(1, at);
	if (!to)
		return hlk_err_system(err, "cannot write the index");
	memcpy(to, head, sizeof(*head));
	for (i = 0; i < HLK_INDEX_PARTS; i++)
		if (head->part[i].bytes)
			memcpy(to + head->part[i].offset, index->part[i],
			       head->part[i].bytes);
	*data = to;
	return 0;
}

static struct hlk_window window_at(const struct hlk_index *index, uint64_t i)
{
	struct hlk_window window;

	memcpy(&window, index->part[HLK_INDEX_WINDOWS] + i * sizeof(window),
	       sizeof(window));
	return window;
}

/**
 * hlk_index_touched() - what of a hot set can be loaded again
 * @index: the index, with its windows
 * @touched: its runs, by address; out: those that stay
 * @nr: how many
 *
 * Guests touch more meanwhile, and it is a hint only: what is too much is left out.
 *
 * Return: how many stay
 */
uint32_t hlk_index_touched(const struct hlk_index *index, struct hlk_touched *touched,
			   uint32_t nr)
{
	uint64_t nr_windows = hlk_index_nr(index, HLK_INDEX_WINDOWS), at = 0, left = 0, end = 0;
	struct hlk_window window;
	uint32_t kept = 0, i;

	for (i = 0; i < nr && kept < HLK_INDEX_MAX_RUNS; i++) {
		for (; touched[i].gpa >= end && at < nr_windows; at++) {
			window = window_at(index, at);
			end = window.gpa + window.bytes;
			left = HLK_INDEX_MAX_TOUCHED;
		}
		if (touched[i].pages > left)
			touched[i].pages = left;
		left -= touched[i].pages;
		if (touched[i].pages)
			touched[kept++] = touched[i];
	}
	return kept;
}

static int check_begin(struct hlk_index *index, uint64_t size, struct hlk_err *err)
{
	const struct hlk_index_head *head = &index->head;

	if (memcmp(head->magic, HLK_INDEX_MAGIC, sizeof(head->magic)))
		return hlk_err_saved(err, EINVAL, index->file, "no index of a snapshot: it begins with something else");
	if (head->endian != HLK_INDEX_ENDIAN)
		return hlk_err_saved(err, EOPNOTSUPP, index->file, "written in another endianness (0x%08x at 8)",
				     head->endian);
	if (head->version != HLK_INDEX_VERSION)
		return hlk_err_saved(err, EOPNOTSUPP, index->file, "version %u of the format, where this libhlk knows %u",
				     head->version, HLK_INDEX_VERSION);
	if (head->bytes != size)
		return hlk_err_saved(err, EBADMSG, index->file, "%" PRIu64 " bytes, where its head says %" PRIu64,
				     size, head->bytes);
	if (head->pages > HLK_INDEX_MAX_PAGES)
		return hlk_err_saved(err, EFBIG, index->file, "%" PRIu64 " pages, more than %llu",
				     head->pages, HLK_INDEX_MAX_PAGES);
	if (head->depth > HLK_INDEX_MAX_DEPTH)
		return hlk_err_saved(err, EFBIG, index->file, "%u ancestors, more than %u",
				     head->depth, HLK_INDEX_MAX_DEPTH);
	if (!head->depth != hlk_digest_none(&head->parent))
		return hlk_err_saved(err, EINVAL, index->file, "%u ancestors, and %s parent",
				     head->depth, head->depth ? "no" : "a");
	if (!head->pages != hlk_digest_none(&head->digest) ||
	    !head->pages != hlk_digest_none(&head->verity))
		return hlk_err_saved(err, EINVAL, index->file, "%" PRIu64 " pages, and %s digest of them",
				     head->pages, head->pages ? "no" : "a");
	if (head->__reserved)
		return hlk_err_saved(err, EOPNOTSUPP, index->file, "a reserved field is not 0");
	return 0;
}

static bool is_zero(const unsigned char *at, const unsigned char *end)
{
	for (; at < end; at++)
		if (*at)
			return false;
	return true;
}

/* Each part begins where the one before ends, so sums cannot wrap. */
static int check_parts(struct hlk_index *index, const unsigned char *data, uint64_t size,
		       struct hlk_err *err)
{
	uint64_t at = sizeof(index->head), bytes;
	unsigned int i;

	for (i = 0; i < HLK_INDEX_PARTS; i++) {
		bytes = index->head.part[i].bytes;
		if (index->head.part[i].offset != at)
			return hlk_err_saved(err, EINVAL, index->file, "%s are at %" PRIu64 ", where they have to be at %" PRIu64,
					     parts[i].name, index->head.part[i].offset, at);
		if (bytes > size - at || round_up(bytes) > size - at)
			return hlk_err_saved(err, EINVAL, index->file, "%s: %" PRIu64 " bytes at %" PRIu64 " go past the end",
					     parts[i].name, bytes, at);
		if (bytes % parts[i].size || bytes / parts[i].size > parts[i].most)
			return hlk_err_saved(err, EINVAL, index->file, "%s: %" PRIu64 " bytes are none of them, or too many",
					     parts[i].name, bytes);
		if (!is_zero(data + at + bytes, data + at + round_up(bytes)))
			return hlk_err_saved(err, EINVAL, index->file, "%s: something is behind them",
					     parts[i].name);
		index->part[i] = data + at;
		at += round_up(bytes);
	}
	if (at != size)
		return hlk_err_saved(err, EINVAL, index->file, "%" PRIu64 " bytes are behind all parts",
				     size - at);
	return 0;
}

static int check_windows(const struct hlk_index *index, struct hlk_err *err)
{
	uint64_t nr = hlk_index_nr(index, HLK_INDEX_WINDOWS), end = 0, i;
	struct hlk_window window;

	if (!nr)
		return hlk_err_saved(err, EINVAL, index->file, "there is no memory");
	for (i = 0; i < nr; i++) {
		window = window_at(index, i);
		if (window.gpa % PAGE || window.bytes % PAGE || !window.bytes ||
		    window.gpa < end || window.gpa + window.bytes < window.gpa)
			return hlk_err_saved(err, EINVAL, index->file, "window %" PRIu64 ": 0x%llx bytes at 0x%llx cannot be",
					     i, window.bytes, window.gpa);
		end = window.gpa + window.bytes;
	}
	return 0;
}

/*
 * Windows and extents are in order, so it goes over both once. Pages are in the order of
 * extents, too, each for one place, so there are no more of them than windows have.
 */
static int check_extents(const struct hlk_index *index, struct hlk_err *err)
{
	uint64_t nr = hlk_index_nr(index, HLK_INDEX_EXTENTS), end = 0, i, at = 0, bytes;
	uint64_t pages = 0;
	uint64_t nr_windows = hlk_index_nr(index, HLK_INDEX_WINDOWS);
	struct hlk_index_extent extent;
	struct hlk_window window = window_at(index, 0);

	for (i = 0; i < nr; i++) {
		memcpy(&extent, index->part[HLK_INDEX_EXTENTS] + i * sizeof(extent),
		       sizeof(extent));
		bytes = (uint64_t)extent.pages * PAGE;
		if (extent.gpa % PAGE || !extent.pages || extent.gpa < end)
			return hlk_err_saved(err, EINVAL, index->file, "extent %" PRIu64 ": %u pages at 0x%" PRIx64 " are out of order",
					     i, extent.pages, extent.gpa);
		while (extent.gpa - window.gpa >= window.bytes && ++at < nr_windows)
			window = window_at(index, at);
		if (at == nr_windows || extent.gpa < window.gpa ||
		    bytes > window.bytes - (extent.gpa - window.gpa))
			return hlk_err_saved(err, EINVAL, index->file, "extent %" PRIu64 ": %u pages at 0x%" PRIx64 " lie in no window",
					     i, extent.pages, extent.gpa);
		if (extent.flags & ~HLK_INDEX_ZERO ||
		    (extent.flags & HLK_INDEX_ZERO && extent.page))
			return hlk_err_saved(err, EOPNOTSUPP, index->file, "extent %" PRIu64 ": flags 0x%x",
					     i, extent.flags);
		if (!(extent.flags & HLK_INDEX_ZERO) && extent.page != pages)
			return hlk_err_saved(err, EINVAL, index->file, "extent %" PRIu64 ": pages from %" PRIu64 " on, where %" PRIu64 " is the next one",
					     i, extent.page, pages);
		if (!(extent.flags & HLK_INDEX_ZERO))
			pages += extent.pages;
		end = extent.gpa + bytes;
	}
	if (pages != index->head.pages)
		return hlk_err_saved(err, EINVAL, index->file, "extents of %" PRIu64 " pages, where there are %" PRIu64,
				     pages, index->head.pages);
	return 0;
}

/**
 * hlk_index_vcpu() - the next vCPU
 * @index: the index
 * @at: where to go on: 0 at first
 * @vcpu: out: a copy of what there is of it
 *
 * Return: its registers, with its FPU behind them, or NULL if there is not all of one
 */
const unsigned char *hlk_index_vcpu(const struct hlk_index *index, uint64_t *at,
				    struct hlk_index_vcpu *vcpu)
{
	uint64_t left = index->head.part[HLK_INDEX_VCPUS].bytes - *at;
	const unsigned char *from = index->part[HLK_INDEX_VCPUS] + *at;
	uint64_t bytes;

	if (left < sizeof(*vcpu))
		return NULL;
	memcpy(vcpu, from, sizeof(*vcpu));
	bytes = sizeof(*vcpu) + round_up(vcpu->regs_bytes) + round_up(vcpu->fpu_bytes);
	if (bytes > left)
		return NULL;
	*at += bytes;
	return from + sizeof(*vcpu);
}

static int check_vcpus(const struct hlk_index *index, struct hlk_err *err)
{
	struct hlk_index_vcpu vcpu;
	const unsigned char *regs;
	uint64_t at = 0;
	uint32_t i;

	if (index->head.nr_vcpus > MAX_VCPUS)
		return hlk_err_saved(err, EFBIG, index->file, "%u vCPUs, more than %u",
				     index->head.nr_vcpus, MAX_VCPUS);
	for (i = 0; i < index->head.nr_vcpus; i++) {
		regs = hlk_index_vcpu(index, &at, &vcpu);
		if (!regs)
			return hlk_err_saved(err, EINVAL, index->file, "vCPU %u goes past the end of the vCPUs",
					     i);
		if (vcpu.__reserved[0] || vcpu.__reserved[1] ||
		    vcpu.regs_bytes > HLK_MAX_STRUCT || vcpu.fpu_bytes > HLK_MAX_FPU)
			return hlk_err_saved(err, EINVAL, index->file, "vCPU %u: %u bytes of registers, %u of its FPU, or a reserved field",
					     i, vcpu.regs_bytes, vcpu.fpu_bytes);
		if (!is_zero(regs + vcpu.regs_bytes, regs + round_up(vcpu.regs_bytes)))
			return hlk_err_saved(err, EINVAL, index->file, "vCPU %u: something is behind its registers",
					     i);
		regs += round_up(vcpu.regs_bytes);
		if (!is_zero(regs + vcpu.fpu_bytes, regs + round_up(vcpu.fpu_bytes)))
			return hlk_err_saved(err, EINVAL, index->file, "vCPU %u: something is behind its FPU",
					     i);
	}
	if (at != index->head.part[HLK_INDEX_VCPUS].bytes)
		return hlk_err_saved(err, EINVAL, index->file, "something is behind the vCPUs");
	return 0;
}

/**
 * hlk_index_decode() - read an index
 * @index: out: the index, with its parts in @data
 * @file: what it is called in errors; kept
 * @data: the index, at a multiple of 8, of anybody's
 * @size: its size
 * @err: out: why it is none
 *
 * What is in it is good for the module to look at: that decides about registers, programs
 * and page tables.
 *
 * Return: 0 or a negative errno
 */
int hlk_index_decode(struct hlk_index *index, const char *file, const void *data,
		     uint64_t size, struct hlk_err *err)
{
	int ret;

	*index = (struct hlk_index) { .file = file };
	if (size < sizeof(index->head))
		return hlk_err_saved(err, EBADMSG, file, "%" PRIu64 " bytes are no index",
				     size);
	if (size > HLK_INDEX_LARGEST)
		return hlk_err_saved(err, EFBIG, file, "%" PRIu64 " bytes, more than %u",
				     size, HLK_INDEX_LARGEST);
	memcpy(&index->head, data, sizeof(index->head));
	ret = check_begin(index, size, err);
	if (!ret)
		ret = check_parts(index, data, size, err);
	if (!ret)
		ret = check_windows(index, err);
	if (!ret)
		ret = check_extents(index, err);
	return ret ? ret : check_vcpus(index, err);
}
