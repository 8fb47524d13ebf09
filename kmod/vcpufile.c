// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files of vCPUs, by which KVM is asked and told. KVM hands none out, so they are
 * looked for among those that the caller has open, once: what is found is held
 * for as long as the hlk VM. A vCPU's file holds its KVM VM, which the hlk VM holds
 * anyway, and nothing that leads back to the hlk VM.
 */
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "hlk.h"

/* Files that are looked at before others may run; a process may have very many */
#define FILES_AT_ONCE	1024

/**
 * struct search - for the files of a VM's vCPUs
 * @vm: the VM; its lock is held
 * @missing: vCPUs without a file
 * @seen: files that were looked at
 */
struct search {
	struct hlk_vm *vm;
	u32 missing;
	u32 seen;
};

/* Under the lock of the table. Now and then it ends, with the next fd. */
static int search_file(const void *arg, struct file *file, unsigned int fd)
{
	struct search *search = (void *)arg;
	struct hlk_vm *vm = search->vm;
	u32 i;

	for (i = 0; i < vm->nr_vcpus; i++) {
		if (vm->vcpus[i] != file->private_data || vm->vcpu_files[i] ||
		    !hlk_is_vcpu_file(file))
			continue;
		vm->vcpu_files[i] = get_file(file);
		search->missing--;
	}
	if (!search->missing)
		return -ENOENT;
	return ++search->seen % FILES_AT_ONCE ? 0 : fd + 1;
}

/**
 * hlk_vcpu_files_find() - have the files of all vCPUs
 * @vm: the VM; its lock is held, and its vCPUs are known
 *
 * Those that the caller does not have open stay NULL in @vm->vcpu_files.
 */
void hlk_vcpu_files_find(struct hlk_vm *vm)
{
	struct search search = { .vm = vm };
	int fd = 0;
	u32 i;

	lockdep_assert_held(&vm->lock);
	for (i = 0; i < vm->nr_vcpus; i++)
		search.missing += !vm->vcpu_files[i];
	if (!search.missing)
		return;
	do {
		fd = iterate_fd(current->files, fd, search_file, &search);
		cond_resched();
	} while (fd > 0 && !fatal_signal_pending(current));
}

/**
 * hlk_vcpu_files_put() - let them go
 * @vm: the VM, which nobody else uses any more
 */
void hlk_vcpu_files_put(struct hlk_vm *vm)
{
	u32 i;

	for (i = 0; i < vm->nr_vcpus; i++)
		if (vm->vcpu_files[i])
			fput(vm->vcpu_files[i]);
}
