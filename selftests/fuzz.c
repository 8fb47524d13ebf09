// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sequences of calls, drawn from a seed, by several threads at the same time,
 * over all fds and ioctls, while fds and mappings come and go: the kernel says
 * nothing, and nothing is left behind.
 *
 *   fuzz			for FUZZ_SECONDS (60), from SEED or from the clock
 *   fuzz --seed N --one	that sequence once, or --times N
 *   fuzz --seed N --list	print it, do not run it
 *
 * The seed of a sequence is printed before it runs, so that the log of a kernel
 * that stopped ends with it.
 */
#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <time.h>

#include "fuzz/fuzz.h"

#define MAX_THREADS	4
#define OPS		60
#define KCOV_WORDS	(16UL << 10)
#define KCOV_INIT	_IOR('c', 1, unsigned long)
#define KCOV_ENABLE	_IO('c', 100)
#define PCS		(64UL << 10)

/**
 * struct totals - shared by all processes
 * @calls: operations
 * @pcs: program counters that were reached; open addressing
 * @nr_pcs: how many
 */
struct totals {
	u64 calls;
	u64 nr_pcs;
	u64 pcs[PCS];
};

static struct totals *totals;

/* ---- coverage ---- */

static void cover(u64 pc)
{
	u64 at = pc * 0x9e3779b97f4a7c15ULL >> 48;
	u64 zero;
	u32 tries;

	for (tries = 0; tries < 64; tries++, at++) {
		u64 *to = &totals->pcs[at % PCS];

		zero = 0;
		if (__atomic_load_n(to, __ATOMIC_RELAXED) == pc)
			return;
		if (__atomic_compare_exchange_n(to, &zero, pc, false, __ATOMIC_RELAXED,
						__ATOMIC_RELAXED)) {
			__atomic_add_fetch(&totals->nr_pcs, 1, __ATOMIC_RELAXED);
			return;
		}
		if (zero == pc)
			return;
	}
}

static void kcov_take(struct fuzzer *f)
{
	u64 nr, i;

	if (!f->kcov)
		return;
	nr = __atomic_load_n(&f->kcov[0], __ATOMIC_RELAXED);
	for (i = 0; i < nr && i + 1 < KCOV_WORDS; i++)
		cover(f->kcov[i + 1]);
	__atomic_store_n(&f->kcov[0], 0, __ATOMIC_RELAXED);
}

/* The fd and the mapping go with the process. */
static void kcov_open(struct fuzzer *f)
{
	int fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
	void *at;

	f->kcov = NULL;
	if (fd < 0)
		return;
	if (ioctl(fd, KCOV_INIT, KCOV_WORDS))
		goto out;
	at = mmap(NULL, KCOV_WORDS * sizeof(u64), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		goto out;
	if (ioctl(fd, KCOV_ENABLE, 0)) {
		munmap(at, KCOV_WORDS * sizeof(u64));
		goto out;
	}
	f->kcov = at;
	return;
out:
	close(fd);
}

/* ---- one sequence ---- */

static u32 weight(const struct op *ops, u32 nr)
{
	u32 sum = 0;

	while (nr--)
		sum += ops[nr].weight;
	return sum;
}

static const struct op *draw(struct fuzzer *f, const struct op *ops, u32 nr)
{
	u32 at = rnd(f, weight(ops, nr));

	while (at >= ops->weight)
		at -= ops++->weight;
	return ops;
}

static void *fuzz(void *arg)
{
	struct fuzzer *f = arg;
	const struct op *op;

	if (!f->list)
		kcov_open(f);
	for (f->calls = 0; f->calls < OPS && !w.stop; f->calls++) {
		op = one_in(f, 3) ? draw(f, disturb_ops, nr_disturb_ops) :
				    draw(f, call_ops, nr_call_ops);
		op->run(f);
		kcov_take(f);
		if (!f->list)
			__atomic_add_fetch(&totals->calls, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void on_fault(int sig)
{
	if (fault_at)
		siglongjmp(*fault_at, 1);
	_exit(3);
}

static void on_kick(int sig)
{
}

static void signals(void)
{
	struct sigaction fault = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };
	struct sigaction kick = { .sa_handler = on_kick };

	sigaction(SIGSEGV, &fault, NULL);
	sigaction(SIGBUS, &fault, NULL);
	sigaction(SIGUSR1, &kick, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/*
 * A whole sequence, in a process of its own. A guest that does not rest is
 * kicked; a sequence that takes long is cut short.
 */
static void sequence(u32 seed, bool list)
{
	const struct timespec tick = { .tv_nsec = 4000000 };
	const struct sched_param first = { .sched_priority = 20 };
	struct fuzzer fuzzers[MAX_THREADS];
	u32 nr = 1 + seed / 7 % MAX_THREADS;
	u32 left, i, ticks = 0;

	for (i = 0; i < nr; i++)
		fuzzers[i] = (struct fuzzer){
			.seed = (seed + i * 0x9e3779b9) ?: 1,
			.nr = i,
			.list = list,
		};
	if (list) {
		printf("# %u threads, %s the usual machine\n", nr,
		       seed % 8 ? "with" : "without");
		for (i = 0; i < nr; i++)
			fuzz(&fuzzers[i]);
		return;
	}
	signals();
	world_open();
	if (seed % 8)
		world_machine(seed);
	for (i = 0; i < nr; i++)
		t_must(!pthread_create(&fuzzers[i].thread, NULL, fuzz, &fuzzers[i]));
	/* above those that give themselves a priority and never rest */
	sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &first);
	for (left = nr; left; ticks++) {
		nanosleep(&tick, NULL);
		if (ticks == 1000)
			w.stop = true;
		/* one still waits for an answer of userfaultfd, or for a child */
		if (ticks == 2500)
			_exit(0);
		for (i = 0; i < nr; i++) {
			if (!fuzzers[i].thread)
				continue;
			if (!pthread_tryjoin_np(fuzzers[i].thread, NULL)) {
				fuzzers[i].thread = 0;
				left--;
			} else {
				pthread_kill(fuzzers[i].thread, SIGUSR1);
			}
		}
	}
	/* most end as processes do, some close all before */
	if (seed % 4 == 1)
		for (i = 0; i < KINDS * NR; i++)
			close(get_fd(i));
	_exit(0);
}

/* ---- many ---- */

static const char *const groups[] = { "/tmp/cgroup/small", "/tmp/cgroup/large" };

static void write_to(const char *dir, const char *name, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	t_must(fd >= 0);
	t_must(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

/* One group in which memory runs out, one in which it does not */
static void cgroups(void)
{
	static const char *const procs[] = { "/tmp/cgroup/small/cgroup.procs",
					     "/tmp/cgroup/large/cgroup.procs" };
	u32 i;

	mkdir("/tmp/cgroup", 0700);
	if (mount("none", "/tmp/cgroup", "cgroup2", 0, NULL) && errno != EBUSY)
		return;
	write_to("/tmp/cgroup", "cgroup.subtree_control", "+memory");
	for (i = 0; i < 2; i++) {
		mkdir(groups[i], 0700);
		w.cgroup[i] = procs[i];
	}
}

/* What a sequence before has made of the limits, does not matter to the next. */
static void limits(void)
{
	if (!w.cgroup[0])
		return;
	write_to(groups[0], "memory.max", "12582912");
	write_to(groups[1], "memory.max", "268435456");
}

/* Swap on a RAM disk, if there is one: now on, now off */
static void swap(bool on)
{
	struct {
		char boot[1024];
		u32 version;
		u32 last_page;
		u32 nr_bad;
		char fill[PAGE - 1024 - 12 - 10];
		char magic[10];
	} __attribute__((packed)) head = {
		.version = 1,
		.last_page = (64UL << 20) / PAGE - 1,
		.magic = "SWAPSPACE2",
	};
	int fd = open("/dev/ram0", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;
	if (!on)
		swapoff("/dev/ram0");
	else if (pwrite(fd, &head, sizeof(head), 0) == sizeof(head))
		swapon("/dev/ram0", 0);
	close(fd);
}

static void print_file(pid_t pid, const char *task, const char *name)
{
	char line[256];
	FILE *f;

	snprintf(line, sizeof(line), "/proc/%d/task/%s/%s", pid, task, name);
	f = fopen(line, "r");
	while (f && fgets(line, sizeof(line), f))
		printf("# thread %s %s: %s", task, name, line);
	if (f)
		fclose(f);
}

/* Where each thread of a process is */
static void print_threads(pid_t pid)
{
	struct dirent *entry;
	char path[32];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		print_file(pid, entry->d_name, "stat");
		print_file(pid, entry->d_name, "syscall");
		print_file(pid, entry->d_name, "stack");
	}
	if (dir)
		closedir(dir);
}

/* The same for all processes of a group */
static void print_group(pid_t group)
{
	struct dirent *entry;
	DIR *dir = opendir("/proc");
	pid_t pid;

	while (dir && (entry = readdir(dir))) {
		pid = atoi(entry->d_name);
		if (pid > 0 && getpgid(pid) == group)
			print_threads(pid);
	}
	if (dir)
		closedir(dir);
}

/*
 * Wait for a child, or, with 0, for all that a sequence forked and did not wait for.
 * A process that does not end is a fault: 1, and it was printed.
 */
static int reap(pid_t pid, pid_t group, int *status)
{
	const struct timespec tick = { .tv_nsec = 20000000 };
	int ticks = 0;
	pid_t got;

	while ((got = waitpid(pid ?: -1, status, WNOHANG)) != -1) {
		if (got && pid)
			return 0;
		if (got)
			continue;
		nanosleep(&tick, NULL);
		/* long enough for a host that has much else to do */
		if (++ticks == 15000) {
			printf("# it hangs\n");
			print_group(group);
			return 1;
		}
	}
	return 0;
}

/*
 * One sequence in a child; now and then it is killed at some moment. What is
 * wrong then: 0, or 1 and it was printed.
 */
static int sequence_in_child(u32 seed, bool kill_it)
{
	struct timespec nap = { .tv_nsec = (seed >> 8) % 300 * 1000000 };
	int status, ignored;
	pid_t pid;

	t_begin();
	limits();
	pid = fork();
	t_must(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setpgid(0, 0);
		sequence(seed, false);
	}
	setpgid(pid, pid);
	if (kill_it) {
		nanosleep(&nap, NULL);
		kill(pid, SIGKILL);
	}
	if (reap(pid, pid, &status))
		return 1;
	/* the group is there for as long as one of it is */
	kill(-pid, SIGKILL);
	if (reap(0, pid, &ignored))
		return 1;
	if (t_end())
		return 1;
	/* out of memory in its group, or killed by us */
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return 0;
	if (!WIFEXITED(status) || (WEXITSTATUS(status) && WEXITSTATUS(status) != 3 &&
				   WEXITSTATUS(status) != 1)) {
		printf("# ended with status %#x\n", status);
		return 1;
	}
	return 0;
}

static u32 option(int argc, char **argv, const char *name, u32 otherwise)
{
	int i;

	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return i + 1 < argc ? strtoul(argv[i + 1], NULL, 0) : 1;
	return otherwise;
}

static bool has(int argc, char **argv, const char *name)
{
	while (--argc > 0)
		if (!strcmp(argv[argc], name))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	const char *env = getenv("FUZZ_SECONDS");
	u32 times = has(argc, argv, "--one") ? 1 : option(argc, argv, "--times", 0);
	u32 seed, killed = 0, nr = 0;
	int wrong = 0;
	time_t end;

	if (has(argc, argv, "--nothing"))
		return 0;
	setvbuf(stdout, NULL, _IOLBF, 0);
	seed = option(argc, argv, "--seed", 0) ?: t_seed();
	if (has(argc, argv, "--list")) {
		sequence(seed, true);
		return 0;
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	totals = mmap(NULL, sizeof(*totals), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	t_must(totals != MAP_FAILED);
	cgroups();
	printf("TAP version 13\n1..1\n");
	end = time(NULL) + (env ? atoi(env) : 60);
	for (; times ? nr < times : time(NULL) < end; nr++) {
		printf("# %u: --seed %u\n", nr, seed);
		if (nr % 8 == 0)
			swap(nr % 16 == 8);
		killed += seed % 5 == 2;
		wrong = sequence_in_child(seed, seed % 5 == 2);
		if (wrong)
			break;
		if (!has(argc, argv, "--seed"))
			t_rnd(&seed);
	}
	if (wrong) {
		printf("# run it again with --seed %u --times 20; this is what it does:\n",
		       seed);
		sequence(seed, true);
	}
	printf("# %u fuzz sequences (%u killed), %llu calls, %llu PCs reached\n", nr, killed,
	       (unsigned long long)totals->calls, (unsigned long long)totals->nr_pcs);
	printf("%sok 1 fuzz.nothing_breaks_and_nothing_stays\n", wrong ? "not " : "");
	return wrong;
}
