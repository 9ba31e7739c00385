// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * differential_test: random lives of a page heap and its model.
 *
 *	differential_test.c	<- here: which moves
 *	  pair.h		each move on both, and every difference
 *
 * A life goes through tides: in the flood more is allocated than freed, until
 * there is no page left in arenas of some kind or the tide turns. Now and then
 * the heap is cloned, original and clone live through the same moves, and either
 * lives on. To see a failure again, give BW_SEED the seed it printed; BW_MOVES
 * multiplies the length of every life.
 */
#include "pair.h"
#include "tap.h"

/**
 * struct life - a window, and how to live in it
 * @favour:	the arenas that come and go
 * @large:	the largest span, in pages
 * @often:	a full check after so many moves, a clone more often
 */
struct life {
	const char *name;
	u32 nr_arenas;
	u32 nr_favour;
	u32 favour[8];
	u32 large;
	u32 moves;
	u32 often;
};

#define ARENAS(...)							\
	sizeof((u32[]){ __VA_ARGS__ }) / sizeof(u32), { __VA_ARGS__ }

static const struct life lives[] = {
	{ "one arena", 1, ARENAS(0), 700, 1000000, 20000 },
	{ "three arenas", 3, ARENAS(0, 1, 2), 20000, 500000, 20000 },
	{ "a window of odd size", 19, ARENAS(0, 1, 14, 15, 16, 17, 18), 30000,
	  300000, 20000 },
	{ "300 arenas", 300, ARENAS(0, 1, 254, 255, 256, 257, 299), 20000,
	  300000, 20000 },
	{ "4101 arenas", 4101, ARENAS(0, 15, 16, 4094, 4095, 4096, 4097, 4100),
	  20000, 300000, 40000 },
	{ "the largest window", BURROW_MAX_ARENAS,
	  ARENAS(0, 1, 4095, 4096, 8191, 8192, 16382, 16383), 20000, 300000,
	  40000 },
	{ "small spans only", 2, ARENAS(0, 1), 3, 500000, 20000 },
};

/* What happened in it. */
struct tale {
	u32 full;
	u32 clones;
};

/*
 * splitmix64. No expression draws twice where C leaves the order open: a seed
 * is the same life with every compiler.
 */
static u64 rng;

static u64 draw(void)
{
	u64 x = rng += 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

static u32 below(u32 n)
{
	return (u32)(draw() % n);
}

/* Mostly small, now and then up to @large. */
static u32 draw_npages(u32 large)
{
	static const u32 most[] = { 1, 4, 4, 4, 16, 64, 130, 1024, BW_NO_PAGE };
	u32 i = below(64);

	return 1 + below(min(most[i < 56 ? i % 7 : i < 62 ? 7 : 8], large));
}

static u32 draw_page(const struct life *l)
{
	u32 arena = l->favour[below(l->nr_favour)];
	u32 page = arena * BURROW_ARENA_PAGES + below(BURROW_ARENA_PAGES);

	/* now and then in the next arena, or beyond the window */
	return below(16) ? page : page + BURROW_ARENA_PAGES;
}

static const struct model_run *draw_run(const struct pair *p)
{
	const struct model *m = &p->model;

	return m->nr_used ? &m->run[m->used[below(m->nr_used)]] : NULL;
}

/* The kind of an arena that is there, as a rule. */
static u32 draw_arena_kind(const struct pair *p, const struct life *l)
{
	u32 index = l->favour[below(l->nr_favour)];
	const struct model_arena *a = p->model.arena[index];

	return a && below(8) ? a->kind : below(BURROW_NR_ARENA_KINDS);
}

static bool move_alloc(struct pair *p, const struct life *l)
{
	struct bw_span_req req = { .flags = 0 };

	req.npages = draw_npages(l->large);
	req.align = below(4) ? 0 : 1U << below(below(8) ? 7 : 16);
	req.cls = below(BURROW_NR_CLASSES);
	req.kind = below(BURROW_NR_KINDS);
	req.arena_kind = draw_arena_kind(p, l);
	if (!below(4))
		req.flags |= BURROW_W_GUARD;
	if (!below(8))
		req.flags |= BURROW_W_HUGE;
	return pair_alloc(p, &req, below(4) ? 1 : 1 + below(PAIR_BATCH));
}

static bool move_free(struct pair *p)
{
	const struct model_run *run = draw_run(p);

	return !run || pair_free(p, run->page, run->gen);
}

/* A name that is nearly right; looked up first, and so is a good one. */
static bool move_free_stale(struct pair *p, const struct life *l)
{
	const struct model_run *run = draw_run(p);
	u32 page = draw_page(l), gen = below(1 << 18);

	if (run && !pair_find(p, run->page, run->gen))
		return false;
	if (run && below(4)) {
		bool near = below(2);

		page = run->page + (near ? 0 : 1 + below(3));
		gen = run->gen + (near ? 2 * below(2) - 1 : 0);
	}
	return pair_find(p, page, gen) && pair_free(p, page, gen);
}

static bool move_discard(struct pair *p, const struct life *l)
{
	const struct model_run *run = draw_run(p);
	u32 page = draw_page(l), off;

	if (!run || !below(8))
		return pair_discard(p, page, 1 + below(l->large));
	off = below(run->npages);
	return pair_discard(p, run->page + off,
			    1 + below(run->npages - off + !below(8)));
}

static bool move_reclaim(struct pair *p, const struct life *l)
{
	u32 all = l->nr_arenas * BURROW_ARENA_PAGES;
	u32 page = below(4) ? draw_page(l) : 0;
	u32 end = below(2) ? all : page + below(3 * l->large);

	return pair_reclaim(p, min(page, all), min(end, all),
			    1 + below(below(2) ? 64 : l->large));
}

static bool move_touch(struct pair *p, bool resident)
{
	const struct model_run *run = draw_run(p);
	u32 off, n;

	if (!run)
		return true;
	off = below(4) ? 0 : below(run->npages);
	n = below(4) ? run->npages - off : 1 + below(run->npages - off);
	return pair_touch(p, run->page + off, n, resident);
}

/* Half of all arenas are for the heap's own spans. */
static bool map(struct pair *p, u32 index)
{
	u32 kind = below(2) ? BURROW_ARENA_HEAP : below(BURROW_NR_ARENA_KINDS);

	return pair_map(p, index, kind);
}

static bool move_arena(struct pair *p, const struct life *l)
{
	u32 index = l->favour[below(l->nr_favour)];

	/* more often there than not */
	if (below(3))
		return map(p, index);
	return pair_unmap(p, index);
}

/* Mostly a little longer or shorter than it is. */
static bool move_resize(struct pair *p, const struct life *l)
{
	const struct model_run *run = draw_run(p);
	u32 gen, npages;
	bool longer = below(2);

	if (!run)
		return true;
	gen = run->gen + !below(16);
	npages = longer ? run->npages + below(below(2) ? 70 : l->large) :
			  below(run->npages + 1);
	return pair_resize(p, run->page, gen, npages, longer);
}

static bool move(struct pair *p, const struct life *l, bool flood)
{
	u32 dice = below(1000), page;

	if (dice < 1)
		return move_arena(p, l);
	if (dice < 650)
		return dice % 8 < (flood ? 5 : 2) ? move_alloc(p, l) :
						    move_free(p);
	if (dice < 700)
		return move_free_stale(p, l);
	if (dice < 740)
		return move_discard(p, l);
	if (dice < 780)
		return move_reclaim(p, l);
	if (dice < 850)
		return !p->nr_claims ||
		       pair_claim_end(p, below(p->nr_claims));
	if (dice < 910)
		return move_touch(p, dice % 4);
	if (dice < 970)
		return move_resize(p, l);
	page = draw_page(l);
	return pair_ask(p, page, 1 + below(64));
}

static bool same_moves(struct pair *p, const struct life *l, u64 seed)
{
	u32 n, i;

	rng = seed;
	n = below(3000);
	for (i = 0; i < n; i++)
		if (!move(p, l, seed & 1))
			return false;
	return true;
}

/* What is left out of a clone is cloned and then deleted. */
static bool leave_out(struct pair *clone, const struct life *l)
{
	u32 i;

	for (i = 0; i < l->nr_favour; i++)
		if (below(2) && !pair_unmap(clone, l->favour[i]))
			return false;
	return pair_check(clone);
}

/*
 * The clone behaves as the original, and neither shows in the other: while one
 * moves the other's model stands still.
 */
static bool clone_lives(struct pair *p, struct pair *clone,
			const struct life *l)
{
	u64 seed = draw();

	if (!pair_is_same(clone, p) || !pair_check(clone))
		return false;
	if (!same_moves(p, l, seed) || !pair_check(clone))
		return false;
	if (!same_moves(clone, l, seed) || !pair_check(p))
		return false;
	if (!pair_is_same(clone, p))
		return false;
	return below(2) || (leave_out(clone, l) && pair_check(p));
}

/* Either of the two lives on. */
static bool clone_heap(struct pair *p, const struct life *l)
{
	struct pair clone, old;
	bool good;

	while (p->nr_claims)
		if (!pair_claim_end(p, 0))
			return false;
	pair_clone(&clone, p);
	good = clone_lives(p, &clone, l);
	if (clone.why[0])
		snprintf(p->why, sizeof(p->why), "clone: %.180s", clone.why);
	if (good && below(2)) {
		old = *p;
		*p = clone;
		clone = old;
	}
	pair_exit(&clone);
	return good;
}

static bool live(struct pair *p, const struct life *l, u64 moves,
		 struct tale *tale)
{
	bool flood = true;
	u64 i;

	for (i = 0; i < l->nr_favour; i++)
		map(p, l->favour[i]);
	for (i = 1; i <= moves; i++) {
		bool was_full = model_is_full(&p->model);

		if (!below(4000))
			flood = !flood;
		if (!move(p, l, flood))
			return false;
		if (!was_full && model_is_full(&p->model)) {
			flood = false;
			tale->full++;
		}
		if (i % l->often == 0 && !pair_check(p))
			return false;
		if (below(l->often / 4))
			continue;
		tale->clones++;
		if (!clone_heap(p, l))
			return false;
	}
	/* all of it goes, and nothing stays behind */
	for (i = 0; i < l->nr_favour; i++)
		if (!pair_unmap(p, l->favour[i]) || !pair_check(p))
			return false;
	while (p->nr_claims)
		if (!pair_claim_end(p, 0))
			return false;
	return pair_check(p);
}

int main(void)
{
	u64 seed = tap_env("BW_SEED", 20240229);
	u64 times = tap_env("BW_MOVES", 1);
	size_t i;

	for (i = 0; i < sizeof(lives) / sizeof(lives[0]); i++) {
		const struct life *l = &lives[i];
		struct pair p;
		struct tale tale = { 0 };

		rng = seed + i;
		pair_init(&p, l->nr_arenas);
		if (!tap_ok(live(&p, l, times * l->moves, &tale),
			    "heap and model agree: %s", l->name))
			tap_note("after %llu moves: %s",
				 (unsigned long long)p.moves, p.why);
		tap_note("BW_SEED=%llu: %llu moves, full %u times, %u clones",
			 (unsigned long long)seed, (unsigned long long)p.moves,
			 tale.full, tale.clones);
		pair_exit(&p);
	}
	return tap_end();
}
