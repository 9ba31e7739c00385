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

/* The one that is wiped and the one that is not. */
#define PAGES_BYTES	(2 * BW_SYS_PAGE)

static int page_make(struct bw_window *w)
{
	char *pages = bw_sys_alloc(PAGES_BYTES);

	if (!pages)
		return bw_error(-ENOMEM, "no memory for a heap");
	if (madvise(pages, BW_SYS_PAGE, MADV_WIPEONFORK)) {
		bw_sys_free(pages, PAGES_BYTES);
		return bw_error(-EOPNOTSUPP,
				"this system has no MADV_WIPEONFORK");
	}
	w->page = (struct bw_window_page *)(void *)pages;
	w->heirloom = (struct bw_window_page *)(void *)(pages + BW_SYS_PAGE);
	w->page->ours = true;
	return 0;
}

/*
 * Best effort: a debugger's core dump (gdb's generate-core-file) reads whatever is
 * not marked so, the kernel's leaves out what was never touched by itself.
 */
void bw_window_hide(char *at, size_t bytes)
{
	madvise(at, bytes, MADV_DONTDUMP);
}

void bw_window_show(char *at, size_t bytes)
{
	madvise(at, bytes, MADV_DODUMP);
}

static bool try_reserve(struct bw_window *w, u32 nr)
{
	size_t bytes = nr * PER_ARENA;
	char *p = bw_sys_reserve(bytes, BURROW_ARENA_SIZE);

	if (!p)
		return false;
	bw_window_hide(p, bytes);
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
			bw_sys_free(w->page, PAGES_BYTES);
			return bw_error(-ENOMEM, "no address space for a window"
					" of %llu MiB",
					(unsigned long long)nr *
					(BURROW_ARENA_SIZE >> 20));
		}
		nr /= 2;
	}
	return 0;
}

/* Every child inherits the reservation, also one that cannot use it. */
void bw_window_release(struct bw_window *w)
{
	munmap(w->data, w->nr_arenas * PER_ARENA);
	bw_sys_free(w->page, PAGES_BYTES);
}

void bw_window_mend(char *at, size_t bytes)
{
	/* better a hole than what somebody may touch */
	if (mmap(at, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
		 MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
		munmap(at, bytes);
	else
		bw_window_hide(at, bytes);
}

void bw_window_bequeath(struct bw_window *w)
{
	*w->heirloom = *w->page;
}

bool bw_window_had_arenas(const struct bw_window *w)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(w->heirloom->arena); i++)
		if (w->heirloom->arena[i])
			return true;
	return false;
}

void bw_window_inherit(struct bw_window *w)
{
	*w->page = *w->heirloom;
}
