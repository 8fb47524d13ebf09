/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run compare. */
#ifndef HLK_RUN_COMPARE_H
#define HLK_RUN_COMPARE_H

int cmd_compare(int argc, char **argv);

#endif /* HLK_RUN_COMPARE_H */
