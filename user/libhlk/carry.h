/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* State programs of other kernels; see carry.c. */
#ifndef LIBHLK_CARRY_H
#define LIBHLK_CARRY_H

#include "program.h"

#define HLK_CARRY_LAST	0x6e0U	/* IA32_TSC_DEADLINE */

/**
 * struct hlk_carry_msrs - MSRs that processors of machines have here
 * @nr_cpus: processors, of each of which the program sets them
 * @nr: length of @entries
 * @entries: what is in them at first
 * @takes: whether they take one with what is in it; here: it is among these
 * @arg: for @takes
 */
struct hlk_carry_msrs {
	uint32_t nr_cpus;
	uint32_t nr;
	const struct kvm_msr_entry *entries;
	bool (*takes)(void *arg, const struct kvm_msr_entry *entry, bool here);
	void *arg;
};

int hlk_program_carry(const unsigned char *program, uint64_t bytes,
		      const struct hlk_carry_msrs *msrs, const char *file,
		      unsigned char **out, uint64_t *out_bytes, struct hlk_err *err);

#endif /* LIBHLK_CARRY_H */
