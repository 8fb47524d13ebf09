/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run pt: a guest's address spaces, collected once and then printed. */
#ifndef HLK_RUN_PT_COLLECT_H
#define HLK_RUN_PT_COLLECT_H

#include <hlk.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "options.h"

#define PT_PAGE		4096ULL
#define PT_NO_ADDR	(~0ULL)
#define PT_ROOT_BITS	0x000fffffffffffe0ULL	/* of CR3: not its flags of 64-bit modes */

/**
 * struct pt_totals - what a root maps; pages of 4 KiB but where said
 * @ranges: ranges that were listed
 * @pages: mapped
 * @write: writable
 * @user: for user and supervisor
 * @cow: copy-on-write
 * @exec: that a user or a supervisor may execute, as far as XD goes
 * @large: in entries for more than 4 KiB
 * @not_ram: that are no memory
 * @alias_tables: tables that were met before
 * @lost_tables: tables that are not in memory
 * @reserved: entries with reserved bits set
 */
struct pt_totals {
	uint64_t ranges;
	uint64_t pages;
	uint64_t write;
	uint64_t user;
	uint64_t cow;
	uint64_t exec;
	uint64_t large;
	uint64_t not_ram;
	uint64_t alias_tables;
	uint64_t lost_tables;
	uint64_t reserved;
};

/**
 * struct pt_root - one root
 * @addr: where it is; PT_NO_ADDR: where CR3 of vCPU 0 points
 * @first: its first range in @maps of struct pt_space
 * @totals: what it maps
 * @at: the way to the address that was asked for
 */
struct pt_root {
	uint64_t addr;
	size_t first;
	struct pt_totals totals;
	struct hlk_translate at;
};

/**
 * struct pt_phys - guest-physical memory that is mapped
 * @pages: different pages of memory that any root maps
 * @shared: of these, pages that are mapped more than once
 * @shared_write: of these, pages that can be written through a mapping
 */
struct pt_phys {
	uint64_t pages;
	uint64_t shared;
	uint64_t shared_write;
};

/**
 * struct pt_space - all that was found
 * @source: what was looked at, in words; bytes of any content
 * @roots: the roots
 * @nr_roots: length of @roots
 * @maps: ranges, by root, then by address
 * @nr: length of @maps
 * @room: how many fit
 * @format: HLK_FORMAT_* of the tables
 * @cut: there is more, but the limit was reached
 * @phys: what is mapped
 */
struct pt_space {
	char source[256];
	struct pt_root *roots;
	uint32_t nr_roots;
	struct hlk_mapping *maps;
	size_t nr;
	size_t room;
	uint32_t format;
	bool cut;
	struct pt_phys phys;
};

/**
 * typedef pt_walk_fn - HLK_WALK on whatever is looked at
 * @arg: as given to pt_collect()
 * @walk: in and out
 *
 * Return: RUN_OK or an exit code, after the reason was printed
 */
typedef int (*pt_walk_fn)(void *arg, struct hlk_walk *walk);

/**
 * typedef pt_translate_fn - HLK_TRANSLATE likewise
 * @arg: as given to pt_find()
 * @translate: in and out; where the way ends early is no failure
 *
 * Return: RUN_OK or an exit code, after the reason was printed
 */
typedef int (*pt_translate_fn)(void *arg, struct hlk_translate *translate);

/* What a range is, for colours and legends; in the order of pt_kind_name() */
enum pt_kind {
	PT_USER_WRITE,
	PT_USER_READ,
	PT_SUPER_WRITE,
	PT_SUPER_READ,
	PT_USER_COW,
	PT_SUPER_COW,
	PT_NOT_RAM,
	PT_ALIAS,
	PT_LOST_TABLE,
	PT_RESERVED,
	PT_KINDS,
};

int pt_space_init(struct pt_space *space, const uint64_t *roots, uint32_t nr);
void pt_space_free(struct pt_space *space);
int pt_collect(struct pt_space *space, const struct pt_options *pt,
	       pt_walk_fn walk, void *arg);
int pt_find(struct pt_space *space, const struct pt_options *pt,
	    pt_translate_fn translate, void *arg);
bool pt_way_ends(const struct hlk_translate *translate);
int pt_count(struct pt_space *space);
int pt_width(const struct pt_space *space);
uint64_t pt_root_addr(const struct pt_space *space, uint32_t root);
enum pt_kind pt_kind(const struct hlk_mapping *map);
bool pt_is_table(const struct hlk_mapping *map);
size_t pt_root_end(const struct pt_space *space, uint32_t root);

#endif /* HLK_RUN_PT_COLLECT_H */
