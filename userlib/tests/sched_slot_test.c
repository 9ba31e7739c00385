// SPDX-License-Identifier: MIT
/* When a G has a stack, and what happens where there is no memory for one. One P. */
#include "sched_rig.h"

#define MANY	100L
#define SLOTS	16U

static char *slot_of[MANY];
static long nr_slots, begun, ended;
static struct bw_g *waiter[MANY];

/* Where this G's stack is. */
static void look(void *arg)
{
	slot_of[add(&nr_slots, 1) - 1] = bw_self()->stack;
	countdown_done(arg);
}

static long count_different(void)
{
	long i, k, n = 0;

	for (i = 0; i < nr_slots; i++) {
		for (k = 0; k < i && slot_of[k] != slot_of[i]; k++)
			;
		n += k == i;
	}
	return n;
}

static int look_from_many(void *arg)
{
	struct countdown c;
	long i;

	countdown_init(&c, MANY);
	for (i = 0; i < MANY; i++)
		EXPECT(!bw_go(look, &c));
	countdown_wait(&c);
	return 0;
}

static void Gs_of_which_one_ends_before_the_next_begins_have_one_stack(void)
{
	run_it(look_from_many);
	EXPECT(nr_slots == MANY);
	/* one more for each that lost its P while it looked */
	EXPECT(count_different() < MANY / 4);
}

static void wait_once(void *arg)
{
	long i = add(&begun, 1) - 1;

	__atomic_store_n(&waiter[i], bw_self(), __ATOMIC_SEQ_CST);
	bw_park();
	add(&ended, 1);
}

static int run_short(void *arg)
{
	long i, nr = 0, now = 0, most = 0;
	struct bw_g *g;

	for (i = 0; i < MANY; i++)
		EXPECT(!bw_go(wait_once, NULL));
	while (add(&ended, 0) < MANY) {
		bw_yield();
		now = add(&begun, 0);
		now -= add(&ended, 0);
		most = now > most ? now : most;
		for (; nr < MANY; nr++) {
			g = __atomic_load_n(&waiter[nr], __ATOMIC_SEQ_CST);
			if (!g)
				break;
			bw_ready(g);
		}
	}
	/* one is the first G's */
	EXPECT(most > 0 && most < SLOTS);
	return 0;
}

static void where_no_memory_is_for_a_stack_its_G_waits_for_a_free_one(void)
{
	bw_slots_max = SLOTS;
	run_it(run_short);
	bw_slots_max = ~0U;
}

static int run_out(void *arg)
{
	long i;

	for (i = 0; i < MANY; i++)
		bw_go(wait_once, NULL);
	bw_park();
	return 0;
}

static void run_out_soon(void *arg)
{
	bw_slots_max = SLOTS;
	bw_slot_patience = 5000000;
	run_it(run_out);
}

static void that_nobody_gives_one_back_for_long_is_fatal_and_said(void)
{
	static char said[4096];
	int status = rig_child(run_out_soon, NULL, said, sizeof(said));

	if (!EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) ||
	    !EXPECT(strstr(said, "there is no memory for the stack of G ")))
		printf("# status 0x%x, said: %s\n", status, said);
}

int main(void)
{
	setenv("BURROW_PROCS", "1", 1);
	TEST(that_nobody_gives_one_back_for_long_is_fatal_and_said);
	TEST(where_no_memory_is_for_a_stack_its_G_waits_for_a_free_one);
	TEST(Gs_of_which_one_ends_before_the_next_begins_have_one_stack);
	return tap_end();
}
