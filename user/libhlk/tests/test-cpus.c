// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Threads of a machine's processors, against a module that is played here: they wait in it
 * for a turn that never comes, until they are kicked.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../machine.h"
#include "tap.h"

#define CPUS	3U

int ioctl(int fd, unsigned long cmd, ...);

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned int kicks;
	unsigned int inside;	/* a bit for each processor */
	bool broken;
} play = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static struct hlk_machine *machine;

static int play_run(const struct hlk_run *arg)
{
	const struct kvm_run *run = machine->cpus[arg->vcpu_fd].run;
	unsigned int kicks = play.kicks;

	play.inside |= 1U << arg->vcpu_fd;
	pthread_cond_broadcast(&play.changed);
	while (!__atomic_load_n(&run->immediate_exit, __ATOMIC_RELAXED) && kicks == play.kicks)
		pthread_cond_wait(&play.changed, &play.lock);
	play.inside &= ~(1U << arg->vcpu_fd);
	pthread_cond_broadcast(&play.changed);
	return play.broken ? EIO : EINTR;
}

int ioctl(int fd, unsigned long cmd, ...)
{
	va_list args;
	int code = 0;
	void *arg;

	(void)fd;
	va_start(args, cmd);
	arg = va_arg(args, void *);
	va_end(args);
	pthread_mutex_lock(&play.lock);
	if (cmd == HLK_RUN) {
		code = play_run(arg);
	} else if (cmd == HLK_KICK) {
		play.kicks++;
		pthread_cond_broadcast(&play.changed);
	}
	pthread_mutex_unlock(&play.lock);
	errno = code;
	return code ? -1 : 0;
}

static void wait_inside(unsigned int cpus)
{
	pthread_mutex_lock(&play.lock);
	while (play.inside != cpus)
		pthread_cond_wait(&play.changed, &play.lock);
	pthread_mutex_unlock(&play.lock);
}

static void begin(void)
{
	uint32_t i;

	play.broken = false;
	machine = calloc(1, sizeof(*machine));
	if (!machine || hlk_cpus_init(machine))
		abort();
	machine->nr_cpus = CPUS;
	for (i = 0; i < CPUS; i++) {
		machine->cpus[i].fd = i;
		machine->cpus[i].run = calloc(1, sizeof(*machine->cpus[i].run));
		if (!machine->cpus[i].run)
			abort();
	}
	/* A turn that did not begin leaves them waiting. */
	if (hlk_cpus_begin(machine) || hlk_cpus_end(machine, 0))
		abort();
	wait_inside(6);
}

static void end(void)
{
	uint32_t i;

	hlk_cpus_exit(machine, true);
	for (i = 0; i < CPUS; i++)
		free(machine->cpus[i].run);
	free(machine);
}

/* Who has it may run it; the others stay where they are, or are there again. */
static void test_alone(uint32_t nr)
{
	struct hlk_cpu *cpu = &machine->cpus[nr];

	hlk_cpus_alone(machine, nr);
	wait_inside(6 & ~(1U << nr));
	tap(cpu->parked && !cpu->run->immediate_exit,
	    "processor %u alone: its thread is not there, and it can run", nr);
	hlk_cpus_together(machine);
	wait_inside(6);
	tap(!cpu->run->immediate_exit, "processor %u: afterwards it waits for a turn again", nr);
}

static void test_gone(void)
{
	struct hlk_cpu *cpu = &machine->cpus[1];

	pthread_mutex_lock(&play.lock);
	play.broken = true;
	pthread_mutex_unlock(&play.lock);
	hlk_cpus_alone(machine, 1);
	tap(cpu->gone && !cpu->run->immediate_exit, "one is alone whose thread has failed");
	hlk_cpus_together(machine);
	hlk_cpus_alone(machine, 1);
	tap(!cpu->run->immediate_exit, "and again, when it is gone");
	hlk_cpus_together(machine);
	tap(hlk_cpus_begin(machine) == -EIO && machine->err.code == EIO,
	    "who would have all run is told");
	hlk_cpus_end(machine, 0);
}

int main(void)
{
	/* Who waits for a thread that says nothing waits for ever. */
	alarm(120);
	setvbuf(stdout, NULL, _IOLBF, 0);
	begin();
	test_alone(1);
	test_alone(2);
	test_alone(1);
	test_gone();
	end();
	return tap_done();
}
