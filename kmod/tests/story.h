/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * story: plays a row of rows_coreheap.h, step by step.
 */
#ifndef BW_TESTS_STORY_H
#define BW_TESTS_STORY_H

#include "rows_coreheap.h"

static inline s64 story_reclaim(struct bw_core *core,
				const struct story_step *st,
				struct bw_run *run)
{
	return bw_core_reclaim_begin(core, st->a, st->b, st->c, run) ?
	       (s64)run->page : -1;
}

static inline s64 story_alloc(struct bw_core *core,
			      const struct story_step *st, struct bw_run *run)
{
	struct bw_span_req req = {
		.npages = st->a, .align = st->b, .arena_kind = st->c,
		.flags = st->op == STORY_GUARDED ? BURROW_W_GUARD : 0,
	};
	int err = bw_core_span_alloc(core, &req, run);

	return err ? err : (s64)run->page;
}

/* The slot gets the last of them. */
static inline s64 story_batch(struct bw_core *core,
			      const struct story_step *st, struct bw_run *run)
{
	struct bw_span_req req = { .npages = st->a, .arena_kind = st->c };
	struct bw_run out[STORY_BATCH_MOST];
	u32 got = bw_core_spans_alloc(core, &req, out,
				      min(st->b, STORY_BATCH_MOST));

	if (got && got <= STORY_BATCH_MOST)
		*run = out[got - 1];
	return got;
}

/* The first page that came or went. */
static inline s64 story_resize(struct bw_core *core,
			       const struct story_step *st,
			       const struct bw_run *run)
{
	struct bw_run tail;
	int err = st->op == STORY_EXTEND ?
		  bw_core_span_extend(core, run->page, run->gen, st->a, &tail) :
		  bw_core_span_trim(core, run->page, run->gen, st->a, &tail);

	return err ? err : (s64)tail.page;
}

/* A good name gives the head word, too. */
static inline s64 story_find(const struct bw_core *core,
			     const struct bw_run *run)
{
	u64 word = 0;
	int err = bw_core_span_find(core, run->page, run->gen, &word);

	return !err && word != *bw_span_word(core, run->page) ? -EIO : err;
}

static inline s64 story_discard(struct bw_core *core,
				const struct story_step *st,
				struct bw_run *run)
{
	int err = bw_core_discard_begin(core, st->a, st->b, run);

	return err ? err : (s64)run->page;
}

/* What the step asks for: a question changes nothing. */
static inline s64 story_ask(const struct bw_core *core,
			    const struct story_step *st,
			    const struct bw_run *run)
{
	switch (st->op) {
	case STORY_GEN:
		return run->gen;
	case STORY_LENGTH:
		return run->npages;
	case STORY_NEEDZERO:
		return !!(*bw_span_word(core, run->page) & BURROW_W_NEEDZERO);
	case STORY_STATE:
		return burrow_word_state(*bw_span_word(core, run->page));
	case STORY_FLAGS:
		return *bw_span_word(core, run->page) &
		       (BURROW_W_GUARD | BURROW_W_HUGE);
	case STORY_FIND:
		return story_find(core, run);
	case STORY_FILLABLE:
		return bw_core_page_is_fillable(core, st->a);
	case STORY_RESIDENT:
		return bw_core_is_resident(core, st->a, st->b);
	case STORY_USABLE:
		return bw_core_page_is_usable(core, st->a);
	case STORY_UNUSED:
		return bw_core_range_is_unused(core, st->a, st->b);
	case STORY_SPANS:
		return core->nr_spans;
	case STORY_LIVE:
		return core->nr_live;
	case STORY_NR_FREE:
		return core->nr_free;
	case STORY_LAZY:
		return core->nr_lazy;
	default:
		return -EINVAL;
	}
}

static inline s64 story_do(struct scene *sc, const struct story_step *st,
			   struct bw_run *run)
{
	struct bw_core *core = &sc->core;
	struct bw_run freed;

	switch (st->op) {
	case STORY_MAP:
		return scene_map_of(sc, st->a, st->b) ? 0 : -ENOMEM;
	case STORY_UNMAP:
		scene_unmap(sc, st->a);
		return 0;
	case STORY_ALLOC:
	case STORY_GUARDED:
		return story_alloc(core, st, run);
	case STORY_BATCH:
		return story_batch(core, st, run);
	case STORY_FREE:
		return bw_core_span_free(core, run->page, run->gen, &freed);
	case STORY_EXTEND:
	case STORY_TRIM:
		return story_resize(core, st, run);
	case STORY_TOUCH:
		bw_core_set_resident(core, st->a, st->b);
		return 0;
	case STORY_UNTOUCH:
		bw_core_clear_resident(core, st->a, st->b);
		return 0;
	case STORY_DISCARD:
		return story_discard(core, st, run);
	case STORY_DISCARD_END:
		bw_core_discard_end(core, run);
		return 0;
	case STORY_RECLAIM:
		return story_reclaim(core, st, run);
	case STORY_RECLAIM_END:
		bw_core_reclaim_end(core, run);
		return 0;
	case STORY_SET_GEN:
		core->gen = st->a;
		return 0;
	default:
		return story_ask(core, st, run);
	}
}

/* The heap that the story is about, and the other one. */
struct story {
	struct scene sc[2];
	bool there[2];
	int at;
	struct bw_run slot[STORY_SLOTS];
};

static inline s64 story_clone(struct story *s)
{
	int to = !s->at;

	if (s->there[to])
		scene_free(&s->sc[to]);
	s->there[to] = scene_clone(&s->sc[to], &s->sc[s->at]);
	if (!s->there[to])
		return -ENOMEM;
	s->at = to;
	return 0;
}

static inline s64 story_step(struct story *s, const struct story_step *st)
{
	switch (st->op) {
	case STORY_CLONE:
		return story_clone(s);
	case STORY_OTHER:
		s->at = !s->at;
		return s->there[s->at] ? 0 : -EINVAL;
	default:
		return story_do(&s->sc[s->at], st, &s->slot[st->slot]);
	}
}

/* Both heaps: a move in one must not break the other. */
static inline int story_check(struct story *s)
{
	int i, bad = 0;

	for (i = 0; i < 2 && !bad; i++)
		if (s->there[i])
			bad = bw_core_check(&s->sc[i].core);
	return bad;
}

static inline struct verdict story_play(struct story *s,
					const struct coreheap_row *row)
{
	struct verdict v = VERDICT_OK;
	int i;

	for (i = 0; i < STORY_STEPS && row->step[i].op && !v.why; i++) {
		const struct story_step *st = &row->step[i];
		s64 got = story_step(s, st);
		int bad = story_check(s);

		if (got != st->want)
			v = VERDICT("came of it", got, st->want);
		else if (bad)
			v = VERDICT("check", bad, 0);
		v.step = i + 1;
	}
	return v;
}

static inline struct verdict coreheap_row_run(const struct coreheap_row *row)
{
	struct story *s = scene_zalloc(sizeof(*s));
	struct verdict v = VERDICT("no memory", 0, 0);
	int i;

	if (!s)
		return v;
	s->there[0] = scene_make(&s->sc[0], STORY_ARENAS);
	if (s->there[0])
		v = story_play(s, row);
	for (i = 0; i < 2; i++)
		if (s->there[i])
			scene_free(&s->sc[i]);
	scene_release(s);
	return v;
}

#endif
