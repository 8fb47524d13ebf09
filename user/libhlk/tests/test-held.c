// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Who may do what, when, and in which process; and what a sandbox says after it
 * failed. Against a played module.
 */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../internal.h"
#include "played.h"

static struct hlk_ctx *ctx;
static struct hlk_snap *snap;
static struct hlk_sandbox *sb;
static struct hlk_err err;
static int results[8];
static char printed[64];

/* ---- one at a time ---- */

static atomic_int inside, leave;

static int stay(void *arg, const void *in, size_t in_len, void *out, size_t out_size,
		size_t *out_len)
{
	(void)arg, (void)in, (void)in_len, (void)out, (void)out_size, (void)out_len;
	inside = 1;
	while (!leave)
		sched_yield();
	return 0;
}

static void *caller(void *fused)
{
	intptr_t ret = fused ? hlk_sandbox_restore_call(sb, "h", "stay", 4, NULL, 0, NULL, 0) :
			       hlk_sandbox_call(sb, "h", "stay", 4, NULL, 0, NULL, 0);

	return (void *)ret;
}

static bool all_busy(void)
{
	struct hlk_translate t = { .root = HLK_ROOT_CR3 };
	struct hlk_batch *batch;
	struct hlk_snap *none;
	struct hlk_regs regs;
	uint64_t word = 0;
	uint32_t nr = 1;
	bool good;

	if (hlk_batch_open(ctx, 1, &batch, NULL))
		batch = NULL;
	good = hlk_sandbox_call(sb, "e", NULL, 0, NULL, 0, NULL, 0) == -EBUSY &&
	       hlk_sandbox_restore_call(sb, "e", NULL, 0, NULL, 0, NULL, 0) == -EBUSY &&
	       hlk_sandbox_restore(sb, NULL) == -EBUSY &&
	       hlk_sandbox_audit(sb) == -EBUSY &&
	       hlk_sandbox_boot(sb, 0) == -EBUSY &&
	       hlk_sandbox_snapshot(sb, NULL, &none) == -EBUSY &&
	       hlk_sandbox_host_function(sb, "x", stay, NULL) == -EBUSY &&
	       hlk_sandbox_translate(sb, &t) == -EBUSY &&
	       hlk_sandbox_regs(sb, &regs) == -EBUSY &&
	       hlk_sandbox_roots(sb, &word, &nr) == -EBUSY &&
	       hlk_sandbox_read(sb, 0x1000, &word, 8) == -EBUSY &&
	       hlk_sandbox_write(sb, 0x1000, &word, 8) == -EBUSY;
	if (batch)
		good = good && hlk_batch_restore(batch, sb, NULL, 0) == -EBUSY &&
		       hlk_batch_restore_call(batch, sb, "e", NULL, 0, NULL, 0, NULL,
					      0) == -EBUSY;
	hlk_batch_close(batch);
	hlk_sandbox_close(sb);		/* is not */
	return good;
}

static void test_second_thread(bool fused)
{
	pthread_t thread;
	void *ret;
	bool good;

	inside = 0;
	leave = 0;
	hlk_sandbox_restore(sb, NULL);
	pthread_create(&thread, NULL, caller, fused ? sb : NULL);
	while (!inside)
		sched_yield();
	good = all_busy();
	leave = 1;
	pthread_join(thread, &ret);
	tap(good && !ret, "a second thread is told that a %s is under way",
	    fused ? "restore and call" : "call");
	tap(!hlk_sandbox_error(sb)->code, "which is no error of the first one");
}

static void print(void *arg, const char *text, size_t len)
{
	(void)arg;
	strncat(printed, text, len);
	results[0] = hlk_sandbox_restore(sb, NULL);
}

static void test_print(void)
{
	bool good;

	results[0] = 0;
	*printed = '\0';
	good = !hlk_sandbox_restore_call(sb, "p", "abc", 3, NULL, 0, NULL, 0);
	tap(good && !strcmp(printed, "abc") && results[0] == -EBUSY,
	    "who is told what a fused call printed cannot use the sandbox");
	results[0] = 0;
	good = !hlk_sandbox_call(sb, "p", "abc", 3, NULL, 0, NULL, 0);
	tap(good && results[0] == -EBUSY, "nor one that was not fused");
}

/* ---- errors ---- */

static void test_errors(void)
{
	struct hlk_vm_stats stats;

	tap(hlk_sandbox_call(sb, "u", NULL, 0, NULL, 0, NULL, 0) == -ENOTRECOVERABLE &&
	    hlk_sandbox_error(sb)->code, "a guest that dies");
	tap(!hlk_sandbox_restore(sb, NULL) && !hlk_sandbox_error(sb)->code,
	    "no error is left after a restore");
	tap(hlk_sandbox_exit(sb)->regs.eax, "its registers are told");
	hlk_sandbox_call(sb, "none", NULL, 0, NULL, 0, NULL, 0);
	tap(hlk_sandbox_exit(sb)->reason == HLK_EXIT_HALT && !hlk_sandbox_exit(sb)->regs.eax,
	    "and nothing of them when the next call went well");
	tap(hlk_sandbox_error(sb)->code == EREMOTEIO && !hlk_sandbox_stats(sb, &stats) &&
	    !hlk_sandbox_error(sb)->code, "nor after a look");
	played.no_input = true;
	hlk_sandbox_counter_add(sb, 7);
	tap(hlk_sandbox_restore_call(sb, "e", "x", 1, NULL, 0, NULL, 0) == -EDQUOT,
	    "no room for the input");
	played.no_input = false;
	tap(sb->over_budget == played.refused, "which the guest did not use up");
	tap(!memcmp(hlk_vm_at(sb, HLK_GUEST_SCRATCH_TOP - HLK_GUEST_OFF_COUNTER, 8),
		    (uint64_t []) { 7 }, 8),
	    "the counter is there all the same");
	hlk_sandbox_counter_add(sb, -7);
	hlk_sandbox_restore(sb, NULL);
}

/* What the guest left keeps the next call from its input. */
static void test_no_input(void)
{
	uint64_t beyond = sb->input.size + 8;
	bool good;

	mprotect(sb->input.mem, 4096, PROT_READ);
	hlk_forget_pages(sb);
	good = hlk_sandbox_call(sb, "e", "x", 1, NULL, 0, NULL, 0) == -EDQUOT;
	mprotect(sb->input.mem, 4096, PROT_READ | PROT_WRITE);
	tap(good && hlk_sandbox_exit(sb)->reason == HLK_EXIT_BUDGET &&
	    hlk_sandbox_call(sb, "e", "x", 1, NULL, 0, NULL, 0) == -ESTALE,
	    "no budget for the input of the next call: a restore is due");
	hlk_sandbox_restore(sb, NULL);
	memcpy(sb->input.mem, &beyond, 8);
	tap(hlk_sandbox_call(sb, "e", "x", 1, NULL, 0, NULL, 0) == -EPROTO &&
	    hlk_sandbox_exit(sb)->reason == HLK_EXIT_PROTOCOL &&
	    hlk_sandbox_call(sb, "e", "x", 1, NULL, 0, NULL, 0) == -ESTALE,
	    "nor a buffer that makes sense");
	hlk_sandbox_restore(sb, NULL);
}

static uint32_t met[4], nr_met;
static int told;

/* What is forbidden for all others in a call */
static int look(void *arg, struct hlk_sandbox *of, const struct hlk_debug *debug)
{
	char byte;

	if (nr_met < 4)
		met[nr_met++] = debug->event;
	*(bool *)arg = !hlk_sandbox_read(of, sb->window[0].gpa, &byte, 1) &&
		       hlk_sandbox_call(of, "e", "x", 1, NULL, 0, NULL, 0) == -EBUSY &&
		       hlk_sandbox_restore(of, NULL) == -EBUSY;
	return told;
}

static void test_debugger(void)
{
	char byte;
	bool good = false;

	hlk_sandbox_restore(sb, NULL);
	tap(!hlk_sandbox_debug(sb, look, &good) &&
	    !hlk_sandbox_call(sb, "e", "x", 1, &byte, 1, NULL, HLK_TIMEOUT_KICK) && good &&
	    nr_met == 1 && met[0] == HLK_DEBUG_BEGIN, "a debugger sees a call begin, and looks");
	told = -1;
	tap(hlk_sandbox_restore(sb, NULL) == 0 &&
	    hlk_sandbox_call(sb, "e", "x", 1, &byte, 1, NULL, HLK_TIMEOUT_KICK) == -ECANCELED &&
	    nr_met == 2 &&
	    hlk_sandbox_call(sb, "e", "x", 1, &byte, 1, NULL, 0) == -ESTALE,
	    "and ends it: a restore is due");
	nr_met = 0;
	tap(!hlk_sandbox_debug(sb, NULL, NULL) && !hlk_sandbox_restore(sb, NULL) &&
	    !hlk_sandbox_call(sb, "e", "x", 1, &byte, 1, NULL, 0) && !nr_met,
	    "without it nothing is to be seen");
	hlk_sandbox_restore(sb, NULL);
}

/* Each refusal of the budget is told once. */
static void test_faults(void)
{
	bool good;

	played.refused++;
	good = hlk_sandbox_restore_call(sb, "f", NULL, 0, NULL, 0, NULL, 1000) == -EDQUOT &&
	       hlk_sandbox_exit(sb)->reason == HLK_EXIT_BUDGET;
	tap(good, "the budget");
	good = hlk_sandbox_restore_call(sb, "f", NULL, 0, NULL, 0, NULL, 1000) ==
	       -ENOTRECOVERABLE && hlk_sandbox_exit(sb)->reason == HLK_EXIT_FAULT;
	tap(good, "and then something else, which is not told as the budget");
	hlk_sandbox_restore(sb, NULL);
}

static void test_audit(void)
{
	hlk_sandbox_restore(sb, NULL);
	tap(!hlk_sandbox_audit(sb) && !hlk_sandbox_call(sb, "e", NULL, 0, NULL, 0, NULL, 0),
	    "an audit");
	played.rbx = 1;
	tap(hlk_sandbox_audit(sb) == -EUCLEAN && !strcmp(hlk_sandbox_error(sb)->text, "ebx"),
	    "that finds something");
	played.rbx = 0;
	tap(hlk_sandbox_call(sb, "e", NULL, 0, NULL, 0, NULL, 0) == -ESTALE,
	    "that guest is not called");
	tap(!hlk_sandbox_restore(sb, NULL) &&
	    !hlk_sandbox_call(sb, "e", NULL, 0, NULL, 0, NULL, 0), "but for a restore");
	hlk_sandbox_restore(sb, NULL);
}

/* From the host's side: all of the pages, or an error, and no signal */
static void test_reach(void)
{
	uint64_t gpa = sb->scratch->gpa + 0x10000;
	unsigned char *mem = hlk_vm_at(sb, gpa, 0x2000);
	unsigned char buf[0x1001] = {};
	int bad = 0, ret;
	size_t at, len;

	mprotect(mem + 0x1000, 0x1000, PROT_NONE);
	for (at = 0xffe; at <= 0x1000; at++)
		for (len = 1; len <= 0x1001; len += len == 3 ? 0xffd : 1) {
			ret = at + len > 0x1000 ? -EDQUOT : 0;
			bad += hlk_sandbox_read(sb, gpa + at, buf, len) != ret ||
			       hlk_sandbox_write(sb, gpa + at, buf, len) != ret;
		}
	mprotect(mem + 0x1000, 0x1000, PROT_READ | PROT_WRITE);
	tap(!bad, "what begins in one page and ends in another");
	gpa = sb->scratch->gpa + sb->scratch->bytes;
	tap(!hlk_sandbox_read(sb, gpa - 1, buf, 1) &&
	    hlk_sandbox_read(sb, gpa - 1, buf, 2) == -ENODEV &&
	    hlk_sandbox_read(sb, gpa, buf, 1) == -ENODEV &&
	    hlk_sandbox_read(sb, UINT64_MAX, buf, 2) == -ENODEV &&
	    hlk_sandbox_read(sb, sb->scratch->gpa, buf, SIZE_MAX) == -ENODEV,
	    "and none that is not all memory");
}

static void test_text(void)
{
	char name[200], line[64];
	size_t i;

	for (i = 0; i < sizeof(name) - 1; i++)
		name[i] = i % 2 ? '\xa4' : '\xc3';
	name[i] = '\0';
	hlk_err_text(&err, EINVAL, HLK_WHAT_ARGUMENT, NULL, "%s", name + 0);
	tap(strlen(err.text) % 2 == 0 && strlen(err.text) >= HLK_ERR_TEXT - 2,
	    "a text is not cut inside of a character");
	hlk_err_text(&err, EINVAL, HLK_WHAT_ARGUMENT, NULL, "x%s", name + 0);
	tap(strlen(err.text) % 2 == 1 && strlen(err.text) >= HLK_ERR_TEXT - 2,
	    "wherever it begins");
	for (i = 20; i < 40; i++) {
		hlk_strerror(&err, line, i);
		if (strlen(line) && ((unsigned char)line[strlen(line) - 1] & 0xc0) == 0xc0)
			break;
	}
	tap(i == 40, "nor is a line");
}

/* ---- host functions ---- */

static int overstate(void *arg, const void *in, size_t in_len, void *out,
		     size_t out_size, size_t *out_len)
{
	(void)in, (void)in_len, (void)out_size;
	memcpy(out, "mine", 4);
	*out_len = *(size_t *)arg;
	return 0;
}

static int fill(void *arg, const void *in, size_t in_len, void *out, size_t out_size,
		size_t *out_len)
{
	(void)arg, (void)in, (void)in_len;
	memset(out, 'S', out_size);
	*out_len = 1;
	return 0;
}

static void test_functions(void)
{
	static char answer[0x4000];
	size_t len, said = 2000, i;

	hlk_sandbox_host_function(sb, "over", overstate, &said);
	hlk_sandbox_host_function(sb, "fill", fill, NULL);
	hlk_sandbox_restore(sb, NULL);
	hlk_sandbox_call(sb, "h", "fill", 4, answer, 1, &len, 0);
	hlk_sandbox_restore(sb, NULL);
	tap(!hlk_sandbox_call(sb, "h", "over", 4, answer, sizeof(answer), &len, 0) &&
	    len == said, "a function says more than it wrote");
	for (i = 4; i < len && !answer[i]; i++)
		;
	tap(!memcmp(answer, "mine", 4) && i == len,
	    "the guest has zeroes, and nothing of another call");
	hlk_sandbox_restore_call(sb, "h", "fill", 4, answer, 1, &len, 0);
	tap(!hlk_sandbox_restore_call(sb, "h", "over", 4, answer, sizeof(answer), &len, 0) &&
	    len == said && !memchr(answer, 'S', len), "nor in a fused call");
	tap(!hlk_sandbox_host_function(sb, "over", NULL, NULL) &&
	    hlk_sandbox_call(sb, "h", "over", 4, NULL, 0, NULL, 0) == -EREMOTEIO &&
	    hlk_sandbox_error(sb)->where == ENOENT, "a function can be removed");
	tap(hlk_sandbox_host_function(sb, "over", NULL, NULL) == -ENOENT, "once");
	tap(!hlk_sandbox_host_function(sb, "over", overstate, &said) &&
	    !hlk_sandbox_call(sb, "h", "over", 4, answer, sizeof(answer), &len, 0),
	    "and come back");
	hlk_sandbox_host_function(sb, "over", NULL, NULL);
	hlk_sandbox_host_function(sb, "fill", NULL, NULL);
	hlk_sandbox_restore(sb, NULL);
}

/* Whatever of the host's heap is where answers go: a guest may call before anybody restores it. */
static void test_first_answer(void)
{
	static char answer[2000];
	size_t len, said = sizeof(answer), i;
	struct hlk_sandbox *new = NULL;
	int fd = played_image();

	tap(!hlk_sandbox_from_file(ctx, fd, NULL, &new, &err) && new->stale,
	    "what a new sandbox has for answers is not there for a boot");
	close(fd);
	hlk_sandbox_close(new);
	if (!tap(!hlk_sandbox_from_snapshot(ctx, snap, NULL, &new, &err), "nor for calls"))
		return;
	memset(new->bounce, 'H', new->input.size + new->output.size);
	hlk_sandbox_host_function(new, "over", overstate, &said);
	tap(!hlk_sandbox_call(new, "h", "over", 4, answer, said, &len, 0) && len == said,
	    "a function says more than it wrote, in the first call");
	for (i = 4; i < len && !answer[i]; i++)
		;
	tap(i == len, "the guest has zeroes");
	hlk_sandbox_close(new);
}

/* An argument that is longer than what came, by no more than the name is long */
static void test_lengths(void)
{
	struct hlk_guest_call call = { .magic = HLK_GUEST_CALL_MAGIC, .name_len = 4 };
	const struct iovec part[] = { { &call, sizeof(call) }, { (void *)"stayargs", 8 } };
	bool good = true;

	leave = 1;
	for (call.arg_len = 0; call.arg_len < 20; call.arg_len++) {
		hlk_buffer_reset(&sb->input);
		hlk_buffer_reset(&sb->output);
		hlk_buffer_push(&sb->output, part, 2);
		good = good && hlk_host_call(sb) == (call.arg_len > 4 ? -EPROTO : 0);
	}
	tap(good, "name and argument of a host call are in what came");
	hlk_sandbox_restore(sb, NULL);
}

/* ---- what is noted, and when it is not true any more ---- */

static void know_pages(void)
{
	sb->input.written = 4096;
	sb->input.read = 4096;
}

static bool know_none(void)
{
	return !sb->input.written && !sb->input.read;
}

static void test_noted(void)
{
	struct hlk_snap *other;
	unsigned int reads;
	bool good;

	know_pages();
	hlk_sandbox_restore_call(sb, "e", NULL, 0, NULL, 0, NULL, 0);
	tap(know_none(), "pages are forgotten when a fused call gave some back");
	know_pages();
	hlk_sandbox_restore(sb, NULL);
	good = know_none();
	know_pages();
	hlk_sandbox_restore(sb, NULL);
	tap(good && know_none(), "when a restore did, and when the next one did");
	hlk_sandbox_snapshot(sb, NULL, &other);
	reads = played.fpu_reads;
	hlk_sandbox_restore(sb, other);
	tap(played.fpu_reads == reads + 1, "the FPU is read again from another snapshot");
	hlk_sandbox_restore(sb, other);
	tap(played.fpu_reads == reads + 1, "and not from the same");
	hlk_sandbox_restore(sb, snap);
	hlk_snapshot_close(other);
}

/* ---- the counter ---- */

static atomic_bool stop;
static atomic_uint counted, carefully, turn, overtook;

/* How the page is written while it may go at any moment */
ssize_t process_vm_writev(pid_t pid, const struct iovec *from, unsigned long nr_from,
			  const struct iovec *to, unsigned long nr_to,
			  unsigned long flags)
{
	carefully++;
	return syscall(SYS_process_vm_writev, pid, from, nr_from, to, nr_to, flags);
}

/* Did anybody count from beginning to end while the sandbox's thread waited, once? */
static void *hammer(void *arg)
{
	unsigned int then;
	bool waits;

	while (!stop) {
		then = turn;
		waits = sb->waiting;
		hlk_sandbox_counter_add(sb, 1);
		if (waits && sb->waiting && turn == then)
			overtook++;
		counted++;
	}
	return arg;
}

/* A snapshot that has what another sandbox counted */
static void test_kept_counter(void)
{
	struct hlk_sandbox *other;
	uint64_t seen = 1;
	bool good;

	played.kept = 77;
	good = !hlk_sandbox_from_snapshot(ctx, snap, NULL, &other, &err);
	tap(good && !hlk_sandbox_call(other, "k", NULL, 0, &seen, 8, NULL, 0) && !seen &&
	    !hlk_sandbox_counter(other), "a counter begins at 0, whatever the snapshot has");
	seen = 1;
	tap(!hlk_sandbox_restore_call(other, "k", NULL, 0, &seen, 8, NULL, 0) && !seen,
	    "in a fused call, too");
	played.kept = 0;
	hlk_sandbox_close(other);
}

static void *count_once(void *arg)
{
	(void)arg;
	hlk_sandbox_counter(sb);
	return NULL;
}

/* If the sandbox's thread has to wait for the processor that the other one is on */
static void test_no_spinning(void)
{
	struct timespec used;
	pthread_t thread;
	clockid_t clock;

	sb->waiting = 1;
	pthread_create(&thread, NULL, count_once, NULL);
	pthread_getcpuclockid(thread, &clock);
	usleep(400000);
	clock_gettime(clock, &used);
	sb->waiting = 0;
	pthread_join(thread, NULL);
	tap(!used.tv_sec && used.tv_nsec < 120000000,
	    "who lets it go first does not keep it from its processor (%ld us)",
	    used.tv_nsec / 1000);
}

static void test_counter(void)
{
	uint64_t gpa = HLK_GUEST_SCRATCH_TOP - HLK_GUEST_OFF_COUNTER;
	unsigned char *page = hlk_vm_at(sb, gpa, 8) - gpa % 4096;
	unsigned int i;
	pthread_t thread;

	/* What a page that cannot be had is to the one who writes it: a signal. */
	hlk_counter_lose(sb);
	mprotect(page, 4096, PROT_NONE);
	tap(hlk_sandbox_counter_add(sb, 1) == -EDQUOT && !hlk_sandbox_counter(sb) &&
	    carefully == 1,
	    "to count while the page is gone is an error");
	mprotect(page, 4096, PROT_READ | PROT_WRITE);
	tap(!hlk_sandbox_counter_add(sb, 1) && *(uint64_t *)(page + gpa % 4096) == 1, "and none when it is there");
	hlk_counter_refresh(sb);
	tap(!hlk_sandbox_counter_add(sb, 1) && carefully == 2,
	    "which takes system calls only while a restore is under way");

	pthread_create(&thread, NULL, hammer, NULL);
	while (!counted)
		sched_yield();
	for (i = 0; i < 500000; i++) {
		hlk_counter_refresh(sb);
		turn++;
	}
	stop = true;
	pthread_join(thread, NULL);
	tap(!overtook, "who counts in a loop goes behind the sandbox's thread, but for %u times",
	    overtook);
	hlk_counter_reset(sb, 0);
	hlk_sandbox_restore(sb, NULL);
}

/* ---- another process ---- */

static int in_child(void)
{
	struct hlk_sandbox *own;
	struct hlk_snap *other;
	struct hlk_regs regs;
	void *there;
	int ret;

	if (hlk_sandbox_call(sb, "e", "x", 1, NULL, 0, NULL, 0) != -EPERM ||
	    hlk_sandbox_error(sb)->why != HLK_WHY_OTHER_PROCESS)
		return 1;
	if (hlk_sandbox_restore_call(sb, "e", "x", 1, NULL, 0, NULL, 0) != -EPERM ||
	    hlk_sandbox_restore(sb, NULL) != -EPERM ||
	    hlk_sandbox_regs(sb, &regs) != -EPERM ||
	    hlk_sandbox_counter_add(sb, 1) != -EPERM)
		return 2;
	/* what is mapped there by now is not the sandbox's to unmap */
	there = mmap(sb->scratch->mem, 4096, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	hlk_sandbox_close(sb);
	*(volatile char *)there = 1;
	own = played_ready(ctx, &other, NULL, &err);
	if (!own)
		return 3;
	ret = hlk_sandbox_call(own, "e", NULL, 0, NULL, 0, NULL, 0);
	hlk_snapshot_close(other);
	hlk_sandbox_close(own);
	return ret ? 4 : 0;
}

/* The memory that KVM and the library share is inherited, and so may locks be, held. */
static int kick_in_child(void *arg, const void *in, size_t in_len, void *out,
			 size_t out_size, size_t *out_len)
{
	int *status = arg;
	pid_t pid;

	(void)in, (void)in_len, (void)out, (void)out_size, (void)out_len;
	pthread_mutex_lock(&sb->lock);
	pthread_mutex_lock(&sb->count_lock);
	pid = fork();
	if (!pid) {
		alarm(20);
		_exit(hlk_sandbox_kick(sb) != -EPERM || hlk_sandbox_counter(sb) != 9);
	}
	pthread_mutex_unlock(&sb->count_lock);
	pthread_mutex_unlock(&sb->lock);
	waitpid(pid, status, 0);
	if (sb->run->immediate_exit)
		*status = -1;
	return 0;
}

static void test_kick_in_child(void)
{
	int status = -1;
	bool good;

	hlk_sandbox_host_function(sb, "kick", kick_in_child, &status);
	hlk_sandbox_counter_add(sb, 9);
	fflush(stdout);
	good = !hlk_sandbox_call(sb, "h", "kick", 4, NULL, 0, NULL, HLK_TIMEOUT_KICK);
	tap(good && !status, "a child does not kick its parent's guest, nor wait for its locks");
	hlk_sandbox_counter_add(sb, -9);
	hlk_sandbox_host_function(sb, "kick", NULL, NULL);
	hlk_sandbox_restore(sb, NULL);
}

static void test_child(void)
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(in_child());
	waitpid(pid, &status, 0);
	tap(!status, "a child cannot use a sandbox, but close it, and make its own (%d)",
	    WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
	tap(!hlk_sandbox_call(sb, "e", NULL, 0, NULL, 0, NULL, 0), "which does no harm");
}

static int from_file_of(off_t size)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);
	struct hlk_sandbox *none;
	int ret;

	if (ftruncate(fd, size))
		return -errno;
	ret = hlk_sandbox_from_file(ctx, fd, NULL, &none, &err);
	close(fd);
	return ret;
}

/* On 32 bits, too, where that is more than can be allocated */
static void test_large_files(void)
{
	tap(from_file_of(1LL << 32) == -EFBIG, "a file of 4 GiB");
	tap(from_file_of((1LL << 32) + 100) == -EFBIG, "and a little more");
	tap(from_file_of(4096) == -ENOEXEC, "a small one of zeroes");
}

int main(void)
{
	struct hlk_config config = HLK_CONFIG_INIT;

	config.print = print;
	if (!tap(!hlk_open(&ctx, &err), "a played module")) {
		printf("Bail out! %d %u %s\n", err.code, err.what, err.text);
		return 1;
	}
	sb = played_ready(ctx, &snap, &config, &err);
	tap(sb, "a sandbox");
	hlk_sandbox_host_function(sb, "stay", stay, NULL);
	test_second_thread(false);
	test_second_thread(true);
	test_print();
	test_errors();
	test_no_input();
	test_debugger();
	test_faults();
	test_audit();
	test_reach();
	test_text();
	test_functions();
	test_first_answer();
	test_lengths();
	test_noted();
	test_counter();
	test_no_spinning();
	test_kept_counter();
	test_child();
	test_kick_in_child();
	test_large_files();
	hlk_snapshot_close(snap);
	hlk_sandbox_close(sb);
	hlk_close(ctx);
	return tap_done();
}
