// SPDX-License-Identifier: MIT
/*
 * heap: the public calls, on whatever backend was chosen.
 *
 *	bw_heap_*		<- here: options, batches of any length
 *	  backend ops		backend/backend.h
 *
 * A vector longer than the backend takes is cut into pieces; as elements are
 * done in order and the first failure ends it, the caller sees no difference.
 */
#include "base/error.h"
#include "base/sysmem.h"
#include "heap.h"

static int options_from(const struct bw_heap_opts *opts, struct bw_options *o)
{
	int err = 0;

	if (!opts)
		return bw_options_from_env(o);
	if (opts->size != sizeof(*opts) || opts->pad)
		return bw_error(-EINVAL, "struct bw_heap_opts: size is %u, "
				"this library's is %zu; pad is %u, not 0",
				opts->size, sizeof(*opts), opts->pad);
	if (opts->mode > BW_MODE_USER)
		return bw_error(-EINVAL, "mode %u is not allowed; it is a "
				"BW_MODE_*", opts->mode);
	if (opts->flags & ~(BW_HEAP_VERBOSE | BW_HEAP_VERIFY))
		return bw_error(-EINVAL, "flags 0x%x are not allowed; they are "
				"BW_HEAP_*", opts->flags);
	o->mode = opts->mode;
	o->verbose = opts->flags & BW_HEAP_VERBOSE;
	o->verify = opts->flags & BW_HEAP_VERIFY;
	if (opts->window)
		err = bw_options_set_window(o, opts->window);
	if (!err && opts->device)
		err = bw_options_set_device(o, opts->device,
					    strlen(opts->device));
	return err;
}

int bw_heap_open_on(struct bw_backend *be, struct bw_heap **out)
{
	struct bw_heap *heap = bw_sys_alloc(sizeof(*heap));

	if (!heap)
		return bw_error(-ENOMEM, "no memory for a heap");
	heap->be = be;
	*out = heap;
	return 0;
}

int bw_heap_open(struct bw_heap **out, const struct bw_heap_opts *opts)
{
	struct bw_backend *be;
	struct bw_options o;
	int err;

	bw_options_init(&o);
	err = options_from(opts, &o);
	if (err)
		return err;
	err = bw_backend_open(&o, &be);
	if (err)
		return err;
	err = bw_heap_open_on(be, out);
	if (err) {
		be->ops->close(be);
		return err;
	}
	(*out)->verbose = o.verbose;
	return 0;
}

void bw_heap_close(struct bw_heap *heap)
{
	if (!heap)
		return;
	if (heap->verbose && bw_window_is_ours(&heap->be->window))
		bw_counts_note(&heap->stats);
	heap->be->ops->close(heap->be);
	bw_sys_free(heap, sizeof(*heap));
}

const char *bw_heap_mode(const struct bw_heap *heap)
{
	return heap->be->mode;
}

const char *bw_heap_error(void)
{
	return bw_error_last();
}

int bw_heap_arena_add(struct bw_heap *heap, uint32_t index,
		      uint32_t *out_index)
{
	return bw_heap_arena_add_kind(heap, BURROW_ARENA_HEAP, index,
				      out_index);
}

int bw_heap_arena_add_kind(struct bw_heap *heap, uint32_t kind, uint32_t index,
			   uint32_t *out_index)
{
	u32 got;
	int err;

	bw_stat_inc(&heap->stats, BW_STAT_calls);
	err = heap->be->ops->arena_add(heap->be, kind, index, &got);
	if (!err && out_index)
		*out_index = got;
	return err;
}

/* One piece of a vector was tried; is there another, and is it to be tried? */
static bool vector_goes_on(struct bw_heap *heap, u32 nr, u32 did, u32 *done,
			   int err)
{
	bw_stat_inc(&heap->stats, BW_STAT_calls);
	*done += did;
	if (err && *done)
		bw_stat_inc(&heap->stats, BW_STAT_partial);
	return !err && *done < nr;
}

int bw_heap_span_alloc(struct bw_heap *heap, const struct bw_span_want *want,
		       struct burrow_span_ref *spans, uint32_t nr,
		       uint32_t *done)
{
	const struct burrow_span_alloc req = {
		.flags = want->flags,
		.npages = want->npages,
		.align = want->align,
		.kind = want->kind,
		.cls = want->cls,
	};
	struct bw_backend *be = heap->be;
	u32 n = 0, did;
	int err;

	do {
		err = be->ops->span_alloc(be, &req, spans + n,
					  min(nr - n, be->max_batch), &did);
	} while (vector_goes_on(heap, nr, did, &n, err));
	if (done)
		*done = n;
	return err;
}

int bw_heap_span_free(struct bw_heap *heap, uint32_t flags,
		      const struct burrow_span_ref *spans, uint32_t nr,
		      uint32_t *done)
{
	struct bw_backend *be = heap->be;
	u32 n = 0, did;
	int err;

	do {
		err = be->ops->span_free(be, flags, spans + n,
					 min(nr - n, be->max_batch), &did);
	} while (vector_goes_on(heap, nr, did, &n, err));
	if (done)
		*done = n;
	return err;
}

int bw_heap_span_reclaim(struct bw_heap *heap,
			 const struct burrow_range *ranges, uint32_t nr,
			 uint32_t *done, uint64_t *frames)
{
	struct bw_backend *be = heap->be;
	u32 n = 0, did;
	u64 sum = 0, got;
	int err;

	do {
		err = be->ops->span_reclaim(be, ranges + n,
					    min(nr - n, be->max_batch), &did,
					    &got);
		sum += got;
	} while (vector_goes_on(heap, nr, did, &n, err));
	if (done)
		*done = n;
	if (frames)
		*frames = sum;
	return err;
}

/* Pieces are of whole words of @freed. */
int bw_heap_span_sweep(struct bw_heap *heap, uint32_t flags,
		       const struct burrow_span_ref *spans, uint32_t nr,
		       uint64_t *freed, struct bw_swept *out)
{
	struct bw_backend *be = heap->be;
	u32 most = be->max_batch / 64 * 64;
	struct bw_swept sum = { 0 };
	u32 did, gone;
	u64 pages;
	int err;

	if (freed)
		memset(freed, 0, ((u64)nr + 63) / 64 * sizeof(*freed));
	do {
		err = be->ops->span_sweep(be, flags, spans + sum.done,
					  min(nr - sum.done, most),
					  freed ? freed + sum.done / 64 : NULL,
					  &did, &gone, &pages);
		sum.nr_freed += gone;
		sum.pages_freed += pages;
	} while (vector_goes_on(heap, nr, did, &sum.done, err));
	if (out)
		*out = sum;
	return err;
}

int bw_heap_reclaim(struct bw_heap *heap, uint64_t bytes, uint64_t *got)
{
	u64 had;
	int err;

	bw_stat_inc(&heap->stats, BW_STAT_calls);
	err = heap->be->ops->lazy_reclaim(heap->be, bytes, &had);
	if (got)
		*got = had;
	return err;
}

/* The K-word of a page whose arena is there. */
static const u64 *kword(const struct bw_window *w, u32 page)
{
	return (const u64 *)(const void *)
		bw_window_kmeta(w, page >> BURROW_ARENA_PAGE_SHIFT) +
		page % BURROW_ARENA_PAGES;
}

static bool has_page(const struct bw_window *w, u32 page)
{
	return bw_window_has_arena(w, page >> BURROW_ARENA_PAGE_SHIFT);
}

/*
 * L2 and S1: a head seen with acquire has its bodies behind it; a body whose
 * head is gone, or of another generation, or does not reach this far, is what
 * an ended span left behind for a moment.
 */
bool bw_heap_span_of(const struct bw_heap *heap, const void *addr,
		     struct bw_span *out)
{
	const struct bw_window *w = &heap->be->window;
	size_t off = (uintptr_t)addr - (uintptr_t)w->data;
	u32 page, head;
	u64 word, hword;

	if (off >= (size_t)w->nr_arenas << BURROW_ARENA_SHIFT)
		return false;
	page = (u32)(off >> BURROW_PAGE_SHIFT);
	if (!has_page(w, page))
		return false;
	/* pairs with the release in bw_span_write() */
	word = smp_load_acquire(kword(w, page));
	head = page;
	hword = word;
	if (burrow_word_tag(word) == BURROW_TAG_BODY) {
		head = burrow_word_low(word);
		if (!has_page(w, head))
			return false;
		/* pairs with the release in bw_span_write() */
		hword = smp_load_acquire(kword(w, head));
	}
	if (burrow_word_tag(hword) != BURROW_TAG_HEAD ||
	    burrow_word_gen(hword) != burrow_word_gen(word) ||
	    page - head >= burrow_word_low(hword))
		return false;
	if (burrow_word_state(hword) != BURROW_SPAN_LIVE &&
	    burrow_word_state(hword) != BURROW_SPAN_DISCARDING)
		return false;
	*out = (struct bw_span){
		.page = head,
		.npages = burrow_word_low(hword),
		.gen = burrow_word_gen(hword),
		.kind = (u16)burrow_word_kind(hword),
		.cls = (u16)burrow_word_class(hword),
		.needzero = hword & BURROW_W_NEEDZERO,
		.guarded = hword & BURROW_W_GUARD,
	};
	return true;
}

void *bw_heap_addr(const struct bw_heap *heap, uint32_t page)
{
	return bw_window_page_addr(&heap->be->window, page);
}

uint32_t bw_heap_window_pages(const struct bw_heap *heap)
{
	return bw_window_pages(&heap->be->window);
}

void *bw_heap_umeta(const struct bw_heap *heap, uint32_t arena)
{
	const struct bw_window *w = &heap->be->window;

	return bw_window_has_arena(w, arena) ? bw_window_umeta(w, arena) :
					       NULL;
}

int bw_heap_stats(struct bw_heap *heap, struct burrow_heap_stats *out)
{
	return heap->be->ops->stats(heap->be, out);
}

int bw_heap_check(struct bw_heap *heap)
{
	int bad = heap->be->ops->check(heap->be);

	if (bad == -EXDEV)
		return bw_error(bad, "%s", heap->be->lost ? heap->be->lost :
				"the heap is another process's: this one was "
				"not made by fork() of the C library");
	if (bad <= 0)
		return bad;
	return bw_error(-EUCLEAN, "invariant %d of the %s-mode heap does not "
			"hold", bad, heap->be->mode);
}
