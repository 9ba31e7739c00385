// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * failnth: whatever fails within a call, nothing is lost by it.
 *
 *	ioctl_rows[] mapping_rows[] touch_rows[]	failnth_rows.h: the calls
 *	  row_sweep()		the first point that can fail does, the second ...
 *	    point_try()		with a heap of its own, failnth.h
 *
 * A point is an allocation, of a slab or a page, or an access to user memory.
 * Each time: the call says why (an errno of the table in burrow.h that fits) or
 * has worked after all; the heap's counts are as if it had not been called; the
 * heap works; its user's total is what the heap's parts come to; and when all
 * is unmapped and closed, nothing is left of it.
 *
 * It takes a kernel that fails to order: the debug kernel. fork_limit.c has the
 * same for fork(), with a closer look at the child.
 */
#include "failnth_rows.h"

static void bed_drop(struct bed *b)
{
	munmap(b->h.window, b->h.nr_arenas * BURROW_ARENA_SIZE);
	munmap((void *)b->h.kmeta, b->h.nr_arenas * BURROW_KMETA_SIZE);
	munmap(b->h.umeta, b->h.nr_arenas * BURROW_UMETA_SIZE);
	close(b->pipe[0]);
	close(b->pipe[1]);
	if (b->child > 0) {
		kill(b->child, SIGKILL);
		child_wait(b->child);
	}
	close(b->h.fd);
}

/* What is in the user's total besides this heap. */
static __u64 others_frames(const struct burrow_heap_stats *s)
{
	return s->out_user_frames - s->out_frames - s->out_umeta_frames -
	       s->out_kmeta_bytes / FRAME_SIZE;
}

/* Is @now what @was came to when @row answered @r? */
static bool counts_are_right(const struct row *row, int r,
			     const struct burrow_heap_stats *was,
			     const struct burrow_heap_stats *now)
{
	int done = r > 0 ? r : 0, ok = r >= 0;

	return now->out_spans == was->out_spans + row->spans * done &&
	       now->out_arenas == was->out_arenas + row->arenas * ok &&
	       now->out_arenas_mapped ==
			was->out_arenas_mapped + row->mapped * ok &&
	       now->out_threads == was->out_threads + row->threads * ok &&
	       (ok || (now->out_pages_live == was->out_pages_live &&
		       now->out_pages_free == was->out_pages_free &&
		       now->out_limit == was->out_limit));
}

static bool errno_is_right(const struct row *row, int r)
{
	return r >= 0 || (r == -ENOMEM && row->may & MAY_NOMEM) ||
	       (r == -EFAULT && row->may & MAY_FAULT);
}

/* A span is had, zero where it says so, written, and given back. */
static int bed_works(struct bed *b)
{
	struct burrow_span_ref s;
	__u64 *owner;
	char *p;
	int r;

	r = bed_advance(b, MAPPED);
	if (!r)
		r = span_alloc(&b->h, 3, 0, &s);
	if (r)
		return r;
	p = page_addr(&b->h, s.page);
	owner = (__u64 *)(b->h.umeta + BURROW_U_OWNER) + s.page;
	if (!needs_zero(&b->h, s) && !is_full_of(p, 0, 3 * BURROW_PAGE_SIZE))
		return -EIO;
	memset(p, 'w', 3 * BURROW_PAGE_SIZE);
	*owner = 1;
	return span_free(&b->h, BURROW_FREE_RECLAIM, s);
}

struct sweep {
	unsigned int points, errors, bad;
	__u64 base;
};

static void point_bad(struct sweep *s, const struct row *row, unsigned int n,
		      const char *what, long long val)
{
	s->bad++;
	fprintf(stderr, "# %s, point %u: %s (%lld)\n", row->name, n, what, val);
}

/* @before is the heap that the call found, which answered @r. */
static void point_check(struct sweep *s, const struct row *row, struct bed *b,
			unsigned int n, int r,
			const struct burrow_heap_stats *before)
{
	struct burrow_heap_stats after;
	bool counts;
	int err;

	bed_stats(b, &after);
	counts = counts_are_right(row, r, before, &after);
	/* nobody knows: it may have come to its end */
	if (!counts && r == -EFAULT && row->gives)
		counts = counts_are_right(row, b->due, before, &after);
	if (!errno_is_right(row, r))
		point_bad(s, row, n, "the answer", r);
	if (!counts)
		point_bad(s, row, n, "the counts after the answer", r);
	if (row->is_right && !row->is_right(b, r))
		point_bad(s, row, n, "what it left after the answer", r);
	err = bed_works(b);
	if (err)
		point_bad(s, row, n, "the heap does not work", err);
	bed_stats(b, &after);
	if (!s->base)
		s->base = others_frames(&after) + 1;
	if (others_frames(&after) + 1 != s->base)
		point_bad(s, row, n, "frames beyond the heap's",
			  others_frames(&after) + 1 - s->base);
}

/* False when the call came to its end before the n-th point. */
static bool point_try(struct sweep *s, const struct row *row, int fd,
		      unsigned int n)
{
	static struct bed b;
	struct burrow_heap_stats before;
	bool hit;
	int r;

	r = bed_make(&b, row);
	if (r) {
		point_bad(s, row, n, "no bed", r);
		bed_drop(&b);
		return false;
	}
	bed_stats(&b, &before);
	r = failure_begin(fd, n);
	if (r)
		point_bad(s, row, n, "no failure", r);
	r = row->call(&b);
	hit = failure_end(fd);
	s->points += hit;
	s->errors += r < 0;
	if (!hit && r < 0)
		point_bad(s, row, n, "not made to fail, and failed", r);
	point_check(s, row, &b, n, r, &before);
	bed_drop(&b);
	return hit;
}

static unsigned int row_sweep(const struct row *row, int fd)
{
	struct sweep s = { 0 };
	unsigned int n = 1;

	while (!s.bad && point_try(&s, row, fd, n))
		n++;
	printf("# %-36s %4u points, %4u errors\n", row->name, s.points,
	       s.errors);
	if (!s.points)
		point_bad(&s, row, n, "no point that can fail", 0);
	return s.bad;
}

FIXTURE(failure) {
	int held;			/* keeps the user and its total */
	__u64 before;
	int fd;				/* or why there are no failures */
};

FIXTURE_SETUP(failure)
{
	self->held = device_open();
	ASSERT_LE(0, self->held);
	self->before = user_frames();
	self->fd = failures_prepare();
}

FIXTURE_TEARDOWN(failure)
{
	EXPECT_EQ(self->before, user_frames());
}

FIXTURE_VARIANT(failure) {
	const struct row *row;
	size_t nr;
};

FIXTURE_VARIANT_ADD(failure, ioctl) {
	.row = ioctl_rows, .nr = NR(ioctl_rows),
};

FIXTURE_VARIANT_ADD(failure, mapping) {
	.row = mapping_rows, .nr = NR(mapping_rows),
};

FIXTURE_VARIANT_ADD(failure, touch) {
	.row = touch_rows, .nr = NR(touch_rows),
};

TEST_F_TIMEOUT(failure, whatever_fails_within_a_call_or_touch_nothing_is_lost,
	       1500)
{
	const struct row *row = variant->row;

	if (self->fd < 0)
		SKIP(return, "no fault injection: %s", strerror(-self->fd));
	for (; row < variant->row + variant->nr; row++)
		EXPECT_ROW(0, row_sweep(row, self->fd), row->name);
}

TEST_HARNESS_MAIN
