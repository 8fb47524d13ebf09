// SPDX-License-Identifier: GPL-2.0-only
/*
 * hlk-run bench --kernel: a Linux guest boots once; from where it says that it is ready, it
 * is brought back and called in each of the ways, by turns.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../boot/file.h"
#include "../fail.h"
#include "../option.h"
#include "../samples.h"
#include "linux_bench.h"

#define BOOT_SECONDS	1200
#define WARM		3
#define MAX_BLOCK	500

enum {
	OPT_KERNEL = 'k',
	OPT_INITRD = 'I',
	OPT_APPEND = 'a',
};

static const struct argp_option options[] = {
	{ "kernel", OPT_KERNEL, "FILE", 0,
	  "Measure a Linux guest instead: what brings it back, and what each call of its state program costs", 1 },
	{ "initrd", OPT_INITRD, "FILE", 0,
	  "Its initial RAM disk, with a program that writes to port 0xf4", 1 },
	{ "append", OPT_APPEND, "TEXT", 0, "Its command line", 1 },
	{ "mem", OPT_MEM, "MIB", 0, "Its memory (default 64)", 1 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct linux_options *opt = state->input;

	switch (key) {
	case OPT_KERNEL:
		opt->kernel = arg;
		return 0;
	case OPT_INITRD:
		opt->initrd = arg;
		return 0;
	case OPT_APPEND:
		opt->append = arg;
		return 0;
	case OPT_MEM:
		opt->mem = option_number(state, "mem", arg, 16, 3072) << 20;
		return 0;
	case ARGP_KEY_INIT:
		opt->mem = 64ULL << 20;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp linux_argp = { .options = options, .parser = parse };

static int load(struct linux_vm *vm, const struct hlk_kernel *kernel)
{
	const struct hlk_ram ram = { .bytes = vm->bytes, .mem = vm->mem };
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	struct hlk_placed placed;
	struct hlk_err err;

	if (ioctl(vm->vcpu, KVM_GET_SREGS, &sregs))
		return linux_fail(vm, "KVM_GET_SREGS");
	if (hlk_kernel_load(kernel, &ram, 1, &regs, &sregs, &placed, &err))
		return fail_err(NULL, &err);
	if (ioctl(vm->vcpu, KVM_SET_SREGS, &sregs) ||
	    ioctl(vm->vcpu, KVM_SET_REGS, &regs))
		return linux_fail(vm, "registers");
	return 0;
}

/* A kernel that comes to no end is not waited for. */
static int boot(struct linux_guest *guest, const struct hlk_kernel *kernel)
{
	struct linux_vm *vm = &guest->vm;
	uint64_t start = bench_now(guest->env);
	uint8_t said;
	int ret;

	ret = linux_open(vm, guest->env) ?: linux_windows(vm, guest->opt->mem);
	if (!ret)
		ret = load(vm, kernel);
	if (ret)
		return ret;
	alarm(BOOT_SECONDS);
	ret = linux_enter(vm, &said);
	alarm(0);
	guest->boot = bench_now(guest->env) - start;
	return ret ?: linux_settle(vm);
}

/* What each way starts from */
static int keep(struct linux_guest *guest)
{
	struct linux_call list[LINUX_MAX_CALLS];
	struct linux_vm *vm = &guest->vm;
	uint32_t nr = 0;
	uint32_t i;
	void *image;

	if (linux_get(vm, &guest->state))
		return -1;
	for (i = 0; i < guest->state.nr; i++)
		if (guest->state.call[i].of & LINUX_OF_HLK)
			list[nr++] = guest->state.call[i];
	if (linux_snapshot(vm, list, nr, &guest->snap))
		return -1;
	guest->file = memfd_create("guest", MFD_CLOEXEC);
	if (guest->file < 0 || ftruncate(guest->file, vm->bytes))
		return linux_fail(vm, "memfd_create");
	image = mmap(NULL, vm->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, guest->file, 0);
	if (image == MAP_FAILED)
		return linux_fail(vm, "mmap of the file");
	guest->image = image;
	memcpy(image, vm->mem, vm->bytes);
	return 0;
}

static int open_guest(struct linux_guest *guest)
{
	struct boot_options opt = {
		.kernel = guest->opt->kernel,
		.initrd = guest->opt->initrd,
		.append = guest->opt->append,
	};
	struct files files;
	int ret = files_read(&opt, &files);

	if (!ret)
		ret = boot(guest, &files.kernel) ?: keep(guest);
	files_free(&files);
	if (ret && guest->vm.why[0])
		fail_say("the guest did not come to a call: %s",
			 guest->vm.why);
	return ret;
}

static void close_guest(struct linux_guest *guest)
{
	linux_state_free(&guest->state);
	linux_snap_close(&guest->snap);
	if (guest->image)
		munmap(guest->image, guest->vm.bytes);
	linux_close(&guest->vm);
	if (guest->file >= 0)
		close(guest->file);
}

/**
 * struct runner - a way that takes turns
 * @way: the way
 * @result: what comes out
 * @samples: of its turns
 * @pages: sum of them
 * @block: turns at a time; 0 if it failed
 */
struct runner {
	struct linux_way way;
	struct linux_result *result;
	struct samples samples;
	uint64_t pages;
	uint32_t block;
};

static void drop(struct runner *r)
{
	memcpy(r->result->why, r->way.vm.why, sizeof(r->result->why));
	r->block = 0;
}

static void prepare(struct runner *r, const struct linux_guest *guest)
{
	const uint64_t share = guest->env->budget_ns / guest->env->rounds;
	uint64_t took = 0;
	uint32_t i;

	if (samples_init(&r->samples)) {
		snprintf(r->result->why, sizeof(r->result->why), "out of memory");
		return;
	}
	if (linux_way_open(&r->way, r->result->ops, guest)) {
		drop(r);
		return;
	}
	for (i = 0; i < WARM; i++)
		if (linux_way_turn(&r->way, &took)) {
			drop(r);
			return;
		}
	r->block = took ? share / took : MAX_BLOCK;
	if (r->block > MAX_BLOCK)
		r->block = MAX_BLOCK;
	if (!r->block)
		r->block = 1;
}

static void block(struct runner *r)
{
	uint64_t took;
	uint32_t i;

	for (i = 0; i < r->block; i++) {
		if (linux_way_turn(&r->way, &took)) {
			drop(r);
			return;
		}
		samples_add(&r->samples, took);
		r->pages += r->way.pages;
	}
}

static void finish(struct runner *r)
{
	struct linux_result *result = r->result;

	if (r->samples.nr && r->block) {
		result->turns = r->samples.nr;
		result->min = r->samples.min;
		result->p50 = samples_at(&r->samples, 5000);
		result->p90 = samples_at(&r->samples, 9000);
		result->pages = (double)r->pages / r->samples.nr;
	}
	samples_free(&r->samples);
	linux_way_close(&r->way);
}

static int ways(const struct linux_guest *guest, struct linux_report *report)
{
	struct runner *runner = calloc(nr_linux_ways, sizeof(*runner));
	uint32_t i, k;

	if (!runner) {
		fail_say("out of memory");
		return -1;
	}
	report->nr_ways = nr_linux_ways;
	for (i = 0; i < nr_linux_ways; i++) {
		runner[i].result = &report->way[i];
		runner[i].result->ops = &linux_ways[i];
		prepare(&runner[i], guest);
	}
	for (k = 0; k < guest->env->rounds; k++)
		for (i = 0; i < nr_linux_ways; i++)
			block(&runner[i]);
	for (i = 0; i < nr_linux_ways; i++)
		finish(&runner[i]);
	free(runner);
	return 0;
}

/**
 * bench_linux() - measure a Linux guest
 * @env: the run
 * @opt: the guest
 * @json: a file for JSON, or NULL
 *
 * Return: the exit code
 */
int bench_linux(const struct bench_env *env, const struct linux_options *opt,
		const char *json)
{
	struct linux_guest guest = {
		.env = env, .opt = opt, .file = -1, .snap.fd = -1,
		.vm = { .env = env, .vm = -1, .vcpu = -1, .hlk = -1 },
	};
	struct linux_report *report = calloc(1, sizeof(*report));
	int ret = RUN_ERROR;

	if (!report || env->dev < 0 || !(env->features & HLK_FEATURE_PROGRAM)) {
		fail_say("%s", report ? "the module has no state programs" :
			 "out of memory");
		free(report);
		return RUN_ERROR;
	}
	report->env = env;
	report->mem = opt->mem;
	if (!open_guest(&guest)) {
		report->boot = guest.boot;
		ret = ways(&guest, report) | linux_costs(&guest, report) ? RUN_ERROR : RUN_OK;
		if (!env->stdout_busy)
			linux_table(report);
		if (json && linux_json(report, json))
			ret = RUN_ERROR;
	}
	close_guest(&guest);
	free(report);
	return ret;
}
