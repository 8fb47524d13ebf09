// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What the guest's runtime tells of an exception that it does not handle: a
 * struct hlk_guest_trap, somewhere in its memory. As hostile as all else there:
 * it is copied once, and used for nothing but the report.
 */
#include <string.h>
#include <sys/ioctl.h>

#include "trap.h"

#define PAGE		HLK_GUEST_PAGE_SIZE
#define VECTORS		32
#define PAGE_FAULT	14
#define FAULT_WRITE	2

/* Copy from a virtual address of the guest, inside one page */
static bool read_page(struct hlk_sandbox *sb, uint32_t va, void *to, size_t len)
{
	struct hlk_translate t = {
		.head.size = sizeof(t),
		.root = HLK_ROOT_CR3,
		.va = va,
	};
	const unsigned char *mem;

	if (ioctl(sb->hlk_fd, HLK_TRANSLATE, &t))
		return false;
	mem = hlk_vm_at(sb, t.gpa, len);
	if (!mem || hlk_populate((void *)(mem - t.gpa % PAGE), PAGE, false))
		return false;
	memcpy(to, mem, len);
	return true;
}

static bool read_guest(struct hlk_sandbox *sb, uint32_t va, void *to,
		       uint32_t len)
{
	uint32_t first = PAGE - va % PAGE;

	if (first > len)
		first = len;
	return read_page(sb, va, to, first) &&
	       (first == len ||
		read_page(sb, va + first, (char *)to + first, len - first));
}

static void copy_trap(struct hlk_exit *report, const struct hlk_guest_trap *trap)
{
	struct hlk_regs *regs = &report->regs;

	regs->eax = trap->eax;
	regs->ebx = trap->ebx;
	regs->ecx = trap->ecx;
	regs->edx = trap->edx;
	regs->esi = trap->esi;
	regs->edi = trap->edi;
	regs->ebp = trap->ebp;
	regs->esp = trap->esp;
	regs->eip = trap->eip;
	regs->eflags = trap->eflags;
	regs->cr2 = trap->cr2;
	regs->cr3 = trap->cr3;
	regs->cs = trap->cs;
	regs->ss = trap->ss;
	report->reason = HLK_EXIT_TRAP;
	report->code = trap->vector;
	report->error_code = trap->error;
	if (trap->vector != PAGE_FAULT)
		return;
	report->fault = trap->cr2;
	report->flags |= HLK_EXIT_HAS_FAULT;
	if (trap->error & FAULT_WRITE)
		report->flags |= HLK_EXIT_WRITE;
}

/**
 * hlk_trap_read() - was an abort an exception?
 * @sb: the sandbox; its exit report is started, and completed here
 * @code: what the guest sent to HLK_GUEST_PORT_ABORT
 *
 * Return: whether it was, and the guest told of it
 */
bool hlk_trap_read(struct hlk_sandbox *sb, uint32_t code)
{
	struct hlk_guest_trap trap;

	if (code - HLK_GUEST_ABORT_TRAP >= VECTORS ||
	    !read_guest(sb, sb->run->s.regs.regs.rbx, &trap, sizeof(trap)) ||
	    trap.magic != HLK_GUEST_TRAP_MAGIC ||
	    trap.vector != code - HLK_GUEST_ABORT_TRAP)
		return false;
	copy_trap(&sb->exit, &trap);
	return true;
}
