/* SPDX-License-Identifier: MIT */
/*
 * pagepolicy_shape: memory whose page tables have a wanted shape.
 *
 *	pagepolicy.c		what is done with it
 *	  pagepolicy_shape.h	<- here
 *
 * The variants stand for pages a module would map; user space can make page
 * tables that look the same to the hardware:
 *
 *	A  4 KiB entries, frames scattered over physical memory
 *	B  4 KiB entries, each aligned 2 MiB one block of physical memory
 *	C  2 MiB entries
 *	D  what a process gets that asks for nothing and touches in order
 *	E  4 KiB entries, frames shuffled inside as many 2 MiB blocks as B's:
 *	   A to E tells what lying far apart costs, E to B what lying in order
 *	   saves
 *
 * Nothing here returns after a failure: it says what failed and ends the run.
 */
#ifndef PAGEPOLICY_SHAPE_H
#define PAGEPOLICY_SHAPE_H

#include <stddef.h>
#include <stdint.h>

#define FRAME		4096UL
#define BLOCK		(2UL << 20)
#define NR_VARIANTS	5		/* A to E */

/* Why no such memory can be made on this machine, or NULL. */
const char *shapes_lack(void);

/* Once: the size of a heap, and a random order of its pages that stays. */
void shapes_init(size_t bytes, const uint32_t *order);

/* A heap of variant @v's shape, until map_free(). */
char *shape_make(int v);
/* Ends the run if the heap has not the shape its name says. */
void shape_check(int v, const char *heap);
/* What was seen of all shapes, in a table. */
void shapes_report(void);

/*
 * Memory that starts at a multiple of 2 MiB and has PROT_NONE on both sides, so
 * that its VMA merges with no other; @advice is madvise()'s, or -1.
 */
char *map_make(size_t bytes, int advice);
void map_free(char *p, size_t bytes);
/* Writes to each page. */
void touch(char *p, size_t bytes);
/* How much of some memory smaps calls AnonHugePages. */
double share_huge(const void *p, size_t bytes);

/* Widens a range of values, lowest and highest, to hold @x. */
static inline void keep(double range[2], double x)
{
	if (x < range[0])
		range[0] = x;
	if (x > range[1])
		range[1] = x;
}

#endif
