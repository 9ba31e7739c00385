/* SPDX-License-Identifier: MIT */
/*
 * gc_peers's peer is burrow. BURROW_BENCH_HYBRID=1: it marks while the program
 * runs.
 */
#include "burrow.h"

BW_TYPE(tree, struct tree, left, right);
BW_TYPE(node, struct node, left, right);

#define NEW_TREE()		bw_new(tree)
#define NEW_NODE()		bw_new(node)
#define NEW_NUMBERS(n)		((double *)bw_alloc_noscan((n) * sizeof(double)))
#define NEW_POINTERS(n)		((struct node **)bw_alloc((size_t)(n) * 8))
#define SET(slot, value)	bw_set(slot, value)
#define COLLECT()		bw_gc()

static const struct bw_map_type bench_map = BW_MAP(BW_U64, BW_POINTER);

static inline struct node *bench_map_get(struct bw_map *map, uint64_t key)
{
	struct node **at = bw_map_get_u64(map, key);

	return at ? *at : NULL;
}

#define MAP			struct bw_map *
#define MAP_MAKE()		bw_map_make(&bench_map, 0)
#define MAP_GET(map, key)	bench_map_get(map, key)
#define MAP_PUT(map, key, e)	((void)bw_map_put(map, &(key), &(e)))
#define MAP_DEL(map, key)	bw_map_del_u64(map, key)
#define MAP_LEN(map)		((long)bw_map_len(map))

static int peer_run(int (*fn)(void *), void *arg)
{
	if (getenv("BURROW_BENCH_HYBRID"))
		bw_barriers_used();
	return bw_run(fn, arg);
}

#define PEER_RUN(fn, arg)	peer_run(fn, arg)
