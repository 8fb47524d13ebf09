// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What ACPI tells a guest of its machine: processors, interrupt controllers, how to switch
 * off, and the devices of acpi.dsl.
 *
 * Hardware is not the reduced one, of which Linux takes that there are no PIC and PIT. PM
 * registers are what switches off, and enables nothing; there is no PM timer, which would
 * leave the guest at each look. Nor is there an event of GPE: see acpi.dsl.
 *
 * Numbers in, bytes out: no system call here.
 */
#include "acpi.h"
#include "device.h"

#include <string.h>

/* made of acpi.dsl by iasl: dsdt_aml_code */
#include "dsdt.h"

#define OEM		"HLK\0\0"
#define OEM_TABLE	"MACHINE"
#define CREATOR		"HLK"

#define LAPIC_ADDRESS	0xfee00000U
#define IOAPIC_ADDRESS	0xfec00000U

/* of struct madt */
#define PCAT_COMPAT	(1U << 0)	/* there are two PICs as well */
#define CPU_ENABLED	(1U << 0)
#define ALL_CPUS	0xff
#define LEVEL_HIGH	0xd

/* of struct fadt */
#define LEGACY_DEVICES	(1U << 0)
#define NO_VGA		(1U << 2)
#define NO_MSI		(1U << 3)
#define WBINVD		(1U << 0)
#define PROC_C1		(1U << 2)
#define NO_POWER_BUTTON	(1U << 4)
#define NO_SLEEP_BUTTON	(1U << 5)
#define NO_RTC_WAKE	(1U << 6)
#define HAS_RESET	(1U << 10)
#define NO_C2		101
#define NO_C3		1001
#define PORT_SPACE	1
#define CENTURY		0x32
#define PULSE_RESET	0xfe

struct table {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} __attribute__((packed));

struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum;
	uint8_t reserved[3];
} __attribute__((packed));

struct rsdt {
	struct table head;
	uint32_t entry[2];
} __attribute__((packed));

struct xsdt {
	struct table head;
	uint64_t entry[2];
} __attribute__((packed));

struct facs {
	char signature[4];
	uint32_t length;
	uint32_t hardware_signature;
	uint32_t waking_vector;
	uint32_t global_lock;
	uint32_t flags;
	uint64_t x_waking_vector;
	uint8_t version;
	uint8_t reserved[31];
} __attribute__((packed));

struct address {
	uint8_t space;
	uint8_t bits;
	uint8_t offset;
	uint8_t access;
	uint64_t address;
} __attribute__((packed));

/* Revision 3, of ACPI 2.0 */
struct fadt {
	struct table head;
	uint32_t facs;
	uint32_t dsdt;
	uint8_t reserved1;
	uint8_t profile;
	uint16_t sci_int;
	uint32_t smi_cmd;
	uint8_t acpi_enable;
	uint8_t acpi_disable;
	uint8_t s4bios_req;
	uint8_t pstate_cnt;
	uint32_t pm1a_event;
	uint32_t pm1b_event;
	uint32_t pm1a_control;
	uint32_t pm1b_control;
	uint32_t pm2_control;
	uint32_t pm_timer;
	uint32_t gpe0;
	uint32_t gpe1;
	uint8_t pm1_event_len;
	uint8_t pm1_control_len;
	uint8_t pm2_control_len;
	uint8_t pm_timer_len;
	uint8_t gpe0_len;
	uint8_t gpe1_len;
	uint8_t gpe1_base;
	uint8_t cst_cnt;
	uint16_t c2_latency;
	uint16_t c3_latency;
	uint16_t flush_size;
	uint16_t flush_stride;
	uint8_t duty_offset;
	uint8_t duty_width;
	uint8_t day_alarm;
	uint8_t month_alarm;
	uint8_t century;
	uint16_t boot_flags;
	uint8_t reserved2;
	uint32_t flags;
	struct address reset;
	uint8_t reset_value;
	uint8_t reserved3[3];
	uint64_t x_facs;
	uint64_t x_dsdt;
	struct address x_pm1a_event;
	struct address x_pm1b_event;
	struct address x_pm1a_control;
	struct address x_pm1b_control;
	struct address x_pm2_control;
	struct address x_pm_timer;
	struct address x_gpe0;
	struct address x_gpe1;
} __attribute__((packed));

struct madt_cpu {
	uint8_t type;
	uint8_t length;
	uint8_t uid;
	uint8_t apic_id;
	uint32_t flags;
} __attribute__((packed));

struct madt_ioapic {
	uint8_t type;
	uint8_t length;
	uint8_t id;
	uint8_t reserved;
	uint32_t address;
	uint32_t gsi_base;
} __attribute__((packed));

struct madt_override {
	uint8_t type;
	uint8_t length;
	uint8_t bus;
	uint8_t irq;
	uint32_t gsi;
	uint16_t flags;
} __attribute__((packed));

struct madt_nmi {
	uint8_t type;
	uint8_t length;
	uint8_t uid;
	uint16_t flags;
	uint8_t lint;
} __attribute__((packed));

/* What follows the processors does so at once: @cpu is cut off behind the last. */
struct madt {
	struct table head;
	uint32_t lapic_address;
	uint32_t flags;
	struct madt_ioapic ioapic;
	struct madt_override timer;
	struct madt_override sci;
	struct madt_nmi nmi;
	struct madt_cpu cpu[HLK_ACPI_MAX_CPUS];
} __attribute__((packed));

_Static_assert(sizeof(struct table) == 36 && sizeof(struct rsdp) == 36 &&
	       sizeof(struct facs) == 64 && sizeof(struct fadt) == 244,
	       "tables are as ACPI has them");
_Static_assert(HLK_ACPI_PM_EVENT == HLK_PORT_PM &&
	       HLK_ACPI_PM_CONTROL == HLK_PORT_ACPI, "the registers are where they are");

struct clock {
	uint32_t magic;
	uint32_t size;
	uint16_t version;
	uint8_t counter_id;
	uint8_t time_type;
	uint32_t seq_count;
	uint64_t disruption_marker;
	uint64_t flags;
	uint8_t time[72];
	uint64_t vm_generation_counter;
};

_Static_assert(sizeof(struct clock) == HLK_ACPI_CLOCK_BYTES,
	       "that of the guest's is as large");

#define CLOCK_MAGIC	0x4b4c4356U
#define CLOCK_NO_COUNTER	0xff
#define CLOCK_HAS_GENERATION	(1U << 8)
#define CLOCK_NOTIFIES	(1U << 9)

/**
 * struct tables - all tables, as they lie in memory
 *
 * The RSDP wants 16 bytes' alignment, the FACS 64.
 */
struct tables {
	struct rsdp rsdp;
	uint8_t __pad[28];
	struct facs facs;
	struct xsdt xsdt;
	struct rsdt rsdt;
	struct fadt fadt;
	struct madt madt;
	unsigned char dsdt[sizeof(dsdt_aml_code)];
} __attribute__((packed));

_Static_assert(HLK_ACPI_TABLES % 64 == 0 && offsetof(struct tables, facs) == 64,
	       "the FACS is aligned");
_Static_assert(HLK_ACPI_TABLES - HLK_ACPI_GPA + sizeof(struct tables) <= HLK_ACPI_BYTES,
	       "there is room for the tables");

#define ADDRESS_OF(_table) \
	((uint32_t)(HLK_ACPI_TABLES + offsetof(struct tables, _table)))

static uint8_t sum_to_zero(const void *data, size_t bytes)
{
	const uint8_t *at = data;
	uint8_t sum = 0;

	while (bytes--)
		sum -= *at++;
	return sum;
}

static struct table table(const char *signature, uint8_t revision, size_t bytes)
{
	struct table head = {
		.length = bytes,
		.revision = revision,
		.oem_revision = 1,
		.creator_revision = 1,
	};

	memcpy(head.signature, signature, sizeof(head.signature));
	memcpy(head.oem_id, OEM, sizeof(head.oem_id));
	memcpy(head.oem_table_id, OEM_TABLE, sizeof(head.oem_table_id));
	memcpy(head.creator_id, CREATOR, sizeof(head.creator_id));
	return head;
}

static void seal(struct table *head)
{
	head->checksum = sum_to_zero(head, head->length);
}

static struct address port(uint16_t address, uint8_t bytes)
{
	return (struct address) {
		.space = PORT_SPACE,
		.bits = 8 * bytes,
		.access = bytes == 1 ? 1 : 2,
		.address = address,
	};
}

static void write_rsdp(struct rsdp *rsdp)
{
	memcpy(rsdp->signature, "RSD PTR ", sizeof(rsdp->signature));
	memcpy(rsdp->oem_id, OEM, sizeof(rsdp->oem_id));
	rsdp->revision = 2;
	rsdp->rsdt = ADDRESS_OF(rsdt);
	rsdp->length = sizeof(*rsdp);
	rsdp->xsdt = ADDRESS_OF(xsdt);
	/* the part that ACPI 1.0 knows, then all of it */
	rsdp->checksum = sum_to_zero(rsdp, offsetof(struct rsdp, length));
	rsdp->extended_checksum = sum_to_zero(rsdp, sizeof(*rsdp));
}

static void write_facs(struct facs *facs)
{
	memcpy(facs->signature, "FACS", sizeof(facs->signature));
	facs->length = sizeof(*facs);
	facs->version = 1;
}

static void write_lists(struct tables *to)
{
	to->xsdt.head = table("XSDT", 1, sizeof(to->xsdt));
	to->xsdt.entry[0] = ADDRESS_OF(fadt);
	to->xsdt.entry[1] = ADDRESS_OF(madt);
	seal(&to->xsdt.head);
	to->rsdt.head = table("RSDT", 1, sizeof(to->rsdt));
	to->rsdt.entry[0] = ADDRESS_OF(fadt);
	to->rsdt.entry[1] = ADDRESS_OF(madt);
	seal(&to->rsdt.head);
}

static void write_fadt(struct fadt *fadt)
{
	fadt->head = table("FACP", 3, sizeof(*fadt));
	/* By 64 bits as well, Linux would find two. */
	fadt->facs = ADDRESS_OF(facs);
	fadt->dsdt = ADDRESS_OF(dsdt);
	fadt->x_dsdt = fadt->dsdt;
	fadt->sci_int = HLK_ACPI_SCI;
	fadt->pm1a_event = HLK_ACPI_PM_EVENT;
	fadt->pm1_event_len = HLK_ACPI_PM_CONTROL - HLK_ACPI_PM_EVENT;
	fadt->x_pm1a_event = port(HLK_ACPI_PM_EVENT, fadt->pm1_event_len);
	fadt->pm1a_control = HLK_ACPI_PM_CONTROL;
	fadt->pm1_control_len = 2;
	fadt->x_pm1a_control = port(HLK_ACPI_PM_CONTROL, fadt->pm1_control_len);
	fadt->c2_latency = NO_C2;
	fadt->c3_latency = NO_C3;
	fadt->century = CENTURY;
	fadt->boot_flags = LEGACY_DEVICES | NO_VGA | NO_MSI;
	fadt->flags = WBINVD | PROC_C1 | NO_POWER_BUTTON | NO_SLEEP_BUTTON |
		      NO_RTC_WAKE | HAS_RESET;
	fadt->reset = port(HLK_PORT_KEYBOARD, 1);
	fadt->reset_value = PULSE_RESET;
	seal(&fadt->head);
}

static void write_madt(struct madt *madt, uint32_t nr_cpus)
{
	uint32_t i;

	madt->head = table("APIC", 3, offsetof(struct madt, cpu[nr_cpus]));
	madt->lapic_address = LAPIC_ADDRESS;
	madt->flags = PCAT_COMPAT;
	madt->ioapic = (struct madt_ioapic) {
		.type = 1,
		.length = sizeof(madt->ioapic),
		.address = IOAPIC_ADDRESS,
	};
	madt->timer = (struct madt_override) {
		.type = 2,
		.length = sizeof(madt->timer),
		.irq = 0,
		.gsi = 2,
	};
	madt->sci = (struct madt_override) {
		.type = 2,
		.length = sizeof(madt->sci),
		.irq = HLK_ACPI_SCI,
		.gsi = HLK_ACPI_SCI,
		.flags = LEVEL_HIGH,
	};
	madt->nmi = (struct madt_nmi) {
		.type = 4,
		.length = sizeof(madt->nmi),
		.uid = ALL_CPUS,
		.lint = 1,
	};
	for (i = 0; i < nr_cpus; i++)
		madt->cpu[i] = (struct madt_cpu) {
			.length = sizeof(madt->cpu[i]),
			.uid = i,
			.apic_id = i,
			.flags = CPU_ENABLED,
		};
	seal(&madt->head);
}

/**
 * hlk_acpi_clock() - write vmclock
 * @to: out: HLK_ACPI_CLOCK_BYTES
 * @marker: numbers that no other restore has
 *
 * It has no time to tell: it says that time was disrupted.
 */
void hlk_acpi_clock(unsigned char *to, const uint64_t marker[2])
{
	struct clock clock = {
		.magic = CLOCK_MAGIC,
		.size = HLK_ACPI_PARAMS - HLK_ACPI_CLOCK,
		.version = 1,
		.counter_id = CLOCK_NO_COUNTER,
		/* odd while it is written, which it never is when the guest looks */
		.seq_count = (uint32_t)(marker[0] ^ marker[1]) & ~1U,
		.disruption_marker = marker[0],
		.flags = CLOCK_HAS_GENERATION | CLOCK_NOTIFIES,
		.vm_generation_counter = marker[1],
	};

	memcpy(to, &clock, sizeof(clock));
}

/**
 * hlk_acpi_write() - write what ACPI tells of a machine
 * @to: out: HLK_ACPI_BYTES, to be put at HLK_ACPI_GPA
 * @nr_cpus: how many processors it has, 1 to HLK_ACPI_MAX_CPUS
 */
void hlk_acpi_write(unsigned char *to, uint32_t nr_cpus)
{
	static const uint64_t none[2];
	struct tables tables;

	memset(&tables, 0, sizeof(tables));
	write_rsdp(&tables.rsdp);
	write_facs(&tables.facs);
	write_lists(&tables);
	write_fadt(&tables.fadt);
	write_madt(&tables.madt, nr_cpus);
	memcpy(tables.dsdt, dsdt_aml_code, sizeof(dsdt_aml_code));
	memset(to, 0, HLK_ACPI_BYTES);
	hlk_acpi_clock(to + HLK_ACPI_CLOCK - HLK_ACPI_GPA, none);
	memcpy(to + HLK_ACPI_PARAMS - HLK_ACPI_GPA, &nr_cpus, sizeof(nr_cpus));
	memcpy(to + HLK_ACPI_TABLES - HLK_ACPI_GPA, &tables, sizeof(tables));
}
