// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * State programs of other kernels.
 *
 * Which MSRs a program sets is what KVM listed where it was written. Another KVM lists others:
 * one that it does not know it refuses, even with 0 in it, and then no restore comes to an
 * end; and one that the program leaves out, and guests can write here, would go from
 * one call to the next. So a program that comes from a file sets what processors have
 * here, what it has no value for as it is in a new one. The program may be anybody's: the
 * module takes more than libhlk writes, arguments in any order and a processor's MSRs not at
 * all, and left as it is such a program would have guests keep what they write from one call
 * to the next. So one that is not as libhlk writes it is refused. No system call here.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "carry.h"
#include "unlisted.h"

static const char op[] = "cannot load the snapshot";

/**
 * struct carrying - a program that is being rewritten
 * @from: the program
 * @bytes: its size
 * @head: its header
 * @msrs: what processors have here
 * @to: the new one
 * @used: bytes of it
 * @end: where the last argument of the old one ends
 * @sets: processors whose MSRs it sets, a bit each
 * @changed: it is another one
 * @file: where it is from
 * @err: out: why it cannot be
 */
struct carrying {
	const unsigned char *from;
	uint64_t bytes;
	struct hlk_program_header head;
	const struct hlk_carry_msrs *msrs;
	unsigned char *to;
	uint64_t used;
	uint64_t end;
	uint32_t sets;
	bool changed;
	const char *file;
	struct hlk_err *err;
};

static uint64_t round_up(uint64_t bytes)
{
	return (bytes + 7) / 8 * 8;
}

static uint64_t msrs_bytes(uint32_t nr)
{
	return sizeof(struct kvm_msrs) + (uint64_t)nr * sizeof(struct kvm_msr_entry);
}

/*
 * KVM is asked for each, since it may take an MSR, and not what is in it. Nobody whose
 * processor has it not can have anything but 0 in it; one that is here has to be set.
 */
static int keep(struct carrying *carrying, const struct kvm_msr_entry *entry,
		struct kvm_msr_entry *to, uint32_t *nr)
{
	const struct hlk_carry_msrs *msrs = carrying->msrs;
	bool here = hlk_msr_in(msrs->entries, msrs->nr, entry->index);

	if (msrs->takes(msrs->arg, entry, here)) {
		to[(*nr)++] = *entry;
		return 0;
	}
	if (entry->data || here)
		return hlk_err_text(carrying->err, EOPNOTSUPP, HLK_WHAT_SAVED, op,
				    "%s: its processor has 0x%llx in MSR 0x%x, which this host's KVM does not take",
				    carrying->file, (unsigned long long)entry->data, entry->index);
	carrying->changed = true;
	return 0;
}

static int carry_msrs(struct carrying *carrying, const struct kvm_msr_entry *from, uint32_t nr_from,
		      struct kvm_msr_entry *to, uint32_t *nr)
{
	const struct hlk_carry_msrs *msrs = carrying->msrs;
	uint32_t last = nr_from, i;
	int ret = 0;

	/* The deadline of the timer is the last one that is set, since it starts it. */
	if (last && from[last - 1].index == HLK_CARRY_LAST)
		last--;
	for (i = 0; !ret && i < last; i++)
		ret = keep(carrying, &from[i], to, nr);
	for (i = 0; !ret && i < msrs->nr; i++) {
		if (hlk_msr_in(from, nr_from, msrs->entries[i].index))
			continue;
		to[(*nr)++] = msrs->entries[i];
		carrying->changed = true;
	}
	return ret || last == nr_from ? ret : keep(carrying, &from[last], to, nr);
}

/* The MSRs of a processor, whose turn comes once, and in each restore */
static bool good_msrs(struct carrying *carrying, const struct hlk_program_entry *entry)
{
	struct kvm_msrs head;

	if (entry->bytes < sizeof(head) || entry->flags ||
	    entry->target >= carrying->msrs->nr_cpus ||
	    carrying->sets & 1U << entry->target)
		return false;
	memcpy(&head, carrying->from + entry->offset, sizeof(head));
	carrying->sets |= 1U << entry->target;
	return msrs_bytes(head.nmsrs) == entry->bytes;
}

/* Its argument is behind the others; the module would take it anywhere. */
static bool good_entry(struct carrying *carrying, const struct hlk_program_entry *entry)
{
	uint64_t end = (uint64_t)entry->offset + entry->bytes;

	if (entry->offset % 8 || entry->offset < carrying->end || end > carrying->bytes)
		return false;
	if (entry->cmd == (uint32_t)KVM_SET_MSRS && !good_msrs(carrying, entry))
		return false;
	carrying->end = round_up(end);
	return carrying->end <= carrying->bytes;
}

static int carry_entry(struct carrying *carrying, struct hlk_program_entry *entry)
{
	const unsigned char *from = carrying->from + entry->offset;
	unsigned char *to = carrying->to + carrying->used;
	struct kvm_msrs head;
	uint32_t nr = 0;
	int ret = 0;

	entry->offset = carrying->used;
	if (entry->cmd == (uint32_t)KVM_SET_MSRS) {
		memcpy(&head, from, sizeof(head));
		ret = carry_msrs(carrying, (const void *)(from + sizeof(head)), head.nmsrs,
				 (void *)(to + sizeof(head)), &nr);
		head.nmsrs = nr;
		memcpy(to, &head, sizeof(head));
		entry->bytes = msrs_bytes(nr);
	} else {
		memcpy(to, from, entry->bytes);
	}
	carrying->used += round_up(entry->bytes);
	return ret;
}

/* Where all arguments are, and room for the program that it becomes; 0 if it is not libhlk's */
static uint64_t room(struct carrying *carrying)
{
	uint64_t args, more = 0;
	struct hlk_program_entry entry;
	uint32_t i;

	if (carrying->bytes < sizeof(carrying->head) || carrying->bytes % 8 ||
	    !carrying->msrs->nr_cpus || carrying->msrs->nr_cpus > HLK_LIB_MAX_CPUS)
		return 0;
	memcpy(&carrying->head, carrying->from, sizeof(carrying->head));
	args = sizeof(carrying->head) + (uint64_t)carrying->head.nr_entries * sizeof(entry);
	if (carrying->head.size != sizeof(carrying->head) ||
	    carrying->head.entry_size != sizeof(entry) || args > carrying->bytes)
		return 0;
	carrying->end = args;
	for (i = 0; i < carrying->head.nr_entries; i++) {
		memcpy(&entry, carrying->from + sizeof(carrying->head) + i * sizeof(entry),
		       sizeof(entry));
		if (!good_entry(carrying, &entry))
			return 0;
		if (entry.cmd == (uint32_t)KVM_SET_MSRS)
			more += msrs_bytes(carrying->msrs->nr);
	}
	for (i = 0; i < carrying->msrs->nr_cpus; i++)
		if (!(carrying->sets & 1U << i))
			return 0;
	carrying->used = args;
	return carrying->bytes + more;
}

static int rewrite(struct carrying *carrying)
{
	struct hlk_program_entry *entries = (void *)(carrying->to + sizeof(carrying->head));
	uint64_t rest = carrying->bytes - carrying->end;
	uint32_t i;
	int ret = 0;

	memcpy(carrying->to, carrying->from, carrying->used);
	for (i = 0; !ret && i < carrying->head.nr_entries; i++)
		ret = carry_entry(carrying, &entries[i]);
	if (ret)
		return ret;
	memcpy(carrying->to + carrying->used, carrying->from + carrying->end, rest);
	carrying->used += rest;
	return 0;
}

/**
 * hlk_program_carry() - have a program of another kernel set the MSRs that there are here
 * @program: the program of a machine
 * @bytes: its size
 * @msrs: what processors of machines have here
 * @file: where it is from, for errors
 * @out: out: the program that it becomes, which the caller frees, or NULL if it stays
 * @out_bytes: out: the size of that
 * @err: out: why it cannot be
 *
 * Return: 0, -EINVAL if libhlk writes no such program, -EOPNOTSUPP if there is something in an
 * MSR that is not there, or -ENOMEM
 */
int hlk_program_carry(const unsigned char *program, uint64_t bytes,
		      const struct hlk_carry_msrs *msrs, const char *file,
		      unsigned char **out, uint64_t *out_bytes, struct hlk_err *err)
{
	struct carrying carrying = {
		.from = program,
		.bytes = bytes,
		.msrs = msrs,
		.file = file,
		.err = err,
	};
	uint64_t most = room(&carrying);
	int ret;

	*out = NULL;
	if (!most)
		return hlk_err_text(err, EINVAL, HLK_WHAT_SAVED, op,
				    "%s: its state program is not one of a machine's", file);
	carrying.to = calloc(1, most);
	if (!carrying.to)
		return hlk_err_system(err, op);
	ret = rewrite(&carrying);
	if (ret || !carrying.changed) {
		free(carrying.to);
		return ret;
	}
	*out = carrying.to;
	*out_bytes = carrying.used;
	return 0;
}
