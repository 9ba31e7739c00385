// SPDX-License-Identifier: MIT
/* Cycles as programs see them: what lives, what goes, and when. */
#include <dlfcn.h>
#include <sched.h>
#include <sys/mman.h>

#include "alloc_rig.h"
#include "burrow.h"
#include "gc/mark.h"
#include "sched/sched.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOW	1
#else
#define SLOW	0
#endif

struct node {
	struct node *next;
	u64 id;
	struct node *other;
	u64 sum;
};

BW_TYPE(node, struct node, next, other);

/* A secret is an object's address that no root shows. */
static u64 hide(const void *p)
{
	return ~(u64)(uintptr_t)p;
}

static bool is_there(u64 secret)
{
	struct bw_mspan *s;
	void *p = (void *)(uintptr_t)~secret;

	return bw_mark_find(bw_mheap(), (u64)(uintptr_t)p, &s) == p;
}

/* What calls left on the stack below is overwritten. */
static __attribute__((noinline)) void wipe(void)
{
	volatile u64 stack[1024];
	u32 i;

	for (i = 0; i < ARRAY_SIZE(stack); i++)
		stack[i] = 0;
}

static __attribute__((noinline)) u64 secret_of(size_t n)
{
	u64 *p = bw_alloc(n);

	*p = 0x600d;
	return hide(p);
}

static __attribute__((noinline)) void collect(void)
{
	wipe();
	bw_gc();
}

static void in_run(int (*fn)(void *arg))
{
	EXPECT(!bw_run(fn, NULL));
}

#define MANY	1000

static int garbage(void *arg)
{
	static u64 secret[MANY];
	u32 i, left = 0;

	for (i = 0; i < MANY; i++)
		secret[i] = secret_of(16 + i * 40);
	collect();
	for (i = 0; i < MANY; i++)
		left += is_there(secret[i]);
	/* a few may lie where a stale word points */
	EXPECT(left < 10);
	return 0;
}

static void what_nobody_can_reach_goes(void)
{
	in_run(garbage);
}

static void *volatile in_data;
static __thread void *volatile in_tls;
static u64 secrets[8];

static __attribute__((noinline)) void spread(u64 **on_stack)
{
	u64 **heap, *registered = NULL;

	secrets[0] = secret_of(32);
	in_data = (void *)(uintptr_t)~secrets[0];
	secrets[1] = secret_of(32);
	in_tls = (void *)(uintptr_t)~secrets[1];
	secrets[2] = secret_of(32);
	*on_stack = (u64 *)(uintptr_t)~secrets[2];
	heap = bw_alloc(64);
	secrets[3] = secret_of(32);
	heap[3] = (u64 *)(uintptr_t)~secrets[3];
	on_stack[1] = (u64 *)heap;
	secrets[4] = secret_of(32);
	EXPECT(!bw_pin((void *)(uintptr_t)~secrets[4]));
	secrets[5] = secret_of(32);
	registered = (u64 *)(uintptr_t)~secrets[5];
	heap = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	heap[7] = registered;
	EXPECT(!bw_root_add(heap, 4096));
	EXPECT(bw_root_add(heap, 4096) == -EEXIST);
	EXPECT(bw_root_add((char *)heap + 1, 4096) == -EINVAL);
	secrets[7] = hide(heap);
}

static __attribute__((noinline)) void unspread(u64 **on_stack)
{
	void *range = (void *)(uintptr_t)~secrets[7];

	in_data = NULL;
	in_tls = NULL;
	on_stack[0] = NULL;
	on_stack[1] = NULL;
	bw_unpin((void *)(uintptr_t)~secrets[4]);
	bw_root_del(range);
	munmap(range, 4096);
}

static int each_kind(void *arg)
{
	u64 *volatile on_stack[2];
	bool went[6] = { false };
	u32 i, round;

	bw_lock_thread();
	for (round = 0; round < 10; round++) {
		spread((u64 **)on_stack);
		for (i = 0; i < 2; i++)
			collect();
		for (i = 0; i < 6; i++)
			if (!EXPECT(is_there(secrets[i])))
				printf("# root %u\n", i);
		unspread((u64 **)on_stack);
		collect();
		for (i = 0; i < 6; i++)
			went[i] |= !is_there(secrets[i]);
	}
	/* now and then a stale word keeps one, but not each time */
	for (i = 0; i < 6; i++)
		if (!EXPECT(went[i]))
			printf("# root %u\n", i);
	bw_unlock_thread();
	return 0;
}

static void each_kind_of_root_keeps_what_it_points_to(void)
{
	in_run(each_kind);
}

static u64 parked_secret;
static struct bw_g *parked;
static u32 ready;

static void parks(void *arg)
{
	u64 *volatile p = bw_alloc(100);

	*p = 0x600d;
	parked_secret = hide(p);
	parked = bw_self();
	WRITE_ONCE(ready, 1);
	bw_park();
	EXPECT(*p == 0x600d);
	WRITE_ONCE(ready, 2);
}

static int parked_main(void *arg)
{
	u32 i;

	ready = 0;
	bw_go(parks, NULL);
	while (READ_ONCE(ready) != 1)
		bw_yield();
	for (i = 0; i < 3; i++)
		collect();
	EXPECT(is_there(parked_secret));
	bw_ready(parked);
	while (READ_ONCE(ready) != 2)
		bw_yield();
	return 0;
}

static void a_stack_that_waits_keeps_what_is_on_it(void)
{
	in_run(parked_main);
}

static u64 thread_secret[2];

static void *holder(void *arg)
{
	bool attached = arg;
	u64 *volatile p;

	if (attached)
		EXPECT(!bw_thread_attach());
	p = bw_alloc(100);
	*p = 0x600d;
	thread_secret[attached] = hide(p);
	fetch_add_relaxed(&ready, 1);
	while (READ_ONCE(ready) != 100)
		usleep(100);
	EXPECT(*p == 0x600d);
	if (attached)
		bw_thread_detach();
	return NULL;
}

static int threads_main(void *arg)
{
	pthread_t t[2];
	u32 i;

	WRITE_ONCE(ready, 0);
	for (i = 0; i < 2; i++)
		EXPECT(!pthread_create(&t[i], NULL, holder,
				       (void *)(uintptr_t)i));
	while (READ_ONCE(ready) != 2)
		bw_yield();
	for (i = 0; i < 3; i++)
		collect();
	EXPECT(is_there(thread_secret[0]) && is_there(thread_secret[1]));
	WRITE_ONCE(ready, 100);
	for (i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	return 0;
}

static void threads_keep_what_they_hold_attached_or_not(void)
{
	in_run(threads_main);
}

static int main_keeps(void *arg)
{
	u64 *p = arg;
	u32 i;

	for (i = 0; i < 3; i++)
		collect();
	EXPECT(*p == 0x600d);
	return 0;
}

static void the_caller_of_a_run_keeps_what_it_holds(void)
{
	u64 *volatile p = bw_alloc(64), *volatile q = bw_alloc(64);
	u64 secret = hide(q);

	*p = 0x600d;
	EXPECT(!bw_run(main_keeps, (void *)p));
	EXPECT(is_there(secret) && *p == 0x600d);
	/* and without a run */
	bw_gc();
	EXPECT(is_there(secret) && *p == 0x600d);
}

/* Churn of many times the heap that is there at any moment. */
static int churn(void *arg)
{
	u32 i, n = SLOW ? 300000 : 4000000;
	struct burrow_heap_stats st;
	struct bw_gc_stats gc;
	struct node *list = NULL, *p;

	for (i = 0; i < n; i++) {
		p = bw_new(node);
		p->next = i % 1000 ? list : NULL;
		p->id = i;
		p->sum = ~(u64)i;
		list = p;
		bw_alloc(i % 300);
		EXPECT(!list->next || list->next->id == i - 1);
	}
	for (p = list; p; p = p->next)
		EXPECT(p->sum == ~p->id);
	bw_gc_stats(&gc);
	EXPECT(gc.cycles > 5);
	EXPECT(!bw_mheap()->be->ops->stats(bw_mheap()->be, &st));
	printf("# %lu cycles, %lu pages\n", (unsigned long)gc.cycles,
	       (unsigned long)st.out_pages_live);
	EXPECT(st.out_pages_live < 64 * 128);
	return 0;
}

static void a_program_that_never_frees_does_not_grow(void)
{
	in_run(churn);
}

#define GS	6
#define NODES	3000
#define STEPS	(SLOW ? 20000 : 200000)

static u32 nr_done;

/*
 * A graph of its own, which it changes; its shadow, in memory that is no root,
 * says what has to be there.
 */
static void mutator(void *arg)
{
	u64 seed = (uintptr_t)arg + 1, r;
	struct node **node = bw_alloc(NODES * sizeof(*node));
	u64 *sum = malloc(NODES * sizeof(*sum));
	u32 i, k;

	for (i = 0; i < NODES; i++) {
		node[i] = NULL;
		sum[i] = 0;
	}
	for (i = 0; i < STEPS; i++) {
		r = rig_random(&seed);
		k = r % NODES;
		if (node[k] && (node[k]->sum != sum[k] ||
				(node[k]->next && node[k]->next->id !=
				 (node[k]->sum ^ 1)))) {
			EXPECT(!"an object is as it was left");
			break;
		}
		switch (r >> 32 & 3) {
		case 0:
			node[k] = NULL;
			break;
		case 1:
			bw_alloc_noscan(r >> 40 & 511);
			break;
		default:
			node[k] = r >> 34 & 1 ? bw_new(node) :
				  bw_new_plain(struct node);
			node[k]->sum = r;
			sum[k] = r;
			/* reached through its neighbour alone */
			node[k]->next = bw_new(node);
			node[k]->next->id = r ^ 1;
		}
		if (r >> 50 == 0)
			bw_gc();
		if (r >> 44 == 0)
			bw_yield();
	}
	free(sum);
	fetch_add_relaxed(&nr_done, 1);
}

static int mutators(void *arg)
{
	u32 i;

	WRITE_ONCE(nr_done, 0);
	for (i = 0; i < GS; i++)
		bw_go(mutator, (void *)(uintptr_t)i);
	while (READ_ONCE(nr_done) < GS)
		bw_yield();
	return 0;
}

static void many_change_what_they_have_and_find_it_again(void)
{
	in_run(mutators);
}

static u32 finals;
static u64 order[4];

static void final_order(void *obj, void *arg)
{
	struct node *n = obj;

	order[finals] = n->id;
	EXPECT(n->sum == ~n->id && arg == &finals);
	/* what it reaches is as it was */
	if (n->next)
		EXPECT(n->next->sum == ~n->next->id);
	fetch_add_relaxed(&finals, 1);
}

static __attribute__((noinline)) void make_chain(u32 nr)
{
	struct node *last = NULL, *n;
	u32 i;

	for (i = 0; i < nr; i++) {
		n = bw_new(node);
		n->id = i;
		n->sum = ~n->id;
		n->next = last;
		last = n;
		EXPECT(!bw_finalizer_set(n, final_order, &finals));
	}
}

/* Cycles until @word is @want; not for ever. */
static bool collect_until(const u32 *word, u32 want)
{
	u32 i, k;

	for (i = 0; i < 50; i++) {
		collect();
		for (k = 0; k < 100 && READ_ONCE(*word) < want; k++)
			bw_yield();
		if (READ_ONCE(*word) >= want)
			return true;
	}
	return false;
}

static int chain_main(void *arg)
{
	u32 i;

	finals = 0;
	make_chain(4);
	EXPECT(collect_until(&finals, 4));
	for (i = 0; i < 4; i++)
		EXPECT(order[i] == 3 - i);
	collect();
	EXPECT(finals == 4);
	return 0;
}

static void finalizers_run_once_and_who_is_needed_runs_later(void)
{
	in_run(chain_main);
}

static void final_count(void *obj, void *arg)
{
	fetch_add_relaxed(&finals, 1);
}

static __attribute__((noinline)) void make_circle(void)
{
	struct node *a = bw_new(node), *b = bw_new(node);

	a->next = b;
	b->next = a;
	EXPECT(!bw_finalizer_set(a, final_count, NULL));
	EXPECT(!bw_finalizer_set(b, final_count, NULL));
}

static int circle_main(void *arg)
{
	u32 i;

	finals = 0;
	for (i = 0; i < 3; i++)
		make_circle();
	for (i = 0; i < 5; i++) {
		collect();
		bw_yield();
	}
	EXPECT(!finals);
	return 0;
}

static void circle_child(void *arg)
{
	in_run(circle_main);
}

static void a_circle_of_finalizers_is_kept_and_told(void)
{
	char said[4000];

	EXPECT(!rig_child(circle_child, NULL, said, sizeof(said)));
	EXPECT(strstr(said, "reach each other in cycles"));
}

#define STORM	(SLOW ? 3000 : 30000)

static __attribute__((noinline)) void storm_make(u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		EXPECT(!bw_finalizer_set(bw_alloc(16 + i % 200), final_count,
					 NULL));
}

static int storm_main(void *arg)
{
	u32 i;

	finals = 0;
	for (i = 0; i < 10; i++) {
		storm_make(STORM / 10);
		bw_gc();
	}
	/* stale words may keep a few for a while */
	EXPECT(collect_until(&finals, STORM - 20));
	EXPECT(finals <= STORM);
	return 0;
}

static void a_storm_of_finalizers_runs_each_once(void)
{
	in_run(storm_main);
}

static __attribute__((noinline)) struct bw_weak *make_weak(void **keep)
{
	u64 *p = bw_alloc(64);
	struct bw_weak *w = bw_weak_make(p);

	EXPECT(w && bw_weak_make(p) == w && bw_weak_get(w) == p);
	bw_weak_free(w);
	*keep = p;
	return w;
}

static int weak_main(void *arg)
{
	static void *volatile keep;
	struct bw_weak *w[20];
	u32 i, left;
	void *p;

	w[0] = make_weak((void **)&keep);
	collect();
	EXPECT(bw_weak_get(w[0]) == keep);
	for (i = 1; i < 20; i++)
		w[i] = make_weak(&p);
	keep = NULL;
	p = NULL;
	collect();
	for (i = 0, left = 0; i < 20; i++) {
		left += !!bw_weak_get(w[i]);
		bw_weak_free(w[i]);
	}
	EXPECT(left < 5);
	/* freed by hand, on the fast path: neither sees the next one there */
	finals = 0;
	for (i = 0; i < 10; i++) {
		p = bw_alloc(64);
		w[0] = bw_weak_make(p);
		EXPECT(!bw_finalizer_set(p, final_count, NULL));
		bw_free(p);
		EXPECT(!bw_weak_get(w[0]));
		bw_weak_free(w[0]);
		p = bw_alloc(64);
	}
	p = NULL;
	collect();
	bw_yield();
	EXPECT(!finals);
	return 0;
}

static void weak_references_keep_nothing_and_end_with_their_object(void)
{
	in_run(weak_main);
}

static void special_tiny(void *arg)
{
	bw_finalizer_set(bw_alloc_noscan(4), final_count, NULL);
}

static void special_inside(void *arg)
{
	bw_weak_make((char *)bw_alloc(64) + 8);
}

static void unpin_unpinned(void *arg)
{
	bw_unpin(bw_alloc(64));
}

static void root_unknown(void *arg)
{
	bw_root_del(&finals);
}

static void misuse_is_a_message(void)
{
	static const struct {
		void (*fn)(void *arg);
		const char *says;
	} row[] = {
		{ special_tiny, "share memory" },
		{ special_inside, "begins there" },
		{ unpin_unpinned, "not pinned" },
		{ root_unknown, "no root was added" },
	};
	char said[1000];
	u32 i;

	for (i = 0; i < ARRAY_SIZE(row); i++) {
		EXPECT(rig_aborted(rig_child(row[i].fn, NULL, said,
					     sizeof(said))));
		EXPECT(strstr(said, row[i].says));
	}
}

struct liar {
	struct liar *named;
	void *unnamed;
};

BW_TYPE(liar, struct liar, named);

static int lie(void *arg)
{
	struct liar *volatile l = bw_new(liar);

	l->unnamed = bw_alloc(64);
	bw_gc();
	bw_keepalive(l);
	return 0;
}

static void lie_child(void *arg)
{
	setenv("BURROW", "typecheck=1", 1);
	bw_run(lie, NULL);
}

static void a_pointer_that_a_type_does_not_name_is_told(void)
{
	char said[4000];

	EXPECT(!rig_child(lie_child, NULL, said, sizeof(said)));
	EXPECT(strstr(said, "typecheck: byte 8 of object"));
}

static void the_heap_is_whole_in_the_end(void)
{
	int bad;

	bw_gc();
	bad = bw_mheap_check(bw_mheap());
	if (!EXPECT(!bad))
		printf("# invariant %d\n", bad);
}

int main(void)
{
	if (!getenv("BURROW_GC"))
		setenv("BURROW_GC", "100", 1);
	/* in children, before there is a heap here */
	TEST(a_pointer_that_a_type_does_not_name_is_told);
	TEST(a_circle_of_finalizers_is_kept_and_told);
	TEST(misuse_is_a_message);
	TEST(what_nobody_can_reach_goes);
	TEST(each_kind_of_root_keeps_what_it_points_to);
	TEST(a_stack_that_waits_keeps_what_is_on_it);
	TEST(threads_keep_what_they_hold_attached_or_not);
	TEST(the_caller_of_a_run_keeps_what_it_holds);
	TEST(a_program_that_never_frees_does_not_grow);
	TEST(many_change_what_they_have_and_find_it_again);
	TEST(finalizers_run_once_and_who_is_needed_runs_later);
	TEST(a_storm_of_finalizers_runs_each_once);
	TEST(weak_references_keep_nothing_and_end_with_their_object);
	TEST(the_heap_is_whole_in_the_end);
	return tap_end();
}
