// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * libhlk against the module: what the library promises about calls, host functions,
 * failures, timeouts, signals, threads, batches and pools. Runs in the test VM.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "module.h"

static char printed[256];

static void print(void *arg, const char *text, size_t len)
{
	size_t used = strlen(printed);

	(void)arg;
	if (used + len < sizeof(printed))
		memcpy(printed + used, text, len);
}

static void test_boot(void)
{
	struct hlk_sandbox *sb = make(NULL);
	uint32_t value;

	tap_why(sb, call_u32(sb, "c", &value, 0) == -ESTALE, "before boot");
	tap(!hlk_sandbox_boot(sb, 0), "boot");
	tap(hlk_sandbox_exit(sb)->reason == HLK_EXIT_HALT, "it halted");
	tap_why(sb, hlk_sandbox_boot(sb, 0) == -EINVAL, "again");
	tap(echoes(sb, 0), "a call");
	tap(!call_u32(sb, "c", &value, 0) && value == 1 &&
	    !call_u32(sb, "c", &value, 0) && value == 2 &&
	    !call_u32(sb, "c", &value, 0) && value == 3,
	    "calls without a restore go on where they were");
	tap(!hlk_sandbox_restore(sb, NULL), "back to before the boot");
	tap_why(sb, call_u32(sb, "c", &value, 0) == -ESTALE, "then");
	tap(!hlk_sandbox_boot(sb, 10000 * MS) &&
	    !call_u32(sb, "c", &value, 0) && value == 1,
	    "boot again, with a timeout");
	hlk_sandbox_close(sb);
}

static int up(void *arg, const void *in, size_t in_len, void *out,
	      size_t out_size, size_t *out_len)
{
	const char *from = in;
	char *to = out;
	size_t i;

	(void)arg;
	if (in_len && *from == '!')
		return -EPERM;
	if (in_len && *from == '+') {
		*out_len = out_size + 1;
		return 0;
	}
	if (in_len && *from == '*') {
		*out_len = out_size;
		memset(out, 'x', out_size);
		return 0;
	}
	for (i = 0; i < in_len; i++)
		to[i] = from[i] >= 'a' && from[i] <= 'z' ? from[i] - 32 :
							   from[i];
	*out_len = in_len;
	return 0;
}

static int again(void *arg, const void *in UNUSED, size_t in_len UNUSED,
		 void *out UNUSED, size_t out_size UNUSED,
		 size_t *out_len UNUSED)
{
	struct hlk_sandbox *sb = arg;
	struct hlk_snap *snap;
	uint32_t value;

	if (call_u32(sb, "c", &value, 0) != -EBUSY ||
	    hlk_sandbox_restore(sb, NULL) != -EBUSY ||
	    hlk_sandbox_snapshot(sb, NULL, &snap) != -EBUSY ||
	    hlk_sandbox_boot(sb, 0) != -EBUSY)
		return -EIO;
	return 0;
}

static void test_host_functions(void)
{
	static char answer[32768];
	struct hlk_snap *snap;
	struct hlk_sandbox *sb = make_ready(NULL, HLK_SNAP_FLAT, &snap);
	struct hlk_sandbox *other;
	size_t len;

	tap_why(sb, hlk_sandbox_call(sb, "h", "abc", 3, answer, 16, &len, 0) ==
		-EREMOTEIO && hlk_sandbox_error(sb)->where == ENOENT,
		"no such host function");
	tap(!hlk_sandbox_host_function(sb, "up", up, NULL), "add one");
	tap_why(sb, hlk_sandbox_host_function(sb, "up", up, NULL) == -EEXIST,
		"once");
	tap_why(sb, hlk_sandbox_host_function(sb, "", up, NULL) == -EINVAL,
		"no name");
	tap(!hlk_sandbox_call(sb, "h", "abc", 3, answer, 16, &len, 0) &&
	    len == 3 && !memcmp(answer, "ABC", 3), "the guest calls it");
	tap(!hlk_sandbox_call(sb, "h", "", 0, answer, 16, &len, 0) && !len,
	    "with nothing");
	tap_why(sb, hlk_sandbox_call(sb, "h", "!", 1, answer, 16, &len, 0) ==
		-EREMOTEIO && hlk_sandbox_error(sb)->where == EPERM,
		"its error arrives");
	tap_why(sb, hlk_sandbox_call(sb, "h", "+", 1, answer, 16, &len, 0) ==
		-EREMOTEIO && hlk_sandbox_error(sb)->where == EMSGSIZE,
		"it answers more than fits");
	tap(!hlk_sandbox_call(sb, "h", "*", 1, answer, sizeof(answer), &len,
			      0) && len == 0x4000 - 16 - 12 &&
	    answer[len - 1] == 'x', "it answers all that fits");
	hlk_snapshot_close(snap);
	hlk_sandbox_close(sb);

	other = make_ready(NULL, HLK_SNAP_FLAT, &snap);
	hlk_sandbox_host_function(other, "up", again, other);
	tap(!hlk_sandbox_call(other, "h", "", 0, answer, 16, &len, 0),
	    "a host function cannot use its own sandbox");
	hlk_snapshot_close(snap);
	hlk_sandbox_close(other);
}

static void test_print(void)
{
	struct hlk_config config = HLK_CONFIG_INIT;
	struct hlk_snap *snap;
	struct hlk_sandbox *sb;

	config.print = print;
	sb = make_ready(&config, HLK_SNAP_FLAT, &snap);
	memset(printed, 0, sizeof(printed));
	tap(!hlk_sandbox_call(sb, "w", NULL, 0, NULL, 0, NULL, 0) &&
	    !strcmp(printed, "hello w"), "the guest prints: %s", printed);
	hlk_snapshot_close(snap);
	hlk_sandbox_close(sb);
}

static void fails(struct hlk_sandbox *sb, const char *name, int code,
		  uint32_t reason)
{
	uint32_t value;
	int ret = call_u32(sb, name, &value, 0);

	tap_why(sb, ret == -code && hlk_sandbox_exit(sb)->reason == reason,
		"'%s' gives %d, %u", name, ret, hlk_sandbox_exit(sb)->reason);
	tap_why(sb, call_u32(sb, "c", &value, 0) == -ESTALE, "then");
	tap(!hlk_sandbox_restore(sb, NULL) && echoes(sb, 0),
	    "after a restore all is well");
}

static void test_failures(void)
{
	struct hlk_snap *snap;
	struct hlk_sandbox *sb = make_ready(NULL, HLK_SNAP_HOST_COW, &snap);
	char name[3] = "n0";
	uint32_t value;

	fails(sb, "a", ENOTRECOVERABLE, HLK_EXIT_ABORT);
	fails(sb, "u", ENOTRECOVERABLE, HLK_EXIT_SHUTDOWN);
	fails(sb, "mr", ENOTRECOVERABLE, HLK_EXIT_NO_MEMORY);
	fails(sb, "mw", ENOTRECOVERABLE, HLK_EXIT_NO_MEMORY);
	tap(call_u32(sb, "mw", &value, 0) &&
	    hlk_sandbox_exit(sb)->fault == 0xfef00000 &&
	    hlk_sandbox_exit(sb)->flags & HLK_EXIT_WRITE &&
	    hlk_sandbox_exit(sb)->regs.cr0 == HLK_GUEST_CR0,
	    "where it was, and the registers");
	hlk_sandbox_restore(sb, NULL);
	fails(sb, "o", ENOTRECOVERABLE, HLK_EXIT_PORT);
	fails(sb, "i", ENOTRECOVERABLE, HLK_EXIT_PORT);
	fails(sb, "r", ENOTRECOVERABLE, HLK_EXIT_SHUTDOWN);
	for (name[1] = '0'; name[1] <= '9'; name[1]++)
		fails(sb, name, EPROTO, HLK_EXIT_PROTOCOL);
	tap_why(sb, call_u32(sb, "x", &value, 0) == -EREMOTEIO &&
		hlk_sandbox_error(sb)->where == 22, "an error");
	tap(echoes(sb, 0), "an error is no failure");
	tap_why(sb, call_u32(sb, "?", &value, 0) == -EREMOTEIO, "no such function");
	hlk_snapshot_close(snap);
	hlk_sandbox_close(sb);
}

static void test_budget(void)
{
	struct hlk_config config = HLK_CONFIG_INIT;
	struct hlk_vm_stats stats;
	struct hlk_snap *snap;
	struct hlk_sandbox *sb;
	uint32_t value;
	int i;

	config.max_private = 300;
	config.keep_private = 20;
	sb = make_ready(&config, HLK_SNAP_FLAT, &snap);
	for (i = 0; i < 3; i++) {
		tap_why(sb, call_u32(sb, "l", &value, 0) == -EDQUOT &&
			hlk_sandbox_exit(sb)->reason == HLK_EXIT_BUDGET,
			"over the budget");
		tap(!hlk_sandbox_restore(sb, NULL) &&
		    hlk_sandbox_restored(sb)->freed >= 200 && echoes(sb, 0),
		    "after a restore all is well");
	}
	tap(!hlk_sandbox_stats(sb, &stats) && stats.over_budget >= 3 &&
	    stats.max_private == 300, "statistics");
	hlk_snapshot_close(snap);
	hlk_sandbox_close(sb);

	config.max_private = 8192;
	config.keep_private = 0;
	sb = make_ready(&config, HLK_SNAP_FLAT, &snap);
	tap(!hlk_sandbox_call(sb, "l", NULL, 0, NULL, 0, NULL, 0),
	    "all memory written within the budget");
	hlk_snapshot_close(snap);
	hlk_sandbox_close(sb);
}

#define HEAP	0xa00000U	/* somewhere in it */

static int write_pages(struct hlk_sandbox *sb, uint32_t first, uint32_t pages)
{
	const uint32_t arg[2] = { HEAP + first * 4096, pages };

	return hlk_sandbox_restore_call(sb, "W", arg, sizeof(arg), NULL, 0, NULL, 0);
}

/* Each call has it, whatever those before it did */
static void test_budget_again(void)
{
	struct hlk_config config = HLK_CONFIG_INIT;
	struct hlk_sandbox *sb, *other;
	struct hlk_snap *snap;
	bool good = true;
	int i;

	config.max_private = 64;
	sb = make_ready(&config, HLK_SNAP_FLAT, &snap);
	for (i = 0; i < 20; i++)
		good = good && !write_pages(sb, i % 5 * 100, 40) &&
		       write_pages(sb, 0, 300) == -EDQUOT &&
		       hlk_sandbox_exit(sb)->reason == HLK_EXIT_BUDGET &&
		       !write_pages(sb, 600 + i, 40);
	tap_why(sb, good, "innocent calls after hostile ones");
	tap_err(hlk_sandbox_error(sb), !hlk_sandbox_from_snapshot(ctx, snap, &config, &other, NULL) &&
		!write_pages(other, 900, 40), "the first call of another sandbox");
	hlk_sandbox_close(other);
	hlk_snapshot_close(snap);
	hlk_sandbox_close(sb);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

static bool signal_pending(void)
{
	sigset_t set;

	sigpending(&set);
	return sigismember(&set, SIGRTMAX);
}

static void test_timeout(void)
{
	struct hlk_snap *snap;
	struct hlk_sandbox *sb = make_ready(NULL, HLK_SNAP_FLAT, &snap);
	uint64_t start = now_ms();
	bool good = true;
	uint32_t value;
	int i;

	tap_why(sb, call_u32(sb, "s", &value, 50 * MS) == -ETIMEDOUT &&
		hlk_sandbox_exit(sb)->reason == HLK_EXIT_TIMEOUT, "timeout");
	tap(now_ms() - start >= 50, "not before its time");
	tap(!signal_pending(), "no signal is left");
	tap_why(sb, call_u32(sb, "c", &value, 0) == -ESTALE, "then");
	for (i = 0; i < 10; i++)
		if (hlk_sandbox_restore(sb, NULL) ||
		    call_u32(sb, i % 2 ? "s" : "p", &value, 5 * MS) !=
		    -ETIMEDOUT ||
		    hlk_sandbox_restore(sb, NULL) || !echoes(sb, 0) ||
		    !echoes(sb, 10000 * MS) || signal_pending())
			good = false;
	tap(good, "again and again, with good calls between");
	hlk_sandbox_restore(sb, NULL);
	tap(call_u32(sb, "s", &value, 1) == -ETIMEDOUT, "one microsecond");
	hlk_sandbox_restore(sb, NULL);
	tap(echoes(sb, UINT64_MAX - 1), "a very long one");
	hlk_snapshot_close(snap);
	hlk_sandbox_close(sb);
}

static void *kicker(void *arg)
{
	struct hlk_sandbox *sb = arg;
	int i;

	/* Also when the call has not begun yet */
	for (i = 0; i < 10000 && hlk_sandbox_kick(sb) == -ESRCH; i++)
		usleep(1000);
	return NULL;
}

static void test_kick(void)
{
	struct hlk_snap *snap;
	struct hlk_sandbox *sb = make_ready(NULL, HLK_SNAP_FLAT, &snap);
	pthread_t thread;
	uint32_t value;
	int i, ret;

	tap(hlk_sandbox_kick(sb) == -ESRCH, "nothing to kick");
	for (i = 0; i < 3; i++) {
		pthread_create(&thread, NULL, kicker, sb);
		ret = call_u32(sb, i == 2 ? "p" : "s", &value,
			       i ? HLK_TIMEOUT_KICK : 10000 * MS);
		pthread_join(thread, NULL);
		tap_why(sb, ret == -EINTR && !signal_pending() &&
			hlk_sandbox_exit(sb)->reason == HLK_EXIT_KICKED,
			"kicked");
		tap(!hlk_sandbox_restore(sb, NULL) && echoes(sb, 0),
		    "after a restore all is well");
	}
	hlk_snapshot_close(snap);
	hlk_sandbox_close(sb);
}

static volatile sig_atomic_t alarms;

static void on_alarm(int signal)
{
	(void)signal;
	alarms++;
}

static void test_signals(void)
{
	const struct itimerval fast = { { 0, 2000 }, { 0, 2000 } };
	const struct itimerval off = {};
	struct sigaction action = { .sa_handler = on_alarm };
	struct hlk_snap *snap;
	struct hlk_sandbox *sb = make_ready(NULL, HLK_SNAP_FLAT, &snap);
	struct hlk_err err = {};
	bool good = true;
	bool timed_out;
	uint32_t value;
	int error = 0;
	int i;

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &fast, NULL);
	timed_out = call_u32(sb, "s", &value, 100 * MS) == -ETIMEDOUT;
	for (i = 0; i < 50; i++)
		if (hlk_sandbox_restore(sb, NULL) ||
		    hlk_sandbox_call(sb, "l", NULL, 0, NULL, 0, NULL, 0))
			good = false;
	/* a line that is written meanwhile could be lost */
	setitimer(ITIMER_REAL, &off, NULL);
	tap(timed_out, "other signals do not end a call");
	tap(good && alarms > 1, "nor one without a timeout (%d signals)",
	    alarms);
	hlk_snapshot_close(snap);
	hlk_sandbox_close(sb);
	/* Linux gives up the making of a VM for them */
	setitimer(ITIMER_REAL, &fast, NULL);
	for (i = 0; i < 50 && !error; i++) {
		error = hlk_sandbox_from_image(ctx, guest_elf,
					       guest_elf_end - guest_elf, NULL,
					       &sb, &err);
		hlk_sandbox_close(sb);
	}
	setitimer(ITIMER_REAL, &off, NULL);
	tap_err(&err, !error, "nor the making of a sandbox, %d of them", i);
}

/* Makes sandboxes until it is killed; none may fail. */
static void make_for_ever(void)
{
	struct hlk_err err = {};
	struct hlk_sandbox *sb;

	while (!hlk_sandbox_from_image(ctx, guest_elf, guest_elf_end - guest_elf,
				       NULL, &sb, &err))
		hlk_sandbox_close(sb);
	printf("# %s\n", words(&err));
	_exit(1);
}

/*
 * No process can block SIGSTOP, and Linux gives up the making of a VM for it, too.
 * The naps are of any length, so a slow kernel gets through as well.
 */
static void test_stopped(void)
{
	int stops, status = 0;
	pid_t pid = fork();

	if (!pid)
		make_for_ever();
	if (pid < 0) {
		tap(false, "a process to be stopped");
		return;
	}
	for (stops = 0; stops < 200; stops++) {
		usleep(rand() % 40000);
		kill(pid, SIGSTOP);
		if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
			break;
		kill(pid, SIGCONT);
	}
	if (stops == 200) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
	tap(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
	    "nor does a stop, %d of them", stops);
}

static int call_other(void *arg, const void *in UNUSED, size_t in_len UNUSED,
		      void *out UNUSED, size_t out_size UNUSED,
		      size_t *out_len UNUSED)
{
	uint32_t value;
	int ret;

	ret = call_u32(arg, "s", &value, 1000 * MS);
	return ret == -ETIMEDOUT ? 0 : -EIO;
}

/*
 * The outer one's time is over in the inner one, and it ends as soon as that one has. It
 * has time to get as far as the inner one, on a slow machine too.
 */
static void test_nested(void)
{
	struct hlk_snap *snap;
	struct hlk_sandbox *outer = make_ready(NULL, HLK_SNAP_FLAT, &snap);
	struct hlk_sandbox *inner;

	hlk_sandbox_from_snapshot(ctx, snap, NULL, &inner, NULL);
	hlk_sandbox_host_function(outer, "up", call_other, inner);
	tap_why(outer, hlk_sandbox_call(outer, "h", NULL, 0, NULL, 0, NULL, 500 * MS) ==
		-ETIMEDOUT && hlk_sandbox_exit(inner)->reason == HLK_EXIT_TIMEOUT,
		"two timeouts, one in the other");
	tap(!signal_pending(), "no signal is left");
	hlk_snapshot_close(snap);
	hlk_sandbox_close(inner);
	hlk_sandbox_close(outer);
}

static void *use(void *arg)
{
	struct hlk_sandbox *sb = arg;
	bool good = true;
	uint32_t value;
	int i;

	for (i = 0; i < 50; i++) {
		if (hlk_sandbox_restore(sb, NULL) ||
		    call_u32(sb, "c", &value, i % 2 ? 0 : 10000 * MS) ||
		    value != 1)
			good = false;
	}
	hlk_sandbox_restore(sb, NULL);
	if (call_u32(sb, "s", &value, 10 * MS) != -ETIMEDOUT)
		good = false;
	hlk_sandbox_restore(sb, NULL);
	return good ? arg : NULL;
}

static void test_threads(void)
{
	struct hlk_snap *snap;
	struct hlk_sandbox *sb[4];
	pthread_t thread[4];
	bool good = true;
	void *result;
	int i;

	sb[0] = make_ready(NULL, HLK_SNAP_HOST_COW, &snap);
	for (i = 1; i < 4; i++)
		if (hlk_sandbox_from_snapshot(ctx, snap, NULL, &sb[i], NULL))
			good = false;
	hlk_snapshot_close(snap);
	for (i = 0; good && i < 4; i++)
		pthread_create(&thread[i], NULL, use, sb[i]);
	for (i = 0; good && i < 4; i++) {
		pthread_join(thread[i], &result);
		if (!result)
			good = false;
	}
	tap(good, "four sandboxes of one snapshot in four threads");
	tap(use(sb[1]) && use(sb[2]), "then in this one");
	for (i = 0; i < 4; i++)
		hlk_sandbox_close(sb[i]);
}

static void test_sizes(void)
{
	static char answer[0x10000];
	static char input[0x10000];
	struct hlk_config config = HLK_CONFIG_INIT;
	struct hlk_snap *snap;
	struct hlk_sandbox *sb;
	uint32_t want = 1000;
	size_t len;
	int ret;

	config.output_size = 0x10000;
	config.input_size = 0x8000;
	config.mem_size = 64U << 20;
	config.scratch_size = 1U << 20;
	sb = make_ready(&config, HLK_SNAP_HOST_COW, &snap);
	tap_why(sb, hlk_sandbox_call(sb, "b", &want, 4, answer, 10, &len, 0) ==
		-EMSGSIZE && len == 1000 && answer[9] == 9, "too long");
	tap(!hlk_sandbox_call(sb, "b", &want, 4, answer, sizeof(answer), &len,
			      0) && len == 1000 &&
	    (unsigned char)answer[999] == 999 % 256, "long");
	want = 0x10000 - 16 - 12;
	tap(!hlk_sandbox_call(sb, "b", &want, 4, answer, sizeof(answer), &len,
			      0) && len == want, "as long as can be");
	tap(!hlk_sandbox_call(sb, "e", input, 0x8000 - 16 - 12 - 1, answer,
			      sizeof(answer), &len, 0) &&
	    len == 0x8000 - 16 - 12 - 1, "an argument as long as can be");
	ret = hlk_sandbox_call(sb, "e", input, 0x8000 - 16 - 12, answer,
			       sizeof(answer), &len, 0);
	tap_why(sb, ret == -ENOBUFS, "one byte more");
	tap(hlk_sandbox_call(sb, "e", input, SIZE_MAX, NULL, 0, NULL, 0) ==
	    -ENOBUFS, "SIZE_MAX");
	tap(echoes(sb, 0), "no harm done");
	hlk_snapshot_close(snap);
	hlk_sandbox_close(sb);
}

static void test_vcpu(void)
{
	const uint32_t i686 = 1U << 0 | 1U << 3 | 1U << 4 | 1U << 8 |
			      1U << 13 | 1U << 15 | 7U << 24;
	const uint32_t apic = 1U << 9;	/* KVM adds it */
	struct hlk_snap *snap;
	struct hlk_sandbox *sb = make_ready(NULL, HLK_SNAP_FLAT, &snap);
	uint32_t leaf = 1, regs[4] = {}, value;
	bool fpu = true, debug = true;
	int i;

	for (i = 0; i < 6; i++) {
		if (call_u32(sb, "f", &value, 0) || value != 0x27f)
			fpu = false;
		if (i < 3)
			hlk_sandbox_restore(sb, NULL);
	}
	tap(fpu, "each call finds the FPU as the guest had made it");
	for (i = 0; i < 3; i++) {
		hlk_sandbox_restore(sb, NULL);
		if (call_u32(sb, "d", &value, 0) || value != 0x400)
			debug = false;
	}
	tap(debug, "each call finds the debug registers as after reset");
	hlk_sandbox_call(sb, "q", &leaf, 4, regs, sizeof(regs), NULL, 0);
	tap((regs[3] & ~apic) == i686 && !regs[2], "CPUID: an i686 with SSE2, 0x%x 0x%x",
	    regs[3], regs[2]);
	leaf = 0;
	hlk_sandbox_call(sb, "q", &leaf, 4, regs, sizeof(regs), NULL, 0);
	tap(regs[0] == 1, "CPUID: no other leaves");
	leaf = 0x40000000;
	hlk_sandbox_call(sb, "q", &leaf, 4, regs, sizeof(regs), NULL, 0);
	tap(memcmp(&regs[1], "KVMKVMKVM", 9), "CPUID: no hypervisor");
	hlk_snapshot_close(snap);
	hlk_sandbox_close(sb);
}

struct busy {
	struct hlk_sandbox *sb;
	struct hlk_snap *snap;
	struct hlk_batch *batch;
	bool all;
};

/* Nothing that looks at a sandbox works while it is in a call */
static int look(void *arg, const void *in UNUSED, size_t in_len UNUSED,
		void *out UNUSED, size_t size UNUSED, size_t *out_len UNUSED)
{
	struct hlk_translate t = { .root = HLK_ROOT_CR3 };
	struct hlk_mark_cow mark = { .nr_roots = 0 };
	struct hlk_walk walk = { .mapping_size = sizeof(struct hlk_mapping) };
	uint64_t roots[1], word;
	struct busy *busy = arg;
	struct hlk_sandbox *sb = busy->sb;
	struct hlk_regs regs;
	uint32_t nr = 1;

	busy->all = hlk_sandbox_translate(sb, &t) == -EBUSY &&
		    hlk_sandbox_walk(sb, &walk) == -EBUSY &&
		    hlk_sandbox_mark_cow(sb, &mark) == -EBUSY &&
		    hlk_sandbox_regs(sb, &regs) == -EBUSY &&
		    hlk_sandbox_roots(sb, roots, &nr) == -EBUSY &&
		    hlk_sandbox_read(sb, 0x1000, &word, 8) == -EBUSY &&
		    hlk_sandbox_write(sb, 0x1000, &word, 8) == -EBUSY &&
		    hlk_sandbox_host_function(sb, "x", up, NULL) == -EBUSY &&
		    hlk_sandbox_audit(sb) == -EBUSY &&
		    hlk_batch_restore(busy->batch, sb, busy->snap, 0) == -EBUSY &&
		    hlk_batch_restore_call(busy->batch, sb, "c", NULL, 0, NULL, 0,
					   NULL, 0) == -EBUSY;
	return 0;
}

static void test_batch(void)
{
	struct hlk_config config = HLK_CONFIG_INIT;
	struct busy busy = {};
	struct hlk_batch *batch;
	struct hlk_sandbox *sb = make(NULL);
	static char input[HLK_MAX_INPUT_BYTES / 2];
	struct hlk_err err;
	size_t len = 1;

	tap_err(&err, hlk_batch_open(ctx, 0, &batch, &err) == -EINVAL && !batch,
		"a batch of none");
	tap_err(&err, !hlk_batch_open(ctx, 1, &batch, &err), "a batch of one");
	tap(!hlk_batch_submit(batch), "with nothing in it");
	tap_why(sb, hlk_batch_restore_call(batch, sb, "c", NULL, 0, NULL, 0, &len,
					   0) == -ESTALE && !len, "before boot");
	hlk_sandbox_close(sb);
	config.input_size = 2 * HLK_MAX_INPUT_BYTES;
	config.scratch_size = 8U << 20;
	sb = make_ready(&config, HLK_SNAP_FLAT, &busy.snap);
	busy.sb = sb;
	busy.batch = batch;
	tap_why(sb, hlk_batch_restore(batch, sb, NULL, 1U << 31) == -EOPNOTSUPP, "a flag");
	tap_why(sb, hlk_batch_restore_call(batch, sb, "e", input, sizeof(input),
					   NULL, 0, NULL, 0) == -EOPNOTSUPP,
		"more than one system call takes");
	hlk_sandbox_host_function(sb, "up", look, &busy);
	tap(!hlk_sandbox_call(sb, "h", NULL, 0, NULL, 0, NULL, 0) && busy.all,
	    "a sandbox in a call");
	tap(!hlk_batch_restore(batch, sb, NULL, 0), "one restore fits");
	tap_why(sb, hlk_batch_restore(batch, sb, NULL, 0) == -ENOSPC &&
		hlk_batch_restore_call(batch, sb, "c", NULL, 0, NULL, 0, NULL,
				       0) == -ENOSPC, "and no more");
	tap(!hlk_batch_submit(batch) && !hlk_batch_result(batch, 0) && echoes(sb, 0),
	    "it is done");
	hlk_batch_close(batch);
	hlk_snapshot_close(busy.snap);
	hlk_sandbox_close(sb);
}

static void test_pool(void)
{
	struct hlk_pool_config config = HLK_POOL_CONFIG_INIT;
	struct hlk_pool_stats stats;
	struct hlk_snap *snap;
	struct hlk_sandbox *sb = make_ready(NULL, HLK_SNAP_FLAT, &snap);
	struct hlk_sandbox *taken;
	struct hlk_pool *pool;
	struct hlk_err err;
	uint32_t value = 0;

	hlk_sandbox_close(sb);
	tap_err(&err, !hlk_pool_open(ctx, snap, NULL, &pool, &err),
		"a pool of which nothing is said");
	hlk_pool_stats(pool, &stats);
	tap(stats.sandboxes == sysconf(_SC_NPROCESSORS_ONLN), "one for each CPU");
	tap_err(&err, hlk_pool_call(pool, 0, "h", NULL, 0, NULL, 0, NULL, 0,
				    &err) == -EREMOTEIO, "an error of the guest");
	hlk_pool_close(pool);
	config.sandboxes = 1;
	tap(!hlk_pool_open(ctx, snap, &config, &pool, &err) &&
	    !hlk_pool_get(pool, 0, &taken, &err), "a pool of one, which is taken");
	tap_err(&err, hlk_pool_call(pool, 1000, "c", NULL, 0, &value, 4, NULL, 0,
				    &err) == -ETIMEDOUT, "another one waits");
	hlk_pool_put(pool, taken);
	hlk_pool_close(pool);
	hlk_snapshot_close(snap);
}

#define SMALL		(4U << 20)
#define SMALL_HEAP	0x230000U	/* somewhere in so much memory */

static int pool_pages(struct hlk_pool *pool, uint32_t first, uint32_t pages)
{
	const uint32_t arg[2] = { SMALL_HEAP + first * 4096, pages };

	return hlk_pool_call(pool, 60000 * MS, "W", arg, sizeof(arg), NULL, 0, NULL, 0,
			     NULL);
}

/* Half of the calls write all that they may; HLK_CALLS=10000 takes its time */
static void test_hostile_pool(void)
{
	const char *text = getenv("HLK_CALLS");
	uint32_t calls = text ? strtoul(text, NULL, 0) : 100, i, bad = 0, hostile = 0;
	struct hlk_pool_config config = HLK_POOL_CONFIG_INIT;
	struct hlk_config small = HLK_CONFIG_INIT, budget = HLK_CONFIG_INIT;
	struct hlk_pool_stats stats;
	struct hlk_snap *snap;
	struct hlk_pool *pool;
	struct hlk_err err;

	small.mem_size = SMALL;
	hlk_sandbox_close(make_ready(&small, HLK_SNAP_FLAT, &snap));
	budget.max_private = SMALL / 4096 / 8;
	config.sandboxes = 4;
	config.config = &budget;
	if (hlk_pool_open(ctx, snap, &config, &pool, &err)) {
		tap_err(&err, false, "a pool with a budget");
		return;
	}
	for (i = 0; i < calls; i++) {
		hostile += pool_pages(pool, i * 7 % 8, 360) == -EDQUOT;
		bad += pool_pages(pool, i * 31 % 260, 100) != 0;
		if (i % 500 == 499) {
			printf("# %u innocent calls, %u failed\n", i + 1, bad);
			fflush(stdout);
		}
	}
	hlk_pool_stats(pool, &stats);
	tap(!bad && hostile == calls && !stats.replaced,
	    "of %u innocent calls %u fail, of %u hostile ones %u", calls, bad, calls,
	    hostile);
	hlk_pool_close(pool);
	hlk_snapshot_close(snap);
}

/* Counts for the first time while the guest of another sandbox of the batch runs */
static void *count_late(void *sb)
{
	uint64_t end = now_ms() + 1500;

	usleep(300000);
	while (now_ms() < end)
		hlk_sandbox_counter_add(sb, 1);
	return NULL;
}

static void count_in_batch(void)
{
	struct hlk_config config = HLK_CONFIG_INIT;
	struct hlk_snap *snap, *other;
	struct hlk_sandbox *a, *b;
	struct hlk_batch *batch;
	pthread_t thread;
	uint32_t value;

	config.max_private = 64;
	config.keep_private = 1;
	a = make_ready(&config, HLK_SNAP_FLAT, &snap);
	b = make_ready(NULL, HLK_SNAP_FLAT, &other);
	hlk_sandbox_restore_call(a, "e", NULL, 0, NULL, 0, NULL, 0);
	if (hlk_batch_open(ctx, 2, &batch, NULL))
		_exit(1);
	hlk_batch_restore_call(batch, a, "l", NULL, 0, NULL, 0, NULL, 1000 * MS);
	hlk_batch_restore_call(batch, b, "s", NULL, 0, NULL, 0, NULL, 1000 * MS);
	hlk_sandbox_counter_add(a, 1);
	pthread_create(&thread, NULL, count_late, a);
	hlk_batch_submit(batch);
	pthread_join(thread, NULL);
	if (hlk_batch_result(batch, 0) != -EDQUOT || !hlk_sandbox_counter(a))
		_exit(2);
	if (hlk_sandbox_restore(a, NULL) || call_u32(a, "c", &value, 0))
		_exit(3);
	_exit(0);
}

static void test_count_in_batch(void)
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		count_in_batch();
	waitpid(pid, &status, 0);
	tap(!status, "who counts under a budget is not killed (%d)",
	    WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
}

/* What one sandbox counted is in a flat snapshot of it, and not for others. */
static void test_flat_counter(void)
{
	struct hlk_snapshot_config config = HLK_SNAPSHOT_CONFIG_INIT;
	struct hlk_snap *snap, *later;
	struct hlk_sandbox *sb = make_ready(NULL, HLK_SNAP_FLAT, &snap);
	struct hlk_sandbox *other;
	uint64_t seen = 1;
	bool good;

	config.flags = HLK_SNAP_FLAT;
	good = !hlk_sandbox_counter_add(sb, 5) && !hlk_sandbox_snapshot(sb, &config, &later) &&
	       !hlk_sandbox_from_snapshot(ctx, later, NULL, &other, NULL) &&
	       !hlk_sandbox_read(other, HLK_GUEST_SCRATCH_TOP - HLK_GUEST_OFF_COUNTER, &seen, 8);
	tap(good && !seen && !hlk_sandbox_counter(other) && hlk_sandbox_counter(sb) == 5,
	    "a counter belongs to a sandbox, and not to a flat snapshot");
	hlk_snapshot_close(later);
	hlk_snapshot_close(snap);
	hlk_sandbox_close(other);
	hlk_sandbox_close(sb);
}

/* struct kvm_run is inherited. */
static int kick_in_child(void *arg, const void *in UNUSED, size_t in_len UNUSED,
			 void *out UNUSED, size_t out_size UNUSED,
			 size_t *out_len UNUSED)
{
	pid_t pid = fork();

	if (!pid) {
		hlk_sandbox_kick(arg);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	return 0;
}

static void test_kick_in_child(void)
{
	struct hlk_snap *snap;
	struct hlk_sandbox *sb = make_ready(NULL, HLK_SNAP_FLAT, &snap);

	hlk_sandbox_host_function(sb, "up", kick_in_child, sb);
	tap_why(sb, !hlk_sandbox_call(sb, "h", "", 0, NULL, 0, NULL, 5000 * MS),
		"a child does not kick its parent's guest");
	hlk_snapshot_close(snap);
	hlk_sandbox_close(sb);
}

/* In a child that has a pool by inheritance */
static int pool_of_parent(struct hlk_pool *pool)
{
	struct hlk_err err;

	alarm(20);
	if (hlk_pool_call(pool, 1000 * MS, "e", NULL, 0, NULL, 0, NULL, 0, &err) != -EPERM)
		return 1;
	return hlk_pool_close(pool) ? 2 : 0;
}

static void test_pool_and_fork(void)
{
	struct hlk_pool_config config = HLK_POOL_CONFIG_INIT;
	struct hlk_snap *snap;
	struct hlk_pool *pool;
	int status = 0;
	pid_t pid;

	hlk_sandbox_close(make_ready(NULL, HLK_SNAP_FLAT, &snap));
	config.sandboxes = 2;
	if (hlk_pool_open(ctx, snap, &config, &pool, NULL)) {
		tap(false, "a pool");
		return;
	}
	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(pool_of_parent(pool));
	waitpid(pid, &status, 0);
	tap(!status, "a child has no pool, and closes it (%d)",
	    WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
	tap(!hlk_pool_call(pool, 60000 * MS, "e", NULL, 0, NULL, 0, NULL, 0, NULL) &&
	    !hlk_pool_close(pool), "its parent has one");
	hlk_snapshot_close(snap);
}

static void test_fork(void)
{
	struct hlk_snap *snap;
	struct hlk_sandbox *sb = make_ready(NULL, HLK_SNAP_FLAT, &snap);
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(hlk_sandbox_restore(sb, NULL) == -EPERM ? 0 : 1);
	waitpid(pid, &status, 0);
	tap(!status, "a child process cannot restore");
	tap(echoes(sb, 0), "which does no harm");
	hlk_snapshot_close(snap);
	hlk_sandbox_close(sb);
}

int main(void)
{
	open_ctx();
	test_boot();
	test_host_functions();
	test_print();
	test_failures();
	test_budget();
	test_budget_again();
	test_timeout();
	test_kick();
	test_signals();
	test_stopped();
	test_nested();
	test_threads();
	test_sizes();
	test_vcpu();
	test_batch();
	test_pool();
	test_hostile_pool();
	test_count_in_batch();
	test_flat_counter();
	test_kick_in_child();
	test_pool_and_fork();
	test_fork();
	return finish();
}
