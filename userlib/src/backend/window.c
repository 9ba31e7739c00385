// SPDX-License-Identifier: MIT
/* window: see window.h */
#include <assert.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "base/error.h"
#include "base/options.h"
#include "base/sysmem.h"
#include "window.h"

#define PER_ARENA	(BURROW_ARENA_SIZE + BURROW_UMETA_SIZE + \
			 BURROW_KMETA_SIZE)

static_assert(sizeof(struct bw_window_page) <= BW_SYS_PAGE,
	      "fork() wipes whole pages");

static int page_make(struct bw_window *w)
{
	struct bw_window_page *page = bw_sys_alloc(sizeof(*page));

	if (!page)
		return bw_error(-ENOMEM, "no memory for a heap");
	if (madvise(page, BW_SYS_PAGE, MADV_WIPEONFORK)) {
		bw_sys_free(page, sizeof(*page));
		return bw_error(-EOPNOTSUPP,
				"this system has no MADV_WIPEONFORK");
	}
	page->ours = true;
	w->page = page;
	return 0;
}

static bool try_reserve(struct bw_window *w, u32 nr)
{
	size_t bytes = nr * PER_ARENA;
	char *p = bw_sys_reserve(bytes, BURROW_ARENA_SIZE);

	if (!p)
		return false;
	if (madvise(p, bytes, MADV_DONTFORK)) {
		munmap(p, bytes);
		return false;
	}
	w->nr_arenas = nr;
	w->data = p;
	w->umeta = p + nr * BURROW_ARENA_SIZE;
	w->kmeta = w->umeta + nr * BURROW_UMETA_SIZE;
	return true;
}

/* Arenas of the default window: the rest of the program needs room, too. */
static u32 default_arenas(void)
{
	u64 nr = BW_DEFAULT_WINDOW >> BURROW_ARENA_SHIFT;
	struct rlimit lim;

	if (!getrlimit(RLIMIT_AS, &lim) && lim.rlim_cur != RLIM_INFINITY)
		nr = min(nr, (u64)lim.rlim_cur / 2 / PER_ARENA);
	return nr ? (u32)nr : 1;
}

int bw_window_reserve(struct bw_window *w, u64 bytes)
{
	u32 nr = bytes ? (u32)(bytes >> BURROW_ARENA_SHIFT) : default_arenas();
	int err = page_make(w);

	if (err)
		return err;
	while (!try_reserve(w, nr)) {
		if (bytes || nr == 1) {
			bw_sys_free(w->page, sizeof(*w->page));
			return bw_error(-ENOMEM, "no address space for a window"
					" of %llu MiB",
					(unsigned long long)nr *
					(BURROW_ARENA_SIZE >> 20));
		}
		nr /= 2;
	}
	return 0;
}

/* In a child none of the window is there: something else may be. */
void bw_window_release(struct bw_window *w)
{
	if (bw_window_is_ours(w))
		munmap(w->data, w->nr_arenas * PER_ARENA);
	bw_sys_free(w->page, sizeof(*w->page));
}
