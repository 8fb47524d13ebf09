/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Digests of files; see digest.c. */
#ifndef LIBHLK_DIGEST_H
#define LIBHLK_DIGEST_H

#include <nettle/sha2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HLK_DIGEST_BYTES	32
#define HLK_DIGEST_TEXT		72	/* "sha256:", 64 digits, a zero */
#define HLK_DIGEST_LEVELS	8	/* of a tree of at most 2^56 blocks */

struct hlk_digest {
	uint8_t bytes[HLK_DIGEST_BYTES];
};

/**
 * struct hlk_verity - the digest by which fs-verity knows a file, as it is written
 * @size: bytes so far, a multiple of 4 KiB
 * @level: of each level of the tree, the block that is being filled
 * @used: how many digests are in that
 */
struct hlk_verity {
	uint64_t size;
	uint8_t level[HLK_DIGEST_LEVELS][4096];
	uint32_t used[HLK_DIGEST_LEVELS];
};

void hlk_digest_of(const void *data, size_t size, struct hlk_digest *digest);
void hlk_digest_text(const struct hlk_digest *digest, char text[HLK_DIGEST_TEXT]);
bool hlk_digest_parse(const char *text, struct hlk_digest *digest);
bool hlk_digest_same(const struct hlk_digest *a, const struct hlk_digest *b);
bool hlk_digest_none(const struct hlk_digest *digest);

void hlk_verity_add(struct hlk_verity *verity, const void *page);
void hlk_verity_end(struct hlk_verity *verity, struct hlk_digest *digest);

#endif /* LIBHLK_DIGEST_H */
