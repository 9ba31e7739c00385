// SPDX-License-Identifier: MIT
/* lru: a cache of so many; what was not used for longest makes room. */
#include <inttypes.h>
#include <stdio.h>

#include <burrow.h>

#define MOST	3

/* In a ring, by when it was last used: the head's @next was just now. */
struct item {
	struct item *next, *prev;
	uint64_t key;
	long value;
};

BW_TYPE(item, struct item, next, prev);

static const struct bw_map_type items = BW_MAP(BW_U64, BW_POINTER);
static struct bw_map *map;
static struct item head = { &head, &head, 0, 0 };

static void join(struct item *a, struct item *b)
{
	bw_set(&a->next, b);
	bw_set(&b->prev, a);
}

static struct item *lru_get(uint64_t key)
{
	struct item **at = bw_map_get_u64(map, key), *i = at ? *at : NULL;

	if (i) {
		join(i->prev, i->next);
		join(i, head.next);
		join(&head, i);
	}
	return i;
}

static int lru_put(uint64_t key, long value)
{
	struct item *i = lru_get(key), *last = head.prev;

	if (!i && bw_map_len(map) == MOST) {
		printf("%" PRIu64 " makes room\n", last->key);
		join(last->prev, &head);
		bw_map_del_u64(map, last->key);
	}
	if (!i) {
		i = bw_new(item);
		if (!i || bw_map_put(map, &key, &i))
			return -1;
		i->key = key;
		/* a ring of its own, until it is used */
		join(i, i);
		lru_get(key);
	}
	i->value = value;
	return 0;
}

static int start(void *arg)
{
	struct item *i;
	uint64_t k;

	map = bw_map_make(&items, MOST);
	for (k = 1; k <= MOST + 2; k++) {
		if (!map || lru_put(k, (long)(k * k)))
			return 1;
		lru_get(1);	/* 1 is used all the time */
	}
	for (k = 1; k <= MOST + 2; k++) {
		i = lru_get(k);
		printf("%" PRIu64 ": %ld\n", k, i ? i->value : -1);
	}
	return 0;
}

int main(void)
{
	bw_barriers_used();
	return bw_run(start, NULL);
}
