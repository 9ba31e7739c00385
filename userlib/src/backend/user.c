// SPDX-License-Identifier: MIT
/*
 * user: a heap's life, its arenas and its counts, without the module (user.h).
 */
#include <sys/mman.h>

#include "base/error.h"
#include "base/sysmem.h"
#include "base/throw.h"
#include "fork.h"
#include "user.h"

/* An invariant of the core's, or Z1 or Q2 of user.h. */
#define BAD_PIECES	31
#define BAD_FILLED	32

static int check_locked(struct bw_user *u)
{
	int bad = bw_core_check(&u->core);

	if (!bad && !bw_pieces_are_good_locked(u))
		bad = BAD_PIECES;
	if (!bad && !bw_filled_are_good_locked(u))
		bad = BAD_FILLED;
	return bad;
}

void bw_user_verify_locked(struct bw_user *u)
{
	int bad = u->verify ? check_locked(u) : 0;

	if (unlikely(bad))
		bw_fatal("verify: invariant %d of the page heap does not hold",
			 bad);
}

static u32 lowest_absent(const struct bw_core *core)
{
	u32 i = 0;

	while (i < core->nr_arenas && core->arena[i])
		i++;
	return i;
}

static size_t kmeta_bytes(const struct bw_window *w)
{
	return w->nr_arenas * BURROW_KMETA_SIZE;
}

static u64 *arena_kwords(const struct bw_user *u, u32 index)
{
	if (unlikely(u->mapped_once))
		return (u64 *)(void *)bw_window_kmeta(&u->be.window, index);
	return u->kwords + (size_t)index * BURROW_ARENA_PAGES;
}

/*
 * Valgrind knows no second mapping of one memory, and says EINVAL, which the
 * system does not; nor does QEMU for a program of another architecture, which says
 * ENOMEM to the very first. There a stray store goes unseen (U4), memcheck aside.
 */
static int kmeta_map_once(struct bw_user *u, char *at, size_t bytes)
{
	if (errno != EINVAL && (errno != ENOMEM || u->mapped_twice))
		return -errno;
	u->mapped_once = true;
	if (mprotect(at, bytes, PROT_READ | PROT_WRITE))
		return -errno;
	bw_window_show(at, bytes);
	return 0;
}

int bw_user_kmeta_map(struct bw_user *u, u32 index, u32 nr)
{
	char *at = bw_window_kmeta(&u->be.window, index);
	size_t bytes = nr * BURROW_KMETA_SIZE;

	/* of a shared mapping, an old size of 0 makes a second one */
	if (mremap(u->kwords + (size_t)index * BURROW_ARENA_PAGES, 0, bytes,
		   MREMAP_MAYMOVE | MREMAP_FIXED, at) == MAP_FAILED)
		return kmeta_map_once(u, at, bytes);
	u->mapped_twice = true;
	if (mprotect(at, bytes, PROT_READ))
		return -errno;
	/* the other one is hidden, and this inherited it */
	bw_window_show(at, bytes);
	return 0;
}

static int arena_map(struct bw_user *u, u32 index)
{
	const struct bw_window *w = &u->be.window;
	char *data = bw_window_data(w, index);
	char *umeta = bw_window_umeta(w, index);
	int err;

	if (mprotect(umeta, BURROW_UMETA_SIZE, PROT_READ | PROT_WRITE))
		return -errno;
	/* bits are sparse; a kernel without huge pages says EINVAL */
	madvise(umeta, BURROW_UMETA_SIZE, MADV_NOHUGEPAGE);
	err = bw_user_kmeta_map(u, index, 1);
	if (err)
		goto err_kmeta;
	if (!mprotect(data, BURROW_ARENA_SIZE, PROT_READ | PROT_WRITE)) {
		bw_window_show(data, BURROW_ARENA_SIZE);
		bw_window_show(umeta, BURROW_UMETA_SIZE);
		return 0;
	}
	err = -errno;
err_kmeta:
	/* mremap() may have left a hole */
	bw_window_mend(bw_window_kmeta(w, index), BURROW_KMETA_SIZE);
	mprotect(umeta, BURROW_UMETA_SIZE, PROT_NONE);
	return err;
}

/* Stacks are touched from the top, in 4 KiB: huge pages would be wasted. */
static void arena_for_stacks(struct bw_user *u, u32 index)
{
	char *data = bw_window_data(&u->be.window, index);

	madvise(data, BURROW_ARENA_SIZE, MADV_NOHUGEPAGE);
	/*
	 * What has had a frame before fences cut it merges again when they are
	 * gone; pieces that got their first one by one never do.
	 */
	if (!bw_frames_populate(data, BW_SYS_PAGE))
		bw_frames_take(data, BW_SYS_PAGE);
	bw_guards_probe(u, data);
}

/* Out of VMAs or of commitable memory: the table has one word for it. */
static int arena_make(struct bw_user *u, u32 kind, u32 index)
{
	struct bw_user_arena *arena = bw_sys_alloc(sizeof(*arena));

	if (!arena)
		return -ENOMEM;
	if (arena_map(u, index)) {
		bw_sys_free(arena, sizeof(*arena));
		return -ENOMEM;
	}
	arena->core.kind = kind;
	if (kind == BURROW_ARENA_HUGE)
		madvise(bw_window_data(&u->be.window, index),
			BURROW_ARENA_SIZE, MADV_HUGEPAGE);
	if (kind == BURROW_ARENA_STACK)
		arena_for_stacks(u, index);
	bw_lock(&u->pages);
	bw_core_arena_add(&u->core, index, &arena->core,
			  arena_kwords(u, index));
	bw_user_verify_locked(u);
	bw_unlock(&u->pages);
	bw_window_set_arena(&u->be.window, index);
	return 0;
}

static int user_arena_add(struct bw_backend *be, u32 kind, u32 index,
			  u32 *out_index)
{
	struct bw_user *u = bw_to_user(be);
	int err;

	if (!bw_window_is_ours(&be->window))
		return -EXDEV;
	if (kind >= BURROW_NR_ARENA_KINDS)
		return -EOPNOTSUPP;
	if (index != BURROW_ARENA_ANY && index >= be->window.nr_arenas)
		return -EINVAL;
	bw_gate_enter(&be->gate);
	bw_lock(&u->arenas);
	if (index == BURROW_ARENA_ANY) {
		index = lowest_absent(&u->core);
		err = index == be->window.nr_arenas ? -ENOSPC : 0;
	} else {
		err = u->core.arena[index] ? -EEXIST : 0;
	}
	if (!err)
		err = arena_make(u, kind, index);
	if (!err)
		*out_index = index;
	bw_unlock(&u->arenas);
	bw_gate_leave(&be->gate);
	return err;
}

/* Frames of an arena's resident pages, a run at a time (U3). */
static u64 arena_frames_locked(struct bw_user *u, u32 index)
{
	const u64 *resident = u->core.arena[index]->resident;
	u32 i = 0, n;
	u64 frames = 0;

	while (i < BURROW_ARENA_PAGES) {
		u64 x = resident[i / 64] >> (i % 64);

		if (!x) {
			i += 64 - i % 64;
			continue;
		}
		i += env_ctz(x);
		for (n = 1; i + n < BURROW_ARENA_PAGES; n++)
			if (!(resident[(i + n) / 64] >> ((i + n) % 64) & 1))
				break;
		frames += bw_frames_count(bw_window_data(&u->be.window, index) +
					  i * BURROW_PAGE_SIZE,
					  n * BURROW_PAGE_SIZE);
		i += n;
	}
	return frames;
}

static void stats_locked(struct bw_user *u, struct burrow_heap_stats *out)
{
	const struct bw_core *core = &u->core;
	u32 i;

	for (i = 0; i < core->nr_arenas; i++) {
		if (!core->arena[i])
			continue;
		out->out_arenas++;
		out->out_frames += arena_frames_locked(u, i);
		out->out_umeta_frames +=
			bw_frames_count(bw_window_umeta(&u->be.window, i),
					BURROW_UMETA_SIZE);
	}
	out->out_arenas_mapped = out->out_arenas;
	out->out_spans = core->nr_spans;
	out->out_pages_live = core->nr_live;
	out->out_pages_free = core->nr_free;
	out->out_pages_lazy = core->nr_lazy;
	out->out_kmeta_bytes = bw_core_bytes(core->nr_arenas) +
			       (u64)out->out_arenas *
			       (BURROW_KMETA_SIZE +
				sizeof(struct bw_user_arena));
	out->out_nr_alloc = u->nr_alloc;
	out->out_nr_free = u->nr_free;
	out->out_nr_reclaimed = u->nr_reclaimed;
	out->out_user_frames = out->out_frames + out->out_umeta_frames +
			       out->out_kmeta_bytes / BW_SYS_PAGE;
	out->out_user_limit = ~0ULL;
}

/* The system promises more than it has: nobody can be asked. */
static int user_room(struct bw_backend *be, u64 bytes)
{
	(void)be;
	(void)bytes;
	return -EOPNOTSUPP;
}

static int user_stats(struct bw_backend *be, struct burrow_heap_stats *out)
{
	struct bw_user *u = bw_to_user(be);

	if (!bw_window_is_ours(&be->window))
		return -EXDEV;
	*out = (struct burrow_heap_stats){ .size = sizeof(*out) };
	bw_lock(&u->arenas);
	bw_lock(&u->pages);
	stats_locked(u, out);
	bw_unlock(&u->pages);
	bw_lock(&u->slots);
	out->out_threads = u->nr_slots;
	bw_unlock(&u->slots);
	bw_unlock(&u->arenas);
	return 0;
}

static int user_check(struct bw_backend *be)
{
	struct bw_user *u = bw_to_user(be);
	int bad;

	if (!bw_window_is_ours(&be->window))
		return -EXDEV;
	bw_lock(&u->pages);
	bad = check_locked(u);
	bw_unlock(&u->pages);
	return bad;
}

static void user_close(struct bw_backend *be)
{
	struct bw_user *u = bw_to_user(be);
	const struct bw_window *w = &be->window;
	u32 i;

	bw_fork_del(be);
	/* the core's part comes first in it */
	for (i = 0; i < w->nr_arenas; i++)
		bw_sys_free(u->core.arena[i], sizeof(struct bw_user_arena));
	munmap(u->kwords, kmeta_bytes(w));
	bw_sys_free(u->slot, BW_USER_SLOT_BYTES);
	bw_sys_free(u->pieces, bw_pieces_bytes(w));
	bw_sys_free(u->core_mem, bw_core_bytes(w->nr_arenas));
	bw_window_release(&be->window);
	bw_sys_free(u, sizeof(*u));
}

static const struct bw_backend_ops user_ops = {
	.close		= user_close,
	.arena_add	= user_arena_add,
	.span_alloc	= bw_user_span_alloc,
	.span_free	= bw_user_span_free,
	.span_reclaim	= bw_user_span_reclaim,
	.span_sweep	= bw_user_span_sweep,
	.span_resize	= bw_user_span_resize,
	.lazy_reclaim	= bw_user_lazy_reclaim,
	.room		= user_room,
	.stats		= user_stats,
	.thread_add	= bw_user_thread_add,
	.thread_del	= bw_user_thread_del,
	.park		= bw_user_park,
	.unpark		= bw_user_unpark,
	.check		= user_check,
	.fork		= bw_user_fork,
};

static u64 *kwords_make(const struct bw_window *w)
{
	void *p = mmap(NULL, kmeta_bytes(w), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	/* dumps have the arenas' views of it */
	bw_window_hide(p, kmeta_bytes(w));
	return p;
}

void bw_user_locks_init(struct bw_user *u)
{
	bw_lock_init(&u->arenas, BW_RANK_ARENAS);
	bw_lock_init(&u->pages, BW_RANK_PAGES);
	bw_lock_init(&u->slots, BW_RANK_SLOTS);
}

static int user_make(struct bw_user *u, const struct bw_options *o)
{
	struct bw_window *w = &u->be.window;
	int err = bw_window_reserve(w, o->window);

	if (err)
		return err;
	u->kwords = kwords_make(w);
	if (!u->kwords)
		goto err_window;
	u->core_mem = bw_sys_alloc(bw_core_bytes(w->nr_arenas));
	if (!u->core_mem)
		goto err_kwords;
	u->pieces = bw_sys_alloc(bw_pieces_bytes(w));
	if (!u->pieces)
		goto err_core;
	u->slot = bw_sys_alloc(BW_USER_SLOT_BYTES);
	if (!u->slot)
		goto err_pieces;
	bw_core_init(&u->core, u->core_mem, w->nr_arenas);
	bw_pieces_init(u);
	return 0;

err_pieces:
	bw_sys_free(u->pieces, bw_pieces_bytes(w));
err_core:
	bw_sys_free(u->core_mem, bw_core_bytes(w->nr_arenas));
err_kwords:
	munmap(u->kwords, kmeta_bytes(w));
err_window:
	bw_window_release(w);
	return bw_error(-ENOMEM, "no memory for the tables of a heap");
}

int bw_backend_open_user(const struct bw_options *o, struct bw_backend **out)
{
	struct bw_user *u = bw_sys_alloc(sizeof(*u));
	int err;

	if (!u)
		return bw_error(-ENOMEM, "no memory for a heap");
	u->be.ops = &user_ops;
	u->be.mode = "user";
	u->be.max_batch = BW_USER_MAX_BATCH;
	u->be.max_threads = BW_USER_MAX_THREADS;
	u->verify = o->verify;
	u->verbose = o->verbose;
	bw_user_locks_init(u);
	err = user_make(u, o);
	if (err) {
		bw_sys_free(u, sizeof(*u));
		return err;
	}
	err = bw_fork_add(&u->be);
	if (err) {
		user_close(&u->be);
		return err;
	}
	*out = &u->be;
	return 0;
}
