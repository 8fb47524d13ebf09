// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * How machines are made, and what their snapshots have: processors, memory, ACPI, a state
 * program of what KVM tells. Against a module and a KVM that are played.
 */
#include "played-machine.h"

/* The program as the module reads it */
static const struct hlk_program_entry *entry_of(unsigned int at)
{
	return (const struct hlk_program_entry *)
		(play.program + sizeof(struct hlk_program_header)) + at;
}

static void test_program(void)
{
	static const uint32_t order[] = {
		KVM_SET_SREGS2, KVM_SET_PIT2, KVM_SET_IRQCHIP, KVM_SET_IRQCHIP,
		KVM_SET_IRQCHIP, KVM_SET_LAPIC, KVM_SET_MSRS, KVM_SET_DEBUGREGS,
		KVM_SET_CLOCK
	};
	const unsigned int nr = sizeof(order) / sizeof(*order);
	const struct hlk_program_header *head = (void *)play.program;
	const struct hlk_program_entry *entry;
	struct hlk_program_tail tail;
	const struct kvm_msrs *msrs;
	struct hlk_snap *snap;
	bool good = true;
	unsigned int i;

	begin(NULL);
	machine->devices.serial.scr = 0x5a;
	tap(!hlk_machine_snapshot(machine, &snap) && play.snapshots == 1, "a snapshot");
	hlk_snapshot_close(snap);
	for (i = 0; i < nr && i < head->nr_entries; i++) {
		entry = entry_of(i);
		good &= entry->cmd == order[i] && entry->offset % 8 == 0 &&
			entry->offset >= sizeof(*head) + head->nr_entries * sizeof(*entry) &&
			entry->offset + entry->bytes <= play.program_bytes &&
			(entry->cmd == KVM_SET_MSRS ||
			 entry->bytes == _IOC_SIZE(entry->cmd));
	}
	tap(good && head->nr_entries == nr && play.program_bytes % 8 == 0 &&
	    play.program_bytes <= HLK_MAX_PROGRAM, "its calls, in KVM's order");
	msrs = (const void *)(play.program + entry_of(6)->offset);
	tap(msrs->nmsrs == 6 && msrs->entries[0].index == MSR_GOOD &&
	    msrs->entries[0].data == MSR_GOOD * 3 &&
	    msrs->entries[1].index == 0x11 && !msrs->entries[1].data &&
	    msrs->entries[2].index == 0x4b564d00 && !msrs->entries[2].data &&
	    msrs->entries[3].index == 0xc0000080 &&
	    msrs->entries[4].index == MSR_UNLISTED &&
	    msrs->entries[5].index == 0x6e0, "MSRs that can be put back, the deadline last");
	tap(!hlk_program_tail(play.program, play.program_bytes, &tail) &&
	    tail.irqchip && tail.devices.serial.scr == 0x5a, "the devices");
	begin(NULL);
	play.kvmclock = true;
	tap(!hlk_machine_snapshot(machine, &snap) && head->nr_entries == nr + 1 &&
	    entry_of(6)->cmd == KVM_SET_MSRS && entry_of(7)->cmd == KVM_KVMCLOCK_CTRL &&
	    entry_of(7)->flags == HLK_PROGRAM_TIME_GOES_ON && entry_of(7)->bytes == 8 &&
	    !entry_of(7)->target, "who has KVM's clock is told of the time between");
	hlk_snapshot_close(snap);
	begin(NULL);
	machine->irqchip = false;
	tap(!hlk_machine_snapshot(machine, &snap) && head->nr_entries == 3,
	    "without controllers");
	hlk_snapshot_close(snap);
	begin(NULL);
	play.lost_msr = true;
	tap(hlk_machine_snapshot(machine, &snap) == -EOPNOTSUPP && !snap &&
	    strstr(machine->err.text, "0x177"), "refused: %s", machine->err.text);
	begin(NULL);
	machine->state = HLK_MACHINE_OVER;
	tap(hlk_machine_snapshot(machine, &snap) == -ESTALE, "after its end");
	begin(NULL);
	machine->late = HLK_STOP_OFF;
	tap(hlk_machine_snapshot(machine, &snap) == -ESTALE, "or one that is yet to be told");
	machine->late = HLK_STOP_NONE;
	ctx.features &= ~HLK_FEATURE_PROGRAM;
	begin(NULL);
	tap(hlk_machine_snapshot(machine, &snap) == -EOPNOTSUPP, "an old module");
	ctx.features |= HLK_FEATURE_PROGRAM;
}

/* Who is told that it was restored: by an edge, after local APICs, before the clock */
static void test_notice(void)
{
	const struct hlk_program_header *head = (void *)play.program;
	const struct hlk_program_entry *entry;
	const struct kvm_irq_level *line;
	struct hlk_program_tail tail;
	struct hlk_snap *snap;

	begin(NULL);
	machine->told = true;
	tap(!hlk_machine_snapshot(machine, &snap) && head->nr_entries == 10 &&
	    play.nr_lines == 1 && !play.lines[0], "the line is low in a snapshot");
	hlk_snapshot_close(snap);
	entry = entry_of(8);
	line = (const void *)(play.program + entry->offset);
	tap(entry->cmd == KVM_IRQ_LINE && entry->flags == HLK_PROGRAM_FRESH &&
	    entry->target == HLK_PROGRAM_VM && line->irq == 16 && line->level == 1 &&
	    entry_of(9)->cmd == KVM_SET_CLOCK, "and each restore raises it");
	tap(!hlk_program_tail(play.program, play.program_bytes, &tail) && tail.acpi,
	    "who restores it knows");
	machine->told = false;
}

/* For each what a processor has, and what the machine has once */
static void test_program_of_two(void)
{
	static const struct {
		uint32_t cmd;
		uint32_t target;
	} order[] = {
		{ KVM_SET_SREGS2, 0 }, { KVM_SET_SREGS2, 1 },
		{ KVM_SET_PIT2, HLK_PROGRAM_VM }, { KVM_SET_IRQCHIP, HLK_PROGRAM_VM },
		{ KVM_SET_IRQCHIP, HLK_PROGRAM_VM }, { KVM_SET_IRQCHIP, HLK_PROGRAM_VM },
		{ KVM_SET_LAPIC, 0 }, { KVM_SET_LAPIC, 1 },
		{ KVM_SET_MSRS, 0 }, { KVM_SET_DEBUGREGS, 0 },
		{ KVM_SET_MSRS, 1 }, { KVM_SET_DEBUGREGS, 1 },
		{ KVM_SET_CLOCK, HLK_PROGRAM_VM }
	};
	const unsigned int nr = sizeof(order) / sizeof(*order);
	const struct hlk_program_header *head = (void *)play.program;
	struct hlk_program_tail tail;
	struct hlk_snap *snap;
	bool good = true;
	unsigned int i;

	begin(NULL);
	machine->nr_cpus = 2;
	tap(!hlk_machine_snapshot(machine, &snap), "a snapshot of two processors");
	hlk_snapshot_close(snap);
	for (i = 0; i < nr && i < head->nr_entries; i++)
		good &= entry_of(i)->cmd == order[i].cmd &&
			entry_of(i)->target == order[i].target;
	tap(good && head->nr_entries == nr, "calls of both, in KVM's order");
	tap(!hlk_program_tail(play.program, play.program_bytes, &tail) &&
	    tail.nr_cpus == 2, "how many they are");
	machine->nr_cpus = 1;
}

static void test_restore(void)
{
	static const struct step first[] = { { .error = ETIMEDOUT }, OVER };
	static const struct step broken[] = { { .error = EINVAL, .why = HLK_WHY_PROGRAM_MISSING } };
	struct hlk_program_tail tail = {
		.magic = HLK_PROGRAM_MAGIC,
		.size = sizeof(tail),
		.irqchip = 1,
		.nr_cpus = 1,
		.cr8 = 5,
		.devices.serial = { .ier = 2, .mcr = 8, .sent = 1 },
	};
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;
	struct hlk_snap snap = { .fd = 77, .program_bytes = sizeof(tail) };

	atomic_init(&snap.refs, 10);
	atomic_init(&snap.program, (const unsigned char *)&tail);
	begin(NULL);
	tap(hlk_machine_restore(machine, NULL) == -EINVAL, "nothing yet");
	tap(!hlk_machine_restore(machine, &snap) && play.restores == 1 &&
	    machine->devices.serial.sent == 1 && play.nr_lines == 1 &&
	    play.lines[0] == 1 && machine->cpus[0].run->cr8 == 5 && machine->last == &snap,
	    "devices, their line and CR8");
	begin(first);
	run.flags = HLK_MACHINE_RESTORE | HLK_MACHINE_TIME_BACK;
	tap(!hlk_machine_go(machine, &run) && run.stop == HLK_STOP_EXIT &&
	    run.copied == 7 && play.runs == 2 &&
	    play.arg[0].head.flags == HLK_RESTORE_TIME_BACK &&
	    play.arg[0].program == (uintptr_t)&tail &&
	    play.arg[1].head.flags == HLK_RUN_CONTINUE,
	    "restore and run in one call, once");
	begin(broken);
	run.flags = HLK_MACHINE_RESTORE;
	tap(hlk_machine_go(machine, &run) == -EINVAL && !run.rip &&
	    machine->state == HLK_MACHINE_OVER, "one that fails");
	tail.time = INT64_MIN;
	tap(hlk_machine_restore(machine, &snap) == -EINVAL, "a time long before time");
	tail.time = INT64_MAX;
	tap(hlk_machine_restore(machine, &snap) == -EINVAL, "and one long after it");
	tail.time = 0;
	tail.nr_cpus = 2;
	tap(hlk_machine_restore(machine, &snap) == -EINVAL &&
	    strstr(machine->err.text, "2 processors"), "a machine of two processors");
	tail.irqchip = 0;
	tap(hlk_machine_restore(machine, &snap) == -EINVAL,
	    "a machine without controllers");
	tail.magic++;
	tap(hlk_machine_restore(machine, &snap) == -EINVAL, "another's");
	machine->last = NULL;
}

#define SEC	1000000000ULL

/* Time that goes on does so from where it was, in a VM that is younger, too. */
static void test_clock(void)
{
	static const struct step first[] = { { .error = ETIMEDOUT }, OVER };
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;
	struct hlk_program_tail tail, of_own;
	struct hlk_snap snap = { .fd = 77 }, *own;

	atomic_init(&snap.refs, 10);
	begin(NULL);
	machine->has_base = false;
	play.clock = 5000 * SEC;
	tap(!hlk_machine_snapshot(machine, &own) &&
	    !hlk_program_tail(play.program, play.program_bytes, &tail) &&
	    tail.clock == 5000 * SEC && tail.base + hlk_real_ns() - tail.clock < 100 * SEC,
	    "KVM's clock, and the host's beside it");
	hlk_snapshot_close(own);
	atomic_init(&snap.program, (const unsigned char *)&tail);
	snap.program_bytes = sizeof(tail);
	tail.state_bytes = 0;
	tap(!hlk_machine_restore(machine, &snap) && !play.clocks, "in place it goes on by itself");
	machine->has_base = false;
	play.clock = 0;
	tap(!hlk_machine_restore(machine, &snap) && play.clocks == 1 &&
	    play.clock - 5000 * SEC < 100 * SEC, "another's is set to what it would be");
	tap(!hlk_machine_restore(machine, &snap) && play.clocks == 1, "once");
	begin(first);
	run.flags = HLK_MACHINE_RESTORE | HLK_MACHINE_TIME_BACK;
	tap(!hlk_machine_go(machine, &run) && !play.clocks, "it comes back by the program");
	machine->state = HLK_MACHINE_READY;
	tap(!hlk_machine_restore(machine, &snap) && play.clocks == 1 &&
	    play.clock - 5000 * SEC < 100 * SEC, "and is set to go on");
	tail.base -= 200 * SEC;
	tap(!hlk_machine_restore(machine, &snap) && play.clocks == 2 &&
	    play.clock == 5000 * SEC, "never behind the snapshot's");
	tap(machine->base + hlk_real_ns() - 5000 * SEC < 100 * SEC,
	    "which is what it is known to be");
	play.clock = 5100 * SEC;
	tap(!hlk_machine_restore(machine, &snap) && play.clocks == 3 &&
	    play.clock == 5000 * SEC, "nor before it once more");
	tap(!hlk_machine_snapshot(machine, &own) &&
	    !hlk_program_tail(play.program, play.program_bytes, &of_own) &&
	    of_own.base == machine->base && of_own.base != tail.base, "nor is it in its snapshots");
	hlk_snapshot_close(own);
	play.clock += 300 * SEC;
	tap(!hlk_machine_snapshot(machine, &own) &&
	    !hlk_program_tail(play.program, play.program_bytes, &of_own) &&
	    of_own.base + hlk_real_ns() - 5300 * SEC < 100 * SEC &&
	    of_own.base == machine->base, "what was true of clocks that were set is so no more");
	hlk_snapshot_close(own);
	play.restores = 0;
	tail.base--;
	play.clock_error = EIO;
	tap(hlk_machine_restore(machine, &snap) == -EIO && machine->state == HLK_MACHINE_OVER &&
	    !play.restores, "KVM does not take it");
	machine->last = NULL;
	machine->has_base = false;
}

static bool is_input(const struct hlk_segment *input, uint64_t gpa, uint64_t bytes)
{
	return input->gpa == gpa && input->bytes == bytes && input->data;
}

/* What a run with a restore gives to the guest */
static void test_fresh(void)
{
	static const struct step over[] = { OVER };
	struct hlk_program_tail tail = {
		.magic = HLK_PROGRAM_MAGIC,
		.size = sizeof(tail),
		.irqchip = 1,
		.nr_cpus = 1,
		.acpi = 1,
	};
	struct hlk_machine_run run = HLK_MACHINE_RUN_INIT;
	struct hlk_snap snap = { .fd = 77, .program_bytes = sizeof(tail) };
	unsigned char ids[3 * HLK_GENID_AHEAD][16], zero[16] = {};
	unsigned int same = 0, wrong = 0, i, j;
	uint32_t seq[2];

	atomic_init(&snap.refs, 10);
	atomic_init(&snap.program, (const unsigned char *)&tail);
	run.flags = HLK_MACHINE_RESTORE;
	for (i = 0; i < 3 * HLK_GENID_AHEAD; i++) {
		begin(over);
		machine->last = &snap;
		if (hlk_machine_go(machine, &run) || play.arg[0].nr_inputs != 2 ||
		    play.arg[0].head.flags || play.arg[0].input_size != 24 ||
		    play.arg[0].inputs != (uintptr_t)machine->genid.inputs ||
		    !is_input(&machine->genid.inputs[0], 0xe0000, 16) ||
		    !is_input(&machine->genid.inputs[1], 0xe1000, 112))
			wrong++;
		memcpy(ids[i], machine->genid.id, 16);
		memcpy(&seq[i % 2], machine->genid.clock + 12, 4);
		if (i && (seq[0] == seq[1] || seq[i % 2] & 1))
			wrong++;
		for (j = 0; j < i; j++)
			same += !memcmp(ids[i], ids[j], 16);
		for (j = machine->genid.left; j < HLK_GENID_AHEAD; j++)
			wrong += memcmp(machine->genid.ahead[j].id, zero, 16) != 0;
	}
	tap(!wrong, "a generation ID and vmclock with each restore");
	tap(!same, "no ID comes twice, nor stays behind");
	begin(over);
	machine->last = &snap;
	machine->reproducible = true;
	tap(!hlk_machine_go(machine, &run) && !play.arg[0].nr_inputs &&
	    play.arg[0].head.flags == HLK_RESTORE_REPRODUCIBLE, "reproducible: neither");
	machine->reproducible = false;
	tail.acpi = 0;
	begin(over);
	machine->last = &snap;
	tap(!hlk_machine_go(machine, &run) && !play.arg[0].nr_inputs && !machine->told,
	    "nor a guest that knows of none");
	machine->last = NULL;
}

static unsigned int open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int nr = 0;

	while (dir && readdir(dir))
		nr++;
	if (dir)
		closedir(dir);
	return nr;
}

static const struct kvm_cpuid_entry2 *leaf(uint32_t function, uint32_t index)
{
	static const struct kvm_cpuid_entry2 none;
	uint32_t i;

	for (i = 0; play.cpuid && i < play.cpuid->nent; i++)
		if (play.cpuid->entries[i].function == function &&
		    play.cpuid->entries[i].index == index)
			return &play.cpuid->entries[i];
	return &none;
}

static void test_cpuid(void)
{
	struct hlk_machine_config config = HLK_MACHINE_CONFIG_INIT;
	struct hlk_machine *new;

	forget_cpuid();
	config.mem_size = 1 << 20;
	hlk_machine_create(&ctx, &config, &new, NULL);
	tap(leaf(1, 0)->ebx == 0x00010800 && leaf(1, 0)->ecx == 0xffdfffdf &&
	    leaf(1, 0)->edx == 0xefffffff, "one processor, with its APIC, and neither VMX nor x2APIC");
	tap(!leaf(0xb, 0)->edx && leaf(0xb, 0)->ebx == 1 && leaf(0xb, 0)->ecx == 0x100 &&
	    leaf(0xb, 1)->ebx == 1 && leaf(0xb, 1)->ecx == 0x201 && !leaf(0xb, 1)->eax &&
	    leaf(4, 0)->eax == 0x121 && !leaf(0x80000008, 0)->ecx &&
	    leaf(0x80000008, 0)->eax == 0x3028, "alone");
	tap(leaf(0x40000001, 0)->eax == 0x0100000b && leaf(0x80000001, 0)->ecx == 0xfb &&
	    !leaf(0x8000000a, 0)->edx, "clocks of KVM's, and no SVM");
	hlk_machine_close(new);
	forget_cpuid();
	config.flags = HLK_MACHINE_NO_IRQCHIP;
	hlk_machine_create(&ctx, &config, &new, NULL);
	tap(!play.irqchips && !(leaf(1, 0)->edx & 1U << 9) &&
	    !(leaf(1, 0)->ecx & (1U << 21 | 1U << 24)), "no APIC without controllers");
	hlk_machine_close(new);
}

/* Three of them, of which the last is looked at */
static void test_cpus(void)
{
	struct hlk_machine_config config = HLK_MACHINE_CONFIG_INIT;
	struct hlk_machine *new;

	forget_cpuid();
	config.mem_size = 1 << 20;
	config.nr_cpus = 3;
	tap(!hlk_machine_create(&ctx, &config, &new, NULL) && new->nr_cpus == 3 &&
	    new->cpus[2].run && play.cpuids == 3, "three processors");
	tap(leaf(1, 0)->ebx == 0x02030800 && leaf(1, 0)->edx == 0xffffffff &&
	    leaf(4, 0)->eax == (3U << 26 | 0x121) && leaf(0x80000008, 0)->ecx == 0x2002,
	    "each knows its number, and how many there are");
	tap(leaf(0xb, 0)->edx == 2 && !leaf(0xb, 0)->eax && leaf(0xb, 0)->ebx == 1 &&
	    leaf(0xb, 1)->edx == 2 && leaf(0xb, 1)->eax == 2 && leaf(0xb, 1)->ebx == 3,
	    "cores of one package");
	hlk_machine_close(new);
	config.nr_cpus = 17;
	tap(hlk_machine_create(&ctx, &config, &new, NULL) == -EINVAL, "too many");
	config.nr_cpus = 2;
	config.flags = HLK_MACHINE_NO_IRQCHIP;
	tap(hlk_machine_create(&ctx, &config, &new, NULL) == -EINVAL,
	    "nobody starts the second");
}

static void test_memory(void)
{
	struct hlk_machine_config config = HLK_MACHINE_CONFIG_INIT;
	const struct hlk_ram ram[3] = {
		{ 0, 0x100000, NULL }, { 0x80000000, 0x1000, NULL },
		{ 0x100000000, 0x2000, NULL },
	};
	struct hlk_machine *new;

	forget_cpuid();
	if (sizeof(void *) == 8) {
		config.mem_size = (3ULL << 30) + (1 << 20);
		tap(!hlk_machine_create(&ctx, &config, &new, NULL) && play.windows == 2 &&
		    play.slots == 2 && !play.window[0].gpa &&
		    play.window[0].bytes == 3ULL << 30 &&
		    play.window[1].gpa == 4ULL << 30 && play.window[1].bytes == 1 << 20,
		    "memory as a PC has it");
		hlk_machine_close(new);
	}
	forget_cpuid();
	config.mem_size = 0;
	config.ram = ram;
	config.nr_ram = 3;
	tap(!hlk_machine_create(&ctx, &config, &new, NULL) && play.windows == 3 &&
	    play.window[2].gpa == 0x100000000 && play.window[2].bytes == 0x2000,
	    "memory as the caller has it");
	hlk_machine_close(new);
}

/* Each call fails once: nothing is left, and there are words. A question may be answered by no. */
static void test_create_fails(void)
{
	struct hlk_machine_config config = HLK_MACHINE_CONFIG_INIT;
	unsigned int before = open_files(), i = 0, failed = 0;
	struct hlk_machine *new;
	struct hlk_err err;
	bool good = true;
	int ret;

	config.mem_size = 1 << 20;
	do {
		forget_cpuid();
		play.fail_at = ++i;
		ret = hlk_machine_create(&ctx, &config, &new, &err);
		failed += !!ret;
		good &= ret ? !new && err.code == -ret : !!new;
		hlk_machine_close(new);
		good &= open_files() == before;
	} while (play.calls >= i);
	tap(good && failed > 8, "%u ways in which no machine is made", failed);
}

static void test_snapshot_fails(void)
{
	unsigned int before = open_files(), i = 0, failed = 0;
	struct hlk_snap *snap;
	bool good = true;
	int ret;

	do {
		begin(NULL);
		machine->cpus[0].pending = true;
		play.fail_at = ++i;
		ret = hlk_machine_snapshot(machine, &snap);
		failed += !!ret;
		good &= ret ? !snap && machine->err.code == -ret : !!snap;
		hlk_snapshot_close(snap);
		good &= open_files() == before && machine->state == HLK_MACHINE_READY;
	} while (play.calls >= i);
	tap(good && failed > 10, "%u ways in which there is no snapshot", failed);
}

static void test_load(void)
{
	struct hlk_machine_config config = HLK_MACHINE_CONFIG_INIT;
	struct hlk_kernel kernel = HLK_KERNEL_INIT;
	struct hlk_placed placed;
	struct hlk_machine *new;

	forget_cpuid();
	config.mem_size = 1 << 20;
	hlk_machine_create(&ctx, &config, &new, NULL);
	kernel.protocol = HLK_PROTOCOL_FLAT32;
	kernel.image = "code";
	kernel.image_size = 4;
	kernel.gpa = 0x8000;
	tap(!hlk_machine_load(new, &kernel, &placed) && play.regs.rip == 0x8000 &&
	    placed.entry == 0x8000 && !memcmp((char *)new->ram[0].mem + 0x8000, "code", 4),
	    "a kernel");
	tap(hlk_machine_load(new, &kernel, NULL) == -EINVAL, "one only");
	hlk_machine_close(new);
	hlk_machine_create(&ctx, &config, &new, NULL);
	kernel.gpa = 0x100000;
	tap(hlk_machine_load(new, &kernel, NULL) == -ENOSPC && new->err.text[0] &&
	    new->state == HLK_MACHINE_OVER, "that does not fit");
	hlk_machine_close(new);
}

/* Which pin of a chip has this number, or -1 */
static int pin_of(uint32_t gsi, uint32_t chip)
{
	const struct kvm_irq_routing_entry *entry;
	int pin = -1;
	uint32_t i;

	for (i = 0; i < play.routing.head.nr; i++) {
		entry = &play.routing.entry[i];
		if (entry->gsi == gsi && entry->type == KVM_IRQ_ROUTING_IRQCHIP &&
		    entry->u.irqchip.irqchip == chip && pin < 0)
			pin = entry->u.irqchip.pin;
		else if (entry->gsi == gsi && entry->u.irqchip.irqchip == chip)
			pin = 99;
	}
	return pin;
}

static void test_routes(void)
{
	struct hlk_machine_config config = HLK_MACHINE_CONFIG_INIT;
	struct hlk_machine *new;
	unsigned int wrong = 0;
	uint32_t i;

	forget_cpuid();
	config.mem_size = 1 << 20;
	hlk_machine_create(&ctx, &config, &new, NULL);
	tap(pin_of(0, KVM_IRQCHIP_IOAPIC) == 2 && pin_of(0, KVM_IRQCHIP_PIC_MASTER) == 0 &&
	    pin_of(2, KVM_IRQCHIP_IOAPIC) == -1, "the timer comes to pin 2 of the I/O APIC");
	for (i = 3; i < 24; i++)
		wrong += pin_of(i, KVM_IRQCHIP_IOAPIC) != (int)i;
	for (i = 0; i < 24; i++)
		wrong += pin_of(i, i < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE) !=
			 (i < 16 ? (int)i % 8 : -1);
	tap(!wrong && pin_of(1, KVM_IRQCHIP_IOAPIC) == 1, "all else to its own");
	hlk_machine_close(new);
}

/* A Multiboot kernel of a header alone, at 1 MiB */
static bool has_acpi(uint32_t flags, uint32_t protocol, uint64_t gpa, uint64_t hole)
{
	static const uint32_t image[] = {
		0x1badb002, 0x10000, -(0x1badb002 + 0x10000), 0x100000, 0x100000, 0, 0,
		0x100000,
	};
	const struct hlk_ram ram[] = {
		{ .gpa = 0, .bytes = hole }, { .gpa = 0x100000, .bytes = 0x100000 },
	};
	struct hlk_machine_config config = HLK_MACHINE_CONFIG_INIT;
	struct hlk_kernel kernel = HLK_KERNEL_INIT;
	struct hlk_machine *new;
	bool found;

	config.flags = flags;
	config.ram = ram;
	config.nr_ram = 2;
	kernel.protocol = protocol;
	kernel.image = image;
	kernel.image_size = sizeof(image);
	kernel.gpa = gpa;
	if (hlk_machine_create(&ctx, &config, &new, NULL))
		return false;
	if (hlk_machine_load(new, &kernel, NULL))
		tap(false, "it loads: %s", new->err.text);
	found = hole > 0xe2048 && !memcmp((char *)new->ram[0].mem + 0xe2040, "RSD PTR ", 8);
	hlk_machine_close(new);
	return found;
}

static void test_acpi(void)
{
	forget_cpuid();
	tap(has_acpi(0, HLK_PROTOCOL_MULTIBOOT, 0, 0x100000), "ACPI is there");
	tap(!has_acpi(HLK_MACHINE_NO_ACPI, HLK_PROTOCOL_MULTIBOOT, 0, 0x100000),
	    "but where it is not wanted");
	tap(!has_acpi(HLK_MACHINE_NO_IRQCHIP, HLK_PROTOCOL_MULTIBOOT, 0, 0x100000),
	    "or without interrupts");
	tap(!has_acpi(0, HLK_PROTOCOL_FLAT16, 0xe2000, 0x100000),
	    "or where a flat binary has all memory");
	tap(!has_acpi(0, HLK_PROTOCOL_MULTIBOOT, 0, 0xe4000) &&
	    !has_acpi(0, HLK_PROTOCOL_MULTIBOOT, 0, 0xa0000), "or where there is no room");
}

int main(void)
{
	machine_begin();
	ctx.refs = 1;
	test_program();
	test_notice();
	test_program_of_two();
	test_restore();
	test_clock();
	test_fresh();
	test_cpuid();
	test_cpus();
	test_memory();
	test_create_fails();
	test_snapshot_fails();
	test_load();
	test_routes();
	test_acpi();
	return machine_end();
}
