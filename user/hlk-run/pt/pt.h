/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run pt: a guest's address spaces, collected once and then printed. */
#ifndef HLK_RUN_PT_H
#define HLK_RUN_PT_H

int cmd_pt(int argc, char **argv);

#endif /* HLK_RUN_PT_H */
