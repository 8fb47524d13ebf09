// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Machines against the module: kernel.S, which knows nothing of hlk, is booted, stopped
 * everywhere, snapshot, and restored again and again, in place and in another machine.
 * Runs in the test VM.
 */
#include <linux/kvm.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "module.h"
#include "passfd.h"
#include "said.h"

#define SECOND	1000000ULL
#define ROUNDS	30

static struct hlk_machine *make_machine(uint32_t flags, uint64_t mem)
{
	struct hlk_machine_config config = HLK_MACHINE_CONFIG_INIT;
	struct hlk_machine *machine;
	struct hlk_err err;

	config.flags = flags;
	config.mem_size = mem;
	config.print = print;
	if (hlk_machine_create(ctx, &config, &machine, &err)) {
		printf("# %s\n", words(&err));
		printf("Bail out! no machine\n");
		exit(1);
	}
	forget();
	return machine;
}

static void load_flat(struct hlk_machine *machine, const void *code, size_t size)
{
	struct hlk_kernel kernel = HLK_KERNEL_INIT;

	kernel.protocol = HLK_PROTOCOL_FLAT16;
	kernel.gpa = 0x7c00;
	kernel.image = code;
	kernel.image_size = size;
	if (hlk_machine_load(machine, &kernel, NULL))
		tap(false, "load: %s", reason(machine));
}

static int load_kernel(struct hlk_machine *machine, const char *mode)
{
	struct hlk_kernel kernel = HLK_KERNEL_INIT;
	struct hlk_placed placed;

	kernel.image = guest_elf;
	kernel.image_size = guest_elf_end - guest_elf;
	kernel.cmdline = mode;
	return hlk_machine_load(machine, &kernel, &placed);
}

/* Where it stopped, or HLK_STOP_NONE with an error */
static uint32_t go(struct hlk_machine *machine, uint32_t flags,
		   struct hlk_machine_run *run)
{
	run->flags = flags;
	if (!run->timeout_us)
		run->timeout_us = 60 * SECOND;
	if (hlk_machine_go(machine, run)) {
		printf("# %s\n", reason(machine));
		return HLK_STOP_NONE;
	}
	printf("# %s: 0x%llx at 0x%llx after %llu exits\n",
	       hlk_stop_text(run->stop), (unsigned long long)run->value,
	       (unsigned long long)run->rip, (unsigned long long)run->exits);
	return run->stop;
}

static uint32_t go_until(struct hlk_machine *machine, const char *text)
{
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;

	run.print = text;
	return go(machine, HLK_MACHINE_PRINT, &run);
}

static struct hlk_machine *boot(const char *mode)
{
	struct hlk_machine *machine = make_machine(0, 16 << 20);

	if (load_kernel(machine, mode))
		tap(false, "load: %s", reason(machine));
	tap(go_until(machine, "ready\n") == HLK_STOP_PRINT &&
	    !strcmp(said, "hello\nready\n"), "mode '%s' is ready", mode);
	return machine;
}

static void test_real_mode(void)
{
	/* mov al,'x'; out 0xe9,al; mov dx,0xf4; mov ax,7; out dx,ax; hlt */
	static const unsigned char code[] = {
		0xb0, 'x', 0xe6, 0xe9, 0xba, 0xf4, 0, 0xb8, 7, 0, 0xef, 0xf4
	};
	struct hlk_machine *machine = make_machine(HLK_MACHINE_NO_IRQCHIP, 0);
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;
	int ret;

	ret = hlk_machine_go(machine, &run);
	tap(ret == -ESTALE, "without a kernel: %s", reason(machine));
	load_flat(machine, code, sizeof(code));
	tap(go(machine, 0, &run) == HLK_STOP_EXIT && run.value == 7 &&
	    !strcmp(said, "x"), "real mode, without controllers: its end");
	ret = hlk_machine_go(machine, &run);
	tap(ret == -ESTALE, "after its end: %s", reason(machine));
	hlk_machine_close(machine);
}

static void test_real_halt(void)
{
	/* sti; hlt; cli; hlt */
	static const unsigned char code[] = { 0xfb, 0xf4, 0xfa, 0xf4 };
	struct hlk_machine *machine = make_machine(HLK_MACHINE_NO_IRQCHIP, 0);
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;

	load_flat(machine, code, sizeof(code));
	tap(go(machine, HLK_MACHINE_IDLE, &run) == HLK_STOP_IDLE,
	    "HLT without controllers: idle");
	tap(go(machine, HLK_MACHINE_IDLE, &run) == HLK_STOP_HALT,
	    "HLT with interrupts off: the end");
	hlk_machine_close(machine);
}

static void test_holes(void)
{
	/*
	 * mov ax,0xffff; mov ds,ax; mov al,[0xfff0]; out 0xe9,al; in al,0x60;
	 * mov byte [0xfff0],1; out 0xe9,al; cli; hlt
	 */
	static const unsigned char code[] = {
		0xb8, 0xff, 0xff, 0x8e, 0xd8, 0xa0, 0xf0, 0xff, 0xe6, 0xe9, 0xe4,
		0x60, 0xc6, 0x06, 0xf0, 0xff, 1, 0xe6, 0xe9, 0xfa, 0xf4
	};
	struct hlk_machine *machine = make_machine(0, 1 << 20);
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;

	load_flat(machine, code, sizeof(code));
	tap(go(machine, 0, &run) == HLK_STOP_HALT && !strcmp(said, "\xff\xff"),
	    "where there is nothing it reads ones");
	hlk_machine_close(machine);
}

static void test_ends(void)
{
	static const struct {
		const char *mode;
		uint32_t flags;
		uint32_t stop;
	} rows[] = {
		{ "h", 0, HLK_STOP_HALT },
		{ "i", HLK_MACHINE_IDLE, HLK_STOP_IDLE },
		{ "l", 0, HLK_STOP_TIME },
		{ "o", 0, HLK_STOP_OFF },
		{ "r", 0, HLK_STOP_RESET },
		{ "t", 0, HLK_STOP_SHUTDOWN },
		{ "p", HLK_MACHINE_PORT, HLK_STOP_PORT },
	};
	struct hlk_machine_run run;
	struct hlk_machine *machine;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		run = (struct hlk_machine_run)HLK_MACHINE_RUN_INIT;
		run.timeout_us = rows[i].stop == HLK_STOP_TIME ? SECOND : 0;
		run.port = 0xf4;
		machine = boot(rows[i].mode);
		tap(go(machine, rows[i].flags, &run) == rows[i].stop, "%s",
		    hlk_stop_text(rows[i].stop));
		hlk_machine_close(machine);
	}
}

static void test_whole(void)
{
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;
	struct hlk_machine *machine = boot("");

	tap(go(machine, 0, &run) == HLK_STOP_EXIT && run.value == 0x2a &&
	    !strcmp(said, "hello\nready\napic\nticks\n"),
	    "timers, controllers, an MSR: %s", said);
	hlk_machine_close(machine);
}

static void test_addr(void)
{
	/* mov al,'a'; out 0xe9,al; mov al,'b'; out 0xe9,al; cli; hlt */
	static const unsigned char code[] = {
		0xb0, 'a', 0xe6, 0xe9, 0xb0, 'b', 0xe6, 0xe9, 0xfa, 0xf4
	};
	struct hlk_machine *machine = make_machine(0, 1 << 20);
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;

	load_flat(machine, code, sizeof(code));
	run.addr = 0x7c04;
	/* QEMU's emulated VMRUN loads DR7 and looks at nothing of it. */
	if (go(machine, HLK_MACHINE_ADDR, &run) == HLK_STOP_HALT) {
		tap(!strcmp(said, "ab"), "at an address # SKIP no breakpoints here");
		hlk_machine_close(machine);
		return;
	}
	tap(run.stop == HLK_STOP_ADDR && run.rip == 0x7c04 && !strcmp(said, "a"),
	    "at an address");
	tap(go(machine, 0, &run) == HLK_STOP_HALT && !strcmp(said, "ab"),
	    "and on from there");
	hlk_machine_close(machine);
}

static void test_input(void)
{
	struct hlk_machine *machine = boot("e");
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;
	size_t taken;

	tap(go(machine, HLK_MACHINE_IDLE, &run) == HLK_STOP_IDLE, "it waits");
	forget();
	tap(!hlk_machine_receive(machine, "input!", 6, &taken) && taken == 6 &&
	    go_until(machine, "!") == HLK_STOP_PRINT && !strcmp(said, "input!"),
	    "input by interrupts comes back: %s", said);
	hlk_machine_close(machine);
}

/* As the first time, each time */
static bool rounds(struct hlk_machine *machine, unsigned int nr)
{
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		forget();
		if (go(machine, HLK_MACHINE_RESTORE, &run) != HLK_STOP_EXIT ||
		    run.value != 0x2a || strcmp(said, "apic\nticks\n")) {
			printf("# round %u: %s", i, said);
			return false;
		}
	}
	return true;
}

static struct hlk_snap *take(struct hlk_machine *machine)
{
	struct hlk_snap *snap;

	if (!hlk_machine_snapshot(machine, &snap))
		return snap;
	tap(false, "snapshot: %s", reason(machine));
	return NULL;
}

static void test_rounds(void)
{
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;
	struct hlk_machine *machine = boot("");
	struct hlk_machine *clone;
	struct hlk_snap *snap, *again;

	snap = take(machine);
	if (!snap)
		return;
	tap(go(machine, 0, &run) == HLK_STOP_EXIT &&
	    !strcmp(said, "hello\nready\napic\nticks\n"),
	    "after a snapshot it goes on");
	tap(!hlk_machine_restore(machine, snap), "restore: %s", reason(machine));
	tap(rounds(machine, ROUNDS), "%u rounds, one system call each", ROUNDS);
	clone = make_machine(0, 16 << 20);
	tap(!hlk_machine_restore(clone, snap), "in another machine: %s",
	    reason(clone));
	tap(rounds(clone, 5), "it does the same");
	hlk_machine_close(machine);
	tap(rounds(clone, 5), "also without the first");
	/* What was restored can be snapshot again, before it runs and in the middle. */
	tap(!hlk_machine_restore(clone, NULL), "restore");
	again = take(clone);
	tap(again && !hlk_machine_restore(clone, again) && rounds(clone, 3),
	    "a snapshot of a machine that was restored and did not run");
	hlk_snapshot_close(again);
	run.print = "apic\n";
	forget();
	tap(!hlk_machine_restore(clone, snap) &&
	    go(clone, HLK_MACHINE_PRINT, &run) == HLK_STOP_PRINT, "on to a later point");
	again = take(clone);
	forget();
	tap(again && !hlk_machine_restore(clone, again) &&
	    go(clone, HLK_MACHINE_RESTORE, &run) == HLK_STOP_EXIT &&
	    !strcmp(said, "ticks\n"), "and a snapshot there");
	hlk_snapshot_close(again);
	hlk_snapshot_close(snap);
	hlk_machine_close(clone);
}

static void test_refused(void)
{
	struct hlk_machine *machine = boot("h");
	struct hlk_machine *other = make_machine(HLK_MACHINE_NO_IRQCHIP, 16 << 20);
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;
	struct hlk_snap *snap = take(machine);
	struct hlk_snap *none;
	int ret;

	if (!snap)
		return;
	ret = hlk_machine_restore(other, snap);
	tap(ret == -EINVAL, "without its controllers: %s", reason(other));
	hlk_machine_close(other);
	other = make_machine(0, 8 << 20);
	ret = hlk_machine_restore(other, snap);
	tap(ret == -EMEDIUMTYPE, "with other memory: %s", reason(other));
	ret = hlk_machine_go(other, &run);
	tap(ret == -ESTALE, "then it does not run: %s", reason(other));
	ret = hlk_machine_snapshot(other, &none);
	tap(ret == -ESTALE && !none, "nor is there a snapshot: %s", reason(other));
	hlk_machine_close(other);
	run.flags = 1U << 30;
	ret = hlk_machine_go(machine, &run);
	tap(ret == -EOPNOTSUPP, "flags: %s", reason(machine));
	run.flags = HLK_MACHINE_RESTORE;
	ret = hlk_machine_go(machine, &run);
	tap(ret == -EINVAL, "nothing to restore: %s", reason(machine));
	run.flags = HLK_MACHINE_PRINT;
	run.print = "";
	ret = hlk_machine_go(machine, &run);
	tap(ret == -EINVAL, "no text: %s", reason(machine));
	ret = load_kernel(machine, "");
	tap(ret == -EINVAL, "a second kernel: %s", reason(machine));
	hlk_machine_close(machine);
	hlk_snapshot_close(snap);
}

/*
 * A device of this test's own: port 0x500 reads how often it was read, and lowers line 5;
 * 0x80000 takes a byte, 0x80004 gives it back, as a letter.
 */
struct own {
	struct hlk_machine *machine;
	struct {
		uint8_t reads;
		uint8_t byte;
	} state;
	unsigned int loads;
	unsigned int others;
};

static void own_access(void *arg, struct hlk_access *access)
{
	struct own *own = arg;

	switch (access->addr | (uint64_t)access->flags << 32) {
	case 0x500:
		access->value = '0' + own->state.reads++;
		hlk_machine_irq(own->machine, 5, 0);
		break;
	case 0x80000 | (uint64_t)(HLK_ACCESS_MEMORY | HLK_ACCESS_WRITE) << 32:
		own->state.byte = access->value;
		break;
	case 0x80004 | (uint64_t)HLK_ACCESS_MEMORY << 32:
		access->value = own->state.byte - '0' + 'a';
		break;
	default:
		own->others++;
	}
}

static void own_save(void *arg, void *state)
{
	memcpy(state, &((struct own *)arg)->state, 2);
}

static void own_load(void *arg, const void *state)
{
	struct own *own = arg;

	memcpy(&own->state, state, 2);
	own->loads++;
}

static struct hlk_machine *make_own(struct own *own)
{
	/*
	 * Real mode: a PIC that lets interrupt 5 through, which prints what it reads from
	 * the port and from memory; says by port 0x80 that it is ready, and halts.
	 */
	static const unsigned char code[] = {
		0xfa, 0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xd0, 0xbc, 0x00, 0x70, 0xc7, 0x06,
		0x94, 0x00, 0x35, 0x7c, 0xa3, 0x96, 0x00, 0xb0, 0x11, 0xe6, 0x20, 0xb0,
		0x20, 0xe6, 0x21, 0xb0, 0x04, 0xe6, 0x21, 0xb0, 0x01, 0xe6, 0x21, 0xb0,
		0xdf, 0xe6, 0x21, 0xb8, 0x00, 0x80, 0x8e, 0xc0, 0xba, 0x00, 0x05, 0xe6,
		0x80, 0xfb, 0xf4, 0xeb, 0xfd, 0xec, 0xe6, 0xe9, 0x26, 0xa2, 0x00, 0x00,
		0x26, 0xa0, 0x04, 0x00, 0xe6, 0xe9, 0xb0, 0x20, 0xe6, 0x20, 0xcf
	};
	struct hlk_machine_config config = HLK_MACHINE_CONFIG_INIT;
	struct hlk_machine_device device = HLK_MACHINE_DEVICE_INIT;
	struct hlk_ram ram = { 0, 0x10000, NULL };
	struct hlk_err err;

	memset(own, 0, sizeof(*own));
	device.state_bytes = sizeof(own->state);
	device.arg = own;
	device.access = own_access;
	device.save = own_save;
	device.load = own_load;
	config.ram = &ram;
	config.nr_ram = 1;
	config.print = print;
	config.device = &device;
	if (hlk_machine_create(ctx, &config, &own->machine, &err)) {
		tap(false, "no machine: %s", words(&err));
		return NULL;
	}
	load_flat(own->machine, code, sizeof(code));
	forget();
	return own->machine;
}

/* Its interrupt comes once, and the device is as it was. */
static bool own_rounds(struct own *own, unsigned int nr)
{
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		forget();
		if (go(own->machine, HLK_MACHINE_RESTORE | HLK_MACHINE_IDLE, &run) !=
		    HLK_STOP_IDLE || strcmp(said, "0a") || own->state.reads != 1) {
			printf("# round %u: %s\n", i, said);
			return false;
		}
	}
	return true;
}

/* Another process, that has nothing but the snapshot's fd */
static bool own_clone(int fd)
{
	struct hlk_snap *snap;
	struct own own;
	struct hlk_err err;
	bool good;

	if (hlk_open(&ctx, &err) || !make_own(&own) ||
	    hlk_snapshot_from_fd(fd, &snap, &err))
		return false;
	good = !hlk_machine_restore(own.machine, snap) && own.loads == 1 &&
	       own_rounds(&own, 3) && own.loads == 4;
	hlk_snapshot_close(snap);
	hlk_machine_close(own.machine);
	hlk_close(ctx);
	return good;
}

static bool in_another_process(struct hlk_snap *snap)
{
	int pair[2], status = 1;
	unsigned int nr;
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return false;
	fflush(stdout);
	child = fork();
	if (!child) {
		status = !own_clone(receive_fd(pair[1], &nr));
		fflush(stdout);
		_exit(status);
	}
	if (send_fd(pair[0], hlk_snapshot_fd(snap), 0))
		printf("# cannot send an fd\n");
	close(pair[0]);
	close(pair[1]);
	return waitpid(child, &status, 0) == child && !status;
}

static void test_device(void)
{
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;
	struct hlk_machine *machine, *other;
	struct hlk_snap *snap;
	struct own own;
	int ret;

	machine = make_own(&own);
	if (!machine)
		return;
	run.port = 0x80;
	tap(go(machine, HLK_MACHINE_PORT, &run) == HLK_STOP_PORT, "it is ready");
	tap(!hlk_machine_irq(machine, 5, 1), "a line is raised");
	snap = take(machine);
	if (!snap)
		return;
	tap(go(machine, HLK_MACHINE_IDLE, &run) == HLK_STOP_IDLE && !strcmp(said, "0a"),
	    "a device of the embedder's interrupts: %s", said);
	tap(!hlk_machine_irq(machine, 5, 1) &&
	    go(machine, HLK_MACHINE_IDLE, &run) == HLK_STOP_IDLE &&
	    !strcmp(said, "0a1b") && own.others >= 1, "and again: %s", said);
	tap(!hlk_machine_restore(machine, snap) && !own.state.reads && own.loads == 1,
	    "its bytes come back");
	tap(own_rounds(&own, 10), "and its line, again and again");
	tap(!hlk_machine_audit(machine) && own_rounds(&own, 1), "audited: %s",
	    reason(machine));
	tap(in_another_process(snap), "and in another process that has the fd");
	other = make_machine(0, 0x10000);
	ret = hlk_machine_restore(other, snap);
	tap(ret == -EINVAL, "a machine without such a device: %s", reason(other));
	hlk_machine_close(other);
	hlk_machine_close(machine);
	hlk_snapshot_close(snap);
}

static void *stop_soon(void *arg)
{
	usleep(300000);
	hlk_machine_stop(arg);
	return NULL;
}

static void test_stop(void)
{
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;
	struct hlk_machine *machine = boot("l");
	pthread_t thread;
	bool good;

	if (pthread_create(&thread, NULL, stop_soon, machine))
		return;
	good = go(machine, 0, &run) == HLK_STOP_ASKED && run.bits == 32 && !run.ring;
	pthread_join(thread, NULL);
	run.timeout_us = SECOND / 5;
	tap(good && go(machine, 0, &run) == HLK_STOP_TIME,
	    "it stops when it is asked to, and goes on");
	hlk_machine_close(machine);
}

static void refused(struct hlk_machine_config config, int code)
{
	struct hlk_machine *machine;
	struct hlk_err err;
	int ret = hlk_machine_create(ctx, &config, &machine, &err);

	tap(ret == -code && !machine, "not so: %s", words(&err));
}

static void test_config(void)
{
	struct hlk_machine_config config = HLK_MACHINE_CONFIG_INIT;
	struct hlk_ram ram[2] = { { 0, 0x10000, NULL }, { 0xfee00000, 0x1000, NULL } };

	config.nr_cpus = 17;
	refused(config, EINVAL);
	config.nr_cpus = 2;
	config.flags = HLK_MACHINE_NO_IRQCHIP;
	refused(config, EINVAL);
	config.nr_cpus = 1;
	config.flags = 0x80;
	refused(config, EOPNOTSUPP);
	config.flags = 0;
	config.mem_size = 0x1001;
	refused(config, EINVAL);
	config.mem_size = 0x1000;
	config.nr_ram = 2;
	config.ram = ram;
	refused(config, EINVAL);
	config.mem_size = 0;
	refused(config, EINVAL);
	config.nr_ram = 65;
	refused(config, EINVAL);
	config.size = 8;
	refused(config, EINVAL);
}

static void test_small(void)
{
	struct hlk_machine_config config = HLK_MACHINE_CONFIG_INIT;
	struct hlk_machine *machine;
	int ret;

	/* The kernel has more pages than that. */
	config.mem_size = 16 << 20;
	config.max_private = 2;
	if (hlk_machine_create(ctx, &config, &machine, NULL)) {
		tap(false, "no machine");
		return;
	}
	ret = load_kernel(machine, "");
	tap(ret == -EDQUOT, "over its budget: %s", reason(machine));
	hlk_machine_close(machine);
}

int main(void)
{
	open_ctx();
	test_config();
	test_real_mode();
	test_real_halt();
	test_holes();
	test_ends();
	test_whole();
	test_addr();
	test_input();
	test_small();
	test_rounds();
	test_refused();
	test_device();
	test_stop();
	return finish();
}
