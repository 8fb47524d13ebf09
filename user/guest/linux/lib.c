// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* What else is a C library's. */
#include "agent.h"

void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int c, size_t n);

/* The compiler may call these two. */
void *memcpy(void *to, const void *from, size_t n)
{
	char *t = to;
	const char *f = from;

	while (n--)
		*t++ = *f++;
	return to;
}

void *memset(void *to, int c, size_t n)
{
	char *t = to;

	while (n--)
		*t++ = c;
	return to;
}

void copy(void *to, const void *from, uint32_t len)
{
	asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(len) : : "memory");
}

uint32_t text_len(const char *text)
{
	uint32_t len = 0;

	while (text[len])
		len++;
	return len;
}

bool text_is(const char *text, uint32_t len, const char *name)
{
	uint32_t i;

	for (i = 0; i < len; i++)
		if (text[i] != name[i] || !name[i])
			return false;
	return !name[i];
}

/* An OUT of 32 bits is to four ports, for the processor. */
long port_open(void)
{
	return sys(SYS_ioperm, HLK_GUEST_PORT_AGENT, sizeof(uint32_t), 1, 0, 0);
}

void port_page(uint32_t page)
{
	asm volatile("outl %0, %w1"
		     : : "a"(page), "Nd"(HLK_GUEST_PORT_AGENT) : "memory");
}

void port_say(uint8_t what)
{
	asm volatile("outb %0, %w1"
		     : : "a"(what), "Nd"(HLK_GUEST_PORT_AGENT) : "memory");
}

static void print(const char *text)
{
	sys(SYS_write, 2, (long)text, text_len(text), 0, 0);
}

/**
 * say() - say what went wrong, where people look
 * @what: what was to be done
 * @name: with what, or ""
 * @error: errno as a negative number, or 0
 */
void say(const char *what, const char *name, long error)
{
	char digits[8];
	uint32_t at = sizeof(digits) - 1;

	print("hlk-agent: ");
	print(what);
	print(name);
	if (error) {
		digits[at] = '\0';
		for (error = -error; error && at; error /= 10)
			digits[--at] = '0' + error % 10;
		print(": errno ");
		print(digits + at);
	}
	print("\n");
}
