// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The little that guests need of a C library.
 */
#include "hlk_rt.h"

void *memcpy(void *to, const void *from, size_t n)
{
	void *ret = to;

	/* Whole pages, mostly; not every processor is fast byte by byte. */
	if (!(((uint32_t)to | (uint32_t)from | n) & 3)) {
		n /= 4;
		asm volatile("rep movsl"
			     : "+D"(to), "+S"(from), "+c"(n) : : "memory");
		return ret;
	}
	asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
	return ret;
}

void *memmove(void *to, const void *from, size_t n)
{
	void *ret = to;

	if (to <= from)
		return memcpy(to, from, n);
	to += n - 1;
	from += n - 1;
	asm volatile("std; rep movsb; cld"
		     : "+D"(to), "+S"(from), "+c"(n) : : "memory");
	return ret;
}

void *memset(void *to, int c, size_t n)
{
	void *ret = to;

	asm volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(c) : "memory");
	return ret;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a;
	const unsigned char *y = b;

	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

static uint32_t put(char *to, uint32_t size, uint32_t at, char c)
{
	if (at < size)
		to[at] = c;
	return at + 1;
}

static uint32_t put_number(char *to, uint32_t size, uint32_t at, uint32_t value,
			   uint32_t base)
{
	char digits[12];
	unsigned int n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (n)
		at = put(to, size, at, digits[--n]);
	return at;
}

/* %s %c %d %u %x %%; returns the length that was wanted, writes no zero byte */
uint32_t hlk_vsnprintf(char *to, uint32_t size, const char *format, va_list args)
{
	const char *s;
	uint32_t at = 0;
	int value;

	for (; *format; format++) {
		if (*format != '%') {
			at = put(to, size, at, *format);
			continue;
		}
		switch (*++format) {
		case 's':
			for (s = va_arg(args, const char *); *s; s++)
				at = put(to, size, at, *s);
			break;
		case 'c':
			at = put(to, size, at, va_arg(args, int));
			break;
		case 'd':
			value = va_arg(args, int);
			if (value < 0)
				at = put(to, size, at, '-');
			at = put_number(to, size, at, value < 0 ? -value : value, 10);
			break;
		case 'u':
			at = put_number(to, size, at, va_arg(args, uint32_t), 10);
			break;
		case 'x':
			at = put_number(to, size, at, va_arg(args, uint32_t), 16);
			break;
		default:
			at = put(to, size, at, *format);
		}
	}
	return at;
}

void hlk_printf(const char *format, ...)
{
	char text[256];
	va_list args;
	uint32_t len;

	va_start(args, format);
	len = hlk_vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	hlk_write(text, len < sizeof(text) ? len : sizeof(text));
}

void hlk_answer(struct hlk_req *req, const char *format, ...)
{
	va_list args;
	uint32_t room = req->out_size - req->out_len;
	uint32_t len;

	va_start(args, format);
	len = hlk_vsnprintf(req->out + req->out_len, room, format, args);
	va_end(args);
	req->out_len += len < room ? len : room;
}

uint32_t hlk_number(const char **text, const char *end)
{
	const char *s = *text;
	uint32_t value = 0;
	uint32_t base = 10;
	uint32_t digit;

	while (s < end && *s == ' ')
		s++;
	if (end - s > 2 && s[0] == '0' && s[1] == 'x') {
		base = 16;
		s += 2;
	}
	for (; s < end; s++) {
		digit = *s <= '9' ? *s - '0' : (*s | 32) - 'a' + 10;
		if (digit >= base)
			break;
		value = value * base + digit;
	}
	*text = s;
	return value;
}
