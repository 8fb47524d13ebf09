/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Snapshots in files: an OCI image layout; see Documentation/format.rst. */
#ifndef LIBHLK_SAVED_H
#define LIBHLK_SAVED_H

#include <stdbool.h>
#include <sys/types.h>

#include "digest.h"
#include "error.h"
#include "index.h"
#include "json.h"

#define HLK_OCI_LARGEST_JSON	(4U << 20)
#define HLK_OCI_MAX_LAYERS	(2 * (HLK_INDEX_MAX_DEPTH + 1) + 1)

#define HLK_TYPE_MANIFEST	"application/vnd.oci.image.manifest.v1+json"
#define HLK_TYPE_ARTIFACT	"application/vnd.hlk.snapshot.v1"
#define HLK_TYPE_CONFIG		"application/vnd.hlk.snapshot.config.v1+json"
#define HLK_TYPE_INDEX		"application/vnd.hlk.snapshot.index.v1"
#define HLK_TYPE_PAGES		"application/vnd.hlk.snapshot.pages.v1"
#define HLK_TYPE_ZSTD		"application/vnd.hlk.snapshot.pages.v1+zstd"
#define HLK_TYPE_TOUCHED	"application/vnd.hlk.snapshot.touched.v1"

/* what a blob is */
enum hlk_blob_kind {
	HLK_BLOB_MANIFEST,
	HLK_BLOB_CONFIG,
	HLK_BLOB_INDEX,
	HLK_BLOB_PAGES,
	HLK_BLOB_ZSTD,
	HLK_BLOB_TOUCHED,
};

/**
 * struct hlk_blob - a blob, as a descriptor says
 * @kind: what it is
 * @digest: of it, and so its name
 * @size: its size
 */
struct hlk_blob {
	enum hlk_blob_kind kind;
	struct hlk_digest digest;
	uint64_t size;
};

/**
 * struct hlk_manifest - what a manifest lists
 * @self: the manifest
 * @config: the config
 * @nr: length of @layers
 * @layers: indices, each with the pages of its layer behind it, the first ancestor's first;
 *	and the hot set
 */
struct hlk_manifest {
	struct hlk_blob self;
	struct hlk_blob config;
	uint32_t nr;
	struct hlk_blob layers[HLK_OCI_MAX_LAYERS];
};

/**
 * struct hlk_oci - a folder with an OCI image layout
 * @dir: the folder
 * @blobs: blobs/sha256 in it
 * @name: its name
 * @nr_temps: files that were begun in it
 */
struct hlk_oci {
	int dir;
	int blobs;
	const char *name;
	uint32_t nr_temps;
};

#define HLK_OCI_TEMP	40

/* oci.c */
int hlk_err_saved(struct hlk_err *err, int code, const char *file, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
int hlk_err_saved_system(struct hlk_err *err, const char *file);
const char *hlk_blob_name(const struct hlk_blob *blob, char name[HLK_OCI_TEMP]);
int hlk_oci_open(struct hlk_oci *oci, const char *name, struct hlk_err *err);
void hlk_oci_close(struct hlk_oci *oci);
int hlk_oci_read_json(const struct hlk_oci *oci, const char *file, char **text,
		      struct hlk_json *json, struct hlk_err *err);
int hlk_oci_blob_open(const struct hlk_oci *oci, const struct hlk_blob *blob, int *fd,
		      struct hlk_err *err);
int hlk_oci_blob_read(const struct hlk_oci *oci, const struct hlk_blob *blob,
		      uint64_t most, void **data, struct hlk_err *err);
int hlk_oci_find(const struct hlk_oci *oci, const char *tag,
		 struct hlk_manifest *manifest, struct hlk_err *err);
int hlk_manifest_parse(const char *text, size_t size, struct hlk_manifest *manifest,
		       struct hlk_err *err);

/* ociput.c */
int hlk_oci_create(struct hlk_oci *oci, const char *name, struct hlk_err *err);
int hlk_oci_temp(struct hlk_oci *oci, char temp[HLK_OCI_TEMP], int *fd,
		 struct hlk_err *err);
int hlk_oci_commit(struct hlk_oci *oci, const char *temp, int fd,
		   const struct hlk_blob *blob, bool verity, struct hlk_err *err);
void hlk_oci_drop(struct hlk_oci *oci, const char *temp, int fd);
int hlk_oci_put(struct hlk_oci *oci, struct hlk_blob *blob, const void *data,
		struct hlk_err *err);
int hlk_oci_put_manifest(struct hlk_oci *oci, struct hlk_manifest *manifest,
			 struct hlk_err *err);
int hlk_oci_publish(struct hlk_oci *oci, const char *tag,
		    const struct hlk_manifest *manifest, struct hlk_err *err);
bool hlk_tag_good(const char *tag);

/* pages.c */
int hlk_pages_take(int fd, const struct hlk_blob *blob, const struct hlk_index_head *head,
		   bool verify, int *out_fd, bool *lazy, struct hlk_err *err);

/**
 * struct hlk_pages - pages of a layer that are being written
 * @oci: where
 * @temp: the file's name
 * @fd: the file
 * @compress: each chunk is a frame of zstd
 * @ctx: of what is written, as it is in the file
 * @plain: with @compress: of the pages
 * @verity: of the pages
 * @pages: how many there are
 * @size: bytes in the file
 * @used: pages in @chunk
 * @nr_frames: frames that were written
 * @frames: of each, its size and that of what is in it, for the table at the end
 * @chunk: pages that were not written yet
 */
struct hlk_pages {
	struct hlk_oci *oci;
	char temp[HLK_OCI_TEMP];
	int fd;
	bool compress;
	struct sha256_ctx ctx;
	struct sha256_ctx plain;
	struct hlk_verity verity;
	uint64_t pages;
	uint64_t size;
	uint32_t used;
	uint32_t nr_frames;
	uint32_t (*frames)[2];
	unsigned char *chunk;
};

int hlk_pages_begin(struct hlk_pages *pages, struct hlk_oci *oci, bool compress,
		    struct hlk_err *err);
int hlk_pages_add(struct hlk_pages *pages, const void *page, struct hlk_err *err);
int hlk_pages_end(struct hlk_pages *pages, struct hlk_index_head *head,
		  struct hlk_blob *blob, struct hlk_err *err);
void hlk_pages_drop(struct hlk_pages *pages);

#endif /* LIBHLK_SAVED_H */
