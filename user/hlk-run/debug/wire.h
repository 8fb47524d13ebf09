/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run --gdb: who debugs, at the other end of a socket; see wire.c. */
#ifndef HLK_RUN_DEBUG_WIRE_H
#define HLK_RUN_DEBUG_WIRE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/**
 * struct wire - a connection, or where one is waited for
 * @path: the socket's name, which is ours to remove, or NULL
 * @listener: where it is waited for, or -1
 * @fd: the connection, or -1
 * @wake: an eventfd that ends @thread
 * @watching: there is a @thread
 * @thread: it looks for an interrupt while the guest runs
 * @stop: what it does then; whether that was done
 * @arg: with it
 * @asked: an interrupt came, or the connection went
 * @gone: it went
 */
struct wire {
	const char *path;
	int listener;
	int fd;
	int wake;
	bool watching;
	pthread_t thread;
	bool (*stop)(void *arg);
	void *arg;
	atomic_bool asked;
	atomic_bool gone;
};

int wire_listen(struct wire *wire, const char *where);
int wire_accept(struct wire *wire);
long wire_receive(struct wire *wire, void *buf, size_t size);
int wire_send(struct wire *wire, const void *buf, size_t len);
int wire_watch(struct wire *wire);
void wire_rest(struct wire *wire);
void wire_hang_up(struct wire *wire);
void wire_close(struct wire *wire);

#endif /* HLK_RUN_DEBUG_WIRE_H */
