// SPDX-License-Identifier: GPL-2.0-only
/*
 * The protocol of gdb for libFuzzer: "make fuzz", then run build/user/fuzz-gdb. The first byte
 * says how many processors and which kind; in each talk packets whose sums are wrong
 * count too, as they do without acknowledgements.
 */
#include "played-gdb.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static struct played_gdb played;

	if (!size)
		return 0;
	played_begin(&played, 1 + (*data & 15), *data & 16);
	played.chunk = *data & 32 ? 1 : 1000;
	played.gdb.no_ack = *data & 64;
	played.monitored = *data & 128 ? 1 : 0;
	played.answer = "an answer";
	played_all(&played, data + 1, size - 1);
	return 0;
}
