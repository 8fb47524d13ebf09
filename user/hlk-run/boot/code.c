// SPDX-License-Identifier: GPL-2.0-only
/* hlk-run boot: what its exit codes say. */
#include <errno.h>

#include "../fail.h"
#include "code.h"

/**
 * boot_error_code() - which exit code an error of libhlk makes
 * @err: the error
 *
 * Return: an exit code
 */
int boot_error_code(const struct hlk_err *err)
{
	switch (err->code) {
	case ENOEXEC:
		return RUN_IMAGE;
	case ENOSPC:
		return RUN_ROOM;
	case EMEDIUMTYPE:
	case EXDEV:
		return RUN_UNFIT;
	}
	return err->what == HLK_WHAT_KVM_CAP ? RUN_HOST : exit_code(err);
}

/**
 * boot_stop_code() - which exit code a guest makes that did not come to where it should
 * @stop: where it stopped, one of enum hlk_stop
 *
 * Return: an exit code
 */
int boot_stop_code(uint32_t stop)
{
	switch (stop) {
	case HLK_STOP_TIME:
		return RUN_TIMEOUT;
	case HLK_STOP_OFF:
	case HLK_STOP_RESET:
	case HLK_STOP_EXIT:
		return RUN_ENDED;
	case HLK_STOP_SHUTDOWN:
		return RUN_CRASH;
	case HLK_STOP_IDLE:
	case HLK_STOP_HALT:
		return RUN_WAITS;
	default:
		return RUN_GUEST;
	}
}
