// SPDX-License-Identifier: GPL-2.0-only
/* The protocol of gdb: what it says to packets, good ones and others. */
#include <stdint.h>
#include <stdio.h>

#include "../../libhlk/tests/tap.h"
#include "played-gdb.h"

static struct played_gdb played;
static const struct gdb_stop trap = { .signal = GDB_SIGTRAP };

/* "$@body#sum", where a sum is wanted; returns its length */
static size_t frame(char *to, const char *body, size_t len)
{
	unsigned char sum = 0;
	size_t i;

	to[0] = '$';
	memcpy(to + 1, body, len);
	for (i = 0; i < len; i++)
		sum += (unsigned char)body[i];
	return 1 + len + sprintf(to + 1 + len, "#%02x", sum);
}

static enum gdb_wants wants;

/* The answer to a packet, without what frames it; "none" if there is none */
static const char *ask_bytes(const char *body, size_t len)
{
	static char say[3 * GDB_PACKET], answer[sizeof(played.heard)];
	char *begin, *end;

	wants = played_talk(&played, say, frame(say, body, len), &trap);
	begin = strchr(played.heard, '$');
	end = begin ? strchr(begin, '#') : NULL;
	if (!end)
		return "none";
	memcpy(answer, begin + 1, end - begin - 1);
	answer[end - begin - 1] = '\0';
	return answer;
}

static const char *ask(const char *body)
{
	return ask_bytes(body, strlen(body));
}

static void is(const char *body, const char *want)
{
	const char *got = ask(body);

	tap(!strcmp(got, want), "%.40s: %.60s", body, got);
}

/* What is not known gets the empty answer, what makes no sense an error */
static void test_table(void)
{
	static const char * const unknown[] = {
		"", "!", "vMustReplyEmpty", "vFile:open:2f,0,0", "vRun;61", "vAttach;1", "qNone",
		"QNone:1", "x1000,4", "R00", "Z9,1000,1", "z5,0,0", "bc", "bs", "qTStatus",
		"qOffsets", "jThreadsInfo", "QThreadSuffixSupported", "A4,0,61", "i", "t",
		"qL1160000000000000000", "_M1000,1", "qXfer:auxv:read::0,1000", "QPassSignals:e",
		"qSupportedNot", "\x01", "\xff",
	};
	static const struct {
		const char *body;
		const char *want;
	} known[] = {
		{ "?", "T05thread:1;" }, { "qAttached", "1" }, { "qC", "QC1" },
		{ "qfThreadInfo", "m1,2" }, { "qsThreadInfo", "l" }, { "T1", "OK" }, { "T2", "OK" },
		{ "T3", "E03" }, { "T0", "E03" }, { "Tx", "E03" }, { "T-1", "E03" },
		{ "Hg2", "OK" }, { "Hg0", "OK" }, { "Hg-1", "OK" }, { "Hc-1", "OK" },
		{ "Hg3", "E16" }, { "Hx1", "E16" }, { "H", "E16" }, { "Hg", "E16" },
		{ "Hg11111111111111111", "E16" }, { "Hgffffffffffffffff", "E16" },
		{ "qSymbol::", "OK" }, { "qThreadExtraInfo,2", "70726f636573736f722031" },
		{ "qThreadExtraInfo,9", "E16" }, { "vCont?", "vCont;c;C;s;S" },
		{ "m1000,0", "" }, { "m1000,4", "00010203" }, { "m1ffe,8", "feff" },
		{ "m2000,1", "E0e" }, { "mffffffffffffffff,2", "E0e" }, { "m1000", "E16" },
		{ "m1000,", "E16" }, { "m,4", "E16" }, { "m1000,4x", "E16" }, { "m1000,-1", "E16" },
		{ "m10000000000001000,4", "E16" },
		{ "M1000,2:aabb", "OK" }, { "M1000,2:aab", "E16" }, { "M1000,2:aabbcc", "E16" },
		{ "M1000,2:xxxx", "E16" }, { "M1000,2", "E16" }, { "M2000,1:00", "E0e" },
		{ "M1000,ffffffffffffffff:", "E16" }, { "M1000,0:", "OK" }, { "X1000,0:", "OK" },
		{ "X1000,3:ab", "E16" }, { "X1000,8000000000000001:a", "E16" },
		{ "Z0,1000,1", "OK" }, { "z0,1000,1", "OK" }, { "Z2,1000,9", "E16" },
		{ "Z0,1000", "E16" }, { "Z0", "E16" }, { "Z,1000,1", "E16" }, { "Z0,1000,1;X1,00", "E16" },
		{ "p8", "78563412" }, { "p999", "E16" }, { "p", "E16" }, { "P8", "E16" },
		{ "P8=1", "E16" }, { "P8=0102030405", "E16" }, { "Pa=01000000", "E01" },
		{ "G00", "E16" }, { "qXfer:features:read:none.xml:0,10", "E00" },
		{ "qXfer:features:read:target.xml:0", "E16" },
		{ "qXfer:features:read:target.xml:ffffffff,10", "E16" },
		{ "qXfer:features:read:target.xml:0,5", "m<?xml" },
		{ "qXfer:threads:read::0,5", "m<?xml" },
		{ "vCont", "E16" }, { "vCont;", "E16" }, { "vCont;x", "E16" }, { "vCont;c:3", "E16" },
		{ "vCont;c:", "E16" }, { "vCont;C", "E16" }, { "vContc", "E16" },
		{ "C", "E16" }, { "c1x", "E16" }, { "S05x", "E16" }, { "qRcmd,6", "E16" },
		{ "qRcmd,zz", "E16" },
	};
	size_t i;

	played_begin(&played, 2, false);
	for (i = 0; i < 256; i++)
		played.memory[i] = i;
	for (i = 0; i < 256; i++)
		played.memory[PLAYED_SIZE - 256 + i] = i;
	played.regs[0].ip = 0x12345678;
	for (i = 0; i < sizeof(unknown) / sizeof(*unknown); i++)
		is(unknown[i], "");
	for (i = 0; i < sizeof(known) / sizeof(*known); i++)
		is(known[i].body, known[i].want);
	tap(played.memory[0] == 0xaa && played.memory[1] == 0xbb && played.memory[2] == 2,
	    "what was written is there");
}

static void test_binary(void)
{
	char body[] = "X1010,4:}\x03}\x04}]\x00";

	played_begin(&played, 1, true);
	tap(!strcmp(ask_bytes(body, sizeof(body) - 1), "OK") &&
	    !memcmp(played.memory + 0x10, "#$}\0", 4), "bytes that are escaped");
}

static void test_regs(void)
{
	static const char * const names[] = { "eax", "rax" };
	char body[2 * GDB_PACKET];
	const char *got;
	size_t len, i;
	int wide;

	for (wide = 0; wide < 2; wide++) {
		played_begin(&played, 2, wide);
		for (i = 0; i < sizeof(played.regs[1]); i++)
			((unsigned char *)&played.regs[1])[i] = i * 7;
		ask("Hg2");
		/* each talk begins with the processor that stopped */
		played.regs[0] = played.regs[1];
		got = ask("g");
		len = strlen(got);
		tap(len > 300 && len % 2 == 0, "%s and all others: %zu", names[wide], len / 2);
		snprintf(body, sizeof(body), "G%s", got);
		memset(&played.regs[0].gpr, 0, sizeof(played.regs[0].gpr));
		memset(played.regs[0].xmm, 0, sizeof(played.regs[0].xmm));
		tap(!strcmp(ask(body), "OK") && played.regs[0].gpr[GDB_DI] ==
		    (wide ? played.regs[1].gpr[GDB_DI] : (uint32_t)played.regs[1].gpr[GDB_DI]) &&
		    !memcmp(played.regs[0].xmm[7], played.regs[1].xmm[7], 16) &&
		    played.regs[0].cr[0] == played.regs[1].cr[0], "they come back");
		body[len] = '\0';
		tap(!strcmp(ask(body), "E16"), "but not if one is cut");
		tap(!strcmp(ask(wide ? "P0=1122334455667788" : "P0=11223344"), "OK") &&
		    played.regs[0].gpr[GDB_AX] == (wide ? 0x8877665544332211 : 0x44332211),
		    "one of them");
	}
}

/* The pieces of a description, put together, name each register once */
static void test_xml(void)
{
	char xml[GDB_MAX_XML + 1], body[80];
	const struct gdb_reg *reg;
	uint64_t nr, at, whole = 0;
	const char *got;
	size_t len;
	int wide;

	for (wide = 0; wide < 2; wide++) {
		bool good = true;

		played_begin(&played, 1, wide);
		xml[0] = '\0';
		for (at = 0; at < GDB_MAX_XML; at += len) {
			snprintf(body, sizeof(body), "qXfer:features:read:target.xml:%llx,199",
				 (unsigned long long)at);
			got = ask(body);
			len = strlen(got + 1);
			memcpy(xml + at, got + 1, len + 1);
			if (*got == 'l')
				break;
		}
		at = 0;
		for (nr = 0; (reg = gdb_reg(wide, nr)) != NULL; nr++) {
			snprintf(body, sizeof(body), "<reg name=\"%s\" bitsize=\"%u\"",
				 reg->name, reg->size * 8);
			got = strstr(xml + at, body);
			good = good && got;
			at = got ? (size_t)(got - xml) : at;
			good = good && reg->size <= reg->room &&
			       reg->at + reg->room <= sizeof(struct gdb_regs);
		}
		whole = strlen(xml);
		tap(good && strstr(xml, "</feature></target>") == xml + whole - 19,
		    "a description of %llu registers in %llu bytes", (unsigned long long)nr,
		    (unsigned long long)whole);
		tap(!strpbrk(xml, "#$}*"), "with nothing to be escaped");
	}
}

static bool acts(enum gdb_act a, enum gdb_act b, enum gdb_act c)
{
	return wants == GDB_GO && played.gdb.act[0] == a && played.gdb.act[1] == b &&
	       played.gdb.act[2] == c;
}

static void test_going(void)
{
	static const struct {
		const char *body;
		enum gdb_act act[3];
	} go[] = {
		{ "vCont;c", { GDB_CONTINUE, GDB_CONTINUE, GDB_CONTINUE } },
		{ "vCont;s:2", { GDB_STAY, GDB_STEP, GDB_STAY } },
		{ "vCont;s:2;c", { GDB_CONTINUE, GDB_STEP, GDB_CONTINUE } },
		{ "vCont;c:1;s:3", { GDB_CONTINUE, GDB_STAY, GDB_STEP } },
		{ "vCont;S05:1;C0b:-1", { GDB_STEP, GDB_CONTINUE, GDB_CONTINUE } },
		{ "vCont;s:0", { GDB_STEP, GDB_STAY, GDB_STAY } },
		{ "c", { GDB_CONTINUE, GDB_CONTINUE, GDB_CONTINUE } },
		{ "C05", { GDB_CONTINUE, GDB_CONTINUE, GDB_CONTINUE } },
		{ "s", { GDB_STEP, GDB_STAY, GDB_STAY } },
		{ "s4321", { GDB_STEP, GDB_STAY, GDB_STAY } },
	};
	struct gdb_stop stop = { .cpu = 2, .signal = GDB_SIGTRAP, .met = true,
				 .kind = GDB_WRITE, .addr = 0x1234 };
	size_t i;

	played_begin(&played, 3, false);
	for (i = 0; i < sizeof(go) / sizeof(*go); i++) {
		ask(go[i].body);
		tap(acts(go[i].act[0], go[i].act[1], go[i].act[2]), "%s", go[i].body);
	}
	tap(played.regs[0].ip == 0x4321, "a step from another address");
	played_talk(&played, "", 0, &stop);
	tap(!strcmp(played.heard, "$T05watch:1234;thread:3;#2f"), "it stops: %s", played.heard);
	ask("vCont;c");
	stop.exited = true;
	stop.status = 3;
	played.heard_len = 0;
	gdb_bye(&played.gdb, &stop);
	tap(!strcmp(played.heard, "$W03#ba"), "it ends: %s", played.heard);
	tap(!strcmp(ask("D"), "OK") && wants == GDB_DETACH, "gdb leaves");
	ask("k");
	tap(wants == GDB_KILL, "gdb ends it");
	tap(!strcmp(ask("vKill;1"), "OK") && wants == GDB_KILL, "politely");
}

static void test_monitor(void)
{
	played_begin(&played, 1, false);
	tap(!strcmp(ask("qRcmd,68656c70"), "OK") && !strcmp(played.command, "help"), "a command");
	played.answer = "hm\n";
	is("qRcmd,68656c70", "686d0a");
	played.answer = NULL;
	played.monitored = -5;
	is("qRcmd,68656c70", "E05");
	played.monitored = 1;
	tap(!strcmp(ask("qRcmd,6162"), "none") && wants == GDB_AGAIN,
	    "one that ends the talk is not answered");
	played_talk(&played, "", 0, &trap);
	tap(!strcmp(played.heard, "$OK#9a"), "but when it begins again");
}

/* Acknowledgements, sums that are wrong, and packets that are cut or too long */
static void test_wire(void)
{
	static char big[3 * GDB_PACKET], say[3 * GDB_PACKET + 8];
	const char *text;
	size_t len;

	played_begin(&played, 1, false);
	text = "+$qC#00$qC#b4";
	wants = played_talk(&played, text, strlen(text), &trap);
	tap(!strcmp(played.heard, "-+$QC1#c5") && wants == GDB_GONE, "a wrong sum: %s", played.heard);
	text = "-";
	played_talk(&played, text, 1, &trap);
	tap(!strcmp(played.heard, "$QC1#c5"), "once more: %s", played.heard);
	text = "$g1234$qC#b4";
	played_talk(&played, text, strlen(text), &trap);
	tap(!strcmp(played.heard, "+$QC1#c5"), "half a packet before it: %s", played.heard);
	text = "\x03$$$#00\x03xyz#$qC#b4";
	played_talk(&played, text, strlen(text), &trap);
	tap(strstr(played.heard, "$QC1#c5"), "noise: %s", played.heard);
	memset(big, 'm', sizeof(big));
	len = frame(say, big, sizeof(big) - 1);
	played_talk(&played, say, len, &trap);
	tap(!strcmp(played.heard, "+$E07#ac"), "a packet that is too long: %s", played.heard);
	text = "$QStartNoAckMode#b0+$qC#00";
	played_talk(&played, text, strlen(text), &trap);
	tap(!strcmp(played.heard, "+$OK#9a$QC1#c5"), "without acknowledgements: %s", played.heard);
	text = "$vCont;c#a8\x03";
	tap(played_talk(&played, text, strlen(text), &trap) == GDB_GO &&
	    gdb_interrupted(&played.gdb) && !gdb_interrupted(&played.gdb),
	    "an interrupt at once");
	played.deaf = true;
	tap(played_talk(&played, "$qC#b4$qC#b4", 12, &trap) == GDB_GONE,
	    "who does not listen is gone");
}

/* ---- anything ---- */

static const char * const seeds[] = {
	"?", "g", "m1000,40", "M1000,4:00112233", "X1ff0,4:abcd", "Z0,1000,1", "z2,1000,4", "Hg2",
	"Hc-1", "T1", "p8", "P8=00112233", "vCont;s:1;c", "vCont?", "qSupported:swbreak+", "c", "s1000",
	"qXfer:features:read:target.xml:0,ffb", "qXfer:threads:read::0,ffb", "qRcmd,726573746f7265",
	"QStartNoAckMode", "qfThreadInfo", "qThreadExtraInfo,1", "D", "k", "vKill;1", "C05;1000",
};

static uint32_t state = 1;

static uint32_t draw(uint32_t below)
{
	state = state * 1664525 + 1013904223;
	return (state >> 8) % below;
}

static size_t mutate(char *to, size_t room)
{
	static const char interesting[] = "$#}+-:;,=0fF\x03\xff";
	size_t len = 0, at, part, n;
	uint32_t i, nr = 1 + draw(6);

	for (i = 0; i < nr; i++) {
		const char *seed = seeds[draw(sizeof(seeds) / sizeof(*seeds))];
		char body[128];

		part = strlen(seed);
		memcpy(body, seed, part);
		for (n = draw(4); part && n; n--) {
			at = draw(part);
			body[at] = draw(2) ? interesting[draw(sizeof(interesting))] : (char)draw(256);
		}
		part -= part && !draw(4) ? draw(part) : 0;
		if (len + part + 4 > room)
			break;
		len += frame(to + len, body, part);
	}
	return len;
}

static void test_random(void)
{
	char say[1024];
	uint32_t i;

	for (i = 0; i < 100000; i++) {
		/* a new one is long to begin with: now and then */
		if (i % 16 == 0) {
			played_begin(&played, 1 + draw(GDB_MAX_CPUS), draw(2));
			played.monitored = (int)draw(3) - 1;
			played.answer = draw(2) ? "text" : NULL;
		}
		played.chunk = 1 + draw(sizeof(say));
		played_all(&played, say, mutate(say, sizeof(say)));
	}
	tap(true, "100000 times anything");
}

int main(void)
{
	test_table();
	test_binary();
	test_regs();
	test_xml();
	test_going();
	test_monitor();
	test_wire();
	test_random();
	return tap_done();
}
