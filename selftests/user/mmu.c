// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "mmu.h"

/* "Format of a 32-Bit Page-Directory Entry that Maps a 4-MByte Page" */
struct pde_4m {
	__u32 present:1, rw:1, us:1, pwt:1, pcd:1, accessed:1, dirty:1, ps:1;
	__u32 global:1, ignored:3, pat:1, high:8, reserved:1, low:10;
};

/* "Format of a 32-Bit Page-Directory Entry that References a Page Table" */
struct pde_table {
	__u32 present:1, rw:1, us:1, pwt:1, pcd:1, accessed:1, ignored1:1, ps:1;
	__u32 ignored2:4, table:20;
};

/* "Format of a 32-Bit Page-Table Entry that Maps a 4-KByte Page" */
struct pte_4k {
	__u32 present:1, rw:1, us:1, pwt:1, pcd:1, accessed:1, dirty:1, pat:1;
	__u32 global:1, ignored:3, page:20;
};

union entry {
	__u32 word;
	__u8 byte[4];
	struct pde_4m pde_4m;
	struct pde_table pde_table;
	struct pte_4k pte_4k;
};

static bool load(const struct physmem *mem, __u64 address, union entry *e)
{
	const __u8 *page = mem->page(mem, address / 4096);

	if (!page)
		return false;
	memcpy(e->byte, page + address % 4096, 4);
	return true;
}

static struct mmu_result big_page(struct mmu_result t, union entry pde,
				  unsigned int maxphyaddr, __u32 linear)
{
	struct pde_4m e = pde.pde_4m;
	unsigned int m = maxphyaddr < 40 ? maxphyaddr : 40;
	__u64 address;

	/* Bits 20:13 hold address bits 39:32; those at M and above must be 0 */
	if (e.reserved || e.high >= (1u << (m - 32))) {
		t.outcome = MMU_PDE_RESERVED;
		return t;
	}
	address = ((__u64)e.high << 32) + ((__u64)e.low << 22) +
		  linear % (4u << 20);
	t.outcome = MMU_MAPPED;
	t.large = true;
	t.leaf_at = t.pde_at;
	t.frame = address / 4096;
	t.rw = e.rw;
	t.us = e.us;
	t.leaf_rw = e.rw;
	t.leaf_us = e.us;
	t.attr = (struct mmu_attr){
		.write_through = e.pwt,
		.cache_disable = e.pcd,
		.accessed = e.accessed,
		.dirty = e.dirty,
		.pat = e.pat,
		.global = e.global,
		.ignored = e.ignored,
	};
	return t;
}

struct mmu_result mmu_translate(const struct physmem *mem,
				const struct mmu_cpu *cpu, __u32 linear)
{
	struct mmu_result t = {};
	union entry pde;
	union entry pte;

	t.pde_at = (cpu->cr3 & 0xfffff000) + 4 * (linear >> 22);
	if (!load(mem, t.pde_at, &pde)) {
		t.outcome = MMU_NO_DIRECTORY;
		return t;
	}
	t.pde = pde.word;
	if (!pde.pde_table.present) {
		t.outcome = MMU_PDE_ABSENT;
		return t;
	}
	if (pde.pde_table.ps && cpu->cr4_pse)
		return big_page(t, pde, cpu->maxphyaddr, linear);

	t.leaf_at = ((__u64)pde.pde_table.table << 12) + 4 * ((linear >> 12) & 0x3ff);
	if (!load(mem, t.leaf_at, &pte)) {
		t.outcome = MMU_NO_TABLE;
		return t;
	}
	t.pte = pte.word;
	if (!pte.pte_4k.present) {
		t.outcome = MMU_PTE_ABSENT;
		return t;
	}
	t.outcome = MMU_MAPPED;
	t.frame = pte.pte_4k.page;
	t.leaf_rw = pte.pte_4k.rw;
	t.leaf_us = pte.pte_4k.us;
	t.rw = pde.pde_table.rw && pte.pte_4k.rw;
	t.us = pde.pde_table.us && pte.pte_4k.us;
	t.attr = (struct mmu_attr){
		.write_through = pte.pte_4k.pwt,
		.cache_disable = pte.pte_4k.pcd,
		.accessed = pte.pte_4k.accessed,
		.dirty = pte.pte_4k.dirty,
		.pat = pte.pte_4k.pat,
		.global = pte.pte_4k.global,
		.ignored = pte.pte_4k.ignored,
	};
	return t;
}

__u32 mmu_attr_bits(const struct mmu_attr *a)
{
	return a->write_through << 3 | a->cache_disable << 4 | a->accessed << 5 |
	       a->dirty << 6 | a->pat << 7 | a->global << 8 | a->ignored << 9;
}
