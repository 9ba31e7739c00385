// SPDX-License-Identifier: GPL-2.0-only
/*
 * file: an open of /dev/burrow, and the heaps that live on it.
 *
 *	open()		bw_file_make()		no heap yet
 *	HEAP_SETUP	bw_file_add()		the first one
 *	fork()		bw_file_add()		a clone for the child
 *	mm exits	bw_file_del()		with the last mapping of its heap
 *	last close	bw_file_release()	what never had a mapping left
 *
 * Heaps are found by address space: mmgrab() in each keeps an mm's address
 * from being used again.
 */
#include <linux/capability.h>
#include <linux/err.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "heap.h"

struct bw_file *bw_file_make(struct inode *inode)
{
	struct bw_file *file;

	file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);
	if (!file)
		return ERR_PTR(-ENOMEM);
	file->limited = !capable(CAP_IPC_LOCK);
	file->user = bw_user_get(file->limited);
	if (IS_ERR(file->user)) {
		void *err = file->user;

		kfree(file);
		return err;
	}
	refcount_set(&file->refs, 1);
	address_space_init_once(&file->mapping);
	file->mapping.host = inode;
	file->mapping.a_ops = inode->i_mapping->a_ops;
	file->mapping.gfp_mask = inode->i_mapping->gfp_mask;
	spin_lock_init(&file->lock);
	INIT_LIST_HEAD(&file->heaps);
	init_waitqueue_head(&file->events_wait);
	return file;
}

void bw_file_put(struct bw_file *file)
{
	if (!refcount_dec_and_test(&file->refs))
		return;
	bw_user_put(file->user);
	kfree(file);
}

/* The first heap binds the file; after that only fork brings more. */
int bw_file_add(struct bw_file *file, struct bw_heap *heap, bool is_clone)
{
	int err = 0;

	spin_lock(&file->lock);
	if (file->bound && !is_clone)
		err = -EEXIST;
	else
		list_add_tail(&heap->node, &file->heaps);
	file->nr_heaps += !err;
	file->bound = true;
	spin_unlock(&file->lock);
	return err;
}

/*
 * The heap of this mm; it stays while the mm has users, of whom the caller is
 * one. -ENXIO: not set up; -EXDEV: that was another address space.
 */
struct bw_heap *bw_file_heap(struct bw_file *file, struct mm_struct *mm)
{
	struct bw_heap *heap, *found;

	spin_lock(&file->lock);
	found = ERR_PTR(file->bound ? -EXDEV : -ENXIO);
	list_for_each_entry(heap, &file->heaps, node) {
		if (heap->mm == mm && !heap->dead) {
			found = heap;
			break;
		}
	}
	spin_unlock(&file->lock);
	return found;
}

/* Takes a heap off the list: false if somebody else did. */
bool bw_file_del(struct bw_heap *heap)
{
	struct bw_file *file = heap->file;
	bool was_there;

	spin_lock(&file->lock);
	was_there = !list_empty(&heap->node);
	list_del_init(&heap->node);
	file->nr_heaps -= was_there;
	spin_unlock(&file->lock);
	return was_there;
}

static struct bw_heap *find_left_behind(struct bw_file *file, bool all)
{
	struct bw_heap *heap;

	spin_lock(&file->lock);
	list_for_each_entry(heap, &file->heaps, node) {
		if (heap->nr_views || (!all && atomic_read(&heap->mm->mm_users)))
			continue;
		list_del_init(&heap->node);
		file->nr_heaps--;
		spin_unlock(&file->lock);
		return heap;
	}
	spin_unlock(&file->lock);
	return NULL;
}

/*
 * Ends heaps whose address space has exited without a mapping left to tell us.
 * Called by fork, so that forking for ever does not pile them up, and by calls
 * of their relatives.
 */
void bw_file_collect(struct bw_file *file)
{
	struct bw_heap *heap;

	while ((heap = find_left_behind(file, false)))
		bw_heap_end(heap);
}

/* The last reference to the open file is gone, so no mapping is left. */
void bw_file_release(struct bw_file *file)
{
	struct bw_heap *heap;

	while ((heap = find_left_behind(file, true)))
		bw_heap_end(heap);
	bw_file_put(file);
}
