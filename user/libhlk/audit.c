// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Doubt: is a restored sandbox what the snapshot says?
 *
 * The module compares memory and its own view of the vCPU. Then KVM is made to
 * load what it is to load, and is asked for all it knows of the vCPU; that is
 * compared with what it said when the snapshot was made.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "internal.h"

static const char op[] = "audit";

static const struct {
	unsigned long cmd;
	size_t offset;
} part[] = {
	{ KVM_GET_REGS, offsetof(struct hlk_vcpu_state, regs) },
	{ KVM_GET_SREGS, offsetof(struct hlk_vcpu_state, sregs) },
	{ KVM_GET_VCPU_EVENTS, offsetof(struct hlk_vcpu_state, events) },
	{ KVM_GET_DEBUGREGS, offsetof(struct hlk_vcpu_state, debug) },
	{ KVM_GET_MP_STATE, offsetof(struct hlk_vcpu_state, mp) },
	{ KVM_GET_XCRS, offsetof(struct hlk_vcpu_state, xcrs) },
	{ KVM_GET_FPU, offsetof(struct hlk_vcpu_state, fpu) },
	{ KVM_GET_XSAVE, offsetof(struct hlk_vcpu_state, xsave) },
};

#define FIELD(member, text, each) {					\
	.name = text,							\
	.offset = offsetof(struct hlk_vcpu_state, member),		\
	.bytes = sizeof(((struct hlk_vcpu_state *)NULL)->member),	\
	.step = each,							\
}

/* One that has parts of @step bytes is named with a number. */
static const struct field {
	const char *name;
	size_t offset;
	size_t bytes;
	size_t step;
} field[] = {
	FIELD(regs.rax, "eax", 0), FIELD(regs.rbx, "ebx", 0),
	FIELD(regs.rcx, "ecx", 0), FIELD(regs.rdx, "edx", 0),
	FIELD(regs.rsi, "esi", 0), FIELD(regs.rdi, "edi", 0),
	FIELD(regs.rsp, "esp", 0), FIELD(regs.rbp, "ebp", 0),
	FIELD(regs.r8, "r8", 0), FIELD(regs.r9, "r9", 0),
	FIELD(regs.r10, "r10", 0), FIELD(regs.r11, "r11", 0),
	FIELD(regs.r12, "r12", 0), FIELD(regs.r13, "r13", 0),
	FIELD(regs.r14, "r14", 0), FIELD(regs.r15, "r15", 0),
	FIELD(regs.rip, "eip", 0), FIELD(regs.rflags, "eflags", 0),
	FIELD(sregs.cs, "cs", 0), FIELD(sregs.ds, "ds", 0),
	FIELD(sregs.es, "es", 0), FIELD(sregs.fs, "fs", 0),
	FIELD(sregs.gs, "gs", 0), FIELD(sregs.ss, "ss", 0),
	FIELD(sregs.tr, "tr", 0), FIELD(sregs.ldt, "ldtr", 0),
	FIELD(sregs.gdt, "gdtr", 0), FIELD(sregs.idt, "idtr", 0),
	FIELD(sregs.cr0, "cr0", 0), FIELD(sregs.cr2, "cr2", 0),
	FIELD(sregs.cr3, "cr3", 0), FIELD(sregs.cr4, "cr4", 0),
	FIELD(sregs.cr8, "cr8", 0), FIELD(sregs.efer, "efer", 0),
	FIELD(sregs.apic_base, "apic_base", 0),
	FIELD(sregs.interrupt_bitmap, "pending interrupt", 0),
	FIELD(events.exception, "pending exception", 0),
	FIELD(events.interrupt, "interrupt shadow", 0),
	FIELD(events.nmi, "nmi", 0),
	FIELD(events.sipi_vector, "sipi_vector", 0),
	FIELD(events.flags, "event flags", 0),
	FIELD(events.smi, "smi", 0),
	FIELD(events.triple_fault, "pending triple fault", 0),
	FIELD(events.exception_has_payload, "pending exception's payload", 0),
	FIELD(events.exception_payload, "pending exception's payload", 0),
	FIELD(debug.db, "dr", sizeof(__u64)),
	FIELD(debug.dr6, "dr6", 0), FIELD(debug.dr7, "dr7", 0),
	FIELD(mp, "mp_state", 0),
	FIELD(xcrs, "xcr0", 0),
	/* its first member */
	{ "st", offsetof(struct hlk_vcpu_state, fpu), 8 * 16, 16 },
	FIELD(fpu.fcw, "fcw", 0), FIELD(fpu.fsw, "fsw", 0),
	FIELD(fpu.ftwx, "ftw", 0), FIELD(fpu.last_opcode, "fop", 0),
	FIELD(fpu.last_ip, "fip", 0), FIELD(fpu.last_dp, "fdp", 0),
	FIELD(fpu.xmm, "xmm", 16), FIELD(fpu.mxcsr, "mxcsr", 0),
	/* KVM_GET_FPU does not tell it */
	{ "mxcsr", offsetof(struct hlk_vcpu_state, xsave.region[6]), 4, 0 },
	FIELD(xsave, "xsave byte ", 1),
};

static int read_state(struct hlk_sandbox *sb, struct hlk_vcpu_state *state)
{
	size_t i;

	memset(state, 0, sizeof(*state));
	for (i = 0; i < sizeof(part) / sizeof(*part); i++)
		if (ioctl(sb->vcpu_fd, part[i].cmd,
			  (unsigned char *)state + part[i].offset))
			return hlk_err_system(&sb->err,
					      "cannot read the vCPU");
	return 0;
}

/* Several sandboxes may find out at once; the first is believed. */
static void publish(struct hlk_snap *snap, struct hlk_vcpu_state *state)
{
	struct hlk_vcpu_state *none = NULL;

	if (!atomic_compare_exchange_strong(&snap->vcpu, &none, state))
		free(state);
}

/* A compact snapshot moves the page directories: root 0 is what CR3 becomes. */
static int find_cr3(struct hlk_sandbox *sb, const struct hlk_snap *snap,
		    struct hlk_vcpu_state *state)
{
	uint64_t roots[1] = {};
	struct hlk_snapshot_info info = {
		.roots = (uintptr_t)roots,
		.nr_roots = 1,
	};
	int ret;

	ret = hlk_snap_read_info(snap->fd, &info, sizeof(info), &sb->err);
	if (!ret && info.flags & HLK_SNAPSHOT_COMPACT)
		state->sregs.cr3 = roots[0];
	return ret;
}

/**
 * hlk_vcpu_note() - note the vCPU as a snapshot has it
 * @sb: the sandbox that the snapshot was just made of, or that was just
 *	restored to it, with its registers loaded
 * @snap: the snapshot
 *
 * Return: 0 or a negative errno
 */
int hlk_vcpu_note(struct hlk_sandbox *sb, struct hlk_snap *snap)
{
	struct hlk_vcpu_state *state = malloc(sizeof(*state));
	int ret;

	if (!state)
		return hlk_err_system(&sb->err, op);
	ret = read_state(sb, state);
	if (!ret)
		ret = find_cr3(sb, snap, state);
	if (ret)
		free(state);
	else
		publish(snap, state);
	return ret;
}

static int differs(struct hlk_sandbox *sb, const struct field *f,
		   const unsigned char *is, const unsigned char *want)
{
	size_t at = 0;

	while (is[at] == want[at])
		at++;
	if (f->step)
		return hlk_err_text(&sb->err, EUCLEAN, HLK_WHAT_AUDIT, op,
				    "%s%zu", f->name, at / f->step);
	return hlk_err_text(&sb->err, EUCLEAN, HLK_WHAT_AUDIT, op, "%s",
			    f->name);
}

/**
 * hlk_vcpu_compare() - do two states of a vCPU differ?
 * @sb: the sandbox that is told
 * @is: what it is
 * @want: what it should be
 *
 * Return: 0, or -EUCLEAN with the name of the first register that differs
 */
int hlk_vcpu_compare(struct hlk_sandbox *sb, const struct hlk_vcpu_state *is,
		     const struct hlk_vcpu_state *want)
{
	const unsigned char *a = (const unsigned char *)is;
	const unsigned char *b = (const unsigned char *)want;
	const struct field *f;
	size_t i;

	for (i = 0; i < sizeof(field) / sizeof(*field); i++) {
		f = &field[i];
		if (memcmp(a + f->offset, b + f->offset, f->bytes))
			return differs(sb, f, a + f->offset, b + f->offset);
	}
	return 0;
}

static int compare(struct hlk_sandbox *sb)
{
	struct hlk_vcpu_state *want = atomic_load(&sb->last->vcpu);
	struct hlk_vcpu_state is;
	int ret;

	if (!want)
		return hlk_vcpu_note(sb, sb->last);
	ret = read_state(sb, &is);
	return ret ? ret : hlk_vcpu_compare(sb, &is, want);
}

/* The module knows which part of the vCPU it is; KVM knows which register. */
static int name_register(struct hlk_sandbox *sb, int ret)
{
	struct hlk_err err = sb->err;

	if (ret != -EUCLEAN || err.why != HLK_WHY_AUDIT_VCPU)
		return ret;
	if (hlk_settle(sb) || compare(sb) != -EUCLEAN)
		sb->err = err;
	return ret;
}

static int audit(struct hlk_sandbox *sb)
{
	int ret;

	if (!(sb->ctx->features & HLK_FEATURE_AUDIT))
		return hlk_err_text(&sb->err, EOPNOTSUPP, HLK_WHAT_FEATURE, op,
				    "audits");
	ret = hlk_restore_prepare(sb, NULL, HLK_RESTORE_AUDIT);
	if (ret)
		return ret;
	ret = ioctl(sb->hlk_fd, HLK_RESTORE, &sb->restored) ? -errno : 0;
	ret = hlk_restore_finish(sb, NULL, ret);
	if (ret)
		return name_register(sb, ret);
	ret = hlk_settle(sb);
	if (!ret)
		ret = compare(sb);
	if (ret)
		sb->state = HLK_STATE_BROKEN;
	return ret;
}

EXPORT int hlk_sandbox_audit(struct hlk_sandbox *sb)
{
	int ret = hlk_enter(sb, op);

	return ret ? ret : hlk_leave(sb, audit(sb));
}
