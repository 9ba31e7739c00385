// SPDX-License-Identifier: MIT
/* map_string: maps whose keys are strings (map.h: the road). */
#include "map_find.h"

static inline void kind_check(const struct bw_map *m, const char *who)
{
	if (unlikely(m && m->kind != BW_KEY_STRING))
		bw_map_die_kind(who);
}

void *bw_map_get_string(const struct bw_map *m, struct bw_string key)
{
	kind_check(m, "bw_map_get_string");
	return bw_map_read(m, BW_KEY_STRING, &key);
}

void *bw_map_at_string(struct bw_map *m, struct bw_string key, bool *fresh)
{
	kind_check(m, "bw_map_at_string");
	return bw_map_value_at(m, BW_KEY_STRING, &key, fresh, "bw_map_at_string");
}

bool bw_map_del_string(struct bw_map *m, struct bw_string key)
{
	kind_check(m, "bw_map_del_string");
	return bw_map_remove(m, BW_KEY_STRING, &key);
}
