/* SPDX-License-Identifier: MIT */
/*
 * anchor: where all copies of this library in one process meet.
 *
 *	bw_mheap_get()			heap/pageheap_process.c
 *	  bw_anchor()			<- here
 *
 * A process may have the heap room several times: in libburrow.so, in
 * libburrow-malloc.so and in a program that has libburrow.a. They are to have one
 * heap, one file of the device and one window, in whatever order they came. So
 * the shared libraries have a symbol that the dynamic linker makes one in the
 * process (STB_GNU_UNIQUE, anchor_so.S), also for what dlopen() brought with
 * RTLD_LOCAL; who comes first opens the heap, and its code is the backend's.
 * What each copy keeps for itself is what no other looks at: the threads'
 * mcaches, the malloc's stacks, options, messages. Each has sections of its own
 * (base/section.h), too, and those matter to who stops threads: @copies.
 *
 * A program with libburrow.a asks for the symbol weakly. Where no library that
 * was there when the program was loaded has it, it has an anchor of its own:
 * one that comes later, by dlopen(), does not know it and has a heap of its own.
 *
 * What is behind @heap must look the same to all: @layout says what the first
 * one thinks it looks like, and who thinks otherwise must leave it alone.
 *
 * This struct and its name stay as they are for ever; so all versions meet.
 *
 * Rejected: a version in the symbol's name, with which two versions would have
 * two heaps and nobody would hear of it. libburrow.so that needs
 * libburrow-malloc.so: then whoever uses the one has the malloc of the other.
 */
#ifndef BW_HEAP_ANCHOR_H
#define BW_HEAP_ANCHOR_H

#include "base/section.h"

struct bw_copy;
struct bw_mheap;

/**
 * struct bw_anchor - see above
 * @lock:	a word as in base/lock.h: of what follows
 * @layout:	of @heap, once that is there				[lock]
 * @heap:	the heap of the process, or NULL		[lock, atomic]
 * @copies:	that use it (copy.h)				[lock, atomic]
 * @hook:	for the sections of all of them				[lock]
 */
struct bw_anchor {
	u32 lock;
	u32 pad;
	u64 layout;
	struct bw_mheap *heap;
	struct bw_copy *copies;
	bw_section_fn *hook;
	u64 unused[3];
};

/* The process's. */
struct bw_anchor *bw_anchor(void);
/* Its lock has no rank of ours: versions have one anchor, and many ranks. */
void bw_anchor_lock(struct bw_anchor *a);
void bw_anchor_unlock(struct bw_anchor *a);

#endif
