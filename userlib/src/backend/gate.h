/* SPDX-License-Identifier: MIT */
/*
 * gate: calls that change a heap pass it; fork() shuts it.
 *
 *	bw_gate_enter()			a call begins
 *	  ... locks taken and dropped
 *	bw_gate_leave()			it ends
 *
 *	bw_gate_shut()			fork() begins: waits for the last call
 *	  ... the heap is nobody's but ours
 *	bw_gate_open()			the parent goes on
 *	bw_gate_reset()			the child begins: no thread of it is inside
 *
 * So a child finds each call of the parent's other threads done or not begun,
 * as it does in kernel mode, where a call holds off fork() by itself.
 *
 *	word = calls inside * INSIDE | SHUT?
 *
 * G1. Nobody enters while the word has SHUT: enter() tries again when the word
 *     has changed. Who leaves last while it has wakes all who wait.
 * G2. A thread inside does not enter again, nor does it wait for another gate;
 *     so shut() ends, and gates may be shut one after the other.
 *
 * Rejected: fork() takes the locks. A call drops its locks while the system
 * populates pages or takes them away, and a child would inherit half of it.
 */
#ifndef BW_BACKEND_GATE_H
#define BW_BACKEND_GATE_H

#include "base/atomic.h"
#include "base/types.h"

#define BW_GATE_SHUT	1U
#define BW_GATE_INSIDE	2U

/**
 * struct bw_gate - see above
 * @word:	open and empty when 0					[atomic]
 */
struct bw_gate {
	u32 word;
};

void bw_gate_enter_slow(struct bw_gate *g);
void bw_gate_leave_slow(struct bw_gate *g);
void bw_gate_shut(struct bw_gate *g);
void bw_gate_open(struct bw_gate *g);

static inline void bw_gate_reset(struct bw_gate *g)
{
	WRITE_ONCE(g->word, 0);
}

static inline void bw_gate_enter(struct bw_gate *g)
{
	u32 old = READ_ONCE(g->word);

	/* pairs with bw_gate_open() */
	if (unlikely(old & BW_GATE_SHUT ||
		     !try_cmpxchg_acquire(&g->word, &old,
					  old + BW_GATE_INSIDE)))
		bw_gate_enter_slow(g);
}

static inline void bw_gate_leave(struct bw_gate *g)
{
	/* pairs with bw_gate_shut() */
	u32 left = __atomic_sub_fetch(&g->word, BW_GATE_INSIDE,
				      __ATOMIC_SEQ_CST);

	if (unlikely(left == BW_GATE_SHUT))
		bw_gate_leave_slow(g);
}

#endif
