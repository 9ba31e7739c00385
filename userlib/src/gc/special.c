// SPDX-License-Identifier: MIT
/*
 * special: see special.h. A hash table with open addressing; entries that are
 * taken out leave no gap (those behind move up).
 */
#include "barrier.h"
#include "base/section.h"
#include "base/sysmem.h"
#include "base/throw.h"
#include "burrow/barrier.h"
#include "burrow/go.h"
#include "sched/sched.h"
#include "special.h"

#define LEAST	1024U

/**
 * struct bw_weak - a weak reference					[lock]
 * @hidden:	its object's address, inverted; ~0: it is dead		[atomic]
 * @refs:	bw_weak_make() less bw_weak_free()
 * @next:	unused ones
 */
struct bw_weak {
	u64 hidden;
	u64 refs;
	struct bw_weak *next;
};

/**
 * struct special - an object						[lock]
 * @hidden:	its address, inverted; 0: there is none
 * @fn:		its finalizer, or NULL
 * @arg:	for it
 * @weak:	its weak reference, or NULL
 */
struct special {
	u64 hidden;
	bw_final_fn *fn;
	void *arg;
	struct bw_weak *weak;
};

/**
 * struct due - a finalizer that is to run				[lock]
 */
struct due {
	void *obj;
	bw_final_fn *fn;
	void *arg;
};

/**
 * struct specials - all there are
 * @lock:	of all of it, but in stops
 * @at:		the table						[lock]
 * @room:	for so many, a power of two				[lock]
 * @nr:		so many there are					[lock]
 * @due:	a ring							[lock]
 * @due_room:	for so many: @nr and more				[lock]
 * @due_first:	the next to run						[lock]
 * @nr_due:	how many						[lock]
 * @unused:	weak references						[lock]
 * @run:	of which bw_run() the G is that runs them; 0: none	[lock]
 * @nr_cycles:	objects that were on a cycle when last looked		[collector]
 */
static struct specials {
	struct bw_lock lock;
	struct special *at;
	size_t room;
	size_t nr;
	struct due *due;
	size_t due_room;
	size_t due_first;
	size_t nr_due;
	struct bw_weak *unused;
	u32 run;
	size_t nr_cycles;
} all = { .lock.rank = BW_RANK_GC_SPECIAL };

static size_t place(u64 hidden, size_t room)
{
	return (hidden * 0x9e3779b97f4a7c15ULL >> 20) & (room - 1);
}

static struct special *find_locked(u64 hidden)
{
	size_t i;

	if (!all.room)
		return NULL;
	for (i = place(hidden, all.room); all.at[i].hidden;
	     i = (i + 1) & (all.room - 1))
		if (all.at[i].hidden == hidden)
			return &all.at[i];
	return NULL;
}

static void insert(struct special *at, size_t room, const struct special *s)
{
	size_t i = place(s->hidden, room);

	while (at[i].hidden)
		i = (i + 1) & (room - 1);
	at[i] = *s;
}

/* What stands behind and could stand here moves up, until a gap. */
static void take_out(struct special *s)
{
	size_t hole = (size_t)(s - all.at), mask = all.room - 1, i = hole;

	for (;;) {
		size_t home;

		i = (i + 1) & mask;
		if (!all.at[i].hidden)
			break;
		home = place(all.at[i].hidden, all.room);
		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		all.at[hole] = all.at[i];
		hole = i;
	}
	all.at[hole] = (struct special){ .hidden = 0 };
	all.nr--;
}

static bool table_grow_locked(void)
{
	size_t room = all.room ? 2 * all.room : LEAST, i;
	struct special *at = bw_sys_alloc(room * sizeof(*at));

	if (!at)
		return false;
	for (i = 0; i < all.room; i++)
		if (all.at[i].hidden)
			insert(at, room, &all.at[i]);
	bw_sys_free(all.at, all.room * sizeof(*at));
	all.at = at;
	all.room = room;
	return true;
}

static bool due_grow_locked(void)
{
	size_t room = all.due_room ? 2 * all.due_room : LEAST, i;
	struct due *due = bw_sys_alloc(room * sizeof(*due));

	if (!due)
		return false;
	for (i = 0; i < all.nr_due; i++)
		due[i] = all.due[(all.due_first + i) & (all.due_room - 1)];
	bw_sys_free(all.due, all.due_room * sizeof(*due));
	all.due = due;
	all.due_room = room;
	all.due_first = 0;
	return true;
}

/* An entry for the object, in which nothing is yet; all that it may need later. */
static struct special *make_locked(u64 hidden)
{
	struct special *s = find_locked(hidden);
	struct special new = { .hidden = hidden };

	if (s)
		return s;
	if (2 * (all.nr + 1) > all.room && !table_grow_locked())
		return NULL;
	if (all.nr_due + all.nr + 1 > all.due_room && !due_grow_locked())
		return NULL;
	insert(all.at, all.room, &new);
	all.nr++;
	return find_locked(hidden);
}

/* F5: from now on frees in this span are told to us. */
static void span_mark(struct bw_mheap *h, struct bw_mspan *s)
{
	bw_mspan_set_special(h, s);
}

static struct bw_mspan *span_of_object(struct bw_mheap *h, const void *p,
				       const char *who)
{
	struct bw_mspan *s;
	void *obj = bw_mark_find(h, (u64)(uintptr_t)p, &s);

	if (!obj || obj != p)
		bw_fatal("%s(%p): no object of the collector's begins there",
			 who, p);
	if (s->spanclass == BW_SC_TINY && s->cls)
		bw_fatal("%s(%p): objects of less than 16 bytes without "
			 "pointers share memory", who, p);
	return s;
}

int bw_special_set_final(struct bw_mheap *h, void *p, bw_final_fn *fn,
			 void *arg)
{
	u64 hidden = ~(u64)(uintptr_t)p;
	struct special *s;
	int err = 0;

	span_mark(h, span_of_object(h, p, "bw_finalizer_set"));
	bw_lock(&all.lock);
	s = fn ? make_locked(hidden) : find_locked(hidden);
	if (s) {
		s->fn = fn;
		s->arg = arg;
		if (!fn && !s->weak)
			take_out(s);
	} else if (fn) {
		err = -ENOMEM;
	}
	bw_unlock(&all.lock);
	return err;
}

static struct bw_weak *weak_new_locked(u64 hidden)
{
	struct bw_weak *w = all.unused, *page;
	u32 i;

	if (!w) {
		page = bw_sys_alloc(BW_SYS_PAGE);
		if (!page)
			return NULL;
		for (i = 0; i < BW_SYS_PAGE / sizeof(*page); i++) {
			page[i].next = all.unused;
			all.unused = &page[i];
		}
		w = all.unused;
	}
	all.unused = w->next;
	w->hidden = hidden;
	w->refs = 0;
	return w;
}

struct bw_weak *bw_special_weak(struct bw_mheap *h, void *p)
{
	u64 hidden = ~(u64)(uintptr_t)p;
	struct bw_weak *w = NULL;
	struct special *s;

	span_mark(h, span_of_object(h, p, "bw_weak_make"));
	bw_lock(&all.lock);
	s = make_locked(hidden);
	if (s && !s->weak)
		s->weak = weak_new_locked(hidden);
	if (s && s->weak) {
		w = s->weak;
		w->refs++;
	} else if (s && !s->fn) {
		take_out(s);
	}
	bw_unlock(&all.lock);
	return w;
}

void *bw_special_get(struct bw_weak *w)
{
	void *p;

	bw_section_begin();
	p = (void *)(uintptr_t)~READ_ONCE(w->hidden);
	/* while marking: it may be in no object, and on no stack that is */
	if (p && READ_ONCE(bw_barrier_on))
		bw_shade(p);
	bw_section_end();
	return p;
}

void bw_special_put(struct bw_weak *w)
{
	struct special *s;

	bw_lock(&all.lock);
	if (!w->refs)
		bw_fatal("bw_weak_free(%p): it was freed before", (void *)w);
	if (!--w->refs) {
		s = find_locked(w->hidden);
		if (s) {
			s->weak = NULL;
			if (!s->fn)
				take_out(s);
		}
		w->next = all.unused;
		all.unused = w;
	}
	bw_unlock(&all.lock);
}

void bw_special_freed(struct bw_mheap *h, void *p)
{
	struct special *s;

	bw_lock(&all.lock);
	s = find_locked(~(u64)(uintptr_t)p);
	if (s) {
		if (s->weak)
			WRITE_ONCE(s->weak->hidden, ~0ULL);
		take_out(s);
	}
	bw_unlock(&all.lock);
}

u32 *bw_special_lock(void)
{
	return &all.lock.word;
}

void bw_special_roots(void (*fn)(const char *low, const char *end, void *arg),
		      void *arg)
{
	if (all.nr)
		fn((char *)all.at, (char *)(all.at + all.room), arg);
	if (all.nr_due)
		fn((char *)all.due, (char *)(all.due + all.due_room), arg);
}

static void *object_of(const struct special *s)
{
	return (void *)(uintptr_t)~s->hidden;
}

/* What is reached from dead objects with finalizers; how many these are. */
static size_t keep_what_they_reach(struct bw_marker *m)
{
	size_t i, n = 0;

	for (i = 0; i < all.room; i++) {
		const struct special *s = &all.at[i];

		if (!s->hidden || !s->fn || bw_is_marked(m->h, object_of(s)))
			continue;
		bw_mark_children(m, object_of(s));
		n++;
	}
	return n;
}

static void make_due(const struct special *s)
{
	size_t at = (all.due_first + all.nr_due) & (all.due_room - 1);

	all.due[at] = (struct due){ object_of(s), s->fn, s->arg };
	WRITE_ONCE(all.nr_due, all.nr_due + 1);
}

/* The entry of a dead object goes; its place may have another one now. */
static void bury(struct special *s)
{
	if (s->weak)
		WRITE_ONCE(s->weak->hidden, ~0ULL);
	if (s->fn)
		make_due(s);
	take_out(s);
}

static void tell_cycles(size_t dead, size_t due)
{
	size_t n = dead && !due ? dead : 0;

	if (n && n != all.nr_cycles)
		bw_note("%zu dead objects with finalizers reach each other in "
			"cycles: they are kept, and not finalized", n);
	all.nr_cycles = n;
}

void bw_special_dead(struct bw_marker *m, void (*drain)(struct bw_marker *m))
{
	size_t i, from = all.nr_due, dead;

	if (!all.nr)
		return;
	dead = keep_what_they_reach(m);
	drain(m);
	/* what moves up comes from further on, or was looked at */
	for (i = 0; i < all.room; i++)
		while (all.at[i].hidden &&
		       !bw_is_marked(m->h, object_of(&all.at[i])))
			bury(&all.at[i]);
	tell_cycles(dead, all.nr_due - from);
	for (i = from; i < all.nr_due; i++)
		bw_mark_object(m, all.due[(all.due_first + i) &
					  (all.due_room - 1)].obj);
	drain(m);
}

static bool next_due(struct due *d)
{
	bool more;

	bw_lock(&all.lock);
	more = all.nr_due;
	if (more) {
		*d = all.due[all.due_first];
		all.due[all.due_first].obj = NULL;
		all.due[all.due_first].arg = NULL;
		all.due_first = (all.due_first + 1) & (all.due_room - 1);
		WRITE_ONCE(all.nr_due, all.nr_due - 1);
	} else {
		all.run = 0;
	}
	bw_unlock(&all.lock);
	return more;
}

static void final_main(void *arg)
{
	struct due d;

	while (next_due(&d))
		d.fn(d.obj, d.arg);
}

void bw_special_run(void)
{
	u32 run = READ_ONCE(bw_sched.run);
	bool start;

	if (!READ_ONCE(all.nr_due) || !bw_is_running())
		return;
	bw_lock(&all.lock);
	start = all.nr_due && all.run != run;
	if (start)
		all.run = run;
	bw_unlock(&all.lock);
	if (start && bw_go_named("finalizers", final_main, NULL)) {
		bw_lock(&all.lock);
		all.run = 0;
		bw_unlock(&all.lock);
	}
}
