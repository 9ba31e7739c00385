// SPDX-License-Identifier: MIT
/*
 * harvest: what it costs to learn which pages were written, per resident 4 KiB
 * page, for who looks and for who writes. Mainline has two ways for one's own
 * memory: the soft-dirty bits of /proc/self/pagemap, cleared by
 * /proc/self/clear_refs; and, from 6.7 on, PAGEMAP_SCAN of memory that userfaultfd
 * keeps write protected, where the kernel resolves the fault itself.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

#define SOFT_DIRTY	(1ULL << 55)
#define PAGES		(TOTAL / FRAME)

static int pagemap, clear_refs;

static void setup(void)
{
	pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	clear_refs = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
	if (pagemap < 0 || clear_refs < 0)
		die("/proc/self");
}

/* How many were written. */
static uint64_t soft_dirty_look(void)
{
	static uint64_t entry[PAGES];
	uint64_t nr = 0, i;

	if (pread(pagemap, entry, sizeof(entry), (uintptr_t)anon / FRAME * 8) !=
	    sizeof(entry) || write(clear_refs, "4", 1) != 1)
		die("soft-dirty");
	for (i = 0; i < PAGES; i++)
		nr += !!(entry[i] & SOFT_DIRTY);
	return nr;
}

static uint64_t burrow_look(void)
{
	static uint64_t bits[BURROW_HARVEST_WORDS];
	struct burrow_heap_harvest arg = {
		.size = sizeof(arg), .bits = (uintptr_t)bits,
	};

	if (ioctl(heap.fd, BURROW_IOC_HEAP_HARVEST, &arg))
		die("HEAP_HARVEST");
	return arg.out_all ? 0 : arg.out_nr;
}

#define WRITTEN	1U	/* row->arg: all pages are, before it is timed */
#define WRITES	2U	/* what is timed is who writes */

static void write_all(char *p)
{
	size_t i;

	for (i = 0; i < TOTAL; i += FRAME)
		((volatile char *)p)[i] = 1;
}

static void soft_dirty_before(const struct row *r)
{
	anon_full(r);
	soft_dirty_look();
	if (r->arg == WRITTEN)
		write_all(anon);
}

static void soft_dirty_run(const struct row *r)
{
	if (r->arg == WRITES)
		write_all(anon);
	else if (soft_dirty_look() != (r->arg == WRITTEN ? PAGES : 0))
		refuse(EOPNOTSUPP);
}

static void burrow_before(const struct row *r)
{
	span_alloc(r);
	burrow_look();
	if (r->arg == WRITTEN)
		write_all(span_addr(0));
}

static void burrow_run(const struct row *r)
{
	if (r->arg == WRITES)
		write_all(span_addr(0));
	else if (burrow_look() != (r->arg == WRITTEN ? PAGES : 0))
		die("a harvest that is wrong");
}

/* <linux/fs.h> and <linux/userfaultfd.h> of 6.7 */
struct scan {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t inverted, mask, anyof_mask, return_mask;
};

struct scanned {
	uint64_t start, end, categories;
};

#define SCAN		_IOWR('f', 16, struct scan)
#define SCAN_PROTECT	1U	/* what is told is write protected again */
#define SCAN_CHECK	2U
#define WRITTEN_PAGE	2U
#define WP_UNPOPULATED	(1U << 13)
#define WP_ASYNC	(1U << 15)

static int uffd;

/* How many were written; -1: there is no such call. */
static long scan_look(void)
{
	static struct scanned found[PAGES];
	struct scan s = {
		.size = sizeof(s), .flags = SCAN_PROTECT | SCAN_CHECK,
		.start = (uintptr_t)anon, .end = (uintptr_t)anon + TOTAL,
		.vec = (uintptr_t)found, .vec_len = PAGES,
		.mask = WRITTEN_PAGE, .return_mask = WRITTEN_PAGE,
	};
	long pages = 0, nr = ioctl(pagemap, SCAN, &s), i;

	for (i = 0; i < nr; i++)
		pages += (found[i].end - found[i].start) / FRAME;
	return nr < 0 ? -1 : pages;
}

static void scan_before(const struct row *r)
{
	struct uffdio_api api = {
		.api = UFFD_API, .features = WP_UNPOPULATED | WP_ASYNC,
	};
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_WP };

	anon_full(r);
	reg.range = (struct uffdio_range){ (uintptr_t)anon, TOTAL };
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api) ||
	    ioctl(uffd, UFFDIO_REGISTER, &reg) || scan_look() < 0) {
		refuse(errno);
		return;
	}
	if (r->arg == WRITTEN)
		write_all(anon);
}

static void scan_run(const struct row *r)
{
	if (r->arg == WRITES)
		write_all(anon);
	else if (scan_look() != (r->arg == WRITTEN ? (long)PAGES : 0))
		refuse(EOPNOTSUPP);
}

static void scan_after(const struct row *r)
{
	anon_unmap(r);
	close(uffd);
}

#define ANON(n, a) \
	{ .name = "soft-dirty, " n, .unit = "4K page", .units = PAGES, \
	  .total = TOTAL, .before = soft_dirty_before, .run = soft_dirty_run, \
	  .after = anon_unmap, .arg = a }
#define BURROW(n, a) \
	{ .name = "harvest, " n, .unit = "4K page", .units = PAGES, \
	  .base = "soft-dirty, " n, .span = TOTAL, .total = TOTAL, .batch = 1, \
	  .before = burrow_before, .run = burrow_run, \
	  .after = span_free_reclaim, .arg = a }
#define SCANNED(n, a) \
	{ .name = "PAGEMAP_SCAN, " n, .unit = "4K page", .units = PAGES, \
	  .base = "soft-dirty, " n, .total = TOTAL, .before = scan_before, \
	  .run = scan_run, .after = scan_after, .arg = a }

/* After a look at soft-dirty bits all memory of the process is watched by it. */
static const struct row rows[] = {
	BURROW("look, nothing written", 0),
	BURROW("look, all written", WRITTEN),
	BURROW("first write after a look", WRITES),
	SCANNED("look, nothing written", 0),
	SCANNED("look, all written", WRITTEN),
	SCANNED("first write after a look", WRITES),
	ANON("look, nothing written", 0),
	ANON("look, all written", WRITTEN),
	ANON("first write after a look", WRITES),
};

void harvest_part(void)
{
	setup();
	heap_make(1, 0, 0);
	rows_measure(rows, NR(rows));
}
