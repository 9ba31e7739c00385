// SPDX-License-Identifier: MIT
/*
 * user_span: the vector calls on spans.
 *
 *	backend ops
 *	  bw_user_span_*()		<- here: the lock, order
 *	    bw_stacks_*()		backend/user_stack.c, where it is one
 *	    bw_core_*()			core/coreheap.c
 *	    bw_frames_populate()	backend/user_frame.c, without the lock, of
 *					what is not there (user_filled.c)
 */
#include "user.h"

static int check_batch(u32 nr)
{
	return nr && nr <= BW_USER_MAX_BATCH ? 0 : -EINVAL;
}

/* The module's check_alloc(). */
static int check_alloc(const struct burrow_span_alloc *req, u32 nr)
{
	/* U-words are any memory of the process's, and come by touch */
	if (req->flags & ~(BURROW_ALLOC_LAZY | BURROW_ALLOC_HUGE |
			   BURROW_ALLOC_UWORDS))
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
	    (req->flags & BURROW_ALLOC_HUGE ||
	     req->npages <= BURROW_GUARD_PAGES))
		return -EINVAL;
	if (req->flags & BURROW_ALLOC_HUGE && req->npages % BURROW_HUGE_PAGES)
		return -EINVAL;
	return 0;
}

int bw_user_take_locked(struct bw_user *u, struct bw_span_req *req,
			struct burrow_span_ref *ref, u32 nr, u32 *got)
{
	u32 guard = req->flags & BURROW_W_GUARD ? BURROW_GUARD_PAGES : 0;
	struct bw_run run;
	int err = 0;
	u32 i;

	for (i = 0; i < nr; i++) {
		err = bw_core_span_alloc(&u->core, req, &run);
		if (err)
			break;
		/* U2: whoever gets a page may touch it unseen, but no guard */
		bw_core_set_resident(&u->core, run.page + guard,
				     run.npages - guard);
		ref[i] = (struct burrow_span_ref){ run.page, run.gen };
	}
	u->nr_alloc += i;
	bw_user_verify_locked(u);
	*got = i;
	return err;
}

int bw_user_free_locked(struct bw_user *u, const struct burrow_span_ref *ref,
			struct bw_claims *cl, u32 *npages)
{
	struct bw_run run;
	int err = bw_core_span_free(&u->core, ref->page, ref->gen, &run);

	if (err)
		return err;
	u->nr_free++;
	*npages = run.npages;
	bw_lazy_note_locked(u, run.page, run.npages);
	if (unlikely(bw_user_is_moved_locked(u, run.page)))
		bw_user_left_locked(u, run.page, run.npages, cl, true);
	else if (cl)
		bw_claim_free_locked(u, cl, run.page, run.npages, run.npages);
	return 0;
}

/* One span, or some that have guards; @done says how many. */
static int release_locked(struct bw_user *u, const struct burrow_span_ref *ref,
			  u32 nr, struct bw_claims *cl, u32 *done)
{
	u64 word;
	int err = bw_core_span_find(&u->core, ref->page, ref->gen, &word);
	u32 npages;

	*done = 0;
	if (err)
		return err;
	if (word & BURROW_W_GUARD)
		return bw_stacks_free_locked(u, ref, nr, cl, done);
	*done = 1;
	return bw_user_free_locked(u, ref, cl, &npages);
}

void bw_user_untake(struct bw_user *u, const struct burrow_span_ref *ref,
		    u32 nr)
{
	u32 i = 0, n;

	if (!nr)
		return;
	bw_lock(&u->pages);
	while (i < nr) {
		/* one whose guard does not go stays, and is nobody's */
		i += release_locked(u, ref + i, nr - i, NULL, &n) ? 1 : 0;
		i += n;
	}
	bw_user_verify_locked(u);
	bw_unlock(&u->pages);
}

/**
 * struct run - neighbours in a group					[caller]
 * @nr:		spans
 * @missing:	what of them is to be populated
 */
struct run {
	u32 nr;
	struct bw_missing missing;
};

/* The runs of a group of @nr spans; how many these are. */
static u32 runs_find_locked(const struct bw_user *u, u32 npages,
			    const struct burrow_span_ref *ref, u32 nr,
			    struct run *run)
{
	u32 i = 0, n, nr_runs = 0;

	for (; i < nr; i += n) {
		for (n = 1; i + n < nr; n++)
			if (ref[i + n].page != ref[i].page + n * npages)
				break;
		run[nr_runs++] = (struct run){
			n, bw_filled_missing_locked(u, ref[i].page, n * npages),
		};
	}
	return nr_runs;
}

static void runs_filled(struct bw_user *u, const struct run *run, u32 nr)
{
	u32 i;

	bw_lock(&u->pages);
	for (i = 0; i < nr; i++)
		bw_filled_set_locked(u, run[i].missing.page,
				     run[i].missing.npages);
	bw_unlock(&u->pages);
}

/* @full: how many spans are complete. */
static int runs_populate(struct bw_user *u, const struct run *run, u32 nr,
			 u32 *full)
{
	bool some = false;
	int err = 0;
	u32 i;

	*full = 0;
	for (i = 0; i < nr; i++) {
		const struct bw_missing *m = &run[i].missing;

		char *at = bw_window_page_addr(&u->be.window, m->page);

		if (m->npages)
			err = bw_frames_populate(at, (size_t)m->npages *
						 BURROW_PAGE_SIZE);
		if (err)
			break;
		some |= m->npages;
		*full += run[i].nr;
	}
	if (some)
		runs_filled(u, run, i);
	return err;
}

/* Takes and prepares up to BW_USER_GROUP spans; @full are complete. */
static int group_alloc(struct bw_user *u, struct bw_span_req *req,
		       bool lazy, struct burrow_span_ref *ref, u32 nr,
		       u32 *full)
{
	struct run run[BW_USER_GROUP];
	int err, nomem = 0;
	u32 got, n = 0;

	bw_lock(&u->pages);
	err = bw_user_take_locked(u, req, ref, nr, &got);
	if (!lazy)
		n = runs_find_locked(u, req->npages, ref, got, run);
	bw_unlock(&u->pages);
	*full = got;
	if (!lazy)
		nomem = runs_populate(u, run, n, full);
	bw_user_untake(u, ref + *full, got - *full);
	return nomem ? nomem : err;
}

int bw_user_span_alloc(struct bw_backend *be,
		       const struct burrow_span_alloc *req,
		       struct burrow_span_ref *spans, u32 nr, u32 *done)
{
	bool lazy = req->flags & BURROW_ALLOC_LAZY;
	bool stack = req->kind == BURROW_KIND_STACK;
	struct bw_user *u = bw_to_user(be);
	struct bw_span_req want = {
		.npages = req->npages,
		.align = req->align,
		.cls = req->cls,
		.kind = req->kind,
		.arena_kind = stack ? BURROW_ARENA_STACK : BURROW_ARENA_HEAP,
		.steps = BW_SEARCH_STEPS,
	};
	int err;

	if (req->flags & BURROW_ALLOC_HUGE && !stack) {
		want.arena_kind = BURROW_ARENA_HUGE;
		want.flags = BURROW_W_HUGE;
		want.align = max(want.align, BURROW_HUGE_PAGES);
	}
	*done = 0;
	if (!bw_window_is_ours(&be->window))
		return -EXDEV;
	err = check_alloc(req, nr);
	bw_gate_enter(&be->gate);
	/* -EAGAIN: among very many holes, others are let in now and then */
	while ((!err || err == -EAGAIN) && *done < nr) {
		struct burrow_span_ref *ref = spans + *done;
		u32 n = min(nr - *done, BW_USER_GROUP), full;

		err = stack ? bw_stacks_alloc(u, &want, lazy, ref, n, &full) :
			      group_alloc(u, &want, lazy, ref, n, &full);
		*done += full;
	}
	bw_gate_leave(&be->gate);
	return err;
}

int bw_user_span_free(struct bw_backend *be, u32 flags,
		      const struct burrow_span_ref *spans, u32 nr, u32 *done)
{
	struct bw_user *u = bw_to_user(be);
	struct bw_claims cl;
	int err = 0;

	cl.nr = 0;
	cl.renew = false;
	cl.frames = 0;
	*done = 0;
	if (!bw_window_is_ours(&be->window))
		return -EXDEV;
	if (flags & ~BURROW_FREE_RECLAIM)
		return -EOPNOTSUPP;
	if (check_batch(nr))
		return -EINVAL;
	bw_gate_enter(&be->gate);
	bw_lock(&u->pages);
	while (!err && *done < nr) {
		u32 n;

		err = release_locked(u, spans + *done, nr - *done,
				     flags & BURROW_FREE_RECLAIM ? &cl : NULL,
				     &n);
		*done += n;
	}
	bw_claims_flush_locked(u, &cl);
	bw_unlock(&u->pages);
	bw_gate_leave(&be->gate);
	return err;
}
