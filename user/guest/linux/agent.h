/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* The agent of a Linux guest; see agent.c. */
#ifndef AGENT_H
#define AGENT_H

#include <stdbool.h>

#include <linux/hlk_guest.h>

#include "sys.h"

#define PAGE		HLK_GUEST_PAGE_SIZE
#define EMPTY		HLK_GUEST_BUFFER_EMPTY

/* agent.c */
void start(long *stack);

/* lib.c */
uint32_t text_len(const char *text);
bool text_is(const char *text, uint32_t len, const char *name);
void copy(void *to, const void *from, uint32_t len);
void say(const char *what, const char *name, long error);
long port_open(void);
void port_page(uint32_t page);
void port_say(uint8_t what);

/**
 * struct buffers - the two I/O buffers
 * @input: where the host pushes calls
 * @input_size: its bytes
 * @output: where answers are pushed
 * @output_size: its bytes
 */
struct buffers {
	char *input;
	uint32_t input_size;
	char *output;
	uint32_t output_size;
};

/* fresh.c */
void fresh_begin(void);
void fresh_look(void);

/* pages.c */
long pages_share(struct buffers *buffers, uint32_t *page);

/**
 * struct answer - what becomes of a call
 * @to: where it goes
 * @room: bytes there
 * @len: bytes that are there
 * @more: bytes came for which there was no room
 */
struct answer {
	char *to;
	uint32_t room;
	uint32_t len;
	bool more;
};

/**
 * struct child - a program that was started
 * @pid: its process
 * @to: its input, or -1
 * @from: its output
 */
struct child {
	long pid;
	int to;
	int from;
};

/* child.c */
extern const char *const *child_env;
long child_warm(struct child *child, const char *command);
long child_ask(struct child *child, const char *in, uint32_t len,
	       struct answer *answer);
long child_shell(const char *command, const char *in, uint32_t len,
		 struct answer *answer);
void child_reap(void);

#endif /* AGENT_H */
