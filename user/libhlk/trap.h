/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* What the guest's runtime leaves when it meets an exception. */
#ifndef LIBHLK_TRAP_H
#define LIBHLK_TRAP_H

#include "internal.h"

bool hlk_trap_read(struct hlk_sandbox *sb, uint32_t code);

#endif /* LIBHLK_TRAP_H */
