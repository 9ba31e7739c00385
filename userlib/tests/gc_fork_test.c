// SPDX-License-Identifier: MIT
/*
 * A child of fork() that called bw_after_fork() collects, and has what its own thread
 * had: whatever other threads of the parent were doing, in plain and in hybrid mode. Not
 * under a thread sanitizer, which makes no threads in such a child.
 */
#include "gc_fork_rig.h"

/* more than a sanitizer keeps of its own */
#define GARBAGE		(BW_ASAN ? 48U << 20 : SLOW ? 6U << 20 : 16U << 20)

/* That the process has; the module's is not counted as such. */
static u64 memory(void)
{
	const struct bw_mheap *h = bw_mheap();
	unsigned long long all = 0, here = 0;
	FILE *f;

	if (rig_is_kernel_mode())
		return (READ_ONCE(h->used_pages) + READ_ONCE(h->spare_pages) +
			READ_ONCE(h->lazy_pages)) << BURROW_PAGE_SHIFT;
	f = fopen("/proc/self/statm", "r");
	if (f && fscanf(f, "%llu %llu", &all, &here) != 2)
		here = 0;
	if (f)
		fclose(f);
	return here * (u64)sysconf(_SC_PAGESIZE);
}

/* Of no two of them does one know the other: what a stack still shows keeps one. */
static __attribute__((noinline)) u64 much(void)
{
	struct node *n = NULL;
	int percent = bw_gc_set_percent(-1);
	u32 i;

	for (i = 0; i < GARBAGE / sizeof(*n); i++) {
		n = bw_new(node);
		n->sum = ~(n->id = i);
	}
	bw_gc_set_percent(percent);
	return hide(n);
}

/* At once, as there is a limit; without one it would go little by little. */
static int collects_much(void *arg)
{
	u32 cycles = READ_ONCE(bw_collector.nr);
	u64 before, after, secret;
	s64 limit;

	secret = much();
	before = memory();
	EXPECT(before > GARBAGE);
	limit = bw_gc_set_limit(GARBAGE / 4);
	collect();
	collect();
	after = memory();
	EXPECT(READ_ONCE(bw_collector.nr) >= cycles + 2);
	EXPECT(!is_there(secret));
	if (!EXPECT(after + GARBAGE / 2 <= before))
		printf("# %llu, and before %llu\n", (unsigned long long)after,
		       (unsigned long long)before);
	bw_gc_set_limit(limit);
	EXPECT(rig_heap_is_whole());
	return 0;
}

static void in_childs_run(void *arg)
{
	EXPECT(!bw_after_fork());
	/* twice: a run like any other, and its thread's own objects */
	EXPECT(!bw_run(collects_much, NULL));
	EXPECT(!bw_run(collects_much, NULL));
}

static int forks_from_g(void *arg)
{
	EXPECT(child_is_well(in_childs_run, NULL));
	return 0;
}

static void a_child_collects_and_its_memory_goes_back(void)
{
	in_run(forks_from_g);
	EXPECT(child_is_well(in_childs_run, NULL));
}

/*
 * Of the parent's: an object is where only one thing keeps it. In the child what
 * its own thread had is there, and all else is not.
 */
static struct has {
	u64 on_stack_of_g;
	u64 on_stack_of_thread;
	u64 in_cache;			/* a dead one, where no sweep could be */
	struct node *in_data;
	u64 pinned;
} has;

static u32 nr_holding, let_go, over;
static __thread struct node *in_tls;

static __attribute__((noinline)) u64 hold(struct node **at, u64 id)
{
	*at = chain_make(id, 3);
	return hide(*at);
}

static void holds(u64 *secret)
{
	struct node *volatile mine;

	*secret = hold((struct node **)&mine, 10);
	wipe();
	fetch_add_relaxed(&nr_holding, 1);
}

static void g_holds(void *arg)
{
	struct node *volatile mine = NULL;

	has.on_stack_of_g = hold((struct node **)&mine, 10);
	wipe();
	fetch_add_relaxed(&nr_holding, 1);
	while (!READ_ONCE(let_go))
		bw_sleep(1000000);
	EXPECT(chain_is_whole(mine, 10, 3));
}

static void *thread_holds(void *arg)
{
	struct node *volatile mine = NULL;

	holds(&has.in_cache);
	has.on_stack_of_thread = hold((struct node **)&mine, 10);
	wipe();
	fetch_add_relaxed(&nr_holding, 1);
	while (!READ_ONCE(let_go))
		usleep(1000);
	EXPECT(chain_is_whole(mine, 10, 3));
	return NULL;
}

/* Its caller's stack has the chain, and nothing else but what is said to. */
static void looks_what_is_there(void *arg)
{
	struct node *const *mine = arg;

	EXPECT(!bw_after_fork());
	collect();
	collect();
	EXPECT(chain_is_whole(*mine, 20, 50));
	EXPECT(chain_is_whole(in_tls, 30, 50));
	EXPECT(chain_is_whole(has.in_data, 40, 50));
	EXPECT(is_there(has.pinned));
	EXPECT(!has.on_stack_of_g || !is_there(has.on_stack_of_g));
	EXPECT(!is_there(has.on_stack_of_thread));
	EXPECT(!is_there(has.in_cache));
	/* all of it is to be had again, and used by others */
	chain_make(0, 20000);
	collect();
	EXPECT(chain_is_whole(*mine, 20, 50));
	EXPECT(chain_is_whole(in_tls, 30, 50));
	EXPECT(rig_heap_is_whole());
}

static __attribute__((noinline)) void pin_one(void)
{
	void *p = bw_alloc(100);

	has.pinned = hide(p);
	EXPECT(!bw_pin(p));
}

static __attribute__((noinline)) void have_all(struct node **mine)
{
	*mine = chain_make(20, 50);
	in_tls = chain_make(30, 50);
	has.in_data = chain_make(40, 50);
	pin_one();
}

static void begin_others(pthread_t *t)
{
	WRITE_ONCE(let_go, 0);
	nr_holding = 0;
	EXPECT(!pthread_create(t, NULL, thread_holds, NULL));
	if (bw_self())
		EXPECT(!bw_go(g_holds, NULL));
	while (READ_ONCE(nr_holding) < 2 + !!bw_self())
		bw_self() ? bw_yield() : (void)usleep(100);
}

static void end_others(pthread_t t)
{
	bool g = bw_self();

	WRITE_ONCE(let_go, 1);
	if (g)
		bw_block_begin();
	pthread_join(t, NULL);
	if (g)
		bw_block_end();
	bw_unpin((void *)(uintptr_t)~has.pinned);
	in_tls = NULL;
	has.in_data = NULL;
}

static int heirs_main(void *arg)
{
	struct node *mine = NULL;
	pthread_t t;

	memset(&has, 0, sizeof(has));
	begin_others(&t);
	have_all(&mine);
	EXPECT(child_is_well(looks_what_is_there, &mine));
	end_others(t);
	/* in the parent there are cycles as before */
	collect();
	EXPECT(chain_is_whole(mine, 20, 50));
	return 0;
}

static void *heirs_of_thread(void *arg)
{
	heirs_main(NULL);
	return NULL;
}

static void what_its_own_thread_had_is_there_and_what_others_had_is_not(void)
{
	pthread_t t;

	in_run(heirs_main);
	EXPECT(!pthread_create(&t, NULL, heirs_of_thread, NULL));
	pthread_join(t, NULL);
	heirs_main(NULL);
}

/* The locks of what programs give to the collector: pins and weak references. */
static void *gives(void *arg)
{
	void *p = bw_alloc(64);
	u64 room[4] = { 0 };

	fetch_add_relaxed(&nr_holding, 1);
	while (!READ_ONCE(over)) {
		struct bw_weak *w = bw_weak_make(p);

		EXPECT(w && !bw_pin(p) && !bw_root_add(room, sizeof(room)));
		bw_root_del(room);
		bw_unpin(p);
		bw_weak_free(w);
	}
	bw_keepalive(p);
	return NULL;
}

static u32 *nr_final;			/* shared with children */

static void finalized(void *obj, void *arg)
{
	fetch_add_relaxed(nr_final, 1);
}

static __attribute__((noinline)) void doomed(void)
{
	EXPECT(!bw_finalizer_set(bw_alloc(48), finalized, NULL));
}

static int gives_too(void *arg)
{
	void *p = bw_alloc(64);
	struct bw_weak *w;

	doomed();
	EXPECT(!bw_pin(p));
	w = bw_weak_make(p);
	EXPECT(collect_until(nr_final, 1));
	EXPECT(bw_weak_get(w) == p);
	bw_unpin(p);
	bw_weak_free(w);
	return 0;
}

static void gives_in_child(void *arg)
{
	*nr_final = 0;
	EXPECT(!bw_after_fork());
	EXPECT(!bw_run(gives_too, NULL));
}

static void a_child_gives_and_takes_though_the_parents_threads_were_at_it(void)
{
	pthread_t t[2];
	u32 i;

	WRITE_ONCE(over, 0);
	nr_holding = 0;
	for (i = 0; i < 2; i++)
		EXPECT(!pthread_create(&t[i], NULL, gives, NULL));
	while (READ_ONCE(nr_holding) < 2)
		usleep(100);
	for (i = 0; i < FORKS; i++)
		if (!EXPECT(child_is_well(gives_in_child, NULL)))
			break;
	WRITE_ONCE(over, 1);
	for (i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
}

static void *has_objects(void *arg)
{
	EXPECT(bw_alloc(100));
	fetch_add_relaxed(&nr_holding, 1);
	while (!READ_ONCE(over))
		usleep(1000);
	return NULL;
}

static void comes_late(void *arg)
{
	pthread_t t;

	nr_holding = 0;
	WRITE_ONCE(over, 0);
	EXPECT(!pthread_create(&t, NULL, has_objects, NULL));
	while (!READ_ONCE(nr_holding))
		usleep(100);
	EXPECT(bw_after_fork() == -EBUSY);
	WRITE_ONCE(over, 1);
	pthread_join(t, NULL);
	EXPECT(!bw_after_fork());
	collect();
}

static void a_thread_of_the_childs_that_nobody_knows_is_told(void)
{
	EXPECT(child_is_well(comes_late, NULL));
}

static void all(void)
{
	TEST(a_child_collects_and_its_memory_goes_back);
	TEST(what_its_own_thread_had_is_there_and_what_others_had_is_not);
	TEST(a_child_gives_and_takes_though_the_parents_threads_were_at_it);
	TEST(a_thread_of_the_childs_that_nobody_knows_is_told);
}

int main(void)
{
	nr_final = shared_zeros(sizeof(*nr_final));
	return gc_tests_twice(all);
}
