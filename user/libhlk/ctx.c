// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* The context: /dev/hlk and /dev/kvm, and what they can do. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"
#include "prefault.h"

static const char op[] = "cannot open hlk";

static int read_info(int fd, struct hlk_info *info, size_t size,
		     struct hlk_err *err)
{
	static const char what[] = "cannot read the module's version";
	int ret = hlk_grow_reply(&info->head, size, "hlk_info", what, err);

	if (ret)
		return ret;
	if (ioctl(fd, HLK_INFO, info))
		return hlk_err_module(err, &info->head, what);
	return 0;
}

static int open_hlk(struct hlk_ctx *ctx, struct hlk_err *err)
{
	struct hlk_info info;
	int ret;

	ctx->hlk_fd = open("/dev/hlk", O_RDWR | O_CLOEXEC);
	if (ctx->hlk_fd < 0)
		return hlk_err_open(err, HLK_WHAT_NO_MODULE, "/dev/hlk");
	ret = read_info(ctx->hlk_fd, &info, sizeof(info), err);
	if (ret)
		return ret;
	if (info.version != HLK_ABI_VERSION)
		return hlk_err_where(err, EPROTONOSUPPORT, HLK_WHAT_VERSION,
				     info.version, op);
	ctx->features = info.features;
	return 0;
}

static int has_cap(struct hlk_ctx *ctx, long cap)
{
	int ret = ioctl(ctx->kvm_fd, KVM_CHECK_EXTENSION, cap);

	return ret < 0 ? 0 : ret;
}

static int check_caps(struct hlk_ctx *ctx, struct hlk_err *err)
{
	static const struct {
		long cap;
		int bits;
		const char *name;
	} want[] = {
		{ KVM_CAP_USER_MEMORY, 1, "KVM_CAP_USER_MEMORY" },
		{ KVM_CAP_IMMEDIATE_EXIT, 1, "KVM_CAP_IMMEDIATE_EXIT" },
		{ KVM_CAP_SYNC_REGS, KVM_SYNC_X86_VALID_FIELDS,
		  "KVM_CAP_SYNC_REGS for registers and events" },
		{ KVM_CAP_X86_MSR_FILTER, 1, "KVM_CAP_X86_MSR_FILTER" },
	};
	size_t i;

	if (ioctl(ctx->kvm_fd, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
		return hlk_err_text(err, EOPNOTSUPP, HLK_WHAT_KVM_CAP, op,
				    "API version %d", KVM_API_VERSION);
	for (i = 0; i < sizeof(want) / sizeof(*want); i++) {
		if ((has_cap(ctx, want[i].cap) & want[i].bits) != want[i].bits)
			return hlk_err_text(err, EOPNOTSUPP, HLK_WHAT_KVM_CAP,
					    op, "%s", want[i].name);
	}
	ctx->pre_fault = has_cap(ctx, KVM_CAP_PRE_FAULT_MEMORY);
	ctx->enforce_pv = has_cap(ctx, KVM_CAP_ENFORCE_PV_FEATURE_CPUID);
	return 0;
}

static int open_kvm(struct hlk_ctx *ctx, struct hlk_err *err)
{
	int ret;

	ctx->kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (ctx->kvm_fd < 0)
		return hlk_err_open(err, HLK_WHAT_NO_KVM, "/dev/kvm");
	ret = check_caps(ctx, err);
	if (ret)
		return ret;
	ctx->run_size = ioctl(ctx->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (ctx->run_size < (int)sizeof(struct kvm_run))
		return hlk_err_system(err, op);
	return hlk_cpuid_make(ctx, err);
}

/* The kernel clears it in a child: no handler of fork() is needed. */
static int make_home(struct hlk_ctx *ctx, struct hlk_err *err)
{
	void *page = mmap(NULL, HLK_GUEST_PAGE_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return hlk_err_system(err, op);
	ctx->home = page;
	if (madvise(page, HLK_GUEST_PAGE_SIZE, MADV_WIPEONFORK))
		return hlk_err_system(err, op);
	return 0;
}

/**
 * hlk_home() - a number for the process that asks
 * @ctx: a context, of this process or inherited
 *
 * VMs, their memory and threads are not inherited, so objects note where they were
 * made, and are no good elsewhere.
 *
 * Return: the same number in each thread of a process, another one in its children
 */
uint64_t hlk_home(struct hlk_ctx *ctx)
{
	uint64_t none = 0, home;
	struct timespec ts;

	if (!ctx->home)
		return 0;
	home = __atomic_load_n(ctx->home, __ATOMIC_ACQUIRE);
	if (home)
		return home;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	home = (ts.tv_sec * 1000000000ULL + ts.tv_nsec) << 1 | 1;
	if (__atomic_compare_exchange_n(ctx->home, &none, home, false,
					__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return home;
	return none;
}

struct hlk_ctx *hlk_ctx_get(struct hlk_ctx *ctx)
{
	atomic_fetch_add(&ctx->refs, 1);
	return ctx;
}

EXPORT int hlk_open(struct hlk_ctx **out, struct hlk_err *err)
{
	struct hlk_ctx *ctx;
	int ret;

	*out = NULL;
	hlk_err_clear(err);
	ctx = calloc(1, sizeof(*ctx));
	if (!ctx)
		return hlk_err_system(err, op);
	atomic_init(&ctx->refs, 1);
	ctx->hlk_fd = -1;
	ctx->kvm_fd = -1;
	ret = make_home(ctx, err);
	if (!ret)
		ret = open_hlk(ctx, err);
	if (!ret)
		ret = open_kvm(ctx, err);
	if (ret) {
		hlk_close(ctx);
		return ret;
	}
	*out = ctx;
	return 0;
}

EXPORT void hlk_close(struct hlk_ctx *ctx)
{
	if (!ctx || atomic_fetch_sub(&ctx->refs, 1) != 1)
		return;
	if (ctx->kvm_fd >= 0)
		close(ctx->kvm_fd);
	if (ctx->hlk_fd >= 0)
		close(ctx->hlk_fd);
	if (ctx->home)
		munmap(ctx->home, HLK_GUEST_PAGE_SIZE);
	free(ctx->cpuid);
	free(ctx);
}

EXPORT int hlk_get_info_sized(struct hlk_ctx *ctx, struct hlk_info *info,
			      size_t size, struct hlk_err *err)
{
	hlk_err_clear(err);
	return read_info(ctx->hlk_fd, info, size, err);
}
