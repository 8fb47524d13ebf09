/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run top. */
#ifndef HLK_RUN_TOP_H
#define HLK_RUN_TOP_H

int cmd_top(int argc, char **argv);

#endif /* HLK_RUN_TOP_H */
