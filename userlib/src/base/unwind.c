// SPDX-License-Identifier: MIT
/*
 * unwind: one frame after the other.
 *
 *	bw_unwind()
 *	  find()		pc -> module -> .eh_frame_hdr -> FDE, its CIE
 *	  row_at()	cfi.c	   their programs, up to pc: a rule a register
 *	  step()		the caller's registers, by these rules
 *
 * U1. Only [lo, hi) of the stack is read, by load().
 * U2. The frame's address rises with each step; so it ends.
 */
#include "cfi.h"
#include "symbol.h"
#include "unwind.h"

/* What was left by others is read here, and sanitizers would mind. */
__attribute__((no_sanitize_address, no_sanitize_thread, noinline))
static bool load(const struct bw_unwind *u, u64 at, u64 *out)
{
	if (at < u->lo || at > u->hi - 8 || at % 8)
		return false;
	*out = *(const volatile u64 *)(uintptr_t)at;
	return true;
}

/* What a register of the caller is, by its rule; false: not to be known. */
static bool value_of(const struct bw_unwind *u, const struct bw_cfi_rule *r,
		     u32 reg, u64 cfa, u64 *out)
{
	switch (r->how) {
	case BW_CFI_SAME:
		*out = u->reg[reg];
		return u->known >> reg & 1;
	case BW_CFI_AT:
		return load(u, cfa + (u64)r->value, out);
	case BW_CFI_IS:
		*out = cfa + (u64)r->value;
		return true;
	case BW_CFI_REG:
		*out = u->reg[r->value];
		return u->known >> r->value & 1;
	default:
		return false;
	}
}

/* To the caller; false: there is none, or it is not to be found. */
static bool step(struct bw_unwind *u, const struct bw_cfi_row *row)
{
	struct bw_unwind old = *u;
	u64 cfa, pc, sp = u->reg[BW_UNWIND_SP];
	u32 i;

	if (!row->cfa_known || !(u->known >> row->cfa_reg & 1))
		return false;
	cfa = u->reg[row->cfa_reg] + (u64)row->cfa_off;
	if (cfa < sp || cfa > u->hi ||
	    !value_of(&old, &row->reg[row->ra], row->ra, cfa, &pc))
		return false;
	/* U2: an innermost frame that has not pushed anything may stay */
	if (cfa == sp && pc == u->pc)
		return false;
	u->known = 0;
	for (i = 0; i < BW_UNWIND_REGS; i++) {
		u64 v;

		if (i != row->ra && value_of(&old, &row->reg[i], i, cfa, &v))
			bw_unwind_set(u, i, v);
	}
	bw_unwind_set(u, BW_UNWIND_SP, cfa);
	u->pc = pc & BW_UNWIND_PC;
	return true;
}

u32 bw_unwind(struct bw_unwind *u, u64 *pc, u32 max)
{
	struct bw_cfi_row row;
	u32 nr = 0;

	while (nr < max && u->pc) {
		/* a call that does not return may end its function */
		u64 at = u->pc - (nr != 0);
		const struct bw_module *m = bw_module_of(at);

		/* code without rules was called by somebody all the same */
		if (!m || !bw_cfi_row_at(m, at, &row)) {
			pc[nr++] = u->pc;
			break;
		}
		if (row.reg[row.ra].how == BW_CFI_NONE)
			break;
		pc[nr++] = u->pc;
		if (!step(u, &row))
			break;
	}
	return nr;
}
