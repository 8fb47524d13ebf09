// SPDX-License-Identifier: GPL-2.0-only
/* hlk-run boot: its command line. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../fail.h"
#include "../option.h"
#include "../serve.h"
#include "options.h"

enum {
	OPT_INITRD = 'I',
	OPT_APPEND = 'a',
	OPT_MODULE = 'M',
	OPT_PROTOCOL = 'p',
	OPT_QUIET = 'q',
	OPT_ADDR = OPT_OWN,
	OPT_CPUS,
	OPT_NO_IRQCHIP,
	OPT_NO_ACPI,
	OPT_SNAPSHOT_AT,
	OPT_UNTIL,
	OPT_TIME_BACK,
	OPT_REPRODUCIBLE,
	OPT_CALL_FILE,
	OPT_FUNCTION,
	OPT_ROOTFS,
	OPT_WARM,
	OPT_BOOT_TIMEOUT,
	OPT_AUDIT,
	OPT_CUT_OFF,
	OPT_CLONES,
	OPT_CLONE_ROUNDS,
	OPT_RAM,
	OPT_NAME,
	OPT_VERIFY,
	OPT_SAVE,
	OPT_SAVE_NAME,
	OPT_COMPRESS,
	OPT_BESIDE,
	OPT_THREADS = 'T',
};

static const struct argp_option boot_options[] = {
	{ "initrd", OPT_INITRD, "FILE", 0, "The initial RAM disk", 1 },
	{ "rootfs", OPT_ROOTFS, "DIR", 0,
	  "Make one of this folder, or image in an OCI layout, with hlk's agent as its first program", 1 },
	{ "warm", OPT_WARM, "COMMAND", 0,
	  "With --rootfs: a program that the agent starts, and that waits for calls", 1 },
	{ "append", OPT_APPEND, "TEXT", 0, "The kernel's command line", 1 },
	{ "module", OPT_MODULE, "FILE[,TEXT]", 0,
	  "A file that goes with the kernel, and its command line; can be given again and again", 1 },
	{ "protocol", OPT_PROTOCOL, "NAME", 0,
	  "linux32, linux64, pvh, multiboot, flat16, flat32 or nanvix; auto (the default) takes what the image says", 1 },
	{ "addr", OPT_ADDR, "GPA", 0, "Where a flat binary goes and starts", 1 },
	{ "mem", OPT_MEM, "MIB", 0, "Memory (default 128)", 2 },
	{ "ram", OPT_RAM, "GPA:MIB", 0,
	  "A piece of memory there, instead of --mem; can be given again and again", 2 },
	{ "cpus", OPT_CPUS, "N", 0, "Processors (1)", 2 },
	{ "no-irqchip", OPT_NO_IRQCHIP, NULL, 0,
	  "Without interrupt controllers and timer", 2 },
	{ "no-acpi", OPT_NO_ACPI, NULL, 0, "Without ACPI", 2 },
	{ "max-private", OPT_MAX_PRIVATE, "PAGES", 0,
	  "Most pages that the guest may write between two restores", 2 },
	{ "snapshot-at", OPT_SNAPSHOT_AT, "POINT", 0,
	  "Make a snapshot there: print:TEXT, port:N, addr:A, after:MS or idle", 3 },
	{ "until", OPT_UNTIL, "POINT", 0,
	  "Each round goes on to there (default: the guest's own end)", 3 },
	{ "repeat", OPT_REPEAT, "N", 0, "So many rounds, each from the snapshot (default 1)", 3 },
	{ "reproducible", OPT_REPRODUCIBLE, NULL, 0,
	  "The guest is not told that it was restored, and draws the same random numbers", 3 },
	{ "time-back", OPT_TIME_BACK, NULL, 0,
	  "Time comes back with each restore, and does not go on", 3 },
	{ "call", OPT_CALL, "TEXT", 0,
	  "When the guest's agent is ready, make a snapshot, and call it with this, after a restore each", 3 },
	{ "call-file", OPT_CALL_FILE, "FILE", 0, "As --call, with what is in the file", 3 },
	{ "expect", OPT_EXPECT, "TEXT", 0,
	  "Compare the first answer with this; all others are compared with the first", 3 },
	{ "threads", OPT_THREADS, "N", 0,
	  "So many threads call sandboxes of a pool, as serve-bench does", 3 },
	{ "function", OPT_FUNCTION, "NAME", 0,
	  "Call this function of the agent: call (the default), ask, sh or echo", 3 },
	{ "timeout", OPT_TIMEOUT, "MS", 0,
	  "Stop the guest when boot or a round takes longer", 3 },
	{ "boot-timeout", OPT_BOOT_TIMEOUT, "MS", 0,
	  "Another limit for the boot", 3 },
	{ "audit", OPT_AUDIT, "N", 0,
	  "Audit before every so many rounds: is all memory what the snapshot says?", 3 },
	{ "cut-off", OPT_CUT_OFF, "N", 0,
	  "Before every so many rounds run one that is cut off anywhere", 3 },
	{ "clones", OPT_CLONES, "N", 0,
	  "So many other processes, each with a machine of its own, run the same rounds after it", 3 },
	{ "clone-rounds", OPT_CLONE_ROUNDS, "N", 0, "Rounds of each of them (default as --repeat)", 3 },
	OPTION_GDB(3),
	{ "beside", OPT_BESIDE, "N", 0,
	  "With --gdb: another machine of the snapshot runs so many rounds meanwhile", 3 },
	OPTIONS_CORE(3),
	{ "save", OPT_SAVE, "DIR", 0, "Save the snapshot to this folder", 3 },
	{ "save-name", OPT_SAVE_NAME, "NAME", 0,
	  "Its name among those in the folder (default latest)", 3 },
	{ "compress", OPT_COMPRESS, NULL, 0, "Compress its pages, by zstd", 3 },
	{ "name", OPT_NAME, "NAME", 0,
	  "Where KERNEL is a folder with snapshots: the name of one", 3 },
	{ "verify", OPT_VERIFY, NULL, 0,
	  "Of one that was saved read all pages first, and compare them with their digests", 3 },
	OPTION_JSON(4),
	{ "quiet", OPT_QUIET, NULL, 0, "Do not print what the guest prints", 4 },
	{ 0 }
};

#define MAX_MIB		65536

static bool number(const char *arg, uint64_t most, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(arg, &end, 0);
	return !errno && end != arg && !*end && *arg != '-' && *value <= most;
}

/**
 * point_parse() - a point in the run of a machine
 * @arg: as it was given
 * @point: out: the point
 *
 * Return: whether it is one
 */
bool point_parse(const char *arg, struct point *point)
{
	*point = (struct point) { .said = arg };
	if (!strcmp(arg, "idle")) {
		point->when = WHEN_IDLE;
		return true;
	}
	if (!strncmp(arg, "print:", 6)) {
		point->when = WHEN_PRINT;
		point->text = arg + 6;
		return *point->text && strlen(point->text) < 256;
	}
	if (!strncmp(arg, "port:", 5)) {
		point->when = WHEN_PORT;
		return number(arg + 5, UINT16_MAX, &point->number);
	}
	if (!strncmp(arg, "addr:", 5)) {
		point->when = WHEN_ADDR;
		return number(arg + 5, UINT64_MAX, &point->number);
	}
	if (!strncmp(arg, "after:", 6)) {
		point->when = WHEN_AFTER;
		if (!number(arg + 6, 86400000, &point->number) || !point->number)
			return false;
		point->number *= 1000;
		return true;
	}
	return false;
}

/**
 * ram_parse() - a piece of memory
 * @arg: as it was given: where it is, and how many MiB it has
 * @ram: out: the piece
 *
 * Return: whether it is one
 */
bool ram_parse(const char *arg, struct hlk_ram *ram)
{
	const char *colon = strchr(arg, ':');
	char gpa[32];

	*ram = (struct hlk_ram) {};
	if (!colon || colon - arg >= (ptrdiff_t)sizeof(gpa))
		return false;
	memcpy(gpa, arg, colon - arg);
	gpa[colon - arg] = '\0';
	if (!number(gpa, UINT64_MAX, &ram->gpa) ||
	    !number(colon + 1, MAX_MIB, &ram->bytes) || !ram->bytes)
		return false;
	ram->bytes <<= 20;
	return true;
}

static void parse_ram(struct argp_state *state, const char *arg,
		      struct boot_options *boot)
{
	if (boot->nr_ram == BOOT_MAX_RAM)
		argp_error(state, "at most %u pieces of memory", BOOT_MAX_RAM);
	if (!ram_parse(arg, &boot->ram[boot->nr_ram]))
		argp_error(state, "--ram wants an address and MiB, such as 0x100000000:64, not '%s'",
			   arg);
	boot->nr_ram++;
}

static void parse_point(struct argp_state *state, const char *name,
			const char *arg, struct point *point)
{
	if (!point_parse(arg, point))
		argp_error(state, "--%s wants print:TEXT, port:N, addr:A, after:MS or idle, not '%s'",
			   name, arg);
}

static void parse_protocol(struct argp_state *state, const char *arg,
			   struct boot_options *boot)
{
	const char *name;

	for (boot->protocol = 0;; boot->protocol++) {
		name = hlk_protocol_text(boot->protocol);
		if (!name)
			argp_error(state, "there is no protocol '%s'", arg);
		if (!name || !strcmp(name, arg))
			return;
	}
}

static error_t parse_end(struct argp_state *state, struct boot_options *boot)
{
	if (!boot->kernel)
		argp_error(state, "which kernel?");
	if (boot->loaded && (boot->has_snapshot || boot->initrd || boot->rootfs ||
			     boot->nr_modules || boot->mem || boot->nr_ram))
		argp_error(state, "a snapshot from a folder has all that, and is where it is");
	if (boot->loaded && (boot->gdb || boot->core || boot->core_at_snapshot))
		argp_error(state, "--gdb and cores want a kernel, not a folder with snapshots");
	if ((boot->from || boot->verify) && !boot->loaded)
		argp_error(state, "--name and --verify want a folder with snapshots");
	if (boot->saving.folder && !boot->has_snapshot && !boot->call && !boot->call_file &&
	    !boot->loaded)
		argp_error(state, "--save wants --snapshot-at or --call");
	if (!boot->saving.folder && (boot->saving.name || boot->saving.compress))
		argp_error(state, "--save-name and --compress want --save");
	if (boot->loaded)
		boot->has_snapshot = true;
	if (!boot->has_snapshot && !boot->call && !boot->call_file &&
	    (boot->repeat != 1 || boot->time_back))
		argp_error(state, "--repeat and --time-back want --snapshot-at or --call");
	if (boot->mem && boot->nr_ram)
		argp_error(state, "either --mem or --ram");
	if (boot->initrd && boot->rootfs)
		argp_error(state, "either --initrd or --rootfs");
	if (boot->warm && !boot->rootfs)
		argp_error(state, "--warm wants --rootfs");
	if (boot->call && boot->call_file)
		argp_error(state, "either --call or --call-file");
	if ((boot->expect || boot->threads) && !boot->call && !boot->call_file)
		argp_error(state, "--expect and --threads want --call");
	if ((boot->call || boot->call_file) && boot->until.when)
		argp_error(state, "a call ends with its answer, and not --until something");
	if ((!boot->has_snapshot || boot->call || boot->call_file) &&
	    (boot->cut_off || boot->clones))
		argp_error(state, "--cut-off and --clones want --snapshot-at, and no --call");
	if (boot->gdb && (boot->call || boot->call_file || boot->clones || boot->cut_off ||
			  boot->time_back))
		argp_error(state, "--gdb goes with no --call, --clones, --cut-off and --time-back");
	if (boot->gdb && (boot->snapshot_at.when == WHEN_ADDR || boot->until.when == WHEN_ADDR))
		argp_error(state, "with --gdb an address to stop at is gdb's");
	if (boot->beside && (!boot->gdb || !boot->has_snapshot))
		argp_error(state, "--beside wants --gdb and --snapshot-at");
	if ((boot->core || boot->core_at_snapshot) && (boot->call || boot->call_file))
		argp_error(state, "a core is of a guest that is not called");
	if (boot->core_at_snapshot && !boot->has_snapshot)
		argp_error(state, "--core-at-snapshot wants --snapshot-at");
	if (boot->audit && (boot->threads ||
			    (!boot->has_snapshot && !boot->call && !boot->call_file)))
		argp_error(state, "--audit wants --snapshot-at or --call, and no --threads");
	return 0;
}

static error_t parse_rounds(int key, char *arg, struct argp_state *state,
			    struct boot_options *boot)
{
	switch (key) {
	case OPT_SNAPSHOT_AT:
		parse_point(state, "snapshot-at", arg, &boot->snapshot_at);
		boot->has_snapshot = true;
		return 0;
	case OPT_UNTIL:
		parse_point(state, "until", arg, &boot->until);
		return 0;
	case OPT_REPEAT:
		boot->repeat = option_number(state, "repeat", arg, 0, 1ULL << 40);
		return 0;
	case OPT_REPRODUCIBLE:
		boot->reproducible = true;
		return 0;
	case OPT_TIME_BACK:
		boot->time_back = true;
		return 0;
	case OPT_CALL:
		boot->call = arg;
		boot->call_len = strlen(arg);
		return 0;
	case OPT_CALL_FILE:
		boot->call_file = arg;
		return 0;
	case OPT_EXPECT:
		boot->expect = arg;
		return 0;
	case OPT_THREADS:
		boot->threads = option_number(state, "threads", arg, 1,
					      SERVE_MAX_THREADS);
		return 0;
	case OPT_FUNCTION:
		boot->function = arg;
		return 0;
	case OPT_TIMEOUT:
		boot->timeout_us = option_number(state, "timeout", arg, 0,
						 86400000) * 1000;
		return 0;
	case OPT_BOOT_TIMEOUT:
		boot->boot_timeout_us = option_number(state, "boot-timeout", arg, 1,
						      86400000) * 1000;
		return 0;
	case OPT_AUDIT:
		boot->audit = option_number(state, "audit", arg, 0, 1ULL << 40);
		return 0;
	case OPT_CUT_OFF:
		boot->cut_off = option_number(state, "cut-off", arg, 0, 1ULL << 40);
		return 0;
	case OPT_CLONES:
		boot->clones = option_number(state, "clones", arg, 0, MAX_CLONES);
		return 0;
	case OPT_CLONE_ROUNDS:
		boot->clone_rounds = option_number(state, "clone-rounds", arg, 0, 1ULL << 40);
		return 0;
	case OPT_GDB:
		boot->gdb = arg;
		return 0;
	case OPT_BESIDE:
		boot->beside = option_number(state, "beside", arg, 0, 1ULL << 40);
		return 0;
	case OPT_CORE:
		boot->core = arg;
		return 0;
	case OPT_CORE_AT_SNAPSHOT:
		boot->core_at_snapshot = arg;
		return 0;
	case OPT_JSON:
		boot->json = true;
		fail_want_json();
		return 0;
	case OPT_QUIET:
		boot->quiet = true;
		return 0;
	case ARGP_KEY_ARG:
		if (boot->kernel)
			argp_error(state, "one kernel at a time, please");
		boot->kernel = arg;
		boot->loaded = is_folder(arg);
		return 0;
	case ARGP_KEY_END:
		return parse_end(state, boot);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_saved(int key, char *arg, struct argp_state *state,
			   struct boot_options *boot)
{
	switch (key) {
	case OPT_NAME:
		boot->from = arg;
		return 0;
	case OPT_VERIFY:
		boot->verify = true;
		return 0;
	case OPT_SAVE:
		boot->saving.folder = arg;
		return 0;
	case OPT_SAVE_NAME:
		boot->saving.name = arg;
		return 0;
	case OPT_COMPRESS:
		boot->saving.compress = true;
		return 0;
	default:
		return parse_rounds(key, arg, state, boot);
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct boot_options *boot = state->input;

	switch (key) {
	case OPT_INITRD:
		boot->initrd = arg;
		return 0;
	case OPT_ROOTFS:
		boot->rootfs = arg;
		return 0;
	case OPT_WARM:
		boot->warm = arg;
		return 0;
	case OPT_APPEND:
		boot->append = arg;
		return 0;
	case OPT_MODULE:
		if (boot->nr_modules == HLK_KERNEL_MAX_MODULES)
			argp_error(state, "at most %u modules",
				   HLK_KERNEL_MAX_MODULES);
		boot->modules[boot->nr_modules++] = arg;
		return 0;
	case OPT_PROTOCOL:
		parse_protocol(state, arg, boot);
		return 0;
	case OPT_ADDR:
		boot->addr = option_number(state, "addr", arg, 0, UINT32_MAX);
		return 0;
	case OPT_CPUS:
		boot->cpus = option_number(state, "cpus", arg, 1, 16);
		return 0;
	case OPT_MEM:
		boot->mem = option_number(state, "mem", arg, 1, MAX_MIB) << 20;
		return 0;
	case OPT_RAM:
		parse_ram(state, arg, boot);
		return 0;
	case OPT_NO_IRQCHIP:
		boot->no_irqchip = true;
		return 0;
	case OPT_NO_ACPI:
		boot->no_acpi = true;
		return 0;
	case OPT_MAX_PRIVATE:
		boot->max_private = option_number(state, "max-private", arg, 0,
						  1 << 24);
		return 0;
	default:
		return parse_saved(key, arg, state, boot);
	}
}

static const struct argp boot_argp = {
	.options = boot_options,
	.parser = parse,
	.args_doc = "KERNEL",
	.doc = "Boot a kernel that was not written for hlk, snapshot it at a point, or load a snapshot from a folder, and restore it again and again.\v"
	       "Exit status: 0 all well, 1 hlk or the host failed, 2 usage, "
	       "3 the guest did not come to where it should, "
	       "4 a round printed something else than the first, 5 timeout, "
	       "6 a file cannot be read, 7 a kernel that is none or not for this, "
	       "8 something does not fit the memory, 9 the guest ended itself too early, "
	       "10 triple fault, 11 the guest waits and nothing comes, "
	       "12 the snapshot does not fit, 13 this host's KVM does not take something.",
};

/**
 * boot_parse() - read the command line
 * @argc: as of main(), as the next one
 * @argv: its arguments
 * @boot: out: what was said
 *
 * Return: 0 or an error of argp
 */
int boot_parse(int argc, char **argv, struct boot_options *boot)
{
	*boot = (struct boot_options) { .repeat = 1, .cpus = 1,
					 .function = "call" };
	return argp_parse(&boot_argp, argc, argv, 0, NULL, boot);
}
