// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Timers of local APICs that have come, at the moment of a snapshot. One that nobody took yet
 * KVM keeps to itself, and one that was taken it starts again when its state is set; so
 * they would come after a restore not at all, or twice.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "program.h"

/* Intel SDM volume 3, "Local APIC Register Address Map"; the modes of its timer */
#define LVT_TIMER	0x320
#define LVT_AGAIN	0x20000U
#define LVT_DEADLINE	0x40000U
#define COUNT_INITIAL	0x380
#define COUNT_CURRENT	0x390

static const char op[] = "cannot bring the machine to rest";

/* The signal is there before the guest is, so nothing of the guest is run. */
static int enter_and_leave(int vcpu_fd, int sig)
{
	if (pthread_kill(pthread_self(), sig))
		return EAGAIN;
	return ioctl(vcpu_fd, KVM_RUN, 0) ? errno : EIO;
}

static void take_signal(const sigset_t *set)
{
	const struct timespec none = {};

	while (sigtimedwait(set, NULL, &none) < 0 && errno == EINTR)
		;
}

/**
 * hlk_timers_deliver() - have KVM give a processor the interrupts of timers that have come
 * @vcpu_fd: the processor: at rest, nothing waits in its struct kvm_run
 * @err: out: why it cannot be
 *
 * KVM does so between two looks into the guest, and at each of them looks for signals first;
 * immediate_exit would have it look neither at the one nor at the other.
 *
 * Return: 0 or a negative errno
 */
int hlk_timers_deliver(int vcpu_fd, struct hlk_err *err)
{
	const int sig = SIGRTMAX;
	const uint64_t blocked = ~(1ULL << (sig - 1));
	uint32_t room[1 + sizeof(blocked) / sizeof(uint32_t)] = { sizeof(blocked) };
	struct kvm_signal_mask *mask = (struct kvm_signal_mask *)room;
	sigset_t set, old;
	int code;

	memcpy(mask->sigset, &blocked, sizeof(blocked));
	sigemptyset(&set);
	sigaddset(&set, sig);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	code = ioctl(vcpu_fd, KVM_SET_SIGNAL_MASK, mask) ? errno : 0;
	if (!code) {
		code = enter_and_leave(vcpu_fd, sig);
		take_signal(&set);
		ioctl(vcpu_fd, KVM_SET_SIGNAL_MASK, NULL);
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!code || code == EINTR)
		return 0;
	errno = code;
	return hlk_err_system(err, op);
}

static uint32_t get(const struct kvm_lapic_state *lapic, uint32_t reg)
{
	uint32_t value;

	memcpy(&value, lapic->regs + reg, sizeof(value));
	return value;
}

/**
 * hlk_timers_lapic() - keep a timer that came once from coming again
 * @lapic: what KVM_GET_LAPIC gave after hlk_timers_deliver()
 *
 * KVM_SET_LAPIC starts it with what is left; where nothing is left, it would be over
 * at once. The guest reads 0 for what it began with then.
 */
void hlk_timers_lapic(struct kvm_lapic_state *lapic)
{
	if (!(get(lapic, LVT_TIMER) & (LVT_AGAIN | LVT_DEADLINE)) &&
	    !get(lapic, COUNT_CURRENT))
		memset(lapic->regs + COUNT_INITIAL, 0, sizeof(uint32_t));
}
