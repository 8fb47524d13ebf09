/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run boot: the guest's console on the user's terminal. */
#ifndef HLK_RUN_BOOT_CONSOLE_H
#define HLK_RUN_BOOT_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>

#define CONSOLE_KEPT	1024

/**
 * struct keys - what was typed, and not given to the guest yet
 * @escape: the last key was Ctrl-A
 * @end: Ctrl-A X was typed
 * @len: bytes in @text
 * @text: the bytes
 */
struct keys {
	bool escape;
	bool end;
	size_t len;
	unsigned char text[CONSOLE_KEPT];
};

struct console;

void keys_add(struct keys *keys, unsigned char key);

struct console *console_open(void (*kick)(void *arg), void *arg);
bool console_give(struct console *console,
		  size_t (*take)(void *arg, const void *text, size_t len), void *arg);
void console_close(struct console *console);

#endif /* HLK_RUN_BOOT_CONSOLE_H */
