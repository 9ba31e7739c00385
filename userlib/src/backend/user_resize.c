// SPDX-License-Identifier: MIT
/*
 * user_resize: a live span gets longer or shorter, where it is or elsewhere.
 *
 *	bw_mspan_resize()		heap/pageheap_resize.c
 *	  bw_user_span_resize()		<- here
 *	    bw_core_span_extend/trim()	core/coreheap.c
 *	    mremap()			where it has to move
 *
 * In place nothing is copied and no mapping changes. A move takes page tables, not
 * bytes: MREMAP_DONTUNMAP leaves the old place as it was, but empty. The new place
 * is a mapping of its own then, two more in all, and the system never merges it
 * with its neighbours. So there is a bit for each span that has been moved, there
 * are at most MOST_MOVED of them, and when one is freed, shrinks or moves again
 * what it leaves behind is mapped anew, and merges.
 *
 * A span that moved and then grew lies in more than one mapping, and no call moves
 * more than one before Linux 6.17: it says EFAULT, and has unmapped the new place by
 * then. So a span moves mapping by mapping.
 *
 * While it moves, the span is DISCARDING for the core: nobody frees it, reclaims
 * in it or resizes it. No lock is held over system calls.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/sysmem.h"
#include "base/throw.h"
#include "user.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP	4	/* Linux 5.7 */
#endif
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE	0x100000
#endif

#define MOST_MOVED	1024U

static u64 *moved_word(const struct bw_user *u, u32 page, u64 *bit)
{
	struct bw_core_arena *core =
		u->core.arena[page >> BURROW_ARENA_PAGE_SHIFT];
	struct bw_user_arena *a = container_of(core, struct bw_user_arena,
					       core);

	*bit = 1ULL << (page % 64);
	return &a->moved[page % BURROW_ARENA_PAGES / 64];
}

bool bw_user_is_moved_locked(const struct bw_user *u, u32 page)
{
	u64 bit;

	return u->nr_moved && *moved_word(u, page, &bit) & bit;
}

static void set_moved_locked(struct bw_user *u, u32 page)
{
	u64 bit, *word = moved_word(u, page, &bit);

	*word |= bit;
	u->nr_moved++;
}

static void unset_moved_locked(struct bw_user *u, u32 page)
{
	u64 bit, *word = moved_word(u, page, &bit);

	*word &= ~bit;
	u->nr_moved--;
}

void bw_user_renew(char *at, size_t bytes)
{
	if (mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		 MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) ==
	    MAP_FAILED && madvise(at, bytes, MADV_DONTNEED))
		bw_throw("the system takes a mapping and gives none back");
}

void bw_user_left_locked(struct bw_user *u, u32 page, u32 npages,
			 struct bw_claims *cl, bool whole)
{
	struct bw_claims own = { .nr = 0 };

	if (whole)
		unset_moved_locked(u, page);
	own.renew = true;
	bw_claim_free_locked(u, &own, page, npages, npages);
	bw_claims_flush_locked(u, &own);
	if (cl)
		cl->frames += own.frames;
}

/* Its shape allows it to become that long. */
static int check_shape_locked(const struct bw_user *u, u32 page, u32 npages,
			      u64 word)
{
	u32 kind = u->core.arena[page >> BURROW_ARENA_PAGE_SHIFT]->kind;

	if (kind == BURROW_ARENA_STACK || word & BURROW_W_GUARD)
		return -EINVAL;
	if (kind == BURROW_ARENA_HUGE && npages % BURROW_HUGE_PAGES)
		return -EINVAL;
	return 0;
}

static void trim_locked(struct bw_user *u, const struct burrow_span_ref *ref,
			u32 npages)
{
	bool moved = bw_user_is_moved_locked(u, ref->page);
	struct bw_run tail;

	/* it was found, longer, under this hold of the lock */
	bw_core_span_trim(&u->core, ref->page, ref->gen, npages, &tail);
	bw_lazy_note_locked(u, tail.page, tail.npages);
	if (moved)
		bw_user_left_locked(u, tail.page, tail.npages, NULL, false);
}

static int populate(const struct bw_user *u, const struct bw_missing *m)
{
	return bw_frames_populate(bw_window_page_addr(&u->be.window, m->page),
				  (size_t)m->npages * BURROW_PAGE_SIZE);
}

/* Drops the lock to populate, and takes it again. */
static int extend_locked(struct bw_user *u, u32 flags,
			 const struct burrow_span_ref *ref, u32 npages)
{
	struct bw_missing m;
	struct bw_run tail;
	int err = bw_core_span_extend(&u->core, ref->page, ref->gen, npages,
				      &tail);

	if (err)
		return err;
	bw_core_set_resident(&u->core, tail.page, tail.npages);
	m = bw_filled_missing_locked(u, tail.page, tail.npages);
	if (flags & BW_RESIZE_LAZY || !m.npages)
		return 0;
	bw_unlock(&u->pages);
	err = populate(u, &m);
	bw_lock(&u->pages);
	/* nobody but the caller, who is here, ends a span that he has */
	if (err)
		trim_locked(u, ref, npages - tail.npages);
	else
		bw_filled_set_locked(u, m.page, m.npages);
	return err;
}

/* Where frames go, as large pieces of page tables where it is long. */
static int place_locked(struct bw_user *u, u64 word, u32 page, u32 npages,
			struct bw_run *to)
{
	u32 kind = u->core.arena[page >> BURROW_ARENA_PAGE_SHIFT]->kind;
	struct bw_span_req req = {
		.npages = npages,
		.align = npages > BURROW_HUGE_PAGES ? BURROW_HUGE_PAGES : 0,
		.cls = burrow_word_class(word),
		.kind = burrow_word_kind(word),
		.arena_kind = kind,
		.flags = word & (BURROW_W_HUGE | BURROW_W_NEEDZERO),
	};

	if (u->nr_moved >= MOST_MOVED)
		return -ENOMEM;
	return bw_core_span_alloc(&u->core, &req, to);
}

/* Do [at, at + bytes) lie in one mapping? To make it longer there is no room. */
static bool is_one_mapping(char *at, size_t bytes)
{
	void *p = mremap(at, bytes, bytes + BW_SYS_PAGE, 0);

	if (p != MAP_FAILED)
		munmap(at + bytes, BW_SYS_PAGE);
	return p != MAP_FAILED || errno != EFAULT;
}

/* How many of these bytes are of the mapping in which they begin. */
static size_t piece_of(char *at, size_t bytes)
{
	size_t least = BW_SYS_PAGE, n;

	if (is_one_mapping(at, bytes))
		return bytes;
	while (bytes - least > BW_SYS_PAGE) {
		n = least + ((bytes - least) / 2 & ~(BW_SYS_PAGE - 1));
		if (is_one_mapping(at, n))
			least = n;
		else
			bytes = n;
	}
	return least;
}

/*
 * False: the system has no memory for one more mapping, and what was at @to may be
 * gone. If it is, it is mapped again; NOREPLACE, for it may also be there.
 */
static bool piece_move(char *from, char *to, size_t bytes)
{
	if (mremap(from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED |
		   MREMAP_DONTUNMAP, to) != MAP_FAILED)
		return true;
	if (mmap(to, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		 MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0) ==
	    MAP_FAILED && errno != EEXIST)
		bw_throw("the system takes a mapping and gives none back");
	return false;
}

/* All or, at the first piece, nothing: a later one that stays is copied. */
static int frames_move(struct bw_user *u, u32 from, u32 to, u32 npages)
{
	const struct bw_window *w = &u->be.window;
	char *p = bw_window_page_addr(w, from), *q = bw_window_page_addr(w, to);
	size_t left = (size_t)npages * BURROW_PAGE_SIZE, n;
	bool some = false;

	for (; left; left -= n, p += n, q += n) {
		n = piece_of(p, left);
		if (piece_move(p, q, n)) {
			some = true;
			continue;
		}
		if (!some)
			return -ENOMEM;
		memcpy(q, p, n);
		madvise(p, n, MADV_DONTNEED);
	}
	return 0;
}

/* The old span is free, and its place has no frames. */
static void leave_locked(struct bw_user *u, struct bw_run *old)
{
	bool moved = bw_user_is_moved_locked(u, old->page);
	struct bw_run gone;

	bw_core_discard_end(&u->core, old);
	bw_filled_clear_locked(u, old->page, old->npages);
	/* what is mapped anew is claimed first, as lazy pages are */
	if (!moved)
		bw_core_clear_resident(&u->core, old->page, old->npages);
	bw_core_span_free(&u->core, old->page, old->gen, &gone);
	u->nr_free++;
	bw_lazy_note_locked(u, gone.page, gone.npages);
	if (moved)
		bw_user_left_locked(u, gone.page, gone.npages, NULL, true);
}

/*
 * Frames of @old come to the place @to, and others behind them. What is there is not
 * filled from here on: it may go, whether they come or not.
 */
static int arrive_locked(struct bw_user *u, u32 flags, const struct bw_run *old,
			 const struct bw_run *to)
{
	u32 had = old->npages, tail = to->page + had, more = to->npages - had;
	struct bw_missing m = { tail, 0 };
	int err = 0;

	bw_core_set_resident(&u->core, to->page, to->npages);
	bw_filled_clear_locked(u, to->page, had);
	if (!(flags & BW_RESIZE_LAZY))
		m = bw_filled_missing_locked(u, tail, more);
	bw_unlock(&u->pages);
	if (m.npages)
		err = populate(u, &m);
	if (!err)
		err = frames_move(u, old->page, to->page, had);
	bw_lock(&u->pages);
	if (!err)
		bw_filled_set_locked(u, m.page, m.npages);
	return err;
}

static int move_locked(struct bw_user *u, u32 flags, u64 word,
		       struct burrow_span_ref *ref, u32 npages)
{
	struct bw_run old, to, gone;
	int err = place_locked(u, word, ref->page, npages, &to);

	if (err)
		return err;
	err = bw_core_discard_begin(&u->core, ref->page, burrow_word_low(word),
				    &old);
	if (!err)
		err = arrive_locked(u, flags, &old, &to);
	if (err) {
		bw_core_discard_end(&u->core, &old);
		bw_core_span_free(&u->core, to.page, to.gen, &gone);
		bw_lazy_note_locked(u, gone.page, gone.npages);
		return err;
	}
	u->nr_alloc++;
	set_moved_locked(u, to.page);
	*ref = (struct burrow_span_ref){ to.page, to.gen };
	leave_locked(u, &old);
	return 0;
}

static int resize_locked(struct bw_user *u, u32 flags,
			 struct burrow_span_ref *ref, u32 npages)
{
	u64 word;
	int err = bw_core_span_find(&u->core, ref->page, ref->gen, &word);

	if (!err)
		err = check_shape_locked(u, ref->page, npages, word);
	if (err || npages == burrow_word_low(word))
		return err;
	if (npages < burrow_word_low(word)) {
		trim_locked(u, ref, npages);
		return 0;
	}
	err = extend_locked(u, flags, ref, npages);
	if (err == -ENOSPC && flags & BW_RESIZE_MOVE)
		err = move_locked(u, flags, word, ref, npages);
	return err;
}

int bw_user_span_resize(struct bw_backend *be, u32 flags,
			struct burrow_span_ref *ref, u32 npages)
{
	struct bw_user *u = bw_to_user(be);
	int err;

	if (!bw_window_is_ours(&be->window))
		return -EXDEV;
	if (flags & ~(BW_RESIZE_LAZY | BW_RESIZE_MOVE))
		return -EOPNOTSUPP;
	if (!npages || npages >= BURROW_MAX_PAGES)
		return -EINVAL;
	bw_gate_enter(&be->gate);
	bw_lock(&u->pages);
	err = resize_locked(u, flags, ref, npages);
	bw_user_verify_locked(u);
	bw_unlock(&u->pages);
	bw_gate_leave(&be->gate);
	return err;
}
