// SPDX-License-Identifier: GPL-2.0-only
/*
 * arena: 64 MiB of a heap, its metadata, and the three views of it.
 *
 *	ARENA_ADD	bw_arena_add()		struct, K-words, a place in the table
 *	mmap()		bw_view_map()		a view appears; the data brings pages
 *	munmap()	bw_view_unmap()		a view goes; the last takes the arena
 *
 * Arenas leave the table only under the mmap write lock (or with the heap), so
 * a pointer found under the read lock stays good while that is held.
 */
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "burrow_trace.h"
#include "heap.h"

#define ARENA_FRAMES	DIV_ROUND_UP(BURROW_KMETA_SIZE + \
				     sizeof(struct bw_arena), PAGE_SIZE)

unsigned long bw_view_size(enum burrow_mmap_kind kind)
{
	switch (kind) {
	case BURROW_MMAP_DATA:
		return BURROW_ARENA_SIZE;
	case BURROW_MMAP_KMETA:
		return BURROW_KMETA_SIZE;
	default:
		return BURROW_UMETA_SIZE;
	}
}

pgoff_t bw_view_pgoff(const struct bw_view *view)
{
	u64 off = (u64)view->arena->index * BURROW_ARENA_SIZE;

	return BURROW_MMAP_OFFSET(view->kind, off) >> PAGE_SHIFT;
}

struct bw_arena *bw_arena_find_locked(struct bw_heap *heap, u32 index)
{
	lockdep_assert_held(&heap->lock);
	return index < heap->nr_arenas ? heap->arena[index] : NULL;
}

static struct workqueue_struct *arena_wq;

static void arena_free(struct bw_arena *arena)
{
	bw_pieces_free(arena);
	vfree(arena->kwords);
	kfree(arena);
}

static void arena_release(struct bw_arena *arena)
{
	struct bw_heap *heap = arena->heap;

	arena_free(arena);
	bw_heap_uncharge(heap, ARENA_FRAMES);
	bw_heap_put(heap);
}

static void arena_release_work(struct work_struct *work)
{
	arena_release(container_of(work, struct bw_arena, work));
}

static void arena_put(struct bw_arena *arena)
{
	if (refcount_dec_and_test(&arena->refs))
		arena_release(arena);
}

/* From within reclaim, where freeing a vmalloc area is no business of ours. */
void bw_arena_put_later(struct bw_arena *arena)
{
	if (refcount_dec_and_test(&arena->refs))
		queue_work(arena_wq, &arena->work);
}

int bw_arenas_init(void)
{
	arena_wq = alloc_workqueue("burrow", WQ_UNBOUND, 0);
	return arena_wq ? 0 : -ENOMEM;
}

void bw_arenas_flush(void)
{
	flush_workqueue(arena_wq);
}

void bw_arenas_exit(void)
{
	destroy_workqueue(arena_wq);
}

static struct bw_arena *arena_make(struct bw_heap *heap, u32 kind)
{
	struct bw_arena *arena;
	unsigned int i;

	arena = kzalloc(sizeof(*arena), BW_GFP_CALL);
	if (!arena)
		return NULL;
	arena->kwords = __vmalloc(BURROW_KMETA_SIZE, BW_GFP_CALL | __GFP_ZERO);
	if (!arena->kwords || bw_pieces_make(arena)) {
		vfree(arena->kwords);
		kfree(arena);
		return NULL;
	}
	arena->heap = heap;
	arena->kind = kind;
	refcount_set(&arena->refs, 1);
	INIT_WORK(&arena->work, arena_release_work);
	for (i = 0; i < BURROW_NR_MMAP_KINDS; i++) {
		arena->view[i].arena = arena;
		arena->view[i].kind = i;
	}
	return arena;
}

/* Finds the arena its place: 0, -EEXIST or -ENOSPC. */
static int arena_place_locked(struct bw_heap *heap, struct bw_arena *arena,
			      u32 index)
{
	if (index == BURROW_ARENA_ANY) {
		for (index = 0; index < heap->nr_arenas; index++)
			if (!heap->arena[index])
				break;
		if (index == heap->nr_arenas)
			return -ENOSPC;
	} else if (heap->arena[index]) {
		return -EEXIST;
	}
	arena->index = index;
	bw_pieces_place(arena);
	heap->arena[index] = arena;
	refcount_inc(&heap->refs);
	heap->nr_added++;
	heap->meta_frames += ARENA_FRAMES;
	return 0;
}

int bw_arena_add(struct bw_heap *heap, u32 kind, u32 index, u32 *out)
{
	struct bw_arena *arena;
	int err;

	if (index != BURROW_ARENA_ANY && index >= heap->nr_arenas)
		return -EINVAL;
	err = bw_heap_charge(heap, ARENA_FRAMES);
	if (err)
		return err;
	err = -ENOMEM;
	arena = arena_make(heap, kind);
	if (!arena)
		goto err_uncharge;

	spin_lock(&heap->lock);
	err = arena_place_locked(heap, arena, index);
	spin_unlock(&heap->lock);
	if (err)
		goto err_arena;
	*out = arena->index;
	trace_burrow_arena_add(heap->id, arena->index);
	return 0;

err_arena:
	arena_free(arena);
err_uncharge:
	bw_heap_uncharge(heap, ARENA_FRAMES);
	return err;
}

/* Takes the arena away if no view of it is mapped. */
void bw_arena_del_unmapped(struct bw_heap *heap, u32 index)
{
	struct bw_arena *arena;
	unsigned int kind;

	spin_lock(&heap->lock);
	arena = bw_arena_find_locked(heap, index);
	for (kind = 0; arena && kind < BURROW_NR_MMAP_KINDS; kind++)
		if (arena->view[kind].nr_vmas)
			arena = NULL;
	if (arena) {
		heap->arena[index] = NULL;
		heap->nr_added--;
		heap->meta_frames -= ARENA_FRAMES;
	}
	spin_unlock(&heap->lock);
	if (!arena)
		return;
	trace_burrow_arena_del(heap->id, index);
	arena_put(arena);
}

/* Under the mmap write lock: a first mapping of this view. */
int bw_view_map(struct bw_heap *heap, u32 index, enum burrow_mmap_kind kind,
		struct bw_view **out)
{
	struct bw_arena *arena;
	int err = -ENXIO;

	spin_lock(&heap->lock);
	arena = bw_arena_find_locked(heap, index);
	if (!arena)
		goto out_unlock;
	err = -EINVAL;
	if (arena->view[kind].nr_vmas)
		goto out_unlock;
	arena->view[kind].nr_vmas = 1;
	heap->nr_views++;
	if (kind == BURROW_MMAP_DATA) {
		memset(&arena->core, 0, sizeof(arena->core));
		arena->core.kind = arena->kind;
		bw_core_arena_add(&heap->core, index, &arena->core,
				  arena->kwords);
		heap->nr_mapped++;
	}
	*out = &arena->view[kind];
	err = 0;
out_unlock:
	spin_unlock(&heap->lock);
	return err;
}

/* mremap() copies the mapping before it is told that it may not. */
void bw_view_dup(struct bw_view *view)
{
	struct bw_heap *heap = view->arena->heap;

	spin_lock(&heap->lock);
	view->nr_vmas++;
	spin_unlock(&heap->lock);
}

/*
 * Under the mmap write lock, or in exit: the page table entries are gone, no
 * fault and no ioctl of this address space is under way.
 */
void bw_view_unmap(struct bw_view *view)
{
	struct bw_arena *arena = view->arena;
	struct bw_heap *heap = arena->heap;
	u32 index = arena->index;
	bool last;

	spin_lock(&heap->lock);
	last = --view->nr_vmas == 0;
	if (last && view->kind == BURROW_MMAP_DATA) {
		bw_lazy_forget_locked(arena);
		bw_core_arena_del(&heap->core, arena->index);
		heap->nr_mapped--;
	}
	spin_unlock(&heap->lock);
	if (!last)
		return;
	if (view->kind == BURROW_MMAP_DATA)
		bw_written_forget(arena);
	bw_frames_drop(view);
	bw_arena_del_unmapped(heap, index);
	/* last: from here on bw_file_collect() may end the heap */
	spin_lock(&heap->lock);
	heap->nr_views--;
	spin_unlock(&heap->lock);
}

/*
 * A copy of an arena for the child's heap, at the same place: the K-words and,
 * if the child inherits the data, what the core knows of it. Frames come with
 * the mappings (fork.c). The parent's heap does not move meanwhile.
 */
int bw_arena_clone(struct bw_heap *to, const struct bw_arena *from,
		   bool with_data)
{
	struct bw_arena *arena;
	u32 index;
	int err;

	err = bw_arena_add(to, from->kind, from->index, &index);
	if (err || !with_data)
		return err;
	spin_lock(&to->lock);
	arena = to->arena[index];
	bw_core_arena_clone(&to->core, index, &from->core, &arena->core,
			    arena->kwords);
	to->nr_mapped++;
	spin_unlock(&to->lock);
	return 0;
}
