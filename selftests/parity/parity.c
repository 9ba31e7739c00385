// SPDX-License-Identifier: MIT
/*
 * parity: one long script of calls, every result printed.
 *
 *	BURROW_MODE=user   parity > user.txt
 *	BURROW_MODE=kernel parity > kernel.txt
 *	cmp user.txt kernel.txt
 *
 * The script is the same each time and says nothing of the mode, so the two
 * texts are equal byte by byte or a backend is wrong. It keeps to what both
 * promise (burrow/heap.h): every page of a lazy span is written before it is
 * freed or counted, what was reclaimed inside a live span is written again
 * before the span is freed, free pages are not touched, and generations, which
 * count internal claims too, are not printed.
 *
 * It ends with "end" and status 0; a call that gives what no backend may give
 * is for the comparison, not for the status.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "say.h"

#define NR_TRACE	3000
#define NR_HELD		64

static u64 seed = 20240609;

static u32 pick(u32 n)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (u32)((seed * 2685821657736338717ULL) >> 33) % n;
}

/**
 * struct held - a span of the trace
 * @ref:	its name
 * @npages:	0 where there is none
 */
static struct held {
	struct burrow_span_ref ref;
	u32 npages;
} held[NR_HELD];

static void trace_take(struct held *h)
{
	struct bw_span_want w = want(1 + pick(24));

	w.align = pick(4) ? 0 : 1U << pick(6);
	w.kind = (uint16_t)pick(BURROW_KIND_STACK);
	w.cls = (uint16_t)pick(BURROW_NR_CLASSES);
	w.flags = pick(2);
	if (alloc(&w, &h->ref, 1))
		return;
	h->npages = w.npages;
	fill(h->ref.page, h->npages, h->ref.page);
}

static void trace(void)
{
	struct burrow_range r;
	u32 i;

	section("trace");
	for (i = 0; i < NR_TRACE; i++) {
		struct held *h = &held[pick(NR_HELD)];
		u32 todo = pick(8);

		if (!h->npages) {
			trace_take(h);
		} else if (todo < 6) {
			printf("%s ", content(h->ref.page, h->npages,
					      h->ref.page));
			release(todo & 1, &h->ref, 1);
			h->npages = 0;
		} else {
			r.page = h->ref.page + pick(h->npages);
			r.npages = 1 + pick(h->npages);
			reclaim(&r, 1);
			fill(h->ref.page, h->npages, h->ref.page);
		}
		show_lookup(words(pick(2048)));
		if (i % 50 == 0)
			stats();
		if (i % 100 == 0) {
			r = (struct burrow_range){ pick(2048), 64 };
			reclaim(&r, 1);
		}
		/* that one may have taken from live spans */
		for (u32 k = 0; i % 100 == 0 && k < NR_HELD; k++)
			if (held[k].npages)
				fill(held[k].ref.page, held[k].npages,
				     held[k].ref.page);
	}
	for (i = 0; i < NR_HELD; i++)
		if (held[i].npages)
			release(BURROW_FREE_RECLAIM, &held[i].ref, 1);
	stats();
}

static sigjmp_buf back;

static void on_segv(int sig)
{
	siglongjmp(back, sig);
}

static void touch(const char *what, volatile u64 *at)
{
	if (sigsetjmp(back, 1)) {
		printf("store to %s: SIGSEGV\n", what);
		return;
	}
	*at = 1;
	printf("store to %s: done\n", what);
}

/* In a heap of its own, whose last arena is not there. */
static void touches(void)
{
	struct sigaction sa = { .sa_handler = on_segv };
	struct bw_heap *first = heap;
	struct burrow_span_ref ref;
	struct bw_span_want w = want(1);

	section("touches");
	sigaction(SIGSEGV, &sa, NULL);
	result("a second heap", bw_heap_open(&heap, NULL));
	result("arena", bw_heap_arena_add(heap, 0, NULL));
	alloc(&w, &ref, 1);
	touch("a live span", words(ref.page));
	touch("an absent arena", words(3 * BURROW_ARENA_PAGES));
	touch("U-words", bw_heap_umeta(heap, 0));
	stats();
	bw_heap_close(heap);
	heap = first;
	signal(SIGSEGV, SIG_DFL);
}

static void *park_thrice(void *arg)
{
	struct bw_parker *p = arg;
	u32 i, bad = 0;

	for (i = 0; i < 3; i++) {
		bad += bw_parker_park(&p[0]) != 0;
		bad += bw_parker_unpark(&p[1]) != 0;
	}
	return bad ? p : NULL;
}

static void parking(void)
{
	struct bw_parker p[100], again;
	pthread_t t;
	void *bad;
	u32 i;

	section("parking");
	for (i = 0; i < 100; i++) {
		int err = bw_parker_init(&p[i], heap);

		printf("%s %u, ", bw_errno_name(err), p[i].slot);
	}
	printf("\n");
	bw_parker_fini(&p[41]);
	bw_parker_fini(&p[7]);
	result("init", bw_parker_init(&again, heap));
	printf("slot %u\n", again.slot);
	stats();

	result("park without a token", bw_parker_park_until(&p[0], 1));
	result("unpark", bw_parker_unpark(&p[0]));
	result("unpark again", bw_parker_unpark(&p[0]));
	result("park", bw_parker_park_until(&p[0], 1));
	result("park once more", bw_parker_park_until(&p[0], 1));
	result("park beyond time", bw_parker_park_until(&p[0], ~0ULL));
	result("hand over", bw_parker_handover(&p[0], &p[1], 1));
	result("the other parks", bw_parker_park_until(&p[1], 1));
	result("hand over to itself", bw_parker_handover(&p[0], &p[0], 1));

	pthread_create(&t, NULL, park_thrice, p);
	for (i = 0; i < 3; i++)
		result("round", bw_parker_handover(&p[1], &p[0], 0));
	pthread_join(t, &bad);
	printf("thread %s\n", bad ? "bad" : "good");
	for (i = 0; i < 100; i++)
		if (i != 41 && i != 7)
			bw_parker_fini(&p[i]);
	bw_parker_fini(&again);
	stats();
}

int main(void)
{
	const char *mode = getenv("BURROW_MODE");

	if (!mode || (strcmp(mode, "user") && strcmp(mode, "kernel"))) {
		fprintf(stderr, "parity: BURROW_MODE is user or kernel\n");
		return 2;
	}
	/* a huge page brings frames nobody asked for, and they are counted */
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	setenv("BURROW", "window=256M", 1);
	if (bw_heap_open(&heap, NULL)) {
		fprintf(stderr, "parity: %s\n", bw_heap_error());
		return 1;
	}
	memory_script();
	sweep_script();
	stack_script();
	fork_script();
	trace();
	touches();
	parking();
	bw_heap_close(heap);
	printf("end\n");
	return 0;
}
