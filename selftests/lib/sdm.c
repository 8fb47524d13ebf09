// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "sdm.h"

/* "Format of a PML5/PML4 Entry that References ..." */
struct pml_entry {
	__u64 present:1, rw:1, us:1, pwt:1, pcd:1, accessed:1, ignored1:1, reserved:1;
	__u64 ignored2:4, table:40, ignored3:11, xd:1;
};

/* "Format of a Page-Directory-Pointer-Table Entry that Maps a 1-GByte Page" */
struct page_1g {
	__u64 present:1, rw:1, us:1, pwt:1, pcd:1, accessed:1, dirty:1, ps:1;
	__u64 global:1, ignored1:3, pat:1, reserved:17, page:22, ignored2:7, key:4, xd:1;
};

/* "Format of a Page-Directory Entry that Maps a 2-MByte Page" */
struct page_2m {
	__u64 present:1, rw:1, us:1, pwt:1, pcd:1, accessed:1, dirty:1, ps:1;
	__u64 global:1, ignored1:3, pat:1, reserved:8, page:31, ignored2:7, key:4, xd:1;
};

/* "Format of a Page-Table Entry that Maps a 4-KByte Page" */
struct page_4k {
	__u64 present:1, rw:1, us:1, pwt:1, pcd:1, accessed:1, dirty:1, pat:1;
	__u64 global:1, ignored1:3, page:40, ignored2:7, key:4, xd:1;
};

/* "Format of a PAE Page-Directory-Pointer-Table Entry (PDPTE)" */
struct pae_pdpte {
	__u64 present:1, reserved1:2, pwt:1, pcd:1, reserved2:4, ignored:3;
	__u64 directory:40, reserved3:12;
};

union entry {
	__u64 word;
	struct pml_entry pml;
	struct page_1g page_1g;
	struct page_2m page_2m;
	struct page_4k page_4k;
	struct pae_pdpte pae_pdpte;
};

int sdm_levels(enum sdm_paging paging)
{
	switch (paging) {
	case SDM_PAE:
		return SDM_PDPT;
	case SDM_4LEVEL:
		return SDM_PML4;
	default:
		return SDM_PML5;
	}
}

unsigned int sdm_entries(enum sdm_paging paging, int level)
{
	return paging == SDM_PAE && level == SDM_PDPT ? 4 : 512;
}

unsigned int sdm_shift(int level)
{
	static const unsigned int shift[] = {
		[SDM_PT] = 12, [SDM_PD] = 21, [SDM_PDPT] = 30, [SDM_PML4] = 39, [SDM_PML5] = 48,
	};

	return shift[level];
}

static unsigned int width(enum sdm_paging paging)
{
	return paging == SDM_PAE ? 32 : paging == SDM_4LEVEL ? 48 : 57;
}

__u64 sdm_canonical(enum sdm_paging paging, __u64 linear)
{
	unsigned int unused = 64 - width(paging);

	if (paging == SDM_PAE)
		return (__u32)linear;
	return (__u64)((__s64)(linear << unused) >> unused);
}

/* Address bits that are beyond MAXPHYADDR */
static bool beyond(const struct sdm_cpu *cpu, __u64 address)
{
	return address >> cpu->maxphyaddr;
}

/* "P flag is 1 and a reserved bit is set": what the text under each table says */
static bool reserved(const struct sdm_cpu *cpu, union entry e, int level)
{
	bool pae = cpu->paging == SDM_PAE;

	if (pae && level == SDM_PDPT)
		return e.pae_pdpte.reserved1 || e.pae_pdpte.reserved2 ||
		       e.pae_pdpte.reserved3 ||
		       beyond(cpu, (__u64)e.pae_pdpte.directory * 4096);
	if (e.pml.xd && !cpu->nxe)
		return true;
	/* bits 62:52 */
	if (pae && (e.page_4k.ignored2 || e.page_4k.key))
		return true;
	switch (level) {
	case SDM_PML5:
	case SDM_PML4:
		return e.pml.reserved || beyond(cpu, (__u64)e.pml.table * 4096) ||
		       (cpu->amd && e.pml.ignored2 & 1);
	case SDM_PDPT:
		if (e.page_1g.ps)
			return cpu->no_1g || e.page_1g.reserved ||
			       beyond(cpu, (__u64)e.page_1g.page << 30);
		break;
	case SDM_PD:
		if (e.page_2m.ps)
			return e.page_2m.reserved ||
			       beyond(cpu, (__u64)e.page_2m.page << 21);
		break;
	}
	return beyond(cpu, (__u64)e.page_4k.page * 4096);
}

static bool load(const struct sdm_memory *mem, __u64 address, union entry *e)
{
	const __u8 *page = mem->page(mem, address / 4096);

	if (page)
		memcpy(e, page + address % 4096, sizeof(*e));
	return page;
}

/* The entry maps a page of that many bytes. */
static void maps(struct sdm_result *t, union entry e, __u64 page, __u64 bytes, bool pat,
		 __u64 linear)
{
	union entry as = { .word = 0 };

	t->outcome = SDM_MAPPED;
	t->page_bytes = bytes;
	t->physical = page * bytes + linear % bytes;
	t->key = e.page_4k.key;
	as.page_4k = e.page_4k;
	as.page_4k.page = 0;
	as.page_4k.pat = pat;
	t->attributes = as.word;
}

struct sdm_result sdm_translate(const struct sdm_memory *mem, const struct sdm_cpu *cpu,
				__u64 linear)
{
	struct sdm_result t = { .writable = true, .user = true };
	bool pae = cpu->paging == SDM_PAE;
	__u64 structure;
	union entry e;
	__u64 nr;

	if (sdm_canonical(cpu->paging, linear) != linear) {
		t.outcome = SDM_NOT_CANONICAL;
		return t;
	}
	t.level = sdm_levels(cpu->paging);
	structure = pae ? cpu->cr3 & 0xffffffe0 : cpu->cr3 & 0x000ffffffffff000;
	for (;; t.level--) {
		nr = (linear >> sdm_shift(t.level)) % sdm_entries(cpu->paging, t.level);
		t.entry_at[t.level] = structure + 8 * nr;
		if (pae && t.level == SDM_PDPT && cpu->loaded) {
			e.word = cpu->pdptr[nr];
		} else if (!load(mem, structure + 8 * nr, &e)) {
			t.outcome = SDM_NO_MEMORY;
			return t;
		}
		t.entry[t.level] = e.word;
		if (!e.pml.present) {
			t.outcome = SDM_NOT_PRESENT;
			return t;
		}
		if (reserved(cpu, e, t.level)) {
			t.outcome = SDM_RESERVED;
			return t;
		}
		structure = (__u64)e.pml.table * 4096;
		if (pae && t.level == SDM_PDPT)
			continue;
		t.writable &= e.pml.rw;
		t.user &= e.pml.us;
		t.no_execute |= e.pml.xd;
		if (t.level == SDM_PDPT && e.page_1g.ps) {
			maps(&t, e, e.page_1g.page, 1 << 30, e.page_1g.pat, linear);
			return t;
		}
		if (t.level == SDM_PD && e.page_2m.ps) {
			maps(&t, e, e.page_2m.page, 1 << 21, e.page_2m.pat, linear);
			return t;
		}
		if (t.level == SDM_PT) {
			maps(&t, e, e.page_4k.page, 1 << 12, e.page_4k.pat, linear);
			return t;
		}
	}
}

/* "Protection Keys": is the access permitted by PKRU or IA32_PKRS? */
static bool key_permits(const struct sdm_cpu *cpu, const struct sdm_result *to,
			enum sdm_access access, bool by_user)
{
	__u32 rights = to->user ? cpu->pkru : cpu->pkrs;
	bool ad = rights & (1U << (2 * to->key));
	bool wd = rights & (2U << (2 * to->key));

	if (cpu->paging == SDM_PAE || !(to->user ? cpu->pke : cpu->pks))
		return true;
	if (access == SDM_FETCH)
		return true;
	if (ad)
		return false;
	return !(access == SDM_WRITE && wd && (by_user || cpu->wp));
}

/* "Determination of Access Rights" */
bool sdm_may(const struct sdm_cpu *cpu, const struct sdm_result *to, enum sdm_access access,
	     bool by_user, bool ac)
{
	if (!key_permits(cpu, to, access, by_user))
		return false;
	if (by_user && !to->user)
		return false;
	if (access == SDM_FETCH) {
		if (!by_user && to->user && cpu->smep)
			return false;
		return !(cpu->nxe && to->no_execute);
	}
	if (!by_user && to->user && cpu->smap && !ac)
		return false;
	if (access == SDM_READ)
		return true;
	return to->writable || (!by_user && !cpu->wp);
}
