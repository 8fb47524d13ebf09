// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a pool does, as OpenMetrics: in a file that is replaced each second, and a last time in
 * the end, for who collects files; or at a UNIX socket, where whoever connects gets it, as
 * an answer of HTTP. A thread does that, and is not in the way of calls.
 */
#include "metrics.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fail.h"

#define EACH_MS		1000
#define ASKS_MS		1000
#define ASKS_MOST	8192
#define UNIX		"unix:"

/**
 * struct metrics - a thread that tells of a pool
 * @pool: the pool
 * @path: the file, or the socket
 * @new: what becomes the file
 * @stop: an eventfd that ends the thread
 * @listen: the socket, or -1
 * @thread: the thread
 * @failed: why the file could not be written, or 0
 * @text: what is told
 */
struct metrics {
	struct hlk_pool *pool;
	const char *path;
	char *new;
	int stop;
	int listen;
	pthread_t thread;
	int failed;
	char text[HLK_POOL_METRICS_SIZE];
};

static size_t fill(struct metrics *m)
{
	return hlk_pool_metrics(m->pool, NULL, m->text, sizeof(m->text));
}

/* Who reads the file finds all of it, be it the old or the new one. */
static void write_file(struct metrics *m)
{
	FILE *file = fopen(m->new, "we");
	size_t len = fill(m);
	int bad = !file;

	m->failed = 0;
	if (file) {
		bad = fwrite(m->text, 1, len, file) != len;
		bad |= fclose(file);
	}
	if (bad || rename(m->new, m->path))
		m->failed = errno ? errno : EIO;
	if (m->failed && file)
		unlink(m->new);
}

static void send_all(int fd, const char *data, size_t len)
{
	ssize_t put;

	while (len) {
		put = send(fd, data, len, MSG_NOSIGNAL);
		if (put <= 0)
			return;
		data += put;
		len -= put;
	}
}

/* What is asked for is read to the empty line, for no longer than a second, and no more */
static void answer(struct metrics *m)
{
	static const char head[] = "HTTP/1.0 200 OK\r\n"
		"Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n\r\n";
	const struct timeval limit = { .tv_sec = ASKS_MS / 1000 };
	char asked[ASKS_MOST + 1];
	size_t len = 0;
	ssize_t got;
	int fd = accept4(m->listen, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	do {
		got = recv(fd, asked + len, ASKS_MOST - len, 0);
		len += got > 0 ? got : 0;
		asked[len] = '\0';
	} while (got > 0 && len < ASKS_MOST && !strstr(asked, "\r\n\r\n"));
	send_all(fd, head, sizeof(head) - 1);
	send_all(fd, m->text, fill(m));
	shutdown(fd, SHUT_WR);
	close(fd);
}

static void *tell(void *arg)
{
	struct metrics *m = arg;
	struct pollfd fds[2] = {
		{ .fd = m->stop, .events = POLLIN }, { .fd = m->listen, .events = POLLIN },
	};

	for (;;) {
		if (m->listen < 0)
			write_file(m);
		poll(fds, 2, m->listen < 0 ? EACH_MS : -1);
		if (fds[0].revents)
			break;
		if (fds[1].revents)
			answer(m);
	}
	if (m->listen < 0)
		write_file(m);
	return NULL;
}

/* One that nobody listens at any more is taken away. */
static int listen_at(struct metrics *m)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int probe;

	if (strlen(m->path) >= sizeof(to.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(to.sun_path, m->path);
	m->listen = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (m->listen < 0)
		return -1;
	if (bind(m->listen, (struct sockaddr *)&to, sizeof(to))) {
		if (errno != EADDRINUSE)
			return -1;
		probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (probe < 0)
			return -1;
		errno = 0;
		if (!connect(probe, (struct sockaddr *)&to, sizeof(to)) || errno != ECONNREFUSED) {
			close(probe);
			errno = EADDRINUSE;
			return -1;
		}
		close(probe);
		if (unlink(m->path) || bind(m->listen, (struct sockaddr *)&to, sizeof(to)))
			return -1;
	}
	return listen(m->listen, 8);
}

static int start(struct metrics *m, const char *where)
{
	m->listen = -1;
	m->stop = eventfd(0, EFD_CLOEXEC);
	if (m->stop < 0)
		return -1;
	m->path = where;
	if (!strncmp(where, UNIX, strlen(UNIX))) {
		m->path = where + strlen(UNIX);
		if (listen_at(m))
			return -1;
	} else if (asprintf(&m->new, "%s.new", where) < 0) {
		m->new = NULL;
		return -1;
	}
	errno = pthread_create(&m->thread, NULL, tell, m);
	return errno ? -1 : 0;
}

static void destroy(struct metrics *m)
{
	if (m->listen >= 0)
		close(m->listen);
	if (m->stop >= 0)
		close(m->stop);
	free(m->new);
	free(m);
}

/**
 * metrics_begin() - begin to tell of a pool
 * @pool: the pool
 * @where: a file, or unix: and a socket; or NULL for nothing
 * @metrics: out: what metrics_end() ends, or NULL
 *
 * Return: RUN_OK, or an exit code after the reason was printed
 */
int metrics_begin(struct hlk_pool *pool, const char *where, struct metrics **metrics)
{
	struct metrics *m;
	int ret;

	*metrics = NULL;
	if (!where)
		return RUN_OK;
	m = calloc(1, sizeof(*m));
	if (!m)
		return fail_say("out of memory");
	m->pool = pool;
	if (start(m, where)) {
		ret = fail_file(where, "cannot tell metrics at");
		destroy(m);
		return ret;
	}
	*metrics = m;
	return RUN_OK;
}

/**
 * metrics_end() - end that
 * @metrics: what metrics_begin() made, or NULL
 *
 * Return: RUN_OK, or an exit code if the file could not be written in the end, after the reason
 * was printed
 */
int metrics_end(struct metrics *metrics)
{
	const uint64_t one = 1;
	int ret = RUN_OK;

	if (!metrics)
		return RUN_OK;
	if (write(metrics->stop, &one, sizeof(one)) != sizeof(one))
		return RUN_ERROR;
	pthread_join(metrics->thread, NULL);
	if (metrics->listen >= 0)
		unlink(metrics->path);
	errno = metrics->failed;
	if (errno)
		ret = fail_file(metrics->path, "cannot write");
	destroy(metrics);
	return ret;
}
