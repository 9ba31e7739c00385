/* SPDX-License-Identifier: MIT */
/*
 * mark: mark bits, and the call that reads them.
 *
 *	marks_clear(h, page, n)		touched, and none is set
 *	mark_put(h, page, granule, on)	granule 0 is the page's first 8 bytes
 *	spans_sweep(h, flags, ...)	SPAN_SWEEP
 *
 * A word of mark bits that nobody ever touched counts as set, so whoever wants
 * a span to go clears its marks first.
 */
#ifndef BURROW_SELFTEST_MARK_H
#define BURROW_SELFTEST_MARK_H

#include "uword.h"

#define GRANULES		(BURROW_PAGE_SIZE / 8)
#define MARK_WORDS		(GRANULES / 64)

static inline __u64 *mark_words(const struct heap *h, __u32 page)
{
	return map_words(h, BURROW_U_MARK, page);
}

static inline void marks_fill(const struct heap *h, __u32 page, __u32 npages,
			      unsigned char val)
{
	for (; npages--; page++)
		memset(mark_words(h, page), val, BURROW_U_PAGE_BYTES);
}

static inline void marks_clear(const struct heap *h, __u32 page, __u32 npages)
{
	marks_fill(h, page, npages, 0);
}

static inline void mark_put(const struct heap *h, __u32 page, __u32 granule,
			    bool on)
{
	__u64 *word, bit = 1ULL << (granule % 64);

	page += granule / GRANULES;
	word = mark_words(h, page) + granule % GRANULES / 64;
	if (on)
		__atomic_fetch_or(word, bit, __ATOMIC_RELAXED);
	else
		__atomic_fetch_and(word, ~bit, __ATOMIC_RELAXED);
}

static inline bool bit_is_set(const __u64 *bits, __u32 i)
{
	return bits[i / 64] >> (i % 64) & 1;
}

/* @freed: a bit each, or NULL. */
static inline int spans_sweep(const struct heap *h, __u32 flags,
			      const struct burrow_span_ref *spans, __u32 nr,
			      __u64 *freed, struct burrow_span_sweep *out)
{
	*out = (struct burrow_span_sweep) {
		.size = sizeof(*out),
		.flags = flags,
		.spans = U64(spans),
		.freed = U64(freed),
		.nr = nr,
	};
	return call(h->fd, BURROW_IOC_SPAN_SWEEP, out);
}

/* 1 if the span went, 0 if it stayed, or -errno. */
static inline int span_sweep(const struct heap *h, __u32 flags,
			     struct burrow_span_ref span)
{
	struct burrow_span_sweep out;
	int r = spans_sweep(h, flags, &span, 1, NULL, &out);

	return r ? r : (int)out.out_nr_freed;
}

/* @nr spans of a kind that is swept. */
static inline int spans_alloc_swept(const struct heap *h,
				    struct burrow_span_ref *spans, __u32 nr,
				    __u32 npages, __u32 flags)
{
	struct burrow_span_alloc arg = {
		.flags = flags,
		.spans = U64(spans),
		.nr = nr,
		.npages = npages,
		.kind = BURROW_KIND_NOSCAN,
	};
	int r = spans_alloc(h, &arg);

	return r ? r : arg.out_nr == nr ? 0 : -(int)arg.out_errno;
}

#endif
