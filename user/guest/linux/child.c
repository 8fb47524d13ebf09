// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Programs: shells that run a command line, and one that waits warm. That gets requests from
 * its standard input and answers on its standard output, each as its length in decimal
 * digits, a newline, and the bytes. Its first answer, an empty one, says that it is
 * ready.
 */
#include "agent.h"

#define DIGITS	10

const char *const *child_env;

static long pipe_to(int end[2])
{
	return sys(SYS_pipe2, (long)end, O_CLOEXEC, 0, 0, 0);
}

static void shut(int fd)
{
	if (fd >= 0)
		sys(SYS_close, fd, 0, 0, 0, 0);
}

/* SIG_IGN is what the agent wants of SIGPIPE, SIG_DFL what programs expect. */
static void set_sigpipe(long handler)
{
	struct sys_action action = { .handler = (void *)handler };

	sys(SYS_rt_sigaction, SIGPIPE, (long)&action, 0, sizeof(action.mask), 0);
}

static void __attribute__((noreturn))
become_shell(const char *command, int in, int out, bool with_errors)
{
	const char *const argv[] = { "sh", "-c", command, NULL };

	set_sigpipe(0);
	sys(SYS_dup2, in, 0, 0, 0, 0);
	sys(SYS_dup2, out, 1, 0, 0, 0);
	if (with_errors)
		sys(SYS_dup2, out, 2, 0, 0, 0);
	sys(SYS_execve, (long)"/bin/sh", (long)argv, (long)child_env, 0, 0);
	for (;;)
		sys(SYS_exit, 127, 0, 0, 0, 0);
}

static long start_shell(struct child *child, const char *command, bool with_errors)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 };
	long ret = pipe_to(in);

	if (ret >= 0)
		ret = pipe_to(out);
	if (ret >= 0)
		ret = sys(SYS_fork, 0, 0, 0, 0, 0);
	if (!ret)
		become_shell(command, in[0], out[1], with_errors);
	shut(in[0]);
	shut(out[1]);
	if (ret < 0) {
		shut(in[1]);
		shut(out[0]);
		return ret;
	}
	*child = (struct child) { .pid = ret, .to = in[1], .from = out[0] };
	sys(SYS_fcntl, child->to, F_SETFL, O_NONBLOCK, 0, 0);
	return 0;
}

/**
 * struct giving - what a program is to get
 * @at: what is left of it
 * @len: bytes of that
 * @end: the input ends with it
 */
struct giving {
	const char *at;
	uint32_t len;
	bool end;
};

static void given(struct child *child, const struct giving *giving)
{
	if (giving->len || !giving->end)
		return;
	shut(child->to);
	child->to = -1;
}

/* A program that does not want it all is not told so. */
static void give(struct child *child, struct giving *giving)
{
	long ret = sys(SYS_write, child->to, (long)giving->at, giving->len, 0, 0);

	if (ret == -EAGAIN || ret == -EINTR)
		return;
	if (ret < 0)
		ret = giving->len;
	giving->at += ret;
	giving->len -= ret;
	given(child, giving);
}

/* Wait until there is something to read, and write meanwhile */
static long wait_for(struct child *child, struct giving *giving)
{
	struct sys_poll both[2];
	long ret;

	for (;;) {
		both[0] = (struct sys_poll) { child->from, POLLIN, 0 };
		both[1] = (struct sys_poll) { giving->len ? child->to : -1, POLLOUT, 0 };
		ret = sys(SYS_poll, (long)both, 2, -1, 0, 0);
		if (ret < 0 && ret != -EINTR)
			return ret;
		if (ret > 0 && both[1].revents)
			give(child, giving);
		if (ret > 0 && both[0].revents)
			return 0;
	}
}

/* At most @len bytes: how many, 0 at the end, or a negative errno */
static long read_some(struct child *child, struct giving *giving, char *to,
		      uint32_t len)
{
	long ret;

	do {
		ret = wait_for(child, giving);
		if (!ret)
			ret = sys(SYS_read, child->from, (long)to, len, 0, 0);
	} while (ret == -EINTR);
	return ret;
}

/* What there is no room for is read all the same. */
static long read_into(struct child *child, struct giving *giving,
		      struct answer *answer, uint32_t most)
{
	char drop[512];
	uint32_t room = answer->room - answer->len;
	long ret;

	if (!room) {
		ret = read_some(child, giving, drop, most < sizeof(drop) ? most :
				sizeof(drop));
		answer->more |= ret > 0;
		return ret;
	}
	ret = read_some(child, giving, answer->to + answer->len,
			most < room ? most : room);
	if (ret > 0)
		answer->len += ret;
	return ret;
}

/* The length before an answer */
static long read_length(struct child *child, struct giving *giving, uint32_t *len)
{
	uint64_t value = 0;
	uint32_t digits;
	char c;
	long ret;

	for (digits = 0; digits <= DIGITS; digits++) {
		ret = read_some(child, giving, &c, 1);
		if (ret <= 0)
			return ret ? ret : -EPIPE;
		if (c == '\n' && digits) {
			*len = value;
			return value >> 32 ? -EPROTO : 0;
		}
		if (c < '0' || c > '9')
			break;
		value = value * 10 + (c - '0');
	}
	return -EPROTO;
}

static long read_answer(struct child *child, struct giving *giving,
			struct answer *answer)
{
	uint32_t left = 0;
	long ret = read_length(child, giving, &left);

	while (!ret && left) {
		ret = read_into(child, giving, answer, left);
		if (!ret)
			return -EPIPE;
		if (ret < 0)
			break;
		left -= ret;
		ret = 0;
	}
	if (ret)
		return ret;
	return answer->more ? -EMSGSIZE : 0;
}

static long write_all(struct child *child, const char *in, uint32_t len)
{
	struct sys_poll one;
	long ret;

	while (len) {
		ret = sys(SYS_write, child->to, (long)in, len, 0, 0);
		if (ret == -EAGAIN) {
			one = (struct sys_poll) { child->to, POLLOUT, 0 };
			sys(SYS_poll, (long)&one, 1, -1, 0, 0);
		} else if (ret > 0) {
			in += ret;
			len -= ret;
		} else if (ret != -EINTR) {
			return ret ? ret : -EPIPE;
		}
	}
	return 0;
}

static long write_length(struct child *child, uint32_t len)
{
	char digits[DIGITS + 1];
	uint32_t at = DIGITS;

	digits[at] = '\n';
	do
		digits[--at] = '0' + len % 10;
	while (len /= 10);
	return write_all(child, digits + at, sizeof(digits) - at);
}

/* Whether it said something before it was asked */
static bool is_ahead(const struct child *child)
{
	struct sys_poll one = { child->from, POLLIN, 0 };

	return sys(SYS_poll, (long)&one, 1, 0, 0, 0) > 0 && one.revents & POLLIN;
}

static long ask(struct child *child, const char *in, uint32_t len, struct answer *answer)
{
	struct giving giving = { in, len, false };
	long ret;

	if (is_ahead(child))
		return -EPROTO;
	ret = write_length(child, len);
	if (!ret)
		ret = read_answer(child, &giving, answer);
	/* What is left of the request would be the begin of the next one. */
	if ((!ret || ret == -EMSGSIZE) && giving.len)
		return -EPROTO;
	return ret;
}

/**
 * child_ask() - give the warm program a request
 * @child: the program
 * @in: the request
 * @len: its length
 * @answer: out: its answer
 *
 * Return: 0, -EPIPE if it is gone, -EPROTO if it does not keep to the form, and it is not
 * asked again then, -EMSGSIZE
 */
long child_ask(struct child *child, const char *in, uint32_t len,
	       struct answer *answer)
{
	long ret;

	if (child->from < 0)
		return -EPIPE;
	ret = ask(child, in, len, answer);
	/* What comes next is no answer to what is asked next. */
	if (ret && ret != -EMSGSIZE) {
		shut(child->to);
		shut(child->from);
		child->from = -1;
	}
	return ret;
}

/**
 * child_warm() - start the program that waits warm, and wait until it is ready
 * @child: out: the program
 * @command: its command line
 *
 * Return: 0 or a negative errno
 */
long child_warm(struct child *child, const char *command)
{
	struct giving giving = {};
	struct answer answer = {};
	long ret;

	set_sigpipe(1);
	ret = start_shell(child, command, false);
	return ret ? ret : read_answer(child, &giving, &answer);
}

static long status_of(long pid)
{
	int status = 0;
	long ret;

	do
		ret = sys(SYS_wait4, pid, (long)&status, 0, 0, 0);
	while (ret == -EINTR);
	if (ret < 0)
		return ret;
	return status & 0x7f ? 128 + (status & 0x7f) : status >> 8 & 0xff;
}

/**
 * child_shell() - run a command line
 * @command: the command line
 * @in: its standard input
 * @len: length of that
 * @answer: out: what it printed, errors too
 *
 * That ends when nobody has it open any more: a program that is left in the background, and
 * keeps it, is waited for.
 *
 * Return: its exit status, 128 and the number of the signal that ended it, or a
 * negative errno
 */
long child_shell(const char *command, const char *in, uint32_t len,
		 struct answer *answer)
{
	struct giving giving = { in, len, true };
	struct child child;
	long ret, status;

	set_sigpipe(1);
	ret = start_shell(&child, command, true);
	if (ret)
		return ret;
	given(&child, &giving);
	do
		ret = read_into(&child, &giving, answer, ~0U);
	while (ret > 0);
	shut(child.to);
	shut(child.from);
	status = status_of(child.pid);
	if (ret < 0)
		return ret;
	return !status && answer->more ? -EMSGSIZE : status;
}

/**
 * child_reap() - as the first process: who lost its parent is buried
 *
 * The end of the warm program is noticed by its pipe.
 */
void child_reap(void)
{
	while (sys(SYS_wait4, -1, 0, WNOHANG, 0, 0) > 0)
		;
}
