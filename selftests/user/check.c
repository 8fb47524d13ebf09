// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rules of relocation as a reader of Documentation/design.rst would check
 * them by hand, for every address of every root.
 *
 * Constants of entries are written out as numbers here on purpose: those of
 * kmod/i686pt.h are under test.
 */
#include <linux/hlk_guest.h>

#include "check.h"
#include "tap.h"

#define TOP		0xfee00000ULL	/* where scratch ends */
#define FOUR_GIB	0x100000000ULL
#define SLOT		0x400000U
#define PAGE		4096U

/* What an old frame is to the snapshot */
enum kind {
	KIND_DATA,	/* gets a new frame */
	KIND_TABLE,	/* becomes a new table */
	KIND_FIXED,	/* buffers, stacks, bookkeeping: stays */
	KIND_DEVICE,	/* no memory: stays */
};

/* One address that the guest and the snapshot map */
struct seen {
	u32 root;
	u32 va;
	u64 old_frame;
	u64 new_frame;
	u64 old_leaf;
	u64 new_leaf;
	bool old_writes;
	bool old_cows;
	bool new_writes;
	bool new_cows;
	bool unsure;	/* the guest's own handler could not do it either */
};

/**
 * struct check - one check
 * @c: what is checked
 * @delta: made over a parent: frames keep their places, and leave gaps
 * @new: the snapshot as memory
 * @scratch_gpa: where scratch begins
 * @scratch_va: where it is mapped
 * @tables: first frame of new tables
 * @tables_end: first frame after them
 * @table_copies: old table frame -> how many new tables it became
 * @table_of: new table frame -> what it was made from, see note_table()
 * @table_made: and back, + 1
 * @large_ad: 4 MiB entry -> accessed and dirty bits of all that are like it
 * @data_map: old data frame -> 1 + new frame
 * @data_of: new data frame -> 1 + old frame
 * @devices: addresses of new leaves that lead to devices
 * @old_frames: old frame -> sum of the names of addresses that map it
 * @new_frames: the same for new frames
 * @old_leaves: the same for addresses of leaves
 * @new_leaves: the same for new ones
 * @seen: all addresses mapped
 * @nr_seen: how many
 * @room: how many fit
 * @want: the counts that the snapshot should have
 */
struct check {
	struct compact *c;
	bool delta;
	struct restored new;
	u64 scratch_gpa;
	u64 scratch_va;
	u64 tables;
	u64 tables_end;
	struct xarray table_copies;
	struct xarray table_of;
	struct xarray table_made;
	struct xarray large_ad;
	struct xarray data_map;
	struct xarray data_of;
	struct xarray devices;
	struct xarray old_frames;
	struct xarray new_frames;
	struct xarray old_leaves;
	struct xarray new_leaves;
	struct seen *seen;
	u32 nr_seen;
	u32 room;
	struct hlk_snapshot_counts want;
};

/* Numbers by number; absent is 0 */
static u64 map_get(struct xarray *map, u64 key)
{
	void *entry = xa_load(map, key);

	return entry ? xa_to_value(entry) : 0;
}

static void map_set(struct xarray *map, u64 key, u64 value)
{
	if (xa_is_err(xa_store(map, key, xa_mk_value(value), HLK_GFP)))
		abort();
}

static u64 map_size(struct xarray *map)
{
	unsigned long index;
	void *entry;
	u64 n = 0;

	xa_for_each(map, index, entry)
		n++;
	return n;
}

/* A name of an address that is likely to be no sum of others */
static u64 name_of(u32 root, u32 va)
{
	u64 z = ((u64)root << 20 | va >> 12) * 0x9e3779b97f4a7c15 + 1;

	z = (z ^ z >> 31) * 0xbf58476d1ce4e5b9;
	return (z ^ z >> 29) >> 8;
}

static void sum_add(struct xarray *map, u64 key, u64 name)
{
	map_set(map, key, (map_get(map, key) + name) & ~0ULL >> 8);
}

static struct mmu_cpu old_cpu(const struct compact *c, u32 root)
{
	const struct i686_mode *mode = &c->params.mode;

	return (struct mmu_cpu){ c->params.roots[root], mode->wp, mode->pse,
				 mode->maxphyaddr };
}

static struct mmu_result old_at(const struct check *k, u32 root, u32 va)
{
	struct mmu_cpu cpu = old_cpu(k->c, root);

	return mmu_translate(&k->c->guest->mem, &cpu, va);
}

static struct mmu_result new_at(const struct check *k, u32 root, u32 va)
{
	struct mmu_cpu cpu = old_cpu(k->c, root);

	cpu.cr3 = k->c->snap->roots[root];
	return mmu_translate(&k->new.mem, &cpu, va);
}

static u64 old_pd(const struct check *k, u32 root)
{
	return k->c->params.roots[root] >> 12;
}

/* The index of the first root that has the same directory */
static u32 first_root(const struct check *k, u32 root)
{
	u32 i;

	for (i = 0; old_pd(k, i) != old_pd(k, root); i++)
		;
	return i;
}

static bool is_root(const struct check *k, u64 frame)
{
	u32 i;

	for (i = 0; i < k->c->params.nr_roots; i++)
		if (old_pd(k, i) == frame)
			return true;
	return false;
}

static bool is_table(const struct check *k, u64 frame)
{
	return map_get((struct xarray *)&k->table_copies, frame);
}

static enum kind kind_of(const struct check *k, u64 frame)
{
	if (is_table(k, frame))
		return KIND_TABLE;
	if (frame >= k->scratch_gpa >> 12 && frame < TOP >> 12 &&
	    (frame < k->tables || frame >= (TOP - HLK_GUEST_OFF_ALLOC_END) >> 12))
		return KIND_FIXED;
	return guest_is_ram(k->c->guest, frame) ? KIND_DATA : KIND_DEVICE;
}

/* The slot that scratch shares with other mappings, if there is one */
static bool is_partly(const struct check *k, u32 slot)
{
	return slot == k->scratch_va / SLOT && k->scratch_va % SLOT;
}

static bool all_device(const struct check *k, const struct mmu_result *t)
{
	u64 frame = t->frame & ~1023ULL;
	u32 i;

	for (i = 0; i < 1024; i++)
		if (guest_is_ram(k->c->guest, frame + i))
			return false;
	return true;
}

static bool in_tables(const struct check *k, u64 frame)
{
	return frame >= k->tables && frame < k->tables_end;
}

#define FROM_COPY	(1ULL << 40)
#define FROM_PARTLY	(2ULL << 40)
#define FROM_SPLIT	(3ULL << 40)
#define FROM_SCRATCH	(4ULL << 40)

/* @fresh was made from @source, from nothing else, and nothing else from it. */
static bool note_table(struct check *k, u64 fresh, u64 source, u32 root, u32 slot)
{
	u64 known = map_get(&k->table_of, fresh);
	u64 other = map_get(&k->table_made, source);

	CHECK_MSG(in_tables(k, fresh), "root %u slot %u: table %llx is outside the tables",
		  root, slot, fresh);
	CHECK_MSG(!known || known == source, "root %u slot %u: table %llx was made from %llx and %llx",
		  root, slot, fresh, known, source);
	CHECK_MSG(!other || other == 1 + fresh, "root %u slot %u: %llx became %llx and %llx",
		  root, slot, source, other - 1, fresh);
	map_set(&k->table_of, fresh, source);
	map_set(&k->table_made, source, 1 + fresh);
	return !known;
}

static void note_copy(struct check *k, u64 old, u64 fresh, u64 from, u32 root, u32 slot)
{
	if (note_table(k, fresh, from, root, slot))
		map_set(&k->table_copies, old, map_get(&k->table_copies, old) + 1);
}

static u64 large_key(const struct check *k, u32 pde, u32 slot)
{
	return (u64)is_partly(k, slot) << 32 | (pde & ~0x60U);
}

/* First look at a directory entry: which table became which; @once is for counts */
static void learn_slot(struct check *k, u32 root, u32 slot, bool once)
{
	struct mmu_result old = old_at(k, root, slot * SLOT);
	struct mmu_result new = new_at(k, root, slot * SLOT);
	bool partly = is_partly(k, slot);
	u64 fresh = new.pde >> 12;
	u64 key;

	if (slot * (u64)SLOT >= k->scratch_va) {
		note_table(k, fresh, FROM_SCRATCH | slot, root, slot);
		return;
	}
	switch (old.outcome) {
	case MMU_PDE_ABSENT:
	case MMU_NO_TABLE:
		k->want.table_not_ram += once && old.outcome == MMU_NO_TABLE;
		if (partly)
			note_table(k, fresh, FROM_SCRATCH | slot, root, slot);
		break;
	case MMU_PDE_RESERVED:
	case MMU_NO_DIRECTORY:
		CHECK_MSG(false, "root %u slot %u: accepted", root, slot);
		break;
	default:
		if (!old.large) {
			old.frame = old.pde >> 12;
			key = old.frame | (partly ? FROM_PARTLY | (old.pde & 6ULL) << 36 :
						    FROM_COPY);
			note_copy(k, old.frame, fresh, key, root, slot);
			break;
		}
		if (!partly && all_device(k, &old)) {
			k->want.leaf_not_ram += once;
			break;
		}
		k->want.large += once;
		key = large_key(k, old.pde, slot);
		map_set(&k->large_ad, key, map_get(&k->large_ad, key) | (old.pde & 0x60) |
			1 << 20);
		note_table(k, fresh, FROM_SPLIT | key, root, slot);
		break;
	}
}

static void learn(struct check *k)
{
	struct hlk_snap *snap = k->c->snap;
	u64 next = k->tables;
	bool once;
	u32 root;
	u32 slot;

	for (root = 0; root < k->c->params.nr_roots; root++) {
		if (first_root(k, root) == root)
			CHECK_EQ(snap->roots[root] >> 12, next++);
		else
			CHECK_EQ(snap->roots[root] >> 12,
				 snap->roots[first_root(k, root)] >> 12);
		CHECK_EQ(snap->roots[root] & 0xfff, k->c->params.roots[root] & 0x18);
		note_copy(k, old_pd(k, root), snap->roots[root] >> 12,
			  FROM_COPY | old_pd(k, root), root, 0);
	}
	for (root = 0; root < k->c->params.nr_roots; root++) {
		once = first_root(k, root) == root;
		for (slot = 0; slot < 1024; slot++)
			learn_slot(k, root, slot, once);
	}
}

/* Second look: is the new entry what the rules make of the old one? */
static void check_pde(struct check *k, u32 root, u32 slot)
{
	struct mmu_result old = old_at(k, root, slot * SLOT);
	struct mmu_result new = new_at(k, root, slot * SLOT);
	bool partly = is_partly(k, slot);
	u32 want;

	switch (old.outcome) {
	case MMU_PDE_ABSENT:
		want = partly ? 0x23 | (new.pde & ~0xfffU) : old.pde;
		break;
	case MMU_NO_TABLE:
		want = partly ? 0x23 | (new.pde & ~0xfffU) : old.pde & ~1U;
		break;
	default:
		if (old.large && !partly && all_device(k, &old)) {
			want = old.pde;
			break;
		}
		want = (old.pde & 0xfff) | (new.pde & ~0xfffU);
		if (old.large) {
			/* a leaf that the guest makes writable needs W above it */
			want &= ~0xfd8U;
			want |= old.pde & 0x200 ? 2 : 0;
		}
		want |= partly ? 2 : 0;
		break;
	}
	CHECK_MSG(new.pde == want, "root %u slot %u: entry %x became %x, not %x", root, slot,
		  old.pde, new.pde, want);
}

/* The bits that are never touched */
static void check_attr(struct check *k, const struct mmu_result *old,
		       const struct mmu_result *new, u32 root, u32 va)
{
	struct mmu_attr want = old->attr;
	struct mmu_attr got = new->attr;
	u64 like;

	if (old->large) {
		like = map_get(&k->large_ad, large_key(k, old->pde, va / SLOT));
		if (!new->large) {
			want.accessed = like & 0x20;
			want.dirty = like & 0x40;
		}
	}
	want.ignored &= 6;
	got.ignored &= 6;
	CHECK_MSG(mmu_attr_bits(&want) == mmu_attr_bits(&got),
		  "root %u va %x: attributes changed (pde %x pte %x, now %x %x)", root, va,
		  old->pde, old->pte, new->pde, new->pte);
}

static void check_rights(struct check *k, const struct mmu_result *old,
			 const struct mmu_result *new, enum kind kind, u32 root, u32 va)
{
	bool guest_cow = !(k->c->params.flags & HLK_SNAPSHOT_HOST_COW);
	bool partly = is_partly(k, va / SLOT);
	bool above = old->large || !partly || old->pde & 2;
	bool w = old->leaf_rw && above;
	bool cow = old->attr.ignored & 1 && above;
	bool shared = new->frame >= k->tables_end && new->frame < k->c->snap->first_free >> 12;

	if (kind == KIND_DATA && guest_cow) {
		cow = (w && !shared) || (cow && !w);
		w = w && shared;
	}
	CHECK_MSG(new->leaf_rw == w && (new->attr.ignored & 1) == cow,
		  "root %u va %x: W%d C%d, not W%d C%d (pde %x pte %x, now %x %x)", root, va,
		  new->leaf_rw, new->attr.ignored & 1, w, cow, old->pde, old->pte, new->pde,
		  new->pte);
	CHECK_MSG(old->us == new->us, "root %u va %x: user %d became %d", root, va, old->us,
		  new->us);
	if (!partly)
		CHECK_MSG(old->leaf_us == new->leaf_us, "root %u va %x: U of the leaf", root, va);
	CHECK_MSG(old->rw || !new->rw, "root %u va %x: writable now", root, va);
	CHECK_MSG(!shared || (kind == KIND_DATA && guest_cow), "root %u va %x: in scratch", root,
		  va);
}

static const u8 *base_bytes(const struct hlk_snap *snap, u64 gfn, struct page **page)
{
	u32 i;

	*page = NULL;
	for (i = 0; i < snap->layout.nr; i++) {
		const struct hlk_range *range = &snap->layout.range[i];

		if (gfn < range->gfn || gfn >= range->gfn + range->pages)
			continue;
		*page = hlk_snap_page((struct hlk_snap *)snap, gfn);
		return *page ? (*page)->bytes : (const u8 *)guest_zero;
	}
	return NULL;
}

/* First meeting of a data frame: place, bytes, and whether it cost memory */
static void check_data_page(struct check *k, u64 old, u64 new)
{
	struct hlk_snap *snap = k->c->snap;
	struct guest *guest = k->c->guest;
	struct page *source = xa_load(&guest->pages, old);
	struct page *page;
	const u8 *bytes = base_bytes(snap, new, &page);
	struct page *parents = k->delta ? hlk_snap_page(k->c->params.parent, new) : NULL;
	bool zero = !memcmp(guest_peek(guest, old), guest_zero, PAGE);
	bool merged = k->c->params.flags & HLK_SNAPSHOT_DEDUP;

	if (!CHECK_MSG(bytes, "frame %llx of %llx is in no window", new, old))
		return;
	CHECK_MSG(!memcmp(bytes, guest_peek(guest, old), PAGE), "bytes of frame %llx", old);
	if (source && guest_is_frozen(guest, old)) {
		CHECK_MSG(page == source || merged, "frozen frame %llx was copied", old);
		k->want.inherited++;
	} else if (parents && !memcmp(parents->bytes, guest_peek(guest, old), PAGE)) {
		CHECK_MSG(page == parents || merged, "frame %llx is as before, but copied", old);
		k->want.inherited++;
	} else if (zero) {
		CHECK_MSG(!page, "zero frame %llx costs a page", old);
		k->want.zero++;
	} else {
		CHECK_MSG(page != source, "frame %llx is shared with a running guest", old);
		k->want.copied++;
	}
	if (new >= k->scratch_gpa >> 12 && new < TOP >> 12) {
		CHECK_MSG(new >= k->tables_end && new < snap->first_free >> 12,
			  "frame %llx became %llx in scratch", old, new);
		k->want.aliased++;
	}
}

static void check_frame(struct check *k, enum kind what, const struct mmu_result *old,
			const struct mmu_result *new, u32 root, u32 va)
{
	u64 was = map_get(&k->data_of, new->frame);
	u64 now = map_get(&k->data_map, old->frame);
	u64 from;

	switch (what) {
	case KIND_TABLE:
		from = map_get(&k->table_of, new->frame);
		CHECK_MSG((from & 0xfffff) == old->frame &&
			  (from >> 40 == FROM_COPY >> 40 || from >> 40 == FROM_PARTLY >> 40),
			  "root %u va %x: table %llx is shown as %llx", root, va, old->frame,
			  new->frame);
		return;
	case KIND_DEVICE:
		map_set(&k->devices, new->leaf_at, 1);
		__attribute__((fallthrough));
	case KIND_FIXED:
		CHECK_MSG(old->frame == new->frame, "root %u va %x: %llx became %llx", root, va,
			  old->frame, new->frame);
		return;
	case KIND_DATA:
		break;
	}
	CHECK_MSG(!now || now == 1 + new->frame, "root %u va %x: %llx became %llx and %llx", root,
		  va, old->frame, now - 1, new->frame);
	CHECK_MSG(!was || was == 1 + old->frame, "root %u va %x: %llx stands for %llx and %llx",
		  root, va, new->frame, was - 1, old->frame);
	if (now || was)
		return;
	map_set(&k->data_map, old->frame, 1 + new->frame);
	map_set(&k->data_of, new->frame, 1 + old->frame);
	CHECK_MSG(kind_of(k, new->frame) != KIND_FIXED && !in_tables(k, new->frame),
		  "root %u va %x: data on a fixed page or a table", root, va);
	check_data_page(k, old->frame, new->frame);
}

/* Which addresses would a write through this one change? Collected, then compared. */
static void note_seen(struct check *k, const struct mmu_result *old,
		      const struct mmu_result *new, u32 root, u32 va)
{
	u64 copies = old->large ? 1 : map_get(&k->table_copies, old->pde >> 12);
	struct seen *s;

	if (k->nr_seen == k->room) {
		k->room = k->room ? 2 * k->room : 4096;
		k->seen = realloc(k->seen, k->room * sizeof(*s));
	}
	s = &k->seen[k->nr_seen++];
	s->root = root;
	s->va = va;
	s->old_frame = old->frame;
	s->new_frame = new->frame;
	s->old_leaf = old->leaf_at;
	s->new_leaf = new->leaf_at;
	s->old_writes = old->rw;
	s->new_writes = new->rw;
	s->old_cows = old->attr.ignored & 1 && !old->leaf_rw && (old->large || old->pde & 2);
	s->new_cows = new->attr.ignored & 1 && !new->leaf_rw && (new->large || new->pde & 2);
	/*
	 * A 4 MiB page that is copy-on-write is nothing that a handler splits,
	 * and one entry that became two can be copied only once.
	 */
	s->unsure = s->old_cows && (old->large || copies > 1);
	sum_add(&k->old_frames, old->frame, name_of(root, va));
	sum_add(&k->new_frames, new->frame, name_of(root, va));
	sum_add(&k->old_leaves, old->leaf_at, name_of(root, va));
	sum_add(&k->new_leaves, new->leaf_at, name_of(root, va));
}

static void check_seen(struct check *k)
{
	struct seen *s;
	u64 old;
	u64 new;
	u32 i;

	for (i = 0; i < k->nr_seen && !tap_failed(); i++) {
		s = &k->seen[i];
		CHECK_MSG((s->old_writes || s->old_cows) == (s->new_writes || s->new_cows),
			  "root %u va %x: could %sbe written", s->root, s->va,
			  s->old_writes || s->old_cows ? "" : "not ");
		if (s->unsure || !(s->old_writes || s->old_cows))
			continue;
		old = s->old_writes ? map_get(&k->old_frames, s->old_frame) :
				      map_get(&k->old_leaves, s->old_leaf);
		new = s->new_writes ? map_get(&k->new_frames, s->new_frame) :
				      map_get(&k->new_leaves, s->new_leaf);
		CHECK_MSG(old == new, "root %u va %x: a write is seen elsewhere than before",
			  s->root, s->va);
	}
}

static void check_va(struct check *k, u32 root, u32 va)
{
	struct mmu_result old = old_at(k, root, va);
	struct mmu_result new = new_at(k, root, va);
	enum kind kind;

	if (old.outcome == MMU_PTE_ABSENT && new.outcome == MMU_PTE_ABSENT)
		CHECK_MSG(old.pte == new.pte, "root %u va %x: absent entry %x became %x", root, va,
			  old.pte, new.pte);
	CHECK_MSG((old.outcome == MMU_MAPPED) == (new.outcome == MMU_MAPPED),
		  "root %u va %x: outcome %d became %d", root, va, old.outcome, new.outcome);
	if (old.outcome != MMU_MAPPED || new.outcome != MMU_MAPPED)
		return;
	kind = kind_of(k, old.frame);
	check_frame(k, kind, &old, &new, root, va);
	check_attr(k, &old, &new, root, va);
	check_rights(k, &old, &new, kind, root, va);
	if (kind != KIND_TABLE)
		note_seen(k, &old, &new, root, va);
}

/*
 * An entry of a directory, as a leaf: user code reaches by it what it reached before,
 * and may do no more with it. What the guest's kernel sees there may be a new table.
 */
static void check_as_table(struct check *k, u32 root, u32 va)
{
	struct mmu_result old = old_at(k, root, va);
	struct mmu_result new = new_at(k, root, va);

	if (new.outcome != MMU_MAPPED || !new.us)
		return;
	CHECK_MSG(old.outcome == MMU_MAPPED && old.us && (old.rw || !new.rw),
		  "root %u va %x: rights widened for %x, now %x", root, va, old.pte, new.pte);
	CHECK_MSG(is_table(k, old.frame) ? in_tables(k, new.frame) :
		  old.frame == new.frame && kind_of(k, old.frame) == KIND_DEVICE,
		  "root %u va %x: user code sees %x, and saw %x", root, va, new.pte, old.pte);
}

static void check_slot(struct check *k, u32 root, u32 slot)
{
	struct mmu_result old = old_at(k, root, slot * SLOT);
	u64 va = slot * (u64)SLOT;
	u64 end = va + SLOT < k->scratch_va ? va + SLOT : k->scratch_va;

	check_pde(k, root, slot);
	if (old.outcome == MMU_PDE_ABSENT || old.outcome == MMU_NO_TABLE) {
		for (; va < end && is_partly(k, slot); va += PAGE)
			CHECK_EQ(new_at(k, root, va).outcome, MMU_PTE_ABSENT);
		return;
	}
	/* A directory as a table shows the new directory, checked as one. */
	if (!old.large && !is_partly(k, slot) && is_root(k, old.pde >> 12)) {
		for (; va < end && !tap_failed(); va += PAGE)
			check_as_table(k, root, va);
		return;
	}
	if (old.large && !is_partly(k, slot) && all_device(k, &old))
		return;
	for (; va < end && !tap_failed(); va += PAGE)
		check_va(k, root, va);
}

static void check_scratch(struct check *k, u32 root)
{
	struct mmu_result t;
	u64 gpa;

	for (gpa = k->scratch_gpa; gpa < TOP && !tap_failed(); gpa += PAGE) {
		t = new_at(k, root, gpa + HLK_GUEST_SCRATCH_DELTA);
		if (gpa == TOP - HLK_GUEST_OFF_GUARD) {
			CHECK_MSG(t.outcome == MMU_PTE_ABSENT && !t.pte,
				  "root %u: the guard page is mapped", root);
			continue;
		}
		CHECK_MSG(t.outcome == MMU_MAPPED && t.pte == (gpa | 0x63) && t.rw && !t.us,
			  "root %u: scratch page %llx is %x, %x", root, gpa, t.pde, t.pte);
		/* what the CPU sets by itself may have changed since the parent */
		if (!is_partly(k, (gpa + HLK_GUEST_SCRATCH_DELTA) / SLOT))
			CHECK_MSG((t.pde & (k->delta ? 0xf9f : 0xfff)) == (k->delta ? 0x03 : 0x23), "root %u: entry %x over scratch", root,
				  t.pde);
	}
}

static u64 word_at(const struct check *k, u64 gpa)
{
	u64 word;

	memcpy(&word, k->new.mem.page(&k->new.mem, gpa / PAGE) + gpa % PAGE, 8);
	return word;
}

static u64 want_word(const struct check *k, u64 gpa)
{
	const struct hlk_snap *snap = k->c->snap;
	u64 published = snap->nr_roots <= HLK_GUEST_MAX_ROOTS ? snap->nr_roots : 0;
	u64 nr = (gpa - (TOP - 0x2000)) / 8;

	if (gpa == k->scratch_gpa || gpa == k->scratch_gpa + snap->input_bytes)
		return 8;
	if (gpa == TOP - 0x08)
		return TOP - k->scratch_gpa;
	if (gpa == TOP - 0x10)
		return snap->first_free;
	if (gpa == TOP - 0x18)
		return k->tables * PAGE;
	if (gpa == TOP - 0x20)
		return k->c->generation;
	if (gpa == TOP - 0x2000)
		return published;
	if (gpa > TOP - 0x2000 && nr <= published)
		return snap->roots[nr - 1];
	return 0;
}

/* Everything in scratch that is neither a table nor a shared page */
static void check_bookkeeping(struct check *k)
{
	u64 gpa = k->scratch_gpa;
	struct page *page;

	CHECK_EQ(k->c->snap->first_free, k->tables_end * PAGE + k->want.aliased * PAGE);
	CHECK(k->c->snap->first_free <= TOP - HLK_GUEST_OFF_ALLOC_END);
	while (gpa < TOP && !tap_failed()) {
		if (gpa == k->tables * PAGE)
			gpa = k->c->snap->first_free;
		base_bytes(k->c->snap, gpa / PAGE, &page);
		if (!page && gpa % PAGE == 0 && !want_word(k, gpa) &&
		    gpa < TOP - 0x2000) {
			gpa += PAGE;
			continue;
		}
		CHECK_MSG(word_at(k, gpa) == want_word(k, gpa), "word %llx is %llx, not %llx", gpa,
			  word_at(k, gpa), want_word(k, gpa));
		gpa += 8;
	}
}

/* Frames that a later snapshot may not give to another page */
static bool is_used(const struct hlk_snap *snap, u64 frame)
{
	const struct hlk_layout *layout = &snap->layout;
	u32 i;

	for (i = 0; i <= snap->dense && i < layout->nr; i++)
		if (frame - layout->range[i].gfn <
		    (i < snap->dense ? layout->range[i].pages : snap->dense_used))
			return true;
	return frame < snap->first_free / PAGE && frame >= snap->tables->gfn;
}

/* Data is dense: the first frames of the windows, in order, without a gap */
static void check_dense(struct check *k)
{
	const struct hlk_layout *layout = &k->c->snap->layout;
	unsigned long frame;
	void *entry;
	u64 left = map_size(&k->data_of) - k->want.aliased;
	u64 n;
	u32 i;

	xa_for_each(&k->data_of, frame, entry)
		CHECK_MSG(is_used(k->c->snap, frame), "frame %lx may be given out again", frame);
	if (k->delta)
		return;
	for (i = 0; i < layout->nr && left; i++) {
		if (layout->range[i].flags & HLK_WINDOW_SCRATCH)
			continue;
		for (n = 0; n < layout->range[i].pages && left; n++, left--)
			if (!CHECK_MSG(map_get(&k->data_of, layout->range[i].gfn + n),
				       "frame %llx was left out", layout->range[i].gfn + n))
				return;
	}
	CHECK_EQ(left, 0);
}

/* Each page of the snapshot is there for a reason. */
static void check_pages(struct check *k)
{
	const struct hlk_snap *snap = k->c->snap;
	u64 total = 0;
	u64 index = 0;
	u32 nr = 0;
	u64 gfn;

	for (; hlk_snap_next((struct hlk_snap *)snap, &nr, &index); index++) {
		gfn = snap->layout.range[nr].gfn + index;
		total += !in_tables(k, gfn);
		CHECK_MSG(in_tables(k, gfn) || map_get(&k->data_of, gfn) ||
			  gfn == TOP / PAGE - 1 || gfn == TOP / PAGE - 2 ||
			  gfn == k->scratch_gpa / PAGE ||
			  gfn == (k->scratch_gpa + snap->input_bytes) / PAGE,
			  "frame %llx has a page that nobody wants", gfn);
	}
	CHECK_EQ(snap->counts.pages, total);
	CHECK_EQ(snap->nr_pages, total + snap->counts.tables);
}

/* What a child will go by: how many leaves map each frame */
static void check_leaves(struct check *k)
{
	struct hlk_snap *snap = k->c->snap;
	struct xarray leaves;
	struct xarray counts;
	unsigned long frame;
	void *entry;
	u64 n;
	u32 i;

	xa_init(&leaves);
	xa_init(&counts);
	for (i = 0; i < k->nr_seen; i++) {
		frame = k->seen[i].new_frame;
		if (!map_get(&k->data_of, frame) || map_get(&leaves, k->seen[i].new_leaf))
			continue;
		map_set(&leaves, k->seen[i].new_leaf, 1);
		map_set(&counts, frame, map_get(&counts, frame) + 1);
	}
	xa_for_each(&counts, frame, entry) {
		n = xa_to_value(entry);
		CHECK_MSG(hlk_snap_leaves(snap, frame) == (n < U16_MAX ? n : U16_MAX),
			  "frame %lx has %llu leaves, not %u", frame, n,
			  hlk_snap_leaves(snap, frame));
	}
	for (frame = k->scratch_gpa / PAGE; frame < TOP / PAGE; frame++)
		if (!map_get(&counts, frame))
			CHECK_EQ(hlk_snap_leaves(snap, frame), 0);
	xa_destroy(&leaves);
	xa_destroy(&counts);
}

/* Tables that the guest wrote to */
static u64 tables_written(const struct check *k)
{
	u64 n = 0;
	u64 frame;

	for (frame = k->tables; frame < k->tables_end; frame++)
		n += !!map_get(&k->c->guest->written, frame);
	return n;
}

static void check_counts(struct check *k)
{
	struct hlk_snapshot_counts *want = &k->want;
	const struct hlk_snapshot_counts *got = &k->c->snap->counts;

	want->leaf_not_ram += map_size(&k->devices);
	want->tables_read = map_size(&k->table_copies);
	want->tables = map_size(&k->table_of);
	if (k->delta) {
		want->tables_read = tables_written(k);
		want->tables_kept = want->tables - want->tables_read;
	}
	CHECK_EQ(got->tables, want->tables);
	CHECK_EQ(got->tables_kept, want->tables_kept);
	CHECK_EQ(got->tables_read, want->tables_read);
	CHECK_EQ(got->copied, want->copied);
	CHECK_EQ(got->inherited, want->inherited);
	CHECK_EQ(got->zero, want->zero);
	CHECK_EQ(got->aliased, want->aliased);
	CHECK_EQ(got->large, want->large);
	CHECK_EQ(got->leaf_not_ram, want->leaf_not_ram);
	CHECK_EQ(got->table_not_ram, want->table_not_ram);
	if (k->c->params.flags & HLK_SNAPSHOT_STRICT)
		CHECK_EQ(want->leaf_not_ram + want->table_not_ram, 0);
}

/* Pages in scratch cost the guest room: only those that several leaves map */
static void check_shared(struct check *k)
{
	struct xarray leaf_of;
	struct xarray several;
	u64 frame;
	u32 i;

	xa_init(&leaf_of);
	xa_init(&several);
	for (i = 0; i < k->nr_seen; i++) {
		u64 leaf = map_get(&leaf_of, k->seen[i].new_frame);

		if (leaf && leaf != k->seen[i].new_leaf)
			map_set(&several, k->seen[i].new_frame, 1);
		map_set(&leaf_of, k->seen[i].new_frame, k->seen[i].new_leaf);
	}
	for (frame = k->tables_end; frame < k->c->snap->first_free / PAGE; frame++)
		CHECK_MSG(map_get(&several, frame), "frame %llx in scratch has one leaf", frame);
	xa_destroy(&leaf_of);
	xa_destroy(&several);
}

static void check_cr3(const struct check *k)
{
	const struct hlk_snap_params *p = &k->c->params;
	const struct hlk_snap *snap = k->c->snap;
	u32 i;

	for (i = 0; i < p->nr_roots; i++)
		CHECK_EQ(hlk_snap_cr3(snap, p->roots, (p->roots[i] & ~0xfffULL) | 0x18),
			 (snap->roots[i] & ~0xfffULL) | 0x18);
	CHECK_EQ(hlk_snap_cr3(snap, p->roots, 0x5555000), snap->roots[0] & ~0xfffULL);
}

static void check_writes(struct check *k)
{
	struct cow_target *targets;
	u32 i;

	if (!k->c->writes || !k->nr_seen || tap_failed())
		return;
	targets = calloc(k->nr_seen, sizeof(*targets));
	for (i = 0; i < k->nr_seen; i++)
		targets[i] = (struct cow_target){ k->seen[i].root, k->seen[i].va };
	cow_check(k->c, targets, k->nr_seen, k->c->writes);
	free(targets);
}

static void check_free(struct check *k)
{
	xa_destroy(&k->table_copies);
	xa_destroy(&k->table_of);
	xa_destroy(&k->table_made);
	xa_destroy(&k->large_ad);
	xa_destroy(&k->data_map);
	xa_destroy(&k->data_of);
	xa_destroy(&k->devices);
	xa_destroy(&k->old_frames);
	xa_destroy(&k->new_frames);
	xa_destroy(&k->old_leaves);
	xa_destroy(&k->new_leaves);
	free(k->seen);
}

static const __u8 *restored_page(const struct physmem *mem, __u64 frame)
{
	struct restored *r = (void *)((char *)mem - offsetof(struct restored, mem));
	u32 slot = frame % RESTORED_KNOWN;
	struct page *page;

	if (r->known[slot] != frame + 1) {
		r->known[slot] = frame + 1;
		r->bytes[slot] = base_bytes(r->snap, frame, &page);
	}
	return r->bytes[slot];
}

void restored_init(struct restored *r, const struct hlk_snap *snap)
{
	memset(r->known, 0, sizeof(r->known));
	r->mem.page = restored_page;
	r->snap = snap;
}

static void check_init(struct check *k, struct compact *c)
{
	const struct hlk_layout *layout = &c->snap->layout;
	u32 i;

	memset(k, 0, sizeof(*k));
	k->c = c;
	k->delta = compact_is_delta(c);
	restored_init(&k->new, c->snap);
	for (i = 0; i < layout->nr; i++)
		if (layout->range[i].flags & HLK_WINDOW_SCRATCH)
			k->scratch_gpa = layout->range[i].gfn * PAGE;
	k->scratch_va = FOUR_GIB - (TOP - k->scratch_gpa);
	k->tables = (k->scratch_gpa + c->params.input_bytes + c->params.output_bytes) / PAGE;
	k->tables_end = k->tables + c->snap->counts.tables;
}

/* Was it made over its parent? */
bool compact_is_delta(const struct compact *c)
{
	return c->params.parent && c->snap->tables == c->params.parent->tables;
}

/**
 * compact_check() - check what compact_make() gave
 * @c: what was asked and made
 * @err: what compact_make() returned
 */
void compact_check(struct compact *c, int err)
{
	struct check k;
	u32 root;
	u32 slot;

	if (err) {
		compact_check_failure(c, err);
		return;
	}
	check_init(&k, c);
	CHECK_EQ(c->snap->nr_roots, c->params.nr_roots);
	CHECK_EQ(c->snap->input_bytes, c->params.input_bytes);
	CHECK_EQ(c->snap->output_bytes, c->params.output_bytes);
	learn(&k);
	for (root = 0; root < c->params.nr_roots; root++)
		for (slot = 0; slot * (u64)SLOT < k.scratch_va && !tap_failed(); slot++)
			check_slot(&k, root, slot);
	for (root = 0; root < c->params.nr_roots && !tap_failed(); root++)
		check_scratch(&k, root);
	if (!tap_failed()) {
		check_seen(&k);
		check_shared(&k);
		check_bookkeeping(&k);
		check_dense(&k);
		check_pages(&k);
		check_leaves(&k);
		check_counts(&k);
		check_cr3(&k);
		check_writes(&k);
	}
	check_free(&k);
}
