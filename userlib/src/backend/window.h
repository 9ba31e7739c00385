/* SPDX-License-Identifier: MIT */
/*
 * window: the address space of a heap, reserved in one piece.
 *
 *	| window: nr * 64 MiB | U-words: nr * 4 MiB | K-words: nr * 64 KiB |
 *
 * Nobody may touch it (PROT_NONE) but where a backend has put an arena. It
 * costs no memory.
 *
 * V1. Which arenas are there stands on one page that fork() wipes: in a child
 *     there are none, and bw_window_is_ours() is false, until fork.c has seen to
 *     it that all else is the child's own and restores the page. So a child that
 *     fork.c knows nothing of, or whose heap was lost, touches nothing.
 * V2. The bit of an arena is set (release) after its three parts are mapped,
 *     and stays; who sees it (acquire) may read the arena's K-words.
 */
#ifndef BW_BACKEND_WINDOW_H
#define BW_BACKEND_WINDOW_H

#include "base/atomic.h"
#include "base/types.h"
#include "burrow/layout.h"

/* The page that fork() wipes. */
struct bw_window_page {
	u64 arena[BURROW_MAX_ARENAS / 64];
	bool ours;
};

/**
 * struct bw_window - the reservation
 * @nr_arenas:	arenas it has room for					[const]
 * @data:	where arenas lie					[const]
 * @umeta:	where their U-words lie					[const]
 * @kmeta:	where their K-words lie					[const]
 * @page:	see V1; its words are [atomic]				[const]
 * @heirloom:	what the child's is to be, not wiped		[fork.c]
 */
struct bw_window {
	u32 nr_arenas;
	char *data;
	char *umeta;
	char *kmeta;
	struct bw_window_page *page;
	struct bw_window_page *heirloom;
};

/*
 * Reserves @bytes, or with 0 the default: at most half of what RLIMIT_AS
 * allows, and less until it fits. -ENOMEM, and a line for bw_error_last().
 */
int bw_window_reserve(struct bw_window *w, u64 bytes);
void bw_window_release(struct bw_window *w);

/* Reserves a piece of it again: nobody may touch what is there now. */
void bw_window_mend(char *at, size_t bytes);

/*
 * What a debugger is to leave out of a core dump, and what not: all of the window
 * is hidden, and arenas are shown.
 */
void bw_window_hide(char *at, size_t bytes);
void bw_window_show(char *at, size_t bytes);

/* Before a fork the page is copied, in the child it is restored (V1). */
void bw_window_bequeath(struct bw_window *w);
void bw_window_inherit(struct bw_window *w);
/* In the child, before that: was there an arena? */
bool bw_window_had_arenas(const struct bw_window *w);

static inline bool bw_window_is_ours(const struct bw_window *w)
{
	return READ_ONCE(w->page->ours);
}

static inline void bw_window_set_arena(struct bw_window *w, u32 index)
{
	/* pairs with bw_window_has_arena() (V2) */
	fetch_or(&w->page->arena[index / 64], 1ULL << (index % 64));
}

static inline bool bw_window_has_arena(const struct bw_window *w, u32 index)
{
	u64 bits;

	if (index >= w->nr_arenas)
		return false;
	/* pairs with bw_window_set_arena() (V2) */
	bits = smp_load_acquire(&w->page->arena[index / 64]);
	return bits >> (index % 64) & 1;
}

static inline char *bw_window_data(const struct bw_window *w, u32 index)
{
	return w->data + (size_t)index * BURROW_ARENA_SIZE;
}

static inline char *bw_window_umeta(const struct bw_window *w, u32 index)
{
	return w->umeta + (size_t)index * BURROW_UMETA_SIZE;
}

static inline char *bw_window_kmeta(const struct bw_window *w, u32 index)
{
	return w->kmeta + (size_t)index * BURROW_KMETA_SIZE;
}

static inline char *bw_window_page_addr(const struct bw_window *w, u32 page)
{
	return w->data + ((size_t)page << BURROW_PAGE_SHIFT);
}

static inline u32 bw_window_pages(const struct bw_window *w)
{
	return w->nr_arenas << BURROW_ARENA_PAGE_SHIFT;
}

#endif
