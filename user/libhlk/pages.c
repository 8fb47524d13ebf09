// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The pages of a layer: into a file, and out of one.
 *
 * As they are they lie at multiples of 4 KiB, one behind the other, to be mapped. Compressed,
 * each chunk of 256 is a frame of zstd, and a table of the frames' sizes is at the end, as
 * zstd's "seekable format" has it, so any zstd can unpack them. Of anybody's file the table
 * is looked at first: it says nothing about how much is unpacked, that is known from the
 * index, and each frame goes where there is room for one chunk.
 *
 * What the module maps must not change any more. A file that fs-verity keeps is taken as it
 * is, and by fs-verity's digest it is known what is in it, without reading it. All others are
 * read, and what is in them goes to a memfd that is sealed.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fsverity.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

#include "saved.h"

#define PAGE		4096U
#define CHUNK_PAGES	256U
#define CHUNK		(CHUNK_PAGES * PAGE)
#define LEVEL		3

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL	8U
#endif

/* zstd's seekable format */
#define TABLE_MAGIC	0x184d2a5eU
#define TABLE_FOOTER	0x8f92eab1U

struct footer {
	uint32_t nr_frames;
	uint8_t flags;
	uint32_t magic;
} __attribute__((packed));

static const char op[] = "cannot save the snapshot";

static int fail(struct hlk_err *err)
{
	int ret = hlk_err_saved_system(err, "pages");

	if (err)
		err->op = op;
	return ret;
}

#ifdef HAVE_ZSTD
static size_t room(void)
{
	return ZSTD_compressBound(CHUNK);
}

/* How many bytes it became, 0 for a failure */
static size_t pack(void *to, size_t size, const void *from, size_t bytes)
{
	size_t got = ZSTD_compress(to, size, from, bytes, LEVEL);

	return ZSTD_isError(got) ? 0 : got;
}

static size_t unpack(void *to, size_t size, const void *from, size_t bytes)
{
	size_t got = ZSTD_decompress(to, size, from, bytes);

	return ZSTD_isError(got) ? 0 : got;
}
#else
static size_t room(void)
{
	return 0;
}

static size_t pack(void *to, size_t size, const void *from, size_t bytes)
{
	(void)to, (void)size, (void)from, (void)bytes;
	return 0;
}

static size_t unpack(void *to, size_t size, const void *from, size_t bytes)
{
	return pack(to, size, from, bytes);
}
#endif

static int no_zstd(struct hlk_err *err, const char *file)
{
	return hlk_err_saved(err, EOPNOTSUPP, file, "this libhlk was built without zstd");
}

/* ---- into a file ---- */

static int put(struct hlk_pages *pages, const void *data, size_t size, struct hlk_err *err)
{
	ssize_t part;

	sha256_update(&pages->ctx, size, data);
	pages->size += size;
	while (size) {
		part = write(pages->fd, data, size);
		if (part < 0 && errno == EINTR)
			continue;
		if (part < 0)
			return fail(err);
		data = (const char *)data + part;
		size -= part;
	}
	return 0;
}

static int note_frame(struct hlk_pages *pages, uint32_t packed, uint32_t bytes,
		      struct hlk_err *err)
{
	uint32_t (*more)[2];

	more = reallocarray(pages->frames, pages->nr_frames + 1, sizeof(*more));
	if (!more)
		return hlk_err_system(err, op);
	pages->frames = more;
	more[pages->nr_frames][0] = packed;
	more[pages->nr_frames++][1] = bytes;
	return 0;
}

static int put_chunk(struct hlk_pages *pages, struct hlk_err *err)
{
	size_t bytes = (size_t)pages->used * PAGE, packed;
	unsigned char *to = pages->chunk + CHUNK;
	int ret;

	pages->used = 0;
	if (!pages->compress || !bytes)
		return put(pages, pages->chunk, bytes, err);
	sha256_update(&pages->plain, bytes, pages->chunk);
	packed = pack(to, room(), pages->chunk, bytes);
	if (!packed)
		return hlk_err_saved(err, EIO, "pages", "zstd failed");
	ret = note_frame(pages, packed, bytes, err);
	return ret ? ret : put(pages, to, packed, err);
}

/**
 * hlk_pages_begin() - begin a layer's pages
 * @pages: out: what is being written
 * @oci: where to
 * @compress: by zstd
 * @err: out: why it cannot be
 *
 * Return: 0 or a negative errno
 */
int hlk_pages_begin(struct hlk_pages *pages, struct hlk_oci *oci, bool compress,
		    struct hlk_err *err)
{
	int ret;

	memset(pages, 0, sizeof(*pages));
	pages->oci = oci;
	pages->fd = -1;
	pages->compress = compress;
	if (compress && !room())
		return no_zstd(err, "pages");
	pages->chunk = malloc(CHUNK + (compress ? room() : 0));
	if (!pages->chunk)
		return hlk_err_system(err, op);
	sha256_init(&pages->ctx);
	sha256_init(&pages->plain);
	ret = hlk_oci_temp(oci, pages->temp, &pages->fd, err);
	if (ret)
		free(pages->chunk);
	return ret;
}

int hlk_pages_add(struct hlk_pages *pages, const void *page, struct hlk_err *err)
{
	memcpy(pages->chunk + pages->used++ * PAGE, page, PAGE);
	hlk_verity_add(&pages->verity, page);
	pages->pages++;
	return pages->used == CHUNK_PAGES ? put_chunk(pages, err) : 0;
}

static int put_table(struct hlk_pages *pages, struct hlk_err *err)
{
	struct footer footer = { .nr_frames = pages->nr_frames, .magic = TABLE_FOOTER };
	size_t bytes = pages->nr_frames * sizeof(*pages->frames);
	uint32_t head[2] = { TABLE_MAGIC, bytes + sizeof(footer) };
	int ret;

	ret = put(pages, head, sizeof(head), err);
	if (!ret)
		ret = put(pages, pages->frames, bytes, err);
	return ret ? ret : put(pages, &footer, sizeof(footer), err);
}

/* Whatever came of it */
static void forget(struct hlk_pages *pages)
{
	free(pages->chunk);
	free(pages->frames);
	pages->chunk = NULL;
	pages->frames = NULL;
}

void hlk_pages_drop(struct hlk_pages *pages)
{
	hlk_oci_drop(pages->oci, pages->temp, pages->fd);
	forget(pages);
}

/**
 * hlk_pages_end() - all pages of the layer came
 * @pages: what was written
 * @head: out: what the index says of them
 * @blob: out: the blob; if there is no page there is none
 * @err: out: why it cannot be
 *
 * Return: 0 or a negative errno; nothing is left of it then
 */
int hlk_pages_end(struct hlk_pages *pages, struct hlk_index_head *head,
		  struct hlk_blob *blob, struct hlk_err *err)
{
	int ret = put_chunk(pages, err);

	head->pages = pages->pages;
	if (!ret && pages->compress)
		ret = put_table(pages, err);
	if (ret || !pages->pages) {
		hlk_pages_drop(pages);
		return ret;
	}
	blob->kind = pages->compress ? HLK_BLOB_ZSTD : HLK_BLOB_PAGES;
	blob->size = pages->size;
	sha256_digest(&pages->ctx, HLK_DIGEST_BYTES, blob->digest.bytes);
	head->digest = blob->digest;
	if (pages->compress)
		sha256_digest(&pages->plain, HLK_DIGEST_BYTES, head->digest.bytes);
	hlk_verity_end(&pages->verity, &head->verity);
	ret = hlk_oci_commit(pages->oci, pages->temp, pages->fd, blob, !pages->compress, err);
	forget(pages);
	return ret;
}

/* ---- out of a file ---- */

/**
 * struct take - pages that are being taken
 * @fd: the file
 * @name: what it is called
 * @blob: the blob
 * @head: what the index says of its pages
 * @memfd: where they go, or -1: they are only looked at
 * @packed: of what is in the file
 * @plain: of the pages
 * @buffer: room for a chunk, and for a packed one
 * @table: sizes of frames
 */
struct take {
	int fd;
	char name[HLK_OCI_TEMP];
	const struct hlk_blob *blob;
	const struct hlk_index_head *head;
	int memfd;
	struct sha256_ctx packed;
	struct sha256_ctx plain;
	unsigned char *buffer;
	uint32_t (*table)[2];
};

static int get(const struct take *take, void *to, size_t size, uint64_t at,
	       struct hlk_err *err)
{
	ssize_t part;

	while (size) {
		part = pread(take->fd, to, size, at);
		if (part < 0 && errno == EINTR)
			continue;
		if (part < 0)
			return hlk_err_saved_system(err, take->name);
		if (!part)
			return hlk_err_saved(err, EBADMSG, take->name, "it ends at %" PRIu64 ", and changes while it is read",
					     at);
		to = (char *)to + part;
		size -= part;
		at += part;
	}
	return 0;
}

static int keep(const struct take *take, const unsigned char *from, size_t size,
		struct hlk_err *err)
{
	ssize_t part;

	while (take->memfd >= 0 && size) {
		part = write(take->memfd, from, size);
		if (part < 0 && errno == EINTR)
			continue;
		if (part < 0)
			return hlk_err_saved_system(err, "memfd");
		from += part;
		size -= part;
	}
	return 0;
}

static int take_plain(struct take *take, struct hlk_err *err)
{
	uint64_t at, size = take->blob->size;
	size_t part;
	int ret = 0;

	for (at = 0; !ret && at < size; at += part) {
		part = size - at < CHUNK ? size - at : CHUNK;
		ret = get(take, take->buffer, part, at, err);
		if (ret)
			break;
		sha256_update(&take->packed, part, take->buffer);
		ret = keep(take, take->buffer, part, err);
	}
	return ret;
}

static uint32_t chunk_bytes(const struct take *take, uint32_t nr)
{
	uint64_t left = take->head->pages - (uint64_t)nr * CHUNK_PAGES;

	return (left < CHUNK_PAGES ? left : CHUNK_PAGES) * PAGE;
}

/* There is a frame for each chunk, and they fill the file up to the table. */
static int check_table(struct take *take, uint32_t nr, uint64_t begin, struct hlk_err *err)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < nr; i++) {
		if (take->table[i][1] != chunk_bytes(take, i))
			return hlk_err_saved(err, EFBIG, take->name, "frame %u would be %u bytes, where %u are to be",
					     i, take->table[i][1], chunk_bytes(take, i));
		if (take->table[i][0] > room())
			return hlk_err_saved(err, EFBIG, take->name, "frame %u has %u bytes, more than %zu",
					     i, take->table[i][0], room());
		sum += take->table[i][0];
	}
	if (sum != begin)
		return hlk_err_saved(err, EINVAL, take->name, "%u frames have %" PRIu64 " bytes, where the table is at %" PRIu64,
				     nr, sum, begin);
	return 0;
}

static int read_table(struct take *take, uint32_t *nr, struct hlk_err *err)
{
	uint64_t size = take->blob->size, bytes, begin;
	struct footer footer;
	uint32_t head[2];
	int ret;

	*nr = (take->head->pages + CHUNK_PAGES - 1) / CHUNK_PAGES;
	bytes = *nr * sizeof(*take->table);
	if (size < sizeof(head) + bytes + sizeof(footer))
		return hlk_err_saved(err, EBADMSG, take->name, "%" PRIu64 " bytes have no room for the table of %u frames",
				     size, *nr);
	begin = size - sizeof(footer) - bytes - sizeof(head);
	take->table = malloc(bytes);
	if (!take->table)
		return hlk_err_system(err, op);
	ret = get(take, head, sizeof(head), begin, err);
	if (!ret)
		ret = get(take, take->table, bytes, begin + sizeof(head), err);
	if (!ret)
		ret = get(take, &footer, sizeof(footer), size - sizeof(footer), err);
	if (ret)
		return ret;
	if (head[0] != TABLE_MAGIC || head[1] != bytes + sizeof(footer) ||
	    footer.magic != TABLE_FOOTER || footer.flags || footer.nr_frames != *nr)
		return hlk_err_saved(err, EINVAL, take->name, "no table of %u frames at its end",
				     *nr);
	return check_table(take, *nr, begin, err);
}

static int take_frame(struct take *take, uint32_t nr, uint64_t at, struct hlk_err *err)
{
	unsigned char *from = take->buffer + CHUNK;
	size_t bytes = chunk_bytes(take, nr), packed = take->table[nr][0];
	int ret = get(take, from, packed, at, err);

	if (ret)
		return ret;
	sha256_update(&take->packed, packed, from);
	if (unpack(take->buffer, CHUNK, from, packed) != bytes)
		return hlk_err_saved(err, EBADMSG, take->name, "frame %u, at %" PRIu64 ", is none of %zu bytes",
				     nr, at, bytes);
	sha256_update(&take->plain, bytes, take->buffer);
	return keep(take, take->buffer, bytes, err);
}

/* The table counts for the digest as all else does. */
static int take_end(struct take *take, uint64_t at, struct hlk_err *err)
{
	size_t left = take->blob->size - at, part;
	int ret = 0;

	for (; !ret && left; left -= part, at += part) {
		part = left < CHUNK ? left : CHUNK;
		ret = get(take, take->buffer, part, at, err);
		if (!ret)
			sha256_update(&take->packed, part, take->buffer);
	}
	return ret;
}

static int take_packed(struct take *take, struct hlk_err *err)
{
	struct hlk_digest plain;
	uint64_t at = 0;
	uint32_t nr, i;
	int ret;

	ret = read_table(take, &nr, err);
	for (i = 0; !ret && i < nr; i++) {
		ret = take_frame(take, i, at, err);
		at += take->table[i][0];
	}
	if (!ret)
		ret = take_end(take, at, err);
	if (ret)
		return ret;
	sha256_digest(&take->plain, HLK_DIGEST_BYTES, plain.bytes);
	if (!hlk_digest_same(&plain, &take->head->digest))
		return hlk_err_saved(err, EBADMSG, take->name, "unpacked it is not what the index says");
	return 0;
}

static int take_all(struct take *take, struct hlk_err *err)
{
	struct hlk_digest digest;
	int ret;

	take->buffer = malloc(CHUNK + room());
	if (!take->buffer)
		return hlk_err_system(err, op);
	sha256_init(&take->packed);
	sha256_init(&take->plain);
	ret = take->blob->kind == HLK_BLOB_ZSTD ? take_packed(take, err) :
						  take_plain(take, err);
	free(take->buffer);
	free(take->table);
	if (ret)
		return ret;
	sha256_digest(&take->packed, HLK_DIGEST_BYTES, digest.bytes);
	if (!hlk_digest_same(&digest, &take->blob->digest))
		return hlk_err_saved(err, EBADMSG, take->name, "it is not what its digest says");
	return 0;
}

/* Kernels before 6.3 do not know the flag; a host may demand it (vm.memfd_noexec=2). */
static int new_memfd(void)
{
	const unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create("hlk-pages", flags | MFD_NOEXEC_SEAL);

	return fd < 0 && errno == EINVAL ? memfd_create("hlk-pages", flags) : fd;
}

static int to_memfd(struct take *take, int *out_fd, struct hlk_err *err)
{
	int ret;

	take->memfd = new_memfd();
	if (take->memfd < 0)
		return hlk_err_saved_system(err, "memfd");
	ret = take_all(take, err);
	if (!ret && fcntl(take->memfd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK |
			  F_SEAL_GROW | F_SEAL_SEAL))
		ret = hlk_err_saved_system(err, "memfd");
	if (ret)
		close(take->memfd);
	else
		*out_fd = take->memfd;
	return ret;
}

/* 1 if it is a file that fs-verity keeps, with the pages that the index says; 0 if not */
static int is_kept(const struct take *take, struct hlk_err *err)
{
	union {
		struct fsverity_digest head;
		unsigned char room[sizeof(struct fsverity_digest) + HLK_DIGEST_BYTES];
	} is = { .head.digest_size = HLK_DIGEST_BYTES };
	struct hlk_digest digest;

	if (ioctl(take->fd, FS_IOC_MEASURE_VERITY, &is))
		return 0;
	if (is.head.digest_algorithm != FS_VERITY_HASH_ALG_SHA256 ||
	    is.head.digest_size != HLK_DIGEST_BYTES)
		return 0;
	memcpy(&digest, is.room + sizeof(is.head), sizeof(digest));
	if (!hlk_digest_same(&digest, &take->head->verity))
		return hlk_err_saved(err, EBADMSG, take->name, "by fs-verity it is not what the index says");
	return 1;
}

static int check_sizes(const struct take *take, struct hlk_err *err)
{
	if (take->blob->kind == HLK_BLOB_ZSTD)
		return room() ? 0 : no_zstd(err, take->name);
	if (take->blob->size != take->head->pages * PAGE)
		return hlk_err_saved(err, EBADMSG, take->name, "%" PRIu64 " bytes, where the index has %" PRIu64 " pages",
				     take->blob->size, take->head->pages);
	if (!hlk_digest_same(&take->blob->digest, &take->head->digest))
		return hlk_err_saved(err, EBADMSG, take->name, "the index has pages of another digest");
	return 0;
}

/**
 * hlk_pages_take() - have a layer's pages in a file that nobody can change
 * @fd: the file; not closed
 * @blob: what it is
 * @head: what the index says of its pages
 * @verify: read them also where fs-verity says what they are
 * @out_fd: out: the file that is to be used, which the caller closes
 * @lazy: out: it was not read for that
 * @err: out: why it cannot be
 *
 * Return: 0 or a negative errno
 */
int hlk_pages_take(int fd, const struct hlk_blob *blob, const struct hlk_index_head *head,
		   bool verify, int *out_fd, bool *lazy, struct hlk_err *err)
{
	struct take take = { .fd = fd, .blob = blob, .head = head, .memfd = -1 };
	int ret;

	*lazy = false;
	hlk_blob_name(blob, take.name);
	ret = check_sizes(&take, err);
	if (ret)
		return ret;
	ret = blob->kind == HLK_BLOB_PAGES ? is_kept(&take, err) : 0;
	if (ret < 0)
		return ret;
	if (!ret)
		return to_memfd(&take, out_fd, err);
	*lazy = true;
	if (verify) {
		ret = take_all(&take, err);
		if (ret)
			return ret;
	}
	*out_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return *out_fd < 0 ? hlk_err_saved_system(err, take.name) : 0;
}
