// SPDX-License-Identifier: GPL-2.0-only
/*
 * An ELF core of a guest: what its first processor has mapped, by virtual address, and the registers
 * of all processors as those of threads, so that gdb opens it as it opens a program's. Beside
 * what a program has there is a note of the name "HLK" with the control registers.
 *
 * Memory is read while the file is written; pages of zeroes are holes.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../fail.h"
#include "core.h"

#define PAGE		4096ULL
#define NT_HLK_CONTROL	1U
#define FXSAVE		512U
#define ALIGN(n, to)	(((n) + (to) - 1) / (to) * (to))

/* Of struct elf_prstatus of Linux, for i386 and for x86-64 */
#define STATUS_SIGNAL	12U
#define STATUS32_PID	24U
#define STATUS32_REGS	72U
#define STATUS32_FPU	140U
#define STATUS32	144U
#define STATUS64_PID	32U
#define STATUS64_REGS	112U
#define STATUS64_FPU	328U
#define STATUS64	336U

/**
 * struct core - a core that is written
 * @state: the guest
 * @ranges: what it has mapped
 * @wide: it is of x86-64
 * @fd: the file
 * @signal: what stopped it
 * @at: where the next header goes
 * @notes: all notes
 * @notes_len: bytes in @notes
 * @notes_room: for which there is room
 * @failed: an errno, of the first failure
 */
struct core {
	const struct state *state;
	struct ranges ranges;
	bool wide;
	int fd;
	int signal;
	uint64_t at;
	unsigned char *notes;
	size_t notes_len;
	size_t notes_room;
	int failed;
};

/* What follows a failure is not done. */
static void put(struct core *core, uint64_t at, const void *data, size_t len)
{
	const char *from = data;
	ssize_t done;

	while (!core->failed && len) {
		done = pwrite(core->fd, from, len, at);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0) {
			core->failed = done ? errno : ENOSPC;
			return;
		}
		from += done;
		at += done;
		len -= done;
	}
}

static void put_header(struct core *core, const void *data, size_t len)
{
	put(core, core->at, data, len);
	core->at += len;
}

/* ---- notes ---- */

static void add(struct core *core, const void *data, size_t len)
{
	/* They were counted: see make_notes(). */
	if (len > core->notes_room - core->notes_len) {
		core->failed = core->failed ? core->failed : EOVERFLOW;
		return;
	}
	memcpy(core->notes + core->notes_len, data, len);
	core->notes_len += len;
}

static void add_note(struct core *core, const char *name, uint32_t type, const void *data,
		     size_t len)
{
	/* the same in both sizes of ELF */
	const Elf32_Nhdr head = {
		.n_namesz = strlen(name) + 1, .n_descsz = len, .n_type = type,
	};
	static const char zeroes[4];

	add(core, &head, sizeof(head));
	add(core, name, head.n_namesz);
	add(core, zeroes, ALIGN(head.n_namesz, 4) - head.n_namesz);
	add(core, data, len);
	add(core, zeroes, ALIGN(len, 4) - len);
}

static void add_status32(struct core *core, uint32_t cpu, const struct gdb_regs *regs)
{
	const uint64_t *gpr = regs->gpr;
	const uint32_t user[] = {
		gpr[GDB_BX], gpr[GDB_CX], gpr[GDB_DX], gpr[GDB_SI], gpr[GDB_DI], gpr[GDB_BP],
		gpr[GDB_AX], regs->seg[2], regs->seg[3], regs->seg[4], regs->seg[5], ~0U,
		regs->ip, regs->seg[0], regs->flags, gpr[GDB_SP], regs->seg[1],
	};
	unsigned char status[STATUS32] = { [STATUS_SIGNAL] = core->signal };
	const uint32_t pid = cpu + 1, fpu = 1;

	memcpy(status + STATUS32_PID, &pid, sizeof(pid));
	memcpy(status + STATUS32_REGS, user, sizeof(user));
	memcpy(status + STATUS32_FPU, &fpu, sizeof(fpu));
	add_note(core, "CORE", NT_PRSTATUS, status, sizeof(status));
}

static void add_status64(struct core *core, uint32_t cpu, const struct gdb_regs *regs)
{
	const uint64_t *gpr = regs->gpr;
	const uint64_t user[] = {
		gpr[15], gpr[14], gpr[13], gpr[12], gpr[GDB_BP], gpr[GDB_BX], gpr[11], gpr[10],
		gpr[9], gpr[8], gpr[GDB_AX], gpr[GDB_CX], gpr[GDB_DX], gpr[GDB_SI],
		gpr[GDB_DI], ~0ULL, regs->ip, regs->seg[0], regs->flags, gpr[GDB_SP],
		regs->seg[1], regs->fs_base, regs->gs_base, regs->seg[2], regs->seg[3],
		regs->seg[4], regs->seg[5],
	};
	unsigned char status[STATUS64] = { [STATUS_SIGNAL] = core->signal };
	const uint32_t pid = cpu + 1, fpu = 1;

	memcpy(status + STATUS64_PID, &pid, sizeof(pid));
	memcpy(status + STATUS64_REGS, user, sizeof(user));
	memcpy(status + STATUS64_FPU, &fpu, sizeof(fpu));
	add_note(core, "CORE", NT_PRSTATUS, status, sizeof(status));
}

/* As FXSAVE leaves it, in the form without REX.W */
static void add_fpu(struct core *core, const struct gdb_regs *regs)
{
	unsigned char area[FXSAVE] = {};
	const uint16_t words[] = { regs->fpu[0], regs->fpu[1], 0, regs->fpu[7] };
	const uint32_t pointers[] = { regs->fpu[4], regs->fpu[3], regs->fpu[6], regs->fpu[5],
				      regs->mxcsr, 0xffff };
	uint32_t i;

	memcpy(area, words, sizeof(words));
	memcpy(area + 8, pointers, sizeof(pointers));
	for (i = 0; i < 8; i++) {
		/* a bit for each register that is not empty */
		if ((regs->fpu[2] >> 2 * i & 3) != 3)
			area[4] |= 1U << i;
		memcpy(area + 32 + 16 * i, regs->st[i], sizeof(regs->st[i]));
	}
	memcpy(area + 160, regs->xmm, core->wide ? 256 : 128);
	if (core->wide)
		add_note(core, "CORE", NT_FPREGSET, area, sizeof(area));
	else
		add_note(core, "LINUX", NT_PRXFPREG, area, sizeof(area));
}

static void add_control(struct core *core, uint32_t cpu, const struct gdb_regs *regs)
{
	const uint64_t control[] = {
		cpu, regs->cr[0], regs->cr[1], regs->cr[2], regs->cr[3], regs->efer,
	};

	add_note(core, "HLK", NT_HLK_CONTROL, control, sizeof(control));
}

/* The first is what gdb shows first. */
static void make_notes(struct core *core)
{
	struct gdb_regs regs;
	uint32_t i;

	core->notes_room = core->state->nr_cpus * (STATUS64 + FXSAVE + 256);
	core->notes = malloc(core->notes_room);
	if (!core->notes)
		core->failed = ENOMEM;
	for (i = 0; !core->failed && i < core->state->nr_cpus; i++) {
		core->failed = state_get(core->state, i, &regs);
		if (core->failed)
			return;
		if (core->wide)
			add_status64(core, i, &regs);
		else
			add_status32(core, i, &regs);
		add_fpu(core, &regs);
		add_control(core, i, &regs);
	}
}

/* ---- headers ---- */

/* Of more segments than its field can say, a section says how many. */
static void put_elf(struct core *core, uint64_t segments)
{
	const bool many = segments >= PN_XNUM;
	const size_t size = core->wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	const size_t head = core->wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr);
	const uint64_t sections = many ? head + segments * size : 0;
	const Elf64_Ehdr wide = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_CORE, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
		.e_phoff = head, .e_shoff = sections, .e_ehsize = head, .e_phentsize = size,
		.e_phnum = many ? PN_XNUM : segments,
		.e_shentsize = many ? sizeof(Elf64_Shdr) : 0, .e_shnum = many,
	};
	const Elf32_Ehdr narrow = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_CORE, .e_machine = EM_386, .e_version = EV_CURRENT,
		.e_phoff = head, .e_shoff = sections, .e_ehsize = head, .e_phentsize = size,
		.e_phnum = many ? PN_XNUM : segments,
		.e_shentsize = many ? sizeof(Elf32_Shdr) : 0, .e_shnum = many,
	};
	const Elf64_Shdr section64 = { .sh_info = segments };
	const Elf32_Shdr section32 = { .sh_info = segments };

	if (core->wide)
		put(core, 0, &wide, sizeof(wide));
	else
		put(core, 0, &narrow, sizeof(narrow));
	if (many && core->wide)
		put(core, sections, &section64, sizeof(section64));
	else if (many)
		put(core, sections, &section32, sizeof(section32));
	core->at = head;
}

static void put_segment(struct core *core, uint32_t type, uint32_t flags, uint64_t at,
			uint64_t va, uint64_t bytes)
{
	const Elf64_Phdr wide = {
		.p_type = type, .p_flags = flags, .p_offset = at, .p_vaddr = va,
		.p_filesz = bytes, .p_memsz = type == PT_LOAD ? bytes : 0,
		.p_align = type == PT_LOAD ? PAGE : 4,
	};
	const Elf32_Phdr narrow = {
		.p_type = type, .p_flags = flags, .p_offset = at, .p_vaddr = va,
		.p_filesz = bytes, .p_memsz = type == PT_LOAD ? bytes : 0,
		.p_align = type == PT_LOAD ? PAGE : 4,
	};

	if (core->wide) {
		put_header(core, &wide, sizeof(wide));
		return;
	}
	if (at > UINT32_MAX || bytes > UINT32_MAX || va > UINT32_MAX)
		core->failed = EFBIG;
	put_header(core, &narrow, sizeof(narrow));
}

static uint64_t place_pieces(struct core *core, uint64_t at)
{
	struct range *piece = core->ranges.piece;
	size_t i;

	for (i = 0; i < core->ranges.nr_pieces; i++, piece++) {
		piece->at = at;
		at += piece->bytes;
	}
	return at;
}

static void put_headers(struct core *core)
{
	const struct range *range = core->ranges.range, *piece;
	const size_t size = core->wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	uint64_t notes = 128 + (core->ranges.nr + 2) * size;
	uint64_t end;
	size_t i;

	end = place_pieces(core, ALIGN(notes + core->notes_len, PAGE));
	put_elf(core, core->ranges.nr + 1);
	put_segment(core, PT_NOTE, 0, notes, 0, core->notes_len);
	put(core, notes, core->notes, core->notes_len);
	for (i = 0; !core->failed && i < core->ranges.nr; i++, range++) {
		piece = ranges_piece(&core->ranges, range->gpa);
		put_segment(core, PT_LOAD, PF_R | PF_X | (range->write ? PF_W : 0),
			    piece->at + (range->gpa - piece->gpa), range->va, range->bytes);
	}
	if (!core->failed && ftruncate(core->fd, end))
		core->failed = errno;
}

/* ---- memory ---- */

static bool is_zero(const unsigned char *page)
{
	return !page[0] && !memcmp(page, page + 1, PAGE - 1);
}

/* A page that cannot be read is one of zeroes: it is no memory any more. */
static void put_memory(struct core *core)
{
	const struct range *piece = core->ranges.piece;
	unsigned char page[PAGE];
	uint64_t at;
	size_t i;

	for (i = 0; i < core->ranges.nr_pieces; i++, piece++)
		for (at = 0; !core->failed && at < piece->bytes; at += PAGE)
			if (!state_read(core->state, piece->gpa + at, page, PAGE) &&
			    !is_zero(page))
				put(core, piece->at + at, page, PAGE);
}

/**
 * core_write() - write a core
 * @state: the guest, at rest, with nothing of a debugger in its memory
 * @wide: of x86-64, else of i386
 * @signal: what stopped it, in gdb's eyes
 * @path: the file, which is made, or emptied
 *
 * Return: RUN_OK or an exit code, after the reason was printed
 */
int core_write(const struct state *state, bool wide, int signal, const char *path)
{
	struct core core = { .state = state, .wide = wide, .signal = signal };
	int ret = ranges_collect(&core.ranges, state);

	if (!ret) {
		core.fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		if (core.fd < 0)
			core.failed = errno;
		if (!core.failed)
			make_notes(&core);
		if (!core.failed)
			put_headers(&core);
		put_memory(&core);
		if (core.fd >= 0 && close(core.fd) && !core.failed)
			core.failed = errno;
		if (core.failed) {
			fail_say("cannot write the core %s: %s", path,
				 strerror(core.failed));
			ret = RUN_ERROR;
		}
	}
	free(core.notes);
	ranges_free(&core.ranges);
	return ret;
}

/**
 * core_of_sandbox() - write a core of a sandbox's guest
 * @ctx: the context
 * @sb: the sandbox, not in a call
 * @path: the file; NULL: nothing is to be done
 *
 * Of a guest that failed, the registers are those of hlk_sandbox_exit().
 *
 * Return: RUN_OK or an exit code, after the reason was printed
 */
int core_of_sandbox(struct hlk_ctx *ctx, struct hlk_sandbox *sb, const char *path)
{
	const struct hlk_exit *exit = hlk_sandbox_exit(sb);
	struct state state;
	struct hlk_err err;
	int ret, signal = 0;

	if (!path)
		return RUN_OK;
	if (state_of_sandbox(&state, ctx, sb, &err))
		return fail_err("no core", &err);
	state.failed = exit->reason != HLK_EXIT_NONE && exit->reason != HLK_EXIT_HALT;
	if (state.failed)
		signal = state_signal(&state);
	ret = core_write(&state, false, signal, path);
	state_close(&state);
	return ret;
}

/**
 * core_of_machine() - write a core of a machine's guest
 * @ctx: the context
 * @machine: the machine, not running
 * @nr_cpus: its processors
 * @wide: of x86-64, else of i386
 * @path: the file; NULL: nothing is to be done
 *
 * Return: RUN_OK or an exit code, after the reason was printed
 */
int core_of_machine(struct hlk_ctx *ctx, struct hlk_machine *machine, uint32_t nr_cpus,
		    bool wide, const char *path)
{
	struct state state;
	struct hlk_err err;
	int ret;

	if (!path)
		return RUN_OK;
	if (hlk_machine_rest(machine))
		return fail_err("no core", hlk_machine_error(machine));
	if (state_of_machine(&state, ctx, machine, nr_cpus, &err))
		return fail_err("no core", &err);
	ret = core_write(&state, wide, 0, path);
	state_close(&state);
	return ret;
}
