// SPDX-License-Identifier: MIT
/*
 * pageheap_desc: descriptors of spans, and what looks at all of them.
 *
 * Descriptors are ordinary memory, whose touch at the limit of a memory cgroup is
 * killed. So it is asked for by the page, 32 of them at a time (bw_mheap_touch()).
 */
#include "base/sysmem.h"
#include "pageheap_inside.h"

/* What bw_mheap_check() says; the O of mspan.h and the E of mcentral.h follow. */
enum {
	BAD_PAGES = 1,		/* counts of pages */
	BAD_OWNER,		/* H2, O5 */
	BAD_SPARES,		/* H3 */
	BAD_SPAN = 10,
	BAD_CENTRAL = 20,
};

#define PER_PAGE	(BW_SYS_PAGE / sizeof(struct bw_mspan))

static_assert(BW_SPAN_SLOTS / 8 == sizeof(struct bw_mspan),
	      "a page of @span and one of @freed are of the same descriptors");
static_assert(offsetof(struct bw_mspan_chunk, freed) % BW_SYS_PAGE == 0 &&
	      offsetof(struct bw_mspan_chunk, next) % BW_SYS_PAGE == 0,
	      "both begin with a page, and so does what is behind them");

/* Not a bit of a word is lost that another thread writes. */
static void touch(u8 *p, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes; i += BW_SYS_PAGE)
		fetch_or_relaxed(p + i, 0);
}

bool bw_mheap_touch(struct bw_mheap *h, void *p, size_t bytes)
{
	/* and a page table */
	int err = h->be->ops->room(h->be, bytes + BW_SYS_PAGE);

	if (!err)
		touch(p, bytes);
	return !err || err == -EOPNOTSUPP;
}

bool bw_mheap_has_room(struct bw_mheap *h)
{
	int err = h->be->ops->room(h->be, 4 * BW_SYS_PAGE);

	return !err || err == -EOPNOTSUPP;
}

static bool chunk_add_locked(struct bw_mheap *h)
{
	struct bw_mspan_chunk *chunk = NULL;

	if (bw_mheap_has_room(h))
		chunk = bw_sys_alloc(sizeof(*chunk));
	if (!chunk)
		return false;
	chunk->next = h->chunks;
	h->chunks = chunk;
	return true;
}

static struct bw_mspan *desc_new_locked(struct bw_mheap *h)
{
	struct bw_mspan_chunk *chunk = h->chunks;
	struct bw_mspan *s;

	if (!chunk || chunk->used == BW_MSPAN_CHUNK) {
		if (!chunk_add_locked(h))
			return NULL;
		chunk = h->chunks;
	}
	s = &chunk->span[chunk->used];
	if (chunk->used % PER_PAGE == 0 &&
	    (!bw_mheap_touch(h, s, BW_SYS_PAGE) ||
	     !bw_mheap_touch(h, chunk->freed[chunk->used], BW_SYS_PAGE)))
		return NULL;
	s->freed = chunk->freed[chunk->used++];
	s->window = BW_NO_WINDOW;
	bw_lock_init(&s->lock, BW_RANK_MSPAN);
	bw_list_init(&s->link);
	return s;
}

u32 bw_descs_take_locked(struct bw_mheap *h, struct bw_list *to, u32 nr)
{
	struct bw_mspan *s;
	u32 i;

	for (i = 0; i < nr; i++) {
		if (!bw_list_is_empty(&h->unused)) {
			s = bw_mspan_of_link(h->unused.next);
			bw_list_del(&s->link);
		} else {
			s = desc_new_locked(h);
			if (!s)
				break;
		}
		bw_list_add(to, &s->link);
	}
	return i;
}

void bw_descs_give_locked(struct bw_mheap *h, struct bw_list *from)
{
	while (!bw_list_is_empty(from)) {
		struct bw_mspan *s = bw_mspan_of_link(from->next);

		bw_list_del(&s->link);
		bw_lock(&s->lock);
		bw_mspan_set_state(s, BW_MSPAN_FREE);
		bw_unlock(&s->lock);
		bw_list_add(&h->unused, &s->link);
	}
}

static bool each_locked(struct bw_mheap *h,
			bool (*fn)(struct bw_mspan *s, void *arg), void *arg)
{
	struct bw_mspan_chunk *chunk;
	u32 i;

	for (chunk = h->chunks; chunk; chunk = chunk->next)
		for (i = 0; i < chunk->used; i++)
			if (READ_ONCE(chunk->span[i].state) != BW_MSPAN_FREE &&
			    !fn(&chunk->span[i], arg))
				return false;
	return true;
}

void bw_mheap_each_span(struct bw_mheap *h,
			bool (*fn)(struct bw_mspan *s, void *arg), void *arg)
{
	bw_lock(&h->lock);
	each_locked(h, fn, arg);
	bw_unlock(&h->lock);
}

/* What a check has seen so far. */
struct seen {
	struct bw_mheap *h;
	u64 used;
	u64 spare;
	int bad;
};

static bool owners_are(struct bw_mheap *h, struct bw_mspan *s,
		       struct bw_mspan *owner)
{
	char *at = bw_window_page_addr(&h->be->window, s->ref.page);
	u32 i;

	for (i = 0; i < s->npages; i++)
		if (bw_mspan_of(h, at + i * BURROW_PAGE_SIZE) != owner)
			return false;
	return true;
}

/*
 * In a child of fork(): a thread of the parent's was getting or putting it, and
 * it stays as it was; its pages may even be another span's by now.
 */
static bool may_be_nobodys(const struct bw_mheap *h, const struct bw_mspan *s)
{
	return READ_ONCE(h->be->epoch) && (s->state == BW_MSPAN_OWNED ||
					   s->state == BW_MSPAN_SPARE);
}

static bool check_span(struct bw_mspan *s, void *arg)
{
	struct seen *seen = arg;
	bool spare = s->state == BW_MSPAN_SPARE;

	bw_lock(&s->lock);
	seen->bad = bw_mspan_check_locked(s);
	bw_unlock(&s->lock);
	if (seen->bad)
		seen->bad += BAD_SPAN;
	else if (!may_be_nobodys(seen->h, s) &&
		 !owners_are(seen->h, s, spare ? NULL : s))
		seen->bad = BAD_OWNER;
	*(spare ? &seen->spare : &seen->used) += s->npages;
	return !seen->bad;
}

static bool spares_are_good_locked(const struct bw_mheap *h)
{
	u32 i;

	for (i = 0; i < BW_NR_SPANCLASSES; i++) {
		const struct bw_spares *sp = &h->spares[i];
		const struct bw_list *at;
		u32 n = 0;

		for (at = sp->head.next; at != &sp->head; at = at->next)
			n++;
		if (n != sp->nr)
			return false;
	}
	return true;
}

/* In a child, spans on their way to the backend are nobody's, too. */
static bool counts_are_good_locked(struct bw_mheap *h, const struct seen *seen)
{
	u64 spare = h->spare_pages + h->stuck_pages;

	return seen->used == h->used_pages &&
	       (seen->spare == spare ||
		(READ_ONCE(h->be->epoch) && seen->spare > spare));
}

static int check_locked(struct bw_mheap *h)
{
	struct seen seen = { .h = h };

	if (!each_locked(h, check_span, &seen))
		return seen.bad;
	if (!counts_are_good_locked(h, &seen))
		return BAD_PAGES;
	return spares_are_good_locked(h) ? 0 : BAD_SPARES;
}

int bw_mheap_check(struct bw_mheap *h)
{
	int bad;
	u32 i;

	bw_lock(&h->lock);
	bad = check_locked(h);
	bw_unlock(&h->lock);
	for (i = 0; !bad && i < BW_NR_SPANCLASSES; i++) {
		bad = bw_mcentral_check(h, i);
		if (bad)
			bad += BAD_CENTRAL;
	}
	return bad;
}
