// SPDX-License-Identifier: MIT
/*
 * user_span: the vector calls on spans.
 *
 *	backend ops
 *	  bw_user_span_*()		<- here: the lock, order, claims
 *	    bw_core_*()			core/coreheap.c
 *	    bw_frames_*()		backend/user_frame.c, without the lock
 *
 * The system takes frames away without the lock, between a _begin and an _end
 * of the core: what is claimed is neither free nor anybody's meanwhile. Claims
 * are gathered, neighbours merged, and ended together.
 */
#include "user.h"

/* Spans allocated under one hold of the lock, then populated together. */
#define GROUP		64U
#define MAX_CLAIMS	64U
#define CLAIM_PAGES	8192U

static int check_batch(u32 nr)
{
	return nr && nr <= BW_USER_MAX_BATCH ? 0 : -EINVAL;
}

/* The module's check_alloc(). */
static int check_alloc(const struct burrow_span_alloc *req, u32 nr)
{
	if (req->flags & ~BURROW_ALLOC_LAZY)
		return -EOPNOTSUPP;
	if (check_batch(nr) || !req->npages ||
	    req->npages >= BURROW_MAX_PAGES ||
	    req->align >= BURROW_MAX_PAGES || req->align & (req->align - 1) ||
	    req->cls >= BURROW_NR_CLASSES)
		return -EINVAL;
	if (req->kind >= BURROW_NR_KINDS)
		return -EOPNOTSUPP;
	/* a guard and something above it */
	if (req->kind == BURROW_KIND_STACK &&
	    req->npages <= BURROW_GUARD_PAGES)
		return -EINVAL;
	return 0;
}

/* Takes up to @nr spans off the core. @got says how many, the errno why. */
static int group_take(struct bw_user *u, const struct bw_span_req *req,
		      struct burrow_span_ref *ref, u32 nr, u32 *got)
{
	struct bw_run run;
	int err = 0;
	u32 i;

	bw_lock(&u->pages);
	for (i = 0; i < nr; i++) {
		err = bw_core_span_alloc(&u->core, req, &run);
		if (err)
			break;
		bw_core_set_resident(&u->core, run.page, run.npages);
		ref[i] = (struct burrow_span_ref){ run.page, run.gen };
	}
	u->nr_alloc += i;
	bw_user_verify_locked(u);
	bw_unlock(&u->pages);
	*got = i;
	return err;
}

/* Spans nobody has heard of yet. */
static void group_untake(struct bw_user *u, const struct burrow_span_ref *ref,
			 u32 nr)
{
	struct bw_run run;
	u32 i;

	bw_lock(&u->pages);
	for (i = 0; i < nr; i++)
		if (!bw_core_span_free(&u->core, ref[i].page, ref[i].gen,
				       &run))
			u->nr_free++;
	bw_user_verify_locked(u);
	bw_unlock(&u->pages);
}

/* Populates a group, neighbours together. @full: how many spans are complete. */
static int group_populate(struct bw_user *u, u32 npages,
			  const struct burrow_span_ref *ref, u32 nr, u32 *full)
{
	u32 i = 0, n;
	int err = 0;

	while (i < nr && !err) {
		for (n = 1; i + n < nr; n++)
			if (ref[i + n].page != ref[i].page + n * npages)
				break;
		err = bw_frames_populate(bw_window_page_addr(&u->be.window,
							     ref[i].page),
					 (size_t)n * npages *
					 BURROW_PAGE_SIZE);
		if (!err)
			i += n;
	}
	*full = i;
	return err;
}

int bw_user_span_alloc(struct bw_backend *be,
		       const struct burrow_span_alloc *req,
		       struct burrow_span_ref *spans, u32 nr, u32 *done)
{
	struct bw_user *u = bw_to_user(be);
	struct bw_span_req want = {
		.npages = req->npages,
		.align = req->align,
		.cls = req->cls,
		.kind = req->kind,
		.arena_kind = req->kind == BURROW_KIND_STACK ?
			      BURROW_ARENA_STACK : BURROW_ARENA_HEAP,
	};
	int err;

	*done = 0;
	if (!bw_window_is_ours(&be->window))
		return -EXDEV;
	err = check_alloc(req, nr);
	while (!err && *done < nr) {
		struct burrow_span_ref *ref = spans + *done;
		u32 got, full;

		err = group_take(u, &want, ref, min(nr - *done, GROUP), &got);
		full = got;
		if (!(req->flags & BURROW_ALLOC_LAZY)) {
			int nomem = group_populate(u, req->npages, ref, got,
						   &full);

			if (nomem) {
				group_untake(u, ref + full, got - full);
				err = nomem;
			}
		}
		*done += full;
	}
	return err;
}

/**
 * struct claims - pages between a _begin and an _end of the core	[caller]
 * @nr:		how many
 * @frames:	given back so far
 * @claim:	in the order in which they were claimed
 */
struct claims {
	u32 nr;
	u64 frames;
	struct claim {
		struct bw_run run;	/* what the core calls it */
		u32 page;		/* what of it is taken */
		u32 npages;
		bool discard;		/* of a live span */
	} claim[MAX_CLAIMS];
};

static void claim_end_locked(struct bw_user *u, const struct claim *c)
{
	/* its resident bits stay: U2 in user.h */
	if (c->discard)
		bw_core_discard_end(&u->core, &c->run);
	else
		bw_core_reclaim_end(&u->core, &c->run);
}

/* Takes the frames of all claims, without the lock, and ends them. */
static void claims_flush_locked(struct bw_user *u, struct claims *cl)
{
	u64 frames = 0;
	u32 i = 0, k;

	bw_user_verify_locked(u);
	bw_unlock(&u->pages);
	while (i < cl->nr) {
		u32 page = cl->claim[i].page, npages = 0;
		size_t bytes;
		char *at;

		for (; i < cl->nr && cl->claim[i].page == page + npages; i++)
			npages += cl->claim[i].npages;
		at = bw_window_page_addr(&u->be.window, page);
		bytes = (size_t)npages * BURROW_PAGE_SIZE;
		frames += bw_frames_count(at, bytes);
		bw_frames_take(at, bytes);
	}
	bw_lock(&u->pages);
	for (k = 0; k < cl->nr; k++)
		claim_end_locked(u, &cl->claim[k]);
	u->nr_reclaimed += frames;
	cl->frames += frames;
	cl->nr = 0;
	bw_user_verify_locked(u);
}

static void claims_add(struct claims *cl, const struct bw_run *run, u32 page,
		       u32 npages, bool discard)
{
	cl->claim[cl->nr++] = (struct claim){
		*run, page, npages, discard,
	};
}

/* Claims what is lazy in [page, page + npages). */
static void claim_free_locked(struct bw_user *u, struct claims *cl, u32 page,
			      u32 npages)
{
	struct bw_run run;

	while (bw_core_reclaim_begin(&u->core, page, page + npages,
				     CLAIM_PAGES, &run)) {
		claims_add(cl, &run, run.page, run.npages, false);
		if (cl->nr == MAX_CLAIMS)
			claims_flush_locked(u, cl);
	}
}

static int claim_live_locked(struct bw_user *u, struct claims *cl, u32 page,
			     u32 npages)
{
	struct bw_run run;
	int err = bw_core_discard_begin(&u->core, page, npages, &run);

	if (err == -EBUSY && cl->nr) {
		/* perhaps the claim is our own, from an earlier element */
		claims_flush_locked(u, cl);
		err = bw_core_discard_begin(&u->core, page, npages, &run);
	}
	if (err)
		return err;
	claims_add(cl, &run, page, npages, true);
	if (cl->nr == MAX_CLAIMS)
		claims_flush_locked(u, cl);
	return 0;
}

static int claim_range_locked(struct bw_user *u, struct claims *cl,
			      const struct burrow_range *r)
{
	u32 limit = bw_window_pages(&u->be.window);

	if (!r->npages || r->page >= limit || r->npages > limit - r->page)
		return -EINVAL;
	if (!bw_core_range_is_unused(&u->core, r->page, r->npages))
		return claim_live_locked(u, cl, r->page, r->npages);
	claim_free_locked(u, cl, r->page, r->npages);
	return 0;
}

int bw_user_span_free(struct bw_backend *be, u32 flags,
		      const struct burrow_span_ref *spans, u32 nr, u32 *done)
{
	struct bw_user *u = bw_to_user(be);
	struct claims cl = { .nr = 0 };
	int err = 0;
	u32 i;

	*done = 0;
	if (!bw_window_is_ours(&be->window))
		return -EXDEV;
	if (flags & ~BURROW_FREE_RECLAIM)
		return -EOPNOTSUPP;
	if (check_batch(nr))
		return -EINVAL;
	bw_lock(&u->pages);
	for (i = 0; i < nr; i++) {
		struct bw_run run;

		err = bw_core_span_free(&u->core, spans[i].page, spans[i].gen,
					&run);
		if (err)
			break;
		u->nr_free++;
		if (flags & BURROW_FREE_RECLAIM)
			claim_free_locked(u, &cl, run.page, run.npages);
	}
	claims_flush_locked(u, &cl);
	bw_unlock(&u->pages);
	*done = i;
	return err;
}

int bw_user_span_reclaim(struct bw_backend *be,
			 const struct burrow_range *ranges, u32 nr,
			 u32 *done, u64 *frames)
{
	struct bw_user *u = bw_to_user(be);
	struct claims cl = { .nr = 0 };
	int err = 0;
	u32 i;

	*done = 0;
	*frames = 0;
	if (!bw_window_is_ours(&be->window))
		return -EXDEV;
	if (check_batch(nr))
		return -EINVAL;
	bw_lock(&u->pages);
	for (i = 0; i < nr; i++) {
		err = claim_range_locked(u, &cl, &ranges[i]);
		if (err)
			break;
	}
	claims_flush_locked(u, &cl);
	bw_unlock(&u->pages);
	*done = i;
	*frames = cl.frames;
	return err;
}
