/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run boot: what its exit codes say. */
#ifndef HLK_RUN_BOOT_CODE_H
#define HLK_RUN_BOOT_CODE_H

#include <hlk.h>

int boot_error_code(const struct hlk_err *err);
int boot_stop_code(uint32_t stop);

#endif /* HLK_RUN_BOOT_CODE_H */
