// SPDX-License-Identifier: GPL-2.0-only
/*
 * Windows and restores against a model: random sequences of all that happens to
 * them. SEED= is the first seed, OPS= how many operations there are; a failure
 * names the seed of its world and the operation.
 */
#include <signal.h>

#include "model.h"
#include "tap.h"

#define OPS		1000000
#define OPS_OF_WORLD	4000
#define OPS_TO_TELL	10000000

void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

/* What was done, so that a world in which nothing happens is seen */
static u64 done[32];

static u64 env_number(const char *name, u64 otherwise)
{
	const char *value = getenv(name);

	return value ? strtoull(value, NULL, 0) : otherwise;
}

/* What is seldom does not last. */
static void usual_again(void)
{
	struct mvm *m = &world.vm[below(MAX_VMS)];

	if (!m->used || chance(90))
		return;
	m->mm.owner = m;
	crowd_leaves(m, below(world.nr_windows));
}

/**
 * struct op - something that happens
 * @name: of it
 * @often: how often, of all
 * @run: it
 */
struct op {
	const char *name;
	u32 often;
	void (*run)(void);
};

static const struct op ops[] = {
	{ "read", 260, op_read },
	{ "write", 320, op_write },
	{ "writes", 4, op_write_run },
	{ "another thread was faster", 10, op_spurious },
	{ "a write in steps", 100, op_pending },
	{ "restore", 110, op_restore_any },
	{ "restore often", 2, op_restore_often },
	{ "snapshot", 14, op_snapshot },
	{ "build", 5, op_build },
	{ "close a snapshot", 16, op_snap_close },
	{ "prefault", 12, op_prefault },
	{ "input", 20, op_input },
	{ "get", 20, op_get },
	{ "pin", 40, op_pin },
	{ "map", 14, op_map },
	{ "unmap", 9, op_unmap },
	{ "remap", 12, op_remap },
	{ "crowd", 4, op_crowd },
	{ "read a snapshot", 12, op_read_snap },
	{ "marker", 3, op_marker },
	{ "memory fails", 6, op_poison },
	{ "the process", 2, op_owner },
	{ "stats", 10, op_stats },
	{ "VM", 8, op_vm },
	{ "what is wrong", 2, op_wrong },
};

/* A window at @gfn: small, or large with few pages that are used, or a long list */
static void world_window(u32 w, u64 gfn, bool big)
{
	static const u64 sparse[] = { 0, 1, 255, 256, 257, 4095, 65535, 65536, 65537,
				      131071, 131072, 139999 };
	struct hlk_range *range = &world.range[w];
	u32 kind = below(3);
	u64 i;

	world.first_site[w] = world.nr_sites;
	range->gfn = gfn;
	if (!kind && !big) {
		range->pages = 140000;
		for (i = 0; i < ARRAY_SIZE(sparse); i++)
			world.site[world.nr_sites++] = (struct site){ w, sparse[i], 0 };
	} else {
		range->pages = big ? 300 + below(200) : 1 + below(20);
		for (i = 0; i < range->pages; i++)
			world.site[world.nr_sites++] = (struct site){ w, i, 0 };
	}
	if (chance(15) && !big)
		range->flags = HLK_WINDOW_READONLY;
	for (i = world.first_site[w]; i < world.nr_sites; i++)
		world.site[i].gfn = range->gfn + world.site[i].index;
}

static void world_scratch(u32 w)
{
	struct hlk_range *range = &world.range[w];
	u64 i;

	world.first_site[w] = world.nr_sites;
	range->pages = 1 + below(12);
	range->gfn = (HLK_GUEST_SCRATCH_TOP >> PAGE_SHIFT) - range->pages;
	range->flags = HLK_WINDOW_SCRATCH;
	for (i = 0; i < range->pages; i++)
		world.site[world.nr_sites++] = (struct site){ w, i, range->gfn + i };
	world.book = world.nr_sites - 1;
}

static void world_begin(u64 seed)
{
	u32 small = 1 + (seed & 1);
	u32 w;

	memset(&world, 0, sizeof(world));
	world.seed = seed;
	world.random = (seed + 1) * 0x9e3779b97f4a7c15ULL;
	random_u64();
	world.op = "begin";
	world.poison = seed % 8 == 5;
	world.book = -1;
	if (seed % 8 == 3) {
		world_window(world.nr_windows++, 0x1000, true);
	} else {
		for (w = 0; w < small; w++)
			world_window(world.nr_windows++, 0x1000 + w * 0x30000ULL, false);
	}
	if (chance(60))
		world_scratch(world.nr_windows++);
	world.first_site[world.nr_windows] = world.nr_sites;
	inject_none();
	kernel.unlock_for = unlock_for;
}

static void world_end(void)
{
	u32 i;

	world.op = "end";
	inject_none();
	for (i = 0; i < MAX_PENDING; i++) {
		inject_none();
		if (!world.pending[i].map)
			continue;
		if (!world.pending[i].w.locked)
			pending_ask(&world.pending[i]);
		if (world.pending[i].map)
			pending_finish(&world.pending[i]);
	}
	for (i = 0; i < MAX_MAPS; i++)
		if (world.map[i].vma)
			unmap(&world.map[i]);
	for (i = 0; i < MAX_VMS; i++) {
		if (!world.vm[i].used)
			continue;
		kernel_close(world.vm[i].fd);
		world.vm[i].fd = -1;
		vm_gone(&world.vm[i]);
	}
	for (i = 0; i < MAX_SNAPS; i++) {
		if (!world.snap[i].used)
			continue;
		kernel_close(world.snap[i].fd);
		world.snap[i].fd = -1;
		snap_end(&world.snap[i]);
		CHECK(!world.snap[i].used);
	}
	for (i = 0; i < MAX_PINS; i++)
		if (world.pin[i].page)
			unpin_page(&world.pin[i]);
	check_counts();
	CHECK_EQ(shim.allocs, 0);
	CHECK_EQ(shim.pages, 0);
	CHECK_EQ(shim.counted_pages, 0);
	CHECK_EQ(kernel.files, 0);
}

/* A part each time, of large worlds a smaller one */
static void world_check(void)
{
	u32 part = world.nr_sites > 100 ? 16 : 2;
	u32 i;

	check_counts();
	for (i = 0; i < MAX_VMS && !tap_failed(); i++)
		if (world.vm[i].used && !below(part))
			check_vm(&world.vm[i]);
	for (i = 0; i < MAX_MAPS && !tap_failed(); i++)
		if (world.map[i].vma && !below(part))
			check_map(&world.map[i]);
	for (i = 0; i < MAX_SNAPS && !tap_failed(); i++)
		if (world.snap[i].used && !below(4 * part))
			check_snap(&world.snap[i]);
}

static void world_op(void)
{
	u32 all = 0;
	u32 nr, at;

	for (nr = 0; nr < ARRAY_SIZE(ops); nr++)
		all += ops[nr].often;
	at = below(all);
	for (nr = 0; at >= ops[nr].often; nr++)
		at -= ops[nr].often;
	world.op = ops[nr].name;
	done[nr]++;
	usual_again();
	inject_some();
	ops[nr].run();
	for (nr = 0; nr < MAX_VMS && failed_any(); nr++)
		if (world.vm[nr].used)
			model_hear(&world.vm[nr]);
	world_check();
}

static void tell(void)
{
	printf("# SEED=%llu operation %llu (%s)\n", world.seed, world.ops, world.op);
	fflush(stdout);
}

static void died(int signal)
{
	(void)signal;
	tell();
}

static void windows_and_restores(void)
{
	u64 seed = env_number("SEED", 1);
	u64 nr = env_number("OPS", OPS);
	u64 all = 0;
	u32 i;

	for (; all < nr && !tap_failed(); seed++) {
		world_begin(seed);
		while (world.ops < OPS_OF_WORLD && all + world.ops < nr && !tap_failed()) {
			world_op();
			world.ops++;
		}
		if (!tap_failed())
			world_end();
		if (tap_failed())
			tell();
		if ((all + world.ops) / OPS_TO_TELL != all / OPS_TO_TELL)
			printf("# %llu operations\n", all + world.ops);
		all += world.ops;
	}
	printf("# %llu operations, the last seed is %llu:", all, seed - 1);
	for (i = 0; i < ARRAY_SIZE(ops); i++)
		printf(" %llu %s%s", done[i], ops[i].name,
		       i + 1 < ARRAY_SIZE(ops) ? "," : "\n");
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		TAP_TEST(windows_and_restores),
	};

	signal(SIGABRT, died);
	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(tell);
	return tap_main(argc, argv, tests, ARRAY_SIZE(tests));
}
