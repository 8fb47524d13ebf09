/* SPDX-License-Identifier: GPL-2.0-only */
/* Two cgroups: one for a VMM, with a limit, and one for whoever is not that. */
#ifndef _HLK_CGROUP_H
#define _HLK_CGROUP_H

#include <sys/wait.h>

#include "hlk_test.h"

#define ROOT		"/tmp/cgroup"
#define MIB		(1UL << 20)
#define BIG		(24 * MIB)
#define BIG_GPA		0x1000000UL

void file_write(const char *path, const char *text);
u64 file_number(const char *path, const char *key);

void cg_begin(void);
bool cg_end(void);
u64 cg_charged(void);
u64 cg_other_charged(void);
u64 cg_kills(void);
void cg_limit(const char *bytes);
void cg_enter(void);
void cg_enter_other(void);
pid_t cg_bystander(void);
u8 *cg_eater(struct tvm *t);

/* A child in the cgroup; its exit code, or 256 and the signal */
#define IN_CHILD(...)							\
	({								\
		int status_;						\
		pid_t pid_ = fork();					\
									\
		if (!pid_) {						\
			cg_enter();					\
			__VA_ARGS__;					\
			_exit(0);					\
		}							\
		t_must(waitpid(pid_, &status_, 0) == pid_);		\
		WIFEXITED(status_) ? WEXITSTATUS(status_) : 256 + WTERMSIG(status_); \
	})

#endif /* _HLK_CGROUP_H */
