// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The agent of a Linux guest: answers the host's calls, by pages of its own and one port;
 * see struct hlk_guest_agent.
 *
 *   hlk-agent [-w COMMAND] [-b KIB]
 *
 * It is a static program without a C library, and can be the first of the system (/init)
 * or any program of root's. -w starts a program that waits warm; without -w that is
 * /etc/hlk/warm, if it is there. -b is the size of each buffer.
 *
 * Functions: "sh" runs a command line, in which a zero byte may end it and begin its
 * standard input, until nobody has its output open; "ask" gives the warm program a
 * request; "call" is "ask" if there is such a program, and else "sh"; "echo" answers what it
 * got.
 */
#include "agent.h"

#define DEFAULT_BUFFER	(64U << 10)
#define LARGEST_BUFFER	(1024U << 10)
#define NAP		1000000		/* between two looks, ns */
#define WARM		"/etc/hlk/warm"

static struct buffers buffers = {
	.input_size = DEFAULT_BUFFER,
	.output_size = DEFAULT_BUFFER,
};

static struct child warm;

static const char *warm_command;
static char command[LARGEST_BUFFER + 1];
static bool first;

static void __attribute__((noreturn)) give_up(void)
{
	/* The first process may not end: that is the kernel's panic. */
	if (first)
		sys(SYS_reboot, REBOOT_MAGIC1, REBOOT_MAGIC2, REBOOT_RESTART, 0, 0);
	for (;;)
		sys(SYS_exit, 1, 0, 0, 0, 0);
}

static void __attribute__((noreturn))
fail(const char *what, const char *name, long error)
{
	say(what, name, error);
	give_up();
}

/* ---- calls ---- */

static uint64_t word(const char *at)
{
	uint64_t value;

	copy(&value, at, sizeof(value));
	return value;
}

/* The element on top of the input buffer */
static const char *top(uint32_t *len)
{
	uint64_t sp = word(buffers.input);
	uint64_t start;

	if (sp < EMPTY + sizeof(start) || sp > buffers.input_size)
		return NULL;
	start = word(buffers.input + sp - sizeof(start));
	if (start < EMPTY || start > sp - sizeof(start))
		return NULL;
	*len = sp - sizeof(start) - start;
	return buffers.input + start;
}

static long shell(const char *arg, uint32_t len, struct answer *answer)
{
	const char *in = arg + len;
	uint32_t cut;

	copy(command, arg, len);
	command[len] = '\0';
	cut = text_len(command);
	if (cut < len)
		in = arg + cut + 1;
	return child_shell(command, in, arg + len - in, answer);
}

static long ask(const char *arg, uint32_t len, struct answer *answer)
{
	return warm.pid ? child_ask(&warm, arg, len, answer) : -ESRCH;
}

static long echo(const char *arg, uint32_t len, struct answer *answer)
{
	if (len > answer->room)
		return -EMSGSIZE;
	copy(answer->to, arg, len);
	answer->len = len;
	return 0;
}

static long call_by_name(const char *name, uint32_t name_len, const char *arg,
			 uint32_t len, struct answer *answer)
{
	if (text_is(name, name_len, "sh"))
		return shell(arg, len, answer);
	if (text_is(name, name_len, "ask"))
		return ask(arg, len, answer);
	if (text_is(name, name_len, "call"))
		return warm.pid ? ask(arg, len, answer) : shell(arg, len, answer);
	if (text_is(name, name_len, "echo"))
		return echo(arg, len, answer);
	return -ENOENT;
}

static long call(struct answer *answer)
{
	struct hlk_guest_call head;
	uint32_t len;
	const char *at = top(&len);

	if (!at || len < sizeof(head))
		return -EPROTO;
	copy(&head, at, sizeof(head));
	at += sizeof(head);
	len -= sizeof(head);
	if (head.magic != HLK_GUEST_CALL_MAGIC || head.name_len > len ||
	    head.arg_len > len - head.name_len)
		return -EPROTO;
	return call_by_name(at, head.name_len, at + head.name_len, head.arg_len,
			    answer);
}

/* The answer is written to where it will be found. */
static void serve(void)
{
	struct hlk_guest_ret ret = { .magic = HLK_GUEST_RET_MAGIC };
	uint64_t start = word(buffers.output), sp = EMPTY;
	struct answer answer = {};
	long status;

	if (start < EMPTY || start > buffers.output_size - PAGE)
		start = EMPTY;
	answer.to = buffers.output + start + sizeof(ret);
	answer.room = buffers.output_size - start - sizeof(ret) - sizeof(start);
	fresh_look();
	status = call(&answer);
	ret.status = status < 0 ? -status : status;
	ret.len = answer.len;
	copy(buffers.input, &sp, sizeof(sp));
	sp = start + sizeof(ret) + answer.len;
	copy(buffers.output + start, &ret, sizeof(ret));
	copy(buffers.output + sp, &start, sizeof(start));
	sp += sizeof(start);
	copy(buffers.output, &sp, sizeof(sp));
	port_say(HLK_GUEST_AGENT_ANSWER);
}

static void __attribute__((noreturn)) serve_all(void)
{
	const struct sys_time nap = { .nsec = NAP };

	for (;;) {
		while (word(buffers.input) == EMPTY) {
			sys(SYS_nanosleep, (long)&nap, 0, 0, 0, 0);
			if (first)
				child_reap();
		}
		serve();
	}
}

/* ---- the beginning ---- */

static void mount(const char *what, const char *where, const char *kind,
		  const char *how)
{
	long ret;

	sys(SYS_mkdir, (long)where, 0755, 0, 0, 0);
	ret = sys(SYS_mount, (long)what, (long)where, (long)kind, 0, (long)how);
	if (ret && ret != -EBUSY && ret != -ENODEV)
		say("cannot mount ", where, ret);
}

static void be_first(void)
{
	static const char *const env[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/root", "TERM=linux", "LANG=C.UTF-8", NULL,
	};
	long fd;

	child_env = env;
	mount("proc", "/proc", "proc", "");
	mount("sysfs", "/sys", "sysfs", "");
	mount("devtmpfs", "/dev", "devtmpfs", "");
	mount("devpts", "/dev/pts", "devpts", "");
	mount("tmpfs", "/dev/shm", "tmpfs", "");
	mount("tmpfs", "/run", "tmpfs", "mode=0755");
	mount("tmpfs", "/tmp", "tmpfs", "mode=1777");
	/* without a /dev/console in the file system the kernel gave none */
	while (sys(SYS_fcntl, 2, F_GETFD, 0, 0, 0) < 0) {
		fd = sys(SYS_open, (long)"/dev/console", O_RDWR, 0, 0, 0);
		if (fd < 0 || fd > 2)
			break;
	}
}

static uint32_t buffer_size(const char *arg)
{
	uint32_t kib = 0;

	while (*arg >= '0' && *arg <= '9' && kib < LARGEST_BUFFER)
		kib = kib * 10 + (*arg++ - '0');
	if (*arg || kib < 8 || kib % 4 || kib > LARGEST_BUFFER >> 10)
		fail("-b wants a multiple of 4, from 8 to 1024 KiB, not ", arg, 0);
	return kib << 10;
}

static void parse(char **argv)
{
	for (argv++; *argv; argv++) {
		if (text_is("-w", 2, *argv) && argv[1])
			warm_command = *++argv;
		else if (text_is("-b", 2, *argv) && argv[1])
			buffers.input_size = buffer_size(*++argv);
		else if (!first)
			fail("usage: hlk-agent [-w COMMAND] [-b KIB], not ", *argv, 0);
	}
	buffers.output_size = buffers.input_size;
}

static void find_warm(void)
{
	long fd;

	if (warm_command)
		return;
	fd = sys(SYS_open, (long)WARM, O_RDONLY | O_CLOEXEC, 0, 0, 0);
	if (fd < 0)
		return;
	sys(SYS_close, fd, 0, 0, 0, 0);
	warm_command = WARM;
}

static void begin(void)
{
	const uint64_t empty = EMPTY;
	uint32_t page = 0;
	long ret;

	find_warm();
	ret = warm_command ? child_warm(&warm, warm_command) : 0;
	if (ret)
		fail("it did not get ready: ", warm_command, ret);
	ret = pages_share(&buffers, &page);
	if (ret)
		fail("cannot share memory with the host", "", ret);
	ret = port_open();
	if (ret)
		fail("cannot have the port", "", ret);
	fresh_begin();
	copy(buffers.input, &empty, sizeof(empty));
	copy(buffers.output, &empty, sizeof(empty));
	port_page(page);
}

/**
 * start() - the program's begin
 * @stack: as the kernel leaves it: argc, the arguments, the environment
 */
void start(long *stack)
{
	char **argv = (char **)stack + 1;

	first = sys(SYS_getpid, 0, 0, 0, 0, 0) == 1;
	child_env = (const char *const *)argv + *stack + 1;
	if (first)
		be_first();
	parse(argv);
	begin();
	serve_all();
}
