/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's harness, with more time for a test: its 30 seconds are for real
 * machines, and a debug kernel on an emulated one with a busy host takes as many
 * for what they do in one. A test that hangs is ended all the same.
 *
 * ONLY=fixture.test or ONLY=fixture.variant.test in the environment runs that one
 * alone; newer harnesses have an option for it.
 */
#ifndef _HLK_HARNESS_H
#define _HLK_HARNESS_H

#include "kselftest_harness.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 240

static inline bool harness_named(const char *only, const char *fixture,
				 const char *variant, const char *test)
{
	char name[256];

	snprintf(name, sizeof(name), "%s%s%s.%s", fixture, *variant ? "." : "", variant,
		 test);
	return !strcmp(name, only);
}

/* What is left in the lists is run; their last elements are not asked for any more. */
static inline void harness_keep(const char *only)
{
	struct __fixture_variant_metadata **v, none = { .name = "" }, *variant;
	struct __fixture_metadata *f;
	struct __test_metadata **t;
	bool any;

	for (f = __fixture_list; f; f = f->next) {
		for (t = &f->tests; *t;) {
			any = false;
			for (variant = f->variant ?: &none; variant; variant = variant->next)
				any |= harness_named(only, f->name, variant->name, (*t)->name);
			if (any)
				t = &(*t)->next;
			else
				*t = (*t)->next;
		}
		for (v = &f->variant; f->tests && *v;)
			if (harness_named(only, f->name, (*v)->name, f->tests->name))
				v = &(*v)->next;
			else
				*v = (*v)->next;
	}
}

static inline int harness_run(int argc, char **argv)
{
	const char *only = getenv("ONLY");

	if (only)
		harness_keep(only);
	return test_harness_run(argc, argv);
}

#define test_harness_run harness_run

#endif /* _HLK_HARNESS_H */
