// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings come and go.
 */
#include "model.h"
#include "tap.h"

/* Mappings */
static struct mmap *map_slot(void)
{
	u32 i;

	for (i = 0; i < MAX_MAPS; i++)
		if (!world.map[i].vma)
			return &world.map[i];
	return NULL;
}

/* Sites of a window from one to another, as places in the file */
static u32 places_of(u64 first, u64 pages, u64 *places)
{
	u32 nr = 0;
	u32 s;

	for (s = 0; s < world.nr_sites; s++)
		if (world.site[s].gfn - first < pages)
			places[nr++] = world.site[s].gfn;
	return nr;
}

static int map_range(struct mmap *map, struct file *file, u32 w, unsigned long flags)
{
	const struct hlk_range *range = &world.range[w];
	static u64 places[MAX_SITES];
	u64 first = range->gfn;
	u64 pages = range->pages;
	u64 skip;

	if (chance(30)) {
		skip = below(pages);
		first += skip;
		pages -= skip;
		pages = 1 + below(pages);
	}
	return mm_map(file, first, pages, flags, places,
		      places_of(first, pages, places), &map->vma);
}

void map_vm(struct mvm *m, u32 w)
{
	bool readonly = world.range[w].flags & HLK_WINDOW_READONLY;
	unsigned long flags = VM_READ | VM_SHARED | VM_MAYSHARE | VM_MAYWRITE;
	struct mmap *map = map_slot();
	bool write = chance(80);
	int want = 0;
	int ret;

	if (!map || m->fd < 0)
		return;
	if (readonly && chance(90))
		write = false;
	if (write && readonly)
		want = -EACCES;
	else if (m->mappings[w] >= HLK_MAX_MAPPINGS)
		want = -EMLINK;
	kernel_act(&m->mm, &m->mm);
	ret = map_range(map, m->file, w, flags | (write ? VM_WRITE : 0));
	CHECK_MSG(ret == want, "mmap: %d, not %d", ret, want);
	if (ret) {
		map->vma = NULL;
		return;
	}
	CHECK(!readonly || !(map->vma->vm_flags & VM_MAYWRITE));
	map->vm = m;
	map->snap = NULL;
	map->window = w;
	m->maps++;
	m->mappings[w]++;
}

static void map_snap(struct msnap *snap)
{
	struct mmap *map = map_slot();
	int ret;

	if (!map || snap->misfit)
		return;
	kernel_act(NULL, NULL);
	ret = map_range(map, snap->file, below(world.nr_windows), VM_READ | VM_MAYSHARE);
	CHECK_MSG(!ret || excused(ret), "mmap of a snapshot: %d", ret);
	if (ret) {
		map->vma = NULL;
		return;
	}
	map->snap = snap;
	map->vm = NULL;
	snap->maps++;
}

void op_map(void)
{
	struct mvm *m = any_vm(true);
	struct msnap *snap = any_snap();

	if (chance(80) && m)
		map_vm(m, below(world.nr_windows));
	else if (snap)
		map_snap(snap);
}

void unmap(struct mmap *map)
{
	struct mvm *m = map->vm;

	if (map->snap) {
		map->snap->maps--;
		mm_unmap(map->vma);
		snap_end(map->snap);
	} else {
		m->mappings[map->window]--;
		m->maps--;
		if (!m->maps && m->fd < 0)
			memset(m->mappings, 0, sizeof(m->mappings));
		mm_unmap(map->vma);
		vm_gone(m);
	}
	memset(map, 0, sizeof(*map));
}

void op_unmap(void)
{
	struct mmap *map = &world.map[below(MAX_MAPS)];

	if (map->vma && !map->pending)
		unmap(map);
}

/* Split, moved, inherited, with other rights */
void op_remap(void)
{
	struct mmap *map = any_map();
	struct mmap *other = map_slot();
	int want;
	int ret;

	if (!map || !other || map->pending)
		return;
	switch (below(4)) {
	case 0:
		if (vma_pages(map->vma) < 2)
			return;
		want = map->vm->mappings[map->window] < HLK_MAX_MAPPINGS ? 0 : -EMLINK;
		ret = mm_split(map->vma, map->vma->vm_pgoff + 1 +
			       below(vma_pages(map->vma) - 1), &other->vma);
		CHECK_EQ(ret, want);
		if (ret) {
			other->vma = NULL;
			return;
		}
		break;
	case 1:
		other->vma = mm_copy(map->vma, chance(80));
		break;
	case 2:
		if (map->vma->vm_flags & VM_MAYWRITE)
			mm_protect(map->vma, chance(60));
		return;
	default:
		/* a move: the new one is there before the old one is gone */
		other->vma = mm_copy(map->vma, true);
		mm_unmap(map->vma);
		map->vma = other->vma;
		other->vma = NULL;
		return;
	}
	other->vm = map->vm;
	other->snap = NULL;
	other->window = map->window;
	other->vm->maps++;
	other->vm->mappings[other->window]++;
}

void crowd_leaves(struct mvm *m, u32 w)
{
	struct vm_area_struct vma = { .vm_private_data = m->window[w] };

	m->mappings[w] -= m->crowd[w];
	for (; m->crowd[w]; m->crowd[w]--)
		hlk_window_vm_ops.close(&vma);
}

/* Many mappings, without a page each */
void op_crowd(void)
{
	struct mvm *m = any_vm(true);
	u32 w = below(world.nr_windows);
	struct vm_area_struct vma = { .vm_private_data = m ? m->window[w] : NULL };
	u32 nr;

	if (!m || m->crowd[w])
		return;
	for (nr = chance(50) ? 120 : 300; nr; nr--) {
		hlk_window_vm_ops.open(&vma);
		m->crowd[w]++;
	}
	m->mappings[w] += m->crowd[w];
}
