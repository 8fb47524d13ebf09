// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ctrl-C, or SIGTERM: what is under way comes to its end, and what was measured so far is
 * shown. A second one ends the program at once, as it would without this.
 */
#include "interrupt.h"

#include <signal.h>
#include <stddef.h>

static const int signals[] = { SIGINT, SIGTERM };
static volatile sig_atomic_t ours[sizeof(signals) / sizeof(*signals)];
static volatile sig_atomic_t came;

/* Neither comes while this runs, so the next one, of either kind, meets what ends the program. */
static void on_signal(int number)
{
	size_t i;

	came = number;
	for (i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		if (ours[i])
			signal(signals[i], SIG_DFL);
}

/**
 * interrupt_begin() - from now on an interrupt is noted
 *
 * One that is ignored, as in the background of a script, stays so.
 */
void interrupt_begin(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct sigaction old;
	size_t i;

	sigemptyset(&action.sa_mask);
	for (i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaddset(&action.sa_mask, signals[i]);
	for (i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		if (!sigaction(signals[i], NULL, &old) && old.sa_handler == SIG_DFL) {
			ours[i] = true;
			sigaction(signals[i], &action, NULL);
		}
}

/**
 * interrupted() - has there been one?
 *
 * Return: whether what goes on is to end
 */
bool interrupted(void)
{
	return came;
}

/**
 * interrupt_end() - end as interrupted programs do, if there was one
 *
 * A shell then ends its loop, too.
 */
void interrupt_end(void)
{
	if (came)
		raise(came);
}
