// SPDX-License-Identifier: MIT
/* Marking and sweeping by hand: one thread, roots in an array. */
#include "alloc_rig.h"
#include "burrow.h"
#include "gc/mark.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOW	1
#else
#define SLOW	0
#endif

struct node {
	struct node *next;
	u64 number;		/* never a pointer, whatever it looks like */
	struct node *other;
	u64 id;
};

BW_TYPE(node, struct node, next, other);

struct row {
	u64 id;
	void *cell[];
};

BW_TYPE_TAIL(row, struct row, cell, id);

static struct bw_workpool pool;
static void *root[64];

static void drain(struct bw_marker *m)
{
	bw_mark_drain(m, UINT64_MAX / 2);
	bw_mark_overflow(m);
}

/* Everything that @root reaches; how many objects that is. */
static u64 mark(void)
{
	struct bw_mheap *h = bw_mheap();
	struct bw_marker m;
	u64 n;

	while (bw_sweep_some(h, 1000))
		;
	bw_mcache_flush(bw_mcache_attach());
	if (!EXPECT(bw_marker_init(&m, h, &pool, false)))
		return 0;
	bw_mark_roots(&m, root, root + ARRAY_SIZE(root));
	drain(&m);
	n = m.objects;
	bw_marker_fini(&m);
	return n;
}

static void sweep(void)
{
	struct bw_mheap *h = bw_mheap();
	int bad;

	bw_mcache_flush(bw_mcache_attach());
	bw_sweep_begin(h);
	while (bw_sweep_some(h, 7))
		;
	bw_sweep_limbo(h);
	bad = bw_mheap_check(h);
	if (!EXPECT(!bad))
		printf("# invariant %d\n", bad);
}

static u64 objects(void)
{
	struct bw_memstats st;

	bw_mcache_flush(bw_mcache_attach());
	EXPECT(!bw_memstats(&st));
	return st.nr_objects;
}

static void begin(void)
{
	memset(root, 0, sizeof(root));
	mark();
	sweep();
	EXPECT(objects() == 0);
}

static bool is_there(const void *p)
{
	struct bw_mspan *s;

	return bw_mark_find(bw_mheap(), (u64)(uintptr_t)p, &s) == p;
}

#define NODES	20000

/* Each has two edges; what is in @number points anywhere. */
static void a_random_graph_keeps_what_is_reached_and_nothing_else(void)
{
	static struct node *node[NODES];
	static bool seen[NODES];
	static u32 todo[NODES];
	u64 seed = 1;
	u32 i, n, at, round;

	for (round = 0; round < 8; round++) {
		begin();
		for (i = 0; i < NODES; i++) {
			node[i] = round % 2 ? bw_new(node) :
				  bw_new_plain(struct node);
			node[i]->id = i;
		}
		for (i = 0; i < NODES; i++) {
			u64 r = rig_random(&seed);

			node[i]->next = r % 3 ? node[r / 4 % NODES] : NULL;
			node[i]->other = r % 5 ? NULL :
					 node[rig_random(&seed) % NODES];
			if (round % 2)
				node[i]->number = (uintptr_t)node[r / 8 % NODES];
		}
		memset(seen, 0, sizeof(seen));
		for (i = 0, n = 0; i < 4; i++) {
			at = rig_random(&seed) % NODES;
			root[i] = (char *)node[at] + rig_random(&seed) % 32;
			if (!seen[at])
				todo[n++] = at;
			seen[at] = true;
		}
		for (i = 0; i < n; i++) {
			struct node *two[] = { node[todo[i]]->next,
					       node[todo[i]]->other };
			u32 k;

			for (k = 0; k < 2; k++) {
				if (!two[k] || seen[two[k]->id])
					continue;
				seen[two[k]->id] = true;
				todo[n++] = (u32)two[k]->id;
			}
		}
		EXPECT(mark() == n);
		sweep();
		EXPECT(objects() == n);
		for (i = 0; i < NODES; i++)
			EXPECT(is_there(node[i]) == seen[i] &&
			       (!seen[i] || node[i]->id == i));
	}
}

static void objects_of_all_sizes_live_and_die(void)
{
	static struct row *row[400];
	u64 seed = 2, bytes = 0;
	u32 i, k;

	begin();
	for (i = 0; i < ARRAY_SIZE(row); i++) {
		size_t cells = i * i / 4;

		row[i] = i % 2 ? bw_new_tail(row, cells) :
				 bw_alloc(8 + 8 * cells);
		row[i]->id = i;
		bytes += cells * 8;
	}
	/* every third one, through a random cell of the one before */
	root[0] = row[0];
	for (i = 3; i < ARRAY_SIZE(row); i += 3) {
		size_t cells = (i - 3) * (i - 3) / 4;

		if (!cells)
			root[1] = row[i];
		else
			row[i - 3]->cell[rig_random(&seed) % cells] = row[i];
	}
	mark();
	sweep();
	for (i = 0, k = 0; i < ARRAY_SIZE(row); i++) {
		EXPECT(is_there(row[i]) == (i % 3 == 0));
		k += i % 3 == 0;
	}
	EXPECT(objects() == k && bytes > 5000000);
}

static void a_pointer_into_an_object_keeps_it(void)
{
	char *small = bw_alloc(48), *large = bw_alloc(300000);
	struct node *n = bw_new(node);

	begin();
	small = bw_alloc(48);
	large = bw_alloc(300000);
	n = bw_new(node);
	root[0] = n;
	n->next = (struct node *)(void *)(small + 47);
	n->other = (struct node *)(void *)(large + 299999);
	mark();
	sweep();
	EXPECT(objects() == 3 && is_there(small) && is_there(large));
}

static void a_pointer_to_the_end_keeps_it_from_a_root_and_not_from_the_heap(void)
{
	struct node *n;
	char *p[2], *q[2];
	u32 i;

	begin();
	for (i = 0; i < 2; i++) {
		p[i] = bw_alloc(48);
		q[i] = bw_alloc(100 << 13);
	}
	n = bw_new(node);
	root[0] = n;
	root[1] = p[0] + 48;
	root[2] = q[0] + (100 << 13);
	n->next = (struct node *)(void *)(p[1] + 48);
	n->other = (struct node *)(void *)(q[1] + (100 << 13));
	mark();
	sweep();
	EXPECT(is_there(p[0]) && is_there(q[0]));
	/* they may lie one behind the other: then p[1] + 48 is another object */
	EXPECT(!is_there(p[1]) || p[0] == p[1] + 48 || p[1] == p[0] + 48);
	EXPECT(!is_there(q[1]) || q[0] == q[1] + (100 << 13) ||
	       q[1] == q[0] + (100 << 13));
}

static void what_has_no_pointers_is_not_looked_into(void)
{
	void **p;
	char *q;

	begin();
	p = bw_alloc_noscan(64);
	q = bw_alloc(64);
	root[0] = p;
	p[3] = q;
	EXPECT(mark() == 1);
	sweep();
	EXPECT(is_there(p) && !is_there(q));
}

static void tiny_objects_live_as_long_as_any_in_their_block(void)
{
	char *p[100];
	u32 i;

	begin();
	for (i = 0; i < 100; i++) {
		p[i] = bw_alloc_noscan(4);
		memset(p[i], 7, 4);
	}
	/* not to their start, which is the end of the block before */
	for (i = 0; i < 10; i++)
		root[i] = p[i * 10] + 1;
	mark();
	sweep();
	EXPECT(objects() == 10);
	for (i = 0; i < 10; i++)
		EXPECT(rig_is_filled((u8 *)p[i * 10], 4, 7));
}

static void what_was_freed_is_not_marked_from_a_root(void)
{
	void *p, *q;

	begin();
	p = bw_alloc(64);
	q = bw_alloc(64);
	root[0] = p;
	root[1] = q;
	bw_free(p);
	EXPECT(mark() == 1);
	sweep();
	EXPECT(objects() == 1);
}

static void a_list_of_ten_million_needs_no_recursion(void)
{
	u32 i, n = SLOW ? 300000 : 10000000;
	struct node *at = NULL, *p;

	begin();
	for (i = 0; i < n; i++) {
		p = bw_new(node);
		p->next = at;
		p->id = i;
		at = p;
	}
	root[0] = at;
	EXPECT(mark() == n);
	EXPECT(pool.nr_made <= 64);
	sweep();
	EXPECT(objects() == n);
	for (i = n; at; at = at->next)
		EXPECT(at->id == --i);
	EXPECT(i == 0);
}

static void a_huge_array_is_looked_into_part_by_part(void)
{
	u32 n = SLOW ? 200000 : 3000000, i;
	void **all;

	begin();
	all = bw_alloc(n * sizeof(*all));
	for (i = 0; i < n; i++)
		all[i] = bw_alloc_noscan(16);
	root[0] = all + n / 2;
	EXPECT(mark() == n + 1);
	/* a part's words, and not the array's */
	EXPECT(pool.nr_made <= 128);
	sweep();
	EXPECT(objects() == n + 1);
}

/* A tree, wide enough that words are lost. */
static struct row *tree(u32 depth)
{
	struct row *r = bw_new_tail(row, 64);
	u32 i;

	r->id = depth;
	for (i = 0; depth && i < 40; i++)
		r->cell[i] = tree(depth - 1);
	return r;
}

static void without_memory_for_buffers_all_is_found_the_long_way(void)
{
	struct bw_workpool most = pool;
	u64 n = 1 + 40 + 40 * 40;
	u32 big = 400000, i;
	void **all;

	begin();
	root[0] = tree(2);
	all = bw_alloc(big * sizeof(*all));
	for (i = 0; i < big; i += 10)
		all[i] = bw_alloc(16);
	root[1] = all;
	n += 1 + big / 10;
	bw_work_init(&pool, 1);
	EXPECT(mark() == n);
	/* a part of the array alone has three buffers full */
	EXPECT(pool.nr_made == 1);
	bw_work_fini(&pool);
	pool = most;
	sweep();
	EXPECT(objects() == n);
}

struct pair {
	void *to;
	void *not;		/* not a pointer, whatever it looks like */
};

BW_TYPE(pair, struct pair, to);

#define CHAIN	1000U

/* Each object's last pointer goes into the next one, and a word to another. */
static struct pair *chain(u32 nr)
{
	struct pair *first = bw_new_array(pair, nr), *at = first;
	u32 i;

	for (i = 1; i < CHAIN; i++) {
		struct pair *next = bw_new_array(pair, nr);

		at[nr - 1].to = &next[i % nr].not;
		at[nr - 1].not = bw_new_array(pair, nr);
		at = next;
	}
	return first;
}

static void pointers_are_found_wherever_a_slot_lies(void)
{
	u32 nr;

	for (nr = 1; nr <= 40; nr++) {
		begin();
		root[0] = chain(nr);
		EXPECT(mark() == CHAIN);
		sweep();
		EXPECT(objects() == CHAIN);
	}
}

struct gang {
	u32 nr_in;
	u64 objects;
};

static void *gang_main(void *arg)
{
	struct gang *g = arg;
	struct bw_marker m;

	if (!EXPECT(bw_marker_init(&m, bw_mheap(), &pool, true)))
		return NULL;
	if (!fetch_add_relaxed(&g->nr_in, 1))
		bw_mark_roots(&m, root, root + ARRAY_SIZE(root));
	bw_mark_drain_all(&m);
	fetch_add_relaxed(&g->objects, m.objects);
	bw_marker_fini(&m);
	return NULL;
}

static void several_markers_share_the_work_and_mark_each_object_once(void)
{
	u64 n = 1 + 40 + 40 * 40 + (SLOW ? 0 : 40 * 40 * 40);
	pthread_t t[4];
	u32 i, round;

	for (round = 0; round < 5; round++) {
		struct gang g = { 0 };

		begin();
		root[0] = tree(SLOW ? 2 : 3);
		bw_mcache_flush(bw_mcache_attach());
		bw_work_begin(&pool);
		for (i = 0; i < 4; i++)
			bw_work_enter(&pool);
		for (i = 0; i < 4; i++)
			EXPECT(!pthread_create(&t[i], NULL, gang_main, &g));
		for (i = 0; i < 4; i++)
			pthread_join(t[i], NULL);
		EXPECT(g.objects == n);
		EXPECT(!pool.full && !pool.nr_out);
		sweep();
		EXPECT(objects() == n);
	}
}

static struct node *tree_make(u32 depth)
{
	struct node *n = bw_new(node);

	if (depth) {
		n->next = tree_make(depth - 1);
		n->other = tree_make(depth - 1);
	}
	return n;
}

/* Depth first there is a word for each level, and half of the tree behind one. */
static void who_goes_depth_first_has_some_for_who_has_none(void)
{
	struct bw_marker m;

	begin();
	root[0] = tree_make(15);
	bw_mcache_flush(bw_mcache_attach());
	if (!EXPECT(bw_marker_init(&m, bw_mheap(), &pool, true)))
		return;
	m.fixed = true;
	bw_mark_roots(&m, root, root + ARRAY_SIZE(root));
	WRITE_ONCE(pool.hungry, 1);
	drain(&m);
	EXPECT(!pool.hungry);
	EXPECT(m.objects == (2 << 15) - 1);
	bw_marker_fini(&m);
	sweep();
	EXPECT(objects() == (2 << 15) - 1);
}

/* As a cycle does, but nobody else is there. */
static void marking_begins(void)
{
	struct bw_mheap *h = bw_mheap();

	while (bw_sweep_some(h, 1000))
		;
	h->gc.marking = 1;
	bw_sweep_blacken(h);
}

static void marking_ends(void)
{
	bw_mheap()->gc.marking = 0;
	mark();
	sweep();
}

static void what_is_made_while_marking_stays_and_only_that(void)
{
	void *before[100], *during[3000], *large;
	u32 i;

	begin();
	for (i = 0; i < 100; i++)
		before[i] = bw_alloc(16 + i);
	marking_begins();
	for (i = 0; i < 3000; i++)
		during[i] = bw_alloc(16 + i % 600);
	large = bw_alloc(100000);
	marking_ends();
	for (i = 0; i < 100; i++)
		EXPECT(!is_there(before[i]));
	for (i = 0; i < 3000; i++)
		EXPECT(is_there(during[i]));
	EXPECT(is_there(large));
	/* a slot that was black and not used is no object */
	EXPECT(objects() == 3001);
	begin();
}

static void what_is_freed_and_taken_again_while_marking_stays(void)
{
	void *white[1000], *black[1000], *p;
	u32 i;

	begin();
	for (i = 0; i < 1000; i++)
		white[i] = bw_alloc(64);
	marking_begins();
	for (i = 0; i < 1000; i += 3)
		bw_free(white[i]);
	for (i = 0; i < 1000; i++)
		black[i] = bw_alloc(64);
	/* through hot, and through the window */
	p = bw_alloc(64);
	bw_free(black[0]);
	bw_free(p);
	p = bw_alloc(64);
	black[0] = bw_alloc(64);
	marking_ends();
	for (i = 0; i < 1000; i++)
		EXPECT(is_there(black[i]));
	EXPECT(is_there(p));
	EXPECT(objects() == 1001);
}

static void a_span_that_ends_while_marking_keeps_its_memory_until_then(void)
{
	struct bw_mheap *h = bw_mheap();
	struct bw_mspan *s;
	char *large;

	begin();
	large = bw_alloc(100000);
	s = bw_mspan_of(h, large);
	marking_begins();
	bw_free(large);
	EXPECT(s->state == BW_MSPAN_OWNED && bw_mspan_of(h, large) == s);
	EXPECT(!bw_list_is_empty(&h->gc.limbo));
	marking_ends();
	EXPECT(bw_list_is_empty(&h->gc.limbo) && !bw_mspan_of(h, large));
	large = bw_alloc(100000);
	EXPECT(!bw_is_marked(h, large));
	bw_free(large);
}

static void a_refill_sweeps_before_it_asks_for_pages(void)
{
	struct bw_mheap *h = bw_mheap();
	u64 pages;
	u32 i;

	begin();
	for (i = 0; i < 30000; i++)
		bw_alloc(128);
	bw_mcache_flush(bw_mcache_attach());
	pages = h->used_pages;
	mark();
	bw_sweep_begin(h);
	for (i = 0; i < 30000; i++)
		bw_alloc(128);
	EXPECT(h->used_pages <= pages);
	begin();
}

int main(void)
{
	/* the test is the collector */
	setenv("BURROW_GC", "off", 1);
	bw_work_init(&pool, 100000);
	TEST(a_random_graph_keeps_what_is_reached_and_nothing_else);
	TEST(objects_of_all_sizes_live_and_die);
	TEST(a_pointer_into_an_object_keeps_it);
	TEST(a_pointer_to_the_end_keeps_it_from_a_root_and_not_from_the_heap);
	TEST(what_has_no_pointers_is_not_looked_into);
	TEST(tiny_objects_live_as_long_as_any_in_their_block);
	TEST(what_was_freed_is_not_marked_from_a_root);
	TEST(a_list_of_ten_million_needs_no_recursion);
	TEST(a_huge_array_is_looked_into_part_by_part);
	TEST(without_memory_for_buffers_all_is_found_the_long_way);
	TEST(pointers_are_found_wherever_a_slot_lies);
	TEST(who_goes_depth_first_has_some_for_who_has_none);
	TEST(several_markers_share_the_work_and_mark_each_object_once);
	TEST(what_is_made_while_marking_stays_and_only_that);
	TEST(what_is_freed_and_taken_again_while_marking_stays);
	TEST(a_span_that_ends_while_marking_keeps_its_memory_until_then);
	TEST(a_refill_sweeps_before_it_asks_for_pages);
	return tap_end();
}
