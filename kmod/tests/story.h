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
	struct bw_span_req req = { .npages = st->a, .align = st->b };
	int err = bw_core_span_alloc(core, &req, run);

	return err ? err : (s64)run->page;
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
		return scene_map(sc, st->a) ? 0 : -ENOMEM;
	case STORY_UNMAP:
		scene_unmap(sc, st->a);
		return 0;
	case STORY_ALLOC:
		return story_alloc(core, st, run);
	case STORY_FREE:
		return bw_core_span_free(core, run->page, run->gen, &freed);
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

static inline struct verdict coreheap_row_run(const struct coreheap_row *row)
{
	struct bw_run slot[STORY_SLOTS] = { { 0 } };
	struct verdict v = VERDICT_OK;
	struct scene sc;
	int i;

	if (!scene_make(&sc, STORY_ARENAS))
		return VERDICT("no memory", 0, 0);
	for (i = 0; i < STORY_STEPS && row->step[i].op && !v.why; i++) {
		const struct story_step *st = &row->step[i];
		s64 got = story_do(&sc, st, &slot[st->slot]);

		if (got != st->want)
			v = VERDICT("came of it", got, st->want);
		else if (bw_core_check(&sc.core))
			v = VERDICT("check", bw_core_check(&sc.core), 0);
		v.step = i + 1;
	}
	scene_free(&sc);
	return v;
}

#endif
