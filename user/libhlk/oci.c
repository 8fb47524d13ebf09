// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Snapshots in files: reading an OCI image layout, of anybody's.
 *
 * A file is named by a digest alone, which is looked at digit by digit, so none leads out
 * of the folder. What is opened has to be a regular file of the size that was told; links
 * are not followed and nothing is waited for. All but pages is read whole, and is what its
 * digest says before it is looked at.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "saved.h"
#include "text.h"

static const char op[] = "cannot use the saved snapshot";

/* Which file, and what is wrong there */
int hlk_err_saved(struct hlk_err *err, int code, const char *file, const char *fmt, ...)
{
	char text[HLK_ERR_TEXT];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return hlk_err_text(err, code, HLK_WHAT_SAVED, op, "%s: %s", file, text);
}

int hlk_err_saved_system(struct hlk_err *err, const char *file)
{
	int code = errno > 0 ? errno : EIO;

	return hlk_err_saved(err, code, file, "%s", strerrordesc_np(code));
}

static const char * const kinds[] = {
	[HLK_BLOB_MANIFEST] = "manifest",
	[HLK_BLOB_CONFIG] = "config",
	[HLK_BLOB_INDEX] = "index",
	[HLK_BLOB_PAGES] = "pages",
	[HLK_BLOB_ZSTD] = "pages",
	[HLK_BLOB_TOUCHED] = "hot set",
};

static const char * const types[] = {
	[HLK_BLOB_MANIFEST] = HLK_TYPE_MANIFEST,
	[HLK_BLOB_CONFIG] = HLK_TYPE_CONFIG,
	[HLK_BLOB_INDEX] = HLK_TYPE_INDEX,
	[HLK_BLOB_PAGES] = HLK_TYPE_PAGES,
	[HLK_BLOB_ZSTD] = HLK_TYPE_ZSTD,
	[HLK_BLOB_TOUCHED] = HLK_TYPE_TOUCHED,
};

/* What a blob is called in errors: as much of its name as a person needs */
const char *hlk_blob_name(const struct hlk_blob *blob, char name[HLK_OCI_TEMP])
{
	char text[HLK_DIGEST_TEXT];

	hlk_digest_text(&blob->digest, text);
	snprintf(name, HLK_OCI_TEMP, "%s %.12s", kinds[blob->kind], text + 7);
	return name;
}

/**
 * hlk_oci_open() - open a folder to read of it
 * @oci: out: the folder
 * @name: its name; kept
 * @err: out: why it cannot be
 *
 * Return: 0 or a negative errno
 */
int hlk_oci_open(struct hlk_oci *oci, const char *name, struct hlk_err *err)
{
	int ret;

	*oci = (struct hlk_oci) { .name = name, .blobs = -1 };
	oci->dir = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (oci->dir < 0)
		return hlk_err_saved_system(err, name);
	oci->blobs = openat(oci->dir, "blobs/sha256", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (oci->blobs >= 0)
		return 0;
	ret = hlk_err_saved_system(err, "blobs/sha256");
	hlk_oci_close(oci);
	return ret;
}

void hlk_oci_close(struct hlk_oci *oci)
{
	if (oci->blobs >= 0)
		close(oci->blobs);
	if (oci->dir >= 0)
		close(oci->dir);
	oci->blobs = -1;
	oci->dir = -1;
}

/* Neither a link, nor a FIFO that would be waited for, nor a device */
static int open_regular(int dir, const char *path, const char *file, int *fd,
			struct stat *st, struct hlk_err *err)
{
	int ret = 0;

	*fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (*fd < 0 && errno == ELOOP)
		return hlk_err_saved(err, ELOOP, file, "it is a symbolic link");
	if (*fd < 0 && (errno == ENXIO || errno == ENODEV))
		return hlk_err_saved(err, EINVAL, file, "not a regular file");
	if (*fd < 0)
		return hlk_err_saved_system(err, file);
	if (fstat(*fd, st))
		ret = hlk_err_saved_system(err, file);
	else if (!S_ISREG(st->st_mode))
		ret = hlk_err_saved(err, EINVAL, file, "not a regular file");
	if (ret)
		close(*fd);
	return ret;
}

/* @size bytes, and one more if there is one */
static int read_all(int fd, uint64_t size, char **data, const char *file,
		    struct hlk_err *err)
{
	uint64_t got = 0;
	ssize_t part = 1;

	*data = malloc(size + 1);
	if (!*data)
		return hlk_err_system(err, op);
	while (got <= size && part) {
		part = read(fd, *data + got, size + 1 - got);
		if (part < 0 && errno == EINTR)
			continue;
		if (part < 0) {
			free(*data);
			return hlk_err_saved_system(err, file);
		}
		got += part;
	}
	if (got == size)
		return 0;
	free(*data);
	return hlk_err_saved(err, EBADMSG, file, "it has %s than %" PRIu64 " bytes",
			     got < size ? "less" : "more", size);
}

/**
 * hlk_oci_read_json() - read a file of the folder itself
 * @oci: the folder
 * @file: the file
 * @text: out: what is in it, which the caller frees
 * @json: out: the same
 * @err: out: why it cannot be
 *
 * Return: 0 or a negative errno
 */
int hlk_oci_read_json(const struct hlk_oci *oci, const char *file, char **text,
		      struct hlk_json *json, struct hlk_err *err)
{
	struct stat st;
	size_t at;
	int fd, ret;

	ret = open_regular(oci->dir, file, file, &fd, &st, err);
	if (ret)
		return ret;
	if (st.st_size > HLK_OCI_LARGEST_JSON)
		ret = hlk_err_saved(err, EFBIG, file, "%lld bytes, more than %u",
				    (long long)st.st_size, HLK_OCI_LARGEST_JSON);
	else
		ret = read_all(fd, st.st_size, text, file, err);
	close(fd);
	if (ret)
		return ret;
	if (hlk_json_parse(*text, st.st_size, json, &at))
		return 0;
	free(*text);
	return hlk_err_saved(err, EINVAL, file, "not JSON at byte %zu", at);
}

/**
 * hlk_oci_blob_open() - open a blob
 * @oci: the folder
 * @blob: the blob
 * @fd: out: the file
 * @err: out: why it cannot be
 *
 * Return: 0 or a negative errno
 */
int hlk_oci_blob_open(const struct hlk_oci *oci, const struct hlk_blob *blob, int *fd,
		      struct hlk_err *err)
{
	char text[HLK_DIGEST_TEXT], name[HLK_OCI_TEMP];
	struct stat st;
	int ret;

	hlk_digest_text(&blob->digest, text);
	hlk_blob_name(blob, name);
	ret = open_regular(oci->blobs, text + strlen("sha256:"), name, fd, &st, err);
	if (ret || (uint64_t)st.st_size == blob->size)
		return ret;
	close(*fd);
	return hlk_err_saved(err, EBADMSG, name, "%lld bytes, where its descriptor says %" PRIu64,
			     (long long)st.st_size, blob->size);
}

/**
 * hlk_oci_blob_read() - read a blob
 * @oci: the folder
 * @blob: the blob
 * @most: the largest that is taken
 * @data: out: what is in it, which the caller frees
 * @err: out: why it cannot be
 *
 * Return: 0 or a negative errno, EBADMSG if it is not what its digest says
 */
int hlk_oci_blob_read(const struct hlk_oci *oci, const struct hlk_blob *blob,
		      uint64_t most, void **data, struct hlk_err *err)
{
	char name[HLK_OCI_TEMP], *text = NULL;
	struct hlk_digest digest;
	int fd, ret;

	hlk_blob_name(blob, name);
	if (blob->size > most)
		return hlk_err_saved(err, EFBIG, name, "%" PRIu64 " bytes, more than %" PRIu64,
				     blob->size, most);
	ret = hlk_oci_blob_open(oci, blob, &fd, err);
	if (ret)
		return ret;
	ret = read_all(fd, blob->size, &text, name, err);
	close(fd);
	if (ret)
		return ret;
	hlk_digest_of(text, blob->size, &digest);
	if (!hlk_digest_same(&digest, &blob->digest)) {
		free(text);
		return hlk_err_saved(err, EBADMSG, name, "it is not what its digest says");
	}
	*data = text;
	return 0;
}

/* ---- what a manifest says ---- */

static int parse_descriptor(const struct hlk_json *from, const char *file, const char *what,
			    struct hlk_blob *blob, struct hlk_err *err)
{
	struct hlk_json value;
	char text[HLK_DIGEST_TEXT];

	if (!hlk_json_member(from, "digest", &value) ||
	    !hlk_json_string(&value, text, sizeof(text)) ||
	    !hlk_digest_parse(text, &blob->digest))
		return hlk_err_saved(err, EINVAL, file, "%s: its digest is not sha256 and 64 digits",
				     what);
	if (!hlk_json_member(from, "size", &value) ||
	    !hlk_json_number(&value, &blob->size) || blob->size > INT64_MAX)
		return hlk_err_saved(err, EINVAL, file, "%s: its size is none", what);
	return 0;
}

static int parse_layer(const struct hlk_json *from, uint32_t nr, struct hlk_blob *blob,
		       struct hlk_err *err)
{
	struct hlk_json value;
	char type[96], what[32];

	snprintf(what, sizeof(what), "layers[%u]", nr);
	if (!hlk_json_member(from, "mediaType", &value) ||
	    !hlk_json_string(&value, type, sizeof(type)))
		return hlk_err_saved(err, EINVAL, "manifest", "%s: no mediaType", what);
	for (blob->kind = HLK_BLOB_INDEX; strcmp(type, types[blob->kind]); blob->kind++)
		if (blob->kind == HLK_BLOB_TOUCHED)
			return hlk_err_saved(err, EOPNOTSUPP, "manifest", "%s: mediaType %s is not known",
					     what, type);
	return parse_descriptor(from, "manifest", what, blob, err);
}

/* An index, then perhaps pages; at the end perhaps a hot set */
static int check_order(const struct hlk_manifest *manifest, struct hlk_err *err)
{
	enum hlk_blob_kind kind, before = HLK_BLOB_TOUCHED;
	uint32_t i;

	for (i = 0; i < manifest->nr; i++) {
		kind = manifest->layers[i].kind;
		if (kind == HLK_BLOB_INDEX ? i && before == HLK_BLOB_TOUCHED :
		    kind == HLK_BLOB_TOUCHED ? !i || before == HLK_BLOB_TOUCHED :
		    before != HLK_BLOB_INDEX)
			return hlk_err_saved(err, EINVAL, "manifest", "layers[%u]: %s in this place",
					     i, types[kind] + strlen("application/vnd."));
		before = kind;
	}
	return manifest->nr ? 0 : hlk_err_saved(err, EINVAL, "manifest", "no layers");
}

static bool is_ours(const struct hlk_json *manifest)
{
	struct hlk_json config;

	if (hlk_json_member(manifest, "artifactType", &config))
		return hlk_json_is(manifest, "artifactType", HLK_TYPE_ARTIFACT);
	/* Who does not know of it may have dropped it. */
	return hlk_json_member(manifest, "config", &config) &&
	       hlk_json_is(&config, "mediaType", HLK_TYPE_CONFIG);
}

/**
 * hlk_manifest_parse() - read a manifest
 * @text: the manifest, of anybody's
 * @size: its size
 * @manifest: out: what it lists; @self is not set
 * @err: out: why it is none
 *
 * Return: 0 or a negative errno
 */
int hlk_manifest_parse(const char *text, size_t size, struct hlk_manifest *manifest,
		       struct hlk_err *err)
{
	struct hlk_json json, value, layer;
	size_t at;
	int ret;

	manifest->nr = 0;
	manifest->config.kind = HLK_BLOB_CONFIG;
	if (!hlk_json_parse(text, size, &json, &at))
		return hlk_err_saved(err, EINVAL, "manifest", "not JSON at byte %zu", at);
	if (!hlk_json_member(&json, "schemaVersion", &value) || value.len != 1 ||
	    *value.text != '2')
		return hlk_err_saved(err, EOPNOTSUPP, "manifest", "its schemaVersion is not 2");
	if (!is_ours(&json))
		return hlk_err_saved(err, EINVAL, "manifest", "its artifactType is not %s",
				     HLK_TYPE_ARTIFACT);
	if (!hlk_json_member(&json, "config", &value))
		return hlk_err_saved(err, EINVAL, "manifest", "no config");
	if (!hlk_json_is(&value, "mediaType", HLK_TYPE_CONFIG))
		return hlk_err_saved(err, EOPNOTSUPP, "manifest", "config: mediaType is not %s",
				     HLK_TYPE_CONFIG);
	ret = parse_descriptor(&value, "manifest", "config", &manifest->config, err);
	if (ret)
		return ret;
	if (!hlk_json_member(&json, "layers", &value))
		return hlk_err_saved(err, EINVAL, "manifest", "no layers");
	for (at = 0; hlk_json_next(&value, &at, &layer); manifest->nr++) {
		if (manifest->nr == HLK_OCI_MAX_LAYERS)
			return hlk_err_saved(err, EFBIG, "manifest", "more than %u layers",
					     HLK_OCI_MAX_LAYERS);
		ret = parse_layer(&layer, manifest->nr, &manifest->layers[manifest->nr],
				  err);
		if (ret)
			return ret;
	}
	return check_order(manifest, err);
}

/* ---- which manifest ---- */

static bool has_tag(const struct hlk_json *descriptor, const char *tag)
{
	struct hlk_json annotations;

	return hlk_json_member(descriptor, "annotations", &annotations) &&
	       hlk_json_is(&annotations, "org.opencontainers.image.ref.name", tag);
}

/* By its name, or the only one that there is */
static int pick(const struct hlk_json *index, const char *tag, struct hlk_json *found,
		struct hlk_err *err)
{
	struct hlk_json all, one;
	uint32_t nr = 0;
	size_t at = 0;

	if (!hlk_json_member(index, "manifests", &all))
		return hlk_err_saved(err, EINVAL, "index.json", "no manifests");
	while (hlk_json_next(&all, &at, &one)) {
		if (tag && !has_tag(&one, tag))
			continue;
		*found = one;
		nr++;
	}
	if (nr == 1)
		return 0;
	if (tag)
		return hlk_err_saved(err, nr ? EINVAL : ENOENT, "index.json", "%s snapshot %s",
				     nr ? "more than one" : "no", tag);
	return hlk_err_saved(err, nr ? EINVAL : ENOENT, "index.json", "%u snapshots: %s", nr,
			     nr ? "say which by its name" : "nothing was saved yet");
}

static int check_layout(const struct hlk_oci *oci, struct hlk_err *err)
{
	struct hlk_json json;
	char *text;
	bool good;
	int ret;

	ret = hlk_oci_read_json(oci, "oci-layout", &text, &json, err);
	if (ret)
		return ret;
	good = hlk_json_is(&json, "imageLayoutVersion", "1.0.0");
	free(text);
	return good ? 0 : hlk_err_saved(err, EOPNOTSUPP, "oci-layout",
					"imageLayoutVersion is not 1.0.0");
}

/**
 * hlk_oci_find() - find a snapshot, and read its manifest
 * @oci: the folder
 * @tag: its name, or NULL for the only one
 * @manifest: out: the manifest
 * @err: out: why it cannot be found
 *
 * Return: 0 or a negative errno
 */
int hlk_oci_find(const struct hlk_oci *oci, const char *tag,
		 struct hlk_manifest *manifest, struct hlk_err *err)
{
	struct hlk_json json, descriptor;
	char *text;
	void *data;
	int ret;

	ret = check_layout(oci, err);
	if (!ret)
		ret = hlk_oci_read_json(oci, "index.json", &text, &json, err);
	if (ret)
		return ret;
	manifest->self.kind = HLK_BLOB_MANIFEST;
	ret = pick(&json, tag, &descriptor, err);
	if (!ret && !hlk_json_is(&descriptor, "mediaType", HLK_TYPE_MANIFEST))
		ret = hlk_err_saved(err, EOPNOTSUPP, "index.json", "its mediaType is not %s",
				    HLK_TYPE_MANIFEST);
	if (!ret)
		ret = parse_descriptor(&descriptor, "index.json", "manifest",
				       &manifest->self, err);
	free(text);
	if (!ret)
		ret = hlk_oci_blob_read(oci, &manifest->self, HLK_OCI_LARGEST_JSON, &data,
					err);
	if (ret)
		return ret;
	ret = hlk_manifest_parse(data, manifest->self.size, manifest, err);
	free(data);
	return ret;
}
