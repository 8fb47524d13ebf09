// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Digests: SHA-256 as OCI images have it, and the one by which fs-verity knows a file, for
 * blocks of 4 KiB and no salt (Documentation/filesystems/fsverity.rst of the kernel). That
 * is of a tree of digests, which the kernel checks page by page, as they are read: who
 * knows it need not read the file to know what is in it.
 */
#include <string.h>

#include "digest.h"

#define PAGE	4096U

_Static_assert(HLK_DIGEST_BYTES == SHA256_DIGEST_SIZE, "SHA-256");

void hlk_digest_of(const void *data, size_t size, struct hlk_digest *digest)
{
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	sha256_update(&ctx, size, data);
	sha256_digest(&ctx, sizeof(digest->bytes), digest->bytes);
}

void hlk_digest_text(const struct hlk_digest *digest, char text[HLK_DIGEST_TEXT])
{
	static const char digits[] = "0123456789abcdef";
	char *to = text + strlen("sha256:");
	unsigned int i;

	strcpy(text, "sha256:");
	for (i = 0; i < HLK_DIGEST_BYTES; i++) {
		*to++ = digits[digest->bytes[i] >> 4];
		*to++ = digits[digest->bytes[i] & 15];
	}
	*to = '\0';
}

/**
 * hlk_digest_parse() - read a digest
 * @text: of anybody's
 * @digest: out: the digest
 *
 * Return: whether it is "sha256:" and 64 digits, in small letters, and so the name of a file
 */
bool hlk_digest_parse(const char *text, struct hlk_digest *digest)
{
	char again[HLK_DIGEST_TEXT];
	const char *from = text + strlen("sha256:");
	unsigned int i, value;

	if (strlen(text) != HLK_DIGEST_TEXT - 1)
		return false;
	for (i = 0; i < 2 * HLK_DIGEST_BYTES; i++) {
		value = from[i] <= '9' ? from[i] - '0' : from[i] - 'a' + 10;
		digest->bytes[i / 2] = digest->bytes[i / 2] << 4 | (value & 15);
	}
	/* What is no digit comes out as another one. */
	hlk_digest_text(digest, again);
	return !strcmp(text, again);
}

bool hlk_digest_same(const struct hlk_digest *a, const struct hlk_digest *b)
{
	return !memcmp(a, b, sizeof(*a));
}

bool hlk_digest_none(const struct hlk_digest *digest)
{
	static const struct hlk_digest none;

	return hlk_digest_same(digest, &none);
}

static void add_digest(struct hlk_verity *verity, unsigned int level,
		       const struct hlk_digest *digest)
{
	struct hlk_digest above;

	/* A full block goes to the level above when there is more, as it is the root else. */
	if (verity->used[level] == PAGE / HLK_DIGEST_BYTES) {
		hlk_digest_of(verity->level[level], PAGE, &above);
		add_digest(verity, level + 1, &above);
		memset(verity->level[level], 0, PAGE);
		verity->used[level] = 0;
	}
	memcpy(verity->level[level] + verity->used[level]++ * HLK_DIGEST_BYTES, digest,
	       sizeof(*digest));
}

/**
 * hlk_verity_add() - the next page of a file
 * @verity: where it is noted; zeroes at first
 * @page: the page
 */
void hlk_verity_add(struct hlk_verity *verity, const void *page)
{
	struct hlk_digest digest;

	hlk_digest_of(page, PAGE, &digest);
	add_digest(verity, 0, &digest);
	verity->size += PAGE;
}

/**
 * hlk_verity_end() - the digest, when all pages came
 * @verity: what was noted
 * @digest: out: the digest
 */
void hlk_verity_end(struct hlk_verity *verity, struct hlk_digest *digest)
{
	/* struct fsverity_descriptor: version, SHA-256, blocks of 2^12, no salt, no signature */
	uint8_t descriptor[256] = { 1, 1, 12 };
	struct hlk_digest root = {};
	unsigned int level;

	for (level = 0; verity->used[level]; level++) {
		/* One digest alone is the root, and has no block of its own. */
		if (verity->used[level] == 1 &&
		    (level == HLK_DIGEST_LEVELS - 1 || !verity->used[level + 1])) {
			memcpy(&root, verity->level[level], sizeof(root));
			break;
		}
		hlk_digest_of(verity->level[level], PAGE, &root);
		add_digest(verity, level + 1, &root);
	}
	memcpy(descriptor + 8, &verity->size, sizeof(verity->size));
	memcpy(descriptor + 16, &root, sizeof(root));
	hlk_digest_of(descriptor, sizeof(descriptor), digest);
}
