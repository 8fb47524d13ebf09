/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run: the command line. */
#ifndef HLK_RUN_OPTION_H
#define HLK_RUN_OPTION_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPTION_FILES	32	/* as many as libhlk takes */

/**
 * struct file_option - a file of the host for a guest to read
 * @path: its name
 * @gpa: where the guest has it
 * @label: what the guest knows it by
 */
struct file_option {
	const char *path;
	uint64_t gpa;
	const char *label;
};

/**
 * struct options - the command line
 * @guest: the ELF file, or a folder with snapshots
 * @from: in a folder: the name of the snapshot, or NULL for the only one
 * @verify: in a folder: read all pages and compare them with their digests
 * @call: function to call, or NULL
 * @input: its argument
 * @input_len: length of that
 * @input_file: where that is read from, - for standard input, or NULL
 * @answer_file: where the last answer goes, - for standard output, or NULL
 * @expect: what each answer has to be, or NULL
 * @expect_len: length of that
 * @repeat: how many calls
 * @restore: restore before each call
 * @audit: audit every so many restores; 0 is none
 * @timeout_us: limit of one call
 * @mem: bytes of memory
 * @scratch: bytes of scratch
 * @max_private: budget of private pages
 * @gdb: where gdb is waited for, or NULL
 * @core: where a core of the guest goes in the end, or NULL
 * @core_at_snapshot: where one of the guest as the snapshot has it goes, or NULL
 * @beside: calls that another clone makes meanwhile
 * @files: files for the guest to read
 * @nr_files: how many
 * @trace: trace the last call, and print that
 * @trace_json: or write it there, for a browser; or NULL
 * @snapshot: HLK_SNAP_* flags
 * @config: HLK_CONFIG_* flags
 * @json: print JSON and nothing else
 * @quiet: do not print what the guest prints
 * @no_progress: no progress line
 */
struct options {
	const char *guest;
	const char *from;
	bool verify;
	const char *call;
	const char *input;
	size_t input_len;
	const char *input_file;
	const char *answer_file;
	const char *expect;
	size_t expect_len;
	uint64_t repeat;
	bool restore;
	uint64_t audit;
	uint64_t timeout_us;
	uint64_t mem;
	uint64_t scratch;
	uint64_t max_private;
	const char *gdb;
	const char *core;
	const char *core_at_snapshot;
	uint64_t beside;
	struct file_option files[OPTION_FILES];
	uint32_t nr_files;
	bool trace;
	const char *trace_json;
	uint32_t snapshot;
	uint32_t config;
	bool json;
	bool quiet;
	bool no_progress;
};

/* Keys of what several commands take. A command's own begin at OPT_OWN. */
enum {
	OPT_CALL = 'c',
	OPT_INPUT = 'i',
	OPT_EXPECT = 'e',
	OPT_REPEAT = 'n',
	OPT_TIMEOUT = 't',
	OPT_MEM = 'm',
	OPT_SCRATCH = 's',
	OPT_JSON = 'j',
	OPT_FLAT = 256,
	OPT_INPUT_FILE,
	OPT_HOST_COW,
	OPT_STRICT,
	OPT_CR3,
	OPT_DEDUP,
	OPT_MAX_PRIVATE,
	OPT_GDB,
	OPT_CORE,
	OPT_CORE_AT_SNAPSHOT,
	OPT_MAP,
	OPT_OWN = 512,
};

/* Lines of a command's table, for those that read the same everywhere */
#define OPTION_MAP(group)						\
	{ "map", OPT_MAP, "FILE@GPA[:LABEL]", 0,			\
	  "A file of the host for the guest to read at this guest-physical address; can be given up to 32 times", group }

#define OPTIONS_MEMORY(group)						\
	{ "mem", OPT_MEM, "MIB", 0,					\
	  "The guest's memory (default 16)", group },			\
	{ "scratch", OPT_SCRATCH, "KIB", 0,				\
	  "The guest's scratch region (default 288, or as much as its first page tables want)", group }, \
	{ "max-private", OPT_MAX_PRIVATE, "PAGES", 0,			\
	  "Most pages that the guest may write between two restores", group }

#define OPTIONS_SNAPSHOT(group)						\
	{ "flat", OPT_FLAT, NULL, 0,					\
	  "Snapshot each page at its place, for guests that know nothing of hlk", group }, \
	{ "host-cow", OPT_HOST_COW, NULL, 0,				\
	  "Leave copy-on-write to the host", group },			\
	{ "strict", OPT_STRICT, NULL, 0,				\
	  "Refuse a guest with mappings that lead outside its memory", group }, \
	{ "cr3", OPT_CR3, NULL, 0,					\
	  "Take CR3 as the only page directory, not those that the guest published", group }

#define OPTION_INPUT_FILE(group)					\
	{ "input-file", OPT_INPUT_FILE, "FILE", 0,			\
	  "Its argument is what is in this file, of any bytes; - is standard input", group }

#define OPTION_TIMEOUT(group)						\
	{ "timeout", OPT_TIMEOUT, "MS", 0,				\
	  "Stop the guest when boot or a call takes longer", group }

#define OPTION_DEDUP(group)						\
	{ "dedup", OPT_DEDUP, NULL, 0, "Keep equal pages once", group }

#define OPTION_GDB(group)						\
	{ "gdb", OPT_GDB, "PORT|SOCKET", 0,				\
	  "Wait for gdb at this port of 127.0.0.1, or at a UNIX socket, and have it debug the guest", group }

#define OPTIONS_CORE(group)						\
	{ "core", OPT_CORE, "FILE", 0,					\
	  "Write an ELF core of the guest as it is in the end, also when it failed", group }, \
	{ "core-at-snapshot", OPT_CORE_AT_SNAPSHOT, "FILE", 0,		\
	  "Write one of it as the snapshot has it", group }

#define OPTION_JSON(group)						\
	{ "json", OPT_JSON, NULL, 0, "Print JSON", group }

/* the most that is read of it; what a guest takes is less */
#define OPTION_MAX_INPUT	(16U << 20)

uint64_t option_number(struct argp_state *state, const char *name,
		       const char *arg, uint64_t least, uint64_t most);
int option_input(struct options *opt);
void option_input_free(struct options *opt);
error_t option_parse(int key, char *arg, struct argp_state *state,
		     struct options *opt);
error_t option_parse_guest(int key, char *arg, struct argp_state *state,
			   struct options *opt);

#endif /* HLK_RUN_OPTION_H */
