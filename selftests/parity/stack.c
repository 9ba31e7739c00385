// SPDX-License-Identifier: MIT
/*
 * stack: the part of the script about stacks: a thread of control runs on one
 * until it overflows, and the signal says where.
 *
 * It has a heap of its own. Every page above a guard is written before a stack
 * is freed, for the reason that parity.c gives.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

#include "say.h"

static sigjmp_buf back;
static char *volatile hit;

static void on_segv(int sig, siginfo_t *info, void *context)
{
	hit = info->si_addr;
	siglongjmp(back, sig);
}

/* A frame of more than 1 KiB each: no guard can be jumped over. */
__attribute__((noinline)) static u32 deeper(volatile u32 *depth)
{
	volatile char frame[1024];

	memset((void *)frame, 1, sizeof(frame));
	if (++*depth == 1U << 20)
		return 0;
	return deeper(depth) + (u32)frame[*depth % sizeof(frame)];
}

static volatile u32 depth;

static void overflow(void)
{
	deeper(&depth);
}

static struct bw_span_want want_stack(u32 npages)
{
	struct bw_span_want w = want(npages);

	w.kind = BURROW_KIND_STACK;
	return w;
}

static const char *where(const struct burrow_span_ref *ref, u32 npages)
{
	char *low = (char *)words(ref->page);

	if (hit < low || hit >= low + npages * BURROW_PAGE_SIZE)
		return "elsewhere";
	return hit < low + BURROW_GUARD_PAGES * BURROW_PAGE_SIZE ?
	       "in the guard" : "above the guard";
}

/* Runs on the stack until there is no more of it. */
static void run_out(const struct burrow_span_ref *ref, u32 npages)
{
	static ucontext_t here, there;

	depth = 0;
	getcontext(&there);
	there.uc_stack.ss_sp = words(ref->page);
	there.uc_stack.ss_size = npages * BURROW_PAGE_SIZE;
	there.uc_link = &here;
	makecontext(&there, overflow, 0);
	if (!sigsetjmp(back, 1)) {
		swapcontext(&here, &there);
		printf("no overflow\n");
		return;
	}
	printf("overflow of %u pages: SIGSEGV %s, depth is %s\n", npages,
	       where(ref, npages),
	       depth > (npages - BURROW_GUARD_PAGES) * 4 ? "good" : "too low");
	/* the frames may have left a gap or two */
	fill(ref->page + BURROW_GUARD_PAGES, npages - BURROW_GUARD_PAGES, 5);
}

static void touch(const char *what, volatile u64 *at)
{
	if (sigsetjmp(back, 1)) {
		printf("touch of %s: SIGSEGV, %s\n", what,
		       hit == (char *)at ? "there" : "elsewhere");
		return;
	}
	*at = 1;
	printf("touch of %s: done\n", what);
}

static void overflows(void)
{
	struct bw_span_want w = want_stack(8);
	struct burrow_span_ref ref[3];
	u32 i;

	section("stacks");
	alloc(&w, ref, 1);
	result("stack arena", bw_heap_arena_add_kind(heap, BURROW_ARENA_STACK,
						     1, NULL));
	result("no kind", bw_heap_arena_add_kind(heap, BURROW_NR_ARENA_KINDS,
						 2, NULL));
	w.npages = BURROW_GUARD_PAGES;
	alloc(&w, ref, 1);
	w.npages = 16;
	alloc(&w, ref, 3);
	stats();
	for (i = 0; i < 3; i++)
		run_out(&ref[i], 16);
	touch("the lowest word", words(ref[1].page));
	touch("the guard's last word",
	      words(ref[1].page + BURROW_GUARD_PAGES) - 1);
	touch("the word above", words(ref[1].page + BURROW_GUARD_PAGES));
	stats();
	release(0, ref, 3);
	stats();
}

/* Guards where earlier stacks had memory, and memory where guards were. */
static void other_borders(void)
{
	struct bw_span_want w = want_stack(12);
	struct burrow_span_ref ref[4];
	u32 i;

	section("stacks with other borders");
	w.flags = BURROW_ALLOC_LAZY;
	alloc(&w, ref, 4);
	stats();
	for (i = 0; i < 4; i++) {
		touch("a guard", words(ref[i].page + 1));
		fill(ref[i].page + 2, 10, i);
	}
	stats();
	release(0, ref, 2);
	release(BURROW_FREE_RECLAIM, ref + 2, 2);
	stats();
	w = want_stack(48);
	alloc(&w, ref, 1);
	touch("the guard", words(ref->page));
	printf("where guards were: %s %s %s\n", content(ref->page + 12, 2, 0),
	       content(ref->page + 24, 2, 0), content(ref->page + 36, 2, 0));
	fill(ref->page + 2, 46, 1);
	run_out(ref, 48);
	release(BURROW_FREE_RECLAIM, ref, 1);
	stats();
}

static void emptied(void)
{
	struct bw_span_want w = want_stack(10);
	struct burrow_span_ref ref;
	struct burrow_range r;

	section("stacks emptied and swept");
	alloc(&w, &ref, 1);
	fill(ref.page + 2, 8, 1);
	r = (struct burrow_range){ ref.page, 5 };
	reclaim(&r, 1);
	touch("the guard", words(ref.page + 1));
	printf("%s %s\n", content(ref.page + 2, 3, 1),
	       content(ref.page + 5, 5, 1 + 3 * PAGE_WORDS));
	fill(ref.page + 2, 8, 1);
	result("sweep", bw_heap_span_sweep(heap, 0, &ref, 1, NULL, NULL));
	release(0, &ref, 1);
	release(0, &ref, 1);
	stats();
	result("give back", bw_heap_reclaim(heap, ~0ULL, NULL));
	stats();
}

void stack_script(void)
{
	static char handler_stack[64 * 1024];
	stack_t ss = {
		.ss_sp = handler_stack, .ss_size = sizeof(handler_stack),
	};
	struct sigaction sa = {
		.sa_sigaction = on_segv, .sa_flags = SA_SIGINFO | SA_ONSTACK,
	};
	struct bw_heap *first = heap;

	result("a heap for stacks", bw_heap_open(&heap, NULL));
	result("arena", bw_heap_arena_add(heap, 0, NULL));
	sigaltstack(&ss, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	overflows();
	other_borders();
	emptied();
	signal(SIGSEGV, SIG_DFL);
	bw_heap_close(heap);
	heap = first;
}
