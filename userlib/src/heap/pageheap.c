// SPDX-License-Identifier: MIT
/*
 * pageheap: get and put (pageheap.h). Descriptors are in pageheap_desc.c, what
 * is given back to the system in pageheap_release.c.
 *
 *	bw_mspan_get()
 *	  a spare, or:
 *	  bw_descs_take()		descriptors first: then nothing is lost
 *	  take_spans()			the backend; arenas as they are needed
 *	  one for the caller, the others become spares
 */
#include "base/sysmem.h"
#include "base/throw.h"
#include "mcache_hook.h"
#include "pageheap_inside.h"
#include "sweep.h"

/* -EEXIST: another thread added one since @limit was read. */
static int arena_add_beyond(struct bw_mheap *h, u32 kind, size_t limit)
{
	struct bw_backend *be = h->be;
	u32 index;
	int err;

	bw_lock(&h->arenas);
	if (h->map.limit != limit) {
		bw_unlock(&h->arenas);
		return -EEXIST;
	}
	err = be->ops->arena_add(be, kind, BURROW_ARENA_ANY, &index);
	if (!err)
		/* pairs with bw_map_find() */
		smp_store_release(&h->map.limit, ((size_t)index + 1) <<
				  BURROW_ARENA_SHIFT);
	bw_unlock(&h->arenas);
	return err;
}

int bw_mheap_arena_add(struct bw_mheap *h, u32 kind)
{
	int err;

	do {
		err = arena_add_beyond(h, kind, READ_ONCE(h->map.limit));
	} while (err == -EEXIST);
	return err;
}

/* Who adds an arena holds the lock until he has told (arena_add_beyond()). */
void bw_arenas_await(struct bw_mheap *h, u32 end)
{
	/* pairs with arena_add_beyond() */
	size_t limit = smp_load_acquire(&h->map.limit);

	if (likely((size_t)end << BURROW_PAGE_SHIFT <= limit))
		return;
	bw_lock(&h->arenas);
	bw_unlock(&h->arenas);
}

static u32 arena_kind(const struct burrow_span_alloc *req)
{
	if (req->flags & BURROW_ALLOC_HUGE)
		return BURROW_ARENA_HUGE;
	return req->kind == BURROW_KIND_STACK ? BURROW_ARENA_STACK :
						BURROW_ARENA_HEAP;
}

/* Up to @nr spans; 0: none can be had. */
static u32 take_spans(struct bw_mheap *h, const struct burrow_span_alloc *req,
		      struct burrow_span_ref *ref, u32 nr)
{
	/* who wants units can do without: they cost nobody anything */
	bool scavenged = req->flags & BURROW_ALLOC_HUGE;
	u32 kind = arena_kind(req);

	for (;;) {
		size_t limit = READ_ONCE(h->map.limit);
		u32 done;
		int err = h->be->ops->span_alloc(h->be, req, ref, nr, &done);

		if (done)
			return done;
		if (err == -ENOSPC)
			err = arena_add_beyond(h, kind, limit);
		if (!err || err == -EEXIST)
			continue;
		if (scavenged || (err != -ENOMEM && err != -ENOSPC))
			return 0;
		/* spares may be what is in the way; once is enough */
		scavenged = true;
		bw_mheap_scavenge(h, err == -ENOMEM ? ~0ULL : 0);
	}
}

static u64 span_kword(const struct bw_mheap *h, u32 page)
{
	const char *kmeta = bw_window_kmeta(&h->be->window,
					    page >> BURROW_ARENA_PAGE_SHIFT);

	/* pairs with the release in bw_span_write() */
	return smp_load_acquire((const u64 *)(const void *)kmeta +
				page % BURROW_ARENA_PAGES);
}

u64 *bw_mspan_alloc_bits(const struct bw_mheap *h, u32 page)
{
	const char *umeta = bw_window_umeta(&h->be->window,
					    page >> BURROW_ARENA_PAGE_SHIFT);

	return (u64 *)(void *)(umeta + BURROW_U_ALLOC +
			       page % BURROW_ARENA_PAGES *
			       BURROW_U_PAGE_BYTES);
}

/* A stale pointer's holder may be looking: hence the lock. */
static void span_fill(struct bw_mheap *h, struct bw_mspan *s,
		      const struct burrow_span_alloc *req,
		      struct burrow_span_ref ref)
{
	bw_lock(&s->lock);
	s->ref = ref;
	s->npages = req->npages;
	s->cls = (u8)req->cls;
	s->kind = (u8)req->kind;
	s->spanclass = (u16)bw_spanclass(req->cls, req->kind);
	s->base = bw_window_page_addr(&h->be->window, ref.page);
	s->alloc = bw_mspan_alloc_bits(h, ref.page);
	s->needzero = span_kword(h, ref.page) & BURROW_W_NEEDZERO;
	s->sweepgen = (u16)READ_ONCE(h->sweepgen);
	bw_mspan_format(s, 1, (u64)s->npages << BURROW_PAGE_SHIFT, 0);
	bw_mspan_set_state(s, BW_MSPAN_SPARE);
	bw_unlock(&s->lock);
	bw_efence(h, s, false);
}

void bw_owners_set(struct bw_mheap *h, struct bw_mspan *s, bool to_span)
{
	size_t off = (size_t)s->ref.page << BURROW_PAGE_SHIFT;
	u64 word = to_span ? (uintptr_t)s : 0;
	u32 i;

	for (i = 0; i < s->npages; i++, off += BURROW_PAGE_SIZE)
		/* pairs with bw_map_find() */
		smp_store_release(bw_owner_word(&h->map, off), word);
}

/* Blocks of tiny objects have class 0 there: nobody frees these one by one. */
void bw_classes_set(struct bw_mheap *h, const struct bw_mspan *s, bool fast)
{
	u32 i;

	for (i = 0; i < s->npages; i++)
		WRITE_ONCE(h->map.classes[s->ref.page + i],
			   fast ? (u16)(s->spanclass * BW_CLASS_UNIT +
				   i * BW_CLASS_PAGE) : 0);
}

/* Who frees an object that is special has heard of it, and so of this. */
void bw_mspan_set_special(struct bw_mheap *h, struct bw_mspan *s)
{
	WRITE_ONCE(s->special, 1);
	bw_classes_set(h, s, false);
}

static struct bw_mspan *spare_take_locked(struct bw_mheap *h, u32 spanclass,
					  u32 npages)
{
	struct bw_spares *sp = &h->spares[spanclass];
	struct bw_list *at = sp->head.next;
	u32 i;

	for (i = 0; i < BW_SPARE_LOOK && at != &sp->head; i++) {
		struct bw_mspan *s = bw_mspan_of_link(at);

		at = at->next;
		if (s->npages != npages)
			continue;
		bw_list_del(&s->link);
		sp->nr--;
		bw_pages_sub(&h->spare_pages, npages);
		return s;
	}
	return NULL;
}

static void spare_add_locked(struct bw_mheap *h, struct bw_mspan *s)
{
	struct bw_spares *sp = &h->spares[s->spanclass];

	bw_list_add(&sp->head, &s->link);
	sp->nr++;
	bw_pages_add(&h->spare_pages, s->npages);
}

/*
 * How many to fetch, and twice as many the next time: but memory that nobody may
 * ever want is to be a small part of what is used, and who waits for the system
 * to make pages is not to wait for many.
 */
static u32 batch_locked(struct bw_mheap *h, u32 spanclass, u32 npages)
{
	u32 most_pages = h->lazy_pages ? BW_BATCH_PAGES : BW_BATCH_FRESH;
	u32 pages = (u32)min((u64)most_pages, h->used_pages / 8);
	u32 most = max(pages / npages, 1U);
	struct bw_spares *sp = &h->spares[spanclass];
	u32 n = sp->batch ? sp->batch : 1;

	n = min(n, most);
	sp->batch = min(min(2 * n, most), BW_BATCH_MAX);
	return n;
}

/* @s was nobody's: now it is the caller's. */
static void hand_out_locked(struct bw_mheap *h, struct bw_mspan *s)
{
	bw_used_add_locked(h, s->npages);
	bw_lock(&s->lock);
	bw_mspan_set_state(s, BW_MSPAN_OWNED);
	bw_unlock(&s->lock);
}

/* One for the caller, who has the lock no more; the others become spares. */
static struct bw_mspan *spans_fetch(struct bw_mheap *h,
				    const struct burrow_span_alloc *req,
				    struct bw_list *descs, u32 nr)
{
	struct burrow_span_ref ref[BW_BATCH_MAX];
	struct bw_mspan *s, *first = NULL;
	u32 i;

	nr = take_spans(h, req, ref, nr);
	for (i = 0; i < nr; i++)
		bw_arenas_await(h, ref[i].page + req->npages);
	bw_lock(&h->lock);
	/*
	 * The last one first: what is at the front of the spares is taken next,
	 * and whoever goes over objects in the order in which they were made
	 * is to go upwards, as caches expect it.
	 */
	for (i = nr; i--;) {
		s = bw_mspan_of_link(descs->next);
		bw_list_del(&s->link);
		span_fill(h, s, req, ref[i]);
		if (i)
			spare_add_locked(h, s);
		else
			first = s;
	}
	bw_descs_give_locked(h, descs);
	bw_pages_sub(&h->lazy_pages, min(h->lazy_pages, (u64)nr * req->npages));
	if (first)
		hand_out_locked(h, first);
	bw_unlock(&h->lock);
	return first;
}

/* There was not even memory for a descriptor: spares and what is lazy go. */
static u32 desc_after_all(struct bw_mheap *h, struct bw_list *descs)
{
	u32 nr;

	bw_mheap_scavenge(h, ~0ULL);
	bw_lock(&h->lock);
	nr = bw_descs_take_locked(h, descs, 1);
	bw_unlock(&h->lock);
	return nr;
}

static struct bw_mspan *span_get(struct bw_mheap *h,
				 const struct burrow_span_alloc *req)
{
	u32 sc = bw_spanclass(req->cls, req->kind), nr = 1;
	bool keeps = sc < BW_NR_SPANCLASSES && req->align <= 1 &&
		     !(req->flags & BURROW_ALLOC_HUGE);
	struct bw_mspan *s = NULL;
	struct bw_list descs;

	bw_list_init(&descs);
	bw_lock(&h->lock);
	if (keeps)
		s = spare_take_locked(h, sc, req->npages);
	if (s)
		hand_out_locked(h, s);
	else if (keeps && req->cls)
		nr = batch_locked(h, sc, req->npages);
	nr = s ? 0 : bw_descs_take_locked(h, &descs, nr);
	bw_unlock(&h->lock);
	if (!s && !nr)
		nr = desc_after_all(h, &descs);
	if (nr)
		s = spans_fetch(h, req, &descs, nr);
	if (!s)
		return NULL;
	if (unlikely(h->hooks))
		bw_hook_span_begin(s);
	bw_owners_set(h, s, true);
	return s;
}

struct bw_mspan *bw_mspan_get(struct bw_mheap *h, u32 npages, u32 cls, u32 kind,
			      u32 align)
{
	const struct burrow_span_alloc req = {
		.flags = BURROW_ALLOC_UWORDS |
			 (npages > BW_LAZY_PAGES || h->closes ?
			  BURROW_ALLOC_LAZY : 0),
		.npages = npages,
		.align = align,
		.kind = (u16)kind,
		.cls = (u16)cls,
	};

	return span_get(h, &req);
}

struct bw_mspan *bw_mspan_get_huge(struct bw_mheap *h, u32 npages, u32 kind)
{
	const struct burrow_span_alloc req = {
		.flags = BURROW_ALLOC_LAZY | BURROW_ALLOC_HUGE |
			 BURROW_ALLOC_UWORDS,
		.npages = npages,
		.kind = (u16)kind,
	};

	if (bw_window_pages(&h->be->window) < BW_HUGE_WINDOW)
		return NULL;
	return span_get(h, &req);
}

/* All of a size class; of class 0, where lengths differ, a few short ones. */
static bool may_be_spare(const struct bw_mspan *s)
{
	return s->spanclass < BW_NR_SPANCLASSES &&
	       (s->cls || s->npages <= BW_LAZY_PAGES);
}

/* Of whatever class, until there are no more than @most. */
static void spares_over_locked(struct bw_mheap *h, u64 most, struct bw_list *out)
{
	u32 i;

	for (i = 0; i < BW_NR_SPANCLASSES; i++) {
		struct bw_spares *sp = &h->spares[i];

		while (sp->nr && h->spare_pages > most)
			bw_spares_trim_locked(h, sp, sp->nr - 1, out);
		if (h->spare_pages <= most)
			break;
	}
}

/*
 * A spare, or on @out with others that go back to the backend: some of its own
 * class first, so that the next trip there is far, but no more than one call takes:
 * half of them would be thousands where the heap is large, and whoever wants a span
 * waits for the lock.
 */
static void put_locked(struct bw_mheap *h, struct bw_mspan *s,
		       struct bw_list *out)
{
	struct bw_spares *sp = NULL;
	u64 most;

	bw_pages_sub(&h->used_pages, s->npages);
	most = max((u64)BW_SPARE_MIN, h->used_pages / 8);
	if (may_be_spare(s) && !h->efence)
		sp = &h->spares[s->spanclass];
	if (sp && !s->cls)
		bw_spares_trim_locked(h, sp, BW_SPARE_LOOK - 1, out);
	if (sp && h->spare_pages + s->npages <= most) {
		spare_add_locked(h, s);
		return;
	}
	bw_list_add(out, &s->link);
	if (sp)
		bw_spares_trim_locked(h, sp, sp->nr - min(sp->nr / 2,
							  BW_BATCH_MAX), out);
	if (h->spare_pages > most)
		spares_over_locked(h, most, out);
}

/* Nobody finds it any more. False: it is in limbo. */
static bool put_begin(struct bw_mheap *h, struct bw_mspan *s)
{
	if (unlikely(READ_ONCE(s->state) != BW_MSPAN_OWNED))
		bw_throw("a span is put that its caller does not own");
	if (unlikely(READ_ONCE(h->gc.marking)) && bw_sweep_defer(h, s))
		return false;
	bw_owners_set(h, s, false);
	return true;
}

/* True: it is time for bw_mheap_put_due(). */
static bool put_end_locked(struct bw_mheap *h, struct bw_mspan *s,
			   struct bw_list *out)
{
	bw_lock(&s->lock);
	bw_mspan_set_state(s, BW_MSPAN_SPARE);
	if (bw_kind_is_collected(s->kind))
		bw_marks_clear_locked(h, s);
	/* an aligned span, or a tiny one, is one of its class from now on */
	s->spanclass = (u16)bw_spanclass(s->cls, s->kind);
	s->needzero = true;
	bw_unlock(&s->lock);
	put_locked(h, s, out);
	return s->npages > BW_LAZY_PAGES || ++h->puts % 64 == 0;
}

void bw_mspans_put(struct bw_mheap *h, struct bw_list *list)
{
	struct bw_list ours, out;
	struct bw_mspan *s;
	bool due = false;

	bw_list_init(&ours);
	bw_list_init(&out);
	while (!bw_list_is_empty(list)) {
		s = bw_mspan_of_link(list->next);
		bw_list_del(&s->link);
		if (put_begin(h, s))
			bw_list_add(&ours, &s->link);
	}
	bw_lock(&h->lock);
	while (!bw_list_is_empty(&ours)) {
		s = bw_mspan_of_link(ours.next);
		bw_list_del(&s->link);
		due |= put_end_locked(h, s, &out);
	}
	bw_unlock(&h->lock);
	bw_spans_release(h, &out);
	if (due)
		bw_mheap_put_due(h);
}

void bw_mspan_put(struct bw_mheap *h, struct bw_mspan *s)
{
	struct bw_list list;

	bw_list_init(&list);
	bw_list_add(&list, &s->link);
	bw_mspans_put(h, &list);
}

size_t bw_mheap_reclaim_range(struct bw_mheap *h, void *addr, size_t bytes)
{
	size_t off = (size_t)((char *)addr - h->map.base);
	u32 first = (u32)((off + BURROW_PAGE_SIZE - 1) >> BURROW_PAGE_SHIFT);
	u32 end = (u32)((off + bytes) >> BURROW_PAGE_SHIFT);
	struct burrow_range r = { first, end - first };
	u64 frames;
	u32 done;

	if (end <= first ||
	    h->be->ops->span_reclaim(h->be, &r, 1, &done, &frames))
		return 0;
	return (size_t)r.npages << BURROW_PAGE_SHIFT;
}
