/* SPDX-License-Identifier: GPL-2.0-only */
/* hlk-run bench: ways of user space on ordinary memory. */
#ifndef HLK_RUN_BENCH_WAYS_KVM_H
#define HLK_RUN_BENCH_WAYS_KVM_H

#include "way.h"

extern const struct way_ops kvm_ways[];
extern const uint32_t nr_kvm_ways;

#endif /* HLK_RUN_BENCH_WAYS_KVM_H */
