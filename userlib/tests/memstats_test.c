// SPDX-License-Identifier: MIT
/* Counts against a model of what was allocated, by one thread and by several. */
#include "alloc_rig.h"

#define OBJECTS	5000
#define THREADS	4

static struct bw_mheap *h;

/* What the test knows: objects and bytes by class. */
struct model {
	u64 nr[BURROW_NR_CLASSES];
	u64 bytes;
};

static void model_add(struct model *m, size_t n, s64 by)
{
	u32 cls = n > BW_OBJECT_MAX ? 0 : bw_class_of(n);
	u64 size = cls ? bw_sizeclass[cls].size :
			 (n + BURROW_PAGE_SIZE - 1) & ~(BURROW_PAGE_SIZE - 1);

	m->nr[cls] += (u64)by;
	m->bytes += size * (u64)by;
}

static void compare(const struct model *m)
{
	struct bw_memstats st;
	u64 nr = 0, bytes = 0;
	u32 i;

	EXPECT(!bw_memstats_of(h, &st));
	EXPECT(st.in_use == m->bytes);
	EXPECT(st.in_use <= st.spans && st.spans + st.idle == st.heap);
	EXPECT(st.lazy + st.released == st.idle);
	EXPECT(st.heap == h->map.limit);
	EXPECT(st.spans == h->used_pages * BURROW_PAGE_SIZE);
	for (i = 0; i < BURROW_NR_CLASSES; i++) {
		EXPECT(st.by_class[i].objects == m->nr[i]);
		EXPECT(st.by_class[i].size == bw_sizeclass[i].size);
		nr += m->nr[i];
		bytes += st.by_class[i].bytes;
	}
	EXPECT(st.nr_objects == nr && bytes == st.spans);
}

static void counts_are_those_of_a_model(void)
{
	static struct shadow o[OBJECTS];
	struct model m = { .bytes = 0 };
	u64 seed = tap_seed(5);
	struct bw_mcache *c;
	u32 i;

	h = rig_mheap();
	c = bw_mcache_make(h);
	for (i = 0; i < 6 * OBJECTS; i++) {
		struct shadow *at = &o[rig_random(&seed) % OBJECTS];

		if (at->p) {
			model_add(&m, at->n, -1);
			EXPECT(rig_drop(c, at));
		} else {
			EXPECT(rig_make(c, at, rig_size(&seed), true, 1));
			model_add(&m, at->n, 1);
		}
		if (i % 3000 == 0) {
			bw_mcache_flush_frees(c);
			compare(&m);
		}
	}
	bw_mcache_release(c);
	compare(&m);
	bw_mheap_close(h);
}

/* Of up to 300 bytes, and of two kinds. */
#define CLASSES		(2 * 16U)

static void *churn(void *arg)
{
	struct bw_mcache *c = bw_mcache_make(h);
	u64 seed = (uintptr_t)arg;
	u32 i;

	for (i = 0; i < 20000; i++) {
		struct shadow a, b;

		EXPECT(rig_make(c, &a, rig_random(&seed) % 300, true, 1));
		EXPECT(rig_make(c, &b, rig_random(&seed) % 300, true, 2));
		EXPECT(rig_drop(c, &a) && rig_drop(c, &b));
	}
	bw_mcache_release(c);
	return NULL;
}

/* Two objects a thread, and what waits to be given back with others. */
static void counts_are_off_by_what_is_in_flight_and_no_more(void)
{
	struct bw_memstats st;
	pthread_t t[THREADS];
	uintptr_t i;

	h = rig_mheap();
	for (i = 0; i < THREADS; i++)
		EXPECT(!pthread_create(&t[i], NULL, churn, (void *)(i + 1)));
	for (i = 0; i < 200; i++) {
		EXPECT(!bw_memstats_of(h, &st));
		EXPECT(st.nr_objects <= THREADS * (2 + 64 * BW_NR_FREEING +
						   CLASSES * BW_STASH_SLOTS));
		EXPECT(st.in_use <= st.spans && st.spans <= st.heap);
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	EXPECT(!bw_memstats_of(h, &st));
	EXPECT(!st.nr_objects && !st.in_use && !st.spans);
	rig_expect_empty(h);
	bw_mheap_close(h);
}

static void before_there_is_a_heap_all_is_zero(void)
{
	static const struct bw_memstats none;
	struct bw_memstats st;

	memset(&st, 1, sizeof(st));
	EXPECT(!bw_memstats(&st) && !memcmp(&st, &none, sizeof(st)));
}

int main(void)
{
	TEST(before_there_is_a_heap_all_is_zero);
	TEST(counts_are_those_of_a_model);
	TEST(counts_are_off_by_what_is_in_flight_and_no_more);
	return tap_end();
}
