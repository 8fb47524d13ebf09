// SPDX-License-Identifier: GPL-2.0-only
/*
 * GDB's remote serial protocol, "all-stop", over anything that carries bytes.
 *
 * The guest is at rest while gdb talks: gdb_talk() answers packets until gdb wants the
 * guest to go on, and is called again when that stopped. All that is not protocol is the
 * target's, see struct gdb_target.
 *
 * Whoever is at the other end may send anything. What was received is in @input, what is
 * between '$' and '#' in @packet, never more than these have room for; a packet that is
 * longer is answered with an error. A number has up to 16 digits. What is not known is
 * answered by the empty packet, as the protocol has it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "gdb.h"
#include "packet.h"

#define INTERRUPT	0x03
#define ANY_THREAD	0
#define ALL_THREADS	UINT64_MAX

/* ---- processors, which gdb takes for threads numbered from 1 ---- */

/* A thread, ANY_THREAD or ALL_THREADS */
static bool take_thread(struct gdb_text *text, uint64_t *thread)
{
	if (gdb_take_char(text, '-')) {
		*thread = ALL_THREADS;
		return gdb_take_char(text, '1');
	}
	return gdb_take_number(text, thread) && *thread != ALL_THREADS;
}

static bool is_thread(const struct gdb *gdb, uint64_t thread)
{
	return thread && thread <= gdb->target->nr_cpus;
}

static void select_thread(struct gdb *gdb, struct gdb_text *text)
{
	char what = text->at < text->end ? *text->at++ : '\0';
	uint64_t thread;

	if ((what != 'g' && what != 'c') || !take_thread(text, &thread) ||
	    !gdb_is_over(text) || (thread != ANY_THREAD && thread != ALL_THREADS &&
			       !is_thread(gdb, thread))) {
		gdb_put_error(gdb, EINVAL);
		return;
	}
	if (what == 'c')
		gdb->cpu_c = is_thread(gdb, thread) ? thread - 1 : GDB_MAX_CPUS;
	else
		gdb->cpu_g = is_thread(gdb, thread) ? thread - 1 : gdb->stop.cpu;
	gdb_put_text(gdb, "OK");
}

static void is_alive(struct gdb *gdb, struct gdb_text *text)
{
	uint64_t thread;
	bool alive = take_thread(text, &thread) && gdb_is_over(text) && is_thread(gdb, thread);

	gdb_put_done(gdb, alive ? 0 : ESRCH);
}

static void list_threads(struct gdb *gdb)
{
	uint32_t i;

	gdb_put_text(gdb, "m");
	for (i = 0; i < gdb->target->nr_cpus; i++) {
		gdb_put_text(gdb, i ? "," : "");
		gdb_put_number(gdb, i + 1);
	}
}

static void put_stop(struct gdb *gdb)
{
	static const char * const why[GDB_POINTS] = {
		[GDB_SOFT] = "swbreak:;",
		[GDB_HARD] = "hwbreak:;",
		[GDB_WRITE] = "watch:",
		[GDB_READ] = "rwatch:",
		[GDB_ACCESS] = "awatch:",
	};
	const struct gdb_stop *stop = &gdb->stop;
	unsigned char byte = stop->exited ? stop->status : stop->signal;

	gdb_put_text(gdb, stop->exited ? "W" : "T");
	gdb_put_bytes(gdb, &byte, 1);
	if (stop->exited)
		return;
	if (stop->met) {
		gdb_put_text(gdb, why[stop->kind]);
		if (stop->kind >= GDB_WRITE) {
			gdb_put_number(gdb, stop->addr);
			gdb_put_text(gdb, ";");
		}
	}
	gdb_put_text(gdb, "thread:");
	gdb_put_number(gdb, stop->cpu + 1);
	gdb_put_text(gdb, ";");
}

/* ---- registers ---- */

static int get_regs(struct gdb *gdb, struct gdb_regs *regs)
{
	memset(regs, 0, sizeof(*regs));
	return gdb->target->get_regs(gdb->target->arg, gdb->cpu_g, regs);
}

static void set_reg(struct gdb_regs *regs, const struct gdb_reg *reg, const void *value)
{
	unsigned char *at = (unsigned char *)regs + reg->at;

	memset(at, 0, reg->room);
	memcpy(at, value, reg->size);
}

static void read_all(struct gdb *gdb)
{
	const struct gdb_reg *reg;
	struct gdb_regs regs;
	int ret = get_regs(gdb, &regs);
	uint64_t nr;

	if (ret) {
		gdb_put_error(gdb, ret);
		return;
	}
	for (nr = 0; (reg = gdb_reg(gdb->target->wide, nr)) != NULL; nr++)
		gdb_put_bytes(gdb, (unsigned char *)&regs + reg->at, reg->size);
}

static size_t size_of_all(const struct gdb *gdb)
{
	const struct gdb_reg *reg;
	size_t size = 0;
	uint64_t nr;

	for (nr = 0; (reg = gdb_reg(gdb->target->wide, nr)) != NULL; nr++)
		size += reg->size;
	return size;
}

static void write_all(struct gdb *gdb, struct gdb_text *text)
{
	const unsigned char *value = gdb->memory;
	const struct gdb_reg *reg;
	struct gdb_regs regs;
	uint64_t nr;
	int ret;

	if (!gdb_take_bytes(text, gdb->memory, size_of_all(gdb))) {
		gdb_put_error(gdb, EINVAL);
		return;
	}
	ret = get_regs(gdb, &regs);
	for (nr = 0; (reg = gdb_reg(gdb->target->wide, nr)) != NULL; nr++) {
		if (!reg->fixed)
			set_reg(&regs, reg, value);
		value += reg->size;
	}
	if (!ret)
		ret = gdb->target->set_regs(gdb->target->arg, gdb->cpu_g, &regs);
	gdb_put_done(gdb, ret);
}

static const struct gdb_reg *take_reg(struct gdb *gdb, struct gdb_text *text)
{
	uint64_t nr;

	return gdb_take_number(text, &nr) ? gdb_reg(gdb->target->wide, nr) : NULL;
}

static void read_one(struct gdb *gdb, struct gdb_text *text)
{
	const struct gdb_reg *reg = take_reg(gdb, text);
	struct gdb_regs regs;
	int ret = reg && gdb_is_over(text) ? get_regs(gdb, &regs) : EINVAL;

	if (ret)
		gdb_put_error(gdb, ret);
	else
		gdb_put_bytes(gdb, (unsigned char *)&regs + reg->at, reg->size);
}

static void write_one(struct gdb *gdb, struct gdb_text *text)
{
	const struct gdb_reg *reg = take_reg(gdb, text);
	unsigned char value[16] = {};
	struct gdb_regs regs;
	int ret;

	if (!reg || !gdb_take_char(text, '=') || !gdb_take_bytes(text, value, reg->size)) {
		gdb_put_error(gdb, EINVAL);
		return;
	}
	ret = reg->fixed ? EPERM : get_regs(gdb, &regs);
	if (!ret) {
		set_reg(&regs, reg, value);
		ret = gdb->target->set_regs(gdb->target->arg, gdb->cpu_g, &regs);
	}
	gdb_put_done(gdb, ret);
}

/* ---- memory ---- */

static bool take_range(struct gdb_text *text, uint64_t *addr, uint64_t *len)
{
	return gdb_take_number(text, addr) && gdb_take_char(text, ',') && gdb_take_number(text, len);
}

/* Fewer than were asked for are an answer, none are an error. */
static void read_memory(struct gdb *gdb, struct gdb_text *text)
{
	const struct gdb_target *target = gdb->target;
	uint64_t addr, len;
	size_t got;

	if (!take_range(text, &addr, &len) || !gdb_is_over(text)) {
		gdb_put_error(gdb, EINVAL);
		return;
	}
	if (len > sizeof(gdb->memory))
		len = sizeof(gdb->memory);
	got = target->read(target->arg, gdb->cpu_g, addr, gdb->memory, len);
	if (len && !got)
		gdb_put_error(gdb, EFAULT);
	else
		gdb_put_bytes(gdb, gdb->memory, got < len ? got : len);
}

static void write_memory(struct gdb *gdb, struct gdb_text *text, bool binary)
{
	const struct gdb_target *target = gdb->target;
	const void *data = gdb->memory;
	uint64_t addr, len;
	bool good;

	good = take_range(text, &addr, &len) && gdb_take_char(text, ':') &&
	       len <= sizeof(gdb->packet);
	if (good && binary) {
		data = text->at;
		good = (size_t)(text->end - text->at) == len;
	} else if (good) {
		good = len <= sizeof(gdb->memory) && gdb_take_bytes(text, gdb->memory, len);
	}
	if (!good)
		gdb_put_error(gdb, EINVAL);
	else
		gdb_put_done(gdb, len ? target->write(target->arg, gdb->cpu_g, addr, data, len) : 0);
}

static void set_point(struct gdb *gdb, struct gdb_text *text, bool insert)
{
	const struct gdb_target *target = gdb->target;
	uint64_t kind, addr, len;

	if (!gdb_take_number(text, &kind) || !gdb_take_char(text, ',') ||
	    !take_range(text, &addr, &len) || !gdb_is_over(text)) {
		gdb_put_error(gdb, EINVAL);
		return;
	}
	/* of a kind that is not known: nothing */
	if (kind < GDB_POINTS)
		gdb_put_done(gdb, target->point(target->arg, gdb->cpu_g, insert, kind, addr, len));
}

/* ---- going on ---- */

static bool anybody(const struct gdb *gdb)
{
	uint32_t i;

	for (i = 0; i < gdb->target->nr_cpus; i++)
		if (gdb->act[i] != GDB_STAY)
			return true;
	return false;
}

/* Those that are meant and were told nothing yet */
static void act(struct gdb *gdb, bool *told, uint64_t thread, enum gdb_act what)
{
	uint32_t i;

	for (i = 0; i < gdb->target->nr_cpus; i++) {
		if (told[i] || (thread != ALL_THREADS && thread != i + 1))
			continue;
		told[i] = true;
		gdb->act[i] = what;
	}
}

/* ";ACTION[:THREAD]", again and again; signals have no meaning for a processor */
static bool take_actions(struct gdb *gdb, struct gdb_text *text)
{
	bool told[GDB_MAX_CPUS] = {};
	uint64_t thread, signal;
	char what;

	memset(gdb->act, 0, sizeof(gdb->act));
	while (!gdb_is_over(text)) {
		if (!gdb_take_char(text, ';') || gdb_is_over(text))
			return false;
		what = *text->at++;
		if (what == 'C' || what == 'S') {
			if (!gdb_take_number(text, &signal))
				return false;
		} else if (what != 'c' && what != 's') {
			return false;
		}
		thread = ALL_THREADS;
		if (gdb_take_char(text, ':') && !take_thread(text, &thread))
			return false;
		if (thread == ANY_THREAD)
			thread = gdb->stop.cpu + 1;
		else if (thread != ALL_THREADS && !is_thread(gdb, thread))
			return false;
		act(gdb, told, thread, what == 'c' || what == 'C' ? GDB_CONTINUE : GDB_STEP);
	}
	return anybody(gdb);
}

static int set_ip(struct gdb *gdb, struct gdb_text *text)
{
	struct gdb_regs regs;
	uint64_t addr;
	int ret;

	if (gdb_is_over(text))
		return 0;
	if (!gdb_take_number(text, &addr) || !gdb_is_over(text))
		return EINVAL;
	ret = get_regs(gdb, &regs);
	regs.ip = addr;
	return ret ? ret : gdb->target->set_regs(gdb->target->arg, gdb->cpu_g, &regs);
}

/* c, C, s and S: of old, for who does not know vCont. Whether it is to go on */
static bool go(struct gdb *gdb, struct gdb_text *text, char what)
{
	bool step = what == 's' || what == 'S';
	uint64_t signal;
	uint32_t i;
	int ret = 0;

	if (what == 'C' || what == 'S') {
		if (!gdb_take_number(text, &signal))
			ret = EINVAL;
		else if (!gdb_take_char(text, ';') && !gdb_is_over(text))
			ret = EINVAL;
	}
	if (!ret)
		ret = set_ip(gdb, text);
	if (ret) {
		gdb_put_error(gdb, ret);
		return false;
	}
	for (i = 0; i < gdb->target->nr_cpus; i++)
		gdb->act[i] = step ? GDB_STAY : GDB_CONTINUE;
	if (step)
		gdb->act[gdb->cpu_c < gdb->target->nr_cpus ? gdb->cpu_c :
			 gdb->stop.cpu] = GDB_STEP;
	return true;
}

/* ---- questions ---- */

static void put_part(struct gdb *gdb, struct gdb_text *text, const char *whole, size_t size)
{
	uint64_t from, len;

	if (!take_range(text, &from, &len) || !gdb_is_over(text) || from > size) {
		gdb_put_error(gdb, EINVAL);
		return;
	}
	if (len > GDB_PACKET - 1)
		len = GDB_PACKET - 1;
	if (len >= size - from) {
		len = size - from;
		gdb_put_text(gdb, "l");
	} else {
		gdb_put_text(gdb, "m");
	}
	gdb_put(gdb, whole + from, len);
}

static void describe_threads(struct gdb *gdb, struct gdb_text *text)
{
	char xml[GDB_MAX_CPUS * 48 + 64];
	size_t len;
	uint32_t i;

	len = snprintf(xml, sizeof(xml), "<?xml version=\"1.0\"?><threads>");
	for (i = 0; i < gdb->target->nr_cpus; i++)
		len += snprintf(xml + len, sizeof(xml) - len,
				"<thread id=\"%x\" name=\"processor %u\"/>", i + 1, i);
	len += snprintf(xml + len, sizeof(xml) - len, "</threads>");
	put_part(gdb, text, xml, len);
}

static void describe_thread(struct gdb *gdb, struct gdb_text *text)
{
	char name[32];
	uint64_t thread;

	if (!take_thread(text, &thread) || !gdb_is_over(text) || !is_thread(gdb, thread)) {
		gdb_put_error(gdb, EINVAL);
		return;
	}
	snprintf(name, sizeof(name), "processor %u", (uint32_t)thread - 1);
	gdb_put_bytes(gdb, name, strlen(name));
}

/* Whether the talk is over; the answer is given when it goes on. */
static bool monitor(struct gdb *gdb, struct gdb_text *text)
{
	const struct gdb_target *target = gdb->target;
	size_t len = (text->end - text->at) / 2;
	char command[GDB_MAX_TEXT], answer[GDB_MAX_TEXT] = "";
	int ret;

	if (len >= sizeof(command) || !gdb_take_bytes(text, command, len)) {
		gdb_put_error(gdb, EINVAL);
		return false;
	}
	command[len] = '\0';
	ret = target->monitor(target->arg, command, answer, sizeof(answer));
	answer[sizeof(answer) - 1] = '\0';
	if (ret > 0) {
		gdb->asking = true;
		return true;
	}
	/* What is wrong is said by words, for gdb shows an error as a number. */
	if (*answer)
		gdb_put_bytes(gdb, answer, strlen(answer));
	else
		gdb_put_done(gdb, ret);
	return false;
}

static void support(struct gdb *gdb)
{
	char text[160];

	snprintf(text, sizeof(text),
		 "PacketSize=%x;QStartNoAckMode+;qXfer:features:read+;qXfer:threads:read+;vContSupported+;swbreak+;hwbreak+",
		 GDB_PACKET);
	gdb_put_text(gdb, text);
}

static void ask(struct gdb *gdb, struct gdb_text *text)
{
	if (gdb_take_word(text, "Supported")) {
		if (gdb_is_over(text) || *text->at == ':')
			support(gdb);
	} else if (gdb_take_word(text, "Xfer:features:read:target.xml:")) {
		put_part(gdb, text, gdb->xml, gdb->xml_len);
	} else if (gdb_take_word(text, "Xfer:features:read:")) {
		/* there is no other one */
		gdb_put_text(gdb, "E00");
	} else if (gdb_take_word(text, "Xfer:threads:read::")) {
		describe_threads(gdb, text);
	} else if (gdb_take_word(text, "ThreadExtraInfo,")) {
		describe_thread(gdb, text);
	} else if (gdb_take_word(text, "fThreadInfo")) {
		list_threads(gdb);
	} else if (gdb_take_word(text, "sThreadInfo")) {
		gdb_put_text(gdb, "l");
	} else if (gdb_take_word(text, "Attached")) {
		/* so that gdb leaves the guest when it ends */
		gdb_put_text(gdb, "1");
	} else if (gdb_take_word(text, "Symbol::")) {
		gdb_put_text(gdb, "OK");
	} else if (gdb_take_char(text, 'C') && gdb_is_over(text)) {
		gdb_put_text(gdb, "QC");
		gdb_put_number(gdb, gdb->cpu_g + 1);
	}
}

/* Whether the talk is over */
static bool verbose(struct gdb *gdb, struct gdb_text *text, enum gdb_wants *wants)
{
	if (gdb_take_word(text, "Cont?")) {
		gdb_put_text(gdb, "vCont;c;C;s;S");
	} else if (gdb_take_word(text, "Cont")) {
		if (take_actions(gdb, text)) {
			*wants = GDB_GO;
			return true;
		}
		gdb_put_error(gdb, EINVAL);
	} else if (gdb_take_word(text, "Kill")) {
		gdb_put_text(gdb, "OK");
		*wants = GDB_KILL;
		return true;
	}
	return false;
}

/* Whether the talk is over; what is in @out is the answer */
static bool answer(struct gdb *gdb, enum gdb_wants *wants)
{
	struct gdb_text text = { gdb->packet, gdb->packet + gdb->len };
	char what = gdb_is_over(&text) ? '\0' : *text.at++;

	switch (what) {
	case '?':
		put_stop(gdb);
		return false;
	case 'g':
		read_all(gdb);
		return false;
	case 'G':
		write_all(gdb, &text);
		return false;
	case 'p':
		read_one(gdb, &text);
		return false;
	case 'P':
		write_one(gdb, &text);
		return false;
	case 'm':
		read_memory(gdb, &text);
		return false;
	case 'M':
	case 'X':
		write_memory(gdb, &text, what == 'X');
		return false;
	case 'z':
	case 'Z':
		set_point(gdb, &text, what == 'Z');
		return false;
	case 'H':
		select_thread(gdb, &text);
		return false;
	case 'T':
		is_alive(gdb, &text);
		return false;
	case 'c':
	case 'C':
	case 's':
	case 'S':
		*wants = GDB_GO;
		return go(gdb, &text, what);
	case 'v':
		return verbose(gdb, &text, wants);
	case 'q':
		if (gdb_take_word(&text, "Rcmd,")) {
			*wants = GDB_AGAIN;
			return monitor(gdb, &text);
		}
		ask(gdb, &text);
		return false;
	case 'Q':
		if (gdb_take_word(&text, "StartNoAckMode"))
			gdb_put_text(gdb, "OK");
		return false;
	case 'D':
		gdb_put_text(gdb, "OK");
		*wants = GDB_DETACH;
		return true;
	case 'k':
		*wants = GDB_KILL;
		return true;
	default:
		return false;
	}
}

/* The answer to it is the last packet that is acknowledged. */
static void look_at_acks(struct gdb *gdb)
{
	if (gdb->len == strlen("QStartNoAckMode") && !strcmp(gdb->packet, "QStartNoAckMode"))
		gdb->no_ack = true;
}

/* What gdb waits for, since it let the guest go or gave a command */
static void greet(struct gdb *gdb)
{
	if (gdb->asking)
		gdb_put_text(gdb, "OK");
	else if (gdb->going)
		put_stop(gdb);
	else
		return;
	gdb->asking = false;
	gdb->going = false;
	gdb_send_packet(gdb);
}

/**
 * gdb_init() - begin with somebody who has connected
 * @gdb: out: the connection
 * @target: what is debugged; it has to stay
 */
void gdb_init(struct gdb *gdb, const struct gdb_target *target)
{
	memset(gdb, 0, sizeof(*gdb));
	gdb->target = target;
	gdb->cpu_c = GDB_MAX_CPUS;
	gdb->xml_len = gdb_reg_xml(target->wide, gdb->xml, sizeof(gdb->xml));
}

/**
 * gdb_interrupted() - what came behind the packet that lets the guest go
 * @gdb: the connection
 *
 * It is not looked at any more.
 *
 * Return: whether the guest is to stop again at once
 */
bool gdb_interrupted(struct gdb *gdb)
{
	bool interrupt = false;

	while (gdb->at < gdb->filled)
		interrupt |= gdb->input[gdb->at++] == INTERRUPT;
	return interrupt;
}

/**
 * gdb_talk() - answer gdb, until the guest is to go on
 * @gdb: the connection
 * @stop: why the guest is at rest
 *
 * Return: what gdb wants
 */
enum gdb_wants gdb_talk(struct gdb *gdb, const struct gdb_stop *stop)
{
	enum gdb_wants wants = GDB_GONE;
	bool over = false, fits;

	gdb->stop = *stop;
	gdb->cpu_g = stop->cpu;
	greet(gdb);
	while (!over) {
		if (!gdb_receive_packet(gdb, &fits))
			return GDB_GONE;
		if (!fits)
			gdb_put_error(gdb, E2BIG);
		else
			over = answer(gdb, &wants);
		if (over && wants == GDB_GO) {
			/* The answer is the next stop. */
			gdb->going = true;
			gdb->out_len = 0;
			break;
		}
		if (over && (wants == GDB_AGAIN || gdb->packet[0] == 'k'))
			break;
		gdb_send_packet(gdb);
		look_at_acks(gdb);
	}
	return wants;
}

/**
 * gdb_bye() - the guest is gone; who waits for it to stop is told
 * @gdb: the connection
 * @stop: how it ended
 */
void gdb_bye(struct gdb *gdb, const struct gdb_stop *stop)
{
	gdb->stop = *stop;
	greet(gdb);
}
