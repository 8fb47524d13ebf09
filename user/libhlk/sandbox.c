// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* How a sandbox comes to be, from an ELF image or from a snapshot. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent.h"
#include "internal.h"

#define PAGE	HLK_GUEST_PAGE_SIZE

static const char op[] = "cannot make the sandbox";

EXPORT const struct hlk_err *hlk_sandbox_error(const struct hlk_sandbox *sb)
{
	return &sb->err;
}

/* It is another process's: of here are only copies of its fds and its memory. */
__attribute__((noinline))
int hlk_elsewhere(struct hlk_err *err, const char *what)
{
	const struct hlk_head head = { .why = HLK_WHY_OTHER_PROCESS };

	errno = EPERM;
	return hlk_err_module(err, &head, what);
}

/**
 * hlk_enter() - have a sandbox for oneself
 * @sb: the sandbox
 * @what: what is to be done with it
 *
 * Its error is that of who has it, and so is not touched if that is somebody else.
 *
 * Return: 0; -EBUSY if somebody has it, a caller of this thread too; -EPERM in a
 * child of the process that made it
 */
int hlk_enter(struct hlk_sandbox *sb, const char *what)
{
	if (!hlk_at_home(sb->ctx, sb->home))
		return hlk_elsewhere(&sb->err, what);
	if (atomic_exchange(&sb->in_call, true))
		return -EBUSY;
	/* Without a code there is nothing else in it. */
	return sb->err.code ? hlk_err_clear(&sb->err) : 0;
}

/**
 * hlk_forget_pages() - pages that were made private may be so no more
 * @sb: the sandbox
 *
 * That of the counter is forgotten before each restore, and else by
 * hlk_counter_forget().
 */
void hlk_forget_pages(struct hlk_sandbox *sb)
{
	hlk_buffer_forget(&sb->input);
	hlk_buffer_forget(&sb->output);
}

/**
 * hlk_place_buffers() - have I/O buffers somewhere
 * @sb: the sandbox
 * @mem: where they are mapped, one behind the other
 * @input_size: bytes of the input buffer
 * @output_size: bytes of the output buffer, which follows
 *
 * Return: 0 or a negative errno
 */
int hlk_place_buffers(struct hlk_sandbox *sb, unsigned char *mem,
		      uint32_t input_size, uint32_t output_size)
{
	unsigned char *bounce;

	/* First half: what was popped; second half: what is to be pushed */
	bounce = realloc(sb->bounce, (size_t)input_size + output_size);
	if (!bounce)
		return hlk_err_system(&sb->err, op);
	sb->bounce = bounce;
	sb->input = (struct hlk_buffer) {
		.mem = mem,
		.size = input_size,
	};
	sb->output = (struct hlk_buffer) {
		.mem = mem + input_size,
		.size = output_size,
	};
	return 0;
}

/**
 * hlk_set_buffers() - note where the I/O buffers are
 * @sb: the sandbox
 * @input_size: bytes of the input buffer, at the start of scratch
 * @output_size: bytes of the output buffer, which follows
 *
 * Return: 0 or a negative errno
 */
int hlk_set_buffers(struct hlk_sandbox *sb, uint32_t input_size,
		    uint32_t output_size)
{
	if (sb->input.size == input_size && sb->output.size == output_size)
		return 0;
	if (input_size < HLK_GUEST_BUFFER_MIN || input_size % PAGE ||
	    output_size < HLK_GUEST_BUFFER_MIN || output_size % PAGE ||
	    (uint64_t)input_size + output_size > sb->scratch->bytes)
		return hlk_err_text(&sb->err, EINVAL, HLK_WHAT_LAYOUT, op,
				    "I/O buffers of 0x%x and 0x%x bytes",
				    input_size, output_size);
	return hlk_place_buffers(sb, sb->scratch->mem, input_size, output_size);
}

/* @from: what the caller gave, or NULL for the defaults */
static int take_config(struct hlk_config *config, const struct hlk_config *from,
		       struct hlk_err *err)
{
	int signal, ret;

	*config = (struct hlk_config)HLK_CONFIG_INIT;
	if (!from)
		return 0;
	ret = hlk_grow_take(config, sizeof(*config), HLK_FIRST_CONFIG, from,
			    "hlk_config", op, err);
	if (!ret)
		ret = hlk_grow_flags(config->flags, HLK_CONFIG_NO_PREFAULT |
				     HLK_CONFIG_TIME_BACK | HLK_CONFIG_LEARN |
				     HLK_CONFIG_REPRODUCIBLE,
				     "hlk_config", op, err);
	if (ret)
		return ret;
	signal = config->signal ? (int)config->signal : SIGRTMAX;
	if (signal < SIGRTMIN || signal > SIGRTMAX)
		return hlk_err_text(err, EINVAL, HLK_WHAT_ARGUMENT, op,
				    "signal %d is not a real-time signal",
				    signal);
	return 0;
}

static struct hlk_sandbox *alloc_sandbox(struct hlk_ctx *ctx,
					 const struct hlk_config *config)
{
	struct hlk_sandbox *sb = calloc(1, sizeof(*sb));

	if (!sb)
		return NULL;
	errno = pthread_mutex_init(&sb->lock, NULL);
	if (errno)
		goto free_sandbox;
	errno = pthread_mutex_init(&sb->count_lock, NULL);
	if (errno)
		goto destroy_lock;
	sb->ctx = hlk_ctx_get(ctx);
	sb->home = hlk_home(ctx);
	sb->hlk_fd = -1;
	sb->vm_fd = -1;
	sb->vcpu_fd = -1;
	if (ctx->features & HLK_FEATURE_LEARN &&
	    config->flags & HLK_CONFIG_LEARN)
		sb->learn = HLK_RESTORE_LEARN;
	sb->config = *config;
	sb->config.mem_size = 0;
	sb->config.scratch_size = 0;
	sb->config.input_size = 0;
	sb->config.output_size = 0;
	sb->print = config->print;
	sb->print_arg = config->print_arg;
	sb->state = HLK_STATE_BROKEN;
	hlk_exit_none(sb);
	return sb;

destroy_lock:
	pthread_mutex_destroy(&sb->lock);
free_sandbox:
	free(sb);
	return NULL;
}

void hlk_sandbox_free(struct hlk_sandbox *sb)
{
	/* The guest's memory is not inherited. */
	if (!hlk_at_home(sb->ctx, sb->home))
		sb->nr_windows = 0;
	hlk_vm_destroy(sb);
	hlk_snapshot_close(sb->last);
	hlk_host_free(sb);
	hlk_files_free(sb);
	free(sb->many);
	free(sb->bounce);
	hlk_close(sb->ctx);
	pthread_mutex_destroy(&sb->count_lock);
	pthread_mutex_destroy(&sb->lock);
	free(sb);
}

EXPORT void hlk_sandbox_close(struct hlk_sandbox *sb)
{
	if (!sb || sb->slot)
		return;
	if (hlk_at_home(sb->ctx, sb->home) && hlk_enter(sb, NULL))
		return;
	hlk_sandbox_free(sb);
}

/**
 * make_sandbox() - what all sandboxes have in common
 * @ctx: the context
 * @config: how it is to be
 * @snap: what it is to be restored to, or NULL for one that is to be loaded
 * @windows: its memory; the last one is scratch, if it is not a machine's
 * @nr: how many
 * @sb: out: the sandbox, in which nothing was restored yet
 * @err: out: why it cannot be
 *
 * Return: 0 or a negative errno
 */
static int make_sandbox(struct hlk_ctx *ctx, const struct hlk_config *config,
			struct hlk_snap *snap, const struct hlk_window *windows, uint32_t nr,
			struct hlk_sandbox **sb, struct hlk_err *err)
{
	struct hlk_sandbox *new;
	int ret;

	new = alloc_sandbox(ctx, config);
	if (!new)
		return hlk_err_system(err, op);
	if (snap && snap->program_bytes)
		ret = hlk_agent_create(new, config, snap, windows, nr, err);
	else
		ret = hlk_vm_create(new, config, windows, nr, err);
	if (ret) {
		hlk_sandbox_close(new);
		return ret;
	}
	*sb = new;
	return 0;
}

/* @sb failed; its own error is what the caller gets */
static int drop_sandbox(struct hlk_sandbox *sb, struct hlk_err *err, int ret)
{
	if (err)
		*err = sb->err;
	hlk_sandbox_close(sb);
	return ret;
}

static int read_reset_state(struct hlk_sandbox *sb, struct kvm_sync_regs *regs)
{
	memset(regs, 0, sizeof(*regs));
	if (ioctl(sb->vcpu_fd, KVM_GET_SREGS, &regs->sregs) ||
	    ioctl(sb->vcpu_fd, KVM_GET_VCPU_EVENTS, &regs->events))
		return hlk_err_system(&sb->err, op);
	return 0;
}

static uint32_t pick_seed(const struct hlk_config *config)
{
	uint32_t seed = config->seed;

	if (!seed && getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		seed = 1;
	return seed;
}

static int build_first(struct hlk_sandbox *sb, const struct hlk_plan *plan,
		       const struct hlk_config *config,
		       const struct hlk_window *windows, const uint32_t *tables,
		       struct hlk_snap **snap)
{
	struct hlk_segment segments[HLK_PLAN_SEGMENTS];
	struct hlk_plan_words words;
	struct kvm_sync_regs regs;
	struct hlk_snapshot_build build = {
		.head.size = sizeof(build),
		.nr_windows = sb->nr_windows,
		.window_size = sizeof(*windows),
		.segment_size = sizeof(segments[0]),
		.nr_segments = hlk_plan_segments(plan, tables, &words,
						 segments),
		.nr_vcpus = 1,
		.vcpu_size = sizeof(regs),
		.windows = (uintptr_t)windows,
		.segments = (uintptr_t)segments,
		.vcpus = (uintptr_t)&regs,
	};
	int ret;

	ret = read_reset_state(sb, &regs);
	if (ret)
		return ret;
	hlk_plan_vcpu(plan, pick_seed(config), config->log_level, &regs);
	if (ioctl(sb->ctx->hlk_fd, HLK_SNAPSHOT_BUILD, &build))
		return hlk_err_module(&sb->err, &build.head,
				      "cannot load the guest");
	ret = hlk_snap_new(build.out_fd, snap, &sb->err);
	if (ret)
		return ret;
	(*snap)->input_size = plan->boot.input_size;
	(*snap)->output_size = plan->boot.output_size;
	return 0;
}

/* Build the state before the boot, and go there */
static int load(struct hlk_sandbox *sb, const struct hlk_plan *plan,
		const struct hlk_config *config,
		const struct hlk_window *windows)
{
	struct hlk_snap *snap;
	uint32_t *tables;
	int ret;

	tables = calloc(plan->pt_pages, PAGE);
	if (!tables)
		return hlk_err_system(&sb->err, op);
	hlk_plan_tables(plan, tables);
	ret = build_first(sb, plan, config, windows, tables, &snap);
	free(tables);
	if (ret)
		return ret;
	ret = hlk_sandbox_restore(sb, snap);
	hlk_snapshot_close(snap);
	return ret;
}

EXPORT int hlk_sandbox_from_image(struct hlk_ctx *ctx, const void *image,
				  size_t size, const struct hlk_config *config,
				  struct hlk_sandbox **sb, struct hlk_err *err)
{
	struct hlk_config own;
	struct hlk_window windows[2];
	struct hlk_sandbox *new = NULL;
	struct hlk_plan plan;
	struct hlk_elf elf;
	int ret;

	*sb = NULL;
	hlk_err_clear(err);
	ret = take_config(&own, config, err);
	if (!ret)
		ret = hlk_elf_parse(&elf, image, size, err);
	if (!ret)
		ret = hlk_plan(&plan, &elf, &own, err);
	if (ret)
		return ret;
	hlk_plan_windows(plan.boot.mem_end, plan.boot.scratch_size, windows);
	ret = make_sandbox(ctx, &own, NULL, windows, 2, &new, err);
	if (ret)
		return ret;
	ret = load(new, &plan, &own, windows);
	if (ret)
		return drop_sandbox(new, err, ret);
	*sb = new;
	return 0;
}

/* Whatever is in it, what the guest gets of it is less than 4 GiB. */
#define LARGEST_FILE	((1LL << 32) - 1)

static int fail_file(struct hlk_err *err, const char *name)
{
	return hlk_err_text(err, errno, HLK_WHAT_FILE, "cannot load the guest",
			    "%s", name);
}

/* Which file is none; of a long name its end */
static void name_file(struct hlk_err *err, const char *name)
{
	char why[HLK_ERR_TEXT];
	size_t room, len = strlen(name);

	if (!err || err->what != HLK_WHAT_ELF)
		return;
	memcpy(why, err->text, sizeof(why));
	room = sizeof(why) - strlen(why);
	room = room > 3 ? room - 3 : 0;
	if (len > room) {
		name += len - room;
		/* not in the middle of a character */
		while ((*name & 0xc0) == 0x80)
			name++;
	}
	hlk_err_text(err, err->code, HLK_WHAT_ELF, err->op, "%s: %s", name, why);
}

/* As much as there is: it may have become less */
static int read_file(int fd, unsigned char *to, size_t size, size_t *got)
{
	ssize_t part = 1;

	for (*got = 0; *got < size && part; *got += part) {
		part = size - *got < INT32_MAX ? size - *got : INT32_MAX;
		part = pread(fd, to + *got, part, *got);
		if (part < 0)
			return -errno;
	}
	return 0;
}

static int from_file(struct hlk_ctx *ctx, int fd, const char *name,
		     const struct hlk_config *config, struct hlk_sandbox **sb,
		     struct hlk_err *err)
{
	char start[64];
	struct stat st;
	void *image;
	size_t got;
	int ret;

	if (fstat(fd, &st))
		return fail_file(err, name);
	if (S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return fail_file(err, name);
	}
	if (!S_ISREG(st.st_mode))
		return hlk_err_text(err, EINVAL, HLK_WHAT_ELF, op, "%s: not a regular file",
				    name);
	if (st.st_size > LARGEST_FILE)
		return hlk_err_text(err, EFBIG, HLK_WHAT_ELF, op,
				    "%s: 4 GiB or more, and no guest has so much memory", name);
	/* What is no ELF file is not read to its end, which may be far away. */
	if (st.st_size > (off_t)sizeof(start) &&
	    (pread(fd, start, sizeof(start), 0) != sizeof(start) ||
	     memcmp(start, ELFMAG, SELFMAG)))
		st.st_size = sizeof(start);
	/*
	 * Read rather than mapped: a file that others cut meanwhile must not
	 * be SIGBUS for us.
	 */
	image = malloc(st.st_size ? st.st_size : 1);
	if (!image)
		return hlk_err_system(err, op);
	ret = read_file(fd, image, st.st_size, &got);
	if (ret)
		ret = fail_file(err, name);
	else
		ret = hlk_sandbox_from_image(ctx, image, got, config, sb, err);
	if (ret)
		name_file(err, name);
	free(image);
	return ret;
}

EXPORT int hlk_sandbox_from_file(struct hlk_ctx *ctx, int fd,
				 const struct hlk_config *config,
				 struct hlk_sandbox **sb, struct hlk_err *err)
{
	*sb = NULL;
	hlk_err_clear(err);
	return from_file(ctx, fd, "file", config, sb, err);
}

EXPORT int hlk_sandbox_from_path(struct hlk_ctx *ctx, const char *path,
				 const struct hlk_config *config,
				 struct hlk_sandbox **sb, struct hlk_err *err)
{
	int fd, ret;

	*sb = NULL;
	hlk_err_clear(err);
	/* A FIFO is not waited for. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return fail_file(err, path);
	ret = from_file(ctx, fd, path, config, sb, err);
	close(fd);
	return ret;
}

static int fail_layout(struct hlk_err *err, const char *text)
{
	return hlk_err_text(err, EINVAL, HLK_WHAT_LAYOUT, op, "%s", text);
}

/* The windows of a snapshot; the last one has to be scratch, if it is not a machine's */
static int read_windows(const struct hlk_snap *snap,
			struct hlk_window *windows, uint32_t *nr,
			struct hlk_err *err)
{
	struct hlk_snapshot_info info = {
		.windows = (uintptr_t)windows,
		.nr_windows = HLK_LIB_MAX_WINDOWS,
		.window_size = sizeof(*windows),
	};
	const struct hlk_window *last;
	int ret;

	ret = hlk_snap_read_info(snap->fd, &info, sizeof(info), err);
	if (ret)
		return ret;
	if (!info.nr_windows || info.nr_windows > HLK_LIB_MAX_WINDOWS)
		return fail_layout(err, "it has too many windows");
	*nr = info.nr_windows;
	if (snap->program_bytes)
		return 0;
	if (info.nr_vcpus != 1)
		return fail_layout(err, "it has not one vCPU");
	last = &windows[info.nr_windows - 1];
	if (!(last->flags & HLK_WINDOW_SCRATCH) ||
	    last->gpa + last->bytes != HLK_GUEST_SCRATCH_TOP)
		return fail_layout(err, "it has no scratch window");
	return 0;
}

/*
 * A flat snapshot that came as an fd does not say how large the buffers are.
 * The caller may know; else the default is taken. The place of the page tables,
 * which follow the buffers, has to agree.
 */
static int guess_buffers(struct hlk_sandbox *sb,
			 const struct hlk_config *config)
{
	uint32_t input = config->input_size ? config->input_size :
					      HLK_GUEST_BUFFER_SIZE;
	uint32_t output = config->output_size ? config->output_size :
						HLK_GUEST_BUFFER_SIZE;
	uint64_t pt_gpa;
	int ret;

	ret = hlk_sandbox_read(sb, HLK_GUEST_SCRATCH_TOP - HLK_GUEST_OFF_PT_BASE,
			       &pt_gpa, sizeof(pt_gpa));
	if (ret)
		return ret;
	if (pt_gpa - sb->scratch->gpa != (uint64_t)input + output)
		return fail_layout(&sb->err, "its I/O buffers have another size than was given");
	return hlk_set_buffers(sb, input, output);
}

static bool agrees(uint64_t asked, uint64_t is)
{
	return !asked || !is || asked == is;
}

static int check_sizes(const struct hlk_config *config,
		       const struct hlk_snap *snap,
		       const struct hlk_window *windows, uint32_t nr,
		       struct hlk_err *err)
{
	struct hlk_window asked[2];

	if (snap->program_bytes && !config->mem_size && !config->scratch_size &&
	    !config->input_size && !config->output_size)
		return 0;
	if (snap->program_bytes)
		return hlk_err_text(err, EINVAL, HLK_WHAT_ARGUMENT, op,
				    "sizes of a machine are those of its snapshot");
	hlk_plan_windows(config->mem_size, windows[nr - 1].bytes, asked);
	if ((config->mem_size && asked[0].bytes != windows[0].bytes) ||
	    !agrees(config->scratch_size, windows[nr - 1].bytes) ||
	    !agrees(config->input_size, snap->input_size) ||
	    !agrees(config->output_size, snap->output_size))
		return hlk_err_text(err, EINVAL, HLK_WHAT_ARGUMENT, op,
				    "sizes given are not those of the snapshot");
	return 0;
}

EXPORT int hlk_sandbox_from_snapshot(struct hlk_ctx *ctx, struct hlk_snap *snap,
				     const struct hlk_config *config,
				     struct hlk_sandbox **sb,
				     struct hlk_err *err)
{
	struct hlk_config own;
	struct hlk_window windows[HLK_LIB_MAX_WINDOWS];
	struct hlk_sandbox *new = NULL;
	uint32_t nr = 0;
	int ret;

	*sb = NULL;
	hlk_err_clear(err);
	ret = take_config(&own, config, err);
	if (!ret)
		ret = read_windows(snap, windows, &nr, err);
	if (!ret)
		ret = check_sizes(&own, snap, windows, nr, err);
	if (!ret)
		ret = make_sandbox(ctx, &own, snap, windows, nr, &new, err);
	if (ret)
		return ret;
	ret = hlk_sandbox_restore(new, snap);
	if (!ret && !snap->input_size && !new->agent)
		ret = guess_buffers(new, &own);
	if (ret)
		return drop_sandbox(new, err, ret);
	if (!(own.flags & HLK_CONFIG_NO_PREFAULT))
		hlk_prefault(new);
	*sb = new;
	return 0;
}
