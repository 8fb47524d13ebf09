// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Machines: a KVM VM of one or more processors over windows of hlk, for guests that know nothing
 * of hlk, with what a PC has to have for a kernel to come up and say something.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "kernel.h"
#include "machine.h"

static const char op_make[] = "cannot make the machine";
static const char op_load[] = "cannot load the kernel";
static const char op_snapshot[] = "cannot make a snapshot";
static const char op_restore[] = "cannot restore";

#define DEFAULT_MEM	(128ULL << 20)
#define LOW_END		(3ULL << 30)
#define HIGH_START	(4ULL << 30)
#define PAGE		4096U
#define LAST_TIME	253402300799LL	/* the last second of the year 9999 */

#define PICS		2
#define PIC_PINS	8
#define TIMER_PIN	2

/**
 * hlk_machine_enter() - have a machine for oneself
 * @machine: the machine
 * @op: what is to be done with it
 *
 * Return: as hlk_enter()
 */
int hlk_machine_enter(struct hlk_machine *machine, const char *op)
{
	if (machine->home != hlk_home(machine->ctx))
		return hlk_elsewhere(&machine->err, op);
	if (atomic_exchange(&machine->busy, true))
		return -EBUSY;
	return hlk_err_clear(&machine->err);
}

/**
 * hlk_machine_leave() - undo hlk_machine_enter()
 * @machine: the machine
 * @ret: what to return
 *
 * Return: @ret
 */
int hlk_machine_leave(struct hlk_machine *machine, int ret)
{
	atomic_store(&machine->busy, false);
	return ret;
}

EXPORT const struct hlk_err *hlk_machine_error(const struct hlk_machine *machine)
{
	return &machine->err;
}

static int line_failed(struct hlk_machine *machine, int ret)
{
	if (!ret)
		return 0;
	return hlk_err_set(&machine->err, -ret, HLK_WHAT_SYSTEM,
			   "cannot interrupt the guest");
}

/**
 * hlk_machine_set_irq() - drive the line of the serial port
 * @machine: the machine
 * @level: whether it interrupts
 *
 * Return: 0 or a negative errno
 */
int hlk_machine_set_irq(struct hlk_machine *machine, bool level)
{
	if (!machine->irqchip)
		return 0;
	return line_failed(machine, hlk_machine_set_line(machine, HLK_SERIAL_IRQ, level));
}

/**
 * hlk_machine_budget() - the host could not provide memory; why?
 * @machine: the machine
 * @code: errno of the call that failed
 * @op: what was to be done
 *
 * Return: -EDQUOT if that was for the budget, else -@code
 */
int hlk_machine_budget(struct hlk_machine *machine, int code, const char *op)
{
	struct hlk_vm_stats stats = { .head.size = sizeof(stats) };

	if (ioctl(machine->hlk_fd, HLK_VM_STATS, &stats) ||
	    stats.over_budget == machine->over_budget)
		return hlk_err_set(&machine->err, code, HLK_WHAT_SYSTEM, op);
	machine->over_budget = stats.over_budget;
	return hlk_err_where(&machine->err, EDQUOT, HLK_WHAT_BUDGET,
			     stats.max_private, op);
}

static int check_ram(const struct hlk_machine_config *config, struct hlk_err *err)
{
	uint32_t i;

	if (config->nr_ram > HLK_LOAD_MAX_RAM || (config->nr_ram && !config->ram))
		return hlk_err_text(err, EINVAL, HLK_WHAT_ARGUMENT, op_make,
				    "%u pieces of memory, not 1 to %u",
				    config->nr_ram, HLK_LOAD_MAX_RAM);
	if (config->nr_ram && config->mem_size)
		return hlk_err_text(err, EINVAL, HLK_WHAT_ARGUMENT, op_make,
				    "either a list of memory or its size");
	for (i = 0; i < config->nr_ram; i++)
		if (config->ram[i].mem)
			return hlk_err_text(err, EINVAL, HLK_WHAT_ARGUMENT, op_make,
					    "memory %u is mapped already", i);
	if (config->mem_size % PAGE)
		return hlk_err_text(err, EINVAL, HLK_WHAT_ARGUMENT, op_make,
				    "memory of %llu bytes is not a multiple of %u",
				    (unsigned long long)config->mem_size, PAGE);
	return 0;
}

static int check_config(const struct hlk_machine_config *config,
			struct hlk_err *err)
{
	int ret = hlk_grow_flags(config->flags,
				 HLK_MACHINE_NO_IRQCHIP | HLK_MACHINE_NO_ACPI |
				 HLK_MACHINE_REPRODUCIBLE,
				 "hlk_machine_config", op_make, err);

	if (ret)
		return ret;
	if (config->nr_cpus > HLK_LIB_MAX_CPUS)
		return hlk_err_text(err, EINVAL, HLK_WHAT_ARGUMENT, op_make,
				    "%u processors, more than %u",
				    config->nr_cpus, HLK_LIB_MAX_CPUS);
	if (config->nr_cpus > 1 && config->flags & HLK_MACHINE_NO_IRQCHIP)
		return hlk_err_text(err, EINVAL, HLK_WHAT_ARGUMENT, op_make,
				    "%u processors, which start each other by interrupt controllers",
				    config->nr_cpus);
	return check_ram(config, err);
}

/*
 * A guest with an APIC can send itself an SMI. KVM gives a VM up for good where it finds
 * no memory then, and looks for it in an address space of its own.
 */
static int add_smm_ram(struct hlk_machine *machine, const struct hlk_ram *ram,
		       uint32_t slot, struct hlk_err *err)
{
	struct kvm_userspace_memory_region region = {
		.slot = 1U << 16 | slot,
		.guest_phys_addr = ram->gpa,
		.memory_size = ram->bytes,
		.userspace_addr = (uintptr_t)ram->mem,
	};

	if (!machine->irqchip || ioctl(machine->vm_fd, KVM_CHECK_EXTENSION,
				       KVM_CAP_MULTI_ADDRESS_SPACE) < 2)
		return 0;
	if (ioctl(machine->vm_fd, KVM_SET_USER_MEMORY_REGION, &region))
		return hlk_err_system(err, op_make);
	return 0;
}

static int add_ram(struct hlk_machine *machine, uint64_t gpa, uint64_t bytes,
		   struct hlk_err *err)
{
	struct hlk_window window = { .gpa = gpa, .bytes = bytes };
	struct hlk_ram *ram = &machine->ram[machine->nr_ram];
	int ret;

	if (!bytes)
		return 0;
	ret = hlk_vm_window(machine->hlk_fd, machine->vm_fd, machine->nr_ram,
			    &window, &ram->mem, err);
	if (!ram->mem)
		return ret;
	ram->gpa = gpa;
	ram->bytes = bytes;
	machine->nr_ram++;
	return ret ? ret : add_smm_ram(machine, ram, machine->nr_ram - 1, err);
}

static int add_memory(struct hlk_machine *machine,
		      const struct hlk_machine_config *config,
		      struct hlk_err *err)
{
	uint64_t bytes = config->mem_size ? config->mem_size : DEFAULT_MEM;
	uint64_t low = bytes < LOW_END ? bytes : LOW_END;
	uint32_t i;
	int ret = 0;

	if (!config->nr_ram) {
		ret = add_ram(machine, 0, low, err);
		return ret ? ret : add_ram(machine, HIGH_START, bytes - low, err);
	}
	for (i = 0; !ret && i < config->nr_ram; i++)
		ret = add_ram(machine, config->ram[i].gpa, config->ram[i].bytes,
			      err);
	return ret;
}

/* As on a PC: the timer comes to pin 2 of the I/O APIC, all else to its own. */
static int route(int vm_fd)
{
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry entry[PICS * PIC_PINS + KVM_IOAPIC_NUM_PINS];
	} all = {};
	struct kvm_irq_routing_entry *to = all.entry;
	uint32_t i;

	for (i = 0; i < PICS * PIC_PINS; i++)
		*to++ = (struct kvm_irq_routing_entry) {
			.gsi = i,
			.type = KVM_IRQ_ROUTING_IRQCHIP,
			.u.irqchip.irqchip = i / PIC_PINS,
			.u.irqchip.pin = i % PIC_PINS,
		};
	for (i = 0; i < KVM_IOAPIC_NUM_PINS; i++) {
		if (i == TIMER_PIN)
			continue;
		*to++ = (struct kvm_irq_routing_entry) {
			.gsi = i,
			.type = KVM_IRQ_ROUTING_IRQCHIP,
			.u.irqchip.irqchip = KVM_IRQCHIP_IOAPIC,
			.u.irqchip.pin = i ? i : TIMER_PIN,
		};
	}
	all.head.nr = to - all.entry;
	return ioctl(vm_fd, KVM_SET_GSI_ROUTING, &all);
}

static int add_irqchip(struct hlk_machine *machine, struct hlk_err *err)
{
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };

	if (!machine->irqchip)
		return 0;
	if (ioctl(machine->vm_fd, KVM_CREATE_IRQCHIP, 0) ||
	    route(machine->vm_fd) ||
	    ioctl(machine->vm_fd, KVM_CREATE_PIT2, &pit))
		return hlk_err_system(err, op_make);
	return 0;
}

static int add_cpu(struct hlk_machine *machine, struct kvm_cpuid2 *cpuid,
		   struct hlk_err *err)
{
	struct hlk_cpu *cpu = &machine->cpus[machine->nr_cpus];
	uint64_t mce = 1;
	void *run;

	cpu->fd = ioctl(machine->vm_fd, KVM_CREATE_VCPU, machine->nr_cpus);
	if (cpu->fd < 0)
		return hlk_err_system(err, op_make);
	hlk_cpuid_number(cpuid, machine->nr_cpus);
	machine->nr_cpus++;
	run = mmap(NULL, machine->ctx->run_size, PROT_READ | PROT_WRITE,
		   MAP_SHARED, cpu->fd, 0);
	if (run == MAP_FAILED)
		return hlk_err_system(err, op_make);
	cpu->run = run;
	/* One bank of machine checks, and not as many as KVM has: they are state. */
	if (ioctl(cpu->fd, KVM_SET_CPUID2, cpuid) ||
	    ioctl(cpu->fd, KVM_X86_SETUP_MCE, &mce))
		return hlk_err_system(err, op_make);
	return 0;
}

static int add_cpus(struct hlk_machine *machine, uint32_t nr, struct hlk_err *err)
{
	struct kvm_cpuid2 *cpuid;
	int ret;

	ret = hlk_cpuid_machine(machine->ctx, nr, machine->irqchip, &cpuid, err);
	if (ret)
		return ret;
	while (!ret && machine->nr_cpus < nr)
		ret = add_cpu(machine, cpuid, err);
	free(cpuid);
	if (!ret && ioctl(machine->cpus[0].fd, KVM_GET_SREGS, &machine->reset))
		ret = hlk_err_system(err, op_make);
	return ret;
}

static int create(struct hlk_machine *machine,
		  const struct hlk_machine_config *config, struct hlk_err *err)
{
	int ret = hlk_vm_kvm(machine->ctx, &machine->vm_fd, err);

	if (!ret)
		ret = hlk_vm_machine(machine->vm_fd, err);
	if (!ret)
		ret = add_irqchip(machine, err);
	if (!ret)
		ret = hlk_vm_attach(machine->ctx, machine->vm_fd,
				    config->max_private, config->keep_private,
				    &machine->hlk_fd, err);
	if (!ret)
		ret = add_memory(machine, config, err);
	return ret ? ret : add_cpus(machine, config->nr_cpus ? config->nr_cpus : 1, err);
}

static void free_machine(struct hlk_machine *machine)
{
	bool mine = machine->home == hlk_home(machine->ctx);
	uint32_t i;

	hlk_cpus_exit(machine, mine);
	hlk_snapshot_close(machine->last);
	for (i = 0; i < machine->nr_cpus; i++) {
		if (machine->cpus[i].run)
			munmap(machine->cpus[i].run, machine->ctx->run_size);
		close(machine->cpus[i].fd);
	}
	if (machine->vm_fd >= 0)
		close(machine->vm_fd);
	/* The guest's memory is not inherited. */
	for (i = 0; mine && i < machine->nr_ram; i++)
		munmap(machine->ram[i].mem, machine->ram[i].bytes);
	if (machine->hlk_fd >= 0)
		close(machine->hlk_fd);
	hlk_close(machine->ctx);
	pthread_mutex_destroy(&machine->line_lock);
	free(machine);
}

EXPORT int hlk_machine_create(struct hlk_ctx *ctx,
			      const struct hlk_machine_config *config,
			      struct hlk_machine **out, struct hlk_err *err)
{
	struct hlk_machine_config own = HLK_MACHINE_CONFIG_INIT;
	struct hlk_machine *machine;
	int ret = 0;

	*out = NULL;
	hlk_err_clear(err);
	if (config)
		ret = hlk_grow_take(&own, sizeof(own), HLK_FIRST_MACHINE_CONFIG,
				    config, "hlk_machine_config", op_make, err);
	if (!ret)
		ret = check_config(&own, err);
	if (ret)
		return ret;
	machine = calloc(1, sizeof(*machine));
	if (!machine)
		return hlk_err_system(err, op_make);
	ret = hlk_cpus_init(machine);
	if (ret) {
		free(machine);
		errno = ret;
		return hlk_err_system(err, op_make);
	}
	machine->ctx = hlk_ctx_get(ctx);
	machine->home = hlk_home(ctx);
	atomic_init(&machine->busy, false);
	atomic_init(&machine->asked, false);
	pthread_mutex_init(&machine->line_lock, NULL);
	machine->hlk_fd = -1;
	machine->vm_fd = -1;
	machine->irqchip = !(own.flags & HLK_MACHINE_NO_IRQCHIP);
	machine->acpi = machine->irqchip && !(own.flags & HLK_MACHINE_NO_ACPI);
	machine->reproducible = own.flags & HLK_MACHINE_REPRODUCIBLE;
	machine->print = own.print;
	machine->print_arg = own.print_arg;
	ret = hlk_outside_init(machine, own.device, err);
	if (!ret)
		ret = create(machine, &own, err);
	if (ret)
		free_machine(machine);
	else
		*out = machine;
	return ret;
}

EXPORT void hlk_machine_close(struct hlk_machine *machine)
{
	if (!machine)
		return;
	if (machine->home == hlk_home(machine->ctx) &&
	    hlk_machine_enter(machine, NULL))
		return;
	free_machine(machine);
}

/**
 * hlk_machine_reach() - have pages there, so that a limit is an error
 * @mem: memory of a machine
 * @bytes: how much
 * @write: it is to be written
 *
 * Return: 0 or a negative errno
 */
int hlk_machine_reach(unsigned char *mem, uint64_t bytes, bool write)
{
	uintptr_t skip = (uintptr_t)mem % PAGE;

	return hlk_populate(mem - skip, (skip + bytes + PAGE - 1) / PAGE * PAGE,
			    write);
}

static int reach(unsigned char *mem, uint64_t bytes)
{
	return hlk_machine_reach(mem, bytes, true);
}

/**
 * hlk_machine_fresh() - have what the next restore gives to the guest
 * @machine: the machine; its @genid is set
 *
 * Return: how much of it there is, 0 where the guest gets nothing new, or a negative errno
 */
int hlk_machine_fresh(struct hlk_machine *machine)
{
	int ret;

	if (!machine->told || machine->reproducible)
		return 0;
	ret = hlk_genid_next(&machine->genid);
	if (ret)
		return hlk_err_set(&machine->err, -ret, HLK_WHAT_SYSTEM,
				   "cannot draw a VM generation ID");
	return HLK_GENID_INPUTS;
}

/**
 * hlk_machine_at() - where a range of a machine's memory is mapped
 * @machine: the machine
 * @gpa: its first address
 * @bytes: its length
 *
 * Return: the mapping, or NULL if it is not all in one piece of memory
 */
unsigned char *hlk_machine_at(struct hlk_machine *machine, uint64_t gpa, uint64_t bytes)
{
	const struct hlk_ram *ram = machine->ram;
	uint32_t i;

	for (i = 0; i < machine->nr_ram; i++, ram++)
		if (gpa >= ram->gpa && bytes <= ram->bytes &&
		    gpa - ram->gpa <= ram->bytes - bytes)
			return (unsigned char *)ram->mem + (gpa - ram->gpa);
	return NULL;
}

/**
 * hlk_machine_tell() - give it to the guest where no run does
 * @machine: the machine, just restored or loaded
 * @op: what was done
 *
 * Return: 0 or a negative errno
 */
int hlk_machine_tell(struct hlk_machine *machine, const char *op)
{
	const struct hlk_segment *input;
	int nr = hlk_machine_fresh(machine);
	unsigned char *to;
	int i, ret;

	for (i = 0; i < nr; i++) {
		input = &machine->genid.inputs[i];
		to = hlk_machine_at(machine, input->gpa, input->bytes);
		/* a snapshot of anybody's may say so and have none */
		if (!to)
			continue;
		ret = reach(to, input->bytes);
		if (ret)
			return hlk_machine_budget(machine, -ret, op);
		memcpy(to, (const void *)(uintptr_t)input->data, input->bytes);
	}
	return nr < 0 ? nr : 0;
}

static int load(struct hlk_machine *machine, const struct hlk_kernel *kernel,
		struct hlk_placed *placed, size_t size)
{
	struct kvm_sregs sregs = machine->reset;
	struct hlk_placed own;
	struct kvm_regs regs;
	int ret;

	if (machine->state != HLK_MACHINE_NEW)
		return hlk_err_text(&machine->err, EINVAL, HLK_WHAT_ARGUMENT,
				    op_load, "the machine has a kernel");
	machine->state = HLK_MACHINE_OVER;
	ret = hlk_kernel_place(kernel, machine->ram, machine->nr_ram,
			       machine->acpi ? machine->nr_cpus : 0, reach,
			       &regs, &sregs, &own, sizeof(own), &machine->err);
	if (ret == -ENOMEM || ret == -EDQUOT)
		return hlk_machine_budget(machine, -ret, op_load);
	/* What an older caller does not have is not written. */
	memset(placed, 0, size);
	memcpy(placed, &own, size < sizeof(own) ? size : sizeof(own));
	machine->told = !ret && machine->acpi && own.rsdp == HLK_ACPI_TABLES;
	if (!ret)
		ret = hlk_machine_tell(machine, op_load);
	if (ret)
		return ret;
	if (ioctl(machine->cpus[0].fd, KVM_SET_SREGS, &sregs) ||
	    ioctl(machine->cpus[0].fd, KVM_SET_REGS, &regs))
		return hlk_err_system(&machine->err, op_load);
	machine->state = HLK_MACHINE_READY;
	return 0;
}

EXPORT int hlk_machine_load_sized(struct hlk_machine *machine,
				  const struct hlk_kernel *kernel,
				  struct hlk_placed *placed, size_t size)
{
	struct hlk_placed own;
	int ret = hlk_machine_enter(machine, op_load);

	if (ret)
		return ret;
	if (!placed)
		size = sizeof(own);
	return hlk_machine_leave(machine, load(machine, kernel,
					       placed ? placed : &own, size));
}

static int settle(struct hlk_machine *machine, struct hlk_cpu *cpu)
{
	int ret;

	if (!cpu->pending)
		return 0;
	cpu->run->immediate_exit = 1;
	ret = ioctl(cpu->fd, KVM_RUN, 0);
	cpu->run->immediate_exit = 0;
	/* An I/O is completed before; a step that it was the last part of, too. */
	if ((ret && errno == EINTR) || (!ret && cpu->run->exit_reason == KVM_EXIT_DEBUG)) {
		cpu->pending = false;
		return 0;
	}
	if (!ret)
		errno = EIO;
	return hlk_err_system(&machine->err, "cannot bring the machine to rest");
}

/**
 * hlk_machine_settle() - have KVM complete I/O and load what is to be loaded
 * @machine: the machine
 *
 * Return: 0 or a negative errno
 */
int hlk_machine_settle(struct hlk_machine *machine)
{
	uint32_t i;
	int ret = 0;

	for (i = 0; !ret && i < machine->nr_cpus; i++)
		ret = settle(machine, &machine->cpus[i]);
	return ret;
}

static int take(struct hlk_machine *machine, const struct hlk_program *program,
		int *fd)
{
	struct hlk_snapshot arg = {
		.head.size = sizeof(arg),
		.program = (uintptr_t)program->data,
		.program_bytes = program->used,
	};

	if (ioctl(machine->hlk_fd, HLK_SNAPSHOT, &arg))
		return hlk_err_module(&machine->err, &arg.head, op_snapshot);
	*fd = arg.out_fd;
	return 0;
}

/* The line by which the guest is told of restores. In the snapshot it is low, see program.c. */
static int lower(struct hlk_machine *machine)
{
	struct kvm_irq_level line = { .irq = HLK_ACPI_GED };

	if (machine->told && ioctl(machine->vm_fd, KVM_IRQ_LINE, &line))
		return hlk_err_system(&machine->err, op_snapshot);
	return 0;
}

static int snapshot(struct hlk_machine *machine, struct hlk_snap **snap)
{
	struct hlk_program program = {
		.vm_fd = machine->vm_fd,
		.nr_cpus = machine->nr_cpus,
		.time = time(NULL) - machine->behind,
		.has_base = machine->has_base,
		.base = machine->base,
		.state_bytes = machine->outside.state_bytes,
		.acpi = machine->told,
		.err = &machine->err,
	};
	uint64_t state[HLK_MACHINE_MAX_STATE / sizeof(uint64_t)] = {};
	int fd = -1;
	uint32_t i;
	int ret;

	for (i = 0; i < machine->nr_cpus; i++)
		program.vcpu_fds[i] = machine->cpus[i].fd;

	if (!(machine->ctx->features & HLK_FEATURE_PROGRAM))
		return hlk_err_text(&machine->err, EOPNOTSUPP, HLK_WHAT_FEATURE,
				    op_snapshot, "state programs");
	/* An end that the next run would tell of is one, and no part of a snapshot. */
	if (machine->state != HLK_MACHINE_READY ||
	    (machine->late && machine->late != HLK_STOP_DEBUG))
		return hlk_err_text(&machine->err, ESTALE, HLK_WHAT_ARGUMENT,
				    op_snapshot,
				    "the machine has no kernel, or came to its end");
	ret = hlk_machine_settle(machine);
	if (!ret)
		ret = lower(machine);
	if (ret)
		return ret;
	hlk_outside_save(machine, state);
	program.state = state;
	/* Others may drive lines at any time: levels and controllers are of one moment. */
	pthread_mutex_lock(&machine->line_lock);
	program.lines = machine->lines;
	ret = hlk_program_make(machine->ctx, &program, machine->irqchip,
			       &machine->devices);
	pthread_mutex_unlock(&machine->line_lock);
	if (ret)
		return ret;
	machine->has_base = true;
	machine->base = program.base;
	ret = take(machine, &program, &fd);
	free(program.data);
	return ret ? ret : hlk_snap_new(fd, snap, &machine->err);
}

EXPORT int hlk_machine_snapshot(struct hlk_machine *machine,
				struct hlk_snap **snap)
{
	int ret;

	*snap = NULL;
	ret = hlk_machine_enter(machine, op_snapshot);
	return ret ? ret : hlk_machine_leave(machine, snapshot(machine, snap));
}

/* Those of the serial port's are what the devices say. */
static int set_lines(struct hlk_machine *machine, const struct hlk_program_tail *tail)
{
	uint32_t lines = tail->lines & ~(1U << HLK_SERIAL_IRQ);

	if (!machine->irqchip)
		return 0;
	if (hlk_serial_irq(&tail->devices.serial))
		lines |= 1U << HLK_SERIAL_IRQ;
	return line_failed(machine, hlk_machine_set_lines(machine, lines));
}

/*
 * A restore with which time goes on leaves KVM's clock alone. That of a new VM begins at 0
 * all the same, and one that came back is behind: it is made to be as far from the host's time
 * as that of the snapshot's machine, as the TSC is from the host's. A guest whose clock is
 * behind what it read sees it stand still, until that time has passed again, and what is to
 * come in a moment brings one interrupt after the other.
 */
static int bring_clock(struct hlk_machine *machine, const struct hlk_program_tail *tail)
{
	uint64_t real = hlk_real_ns();
	struct kvm_clock_data clock = { .clock = tail->base + real };

	/* The host's was set back. */
	if ((int64_t)(clock.clock - tail->clock) < 0)
		clock.clock = tail->clock;
	if (machine->has_base && machine->base + real == clock.clock)
		return 0;
	if (ioctl(machine->vm_fd, KVM_SET_CLOCK, &clock))
		return hlk_err_system(&machine->err, op_restore);
	machine->has_base = true;
	machine->base = clock.clock - real;
	return 0;
}

/* The program sets KVM's clock back. */
static void set_back(struct hlk_machine *machine)
{
	machine->behind = time(NULL) - machine->taken;
	machine->has_base = false;
}

/**
 * hlk_machine_prepare() - before a restore: what does not come by the program
 * @machine: the machine
 * @snap: the snapshot
 * @time_back: time is to come back, too
 *
 * Interrupt lines are driven first: what that does to the interrupt controllers is
 * overwritten, and KVM and the devices agree of their levels.
 *
 * Return: 0 or a negative errno
 */
int hlk_machine_prepare(struct hlk_machine *machine, struct hlk_snap *snap, bool time_back)
{
	struct hlk_program_tail tail;
	const void *state = NULL;
	uint32_t i;
	int ret = hlk_program_map(snap, &machine->err);

	if (ret)
		return ret;
	if (!hlk_program_tail(atomic_load(&snap->program), snap->program_bytes, &tail))
		state = hlk_program_state(atomic_load(&snap->program),
					  snap->program_bytes, &tail);
	if (!state)
		return hlk_err_text(&machine->err, EINVAL, HLK_WHAT_ARGUMENT,
				    op_restore, "the snapshot is not one of a machine");
	if (tail.state_bytes != machine->outside.state_bytes)
		return hlk_err_text(&machine->err, EINVAL, HLK_WHAT_ARGUMENT,
				    op_restore,
				    "the snapshot has %u bytes of a device of the caller's, not %u",
				    tail.state_bytes, machine->outside.state_bytes);
	if (tail.irqchip != machine->irqchip)
		return hlk_err_text(&machine->err, EINVAL, HLK_WHAT_ARGUMENT,
				    op_restore, "the snapshot's machine has %s interrupt controllers",
				    tail.irqchip ? "its" : "no");
	if (tail.nr_cpus != machine->nr_cpus)
		return hlk_err_text(&machine->err, EINVAL, HLK_WHAT_ARGUMENT,
				    op_restore,
				    "the snapshot's machine has %u processors, not %u",
				    tail.nr_cpus, machine->nr_cpus);
	if (tail.time < 0 || tail.time > LAST_TIME)
		return hlk_err_text(&machine->err, EINVAL, HLK_WHAT_ARGUMENT,
				    op_restore,
				    "the snapshot's clock is not of the years 1970 to 9999");
	ret = set_lines(machine, &tail);
	if (ret)
		return ret;
	machine->devices = tail.devices;
	machine->taken = tail.time;
	machine->behind = 0;
	if (time_back)
		set_back(machine);
	else
		ret = bring_clock(machine, &tail);
	if (ret)
		return ret;
	hlk_outside_load(machine, state);
	machine->told = machine->irqchip && tail.acpi;
	machine->cpus[0].run->cr8 = tail.cr8;
	for (i = 0; i < machine->nr_cpus; i++) {
		machine->cpus[i].pending = true;
		machine->cpus[i].entered = false;
		machine->cpus[i].dead = 0;
	}
	machine->late = HLK_STOP_NONE;
	return 0;
}

static int restore(struct hlk_machine *machine, struct hlk_snap *snap, uint32_t flags)
{
	struct hlk_restore arg = {
		.head.size = sizeof(arg),
		.head.flags = flags,
		.snapshot_fd = -1,
	};
	int ret;

	if (!snap)
		snap = machine->last;
	if (!snap)
		return hlk_err_text(&machine->err, EINVAL, HLK_WHAT_ARGUMENT,
				    op_restore, "nothing was restored yet");
	machine->state = HLK_MACHINE_OVER;
	ret = hlk_machine_prepare(machine, snap, flags & HLK_RESTORE_TIME_BACK);
	if (ret)
		return ret;
	if (snap != machine->last)
		arg.snapshot_fd = snap->fd;
	if (machine->reproducible)
		arg.head.flags |= HLK_RESTORE_REPRODUCIBLE;
	arg.program = (uintptr_t)atomic_load(&snap->program);
	if (ioctl(machine->hlk_fd, HLK_RESTORE, &arg))
		return hlk_err_module(&machine->err, &arg.head, op_restore);
	if (snap != machine->last) {
		hlk_snapshot_close(machine->last);
		machine->last = hlk_snap_get(snap);
	}
	ret = hlk_machine_tell(machine, op_restore);
	if (!ret)
		machine->state = HLK_MACHINE_READY;
	return ret;
}

EXPORT int hlk_machine_restore(struct hlk_machine *machine, struct hlk_snap *snap)
{
	int ret = hlk_machine_enter(machine, op_restore);

	return ret ? ret : hlk_machine_leave(machine, restore(machine, snap, 0));
}

EXPORT int hlk_machine_audit(struct hlk_machine *machine)
{
	int ret = hlk_machine_enter(machine, op_restore);

	if (ret)
		return ret;
	if (!(machine->ctx->features & HLK_FEATURE_AUDIT))
		ret = hlk_err_text(&machine->err, EOPNOTSUPP, HLK_WHAT_FEATURE,
				   op_restore, "audits");
	else
		ret = restore(machine, NULL, HLK_RESTORE_AUDIT);
	return hlk_machine_leave(machine, ret);
}

EXPORT int hlk_machine_receive(struct hlk_machine *machine, const void *data,
			       size_t len, size_t *taken)
{
	int ret = hlk_machine_enter(machine, "cannot give input");

	*taken = 0;
	if (ret)
		return ret;
	*taken = hlk_serial_receive(&machine->devices.serial, data, len);
	ret = hlk_machine_set_irq(machine,
				  hlk_serial_irq(&machine->devices.serial));
	return hlk_machine_leave(machine, ret);
}
