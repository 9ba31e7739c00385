// SPDX-License-Identifier: MIT
/*
 * fork: the part of the script that is done by parents and children. Parent and
 * child speak in turn: who waits has nothing in its buffer.
 *
 * It has a heap of its own, and each process closes it in the end.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "say.h"

#define NR	12

static struct burrow_span_ref span[NR], stack[3];
static struct bw_parker parker;
static sigjmp_buf back;

static void on_segv(int sig)
{
	siglongjmp(back, sig);
}

static void touch(const char *what, volatile u64 *at)
{
	if (sigsetjmp(back, 1)) {
		printf("touch of %s: SIGSEGV\n", what);
		return;
	}
	*at = 1;
	printf("touch of %s: done\n", what);
}

/* Runs @fn in a child and waits for its end. */
static void in_a_child(const char *who, void (*fn)(void))
{
	int status = -1;
	pid_t pid;

	printf("%s begins\n", who);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		fn();
		bw_heap_close(heap);
		fflush(stdout);
		_exit(7);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		printf("no child\n");
	printf("%s ends with %d\n", who,
	       WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

static void show_all(void)
{
	u32 i;

	for (i = 0; i < NR; i++) {
		printf("%s", content(span[i].page, 1 + i, 100 * i));
		show_lookup(words(span[i].page + i));
	}
	for (i = 0; i < 3; i++) {
		printf("%s", content(stack[i].page + 2, 6, i));
		show_lookup(words(stack[i].page));
	}
	printf("U-words %lu\n", *(u64 *)bw_heap_umeta(heap, 0));
	stats();
}

static void make_all(void)
{
	u32 i;

	result("arena", bw_heap_arena_add(heap, 0, NULL));
	result("stack arena", bw_heap_arena_add_kind(heap, BURROW_ARENA_STACK,
						     1, NULL));
	for (i = 0; i < NR; i++) {
		struct bw_span_want w = want(1 + i);

		w.kind = (uint16_t)(i % BURROW_KIND_STACK);
		alloc(&w, &span[i], 1);
		fill(span[i].page, 1 + i, 100 * i);
	}
	for (i = 0; i < 3; i++) {
		struct bw_span_want w = want(8);

		w.kind = BURROW_KIND_STACK;
		alloc(&w, &stack[i], 1);
		fill(stack[i].page + 2, 6, i);
	}
	*(u64 *)bw_heap_umeta(heap, 0) = 42;
}

static void parking(void)
{
	struct bw_parker own;

	result("unpark the parent's", bw_parker_unpark(&parker));
	result("park in the parent's", bw_parker_park(&parker));
	result("init", bw_parker_init(&own, heap));
	printf("slot %u\n", own.slot);
	result("hand over", bw_parker_handover(&own, &parker, 1));
	result("unpark", bw_parker_unpark(&own));
	result("park", bw_parker_park(&own));
	bw_parker_fini(&own);
	bw_parker_fini(&parker);
}

static void grandchild(void)
{
	show_all();
	release(BURROW_FREE_RECLAIM, span + 1, NR - 1);
	release(0, stack, 3);
	result("give back", bw_heap_reclaim(heap, ~0ULL, NULL));
	stats();
}

static void child(void)
{
	struct burrow_range r = { span[9].page, 10 };
	struct burrow_span_ref more[3];
	struct bw_span_want w = want(5);

	show_all();
	parking();
	touch("a guard", words(stack[1].page));
	touch("a stack", words(stack[1].page + 2));
	fill(stack[1].page + 2, 6, 1);
	release(0, &span[0], 1);
	release(0, &span[0], 1);
	release(BURROW_FREE_RECLAIM, &span[4], 1);
	stats();
	alloc(&w, more, 3);
	fill(more[0].page, 5, 1);
	fill(more[1].page, 5, 2);
	fill(more[2].page, 5, 3);
	reclaim(&r, 1);
	printf("%s\n", content(r.page, 10, 0));
	fill(r.page, 10, 900);
	result("arena", bw_heap_arena_add(heap, BURROW_ARENA_ANY, NULL));
	result("arena", bw_heap_arena_add(heap, 0, NULL));
	*(u64 *)bw_heap_umeta(heap, 0) = 43;
	span[0] = more[0];
	fill(span[0].page, 1, 0);
	span[4] = more[1];
	fill(span[4].page, 5, 400);
	in_a_child("grandchild", grandchild);
	show_all();
	release(0, span, NR);
	release(BURROW_FREE_RECLAIM, stack, 3);
	stats();
}

static void child_of_nothing(void)
{
	struct burrow_span_ref ref;
	struct bw_span_want w = want(2);

	stats();
	result("arena", bw_heap_arena_add(heap, 0, NULL));
	alloc(&w, &ref, 1);
	fill(ref.page, 2, 1);
	stats();
}

void fork_script(void)
{
	struct sigaction sa = { .sa_handler = on_segv };
	struct bw_heap *first = heap;

	section("fork");
	sigaction(SIGSEGV, &sa, NULL);
	result("a heap for forks", bw_heap_open(&heap, NULL));
	in_a_child("child of an empty heap", child_of_nothing);
	make_all();
	result("init", bw_parker_init(&parker, heap));
	in_a_child("child", child);
	show_all();
	release(0, &span[3], 1);
	in_a_child("second child", show_all);
	bw_parker_fini(&parker);
	result("give back", bw_heap_reclaim(heap, ~0ULL, NULL));
	stats();
	bw_heap_close(heap);
	heap = first;
	signal(SIGSEGV, SIG_DFL);
}
