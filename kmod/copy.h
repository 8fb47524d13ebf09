/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copying pages of guests, whose memory may fail under the copy.
 *
 * A page that is known to have failed is never read: its reader would be
 * killed, and the bytes of a base page would go to every tenant. One that
 * fails during the copy is an error too where the processor lets the kernel go
 * on: copy_mc_to_kernel() recovers with ERMS. Without, it is a plain copy three
 * times as dear as copy_page(), so that is used then.
 */
#ifndef _HLK_COPY_H
#define _HLK_COPY_H

#include <linux/fault-inject.h>
#include <linux/mm.h>
#include <linux/uaccess.h>

#include <asm/cpufeature.h>

#ifdef CONFIG_FAULT_INJECTION
bool hlk_copy_fails(void);
#else
static inline bool hlk_copy_fails(void)
{
	return false;
}
#endif

/**
 * hlk_copy_to() - copy a page
 * @to: address of a page that nobody else writes
 * @from: the page; what it holds may change meanwhile
 *
 * Return: 0, or -EHWPOISON if the memory of @from failed: @to is undefined then
 */
static __always_inline int hlk_copy_to(void *to, struct page *from)
{
	if (unlikely(PageHWPoison(from) || hlk_copy_fails()))
		return -EHWPOISON;
	if (!cpu_feature_enabled(X86_FEATURE_ERMS)) {
		copy_page(to, page_address(from));
		return 0;
	}
	if (likely(!copy_mc_to_kernel(to, page_address(from), PAGE_SIZE)))
		return 0;
	memory_failure_queue(page_to_pfn(from), 0);
	return -EHWPOISON;
}

/**
 * hlk_copy_page() - copy a page
 * @to: a page that nobody else writes
 * @from: the page, see hlk_copy_to()
 */
static inline int hlk_copy_page(struct page *to, struct page *from)
{
	return hlk_copy_to(page_address(to), from);
}

#endif /* _HLK_COPY_H */
