// SPDX-License-Identifier: MIT
/*
 * pageheap_release: what goes back to the backend, and from there to the system.
 *
 *	bw_mspan_put()			heap/pageheap.c
 *	  bw_spans_release()		<- here: in vectors; objects' spans of a
 *					collector by bulk sweep in kernel mode
 *	  bw_mheap_put_due()		<- here: at most once a period, by the
 *					   caller, or by a collector's thread if
 *					   there is one (gc/scavenge.c)
 *	    be->ops->lazy_reclaim()	backend/backend.h
 */
#include <time.h>

#include "base/hooks.h"
#include "base/throw.h"
#include "pageheap_inside.h"

u64 bw_clock_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (u64)ts.tv_sec * 1000000000ULL + (u64)ts.tv_nsec;
}

void bw_used_add_locked(struct bw_mheap *h, u32 npages)
{
	bw_pages_add(&h->used_pages, npages);
	h->peak[0] = max(h->peak[0], h->used_pages);
}

void bw_spares_trim_locked(struct bw_mheap *h, struct bw_spares *sp, u32 keep,
			   struct bw_list *out)
{
	while (sp->nr > keep) {
		struct bw_mspan *s = bw_mspan_of_link(sp->head.prev);

		bw_list_del(&s->link);
		sp->nr--;
		bw_pages_sub(&h->spare_pages, s->npages);
		bw_list_add(out, &s->link);
	}
}

void bw_spares_drop_locked(struct bw_mheap *h, struct bw_list *out)
{
	u32 i;

	for (i = 0; i < BW_NR_SPANCLASSES; i++)
		bw_spares_trim_locked(h, &h->spares[i], 0, out);
	while (!bw_list_is_empty(&h->stuck)) {
		struct bw_mspan *s = bw_mspan_of_link(h->stuck.next);

		bw_list_del(&s->link);
		h->stuck_pages -= s->npages;
		bw_list_add(out, &s->link);
	}
}

static void stick_locked(struct bw_mheap *h, struct bw_mspan *s)
{
	bw_list_add(&h->stuck, &s->link);
	h->stuck_pages += s->npages;
}

/* The backend took @done of them and said @err of the next. */
static void released(struct bw_mheap *h, struct bw_mspan **span, u32 nr,
		     u32 done, int err)
{
	struct bw_list gone;
	u32 i;

	if (unlikely(err == -ESTALE))
		bw_throw("the backend does not know a span of the page heap");
	bw_list_init(&gone);
	bw_lock(&h->lock);
	for (i = 0; i < nr; i++) {
		if (i < done) {
			bw_pages_add(&h->lazy_pages, span[i]->npages);
			bw_list_add(&gone, &span[i]->link);
		} else {
			stick_locked(h, span[i]);
		}
	}
	bw_descs_give_locked(h, &gone);
	bw_unlock(&h->lock);
}

/**
 * struct batch - spans on their way to the backend			[caller]
 */
struct batch {
	struct burrow_span_ref ref[BW_BATCH_MAX];
	struct bw_mspan *span[BW_BATCH_MAX];
	u32 nr;
};

static bool goes_by_sweep(const struct bw_mheap *h, const struct bw_mspan *s)
{
	return h->be->bulk_sweep && bw_kind_is_collected(s->kind) &&
	       !h->efence;
}

/* All that go the same way, from the first on. */
static void batch_take(struct bw_mheap *h, struct batch *b,
		       struct bw_list *list)
{
	bool sweep = goes_by_sweep(h, bw_mspan_of_link(list->next));

	b->nr = 0;
	while (b->nr < BW_BATCH_MAX && !bw_list_is_empty(list)) {
		struct bw_mspan *s = bw_mspan_of_link(list->next);

		if (goes_by_sweep(h, s) != sweep)
			break;
		bw_list_del(&s->link);
		bw_efence(h, s, true);
		b->span[b->nr] = s;
		b->ref[b->nr++] = s->ref;
	}
}

/*
 * Their mark bits are clear (S5 in sweep.h), so the kernel finds none. What it
 * does not take all the same, as nobody ever touched the frame of its mark bits,
 * stays in the batch.
 */
static void batch_sweep(struct bw_mheap *h, struct batch *b)
{
	struct bw_mspan *gone[BW_BATCH_MAX];
	u32 i, nr = 0, left = 0, done, nr_freed;
	u64 freed = 0, pages;

	/* where it stopped, free says why */
	h->be->ops->span_sweep(h->be, 0, b->ref, b->nr, &freed, &done,
			       &nr_freed, &pages);
	for (i = 0; i < b->nr; i++) {
		if (freed >> i & 1) {
			gone[nr++] = b->span[i];
			continue;
		}
		b->span[left] = b->span[i];
		b->ref[left++] = b->ref[i];
	}
	released(h, gone, nr, nr, 0);
	b->nr = left;
}

static_assert(BW_BATCH_MAX <= 64, "a word says which went");

void bw_spans_release(struct bw_mheap *h, struct bw_list *list)
{
	struct batch b;
	u32 done;
	int err;

	while (!bw_list_is_empty(list)) {
		batch_take(h, &b, list);
		if (goes_by_sweep(h, b.span[0]))
			batch_sweep(h, &b);
		if (!b.nr)
			continue;
		err = h->be->ops->span_free(h->be, h->efence ?
					     BURROW_FREE_RECLAIM : 0, b.ref,
					     b.nr, &done);
		released(h, b.span, b.nr, done, err);
	}
}

/* Frames that went are no longer lazy, whoever counted them. */
static u64 lazy_give(struct bw_mheap *h, u64 bytes)
{
	u64 got = 0, pages;

	if (h->be->ops->lazy_reclaim(h->be, bytes, &got))
		return 0;
	/* fewer than asked for: there are no more */
	pages = got < bytes ? ~0ULL : bytes >> BURROW_PAGE_SHIFT;
	bw_lock(&h->lock);
	bw_pages_sub(&h->lazy_pages, min(h->lazy_pages, pages));
	bw_unlock(&h->lock);
	return got;
}

u64 bw_mheap_scavenge(struct bw_mheap *h, u64 bytes)
{
	struct bw_list out;

	bw_list_init(&out);
	bw_lock(&h->lock);
	bw_spares_drop_locked(h, &out);
	bw_unlock(&h->lock);
	bw_spans_release(h, &out);
	return bytes ? lazy_give(h, bytes) : 0;
}

/* Pages beyond what the last two periods needed, and beyond @retain. */
static u64 excess_locked(const struct bw_mheap *h)
{
	u64 back = h->spare_pages + h->stuck_pages + h->lazy_pages;
	u64 have = h->used_pages + back;
	u64 keep = max(max(h->peak[0], h->peak[1]), h->retain);

	return min(have > keep ? have - keep : 0, back);
}

static void period_locked(struct bw_mheap *h, u64 now)
{
	WRITE_ONCE(h->decayed, now);
	h->peak[1] = h->peak[0];
	h->peak[0] = h->used_pages;
}

static u64 give(struct bw_mheap *h, u64 bytes, bool spares)
{
	return spares ? bw_mheap_scavenge(h, bytes) : lazy_give(h, bytes);
}

void bw_mheap_decay(struct bw_mheap *h, u64 now)
{
	bool spares = false;
	u64 pages = 0;

	bw_lock(&h->lock);
	if (now - h->decayed >= BW_DECAY_NS) {
		pages = excess_locked(h);
		period_locked(h, now);
		spares = pages > h->lazy_pages;
	}
	bw_unlock(&h->lock);
	if (pages)
		give(h, pages << BURROW_PAGE_SHIFT, spares);
}

void bw_mheap_retain(struct bw_mheap *h, u64 more, u64 now)
{
	bw_lock(&h->lock);
	h->retain = more ? (h->used_pages + more) / 10 * 11 : 0;
	h->peak[0] = h->used_pages;
	period_locked(h, now);
	bw_unlock(&h->lock);
}

u64 bw_mheap_excess(struct bw_mheap *h, u64 now, bool *later)
{
	u64 pages, back;

	bw_lock(&h->lock);
	if (now - h->decayed >= BW_DECAY_NS)
		period_locked(h, now);
	pages = excess_locked(h);
	back = h->spare_pages + h->stuck_pages + h->lazy_pages;
	*later = back && h->used_pages + back > max(h->used_pages, h->retain);
	bw_unlock(&h->lock);
	return pages << BURROW_PAGE_SHIFT;
}

u64 bw_mheap_give(struct bw_mheap *h, u64 bytes)
{
	bool spares;

	bw_lock(&h->lock);
	spares = bytes >> BURROW_PAGE_SHIFT > h->lazy_pages;
	bw_unlock(&h->lock);
	return give(h, bytes, spares);
}

void bw_mheap_put_due(struct bw_mheap *h)
{
	u64 now = bw_clock_now();

	if (!READ_ONCE(h->gc.scavenger))
		bw_mheap_decay(h, now);
	else if (now - READ_ONCE(h->decayed) >= BW_DECAY_NS)
		BW_UP(memory_idle, h);
}
