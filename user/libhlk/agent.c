// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Sandboxes over snapshots of machines, in which an agent answers calls: a Linux guest.
 *
 * VM, memory and devices are those of a machine; all else is as in any sandbox: buffers,
 * calls, timeouts, restores. The agent's buffers are pages anywhere in the guest's memory.
 * They are mapped once more, one behind the other, so that a buffer is one piece for the
 * host as well.
 *
 * What the agent says of itself comes from the guest: it is copied, and the copy is
 * checked. Where the buffers are is read from the snapshot, and never again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#include "agent.h"

#define PAGE	((uint64_t)HLK_GUEST_PAGE_SIZE)
#define HALTED	1

static const char op[] = "cannot make the sandbox";

/* The machine failed; the sandbox's error is what the caller looks at. */
static int machine_failed(struct hlk_sandbox *sb, int ret)
{
	if (ret)
		sb->err = sb->agent->machine->err;
	return ret;
}

static int bad_agent(struct hlk_sandbox *sb, const char *text)
{
	return hlk_err_text(&sb->err, EINVAL, HLK_WHAT_LAYOUT, op, "%s", text);
}

/* ---- the VM ---- */

static int create_machine(struct hlk_sandbox *sb, const struct hlk_config *config,
			  const struct hlk_window *windows, uint32_t nr,
			  const struct hlk_program_tail *tail, struct hlk_err *err)
{
	struct hlk_machine_config own = HLK_MACHINE_CONFIG_INIT;
	struct hlk_ram ram[HLK_LOAD_MAX_RAM] = {};
	uint32_t i;

	_Static_assert(HLK_LIB_MAX_WINDOWS <= HLK_LOAD_MAX_RAM, "one for each window");
	for (i = 0; i < nr; i++) {
		ram[i].gpa = windows[i].gpa;
		ram[i].bytes = windows[i].bytes;
	}
	own.flags = (tail->irqchip ? 0 : HLK_MACHINE_NO_IRQCHIP) |
		    (config->flags & HLK_CONFIG_REPRODUCIBLE ?
		     HLK_MACHINE_REPRODUCIBLE : 0);
	own.nr_cpus = tail->nr_cpus;
	own.nr_ram = nr;
	own.ram = ram;
	own.max_private = config->max_private;
	own.keep_private = config->keep_private;
	own.print = config->print;
	own.print_arg = config->print_arg;
	return hlk_machine_create(sb->ctx, &own, &sb->agent->machine, err);
}

/**
 * hlk_agent_create() - make the VM of a sandbox, for a snapshot of a machine
 * @sb: the sandbox; what was made is in it, also after a failure
 * @config: budgets
 * @snap: the snapshot
 * @windows: its memory
 * @nr: length of @windows, at most HLK_LIB_MAX_WINDOWS
 * @err: out: why it cannot be
 *
 * Return: 0 or a negative errno
 */
int hlk_agent_create(struct hlk_sandbox *sb, const struct hlk_config *config,
		     struct hlk_snap *snap, const struct hlk_window *windows,
		     uint32_t nr, struct hlk_err *err)
{
	struct hlk_program_tail tail;
	struct hlk_machine *machine;
	int ret = hlk_program_map(snap, err);

	if (ret)
		return ret;
	if (hlk_program_tail(atomic_load(&snap->program), snap->program_bytes, &tail))
		return hlk_err_text(err, EINVAL, HLK_WHAT_LAYOUT, op,
				    "it is not one of libhlk's machines");
	if (!tail.devices.agent.page)
		return hlk_err_set(err, ESTALE, HLK_WHAT_NOT_READY, op);
	sb->agent = calloc(1, sizeof(*sb->agent));
	if (!sb->agent)
		return hlk_err_system(err, op);
	if (config->flags & HLK_CONFIG_TIME_BACK)
		sb->agent->flags |= HLK_RESTORE_TIME_BACK;
	if (config->flags & HLK_CONFIG_REPRODUCIBLE)
		sb->agent->flags |= HLK_RESTORE_REPRODUCIBLE;
	/* its snapshots are flat: there is nothing to learn, and not with all flags */
	sb->learn = 0;
	ret = create_machine(sb, config, windows, nr, &tail, err);
	if (ret)
		return ret;
	machine = sb->agent->machine;
	sb->hlk_fd = machine->hlk_fd;
	sb->vm_fd = machine->vm_fd;
	sb->vcpu_fd = machine->cpus[0].fd;
	sb->run = machine->cpus[0].run;
	memcpy(sb->window, machine->ram, sizeof(sb->window));
	sb->nr_windows = machine->nr_ram;
	return 0;
}

/**
 * hlk_agent_destroy() - undo hlk_agent_create() and hlk_agent_switch()
 * @sb: the sandbox; without windows if it is of another process
 */
void hlk_agent_destroy(struct hlk_sandbox *sb)
{
	struct hlk_agent *agent = sb->agent;

	/* Mappings of windows are not inherited. */
	if (agent->view && sb->nr_windows)
		munmap(agent->view, agent->view_bytes);
	hlk_machine_close(agent->machine);
	free(agent);
	sb->agent = NULL;
}

/* ---- restores ---- */

/**
 * hlk_agent_prepare() - before a restore: what does not come by the module
 * @sb: the sandbox
 * @snap: the snapshot
 *
 * From here on it needs that restore.
 *
 * Return: 0 or a negative errno
 */
int hlk_agent_prepare(struct hlk_sandbox *sb, struct hlk_snap *snap)
{
	struct hlk_machine *machine = sb->agent->machine;
	int ret;

	sb->state = HLK_STATE_BROKEN;
	ret = hlk_machine_prepare(machine, snap, sb->agent->flags & HLK_RESTORE_TIME_BACK);
	machine->state = HLK_MACHINE_READY;
	return machine_failed(sb, ret);
}

/**
 * hlk_agent_fresh() - add what a restore gives to the guest to the inputs of a run
 * @sb: the sandbox
 * @inputs: room for HLK_GENID_INPUTS of them
 *
 * Return: how many there are, or a negative errno
 */
int hlk_agent_fresh(struct hlk_sandbox *sb, struct hlk_segment *inputs)
{
	struct hlk_machine *machine = sb->agent->machine;
	int nr = hlk_machine_fresh(machine);

	if (nr > 0)
		memcpy(inputs, machine->genid.inputs, nr * sizeof(*inputs));
	return nr < 0 ? machine_failed(sb, nr) : nr;
}

/**
 * hlk_agent_tell() - give it to the guest after a restore by itself
 * @sb: the sandbox
 *
 * Return: 0 or a negative errno
 */
int hlk_agent_tell(struct hlk_sandbox *sb)
{
	return machine_failed(sb, hlk_machine_tell(sb->agent->machine,
						       "cannot restore"));
}

static int read_agent(struct hlk_sandbox *sb, struct hlk_guest_agent *said)
{
	uint64_t gpa = sb->agent->machine->devices.agent.page * PAGE;
	unsigned char *mem = hlk_vm_at(sb, gpa, PAGE);
	int ret;

	if (!mem)
		return bad_agent(sb, "its agent is outside the memory");
	ret = hlk_populate(mem, PAGE, false);
	if (ret)
		return hlk_exit_host(sb, ret, op);
	memcpy(said, mem, sizeof(*said));
	__asm__ volatile("" : : : "memory");
	if (said->magic != HLK_GUEST_AGENT_MAGIC ||
	    said->version != HLK_GUEST_AGENT_VERSION || said->__reserved[0] ||
	    said->__reserved[1])
		return bad_agent(sb, "its agent is of another kind");
	if (said->nr_input > HLK_GUEST_AGENT_MAX_RUNS ||
	    said->nr_output > HLK_GUEST_AGENT_MAX_RUNS - said->nr_input)
		return bad_agent(sb, "the I/O buffers are in too many pieces");
	return 0;
}

/* Pages of runs from @from to @end, each of which has to be memory; 0 if they are none */
static uint32_t count_pages(struct hlk_sandbox *sb, const struct hlk_guest_agent *said,
			    uint32_t from, uint32_t end)
{
	uint32_t pages = 0;
	uint32_t i;

	for (i = from; i < end; i++) {
		const struct hlk_guest_pages *run = &said->runs[i];

		if (!run->pages || run->pages > HLK_GUEST_AGENT_MAX_PAGES ||
		    run->gpa % PAGE || run->__reserved ||
		    !hlk_vm_at(sb, run->gpa, run->pages * PAGE))
			return 0;
		pages += run->pages;
	}
	return pages > HLK_GUEST_AGENT_MAX_PAGES ? 0 : pages;
}

static int map_runs(struct hlk_sandbox *sb, const struct hlk_guest_agent *said,
		    unsigned char *view)
{
	uint32_t nr = said->nr_input + said->nr_output;
	size_t at = 0;
	uint32_t i;

	for (i = 0; i < nr; i++) {
		if (mmap(view + at, said->runs[i].pages * PAGE,
			 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, sb->hlk_fd,
			 said->runs[i].gpa) == MAP_FAILED)
			return hlk_err_system(&sb->err, op);
		at += said->runs[i].pages * PAGE;
	}
	return 0;
}

static int map_view(struct hlk_sandbox *sb, const struct hlk_guest_agent *said,
		    size_t bytes)
{
	struct hlk_agent *agent = sb->agent;
	unsigned char *view;
	int ret;

	view = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (view == MAP_FAILED)
		return hlk_err_system(&sb->err, op);
	ret = map_runs(sb, said, view);
	if (ret) {
		munmap(view, bytes);
		return ret;
	}
	if (agent->view)
		munmap(agent->view, agent->view_bytes);
	agent->view = view;
	agent->view_bytes = bytes;
	agent->nr_input = said->nr_input;
	memcpy(agent->runs, said->runs, sizeof(agent->runs));
	return 0;
}

/**
 * hlk_agent_switch() - find the buffers in a snapshot that was not restored before
 * @sb: the sandbox, restored to it
 *
 * Return: 0 or a negative errno
 */
int hlk_agent_switch(struct hlk_sandbox *sb)
{
	struct hlk_guest_agent said;
	uint32_t input, output;
	int ret;

	sb->cr8 = sb->run->cr8;
	ret = read_agent(sb, &said);
	if (ret)
		return ret;
	input = count_pages(sb, &said, 0, said.nr_input);
	output = count_pages(sb, &said, said.nr_input,
			     said.nr_input + said.nr_output);
	if (input * PAGE < HLK_GUEST_BUFFER_MIN || output * PAGE < HLK_GUEST_BUFFER_MIN)
		return bad_agent(sb, "its I/O buffers are not in memory, or too small");
	ret = map_view(sb, &said, (input + output) * PAGE);
	if (ret)
		return ret;
	return hlk_place_buffers(sb, sb->agent->view, input * PAGE, output * PAGE);
}

/* ---- calls ---- */

/**
 * hlk_agent_inputs() - where the bytes of an input buffer go
 * @sb: the sandbox
 * @image: the bytes
 * @bytes: how many, no more than the buffer has
 * @inputs: out: room for HLK_MAX_INPUTS pieces, or NULL
 *
 * Return: how many pieces they are, which may be more than there is room for
 */
uint32_t hlk_agent_inputs(const struct hlk_sandbox *sb, const unsigned char *image,
			  uint64_t bytes, struct hlk_segment *inputs)
{
	const struct hlk_agent *agent = sb->agent;
	uint64_t part;
	uint32_t i;

	for (i = 0; bytes && i < agent->nr_input; i++) {
		part = agent->runs[i].pages * PAGE;
		if (part > bytes)
			part = bytes;
		if (inputs && i < HLK_MAX_INPUTS)
			inputs[i] = (struct hlk_segment) {
				.gpa = agent->runs[i].gpa,
				.bytes = part,
				.data = (uintptr_t)image,
			};
		image += part;
		bytes -= part;
	}
	return i;
}

/* The agent said something. */
static int hear(struct hlk_sandbox *sb, uint8_t what)
{
	switch (what) {
	case HLK_GUEST_AGENT_ANSWER:
		return HALTED;
	case HLK_GUEST_PORT_PRINT:
		return hlk_host_print(sb);
	case HLK_GUEST_PORT_CALL:
		return hlk_host_call(sb);
	default:
		return hlk_exit_set(sb, HLK_EXIT_PORT, HLK_GUEST_PORT_AGENT);
	}
}

static int stopped(struct hlk_sandbox *sb, const struct hlk_machine_run *run)
{
	switch (run->stop) {
	case HLK_STOP_NONE:
		return 0;
	case HLK_STOP_SHUTDOWN:
		return hlk_exit_set(sb, HLK_EXIT_SHUTDOWN, 0);
	case HLK_STOP_ENTRY:
		sb->doubtful = true;
		return hlk_exit_set(sb, HLK_EXIT_FAIL_ENTRY, run->value);
	case HLK_STOP_INTERNAL:
		sb->doubtful = true;
		return hlk_exit_set(sb, HLK_EXIT_INTERNAL, run->value);
	case HLK_STOP_UNKNOWN:
		return hlk_exit_set(sb, HLK_EXIT_UNKNOWN, run->value);
	default:
		return hlk_exit_set(sb, HLK_EXIT_OFF, run->stop);
	}
}

/**
 * hlk_agent_exit() - the guest came out
 * @sb: the sandbox
 *
 * Return: 1 when there is an answer, 0 when it is to go on, or a negative errno
 */
int hlk_agent_exit(struct hlk_sandbox *sb)
{
	const struct kvm_run *kvm = sb->run;
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;
	int ret;

	if (kvm->exit_reason == KVM_EXIT_IO && kvm->io.port == HLK_GUEST_PORT_AGENT &&
	    kvm->io.direction == KVM_EXIT_IO_OUT && kvm->io.size == 1 &&
	    kvm->io.count == 1)
		return hear(sb, *((const unsigned char *)kvm + kvm->io.data_offset));
	ret = hlk_machine_exit(sb->agent->machine, &run);
	return ret ? machine_failed(sb, ret) : stopped(sb, &run);
}

/**
 * hlk_agent_several() - has the guest more than one processor?
 * @sb: any sandbox
 *
 * Then it is run by the machine, which has threads for them, and a restore and a call are
 * two steps.
 */
bool hlk_agent_several(const struct hlk_sandbox *sb)
{
	return sb->agent && sb->agent->machine->nr_cpus > 1;
}

static int machine_stopped(struct hlk_sandbox *sb, const struct hlk_machine_run *run)
{
	switch (run->stop) {
	case HLK_STOP_PORT:
		/* Else it told of its page. */
		return run->value > UINT8_MAX ? 0 : hear(sb, run->value);
	case HLK_STOP_TIME:
		return hlk_timeout_over(sb);
	case HLK_STOP_ASKED:
		return hlk_timeout_woken(sb);
	default:
		return stopped(sb, run);
	}
}

/* The time goes on while host functions run. */
static int go(struct hlk_sandbox *sb, uint64_t end)
{
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;
	struct hlk_machine *machine = sb->agent->machine;
	struct timespec now;
	uint64_t us;
	int ret;

	run.flags = HLK_MACHINE_PORT;
	run.port = HLK_GUEST_PORT_AGENT;
	if (end) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		us = now.tv_sec * 1000000ULL + now.tv_nsec / 1000;
		run.timeout_us = us < end ? end - us : 1;
	}
	ret = hlk_machine_go(machine, &run);
	if (!ret)
		return machine_stopped(sb, &run);
	hlk_exit_set(sb, ret == -EDQUOT ? HLK_EXIT_BUDGET : HLK_EXIT_FAULT, 0);
	return machine_failed(sb, ret);
}

static uint64_t end_of(uint64_t timeout_us)
{
	struct timespec now;
	uint64_t end;

	if (timeout_us == HLK_TIMEOUT_NONE || timeout_us == HLK_TIMEOUT_KICK)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (__builtin_add_overflow(now.tv_sec * 1000000ULL + now.tv_nsec / 1000,
				   timeout_us, &end))
		return UINT64_MAX;
	return end;
}

/**
 * hlk_agent_run() - run a guest of several processors until there is an answer
 * @sb: the sandbox
 * @timeout_us: see hlk_sandbox_call()
 *
 * Return: 0, or a negative errno: the guest has to be restored
 */
int hlk_agent_run(struct hlk_sandbox *sb, uint64_t timeout_us)
{
	uint64_t end = end_of(timeout_us);
	int ret = hlk_timeout_begin(sb, timeout_us);

	while (!ret)
		ret = go(sb, end);
	hlk_timeout_end(sb);
	if (ret < 0) {
		sb->state = HLK_STATE_BROKEN;
		return ret;
	}
	sb->exit.reason = HLK_EXIT_HALT;
	return 0;
}

/**
 * hlk_agent_regs() - read the registers, which such a guest does not leave in kvm_run
 * @sb: the sandbox
 *
 * Return: 0 or a negative errno
 */
int hlk_agent_regs(struct hlk_sandbox *sb)
{
	struct kvm_sync_regs *regs = &sb->run->s.regs;

	if (!(sb->run->kvm_dirty_regs & KVM_SYNC_X86_REGS) &&
	    ioctl(sb->vcpu_fd, KVM_GET_REGS, &regs->regs))
		return hlk_err_system(&sb->err, "cannot read registers");
	if (!(sb->run->kvm_dirty_regs & KVM_SYNC_X86_SREGS) &&
	    ioctl(sb->vcpu_fd, KVM_GET_SREGS, &regs->sregs))
		return hlk_err_system(&sb->err, "cannot read registers");
	return 0;
}

/**
 * hlk_agent_snapshot() - make a snapshot of a sandbox whose guest waits for a call
 * @sb: the sandbox
 * @config: how; of its flags none but HLK_SNAP_FLAT has a meaning
 * @snap: out: the snapshot
 *
 * Return: 0 or a negative errno
 */
int hlk_agent_snapshot(struct hlk_sandbox *sb,
		       const struct hlk_snapshot_config *config,
		       struct hlk_snap **snap)
{
	int ret;

	if (config->flags & ~HLK_SNAP_FLAT || config->nr_roots)
		return hlk_err_text(&sb->err, EOPNOTSUPP, HLK_WHAT_ARGUMENT,
				    "cannot make a snapshot",
				    "snapshots of machines are flat, and nothing else");
	/* It ran in a way that the machine does not know of. */
	if (!hlk_agent_several(sb))
		sb->agent->machine->cpus[0].pending = true;
	ret = hlk_machine_snapshot(sb->agent->machine, snap);
	if (ret)
		return machine_failed(sb, ret);
	hlk_forget_pages(sb);
	return 0;
}
