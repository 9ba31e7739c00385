// SPDX-License-Identifier: MIT
/*
 * user_reclaim: what goes back to the system, and what goes first.
 *
 *	bw_user_span_free()		backend/user_span.c
 *	bw_user_span_reclaim()		<- here: ranges
 *	bw_user_lazy_reclaim()		<- here: so many bytes, oldest first
 *	  bw_claim_*()			<- here
 *	    bw_frames_take()		backend/user_frame.c, without the lock
 *
 * The system takes frames away without the lock, between a _begin and an _end
 * of the core: what is claimed is neither free nor anybody's meanwhile. Claims
 * are gathered, neighbours merged, and ended together.
 *
 * Which pages became lazy first is known by pieces of 2 MiB, as in kmod/lazy.c:
 * a ring of places in one array, so that a free costs no allocation. Piece i
 * has place i + 1 and the ring's head the place behind the last piece.
 */
#include "base/sysmem.h"
#include "user.h"

#define CLAIM_PAGES	8192U

static u32 nr_pieces(const struct bw_window *w)
{
	return bw_window_pages(w) / BW_PIECE_PAGES;
}

size_t bw_pieces_bytes(const struct bw_window *w)
{
	return (nr_pieces(w) + 2) * sizeof(struct bw_piece);
}

void bw_pieces_init(struct bw_user *u)
{
	u32 head = nr_pieces(&u->be.window) + 1;

	u->pieces[head] = (struct bw_piece){ head, head };
}

static void piece_add_last(struct bw_user *u, u32 at)
{
	u32 head = nr_pieces(&u->be.window) + 1, last = u->pieces[head].prev;

	u->pieces[at] = (struct bw_piece){ last, head };
	u->pieces[last].next = at;
	u->pieces[head].prev = at;
}

static void piece_del(struct bw_user *u, u32 at)
{
	struct bw_piece *p = &u->pieces[at];

	if (!p->next)
		return;
	u->pieces[p->prev].next = p->next;
	u->pieces[p->next].prev = p->prev;
	*p = (struct bw_piece){ 0, 0 };
}

/* Pages of [page, page + npages) may have become lazy. */
void bw_lazy_note_locked(struct bw_user *u, u32 page, u32 npages)
{
	u32 at = page / BW_PIECE_PAGES + 1;
	u32 last = (page + npages - 1) / BW_PIECE_PAGES + 1;

	for (; at <= last; at++)
		if (!u->pieces[at].next)
			piece_add_last(u, at);
}

/* Z1 of user.h */
bool bw_pieces_are_good_locked(const struct bw_user *u)
{
	u32 i, n = nr_pieces(&u->be.window);

	for (i = 0; i < n; i++) {
		u32 page = i * BW_PIECE_PAGES;

		if (!bw_core_page_is_mapped(&u->core, page))
			i |= BURROW_ARENA_PAGES / BW_PIECE_PAGES - 1;
		else if (!u->pieces[i + 1].next &&
			 bw_core_is_lazy(&u->core, page, BW_PIECE_PAGES))
			return false;
	}
	return true;
}

static void claim_end_locked(struct bw_user *u, const struct bw_claim *c)
{
	bw_filled_clear_locked(u, c->page, c->npages);
	/* its resident bits stay: U2 in user.h */
	if (c->discard)
		bw_core_discard_end(&u->core, &c->run);
	else
		bw_core_reclaim_end(&u->core, &c->run);
}

void bw_claims_flush_locked(struct bw_user *u, struct bw_claims *cl)
{
	u64 frames = 0;
	u32 i = 0, k;

	bw_user_verify_locked(u);
	if (!cl->nr)
		return;
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
		if (cl->renew)
			bw_user_renew(at, bytes);
		else
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

static void claims_add_locked(struct bw_user *u, struct bw_claims *cl,
			      struct bw_claim claim)
{
	cl->claim[cl->nr++] = claim;
	if (cl->nr == ARRAY_SIZE(cl->claim))
		bw_claims_flush_locked(u, cl);
}

void bw_claim_free_locked(struct bw_user *u, struct bw_claims *cl, u32 page,
			  u32 npages, u32 most)
{
	struct bw_run run;

	while (most && bw_core_reclaim_begin(&u->core, page, page + npages,
					     min(most, CLAIM_PAGES), &run)) {
		most -= min(most, run.npages);
		claims_add_locked(u, cl, (struct bw_claim){
			run, run.page, run.npages, false,
		});
	}
}

/* A guard has no frames, and where it is a mapping nobody may write zeros. */
static void skip_guard(const struct bw_user *u, const struct bw_run *run,
		       u32 *page, u32 *npages)
{
	u32 end = *page + *npages, above = run->page + BURROW_GUARD_PAGES;

	if (!(*bw_span_word(&u->core, run->page) & BURROW_W_GUARD))
		return;
	*page = min(max(*page, above), end);
	*npages = end - *page;
}

static int claim_live_locked(struct bw_user *u, struct bw_claims *cl, u32 page,
			     u32 npages)
{
	struct bw_run run;
	int err = bw_core_discard_begin(&u->core, page, npages, &run);

	if (err == -EBUSY && cl->nr) {
		/* perhaps the claim is our own, from an earlier element */
		bw_claims_flush_locked(u, cl);
		err = bw_core_discard_begin(&u->core, page, npages, &run);
	}
	if (err)
		return err;
	skip_guard(u, &run, &page, &npages);
	claims_add_locked(u, cl,
			  (struct bw_claim){ run, page, npages, true });
	return 0;
}

/* Of what is live in a huge arena only whole units go. */
static bool range_is_whole_locked(const struct bw_user *u,
				  const struct burrow_range *r)
{
	const struct bw_core_arena *arena =
		u->core.arena[r->page >> BURROW_ARENA_PAGE_SHIFT];

	return !arena || arena->kind != BURROW_ARENA_HUGE ||
	       (r->page | r->npages) % BURROW_HUGE_PAGES == 0;
}

static int claim_range_locked(struct bw_user *u, struct bw_claims *cl,
			      const struct burrow_range *r)
{
	u32 limit = bw_window_pages(&u->be.window);

	if (!r->npages || r->page >= limit || r->npages > limit - r->page)
		return -EINVAL;
	if (!bw_core_range_is_unused(&u->core, r->page, r->npages))
		return range_is_whole_locked(u, r) ?
		       claim_live_locked(u, cl, r->page, r->npages) : -EINVAL;
	bw_claim_free_locked(u, cl, r->page, r->npages, r->npages);
	return 0;
}

int bw_user_span_reclaim(struct bw_backend *be,
			 const struct burrow_range *ranges, u32 nr,
			 u32 *done, u64 *frames)
{
	struct bw_user *u = bw_to_user(be);
	struct bw_claims cl;
	int err = 0;
	u32 i;

	cl.nr = 0;
	cl.renew = false;
	cl.frames = 0;
	*done = 0;
	*frames = 0;
	if (!bw_window_is_ours(&be->window))
		return -EXDEV;
	if (!nr || nr > BW_USER_MAX_BATCH)
		return -EINVAL;
	bw_gate_enter(&be->gate);
	bw_lock(&u->pages);
	for (i = 0; i < nr; i++) {
		err = claim_range_locked(u, &cl, &ranges[i]);
		if (err)
			break;
	}
	bw_claims_flush_locked(u, &cl);
	bw_unlock(&u->pages);
	bw_gate_leave(&be->gate);
	*done = i;
	*frames = cl.frames;
	return err;
}

/* About @want frames of the piece listed first. */
static void piece_reclaim_locked(struct bw_user *u, struct bw_claims *cl,
				 u64 want)
{
	u32 at = u->pieces[nr_pieces(&u->be.window) + 1].next;
	u32 page = (at - 1) * BW_PIECE_PAGES;
	const u32 per_page = BURROW_PAGE_SIZE / BW_SYS_PAGE;
	u64 before = cl->frames;
	u64 most = min((want + per_page - 1) / per_page,
		       (u64)BW_PIECE_PAGES);

	bw_claim_free_locked(u, cl, page, BW_PIECE_PAGES, (u32)most);
	bw_claims_flush_locked(u, cl);
	if (cl->frames - before >= want)
		return;
	/* another thread may have been here meanwhile */
	piece_del(u, at);
	if (bw_core_is_lazy(&u->core, page, BW_PIECE_PAGES))
		piece_add_last(u, at);
}

int bw_user_lazy_reclaim(struct bw_backend *be, u64 bytes, u64 *got)
{
	u64 want = bytes / BW_SYS_PAGE + !!(bytes % BW_SYS_PAGE);
	struct bw_user *u = bw_to_user(be);
	u32 head = nr_pieces(&be->window) + 1;
	struct bw_claims cl;

	cl.nr = 0;
	cl.renew = false;
	cl.frames = 0;
	*got = 0;
	if (!bw_window_is_ours(&be->window))
		return -EXDEV;
	bw_gate_enter(&be->gate);
	bw_lock(&u->pages);
	while (cl.frames < want && u->pieces[head].next != head)
		piece_reclaim_locked(u, &cl, want - cl.frames);
	bw_unlock(&u->pages);
	bw_gate_leave(&be->gate);
	*got = cl.frames * BW_SYS_PAGE;
	return 0;
}
