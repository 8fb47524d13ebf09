// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Does a kernel of Linux reseed when it was restored? KERNEL INITRD MIB: a kernel as it
 * came, and selftests/guests/linux/random.c as its first program. Time comes back with each
 * restore, so that nothing but the VM generation ID can be new. Runs in the test VM.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "module.h"
#include "said.h"

#define SECOND	1000000ULL
#define ROUNDS	100
#define DRAWS	64
#define FEW	8	/* times that the kernel may draw meanwhile */

struct draws {
	uint64_t value[DRAWS];
	uint64_t when[DRAWS];
	uint64_t more[2];	/* what it drew after a nap, or the ID that it had */
};

static double per_us;		/* cycles */
static uint64_t exits;		/* of the last run */

static void bail(const char *why)
{
	printf("# %s\n", said_len > 400 ? said + said_len - 400 : said);
	printf("Bail out! %s\n", why);
	exit(1);
}

static const void *file(const char *name, uint64_t *size)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *data;

	if (fd < 0 || fstat(fd, &st))
		bail(name);
	data = malloc(st.st_size);
	if (!data || read(fd, data, st.st_size) != st.st_size)
		bail(name);
	close(fd);
	*size = st.st_size;
	return data;
}

static struct hlk_machine *make_machine(uint32_t flags, uint64_t mem)
{
	struct hlk_machine_config config = HLK_MACHINE_CONFIG_INIT;
	struct hlk_machine *machine;
	struct hlk_err err;

	config.flags = flags;
	config.mem_size = mem;
	config.print = print;
	if (hlk_machine_create(ctx, &config, &machine, &err))
		bail(words(&err));
	return machine;
}

static void go(struct hlk_machine *machine, uint32_t flags, const char *text)
{
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;

	forget();
	run.flags = HLK_MACHINE_PRINT | flags;
	run.print = text;
	run.timeout_us = (flags ? 120 : 1200) * SECOND;
	if (hlk_machine_go(machine, &run))
		bail(reason(machine));
	exits = run.exits;
	if (run.stop == HLK_STOP_PRINT)
		return;
	printf("# at 0x%llx after %llu exits\n", (unsigned long long)run.rip,
	       (unsigned long long)run.exits);
	bail(hlk_stop_text(run.stop));
}

/* What it drew after a restore */
static struct draws after_restore(struct hlk_machine *machine, int more)
{
	struct draws draws = {};
	char *at = said;
	int i;

	go(machine, HLK_MACHINE_RESTORE | HLK_MACHINE_TIME_BACK, "end\n");
	for (i = 0; i < DRAWS; i++) {
		draws.value[i] = strtoull(at, &at, 16);
		draws.when[i] = strtoull(at, &at, 16);
	}
	for (i = 0; i < more; i++)
		draws.more[i] = strtoull(at, &at, 16);
	if (strcmp(at, " end\n"))
		bail("it did not say what it drew");
	return draws;
}

static void measure_clock(void)
{
	struct timespec nap = { .tv_nsec = 200000000 };
	uint64_t from = __rdtsc();

	nanosleep(&nap, NULL);
	per_us = (__rdtsc() - from) / 200000.0;
	printf("# %.0f cycles a microsecond\n", per_us);
}

/* How many of the first are as in @old */
static unsigned int old_ones(const struct draws *draws, const struct draws *old)
{
	unsigned int i;

	for (i = 0; i < DRAWS && draws->value[i] == old->value[i]; i++)
		;
	return i;
}

/* Where @value is among the next few of @draws from @at on, or DRAWS */
static unsigned int find(const struct draws *draws, unsigned int at, uint64_t value)
{
	unsigned int i;

	for (i = at; i < at + FEW && i < DRAWS; i++)
		if (draws->value[i] == value)
			return i;
	return DRAWS;
}

/*
 * How many are in both, in the same order. Where the host gives the guest no time a timer of
 * its comes between two draws, and its kernel draws as well: what follows are the same
 * numbers, one further on.
 */
static unsigned int in_both(const struct draws *draws, const struct draws *first)
{
	unsigned int i = 0, k = 0, nr = 0, there;

	while (i < DRAWS && k < DRAWS) {
		there = find(first, k, draws->value[i]);
		if (there < DRAWS) {
			nr++;
			i++;
			k = there + 1;
		} else if (find(draws, i, first->value[k]) < DRAWS) {
			i++;
		} else {
			i++;
			k++;
		}
	}
	return nr;
}

static int by_value(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return a < b ? -1 : a > b;
}

static bool all_differ(uint64_t *values, unsigned int nr)
{
	unsigned int i;

	qsort(values, nr, sizeof(*values), by_value);
	for (i = 1; i < nr; i++)
		if (values[i] == values[i - 1])
			return false;
	return true;
}

static struct draws test_reproducible(struct hlk_snap *snap, uint64_t mem, int more)
{
	struct hlk_machine *clone = make_machine(HLK_MACHINE_REPRODUCIBLE, mem);
	struct draws first = {}, now;
	unsigned int same = 0, shifted = 0, naps = 0, i, nr;

	if (hlk_machine_restore(clone, snap))
		bail(reason(clone));
	for (i = 0; i < ROUNDS; i++) {
		now = after_restore(clone, more);
		if (!i)
			first = now;
		nr = in_both(&now, &first);
		/* In a nap the kernel draws as well, as often as it has time for. */
		if (nr >= DRAWS - FEW && (more < 2 || !memcmp(now.more, first.more,
							      sizeof(now.more))))
			same++;
		else
			printf("# round %u: %u of %u are the same\n", i, nr, DRAWS);
		shifted += nr < DRAWS;
		naps += now.more[0] == first.more[0];
	}
	tap(same == ROUNDS, "reproducible: %u of %u restores drew the same", same, ROUNDS);
	printf("# in %u of them the kernel drew in between\n", shifted);
	if (more == 1)
		printf("# after a nap %u of %u were the same\n", naps, ROUNDS);
	hlk_machine_close(clone);
	return first;
}

static void report(const char *what, uint64_t *values, double unit)
{
	qsort(values, ROUNDS, sizeof(*values), by_value);
	printf("# %s: least %.1f, median %.1f, most %.1f\n", what, values[0] / unit,
	       values[ROUNDS / 2] / unit, values[ROUNDS - 1] / unit);
}

/* How long it draws old ones is up to its scheduler: measured, not asked for. */
static void test_alone(struct hlk_machine *machine, const struct draws *old)
{
	uint64_t late[ROUNDS], olds[ROUNDS], when[ROUNDS];
	unsigned int at_once = 0, never = 0, fresh = 0, i, nr;
	struct draws now;

	for (i = 0; i < ROUNDS; i++) {
		now = after_restore(machine, 1);
		nr = old_ones(&now, old);
		at_once += !nr;
		never += nr == DRAWS;
		fresh += now.more[0] != old->more[0];
		olds[i] = nr;
		when[i] = now.when[nr < DRAWS ? nr : DRAWS - 1];
		late[i] = now.more[0];
	}
	tap(fresh == ROUNDS, "alone: %u of %u restores drew others after a nap", fresh, ROUNDS);
	tap(all_differ(late, ROUNDS), "alone: each others than all the others");
	tap(at_once, "alone: %u of %u drew none of the old ones", at_once, ROUNDS);
	printf("# %u drew %u old ones and no other before the nap\n", never, DRAWS);
	printf("# %llu exits in the last round, one for each byte\n",
	       (unsigned long long)exits);
	report("old draws of 8 bytes", olds, 1);
	report("microseconds until the first new one", when, per_us);
}

static void test_helped(struct hlk_machine *machine, const struct draws *old)
{
	uint64_t first[ROUNDS], id[ROUNDS], when[ROUNDS];
	unsigned int fresh = 0, i;
	struct draws now;

	for (i = 0; i < ROUNDS; i++) {
		now = after_restore(machine, 2);
		fresh += !old_ones(&now, old);
		first[i] = now.value[0];
		id[i] = now.more[0];
		when[i] = now.when[0];
	}
	tap(fresh == ROUNDS, "helped: %u of %u restores drew others at once", fresh, ROUNDS);
	tap(all_differ(first, ROUNDS), "helped: each others than all the others");
	tap(all_differ(id, ROUNDS), "helped: each had another generation ID");
	report("microseconds until the first", when, per_us);
}

/* The kernel's own boot is behind it; the machine is where it says @point. */
static struct hlk_snap *take(struct hlk_machine *machine, const char *point)
{
	struct hlk_snap *snap;

	go(machine, 0, point);
	if (hlk_machine_snapshot(machine, &snap) || hlk_machine_restore(machine, snap))
		bail(reason(machine));
	return snap;
}

static void test(struct hlk_machine *machine, uint64_t mem)
{
	struct hlk_snap *snap = take(machine, "alone: ready\n");
	struct draws old = test_reproducible(snap, mem, 1);

	test_alone(machine, &old);
	hlk_snapshot_close(snap);
	snap = take(machine, "helped: ready\n");
	old = test_reproducible(snap, mem, 2);
	test_helped(machine, &old);
	hlk_snapshot_close(snap);
}

int main(int argc, char **argv)
{
	struct hlk_kernel kernel = HLK_KERNEL_INIT;
	struct hlk_machine *machine;
	struct hlk_placed placed;
	struct hlk_err err;
	uint64_t mem;

	if (argc != 4)
		bail("usage: libhlk-genid KERNEL INITRD MIB");
	kernel.image = file(argv[1], &kernel.image_size);
	kernel.initrd = file(argv[2], &kernel.initrd_size);
	/* It says on the console that it reseeds, unless it is quiet. */
	kernel.cmdline = "quiet";
	mem = strtoull(argv[3], NULL, 0) << 20;
	measure_clock();
	if (hlk_open(&ctx, &err))
		bail(words(&err));
	machine = make_machine(0, mem);
	if (hlk_machine_load(machine, &kernel, &placed))
		bail(reason(machine));
	tap(placed.rsdp, "it is told of ACPI");
	test(machine, mem);
	hlk_machine_close(machine);
	hlk_close(ctx);
	return tap_done();
}
