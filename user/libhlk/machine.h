/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* A machine of any guest; see machine.c. */
#ifndef LIBHLK_MACHINE_H
#define LIBHLK_MACHINE_H

#include <pthread.h>

#include "device.h"
#include "genid.h"
#include "internal.h"
#include "load.h"
#include "program.h"

#define HLK_MACHINE_TEXT	256	/* the longest text to wait for */

/**
 * enum hlk_machine_state - what a machine is good for
 * @HLK_MACHINE_NEW: it has no kernel
 * @HLK_MACHINE_READY: it can run
 * @HLK_MACHINE_OVER: it stopped for good; boot it or restore it
 */
enum hlk_machine_state {
	HLK_MACHINE_NEW,
	HLK_MACHINE_READY,
	HLK_MACHINE_OVER,
};

/**
 * struct hlk_cpu - a processor of a machine
 * @fd: the vCPU
 * @run: its shared page
 * @pending: registers in @run are not loaded yet, or an I/O is not completed
 * @entered: since the last restore: KVM has its registers
 * @looks: how often in a row it was found halted
 * @dead: how often of these nothing was to wake it but others
 * @arg: the request of the run under way
 * @machine: whose it is; set for those that have a thread, as all that follows
 * @thread: who runs it
 * @turn: the turn that it was in last
 * @in_turn: it is in it
 * @running: the machine waits for it before it is at rest
 * @parked: it is out of the kernel, and waits until the machine's @alone is another
 * @gone: the thread is over
 */
struct hlk_cpu {
	int fd;
	struct kvm_run *run;
	bool pending;
	bool entered;
	uint32_t looks;
	uint32_t dead;
	struct hlk_run arg;
	struct hlk_machine *machine;
	pthread_t thread;
	uint64_t turn;
	bool in_turn;
	bool running;
	bool parked;
	bool gone;
};

/**
 * struct hlk_machine - see hlk_machine_create()
 *
 * All of it belongs to who has it entered; while it runs, what threads use too is under
 * @lock, if it has several processors.
 *
 * @ctx: the context
 * @home: hlk_home() of the process that made it
 * @busy: somebody has it entered
 * @err: why the last call failed
 * @hlk_fd: the hlk VM
 * @vm_fd: the KVM VM
 * @nr_cpus: its processors
 * @cpus: these; the first starts by itself
 * @irqchip: it has interrupt controllers and a timer
 * @acpi: its kernel is told of it by ACPI, where there is room
 * @told: its guest is, and has a VM generation ID
 * @reproducible: which stays the same
 * @genid: what the next restore gives to the guest
 * @nr_ram: length of @ram
 * @ram: its memory
 * @state: what it is good for
 * @devices: its devices
 * @line_lock: guards @lines
 * @lines: levels of interrupt lines, as KVM was told
 * @behind: by how many seconds its CMOS clock is behind the host's
 * @taken: what that showed in the snapshot restored last
 * @has_base: KVM's clock goes on, and what follows is known
 * @base: what it is at the epoch, by the host's time; modulo 2^64
 * @outside: the embedder's device
 * @asked: it is to stop
 * @was_asked: that is why it stopped last
 * @print: see struct hlk_machine_config
 * @print_arg: see struct hlk_machine_config
 * @tail: the end of what it printed since the run began
 * @tail_len: bytes in @tail
 * @reset: registers after reset
 * @last: the snapshot restored last, or NULL
 * @over_budget: writes refused so far, as last seen
 * @now: until when it runs, and why it stopped
 * @out: number of the processor that came out, and is looked after
 * @deadline: when it has to stop, or 0
 * @late: an end that came when the last run had its reason to stop
 * @late_value: with it
 * @late_cpu: whose it is
 * @lock: see cpus.c
 * @rested: signalled when @running gets 0, and when @alone or what follows from it changes
 * @nr_threads: of the processors but the first
 * @running: how many of these are not at rest
 * @led: they got their turn
 * @stopping: the turn is over
 * @alone: a processor that is run by another thread than its own, or NULL
 * @closing: threads are to end
 * @failed: the first failure of a turn, a negative errno
 * @failure: with it
 */
struct hlk_machine {
	struct hlk_ctx *ctx;
	uint64_t home;
	atomic_bool busy;
	struct hlk_err err;
	int hlk_fd;
	int vm_fd;
	uint32_t nr_cpus;
	struct hlk_cpu cpus[HLK_LIB_MAX_CPUS];
	bool irqchip;
	bool acpi;
	bool told;
	bool reproducible;
	struct hlk_genid genid;
	uint32_t nr_ram;
	struct hlk_ram ram[HLK_LIB_MAX_WINDOWS];
	enum hlk_machine_state state;
	struct hlk_devices devices;
	pthread_mutex_t line_lock;
	uint32_t lines;
	int64_t behind;
	int64_t taken;
	bool has_base;
	uint64_t base;
	struct hlk_machine_device outside;
	atomic_bool asked;
	bool was_asked;
	hlk_print_fn print;
	void *print_arg;
	char tail[HLK_MACHINE_TEXT];
	uint32_t tail_len;
	struct kvm_sregs reset;
	struct hlk_snap *last;
	uint64_t over_budget;
	struct hlk_machine_run *now;
	uint32_t out;
	uint64_t deadline;
	enum hlk_stop late;
	uint64_t late_value;
	uint32_t late_cpu;
	pthread_mutex_t lock;
	pthread_cond_t rested;
	uint32_t nr_threads;
	uint32_t running;
	bool led;
	bool stopping;
	struct hlk_cpu *alone;
	bool closing;
	int failed;
	struct hlk_err failure;
};

int hlk_machine_enter(struct hlk_machine *machine, const char *op);
int hlk_machine_leave(struct hlk_machine *machine, int ret);
int hlk_machine_settle(struct hlk_machine *machine);
unsigned char *hlk_machine_at(struct hlk_machine *machine, uint64_t gpa, uint64_t bytes);
int hlk_machine_reach(unsigned char *mem, uint64_t bytes, bool write);
int hlk_machine_set_irq(struct hlk_machine *machine, bool level);
int hlk_machine_fresh(struct hlk_machine *machine);
int hlk_machine_tell(struct hlk_machine *machine, const char *op);
int hlk_machine_prepare(struct hlk_machine *machine, struct hlk_snap *snap, bool time_back);
int hlk_machine_exit(struct hlk_machine *machine, struct hlk_machine_run *run);
int hlk_machine_budget(struct hlk_machine *machine, int code, const char *op);

/* remake.c */
int hlk_machine_carry(struct hlk_ctx *ctx, const unsigned char *program, uint64_t bytes,
		      const char *file, unsigned char **out, uint64_t *out_bytes,
		      struct hlk_err *err);

/* outside.c */
int hlk_outside_init(struct hlk_machine *machine,
		     const struct hlk_machine_device *device, struct hlk_err *err);
void hlk_outside_access(struct hlk_machine *machine, struct hlk_access *access);
void hlk_outside_save(struct hlk_machine *machine, void *state);
void hlk_outside_load(struct hlk_machine *machine, const void *state);
bool hlk_machine_asked(struct hlk_machine *machine);
int hlk_machine_set_line(struct hlk_machine *machine, uint32_t irq, bool level);
int hlk_machine_set_lines(struct hlk_machine *machine, uint32_t lines);

/* cpus.c */
int hlk_cpus_init(struct hlk_machine *machine);
void hlk_cpus_exit(struct hlk_machine *machine, bool mine);
int hlk_cpus_begin(struct hlk_machine *machine);
int hlk_cpus_end(struct hlk_machine *machine, int ret);
void hlk_cpus_alone(struct hlk_machine *machine, uint32_t nr);
void hlk_cpus_together(struct hlk_machine *machine);
void hlk_cpus_lock(struct hlk_machine *machine);
void hlk_cpus_unlock(struct hlk_machine *machine);
void hlk_cpus_led(struct hlk_machine *machine);
void hlk_cpus_look(struct hlk_machine *machine);
void hlk_cpus_stop(struct hlk_machine *machine);

/* go.c */
int hlk_cpu_came_out(struct hlk_machine *machine, struct hlk_cpu *cpu, int code);

/* cpuid.c */
int hlk_cpuid_machine(struct hlk_ctx *ctx, uint32_t nr_cpus, bool irqchip,
		      struct kvm_cpuid2 **cpuid, struct hlk_err *err);
void hlk_cpuid_number(struct kvm_cpuid2 *cpuid, uint32_t cpu);

#endif /* LIBHLK_MACHINE_H */
