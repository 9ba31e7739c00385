// SPDX-License-Identifier: MIT
/* Cycles as programs see them: what lives, what goes, and when. */
#include <dlfcn.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "alloc_rig.h"
#include "burrow.h"
#include "gc/collector.h"
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

/* Not inline: its caller would have the pointer in a register, a root. */
static __attribute__((noinline)) bool is_there(u64 secret)
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

	if (finals < ARRAY_SIZE(order))
		order[finals] = n->id;
	EXPECT(n->sum == ~n->id && arg == &finals);
	/* what it reaches is as it was */
	if (n->next)
		EXPECT(n->next->sum == ~n->next->id);
	/* pairs with collect_until() */
	smp_store_release(&finals, finals + 1);
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
		/* pairs with final_order() */
		if (smp_load_acquire(word) >= want)
			return true;
	}
	return false;
}

/* On a stack that is gone then, with all that was left on it. */
static void chain_maker(void *arg)
{
	make_chain(4);
	WRITE_ONCE(ready, 1);
}

static int chain_main(void *arg)
{
	u32 i;

	finals = 0;
	ready = 0;
	bw_go(chain_maker, NULL);
	while (!READ_ONCE(ready))
		bw_yield();
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

static void storm_maker(void *arg)
{
	u32 i;

	for (i = 0; i < 10; i++) {
		storm_make(STORM / 10);
		bw_gc();
	}
	WRITE_ONCE(ready, 1);
}

static int storm_main(void *arg)
{
	finals = 0;
	ready = 0;
	bw_go(storm_maker, NULL);
	while (!READ_ONCE(ready))
		bw_yield();
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

/* The pointer is in a register that calls keep, and nowhere else. */
static __attribute__((noinline)) bool in_register(void)
{
	u64 secret = secret_of(48);
	bool there;
#if defined(__x86_64__)
	register u64 p __asm__("r15") = ~secret;

	wipe();
	__asm__ volatile("" : "+r" (p));
	bw_gc();
	__asm__ volatile("" : "+r" (p));
	there = is_there(secret) && *(u64 *)(uintptr_t)p == 0x600d;
#else
	there = true;
#endif
	return there;
}

static u32 spinning;

/* In a vector register, while nothing is called. */
static void in_vector(void *arg)
{
	u64 secret = secret_of(48), p;

	wipe();
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
	p = ~secret;
	__asm__ volatile("movq %0, %%xmm7\n\txorl %k0, %k0"
			 : "+r" (p) : : "xmm7");
	WRITE_ONCE(spinning, 1);
	__asm__ volatile("1: movl %1, %%eax\n\tcmpl $2, %%eax\n\tjne 1b\n\t"
			 "movq %%xmm7, %0"
			 : "=r" (p) : "m" (spinning) : "eax", "xmm7", "memory");
	EXPECT(is_there(secret) && p == ~secret);
#else
	p = secret;
	WRITE_ONCE(spinning, 1);
	EXPECT(p == secret);
#endif
	WRITE_ONCE(spinning, 3);
}

static int registers_main(void *arg)
{
	u32 i;

	for (i = 0; i < 5; i++)
		EXPECT(in_register());
	if (bw_procs(0) < 2)
		bw_procs(2);
	WRITE_ONCE(spinning, 0);
	bw_go(in_vector, NULL);
	while (!READ_ONCE(spinning))
		bw_yield();
	for (i = 0; i < 3; i++)
		bw_gc();
	if (READ_ONCE(spinning) == 1)
		WRITE_ONCE(spinning, 2);
	while (READ_ONCE(spinning) != 3)
		bw_yield();
	return 0;
}

static void a_pointer_in_a_register_alone_keeps_its_object(void)
{
	in_run(registers_main);
}

static int forks_main(void *arg)
{
	u32 i, k, n = SLOW ? 5 : 20;
	int status;
	pid_t pid;

	for (i = 0; i < n; i++) {
		struct node *list = NULL, *p;

		for (k = 0; k < 20000; k++) {
			p = bw_new(node);
			p->next = list;
			p->sum = k;
			list = p;
		}
		pid = fork();
		if (!pid) {
			for (k = 20000; list; list = list->next)
				if (list->sum != --k)
					_exit(2);
			_exit(k);
		}
		if (!EXPECT(pid > 0 && waitpid(pid, &status, 0) == pid &&
			    !status))
			printf("# status %x\n", status);
		EXPECT(list->sum == 19999);
	}
	return 0;
}

/* Cycles come on their own meanwhile. */
static void children_have_the_heap_of_a_moment_between_cycles(void)
{
	in_run(forks_main);
}

static int limited(void *arg)
{
	struct bw_gc_stats st;
	u64 **kept = bw_alloc(64 * sizeof(*kept));
	u32 i;

	/* half of the limit is alive, and as much again is made many times */
	for (i = 0; i < 64; i++)
		kept[i] = bw_alloc(256 << 10);
	for (i = 0; i < 2000; i++)
		bw_alloc(64 << 10);
	bw_gc_stats(&st);
	EXPECT(st.goal <= 32 << 20 && st.cycles > 5);
	EXPECT(kept[63] && bw_mheap()->used_pages < 48 * 128);
	return 0;
}

static void a_memory_limit_caps_the_heap_where_percent_would_not(void)
{
	int64_t none = bw_gc_set_limit(32 << 20);
	int percent = bw_gc_set_percent(1000);

	in_run(limited);
	EXPECT(bw_gc_set_limit(none) == 32 << 20);
	EXPECT(bw_gc_set_percent(percent) == 1000);
}

static void put(const char *dir, const char *file, const char *text)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	f = fopen(path, "w");
	if (!EXPECT(f))
		return;
	fputs(text, f);
	fclose(f);
}

static void the_tightest_memory_cgroup_counts(void)
{
	char top[] = "/tmp/gc_test.XXXXXX", dir[200];

	if (!EXPECT(mkdtemp(top)))
		return;
	snprintf(dir, sizeof(dir), "%s/a", top);
	EXPECT(!mkdir(dir, 0700));
	put(dir, "memory.max", "1000000\n");
	snprintf(dir, sizeof(dir), "%s/a/b", top);
	EXPECT(!mkdir(dir, 0700));
	put(dir, "memory.max", "max\n");
	EXPECT(bw_memlimit_cgroup("0::/a/b\n", top) == 1000000);
	put(dir, "memory.max", "70000\n");
	EXPECT(bw_memlimit_cgroup("0::/a/b\n", top) == 70000);
	EXPECT(bw_memlimit_cgroup("0::/\n", top) == INT64_MAX);
	EXPECT(bw_memlimit_cgroup("", top) == INT64_MAX);
	snprintf(dir, sizeof(dir), "%s/memory", top);
	EXPECT(!mkdir(dir, 0700));
	put(dir, "memory.limit_in_bytes", "9223372036854771712\n");
	EXPECT(bw_memlimit_cgroup("5:memory:/\n0::/a\n", top) == 1000000);
	put(dir, "memory.limit_in_bytes", "5000\n");
	EXPECT(bw_memlimit_cgroup("7:cpu:/x\n5:memory:/\n", top) == 5000);
	snprintf(dir, sizeof(dir), "rm -r %s", top);
	EXPECT(!system(dir));
}

static void bad_gc(void *arg)
{
	setenv(arg, "12x", 1);
	bw_alloc(16);
}

static void a_bad_value_is_one_clear_error(void)
{
	static const char *const name[] = { "BURROW_GC", "BURROW_MEMLIMIT" };
	char said[1000];
	u32 i;

	for (i = 0; i < 2; i++) {
		EXPECT(rig_aborted(rig_child(bad_gc, (void *)name[i], said,
					     sizeof(said))));
		EXPECT(strstr(said, "=12x is not allowed"));
	}
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
	TEST(a_bad_value_is_one_clear_error);
	TEST(the_tightest_memory_cgroup_counts);
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
	TEST(a_pointer_in_a_register_alone_keeps_its_object);
	TEST(children_have_the_heap_of_a_moment_between_cycles);
	TEST(a_memory_limit_caps_the_heap_where_percent_would_not);
	TEST(the_heap_is_whole_in_the_end);
	return tap_end();
}
