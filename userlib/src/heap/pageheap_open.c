// SPDX-License-Identifier: MIT
/*
 * pageheap_open: the life of a heap.
 *
 *	bw_mheap()			heap/pageheap_process.c
 *	  bw_mheap_open_on()		<- here
 */
#include "base/error.h"
#include "base/sysmem.h"
#include "pageheap_inside.h"

static void heap_init(struct bw_mheap *h, const struct bw_options *o)
{
	u32 i;

	h->verify = o->verify;
	h->clobberfree = o->clobberfree;
	h->guard = o->guard;
	h->efence = o->efence;
	h->closes = o->efence && !strcmp(h->be->mode, "user");
	bw_lock_init(&h->mending, BW_RANK_MHEAP_OPEN);
	h->mended = READ_ONCE(h->be->epoch);
	bw_lock_init(&h->arenas, BW_RANK_MHEAP_ARENAS);
	bw_lock_init(&h->lock, BW_RANK_MHEAP);
	bw_list_init(&h->unused);
	bw_list_init(&h->stuck);
	for (i = 0; i < BW_NR_SPANCLASSES; i++) {
		bw_list_init(&h->spares[i].head);
		bw_mcentral_init(&h->central[i]);
	}
	h->decayed = bw_clock_now();
	bw_mcentral_init(&h->gc.large);
	bw_lock_init(&h->gc.limbo_lock, BW_RANK_LIMBO);
	bw_lock_init(&h->gc.caches_lock, BW_RANK_MCACHES);
	bw_list_init(&h->gc.limbo);
	h->gc.trigger = INT64_MAX;
}

static size_t classes_bytes(const struct bw_backend *be)
{
	return bw_window_pages(&be->window) * sizeof(u16);
}

int bw_mheap_open_on(struct bw_backend *be, const struct bw_options *o,
		     struct bw_mheap **out)
{
	struct bw_mheap *h = bw_sys_alloc(sizeof(*h));

	if (!h)
		return bw_error(-ENOMEM, "no memory for a heap");
	h->map.classes = bw_sys_alloc(classes_bytes(be));
	if (!h->map.classes) {
		bw_sys_free(h, sizeof(*h));
		return bw_error(-ENOMEM, "no address space for the classes of "
				"a heap's pages");
	}
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

	bw_sys_free(h->map.classes, classes_bytes(h->be));
	h->be->ops->close(h->be);
	for (chunk = h->chunks; chunk; chunk = next) {
		next = chunk->next;
		bw_sys_free(chunk, sizeof(*chunk));
	}
	bw_sys_free(h, sizeof(*h));
}
