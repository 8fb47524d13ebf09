/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TAP for the programs here: a list of tests, each of which has to give back
 * all that it took from the shim.
 */
#ifndef _TAP_H
#define _TAP_H

#include <stdio.h>

struct tap_test {
	const char *name;
	void (*run)(void);
};

#define TAP_TEST(fn)	{ #fn, fn }

int tap_main(int argc, char **argv, const struct tap_test *tests, unsigned int nr);
void tap_broken(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
bool tap_failed(void);

/* A failed check is noted; the test goes on unless it says otherwise. */
#define CHECK_MSG(cond, ...) ({						\
	bool _ok = (cond);						\
									\
	if (!_ok)							\
		tap_broken(__FILE__, __LINE__, __VA_ARGS__);		\
	_ok;								\
})
#define CHECK(cond)	CHECK_MSG(cond, "%s", #cond)
#define CHECK_EQ(a, b) ({						\
	long long _a = (a);						\
	long long _b = (b);						\
									\
	CHECK_MSG(_a == _b, "%s is %lld (0x%llx), not %s, %lld (0x%llx)", \
		  #a, _a, _a, #b, _b, _b);				\
})

#endif /* _TAP_H */
