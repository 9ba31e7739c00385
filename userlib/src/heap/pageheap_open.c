// SPDX-License-Identifier: MIT
/*
 * pageheap_open: the life of a heap, and the one that the process has.
 *
 *	bw_mcache_attach()		heap/mcache_thread.c
 *	  bw_mheap()			<- here
 *	    bw_backend_open()		backend/select.c
 */
#include "base/error.h"
#include "base/sysmem.h"
#include "base/throw.h"
#include "mcache_hook.h"
#include "pageheap_inside.h"

static struct bw_lock process_lock = { BW_LOCK_FREE, BW_RANK_MHEAP_OPEN };
static struct bw_mheap *process_heap;

static void heap_init(struct bw_mheap *h, const struct bw_options *o)
{
	u32 i;

	h->verify = o->verify;
	h->clobberfree = o->clobberfree;
	h->guard = o->guard;
	bw_lock_init(&h->arenas, BW_RANK_MHEAP_ARENAS);
	bw_lock_init(&h->lock, BW_RANK_MHEAP);
	bw_list_init(&h->unused);
	bw_list_init(&h->stuck);
	for (i = 0; i < BW_NR_SPANCLASSES; i++) {
		bw_list_init(&h->spares[i].head);
		bw_mcentral_init(&h->central[i]);
	}
	h->decayed = bw_clock_now();
}

int bw_mheap_open_on(struct bw_backend *be, const struct bw_options *o,
		     struct bw_mheap **out)
{
	struct bw_mheap *h = bw_sys_alloc(sizeof(*h));

	if (!h)
		return bw_error(-ENOMEM, "no memory for a heap");
	h->be = be;
	h->pub = (struct bw_heap){ .be = be, .verbose = o->verbose };
	h->map.base = be->window.data;
	h->map.umeta = be->window.umeta;
	heap_init(h, o);
	*out = h;
	return 0;
}

void bw_mheap_close(struct bw_mheap *h)
{
	struct bw_mspan_chunk *chunk, *next;

	h->be->ops->close(h->be);
	for (chunk = h->chunks; chunk; chunk = next) {
		next = chunk->next;
		bw_sys_free(chunk, sizeof(*chunk));
	}
	bw_sys_free(h, sizeof(*h));
}

static int process_open(struct bw_mheap **out)
{
	struct bw_backend *be;
	struct bw_options o;
	int err;

	bw_options_init(&o);
	err = bw_options_from_env(&o);
	if (!err)
		err = bw_backend_open(&o, &be);
	if (err)
		return err;
	err = bw_mheap_open_on(be, &o, out);
	if (err) {
		be->ops->close(be);
		return err;
	}
	(*out)->hooks = o.clobberfree || bw_hook_wanted();
	return 0;
}

struct bw_mheap *bw_mheap_peek(void)
{
	/* pairs with bw_mheap_get() */
	return smp_load_acquire(&process_heap);
}

int bw_mheap_get(struct bw_mheap **out)
{
	int err = 0;

	*out = bw_mheap_peek();
	if (likely(*out))
		return 0;
	bw_lock(&process_lock);
	*out = process_heap;
	if (!*out)
		err = process_open(out);
	if (!err)
		/* pairs with bw_mheap_peek() */
		smp_store_release(&process_heap, *out);
	bw_unlock(&process_lock);
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
