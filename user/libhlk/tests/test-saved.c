// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Snapshots in files, with a module that is played (stored.c): what is saved comes back,
 * layers cost what differs, and each kind of bad input is refused by its own words before
 * anything is built.
 *
 * test-saved --golden FOLDER makes the files that later versions have to read, --check FOLDER
 * reads them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../program.h"
#include "stored.h"

#define PAGE	4096U

static char top[24] = "/tmp/hlk-saved-XXXXXX";

static void run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void run(const char *fmt, ...)
{
	char command[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	if (system(command))
		abort();
}

static const char *in(const char *name)
{
	static char path[4][256];
	static unsigned int nr;
	char *to = path[nr++ % 4];

	snprintf(to, sizeof(*path), "%s/%s", top, name);
	return to;
}

static bool save(const struct hlk_snap *snap, const char *folder,
		 struct hlk_save_config *config)
{
	char line[256];
	struct hlk_err err;

	if (!hlk_snapshot_save(stored_ctx(), (struct hlk_snap *)snap, in(folder), config, &err))
		return true;
	printf("# %s\n", hlk_strerror(&err, line, sizeof(line)));
	return false;
}

static struct hlk_snap *load(const char *folder, struct hlk_load_config *config)
{
	struct hlk_snap *snap;
	char line[256];
	struct hlk_err err;

	if (!hlk_snapshot_load(stored_ctx(), in(folder), config, &snap, &err))
		return snap;
	printf("# %s\n", hlk_strerror(&err, line, sizeof(line)));
	return NULL;
}

static bool loads(const char *folder, struct hlk_load_config *config,
		  const struct hlk_snap *as)
{
	struct hlk_snap *snap = load(folder, config);
	bool good = snap && stored_same(snap, as);

	hlk_snapshot_close(snap);
	return good;
}

static struct hlk_snap *some_pages(bool machine)
{
	struct hlk_snap *snap = stored_new(machine);
	uint64_t at;

	for (at = 0; at < 300; at++)
		stored_put(snap, (at + at / 7) * PAGE, 1 + at % 200);
	stored_put(snap, HIGH_GPA, 9);
	stored_put(snap, HIGH_GPA + (HIGH_PAGES - 1) * PAGE, 10);
	return snap;
}

static void test_round(void)
{
	struct hlk_save_config config = HLK_SAVE_CONFIG_INIT;
	struct hlk_load_config loading = HLK_LOAD_CONFIG_INIT;
	struct hlk_snap *snap = some_pages(false), *machine = some_pages(true), *none;

	tap(save(snap, "a", &config) && config.pages == 302 && config.layers == 1 &&
	    config.bytes == 302 * PAGE && strlen(config.digest) == 71, "a sandbox is saved");
	tap(loads("a", NULL, snap), "and comes back");
	loading.flags = HLK_LOAD_VERIFY;
	tap(loads("a", &loading, snap) && loading.pages == 302 && loading.layers == 1,
	    "and is what its digests say");
	config.flags = HLK_SAVE_COMPRESS;
	tap(save(machine, "b", &config) && config.bytes < 302 * PAGE / 4,
	    "a machine is saved, compressed: %llu bytes", (unsigned long long)config.bytes);
	tap(loads("b", NULL, machine), "and comes back");
	none = stored_new(false);
	config.flags = 0;
	tap(save(none, "c", &config) && !config.pages && loads("c", NULL, none),
	    "one without pages has none");
	hlk_snapshot_close(snap);
	hlk_snapshot_close(machine);
	hlk_snapshot_close(none);
}

static void test_names(void)
{
	struct hlk_save_config config = HLK_SAVE_CONFIG_INIT;
	struct hlk_load_config loading = HLK_LOAD_CONFIG_INIT;
	struct hlk_snap *one = some_pages(false), *two = some_pages(false);

	stored_put(two, 0, 77);
	tap(save(one, "n", NULL), "one has no name");
	config.name = "other.one_2";
	tap(save(two, "n", &config), "another one has");
	loading.name = "latest";
	tap(loads("n", &loading, one), "it is called latest");
	loading.name = config.name;
	tap(loads("n", &loading, two), "and the other one as it was said");
	tap(save(one, "n", &config) && loads("n", &loading, one), "which is replaced");
	loading.name = NULL;
	tap(!load("n", &loading), "of two it has to be said which");
	loading.name = "none";
	tap(!load("n", &loading), "none is there of another name");
	config.name = "../x";
	tap(!save(one, "n", &config), "a name is no path");
	run("mkdir %s && echo > %s", in("alien"), in("alien/file"));
	tap(!save(one, "alien", NULL), "a folder with something else is left alone");
	hlk_snapshot_close(one);
	hlk_snapshot_close(two);
}

static unsigned long long disk(const char *folder)
{
	char command[512], out[32] = "";
	FILE *file;

	snprintf(command, sizeof(command), "du -sb --apparent-size %s/blobs | cut -f 1",
		 in(folder));
	file = popen(command, "r");
	if (!fgets(out, sizeof(out), file))
		abort();
	pclose(file);
	return strtoull(out, NULL, 10);
}

static void test_layers(void)
{
	struct hlk_save_config config = HLK_SAVE_CONFIG_INIT;
	struct hlk_load_config loading = HLK_LOAD_CONFIG_INIT;
	struct hlk_snap *base = some_pages(true), *child, *leaf, *loaded, *wrong;
	unsigned long long before;
	uint64_t at;

	tap(save(base, "l", NULL), "a base");
	before = disk("l");
	child = some_pages(true);
	for (at = 0; at < 5; at++)
		stored_put(child, (500 + at) * PAGE, 40 + at);
	stored_put(child, 0, 0);
	config.parent = base;
	config.name = "child";
	tap(save(child, "l", &config) && config.pages == 5 && config.layers == 2,
	    "a layer has the pages that differ");
	tap(disk("l") - before < 5 * PAGE + 10000, "and costs these: %llu bytes",
	    disk("l") - before);
	leaf = some_pages(true);
	for (at = 0; at < 5; at++)
		stored_put(leaf, (500 + at) * PAGE, 40 + at);
	stored_put(leaf, HIGH_GPA + PAGE, 50);
	config.parent = child;
	config.name = "leaf";
	config.flags = HLK_SAVE_COMPRESS;
	/* page 0 is there again, as the base had it: that it is not of the parent counts */
	tap(save(leaf, "l", &config) && config.pages == 2 && config.layers == 3,
	    "and one on top of it");
	loading.name = "child";
	tap(loads("l", &loading, child) && loading.layers == 2, "a layer comes back");
	loading.name = "leaf";
	tap(loads("l", &loading, leaf) && loading.layers == 3, "and so does the other one");
	loading.parent = child;
	stored.imports = 0;
	tap(loads("l", &loading, leaf) && stored.imports == 1 && loading.pages == 2,
	    "over a parent that is there, alone");
	loading.parent = NULL;
	loading.name = "child";
	loaded = load("l", &loading);
	loading.parent = loaded;
	loading.name = "leaf";
	stored.imports = 0;
	tap(loaded && loads("l", &loading, leaf) && stored.imports == 1,
	    "which may have been loaded, too");
	config.parent = loaded;
	config.name = "again";
	config.flags = 0;
	tap(save(leaf, "l", &config) && config.pages == 2, "and be saved on");
	wrong = some_pages(true);
	loading.parent = wrong;
	tap(!load("l", &loading), "a parent that is none is refused");
	config.parent = wrong;
	tap(!save(leaf, "l", &config), "nor is anything saved on one that was not");
	config.parent = base;
	tap(!save(leaf, "l2", &config), "nor in a folder where it is not");
	hlk_snapshot_close(base);
	hlk_snapshot_close(child);
	hlk_snapshot_close(leaf);
	hlk_snapshot_close(loaded);
	hlk_snapshot_close(wrong);
}

/* ---- bad input ---- */

/* Which blob of a folder is "index", "pages", "config", "touched" or "manifest"? */
static const char find[] =
	"import json, sys\n"
	"top, kind = sys.argv[1:]\n"
	"index = json.load(open(top + '/index.json'))\n"
	"d = index['manifests'][-1]\n"
	"path = lambda d: top + '/blobs/sha256/' + d['digest'][7:]\n"
	"m = json.load(open(path(d)))\n"
	"for l in m['layers'] + [m['config']]:\n"
	"    if ('snapshot.' + kind) in l['mediaType']: d = l\n"
	"print(path(d))\n";

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	if (!file || fputs(text, file) < 0 || fclose(file))
		abort();
}

static const char *blob_of(const char *folder, const char *kind)
{
	static char path[512];
	char command[768];
	FILE *file;

	snprintf(command, sizeof(command), "python3 %s %s %s", in("find.py"), in(folder), kind);
	file = popen(command, "r");
	if (!fgets(path, sizeof(path), file))
		abort();
	pclose(file);
	path[strcspn(path, "\n")] = '\0';
	return path;
}

/*
 * Change a blob and all digests and sizes that lead to it, so that what is looked at is
 * what is in it: as somebody would who means it.
 */
static const char forge[] =
	"import hashlib, json, os, struct, sys\n"
	"top, kind, code = sys.argv[1:]\n"
	"path = lambda d: top + '/blobs/sha256/' + d['digest'][7:]\n"
	"def put(d, data):\n"
	"    d['digest'] = 'sha256:' + hashlib.sha256(data).hexdigest()\n"
	"    d['size'] = len(data)\n"
	"    open(path(d), 'wb').write(data)\n"
	"index = json.load(open(top + '/index.json'))\n"
	"top_d = index['manifests'][-1]\n"
	"m = json.load(open(path(top_d)))\n"
	"env = dict(m=m, index=index, d=top_d, json=json, struct=struct)\n"
	"if kind in ('manifest', 'top'):\n"
	"    exec(code, env)\n"
	"else:\n"
	"    for l in [x for x in m['layers'] + [m['config']] if 'snapshot.' + kind in x['mediaType']][-1:]:\n"
	"        b = env['b'] = bytearray(open(path(l), 'rb').read())\n"
	/* for an index: a number of 4 or 8 bytes, and where its extents and vCPUs are */
	"        env['u4'] = lambda at, n: struct.pack_into('<I', b, at, n)\n"
	"        env['u8'] = lambda at, n: struct.pack_into('<Q', b, at, n)\n"
	"        if kind == 'index': env['extents'], env['vcpus'] = struct.unpack_from('<QQQ', b, 400)[::2]\n"
	"        exec(code, env)\n"
	"        put(l, bytes(env['b']))\n"
	"if kind != 'top': put(top_d, json.dumps(env['m']).encode())\n"
	"json.dump(env['index'], open(top + '/index.json', 'w'))\n";

static const struct bad {
	const char *what;
	const char *kind;	/* a blob that is forged, or NULL: a command of the shell */
	const char *how;
	int code;
	const char *says;
} bads[] = {
	{ "no folder", NULL, "rm -r $D", ENOENT, "No such file" },
	{ "no layout", NULL, "rm $D/oci-layout", ENOENT, "oci-layout: No such file" },
	{ "another layout", NULL, "echo '{\"imageLayoutVersion\":\"9\"}' > $D/oci-layout",
	  EOPNOTSUPP, "oci-layout: imageLayoutVersion" },
	{ "no index", NULL, "rm $D/index.json", ENOENT, "index.json: No such file" },
	{ "index is a folder", NULL, "rm $D/index.json; mkdir $D/index.json", EINVAL,
	  "index.json: not a regular file" },
	{ "index is no JSON", NULL, "echo '{\"a\":}' > $D/index.json", EINVAL,
	  "index.json: not JSON at byte 5" },
	{ "an index that is too large", NULL, "truncate -s 5M $D/index.json", EFBIG,
	  "index.json: 5242880 bytes" },
	{ "a nesting without end", NULL, "yes '[' | head -c 100000 > $D/index.json", EINVAL,
	  "index.json: not JSON" },
	{ "manifest in a path", "top", "d['digest'] = 'sha256:../../../../etc/passwd'", EINVAL,
	  "index.json: manifest: its digest is not sha256 and 64 digits" },
	{ "layer in a path", "manifest", "m['layers'][0]['digest'] = 'sha256:/../' + 60 * 'a'",
	  EINVAL, "manifest: layers[0]: its digest" },
	{ "a digest in capitals", "manifest",
	  "m['layers'][0]['digest'] = 'sha256:' + 64 * 'A'", EINVAL, "layers[0]: its digest" },
	{ "another digest", "manifest", "m['layers'][0]['digest'] = 'sha512:' + 64 * 'a'",
	  EINVAL, "layers[0]: its digest" },
	{ "a size below zero", "manifest", "m['layers'][0]['size'] = -1", EINVAL,
	  "layers[0]: its size" },
	{ "a size of 2^64", "manifest", "m['layers'][0]['size'] = 2**64", EINVAL,
	  "layers[0]: its size" },
	{ "a size of 2^62", "manifest", "m['layers'][0]['size'] = 2**62", EFBIG,
	  "index" },
	{ "an artifact of another type", "manifest", "m['artifactType'] = 'x'", EINVAL,
	  "manifest: its artifactType" },
	{ "an image", "manifest", "del m['artifactType']; m['config']['mediaType'] = 'x'", EINVAL,
	  "manifest: its artifactType" },
	{ "a layer that is not known", "manifest", "m['layers'][0]['mediaType'] = 'x/y'",
	  EOPNOTSUPP, "layers[0]: mediaType x/y" },
	{ "layers in another order", "manifest", "m['layers'].reverse()", EINVAL,
	  "manifest: layers[0]:" },
	{ "no layers", "manifest", "m['layers'] = []", EINVAL, "manifest: no layers" },
	{ "ten thousand layers", "manifest", "m['layers'] *= 5000", EFBIG, "more than 513 layers" },
	{ "a blob that is not there", NULL, "rm $(blob index)", ENOENT, "No such file" },
	{ "a truncated manifest", NULL, "truncate -s -1 $(blob manifest)", EBADMSG, "manifest" },
	{ "a truncated index", NULL, "truncate -s -1 $(blob index)", EBADMSG, "index" },
	{ "truncated pages", NULL, "truncate -s -1 $(blob pages)", EBADMSG, "pages" },
	{ "longer pages", NULL, "truncate -s +1 $(blob pages)", EBADMSG, "pages" },
	{ "a flipped bit in an index", NULL, "flip $(blob index) 1000", EBADMSG,
	  "it is not what its digest says" },
	{ "a flipped bit in pages", NULL, "flip $(blob pages) 70000", EBADMSG,
	  "it is not what its digest says" },
	{ "a flipped bit in the config", NULL, "flip $(blob config) 3", EBADMSG,
	  "config" },
	{ "a flipped bit in the hot set", NULL, "flip $(blob touched) 3", EBADMSG,
	  "hot set" },
	{ "a blob that is a FIFO", NULL, "f=$(blob pages); rm $f; mkfifo $f", EINVAL,
	  "not a regular file" },
	{ "a blob that is a device", NULL, "f=$(blob index); rm $f; ln -s /dev/zero $f", ELOOP,
	  "symbolic link" },
	{ "a blob that is a socket", NULL,
	  "f=$(blob index); rm $f; python3 -c \"import os,socket; os.chdir('$D/blobs/sha256'); socket.socket(1).bind('$(basename $f)')\"",
	  EINVAL, "not a regular file" },
	{ "a config of the future", "config", "b[:] = b'{~version~:2}'.replace(b'~', bytes([34]))", EOPNOTSUPP,
	  "config" },
	{ "a config without version", "config", "b[:] = b'{~version~:1,~version~:1}'.replace(b'~', bytes([34]))", EINVAL,
	  "no version" },
	{ "an index that is none", "index", "b[0] ^= 1", EINVAL, "no index of a snapshot" },
	{ "another endianness", "index", "b[8:12] = b'\\1\\2\\3\\4'", EOPNOTSUPP,
	  "another endianness" },
	{ "a future version", "index", "b[12] = 2", EOPNOTSUPP, "version 2 of the format" },
	{ "a size of its own", "index", "b[16] += 8", EBADMSG, "where its head says" },
	{ "2^40 pages", "index", "u8(72, 1 << 40)", EFBIG,
	  "1099511627776 pages, more than 16777216" },
	{ "a sum that overflows", "index", "u8(392, 2**64 - 8)", EINVAL,
	  "go past the end" },
	{ "parts in another place", "index", "u8(384, 8)", EINVAL,
	  "where they have to be at 576" },
	{ "a window that wraps", "index", "u8(536, 2**64 - 4096)", EINVAL,
	  "window 1:" },
	{ "a window of bytes", "index", "u8(488, 4097)", EINVAL,
	  "window 0:" },
	{ "extents out of order", "index",
	  "at = extents; b[at:at + 8], b[at + 24:at + 32] = b[at + 24:at + 32], b[at:at + 8]",
	  EINVAL, "out of order" },
	{ "an extent in no window", "index", "u4(extents + 16, 2**32 - 1)", EINVAL, "in no window" },
	{ "an extent behind the pages", "index", "u8(extents + 8, 2**64 - 1)", EINVAL,
	  "pages from 18446744073709551615 on" },
	{ "pages that two extents have", "index", "u8(extents + 32, 6)", EINVAL,
	  "extent 1: pages from 6 on, where 7 is the next one" },
	{ "pages that no extent has", "index", "u8(72, 1 << 24)", EINVAL,
	  "extents of 302 pages, where there are 16777216" },
	{ "flags that are not known", "index", "b[extents + 20] = 2", EOPNOTSUPP, "flags 0x2" },
	{ "a vCPU without end", "index", "u4(vcpus + 4, 65535)", EINVAL, "vCPU 0 goes past the end" },
	{ "1,000 vCPUs", "index", "u4(64, 1000)", EFBIG, "1000 vCPUs" },
	{ "a parent that is not there", "index", "b[28] = 1; b[144] = 1", EINVAL,
	  "it is on top of 1 layers" },
	{ "pages of another digest", "index", "b[80] ^= 1", EBADMSG,
	  "the index has pages of another digest" },
	{ "other pages", "pages", "b[70000] ^= 1", EBADMSG,
	  "the index has pages of another digest" },
	{ "a hot set that is none", "touched", "b.append(0)", EINVAL, "are no runs of pages" },
	{ "an index of 300 MB", "manifest", "m['layers'][0]['size'] = 300 << 20", EFBIG,
	  "more than 268435456" },
};

static const struct bad layered[] = {
	{ "a wrong parent", "index", "b[144] ^= 1", EINVAL, "wrong parent" },
	{ "no parent", "manifest", "del m['layers'][0:2]", EINVAL, "it is on top of 1 layers" },
	{ "other memory than the parent's", "index",
	  "u8(488, 700 * 4096)", EINVAL, "other memory than its parent" },
	{ "pages of another one", "manifest", "m['layers'][3] = m['layers'][1]", EBADMSG, "pages" },
};

static const struct bad packed[] = {
	{ "a frame that is broken", "pages", "b[30] ^= 255", EBADMSG, "pages" },
	{ "a frame of 2^32 bytes", "pages", "b[-13:-9] = b'\\xff' * 4", EFBIG,
	  "frame 1 would be 4294967295 bytes" },
	{ "frames that are longer than the file", "pages", "b[-25:-21] = struct.pack('<I', 1000000)",
	  EINVAL, "frames have" },
	{ "no table", "pages", "b[-1] ^= 1", EINVAL, "no table" },
	{ "a table of 2^32 frames", "pages", "b[-9:-5] = b'\\xff' * 4", EINVAL, "no table" },
	{ "nothing", "pages", "del b[:]", EBADMSG, "no room for the table" },
	{ "a bomb", "pages", "b[:] = bomb(b)", EBADMSG, "is none of" },
	{ "other pages", "pages", "b[:] = other(b)", EBADMSG, "unpacked it is not what the index says" },
};

/* Where nothing is saved, as all other snapshots would be lost or no longer found */
static const struct bad unsaved[] = {
	{ "names that are gone", NULL, "echo {} > $D/index.json", EINVAL, "there are no manifests" },
	{ "names that are there twice", NULL,
	  "sed -i 's/}$/,\"manifests\":[]}/' $D/index.json", EINVAL, "there are no manifests" },
	{ "names that are no list", NULL, "echo '{\"manifests\":7}' > $D/index.json", EINVAL,
	  "there are no manifests" },
	{ "names of 4 MiB", "top",
	  "d['annotations']['a'] = (4194304 - len(json.dumps(index)) - 10) * 'a'", EFBIG,
	  "no room for another name" },
	{ "names of 5 MiB", NULL, "truncate -s 5M $D/index.json", EFBIG, "more than 4194304" },
};

static void break_it(const struct bad *bad, const char *folder)
{
	char path[512];
	FILE *file;

	if (!bad->kind) {
		snprintf(path, sizeof(path), "%s/break.sh", top);
		file = fopen(path, "w");
		fprintf(file, "D=%s\n"
			"blob() { python3 %s $D $1; }\n"
			"flip() { python3 -c 'import sys; p, n = sys.argv[1:]; b = bytearray(open(p, \"rb\").read()); b[int(n)] ^= 4; open(p, \"wb\").write(b)' $1 $2; }\n"
			"%s\n", in(folder), in("find.py"), bad->how);
		fclose(file);
		run("sh -e %s", path);
		return;
	}
	snprintf(path, sizeof(path), "%s/forge.py", top);
	file = fopen(path, "w");
	fputs("import struct\n"
	      /* 300 MB of zeroes in a frame of a few bytes: RLE blocks of 128 KiB */
	      "def frames(b):\n"
	      "    n = struct.unpack('<I', b[-9:-5])[0]\n"
	      "    t = len(b) - 9 - 8 * n\n"
	      "    return n, t, [struct.unpack_from('<II', b, t + 8 * i) for i in range(n)]\n"
	      "def rle(size, value):\n"
	      "    out = b'\\x28\\xb5\\x2f\\xfd\\x00\\x38'\n"
	      "    while size:\n"
	      "        part = min(size, 131072); size -= part\n"
	      "        out += struct.pack('<I', part << 3 | 2 | (not size))[:3] + bytes([value])\n"
	      "    return out\n"
	      "def rebuild(b, first):\n"
	      "    n, t, sizes = frames(b)\n"
	      "    sizes = [list(s) for s in sizes]\n"
	      "    rest = b[sizes[0][0]:t - 8]\n"
	      "    sizes[0][0] = len(first)\n"
	      "    table = b''.join(struct.pack('<II', *s) for s in sizes)\n"
	      "    return first + rest + b[t - 8:t] + table + b[-9:]\n"
	      "def bomb(b): return rebuild(b, rle(300 << 20, 0))\n"
	      "def other(b): return rebuild(b, rle(1 << 20, 7))\n", file);
	fputs(forge, file);
	fclose(file);
	run("sed -i 's/^env = dict(/&bomb=bomb, other=other, /' %s && python3 %s %s %s \"%s\"",
	    path, path, in(folder), bad->kind, bad->how);
}

static int load_it(struct hlk_err *err)
{
	struct hlk_snap *snap;
	int ret = hlk_snapshot_load(stored_ctx(), in("bad"), NULL, &snap, err);

	hlk_snapshot_close(snap);
	return snap ? 1 : ret;
}

/* Names stay as they are, to the byte. */
static int save_it(struct hlk_err *err)
{
	struct hlk_save_config config = HLK_SAVE_CONFIG_INIT;
	struct hlk_snap *snap = stored_new(false);
	int ret;

	config.name = "another";
	run("cp %s %s", in("bad/index.json"), in("index"));
	ret = hlk_snapshot_save(stored_ctx(), snap, in("bad"), &config, err);
	if (ret)
		run("cmp %s %s", in("bad/index.json"), in("index"));
	hlk_snapshot_close(snap);
	return ret;
}

static void refuse(const struct bad *bad, size_t nr, const char *from,
		   int (*use)(struct hlk_err *err))
{
	struct hlk_err err;
	char line[256];
	size_t i;
	int ret;

	for (i = 0; i < nr; i++) {
		run("rm -rf %s && cp -a %s %s", in("bad"), in(from), in("bad"));
		break_it(&bad[i], "bad");
		stored.imports = 0;
		ret = use(&err);
		hlk_strerror(&err, line, sizeof(line));
		if (!tap(ret == -bad[i].code && err.what == HLK_WHAT_SAVED &&
			 strstr(line, bad[i].says) && !stored.imports, "%s", bad[i].what))
			printf("# %d, %u imports: %s\n", ret, stored.imports, line);
	}
}

static void test_bad(void)
{
	struct hlk_save_config config = HLK_SAVE_CONFIG_INIT;
	struct hlk_snap *snap = some_pages(false), *child = some_pages(false);

	save(snap, "good", NULL);
	refuse(bads, sizeof(bads) / sizeof(*bads), "good", load_it);
	refuse(unsaved, sizeof(unsaved) / sizeof(*unsaved), "good", save_it);
	config.flags = HLK_SAVE_COMPRESS;
	save(snap, "packed", &config);
	refuse(packed, sizeof(packed) / sizeof(*packed), "packed", load_it);
	save(snap, "layered", NULL);
	stored_put(child, 0, 99);
	config.flags = 0;
	config.parent = snap;
	save(child, "layered", &config);
	refuse(layered, sizeof(layered) / sizeof(*layered), "layered", load_it);
	hlk_snapshot_close(snap);
	hlk_snapshot_close(child);
}

static void test_processor(void)
{
	struct hlk_snap *machine = some_pages(true), *sandbox = some_pages(false), *snap;
	struct hlk_err err;
	char line[256];

	save(machine, "cpu", NULL);
	save(sandbox, "cpu2", NULL);
	stored.lost_ecx = 1U << 28;
	tap(hlk_snapshot_load(stored_ctx(), in("cpu"), NULL, &snap, &err) == -EOPNOTSUPP &&
	    strstr(hlk_strerror(&err, line, sizeof(line)),
		   "its processor has avx, which this host's KVM has not"),
	    "a machine with AVX is refused where there is none");
	tap(loads("cpu2", NULL, sandbox), "a sandbox has none, and is not");
	stored.lost_ecx = 0;
	hlk_snapshot_close(machine);
	hlk_snapshot_close(sandbox);
}

/* ---- a machine's program, on a host whose KVM has other MSRs ---- */

#define HAS	0x174U
#define HAS_NOT	0x30aU
#define NEW	0x175U
#define PV_EOI	0x4b564d04U	/* with an address */

struct program {
	struct hlk_program_header head;
	struct hlk_program_entry entry;
	struct kvm_msrs msrs;
	struct kvm_msr_entry msr[3];
	struct hlk_program_tail tail;
};

static struct program make_program(uint64_t data)
{
	return (struct program) {
		.head = { .size = sizeof(struct hlk_program_header), .nr_entries = 1,
			  .entry_size = sizeof(struct hlk_program_entry) },
		.entry = { .cmd = (uint32_t)KVM_SET_MSRS,
			   .offset = offsetof(struct program, msrs),
			   .bytes = sizeof(struct kvm_msrs) + 3 * sizeof(struct kvm_msr_entry) },
		.msrs.nmsrs = 3,
		.msr = { { .index = HAS, .data = 0x55 }, { .index = HAS_NOT, .data = data },
			 { .index = PV_EOI, .data = 0x7654001 } },
		.tail = { .magic = HLK_PROGRAM_MAGIC, .size = sizeof(struct hlk_program_tail),
			  .nr_cpus = 1 },
	};
}

/* Saves a machine with this program in a new folder, and loads it: how that ends */
static int through(const char *folder, const struct program *program, struct hlk_snap **out,
		   struct hlk_err *err)
{
	struct hlk_snap *snap = some_pages(true);

	stored_program(snap, program, sizeof(*program));
	save(snap, folder, NULL);
	hlk_snapshot_close(snap);
	return hlk_snapshot_load(stored_ctx(), in(folder), NULL, out, err);
}

static void test_msrs(void)
{
	static const uint32_t lists[STORED_MSRS] = { HAS, NEW, PV_EOI };
	struct program p = make_program(0), *got;
	struct hlk_snap *snap;
	struct hlk_err err;

	memcpy(stored.lists, lists, sizeof(lists));
	tap(!through("msrs", &p, &snap, &err) && !hlk_program_map(snap, &err),
	    "a machine is loaded where KVM lacks an MSR and has another");
	got = (struct program *)atomic_load(&snap->program);
	tap(snap->program_bytes == sizeof(p) && got->msrs.nmsrs == 3 &&
	    got->msr[0].index == HAS && got->msr[0].data == 0x55 &&
	    got->msr[1].index == PV_EOI && got->msr[1].data == 0x7654001 &&
	    got->msr[2].index == NEW && got->msr[2].data == NEW % 16 &&
	    got->tail.magic == HLK_PROGRAM_MAGIC, "it sets what there is here");
	hlk_snapshot_close(snap);

	p = make_program(1);
	tap(through("msrs1", &p, &snap, &err) == -EOPNOTSUPP &&
	    strstr(err.text, "has 0x1 in MSR 0x30a"), "one with something in it is not lost: %s",
	    err.text);
	stored.ignores = true;
	tap(hlk_snapshot_load(stored_ctx(), in("msrs1"), NULL, &snap, &err) == -EOPNOTSUPP &&
	    strstr(err.text, "has 0x1 in MSR 0x30a"),
	    "nor by a KVM that takes what it does not know: %s", err.text);
	stored.ignores = false;

	p = make_program(0);
	p.msr[0].data = 0x100;
	tap(through("msrs2", &p, &snap, &err) == -EOPNOTSUPP &&
	    strstr(err.text, "has 0x100 in MSR 0x174"),
	    "nor what an MSR that is here does not take: %s", err.text);
	p = make_program(0);
	p.entry.flags = HLK_PROGRAM_FRESH;
	tap(through("msrs3", &p, &snap, &err) == -EINVAL && err.what == HLK_WHAT_SAVED,
	    "a program that is not as libhlk writes it is refused: %s", err.text);
	memset(stored.lists, 0, sizeof(stored.lists));
}

static bool saves_nothing(const char *where, int code)
{
	struct hlk_snap *snap = some_pages(false);
	struct hlk_err err;
	int ret = hlk_snapshot_save(stored_ctx(), snap, where, NULL, &err);

	hlk_snapshot_close(snap);
	return ret == -code && err.what == HLK_WHAT_SAVED;
}

static void test_nowhere(void)
{
	run("touch %s", in("file"));
	tap(saves_nothing(in("no/such/folder"), ENOENT), "a folder that cannot be made");
	tap(saves_nothing(in("file"), ENOTDIR), "a folder that is a file");
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : st.st_mode & 0777;
}

static void test_mode(void)
{
	struct hlk_snap *snap = some_pages(false);
	mode_t mask = umask(0);

	tap(save(snap, "m", NULL) && mode_of(in("m")) == 0700, "a new folder is its owner's");
	run("mkdir -m 0775 %s", in("m2"));
	tap(save(snap, "m2", NULL) && mode_of(in("m2")) == 0775, "one that is there stays as it is");
	umask(mask);
	hlk_snapshot_close(snap);
}

static void test_memfd(void)
{
	struct hlk_snap *snap = some_pages(false);

	save(snap, "x", NULL);
	stored.noexec = STORED_NOEXEC_UNKNOWN;
	tap(loads("x", NULL, snap), "a kernel whose memfds can be executed");
	stored.noexec = STORED_NOEXEC_DEMANDED;
	tap(loads("x", NULL, snap), "a host where they must not be");
	stored.noexec = STORED_NOEXEC_TAKEN;
	hlk_snapshot_close(snap);
}

/* A module may know of more pages than it takes back. */
static void test_hot(void)
{
	struct hlk_snap *snap = some_pages(false);
	struct stat st = {};

	stored.nr_touched = 70000;
	tap(save(snap, "h", NULL) && !stat(blob_of("h", "touched"), &st) &&
	    st.st_size == HLK_INDEX_MAX_TOUCHED * sizeof(struct hlk_touched),
	    "of a hot set as much is saved as can be loaded");
	stored.nr_touched = 0;
	hlk_snapshot_close(snap);
}

/* ---- what this version writes, to the byte ---- */

static const char * const golden[] = { "sandbox", "machine", "layer" };

static struct hlk_snap *golden_snap(unsigned int nr)
{
	struct hlk_snap *snap = stored_new(nr == 1);

	stored_put(snap, PAGE, 1);
	stored_put(snap, HIGH_GPA, 2);
	if (nr == 2)
		stored_put(snap, 3 * PAGE, 3);
	return snap;
}

static bool make_golden(const char *folder)
{
	struct hlk_save_config config = HLK_SAVE_CONFIG_INIT;
	struct hlk_snap *snaps[3];
	bool good = true;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		snaps[i] = golden_snap(i);
		config.name = golden[i];
		config.flags = i == 1 ? HLK_SAVE_COMPRESS : 0;
		config.parent = i == 2 ? snaps[0] : NULL;
		good &= !hlk_snapshot_save(stored_ctx(), snaps[i], folder, &config, NULL);
	}
	for (i = 0; i < 3; i++)
		hlk_snapshot_close(snaps[i]);
	return good;
}

static void test_golden(const char *folder)
{
	struct hlk_load_config loading = HLK_LOAD_CONFIG_INIT;
	struct hlk_snap *snap, *as;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		loading.name = golden[i];
		as = golden_snap(i);
		tap(!hlk_snapshot_load(stored_ctx(), folder, &loading, &snap,
				       NULL) && stored_same(snap, as),
		    "what version 1 wrote can be read: %s", golden[i]);
		hlk_snapshot_close(snap);
		hlk_snapshot_close(as);
	}
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "--golden"))
		return !make_golden(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "--check")) {
		test_golden(argv[2]);
		return tap_done();
	}
	if (!mkdtemp(top))
		abort();
	write_file(in("find.py"), find);
	test_round();
	test_names();
	test_layers();
	test_bad();
	test_processor();
	test_msrs();
	test_nowhere();
	test_mode();
	test_memfd();
	test_hot();
	test_golden(GOLDEN "/saved-1");
	run("rm -rf %s", top);
	return tap_done();
}
