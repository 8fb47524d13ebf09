// SPDX-License-Identifier: GPL-2.0-only
/*
 * What stands beside windows and restores in the module, and is left out here:
 * vCPUs, page tables, other calls.
 */
#include "hlk.h"

void hlk_count_vms(long by)
{
	shim.counted_vms += by;
	SHIM_ASSERT(shim.counted_vms >= 0);
}

struct file *hlk_file(const char *name, const struct file_operations *fops,
		      void *obj, int flags)
{
	if (++shim.tries == shim.fail_at)
		return ERR_PTR(-ENOMEM);
	return kernel_file(fops, obj);
}

void hlk_file_released(struct inode *inode)
{
}

bool hlk_task_in_guest(void)
{
	return false;
}

void hlk_vcpu_refused(struct kvm *kvm)
{
	kernel.refused++;
}

int hlk_vcpus_hold(struct hlk_vm *vm, bool nowait, struct hlk_why_at *at)
{
	lockdep_assert_held(&vm->lock);
	if (kernel.busy)
		return hlk_fail(at, -EBUSY, HLK_WHY_VCPU_RUNNING, 0, 0);
	SHIM_ASSERT(!kernel.vcpus_held);
	kernel.vcpus_held = true;
	return 0;
}

void hlk_vcpus_release(struct hlk_vm *vm)
{
	SHIM_ASSERT(kernel.vcpus_held);
	kernel.vcpus_held = false;
}

int hlk_vcpus_capture(struct hlk_vm *vm, const struct kvm_sync_regs *sync,
		      struct hlk_snap *snap, struct hlk_why_at *at)
{
	SHIM_ASSERT(kernel.vcpus_held);
	return 0;
}

int hlk_vcpu_from_user(u64 array, u32 size, u32 nr, struct hlk_snap *snap,
		       struct hlk_why_at *at)
{
	return hlk_fail(at, -EINVAL, HLK_WHY_NONE, 0, 0);
}

int hlk_vcpus_fit(struct hlk_vm *vm, const struct hlk_snap *snap,
		  struct hlk_why_at *at)
{
	SHIM_ASSERT(kernel.vcpus_held);
	return 0;
}

bool hlk_vcpu_kept(struct hlk_vm *vm, const struct kvm_vcpu *vcpu)
{
	return false;
}

u32 hlk_vcpus_restore(struct hlk_vm *vm, const struct hlk_snap *snap, bool time_back,
		      const struct kvm_vcpu *kept)
{
	SHIM_ASSERT(kernel.vcpus_held);
	SHIM_ASSERT(vm->snap == snap);
	kernel.vcpus_restored++;
	return 0;
}

u64 hlk_vcpu_cr3(const struct hlk_snap *snap, u32 nr)
{
	return 0;
}

void hlk_vcpu_set_cr3(struct hlk_snap *snap, u32 nr, u64 cr3)
{
}

int hlk_vcpu_paging(struct hlk_vm *vm, const struct hlk_snap *snap,
		    struct i686_mode *mode, u64 *cr3, struct hlk_why_at *at)
{
	return hlk_fail(at, -EOPNOTSUPP, HLK_WHY_NONE, 0, 0);
}

int hlk_gmem_init(struct hlk_vm_gmem *g, struct hlk_vm *vm)
{
	return -EOPNOTSUPP;
}

void hlk_gmem_exit(struct hlk_vm_gmem *g)
{
}

void hlk_vcpu_files_put(struct hlk_vm *vm)
{
}

void hlk_looks_free(struct hlk_looks *looks)
{
}

const struct kvm_sync_regs *hlk_looks_settle(struct hlk_vm *vm, struct hlk_looks *looks,
					     const struct hlk_program *program,
					     struct hlk_why_at *at)
{
	return NULL;
}

struct hlk_looks *hlk_looks_take(struct hlk_vm *vm, struct hlk_why_at *at)
{
	return NULL;
}

u32 hlk_vcpus_residue(struct hlk_vm *vm)
{
	return 0;
}

void hlk_vcpu_loads(struct hlk_snap *snap, u32 nr, u32 loads)
{
}

u32 hlk_vcpus_scaled(struct hlk_vm *vm, const struct hlk_snap *snap, bool time_back)
{
	return 0;
}

bool hlk_vcpus_await(const struct hlk_snap *snap)
{
	return false;
}

bool hlk_vcpus_shadow_stacks(const struct hlk_snap *snap)
{
	return false;
}

void hlk_vcpu_files_find(struct hlk_vm *vm)
{
	lockdep_assert_held(&vm->lock);
	if (kernel.find_files)
		kernel.find_files(vm);
}

/* The test looks at all of it anyway. */
int hlk_audit(struct hlk_vm *vm, struct hlk_snap *snap, u32 flags,
	      struct hlk_why_at *at)
{
	lockdep_assert_held(&vm->lock);
	SHIM_ASSERT(vm->snap == snap);
	return 0;
}

static int not_here(struct hlk_ucmd *ucmd)
{
	return hlk_fail(&ucmd->at, -EOPNOTSUPP, HLK_WHY_NONE, 0, 0);
}

int hlk_cmd_run(void *obj, struct hlk_ucmd *ucmd)
{
	return not_here(ucmd);
}

int hlk_cmd_translate(void *obj, struct hlk_ucmd *ucmd)
{
	return not_here(ucmd);
}

int hlk_cmd_walk(void *obj, struct hlk_ucmd *ucmd)
{
	return not_here(ucmd);
}

int hlk_cmd_read(void *obj, struct hlk_ucmd *ucmd)
{
	return not_here(ucmd);
}

int hlk_cmd_mark_cow(void *obj, struct hlk_ucmd *ucmd)
{
	return not_here(ucmd);
}

int hlk_snap_export(struct hlk_snap *snap, struct hlk_snapshot_export *x,
		    struct hlk_why_at *at)
{
	return hlk_fail(at, -EOPNOTSUPP, HLK_WHY_NONE, 0, 0);
}

int hlk_snap_pages(struct hlk_snap *snap, struct hlk_snap *other,
		   struct hlk_snapshot_pages *p, struct hlk_why_at *at)
{
	return hlk_fail(at, -EOPNOTSUPP, HLK_WHY_NONE, 0, 0);
}

int hlk_cmd_kick(void *obj, struct hlk_ucmd *ucmd)
{
	return not_here(ucmd);
}
