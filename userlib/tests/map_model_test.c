// SPDX-License-Identifier: MIT
/*
 * Maps beside an array that says what should be in them: random puts, removals, clears
 * and looks, iterations with all of that in the middle; of all kinds of keys, and
 * while the collector runs.
 */
#include "map_rig.h"
#include "node_rig.h"
#include "note_rig.h"

#define KEYS	4000U			/* that there may be */
#define ROUNDS	(RIG_SLOW ? 2U : 12U)

/**
 * struct model - what should be in a map
 * @value:	of each key, or 0
 * @there:	when the iteration began, and ever since
 * @had:	it was yielded, and was not put since
 */
static struct model {
	u64 value[KEYS];
	bool there[KEYS];
	bool had[KEYS];
} model;

static u64 seed;
static size_t nr;

static void change(struct bw_map *m, const struct rig_map_kind *k, u32 keys)
{
	u64 r = rig_random(&seed), i = r / 256 % keys, value = r | 1;

	switch (r % 8) {
	case 0 ... 3:
		nr += !model.value[i];
		model.had[i] = model.had[i] && model.value[i];
		model.value[i] = value;
		rig_map_put(m, k, i, value);
		break;
	case 4 ... 5:
		EXPECT(rig_map_del(m, k, i) == !!model.value[i]);
		nr -= !!model.value[i];
		model.value[i] = 0;
		model.there[i] = false;
		break;
	default:
		break;
	}
	if (r % 8 >= 4) {
		u64 *got = rig_map_get(m, k, i);

		EXPECT(got ? *got == model.value[i] : !model.value[i]);
	}
}

static void compare(const struct bw_map *m, const struct rig_map_kind *k,
		    u32 keys)
{
	int bad = bw_map_check(m);
	u64 i, *got;

	if (!EXPECT(!bad))
		printf("# map of %s: invariant T%d\n", k->name, bad);
	EXPECT(bw_map_len(m) == nr);
	for (i = 0; i < keys; i++) {
		got = rig_map_get(m, k, i);
		if (!EXPECT(got ? *got == model.value[i] : !model.value[i]))
			return;
	}
}

/* Which key it is. */
static u64 number_of(const struct rig_map_kind *k, const void *key)
{
	const struct bw_string *s = key;
	char text[RIG_MAP_KEY];
	u64 i = 0;

	if (k->type.key.kind == BW_KEY_STRING) {
		snprintf(text, sizeof(text), "%.*s", (int)s->len, s->ptr);
		return strtoull(text, NULL, 16);
	}
	memcpy(&i, key, k->key == rig_key_bytes ? 5 : 8);
	return i;
}

/* @changes: how many for each entry; some iterations are left in the middle. */
static void iterate(struct bw_map *m, const struct rig_map_kind *k, u32 keys,
		    u32 changes)
{
	struct bw_map_iter it;
	u32 i, nr_seen = 0, end = rig_random(&seed) % 4 ? ~0U : nr / 2;

	for (i = 0; i < keys; i++) {
		model.there[i] = model.value[i];
		model.had[i] = false;
	}
	bw_map_each(it, m) {
		u64 at = number_of(k, it.key);

		if (!EXPECT(at < keys && !model.had[at] && model.value[at] &&
			    *(u64 *)it.value == model.value[at])) {
			printf("# map of %s, %u keys: key %llu, had %d\n",
			       k->name, keys, (unsigned long long)at,
			       at < keys && model.had[at]);
			return;
		}
		model.had[at] = true;
		if (nr_seen++ == end)
			return;
		for (i = 0; i < changes; i++)
			change(m, k, keys);
		if (changes && nr_seen % 512 == 511) {
			bw_map_clear(m);
			memset(&model, 0, sizeof(model));
			nr = 0;
		}
	}
	for (i = 0; i < keys; i++)
		if (!EXPECT(!model.there[i] || model.had[i]))
			printf("# map of %s: key %u was missed\n", k->name, i);
}

static void one_kind(const struct rig_map_kind *k, u32 keys)
{
	struct bw_map *m = bw_map_make(&k->type, 0);
	u32 i, j;

	memset(&model, 0, sizeof(model));
	nr = 0;
	for (i = 0; i < ROUNDS; i++) {
		iterate(m, k, keys, 0);
		iterate(m, k, keys, 1 + i % 8);
		compare(m, k, keys);
		for (j = 0; j < keys; j++)
			change(m, k, keys);
		compare(m, k, keys);
	}
	/* down to nothing, and up again */
	for (i = 0; i < keys; i++)
		rig_map_del(m, k, i);
	memset(&model, 0, sizeof(model));
	nr = 0;
	compare(m, k, keys);
	iterate(m, k, keys, 8);
	compare(m, k, keys);
}

static void a_map_does_what_a_naive_one_does(void)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(rig_map_kinds); i++) {
		one_kind(&rig_map_kinds[i], 12);
		one_kind(&rig_map_kinds[i], 300);
		if (i < RIG_MAP_GOOD)
			one_kind(&rig_map_kinds[i], KEYS);
	}
}

/* Nodes that only the map has: keys and values may be pointers. */
struct wide {
	u64 tag;
	struct node *a;
	u64 more[3];
	struct node *b;
};

BW_TYPE(wide, struct wide, a, b);

/* Longer than a type's bits reach. */
struct huge {
	struct node *a;
	u64 fill[600];
};

BW_TYPE(huge, struct huge, a);

static const struct bw_map_type wides = BW_MAP(BW_U64, BW_OF(wide));
static const struct bw_map_type by_node = BW_MAP(BW_POINTER, BW_U64);
static const struct bw_map_type texts = BW_MAP(BW_STRING, BW_POINTER);
static const struct bw_map_type pointers = BW_MAP(BW_U64, BW_POINTER);
static const struct bw_map_type huges = BW_MAP(BW_U64, BW_OF(huge));
/* One table, however many there are. */
static const struct bw_map_type one_table =
	BW_MAP_OWN(BW_U64, BW_OF(huge), rig_hash_worst, rig_equal_word);

#define ALIVE	(RIG_SLOW ? 150U : 2000U)

static void wide_put(struct bw_map *m, u64 i)
{
	struct wide *w = bw_map_at_u64(m, i, NULL);

	w->tag = i;
	bw_set(&w->a, node_new(i));
	/* the collector may run, and nothing else */
	w = bw_map_get_u64(m, i);
	bw_set(&w->b, node_new(i + 1));
}

static bool wide_good(const struct bw_map *m, u64 i)
{
	const struct wide *w = bw_map_get_u64(m, i);

	return w && w->tag == i && node_is_good(w->a, i) && node_is_good(w->b, i + 1);
}

static void text_put(struct bw_map *m, u64 i)
{
	char key[RIG_MAP_KEY] __aligned(16);
	struct node *n;

	rig_key_kept(&rig_map_kinds[1], key, i);
	n = node_new(i);
	EXPECT(!bw_map_put(m, key, &n));
}

static bool text_good(const struct bw_map *m, u64 i)
{
	char key[RIG_MAP_KEY] __aligned(16);
	struct node **n;

	rig_key_string(key, i);
	n = bw_map_get(m, key);
	return n && node_is_good(*n, i);
}

static void by_node_put(struct bw_map *m, u64 i)
{
	struct node *n = node_new(i);

	EXPECT(!bw_map_put(m, &n, &i));
}

static void huge_put(struct bw_map *m, u64 i)
{
	struct huge *h = bw_map_at_u64(m, i % 50, NULL);

	bw_set(&h->a, node_new(i % 50));
	h->fill[599] = i;
}

static void one_table_put(struct bw_map *m, u64 i)
{
	u64 key = i % 100;
	struct huge *h = bw_map_at(m, &key, NULL);

	bw_set(&h->a, node_new(key));
	h->fill[599] = i;
}

#define MOVED	(RIG_SLOW ? 500U : 20000U)
#define PASSES	(RIG_SLOW ? 4U : 20U)

/*
 * From one map to another and back: but for a moment on a stack only maps have them, of
 * which marking may have been through the one and not the other.
 */
static void nodes_move(struct bw_map *from, struct bw_map *to)
{
	struct node *n;
	u64 k;

	for (k = 0; k < MOVED; k++) {
		n = *(struct node **)bw_map_get_u64(from, k);
		EXPECT(node_is_good(n, k));
		EXPECT(bw_map_del_u64(from, k));
		EXPECT(!bw_map_put(to, &k, &n));
		/* what makes collections come */
		if (k % 64 == 0)
			bw_alloc(20000);
	}
}

static int run_moves(void *arg)
{
	struct bw_map *m[] = { bw_map_make(&pointers, 0),
			       bw_map_make(&pointers, 0) };
	struct node *n;
	u64 i;

	for (i = 0; i < MOVED; i++) {
		n = node_new(i);
		EXPECT(!bw_map_put(m[0], &i, &n));
	}
	for (i = 0; i < PASSES; i++)
		nodes_move(m[i % 2], m[!(i % 2)]);
	EXPECT(bw_map_len(m[PASSES % 2]) == MOVED);
	return 0;
}

static void all_good(struct bw_map *const *m, u64 i)
{
	struct bw_map_iter it;
	u64 first = i < ALIVE ? 0 : i - ALIVE + 1, k;

	for (k = first; k <= i; k++)
		EXPECT(wide_good(m[0], k) && text_good(m[1], k));
	bw_map_each(it, m[2])
		EXPECT(node_is_good(*(struct node *const *)it.key,
				    *(u64 *)it.value));
	for (k = 3; k < 5; k++)
		bw_map_each(it, m[k])
			EXPECT(node_is_good(((struct huge *)it.value)->a,
					    *(const u64 *)it.key));
}

static void old_ones_go(struct bw_map *const *m, u64 i)
{
	char key[RIG_MAP_KEY] __aligned(16);
	struct bw_map_iter it;

	if (i < ALIVE)
		return;
	EXPECT(bw_map_del_u64(m[0], i - ALIVE));
	rig_key_string(key, i - ALIVE);
	EXPECT(bw_map_del(m[1], key));
	if (i % ALIVE)
		return;
	bw_map_each(it, m[2])
		EXPECT(bw_map_del(m[2], it.key));
	EXPECT(!bw_map_len(m[2]));
}

static int run_nodes(void *arg)
{
	struct bw_map *m[] = {
		bw_map_make(&wides, 0), bw_map_make(&texts, 0),
		bw_map_make(&by_node, 0), bw_map_make(&huges, 0),
		bw_map_make(&one_table, 0),
	};
	u64 i;

	for (i = 0; i < 3 * ALIVE; i++) {
		wide_put(m[0], i);
		text_put(m[1], i);
		by_node_put(m[2], i);
		huge_put(m[3], i);
		one_table_put(m[4], i);
		old_ones_go(m, i);
		if (i % (ALIVE / 2) == ALIVE / 4)
			all_good(m, i);
	}
	for (i = 0; i < 5; i++)
		EXPECT(!bw_map_check(m[i]));
	return 0;
}

static int run_both(void *arg)
{
	return run_nodes(arg) || run_moves(arg);
}

static void nodes_child(void *arg)
{
	const char *const *options = arg;

	setenv("BURROW", options[0], 1);
	if (options[1])
		bw_barriers_used();
	EXPECT(!bw_run(run_both, NULL));
	exit(tap_bad_here != 0);
}

static void what_a_map_has_is_found_by_the_collector(void)
{
	static const char *const options[][2] = {
		{ "gcevery=20,gccheckmark=1,clobberfree=1", NULL },
		{ "gcevery=20,gccheckmark=1,clobberfree=1,gcverify=1", "hybrid" },
		{ "gcevery=3,clobberfree=1", "hybrid" },
	};
	char said[2000];
	u32 i;

	for (i = 0; i < ARRAY_SIZE(options); i++)
		if (!EXPECT(!rig_child(nodes_child, (void *)options[i], said,
				       sizeof(said))))
			printf("# row %u: %s\n", i, said);
}

/* What is put, replaced, removed and cleared; and what a map that grows leaves. */
static int run_notes(void *arg)
{
	struct bw_map *m = bw_map_make(&by_node, 0), *p = bw_map_make(&pointers, 0);
	struct node *a = node_new(1), *b = node_new(2);
	struct bw_map_table *was;
	u64 i;

	is_noted(NULL);
	i = 1;
	EXPECT(!bw_map_put(m, &a, &i) && is_noted(a));
	EXPECT(bw_map_del(m, &a) && is_noted(a));
	EXPECT(!bw_map_put(m, &a, &i) && is_noted(a));
	bw_map_clear(m);
	EXPECT(is_noted(a));
	EXPECT(!bw_map_put(p, &i, &a) && is_noted(a));
	EXPECT(!bw_map_put(p, &i, &b) && are_noted(a, b));
	was = p->only;
	for (i = 2; p->only == was; i++)
		EXPECT(!bw_map_put(p, &i, &a));
	EXPECT(are_noted(was, p->only));
	EXPECT(bw_map_del_u64(p, 1) && is_noted(b));
	for (; !p->depth; i++) {
		was = p->only;
		is_noted(NULL);
		EXPECT(!bw_map_put(p, &i, &a));
	}
	EXPECT(has_noted(bw_mcache_attach(), p->dir[1]));
	EXPECT(are_noted(was, p->dir));
	return 0;
}

static void each_pointer_that_a_map_stores_is_noted_while_marking(void)
{
	while_marking(run_notes);
}

static const struct bw_map_type shared_type = BW_MAP(BW_U64, BW_U64);
static struct bw_map *shared_map;

static void reader(void *arg)
{
	struct bw_map_iter it;
	u64 i, *got, sum = 0;

	for (i = 0; i < 2000; i++) {
		got = bw_map_get_u64(shared_map, i);
		EXPECT(i < 1000 ? got && *got == i * 3 : !got);
	}
	bw_map_each(it, shared_map)
		sum += *(u64 *)it.value;
	EXPECT(sum == 3 * 1000 * 999 / 2);
	bw_waitgroup_done(arg);
}

static int run_readers(void *arg)
{
	static struct bw_waitgroup all;
	u32 i;

	shared_map = bw_map_make(&shared_type, 0);
	for (i = 0; i < 1000; i++)
		*(u64 *)bw_map_at_u64(shared_map, i, NULL) = i * 3;
	bw_waitgroup_add(&all, 20);
	for (i = 0; i < 20; i++)
		bw_go(reader, &all);
	bw_waitgroup_wait(&all);
	return 0;
}

static void any_number_of_gs_reads_and_iterates(void)
{
	EXPECT(!bw_run(run_readers, NULL));
}

int main(void)
{
	setenv("BURROW_PROCS", "2", 0);
	seed = tap_seed(20261121);
	/* in children, so before this process has a run */
	TEST(what_a_map_has_is_found_by_the_collector);
	TEST(each_pointer_that_a_map_stores_is_noted_while_marking);
	/* before a collection that began without a run may go on into one */
	TEST(any_number_of_gs_reads_and_iterates);
	TEST(a_map_does_what_a_naive_one_does);
	return tap_end();
}
