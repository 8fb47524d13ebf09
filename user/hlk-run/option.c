// SPDX-License-Identifier: GPL-2.0-only
/* Arguments of the command line. */
#include <errno.h>
#include <stdlib.h>

#include "option.h"

/**
 * option_number() - a number of the command line
 * @state: where the parser is
 * @name: the option's name, for an error
 * @arg: its argument
 * @least: the smallest that is valid
 * @most: the largest that is valid
 *
 * Ends the program if it is none.
 *
 * Return: the number
 */
uint64_t option_number(struct argp_state *state, const char *name,
		       const char *arg, uint64_t least, uint64_t most)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(arg, &end, 0);
	if (errno || *end || end == arg || *arg == '-' || value < least ||
	    value > most)
		argp_error(state, "--%s wants a number from %llu to %llu, not '%s'",
			   name, (unsigned long long)least,
			   (unsigned long long)most, arg);
	return value;
}
