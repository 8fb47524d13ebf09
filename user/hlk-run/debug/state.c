// SPDX-License-Identifier: GPL-2.0-only
/* Registers and memory of a guest that is at rest: of a sandbox, or of a machine. */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "state.h"

#define CR0_WP		(1U << 16)
#define CR0_PG		(1U << 31)
#define CR4_PSE		(1U << 4)
#define CR4_PAE		(1U << 5)
#define CR4_LA57	(1U << 12)
#define EFER_LMA	(1U << 10)
#define EFER_NXE	(1U << 11)
#define VECTOR_UD	6U
#define EMPTY		3U	/* of a register of the FPU, as its tag has it */

/**
 * state_of_sandbox() - look at the guest of a sandbox
 * @state: out: the view
 * @ctx: the context
 * @sb: the sandbox; its debugger uses the view, or who has it outside of calls
 * @err: out: why not
 *
 * Return: 0 or a negative errno
 */
int state_of_sandbox(struct state *state, struct hlk_ctx *ctx, struct hlk_sandbox *sb,
		     struct hlk_err *err)
{
	*state = (struct state) { .sb = sb, .nr_cpus = 1 };
	state->vcpu[0] = hlk_sandbox_fd(sb, HLK_FD_VCPU);
	return hlk_inspect_open(ctx, hlk_sandbox_fd(sb, HLK_FD_VM), &state->inspect, err);
}

/**
 * state_of_machine() - look at the guest of a machine
 * @state: out: the view
 * @ctx: the context
 * @machine: the machine
 * @nr_cpus: its processors
 * @err: out: why not
 *
 * Return: 0 or a negative errno
 */
int state_of_machine(struct state *state, struct hlk_ctx *ctx, struct hlk_machine *machine,
		     uint32_t nr_cpus, struct hlk_err *err)
{
	uint32_t i;

	*state = (struct state) { .machine = machine, .nr_cpus = nr_cpus };
	for (i = 0; i < nr_cpus && i < STATE_MAX_CPUS; i++)
		state->vcpu[i] = hlk_machine_fd(machine, HLK_FD_VCPU, i);
	return hlk_inspect_open(ctx, hlk_machine_fd(machine, HLK_FD_VM, 0),
				&state->inspect, err);
}

/**
 * state_close() - end a view
 * @state: the view
 */
void state_close(struct state *state)
{
	hlk_inspect_close(state->inspect);
	state->inspect = NULL;
}

/* KVM's order is another one. */
static void get_general(struct gdb_regs *to, const struct kvm_regs *from)
{
	const uint64_t gpr[GDB_GPRS] = {
		from->rax, from->rcx, from->rdx, from->rbx,
		from->rsp, from->rbp, from->rsi, from->rdi,
		from->r8, from->r9, from->r10, from->r11,
		from->r12, from->r13, from->r14, from->r15,
	};

	memcpy(to->gpr, gpr, sizeof(gpr));
	to->ip = from->rip;
	to->flags = from->rflags;
}

static void set_general(struct kvm_regs *to, const struct gdb_regs *from)
{
	const uint64_t *gpr = from->gpr;

	*to = (struct kvm_regs) {
		.rax = gpr[0], .rcx = gpr[1], .rdx = gpr[2], .rbx = gpr[3],
		.rsp = gpr[4], .rbp = gpr[5], .rsi = gpr[6], .rdi = gpr[7],
		.r8 = gpr[8], .r9 = gpr[9], .r10 = gpr[10], .r11 = gpr[11],
		.r12 = gpr[12], .r13 = gpr[13], .r14 = gpr[14], .r15 = gpr[15],
		.rip = from->ip, .rflags = from->flags,
	};
}

static void get_special(struct gdb_regs *to, const struct kvm_sregs *from)
{
	const uint32_t seg[6] = {
		from->cs.selector, from->ss.selector, from->ds.selector,
		from->es.selector, from->fs.selector, from->gs.selector,
	};

	memcpy(to->seg, seg, sizeof(seg));
	to->fs_base = from->fs.base;
	to->gs_base = from->gs.base;
	to->cr[0] = from->cr0;
	to->cr[1] = from->cr2;
	to->cr[2] = from->cr3;
	to->cr[3] = from->cr4;
	to->efer = from->efer;
}

static void get_fpu(struct gdb_regs *to, const struct kvm_fpu *from)
{
	uint32_t tags = 0, i;

	for (i = 0; i < 8; i++) {
		memcpy(to->st[i], from->fpr[i], sizeof(to->st[i]));
		if (!(from->ftwx & 1U << i))
			tags |= EMPTY << 2 * i;
	}
	to->fpu[0] = from->fcw;
	to->fpu[1] = from->fsw;
	to->fpu[2] = tags;
	to->fpu[3] = from->last_ip >> 32;
	to->fpu[4] = from->last_ip;
	to->fpu[5] = from->last_dp >> 32;
	to->fpu[6] = from->last_dp;
	to->fpu[7] = from->last_opcode;
	to->mxcsr = from->mxcsr;
	memcpy(to->xmm, from->xmm, sizeof(to->xmm));
}

static void set_fpu(struct kvm_fpu *to, const struct gdb_regs *from)
{
	uint32_t i;

	*to = (struct kvm_fpu) {
		.fcw = from->fpu[0],
		.fsw = from->fpu[1],
		.last_ip = (uint64_t)from->fpu[3] << 32 | from->fpu[4],
		.last_dp = (uint64_t)from->fpu[5] << 32 | from->fpu[6],
		.last_opcode = from->fpu[7],
		.mxcsr = from->mxcsr,
	};
	for (i = 0; i < 8; i++) {
		memcpy(to->fpr[i], from->st[i], sizeof(from->st[i]));
		if ((from->fpu[2] >> 2 * i & EMPTY) != EMPTY)
			to->ftwx |= 1U << i;
	}
	memcpy(to->xmm, from->xmm, sizeof(to->xmm));
}

/* Of an exception the guest's handler said what was before it. */
static void of_failure(struct gdb_regs *to, const struct hlk_exit *exit)
{
	const struct hlk_regs *from = &exit->regs;
	const uint32_t gpr[] = {
		from->eax, from->ecx, from->edx, from->ebx,
		from->esp, from->ebp, from->esi, from->edi,
	};
	const uint32_t seg[] = {
		from->cs, from->ss, from->ds, from->es, from->fs, from->gs,
	};
	size_t i;

	for (i = 0; i < 8; i++)
		to->gpr[i] = gpr[i];
	memcpy(to->seg, seg, sizeof(seg));
	to->ip = from->eip;
	to->flags = from->eflags;
	to->cr[0] = from->cr0;
	to->cr[1] = from->cr2;
	to->cr[2] = from->cr3;
	to->cr[3] = from->cr4;
}

/**
 * state_get() - read the registers of a processor
 * @state: the view
 * @cpu: which one
 * @regs: out: its registers
 *
 * Return: 0 or an errno
 */
int state_get(const struct state *state, uint32_t cpu, struct gdb_regs *regs)
{
	struct kvm_sregs sregs;
	struct kvm_regs general;
	struct kvm_fpu fpu;
	int fd = state->vcpu[cpu];

	if (ioctl(fd, KVM_GET_REGS, &general) || ioctl(fd, KVM_GET_SREGS, &sregs) ||
	    ioctl(fd, KVM_GET_FPU, &fpu))
		return errno;
	get_general(regs, &general);
	get_special(regs, &sregs);
	get_fpu(regs, &fpu);
	if (state->failed)
		of_failure(regs, hlk_sandbox_exit(state->sb));
	return 0;
}

/**
 * state_signal() - what a program's signal would be
 * @state: a guest that has failed
 *
 * Return: the signal, as gdb and Linux number it
 */
int state_signal(const struct state *state)
{
	const struct hlk_exit *exit = hlk_sandbox_exit(state->sb);

	switch (exit->reason) {
	case HLK_EXIT_NO_MEMORY:
	case HLK_EXIT_SHUTDOWN:
		return GDB_SIGSEGV;
	case HLK_EXIT_TRAP:
		return exit->code == VECTOR_UD ? GDB_SIGILL : GDB_SIGSEGV;
	default:
		return GDB_SIGABRT;
	}
}

/**
 * state_set() - write general registers and the FPU's of a processor
 * @state: the view
 * @cpu: which one
 * @regs: its registers
 *
 * Return: 0 or an errno
 */
int state_set(const struct state *state, uint32_t cpu, const struct gdb_regs *regs)
{
	struct gdb_regs before;
	struct kvm_regs general;
	struct kvm_fpu fpu;
	int fd = state->vcpu[cpu];
	int ret = state->failed ? EPERM : state_get(state, cpu, &before);

	if (ret)
		return ret;
	set_general(&general, regs);
	if (ioctl(fd, KVM_SET_REGS, &general))
		return errno;
	/* Who did not touch the FPU leaves it as it is, to the bit. */
	if (!memcmp(before.fpu, regs->fpu, sizeof(before.fpu)) &&
	    !memcmp(before.st, regs->st, sizeof(before.st)) &&
	    !memcmp(before.xmm, regs->xmm, sizeof(before.xmm)) &&
	    before.mxcsr == regs->mxcsr)
		return 0;
	set_fpu(&fpu, regs);
	return ioctl(fd, KVM_SET_FPU, &fpu) ? errno : 0;
}

/* What kvm-intel has at hand; with others the tables are in memory alone. */
static void get_pdptrs(int vcpu, struct hlk_paging *paging)
{
	struct kvm_sregs2 sregs;

	if (ioctl(vcpu, KVM_GET_SREGS2, &sregs) ||
	    !(sregs.flags & KVM_SREGS2_FLAGS_PDPTRS_VALID))
		return;
	memcpy(paging->pdpte, sregs.pdptrs, sizeof(paging->pdpte));
	paging->flags |= HLK_PAGING_PDPTRS;
}

/**
 * state_paging() - how the tables of a processor are to be read
 * @state: the view
 * @cpu: which one
 * @paging: out: for hlk's walker
 * @root: out: what is in CR3
 *
 * Return: 0, or an errno: ENOTSUP if it does not page
 */
int state_paging(const struct state *state, uint32_t cpu, struct hlk_paging *paging,
		 __u64 *root)
{
	struct kvm_sregs sregs;

	if (ioctl(state->vcpu[cpu], KVM_GET_SREGS, &sregs))
		return errno;
	if (!(sregs.cr0 & CR0_PG))
		return ENOTSUP;
	*root = sregs.cr3;
	*paging = (struct hlk_paging) {
		.flags = HLK_PAGING_GIVEN | (sregs.cr0 & CR0_WP ? HLK_PAGING_WP : 0) |
			 (sregs.cr4 & CR4_PSE ? HLK_PAGING_PSE : 0) |
			 (sregs.cr4 & CR4_PAE ? HLK_PAGING_PAE : 0) |
			 (sregs.cr4 & CR4_LA57 ? HLK_PAGING_LA57 : 0) |
			 (sregs.efer & EFER_LMA ? HLK_PAGING_LONG : 0) |
			 (sregs.efer & EFER_NXE ? HLK_PAGING_NXE : 0),
	};
	if (sregs.cr4 & CR4_PAE && !(sregs.efer & EFER_LMA))
		get_pdptrs(state->vcpu[cpu], paging);
	return 0;
}

/**
 * state_translate() - a virtual address of a processor
 * @state: the view
 * @cpu: which one, in its modes
 * @root: page tables, as in CR3; 0 are its own
 * @va: the address
 * @gpa: out: the guest-physical one
 *
 * Return: 0 or an errno: ENXIO, where nothing is mapped
 */
int state_translate(const struct state *state, uint32_t cpu, uint64_t root, uint64_t va,
		    uint64_t *gpa)
{
	struct hlk_translate t = { .va = va };
	struct hlk_err err;
	int ret = state_paging(state, cpu, &t.paging, &t.root);

	*gpa = va;
	if (ret)
		return ret == ENOTSUP ? 0 : ret;
	if (root && root != t.root) {
		/* The pointers that the processor holds are those of its own tables. */
		t.paging.flags &= ~HLK_PAGING_PDPTRS;
		memset(t.paging.pdpte, 0, sizeof(t.paging.pdpte));
		t.root = root;
	}
	ret = hlk_inspect_translate(state->inspect, &t, &err);
	*gpa = t.gpa;
	return -ret;
}

/**
 * state_read() - read guest-physical memory
 * @state: the view
 * @gpa: where
 * @buf: where it goes
 * @len: how much
 *
 * Return: 0 or an errno
 */
int state_read(const struct state *state, uint64_t gpa, void *buf, size_t len)
{
	return -(state->sb ? hlk_sandbox_read(state->sb, gpa, buf, len) :
			     hlk_machine_read(state->machine, gpa, buf, len));
}

/**
 * state_write() - write guest-physical memory: a page that others share becomes its own first
 * @state: the view
 * @gpa: where
 * @buf: what
 * @len: how much
 *
 * Return: 0 or an errno
 */
int state_write(const struct state *state, uint64_t gpa, const void *buf, size_t len)
{
	return -(state->sb ? hlk_sandbox_write(state->sb, gpa, buf, len) :
			     hlk_machine_write(state->machine, gpa, buf, len));
}
