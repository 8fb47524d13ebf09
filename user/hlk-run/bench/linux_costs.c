// SPDX-License-Identifier: GPL-2.0-only
/*
 * What each call of a state program costs: the same restore and call, fused, from snapshots
 * that differ in their programs alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "../fail.h"
#include "linux_bench.h"

#define WARM	3
#define MOST	101

/**
 * struct trial - a VM for one program after the other
 * @guest: the guest
 * @vm: a clone of it
 * @turns: how often each is timed
 */
struct trial {
	const struct linux_guest *guest;
	struct linux_vm vm;
	uint32_t turns;
};

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a;
	uint64_t right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

static int turns(struct trial *trial, const struct linux_snap *snap, uint64_t *p50)
{
	struct hlk_run run = {
		.head = { .size = sizeof(run), .flags = HLK_RESTORE_TIME_BACK },
		.vcpu_fd = trial->vm.vcpu,
		.program = (uintptr_t)snap->program,
	};
	uint64_t took[MOST];
	uint64_t start;
	uint32_t i;
	uint8_t said;

	for (i = 0; i < WARM + trial->turns; i++) {
		start = bench_now(trial->guest->env);
		if (ioctl(trial->vm.hlk, HLK_RUN, &run))
			return linux_fail(&trial->vm, "HLK_RUN");
		if (linux_answer(&trial->vm, &said))
			return -1;
		if (i >= WARM)
			took[i - WARM] = bench_now(trial->guest->env) - start;
	}
	qsort(took, trial->turns, sizeof(*took), compare);
	*p50 = took[trial->turns / 2];
	return 0;
}

/* A snapshot of the guest with this program, and back to the guest's own afterwards */
static int time_program(struct trial *trial, const struct linux_call *call,
			uint32_t nr, uint64_t *p50)
{
	struct linux_snap snap;
	int ret;

	ret = linux_restore(&trial->vm, &trial->guest->snap) ?:
	      linux_settle(&trial->vm);
	if (ret)
		return ret;
	ret = linux_snapshot(&trial->vm, call, nr, &snap);
	if (!ret)
		ret = linux_restore(&trial->vm, &snap);
	if (!ret)
		ret = turns(trial, &snap, p50);
	linux_snap_close(&snap);
	return ret;
}

static uint32_t of_hlk(const struct linux_state *state, const struct linux_call *but,
		       struct linux_call *list)
{
	uint32_t nr = 0;
	uint32_t i;

	for (i = 0; i < state->nr; i++)
		if (state->call[i].of & LINUX_OF_HLK && &state->call[i] != but)
			list[nr++] = state->call[i];
	return nr;
}

/* A call from user space, with an argument of its own */
static int time_ioctl(struct trial *trial, const struct linux_call *call,
		      unsigned long cmd, uint64_t *p50)
{
	void *arg = malloc(call->bytes);
	uint64_t took[MOST];
	uint64_t start;
	uint32_t i;
	int ret = 0;

	if (!arg)
		return linux_fail(&trial->vm, "memory");
	for (i = 0; i < trial->turns && ret >= 0; i++) {
		memcpy(arg, call->arg, call->bytes);
		start = bench_now(trial->guest->env);
		ret = ioctl(call->of_vm ? trial->vm.vm : trial->vm.vcpu, cmd, arg);
		took[i] = bench_now(trial->guest->env) - start;
	}
	free(arg);
	if (ret < 0)
		return linux_fail(&trial->vm, call->name);
	qsort(took, trial->turns, sizeof(*took), compare);
	*p50 = took[trial->turns / 2];
	return 0;
}

static int time_call(struct trial *trial, const struct linux_call *call,
		     struct linux_cost *cost)
{
	struct linux_call list[LINUX_MAX_CALLS];
	uint32_t nr = of_hlk(&trial->guest->state, call, list);
	struct linux_call alone = *call;

	/* Time comes back here; one for where it goes on is called all the same. */
	if (alone.when & HLK_PROGRAM_TIME_GOES_ON)
		alone.when = 0;
	memcpy(cost->name, call->name, sizeof(cost->name));
	cost->of = call->of;
	if (time_program(trial, &alone, 1, &cost->alone) ||
	    time_ioctl(trial, call, call->cmd, &cost->set) ||
	    (call->get && time_ioctl(trial, call, call->get, &cost->get)))
		return -1;
	if (call->of == LINUX_OF_USER)
		return 0;
	if (call->of && alone.when == call->when)
		return time_program(trial, list, nr, &cost->without);
	list[nr++] = alone;
	return time_program(trial, list, nr, &cost->with);
}

/* MSRs, for a call of some */
struct some_msrs {
	struct kvm_msrs head;
	struct kvm_msr_entry entry[LINUX_MAX_COSTS];
};

static void use_msrs(struct linux_call *call, struct some_msrs *some)
{
	call->arg = some;
	call->bytes = sizeof(some->head) + some->head.nmsrs * sizeof(some->entry[0]);
}

/* The part of libhlk's KVM_SET_MSRS that KVM does not list */
static int time_unlisted(struct trial *trial, struct linux_cost *cost)
{
	const struct linux_state *state = &trial->guest->state;
	struct linux_call call = { .cmd = KVM_SET_MSRS, .get = KVM_GET_MSRS };
	const uint32_t first = state->nr_listed, nr = state->nr_unlisted;
	struct some_msrs unlisted = {}, listed = {};
	struct linux_call list[LINUX_MAX_CALLS];
	uint32_t i, nr_calls;

	for (i = 0; i < state->msrs->nmsrs && i < LINUX_MAX_COSTS; i++) {
		struct some_msrs *to = i >= first && i < first + nr ? &unlisted : &listed;

		to->entry[to->head.nmsrs++] = state->msrs->entries[i];
	}
	use_msrs(&call, &unlisted);
	snprintf(call.name, sizeof(call.name), "MSRS: %u that KVM does not list", nr);
	memcpy(cost->name, call.name, sizeof(cost->name));
	cost->of = LINUX_OF_ALL;
	if (time_program(trial, &call, 1, &cost->alone) ||
	    time_ioctl(trial, &call, call.cmd, &cost->set) ||
	    time_ioctl(trial, &call, call.get, &cost->get))
		return -1;
	nr_calls = of_hlk(state, NULL, list);
	for (i = 0; i < nr_calls; i++)
		if (list[i].arg == state->msrs)
			use_msrs(&list[i], &listed);
	return time_program(trial, list, nr_calls, &cost->without);
}

static int time_msr(struct trial *trial, const struct kvm_msr_entry *entry,
		    struct linux_cost *cost)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} one = { .head.nmsrs = 1, .entry = *entry };
	const struct linux_call call = {
		.cmd = KVM_SET_MSRS, .arg = &one, .bytes = sizeof(one),
	};

	snprintf(cost->name, sizeof(cost->name), "0x%x", entry->index);
	return time_program(trial, &call, 1, &cost->alone);
}

static int time_all(struct trial *trial, struct linux_report *report)
{
	const struct linux_state *state = &trial->guest->state;
	struct linux_call list[LINUX_MAX_CALLS];
	uint32_t i;

	if (time_program(trial, NULL, 0, &report->none) ||
	    time_program(trial, list, 0, &report->empty) ||
	    time_program(trial, list, of_hlk(state, NULL, list), &report->whole))
		return -1;
	for (i = 0; i < state->nr; i++)
		if (time_call(trial, &state->call[i], &report->cost[report->nr_costs++]))
			return -1;
	if (state->nr_unlisted &&
	    time_unlisted(trial, &report->cost[report->nr_costs++]))
		return -1;
	for (i = 0; i < state->msrs->nmsrs && i < LINUX_MAX_COSTS; i++)
		if (time_msr(trial, &state->msrs->entries[i],
			     &report->msr[report->nr_msrs++]))
			return -1;
	return 0;
}

/**
 * linux_costs() - what each call of the guest's program costs
 * @guest: the guest
 * @report: out: that
 *
 * Return: 0 or -1
 */
int linux_costs(const struct linux_guest *guest, struct linux_report *report)
{
	struct trial trial = {
		.guest = guest,
		.turns = guest->env->quick ? 3 : guest->env->perf_counts ? 21 : MOST,
	};
	int ret;

	ret = linux_open(&trial.vm, guest->env) ?:
	      linux_windows(&trial.vm, guest->vm.bytes);
	if (!ret)
		ret = time_all(&trial, report);
	if (ret)
		fail_say("calls of programs: %s", trial.vm.why);
	linux_close(&trial.vm);
	return ret;
}
