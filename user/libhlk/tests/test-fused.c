// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Restore and call in one system call, and prefault, against a module and a KVM
 * that are played here: what they are asked for, and what is made of answers
 * that a real one gives only now and then.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "../internal.h"
#include "../prefault.h"
#include "tap.h"

#define PAGE	4096U
#define SCRATCH	(16 * PAGE)
#define GPA	(HLK_GUEST_SCRATCH_TOP - SCRATCH)

int ioctl(int fd, unsigned long cmd, ...);

static struct {
	unsigned int run, restore, kvm_run, set_debug, prefault, nested, kick;
	struct hlk_run first, last;
	uint32_t flags[8];
	int ret[8];		/* of each HLK_RUN */
	uint32_t residue;
	uint32_t done;
	bool in_log;		/* the first run prints */
	bool kick_at;		/* somebody kicks in the first run */
	bool kicked_with_exit;	/* immediate_exit was set first */
	uint32_t runs;		/* that HLK_PREFAULT has to tell of */
	uint64_t pages;
} play;

static struct hlk_ctx ctx;
static struct hlk_sandbox *sb;
static struct hlk_snap snap = { .generation = 1 };
static char printed[16];

static void print(void *arg, const char *text, size_t len)
{
	(void)arg;
	strncat(printed, text, len);
}

static void put(struct hlk_buffer *buf, const void *bytes, size_t len)
{
	struct hlk_guest_ret ret = { HLK_GUEST_RET_MAGIC, 0, len };
	const struct iovec part[] = {
		{ &ret, sizeof(ret) }, { (void *)bytes, len },
	};

	hlk_buffer_reset(buf);
	hlk_buffer_push(buf, part, 2);
}

static int play_run(struct hlk_run *arg)
{
	unsigned int nr = play.run++;
	int ret = play.ret[nr];

	if (!nr)
		play.first = *arg;
	play.last = *arg;
	play.flags[nr] = arg->head.flags;
	if (arg->timeout_ns)
		arg->deadline_ns = 77000 + arg->timeout_ns;
	if (!nr && play.kick_at)
		hlk_sandbox_kick(sb);
	arg->done = nr ? HLK_DONE_INPUT | HLK_DONE_ENTERED : play.done;
	if (arg->head.flags & HLK_RUN_CONTINUE)
		arg->done &= ~HLK_DONE_RESTORED;
	arg->residue = nr ? 0 : play.residue;
	arg->log_used = 0;
	if (!nr && play.in_log) {
		memcpy((void *)(uintptr_t)arg->log, "old", 3);
		arg->log_used = 3;
	}
	sb->run->exit_reason = KVM_EXIT_HLT;
	put(&sb->output, "yes", 3);
	errno = -ret;
	return ret ? -1 : 0;
}

static int play_prefault(struct hlk_prefault *arg)
{
	struct hlk_touched *to = (void *)(uintptr_t)arg->runs;
	uint32_t room = arg->nr_runs, i;

	play.prefault++;
	for (i = 0; i < room && i < play.runs; i++)
		to[i] = (struct hlk_touched) {
			.gpa = GPA + i % 16 * PAGE,
			.pages = 1,
			.flags = i % 2,
		};
	arg->nr_runs = play.runs;
	errno = EMSGSIZE;
	return play.runs > room ? -1 : 0;
}

/* One page a call, and now and then a signal */
static int play_nested(struct kvm_pre_fault_memory *arg)
{
	if (play.nested++ % 5 == 4) {
		errno = EINTR;
		return -1;
	}
	arg->gpa += PAGE;
	arg->size -= PAGE;
	play.pages++;
	return 0;
}

int ioctl(int fd, unsigned long cmd, ...)
{
	va_list args;
	void *arg;

	(void)fd;
	va_start(args, cmd);
	arg = va_arg(args, void *);
	va_end(args);
	switch (cmd) {
	case HLK_RUN:
		return play_run(arg);
	case HLK_RESTORE:
		play.restore++;
		hlk_buffer_reset(&sb->input);
		return 0;
	case KVM_RUN:
		play.kvm_run++;
		sb->run->exit_reason = KVM_EXIT_HLT;
		put(&sb->output, "yes", 3);
		return 0;
	case HLK_KICK:
		play.kick++;
		play.kicked_with_exit = sb->run->immediate_exit;
		return 0;
	case KVM_SET_DEBUGREGS:
		play.set_debug++;
		return 0;
	case KVM_GET_DEBUGREGS:
		return 0;
	case HLK_PREFAULT:
		return play_prefault(arg);
	case KVM_PRE_FAULT_MEMORY:
		return play_nested(arg);
	case KVM_SET_XSAVE:
		return 0;
	default:
		errno = ENOTTY;
		return -1;
	}
}

static void begin(void)
{
	memset(&play, 0, sizeof(play));
	memset(printed, 0, sizeof(printed));
	play.done = HLK_DONE_RESTORED | HLK_DONE_INPUT | HLK_DONE_ENTERED;
	ctx.features = HLK_FEATURE_RUN | HLK_FEATURE_PREFAULT | HLK_FEATURE_DEADLINE;
	ctx.pre_fault = true;
	sb->debug_residue = false;
	sb->state = HLK_STATE_READY;
}

static bool yes_in(uint64_t timeout_us, int *ret)
{
	char out[4] = "";
	size_t len;
	int got;

	got = hlk_sandbox_restore_call(sb, "name", "arg", 3, out, sizeof(out),
				       &len, timeout_us);
	if (ret)
		*ret = got;
	return !got && len == 3 && !strcmp(out, "yes");
}

static bool yes(int *ret)
{
	return yes_in(HLK_TIMEOUT_NONE, ret);
}

static void test_request(void)
{
	const unsigned char *image;
	struct hlk_guest_call head;
	uint64_t word;

	begin();
	tap(yes(NULL) && play.run == 1 && !play.restore && !play.kvm_run,
	    "one system call");
	image = (const unsigned char *)sb->bounce + sb->output.size;
	memcpy(&word, image, 8);
	memcpy(&head, image + 8, sizeof(head));
	tap(play.first.nr_inputs == 1 && sb->fused.inputs[0].gpa == GPA &&
	    sb->fused.inputs[0].bytes == word &&
	    word == 8 + sizeof(head) + 4 + 3 + 8 && head.name_len == 4 &&
	    head.arg_len == 3 && !memcmp(image + 8 + sizeof(head), "namearg", 7),
	    "the input is a buffer with one call");
	tap(play.first.head.flags == HLK_RUN_REGS && sb->fused.regs.rip == 0x1234 &&
	    sb->fused.regs.rsp == 0x5678 && sb->fused.regs.rflags == 2 &&
	    play.first.log_port == HLK_GUEST_PORT_PUTC,
	    "registers of a call, and a log");
	sb->counter_set = true;
	sb->counter = 7;
	begin();
	tap(yes(NULL) && play.first.nr_inputs == 2 &&
	    sb->fused.inputs[1].gpa ==
	    HLK_GUEST_SCRATCH_TOP - HLK_GUEST_OFF_COUNTER &&
	    *(uint64_t *)(uintptr_t)sb->fused.inputs[1].data == 7,
	    "a counter that is used goes along");
	sb->counter_set = false;
}

static void test_answers(void)
{
	int ret;

	begin();
	play.ret[0] = -EINTR;
	tap(yes(NULL) && play.run == 2 && play.flags[1] == HLK_RUN_CONTINUE,
	    "after a signal it goes on and does not restore again");
	begin();
	play.in_log = true;
	tap(yes(NULL) && !strcmp(printed, "old"), "what is in the log is printed");
	begin();
	play.residue = HLK_RESIDUE_DEBUGREGS;
	play.in_log = true;
	tap(yes(NULL) && play.run == 2 && play.restore == 1 &&
	    play.set_debug == 1 &&
	    play.flags[1] == (HLK_RUN_REGS | HLK_RUN_CONTINUE) && !*printed,
	    "a run with debug registers of another call is made again, and prints nothing");
	tap(sb->debug_residue && yes(NULL) && play.run == 2 &&
	    play.restore == 2 && play.kvm_run == 1 && !sb->debug_residue,
	    "the next one restores first and looks");
	tap(yes(NULL) && play.run == 3, "then it is one call again");
	begin();
	play.done = 0;
	play.ret[0] = -EPERM;
	tap(!yes(&ret) && ret == -EPERM && sb->state == HLK_STATE_READY,
	    "what the module refuses leaves the sandbox as it was");
	begin();
	play.done = HLK_DONE_RESTORED;
	play.ret[0] = -EDQUOT;
	tap(!yes(&ret) && ret == -EDQUOT && sb->state == HLK_STATE_READY,
	    "no room for the input: restored, not called");
	begin();
	play.ret[0] = -EIO;
	tap(!yes(&ret) && ret == -EIO && sb->state == HLK_STATE_BROKEN &&
	    sb->doubtful, "KVM failed: the sandbox is doubtful");
	sb->doubtful = false;
	begin();
	ctx.features = 0;
	tap(yes(NULL) && !play.run && play.restore == 1 && play.kvm_run == 1,
	    "a module without it: two calls");
	begin();
	tap(hlk_sandbox_restore_call(sb, "x", NULL, SIZE_MAX, NULL, 0, NULL, 0) ==
	    -ENOBUFS && !play.run, "too long: nothing is asked of the module's fused call");
}

/* What the module is asked for, and what is made of its answers */
static void test_timeout(void)
{
	int ret;

	begin();
	tap(yes(NULL) && !play.first.timeout_ns && !play.first.deadline_ns,
	    "no timeout is no deadline");
	begin();
	tap(yes_in(5, NULL) && play.run == 1 && play.first.timeout_ns == 5000,
	    "a timeout is the module's");
	begin();
	play.ret[0] = -EINTR;
	tap(yes_in(5, NULL) && play.run == 2 && !play.last.timeout_ns &&
	    play.last.deadline_ns == 82000, "what follows has the same deadline");
	begin();
	play.residue = HLK_RESIDUE_DEBUGREGS;
	tap(yes_in(5, NULL) && play.run == 2 && !play.last.timeout_ns &&
	    play.last.deadline_ns == 82000, "a run that is made again, too");
	begin();
	sb->debug_residue = true;
	tap(yes_in(5, NULL) && play.restore == 1 && play.run == 1 && !play.kvm_run &&
	    play.flags[0] == HLK_RUN_CONTINUE && play.first.timeout_ns == 5000,
	    "a call by itself has one, too");
	begin();
	tap(yes_in(UINT64_MAX / 1000 + 1, NULL) && play.first.timeout_ns == UINT64_MAX,
	    "one that is longer than can be said");
	begin();
	play.ret[0] = -ETIMEDOUT;
	tap(!yes_in(5, &ret) && ret == -ETIMEDOUT && play.run == 1 &&
	    sb->exit.reason == HLK_EXIT_TIMEOUT && sb->state == HLK_STATE_BROKEN &&
	    !sb->can_kick, "it is over");
	begin();
	play.done &= ~HLK_DONE_ENTERED;
	play.ret[0] = -ETIMEDOUT;
	tap(!yes_in(5, &ret) && ret == -ETIMEDOUT && sb->state == HLK_STATE_BROKEN &&
	    sb->exit.reason == HLK_EXIT_TIMEOUT && !sb->doubtful,
	    "it was over before the guest's turn");
	begin();
	ctx.features = HLK_FEATURE_RUN;
	tap(!yes_in(5, &ret) && ret == -EOPNOTSUPP && !play.run &&
	    sb->state == HLK_STATE_READY && yes(NULL), "a module without deadlines");
}

static void test_kick(void)
{
	int ret;

	begin();
	tap(hlk_sandbox_kick(sb) == -ESRCH && !play.kick, "no call to kick");
	begin();
	play.kick_at = true;
	tap(yes(NULL) && !play.kick, "one that cannot be kicked is not");
	begin();
	play.kick_at = true;
	play.ret[0] = -EINTR;
	tap(!yes_in(HLK_TIMEOUT_KICK, &ret) && ret == -EINTR && play.kick == 1 &&
	    play.kicked_with_exit && play.run == 1 &&
	    play.first.deadline_ns == HLK_DEADLINE_NEVER && !play.first.timeout_ns &&
	    sb->exit.reason == HLK_EXIT_KICKED && !sb->run->immediate_exit,
	    "a kick is the module's, and immediate_exit");
	begin();
	play.kick_at = true;
	tap(yes_in(5, NULL) && play.kick == 1 && !sb->run->immediate_exit,
	    "a kick that comes too late leaves nothing behind");
	begin();
	play.ret[0] = -EINTR;
	tap(yes_in(5, NULL) && play.run == 2, "nor for the next call");
}

static void test_prefault(void)
{
	begin();
	play.runs = 200;
	hlk_prefault(sb);
	tap(play.prefault == 2 && play.pages == 200,
	    "prefault: more runs than there was room for, and signals");
	begin();
	play.runs = 10;
	ctx.pre_fault = false;
	hlk_prefault(sb);
	tap(play.prefault == 1 && !play.nested, "prefault: KVM has no such call");
	begin();
	ctx.features = 0;
	hlk_prefault(sb);
	tap(!play.prefault, "prefault: nor has the module");
}

static void test_compare(void)
{
	static struct hlk_vcpu_state a, b;

	tap(!hlk_vcpu_compare(sb, &a, &b), "audit: equal");
	b.fpu.xmm[5][15] = 1;
	tap(hlk_vcpu_compare(sb, &a, &b) == -EUCLEAN &&
	    !strcmp(sb->err.text, "xmm5"), "audit: %s", sb->err.text);
	a.regs.rip = 1;
	tap(hlk_vcpu_compare(sb, &a, &b) == -EUCLEAN &&
	    !strcmp(sb->err.text, "eip"), "audit: %s comes first", sb->err.text);
}

int main(void)
{
	sb = calloc(1, sizeof(*sb));
	sb->ctx = &ctx;
	sb->run = calloc(1, PAGE);
	sb->nr_windows = 1;
	sb->window[0] = (struct hlk_ram) {
		.gpa = GPA,
		.bytes = SCRATCH,
		.mem = mmap(NULL, SCRATCH, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0),
	};
	sb->scratch = &sb->window[0];
	hlk_set_buffers(sb, 2 * PAGE, 2 * PAGE);
	pthread_mutex_init(&sb->lock, NULL);
	sb->last = &snap;
	sb->dispatch = 0x1234;
	sb->stack = 0x5678;
	sb->print = print;
	test_request();
	test_answers();
	test_timeout();
	test_kick();
	test_prefault();
	test_compare();
	munmap(sb->window[0].mem, SCRATCH);
	free(sb->bounce);
	free(sb->run);
	free(sb);
	return tap_done();
}
