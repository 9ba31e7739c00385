// SPDX-License-Identifier: MIT
/*
 * coreheap_fuzz: bytes are moves of a page heap and its model.
 *
 *	libFuzzer, or replay.c with files
 *	  coreheap_fuzz.c	<- here: what the bytes say
 *	    pair.h		each move on both, and every difference
 *
 * The first byte sizes the window, the second tells which of its arenas are
 * mapped, and of what kinds. Each move is an opcode and its arguments; missing
 * bytes are zero. Whatever the bytes are, the moves are legal: the core's callers
 * check ranges before they ask, and so does this one. There may be two heaps, one
 * cloned from the other: moves go to either, both must agree with their models.
 */
#include <stdio.h>
#include <stdlib.h>

#include "pair.h"

#define MOST_MOVES	3000

struct tape {
	const u8 *at;
	const u8 *end;
};

static u32 byte(struct tape *t)
{
	return t->at < t->end ? *t->at++ : 0;
}

static u32 two_bytes(struct tape *t)
{
	u32 low = byte(t);

	return byte(t) << 8 | low;
}

/* A length: one byte while it is small, else in units that reach far. */
static u32 length(struct tape *t)
{
	u32 x = byte(t);

	if (x < 0xc0)
		return 1 + x;
	return 1 + (x & 0x3f) * 512 + byte(t);
}

/* A page near something: of a run, by an arena's border, or anywhere. */
static u32 place(struct tape *t, const struct pair *p)
{
	const struct model *m = &p->model;
	u32 how = byte(t), arena = how >> 2 & 0x1f;
	const struct model_run *run;

	switch (how & 3) {
	case 0:
		if (!m->nr_used)
			return two_bytes(t);
		run = &m->run[m->used[two_bytes(t) % m->nr_used]];
		return run->page + byte(t) % (run->npages + 1);
	case 1:
		return arena * BURROW_ARENA_PAGES + byte(t);
	case 2:
		return (arena + 1) * BURROW_ARENA_PAGES - byte(t);
	default:
		return arena * BURROW_ARENA_PAGES +
		       two_bytes(t) % BURROW_ARENA_PAGES;
	}
}

static const struct model_run *some_run(struct tape *t, const struct pair *p)
{
	const struct model *m = &p->model;
	u32 i = byte(t);

	return m->nr_used ? &m->run[m->used[i % m->nr_used]] : NULL;
}

static bool move_alloc(struct tape *t, struct pair *p, u32 arg, bool batch)
{
	u32 shape = byte(t);
	struct bw_span_req req = {
		.npages = length(t),
		.align = shape & 0xf0 ? 0 : 1U << (shape & 0xf),
		.cls = shape % BURROW_NR_CLASSES,
		.kind = shape % BURROW_NR_KINDS,
		.arena_kind = (arg & 3) % BURROW_NR_ARENA_KINDS,
		.flags = (arg & 4 ? BURROW_W_GUARD : 0) |
			 (arg & 8 ? BURROW_W_HUGE : 0),
	};

	return pair_alloc(p, &req, batch ? 1 + byte(t) % PAIR_BATCH : 1);
}

static bool move_free(struct tape *t, struct pair *p)
{
	const struct model_run *run = some_run(t, p);

	return !run || pair_free(p, run->page, run->gen);
}

static bool move_reclaim(struct tape *t, struct pair *p)
{
	u32 all = p->model.nr_arenas * BURROW_ARENA_PAGES;
	u32 page = place(t, p), end = page + length(t);

	return pair_reclaim(p, min(page, all), min(end, all), length(t));
}

/* The heaps: moves go to @p[0], @p[1] is there or not. */
struct heaps {
	struct pair *p[2];
	struct pair room[2];
};

/* The other heap becomes a clone of this one, unless a claim is open. */
static void move_clone(struct heaps *h)
{
	struct pair *to = h->p[1];

	if (h->p[0]->nr_claims)
		return;
	if (to)
		pair_exit(to);
	h->p[1] = to ? to : &h->room[1];
	pair_clone(h->p[1], h->p[0]);
}

static void move_other(struct heaps *h)
{
	struct pair *was = h->p[0];

	if (!h->p[1])
		return;
	h->p[0] = h->p[1];
	h->p[1] = was;
}

static bool move_rare(struct tape *t, struct heaps *h, u32 arg)
{
	struct pair *p = h->p[0];
	const struct model_run *run;

	switch (arg) {
	case 0:
		return pair_check(p);
	case 1:
		move_clone(h);
		return true;
	case 2:
		move_other(h);
		return true;
	case 3:
		run = some_run(t, p);
		return !run || pair_find(p, run->page, run->gen);
	case 4:
		run = some_run(t, p);
		return !run || pair_find(p, run->page, run->gen - byte(t));
	case 5:
	case 6:
		run = some_run(t, p);
		return !run || pair_resize(p, run->page, run->gen,
					   run->npages + length(t), true);
	case 7:
	case 8:
		run = some_run(t, p);
		return !run || pair_resize(p, run->page, run->gen, length(t),
					   false);
	default:
		return true;
	}
}

/* At most one argument of a call reads the tape: their order is open in C. */
static bool move(struct tape *t, struct heaps *h)
{
	u32 op = byte(t), arg = op >> 4, page;
	struct pair *p = h->p[0];

	switch (op & 0xf) {
	case 0:
		return pair_map(p, byte(t) % p->model.nr_arenas,
				(arg & 3) % BURROW_NR_ARENA_KINDS);
	case 1:
		return pair_unmap(p, byte(t) % p->model.nr_arenas);
	case 2:
	case 3:
		return move_alloc(t, p, arg, false);
	case 4:
		return move_alloc(t, p, arg, true);
	case 5:
	case 6:
		return move_free(t, p);
	case 7:
		page = place(t, p);
		return pair_free(p, page, p->gen - byte(t));
	case 8:
		page = place(t, p);
		return pair_discard(p, page, length(t));
	case 9:
		return move_reclaim(t, p);
	case 10:
	case 11:
		return !p->nr_claims || pair_claim_end(p, arg % p->nr_claims);
	case 12:
		page = place(t, p);
		return pair_touch(p, page, length(t), true);
	case 13:
		page = place(t, p);
		return pair_touch(p, page, length(t), false);
	case 14:
		page = place(t, p);
		return pair_ask(p, page, length(t));
	default:
		return move_rare(t, h, arg);
	}
}

static void or_die(const struct pair *p, bool good)
{
	if (good)
		return;
	fprintf(stderr, "coreheap_fuzz: after %llu moves: %s\n",
		(unsigned long long)p->moves, p->why);
	abort();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct tape t = { data, data + size };
	u32 nr_arenas = 1 + byte(&t) % 20, mapped = byte(&t), i;
	struct heaps h = { .p = { &h.room[0], NULL } };
	u32 kinds = mapped >> 3;

	pair_init(h.p[0], nr_arenas);
	for (i = 0; i < min(nr_arenas, 3U); i++) {
		if (mapped >> i & 1)
			or_die(h.p[0], pair_map(h.p[0], i, kinds %
						BURROW_NR_ARENA_KINDS));
		kinds /= BURROW_NR_ARENA_KINDS;
	}
	for (i = 0; i < MOST_MOVES && t.at < t.end; i++)
		or_die(h.p[0], move(&t, &h));
	for (i = 0; i < 2 && h.p[i]; i++) {
		or_die(h.p[i], pair_check(h.p[i]));
		pair_exit(h.p[i]);
	}
	return 0;
}
