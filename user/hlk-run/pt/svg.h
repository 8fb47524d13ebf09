/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run pt: as a picture. */
#ifndef HLK_RUN_PT_SVG_H
#define HLK_RUN_PT_SVG_H

#include <stdio.h>

#include "collect.h"

int pt_write_svg(const struct pt_space *space, FILE *file);

#endif /* HLK_RUN_PT_SVG_H */
