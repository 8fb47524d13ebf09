/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run boot: its command line. */
#ifndef HLK_RUN_BOOT_OPTIONS_H
#define HLK_RUN_BOOT_OPTIONS_H

#include <hlk.h>
#include <stdbool.h>

#include "../saved.h"

#define MAX_CLONES	64
#define BOOT_MAX_RAM	64

/**
 * enum when - a kind of point in the run of a machine
 * @WHEN_END: its own end
 * @WHEN_PRINT: it prints a text
 * @WHEN_PORT: it writes to a port
 * @WHEN_ADDR: it comes to an address
 * @WHEN_AFTER: a time is over
 * @WHEN_IDLE: it waits
 */
enum when {
	WHEN_END = 0,
	WHEN_PRINT,
	WHEN_PORT,
	WHEN_ADDR,
	WHEN_AFTER,
	WHEN_IDLE,
};

/**
 * struct point - a point in the run of a machine
 * @when: its kind
 * @said: as it was given
 * @text: of WHEN_PRINT
 * @number: port, address, or microseconds
 */
struct point {
	enum when when;
	const char *said;
	const char *text;
	uint64_t number;
};

/**
 * struct boot_options - the command line
 * @kernel: the kernel's file, or a folder with snapshots
 * @loaded: it is such a folder, and nothing is booted
 * @from: the name of the snapshot in it, or NULL
 * @verify: read all pages of it and compare them with their digests
 * @saving: where the snapshot is saved to, if anywhere
 * @initrd: the initial RAM disk's file, or NULL
 * @rootfs: a folder of which one is made, or NULL
 * @warm: command line of the program that waits warm in it, or NULL
 * @append: the command line, or NULL
 * @own_append: @append, if it is to be freed
 * @nr_modules: length of @modules
 * @modules: files, each perhaps with a comma and a text behind
 * @protocol: one of enum hlk_protocol
 * @addr: of a flat binary
 * @cpus: processors
 * @mem: bytes of memory
 * @nr_ram: length of @ram
 * @ram: memory, where it is not as a PC has it
 * @no_irqchip: without interrupt controllers
 * @no_acpi: without ACPI
 * @reproducible: restores give the guest nothing new
 * @snapshot_at: where the snapshot is made, if anywhere
 * @has_snapshot: it is
 * @until: where each round ends
 * @repeat: rounds
 * @time_back: time comes back with each restore
 * @call: what a Linux guest's agent is called with, or NULL
 * @call_len: length of @call
 * @call_file: the file that has it, or NULL
 * @function: the agent's function
 * @expect: what it has to answer, or NULL
 * @threads: that call sandboxes of a pool; 0: one sandbox is called
 * @timeout_us: limit of the boot, and of each round
 * @boot_timeout_us: limit of the boot, if it is another one
 * @audit: audit before every so many rounds; 0 is none
 * @cut_off: before every so many rounds one is cut off; 0 is none
 * @clones: other processes that run the same rounds
 * @clone_rounds: how many each; 0 is @repeat
 * @max_private: budget of private pages
 * @gdb: where gdb is waited for, or NULL
 * @beside: rounds that another machine of the snapshot runs meanwhile
 * @core: where a core of the guest goes in the end, or NULL
 * @core_at_snapshot: where one of the guest as the snapshot has it goes, or NULL
 * @json: print JSON and nothing else
 * @quiet: do not print what the guest prints
 */
struct boot_options {
	const char *kernel;
	bool loaded;
	const char *from;
	bool verify;
	struct saving saving;
	const char *initrd;
	const char *rootfs;
	const char *warm;
	const char *append;
	char *own_append;
	uint32_t nr_modules;
	char *modules[HLK_KERNEL_MAX_MODULES];
	uint32_t protocol;
	uint64_t addr;
	uint32_t cpus;
	uint64_t mem;
	uint32_t nr_ram;
	struct hlk_ram ram[BOOT_MAX_RAM];
	bool no_irqchip;
	bool no_acpi;
	bool reproducible;
	struct point snapshot_at;
	bool has_snapshot;
	struct point until;
	uint64_t repeat;
	bool time_back;
	const char *call;
	uint64_t call_len;
	const char *call_file;
	const char *function;
	const char *expect;
	uint32_t threads;
	uint64_t timeout_us;
	uint64_t boot_timeout_us;
	uint64_t audit;
	uint64_t cut_off;
	uint32_t clones;
	uint64_t clone_rounds;
	uint64_t max_private;
	const char *gdb;
	uint64_t beside;
	const char *core;
	const char *core_at_snapshot;
	bool json;
	bool quiet;
};

int boot_parse(int argc, char **argv, struct boot_options *boot);
bool ram_parse(const char *arg, struct hlk_ram *ram);
bool point_parse(const char *arg, struct point *point);

#endif /* HLK_RUN_BOOT_OPTIONS_H */
