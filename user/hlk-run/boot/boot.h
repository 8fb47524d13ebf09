/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run boot: kernels that were not written for hlk. */
#ifndef HLK_RUN_BOOT_H
#define HLK_RUN_BOOT_H

int cmd_boot(int argc, char **argv);

#endif /* HLK_RUN_BOOT_H */
