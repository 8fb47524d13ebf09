// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * A device of the embedder's: ports and addresses that no device of libhlk has, interrupt
 * lines, and bytes that are part of each snapshot.
 *
 * The bytes lie in the snapshot's program, between the calls of KVM and what libhlk keeps
 * there. They may be anybody's: of them only the size is checked, which has to be that of
 * this machine's device.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "machine.h"

static const char op_make[] = "cannot make the machine";

/**
 * hlk_outside_init() - take an embedder's device
 * @machine: the machine
 * @device: the device, or NULL
 * @err: out: why it cannot be
 *
 * Return: 0 or a negative errno
 */
int hlk_outside_init(struct hlk_machine *machine,
		     const struct hlk_machine_device *device, struct hlk_err *err)
{
	struct hlk_machine_device *own = &machine->outside;
	int ret;

	if (!device)
		return 0;
	ret = hlk_grow_take(own, sizeof(*own), HLK_FIRST_MACHINE_DEVICE, device,
			    "hlk_machine_device", op_make, err);
	if (ret)
		return ret;
	if (own->state_bytes > HLK_MACHINE_MAX_STATE)
		return hlk_err_text(err, E2BIG, HLK_WHAT_ARGUMENT, op_make,
				    "a device with %u bytes of state, more than %u",
				    own->state_bytes, HLK_MACHINE_MAX_STATE);
	if (own->state_bytes && !(own->save && own->load))
		return hlk_err_text(err, EINVAL, HLK_WHAT_ARGUMENT, op_make,
				    "a device with state that is not saved or not loaded");
	return 0;
}

/**
 * hlk_outside_access() - have the embedder's device take an access
 * @machine: the machine
 * @access: the access; what is read is all ones if nobody has it
 */
void hlk_outside_access(struct hlk_machine *machine, struct hlk_access *access)
{
	if (!(access->flags & HLK_ACCESS_WRITE))
		memset(&access->value, 0xff, sizeof(access->value));
	if (machine->outside.access)
		machine->outside.access(machine->outside.arg, access);
}

/**
 * hlk_outside_save() - have the embedder's device write its state
 * @machine: the machine
 * @state: where to, zeroed
 */
void hlk_outside_save(struct hlk_machine *machine, void *state)
{
	if (machine->outside.state_bytes)
		machine->outside.save(machine->outside.arg, state);
}

/**
 * hlk_outside_load() - give the embedder's device the state of a snapshot
 * @machine: the machine
 * @state: the state, of the size that it has
 */
void hlk_outside_load(struct hlk_machine *machine, const void *state)
{
	if (machine->outside.load)
		machine->outside.load(machine->outside.arg, state);
}

static int set_line(struct hlk_machine *machine, uint32_t irq, bool level)
{
	struct kvm_irq_level line = { .irq = irq, .level = level };
	uint32_t bit = 1U << irq;

	if (!(machine->lines & bit) == !level)
		return 0;
	if (ioctl(machine->vm_fd, KVM_IRQ_LINE, &line))
		return -errno;
	machine->lines ^= bit;
	return 0;
}

/**
 * hlk_machine_set_line() - drive an interrupt line
 * @machine: the machine, which has interrupt controllers
 * @irq: which line, below HLK_MACHINE_IRQS
 * @level: whether it interrupts
 *
 * Return: 0 or a negative errno
 */
int hlk_machine_set_line(struct hlk_machine *machine, uint32_t irq, bool level)
{
	int ret;

	pthread_mutex_lock(&machine->line_lock);
	ret = set_line(machine, irq, level);
	pthread_mutex_unlock(&machine->line_lock);
	return ret;
}

/**
 * hlk_machine_set_lines() - drive all lines to where a snapshot has them
 * @machine: the machine
 * @lines: levels, a bit each
 *
 * Return: 0 or a negative errno
 */
int hlk_machine_set_lines(struct hlk_machine *machine, uint32_t lines)
{
	uint32_t i;
	int ret = 0;

	for (i = 0; !ret && i < HLK_MACHINE_IRQS; i++)
		ret = hlk_machine_set_line(machine, i, lines & 1U << i);
	return ret;
}

EXPORT int hlk_machine_irq(struct hlk_machine *machine, uint32_t irq, int level)
{
	if (!machine->irqchip)
		return -EOPNOTSUPP;
	if (irq >= HLK_MACHINE_IRQS || irq == HLK_SERIAL_IRQ || irq == HLK_ACPI_GED)
		return -EINVAL;
	return hlk_machine_set_line(machine, irq, level);
}

/*
 * A run that goes on now and then reads @asked after it cleared immediate_exit, so one of
 * the two is seen. The module gets all processors out that are in the guest already: the
 * first, which stops the others, or the one that runs alone, which looks at itself.
 */
EXPORT void hlk_machine_stop(struct hlk_machine *machine)
{
	struct hlk_kick kick = {
		.head.size = sizeof(kick),
		.head.flags = HLK_KICK_ALL,
	};
	int code = errno;

	atomic_store(&machine->asked, true);
	__atomic_store_n(&machine->cpus[0].run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	ioctl(machine->hlk_fd, HLK_KICK, &kick);
	errno = code;
}

/**
 * hlk_machine_asked() - whether a machine is to stop; before each entry of the first processor
 * @machine: the machine, whose lock is held, and which nobody stops
 *
 * Return: whether it is
 */
bool hlk_machine_asked(struct hlk_machine *machine)
{
	__atomic_store_n(&machine->cpus[0].run->immediate_exit, 0, __ATOMIC_SEQ_CST);
	return atomic_exchange(&machine->asked, false);
}
