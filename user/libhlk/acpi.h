/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What ACPI tells a machine's guest; see acpi.c. acpi.dsl includes this file, too: up to
 * the includes there is nothing in it but numbers.
 */
#ifndef LIBHLK_ACPI_H
#define LIBHLK_ACPI_H

/* In the PC's hole, where the RSDP is looked for; no map tells of it as memory */
#define HLK_ACPI_GPA		0xe0000
#define HLK_ACPI_GENID		0xe0000	/* VM generation ID, in a page of its own */
#define HLK_ACPI_CLOCK		0xe1000	/* vmclock, which is for user space, too */
#define HLK_ACPI_PARAMS		0xe2000	/* what acpi.dsl asks */
#define HLK_ACPI_TABLES		0xe2040	/* the tables, the RSDP first */

#define HLK_ACPI_PM_EVENT	0x600
#define HLK_ACPI_PM_CONTROL	0x604

#define HLK_ACPI_SCI		9
#define HLK_ACPI_GED		16	/* the first that no PC of old has */

#ifndef HLK_ACPI_ASL
#include <stddef.h>
#include <stdint.h>

#define HLK_ACPI_BYTES		0x5000	/* of all of it */
#define HLK_ACPI_GENID_BYTES	16
#define HLK_ACPI_CLOCK_BYTES	112	/* what is used of its page */
#define HLK_ACPI_MAX_CPUS	16

void hlk_acpi_write(unsigned char *to, uint32_t nr_cpus);
void hlk_acpi_clock(unsigned char *to, const uint64_t marker[2]);

#endif /* HLK_ACPI_ASL */
#endif /* LIBHLK_ACPI_H */
