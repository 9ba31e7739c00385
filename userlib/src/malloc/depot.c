// SPDX-License-Identifier: MIT
/* depot: stacks, and the trips (depot.h). Spans are in depot_span.c. */
#include <time.h>

#include "depot_span.h"

struct bw_depot bw_depot[BW_MALLOC_CLASSES] __hidden;

static struct bw_mheap *heap;
static bool exact;

/* What one trip moves at most, if it is more than one slot. */
#define TRIP_BYTES	65536U
#define TRIP_SLOTS	64U
/* What the stacks of a class may hold: where slots lie together, else. */
#define STACKS_BYTES	(8U << 20)
#define LOOSE_STACKS	64U
#define LOOSE_BYTES	(1U << 20)
/* Neighbours in a stack lie together if they are no further away. */
#define NEAR_BYTES	32768U
#define KEEP_BYTES	(2U << 20)	/* what bw_depots_make_room() leaves */
#define ROOM_LOOKS	8U	/* spans that the heap grows by meanwhile */
#define DECAY_NS	1000000000ULL
#define DECAY_PUTS	32U	/* puts between two looks at the clock */

#define COUNT_BITS	16
#define COUNT_MASK	((1ULL << COUNT_BITS) - 1)

static u64 stack_pack(void *head, u32 count)
{
	return (u64)(uintptr_t)head << COUNT_BITS | count;
}

static u32 stack_unpack(u64 stack, void **head)
{
	*head = (void *)(uintptr_t)(stack >> COUNT_BITS);
	return (u32)(stack & COUNT_MASK);
}

static void depot_init(struct bw_depot *d, u32 cls)
{
	u32 size = bw_mclass[cls].size, most = TRIP_BYTES / size;

	bw_lock_init(&d->lock, BW_RANK_MCENTRAL);
	bw_list_init(&d->partial);
	bw_list_init(&d->empty);
	d->cls = cls;
	d->most = min(max(most, size > 2 * TRIP_BYTES ? 1U : 2U), TRIP_SLOTS);
	d->max = min(max(STACKS_BYTES / (d->most * size), 4U),
		     BW_DEPOT_STACKS);
	d->max_loose = min(max(LOOSE_BYTES / (d->most * size), 4U),
			   LOOSE_STACKS);
}

void bw_depots_init(struct bw_mheap *h, bool is_exact)
{
	u32 cls;

	heap = h;
	exact = is_exact;
	for (cls = BW_MALLOC_CLASS_MIN; cls < BW_MALLOC_CLASSES; cls++)
		depot_init(&bw_depot[cls], cls);
}

struct bw_mheap *bw_depots_heap(void)
{
	return heap;
}

bool bw_depot_is_exact(void)
{
	return exact;
}

static u32 stack_pop_locked(struct bw_depot *d, void **head)
{
	if (!d->nr)
		return 0;
	WRITE_ONCE(d->nr, d->nr - 1);
	d->low = min(d->low, d->nr);
	return stack_unpack(d->stack[d->nr], head);
}

u32 bw_depot_get(u32 cls, u32 want, void **head)
{
	struct bw_depot *d = &bw_depot[cls];
	struct bw_mspan *s;
	u32 n;

	bw_lock(&d->lock);
	n = stack_pop_locked(d, head);
	if (!n)
		n = bw_depot_cut_locked(d, want, head);
	bw_unlock(&d->lock);
	if (likely(n))
		return n;
	s = bw_depot_span_get(d);
	if (!s)
		return 0;
	bw_lock(&d->lock);
	bw_depot_span_add_locked(d, s);
	n = bw_depot_cut_locked(d, want, head);
	bw_unlock(&d->lock);
	return n;
}

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (u64)ts.tv_sec * 1000000000ULL + (u64)ts.tv_nsec;
}

/* The oldest are at the bottom. */
static void stacks_sort_locked(struct bw_depot *d, u32 nr)
{
	void *head;
	u32 i;

	for (i = 0; i < nr; i++) {
		u32 count = stack_unpack(d->stack[i], &head);

		bw_depot_sort_locked(d, head, count);
	}
	WRITE_ONCE(d->nr, d->nr - nr);
	memmove(d->stack, d->stack + nr, d->nr * sizeof(*d->stack));
}

/* What was not needed since the period began; another one begins. */
static void trim_locked(struct bw_depot *d, struct bw_list *out)
{
	bw_depot_empty_locked(d, d->nr_empty - d->low_empty, out);
	stacks_sort_locked(d, d->low);
	d->low = d->nr;
	d->low_empty = d->nr_empty;
}

static void decay_locked(struct bw_depot *d, struct bw_list *out)
{
	u64 now = now_ns();

	if (now - d->since < DECAY_NS)
		return;
	d->since = now;
	trim_locked(d, out);
}

/*
 * Going by the first few links. What comes back in an order of its own is better
 * sorted: whoever gets such a stack has a cache miss for each slot.
 */
static bool is_loose(const void *head, u32 count)
{
	u32 i;

	for (i = 1; i < min(count, 4U); i++) {
		const void *next = *(void *const *)head;

		if ((uintptr_t)next - (uintptr_t)head + NEAR_BYTES >
		    2 * NEAR_BYTES)
			return true;
		head = next;
	}
	return false;
}

static bool may_push(const struct bw_depot *d, const void *head, u32 count)
{
	if (likely(d->nr < d->max_loose))
		return !exact;
	return d->nr < d->max && !is_loose(head, count);
}

void bw_depot_put(u32 cls, void *head, u32 count)
{
	struct bw_depot *d = &bw_depot[cls];
	struct bw_list out;

	bw_list_init(&out);
	bw_lock(&d->lock);
	if (likely(may_push(d, head, count))) {
		d->stack[d->nr] = stack_pack(head, count);
		WRITE_ONCE(d->nr, d->nr + 1);
	} else {
		bw_depot_sort_locked(d, head, count);
	}
	if (unlikely(++d->puts % DECAY_PUTS == 0))
		decay_locked(d, &out);
	bw_unlock(&d->lock);
	if (unlikely(!bw_list_is_empty(&out)))
		bw_depot_spans_put(&out);
}

static void drain(struct bw_depot *d)
{
	struct bw_list out;

	bw_list_init(&out);
	bw_lock(&d->lock);
	stacks_sort_locked(d, d->nr);
	bw_depot_empty_locked(d, 0, &out);
	d->low = 0;
	bw_unlock(&d->lock);
	bw_depot_spans_put(&out);
}

void bw_depots_drain(void)
{
	u32 cls;

	for (cls = BW_MALLOC_CLASS_MIN; cls < BW_MALLOC_CLASSES; cls++)
		drain(&bw_depot[cls]);
}

/* Stacks count as if they were full. Nobody waits for an exact number. */
static u64 kept_bytes(void)
{
	u64 bytes = 0;
	u32 cls;

	for (cls = BW_MALLOC_CLASS_MIN; cls < BW_MALLOC_CLASSES; cls++) {
		const struct bw_depot *d = &bw_depot[cls];
		const struct bw_mclass *mc = &bw_mclass[cls];

		bytes += (u64)READ_ONCE(d->nr) * d->most * mc->size;
		bytes += (u64)READ_ONCE(d->nr_empty) * mc->npages <<
			 BURROW_PAGE_SHIFT;
	}
	return bytes;
}

static void trim_all(void)
{
	u32 cls;

	for (cls = BW_MALLOC_CLASS_MIN; cls < BW_MALLOC_CLASSES; cls++) {
		struct bw_depot *d = &bw_depot[cls];
		struct bw_list out;

		bw_list_init(&out);
		bw_lock(&d->lock);
		trim_locked(d, &out);
		bw_unlock(&d->lock);
		bw_depot_spans_put(&out);
	}
}

void bw_depots_make_room(void)
{
	static u32 looks;
	u64 kept = kept_bytes(), used;

	if (kept <= KEEP_BYTES || fetch_add_relaxed(&looks, 1) % ROOM_LOOKS)
		return;
	bw_lock(&heap->lock);
	used = heap->used_pages << BURROW_PAGE_SHIFT;
	bw_unlock(&heap->lock);
	if (kept > used / 8)
		trim_all();
}

/* Without ranks: all of these are of one. The heap's own come after them. */
void bw_depots_lock_all(void)
{
	u32 cls;

	for (cls = BW_MALLOC_CLASS_MIN; cls < BW_MALLOC_CLASSES; cls++)
		bw_word_lock(&bw_depot[cls].lock.word);
}

void bw_depots_unlock_all(void)
{
	u32 cls;

	for (cls = BW_MALLOC_CLASS_MIN; cls < BW_MALLOC_CLASSES; cls++)
		bw_word_unlock(&bw_depot[cls].lock.word);
}

/* In a child of fork() nobody waits. */
void bw_depots_reset_locks(void)
{
	u32 cls;

	for (cls = BW_MALLOC_CLASS_MIN; cls < BW_MALLOC_CLASSES; cls++)
		bw_word_reset(&bw_depot[cls].lock.word);
}

void bw_depots_count(u64 *spans, u64 *free)
{
	u32 cls;

	*spans = 0;
	*free = 0;
	for (cls = BW_MALLOC_CLASS_MIN; cls < BW_MALLOC_CLASSES; cls++) {
		struct bw_depot *d = &bw_depot[cls];

		bw_lock(&d->lock);
		*spans += d->nr_spans * bw_mclass[cls].npages <<
			  BURROW_PAGE_SHIFT;
		*free += d->nr_free * bw_mclass[cls].size;
		bw_unlock(&d->lock);
	}
}

static bool stacks_are_good_locked(struct bw_depot *d)
{
	u32 i;

	if (d->nr > d->max || d->low > d->nr)
		return false;
	for (i = 0; i < d->nr; i++) {
		void *p;
		u32 n = stack_unpack(d->stack[i], &p);

		for (; n--; p = *(void **)p)
			if (bw_pages_class(p) != d->cls)
				return false;
	}
	return true;
}

int bw_depots_check(void)
{
	u32 cls;
	int bad = 0;

	for (cls = BW_MALLOC_CLASS_MIN; !bad && cls < BW_MALLOC_CLASSES; cls++) {
		struct bw_depot *d = &bw_depot[cls];

		bw_lock(&d->lock);
		bad = stacks_are_good_locked(d) ?
		      bw_depot_spans_check_locked(d) : 1;
		bw_unlock(&d->lock);
	}
	return bad;
}
