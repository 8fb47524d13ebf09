// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Calls into a Linux guest, against the module: KERNEL and INITRD, whose agent answers, are
 * booted once; snapshots are made where the agent is ready, at random moments, idle and
 * busy, and at some with a name, such as in a system call; and each is called again and
 * again, each time after a restore, some of the calls cut off in the middle, in place and
 * in a process that got the snapshot's fd over a socket. Runs in the test VM.
 *
 *   libhlk-linux KERNEL INITRD [CALLS [MOMENTS [CPUS [NAMED]]]]
 *
 * A fifth of CALLS is cut off; every 50th is audited, and what is left at the end. At each
 * moment that has a name there are NAMED calls, a tenth of CALLS if it is not given; with 0
 * these moments are left out. Without a shell in INITRD fewer things are tried. SEED= is
 * for what is random. SAVE= is a folder to which the first snapshot is saved, as "linux", for
 * libhlk-saved.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linux-guest.h"
#include "passfd.h"

#define LONG	(900 * SECOND)
#define IF	0x200
/* beside the number of calls that another process is to make */
#define SHELL	0x80000000
#define STEPS	0x40000000

static unsigned int cpus = 1;

/* ---- the guest ---- */

static void *read_file(const char *name, uint64_t *size)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *mem;

	if (fd < 0 || fstat(fd, &st)) {
		printf("Bail out! %s: %s\n", name, strerror(errno));
		exit(1);
	}
	*size = st.st_size;
	mem = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	return mem;
}

static struct hlk_machine *boot(char **argv)
{
	struct hlk_machine_config config = HLK_MACHINE_CONFIG_INIT;
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;
	struct hlk_kernel kernel = HLK_KERNEL_INIT;
	uint64_t start = now_us();
	struct hlk_machine *machine;
	struct hlk_err err;

	config.nr_cpus = cpus;
	config.mem_size = 128ULL << 20;
	config.print = print;
	if (hlk_machine_create(ctx, &config, &machine, &err))
		bail("no machine", &err);
	kernel.image = read_file(argv[1], &kernel.image_size);
	kernel.initrd = read_file(argv[2], &kernel.initrd_size);
	kernel.cmdline = "console=ttyS0 quiet panic=-1 rdinit=/hlk-agent";
	run.flags = HLK_MACHINE_PORT;
	run.port = HLK_GUEST_PORT_AGENT;
	run.timeout_us = LONG;
	if (hlk_machine_load(machine, &kernel, NULL) ||
	    hlk_machine_go(machine, &run))
		bail("it did not come up", hlk_machine_error(machine));
	if (run.stop != HLK_STOP_PORT) {
		printf("Bail out! it did not come up: %s\n", hlk_stop_text(run.stop));
		exit(1);
	}
	printf("# booted in %llu ms\n", (unsigned long long)(now_us() - start) / 1000);
	return machine;
}

/* ---- another process ---- */

/* Between two calls of getppid() the parent counts. */
static void be_counted(struct hlk_sandbox *sb)
{
	static struct question q;

	ask_echo(&q);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		return;
	raise(SIGSTOP);
	getppid();
	call(sb, &q);
	getppid();
}

/* What another process does: a sandbox of each snapshot that comes */
static int other(int from)
{
	struct counts counts;
	struct hlk_sandbox *sb = NULL;
	struct hlk_snap *snap;
	struct hlk_err err;
	unsigned int nr, i;
	int fd;

	if (hlk_open(&ctx, &err))
		return 1;
	while ((fd = receive_fd(from, &nr)) >= 0) {
		hlk_sandbox_close(sb);
		has_shell = nr & SHELL;
		has_steps = nr & STEPS;
		nr &= ~(SHELL | STEPS);
		counts = (struct counts) {};
		if (hlk_snapshot_from_fd(fd, &snap, &err))
			return 1;
		/* Here time goes on, there it comes back. */
		sb = clone_of(snap, 0);
		close(fd);
		hlk_snapshot_close(snap);
		for (i = 0; sb && i < nr && counts.wrong < 10; i++)
			one(sb, &counts, i);
		if (sb)
			audit(sb, &counts);
		counts.wrong += barked;
		fflush(stdout);
		if (write(from, &counts, sizeof(counts)) != sizeof(counts))
			return 1;
	}
	if (sb)
		be_counted(sb);
	return 0;
}

static pid_t other_pid;
static int other_end = -1;

static void start_other(void)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return;
	fflush(stdout);
	other_pid = fork();
	if (!other_pid) {
		close(ends[0]);
		_exit(other(ends[1]));
	}
	close(ends[1]);
	other_end = ends[0];
}

static void calls_of_other(const struct hlk_snap *snap, unsigned int nr,
			   const char *where)
{
	uint64_t start = now_us();
	unsigned int what = (has_shell ? SHELL : 0) | (has_steps ? STEPS : 0);
	struct counts counts = {};

	fflush(stdout);
	if (send_fd(other_end, hlk_snapshot_fd(snap), nr | what) ||
	    read(other_end, &counts, sizeof(counts)) != sizeof(counts))
		counts.wrong++;
	tap(counts.right == nr && !counts.wrong,
	    "another process, %s: %u of %u answers right, %u cut off before, %u audits",
	    where, counts.right, nr, counts.cut, counts.audited);
	printf("# %llu us for each\n", (unsigned long long)(now_us() - start) / nr);
}

/* System calls that it makes between its two of getppid(), or -1 */
static int count_calls(pid_t pid)
{
	struct __ptrace_syscall_info info;
	int status, marks = 0, nr = 0;

	/* else the kernel does not say what kind of stop it is */
	if (ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD))
		return -1;
	while (marks < 2) {
		if (ptrace(PTRACE_SYSCALL, pid, NULL, NULL) ||
		    waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
			return -1;
		if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0 ||
		    info.op != PTRACE_SYSCALL_INFO_ENTRY)
			continue;
		if (info.entry.nr == SYS_getppid)
			marks++;
		else if (marks)
			nr++;
	}
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
	return nr;
}

static void end_other(void)
{
	int status = 0, nr = -1;

	close(other_end);
	if (waitpid(other_pid, &status, WUNTRACED) == other_pid && WIFSTOPPED(status))
		nr = count_calls(other_pid);
	/* Of several processors each call is a turn of threads. */
	tap(cpus > 1 || nr == 1, "restore and call were %d system call(s) of its process",
	    nr);
	if (WIFSTOPPED(status))
		waitpid(other_pid, &status, 0);
	tap(WIFEXITED(status) && !WEXITSTATUS(status), "and it ended well");
}

/* ---- time ---- */

/* How long the guest has been up, by its own clock, or 0 */
static uint64_t up_us(struct hlk_sandbox *sb)
{
	static const char line[] = "read up idle < /proc/uptime; echo $up";
	char answer[32] = "";

	if (!sb || hlk_sandbox_restore_call(sb, "sh", line, strlen(line), answer,
					    sizeof(answer) - 1, NULL, 120 * SECOND))
		return 0;
	return strtod(answer, NULL) * SECOND;
}

/*
 * A clone's VM has a clock of its own, which is younger than the guest. Time that goes on
 * does so from where it was: for the guest as much of it is over as for the host.
 */
static void test_time(struct hlk_snap *snap, uint64_t before, uint64_t after)
{
	struct hlk_sandbox *sb = clone_of(snap, HLK_CONFIG_TIME_BACK);
	uint64_t start = now_us(), back = up_us(sb), took = now_us() - start;
	uint64_t least, most, up = 0;
	unsigned int i, right = 0;

	hlk_sandbox_close(sb);
	sb = clone_of(snap, 0);
	for (i = 0; i < 3; i++) {
		/* by hundredths of seconds, and two clocks */
		least = back - took + (now_us() - after) - SECOND / 20;
		up = up_us(sb);
		most = back + (now_us() - before) + SECOND / 20;
		if (up >= least && up <= most)
			right++;
		else
			printf("# up for %llu us, not %llu to %llu\n", (unsigned long long)up,
			       (unsigned long long)least, (unsigned long long)most);
	}
	hlk_sandbox_close(sb);
	tap(back && right == 3, "time goes on in a clone: from %llu ms to %llu",
	    (unsigned long long)back / 1000, (unsigned long long)up / 1000);
}

/* ---- pools and batches ---- */

static void test_pool(struct hlk_snap *snap)
{
	struct hlk_pool_config config = HLK_POOL_CONFIG_INIT;
	struct hlk_pool *pool;
	struct hlk_err err = {};
	struct question q;
	char answer[ANSWER];
	unsigned int i, right = 0;
	size_t len;

	config.sandboxes = 2;
	if (hlk_pool_open(ctx, snap, &config, &pool, &err)) {
		tap(false, "a pool: %s", words(&err));
		return;
	}
	for (i = 0; i < 10; i++) {
		ask(&q);
		len = 0;
		if (!hlk_pool_call(pool, 120 * SECOND, q.name, q.in, q.len, answer,
				   sizeof(answer), &len, 120 * SECOND, &err) &&
		    is_answer(&q, answer, len))
			right++;
		else
			printf("# call %u: %s: %s; %zu bytes, wanted %zu\n", i, q.name,
			       words(&err), len, q.want_len);
	}
	tap(right == 10 && !hlk_pool_close(pool), "a pool: %u of 10 answers right", right);
}

static void test_batch(struct hlk_snap *snap)
{
	struct hlk_sandbox *sb[3] = {};
	struct hlk_batch *batch = NULL;
	static struct question q[3];
	static char answer[3][ANSWER];
	size_t len[3] = {};
	unsigned int i, round, right = 0;
	struct hlk_err err;

	if (hlk_batch_open(ctx, 3, &batch, &err)) {
		tap(true, "# SKIP batches: %s", words(&err));
		return;
	}
	for (i = 0; i < 3; i++)
		sb[i] = clone_of(snap, HLK_CONFIG_TIME_BACK);
	for (round = 0; round < 5 && sb[0] && sb[1] && sb[2]; round++) {
		for (i = 0; i < 3; i++)
			hlk_batch_restore(batch, sb[i], round ? NULL : snap,
					  i ? HLK_BATCH_ASYNC : 0);
		right += !hlk_batch_submit(batch);
		for (i = 0; i < 3; i++) {
			ask(&q[i]);
			hlk_batch_restore_call(batch, sb[i], q[i].name, q[i].in,
					       q[i].len, answer[i], ANSWER, &len[i],
					       120 * SECOND);
		}
		hlk_batch_submit(batch);
		for (i = 0; i < 3; i++)
			right += !hlk_batch_result(batch, i) &&
				 is_answer(&q[i], answer[i], len[i]);
	}
	tap(right == 20, "batches: %u of 5 of restores, and of 15 answers, right", right);
	hlk_batch_close(batch);
	for (i = 0; i < 3; i++)
		hlk_sandbox_close(sb[i]);
}

static void save(struct hlk_snap *snap, const char *folder)
{
	struct hlk_save_config how = HLK_SAVE_CONFIG_INIT;
	struct hlk_err err = {};

	how.name = "linux";
	tap_err(&err, !hlk_snapshot_save(ctx, snap, folder, &how, &err), "saved");
}

/* ---- random moments ---- */

static unsigned int in_user, in_kernel, closed, halted;

static uint8_t byte_at(struct hlk_sandbox *sb, uint32_t va)
{
	struct hlk_translate to = { .root = HLK_ROOT_CR3, .va = va };
	uint8_t byte = 0;

	if (!hlk_sandbox_translate(sb, &to))
		hlk_sandbox_read(sb, to.gpa, &byte, 1);
	return byte;
}

/* Where it is: not a test, but to know what was tested */
static void note_moment(struct hlk_sandbox *sb)
{
	struct hlk_regs regs;

	if (hlk_sandbox_regs(sb, &regs))
		return;
	if (regs.cs & 3) {
		in_user++;
		return;
	}
	in_kernel++;
	closed += !(regs.eflags & IF);
	/* HLT, after STI or not: what comes next is behind it. */
	halted += byte_at(sb, regs.eip - 1) == 0xf4;
}

/* As long as it takes to get its pages: those are no random moments. */
static int first_part(struct hlk_machine *machine, struct hlk_snap *snap)
{
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;
	int ret;

	run.flags = HLK_MACHINE_RESTORE | HLK_MACHINE_TIME_BACK;
	run.timeout_us = 200000;
	ret = hlk_machine_restore(machine, snap);
	if (!ret)
		ret = hlk_machine_go(machine, &run);
	return !ret && run.stop != HLK_STOP_TIME ? -EPROTO : ret;
}

static struct hlk_snap *moment(struct hlk_machine *machine, struct hlk_snap *snap)
{
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;
	struct hlk_snap *new = NULL;
	int ret;

	ret = first_part(machine, snap);
	run.timeout_us = 1 + any(20000);
	if (!ret)
		ret = hlk_machine_go(machine, &run);
	if (ret || run.stop != HLK_STOP_TIME || hlk_machine_snapshot(machine, &new))
		tap(false, "a random moment: %s, %s", words(hlk_machine_error(machine)),
		    hlk_stop_text(run.stop));
	return new;
}

static void moments(struct hlk_machine *machine, struct hlk_snap *snap,
		    unsigned int nr, const char *what)
{
	struct counts counts = {};
	unsigned int i, k;
	char where[64];

	in_user = 0;
	in_kernel = 0;
	closed = 0;
	halted = 0;
	for (i = 0; i < nr; i++) {
		struct hlk_snap *new = moment(machine, snap);
		struct hlk_sandbox *sb = new ? clone_of(new, i % 2 ? HLK_CONFIG_TIME_BACK : 0) :
					       NULL;

		if (!sb) {
			hlk_snapshot_close(new);
			return;
		}
		note_moment(sb);
		for (k = 0; k < 4; k++)
			one(sb, &counts, k);
		counts.wrong += hlk_sandbox_audit(sb) != 0;
		hlk_sandbox_close(sb);
		if (!any(4)) {
			snprintf(where, sizeof(where), "%s, moment %u", what, i);
			calls_of_other(new, 4, where);
		}
		hlk_snapshot_close(new);
	}
	tap(counts.right == 4 * nr && !counts.wrong,
	    "%s, %u random moments: %u of %u answers right", what, nr, counts.right, 4 * nr);
	printf("# %u in user mode; %u in the kernel, of these %u with interrupts off, %u at HLT\n",
	       in_user, in_kernel, closed, halted);
}

/* A guest in which something else goes on all the time: what a line of shell does */
static struct hlk_snap *busy(struct hlk_snap *snap, const char *line)
{
	struct hlk_sandbox *sb = clone_of(snap, HLK_CONFIG_TIME_BACK);
	struct hlk_snap *new = NULL;
	char command[256], answer[16];

	if (!sb)
		return NULL;
	snprintf(command, sizeof(command),
		 "(while :; do %s; done) < /dev/null > /dev/null 2>&1 &", line);
	if (hlk_sandbox_call(sb, "sh", command, strlen(command), answer, sizeof(answer),
			     NULL, 120 * SECOND) ||
	    hlk_sandbox_snapshot(sb, NULL, &new))
		tap(false, "a busy guest: %s", why(sb));
	hlk_sandbox_close(sb);
	return new;
}

/* ---- moments with a name ---- */

/**
 * struct named - a moment: in one of some functions, or in HLT
 * @name: what it is called
 * @functions: of the kernel, which may be in them in no other case; NULL: in HLT
 * @closed: with interrupts off
 */
static const struct named {
	const char *name;
	const char *functions;
	bool closed;
} named[] = {
	/* All wait: the process that takes steps, and the agent. */
	{ "in HLT, and in usleep()", NULL, false },
	{ "in the handler of the timer's interrupt",
	  "sysvec_apic_timer_interrupt|__sysvec_apic_timer_interrupt|"
	  "smp_apic_timer_interrupt|timer_interrupt|hrtimer_interrupt|"
	  "__hrtimer_run_queues|tick_sched_timer|tick_sched_handle|"
	  "update_process_times|update_wall_time|timekeeping_advance|scheduler_tick", true },
	{ "in a system call, open(), read() or write()",
	  "ksys_write|vfs_write|new_sync_write|generic_file_write_iter|"
	  "__generic_file_write_iter|generic_perform_write|simple_write_begin|"
	  "simple_write_end|pipe_write|ksys_read|vfs_read|generic_file_read_iter|"
	  "filemap_read|do_sys_openat2|do_filp_open|path_openat|link_path_walk|"
	  "walk_component|lookup_fast|__d_lookup_rcu", false },
	{ "in a system call, fork()",
	  "kernel_clone|copy_process|dup_mm|dup_task_struct|copy_page_range|vm_area_dup|"
	  "anon_vma_fork|anon_vma_clone|copy_thread|wake_up_new_task", false },
	{ "in a system call, execve()",
	  "do_execveat_common|bprm_execve|begin_new_exec|load_elf_binary|"
	  "setup_arg_pages|copy_strings|copy_string_kernel|setup_new_exec|elf_map", false },
	{ "in the handler of a page fault",
	  "do_user_addr_fault|handle_mm_fault|__handle_mm_fault|do_wp_page|wp_page_copy|"
	  "do_anonymous_page|do_fault|filemap_map_pages|next_uptodate_page|"
	  "do_set_pte|finish_fault", false },
	{ "between two processes",
	  "__schedule|__switch_to|__switch_to_asm|switch_mm_irqs_off|pick_next_task_fair|"
	  "finish_task_switch|put_prev_task_fair|set_next_entity|put_prev_entity", true },
};

#define NR_NAMED	(sizeof(named) / sizeof(named[0]))
#define NR_RANGES	32

/**
 * struct ranges - where a moment's functions are
 * @nr: how many
 * @range: from the first to behind the last byte
 */
struct ranges {
	unsigned int nr;
	struct {
		uint64_t first, behind;
	} range[NR_RANGES];
};

static bool is_one_of(const char *functions, const char *name)
{
	size_t len = strlen(name);
	const char *at;

	for (at = functions; (at = strstr(at, name)) != NULL; at += len)
		if ((at == functions || at[-1] == '|') && (!at[len] || at[len] == '|'))
			return true;
	return false;
}

/* A line for each of the functions, and one for what is behind it */
static void read_ranges(char *lines, const char *functions, struct ranges *ranges)
{
	char *line, *rest = lines, name[128];
	unsigned long long at, first = 0;

	ranges->nr = 0;
	while ((line = strsep(&rest, "\n")) != NULL && ranges->nr < NR_RANGES) {
		if (sscanf(line, "%llx %*c %127s", &at, name) != 2)
			continue;
		if (first && at > first) {
			ranges->range[ranges->nr].first = first;
			ranges->range[ranges->nr++].behind = at;
		}
		first = is_one_of(functions, name) ? at : 0;
	}
}

/* The guest says where its kernel has them: that wants no symbols of its package. */
static bool find_functions(struct hlk_snap *snap, const struct named *at,
			   struct ranges *ranges)
{
	struct hlk_sandbox *sb = clone_of(snap, HLK_CONFIG_TIME_BACK);
	char command[1024], lines[ANSWER] = "";
	int ret = -1;

	snprintf(command, sizeof(command),
		 "busybox grep -A1 -E ' (%s)$' /proc/kallsyms", at->functions);
	if (sb)
		ret = hlk_sandbox_call(sb, "sh", command, strlen(command), lines,
				       sizeof(lines) - 1, NULL, 120 * SECOND);
	read_ranges(lines, at->functions, ranges);
	if (ret || !ranges->nr)
		tap(false, "where the kernel is %s: %s", at->name, sb ? why(sb) : "?");
	hlk_sandbox_close(sb);
	return !ret && ranges->nr;
}

static bool is_there(const struct hlk_machine_run *run, const struct named *at,
		     const struct ranges *ranges)
{
	unsigned int i;

	if (run->ring || !(run->rflags & IF) != at->closed)
		return false;
	for (i = 0; i < ranges->nr; i++)
		if (run->rip >= ranges->range[i].first && run->rip < ranges->range[i].behind)
			return true;
	return !at->functions;
}

/* Chance leads there: it is stopped until it is where it is to be. */
static struct hlk_snap *named_moment(struct hlk_machine *machine, struct hlk_snap *snap,
				     const struct named *at)
{
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;
	uint32_t stop = at->functions ? HLK_STOP_TIME : HLK_STOP_IDLE;
	uint64_t end = now_us() + 60 * SECOND;
	struct ranges ranges = {};
	struct hlk_snap *new = NULL;
	unsigned int looks = 0;
	int ret;

	if (at->functions && !find_functions(snap, at, &ranges))
		return NULL;
	ret = first_part(machine, snap);
	run.flags = at->functions ? 0 : HLK_MACHINE_IDLE;
	run.idle_us = 10000;
	do {
		if (ret || now_us() > end)
			break;
		run.timeout_us = at->functions ? 1 + any(2000) : 60 * SECOND;
		ret = hlk_machine_go(machine, &run);
		looks++;
	} while (run.stop != stop || !is_there(&run, at, &ranges));
	if (!ret && is_there(&run, at, &ranges))
		ret = hlk_machine_snapshot(machine, &new);
	tap(new, "%s, at 0x%llx, after %u looks: %s", at->name, (unsigned long long)run.rip,
	    looks, words(hlk_machine_error(machine)));
	return new;
}

static void named_moments(struct hlk_machine *machine, struct hlk_snap *snap,
			  unsigned int nr)
{
	struct hlk_snap *new;
	struct hlk_sandbox *sb;
	unsigned int i;

	has_steps = true;
	for (i = 0; i < NR_NAMED; i++) {
		new = named_moment(machine, snap, &named[i]);
		sb = new ? clone_of(new, HLK_CONFIG_TIME_BACK) : NULL;
		if (sb) {
			calls(sb, nr, named[i].name);
			hlk_sandbox_close(sb);
			calls_of_other(new, nr, named[i].name);
		}
		hlk_snapshot_close(new);
	}
	has_steps = false;
}

int main(int argc, char **argv)
{
	unsigned int nr, nr_moments, nr_named;
	struct hlk_snap *snap = NULL, *second;
	struct hlk_machine *machine;
	struct hlk_sandbox *sb;
	uint64_t before, after;
	struct hlk_err err;
	const char *given = getenv("SEED");

	if (argc < 3)
		return 2;
	nr = argc > 3 ? strtoul(argv[3], NULL, 0) : 50;
	nr_moments = argc > 4 ? strtoul(argv[4], NULL, 0) : 4;
	if (argc > 5)
		cpus = strtoul(argv[5], NULL, 0);
	nr_named = argc > 6 ? strtoul(argv[6], NULL, 0) : (nr + 9) / 10;
	seed = given ? strtoull(given, NULL, 0) : now_us();
	printf("TAP version 13\n# SEED=%llu\n", (unsigned long long)seed);
	start_other();
	if (hlk_open(&ctx, &err))
		bail("no hlk", &err);
	machine = boot(argv);
	before = now_us();
	if (hlk_machine_snapshot(machine, &snap))
		bail("no snapshot", hlk_machine_error(machine));
	after = now_us();
	sb = clone_of(snap, HLK_CONFIG_TIME_BACK);
	has_shell = find_shell(sb);
	calls(sb, nr, "ready");
	hlk_sandbox_close(sb);
	calls_of_other(snap, nr, "ready");
	if (has_shell)
		test_time(snap, before, after);
	test_pool(snap);
	if (cpus == 1)
		test_batch(snap);
	if (getenv("SAVE"))
		save(snap, getenv("SAVE"));
	moments(machine, snap, nr_moments, "idle");
	second = has_shell ? busy(snap, "read x < /proc/uptime; echo $x > /dev/null") : NULL;
	if (second)
		moments(machine, second, nr_moments, "busy");
	hlk_snapshot_close(second);
	second = has_shell && nr_moments && nr_named ?
		busy(snap, "busybox usleep 3000; : $((i += 1)); echo $i >> /steps") : NULL;
	if (second)
		named_moments(machine, second, nr_named);
	hlk_snapshot_close(second);
	/* The snapshot in which all is as it was is the last that the other one has. */
	calls_of_other(snap, 5, "again");
	end_other();
	tap(!barked, "no watchdog takes the time before a restore for its own");
	hlk_snapshot_close(snap);
	hlk_machine_close(machine);
	hlk_close(ctx);
	return tap_done();
}
