/* SPDX-License-Identifier: MIT */
/*
 * mode_bench: the library in kernel mode beside itself in user mode.
 *
 *	mode_bench.c	whose turn it is, a process each; what came of it
 *	mode_rows.c	what is measured that needs no G
 *	mode_rows_g.c	what does
 */
#ifndef MODE_BENCH_H
#define MODE_BENCH_H

#include "vm_row.h"

#define FRAME	4096UL

#define QUICK	1U	/* row->when: in a short run, too */
#define WALL	2U	/* where there are two CPUs, too */
#define ONLY_WALL 4U	/* only there */

/**
 * struct row - one thing that is measured, by a process of its own
 * @name:	in the table
 * @unit:	what cost() is for
 * @cost:	in nanoseconds or, of memory, in KiB
 * @when:	QUICK ...
 */
struct row {
	const char *name;
	const char *unit;
	double (*cost)(void);
	unsigned int when;
};

/* Each ends with a row without a name. */
extern const struct row heap_rows[];
extern const struct row g_rows[];

void die(const char *what);

#endif
