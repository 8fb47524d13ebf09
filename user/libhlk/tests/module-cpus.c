// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Machines of several processors against the module: smp.S, which knows nothing of hlk,
 * starts them, has them interrupt each other, and is snapshot in the middle of that: what
 * is on its way then comes once after each restore. Runs in the test VM.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "module.h"
#include "passfd.h"
#include "said.h"

#define SECOND	1000000ULL
#define ROUNDS	20
#define MEM	(4 << 20)

static struct hlk_machine *make_machine(uint32_t nr_cpus)
{
	struct hlk_machine_config config = HLK_MACHINE_CONFIG_INIT;
	struct hlk_machine *machine;
	struct hlk_err err;

	config.nr_cpus = nr_cpus;
	config.mem_size = MEM;
	config.print = print;
	if (hlk_machine_create(ctx, &config, &machine, &err)) {
		printf("# %s\n", words(&err));
		printf("Bail out! no machine\n");
		exit(1);
	}
	forget();
	return machine;
}

/* Where it stopped, or HLK_STOP_NONE with an error */
static uint32_t go(struct hlk_machine *machine, uint32_t flags,
		   struct hlk_machine_run *run)
{
	run->flags = flags;
	if (!run->timeout_us)
		run->timeout_us = 120 * SECOND;
	if (hlk_machine_go(machine, run)) {
		printf("# %s\n", reason(machine));
		return HLK_STOP_NONE;
	}
	printf("# %s: 0x%llx of %llu at 0x%llx after %llu exits\n",
	       hlk_stop_text(run->stop), (unsigned long long)run->value,
	       (unsigned long long)run->cpu, (unsigned long long)run->rip,
	       (unsigned long long)run->exits);
	return run->stop;
}

static struct hlk_machine *load(uint32_t nr_cpus, char mode)
{
	struct hlk_machine *machine = make_machine(nr_cpus);
	struct hlk_kernel kernel = HLK_KERNEL_INIT;
	char line[3] = { mode, '0' + nr_cpus - 1 };

	kernel.image = guest_elf;
	kernel.image_size = guest_elf_end - guest_elf;
	kernel.cmdline = line;
	if (hlk_machine_load(machine, &kernel, NULL))
		tap(false, "load: %s", reason(machine));
	return machine;
}

/* On to the point that the kernel's mode chose */
static struct hlk_machine *boot(uint32_t nr_cpus, char mode)
{
	struct hlk_machine *machine = load(nr_cpus, mode);
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;

	run.print = "ready\n";
	tap(go(machine, HLK_MACHINE_PRINT, &run) == HLK_STOP_PRINT,
	    "%u processors, mode '%c': ready", nr_cpus, mode);
	return machine;
}

static struct hlk_snap *take(struct hlk_machine *machine)
{
	struct hlk_snap *snap;

	if (!hlk_machine_snapshot(machine, &snap))
		return snap;
	tap(false, "snapshot: %s", reason(machine));
	return NULL;
}

/* It comes to its end, and says nothing but what it has to. */
static bool ends_well(struct hlk_machine *machine, uint32_t flags)
{
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;
	size_t dots;

	forget();
	if (go(machine, flags, &run) != HLK_STOP_EXIT || run.value != 0x2a) {
		printf("# it said '%s'\n", said);
		return false;
	}
	dots = strspn(said, ".");
	return !strcmp(said + dots, "well\n");
}

static bool rounds(struct hlk_machine *machine, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (!ends_well(machine, HLK_MACHINE_RESTORE)) {
			printf("# round %u\n", i);
			return false;
		}
	return true;
}

/* In place, in another machine, and in a machine that was another's snapshot's */
static void test_mode(uint32_t nr_cpus, char mode, unsigned int nr, const char *what)
{
	struct hlk_machine *machine = boot(nr_cpus, mode);
	struct hlk_machine *clone;
	struct hlk_snap *snap = take(machine);

	if (!snap)
		return;
	tap(ends_well(machine, 0), "%s: after a snapshot it goes on", what);
	tap(!hlk_machine_restore(machine, snap) && rounds(machine, nr),
	    "%s: once after each of %u restores: %s", what, nr, reason(machine));
	clone = make_machine(nr_cpus);
	tap(!hlk_machine_restore(clone, snap) && rounds(clone, nr / 4),
	    "%s: in another machine: %s", what, reason(clone));
	hlk_machine_close(machine);
	hlk_snapshot_close(snap);
	hlk_machine_close(clone);
}

static void test_ends(void)
{
	static const struct {
		char mode;
		uint32_t flags;
		uint32_t stop;
		uint32_t cpu;
	} rows[] = {
		{ 'p', 0, HLK_STOP_TIME, 0 },
		{ 'o', 0, HLK_STOP_OFF, 1 },
		{ 't', 0, HLK_STOP_SHUTDOWN, 1 },
		{ 'd', HLK_MACHINE_IDLE, HLK_STOP_IDLE, 0 },
		{ 'b', HLK_MACHINE_IDLE, HLK_STOP_TIME, 0 },
	};
	struct hlk_machine_run run;
	struct hlk_machine *machine;
	uint32_t stop;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		run = (struct hlk_machine_run)HLK_MACHINE_RUN_INIT;
		run.timeout_us = rows[i].stop == HLK_STOP_TIME ? SECOND : 0;
		machine = boot(2, rows[i].mode);
		stop = go(machine, rows[i].flags, &run);
		tap(stop == rows[i].stop && (run.cpu == rows[i].cpu || !rows[i].cpu),
		    "mode '%c': %s", rows[i].mode, hlk_stop_text(stop));
		hlk_machine_close(machine);
	}
	run = (struct hlk_machine_run)HLK_MACHINE_RUN_INIT;
	machine = load(3, 'c');
	tap(go(machine, 0, &run) == HLK_STOP_HALT, "all halted for good");
	hlk_machine_close(machine);
}

/* A process that made nothing of it before */
static int other_process(int from)
{
	struct hlk_machine *machine;
	struct hlk_snap *snap;
	struct hlk_err err;
	unsigned int nr;
	int fd;

	if (hlk_open(&ctx, &err))
		return 2;
	fd = receive_fd(from, &nr);
	if (hlk_snapshot_from_fd(fd, &snap, &err))
		return 3;
	machine = make_machine(3);
	if (hlk_machine_restore(machine, snap))
		return 4;
	if (!rounds(machine, ROUNDS / 2))
		return 5;
	hlk_machine_close(machine);
	hlk_snapshot_close(snap);
	hlk_close(ctx);
	return 0;
}

static void test_process(const char *self)
{
	struct hlk_machine *machine = boot(3, 'x');
	struct hlk_snap *snap = take(machine);
	char name[16];
	int pair[2];
	int status;
	pid_t pid;

	if (!snap || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return;
	pid = fork();
	if (!pid) {
		snprintf(name, sizeof(name), "%d", pair[1]);
		execl(self, self, name, NULL);
		_exit(9);
	}
	tap(!send_fd(pair[0], hlk_snapshot_fd(snap), 0), "the snapshot is sent");
	tap(waitpid(pid, &status, 0) == pid && !status,
	    "another process restores and runs it: %#x", status);
	close(pair[0]);
	close(pair[1]);
	/* The child of a process with threads leaves them alone. */
	tap(!hlk_machine_restore(machine, snap) && rounds(machine, 2), "here, too");
	pid = fork();
	if (!pid) {
		hlk_machine_close(machine);
		_exit(0);
	}
	tap(waitpid(pid, &status, 0) == pid && !status && rounds(machine, 2),
	    "a child that closes its copy: %#x", status);
	hlk_machine_close(machine);
	hlk_snapshot_close(snap);
}

static void test_refused(void)
{
	struct hlk_machine *machine = boot(2, 'r');
	struct hlk_machine *other = make_machine(3);
	struct hlk_snap *snap = take(machine);
	int ret;

	ret = hlk_machine_restore(other, snap);
	tap(ret == -EINVAL, "another number of processors: %s", reason(other));
	hlk_machine_close(other);
	hlk_machine_close(machine);
	hlk_snapshot_close(snap);
}

/* One runs while the others rest, in the thread of the caller, and afterwards all do again. */
static void test_alone(void)
{
	static const uint32_t order[] = { 2, 1, 1, 0, 2 };
	struct hlk_machine *machine = boot(3, 'r');
	struct hlk_snap *snap = take(machine);
	struct hlk_machine_run run;
	unsigned int good = 0;
	uint32_t stop;
	size_t i;

	tap(!hlk_machine_restore(machine, snap) && rounds(machine, 2), "three together");
	for (i = 0; i < sizeof(order) / sizeof(*order); i++) {
		if (hlk_machine_restore(machine, snap) || hlk_machine_rest(machine))
			break;
		run = (struct hlk_machine_run)HLK_MACHINE_RUN_INIT;
		run.cpu = order[i];
		run.timeout_us = SECOND / 10;
		stop = go(machine, HLK_MACHINE_DEBUG | HLK_MACHINE_ONE, &run);
		good += stop == HLK_STOP_TIME && ends_well(machine, 0);
	}
	tap(good == i && i == sizeof(order) / sizeof(*order),
	    "one alone, and then together: %u of %zu: %s", good, i, reason(machine));
	tap(rounds(machine, 2), "and after a restore");
	hlk_machine_close(machine);
	hlk_snapshot_close(snap);
}

static volatile sig_atomic_t alarms;

static void on_alarm(int sig UNUSED)
{
	alarms++;
}

/* Signals come to the program, and disturb nothing. */
static void test_signals(void)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct hlk_machine *machine = boot(2, 'x');
	struct hlk_snap *snap = take(machine);
	bool good;

	sigaction(SIGALRM, &action, NULL);
	ualarm(3000, 3000);
	good = !hlk_machine_restore(machine, snap) && rounds(machine, ROUNDS / 2);
	/* they disturb what is printed */
	ualarm(0, 0);
	tap(good && alarms, "with %d signals", (int)alarms);
	hlk_machine_close(machine);
	hlk_snapshot_close(snap);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1)
		return other_process(atoi(argv[1]));
	open_ctx();
	test_alone();
	test_mode(2, 'r', ROUNDS * 2, "calls and replies");
	test_mode(4, 'x', 4, "calls, replies and exits of four");
	test_mode(2, 'i', ROUNDS, "an interrupt on its way");
	test_mode(3, 'f', ROUNDS, "an interrupt just sent");
	test_mode(2, 'n', ROUNDS, "an NMI on its way");
	test_mode(3, 'u', ROUNDS, "nobody was started");
	test_mode(3, 's', ROUNDS, "they wait for SIPI");
	test_mode(3, 'w', ROUNDS, "SIPI on its way");
	test_mode(16, 'r', 4, "sixteen");
	test_ends();
	test_process("/proc/self/exe");
	test_refused();
	test_signals();
	return finish();
}
