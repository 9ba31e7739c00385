// SPDX-License-Identifier: MIT
/* fork() while other threads allocate and free: the child goes on with the heap. */
#include "alloc_rig.h"
#include "burrow/alloc.h"
#include "burrow/gc.h"
#include "heap/sweep.h"

#define THREADS		3
#define FORKS		40
#define SLOTS		200
#define POSTED		64

static bool stop;
static u32 nr_going;			/* [atomic] threads past their start */
static void *posted[POSTED];		/* [atomic] from any thread, for any */

/* Sizes that share few classes: spans are met by all. */
static size_t size_of(u64 r)
{
	return r % 97 ? 16 + r / 97 % 12 * 24 : 1 + r / 97 % 90000;
}

static void churn(void **slot, u64 *seed, u32 times)
{
	while (times--) {
		u64 r = rig_random(seed);
		void **at = &slot[r % SLOTS], *p;

		bw_free(*at);
		*at = r >> 60 & 1 ? bw_alloc(size_of(r >> 8)) :
				    bw_alloc_noscan(size_of(r >> 8));
		if (*at)
			*(volatile char *)*at = 1;
		if (r >> 61 & 1)
			continue;
		/* another thread's, for one of ours */
		p = xchg(&posted[r >> 32 & (POSTED - 1)],
			 bw_alloc(size_of(r >> 16)));
		bw_free(p);
	}
}

static void drop(void **slot)
{
	u32 i;

	for (i = 0; i < SLOTS; i++) {
		bw_free(slot[i]);
		slot[i] = NULL;
	}
}

static void *storm(void *arg)
{
	u64 seed = 4711 + (uintptr_t)arg;
	void *slot[SLOTS] = { NULL };

	churn(slot, &seed, 50);
	fetch_add_relaxed(&nr_going, 1);
	while (!READ_ONCE(stop))
		churn(slot, &seed, 50);
	drop(slot);
	return NULL;
}

static void *thread_of_child(void *arg)
{
	u64 seed = 99;
	void *slot[SLOTS] = { NULL };

	churn(slot, &seed, 2000);
	drop(slot);
	return arg;
}

static void **mine;

/* What the parent's thread has, and what other threads gave away. */
static void in_child(void *arg)
{
	u64 seed = (uintptr_t)arg;
	struct bw_memstats m;
	struct bw_region *r;
	pthread_t thread;
	u32 i;

	if (seed % 3 == 1)
		EXPECT(!bw_memstats(&m) && m.nr_objects);
	if (seed % 3 == 2) {
		/* its first object is another thread's */
		EXPECT(!pthread_create(&thread, NULL, thread_of_child, NULL));
		EXPECT(!pthread_join(thread, NULL));
	}
	for (i = 0; i < POSTED; i++)
		bw_free(posted[i]);
	memset(posted, 0, sizeof(posted));
	for (i = 0; i < SLOTS; i++)
		EXPECT(!mine[i] || *(char *)mine[i] == 1);
	churn(mine, &seed, 5000);
	drop(mine);
	r = bw_region_make();
	EXPECT(r && bw_region_alloc(r, 100000));
	bw_region_free(r);
	EXPECT(!pthread_create(&thread, NULL, thread_of_child, NULL));
	EXPECT(!pthread_join(thread, NULL));
	EXPECT(!bw_memstats(&m));
	EXPECT(rig_heap_is_whole());
}

static void a_child_goes_on_with_the_heap_whatever_others_were_doing(void)
{
	pthread_t thread[THREADS];
	void *slot[SLOTS] = { NULL };
	char said[1024];
	uintptr_t i;
	u64 seed = 1;

	mine = slot;
	for (i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, storm, (void *)i);
	/*
	 * Whoever begins takes memory from the C library, and a sanitizer's
	 * malloc() leaves its locks to a child as fork() finds them.
	 */
	while (READ_ONCE(nr_going) < THREADS)
		sched_yield();
	bw_gc();
	for (i = 1; i <= FORKS; i++) {
		int status;

		churn(slot, &seed, 300);
		status = rig_child(in_child, (void *)i, said, sizeof(said));
		if (!EXPECT(!status))
			printf("# child %zu: status %x: %s\n", (size_t)i,
			       (u32)status, said);
	}
	WRITE_ONCE(stop, true);
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	drop(slot);
	EXPECT(rig_heap_is_whole());
}

static void generations(void *arg)
{
	u64 seed = 5 + (uintptr_t)arg;
	void *slot[SLOTS] = { NULL };
	char said[512];

	/* every other one has nothing to do with the heap */
	if ((uintptr_t)arg % 2)
		churn(slot, &seed, 1000);
	if ((uintptr_t)arg)
		EXPECT(!rig_child(generations, (char *)arg - 1, said,
				  sizeof(said)));
	churn(slot, &seed, 1000);
	drop(slot);
	EXPECT(rig_heap_is_whole());
}

static void so_does_its_child_and_that_one_s(void)
{
	char said[512];

	memset(posted, 0, sizeof(posted));
	EXPECT(!rig_child(generations, (void *)5, said, sizeof(said)));
}

static void takes_up_the_slot(void *arg)
{
	EXPECT(bw_alloc(48) == arg);
}

static void the_thread_s_own_cache_is_the_child_s_too(void)
{
	char said[512];
	void *p = bw_alloc(48);

	bw_free(p);
	EXPECT(!rig_child(takes_up_the_slot, p, said, sizeof(said)));
}

static u32 step;			/* [atomic] of the thread below */

static void *keeper(void *arg)
{
	*(void **)arg = bw_alloc(48);
	/* pairs with the load in the thread that made us */
	smp_store_release(&step, 1U);
	while (READ_ONCE(step) != 2)
		sched_yield();
	return NULL;
}

/* As fork() may show it: one page before the owner's change, one after it. */
static void frees_what_seems_free(void *p)
{
	struct bw_mspan *s = bw_mspan_of(bw_mheap(), p);

	s->window |= BW_NO_WINDOW;
	memset(s->alloc, 0, bw_mspan_words(s) * sizeof(*s->alloc));
	bw_free(p);
}

static void what_another_thread_was_changing_is_no_double_free(void)
{
	pthread_t thread;
	char said[512];
	void *p = NULL;

	pthread_create(&thread, NULL, keeper, &p);
	/* pairs with keeper() */
	while (!smp_load_acquire(&step))
		sched_yield();
	EXPECT(!rig_child(frees_what_seems_free, p, said, sizeof(said)));
	WRITE_ONCE(step, 2);
	pthread_join(thread, NULL);
	bw_free(p);
}

#define FILL	1000

/* As a thread of the parent's leaves it that was sweeping it, half way. */
static void leave_away(struct bw_mspan *s)
{
	u64 *marks = bw_marks_of(&bw_mheap()->map, s);

	s->link.next->prev = s->link.prev;
	s->link.prev->next = s->link.next;
	s->state = BW_MSPAN_AWAY;
	s->sweepgen = (u16)(bw_mheap()->sweepgen - 2);
	s->needzero = false;
	s->nalloc--;
	/* the first word is done, with an object that was dead; the others wait */
	s->alloc[0] &= ~2ULL;
	memset(marks + 1, 0xff, (bw_mspan_words(s) - 1) * sizeof(*marks));
}

static void finds_it_whole(void *arg)
{
	struct bw_mspan *s = arg;
	const u64 *marks = bw_marks_of(&bw_mheap()->map, s);
	u32 w;

	leave_away(s);
	bw_heap_mend(bw_mheap());
	EXPECT(s->state == BW_MSPAN_PARTIAL && s->needzero);
	EXPECT(s->sweepgen == (u16)bw_mheap()->sweepgen);
	EXPECT(s->nalloc == s->nelems - 1);
	for (w = 0; w < bw_mspan_words(s); w++)
		EXPECT(!marks[w]);
	bw_free(s->base);
	EXPECT(bw_alloc(96));
	EXPECT(!bw_mheap_check(bw_mheap()));
}

static void a_span_that_another_thread_was_sweeping_is_the_child_s(void)
{
	struct bw_mspan *s;
	char said[512];
	static void *p[FILL];
	u32 i;

	for (i = 0; i < FILL; i++)
		p[i] = bw_alloc(96);
	/* not the last one, which is in our cache */
	s = bw_mspan_of(bw_mheap(), p[FILL / 2]);
	EXPECT(s->state == BW_MSPAN_FULL && bw_mspan_words(s) > 1);
	if (!EXPECT(!rig_child(finds_it_whole, s, said, sizeof(said))))
		printf("# %s\n", said);
	for (i = 0; i < FILL; i++)
		bw_free(p[i]);
}

int main(void)
{
	TEST(a_span_that_another_thread_was_sweeping_is_the_child_s);
	TEST(the_thread_s_own_cache_is_the_child_s_too);
	TEST(what_another_thread_was_changing_is_no_double_free);
	TEST(a_child_goes_on_with_the_heap_whatever_others_were_doing);
	TEST(so_does_its_child_and_that_one_s);
	return tap_end();
}
