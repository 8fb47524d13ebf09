// SPDX-License-Identifier: GPL-2.0-only
/*
 * hlk-run boot --rootfs: folders and images that are made here, and what the archive of
 * them holds, read as Linux reads it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../libhlk/tests/tap.h"
#include "../boot/rootfs.h"
#include "../boot/tree.h"

/* An allocation of a list that is to fail, counted from now */
static unsigned int fail_list;

void *reallocarray(void *at, size_t nr, size_t size)
{
	if (fail_list && !--fail_list)
		return NULL;
	return realloc(at, nr * size);
}

/* In a folder of its own */
static void run(const char *command)
{
	if (system(command))
		printf("# failed: %s\n", command);
}

/* ---- archives, read ---- */

static const unsigned char *archive;
static uint64_t archive_size;

static uint32_t hex(const unsigned char *at)
{
	char digits[9] = "";

	memcpy(digits, at, 8);
	return strtoul(digits, NULL, 16);
}

/**
 * struct found - a file of an archive
 * @mode: its mode
 * @size: bytes in @data
 * @data: its bytes
 * @rmajor: of a device
 * @rminor: of a device
 * @times: how often it is there
 * @parent: what it is in came before it
 */
struct found {
	uint32_t mode, size;
	const unsigned char *data;
	uint32_t rmajor, rminor;
	unsigned int times;
	bool parent;
};

static bool is_parent(const char *path, const char *of)
{
	size_t len = strlen(path);

	return !strncmp(path, of, len) && of[len] == '/' && !strchr(of + len + 1, '/');
}

static struct found find(const char *path)
{
	struct found found = { .parent = !strchr(path, '/') };
	uint64_t at = 0, data;

	while (at + 110 <= archive_size && !memcmp(archive + at, "070701", 6)) {
		const unsigned char *head = archive + at;
		const char *name = (const char *)head + 110;
		uint32_t size = hex(head + 54);

		data = (at + 110 + hex(head + 94) + 3) / 4 * 4;
		if (!strcmp(name, "TRAILER!!!"))
			break;
		if (is_parent(name, path) && S_ISDIR(hex(head + 14)))
			found.parent = true;
		if (!strcmp(name, path)) {
			found.mode = hex(head + 14);
			found.size = size;
			found.data = archive + data;
			found.rmajor = hex(head + 78);
			found.rminor = hex(head + 86);
			found.times++;
		}
		at = (data + size + 3) / 4 * 4;
	}
	return found;
}

static bool has(const char *path, uint32_t mode, const char *text)
{
	struct found found = find(path);

	return found.times == 1 && found.parent && found.mode == mode &&
	       (!text || (found.size == strlen(text) &&
			  !memcmp(found.data, text, found.size)));
}

static bool lacks(const char *path)
{
	return !find(path).times;
}

static int make(const char *name, const char *warm, const char *append)
{
	struct boot_options opt = { .append = append, .warm = warm };
	struct hlk_kernel kernel = HLK_KERNEL_INIT;
	int ret;

	opt.rootfs = name;
	kernel.protocol = HLK_PROTOCOL_LINUX32;
	free((void *)archive);
	ret = rootfs_make(&opt, &kernel);
	archive = kernel.initrd;
	archive_size = kernel.initrd_size;
	if (!ret && (!kernel.cmdline || !strstr(kernel.cmdline, "rdinit=")))
		ret = -1;
	free(opt.own_append);
	return ret;
}

/* ---- folders ---- */

static void test_folder(void)
{
	struct found found;

	run("mkdir -p folder/bin folder/etc/deep; echo hello > folder/etc/file; "
	    "chmod 4755 folder/etc/file; ln -s ../etc/file folder/bin/link; "
	    "mkfifo folder/etc/fifo; : > folder/etc/empty; echo x > folder/bin-a");
	tap(!make("folder", NULL, "quiet"), "an initrd of a folder");
	tap(has("etc/file", S_IFREG | 04755, "hello\n") && has("etc/empty", S_IFREG | 0644, ""),
	    "files, with their rights");
	tap(has("bin/link", S_IFLNK | 0777, "../etc/file"), "symbolic links");
	tap(has("etc/deep", S_IFDIR | 0755, NULL) && has("etc", S_IFDIR | 0755, NULL) &&
	    has("bin-a", S_IFREG | 0644, "x\n"), "folders, each before what is in it");
	tap(has("etc/fifo", S_IFIFO | 0644, ""), "a FIFO is not waited for");
	found = find("hlk-agent");
	tap(found.times == 1 && found.mode == (S_IFREG | 0755) && found.size > 5000 &&
	    !memcmp(found.data, "\177ELF\1", 5), "the agent, of 32 bits");
	found = find("dev/console");
	tap(found.times == 1 && found.parent && S_ISCHR(found.mode) && found.rmajor == 5 &&
	    found.rminor == 1, "a console");
	tap(lacks("etc/hlk/warm"), "no warm program");
	tap(!make("folder", "python3 /srv/x.py", NULL) &&
	    has("etc/hlk/warm", S_IFREG | 0755, "#!/bin/sh\nexec python3 /srv/x.py\n"),
	    "a warm program");
	tap(!make("folder", NULL, "rdinit=/bin/init"), "another first program");
	tap(make("none", NULL, NULL) > 0 && !archive, "a folder that is not there");
	tap(make("folder/etc/file", NULL, NULL) > 0 && !archive, "a file is no folder");
	run("ln -s folder link; ln -s none nowhere");
	tap(!make("link", NULL, NULL) && has("etc/file", S_IFREG | 04755, "hello\n") &&
	    has("bin/link", S_IFLNK | 0777, "../etc/file"), "a link to a folder is one");
	tap(make("nowhere", NULL, NULL) > 0 && !archive, "a link to nothing is none");
}

/* ---- images ---- */

static FILE *layer;

static void tar_entry(const char *path, char kind, const char *text)
{
	unsigned char block[512] = "";
	bool link = kind == '1' || kind == '2';
	unsigned int sum = 0, i;
	size_t size = link || !text ? 0 : strlen(text);

	strncpy((char *)block, path, 100);
	snprintf((char *)block + 100, 8, "%07o", kind == '5' ? 0755 : 0644);
	snprintf((char *)block + 108, 8, "%07o", 0);
	snprintf((char *)block + 116, 8, "%07o", 0);
	snprintf((char *)block + 124, 12, "%011o", (unsigned int)size);
	snprintf((char *)block + 136, 12, "%011o", 0);
	block[156] = kind;
	if (link)
		strncpy((char *)block + 157, text, 100);
	memcpy(block + 257, "ustar\00000", 8);
	memset(block + 148, ' ', 8);
	for (i = 0; i < 512; i++)
		sum += block[i];
	snprintf((char *)block + 148, 8, "%06o", sum);
	fwrite(block, 1, 512, layer);
	if (size) {
		memset(block, 0, 512);
		fwrite(text, 1, size, layer);
		fwrite(block, 1, (512 - size % 512) % 512, layer);
	}
}

static void layer_open(const char *digest)
{
	char path[128];

	snprintf(path, sizeof(path), "image/blobs/sha256/%s", digest);
	layer = fopen(path, "w");
}

static void layer_close(void)
{
	static const char zeroes[1024];

	fwrite(zeroes, 1, sizeof(zeroes), layer);
	fclose(layer);
}

static void put(const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "image/%s", name);
	file = fopen(path, "w");
	fputs(text, file);
	fclose(file);
}

#define ONE	"{\"digest\":\"sha256:aa01\"}"
#define TWO	"{\"digest\":\"sha256:aa02\"}"

static void make_image(void)
{
	run("rm -rf image; mkdir -p image/blobs/sha256");
	put("oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
	put("index.json", "{\"manifests\":[{\"digest\":\"sha256:ee02\",\"platform\":{\"architecture\":\"arm\"}},"
	    "{\"digest\":\"sha256:ee01\",\"platform\":{\"architecture\":\"386\"}}]}");
	put("blobs/sha256/ee01", "{\"layers\":[" ONE "," TWO "]}");
	layer_open("aa01");
	tar_entry("./", '5', NULL);
	tar_entry("./a/", '5', NULL);
	tar_entry("./a/gone", '0', "1");
	tar_entry("./a/kept", '0', "2");
	tar_entry("/b", '0', "old");
	tar_entry("c/old", '0', "3");
	tar_entry("c/deep/old", '0', "3");
	tar_entry("d/e/f", '0', "4");
	tar_entry("g", '5', NULL);
	tar_entry("g/h", '0', "5");
	tar_entry("link", '2', "a/kept");
	tar_entry("hard", '1', "./a/kept");
	tar_entry("same/x", '0', "6");
	layer_close();
	layer_open("aa02");
	tar_entry("a/.wh.gone", '0', "");
	tar_entry("b", '0', "new");
	tar_entry("c/new", '0', "7");
	tar_entry("c/.wh..wh..opq", '0', "");
	tar_entry(".wh.d", '0', "");
	tar_entry("g", '0', "a file now");
	tar_entry("same/x", '0', "8");
	tar_entry("same/.wh.x", '0', "");
	layer_close();
	run("cd image/blobs/sha256 && gzip aa01 && mv aa01.gz aa01");
}

static void test_image(void)
{
	make_image();
	run("cd image/blobs/sha256 && ! command -v zstd > /dev/null || "
	    "{ zstd -q --rm aa02 && mv aa02.zst aa02; }");
	if (make("image", NULL, NULL)) {
		tap(true, "# SKIP no libarchive");
		return;
	}
	tap(has("a/kept", S_IFREG | 0644, "2") && has("b", S_IFREG | 0644, "new"),
	    "layers, one on the other");
	tap(lacks("a/gone") && lacks("a/.wh.gone"), "a whiteout");
	tap(has("c/new", S_IFREG | 0644, "7") && lacks("c/old") && lacks("c/deep/old") &&
	    lacks("c/deep"), "an opaque folder, but for what its own layer has");
	tap(lacks("d") && lacks("d/e") && lacks("d/e/f"), "a whiteout of a folder");
	tap(has("g", S_IFREG | 0644, "a file now") && lacks("g/h"), "a file over a folder");
	tap(has("link", S_IFLNK | 0777, "a/kept") || has("link", S_IFLNK | 0644, "a/kept"),
	    "a symbolic link");
	tap(has("hard", S_IFREG | 0644, "2"), "a hard link is a copy");
	tap(has("same/x", S_IFREG | 0644, "8"),
	    "a whiteout is for layers below, not for its own");
	tap(has("hlk-agent", S_IFREG | 0755, NULL), "and the agent");
}

static void refuse(const char *what)
{
	tap(make("image", NULL, NULL) > 0 && !archive, "refused: %s", what);
	make_image();
}

static void evil(const char *path, char kind, const char *text, const char *what)
{
	layer_open("aa02");
	tar_entry(path, kind, text);
	layer_close();
	refuse(what);
}

/* Folders in each other, as deep as a path can say; the layer is small, and they are not. */
static void deep(size_t len)
{
	char *path = malloc(len + 1);
	size_t i;

	for (i = 0; i < len; i++)
		path[i] = "a/"[i % 2];
	path[len] = '\0';
	layer_open("aa02");
	tar_entry("././@LongLink", 'L', path);
	tar_entry("a", '5', NULL);
	layer_close();
	free(path);
}

/* libarchive would start the program that unpacks it, by what the layer says it is. */
static void test_packed(void)
{
	char *before = strdup(getenv("PATH")), *path, dir[64];

	if (!getcwd(dir, sizeof(dir)) || asprintf(&path, "%s/evil:%s", dir, before) < 0)
		abort();
	run("mkdir evil; printf '#!/bin/sh\n: > %s/started\n' $PWD > evil/grzip; "
	    "cp evil/grzip evil/lrzip; chmod 755 evil/*");
	setenv("PATH", path, 1);
	run("printf 'GRZipII\\000\\002\\004:)and more' > image/blobs/sha256/aa02");
	refuse("a layer packed by grzip");
	run("printf 'LRZI\\000\\006and more than that' > image/blobs/sha256/aa02");
	refuse("a layer packed by lrzip");
	tap(access("started", F_OK), "no program was started");
	setenv("PATH", before, 1);
	free(before);
	free(path);
}

static void test_hostile(void)
{
	char nested[4096] = "{\"layers\":[";
	int i, readable;

	evil("../out", '0', "x", "a path that leads out");
	evil("a/../../out", '0', "x", "one that does so later");
	evil("hard", '1', "no/such", "a hard link to nothing");
	evil("hard", '1', "../../etc/passwd", "a hard link that leads out");
	evil("hard", '1', "a", "a hard link to a folder");
	put("blobs/sha256/aa02", "this is no archive at all, but it is long enough to be looked at");
	refuse("a layer that is no archive");
	put("index.json", "{");
	refuse("an index that is not JSON");
	put("index.json", "{\"manifests\":[]}");
	refuse("no image");
	put("index.json", "{\"manifests\":[{\"digest\":\"sha256:ee01\",\"platform\":{\"architecture\":\"arm\"}}]}");
	refuse("none for this kernel");
	put("index.json", "{\"manifests\":[{\"digest\":\"../../../../etc:passwd\"}]}");
	refuse("a digest that leads out");
	put("index.json", "{\"manifests\":[{\"digest\":\"sha256:\"}]}");
	refuse("a digest of nothing");
	put("index.json", "{\"manifests\":[{\"digest\":7}]}");
	refuse("a digest that is a number");
	put("index.json", "{\"manifests\":[{\"digest\":\"sha256:ee03\"}]}");
	put("blobs/sha256/ee03", "{\"manifests\":[{\"digest\":\"sha256:ee03\"}]}");
	refuse("an index in an index, for ever");
	put("blobs/sha256/ee01", "{\"layers\":[{\"digest\":\"sha256:beef\"}]}");
	refuse("a layer that is not there");
	put("blobs/sha256/ee01", "{\"layers\":[{\"digest\":\"sha256:aa01/../aa02\"}]}");
	refuse("a layer's digest that leads elsewhere");
	for (i = 0; i < 600; i++)
		strcat(nested, i ? ",1" : "1");
	strcat(nested, "]}");
	put("blobs/sha256/ee01", nested);
	refuse("too many layers");
	run("cd image/blobs/sha256 && rm aa02 && mkfifo aa02");
	refuse("a FIFO as a layer");
	run("ln -sf /dev/zero image/blobs/sha256/aa02");
	refuse("a device");
	deep(4096);
	refuse("a path that Linux would not take");
	/* not without libarchive */
	readable = make("image", NULL, NULL);
	deep(4094);
	tap(make("image", NULL, NULL) == readable, "the longest that it does");
	make_image();
	run("cd image/blobs/sha256 && head -c 700 aa02 > cut && mv cut aa02");
	refuse("a layer that is cut off");
}

static void test_paths(void)
{
	static const char *const same[] = {
		"a/b", "/a/b", "./a/b", "a//b/", "a/./b", "//./a/b/.",
	};
	size_t i, good = 0;
	char *path;

	for (i = 0; i < sizeof(same) / sizeof(*same); i++) {
		path = tree_path(same[i]);
		good += path && !strcmp(path, "a/b");
		free(path);
	}
	tap(good == i, "names of one path");
	path = tree_path("./");
	tap(path && !*path, "the root");
	free(path);
	tap(!tree_path("a/..") && errno == EINVAL && !tree_path(".."), "none leads upwards");
	path = tree_path("a/...b/..c");
	tap(path && !strcmp(path, "a/...b/..c"), "dots in names");
	free(path);
}

static unsigned int fill(struct tree *tree, unsigned int nr)
{
	char path[32];
	unsigned int i, failed = 0;

	for (i = 0; i < nr; i++) {
		snprintf(path, sizeof(path), "d/%u/", i);
		failed += tree_folders(tree, path) != 0;
	}
	return failed;
}

/* Folders have no bytes, and are many. */
static void test_tree(void)
{
	struct tree tree = {};
	uint64_t bytes;

	tap(!fill(&tree, 600) && tree.bytes > 601 * sizeof(struct node) + 601 * strlen("d"),
	    "what folders take is counted");
	bytes = tree.bytes;
	tap(!fill(&tree, 600) && tree.bytes == bytes, "once");
	tree.bytes = TREE_LARGEST - 10;
	tap(tree_folders(&tree, "more/") == -EFBIG, "and has an end");
	tree.bytes = bytes;
	tree.layer = 1;
	fail_list = 2;
	tree_hide(&tree, "d", true);
	tap(!fail_list && !tree.root && !tree.bytes,
	    "without memory for a list of all of them they go in turns");
	tree_free(&tree);
}

int main(void)
{
	char dir[] = "/tmp/hlk-rootfs-XXXXXX";

	umask(022);
	if (!mkdtemp(dir) || chdir(dir))
		return 1;
	test_paths();
	test_tree();
	test_folder();
	test_image();
	test_packed();
	test_hostile();
	free((void *)archive);
	run("rm -rf folder image link nowhere evil started");
	if (rmdir(dir))
		tap(false, "something is left in %s", dir);
	return tap_done();
}
