// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What a pool did, in words of OpenMetrics 1.0: counters, gauges, and two histograms whose
 * buckets are the pool's own, powers of two of a nanosecond.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "pool.h"

/**
 * struct out - a text that may not fit
 * @buf: where it goes
 * @size: how much fits, with the byte that ends it
 * @len: how long it is, whether that fits or not
 * @label: what each sample has in braces, or nothing
 */
struct out {
	char *buf;
	size_t size;
	size_t len;
	char label[160];
};

static void __attribute__((format(printf, 2, 3))) add(struct out *out, const char *fmt, ...)
{
	size_t at = out->len < out->size ? out->len : out->size;
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(at < out->size ? out->buf + at : NULL, out->size - at, fmt, args);
	va_end(args);
	out->len += len > 0 ? len : 0;
}

/* The name that the caller gave it. What is not text would not be read by anybody. */
static void set_label(struct out *out, const char *name)
{
	size_t at = 0;

	out->label[0] = '\0';
	if (!name)
		return;
	at += sprintf(out->label, "pool=\"");
	for (; *name && at < sizeof(out->label) - 8; name++) {
		if (*name == '"' || *name == '\\')
			out->label[at++] = '\\';
		out->label[at++] = (unsigned char)*name < ' ' || *name & 0x80 ? '?' : *name;
	}
	memcpy(out->label + at, "\"", 2);
}

static void family(struct out *out, const char *name, const char *type, const char *unit,
		   const char *help)
{
	add(out, "# TYPE %s %s\n", name, type);
	if (unit)
		add(out, "# UNIT %s %s\n", name, unit);
	add(out, "# HELP %s %s\n", name, help);
}

static void sample(struct out *out, const char *name, const char *more, uint64_t value)
{
	const char *comma = out->label[0] && more[0] ? "," : "";

	if (out->label[0] || more[0])
		add(out, "%s{%s%s%s} %" PRIu64 "\n", name, out->label, comma, more, value);
	else
		add(out, "%s %" PRIu64 "\n", name, value);
}

static void counter(struct out *out, const char *name, uint64_t value, const char *help)
{
	char total[64];

	family(out, name, "counter", NULL, help);
	snprintf(total, sizeof(total), "%s_total", name);
	sample(out, total, "", value);
}

static void gauge(struct out *out, const char *name, const char *unit, uint64_t value,
		  const char *help)
{
	family(out, name, "gauge", unit, help);
	sample(out, name, "", value);
}

/* Seconds, by integers: a process may have set what a decimal point looks like. */
static void seconds(char *text, size_t size, uint64_t ns)
{
	snprintf(text, size, "%" PRIu64 ".%09" PRIu64, ns / 1000000000, ns % 1000000000);
}

static void histogram(struct out *out, const char *name, const uint64_t *hist, uint64_t sum,
		      const char *help)
{
	char part[64], le[48], text[32];
	uint64_t all = 0;
	int i;

	family(out, name, "histogram", "seconds", help);
	snprintf(part, sizeof(part), "%s_bucket", name);
	for (i = 0; i < HLK_POOL_BUCKETS; i++) {
		all += hist[i];
		seconds(text, sizeof(text), (2ULL << i) - 1);
		if (i < HLK_POOL_BUCKETS - 1)
			snprintf(le, sizeof(le), "le=\"%s\"", text);
		else
			snprintf(le, sizeof(le), "le=\"+Inf\"");
		sample(out, part, le, all);
	}
	snprintf(part, sizeof(part), "%s_count", name);
	sample(out, part, "", all);
	seconds(text, sizeof(text), sum);
	if (out->label[0])
		add(out, "%s_sum{%s} %s\n", name, out->label, text);
	else
		add(out, "%s_sum %s\n", name, text);
}

/* An fd of one's own; those that are being restored are left out: they may be closed any moment. */
static int fd_of(struct hlk_pool *pool, const struct hlk_slot *slot)
{
	int fd = -1;

	pthread_mutex_lock(&pool->lock);
	if (slot->sb && !slot->away)
		fd = fcntl(slot->sb->hlk_fd, F_DUPFD_CLOEXEC, 0);
	pthread_mutex_unlock(&pool->lock);
	return fd;
}

/*
 * Who has a sandbox may be in a long snapshot or audit of it, for which the module waits: not
 * with the pool's lock.
 */
static uint64_t private_pages(struct hlk_pool *pool)
{
	struct hlk_vm_stats stats;
	uint64_t pages = 0;
	uint32_t i;
	int fd;

	for (i = 0; i < pool->nr; i++) {
		fd = fd_of(pool, &pool->slots[i]);
		if (fd < 0)
			continue;
		stats = (struct hlk_vm_stats) { .head.size = sizeof(stats) };
		if (!ioctl(fd, HLK_VM_STATS, &stats))
			pages += stats.private_pages;
		close(fd);
	}
	return pages;
}

EXPORT size_t hlk_pool_metrics(struct hlk_pool *pool, const char *name, char *buf, size_t size)
{
	struct out out = { .buf = buf, .size = size };
	struct hlk_pool_stats s;

	hlk_pool_stats(pool, &s);
	if (size)
		buf[0] = '\0';
	set_label(&out, name);
	counter(&out, "hlk_restores", s.restores, "Restores in the background");
	counter(&out, "hlk_restore_failures", s.restore_failures, "Restores that failed");
	histogram(&out, "hlk_restore_duration_seconds", s.restore_hist, s.restore_ns,
		  "How long restores took");
	counter(&out, "hlk_gets", s.gets, "Sandboxes taken");
	counter(&out, "hlk_waits", s.waits, "Sandboxes that were not there at once");
	counter(&out, "hlk_wait_timeouts", s.wait_timeouts, "Times that none became free in time");
	histogram(&out, "hlk_wait_duration_seconds", s.wait_hist, s.wait_ns,
		  "How long a sandbox was waited for");
	counter(&out, "hlk_switches", s.switches, "Sandboxes that went over to another snapshot");
	counter(&out, "hlk_refusals", s.refused, "Sandboxes given back that were not taken");
	counter(&out, "hlk_moves", s.moved, "Sandboxes that ran last in another thread");
	counter(&out, "hlk_calls", s.calls, "Calls by the pool");
	counter(&out, "hlk_call_failures", s.call_failures, "Calls that failed");
	counter(&out, "hlk_replacements", s.replaced, "Sandboxes made in place of broken ones");
	counter(&out, "hlk_make_failures", s.make_failures, "Sandboxes that could not be made");
	gauge(&out, "hlk_sandboxes", NULL, s.sandboxes, "Sandboxes that the pool is to have");
	gauge(&out, "hlk_sandboxes_ready", NULL, s.ready, "Of these, restored and free");
	gauge(&out, "hlk_sandboxes_out", NULL, s.out, "Of these, taken");
	gauge(&out, "hlk_sandboxes_dirty", NULL, s.dirty, "Of these, to be restored");
	gauge(&out, "hlk_sandboxes_missing", NULL, s.missing, "Of these, not made yet");
	gauge(&out, "hlk_private_bytes", "bytes", (s.sandboxes ? private_pages(pool) : 0) * 4096,
	      "Memory that the sandboxes have for themselves");
	add(&out, "# EOF\n");
	return out.len;
}
