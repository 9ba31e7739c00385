/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * scene: a small window with a page heap in it, to play rows of a table in.
 *
 *	pagemap_test.c ...	KUnit, in the kernel
 *	rows_test.c		selftests/core, in a process
 *	  rows_*.h		the tables, and how one row is played
 *	    scene.h		<- here
 *
 * Nothing here asserts: playing a row gives a verdict, and the memory of the
 * scene is given back whatever the verdict is.
 */
#ifndef BW_TESTS_SCENE_H
#define BW_TESTS_SCENE_H

#include "../core/coreheap.h"

#ifdef __KERNEL__
#include <linux/mm.h>
#include <linux/slab.h>
#define scene_zalloc(bytes)	kvzalloc((bytes), GFP_KERNEL)
#define scene_release(p)	kvfree(p)
#else
#include <stdlib.h>
#define scene_zalloc(bytes)	calloc(1, (bytes))
#define scene_release(p)	free(p)
#endif

#define ARENA		BURROW_ARENA_PAGES
#define AT(arena, page)	((arena) * ARENA + (page))

/* Room for a row's name where a harness wants it in a buffer. */
#define ROW_NAME_SIZE	100

struct scene {
	struct bw_core core;
	void *table;
};

/* What became of a row: @why is NULL when all is well. */
struct verdict {
	const char *why;
	int step;		/* of the row's script, from 1 */
	s64 got;
	s64 want;
};

#define VERDICT_OK		((struct verdict){ NULL, 0, 0, 0 })
#define VERDICT(why, got, want)	((struct verdict){ (why), 0, (got), (want) })

static inline bool scene_make(struct scene *sc, u32 nr_arenas)
{
	sc->table = scene_zalloc(bw_core_bytes(nr_arenas));
	if (!sc->table)
		return false;
	bw_core_init(&sc->core, sc->table, nr_arenas);
	return true;
}

/* Zeroed memory for an arena and its words, or false and nothing. */
static inline bool scene_arena(struct bw_core_arena **arena, u64 **kwords)
{
	*arena = scene_zalloc(sizeof(**arena));
	*kwords = scene_zalloc(BURROW_KMETA_SIZE);
	if (*arena && *kwords)
		return true;
	scene_release(*arena);
	scene_release(*kwords);
	return false;
}

static inline bool scene_map_of(struct scene *sc, u32 index, u32 kind)
{
	struct bw_core_arena *arena;
	u64 *kwords;

	if (!scene_arena(&arena, &kwords))
		return false;
	arena->kind = kind;
	bw_core_arena_add(&sc->core, index, arena, kwords);
	return true;
}

static inline bool scene_map(struct scene *sc, u32 index)
{
	return scene_map_of(sc, index, BURROW_ARENA_HEAP);
}

static inline void scene_unmap(struct scene *sc, u32 index)
{
	struct bw_core_arena *arena = sc->core.arena[index];

	bw_core_arena_del(&sc->core, index);
	scene_release(arena->kwords);
	scene_release(arena);
}

/* Frees the memory without a word to the core: it may be broken by now. */
static inline void scene_free(struct scene *sc)
{
	u32 i;

	for (i = 0; i < sc->core.nr_arenas; i++) {
		struct bw_core_arena *arena = sc->core.arena[i];

		if (arena) {
			scene_release(arena->kwords);
			scene_release(arena);
		}
	}
	scene_release(sc->table);
}

/* A heap like @from's in memory of its own. False: there is nothing. */
static inline bool scene_clone(struct scene *sc, const struct scene *from)
{
	const struct bw_core *core = &from->core;
	struct bw_core_arena *arena;
	u64 *kwords;
	u32 i;

	if (!scene_make(sc, core->nr_arenas))
		return false;
	for (i = 0; i < core->nr_arenas; i++) {
		if (!core->arena[i])
			continue;
		if (!scene_arena(&arena, &kwords)) {
			scene_free(sc);
			return false;
		}
		bw_core_arena_clone(&sc->core, i, core->arena[i], arena,
				    kwords);
	}
	bw_core_clone_end(&sc->core, core);
	return true;
}

#endif
