// SPDX-License-Identifier: GPL-2.0-only
/*
 * hlk-run inspect: what is in a folder of snapshots. Neither the module nor KVM is needed,
 * and no page is read.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/fsverity.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../libhlk/saved.h"
#include "fail.h"
#include "json.h"
#include "option.h"
#include "saved.h"
#include "term.h"

#define PAGE		4096U
#define MAX_PAGES	(1ULL << 26)	/* that a picture is made of */
#define COLUMNS		64U
#define ROWS		16U
#define MAX_NAMES	1024U

/* what is said on the command line */
struct command {
	const char *folder;
	const char *name;
	bool json;
};

/**
 * struct layer - a layer of a snapshot
 * @index: its index
 * @data: what that is in
 * @pages: its pages, or NULL
 * @verity: fs-verity keeps them
 * @shown: pages of it that no layer above it has other ones for
 */
struct layer {
	struct hlk_index index;
	void *data;
	const struct hlk_blob *pages;
	bool verity;
	uint64_t shown;
};

/**
 * struct shown - a snapshot that is shown
 * @oci: the folder
 * @manifest: its manifest
 * @layers: its layers
 * @nr: how many
 * @map: for each page of its memory the layer that has it, counted from 1; 0 is none
 * @pages: of its memory
 */
struct shown {
	struct hlk_oci oci;
	struct hlk_manifest manifest;
	struct layer layers[HLK_INDEX_MAX_DEPTH + 1];
	uint32_t nr;
	uint16_t *map;
	uint64_t pages;
};

static bool has_verity(const struct hlk_oci *oci, const struct hlk_blob *blob)
{
	union {
		struct fsverity_digest head;
		unsigned char room[sizeof(struct fsverity_digest) + HLK_DIGEST_BYTES];
	} is = { .head.digest_size = HLK_DIGEST_BYTES };
	bool has;
	int fd;

	if (hlk_oci_blob_open(oci, blob, &fd, NULL))
		return false;
	has = !ioctl(fd, FS_IOC_MEASURE_VERITY, &is);
	close(fd);
	return has;
}

static int read_layer(struct shown *shown, uint32_t *at, struct hlk_err *err)
{
	const struct hlk_blob *blob = &shown->manifest.layers[(*at)++];
	struct layer *layer = &shown->layers[shown->nr];
	int ret;

	if (shown->nr > HLK_INDEX_MAX_DEPTH)
		return hlk_err_saved(err, EFBIG, "manifest", "too many indices");
	ret = hlk_oci_blob_read(&shown->oci, blob, HLK_INDEX_LARGEST, &layer->data, err);
	if (ret)
		return ret;
	shown->nr++;
	if (*at < shown->manifest.nr && shown->manifest.layers[*at].kind != HLK_BLOB_INDEX &&
	    shown->manifest.layers[*at].kind != HLK_BLOB_TOUCHED) {
		layer->pages = &shown->manifest.layers[(*at)++];
		layer->verity = has_verity(&shown->oci, layer->pages);
	}
	return hlk_index_decode(&layer->index, "index", layer->data, blob->size, err);
}

static struct hlk_window window_at(const struct shown *shown, uint64_t i)
{
	struct hlk_window window;

	memcpy(&window, shown->layers[shown->nr - 1].index.part[HLK_INDEX_WINDOWS] +
	       i * sizeof(window), sizeof(window));
	return window;
}

static uint64_t nr_windows(const struct shown *shown)
{
	return hlk_index_nr(&shown->layers[shown->nr - 1].index, HLK_INDEX_WINDOWS);
}

/* Which page of all windows it is; UINT64_MAX is none */
static uint64_t number_of(const struct shown *shown, uint64_t gpa)
{
	uint64_t before = 0, i;
	struct hlk_window window;

	for (i = 0; i < nr_windows(shown); i++) {
		window = window_at(shown, i);
		if (gpa - window.gpa < window.bytes)
			return before + (gpa - window.gpa) / PAGE;
		before += window.bytes / PAGE;
	}
	return UINT64_MAX;
}

static void paint(struct shown *shown, uint32_t nr)
{
	const struct hlk_index *index = &shown->layers[nr].index;
	uint64_t all = hlk_index_nr(index, HLK_INDEX_EXTENTS), i, at, page;
	struct hlk_index_extent extent;

	for (i = 0; i < all; i++) {
		memcpy(&extent, index->part[HLK_INDEX_EXTENTS] + i * sizeof(extent),
		       sizeof(extent));
		at = number_of(shown, extent.gpa);
		for (page = 0; page < extent.pages && at + page < shown->pages; page++)
			shown->map[at + page] = extent.flags & HLK_INDEX_ZERO ? 0 : nr + 1;
	}
}

static void make_map(struct shown *shown)
{
	uint64_t i;
	uint32_t nr;

	for (i = 0; i < nr_windows(shown); i++)
		shown->pages += window_at(shown, i).bytes / PAGE;
	if (shown->pages > MAX_PAGES)
		return;
	shown->map = calloc(shown->pages, sizeof(*shown->map));
	for (nr = 0; shown->map && nr < shown->nr; nr++)
		paint(shown, nr);
	for (i = 0; shown->map && i < shown->pages; i++)
		if (shown->map[i])
			shown->layers[shown->map[i] - 1].shown++;
}

static int read_snapshot(struct shown *shown, const char *name, struct hlk_err *err)
{
	uint32_t at = 0;
	int ret;

	ret = hlk_oci_find(&shown->oci, name, &shown->manifest, err);
	while (!ret && at < shown->manifest.nr &&
	       shown->manifest.layers[at].kind == HLK_BLOB_INDEX)
		ret = read_layer(shown, &at, err);
	if (!ret)
		make_map(shown);
	return ret;
}

static void forget(struct shown *shown)
{
	uint32_t i;

	for (i = 0; i < shown->nr; i++)
		free(shown->layers[i].data);
	free(shown->map);
	shown->map = NULL;
	shown->nr = 0;
	shown->pages = 0;
	memset(shown->layers, 0, sizeof(shown->layers));
}

/* ---- as text ---- */

/* A layer's letter: the first ancestor's is a */
static char letter(uint32_t layer)
{
	static const char all[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

	return layer ? all[(layer - 1) % (sizeof(all) - 1)] : '.';
}

/* Whose the most of it is; what is there at all counts before what is not */
static char cell(const struct shown *shown, uint64_t from, uint64_t to)
{
	uint32_t best = 0;

	for (; from < to; from++)
		if (shown->map[from] > best)
			best = shown->map[from];
	return letter(best);
}

static void draw(const struct shown *shown)
{
	uint64_t each = (shown->pages + COLUMNS * ROWS - 1) / (COLUMNS * ROWS), at;
	unsigned int column = 0;

	if (!shown->map)
		return;
	printf("  memory, %" PRIu64 " KiB each; the letter is of the topmost layer in it:\n  ",
	       each * 4);
	for (at = 0; at < shown->pages; at += each, column++) {
		if (column == COLUMNS) {
			printf("\n  ");
			column = 0;
		}
		putchar(cell(shown, at, at + each < shown->pages ? at + each : shown->pages));
	}
	putchar('\n');
}

static void print_layer(const struct shown *shown, uint32_t nr)
{
	const struct layer *layer = &shown->layers[nr];
	const struct hlk_index_head *head = &layer->index.head;

	printf("  %c: generation %" PRIu64 ", %" PRIu64 " pages", letter(nr + 1),
	       head->generation, head->pages);
	if (layer->pages)
		printf(" in %" PRIu64 " bytes%s%s", layer->pages->size,
		       layer->pages->kind == HLK_BLOB_ZSTD ? ", compressed" : "",
		       layer->verity ? ", kept by fs-verity" : "");
	if (shown->map)
		printf(", %" PRIu64 " of them shown", layer->shown);
	printf("; index %" PRIu64 " bytes, %" PRIu64 " extents\n", head->bytes,
	       hlk_index_nr(&layer->index, HLK_INDEX_EXTENTS));
}

static const char *kind(const struct hlk_index *index)
{
	if (index->head.part[HLK_INDEX_PROGRAM].bytes)
		return "machine";
	return index->head.flags & HLK_SNAPSHOT_COMPACT ? "sandbox, compact" :
							  "sandbox, flat";
}

static void print_snapshot(const struct shown *shown, const char *name)
{
	const struct hlk_index *index = &shown->layers[shown->nr - 1].index;
	char text[HLK_DIGEST_TEXT];
	uint32_t i;

	hlk_digest_text(&shown->manifest.self.digest, text);
	print_safe(stdout, name, strlen(name));
	printf(": %s\n  %s, %" PRIu64 " KiB in %" PRIu64 " windows, %u vCPU%s, %" PRIu64
	       " roots, %u layer%s%s\n", text, kind(index), shown->pages * 4,
	       nr_windows(shown), index->head.nr_vcpus, index->head.nr_vcpus == 1 ? "" : "s",
	       hlk_index_nr(index, HLK_INDEX_ROOTS), shown->nr, shown->nr == 1 ? "" : "s",
	       shown->manifest.layers[shown->manifest.nr - 1].kind == HLK_BLOB_TOUCHED ?
	       ", with a hot set" : "");
	for (i = 0; i < shown->nr; i++)
		print_layer(shown, i);
	draw(shown);
}

/* ---- as JSON ---- */

static void json_layer(struct cJSON *to, const struct shown *shown, uint32_t nr)
{
	const struct layer *layer = &shown->layers[nr];
	struct cJSON *one = cJSON_CreateObject();
	const struct hlk_index_head *head = &layer->index.head;

	json_u64(one, "generation", head->generation);
	json_u64(one, "pages", head->pages);
	json_u64(one, "bytes", layer->pages ? layer->pages->size : 0);
	json_u64(one, "index_bytes", head->bytes);
	json_u64(one, "extents", hlk_index_nr(&layer->index, HLK_INDEX_EXTENTS));
	if (shown->map)
		json_u64(one, "shown", layer->shown);
	cJSON_AddBoolToObject(one, "compressed", layer->pages &&
			      layer->pages->kind == HLK_BLOB_ZSTD);
	cJSON_AddBoolToObject(one, "verity", layer->verity);
	cJSON_AddItemToArray(to, one);
}

static void json_snapshot(struct cJSON *to, const struct shown *shown, const char *name)
{
	const struct hlk_index *index = &shown->layers[shown->nr - 1].index;
	struct cJSON *one = cJSON_CreateObject(), *layers;
	char text[HLK_DIGEST_TEXT];
	uint32_t i;

	hlk_digest_text(&shown->manifest.self.digest, text);
	json_text(one, "name", name, strlen(name));
	cJSON_AddStringToObject(one, "digest", text);
	cJSON_AddStringToObject(one, "kind", kind(index));
	json_u64(one, "memory_pages", shown->pages);
	json_u64(one, "vcpus", index->head.nr_vcpus);
	json_u64(one, "roots", hlk_index_nr(index, HLK_INDEX_ROOTS));
	layers = cJSON_AddArrayToObject(one, "layers");
	for (i = 0; i < shown->nr; i++)
		json_layer(layers, shown, i);
	cJSON_AddItemToArray(to, one);
}

/* ---- which ---- */

static int show(struct shown *shown, const struct command *command, const char *name,
		struct cJSON *json)
{
	struct hlk_err err;
	int ret = read_snapshot(shown, name, &err);

	if (ret) {
		ret = fail_err(command->folder, &err);
	} else {
		if (json)
			json_snapshot(json, shown, name);
		else
			print_snapshot(shown, name);
	}
	forget(shown);
	return ret;
}

static bool name_of(const struct hlk_json *descriptor, char *name, size_t size)
{
	struct hlk_json value;

	return hlk_json_member(descriptor, "annotations", &value) &&
	       hlk_json_member(&value, "org.opencontainers.image.ref.name", &value) &&
	       hlk_json_string(&value, name, size);
}

static int show_all(struct shown *shown, const struct command *command, struct cJSON *json)
{
	struct hlk_json index, all, one;
	uint32_t nr = 0;
	struct hlk_err err;
	char *text, name[129];
	size_t at = 0;
	int ret = RUN_OK, now;

	if (hlk_oci_read_json(&shown->oci, "index.json", &text, &index, &err))
		return fail_err(command->folder, &err);
	if (!hlk_json_member(&index, "manifests", &all))
		all = (struct hlk_json) { .text = "", .len = 0 };
	while (hlk_json_next(&all, &at, &one) && nr++ < MAX_NAMES) {
		if (!name_of(&one, name, sizeof(name)))
			continue;
		now = show(shown, command, name, json);
		ret = ret ? ret : now;
	}
	free(text);
	return ret;
}

static const struct argp_option options[] = {
	{ "name", OPT_OWN, "NAME", 0, "This one alone", 1 },
	OPTION_JSON(2),
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct command *command = state->input;

	switch (key) {
	case OPT_OWN:
		command->name = arg;
		return 0;
	case OPT_JSON:
		command->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (command->folder)
			argp_error(state, "one folder at a time, please");
		command->folder = arg;
		return 0;
	case ARGP_KEY_END:
		if (!command->folder)
			argp_error(state, "which folder?");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "DIR",
	.doc = "Show the snapshots in a folder: sizes, layers, and which layer each part of memory is of.\v"
	       "Exit status: 0 all well, 2 usage, 6 the folder is none, or not one of snapshots.",
};

int cmd_inspect(int argc, char **argv)
{
	struct command command = {};
	struct cJSON *json = NULL;
	struct shown *shown;
	struct hlk_err err;
	int ret;

	if (argp_parse(&argp, argc, argv, 0, NULL, &command))
		return RUN_USAGE;
	shown = calloc(1, sizeof(*shown));
	if (!shown) {
		fprintf(stderr, "hlk-run: out of memory\n");
		return RUN_ERROR;
	}
	if (hlk_oci_open(&shown->oci, command.folder, &err)) {
		ret = fail_err(command.folder, &err);
		free(shown);
		return ret;
	}
	if (command.json)
		json = cJSON_CreateArray();
	ret = command.name ? show(shown, &command, command.name, json) :
			     show_all(shown, &command, json);
	if (json)
		json_print(json);
	hlk_oci_close(&shown->oci);
	free(shown);
	return ret;
}
