// SPDX-License-Identifier: GPL-2.0-only
/*
 * vCPUs out of snapshots and into them, as user space keeps them.
 *
 * What comes in may be anybody's. What KVM or the processor would refuse of registers
 * and XCR0 is found before a restore, where the vCPU is known (vcpufit.c); what no vCPU
 * could have is found here: it is put where KVM has checked values, and loaded.
 */
#include <linux/kvm_host.h>
#include <linux/uaccess.h>

#include <asm/fpu/xcr.h>

#include "hlk.h"
#include "vcpustate.h"

#define IMAGE(field)	offsetof(struct hlk_vcpu_image, field)

/* MXCSR bits that all 64-bit processors have; others are a fault to load */
#define MXCSR_BITS	0xffffU

static int image_bad(struct hlk_why_at *at, u32 nr, size_t offset)
{
	return hlk_fail(at, -EINVAL, HLK_WHY_VCPU_IMAGE, nr, offset);
}

static int fpu_bad(struct hlk_why_at *at, u32 nr, size_t offset)
{
	return hlk_fail(at, -EINVAL, HLK_WHY_VCPU_FPU_IMAGE, nr, offset);
}

/* Components that come in groups; SDM volume 1, "Processor Tracking of XSAVE-Managed State" */
static bool xcr0_possible(u64 xcr0)
{
	const u64 avx512 = XFEATURE_MASK_AVX512;
	const u64 mpx = XFEATURE_MASK_BNDREGS | XFEATURE_MASK_BNDCSR;

	if (!(xcr0 & XFEATURE_MASK_FP))
		return false;
	if (xcr0 & XFEATURE_MASK_YMM && !(xcr0 & XFEATURE_MASK_SSE))
		return false;
	if ((xcr0 & mpx) && (xcr0 & mpx) != mpx)
		return false;
	if (xcr0 & avx512 && ((xcr0 & avx512) != avx512 || !(xcr0 & XFEATURE_MASK_YMM)))
		return false;
	return !(xcr0 & XFEATURE_MASK_XTILE) ||
	       (xcr0 & XFEATURE_MASK_XTILE) == XFEATURE_MASK_XTILE;
}

static u64 xfd_possible(void)
{
	return boot_cpu_has(X86_FEATURE_XFD) ? XFEATURE_MASK_XTILE_DATA : 0;
}

static bool mp_state_known(u32 state)
{
	switch (state) {
	case KVM_MP_STATE_RUNNABLE:
	case KVM_MP_STATE_UNINITIALIZED:
	case KVM_MP_STATE_INIT_RECEIVED:
	case KVM_MP_STATE_HALTED:
	case KVM_MP_STATE_AP_RESET_HOLD:
		return true;
	}
	return false;
}

static int image_check(const struct hlk_vcpu_image *image, u32 nr, struct hlk_why_at *at)
{
	if (image->flags & ~(HLK_VCPU_TSC | HLK_VCPU_FPU))
		return hlk_fail(at, -EOPNOTSUPP, HLK_WHY_FLAGS, nr, 0);
	if (memchr_inv(image->__reserved, 0, sizeof(image->__reserved)))
		return hlk_fail(at, -EOPNOTSUPP, HLK_WHY_RESERVED, nr, 0);
	if (!mp_state_known(image->mp_state))
		return image_bad(at, nr, IMAGE(mp_state));
	if (image->ext_vector < -1 || image->ext_vector > 255)
		return image_bad(at, nr, IMAGE(ext_vector));
	if (upper_32_bits(image->dr6))
		return image_bad(at, nr, IMAGE(dr6));
	if (upper_32_bits(image->dr7))
		return image_bad(at, nr, IMAGE(dr7));
	if (!xcr0_possible(image->xcr0))
		return image_bad(at, nr, IMAGE(xcr0));
	if (image->xfd & ~xfd_possible())
		return image_bad(at, nr, IMAGE(xfd));
	if (!(image->flags & HLK_VCPU_FPU))
		return image->fpu_bytes ? image_bad(at, nr, IMAGE(fpu_bytes)) : 0;
	if (image->fpu_bytes < sizeof(struct fxregs_state) || image->fpu_bytes > HLK_MAX_FPU)
		return fpu_bad(at, nr, image->fpu_bytes);
	return 0;
}

/*
 * What XRSTOR would fault on, in the host: reserved bits of MXCSR, a header with more
 * than features and format, components that the host has not turned on or that the format
 * has no room for. That the format is one which the vCPU loads is asked at the restore.
 * What lies in a component KVM_SET_XSAVE does not look at either. Supervisor state
 * it does not take; it holds MSRs, whose values are checked.
 */
static int fpu_check(const struct hlk_vcpu_state *state, u32 nr, struct hlk_why_at *at)
{
	const union fpregs_state *fpu = (const void *)state->fpu;
	const struct xstate_header *header = &fpu->xsave.header;
	u64 features;

	if (fpu->fxsave.mxcsr & ~MXCSR_BITS)
		return fpu_bad(at, nr, offsetof(struct fxregs_state, mxcsr));
	if (state->fpu_bytes == sizeof(struct fxregs_state))
		return 0;
	if (state->fpu_bytes < HLK_FPU_LEGACY || !boot_cpu_has(X86_FEATURE_XSAVE))
		return fpu_bad(at, nr, state->fpu_bytes);
	features = header->xfeatures;
	if (features & ~xgetbv(XCR_XFEATURE_ENABLED_MASK) ||
	    features != hlk_fpu_loadable(features, header->xcomp_bv, state->xfd))
		return fpu_bad(at, nr, offsetof(struct xregs_state, header.xfeatures));
	if (header->xcomp_bv && !(header->xcomp_bv & HLK_FPU_COMPACTED))
		return fpu_bad(at, nr, offsetof(struct xregs_state, header.xcomp_bv));
	if (memchr_inv(header->reserved, 0, sizeof(header->reserved)))
		return fpu_bad(at, nr, offsetof(struct xregs_state, header.reserved));
	return 0;
}

static int image_fill(struct hlk_vcpu_state *state, const struct hlk_vcpu_image *image,
		      u32 nr, struct hlk_why_at *at)
{
	int ret;

	ret = hlk_element_get(&state->sync, sizeof(state->sync), image->regs,
			      image->regs_bytes, 0, at);
	if (ret == -E2BIG)
		at->index = nr;
	if (ret)
		return ret;
	state->sync.events.flags &= ~KVM_VCPUEVENT_VALID_NMI_PENDING;
	state->sync.events.flags |= KVM_VCPUEVENT_VALID_SHADOW | KVM_VCPUEVENT_VALID_SMM;
	state->mp_state = image->mp_state;
	state->ext_vector = image->ext_vector;
	state->pkru = image->pkru;
	state->loads = HLK_SYNC_ALL;
	state->has_tsc = image->flags & HLK_VCPU_TSC;
	memcpy(state->db, image->db, sizeof(state->db));
	state->dr6 = image->dr6;
	state->dr7 = image->dr7;
	state->xcr0 = image->xcr0;
	state->xfd = image->xfd;
	memcpy(state->xsave_bytes, image->xsave_bytes, sizeof(state->xsave_bytes));
	state->fpu_bytes = image->fpu_bytes;
	if (!state->fpu_bytes)
		return 0;
	if (copy_from_user(state->fpu, u64_to_user_ptr(image->fpu), state->fpu_bytes))
		return -EFAULT;
	return fpu_check(state, nr, at);
}

/**
 * hlk_vcpu_image_get() - add a vCPU to a snapshot that is made of what a caller gives
 * @array: an array of struct hlk_vcpu_image, a user pointer
 * @size: what the caller takes for the size of one
 * @nr: which one
 * @host_tsc: what the host's TSC is, the same for all
 * @snap: the snapshot
 * @at: the reason of a failure
 *
 * Return: 0, -EFAULT, -ENOMEM, -EINVAL for what no processor could have, -E2BIG or
 * -EOPNOTSUPP for what is not known
 */
int hlk_vcpu_image_get(u64 array, u32 size, u32 nr, u64 host_tsc, struct hlk_snap *snap,
		       struct hlk_why_at *at)
{
	struct hlk_vcpu_state *state;
	struct hlk_vcpu_image image;
	int ret;

	ret = hlk_element_get(&image, sizeof(image), array, size, nr, at);
	if (!ret)
		ret = image_check(&image, nr, at);
	if (!ret)
		ret = hlk_element_size(image.regs_bytes, HLK_FIRST_SYNC_REGS,
				       HLK_WHY_VCPU_SIZE, at);
	if (ret)
		return ret;
	state = kvzalloc(struct_size(state, fpu, image.fpu_bytes), HLK_GFP);
	if (!state)
		return -ENOMEM;
	state->host_tsc = host_tsc;
	state->tsc_offset = image.tsc - host_tsc;
	ret = image_fill(state, &image, nr, at);
	if (ret) {
		kvfree(state);
		return ret;
	}
	snap->vcpus[snap->nr_vcpus++] = state;
	return 0;
}

/**
 * hlk_vcpu_image_put() - give a vCPU of a snapshot to a caller
 * @array: an array of struct hlk_vcpu_image, a user pointer
 * @size: what the caller takes for the size of one
 * @nr: which one
 * @snap: the snapshot
 * @at: the reason of a failure
 *
 * Return: 0, -EFAULT, -E2BIG, -EINVAL if there is too little room for registers,
 * -EMSGSIZE if there is for the FPU; all else is written then
 */
int hlk_vcpu_image_put(u64 array, u32 size, u32 nr, const struct hlk_snap *snap,
		       struct hlk_why_at *at)
{
	const struct hlk_vcpu_state *state = snap->vcpus[nr];
	struct hlk_vcpu_image image;
	u32 room;
	int ret;

	ret = hlk_element_get(&image, sizeof(image), array, size, nr, at);
	if (!ret)
		ret = hlk_element_size(image.regs_bytes, HLK_FIRST_SYNC_REGS,
				       HLK_WHY_VCPU_SIZE, at);
	if (ret)
		return ret;
	room = image.fpu_bytes;
	if (hlk_element_put(image.regs, image.regs_bytes, 0, &state->sync,
			    sizeof(state->sync)))
		return -EFAULT;
	image.fpu_bytes = state->fpu_bytes;
	image.flags = (state->has_tsc ? HLK_VCPU_TSC : 0) |
		      (state->fpu_bytes ? HLK_VCPU_FPU : 0);
	image.mp_state = state->mp_state;
	image.ext_vector = state->ext_vector;
	image.pkru = state->pkru;
	image.tsc = state->has_tsc ? state->host_tsc + state->tsc_offset : 0;
	memcpy(image.db, state->db, sizeof(image.db));
	image.dr6 = state->dr6;
	image.dr7 = state->dr7;
	image.xcr0 = state->xcr0;
	image.xfd = state->xfd;
	memcpy(image.xsave_bytes, state->xsave_bytes, sizeof(image.xsave_bytes));
	memset(image.__reserved, 0, sizeof(image.__reserved));
	if (room >= state->fpu_bytes &&
	    copy_to_user(u64_to_user_ptr(image.fpu), state->fpu, state->fpu_bytes))
		return -EFAULT;
	if (hlk_element_put(array, size, nr, &image, sizeof(image)))
		return -EFAULT;
	return room < state->fpu_bytes ? -EMSGSIZE : 0;
}
