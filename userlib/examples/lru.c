// SPDX-License-Identifier: MIT
/*
 * lru: a cache of so many; what was not used for longest makes room.
 *
 *	lru [HOW-MANY]
 */
#include <stdio.h>
#include <stdlib.h>

#include <burrow.h>

/* In a ring, by when it was last used: the head's @next was just now. */
struct item {
	struct item *next;
	struct item *prev;
	uint64_t key;
	long value;
};

BW_TYPE(item, struct item, next, prev);

static const struct bw_map_type items = BW_MAP(BW_U64, BW_POINTER);

static struct bw_map *map;
static struct item *head;
static size_t most = 3;

static void take_out(struct item *i)
{
	bw_set(&i->prev->next, i->next);
	bw_set(&i->next->prev, i->prev);
}

static void put_first(struct item *i)
{
	bw_set(&i->next, head->next);
	bw_set(&i->prev, head);
	bw_set(&head->next->prev, i);
	bw_set(&head->next, i);
}

static struct item *lru_get(uint64_t key)
{
	struct item **at = bw_map_get_u64(map, key);

	if (!at)
		return NULL;
	take_out(*at);
	put_first(*at);
	return *at;
}

static int lru_put(uint64_t key, long value)
{
	struct item *i = lru_get(key), **at;

	if (!i) {
		i = bw_new(item);
		at = i ? bw_map_at_u64(map, key, NULL) : NULL;
		if (!at)
			return -1;
		bw_set(at, i);
		i->key = key;
		put_first(i);
	}
	i->value = value;
	if (bw_map_len(map) > most) {
		i = head->prev;
		printf("%llu makes room\n", (unsigned long long)i->key);
		take_out(i);
		bw_map_del_u64(map, i->key);
	}
	return 0;
}

static int start(void *arg)
{
	uint64_t k;

	map = bw_map_make(&items, most);
	head = bw_new(item);
	if (!map || !head)
		return 1;
	bw_set(&head->next, head);
	bw_set(&head->prev, head);
	for (k = 1; k <= most + 2; k++) {
		if (lru_put(k, (long)(k * k)))
			return 1;
		/* 1 is used all the time */
		lru_get(1);
	}
	for (k = 1; k <= most + 2; k++)
		printf("%llu: %ld\n", (unsigned long long)k,
		       lru_get(k) ? lru_get(k)->value : -1);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 1)
		most = (size_t)atol(argv[1]);
	if (!most)
		return 2;
	bw_barriers_used();
	return bw_run(start, NULL);
}
