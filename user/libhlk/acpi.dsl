/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * The devices of a machine, for ACPI. Addresses are fixed, so what iasl makes of it is used
 * as it is; how many processors there are stands in memory.
 */
#define HLK_ACPI_ASL
#include "acpi.h"

DefinitionBlock ("", "DSDT", 2, "HLK", "MACHINE", 0x00000001)
{
	/* Type 0 switches off */
	Name (\_S5, Package () { Zero, Zero, Zero, Zero })

	Scope (\_SB)
	{
		OperationRegion (PRMS, SystemMemory, HLK_ACPI_PARAMS, 4)
		Field (PRMS, DWordAcc, NoLock, Preserve) { NCPU, 32 }

		/* Is there a processor of this number? */
		Method (HERE, 1, NotSerialized)
		{
			If (LLess (Arg0, NCPU))
			{
				Return (0x0f)
			}
			Return (Zero)
		}

#define CPU(_name, _nr) \
		Device (_name) \
		{ \
			Name (_HID, "ACPI0007") \
			Name (_UID, _nr) \
			Method (_STA, 0, NotSerialized) { Return (HERE (_nr)) } \
		}
		CPU (CP00, 0x00)
		CPU (CP01, 0x01)
		CPU (CP02, 0x02)
		CPU (CP03, 0x03)
		CPU (CP04, 0x04)
		CPU (CP05, 0x05)
		CPU (CP06, 0x06)
		CPU (CP07, 0x07)
		CPU (CP08, 0x08)
		CPU (CP09, 0x09)
		CPU (CP10, 0x0a)
		CPU (CP11, 0x0b)
		CPU (CP12, 0x0c)
		CPU (CP13, 0x0d)
		CPU (CP14, 0x0e)
		CPU (CP15, 0x0f)

		/* The ports of power management belong to nobody else. */
		Device (MBRD)
		{
			Name (_HID, EisaId ("PNP0C02"))
			Name (_UID, Zero)
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, HLK_ACPI_PM_EVENT, HLK_ACPI_PM_EVENT, 0x01, 0x06)
			})
		}

		Device (TIMR)
		{
			Name (_HID, EisaId ("PNP0100"))
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x0040, 0x0040, 0x01, 0x04)
				IRQNoFlags () { 0 }
			})
		}

		Device (RTC)
		{
			Name (_HID, EisaId ("PNP0B00"))
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x0070, 0x0070, 0x01, 0x02)
			})
		}

		Device (COM1)
		{
			Name (_HID, EisaId ("PNP0501"))
			Name (_UID, One)
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x03f8, 0x03f8, 0x01, 0x08)
				IRQNoFlags () { 4 }
			})
		}

		/* 16 bytes that are others after each restore */
		Device (VGEN)
		{
			Name (_HID, "HLK00001")
			Name (_CID, "VM_Gen_Counter")
			Name (_DDN, "VM_Gen_Counter")
			Name (ADDR, Package () { HLK_ACPI_GENID, Zero })
		}

		Device (VCLK)
		{
			Name (_HID, "AMZNC10C")
			Name (_CID, "VMCLOCK")
			Name (_DDN, "VMCLOCK")
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadOnly, HLK_ACPI_CLOCK, 0x1000)
			})
		}

		/* A restore raises its interrupt: an edge, of which nothing has to be read. */
		Device (GED)
		{
			Name (_HID, "ACPI0013")
			Name (_UID, Zero)
			Name (_CRS, ResourceTemplate ()
			{
				Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive)
				{
					HLK_ACPI_GED
				}
			})
			Method (_EVT, 1, Serialized)
			{
				If (LEqual (Arg0, HLK_ACPI_GED))
				{
					Notify (VGEN, 0x80)
					Notify (VCLK, 0x80)
				}
			}
		}
	}
}
