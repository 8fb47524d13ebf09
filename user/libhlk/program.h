/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* State programs: what else of a machine comes back with a snapshot; see program.c. */
#ifndef LIBHLK_PROGRAM_H
#define LIBHLK_PROGRAM_H

#include "device.h"
#include "internal.h"

/**
 * struct hlk_program_tail - what libhlk keeps behind the calls of a program
 * @magic: HLK_PROGRAM_MAGIC
 * @size: of this struct
 * @irqchip: the machine has interrupt controllers
 * @cr8: CR8 of the first processor, which KVM takes from struct kvm_run without these
 * @nr_cpus: processors that it has
 * @lines: levels of interrupt lines, a bit each
 * @state_bytes: what an embedder's device has before this struct, up to a multiple of 8
 * @acpi: its guest is told of restores
 * @time: of the machine's CMOS clock, in seconds of the epoch
 * @clock: KVM's clock, in nanoseconds
 * @base: what that is at the epoch, by the host's time; modulo 2^64
 * @devices: the devices
 */
struct hlk_program_tail {
	uint64_t magic;
	uint32_t size;
	uint32_t irqchip;
	uint64_t cr8;
	uint32_t nr_cpus;
	uint32_t lines;
	uint32_t state_bytes;
	uint32_t acpi;
	int64_t time;
	uint64_t clock;
	uint64_t base;
	struct hlk_devices devices;
};

#define HLK_PROGRAM_MAGIC		0x34656e696863616dULL	/* "machine4" */

/**
 * struct hlk_program - a program that is being written
 * @vm_fd: the VM
 * @nr_cpus: its processors
 * @vcpu_fds: these
 * @acpi: its guest is told of restores
 * @unstarted: of each, whether it waits for INIT or SIPI
 * @cpu: number of the one whose state is being written
 * @vcpu_fd: its vCPU
 * @lines: levels of its interrupt lines
 * @time: of its CMOS clock
 * @has_base: what follows is known already
 * @base: in and out: what KVM's clock is at the epoch; anew if it is off by more than 1 s
 * @clock: out: KVM's clock
 * @state: what an embedder's device has, or NULL
 * @state_bytes: how much
 * @data: the program
 * @used: bytes of it
 * @err: out: why it cannot be
 */
struct hlk_program {
	int vm_fd;
	uint32_t nr_cpus;
	int vcpu_fds[HLK_LIB_MAX_CPUS];
	bool acpi;
	bool unstarted[HLK_LIB_MAX_CPUS];
	uint32_t cpu;
	int vcpu_fd;
	uint32_t lines;
	int64_t time;
	bool has_base;
	uint64_t base;
	uint64_t clock;
	const void *state;
	uint32_t state_bytes;
	unsigned char *data;
	uint32_t used;
	struct hlk_err *err;
};

uint64_t hlk_real_ns(void);
int hlk_timers_deliver(int vcpu_fd, struct hlk_err *err);
void hlk_timers_lapic(struct kvm_lapic_state *lapic);

int hlk_program_make(struct hlk_ctx *ctx, struct hlk_program *program, bool irqchip,
		     const struct hlk_devices *devices);
int hlk_program_msrs(struct hlk_ctx *ctx, int vcpu_fd, struct kvm_msrs **msrs,
		     struct hlk_err *err);
int hlk_program_map(struct hlk_snap *snap, struct hlk_err *err);

/* tail.c */
int hlk_program_tail(const unsigned char *program, uint64_t bytes,
		     struct hlk_program_tail *tail);
const void *hlk_program_state(const unsigned char *program, uint64_t bytes,
			      const struct hlk_program_tail *tail);

#endif /* LIBHLK_PROGRAM_H */
