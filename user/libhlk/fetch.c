// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Loading a snapshot that was saved: a chain of layers, the first ancestor's first, each
 * imported over the one before it.
 *
 * All that is read of it is read, and looked at, before the module is asked for anything: the
 * manifest, each index, the hot set, and that each layer's pages are there as they have to be.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "machine.h"
#include "remember.h"

#define PAGE		4096U

static const char op[] = "cannot load the snapshot";

/**
 * struct layer - one snapshot of the chain
 * @index: its index
 * @data: what that is in
 * @blob: its index
 * @pages: its pages, or NULL if it has none
 * @name: what it is called
 * @fd: the file of its pages, or -1
 */
struct layer {
	struct hlk_index index;
	void *data;
	const struct hlk_blob *blob;
	const struct hlk_blob *pages;
	char name[HLK_OCI_TEMP];
	int fd;
};

/**
 * struct loading - a snapshot that is being loaded
 * @ctx: the context
 * @oci: where from
 * @own: how
 * @manifest: its manifest
 * @layers: the chain
 * @nr: how long it is
 * @first: the first one that is built; those before it the caller has
 * @program: its state program, if it is not as the file has it
 * @touched: its hot set
 * @nr_touched: runs in it
 * @err: out: why it cannot be
 */
struct loading {
	struct hlk_ctx *ctx;
	struct hlk_oci oci;
	struct hlk_load_config own;
	struct hlk_manifest manifest;
	struct layer layers[HLK_INDEX_MAX_DEPTH + 1];
	uint32_t nr;
	uint32_t first;
	unsigned char *program;
	struct hlk_touched *touched;
	uint32_t nr_touched;
	struct hlk_err *err;
};

static int read_config(struct loading *loading)
{
	struct hlk_blob *blob = &loading->manifest.config;
	char name[HLK_OCI_TEMP];
	struct hlk_json json, value;
	uint64_t version = 0;
	void *text;
	size_t at;
	int ret = 0;

	ret = hlk_oci_blob_read(&loading->oci, blob, HLK_OCI_LARGEST_JSON, &text,
				loading->err);
	if (ret)
		return ret;
	hlk_blob_name(blob, name);
	if (!hlk_json_parse(text, blob->size, &json, &at))
		ret = hlk_err_saved(loading->err, EINVAL, name, "not JSON at byte %zu", at);
	else if (!hlk_json_member(&json, "version", &value) ||
		 !hlk_json_number(&value, &version))
		ret = hlk_err_saved(loading->err, EINVAL, name, "no version");
	else if (version != HLK_INDEX_VERSION)
		ret = hlk_err_saved(loading->err, EOPNOTSUPP, name, "version %" PRIu64 " of the format, where this libhlk knows %u",
				    version, HLK_INDEX_VERSION);
	free(text);
	return ret;
}

/* Windows are those of all layers, as the module wants it. */
static int check_parent(struct loading *loading, struct layer *layer)
{
	const struct hlk_index *index = &layer->index;
	uint32_t at = layer - loading->layers;

	if (index->head.depth != at)
		return hlk_err_saved(loading->err, EINVAL, layer->name, "it is on top of %u layers, and in the manifest of %u",
				     index->head.depth, at);
	if (at && !hlk_digest_same(&index->head.parent, &layer[-1].blob->digest))
		return hlk_err_saved(loading->err, EINVAL, layer->name, "wrong parent: the layer before it in the manifest is another one");
	if (!index->head.pages != !layer->pages)
		return hlk_err_saved(loading->err, EINVAL, layer->name, "it has %" PRIu64 " pages, and the manifest has %s",
				     index->head.pages, layer->pages ? "some" : "none");
	if (at && (index->head.part[HLK_INDEX_WINDOWS].bytes !=
		   layer[-1].index.head.part[HLK_INDEX_WINDOWS].bytes ||
		   memcmp(index->part[HLK_INDEX_WINDOWS],
			  layer[-1].index.part[HLK_INDEX_WINDOWS],
			  index->head.part[HLK_INDEX_WINDOWS].bytes)))
		return hlk_err_saved(loading->err, EINVAL, layer->name, "it has other memory than its parent");
	return 0;
}

static int read_layer(struct loading *loading, uint32_t *at)
{
	const struct hlk_blob *blobs = loading->manifest.layers;
	struct layer *layer = &loading->layers[loading->nr];
	int ret;

	if (loading->nr > HLK_INDEX_MAX_DEPTH)
		return hlk_err_saved(loading->err, EFBIG, "manifest", "more than %u indices",
				     HLK_INDEX_MAX_DEPTH + 1);
	layer->blob = &blobs[(*at)++];
	hlk_blob_name(layer->blob, layer->name);
	if (*at < loading->manifest.nr && blobs[*at].kind != HLK_BLOB_INDEX &&
	    blobs[*at].kind != HLK_BLOB_TOUCHED)
		layer->pages = &blobs[(*at)++];
	layer->fd = -1;
	loading->nr++;
	ret = hlk_oci_blob_read(&loading->oci, layer->blob, HLK_INDEX_LARGEST, &layer->data,
				loading->err);
	if (!ret)
		ret = hlk_index_decode(&layer->index, layer->name, layer->data,
				       layer->blob->size, loading->err);
	return ret ? ret : check_parent(loading, layer);
}

static int read_touched(struct loading *loading, const struct hlk_blob *blob)
{
	char name[HLK_OCI_TEMP];
	void *data;
	int ret;

	hlk_blob_name(blob, name);
	if (blob->size % sizeof(*loading->touched))
		return hlk_err_saved(loading->err, EINVAL, name, "%" PRIu64 " bytes are no runs of pages",
				     blob->size);
	if (loading->own.flags & HLK_LOAD_NO_HOT_SET)
		return 0;
	ret = hlk_oci_blob_read(&loading->oci, blob,
				HLK_INDEX_MAX_RUNS * sizeof(*loading->touched), &data,
				loading->err);
	if (ret)
		return ret;
	loading->touched = data;
	loading->nr_touched = blob->size / sizeof(*loading->touched);
	return 0;
}

static int read_layers(struct loading *loading)
{
	const struct hlk_manifest *manifest = &loading->manifest;
	uint32_t at = 0;
	int ret = 0;

	while (!ret && at < manifest->nr && manifest->layers[at].kind == HLK_BLOB_INDEX)
		ret = read_layer(loading, &at);
	if (!ret && at < manifest->nr)
		ret = read_touched(loading, &manifest->layers[at]);
	return ret;
}

/* Of the chain the caller has all up to @own.parent. */
static int find_parent(struct loading *loading)
{
	const struct hlk_saved *saved;
	uint32_t i;

	if (!loading->own.parent)
		return 0;
	for (saved = atomic_load(&loading->own.parent->saved); saved; saved = saved->next)
		for (i = 0; i + 1 < loading->nr; i++)
			if (hlk_digest_same(&saved->digest,
					    &loading->layers[i].blob->digest)) {
				loading->first = i + 1;
				return 0;
			}
	return hlk_err_saved(loading->err, EINVAL, loading->layers[loading->nr - 1].name,
			     "wrong parent: the one that was given is none of its ancestors");
}

static int take_pages(struct loading *loading, struct layer *layer)
{
	bool lazy = false;
	int fd, ret;

	if (!layer->pages)
		return 0;
	ret = hlk_oci_blob_open(&loading->oci, layer->pages, &fd, loading->err);
	if (ret)
		return ret;
	ret = hlk_pages_take(fd, layer->pages, &layer->index.head,
			     loading->own.flags & HLK_LOAD_VERIFY, &layer->fd, &lazy,
			     loading->err);
	close(fd);
	loading->own.pages += layer->index.head.pages;
	if (lazy)
		loading->own.lazy += layer->index.head.pages;
	return ret;
}

/* Of the last one of the chain; those before it are for the sake of their pages. */
static int carry_program(struct loading *loading)
{
	struct layer *layer = &loading->layers[loading->nr - 1];
	struct hlk_index *index = &layer->index;
	uint64_t *bytes = &index->head.part[HLK_INDEX_PROGRAM].bytes;
	int ret;

	ret = hlk_machine_carry(loading->ctx, index->part[HLK_INDEX_PROGRAM], *bytes,
				layer->name, &loading->program, bytes, loading->err);
	if (!ret && loading->program)
		index->part[HLK_INDEX_PROGRAM] = loading->program;
	return ret;
}

static int read_all(struct loading *loading)
{
	uint32_t i;
	int ret;

	ret = hlk_oci_find(&loading->oci, loading->own.name, &loading->manifest,
			   loading->err);
	if (!ret)
		ret = read_config(loading);
	if (!ret)
		ret = read_layers(loading);
	if (!ret)
		ret = hlk_features_check(loading->ctx,
					 &loading->layers[loading->nr - 1].index,
					 loading->err);
	if (!ret)
		ret = carry_program(loading);
	if (!ret)
		ret = find_parent(loading);
	for (i = loading->first; !ret && i < loading->nr; i++)
		ret = take_pages(loading, &loading->layers[i]);
	return ret;
}

/* ---- into the module ---- */

static void fill_vcpus(const struct hlk_index *index, struct hlk_vcpu_image *images)
{
	struct hlk_index_vcpu vcpu;
	const unsigned char *regs;
	uint64_t at = 0;
	uint32_t i;

	for (i = 0; i < index->head.nr_vcpus; i++) {
		regs = hlk_index_vcpu(index, &at, &vcpu);
		images[i] = (struct hlk_vcpu_image) {
			.regs = (uintptr_t)regs,
			.fpu = (uintptr_t)(regs + (vcpu.regs_bytes + 7) / 8 * 8),
			.regs_bytes = vcpu.regs_bytes,
			.fpu_bytes = vcpu.fpu_bytes,
			.flags = vcpu.flags,
			.mp_state = vcpu.mp_state,
			.ext_vector = vcpu.ext_vector,
			.pkru = vcpu.pkru,
			.tsc = vcpu.tsc,
			.dr6 = vcpu.dr6,
			.dr7 = vcpu.dr7,
			.xcr0 = vcpu.xcr0,
			.xfd = vcpu.xfd,
		};
		memcpy(images[i].db, vcpu.db, sizeof(vcpu.db));
		memcpy(images[i].xsave_bytes, vcpu.xsave_bytes, sizeof(vcpu.xsave_bytes));
	}
}

static struct hlk_extent *make_extents(const struct hlk_index *index)
{
	uint64_t nr = hlk_index_nr(index, HLK_INDEX_EXTENTS), i;
	struct hlk_extent *extents = calloc(nr + 1, sizeof(*extents));
	struct hlk_index_extent from;

	for (i = 0; extents && i < nr; i++) {
		memcpy(&from, index->part[HLK_INDEX_EXTENTS] + i * sizeof(from),
		       sizeof(from));
		extents[i] = (struct hlk_extent) {
			.gpa = from.gpa,
			.bytes = (uint64_t)from.pages * PAGE,
			.offset = from.page * PAGE,
			.source = from.flags & HLK_INDEX_ZERO ? HLK_EXTENT_ZERO : 0,
		};
	}
	return extents;
}

/* Of the last one of the chain; those before it are for its sake alone. */
static void fill_touched(const struct loading *loading, const struct layer *layer,
			 struct hlk_snapshot_import *arg)
{
	if (layer != &loading->layers[loading->nr - 1])
		return;
	arg->touched = (uintptr_t)loading->touched;
	arg->nr_touched = loading->nr_touched;
	arg->touched_size = sizeof(*loading->touched);
}

static int import_one(struct loading *loading, struct layer *layer, int parent_fd, int *out_fd)
{
	const struct hlk_index *index = &layer->index;
	struct hlk_vcpu_image images[HLK_LIB_MAX_CPUS];
	struct hlk_extent *extents = make_extents(index);
	struct hlk_source source = { .fd = layer->fd };
	struct hlk_snapshot_import arg = {
		.head.size = sizeof(arg),
		.flags = index->head.flags,
		.parent_fd = parent_fd,
		.windows = (uintptr_t)index->part[HLK_INDEX_WINDOWS],
		.nr_windows = hlk_index_nr(index, HLK_INDEX_WINDOWS),
		.window_size = sizeof(struct hlk_window),
		.sources = (uintptr_t)&source,
		.nr_sources = layer->fd >= 0,
		.source_size = sizeof(source),
		.extents = (uintptr_t)extents,
		.nr_extents = hlk_index_nr(index, HLK_INDEX_EXTENTS),
		.extent_size = sizeof(*extents),
		.vcpus = (uintptr_t)images,
		.nr_vcpus = index->head.nr_vcpus,
		.vcpu_size = sizeof(*images),
		.program = (uintptr_t)index->part[HLK_INDEX_PROGRAM],
		.program_bytes = index->head.part[HLK_INDEX_PROGRAM].bytes,
		.roots = (uintptr_t)index->part[HLK_INDEX_ROOTS],
		.nr_roots = hlk_index_nr(index, HLK_INDEX_ROOTS),
		.tables = (uintptr_t)index->part[HLK_INDEX_TABLES],
		.nr_tables = hlk_index_nr(index, HLK_INDEX_TABLES),
		.tables_gpa = index->head.tables_gpa,
		.first_free = index->head.first_free,
		.generation = index->head.generation,
		.counts = index->head.counts,
	};
	int ret = 0;

	if (!extents)
		return hlk_err_system(loading->err, op);
	if (index->head.flags & HLK_SNAPSHOT_COMPACT) {
		arg.input_bytes = index->head.input_bytes;
		arg.output_bytes = index->head.output_bytes;
	}
	fill_vcpus(index, images);
	fill_touched(loading, layer, &arg);
	if (ioctl(loading->ctx->hlk_fd, HLK_SNAPSHOT_IMPORT, &arg))
		ret = hlk_err_module(loading->err, &arg.head, op);
	free(extents);
	*out_fd = arg.out_fd;
	return ret;
}

/* Those in between live on in those over them, as far as these have of them. */
static int import_all(struct loading *loading, struct hlk_snap **snap)
{
	struct layer *last = &loading->layers[loading->nr - 1];
	int parent = loading->first ? loading->own.parent->fd : -1, own = -1, fd = -1;
	uint32_t i;
	int ret = 0;

	for (i = loading->first; !ret && i < loading->nr; i++) {
		ret = import_one(loading, &loading->layers[i], parent, &fd);
		if (own >= 0)
			close(own);
		own = ret ? -1 : fd;
		parent = own;
	}
	if (!ret)
		ret = hlk_snap_new(own, snap, loading->err);
	if (ret)
		return ret;
	(*snap)->input_size = last->index.head.input_bytes;
	(*snap)->output_size = last->index.head.output_bytes;
	hlk_saved_note(*snap, &last->blob->digest, loading->manifest.layers,
		       loading->manifest.nr -
		       (loading->manifest.layers[loading->manifest.nr - 1].kind ==
			HLK_BLOB_TOUCHED));
	return 0;
}

static void forget(struct loading *loading)
{
	uint32_t i;

	for (i = 0; i < loading->nr; i++) {
		free(loading->layers[i].data);
		if (loading->layers[i].fd >= 0)
			close(loading->layers[i].fd);
	}
	free(loading->program);
	free(loading->touched);
	hlk_oci_close(&loading->oci);
}

static int load(struct loading *loading, const char *folder, struct hlk_snap **snap)
{
	int ret;

	if (!(loading->ctx->features & HLK_FEATURE_IMPORT))
		return hlk_err_text(loading->err, EOPNOTSUPP, HLK_WHAT_FEATURE, op,
				    "snapshots in files");
	ret = hlk_oci_open(&loading->oci, folder, loading->err);
	if (ret)
		return ret;
	ret = read_all(loading);
	if (!ret)
		ret = import_all(loading, snap);
	forget(loading);
	return ret;
}

EXPORT int hlk_snapshot_load(struct hlk_ctx *ctx, const char *folder, struct hlk_load_config *how,
			     struct hlk_snap **snap, struct hlk_err *err)
{
	struct loading *loading = calloc(1, sizeof(*loading));
	int ret = 0;

	*snap = NULL;
	hlk_err_clear(err);
	if (!loading)
		return hlk_err_system(err, op);
	loading->ctx = ctx;
	loading->err = err;
	loading->own = (struct hlk_load_config)HLK_LOAD_CONFIG_INIT;
	if (how)
		ret = hlk_grow_take(&loading->own, sizeof(loading->own), HLK_FIRST_LOAD_CONFIG, how,
				    "hlk_load_config", op, err);
	if (!ret)
		ret = hlk_grow_flags(loading->own.flags, HLK_LOAD_VERIFY |
				     HLK_LOAD_NO_HOT_SET, "hlk_load_config", op, err);
	loading->own.pages = 0;
	loading->own.lazy = 0;
	if (!ret)
		ret = load(loading, folder, snap);
	if (!ret && how) {
		how->pages = loading->own.pages;
		how->lazy = loading->own.lazy;
		how->layers = loading->nr;
	}
	free(loading);
	return ret;
}
