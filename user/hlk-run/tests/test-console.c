// SPDX-License-Identifier: GPL-2.0-only
/* hlk-run boot: keys, and a terminal that is as it was in the end, whatever the end is. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "../../libhlk/tests/tap.h"
#include "../boot/console.h"

static int master, kicks[2];

static void kick(void *arg)
{
	(void)arg;
	if (write(kicks[1], "k", 1) != 1)
		abort();
}

/* A guest that takes two at a time */
static size_t take(void *arg, const void *text, size_t len)
{
	strncat(arg, text, len < 2 ? len : 2);
	return len < 2 ? len : 2;
}

static void test_keys(void)
{
	static const char text[] = "a\001\001b\001?c\x03\001";
	struct keys keys = {};
	size_t i;

	for (i = 0; i < sizeof(text) - 1; i++)
		keys_add(&keys, text[i]);
	tap(keys.len == 5 && !memcmp(keys.text, "a\001bc\x03", 5) && keys.escape && !keys.end,
	    "keys, Ctrl-A and what means nothing after it");
	keys_add(&keys, 'x');
	tap(keys.len == 5 && keys.end, "Ctrl-A X");
	memset(&keys, 0, sizeof(keys));
	for (i = 0; i < CONSOLE_KEPT + 10; i++)
		keys_add(&keys, 'x');
	tap(keys.len == CONSOLE_KEPT && !keys.end, "more than can be kept");
}

static int wait_for_kick(void)
{
	struct pollfd fd = { .fd = kicks[0], .events = POLLIN };
	char byte;

	return poll(&fd, 1, 5000) == 1 ? read(kicks[0], &byte, 1) : 0;
}

/* What the child does when the terminal is its own */
enum way { CLOSES, EXITS, RETURNS_KEYS, IS_KILLED };

static int child(enum way way, int nr, const char *name)
{
	struct rlimit no_core = {};
	struct console *console;
	char got[64] = "";
	int slave;

	setsid();
	setrlimit(RLIMIT_CORE, &no_core);
	slave = open(name, O_RDWR);
	ioctl(slave, TIOCSCTTY, 0);
	dup2(slave, STDIN_FILENO);
	console = console_open(kick, NULL);
	if (!console)
		return 2;
	if (write(kicks[1], "r", 1) != 1)
		return 3;
	switch (way) {
	case RETURNS_KEYS:
		/* not its own "r" */
		wait_for_kick();
		while (wait_for_kick() && console_give(console, take, got))
			;
		console_close(console);
		return strcmp(got, "hello!") ? 4 : 0;
	case CLOSES:
		usleep(100000);
		console_close(console);
		return 0;
	case EXITS:
		usleep(100000);
		exit(0);
	case IS_KILLED:
		usleep(100000);
		raise(nr);
		pause();
	}
	return 5;
}

static bool same(const struct termios *a, const struct termios *b)
{
	return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag &&
	       a->c_lflag == b->c_lflag && a->c_cflag == b->c_cflag;
}

static int begin(enum way way, int nr, pid_t *pid, struct termios *was)
{
	struct termios now;
	char name[64], byte;

	master = posix_openpt(O_RDWR | O_NOCTTY);
	if (master < 0 || grantpt(master) || unlockpt(master) ||
	    ptsname_r(master, name, sizeof(name)) || pipe(kicks) || tcgetattr(master, was))
		return -1;
	fflush(stdout);
	*pid = fork();
	if (!*pid)
		_exit(child(way, nr, name));
	if (way == RETURNS_KEYS)
		usleep(300000);
	else if (read(kicks[0], &byte, 1) != 1)
		return -1;
	if (tcgetattr(master, &now))
		return -1;
	tap(!(now.c_lflag & (ICANON | ECHO | ISIG)) && now.c_oflag == was->c_oflag,
	    "the terminal is raw");
	return 0;
}

static void end(pid_t pid, const struct termios *was, int want, const char *what)
{
	struct termios now;
	int status = -1;

	waitpid(pid, &status, 0);
	tap(!tcgetattr(master, &now) && same(&now, was) &&
	    (WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status)) == want,
	    "%s: the terminal is as it was", what);
	close(master);
	close(kicks[0]);
	close(kicks[1]);
}

static void test_end(enum way way, int nr, const char *what)
{
	struct termios was;
	pid_t pid;

	if (begin(way, nr, &pid, &was))
		tap(false, "no terminal");
	else
		end(pid, &was, nr, what);
}

static void test_typed(void)
{
	struct termios was;
	pid_t pid;

	if (begin(RETURNS_KEYS, 0, &pid, &was) || write(master, "hello!", 6) != 6)
		tap(false, "no terminal");
	usleep(300000);
	if (write(master, "\001x", 2) != 2)
		tap(false, "nothing can be typed");
	end(pid, &was, 0, "keys come in pieces, Ctrl-A X ends");
}

static void test_stopped(void)
{
	struct termios was, now;
	int status;
	pid_t pid;

	if (begin(IS_KILLED, SIGTSTP, &pid, &was))
		return;
	waitpid(pid, &status, WUNTRACED);
	tap(WIFSTOPPED(status) && !tcgetattr(master, &now) && same(&now, &was),
	    "while it is stopped the terminal is as it was");
	kill(pid, SIGCONT);
	usleep(300000);
	tap(!tcgetattr(master, &now) && !(now.c_lflag & ICANON), "then it is raw again");
	kill(pid, SIGTERM);
	end(pid, &was, SIGTERM, "and killed");
}

int main(void)
{
	static const int nr[] = { SIGHUP, SIGINT, SIGQUIT, SIGABRT, SIGSEGV, SIGTERM, SIGPIPE };
	size_t i;

	/* who runs in the background of a script has them ignored */
	for (i = 0; i < sizeof(nr) / sizeof(*nr); i++)
		signal(nr[i], SIG_DFL);
	test_keys();
	test_end(CLOSES, 0, "closed");
	test_end(EXITS, 0, "exit");
	for (i = 0; i < sizeof(nr) / sizeof(*nr); i++)
		test_end(IS_KILLED, nr[i], strsignal(nr[i]));
	test_typed();
	test_stopped();
	close(STDIN_FILENO);
	tap(!console_open(kick, NULL), "without a terminal there is no console");
	return tap_done();
}
