/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Bytes of anybody's for all that reads a saved snapshot, and good ones to begin with: for
 * test-index and fuzz-saved. The first byte says what it is for.
 */
#ifndef LIBHLK_SAVEDS_H
#define LIBHLK_SAVEDS_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../carry.h"
#include "../saved.h"

#define SAVED_KINDS	5U
#define SAVED_PAGE	4096U

/* What is good is written again as it was. */
static inline void saved_index(const unsigned char *data, size_t size)
{
	void *copy = malloc(size ? size : 1), *again;
	struct hlk_index index;
	struct hlk_index_vcpu vcpu;
	uint64_t at = 0;
	uint32_t i;

	memcpy(copy, data, size);
	if (!hlk_index_decode(&index, "index", copy, size, NULL)) {
		for (i = 0; i < index.head.nr_vcpus; i++)
			if (!hlk_index_vcpu(&index, &at, &vcpu))
				abort();
		if (hlk_index_encode(&index, &again, NULL) || memcmp(again, copy, size))
			abort();
		free(again);
	}
	free(copy);
}

static inline void saved_manifest(const unsigned char *data, size_t size)
{
	static struct hlk_manifest manifest;
	char *copy = malloc(size ? size : 1);
	struct hlk_err err;

	memcpy(copy, data, size);
	if (!hlk_manifest_parse(copy, size, &manifest, &err) &&
	    (!manifest.nr || manifest.nr > HLK_OCI_MAX_LAYERS ||
	     manifest.layers[0].kind != HLK_BLOB_INDEX))
		abort();
	free(copy);
}

/* What is unpacked is as much as the index says, or nothing. */
static inline void saved_pages(const unsigned char *data, size_t size)
{
	struct hlk_blob blob = { .kind = HLK_BLOB_ZSTD };
	struct hlk_index_head head = {};
	int fd = memfd_create("blob", MFD_CLOEXEC), out = -1;
	bool lazy;

	if (fd < 0 || !size)
		abort();
	head.pages = 1 + *data++ * 3;
	blob.size = --size;
	hlk_digest_of(data, size, &blob.digest);
	if (size >= HLK_DIGEST_BYTES)
		memcpy(&head.digest, data + size - HLK_DIGEST_BYTES, HLK_DIGEST_BYTES);
	if (write(fd, data, size) != (ssize_t)size)
		abort();
	if (!hlk_pages_take(fd, &blob, &head, false, &out, &lazy, NULL)) {
		if (lseek(out, 0, SEEK_END) != (off_t)(head.pages * SAVED_PAGE))
			abort();
		close(out);
	}
	close(fd);
}

static inline void saved_json(const unsigned char *data, size_t size)
{
	char *copy = malloc(size ? size : 1), text[32];
	struct hlk_json json, one;
	uint64_t number;
	size_t at, nr = 0;

	memcpy(copy, data, size);
	if (hlk_json_parse(copy, size, &json, &at)) {
		hlk_json_member(&json, "a", &one);
		for (at = 0; hlk_json_next(&json, &at, &one); nr++) {
			if (one.text < copy || one.text + one.len > copy + size || nr > size)
				abort();
			hlk_json_string(&one, text, sizeof(text));
			hlk_json_number(&one, &number);
		}
	} else if (at > size) {
		abort();
	}
	free(copy);
}

/*
 * A state program of anybody's: what libhlk looks for at its end, and devices that are taken
 * from there as they are. What follows is what a guest does with them: a port and a value each.
 */
static inline bool takes_some(void *arg, const struct kvm_msr_entry *entry, bool here)
{
	(void)arg;
	return here || entry->index & 1;
}

/* What it becomes is a program again, and stays as it is then. */
static inline void carry_machine(const unsigned char *program, uint64_t bytes)
{
	static const struct kvm_msr_entry here[] = {
		{ .index = 0x10a, .data = 1 }, { .index = 0x174 }, { .index = HLK_CARRY_LAST },
	};
	const struct hlk_carry_msrs msrs = { .nr_cpus = 1, .nr = 3, .entries = here, .takes = takes_some };
	unsigned char *out, *again;
	uint64_t nr, nr_again;

	if (hlk_program_carry(program, bytes, &msrs, "program", &out, &nr, NULL) || !out)
		return;
	if (hlk_program_carry(out, nr, &msrs, "program", &again, &nr_again, NULL) || again)
		abort();
	free(out);
}

static inline void saved_machine(const unsigned char *data, size_t size)
{
	unsigned char *copy;
	struct hlk_program_tail tail;
	const unsigned char *state;
	size_t bytes, i;

	if (size < 2)
		return;
	bytes = data[0] | data[1] << 8;
	data += 2;
	size -= 2;
	bytes = bytes < size ? bytes : size;
	copy = malloc(bytes ? bytes : 1);
	memcpy(copy, data, bytes);
	carry_machine(copy, bytes);
	if (!hlk_program_tail(copy, bytes, &tail)) {
		state = hlk_program_state(copy, bytes, &tail);
		if (state && (state < copy || tail.state_bytes >
			      bytes - sizeof(tail) - (state - copy)))
			abort();
		hlk_serial_irq(&tail.devices.serial);
		for (i = bytes; i + 4 <= size; i += 4) {
			uint16_t port = data[i] | data[i + 1] << 8;
			unsigned int wide = 1U << (data[i + 2] & 1) << (data[i + 2] >> 1 & 1);

			hlk_devices_out(&tail.devices, port, wide, data[i + 3] * 0x1010101U);
			hlk_devices_in(&tail.devices, port, wide, tail.time & 0xffffffffff);
			hlk_serial_receive(&tail.devices.serial, data + i, 4);
		}
	}
	free(copy);
}

static inline void saved_one(const unsigned char *data, size_t size)
{
	if (size < 2)
		return;
	switch (*data % SAVED_KINDS) {
	case 0:
		saved_index(data + 1, size - 1);
		break;
	case 1:
		saved_manifest(data + 1, size - 1);
		break;
	case 2:
		saved_pages(data + 1, size - 1);
		break;
	case 3:
		saved_json(data + 1, size - 1);
		break;
	case 4:
		saved_machine(data + 1, size - 1);
		break;
	}
}

/* ---- good ones ---- */

static inline size_t seed_index(unsigned char *to)
{
	static const struct hlk_window windows[2] = {
		{ .bytes = 64 * SAVED_PAGE },
		{ .gpa = 1 << 20, .bytes = 16 * SAVED_PAGE, .flags = HLK_WINDOW_SCRATCH },
	};
	static const struct hlk_index_extent extents[3] = {
		{ .gpa = SAVED_PAGE, .pages = 3 },
		{ .gpa = 8 * SAVED_PAGE, .pages = 1, .flags = HLK_INDEX_ZERO },
		{ .gpa = 1 << 20, .page = 3, .pages = 2 },
	};
	static const uint64_t roots[2] = { 1 << 20, (1 << 20) + SAVED_PAGE };
	struct {
		struct hlk_index_vcpu vcpu;
		unsigned char regs[24];
		unsigned char fpu[16];
	} vcpu = { .vcpu = { .regs_bytes = 20, .fpu_bytes = 16 } };
	struct hlk_index index = {
		.head = { .pages = 5, .depth = 1, .nr_vcpus = 1, .parent.bytes = { 1 },
			  .digest.bytes = { 2 }, .verity.bytes = { 3 } },
		.part = { (void *)windows, (void *)roots, (void *)extents, (void *)&vcpu },
	};
	void *data;
	size_t size;

	index.head.part[HLK_INDEX_WINDOWS].bytes = sizeof(windows);
	index.head.part[HLK_INDEX_ROOTS].bytes = sizeof(roots);
	index.head.part[HLK_INDEX_EXTENTS].bytes = sizeof(extents);
	index.head.part[HLK_INDEX_VCPUS].bytes = sizeof(vcpu);
	if (hlk_index_encode(&index, &data, NULL))
		abort();
	size = index.head.bytes;
	memcpy(to, data, size);
	free(data);
	return size;
}

static inline size_t seed_manifest(unsigned char *to)
{
	static const char digest[] =
		"sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

	return sprintf((char *)to, "{\"schemaVersion\":2,\"artifactType\":\"%s\",\"config\":{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":2},\"layers\":[{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":488},{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":4096},{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":24}]}",
		       HLK_TYPE_ARTIFACT, HLK_TYPE_CONFIG, digest, HLK_TYPE_INDEX, digest,
		       HLK_TYPE_PAGES, digest, HLK_TYPE_TOUCHED, digest);
}

/* A page of zeroes in a frame, as zstd's format has it, and the table */
static inline size_t seed_pages(unsigned char *to)
{
	static const unsigned char packed[] = {
		0,
		0x28, 0xb5, 0x2f, 0xfd, 0x60, 0x00, 0x0f, 0x03, 0x80, 0x00, 0x00,
		0x5e, 0x2a, 0x4d, 0x18, 17, 0, 0, 0,
		11, 0, 0, 0, 0, 0x10, 0, 0,
		1, 0, 0, 0, 0, 0xb1, 0xea, 0x92, 0x8f,
	};

	memcpy(to, packed, sizeof(packed));
	return sizeof(packed);
}

static inline size_t seed_json(unsigned char *to)
{
	return sprintf((char *)to, "[{\"a\":[1,2.5e-3,\"\\u0041\\n\"],\"b\":null},true,18446744073709551615,\"x\"]");
}

/* A call, the tail with 16 bytes of a device before it, and accesses to ports */
static inline size_t seed_machine(unsigned char *to)
{
	static const uint16_t ports[] = {
		HLK_PORT_SERIAL, HLK_PORT_SERIAL + 1, HLK_PORT_SERIAL + 2, HLK_PORT_SERIAL + 5,
		HLK_PORT_RTC, HLK_PORT_RTC + 1, HLK_PORT_PM, HLK_PORT_ACPI, HLK_PORT_DEBUG,
	};
	const struct {
		struct hlk_program_header head;
		struct hlk_program_entry entry;
		uint32_t msrs[2];	/* struct kvm_msrs */
		struct kvm_msr_entry msr[2];
		unsigned char state[16];
		struct hlk_program_tail tail;
	} program = {
		.head = { .size = sizeof(program.head), .nr_entries = 1,
			  .entry_size = sizeof(program.entry) },
		.entry = { .cmd = (uint32_t)KVM_SET_MSRS,
			   .bytes = sizeof(program.msrs) + sizeof(program.msr),
			   .offset = sizeof(program.head) + sizeof(program.entry) },
		.msrs = { 2 },
		.msr = { { .index = 0x174, .data = 5 }, { .index = 0x30a } },
		.tail = {
			.magic = HLK_PROGRAM_MAGIC,
			.size = sizeof(program.tail),
			.nr_cpus = 1,
			.irqchip = 1,
			.state_bytes = 12,
			.devices.serial = { .ier = 15, .mcr = 15, .nr = 2, .head = 15 },
			.devices.rtc.index = 0x32,
		},
	};
	size_t i;

	to[0] = sizeof(program) & 0xff;
	to[1] = sizeof(program) >> 8;
	memcpy(to + 2, &program, sizeof(program));
	to += 2 + sizeof(program);
	for (i = 0; i < sizeof(ports) / sizeof(*ports); i++, to += 4) {
		to[0] = ports[i] & 0xff;
		to[1] = ports[i] >> 8;
		to[2] = i;
		to[3] = i * 16;
	}
	return 2 + sizeof(program) + 4 * i;
}

#define SAVED_SEED	2048U

/* Room for SAVED_SEED bytes; returns how many there are */
static inline size_t saved_seed(unsigned int kind, unsigned char *to)
{
	*to = kind % SAVED_KINDS;
	switch (*to) {
	case 0:
		return 1 + seed_index(to + 1);
	case 1:
		return 1 + seed_manifest(to + 1);
	case 2:
		return 1 + seed_pages(to + 1);
	case 3:
		return 1 + seed_json(to + 1);
	default:
		return 1 + seed_machine(to + 1);
	}
}

#endif /* LIBHLK_SAVEDS_H */
