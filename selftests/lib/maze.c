// SPDX-License-Identifier: GPL-2.0-only
#include "maze.h"

#define P	0x1ULL
#define PS	0x80ULL
#define XD	(1ULL << 63)

/* Which tables are meant to be of a level; what leads to another one is a short cut. */
static unsigned int table_of(struct maze *m, int level)
{
	static const struct {
		unsigned int first;
		unsigned int nr;
	} of[] = {
		[SDM_PT] = { 12, 8 }, [SDM_PD] = { 8, 4 }, [SDM_PDPT] = { 5, 3 },
		[SDM_PML4] = { 3, 2 },
	};

	if (!m->rnd(m, 8))
		return m->rnd(m, MAZE_TABLES);
	return of[level].first + m->rnd(m, of[level].nr);
}

static __u64 some_frame(struct maze *m)
{
	__u64 high;

	switch (m->rnd(m, 12)) {
	case 0:		/* anywhere, mostly no memory */
		high = (__u64)m->rnd(m, 1U << 20) << 20;
		return (high | m->rnd(m, 1U << 20)) & ((1ULL << m->frame_bits) - 1);
	case 1:
		return m->first + m->rnd(m, MAZE_TABLES);
	default:
		return m->rnd(m, m->frames);
	}
}

/* Bits that software may choose, all of them */
static __u64 some_flags(struct maze *m, int level)
{
	__u64 flags = m->rnd(m, 1 << 12) & ~(PS | P);

	/* mostly what allows all, or hardly anything could be done down there */
	if (m->rnd(m, 4))
		flags |= 6;
	if (m->paging == SDM_PAE)
		return m->rnd(m, 4) ? flags : flags | XD;
	if (level >= SDM_PML4)
		flags &= ~0x100ULL;
	flags |= (__u64)m->rnd(m, 1 << 11) << 52;
	return m->rnd(m, 4) ? flags : flags | XD;
}

static __u64 some_page(struct maze *m, int level)
{
	__u64 flags = some_flags(m, level);
	__u64 frame = some_frame(m);

	if (level == SDM_PT)
		return frame << 12 | flags | P | (m->rnd(m, 2) ? PS : 0);
	/* those that lead into memory are few without help */
	if (m->rnd(m, 2))
		frame = 0;
	frame &= ~((1ULL << (sdm_shift(level) - 12)) - 1);
	return frame << 12 | flags | P | PS | (m->rnd(m, 2) ? 0x1000 : 0);
}

/* One more bit, which faults or not */
static __u64 some_bit(struct maze *m, __u64 entry)
{
	return entry | 1ULL << m->rnd(m, 64);
}

static __u64 some_pdpte(struct maze *m)
{
	__u64 flags = P | (m->rnd(m, 4) << 3) | (m->rnd(m, 8) << 9);

	if (!m->rnd(m, 10))
		return (__u64)m->rnd(m, 1U << 20) << 12 | flags;
	return (m->first + table_of(m, SDM_PD)) << 12 | flags;
}

static __u64 some_entry(struct maze *m, int level)
{
	__u64 entry;

	switch (m->rnd(m, 16)) {
	case 0:		/* not present, but not zero */
		return ((__u64)m->rnd(m, 1U << 31) << 33 | m->rnd(m, 1U << 31)) & ~P;
	case 1:		/* a table that is no memory, mostly */
		return some_frame(m) << 12 | some_flags(m, level) | P;
	case 2:
	case 3:
		if (level == SDM_PD || level == SDM_PDPT)
			return some_page(m, level);
		break;
	}
	entry = (m->first + table_of(m, level - 1)) << 12 | some_flags(m, level) | P;
	return entry;
}

static void make_table(struct maze *m, unsigned int table, int level)
{
	unsigned int nr = m->rnd(m, 512);
	unsigned int some = level == SDM_PT ? 12 : 3;
	__u64 frame = m->first + table;
	__u64 entry = 0;
	unsigned int i;

	for (i = 0; i < some; i++) {
		/* neighbours too, and the ends */
		switch (m->rnd(m, 6)) {
		case 0:
			nr = m->rnd(m, 2) ? 0 : 511;
			break;
		case 1:
			nr = m->rnd(m, 512);
			break;
		default:
			nr = (nr + 1) % 512;
		}
		if (level == SDM_PT && entry & P && m->rnd(m, 2))
			entry += 0x1000;
		else
			entry = level == SDM_PT ? some_page(m, level) : some_entry(m, level);
		if (m->reserved && !m->rnd(m, 12))
			m->set(m, frame, nr, some_bit(m, entry));
		else
			m->set(m, frame, nr, entry);
	}
}

void maze_make(struct maze *m)
{
	int levels = sdm_levels(m->paging);
	unsigned int i;
	unsigned int nr;
	__u64 entry;

	for (i = 0; i < MAZE_TABLES; i++)
		make_table(m, i, i < MAZE_ROOTS ? levels == SDM_PDPT ? SDM_PD : levels :
				 i < 5 ? SDM_PML4 : i < 8 ? SDM_PDPT : i < 12 ? SDM_PD : SDM_PT);
	if (m->paging != SDM_PAE)
		return;
	for (i = 0; i < MAZE_ROOTS; i++) {
		for (nr = 0; nr < 4; nr++) {
			entry = m->rnd(m, 5) ? some_pdpte(m) : 0;
			if (m->reserved && !m->rnd(m, 20))
				entry = some_bit(m, entry);
			m->set(m, m->first + i, i * 100 + nr, entry);
		}
	}
}

__u64 maze_cr3(const struct maze *m, unsigned int root)
{
	__u64 cr3 = (m->first + root) << 12;

	return m->paging == SDM_PAE ? cr3 + root * 800 : cr3;
}

static bool is_present(const struct sdm_memory *mem, __u64 at)
{
	const __u8 *page = mem->page(mem, at / 4096);

	return page && page[at % 4096] & P;
}

static void visit_from(const struct sdm_memory *mem, const struct sdm_cpu *cpu, int level,
		       __u64 base, __u64 structure,
		       bool (*visit)(void *with, int level, __u64 linear,
				     const struct sdm_result *t),
		       void *with)
{
	struct sdm_result t;
	unsigned int nr;
	__u64 linear;

	for (nr = 0; nr < sdm_entries(cpu->paging, level); nr++) {
		if (structure && !is_present(mem, structure + 8 * nr))
			continue;
		linear = base + ((__u64)nr << sdm_shift(level));
		t = sdm_translate(mem, cpu, sdm_canonical(cpu->paging, linear));
		if (t.outcome == SDM_NO_MEMORY && t.level == level)
			return;
		if (t.outcome == SDM_NOT_PRESENT && t.level == level)
			continue;
		if (visit(with, level, linear, &t) && t.level < level &&
		    !(t.outcome == SDM_NO_MEMORY && t.level == level - 1))
			visit_from(mem, cpu, level - 1, linear,
				   t.entry[level] & 0x000ffffffffff000, visit, with);
	}
}

void maze_visit(const struct sdm_memory *mem, const struct sdm_cpu *cpu,
		bool (*visit)(void *with, int level, __u64 linear,
			      const struct sdm_result *t),
		void *with)
{
	visit_from(mem, cpu, sdm_levels(cpu->paging), 0, 0, visit, with);
}
