// SPDX-License-Identifier: MIT
/*
 * user_sweep: spans without a mark go, in one call; kmod/ioctl_sweep.c without
 * the module.
 *
 *	backend ops
 *	  bw_user_span_sweep()		<- here
 *	    sweep_next_locked()		one span, or a stretch of a long one
 *	      bw_user_free_locked()	backend/user_span.c
 *
 * A span is freed under the hold of the lock in which its last mark bits were
 * read. The lock is dropped now and then, in the midst of a long span, too: a
 * mark that is set during the call may be missed, as in the module.
 */
#include "user.h"

/* What one hold of the lock may cost: pages looked at, 128 bytes of bits each. */
#define HOLD_PAGES	128U
/* ... of which a span, however short, counts for so many. */
#define SPAN_COST	4U

/**
 * struct sweep - a call under way					[caller]
 * @u:		whose spans
 * @ref:	which
 * @freed:	bit i: ref[i] was freed; may be NULL
 * @cl:		to take their frames too, else NULL
 * @done:	spans that were dealt with
 * @at:		pages of ref[done] that were found to have no mark
 * @nr_freed:	so far
 * @pages:	in these
 */
struct sweep {
	struct bw_user *u;
	const struct burrow_span_ref *ref;
	u64 *freed;
	struct bw_claims *cl;
	u32 done;
	u32 at;
	u32 nr_freed;
	u64 pages;
};

/* Has any of @npages pages, all in one arena, a mark? U5 in user.h. */
static bool is_marked(const struct bw_window *w, u32 page, u32 npages)
{
	const char *umeta = bw_window_umeta(w, page >> BURROW_ARENA_PAGE_SHIFT);
	const u64 *bits = (const u64 *)(const void *)
		(umeta + BURROW_U_MARK +
		 page % BURROW_ARENA_PAGES * BURROW_U_PAGE_BYTES);
	u32 i, nr = npages * (u32)(BURROW_U_PAGE_BYTES / sizeof(u64));

	for (i = 0; i < nr; i++)
		if (READ_ONCE(bits[i]))
			return true;
	return false;
}

static bool kind_is_swept(u32 kind)
{
	return kind == BURROW_KIND_NOSCAN || kind == BURROW_KIND_SCAN ||
	       kind == BURROW_KIND_CONSERVATIVE;
}

static void free_locked(struct sweep *s)
{
	u32 npages;

	/* it was found alive under this hold of the lock */
	bw_user_free_locked(s->u, &s->ref[s->done], s->cl, &npages);
	if (s->freed)
		s->freed[s->done / 64] |= 1ULL << (s->done % 64);
	s->nr_freed++;
	s->pages += npages;
}

/*
 * Looks at ref[done] from page @at on, no further than @budget pages, and is
 * done with it when it knows.
 */
static int sweep_next_locked(struct sweep *s, u32 *budget)
{
	const struct burrow_span_ref *ref = &s->ref[s->done];
	bool marked = false;
	u32 npages;
	u64 word;
	int err;

	err = bw_core_span_find(&s->u->core, ref->page, ref->gen, &word);
	if (err)
		return err;
	if (!kind_is_swept(burrow_word_kind(word)))
		return -EINVAL;
	npages = burrow_word_low(word);
	*budget -= min(*budget, SPAN_COST);
	while (!marked && s->at < npages) {
		u32 page = ref->page + s->at;
		u32 n = min(npages - s->at,
			    BURROW_ARENA_PAGES - page % BURROW_ARENA_PAGES);

		n = min(n, *budget);
		if (!n)
			return 0;
		marked = is_marked(&s->u->be.window, page, n);
		s->at += n;
		*budget -= n;
	}
	if (!marked)
		free_locked(s);
	s->done++;
	s->at = 0;
	return 0;
}

static int sweep(struct sweep *s, u32 nr, struct bw_claims *cl)
{
	struct bw_user *u = s->u;
	u32 budget = HOLD_PAGES;
	int err = 0;

	bw_lock(&u->pages);
	while (!err && s->done < nr) {
		if (!budget) {
			bw_user_verify_locked(u);
			bw_unlock(&u->pages);
			budget = HOLD_PAGES;
			bw_lock(&u->pages);
		}
		err = sweep_next_locked(s, &budget);
	}
	bw_claims_flush_locked(u, cl);
	bw_unlock(&u->pages);
	return err;
}

int bw_user_span_sweep(struct bw_backend *be, u32 flags,
		       const struct burrow_span_ref *spans, u32 nr, u64 *freed,
		       u32 *done, u32 *nr_freed, u64 *pages)
{
	struct bw_claims cl;
	struct sweep s = {
		.u = bw_to_user(be),
		.ref = spans,
		.freed = freed,
		.cl = flags & BURROW_SWEEP_RECLAIM ? &cl : NULL,
	};
	int err;

	cl.nr = 0;
	cl.renew = false;
	cl.frames = 0;
	*done = 0;
	*nr_freed = 0;
	*pages = 0;
	if (!bw_window_is_ours(&be->window))
		return -EXDEV;
	if (flags & ~BURROW_SWEEP_RECLAIM)
		return -EOPNOTSUPP;
	if (!nr || nr > BW_USER_MAX_BATCH)
		return -EINVAL;
	if (freed)
		memset(freed, 0, (nr + 63) / 64 * sizeof(*freed));
	bw_gate_enter(&be->gate);
	err = sweep(&s, nr, &cl);
	bw_gate_leave(&be->gate);
	*done = s.done;
	*nr_freed = s.nr_freed;
	*pages = s.pages;
	return err;
}
