// SPDX-License-Identifier: MIT
/* Slices: growth, parts, bounds, and elements that point to objects. */
#include "gc_rig.h"
#include "note_rig.h"
#include "sched_rig.h"

static char said[2000];

BW_SLICE(long, longs);
BW_SLICE(struct node *, nodes);
BW_SLICE(struct node, structs);

static void what_is_appended_is_there_in_order(void)
{
	struct longs s = { 0 }, t = { 0 };
	long i, sum = 0;

	for (i = 0; i < 100000; i++)
		EXPECT(!bw_append(&s, i));
	EXPECT(s.len == 100000 && s.cap >= s.len);
	for (i = 0; i < 100000; i++)
		EXPECT(bw_at(s, i) == i);
	bw_each(p, s)
		sum += *p;
	EXPECT(sum == 100000L * 99999 / 2);
	bw_at(s, 5) += 2;
	EXPECT(bw_at(s, 5) == 7 && s.ptr[5] == 7);
	EXPECT(!bw_append_many(&t, s.ptr, s.len));
	EXPECT(!bw_append_many(&t, t.ptr, t.len));
	EXPECT(t.len == 200000 && bw_at(t, 100005) == 7);
	EXPECT(!bw_append_many(&t, s.ptr, 0) && t.len == 200000);
}

/* What Go's append makes of 8-byte elements, up to the size classes. */
static void capacity_grows_as_gos(void)
{
	static const size_t caps[] = { 1, 2, 4, 8, 16, 32, 64, 128, 256 };
	struct longs s = { 0 };
	size_t was, want;
	u32 i = 0;

	while (s.len < 1000000) {
		was = s.cap;
		EXPECT(!bw_append(&s, 1));
		if (s.cap == was)
			continue;
		if (i < ARRAY_SIZE(caps)) {
			/* 8 bytes without pointers share a block, and are 8 */
			EXPECT(s.cap == caps[i]);
			i++;
			continue;
		}
		want = was + (was + 768) / 4;
		if (!EXPECT(s.cap >= want && s.cap <= want + want / 8 + 1024))
			printf("# from %zu to %zu\n", was, s.cap);
	}
	EXPECT(i == ARRAY_SIZE(caps));
	/* many at once: what they need */
	s = (struct longs){ 0 };
	EXPECT(!bw_slice_make(&s, 10, 10));
	was = s.cap;
	EXPECT(!bw_slice_grow(&s, sizeof(long), NULL, 1000));
	EXPECT(s.cap >= 1010 && s.cap < 1300);
}

static void parts_share_memory(void)
{
	struct longs s = { 0 }, a, b;
	long i;

	EXPECT(!bw_slice_make(&s, 0, 100));
	for (i = 0; i < 10; i++)
		bw_append(&s, i);
	a = bw_slice(s, 2, 5);
	EXPECT(a.len == 3 && a.cap == s.cap - 2 && bw_at(a, 0) == 2);
	bw_at(a, 0) = 20;
	EXPECT(bw_at(s, 2) == 20);
	bw_append(&a, 50);
	EXPECT(bw_at(s, 5) == 50);
	/* no room: it moves */
	b = bw_slice3(s, 2, 5, 5);
	EXPECT(b.len == 3 && b.cap == 3);
	bw_append(&b, 60);
	EXPECT(bw_at(s, 5) == 50 && bw_at(b, 3) == 60 && bw_at(b, 0) == 20);
	/* up to the capacity, where there are zeros */
	a = bw_slice(s, 0, s.cap);
	EXPECT(bw_at(a, a.len - 1) == 0);
	/* nothing at the end is not the next object */
	b = bw_slice(a, a.len, a.len);
	EXPECT(!b.len && !b.cap && b.ptr == a.ptr);
	a = bw_slice(s, 0, 4);
	b = bw_slice(s, 1, 10);
	EXPECT(bw_slice_copy(b, a) == 4);
	EXPECT(bw_at(s, 0) == 0 && bw_at(s, 1) == 0 && bw_at(s, 2) == 1 &&
	       bw_at(s, 3) == 20 && bw_at(s, 4) == 3);
	bw_slice_clear(b);
	EXPECT(bw_at(s, 0) == 0 && bw_at(s, 9) == 0);
}

static void sizes_that_are_too_much_are_refused(void)
{
	struct longs s = { 0 };

	EXPECT(bw_slice_make(&s, SIZE_MAX / 4, 0) == -ENOMEM);
	EXPECT(bw_slice_grow(&s, sizeof(long), NULL, SIZE_MAX) == -ENOMEM);
	EXPECT(!s.ptr && !s.len && !s.cap);
	EXPECT(!bw_append(&s, 1));
	EXPECT(bw_slice_grow(&s, sizeof(long), NULL, SIZE_MAX) == -ENOMEM);
	EXPECT(s.len == 1 && bw_at(s, 0) == 1);
}

#define NODES	(RIG_SLOW ? 500U : 5000U)

static int run_nodes(void *arg)
{
	struct nodes p = { 0 }, q = { 0 };
	struct structs s = { 0 };
	struct node n = { 0 };
	u64 i;

	for (i = 0; i < NODES; i++) {
		EXPECT(!bw_append_ptr(&p, node_new(i)));
		n.next = node_new(i + 1);
		n.id = i;
		EXPECT(!bw_append_of(node, &s, &n));
		n.next = NULL;
		if (i % 100 == 50) {
			EXPECT(!bw_slice_make_ptr(&q, p.len, p.len));
			EXPECT(bw_slice_copy_ptr(q, p) == p.len);
			bw_slice_clear_ptr(p);
			EXPECT(bw_slice_copy_ptr(p, q) == p.len);
			bw_slice_clear_ptr(q);
		}
	}
	for (i = 0; i < NODES; i++)
		EXPECT(node_is_good(bw_at(p, i), i) &&
		       node_is_good(bw_at(s, i).next, i + 1) && bw_at(s, i).id == i);
	return 0;
}

static void nodes_child(void *arg)
{
	setenv("BURROW", "gcevery=20,gccheckmark=1,clobberfree=1", 1);
	if (arg)
		bw_barriers_used();
	EXPECT(!bw_run(run_nodes, NULL));
	exit(tap_bad_here != 0);
}

static void what_elements_point_to_is_found_by_the_collector(void)
{
	int i;

	for (i = 0; i < 2; i++)
		if (!EXPECT(!rig_child(nodes_child, i ? said : NULL, said,
				       sizeof(said))))
			printf("# %s: %s\n", i ? "hybrid" : "plain", said);
}

/* A slice that is in an object: its own pointer is one, too. */
static int run_notes(void *arg)
{
	struct node *n[6], *more[2];
	struct nodes *p = bw_alloc(sizeof(*p)), from = { n, 2, 2 };
	struct structs *s = bw_alloc(sizeof(*s));
	struct node **was;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(n); i++)
		n[i] = node_new(i);
	is_noted(NULL);
	EXPECT(!bw_slice_make_ptr(p, 2, 2));
	EXPECT(is_noted(p->ptr));
	bw_slice_copy_ptr(*p, from);
	EXPECT(are_noted(n[0], n[1]));
	from.ptr = n + 2;
	bw_slice_copy_ptr(*p, from);
	EXPECT(are_noted(n[0], n[3]));
	was = p->ptr;
	EXPECT(!bw_append_ptr(p, n[4]) && p->ptr != was);
	EXPECT(has_noted(bw_mcache_attach(), n[2]) &&
	       has_noted(bw_mcache_attach(), n[4]));
	EXPECT(are_noted(was, p->ptr));
	bw_slice_clear_ptr(*p);
	EXPECT(are_noted(n[3], n[4]));
	more[0] = n[0];
	more[1] = n[5];
	EXPECT(!bw_append_many_ptr(p, more, 2));
	EXPECT(are_noted(n[0], n[5]));
	n[0]->next = n[1];
	n[0]->other = n[2];
	EXPECT(!bw_append_of(node, s, n[0]));
	EXPECT(are_noted(n[1], n[2]));
	bw_slice_clear_of(node, *s);
	EXPECT(are_noted(n[1], n[2]));
	return 0;
}

static void each_pointer_that_a_slice_stores_is_noted_while_marking(void)
{
	while_marking(run_notes);
}

static void reads_beyond(void *arg)
{
	struct longs s = { 0 };

	bw_append(&s, 1);
	bw_at(s, 1) = 3;
}

static void part_beyond(void *arg)
{
	struct longs s = { 0 };

	bw_slice_make(&s, 4, 4);
	s = bw_slice3(s, 0, 4, 4);
	s = bw_slice(s, 3, 5);
}

static void part_backwards(void *arg)
{
	struct longs s = { 0 };

	bw_slice_make(&s, 4, 4);
	s = bw_slice3(s, 3, 2, 4);
}

static void other_type(void *arg)
{
	struct longs s = { 0 };
	long n = 1;

	bw_append_of(node, &s, &n);
}

static void what_is_out_of_bounds_dies_with_the_right_line(void)
{
	static const struct {
		void (*fn)(void *arg);
		const char *says;
	} rows[] = {
		{ reads_beyond, "index 1 of a slice of length 1" },
		{ part_beyond, "part [3:5:4] of a slice of capacity 4" },
		{ part_backwards, "part [3:2:4] of a slice of capacity 4" },
		{ other_type, "elements of 8 bytes, and a type of others" },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		int status = rig_child(rows[i].fn, NULL, said, sizeof(said));

		EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
		if (!EXPECT(strstr(said, rows[i].says)))
			printf("# row %u: %s\n", i, said);
	}
}

int main(void)
{
	setenv("BURROW_PROCS", "2", 1);
	TEST(what_elements_point_to_is_found_by_the_collector);
	TEST(each_pointer_that_a_slice_stores_is_noted_while_marking);
	TEST(what_is_out_of_bounds_dies_with_the_right_line);
	TEST(what_is_appended_is_there_in_order);
	TEST(capacity_grows_as_gos);
	TEST(parts_share_memory);
	TEST(sizes_that_are_too_much_are_refused);
	return tap_end();
}
