// SPDX-License-Identifier: MIT
/*
 * What programs may do while objects are marked, each by a G of its own, all at once:
 * plain stores to roots, frees, tiny objects, weak references, objects that only a
 * waiting stack has. Who loses one says so; each rule that is left out in the library
 * makes one of them do so (gc_mutants.sh).
 */
#include <sys/mman.h>

#include "burrow/atomic.h"
#include "burrow/chan.h"
#include "gc_rig.h"

#define ROOTS	64U
#define CYCLES	(SLOW ? 10U : 30U)	/* at least */
#define WAITERS	20U
#define LATE_GS	30U
#define CHAN_CAP 64U
#define PTRS	64U
#define BALLAST	(SLOW ? 20000U : 200000U)

enum rule { ROOT, FREE, TINY, LARGE, CHAN, PTR, WEAK, WAIT, LATE, NR_RULES };

static const char *const rule_name[NR_RULES] = {
	"a plain store to a root", "bw_free()", "tiny objects",
	"a large object", "a channel", "a struct bw_ptr", "a weak reference",
	"a stack that waits", "a G that is made",
};

static u32 nr_cycles, nr_running, over;
static u32 nr_done[NR_RULES], nr_lost[NR_RULES];

static struct node *node_make(u64 id)
{
	struct node *n = bw_new(node);

	n->id = id;
	n->sum = ~id;
	return n;
}

static bool is_good(const struct node *n)
{
	return n && n->sum == ~n->id;
}

static bool done(enum rule r, bool good)
{
	fetch_add_relaxed(&nr_done[r], 1);
	if (!good)
		fetch_add_relaxed(&nr_lost[r], 1);
	return READ_ONCE(over) || !good;
}

static void leave(void)
{
	fetch_add_relaxed(&nr_running, (u32)-1);
}

struct link;

/* The last of a long list has the only pointer to it: it is looked at late. */
struct box {
	struct bw_chan *chan;
	struct link *chain;
	struct bw_ptr ptr[PTRS];
};

static u64 box_secret;

static inline struct box *far_box(void)
{
	return (struct box *)(uintptr_t)~box_secret;
}

static struct node *in_data[ROOTS];

/* Each node is in one place, and goes from roots to the heap and back. */
static void roots_actor(void *arg)
{
	struct node **given = mmap(NULL, ROOTS * sizeof(*given),
				   PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct node **slot = bw_alloc(ROOTS * sizeof(*slot));
	struct node **from = in_data, *n;
	u64 seed = 1, r;
	u32 i, k;

	EXPECT(given != MAP_FAILED &&
	       !bw_root_add(given, ROOTS * sizeof(*given)));
	for (i = 0; i < ROOTS; i++)
		in_data[i] = node_make(i);
	do {
		r = rig_random(&seed);
		i = r >> 8 & (ROOTS - 1);
		k = r >> 16 & (ROOTS - 1);
		if (r & 1) {
			n = from[i];
			from[i] = given[k];
			given[k] = slot[i];
			bw_set(&slot[i], n);
		} else {
			n = slot[i];
			bw_set(&slot[i], from[k]);
			from[k] = given[i];
			given[i] = n;
		}
		if (!(r >> 24 & 15))
			bw_set(&slot[k], slot[k] ? node_make(r) : NULL);
		if (!(r >> 32 & 1023))
			bw_yield();
		for (n = NULL, k = 0; !n && k < ROOTS; k++)
			n = from[(i + k) % ROOTS] ? from[(i + k) % ROOTS] :
						    given[(i + k) % ROOTS];
	} while (!done(ROOT, is_good(n)));
	memset(in_data, 0, sizeof(in_data));
	bw_root_del(given);
	munmap(given, ROOTS * sizeof(*given));
	leave();
}

static void wait_a_while(u64 n)
{
	while (n--)
		bw_yield();
}

#define CHAIN	20U
#define HELD	12U

/* Of a size that nobody else has: what is freed is what is taken next. */
struct link {
	struct link *next;
	u64 id;
	u64 pad[4];
};

BW_TYPE(link, struct link, next);

static struct link *link_make(u64 id)
{
	struct link *l = bw_new(link);

	l->id = id;
	l->pad[3] = ~id;
	return l;
}

static bool link_is_good(const struct link *l)
{
	return l->pad[3] == ~l->id;
}

static __attribute__((noinline)) void chain_make(struct link **slot)
{
	struct link *head = NULL, *l;
	u32 i;

	for (i = 0; i < CHAIN; i++) {
		l = link_make(i);
		/* nobody knows it yet: a plain store will do */
		l->next = head;
		head = l;
	}
	bw_set(slot, head);
}

/* Only the first is ever noted. */
static __attribute__((noinline)) bool chain_free(void)
{
	struct link *l = far_box()->chain, *next;
	bool good = true;

	bw_set(&far_box()->chain, NULL);
	for (; l; l = next) {
		next = l->next;
		good &= link_is_good(l);
		bw_free(l);
	}
	return good;
}

/* What is made where something was freed meanwhile, and is on a stack alone. */
static void free_actor(void *arg)
{
	u64 seed = 2, r;
	bool good;
	u32 i;

	do {
		struct link *volatile held[HELD], *dead = NULL;

		r = rig_random(&seed);
		good = chain_free();
		for (i = 0; i < HELD; i++)
			held[i] = link_make(r + i);
		for (i = 0; i < 3; i++) {
			wait_a_while(r >> (32 + 3 * i) & 7);
			/* what is gone is somebody else's then */
			chain_make(&dead);
		}
		for (i = 0; i < HELD; i++)
			good &= link_is_good(held[i]) && held[i]->id == r + i;
		chain_make(&far_box()->chain);
		wipe();
		wait_a_while(r >> 48 & 7);
	} while (!done(FREE, good));
	leave();
}

static __attribute__((noinline)) void tiny_drop(u32 n)
{
	u64 *p;

	while (n--) {
		p = bw_alloc_noscan(8);
		*p = ~0ULL;
	}
}

/* The other half of its block was there when marking began, perhaps, and is dead. */
static void tiny_actor(void *arg)
{
	u64 seed = 3, r;
	bool good = true;
	u32 i;

	do {
		u64 *volatile held[HELD];

		r = rig_random(&seed);
		for (i = 0; i < HELD; i++) {
			tiny_drop(1 + (r >> i & 1));
			wait_a_while(r >> (20 + i) & 1);
			held[i] = bw_alloc_noscan(8);
			*held[i] = r + i;
		}
		/* what is gone is somebody else's soon */
		for (i = 0; i < 4; i++) {
			wait_a_while(r >> (40 + 2 * i) & 3);
			tiny_drop(100);
		}
		for (i = 0; i < HELD; i++)
			good &= *held[i] == r + i;
	} while (!done(TINY, good));
	leave();
}

#define BIG	(40UL << 10)

/* With a span of its own, on a stack alone, its last word the only one to a node. */
static void large_actor(void *arg)
{
	u64 seed = 4, r;
	bool good;

	do {
		struct node **volatile p;

		r = rig_random(&seed);
		p = bw_alloc(BIG);
		bw_set(&p[BIG / 8 - 1], node_make(r));
		wait_a_while(r >> 32 & 7);
		good = is_good(p[BIG / 8 - 1]) && p[BIG / 8 - 1]->id == r;
	} while (!done(LARGE, good));
	leave();
}

static __attribute__((noinline)) void chan_send(struct node *n)
{
	bw_chan_send(far_box()->chan, &n);
}

static __attribute__((noinline)) struct node *chan_recv(void)
{
	struct node *n = NULL;

	bw_chan_recv(far_box()->chan, &n);
	return n;
}

/* Nodes go through a channel that is looked at late, and wait on a stack. */
static void chan_actor(void *arg)
{
	struct node *volatile held[HELD];
	u64 seed = 6, r;
	bool good = true;
	u32 i;

	for (i = 0; i < CHAN_CAP + HELD; i++) {
		held[i % HELD] = node_make(i);
		if (i < CHAN_CAP)
			chan_send(held[i % HELD]);
	}
	do {
		r = rig_random(&seed);
		for (i = 0; i < HELD; i++) {
			struct node *n = chan_recv();

			good &= is_good(n) && is_good(held[i]);
			chan_send(held[i]);
			held[i] = n;
		}
		wipe();
		wait_a_while(r & 3);
	} while (!done(CHAN, good));
	leave();
}

static __attribute__((noinline)) struct node *ptr_swap(u32 i, struct node *n,
						       bool cas)
{
	struct bw_ptr *at = &far_box()->ptr[i];
	struct node *was;

	if (!cas)
		return bw_ptr_xchg(at, n);
	was = bw_ptr_load(at);
	EXPECT(bw_ptr_cas(at, was, n));
	return was;
}

/* Each node is in one word of an object that is looked at late, or on a stack. */
static void ptr_actor(void *arg)
{
	struct node *volatile held[HELD];
	u64 in_box[PTRS], on_stack[HELD], seed = 7, id, r;
	bool good = true;
	u32 i, k;

	for (k = 0; k < PTRS; k++) {
		in_box[k] = k;
		ptr_swap(k, node_make(k), false);
	}
	for (i = 0; i < HELD; i++) {
		on_stack[i] = PTRS + i;
		held[i] = node_make(on_stack[i]);
	}
	do {
		r = rig_random(&seed);
		for (i = 0; i < HELD; i++) {
			k = (u32)(r >> i) & (PTRS - 1);
			held[i] = ptr_swap(k, held[i], r >> 20 & 1);
			id = in_box[k];
			in_box[k] = on_stack[i];
			on_stack[i] = id;
			good &= is_good(held[i]) && held[i]->id == id;
		}
		wipe();
		wait_a_while(r >> 32 & 3);
	} while (!done(PTR, good));
	leave();
}

static __attribute__((noinline)) struct bw_weak *weak_make(u64 id)
{
	return bw_weak_make(node_make(id));
}

/* Nothing but a weak reference for a while; then a stack that waits. */
static void weak_actor(void *arg)
{
	struct bw_weak *w = NULL;
	u64 seed = 5, r, id = 0;
	bool good;

	do {
		struct node *volatile n = NULL;

		r = rig_random(&seed);
		if (!w)
			w = weak_make(++id);
		wipe();
		wait_a_while(r & 15);
		n = bw_weak_get(w);
		wait_a_while(r >> 8 & 7);
		good = !n || (is_good(n) && n->id == id && bw_weak_get(w) == n);
		if (!n) {
			bw_weak_free(w);
			w = NULL;
		}
	} while (!done(WEAK, good));
	if (w)
		bw_weak_free(w);
	leave();
}

/* The only pointer is on a stack that waits most of the time. */
static void wait_actor(void *arg)
{
	struct node *volatile n = node_make((uintptr_t)arg);
	bool good;
	u32 i;

	do {
		for (i = 0; i < 8; i++)
			bw_yield();
		good = is_good(n) && n->id == (uintptr_t)arg;
		if (good && READ_ONCE(nr_cycles) % 4 == 3)
			n = node_make((uintptr_t)arg);
	} while (!done(WAIT, good));
	leave();
}

static void late(void *arg)
{
	struct node *n = arg;

	bw_yield();
	done(LATE, is_good(n));
	leave();
}

/* Its argument is in no object and on no stack, before it runs. */
static void late_actor(void *arg)
{
	u64 id = 0;
	u32 i;

	do {
		for (i = 0; i < LATE_GS; i++) {
			fetch_add_relaxed(&nr_running, 1);
			if (bw_go(late, node_make(++id)))
				leave();
		}
		wipe();
		bw_yield();
	} while (!READ_ONCE(over));
	leave();
}

static bool all_did(void)
{
	u32 i;

	for (i = 0; i < NR_RULES; i++)
		if (!READ_ONCE(nr_done[i]))
			return false;
	return true;
}

/* So much to be marked that Gs run many times meanwhile. */
static struct node *ballast_make(void)
{
	struct box *box = bw_alloc(sizeof(*box));
	struct node *list = NULL, *n;
	u32 i;

	bw_set(&box->chan, bw_chan_make_ptr(CHAN_CAP));
	box_secret = hide(box);
	for (i = 0; i < BALLAST; i++) {
		n = node_make(i);
		n->next = list;
		n->other = list ? NULL : (struct node *)(void *)box;
		list = n;
	}
	return list;
}

static int actors_main(void *arg)
{
	static void (*const actor[])(void *arg) = {
		roots_actor, free_actor, tiny_actor, large_actor, chan_actor,
		ptr_actor, weak_actor, late_actor,
	};
	struct node *ballast = ballast_make();
	u32 i;

	nr_running = ARRAY_SIZE(actor) + WAITERS;
	for (i = 0; i < ARRAY_SIZE(actor); i++)
		EXPECT(!bw_go(actor[i], NULL));
	for (i = 0; i < WAITERS; i++)
		EXPECT(!bw_go(wait_actor, (void *)(uintptr_t)i));
	for (i = 0; i < CYCLES || !all_did(); i++) {
		bw_gc();
		WRITE_ONCE(nr_cycles, i);
		bw_yield();
	}
	WRITE_ONCE(over, 1);
	while (READ_ONCE(nr_running))
		bw_yield();
	bw_keepalive(ballast);
	EXPECT(is_good(ballast));
	for (i = 0; i < NR_RULES; i++)
		if (!EXPECT(!nr_lost[i]))
			printf("# lost by %s\n", rule_name[i]);
	return 0;
}

static void actors_child(void *arg)
{
	if (arg)
		setenv("BURROW", arg, 1);
	bw_barriers_used();
	EXPECT(!bw_run(actors_main, NULL));
	EXPECT(bw_collector.running == BW_GC_HYBRID);
	EXPECT(rig_heap_is_whole());
}

static void with_options(const char *options)
{
	char said[4000];

	if (!EXPECT(!rig_child(actors_child, (void *)options, said,
			       sizeof(said))))
		printf("# %s\n", said);
}

static void what_programs_may_do_loses_nothing(void)
{
	with_options(NULL);
}

static void nor_does_a_second_look_find_anything(void)
{
	with_options("gccheckmark=1,gcverify=1");
}

static void nor_is_anything_used_that_was_freed(void)
{
	with_options("clobberfree=1");
}

int main(void)
{
	setenv("BURROW_GC", "100", 1);
	TEST(what_programs_may_do_loses_nothing);
	TEST(nor_does_a_second_look_find_anything);
	TEST(nor_is_anything_used_that_was_freed);
	return tap_end();
}
