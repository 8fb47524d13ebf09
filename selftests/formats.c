// SPDX-License-Identifier: GPL-2.0-only
/*
 * HLK_TRANSLATE, HLK_WALK and HLK_MARK_COW over PAE's tables and those of 4 and 5 levels,
 * against KVM's own walk and a second walker, over random tables; rights against what a guest
 * may in fact do in both rings. PT_GUESTS= is how many random tables of each format.
 */
#include <cpuid.h>

#include "hlk_test.h"
#include "harness.h"
#include "maze.h"

#define CR0_WP		0x10000
#define CR0		0x80000031ULL	/* PG, NE, ET, PE */
#define CR4_PAE		0x20
#define CR4_LA57	0x1000
#define CR4_SMEP	0x100000
#define CR4_SMAP	0x200000
#define CR4_PKE		0x400000
#define EFER_LONG	0x500
#define EFER_NXE	0x800
#define RFLAGS_AC	0x40000

#define XD		0x8000000000000000ULL
#define ALL		(PTE_P | PTE_W | PTE_U)

#define TABLES		0x40000UL
#define NR_MAPPINGS	(1 << 14)

FIXTURE(formats) {
	struct tvm t;
	struct maze maze;
	struct sdm_memory mem;
	struct sdm_cpu cpu;
	struct hlk_mapping *mapping;
	u32 nr;
	u32 seed;
	u32 root;
	u32 pages;	/* that were compared */
	u32 wrong;
};

typedef FIXTURE_DATA(formats) fixture;

FIXTURE_VARIANT(formats) {
	enum sdm_paging paging;
};

FIXTURE_VARIANT_ADD(formats, pae) { .paging = SDM_PAE, };
FIXTURE_VARIANT_ADD(formats, levels4) { .paging = SDM_4LEVEL, };
FIXTURE_VARIANT_ADD(formats, levels5) { .paging = SDM_5LEVEL, };

static fixture *self_of_maze(struct maze *maze)
{
	return (fixture *)((char *)maze - offsetof(fixture, maze));
}

static __u32 maze_rnd(struct maze *maze, __u32 limit)
{
	return t_rnd(&self_of_maze(maze)->seed) % limit;
}

static u64 *entry_at(fixture *self, u64 gpa)
{
	return (u64 *)tvm_at(&self->t, gpa);
}

static void maze_set(struct maze *maze, __u64 frame, unsigned int nr, __u64 entry)
{
	*entry_at(self_of_maze(maze), frame * PAGE + nr * 8) = entry;
}

static const __u8 *memory_page(const struct sdm_memory *mem, __u64 frame)
{
	fixture *self = (fixture *)((char *)mem - offsetof(fixture, mem));

	return frame < TVM_LOW / PAGE ? tvm_at(&self->t, frame * PAGE) : NULL;
}

static bool has_la57(void)
{
	u32 a, b, c = 0, d;

	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && c & 1 << 16;
}

FIXTURE_SETUP(formats)
{
	u32 a = 0, b = 0, c = 0, d = 0;

	t_begin();
	tvm_open(&self->t);
	tvm_attach(&self->t, 0, 0);
	tvm_window(&self->t, 0, TVM_LOW, 0);
	self->mapping = calloc(NR_MAPPINGS, sizeof(*self->mapping));
	self->seed = t_seed();
	self->mem.page = memory_page;
	self->cpu.paging = variant->paging;
	t_must(__get_cpuid(0x80000008, &a, &b, &c, &d));
	self->cpu.maxphyaddr = a & 0xff;
	t_must(__get_cpuid(0x80000001, &a, &b, &c, &d));
	self->cpu.no_1g = !(d & 1 << 26);
	t_must(__get_cpuid(0, &a, &b, &c, &d));
	self->cpu.amd = b != signature_INTEL_ebx;
}

FIXTURE_TEARDOWN(formats)
{
	free(self->mapping);
	tvm_close(&self->t);
	EXPECT_EQ(0, t_end());
}

static struct kvm_segment segment(u16 selector, u8 type, u8 dpl, bool l)
{
	return (struct kvm_segment){
		.limit = ~0U, .selector = selector | dpl, .type = type, .present = 1,
		.dpl = dpl, .db = !l, .l = l, .s = 1, .g = 1,
	};
}

/*
 * KVM marks entries accessed where it walks, and QEMU's processor marks pointers of PAE, too:
 * in those that is a reserved bit, and nobody could load them any more.
 */
static void clean_pointers(fixture *self)
{
	u32 i;

	for (i = 0; self->cpu.paging == SDM_PAE && i < 4; i++)
		*entry_at(self, (self->cpu.cr3 & ~31ULL) + i * 8) &= ~(u64)PTE_A;
}

/* Registers for self->cpu, in this ring; whether KVM takes them */
static bool set_regs(fixture *self, u64 cr3, u8 ring, struct kvm_regs *gp)
{
	const struct sdm_cpu *c = &self->cpu;
	bool l = c->paging != SDM_PAE;
	struct kvm_sync_regs regs;
	struct kvm_sregs *s = &regs.sregs;

	tvm_flat(&regs, TVM_CODE, TVM_STACK);
	s->cs = segment(ring ? 0x18 : 0x08, 11, ring, l);
	s->ss = segment(ring ? 0x20 : 0x10, 3, ring, false);
	s->ds = s->ss;
	s->es = s->ss;
	s->fs = s->ss;
	s->gs = s->ss;
	s->gdt.base = 0x6000;
	s->gdt.limit = 5 * 8 - 1;
	s->idt.base = 0x5000;
	s->idt.limit = 0x1ff;
	/* QEMU's processor takes no busy 32-bit TSS for one, AMD's do not care */
	s->tr = (struct kvm_segment){ .base = 0x7000, .limit = 0x67,
				      .type = c->amd && !l ? 9 : 11, .present = 1 };
	s->cr0 = CR0 | (c->wp ? CR0_WP : 0);
	s->cr3 = cr3;
	s->cr4 = CR4_PAE | (c->paging == SDM_5LEVEL ? CR4_LA57 : 0) |
		 (c->smep ? CR4_SMEP : 0) | (c->smap ? CR4_SMAP : 0) | (c->pke ? CR4_PKE : 0);
	s->efer = (l ? EFER_LONG : 0) | (c->nxe ? EFER_NXE : 0);
	if (gp)
		regs.regs = *gp;
	/* by other roots its pointers may be entries of a table in which KVM has walked */
	self->cpu.cr3 = cr3;
	clean_pointers(self);
	if (ioctl(self->t.vcpu, KVM_SET_SREGS, s))
		return false;
	tvm_set_regs(&self->t, &regs);
	return true;
}

/* Entries changed: another CR3, and this one again, and KVM flushes its guest's TLB */
static void flush(fixture *self)
{
	t_must(set_regs(self, TABLES + PAGE, 0, NULL));
	t_must(set_regs(self, TABLES, 0, NULL));
}

static bool unsupported(fixture *self)
{
	return self->cpu.paging == SDM_5LEVEL &&
	       (!has_la57() || !set_regs(self, TABLES, 0, NULL));
}

static u64 kvm_gpa(fixture *self, u64 va)
{
	clean_pointers(self);
	return tvm_gpa(&self->t, va);
}

/* What linux/hlk.h says that these bits allow */
static bool map_allows(u32 map, bool wp, enum sdm_access access, bool by_user, bool ac)
{
	if (by_user && !(map & HLK_MAP_USER))
		return false;
	if (access == SDM_FETCH)
		return !(map & (by_user ? HLK_MAP_NX : HLK_MAP_NX | HLK_MAP_SUPER_NX));
	if (map & HLK_MAP_KEY_NO_ACCESS || (!by_user && map & HLK_MAP_SUPER_AC && !ac))
		return false;
	if (access == SDM_READ)
		return true;
	if (map & HLK_MAP_KEY_NO_WRITE && (by_user || wp))
		return false;
	return map & (by_user ? HLK_MAP_WRITE : HLK_MAP_WRITE | HLK_MAP_SUPER_WRITE);
}

static int translate(fixture *self, u64 va, struct hlk_translate *tr)
{
	memset(tr, 0, sizeof(*tr));
	clean_pointers(self);
	return hlk_translate(self->t.hlk, HLK_ROOT_CR3, va, tr);
}

/* One address: KVM, the second walker and hlk agree. */
static void compare(fixture *self, u64 va)
{
	u64 gpa = kvm_gpa(self, va);
	struct hlk_translate tr;
	int ret = translate(self, va, &tr);
	struct sdm_result t = sdm_translate(&self->mem, &self->cpu, va);
	static const int errors[] = {
		[SDM_MAPPED] = 0, [SDM_NOT_CANONICAL] = -EINVAL, [SDM_NO_MEMORY] = -ENODEV,
		[SDM_NOT_PRESENT] = -ENXIO, [SDM_RESERVED] = -EINVAL,
	};
	bool ok = ret == errors[t.outcome];
	u32 i;

	/* KVM asks as a supervisor who reads, and not whether a page is memory. */
	ok &= gpa == (t.outcome == SDM_MAPPED &&
		      sdm_may(&self->cpu, &t, SDM_READ, false, false) ? t.physical : ~0ULL);
	for (i = 0; i < HLK_PAGING_LEVELS; i++)
		ok &= tr.entry[i] == t.entry[i + 1];
	if (!ret) {
		ok &= tr.gpa == t.physical && 1ULL << tr.page_shift == t.page_bytes &&
		      !(tr.map & HLK_MAP_NOT_RAM) == (t.physical < TVM_LOW);
		for (i = 0; i < 12; i++)
			ok &= map_allows(tr.map, self->cpu.wp, i % 3, i & 4, i >= 8) ==
			      sdm_may(&self->cpu, &t, i % 3, i & 4, i >= 8);
	}
	self->pages++;
	if (ok || self->wrong++)
		return;
	fprintf(stderr, "# root %u va %#llx: hlk %d gpa %#llx map %#x, KVM %#llx, manual %u level %d %#llx\n",
		self->root, (unsigned long long)va, ret, (unsigned long long)tr.gpa, tr.map,
		(unsigned long long)gpa, t.outcome, t.level, (unsigned long long)t.physical);
	for (i = 0; i < HLK_PAGING_LEVELS; i++)
		fprintf(stderr, "# entry %u: %#llx, manual %#llx\n", i,
			(unsigned long long)tr.entry[i], (unsigned long long)t.entry[i + 1]);
}

/* The page or table of each entry, its neighbours, and the borders of each level */
static bool compare_entry(void *with, int level, __u64 linear, const struct sdm_result *t)
{
	fixture *self = with;
	enum sdm_paging paging = self->cpu.paging;
	u64 span = 1ULL << sdm_shift(level);
	u64 off = t_rnd(&self->seed) % span;

	compare(self, sdm_canonical(paging, linear + off % PAGE));
	compare(self, sdm_canonical(paging, linear - 1));
	compare(self, sdm_canonical(paging, linear + span - 1));
	compare(self, sdm_canonical(paging, linear + span));
	if (level > SDM_PT)
		compare(self, sdm_canonical(paging, linear + off));
	return t->level < level;
}

/* Which run has it? Runs are in order. */
static const struct hlk_mapping *find(fixture *self, u64 va)
{
	u32 low = 0, high = self->nr, mid;

	while (low < high) {
		mid = (low + high) / 2;
		if (self->mapping[mid].va <= va)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || (va - self->mapping[low - 1].va) / PAGE >= self->mapping[low - 1].pages)
		return NULL;
	return &self->mapping[low - 1];
}

#define WHOLE	(HLK_MAP_ALIAS | HLK_MAP_TABLE_NOT_RAM | HLK_MAP_RESERVED)

static bool walked_entry(void *with, int level, __u64 linear, const struct sdm_result *t)
{
	fixture *self = with;
	u64 va = sdm_canonical(self->cpu.paging, linear);
	const struct hlk_mapping *m = find(self, va);
	u64 gpa = t->physical & ~4095ULL;
	bool ok;

	if (m && m->map & HLK_MAP_ALIAS)
		return false;
	if (t->level < level && t->outcome != SDM_NO_MEMORY)
		return true;
	if (t->level < level && t->level < level - 1)
		return true;
	ok = m;
	if (t->outcome == SDM_RESERVED)
		ok = ok && m->map & HLK_MAP_RESERVED;
	else if (t->outcome == SDM_NO_MEMORY)
		ok = ok && m->map & HLK_MAP_TABLE_NOT_RAM;
	else
		ok = ok && !(m->map & WHOLE) && m->gpa + (va - m->va) == gpa &&
		     1ULL << m->page_shift == t->page_bytes &&
		     m->attributes == (t->attributes & ~7ULL);
	if (ok || self->wrong++)
		return false;
	fprintf(stderr, "# root %u va %#llx: walk says %#llx %#x, manual %u %#llx\n", self->root,
		(unsigned long long)va, m ? (unsigned long long)m->gpa : 0, m ? m->map : 0,
		t->outcome, (unsigned long long)gpa);
	return false;
}

/* All of the walk of CR3, so many mappings at a time */
static int walk(fixture *self, u32 step)
{
	struct hlk_walk w = HLK_STRUCT(hlk_walk);
	int ret;

	self->nr = 0;
	do {
		w.mapping_size = sizeof(struct hlk_mapping);
		w.mappings = (uintptr_t)(self->mapping + self->nr);
		w.nr_mappings = step < NR_MAPPINGS - self->nr ? step : NR_MAPPINGS - self->nr;
		clean_pointers(self);
		ret = hlk_call(self->t.hlk, HLK_WALK, &w);
		if (!ret)
			self->nr += w.nr_mappings;
	} while (!ret && w.cursor);
	return ret;
}

static void random_guest(fixture *self)
{
	u64 bits = self->cpu.maxphyaddr < 52 ? ~0ULL << self->cpu.maxphyaddr : 0xfffULL << 52;
	u32 i;

	self->cpu.wp = t_rnd(&self->seed) & 1;
	self->cpu.smep = t_rnd(&self->seed) & 1;
	self->cpu.smap = t_rnd(&self->seed) & 1;
	self->cpu.nxe = t_rnd(&self->seed) & 3;
	self->maze = (struct maze){
		.paging = self->cpu.paging, .rnd = maze_rnd, .set = maze_set,
		.first = TABLES / PAGE, .frames = TVM_LOW / PAGE,
		.frame_bits = self->cpu.maxphyaddr - 12, .reserved = t_rnd(&self->seed) & 1,
	};
	memset(tvm_at(&self->t, TABLES), 0, MAZE_TABLES * PAGE);
	maze_make(&self->maze);
	/* pointers with reserved bits cannot be loaded */
	for (i = 0; self->cpu.paging == SDM_PAE && i < 4 * MAZE_ROOTS; i++)
		*entry_at(self, maze_cr3(&self->maze, i / 4) + i % 4 * 8) &= ~(bits | 0x1e6);
}

TEST_F_TIMEOUT(formats, as_kvm_and_the_manual, 3600)
{
	const char *guests = getenv("PT_GUESTS");
	u32 left = guests ? atoi(guests) : 6;
	struct hlk_mapping *first = malloc(NR_MAPPINGS * sizeof(*first));
	u32 nr;

	if (unsupported(self))
		SKIP(return, "no 5 levels here");
	for (; left; left--) {
		random_guest(self);
		for (self->root = 0; self->root < MAZE_ROOTS; self->root++) {
			ASSERT_TRUE(set_regs(self, maze_cr3(&self->maze, self->root), 0, NULL));
			maze_visit(&self->mem, &self->cpu, compare_entry, self);
			ASSERT_EQ(0, self->wrong);
			OK(walk(self, NR_MAPPINGS));
			maze_visit(&self->mem, &self->cpu, walked_entry, self);
			ASSERT_EQ(0, self->wrong);
			nr = self->nr;
			memcpy(first, self->mapping, nr * sizeof(*first));
			OK(walk(self, 1 + nr / 3));
			ASSERT_EQ(nr, self->nr);
			ASSERT_EQ(0, memcmp(first, self->mapping, nr * sizeof(*first)));
		}
	}
	TH_LOG("%u addresses", self->pages);
	free(first);
}

/* ---- what the guest may do ---- */

/* At RDI or EDI: read, write or execute, as ESI says. Whoever gets so far comes to INT3. */
#define PROBE(reg)							\
	"	test %r10d, %r10d\n"					\
	"	jz 3f\n"						\
	"	mov %r10d, %eax\n"					\
	"	xor %ecx, %ecx\n"					\
	"	xor %edx, %edx\n"					\
	"	wrpkru\n"						\
	"3:	" PROBE_ACCESS(reg)
#define PROBE_ACCESS(reg)						\
	"	cmp $1, %esi\n"						\
	"	je 1f\n"						\
	"	ja 2f\n"						\
	"	movb (" reg "), %al\n"					\
	"	int3\n"							\
	"1:	movb $0xcc, (" reg ")\n"				\
	"	int3\n"							\
	"2:	jmp *" reg "\n"

GUEST(probe32, PROBE_ACCESS("%edi"));
GUEST(probe64, ".code64\n" PROBE("%rdi"));
/* No fault; a fault */
GUEST(allowed, "	hlt\n");
GUEST(denied, "	mov $1, %ebx\n	hlt\n");

#define USER_CODE	0x2000UL
#define SLOT		(1ULL << 30)

static void gate(fixture *self, u32 vector, u32 handler)
{
	u64 low = (handler & 0xffff) | 0x8ULL << 16 | 0xee00ULL << 32;

	if (self->cpu.paging == SDM_PAE) {
		*entry_at(self, 0x5000 + vector * 8) = low;
		return;
	}
	*entry_at(self, 0x5000 + vector * 16) = low;
	*entry_at(self, 0x5000 + vector * 16 + 8) = 0;
}

/* Tables: what the guest runs on, identical, below 2 MiB; what is probed from 1 GiB on */
#define PD		(TABLES + 0x1000)
#define PT		(TABLES + 0x2000)
#define PROBED_PD	(TABLES + 0x3000)
#define PROBED_PT	(TABLES + 0x4000)
#define PDPT		(TABLES + 0x5000)
#define PML4		(TABLES + 0x6000)

static void probe_tables(fixture *self)
{
	bool l = self->cpu.paging != SDM_PAE;
	u64 top = l ? PDPT : TABLES;
	u64 code = l ? 0x00af9b000000ffffULL : 0x00cf9b000000ffffULL;
	const u64 gdt[] = { 0, code, 0x00cf93000000ffffULL, code | 3ULL << 45,
			    0x00cff3000000ffffULL };
	u32 i;

	memset(tvm_at(&self->t, TABLES), 0, 8 * PAGE);
	*entry_at(self, top) = PD | (l ? ALL : PTE_P);
	*entry_at(self, top + 8) = PROBED_PD | (l ? ALL : PTE_P);
	if (self->cpu.paging == SDM_5LEVEL) {
		*entry_at(self, TABLES) = PML4 | ALL;
		*entry_at(self, PML4) = PDPT | ALL;
	} else if (l) {
		*entry_at(self, TABLES) = PDPT | ALL;
	}
	*entry_at(self, PD) = PT | ALL;
	for (i = 0; i < TVM_LOW / PAGE; i++)
		*entry_at(self, PT + i * 8) = i * PAGE | PTE_P | PTE_W |
					      (i * PAGE == USER_CODE ? PTE_U : 0);
	memcpy(tvm_at(&self->t, 0x6000), gdt, sizeof(gdt));
	memset(tvm_at(&self->t, 0x7000), 0, PAGE);
	if (l)
		*(u64 *)tvm_at(&self->t, 0x7004) = TVM_STACK;
	else
		*(u64 *)tvm_at(&self->t, 0x7004) = TVM_STACK | 0x10ULL << 32;
	tvm_load(&self->t, 0x3000, allowed);
	tvm_load(&self->t, 0x3800, denied);
	gate(self, 3, 0x3000);
	gate(self, 14, 0x3800);
	if (l) {
		tvm_load(&self->t, TVM_CODE, probe64);
		tvm_load(&self->t, USER_CODE, probe64);
	} else {
		tvm_load(&self->t, TVM_CODE, probe32);
		tvm_load(&self->t, USER_CODE, probe32);
	}
	/* what may be executed there says so */
	memset(tvm_at(&self->t, 0x80000), 0xcc, 0x80000);
}

/* 1: it may, 0: it faults */
static int probe(fixture *self, u64 va, enum sdm_access access, bool by_user, bool ac)
{
	struct kvm_regs gp = {
		.rip = by_user ? USER_CODE : TVM_CODE, .rsp = TVM_STACK, .rdi = va,
		.rsi = access, .r10 = self->cpu.pke ? self->cpu.pkru : 0,
		.rflags = 2 | (ac ? RFLAGS_AC : 0),
	};
	int ret;

	t_must(set_regs(self, TABLES, by_user ? 3 : 0, &gp));
	ret = tvm_run(&self->t);
	if (ret != KVM_EXIT_HLT)
		return -1;
	return !self->t.run->s.regs.regs.rbx;
}

/* Both levels' W and U, XD and key, as bits of a number */
static u64 rights_of(u32 bits, bool leaf)
{
	return PTE_P | PTE_A | PTE_D | (bits & 1 ? PTE_W : 0) | (bits & 2 ? PTE_U : 0) |
	       (bits & 4 ? XD : 0);
}

/* Whatever this page's entries say: hlk says what the guest is let do. */
static void check_page(struct __test_metadata *_metadata, fixture *self, u64 va)
{
	struct hlk_translate tr;
	u32 i;
	int may;

	flush(self);
	for (i = 0; i < 12; i++) {
		if (i >= 8 && !self->cpu.smap)
			continue;
		may = probe(self, va, i % 3, i & 4, i >= 8);
		OK(translate(self, va, &tr));
		ASSERT_EQ(may, map_allows(tr.map, self->cpu.wp, i % 3, i & 4, i >= 8)) {
			TH_LOG("va %#llx access %u map %#x wp %u smep %u smap %u pkru %#x entries %#llx %#llx",
			       (unsigned long long)va, i, tr.map, self->cpu.wp, self->cpu.smep,
			       self->cpu.smap, self->cpu.pkru, (unsigned long long)tr.entry[1],
			       (unsigned long long)tr.entry[0]);
		}
	}
}

TEST_F_TIMEOUT(formats, rights_are_what_the_guest_may_do, 600)
{
	u32 regs, pde, pte;

	if (unsupported(self))
		SKIP(return, "no 5 levels here");
	probe_tables(self);
	self->cpu.nxe = true;
	for (regs = 0; regs < 4; regs++) {
		self->cpu.wp = regs & 1;
		self->cpu.smep = regs & 2;
		self->cpu.smap = regs & 2;
		for (pde = 0; pde < 8; pde++) {
			*entry_at(self, PROBED_PD + pde * 8) = PROBED_PT | rights_of(pde, false);
			for (pte = 0; pte < 8; pte++) {
				*entry_at(self, PROBED_PT + pte * 8) =
					(0x80000 + pte * PAGE) | rights_of(pte, true);
				/* half of them are enough where both say the same */
				if (pde != 7 && pte != 7 && pde != pte && pte != 3)
					continue;
				check_page(_metadata, self, SLOT + (pde << 21) + pte * PAGE);
			}
		}
		/* a large page over what is memory only at the beginning */
		for (pde = 8; pde < 16; pde++) {
			*entry_at(self, PROBED_PD + pde * 8) = PTE_PS | rights_of(pde, true);
			check_page(_metadata, self, SLOT + (pde << 21) + 0x80000);
		}
	}
}

/* Where no keys are these bits are reserved: of each level's entries, whatever CR4 says. */
static void keys_are_reserved(struct __test_metadata *_metadata, fixture *self)
{
	static const u64 tables[] = { PROBED_PT, PROBED_PD };
	u32 i, bit;

	self->cpu.nxe = true;
	probe_tables(self);
	*entry_at(self, PROBED_PD) = PROBED_PT | ALL;
	*entry_at(self, PROBED_PT) = 0x80000 | ALL;
	for (i = 0; i < ARRAY_SIZE(tables); i++) {
		for (bit = 59; bit < 63; bit++) {
			*entry_at(self, tables[i]) |= 1ULL << bit;
			flush(self);
			ASSERT_EQ(SDM_RESERVED,
				  sdm_translate(&self->mem, &self->cpu, SLOT).outcome);
			compare(self, SLOT);
			ASSERT_EQ(0, self->wrong);
			ASSERT_EQ(0, probe(self, SLOT, SDM_READ, false, false));
			*entry_at(self, tables[i]) &= ~(1ULL << bit);
			flush(self);
			compare(self, SLOT);
			ASSERT_EQ(0, self->wrong);
			ASSERT_EQ(1, probe(self, SLOT, SDM_READ, false, false));
		}
	}
}

TEST_F_TIMEOUT(formats, keys_are_what_the_guest_may_do, 600)
{
	u32 key, rights, i;

	if (self->cpu.paging == SDM_PAE) {
		keys_are_reserved(_metadata, self);
		return;
	}
	if (unsupported(self))
		SKIP(return, "no 5 levels here");
	self->cpu.pke = true;
	self->cpu.nxe = true;
	probe_tables(self);
	if (!set_regs(self, TABLES, 0, NULL))
		SKIP(return, "no protection keys here");
	*entry_at(self, PROBED_PD) = PROBED_PT | ALL;
	for (i = 0; i < 8; i++) {
		key = 1 + i * 2;
		rights = i & 3;
		self->cpu.wp = i & 1;
		self->cpu.pkru = rights << 2 * key;
		*entry_at(self, PROBED_PT) = 0x80000 | ALL | (u64)key << 59;
		*entry_at(self, PROBED_PT + 8) = 0x81000 | PTE_P | PTE_W | (u64)key << 59;
		*entry_at(self, PROBED_PT + 16) = 0x82000 | ALL | (u64)(key - 1) << 59;
		check_page(_metadata, self, SLOT);
		check_page(_metadata, self, SLOT + PAGE);
		check_page(_metadata, self, SLOT + 2 * PAGE);
	}
}

/* Marked: the guest's next write faults, though its TLB knew the page as writable. */
TEST_F(formats, what_is_marked_faults)
{
	struct hlk_mark_cow m = HLK_STRUCT(hlk_mark_cow);
	u64 small = SLOT, large = SLOT + (2 << 21) + 0x80000;

	if (unsupported(self))
		SKIP(return, "no 5 levels here");
	probe_tables(self);
	self->cpu.wp = true;
	self->cpu.nxe = true;
	*entry_at(self, PROBED_PD) = PROBED_PT | ALL;
	*entry_at(self, PROBED_PT) = 0x80000 | ALL | XD;
	*entry_at(self, PROBED_PT + 8) = 0x81000 | PTE_P | PTE_U;
	*entry_at(self, PROBED_PT + 16) = PROBED_PT | PTE_P | PTE_W;
	/* 2 MiB of which half is no memory */
	*entry_at(self, PROBED_PD + 16) = PTE_PS | ALL;
	ASSERT_EQ(1, probe(self, small, SDM_WRITE, true, false));
	ASSERT_EQ(1, probe(self, large, SDM_WRITE, true, false));
	m.start = SLOT;
	m.end = SLOT + (4 << 21);
	clean_pointers(self);
	OK(hlk_call(self->t.hlk, HLK_MARK_COW, &m));
	ASSERT_EQ(1, m.marked);
	ASSERT_EQ(1, m.read_only);
	ASSERT_EQ(1, m.live);
	ASSERT_EQ(1, m.not_ram);
	ASSERT_EQ(0, m.already);
	ASSERT_EQ(0x80000 | PTE_P | PTE_U | PTE_COW | XD,
		  *entry_at(self, PROBED_PT) & ~(u64)(PTE_A | PTE_D));
	ASSERT_EQ(0, probe(self, small, SDM_WRITE, true, false));
	ASSERT_EQ(1, probe(self, small, SDM_READ, true, false));
	ASSERT_EQ(1, probe(self, large, SDM_WRITE, true, false));
	clean_pointers(self);
	OK(hlk_call(self->t.hlk, HLK_MARK_COW, &m));
	ASSERT_EQ(0, m.marked);
	ASSERT_EQ(1, m.already);
}

/* A compact snapshot is one of 32-bit paging, and says so. */
TEST_F(formats, not_for_compaction)
{
	struct hlk_snapshot s = HLK_STRUCT(hlk_snapshot);

	if (unsupported(self))
		SKIP(return, "no 5 levels here");
	probe_tables(self);
	ASSERT_TRUE(set_regs(self, TABLES, 0, NULL));
	s.head.flags = HLK_SNAPSHOT_COMPACT;
	ASSERT_GT(0, hlk_snapshot(self->t.hlk, &s));
}

/* What is no address, no range and no root */
TEST_F(formats, what_is_refused)
{
	struct hlk_mark_cow m = HLK_STRUCT(hlk_mark_cow);
	bool l = self->cpu.paging != SDM_PAE;
	struct hlk_translate tr;
	u64 half = self->cpu.paging == SDM_4LEVEL ? 1ULL << 47 : 1ULL << 56;

	if (unsupported(self))
		SKIP(return, "no 5 levels here");
	probe_tables(self);
	ASSERT_TRUE(set_regs(self, TABLES, 0, NULL));
	FAILS(EINVAL, HLK_WHY_GPA_RANGE, translate(self, l ? half : 1ULL << 32, &tr));
	FAILS(EINVAL, HLK_WHY_GPA_RANGE, translate(self, l ? ~half : ~0ULL, &tr));
	memset(&tr, 0, sizeof(tr));
	FAILS(EINVAL, HLK_WHY_GPA_RANGE,
	      hlk_translate(self->t.hlk, l ? 1ULL << self->cpu.maxphyaddr : 1ULL << 32, 0, &tr));
	memset(&tr, 0, sizeof(tr));
	FAILS(ENODEV, HLK_WHY_NOT_RAM, hlk_translate(self->t.hlk, TVM_LOW, 0, &tr));
	/* PCID, LAM and not to flush are no part of an address */
	memset(&tr, 0, sizeof(tr));
	OK(hlk_translate(self->t.hlk, TABLES | (l ? 0xe000000000000fffULL : 0x1f), 0, &tr));
	ASSERT_EQ(HLK_FORMAT_PAE + self->cpu.paging, tr.format);
	m.start = SLOT;
	m.end = SLOT;
	FAILS(EINVAL, HLK_WHY_GPA_RANGE, hlk_call(self->t.hlk, HLK_MARK_COW, &m));
	if (!l) {
		m.end = (1ULL << 32) + PAGE;
		FAILS(EINVAL, HLK_WHY_GPA_RANGE, hlk_call(self->t.hlk, HLK_MARK_COW, &m));
	}
}

TEST_HARNESS_MAIN
