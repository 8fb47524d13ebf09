// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * libhlk against the module: what the library promises about sandboxes, snapshots,
 * what can be seen of them, and closing. Runs in the test VM.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "module.h"

static void test_snapshot(const char *what, uint32_t flags)
{
	struct hlk_snapshot_info info = {};
	struct hlk_snap *snap, *again;
	struct hlk_sandbox *sb;
	bool good = true;
	uint32_t value;
	int i;

	sb = make_ready(NULL, flags, &snap);
	for (i = 0; i < 20; i++)
		if (hlk_sandbox_restore(sb, i % 2 ? snap : NULL) ||
		    call_u32(sb, "c", &value, 0) || value != 1)
			good = false;
	tap(good, "%s: each call is the first after a restore", what);
	tap(!call_u32(sb, "c", &value, 0) && value == 2,
	    "%s: the second without", what);
	tap(!hlk_sandbox_snapshot(sb, &(struct hlk_snapshot_config) {
				      .size = sizeof(struct hlk_snapshot_config),
				      .flags = flags }, &again),
	    "%s: a snapshot after calls", what);
	tap(!hlk_sandbox_restore(sb, again) &&
	    !call_u32(sb, "c", &value, 0) && value == 3 &&
	    !hlk_sandbox_restore(sb, snap) &&
	    !call_u32(sb, "c", &value, 0) && value == 1 &&
	    !hlk_sandbox_restore(sb, again) &&
	    !call_u32(sb, "c", &value, 0) && value == 3,
	    "%s: back and forth between the two", what);
	tap(!hlk_snapshot_get_info(again, &info, NULL) &&
	    info.generation == 2 && info.nr_windows == 2,
	    "%s: what it holds", what);
	hlk_snapshot_close(again);
	tap(!hlk_sandbox_restore(sb, NULL) &&
	    !call_u32(sb, "c", &value, 0) && value == 3,
	    "%s: a closed snapshot can still be gone back to", what);
	hlk_snapshot_close(snap);
	hlk_sandbox_close(sb);
}

static uint64_t seen_counter(struct hlk_sandbox *sb)
{
	uint64_t words[4] = {};

	hlk_sandbox_call(sb, "k", NULL, 0, words, sizeof(words), NULL, 0);
	return words[3];
}

static void test_counter(void)
{
	struct hlk_snap *snap;
	struct hlk_sandbox *sb = make_ready(NULL, HLK_SNAP_HOST_COW, &snap);
	struct hlk_sandbox *other;
	const uint64_t evil = 4711;

	tap(!hlk_sandbox_counter(sb) && !seen_counter(sb), "it starts at 0");
	tap(!hlk_sandbox_counter_add(sb, 5) && seen_counter(sb) == 5, "up");
	tap(!hlk_sandbox_restore(sb, NULL) && seen_counter(sb) == 5,
	    "it survives a restore");
	tap(!hlk_sandbox_counter_add(sb, -2) && seen_counter(sb) == 3, "down");
	tap(hlk_sandbox_counter_add(sb, -4) == -EOVERFLOW &&
	    hlk_sandbox_counter(sb) == 3, "not below 0");
	tap(!hlk_sandbox_counter_add(sb, INT64_MAX) &&
	    !hlk_sandbox_counter_add(sb, INT64_MAX - 3) &&
	    hlk_sandbox_counter(sb) == UINT64_MAX - 1 &&
	    hlk_sandbox_counter_add(sb, 2) == -EOVERFLOW &&
	    !hlk_sandbox_counter_add(sb, 1) &&
	    hlk_sandbox_counter_add(sb, 1) == -EOVERFLOW &&
	    seen_counter(sb) == UINT64_MAX, "not above 2^64 - 1");
	tap(!hlk_sandbox_counter_add(sb, INT64_MIN) &&
	    hlk_sandbox_counter(sb) == INT64_MAX, "the longest step down");
	hlk_sandbox_write(sb, HLK_GUEST_SCRATCH_TOP - HLK_GUEST_OFF_COUNTER,
			  &evil, sizeof(evil));
	tap(hlk_sandbox_counter(sb) == INT64_MAX,
	    "what the guest writes there is not read");
	hlk_sandbox_from_snapshot(ctx, snap, NULL, &other, NULL);
	tap(!hlk_sandbox_counter(other) && !seen_counter(other),
	    "another sandbox has its own");
	hlk_sandbox_close(other);
	hlk_snapshot_close(snap);
	hlk_sandbox_close(sb);
}

static void test_unique(void)
{
	struct hlk_snap *snap;
	struct hlk_sandbox *sb = make_ready(NULL, HLK_SNAP_HOST_COW, &snap);
	uint64_t words[2][4] = {};
	int i;

	for (i = 0; i < 2; i++) {
		hlk_sandbox_restore(sb, NULL);
		hlk_sandbox_call(sb, "k", NULL, 0, words[i], sizeof(words[i]),
				 NULL, 0);
	}
	tap(words[0][0] == 1 && words[1][0] == 1, "generation");
	tap(words[0][1] != words[1][1], "unique number");
	tap(words[0][2] != words[1][2], "random seed");
	hlk_snapshot_close(snap);
	hlk_sandbox_close(sb);
}

static void test_from_fd(const char *what, uint32_t flags)
{
	struct hlk_config config = HLK_CONFIG_INIT;
	struct hlk_snap *snap, *import;
	struct hlk_sandbox *sb = make_ready(NULL, flags, &snap);
	struct hlk_sandbox *other = NULL;
	struct hlk_err err = {};
	uint32_t value;

	tap(!hlk_snapshot_from_fd(hlk_snapshot_fd(snap), &import, &err),
	    "%s: snapshot from fd", what);
	hlk_snapshot_close(snap);
	tap_err(&err, !hlk_sandbox_from_snapshot(ctx, import, NULL, &other,
						 &err) &&
		!call_u32(other, "c", &value, 0) && value == 1,
		"%s: sandbox from it", what);
	hlk_sandbox_close(sb);
	tap(!hlk_sandbox_restore(other, NULL) &&
	    !call_u32(other, "c", &value, 0) && value == 1,
	    "%s: it outlives the sandbox that it was made of", what);
	hlk_sandbox_close(other);
	config.mem_size = 32U << 20;
	tap_err(&err, hlk_sandbox_from_snapshot(ctx, import, &config, &other,
						&err) == -EINVAL && !other,
		"%s: other sizes", what);
	sb = make(&config);
	tap_why(sb, hlk_sandbox_restore(sb, import) == -EMEDIUMTYPE,
		"%s: another layout", what);
	tap(!hlk_sandbox_boot(sb, 0) && echoes(sb, 0),
	    "%s: which does no harm", what);
	hlk_sandbox_close(sb);
	hlk_snapshot_close(import);
}

static void test_wrong_fd(void)
{
	struct hlk_snap *snap;
	struct hlk_err err = {};
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	tap_err(&err, hlk_snapshot_from_fd(fd, &snap, &err) && !snap,
		"/dev/null is no snapshot");
	tap_err(&err, hlk_snapshot_from_fd(-1, &snap, &err) == -EBADF,
		"nor is -1");
	close(fd);
}

static struct hlk_mapping mappings[64];

/* What is looked at, by the sandbox and from outside */
static const struct hlk_translate bookkeeping = {
	.root = HLK_ROOT_CR3,
	.va = 0xfffff000,
};

static const struct hlk_walk all_of_it = {
	.mappings = (uintptr_t)mappings,
	.nr_mappings = 64,
	.mapping_size = sizeof(struct hlk_mapping),
};

static void test_inspect(void)
{
	struct hlk_snap *snap;
	struct hlk_sandbox *sb = make_ready(NULL, HLK_SNAP_HOST_COW, &snap);
	struct hlk_translate t = bookkeeping;
	struct hlk_walk walk = all_of_it;
	uint32_t nr = 1, entry = 0, other = 0;
	struct hlk_regs regs;
	uint64_t roots[1];

	tap(!hlk_sandbox_translate(sb, &t) && t.gpa == 0xfedff000 &&
	    t.map & HLK_MAP_WRITE, "translate the bookkeeping page");
	t.va = 0;
	tap_why(sb, hlk_sandbox_translate(sb, &t) == -ENXIO, "translate 0");
	tap(!hlk_sandbox_walk(sb, &walk) && walk.nr_mappings >= 2 &&
	    !walk.cursor, "walk: %u mappings", walk.nr_mappings);
	tap(!hlk_sandbox_roots(sb, roots, &nr) && nr == 1 &&
	    !hlk_sandbox_regs(sb, &regs) && regs.cr3 == roots[0],
	    "the root published is CR3");
	nr = 0;
	tap(hlk_sandbox_roots(sb, roots, &nr) == -EMSGSIZE && nr == 1,
	    "no room for it");
	tap(!hlk_sandbox_read(sb, roots[0], &entry, 4) && entry & 1,
	    "read memory");
	tap(!hlk_sandbox_write(sb, 0x200000, &entry, 4) &&
	    !hlk_sandbox_read(sb, 0x200000, &other, 4) && other == entry,
	    "write memory");
	tap(!hlk_sandbox_restore(sb, NULL) &&
	    !hlk_sandbox_read(sb, 0x200000, &other, 4) && other != entry,
	    "a restore undoes it");
	tap_why(sb, hlk_sandbox_read(sb, 0xfff, &entry, 4) == -ENODEV &&
		hlk_sandbox_read(sb, 1ULL << 30, &entry, 4) == -ENODEV &&
		hlk_sandbox_read(sb, HLK_GUEST_SCRATCH_TOP - 2, &entry, 4) ==
		-ENODEV && hlk_sandbox_read(sb, UINT64_MAX - 1, &entry, 4) == -ENODEV,
		"no memory");
	tap(hlk_sandbox_fd(sb, HLK_FD_HLK) >= 0 &&
	    hlk_sandbox_fd(sb, 99) == -EINVAL, "file descriptors");
	hlk_snapshot_close(snap);
	hlk_sandbox_close(sb);
}

/* Makes one of guest_elf, if its file is right */
static int from_fd(int fd, struct hlk_sandbox **sb, struct hlk_err *err)
{
	int ret = hlk_sandbox_from_file(ctx, fd, NULL, sb, err);

	close(fd);
	return ret;
}

static void test_files(void)
{
	size_t size = guest_elf_end - guest_elf;
	int fd = memfd_create("guest", MFD_CLOEXEC);
	struct hlk_sandbox *sb;
	struct hlk_err err;

	tap_err(&err, write(fd, guest_elf, size) == (ssize_t)size &&
		!from_fd(fd, &sb, &err), "from a file that is open");
	tap(!hlk_sandbox_boot(sb, 0) && echoes(sb, 0), "it boots");
	hlk_sandbox_close(sb);
	fd = memfd_create("large", MFD_CLOEXEC);
	tap_err(&err, !ftruncate(fd, (1LL << 32) + 1) &&
		from_fd(fd, &sb, &err) == -EFBIG && !sb, "a file of 4 GiB");
	tap_err(&err, from_fd(open("/", O_RDONLY | O_CLOEXEC), &sb, &err) ==
		-EISDIR, "a directory");
	tap_err(&err, from_fd(open("/dev/null", O_RDONLY | O_CLOEXEC), &sb,
			      &err) == -EINVAL, "no file");
	tap_err(&err, from_fd(-1, &sb, &err) == -EBADF, "not open");
}

/* What is wrong in a struct is said before anything is done */
static void test_structs(void)
{
	struct hlk_snapshot_config how = HLK_SNAPSHOT_CONFIG_INIT;
	struct hlk_config config = HLK_CONFIG_INIT;
	struct { struct hlk_config it; uint64_t more; } newer;
	size_t size = guest_elf_end - guest_elf;
	struct hlk_snap *snap, *none;
	struct hlk_sandbox *sb = make_ready(NULL, HLK_SNAP_FLAT, &snap);
	uint64_t roots[1] = { 0x2000 };
	struct hlk_sandbox *other;
	struct hlk_err err;

	config.size = 1;
	tap_err(&err, hlk_sandbox_from_image(ctx, guest_elf, size, &config, &other,
					     &err) == -EINVAL, "no size");
	tap(err.what == HLK_WHAT_STRUCT && err.where == 1, "it is told");
	config = (struct hlk_config)HLK_CONFIG_INIT;
	config.flags = 1U << 31;
	tap_err(&err, hlk_sandbox_from_image(ctx, guest_elf, size, &config, &other,
					     &err) == -EOPNOTSUPP &&
		err.what == HLK_WHAT_FLAGS && err.where == 1U << 31, "a flag");
	newer.it = (struct hlk_config)HLK_CONFIG_INIT;
	newer.it.size = sizeof(newer);
	newer.more = 1;
	tap_err(&err, hlk_sandbox_from_image(ctx, guest_elf, size, &newer.it, &other,
					     &err) == -E2BIG &&
		err.what == HLK_WHAT_NEWER, "something newer");
	newer.more = 0;
	tap_err(&err, !hlk_sandbox_from_image(ctx, guest_elf, size, &newer.it, &other,
					      &err), "a newer caller");
	hlk_sandbox_close(other);
	config = (struct hlk_config)HLK_CONFIG_INIT;
	config.signal = SIGTERM;
	tap_err(&err, hlk_sandbox_from_image(ctx, guest_elf, size, &config, &other,
					     &err) == -EINVAL, "SIGTERM");
	config = (struct hlk_config)HLK_CONFIG_INIT;
	config.input_size = 1000;
	tap_err(&err, hlk_sandbox_from_image(ctx, guest_elf, size, &config, &other,
					     &err) == -EINVAL, "1000 bytes of input");
	config.input_size = 0x10000;
	tap_err(&err, hlk_sandbox_from_snapshot(ctx, snap, &config, &other,
						&err) == -EINVAL, "other buffers");
	how.size = 1;
	tap_why(sb, hlk_sandbox_snapshot(sb, &how, &none) == -EINVAL && !none,
		"no size");
	how.size = sizeof(how);
	how.flags = 1U << 31;
	tap_why(sb, hlk_sandbox_snapshot(sb, &how, &none) == -EOPNOTSUPP &&
		hlk_sandbox_error(sb)->what == HLK_WHAT_FLAGS &&
		hlk_sandbox_error(sb)->where == 1U << 31, "a flag");
	how.flags = HLK_SNAP_FLAT | HLK_SNAP_HOST_COW;
	tap_why(sb, hlk_sandbox_snapshot(sb, &how, &none) == -EINVAL, "two kinds");
	how.flags = HLK_SNAP_CR3;
	how.roots = roots;
	how.nr_roots = 1;
	tap_why(sb, hlk_sandbox_snapshot(sb, &how, &none) == -EINVAL, "roots twice");
	how.flags = 0;
	roots[0] = 0x80000000;
	tap_why(sb, hlk_sandbox_snapshot(sb, &how, &none) < 0 && !none,
		"a root that is nowhere");
	tap(echoes(sb, 0), "none of that did harm");
	tap(!strcmp(hlk_exit_reason_text(99), hlk_exit_reason_text(HLK_EXIT_UNKNOWN)),
	    "a reason that is none");
	hlk_snapshot_close(snap);
	hlk_sandbox_close(sb);
}

/* A flat snapshot in another process does not say how large the buffers are. */
static void test_guessed(void)
{
	struct hlk_config config = HLK_CONFIG_INIT;
	struct hlk_snap *snap, *import;
	struct hlk_sandbox *sb, *other;
	struct hlk_err err;

	config.input_size = 0x8000;
	sb = make_ready(&config, HLK_SNAP_FLAT, &snap);
	tap(!hlk_snapshot_from_fd(hlk_snapshot_fd(snap), &import, &err),
	    "a snapshot with buffers of its own");
	tap_err(&err, hlk_sandbox_from_snapshot(ctx, import, NULL, &other, &err) ==
		-EINVAL && !other, "they are not guessed");
	tap_err(&err, !hlk_sandbox_from_snapshot(ctx, import, &config, &other,
						 &err) && echoes(other, 0),
		"but can be given");
	hlk_sandbox_close(other);
	hlk_snapshot_close(import);
	hlk_snapshot_close(snap);
	hlk_sandbox_close(sb);
}

/* A VM of anybody's is looked at; here it is one's own */
static void test_other_vm(void)
{
	struct hlk_snap *snap;
	struct hlk_sandbox *sb = make_ready(NULL, HLK_SNAP_HOST_COW, &snap);
	struct hlk_translate t = bookkeeping;
	struct hlk_walk walk = all_of_it;
	struct hlk_inspect *inspect;
	char bytes[16];
	size_t len = sizeof(bytes);
	struct hlk_err err = {};

	tap_err(&err, !hlk_inspect_open(ctx, hlk_sandbox_fd(sb, HLK_FD_VM), &inspect,
					&err), "a VM to look at");
	tap_err(&err, !hlk_inspect_translate(inspect, &t, &err) &&
		t.gpa == 0xfedff000, "translate");
	t.va = 0;
	tap_err(&err, hlk_inspect_translate(inspect, &t, &err) == -ENXIO, "nothing");
	tap_err(&err, !hlk_inspect_walk(inspect, &walk, &err) &&
		walk.nr_mappings >= 2, "walk");
	walk.start = 1;
	tap_err(&err, hlk_inspect_walk(inspect, &walk, &err) < 0, "from the middle of a page");
	tap_err(&err, !hlk_inspect_read(inspect, HLK_GUEST_SCRATCH_TOP - 16, bytes, &len, &err) &&
		len == sizeof(bytes), "read");
	tap_err(&err, hlk_inspect_read(inspect, HLK_GUEST_SCRATCH_TOP - 8, bytes, &len, &err) ==
		-ENODEV && len == 8, "as far as there is memory");
	hlk_inspect_close(inspect);
	tap_err(&err, hlk_inspect_open(ctx, hlk_sandbox_fd(sb, HLK_FD_VCPU), &inspect,
				       &err) && !inspect, "a vCPU is no VM");
	hlk_inspect_close(NULL);
	hlk_snapshot_close(snap);
	hlk_sandbox_close(sb);
}

/* The budget holds for what the host writes too */
static void test_written(void)
{
	static char zeroes[1U << 20];
	struct hlk_config config = HLK_CONFIG_INIT;
	struct hlk_snap *snap;
	struct hlk_sandbox *sb;

	config.max_private = 200;
	config.keep_private = 20;
	sb = make_ready(&config, HLK_SNAP_FLAT, &snap);
	tap_why(sb, hlk_sandbox_write(sb, 0x100000, zeroes, sizeof(zeroes)) == -EDQUOT,
		"1 MiB by the host");
	tap(!hlk_sandbox_restore(sb, NULL) && echoes(sb, 0), "which a restore undoes");
	hlk_snapshot_close(snap);
	hlk_sandbox_close(sb);
}

static unsigned int open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int nr = 0;

	while (readdir(dir))
		nr++;
	closedir(dir);
	return nr;
}

/* Some failures of making a sandbox, each after more was made */
static void test_half_made(void)
{
	struct hlk_config config = HLK_CONFIG_INIT;
	size_t size = guest_elf_end - guest_elf;
	unsigned int fds = open_fds();
	struct hlk_sandbox *sb;
	struct hlk_err err;

	config.max_private = 1;
	tap(hlk_sandbox_from_image(ctx, guest_elf, size, &config, &sb, &err) ||
	    hlk_sandbox_boot(sb, 0) == -EDQUOT, "a budget of one page");
	hlk_sandbox_close(sb);
	config.max_private = UINT64_MAX;
	tap(hlk_sandbox_from_image(ctx, guest_elf, size, &config, &sb, &err) ||
	    !hlk_sandbox_boot(sb, 0), "a budget beyond the limit");
	hlk_sandbox_close(sb);
	config.max_private = 0;
	config.mem_size = 0x100000;
	tap_err(&err, hlk_sandbox_from_image(ctx, guest_elf, size, &config,
					     &sb, &err) == -ENOSPC && !sb,
		"too little memory");
	tap_err(&err, hlk_sandbox_from_path(ctx, "/none", NULL, &sb, &err) ==
		-ENOENT && !sb, "no file");
	tap_err(&err, hlk_sandbox_from_path(ctx, "/dev", NULL, &sb, &err) ==
		-EISDIR, "a directory");
	tap_err(&err, hlk_sandbox_from_path(ctx, "/proc/self/exe", NULL, &sb,
					    &err) == -ENOEXEC, "this program");
	tap(open_fds() == fds, "no fd is left");
}

static void test_closing(void)
{
	unsigned int fds = open_fds();
	struct hlk_ctx *first = ctx;
	struct hlk_snap *snap;
	struct hlk_sandbox *sb;

	hlk_open(&ctx, NULL);
	sb = make_ready(NULL, HLK_SNAP_HOST_COW, &snap);
	hlk_close(ctx);
	hlk_snapshot_close(snap);
	tap(!hlk_sandbox_restore(sb, NULL) && echoes(sb, 5000 * MS),
	    "a sandbox outlives its context and its snapshot");
	hlk_sandbox_close(sb);
	ctx = first;
	tap(open_fds() == fds, "no fd is left");
	hlk_close(NULL);
	hlk_sandbox_close(NULL);
	hlk_snapshot_close(NULL);
}

int main(void)
{
	open_ctx();
	test_snapshot("flat", HLK_SNAP_FLAT);
	test_snapshot("compact", HLK_SNAP_HOST_COW);
	test_snapshot("compact, CR3", HLK_SNAP_HOST_COW | HLK_SNAP_CR3);
	test_snapshot("compact, strict", HLK_SNAP_HOST_COW | HLK_SNAP_STRICT);
	test_counter();
	test_unique();
	test_from_fd("flat", HLK_SNAP_FLAT);
	test_from_fd("compact", HLK_SNAP_HOST_COW);
	test_wrong_fd();
	test_inspect();
	test_files();
	test_structs();
	test_guessed();
	test_other_vm();
	test_written();
	test_half_made();
	test_closing();
	return finish();
}
