/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* How an error is noted; hlk_strerror() turns it into text. */
#ifndef LIBHLK_ERROR_H
#define LIBHLK_ERROR_H

#include "hlk.h"

int hlk_err_clear(struct hlk_err *err);
int hlk_err_set(struct hlk_err *err, int code, enum hlk_what what,
		const char *op);
int hlk_err_system(struct hlk_err *err, const char *op);
int hlk_err_module(struct hlk_err *err, const struct hlk_head *head,
		   const char *op);
int hlk_err_where(struct hlk_err *err, int code, enum hlk_what what,
		  uint64_t where, const char *op);
int hlk_err_text(struct hlk_err *err, int code, enum hlk_what what,
		 const char *op, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
int hlk_err_populate(struct hlk_err *err, int ret, const char *op);
int hlk_err_open(struct hlk_err *err, enum hlk_what missing, const char *path);

#endif /* LIBHLK_ERROR_H */
