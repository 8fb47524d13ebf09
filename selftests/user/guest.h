/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest that is only memory: ranges of RAM, of which some are windows,
 * sparse pages, and helpers that build page tables in it.
 */
#ifndef _GUEST_H
#define _GUEST_H

#include <stdio.h>

#include "mmu.h"
#include "pt.h"
#include "snap.h"

#define GUEST_MAX_RAM	16

/**
 * struct guest - the model
 * @gmem: for the code under test
 * @mem: for the oracle
 * @layout: the windows
 * @ram: frames that are memory, windows among them
 * @nr_ram: how many ranges
 * @pages: gfn -> struct page; absent is zero
 * @frozen: gfn -> value 1 for pages shared with a parent
 * @written: gfn -> value 1 for pages that a restored guest wrote
 * @next: next frame that guest_frame() gives out
 * @gets: reads by the code under test
 * @fail_get: which of them fails, counted from 1; 0 for none
 * @restored: it runs from a snapshot, and what it wrote since is known
 * @holds: pages that the code under test held to be written
 * @fail_hold: which of them fails, counted from 1; 0 for none
 * @hold_error: with what
 * @held: how many are held now
 * @meddle: called after each of them, to play a guest that runs
 * @seed: of guest_random()
 * @feed: bytes that guest_random() takes first, from a fuzzer
 * @feed_left: how many
 */
struct guest {
	struct hlk_gmem gmem;
	struct physmem mem;
	struct hlk_layout layout;
	struct {
		u64 first;
		u64 pages;
	} ram[GUEST_MAX_RAM];
	u32 nr_ram;
	struct xarray pages;
	struct xarray frozen;
	struct xarray written;
	u64 next;
	long gets;
	long fail_get;
	bool restored;
	long holds;
	long fail_hold;
	int hold_error;
	long held;
	void (*meddle)(struct guest *guest, u64 gfn);
	u64 seed;
	const u8 *feed;
	size_t feed_left;
};

/* What a page without bytes of its own shows */
extern const u8 guest_zero[PAGE_SIZE];

void guest_init(struct guest *guest);
void guest_exit(struct guest *guest);
void guest_ram(struct guest *guest, u64 first, u64 pages);
void guest_window(struct guest *guest, u64 first, u64 pages, u32 flags);

/* Windows 0x1000 to 4 MiB and scratch; the usual start of a test */
void guest_usual(struct guest *guest, u64 scratch_pages);

bool guest_is_ram(const struct guest *guest, u64 gfn);
u8 *guest_bytes(struct guest *guest, u64 gfn);
const u8 *guest_peek(const struct guest *guest, u64 gfn);
u64 guest_hash(const struct guest *guest);
void guest_freeze(struct guest *guest, u64 gfn);
bool guest_is_frozen(const struct guest *guest, u64 gfn);

/* What the engine makes of such modes of 32-bit paging */
struct pt_mode guest_mode(const struct i686_mode *mode);

/* A frame of the lowest window that nobody has yet; the second: with bytes */
u64 guest_frame(struct guest *guest);
u64 guest_data(struct guest *guest);

u32 guest_entry(const struct guest *guest, u64 table, u32 nr);
void guest_set(struct guest *guest, u64 table, u32 nr, u32 entry);

/*
 * Map @va in the directory at frame @pd: the table is made, with @pde_flags,
 * if there is none. Returns the table's frame.
 */
u64 guest_map(struct guest *guest, u64 pd, u32 va, u64 gfn, u32 flags, u32 pde_flags);
u32 guest_large(u64 gfn, u32 flags);

u64 guest_random(struct guest *guest);
u32 guest_below(struct guest *guest, u32 limit);
bool guest_chance(struct guest *guest, u32 percent);

#endif /* _GUEST_H */
