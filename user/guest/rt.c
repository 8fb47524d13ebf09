// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The runtime: boot, exceptions, copy-on-write, calls.
 */
#include "hlk_rt.h"

#define BUFFER_HEADER	8

struct hlk_guest_boot hlk_boot;

struct idt_gate {
	uint16_t low;
	uint16_t selector;
	uint16_t type;
	uint16_t high;
};

static struct idt_gate idt[129];

extern char rt_vectors[];
extern char rt_vector_syscall[];
extern char rt_tss[];
extern uint64_t rt_gdt_tss;
extern const struct hlk_function hlk_functions_start[];
extern const struct hlk_function hlk_functions_end[];

void rt_boot(const struct hlk_guest_boot *boot);
void rt_trap(struct hlk_frame *frame);
void rt_dispatch(void);

void __attribute__((weak)) hlk_user_trap(struct hlk_frame *frame)
{
	(void)frame;
	hlk_leave_user(-1);
}

void __attribute__((weak)) hlk_syscall(struct hlk_frame *frame)
{
	frame->eax = -38;	/* ENOSYS */
}

static void set_gate(unsigned int nr, const char *to, uint16_t type)
{
	uint32_t address = (uint32_t)to;

	idt[nr].low = address;
	idt[nr].high = address >> 16;
	idt[nr].selector = HLK_GUEST_CS;
	idt[nr].type = type;
}

void rt_boot(const struct hlk_guest_boot *boot)
{
	struct {
		uint16_t limit;
		uint32_t base;
	} __attribute__((packed)) pointer = { sizeof(idt) - 1, (uint32_t)idt };
	uint64_t tss = (uint32_t)rt_tss;
	uint16_t selector = SEL_TSS;
	unsigned int i;

	memcpy(&hlk_boot, boot, sizeof(hlk_boot));
	for (i = 0; i < 32; i++)
		set_gate(i, rt_vectors + 16 * i, 0x8e00);
	set_gate(0x80, rt_vector_syscall, 0xee00);
	asm volatile("lidt %0" : : "m"(pointer));

	rt_gdt_tss = 103 | (tss & 0xffffff) << 16 | 0x89ULL << 40 |
		     (tss >> 24) << 56;
	asm volatile("ltr %0" : : "r"(selector));
	hlk_init();
}

void hlk_abort(uint32_t code)
{
	for (;;)
		outl(HLK_GUEST_PORT_ABORT, code);
}

static void __attribute__((noreturn)) abort_trap(const struct hlk_frame *f)
{
	struct hlk_guest_trap trap = {
		.magic = HLK_GUEST_TRAP_MAGIC,
		.vector = f->vector,
		.error = f->error,
		.cr2 = read_cr2(),
		.cr3 = read_cr3(),
		.eip = f->eip,
		.cs = f->cs,
		.eflags = f->eflags,
		.esp = f->cs & 3 ? f->esp : (uint32_t)&f->esp,
		.ss = f->cs & 3 ? f->ss : HLK_GUEST_DS,
		.eax = f->eax,
		.ecx = f->ecx,
		.edx = f->edx,
		.ebx = f->ebx,
		.ebp = f->ebp,
		.esi = f->esi,
		.edi = f->edi,
	};

	for (;;)
		asm volatile("outl %0, %1"
			     : : "a"(HLK_GUEST_ABORT_TRAP + f->vector),
				 "Nd"(HLK_GUEST_PORT_ABORT), "b"(&trap)
			     : "memory");
}

uint32_t hlk_page_alloc(void)
{
	volatile uint32_t *word = (volatile uint32_t *)hlk_word(HLK_GUEST_OFF_ALLOC);
	uint32_t page = PAGE_SIZE;

	asm volatile("lock xaddl %0, %1" : "+r"(page), "+m"(*word) : : "memory");
	if (page < hlk_boot.scratch_gpa ||
	    page >= HLK_GUEST_SCRATCH_TOP - HLK_GUEST_OFF_ALLOC_END)
		hlk_abort(HLK_GUEST_ABORT_SCRATCH);
	return page;
}

static uint32_t *table_at(uint32_t entry)
{
	return hlk_scratch(entry & ~PTE_FLAGS);
}

/*
 * The guest's half of copy-on-write. Runs on a stack in scratch and writes
 * nothing but scratch, so it never faults itself.
 */
static bool copy_on_write(uint32_t error, uint32_t address)
{
	uint32_t want = PTE_P | (error & 4 ? PTE_U : 0);
	uint32_t *pd = table_at(read_cr3());
	uint32_t pde = pd[address >> 22];
	uint32_t page = address & ~PTE_FLAGS;
	uint32_t *pte;
	uint32_t copy;

	if ((error & 3) != 3)		/* a write to a page that is present */
		return false;
	if ((pde & (want | PTE_W | PTE_PS)) != (want | PTE_W))
		return false;
	pte = table_at(pde) + (address >> 12 & 1023);
	if ((*pte & (want | PTE_COW | PTE_W)) != (want | PTE_COW))
		return false;
	copy = hlk_page_alloc();
	memcpy(hlk_scratch(copy), (const void *)page, PAGE_SIZE);
	*pte = copy | (*pte & PTE_FLAGS & ~PTE_COW) | PTE_W;
	asm volatile("invlpg (%0)" : : "r"(page) : "memory");
	return true;
}

void rt_trap(struct hlk_frame *frame)
{
	if (frame->vector == 14 && copy_on_write(frame->error, read_cr2()))
		return;
	if (frame->vector == 0x80) {
		hlk_syscall(frame);
		return;
	}
	if (frame->cs & 3) {
		hlk_user_trap(frame);
		return;
	}
	abort_trap(frame);
}

void hlk_publish_roots(const uint32_t *roots, uint32_t nr)
{
	volatile uint64_t *to = hlk_word(HLK_GUEST_OFF_ROOTS);
	uint32_t i;

	if (nr > HLK_GUEST_MAX_ROOTS)
		hlk_abort(HLK_GUEST_ABORT_PROTOCOL);
	for (i = 0; i < nr; i++)
		to[i + 1] = roots[i];
	*to = nr;
}

/* As published by the guest, or after a restore by the host. */
uint32_t hlk_root(uint32_t nr)
{
	volatile uint64_t *roots = hlk_word(HLK_GUEST_OFF_ROOTS);

	/* A snapshot may have been made of fewer roots than were published. */
	if (nr >= *roots)
		hlk_abort(HLK_GUEST_ABORT_PROTOCOL);
	return roots[nr + 1];
}

/*
 * Buffers are stacks: bytes, then a u64 with the offset at which they start. The
 * lower half of the output buffer is for the answer, which so costs no page beside
 * that of the stack pointer; the upper half is for what is said during a call.
 */
static char *buffer_push(char *buffer, uint32_t limit, uint32_t len)
{
	uint64_t *sp = (uint64_t *)buffer;
	uint32_t start = *sp;

	if (start < BUFFER_HEADER || start > limit || len > limit - start ||
	    limit - start - len < sizeof(*sp))
		hlk_abort(HLK_GUEST_ABORT_PROTOCOL);
	*(uint64_t __attribute__((aligned(1))) *)(buffer + start + len) = start;
	*sp = start + len + sizeof(*sp);
	return buffer + start;
}

static char *buffer_top(char *buffer, uint32_t size, uint32_t *len)
{
	uint64_t sp = *(uint64_t *)buffer;
	uint64_t start;

	if (sp < BUFFER_HEADER + sizeof(start) || sp > size)
		hlk_abort(HLK_GUEST_ABORT_PROTOCOL);
	memcpy(&start, buffer + sp - sizeof(start), sizeof(start));
	if (start < BUFFER_HEADER || start > sp - sizeof(start))
		hlk_abort(HLK_GUEST_ABORT_PROTOCOL);
	*len = sp - sizeof(start) - start;
	return buffer + start;
}

static char *input_buffer(void)
{
	return hlk_scratch(hlk_boot.input_gpa);
}

static char *output_buffer(void)
{
	return hlk_scratch(hlk_boot.output_gpa);
}

/* Above the answer, which may be half made */
static char *say(uint32_t len)
{
	uint64_t *sp = (uint64_t *)output_buffer();

	if (*sp < hlk_boot.output_size / 2)
		*sp = hlk_boot.output_size / 2;
	return buffer_push(output_buffer(), hlk_boot.output_size, len);
}

void hlk_write(const char *text, uint32_t len)
{
	uint32_t most = hlk_boot.output_size / 4;
	uint32_t piece;

	while (len) {
		piece = len < most ? len : most;
		memcpy(say(piece), text, piece);
		outl(HLK_GUEST_PORT_PRINT, piece);
		text += piece;
		len -= piece;
	}
}

int hlk_call_host(const char *name, const void *arg, uint32_t len, void *out,
		  uint32_t size)
{
	struct hlk_guest_call call = {
		.magic = HLK_GUEST_CALL_MAGIC,
		.name_len = strlen(name),
		.arg_len = len,
	};
	uint32_t room = hlk_boot.output_size / 2 - sizeof(call) - 2 * BUFFER_HEADER;
	struct hlk_guest_ret ret;
	uint32_t got;
	char *at;

	if (call.name_len > room || len > room - call.name_len)
		return -90;	/* EMSGSIZE */
	at = say(sizeof(call) + call.name_len + len);
	memcpy(at, &call, sizeof(call));
	memcpy(at + sizeof(call), name, call.name_len);
	memcpy(at + sizeof(call) + call.name_len, arg, len);
	outl(HLK_GUEST_PORT_CALL, 0);

	at = buffer_top(input_buffer(), hlk_boot.input_size, &got);
	if (got < sizeof(ret))
		hlk_abort(HLK_GUEST_ABORT_PROTOCOL);
	memcpy(&ret, at, sizeof(ret));
	if (ret.magic != HLK_GUEST_RET_MAGIC || ret.len > got - sizeof(ret))
		hlk_abort(HLK_GUEST_ABORT_PROTOCOL);
	*(uint64_t *)input_buffer() = at - input_buffer();
	if (ret.status)
		return -(int)ret.status;
	if (ret.len > size)
		return -90;	/* EMSGSIZE */
	memcpy(out, at + sizeof(ret), ret.len);
	return ret.len;
}

static int call_by_name(const char *name, uint32_t len, struct hlk_req *req)
{
	const struct hlk_function *f;

	for (f = hlk_functions_start; f < hlk_functions_end; f++)
		if (f->name_len == len && !memcmp(f->name, name, len))
			return f->fn(req);
	return 2;	/* ENOENT */
}

/*
 * One call. The argument stays on the input buffer until the answer is given,
 * so that what the host pushes meanwhile comes above it.
 */
void rt_dispatch(void)
{
	char *answer = output_buffer() + BUFFER_HEADER;
	struct hlk_guest_ret ret = { .magic = HLK_GUEST_RET_MAGIC };
	struct hlk_guest_call call;
	struct hlk_req req = {};
	uint32_t len;
	char *at;

	at = buffer_top(input_buffer(), hlk_boot.input_size, &len);
	if (len < sizeof(call))
		hlk_abort(HLK_GUEST_ABORT_PROTOCOL);
	memcpy(&call, at, sizeof(call));
	len -= sizeof(call);
	if (call.magic != HLK_GUEST_CALL_MAGIC || call.name_len > len ||
	    call.arg_len > len - call.name_len)
		hlk_abort(HLK_GUEST_ABORT_PROTOCOL);

	req.arg = at + sizeof(call) + call.name_len;
	req.arg_len = call.arg_len;
	req.out = answer + sizeof(ret);
	req.out_size = hlk_boot.output_size / 2 - sizeof(ret) - 2 * BUFFER_HEADER;
	ret.status = call_by_name(at + sizeof(call), call.name_len, &req);
	ret.len = req.out_len;

	*(uint64_t *)input_buffer() = at - input_buffer();
	*(uint64_t *)output_buffer() = BUFFER_HEADER;
	memcpy(answer, &ret, sizeof(ret));
	buffer_push(output_buffer(), hlk_boot.output_size, sizeof(ret) + ret.len);
	for (;;)
		asm volatile("hlt" : : "a"(0));
}
