// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * A 16550A. It sends a byte in no time, so the transmitter is always empty; that it
 * got empty is told once for each time it was given something.
 */
#include "device.h"

/* registers; those below 2 are others with LCR_DLAB */
enum {
	DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR,
};

#define FCR			IIR	/* when it is written */

#define IER_RECEIVED		0x01
#define IER_SENT		0x02
#define IER_LINE		0x04
#define IER_ALL			0x0f

#define IIR_NONE		0x01
#define IIR_SENT		0x02
#define IIR_RECEIVED		0x04
#define IIR_LINE		0x06
#define IIR_FIFO		0xc0

#define FCR_ENABLE		0x01
#define FCR_CLEAR		0x02

#define LCR_DLAB		0x80

#define MCR_DTR			0x01
#define MCR_RTS			0x02
#define MCR_OUT1		0x04
#define MCR_OUT2		0x08
#define MCR_LOOP		0x10
#define MCR_ALL			0x1f

#define LSR_DATA		0x01
#define LSR_OVERRUN		0x02
#define LSR_EMPTY		0x60

#define MSR_CTS			0x10
#define MSR_DSR			0x20
#define MSR_RI			0x40
#define MSR_DCD			0x80

/* Without its FIFO it holds one byte. */
static unsigned int depth(const struct hlk_serial *serial)
{
	return serial->fcr & FCR_ENABLE ? HLK_SERIAL_FIFO : 1;
}

static bool push(struct hlk_serial *serial, uint8_t byte)
{
	if (serial->nr >= depth(serial))
		return false;
	serial->fifo[(serial->head + serial->nr++) % HLK_SERIAL_FIFO] = byte;
	return true;
}

static uint8_t pop(struct hlk_serial *serial)
{
	uint8_t byte = serial->fifo[serial->head % HLK_SERIAL_FIFO];

	if (!serial->nr)
		return 0;
	serial->head = (serial->head + 1) % HLK_SERIAL_FIFO;
	serial->nr--;
	return byte;
}

/* What interrupts, of those that are enabled, most urgent first */
static uint8_t pending(const struct hlk_serial *serial)
{
	if (serial->ier & IER_LINE && serial->overrun)
		return IIR_LINE;
	if (serial->ier & IER_RECEIVED && serial->nr)
		return IIR_RECEIVED;
	if (serial->ier & IER_SENT && serial->sent)
		return IIR_SENT;
	return IIR_NONE;
}

/**
 * hlk_serial_irq() - whether the serial port interrupts
 * @serial: the port
 *
 * Return: level of its interrupt line
 */
bool hlk_serial_irq(const struct hlk_serial *serial)
{
	return serial->mcr & MCR_OUT2 && !(serial->mcr & MCR_LOOP) &&
	       pending(serial) != IIR_NONE;
}

static bool send(struct hlk_serial *serial, uint8_t value, uint8_t *sent)
{
	serial->sent = 1;
	if (!(serial->mcr & MCR_LOOP)) {
		*sent = value;
		return true;
	}
	if (!push(serial, value))
		serial->overrun = 1;
	return false;
}

static void set_fcr(struct hlk_serial *serial, uint8_t value)
{
	if (value & FCR_CLEAR || (value ^ serial->fcr) & FCR_ENABLE)
		serial->nr = 0;
	serial->fcr = value & FCR_ENABLE;
}

/* An empty transmitter interrupts as soon as it may. */
static void set_ier(struct hlk_serial *serial, uint8_t value)
{
	if (value & IER_SENT && !(serial->ier & IER_SENT))
		serial->sent = 1;
	serial->ier = value & IER_ALL;
}

/**
 * hlk_serial_write() - the guest writes to a register
 * @serial: the port
 * @reg: which one; below HLK_SERIAL_PORTS
 * @value: what
 * @sent: out: the byte that was sent
 *
 * Return: whether one was
 */
bool hlk_serial_write(struct hlk_serial *serial, unsigned int reg, uint8_t value,
		      uint8_t *sent)
{
	bool dlab = serial->lcr & LCR_DLAB;

	switch (reg) {
	case DATA:
		if (!dlab)
			return send(serial, value, sent);
		serial->dll = value;
		break;
	case IER:
		if (dlab)
			serial->dlm = value;
		else
			set_ier(serial, value);
		break;
	case FCR:
		set_fcr(serial, value);
		break;
	case LCR:
		serial->lcr = value;
		break;
	case MCR:
		serial->mcr = value & MCR_ALL;
		break;
	case SCR:
		serial->scr = value;
		break;
	}
	return false;
}

static uint8_t read_iir(struct hlk_serial *serial)
{
	uint8_t iir = pending(serial);

	if (iir == IIR_SENT)
		serial->sent = 0;
	return iir | (serial->fcr & FCR_ENABLE ? IIR_FIFO : 0);
}

static uint8_t read_lsr(struct hlk_serial *serial)
{
	uint8_t lsr = LSR_EMPTY;

	if (serial->nr)
		lsr |= LSR_DATA;
	if (serial->overrun)
		lsr |= LSR_OVERRUN;
	serial->overrun = 0;
	return lsr;
}

/* Somebody is always there; in a loop its own lines are seen. */
static uint8_t read_msr(const struct hlk_serial *serial)
{
	uint8_t msr = 0;

	if (!(serial->mcr & MCR_LOOP))
		return MSR_CTS | MSR_DSR | MSR_DCD;
	if (serial->mcr & MCR_RTS)
		msr |= MSR_CTS;
	if (serial->mcr & MCR_DTR)
		msr |= MSR_DSR;
	if (serial->mcr & MCR_OUT1)
		msr |= MSR_RI;
	if (serial->mcr & MCR_OUT2)
		msr |= MSR_DCD;
	return msr;
}

/**
 * hlk_serial_read() - the guest reads a register
 * @serial: the port
 * @reg: which one; below HLK_SERIAL_PORTS
 *
 * Return: what it reads
 */
uint8_t hlk_serial_read(struct hlk_serial *serial, unsigned int reg)
{
	bool dlab = serial->lcr & LCR_DLAB;

	switch (reg) {
	case DATA:
		return dlab ? serial->dll : pop(serial);
	case IER:
		return dlab ? serial->dlm : serial->ier;
	case IIR:
		return read_iir(serial);
	case LCR:
		return serial->lcr;
	case MCR:
		return serial->mcr;
	case LSR:
		return read_lsr(serial);
	case MSR:
		return read_msr(serial);
	default:
		return serial->scr;
	}
}

/**
 * hlk_serial_receive() - bytes come in for the guest
 * @serial: the port
 * @data: the bytes
 * @len: how many
 *
 * Return: how many of them there was room for; the others come when the guest has read
 */
size_t hlk_serial_receive(struct hlk_serial *serial, const void *data, size_t len)
{
	const uint8_t *bytes = data;
	size_t taken = 0;

	if (serial->mcr & MCR_LOOP)
		return 0;
	while (taken < len && push(serial, bytes[taken]))
		taken++;
	return taken;
}
