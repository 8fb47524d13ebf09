// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Sandboxes over the snapshot of a machine, against a module and a KVM that are played
 * here, and a guest with an agent whose pages lie anywhere; what it says of them may be
 * anything.
 */
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../agent.h"
#include "tap.h"

#define PAGE		4096U
#define MEM		(1U << 20)
#define DATA		2048	/* where struct kvm_run has what is read or written */
#define RUN_SIZE	8192
#define HELLO		0x13000U
#define PAGES		12U	/* of each buffer */
#define SIZE		(PAGES * PAGE)
#define STEPS		16

int ioctl(int fd, unsigned long cmd, ...);

/* One thing that the guest does before its answer */
struct step {
	uint32_t exit;
	uint16_t port;
	uint8_t size;
	bool in;
	uint32_t value;
	int error;
};

static struct {
	unsigned char *mem;
	struct kvm_run *run;
	struct step steps[STEPS];
	unsigned int step, nr_steps;
	unsigned int calls, fail_at;
	bool masked;
	unsigned int runs, kvm_runs, restores, snapshots, inputs, max_inputs;
	uint32_t flags;
	uint64_t program;
	uint32_t log_port;
	uint64_t generation;
	uint32_t program_bytes;
	struct hlk_window window[3];
	uint32_t nr_windows, nr_vcpus;
	unsigned int irqchips;
	struct hlk_guest_agent said;
	char answer_kind;
} play;

static struct hlk_ctx ctx = {
	.features = HLK_FEATURE_RUN | HLK_FEATURE_DEADLINE | HLK_FEATURE_PROGRAM |
		    HLK_FEATURE_AUDIT,
	.run_size = RUN_SIZE,
};

static char printed[64];

static void print(void *arg, const char *text, size_t len)
{
	(void)arg;
	strncat(printed, text, len);
}

static int fail(int code)
{
	errno = code;
	return -1;
}

/* ---- the guest ---- */

/* Scattered, and downwards: no two pages follow each other but the first two */
static uint64_t page_of(unsigned int nr)
{
	return nr < 2 ? 0x40000 + nr * PAGE : 0x3e000 - nr * 2 * PAGE;
}

static void copy_buffer(unsigned char *bytes, unsigned int first, bool back)
{
	unsigned int i;

	for (i = 0; i < PAGES; i++) {
		unsigned char *mem = play.mem + page_of(first + i);

		if (back)
			memcpy(mem, bytes + i * PAGE, PAGE);
		else
			memcpy(bytes + i * PAGE, mem, PAGE);
	}
}

static void empty_buffers(void)
{
	const uint64_t sp = 8;

	memcpy(play.mem + page_of(0), &sp, sizeof(sp));
	memcpy(play.mem + page_of(PAGES), &sp, sizeof(sp));
}

static void put_agent(void)
{
	struct hlk_guest_agent *said = &play.said;
	unsigned int i;

	*said = (struct hlk_guest_agent) {
		.magic = HLK_GUEST_AGENT_MAGIC,
		.version = HLK_GUEST_AGENT_VERSION,
		.nr_input = PAGES - 1,
		.nr_output = PAGES,
	};
	said->runs[0] = (struct hlk_guest_pages) { page_of(0), 2, 0 };
	for (i = 2; i < 2 * PAGES; i++)
		said->runs[i - 1] = (struct hlk_guest_pages) { page_of(i), 1, 0 };
}

/* It echoes, or does what the test wants of it. */
static void answer(void)
{
	static unsigned char in[SIZE], out[SIZE];
	struct hlk_guest_ret ret = { .magic = HLK_GUEST_RET_MAGIC };
	struct hlk_guest_call call;
	uint64_t sp, start = 8;

	copy_buffer(in, 0, false);
	memset(out, 0, sizeof(out));
	memcpy(&sp, in, sizeof(sp));
	memcpy(&call, in + 8, sizeof(call));
	if (sp != 8 + sizeof(call) + call.name_len + call.arg_len + 8)
		play.answer_kind = '!';
	ret.len = call.arg_len;
	memcpy(out + 8, &ret, sizeof(ret));
	memcpy(out + 8 + sizeof(ret), in + 8 + sizeof(call) + call.name_len, ret.len);
	sp = 8 + sizeof(ret) + ret.len;
	memcpy(out + sp, &start, sizeof(start));
	sp += 8;
	if (play.answer_kind == 's')
		sp = SIZE + 8;
	memcpy(out, &sp, sizeof(sp));
	if (play.answer_kind == 'm')
		memset(out + 8, 0xee, 4);
	copy_buffer(out, PAGES, true);
}

static int come_out(void)
{
	const struct step *step = &play.steps[play.step];
	struct kvm_run *run = play.run;

	if (run->immediate_exit)
		return fail(EINTR);
	if (play.step == play.nr_steps) {
		static const struct step last = {
			.exit = KVM_EXIT_IO, .port = HLK_GUEST_PORT_AGENT, .size = 1,
		};

		answer();
		step = &last;
	} else {
		play.step++;
	}
	if (step->error)
		return fail(step->error);
	run->exit_reason = step->exit;
	if (step->exit == KVM_EXIT_IO) {
		run->io.direction = step->in ? KVM_EXIT_IO_IN : KVM_EXIT_IO_OUT;
		run->io.port = step->port;
		run->io.size = step->size;
		run->io.count = 1;
		run->io.data_offset = DATA;
		memcpy((char *)run + DATA, &step->value, sizeof(step->value));
	}
	return 0;
}

/* ---- the module and KVM ---- */

static int restored(uint64_t program, uint32_t flags)
{
	play.restores++;
	play.program = program;
	play.flags = flags;
	empty_buffers();
	memcpy(play.mem + HELLO, &play.said, sizeof(play.said));
	return 0;
}

static int play_run(struct hlk_run *arg)
{
	const struct hlk_segment *input = (const void *)(uintptr_t)arg->inputs;
	uint32_t i;
	int ret;

	play.runs++;
	play.log_port = arg->log_port;
	if (!(arg->head.flags & HLK_RUN_CONTINUE)) {
		restored(arg->program, arg->head.flags);
		arg->done |= HLK_DONE_RESTORED;
	}
	for (i = 0; i < arg->nr_inputs; i++) {
		if (input[i].gpa + input[i].bytes > MEM)
			return fail(EINVAL);
		memcpy(play.mem + input[i].gpa, (void *)(uintptr_t)input[i].data,
		       input[i].bytes);
	}
	play.inputs = arg->nr_inputs;
	arg->done |= HLK_DONE_INPUT | HLK_DONE_ENTERED;
	ret = come_out();
	arg->exit_reason = play.run->exit_reason;
	return ret;
}

static int play_file(void)
{
	int fd = memfd_create("played", MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, HLK_PROGRAM_OFFSET + (1 << 20))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int play_attach(struct hlk_vm_attach *arg)
{
	arg->out_fd = play_file();
	if (play.mem)
		munmap(play.mem, MEM);
	play.mem = mmap(NULL, MEM, PROT_READ | PROT_WRITE, MAP_SHARED, arg->out_fd, 0);
	return 0;
}

static int play_vcpu(void)
{
	int fd = play_file();

	if (play.run)
		munmap(play.run, RUN_SIZE);
	play.run = mmap(NULL, RUN_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return fd;
}

static int play_info(struct hlk_snapshot_info *info)
{
	uint32_t i;

	info->flags = 0;
	info->generation = play.generation;
	info->program_bytes = play.program_bytes;
	for (i = 0; info->windows && i < play.nr_windows && i < info->nr_windows; i++)
		((struct hlk_window *)(uintptr_t)info->windows)[i] = play.window[i];
	info->nr_windows = play.nr_windows;
	info->nr_vcpus = play.nr_vcpus;
	return 0;
}

static int play_kvm(unsigned long cmd, void *arg)
{
	switch (cmd) {
	case KVM_CREATE_VM:
		return play_file();
	case KVM_CREATE_VCPU:
		return play_vcpu();
	case KVM_CREATE_IRQCHIP:
		play.irqchips++;
		return 0;
	case KVM_GET_SUPPORTED_CPUID:
		((struct kvm_cpuid2 *)arg)->nent = 0;
		return 0;
	case KVM_GET_REGS:
		memset(arg, 0, sizeof(struct kvm_regs));
		((struct kvm_regs *)arg)->rip = 0x1234;
		return 0;
	case KVM_GET_MSR_INDEX_LIST:
		((struct kvm_msr_list *)arg)->nmsrs = 0;
		return 0;
	case KVM_CHECK_EXTENSION:
		return 1;
	case KVM_SET_SIGNAL_MASK:
		play.masked = arg;
		return 0;
	case KVM_RUN:
		if (play.masked)
			return fail(EINTR);
		play.kvm_runs++;
		return come_out();
	default:
		return 0;
	}
}

static int play_snapshot(struct hlk_snapshot *arg)
{
	play.snapshots++;
	arg->out_fd = play_file();
	play.program_bytes = arg->program_bytes;
	if (pwrite(arg->out_fd, (void *)(uintptr_t)arg->program, arg->program_bytes,
		   HLK_PROGRAM_OFFSET) != (ssize_t)arg->program_bytes)
		return fail(EIO);
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
	if (++play.calls == play.fail_at)
		return fail(ENOSPC);
	switch (cmd) {
	case HLK_VM_ATTACH:
		return play_attach(arg);
	case HLK_WINDOW_ADD:
		return 0;
	case HLK_RUN:
		return play_run(arg);
	case HLK_RESTORE:
		return restored(((struct hlk_restore *)arg)->program,
				((struct hlk_restore *)arg)->head.flags);
	case HLK_SNAPSHOT:
		return play_snapshot(arg);
	case HLK_SNAPSHOT_INFO:
		return play_info(arg);
	default:
		return play_kvm(cmd, arg);
	}
}

/* ---- snapshots ---- */

static struct hlk_snap *snapshot(uint32_t page, uint64_t magic)
{
	struct hlk_program_tail tail = {
		.magic = magic,
		.size = sizeof(tail),
		.irqchip = 1,
		.nr_cpus = 1,
		.devices.agent.page = page,
	};
	struct hlk_snap *snap = NULL;
	struct hlk_err err;
	int fd = play_file();

	play.generation = 1;
	play.program_bytes = sizeof(tail);
	if (pwrite(fd, &tail, sizeof(tail), HLK_PROGRAM_OFFSET) != sizeof(tail) ||
	    hlk_snapshot_from_fd(fd, &snap, &err))
		printf("# no snapshot: %s\n", strerror(errno));
	close(fd);
	return snap;
}

static struct hlk_sandbox *make(struct hlk_snap *snap, uint32_t flags,
				struct hlk_err *err)
{
	struct hlk_config config = HLK_CONFIG_INIT;
	struct hlk_sandbox *sb = NULL;

	config.flags = flags;
	config.print = print;
	hlk_sandbox_from_snapshot(&ctx, snap, &config, &sb, err);
	return sb;
}

static void play_reset(void)
{
	play.window[0] = (struct hlk_window) { .gpa = 0, .bytes = MEM / 2 };
	play.window[1] = (struct hlk_window) { .gpa = MEM / 2, .bytes = MEM / 2 };
	play.nr_windows = 2;
	play.nr_vcpus = 1;
	play.step = 0;
	play.nr_steps = 0;
	play.answer_kind = 0;
	put_agent();
}

static void steps(const struct step *step, unsigned int nr)
{
	memcpy(play.steps, step, nr * sizeof(*step));
	play.nr_steps = nr;
	play.step = 0;
}

static unsigned int fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int nr = 0;

	while (readdir(dir))
		nr++;
	closedir(dir);
	return nr;
}

/* ---- tests ---- */

static unsigned char text[SIZE], got[SIZE];

static bool echoes(struct hlk_sandbox *sb, size_t len, bool fused)
{
	size_t out = 0, i;
	int ret;

	for (i = 0; i < len; i++)
		text[i] = i * 7 + i / 251;
	memset(got, 0, sizeof(got));
	if (fused)
		ret = hlk_sandbox_restore_call(sb, "call", text, len, got, SIZE, &out,
					       HLK_TIMEOUT_NONE);
	else
		ret = hlk_sandbox_call(sb, "call", text, len, got, SIZE, &out, 1000000);
	return !ret && out == len && !memcmp(text, got, len) && !play.answer_kind;
}

static void test_calls(void)
{
	struct hlk_snap *snap = snapshot(HELLO / PAGE, HLK_PROGRAM_MAGIC);
	struct hlk_err err;
	struct hlk_sandbox *sb = make(snap, HLK_CONFIG_TIME_BACK, &err);
	unsigned int before;

	tap(sb && play.irqchips == 1 && play.restores == 1 && play.program,
	    "a sandbox of a machine's snapshot, with its program");
	tap(play.flags == HLK_RESTORE_TIME_BACK, "time comes back if that is wanted");
	tap(sb->input.size == SIZE && sb->output.size == SIZE,
	    "buffers of scattered pages are one piece each");
	before = play.calls;
	tap(echoes(sb, 12, true) && play.calls == before + 1 && play.runs == 1,
	    "restore and call are one system call");
	tap(play.inputs == 1 && play.log_port == 0xe9 && play.program &&
	    play.flags == HLK_RESTORE_TIME_BACK, "with the program, and nothing of registers");
	tap(echoes(sb, 3 * PAGE, true) && play.inputs == 3,
	    "an argument over several pieces");
	before = play.calls;
	tap(echoes(sb, SIZE - 100, true) && play.calls > before + 1,
	    "one over more pieces than the module takes: restore, then call");
	tap(!hlk_sandbox_restore(sb, NULL) && echoes(sb, 100, false) &&
	    echoes(sb, 5000, false), "restore, a call, and one more without");
	tap(hlk_sandbox_call(sb, "call", text, SIZE, got, SIZE, NULL, 0) == -ENOBUFS,
	    "an argument that is too long");
	tap(hlk_sandbox_counter_add(sb, 1) == -ENODEV, "there is no counter");
	play.fail_at = play.calls + 1;
	tap(hlk_sandbox_restore(sb, NULL) == -ENOSPC &&
	    hlk_sandbox_call(sb, "call", NULL, 0, got, SIZE, NULL, 0) == -ESTALE &&
	    echoes(sb, 10, true), "a restore that fails wants another one");
	play.fail_at = 0;
	hlk_sandbox_close(sb);
	hlk_snapshot_close(snap);
}

static void test_devices(void)
{
	static const struct step talk[] = {
		{ .exit = KVM_EXIT_IO, .port = 0x3f8, .size = 1, .value = 'h' },
		{ .exit = KVM_EXIT_IO, .port = 0x3fd, .size = 1, .in = true },
		{ .exit = KVM_EXIT_MMIO },
		{ .error = EINTR },
		{ .exit = KVM_EXIT_IO, .port = 0xe9, .size = 1, .value = 'i' },
		{ .exit = KVM_EXIT_IO, .port = HLK_GUEST_PORT_AGENT, .size = 4,
		  .value = 77 },
	};
	static const struct {
		const char *name;
		struct step step;
		uint32_t reason;
	} ends[] = {
		{ "power off", { .exit = KVM_EXIT_IO, .port = 0x604, .size = 2,
				 .value = 0x2000 }, HLK_EXIT_OFF },
		{ "reset", { .exit = KVM_EXIT_IO, .port = 0x64, .size = 1,
			     .value = 0xfe }, HLK_EXIT_OFF },
		{ "its own end", { .exit = KVM_EXIT_IO, .port = 0xf4, .size = 4 },
		  HLK_EXIT_OFF },
		{ "triple fault", { .exit = KVM_EXIT_SHUTDOWN }, HLK_EXIT_SHUTDOWN },
		{ "refused", { .exit = KVM_EXIT_FAIL_ENTRY }, HLK_EXIT_FAIL_ENTRY },
		{ "KVM gave up", { .exit = KVM_EXIT_INTERNAL_ERROR }, HLK_EXIT_INTERNAL },
		{ "another exit", { .exit = 77 }, HLK_EXIT_UNKNOWN },
		{ "a word of the agent's that there is not",
		  { .exit = KVM_EXIT_IO, .port = HLK_GUEST_PORT_AGENT, .size = 1,
		    .value = 9 }, HLK_EXIT_PORT },
		{ "its time", { .error = ETIMEDOUT }, HLK_EXIT_TIMEOUT },
		{ "memory", { .error = EFAULT }, HLK_EXIT_FAULT },
	};
	struct hlk_snap *snap = snapshot(HELLO / PAGE, HLK_PROGRAM_MAGIC);
	struct hlk_err err;
	struct hlk_sandbox *sb = make(snap, 0, &err);
	unsigned int i;

	printed[0] = '\0';
	steps(talk, sizeof(talk) / sizeof(*talk));
	tap(echoes(sb, 10, true) && !strcmp(printed, "hi"), "devices in a call");
	for (i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		steps(&ends[i].step, 1);
		tap(!echoes(sb, 10, true) &&
		    hlk_sandbox_exit(sb)->reason == ends[i].reason &&
		    hlk_sandbox_exit(sb)->regs.eip == 0x1234, "%s: %s", ends[i].name,
		    hlk_exit_reason_text(ends[i].reason));
		play_reset();
		tap(hlk_sandbox_call(sb, "call", NULL, 0, got, SIZE, NULL, 0) == -ESTALE &&
		    echoes(sb, 10, true), "and a restore makes it good");
	}
	play.answer_kind = 's';
	tap(!echoes(sb, 10, true) && sb->exit.reason == HLK_EXIT_PROTOCOL,
	    "an answer outside the buffer");
	play.answer_kind = 'm';
	tap(!echoes(sb, 10, true) && sb->exit.reason == HLK_EXIT_PROTOCOL,
	    "an answer that is none");
	play.answer_kind = 0;
	tap(echoes(sb, 10, true), "a restore makes it good");
	hlk_sandbox_close(sb);
	hlk_snapshot_close(snap);
}

/* The CMOS clock; the snapshots here are of the beginning of the epoch. */
static void test_time(void)
{
	struct hlk_snap *snap = snapshot(HELLO / PAGE, HLK_PROGRAM_MAGIC);
	time_t host = time(NULL);
	struct hlk_sandbox *sb;
	struct hlk_err err;

	sb = make(snap, 0, &err);
	tap(echoes(sb, 10, true) && !sb->agent->machine->behind, "time goes on");
	hlk_sandbox_close(sb);
	sb = make(snap, HLK_CONFIG_TIME_BACK, &err);
	tap(sb->agent->machine->behind >= host && echoes(sb, 10, true) &&
	    sb->agent->machine->behind >= host, "or comes back, with each restore");
	hlk_sandbox_close(sb);
	hlk_snapshot_close(snap);
}

static void test_again(void)
{
	struct hlk_snapshot_config compact = HLK_SNAPSHOT_CONFIG_INIT;
	struct hlk_snap *snap = snapshot(HELLO / PAGE, HLK_PROGRAM_MAGIC);
	struct hlk_snap *second = NULL;
	struct hlk_err err;
	struct hlk_sandbox *sb = make(snap, HLK_CONFIG_NO_PREFAULT, &err);
	struct hlk_regs regs;

	tap(echoes(sb, 10, true) && !hlk_sandbox_snapshot(sb, NULL, &second) &&
	    play.snapshots == 1, "a snapshot of a sandbox that answered");
	tap(second && !hlk_sandbox_restore(sb, second) && echoes(sb, 20, true),
	    "and the sandbox restored to it");
	compact.flags = HLK_SNAP_STRICT;
	hlk_snapshot_close(second);
	tap(hlk_sandbox_snapshot(sb, &compact, &second) == -EOPNOTSUPP && !second,
	    "none but flat ones");
	tap(!hlk_sandbox_regs(sb, &regs) && regs.eip == 0x1234, "its registers");
	tap(!hlk_sandbox_restore(sb, snap) && echoes(sb, 30, true), "and back");
	hlk_sandbox_close(sb);
	hlk_snapshot_close(snap);
}

static void refuse(const char *what, int code)
{
	unsigned int before = fds();
	struct hlk_snap *snap = snapshot(HELLO / PAGE, HLK_PROGRAM_MAGIC);
	struct hlk_err err;
	struct hlk_sandbox *sb = make(snap, 0, &err);

	tap(!sb && err.code == code, "%s", what);
	hlk_sandbox_close(sb);
	hlk_snapshot_close(snap);
	tap(fds() == before, "nothing is left of it");
	play_reset();
}

#define REFUSE(what, change) do { change; refuse(what, EINVAL); } while (0)

static void test_hostile(void)
{
	struct hlk_guest_agent *said = &play.said;

	REFUSE("another magic", said->magic++);
	REFUSE("another version", said->version++);
	REFUSE("reserved words", said->__reserved[1] = 1);
	REFUSE("a reserved word of a run", said->runs[3].__reserved = 1);
	REFUSE("no input buffer", said->nr_input = 0);
	REFUSE("no output buffer", said->nr_output = 0);
	REFUSE("more runs than there are", said->nr_input = HLK_GUEST_AGENT_MAX_RUNS + 1);
	REFUSE("more together", said->nr_output = HLK_GUEST_AGENT_MAX_RUNS);
	REFUSE("a sum that wraps", (said->nr_input = 11, said->nr_output = -11U));
	REFUSE("a run of nothing", said->runs[1].pages = 0);
	REFUSE("a run that is too long", said->runs[1].pages = 0x100001);
	REFUSE("a run over a window's end",
	       (said->runs[0].gpa = MEM / 2 - PAGE, said->runs[0].pages = 2));
	REFUSE("a run outside", said->runs[5].gpa = MEM);
	REFUSE("a run at the end of all", said->runs[5].gpa = -(uint64_t)PAGE);
	REFUSE("a run that is not at a page", said->runs[5].gpa++);
	REFUSE("an input buffer of one page",
	       (said->nr_input = 1, said->runs[0].pages = 1));
	REFUSE("an output buffer of one page", said->nr_output = 1);
}

/* Files in memory are for guests that look for them there; this one has a kernel that would not. */
static void test_files(void)
{
	struct hlk_snap *snap = snapshot(HELLO / PAGE, HLK_PROGRAM_MAGIC);
	int fd = memfd_create("file", MFD_CLOEXEC);
	struct hlk_file file = HLK_FILE_INIT;
	struct hlk_sandbox *sb;
	struct hlk_err err;

	sb = make(snap, 0, &err);
	file.fd = fd;
	file.gpa = MEM;
	file.label = "file";
	tap(fd >= 0 && !ftruncate(fd, PAGE) && hlk_sandbox_map_file(sb, &file) == -EOPNOTSUPP &&
	    hlk_sandbox_error(sb)->what == HLK_WHAT_FEATURE && !hlk_files_any(sb),
	    "a file is refused: %s", hlk_sandbox_error(sb)->text);
	tap(hlk_sandbox_unmap_file(sb, "file") == -ENOENT && echoes(sb, 10, true),
	    "and all is as before");
	hlk_sandbox_close(sb);
	hlk_snapshot_close(snap);
	close(fd);
}

static void test_none(void)
{
	struct hlk_config config = HLK_CONFIG_INIT;
	struct hlk_sandbox *sb;
	struct hlk_snap *snap;
	struct hlk_err err;

	snap = snapshot(0, HLK_PROGRAM_MAGIC);
	tap(!make(snap, 0, &err) && err.code == ESTALE, "no agent said anything");
	hlk_snapshot_close(snap);
	snap = snapshot(HELLO / PAGE, 1);
	tap(!make(snap, 0, &err) && err.code == EINVAL, "a program of somebody else's");
	hlk_snapshot_close(snap);
	snap = snapshot(MEM / PAGE, HLK_PROGRAM_MAGIC);
	tap(!make(snap, 0, &err) && err.code == EINVAL, "an agent outside the memory");
	hlk_snapshot_close(snap);
	snap = snapshot(HELLO / PAGE, HLK_PROGRAM_MAGIC);
	config.mem_size = MEM;
	tap(hlk_sandbox_from_snapshot(&ctx, snap, &config, &sb, &err) == -EINVAL,
	    "a size is the snapshot's");
	hlk_snapshot_close(snap);
}

/* Each call that can fail, on the way to an answer */
static void test_failures(void)
{
	unsigned int before = fds(), at, good = 0, all;
	struct hlk_snap *snap = snapshot(HELLO / PAGE, HLK_PROGRAM_MAGIC);
	struct hlk_sandbox *sb;
	struct hlk_err err;

	for (at = 1, all = 1; at <= all; at++) {
		play_reset();
		play.calls = 0;
		play.fail_at = at;
		sb = make(snap, HLK_CONFIG_NO_PREFAULT, &err);
		if (sb && echoes(sb, 10, true))
			good++;
		if (play.calls >= at)
			all = at + 1;
		play.fail_at = 0;
		if (sb && !echoes(sb, 10, true))
			break;
		hlk_sandbox_close(sb);
	}
	hlk_snapshot_close(snap);
	tap(at == all + 1 && good && all > 8,
	    "each of %u calls that can fail: a sandbox that is there can be restored", all - 1);
	tap(fds() == before, "nothing is left open");
}

int main(void)
{
	play_reset();
	atomic_init(&ctx.refs, 1);
	test_calls();
	test_devices();
	test_time();
	test_again();
	test_hostile();
	test_files();
	test_none();
	test_failures();
	return tap_done();
}
