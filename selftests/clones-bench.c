// SPDX-License-Identifier: GPL-2.0-only
/*
 * Not a test: what many sandboxes of one snapshot cost.
 *
 *	clones-bench [--clones N] [--processes N] [--json FILE]
 *
 * A snapshot of 64 MiB, each page with something in it. Each clone is called once, which
 * writes 8 pages and reads 8 others. What a cgroup is charged for each is said beside what
 * KVM VMs cost that hlk knows nothing of and that have as much memory: one that never runs; an
 * empty one, which halts at once; and one that makes the same call over a private
 * mapping of a file. Beside it stands what the system has less of. Once all in one process,
 * once in ten. The exit code is 1 if a clone costs more than an empty VM, the pages that it
 * wrote, and 64 KiB.
 */
#include <sched.h>
#include <sys/resource.h>
#include <time.h>

#include "cgroup.h"
#include "family.h"

#define BYTES		(64 * MIB)
#define WRITES		8UL
#define ALLOWED		(64 << 10)
#define MAX_PROCESSES	64

static const struct family_pages writes = { 100, WRITES, 5 };
static const struct family_pages reads = { 200, 8, 5 };

enum kind { UNUSED, EMPTY, MAPPED, CLONE, KINDS };

static const char *const kinds[KINDS] = { "unused", "empty", "mapped", "clone" };

/**
 * struct shared - what processes tell each other
 * @ready: processes that are there
 * @go: they may begin
 * @done: processes whose VMs are there
 * @ns: what the nth VM of the first process took, from open() to the end of its call
 */
struct shared {
	volatile u32 ready;
	volatile u32 go;
	volatile u32 done;
	volatile u64 ns[3];
};

/**
 * struct result - of VMs of one kind
 * @charged: by the cgroup, for each
 * @gone: what the system has less of, for each
 * @ns: see struct shared
 */
struct result {
	double charged;
	double gone;
	u64 ns[3];
};

static struct shared *shared;
static struct family parent;
static int file;
static u32 clones = 1000;
static bool failed;
static bool more;

static u64 now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static u64 available(void)
{
	return file_number("/proc/meminfo", "MemAvailable:") << 10;
}

GUEST(halt, "	hlt\n");

/* One huge page would be more than all else. */
static void make_unused(struct tvm *t)
{
	tvm_open(t);
	t_must(!madvise(tvm_ram(t, 0, BYTES), BYTES, MADV_NOHUGEPAGE));
	tvm_ram(t, TVM_SCRATCH_GPA, TVM_SCRATCH);
}

static void make_empty(struct tvm *t)
{
	make_unused(t);
	tvm_load(t, TVM_CODE, halt);
	tvm_set(t, TVM_CODE);
	t_must(tvm_run(t) == KVM_EXIT_HLT);
}

/* Its registers are those of the snapshot. */
static void make_mapped(struct tvm *t)
{
	struct kvm_sync_regs regs = parent.t.run->s.regs;
	void *at = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);

	t_must(at != MAP_FAILED);
	tvm_open(t);
	tvm_memslot(t, 0, BYTES, at, 0);
	tvm_ram(t, TVM_SCRATCH_GPA, TVM_SCRATCH);
	tvm_set_regs(t, &regs);
	t_must(tvm_run(t) == KVM_EXIT_HLT);
}

static void make_clone(struct tvm *t)
{
	tvm_open(t);
	tvm_attach(t, 0, 0);
	tvm_window(t, 0, BYTES, 0);
	tvm_window(t, TVM_SCRATCH_GPA, TVM_SCRATCH, HLK_WINDOW_SCRATCH);
	t_must(!hlk_restore(t->hlk, parent.snap[0], NULL));
	t_must(tvm_run(t) == KVM_EXIT_HLT);
}

static void (*const makes[KINDS])(struct tvm *t) = {
	make_unused, make_empty, make_mapped, make_clone,
};

/* One process; what it makes goes with it. */
static void process(enum kind kind, u32 nr, bool first)
{
	struct tvm *t;
	u64 start;
	u32 i;

	cg_enter();
	t = calloc(nr, sizeof(*t));
	t_must(t);
	memset(t, 1, nr * sizeof(*t));
	__sync_add_and_fetch(&shared->ready, 1);
	while (!shared->go)
		usleep(1000);
	for (i = 0; i < nr; i++) {
		start = now();
		makes[kind](&t[i]);
		start = now() - start;
		if (first && (i == 0 || i == 9 || i == nr - 1))
			shared->ns[i == 0 ? 0 : i == 9 ? 1 : 2] = start;
	}
	__sync_add_and_fetch(&shared->done, 1);
	for (;;)
		pause();
}

static void wait_for(volatile u32 *count, u32 nr)
{
	while (*count < nr)
		usleep(1000);
}

static struct result measure(enum kind kind, u32 processes)
{
	u32 each = clones / processes;
	pid_t pid[MAX_PROCESSES];
	struct result result;
	u64 charged, left;
	u32 i;

	memset(shared, 0, sizeof(*shared));
	cg_begin();
	for (i = 0; i < processes; i++) {
		pid[i] = fork();
		t_must(pid[i] >= 0);
		if (!pid[i])
			process(kind, each, i == 0);
	}
	wait_for(&shared->ready, processes);
	charged = cg_charged();
	left = available();
	shared->go = 1;
	wait_for(&shared->done, processes);
	result.charged = (double)(cg_charged() - charged) / (each * processes);
	result.gone = ((double)left - available()) / (each * processes);
	memcpy(result.ns, (void *)shared->ns, sizeof(result.ns));
	for (i = 0; i < processes; i++) {
		kill(pid[i], SIGKILL);
		t_must(waitpid(pid[i], NULL, 0) == pid[i]);
	}
	t_must(cg_end());
	return result;
}

static void table(u32 processes, FILE *json)
{
	struct result result[KINDS] = {};
	double most;
	u32 k;

	printf("%u in each of %u processes: KiB for each, and milliseconds\n",
	       clones / processes, processes);
	printf("%-8s %10s %10s %10s %10s %10s %10s\n", "", "charged", "over empty", "system",
	       "1st", "10th", "last");
	for (k = 0; k < KINDS; k++) {
		result[k] = measure(k, processes);
		printf("%-8s %10.1f", kinds[k], result[k].charged / 1024);
		if (k == UNUSED)
			printf(" %10s", "");
		else
			printf(" %10.1f", (result[k].charged - result[EMPTY].charged) / 1024);
		printf(" %10.1f %10.2f %10.2f %10.2f\n", result[k].gone / 1024,
		       result[k].ns[0] / 1e6, result[k].ns[1] / 1e6, result[k].ns[2] / 1e6);
		fflush(stdout);
		if (!json)
			continue;
		fprintf(json, "%s\n  {\"processes\": %u, \"each\": %u, \"kind\": \"%s\",",
			more ? "," : "", processes, clones / processes, kinds[k]);
		more = true;
		fprintf(json, " \"charged\": %.0f, \"system\": %.0f,", result[k].charged,
			result[k].gone);
		fprintf(json, " \"first_ns\": %llu, \"tenth_ns\": %llu, \"last_ns\": %llu}",
			(unsigned long long)result[k].ns[0], (unsigned long long)result[k].ns[1],
			(unsigned long long)result[k].ns[2]);
	}
	most = result[EMPTY].charged + WRITES * PAGE + ALLOWED;
	printf("a clone may cost %.1f and costs %.1f\n\n", most / 1024,
	       result[CLONE].charged / 1024);
	failed |= result[CLONE].charged > most;
}

static void fill_file(void)
{
	u64 i;

	file = memfd_create("image", MFD_CLOEXEC);
	t_must(file >= 0 && !ftruncate(file, BYTES));
	for (i = 0; i < BYTES; i += PAGE)
		t_must(pwrite(file, tvm_at(&parent.t, i), PAGE, i) == PAGE);
}

int main(int argc, char **argv)
{
	struct rlimit files = { 1 << 16, 1 << 16 };
	u32 processes = 10;
	FILE *json = NULL;
	int i;

	for (i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--clones"))
			clones = strtoul(argv[i + 1], NULL, 0);
		else if (!strcmp(argv[i], "--processes"))
			processes = strtoul(argv[i + 1], NULL, 0);
		else if (!strcmp(argv[i], "--json"))
			json = fopen(argv[i + 1], "w");
		else
			break;
	}
	if (i < argc || !processes || processes > MAX_PROCESSES || clones < 10 * processes) {
		fprintf(stderr,
			"clones-bench [--clones N] [--processes N] [--json FILE]: at least ten each\n");
		return 2;
	}
	t_must(!setrlimit(RLIMIT_NOFILE, &files));
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	t_must(shared != MAP_FAILED);
	family_open(&parent, BYTES, &writes, &reads);
	fill_file();
	if (json)
		fprintf(json, "{\"rows\": [");
	table(1, json);
	table(processes, json);
	if (json) {
		fprintf(json, "\n]}\n");
		fclose(json);
	}
	return failed;
}
