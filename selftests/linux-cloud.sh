#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# linux.sh, with Debian's x86-64 kernel for clouds
LINUX_GUEST=cloud exec linux.sh
