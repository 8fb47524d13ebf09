// SPDX-License-Identifier: GPL-2.0-only
/* Packets of GDB's remote serial protocol: between '$' and '#', read and made. */
#include <stdio.h>
#include <string.h>

#include "packet.h"

#define ESCAPE		'}'
#define ESCAPED		0x20

static const char digits[] = "0123456789abcdef";

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/**
 * gdb_take_number() - a number of up to 16 digits
 * @text: what is left of a packet
 * @value: out: the number
 *
 * Return: whether there is one
 */
bool gdb_take_number(struct gdb_text *text, uint64_t *value)
{
	unsigned int nr = 0;

	*value = 0;
	while (text->at < text->end && hex_digit(*text->at) >= 0) {
		if (nr++ == 16)
			return false;
		*value = *value << 4 | hex_digit(*text->at++);
	}
	return nr;
}

/**
 * gdb_take_char() - this character
 * @text: what is left of a packet
 * @c: the character
 *
 * Return: whether it is there
 */
bool gdb_take_char(struct gdb_text *text, char c)
{
	if (text->at == text->end || *text->at != c)
		return false;
	text->at++;
	return true;
}

/**
 * gdb_take_word() - this word, if that is what comes next
 * @text: what is left of a packet
 * @word: the word
 *
 * Return: whether it is there
 */
bool gdb_take_word(struct gdb_text *text, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(text->end - text->at) < len || memcmp(text->at, word, len))
		return false;
	text->at += len;
	return true;
}

/**
 * gdb_is_over() - is nothing left?
 * @text: what is left of a packet
 *
 * Return: whether that is so
 */
bool gdb_is_over(const struct gdb_text *text)
{
	return text->at == text->end;
}

/**
 * gdb_take_bytes() - all that is left, as bytes
 * @text: what is left of a packet
 * @buf: out: the bytes
 * @len: how many they have to be
 *
 * Return: whether they are
 */
bool gdb_take_bytes(struct gdb_text *text, void *buf, size_t len)
{
	unsigned char *to = buf;
	int high, low;

	if ((size_t)(text->end - text->at) != 2 * len)
		return false;
	for (; len; len--, text->at += 2) {
		high = hex_digit(text->at[0]);
		low = hex_digit(text->at[1]);
		if (high < 0 || low < 0)
			return false;
		*to++ = high << 4 | low;
	}
	return true;
}

/* ---- the wire ---- */

static int next_byte(struct gdb *gdb)
{
	long got;

	if (gdb->at < gdb->filled)
		return gdb->input[gdb->at++];
	if (gdb->lost)
		return -1;
	got = gdb->target->receive(gdb->target->arg, gdb->input, sizeof(gdb->input));
	if (got <= 0 || (size_t)got > sizeof(gdb->input)) {
		gdb->lost = true;
		return -1;
	}
	gdb->filled = got;
	gdb->at = 1;
	return gdb->input[0];
}

static void send_bytes(struct gdb *gdb, const void *buf, size_t len)
{
	if (!gdb->lost && gdb->target->send(gdb->target->arg, buf, len))
		gdb->lost = true;
}

/**
 * gdb_put() - add to the answer, as far as there is room
 * @gdb: the connection
 * @text: what
 * @len: how much of it
 */
void gdb_put(struct gdb *gdb, const void *text, size_t len)
{
	if (len > sizeof(gdb->out) - gdb->out_len)
		len = sizeof(gdb->out) - gdb->out_len;
	memcpy(gdb->out + gdb->out_len, text, len);
	gdb->out_len += len;
}

/**
 * gdb_put_text() - the same, up to a 0
 * @gdb: the connection
 * @text: what
 */
void gdb_put_text(struct gdb *gdb, const char *text)
{
	gdb_put(gdb, text, strlen(text));
}

/**
 * gdb_put_bytes() - the same, by two digits for each byte
 * @gdb: the connection
 * @buf: the bytes
 * @len: how many
 */
void gdb_put_bytes(struct gdb *gdb, const void *buf, size_t len)
{
	const unsigned char *from = buf;
	char two[2];

	for (; len; len--, from++) {
		two[0] = digits[*from >> 4];
		two[1] = digits[*from & 15];
		gdb_put(gdb, two, 2);
	}
}

/**
 * gdb_put_number() - the same, a number
 * @gdb: the connection
 * @value: the number
 */
void gdb_put_number(struct gdb *gdb, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llx", (unsigned long long)value);
	gdb_put_text(gdb, text);
}

/**
 * gdb_put_error() - answer that something failed
 * @gdb: the connection
 * @code: an errno: numbers of two digits, which people look up
 */
void gdb_put_error(struct gdb *gdb, int code)
{
	unsigned char byte = code < 0 ? -code : code;

	gdb_put_text(gdb, "E");
	gdb_put_bytes(gdb, &byte, 1);
}

/**
 * gdb_put_done() - answer whether something failed
 * @gdb: the connection
 * @code: an errno, or 0
 */
void gdb_put_done(struct gdb *gdb, int code)
{
	if (code)
		gdb_put_error(gdb, code);
	else
		gdb_put_text(gdb, "OK");
}

/**
 * gdb_send_packet() - send the answer that was made
 * @gdb: the connection
 *
 * No byte of our answers wants to be escaped.
 */
void gdb_send_packet(struct gdb *gdb)
{
	unsigned char sum = 0;
	size_t i;

	for (i = 0; i < gdb->out_len; i++)
		sum += (unsigned char)gdb->out[i];
	gdb->sent[0] = '$';
	memcpy(gdb->sent + 1, gdb->out, gdb->out_len);
	gdb->sent_len = gdb->out_len + 1;
	gdb->sent[gdb->sent_len++] = '#';
	gdb->sent[gdb->sent_len++] = digits[sum >> 4];
	gdb->sent[gdb->sent_len++] = digits[sum & 15];
	gdb->out_len = 0;
	send_bytes(gdb, gdb->sent, gdb->sent_len);
}

/* Between packets: acknowledgements, and whatever else. -1: there will be none. */
static int find_packet(struct gdb *gdb)
{
	int c;

	for (;;) {
		c = next_byte(gdb);
		if (c < 0 || c == '$')
			return c;
		/* An interrupt that comes late finds the guest at rest. */
		if (c == '-' && !gdb->no_ack && gdb->sent_len)
			send_bytes(gdb, gdb->sent, gdb->sent_len);
	}
}

static bool sum_is_right(struct gdb *gdb, unsigned char sum)
{
	int high = next_byte(gdb);
	int low = next_byte(gdb);

	if (high < 0 || low < 0)
		return false;
	high = hex_digit(high);
	low = hex_digit(low);
	/* Without acknowledgements nobody can be told. */
	return gdb->no_ack || (high >= 0 && low >= 0 && (high << 4 | low) == sum);
}

/*
 * A packet up to its '#'. A new '$' begins it anew: what was before that was lost on its
 * way. Return: what it ended with, or -1.
 */
static int read_packet(struct gdb *gdb, unsigned char *sum, bool *fits)
{
	int c;

	for (;;) {
		*sum = 0;
		*fits = true;
		gdb->len = 0;
		while ((c = next_byte(gdb)) >= 0 && c != '#' && c != '$') {
			*sum += c;
			if (c == ESCAPE) {
				c = next_byte(gdb);
				if (c < 0)
					return c;
				*sum += c;
				c ^= ESCAPED;
			}
			if (gdb->len == GDB_PACKET)
				*fits = false;
			else
				gdb->packet[gdb->len++] = c;
		}
		if (c != '$')
			break;
	}
	gdb->packet[gdb->len] = '\0';
	return c;
}

/**
 * gdb_receive_packet() - have the next packet in @packet of the connection
 * @gdb: the connection
 * @fits: out: all of it is there
 *
 * Return: whether there is one
 */
bool gdb_receive_packet(struct gdb *gdb, bool *fits)
{
	unsigned char sum;

	for (;;) {
		if (find_packet(gdb) < 0 || read_packet(gdb, &sum, fits) < 0)
			return false;
		if (sum_is_right(gdb, sum))
			break;
		if (gdb->lost)
			return false;
		send_bytes(gdb, "-", 1);
	}
	if (!gdb->no_ack)
		send_bytes(gdb, "+", 1);
	return true;
}
