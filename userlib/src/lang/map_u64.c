// SPDX-License-Identifier: MIT
/*
 * map_u64: maps whose keys are words (map.h: the road), and most often their values,
 * too, or less (PAIRS).
 */
#include "map_find.h"

static inline void kind_check(const struct bw_map *m, const char *who)
{
	if (unlikely(m && m->kind != BW_KEY_U64))
		bw_map_die_kind(who);
}

static inline bool is_of_pairs(const struct bw_map *m)
{
	return likely(m && m->kind == BW_KEY_U64 &&
		      bw_map_state(m) & BW_MAP_PAIRS);
}

void *bw_map_get_u64_slow(const struct bw_map *m, uint64_t key)
{
	kind_check(m, "bw_map_get_u64");
	return bw_map_read(m, BW_KEY_U64, &key);
}

void *bw_map_at_u64(struct bw_map *m, uint64_t key, bool *fresh)
{
	if (is_of_pairs(m))
		return bw_map_value_at(m, BW_KEY_PAIR, &key, fresh,
				       "bw_map_at_u64");
	kind_check(m, "bw_map_at_u64");
	return bw_map_value_at(m, BW_KEY_U64, &key, fresh, "bw_map_at_u64");
}

bool bw_map_del_u64(struct bw_map *m, uint64_t key)
{
	if (is_of_pairs(m))
		return bw_map_remove(m, BW_KEY_PAIR, &key);
	kind_check(m, "bw_map_del_u64");
	return bw_map_remove(m, BW_KEY_U64, &key);
}
