// SPDX-License-Identifier: MIT
/*
 * pageheap_process: the heap that the process has.
 *
 *	bw_mcache_attach()		heap/mcache_thread.c
 *	bw_boot_thread()		malloc/boot.c
 *	  bw_mheap()			<- here: the anchor's, or a new one
 *	    bw_backend_open()		backend/select.c
 *
 * Who opens it sees to fork(), too: H5's locks are taken after those of rooms
 * above, whose handlers were registered later, and before the backend's gate.
 */
#include <pthread.h>

#include "anchor.h"
#include "backend/fork.h"
#include "base/error.h"
#include "base/throw.h"
#include "copy.h"
#include "mcache_hook.h"
#include "pageheap_inside.h"

/*
 * What another copy of the library must agree with, to use our heap: the number
 * goes up with a change that no size shows.
 */
#ifndef BW_HEAP_LAYOUT_NR
#define BW_HEAP_LAYOUT_NR	3
#endif
#define LAYOUT		((u64)BW_HEAP_LAYOUT_NR << 56 ^ \
			 (u64)sizeof(struct bw_mheap) << 32 ^ \
			 (u64)offsetof(struct bw_mheap, central) << 40 ^ \
			 (u64)sizeof(struct bw_backend_ops) << 20 ^ \
			 (u64)sizeof(struct bw_backend) << 8 ^ \
			 (u64)sizeof(struct bw_mspan_chunk) << 12 ^ \
			 (u64)sizeof(struct bw_heap))

/* The heap, if it was this copy of the library that opened it. */
static struct bw_mheap *opened;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int fork_err;

/* Of one rank, so without. */
static void fork_prepare(void)
{
	struct bw_mheap *h = READ_ONCE(opened);
	u32 i;

	if (!h)
		return;
	bw_word_lock(&h->gc.caches_lock.word);
	for (i = 0; i < BW_NR_SPANCLASSES; i++)
		bw_word_lock(&h->central[i].lock.word);
	bw_gate_shut(&h->large);
	bw_word_lock(&h->arenas.word);
	bw_word_lock(&h->lock.word);
	bw_word_lock(&h->gc.limbo_lock.word);
}

static void fork_parent(void)
{
	struct bw_mheap *h = READ_ONCE(opened);
	u32 i;

	if (!h)
		return;
	bw_word_unlock(&h->gc.limbo_lock.word);
	bw_word_unlock(&h->lock.word);
	bw_word_unlock(&h->arenas.word);
	bw_gate_open(&h->large);
	for (i = 0; i < BW_NR_SPANCLASSES; i++)
		bw_word_unlock(&h->central[i].lock.word);
	bw_word_unlock(&h->gc.caches_lock.word);
}

/* In a child nobody waits. */
static void fork_child(void)
{
	struct bw_mheap *h = READ_ONCE(opened);
	u32 i;

	if (!h)
		return;
	bw_word_reset(&h->gc.caches_lock.word);
	bw_word_reset(&h->gc.limbo_lock.word);
	bw_word_reset(&h->lock.word);
	bw_word_reset(&h->arenas.word);
	bw_gate_reset(&h->large);
	for (i = 0; i < BW_NR_SPANCLASSES; i++)
		bw_word_reset(&h->central[i].lock.word);
}

static void register_handlers(void)
{
	fork_err = bw_fork_init();
	if (!fork_err && pthread_atfork(fork_prepare, fork_parent, fork_child))
		fork_err = bw_error(-ENOMEM,
				    "no memory for what fork() has to call");
}

static int heap_open(const struct bw_options *o, struct bw_mheap **out)
{
	struct bw_backend *be;
	int err = bw_backend_open(o, &be);

	if (err)
		return err;
	err = bw_mheap_open_on(be, o, out);
	if (err) {
		be->ops->close(be);
		return err;
	}
	(*out)->hooks = o->clobberfree || bw_hook_wanted();
	return 0;
}

static int process_open(struct bw_anchor *a)
{
	struct bw_options o;
	struct bw_mheap *h;
	int err;

	bw_options_init(&o);
	err = bw_options_from_env(&o);
	if (!err)
		err = heap_open(&o, &h);
	if (err)
		return err;
	WRITE_ONCE(opened, h);
	a->layout = LAYOUT;
	/* pairs with bw_mheap_peek() */
	smp_store_release(&a->heap, h);
	return 0;
}

static int layout_check(const struct bw_anchor *a)
{
	if (a->layout == LAYOUT)
		return 0;
	return bw_error(-EOPNOTSUPP, "libburrow and libburrow-malloc of this "
			"process are not of one version: heap layouts %llx and "
			"%llx", (unsigned long long)a->layout,
			(unsigned long long)LAYOUT);
}

struct bw_mheap *bw_mheap_peek(void)
{
	struct bw_anchor *a = bw_anchor();
	/* pairs with process_open(): @layout comes before it */
	struct bw_mheap *h = smp_load_acquire(&a->heap);

	return h && a->layout == LAYOUT ? h : NULL;
}

/*
 * The C library allocates to register handlers, and a malloc that has no heap
 * yet comes here for it: not under the lock.
 */
int bw_mheap_get(struct bw_mheap **out)
{
	struct bw_anchor *a = bw_anchor();
	int err;

	*out = bw_mheap_peek();
	if (likely(*out && bw_copy_has_joined()))
		return 0;
	pthread_once(&once, register_handlers);
	if (fork_err)
		return fork_err;
	bw_anchor_lock(a);
	err = a->heap ? layout_check(a) : process_open(a);
	if (!err) {
		*out = a->heap;
		bw_copy_join_locked(a);
	}
	bw_anchor_unlock(a);
	return err;
}

/* Who asked for what cannot be had hears it once, and clearly. */
struct bw_mheap *bw_mheap(void)
{
	struct bw_mheap *h;
	int err = bw_mheap_get(&h);

	if (err && err != -ENOMEM)
		bw_fatal("%s", bw_error_last());
	return err ? NULL : h;
}
