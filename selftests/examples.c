// SPDX-License-Identifier: GPL-2.0-only
/*
 * The example guests do what they say, and do so wherever a call starts from: a
 * guest that has just booted, a snapshot, a snapshot of a guest that was itself
 * restored. In the latter two the guest copies on write and its pages have
 * moved, the second time from where a snapshot had put them.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <hlk.h>

#include "harness.h"

#define TIMEOUT_US	10000000	/* emulated processors are slow */
#define PAGE		4096UL
#define MEM_SIZE	(4UL << 20)
#define ROUNDS		50
#define PROCESSES	5U

/* What buffers hold besides: a word at the start, one behind each element; heads */
#define WORD		sizeof(uint64_t)
#define CALL_HEAD	sizeof(struct hlk_guest_call)
#define RET_HEAD	sizeof(struct hlk_guest_ret)

/* The runtime gives half of its output buffer to answers, half to what it asks. */
#define HALF		(HLK_GUEST_BUFFER_SIZE / 2)
#define MAX_ANSWER	(HALF - RET_HEAD - 2 * WORD)
#define MAX_REQUEST	(HALF - CALL_HEAD - 2 * WORD)	/* name and argument */
#define MAX_INPUT	(HLK_GUEST_BUFFER_SIZE - CALL_HEAD - 2 * WORD)

/* The longest answer of a host function to a call that has no argument */
#define MAX_REPLY	(HLK_GUEST_BUFFER_SIZE - RET_HEAD - 2 * WORD)

/**
 * struct guest - a sandbox, what it goes back to, what it said
 * @ctx: the context
 * @sb: the sandbox
 * @snap: what rewind() restores; NULL is what it was before it booted
 * @text: what it printed since tell_me(), terminated
 * @text_len: how much
 * @out: its last answer, terminated
 * @out_len: how long that is
 */
struct guest {
	struct hlk_ctx *ctx;
	struct hlk_sandbox *sb;
	struct hlk_snap *snap;
	char text[4096];
	size_t text_len;
	char out[HLK_GUEST_BUFFER_SIZE + 1];
	size_t out_len;
};

/* ---- the guest's life ---- */

static void note(const char *what, const struct hlk_err *err)
{
	char why[256];

	fprintf(stderr, "# %s: %s\n", what, hlk_strerror(err, why, sizeof(why)));
}

static void print(void *arg, const char *text, size_t len)
{
	struct guest *g = arg;

	if (len > sizeof(g->text) - 1 - g->text_len)
		len = sizeof(g->text) - 1 - g->text_len;
	memcpy(g->text + g->text_len, text, len);
	g->text_len += len;
	g->text[g->text_len] = 0;
}

/* From here on what is printed counts */
static void tell_me(struct guest *g)
{
	g->text_len = 0;
	g->text[0] = 0;
}

static int call_len(struct guest *g, const char *name, const void *arg, size_t len)
{
	memset(g->out, 0, sizeof(g->out));
	return hlk_sandbox_call(g->sb, name, arg, len, g->out,
				sizeof(g->out) - 1, &g->out_len, TIMEOUT_US);
}

static int call(struct guest *g, const char *name, const char *arg)
{
	return call_len(g, name, arg, strlen(arg));
}

/* Back to before the last call. Where there is no snapshot, that takes a boot. */
static int rewind_guest(struct guest *g)
{
	int ret = hlk_sandbox_restore(g->sb, g->snap);

	if (!ret && !g->snap)
		ret = hlk_sandbox_boot(g->sb, TIMEOUT_US);
	if (ret)
		note("rewind", hlk_sandbox_error(g->sb));
	return ret;
}

static int boot(struct guest *g, const char *elf, uint32_t flags)
{
	struct hlk_config config = HLK_CONFIG_INIT;
	struct hlk_err err;
	int ret;

	config.flags = flags;
	config.mem_size = MEM_SIZE;
	config.print = print;
	config.print_arg = g;
	ret = hlk_open(&g->ctx, &err);
	if (!ret)
		ret = hlk_sandbox_from_path(g->ctx, elf, &config, &g->sb, &err);
	if (ret) {
		note(elf, &err);
		return ret;
	}
	ret = hlk_sandbox_boot(g->sb, TIMEOUT_US);
	if (ret)
		note("boot", hlk_sandbox_error(g->sb));
	return ret;
}

/* Strict: these guests map nothing but memory. */
static int snapshot(struct guest *g)
{
	struct hlk_snapshot_config config = HLK_SNAPSHOT_CONFIG_INIT;
	struct hlk_snap *snap;
	int ret;

	config.flags = HLK_SNAP_STRICT;
	ret = hlk_sandbox_snapshot(g->sb, &config, &snap);
	if (ret) {
		note("snapshot", hlk_sandbox_error(g->sb));
		return ret;
	}
	hlk_snapshot_close(g->snap);
	g->snap = snap;
	return rewind_guest(g);
}

/*
 * Boot a guest and make as many snapshots. Before each it works a little, so
 * that the second one finds pages that the guest copied.
 */
static int start_so(struct guest *g, const char *elf, const char *work,
		    unsigned int snapshots, uint32_t flags)
{
	unsigned int i;
	int ret;

	ret = boot(g, elf, flags);
	for (i = 0; !ret && i < snapshots; i++) {
		ret = call(g, work, "");
		if (!ret)
			ret = snapshot(g);
	}
	return ret;
}

static int start(struct guest *g, const char *elf, const char *work,
		 unsigned int snapshots)
{
	return start_so(g, elf, work, snapshots, 0);
}

/* Some of it is freed a moment after the last file was closed. */
static int nothing_left(struct hlk_ctx *ctx)
{
	const struct timespec tick = { .tv_nsec = 20000000 };
	struct hlk_info info = {};
	unsigned int tries;

	for (tries = 0; tries < 250; tries++) {
		if (hlk_get_info(ctx, &info, NULL))
			return 0;
		if (!info.live_vms && !info.live_snapshots && !info.live_pages)
			return 1;
		nanosleep(&tick, NULL);
	}
	fprintf(stderr, "# left: %llu VMs, %llu snapshots, %llu pages\n",
		(unsigned long long)info.live_vms,
		(unsigned long long)info.live_snapshots,
		(unsigned long long)info.live_pages);
	return 0;
}

static int stop(struct guest *g)
{
	int clean;

	hlk_snapshot_close(g->snap);
	hlk_sandbox_close(g->sb);
	clean = nothing_left(g->ctx);
	hlk_close(g->ctx);
	return clean;
}

/* ---- what a call comes to ---- */

static int answers_len(struct guest *g, const char *name, const void *arg,
		       size_t len, const void *want, size_t want_len)
{
	int ret = call_len(g, name, arg, len);

	if (!ret && g->out_len == want_len && !memcmp(g->out, want, want_len))
		return 1;
	fprintf(stderr, "# %s of %zu bytes: %d, %zu bytes '%.80s'\n", name, len,
		ret, g->out_len, g->out);
	if (ret)
		note(name, hlk_sandbox_error(g->sb));
	return 0;
}

static int answers(struct guest *g, const char *name, const char *arg,
		   const char *want)
{
	return answers_len(g, name, arg, strlen(arg), want, strlen(want));
}

/* The function gives an error, and the guest is well. */
static int refuses_len(struct guest *g, const char *name, const void *arg,
		       size_t len, unsigned int status)
{
	int ret = call_len(g, name, arg, len);
	const struct hlk_err *err = hlk_sandbox_error(g->sb);

	if (ret == -EREMOTEIO && err->what == HLK_WHAT_GUEST_STATUS &&
	    err->where == status)
		return 1;
	fprintf(stderr, "# %s of %zu bytes: %d\n", name, len, ret);
	note(name, err);
	return 0;
}

static int refuses(struct guest *g, const char *name, const char *arg,
		   unsigned int status)
{
	return refuses_len(g, name, arg, strlen(arg), status);
}

/* The guest fails, and can do nothing more until it is restored. */
static int fails(struct guest *g, const char *name, const char *arg,
		 enum hlk_exit_reason reason, uint32_t code)
{
	const struct hlk_exit *end = hlk_sandbox_exit(g->sb);
	int ret = call(g, name, arg);

	if (ret != -ENOTRECOVERABLE || end->reason != reason || end->code != code) {
		fprintf(stderr, "# %s(%s): %d, %s, code %#x\n", name, arg, ret,
			hlk_exit_reason_text(end->reason), end->code);
		note(name, hlk_sandbox_error(g->sb));
		return 0;
	}
	return call(g, name, arg) == -ESTALE;
}

static int printed(const struct guest *g, const char *want)
{
	if (!strcmp(g->text, want))
		return 1;
	fprintf(stderr, "# printed: %s\n", g->text);
	return 0;
}

/* ---- functions of the host ---- */

static int host_reverse(void *arg, const void *in, size_t in_len, void *out,
			size_t out_size, size_t *out_len)
{
	const char *from = in;
	char *to = out;
	size_t i;

	if (in_len > out_size)
		return -EMSGSIZE;
	for (i = 0; i < in_len; i++)
		to[i] = from[in_len - 1 - i];
	*out_len = in_len;
	return 0;
}

/* As many bytes as the argument says */
static int host_bytes(void *arg, const void *in, size_t in_len, void *out,
		      size_t out_size, size_t *out_len)
{
	char number[16] = "";

	memcpy(number, in, in_len < sizeof(number) ? in_len : sizeof(number) - 1);
	*out_len = strtoul(number, NULL, 10);
	memset(out, 'b', *out_len < out_size ? *out_len : out_size);
	return 0;
}

static int host_nothing(void *arg, const void *in, size_t in_len, void *out,
			size_t out_size, size_t *out_len)
{
	*out_len = MAX_REPLY;
	return -ENOSPC;
}

/* ---- the server ---- */

FIXTURE(server) {
	struct guest g;
	char *bytes;		/* HLK_GUEST_BUFFER_SIZE of them */
	char *backwards;
};

FIXTURE_VARIANT(server) {
	unsigned int snapshots;
};

FIXTURE_VARIANT_ADD(server, just_booted) {
	.snapshots = 0,
};

FIXTURE_VARIANT_ADD(server, snapshot) {
	.snapshots = 1,
};

FIXTURE_VARIANT_ADD(server, snapshot_of_restored) {
	.snapshots = 2,
};

FIXTURE_SETUP(server)
{
	struct guest *g = &self->g;
	unsigned int i;

	ASSERT_EQ(0, start(g, "server.elf", "hello", variant->snapshots));
	ASSERT_EQ(0, hlk_sandbox_host_function(g->sb, "reverse", host_reverse, NULL));
	ASSERT_EQ(0, hlk_sandbox_host_function(g->sb, "bytes", host_bytes, NULL));
	ASSERT_EQ(0, hlk_sandbox_host_function(g->sb, "nothing", host_nothing, NULL));
	self->bytes = malloc(HLK_GUEST_BUFFER_SIZE);
	self->backwards = malloc(HLK_GUEST_BUFFER_SIZE);
	ASSERT_NE(NULL, self->bytes);
	ASSERT_NE(NULL, self->backwards);
	/* A prime period, so that a page in another's place is seen */
	for (i = 0; i < HLK_GUEST_BUFFER_SIZE; i++)
		self->bytes[i] = 'A' + i % 53;
}

FIXTURE_TEARDOWN(server)
{
	free(self->bytes);
	free(self->backwards);
	EXPECT_TRUE(stop(&self->g));
}

/* Without a restore in between, as after one */
TEST_F(server, answers_call_after_call)
{
	struct guest *g = &self->g;

	ASSERT_TRUE(answers(g, "echo", "abc", "abc"));
	ASSERT_TRUE(answers(g, "echo", "", ""));
	ASSERT_TRUE(answers(g, "sum", "1 2 3", "6"));
	ASSERT_TRUE(answers(g, "sum", "", "0"));
	ASSERT_TRUE(refuses(g, "nonesuch", "", ENOENT));
	ASSERT_TRUE(refuses(g, "", "", ENOENT));
	ASSERT_EQ(0, rewind_guest(g));
	ASSERT_TRUE(answers(g, "sum", "40 0x2", "42"));
	ASSERT_EQ(0, rewind_guest(g));
	ASSERT_TRUE(answers(g, "echo", "abc", "abc"));
}

TEST_F(server, prints)
{
	struct guest *g = &self->g;

	tell_me(g);
	ASSERT_TRUE(answers(g, "hello", "", "hello"));
	ASSERT_TRUE(printed(g, "Hello from an i686 guest\n"));
	ASSERT_EQ(0, rewind_guest(g));
	tell_me(g);
	ASSERT_TRUE(answers(g, "putc", "xyz", ""));
	ASSERT_TRUE(printed(g, "xyz"));
}

TEST_F(server, echoes_all_that_its_buffers_hold)
{
	struct guest *g = &self->g;
	static const size_t sizes[] = {
		1, PAGE - 1, PAGE, PAGE + 1, MAX_ANSWER - 1, MAX_ANSWER,
	};
	unsigned int i;

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		ASSERT_EQ(0, rewind_guest(g));
		ASSERT_TRUE(answers_len(g, "echo", self->bytes, sizes[i],
					self->bytes, sizes[i]));
	}
}

TEST_F(server, says_what_is_too_long)
{
	struct guest *g = &self->g;
	size_t most = MAX_INPUT - strlen("echo");

	ASSERT_TRUE(refuses_len(g, "echo", self->bytes, MAX_ANSWER + 1, EMSGSIZE));
	ASSERT_TRUE(refuses_len(g, "echo", self->bytes, most, EMSGSIZE));
	ASSERT_EQ(-ENOBUFS, call_len(g, "echo", self->bytes, most + 1));
	ASSERT_EQ(HLK_WHAT_INPUT, hlk_sandbox_error(g->sb)->what);
	ASSERT_TRUE(answers(g, "echo", "abc", "abc"));
}

TEST_F(server, an_answer_longer_than_the_callers_buffer_is_cut)
{
	struct guest *g = &self->g;
	char out[5] = "";
	size_t len;

	ASSERT_EQ(-EMSGSIZE, hlk_sandbox_call(g->sb, "echo", "abcdef", 6, out, 4,
					      &len, TIMEOUT_US));
	ASSERT_EQ(6, len);
	ASSERT_STREQ("abcd", out);
	ASSERT_EQ(6, hlk_sandbox_error(g->sb)->where);
}

TEST_F(server, calls_the_host)
{
	struct guest *g = &self->g;

	ASSERT_TRUE(answers(g, "host", "reverse hello", "olleh"));
	ASSERT_TRUE(answers(g, "host", "reverse", ""));
	ASSERT_TRUE(refuses(g, "host", "none x", ENOENT));
	ASSERT_TRUE(refuses(g, "host", "nothing x", ENOSPC));
	ASSERT_EQ(0, rewind_guest(g));
	ASSERT_TRUE(answers(g, "host", "reverse hello", "olleh"));
}

/*
 * The argument lies in the input buffer while the host's answer is pushed on
 * top of it. Each size from where it fits easily to where it does not at all.
 */
TEST_F_TIMEOUT(server, calls_the_host_with_arguments_of_all_sizes, 240)
{
	const size_t most = MAX_REQUEST - strlen("reverse");
	const size_t end = MAX_INPUT - strlen("host");
	const size_t name = strlen("reverse ");
	struct guest *g = &self->g;
	size_t i, n;

	memcpy(self->bytes, "reverse ", name);
	for (n = 0; n <= end - name; n += n + 64 > most && n < most + 8 ? 1 : 59) {
		for (i = 0; i < n; i++)
			self->backwards[i] = self->bytes[name + n - 1 - i];
		ASSERT_EQ(0, rewind_guest(g));
		if (n <= most) {
			ASSERT_TRUE(answers_len(g, "host", self->bytes, name + n,
						self->backwards, n));
		} else {
			ASSERT_TRUE(refuses_len(g, "host", self->bytes, name + n,
						EMSGSIZE));
		}
	}
}

/* Too long for the guest's answer; for the buffer; for any buffer */
TEST_F(server, hears_of_host_answers_that_are_too_long)
{
	static const size_t sizes[] = {
		MAX_ANSWER + 1, MAX_REPLY - 1, MAX_REPLY, MAX_REPLY + 1, 1 << 30,
	};
	struct guest *g = &self->g;
	char arg[32];
	unsigned int i;

	memset(self->bytes, 'b', MAX_ANSWER);
	snprintf(arg, sizeof(arg), "bytes %zu", (size_t)MAX_ANSWER);
	ASSERT_TRUE(answers_len(g, "host", arg, strlen(arg), self->bytes,
				MAX_ANSWER));
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		ASSERT_EQ(0, rewind_guest(g));
		snprintf(arg, sizeof(arg), "bytes %zu", sizes[i]);
		ASSERT_TRUE(refuses(g, "host", arg, EMSGSIZE));
		ASSERT_TRUE(answers(g, "host", "reverse abc", "cba"));
	}
}

TEST_F(server, forgets_what_it_counted)
{
	struct guest *g = &self->g;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, rewind_guest(g));
		ASSERT_TRUE(answers(g, "counter", "", "1"));
	}
	ASSERT_TRUE(answers(g, "counter", "", "2"));
	ASSERT_TRUE(answers(g, "counter", "", "3"));
}

TEST_F(server, remembers_what_it_counted_before_a_snapshot)
{
	struct guest *g = &self->g;
	unsigned int i;

	ASSERT_TRUE(answers(g, "counter", "", "1"));
	ASSERT_EQ(0, snapshot(g));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, rewind_guest(g));
		ASSERT_TRUE(answers(g, "counter", "", "2"));
	}
	ASSERT_EQ(0, snapshot(g));
	ASSERT_TRUE(answers(g, "counter", "", "3"));
}

/* Each page counts up by one: the sum is more if one did not come back. */
TEST_F(server, forgets_the_pages_it_touched)
{
	struct guest *g = &self->g;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, rewind_guest(g));
		ASSERT_TRUE(answers(g, "touch", "20", "20"));
	}
	ASSERT_TRUE(answers(g, "touch", "20", "40"));
	ASSERT_TRUE(refuses(g, "touch", "257", EINVAL));
}

/* Before the first snapshot nothing is copied on write, and needs no scratch. */
TEST_F(server, a_guest_that_copies_too_much_runs_out_of_scratch)
{
	struct guest *g = &self->g;

	if (!variant->snapshots) {
		ASSERT_TRUE(answers(g, "touch", "256", "256"));
		return;
	}
	ASSERT_TRUE(fails(g, "touch", "256", HLK_EXIT_ABORT,
			  HLK_GUEST_ABORT_SCRATCH));
	ASSERT_EQ(0, rewind_guest(g));
	ASSERT_TRUE(answers(g, "touch", "20", "20"));
}

TEST_F(server, a_guest_that_takes_all_of_scratch_gets_it_back)
{
	struct guest *g = &self->g;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		ASSERT_TRUE(fails(g, "fill", "", HLK_EXIT_ABORT,
				  HLK_GUEST_ABORT_SCRATCH));
		ASSERT_EQ(0, rewind_guest(g));
	}
	ASSERT_TRUE(answers(g, "echo", "abc", "abc"));
}

/* The second call sees that the first one did write them. */
TEST_F(server, debug_registers_come_back)
{
	static const char fresh[] = "0 0 0 0 ffff0ff0 400";
	struct guest *g = &self->g;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, rewind_guest(g));
		ASSERT_TRUE(answers(g, "dr", "", fresh));
		ASSERT_EQ(0, call(g, "dr", ""));
		ASSERT_STRNE(fresh, g->out);
	}
}

/* Each call finds the FPU as it was at the start, restored or not. */
TEST_F(server, the_fpu_comes_back)
{
	struct guest *g = &self->g;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, rewind_guest(g));
		ASSERT_TRUE(answers(g, "fpu", "", "37f 1f80"));
		ASSERT_TRUE(answers(g, "fpu", "", "37f 1f80"));
	}
}

TEST_F(server, a_bad_write_is_reported_with_its_address)
{
	struct guest *g = &self->g;
	const struct hlk_exit *end = hlk_sandbox_exit(g->sb);
	static const uint32_t where[] = { 0, 0xc0000010 };
	char arg[16];
	unsigned int i;

	for (i = 0; i < 2; i++) {
		snprintf(arg, sizeof(arg), "%#x", where[i]);
		ASSERT_TRUE(fails(g, "crash", arg, HLK_EXIT_TRAP, 14));
		/* A write, by the kernel, to a page that is not present */
		ASSERT_EQ(2, end->error_code);
		ASSERT_EQ(HLK_EXIT_HAS_FAULT | HLK_EXIT_WRITE, end->flags);
		ASSERT_EQ(where[i], end->fault);
		ASSERT_EQ(where[i], end->regs.cr2);
		ASSERT_EQ(HLK_GUEST_CS, end->regs.cs);
		ASSERT_LE(HLK_GUEST_MEM_BASE, end->regs.eip);
		ASSERT_GT(MEM_SIZE, end->regs.eip);
		ASSERT_EQ(0, rewind_guest(g));
	}
	ASSERT_TRUE(answers(g, "echo", "abc", "abc"));
}

TEST_F(server, a_bad_instruction_is_reported_with_its_address)
{
	static const uint8_t ud2[] = { 0x0f, 0x0b };
	struct guest *g = &self->g;
	const struct hlk_exit *end = hlk_sandbox_exit(g->sb);
	struct hlk_translate t = { .root = HLK_ROOT_CR3 };
	uint8_t code[sizeof(ud2)];

	ASSERT_TRUE(fails(g, "ud", "", HLK_EXIT_TRAP, 6));
	ASSERT_EQ(0, end->error_code);
	ASSERT_EQ(0, end->flags);
	ASSERT_EQ(HLK_GUEST_CS, end->regs.cs);
	t.va = end->regs.eip;
	ASSERT_EQ(0, hlk_sandbox_translate(g->sb, &t));
	ASSERT_EQ(0, hlk_sandbox_read(g->sb, t.gpa, code, sizeof(code)));
	ASSERT_EQ(0, memcmp(ud2, code, sizeof(code)));
	ASSERT_EQ(0, rewind_guest(g));
	ASSERT_TRUE(answers(g, "echo", "abc", "abc"));
}

TEST_F(server, a_stack_overflow_is_a_triple_fault)
{
	struct guest *g = &self->g;

	ASSERT_TRUE(fails(g, "overflow", "", HLK_EXIT_SHUTDOWN, 0));
	ASSERT_EQ(0, rewind_guest(g));
	ASSERT_TRUE(answers(g, "echo", "abc", "abc"));
}

TEST_F(server, a_loop_is_ended)
{
	struct guest *g = &self->g;

	ASSERT_EQ(-ETIMEDOUT, hlk_sandbox_call(g->sb, "loop", "", 0, NULL, 0,
					       NULL, 50000));
	ASSERT_EQ(HLK_WHAT_TIMEOUT, hlk_sandbox_error(g->sb)->what);
	ASSERT_EQ(HLK_EXIT_TIMEOUT, hlk_sandbox_exit(g->sb)->reason);
	ASSERT_EQ(-ESTALE, call(g, "echo", "abc"));
	ASSERT_EQ(0, rewind_guest(g));
	ASSERT_TRUE(answers(g, "echo", "abc", "abc"));
}

/*
 * "NUMBER WORD...": the number that differs at every restore, and the seed.
 * Returns the seed's text.
 */
static const char *unique(struct guest *g, unsigned long *number)
{
	char *seed;

	if (call(g, "unique", ""))
		return "";
	*number = strtoul(g->out, &seed, 10);
	return seed;
}

TEST_F(server, every_restore_gives_another_number_and_seed)
{
	static char seeds[ROUNDS][128];
	unsigned long numbers[ROUNDS];
	struct guest *g = &self->g;
	unsigned int i, j;

	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, rewind_guest(g));
		snprintf(seeds[i], sizeof(seeds[i]), "%s", unique(g, &numbers[i]));
		ASSERT_STRNE("", seeds[i]);
		ASSERT_STRNE(" 0 0 0 0 0 0 0 0", seeds[i]);
		for (j = 0; j < i; j++) {
			ASSERT_NE(numbers[j], numbers[i]);
			ASSERT_STRNE(seeds[j], seeds[i]);
		}
	}
}

/* ---- two sandboxes of one snapshot ---- */

FIXTURE(twins) {
	struct guest first;
	struct guest second;
};

FIXTURE_VARIANT(twins) {
	unsigned int snapshots;
};

FIXTURE_VARIANT_ADD(twins, snapshot) {
	.snapshots = 1,
};

FIXTURE_VARIANT_ADD(twins, snapshot_of_restored) {
	.snapshots = 2,
};

FIXTURE_SETUP(twins)
{
	struct hlk_config config = HLK_CONFIG_INIT;
	struct guest *first = &self->first;
	struct guest *second = &self->second;
	struct hlk_err err;

	ASSERT_EQ(0, start(first, "server.elf", "hello", variant->snapshots));
	config.print = print;
	config.print_arg = second;
	ASSERT_EQ(0, hlk_open(&second->ctx, &err));
	ASSERT_EQ(0, hlk_snapshot_from_fd(hlk_snapshot_fd(first->snap),
					  &second->snap, &err));
	ASSERT_EQ(0, hlk_sandbox_from_snapshot(second->ctx, second->snap, &config,
					       &second->sb, &err)) {
		note("twin", &err);
	}
}

FIXTURE_TEARDOWN(twins)
{
	hlk_snapshot_close(self->first.snap);
	hlk_sandbox_close(self->first.sb);
	hlk_close(self->first.ctx);
	EXPECT_TRUE(stop(&self->second));
}

TEST_F(twins, count_for_themselves)
{
	struct guest *first = &self->first;
	struct guest *second = &self->second;
	unsigned int i;

	ASSERT_TRUE(answers(first, "counter", "", "1"));
	ASSERT_TRUE(answers(second, "counter", "", "1"));
	ASSERT_TRUE(answers(second, "counter", "", "2"));
	ASSERT_TRUE(answers(second, "touch", "20", "20"));
	ASSERT_TRUE(answers(first, "touch", "20", "20"));
	ASSERT_TRUE(answers(first, "counter", "", "2"));
	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, rewind_guest(first));
		ASSERT_TRUE(answers(first, "counter", "", "1"));
		ASSERT_EQ(0, rewind_guest(second));
		ASSERT_TRUE(answers(second, "counter", "", "1"));
	}
}

TEST_F(twins, print_each_to_its_own_host)
{
	struct guest *first = &self->first;
	struct guest *second = &self->second;

	tell_me(first);
	tell_me(second);
	ASSERT_TRUE(answers(first, "putc", "one", ""));
	ASSERT_TRUE(answers(second, "putc", "two", ""));
	ASSERT_TRUE(printed(first, "one"));
	ASSERT_TRUE(printed(second, "two"));
}

TEST_F(twins, fail_alone)
{
	struct guest *first = &self->first;
	struct guest *second = &self->second;

	ASSERT_TRUE(fails(first, "crash", "0", HLK_EXIT_TRAP, 14));
	ASSERT_TRUE(answers(second, "counter", "", "1"));
	ASSERT_TRUE(fails(second, "fill", "", HLK_EXIT_ABORT,
			  HLK_GUEST_ABORT_SCRATCH));
	ASSERT_EQ(0, rewind_guest(first));
	ASSERT_TRUE(answers(first, "counter", "", "1"));
	ASSERT_EQ(0, rewind_guest(second));
	ASSERT_TRUE(answers(second, "counter", "", "1"));
}

/* Else both would make the same keys. */
TEST_F(twins, differ_in_number_and_seed)
{
	unsigned long numbers[2] = {};
	char seeds[2][128];
	unsigned int i;

	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, rewind_guest(&self->first));
		ASSERT_EQ(0, rewind_guest(&self->second));
		snprintf(seeds[0], sizeof(seeds[0]), "%s",
			 unique(&self->first, &numbers[0]));
		snprintf(seeds[1], sizeof(seeds[1]), "%s",
			 unique(&self->second, &numbers[1]));
		ASSERT_STRNE("", seeds[0]);
		ASSERT_STRNE("", seeds[1]);
		ASSERT_STRNE(seeds[0], seeds[1]);
		ASSERT_NE(numbers[0], numbers[1]);
	}
}

/* A snapshot of one can be restored in the other, whose layout is the same. */
TEST_F(twins, take_over_from_each_other)
{
	struct guest *first = &self->first;
	struct guest *second = &self->second;
	struct hlk_snap *snap;

	ASSERT_TRUE(answers(second, "counter", "", "1"));
	ASSERT_TRUE(answers(second, "touch", "20", "20"));
	ASSERT_EQ(0, hlk_sandbox_snapshot(second->sb, NULL, &snap));
	ASSERT_EQ(0, hlk_sandbox_restore(first->sb, snap));
	hlk_snapshot_close(snap);
	ASSERT_TRUE(answers(first, "counter", "", "2"));
	ASSERT_TRUE(answers(first, "touch", "20", "40"));
	ASSERT_EQ(0, rewind_guest(first));
	ASSERT_TRUE(answers(first, "counter", "", "1"));
}

/* ---- the microkernel ---- */

FIXTURE(microkernel) {
	struct guest g;
};

FIXTURE_VARIANT(microkernel) {
	unsigned int snapshots;
};

FIXTURE_VARIANT_ADD(microkernel, just_booted) {
	.snapshots = 0,
};

FIXTURE_VARIANT_ADD(microkernel, snapshot) {
	.snapshots = 1,
};

FIXTURE_VARIANT_ADD(microkernel, snapshot_of_restored) {
	.snapshots = 2,
};

FIXTURE_SETUP(microkernel)
{
	ASSERT_EQ(0, start(&self->g, "microkernel.elf", "hello",
			   variant->snapshots));
}

FIXTURE_TEARDOWN(microkernel)
{
	EXPECT_TRUE(stop(&self->g));
}

/* All processes said hello, in their order, and remember all that they should. */
static int all_say_hello(struct guest *g)
{
	tell_me(g);
	return answers(g, "hello", "", "5/5") &&
	       printed(g, "Hello from process 1\n"
			  "Hello from process 2\n"
			  "Hello from process 3\n"
			  "Hello from process 4\n"
			  "Hello from process 5\n"
			  "Hello 5/5\n");
}

/* A process writes to an address. All others say hello, itself its page fault. */
static int poke_kills(struct guest *g, unsigned int process, uint32_t address)
{
	char line[64];
	char arg[32];
	int heard, alive;
	unsigned int i;

	tell_me(g);
	snprintf(arg, sizeof(arg), "%u %#x", process, address);
	if (!answers(g, "poke", arg, "4/5"))
		return 0;
	for (i = 1; i <= PROCESSES; i++) {
		snprintf(line, sizeof(line), "Hello from process %u\n", i);
		heard = strstr(g->text, line) ? 1 : 0;
		alive = i != process;
		if (heard != alive)
			return printed(g, line);
	}
	snprintf(line, sizeof(line), "process %u: exception 14 at 400", process);
	if (!strstr(g->text, line))
		return printed(g, line);
	snprintf(line, sizeof(line), ", address %x\n", address);
	return strstr(g->text, line) ? 1 : printed(g, line);
}

TEST_F(microkernel, all_processes_say_hello_after_each_restore)
{
	struct guest *g = &self->g;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, rewind_guest(g));
		ASSERT_TRUE(all_say_hello(g));
	}
}

/* They count their runs, and the kernel does: both must go on. */
TEST_F(microkernel, all_processes_say_hello_again_and_again)
{
	unsigned int i;

	for (i = 0; i < 5; i++)
		ASSERT_TRUE(all_say_hello(&self->g));
}

TEST_F(microkernel, all_processes_say_hello_after_another_snapshot)
{
	struct guest *g = &self->g;

	ASSERT_TRUE(all_say_hello(g));
	ASSERT_EQ(0, snapshot(g));
	ASSERT_TRUE(all_say_hello(g));
	ASSERT_EQ(0, rewind_guest(g));
	ASSERT_TRUE(all_say_hello(g));
}

/* Private pages stay private: an alias would be one that two processes share. */
TEST_F(microkernel, a_snapshot_has_the_page_directories_of_all)
{
	struct hlk_snapshot_info info = {};
	struct guest *g = &self->g;
	uint64_t roots[PROCESSES];
	unsigned int i, j;

	if (!g->snap)
		ASSERT_EQ(0, snapshot(g));
	info.roots = (uintptr_t)roots;
	info.nr_roots = PROCESSES;
	ASSERT_EQ(0, hlk_snapshot_get_info(g->snap, &info, NULL));
	ASSERT_EQ(PROCESSES, info.nr_roots);
	ASSERT_EQ(0, info.counts.aliased);
	ASSERT_EQ(0, info.counts.leaf_not_ram);
	ASSERT_EQ(0, info.counts.table_not_ram);
	for (i = 0; i < PROCESSES; i++)
		for (j = 0; j < i; j++)
			ASSERT_NE(roots[j], roots[i]);
}

/* The kernel's data and tables, its scratch, user code, what is not mapped */
TEST_F(microkernel, a_process_that_pokes_dies_alone)
{
	static const uint32_t where[] = {
		0x10000, 0x14000, 0xfffff000, 0xffffdff0, 0x40000000, 0x50000000,
	};
	struct guest *g = &self->g;
	unsigned int i, process;

	for (i = 0; i < sizeof(where) / sizeof(*where); i++) {
		for (process = 1; process <= PROCESSES; process++) {
			ASSERT_EQ(0, rewind_guest(g));
			ASSERT_TRUE(poke_kills(g, process, where[i])) {
				TH_LOG("process %u, address %#x", process,
				       where[i]);
			}
		}
	}
	ASSERT_EQ(0, rewind_guest(g));
	ASSERT_TRUE(all_say_hello(g));
}

TEST_F(microkernel, a_dead_process_stays_dead_until_the_restore)
{
	struct guest *g = &self->g;

	ASSERT_TRUE(poke_kills(g, 3, 0x50000000));
	ASSERT_TRUE(refuses(g, "hello", "", EIO));
	ASSERT_EQ(0, rewind_guest(g));
	ASSERT_TRUE(all_say_hello(g));
}

/* An unused part of the data page: the poke succeeds, and only there. */
TEST_F(microkernel, a_process_may_poke_its_own_page)
{
	struct guest *g = &self->g;
	char arg[32];
	unsigned int process;

	for (process = 1; process <= PROCESSES; process++) {
		snprintf(arg, sizeof(arg), "%u 0x40010800", process);
		ASSERT_EQ(0, rewind_guest(g));
		ASSERT_TRUE(answers(g, "poke", arg, "5/5"));
		ASSERT_TRUE(all_say_hello(g));
	}
	ASSERT_TRUE(refuses(g, "poke", "0 0x40010800", EINVAL));
	ASSERT_TRUE(refuses(g, "poke", "6 0x40010800", EINVAL));
}

/* ---- all that a guest can see of itself ---- */

FIXTURE(state) {
	struct guest g;
	char *before;
};

FIXTURE_VARIANT(state) {
	unsigned int snapshots;
};

FIXTURE_VARIANT_ADD(state, just_booted) {
	.snapshots = 0,
};

FIXTURE_VARIANT_ADD(state, snapshot) {
	.snapshots = 1,
};

FIXTURE_VARIANT_ADD(state, snapshot_of_restored) {
	.snapshots = 2,
};

FIXTURE_SETUP(state)
{
	struct guest *g = &self->g;

	ASSERT_EQ(0, start_so(g, "scribble.elf", "ping", variant->snapshots, 0));
	ASSERT_EQ(0, rewind_guest(g));
	ASSERT_EQ(0, call(g, "state", ""));
	self->before = strdup(g->out);
	ASSERT_NE(NULL, self->before);
}

FIXTURE_TEARDOWN(state)
{
	free(self->before);
	EXPECT_TRUE(stop(&self->g));
}

TEST_F_TIMEOUT(state, is_the_same_after_each_restore, 240)
{
	struct guest *g = &self->g;
	unsigned int i;

	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, rewind_guest(g));
		ASSERT_TRUE(answers(g, "state", "", self->before));
	}
}

/* How the scribbling ends depends on its seed, and matters not here. */
TEST_F_TIMEOUT(state, is_the_same_after_the_guest_destroyed_itself, 240)
{
	struct guest *g = &self->g;
	char seed[16];
	unsigned int i;

	for (i = 1; i <= 10; i++) {
		snprintf(seed, sizeof(seed), "%u", i);
		hlk_sandbox_call(g->sb, "scribble", seed, strlen(seed), NULL, 0,
				 NULL, 100000);
		ASSERT_EQ(0, rewind_guest(g));
		ASSERT_TRUE(answers(g, "state", "", self->before)) {
			TH_LOG("scribbled with seed %u", i);
		}
	}
}

/* Else the two tests above would show nothing. The boot stack is used no more. */
TEST_F(state, is_another_if_one_bit_is)
{
	struct hlk_translate t = { .root = HLK_ROOT_CR3, .va = MEM_SIZE - PAGE };
	struct guest *g = &self->g;
	uint8_t byte;

	ASSERT_EQ(0, rewind_guest(g));
	ASSERT_EQ(0, hlk_sandbox_translate(g->sb, &t));
	ASSERT_EQ(0, hlk_sandbox_read(g->sb, t.gpa, &byte, 1));
	byte ^= 1;
	ASSERT_EQ(0, hlk_sandbox_write(g->sb, t.gpa, &byte, 1));
	ASSERT_EQ(0, call(g, "state", ""));
	ASSERT_STRNE(self->before, g->out);
	ASSERT_EQ(0, rewind_guest(g));
	ASSERT_TRUE(answers(g, "state", "", self->before));
}

TEST_HARNESS_MAIN
