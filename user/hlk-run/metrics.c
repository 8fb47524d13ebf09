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
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "fail.h"

#define EACH_MS		1000
#define ASKS_MS		1000
#define ASKS_MOST	8192
#define AGAIN_MS	100
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

/*
 * Who reads the file finds all of it, be it the old or the new one. The new one is made, never
 * what is found there: a link would lead elsewhere, a FIFO would wait.
 */
static void write_file(struct metrics *m)
{
	size_t len = fill(m);
	FILE *file;
	int bad;

	unlink(m->new);
	file = fopen(m->new, "wxe");
	bad = !file;
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

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

/* Wait until a time at most. Return: 1 it can go on, 0 that took too long, -1 all is to end */
static int wait_for(const struct metrics *m, int fd, short events, uint64_t end)
{
	struct pollfd fds[2] = {
		{ .fd = m->stop, .events = POLLIN }, { .fd = fd, .events = events },
	};
	uint64_t now;

	do {
		now = now_ms();
		if (now >= end)
			return 0;
	} while (poll(fds, 2, end - now) < 0 && errno == EINTR);
	if (fds[0].revents)
		return -1;
	return !!fds[1].revents;
}

static void send_all(const struct metrics *m, int fd, const char *data, size_t len, uint64_t end)
{
	ssize_t put;

	while (len && wait_for(m, fd, POLLOUT, end) > 0) {
		put = send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (put < 0 && errno != EAGAIN && errno != EINTR)
			return;
		data += put > 0 ? put : 0;
		len -= put > 0 ? put : 0;
	}
}

/*
 * What is asked for is read to the empty line, for no longer than a second in all, and no more.
 * Return: is the thread to go on?
 */
static bool read_asked(const struct metrics *m, int fd)
{
	const uint64_t end = now_ms() + ASKS_MS;
	char asked[ASKS_MOST + 1];
	size_t len = 0;
	ssize_t got;
	int ret;

	do {
		ret = wait_for(m, fd, POLLIN, end);
		if (ret <= 0)
			return !ret;
		got = recv(fd, asked + len, ASKS_MOST - len, MSG_DONTWAIT);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (got <= 0)
			return true;
		len += got;
		asked[len] = '\0';
	} while (len < ASKS_MOST && (!len || !strstr(asked, "\r\n\r\n")));
	return true;
}

/* Nobody who is slow holds up who comes next for long, or the end at all. */
static void answer(struct metrics *m)
{
	static const char head[] = "HTTP/1.0 200 OK\r\n"
		"Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n\r\n";
	int fd = accept4(m->listen, NULL, NULL, SOCK_CLOEXEC);
	uint64_t end;

	/* Without a free fd who asks stays in the queue, and poll() says so again at once. */
	if (fd < 0) {
		if (errno != EAGAIN)
			wait_for(m, -1, 0, now_ms() + AGAIN_MS);
		return;
	}
	if (read_asked(m, fd)) {
		end = now_ms() + ASKS_MS;
		send_all(m, fd, head, sizeof(head) - 1, end);
		send_all(m, fd, m->text, fill(m), end);
		shutdown(fd, SHUT_WR);
	}
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

/* A socket that nobody listens at any more is taken away, and nothing else is. */
static int take_away(const char *path, const struct sockaddr_un *to)
{
	struct stat stat;
	int probe, gone;

	if (lstat(path, &stat))
		return -1;
	if (!S_ISSOCK(stat.st_mode)) {
		errno = EEXIST;
		return -1;
	}
	probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (probe < 0)
		return -1;
	gone = connect(probe, (const struct sockaddr *)to, sizeof(*to)) && errno == ECONNREFUSED;
	close(probe);
	if (!gone) {
		errno = EADDRINUSE;
		return -1;
	}
	return unlink(path);
}

static int listen_at(struct metrics *m)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	if (strlen(m->path) >= sizeof(to.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(to.sun_path, m->path);
	m->listen = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (m->listen < 0)
		return -1;
	if (bind(m->listen, (struct sockaddr *)&to, sizeof(to)) &&
	    (errno != EADDRINUSE || take_away(m->path, &to) ||
	     bind(m->listen, (struct sockaddr *)&to, sizeof(to))))
		return -1;
	return listen(m->listen, 8);
}

/* What is there is replaced. That is meant for a file of metrics, not for a link or a device. */
static int write_at(struct metrics *m)
{
	struct stat stat;

	if (!lstat(m->path, &stat) && !S_ISREG(stat.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	if (asprintf(&m->new, "%s.new", m->path) < 0) {
		m->new = NULL;
		return -1;
	}
	return 0;
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
	} else if (write_at(m)) {
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
		ret = fail_file(where, errno == EINVAL ? "metrics go to a regular file, not to" :
				"cannot tell metrics at");
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
