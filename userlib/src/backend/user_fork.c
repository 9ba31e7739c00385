// SPDX-License-Identifier: MIT
/*
 * user_fork: a heap in two processes, kmod/fork.c without the module.
 *
 *	prepare(), child()		backend/fork.c
 *	  prepare()			<- here: K-words are copied
 *	child()
 *	  bw_user_fork_child()		<- here: the copy takes their place
 *
 * Data, U-words and our own tables are private memory, of which fork() makes a
 * copy-on-write copy by itself; guards of both kinds are inherited with them.
 * K-words are not: they are a shared mapping, because they are mapped twice (U4
 * in user.h), and a parent that goes on would write into the child's. So the
 * copy is made before there is a child, in a mapping which the parent then drops
 * and the child moves to where K-words are.
 *
 * What it costs: 4 KiB to copy for each 4 MiB of the window in which a page is
 * not free. fork() itself copies 8 KiB of page tables where these are full: with
 * 64 full arenas 2.5 ms of 85.
 *
 * Rejected: copying in the child, for which the parent would have to wait;
 * private K-words, which nothing but a system call around each change or a
 * protection key (few machines) would keep stray stores out of.
 */
#include <sys/mman.h>

#include "user.h"

#define CHUNK_BYTES	(BW_CHUNK_PAGES * sizeof(u64))

static size_t kwords_bytes(u32 nr_arenas)
{
	return nr_arenas * BURROW_KMETA_SIZE;
}

/* Arenas from 0 to the highest that is there. */
static u32 nr_to_copy(const struct bw_core *core)
{
	u32 nr = core->nr_arenas;

	while (nr && !core->arena[nr - 1])
		nr--;
	return nr;
}

/* Free pages have words of 0, and so has new memory. */
static bool chunk_is_free(const struct bw_core_arena *arena, u32 chunk)
{
	const u64 *free = arena->leaf.free + chunk * BW_CHUNK_WORDS;
	u32 i;

	for (i = 0; i < BW_CHUNK_WORDS; i++)
		if (~free[i])
			return false;
	return true;
}

/* Chunks that are not free, in runs. No memory is an error, not a signal. */
static int arena_copy(const struct bw_core_arena *arena, u64 *to)
{
	u32 i = 0, n;
	int err = 0;

	while (i < BW_ARENA_CHUNKS && !err) {
		size_t at = i * BW_CHUNK_PAGES;

		for (n = 0; i + n < BW_ARENA_CHUNKS; n++)
			if (chunk_is_free(arena, i + n))
				break;
		if (n)
			err = bw_frames_populate((char *)(to + at),
						 n * CHUNK_BYTES);
		if (n && !err)
			memcpy(to + at, arena->kwords + at, n * CHUNK_BYTES);
		i += n + 1;
	}
	return err;
}

static int arenas_copy(const struct bw_core *core, u64 *to, u32 nr)
{
	int err = 0;
	u32 i;

	for (i = 0; i < nr && !err; i++)
		if (core->arena[i])
			err = arena_copy(core->arena[i],
					 to + i * (size_t)BURROW_ARENA_PAGES);
	return err;
}

/* The gate is shut: nothing of the heap changes. */
static void prepare(struct bw_user *u)
{
	u32 nr = nr_to_copy(&u->core);
	u64 *copy;

	/*
	 * Who writes first gets a frame of his own: whoever populates writes.
	 * The gate does not hold those who only look (bw_heap_check()).
	 */
	bw_lock(&u->pages);
	bw_filled_forget_locked(u);
	bw_unlock(&u->pages);
	u->copied = nr;
	u->copy = NULL;
	if (!nr)
		return;
	copy = mmap(NULL, kwords_bytes(nr), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (copy == MAP_FAILED)
		return;
	if (arenas_copy(&u->core, copy, nr))
		munmap(copy, kwords_bytes(nr));
	else
		u->copy = copy;
}

static void parent(struct bw_user *u)
{
	if (u->copy)
		munmap(u->copy, kwords_bytes(u->copied));
	u->copy = NULL;
}

/* The copy comes to where K-words are written, new memory behind it. */
static int kwords_replace(struct bw_user *u)
{
	u32 nr_arenas = u->be.window.nr_arenas;
	size_t bytes = kwords_bytes(u->copied);
	u64 *rest = u->kwords + u->copied * (size_t)BURROW_ARENA_PAGES;

	if (u->copied && mremap(u->copy, bytes, bytes,
				MREMAP_MAYMOVE | MREMAP_FIXED,
				u->kwords) == MAP_FAILED)
		return -errno;
	u->copy = NULL;
	if (u->copied < nr_arenas &&
	    mmap(rest, kwords_bytes(nr_arenas - u->copied),
		 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS |
		 MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
		return -errno;
	bw_window_hide((char *)u->kwords, kwords_bytes(nr_arenas));
	return 0;
}

/* ... and to where they are read. Arenas side by side in one go. */
static int kmeta_replace(struct bw_user *u)
{
	u32 i = 0, n;
	int err = 0;

	while (i < u->copied && !err) {
		for (n = 0; i + n < u->copied && u->core.arena[i + n]; n++)
			;
		if (n)
			err = bw_user_kmeta_map(u, i, n);
		i += n + 1;
	}
	return err;
}

/* The parkers' threads are the parent's, and so are their slots. */
static void forget_threads(struct bw_user *u)
{
	/* it is private memory: it reads as zero */
	bw_frames_take((char *)u->slot, BW_USER_SLOT_BYTES);
	u->nr_slots = 0;
	u->slot_hint = 0;
}

static const char *child(struct bw_user *u)
{
	/* who holds one of them is not in this process */
	bw_user_locks_init(u);
	forget_threads(u);
	/* as the module counts for a child */
	u->nr_reclaimed = 0;
	if (u->copied && !u->copy)
		return "fork() found no memory to copy the span table: the "
		       "child has no heap";
	if (kwords_replace(u) || kmeta_replace(u))
		return "the child of fork() has no memory to map its span "
		       "table: it has no heap";
	return NULL;
}

const char *bw_user_fork(struct bw_backend *be, enum bw_fork_step step)
{
	struct bw_user *u = bw_to_user(be);

	if (step == BW_FORK_CHILD)
		return child(u);
	if (step == BW_FORK_PREPARE)
		prepare(u);
	else
		parent(u);
	return NULL;
}
