// SPDX-License-Identifier: MIT
/* depot: magazines, and the trips (depot.h). Spans are in depot_span.c. */
#include <time.h>

#include "depot_span.h"

struct bw_depot bw_depot[BW_MALLOC_CLASSES] __hidden;

static struct bw_mheap *heap;
static bool exact;

/* What one trip moves at most, if it is more than one slot. */
#define TRIP_BYTES	65536U
/* What the magazines of a class may hold. */
#define FULL_BYTES	(8U << 20)
#define KEEP_BYTES	(2U << 20)	/* what bw_depots_make_room() leaves */
#define ROOM_LOOKS	16U	/* spans that the heap grows by meanwhile */
#define DECAY_NS	1000000000ULL
#define KEEP_CHUNKS	1U	/* of magazines, for who needs one next */
#define DECAY_PUTS	32U	/* puts between two looks at the clock */

static void depot_init(struct bw_depot *d, u32 cls)
{
	u32 size = bw_mclass[cls].size, most = TRIP_BYTES / size;

	bw_lock_init(&d->lock, BW_RANK_MCENTRAL);
	bw_list_init(&d->partial);
	bw_list_init(&d->empty);
	d->cls = cls;
	d->most = min(max(most, size > 2 * TRIP_BYTES ? 1U : 2U),
		      bw_mag_room(BW_MAG_KINDS - 1));
	d->kind = bw_mag_kind(d->most);
	d->max = min(max(FULL_BYTES / (d->most * size), 4U), BW_DEPOT_MAGS);
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

static struct bw_mag *full_pop_locked(struct bw_depot *d)
{
	struct bw_mag *m = d->full;

	if (!m)
		return NULL;
	d->full = m->next;
	WRITE_ONCE(d->nr, d->nr - 1);
	d->low = min(d->low, d->nr);
	return m;
}

/* False: those of another kind, or too many, are for the pool. */
static bool blank_push_locked(struct bw_depot *d, struct bw_mag *m)
{
	if (m->kind != d->kind || d->nr_blank == d->max)
		return false;
	m->next = d->blank;
	d->blank = m;
	d->nr_blank++;
	return true;
}

static struct bw_mag *blank_pop_locked(struct bw_depot *d)
{
	struct bw_mag *m = d->blank;

	if (m) {
		d->blank = m->next;
		d->nr_blank--;
	}
	return m;
}

struct bw_mag *bw_depot_get(u32 cls, struct bw_mag *blank)
{
	struct bw_depot *d = &bw_depot[cls];
	struct bw_mag *m;

	bw_lock(&d->lock);
	m = full_pop_locked(d);
	if (m && blank && blank_push_locked(d, blank))
		blank = NULL;
	bw_unlock(&d->lock);
	if (m && blank)
		bw_mag_put(blank);
	return m;
}

u32 bw_depot_cut(u32 cls, void **slot, u32 want)
{
	struct bw_depot *d = &bw_depot[cls];
	struct bw_mspan *s;
	u32 n;

	bw_lock(&d->lock);
	n = bw_depot_cut_locked(d, slot, want);
	bw_unlock(&d->lock);
	if (likely(n))
		return n;
	s = bw_depot_span_get(d);
	if (!s)
		return 0;
	bw_lock(&d->lock);
	bw_depot_span_add_locked(d, s);
	n = bw_depot_cut_locked(d, slot, want);
	bw_unlock(&d->lock);
	return n;
}

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (u64)ts.tv_sec * 1000000000ULL + (u64)ts.tv_nsec;
}

/* The @nr oldest, which are the last in the list. */
static void full_sort_locked(struct bw_depot *d, u32 nr)
{
	struct bw_mag **link = &d->full, *m, *next;
	u32 i;

	for (i = nr; i < d->nr; i++)
		link = &(*link)->next;
	m = *link;
	*link = NULL;
	WRITE_ONCE(d->nr, d->nr - nr);
	for (; m; m = next) {
		next = m->next;
		bw_depot_sort_locked(d, m->slot, m->count);
		bw_mag_put(m);
	}
}

static void blanks_drop_locked(struct bw_depot *d)
{
	struct bw_mag *m;

	while ((m = blank_pop_locked(d)))
		bw_mag_put(m);
}

/* What was not needed since the period began; another one begins. */
static void trim_locked(struct bw_depot *d, struct bw_list *out)
{
	bw_depot_empty_locked(d, d->nr_empty - d->low_empty, out);
	full_sort_locked(d, d->low);
	blanks_drop_locked(d);
	d->low = d->nr;
	d->low_empty = d->nr_empty;
}

/* True: a period ended. */
static bool decay_locked(struct bw_depot *d, struct bw_list *out)
{
	u64 now = now_ns();

	if (now - d->since < DECAY_NS)
		return false;
	d->since = now;
	trim_locked(d, out);
	return true;
}

/* What a put found to be too much, without locks. */
static void give_back(struct bw_list *out, bool period)
{
	if (unlikely(!bw_list_is_empty(out)))
		bw_depot_spans_put(out);
	if (unlikely(period))
		bw_mags_trim(KEEP_CHUNKS);
}

/* Or it is blank after it, and comes back itself. */
static struct bw_mag *full_push_locked(struct bw_depot *d, struct bw_mag *m)
{
	if (likely(d->nr < d->max)) {
		m->next = d->full;
		d->full = m;
		WRITE_ONCE(d->nr, d->nr + 1);
		return blank_pop_locked(d);
	}
	bw_depot_sort_locked(d, m->slot, m->count);
	m->count = 0;
	return m;
}

struct bw_mag *bw_depot_put(u32 cls, struct bw_mag *m)
{
	struct bw_depot *d = &bw_depot[cls];
	struct bw_list out;
	bool period = false;

	bw_list_init(&out);
	bw_lock(&d->lock);
	m = full_push_locked(d, m);
	if (unlikely(++d->puts % DECAY_PUTS == 0))
		period = decay_locked(d, &out);
	bw_unlock(&d->lock);
	give_back(&out, period);
	return m;
}

void bw_depot_put_slots(u32 cls, void *const *slot, u32 nr)
{
	struct bw_depot *d = &bw_depot[cls];
	struct bw_list out;
	bool period = false;

	bw_list_init(&out);
	bw_lock(&d->lock);
	bw_depot_sort_locked(d, slot, nr);
	if (unlikely(++d->puts % DECAY_PUTS == 0))
		period = decay_locked(d, &out);
	bw_unlock(&d->lock);
	give_back(&out, period);
}

static void drain(struct bw_depot *d)
{
	struct bw_list out;

	bw_list_init(&out);
	bw_lock(&d->lock);
	full_sort_locked(d, d->nr);
	blanks_drop_locked(d);
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

/* Magazines count as if they were full. Nobody waits for an exact number. */
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
	u64 kept, used;

	if (fetch_add_relaxed(&looks, 1) % ROOM_LOOKS)
		return;
	kept = kept_bytes();
	if (kept <= KEEP_BYTES)
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
	bw_word_lock(&bw_mag_lock()->word);
}

void bw_depots_unlock_all(void)
{
	u32 cls;

	bw_word_unlock(&bw_mag_lock()->word);
	for (cls = BW_MALLOC_CLASS_MIN; cls < BW_MALLOC_CLASSES; cls++)
		bw_word_unlock(&bw_depot[cls].lock.word);
}

/* In a child of fork() nobody waits. */
void bw_depots_reset_locks(void)
{
	u32 cls;

	bw_word_reset(&bw_mag_lock()->word);
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

static bool mags_are_good_locked(struct bw_depot *d)
{
	const struct bw_mag *m;
	u32 nr = 0, blank = 0, i;

	for (m = d->full; m; m = m->next, nr++) {
		if (!m->count || m->count > m->cap)
			return false;
		for (i = 0; i < m->count; i++)
			if (bw_pages_class(m->slot[i]) != d->cls)
				return false;
	}
	for (m = d->blank; m; m = m->next, blank++)
		if (m->kind != d->kind)
			return false;
	return nr == d->nr && nr <= d->max && d->low <= nr &&
	       blank == d->nr_blank;
}

int bw_depots_check(void)
{
	u32 cls;
	int bad = 0;

	for (cls = BW_MALLOC_CLASS_MIN; !bad && cls < BW_MALLOC_CLASSES; cls++) {
		struct bw_depot *d = &bw_depot[cls];

		bw_lock(&d->lock);
		bad = mags_are_good_locked(d) ?
		      bw_depot_spans_check_locked(d) : 1;
		bw_unlock(&d->lock);
	}
	return bad;
}
