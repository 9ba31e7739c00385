// SPDX-License-Identifier: MIT
/* model: every page is moved by set_page(), which does all the counting. */
#include "model.h"

#include <stdlib.h>

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

void model_init(struct model *m, u32 nr_arenas)
{
	memset(m, 0, sizeof(*m));
	m->nr_arenas = nr_arenas;
	m->arena = must(calloc(nr_arenas, sizeof(*m->arena)));
}

static void *copy_of(const void *from, size_t bytes)
{
	return bytes ? memcpy(must(malloc(bytes)), from, bytes) : NULL;
}

void model_clone(struct model *m, const struct model *from)
{
	u32 i;

	*m = *from;
	m->arena = copy_of(from->arena, m->nr_arenas * sizeof(*m->arena));
	for (i = 0; i < m->nr_arenas; i++)
		if (m->arena[i])
			m->arena[i] = copy_of(from->arena[i],
					      sizeof(*m->arena[i]));
	m->run = copy_of(from->run, m->room * sizeof(*m->run));
	m->used = copy_of(from->used, m->room * sizeof(*m->used));
	m->unused = copy_of(from->unused, m->room * sizeof(*m->unused));
}

void model_exit(struct model *m)
{
	u32 i;

	for (i = 0; i < m->nr_arenas; i++)
		free(m->arena[i]);
	free(m->arena);
	free(m->run);
	free(m->used);
	free(m->unused);
}

static struct model_arena *arena_of(const struct model *m, u32 page)
{
	u32 index = page / BURROW_ARENA_PAGES;

	return index < m->nr_arenas ? m->arena[index] : NULL;
}

bool model_is_mapped(const struct model *m, u32 page)
{
	return arena_of(m, page);
}

bool model_is_free(const struct model *m, u32 page)
{
	struct model_arena *a = arena_of(m, page);

	return a && a->state[page % BURROW_ARENA_PAGES] == MODEL_FREE;
}

bool model_is_resident(const struct model *m, u32 page)
{
	struct model_arena *a = arena_of(m, page);

	return a && a->resident[page % BURROW_ARENA_PAGES];
}

bool model_is_lazy(const struct model *m, u32 page)
{
	return model_is_free(m, page) && model_is_resident(m, page);
}

bool model_is_of(const struct model *m, u32 page, u32 kind)
{
	struct model_arena *a = arena_of(m, page);

	return a && a->kind == kind;
}

bool model_is_full(const struct model *m)
{
	u32 kind;

	for (kind = 0; kind < BURROW_NR_ARENA_KINDS; kind++)
		if (m->nr_of[kind] && !m->nr_free_of[kind])
			return true;
	return false;
}

static bool is_live(enum model_state state)
{
	return state == MODEL_LIVE || state == MODEL_DISCARDING;
}

/* The only place where a page of a mapped arena changes. */
static void set_page(struct model *m, u32 page, enum model_state state,
		     bool resident)
{
	struct model_arena *a = arena_of(m, page);
	u32 i = page % BURROW_ARENA_PAGES;

	m->nr_live -= is_live(a->state[i]);
	m->nr_free -= a->state[i] == MODEL_FREE;
	m->nr_free_of[a->kind] -= a->state[i] == MODEL_FREE;
	a->nr_free -= a->state[i] == MODEL_FREE;
	m->nr_lazy -= a->state[i] == MODEL_FREE && a->resident[i];
	a->state[i] = state;
	a->resident[i] = resident;
	m->nr_live += is_live(state);
	m->nr_free += state == MODEL_FREE;
	m->nr_free_of[a->kind] += state == MODEL_FREE;
	a->nr_free += state == MODEL_FREE;
	m->nr_lazy += state == MODEL_FREE && resident;
}

void model_map(struct model *m, u32 index, u32 kind)
{
	m->arena[index] = must(calloc(1, sizeof(*m->arena[index])));
	m->arena[index]->nr_free = BURROW_ARENA_PAGES;
	m->arena[index]->kind = kind;
	m->nr_free += BURROW_ARENA_PAGES;
	m->nr_of[kind]++;
	m->nr_free_of[kind] += BURROW_ARENA_PAGES;
}

void model_unmap(struct model *m, u32 index)
{
	u32 page = index * BURROW_ARENA_PAGES, i;
	u32 kind = m->arena[index]->kind;

	for (i = 0; i < BURROW_ARENA_PAGES; i++) {
		struct model_run *run = model_run_at(m, page + i);

		if (run)
			model_run_del(m, run);
	}
	/* no longer lazy, then no longer there */
	model_set_resident(m, page, BURROW_ARENA_PAGES, false);
	m->nr_free -= BURROW_ARENA_PAGES;
	m->nr_of[kind]--;
	m->nr_free_of[kind] -= BURROW_ARENA_PAGES;
	free(m->arena[index]);
	m->arena[index] = NULL;
}

/* The first free page of a kind at or above @page, or BW_NO_PAGE. */
static u32 next_free(const struct model *m, u32 page, u32 kind)
{
	u32 index = page / BURROW_ARENA_PAGES, off = page % BURROW_ARENA_PAGES;

	for (; index < m->nr_arenas; index++, off = 0) {
		struct model_arena *a = m->arena[index];
		u8 *at;

		if (!a || a->kind != kind || !a->nr_free)
			continue;
		at = memchr(a->state + off, MODEL_FREE,
			    BURROW_ARENA_PAGES - off);
		if (at)
			return index * BURROW_ARENA_PAGES +
			       (u32)(at - a->state);
	}
	return BW_NO_PAGE;
}

u32 model_find(const struct model *m, u32 npages, u32 align, u32 kind)
{
	u32 page = next_free(m, 0, kind);

	while (page != BW_NO_PAGE) {
		u32 n = 0;

		if (page % align) {
			page = next_free(m, page - page % align + align, kind);
			continue;
		}
		while (n < npages && model_is_free(m, page + n) &&
		       model_is_of(m, page + n, kind))
			n++;
		if (n == npages)
			return page;
		page = next_free(m, page + n, kind);
	}
	return BW_NO_PAGE;
}

u32 model_reclaimable(const struct model *m, u32 page, u32 end, u32 most)
{
	struct model_arena *a = arena_of(m, page);
	u32 unit = a ? model_unit(a->kind) : 1, n = 0;

	if (!a || page % unit)
		return 0;
	while (n < max(most, unit) && page + n < end &&
	       model_is_lazy(m, page + n) && model_is_of(m, page + n, a->kind))
		n++;
	return n - n % unit;
}

struct model_run *model_run_at(const struct model *m, u32 page)
{
	if (!model_is_mapped(m, page) || model_is_free(m, page))
		return NULL;
	return &m->run[arena_of(m, page)->owner[page % BURROW_ARENA_PAGES]];
}

static u32 unused_index(struct model *m)
{
	if (m->nr_unused)
		return m->unused[--m->nr_unused];
	if (m->nr_used == m->room) {
		m->room = m->room ? 2 * m->room : 64;
		m->run = must(realloc(m->run, m->room * sizeof(*m->run)));
		m->used = must(realloc(m->used, m->room * sizeof(*m->used)));
		m->unused = must(realloc(m->unused,
					 m->room * sizeof(*m->unused)));
	}
	return m->nr_used;
}

struct model_run *model_run_add(struct model *m, u32 page, u32 npages,
				enum model_state state)
{
	u32 index = unused_index(m), i;
	struct model_run *run = &m->run[index];

	*run = (struct model_run){ .page = page, .npages = npages,
				   .state = state, .place = m->nr_used,
				   .serial = ++m->serial };
	m->used[m->nr_used++] = index;
	m->nr_spans += is_live(state);
	for (i = page; i < page + npages; i++) {
		run->needzero |= model_is_resident(m, i);
		set_page(m, i, state, model_is_resident(m, i));
		arena_of(m, i)->owner[i % BURROW_ARENA_PAGES] = index;
	}
	return run;
}

void model_run_del(struct model *m, struct model_run *run)
{
	u32 last = m->used[--m->nr_used], i;

	for (i = run->page; i < run->page + run->npages; i++)
		set_page(m, i, MODEL_FREE,
			 run->state != MODEL_RECLAIMING &&
			 model_is_resident(m, i));
	m->nr_spans -= is_live(run->state);
	m->used[run->place] = last;
	m->run[last].place = run->place;
	m->unused[m->nr_unused++] = (u32)(run - m->run);
	run->npages = 0;
}

void model_run_move(struct model *m, struct model_run *run,
		    enum model_state state)
{
	u32 i;

	for (i = run->page; i < run->page + run->npages; i++)
		set_page(m, i, state, model_is_resident(m, i));
	run->state = state;
}

void model_run_resize(struct model *m, struct model_run *run, u32 npages)
{
	u32 i;

	for (i = run->page + run->npages; i < run->page + npages; i++) {
		run->needzero |= model_is_resident(m, i);
		set_page(m, i, run->state, model_is_resident(m, i));
		arena_of(m, i)->owner[i % BURROW_ARENA_PAGES] =
			(u32)(run - m->run);
	}
	for (i = run->page + npages; i < run->page + run->npages; i++)
		set_page(m, i, MODEL_FREE, model_is_resident(m, i));
	run->npages = npages;
}

void model_set_resident(struct model *m, u32 page, u32 npages, bool resident)
{
	u32 i;

	for (i = page; i < page + npages; i++) {
		struct model_arena *a = arena_of(m, i);

		set_page(m, i, a->state[i % BURROW_ARENA_PAGES], resident);
	}
}
