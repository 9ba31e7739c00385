/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * heap: one open file, one address space, one page heap.
 *
 * Locks, in the order in which they nest (nothing else is held across):
 *
 *	mmap_lock of heap->mm	read: every ioctl that changes heap state, fault
 *				write: mmap, VMA close, fork
 *	heap->harvest		one harvest of written frames at a time
 *	heap->insert		whoever puts frames into slots and page tables;
 *				may allocate; never taken to reclaim free pages
 *	heap->lock		spinlock: core, slots, arena table; no allocation,
 *				no user access, no unmapping under it
 *
 * H1. A slot that is not NULL holds one reference to its frame and one frame
 *     of the user's total.
 * H2. A frame enters a slot only under insert; [busy, busy + nr_busy) names
 *     the pages whose frames the holder has in hand. Nobody takes frames from
 *     the slots of a busy page, so what the holder maps is what the slot holds.
 *     (Pages that the holder has claimed himself need not be named.)
 * H3. A page's frames leave their slots only after the page was claimed
 *     (RECLAIMING; or DISCARDING with insert held) and unmapped. So a page
 *     table entry never maps a frame that its slot has lost.
 * H4. Pages of a data view are in the core exactly while nr_vmas of that view
 *     is not 0.
 */
#ifndef BW_HEAP_H
#define BW_HEAP_H

#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "burrow/burrow.h"
#include "compat.h"
#include "core/coreheap.h"
#include "user.h"

#define BW_FRAMES_PER_PAGE	(BURROW_PAGE_SIZE / PAGE_SIZE)
#define BW_SLOT_CHUNK		(PAGE_SIZE / sizeof(struct page *))
#define BW_DATA_CHUNKS		(BURROW_ARENA_SIZE / PAGE_SIZE / BW_SLOT_CHUNK)

#define BW_UNIT_FRAMES		(BURROW_HUGE_PAGES * BW_FRAMES_PER_PAGE)

#define BW_ARENA_PIECES		(BURROW_ARENA_SIZE >> 21)

#define BW_MAX_BATCH		4096U
#define BW_MAP_BATCH		32U	/* frames of one bw_frames_map() */
#define BW_MAX_THREADS		65536U

/* Ioctls answer ENOMEM; only a fault may wake the OOM killer. */
#define BW_GFP_CALL	(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)
#define BW_GFP_FAULT	GFP_KERNEL_ACCOUNT
/* What nobody has asked for yet comes easily or not at all. */
#define BW_GFP_AHEAD	(GFP_KERNEL_ACCOUNT | __GFP_NORETRY | __GFP_NOWARN)
/*
 * What is freed before the call returns is not charged: who gives memory back at a
 * cgroup's limit needs to say what.
 */
#define BW_GFP_SHORT	(GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

struct bw_heap;
struct bw_piece;
struct bw_written;

/**
 * struct bw_view - one of the three mappings of an arena
 * @arena:	whose							[const]
 * @kind:	which							[const]
 * @nr_vmas:	1 while mapped, 2 within mremap()	[heap->lock]
 * @tables:	bit i: what is in chunk[i] was mapped, so that there is a page
 *		table for it				[insert, atomic]
 * @chunk:	slots, a page of them at a time; K-words have none.
 *		pointers: [heap->lock], set once under insert
 */
struct bw_view {
	struct bw_arena *arena;
	enum burrow_mmap_kind kind;
	unsigned int nr_vmas;
	u32 tables;
	struct page **chunk[BW_DATA_CHUNKS];
};

/**
 * struct bw_arena - 64 MiB of a heap and its metadata
 * @heap:	whose; a reference					[const]
 * @index:	place in the window					[const]
 * @kind:	enum burrow_arena_kind					[const]
 * @refs:	the table's, and one of each scan that has a piece in hand
 * @work:	frees it where a scan may not
 * @piece:	its parts on the lists of lazy memory			[const]
 * @kwords:	its part of the span table, vmalloc'ed			[const]
 * @written:	frames written since the last harvest
 *		[set under heap->harvest, cleared under the mmap write lock]
 * @is_harvested: there was one					[same]
 * @core:	what the core keeps of it		[heap->lock]
 * @view:	its mappings, by enum burrow_mmap_kind
 */
struct bw_arena {
	struct bw_heap *heap;
	u32 index;
	u32 kind;
	refcount_t refs;
	struct work_struct work;
	struct bw_piece *piece[BW_ARENA_PIECES];
	u64 *kwords;
	struct bw_written *written;
	bool is_harvested;
	struct bw_core_arena core;
	struct bw_view view[BURROW_NR_MMAP_KINDS];
};

/**
 * struct bw_file - what an open of /dev/burrow is
 * @refs:	the open file's, and one of each heap
 * @user:	who pays					[const]
 * @limited:	the opener had no CAP_IPC_LOCK			[const]
 * @mapping:	this file's own, so that unmapping meets no other file's pages
 * @lock:	of what follows
 * @bound:	set up once, so only to be had by that mm and its children
 * @nr_heaps:	on the list
 * @heaps:	one per address space: the first by HEAP_SETUP, the others
 *		are its clones made by fork			[lock]
 * @events_wait: who polls for an event of whichever of its heaps
 */
struct bw_file {
	refcount_t refs;
	struct bw_user *user;
	bool limited;
	struct address_space mapping;
	spinlock_t lock;
	bool bound;
	u32 nr_heaps;
	struct list_head heaps;
	wait_queue_head_t events_wait;
};

/**
 * struct bw_heap - the heap of one address space
 * @refs:	the list's, and one of each arena
 * @file:	a reference					[const]
 * @id:		serial number, for people			[const]
 * @debugfs:	its file there					[const]
 * @node:	in file->heaps					[file->lock]
 * @mm:		the address space, held by mmgrab()		[const]
 * @nr_arenas:	arenas the window has room for			[const]
 * @base:	where the views of arena 0 lie, by kind		[const]
 * @core_mem:	the core's tables				[const]
 * @harvest:	see above
 * @insert:	see above
 * @lock:	see above
 * @core:	the page heap					[lock]
 * @arena:	arenas added, by index				[lock]
 * @nr_added:	how many					[lock]
 * @nr_mapped:	of these, with their data mapped		[lock]
 * @nr_views:	views that are mapped				[lock]
 * @nr_frames:	slots that are not NULL, by kind of view	[lock]
 * @nr_units:	units of huge arenas with a block		[lock]
 * @limit:	frames beyond which to tell			[lock]
 * @events:	BURROW_EVENT_* not yet taken			[lock]
 * @busy:	see H2						[lock]
 * @nr_busy:	see H2						[lock]
 * @meta_frames: frames charged for tables			[lock]
 * @nr_alloc:	spans ever allocated				[lock]
 * @nr_free:	spans ever freed by call			[lock]
 * @nr_reclaimed: frames ever reclaimed				[lock]
 * @nr_shrunk:	of these, taken under memory pressure		[lock]
 * @nr_faults:	faults that mapped a frame			[lock]
 * @nr_huge_faults: of these, by an entry of 2 MiB		[lock]
 * @lazy:	pieces with lazy pages, oldest first		[lock]
 * @nr_claims:	RECLAIMING runs under way			[lock]
 * @is_forking:	no new claims					[lock]
 * @claims_wait: woken when nr_claims falls to 0
 * @cow:	views may hold shared frames: their mappings have the
 *		vm_ops with page_mkwrite	[mmap_lock of mm, for writing]
 * @cow_until:	when to try again to end that, in jiffies	[same]
 * @dead:	its fork failed half way: calls say EXDEV	[file->lock]
 * @dead_child:	a child whose clone failed, held by mmgrab()
 *					[mmap_lock of mm, for writing]
 * @threads:	slots to park in, struct bw_parker
 * @nr_threads:	how many					[atomic]
 */
struct bw_heap {
	refcount_t refs;
	struct bw_file *file;
	u32 id;
	struct dentry *debugfs;
	struct list_head node;
	struct mm_struct *mm;
	u32 nr_arenas;
	unsigned long base[BURROW_NR_MMAP_KINDS];
	void *core_mem;
	struct mutex harvest;
	struct mutex insert;
	spinlock_t lock;

	struct bw_core core;
	struct bw_arena **arena;
	u32 nr_added;
	u32 nr_mapped;
	u32 nr_views;
	u64 nr_frames[BURROW_NR_MMAP_KINDS];
	u64 nr_units;
	u64 limit;
	u32 events;
	u32 busy;
	u32 nr_busy;
	unsigned long meta_frames;
	u64 nr_alloc;
	u64 nr_free;
	u64 nr_reclaimed;
	u64 nr_shrunk;
	u64 nr_faults;
	u64 nr_huge_faults;
	struct list_head lazy;
	u32 nr_claims;
	bool is_forking;
	wait_queue_head_t claims_wait;
	bool cow;
	unsigned long cow_until;
	bool dead;
	struct mm_struct *dead_child;

	struct xarray threads;
	atomic_t nr_threads;
};

/* file.c: an open file and its heaps */
struct bw_file *bw_file_make(struct inode *inode);
void bw_file_release(struct bw_file *file);
void bw_file_put(struct bw_file *file);
int bw_file_add(struct bw_file *file, struct bw_heap *heap, bool is_clone);
struct bw_heap *bw_file_heap(struct bw_file *file, struct mm_struct *mm);
bool bw_file_del(struct bw_heap *heap);
void bw_file_collect(struct bw_file *file);

/* heap.c: life of a heap */
struct bw_heap *bw_heap_make(struct bw_file *file, struct mm_struct *mm,
			     u32 nr_arenas);
void bw_heap_end(struct bw_heap *heap);
void bw_heap_put(struct bw_heap *heap);
int bw_heap_setup(struct bw_file *file, const struct burrow_heap_setup *arg);
void bw_heap_stats(struct bw_heap *heap, struct burrow_heap_stats *out);
int bw_heap_charge(struct bw_heap *heap, unsigned long frames);
void bw_heap_uncharge(struct bw_heap *heap, unsigned long frames);

/* arena.c */
int bw_arenas_init(void);
void bw_arenas_flush(void);
void bw_arenas_exit(void);
void bw_arena_put_later(struct bw_arena *arena);
int bw_arena_add(struct bw_heap *heap, u32 kind, u32 index, u32 *out);
int bw_arena_clone(struct bw_heap *to, const struct bw_arena *from,
		   bool with_data);
void bw_arena_del_unmapped(struct bw_heap *heap, u32 index);
struct bw_arena *bw_arena_find_locked(struct bw_heap *heap, u32 index);
int bw_view_map(struct bw_heap *heap, u32 index, enum burrow_mmap_kind kind,
		struct bw_view **out);
void bw_view_dup(struct bw_view *view);
void bw_view_unmap(struct bw_view *view);
unsigned long bw_view_size(enum burrow_mmap_kind kind);
pgoff_t bw_view_pgoff(const struct bw_view *view);

/* event.c */
void bw_heap_event_locked(struct bw_heap *heap, u32 event);
void bw_heap_count_locked(struct bw_heap *heap, enum burrow_mmap_kind kind,
			  s64 delta);
void bw_heap_limit(struct bw_heap *heap, u64 bytes);
u32 bw_heap_events(struct bw_heap *heap);
__poll_t bw_poll(struct file *f, struct poll_table_struct *wait);

/* frame.c: frames into slots and page tables */
struct page **bw_slot_locked(struct bw_view *view, u32 frame);
int bw_chunk_get(struct bw_view *view, u32 frame, gfp_t gfp);
int bw_frames_map(struct bw_view *view, struct vm_area_struct *vma, u32 frame,
		  u32 nr, gfp_t gfp);
int bw_populate(struct bw_heap *heap, u32 page, u32 npages, u32 *done);

/* reclaim.c: frames out of page tables and slots */
u64 bw_reclaim_free(struct bw_heap *heap, u32 page, u32 npages, u32 most);
int bw_reclaim_ranges(struct bw_heap *heap, const struct burrow_range *range,
		      u32 nr, u32 *done, u64 *frames);
void bw_frames_drop(struct bw_view *view);
void bw_pages_unmap(struct bw_heap *heap, u32 page, u32 npages);
void bw_pages_empty(struct bw_heap *heap, u32 page, u32 npages,
		    const struct bw_run *claim);

/* stack.c */
int bw_stack_prepare(struct bw_heap *heap, const struct burrow_span_ref *ref,
		     u32 nr, u32 npages, bool populate, u32 *done);

/* uwords.c */
int bw_uwords_prepare(struct bw_heap *heap, u32 kind,
		      const struct burrow_span_ref *ref, u32 nr, u32 npages,
		      u32 *done);

/* huge.c */
bool bw_view_is_huge(const struct bw_view *view);
int bw_unit_copy(struct bw_view *view, u32 frame, struct page *block, gfp_t gfp);
int bw_unit_clone(struct bw_heap *child, struct page **to, struct page *head);
vm_fault_t bw_huge_fault(struct vm_fault *vmf, unsigned int order);
int bw_units_populate(struct bw_heap *heap, u32 page, u32 npages, u32 *done);

/* lazy.c: who has frames to spare, and the shrinker */
int bw_lazy_init(const char *cache_name);
void bw_lazy_exit(void);
int bw_pieces_make(struct bw_arena *arena);
void bw_pieces_place(struct bw_arena *arena);
void bw_pieces_free(struct bw_arena *arena);
void bw_lazy_note_locked(struct bw_heap *heap, u32 page, u32 npages);
void bw_lazy_forget_locked(struct bw_arena *arena);
u64 bw_lazy_reclaim(struct bw_heap *heap, u64 want);

/* share.c: frames in the slots of more than one heap */
bool bw_frame_share(struct page *page);
unsigned long bw_frame_drop(struct page *page);
bool bw_frame_claim(struct page *page, int more);
bool bw_frame_is_shared(struct page *page);
int bw_frame_unshare(struct bw_view *view, u32 frame, gfp_t gfp);
vm_fault_t bw_view_mkwrite(struct vm_fault *vmf);

/* written.c: which frames were written since the last look */
int bw_view_walk(struct bw_view *view, struct vm_area_struct *vma, pte_fn_t fn,
		 void *data);
void bw_written_note(struct bw_view *view, u32 frame);
void bw_written_note_frame(struct bw_view *view, u32 frame, struct page *page);
void bw_written_clone(struct bw_arena *to, const struct bw_arena *from);
void bw_written_forget(struct bw_arena *arena);
int bw_written_harvest(struct bw_heap *heap, u32 index, unsigned long *bits,
		       u32 *nr, bool *all);
void bw_written_return(struct bw_heap *heap, u32 index,
		       const unsigned long *bits);

/* fork.c: a child's clone of a heap */
void bw_view_fork(struct vm_area_struct *vma);
void bw_heap_settle_cow(struct bw_heap *heap);

/* mmap.c */
vm_fault_t bw_fault_answer(struct bw_heap *heap, int err);
const struct vm_operations_struct *bw_view_ops(const struct bw_view *view,
					       bool cow);
bool bw_ops_are_cow(const struct vm_operations_struct *ops);
void bw_vma_protect(struct vm_area_struct *vma, bool readonly);
int bw_mmap(struct file *file, struct vm_area_struct *vma);
struct vm_area_struct *bw_vma_find(struct bw_view *view);

/* park.c */
int bw_thread_add(struct bw_heap *heap, u32 *slot);
int bw_thread_del(struct bw_heap *heap, u32 slot);
int bw_thread_unpark(struct bw_heap *heap, u32 slot);
int bw_thread_park(struct bw_heap *heap, const struct burrow_thread_park *arg);
void bw_threads_free(struct bw_heap *heap);

/* debugfs.c */
void bw_debugfs_init(const char *name);
void bw_debugfs_exit(void);
void bw_debugfs_add(struct bw_heap *heap, const struct bw_heap *parent);
void bw_debugfs_del(struct bw_heap *heap);

/* ioctl.c, ioctl_span.c */
long bw_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

#endif
