// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What a saved snapshot's processor had, and whether this host's has it.
 *
 * A guest looks at CPUID once, when it boots, and goes by what it saw. So a snapshot that
 * comes from another host has to find all of it here; what there is more does not matter to
 * it. Features have the names that Linux has for them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index.h"
#include "machine.h"
#include "saved.h"

enum reg { EAX, EBX, ECX, EDX };

#define BITS	32

/* Words of CPUID in which each bit is a feature; names with a space between, - for none */
static const struct word {
	uint32_t function;
	uint32_t index;
	enum reg reg;
	uint32_t ignored;	/* bits that are not of the processor alone */
	const char *names;
} words[] = {
	{ 1, 0, ECX, 1U << 27 | 1U << 31,
	  "pni pclmulqdq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cid sdbg fma cx16 xtpr pdcm - pcid dca sse4_1 sse4_2 x2apic movbe popcnt tsc_deadline_timer aes xsave osxsave avx f16c rdrand hypervisor" },
	{ 1, 0, EDX, 0,
	  "fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 pn clflush - dts acpi mmx fxsr sse sse2 ss ht tm ia64 pbe" },
	{ 7, 0, EBX, 0,
	  "fsgsbase tsc_adjust sgx bmi1 hle avx2 - smep bmi2 erms invpcid rtm cqm - mpx rdt_a avx512f avx512dq rdseed adx smap avx512ifma - clflushopt clwb intel_pt avx512pf avx512er avx512cd sha_ni avx512bw avx512vl" },
	{ 7, 0, ECX, 1U << 4,
	  "- avx512vbmi umip pku ospke waitpkg avx512_vbmi2 shstk gfni vaes vpclmulqdq avx512_vnni avx512_bitalg - avx512_vpopcntdq - la57 - - - - - rdpid - bus_lock_detect cldemote - movdiri movdir64b enqcmd sgx_lc pks" },
	{ 7, 0, EDX, 0,
	  "- - avx512_4vnniw avx512_4fmaps fsrm uintr - - avx512_vp2intersect - md_clear - - - serialize - tsxldtrk - - - ibt - amx_bf16 avx512_fp16 amx_tile amx_int8 spec_ctrl intel_stibp flush_l1d arch_capabilities - spec_ctrl_ssbd" },
	{ 7, 1, EAX, 0,
	  "- - - - avx_vnni avx512_bf16 - cmpccxadd - - fzrm fsrs fsrc - - - - fred lkgs wrmsrns - amx_fp16 - avx_ifma - - lam" },
	{ 7, 1, EDX, 0, "" },
	{ 0xd, 0, EAX, 0,
	  "xsave-fp xsave-sse xsave-avx xsave-bndregs xsave-bndcsr xsave-opmask xsave-zmm xsave-hi16zmm - xsave-pkru - - - - - - - xsave-tilecfg xsave-tiledata" },
	{ 0xd, 1, EAX, 0, "xsaveopt xsavec xgetbv1 xsaves xfd" },
	{ 0x80000001, 0, ECX, 0,
	  "lahf_lm cmp_legacy svm extapic cr8_legacy abm sse4a misalignsse 3dnowprefetch osvw ibs xop skinit wdt - lwp fma4 tce - nodeid_msr - tbm topoext perfctr_core perfctr_nb - bpext ptsc perfctr_llc mwaitx" },
	{ 0x80000001, 0, EDX, 0,
	  "- - - - - - - - - - - syscall - - - - - - - mp nx - mmxext - - fxsr_opt pdpe1gb rdtscp - lm 3dnowext 3dnow" },
	{ 0x80000008, 0, EBX, 0,
	  "clzero irperf xsaveerptr - rdpru - - - - wbnoinvd - - amd_ibpb - amd_ibrs amd_stibp - - - - - - - amd_ppin amd_ssbd virt_ssbd amd_ssb_no" },
	{ 0x40000001, 0, EAX, 0,
	  "kvmclock-old nop_io_delay - kvmclock - - - - - - - - - - - - - - - - - - - - kvmclock-stable" },
};

#define WORDS	(sizeof(words) / sizeof(*words))

/* A leaf that is the same for all, but for who made the processor */
#define VENDOR	0U

static struct kvm_cpuid2 *read_cpuid(struct hlk_ctx *ctx, bool machine, uint32_t nr_cpus,
				     bool irqchip, struct hlk_err *err)
{
	struct kvm_cpuid2 *all;
	size_t size;

	if (machine)
		return hlk_cpuid_machine(ctx, nr_cpus, irqchip, &all, err) ? NULL : all;
	size = sizeof(*all) + ctx->cpuid->nent * sizeof(*all->entries);
	all = malloc(size);
	if (all)
		memcpy(all, ctx->cpuid, size);
	else
		hlk_err_system(err, "cannot read KVM's CPUID");
	return all;
}

static bool is_listed(const struct kvm_cpuid_entry2 *entry)
{
	size_t i;

	for (i = 0; i < WORDS; i++)
		if (entry->function == words[i].function &&
		    entry->index == words[i].index)
			return true;
	return entry->function == VENDOR;
}

static bool has_irqchip(struct hlk_snap *snap)
{
	struct hlk_program_tail tail;

	return !hlk_program_map(snap, NULL) &&
	       !hlk_program_tail(atomic_load(&snap->program), snap->program_bytes, &tail) &&
	       tail.irqchip;
}

/**
 * hlk_features_read() - what processors of a snapshot have, as this host's KVM offers it
 * @ctx: the context
 * @snap: the snapshot
 * @nr_cpus: processors in it
 * @leaves: out: leaves of CPUID, which the caller frees
 * @nr: out: how many
 * @err: out: why they cannot be read
 *
 * Return: 0 or a negative errno
 */
int hlk_features_read(struct hlk_ctx *ctx, struct hlk_snap *snap, uint32_t nr_cpus,
		      struct hlk_index_cpuid **leaves, uint32_t *nr, struct hlk_err *err)
{
	const struct kvm_cpuid_entry2 *entry;
	struct kvm_cpuid2 *all;
	uint32_t i;

	all = read_cpuid(ctx, snap->program_bytes, nr_cpus, has_irqchip(snap), err);
	*nr = 0;
	*leaves = all ? calloc(all->nent + 1, sizeof(**leaves)) : NULL;
	if (all && !*leaves)
		hlk_err_system(err, "cannot read KVM's CPUID");
	for (i = 0; *leaves && i < all->nent; i++) {
		entry = &all->entries[i];
		if (is_listed(entry))
			(*leaves)[(*nr)++] = (struct hlk_index_cpuid) {
				.function = entry->function,
				.index = entry->index,
				.eax = entry->eax,
				.ebx = entry->ebx,
				.ecx = entry->ecx,
				.edx = entry->edx,
			};
	}
	free(all);
	return *leaves ? 0 : -ENOMEM;
}

static struct hlk_index_cpuid saved_leaf(const struct hlk_index *index, uint32_t function,
					 uint32_t sub)
{
	uint64_t nr = hlk_index_nr(index, HLK_INDEX_CPUID), i;
	struct hlk_index_cpuid leaf;

	for (i = 0; i < nr; i++) {
		memcpy(&leaf, index->part[HLK_INDEX_CPUID] + i * sizeof(leaf),
		       sizeof(leaf));
		if (leaf.function == function && leaf.index == sub)
			return leaf;
	}
	return (struct hlk_index_cpuid) {};
}

static struct kvm_cpuid_entry2 host_leaf(const struct kvm_cpuid2 *all, uint32_t function,
					 uint32_t sub)
{
	uint32_t i;

	for (i = 0; i < all->nent; i++)
		if (all->entries[i].function == function && all->entries[i].index == sub)
			return all->entries[i];
	return (struct kvm_cpuid_entry2) {};
}

static void name_bit(const struct word *word, unsigned int bit, char *name, size_t size)
{
	const char *at = word->names;
	unsigned int i;
	size_t len;

	for (i = 0; i < bit && at; i++) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	len = at ? strcspn(at, " ") : 0;
	if (len && *at != '-')
		snprintf(name, size, "%.*s", (int)len, at);
	else
		snprintf(name, size, "CPUID 0x%x.%u %s bit %u", word->function, word->index,
			 &"EAX\0EBX\0ECX\0EDX"[word->reg * 4], bit);
}

static int check_word(const struct word *word, const struct kvm_cpuid2 *all,
		      const struct hlk_index *index, struct hlk_err *err)
{
	struct hlk_index_cpuid saved = saved_leaf(index, word->function, word->index);
	struct kvm_cpuid_entry2 host = host_leaf(all, word->function, word->index);
	const uint32_t was[] = { saved.eax, saved.ebx, saved.ecx, saved.edx };
	const uint32_t is[] = { host.eax, host.ebx, host.ecx, host.edx };
	uint32_t lost = was[word->reg] & ~is[word->reg] & ~word->ignored;
	char name[64];

	if (!lost)
		return 0;
	name_bit(word, __builtin_ctz(lost), name, sizeof(name));
	return hlk_err_saved(err, EOPNOTSUPP, index->file, "its processor has %s, which this host's KVM has not",
			     name);
}

static int check_vendor(const struct kvm_cpuid2 *all, const struct hlk_index *index,
			struct hlk_err *err)
{
	struct hlk_index_cpuid saved = saved_leaf(index, VENDOR, 0);
	struct kvm_cpuid_entry2 host = host_leaf(all, VENDOR, 0);
	uint32_t was[] = { saved.ebx, saved.edx, saved.ecx };
	uint32_t is[] = { host.ebx, host.edx, host.ecx };

	if (!memcmp(was, is, sizeof(is)))
		return 0;
	return hlk_err_saved(err, EOPNOTSUPP, index->file, "its processor is one of %.12s, and this host's of %.12s",
			     (const char *)was, (const char *)is);
}

/**
 * hlk_features_check() - can this host run what a snapshot's processor had?
 * @ctx: the context
 * @index: the snapshot's index
 * @err: out: which feature it lacks
 *
 * Return: 0, or -EOPNOTSUPP, or another negative errno
 */
int hlk_features_check(struct hlk_ctx *ctx, const struct hlk_index *index,
		       struct hlk_err *err)
{
	bool machine = index->head.part[HLK_INDEX_PROGRAM].bytes;
	struct kvm_cpuid2 *all;
	int ret = 0;
	size_t i;

	if (!hlk_index_nr(index, HLK_INDEX_CPUID))
		return 0;
	all = read_cpuid(ctx, machine, index->head.nr_vcpus, true, err);
	if (!all)
		return -ENOMEM;
	/* Of a sandbox nothing depends on it: it has no MSRs, and no features but those of i686. */
	if (machine)
		ret = check_vendor(all, index, err);
	for (i = 0; !ret && i < WORDS; i++)
		ret = check_word(&words[i], all, index, err);
	free(all);
	return ret;
}
