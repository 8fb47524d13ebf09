// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a restored guest does until its next snapshot: it copies on write, maps
 * fresh pages, unmaps, changes rights, writes where it need not ask. One that is
 * hostile also rewrites directories, maps pages twice and tables as data.
 */
#include <linux/hlk_guest.h>

#include "check.h"

#define TOP	0xfee00000ULL

/* One entry of one table, reached as the CPU would */
struct place {
	struct mmu_cpu cpu;
	u32 va;
	struct mmu_result t;
};

static bool is_table(const struct hlk_snap *snap, u64 frame)
{
	return frame - snap->tables->gfn < snap->tables->nr;
}

/* An address for which there is a table of the snapshot's; mapped or not */
static bool somewhere(struct guest *g, const struct compact *c, struct place *p)
{
	const struct hlk_snap *snap = c->snap;
	const struct i686_mode *mode = &c->params.mode;
	u32 tries = 40;

	while (tries--) {
		p->cpu = (struct mmu_cpu){
			snap->roots[guest_below(g, snap->nr_roots)], true, mode->pse,
			mode->maxphyaddr
		};
		/* where scatter() maps most */
		p->va = (guest_below(g, 4) + 768 * guest_chance(g, 30)) << 22 |
			guest_below(g, 40) << 12;
		if (guest_chance(g, 10))
			p->va = guest_below(g, 1 << 20) << 12;
		p->t = mmu_translate(&g->mem, &p->cpu, p->va);
		if ((p->t.outcome == MMU_MAPPED && !p->t.large) ||
		    p->t.outcome == MMU_PTE_ABSENT)
			return is_table(snap, p->t.leaf_at >> 12);
	}
	return false;
}

static void put_entry(struct guest *g, u64 gpa, u32 entry)
{
	memcpy(guest_bytes(g, gpa >> 12) + gpa % 4096, &entry, 4);
}

static void fill(struct guest *g, u64 frame)
{
	u64 *to = (u64 *)guest_bytes(g, frame);
	u64 value = guest_chance(g, 20) ? 0 : guest_below(g, 256);
	u32 i;

	for (i = 0; i < PAGE_SIZE / 8; i++)
		to[i] = value * (i + 1);
}

/* May a guest change this entry, and be compacted over its parent? */
static bool foreseen(const struct compact *c, const struct place *p, bool in_place)
{
	if (p->t.outcome != MMU_MAPPED)
		return true;
	if (p->t.frame >= c->snap->tables->gfn)
		return false;
	return !in_place || hlk_snap_leaves(c->snap, p->t.frame) == 1;
}

/* A page of free scratch, from the allocator's word; 0 if there is none */
static u64 fresh(struct guest *g)
{
	u64 at = TOP - HLK_GUEST_OFF_ALLOC;
	u64 page;

	memcpy(&page, guest_peek(g, at >> 12) + at % 4096, 8);
	if (page % 4096 || page + 4096 > TOP - HLK_GUEST_OFF_ALLOC_END)
		return 0;
	page += 4096;
	memcpy(guest_bytes(g, at >> 12) + at % 4096, &page, 8);
	fill(g, (page - 4096) >> 12);
	return (page - 4096) >> 12;
}

static void map_fresh(struct guest *g, struct place *p)
{
	u64 frame = fresh(g);
	u32 flags = guest_random(g) & 0x77e;

	if (frame)
		put_entry(g, p->t.leaf_at, (u32)frame << 12 | 1 | flags);
}

/* The page, where it is, without a fault: as after CR0.WP was cleared */
static void write_in_place(struct guest *g, const struct compact *c, const struct place *p)
{
	if (p->t.outcome == MMU_MAPPED && guest_is_ram(g, p->t.frame) &&
	    !is_table(c->snap, p->t.frame) && p->t.frame < (TOP - HLK_GUEST_OFF_ALLOC_END) >> 12)
		guest_bytes(g, p->t.frame)[guest_below(g, 4096)] ^= guest_below(g, 256);
}

static void be_hostile(struct guest *g, const struct compact *c, struct place *p)
{
	struct place other;
	u64 frame;

	switch (guest_below(g, 7)) {
	case 0:		/* another directory entry */
		put_entry(g, p->t.pde_at, p->t.pde ^ 1U << guest_below(g, 12));
		break;
	case 1:		/* a page in two places */
		if (somewhere(g, c, &other))
			put_entry(g, other.t.leaf_at, p->t.pte);
		break;
	case 2:		/* a fresh page in two places */
		frame = fresh(g);
		if (!frame || !somewhere(g, c, &other))
			break;
		put_entry(g, p->t.leaf_at, (u32)frame << 12 | 7);
		put_entry(g, other.t.leaf_at, (u32)frame << 12 | 7);
		break;
	case 3:		/* a table as data */
		frame = c->snap->tables->gfn + guest_below(g, c->snap->tables->nr);
		put_entry(g, p->t.leaf_at, (u32)frame << 12 | 3);
		break;
	case 4:		/* anything */
		put_entry(g, p->t.leaf_at, guest_random(g));
		break;
	case 5:		/* a number in a table */
		guest_bytes(g, c->snap->tables->gfn)[guest_below(g, 4096)] = guest_below(g, 256);
		break;
	default:	/* another frame of the snapshot's */
		put_entry(g, p->t.leaf_at, p->t.pte + (guest_below(g, 3) << 12));
		break;
	}
}

/**
 * live() - let a restored guest do things
 * @g: the guest; runs from @c->snap
 * @c: what it was restored from
 * @things: how many
 * @hostile: also such that are not foreseen
 */
void live(struct guest *g, const struct compact *c, u32 things, bool hostile)
{
	struct place p;
	u32 thing;

	while (things--) {
		thing = guest_below(g, hostile ? 12 : 11);
		if (!somewhere(g, c, &p))
			continue;
		if (!hostile && thing > 3 && thing < 9 && thing != 7 &&
		    !foreseen(c, &p, thing == 8))
			continue;
		switch (thing) {
		case 0 ... 3:
			/* what a number in a table means is for the hostile */
			if (p.t.outcome == MMU_MAPPED && !is_table(c->snap, p.t.frame))
				cow_write(g, &p.cpu, p.va, guest_random(g));
			break;
		case 4:
		case 5:
			map_fresh(g, &p);
			break;
		case 6:		/* unmap, with something left in the entry */
			put_entry(g, p.t.leaf_at, p.t.pte & ~1U);
			break;
		case 7:		/* what the CPU sets by itself */
			put_entry(g, p.t.leaf_at, p.t.pte ^ (guest_below(g, 4) << 5));
			put_entry(g, p.t.pde_at,
				  guest_entry(g, p.t.pde_at >> 12, p.t.pde_at % 4096 / 4) ^ 0x20);
			break;
		case 8:		/* rights and other flags */
			put_entry(g, p.t.leaf_at, p.t.pte ^ (guest_below(g, 2048) << 1));
			break;
		case 9:
		case 10:
			write_in_place(g, c, &p);
			break;
		default:
			be_hostile(g, c, &p);
			break;
		}
	}
}
