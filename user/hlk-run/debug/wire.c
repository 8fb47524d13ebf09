// SPDX-License-Identifier: GPL-2.0-only
/*
 * The socket between gdb and hlk-run: a port of 127.0.0.1, or a UNIX socket that its owner
 * alone may use. Whoever reaches it has the guest, and no more: there is one connection.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../fail.h"
#include "wire.h"

#define INTERRUPT	0x03
#define AGAIN_MS	5

static int fail(struct wire *wire, const char *where)
{
	fail_say("cannot wait for gdb at %s: %s", where, strerror(errno));
	wire_close(wire);
	return -1;
}

static int listen_port(struct wire *wire, uint16_t port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int one = 1;

	wire->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (wire->listener < 0)
		return -1;
	setsockopt(wire->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return bind(wire->listener, (struct sockaddr *)&addr, sizeof(addr));
}

/* Its rights are there before its name is. What has the name already is not ours. */
static int listen_path(struct wire *wire, const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	mode_t before;
	int ret;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(addr.sun_path, path);
	wire->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (wire->listener < 0)
		return -1;
	before = umask(0177);
	ret = bind(wire->listener, (struct sockaddr *)&addr, sizeof(addr));
	umask(before);
	if (!ret)
		wire->path = path;
	return ret;
}

/**
 * wire_listen() - be there for gdb
 * @wire: out: a connection that is waited for
 * @where: a number is a port of 127.0.0.1, all else the name of a UNIX socket
 *
 * Return: 0, or -1 after the reason was printed
 */
int wire_listen(struct wire *wire, const char *where)
{
	unsigned long port;
	char *end;
	int ret;

	*wire = (struct wire) { .listener = -1, .fd = -1, .wake = -1 };
	wire->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (wire->wake < 0)
		return fail(wire, where);
	port = strtoul(where, &end, 10);
	if (end == where || *end) {
		ret = listen_path(wire, where);
	} else if (!port || port > UINT16_MAX || *where == '-') {
		errno = ERANGE;
		ret = -1;
	} else {
		ret = listen_port(wire, port);
	}
	if (ret || listen(wire->listener, 1))
		return fail(wire, where);
	return 0;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void stop_listening(struct wire *wire)
{
	close_fd(&wire->listener);
	if (wire->path)
		unlink(wire->path);
	wire->path = NULL;
}

/**
 * wire_accept() - wait for gdb
 * @wire: the connection; nobody else can make one afterwards
 *
 * Return: 0, or an errno
 */
int wire_accept(struct wire *wire)
{
	int ret = 0;

	do
		wire->fd = accept4(wire->listener, NULL, NULL, SOCK_CLOEXEC);
	while (wire->fd < 0 && (errno == EINTR || errno == ECONNABORTED));
	if (wire->fd < 0)
		ret = errno;
	stop_listening(wire);
	return ret;
}

/**
 * wire_receive() - have what gdb says
 * @wire: the connection
 * @buf: out: it
 * @size: no more than that
 *
 * Return: how many bytes; 0 or less: there will be no more
 */
long wire_receive(struct wire *wire, void *buf, size_t size)
{
	ssize_t got;

	do
		got = recv(wire->fd, buf, size, 0);
	while (got < 0 && errno == EINTR);
	return got;
}

/**
 * wire_send() - say something to gdb
 * @wire: the connection
 * @buf: what
 * @len: all of it
 *
 * Return: 0 or an errno
 */
int wire_send(struct wire *wire, const void *buf, size_t len)
{
	const char *at = buf;
	ssize_t sent;

	while (len) {
		sent = send(wire->fd, at, len, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return sent ? errno : EPIPE;
		at += sent;
		len -= sent;
	}
	return 0;
}

/* Whether the guest is to stop. What else comes while it runs means nothing. */
static bool is_asked(struct wire *wire)
{
	unsigned char byte;
	ssize_t got = recv(wire->fd, &byte, 1, MSG_DONTWAIT);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (got <= 0)
		atomic_store(&wire->gone, true);
	return got <= 0 || byte == INTERRUPT;
}

/* A guest that is between two calls cannot be stopped yet. */
static void stop_guest(struct wire *wire)
{
	struct pollfd wake = { .fd = wire->wake, .events = POLLIN };

	atomic_store(&wire->asked, true);
	while (!wire->stop(wire->arg))
		if (poll(&wake, 1, AGAIN_MS) > 0)
			return;
}

static void *watch(void *arg)
{
	struct wire *wire = arg;
	struct pollfd fds[] = {
		{ .fd = wire->wake, .events = POLLIN },
		{ .fd = wire->fd, .events = POLLIN },
	};

	while (!fds[0].revents) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents || !fds[1].revents || !is_asked(wire))
			continue;
		stop_guest(wire);
		break;
	}
	return NULL;
}

/**
 * wire_watch() - the guest runs: look for an interrupt
 * @wire: the connection
 *
 * Return: 0 or an errno
 */
int wire_watch(struct wire *wire)
{
	sigset_t all, before;
	int ret;

	if (wire->watching || wire->fd < 0)
		return 0;
	/* Signals are for the program's own thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = pthread_create(&wire->thread, NULL, watch, wire);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	wire->watching = !ret;
	return ret;
}

/**
 * wire_rest() - undo wire_watch(): the guest is at rest
 * @wire: the connection
 */
void wire_rest(struct wire *wire)
{
	uint64_t one = 1;

	if (!wire->watching)
		return;
	if (write(wire->wake, &one, sizeof(one)) < 0)
		abort();
	pthread_join(wire->thread, NULL);
	wire->watching = false;
	if (read(wire->wake, &one, sizeof(one)) < 0)
		abort();
}

/**
 * wire_hang_up() - no more of gdb
 * @wire: the connection
 */
void wire_hang_up(struct wire *wire)
{
	wire_rest(wire);
	close_fd(&wire->fd);
}

/**
 * wire_close() - undo wire_listen()
 * @wire: the connection, in whatever state
 */
void wire_close(struct wire *wire)
{
	wire_hang_up(wire);
	stop_listening(wire);
	close_fd(&wire->wake);
}
