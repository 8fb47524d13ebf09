// SPDX-License-Identifier: GPL-2.0-only
#include <linux/hlk_guest.h>

#include "scatter.h"

#define TOP		(HLK_GUEST_SCRATCH_TOP >> 12)
#define MAX_POOL	64

/* The frames that entries name, over and over again */
struct pool {
	u64 frame[MAX_POOL];
	u32 nr;
	u32 tables;	/* the first ones are tables */
};

static void scatter_memory(struct guest *g, struct scatter *s)
{
	static const u64 sizes[] = { 0x20, 0x48, 0x48, 0x100, 1024, 1025, 1100, 2047, 2500 };

	s->scratch_pages = sizes[guest_below(g, ARRAY_SIZE(sizes))];
	s->input_bytes = 0x2000 + 0x1000 * guest_below(g, 3);
	s->output_bytes = 0x2000 + 0x1000 * guest_below(g, 3);
	guest_window(g, TOP - s->scratch_pages, s->scratch_pages, HLK_WINDOW_SCRATCH);
	guest_window(g, guest_chance(g, 80), 0x500 + guest_below(g, 0x1000), 0);
	if (guest_chance(g, 40))
		guest_window(g, 0x8000, 1 + guest_below(g, 0x800), 0);
	/* memory that is no window, and memory that only PSE-36 can name */
	if (guest_chance(g, 50))
		guest_ram(g, 0x20000, 0x600);
	if (guest_chance(g, 50))
		guest_ram(g, 0x100000, 0x700);
}

static u64 scatter_any_frame(struct guest *g, const struct scatter *s)
{
	switch (guest_below(g, 12)) {
	case 0:		/* anywhere in scratch, buffers and bookkeeping too */
		return TOP - 1 - guest_below(g, s->scratch_pages);
	case 1:		/* buffers and tables */
		return TOP - s->scratch_pages + guest_below(g, 16);
	case 2:		/* stack, bookkeeping, guard */
		return TOP - 1 - guest_below(g, 9);
	case 3:		/* a hole */
		return 0x6000 + guest_below(g, 8);
	case 4:
		return 0x20000 + guest_below(g, 0x600);
	case 5:
		return 0x8000 + guest_below(g, 0x900);
	default:
		return 1 + guest_below(g, 0x4ff);
	}
}

static u64 scatter_frame(struct guest *g, const struct scatter *s)
{
	u64 gfn;

	do {
		gfn = scatter_any_frame(g, s);
	} while (s->tidy && !guest_is_ram(g, gfn));
	return gfn;
}

static void scatter_bytes(struct guest *g, u64 gfn, const struct scatter *s)
{
	struct guest garbage = {};
	u64 *words;
	u32 i;

	if (!guest_is_ram(g, gfn))
		return;
	if (guest_chance(g, 15))
		return;
	words = (u64 *)guest_bytes(g, gfn);
	if (guest_chance(g, 10))	/* there, and all zero */
		return;
	garbage.seed = guest_below(g, 256);
	for (i = 0; i < PAGE_SIZE / 8; i++)
		words[i] = guest_random(&garbage);
	/* if it is read as a table, most entries are not present */
	for (i = 0; i < PAGE_SIZE / 4; i++)
		if (s->tidy || guest_chance(&garbage, 90))
			((u32 *)words)[i] &= ~1U;
}

static u32 scatter_flags(struct guest *g)
{
	u32 flags = guest_random(g) & 0xfff;

	if (guest_chance(g, 50))
		flags &= ~0xe00U;
	if (guest_chance(g, 70))
		flags &= ~0x98U;
	if (guest_chance(g, 90))
		flags |= 1;
	return flags;
}

static u32 scatter_leaf(struct guest *g, const struct pool *pool,
			const struct scatter *s)
{
	u64 gfn = pool->frame[guest_below(g, pool->nr)];

	if (guest_chance(g, 5))
		gfn = scatter_frame(g, s);
	return gfn << 12 | scatter_flags(g);
}

static u32 scatter_pde(struct guest *g, const struct pool *pool,
		       const struct scatter *s)
{
	static const u64 large[] = { 0, 0x400, 0x8000, 0x20000, 0x6000, 0xfe800, 0xfec00,
				     0x100000, 0x123400 };
	u32 pde = scatter_flags(g);
	u64 gfn;

	if (s->mode.pse && guest_chance(g, 12)) {
		do {
			gfn = large[guest_below(g, ARRAY_SIZE(large))];
		} while (s->tidy && !guest_is_ram(g, gfn + 0x3ff));
		if (gfn >> 20 && s->mode.maxphyaddr < 36)
			gfn &= 0xfffff;
		pde = guest_large(gfn, pde);
		return guest_chance(g, 30) ? pde | 0x1000 : pde;
	}
	if (s->mode.pse)
		pde &= ~0x80U;
	gfn = pool->frame[guest_below(g, s->tidy || guest_chance(g, 92) ? pool->tables :
							       pool->nr)];
	return gfn << 12 | pde;
}

static u32 scatter_slot(struct guest *g, const struct scatter *s)
{
	u32 scratch = 1023 - (s->scratch_pages - 1) / 1024;

	switch (guest_below(g, 8)) {
	case 0:
		return scratch;
	case 1:
		return scratch - 1;
	case 2:
		return 1023;
	case 3:
		return 768 + guest_below(g, 2);
	case 4:
		return guest_below(g, 1024);
	default:
		return guest_below(g, 4);
	}
}

/* Without entries that are an error, and so end everything */
static void scatter_mend(struct guest *g, u64 pd, const struct scatter *s)
{
	u32 nr;
	u32 pde;

	for (nr = 0; nr < 1024; nr++) {
		pde = guest_entry(g, pd, nr);
		if (s->mode.pse && (pde & 0x81) == 0x81 &&
		    (pde & 1 << 21 || (pde & 0x1fe000) >> (s->mode.maxphyaddr - 19) ||
		     (s->tidy && !guest_is_ram(g, pde >> 12 & ~1023U))))
			guest_set(g, pd, nr, pde & ~1U);
	}
}

/*
 * Most guests do not show directories to user code, which is refused where that
 * would see something else; see HLK_WHY_LARGE_AS_LEAF. No choice is drawn for it.
 */
static void scatter_hide(struct guest *g, u64 pd, const struct scatter *s)
{
	u32 nr;
	u32 pde;
	u32 i;

	for (nr = 0; nr < 1024; nr++) {
		pde = guest_entry(g, pd, nr);
		for (i = 0; i < s->nr_roots; i++)
			if (pde >> 12 == s->roots[i] >> 12 && !(pde & 0x80))
				guest_set(g, pd, nr, pde & ~4U);
	}
}

static void scatter_tables(struct guest *g, const struct pool *pool,
			   struct scatter *s)
{
	u32 i;
	u32 n;

	for (i = 0; i < pool->tables; i++) {
		if (!guest_is_ram(g, pool->frame[i]))
			continue;
		n = guest_below(g, guest_chance(g, 20) ? 200 : 24);
		while (n--)
			guest_set(g, pool->frame[i],
				  guest_chance(g, 60) ? guest_below(g, 40) :
				  guest_chance(g, 50) ? 1000 + guest_below(g, 24) :
				  guest_below(g, 1024),
				  scatter_leaf(g, pool, s));
	}
	for (i = 0; i < s->nr_roots; i++)
		for (n = 1 + guest_below(g, 10); n; n--)
			guest_set(g, s->roots[i] >> 12, scatter_slot(g, s),
				  scatter_pde(g, pool, s));
	for (i = 0; i < s->nr_roots && guest_chance(g, 97); i++)
		scatter_mend(g, s->roots[i] >> 12, s);
	for (i = 0; i < s->nr_roots && s->input_bytes > 0x2000; i++)
		scatter_hide(g, s->roots[i] >> 12, s);
}

static void scatter_all(struct guest *g, struct scatter *s)
{
	struct pool pool = {};
	u64 gfn;
	u32 i;

	scatter_memory(g, s);
	s->tidy = guest_chance(g, 30);
	s->mode.wp = guest_chance(g, 80);
	s->mode.pse = guest_chance(g, 60);
	s->mode.maxphyaddr = guest_chance(g, 80) ? 40 : 32 + guest_below(g, 9);

	pool.nr = 6 + guest_below(g, MAX_POOL - 6);
	pool.tables = 2 + guest_below(g, min_t(u32, pool.nr - 2, 12));
	for (i = 0; i < pool.nr; i++) {
		pool.frame[i] = scatter_frame(g, s);
		if (i >= pool.tables)
			scatter_bytes(g, pool.frame[i], s);
	}
	s->nr_roots = 1 + guest_below(g, SCATTER_ROOTS);
	for (i = 0; i < s->nr_roots; i++) {
		do {
			gfn = guest_chance(g, 90) ?
			      pool.frame[guest_below(g, pool.tables)] :
			      scatter_frame(g, s);
		} while (!guest_is_ram(g, gfn) && (guest_chance(g, 99)));
		if (!guest_is_ram(g, gfn))
			gfn = 1;
		s->roots[i] = gfn << 12;
		if (guest_chance(g, 20))	/* CR3 has flags of its own */
			s->roots[i] |= guest_random(g) & 0xfff;
	}
	scatter_tables(g, &pool, s);
	for (i = 0; i < pool.nr; i++)
		if (guest_is_ram(g, pool.frame[i]) && guest_chance(g, 25))
			guest_freeze(g, pool.frame[i]);
}

/**
 * scatter() - make a random guest
 * @g: the guest; guest_exit() it afterwards
 * @seed: the same seed, the same guest
 * @s: out: what the code under test is told of it
 */
void scatter(struct guest *g, u64 seed, struct scatter *s)
{
	guest_init(g);
	g->seed = seed * 0x2545f4914f6cdd1d;
	scatter_all(g, s);
}

/**
 * scatter_fed() - make a guest of a fuzzer's bytes
 * @g: the guest; guest_exit() it afterwards
 * @feed: the choices, in the order in which they are made
 * @bytes: how many bytes
 * @s: out: what the code under test is told of it
 *
 * Bytes that are left are for what the guest does next.
 */
void scatter_fed(struct guest *g, const u8 *feed, size_t bytes, struct scatter *s)
{
	guest_init(g);
	g->feed = feed;
	g->feed_left = bytes;
	scatter_all(g, s);
}
