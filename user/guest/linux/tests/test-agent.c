// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The agent without a guest: its pages are memory of this program, its port a function,
 * and what a host pushes is pushed here. Programs that it starts are real ones.
 */
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../agent.h"

#define SIZE	16384U

static unsigned int test_nr, test_failed;

static void tap(bool good, const char *what)
{
	printf("%sok %u - %s\n", good ? "" : "not ", ++test_nr, what);
	fflush(stdout);
	test_failed += !good;
}

/* ---- what is a guest's elsewhere ---- */

static char input[SIZE], output[SIZE];
static sem_t answered, seen;
static bool ready;
static unsigned int begun, looks, answers;

uint32_t text_len(const char *text)
{
	return strlen(text);
}

bool text_is(const char *text, uint32_t len, const char *name)
{
	return strlen(name) == len && !memcmp(text, name, len);
}

void copy(void *to, const void *from, uint32_t len)
{
	memcpy(to, from, len);
}

void say(const char *what, const char *name, long error)
{
	printf("# agent: %s%s: %ld\n", what, name, error);
}

long pages_share(struct buffers *buffers, uint32_t *page)
{
	*buffers = (struct buffers) { input, SIZE, output, SIZE };
	*page = 42;
	return 0;
}

void fresh_begin(void)
{
	begun++;
}

void fresh_look(void)
{
	looks++;
}

long port_open(void)
{
	return 0;
}

void port_page(uint32_t page)
{
	ready = page == 42;
	sem_post(&answered);
	sem_wait(&seen);
}

void port_say(uint8_t what)
{
	if (what == HLK_GUEST_AGENT_ANSWER) {
		answers++;
		sem_post(&answered);
	}
	sem_wait(&seen);
}

/* ---- the host's side ---- */

static char answer[SIZE];
static uint32_t answer_len;

static void push(const char *name, uint32_t name_len, const void *arg, uint32_t len)
{
	struct hlk_guest_call head = { HLK_GUEST_CALL_MAGIC, name_len, len };
	uint64_t sp = EMPTY, start = EMPTY;

	memcpy(input + sp, &head, sizeof(head));
	sp += sizeof(head);
	memcpy(input + sp, name, strlen(name));
	sp += strlen(name);
	memcpy(input + sp, arg, len);
	sp += len;
	memcpy(input + sp, &start, sizeof(start));
	sp += sizeof(start);
	memcpy(input, &sp, sizeof(sp));
}

/* The status of the answer, or -1 if it makes no sense */
static int pop(void)
{
	struct hlk_guest_ret ret;
	uint64_t sp, start;

	memcpy(&sp, output, sizeof(sp));
	if (sp < EMPTY + sizeof(start) || sp > SIZE)
		return -1;
	memcpy(&start, output + sp - sizeof(start), sizeof(start));
	if (start != EMPTY || sp - sizeof(start) - start < sizeof(ret))
		return -1;
	memcpy(&ret, output + start, sizeof(ret));
	if (ret.magic != HLK_GUEST_RET_MAGIC ||
	    ret.len != sp - sizeof(start) - start - sizeof(ret))
		return -1;
	answer_len = ret.len;
	memcpy(answer, output + start + sizeof(ret), ret.len);
	answer[ret.len] = '\0';
	memcpy(output, &start, sizeof(start));
	return ret.status;
}

static int go(void)
{
	sem_post(&seen);
	sem_wait(&answered);
	return pop();
}

static int call_bytes(const char *name, const void *arg, uint32_t len)
{
	push(name, strlen(name), arg, len);
	return go();
}

static int call(const char *name, const char *arg)
{
	return call_bytes(name, arg, strlen(arg));
}

static bool is(const char *text)
{
	return answer_len == strlen(text) && !memcmp(answer, text, answer_len);
}

static void *run_agent(void *arg)
{
	start(arg);
	return NULL;
}

static void test_shell(void)
{
	static char large[2 * SIZE];

	tap(!call("sh", "echo one; echo two >&2") && is("one\ntwo\n"),
	    "a command line, with what it says of errors");
	tap(call("sh", "echo before; exit 3") == 3 && is("before\n"),
	    "its status, and what it printed");
	tap(call("sh", "kill -9 $$") == 128 + 9, "a signal that ended it");
	tap(call("sh", "/no/such/program") == 127, "a program that is not there");
	tap(!call_bytes("sh", "cat\0from here", 13) && is("from here"),
	    "what follows a zero is its input");
	tap(!call("sh", "cat") && is(""), "without, the input is empty");
	snprintf(large, sizeof(large), "cat > /dev/null; echo got it");
	tap(!call_bytes("sh", large, SIZE - 200) && is("got it\n"),
	    "an input that fills the buffer");
	tap(!call_bytes("sh", "true\0nobody reads this", 22) && is(""),
	    "an input that nobody reads");
	tap(call("sh", "yes | head -c 100000") == EMSGSIZE && answer_len > SIZE / 2,
	    "an answer that is too long: its beginning");
	tap(call("sh", "yes | head -c 100000; exit 5") == 5, "and a status of its own");
	tap(!call("sh", "echo $HLK_TEST") && is("here\n"), "the environment");
	tap(!call("sh", "yes | head -n 1") && is("y\n"),
	    "SIGPIPE is as programs expect it");
}

static void test_form(void)
{
	uint64_t sp = SIZE + 8;
	char name[8] = "echo";

	tap(!call("echo", "as it was") && is("as it was"), "echo");
	tap(!call("echo", "") && is(""), "echo of nothing");
	tap(call("no such", "x") == ENOENT, "a function that there is not");
	tap(call("ec", "x") == ENOENT && call("echoo", "x") == ENOENT,
	    "neither are parts of a name");
	push(name, 4000000, "x", 1);
	tap(go() == EPROTO, "a name that is longer than the call");
	memcpy(input, &sp, sizeof(sp));
	tap(go() == EPROTO, "a stack pointer outside");
	sp = EMPTY + 4;
	memcpy(input, &sp, sizeof(sp));
	tap(go() == EPROTO, "a stack pointer in the middle of nothing");
	push("echo", 4, "abc", 3);
	memset(input + EMPTY, 0xff, 4);
	tap(go() == EPROTO, "another magic");
	tap(!call("echo", "again") && is("again"), "and then a call again");
}

static void test_warm(void)
{
	static char long_one[4 * SIZE];

	tap(!call("ask", "hello") && is("5:hello"), "the warm program answers");
	tap(!call("call", "") && is("0:"), "also a request of no bytes, by another name");
	memset(long_one, 'x', SIZE - 100);
	tap(!call_bytes("ask", long_one, SIZE - 200) && answer_len > SIZE - 200 &&
	    answer[answer_len - 1] == 'x', "a long one");
	tap(call("ask", "long") == EMSGSIZE, "an answer that is too long");
	tap(!call("ask", "after") && is("5:after"), "and the one after it");
	tap(call("ask", "bad") == EPROTO, "an answer in another form");
	tap(call("ask", "more") == EPIPE, "and it is not asked again");
	tap(!call("sh", "echo still here") && is("still here\n"), "shells are not");
}

/* Programs that do not wait until they are asked: the next request would get their answer. */
static void test_hasty(void)
{
	static char request[200000], text[64];
	struct answer one = { .to = text, .room = sizeof(text) };
	struct child child;

	tap(!child_warm(&child, "printf '0\n2\nno'; exec cat > /dev/null") &&
	    child_ask(&child, "x", 1, &one) == -EPROTO &&
	    child_ask(&child, "x", 1, &one) == -EPIPE, "an answer before it is asked");
	one.len = 0;
	tap(!child_warm(&child, "printf '0\n'; read n; printf '2\nno'; sleep 1") &&
	    child_ask(&child, request, sizeof(request), &one) == -EPROTO &&
	    child_ask(&child, "x", 1, &one) == -EPIPE, "one before it has the whole request");
	one.len = 0;
	tap(!child_warm(&child, "printf '0\n'; read n; head -c $n > /dev/null; printf '2\nok'") &&
	    !child_ask(&child, request, sizeof(request), &one) && one.len == 2 &&
	    child_ask(&child, "x", 1, &one) == -EPIPE, "one after it, and then its end");
}

/* Python, since a shell has no bytes */
#define WARM								\
	"exec python3 -c 'import sys\n"				\
	"i, o = sys.stdin.buffer, sys.stdout.buffer\n"			\
	"a = b\"\"\n"							\
	"while True:\n"							\
	"    o.write(b\"%d\\n\" % len(a) + a); o.flush()\n"		\
	"    r = i.read(int(i.readline()))\n"				\
	"    a = b\"%d:\" % len(r) + r\n"				\
	"    if r == b\"long\": a = b\"y\" * 99999\n"			\
	"    if r == b\"bad\": o.write(b\"what\\n\"); o.flush(); a = b\"\"\n" \
	"' 2> /dev/null"

int main(void)
{
	static const char *const args[] = {
		"agent", "-w", WARM, NULL, "HLK_TEST=here", "PATH=/usr/bin:/bin", NULL,
	};
	static long stack[8];
	pthread_t thread;
	int i;

	stack[0] = 3;
	for (i = 0; i < 7; i++)
		((const char **)stack)[i + 1] = args[i];
	setvbuf(stdout, NULL, _IOLBF, 0);
	sem_init(&answered, 0, 0);
	sem_init(&seen, 0, 0);
	printf("TAP version 13\n");
	pthread_create(&thread, NULL, run_agent, stack);
	sem_wait(&answered);
	tap(ready, "the agent tells where its page is");
	test_form();
	test_shell();
	test_warm();
	test_hasty();
	tap(begun == 1 && answers && looks == answers,
	    "before each answer it looks whether it was restored");
	printf("1..%u\n", test_nr);
	return test_failed > 0;
}
