/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run --gdb: packets; see packet.c. */
#ifndef HLK_RUN_DEBUG_PACKET_H
#define HLK_RUN_DEBUG_PACKET_H

#include "talk.h"

/**
 * struct gdb_text - what is left to read of a packet
 * @at: the next character
 * @end: behind the last one
 */
struct gdb_text {
	const char *at;
	const char *end;
};

void gdb_put(struct gdb *gdb, const void *text, size_t len);
void gdb_put_text(struct gdb *gdb, const char *text);
void gdb_put_bytes(struct gdb *gdb, const void *buf, size_t len);
void gdb_put_number(struct gdb *gdb, uint64_t value);
void gdb_put_error(struct gdb *gdb, int code);
void gdb_put_done(struct gdb *gdb, int code);
void gdb_send_packet(struct gdb *gdb);
bool gdb_receive_packet(struct gdb *gdb, bool *fits);
bool gdb_take_number(struct gdb_text *text, uint64_t *value);
bool gdb_take_char(struct gdb_text *text, char c);
bool gdb_take_word(struct gdb_text *text, const char *word);
bool gdb_take_bytes(struct gdb_text *text, void *buf, size_t len);
bool gdb_is_over(const struct gdb_text *text);

#endif /* HLK_RUN_DEBUG_PACKET_H */
