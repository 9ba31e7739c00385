/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * compat: every difference between the kernels burrow builds for, 6.1 and up.
 * No other file looks at LINUX_VERSION_CODE.
 */
#ifndef BW_COMPAT_H
#define BW_COMPAT_H

#include <linux/err.h>
#include <linux/list_lru.h>
#include <linux/huge_mm.h>
#include <linux/mm.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 15, 0)
#include <linux/pfn_t.h>
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags &= ~flags;
}
#endif

/* Entries that map a single page. folio_mapcount() was not for modules. */
static inline int bw_mapcount(struct folio *folio)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
	return page_mapcount(&folio->page);
#else
	return folio_mapcount(folio);
#endif
}

/*
 * Entries of 2 MiB in a mapping of ours. 6.1 never asks for them; from 6.15 on
 * they count as memory like other entries, but only in a mapping that is not
 * VM_MIXEDMAP, where single pages need a call of their own.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
#define BW_CAN_HUGE		IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE)
#define BW_HUGE_VM_FLAGS	VM_HUGEPAGE

static inline vm_fault_t bw_insert_unit(struct vm_fault *vmf, struct page *head,
					bool write)
{
	return vmf_insert_folio_pmd(vmf, page_folio(head), write);
}

static inline int bw_insert_page(struct vm_area_struct *vma, unsigned long addr,
				 struct page *page)
{
	struct vm_fault vmf = { .vma = vma, .address = addr };
	vm_fault_t ret;

	if (vma->vm_flags & VM_MIXEDMAP)
		return vm_insert_page(vma, addr, page);
	ret = vmf_insert_page_mkwrite(&vmf, page, false);
	if (ret == VM_FAULT_NOPAGE)
		return 0;
	return ret & VM_FAULT_OOM ? -ENOMEM : -EFAULT;
}
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#define BW_CAN_HUGE		IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE)
#define BW_HUGE_VM_FLAGS	(VM_HUGEPAGE | VM_MIXEDMAP)

static inline vm_fault_t bw_insert_unit(struct vm_fault *vmf, struct page *head,
					bool write)
{
	return vmf_insert_pfn_pmd(vmf, page_to_pfn_t(head), write);
}

static inline int bw_insert_page(struct vm_area_struct *vma, unsigned long addr,
				 struct page *page)
{
	return vm_insert_page(vma, addr, page);
}
#else
#define BW_CAN_HUGE		0
#define BW_HUGE_VM_FLAGS	VM_MIXEDMAP

static inline vm_fault_t bw_insert_unit(struct vm_fault *vmf, struct page *head,
					bool write)
{
	return VM_FAULT_FALLBACK;
}

static inline int bw_insert_page(struct vm_area_struct *vma, unsigned long addr,
				 struct page *page)
{
	return vm_insert_page(vma, addr, page);
}
#endif

/* Dirty bits that the processor sets, and a flush that clears them for good. */
#define BW_CAN_HARVEST		IS_ENABLED(CONFIG_X86_64)

/* The lock that an LRU walk passes to its callback, while it passed one. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#define BW_LRU_LOCK_ARG		spinlock_t *lock,
#else
#define BW_LRU_LOCK_ARG
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
static inline bool list_lru_add_obj(struct list_lru *lru, struct list_head *item)
{
	return list_lru_add(lru, item);
}

static inline bool list_lru_del_obj(struct list_lru *lru, struct list_head *item)
{
	return list_lru_del(lru, item);
}
#endif

#define BW_SHRINKER_FLAGS \
	(SHRINKER_MEMCG_AWARE | SHRINKER_NUMA_AWARE | SHRINKER_NONSLAB)

typedef unsigned long bw_shrink_fn(struct shrinker *shrinker,
				   struct shrink_control *sc);

/*
 * A shrinker in three steps, because its lists need its number and it needs
 * its lists. Before 6.7 it is live from the first step on: its count must say
 * 0 until the lists are there.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
static inline struct shrinker *bw_shrinker_make(const char *name,
						bw_shrink_fn *count,
						bw_shrink_fn *scan)
{
	struct shrinker *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return NULL;
	s->count_objects = count;
	s->scan_objects = scan;
	s->seeks = DEFAULT_SEEKS;
	s->flags = BW_SHRINKER_FLAGS;
	if (register_shrinker(s, "%s", name)) {
		kfree(s);
		return NULL;
	}
	return s;
}

static inline void bw_shrinker_start(struct shrinker *s)
{
}

static inline void bw_shrinker_free(struct shrinker *s)
{
	unregister_shrinker(s);
	kfree(s);
}
#else
static inline struct shrinker *bw_shrinker_make(const char *name,
						bw_shrink_fn *count,
						bw_shrink_fn *scan)
{
	struct shrinker *s = shrinker_alloc(BW_SHRINKER_FLAGS, "%s", name);

	if (!s)
		return NULL;
	s->count_objects = count;
	s->scan_objects = scan;
	return s;
}

static inline void bw_shrinker_start(struct shrinker *s)
{
	shrinker_register(s);
}

static inline void bw_shrinker_free(struct shrinker *s)
{
	shrinker_free(s);
}
#endif

#endif
