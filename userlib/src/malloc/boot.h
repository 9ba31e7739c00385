/* SPDX-License-Identifier: MIT */
/*
 * boot: how a process gets its heap, and a thread its front.
 *
 *	bw_front_take_slow()		malloc/front.c
 *	  bw_boot_thread()		<- here
 *	    bw_mheap()			heap/pageheap_open.c
 *
 * malloc() is called before anything of the program runs, by the loader, and by
 * the very calls that opening a heap takes. Both are served from a piece of
 * static memory, of which nothing is used again.
 *
 *	1. environ is not there yet: static memory. What BURROW says is not known.
 *	2. the first call after that, at the latest our constructor, opens the heap
 *	   and registers with fork(): so early that the handlers of others come
 *	   before ours when fork() begins, and after ours in the child.
 *	3. each thread's first call makes its front READY and sees to its end.
 */
#ifndef BW_MALLOC_BOOT_H
#define BW_MALLOC_BOOT_H

#include "front.h"

/*
 * The calling thread is READY after it. False: there is no heap yet or there
 * never will be, which was said.
 */
bool bw_boot_thread(void);

/* The heap, after bw_boot_thread(); NULL where that was false. */
struct bw_mheap *bw_boot_heap(void);

/*
 * Static memory, zero, where that is what a call must have; else NULL. @align: a
 * power of two.
 */
void *bw_boot_alloc(size_t n, size_t align);
void *bw_boot_alloc_class(u32 cls);
bool bw_boot_owns(const void *p);
size_t bw_boot_size(const void *p);

/* Blocks up to 256 KiB have classes: not before there is a heap, nor with guards. */
extern bool bw_boot_classes __hidden;

/* bw_front_begin() and _end() are the thread's first and last. */
void bw_front_begin(struct bw_front *f);
/* False: call again, the destructors of others are to come before. */
bool bw_front_end(struct bw_front *f);
#define BW_FRONT_ROUNDS	3

/* What has no class: a block of its own, static memory, NULL; else it is fatal. */
void bw_boot_free(void *p);

#endif
