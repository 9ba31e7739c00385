/* SPDX-License-Identifier: MIT */
/*
 * copy: what a copy of this library in the process has that others must look at
 * before they stop a thread: its sections.
 *
 *	bw_mheap_get()		heap/pageheap_process.c
 *	  bw_copy_join_locked()	<- here: before it takes any lock of the heap
 *	on_stop()		sched/stop.c
 *	  bw_copies_ask()	<- here
 *
 * All copies have one heap (anchor.h), and with it its locks; but each raises
 * counts of its own and has leaves of its own. A thread is in a section if it is
 * in one of any copy. Thread-local variables of the initial-exec model are as far
 * from each thread's pthread_self() as from any other's, so one number says where
 * a copy's count is in whatever thread looks.
 *
 * K1. A copy is on the list before it takes a lock of the heap, and for ever:
 *     these libraries are never unloaded.
 * K2. All copies have one hook, of who stops the world. The last one to raise a
 *     count and drop it calls the hook, which looks at all counts again.
 *
 * Rejected: the count in the anchor's library alone; a program with libburrow.a
 * would call through the PLT at each lock.
 */
#ifndef BW_HEAP_COPY_H
#define BW_HEAP_COPY_H

#include "anchor.h"

/**
 * struct bw_copy - of the library, in this process
 * @hook:	the copy's bw_section_hook				[const]
 * @next:	one that came before					[const]
 * @section:	a thread's bw_section is so far from pthread_self()	[const]
 * @leaf:	code that is a section without a count			[const]
 * @leaf_end:	its end							[const]
 */
struct bw_copy {
	bw_section_fn **hook;
	struct bw_copy *next;
	s64 section;
	uintptr_t leaf;
	uintptr_t leaf_end;
};

/* Ours is on the list. */
bool bw_copy_has_joined(void);
/* Puts it there, if it is not. */
void bw_copy_join_locked(struct bw_anchor *a);

/* Called from now on when a section of any copy ends that a stop waited for. */
void bw_copies_hook(bw_section_fn *hook);

/*
 * Of the calling thread, all three safe in a signal handler.
 */
/* True: it is in a section with a count. */
bool bw_copies_count(void);
/* The same; and the hook is to be called at the end of that section. */
bool bw_copies_ask(void);
/* Nobody waits for that any more. */
void bw_copies_unask(void);
/* There is a leaf of some copy at @pc. */
bool bw_copies_leaf_has(uintptr_t pc);
/* How many there are. */
u32 bw_copies_nr(void);

#endif
