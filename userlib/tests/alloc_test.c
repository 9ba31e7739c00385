// SPDX-License-Identifier: MIT
/* The API on the heap of the process, by many threads. */
#include "alloc_rig.h"
#include "base/atomic.h"
#include "burrow.h"

#define THREADS	4
#define OBJECTS	500
#define RING	256
#define ITEMS	100000
#define CHURNS	200

static u64 objects(void)
{
	struct bw_memstats st;
	struct bw_mcache *c = bw_mcache_attach();

	if (c)
		bw_mcache_flush_frees(c);
	EXPECT(!bw_memstats(&st));
	return st.nr_objects;
}

static void check(void)
{
	int bad = bw_mheap_check(bw_mheap());

	if (!EXPECT(!bad))
		printf("# invariant %d\n", bad);
}

static void each_call_gives_what_it_says(void)
{
	static const size_t sizes[] = {
		0, 1, 8, 15, 16, 17, 100, 1024, 1025, 32768, 32769, 1 << 20,
	};
	u64 *word;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		size_t n = sizes[i];
		u8 *p = bw_alloc(n), *q = bw_alloc_noscan(n);
		u8 *r = bw_alloc_raw(n);

		EXPECT(p && q && r && p != q && q != r);
		EXPECT(rig_is_filled(p, n, 0) && rig_is_filled(q, n, 0));
		EXPECT(bw_usable_size(p) >= n);
		EXPECT(n < 16 || bw_usable_size(r) >= n);
		EXPECT(n < 16 || (uintptr_t)p % 16 == 0);
		memset(p, 1, n);
		memset(q, 2, n);
		memset(r, 3, n);
		bw_free(p);
		bw_free(q);
		bw_free(r);
	}
	bw_free(NULL);
	EXPECT(bw_usable_size(NULL) == 0);
	word = bw_new_plain(u64);
	EXPECT(word && !*word);
	bw_free(word);
	word = bw_new_plain_array(u64, 100);
	EXPECT(word && !word[99] && bw_usable_size(word) >= 800);
	bw_free(word);
}

static void too_much_is_null_and_enomem(void)
{
	size_t n[] = { SIZE_MAX, SIZE_MAX - 15, 1ULL << 62, 2ULL << 40 };
	struct bw_region *r = bw_region_make();
	u32 i;

	for (i = 0; i < ARRAY_SIZE(n); i++) {
		errno = 0;
		EXPECT(!bw_alloc(n[i]) && errno == ENOMEM);
		errno = 0;
		EXPECT(!bw_alloc_raw(n[i]) && errno == ENOMEM);
		errno = 0;
		EXPECT(!bw_alloc_array(n[i], 1) && errno == ENOMEM);
		errno = 0;
		EXPECT(r && !bw_region_alloc(r, n[i]) && errno == ENOMEM);
	}
	errno = 0;
	EXPECT(!bw_new_plain_array(u64, SIZE_MAX / 8 + 2) && errno == ENOMEM);
	errno = 0;
	EXPECT(!bw_alloc_array(1ULL << 32, 1ULL << 32) && errno == ENOMEM);
	bw_region_reset(r);
	bw_region_free(r);
	bw_region_free(NULL);
}

static void *random_trace(void *arg)
{
	struct shadow o[OBJECTS] = { { .p = NULL } };
	u64 seed = (uintptr_t)arg;
	u32 i;

	for (i = 0; i < 30000; i++) {
		u64 r = rig_random(&seed);
		struct shadow *at = &o[r % OBJECTS];

		if (at->p) {
			EXPECT(rig_is_filled(at->p, at->n, at->fill));
			bw_free(at->p);
			at->p = NULL;
			continue;
		}
		at->n = rig_size(&seed);
		at->fill = (u8)(r >> 32 | 1);
		at->p = bw_alloc(at->n);
		if (!EXPECT(at->p && rig_is_filled(at->p, at->n, 0)))
			break;
		memset(at->p, at->fill, at->n);
	}
	for (i = 0; i < OBJECTS; i++)
		bw_free(o[i].p);
	return NULL;
}

static void run_threads(u32 nr, void *(*fn)(void *arg), u64 seed)
{
	pthread_t t[THREADS];
	u32 i;

	for (i = 0; i < nr; i++)
		EXPECT(!pthread_create(&t[i], NULL, fn,
				       (void *)(uintptr_t)(seed + i)));
	for (i = 0; i < nr; i++)
		pthread_join(t[i], NULL);
}

static void threads_do_not_meet_in_each_others_objects(void)
{
	u64 before = objects();

	run_threads(THREADS, random_trace, tap_seed(11));
	EXPECT(objects() == before);
	check();
}

/* Objects through rings: each slot is empty or holds one. */
static void *ring[2][RING];

static void *produce(void *arg)
{
	uintptr_t which = (uintptr_t)arg % 2;
	u64 seed = which + 1;
	u32 i;

	for (i = 0; i < ITEMS; i++) {
		size_t n = 16 + rig_random(&seed) % 500;
		void **at = &ring[which][i % RING];
		u8 *p = bw_alloc(n);

		if (!EXPECT(p && rig_is_filled(p, n, 0)))
			p = NULL;
		memset(p, (int)(i % 255 + 1), 16);
		while (READ_ONCE(*at))
			sched_yield();
		/* pairs with consume() */
		smp_store_release(at, p);
	}
	return NULL;
}

static void *consume(void *arg)
{
	uintptr_t which = (uintptr_t)arg % 2;
	u32 i;

	for (i = 0; i < ITEMS; i++) {
		void **at = &ring[which][i % RING];
		u8 *p;

		/* pairs with produce() */
		while (!smp_load_acquire(at))
			sched_yield();
		p = xchg(at, NULL);
		EXPECT(rig_is_filled(p, 16, (u8)(i % 255 + 1)));
		bw_free(p);
	}
	return NULL;
}

static void *produce_or_consume(void *arg)
{
	uintptr_t n = (uintptr_t)arg;

	return n / 2 % 2 ? produce(arg) : consume(arg);
}

static void what_one_thread_made_another_frees(void)
{
	u64 before = objects(), used = bw_mheap()->used_pages;

	run_threads(4, produce_or_consume, 0);
	EXPECT(objects() == before);
	EXPECT(bw_mheap()->used_pages <= used);
	check();
}

static void *kept[CHURNS];

static void *come_and_go(void *arg)
{
	uintptr_t me = (uintptr_t)arg;
	struct shadow o[64] = { { .p = NULL } };
	u64 seed = me + 1;
	u32 i;

	for (i = 0; i < 2000; i++) {
		struct shadow *at = &o[rig_random(&seed) % 64];

		bw_free(at->p);
		at->p = bw_alloc(rig_random(&seed) % 2000);
		EXPECT(at->p);
	}
	for (i = 0; i < 64; i++)
		bw_free(o[i].p);
	kept[me] = bw_alloc(48);
	EXPECT(kept[me]);
	memset(kept[me], 0x3c, 48);
	return NULL;
}

static void two_hundred_threads_come_and_go_and_leave_nothing(void)
{
	u64 before, used;
	pthread_t t[10];
	uintptr_t i;

	EXPECT(bw_mcache_attach());
	bw_mcache_flush(bw_mcache_attach());
	before = objects();
	used = bw_mheap()->used_pages;
	for (i = 0; i < CHURNS; i++) {
		if (i >= 10)
			pthread_join(t[i % 10], NULL);
		EXPECT(!pthread_create(&t[i % 10], NULL, come_and_go,
				       (void *)i));
	}
	for (i = 0; i < 10; i++)
		pthread_join(t[i], NULL);
	/* what they kept lives on: at worst 170 slots of 48 bytes to a page */
	EXPECT(objects() == before + CHURNS);
	EXPECT(bw_mheap()->used_pages <= used + CHURNS);
	for (i = 0; i < CHURNS; i++) {
		EXPECT(rig_is_filled(kept[i], 48, 0x3c));
		bw_free(kept[i]);
	}
	EXPECT(objects() == before);
	bw_mcache_flush(bw_mcache_attach());
	EXPECT(bw_mheap()->used_pages == used);
	check();
}

/*
 * One span of 256 slots. The first ten of each window stay allocated, the last
 * slot of all stays free; others come and go, and so does the span.
 */
static struct bw_mspan *watched;
static bool watch_over;
/* Which slot was allocated last, in which round; 0 when it is freed again. */
static u32 newest;

static bool comes_and_goes(u32 i)
{
	return i % 64 >= 10 && i != 255;
}

static void *move_windows(void *arg)
{
	struct bw_mcache *c = arg;
	u32 sc = watched->spanclass, i, k;

	for (k = 1; k <= 10000; k++) {
		bw_mcache_flush(c);
		for (i = 0; i < 256; i++)
			if (comes_and_goes(i))
				mcache_free(c, watched->base + i * 32);
		bw_mcache_flush_frees(c);
		for (i = 0; i < 256; i++) {
			if (!comes_and_goes(i))
				continue;
			EXPECT(mcache_alloc(c, sc, 32, false));
			WRITE_ONCE(newest, k << 8 | i);
		}
		WRITE_ONCE(newest, 0);
		EXPECT(c->span[sc] == watched);
	}
	WRITE_ONCE(watch_over, true);
	return NULL;
}

/* Slots are taken in order, so that all up to the newest are taken. */
static void look_at_newest(void)
{
	u32 now = READ_ONCE(newest), i = now & 255;
	bool seen;

	if (!now)
		return;
	seen = bw_mspan_is_allocated(watched, i - i % 64 + 10);
	if (READ_ONCE(newest) >> 8 == now >> 8)
		EXPECT(seen);
}

static void a_slot_is_seen_as_it_is_while_windows_move(void)
{
	u32 sc = bw_spanclass(bw_class_of(32), BURROW_KIND_NOSCAN), i;
	struct bw_mheap *h = rig_mheap();
	struct bw_mcache *c = bw_mcache_make(h);
	pthread_t t;

	if (!EXPECT(c))
		return;
	for (i = 0; i < 255; i++)
		EXPECT(mcache_alloc(c, sc, 32, false));
	watched = c->span[sc];
	EXPECT(watched->nelems == 256);
	EXPECT(!pthread_create(&t, NULL, move_windows, c));
	while (!READ_ONCE(watch_over)) {
		for (i = 0; i < 256; i += i % 64 == 9 ? 55 : 1)
			EXPECT(bw_mspan_is_allocated(watched, i));
		EXPECT(!bw_mspan_is_allocated(watched, 255));
		for (i = 0; i < 100; i++)
			look_at_newest();
	}
	pthread_join(t, NULL);
	for (i = 0; i < 255; i++)
		mcache_free(c, watched->base + i * 32);
	bw_mcache_release(c);
	rig_expect_empty(h);
	bw_mheap_close(h);
}

static pthread_key_t late_key;

static void late(void *arg)
{
	u8 *p = bw_alloc(100);

	EXPECT(p && rig_is_filled(p, 100, 0));
	bw_free(p);
	bw_free(arg);
}

static void *use_late_key(void *arg)
{
	EXPECT(!pthread_setspecific(late_key, bw_alloc(200)));
	return NULL;
}

static void a_destructor_may_allocate_after_the_cache_is_gone(void)
{
	u64 before = objects();

	/* made after the heap's key: its destructors run after it */
	EXPECT(!pthread_key_create(&late_key, late));
	run_threads(2, use_late_key, 0);
	pthread_key_delete(late_key);
	EXPECT(objects() == before);
	check();
}

int main(void)
{
	/* objects are counted */
	setenv("BURROW_GC", "off", 1);
	TEST(each_call_gives_what_it_says);
	TEST(too_much_is_null_and_enomem);
	TEST(threads_do_not_meet_in_each_others_objects);
	TEST(what_one_thread_made_another_frees);
	TEST(two_hundred_threads_come_and_go_and_leave_nothing);
	TEST(a_slot_is_seen_as_it_is_while_windows_move);
	TEST(a_destructor_may_allocate_after_the_cache_is_gone);
	return tap_end();
}
