/* SPDX-License-Identifier: MIT */
/* gc_rig: what tests of whole cycles share: objects that only the test knows of. */
#ifndef BW_TESTS_GC_RIG_H
#define BW_TESTS_GC_RIG_H

#include "alloc_rig.h"
#include "burrow.h"
#include "gc/collector.h"
#include "node_rig.h"
#include "sched/sched.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOW	1
#else
#define SLOW	rig_is_kernel_mode()
#endif

/* A secret is an object's address that no root shows. */
static inline u64 hide(const void *p)
{
	return ~(u64)(uintptr_t)p;
}

/* Not inline: its caller would have the pointer in a register, a root. */
static __attribute__((noinline, unused))
bool is_there(u64 secret)
{
	struct bw_mspan *s;
	void *p = (void *)(uintptr_t)~secret;

	return bw_mark_find(bw_mheap(), (u64)(uintptr_t)p, &s) == p;
}

/* What calls left on the stack below is overwritten. */
static __attribute__((noinline, unused))
void wipe(void)
{
	volatile u64 stack[1024];
	u32 i;

	for (i = 0; i < ARRAY_SIZE(stack); i++)
		stack[i] = 0;
}

static __attribute__((noinline, unused))
u64 secret_of(size_t n)
{
	u64 *p = bw_alloc(n);

	*p = 0x600d;
	return hide(p);
}

static __attribute__((noinline, unused))
void collect(void)
{
	wipe();
	bw_gc();
}

/* One cycle after the other, by a G. */
static inline void collect_until_over(const u32 *over)
{
	while (!READ_ONCE(*over)) {
		bw_gc();
		bw_yield();
	}
}

static inline void in_run(int (*fn)(void *arg))
{
	EXPECT(!bw_run(fn, NULL));
}

/*
 * On a busy machine a cycle that is due may be long in coming, and who takes memory
 * meanwhile gets it: a test that says how much there is at most waits. Not for ever.
 */
static inline struct bw_gc_stats let_collect(void)
{
	struct bw_gc_stats st;
	u32 k;

	bw_gc_stats(&st);
	for (k = 0; k < 1000 && st.live > st.goal; k++) {
		usleep(100);
		bw_gc_stats(&st);
	}
	return st;
}

/*
 * Cycles until @word is @want. Not for ever, but long enough for a finalizer that
 * has begun and whose thread has no CPU just now.
 */
static inline bool collect_until(const u32 *word, u32 want)
{
	u64 end = rig_now() + 60000000000ULL;
	u32 i, k;

	for (i = 0; i < 50 || rig_now() < end; i++) {
		collect();
		for (k = 0; k < 100 && READ_ONCE(*word) < want; k++)
			bw_yield();
		/* pairs with whoever counts() */
		if (smp_load_acquire(word) >= want)
			return true;
		usleep(1000);
	}
	return false;
}

/* For main(): cycles as a program has them, unless it is asked for others. */
static inline void gc_as_usual(void)
{
	setenv("BURROW_GC", "100", 0);
}

/* The last test of a program. */
static inline void the_heap_is_whole_in_the_end(void)
{
	bw_gc();
	EXPECT(rig_heap_is_whole());
}

static inline void the_second_time_was_hybrid(void)
{
	EXPECT(bw_collector.running == BW_GC_HYBRID);
}

/* All of main(): the same tests in both modes. */
static inline int gc_tests_twice(void (*all)(void))
{
	gc_as_usual();
	printf("# plain\n");
	all();
	bw_barriers_used();
	printf("# hybrid\n");
	all();
	TEST(the_second_time_was_hybrid);
	return tap_end();
}

#endif
