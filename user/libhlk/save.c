// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Saving a snapshot: what the module says of it, and its pages, become blobs; see ociput.c
 * for how they get to the disk, and Documentation/format.rst for what they are.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "prefault.h"
#include "program.h"
#include "remember.h"
#include "saved.h"

#define PAGE	4096U
#define EXTENTS	256U
#define AT_ONCE	256U	/* pages */
#define SPARE	1024U	/* runs of touched pages that may be new */
#define TRIES	16

static const char op[] = "cannot save the snapshot";

static bool is_there(const struct hlk_oci *oci, const struct hlk_saved *saved)
{
	uint32_t i;
	int fd;

	for (i = 0; i < saved->nr; i++) {
		if (hlk_oci_blob_open(oci, &saved->layers[i], &fd, NULL))
			return false;
		close(fd);
	}
	return true;
}

static const struct hlk_saved *find_saved(const struct hlk_oci *oci,
					  const struct hlk_snap *snap)
{
	const struct hlk_saved *saved = atomic_load(&snap->saved);

	while (saved && !is_there(oci, saved))
		saved = saved->next;
	return saved;
}

/* ---- what the module says ---- */

/**
 * struct saving - a snapshot that is being saved
 * @ctx: the context
 * @snap: the snapshot
 * @parent: what it is a layer on, or NULL
 * @oci: where to
 * @own: how
 * @info: what it is
 * @windows: its windows
 * @roots: its roots
 * @export: what else it is
 * @images: its vCPUs
 * @tables: kinds of its page tables
 * @touched: its hot set
 * @vcpus: its vCPUs, as they go into the index
 * @cpuid: what its processor has
 * @index: the index
 * @extents: its extents
 * @nr_extents: how many
 * @room: how many there is room for
 * @pages: its pages
 * @mem: of each window, where it is mapped
 * @old: the same of the parent
 * @manifest: what it becomes
 * @err: out: why it cannot be
 */
struct saving {
	struct hlk_ctx *ctx;
	struct hlk_snap *snap;
	struct hlk_snap *parent;
	struct hlk_oci oci;
	struct hlk_save_config own;
	struct hlk_snapshot_info info;
	struct hlk_window windows[HLK_LIB_MAX_WINDOWS];
	uint64_t *roots;
	struct hlk_snapshot_export export;
	struct hlk_vcpu_image images[HLK_LIB_MAX_CPUS];
	uint32_t *tables;
	struct hlk_touched *touched;
	unsigned char *vcpus;
	struct hlk_index_cpuid *cpuid;
	struct hlk_index index;
	struct hlk_index_extent *extents;
	uint64_t nr_extents;
	uint64_t room;
	struct hlk_pages pages;
	unsigned char *mem[HLK_LIB_MAX_WINDOWS];
	unsigned char *old[HLK_LIB_MAX_WINDOWS];
	struct hlk_manifest manifest;
	struct hlk_err *err;
};

static int fail(struct saving *saving)
{
	return hlk_err_system(saving->err, op);
}

static int read_info(struct saving *saving)
{
	struct hlk_snapshot_info *info = &saving->info;
	int ret;

	ret = hlk_snap_read_info(saving->snap->fd, info, sizeof(*info), saving->err);
	if (ret)
		return ret;
	if (info->nr_windows > HLK_LIB_MAX_WINDOWS || info->nr_vcpus > HLK_LIB_MAX_CPUS)
		return hlk_err_text(saving->err, E2BIG, HLK_WHAT_LAYOUT, op,
				    "it has too many windows or vCPUs");
	saving->roots = calloc(info->nr_roots + 1, sizeof(*saving->roots));
	if (!saving->roots)
		return fail(saving);
	info->windows = (uintptr_t)saving->windows;
	info->window_size = sizeof(*saving->windows);
	info->roots = (uintptr_t)saving->roots;
	return hlk_snap_read_info(saving->snap->fd, info, sizeof(*info), saving->err);
}

/* Room for one vCPU's registers and FPU */
static uint32_t image_room(void)
{
	return sizeof(struct kvm_sync_regs) + HLK_MAX_FPU;
}

static int make_room(struct saving *saving)
{
	struct hlk_snapshot_export *export = &saving->export;
	unsigned char *at;
	uint32_t i;

	saving->tables = calloc(export->nr_tables + 1, sizeof(*saving->tables));
	saving->touched = calloc(export->nr_touched + SPARE, sizeof(*saving->touched));
	at = calloc(export->nr_vcpus + 1, image_room());
	saving->vcpus = at;
	if (!saving->tables || !saving->touched || !at)
		return fail(saving);
	for (i = 0; i < export->nr_vcpus; i++, at += image_room())
		saving->images[i] = (struct hlk_vcpu_image) {
			.regs = (uintptr_t)at,
			.regs_bytes = sizeof(struct kvm_sync_regs),
			.fpu = (uintptr_t)(at + sizeof(struct kvm_sync_regs)),
			.fpu_bytes = HLK_MAX_FPU,
		};
	export->tables = (uintptr_t)saving->tables;
	export->touched = (uintptr_t)saving->touched;
	export->nr_touched += SPARE;
	export->vcpus = (uintptr_t)saving->images;
	return 0;
}

/* Guests that run from it meanwhile may touch more. */
static int read_export(struct saving *saving)
{
	struct hlk_snapshot_export *export = &saving->export;
	int tries = 0, ret;

	do {
		free(saving->tables);
		free(saving->touched);
		free(saving->vcpus);
		*export = (struct hlk_snapshot_export) {
			.head.size = sizeof(*export),
			.vcpu_size = sizeof(*saving->images),
			.touched_size = sizeof(*saving->touched),
		};
		saving->tables = NULL;
		saving->touched = NULL;
		saving->vcpus = NULL;
		if (ioctl(saving->snap->fd, HLK_SNAPSHOT_EXPORT, export) &&
		    errno != EMSGSIZE)
			return hlk_err_module(saving->err, &export->head, op);
		if (export->nr_vcpus > HLK_LIB_MAX_CPUS)
			return hlk_err_text(saving->err, E2BIG, HLK_WHAT_LAYOUT, op,
					    "it has too many vCPUs");
		ret = make_room(saving);
		if (ret)
			return ret;
		if (!ioctl(saving->snap->fd, HLK_SNAPSHOT_EXPORT, export))
			return 0;
	} while (errno == EMSGSIZE && tries++ < TRIES);
	return hlk_err_module(saving->err, &export->head, op);
}

static uint32_t round_up(uint32_t bytes)
{
	return (bytes + 7) / 8 * 8;
}

/* In place: what there is of a vCPU is never more than its room. */
static void pack_vcpus(struct saving *saving)
{
	unsigned char *from = saving->vcpus, *all, *to;
	uint32_t nr = saving->export.nr_vcpus, i;

	all = calloc(nr + 1, sizeof(struct hlk_index_vcpu) + image_room() + 8);
	saving->vcpus = all;
	for (i = 0, to = all; all && i < nr; i++) {
		const struct hlk_vcpu_image *image = &saving->images[i];
		struct hlk_index_vcpu vcpu = {
			.regs_bytes = image->regs_bytes,
			.fpu_bytes = image->fpu_bytes,
			.flags = image->flags,
			.mp_state = image->mp_state,
			.ext_vector = image->ext_vector,
			.pkru = image->pkru,
			.tsc = image->tsc,
			.dr6 = image->dr6,
			.dr7 = image->dr7,
			.xcr0 = image->xcr0,
			.xfd = image->xfd,
		};

		memcpy(vcpu.db, image->db, sizeof(vcpu.db));
		memcpy(vcpu.xsave_bytes, image->xsave_bytes, sizeof(vcpu.xsave_bytes));
		memcpy(to, &vcpu, sizeof(vcpu));
		to += sizeof(vcpu);
		memcpy(to, (void *)(uintptr_t)image->regs, image->regs_bytes);
		to += round_up(image->regs_bytes);
		memcpy(to, (void *)(uintptr_t)image->fpu, image->fpu_bytes);
		to += round_up(image->fpu_bytes);
	}
	free(from);
	saving->index.head.part[HLK_INDEX_VCPUS].bytes = to - all;
}

/* ---- pages ---- */

static int map_one(struct saving *saving, const struct hlk_snap *snap,
		   const struct hlk_window *window, unsigned char **mem)
{
	void *map = mmap(NULL, window->bytes, PROT_READ, MAP_SHARED | MAP_NORESERVE,
			 snap->fd, window->gpa);

	if (map == MAP_FAILED)
		return fail(saving);
	*mem = map;
	return 0;
}

static int map_windows(struct saving *saving)
{
	uint32_t i;
	int ret = 0;

	for (i = 0; !ret && i < saving->info.nr_windows; i++) {
		ret = map_one(saving, saving->snap, &saving->windows[i], &saving->mem[i]);
		if (!ret && saving->parent)
			ret = map_one(saving, saving->parent, &saving->windows[i],
				      &saving->old[i]);
	}
	return ret;
}

/* Zeroes have no place, and pages in a row are one extent. */
static int note_page(struct saving *saving, uint64_t gpa, bool zero)
{
	struct hlk_index_extent *last = saving->nr_extents ?
		&saving->extents[saving->nr_extents - 1] : NULL;
	uint32_t flags = zero ? HLK_INDEX_ZERO : 0;
	struct hlk_index_extent *more;

	if (last && last->flags == flags && last->pages < UINT32_MAX &&
	    last->gpa + (uint64_t)last->pages * PAGE == gpa &&
	    (zero || last->page + last->pages == saving->pages.pages)) {
		last->pages++;
		return 0;
	}
	if (saving->nr_extents == saving->room) {
		saving->room = saving->room ? 2 * saving->room : EXTENTS;
		more = reallocarray(saving->extents, saving->room, sizeof(*more));
		if (!more)
			return fail(saving);
		saving->extents = more;
	}
	saving->extents[saving->nr_extents++] = (struct hlk_index_extent) {
		.gpa = gpa,
		.page = zero ? 0 : saving->pages.pages,
		.pages = 1,
		.flags = flags,
	};
	return 0;
}

static int save_page(struct saving *saving, uint64_t gpa, const unsigned char *page,
		     const unsigned char *old)
{
	static const unsigned char none[PAGE];
	bool zero = !memcmp(page, none, PAGE);
	int ret;

	if (old ? !memcmp(page, old, PAGE) : zero)
		return 0;
	ret = note_page(saving, gpa, zero);
	return ret || zero ? ret : hlk_pages_add(&saving->pages, page, saving->err);
}

/* A page that cannot be had is an error, where to touch it would be SIGBUS. */
static int have(struct saving *saving, unsigned char *mem, uint64_t bytes)
{
	int ret = hlk_populate(mem, bytes, false);

	return ret ? hlk_err_populate(saving->err, ret, op) : 0;
}

static int save_run(struct saving *saving, uint32_t nr, uint64_t offset, uint64_t bytes)
{
	unsigned char *mem = saving->mem[nr] + offset;
	unsigned char *old = saving->parent ? saving->old[nr] + offset : NULL;
	uint64_t at;
	int ret = have(saving, mem, bytes);

	if (!ret && old)
		ret = have(saving, old, bytes);
	for (at = 0; !ret && at < bytes; at += PAGE)
		ret = save_page(saving, saving->windows[nr].gpa + offset + at, mem + at,
				old ? old + at : NULL);
	return ret;
}

static int save_extent(struct saving *saving, const struct hlk_extent *extent)
{
	uint64_t offset, left, part;
	uint32_t nr = 0;
	int ret = 0;

	while (nr < saving->info.nr_windows &&
	       extent->gpa - saving->windows[nr].gpa >= saving->windows[nr].bytes)
		nr++;
	if (nr == saving->info.nr_windows)
		return hlk_err_text(saving->err, EINVAL, HLK_WHAT_LAYOUT, op,
				    "a page lies in no window");
	offset = extent->gpa - saving->windows[nr].gpa;
	for (left = extent->bytes; !ret && left; left -= part, offset += part) {
		part = left < AT_ONCE * PAGE ? left : AT_ONCE * PAGE;
		ret = save_run(saving, nr, offset, part);
	}
	return ret;
}

static int save_extents(struct saving *saving)
{
	struct hlk_extent extents[EXTENTS];
	struct hlk_snapshot_pages arg = {
		.head.size = sizeof(arg),
		.other_fd = saving->parent ? saving->parent->fd : -1,
		.extents = (uintptr_t)extents,
		.extent_size = sizeof(*extents),
	};
	uint32_t i;
	int ret = 0;

	do {
		arg.nr_extents = EXTENTS;
		if (ioctl(saving->snap->fd, HLK_SNAPSHOT_PAGES, &arg))
			return hlk_err_module(saving->err, &arg.head, op);
		for (i = 0; !ret && i < arg.nr_extents; i++)
			ret = save_extent(saving, &extents[i]);
	} while (!ret && arg.cursor);
	return ret;
}

static int save_pages(struct saving *saving)
{
	struct hlk_blob *blob = &saving->manifest.layers[saving->manifest.nr];
	int ret = map_windows(saving);

	if (!ret)
		ret = hlk_pages_begin(&saving->pages, &saving->oci,
				      saving->own.flags & HLK_SAVE_COMPRESS, saving->err);
	if (ret)
		return ret;
	ret = save_extents(saving);
	if (ret) {
		hlk_pages_drop(&saving->pages);
		return ret;
	}
	ret = hlk_pages_end(&saving->pages, &saving->index.head, blob, saving->err);
	if (!ret && saving->index.head.pages) {
		saving->own.bytes = blob->size;
		saving->manifest.nr++;
	}
	saving->own.pages = saving->index.head.pages;
	return ret;
}

/* ---- the rest ---- */

static void set_part(struct saving *saving, enum hlk_index_part part, const void *data,
		     uint64_t bytes)
{
	saving->index.part[part] = data;
	saving->index.head.part[part].bytes = bytes;
}

static void fill_index(struct saving *saving, uint32_t nr_cpuid)
{
	const struct hlk_snapshot_info *info = &saving->info;
	struct hlk_index_head *head = &saving->index.head;

	head->flags = info->flags;
	head->generation = info->generation;
	head->first_free = info->first_free;
	head->tables_gpa = saving->export.tables_gpa;
	head->input_bytes = saving->snap->input_size;
	head->output_bytes = saving->snap->output_size;
	head->nr_vcpus = saving->export.nr_vcpus;
	head->counts = info->counts;
	set_part(saving, HLK_INDEX_WINDOWS, saving->windows,
		 info->nr_windows * sizeof(*saving->windows));
	set_part(saving, HLK_INDEX_ROOTS, saving->roots,
		 info->nr_roots * sizeof(*saving->roots));
	set_part(saving, HLK_INDEX_EXTENTS, saving->extents,
		 saving->nr_extents * sizeof(*saving->extents));
	set_part(saving, HLK_INDEX_VCPUS, saving->vcpus,
		 head->part[HLK_INDEX_VCPUS].bytes);
	set_part(saving, HLK_INDEX_TABLES, saving->tables,
		 saving->export.nr_tables * sizeof(*saving->tables));
	set_part(saving, HLK_INDEX_PROGRAM, atomic_load(&saving->snap->program),
		 saving->snap->program_bytes);
	set_part(saving, HLK_INDEX_CPUID, saving->cpuid, nr_cpuid * sizeof(*saving->cpuid));
}

/* The index comes before the pages of its layer. */
static int save_index(struct saving *saving)
{
	struct hlk_manifest *manifest = &saving->manifest;
	struct hlk_blob blob = { .kind = HLK_BLOB_INDEX };
	uint32_t nr_cpuid = 0, at = manifest->nr;
	void *data;
	int ret;

	ret = hlk_program_map(saving->snap, saving->err);
	if (!ret)
		ret = hlk_features_read(saving->ctx, saving->snap, saving->info.nr_vcpus,
					&saving->cpuid, &nr_cpuid, saving->err);
	if (!ret)
		ret = save_pages(saving);
	if (ret)
		return ret;
	fill_index(saving, nr_cpuid);
	ret = hlk_index_encode(&saving->index, &data, saving->err);
	if (ret)
		return ret;
	blob.size = saving->index.head.bytes;
	ret = hlk_oci_put(&saving->oci, &blob, data, saving->err);
	free(data);
	if (manifest->nr > at)
		manifest->layers[at + 1] = manifest->layers[at];
	manifest->layers[at] = blob;
	manifest->nr++;
	return ret;
}

/* For people, and for tools that show what they carry; nothing is read of it but @version. */
static int save_config(struct saving *saving)
{
	const struct hlk_index_head *head = &saving->index.head;
	struct hlk_blob *blob = &saving->manifest.config;
	uint64_t memory = 0;
	char *text = NULL;
	uint32_t i;
	int ret;

	for (i = 0; i < saving->info.nr_windows; i++)
		memory += saving->windows[i].bytes;
	if (asprintf(&text, "{\"version\":%u,\"kind\":\"%s\",\"memory\":%" PRIu64
		     ",\"cpus\":%u,\"layers\":%u,\"generation\":%" PRIu64
		     ",\"pages\":%" PRIu64 "}", HLK_INDEX_VERSION,
		     saving->snap->program_bytes ? "machine" : "sandbox", memory,
		     head->nr_vcpus, head->depth + 1, head->generation, head->pages) < 0)
		return fail(saving);
	*blob = (struct hlk_blob) { .kind = HLK_BLOB_CONFIG, .size = strlen(text) };
	ret = hlk_oci_put(&saving->oci, blob, text, saving->err);
	free(text);
	return ret;
}

static int save_touched(struct saving *saving)
{
	struct hlk_blob blob = { .kind = HLK_BLOB_TOUCHED };
	int ret;

	blob.size = hlk_index_touched(&saving->index, saving->touched,
				      saving->export.nr_touched) * sizeof(*saving->touched);
	if (!blob.size || saving->own.flags & HLK_SAVE_NO_HOT_SET)
		return 0;
	ret = hlk_oci_put(&saving->oci, &blob, saving->touched, saving->err);
	saving->manifest.layers[saving->manifest.nr++] = blob;
	return ret;
}

static int find_parent(struct saving *saving)
{
	const struct hlk_saved *saved;
	struct hlk_manifest *manifest = &saving->manifest;
	uint32_t i;

	saving->parent = saving->own.parent;
	if (!saving->parent)
		return 0;
	saved = find_saved(&saving->oci, saving->parent);
	if (!saved)
		return hlk_err_saved(saving->err, ENOENT, saving->oci.name,
				     "the parent was not saved here, or not all of it is there");
	for (i = 0; i < saved->nr; i++)
		saving->index.head.depth += saved->layers[i].kind == HLK_BLOB_INDEX;
	if (saving->index.head.depth > HLK_INDEX_MAX_DEPTH)
		return hlk_err_saved(saving->err, E2BIG, saving->oci.name,
				     "the parent has %u ancestors, as many as can be",
				     HLK_INDEX_MAX_DEPTH);
	memcpy(manifest->layers, saved->layers, saved->nr * sizeof(*saved->layers));
	manifest->nr = saved->nr;
	saving->index.head.parent = saved->digest;
	return 0;
}

static int save_all(struct saving *saving, const char *tag)
{
	struct hlk_digest digest;
	uint32_t nr, own;
	int ret;

	ret = find_parent(saving);
	if (!ret)
		ret = read_info(saving);
	if (!ret)
		ret = read_export(saving);
	if (ret)
		return ret;
	pack_vcpus(saving);
	if (!saving->vcpus)
		return fail(saving);
	own = saving->manifest.nr;
	ret = save_index(saving);
	digest = saving->manifest.layers[own].digest;
	nr = saving->manifest.nr;
	if (!ret)
		ret = save_touched(saving);
	if (!ret)
		ret = save_config(saving);
	if (!ret)
		ret = hlk_oci_put_manifest(&saving->oci, &saving->manifest, saving->err);
	if (!ret)
		ret = hlk_oci_publish(&saving->oci, tag, &saving->manifest, saving->err);
	if (!ret)
		hlk_saved_note(saving->snap, &digest, saving->manifest.layers, nr);
	return ret;
}

static void forget(struct saving *saving)
{
	uint32_t i;

	for (i = 0; i < saving->info.nr_windows && i < HLK_LIB_MAX_WINDOWS; i++) {
		if (saving->mem[i])
			munmap(saving->mem[i], saving->windows[i].bytes);
		if (saving->old[i])
			munmap(saving->old[i], saving->windows[i].bytes);
	}
	free(saving->roots);
	free(saving->tables);
	free(saving->touched);
	free(saving->vcpus);
	free(saving->cpuid);
	free(saving->extents);
	hlk_oci_close(&saving->oci);
}

static int save(struct saving *saving, const char *folder)
{
	const char *tag = saving->own.name ? saving->own.name : "latest";
	int ret;

	if (!(saving->ctx->features & HLK_FEATURE_IMPORT))
		return hlk_err_text(saving->err, EOPNOTSUPP, HLK_WHAT_FEATURE, op,
				    "snapshots in files");
	if (!hlk_tag_good(tag))
		return hlk_err_text(saving->err, EINVAL, HLK_WHAT_ARGUMENT, op,
				    "a name is letters, digits, '.', '_' and '-': %s", tag);
	ret = hlk_oci_create(&saving->oci, folder, saving->err);
	if (ret)
		return ret;
	ret = save_all(saving, tag);
	forget(saving);
	return ret;
}

EXPORT int hlk_snapshot_save(struct hlk_ctx *ctx, struct hlk_snap *snap,
			     const char *folder, struct hlk_save_config *how, struct hlk_err *err)
{
	struct saving *saving = calloc(1, sizeof(*saving));
	int ret = 0;

	hlk_err_clear(err);
	if (!saving)
		return hlk_err_system(err, op);
	saving->ctx = ctx;
	saving->snap = snap;
	saving->err = err;
	saving->own = (struct hlk_save_config)HLK_SAVE_CONFIG_INIT;
	if (how)
		ret = hlk_grow_take(&saving->own, sizeof(saving->own), HLK_FIRST_SAVE_CONFIG, how,
				    "hlk_save_config", op, err);
	if (!ret)
		ret = hlk_grow_flags(saving->own.flags, HLK_SAVE_COMPRESS |
				     HLK_SAVE_NO_HOT_SET, "hlk_save_config", op, err);
	if (!ret)
		ret = save(saving, folder);
	/* that there was nothing before is no failure */
	if (!ret)
		hlk_err_clear(err);
	if (!ret && how) {
		how->pages = saving->own.pages;
		how->bytes = saving->own.bytes;
		how->layers = saving->index.head.depth + 1;
		hlk_digest_text(&saving->manifest.self.digest, how->digest);
	}
	free(saving);
	return ret;
}
