// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* A machine as a snapshot's was, for who has the snapshot alone. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "carry.h"
#include "machine.h"

static const char op[] = "cannot make the machine";

static int read_machine(struct hlk_snap *snap, struct hlk_ram *ram, uint32_t *nr,
			struct hlk_program_tail *tail, struct hlk_err *err)
{
	struct hlk_window windows[HLK_LIB_MAX_WINDOWS];
	struct hlk_snapshot_info info = {
		.windows = (uintptr_t)windows,
		.nr_windows = HLK_LIB_MAX_WINDOWS,
		.window_size = sizeof(*windows),
	};
	uint32_t i;
	int ret;

	ret = hlk_snap_read_info(snap->fd, &info, sizeof(info), err);
	if (!ret)
		ret = hlk_program_map(snap, err);
	if (ret)
		return ret;
	if (info.nr_windows > HLK_LIB_MAX_WINDOWS ||
	    hlk_program_tail(atomic_load(&snap->program), snap->program_bytes, tail))
		return hlk_err_text(err, EINVAL, HLK_WHAT_ARGUMENT, op,
				    "the snapshot is not one of a machine");
	for (i = 0; i < info.nr_windows; i++)
		ram[i] = (struct hlk_ram) {
			.gpa = windows[i].gpa,
			.bytes = windows[i].bytes,
		};
	*nr = info.nr_windows;
	return 0;
}

static int check_config(const struct hlk_machine_config *config, struct hlk_err *err)
{
	if (config->nr_cpus || config->nr_ram || config->ram || config->mem_size ||
	    config->flags & HLK_MACHINE_NO_IRQCHIP)
		return hlk_err_text(err, EINVAL, HLK_WHAT_ARGUMENT, op,
				    "memory and processors are those of the snapshot");
	return 0;
}

EXPORT int hlk_machine_from_snapshot(struct hlk_ctx *ctx, struct hlk_snap *snap,
				     const struct hlk_machine_config *config,
				     struct hlk_machine **out, struct hlk_err *err)
{
	struct hlk_machine_config own = HLK_MACHINE_CONFIG_INIT;
	struct hlk_ram ram[HLK_LIB_MAX_WINDOWS];
	struct hlk_program_tail tail;
	struct hlk_machine *machine;
	int ret = 0;

	*out = NULL;
	hlk_err_clear(err);
	if (config)
		ret = hlk_grow_take(&own, sizeof(own), HLK_FIRST_MACHINE_CONFIG, config,
				    "hlk_machine_config", op, err);
	if (!ret)
		ret = check_config(&own, err);
	if (!ret)
		ret = read_machine(snap, ram, &own.nr_ram, &tail, err);
	if (ret)
		return ret;
	own.ram = ram;
	own.nr_cpus = tail.nr_cpus;
	if (!tail.irqchip)
		own.flags |= HLK_MACHINE_NO_IRQCHIP;
	ret = hlk_machine_create(ctx, &own, &machine, err);
	if (ret)
		return ret;
	ret = hlk_machine_restore(machine, snap);
	if (ret) {
		if (err)
			*err = *hlk_machine_error(machine);
		hlk_machine_close(machine);
		return ret;
	}
	*out = machine;
	return 0;
}

#define KVM_FIRST	0x4b564d00U
#define KVM_LAST	0x4b564d07U

/*
 * KVM's own may have an address, which is looked up in the guest's memory at once: here in the
 * one page that there is. With kvm.ignore_msrs KVM takes whatever it does not know, and
 * forgets it.
 */
static bool takes(void *arg, const struct kvm_msr_entry *entry, bool here)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} one = { .head.nmsrs = 1, .entry = *entry };
	uint64_t data;

	if (entry->index >= KVM_FIRST && entry->index <= KVM_LAST)
		one.entry.data %= HLK_GUEST_PAGE_SIZE;
	data = one.entry.data;
	if (ioctl(*(int *)arg, KVM_SET_MSRS, &one) != 1)
		return false;
	return here || !data ||
	       (ioctl(*(int *)arg, KVM_GET_MSRS, &one) == 1 && one.entry.data == data);
}

/**
 * hlk_machine_carry() - have a machine's program of another kernel set what there is here
 * @ctx: the context
 * @program: the program, as a file has it
 * @bytes: its size
 * @file: the file
 * @out: out: see hlk_program_carry()
 * @out_bytes: out: see there
 * @err: out: why it cannot be
 *
 * Who knows what is there is a machine, which is made for the while.
 *
 * Return: 0 or a negative errno
 */
int hlk_machine_carry(struct hlk_ctx *ctx, const unsigned char *program, uint64_t bytes,
		      const char *file, unsigned char **out, uint64_t *out_bytes,
		      struct hlk_err *err)
{
	struct hlk_machine_config config = HLK_MACHINE_CONFIG_INIT;
	struct hlk_program_tail tail;
	struct hlk_carry_msrs all = { .takes = takes };
	struct hlk_machine *machine;
	struct kvm_msrs *msrs;
	int ret;

	*out = NULL;
	if (hlk_program_tail(program, bytes, &tail))
		return 0;
	config.flags = tail.irqchip ? 0 : HLK_MACHINE_NO_IRQCHIP;
	config.mem_size = HLK_GUEST_PAGE_SIZE;
	ret = hlk_machine_create(ctx, &config, &machine, err);
	if (ret)
		return ret;
	ret = hlk_program_msrs(ctx, machine->cpus[0].fd, &msrs, err);
	if (!ret) {
		all.nr_cpus = tail.nr_cpus;
		all.nr = msrs->nmsrs;
		all.entries = msrs->entries;
		all.arg = &machine->cpus[0].fd;
		ret = hlk_program_carry(program, bytes, &all, file, out, out_bytes, err);
	}
	free(msrs);
	hlk_machine_close(machine);
	return ret;
}
