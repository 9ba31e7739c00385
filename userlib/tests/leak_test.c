// SPDX-License-Identifier: MIT
/*
 * Gs that wait for ever are found, and no others. What they wait for is an event
 * of our own: an object that one G waits for, and whoever has it may let it go.
 */
#include "gc_rig.h"

#define MANY	12
/* A stale word may hide a few. */
#define MOST(n)	((n) - (n) / 4)

struct event {
	struct bw_g *waiter;
	struct event *other;
	u64 sum;
};

static u32 ready, done, finals;
static struct event *volatile global;

static void count_ready(void)
{
	/* pairs with until_waiting() */
	__atomic_add_fetch(&ready, 1, __ATOMIC_RELEASE);
}

/* Off its stack; @ready counts them. */
static bool commit(struct bw_g *g, void *arg)
{
	struct event *e = arg;

	/* pairs with event_fire() */
	smp_store_release(&e->waiter, g);
	count_ready();
	return true;
}

static __attribute__((noinline)) void event_wait(struct event *e)
{
	const void *on[] = { NULL, e };

	bw_sched_waits_on(bw_self(), on, ARRAY_SIZE(on));
	bw_sched_park(commit, e, "an event");
	bw_sched_waits_on(bw_self(), NULL, 0);
}

static void event_fire(struct event *e)
{
	struct bw_g *g;

	while (!(g = xchg(&e->waiter, NULL)))
		bw_yield();
	bw_sched_ready(g);
}

static struct event *event_new(void)
{
	struct event *e = bw_alloc(sizeof(*e));

	e->sum = 0x600d;
	return e;
}

/* Until @n are off their stacks and wait. */
static void until_waiting(u32 n)
{
	/* pairs with count_ready() */
	while (smp_load_acquire(&ready) < n)
		bw_yield();
}

/* Those that were started with @fn, of all that are found. */
static size_t leaked(void (*fn)(void *arg))
{
	static struct bw_leak leak[200];
	size_t i, n = 0, nr;

	wipe();
	nr = bw_leaks(leak, ARRAY_SIZE(leak));
	for (i = 0; i < nr && i < ARRAY_SIZE(leak); i++) {
		EXPECT(leak[i].id == bw_g_id(leak[i].g));
		EXPECT(!strcmp(leak[i].reason, "an event"));
		n += leak[i].fn == fn;
	}
	return n;
}

static void waits_for_its_own(void *arg)
{
	event_wait(event_new());
	EXPECT(!"it goes on");
}

static void waits_for_the_global(void *arg)
{
	event_wait(global);
	fetch_add_relaxed(&done, 1);
}

static int own_and_global(void *arg)
{
	u32 i;

	ready = 0;
	done = 0;
	EXPECT(leaked(waits_for_its_own) == 0);
	global = event_new();
	bw_go(waits_for_the_global, NULL);
	for (i = 0; i < MANY; i++)
		bw_go_named("lost", waits_for_its_own, NULL);
	until_waiting(MANY + 1);
	EXPECT(leaked(waits_for_its_own) >= MOST(MANY));
	EXPECT(leaked(waits_for_its_own) <= MANY);
	EXPECT(leaked(waits_for_the_global) == 0);
	event_fire(global);
	while (!READ_ONCE(done))
		bw_yield();
	/* and now nobody can reach it */
	ready = 0;
	global = event_new();
	bw_go(waits_for_the_global, NULL);
	until_waiting(1);
	EXPECT(leaked(waits_for_the_global) == 0);
	event_fire(global);
	global = NULL;
	return 0;
}

static void who_waits_for_what_nobody_has_is_found(void)
{
	EXPECT(!bw_run(own_and_global, NULL));
}

static void forgotten(void *arg)
{
	event_wait(arg);
}

static __attribute__((noinline)) void start_forgotten(void)
{
	u32 i;

	for (i = 0; i < MANY; i++) {
		struct event *e = event_new();

		e->other = global;
		global = e;
		bw_go(forgotten, e);
	}
}

static int forgotten_main(void *arg)
{
	ready = 0;
	start_forgotten();
	until_waiting(MANY);
	EXPECT(leaked(forgotten) == 0);
	global = NULL;
	EXPECT(leaked(forgotten) >= MOST(MANY));
	return 0;
}

static void it_is_found_once_the_last_pointer_is_gone(void)
{
	EXPECT(!bw_run(forgotten_main, NULL));
}

/*
 * Each waits for an event and holds, on its stack alone, the one the next waits
 * for. Whoever can fire the first can, in the end, have all go on.
 */
static void link_of_chain(void *arg)
{
	struct event *mine = arg, *volatile next = mine->other;

	mine->other = NULL;
	event_wait(mine);
	if (next)
		event_fire(next);
	fetch_add_relaxed(&done, 1);
}

static __attribute__((noinline)) void start_chain(u32 n)
{
	struct event *last = NULL, *e;
	u32 i;

	for (i = 0; i < n; i++) {
		e = event_new();
		e->other = last;
		last = e;
	}
	global = last;
	for (; last; last = e) {
		/* it takes the pointer out */
		e = last->other;
		bw_go(link_of_chain, last);
	}
}

static int chain_main(void *arg)
{
	ready = 0;
	done = 0;
	start_chain(MANY);
	until_waiting(MANY);
	EXPECT(leaked(link_of_chain) == 0);
	event_fire(global);
	while (READ_ONCE(done) < MANY)
		bw_yield();
	/* the same with nobody at its beginning */
	ready = 0;
	start_chain(MANY);
	until_waiting(MANY);
	global = NULL;
	EXPECT(leaked(link_of_chain) >= MOST(MANY));
	return 0;
}

static void who_can_be_reached_by_one_that_may_go_on_is_not(void)
{
	EXPECT(!bw_run(chain_main, NULL));
}

/* Two that hold what the other waits for. */
static void embraced(void *arg)
{
	struct event *mine = arg, *volatile next = mine->other;

	mine->other = NULL;
	event_wait(mine);
	event_fire(next);
}

static __attribute__((noinline)) void start_embraced(void)
{
	u32 i;

	for (i = 0; i < MANY / 2; i++) {
		struct event *a = event_new(), *b = event_new();

		a->other = b;
		b->other = a;
		bw_go(embraced, a);
		bw_go(embraced, b);
	}
}

static int embraced_main(void *arg)
{
	ready = 0;
	start_embraced();
	until_waiting(MANY);
	EXPECT(leaked(embraced) >= MOST(MANY));
	return 0;
}

static void two_that_hold_what_the_other_waits_for_are_found(void)
{
	EXPECT(!bw_run(embraced_main, NULL));
}

static u64 secret[MANY];

static void final_count(void *obj, void *arg)
{
	fetch_add_relaxed(&finals, 1);
}

static void keeper(void *arg)
{
	struct event *e = event_new();
	u64 *volatile kept = bw_alloc(64);

	*kept = 0x600d;
	secret[(uintptr_t)arg] = hide(kept);
	EXPECT(!bw_finalizer_set(kept, final_count, NULL));
	event_wait(e);
	bw_keepalive(kept);
}

static int keepers_main(void *arg)
{
	u32 i, left = 0;

	ready = 0;
	finals = 0;
	for (i = 0; i < MANY; i++)
		bw_go(keeper, (void *)(uintptr_t)i);
	until_waiting(MANY);
	EXPECT(leaked(keeper) >= MOST(MANY));
	EXPECT(leaked(keeper) >= MOST(MANY));
	for (i = 0; i < MANY; i++)
		left += is_there(secret[i]);
	EXPECT(left == MANY && !finals);
	return 0;
}

static void what_they_hold_lives_and_is_not_finalized(void)
{
	EXPECT(!bw_run(keepers_main, NULL));
}

static void parks(void *arg)
{
	*(struct bw_g **)arg = bw_self();
	count_ready();
	bw_park();
	fetch_add_relaxed(&done, 1);
}

static int others_main(void *arg)
{
	static struct bw_g *g;
	struct bw_leak leak;

	ready = 0;
	done = 0;
	bw_alloc(16);
	bw_go(parks, &g);
	until_waiting(1);
	while (READ_ONCE(g->state) != BW_G_PARKED)
		bw_yield();
	EXPECT(bw_leaks(&leak, 1) == 0);
	EXPECT(bw_leaks(NULL, 0) == 0);
	bw_ready(g);
	while (!READ_ONCE(done))
		bw_yield();
	return 0;
}

static void who_did_not_say_what_it_waits_for_is_not_among_them(void)
{
	EXPECT(!bw_run(others_main, NULL));
}

static int lost_main(void *arg)
{
	u32 i;

	ready = 0;
	for (i = 0; i < MANY; i++)
		bw_go_named("lost", waits_for_its_own, NULL);
	until_waiting(MANY);
	return 0;
}

static int exit_main(void *arg)
{
	lost_main(arg);
	bw_exit();
}

static int content_main(void *arg)
{
	bw_alloc(16);
	return 0;
}

static void plain_child(void *arg)
{
	setenv("BURROW", "leakcheck=1", 1);
	EXPECT(!bw_run(exit_main, NULL));
}

static void hybrid_child(void *arg)
{
	setenv("BURROW", "leakcheck=1", 1);
	bw_barriers_used();
	EXPECT(!bw_run(lost_main, NULL));
	EXPECT(bw_collector.mode == BW_GC_HYBRID);
}

static void content_child(void *arg)
{
	setenv("BURROW", "leakcheck=1", 1);
	EXPECT(!bw_run(content_main, NULL));
}

static void leakcheck_names_them_when_the_run_ends(void)
{
	static char said[64 << 10];
	u32 i;

	for (i = 0; i < 2; i++) {
		EXPECT(!rig_child(i ? hybrid_child : plain_child, NULL, said,
				  sizeof(said)));
		if (!EXPECT(strstr(said, "leakcheck: ") &&
			    strstr(said, "Gs wait for what nobody can reach") &&
			    strstr(said, "'lost' parked (an event)") &&
			    strstr(said, "started with waits_for_its_own")))
			printf("# %s\n", said);
	}
	EXPECT(!rig_child(content_child, NULL, said, sizeof(said)));
	if (!EXPECT(!*said))
		printf("# %s\n", said);
}

int main(void)
{
	setenv("BURROW_GC", "100", 1);
	/* in children, before there is a heap here */
	TEST(leakcheck_names_them_when_the_run_ends);
	TEST(who_waits_for_what_nobody_has_is_found);
	TEST(it_is_found_once_the_last_pointer_is_gone);
	TEST(who_can_be_reached_by_one_that_may_go_on_is_not);
	TEST(two_that_hold_what_the_other_waits_for_are_found);
	TEST(what_they_hold_lives_and_is_not_finalized);
	TEST(who_did_not_say_what_it_waits_for_is_not_among_them);
	return tap_end();
}
