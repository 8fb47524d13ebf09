// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What a debugger needs: to be called where the guest of a sandbox stops, in the thread of the
 * call, which goes on when it returns; and a machine's file descriptors and memory.
 *
 * A sandbox is in use during a call. While the debugger is called it alone may look at memory
 * and registers, and write memory: nobody else gets in, for hlk_leave() keeps it in use.
 */
#include <errno.h>
#include <string.h>

#include "machine.h"

EXPORT int hlk_sandbox_debug(struct hlk_sandbox *sb, hlk_debug_fn fn, void *arg)
{
	int ret = hlk_enter(sb, "cannot debug the guest");

	if (ret)
		return ret;
	if (fn && sb->agent)
		return hlk_leave(sb, hlk_err_text(&sb->err, EOPNOTSUPP, HLK_WHAT_ARGUMENT,
						  "cannot debug the guest",
						  "a machine's guest is debugged by its machine"));
	sb->debug = fn;
	sb->debug_arg = arg;
	return hlk_leave(sb, 0);
}

/**
 * hlk_debug_enter() - hlk_enter(), but the debugger may look in the middle of a call
 * @sb: the sandbox
 * @op: what is to be done
 *
 * Return: as hlk_enter()
 */
int hlk_debug_enter(struct hlk_sandbox *sb, const char *op)
{
	if (!sb->at_debugger || !pthread_equal(sb->debugger, pthread_self()))
		return hlk_enter(sb, op);
	return hlk_err_clear(&sb->err);
}

/**
 * hlk_debug_call() - the guest of a sandbox is at rest: call the debugger, if there is one
 * @sb: the sandbox, in a call
 * @event: why
 *
 * What it does leaves no error behind.
 *
 * Return: 0: the guest is to go on; or a negative errno: it is not
 */
int hlk_debug_call(struct hlk_sandbox *sb, enum hlk_debug_event event)
{
	struct hlk_debug debug = { .size = sizeof(debug), .event = event };
	struct hlk_err err = sb->err;
	int ret;

	if (!sb->debug)
		return 0;
	if (event == HLK_DEBUG_EXIT) {
		debug.exception = sb->run->debug.arch.exception;
		debug.dr6 = sb->run->debug.arch.dr6;
	}
	sb->debugger = pthread_self();
	sb->at_debugger = true;
	ret = sb->debug(sb->debug_arg, sb, &debug);
	sb->at_debugger = false;
	sb->err = err;
	return ret < 0 ? ret : 0;
}

/**
 * hlk_debug_over() - call the debugger; if it wants no more of this call, say so
 * @sb: the sandbox, in a call
 * @event: why
 *
 * Return: 0, or -ECANCELED: the call is over
 */
int hlk_debug_over(struct hlk_sandbox *sb, enum hlk_debug_event event)
{
	if (!hlk_debug_call(sb, event))
		return 0;
	hlk_exit_set(sb, HLK_EXIT_KICKED, 0);
	return hlk_err_text(&sb->err, ECANCELED, HLK_WHAT_KICKED, NULL,
			    "ended by the debugger");
}

/**
 * hlk_debug_begin() - the guest is about to run: let the debugger see it, if there is one
 * @sb: the sandbox, with registers set, and its timeout begun
 *
 * Return: 0 or a negative errno: the call is over, and with it the timeout
 */
int hlk_debug_begin(struct hlk_sandbox *sb)
{
	int ret;

	if (!sb->debug)
		return 0;
	ret = hlk_settle(sb);
	if (!ret)
		ret = hlk_debug_over(sb, HLK_DEBUG_BEGIN);
	if (!ret)
		return 0;
	hlk_timeout_end(sb);
	sb->state = HLK_STATE_BROKEN;
	return ret;
}

EXPORT int hlk_machine_fd(const struct hlk_machine *machine, enum hlk_fd which, uint32_t cpu)
{
	switch (which) {
	case HLK_FD_HLK:
		return machine->hlk_fd;
	case HLK_FD_VM:
		return machine->vm_fd;
	case HLK_FD_VCPU:
		return cpu < machine->nr_cpus ? machine->cpus[cpu].fd : -EINVAL;
	}
	return -EINVAL;
}

EXPORT int hlk_machine_rest(struct hlk_machine *machine)
{
	int ret = hlk_machine_enter(machine, "cannot bring the machine to rest");

	return ret ? ret : hlk_machine_leave(machine, hlk_machine_settle(machine));
}

static int reach(struct hlk_machine *machine, uint64_t gpa, size_t len, bool write,
		 unsigned char **mem)
{
	const char *op = write ? "cannot write guest memory" : "cannot read guest memory";
	int ret;

	*mem = hlk_machine_at(machine, gpa, len);
	if (!*mem)
		return hlk_err_where(&machine->err, ENODEV, HLK_WHAT_SYSTEM, gpa, op);
	ret = hlk_machine_reach(*mem, len, write);
	return ret ? hlk_machine_budget(machine, -ret, op) : 0;
}

EXPORT int hlk_machine_read(struct hlk_machine *machine, uint64_t gpa, void *buf, size_t len)
{
	unsigned char *mem;
	int ret = hlk_machine_enter(machine, "cannot read guest memory");

	if (ret)
		return ret;
	ret = reach(machine, gpa, len, false, &mem);
	if (!ret)
		memcpy(buf, mem, len);
	return hlk_machine_leave(machine, ret);
}

EXPORT int hlk_machine_write(struct hlk_machine *machine, uint64_t gpa, const void *buf,
			     size_t len)
{
	unsigned char *mem;
	int ret = hlk_machine_enter(machine, "cannot write guest memory");

	if (ret)
		return ret;
	ret = reach(machine, gpa, len, true, &mem);
	if (!ret)
		memcpy(mem, buf, len);
	return hlk_machine_leave(machine, ret);
}
