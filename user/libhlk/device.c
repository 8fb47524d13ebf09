// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Which device has which port. What no device has reads as ones and takes what is written
 * to it, as on a PC.
 */
#include <linux/hlk_guest.h>

#include "device.h"

#define SLEEP_ENABLE	0x2000U	/* of ACPI's PM1 control register; S5 is type 0 */
#define SCI_ENABLED	0x01U	/* and of its low byte: ACPI is on, always */
#define PM_BYTES	6
#define PULSE_RESET	0xfeU
#define RTC_PORTS	2

static const struct {
	uint16_t port;
	uint16_t nr;
} ours[] = {
	{ HLK_PORT_SERIAL, HLK_SERIAL_PORTS },
	{ HLK_PORT_RTC, RTC_PORTS },
	{ HLK_PORT_KEYBOARD, 1 },
	{ HLK_PORT_DEBUG, 1 },
	{ HLK_PORT_EXIT, 1 },
	{ HLK_PORT_PM, PM_BYTES },
	{ HLK_GUEST_PORT_AGENT, 1 },
};

/**
 * hlk_devices_take() - whether an access is to one of the devices
 * @port: the port
 * @size: bytes; of which one is enough
 *
 * Return: whether it is
 */
bool hlk_devices_take(uint16_t port, unsigned int size)
{
	size_t i;

	for (i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		if (port < ours[i].port + ours[i].nr && port + size > ours[i].port)
			return true;
	return false;
}

static struct hlk_effect effect(enum hlk_effect_kind kind, uint32_t value)
{
	return (struct hlk_effect) { .kind = kind, .value = value };
}

/* Devices of one byte see a wider access as some to ports that follow. */
static struct hlk_effect out_byte(struct hlk_devices *devices, uint16_t port,
				  uint8_t value)
{
	uint8_t sent;

	if (port - HLK_PORT_SERIAL < HLK_SERIAL_PORTS &&
	    hlk_serial_write(&devices->serial, port - HLK_PORT_SERIAL, value,
			     &sent))
		return effect(HLK_EFFECT_PRINT, sent);
	if (port - HLK_PORT_RTC < RTC_PORTS)
		hlk_rtc_write(&devices->rtc, port - HLK_PORT_RTC, value);
	if (port - HLK_PORT_PM_ENABLE < sizeof(devices->pm.enable))
		devices->pm.enable[port - HLK_PORT_PM_ENABLE] = value;
	if (port == HLK_PORT_DEBUG)
		return effect(HLK_EFFECT_PRINT, value);
	if (port == HLK_PORT_KEYBOARD && value == PULSE_RESET)
		return effect(HLK_EFFECT_RESET, 0);
	return effect(HLK_EFFECT_NONE, 0);
}

/**
 * hlk_devices_out() - the guest writes to a port
 * @devices: the devices
 * @port: the port
 * @size: bytes: 1, 2 or 4
 * @value: what
 *
 * Return: what that does beside
 */
struct hlk_effect hlk_devices_out(struct hlk_devices *devices, uint16_t port,
				  unsigned int size, uint32_t value)
{
	struct hlk_effect done, first = effect(HLK_EFFECT_NONE, 0);
	unsigned int i;

	if (port == HLK_PORT_EXIT)
		return effect(HLK_EFFECT_EXIT, value);
	if (port == HLK_GUEST_PORT_AGENT) {
		if (size == sizeof(value))
			devices->agent.page = value;
		return effect(HLK_EFFECT_NONE, 0);
	}
	if (port == HLK_PORT_ACPI && size == 2)
		return effect(value & SLEEP_ENABLE ? HLK_EFFECT_OFF :
						     HLK_EFFECT_NONE, 0);
	for (i = 0; i < size; i++) {
		done = out_byte(devices, port + i, value >> (8 * i));
		if (!first.kind)
			first = done;
	}
	return first;
}

/* No event comes, so the status of all is 0. */
static uint8_t pm_read(const struct hlk_pm *pm, unsigned int port)
{
	if (port == HLK_PORT_ACPI)
		return SCI_ENABLED;
	if (port - HLK_PORT_PM_ENABLE < sizeof(pm->enable))
		return pm->enable[port - HLK_PORT_PM_ENABLE];
	return 0;
}

static uint8_t in_byte(struct hlk_devices *devices, uint16_t port, int64_t now)
{
	if (port - HLK_PORT_SERIAL < HLK_SERIAL_PORTS)
		return hlk_serial_read(&devices->serial, port - HLK_PORT_SERIAL);
	if (port - HLK_PORT_RTC < RTC_PORTS)
		return hlk_rtc_read(&devices->rtc, port - HLK_PORT_RTC, now);
	/* There is a port of that kind. */
	if (port == HLK_PORT_DEBUG)
		return HLK_PORT_DEBUG;
	/* Nothing to read, and it takes what is written */
	if (port == HLK_PORT_KEYBOARD)
		return 0;
	if (port - HLK_PORT_PM < PM_BYTES)
		return pm_read(&devices->pm, port);
	return 0xff;
}

/**
 * hlk_devices_in() - the guest reads from a port
 * @devices: the devices
 * @port: the port
 * @size: bytes: 1, 2 or 4
 * @now: the time, in seconds of the epoch
 *
 * Return: what it reads
 */
uint32_t hlk_devices_in(struct hlk_devices *devices, uint16_t port,
			unsigned int size, int64_t now)
{
	uint32_t value = 0;
	unsigned int i;

	for (i = 0; i < size; i++)
		value |= (uint32_t)in_byte(devices, port + i, now) << (8 * i);
	return value;
}
