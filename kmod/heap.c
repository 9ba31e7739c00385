// SPDX-License-Identifier: GPL-2.0-only
/*
 * heap: the heap of one address space, from its set-up or its parent's fork to
 * the exit of that address space.
 */
#include <linux/err.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "heap.h"

static unsigned long table_frames(u32 nr_arenas)
{
	return DIV_ROUND_UP(bw_core_bytes(nr_arenas) +
			    nr_arenas * sizeof(struct bw_arena *), PAGE_SIZE);
}

/* An empty heap for @mm, charged, not yet on the file's list. */
struct bw_heap *bw_heap_make(struct bw_file *file, struct mm_struct *mm,
			     u32 nr_arenas)
{
	struct bw_heap *heap;
	int err = -ENOMEM;

	heap = kzalloc(sizeof(*heap), BW_GFP_CALL);
	if (!heap)
		return ERR_PTR(err);
	heap->file = file;
	heap->meta_frames = table_frames(nr_arenas);
	err = bw_heap_charge(heap, heap->meta_frames);
	if (err)
		goto err_heap;
	err = -ENOMEM;
	heap->core_mem = kvzalloc(bw_core_bytes(nr_arenas), BW_GFP_CALL);
	if (!heap->core_mem)
		goto err_uncharge;
	heap->arena = kvcalloc(nr_arenas, sizeof(*heap->arena), BW_GFP_CALL);
	if (!heap->arena)
		goto err_core;

	refcount_inc(&file->refs);
	refcount_set(&heap->refs, 1);
	INIT_LIST_HEAD(&heap->node);
	INIT_LIST_HEAD(&heap->lazy);
	heap->limit = ~0ULL;
	heap->mm = mm;
	mmgrab(mm);
	heap->nr_arenas = nr_arenas;
	mutex_init(&heap->harvest);
	mutex_init(&heap->insert);
	spin_lock_init(&heap->lock);
	init_waitqueue_head(&heap->claims_wait);
	xa_init_flags(&heap->threads, XA_FLAGS_ALLOC);
	bw_core_init(&heap->core, heap->core_mem, nr_arenas);
	return heap;

err_core:
	kvfree(heap->core_mem);
err_uncharge:
	bw_heap_uncharge(heap, heap->meta_frames);
err_heap:
	kfree(heap);
	return ERR_PTR(err);
}

void bw_heap_put(struct bw_heap *heap)
{
	if (!refcount_dec_and_test(&heap->refs))
		return;
	WARN_ON_ONCE(heap->nr_added);
	kvfree(heap->core_mem);
	kvfree(heap->arena);
	bw_heap_uncharge(heap, heap->meta_frames);
	bw_file_put(heap->file);
	kfree(heap);
}

/*
 * Nobody uses the heap any more: it is off the file's list and has no mapping.
 * A scan of the shrinker may still hold an arena.
 */
void bw_heap_end(struct bw_heap *heap)
{
	u32 index;

	bw_debugfs_del(heap);
	bw_threads_free(heap);
	for (index = 0; index < heap->nr_arenas; index++)
		bw_arena_del_unmapped(heap, index);
	if (heap->dead_child)
		mmdrop(heap->dead_child);
	mmdrop(heap->mm);
	bw_heap_put(heap);
}

/* 0, or what is wrong with a place of @nr pieces of @size bytes. */
static int check_place(u64 start, u64 size, u64 nr)
{
	u64 end;

	if (!start || start % size || check_mul_overflow(size, nr, &end) ||
	    check_add_overflow(start, end, &end) || end > TASK_SIZE)
		return -EINVAL;
	return 0;
}

static bool places_overlap(u64 a, u64 a_size, u64 b, u64 b_size)
{
	return a < b + b_size && b < a + a_size;
}

static int check_setup(const struct burrow_heap_setup *arg)
{
	u64 nr = arg->window_size >> BURROW_ARENA_SHIFT;
	u64 kmeta = nr * BURROW_KMETA_SIZE, umeta = nr * BURROW_UMETA_SIZE;

	if (!nr || nr > BURROW_MAX_ARENAS ||
	    arg->window_size % BURROW_ARENA_SIZE ||
	    check_place(arg->window, BURROW_ARENA_SIZE, nr) ||
	    check_place(arg->kmeta, BURROW_KMETA_SIZE, nr) ||
	    check_place(arg->umeta, BURROW_UMETA_SIZE, nr))
		return -EINVAL;
	if (places_overlap(arg->window, arg->window_size, arg->kmeta, kmeta) ||
	    places_overlap(arg->window, arg->window_size, arg->umeta, umeta) ||
	    places_overlap(arg->kmeta, kmeta, arg->umeta, umeta))
		return -EINVAL;
	return 0;
}

int bw_heap_setup(struct bw_file *file, const struct burrow_heap_setup *arg)
{
	struct bw_heap *heap = bw_file_heap(file, current->mm);
	int err;

	if (!IS_ERR(heap))
		return -EEXIST;
	if (PTR_ERR(heap) == -EXDEV)
		return -EXDEV;
	err = check_setup(arg);
	if (err)
		return err;
	heap = bw_heap_make(file, current->mm,
			    arg->window_size >> BURROW_ARENA_SHIFT);
	if (IS_ERR(heap))
		return PTR_ERR(heap);
	heap->base[BURROW_MMAP_DATA] = arg->window;
	heap->base[BURROW_MMAP_KMETA] = arg->kmeta;
	heap->base[BURROW_MMAP_UMETA] = arg->umeta;
	bw_debugfs_add(heap, NULL);
	err = bw_file_add(file, heap, false);
	if (err)
		bw_heap_end(heap);
	return err;
}

int bw_heap_charge(struct bw_heap *heap, unsigned long frames)
{
	return bw_user_charge(heap->file->user, frames, heap->file->limited);
}

void bw_heap_uncharge(struct bw_heap *heap, unsigned long frames)
{
	bw_user_uncharge(heap->file->user, frames);
}

void bw_heap_stats(struct bw_heap *heap, struct burrow_heap_stats *out)
{
	spin_lock(&heap->lock);
	out->out_arenas = heap->nr_added;
	out->out_arenas_mapped = heap->nr_mapped;
	out->out_frames = heap->nr_frames[BURROW_MMAP_DATA];
	out->out_umeta_frames = heap->nr_frames[BURROW_MMAP_UMETA];
	out->out_spans = heap->core.nr_spans;
	out->out_pages_live = heap->core.nr_live;
	out->out_pages_free = heap->core.nr_free;
	out->out_pages_lazy = heap->core.nr_lazy;
	out->out_kmeta_bytes = (u64)heap->meta_frames * PAGE_SIZE;
	out->out_nr_alloc = heap->nr_alloc;
	out->out_nr_free = heap->nr_free;
	out->out_nr_reclaimed = heap->nr_reclaimed;
	out->out_nr_shrunk = heap->nr_shrunk;
	out->out_nr_faults = heap->nr_faults;
	out->out_units = heap->nr_units;
	out->out_limit = heap->limit == ~0ULL ? 0 : heap->limit * PAGE_SIZE;
	spin_unlock(&heap->lock);
	out->out_user_frames = atomic_long_read(&heap->file->user->frames);
	out->out_user_limit = heap->file->limited ? bw_user_limit() : ~0ULL;
	out->out_threads = atomic_read(&heap->nr_threads);
	out->out_pad = 0;
}
