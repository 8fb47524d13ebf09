/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Devices of a machine. Each is a struct of plain bytes, without pointers, that is part
 * of a snapshot as it is; what happens to it is an access to a port, or a byte of input.
 */
#ifndef LIBHLK_DEVICE_H
#define LIBHLK_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HLK_PORT_SERIAL		0x3f8U
#define HLK_PORT_RTC		0x70U
#define HLK_PORT_KEYBOARD	0x64U
#define HLK_PORT_DEBUG		0xe9U
#define HLK_PORT_EXIT		0xf4U
#define HLK_PORT_PM		0x600U
#define HLK_PORT_PM_ENABLE	0x602U
#define HLK_PORT_ACPI		0x604U

#define HLK_SERIAL_PORTS	8
#define HLK_SERIAL_FIFO		16
#define HLK_SERIAL_IRQ		4

/**
 * struct hlk_serial - a 16550A that sends at once
 * @ier: interrupts that are enabled
 * @fcr: FIFO control
 * @lcr: line control
 * @mcr: modem control
 * @scr: scratch
 * @dll: divisor, low
 * @dlm: divisor, high
 * @sent: the transmitter got empty, and nobody was told yet
 * @overrun: a byte was lost, and nobody was told yet
 * @head: place of the next byte in @fifo
 * @nr: bytes in @fifo
 * @__pad: 0
 * @fifo: what was received and not read yet
 */
struct hlk_serial {
	uint8_t ier;
	uint8_t fcr;
	uint8_t lcr;
	uint8_t mcr;
	uint8_t scr;
	uint8_t dll;
	uint8_t dlm;
	uint8_t sent;
	uint8_t overrun;
	uint8_t head;
	uint8_t nr;
	uint8_t __pad[5];
	uint8_t fifo[HLK_SERIAL_FIFO];
};

bool hlk_serial_write(struct hlk_serial *serial, unsigned int reg, uint8_t value,
		      uint8_t *sent);
uint8_t hlk_serial_read(struct hlk_serial *serial, unsigned int reg);
size_t hlk_serial_receive(struct hlk_serial *serial, const void *data, size_t len);
bool hlk_serial_irq(const struct hlk_serial *serial);

/**
 * struct hlk_rtc - the clock and memory of a PC's CMOS
 * @index: which byte is meant
 * @__pad: 0
 * @ram: bytes; those of the clock are not kept here
 */
struct hlk_rtc {
	uint8_t index;
	uint8_t __pad[7];
	uint8_t ram[128];
};

void hlk_rtc_write(struct hlk_rtc *rtc, unsigned int reg, uint8_t value);
uint8_t hlk_rtc_read(const struct hlk_rtc *rtc, unsigned int reg, int64_t now);

/**
 * struct hlk_pm - ACPI's registers of power management
 * @enable: events that are enabled, of which none comes
 * @__pad: 0
 */
struct hlk_pm {
	uint8_t enable[2];
	uint8_t __pad[6];
};

/**
 * struct hlk_agent_port - where a guest's agent has its page
 * @page: the page's number, or 0; see struct hlk_guest_agent
 * @__pad: 0
 */
struct hlk_agent_port {
	uint32_t page;
	uint32_t __pad;
};

/**
 * struct hlk_devices - all devices of a machine
 * @serial: COM1
 * @rtc: the clock
 * @pm: power management
 * @agent: the agent's port
 */
struct hlk_devices {
	struct hlk_serial serial;
	struct hlk_rtc rtc;
	struct hlk_pm pm;
	struct hlk_agent_port agent;
};

/**
 * enum hlk_effect_kind - what an access to a port does beside
 * @HLK_EFFECT_NONE: nothing
 * @HLK_EFFECT_PRINT: a byte was printed
 * @HLK_EFFECT_OFF: the machine is switched off
 * @HLK_EFFECT_RESET: it is reset
 * @HLK_EFFECT_EXIT: the guest ends, with a value
 */
enum hlk_effect_kind {
	HLK_EFFECT_NONE = 0,
	HLK_EFFECT_PRINT,
	HLK_EFFECT_OFF,
	HLK_EFFECT_RESET,
	HLK_EFFECT_EXIT,
};

/**
 * struct hlk_effect - what an access to a port does
 * @kind: what
 * @value: the byte that is printed, or the value of the end
 */
struct hlk_effect {
	enum hlk_effect_kind kind;
	uint32_t value;
};

struct hlk_effect hlk_devices_out(struct hlk_devices *devices, uint16_t port,
				  unsigned int size, uint32_t value);
bool hlk_devices_take(uint16_t port, unsigned int size);
uint32_t hlk_devices_in(struct hlk_devices *devices, uint16_t port,
			unsigned int size, int64_t now);

#endif /* LIBHLK_DEVICE_H */
