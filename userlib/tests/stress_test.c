// SPDX-License-Identifier: MIT
/*
 * Threads allocate, fill, check, free and reclaim in one heap at once. Each
 * span's words say whose it is: a page given twice, taken away while in use or
 * handed out as zero when it is not, shows.
 */
#include "rig.h"

#define NR_THREADS	4
/* in a guest each is a call, and a shootdown between two emulated CPUs */
#define NR_OPS		(rig_is_kernel_mode() ? 300U : 4000U)
#define HELD		24

static struct bw_heap *heap;
static bool done;

/**
 * struct worker - one thread's spans					[owner]
 * @seed:	its random numbers
 * @ref:	spans it holds; npages 0 where it holds none
 * @npages:	their sizes
 * @stamp:	what their words are derived from
 */
struct worker {
	u64 seed;
	struct burrow_span_ref ref[HELD];
	u32 npages[HELD];
	u64 stamp[HELD];
};

static u64 *words(u32 page)
{
	return bw_heap_addr(heap, page);
}

#define STRIDE	(BURROW_PAGE_SIZE / 8 / 4)

static void fill(const struct worker *w, u32 i)
{
	u64 *p = words(w->ref[i].page), n = w->npages[i] * 4, k;

	for (k = 0; k < n; k++)
		p[k * STRIDE] = w->stamp[i] + k;
}

static bool is_filled(const struct worker *w, u32 i)
{
	const u64 *p = words(w->ref[i].page);
	u64 n = w->npages[i] * 4, k;

	for (k = 0; k < n; k++)
		if (p[k * STRIDE] != w->stamp[i] + k)
			return false;
	return true;
}

static bool is_zero(const struct worker *w, u32 i)
{
	const u64 *p = words(w->ref[i].page);
	u64 n = w->npages[i] * BURROW_PAGE_SIZE / 8, k;

	for (k = 0; k < n; k++)
		if (p[k])
			return false;
	return true;
}

static void take(struct worker *w, u32 i)
{
	struct bw_span_want want = rig_want(1 + (u32)(rig_random(&w->seed) %
						      12));
	struct bw_span s;

	if (rig_random(&w->seed) % 2)
		want.flags = BURROW_ALLOC_LAZY;
	if (!EXPECT(!bw_heap_span_alloc(heap, &want, &w->ref[i], 1, NULL)))
		return;
	w->npages[i] = want.npages;
	w->stamp[i] = rig_random(&w->seed);
	if (!EXPECT(bw_heap_span_of(heap, words(w->ref[i].page +
						want.npages - 1), &s)))
		return;
	EXPECT(s.page == w->ref[i].page && s.gen == w->ref[i].gen &&
	       s.npages == want.npages);
	EXPECT(s.needzero || is_zero(w, i));
	fill(w, i);
}

static void let_go(struct worker *w, u32 i)
{
	u32 flags = rig_random(&w->seed) % 3 ? 0 : BURROW_FREE_RECLAIM;

	EXPECT(is_filled(w, i));
	EXPECT(!bw_heap_span_free(heap, flags, &w->ref[i], 1, NULL));
	w->npages[i] = 0;
}

/* Nobody else reclaims a live span: it cannot be busy. */
static void empty(struct worker *w, u32 i)
{
	struct burrow_range r = { w->ref[i].page, w->npages[i] };
	u64 frames;

	EXPECT(is_filled(w, i));
	EXPECT(!bw_heap_span_reclaim(heap, &r, 1, NULL, &frames));
	EXPECT(frames <= 2 * r.npages);
	EXPECT(is_zero(w, i));
	fill(w, i);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	u32 op, i;

	for (op = 0; op < NR_OPS; op++) {
		i = (u32)(rig_random(&w->seed) % HELD);
		if (!w->npages[i])
			take(w, i);
		else if (rig_random(&w->seed) % 4)
			let_go(w, i);
		else
			empty(w, i);
	}
	for (i = 0; i < HELD; i++)
		if (w->npages[i])
			let_go(w, i);
	return NULL;
}

/* Whatever a lookup finds covers what was asked for. */
static void *look_around(void *arg)
{
	u64 seed = 7, found = 0;

	/* pairs with run() */
	while (!smp_load_acquire(&done)) {
		u32 page = (u32)(rig_random(&seed) % 1024);
		struct bw_span s;

		if (!bw_heap_span_of(heap, words(page), &s))
			continue;
		found++;
		EXPECT(s.page <= page && page - s.page < s.npages);
		EXPECT(s.npages <= 12 && s.kind == BURROW_KIND_MANUAL);
	}
	*(u64 *)arg = found;
	return NULL;
}

static void run(bool look)
{
	static struct worker worker[NR_THREADS];
	pthread_t t[NR_THREADS], other;
	struct burrow_heap_stats s;
	u64 found = 0, seed = tap_seed(20240608);
	u32 i;

	heap = rig_heap(1, false);
	done = false;
	for (i = 0; i < NR_THREADS; i++) {
		worker[i].seed = seed + i;
		pthread_create(&t[i], NULL, work, &worker[i]);
	}
	if (look)
		pthread_create(&other, NULL, look_around, &found);
	for (i = 0; i < NR_THREADS; i++)
		pthread_join(t[i], NULL);
	/* pairs with look_around() */
	smp_store_release(&done, true);
	if (look)
		pthread_join(other, NULL);
	EXPECT(!bw_heap_stats(heap, &s));
	if (look)
		printf("# %llu spans found\n", (unsigned long long)found);
	EXPECT(!s.out_spans && s.out_nr_alloc == s.out_nr_free);
	EXPECT(s.out_pages_free == BURROW_ARENA_PAGES);
	EXPECT(!bw_heap_check(heap));
	bw_heap_close(heap);
}

static void threads_never_see_each_others_memory(void)
{
	run(false);
}

static void lookups_while_spans_come_and_go_find_only_true_spans(void)
{
	run(true);
}

#define CHURN		(rig_is_kernel_mode() ? 300U : 3000U)
#define CHURN_PAGES	2

static void *churn(void *arg)
{
	struct bw_span_want want = rig_want(CHURN_PAGES);
	struct burrow_span_ref ref[4];
	u32 i, k;

	for (i = 0; i < CHURN; i++) {
		EXPECT(!bw_heap_span_alloc(heap, &want, ref, 4, NULL));
		for (k = 0; k < 4; k++) {
			struct bw_span s;

			EXPECT(bw_heap_span_of(heap, words(ref[k].page), &s));
			EXPECT(s.needzero || !*words(ref[k].page));
			*words(ref[k].page) = ref[k].gen + 1ULL;
		}
		for (k = 0; k < 4; k++)
			EXPECT(*words(ref[k].page) == ref[k].gen + 1ULL);
		EXPECT(!bw_heap_span_free(heap, i & 1 ? BURROW_FREE_RECLAIM :
					  0, ref, 4, NULL));
	}
	return arg;
}

/* Ranges too long for any span: wholly free, or refused. */
static void *reclaim_free_pages(void *arg)
{
	u64 seed = 99, nr = 0;

	/* pairs with the test's end */
	while (!smp_load_acquire(&done)) {
		struct burrow_range r = {
			(u32)(rig_random(&seed) % 24), CHURN_PAGES + 1,
		};
		int err = bw_heap_span_reclaim(heap, &r, 1, NULL, NULL);

		EXPECT(!err || err == -ESTALE);
		nr += !err;
	}
	*(u64 *)arg = nr;
	return NULL;
}

static void free_pages_are_reclaimed_while_others_allocate(void)
{
	pthread_t t[2], other;
	u64 nr = 0;

	heap = rig_heap(1, false);
	done = false;
	pthread_create(&other, NULL, reclaim_free_pages, &nr);
	pthread_create(&t[0], NULL, churn, NULL);
	pthread_create(&t[1], NULL, churn, NULL);
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	/* pairs with reclaim_free_pages() */
	smp_store_release(&done, true);
	pthread_join(other, NULL);
	printf("# %llu ranges reclaimed\n", (unsigned long long)nr);
	EXPECT(!bw_heap_check(heap));
	bw_heap_close(heap);
}

int main(void)
{
	TEST(threads_never_see_each_others_memory);
	TEST(lookups_while_spans_come_and_go_find_only_true_spans);
	TEST(free_pages_are_reclaimed_while_others_allocate);
	return tap_end();
}
