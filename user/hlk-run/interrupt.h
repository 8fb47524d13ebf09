/* SPDX-License-Identifier: GPL-2.0-only */
/* Ctrl-C: what was measured so far is shown. */
#ifndef HLK_RUN_INTERRUPT_H
#define HLK_RUN_INTERRUPT_H

#include <stdbool.h>

void interrupt_begin(void);
bool interrupted(void);
void interrupt_end(void);

#endif /* HLK_RUN_INTERRUPT_H */
