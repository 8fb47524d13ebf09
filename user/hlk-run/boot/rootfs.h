/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run boot --rootfs: an initrd from a folder, or from an image. */
#ifndef HLK_RUN_BOOT_ROOTFS_H
#define HLK_RUN_BOOT_ROOTFS_H

#include <hlk.h>

#include "options.h"

int rootfs_make(struct boot_options *opt, struct hlk_kernel *kernel);

#endif /* HLK_RUN_BOOT_ROOTFS_H */
