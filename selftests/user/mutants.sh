#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Deliberate bugs, one at a time: each has to be caught by some test. TAP.
#
#   mutants.sh [NUMBER...]     with O= as the folder to build in
#
# A mutant is a file, what it forgets, and a sed expression. A line that no
# longer matches is a failure too: the list follows the code.
set -u -o pipefail

here=$(cd "$(dirname "$0")" && pwd)
kmod=${KMOD:-$here/../../kmod}
out=${O:-$here/../../build/selftests-user}/mutants
programs=(snap_test snap_pages_test i686pt_test snap_fail_test snap_random_test)
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
mutant i686pt.c 'rights of the leaf alone' \
	's/u32 both = pde & leaf;/u32 both = leaf | (pde \& 0);/'
mutant i686pt.c 'CR0.WP is ignored' \
	's/else if (!mode->wp)/else if (0)/'
mutant i686pt.c 'the offset in a 4 MiB page is lost' \
	's/gfn = i686_large_gfn(out->pde) + nr;/gfn = i686_large_gfn(out->pde);/'
mutant i686pt.c 'runs are joined over unequal attributes' \
	's/run->attributes == m->attributes &&/1 \&\&/'
mutant i686pt.c 'runs are joined though frames do not follow' \
	's/ && run->gpa + bytes == m->gpa//'
mutant i686pt.c 'a cut alias moves its table' \
	's/if (!(m.map & (HLK_MAP_ALIAS | HLK_MAP_TABLE_NOT_RAM)))/if (1)/'
mutant i686pt.c 'a continued walk forgets owners' \
	's/if (kind == I686_PDE_TABLE &&$/if (0 \&\& kind == I686_PDE_TABLE \&\&/'
mutant i686pt.c 'the cursor is one page late' \
	's/walk->cursor = (u64)walk->run.root << 32 | walk->run.va;/walk->cursor = ((u64)walk->run.root << 32 | walk->run.va) + 4096;/'
mutant i686pt.c 'the limit of tables is one more' \
	's/walk->tables_read >= walk->max_tables/walk->tables_read > walk->max_tables/'
mutant i686pt.c 'a table page is not put' \
	'/^int i686_read_table/,/^}/s/put_page(gpage.page);/;/'
mutant i686pt.c 'the end of a range is ignored inside a 4 MiB page' \
	'/^static int walk_large/,/^}/s/ || va >= walk->end//'

# leaves
mutant snap.c 'a writable leaf stays writable' \
	's/flags = (flags & ~I686_W) | I686_COW;/flags |= I686_COW;/'
mutant snap.c 'copy-on-write is not set' \
	's/flags = (flags & ~I686_W) | I686_COW;/flags \&= ~I686_W;/'
mutant snap.c 'copy-on-write on each leaf, the read-only ones too' \
	's/^\t\t   flags & (I686_W | I686_COW)) {/\t\t   1) {/'
mutant snap.c 'other AVL bits are lost with copy-on-write' \
	's/flags = (flags & ~I686_W) | I686_COW;/flags = (flags \& ~(I686_W | I686_AVL)) | I686_COW;/'
mutant snap.c 'aliased pages are copied on write by the guest' \
	's/return (frame & FRAME_WRITABLE) && (frame & FRAME_SEVERAL) &&/return 0 \&\&/'
mutant snap.c 'read-only pages with several mappings go to scratch' \
	's/return (frame & FRAME_WRITABLE) && (frame & FRAME_SEVERAL) &&/return (frame \& FRAME_SEVERAL) \&\&/'
mutant snap.c 'every writable page goes to scratch' \
	's/return (frame & FRAME_WRITABLE) && (frame & FRAME_SEVERAL) &&/return (frame \& FRAME_WRITABLE) \&\&/'
mutant snap.c 'an aliased leaf keeps copy-on-write' \
	's/flags &= ~I686_COW;$/;/'
mutant snap.c 'a frame met writable second is not noted' \
	's/if (flags & I686_W)$/if (!entry \&\& flags \& I686_W)/'
mutant snap.c 'tables mapped as data become copy-on-write' \
	's/} else if (!(frame & FRAME_TABLE) &&/} else if (1 \&\&/'
mutant snap.c 'tables mapped as data are stale copies' \
	's/^\t\t\*err = xa_err(old);//; s/frame = FRAME_TABLE | FRAME_PLACED | table->gfn << FRAME_NEW_SHIFT;/return table;/'
mutant snap.c 'host copy-on-write is ignored' \
	's/!(r->p->flags & HLK_SNAPSHOT_HOST_COW) &&/1 \&\&/'
mutant snap.c 'host copy-on-write moves aliased pages' \
	's/^\t       !(r->p->flags & HLK_SNAPSHOT_HOST_COW);/\t       1;/'
mutant snap.c 'absent entries are cleared' \
	's/if (!table_leaf(table, nr, &gfn, &flags))$/if (!table_leaf(table, nr, \&gfn, \&flags) \&\& !(table_entries(table)[nr] = 0))/'

# directories and tables
mutant snap.c 'directory entries become user and writable' \
	's/\*pde = (\*pde & I686_FLAGS) | table->gfn << PAGE_SHIFT;/*pde = (*pde \& I686_FLAGS) | 6 | table->gfn << PAGE_SHIFT;/'
mutant snap.c 'directory entries lose their flags' \
	's/\*pde = (\*pde & I686_FLAGS) | table->gfn << PAGE_SHIFT;/*pde = (*pde \& 7) | table->gfn << PAGE_SHIFT;/'
mutant snap.c 'a table met again is copied again' \
	'/^static struct new_table \*reloc_copy/,/^}/s/^\tif (table)$/\tif (table \&\& table->is_root)/'
mutant snap.c 'a root met again is copied again' \
	'/^static struct new_table \*reloc_copy/,/^}/s/^\tif (table)$/\tif (table \&\& !table->is_root)/'
mutant snap.c 'a repeated root is not a directory' \
	's/table->is_root = true;/table->is_root = !i;/'
mutant snap.c 'flags of CR3 are lost' \
	's/(r->p->roots\[i\] & (I686_PWT | I686_PCD));/0;/'
mutant snap.c 'a table outside memory stays' \
	's/\*pde &= ~I686_P;$/;/'
mutant snap.c 'a table outside memory is no error when strict' \
	'/^static int reloc_no_table/,/^}/s/HLK_SNAPSHOT_STRICT)/0)/'
mutant snap.c 'a leaf outside memory is no error when strict' \
	'/^static int reloc_device/,/^}/s/HLK_SNAPSHOT_STRICT)/0)/'
mutant snap.c 'a 4 MiB device is no error when strict' \
	'/^static int reloc_large/,/^}/s/HLK_SNAPSHOT_STRICT)/0)/'
mutant snap.c 'reserved bits are accepted' \
	's/return hlk_fail(\(r->at, -EINVAL, HLK_WHY_PDE_RESERVED, root,\)$/return 0 * hlk_fail(\1/'
mutant snap.c 'a directory is relocated as a table as well' \
	's/ && !table->is_root;/;/'
mutant snap.c 'a table that is mapped as data counts as data' \
	's/^\t\tif (frame & FRAME_TABLE)$/\t\tif (0)/'
mutant snap.c 'a table is found in scratch before it is made' \
	's/table->gfn = r->tables_gfn + r->nr_tables++;/table->gfn = r->tables_gfn + ++r->nr_tables;/'

mutant snap.c 'a root beyond 4 GiB is cut off' \
	's/if (r->p->roots\[i\] >= I686_VA_END)/if (0)/'

# 4 MiB pages
mutant snap.c 'PAT of a 4 MiB page is lost' \
	's/table->split_leaf = i686_large_leaf(\*pde);/table->split_leaf = *pde \& I686_FLAGS \& ~I686_PS;/'
mutant snap.c 'accessed and dirty bits keep tables apart' \
	's/u64 key = KEY_SPLIT(\*pde & ~(I686_A | I686_D), partly);/u64 key = KEY_SPLIT(*pde, partly);/'
mutant snap.c 'accessed and dirty bits of the second are lost' \
	's/table->split_leaf |= \*pde & (I686_A | I686_D);/;/'
mutant snap.c 'the directory entry of a split page is always writable' \
	's/writable = partly || \*pde & (I686_W | I686_COW);/writable = true;/'
mutant snap.c 'the directory entry of a split page is not writable for a copy' \
	's/writable = partly || \*pde & (I686_W | I686_COW);/writable = partly || *pde \& I686_W;/'
mutant snap.c 'a device of 4 MiB is split' \
	's/if (!known && !partly && large_not_ram(r, i686_large_gfn(\*pde)))/if (0)/'
mutant snap.c 'a device of 4 MiB hides what memory there is' \
	's/if (r->gmem->ops->is_ram(r->gmem, gfn + nr))/if (nr == 0 \&\& r->gmem->ops->is_ram(r->gmem, gfn + nr))/'
mutant snap.c 'a device beyond 4 GiB is cut off' \
	's/^\tif (gfn >> I686_GFN_BITS)$/\tif (0)/'
mutant snap.c 'all pages of a split are the first' \
	's/\*gfn = table->split_gfn + nr;/*gfn = table->split_gfn;/'

mutant snap.c 'a split page in the slot of scratch is the same elsewhere' \
	's/KEY_SPLIT(\*pde & ~(I686_A | I686_D), partly);/KEY_SPLIT(*pde \& ~(I686_A | I686_D), 0);/'

# scratch
mutant snap.c 'entries of scratch are relocated' \
	's/nr < table->end \&\& !table->is_root/nr < I686_ENTRIES \&\& !table->is_root/'
mutant snap.c 'one page of the buffers is not fixed' \
	's/(gfn < r->tables_gfn ||/(gfn + 1 < r->tables_gfn ||/'
mutant snap.c 'scratch is for users' \
	's/return gfn << PAGE_SHIFT | I686_P | I686_W | I686_A | I686_D;/return gfn << PAGE_SHIFT | I686_P | I686_W | I686_U | I686_A | I686_D;/'
mutant snap.c 'the directory entry of scratch is for users' \
	's/\*pde = I686_P | I686_W | I686_A | table->gfn << PAGE_SHIFT;/*pde = I686_P | I686_W | I686_U | I686_A | table->gfn << PAGE_SHIFT;/'
mutant snap.c 'the guard page is mapped' \
	's/if (gfn == SCRATCH_END - (HLK_GUEST_OFF_GUARD >> PAGE_SHIFT))/if (0)/'
mutant snap.c 'what shares the slot of scratch is dropped' \
	's/^\t\tif (partly)$/\t\tif (0)/'
mutant snap.c 'a read-only entry over scratch makes its pages writable' \
	's/table->keep &= ~(I686_W | I686_COW);/;/'
mutant snap.c 'a supervisor entry over scratch: one table for all' \
	's/u64 key = KEY_SHARED_SLOT(i686_gfn(\*pde), rights >> 1);/u64 key = KEY_SHARED_SLOT(i686_gfn(*pde), 0);/'
mutant snap.c 'scratch begins one page late in its slot' \
	's/table->end = slot == r->scratch_slot ? r->scratch_first : 0;/table->end = slot == r->scratch_slot ? r->scratch_first + 1 : 0;/'
mutant snap.c 'the second slot of scratch is shifted' \
	's/^\t      r->scratch_first + table->end;/\t      (slot == r->scratch_slot ? r->scratch_first : 0) + table->end;/'
mutant snap.c 'the directory entry over scratch is not writable' \
	's/\*pde = (\*pde & I686_FLAGS) | I686_W | table->gfn << PAGE_SHIFT;/*pde = (*pde \& I686_FLAGS) | table->gfn << PAGE_SHIFT;/'
mutant snap.c 'buffers and stacks are moved' \
	's/return hlk_range_has(r->scratch, gfn) &&/return 0 \&\&/'
mutant snap.c 'only buffers stay' \
	's/gfn >= SCRATCH_END - (HLK_GUEST_OFF_ALLOC_END >> PAGE_SHIFT));/0);/'
mutant snap.c 'shared pages overlap tables' \
	's/r->next_shared = r->tables_gfn + r->nr_tables;/r->next_shared = r->tables_gfn + r->nr_tables - 1;/'
mutant snap.c 'the allocator starts on the last shared page' \
	's/r->snap->first_free = end << PAGE_SHIFT;/r->snap->first_free = (end - !!shared) << PAGE_SHIFT;/'
mutant snap.c 'scratch may be overfull by a page' \
	's/^\tif (end > limit)/\tif (end > limit + 1)/'
mutant snap.c 'generation is not written' \
	's/{ top - HLK_GUEST_OFF_GENERATION, snap->generation },//'
mutant snap.c 'the second buffer is not empty' \
	's/{ bottom + snap->input_bytes, HLK_GUEST_BUFFER_EMPTY },//'
mutant snap.c 'too many roots are published' \
	's/snap->nr_roots <= HLK_GUEST_MAX_ROOTS ?/snap->nr_roots <= HLK_GUEST_MAX_ROOTS + 1 ?/'
mutant snap.c 'published roots are the old ones' \
	's/^\t\t\t      snap->roots\[i\]))/\t\t\t      r->p->roots[i]))/'

# pages
mutant snap.c 'zero pages cost memory' \
	's/zero = !memchr_inv(from, 0, PAGE_SIZE);/zero = false;/'
mutant snap.c 'the last byte of a page is not looked at' \
	's/zero = !memchr_inv(from, 0, PAGE_SIZE);/zero = !memchr_inv(from, 0, PAGE_SIZE - 1);/'
mutant snap.c 'pages of the parent are copied' \
	's/if (gpage->frozen) {/if (0) {/'
mutant snap.c 'pages of a running guest are shared' \
	's/if (gpage->frozen) {/if (1) {/'
mutant snap.c 'a shared page is not counted' \
	'/if (gpage->frozen) {/,/}/s/hlk_count_pages(1);/;/'
mutant snap.c 'the guest page is not put' \
	'/^int hlk_snap_keep/,/^}/s/put_page(gpage->page);/;/'
mutant snap.c 'a page is leaked when its place cannot be stored' \
	'/if (xa_is_err(old)) {/,/}/s/hlk_page_free(page);/;/'
mutant snap.c 'a table is leaked when it cannot be stored' \
	's/^\thlk_page_free(table->page);/\t;/'
mutant snap.c 'data goes to scratch too' \
	's/if (range == r->scratch || r->dense_used == range->pages)/if (r->dense_used == range->pages)/'
mutant snap.c 'data goes where no 4 KiB entry can lead' \
	's/if (\*gfn >> I686_GFN_BITS)/if (0)/'
mutant snap.c 'the limit of pages is one more' \
	's/r->nr_frames++ >= r->p->max_pages/r->nr_frames++ > r->p->max_pages/'
mutant snap.c 'the limit of tables is one more' \
	's/r->nr_met++ >= r->p->max_tables/r->nr_met++ > r->p->max_tables/'
mutant snap.c 'a fatal signal is ignored' \
	's/if (fatal_signal_pending(current))/if (0)/'
mutant snap.c 'windows may overlap by a page' \
	's/if (range->gfn < old->gfn + old->pages &&/if (range->gfn + 1 < old->gfn + old->pages \&\&/'
mutant snap.c 'a page that is replaced is leaked' \
	's/^\t\thlk_page_free(old);/\t\t;/'
mutant snap.c 'pages outlive their snapshot' \
	'/^static void snap_release/,/^}/s/hlk_page_free(page);/;/'
mutant snap.c 'the path to a table is not freed' \
	's/^\t\tkfree(table);$/\t\t;/'
mutant snap.c 'allocations that no cgroup pays for' \
	's/alloc_page(GFP_KERNEL_ACCOUNT | flags)/alloc_page(GFP_KERNEL | flags)/'
mutant snap.c 'CR3 of another root' \
	's/if (i686_gfn(old_roots\[i\]) == i686_gfn(cr3))/if (0)/'

# judge NUMBER: the line of TAP, without its number, into a file
judge() {
	local file=${files[$1]} what="mutant $1: ${whats[$1]}" dir=$out/$1 program

	mkdir -p "$dir"
	cp "$kmod"/{env.h,i686pt.h,i686pt.c,snap.h,snap.c} "$dir"
	sed "${edits[$1]}" "$kmod/$file" > "$dir/$file"
	if cmp -s "$kmod/$file" "$dir/$file"; then
		echo "not ok $what: the expression matches nothing"
		return
	fi
	cp -a "$out/base" "$dir/build"
	rm -f "$dir"/build/{*_test,i686pt.o,snap.o}
	# what a mutant leaves unused is no error
	if ! make -s -C "$here" O="$dir/build" KMOD="$dir" CFLAGS='-O1 -g -w' all > "$dir/log" 2>&1; then
		echo "not ok $what: does not build"
		return
	fi
	for program in "${programs[@]}"; do
		if ! timeout 120 "$dir/build/$program" > "$dir/$program.log" 2>&1; then
			echo "ok $what: caught by $program"
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
