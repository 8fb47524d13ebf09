// SPDX-License-Identifier: GPL-2.0-only
#include "mazed.h"
#include "tap.h"
#include "walking.h"

static u32 mazed_rnd(struct maze *maze, u32 limit)
{
	return guest_below(&container_of(maze, struct mazed, maze)->g, limit);
}

u64 mazed_entry(struct mazed *m, u64 frame, u32 nr)
{
	u64 entry;

	memcpy(&entry, guest_peek(&m->g, frame) + 8 * nr, 8);
	return entry;
}

void mazed_set(struct mazed *m, u64 frame, u32 nr, u64 entry)
{
	memcpy(guest_bytes(&m->g, frame) + 8 * nr, &entry, 8);
}

static void maze_set(struct maze *maze, __u64 frame, unsigned int nr, __u64 entry)
{
	mazed_set(container_of(maze, struct mazed, maze), frame, nr, entry);
}

static const __u8 *mazed_page(const struct sdm_memory *mem, __u64 frame)
{
	const struct mazed *m =
		(const void *)((const char *)mem - offsetof(struct mazed, mem));

	return guest_is_ram(&m->g, frame) ? guest_peek(&m->g, frame) : NULL;
}

void mazed_mode(struct mazed *m)
{
	const struct sdm_cpu *c = &m->cpu;
	struct hlk_why_at at = {};

	m->paging = (struct hlk_paging){
		.flags = HLK_PAGING_GIVEN | HLK_PAGING_PAE | (c->wp ? HLK_PAGING_WP : 0) |
			 (c->paging != SDM_PAE ? HLK_PAGING_LONG : 0) |
			 (c->paging == SDM_5LEVEL ? HLK_PAGING_LA57 : 0) |
			 (c->nxe ? HLK_PAGING_NXE : 0) | (c->smep ? HLK_PAGING_SMEP : 0) |
			 (c->smap ? HLK_PAGING_SMAP : 0) | (c->pke ? HLK_PAGING_PKE : 0) |
			 (c->pks ? HLK_PAGING_PKS : 0) | (c->no_1g ? HLK_PAGING_NO_1G : 0) |
			 (c->amd ? HLK_PAGING_AMD : 0) | (c->loaded ? HLK_PAGING_PDPTRS : 0),
		.maxphyaddr = c->maxphyaddr,
		.pkru = c->pkru,
		.pkrs = c->pkrs,
	};
	memcpy(m->paging.pdpte, c->pdptr, sizeof(m->paging.pdpte));
	CHECK_EQ(pt_mode_init(&m->mode, &m->paging, &at), 0);
}

void mazed_init(struct mazed *m, enum sdm_paging paging, u64 seed, const u8 *feed,
		size_t bytes, bool reserved)
{
	u32 i;

	memset(m, 0, sizeof(*m));
	guest_init(&m->g);
	m->g.seed = seed;
	m->g.feed = feed;
	m->g.feed_left = bytes;
	/* holes, and ends that large pages lie over */
	guest_ram(&m->g, 0, 0x180);
	guest_ram(&m->g, 0x190, 0x270);
	guest_ram(&m->g, 0x3ff00, 0x250);
	m->mem.page = mazed_page;
	m->cpu = (struct sdm_cpu){
		.paging = paging,
		.wp = guest_chance(&m->g, 60),
		.smep = guest_chance(&m->g, 50),
		.smap = guest_chance(&m->g, 50),
		.pke = guest_chance(&m->g, 60),
		.pks = guest_chance(&m->g, 60),
		.nxe = !reserved || guest_chance(&m->g, 70),
		.no_1g = reserved && guest_chance(&m->g, 25),
		.amd = guest_chance(&m->g, 50),
		.maxphyaddr = 32 + guest_below(&m->g, 21),
		.pkru = guest_random(&m->g),
		.pkrs = guest_random(&m->g),
	};
	m->maze = (struct maze){
		.paging = paging,
		.rnd = mazed_rnd,
		.set = maze_set,
		.first = MAZED_FIRST,
		.frames = 0x400,
		.frame_bits = m->cpu.maxphyaddr - 12,
		.reserved = reserved,
	};
	maze_make(&m->maze);
	for (i = 0; i < MAZE_ROOTS; i++) {
		m->roots[i] = maze_cr3(&m->maze, i);
		if (paging != SDM_PAE)
			m->roots[i] |= guest_below(&m->g, 4096) |
				       (u64)guest_below(&m->g, 8) << 61;
		else
			m->roots[i] |= guest_below(&m->g, 32);
	}
	mazed_mode(m);
}

void mazed_exit(struct mazed *m)
{
	guest_exit(&m->g);
}

/* What linux/hlk.h says that these bits allow */
static bool map_allows(u32 map, bool wp, enum sdm_access access, bool by_user, bool ac)
{
	if (by_user && !(map & HLK_MAP_USER))
		return false;
	if (access == SDM_FETCH)
		return !(map & (by_user ? HLK_MAP_NX : HLK_MAP_NX | HLK_MAP_SUPER_NX));
	if (map & HLK_MAP_KEY_NO_ACCESS)
		return false;
	if (!by_user && map & HLK_MAP_SUPER_AC && !ac)
		return false;
	if (access == SDM_READ)
		return true;
	if (map & HLK_MAP_KEY_NO_WRITE && (by_user || wp))
		return false;
	return map & (by_user ? HLK_MAP_WRITE : HLK_MAP_WRITE | HLK_MAP_SUPER_WRITE);
}

static void check_rights(const struct mazed *m, const struct sdm_result *t, u32 map)
{
	u32 i;

	for (i = 0; i < 12; i++)
		CHECK_MSG(map_allows(map, m->cpu.wp, i % 3, i & 4, i >= 8) ==
			  sdm_may(&m->cpu, t, i % 3, i & 4, i >= 8),
			  "access %u user %u ac %u: map %x", i % 3, !!(i & 4), i >= 8, map);
}

/* HLK_MAP_* bits by the words of linux/hlk.h */
static u32 map_of(const struct mazed *m, const struct sdm_result *t)
{
	u32 keys = t->user ? m->cpu.pkru : m->cpu.pkrs;
	u32 map = 0;

	map |= t->writable ? HLK_MAP_WRITE : m->cpu.wp ? 0 : HLK_MAP_SUPER_WRITE;
	map |= t->no_execute ? HLK_MAP_NX : 0;
	if (t->user)
		map |= HLK_MAP_USER | (m->cpu.smep ? HLK_MAP_SUPER_NX : 0) |
		       (m->cpu.smap ? HLK_MAP_SUPER_AC : 0);
	if (t->outcome != SDM_MAPPED)
		return map;
	map |= t->attributes & 0x200 ? HLK_MAP_COW : 0;
	map |= t->page_bytes > 4096 ? HLK_MAP_LARGE : 0;
	if (m->cpu.paging != SDM_PAE && (t->user ? m->cpu.pke : m->cpu.pks))
		map |= (keys >> 2 * t->key & 1 ? HLK_MAP_KEY_NO_ACCESS : 0) |
		       (keys >> 2 * t->key & 2 ? HLK_MAP_KEY_NO_WRITE : 0);
	if (!guest_is_ram(&m->g, t->physical >> 12))
		map |= HLK_MAP_NOT_RAM;
	return map;
}

static struct sdm_result look(struct mazed *m, u32 root, u64 va)
{
	m->cpu.cr3 = m->roots[root];
	return sdm_translate(&m->mem, &m->cpu, va);
}

void mazed_translate(struct mazed *m, u32 root, u64 va)
{
	static const u32 formats[] = { HLK_FORMAT_PAE, HLK_FORMAT_4LEVEL, HLK_FORMAT_5LEVEL };
	struct sdm_result t = look(m, root, va);
	struct hlk_translate out;
	struct hlk_why_at at = {};
	u32 i;
	int ret;

	memset(&out, 0xee, sizeof(out));
	ret = pt_translate(&m->g.gmem, &m->mode, m->roots[root], va, &out, &at);
	CHECK_EQ(out.format, formats[m->cpu.paging]);
	for (i = 0; i < HLK_PAGING_LEVELS; i++)
		CHECK_EQ(out.entry[i], t.entry[i + 1]);
	switch (t.outcome) {
	case SDM_MAPPED:
		CHECK_EQ(ret, 0);
		CHECK_EQ(out.gpa, t.physical);
		CHECK_EQ(1ULL << out.page_shift, t.page_bytes);
		CHECK_EQ(out.map, map_of(m, &t));
		check_rights(m, &t, out.map);
		return;
	case SDM_NOT_CANONICAL:
		CHECK_EQ(ret, -EINVAL);
		CHECK_EQ(at.why, HLK_WHY_GPA_RANGE);
		CHECK_EQ(at.where, va);
		break;
	case SDM_NO_MEMORY:
		CHECK_EQ(ret, -ENODEV);
		CHECK_EQ(at.why, HLK_WHY_NOT_RAM);
		/* PAE's highest is 32 bytes, others are pages */
		if (m->cpu.paging == SDM_PAE && t.level == SDM_PDPT)
			CHECK_EQ(at.where, t.entry_at[t.level] & ~31ULL);
		else
			CHECK_EQ(at.where, t.entry_at[t.level] & ~4095ULL);
		break;
	case SDM_NOT_PRESENT:
		CHECK_EQ(ret, -ENXIO);
		CHECK_EQ(at.why, HLK_WHY_NOT_PRESENT);
		CHECK_EQ(at.where, t.entry_at[t.level]);
		break;
	case SDM_RESERVED:
		CHECK_EQ(ret, -EINVAL);
		CHECK_EQ(at.why, HLK_WHY_PDE_RESERVED);
		CHECK_EQ(at.where, va);
		break;
	}
	CHECK_EQ(out.gpa, 0);
	CHECK_EQ(out.map, 0);
}

/* ---- walks ---- */

/**
 * struct oracle - what a walk is to report
 * @m: the guest
 * @list: runs
 * @root: the root that is gone through
 * @start: linear
 * @end: linear
 * @owner: of tables by level and frame: 1 + (root << 45 | page)
 * @tables: how many
 */
struct oracle {
	struct mazed *m;
	struct list list;
	u32 root;
	u64 start;
	u64 end;
	struct xarray owner[6];
	u64 tables;
};

static void oracle_add(struct oracle *o, struct hlk_mapping m, u64 bytes)
{
	struct hlk_mapping *last = o->list.nr ? &o->list.at[o->list.nr - 1] : NULL;
	u64 end = m.va + bytes;
	u64 cut = 0;

	if (m.va < o->start) {
		cut = o->start - m.va;
		m.va += cut;
	}
	if (end > o->end)
		end = o->end;
	m.pages = (end - m.va) / 4096;
	if (m.page_shift)
		m.gpa += cut;
	m.va = sdm_canonical(o->m->cpu.paging, m.va);
	m.root = o->root;
	if (last && joinable(last, &m))
		last->pages += m.pages;
	else if (CHECK(o->list.nr < MAX_LIST))
		o->list.at[o->list.nr++] = m;
}

/* What is seen of a page, split where memory begins and ends */
static void oracle_page(struct oracle *o, u64 linear, const struct sdm_result *t)
{
	struct hlk_mapping m = {
		.attributes = t->attributes & ~7ULL,
		.page_shift = t->page_bytes == 4096 ? 12 : t->page_bytes == 2 << 20 ? 21 : 30,
	};
	const struct guest *g = &o->m->g;
	u64 gpa = t->physical & ~(t->page_bytes - 1);
	struct sdm_result at = *t;
	u64 done = 0;
	u64 next;
	u64 edge;
	u32 i;

	while (done < t->page_bytes) {
		next = t->page_bytes;
		for (i = 0; i < 2 * g->nr_ram; i++) {
			edge = (g->ram[i / 2].first + (i & 1 ? g->ram[i / 2].pages : 0)) << 12;
			if (edge > gpa + done && edge - gpa < next)
				next = edge - gpa;
		}
		at.physical = gpa + done;
		m.va = linear + done;
		m.gpa = gpa + done;
		m.map = map_of(o->m, &at);
		if (m.va < o->end && linear + next > o->start)
			oracle_add(o, m, next - done);
		done = next;
	}
}

static bool oracle_visit(void *with, int level, __u64 linear, const struct sdm_result *t)
{
	struct oracle *o = with;
	u64 span = 1ULL << sdm_shift(level);
	struct sdm_result above = { .writable = true, .user = true };
	struct hlk_mapping m = { .va = linear };
	u64 me = 1 + ((u64)o->root << 45 | linear >> 12);
	u64 owner;
	u64 frame;
	int i;

	if (linear >= o->end || linear + span <= o->start)
		return false;
	if (t->level == level && t->outcome == SDM_MAPPED) {
		oracle_page(o, linear, t);
		return false;
	}
	if (t->level == level) {
		m.map = HLK_MAP_RESERVED;
		oracle_add(o, m, span);
		return false;
	}
	for (i = sdm_levels(o->m->cpu.paging); i >= level; i--) {
		if (o->m->cpu.paging == SDM_PAE && i == SDM_PDPT)
			continue;
		above.writable &= t->entry[i] >> 1 & 1;
		above.user &= t->entry[i] >> 2 & 1;
		above.no_execute |= t->entry[i] >> 63;
	}
	above.outcome = SDM_NO_MEMORY;
	frame = (t->entry[level] & 0x000fffffffffffff) >> 12;
	m.map = map_of(o->m, &above);
	m.gpa = frame << 12;
	if (!guest_is_ram(&o->m->g, frame)) {
		m.map |= HLK_MAP_TABLE_NOT_RAM;
		oracle_add(o, m, span);
		return false;
	}
	owner = xa_to_value(xa_load(&o->owner[level], frame) ?: xa_mk_value(0));
	if (owner) {
		m.map |= HLK_MAP_ALIAS;
		m.alias_root = (owner - 1) >> 45;
		m.alias_va = sdm_canonical(o->m->cpu.paging,
					   ((owner - 1) & ((1ULL << 45) - 1)) << 12);
		oracle_add(o, m, span);
		return false;
	}
	if (xa_is_err(xa_store(&o->owner[level], frame, xa_mk_value(me), HLK_GFP)))
		abort();
	o->tables++;
	return true;
}

u32 mazed_walk(struct mazed *m, u32 nr_roots, u64 start, u64 end)
{
	struct query q = { .g = &m->g, .roots = m->roots, .nr_roots = nr_roots,
			   .start = start, .end = end, .pt = &m->mode };
	struct oracle o = { .m = m, .start = start, .end = end };
	struct list steps;
	struct list list;
	u64 tables;
	u32 i;

	list_init(&o.list);
	for (o.root = 0; o.root < nr_roots; o.root++) {
		m->cpu.cr3 = m->roots[o.root];
		maze_visit(&m->mem, &m->cpu, oracle_visit, &o);
	}
	CHECK_EQ(walk_all(&q, &list, &tables), 0);
	CHECK_EQ(tables, o.tables);
	check_same(&list, &o.list);
	for (i = 0; i < list.nr && i < o.list.nr; i++)
		if (!CHECK_MSG(!memcmp(&list.at[i], &o.list.at[i], sizeof(list.at[i])),
			       "mapping %u: va %llx gpa %llx pages %llx map %x attr %llx, want va %llx gpa %llx pages %llx map %x attr %llx",
			       i, list.at[i].va, list.at[i].gpa, list.at[i].pages,
			       list.at[i].map, list.at[i].attributes, o.list.at[i].va,
			       o.list.at[i].gpa, o.list.at[i].pages, o.list.at[i].map,
			       o.list.at[i].attributes))
			break;
	walk_steps(&q, &steps, 1 + list.nr / 5);
	check_same(&steps, &list);
	list_exit(&steps);
	if (list.nr < 60) {
		walk_steps(&q, &steps, 1);
		check_same(&steps, &list);
		list_exit(&steps);
	}
	i = list.nr;
	list_exit(&list);
	list_exit(&o.list);
	for (tables = 0; tables < ARRAY_SIZE(o.owner); tables++)
		xa_destroy(&o.owner[tables]);
	return i;
}

/* ---- marks ---- */

/**
 * struct foresight - what marking is to do
 * @m: the guest
 * @start: linear
 * @end: linear
 * @highest: of tables: the highest level that they are met at
 * @tables: frames that are tables
 * @judged: addresses of entries
 * @marked: addresses of entries
 * @want: the counts
 * @reserved: there is an entry with reserved bits that counts
 */
struct foresight {
	struct mazed *m;
	u64 start;
	u64 end;
	struct xarray highest;
	struct xarray judged;
	struct xarray marked;
	struct hlk_mark_cow want;
	bool reserved;
};

static bool put(struct xarray *xa, u64 index, u64 value)
{
	if (xa_is_err(xa_store(xa, index, xa_mk_value(value), HLK_GFP)))
		abort();
	return true;
}

static u64 get(struct xarray *xa, u64 index)
{
	void *value = xa_load(xa, index);

	return value ? xa_to_value(value) : 0;
}

/* Zero is a PDPT of PAE paging: its page may be a table as well. */
static bool foresee_tables(void *with, int level, __u64 linear, const struct sdm_result *t)
{
	struct foresight *f = with;
	u64 frame = (t->entry[level] & 0x000fffffffffffff) >> 12;

	(void)linear;
	if (t->level == level || !guest_is_ram(&f->m->g, frame))
		return false;
	if (get(&f->highest, frame) < (u64)level - 1)
		put(&f->highest, frame, level - 1);
	return true;
}

static bool foresee_entries(void *with, int level, __u64 linear, const struct sdm_result *t)
{
	struct foresight *f = with;
	u64 span = 1ULL << sdm_shift(level);
	bool inside = linear < f->end && linear + span > f->start;
	u64 at = t->entry_at[level];
	bool counts = get(&f->highest, at >> 12) == (u64)level ||
		      (f->m->cpu.paging == SDM_PAE && level == SDM_PDPT);
	unsigned long index;
	u64 frame;
	u64 n;

	if (t->level != level)
		return true;
	if (!counts)
		return false;
	if (t->outcome == SDM_RESERVED) {
		f->reserved |= level > SDM_PT || inside;
		return false;
	}
	if (!inside || xa_load(&f->judged, at))
		return false;
	put(&f->judged, at, 1);
	frame = (t->physical & ~(t->page_bytes - 1)) >> 12;
	for (n = 0; n < t->page_bytes >> 12; n++)
		if (!guest_is_ram(&f->m->g, frame + n))
			break;
	index = frame;
	if (!(t->entry[level] & 2)) {
		f->want.already += t->entry[level] >> 9 & 1;
		f->want.read_only += !(t->entry[level] >> 9 & 1);
	} else if (n < t->page_bytes >> 12) {
		f->want.not_ram++;
	} else if (xa_find(&f->highest, &index, frame + n - 1, XA_PRESENT)) {
		f->want.live++;
	} else {
		f->want.marked++;
		put(&f->marked, at, 1);
	}
	return false;
}

static void foresee(struct foresight *f, u32 nr_roots)
{
	struct mazed *m = f->m;
	bool pae = m->cpu.paging == SDM_PAE;
	unsigned long frame;
	void *any;
	u32 root;

	for (root = 0; root < nr_roots; root++)
		put(&f->highest, (m->roots[root] & 0x000ffffffffff000) >> 12,
		    pae ? 0 : sdm_levels(m->cpu.paging));
	for (root = 0; root < nr_roots; root++) {
		m->cpu.cr3 = m->roots[root];
		maze_visit(&m->mem, &m->cpu, foresee_tables, f);
	}
	for (root = 0; root < nr_roots; root++) {
		m->cpu.cr3 = m->roots[root];
		maze_visit(&m->mem, &m->cpu, foresee_entries, f);
	}
	xa_for_each(&f->highest, frame, any)
		f->want.tables++;
}

int mazed_mark(struct mazed *m, u32 nr_roots, u64 start, u64 end, struct hlk_mark_cow *out)
{
	struct pt_mark mark = { .gmem = &m->g.gmem, .mode = m->mode, .roots = m->roots,
				.nr_roots = nr_roots, .start = start, .end = end,
				.max_tables = 10000, .out = out };
	struct foresight f = { .m = m, .start = start, .end = end };
	u8 (*before)[PAGE_SIZE] = malloc(MAZE_TABLES * PAGE_SIZE);
	struct hlk_why_at at = {};
	u64 was;
	u32 i;
	u32 nr;
	int err;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < MAZE_TABLES; i++)
		memcpy(before[i], guest_peek(&m->g, MAZED_FIRST + i), PAGE_SIZE);
	foresee(&f, nr_roots);
	err = pt_mark(&mark, &at);
	CHECK(err == (f.reserved ? -EINVAL : 0));
	if (err)
		CHECK_EQ(at.why, HLK_WHY_PDE_RESERVED);
	for (i = 0; i < MAZE_TABLES; i++) {
		for (nr = 0; nr < 512; nr++) {
			memcpy(&was, before[i] + 8 * nr, 8);
			if (!err && xa_load(&f.marked, (MAZED_FIRST + i) << 12 | nr << 3))
				was = (was & ~2ULL) | 0x200;
			CHECK_EQ(mazed_entry(m, MAZED_FIRST + i, nr), was);
		}
	}
	if (!err) {
		CHECK_EQ(out->marked, f.want.marked);
		CHECK_EQ(out->already, f.want.already);
		CHECK_EQ(out->read_only, f.want.read_only);
		CHECK_EQ(out->live, f.want.live);
		CHECK_EQ(out->not_ram, f.want.not_ram);
		CHECK_EQ(out->tables, f.want.tables);
	}
	CHECK_EQ(m->g.held, 0);
	xa_destroy(&f.highest);
	xa_destroy(&f.judged);
	xa_destroy(&f.marked);
	free(before);
	return err;
}
