// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* That every reason has words, and that words fit the buffer they are given. */
#include <errno.h>
#include <string.h>

#include "../error.h"
#include "tap.h"

static const char *text(const struct hlk_err *err)
{
	static char line[512];

	return hlk_strerror(err, line, sizeof(line));
}

static void test_all(void)
{
	struct hlk_err err;
	struct hlk_head head = { .index = 3, .where = 0xfee00000 };
	unsigned int i;
	bool all = true;

	for (i = HLK_WHY_SIZE; i <= HLK_WHY_BASE_READ; i++) {
		head.why = i;
		errno = EINVAL;
		hlk_err_module(&err, &head, NULL);
		if (!strcmp(text(&err), "Invalid argument")) {
			printf("# no words for reason %u\n", i);
			all = false;
		}
	}
	tap(all, "each enum hlk_why has words");
	for (all = true, i = HLK_WHAT_NO_MODULE; i <= HLK_WHAT_KERNEL; i++) {
		hlk_err_text(&err, EINVAL, i, NULL, "it");
		if (!strcmp(text(&err), "Invalid argument")) {
			printf("# no words for %u\n", i);
			all = false;
		}
	}
	tap(all, "each enum hlk_what has words");
}

static void is(const struct hlk_err *err, const char *want)
{
	tap(!strcmp(text(err), want), "%s", text(err));
}

static void test_words(void)
{
	struct hlk_head head = {
		.why = HLK_WHY_APIC_PAGE,
		.where = 0xfee00000,
	};
	struct hlk_err err;

	errno = EINVAL;
	hlk_err_module(&err, &head, "cannot add guest memory");
	is(&err, "cannot add guest memory: window at 0xfee00000 covers the page that KVM keeps for the APIC (0xfee00000)");
	head = (struct hlk_head) { .why = HLK_WHY_LEAF_NOT_RAM, .index = 2,
				   .where = 0x80000000 };
	hlk_err_module(&err, &head, NULL);
	is(&err, "the page at address 0x80000000 in root 2 is not in memory");
	head = (struct hlk_head) { .why = 4711 };
	errno = ENOMEM;
	hlk_err_module(&err, &head, "x");
	is(&err, "x: Cannot allocate memory");
	errno = ENOENT;
	hlk_err_open(&err, HLK_WHAT_NO_MODULE, "/dev/hlk");
	is(&err, "kernel module is not loaded: /dev/hlk does not exist (modprobe hlk)");
	errno = EACCES;
	hlk_err_open(&err, HLK_WHAT_NO_KVM, "/dev/kvm");
	is(&err, "no permission on /dev/kvm (as root, or in the file's group: hlk is that of /dev/hlk, kvm that of /dev/kvm; see hlk(4))");
	hlk_err_text(&err, EREMOTEIO, HLK_WHAT_GUEST_STATUS, "call failed",
		     "%s", "f");
	err.where = ENOENT;
	is(&err, "call failed: guest function f gave an error: No such file or directory");
	err.where = 1ULL << 40;
	is(&err, "call failed: guest function f gave an error: error 1099511627776");
	hlk_err_text(&err, ENOTRECOVERABLE, HLK_WHAT_GUEST_EXIT, NULL, "%s",
		     "a\n\033[31mb%s");
	is(&err, "the guest failed: a??[31mb%s");
	hlk_err_clear(&err);
	is(&err, "no error");
}

static void test_fit(void)
{
	struct hlk_err err;
	char line[64];
	size_t size;
	bool fits = true;

	errno = ENOENT;
	hlk_err_open(&err, HLK_WHAT_NO_MODULE, "/dev/hlk");
	for (size = 0; size <= sizeof(line); size++) {
		memset(line, 'x', sizeof(line));
		hlk_strerror(&err, line, size);
		if (size && strlen(line) != size - 1)
			fits = false;
		if (size < sizeof(line) && line[size] != 'x')
			fits = false;
	}
	tap(fits, "a line is cut to its buffer");
	tap(hlk_err_set(NULL, EINVAL, HLK_WHAT_NONE, NULL) == -EINVAL &&
	    hlk_err_text(NULL, EIO, HLK_WHAT_NONE, NULL, "x") == -EIO,
	    "nobody has to take the reason");
}

int main(void)
{
	test_all();
	test_words();
	test_fit();
	return tap_done();
}
