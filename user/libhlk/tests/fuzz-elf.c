// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* The ELF parser for libFuzzer: "make fuzz", then run build/user/fuzz-elf. */
#include <stdlib.h>

#include "../elf.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	uint64_t end = HLK_GUEST_MEM_BASE;
	struct hlk_err err = {};
	struct hlk_elf elf;
	volatile unsigned char last;
	uint32_t i;

	if (hlk_elf_parse(&elf, data, size, &err))
		return 0;
	for (i = 0; i < elf.nr; i++) {
		if (elf.segment[i].gpa < end)
			abort();
		end = (uint64_t)elf.segment[i].gpa + elf.segment[i].mem_size;
		if (elf.segment[i].file_size)
			last = elf.segment[i].data[elf.segment[i].file_size - 1];
	}
	(void)last;
	if (end > HLK_GUEST_SCRATCH_TOP)
		abort();
	return 0;
}
