/* SPDX-License-Identifier: MIT */
/*
 * storm: spans that one thread holds, and what it does to them while others do
 * the same to theirs.
 *
 *	storm.c			who is in the storm, and how it ends
 *	  hand_work()		one deed, by chance	<- here
 *	    deed_*()
 *
 * A *hand* is a thread's: nobody else touches its spans. Each frame of a span
 * says by its words whose it is; a word that says anything else is a bad one.
 * Nothing here allocates, so that a child of a process with threads may go on.
 */
#ifndef BURROW_SELFTEST_STORM_H
#define BURROW_SELFTEST_STORM_H

#include <stdlib.h>

#include "child.h"
#include "move.h"
#include "proc.h"
#include "touch.h"

#define MB		(1UL << 20)
#define HELD		16U		/* spans of one hand */
#define MAX_PAGES	12U
#define LARGE_PAGES	5000U		/* more than half an arena */
#define STRIDE		(FRAME_SIZE / 8)
#define BATCH		6U

/**
 * struct storm - one heap and all who are at it
 * @ops:	how much each does
 * @seed:	of all chance
 * @nomem:	memory may be refused: calls may say ENOMEM
 * @out:	a byte for each so many deeds, or -1
 * @bad:	what was not as it must be			[atomic]
 * @refused:	calls that said ENOMEM				[atomic]
 */
struct storm {
	struct heap h;
	unsigned int ops, seed;
	bool nomem;
	int out;
	unsigned int bad, refused;
};

struct held {
	struct burrow_span_ref ref;
	__u32 npages;			/* 0: nothing is held here */
	__u16 kind;
	__u64 salt;
};

/**
 * struct hand - what one thread holds
 * @chance:	state of rand_r()
 * @id:		in every word it writes
 */
struct hand {
	struct storm *s;
	unsigned int chance, id;
	__u64 salts;
	struct held held[HELD];
};

#define STORM_BAD(s, what, val) storm_bad(s, __FILE__, __LINE__, what, val)
#define STORM_CHECK(s, cond) storm_check(s, __FILE__, __LINE__, cond, #cond)

/* It goes on: what comes after it may tell more. */
static inline void storm_bad(struct storm *s, const char *file, int line,
			     const char *what, long long val)
{
	__atomic_fetch_add(&s->bad, 1, __ATOMIC_RELAXED);
	dprintf(2, "# %s:%d: %s (%lld)\n", file, line, what, val);
}

static inline void storm_check(struct storm *s, const char *file, int line,
			       bool ok, const char *what)
{
	if (!ok)
		storm_bad(s, file, line, what, errno);
}

static inline unsigned int chance(struct hand *hand, unsigned int n)
{
	return rand_r(&hand->chance) % n;
}

static inline void hand_make(struct hand *hand, struct storm *s,
			     unsigned int id)
{
	memset(hand, 0, sizeof(*hand));
	hand->s = s;
	hand->id = id;
	hand->chance = s->seed * 0x9e3779b9u + id;
}

static inline char *held_addr(const struct hand *hand, const struct held *held)
{
	return page_addr(&hand->s->h, held->ref.page);
}

static inline __u64 held_word(const struct held *held, size_t at)
{
	return (held->salt << 28 | at) * 0x9e3779b97f4a7c15ULL | 1;
}

/* Every so many bytes of [from, to) pages say whose they are. */
static inline void held_fill(const struct hand *hand, const struct held *held,
			     __u32 from, __u32 to)
{
	size_t at, end = to * BURROW_PAGE_SIZE;
	char *p = held_addr(hand, held);

	for (at = from * BURROW_PAGE_SIZE; at < end; at += STRIDE)
		*(volatile __u64 *)(p + at) = held_word(held, at);
}

static inline void held_check(const struct hand *hand, const struct held *held,
			      __u32 from, __u32 to, bool zero)
{
	size_t at, end = to * BURROW_PAGE_SIZE;
	const char *p = held_addr(hand, held);

	for (at = from * BURROW_PAGE_SIZE; at < end; at += STRIDE) {
		__u64 is = *(const volatile __u64 *)(p + at);

		if (is == (zero ? 0 : held_word(held, at)))
			continue;
		STORM_BAD(hand->s, zero ? "not zero at byte" :
			  "another's word at byte", at);
		dprintf(2, "# hand %u, page %u + %zu: %#llx\n", hand->id,
			held->ref.page, at, is);
		return;
	}
}

/* Large ones are written at their ends alone. */
static inline __u32 held_step(const struct held *held)
{
	return held->npages > MAX_PAGES ? held->npages - 1 : 1;
}

static inline void held_each(const struct hand *hand, const struct held *held,
			     bool fill, bool zero)
{
	__u32 page, step = held_step(held);

	for (page = 0; page < held->npages; page += step) {
		if (fill)
			held_fill(hand, held, page, page + 1);
		else
			held_check(hand, held, page, page + 1, zero);
	}
}

static inline void held_renew(struct hand *hand, struct held *held)
{
	held->salt = ++hand->salts << 8 | hand->id;
	held_each(hand, held, true, false);
}

static inline bool is_refused(struct hand *hand, int r)
{
	if (r != -ENOMEM || !hand->s->nomem)
		return false;
	__atomic_fetch_add(&hand->s->refused, 1, __ATOMIC_RELAXED);
	return true;
}

/* A call that may say ENOMEM at most said something else: so does the heap. */
static inline void refusal_bad(struct hand *hand, const char *what, int r,
			       __u32 npages)
{
	struct burrow_heap_stats st;

	STORM_BAD(hand->s, what, r);
	if (!heap_stats(hand->s->h.fd, &st))
		dprintf(2, "# hand %u, process %d: %u pages; %u arenas, %llu free, %llu live\n",
			hand->id, getpid(), npages, st.out_arenas_mapped,
			st.out_pages_free, st.out_pages_live);
}

/* -- the deeds -- */

/* Up to @want spans into empty places. */
static inline void deed_alloc(struct hand *hand, unsigned int want, __u32 npages)
{
	struct burrow_span_ref ref[BATCH];
	struct burrow_span_alloc arg = {
		.flags = chance(hand, 2) || npages > MAX_PAGES ?
			 BURROW_ALLOC_LAZY : 0,
		.spans = U64(ref), .nr = want, .npages = npages,
		.kind = chance(hand, 2) ? BURROW_KIND_MANUAL :
					  BURROW_KIND_CONSERVATIVE,
	};
	struct storm *s = hand->s;
	unsigned int i, n = 0;
	int r;

	for (i = 0; i < HELD; i++)
		n += !hand->held[i].npages;
	if (n < want)
		return;
	r = spans_alloc(&s->h, &arg);
	if (r) {
		if (!is_refused(hand, r))
			refusal_bad(hand, "SPAN_ALLOC", r, npages);
		return;
	}
	if (arg.out_nr < want && !is_refused(hand, -(int)arg.out_errno))
		STORM_BAD(s, "SPAN_ALLOC, a part", arg.out_errno);
	for (i = 0, n = 0; n < arg.out_nr; i++) {
		struct held *held = &hand->held[i];

		if (held->npages)
			continue;
		*held = (struct held){ ref[n++], npages, arg.kind, 0 };
		if (!needs_zero(&s->h, held->ref))
			held_each(hand, held, false, true);
		held_renew(hand, held);
	}
}

static inline void deed_free(struct hand *hand, struct held *held)
{
	int r;

	held_each(hand, held, false, false);
	r = span_free(&hand->s->h, chance(hand, 2) ? BURROW_FREE_RECLAIM : 0,
		      held->ref);
	if (r)
		STORM_BAD(hand->s, "SPAN_FREE", r);
	held->npages = 0;
}

static inline void deed_rewrite(struct hand *hand, struct held *held)
{
	held_each(hand, held, false, false);
	held_renew(hand, held);
}

/* Part of a live span goes back: it is zero, the rest is as it was. */
static inline void deed_discard(struct hand *hand, struct held *held)
{
	__u32 from = chance(hand, held->npages);
	__u32 n = 1 + chance(hand, held->npages - from);
	long r;

	if (held->npages > MAX_PAGES)
		return;
	r = range_reclaim(&hand->s->h, held->ref.page + from, n);
	if (r < 0)
		STORM_BAD(hand->s, "SPAN_RECLAIM", r);
	held_check(hand, held, 0, from, false);
	held_check(hand, held, from, from + n, true);
	held_check(hand, held, from + n, held->npages, false);
	held_renew(hand, held);
}

/* It has another place, some more pages behind it, and what was in it. */
static inline void deed_move(struct hand *hand, struct held *held)
{
	__u32 had = held->npages, more = had > MAX_PAGES ? 0 : MAX_PAGES - had;
	struct burrow_span_ref to;
	struct burrow_span_alloc arg = {
		.flags = chance(hand, 2) || !more ? BURROW_ALLOC_LAZY : 0,
		.spans = U64(&to), .nr = 1, .kind = held->kind,
		.npages = had + (more ? chance(hand, more + 1) : 0),
	};
	bool is_zero;
	int r = spans_alloc(&hand->s->h, &arg);

	/* there may be no room for a second large one */
	if (is_refused(hand, r) || (r == -ENOSPC && !more))
		return;
	if (r) {
		STORM_BAD(hand->s, "SPAN_ALLOC, to move", r);
		return;
	}
	is_zero = !needs_zero(&hand->s->h, to);
	r = span_move(&hand->s->h, held->ref, to,
		      chance(hand, 2) || !more ? BURROW_MOVE_LAZY : 0);
	if (is_refused(hand, r)) {
		r = span_free(&hand->s->h, 0, to);
		STORM_CHECK(hand->s, !r);
		return;
	}
	if (r)
		STORM_BAD(hand->s, "SPAN_MOVE", r);
	held->ref = to;
	held_each(hand, held, false, false);
	held->npages = arg.npages;
	if (is_zero && more)
		held_check(hand, held, had, held->npages, true);
	held_renew(hand, held);
}

static inline void deed_heap_reclaim(struct hand *hand)
{
	struct burrow_heap_reclaim arg = {
		.size = sizeof(arg),
		.bytes = chance(hand, 4) ? chance(hand, 2 * MB) : ~0ULL,
	};
	int r = call(hand->s->h.fd, BURROW_IOC_HEAP_RECLAIM, &arg);

	if (r)
		STORM_BAD(hand->s, "HEAP_RECLAIM", r);
}

/* All bits of a span's pages, then perhaps one of them. */
static inline void held_mark(struct hand *hand, const struct held *held,
			     bool marked)
{
	char *bits = hand->s->h.umeta +
		     held->ref.page / BURROW_ARENA_PAGES * BURROW_UMETA_SIZE +
		     BURROW_U_MARK +
		     held->ref.page % BURROW_ARENA_PAGES * BURROW_U_PAGE_BYTES;
	size_t n = held->npages * BURROW_U_PAGE_BYTES;

	memset(bits, 0, n);
	if (marked)
		bits[chance(hand, n)] = 1 << chance(hand, 8);
}

/* Those of a collected kind, marked by chance. */
static inline void deed_sweep(struct hand *hand)
{
	struct burrow_span_ref ref[HELD];
	struct held *who[HELD];
	__u64 freed = 0, want = 0;
	struct burrow_span_sweep arg = {
		.size = sizeof(arg), .spans = U64(ref), .freed = U64(&freed),
		.flags = chance(hand, 2) ? BURROW_SWEEP_RECLAIM : 0,
	};
	unsigned int i;
	int r;

	for (i = 0; i < HELD; i++) {
		struct held *held = &hand->held[i];

		if (!held->npages || held->npages > MAX_PAGES ||
		    held->kind != BURROW_KIND_CONSERVATIVE)
			continue;
		held_each(hand, held, false, false);
		who[arg.nr] = held;
		ref[arg.nr] = held->ref;
		if (chance(hand, 2))
			want |= 1ULL << arg.nr;
		held_mark(hand, held, !(want >> arg.nr & 1));
		arg.nr++;
	}
	if (!arg.nr)
		return;
	r = call(hand->s->h.fd, BURROW_IOC_SPAN_SWEEP, &arg);
	if (is_refused(hand, r))
		return;
	if (r || arg.out_nr != arg.nr || freed != want)
		STORM_BAD(hand->s, "SPAN_SWEEP", r ? r : (long long)freed);
	for (i = 0; i < arg.nr; i++) {
		if (freed >> i & 1)
			who[i]->npages = 0;
		else
			held_each(hand, who[i], false, false);
	}
}

static inline void hand_work(struct hand *hand)
{
	struct held *held = &hand->held[chance(hand, HELD)];
	unsigned int what = chance(hand, 16);

	if (what == 0)
		deed_sweep(hand);
	else if (what == 1)
		deed_heap_reclaim(hand);
	else if (!held->npages)
		deed_alloc(hand, what < 4 ? BATCH : 1,
			   1 + chance(hand, MAX_PAGES));
	else if (what < 7)
		deed_discard(hand, held);
	else if (what < 9)
		deed_rewrite(hand, held);
	else if (what < 12)
		deed_move(hand, held);
	else
		deed_free(hand, held);
}

static inline void hand_check(const struct hand *hand)
{
	unsigned int i;

	for (i = 0; i < HELD; i++)
		held_each(hand, &hand->held[i], false, false);
}

static inline void hand_drop(struct hand *hand)
{
	unsigned int i;

	for (i = 0; i < HELD; i++)
		if (hand->held[i].npages)
			deed_free(hand, &hand->held[i]);
}

#endif
