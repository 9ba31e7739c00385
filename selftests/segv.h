/* SPDX-License-Identifier: MIT */
/*
 * segv: stacks of a heap, code that runs on them, and their overflow.
 *
 *	stack_arena_make()	an arena for them
 *	stacks_alloc()		spans of BURROW_KIND_STACK
 *	on_stack_run()		calls a function there; 0, or the signal that
 *				ended it and where
 *
 *	+---------------+------------------------------+------+
 *	| guard         | comes by touch               | 4 KiB| there
 *	+---------------+------------------------------+------+
 *	^ stack_guard() ^ stack_floor()                       ^ stack_top()
 *
 * The handler has a stack of its own, outside the heap. It is a thread's: each
 * thread that uses on_stack_run() calls segv_init() first.
 */
#ifndef BURROW_SELFTEST_SEGV_H
#define BURROW_SELFTEST_SEGV_H

#include <setjmp.h>
#include <signal.h>
#include <ucontext.h>

#include "burrow_selftest.h"

#define GUARD_BYTES	(BURROW_GUARD_PAGES * BURROW_PAGE_SIZE)
#define GUARD_FRAMES	(GUARD_BYTES / FRAME_SIZE)

static inline int stack_arena_make(const struct heap *h, __u32 index)
{
	struct burrow_arena_add arg = {
		.size = sizeof(arg),
		.kind = BURROW_ARENA_STACK,
		.index = index,
	};
	int r = call(h->fd, BURROW_IOC_ARENA_ADD, &arg);

	return r ? r : arena_map(h, index);
}

/* A heap whose first arenas are for stacks. */
static inline int stack_heap_ready(struct heap *h, __u32 nr)
{
	int r = heap_make(h, TEST_ARENAS);
	__u32 i;

	for (i = 0; i < nr && !r; i++)
		r = stack_arena_make(h, i);
	return r;
}

static inline int stacks_alloc(const struct heap *h, __u32 npages, __u32 flags,
			       struct burrow_span_ref *spans, __u32 nr)
{
	struct burrow_span_alloc arg = {
		.flags = flags,
		.spans = U64(spans),
		.nr = nr,
		.npages = npages,
		.kind = BURROW_KIND_STACK,
	};
	int r = spans_alloc(h, &arg);

	return r ? r : arg.out_nr == nr ? 0 : -(int)arg.out_errno;
}

static inline char *stack_guard(const struct heap *h, struct burrow_span_ref s)
{
	return page_addr(h, s.page);
}

static inline char *stack_floor(const struct heap *h, struct burrow_span_ref s)
{
	return stack_guard(h, s) + GUARD_BYTES;
}

static inline char *stack_top(const struct heap *h, struct burrow_span_ref s,
			      __u32 npages)
{
	return stack_guard(h, s) + npages * BURROW_PAGE_SIZE;
}

static __thread sigjmp_buf segv_back;
static __thread char *volatile segv_addr;
static __thread volatile sig_atomic_t segv_is_on;
static __thread char segv_stack[64 * 1024];

static void segv_caught(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (segv_is_on) {
		segv_addr = info->si_addr;
		siglongjmp(segv_back, sig);
	}
	signal(sig, SIG_DFL);
}

static inline int segv_init(void)
{
	stack_t stack = {
		.ss_sp = segv_stack,
		.ss_size = sizeof(segv_stack),
	};
	struct sigaction sa = {
		.sa_sigaction = segv_caught,
		.sa_flags = SA_SIGINFO | SA_ONSTACK,
	};

	return sigaltstack(&stack, NULL) || sigaction(SIGSEGV, &sa, NULL) ||
	       sigaction(SIGBUS, &sa, NULL) ? -errno : 0;
}

/**
 * struct on_stack - one call on a stack of the heap
 * @fn:		what, with @arg
 * @caller:	where it returns to
 * @sig:	0, or the signal that ended it
 * @addr:	what it had touched
 */
struct on_stack {
	void (*fn)(void *arg);
	void *arg;
	ucontext_t caller;
	int sig;
	char *addr;
};

static void on_stack_start(unsigned int high, unsigned int low)
{
	struct on_stack *s;

	s = (void *)((unsigned long)high << 32 | low);
	s->fn(s->arg);
}

/* Calls @s->fn on [bottom, bottom + size). */
static inline int on_stack_run(struct on_stack *s, char *bottom, size_t size)
{
	ucontext_t callee;

	if (getcontext(&callee))
		return -errno;
	callee.uc_stack.ss_sp = bottom;
	callee.uc_stack.ss_size = size;
	callee.uc_link = &s->caller;
	makecontext(&callee, (void (*)(void))on_stack_start, 2,
		    (unsigned int)(U64(s) >> 32), (unsigned int)U64(s));
	s->addr = NULL;
	s->sig = sigsetjmp(segv_back, 1);
	if (s->sig) {
		s->addr = segv_addr;
	} else {
		segv_is_on = 1;
		swapcontext(&s->caller, &callee);
	}
	segv_is_on = 0;
	return s->sig;
}

/* Never comes to an end: each call takes some 500 bytes and touches them. */
static __attribute__((noinline)) unsigned long recurse(unsigned long depth)
{
	volatile char local[512];
	unsigned long sum;

	local[depth % sizeof(local)] = (char)depth;
	if (depth == ~0UL)
		return 0;
	sum = recurse(depth + 1);
	/* needed after the call: it cannot become a loop */
	__asm__ __volatile__("" : "+r" (sum) : "r" (local) : "memory");
	return sum + local[depth % sizeof(local)];
}

static inline void overflow(void *arg)
{
	volatile unsigned long *sum = arg;

	*sum = recurse(0);
}

#endif
