/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run --gdb: a connection, and what it is about. */
#ifndef HLK_RUN_DEBUG_TALK_H
#define HLK_RUN_DEBUG_TALK_H

#include "regs.h"
#include "signals.h"

#define GDB_MAX_CPUS	16U
/* the longest packet, either way */
#define GDB_PACKET	8192U
#define GDB_MAX_TEXT	1024U

/**
 * enum gdb_point - kinds of breakpoints and watchpoints, as packet Z numbers them
 * @GDB_SOFT: an instruction in memory
 * @GDB_HARD: of the processor
 * @GDB_WRITE: a write to there
 * @GDB_READ: a read from there
 * @GDB_ACCESS: either
 */
enum gdb_point {
	GDB_SOFT,
	GDB_HARD,
	GDB_WRITE,
	GDB_READ,
	GDB_ACCESS,
	GDB_POINTS,
};

/**
 * struct gdb_stop - why the guest stopped
 * @cpu: which processor
 * @signal: the signal that gdb takes it for
 * @met: a breakpoint or a watchpoint was met, @kind
 * @kind: its kind
 * @addr: its address
 * @exited: it came to its end, and will not go on
 * @status: with this
 */
struct gdb_stop {
	uint32_t cpu;
	uint8_t signal;
	bool met;
	enum gdb_point kind;
	uint64_t addr;
	bool exited;
	uint8_t status;
};

/**
 * enum gdb_act - what a processor is to do
 * @GDB_STAY: nothing
 * @GDB_CONTINUE: run
 * @GDB_STEP: one instruction
 */
enum gdb_act {
	GDB_STAY,
	GDB_CONTINUE,
	GDB_STEP,
};

/**
 * enum gdb_wants - what gdb wants, or who it was
 * @GDB_GO: the guest is to go on, each processor as @act of struct gdb says
 * @GDB_AGAIN: a command of monitor said so; it gets its answer at the next talk
 * @GDB_DETACH: no more; the guest is to go on
 * @GDB_KILL: no more, and no guest
 * @GDB_GONE: the connection is lost; the guest is to go on
 */
enum gdb_wants {
	GDB_GO,
	GDB_AGAIN,
	GDB_DETACH,
	GDB_KILL,
	GDB_GONE,
};

/**
 * struct gdb_target - what is debugged, and the way to who debugs it
 * @arg: first argument of the others
 * @nr_cpus: its processors, up to GDB_MAX_CPUS
 * @wide: it is x86-64, else i386
 * @receive: have up to @size bytes of gdb's; 0 or less: there will be no more
 * @send: give all of these to gdb; 0, or an errno
 * @read: read from a virtual address; how many bytes there are to be had
 * @write: write to a virtual address; 0, or an errno
 * @get_regs: read registers; 0, or an errno
 * @set_regs: write those that are not fixed; 0, or an errno
 * @point: insert or remove one, twice is as once; 0, or an errno
 * @monitor: a command of the user's. A @text is what it says to that. 0; 1: end the talk
 *	with GDB_AGAIN; or a negative errno
 */
struct gdb_target {
	void *arg;
	uint32_t nr_cpus;
	bool wide;
	long (*receive)(void *arg, void *buf, size_t size);
	int (*send)(void *arg, const void *buf, size_t len);
	size_t (*read)(void *arg, uint32_t cpu, uint64_t addr, void *buf, size_t len);
	int (*write)(void *arg, uint32_t cpu, uint64_t addr, const void *buf, size_t len);
	int (*get_regs)(void *arg, uint32_t cpu, struct gdb_regs *regs);
	int (*set_regs)(void *arg, uint32_t cpu, const struct gdb_regs *regs);
	int (*point)(void *arg, uint32_t cpu, bool insert, enum gdb_point kind,
		     uint64_t addr, uint64_t len);
	int (*monitor)(void *arg, const char *command, char *text, size_t size);
};

/**
 * struct gdb - a connection
 * @target: see there
 * @stop: why the guest stopped last
 * @act: what is to be done, after GDB_GO
 * @cpu_g: whose registers and memory are meant
 * @cpu_c: who is meant by s and c, or GDB_MAX_CPUS for all
 * @no_ack: nobody acknowledges packets
 * @going: gdb waits for the guest to stop
 * @asking: gdb waits for the answer to a command
 * @lost: nothing more comes, or can be sent
 * @at: next byte of @input
 * @filled: bytes in @input
 * @len: bytes in @packet
 * @out_len: bytes in @out
 * @sent_len: bytes in @sent
 * @xml_len: bytes in @xml
 * @input: what was received
 * @packet: the packet that is looked at, with a 0 behind it
 * @out: the answer that is made
 * @sent: the last packet that was sent, should it be wanted again
 * @xml: the description of registers
 * @memory: what is read or written
 */
struct gdb {
	const struct gdb_target *target;
	struct gdb_stop stop;
	enum gdb_act act[GDB_MAX_CPUS];
	uint32_t cpu_g;
	uint32_t cpu_c;
	bool no_ack;
	bool going;
	bool asking;
	bool lost;
	size_t at;
	size_t filled;
	size_t len;
	size_t out_len;
	size_t sent_len;
	size_t xml_len;
	unsigned char input[1024];
	char packet[GDB_PACKET + 1];
	char out[GDB_PACKET];
	char sent[GDB_PACKET + 4];
	char xml[GDB_MAX_XML];
	unsigned char memory[GDB_PACKET / 2];
};

#endif /* HLK_RUN_DEBUG_TALK_H */
