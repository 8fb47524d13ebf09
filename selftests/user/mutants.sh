#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Deliberate bugs, one at a time: each has to be caught by some test. TAP.
#
#   mutants.sh [NUMBER...]     with O= as the folder to build in
#   mutants.sh --match         print those that change nothing, and build none
#
# A mutant is a file, what it forgets, and a sed expression. A line that no
# longer matches is a failure too: the list follows the code.
set -u -o pipefail

here=$(cd "$(dirname "$0")" && pwd)
kmod=${KMOD:-$here/../../kmod}
out=${O:-$here/../../build/selftests-user}/mutants
programs=(snap_test snap_pages_test delta_test mark_test i686pt_test pt_test snap_fail_test
	snap_random_test fpu_test)
export ROUNDS=60

files=() whats=() edits=()
mutant() { # mutant FILE WHAT SED
	files+=("$1") whats+=("$2") edits+=("$3")
}

# entries and walks
mutant i686pt.c 'PS counts without CR4.PSE' \
	's/if (!(pde & I686_PS) || !mode->pse)/if (!(pde \& I686_PS))/'
mutant i686pt.c 'bit 21 is not reserved' \
	's/if (pde & I686_LARGE_RSVD)/if (0)/'
mutant i686pt.c 'MAXPHYADDR is ignored' \
	's/if (i686_large_gfn(pde) >> (mode->maxphyaddr - 12))/if (0)/'
mutant i686pt.c 'a table page is not put' \
	'/^u64 i686_copy_table/,/^}/s/put_page(gpage->page);/;/'
mutant i686pt.c 'a table page stays mapped' \
	'/^u64 i686_copy_table/,/^}/s/kunmap_local(from);/;/'
mutant i686pt.c 'a table of zeroes is what was there before' \
	'/^u64 i686_copy_table/,/^}/s/memset(entries, 0, PAGE_SIZE);/;/'
mutant i686pt.c 'a line is empty if its first entries are' \
	's/any = at\[0\] | .* | at\[7\];/any = at[0];/'
mutant i686pt.c 'the last entries of a line are overlooked' \
	's/ | at\[7\];/;/'
mutant i686pt.c 'every other entry is overlooked' \
	's/((any | any >> 32) & I686_P) << i;/(any \& I686_P) << i;/'
mutant i686pt.c 'the other entries are overlooked' \
	's/((any | any >> 32) & I686_P) << i;/((any >> 32) \& I686_P) << i;/'
mutant i686pt.c 'the last line of a table is overlooked' \
	's/i < I686_LINES; i++/i < I686_LINES - 1; i++/'
mutant i686pt.c 'lines are bits of 32' \
	's/lines |= .* << i;/lines |= ((any | any >> 32) \& I686_P) << i % 32;/'
# tables of every format
mutant pt.c 'PSE-36: MAXPHYADDR is ignored' \
	's/mode->rsvd_page\[level\] |= l->high & .*/;/'
mutant pt.c 'PS of 32-bit tables counts without CR4.PSE' \
	's/mode->page\[level\] = mode->flags & HLK_PAGING_PSE;/;/'
mutant pt.c 'PSE-36: high bits are lost' \
	's/ |$/ | 0 \&/'
mutant pt.c 'MAXPHYADDR is ignored' \
	's/u64 rsvd = GENMASK_ULL(51, 0) & .*/u64 rsvd = 0;/'
mutant pt.c 'MAXPHYADDR is one more' \
	's/(~0ULL << mode->maxphyaddr);/(~0ULL << mode->maxphyaddr << 1);/'
mutant pt.c 'XD is no reserved bit without EFER.NXE' \
	's/return mode->flags & HLK_PAGING_NXE ? rsvd : rsvd | PT_XD;/return rsvd;/'
mutant pt.c 'PAE: bits 62 to 52 are ignored' \
	's/{ .shift = 12, .bits = 9, .rsvd = GENMASK_ULL(62, 52) },/{ .shift = 12, .bits = 9 },/'
mutant pt.c 'PAE: reserved bits of pointers are ignored' \
	's/ | GENMASK_ULL(8, 5) |$/ |/'
mutant pt.c 'PAE: pointers have rights' \
	's/if (mode->format->level\[level\].bare)$/if (0)/'
mutant pt.c 'PAE: the root is a page' \
	's/memmove(entries, entries + offset, PT_PDPTES \* sizeof(u64));/;/'
mutant pt.c 'PAE: what the processor holds is not asked, walking' \
	'/^int pt_read(/,/^}/s/if (l->bare &&/if (0 \&\&/'
mutant pt.c 'PAE: what the processor holds is not asked, translating' \
	'/^static int pt_read_entry/,/^}/s/level\[level\].bare &&/level[level].bare \&\& 0 \&\&/'
mutant pt.c '2 MiB: reserved bits are ignored' \
	's/\.rsvd_page = GENMASK_ULL(20, 13) },/.rsvd_page = 0 },/'
mutant pt.c '1 GiB: reserved bits are ignored' \
	's/\.rsvd_page = GENMASK_ULL(29, 13) },/.rsvd_page = 0 },/'
mutant pt.c '1 GiB though there is none' \
	's/mode->flags & HLK_PAGING_NO_1G/0/'
mutant pt.c 'PS of PML4 entries is ignored' \
	's/{ .shift = 39, .bits = 9, .rsvd = I686_PS },/{ .shift = 39, .bits = 9 },/'
mutant pt.c 'PS of PML5 entries is ignored' \
	's/{ .shift = 48, .bits = 9, .rsvd = I686_PS },/{ .shift = 48, .bits = 9 },/'
mutant pt.c 'bit 8 of PML4 entries is ignored' \
	's/if (l->shift >= 39 && mode->flags & HLK_PAGING_AMD)/if (0)/'
mutant pt.c 'bit 8 of PML4 entries is reserved to all' \
	's/if (l->shift >= 39 && mode->flags & HLK_PAGING_AMD)/if (l->shift >= 39)/'
mutant pt.c 'addresses need not be canonical' \
	's/return pt_canonical(f, \*linear) == va ? 0 : -EINVAL;/return 0;/'
mutant pt.h 'addresses are not extended' \
	's/if (f->va_bits > 32 && linear >> (f->va_bits - 1))/if (0)/'
mutant pt.c 'a range in the gap begins in the lower half' \
	's/va & (half \* 2 - 1) : half;/va \& (half * 2 - 1) : half - 4096;/'
mutant pt.c 'rights of the leaf alone' \
	's/return (rights & entry & PT_ALL) |/return (entry \& PT_ALL) |/'
mutant pt.c 'XD of the leaf alone' \
	's/((rights | entry) & PT_XD)/(entry \& PT_XD)/'
mutant pt.c 'XD is overlooked' \
	's/if (rights & PT_XD)/if (0)/'
mutant pt.c 'CR0.WP is ignored' \
	's/else if (!(mode->flags & HLK_PAGING_WP))/else if (0)/'
mutant pt.c 'SMEP is ignored' \
	's/if (mode->flags & HLK_PAGING_SMEP)/if (0)/'
mutant pt.c 'SMAP is ignored' \
	's/if (mode->flags & HLK_PAGING_SMAP)/if (0)/'
mutant pt.c 'SMAP is of a supervisor'"'"'s pages, too' \
	's/if (!(rights & I686_U))$/if (0)/'
mutant pt.c 'keys of PKRU are of all pages' \
	's/u32 keys = rights & I686_U ? mode->pkru : mode->pkrs;/u32 keys = mode->pkru;/'
mutant pt.c 'CR4.PKS is that of PKE' \
	's/u32 on = rights & I686_U ? .*/u32 on = HLK_PAGING_PKE;/'
mutant pt.c 'keys have three bits' \
	's/(leaf >> 59 & 15)/(leaf >> 59 \& 7)/'
mutant pt.c 'keys deny no writes' \
	's/if (keys & 2)/if (0)/'
mutant pt.c 'PAT of a large page stays where it is' \
	's/return entry & I686_PAT_LARGE ? flags | I686_PAT : flags;/return flags;/'
mutant pt.c 'the offset in a large page is lost' \
	's/pt_page_gfn(f, level, entry) + (linear >> PAGE_SHIFT);/pt_page_gfn(f, level, entry);/'
mutant pt.c 'an entry is read of another one' \
	's/gpa += nr \* mode->format->width;/gpa += nr * sizeof(u32);/'
mutant pt.c 'runs are joined over unequal attributes' \
	's/run->attributes == m->attributes &&/1 \&\&/'
mutant pt.c 'runs are joined over unequal sizes' \
	's/ && run->page_shift == m->page_shift &&/ \&\&/'
mutant pt.c 'runs are joined though frames do not follow' \
	's/ && run->gpa + bytes == m->gpa//'
mutant pt.c 'a cut alias moves its table' \
	's/^\t\tm.va += skip;/&\n\t\tm.gpa += skip;/'
mutant pt.c 'a cut alias reaches behind its slot' \
	's/^\t\tm.pages -= skip >> PAGE_SHIFT;/\t\t;/'
mutant pt.c 'the end of a range is ignored inside a large page' \
	's/u64 end = min(va + pt_span(f, level), walk->end);/u64 end = va + pt_span(f, level);/'
mutant pt.c 'all of a large page is memory if its first one is' \
	's/(end - first) >> PAGE_SHIFT, &is_ram);/1, \&is_ram);\n\t\tm.pages = (end - first) >> PAGE_SHIFT;/'
mutant pt.c 'a continued walk forgets owners' \
	's/^\tif (before && level == 1)$/\tif (before)/'
mutant pt.c 'a continued walk reports aliases again' \
	's/^\t\treturn before ? 0 : walk_add(walk, m);/\t\treturn walk_add(walk, m);/'
mutant pt.c 'the cursor is one page late' \
	's/walk->cursor = walk_cursor(f, walk->run.root, linear);/walk->cursor = walk_cursor(f, walk->run.root, linear + 4096);/'
mutant pt.c 'the limit of tables is one more' \
	's/walk->tables_read >= walk->max_tables/walk->tables_read > walk->max_tables/'
mutant pt.c 'a table is met at one level only' \
	's/u64 key = gfn << 2 | level;/u64 key = gfn << 2;/'
mutant pt.c 'reserved bits are passed over' \
	's/^\treturn walk_add(walk, m);/\treturn 0;/'
mutant pt.c 'a fatal signal is ignored' \
	's/fatal_signal_pending(current)/0/'
mutant pt.c 'tables of the walk are not freed' \
	's/^\t\tkfree(walk->table\[i\]);/\t\t;/'

# leaves
mutant place.h 'a writable leaf stays writable' \
	's/return (flags & ~I686_W) | I686_COW;/return flags | I686_COW;/'
mutant place.h 'copy-on-write is not set' \
	's/return (flags & ~I686_W) | I686_COW;/return flags \& ~I686_W;/'
mutant place.h 'copy-on-write on each leaf, the read-only ones too' \
	's/ || !(flags & (I686_W | I686_COW)))/)/'
mutant place.h 'other AVL bits are lost with copy-on-write' \
	's/return (flags & ~I686_W) | I686_COW;/return (flags \& ~(I686_W | I686_AVL)) | I686_COW;/'
mutant reloc.c 'aliased pages are copied on write by the guest' \
	's/return known & FRAME_WRITABLE && known >= 2 \* FRAME_LEAF &&$/return 0 \&\&/'
mutant reloc.c 'read-only pages with several mappings go to scratch' \
	's/return known & FRAME_WRITABLE && known >= /return known >= /'
mutant reloc.c 'every writable page goes to scratch' \
	's/return known & FRAME_WRITABLE && known >= .*/return known \& FRAME_WRITABLE \&\&/'
mutant reloc.c 'pages with two mappings are copied on write by the guest' \
	's/known >= 2 \* FRAME_LEAF/known >= 3 * FRAME_LEAF/'
mutant reloc.c 'an aliased leaf keeps copy-on-write' \
	's/flags &= ~I686_COW;$/;/'
mutant reloc.c 'a read-only aliased leaf loses copy-on-write' \
	's/^\tif (flags & I686_W)$/\tif (1)/'
mutant reloc.c 'leaves of aliased pages become copy-on-write' \
	's/^\tif (!(placed & PLACED_ALIASED))$/\tif (1)/'
mutant reloc.c 'an aliased page is placed as any other' \
	's/(aliased ? PLACED_ALIASED : 0);/0;/'
mutant reloc.c 'any page is placed as an aliased one' \
	's/(aliased ? PLACED_ALIASED : 0);/PLACED_ALIASED;/'
mutant reloc.c 'aliased pages are one and the same' \
	's/kept->gfn = r->next_shared++;/kept->gfn = r->next_shared;/'
mutant reloc.c 'writable leaves count as read-only ones' \
	's/flags & I686_W ? FRAME_WRITABLE : 0, /0, /'
mutant reloc.c 'a frame met writable second is not noted' \
	's/frame = before | writable;/frame = before;/'
mutant reloc.c 'a frame met read-only second is not writable' \
	's/frame = before | writable;/frame = (before \& ~FRAME_WRITABLE) | writable;/'
mutant reloc.c 'tables mapped as data become copy-on-write' \
	's/^\t\tgfn = live->gfn;/&\n\t\tflags = hlk_reloc_cow(r->snap, flags);/'
mutant reloc.c 'tables mapped as data are stale copies' \
	's/^\tif (xa_is_err(known))$/\tif (!xa_is_value(known) \&\& !xa_is_err(known))\
		known = NULL;\n&/'
mutant reloc.c 'tables mapped as data stay where they were' \
	's/^\t} else if (entry) {/\t} else if (0) {/'
mutant reloc.c 'a table in the buffers stays where it was' \
	's/^\t\tentry = xa_load(&r->frames, gfn);/\t\tentry = NULL;/'
mutant place.h 'host copy-on-write is ignored' \
	's/if (snap->flags & HLK_SNAPSHOT_HOST_COW ||/if (0 ||/'
mutant reloc.c 'host copy-on-write moves aliased pages' \
	's/^\t       !(r->p->flags & HLK_SNAPSHOT_HOST_COW);/\t       1;/'
mutant reloc.c 'absent entries are cleared' \
	's/^\t\t\tif (!(entry & I686_P))$/\t\t\tif (!(entry \& I686_P) \&\& !(entries[nr] = 0))/'
mutant reloc.c 'absent entries are relocated' \
	's/^\t\t\tif (!(entry & I686_P))$/\t\t\tif (0)/'
mutant reloc.c 'leaves are looked at before all tables are known' \
	'/^static int reloc_directories/,/^}/s/fatal_signal_pending(current)/reloc_tables(r)/
	s/^static int reloc_directories(/static int reloc_tables(struct reloc *r);\n&/
	s/^\t\t\terr = reloc_fetch(.*/&\nif (table->page \&\& !table->is_root)\ncontinue;/'
mutant reloc.c 'of each line one leaf alone waits' \
	's/|= BIT(nr % I686_LINE_ENTRIES);/= BIT(nr % I686_LINE_ENTRIES);/'
mutant reloc.c 'of each line one leaf alone gets its place' \
	's/bits; bits &= bits - 1) {/bits; bits = 0) {/'
mutant reloc.c 'of each table one line alone gets its places' \
	'/^static int reloc_finish_leaves/,/^}/s/lines; lines &= lines - 1) {/lines; lines = 0) {/'
mutant reloc.c 'of each table one line alone is looked at' \
	'/^static int reloc_leaves/,/^}/s/lines; lines &= lines - 1) {/lines; lines = 0) {/'
mutant reloc.c 'half a line waits' \
	's/^\t\ttable->pending\[nr \/ I686_LINE_ENTRIES\] |= /\t\tif (nr % 16 < 8)\n\t&/'

# frames, and what is known of them
mutant reloc.c 'a frame met again is known as the next one' \
	's/^\txa_store(&r->frames, gfn, \*entry, HLK_GFP);/\t;/'
mutant reloc.c 'a table that a leaf maps is a table no more' \
	's/^\t\*entry = known;/\t;/'
mutant reloc.c 'a leaf that meets a frame again has the next one' \
	's/^\t\t\*entry = xa_mk_value(frame);/&\n\t\txa_store(\&r->frames, gfn, *entry, HLK_GFP);\n\t\t*entry = xa_mk_value(r->nr_frames);\n\t\treturn 0;/'
mutant reloc.c 'a frame met again counts against the limit' \
	's/^\t\tbefore = xa_to_value(known);/if (reloc_number(r, gfn))\nreturn -EDQUOT;\n&/'
mutant reloc.c 'a frame that cannot be noted is as good as noted' \
	's/^\tif (xa_is_err(known))$/\tif (0)/'
mutant reloc.c 'all frames have the same number' \
	's/^\tr->nr_frames++;/\t;/'
mutant reloc.c 'what else is known of a frame counts as its number' \
	's/r->placed\[frame & FRAME_NR\]/r->placed[frame]/'
mutant reloc.c 'the array of places is leaked' \
	's/^\tkvfree(r.placed);/\t;/'
mutant reloc.c 'the array of places is short of one' \
	's/kvcalloc(r->nr_frames, sizeof(\*r->placed)/kvcalloc(r->nr_frames - !!r->nr_frames, sizeof(*r->placed)/'
mutant reloc.c 'more frames than an entry can number' \
	's/if (r->nr_frames == MAX_FRAMES)/if (0)/'
mutant reloc.c 'one frame more than an entry can number' \
	's/if (r->nr_frames == MAX_FRAMES)/if (r->nr_frames > MAX_FRAMES)/'
mutant reloc.c 'one frame less than an entry can number' \
	's/if (r->nr_frames == MAX_FRAMES)/if (r->nr_frames + 1 == MAX_FRAMES)/'
mutant reloc.c 'leaves of a frame are not counted' \
	's/^\t\t\tframe += FRAME_LEAF;/\t\t\t;/'
mutant reloc.c 'leaves of a frame are counted anew at the end' \
	's/if (frame < U16_MAX \* FRAME_LEAF)/if (1)/'
mutant reloc.c 'the count of leaves ends one late' \
	's/if (frame < U16_MAX \* FRAME_LEAF)/if (frame <= U16_MAX * FRAME_LEAF)/'
mutant reloc.c 'the count of leaves ends one early' \
	's/if (frame < U16_MAX \* FRAME_LEAF)/if (frame < (U16_MAX - 1) * FRAME_LEAF)/'
mutant reloc.c 'the first leaf of a frame does not count' \
	's/= r->nr_frames | writable | FRAME_LEAF;/= r->nr_frames | writable;/'
mutant reloc.c 'pages have no leaves' \
	's/kept->leaves = frame \/ FRAME_LEAF;/kept->leaves = 0;/'
mutant reloc.c 'pages have one leaf each' \
	's/kept->leaves = frame \/ FRAME_LEAF;/kept->leaves = 1;/'

# directories and tables
mutant reloc.c 'directory entries become user and writable' \
	's/\*pde = (\*pde & I686_FLAGS) | table->gfn << PAGE_SHIFT;/*pde = (*pde \& I686_FLAGS) | 6 | table->gfn << PAGE_SHIFT;/'
mutant reloc.c 'directory entries lose their flags' \
	's/\*pde = (\*pde & I686_FLAGS) | table->gfn << PAGE_SHIFT;/*pde = (*pde \& 7) | table->gfn << PAGE_SHIFT;/'
mutant reloc.c 'a table met again is copied again' \
	's/if (known && known->end == I686_ENTRIES)$/if (known \&\& known->is_root)/'
mutant reloc.c 'a root met again is copied again' \
	's/^\tif (known && known->end == I686_ENTRIES/& \&\& !known->is_root/'
mutant reloc.c 'a repeated root is not a directory' \
	's/table->is_root = true;/table->is_root = !table->is_root;/'
mutant reloc.c 'flags of CR3 are lost' \
	's/(r->p->roots\[i\] & (I686_PWT | I686_PCD));/0;/'
mutant reloc.c 'a table outside memory stays' \
	's/\*pde &= ~I686_P;$/;/'
mutant reloc.c 'a table outside memory is no error when strict' \
	'/^static int reloc_no_table/,/^}/s/HLK_SNAPSHOT_STRICT)/0)/'
mutant reloc.c 'a leaf outside memory is no error when strict' \
	'/^static int reloc_device/,/^}/s/HLK_SNAPSHOT_STRICT)/0)/'
mutant reloc.c 'a 4 MiB device is no error when strict' \
	'/^static int reloc_large/,/^}/s/HLK_SNAPSHOT_STRICT)/0)/'
mutant reloc.c 'reserved bits are accepted' \
	's/return hlk_fail(\(r->at, -EINVAL, HLK_WHY_PDE_RESERVED, root,\)$/return 0 * hlk_fail(\1/'
mutant reloc.c 'a directory is relocated as a table as well' \
	'/^static int reloc_tables/,/^}/{
		/ && !table->is_root)$/{N;s/ && !table->is_root)\n\(.*split\)/)\n\1/}
	}'
mutant reloc.c 'a directory is read again as a table' \
	'/^static int reloc_tables/,/^}/{
		/ && !table->is_root)$/{N;s/ && !table->is_root)\n\(.*reloc_read\)/)\n\1/}
	}'
mutant reloc.c 'a repeated root is fetched again' \
	's/if (table->source == NO_SOURCE || table->page)/if (table->source == NO_SOURCE)/'
mutant reloc.c 'a repeated root is read again' \
	's/^\t\tif (!err && !table->page)$/\t\tif (!err)/'
mutant reloc.c 'a table that is made is fetched' \
	's/if (table->source == NO_SOURCE || table->page)/if (table->page)/'
mutant reloc.c 'a table that is made is read' \
	's/^\tif (table->source != NO_SOURCE) {/\tif (1) {/'
mutant reloc.c 'a table that is made is what was there before' \
	's/table->source == NO_SOURCE ? __GFP_ZERO : 0/0/'
mutant reloc.c 'the next table is not fetched' \
	's/^\t\t\terr = reloc_fetch(r, list_next_entry(table, node));/\t\t\t;/'
mutant reloc.c 'a table is fetched twice' \
	's/^\t\t\terr = reloc_fetch(.*/&\nif (!err \&\& !table->page)\nerr = reloc_fetch(r, table);/'
mutant reloc.c 'a table that cannot be fetched is one of zeroes' \
	's/err = reloc_fetch(r, list_next_entry/reloc_fetch(r, list_next_entry/'
mutant reloc.c 'a table that was fetched is put twice' \
	's/^\t\ttable->ahead.page = NULL;/\t\t;/'
mutant reloc.c 'a table that was fetched is leaked with an error' \
	's/^\t\tif (table->ahead.page)$/\t\tif (0)/'
mutant reloc.c 'a table that is mapped as data counts as data' \
	's/^\t\*entry = known;/if (!xa_is_value(known) \&\& reloc_number(r, 0))\nreturn -EDQUOT;\n&/'
mutant reloc.c 'a table is found in scratch before it is made' \
	's/table->gfn = r->tables_gfn + r->nr_tables++;/table->gfn = r->tables_gfn + ++r->nr_tables;/'

mutant reloc.c 'a root outside memory is not named' \
	's/^\t\tif (err == -ENODEV)$/\t\tif (0)/'
mutant reloc.c 'a root beyond 4 GiB is cut off' \
	's/if (r->p->roots\[i\] >= I686_VA_END)/if (0)/'

# 4 MiB pages
mutant reloc.c 'PAT of a 4 MiB page is lost' \
	's/table->split_leaf |= .*/table->split_leaf |= *pde \& I686_FLAGS \& ~I686_PS;/'
mutant reloc.c 'accessed and dirty bits keep tables apart' \
	's/u64 key = KEY_SPLIT(\*pde & ~(I686_A | I686_D), partly);/u64 key = KEY_SPLIT(*pde, partly);/'
mutant reloc.c 'accessed and dirty bits of the second are lost' \
	's/table->split_leaf |= i686_large_leaf(\*pde);/if (!table->split_leaf)\n\t\t&/'
mutant reloc.c 'the directory entry of a split page is always writable' \
	's/writable = partly || \*pde & (I686_W | I686_COW);/writable = true;/'
mutant reloc.c 'the directory entry of a split page is not writable for a copy' \
	's/writable = partly || \*pde & (I686_W | I686_COW);/writable = partly || *pde \& I686_W;/'
mutant reloc.c 'a device of 4 MiB is split' \
	's/if (!known && !partly && large_not_ram(r, i686_large_gfn(\*pde)))/if (0)/'
mutant reloc.c 'a device of 4 MiB hides what memory there is' \
	's/if (r->gmem->ops->is_ram(r->gmem, gfn + nr))/if (nr == 0 \&\& r->gmem->ops->is_ram(r->gmem, gfn + nr))/'
mutant reloc.c 'a device beyond 4 GiB is cut off' \
	's/^\tif (gfn >> I686_GFN_BITS)$/\tif (0)/'
mutant reloc.c 'all pages of a split are the first' \
	's/nr, table->split_gfn + nr,/nr, table->split_gfn,/'
mutant reloc.c 'the last page of a split is not mapped' \
	'/^static int reloc_split/,/^}/s/nr < table->end/nr + 1 < table->end/'
mutant reloc.c 'a split page in the slot of scratch covers it' \
	'/^static int reloc_split/,/^}/s/nr < table->end/nr < I686_ENTRIES/'
mutant reloc.c 'a split page in the slot of scratch leaves it out' \
	'/^static int reloc_large/,/^}/s/^\tif (partly)$/\tif (0)/'
mutant reloc.c 'a split page has the leaves of a table' \
	's/err = table->split ? reloc_split(r, table) :/err = 0 ? 0 :/'

mutant reloc.c 'a split page in the slot of scratch is the same elsewhere' \
	's/KEY_SPLIT(\*pde & ~(I686_A | I686_D), partly);/KEY_SPLIT(*pde \& ~(I686_A | I686_D), 0);/'

# scratch
mutant reloc.c 'of a split page one line alone gets its places' \
	's/table->lines = ~0ULL;/table->lines = 1;/'
mutant reloc.c 'aliased pages get space for each leaf but one' \
	's/r->nr_aliased += reloc_aliased(r, frame) - .*/r->nr_aliased += reloc_aliased(r, frame);/'
mutant reloc.c 'aliased pages get no space of their own' \
	's/^\t\tr->nr_aliased += .*/\t\t;/'
mutant reloc.c 'the last aliased page gets no space' \
	's/end = r->next_shared + r->nr_aliased;/end = r->next_shared + r->nr_aliased - !!r->nr_aliased;/'
mutant reloc.c 'an aliased page that is met writable third gets no space' \
	's/r->nr_aliased += reloc_aliased(r, frame) - .*/r->nr_aliased += reloc_aliased(r, frame) \&\& before < 2 * FRAME_LEAF;/'
mutant reloc.c 'an aliased page does not count as one' \
	's/r->snap->counts.aliased++;/;/'
mutant reloc.c 'the last pages, too few for a batch, are never kept' \
	's/last = hlk_snap_keep(.*;/last = 0;/'
mutant reloc.c 'the last pages that cannot be kept are no error' \
	's/return err ?: last;/return err;/'
mutant reloc.c 'an error is forgotten over the last pages' \
	's/return err ?: last;/return last;/'
mutant reloc.c 'a batch that is full is never kept' \
	's/^\t\terr = hlk_snap_keep(.*;/\t\terr = 0;/'
mutant reloc.c 'a batch that was kept is kept again' \
	'/^static int reloc_pages/,/^}/s/^\t\tnr = 0;/\t\tnr--;/'
mutant reloc.c 'a batch is larger than it can be' \
	's/if (++nr < HLK_KEEP_MANY)/if (++nr <= HLK_KEEP_MANY)/'
mutant reloc.c 'pages that wait are lost with an error' \
	's/last = hlk_snap_keep(/last = err ? 0 : hlk_snap_keep(/'
mutant reloc.c 'entries of scratch are relocated' \
	's/end = min(nr + I686_LINE_ENTRIES, table->end);/end = nr + I686_LINE_ENTRIES;/'
mutant reloc.c 'one page of the buffers is not fixed' \
	's/(gfn < r->tables_gfn ||/(gfn + 1 < r->tables_gfn ||/'
mutant reloc.c 'scratch is for users' \
	's/return gfn << PAGE_SHIFT | I686_P | I686_W | I686_A | I686_D;/return gfn << PAGE_SHIFT | I686_P | I686_W | I686_U | I686_A | I686_D;/'
mutant reloc.c 'the directory entry of scratch is for users' \
	's/\*pde = I686_P | I686_W | I686_A | table->gfn << PAGE_SHIFT;/*pde = I686_P | I686_W | I686_U | I686_A | table->gfn << PAGE_SHIFT;/'
mutant reloc.c 'the guard page is mapped' \
	's/if (gfn == SCRATCH_END - (HLK_GUEST_OFF_GUARD >> PAGE_SHIFT))/if (0)/'
mutant reloc.c 'what shares the slot of scratch is dropped' \
	's/^\t\tif (partly)$/\t\tif (0)/'
mutant reloc.c 'a read-only entry over scratch makes its pages writable' \
	's/table->keep &= ~(I686_W | I686_COW);/;/'
mutant reloc.c 'copy-on-write gives what the directory entry denied' \
	's/table->keep &= ~(I686_W | I686_COW);/table->keep \&= ~I686_W;/'
mutant reloc.c 'a supervisor entry over scratch: one table for all' \
	's/u64 key = KEY_SHARED_SLOT(i686_gfn(\*pde), rights >> 1);/u64 key = KEY_SHARED_SLOT(i686_gfn(*pde), 0);/'
mutant reloc.c 'scratch begins one page late in its slot' \
	's/table->end = slot == r->scratch_slot ? r->scratch_first : 0;/table->end = slot == r->scratch_slot ? r->scratch_first + 1 : 0;/'
mutant reloc.c 'the second slot of scratch is shifted' \
	's/ - r->scratch_first + table->end/ - (table->end ? r->scratch_first : 0) + table->end/'
mutant reloc.c 'all slots of scratch are the first' \
	's/^\t      (u64)(table->slot - r->scratch_slot) \* I686_SLOT_PAGES;/\t      0;/'
mutant reloc.c 'a table that shares its slot with scratch leaves it out' \
	'/^static int reloc_shared_slot/,/^}/s/table->end = r->scratch_first;/;/'
mutant reloc.c 'a copy is the table that maps scratch too' \
	's/if (known && known->end == I686_ENTRIES)$/if (known)/'
mutant reloc.c 'a copy after the table that maps scratch too is forgotten' \
	'/^static .*reloc_copy(/,/^}/s/^\t\*err = xa_err(/\t*err = known ? 0 : xa_err(/'
mutant reloc.c 'the table that maps scratch too takes the place of a copy' \
	's/if (source == NO_SOURCE || xa_load(&r->frames, source))/if (source == NO_SOURCE)/'
mutant reloc.c 'the table that maps scratch too is data to leaves' \
	's/^\t\*err = xa_err(xa_store(&r->frames, source, .*/\t*err = 0;/'
mutant reloc.c 'a table counts once for each of its new ones' \
	's/r->snap->counts.tables_read += !known;/r->snap->counts.tables_read++;/'
mutant reloc.c 'a table that maps scratch too does not count as read' \
	'/^static struct new_table \*reloc_made/,/^}/s/r->snap->counts.tables_read++;/;/'
mutant reloc.c 'the directory entry over scratch is not writable' \
	's/\*pde = (\*pde & I686_FLAGS) | I686_W | table->gfn << PAGE_SHIFT;/*pde = (*pde \& I686_FLAGS) | table->gfn << PAGE_SHIFT;/'
mutant reloc.c 'buffers and stacks are moved' \
	's/return hlk_range_has(r->scratch, gfn) &&/return 0 \&\&/'
mutant reloc.c 'only buffers stay' \
	's/^\t\tgfn >= SCRATCH_ALLOC_END);/\t\t0);/'
mutant reloc.c 'shared pages overlap tables' \
	's/r->next_shared = r->tables_gfn + r->nr_tables;/r->next_shared = r->tables_gfn + r->nr_tables - 1;/'
mutant reloc.c 'the allocator starts on the last shared page' \
	's/first_free = end <</first_free = (end - (end > r->next_shared)) <</'
mutant reloc.c 'scratch may be overfull by a page' \
	's/^\tif (end > limit)/\tif (end > limit + 1)/'
mutant reloc.c 'tables reach over the exception stack' \
	's/u64 limit = SCRATCH_ALLOC_END;/u64 limit = SCRATCH_END;/'
mutant place.c 'generation is not written' \
	's/{ top - HLK_GUEST_OFF_GENERATION, snap->generation },//'
mutant place.c 'the second buffer is not empty' \
	's/{ bottom + snap->input_bytes, HLK_GUEST_BUFFER_EMPTY },//'
mutant place.c 'too many roots are published' \
	's/snap->nr_roots <= HLK_GUEST_MAX_ROOTS ?/snap->nr_roots <= HLK_GUEST_MAX_ROOTS + 1 ?/'
mutant place.c 'published roots are all the first' \
	's/^\t\t\t\tsnap->roots\[i\]);/\t\t\t\tsnap->roots[0]);/'

# pages
mutant snap.c 'zero pages cost memory' \
	's/if (!page || !memchr_inv(page_address(page), 0, PAGE_SIZE))/if (!page)/'
mutant snap.c 'the last byte of a page is not looked at' \
	's/!memchr_inv(page_address(page), 0, PAGE_SIZE)/!memchr_inv(page_address(page), 0, PAGE_SIZE - 1)/'
mutant snap.c 'pages of the parent are copied' \
	's/if (page && kept->gpage.frozen) {/if (0) {/'
mutant snap.c 'pages of a running guest are shared' \
	's/if (page && kept->gpage.frozen) {/if (page) {/'
mutant snap.c 'a shared page is not counted' \
	'/if (page && kept->gpage.frozen) {/,/}/s/hlk_count_pages(1);/;/'
mutant snap.c 'a shared page is put' \
	's/^\t\tkept->gpage.page = NULL;/\t\t;/'
mutant snap.c 'the guest page is not put' \
	's/put_page(kept\[i\].gpage.page);/;/'
mutant snap.c 'pages after one that cannot be kept are not put' \
	's/^\t\tif (kept\[i\].gpage.page)$/\t\tif (!err \&\& kept[i].gpage.page)/'
mutant snap.c 'the last of the pages is not put' \
	'/^int hlk_snap_keep/,/^}/{/i < nr; i++)$/{N;/gpage.page)$/s/i < nr/i + 1 < nr/}}'
mutant snap.c 'a guest page that is as in the parent is not put' \
	'/^\tif (page && old && snap_equal/,/^\t}/s/^\t\treturn 0;/\t\tkept->gpage.page = NULL;\n&/'
mutant snap.c 'a guest page of zeroes is not put' \
	's/^\t\tsnap->counts.zero++;/\t\tkept->gpage.page = NULL;\n&/'
mutant snap.c 'pages are not copied' \
	'/^int hlk_snap_keep/,/^}/s/if (kept\[i\].copy && .*/if (0)/'
mutant snap.c 'the last of the pages is not copied' \
	'/^int hlk_snap_keep/,/^}/{/i < nr; i++)$/{N;/copy && /s/i < nr/i + 1 < nr/}}'
mutant snap.c 'the last bytes of a page are not copied' \
	's/hlk_copy_page(kept\[i\].copy, kept\[i\].gpage.page)/!memcpy(page_address(kept[i].copy), page_address(kept[i].gpage.page), PAGE_SIZE - 8)/'
mutant snap.c 'where the page before was copied to is not forgotten' \
	's/^\t\tkept\[i\].copy = NULL;/\t\t;/'
mutant snap.c 'a page that has no place is copied' \
	's/^\terr = snap_put(snap, kept->gfn, copy/\tkept->copy = copy;\n&/'
mutant snap.c 'a page that cannot be copied is forgotten over the next' \
	'/^int hlk_snap_keep/,/^}/s/^\t\tif (!err)$/\t\tif (1)/'
mutant snap.c 'a copied page does not count as one' \
	's/snap->counts.copied++;/;/'
mutant snap.c 'the limit of pages is one more' \
	's/snap->nr_pages >= snap->max_pages/snap->nr_pages > snap->max_pages/'
mutant snap.c 'leaves of a page are lost' \
	's/snap_put(snap, kept->gfn, copy, kept->leaves)/snap_put(snap, kept->gfn, copy, 0)/'
mutant snap.c 'leaves of a shared page are lost' \
	's/snap_put(snap, kept->gfn, page, kept->leaves)/snap_put(snap, kept->gfn, page, 0)/'
mutant snap.c 'leaves of a page never touched are lost' \
	's/snap_put(snap, kept->gfn, NULL, kept->leaves)/snap_put(snap, kept->gfn, NULL, page ? kept->leaves : 0)/'
mutant snap.c 'leaves of a page of zeroes are lost' \
	's/snap_put(snap, kept->gfn, NULL, kept->leaves)/snap_put(snap, kept->gfn, NULL, page ? 0 : kept->leaves)/'
mutant snap.c 'no page has leaves where it has no bytes' \
	's/if (!page && !leaves && /if (!page \&\& /'
mutant snap.c 'leaves of a page are not added' \
	's/^\tpages->leaves\[slot\] += min_t(.*;/\t;/'
mutant snap.c 'leaves of a page begin anew at their end' \
	's/+= min_t(u16, leaves, U16_MAX - pages->leaves\[slot\]);/+= leaves;/'
mutant snap.c 'what a parent has there is not looked at' \
	's/struct page \*old = kept->leaves ? NULL : hlk_snap_page(snap, kept->gfn);/struct page *old = NULL;/'
mutant snap.c 'a page is leaked when its place cannot be stored' \
	'/^drop:/,/^}/s/hlk_page_free(page);/;/'
mutant reloc.c 'a table is leaked with an error' \
	's/^\t\tif (table->page)$/\t\tif (0)/'
mutant reloc.c 'a table that was stored is freed' \
	's/^\t\ttable->page = NULL;/\t\t;/'
mutant place.c 'data goes to scratch too' \
	's/if (range->flags & HLK_WINDOW_SCRATCH ||$/if (0 ||/'
mutant place.c 'data goes where no 4 KiB entry can lead' \
	's/if (\*gfn >> I686_GFN_BITS)/if (0)/'
mutant reloc.c 'the limit of pages is one more' \
	's/if (r->nr_frames >= r->p->max_pages)/if (r->nr_frames > r->p->max_pages)/'
mutant reloc.c 'the limit of tables is one more' \
	's/r->nr_met++ >= r->p->max_tables/r->nr_met++ > r->p->max_tables/'
mutant snap.c 'a fatal signal is ignored' \
	's/if (fatal_signal_pending(current))/if (0)/'
mutant reloc.c 'a fatal signal is ignored by compactions' \
	's/fatal_signal_pending(current)/0/'
mutant snap.c 'windows may overlap by a page' \
	's/if (range->gfn < old->gfn + old->pages &&/if (range->gfn + 1 < old->gfn + old->pages \&\&/'
mutant snap.c 'a page that is replaced is leaked' \
	's/^\t\thlk_page_free(old);/\t\t;/'
mutant chunk.c 'pages outlive their chunk' \
	'/^void hlk_chunk_release/,/^}/s/hlk_page_free(chunk->pages->page\[i\]);/;/'
mutant reloc.c 'the path to a table is not freed' \
	's/^\t\tkfree(table);$/\t\t;/'
mutant chunk.c 'allocations that no cgroup pays for' \
	's/alloc_page(HLK_GFP/alloc_page(GFP_KERNEL/'
mutant place.c 'CR3 of another root' \
	's/if (i686_gfn(old_roots\[i\]) == i686_gfn(cr3))/if (0)/'

# directories as tables
mutant reloc.c 'a 4 MiB entry is shown to user code as a table' \
	's/^\t\treturn old != new || r->gmem/\t\treturn r->gmem/'
mutant reloc.c 'a 4 MiB entry that is kept is shown to user code as memory' \
	's/return old != new || r->gmem->ops->is_ram(r->gmem, i686_gfn(old));/return old != new;/'
mutant reloc.c 'an entry that scratch made writable is shown to user code' \
	's/return new & ~old & I686_W;/return false;/'
mutant reloc.c 'a directory that only the kernel sees is refused' \
	's/table->seen |= table->is_root && \*pde & I686_U;/table->seen |= table->is_root;/'
mutant reloc.c 'an entry that only the kernel sees is refused' \
	's/if (~old & (I686_P | I686_U) ||/if (~old \& I686_P ||/;s/ ~new & (I686_P | I686_U))/ ~new \& I686_P)/'

# segments
mutant snap.c 'zeroes that are written cost a page' \
	's/bool zero = !memchr_inv(page_address(page), 0, PAGE_SIZE);/bool zero = false;/'
mutant snap.c 'a page that is zero by now stays' \
	's/^\tif (zero == fresh) {/\tif (zero == fresh || zero) {/'
mutant snap.c 'a fresh page of zeroes is leaked' \
	'/^static int snap_written/,/^}/s/hlk_page_free(page);/;/'
mutant snap.c 'a fresh page is leaked when it cannot be filled' \
	'/^int hlk_snap_write/,/^}/s/^\t\t\thlk_page_free(page);/\t\t\t;/'

# chunks, which parents and children share
mutant snap.c 'a shared chunk is changed where it is' \
	's/return kref_read(&chunk->ref) == 1 \&\& /return /'
mutant chunk.c 'a copied chunk forgets its leaves' \
	's/memcpy(new->leaves, old->leaves, sizeof(new->leaves));/;/'
mutant chunk.c 'a copied chunk takes no references' \
	'/^static int chunk_copy_pages/,/^}/s/get_page(new->page\[i\]);/;/'
mutant chunk.c 'pages of a copied chunk are not counted' \
	'/^static int chunk_copy_pages/,/^}/s/hlk_count_pages(1);/;/'
mutant snap.c 'an inherited chunk is not held' \
	'/^int hlk_snap_inherit/,/^}/s/kref_get(&chunk->ref);/;/'
mutant snap.c 'inherited pages are not numbered' \
	's/snap->nr_pages = parent->nr_pages;/;/'
mutant snap.c 'inherited pages do not count as such' \
	's/snap->counts.inherited = parent->counts.pages;/;/'
mutant snap.c 'a page that goes is not numbered' \
	's/snap->nr_pages -= had;/;/'
mutant snap.c 'the count of leaves begins anew at its end' \
	's/if (chunk->pages->leaves\[slot\] != U16_MAX)/if (1)/'
mutant snap.c 'tables are freed with one of two snapshots' \
	'/^void hlk_snap_clear/,/^}/s/kref_put(&snap->tables->ref, tables_release);/tables_release(\&snap->tables->ref);/'
mutant snap.c 'an equal page of the parent is copied' \
	's/if (page && old && snap_equal(page, old)) {/if (0) {/'
mutant snap.c 'a replaced page still counts' \
	'/^static int snap_keep/,/^}/s/^\t\tsnap->counts.pages--;/\t\t;/'

# over the parent
mutant delta.c 'another buffer size is taken for the same' \
	's/parent->input_bytes != p->input_bytes ||/0 ||/'
mutant delta.c 'the other buffer size is taken for the same' \
	's/parent->output_bytes != p->output_bytes ||/0 ||/'
mutant delta.c 'another mode is taken for the same' \
	's/!same_mode(&parent->mode, &p->mode) ||/0 ||/'
mutant delta.c 'who copies on write may change' \
	's/(parent->flags ^ p->flags) & HLK_SNAPSHOT_HOST_COW ||/0 ||/'
mutant delta.c 'a parent with devices is good enough' \
	's/parent->counts.leaf_not_ram || parent->counts.table_not_ram ||/0 ||/'
mutant delta.c 'fewer roots are taken for the same' \
	's/ || parent->nr_roots != p->nr_roots)/)/'
mutant delta.c 'the order of roots is taken for the same' \
	's/^\t\t    i686_gfn(parent->roots\[i\]) != i686_gfn(p->roots\[i\]))/\t\t    0)/'
mutant delta.c 'the limit of tables is not for children' \
	's/parent->tables->nr > p->max_tables ||/0 ||/'
mutant delta.c 'accessed bits are a change' \
	's/return (a ^ b) & ~(I686_A | I686_D);/return a ^ b;/'
mutant delta.c 'rights are no change' \
	's/return (a ^ b) & ~(I686_A | I686_D);/return (a ^ b) \& ~(I686_A | I686_D | I686_U);/'
mutant delta.c 'a page in scratch may lose a mapping' \
	's/if (old & I686_P && !delta_dense(d, from))/if (0)/'
mutant delta.c 'rights of one of several mappings may change' \
	's/return hlk_snap_leaves(d->parent, from) == 1 ? 0 : -EAGAIN;/return 0;/'
mutant delta.c 'any page may be mapped' \
	's/if (!delta_free_scratch(d, to) || xa_load(&d->frames, to))/if (xa_load(\&d->frames, to))/'
mutant delta.c 'a fresh page may be mapped twice' \
	's/if (!delta_free_scratch(d, to) || xa_load(&d->frames, to))/if (!delta_free_scratch(d, to))/'
mutant delta.c 'the bookkeeping is free scratch' \
	's/ && gfn < SCRATCH_ALLOC_END;/;/'
mutant delta.c 'tables are free scratch' \
	's/return gfn >= d->parent->first_free >> PAGE_SHIFT &&/return gfn >= d->parent->tables->gfn \&\&/'
mutant delta.c 'directory entries are not looked at' \
	's/err = delta_differ(old\[i\], new\[i\]) ? -EAGAIN : 0;/err = 0;/'
mutant delta.c 'entries of scratch stay as the guest left them' \
	's/memcpy(new + end, old + end, (I686_ENTRIES - end) \* sizeof(\*new));/;/'
mutant delta.c 'entries of scratch are judged' \
	'/^static int delta_judge_table/,/^}/s/i < tables->info\[nr\].end;/i < I686_ENTRIES;/'
mutant delta.c 'the last table is not looked at' \
	's/gfn < tables->gfn + tables->nr) {/gfn + 1 < tables->gfn + tables->nr) {/'
mutant delta.c 'a page that is mapped elsewhere loses its frame' \
	's/if (!(old & I686_P) || hlk_snap_leaves(d->snap, to) != 1) {/if (!(old \& I686_P)) {/'
mutant delta.c 'a page that moves leaves its count behind' \
	'/^static int delta_map/,/^}/s/err = hlk_snap_count_leaf(d->snap, to, -1);/err = 0;/'
mutant delta.c 'a fresh page has no leaf' \
	'/^static int delta_map/,/^}/s/err = hlk_snap_count_leaf(d->snap, to, 1);/err = 0;/'
mutant delta.c 'a page that is unmapped stays' \
	'/^static int delta_unmap/,/^}/s/return hlk_snap_set(d->snap, gfn, NULL);/return 0;/'
mutant delta.c 'a page that is unmapped still counts' \
	'/^static int delta_unmap/,/^}/s/counts->pages--;/;/'
mutant delta.c 'a page of zeroes that is unmapped still counts' \
	'/^static int delta_unmap/,/^}/s/counts->zero--;/;/'
mutant delta.c 'a page of zeroes that was written still counts' \
	'/^static int delta_keep/,/^}/s/counts->zero--;/;/'
mutant delta.c 'a fresh page stays writable' \
	's/\*new = to << PAGE_SHIFT | hlk_reloc_cow(d->snap, \*new & I686_FLAGS);/*new = to << PAGE_SHIFT | (*new \& I686_FLAGS);/'
mutant delta.c 'a page that became writable stays so' \
	'/^static int delta_leaf/,/^}/s/hlk_reloc_cow(d->snap, \*new & I686_FLAGS);/(*new \& I686_FLAGS);/'
mutant delta.c 'pages written in place are lost' \
	's/ret = delta_keep(d, gfn, gfn);/ret = 0;/'
mutant delta.c 'pages in the place of others are taken from there again' \
	's/if (gfn - tables->gfn < tables->nr || xa_load(&d->frames, gfn) ||/if (gfn - tables->gfn < tables->nr ||/'
mutant delta.c 'scratch that no one maps is kept' \
	's/^\t\t    !hlk_snap_leaves(d->snap, gfn))/\t\t    0)/'
mutant delta.c 'gaps are filled before their pages are gone' \
	's/snap->dense_used = parent->dense_used;/snap->dense_used = 0;/'
mutant delta.c 'no room is an error at once' \
	's/if (err == -ENOSPC) {/if (0) {/'
mutant delta.c 'a second try begins with the first' \
	's/^\t\thlk_snap_clear(snap);/\t\t;/'
mutant delta.c 'flags of CR3 are those of the parent' \
	's/(d->p->roots\[i\] & (I686_PWT | I686_PCD));/(parent->roots[i] \& (I686_PWT | I686_PCD));/'
mutant delta.c 'tables of the parent are not held' \
	's/kref_get(&snap->tables->ref);/;/'
mutant delta.c 'tables that were read are leaked' \
	's/^\t\thlk_page_free(page);$/\t\t;/'
mutant delta.c 'a fatal signal is ignored' \
	's/if (fatal_signal_pending(current))/if (0)/'
mutant delta.c 'kept tables are those of the parent' \
	's/d->snap->counts.tables_kept--;/;/'
mutant delta.c 'a page that is kept has a further leaf' \
	's/struct hlk_kept kept = { .gfn = to };/struct hlk_kept kept = { .gfn = to, .leaves = 1 };/'
mutant delta.c 'a page that cannot be noted is leaked' \
	's/^\t\tif (kept.gpage.page)$/\t\tif (0)/'
mutant place.c 'bookkeeping is written into the page of the parent' \
	's/err = hlk_snap_set(snap, words\[i\].gpa >> PAGE_SHIFT, NULL);/err = 0;/'

# equal pages
mutant snap.c 'the first pages of further windows are not looked at' \
	's/++\*nr, from = 0)/++*nr)/'
mutant snap.c 'equal hashes are equal pages' \
	'/^static int dedup_find/,/^}/s/snap_equal(page, other)/1/'
mutant snap.c 'the last bytes are not compared' \
	'/^static int dedup_find/,/^}/s/snap_equal(page, other)/!memcmp(page_address(page), page_address(other), PAGE_SIZE - 8)/'
mutant snap.c 'an equal page is not held' \
	'/^static int dedup_page/,/^}/s/get_page(same);/;/'
mutant snap.c 'an equal page is not counted' \
	'/^static int dedup_page/,/^}/s/snap->counts.duplicate++;/;/'
mutant snap.c 'only the first place is tried' \
	'/^static int dedup_find/,/^}/{s/for (;; hash++) {/for (u64 end = hash + 1; hash < end; hash++) {/;s/^}/\treturn 0;\n}/}'
mutant snap.c 'what was seen is leaked' \
	's/^\thlk_xa_destroy(&seen, .*/\t;/'

# marking in place
mutant mark.c 'copy-on-write is not marked' \
	's/marked = (old & ~(u64)I686_W) | I686_COW;/marked = old \& ~(u64)I686_W;/'
mutant mark.c 'a marked leaf stays writable' \
	's/marked = (old & ~(u64)I686_W) | I686_COW;/marked = old | I686_COW;/'
mutant mark.c 'read-only leaves are marked' \
	's/^\tif (!(entry & I686_W))$/\tif (0)/'
mutant mark.c 'live tables are marked' \
	's/if (mark_is_live(mark, gfn, pages))/if (0)/'
mutant mark.c 'only the first page of 4 MiB may be live' \
	's/return xa_find(&mark->tables, &index, gfn + pages - 1, XA_PRESENT);/return xa_find(\&mark->tables, \&index, gfn, XA_PRESENT);/'
mutant mark.c 'devices are marked' \
	's/if (!mark_is_ram(mark, gfn, pages))/if (0)/'
mutant mark.c 'a device of 4 MiB counts by its first page' \
	's/for (nr = 0; nr < pages && is_ram;)/for (nr = 0; !nr;)/'
mutant mark.c 'directories are marked like tables' \
	's/count = kind == PT_PAGE ? mark_judge/count = kind != PT_ABSENT ? mark_judge/'
mutant mark.c 'a directory that is a table is marked as one' \
	's/^\tif (table->level == level)$/\tif (1)/'
mutant mark.c 'tables outside the range are not known' \
	's/^\tnext = mark_meet(mark,/\tif (!part)\n\t\treturn 0;\n&/'
mutant mark.c 'the range ends a page late' \
	's/s64 last = (mark->end - 1) \/ span % entries;/s64 last = mark->end \/ span % entries;/'
mutant mark.c 'the range begins with the slot' \
	's/bool cut_first = .*/bool cut_first = false;/'
mutant mark.c 'a 4 MiB page is marked outside the range' \
	's/table->wanted\[nr\] = part;/table->wanted[nr] = true;/'
mutant mark.c 'the limit of tables is one more' \
	's/mark->nr_tables++ >= mark->max_tables/mark->nr_tables++ > mark->max_tables/'
mutant mark.c 'reserved bits are passed over' \
	's/return hlk_fail(at, -EINVAL, HLK_WHY_PDE_RESERVED, .*/return 0;/'
mutant mark.c 'what fails late has marked before' \
	's/mark_finish(mark, !err);/mark_finish(mark, true);/'
mutant mark.c 'tables are held though nothing is marked' \
	's/^\ttable->any = false;/\ttable->any = true;/'
mutant mark.c 'tables are not let go' \
	's/mark->gmem->ops->unhold(mark->gmem, gfn, table->page);/;/'
mutant mark.c 'tables without anything to mark are not counted' \
	'/^static int mark_judge_table/,/^}/s/^\t\t\t++\*count;/\t\t\t*count += table->any;/'
mutant mark.c 'of ways to a table only the last counts' \
	's/table->part |= part;/table->part = part;/'
mutant mark.c 'the end of a range is that of its slot' \
	's/bool cut_last = .*/bool cut_last = false;/'
mutant mark.c 'from where a range begins, all of the slot' \
	's/^\tif (part & MARK_FROM)$/\tif (0)/'
mutant mark.c 'up to where a range ends, all of the slot' \
	's/^\tif (part & MARK_TO)$/\tif (0)/'
mutant mark.c 'the page of the pointers is no table' \
	's/^\tif (mark->mode.format->level\[table->level\].bare)$/\tif (0)/'
mutant mark.c 'reserved bits of the lowest tables are passed over' \
	's/^\t\tif (kind == PT_RESERVED)$/\t\tif (0)/'
mutant mark.c 'half of an entry is exchanged' \
	's/return cmpxchg((u64 \*)entries + nr, old, new);/return cmpxchg((u32 *)entries + nr * 2, (u32)old, (u32)new);/'
mutant mark.c 'a fatal signal is ignored' \
	's/fatal_signal_pending(current)/0/'

# windows: what a page of the guest is
mutant window.c 'the shared page stays mapped beside the private one' \
	'/^static int window_make_private/,/^}/s/unmap_mapping_pages(vm->mapping, .*/;/'
mutant window.c 'a page that could not be made still counts' \
	'/^static int window_make_private/,/^}/s/^\tatomic64_dec(&vm->nr_private);/\t;/'
mutant window.c 'what could not be remembered counts' \
	's/ && !entry)$/ \&\& 0)/'
mutant window.c 'a page that could not be noted is leaked' \
	'/^static int window_make_private/,/^}/s/^\thlk_page_free(page);/\t;/'
mutant window.c 'the list has one page more than room' \
	's/if (window->nr < window->room)/if (window->nr <= window->room)/'
mutant window.c 'a list that grows is empty' \
	's/^\t\tmemcpy(list, window->list, .*/\t\tmemset(list, 0, window->nr * sizeof(*list));/'
mutant window.c 'a page that was given back is found still' \
	'/^static bool window_drop/,/^}/s/xa_erase(&window->index, private.index);/;/'
mutant window.c 'the page that moves in the list is looked for where it was' \
	'/^static bool window_drop/,/^}/{s/xa_store(&window->index, .*/;/;/xa_mk_value(pos), HLK_GFP);/d}'
mutant window.c 'a page that was given back is still said to be of the window' \
	'/^static bool window_try_disown/,/^}/s/WRITE_ONCE(folio->mapping, NULL);/;/'
mutant window.c 'a page that got a pin meanwhile is given back' \
	'/^static bool window_try_disown/,/^}/s/folio_maybe_dma_pinned(folio) ||/0 ||/'
mutant window.c 'a page that is given back does not go' \
	'/^static bool window_try_disown/,/^}/s/hlk_page_free(page);/;/'
mutant window.c 'going over, private pages keep their old base' \
	'/^void hlk_window_rebase/,/^}/s/window->list\[i\].base = .*/;/'
mutant shown.c 'going over, shared pages stay mapped' \
	's/if (l->end != l->first)$/if (0)/'
mutant shown.c 'going over, the last pages stay mapped' \
	'/^int hlk_window_leave/,/^}/s/^\tleaving_flush(&l);/\t;/'
mutant shown.c 'going over, pages are unmapped up to a page that stays, and no more' \
	'/^static void leaving_add/,/^}/s/leaving_flush(l);/;/'
mutant chunk.h 'going over, what was changed in a chunk stays mapped' \
	's/return ours == theirs;/return true;/'
mutant window.c 'a write to the page that was private before is let through' \
	'/^static vm_fault_t window_mkwrite/,/^}/s/private && private->page == vmf->page/private/'
mutant window.c 'giving back does not unmap' \
	'/^static u64 drop_flush/,/^}/{s/unmap_mapping_pages(.*/;/;/drop->nr, false);/d}'
mutant window.c 'giving back unmaps one page less' \
	'/^static u64 drop_flush/,/^}/s/drop->nr, false);/drop->nr - 1, false);/'
mutant window.c 'pages that lie apart are unmapped as if side by side' \
	'/^static bool drop_add/,/^}/s/else if (index != drop->first + drop->nr)/else if (0)/'
mutant window.c 'the page with the bookkeeping is given back' \
	'/^u64 hlk_window_drop/,/^}/s/pos-- > window->pinned \&\&/pos-- > 0 \&\&/'
mutant window.c 'a refusal is not told' \
	'/^static vm_fault_t window_answer/,/^}/s/if (ret & VM_FAULT_ERROR)/if (0)/'
mutant window.c 'no memory is fatal to a thread of user space' \
	's/return err == -ENOMEM \&\& !(vmf->flags & theirs) ?/return err == -ENOMEM ?/'
mutant window.c 'a page whose memory failed is mapped' \
	's/ || PageHWPoison(page))$/)/'
mutant payer.h 'who touches a page pays for it' \
	's/payer->before = set_active_memcg(payer->memcg);/payer->before = NULL;/'
mutant window.c 'a page that came back is asked as often as before' \
	'/^static void window_cool/,/^}/s/back + 1,/back,/'

# restores
mutant restore.c 'pages without a base are not cleared' \
	's/^\t\t\tclear_page(private->at);/\t\t\t;/'
mutant restore.c 'the last private page is left as it is' \
	's/const struct hlk_private \*end = &window->list\[to\];/const struct hlk_private *end = \&window->list[to] - 1;/'
mutant restore.c 'a long list is copied in part' \
	's/from < window->nr \&\& !ret; from = to/from < window->nr \&\& !ret; from = to + 1/'
mutant restore.c 'the last bytes are not compared' \
	's/page_address(private->base), PAGE_SIZE);/page_address(private->base), PAGE_SIZE - 8);/'
mutant restore.c 'a page that was written again is idle still' \
	'/^static bool restore_idle/,/^}/s/private->idle = 0;/;/'
mutant restore.c 'a probe that finds a page unwritten copies it too' \
	'/^static bool restore_idle/,/^}/s/return true;/return false;/'
mutant restore.c 'the snapshot before is not let go' \
	's/^\tr->old = vm->snap;/\t;/'
mutant restore.c 'the snapshot is not held' \
	's/^\tkref_get(&snap->ref);/\t;/'
mutant restore.c 'windows have the base of the first one' \
	's/hlk_window_rebase(vm->windows\[i\], &snap->base\[nr\],/hlk_window_rebase(vm->windows[i], \&snap->base[0],/'
mutant restore.c 'windows change before all of them are unmapped' \
	's/^\t\tret = hlk_window_unmap(vm->windows\[i\], .*/&\n\t\tif (!ret)\n\t\t\thlk_window_rebase(vm->windows[i], \&snap->base[nr], \&snap->touched[nr]);/'
mutant restore.c 'a lock that is somebody else'"'"'s leaves others locked' \
	's/^\t\t\trestore_unlock(vm, i);/\t\t\t;/'
mutant restore.c 'the windows stay locked after a failure' \
	's/^\trestore_unlock(vm, vm->nr_windows);/\tif (!ret)\n\t&/'
mutant restore.c 'who must not wait goes over to another snapshot' \
	'/^static bool restore_waits/,/^}/s/return snap != vm->snap ||/return/'
mutant restore.c 'one page more than the watermark is kept' \
	's/now - vm->keep_private : 0;/now - vm->keep_private - 1 : 0;/'
mutant restore.c 'a failed page that stays is no error' \
	'/^static int restore_failed/,/^}/s/if (freed == r->failed)/if (1)/'
mutant restore.c 'the unique number is that of the restore before' \
	's/^\tvm->unique++;/\t;/'
mutant restore.c 'idle pages that a try without waiting found are forgotten' \
	's/vm->trim = r->unwritten;/vm->trim = false;/'
# images of an FPU
mutant fpu.h 'upper halves of YMM registers do not count' \
	's/^#define HLK_FPU_X87_SSE.*/#define HLK_FPU_X87_SSE 0x7ULL/'
mutant fpu.h 'what XFD disables is loaded' \
	's/features &= ~disabled;/;/'
mutant fpu.h 'what the format has no room for is loaded' \
	's/format & HLK_FPU_COMPACTED ? features & format : features/features/'
mutant fpu.h 'nothing of a plain image is loaded' \
	's/format & HLK_FPU_COMPACTED ? features & format : features/features \& format/'
mutant fpu.h 'PKRU makes all of an image count' \
	's/ & ~(HLK_FPU_X87_SSE | HLK_FPU_PKRU)/ \& ~HLK_FPU_X87_SSE/'
mutant fpu.h 'nothing behind x87 and SSE counts' \
	's/ || features & ~(HLK_FPU_X87_SSE | HLK_FPU_PKRU)//'

if [ "${1:-}" = --match ]; then
	new=$(mktemp)
	trap 'rm -f "$new"' EXIT
	for i in "${!files[@]}"; do
		sed "${edits[$i]}" "$kmod/${files[$i]}" > "$new" &&
			! cmp -s "$kmod/${files[$i]}" "$new" ||
			echo "mutant $i, ${files[$i]}: ${whats[$i]}: changes nothing"
	done
	exit
fi

# judge NUMBER: the line of TAP, without its number, into a file
judge() {
	local file=${files[$1]} what="mutant $1: ${whats[$1]}" dir=$out/$1 first program
	local tests=("${programs[@]}") limit=120 start rc

	mkdir -p "$dir"
	# as old as they are: what is not changed is not built anew
	cp -p "$kmod"/*.[ch] "$dir"
	sed "${edits[$1]}" "$kmod/$file" > "$dir/$file"
	if cmp -s "$kmod/$file" "$dir/$file"; then
		echo "not ok $what: the expression matches nothing"
		return
	fi
	cp -a "$out/base" "$dir/build"
	rm -f "$dir"/build/*_test
	case $file in
	*.h) rm -f "$dir"/build/*.o ;;
	esac
	case $file in
	# the others know nothing of these
	window.c | shown.c | chunk.h | restore.c) tests=(model_test) limit=60 ;;
	delta.c) first=delta_test ;;
	fpu.h) first=fpu_test ;;
	mark.c) first=mark_test ;;
	i686pt.c) first=i686pt_test ;;
	pt.[ch]) first=pt_test ;;
	esac
	for program in ${first:-} "${tests[@]}"; do
		# what a mutant leaves unused is no error
		if ! make -s -C "$here" O="$dir/build" KMOD="$dir" CFLAGS='-O1 -g -w' \
			"$dir/build/$program" > "$dir/log" 2>&1; then
			echo "not ok $what: does not build"
			return
		fi
		start=$(date +%s%N)
		rc=0
		timeout "$limit" "$dir/build/$program" > "$dir/$program.log" 2>&1 || rc=$?
		# too slow is not caught, but for what loops and did not before
		if [ "$rc" != 0 ] && [ "$program $rc" != 'model_test 124' ]; then
			echo "ok $what: caught by $program" \
				"($((($(date +%s%N) - start) / 1000000)) ms)"
			rm -rf "$dir"
			return
		fi
	done
	rm -rf "$dir/build"
	echo "not ok $what: survived"
}

rm -rf "$out"
mkdir -p "$out"
numbers=("$@")
[ $# -gt 0 ] || mapfile -t numbers < <(seq 0 $((${#files[@]} - 1)))
echo "TAP version 13"
echo "1..${#numbers[@]}"
make -s -C "$here" O="$out/base" KMOD="$kmod" all || exit 1
for program in "${programs[@]}" model_test; do
	"$out/base/$program" > "$out/base/$program.log" 2>&1 ||
		{ echo "Bail out! $program fails without a mutant"; exit 1; }
done
for number in "${numbers[@]}"; do
	while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do
		wait -n
	done
	judge "$number" > "$out/$number.result" 2> /dev/null &
done
wait
n=0
bad=0
for number in "${numbers[@]}"; do
	n=$((n + 1))
	sed -E "s/^(not ok|ok) /\\1 $n /" "$out/$number.result"
	grep -q '^ok ' "$out/$number.result" || bad=1
done
exit $bad
