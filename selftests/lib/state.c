// SPDX-License-Identifier: GPL-2.0-only
/* All that KVM tells about a vCPU. */
#include "state.h"

/* After an entry that ends at once, which loads what a restore left in kvm_run */
void get_state(struct tvm *t, struct state *s)
{
	t_must(!tvm_complete_io(t));
	memset(s, 0, sizeof(*s));
	t_must(!ioctl(t->vcpu, KVM_GET_REGS, &s->regs));
	t_must(!ioctl(t->vcpu, KVM_GET_SREGS, &s->sregs));
	t_must(!ioctl(t->vcpu, KVM_GET_VCPU_EVENTS, &s->events));
	t_must(!ioctl(t->vcpu, KVM_GET_DEBUGREGS, &s->debug));
	t_must(!ioctl(t->vcpu, KVM_GET_MP_STATE, &s->mp));
	t_must(!ioctl(t->vcpu, KVM_GET_XCRS, &s->xcrs));
	t_must(!ioctl(t->vcpu, KVM_GET_FPU, &s->fpu));
	t_must(!ioctl(t->vcpu, KVM_GET_XSAVE, &s->xsave));
	s->cpuid.head.nent = STATE_CPUID;
	t_must(!ioctl(t->vcpu, KVM_GET_CPUID2, &s->cpuid));
}
