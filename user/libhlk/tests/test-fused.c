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
	unsigned int run, restore, kvm_run, set_debug, prefault, nested;
	struct hlk_run first;
	uint32_t flags[8];
	int ret[8];		/* of each HLK_RUN */
	uint32_t residue;
	uint32_t done;
	bool in_log;		/* the first run prints */
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
	play.flags[nr] = arg->head.flags;
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
	ctx.features = HLK_FEATURE_RUN | HLK_FEATURE_PREFAULT;
	ctx.pre_fault = true;
	sb->debug_residue = false;
	sb->state = HLK_STATE_READY;
}

static bool yes(int *ret)
{
	char out[4] = "";
	size_t len;
	int got;

	got = hlk_sandbox_restore_call(sb, "name", "arg", 3, out, sizeof(out),
				       &len, 0);
	if (ret)
		*ret = got;
	return !got && len == 3 && !strcmp(out, "yes");
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
	sb->window[0] = (struct hlk_mapped) {
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
	test_prefault();
	test_compare();
	munmap(sb->window[0].mem, SCRATCH);
	free(sb->bounce);
	free(sb->run);
	free(sb);
	return tap_done();
}
