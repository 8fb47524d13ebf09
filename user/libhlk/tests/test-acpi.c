// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Tables of ACPI, read as a kernel reads them. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../acpi.h"
#include "tap.h"

static unsigned char memory[HLK_ACPI_BYTES];

static const unsigned char *at(uint64_t gpa, uint64_t bytes)
{
	if (gpa < HLK_ACPI_GPA || gpa - HLK_ACPI_GPA > sizeof(memory) ||
	    bytes > sizeof(memory) - (gpa - HLK_ACPI_GPA))
		return NULL;
	return memory + (gpa - HLK_ACPI_GPA);
}

static uint64_t get(const unsigned char *from, unsigned int bytes)
{
	uint64_t value = 0;

	memcpy(&value, from, bytes);
	return value;
}

static uint8_t sum(const unsigned char *from, size_t bytes)
{
	uint8_t all = 0;

	while (bytes--)
		all += *from++;
	return all;
}

/* As kernels look for it: each 16 bytes below 1 MiB */
static const unsigned char *find_rsdp(void)
{
	size_t i;

	for (i = 0; i + 36 <= sizeof(memory); i += 16)
		if (!memcmp(memory + i, "RSD PTR ", 8))
			return memory + i;
	return NULL;
}

/* A table that is there, as long as it says, and sums up to 0 */
static const unsigned char *table(uint64_t gpa, const char *signature)
{
	const unsigned char *head = at(gpa, 36);
	uint32_t length = head ? get(head + 4, 4) : 0;

	if (!head || memcmp(head, signature, 4) || length < 36 || !at(gpa, length) ||
	    sum(head, length))
		return NULL;
	return head;
}

static void test_lists(void)
{
	const unsigned char *rsdp = find_rsdp();
	const unsigned char *rsdt, *xsdt;

	if (!tap(rsdp, "the RSDP is found"))
		return;
	tap(rsdp - memory == HLK_ACPI_TABLES - HLK_ACPI_GPA, "where it is said to be");
	tap(!sum(rsdp, 20) && !sum(rsdp, 36), "it sums up, old part and all");
	tap(rsdp[15] == 2 && get(rsdp + 20, 4) == 36, "it is of revision 2");
	rsdt = table(get(rsdp + 16, 4), "RSDT");
	xsdt = table(get(rsdp + 24, 8), "XSDT");
	if (!tap(rsdt && xsdt, "both lists are there"))
		return;
	tap(get(rsdt + 4, 4) == 36 + 2 * 4 && get(xsdt + 4, 4) == 36 + 2 * 8,
	    "with two tables each");
	tap(get(rsdt + 36, 4) == get(xsdt + 36, 8) &&
	    get(rsdt + 40, 4) == get(xsdt + 44, 8), "the same two");
}

static const unsigned char *listed(unsigned int nr, const char *signature)
{
	const unsigned char *xsdt = table(get(find_rsdp() + 24, 8), "XSDT");

	return table(get(xsdt + 36 + 8 * nr, 8), signature);
}

static void test_fadt(void)
{
	const unsigned char *fadt = listed(0, "FACP");
	const unsigned char *facs, *dsdt;

	if (!tap(fadt && get(fadt + 4, 4) == 244, "the FADT is of revision 3"))
		return;
	facs = at(get(fadt + 36, 4), 64);
	tap(facs && !memcmp(facs, "FACS", 4) && get(facs + 4, 4) == 64 &&
	    !(get(fadt + 36, 4) % 64), "a FACS");
	dsdt = table(get(fadt + 40, 4), "DSDT");
	tap(dsdt && get(fadt + 140, 8) == get(fadt + 40, 4), "a DSDT");
	tap(!get(fadt + 132, 8), "no second FACS");
	tap(get(fadt + 46, 2) == 9, "SCI is interrupt 9");
	tap(get(fadt + 48, 4) == 0, "nothing has to switch ACPI on");
	tap(get(fadt + 56, 4) == 0x600 && fadt[88] == 4 &&
	    get(fadt + 64, 4) == 0x604 && fadt[89] == 2, "PM1");
	tap(!get(fadt + 60, 4) && !get(fadt + 68, 8) && !get(fadt + 76, 4) &&
	    !get(fadt + 80, 8) && !fadt[90] && !fadt[91] && !fadt[92] && !fadt[93],
	    "and no other register");
	tap(fadt[148] == 1 && fadt[149] == 32 && get(fadt + 152, 8) == 0x600 &&
	    fadt[172] == 1 && fadt[173] == 16 && get(fadt + 176, 8) == 0x604,
	    "PM1 by 64 bits");
	tap(fadt[116] == 1 && fadt[117] == 8 && get(fadt + 120, 8) == 0x64 &&
	    fadt[128] == 0xfe && get(fadt + 112, 4) & 1 << 10, "a reset");
	tap(!(get(fadt + 112, 4) & 1 << 20), "hardware is not reduced");
	tap(!(get(fadt + 109, 2) & 2), "no keyboard is looked for");
}

static void test_madt(uint32_t nr)
{
	const unsigned char *madt = listed(1, "APIC");
	uint32_t length = madt ? get(madt + 4, 4) : 0;
	uint32_t cpus = 0, ioapics = 0, timers = 0, scis = 0, nmis = 0, others = 0;
	uint32_t i;

	if (!tap(madt && get(madt + 36, 4) == 0xfee00000 && get(madt + 40, 4) == 1,
		 "%u processors: a MADT", nr))
		return;
	for (i = 44; i + 2 <= length && madt[i + 1] && i + madt[i + 1] <= length;
	     i += madt[i + 1]) {
		const unsigned char *entry = madt + i;

		if (entry[0] == 0 && entry[1] == 8 && entry[2] == cpus &&
		    entry[3] == cpus && get(entry + 4, 4) == 1)
			cpus++;
		else if (entry[0] == 1 && entry[1] == 12 &&
			 get(entry + 4, 4) == 0xfec00000 && !get(entry + 8, 4))
			ioapics++;
		else if (entry[0] == 2 && entry[1] == 10 && !entry[2] && !entry[3] &&
			 get(entry + 4, 4) == 2 && !get(entry + 8, 2))
			timers++;
		else if (entry[0] == 2 && entry[1] == 10 && !entry[2] &&
			 entry[3] == 9 && get(entry + 4, 4) == 9 &&
			 get(entry + 8, 2) == 0xd)
			scis++;
		else if (entry[0] == 4 && entry[1] == 6 && entry[2] == 0xff &&
			 entry[5] == 1)
			nmis++;
		else
			others++;
	}
	tap(i == length, "%u processors: entries fill it", nr);
	tap(cpus == nr && ioapics == 1 && timers == 1 && scis == 1 && nmis == 1 &&
	    !others, "%u processors: they, and one of all else", nr);
	tap(get(memory + HLK_ACPI_PARAMS - HLK_ACPI_GPA, 4) == nr,
	    "%u processors: the DSDT finds the number", nr);
}

static void test_clock(void)
{
	const unsigned char *clock = memory + HLK_ACPI_CLOCK - HLK_ACPI_GPA;

	tap(!memcmp(clock, "VCLK", 4) && get(clock + 4, 4) == 4096 &&
	    get(clock + 8, 2) == 1 && clock[10] == 0xff, "vmclock without a clock");
	tap(get(clock + 24, 8) == 0x300, "that has a generation, and notifies");
}

/* Each bit that is turned over is found out, but in the length, which says what is summed up */
static void test_sums(void)
{
	static const char * const names[] = { "FACP", "APIC" };
	unsigned int missed = 0, nr, bit;
	unsigned char *head;
	uint32_t length;

	for (nr = 0; nr < 2; nr++) {
		head = (unsigned char *)listed(nr, names[nr]);
		length = get(head + 4, 4);
		for (bit = 0; bit < 8 * length; bit++) {
			if (bit / 8 >= 4 && bit / 8 < 8)
				continue;
			head[bit / 8] ^= 1 << bit % 8;
			if (listed(nr, names[nr]))
				missed++;
			head[bit / 8] ^= 1 << bit % 8;
		}
	}
	tap(!missed, "no bit can be another: %u", missed);
}

static bool save(const char *dir, const char *name, const unsigned char *head)
{
	char path[256];
	FILE *file;
	bool good;

	snprintf(path, sizeof(path), "%s/%s.aml", dir, name);
	file = fopen(path, "w");
	if (!file)
		return false;
	good = fwrite(head, get(head + 4, 4), 1, file) == 1;
	return !fclose(file) && good;
}

/* What iasl reads in a table, it says; it names what is wrong there. */
static void test_iasl(void)
{
	static const struct {
		const char *name;
		const char *says;
	} want[] = {
		{ "DSDT", "AMZNC10C" },
		{ "DSDT", "VM_Gen_Counter" },
		{ "DSDT", "Device (CP15)" },
		{ "FACP", "PM1A Control Block Address : 00000604" },
		{ "FACP", "Reset Register Supported (V2) : 1" },
		{ "APIC", "Interrupt : 00000002" },
		{ "APIC", "Local Apic ID : 0F" },
		{ "XSDT", "Table Address   1" },
		{ "RSDT", "Table Address   1" },
	};
	const unsigned char *rsdp = find_rsdp();
	const unsigned char *fadt = listed(0, "FACP");
	char dir[] = "/tmp/test-acpi-XXXXXX";
	char command[256];
	bool good;
	size_t i;

	if (!mkdtemp(dir)) {
		tap(false, "no folder");
		return;
	}
	good = save(dir, "RSDT", at(get(rsdp + 16, 4), 0)) &&
	       save(dir, "XSDT", at(get(rsdp + 24, 8), 0)) &&
	       save(dir, "FACP", fadt) && save(dir, "APIC", listed(1, "APIC")) &&
	       save(dir, "FACS", at(get(fadt + 36, 4), 0)) &&
	       save(dir, "DSDT", at(get(fadt + 40, 4), 0));
	tap(good, "tables are written to files");
	snprintf(command, sizeof(command),
		 "cd %s && iasl -d *.aml > log 2>&1 && ! grep -i 'invalid\\|error\\|warning\\|unknown\\|incorrect' log *.dsl",
		 dir);
	tap(!system(command), "iasl reads all of them");
	for (i = 0; i < sizeof(want) / sizeof(*want); i++) {
		snprintf(command, sizeof(command), "grep -q '%s' %s/%s.dsl",
			 want[i].says, dir, want[i].name);
		tap(!system(command), "%s: %s", want[i].name, want[i].says);
	}
	snprintf(command, sizeof(command),
		 "cd %s && cp DSDT.aml before && iasl -we -vs DSDT.dsl > again 2>&1 && cmp before DSDT.aml",
		 dir);
	tap(!system(command), "what it made of the DSDT is the same DSDT");
	snprintf(command, sizeof(command), "rm -r %s", dir);
	tap(!system(command), "cleaned up");
}

int main(void)
{
	uint32_t nr;

	for (nr = 1; nr <= HLK_ACPI_MAX_CPUS; nr++) {
		memset(memory, 0xa5, sizeof(memory));
		hlk_acpi_write(memory, nr);
		test_madt(nr);
	}
	test_lists();
	test_fadt();
	test_clock();
	test_sums();
	test_iasl();
	return tap_done();
}
