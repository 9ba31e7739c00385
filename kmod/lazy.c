// SPDX-License-Identifier: GPL-2.0-only
/*
 * lazy: where a heap has frames that nobody needs, and who takes them.
 *
 *	span_free ...		bw_lazy_note_locked()	the piece is listed
 *	memory pressure		shrinker		any heap, coldest first
 *	HEAP_RECLAIM		bw_lazy_reclaim()	one heap, oldest first
 *	    \________________________ bw_reclaim_free()	reclaim.c
 *
 * Lists hold *pieces*, 2 MiB of an arena each, made with it: a span that is
 * freed costs a test of a list head, not an allocation. A piece stays listed
 * when its pages are used again; whoever finds nothing lazy in it drops it.
 *
 * Z1. A piece with lazy pages is in heap->lazy, and in the LRU or in the hands
 *     of a scan that will look at it again under heap->lock.
 * Z2. A scan holds a reference to the arena of each piece it took off the LRU;
 *     the arena leaves the LRU when its last reference goes, so a piece on the
 *     LRU has memory behind it.
 *
 * Lock order: heap->lock -> LRU lock (inside list_lru). So the scan, which meets
 * pieces under the LRU lock, only takes them off there, and does the rest after.
 *
 * Rejected: an LRU entry per lazy span (an allocation per free, and neighbours
 * that merge must leave the list); scanning under mutex_trylock() (a busy heap
 * answers "busy" until the OOM killer comes).
 */
#include <linux/list_lru.h>
#include <linux/module.h>
#include <linux/shrinker.h>
#include <linux/slab.h>

#include "burrow_trace.h"
#include "heap.h"

#define PIECE_PAGES	((2U << 20) >> BURROW_PAGE_SHIFT)
#define PIECE_FRAMES	(PIECE_PAGES * BW_FRAMES_PER_PAGE)

/**
 * struct bw_piece - 2 MiB of an arena
 * @arena:	whose						[const]
 * @page:	its first page in the window			[const]
 * @lru:	in lazy_lru, or in the list of one scan		[list_lru]
 * @age:	in heap->lazy, oldest first			[heap->lock]
 */
struct bw_piece {
	struct bw_arena *arena;
	u32 page;
	struct list_head lru;
	struct list_head age;
};

static struct kmem_cache *piece_cache;
static struct list_lru lazy_lru;
static struct shrinker *lazy_shrinker;
static bool lazy_ready;		/* before that there are no lists to count */

static bool shrink = true;
module_param(shrink, bool, 0600);
MODULE_PARM_DESC(shrink,
		 "give lazy memory back under pressure (N: see what happens)");

/* The arena has its index: its pieces know their pages from now on. */
void bw_pieces_place(struct bw_arena *arena)
{
	u32 i;

	for (i = 0; i < BW_ARENA_PIECES; i++)
		arena->piece[i]->page = arena->index * BURROW_ARENA_PAGES +
					i * PIECE_PAGES;
}

/* Nobody can list the arena's pieces any more (Z2). */
void bw_pieces_free(struct bw_arena *arena)
{
	u32 i;

	for (i = 0; i < BW_ARENA_PIECES && arena->piece[i]; i++) {
		list_lru_del_obj(&lazy_lru, &arena->piece[i]->lru);
		kmem_cache_free(piece_cache, arena->piece[i]);
	}
}

int bw_pieces_make(struct bw_arena *arena)
{
	u32 i;

	for (i = 0; i < BW_ARENA_PIECES; i++) {
		struct bw_piece *p;

		p = kmem_cache_alloc_lru(piece_cache, &lazy_lru, BW_GFP_CALL);
		if (!p) {
			bw_pieces_free(arena);
			return -ENOMEM;
		}
		p->arena = arena;
		INIT_LIST_HEAD(&p->lru);
		INIT_LIST_HEAD(&p->age);
		arena->piece[i] = p;
	}
	return 0;
}

/* Pages of [page, page + npages) may have become lazy. */
void bw_lazy_note_locked(struct bw_heap *heap, u32 page, u32 npages)
{
	u32 end = page + npages;

	lockdep_assert_held(&heap->lock);
	for (; page < end; page = (page | (PIECE_PAGES - 1)) + 1) {
		struct bw_arena *arena;
		struct bw_piece *p;

		arena = bw_arena_find_locked(heap,
					     page >> BURROW_ARENA_PAGE_SHIFT);
		if (!arena || !arena->core.nr_lazy)
			continue;
		p = arena->piece[page % BURROW_ARENA_PAGES / PIECE_PAGES];
		if (list_empty(&p->age))
			list_add_tail(&p->age, &heap->lazy);
		if (list_empty_careful(&p->lru))
			list_lru_add_obj(&lazy_lru, &p->lru);
	}
}

/* The arena's data is unmapped: nothing in it is lazy. */
void bw_lazy_forget_locked(struct bw_arena *arena)
{
	u32 i;

	lockdep_assert_held(&arena->heap->lock);
	for (i = 0; i < BW_ARENA_PIECES; i++)
		list_del_init(&arena->piece[i]->age);
}

/*
 * Gives back about @want frames of this heap, those of the pieces listed
 * first. The mmap lock is held for reading.
 */
u64 bw_lazy_reclaim(struct bw_heap *heap, u64 want)
{
	u64 frames = 0;

	while (frames < want) {
		u64 pages = DIV_ROUND_UP(want - frames, BW_FRAMES_PER_PAGE);
		struct bw_piece *p;
		bool more;
		u64 got;

		spin_lock(&heap->lock);
		p = list_first_entry_or_null(&heap->lazy, struct bw_piece, age);
		spin_unlock(&heap->lock);
		if (!p)
			break;
		got = bw_reclaim_free(heap, p->page, PIECE_PAGES,
				      min_t(u64, pages, PIECE_PAGES));
		frames += got;
		if (frames >= want)
			break;
		spin_lock(&heap->lock);
		list_del_init(&p->age);
		more = bw_core_is_lazy(&heap->core, p->page, PIECE_PAGES);
		if (more)
			list_add_tail(&p->age, &heap->lazy);
		spin_unlock(&heap->lock);
		/* what is left is in an inserter's hands */
		if (more && !got)
			break;
	}
	return frames;
}

static enum lru_status isolate(struct list_head *item, struct list_lru_one *lru,
			       BW_LRU_LOCK_ARG void *arg)
{
	struct bw_piece *p = container_of(item, struct bw_piece, lru);

	if (!refcount_inc_not_zero(&p->arena->refs))
		return LRU_SKIP;
	list_lru_isolate_move(lru, item, arg);
	return LRU_REMOVED;
}

/* Takes what is lazy in a piece that a scan has in hand. */
static u64 piece_shrink(struct bw_piece *p)
{
	struct bw_arena *arena = p->arena;
	struct bw_heap *heap = arena->heap;
	u64 frames = 0;
	bool there;

	spin_lock(&heap->lock);
	there = bw_arena_find_locked(heap, arena->index) == arena;
	spin_unlock(&heap->lock);
	if (there)
		frames = bw_reclaim_free(heap, p->page, PIECE_PAGES,
					 PIECE_PAGES);
	trace_burrow_shrink(heap->id, p->page, frames);

	spin_lock(&heap->lock);
	heap->nr_shrunk += frames;
	if (frames)
		bw_heap_event_locked(heap, BURROW_EVENT_PRESSURE);
	list_del_init(&p->lru);
	/* what became lazy while it was in hand was not listed (Z1) */
	if (bw_arena_find_locked(heap, arena->index) == arena &&
	    bw_core_is_lazy(&heap->core, p->page, PIECE_PAGES))
		bw_lazy_note_locked(heap, p->page, PIECE_PAGES);
	spin_unlock(&heap->lock);
	return frames;
}

static unsigned long lazy_count(struct shrinker *shrinker,
				struct shrink_control *sc)
{
	unsigned long pieces = 0;

	if (!READ_ONCE(shrink))
		/* not SHRINK_EMPTY: who says that is not asked again */
		return 0;
	/* pairs with bw_lazy_init() */
	if (smp_load_acquire(&lazy_ready))
		pieces = list_lru_shrink_count(&lazy_lru, sc);
	return pieces ? pieces * PIECE_FRAMES : SHRINK_EMPTY;
}

static unsigned long lazy_scan(struct shrinker *shrinker,
			       struct shrink_control *sc)
{
	unsigned long frames = 0, wanted = sc->nr_to_scan;
	struct bw_piece *p, *next;
	LIST_HEAD(taken);

	sc->nr_to_scan = DIV_ROUND_UP(wanted, PIECE_FRAMES);
	list_lru_shrink_walk(&lazy_lru, sc, isolate, &taken);
	sc->nr_to_scan = wanted;
	if (list_empty(&taken))
		return SHRINK_STOP;
	list_for_each_entry_safe(p, next, &taken, lru) {
		struct bw_arena *arena = p->arena;

		frames += piece_shrink(p);
		bw_arena_put_later(arena);
	}
	return frames;
}

/* The cache's name must be its own: KUnit's copy of this file has another. */
int bw_lazy_init(const char *cache_name)
{
	int err = -ENOMEM;

	piece_cache = kmem_cache_create(cache_name, sizeof(struct bw_piece), 0,
					SLAB_ACCOUNT, NULL);
	if (!piece_cache)
		return err;
	lazy_shrinker = bw_shrinker_make("burrow", lazy_count, lazy_scan);
	if (!lazy_shrinker)
		goto err_cache;
	err = list_lru_init_memcg(&lazy_lru, lazy_shrinker);
	if (err)
		goto err_shrinker;
	/* pairs with lazy_count() */
	smp_store_release(&lazy_ready, true);
	bw_shrinker_start(lazy_shrinker);
	return 0;

err_shrinker:
	bw_shrinker_free(lazy_shrinker);
err_cache:
	kmem_cache_destroy(piece_cache);
	return err;
}

/* No file is open: no new pieces; those of dying arenas are waited for. */
void bw_lazy_exit(void)
{
	bw_shrinker_free(lazy_shrinker);
	bw_arenas_flush();
	list_lru_destroy(&lazy_lru);
	kmem_cache_destroy(piece_cache);
}
