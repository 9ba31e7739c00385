// SPDX-License-Identifier: MIT
/*
 * user_stack: spans to run on, and their guards, which cost the module nothing
 * and us a call.
 *
 *	bw_user_span_alloc()	backend/user_span.c
 *	  bw_stacks_alloc()	<- here
 *	bw_user_span_free()
 *	  bw_stacks_free_locked() <- here
 *
 * What makes a guard, by preference:
 *
 *	marker	MADV_GUARD_INSTALL (Linux 6.13): page table entries that say no
 *	fence	mprotect(): two more mappings each, of which a process has few
 *	none	when fences would take more than half of vm.max_map_count
 *
 * Markers of stacks that nobody had before are set in one call, where the system
 * can (process_madvise() of PIDFD_SELF, 6.14): 5% less for a stack that is made and
 * touched.
 *
 * G1. Which it is to be is decided with the pages taken, under the lock; the
 *     head word says from the start whether there is one. A way that turns out
 *     to be refused is not tried again.
 * G2. A guard has no frames: what an earlier span left there goes first.
 * G3. A guard goes before its span: meanwhile the span is claimed, so that
 *     nobody else can free it or be given its pages.
 * G4. In a guarded span the guard's pages are not resident, above it all are.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/sysmem.h"
#include "base/throw.h"
#include "user.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#define MADV_GUARD_REMOVE	103
#endif
#ifndef PIDFD_SELF
#define PIDFD_SELF		(-10000)
#endif

#define GUARD_BYTES		(BURROW_GUARD_PAGES * BURROW_PAGE_SIZE)
#define DEFAULT_MAX_MAP_COUNT	65530U

enum guard { MARKER, FENCE, NONE };

/**
 * struct group - stacks on their way to the caller			[caller]
 * @ref:	which
 * @nr:		how many, BW_USER_GROUP at most
 * @how:	their guards
 * @together:	these are markers, and may be set in one call
 * @used:	bit i: earlier spans may have left memory in the guard of ref[i]
 */
struct group {
	struct burrow_span_ref *ref;
	u32 nr;
	enum guard how;
	bool together;
	u64 used;
};

static char *page_addr(const struct bw_user *u, u32 page)
{
	return bw_window_page_addr(&u->be.window, page);
}

static u32 max_map_count(void)
{
	int fd = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
	char text[24] = "";
	ssize_t n = 0;
	long value;

	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	value = n > 0 ? strtol(text, NULL, 10) : 0;
	return value > 0 && value <= INT32_MAX ? (u32)value :
						 DEFAULT_MAX_MAP_COUNT;
}

/* How many of @nr are set: fewer if one is refused, or all such calls are. */
static u32 markers_set(const struct iovec *at, u32 nr)
{
	ssize_t bytes = process_madvise(PIDFD_SELF, at, nr,
					MADV_GUARD_INSTALL, 0);

	return bytes < 0 ? 0 : (u32)((size_t)bytes / GUARD_BYTES);
}

/* The system does not read there either. */
static bool is_forbidden(const char *at)
{
	return access(at, F_OK) && errno == EFAULT;
}

void bw_guards_probe(struct bw_user *u, char *data)
{
	struct bw_guards found = { .probed = true };
	struct iovec at = { data, GUARD_BYTES };

	if (u->guards.probed)
		return;
	/* an emulator takes advice that it does not know, and does nothing */
	found.markers = !madvise(data, GUARD_BYTES, MADV_GUARD_INSTALL) &&
			is_forbidden(data);
	found.together = found.markers && markers_set(&at, 1) == 1;
	if (found.markers && madvise(data, GUARD_BYTES, MADV_GUARD_REMOVE))
		found.markers = false;
	found.max_fences = max_map_count() / 4;
	bw_lock(&u->pages);
	u->guards = found;
	bw_unlock(&u->pages);
}

/* Does a fence begin at this page? */
static bool is_fenced_locked(const struct bw_user *u, u32 page)
{
	const struct bw_core_arena *core =
		u->core.arena[page >> BURROW_ARENA_PAGE_SHIFT];
	const struct bw_user_arena *a =
		container_of(core, struct bw_user_arena, core);
	u32 at = page % BURROW_ARENA_PAGES;

	return a->fenced[at / 64] >> (at % 64) & 1;
}

/* A fence is to be there, or is gone. */
static void fence_count_locked(struct bw_user *u, u32 page, bool there)
{
	struct bw_user_arena *a =
		container_of(u->core.arena[page >> BURROW_ARENA_PAGE_SHIFT],
			     struct bw_user_arena, core);
	u32 at = page % BURROW_ARENA_PAGES;

	if (there) {
		a->fenced[at / 64] |= 1ULL << (at % 64);
		u->guards.nr_fences++;
	} else {
		a->fenced[at / 64] &= ~(1ULL << (at % 64));
		u->guards.nr_fences--;
	}
}

/* What the next guards are to be (G1); fewer than @nr may fit. */
static enum guard choose_locked(const struct bw_guards *g, u32 *nr)
{
	if (g->markers)
		return MARKER;
	if (g->nr_fences >= g->max_fences)
		return NONE;
	*nr = min(*nr, g->max_fences - g->nr_fences);
	return FENCE;
}

static int group_take(struct bw_user *u, struct bw_span_req *want,
		      struct group *g, u32 nr)
{
	struct bw_span_req req = *want;
	bool tell;
	u32 i;
	int err;

	bw_lock(&u->pages);
	g->how = choose_locked(&u->guards, &nr);
	g->together = g->how == MARKER && u->guards.together;
	req.flags = g->how == NONE ? 0 : BURROW_W_GUARD;
	err = bw_user_take_locked(u, &req, g->ref, nr, &g->nr);
	want->from = req.from;
	for (i = 0; i < g->nr && g->how != NONE; i++) {
		if (bw_core_is_resident(&u->core, g->ref[i].page,
					BURROW_GUARD_PAGES))
			g->used |= 1ULL << i;
		if (g->how == FENCE)
			fence_count_locked(u, g->ref[i].page, true);
	}
	tell = u->verbose && g->nr && g->how == NONE && !u->guards.told;
	u->guards.told |= tell;
	bw_unlock(&u->pages);
	if (tell)
		bw_note("user mode: stacks beyond %u have no guard; this system"
			" has no MADV_GUARD_INSTALL and few mappings",
			u->guards.max_fences);
	return err;
}

static int guard_set(char *at, enum guard how)
{
	int failed = how == MARKER ?
		     madvise(at, GUARD_BYTES, MADV_GUARD_INSTALL) :
		     mprotect(at, GUARD_BYTES, PROT_NONE);

	return failed ? -errno : 0;
}

/* As many as can be set in one call; which one is refused, and why, is not said. */
static u32 guards_set_together(struct bw_user *u, const struct group *g)
{
	struct iovec at[BW_USER_GROUP];
	u32 i;

	if (!g->together || g->used)
		return 0;
	for (i = 0; i < g->nr; i++)
		at[i] = (struct iovec){ page_addr(u, g->ref[i].page),
					GUARD_BYTES };
	return markers_set(at, g->nr);
}

/* Sets the guards of a group, in order until one is refused; @full have one. */
static int guards_set(struct bw_user *u, const struct group *g, u32 *full)
{
	u64 frames = 0;
	int err = 0;
	u32 i;

	for (i = guards_set_together(u, g); i < g->nr; i++) {
		char *at = page_addr(u, g->ref[i].page);

		if (g->used >> i & 1) {
			frames += bw_frames_count(at, GUARD_BYTES);
			bw_frames_take(at, GUARD_BYTES);
		}
		err = guard_set(at, g->how);
		if (err)
			break;
	}
	*full = i;
	if (!g->used)
		return err;
	bw_lock(&u->pages);
	for (i = 0; i < *full; i++)
		if (g->used >> i & 1)
			bw_core_clear_resident(&u->core, g->ref[i].page,
					       BURROW_GUARD_PAGES);
	u->nr_reclaimed += frames;
	bw_unlock(&u->pages);
	return err;
}

/* A guard was refused with @err: what is tried next, or -ENOMEM. */
static int lower(struct bw_user *u, enum guard how, int err)
{
	if (how == MARKER && err != -EINVAL)
		return -ENOMEM;
	bw_lock(&u->pages);
	if (how == MARKER)
		u->guards.markers = false;
	else
		u->guards.max_fences = u->guards.nr_fences;
	bw_unlock(&u->pages);
	return 0;
}

/*
 * The 4 KiB at the top, where a stack begins, of @full stacks. For one frame a
 * fault is cheaper than MADV_POPULATE_WRITE (1.5 us and 2.1).
 */
static void tops_populate(struct bw_user *u, const struct group *g, u32 npages,
			  u32 full)
{
	u32 i;

	for (i = 0; i < full; i++)
		bw_frames_touch(page_addr(u, g->ref[i].page + npages) -
				BW_SYS_PAGE, BW_SYS_PAGE);
}

int bw_stacks_alloc(struct bw_user *u, struct bw_span_req *want,
		    bool lazy, struct burrow_span_ref *ref, u32 nr, u32 *full)
{
	struct group g = { .ref = ref };
	int err = group_take(u, want, &g, nr), refused = 0;

	*full = g.nr;
	if (g.how != NONE)
		refused = guards_set(u, &g, full);
	if (!lazy)
		tops_populate(u, &g, want->npages, *full);
	bw_user_untake(u, ref + *full, g.nr - *full);
	return refused ? lower(u, g.how, refused) : err;
}

/**
 * struct leaving - stacks whose guards are being taken away		[caller]
 * @nr:		how many
 * @run:	claimed, in order
 * @fenced:	bit i: the guard of run[i] is a fence
 */
struct leaving {
	u32 nr;
	struct bw_run run[BW_USER_GROUP];
	u64 fenced;
};

/* Claims stacks that have guards, until one has none or is not there. */
static void leaving_claim_locked(struct bw_user *u, struct leaving *l,
				 const struct burrow_span_ref *ref, u32 nr)
{
	for (l->nr = 0; l->nr < min(nr, BW_USER_GROUP); l->nr++, ref++) {
		u64 word;

		if (bw_core_span_find(&u->core, ref->page, ref->gen, &word) ||
		    !(word & BURROW_W_GUARD))
			return;
		if (is_fenced_locked(u, ref->page))
			l->fenced |= 1ULL << l->nr;
		/* a live span is there: it cannot be refused */
		bw_core_discard_begin(&u->core, ref->page,
				      burrow_word_low(word), &l->run[l->nr]);
	}
}

/* Takes the guards away, neighbours together; how many are gone. */
static u32 guards_remove(struct bw_user *u, const struct leaving *l)
{
	u32 i = 0, k;

	while (i < l->nr) {
		bool fence = l->fenced >> i & 1;
		u32 page = l->run[i].page, npages = 0;
		size_t bytes;

		for (k = i; k < l->nr && l->run[k].page == page + npages &&
		     (l->fenced >> k & 1) == fence; k++)
			npages += l->run[k].npages;
		bytes = (size_t)npages * BURROW_PAGE_SIZE;
		if (fence ? mprotect(page_addr(u, page), bytes,
				     PROT_READ | PROT_WRITE) :
			    madvise(page_addr(u, page), bytes,
				    MADV_GUARD_REMOVE))
			break;
		i = k;
	}
	return i;
}

int bw_stacks_free_locked(struct bw_user *u, const struct burrow_span_ref *ref,
			  u32 nr, struct bw_claims *cl, u32 *done)
{
	struct leaving l = { .fenced = 0 };
	u32 i, gone, npages;

	leaving_claim_locked(u, &l, ref, nr);
	bw_unlock(&u->pages);
	gone = guards_remove(u, &l);
	bw_lock(&u->pages);
	for (i = 0; i < l.nr; i++) {
		bw_core_discard_end(&u->core, &l.run[i]);
		if (i >= gone)
			continue;
		if (l.fenced >> i & 1)
			fence_count_locked(u, ref[i].page, false);
		bw_user_free_locked(u, &ref[i], cl, &npages);
	}
	bw_user_verify_locked(u);
	*done = gone;
	return gone < l.nr ? -ENOMEM : 0;
}
