// SPDX-License-Identifier: GPL-2.0-only
/*
 * What marking copy-on-write should do, address by address, by the software MMU
 * and the words of linux/hlk.h; constants of entries are numbers on purpose.
 */
#include "marking.h"
#include "tap.h"

/* Frames and entries by number */
struct set {
	struct xarray has;
	u64 n;
};

static bool set_add(struct set *s, u64 what)
{
	if (xa_load(&s->has, what))
		return false;
	if (xa_is_err(xa_store(&s->has, what, xa_mk_value(1), HLK_GFP)))
		abort();
	s->n++;
	return true;
}

static bool set_has(struct set *s, u64 first, u64 n)
{
	while (n--)
		if (xa_load(&s->has, first++))
			return true;
	return false;
}

/**
 * struct oracle - what is to become of a guest
 * @m: what was asked
 * @dirs: frames that are directories
 * @tables: frames that are tables or directories
 * @entries: addresses of entries that were judged
 * @marked: addresses of entries to be marked
 * @reserved: an entry with reserved bits was met
 * @want: the counts
 */
struct oracle {
	struct marking *m;
	struct set dirs;
	struct set tables;
	struct set entries;
	struct set marked;
	bool reserved;
	struct hlk_mark_cow want;
};

static struct mmu_result look(const struct oracle *o, u32 root, u32 va)
{
	const struct i686_mode *mode = &o->m->mode;
	struct mmu_cpu cpu = { o->m->roots[root], mode->wp, mode->pse, mode->maxphyaddr };

	return mmu_translate(&o->m->guest->mem, &cpu, va);
}

static bool all_ram(const struct guest *g, u64 first, u64 n)
{
	while (n--)
		if (!guest_is_ram(g, first++))
			return false;
	return true;
}

static void judge(struct oracle *o, const struct mmu_result *t)
{
	u64 first = t->large ? t->frame & ~1023ULL : t->frame;
	u64 n = t->large ? 1024 : 1;

	if (!set_add(&o->entries, t->leaf_at))
		return;
	if (!t->leaf_rw) {
		o->want.already += t->attr.ignored & 1;
		o->want.read_only += !(t->attr.ignored & 1);
	} else if (!all_ram(o->m->guest, first, n)) {
		o->want.not_ram++;
	} else if (set_has(&o->tables, first, n)) {
		o->want.live++;
	} else {
		o->want.marked++;
		set_add(&o->marked, t->leaf_at);
	}
}

static void foresee(struct oracle *o)
{
	struct mmu_result t;
	u32 root;
	u64 va;

	for (root = 0; root < o->m->nr_roots; root++) {
		set_add(&o->dirs, o->m->roots[root] >> 12);
		set_add(&o->tables, o->m->roots[root] >> 12);
	}
	for (root = 0; root < o->m->nr_roots; root++) {
		for (va = 0; va < 1ULL << 32; va += 1 << 22) {
			t = look(o, root, va);
			o->reserved |= t.outcome == MMU_PDE_RESERVED;
			if (t.outcome == MMU_PTE_ABSENT ||
			    (t.outcome == MMU_MAPPED && !t.large))
				set_add(&o->tables, t.pde >> 12);
		}
	}
	for (root = 0; root < o->m->nr_roots; root++) {
		for (va = o->m->start; va < o->m->end; va += 4096) {
			t = look(o, root, va);
			if (t.outcome == MMU_PDE_ABSENT || t.outcome == MMU_NO_TABLE) {
				va |= 0x3ff000;
				continue;
			}
			/* an entry of a directory is no leaf, whoever takes it for one */
			if (t.outcome == MMU_MAPPED &&
			    (t.large || !set_has(&o->dirs, t.leaf_at >> 12, 1)))
				judge(o, &t);
		}
	}
	o->want.tables = o->tables.n;
}

/* All of memory: entries to be marked, and nothing else, have changed. */
static void compare(struct oracle *o, const struct guest *before, bool marked)
{
	struct guest *g = o->m->guest;
	unsigned long gfn;
	struct page *page;
	u32 was;
	u32 is;
	u32 nr;

	xa_for_each(&g->pages, gfn, page) {
		if (!memcmp(page->bytes, guest_peek(before, gfn), PAGE_SIZE) &&
		    !marked)
			continue;
		for (nr = 0; nr < 1024; nr++) {
			was = guest_entry(before, gfn, nr);
			is = guest_entry(g, gfn, nr);
			if (marked && xa_load(&o->marked.has, (u64)gfn << 12 | nr << 2))
				was = (was & ~2U) | 0x200;
			if (!CHECK_MSG(was == is, "frame %lx entry %u is %x, not %x", gfn,
				       nr, is, was))
				return;
		}
	}
}

static void copy_guest(struct guest *to, const struct guest *from)
{
	unsigned long gfn;
	struct page *page;
	u32 i;

	guest_init(to);
	for (i = 0; i < from->nr_ram; i++)
		guest_ram(to, from->ram[i].first, from->ram[i].pages);
	xa_for_each((struct xarray *)&from->pages, gfn, page)
		memcpy(guest_bytes(to, gfn), page->bytes, PAGE_SIZE);
}

/**
 * marking_go() - mark, without a look at the result
 * @m: what to mark
 *
 * Return: what pt_mark() returned
 */
int marking_go(struct marking *m)
{
	struct pt_mark mark = {
		.gmem = &m->guest->gmem,
		.mode = guest_mode(&m->mode),
		.roots = m->roots,
		.nr_roots = m->nr_roots,
		.start = m->start,
		.end = m->end,
		.max_tables = m->max_tables,
		.out = &m->out,
	};

	memset(&m->out, 0, sizeof(m->out));
	memset(&m->at, 0, sizeof(m->at));
	return pt_mark(&mark, &m->at);
}

/**
 * marking_check() - mark, and check each word of the guest and each count
 * @m: what to mark
 *
 * Return: what pt_mark() returned
 */
int marking_check(struct marking *m)
{
	struct oracle o = { .m = m };
	struct guest before;
	int err;

	copy_guest(&before, m->guest);
	foresee(&o);
	err = marking_go(m);
	compare(&o, &before, !err);
	if (!err) {
		CHECK(!o.reserved);
		CHECK_EQ(m->out.marked, o.want.marked);
		CHECK_EQ(m->out.already, o.want.already);
		CHECK_EQ(m->out.read_only, o.want.read_only);
		CHECK_EQ(m->out.live, o.want.live);
		CHECK_EQ(m->out.not_ram, o.want.not_ram);
		CHECK_EQ(m->out.tables, o.want.tables);
	} else if (err == -EINVAL) {
		CHECK(o.reserved);
		CHECK_EQ(m->at.why, HLK_WHY_PDE_RESERVED);
		CHECK_EQ(look(&o, m->at.index, m->at.where).outcome, MMU_PDE_RESERVED);
	} else if (err == -EDQUOT && m->at.why == HLK_WHY_TOO_MANY_TABLES) {
		CHECK(o.tables.n > m->max_tables);
	}
	CHECK_EQ(m->guest->held, 0);
	xa_destroy(&o.dirs.has);
	xa_destroy(&o.tables.has);
	xa_destroy(&o.entries.has);
	xa_destroy(&o.marked.has);
	guest_exit(&before);
	return err;
}
