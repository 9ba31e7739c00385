// SPDX-License-Identifier: MIT
/*
 * How spans that a sweep found empty go back: many in one call, by the backend's
 * bulk sweep where it has one that is worth it, and none is lost on the way.
 */
#include "alloc_rig.h"
#include "burrow.h"
#include "heap/sweep.h"

#define OBJECTS	40000

/* What the backend was asked for. */
static u32 nr_sweeps, nr_frees, swept_spans, freed_spans;
/* One of so many is said to be marked; 0: none. */
static u32 refuse;
static const struct bw_backend_ops *inner;

static int count_free(struct bw_backend *be, u32 flags,
		      const struct burrow_span_ref *spans, u32 nr, u32 *done)
{
	nr_frees++;
	freed_spans += nr;
	return inner->span_free(be, flags, spans, nr, done);
}

static int count_sweep(struct bw_backend *be, u32 flags,
		       const struct burrow_span_ref *spans, u32 nr, u64 *freed,
		       u32 *done, u32 *nr_freed, u64 *pages)
{
	u32 some = refuse ? min(nr, refuse) : nr;
	int err = inner->span_sweep(be, flags, spans, some, freed, done,
				    nr_freed, pages);

	nr_sweeps++;
	swept_spans += *nr_freed;
	return err;
}

static struct bw_backend_ops counting;

static u64 live_spans(void)
{
	struct burrow_heap_stats st;

	EXPECT(!bw_mheap()->be->ops->stats(bw_mheap()->be, &st));
	return st.out_spans;
}

/* Garbage of all sorts, of which a sweep without marks leaves nothing. */
static void garbage_goes(void)
{
	struct bw_mheap *h = bw_mheap();
	u64 before;
	u32 i;

	nr_sweeps = 0;
	nr_frees = 0;
	swept_spans = 0;
	freed_spans = 0;
	for (i = 0; i < OBJECTS; i++) {
		memset(bw_alloc(16 + i % 900), 0xa5, 16);
		if (i % 400 == 0)
			memset(bw_alloc_noscan(40000 + i), 0xa5, 40000);
	}
	bw_mcache_flush(bw_mcache_attach());
	before = live_spans();
	bw_sweep_begin(h);
	while (bw_sweep_some(h, 64))
		;
	EXPECT(!bw_mheap_check(h));
	bw_mheap_scavenge(h, ~0ULL);
	EXPECT(!bw_mheap_check(h));
	EXPECT(!h->used_pages && !h->spare_pages && !h->stuck_pages);
	EXPECT(live_spans() < before / 20);
	printf("# %u spans by %u sweeps, %u by %u frees\n", swept_spans,
	       nr_sweeps, freed_spans, nr_frees);
}

static void what_a_sweep_found_empty_goes_by_bulk_sweep(void)
{
	bw_mheap()->be->bulk_sweep = true;
	garbage_goes();
	/* but for those of whose mark bits a frame was never touched */
	EXPECT(swept_spans > 300 && freed_spans <= swept_spans / 10);
	EXPECT(rig_is_kernel_mode() || !freed_spans);
	EXPECT(nr_sweeps < swept_spans / 12);
}

static void or_in_batches_where_the_backend_has_none(void)
{
	bw_mheap()->be->bulk_sweep = false;
	garbage_goes();
	EXPECT(freed_spans > 300 && !swept_spans && !nr_sweeps);
	EXPECT(nr_frees < freed_spans / 12);
}

static void what_the_bulk_sweep_leaves_goes_all_the_same(void)
{
	bw_mheap()->be->bulk_sweep = true;
	refuse = 1;
	garbage_goes();
	EXPECT(swept_spans && freed_spans > 300);
	refuse = 0;
}

/* Manual memory is refused by sweeps. */
static void manual_spans_never_go_by_sweep(void)
{
	struct bw_mspan *s[100];
	u32 i;

	bw_mheap()->be->bulk_sweep = true;
	nr_sweeps = 0;
	for (i = 0; i < ARRAY_SIZE(s); i++) {
		s[i] = bw_mspan_get(bw_mheap(), 1 + i % 3, 0,
				    BURROW_KIND_MANUAL, 0);
		EXPECT(s[i]);
	}
	for (i = 0; i < ARRAY_SIZE(s); i++)
		if (s[i])
			bw_mspan_put(bw_mheap(), s[i]);
	bw_mheap_scavenge(bw_mheap(), ~0ULL);
	EXPECT(!nr_sweeps && !bw_mheap()->stuck_pages);
}

int main(void)
{
	setenv("BURROW_GC", "off", 1);
	inner = bw_mheap()->be->ops;
	counting = *inner;
	counting.span_free = count_free;
	counting.span_sweep = count_sweep;
	bw_mheap()->be->ops = &counting;
	TEST(what_a_sweep_found_empty_goes_by_bulk_sweep);
	TEST(or_in_batches_where_the_backend_has_none);
	TEST(what_the_bulk_sweep_leaves_goes_all_the_same);
	TEST(manual_spans_never_go_by_sweep);
	return tap_end();
}
