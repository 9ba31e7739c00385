/* SPDX-License-Identifier: MIT */
/*
 * burrow/barrier.h: stores of pointers into objects, for programs that let the
 * collector mark while they run.
 *
 *	bw_barriers_used();		once, early: all stores are made like this:
 *	bw_set(&p->next, q);		p->next = q
 *	bw_copy(dst, src, n);		memcpy() of n pointers, into an object
 *	bw_move(dst, src, n);		memmove()
 *	bw_xchg(&p->next, q)		atomic exchange: the old one
 *	bw_cas(&p->next, &old, q)	atomic compare and exchange: did it?
 *
 * Without bw_barriers_used() plain stores are fine, and so are these; the program
 * stands still while the collector marks. With it every store of a pointer into
 * an object must be one of these, struct assignments, memcpy() and qsort() of
 * what holds pointers included. Stores to variables on stacks and to static data
 * are plain; so are those into a new object until another store makes it known.
 *
 * How it works: the store comes first, the test of one word after it. While
 * marking, what was there before and what is there now are noted. A thread that
 * is stopped between store and test finds the word set when it goes on, if
 * marking began; if it ended, the old pointer was found in the thread's registers.
 */
#ifndef BURROW_BARRIER_H
#define BURROW_BARRIER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Marking is under way. Not to be written. */
extern uint32_t bw_barrier_on;

void bw_barrier_slow(const void *was, const void *is);
void bw_copy_slots(void *dst, const void *src, size_t n);

/* From the next cycle on the collector marks while the program runs. */
void bw_barriers_used(void);

#define BW_BARRIER_ON \
	__builtin_expect(__atomic_load_n(&bw_barrier_on, __ATOMIC_RELAXED), 0)

static inline void bw_set_slot(void **slot, void *value)
{
	void *was = __atomic_load_n(slot, __ATOMIC_RELAXED);

	__atomic_store_n(slot, value, __ATOMIC_RELEASE);
	/* the test comes after the store, for a signal handler here */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (BW_BARRIER_ON)
		bw_barrier_slow(was, value);
}

static inline void *bw_xchg_slot(void **slot, void *value)
{
	void *was = __atomic_exchange_n(slot, value, __ATOMIC_SEQ_CST);

	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (BW_BARRIER_ON)
		bw_barrier_slow(was, value);
	return was;
}

static inline int bw_cas_slot(void **slot, void **old, void *value)
{
	if (!__atomic_compare_exchange_n(slot, old, value, 0, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST))
		return 0;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (BW_BARRIER_ON)
		bw_barrier_slow(*old, value);
	return 1;
}

#define BW_SLOT(slot)	((void **)(void *)(slot))

#define bw_set(slot, value) do { \
	__typeof__(*(slot)) bw_value = (value); \
	bw_set_slot(BW_SLOT(slot), (void *)bw_value); \
} while (0)

#define bw_xchg(slot, value) __extension__({ \
	__typeof__(*(slot)) bw_value = (value); \
	(__typeof__(*(slot)))bw_xchg_slot(BW_SLOT(slot), (void *)bw_value); \
})

#define bw_cas(slot, old, value) __extension__({ \
	__typeof__(*(slot)) bw_value = (value); \
	bw_cas_slot(BW_SLOT(slot), BW_SLOT(old), (void *)bw_value); \
})

/* @n words at @src to @dst, which may overlap. */
#define bw_copy(dst, src, n)	bw_copy_slots((dst), (src), (n))
#define bw_move(dst, src, n)	bw_copy_slots((dst), (src), (n))

#ifdef __cplusplus
}
#endif

#endif
