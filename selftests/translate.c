// SPDX-License-Identifier: GPL-2.0-only
/*
 * HLK_TRANSLATE and HLK_WALK against KVM's own walk, page by page, over random
 * tables that overlap, share, loop and lead nowhere; their rights against what
 * the guest may in fact do.
 */
#include "hlk_test.h"
#include "harness.h"

#define CR0_WP		0x10000
#define CR4_PSE		0x10
#define CR4_PAE		0x20
#define CR4_SMAP	0x200000

#define NR_ROOTS	4
#define NR_TABLES	16		/* roots included */
#define TABLES		0x40000UL
#define SLOT		0x400000UL
#define VA_END		(1ULL << 32)
#define PAGES		(VA_END / PAGE)

#define MAP_RIGHTS	(HLK_MAP_WRITE | HLK_MAP_USER | HLK_MAP_COW | \
			 HLK_MAP_SUPER_WRITE)
#define PRESENT		0x800		/* in what is kept of a mapping */

FIXTURE(translate) {
	struct tvm t;
	u32 *table;			/* NR_TABLES of them */
	u64 *walked[NR_ROOTS];		/* gpa | map | PRESENT, for each page */
	struct hlk_mapping *mapping;
	u32 nr;
	u32 room;
};

typedef FIXTURE_DATA(translate) fixture;

/* Whether the tables are in a window or in memory that hlk knows nothing of */
FIXTURE_VARIANT(translate) {
	bool window;
};

FIXTURE_VARIANT_ADD(translate, window) { .window = true, };
FIXTURE_VARIANT_ADD(translate, memslot) { .window = false, };

FIXTURE_SETUP(translate)
{
	t_begin();
	tvm_open(&self->t);
	tvm_attach(&self->t, 0, 0);
	if (variant->window)
		tvm_window(&self->t, 0, TVM_LOW, 0);
	else
		tvm_ram(&self->t, 0, TVM_LOW);
	self->table = (u32 *)tvm_at(&self->t, TABLES);
	self->room = 1 << 17;
	self->mapping = malloc(self->room * sizeof(*self->mapping));
}

FIXTURE_TEARDOWN(translate)
{
	u32 i;

	for (i = 0; i < NR_ROOTS; i++)
		free(self->walked[i]);
	free(self->mapping);
	tvm_close(&self->t);
	EXPECT_EQ(0, t_end());
}

static u32 root_gpa(u32 root)
{
	return TABLES + root * PAGE;
}

/* A frame: mostly in memory, sometimes a table, sometimes nowhere */
static u32 random_frame(u32 *seed)
{
	switch (t_rnd(seed) % 8) {
	case 0:
		return TABLES / PAGE + t_rnd(seed) % NR_TABLES;
	case 1:
		return t_rnd(seed) >> 12;
	default:
		return t_rnd(seed) % (TVM_LOW / PAGE);
	}
}

static u32 random_pde(u32 *seed, bool reserved)
{
	u32 flags = t_rnd(seed) & 0xffe & ~PTE_PS;

	switch (t_rnd(seed) % 16) {
	case 0:		/* 4 MiB, if CR4.PSE says so; else a table somewhere */
	case 1:
		/* bits 39 to 36 of the address are reserved to KVM's walk */
		flags |= (t_rnd(seed) & 0xf) << 13;
		return (t_rnd(seed) & 0xffc00000) | flags | PTE_PS | PTE_P |
		       (reserved && t_rnd(seed) % 4 == 0 ? 1 << 21 : 0) |
		       (t_rnd(seed) & 0x1000);
	case 2:		/* not in memory */
		return (t_rnd(seed) & 0x7ffff000) | 0x80000000 | flags | PTE_P;
	case 3:		/* not present, but not zero */
		return t_rnd(seed) & ~PTE_P;
	default:
		return (TABLES + t_rnd(seed) % NR_TABLES * PAGE) | flags | PTE_P;
	}
}

/* Tables as no sane kernel makes them */
static void random_tables(fixture *self, u32 *seed, bool reserved)
{
	u32 root, nr, i;

	memset(self->table, 0, NR_TABLES * PAGE);
	for (nr = NR_ROOTS; nr < NR_TABLES; nr++) {
		for (i = 0; i < 1024; i++) {
			u32 *entry = &self->table[nr * 1024 + i];

			/* runs of neighbours too, so that the walk joins some */
			if (i && t_rnd(seed) % 3 == 0 && entry[-1] & PTE_P)
				*entry = entry[-1] + PAGE;
			else if (t_rnd(seed) % 4)
				*entry = random_frame(seed) << 12 |
					 (t_rnd(seed) & 0xffe) | PTE_P;
			else if (t_rnd(seed) % 4 == 0)
				*entry = t_rnd(seed) & ~PTE_P;
		}
	}
	for (root = 0; root < NR_ROOTS; root++)
		for (i = 0; i < 10; i++)
			self->table[root * 1024 + t_rnd(seed) % 1024] =
				random_pde(seed, reserved);
}

static bool in_memory(u64 gpa)
{
	return gpa < TVM_LOW;
}

/* One address: hlk and KVM say the same, and hlk says why if there is nothing */
static bool same_as_kvm(fixture *self, u32 root, u64 va, u64 *map)
{
	struct hlk_translate tr = {};
	u64 gpa = tvm_gpa(&self->t, va);
	int ret = hlk_translate(self->t.hlk, root_gpa(root), va, &tr);
	u32 *pd = &self->table[root * 1024];
	/* the accessed bit is set by KVM's walk */
	bool pde_ok = (tr.entry[1] | PTE_A) == (pd[va >> 22] | PTE_A);
	bool ok;

	*map = 0;
	if (!ret) {
		ok = tr.gpa == gpa && pde_ok &&
		     !(tr.map & HLK_MAP_NOT_RAM) == in_memory(gpa) &&
		     !!(tr.map & HLK_MAP_LARGE) == (tr.page_shift == 22);
		*map = (tr.gpa & ~4095ULL) | tr.map | PRESENT;
	} else {
		ok = gpa == ~0ULL && pde_ok && !tr.map &&
		     ((ret == -ENXIO && t_why == HLK_WHY_NOT_PRESENT) ||
		      (ret == -ENODEV && t_why == HLK_WHY_NOT_RAM &&
		       !in_memory(t_where)) ||
		      (ret == -EINVAL && t_why == HLK_WHY_PDE_RESERVED &&
		       tr.entry[1] & 1 << 21));
		if (ret == -ENXIO && !(tr.entry[1] & PTE_P))
			ok = ok && t_where == root_gpa(root) + (va >> 22) * 4;
		else if (ret == -ENXIO)
			ok = ok && t_where == (tr.entry[1] & ~4095U) +
					      (va >> 12) % 1024 * 4;
	}
	if (!ok)
		fprintf(stderr, "# root %u va %#llx: hlk %d why %u gpa %#llx map %#x pde %#llx pte %#llx, KVM %#llx\n",
			root, (unsigned long long)va, ret, t_why,
			(unsigned long long)tr.gpa, tr.map,
			(unsigned long long)tr.entry[1], (unsigned long long)tr.entry[0],
			(unsigned long long)gpa);
	return ok;
}

/* Every page of slots that hold something, one of each that does not */
#define FOR_EACH_PAGE(self, root, va)					\
	for (va = 0; va < VA_END;					\
	     va += (self)->table[(root) * 1024 + (va >> 22)] ? PAGE : SLOT)

static void check_translate(struct __test_metadata *_metadata,
			    fixture *self, u32 cr4, bool reserved)
{
	u32 seed = t_seed();
	u64 va, map;
	u32 root;

	random_tables(self, &seed, reserved);
	for (root = 0; root < NR_ROOTS; root++) {
		tvm_set_paging(&self->t, TVM_CODE, root_gpa(root), cr4);
		FOR_EACH_PAGE(self, root, va)
			ASSERT_TRUE(same_as_kvm(self, root,
						va + (va >> 12) % PAGE, &map));
	}
}

TEST_F_TIMEOUT(translate, as_kvm_with_large_pages, 200)
{
	check_translate(_metadata, self, CR4_PSE, true);
}

TEST_F_TIMEOUT(translate, as_kvm_without_large_pages, 200)
{
	check_translate(_metadata, self, 0, true);
}

/* ---- walks ---- */

static int walk_step(fixture *self, struct hlk_walk *w, u32 room)
{
	int ret;

	if (room > self->room - self->nr)
		room = self->room - self->nr;
	w->head.size = sizeof(*w);
	w->mappings = (uintptr_t)(self->mapping + self->nr);
	w->mapping_size = sizeof(struct hlk_mapping);
	w->nr_mappings = room;
	ret = hlk_call(self->t.hlk, HLK_WALK, w);
	if (!ret)
		self->nr += w->nr_mappings;
	return ret;
}

/* The whole walk, so many mappings at a time */
static int walk_all(fixture *self, struct hlk_walk *w, u32 room)
{
	int ret;

	self->nr = 0;
	w->cursor = 0;
	do {
		ret = walk_step(self, w, room);
	} while (!ret && w->cursor && self->nr < self->room);
	return ret;
}

static void walked(fixture *self, const struct hlk_mapping *m)
{
	u64 *to = self->walked[m->root] + m->va / PAGE;
	const u64 *from = self->walked[m->alias_root] + m->alias_va / PAGE;
	u64 rights;
	u32 i;

	for (i = 0; i < m->pages; i++) {
		if (m->map & HLK_MAP_TABLE_NOT_RAM)
			continue;
		to[i] = (m->gpa + i * PAGE) | m->map | PRESENT;
		if (!(m->map & HLK_MAP_ALIAS))
			continue;
		/* as at the owner's, but with the rights of this slot at most */
		rights = m->map & (HLK_MAP_WRITE | HLK_MAP_USER | HLK_MAP_SUPER_WRITE);
		to[i] = from[i] ? from[i] & ~0xfffULL : 0;
		to[i] |= from[i] ? PRESENT | HLK_MAP_ALIAS | rights : 0;
	}
}

/* What a walk says of a page is what a translation says. */
static bool same_page(u64 walk, u64 translate)
{
	const u64 gpa = ~0xfffULL | PRESENT;

	if (walk & HLK_MAP_ALIAS)
		return (walk & gpa) == (translate & gpa) &&
		       !(translate & (HLK_MAP_WRITE | HLK_MAP_USER) & ~walk);
	return walk == translate;
}

static void check_walk(struct __test_metadata *_metadata,
		       fixture *self, u32 cr4)
{
	struct hlk_walk w = HLK_STRUCT(hlk_walk);
	static const u32 rooms[] = { 1 << 17, 1000, 7 };
	struct hlk_mapping *first;
	u64 roots[NR_ROOTS];
	u32 seed = t_seed();
	u32 root, nr, i;
	void *before;
	u64 va, map;

	random_tables(self, &seed, false);
	before = malloc(NR_TABLES * PAGE);
	memcpy(before, self->table, NR_TABLES * PAGE);
	for (root = 0; root < NR_ROOTS; root++) {
		roots[root] = root_gpa(root);
		self->walked[root] = calloc(PAGES, sizeof(u64));
	}
	w.paging.flags = HLK_PAGING_GIVEN | HLK_PAGING_WP |
			 (cr4 & CR4_PSE ? HLK_PAGING_PSE : 0);
	w.roots = (uintptr_t)roots;
	w.nr_roots = NR_ROOTS;
	OK(walk_all(self, &w, rooms[0]));
	ASSERT_EQ(0, w.cursor);
	/* tables that were met, each read once */
	ASSERT_LE(1, w.tables_read);
	ASSERT_GE(NR_TABLES, w.tables_read);
	/* a walk leaves no trace: no accessed bits */
	ASSERT_EQ(0, memcmp(before, self->table, NR_TABLES * PAGE));
	free(before);
	for (i = 0; i < self->nr; i++)
		walked(self, &self->mapping[i]);
	/* in order, each address once */
	for (i = 1; i < self->nr; i++) {
		struct hlk_mapping *m = &self->mapping[i];

		ASSERT_TRUE(m[-1].root < m->root ||
			    (m[-1].root == m->root &&
			     m[-1].va + m[-1].pages * PAGE <= m->va));
	}
	for (root = 0; root < NR_ROOTS; root++) {
		tvm_set_paging(&self->t, TVM_CODE, root_gpa(root), cr4);
		FOR_EACH_PAGE(self, root, va) {
			ASSERT_TRUE(same_as_kvm(self, root, va, &map));
			ASSERT_TRUE(same_page(self->walked[root][va / PAGE], map)) {
				TH_LOG("root %u va %#llx: walk %#llx translate %#llx",
				       root, (unsigned long long)va,
				       (unsigned long long)self->walked[root][va / PAGE],
				       (unsigned long long)map);
			}
		}
	}

	/* The same in pieces; KVM has set accessed bits since, so once more whole */
	OK(walk_all(self, &w, rooms[0]));
	nr = self->nr;
	first = malloc(nr * sizeof(*first));
	memcpy(first, self->mapping, nr * sizeof(*first));
	for (i = 1; i < ARRAY_SIZE(rooms); i++) {
		OK(walk_all(self, &w, rooms[i]));
		ASSERT_EQ(nr, self->nr);
		ASSERT_EQ(0, memcmp(first, self->mapping, nr * sizeof(*first)));
	}
	free(first);
}

TEST_F_TIMEOUT(translate, walks_as_kvm_with_large_pages, 200)
{
	check_walk(_metadata, self, CR4_PSE);
}

TEST_F_TIMEOUT(translate, walks_as_kvm_without_large_pages, 200)
{
	check_walk(_metadata, self, 0);
}

/* A small, sane layout for the tests below */
static struct hlk_walk small(fixture *self, u64 *root)
{
	struct tvm_pt pt = { &self->t, TABLES + PAGE, PTE_P | PTE_W | PTE_U };
	struct hlk_walk w = HLK_STRUCT(hlk_walk);

	memset(self->table, 0, NR_TABLES * PAGE);
	tvm_pt_map(&pt, TABLES, 0x00001000, 0x1000, 16, PTE_P | PTE_W | PTE_U);
	tvm_pt_map(&pt, TABLES, 0x00011000, 0x11000, 4, PTE_P);
	tvm_pt_map(&pt, TABLES, 0x40000000, 0x20000, 1, PTE_P | PTE_COW | PTE_U);
	/* a 4 MiB page with all attributes, PAT in bit 12 */
	self->table[0x80000000 >> 22] = 0x00000000 | 0x1000 | PTE_P | PTE_W | PTE_PS |
					0x18 | PTE_A | PTE_D | PTE_G | 0xe00;
	*root = TABLES;
	w.paging.flags = HLK_PAGING_GIVEN | HLK_PAGING_WP | HLK_PAGING_PSE;
	w.roots = (uintptr_t)root;
	w.nr_roots = 1;
	return w;
}

#define MAPPING(i, va_, gpa_, pages_, map_, attributes_)		\
	do {								\
		struct hlk_mapping *m_ = &self->mapping[i];		\
		ASSERT_EQ(va_, m_->va);					\
		ASSERT_EQ(gpa_, m_->gpa);				\
		ASSERT_EQ(pages_, m_->pages);				\
		ASSERT_EQ(map_, m_->map);				\
		ASSERT_EQ(attributes_, m_->attributes);			\
	} while (0)

TEST_F(translate, runs_rights_and_attributes)
{
	const u32 all = 0x80 | 0x18 | PTE_A | PTE_D | PTE_G | 0xe00;
	struct hlk_walk w;
	u64 root;

	w = small(self, &root);
	OK(walk_all(self, &w, 100));
	/* 4 MiB of which 1 MiB is memory */
	ASSERT_EQ(5, self->nr);
	MAPPING(0, 0x1000, 0x1000, 16, HLK_MAP_WRITE | HLK_MAP_USER, 0);
	MAPPING(1, 0x11000, 0x11000, 4, 0, 0);
	MAPPING(2, 0x40000000, 0x20000, 1, HLK_MAP_USER | HLK_MAP_COW, PTE_COW);
	MAPPING(3, 0x80000000, 0, TVM_LOW / PAGE,
		HLK_MAP_WRITE | HLK_MAP_COW | HLK_MAP_LARGE, all);
	MAPPING(4, 0x80000000 + TVM_LOW, TVM_LOW, 1024 - TVM_LOW / PAGE,
		HLK_MAP_WRITE | HLK_MAP_COW | HLK_MAP_LARGE | HLK_MAP_NOT_RAM, all);
	ASSERT_EQ(2, w.tables_read);

	/* without CR0.WP a supervisor writes what is read-only */
	w.paging.flags &= ~HLK_PAGING_WP;
	OK(walk_all(self, &w, 100));
	MAPPING(0, 0x1000, 0x1000, 16, HLK_MAP_WRITE | HLK_MAP_USER, 0);
	MAPPING(1, 0x11000, 0x11000, 4, HLK_MAP_SUPER_WRITE, 0);
}

TEST_F(translate, a_part_of_the_address_space)
{
	struct hlk_walk w;
	u64 root;

	w = small(self, &root);
	w.start = 0x3000;
	w.end = 0x13000;
	OK(walk_all(self, &w, 100));
	ASSERT_EQ(2, self->nr);
	MAPPING(0, 0x3000, 0x3000, 14, HLK_MAP_WRITE | HLK_MAP_USER, 0);
	MAPPING(1, 0x11000, 0x11000, 2, 0, 0);
	w.start = 0x80010000;
	w.end = 0x80020000;
	OK(walk_all(self, &w, 100));
	ASSERT_EQ(1, self->nr);
	ASSERT_EQ(0x80010000, self->mapping[0].va);
	ASSERT_EQ(0x10000, self->mapping[0].gpa);
	ASSERT_EQ(16, self->mapping[0].pages);
	w.start = 0xc0000000;
	w.end = 0;
	OK(walk_all(self, &w, 100));
	ASSERT_EQ(0, self->nr);
}

TEST_F(translate, aliases)
{
	u64 roots[2] = { TABLES, TABLES + 15 * PAGE };
	struct hlk_walk w;
	u64 root;
	u32 *pd;

	w = small(self, &root);
	self->table[0x80000000 >> 22] = 0;
	/* the first table again, read-only, in the same and in another root */
	pd = self->table;
	pd[0xc0000000 >> 22] = (pd[0] & ~PTE_W) | PTE_A;
	self->table[15 * 1024 + 3] = pd[0];
	/* the directory in itself: a table like any other, once */
	self->table[15 * 1024 + 1023] = roots[1] | PTE_P;
	w.roots = (uintptr_t)roots;
	w.nr_roots = 2;
	OK(walk_all(self, &w, 100));
	MAPPING(3, 0xc0000000, TABLES + PAGE, 1024, HLK_MAP_USER | HLK_MAP_ALIAS, 0);
	ASSERT_EQ(0, self->mapping[3].alias_root);
	ASSERT_EQ(0, self->mapping[3].alias_va);
	MAPPING(4, 0x00c00000, TABLES + PAGE, 1024,
		HLK_MAP_USER | HLK_MAP_WRITE | HLK_MAP_ALIAS, 0);
	ASSERT_EQ(1, self->mapping[4].root);
	ASSERT_EQ(0, self->mapping[4].alias_root);
	/* its two entries, seen as leaves: the table and itself */
	ASSERT_EQ(7, self->nr);
	ASSERT_EQ(0xffc03000, self->mapping[5].va);
	ASSERT_EQ(TABLES + PAGE, self->mapping[5].gpa);
	ASSERT_EQ(0xfffff000, self->mapping[6].va);
	ASSERT_EQ(roots[1], self->mapping[6].gpa);
	ASSERT_EQ(3, w.tables_read);
}

/* ---- what the guest may do ---- */

/* At EDI and on, ECX pages: does an access fault? A byte each to EDX */
#define PROBE(access)							\
	"1:	xor %ebx, %ebx\n"					\
	"	call 2f\n"						\
	"2:	pop %ebp\n"						\
	"	add $(3f - 2b), %ebp\n"					\
	"	" access "\n"						\
	"3:	mov %bl, (%edx)\n"					\
	"	inc %edx\n"						\
	"	add $4096, %edi\n"					\
	"	loop 1b\n"						\
	"	hlt\n"
GUEST(probe_write, PROBE("movb $5, (%edi)"));
GUEST(probe_read, PROBE("movb (%edi), %al"));
/* Goes on at EBP, with EBX set */
GUEST(page_fault, "	add $4, %esp\n"
		  "	mov %ebp, (%esp)\n"
		  "	mov $1, %ebx\n"
		  "	iret\n");

#define HANDLER	0x4000
#define IDT	0x5000
#define GDT	0x6000
#define RESULT	0x20000

static int probe(struct tvm *t, u32 cr0, u32 cr4, u32 va, u32 pages)
{
	struct kvm_sync_regs regs;

	tvm_flat(&regs, TVM_CODE, TVM_STACK);
	regs.sregs.cr0 = cr0;
	regs.sregs.cr3 = TABLES;
	regs.sregs.cr4 = cr4;
	regs.sregs.gdt.base = GDT;
	regs.sregs.gdt.limit = 0x17;
	regs.sregs.idt.base = IDT;
	regs.sregs.idt.limit = 15 * 8 - 1;
	regs.regs.rdi = va;
	regs.regs.rcx = pages;
	regs.regs.rdx = RESULT;
	if (ioctl(t->vcpu, KVM_SET_SREGS, &regs.sregs))
		return -errno;
	tvm_set_regs(t, &regs);
	return tvm_run(t);
}

TEST_F(translate, rights_are_what_the_guest_may_do)
{
	static const u64 gdt[] = { 0, 0x00cf9b000000ffffULL, 0x00cf93000000ffffULL };
	struct tvm_pt pt = { &self->t, TABLES + PAGE, PTE_P | PTE_W };
	const u32 cr0 = HLK_GUEST_CR0;
	u8 *fault = tvm_at(&self->t, RESULT);
	struct hlk_translate tr = {};
	u32 *pd = self->table;
	u32 i, slot, va;
	int ret;

	memset(self->table, 0, NR_TABLES * PAGE);
	tvm_load(&self->t, HANDLER, page_fault);
	memcpy(tvm_at(&self->t, GDT), gdt, sizeof(gdt));
	*(u64 *)tvm_at(&self->t, IDT + 14 * 8) = HANDLER | 0x8ULL << 16 | 0x8e00ULL << 32;
	tvm_pt_map(&pt, TABLES, PAGE, PAGE, 0x30, PTE_P | PTE_W);
	/* every directory entry's W and U with every leaf's W and U; and 4 MiB */
	for (slot = 1; slot <= 4; slot++) {
		for (i = 0; i < 4; i++)
			tvm_pt_map(&pt, TABLES, slot * SLOT + i * PAGE,
				   0x80000 + (slot * 4 + i) * PAGE, 1, PTE_P | i << 1);
		pd[slot] = (pd[slot] & ~7) | PTE_P | (slot - 1) << 1;
		/* what would be read with too small a range of memory: the end */
		pd[slot + 4] = PTE_PS | PTE_P | (slot - 1) << 1;
	}

	tvm_load(&self->t, TVM_CODE, probe_write);
	for (slot = 1; slot <= 8; slot++) {
		va = slot * SLOT + (slot > 4 ? 0x80000 : 0);
		ASSERT_EQ(KVM_EXIT_HLT, probe(&self->t, cr0, CR4_PSE, va, 4));
		for (i = 0; i < 4; i++) {
			OK(hlk_translate(self->t.hlk, HLK_ROOT_CR3, va + i * PAGE, &tr));
			ASSERT_EQ(fault[i], !(tr.map & HLK_MAP_WRITE)) {
				TH_LOG("slot %u page %u", slot, i);
			}
			ASSERT_EQ(0, tr.map & HLK_MAP_SUPER_WRITE);
		}
		ASSERT_EQ(KVM_EXIT_HLT, probe(&self->t, cr0 & ~CR0_WP, CR4_PSE, va, 4));
		for (i = 0; i < 4; i++) {
			OK(hlk_translate(self->t.hlk, HLK_ROOT_CR3, va + i * PAGE, &tr));
			ASSERT_EQ(fault[i], !(tr.map & (HLK_MAP_WRITE |
							HLK_MAP_SUPER_WRITE)));
			ASSERT_EQ(0, fault[i]);
		}
	}
	/* With SMAP a supervisor's read faults where a user may read. */
	tvm_load(&self->t, TVM_CODE, probe_read);
	for (slot = 1; slot <= 8; slot++) {
		va = slot * SLOT + (slot > 4 ? 0x80000 : 0);
		ret = probe(&self->t, cr0, CR4_PSE | CR4_SMAP, va, 4);
		if (ret == -EINVAL)
			SKIP(return, "no SMAP here");
		ASSERT_EQ(KVM_EXIT_HLT, ret);
		for (i = 0; i < 4; i++) {
			OK(hlk_translate(self->t.hlk, HLK_ROOT_CR3, va + i * PAGE, &tr));
			ASSERT_EQ(fault[i], !!(tr.map & HLK_MAP_USER)) {
				TH_LOG("slot %u page %u", slot, i);
			}
		}
	}
}

/* ---- what is refused ---- */

TEST_F(translate, addresses_that_are_none)
{
	struct hlk_translate tr = { .paging.flags = HLK_PAGING_GIVEN };
	struct hlk_walk w, good;
	struct hlk_info info;
	u64 root;

	good = small(self, &root);
	FAILS(EINVAL, HLK_WHY_GPA_RANGE, hlk_translate(self->t.hlk, root, VA_END, &tr));
	FAILS(EINVAL, HLK_WHY_GPA_RANGE, hlk_translate(self->t.hlk, root, ~0ULL, &tr));
	FAILS(EINVAL, HLK_WHY_GPA_RANGE, hlk_translate(self->t.hlk, VA_END, 0, &tr));
	FAILS(ENODEV, HLK_WHY_NOT_RAM, hlk_translate(self->t.hlk, 0x90000000, 0, &tr));
	ASSERT_EQ(0x90000000, t_where);

#define BAD(err, why, field, value)					\
	do {								\
		w = good;						\
		w.field = value;					\
		w.mappings = (uintptr_t)self->mapping;			\
		w.mapping_size = sizeof(struct hlk_mapping);				\
		w.nr_mappings = 10;					\
		FAILS(err, why, hlk_call(self->t.hlk, HLK_WALK, &w));	\
	} while (0)
	BAD(EINVAL, HLK_WHY_GPA_ALIGN, start, 1);
	BAD(EINVAL, HLK_WHY_GPA_ALIGN, end, 0x1001);
	BAD(EINVAL, HLK_WHY_GPA_ALIGN, cursor, 0x1001);
	BAD(EINVAL, HLK_WHY_GPA_RANGE, start, VA_END);
	BAD(EINVAL, HLK_WHY_GPA_RANGE, end, VA_END + PAGE);
	good.start = 0x2000;
	BAD(EINVAL, HLK_WHY_GPA_RANGE, end, 0x2000);
	BAD(EINVAL, HLK_WHY_GPA_RANGE, end, 0x1000);
	good.start = 0;
	OK(hlk_info(self->t.dev, &info));
	BAD(E2BIG, HLK_WHY_TOO_MANY_ROOTS, nr_roots, info.max_roots + 1);
	root = 0x90000000;
	BAD(ENODEV, HLK_WHY_ROOT_NOT_RAM, end, 0);
	ASSERT_EQ(0x90000000, t_where);
	root = VA_END;
	BAD(EINVAL, HLK_WHY_GPA_RANGE, end, 0);
	root = TABLES;
	w = good;
	w.nr_mappings = 0;
	FAILS(EMSGSIZE, 0, hlk_call(self->t.hlk, HLK_WALK, &w));

	/* an entry with reserved bits ends a walk, and says where */
	self->table[0xa0000000 >> 22] = PTE_P | PTE_PS | 1 << 21;
	BAD(EINVAL, HLK_WHY_PDE_RESERVED, end, 0);
	ASSERT_EQ(0, t_index);
	ASSERT_EQ(0xa0000000, t_where);
	/* bits beyond MAXPHYADDR too */
	self->table[0xa0000000 >> 22] = PTE_P | PTE_PS | 1 << 17;
	BAD(EINVAL, HLK_WHY_PDE_RESERVED, paging.maxphyaddr, 36);
	w = good;
	w.mappings = (uintptr_t)self->mapping;
	w.mapping_size = sizeof(struct hlk_mapping);
	w.nr_mappings = 10;
	OK(hlk_call(self->t.hlk, HLK_WALK, &w));
}

TEST_F(translate, modes_of_the_vcpu)
{
	struct hlk_translate tr = {};
	struct hlk_walk w, good;
	u64 root;

	good = small(self, &root);
	good.paging.flags = 0;
	tvm_set(&self->t, TVM_CODE);
	BAD(EOPNOTSUPP, HLK_WHY_NOT_I686, nr_roots, 0);
	FAILS(EOPNOTSUPP, HLK_WHY_NOT_I686, hlk_translate(self->t.hlk, root, 0, &tr));
	tvm_set_paging(&self->t, TVM_CODE, TABLES + 0x18, CR4_PSE);
	OK(hlk_translate(self->t.hlk, HLK_ROOT_CR3, 0x80001234, &tr));
	ASSERT_EQ(0x1234, tr.gpa);
	ASSERT_EQ(22, tr.page_shift);
	good.nr_roots = 0;
	OK(walk_all(self, &good, 100));
	ASSERT_EQ(5, self->nr);
	/* without CR4.PSE the same entry is a table, in the page at 0x1000 */
	tvm_set_paging(&self->t, TVM_CODE, TABLES, 0);
	FAILS(ENXIO, HLK_WHY_NOT_PRESENT,
	      hlk_translate(self->t.hlk, HLK_ROOT_CR3, 0x80001234, &tr));
	ASSERT_EQ(0x1004, t_where);

	/* registers that are not kept in kvm_run are those that KVM has */
	self->t.run->kvm_valid_regs = KVM_SYNC_X86_REGS;
	t_where = 0;
	FAILS(ENXIO, HLK_WHY_NOT_PRESENT,
	      hlk_translate(self->t.hlk, HLK_ROOT_CR3, 0x80001234, &tr));
	ASSERT_EQ(0x1004, t_where);
	self->t.run->kvm_valid_regs = SYNC_ALL;
}

/* The limit of tables is the administrator's. */
TEST_F(translate, too_many_tables)
{
	const char *path = "/sys/module/hlk/parameters/max_tables";
	int fd = open(path, O_RDWR);
	struct hlk_info info;
	struct hlk_walk w;
	char old[32] = "";
	u64 root;

	if (fd < 0 && geteuid())
		SKIP(return, "only root may change max_tables");
	ASSERT_LT(0, pread(fd, old, sizeof(old) - 1, 0));
	w = small(self, &root);
	ASSERT_EQ(2, pwrite(fd, "1\n", 2, 0));
	OK(hlk_info(self->t.dev, &info));
	EXPECT_EQ(1, info.max_tables);
	w.mappings = (uintptr_t)self->mapping;
	w.mapping_size = sizeof(struct hlk_mapping);
	w.nr_mappings = 10;
	EXPECT_EQ(-EDQUOT, hlk_call(self->t.hlk, HLK_WALK, &w));
	EXPECT_EQ(HLK_WHY_TOO_MANY_TABLES, t_why);
	EXPECT_EQ(0x40000000, t_where);
	ASSERT_EQ((ssize_t)strlen(old), pwrite(fd, old, strlen(old), 0));
	w.mapping_size = sizeof(struct hlk_mapping);
	w.nr_mappings = 10;
	OK(hlk_call(self->t.hlk, HLK_WALK, &w));
	close(fd);
}

GUEST(spin, "1:	incl 0x20000\n	jmp 1b\n");

/* With all given nothing of the vCPU is asked, so it may run. */
TEST_F(translate, a_guest_that_runs)
{
	struct tvm_runner runner;
	struct hlk_translate tr = { .paging.flags = HLK_PAGING_GIVEN };
	struct hlk_translate ask = {};
	struct hlk_walk w, good;
	u64 root;

	good = small(self, &root);
	tvm_load(&self->t, TVM_CODE, spin);
	tvm_set(&self->t, TVM_CODE);
	tvm_runner_start(&runner, &self->t);
	OK(hlk_translate(self->t.hlk, root, 0x2345, &tr));
	ASSERT_EQ(0x2345, tr.gpa);
	w = good;
	OK(walk_all(self, &w, 100));
	ASSERT_EQ(5, self->nr);
	FAILS(EBUSY, HLK_WHY_VCPU_RUNNING, hlk_translate(self->t.hlk, root, 0, &ask));
	good.paging.flags = 0;
	BAD(EBUSY, HLK_WHY_VCPU_RUNNING, nr_roots, 1);
	ASSERT_EQ(-EINTR, tvm_runner_kick(&runner));
}

TEST_HARNESS_MAIN
