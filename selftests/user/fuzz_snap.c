// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer: bytes choose a guest, which is compacted and compared with its
 * snapshot. The first byte says how, the second whether something fails.
 */
#include "check.h"
#include "scatter.h"
#include "tap.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static u32 fuzz_flags(u8 how)
{
	return (how & 1 ? HLK_SNAPSHOT_HOST_COW : 0) | (how & 2 ? HLK_SNAPSHOT_STRICT : 0);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct compact c;
	struct scatter s;
	struct guest g;

	u8 how[2] = {};

	memcpy(how, data, min_t(size_t, size, 2));
	memset(&shim, 0, sizeof(shim));
	scatter_fed(&g, data + 2, size > 2 ? size - 2 : 0, &s);
	compact_init(&c, &g, s.roots, s.nr_roots);
	c.params.mode = s.mode;
	c.params.flags = fuzz_flags(how[0]);
	c.params.input_bytes = s.input_bytes;
	c.params.output_bytes = s.output_bytes;
	c.writes = how[0] & 4 ? 2 : 0;
	if (how[1] < 128) {
		compact_run(&c);
	} else {
		shim.tries = 0;
		shim.fail_at = how[1] - 127;
		compact_make(&c);
		shim.fail_at = 0;
		compact_end(&c);
	}
	guest_exit(&g);
	if (tap_failed() || shim.allocs || shim.pages || shim.maps || shim.counted_pages ||
	    shim.counted_snaps)
		abort();
	return 0;
}
