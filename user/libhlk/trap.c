// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#include "trap.h"

bool hlk_trap_read(struct hlk_sandbox *sb, uint32_t code)
{
	(void)sb;
	(void)code;
	return false;
}
