// SPDX-License-Identifier: GPL-2.0-only
/*
 * hlk-run boot --clones: the same rounds, in machines that other processes make. These have
 * nothing of the first machine but the fd of its snapshot, which comes over a UNIX socket:
 * they are there before hlk is opened for the first time.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../fail.h"
#include "clone.h"

/**
 * struct clone - one process
 * @pid: it
 * @to: the socket that leads to it
 */
struct clone {
	pid_t pid;
	int to;
};

/**
 * struct clones - all of them
 * @nr: how many
 * @clone: they
 * @first: what the first round printed and how it ended, for all to see
 */
struct clones {
	uint32_t nr;
	struct clone clone[MAX_CLONES];
	struct first {
		struct output output;
		uint32_t stop;
		uint64_t value;
	} *first;
};

static int fail(const char *what)
{
	fail_say("%s: %s", what, strerror(errno));
	return RUN_ERROR;
}

static int receive_fd(int from)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr head;
	} control;
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int fd;

	/* Nothing: it came to no snapshot. */
	if (recvmsg(from, &msg, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&msg))
		return -1;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

static int send_fd(int to, int fd)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr head;
	} control = {
		.head.cmsg_len = CMSG_LEN(sizeof(int)),
		.head.cmsg_level = SOL_SOCKET,
		.head.cmsg_type = SCM_RIGHTS,
	};
	struct iovec iov = { (void *)"s", 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	return sendmsg(to, &msg, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

static int be_clone(const struct boot_options *opt, const struct first *first, int from,
		    int (*run)(struct rounds *rounds, int fd))
{
	struct rounds *rounds;
	int fd = receive_fd(from), ret = RUN_ERROR;

	if (fd < 0)
		return RUN_OK;
	rounds = calloc(1, sizeof(*rounds));
	if (rounds && !samples_init(&rounds->both)) {
		rounds->opt = opt;
		rounds->silent = true;
		rounds->has_first = true;
		rounds->first = first->output;
		rounds->stop = first->stop;
		rounds->value = first->value;
		ret = run(rounds, fd);
		samples_free(&rounds->both);
	}
	free(rounds);
	return ret;
}

/* It ends with who started it, and keeps nothing open that its sisters wait on. */
static int start(struct clones *clones, const struct boot_options *opt,
		 int (*run)(struct rounds *rounds, int fd))
{
	pid_t parent = getpid();
	int pair[2];
	uint32_t i;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return fail("cannot make a socket");
	pid = fork();
	if (pid < 0) {
		close(pair[0]);
		close(pair[1]);
		return fail("cannot make a process");
	}
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(RUN_ERROR);
		for (i = 0; i < clones->nr; i++)
			close(clones->clone[i].to);
		close(pair[0]);
		i = be_clone(opt, clones->first, pair[1], run);
		fflush(NULL);
		_exit(i);
	}
	close(pair[1]);
	clones->clone[clones->nr++] = (struct clone) { .pid = pid, .to = pair[0] };
	return RUN_OK;
}

/**
 * clones_start() - start the processes that will be clones; before hlk is opened
 * @opt: the command line
 * @run: what each does, with the fd of a snapshot
 * @clones: out: they, or NULL
 *
 * Return: RUN_OK, or RUN_ERROR after the reason was printed
 */
int clones_start(const struct boot_options *opt, int (*run)(struct rounds *rounds, int fd),
		 struct clones **clones)
{
	struct clones *new;
	int ret = RUN_OK;

	*clones = NULL;
	if (!opt->clones)
		return RUN_OK;
	new = calloc(1, sizeof(*new));
	if (!new)
		return fail("cannot make clones");
	new->first = mmap(NULL, sizeof(*new->first), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (new->first == MAP_FAILED) {
		free(new);
		return fail("cannot make clones");
	}
	fflush(NULL);
	while (!ret && new->nr < opt->clones)
		ret = start(new, opt, run);
	if (ret)
		clones_end(new);
	else
		*clones = new;
	return ret;
}

static int wait_for(struct clone *clone, uint32_t nr)
{
	pid_t pid;
	int status;

	do
		pid = waitpid(clone->pid, &status, 0);
	while (pid < 0 && errno == EINTR);
	clone->pid = 0;
	if (pid > 0 && WIFEXITED(status)) {
		if (WEXITSTATUS(status))
			fprintf(stderr, "hlk-run: that was clone %u\n", nr);
		return WEXITSTATUS(status);
	}
	fail_say("clone %u was killed", nr);
	return RUN_ERROR;
}

/**
 * clones_run() - have the clones run, one after the other
 * @clones: they, or NULL
 * @rounds: the first machine's run, which is over
 *
 * Return: RUN_OK or the exit code of the first that failed
 */
int clones_run(struct clones *clones, const struct rounds *rounds)
{
	int ret = RUN_OK;
	uint32_t i;

	if (!clones)
		return RUN_OK;
	clones->first->output = rounds->first;
	clones->first->stop = rounds->stop;
	clones->first->value = rounds->value;
	for (i = 0; !ret && i < clones->nr; i++) {
		if (send_fd(clones->clone[i].to, hlk_snapshot_fd(rounds->snap)))
			return fail("cannot give the snapshot to a clone");
		ret = wait_for(&clones->clone[i], i + 1);
	}
	return ret;
}

/**
 * clones_end() - end those that did not run
 * @clones: all, or NULL
 */
void clones_end(struct clones *clones)
{
	uint32_t i;

	if (!clones)
		return;
	for (i = 0; i < clones->nr; i++) {
		close(clones->clone[i].to);
		if (clones->clone[i].pid)
			waitpid(clones->clone[i].pid, NULL, 0);
	}
	munmap(clones->first, sizeof(*clones->first));
	free(clones);
}
