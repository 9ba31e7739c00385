/* SPDX-License-Identifier: MIT */
/*
 * special: objects with a finalizer or a weak reference.
 *
 *	bw_gc_cycle()
 *	  bw_special_roots()	arguments of finalizers, and what waits for its own
 *	  ... all is marked ...
 *	  bw_special_dead()	<- here, in the stop: who is dead, and what then
 *	  bw_special_run()	after it: a G for the finalizers that are due
 *
 * F1. The table shows no object's address (its keys are inverted), so it keeps
 *     none; arguments it does.
 * F2. Finalizers run in order of dependency: what a dead object with one reaches
 *     is kept until it has run. So objects on a cycle of these never become due;
 *     that there are such is said.
 * F3. A weak reference is cleared in the stop that finds its object dead, before
 *     a finalizer sees it. Whoever got a pointer out of one before that stop had
 *     it in a section, and has it on its stack (bw_special_get()).
 * F4. A finalizer runs once, in a G of its own, which is there while some are due
 *     and a run is under way.
 * F5. A span that has a special object is freed from on slow paths only, which
 *     tell us (object_freed of hooks.def): an entry never outlives its object.
 */
#ifndef BW_GC_SPECIAL_H
#define BW_GC_SPECIAL_H

#include "mark.h"

struct bw_weak;

typedef void bw_final_fn(void *obj, void *arg);

/* NULL takes it away. -ENOMEM */
int bw_special_set_final(struct bw_mheap *h, void *p, bw_final_fn *fn,
			 void *arg);
/* The object's one weak reference, once more; NULL: no memory. */
struct bw_weak *bw_special_weak(struct bw_mheap *h, void *p);
void *bw_special_get(struct bw_weak *w);
void bw_special_put(struct bw_weak *w);

void bw_special_roots(void (*fn)(const char *low, const char *end, void *arg),
		      void *arg);
/* World stopped, all is marked; @drain marks what it puts in. */
void bw_special_dead(struct bw_marker *m, void (*drain)(struct bw_marker *m));
void bw_special_run(void);
/* Of all that is kept here: fork() takes it. */
u32 *bw_special_lock(void);
/* bw_free() of an object in a span that has special ones. */
void bw_special_freed(struct bw_mheap *h, void *p);

#endif
