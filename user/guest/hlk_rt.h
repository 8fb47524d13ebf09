/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * The guest runtime: what an i686 guest needs to be called, snapshot and
 * restored by hlk. Documentation/guest-abi.rst says what host and guest
 * agree on; this is the guest's side of it, for guests written in C.
 */
#ifndef HLK_RT_H
#define HLK_RT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/hlk_guest.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PAGE_SIZE	4096U

#define PTE_P		0x001U
#define PTE_W		0x002U
#define PTE_U		0x004U
#define PTE_A		0x020U
#define PTE_D		0x040U
#define PTE_PS		0x080U
#define PTE_COW		HLK_GUEST_PTE_COW
#define PTE_FLAGS	0xfffU

/* Selectors: those of the boot state, then ring 3 and the task state */
#define SEL_USER_CS	(0x18 | 3)
#define SEL_USER_DS	(0x20 | 3)
#define SEL_TSS		0x28

/**
 * struct hlk_req - one call of a guest function
 * @arg: its argument, in the input buffer
 * @arg_len: how long
 * @out: where the answer goes
 * @out_size: how much fits
 * @out_len: how long the answer is
 */
struct hlk_req {
	const char *arg;
	uint32_t arg_len;
	char *out;
	uint32_t out_size;
	uint32_t out_len;
};

/**
 * struct hlk_function - a function that the host can call
 * @name: its name
 * @name_len: how long that is
 * @fn: returns 0 or an errno as a positive number
 */
struct hlk_function {
	const char *name;
	uint32_t name_len;
	int (*fn)(struct hlk_req *req);
};

/**
 * HLK_FUNCTION() - let the host call a function
 * @_name: an identifier; its text is the name for the host
 * @_fn: int (*)(struct hlk_req *)
 */
#define HLK_FUNCTION(_name, _fn)					\
	static const struct hlk_function hlk_function_##_name		\
	__attribute__((used, section(".hlk_functions"), aligned(4))) = { \
		.name = #_name,						\
		.name_len = sizeof(#_name) - 1,				\
		.fn = (_fn),						\
	}

/**
 * struct hlk_frame - registers at an exception or interrupt
 *
 * @esp and @ss are pushed by the processor only if it came from ring 3.
 */
struct hlk_frame {
	uint32_t edi, esi, ebp, esp_here, ebx, edx, ecx, eax;
	uint32_t vector, error;
	uint32_t eip, cs, eflags;
	uint32_t esp, ss;
};

extern struct hlk_guest_boot hlk_boot;

/* Provided by the guest. */
void hlk_init(void);

/* May be provided by the guest: the end of a ring 3 program that trapped. */
void hlk_user_trap(struct hlk_frame *frame);

/* May be provided by the guest: int 0x80 from ring 3. */
void hlk_syscall(struct hlk_frame *frame);

/* Run code in ring 3 until hlk_leave_user(); returns what that was given. */
int hlk_enter_user(uint32_t eip, uint32_t esp);
void hlk_leave_user(int status) __attribute__((noreturn));

/* Give up: the host gets @code and stops the guest. */
void hlk_abort(uint32_t code) __attribute__((noreturn));

/* Pages of scratch: zeroed, never taken back. Aborts if there are none. */
uint32_t hlk_page_alloc(void);

/* What is at a guest-physical address in scratch */
static inline void *hlk_scratch(uint32_t gpa)
{
	return (void *)(gpa + HLK_GUEST_SCRATCH_DELTA);
}

/* A word of the bookkeeping page, by its offset down from the top */
static inline volatile uint64_t *hlk_word(uint32_t offset)
{
	return (volatile uint64_t *)hlk_scratch(HLK_GUEST_SCRATCH_TOP - offset);
}

void hlk_publish_roots(const uint32_t *roots, uint32_t nr);
uint32_t hlk_root(uint32_t nr);

/* Call a function of the host; its answer's length, or a negative errno */
int hlk_call_host(const char *name, const void *arg, uint32_t len, void *out,
		  uint32_t size);

void hlk_write(const char *text, uint32_t len);
void hlk_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
uint32_t hlk_vsnprintf(char *to, uint32_t size, const char *format, va_list args);
void hlk_answer(struct hlk_req *req, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The decimal or 0x number at *@text, which is moved behind it */
uint32_t hlk_number(const char **text, const char *end);

void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);

static inline uint32_t read_cr3(void)
{
	uint32_t value;

	__asm__ volatile("mov %%cr3, %0" : "=r"(value));
	return value;
}

static inline void write_cr3(uint32_t value)
{
	__asm__ volatile("mov %0, %%cr3" : : "r"(value) : "memory");
}

static inline uint32_t read_cr2(void)
{
	uint32_t value;

	__asm__ volatile("mov %%cr2, %0" : "=r"(value));
	return value;
}

static inline void outl(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

#ifdef __cplusplus
}
#endif

#endif /* HLK_RT_H */
