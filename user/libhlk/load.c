// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Where things go in a machine's memory.
 *
 * Boot protocols say what they want to have where, in numbers that come from an
 * image that nobody trusts. This is the one place that writes: what is not
 * memory, or in use already, is refused. Memory is zero at first, and
 * what is to be zero is not written. Numbers and bytes only: no system call here.
 */
#include "load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char op[] = "cannot load the kernel";

#define fail(load, code, ...) \
	hlk_err_text((load)->err, code, HLK_WHAT_KERNEL, op, __VA_ARGS__)

static int by_gpa(const void *a, const void *b)
{
	const struct hlk_ram *left = a, *right = b;

	return left->gpa < right->gpa ? -1 : left->gpa > right->gpa;
}

/* The highest address is never memory, so the end of a piece is a number. */
static int check_ram(const struct hlk_load *load)
{
	const struct hlk_ram *ram;
	uint64_t end = 0;
	uint32_t i;

	for (i = 0; i < load->nr_ram; i++) {
		ram = &load->ram[i];
		if (!ram->bytes || !ram->mem || ram->bytes > SIZE_MAX ||
		    ram->bytes > UINT64_MAX - ram->gpa)
			return fail(load, EINVAL, "the memory at 0x%llx is none, or ends above all addresses",
				    (unsigned long long)ram->gpa);
		if (ram->gpa < end)
			return fail(load, EINVAL, "the memory at 0x%llx is there twice",
				    (unsigned long long)ram->gpa);
		end = ram->gpa + ram->bytes;
	}
	return 0;
}

/**
 * hlk_load_init() - begin with a machine's memory
 * @load: out: nothing is in use
 * @ram: the memory; zero
 * @nr: length of @ram
 * @err: out: why it cannot be; later, too
 *
 * Return: 0 or -EINVAL
 */
int hlk_load_init(struct hlk_load *load, const struct hlk_ram *ram, uint32_t nr,
		  struct hlk_err *err)
{
	memset(load, 0, sizeof(*load));
	load->err = err;
	if (!nr || nr > HLK_LOAD_MAX_RAM)
		return fail(load, EINVAL, "%u pieces of memory, not 1 to %u", nr,
			    HLK_LOAD_MAX_RAM);
	memcpy(load->ram, ram, nr * sizeof(*ram));
	load->nr_ram = nr;
	qsort(load->ram, nr, sizeof(*ram), by_gpa);
	return check_ram(load);
}

/* Bytes of memory from @gpa on, in this piece and those that follow at once */
static uint64_t reach(const struct hlk_load *load, uint64_t gpa)
{
	uint64_t end = gpa;
	uint32_t i;

	for (i = 0; i < load->nr_ram; i++)
		if (end - load->ram[i].gpa < load->ram[i].bytes)
			end = load->ram[i].gpa + load->ram[i].bytes;
	return end - gpa;
}

/**
 * hlk_load_is_ram() - whether there is memory, in use or not
 * @load: the memory
 * @gpa: where it starts
 * @bytes: its size
 *
 * Return: whether all of it is
 */
bool hlk_load_is_ram(const struct hlk_load *load, uint64_t gpa, uint64_t bytes)
{
	return bytes <= reach(load, gpa);
}

static const struct hlk_load_place *
in_use(const struct hlk_load *load, uint64_t gpa, uint64_t bytes)
{
	const struct hlk_load_place *place;
	uint32_t i;

	for (i = 0; i < load->nr; i++) {
		place = &load->place[i];
		if (gpa - place->gpa < place->bytes ||
		    place->gpa - gpa < bytes)
			return place;
	}
	return NULL;
}

/* All of it is memory. */
static int copy(const struct hlk_load *load, uint64_t gpa,
		const unsigned char *data, uint64_t bytes)
{
	const struct hlk_ram *ram;
	unsigned char *to;
	uint64_t part;
	uint32_t i;
	int ret;

	for (i = 0; i < load->nr_ram && bytes; i++) {
		ram = &load->ram[i];
		if (gpa - ram->gpa >= ram->bytes)
			continue;
		part = ram->bytes - (gpa - ram->gpa);
		if (part > bytes)
			part = bytes;
		to = (unsigned char *)ram->mem + (gpa - ram->gpa);
		ret = load->reach ? load->reach(to, part) : 0;
		if (ret)
			return hlk_err_set(load->err, -ret, HLK_WHAT_SYSTEM, op);
		memcpy(to, data, part);
		gpa += part;
		data += part;
		bytes -= part;
	}
	return 0;
}

/**
 * hlk_load_put() - put something at an address
 * @load: the memory
 * @what: what it is
 * @gpa: where it goes
 * @bytes: how much memory it uses; not 0
 * @data: what is written there; the rest stays zero
 * @data_bytes: length of @data; at least as much memory is used
 *
 * Return: 0; -ENOSPC if that is not memory, or in use; -E2BIG for too many things
 */
int hlk_load_put(struct hlk_load *load, const char *what, uint64_t gpa,
		 uint64_t bytes, const void *data, uint64_t data_bytes)
{
	const struct hlk_load_place *other;
	uint64_t room = reach(load, gpa);

	if (data_bytes > bytes)
		bytes = data_bytes;
	if (!bytes || bytes > room)
		return fail(load, ENOSPC, "%s wants 0x%llx bytes at 0x%llx, where the machine has 0x%llx",
			    what, (unsigned long long)bytes,
			    (unsigned long long)gpa, (unsigned long long)room);
	other = in_use(load, gpa, bytes);
	if (other)
		return fail(load, ENOSPC, "%s at 0x%llx would be over %s at 0x%llx",
			    what, (unsigned long long)gpa, other->what,
			    (unsigned long long)other->gpa);
	if (load->nr == HLK_LOAD_MAX_PLACES)
		return fail(load, E2BIG, "more than %u things to load",
			    HLK_LOAD_MAX_PLACES);
	load->place[load->nr++] = (struct hlk_load_place) {
		.gpa = gpa,
		.bytes = bytes,
		.what = what,
	};
	return copy(load, gpa, data, data_bytes);
}

/* Where the PC has its hole is memory only for who asks for it by address. */
static bool blocked(const struct hlk_load *load, uint64_t gpa, uint64_t bytes,
		    struct hlk_load_place *by)
{
	const struct hlk_load_place *place;

	if (gpa < HLK_LOAD_HIGH && gpa + bytes > HLK_LOAD_HOLE) {
		by->gpa = HLK_LOAD_HOLE;
		by->bytes = HLK_LOAD_HIGH - HLK_LOAD_HOLE;
		return true;
	}
	place = in_use(load, gpa, bytes);
	if (place)
		*by = *place;
	return place;
}

static uint64_t max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/*
 * The first place of those that are in [@from, @end), from below or from above. Each
 * thing that is in the way is passed once, so it comes to an end.
 */
static bool search(const struct hlk_load *load, const struct hlk_load_wish *wish,
		   uint64_t from, uint64_t end, uint64_t *gpa)
{
	uint64_t mask = wish->align - 1;
	struct hlk_load_place by;
	uint64_t at;

	while (from < end && end - from >= wish->bytes) {
		at = wish->high ? (end - wish->bytes) & ~mask :
				  (from + mask) & ~mask;
		if (at < from || at >= end || end - at < wish->bytes)
			return false;
		if (!blocked(load, at, wish->bytes, &by)) {
			*gpa = at;
			return true;
		}
		if (wish->high)
			end = by.gpa;
		else
			from = by.gpa + by.bytes;
	}
	return false;
}

/**
 * hlk_load_room() - look for room
 * @load: the memory
 * @wish: how much, and where it may be
 * @gpa: out: where it is, in one piece of memory
 *
 * Return: whether there is any
 */
bool hlk_load_room(const struct hlk_load *load, const struct hlk_load_wish *wish,
		   uint64_t *gpa)
{
	uint64_t from, end;
	uint32_t i;

	for (i = 0; i < load->nr_ram; i++) {
		const struct hlk_ram *ram =
			&load->ram[wish->high ? load->nr_ram - 1 - i : i];

		from = max(ram->gpa, wish->min);
		end = ram->gpa + ram->bytes;
		if (wish->max < end)
			end = wish->max + 1;
		if (search(load, wish, from, end, gpa))
			return true;
	}
	return false;
}

/**
 * hlk_load_add() - put something where there is room
 * @load: the memory
 * @what: what it is
 * @wish: how much memory it uses, and where it may be
 * @data: see hlk_load_put()
 * @data_bytes: see hlk_load_put()
 * @gpa: out: where it is
 *
 * Return: as hlk_load_put()
 */
int hlk_load_add(struct hlk_load *load, const char *what,
		 const struct hlk_load_wish *wish, const void *data,
		 uint64_t data_bytes, uint64_t *gpa)
{
	if (!hlk_load_room(load, wish, gpa))
		return fail(load, ENOSPC, "no room for %s: 0x%llx bytes from 0x%llx to 0x%llx",
			    what, (unsigned long long)wish->bytes,
			    (unsigned long long)wish->min,
			    (unsigned long long)wish->max);
	return hlk_load_put(load, what, *gpa, wish->bytes, data, data_bytes);
}

/**
 * hlk_load_low() - put something below 640 KiB, or else below 4 GiB
 * @load: the memory
 * @what: what it is
 * @data: its content
 * @bytes: its size
 * @align: a power of two
 * @gpa: out: where it is
 *
 * Return: as hlk_load_put()
 */
int hlk_load_low(struct hlk_load *load, const char *what, const void *data,
		 uint64_t bytes, uint64_t align, uint64_t *gpa)
{
	struct hlk_load_wish wish = {
		.bytes = bytes,
		.align = align,
		.min = HLK_LOAD_LOW,
		.max = UINT32_MAX,
	};

	return hlk_load_add(load, what, &wish, data, bytes, gpa);
}

/**
 * hlk_load_elf() - put the segments of a kernel where they want to be
 * @load: the memory
 * @elf: the kernel
 *
 * Return: as hlk_load_put()
 */
int hlk_load_elf(struct hlk_load *load, const struct hlk_elf *elf)
{
	const struct hlk_elf_segment *segment;
	uint32_t i;
	int ret;

	for (i = 0; i < elf->nr; i++) {
		segment = &elf->segment[i];
		ret = hlk_load_put(load, "a segment of the kernel", segment->gpa,
				   segment->mem_size, segment->data,
				   segment->file_size);
		if (ret)
			return ret;
	}
	return 0;
}

static void add_area(struct hlk_load_area *areas, uint32_t *nr, uint64_t from,
		     uint64_t end, bool usable)
{
	struct hlk_load_area *last = *nr ? &areas[*nr - 1] : NULL;

	if (from >= end)
		return;
	if (last && last->usable == usable && last->gpa + last->bytes == from) {
		last->bytes += end - from;
		return;
	}
	areas[(*nr)++] = (struct hlk_load_area) {
		.gpa = from,
		.bytes = end - from,
		.usable = usable,
	};
}

/**
 * hlk_load_areas() - the memory map that a guest is given
 * @load: the memory
 * @areas: out: sorted; HLK_LOAD_MAX_AREAS at most
 *
 * What is memory where a PC has its hole is not for use.
 *
 * Return: how many
 */
uint32_t hlk_load_areas(const struct hlk_load *load, struct hlk_load_area *areas)
{
	uint64_t from, end;
	uint32_t nr = 0;
	uint32_t i;

	for (i = 0; i < load->nr_ram; i++) {
		from = load->ram[i].gpa;
		end = from + load->ram[i].bytes;
		add_area(areas, &nr, from, min(end, HLK_LOAD_HOLE), true);
		add_area(areas, &nr, max(from, HLK_LOAD_HOLE),
			 min(end, HLK_LOAD_HIGH), false);
		add_area(areas, &nr, max(from, HLK_LOAD_HIGH), end, true);
	}
	return nr;
}
