// SPDX-License-Identifier: MIT
/* Full arrays behind stashes: what they keep, for whom, and when they end. */
#include "mcache_rig.h"
#include "base/atomic.h"
#include "heap/sweep.h"

#define MANY	1000U
#define SIZE	64U
/* What a stash of such slots puts on the shelf at once, and what that counts. */
#define ARRAY	47U
#define BYTES	(ARRAY * SIZE + 512)

#define THREADS	4
#define ROUNDS	12

static void make(void **p, u32 nr, size_t n)
{
	u32 i;

	for (i = 0; i < nr; i++) {
		p[i] = alloc(n);
		EXPECT(p[i] && rig_is_filled(p[i], n, 0));
		memset(p[i], 1, n);
	}
}

static void drop(void **p, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++)
		mcache_free(c, p[i]);
}

static void *p[MANY], *q[MANY];

/* No window has a free slot: what comes is from the stash and the shelf. */
static void windows_fill(size_t n)
{
	struct bw_mspan *s = bw_mspan_of(h, alloc(n));

	while (s->free_bits || s->wbase + 64 * s->elem_size <
	       s->base + s->nelems * s->elem_size)
		EXPECT(alloc(n));
}

static void what_was_freed_comes_back_the_last_one_first(void)
{
	u32 i;

	begin();
	make(p, MANY, SIZE);
	windows_fill(SIZE);
	drop(p, MANY);
	EXPECT(!bw_mcache_check(c));
	EXPECT(c->shelved >= (MANY - BW_STASH_SLOTS) / ARRAY * BYTES);
	for (i = 0; i < MANY; i++)
		EXPECT(is_taken(p[i]));
	make(q, MANY, SIZE);
	for (i = 0; i < MANY; i++)
		EXPECT(q[i] == p[MANY - 1 - i]);
	EXPECT(!c->shelved);
	drop(q, MANY);
	bw_mcache_flush(c);
	EXPECT(!is_taken(q[0]) && !is_taken(q[MANY - 1]));
	EXPECT(!c->shelved && !bw_mcache_check(c));
	bw_mcache_release(c);
	EXPECT(!bw_mheap_check(h));
	bw_mheap_close(h);
}

static void what_is_there_does_not_count_as_live(void)
{
	s64 live, all;
	u64 allocated;

	begin();
	make(p, MANY, SIZE);
	windows_fill(SIZE);
	live = READ_ONCE(h->gc.live);
	allocated = READ_ONCE(h->gc.allocated);
	drop(p, MANY);
	all = (s64)(c->shelved / BYTES * ARRAY * SIZE);
	EXPECT(all > 0 && READ_ONCE(h->gc.live) == live - all);
	make(p, MANY, SIZE);
	EXPECT(READ_ONCE(h->gc.live) == live);
	EXPECT(READ_ONCE(h->gc.allocated) == allocated + (u64)all);
	drop(p, MANY);
	allocated = READ_ONCE(h->gc.allocated);
	EXPECT(bw_shelves_flush(c) && !bw_shelves_flush(c));
	bw_mcache_flush_freeing(c);
	EXPECT(READ_ONCE(h->gc.allocated) == allocated);
	/* those of the span that is ours count until it goes */
	EXPECT(READ_ONCE(h->gc.live) <= live - all + 8192);
	EXPECT(!bw_mcache_check(c));
	bw_mcache_release(c);
	bw_mheap_close(h);
}

/* The caller is the world. */
static void a_stop_drops_all_of_it_for_the_sweep(void)
{
	u32 i;

	begin();
	make(p, MANY, SIZE);
	make(q, MANY, 200);
	drop(p, MANY);
	drop(q, MANY);
	bw_sweep_flush(h);
	EXPECT(!c->shelved && !bw_mcache_check(c));
	bw_sweep_begin(h);
	/* it is still to be swept: nobody has it, and nobody gets it */
	for (i = 0; i < 10; i++)
		EXPECT(is_taken(p[i]));
	while (bw_sweep_some(h, 10))
		;
	for (i = 0; i < MANY; i++)
		EXPECT(!is_taken(p[i]));
	/* the arrays are there for others */
	make(p, MANY, SIZE);
	drop(p, MANY);
	EXPECT(c->shelved);
	WRITE_ONCE(h->gc.marking, 1);
	bw_sweep_blacken(h);
	EXPECT(!c->shelved && !bw_mcache_check(c));
	WRITE_ONCE(h->gc.marking, 0);
	bw_mcache_release(c);
	bw_mheap_close(h);
}

static void new_spans_of_another_size_have_it_go_to_its_spans(void)
{
	u32 i;

	begin();
	make(p, MANY, SIZE);
	drop(p, MANY);
	EXPECT(c->shelved > MANY / 2 * SIZE);
	/* as many bytes, and those of a stash and a span */
	make(q, MANY * SIZE / 1024 + 32, 1024);
	EXPECT(!c->shelved);
	for (i = 0; i < MANY - 2 * BW_STASH_SLOTS; i++)
		EXPECT(!is_taken(p[i]));
	drop(q, MANY * SIZE / 1024 + 32);
	bw_shelves_flush(c);
	bw_mcache_release(c);
	EXPECT(!bw_mheap_check(h));
	bw_mheap_close(h);
}

static void all_threads_together_keep_no_more_than_one_may(void)
{
	struct bw_mcache *both[2];
	size_t most[2];
	void **all;
	u32 nr = 24000, i;

	begin();
	both[0] = c;
	both[1] = bw_mcache_make(h);
	all = calloc(nr, sizeof(*all));
	if (!EXPECT(both[1] && all))
		exit(1);
	for (i = 0; i < 2; i++) {
		c = both[i];
		make(all, nr, 1024);
		drop(all, nr);
		most[i] = c->shelved;
		EXPECT(most[i] <= 8UL << 20 && most[i] > 7UL << 20);
		EXPECT(!bw_mcache_check(c));
	}
	c = both[1];
	bw_mcache_release(both[0]);
	make(all, nr, 1024);
	drop(all, nr);
	EXPECT(c->shelved <= 16UL << 20 && c->shelved > 15UL << 20);
	free(all);
	end();
}

static void what_lies_there_is_found_by_who_frees_it_twice(void)
{
	u32 sc;

	begin();
	make(p, MANY, SIZE);
	sc = bw_mspan_of(h, p[3])->spanclass;
	drop(p, MANY);
	EXPECT(bw_shelf_has(c, sc, p[3]));
	make(q, MANY, SIZE);
	EXPECT(!bw_shelf_has(c, sc, p[3]));
	drop(q, MANY);
	bw_shelves_flush(c);
	end();
}

/* What a thread frees of another's, all in no order. */
static struct shadow shadow[THREADS][MANY];

static void one_round(struct bw_mcache *mine, struct shadow *o, u64 *seed)
{
	u32 i, k;

	for (i = 0; i < MANY; i++) {
		if (o[i].p)
			EXPECT(rig_drop(mine, &o[i]));
		EXPECT(rig_make(mine, &o[i], 16 + rig_random(seed) % 90, true,
				(u8)(i + 1)));
	}
	for (i = MANY - 1; i; i--) {
		struct shadow swap = o[i];

		k = (u32)(rig_random(seed) % (i + 1));
		o[i] = o[k];
		o[k] = swap;
	}
	for (i = 0; i < MANY - MANY / 8; i++)
		EXPECT(rig_drop(mine, &o[i]));
}

static pthread_barrier_t turn;

/* Each goes on with what its neighbour had. */
static void *bulks(void *arg)
{
	u32 me = (u32)(uintptr_t)arg, i;
	struct bw_mcache *mine = bw_mcache_make(h);
	u64 seed = me + 77;

	for (i = 0; EXPECT(mine) && i < ROUNDS; i++) {
		pthread_barrier_wait(&turn);
		one_round(mine, shadow[(me + i) % THREADS], &seed);
	}
	if (!mine)
		return NULL;
	for (i = 0; i < MANY; i++)
		if (shadow[(me + ROUNDS - 1) % THREADS][i].p)
			EXPECT(rig_drop(mine,
					&shadow[(me + ROUNDS - 1) % THREADS][i]));
	EXPECT(!bw_mcache_check(mine));
	bw_mcache_release(mine);
	return NULL;
}

static void threads_free_in_bulk_what_others_made(void)
{
	pthread_t t[THREADS];
	u32 i;

	begin();
	EXPECT(!pthread_barrier_init(&turn, NULL, THREADS));
	for (i = 0; i < THREADS; i++)
		EXPECT(!pthread_create(&t[i], NULL, bulks,
				       (void *)(uintptr_t)i));
	for (i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	pthread_barrier_destroy(&turn);
	end();
}

int main(void)
{
	TEST(what_was_freed_comes_back_the_last_one_first);
	TEST(what_is_there_does_not_count_as_live);
	TEST(a_stop_drops_all_of_it_for_the_sweep);
	TEST(new_spans_of_another_size_have_it_go_to_its_spans);
	TEST(all_threads_together_keep_no_more_than_one_may);
	TEST(what_lies_there_is_found_by_who_frees_it_twice);
	TEST(threads_free_in_bulk_what_others_made);
	return tap_end();
}
