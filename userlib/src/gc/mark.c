// SPDX-License-Identifier: MIT
/* mark: see mark.h */
#include "heap/ptrbits.h"
#include "markword.h"
#include "nosan.h"

#define LOOK_EVERY	2048U		/* words */
#define SHARE_MIN	2U		/* words: of a tree one for each level */

bool bw_marker_init(struct bw_marker *m, struct bw_mheap *h,
		    struct bw_workpool *pool, bool shared)
{
	struct bw_workbuf *b = bw_work_empty(pool);

	/* one that has words will do: it begins with them */
	if (!b)
		b = bw_work_get(pool);
	if (!b)
		return false;
	memset(m, 0, sizeof(*m));
	m->h = h;
	m->pool = pool;
	m->map = h->map;
	m->map.limit = smp_load_acquire(&h->map.limit); /* see bw_map_find() */
	m->shared = shared;
	bw_marker_buf(m, b);
	return true;
}

void bw_marker_fini(struct bw_marker *m)
{
	m->buf->nr = (u64)(m->top - m->low);
	bw_work_put(m->pool, m->buf);
	m->buf = NULL;
}

/* No memory for a buffer (W2). */
static __attribute__((noinline)) void put_lost(struct bw_marker *m, u64 v)
{
	struct bw_mspan *s;
	s64 i;

	if (v & BW_PART_BIT) {
		WRITE_ONCE(m->pool->overflowed, 1);
		return;
	}
	i = bw_slot_at(&m->map, v, &s);
	if (i < 0 || !bw_mark_set(&m->map, s, (u64)i, true))
		return;
	m->bytes += s->elem_size;
	m->objects++;
	/* only then is there more to be found, and an end to the passes */
	if (s->scan > BW_SCAN_NONE)
		WRITE_ONCE(m->pool->overflowed, 1);
}

/* The buffer is full: an empty one. False: there is none. */
static __attribute__((noinline)) bool put_slow(struct bw_marker *m)
{
	struct bw_workbuf *b = bw_work_empty(m->pool);

	if (!b)
		return false;
	m->buf->nr = BW_WORK_ENTRIES;
	bw_work_put(m->pool, m->buf);
	bw_marker_buf(m, b);
	return true;
}

static __always_inline void put_word(struct bw_marker *m, u64 v)
{
	if (unlikely(m->top == m->end) && !put_slow(m)) {
		put_lost(m, v);
		return;
	}
	*m->top++ = v;
}

static __always_inline void put_if_heap(struct bw_marker *m, u64 v)
{
	if (v - (uintptr_t)m->map.base < m->map.limit)
		put_word(m, v);
}

/*
 * The words of [@p, @p + @bytes), the last one first: then the first is the next
 * to be taken out, and what was made in order is found in order.
 */
static __always_inline BW_NO_SANITIZE void scan_words(struct bw_marker *m,
						      const char *p,
						      size_t bytes)
{
	const u64 *word = (const u64 *)(const void *)p;
	size_t k;

	for (k = bytes / 8; k--;)
		put_if_heap(m, BW_PEEK(word[k]));
}

static __always_inline BW_NO_SANITIZE void scan_bits(struct bw_marker *m,
						     const char *p,
						     size_t bytes)
{
	while (bytes) {
		u32 n = bytes % 512 ? bytes % 512 / 8 : 64;
		const u64 *word;
		u64 bits;

		bytes -= n * 8;
		word = (const u64 *)(const void *)(p + bytes);
		bits = bw_ptrbits_get(&m->map, word, n);
		while (bits) {
			u32 k = 63 - (u32)__builtin_clzll(bits);

			bits ^= 1ULL << k;
			put_if_heap(m, BW_PEEK(word[k]));
		}
	}
}

static __always_inline void scan_part(struct bw_marker *m, const char *p,
				      size_t bytes, u32 scan)
{
	m->scanned += bytes;
	if (scan == BW_SCAN_BITS)
		scan_bits(m, p, bytes);
	else
		scan_words(m, p, bytes);
}

/* A long object from @p on: a part, and a word for the rest. */
static __attribute__((noinline)) BW_NO_SANITIZE
void scan_long(struct bw_marker *m, struct bw_mspan *s, const char *p)
{
	size_t left = (size_t)(s->base + s->elem_size - p) & ~(size_t)7;
	size_t bytes = min(left, BW_MARK_PART);

	if (left > bytes)
		put_word(m, (u64)(uintptr_t)(p + bytes) | BW_PART_BIT);
	scan_part(m, p, bytes, bw_mspan_scan(s));
}

static __attribute__((noinline)) void scan_rest(struct bw_marker *m, u64 v)
{
	const char *p = (const char *)(uintptr_t)(v & ~BW_PART_BIT);
	struct bw_mspan *s = bw_mspan_of(m->h, p);

	/* it may have been freed meanwhile; its memory stays (S4) */
	if (s && bw_mspan_scan(s) > BW_SCAN_NONE &&
	    s->elem_size > BW_MARK_PART)
		scan_long(m, s, p);
}

static __always_inline BW_NO_SANITIZE
void mark_one(struct bw_marker *m, struct bw_mspan *s, u64 i, bool shared)
{
	u64 size = s->elem_size;
	u32 scan = s->scan;
	const char *p;

	if (!bw_mark_set(&m->map, s, i, shared))
		return;
	m->bytes += size;
	m->objects++;
	if (scan <= BW_SCAN_NONE)
		return;
	p = s->base + i * size;
	if (unlikely(size > BW_MARK_PART)) {
		scan_long(m, s, p);
		return;
	}
	scan_part(m, p, size, scan);
	/* its first pointer, if it has one */
	if (likely(m->top != m->low))
		m->near += m->top[-1] - (uintptr_t)p + BW_NEAR < 2 * BW_NEAR;
}

static __always_inline void ahead_put(struct bw_marker *m, struct bw_mspan *s,
				      u64 i)
{
	u32 at = (m->head + m->nr_ahead++) % BW_MARK_AHEAD;
	const char *p = s->base + i * s->elem_size;

	__builtin_prefetch(bw_marks_of(&m->map, s) + i / 64, 1);
	if (s->scan > BW_SCAN_NONE)
		__builtin_prefetch(p);
	if (s->scan == BW_SCAN_BITS)
		__builtin_prefetch(bw_ptrbits_word(&m->map,
						   (size_t)(p - m->map.base)));
	m->ahead[at] = (struct bw_mark_next){ s, i };
}

static __always_inline void ahead_take(struct bw_marker *m, bool shared)
{
	struct bw_mark_next n = m->ahead[m->head];

	m->head = (m->head + 1) % BW_MARK_AHEAD;
	m->nr_ahead--;
	mark_one(m, n.span, n.i, shared);
}

static __always_inline void first_put(struct bw_marker *m, struct bw_mspan *s,
				      u64 v)
{
	u32 at = (m->head_first + m->nr_first++) % BW_MARK_FIRST;

	__builtin_prefetch(s);
	m->first[at] = (struct bw_mark_first){ s, v };
}

static __always_inline void first_take(struct bw_marker *m, bool shared)
{
	struct bw_mark_first f = m->first[m->head_first];
	s64 i = bw_slot_in(f.span, f.word);

	m->head_first = (m->head_first + 1) % BW_MARK_FIRST;
	m->nr_first--;
	if (unlikely(i < 0))
		return;
	if (m->nr_ahead == BW_MARK_AHEAD)
		ahead_take(m, shared);
	ahead_put(m, f.span, (u64)i);
}

/* Which way is better for what was seen lately? */
static void look(struct bw_marker *m)
{
	if (!m->fixed)
		m->waits = m->near < m->order / 3;
	m->order = 0;
	m->near = 0;
}

/* Half of what we have is for those who have nothing. */
static __attribute__((noinline)) void share(struct bw_marker *m)
{
	u64 n = (u64)(m->top - m->low) / 2;
	struct bw_workbuf *b;

	if (n < SHARE_MIN)
		return;
	b = bw_work_empty(m->pool);
	if (!b)
		return;
	/* the oldest, behind which there is most */
	memcpy(b->word, m->low, n * sizeof(u64));
	memmove(m->low, m->low + n, (size_t)(m->top - m->low - (s64)n) *
		sizeof(u64));
	m->top -= n;
	b->nr = n;
	bw_work_put(m->pool, b);
	WRITE_ONCE(m->pool->hungry, 0);
}

void bw_marker_take(struct bw_marker *m, struct bw_workbuf *b)
{
	m->buf->nr = 0;
	bw_work_put(m->pool, m->buf);
	bw_marker_buf(m, b);
}

static bool get_more(struct bw_marker *m)
{
	struct bw_workbuf *b = bw_work_get(m->pool);

	if (b)
		bw_marker_take(m, b);
	return b;
}

void bw_mark_words(struct bw_mheap *h, struct bw_workpool *pool,
		   const u64 *word, u32 n)
{
	struct bw_workbuf *b = n ? bw_work_empty(pool) : NULL;
	struct bw_marker m = { .h = h, .pool = pool, .map = h->map };
	u32 i;

	if (b) {
		memcpy(b->word, word, n * sizeof(*word));
		b->nr = n;
		bw_work_put(pool, b);
		return;
	}
	for (i = 0; i < n; i++)
		put_lost(&m, word[i]);
}

static __always_inline void take_word(struct bw_marker *m, u64 v, bool shared)
{
	struct bw_mspan *s;
	s64 i;

	if (unlikely(v & BW_PART_BIT)) {
		scan_rest(m, v);
		return;
	}
	s = bw_span_at(&m->map, v);
	if (unlikely(!s))
		return;
	if (!m->waits) {
		i = bw_slot_in(s, v);
		if (likely(i >= 0))
			mark_one(m, s, (u64)i, shared);
		return;
	}
	if (m->nr_first == BW_MARK_FIRST)
		first_take(m, shared);
	first_put(m, s, v);
}

void bw_mark_word(struct bw_marker *m, u64 v)
{
	take_word(m, v, m->shared);
}

/* Some words; false: none are left here. */
static __always_inline bool drain_some(struct bw_marker *m, bool shared)
{
	u32 n = 0;

	if (!m->waits && !m->nr_first && !m->nr_ahead)
		n = bw_mark_walk(m, LOOK_EVERY);
	for (; n < LOOK_EVERY; n++) {
		if (likely(m->top != m->low)) {
			take_word(m, *--m->top, shared);
			continue;
		}
		if (m->nr_first)
			first_take(m, shared);
		else if (m->nr_ahead)
			ahead_take(m, shared);
		else
			break;
	}
	m->order += n;
	return n == LOOK_EVERY;
}

/* Others would have words, and there are none. */
static __always_inline bool is_wanted(const struct bw_workpool *p)
{
	return (READ_ONCE(p->nr_waiting) || READ_ONCE(p->hungry)) &&
	       !READ_ONCE(p->nr_full);
}

BW_NO_SANITIZE bool bw_mark_drain(struct bw_marker *m, u64 budget)
{
	u64 end = m->scanned + budget;

	for (;;) {
		bool more = m->shared ? drain_some(m, true) :
					drain_some(m, false);

		if (m->order >= LOOK_EVERY)
			look(m);
		if (!more && m->top == m->low && !m->nr_ahead &&
		    !m->nr_first && !get_more(m))
			return true;
		if (m->scanned >= end)
			break;
		if (unlikely(is_wanted(m->pool)))
			share(m);
	}
	/* what is waited for is in no buffer: it is done with */
	while (m->nr_first)
		first_take(m, true);
	while (m->nr_ahead)
		ahead_take(m, true);
	return false;
}

void bw_mark_drain_all(struct bw_marker *m)
{
	struct bw_workbuf *b;

	for (;;) {
		bw_mark_drain(m, UINT64_MAX / 2);
		b = bw_work_wait(m->pool);
		if (!b)
			return;
		bw_marker_take(m, b);
	}
}

void *bw_mark_find(const struct bw_mheap *h, u64 v, struct bw_mspan **span)
{
	struct bw_mspan *s;
	s64 i = bw_slot_at(&h->map, v, &s);

	if (i < 0 || !bw_mspan_is_allocated(s, (u32)i))
		return NULL;
	*span = s;
	return s->base + (u64)i * s->elem_size;
}

static __attribute__((noinline)) void root_word(struct bw_marker *m, u64 v)
{
	struct bw_mspan *s;
	s64 i = bw_slot_at(&m->map, v, &s);

	if (i >= 0 && bw_mspan_is_allocated(s, (u32)i))
		put_word(m, v);
}

BW_NO_SANITIZE void bw_mark_roots(struct bw_marker *m, const void *low,
				  const void *end)
{
	uintptr_t base = (uintptr_t)m->map.base;
	const u64 *word;

	for (word = low; word < (const u64 *)end; word++) {
		u64 v = BW_PEEK(*word);

		/* A3: the limit itself is the end of what is before it */
		if (likely(v - base > m->map.limit))
			continue;
		root_word(m, v);
		root_word(m, v - 1);
	}
}

void bw_mark_object(struct bw_marker *m, const void *p)
{
	put_word(m, (u64)(uintptr_t)p);
}

void bw_mark_children(struct bw_marker *m, const void *p)
{
	struct bw_mspan *s = bw_mspan_of(m->h, p);

	if (bw_mspan_scan(s) <= BW_SCAN_NONE)
		return;
	if (s->elem_size > BW_MARK_PART)
		scan_long(m, s, p);
	else
		scan_part(m, p, s->elem_size, s->scan);
}

bool bw_is_marked(const struct bw_mheap *h, const void *p)
{
	struct bw_mspan *s;
	char *obj = bw_mark_find(h, (u64)(uintptr_t)p, &s);
	u64 i;

	if (!obj)
		return true;
	i = (u64)(obj - s->base) / s->elem_size;
	return READ_ONCE(bw_marks_of(&h->map, s)[i / 64]) >> (i % 64) & 1;
}

static BW_NO_SANITIZE bool rescan_span(struct bw_mspan *s, void *arg)
{
	struct bw_marker *m = arg;
	u64 *marks, bits;
	const char *p;
	u32 w;

	if (bw_mspan_scan(s) <= BW_SCAN_NONE)
		return true;
	marks = bw_marks_of(&m->map, s);
	for (w = 0; w < bw_mspan_words(s); w++) {
		for (bits = READ_ONCE(marks[w]); bits; bits &= bits - 1) {
			u32 i = w * 64 + (u32)__builtin_ctzll(bits);

			/* black slots that nobody took yet have old bytes */
			if (!bw_mspan_is_allocated(s, i))
				continue;
			p = s->base + i * s->elem_size;
			if (s->elem_size > BW_MARK_PART)
				scan_long(m, s, p);
			else
				scan_part(m, p, s->elem_size, s->scan);
			bw_mark_drain(m, UINT64_MAX / 2);
		}
	}
	return true;
}

void bw_mark_overflow(struct bw_marker *m)
{
	while (READ_ONCE(m->pool->overflowed)) {
		WRITE_ONCE(m->pool->overflowed, 0);
		bw_mheap_each_span(m->h, rescan_span, m);
	}
}
