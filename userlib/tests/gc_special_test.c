// SPDX-License-Identifier: MIT
/* Finalizers, weak references, and what must not be asked for. */
#include "gc_rig.h"

static u32 ready;

static u32 finals;
static u64 order[4];

static void final_order(void *obj, void *arg)
{
	struct node *n = obj;

	if (finals < ARRAY_SIZE(order))
		order[finals] = n->id;
	EXPECT(n->sum == ~n->id && arg == &finals);
	/* what it reaches is as it was */
	if (n->next)
		EXPECT(n->next->sum == ~n->next->id);
	/* pairs with collect_until() */
	smp_store_release(&finals, finals + 1);
}

static __attribute__((noinline)) void make_chain(u32 nr)
{
	struct node *last = NULL, *n;
	u32 i;

	for (i = 0; i < nr; i++) {
		n = bw_new(node);
		n->id = i;
		n->sum = ~n->id;
		n->next = last;
		last = n;
		EXPECT(!bw_finalizer_set(n, final_order, &finals));
	}
}

/* On a stack that is gone then, with all that was left on it. */
static void chain_maker(void *arg)
{
	make_chain(4);
	WRITE_ONCE(ready, 1);
}

static int chain_main(void *arg)
{
	u32 i;

	finals = 0;
	ready = 0;
	bw_go(chain_maker, NULL);
	while (!READ_ONCE(ready))
		bw_yield();
	EXPECT(collect_until(&finals, 4));
	for (i = 0; i < 4; i++)
		EXPECT(order[i] == 3 - i);
	collect();
	EXPECT(READ_ONCE(finals) == 4);
	return 0;
}

static void finalizers_run_once_and_who_is_needed_runs_later(void)
{
	in_run(chain_main);
}

/* @arg is the test's own counter: who was kept may come in a later test. */
static void final_count(void *obj, void *arg)
{
	fetch_add_relaxed((u32 *)arg, 1);
}

static __attribute__((noinline)) void make_circle(void)
{
	struct node *a = bw_new(node), *b = bw_new(node);

	a->next = b;
	b->next = a;
	EXPECT(!bw_finalizer_set(a, final_count, &finals));
	EXPECT(!bw_finalizer_set(b, final_count, &finals));
}

static int circle_main(void *arg)
{
	u32 i;

	finals = 0;
	for (i = 0; i < 3; i++)
		make_circle();
	for (i = 0; i < 5; i++) {
		collect();
		bw_yield();
	}
	EXPECT(!READ_ONCE(finals));
	return 0;
}

static void circle_child(void *arg)
{
	in_run(circle_main);
}

static void a_circle_of_finalizers_is_kept_and_told(void)
{
	char said[4000];

	EXPECT(!rig_child(circle_child, NULL, said, sizeof(said)));
	EXPECT(strstr(said, "reach each other in cycles"));
}

#define STORM	(SLOW ? 3000 : 30000)

static u32 storm_finals;

static __attribute__((noinline)) void storm_make(u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		EXPECT(!bw_finalizer_set(bw_alloc(16 + i % 200), final_count,
					 &storm_finals));
}

static void storm_maker(void *arg)
{
	u32 i;

	for (i = 0; i < 10; i++) {
		storm_make(STORM / 10);
		bw_gc();
	}
	WRITE_ONCE(ready, 1);
}

static int storm_main(void *arg)
{
	ready = 0;
	bw_go(storm_maker, NULL);
	while (!READ_ONCE(ready))
		bw_yield();
	/* stale words may keep a few for a while */
	EXPECT(collect_until(&storm_finals, STORM - 20));
	EXPECT(READ_ONCE(storm_finals) <= STORM);
	return 0;
}

static void a_storm_of_finalizers_runs_each_once(void)
{
	in_run(storm_main);
}

static __attribute__((noinline)) struct bw_weak *make_weak(void **keep)
{
	u64 *p = bw_alloc(64);
	struct bw_weak *w = bw_weak_make(p);

	EXPECT(w && bw_weak_make(p) == w && bw_weak_get(w) == p);
	bw_weak_free(w);
	*keep = p;
	return w;
}

static int weak_main(void *arg)
{
	static void *volatile keep;
	static u32 weak_finals;
	struct bw_weak *w[20];
	u32 i, left;
	void *p;

	w[0] = make_weak((void **)&keep);
	collect();
	EXPECT(bw_weak_get(w[0]) == keep);
	for (i = 1; i < 20; i++)
		w[i] = make_weak(&p);
	keep = NULL;
	p = NULL;
	collect();
	for (i = 0, left = 0; i < 20; i++) {
		left += !!bw_weak_get(w[i]);
		bw_weak_free(w[i]);
	}
	EXPECT(left < 5);
	/* freed by hand, on the fast path: neither sees the next one there */
	for (i = 0; i < 10; i++) {
		p = bw_alloc(64);
		w[0] = bw_weak_make(p);
		EXPECT(!bw_finalizer_set(p, final_count, &weak_finals));
		bw_free(p);
		EXPECT(!bw_weak_get(w[0]));
		bw_weak_free(w[0]);
		p = bw_alloc(64);
	}
	p = NULL;
	collect();
	bw_yield();
	EXPECT(!READ_ONCE(weak_finals));
	return 0;
}

static void weak_references_keep_nothing_and_end_with_their_object(void)
{
	in_run(weak_main);
}

static void special_tiny(void *arg)
{
	bw_finalizer_set(bw_alloc_noscan(4), final_count, &finals);
}

static void special_inside(void *arg)
{
	bw_weak_make((char *)bw_alloc(64) + 8);
}

static void unpin_unpinned(void *arg)
{
	bw_unpin(bw_alloc(64));
}

static void root_unknown(void *arg)
{
	bw_root_del(&finals);
}

static void misuse_is_a_message(void)
{
	static const struct {
		void (*fn)(void *arg);
		const char *says;
	} row[] = {
		{ special_tiny, "share memory" },
		{ special_inside, "begins there" },
		{ unpin_unpinned, "not pinned" },
		{ root_unknown, "no root was added" },
	};
	char said[1000];
	u32 i;

	for (i = 0; i < ARRAY_SIZE(row); i++) {
		EXPECT(rig_aborted(rig_child(row[i].fn, NULL, said,
					     sizeof(said))));
		EXPECT(strstr(said, row[i].says));
	}
}

#define DUE	16U

static u32 gate, nr_good;
static u64 due_secret[DUE];

/* Until the gate is open all of them are due, but for one. */
static void final_at_gate(void *obj, void *arg)
{
	const struct node *n = obj;

	while (!READ_ONCE(gate))
		bw_yield();
	if (n->id < DUE && n->sum == ~n->id && hide(n) == due_secret[n->id])
		fetch_add_relaxed(&nr_good, 1);
	/* pairs with collect_until() */
	smp_store_release((u32 *)arg, *(u32 *)arg + 1);
}

static void due_maker(void *arg)
{
	struct node *n;
	u32 i;

	for (i = 0; i < DUE; i++) {
		n = bw_new(node);
		n->id = i;
		n->sum = ~n->id;
		due_secret[i] = hide(n);
		EXPECT(!bw_finalizer_set(n, final_at_gate, &finals));
	}
	WRITE_ONCE(ready, 1);
}

/* Cycles come and go, and all that is free is taken by others. */
static int due_main(void *arg)
{
	u32 i, k;

	finals = 0;
	ready = 0;
	bw_go(due_maker, NULL);
	while (!READ_ONCE(ready))
		bw_yield();
	for (i = 0; i < 3; i++) {
		collect();
		for (k = 0; k < DUE; k++)
			EXPECT(is_there(due_secret[k]));
		for (k = 0; k < 2000; k++)
			bw_new(node)->id = ~0ULL;
	}
	WRITE_ONCE(gate, 1);
	EXPECT(collect_until(&finals, DUE));
	EXPECT(READ_ONCE(nr_good) == DUE);
	return 0;
}

static void who_is_due_is_kept_until_the_finalizer_has_run(void)
{
	in_run(due_main);
}

int main(void)
{
	gc_as_usual();
	/* in children, before there is a heap here */
	TEST(a_circle_of_finalizers_is_kept_and_told);
	TEST(misuse_is_a_message);
	TEST(finalizers_run_once_and_who_is_needed_runs_later);
	TEST(a_storm_of_finalizers_runs_each_once);
	TEST(who_is_due_is_kept_until_the_finalizer_has_run);
	TEST(weak_references_keep_nothing_and_end_with_their_object);
	TEST(the_heap_is_whole_in_the_end);
	return tap_end();
}
