// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * rows_test: the tables of kmod/tests, played in a process.
 *
 *	rows_*.h	the same rows that KUnit plays in the kernel
 *	  rows_test.c	<- here
 */
#include "tap.h"
#include "tests/rows_damage.h"
#include "tests/rows_pagemap.h"
#include "tests/rows_span.h"
#include "tests/story.h"

#define NR_ROWS(table)	(sizeof(table) / sizeof((table)[0]))

#define PLAY_ALL(noun)							\
	do {								\
		for (size_t i = 0; i < NR_ROWS(noun##_rows); i++)	\
			report(#noun, noun##_rows[i].name,		\
			       noun##_row_run(&noun##_rows[i]));	\
	} while (0)

static void report(const char *noun, const char *name, struct verdict v)
{
	if (!tap_ok(!v.why, "%s: %s", noun, name))
		tap_note("step %d: %s: got %lld (%#llx), want %lld (%#llx)",
			 v.step, v.why, (long long)v.got, (long long)v.got,
			 (long long)v.want, (long long)v.want);
}

int main(void)
{
	PLAY_ALL(pagemap);
	PLAY_ALL(span);
	PLAY_ALL(coreheap);
	PLAY_ALL(damage);
	return tap_end();
}
