// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The I/O buffers.
 *
 * What the guest left there is hostile. Each word is read once, and checked
 * before it is used; the bytes of an element are copied out before anybody
 * looks at them.
 *
 * There is one more trap: a page of a window that cannot be provided, because
 * the guest has used up its budget, is SIGBUS for whoever touches it. So pages
 * are asked for with madvise() first, which fails with an errno. A page that is
 * private stays so until a restore gives it back, so in the steady state there
 * is no such call.
 */
#include "buffer.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "hlk.h"

#define PAGE		HLK_GUEST_PAGE_SIZE
#define EMPTY		((uint64_t)HLK_GUEST_BUFFER_EMPTY)
#define WORD		sizeof(uint64_t)

static uint64_t read_word(const struct hlk_buffer *buf, uint64_t at)
{
	uint64_t word;

	memcpy(&word, buf->mem + at, sizeof(word));
	__asm__ volatile("" : : : "memory");
	return word;
}

static void write_word(struct hlk_buffer *buf, uint64_t at, uint64_t word)
{
	memcpy(buf->mem + at, &word, sizeof(word));
}

/**
 * hlk_populate() - have pages of a window there, so that access cannot fail
 * @mem: page aligned
 * @bytes: a multiple of the page size
 * @write: they are to be written
 *
 * Return: 0, -EDQUOT or -ENOMEM
 */
int hlk_populate(void *mem, size_t bytes, bool write)
{
	int advice = write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ;
	int ret;

	do {
		ret = madvise(mem, bytes, advice);
	} while (ret && (errno == EINTR || errno == EAGAIN));
	if (!ret)
		return 0;
	return errno == ENOMEM ? -ENOMEM : -EDQUOT;
}

static int extend(struct hlk_buffer *buf, uint32_t *known, uint64_t end,
		  bool write)
{
	uint32_t want = (end + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	int ret;

	if (end <= *known)
		return 0;
	ret = hlk_populate(buf->mem + *known, want - *known, write);
	if (!ret)
		*known = want;
	return ret;
}

static int make_writable(struct hlk_buffer *buf, uint64_t end)
{
	return extend(buf, &buf->written, end, true);
}

/*
 * To read a page does not make it private: what the guest left alone costs no
 * restore anything.
 */
static int make_readable(struct hlk_buffer *buf, uint64_t end)
{
	return extend(buf, &buf->read, end, false);
}

/* The stack pointer, checked. It can be written then, too. */
static int stack_pointer(struct hlk_buffer *buf, uint64_t *sp)
{
	int ret = make_writable(buf, WORD);

	if (ret)
		return ret;
	*sp = read_word(buf, 0);
	return *sp < EMPTY || *sp > buf->size ? -EPROTO : 0;
}

/**
 * hlk_buffer_forget() - pages may not be what they were any more
 * @buf: the buffer
 */
void hlk_buffer_forget(struct hlk_buffer *buf)
{
	buf->written = 0;
	buf->read = 0;
}

/**
 * hlk_buffer_room() - the longest element that an empty buffer takes
 * @buf: the buffer
 *
 * Return: its bytes
 */
size_t hlk_buffer_room(const struct hlk_buffer *buf)
{
	return buf->size - EMPTY - WORD;
}

/**
 * hlk_buffer_reset() - forget all elements
 * @buf: the buffer
 *
 * Return: 0, -EDQUOT or -ENOMEM
 */
int hlk_buffer_reset(struct hlk_buffer *buf)
{
	int ret = make_writable(buf, WORD);

	if (!ret)
		write_word(buf, 0, EMPTY);
	return ret;
}

/**
 * hlk_buffer_push() - push one element
 * @buf: the buffer
 * @part: the element's bytes, in parts
 * @nr: how many parts
 *
 * Return: 0, -ENOBUFS if it does not fit, -EPROTO if the guest broke the
 * buffer, -EDQUOT or -ENOMEM
 */
int hlk_buffer_push(struct hlk_buffer *buf, const struct iovec *part,
		    unsigned int nr)
{
	uint64_t sp, at, left;
	unsigned int i;
	int ret;

	ret = stack_pointer(buf, &sp);
	if (ret)
		return ret;
	left = buf->size - sp;
	if (left < WORD)
		return -ENOBUFS;
	left -= WORD;
	for (i = 0, at = sp; i < nr; at += part[i++].iov_len) {
		if (part[i].iov_len > left)
			return -ENOBUFS;
		left -= part[i].iov_len;
	}
	ret = make_writable(buf, at + WORD);
	if (ret)
		return ret;
	for (i = 0, at = sp; i < nr; at += part[i++].iov_len)
		if (part[i].iov_len)
			memcpy(buf->mem + at, part[i].iov_base,
			       part[i].iov_len);
	write_word(buf, at, sp);
	write_word(buf, 0, at + WORD);
	return 0;
}

/**
 * hlk_buffer_pop() - pop the element on top
 * @buf: the buffer
 * @to: where its bytes go, at least as large as the buffer
 * @len: out: how many bytes it has
 *
 * Return: 0, -EPROTO if there is none or the guest broke the buffer, -EDQUOT or -ENOMEM
 */
int hlk_buffer_pop(struct hlk_buffer *buf, void *to, uint32_t *len)
{
	uint64_t sp, start;
	int ret;

	ret = stack_pointer(buf, &sp);
	if (ret)
		return ret;
	if (sp < EMPTY + WORD)
		return -EPROTO;
	ret = make_readable(buf, sp);
	if (ret)
		return ret;
	start = read_word(buf, sp - WORD);
	if (start < EMPTY || start > sp - WORD)
		return -EPROTO;
	*len = sp - WORD - start;
	memcpy(to, buf->mem + start, *len);
	write_word(buf, 0, start);
	return 0;
}
