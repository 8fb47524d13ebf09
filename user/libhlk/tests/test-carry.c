// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * State programs of other kernels: which MSRs stay, go and come; where all else is then; and
 * programs of anybody's, which are refused.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../carry.h"
#include "tap.h"

#define ENTRIES	3U
#define MSRS	6U
#define TAIL	40U
#define REGS	sizeof(struct kvm_regs)

/* A call before the MSRs, these, one behind them, and bytes of somebody's */
struct program {
	struct hlk_program_header head;
	struct hlk_program_entry entry[ENTRIES];
	struct kvm_regs before;
	struct kvm_msrs msrs;
	struct kvm_msr_entry msr[MSRS];
	struct kvm_regs behind;
	unsigned char tail[TAIL];
};

static const struct kvm_msr_entry here[] = {
	{ .index = 1, .data = 100 }, { .index = 2, .data = 200 }, { .index = 7, .data = 700 },
	{ .index = HLK_CARRY_LAST },
};

/* 5 is one that KVM does not list; what is in 7 it looks at. */
static bool takes(void *arg, const struct kvm_msr_entry *entry, bool listed)
{
	unsigned int *asked = arg;

	asked[listed]++;
	return entry->index == 5 || (listed && !(entry->index == 7 && entry->data > 999));
}

static unsigned int asked[2];
static struct hlk_carry_msrs msrs = {
	.nr_cpus = 1, .nr = sizeof(here) / sizeof(*here), .entries = here, .takes = takes, .arg = asked,
};

static struct program make(uint32_t nr)
{
	struct program p = {
		.head = { .size = sizeof(p.head), .entry_size = sizeof(p.entry[0]),
			  .nr_entries = ENTRIES },
		.entry = {
			{ .cmd = (uint32_t)KVM_SET_REGS, .bytes = REGS,
			  .offset = offsetof(struct program, before) },
			{ .cmd = (uint32_t)KVM_SET_MSRS,
			  .bytes = sizeof(p.msrs) + nr * sizeof(p.msr[0]),
			  .offset = offsetof(struct program, msrs) },
			{ .cmd = (uint32_t)KVM_SET_REGS, .bytes = REGS,
			  .offset = offsetof(struct program, behind) },
		},
		.before.rax = 0x1234,
		.behind.rax = 0x5678,
		.msrs.nmsrs = nr,
	};

	memset(p.tail, 0x77, sizeof(p.tail));
	return p;
}

static unsigned char *out;
static uint64_t out_bytes;
static struct hlk_err err;

static int carry(const void *p, uint64_t bytes)
{
	unsigned char *exact = malloc(bytes ? bytes : 1);
	int ret;

	memcpy(exact, p, bytes);
	free(out);
	out_bytes = 0;
	ret = hlk_program_carry(exact, bytes, &msrs, "a file", &out, &out_bytes, &err);
	free(exact);
	return ret;
}

static struct hlk_program_entry entry_of(unsigned int nr)
{
	struct hlk_program_entry entry;

	memcpy(&entry, out + sizeof(struct hlk_program_header) + nr * sizeof(entry),
	       sizeof(entry));
	return entry;
}

/* What the new one sets: indices and values */
static bool sets(unsigned int nr, const struct kvm_msr_entry *want)
{
	struct hlk_program_entry entry;
	struct kvm_msrs head;

	if (!out)
		return false;
	entry = entry_of(1);
	memcpy(&head, out + entry.offset, sizeof(head));
	return !entry.target && !entry.flags && head.nmsrs == nr &&
	       entry.bytes == sizeof(head) + nr * sizeof(*want) &&
	       !memcmp(out + entry.offset + sizeof(head), want, nr * sizeof(*want));
}

/* The other calls, and what is behind them all */
static bool is_whole(void)
{
	struct kvm_regs before, behind;
	struct hlk_program_entry last = entry_of(2);
	unsigned int i;

	memcpy(&before, out + entry_of(0).offset, sizeof(before));
	memcpy(&behind, out + last.offset, sizeof(behind));
	for (i = 0; i < TAIL; i++)
		if (out[out_bytes - TAIL + i] != 0x77)
			return false;
	return before.rax == 0x1234 && behind.rax == 0x5678 && out_bytes % 8 == 0 &&
	       out_bytes == last.offset + last.bytes + TAIL;
}

static void test_msrs(void)
{
	struct program p = make(4);
	const struct kvm_msr_entry all[] = {
		{ .index = 2, .data = 22 }, { .index = 1, .data = 11 }, { .index = 5, .data = 55 },
		{ .index = 7, .data = 700 }, { .index = HLK_CARRY_LAST, .data = 99 },
	};
	struct kvm_msr_entry want[4];

	memcpy(p.msr, all, 2 * sizeof(*all));
	p.msr[2] = here[2];
	p.msr[3] = here[3];
	tap(!carry(&p, sizeof(p)) && !out, "who sets what there is stays as it is");

	p = make(5);
	memcpy(p.msr, all, 2 * sizeof(*all));
	p.msr[2].index = 0x309;
	p.msr[3] = all[3];
	p.msr[4] = all[4];
	memcpy(want, all, 2 * sizeof(*all));
	memcpy(want + 2, all + 3, 2 * sizeof(*all));
	tap(!carry(&p, sizeof(p)) && sets(4, want) && is_whole(),
	    "one that is not here goes, if nothing else is to be done, too");

	p = make(6);
	memcpy(p.msr, all, 3 * sizeof(*all));
	p.msr[3].index = 0x309;
	p.msr[4].index = 0x30a;
	p.msr[5] = all[4];
	memset(asked, 0, sizeof(asked));
	tap(!carry(&p, sizeof(p)) && sets(5, all) && is_whole(),
	    "MSRs that are not here go, those that are not there come");
	tap(asked[true] == 3 && asked[false] == 3, "KVM is asked for each that is set");

	p.msr[4].data = 1;
	tap(carry(&p, sizeof(p)) == -EOPNOTSUPP && !out &&
	    !strcmp(err.text, "a file: its processor has 0x1 in MSR 0x30a, which this host's KVM does not take"),
	    "one that is not here and has something in it is refused: %s", err.text);

	p.msr[4].data = 0;
	p.msr[3] = (struct kvm_msr_entry) { .index = 7, .data = 1000 };
	tap(carry(&p, sizeof(p)) == -EOPNOTSUPP && !out &&
	    !strcmp(err.text, "a file: its processor has 0x3e8 in MSR 0x7, which this host's KVM does not take"),
	    "so is one that is here, and does not take what is in it: %s", err.text);

	p = make(0);
	tap(carry(&p, offsetof(struct program, msr)) == -EINVAL && !out &&
	    !strcmp(err.text, "a file: its state program is not one of a machine's"),
	    "a program that ends before its last argument is refused: %s", err.text);
	tap(!carry(&p, sizeof(p)) && sets(4, here) && is_whole(), "who sets none sets all");
}

static bool refused(const struct program *p)
{
	return carry(p, sizeof(*p)) == -EINVAL && !out;
}

/* What the module takes, and libhlk does not write */
static void test_bypasses(void)
{
	const struct program good = make(MSRS);
	struct program p = good;

	p.entry[0].offset = good.entry[2].offset;
	p.entry[2].offset = good.entry[0].offset;
	tap(refused(&p), "arguments in another order than their calls");
	p = good;
	p.entry[1].cmd = (uint32_t)KVM_SET_REGS;
	tap(refused(&p), "no MSRs at all");
	msrs.nr_cpus = 2;
	tap(refused(&good), "those of one processor of two");
	p = good;
	p.behind = (struct kvm_regs) {};
	p.entry[2] = p.entry[1];
	p.entry[2].offset = offsetof(struct program, behind);
	p.entry[2].bytes = sizeof(struct kvm_msrs);
	p.entry[2].target = 1;
	tap(!carry(&p, sizeof(p)) && out, "those of both are right");
	msrs.nr_cpus = 1;
	tap(refused(&p), "those of one that is not there");
	p.entry[2].target = 0;
	tap(refused(&p), "those of one twice");
	p = good;
	p.entry[1].flags = HLK_PROGRAM_TIME_GOES_ON;
	tap(refused(&p), "but for where time comes back");
	p.entry[1].flags = HLK_PROGRAM_TIME_BACK;
	tap(refused(&p), "but for where time goes on");
	p.entry[1].flags = HLK_PROGRAM_FRESH;
	tap(refused(&p), "or with the first restore alone");
}

static void test_anybodys(void)
{
	struct program good = make(MSRS), p;
	unsigned int i, bad = 0;
	uint64_t bytes;

	for (bytes = 0; bytes < offsetof(struct program, tail); bytes++)
		bad += carry(&good, bytes) != -EINVAL || out;
	tap(!bad, "one that is cut off is refused");
	p = good;
	p.msrs.nmsrs = UINT32_MAX;
	bad += !refused(&p);
	p = good;
	p.head.nr_entries = UINT32_MAX;
	bad += !refused(&p);
	p = good;
	p.entry[1].offset = UINT32_MAX - 7;
	bad += !refused(&p);
	p = good;
	p.entry[1].bytes = UINT32_MAX;
	bad += !refused(&p);
	p = good;
	p.entry[2].offset = p.entry[0].offset;
	bad += !refused(&p);
	p = good;
	p.entry[1].bytes = 4;
	bad += !refused(&p);
	tap(!bad, "so is one with numbers that lead elsewhere");
	srandom(1);
	for (i = 0; i < 20000; i++) {
		p = good;
		((unsigned char *)&p)[random() % offsetof(struct program, before)] ^=
			1 << random() % 8;
		carry(&p, sizeof(p));
	}
	tap(true, "and one of anybody's");
}

int main(void)
{
	test_msrs();
	test_bypasses();
	test_anybodys();
	free(out);
	return tap_done();
}
