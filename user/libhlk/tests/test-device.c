// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Devices, by what a driver does to their ports. */
#include <stdlib.h>
#include <string.h>

#include "../device.h"
#include "tap.h"

#define COM	HLK_PORT_SERIAL
#define NOW	951827696LL	/* 29 February 2000, 12:34:56, a Tuesday */

static struct hlk_devices devices;

static struct hlk_effect out(uint16_t port, uint8_t value)
{
	return hlk_devices_out(&devices, port, 1, value);
}

static uint8_t in(uint16_t port)
{
	return hlk_devices_in(&devices, port, 1, NOW);
}

static bool irq(void)
{
	return hlk_serial_irq(&devices.serial);
}

static size_t receive(const char *text)
{
	return hlk_serial_receive(&devices.serial, text, strlen(text));
}

static void reset(void)
{
	memset(&devices, 0, sizeof(devices));
}

static void test_probe(void)
{
	uint8_t msr;

	reset();
	out(COM + 1, 0);
	tap(in(COM + 1) == 0, "IER is 0");
	out(COM + 1, 0xff);
	tap(in(COM + 1) == 0x0f, "IER has four bits");
	out(COM + 1, 0);
	out(COM + 4, 0x1a);
	msr = in(COM + 6) & 0xf0;
	tap(msr == 0x90, "the loop shows its lines: 0x%x", msr);
	out(COM + 4, 0);
	tap((in(COM + 6) & 0xf0) == 0xb0, "and without it somebody is there");
	out(COM + 2, 1);
	tap(in(COM + 2) == 0xc1, "a 16550A, with a FIFO");
	out(COM + 2, 0);
	tap(in(COM + 2) == 0x01, "that can be switched off");
	out(COM + 7, 0x5a);
	tap(in(COM + 7) == 0x5a, "scratch");
	out(COM + 3, 0x83);
	out(COM, 0x0c);
	out(COM + 1, 0x01);
	tap(in(COM) == 0x0c && in(COM + 1) == 1 && in(COM + 3) == 0x83, "divisor");
	out(COM + 3, 3);
	tap(in(COM) == 0 && in(COM + 1) == 0, "it is not data");
}

static void test_send(void)
{
	struct hlk_effect effect;

	reset();
	effect = out(COM, 'a');
	tap(effect.kind == HLK_EFFECT_PRINT && effect.value == 'a',
	    "a byte is printed");
	tap(in(COM + 5) == 0x60 && !irq(), "the transmitter is empty at once");
	out(COM + 4, 8);
	out(COM + 1, 2);
	tap(irq() && in(COM + 2) == 0x02, "it interrupts when that is enabled");
	tap(!irq() && in(COM + 2) == 0x01, "once");
	out(COM, 'b');
	tap(irq() && in(COM + 2) == 0x02 && !irq(), "and after each byte");
	out(COM, 'c');
	out(COM + 4, 0);
	tap(!irq(), "not without OUT2");
	out(COM + 4, 8);
	out(COM + 1, 0);
	tap(!irq(), "nor when it is off");
	out(COM + 4, 0x18);
	effect = out(COM, 'd');
	tap(effect.kind == HLK_EFFECT_NONE && in(COM + 5) == 0x61 &&
	    in(COM) == 'd' && in(COM + 5) == 0x60, "in a loop it comes back");
	tap(!receive("x"), "and nothing from outside comes in");
	out(COM, 'e');
	out(COM, 'f');
	tap(in(COM + 5) == 0x63 && in(COM) == 'e', "a byte too many is lost");
	out(COM + 4, 0);
	out(COM + 3, 0x80);
	effect = out(COM, 'g');
	tap(effect.kind == HLK_EFFECT_NONE, "the divisor is not printed");
}

static void test_receive(void)
{
	char text[HLK_SERIAL_FIFO + 1] = "0123456789abcdef";
	unsigned int round, i;
	bool good = true;

	reset();
	out(COM + 4, 8);
	tap(receive("xy") == 1, "without its FIFO one byte fits");
	out(COM + 1, 1);
	tap(irq() && in(COM + 2) == 0x04 && irq(), "it interrupts until it is read");
	tap(in(COM + 5) == 0x61 && in(COM) == 'x' && in(COM + 5) == 0x60 && !irq(),
	    "then no more");
	out(COM + 2, 1);
	for (round = 0; round < 5; round++) {
		good &= receive(text) == HLK_SERIAL_FIFO && !receive("x");
		for (i = 0; i < HLK_SERIAL_FIFO; i++)
			good &= in(COM) == (uint8_t)text[i];
		good &= receive("abc") == 3 && in(COM) == 'a' && in(COM) == 'b' &&
			in(COM) == 'c' && in(COM) == 0;
	}
	tap(good, "with it sixteen do, in their order");
	receive("abc");
	out(COM + 2, 3);
	tap(in(COM + 5) == 0x60 && in(COM) == 0, "the FIFO is cleared");
	receive("a");
	out(COM + 1, 3);
	out(COM, 'x');
	tap(in(COM + 2) == 0xc4 && in(COM) == 'a' && in(COM + 2) == 0xc2 &&
	    in(COM + 2) == 0xc1, "what is received comes before what is sent");
}

/* What a snapshot holds is bytes: any of them, since they may come from anywhere. */
static void test_any(unsigned int seed)
{
	uint8_t *bytes = (uint8_t *)&devices;
	unsigned int round, i;

	srand(seed);
	for (round = 0; round < 20000; round++) {
		for (i = 0; i < sizeof(devices); i++)
			bytes[i] = rand();
		for (i = 0; i < 20; i++) {
			uint16_t port = rand() % 4 ? (int)COM + rand() % 8 :
				rand() % 2 ? 0x70 + rand() % 2 : rand();
			unsigned int size = 1 << rand() % 3;

			if (rand() % 2)
				hlk_devices_out(&devices, port, size, rand());
			else
				hlk_devices_in(&devices, port, size,
					       rand() % 64 ? rand() : INT64_MAX);
			receive("some bytes");
		}
	}
	tap(true, "accesses in any state, seed %u", seed);
}

static uint8_t cmos(uint8_t index)
{
	out(0x70, index);
	return in(0x71);
}

static void test_rtc(void)
{
	reset();
	out(0x70, 0x0b);
	out(0x71, 0x02);
	tap(cmos(0) == 0x56 && cmos(2) == 0x34 && cmos(4) == 0x12 &&
	    cmos(7) == 0x29 && cmos(8) == 0x02 && cmos(9) == 0x00 &&
	    cmos(0x32) == 0x20 && cmos(6) == 3, "the clock, in BCD");
	tap(cmos(0x0a) == 0x26 && cmos(0x0d) == 0x80, "it is well, and at rest");
	out(0x70, 0x0b);
	out(0x71, 0x04);
	tap(cmos(0) == 56 && cmos(4) == (12 | 0x80), "binary, and of 12 hours");
	out(0x70, 4);
	out(0x71, 1);
	tap(cmos(4) == (12 | 0x80), "it cannot be set");
	out(0x70, 0x80 | 0x40);
	out(0x71, 0x77);
	tap(cmos(0x40) == 0x77 && in(0x70) == 0xff, "memory");
}

static void test_ports(void)
{
	struct hlk_effect effect;

	reset();
	effect = out(0xe9, 'x');
	tap(effect.kind == HLK_EFFECT_PRINT && effect.value == 'x' &&
	    in(0xe9) == 0xe9, "port 0xE9");
	effect = hlk_devices_out(&devices, 0x604, 2, 0x2000);
	tap(effect.kind == HLK_EFFECT_OFF, "ACPI: off");
	effect = hlk_devices_out(&devices, 0x604, 2, 0x0001);
	tap(effect.kind == HLK_EFFECT_NONE &&
	    hlk_devices_in(&devices, 0x604, 2, NOW) == 1, "ACPI: on");
	hlk_devices_out(&devices, 0x600, 4, 0x0120ffff);
	tap(hlk_devices_in(&devices, 0x600, 4, NOW) == 0x01200000,
	    "ACPI: events are enabled, and none comes");
	effect = out(0x604, 0x20);
	tap(effect.kind == HLK_EFFECT_NONE, "ACPI: by words");
	effect = out(0x64, 0xfe);
	tap(effect.kind == HLK_EFFECT_RESET, "reset by the keyboard's controller");
	effect = out(0x64, 0xd1);
	tap(effect.kind == HLK_EFFECT_NONE && in(0x64) == 0,
	    "which takes all else, and has nothing to say");
	effect = hlk_devices_out(&devices, 0xf4, 4, 0x1234);
	tap(effect.kind == HLK_EFFECT_EXIT && effect.value == 0x1234,
	    "the end, with a value");
	effect = hlk_devices_out(&devices, 0x3f8, 2, 0x0f41);
	tap(effect.kind == HLK_EFFECT_PRINT && effect.value == 'A' &&
	    in(0x3f9) == 0x0f, "a word is two bytes");
	tap(in(0xcfc) == 0xff && in(0x3f7) == 0xff && in(0x400) == 0xff &&
	    hlk_devices_in(&devices, 0xcfc, 4, NOW) == 0xffffffff,
	    "where there is nothing it reads as ones");
	out(0x80, 1);
	hlk_devices_out(&devices, 0xffff, 4, 0);
	hlk_devices_in(&devices, 0xffff, 4, NOW);
	effect = hlk_devices_out(&devices, 105, 4, 0x12345);
	tap(effect.kind == HLK_EFFECT_NONE && devices.agent.page == 0x12345,
	    "the agent's page");
	hlk_devices_out(&devices, 105, 1, 7);
	tap(devices.agent.page == 0x12345 && in(105) == 0xff, "and nothing else of it");
	tap(sizeof(devices) == 32 + 136 + 8 + 8, "the bytes of a snapshot");
}

int main(int argc, char **argv)
{
	test_probe();
	test_send();
	test_receive();
	test_rtc();
	test_ports();
	test_any(argc > 1 ? strtoul(argv[1], NULL, 0) : 1);
	return tap_done();
}
