// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The clock and memory of a PC's CMOS. The clock is the host's, in UTC; the guest
 * cannot set it, and it has no alarm.
 */
#include "device.h"

#include <time.h>

enum {
	SECONDS = 0x00,
	MINUTES = 0x02,
	HOURS = 0x04,
	WEEKDAY = 0x06,
	DAY = 0x07,
	MONTH = 0x08,
	YEAR = 0x09,
	STATUS_A = 0x0a,
	STATUS_B = 0x0b,
	STATUS_C = 0x0c,
	STATUS_D = 0x0d,
	FREE = 0x0e,
	CENTURY = 0x32,
};

#define INDEX_MASK	0x7f	/* the bit above keeps NMIs away */
#define A_32KHZ		0x26
#define B_24H		0x02
#define B_BINARY	0x04
#define D_VALID		0x80

static uint8_t coded(const struct hlk_rtc *rtc, int number)
{
	if (rtc->ram[STATUS_B] & B_BINARY)
		return number;
	return number / 10 % 10 << 4 | number % 10;
}

static uint8_t hour(const struct hlk_rtc *rtc, int number)
{
	if (rtc->ram[STATUS_B] & B_24H)
		return coded(rtc, number);
	return coded(rtc, number % 12 ? number % 12 : 12) | (number < 12 ? 0 : 0x80);
}

/**
 * hlk_rtc_write() - the guest writes to a port
 * @rtc: the clock
 * @reg: 0: which byte is meant, 1: that byte
 * @value: what
 */
void hlk_rtc_write(struct hlk_rtc *rtc, unsigned int reg, uint8_t value)
{
	if (!reg)
		rtc->index = value & INDEX_MASK;
	else if ((rtc->index >= FREE && rtc->index != CENTURY) ||
		 rtc->index == STATUS_B)
		rtc->ram[rtc->index & INDEX_MASK] = value;
}

/**
 * hlk_rtc_read() - the guest reads from a port
 * @rtc: the clock
 * @reg: as for hlk_rtc_write()
 * @now: the time, in seconds of the epoch
 *
 * Return: what it reads
 */
uint8_t hlk_rtc_read(const struct hlk_rtc *rtc, unsigned int reg, int64_t now)
{
	time_t seconds = now;
	struct tm tm = {};

	if (!reg)
		return 0xff;
	gmtime_r(&seconds, &tm);
	switch (rtc->index) {
	case SECONDS:
		return coded(rtc, tm.tm_sec);
	case MINUTES:
		return coded(rtc, tm.tm_min);
	case HOURS:
		return hour(rtc, tm.tm_hour);
	case WEEKDAY:
		return coded(rtc, tm.tm_wday + 1);
	case DAY:
		return coded(rtc, tm.tm_mday);
	case MONTH:
		return coded(rtc, tm.tm_mon + 1);
	case YEAR:
		return coded(rtc, tm.tm_year % 100);
	case CENTURY:
		return coded(rtc, 19 + tm.tm_year / 100);
	case STATUS_A:
		return A_32KHZ;
	case STATUS_D:
		return D_VALID;
	default:
		return rtc->ram[rtc->index & INDEX_MASK];
	}
}
