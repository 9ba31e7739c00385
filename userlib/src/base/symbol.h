/* SPDX-License-Identifier: MIT */
/*
 * symbol: what is loaded where, and how code at an address is called.
 *
 *	bw_symbols_begin()
 *	bw_module_of(), bw_symbol() ...
 *	bw_symbols_end()
 *
 * Names come from the symbol tables of the files themselves, so functions that
 * are static have one, too; without a table, or for a file that is gone, it is
 * the file's name and a distance. Nothing here allocates or uses stdio.
 *
 * Rejected: dladdr(), which knows only what is exported: of a program nothing.
 */
#ifndef BW_BASE_SYMBOL_H
#define BW_BASE_SYMBOL_H

#include "types.h"

/**
 * struct bw_module - a loaded object				[SYMBOLS]
 * @lo:		its lowest address
 * @hi:		behind its highest
 * @bias:	what is added to addresses in its file
 * @eh:		its table of unwind rules (.eh_frame_hdr), or NULL
 * @eh_bytes:	size of that
 * @rules:	where there is no such table, the rules themselves (.eh_frame)
 * @rules_bytes: size of these
 * @path:	of its file
 * @name:	the last part of it
 */
struct bw_module {
	u64 lo;
	u64 hi;
	u64 bias;
	const u8 *eh;
	size_t eh_bytes;
	const u8 *rules;
	size_t rules_bytes;
	char path[240];
	const char *name;
};

/* In between one thread asks, and what is loaded then is known. */
void bw_symbols_begin(void);
void bw_symbols_end(void);

/* NULL: no object has code there. */
const struct bw_module *bw_module_of(u64 pc);

/* "work+0x10 (prog)", "prog+0x1234" or "0x1234"; its length. */
size_t bw_symbol(u64 pc, char *buf, size_t size);

#endif
