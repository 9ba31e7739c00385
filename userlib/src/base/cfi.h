/* SPDX-License-Identifier: MIT */
/*
 * cfi: call frame information: where, at an instruction, a function has put
 * what its caller had in registers.
 */
#ifndef BW_BASE_CFI_H
#define BW_BASE_CFI_H

#include "symbol.h"
#include "unwind.h"

enum bw_cfi_how {
	BW_CFI_SAME,		/* as it is */
	BW_CFI_NONE,		/* lost, or of the return address: no caller */
	BW_CFI_AT,		/* in memory, @value from the frame's address */
	BW_CFI_IS,		/* the frame's address and @value */
	BW_CFI_REG,		/* in register @value */
};

struct bw_cfi_rule {
	u32 how;
	s64 value;
};

/**
 * struct bw_cfi_row - the rules at one instruction			[caller]
 * @reg:	for each register
 * @cfa_reg:	the frame's address is this register
 * @cfa_off:	and this
 * @cfa_known:	false: it is an expression, which we do not know
 * @ra:		the column of the return address
 */
struct bw_cfi_row {
	struct bw_cfi_rule reg[BW_UNWIND_REGS];
	u64 cfa_reg;
	s64 cfa_off;
	bool cfa_known;
	u32 ra;
};

/* False: nothing is said of this address, or not in a way that we know. */
bool bw_cfi_row_at(const struct bw_module *m, u64 pc, struct bw_cfi_row *row);

#endif
