// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Several processors of a machine. The first is run by whoever runs the machine; each of
 * the others has a thread, which waits in the kernel until the first leads a turn, and
 * runs its vCPU in that turn until somebody stops it.
 *
 * Between turns all are at rest: out of KVM_RUN, with nothing left of their last exit. Devices
 * and all that is not a processor's own are under the machine's lock. It is taken by who
 * came out, and never while a guest runs or a thread waits for its turn.
 *
 * Who waits for a turn has its vCPU. One that is to run alone, for a debugger, is run by who
 * runs the machine, so its thread leaves the kernel first, and waits here meanwhile.
 *
 * To stop the turn is to set immediate_exit, which ends a run that is about to begin,
 * and to kick, which ends one that has begun. Each sees by @stopping what for.
 */
#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>

#include "machine.h"

static const char op[] = "cannot run the machine";

/**
 * hlk_cpus_lock() - have the devices for oneself
 * @machine: the machine, which runs
 */
void hlk_cpus_lock(struct hlk_machine *machine)
{
	if (machine->nr_cpus > 1)
		pthread_mutex_lock(&machine->lock);
}

/**
 * hlk_cpus_unlock() - undo hlk_cpus_lock()
 * @machine: the machine
 */
void hlk_cpus_unlock(struct hlk_machine *machine)
{
	if (machine->nr_cpus > 1)
		pthread_mutex_unlock(&machine->lock);
}

/* All that are in a run come out. */
static void kick(struct hlk_machine *machine)
{
	struct hlk_kick all = {
		.head.size = sizeof(all),
		.head.flags = HLK_KICK_ALL,
	};

	ioctl(machine->hlk_fd, HLK_KICK, &all);
}

/**
 * hlk_cpus_look() - have the other processors look at themselves
 * @machine: the machine, whose lock is held
 */
void hlk_cpus_look(struct hlk_machine *machine)
{
	if (machine->running)
		kick(machine);
}

/**
 * hlk_cpus_stop() - stop the turn
 * @machine: the machine, whose lock is held
 *
 * Nobody is waited for.
 */
void hlk_cpus_stop(struct hlk_machine *machine)
{
	uint32_t i;

	if (machine->nr_cpus == 1 || machine->stopping)
		return;
	machine->stopping = true;
	for (i = 0; i < machine->nr_cpus; i++)
		machine->cpus[i].run->immediate_exit = 1;
	kick(machine);
}

static void rest(struct hlk_machine *machine, struct hlk_cpu *cpu)
{
	cpu->in_turn = false;
	cpu->run->immediate_exit = 0;
	if (!cpu->running)
		return;
	cpu->running = false;
	if (!--machine->running)
		pthread_cond_signal(&machine->rested);
}

/* The first failure of a turn is the one that is told. */
static void fail(struct hlk_machine *machine, int ret)
{
	if (machine->failed)
		return;
	machine->failed = ret;
	machine->failure = machine->err;
}

/* One system call of a thread: its turn, or on in it */
static int run_once(struct hlk_machine *machine, struct hlk_cpu *cpu)
{
	cpu->arg = (struct hlk_run) {
		.head.size = sizeof(cpu->arg),
		.head.flags = HLK_RUN_CONTINUE | (cpu->in_turn ? 0 : HLK_RUN_FOLLOW),
		.vcpu_fd = cpu->fd,
		.deadline_ns = HLK_DEADLINE_NEVER,
		.turn = cpu->turn,
	};
	return ioctl(machine->hlk_fd, HLK_RUN, &cpu->arg) ? errno : 0;
}

/* @code is the errno of what it waited with for a turn that did not come. */
static void lose(struct hlk_machine *machine, struct hlk_cpu *cpu, int code)
{
	if (code == EINTR)
		return;
	cpu->gone = true;
	errno = code;
	fail(machine, hlk_err_module(&machine->err, &cpu->arg.head, op));
	if (cpu->running)
		hlk_cpus_stop(machine);
	rest(machine, cpu);
}

/* Whether it is in a turn; one that it did not enter is over for it. */
static bool in_turn(struct hlk_machine *machine, struct hlk_cpu *cpu, int code)
{
	if (cpu->in_turn)
		return true;
	if (cpu->arg.turn == cpu->turn) {
		lose(machine, cpu, code);
		return false;
	}
	cpu->turn = cpu->arg.turn;
	if (!cpu->arg.entries) {
		/* The leader has failed, and says why. */
		rest(machine, cpu);
		return false;
	}
	cpu->in_turn = true;
	return true;
}

static void came_out(struct hlk_machine *machine, struct hlk_cpu *cpu, int code)
{
	int ret;

	if (!in_turn(machine, cpu, code))
		return;
	cpu->pending = true;
	cpu->entered = true;
	ret = hlk_cpu_came_out(machine, cpu, code);
	if (ret)
		fail(machine, ret);
	if (ret || machine->now->stop)
		hlk_cpus_stop(machine);
	if (machine->stopping)
		rest(machine, cpu);
}

/* Another thread has its vCPU: until that is over */
static void park(struct hlk_machine *machine, struct hlk_cpu *cpu)
{
	cpu->parked = true;
	pthread_cond_broadcast(&machine->rested);
	while (machine->alone == cpu)
		pthread_cond_wait(&machine->rested, &machine->lock);
	cpu->parked = false;
}

static void *run_cpu(void *arg)
{
	struct hlk_cpu *cpu = arg;
	struct hlk_machine *machine = cpu->machine;
	int code;

	hlk_cpus_lock(machine);
	while (!machine->closing && !cpu->gone) {
		hlk_cpus_unlock(machine);
		code = run_once(machine, cpu);
		hlk_cpus_lock(machine);
		came_out(machine, cpu, code);
		if (machine->alone == cpu)
			park(machine, cpu);
	}
	hlk_cpus_unlock(machine);
	return NULL;
}

/* Signals are for the program's own threads. */
static int make_threads(struct hlk_machine *machine)
{
	struct hlk_cpu *cpu;
	sigset_t all, before;
	int ret = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (!ret && machine->nr_threads < machine->nr_cpus - 1) {
		cpu = &machine->cpus[machine->nr_threads + 1];
		cpu->machine = machine;
		ret = pthread_create(&cpu->thread, NULL, run_cpu, cpu);
		if (!ret)
			machine->nr_threads++;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!ret)
		return 0;
	errno = ret;
	return hlk_err_system(&machine->err, op);
}

/**
 * hlk_cpus_init() - what there has to be before threads
 * @machine: the machine
 *
 * Return: 0 or an errno
 */
int hlk_cpus_init(struct hlk_machine *machine)
{
	int ret = pthread_mutex_init(&machine->lock, NULL);

	if (ret)
		return ret;
	ret = pthread_cond_init(&machine->rested, NULL);
	if (ret)
		pthread_mutex_destroy(&machine->lock);
	return ret;
}

/**
 * hlk_cpus_exit() - end the threads
 * @machine: the machine, which does not run
 * @mine: the threads are of this process
 */
void hlk_cpus_exit(struct hlk_machine *machine, bool mine)
{
	uint32_t i;

	if (!mine)
		return;
	hlk_cpus_lock(machine);
	machine->closing = true;
	for (i = 1; i <= machine->nr_threads; i++)
		machine->cpus[i].run->immediate_exit = 1;
	if (machine->nr_threads)
		kick(machine);
	hlk_cpus_unlock(machine);
	for (i = 1; i <= machine->nr_threads; i++)
		pthread_join(machine->cpus[i].thread, NULL);
	pthread_cond_destroy(&machine->rested);
	pthread_mutex_destroy(&machine->lock);
}

/**
 * hlk_cpus_begin() - before the first processor leads a turn
 * @machine: the machine, at rest
 *
 * hlk_cpus_end() has to follow, also after a failure.
 *
 * Return: 0 or a negative errno
 */
int hlk_cpus_begin(struct hlk_machine *machine)
{
	uint32_t i;
	int ret;

	if (machine->nr_cpus == 1)
		return 0;
	ret = make_threads(machine);
	if (ret)
		return ret;
	hlk_cpus_lock(machine);
	if (machine->failed) {
		/* A thread is gone. */
		machine->err = machine->failure;
		ret = machine->failed;
	}
	machine->led = false;
	machine->stopping = false;
	for (i = 1; !ret && i < machine->nr_cpus; i++) {
		machine->cpus[i].running = true;
		machine->running++;
	}
	hlk_cpus_unlock(machine);
	return ret;
}

/**
 * hlk_cpus_led() - did the others get their turn?
 * @machine: the machine, whose lock is held
 *
 * Asked after each run of the first processor.
 */
void hlk_cpus_led(struct hlk_machine *machine)
{
	machine->led |= !!machine->cpus[0].arg.turn;
}

/* They wait for a turn that did not begin. */
static void give_up(struct hlk_machine *machine)
{
	uint32_t i;

	for (i = 1; i < machine->nr_cpus; i++)
		machine->cpus[i].running = false;
	machine->running = 0;
}

/**
 * hlk_cpus_end() - bring all processors to rest
 * @machine: the machine
 * @ret: what the first one came to
 *
 * Return: @ret, or the first failure of another
 */
int hlk_cpus_end(struct hlk_machine *machine, int ret)
{
	uint32_t i;

	if (machine->nr_cpus == 1)
		return ret;
	hlk_cpus_lock(machine);
	if (ret)
		fail(machine, ret);
	if (machine->led)
		hlk_cpus_stop(machine);
	else
		give_up(machine);
	while (machine->running)
		pthread_cond_wait(&machine->rested, &machine->lock);
	machine->cpus[0].run->immediate_exit = 0;
	if (machine->failed) {
		ret = machine->failed;
		machine->err = machine->failure;
	}
	machine->failed = 0;
	for (i = 1; i < machine->nr_cpus; i++)
		if (machine->cpus[i].gone)
			machine->failed = ret ? ret : -EIO;
	hlk_cpus_unlock(machine);
	return ret;
}

/**
 * hlk_cpus_alone() - have a processor for oneself
 * @machine: the machine, at rest
 * @nr: which one
 *
 * hlk_cpus_together() has to follow.
 */
void hlk_cpus_alone(struct hlk_machine *machine, uint32_t nr)
{
	struct hlk_cpu *cpu = &machine->cpus[nr];

	if (!nr || nr > machine->nr_threads)
		return;
	hlk_cpus_lock(machine);
	machine->alone = cpu;
	if (!cpu->gone) {
		cpu->run->immediate_exit = 1;
		kick(machine);
	}
	while (!cpu->parked && !cpu->gone)
		pthread_cond_wait(&machine->rested, &machine->lock);
	cpu->run->immediate_exit = 0;
	hlk_cpus_unlock(machine);
}

/**
 * hlk_cpus_together() - undo hlk_cpus_alone()
 * @machine: the machine
 */
void hlk_cpus_together(struct hlk_machine *machine)
{
	if (machine->nr_cpus == 1)
		return;
	hlk_cpus_lock(machine);
	machine->alone = NULL;
	pthread_cond_broadcast(&machine->rested);
	hlk_cpus_unlock(machine);
}
