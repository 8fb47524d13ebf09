/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run boot --rootfs: an image in an OCI layout. */
#ifndef HLK_RUN_BOOT_OCI_H
#define HLK_RUN_BOOT_OCI_H

#include "tree.h"

int oci_read(struct tree *tree, const char *name, bool is64);

#endif /* HLK_RUN_BOOT_OCI_H */
