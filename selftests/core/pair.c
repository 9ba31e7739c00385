// SPDX-License-Identifier: MIT
/* pair: the moves, each on both sides. pair_check.c has the questions. */
#include "pair.h"
#include "pair_check.h"

#include <stdlib.h>

static void *zalloc(size_t bytes)
{
	void *p = calloc(1, bytes);

	if (!p)
		abort();
	return p;
}

void pair_init(struct pair *p, u32 nr_arenas)
{
	memset(p, 0, sizeof(*p));
	p->table = zalloc(bw_core_bytes(nr_arenas));
	bw_core_init(&p->core, p->table, nr_arenas);
	model_init(&p->model, nr_arenas);
}

static void arena_free(struct bw_core_arena *arena)
{
	if (arena)
		free(arena->kwords);
	free(arena);
}

void pair_exit(struct pair *p)
{
	u32 i;

	for (i = 0; i < p->core.nr_arenas; i++)
		arena_free(p->core.arena[i]);
	free(p->table);
	model_exit(&p->model);
}

void pair_clone(struct pair *p, const struct pair *from)
{
	const struct bw_core *core = &from->core;
	u32 i;

	*p = *from;
	if (from->nr_claims)
		abort();
	p->table = zalloc(bw_core_bytes(core->nr_arenas));
	bw_core_init(&p->core, p->table, core->nr_arenas);
	for (i = 0; i < core->nr_arenas; i++)
		if (core->arena[i])
			bw_core_arena_clone(&p->core, i, core->arena[i],
					    zalloc(sizeof(*core->arena[i])),
					    zalloc(BURROW_KMETA_SIZE));
	bw_core_clone_end(&p->core, core);
	model_clone(&p->model, &from->model);
}

bool pair_map(struct pair *p, u32 index, u32 kind)
{
	struct bw_core_arena *arena;

	if (p->why[0])
		return false;
	if (p->model.arena[index])
		return true;
	model_map(&p->model, index, kind);
	arena = zalloc(sizeof(*arena));
	arena->kind = kind;
	bw_core_arena_add(&p->core, index, arena, zalloc(BURROW_KMETA_SIZE));
	return pair_counts(p, "map");
}

bool pair_unmap(struct pair *p, u32 index)
{
	struct bw_core_arena *arena = p->core.arena[index];

	if (p->why[0])
		return false;
	if (!arena)
		return true;
	model_unmap(&p->model, index);
	bw_core_arena_del(&p->core, index);
	arena_free(arena);
	return pair_counts(p, "unmap");
}

static u32 next_gen(struct pair *p)
{
	p->gen = (p->gen + 1) % (1U << BURROW_W_GEN_BITS);
	return p->gen;
}

/* What a move gave out is what the model says it should. */
static bool run_is_same(struct pair *p, const char *what,
			const struct bw_run *got, const struct model_run *want)
{
	if (got->page == want->page && got->npages == want->npages &&
	    got->gen == want->gen)
		return true;
	return pair_differs(p, "%s gave %u+%u gen %u, not %u+%u gen %u", what,
			    got->page, got->npages, got->gen, want->page,
			    want->npages, want->gen);
}

/* One span of a batch; the first fit is where the model finds it. */
static bool span_is_same(struct pair *p, const struct bw_span_req *req,
			 const struct bw_run *out)
{
	u32 page = model_find(&p->model, req->npages, max(req->align, 1U),
			      req->arena_kind);
	struct model_run *run;

	if (page == BW_NO_PAGE)
		return pair_differs(p, "alloc of %u align %u kind %u: %u, not "
				    "ENOSPC", req->npages, req->align,
				    req->arena_kind, out->page);
	run = model_run_add(&p->model, page, req->npages, MODEL_LIVE);
	run->gen = next_gen(p);
	run->cls = req->cls;
	run->kind = req->kind;
	run->flags = req->flags;
	return run_is_same(p, "alloc", out, run);
}

/* The request as the core may be given it. */
static struct bw_span_req in_units(const struct bw_span_req *req)
{
	u32 unit = model_unit(req->arena_kind);
	struct bw_span_req r = *req;

	r.npages += (unit - r.npages % unit) % unit;
	if (unit > 1)
		r.align = max(r.align, unit);
	return r;
}

bool pair_alloc(struct pair *p, const struct bw_span_req *asked, u32 nr)
{
	struct bw_span_req units = in_units(asked), *req = &units;
	u32 align = max(req->align, 1U), got, i, next;
	struct bw_run out[PAIR_BATCH];

	if (p->why[0])
		return false;
	got = bw_core_spans_alloc(&p->core, req, out, nr);
	if (req->from != (got ? 0 : BW_NO_PAGE))
		return pair_differs(p, "a search without bound stopped early");
	if (got > nr)
		return pair_differs(p, "alloc gave %u of %u", got, nr);
	for (i = 0; i < got; i++)
		if (!span_is_same(p, req, &out[i]))
			return false;
	for (i = 0; i < got; i++)
		if (!pair_words(p, "alloc", out[i].page, req->npages))
			return false;
	/* Why it stopped: no room at all, or none right behind. */
	if (got && (got == nr || req->npages % align))
		return true;
	next = model_find(&p->model, req->npages, align, req->arena_kind);
	if (got ? next != out[got - 1].page + req->npages : next == BW_NO_PAGE)
		return pair_counts(p, "alloc");
	return pair_differs(p, "alloc of %u align %u stopped at %u of %u",
			    req->npages, req->align, got, nr);
}

bool pair_free(struct pair *p, u32 page, u32 gen)
{
	struct model_run *run = model_run_at(&p->model, page);
	int want = pair_name_is_good(p, page, gen), got;
	struct model_run gone;
	struct bw_run out;

	if (p->why[0])
		return false;
	got = bw_core_span_free(&p->core, page, gen, &out);
	if (got != want)
		return pair_differs(p, "free of %u gen %u is %d, not %d", page,
				    gen, got, want);
	if (got)
		return pair_counts(p, "free");
	gone = *run;
	model_run_del(&p->model, run);
	return run_is_same(p, "free", &out, &gone) &&
	       pair_words(p, "free", gone.page, gone.npages);
}

/* What comes of it: pages behind the run that are free, and of its kind. */
static int resize_wanted(const struct pair *p, const struct model_run *run,
			 u32 npages, bool longer)
{
	const struct model *m = &p->model;
	u32 kind = m->arena[run->page / BURROW_ARENA_PAGES]->kind, i;

	if (longer ? npages <= run->npages : npages >= run->npages || !npages)
		return -EINVAL;
	for (i = run->npages; i < npages; i++)
		if (!model_is_free(m, run->page + i) ||
		    !model_is_of(m, run->page + i, kind))
			return -ENOSPC;
	return 0;
}

bool pair_resize(struct pair *p, u32 page, u32 gen, u32 npages, bool longer)
{
	struct model_run *run = model_run_at(&p->model, page);
	int want = pair_name_is_good(p, page, gen), got;
	struct bw_run out = { 0 }, tail;

	if (p->why[0])
		return false;
	if (!want) {
		npages += -npages % model_unit(p->model.arena[page /
						BURROW_ARENA_PAGES]->kind);
		want = resize_wanted(p, run, npages, longer);
	}
	got = longer ? bw_core_span_extend(&p->core, page, gen, npages, &out) :
		       bw_core_span_trim(&p->core, page, gen, npages, &out);
	if (got != want)
		return pair_differs(p, "%u gen %u to %u pages is %d, not %d",
				    page, gen, npages, got, want);
	if (got)
		return pair_counts(p, "resize");
	tail = longer ? (struct bw_run){ page + run->npages,
					 npages - run->npages, gen } :
			(struct bw_run){ page + npages, run->npages - npages,
					 gen };
	model_run_resize(&p->model, run, npages);
	if (memcmp(&out, &tail, sizeof(tail)))
		return pair_differs(p, "resize gave %u+%u, not %u+%u", out.page,
				    out.npages, tail.page, tail.npages);
	return pair_words(p, "resize", tail.page, tail.npages) &&
	       pair_words(p, "resize", page, min(npages, 2U));
}

/* Room for one claim more: without it the move is not made. */
static bool claims_full(const struct pair *p)
{
	return p->nr_claims == PAIR_CLAIMS;
}

static void claim_add(struct pair *p, const struct bw_run *out,
		      const struct model_run *run, bool discard)
{
	p->claim[p->nr_claims++] = (struct pair_claim){
		.run = *out,
		.index = (u32)(run - p->model.run),
		.serial = run->serial,
		.discard = discard,
	};
}

bool pair_discard(struct pair *p, u32 page, u32 npages)
{
	struct model_run *run = model_run_at(&p->model, page);
	int want = 0, got;
	struct bw_run out;

	if (p->why[0])
		return false;
	if (claims_full(p))
		return true;
	if (!run || run->state == MODEL_RECLAIMING ||
	    (u64)page + npages > (u64)run->page + run->npages)
		want = -ESTALE;
	else if (run->state == MODEL_DISCARDING)
		want = -EBUSY;
	got = bw_core_discard_begin(&p->core, page, npages, &out);
	if (got != want)
		return pair_differs(p, "discard of %u+%u is %d, not %d", page,
				    npages, got, want);
	if (got)
		return pair_counts(p, "discard");
	model_run_move(&p->model, run, MODEL_DISCARDING);
	claim_add(p, &out, run, true);
	return run_is_same(p, "discard", &out, run) &&
	       pair_words(p, "discard", run->page, run->npages);
}

bool pair_reclaim(struct pair *p, u32 page, u32 end, u32 most)
{
	u32 from = page, n = 0;
	struct model_run *run;
	struct bw_run out;
	bool got;

	if (p->why[0])
		return false;
	if (claims_full(p))
		return true;
	while (page < end &&
	       !(n = model_reclaimable(&p->model, page, end, most)))
		page += model_is_mapped(&p->model, page) ? 1 :
			BURROW_ARENA_PAGES - page % BURROW_ARENA_PAGES;
	got = bw_core_reclaim_begin(&p->core, from, end, most, &out);
	if (got != !!n)
		return pair_differs(p, "reclaim in %u to %u: %d, not %u+%u",
				    from, end, got, page, n);
	if (!got)
		return pair_counts(p, "reclaim");
	run = model_run_add(&p->model, page, n, MODEL_RECLAIMING);
	run->gen = next_gen(p);
	run->needzero = false;
	claim_add(p, &out, run, false);
	return run_is_same(p, "reclaim", &out, run) &&
	       pair_words(p, "reclaim", run->page, run->npages);
}

bool pair_claim_end(struct pair *p, u32 claim)
{
	struct pair_claim c = p->claim[claim];
	struct model_run *run = &p->model.run[c.index];
	bool there = run->npages && run->serial == c.serial;

	if (p->why[0])
		return false;
	if (bw_core_run_is_there(&p->core, &c.run) != there)
		return pair_differs(p, "claim of %u gen %u stands: not %d",
				    c.run.page, c.run.gen, there);
	p->claim[claim] = p->claim[--p->nr_claims];
	if (c.discard)
		bw_core_discard_end(&p->core, &c.run);
	else
		bw_core_reclaim_end(&p->core, &c.run);
	if (!there)
		return pair_counts(p, "end of a claim that is gone");
	if (c.discard)
		model_run_move(&p->model, run, MODEL_LIVE);
	else
		model_run_del(&p->model, run);
	return pair_words(p, "end", c.run.page, c.run.npages);
}

bool pair_touch(struct pair *p, u32 page, u32 npages, bool resident)
{
	struct model_run *run = model_run_at(&p->model, page);
	u32 unit;

	if (p->why[0])
		return false;
	if (!run || run->state == MODEL_RECLAIMING)
		return true;
	npages = min(npages, run->page + run->npages - page);
	unit = model_unit(p->model.arena[page / BURROW_ARENA_PAGES]->kind);
	npages += page % unit;
	page -= page % unit;
	npages += (unit - npages % unit) % unit;
	model_set_resident(&p->model, page, npages, resident);
	if (resident)
		bw_core_set_resident(&p->core, page, npages);
	else
		bw_core_clear_resident(&p->core, page, npages);
	return pair_words(p, "touch", page, npages);
}
