// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What reads saved snapshots, with bytes of anybody's: good ones, each cut at each byte, and
 * changed by chance MUTATIONS= times, from SEED= on. What is taken is written again as it
 * was. And digests, against what others say.
 */
#include <errno.h>

#include "saveds.h"
#include "tap.h"

static uint64_t state;

static uint64_t draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static uint64_t setting(const char *name, uint64_t value)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : value;
}

static void change(unsigned char *data, size_t *size)
{
	static const uint64_t edges[] = { 0, 1, 7, 8, 255, 4095, 4096, 0x7fffffff, 0xffffffff,
		1ULL << 40, INT64_MAX, 1ULL << 63, UINT64_MAX - 7, UINT64_MAX };
	unsigned int times = 1 + draw() % 4;
	uint64_t edge;
	size_t at;

	while (times--) {
		at = 1 + draw() % (*size - 1);
		switch (draw() % 5) {
		case 0:
			data[at] ^= 1 << draw() % 8;
			break;
		case 1:
			data[at] = draw();
			break;
		case 2:
			edge = edges[draw() % (sizeof(edges) / sizeof(*edges))];
			at = 1 + (at - 1) / 4 * 4;
			memcpy(data + at, &edge, *size - at < 8 ? *size - at : 8);
			break;
		case 3:
			memmove(data + 1 + draw() % (*size - 1), data + at,
				draw() % 16 % (*size - at) / 2);
			break;
		default:
			*size = at > 2 ? at : *size;
			break;
		}
	}
}

static void test_mutations(void)
{
	uint64_t nr = setting("MUTATIONS", 100000), i;
	unsigned char good[SAVED_KINDS][SAVED_SEED], one[2 * SAVED_SEED];
	size_t sizes[SAVED_KINDS], size, cut;
	unsigned int kind;

	state = setting("SEED", 88172645463325252ULL) | 1;
	printf("# SEED=%llu\n", (unsigned long long)state);
	for (kind = 0; kind < SAVED_KINDS; kind++) {
		sizes[kind] = saved_seed(kind, good[kind]);
		for (cut = 0; cut <= sizes[kind]; cut++)
			saved_one(good[kind], cut);
	}
	tap(true, "good ones, cut at each byte");
	for (i = 0; i < nr; i++) {
		kind = draw() % SAVED_KINDS;
		size = sizes[kind];
		memcpy(one, good[kind], size);
		change(one, &size);
		saved_one(one, size);
	}
	tap(true, "%llu mutations", (unsigned long long)nr);
}

static void test_good(void)
{
	unsigned char good[SAVED_SEED];
	static struct hlk_manifest manifest;
	struct hlk_index index;
	size_t size;

	size = saved_seed(0, good) - 1;
	memmove(good, good + 1, size);
	tap(!hlk_index_decode(&index, "index", good, size, NULL) &&
	    hlk_index_nr(&index, HLK_INDEX_EXTENTS) == 3, "an index");
	size = saved_seed(1, good) - 1;
	tap(!hlk_manifest_parse((char *)good + 1, size, &manifest, NULL) && manifest.nr == 3 &&
	    manifest.layers[1].size == 4096, "a manifest");
}

/* What no loader takes is not written. */
static void test_largest(void)
{
	struct hlk_index index = { .head.pages = HLK_INDEX_MAX_PAGES + 1 };
	struct hlk_err err;
	void *data = NULL;

	tap(hlk_index_encode(&index, &data, &err) == -EFBIG && err.what == HLK_WHAT_SAVED,
	    "more than 2^24 pages are not saved");
	free(data);
	index.head.pages--;
	tap(!hlk_index_encode(&index, &data, &err), "as many are");
	free(data);
}

static void test_touched(void)
{
	enum { WINDOWS = 6, WIDE = 1 << 15, RUNS = 90000 };
	struct hlk_touched *touched = calloc(RUNS, sizeof(*touched));
	struct hlk_window windows[WINDOWS];
	struct hlk_index index = { .part[HLK_INDEX_WINDOWS] = (void *)windows };
	uint64_t pages = 0;
	uint32_t nr, i;

	index.head.part[HLK_INDEX_WINDOWS].bytes = sizeof(windows);
	for (i = 0; i < WINDOWS; i++)
		windows[i] = (struct hlk_window) { .gpa = 2ULL * i * WIDE * SAVED_PAGE,
						   .bytes = (uint64_t)WIDE * SAVED_PAGE };
	touched[0] = (struct hlk_touched) { .gpa = SAVED_PAGE, .pages = 5 };
	touched[1] = (struct hlk_touched) { .gpa = 9 * SAVED_PAGE, .pages = 20000 };
	touched[2] = (struct hlk_touched) { .gpa = 30000 * SAVED_PAGE, .pages = 3 };
	touched[3] = (struct hlk_touched) { .gpa = windows[3].gpa, .pages = 7 };
	tap(hlk_index_touched(&index, touched, 4) == 3 && touched[0].pages == 5 &&
	    touched[1].pages == HLK_INDEX_MAX_TOUCHED - 5 &&
	    touched[2].gpa == windows[3].gpa && touched[2].pages == 7,
	    "of each window as much as can be loaded");
	for (i = 0; i < RUNS; i++)
		touched[i] = (struct hlk_touched) { .pages = 1,
			.gpa = windows[i / (RUNS / WINDOWS)].gpa +
			       i % (RUNS / WINDOWS) * SAVED_PAGE };
	nr = hlk_index_touched(&index, touched, RUNS);
	for (i = 0; i < nr; i++)
		pages += touched[i].pages;
	tap(nr == HLK_INDEX_MAX_RUNS && pages == nr, "and as many runs");
	free(touched);
}

static void test_digests(void)
{
	/* of "fsverity digest", for files of zeroes of 0, 1, 129 and 16,513 blocks */
	static const struct {
		unsigned int pages;
		const char *says;
	} known[] = {
		{ 0, "sha256:3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95" },
		{ 1, "sha256:babc284ee4ffe7f449377fbf6692715b43aec7bc39c094a95878904d34bac97e" },
		{ 129, "sha256:2331d9bc1bfa1c8c1a2272b1bc04acca57ec879136c554d313b45b77b94f326e" },
		{ 16513, "sha256:dceac62b15ad25c08aac496d5a1f3c913e4354cdf692d9fafadceb623254e134" },
	};
	static const unsigned char none[SAVED_PAGE];
	static struct hlk_verity verity;
	struct hlk_digest digest;
	char text[HLK_DIGEST_TEXT];
	unsigned int i, nr;

	hlk_digest_of("abc", 3, &digest);
	hlk_digest_text(&digest, text);
	tap(!strcmp(text, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
	    "SHA-256");
	for (i = 0; i < sizeof(known) / sizeof(*known); i++) {
		memset(&verity, 0, sizeof(verity));
		for (nr = 0; nr < known[i].pages; nr++)
			hlk_verity_add(&verity, none);
		hlk_verity_end(&verity, &digest);
		hlk_digest_text(&digest, text);
		tap(!strcmp(text, known[i].says), "fs-verity's, of %u blocks",
		    known[i].pages);
	}
	tap(hlk_digest_parse(text, &digest) && !hlk_digest_parse(text + 1, &digest),
	    "a digest is read");
	text[20] = 'A';
	tap(!hlk_digest_parse(text, &digest), "in small letters alone");
}

int main(void)
{
	test_good();
	test_largest();
	test_touched();
	test_digests();
	test_mutations();
	return tap_done();
}
