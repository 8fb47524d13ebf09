// SPDX-License-Identifier: GPL-2.0-only
/* hlk-run boot: exit codes; files that are none. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../libhlk/tests/tap.h"
#include "../boot/code.h"
#include "../boot/file.h"
#include "../fail.h"

static void test_codes(void)
{
	static const struct {
		int code;
		uint32_t what;
		int want;
	} error[] = {
		{ ENOEXEC, HLK_WHAT_ELF, RUN_IMAGE },
		{ ENOEXEC, HLK_WHAT_KERNEL, RUN_IMAGE },
		{ ENOSPC, HLK_WHAT_KERNEL, RUN_ROOM },
		{ EMEDIUMTYPE, HLK_WHAT_MODULE, RUN_UNFIT },
		{ EOPNOTSUPP, HLK_WHAT_KVM_CAP, RUN_HOST },
		{ EDQUOT, HLK_WHAT_BUDGET, RUN_GUEST },
		{ ENOMEM, HLK_WHAT_SYSTEM, RUN_ERROR },
	};
	static const struct {
		uint32_t stop;
		int want;
	} stop[] = {
		{ HLK_STOP_TIME, RUN_TIMEOUT }, { HLK_STOP_OFF, RUN_ENDED },
		{ HLK_STOP_RESET, RUN_ENDED }, { HLK_STOP_EXIT, RUN_ENDED },
		{ HLK_STOP_SHUTDOWN, RUN_CRASH }, { HLK_STOP_IDLE, RUN_WAITS },
		{ HLK_STOP_HALT, RUN_WAITS }, { HLK_STOP_ENTRY, RUN_GUEST },
		{ HLK_STOP_INTERNAL, RUN_GUEST }, { 99, RUN_GUEST },
	};
	struct hlk_err err = {};
	size_t i;

	for (i = 0; i < sizeof(error) / sizeof(*error); i++) {
		err.code = error[i].code;
		err.what = error[i].what;
		tap(boot_error_code(&err) == error[i].want, "%s: exit code %d",
		    strerror(error[i].code), error[i].want);
	}
	for (i = 0; i < sizeof(stop) / sizeof(*stop); i++)
		tap(boot_stop_code(stop[i].stop) == stop[i].want, "%s: exit code %d",
		    hlk_stop_text(stop[i].stop), stop[i].want);
}

static int read_these(const char *kernel, const char *initrd, char *module)
{
	struct boot_options opt = {
		.kernel = kernel, .initrd = initrd, .modules = { module },
		.nr_modules = !!module,
	};
	struct files files;
	int ret = files_read(&opt, &files);

	files_free(&files);
	return ret;
}

/* A FIFO that nobody writes to would be waited for. */
static void test_files(void)
{
	char dir[] = "/tmp/test-code.XXXXXX", fifo[64], file[64], module[80];

	if (!mkdtemp(dir))
		abort();
	snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
	snprintf(file, sizeof(file), "%s/file", dir);
	if (mkfifo(fifo, 0600) || close(open(file, O_CREAT | O_WRONLY, 0600)))
		abort();
	alarm(20);
	tap(read_these(file, file, NULL) == RUN_OK, "empty files can be read");
	tap(read_these(fifo, NULL, NULL) == RUN_FILE, "a kernel that is a FIFO");
	tap(read_these(file, fifo, NULL) == RUN_FILE, "an initrd that is one");
	snprintf(module, sizeof(module), "%s,with a text", fifo);
	tap(read_these(file, NULL, module) == RUN_FILE, "a module that is one");
	tap(read_these(dir, NULL, NULL) == RUN_FILE, "a folder");
	tap(read_these("/dev/zero", NULL, NULL) == RUN_FILE, "a device without end");
	tap(read_these("/nowhere/at all", NULL, NULL) == RUN_FILE, "none");
	if (!truncate(file, (1LL << 32) + 1))
		tap(read_these(file, NULL, NULL) == RUN_FILE, "larger than 4 GiB");
	unlink(fifo);
	unlink(file);
	rmdir(dir);
}

int main(void)
{
	test_codes();
	test_files();
	return tap_done();
}
