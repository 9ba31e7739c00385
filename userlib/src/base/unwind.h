/* SPDX-License-Identifier: MIT */
/*
 * unwind: who called whom on a stack that is not ours.
 *
 * It reads the call frame information that compilers leave in every program
 * (.eh_frame), so that it needs no frame pointers. The stack may belong to a
 * thread that runs meanwhile: then the result may be wrong, but nothing outside
 * the stack's bounds is read, and each frame lies above the last.
 *
 * Rejected: the chain of frame pointers, which distributions' compilers do not
 * keep; libgcc's unwinder, which trusts what it reads.
 */
#ifndef BW_BASE_UNWIND_H
#define BW_BASE_UNWIND_H

#include "types.h"

#if defined(__x86_64__)
#define BW_UNWIND_FP	6		/* rbp, as DWARF numbers it */
#define BW_UNWIND_SP	7
#define BW_UNWIND_RA	16
#define BW_UNWIND_PC	(~0ULL)
#elif defined(__aarch64__)
#define BW_UNWIND_FP	29
#define BW_UNWIND_SP	31
#define BW_UNWIND_RA	30
#define BW_UNWIND_PC	((1ULL << 48) - 1)	/* above it: signatures */
#endif

#define BW_UNWIND_REGS	33U

/**
 * struct bw_unwind - where a stack is to be unwound from		[caller]
 * @pc:		where it goes on
 * @reg:	by DWARF's numbers; sp must be known
 * @known:	bit i: reg[i] is
 * @lo:		the stack's lowest address
 * @hi:		behind its highest
 */
struct bw_unwind {
	u64 pc;
	u64 reg[BW_UNWIND_REGS];
	u64 known;
	u64 lo;
	u64 hi;
};

static inline void bw_unwind_set(struct bw_unwind *u, u32 reg, u64 value)
{
	u->reg[reg] = value;
	u->known |= 1ULL << reg;
}

/*
 * Return addresses from the innermost on, at most @max, without the outermost
 * frame, which nobody called; how many. Between bw_symbols_begin() and _end().
 */
u32 bw_unwind(struct bw_unwind *u, u64 *pc, u32 max);

#endif
