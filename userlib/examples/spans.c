// SPDX-License-Identifier: MIT
/*
 * spans: a walk through burrow's page heap, for newcomers.
 *
 *	BURROW_MODE=user|kernel ./spans
 *
 * Each step says what it does and what came of it; a step that goes wrong
 * ends the program with status 1.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <burrow.h>

#define NR_SPANS	512
#define SPAN_PAGES	4
#define SPAN_BYTES	(SPAN_PAGES * BURROW_PAGE_SIZE)

static void check(int good, const char *what)
{
	if (good)
		return;
	printf("  wrong: %s\n", what);
	exit(1);
}

/* What this process has in memory, in KiB. (statm is too coarse for this.) */
static long rss(void)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "r");
	long kib = 0;

	check(f && fscanf(f, "%*[^\n]\nRss: %ld", &kib) == 1, "reading RSS");
	fclose(f);
	return kib;
}

static void *sleeper(void *parker)
{
	return bw_parker_park(parker) ? NULL : parker;
}

/* One thread parks; this one wakes it. */
static void show_parking(struct bw_heap *heap)
{
	struct bw_parker parker;
	pthread_t thread;
	void *woken;

	check(!bw_parker_init(&parker, heap), "a place to park");
	check(!pthread_create(&thread, NULL, sleeper, &parker), "a thread");
	check(!bw_parker_unpark(&parker), "unparking");
	check(!pthread_join(thread, &woken) && woken, "waking the thread");
	bw_parker_fini(&parker);
	printf("6. a thread parked, was woken, and is done\n");
}

int main(void)
{
	static struct burrow_span_ref span[NR_SPANS];
	static struct burrow_range range[NR_SPANS];
	struct bw_span_want want = {
		.npages = SPAN_PAGES, .kind = BURROW_KIND_MANUAL,
	};
	struct burrow_heap_stats stats;
	struct bw_span found;
	struct bw_heap *heap;
	uint32_t arena, i;
	uint64_t frames;
	long full;
	char *p;

	if (bw_heap_open(&heap, NULL)) {
		printf("no heap: %s\n", bw_heap_error());
		return 1;
	}
	printf("burrow, %s mode\n", bw_heap_mode(heap));
	check(!bw_heap_arena_add(heap, BURROW_ARENA_ANY, &arena), "an arena");
	printf("1. added arena %u: %u pages of %lu bytes\n", arena,
	       BURROW_ARENA_PAGES, BURROW_PAGE_SIZE);
	check(!bw_heap_span_alloc(heap, &want, span, NR_SPANS, NULL), "spans");
	for (i = 0; i < NR_SPANS; i++)
		memset(bw_heap_addr(heap, span[i].page), (int)i | 1, SPAN_BYTES);
	full = rss();
	printf("2. allocated and wrote %d spans of %lu KiB; RSS is %ld KiB\n",
	       NR_SPANS, SPAN_BYTES / 1024, full);
	p = (char *)bw_heap_addr(heap, span[7].page) + SPAN_BYTES - 1;
	check(bw_heap_span_of(heap, p, &found) && found.gen == span[7].gen &&
	      *p == 7, "finding a span");
	printf("3. any address leads to its span: page %u, %u pages long\n",
	       found.page, found.npages);
	for (i = 0; i < NR_SPANS; i++)
		range[i] = (struct burrow_range){ span[i].page, SPAN_PAGES };
	check(!bw_heap_span_reclaim(heap, range, NR_SPANS, NULL, &frames),
	      "reclaiming");
	printf("4. reclaimed %lu frames of 4 KiB; RSS is %ld KiB\n", frames,
	       rss());
	check(frames == NR_SPANS * SPAN_BYTES / 4096, "frames given back");
	check(full - rss() > (long)(NR_SPANS * SPAN_BYTES / 1024 / 2), "RSS");
	for (i = 0; i < SPAN_BYTES; i++)
		check(!p[i + 1 - SPAN_BYTES], "a reclaimed span reads as zero");

	check(!bw_heap_span_free(heap, BURROW_FREE_RECLAIM, span, NR_SPANS,
				 NULL), "freeing");
	check(!bw_heap_span_of(heap, p, &found), "the spans are gone");
	printf("5. they read as zero; freed them all\n");
	show_parking(heap);
	check(!bw_heap_check(heap) && !bw_heap_stats(heap, &stats), "stats");
	printf("7. %llu spans allocated, %llu freed, %llu live; "
	       "%llu pages free, %llu frames in use\n", stats.out_nr_alloc,
	       stats.out_nr_free, stats.out_spans, stats.out_pages_free,
	       stats.out_frames);
	check(!stats.out_spans && !stats.out_frames, "all is free");
	bw_heap_close(heap);
	return 0;
}
