/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * The I/O buffers: stacks of byte strings in memory that the guest can write.
 *
 * A buffer starts with a u64, the offset of its first free byte. An element is
 * its bytes, then a u64: the offset at which the element starts.
 */
#ifndef LIBHLK_BUFFER_H
#define LIBHLK_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/**
 * struct hlk_buffer - one of the two buffers
 * @mem: page aligned, in a mapping of the window
 * @size: bytes, a multiple of the page size
 * @written: bytes from the start on that can be written without a fault that
 *	could fail, a multiple of the page size
 * @read: bytes from the start on that can be read so
 */
struct hlk_buffer {
	unsigned char *mem;
	uint32_t size;
	uint32_t written;
	uint32_t read;
};

int hlk_populate(void *mem, size_t bytes, bool write);
void hlk_buffer_forget(struct hlk_buffer *buf);
int hlk_buffer_reset(struct hlk_buffer *buf);
int hlk_buffer_push(struct hlk_buffer *buf, const struct iovec *part,
		    unsigned int nr);
int hlk_buffer_pop(struct hlk_buffer *buf, void *to, uint32_t *len);
size_t hlk_buffer_room(const struct hlk_buffer *buf);

#endif /* LIBHLK_BUFFER_H */
