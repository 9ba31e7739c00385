// SPDX-License-Identifier: GPL-2.0-only
/*
 * heap: from open() to release(), and the binding to one address space.
 *
 * release() runs when the last reference to the file is gone; each mapping
 * holds one. So bw_heap_free() finds no mapping and no caller.
 */
#include <linux/capability.h>
#include <linux/err.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "heap.h"

struct bw_heap *bw_heap_make(struct inode *inode)
{
	bool limited = !capable(CAP_IPC_LOCK);
	struct bw_heap *heap;

	heap = kzalloc(sizeof(*heap), GFP_KERNEL_ACCOUNT);
	if (!heap)
		return ERR_PTR(-ENOMEM);
	heap->limited = limited;
	refcount_set(&heap->refs, 1);
	INIT_LIST_HEAD(&heap->lazy);
	heap->user = bw_user_get(limited);
	if (IS_ERR(heap->user)) {
		void *err = heap->user;

		kfree(heap);
		return err;
	}
	address_space_init_once(&heap->mapping);
	heap->mapping.host = inode;
	heap->mapping.a_ops = inode->i_mapping->a_ops;
	heap->mapping.gfp_mask = inode->i_mapping->gfp_mask;
	mutex_init(&heap->insert);
	spin_lock_init(&heap->lock);
	xa_init_flags(&heap->threads, XA_FLAGS_ALLOC);
	return heap;
}

void bw_heap_put(struct bw_heap *heap)
{
	if (!refcount_dec_and_test(&heap->refs))
		return;
	WARN_ON_ONCE(heap->nr_added);
	kvfree(heap->core_mem);
	kvfree(heap->arena);
	bw_heap_uncharge(heap, heap->meta_frames);
	bw_user_put(heap->user);
	kfree(heap);
}

/* The file is gone. A scan of the shrinker may still hold an arena. */
void bw_heap_free(struct bw_heap *heap)
{
	u32 index;

	bw_threads_free(heap);
	for (index = 0; index < heap->nr_arenas; index++)
		bw_arena_del_unmapped(heap, index);
	if (heap->mm)
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

int bw_heap_setup(struct bw_heap *heap, const struct burrow_heap_setup *arg)
{
	u32 nr = arg->window_size >> BURROW_ARENA_SHIFT;
	size_t bytes, table = nr * sizeof(struct bw_arena *);
	int err = check_setup(arg);

	if (err)
		return err;
	bytes = bw_core_bytes(nr);

	mutex_lock(&heap->insert);
	err = heap->mm == current->mm ? -EEXIST : -EXDEV;
	if (heap->ready)
		goto out_unlock;
	heap->meta_frames = DIV_ROUND_UP(bytes + table, PAGE_SIZE);
	err = bw_heap_charge(heap, heap->meta_frames);
	if (err)
		goto err_meta;
	err = -ENOMEM;
	heap->core_mem = kvzalloc(bytes, BW_GFP_CALL);
	if (!heap->core_mem)
		goto err_uncharge;
	heap->arena = kvzalloc(table, BW_GFP_CALL);
	if (!heap->arena)
		goto err_core;

	bw_core_init(&heap->core, heap->core_mem, nr);
	heap->nr_arenas = nr;
	heap->base[BURROW_MMAP_DATA] = arg->window;
	heap->base[BURROW_MMAP_KMETA] = arg->kmeta;
	heap->base[BURROW_MMAP_UMETA] = arg->umeta;
	heap->mm = current->mm;
	mmgrab(heap->mm);
	/* pairs with bw_heap_check_caller() */
	smp_store_release(&heap->ready, true);
	mutex_unlock(&heap->insert);
	return 0;

err_core:
	kvfree(heap->core_mem);
	heap->core_mem = NULL;
err_uncharge:
	bw_heap_uncharge(heap, heap->meta_frames);
err_meta:
	heap->meta_frames = 0;
out_unlock:
	mutex_unlock(&heap->insert);
	return err;
}

/* Set up, and by this address space? mmgrab() keeps heap->mm from reuse. */
int bw_heap_check_caller(struct bw_heap *heap)
{
	/* pairs with bw_heap_setup() */
	if (!smp_load_acquire(&heap->ready))
		return -ENXIO;
	if (heap->mm != current->mm)
		return -EXDEV;
	return 0;
}

int bw_heap_charge(struct bw_heap *heap, unsigned long frames)
{
	return bw_user_charge(heap->user, frames, heap->limited);
}

void bw_heap_uncharge(struct bw_heap *heap, unsigned long frames)
{
	bw_user_uncharge(heap->user, frames);
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
	spin_unlock(&heap->lock);
	out->out_user_frames = atomic_long_read(&heap->user->frames);
	out->out_user_limit = heap->limited ? bw_user_limit() : ~0ULL;
	out->out_threads = atomic_read(&heap->nr_threads);
	out->out_pad = 0;
}
