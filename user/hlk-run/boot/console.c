// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's console on the user's terminal: each key goes to the guest, but for Ctrl-A X,
 * which ends it, and Ctrl-A Ctrl-A, which is one Ctrl-A.
 *
 * A thread reads what is typed, and kicks who runs the machine until all was taken. The
 * terminal is set back when the console is closed, when the program exits, and before a
 * signal ends or stops it.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "console.h"

#define CTRL_A		1
#define RETRY_MS	20	/* the guest's port has room for 16 bytes */

/**
 * struct console - see console_open()
 * @kick: called when there is something to take
 * @arg: its argument
 * @reader: the thread
 * @quit: a pipe; closing it ends the thread
 * @lock: guards @keys
 * @keys: what was typed
 */
struct console {
	void (*kick)(void *arg);
	void *arg;
	pthread_t reader;
	int quit[2];
	pthread_mutex_t lock;
	struct keys keys;
};

static struct termios before, raw;
static volatile sig_atomic_t is_raw;

static const int fatal[] = {
	SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV,
	SIGPIPE, SIGALRM, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU, SIGXFSZ, SIGSYS,
};

/**
 * keys_add() - a key was typed
 * @keys: what was typed before
 * @key: the key
 *
 * What there is no room for is lost.
 */
void keys_add(struct keys *keys, unsigned char key)
{
	bool escape = keys->escape;

	keys->escape = !escape && key == CTRL_A;
	if (keys->escape)
		return;
	if (escape && (key == 'x' || key == 'X')) {
		keys->end = true;
		return;
	}
	if (escape && key != CTRL_A)
		return;
	if (keys->len < CONSOLE_KEPT)
		keys->text[keys->len++] = key;
}

static void set_back(void)
{
	if (!is_raw)
		return;
	is_raw = 0;
	tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

static void set_raw(void)
{
	if (!tcsetattr(STDIN_FILENO, TCSANOW, &raw))
		is_raw = 1;
}

static void on_fatal(int nr)
{
	set_back();
	signal(nr, SIG_DFL);
	raise(nr);
}

static void on_stop(int nr)
{
	int code = errno;

	(void)nr;
	set_back();
	raise(SIGSTOP);
	errno = code;
}

/* After a stop that nobody was asked about, too */
static void on_continue(int nr)
{
	int code = errno;

	(void)nr;
	set_raw();
	errno = code;
}

/* Who was to ignore a signal goes on to; nobody else is asked while one is handled. */
static void handle(int nr, void (*handler)(int nr))
{
	struct sigaction old, action = {
		.sa_handler = handler,
		.sa_flags = SA_RESTART,
	};

	sigfillset(&action.sa_mask);
	sigdelset(&action.sa_mask, nr);
	if (!sigaction(nr, NULL, &old) && old.sa_handler != SIG_IGN)
		sigaction(nr, &action, NULL);
}

static void handle_all(void (*on_end)(int nr), void (*on_tstp)(int nr),
		       void (*on_cont)(int nr))
{
	size_t i;

	for (i = 0; i < sizeof(fatal) / sizeof(*fatal); i++)
		handle(fatal[i], on_end);
	handle(SIGTSTP, on_tstp);
	handle(SIGCONT, on_cont);
}

/* Typed bytes, or none where nothing was typed for a while */
static bool read_keys(struct console *console)
{
	struct pollfd fds[2] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = console->quit[0] },
	};
	unsigned char text[64];
	bool waits, end;
	ssize_t got = 0, i;

	pthread_mutex_lock(&console->lock);
	waits = console->keys.len || console->keys.end;
	pthread_mutex_unlock(&console->lock);
	if (poll(fds, 2, waits ? RETRY_MS : -1) < 0)
		return errno == EINTR;
	if (fds[1].revents)
		return false;
	if (fds[0].revents)
		got = read(STDIN_FILENO, text, sizeof(text));
	/* The terminal is gone. */
	end = fds[0].revents && (!got || (got < 0 && errno != EINTR && errno != EAGAIN));
	pthread_mutex_lock(&console->lock);
	for (i = 0; i < got; i++)
		keys_add(&console->keys, text[i]);
	console->keys.end |= end;
	waits = console->keys.len || console->keys.end;
	pthread_mutex_unlock(&console->lock);
	if (waits)
		console->kick(console->arg);
	return !end;
}

/* Signals are for the thread that runs the machine. */
static void *read_all(void *arg)
{
	while (read_keys(arg))
		;
	return NULL;
}

static int start_reader(struct console *console)
{
	sigset_t all, old;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&console->reader, NULL, read_all, console);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ret;
}

static bool is_ours(void)
{
	return isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) == getpgrp() &&
	       !tcgetattr(STDIN_FILENO, &before);
}

/**
 * console_open() - take the terminal
 * @kick: called from another thread when console_give() has something to give, and again
 *	until it gave all
 * @arg: its argument
 *
 * Return: the console, or NULL if there is no terminal, or none for us
 */
struct console *console_open(void (*kick)(void *arg), void *arg)
{
	static bool at_exit;
	struct console *console;

	if (!is_ours())
		return NULL;
	console = calloc(1, sizeof(*console));
	if (!console || pipe(console->quit)) {
		free(console);
		return NULL;
	}
	console->kick = kick;
	console->arg = arg;
	pthread_mutex_init(&console->lock, NULL);
	raw = before;
	cfmakeraw(&raw);
	/* Lines of hlk-run's own begin where lines begin. */
	raw.c_oflag = before.c_oflag;
	if (!at_exit)
		atexit(set_back);
	at_exit = true;
	handle_all(on_fatal, on_stop, on_continue);
	set_raw();
	if (start_reader(console)) {
		console->kick = NULL;
		console_close(console);
		return NULL;
	}
	return console;
}

/**
 * console_give() - give what was typed
 * @console: the console, or NULL
 * @take: takes some of it, and says how much
 * @arg: its first argument
 *
 * Return: whether the guest is to go on
 */
bool console_give(struct console *console,
		  size_t (*take)(void *arg, const void *text, size_t len), void *arg)
{
	struct keys *keys;
	size_t taken = 0;
	bool end;

	if (!console)
		return true;
	keys = &console->keys;
	pthread_mutex_lock(&console->lock);
	if (keys->len)
		taken = take(arg, keys->text, keys->len);
	keys->len -= taken;
	memmove(keys->text, keys->text + taken, keys->len);
	end = keys->end;
	pthread_mutex_unlock(&console->lock);
	return !end;
}

/**
 * console_close() - give the terminal back
 * @console: the console, or NULL
 */
void console_close(struct console *console)
{
	if (!console)
		return;
	close(console->quit[1]);
	if (console->kick)
		pthread_join(console->reader, NULL);
	close(console->quit[0]);
	set_back();
	handle_all(SIG_DFL, SIG_DFL, SIG_DFL);
	pthread_mutex_destroy(&console->lock);
	free(console);
}
