// SPDX-License-Identifier: GPL-2.0-only
/*
 * HLK_MARK_COW marks writable leaves copy-on-write where they are: in a range, in
 * one or many roots, once where tables are shared; what the guest does then is
 * what a guest with a copy-on-write handler counts on.
 */
#include "hlk_test.h"
#include "harness.h"

#define CR4_PSE		0x10
#define SLOT		0x400000UL
#define VA_END		(1ULL << 32)

#define TABLES		0x40000UL	/* two roots, then tables */
#define NR_TABLES	16
#define SELF_VA		0xff800000U
#define FOREIGN_GPA	0x40000000UL
#define NOWHERE		0x90000000UL

GUEST(halt, "1:	hlt\n"
	    "	jmp 1b\n");

GUEST(spin, "1:	incl 0x20000\n"
	    "	jmp 1b\n");

FIXTURE(markcow) {
	struct tvm t;
	struct tvm_pt pt;
	u32 root[2];
	u32 *table;
	u32 *before;
};

typedef FIXTURE_DATA(markcow) fixture;

/* Whether the guest is in windows or in memory that hlk knows nothing of */
FIXTURE_VARIANT(markcow) {
	bool window;
};

FIXTURE_VARIANT_ADD(markcow, window) { .window = true, };
FIXTURE_VARIANT_ADD(markcow, memslot) { .window = false, };

FIXTURE_SETUP(markcow)
{
	const u32 rw = PTE_P | PTE_W;
	struct tvm *t = &self->t;

	t_begin();
	tvm_open(t);
	tvm_attach(t, 0, 0);
	if (variant->window)
		tvm_window(t, 0, TVM_LOW, 0);
	else
		tvm_ram(t, 0, TVM_LOW);
	tvm_load(t, TVM_CODE, halt);
	self->pt = (struct tvm_pt){ t, TABLES, rw | PTE_U };
	self->root[0] = tvm_pt_page(&self->pt);
	self->root[1] = tvm_pt_page(&self->pt);
	self->table = (u32 *)tvm_at(t, TABLES);
	self->before = malloc(NR_TABLES * PAGE);
	tvm_pt_map(&self->pt, self->root[0], TVM_CODE, TVM_CODE, 1, PTE_P);
	tvm_set_paging(t, TVM_CODE, self->root[0], CR4_PSE);
}

FIXTURE_TEARDOWN(markcow)
{
	free(self->before);
	tvm_close(&self->t);
	EXPECT_EQ(0, t_end());
}

static int mark(fixture *self, struct hlk_mark_cow *m)
{
	m->head.size = sizeof(*m);
	return hlk_call(self->t.hlk, HLK_MARK_COW, m);
}

static struct hlk_mark_cow of_roots(const u64 *roots, u32 nr)
{
	return (struct hlk_mark_cow){ .roots = (uintptr_t)roots, .nr_roots = nr };
}

static void remember(fixture *self)
{
	memcpy(self->before, self->table, NR_TABLES * PAGE);
}

static bool as_remembered(const fixture *self)
{
	return !memcmp(self->before, self->table, NR_TABLES * PAGE);
}

static u32 leaf(fixture *self, u32 root, u32 va)
{
	return *tvm_pt_entry(&self->pt, self->root[root], va);
}

static int run_at(struct tvm *t, u32 eip)
{
	t->run->s.regs.regs.rip = eip;
	t->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
	return tvm_run(t);
}

#define COUNTS(m, marked_, already_, read_only_, live_, not_ram_, tables_)	\
	do {									\
		ASSERT_EQ((u64)(marked_), (m).marked);				\
		ASSERT_EQ((u64)(already_), (m).already);			\
		ASSERT_EQ((u64)(read_only_), (m).read_only);			\
		ASSERT_EQ((u64)(live_), (m).live);				\
		ASSERT_EQ((u64)(not_ram_), (m).not_ram);			\
		ASSERT_EQ((u64)(tables_), (m).tables);				\
	} while (0)

TEST_F(markcow, each_flag_of_a_leaf)
{
	struct hlk_mark_cow m = {};
	u32 flags, want;

	for (flags = 0; flags < 1024; flags++)
		tvm_pt_map(&self->pt, self->root[0], SLOT + flags * PAGE, 0x80000, 1,
			   flags << 1 | PTE_P);
	m.start = SLOT;
	m.end = 2 * SLOT;
	OK(mark(self, &m));
	COUNTS(m, 512, 256, 256, 0, 0, 3);
	for (flags = 0; flags < 1024; flags++) {
		want = (flags << 1 & 0xfff) | PTE_P;
		if (want & PTE_W)
			want = (want & ~PTE_W) | PTE_COW;
		ASSERT_EQ(0x80000 | want, leaf(self, 0, SLOT + flags * PAGE));
	}
	/* a second time there is nothing to do */
	remember(self);
	OK(mark(self, &m));
	COUNTS(m, 0, 768, 256, 0, 0, 3);
	ASSERT_TRUE(as_remembered(self));
}

TEST_F(markcow, a_range_to_the_page)
{
	static const struct {
		u64 start;
		u64 end;
		u32 marked;
	} cases[] = {
		{ SLOT - 2 * PAGE, SLOT + 3 * PAGE, 5 }, { 0, SLOT, 4 },
		{ SLOT + 7 * PAGE, 0, 1 }, { SLOT + 8 * PAGE, 0, 0 }, { 0, 0, 12 },
	};
	u32 i, n, va;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct hlk_mark_cow m = {
			.start = cases[i].start,
			.end = cases[i].end,
		};

		tvm_pt_map(&self->pt, self->root[0], SLOT - 4 * PAGE, 0x80000, 12,
			   PTE_P | PTE_W);
		OK(mark(self, &m));
		ASSERT_EQ(cases[i].marked, m.marked);
		for (n = 0; n < 12; n++) {
			va = SLOT + (n - 4) * PAGE;
			ASSERT_EQ(va >= m.start && (!m.end || va < m.end),
				  !(leaf(self, 0, va) & PTE_W));
			ASSERT_EQ(!(leaf(self, 0, va) & PTE_W),
				  !!(leaf(self, 0, va) & PTE_COW));
		}
		/* directory entries stay */
		ASSERT_EQ(PTE_P | PTE_W | PTE_U, self->table[1] & 0xfff);
	}
}

TEST_F(markcow, shared_tables_once_in_many_roots)
{
	u64 roots[4] = { self->root[0], self->root[1], self->root[0] | 0x18, self->root[1] };
	struct hlk_mark_cow m;
	u32 i;

	tvm_pt_map(&self->pt, self->root[0], 4 * SLOT, 0x80000, 7, PTE_P | PTE_W);
	tvm_pt_map(&self->pt, self->root[1], 5 * SLOT, 0x90000, 3, PTE_P | PTE_W);
	for (i = 6; i < 600; i++) {
		self->table[i] = self->table[4];
		self->table[1024 + i] = self->table[4];
	}
	m = of_roots(roots, 4);
	OK(mark(self, &m));
	/* the code is read-only */
	COUNTS(m, 10, 0, 1, 0, 0, 5);
}

TEST_F(markcow, one_root_and_not_the_other)
{
	u64 root = self->root[1];
	struct hlk_mark_cow m;

	tvm_pt_map(&self->pt, self->root[0], 4 * SLOT, 0x80000, 2, PTE_P | PTE_W);
	tvm_pt_map(&self->pt, self->root[1], 4 * SLOT, 0x80000, 2, PTE_P | PTE_W);
	m = of_roots(&root, 1);
	OK(mark(self, &m));
	COUNTS(m, 2, 0, 0, 0, 0, 2);
	ASSERT_EQ(0x80000 | PTE_P | PTE_W, leaf(self, 0, 4 * SLOT));
	ASSERT_EQ(0x80000 | PTE_P | PTE_COW, leaf(self, 1, 4 * SLOT));
	/* without roots it is that of CR3 */
	m = (struct hlk_mark_cow){};
	OK(mark(self, &m));
	COUNTS(m, 2, 0, 1, 0, 0, 3);
	ASSERT_EQ(0x80000 | PTE_P | PTE_COW, leaf(self, 0, 4 * SLOT));
}

TEST_F(markcow, live_tables_are_left_alone)
{
	struct hlk_mark_cow m = {};
	u32 i;

	self->table[SELF_VA >> 22] = self->root[0] | PTE_P | PTE_W;
	/* all tables as data, and one page that is none */
	tvm_pt_map(&self->pt, self->root[0], 4 * SLOT, TABLES, 4, PTE_P | PTE_W);
	tvm_pt_map(&self->pt, self->root[0], 4 * SLOT + 8 * PAGE, 0x80000, 1, PTE_P | PTE_W);
	OK(mark(self, &m));
	/* root[1] is data here: nobody said that it is a directory */
	COUNTS(m, 2, 0, 1, 3, 0, 3);
	for (i = 0; i < 4; i++)
		ASSERT_EQ(i == 1 ? PTE_P | PTE_COW : PTE_P | PTE_W,
			  leaf(self, 0, 4 * SLOT + i * PAGE) & 0xfff);
	ASSERT_EQ(self->root[0] | PTE_P | PTE_W, self->table[SELF_VA >> 22]);
}

TEST_F(markcow, large_pages)
{
	struct hlk_mark_cow m = { .start = SLOT + 5 * PAGE, .end = SLOT + 6 * PAGE };
	u8 *large;

	/* all of it has to be memory */
	self->table[1] = PTE_PS | PTE_P | PTE_W | PTE_U;
	OK(mark(self, &m));
	COUNTS(m, 0, 0, 0, 0, 1, 2);
	large = tvm_ram(&self->t, SLOT, SLOT);
	ASSERT_NE(NULL, large);
	self->table[1] = SLOT | PTE_PS | PTE_P | PTE_W | PTE_U | PTE_G;
	OK(mark(self, &m));
	COUNTS(m, 1, 0, 0, 0, 0, 2);
	ASSERT_EQ(SLOT | PTE_PS | PTE_P | PTE_U | PTE_G | PTE_COW, self->table[1]);
	OK(mark(self, &m));
	COUNTS(m, 0, 1, 0, 0, 0, 2);
	/* with CR4.PSE clear it is a table, with no writable entry */
	m.paging.flags = HLK_PAGING_GIVEN;
	OK(mark(self, &m));
	COUNTS(m, 0, 0, 0, 0, 0, 3);
}

TEST_F(markcow, what_is_not_memory)
{
	struct hlk_mark_cow m = {};

	tvm_pt_map(&self->pt, self->root[0], 4 * SLOT, NOWHERE, 2, PTE_P | PTE_W);
	tvm_pt_map(&self->pt, self->root[0], 4 * SLOT + 2 * PAGE, NOWHERE, 1, PTE_P);
	self->table[9] = NOWHERE | PTE_P | PTE_W;
	self->table[10] = 0xfffffffe;
	remember(self);
	OK(mark(self, &m));
	COUNTS(m, 0, 0, 2, 0, 2, 3);
	ASSERT_TRUE(as_remembered(self));
	/* memory that is in no window is memory */
	tvm_ram(&self->t, FOREIGN_GPA, 4 * PAGE);
	tvm_pt_map(&self->pt, self->root[0], 4 * SLOT, FOREIGN_GPA, 2, PTE_P | PTE_W);
	OK(mark(self, &m));
	COUNTS(m, 2, 0, 2, 0, 0, 3);
}

TEST_F(markcow, errors_change_nothing)
{
	u64 roots[3] = { self->root[0], self->root[1], NOWHERE };
	struct hlk_mark_cow m, good;
	struct hlk_info info;
	u32 i;

	for (i = 4; i < 8; i++)
		tvm_pt_map(&self->pt, self->root[0], i * SLOT, 0x80000, 4, PTE_P | PTE_W);
	remember(self);
	good = of_roots(roots, 3);
#define BAD(err, why, change)						\
	do {								\
		m = good;						\
		change;							\
		FAILS(err, why, mark(self, &m));			\
		ASSERT_TRUE(as_remembered(self));			\
		ASSERT_EQ(0, m.marked);					\
	} while (0)
	BAD(ENODEV, HLK_WHY_ROOT_NOT_RAM, (void)0);
	ASSERT_EQ(2, t_index);
	ASSERT_EQ(NOWHERE, t_where);
	roots[2] = VA_END | self->root[0];
	BAD(EINVAL, HLK_WHY_GPA_RANGE, (void)0);
	roots[2] = self->root[1];
	self->table[1024 + 1023] = SLOT | 1 << 21 | PTE_PS | PTE_P | PTE_W;
	remember(self);
	BAD(EINVAL, HLK_WHY_PDE_RESERVED, (void)0);
	ASSERT_EQ(1, t_index);
	ASSERT_EQ(1023 * SLOT, t_where);
	self->table[1024 + 1023] = 0;
	remember(self);
	OK(hlk_info(self->t.dev, &info));
	BAD(E2BIG, HLK_WHY_TOO_MANY_ROOTS, m.nr_roots = info.max_roots + 1);
	BAD(EFAULT, 0, m.roots = 0x1000);
	BAD(EINVAL, HLK_WHY_GPA_RANGE, m.start = VA_END);
	BAD(EINVAL, HLK_WHY_GPA_RANGE, (m.start = 2 * PAGE, m.end = PAGE));
	BAD(EINVAL, HLK_WHY_GPA_RANGE, m.end = VA_END + PAGE);
	BAD(EINVAL, HLK_WHY_GPA_ALIGN, m.start = 5);
	BAD(EINVAL, HLK_WHY_GPA_ALIGN, m.end = 0x1800);
	BAD(EOPNOTSUPP, HLK_WHY_FLAGS, m.head.flags = 1);
	BAD(EOPNOTSUPP, HLK_WHY_RESERVED, m.__reserved = 1);
	BAD(EOPNOTSUPP, HLK_WHY_FLAGS, m.paging.flags = 0x4000);
	BAD(EINVAL, HLK_WHY_FLAGS, m.paging.flags = HLK_PAGING_PSE);
	tvm_set(&self->t, TVM_CODE);
	BAD(EOPNOTSUPP, HLK_WHY_NOT_I686, (void)0);
	BAD(EOPNOTSUPP, HLK_WHY_NOT_I686, m.nr_roots = 0);
	/* with the modes given it matters no more what the vCPU does */
	m = good;
	m.paging.flags = HLK_PAGING_GIVEN;
	OK(mark(self, &m));
	ASSERT_EQ(16, m.marked);
}

/* Tables that cannot be written: in a window, and in a slot, that is read-only */
TEST_F(markcow, read_only_tables)
{
	struct hlk_mark_cow m;
	u64 roots[2];
	u32 *at;

	if (variant->window) {
		tvm_window(&self->t, FOREIGN_GPA, 2 * PAGE, HLK_WINDOW_READONLY);
	} else {
		at = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		ASSERT_NE(MAP_FAILED, (void *)at);
		tvm_memslot(&self->t, FOREIGN_GPA, 2 * PAGE, at, KVM_MEM_READONLY);
		at[0] = (FOREIGN_GPA + PAGE) | PTE_P | PTE_W;
		at[1024] = 0x80000 | PTE_P;
		at[1025] = 0x80000 | PTE_P | PTE_W;
	}
	tvm_pt_map(&self->pt, self->root[0], 4 * SLOT, 0x80000, 4, PTE_P | PTE_W);
	remember(self);
	roots[0] = self->root[0];
	roots[1] = FOREIGN_GPA;
	m = of_roots(roots, 2);
	if (variant->window) {
		/* an empty one has nothing to be marked, so nothing is written */
		OK(mark(self, &m));
		ASSERT_EQ(4, m.marked);
		return;
	}
	FAILS(EACCES, HLK_WHY_READ_ONLY, mark(self, &m));
	ASSERT_EQ(FOREIGN_GPA + PAGE, t_where);
	ASSERT_TRUE(as_remembered(self));
	m.start = 2 * PAGE;
	OK(mark(self, &m));
	ASSERT_EQ(4, m.marked);
}

TEST_F(markcow, not_while_it_runs)
{
	u64 root = self->root[0];
	struct tvm_runner runner;
	struct hlk_mark_cow m;

	tvm_pt_map(&self->pt, self->root[0], 0, 0, 0x30, PTE_P | PTE_W);
	tvm_load(&self->t, TVM_CODE, spin);
	m = of_roots(&root, 1);
	tvm_runner_start(&runner, &self->t);
	FAILS(EBUSY, HLK_WHY_VCPU_RUNNING, mark(self, &m));
	ASSERT_EQ(0, t_index);
	ASSERT_EQ(-EINTR, tvm_runner_kick(&runner));
	OK(mark(self, &m));
	ASSERT_EQ(0x30, m.marked);
}

TEST_F(markcow, the_tlb_is_flushed)
{
	struct tvm *t = &self->t;
	struct hlk_mark_cow m;
	u64 before, bad = NOWHERE;
	int round;

	tvm_pt_map(&self->pt, self->root[0], 4 * SLOT, 0x80000, 4, PTE_P | PTE_W | PTE_G);
	ASSERT_EQ(KVM_EXIT_HLT, tvm_run(t));
	for (round = 0; round < 5; round++) {
		before = tvm_stat(t, "tlb_flush");
		ASSERT_EQ(KVM_EXIT_HLT, run_at(t, TVM_CODE));
		ASSERT_EQ(before, tvm_stat(t, "tlb_flush"));
		/* also when another one found nothing to be marked */
		m = (struct hlk_mark_cow){};
		OK(mark(self, &m));
		ASSERT_EQ(KVM_EXIT_HLT, run_at(t, TVM_CODE));
		ASSERT_EQ(before + 1, tvm_stat(t, "tlb_flush"));
		/* what fails has nothing to flush */
		m = of_roots(&bad, 1);
		FAILS(ENODEV, HLK_WHY_ROOT_NOT_RAM, mark(self, &m));
		ASSERT_EQ(KVM_EXIT_HLT, run_at(t, TVM_CODE));
		ASSERT_EQ(before + 1, tvm_stat(t, "tlb_flush"));
	}
}

/*
 * Random tables against a second judgement, from the entries as they were: each
 * leaf that is writable, in the range, memory, and no table, is marked.
 */
TEST_F(markcow, random_tables)
{
	const u32 cr4_pse_off = HLK_PAGING_GIVEN | HLK_PAGING_WP;
	u64 roots[2] = { self->root[0], self->root[1] };
	u32 seed = t_seed();
	u64 marked = 0;
	u32 round, nr, i, r;

	for (round = 0; round < 20; round++) {
		bool met[NR_TABLES] = { true, true };
		bool wanted[NR_TABLES][1024] = {};
		struct hlk_mark_cow m = of_roots(roots, 2);
		u64 expected = 0;

		memset(self->table, 0, NR_TABLES * PAGE);
		for (nr = 2 * 1024; nr < NR_TABLES * 1024; nr++)
			if (t_rnd(&seed) % 3)
				self->table[nr] = (t_rnd(&seed) % 16 ?
						   t_rnd(&seed) % (TVM_LOW / PAGE) :
						   t_rnd(&seed) >> 12) * PAGE |
						  (t_rnd(&seed) & 0xfff);
		for (i = 0; i < 24; i++)
			self->table[t_rnd(&seed) % 2048] =
				(TABLES + t_rnd(&seed) % NR_TABLES * PAGE) |
				(t_rnd(&seed) & 0xffe) | (t_rnd(&seed) % 8 ? 1 : 0);
		m.paging.flags = cr4_pse_off;
		m.start = t_rnd(&seed) & -PAGE;
		m.end = m.start < VA_END / 2 ? 0 : VA_END;
		remember(self);
		for (r = 0; r < 2; r++) {
			for (i = 0; i < 1024; i++) {
				u32 pde = self->before[r * 1024 + i];

				nr = ((pde & -PAGE) - TABLES) / PAGE;
				if (!(pde & PTE_P))
					continue;
				met[nr] = true;
				for (u32 e = 0; e < 1024 && nr >= 2; e++)
					if (i * SLOT + e * PAGE >= m.start)
						wanted[nr][e] = true;
			}
		}
		OK(mark(self, &m));
		for (nr = 0; nr < NR_TABLES; nr++) {
			for (i = 0; i < 1024; i++) {
				u32 was = self->before[nr * 1024 + i];
				u32 want = was;
				u32 gpa = was & -PAGE;
				bool live = gpa >= TABLES && gpa < TABLES + NR_TABLES * PAGE &&
					    met[(gpa - TABLES) / PAGE];

				if (wanted[nr][i] && (was & 3) == 3 && gpa < TVM_LOW && !live) {
					want = (was & ~PTE_W) | PTE_COW;
					expected++;
				}
				ASSERT_EQ(want, self->table[nr * 1024 + i]) {
					TH_LOG("table %u entry %u was %#x", nr, i, was);
				}
			}
		}
		ASSERT_EQ(expected, m.marked);
		marked += expected;
	}
	ASSERT_LT(1000, marked);
}

TEST_HARNESS_MAIN
