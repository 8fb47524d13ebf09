// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* What is noted when the guest fails. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "agent.h"
#include "internal.h"
#include "trap.h"

static const char * const reason_text[] = {
	[HLK_EXIT_NONE] = "it did not run",
	[HLK_EXIT_HALT] = "halted",
	[HLK_EXIT_ABORT] = "it gave up",
	[HLK_EXIT_TRAP] = "exception that it does not handle",
	[HLK_EXIT_SHUTDOWN] = "triple fault",
	[HLK_EXIT_NO_MEMORY] = "access where there is no memory",
	[HLK_EXIT_PORT] = "access to an I/O port that means nothing",
	[HLK_EXIT_PROTOCOL] = "what it left in its buffers makes no sense",
	[HLK_EXIT_BUDGET] = "budget of private pages used up",
	[HLK_EXIT_FAULT] = "the host could not provide its memory",
	[HLK_EXIT_TIMEOUT] = "ran longer than allowed",
	[HLK_EXIT_KICKED] = "ended from outside",
	[HLK_EXIT_FAIL_ENTRY] = "the processor refused its state",
	[HLK_EXIT_INTERNAL] = "KVM gave up",
	[HLK_EXIT_UNKNOWN] = "exit that is not known",
	[HLK_EXIT_OFF] = "it came to its end",
};

EXPORT const char *hlk_exit_reason_text(uint32_t reason)
{
	if (reason >= sizeof(reason_text) / sizeof(*reason_text))
		reason = HLK_EXIT_UNKNOWN;
	return reason_text[reason];
}

EXPORT const struct hlk_exit *hlk_sandbox_exit(struct hlk_sandbox *sb)
{
	return &sb->exit;
}

static void copy_regs(struct hlk_regs *to, const struct kvm_sync_regs *from)
{
	const struct kvm_regs *regs = &from->regs;
	const struct kvm_sregs *sregs = &from->sregs;

	*to = (struct hlk_regs) {
		.eax = regs->rax, .ebx = regs->rbx,
		.ecx = regs->rcx, .edx = regs->rdx,
		.esi = regs->rsi, .edi = regs->rdi,
		.ebp = regs->rbp, .esp = regs->rsp,
		.eip = regs->rip, .eflags = regs->rflags,
		.cr0 = sregs->cr0, .cr2 = sregs->cr2,
		.cr3 = sregs->cr3, .cr4 = sregs->cr4,
		.cs = sregs->cs.selector, .ss = sregs->ss.selector,
		.ds = sregs->ds.selector, .es = sregs->es.selector,
		.fs = sregs->fs.selector, .gs = sregs->gs.selector,
	};
}

/* Segment and control registers KVM is asked for, if it has not left them in kvm_run. */
static int look_at_regs(struct hlk_sandbox *sb)
{
	struct kvm_run *run = sb->run;

	if (sb->agent)
		return hlk_agent_regs(sb);
	if ((run->kvm_valid_regs | run->kvm_dirty_regs) & KVM_SYNC_X86_SREGS ||
	    !ioctl(sb->vcpu_fd, KVM_GET_SREGS, &run->s.regs.sregs))
		return 0;
	return hlk_err_system(&sb->err, "cannot read registers");
}

EXPORT int hlk_sandbox_regs(struct hlk_sandbox *sb, struct hlk_regs *regs)
{
	int ret = hlk_debug_enter(sb, "cannot read registers");

	if (!ret)
		ret = look_at_regs(sb);
	if (ret)
		return ret == -EBUSY || ret == -EPERM ? ret : hlk_leave(sb, ret);
	copy_regs(regs, &sb->run->s.regs);
	return hlk_leave(sb, 0);
}

/**
 * hlk_exit_none() - nothing is to be told of runs before
 * @sb: the sandbox
 */
void hlk_exit_none(struct hlk_sandbox *sb)
{
	/* A guest that halted told nothing else. */
	if (sb->exit.reason == HLK_EXIT_HALT) {
		sb->exit.reason = HLK_EXIT_NONE;
		return;
	}
	sb->exit = (struct hlk_exit) { .size = sizeof(sb->exit) };
}

static void start_report(struct hlk_sandbox *sb, enum hlk_exit_reason reason,
			 uint32_t code)
{
	const struct kvm_sync_regs *regs = &sb->run->s.regs;

	sb->exit = (struct hlk_exit) {
		.size = sizeof(sb->exit),
		.reason = reason,
		.code = code,
	};
	if (!look_at_regs(sb))
		copy_regs(&sb->exit.regs, regs);
	/* AMD's processors reset themselves on a triple fault. */
	if (reason == HLK_EXIT_SHUTDOWN && regs->regs.rip == 0xfff0 &&
	    !(regs->sregs.cr0 & 1))
		sb->exit.flags |= HLK_EXIT_REGS_LOST;
}

/**
 * hlk_exit_set() - note that the guest failed
 * @sb: the sandbox
 * @reason: how
 * @code: see enum hlk_exit_reason
 *
 * Return: -EPROTO for HLK_EXIT_PROTOCOL, else -ENOTRECOVERABLE
 */
int hlk_exit_set(struct hlk_sandbox *sb, enum hlk_exit_reason reason,
		 uint32_t code)
{
	int err = reason == HLK_EXIT_PROTOCOL ? EPROTO : ENOTRECOVERABLE;

	start_report(sb, reason, code);
	return hlk_err_text(&sb->err, err, HLK_WHAT_GUEST_EXIT, NULL, "%s",
			    reason == HLK_EXIT_OFF ? hlk_stop_text(code) :
						     hlk_exit_reason_text(reason));
}

/**
 * hlk_exit_no_memory() - note that the guest left its memory
 * @sb: the sandbox, after KVM_EXIT_MMIO
 *
 * Return: -ENOTRECOVERABLE
 */
int hlk_exit_no_memory(struct hlk_sandbox *sb)
{
	const struct kvm_run *run = sb->run;

	start_report(sb, HLK_EXIT_NO_MEMORY, 0);
	sb->exit.flags |= HLK_EXIT_HAS_FAULT;
	if (run->mmio.is_write)
		sb->exit.flags |= HLK_EXIT_WRITE;
	sb->exit.fault = run->mmio.phys_addr;
	return hlk_err_text(&sb->err, ENOTRECOVERABLE, HLK_WHAT_GUEST_EXIT,
			    NULL, "%s of guest-physical address 0x%llx, where there is no memory",
			    run->mmio.is_write ? "write" : "read",
			    (unsigned long long)run->mmio.phys_addr);
}

/**
 * hlk_exit_fault() - note that memory could not be provided
 * @sb: the sandbox, after EFAULT
 *
 * Return: -EDQUOT if that was for the budget, else -ENOTRECOVERABLE
 */
int hlk_exit_fault(struct hlk_sandbox *sb)
{
	struct hlk_vm_stats stats = { .head.size = sizeof(stats) };
	const char *file = hlk_files_short(sb);
	int ret;

	if (ioctl(sb->hlk_fd, HLK_VM_STATS, &stats) ||
	    stats.over_budget == sb->over_budget) {
		ret = hlk_exit_set(sb, HLK_EXIT_FAULT, 0);
		if (file)
			hlk_err_text(&sb->err, -ret, HLK_WHAT_GUEST_EXIT, NULL,
				     "%s, and the file %s is shorter than what is mapped of it",
				     hlk_exit_reason_text(HLK_EXIT_FAULT), file);
		return ret;
	}
	sb->over_budget = stats.over_budget;
	start_report(sb, HLK_EXIT_BUDGET, 0);
	return hlk_err_where(&sb->err, EDQUOT, HLK_WHAT_BUDGET,
			     stats.max_private, NULL);
}

/**
 * hlk_exit_host() - note that the host could not write to the guest's memory
 * @sb: the sandbox
 * @ret: what hlk_populate() returned, or the module for an input
 * @op: what was to be done
 *
 * The refusals of that are none of the guest's.
 *
 * Return: @ret
 */
int hlk_exit_host(struct hlk_sandbox *sb, int ret, const char *op)
{
	struct hlk_vm_stats stats = { .head.size = sizeof(stats) };

	if (ret == -EDQUOT && !ioctl(sb->hlk_fd, HLK_VM_STATS, &stats))
		sb->over_budget = stats.over_budget;
	return hlk_err_populate(&sb->err, ret, op);
}

/**
 * hlk_exit_buffer() - note that a buffer could not be used
 * @sb: the sandbox
 * @ret: what hlk_buffer_pop() or hlk_buffer_push() returned
 *
 * Return: -EPROTO if the guest broke the buffer, else as hlk_exit_fault()
 */
int hlk_exit_buffer(struct hlk_sandbox *sb, int ret)
{
	if (ret == -EDQUOT || ret == -ENOMEM)
		return hlk_exit_fault(sb);
	return hlk_exit_set(sb, HLK_EXIT_PROTOCOL, 0);
}

static const char * const vector_name[] = {
	"divide error", "debug exception", "NMI", "breakpoint", "overflow",
	"bound range exceeded", "invalid opcode", "no FPU", "double fault",
	"coprocessor overrun", "invalid TSS", "segment not present",
	"stack fault", "general protection", "page fault", "reserved",
	"FPU error", "alignment check", "machine check", "SIMD error",
};

static int fail_trap(struct hlk_sandbox *sb)
{
	const struct hlk_exit *report = &sb->exit;
	const char *name = "exception";

	if (report->code < sizeof(vector_name) / sizeof(*vector_name))
		name = vector_name[report->code];
	if (report->flags & HLK_EXIT_HAS_FAULT)
		return hlk_err_text(&sb->err, ENOTRECOVERABLE,
				    HLK_WHAT_GUEST_EXIT, NULL,
				    "%s at 0x%x, address 0x%llx (%s)", name,
				    report->regs.eip,
				    (unsigned long long)report->fault,
				    report->flags & HLK_EXIT_WRITE ? "write" :
				    "read");
	return hlk_err_text(&sb->err, ENOTRECOVERABLE, HLK_WHAT_GUEST_EXIT,
			    NULL, "%s at 0x%x", name, report->regs.eip);
}

static const char *abort_text(uint32_t code)
{
	switch (code) {
	case HLK_GUEST_ABORT_SCRATCH:
		return ", out of scratch pages (give it more scratch)";
	case HLK_GUEST_ABORT_PROTOCOL:
		return ", a buffer makes no sense to it";
	default:
		return "";
	}
}

/**
 * hlk_exit_abort() - note that the guest gave up
 * @sb: the sandbox, after OUT to HLK_GUEST_PORT_ABORT
 * @code: what it sent
 *
 * Return: -ENOTRECOVERABLE
 */
int hlk_exit_abort(struct hlk_sandbox *sb, uint32_t code)
{
	start_report(sb, HLK_EXIT_ABORT, code);
	if (hlk_trap_read(sb, code))
		return fail_trap(sb);
	return hlk_err_text(&sb->err, ENOTRECOVERABLE, HLK_WHAT_GUEST_EXIT,
			    NULL, "it gave up with code 0x%x%s", code,
			    abort_text(code));
}
