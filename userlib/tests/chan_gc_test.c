// SPDX-License-Identifier: MIT
/*
 * Channels and the collector: what is on its way lives, and who waits in a channel
 * that nobody has is found.
 */
#include "burrow.h"
#include "chan_rig.h"
#include "node_rig.h"
#include "note_rig.h"

/* Nodes that only a channel, or who waits in it, has. */
struct pair {
	struct node *a;
	long tag;
	struct node *b;
};

BW_TYPE(pair, struct pair, a, b);

#define NODES	(RIG_SLOW ? 1000 : 20000)

static void node_sender(void *arg)
{
	struct bw_chan *c = arg;
	struct pair p;
	long i;

	for (i = 0; i < NODES; i++) {
		p = (struct pair){ node_new((u64)i), i, node_new((u64)-i) };
		bw_chan_send(c, &p);
		memset(&p, 0, sizeof(p));
	}
	bw_chan_close(c);
}

/* From one channel to the next. */
static void node_mover(void *arg)
{
	struct bw_chan **c = arg;
	struct pair p;

	bw_chan_range(c[0], &p)
		bw_chan_send(c[1], &p);
	bw_chan_close(c[1]);
}

static int run_nodes(void *arg)
{
	struct bw_chan *c[] = {
		bw_chan_make(pair, 0), bw_chan_make(pair, 7),
		bw_chan_make_words(3, 0), bw_chan_make_words(3, 100),
	};
	struct pair p;
	long n = 0;
	u32 i;

	bw_go(node_sender, c[0]);
	for (i = 0; i < 3; i++)
		bw_go(node_mover, &c[i]);
	bw_chan_range(c[3], &p) {
		EXPECT(node_is_good(p.a, (u64)n) && node_is_good(p.b, (u64)-n) &&
		       p.tag == n);
		n++;
		if (n % 64 == 0)
			bw_alloc(4000);
	}
	EXPECT(n == NODES);
	return 0;
}

static void nodes_child(void *arg)
{
	rig_collect(arg, arg ? "gcevery=300,clobberfree=1" :
			       "gccheckmark=1,gcevery=500,clobberfree=1");
	run_it(run_nodes);
	exit(tap_bad_here != 0);
}

static void what_is_on_its_way_is_found_by_the_collector(void)
{
	rig_both_collectors(nodes_child);
}

static void receives_one(void *arg)
{
	struct pair got;

	bw_chan_recv(arg, &got);
}

static int run_notes(void *arg)
{
	struct bw_chan *c[] = {
		bw_chan_make_ptr(1), bw_chan_make_words(3, 1),
		bw_chan_make(pair, 1),
	};
	struct pair p = { node_new(1), 5, node_new(2) }, got;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(c); i++) {
		is_noted(NULL);
		bw_chan_send(c[i], &p);
		EXPECT(is_noted(p.a));
		memset(&got, 0, sizeof(got));
		bw_chan_recv(c[i], &got);
		EXPECT(got.a == p.a && is_noted(p.a));
		bw_chan_send(c[i], &p);
		is_noted(NULL);
		bw_chan_recv(c[i], NULL);
		EXPECT(is_noted(p.a));
		bw_go(receives_one, c[i]);
		rig_wait_waiters(c[i], &c[i]->recvq, 1);
		is_noted(NULL);
		bw_chan_send(c[i], &p);
		EXPECT(is_noted(p.a));
	}
	return 0;
}

static void each_way_of_a_pointer_is_noted_while_marking(void)
{
	while_marking(run_notes);
}

static int run_places(void *arg)
{
	struct bw_chan *c[] = {
		bw_chan_make_ptr(2), bw_chan_make_words(3, 2),
		bw_chan_make(pair, 2),
	};
	char zeros[2 * sizeof(struct pair)] = { 0 };
	struct pair p = { 0 };
	u32 i;

	memset(&p, 1, sizeof(p));
	for (i = 0; i < ARRAY_SIZE(c); i++) {
		bw_chan_send(c[i], &p);
		EXPECT(memcmp(c[i]->buf, zeros, 2 * c[i]->size));
		bw_chan_recv(c[i], &p);
		EXPECT(!memcmp(c[i]->buf, zeros, 2 * c[i]->size));
	}
	return 0;
}

static void what_was_taken_is_not_kept_by_the_buffer(void)
{
	EXPECT(!run_it(run_places));
}

static struct bw_chan *known;

/* A pointer to where an object begins keeps the one that ends there, too. */
static struct bw_chan *lone(void)
{
	bw_chan_make_bytes(0, 0);
	return bw_chan_make_bytes(0, 0);
}

static void forgotten(void *arg)
{
	struct bw_case k[] = {
		BW_RECV(lone(), NULL), BW_RECV(NULL, NULL),
		BW_RECV(arg ? known : lone(), NULL),
	};

	bw_select(k, 3);
}

static void forgotten_alone(void *arg)
{
	if (arg)
		bw_chan_recv(lone(), NULL);
	else
		bw_chan_recv(NULL, NULL);
}

static void awaited(void *arg)
{
	if (arg)
		bw_chan_recv(known, NULL);
	else
		bw_chan_recv_until(lone(), NULL,
				   bw_now() + 3600000000000ULL);
}

static u32 nr_parked;

static void count_parked(struct bw_g *g, void *arg)
{
	nr_parked += READ_ONCE(g->state) == BW_G_PARKED && g->stack;
}

/* What a caller had in registers and frames that are no more is overwritten. */
static __attribute__((noinline)) void clear_below(void)
{
	volatile char room[4096];

	memset((void *)room, 0, sizeof(room));
}

static int run_leaks(void *arg)
{
	struct bw_leak leak[8];
	u32 i, k, nr[5] = { 0 };
	size_t n;

	known = lone();
	bw_go_named("0", forgotten, NULL);
	bw_go_named("1", forgotten_alone, known);
	bw_go_named("2", forgotten_alone, NULL);
	bw_go_named("3", forgotten, known);
	bw_go_named("4", awaited, known);
	bw_go_named("4", awaited, NULL);
	do {
		bw_yield();
		nr_parked = 0;
		bw_g_each(count_parked, NULL);
	} while (nr_parked < 6);
	clear_below();
	n = bw_leaks(leak, 8);
	EXPECT(n == 3);
	for (i = 0; i < n && i < 8; i++)
		nr[leak[i].name[0] - '0']++;
	for (k = 0; k < 5; k++)
		if (!EXPECT(k < 3 ? nr[k] == 1 : !nr[k]))
			printf("# '%u' was found %u times\n", k, nr[k]);
	return 0;
}

static void run_leaks_alone(void *arg)
{
	setenv("BURROW_PROCS", "1", 1);
	run_it(run_leaks);
}

static void who_waits_in_a_channel_that_nobody_has_is_found(void)
{
	EXPECT(rig_child_is_well(run_leaks_alone, NULL));
}

int main(void)
{
	setenv("BURROW_PROCS", "2", 1);
	TEST(what_is_on_its_way_is_found_by_the_collector);
	TEST(each_way_of_a_pointer_is_noted_while_marking);
	TEST(who_waits_in_a_channel_that_nobody_has_is_found);
	TEST(what_was_taken_is_not_kept_by_the_buffer);
	return tap_end();
}
