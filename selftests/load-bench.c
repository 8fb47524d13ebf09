// SPDX-License-Identifier: GPL-2.0-only
/*
 * Not a test: how long it takes until a snapshot that was saved is there, and until the first
 * call of its guest has ended.
 *
 *	load-bench [--rounds N] [--json FILE] DIR [MIB[h]...]
 *
 * In DIR, on a file system with verity, snapshots of so many MiB are saved (16, 256, 256h and
 * 1024 by default), each page with something in it; with h every other one is zero, and
 * the index has as many extents as there are pages left. Then, with nothing of it in the page cache
 * (cold) and with all of it (warm), in four ways:
 *
 *	hot	libhlk loads it, with its hot set
 *	plain	without
 *	read	a file with the same memory is read whole
 *	mmap	it is mapped, privately
 *
 * and then there is a new VM, over that memory or restored to that snapshot and, with a hot set,
 * made ready for what is in that, as libhlk does; and a call that writes 64 pages and reads 64
 * others. Of each of the three: time; ticks of the TSC that the processor was busy with any
 * task, so a disk's time is not in them (with QEMU's -icount shift=0 these are instructions); and
 * what was read from the disk. Medians.
 */
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <x86intrin.h>

#include "cgroup.h"
#include "family.h"
#include "stored/files.h"

#define CALL		64U
#define WARM_UP		8
#define MOST_ROUNDS	64
#define RUNS		512
#define PARTS		3	/* the snapshot, the VM, the call */

enum manner { HOT, PLAIN, WHOLE, MAPPED, WAYS };

static const char *const ways[WAYS] = { "hot", "plain", "read", "mmap" };

/**
 * struct moment - what was used up
 * @ns: time
 * @then: when what follows begins: to look takes time, too
 * @ticks: that the processor was busy
 * @kib: that were read from the disk
 */
struct moment {
	u64 ns;
	u64 then;
	u64 ticks;
	u64 kib;
};

/**
 * struct subject - what is loaded
 * @bytes: of memory
 * @holes: every other page is zero
 * @folder: the saved snapshot
 * @image: the same memory, in a file
 * @regs: the registers to start with
 */
struct subject {
	u64 bytes;
	bool holes;
	char folder[256];
	char image[256];
	struct kvm_sync_regs regs;
};

static u32 rounds = 5;
static FILE *json;
static bool more;
static char disk[64];
static double ticks_per_ns;
static u64 looking;		/* ticks that it takes */

/* What all processors did for tasks; 0 where the kernel does not say */
static u64 busy_ns(void)
{
	FILE *file = fopen("/proc/schedstat", "r");
	unsigned long long ns, sum = 0;
	char line[512];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "cpu%*u %*u %*u %*u %*u %*u %*u %llu", &ns) == 1)
			sum += ns;
	if (file)
		fclose(file);
	return sum;
}

static u64 read_kib(void)
{
	unsigned long long sectors = 0;
	FILE *file = fopen(disk, "r");

	if (file && fscanf(file, "%*u %*u %llu", &sectors) != 1)
		sectors = 0;
	if (file)
		fclose(file);
	return sectors / 2;
}

static u64 now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* Who runs is counted when it stops to. */
static struct moment moment(void)
{
	struct moment m = { .ns = now() };

	usleep(1);
	m.ticks = busy_ns() * ticks_per_ns;
	m.kib = read_kib();
	m.then = now();
	return m;
}

/* From one moment to the next */
static struct moment between(const struct moment *from, const struct moment *to)
{
	u64 ticks = to->ticks - from->ticks;

	return (struct moment) {
		.ns = to->ns - from->then,
		.ticks = ticks > looking ? ticks - looking : 0,
		.kib = to->kib - from->kib,
	};
}

static void calibrate(void)
{
	u64 ticks = __rdtsc(), ns = now(), end = ns + 20000000, least = ~0ULL;
	struct moment from, to;
	int i;

	while (now() < end)
		;
	ticks_per_ns = (double)(__rdtsc() - ticks) / (now() - ns);
	from = moment();
	for (i = 0; i < 16; i++, from = to) {
		to = moment();
		if (to.ticks - from.ticks < least)
			least = to.ticks - from.ticks;
	}
	looking = least;
}

/* ---- what is loaded ---- */

/* From the snapshot: who reads the guest's memory touches its pages. */
static void write_image(struct subject *s, int snap)
{
	u8 *mem = mmap(NULL, s->bytes, PROT_READ, MAP_SHARED, snap, 0);
	int fd = open(s->image, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ssize_t part;
	u64 at;

	t_must(fd >= 0 && mem != MAP_FAILED);
	for (at = 0; at < s->bytes; at += part) {
		part = write(fd, mem + at, s->bytes - at);
		t_must(part > 0);
	}
	t_must(!fsync(fd) && !close(fd) && !munmap(mem, s->bytes));
}

/* Even pages are read and written. */
static void prepare(struct subject *s)
{
	const struct family_pages writes = { 200, CALL, 10 }, reads = { 206, CALL, 10 };
	struct family f;
	int i, snap = 0;
	u64 at;

	files_remove(s->folder);
	family_open(&f, s->bytes, &writes, &reads);
	s->regs = f.t.run->s.regs;
	if (s->holes) {
		for (at = FAMILY_DATA + PAGE; at < s->bytes; at += 2 * PAGE)
			memset(tvm_at(&f.t, at), 0, PAGE);
		snap = f.nr;
		f.snap[f.nr++] = hlk_snapshot_flat(f.t.hlk);
		t_must(f.snap[snap] >= 0);
	}
	write_image(s, f.snap[snap]);
	for (i = 0; i < WARM_UP; i++) {
		family_go(&f, snap);
		family_call(&f);
	}
	files_forget(files_save(f.snap[snap], NULL, s->folder, NULL));
	family_close(&f);
}

static void read_through(const char *name)
{
	static char buffer[1 << 20];
	int fd = open(name, O_RDONLY | O_CLOEXEC);

	t_must(fd >= 0);
	while (read(fd, buffer, sizeof(buffer)) > 0)
		;
	close(fd);
}

/* All of both files, or nothing */
static void set_cache(const struct subject *s, bool warm)
{
	sync();
	if (warm) {
		read_through(files_largest(s->folder));
		read_through(s->image);
	} else {
		file_write("/proc/sys/vm/drop_caches", "3");
	}
}

/* ---- the ways ---- */

static u8 *have_memory(const struct subject *s, enum manner way)
{
	int fd = open(s->image, O_RDONLY | O_CLOEXEC);
	int flags = MAP_PRIVATE | (way == WHOLE ? MAP_ANONYMOUS : 0);
	u8 *mem = mmap(NULL, s->bytes, PROT_READ | PROT_WRITE, flags, way == WHOLE ? -1 : fd, 0);
	ssize_t part;
	u64 at;

	t_must(fd >= 0 && mem != MAP_FAILED);
	for (at = 0; way == WHOLE && at < s->bytes; at += part) {
		part = read(fd, mem + at, s->bytes - at);
		t_must(part > 0);
	}
	close(fd);
	return mem;
}

/* What is not done ahead is done when the guest comes to it. */
static void prefault(struct tvm *t)
{
	static struct hlk_touched runs[RUNS];
	struct hlk_prefault arg = HLK_STRUCT(hlk_prefault);
	u32 i;

	arg.runs = (uintptr_t)runs;
	arg.nr_runs = RUNS;
	arg.run_size = sizeof(runs[0]);
	t_must(!hlk_call(t->hlk, HLK_PREFAULT, &arg));
	for (i = 0; i < arg.nr_runs; i++)
		madvise(tvm_at(t, runs[i].gpa), runs[i].pages * PAGE,
			runs[i].flags & HLK_TOUCHED_WRITE ? MADV_POPULATE_WRITE :
							    MADV_POPULATE_READ);
}

static void over_snapshot(const struct subject *s, struct tvm *t, int snap, bool hot)
{
	tvm_attach(t, 0, 0);
	tvm_window(t, 0, s->bytes, 0);
	tvm_window(t, TVM_SCRATCH_GPA, TVM_SCRATCH, HLK_WINDOW_SCRATCH);
	t_must(!hlk_restore(t->hlk, snap, NULL));
	if (hot)
		prefault(t);
}

static void over_memory(const struct subject *s, struct tvm *t, u8 *mem)
{
	struct kvm_sync_regs regs = s->regs;

	tvm_memslot(t, 0, s->bytes, mem, 0);
	tvm_ram(t, TVM_SCRATCH_GPA, TVM_SCRATCH);
	tvm_set_regs(t, &regs);
}

static void go(const struct subject *s, enum manner way, struct moment m[PARTS + 1])
{
	u8 *mem = NULL;
	struct tvm t;
	int snap = -1;

	m[0] = moment();
	if (way == HOT || way == PLAIN)
		snap = files_load(s->folder, NULL, way == HOT);
	else
		mem = have_memory(s, way);
	m[1] = moment();
	tvm_open(&t);
	if (mem)
		over_memory(s, &t, mem);
	else
		over_snapshot(s, &t, snap, way == HOT);
	m[2] = moment();
	t_must(tvm_run(&t) == KVM_EXIT_HLT);
	m[3] = moment();
	tvm_close(&t);
	if (!mem)
		close(snap);
}

static int by_size(const void *a, const void *b)
{
	return *(const u64 *)a < *(const u64 *)b ? -1 : *(const u64 *)a > *(const u64 *)b;
}

static u64 median(u64 *values)
{
	qsort(values, rounds, sizeof(*values), by_size);
	return values[rounds / 2];
}

static void measure(const struct subject *s, bool warm, enum manner way,
		    struct moment out[PARTS])
{
	u64 ns[PARTS][MOST_ROUNDS], ticks[PARTS][MOST_ROUNDS], kib[PARTS][MOST_ROUNDS];
	struct moment m[PARTS + 1], took;
	u32 i, k;

	for (i = 0; i < rounds; i++) {
		set_cache(s, warm);
		go(s, way, m);
		for (k = 0; k < PARTS; k++) {
			took = between(&m[k], &m[k + 1]);
			ns[k][i] = took.ns;
			ticks[k][i] = took.ticks;
			kib[k][i] = took.kib;
		}
	}
	for (k = 0; k < PARTS; k++)
		out[k] = (struct moment) {
			.ns = median(ns[k]),
			.ticks = median(ticks[k]),
			.kib = median(kib[k]),
		};
}

static void row(const struct subject *s, bool warm, enum manner way)
{
	static const char *const parts[PARTS] = { "ready", "vm", "call" };
	struct moment m[PARTS];
	u32 k;

	measure(s, warm, way, m);
	printf("%5lu%-2s%-5s%-5s", (unsigned long)(s->bytes / MIB), s->holes ? "h" : "",
	       warm ? "warm" : "cold", ways[way]);
	for (k = 0; k < PARTS; k++)
		printf("%10.1f %10.0f %8llu", m[k].ns / 1e6, m[k].ticks / 1e3,
		       (unsigned long long)m[k].kib);
	printf("\n");
	fflush(stdout);
	if (!json)
		return;
	fprintf(json, "%s\n  {\"mib\": %lu, \"holes\": %s, \"cache\": \"%s\", \"way\": \"%s\"",
		more ? "," : "", (unsigned long)(s->bytes / MIB), s->holes ? "true" : "false",
		warm ? "warm" : "cold", ways[way]);
	for (k = 0; k < PARTS; k++)
		fprintf(json, ", \"%s\": {\"ns\": %llu, \"ticks\": %llu, \"kib\": %llu}",
			parts[k], (unsigned long long)m[k].ns, (unsigned long long)m[k].ticks,
			(unsigned long long)m[k].kib);
	fprintf(json, "}");
	more = true;
}

static void rows(const char *dir, const char *size)
{
	struct subject s = {};
	enum manner way;
	char *end;
	int warm;

	s.bytes = strtoul(size, &end, 0) << 20;
	s.holes = *end == 'h';
	if (s.bytes < 16 << 20 || end[s.holes]) {
		fprintf(stderr, "load-bench: %s is no number of MiB from 16 on\n", size);
		exit(2);
	}
	snprintf(s.folder, sizeof(s.folder), "%s/load-bench", dir);
	snprintf(s.image, sizeof(s.image), "%s/load-bench.image", dir);
	prepare(&s);
	for (warm = 0; warm < 2; warm++)
		for (way = 0; way < WAYS; way++)
			row(&s, warm, way);
	files_remove(s.folder);
	unlink(s.image);
}

int main(int argc, char **argv)
{
	static const char *const all[] = { "16", "256", "256h", "1024" };
	const char *name = NULL;
	struct stat st;
	int i, k, nr;

	for (i = 1; i + 1 < argc && argv[i][0] == '-'; i += 2) {
		if (!strcmp(argv[i], "--rounds"))
			rounds = strtoul(argv[i + 1], NULL, 0);
		else if (!strcmp(argv[i], "--json"))
			name = argv[i + 1];
		else
			break;
	}
	if (i >= argc || argv[i][0] == '-' || !rounds || rounds > MOST_ROUNDS) {
		fprintf(stderr, "load-bench [--rounds N] [--json FILE] DIR [MIB[h]...]\n");
		return 2;
	}
	t_must(!stat(argv[i], &st));
	snprintf(disk, sizeof(disk), "/sys/dev/block/%u:%u/stat", major(st.st_dev),
		 minor(st.st_dev));
	calibrate();
	json = name ? fopen(name, "w") : NULL;
	t_must(!name || json);
	if (json)
		fprintf(json, "{\"rows\": [");
	printf("%17s%30s%30s%30s\n", "", "ready: ms, th. ticks, KiB read", "the VM: the same",
	       "its first call: the same");
	nr = i + 1 < argc ? argc - i - 1 : (int)ARRAY_SIZE(all);
	for (k = 0; k < nr; k++)
		rows(argv[i], i + 1 < argc ? argv[i + 1 + k] : all[k]);
	if (json) {
		fprintf(json, "\n]}\n");
		fclose(json);
	}
	return 0;
}
