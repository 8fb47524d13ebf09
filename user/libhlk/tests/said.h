/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* What a machine of a test has printed. One program includes it once, behind module.h. */
#ifndef LIBHLK_SAID_H
#define LIBHLK_SAID_H

static char said[16384];
static size_t said_len;

static void print(void *arg UNUSED, const char *text, size_t len)
{
	if (said_len + len < sizeof(said)) {
		memcpy(said + said_len, text, len);
		said_len += len;
		said[said_len] = '\0';
	}
}

static void forget(void)
{
	said_len = 0;
	said[0] = '\0';
}

static const char *reason(const struct hlk_machine *machine)
{
	return words(hlk_machine_error(machine));
}

#endif /* LIBHLK_SAID_H */
