// SPDX-License-Identifier: MIT
/* Select: what it may do, how fairly, and many at once. */
#include <sched.h>

#include "burrow.h"
#include "chan_rig.h"

#define MOST	200

static struct countdown left;

static struct bw_chan *longs(size_t cap)
{
	return bw_chan_make_bytes(sizeof(long), cap);
}

/*
 * Four cases: a receive from a channel that is empty (e), has a value (v), is
 * closed (c), is NULL (n), a send to one that is full (f) or has room (r). Which
 * of them may be done; "-": none.
 */
static const struct {
	const char *cases;
	const char *may;
} rows[] = {
	{ "eeee", "-" }, { "nnnn", "-" }, { "efnf", "-" }, { "evee", "1" },
	{ "ecee", "1" }, { "feer", "3" }, { "vfne", "0" }, { "vcrn", "012" },
	{ "rrrr", "0123" }, { "envc", "23" },
};

static void prepare(struct bw_case *k, char what, long *value)
{
	struct bw_chan *c = what == 'n' ? NULL : longs(1);

	*k = (struct bw_case){ c, value, what == 'f' || what == 'r', false };
	if (what == 'v' || what == 'f')
		bw_chan_send(c, &(long){ 42 });
	if (what == 'c')
		bw_chan_close(c);
}

static bool is_right(const char *may, int i)
{
	if (*may == '-')
		return i == -EAGAIN;
	return i >= 0 && strchr(may, '0' + i);
}

static int run_rows(void *arg)
{
	u32 r, i, n;

	for (r = 0; r < ARRAY_SIZE(rows); r++)
		for (n = 0; n < 20; n++) {
			struct bw_case k[4];
			long value[4];
			int got;

			for (i = 0; i < 4; i++) {
				value[i] = 7;
				prepare(&k[i], rows[r].cases[i], &value[i]);
			}
			got = n & 1 && *rows[r].may != '-' ?
			      bw_select(k, 4) : bw_select_try(k, 4);
			if (!EXPECT(is_right(rows[r].may, got)))
				printf("# row %u: %d\n", r, got);
			if (got < 0)
				continue;
			if (rows[r].cases[got] == 'v')
				EXPECT(value[got] == 42 && !k[got].closed);
			if (rows[r].cases[got] == 'c')
				EXPECT(!value[got] && k[got].closed);
			if (rows[r].cases[got] == 'r')
				EXPECT(bw_chan_len(k[got].chan) == 1);
		}
	return 0;
}

static void a_select_does_only_what_can_be_done(void)
{
	EXPECT(!run_it(run_rows));
}

static int run_fair(void *arg)
{
	static const u32 sizes[] = { 2, 3, 7, 64 };
	u32 s, i, k, draws;

	for (s = 0; s < ARRAY_SIZE(sizes); s++) {
		struct bw_case cases[64];
		u32 count[64] = { 0 }, n = sizes[s];
		long value;

		for (i = 0; i < n; i++) {
			cases[i] = (struct bw_case)BW_RECV(longs(0), &value);
			bw_chan_close(cases[i].chan);
		}
		draws = n * 1000;
		for (k = 0; k < draws; k++) {
			int got = bw_select(cases, n);

			if (!EXPECT(got >= 0 && got < (int)n))
				return 1;
			count[got]++;
		}
		/* 1000 each are expected, with a deviation of 32: ten of it */
		for (i = 0; i < n; i++)
			if (!EXPECT(count[i] > 680 && count[i] < 1320))
				printf("# %u of %u: %u\n", i, n, count[i]);
	}
	return 0;
}

static void cases_that_are_ready_are_chosen_evenly(void)
{
	EXPECT(!run_it(run_fair));
}

static int run_limits(void *arg)
{
	struct bw_chan *c = longs(0);
	u64 value, from = bw_now();
	struct bw_case k[] = { BW_RECV(c, &value), BW_SEND(c, &value) };
	struct bw_case t[] = {
		BW_RECV(c, &value), BW_RECV(bw_chan_after(2000000), &value),
	};

	EXPECT(bw_select_until(k, 2, bw_now() + 1000000) == -ETIMEDOUT);
	EXPECT(bw_now() >= from + 1000000);
	EXPECT(!c->recvq.first && !c->sendq.first);
	EXPECT(bw_select_until(k, 0, bw_now() + 1000000) == -ETIMEDOUT);
	EXPECT(bw_select_try(k, 0) == -EAGAIN);
	EXPECT(bw_select(t, 2) == 1 && value >= from + 2000000);
	EXPECT(!c->recvq.first);
	/* the timer has no more; the deadline does it */
	EXPECT(bw_select_until(t, 2, bw_now() + 1000000) == -ETIMEDOUT);
	return 0;
}

static void deadlines_and_timers_end_a_select(void)
{
	EXPECT(!run_it(run_limits));
}

static struct bw_chan *many[MOST];
static u32 nr_many;

static void feeder(void *arg)
{
	long i, value;

	/* each of them, from the last to the first, twice over */
	for (i = 2 * (long)nr_many; i--;) {
		value = i;
		bw_chan_send(many[i % nr_many], &value);
	}
	countdown_done(&left);
}

static int run_wide(void *arg)
{
	static const u32 sizes[] = { 1, 8, 9, 64, 65, MOST };
	static struct bw_case cases[MOST];
	long value[MOST], i;
	u32 s, k;

	for (s = 0; s < ARRAY_SIZE(sizes); s++) {
		nr_many = sizes[s];
		for (k = 0; k < nr_many; k++) {
			/* two cases of one channel here and there */
			many[k] = k % 5 == 4 ? many[k - 1] : longs(0);
			cases[k] = (struct bw_case)BW_RECV(many[k], &value[k]);
		}
		countdown_init(&left, 1);
		bw_go(feeder, NULL);
		for (i = 2 * (long)nr_many; i--;) {
			int got = bw_select(cases, nr_many);

			EXPECT(got >= 0 && value[got] == i &&
			       many[i % nr_many] == many[got]);
		}
		countdown_wait(&left);
		for (k = 0; k < nr_many; k++)
			EXPECT(!many[k]->recvq.first);
	}
	return 0;
}

static void a_select_waits_in_as_many_channels_as_one_likes(void)
{
	EXPECT(!run_it(run_wide));
}

#define TRADERS	16
#define CHANS	4
#define TRADES	(RIG_SLOW ? 500 : 5000)

static struct bw_chan *chans[CHANS];
static long sent, received;

/*
 * Sends to any and receives from any, in one select, in an order of its own; so
 * what is sent is received by another, and locks are taken in every order.
 */
static void trader(void *arg)
{
	struct bw_case k[2 * CHANS];
	u64 seed = (uintptr_t)arg * 77 + 1;
	long in[CHANS], out, i, j;
	int got;

	for (i = 0; i < TRADES; i++) {
		out = (long)(rig_random(&seed) % 1000);
		for (j = 0; j < CHANS; j++) {
			long c = (j + (long)arg) % CHANS;

			k[j] = (struct bw_case)BW_SEND(chans[c], &out);
			k[2 * CHANS - 1 - j] =
				(struct bw_case)BW_RECV(chans[c], &in[j]);
		}
		got = bw_select_until(k, 2 * CHANS, i % 8 ? BW_FOREVER :
				      bw_now() + rig_random(&seed) % 50000);
		if (got >= CHANS)
			add(&received, in[2 * CHANS - 1 - got]);
		else if (got >= 0)
			add(&sent, out);
		else
			EXPECT(got == -ETIMEDOUT);
	}
	countdown_done(&left);
}

/* Those who are left alone find somebody to trade with. */
static int run_traders(void *arg)
{
	struct bw_case k[2 * CHANS];
	long in, out = 1, i;
	int got;

	for (i = 0; i < CHANS; i++)
		chans[i] = longs(i / 2);
	sent = 0;
	received = 0;
	countdown_init(&left, TRADERS);
	for (i = 0; i < TRADERS; i++)
		bw_go(trader, (void *)i);
	for (i = 0; i < CHANS; i++) {
		k[i] = (struct bw_case)BW_SEND(chans[i], &out);
		k[CHANS + i] = (struct bw_case)BW_RECV(chans[i], &in);
	}
	while (READ_ONCE(left.left)) {
		got = bw_select_until(k, 2 * CHANS, bw_now() + 100000);
		if (got >= CHANS)
			add(&received, in);
		else if (got >= 0)
			add(&sent, out);
	}
	countdown_wait(&left);
	for (i = 0; i < CHANS; i++) {
		while (!bw_chan_try_recv(chans[i], &in))
			received += in;
		EXPECT(!chans[i]->recvq.first && !chans[i]->sendq.first);
	}
	EXPECT(sent == received);
	return 0;
}

static void what_selects_send_selects_receive(void)
{
	EXPECT(!run_it(run_traders));
}

static void waits_for_stop(void *arg)
{
	struct bw_chan **c = arg;
	long value;
	struct bw_case k[] = {
		BW_RECV(c[0], &value), BW_RECV(c[1], &value),
	};

	EXPECT(bw_select(k, 2) == 1 && k[1].closed && !value);
	countdown_done(&left);
}

static int run_stop(void *arg)
{
	struct bw_chan *c[] = { longs(0), longs(0) };
	long i;

	countdown_init(&left, 50);
	for (i = 0; i < 50; i++)
		bw_go(waits_for_stop, c);
	rig_wait_waiters(c[1], &c[1]->recvq, 50);
	bw_chan_close(c[1]);
	countdown_wait(&left);
	EXPECT(!c[0]->recvq.first);
	return 0;
}

static void closing_one_channel_ends_every_select_on_it(void)
{
	EXPECT(!run_it(run_stop));
}

static void left_in_two(void *arg)
{
	waits_for_stop(arg);
}

static struct bw_chan *kept[2];

static int run_leaves(void *arg)
{
	long i;

	kept[0] = longs(0);
	kept[1] = longs(0);
	for (i = 0; i < 10; i++)
		bw_go(left_in_two, kept);
	rig_wait_waiters(kept[1], &kept[1]->recvq, 10);
	return 0;
}

static void selects_that_a_run_left_are_in_no_channel(void)
{
	EXPECT(!run_it(run_leaves));
	EXPECT(!kept[0]->recvq.first && !kept[1]->recvq.first);
}

/**
 * struct two - channels in the order of their addresses
 */
static struct two {
	struct bw_chan *c[2];
	u32 began;
} two;

static void selects_two(void *arg)
{
	struct bw_case k[] = {
		BW_RECV(two.c[1], NULL), BW_RECV(two.c[0], NULL),
	};

	/* pairs with holds_a_lock() */
	smp_store_release(&two.began, 1);
	EXPECT(bw_select(k, 2) == 1);
	countdown_done(&left);
}

static bool nobody_waits(void)
{
	return !READ_ONCE(two.c[0]->recvq.first) &&
	       !READ_ONCE(two.c[1]->recvq.first);
}

/* For a while; what holds need not be waited for. */
static void stays_out(bool with_first)
{
	u32 i;

	for (i = 0; i < 200; i++) {
		EXPECT(nobody_waits());
		if (with_first)
			EXPECT(READ_ONCE(two.c[0]->lock) == BW_LOCK_HELD);
		sched_yield();
	}
}

/* Not a G: it holds what a select wants, and looks. */
static void *holds_a_lock(void *arg)
{
	u32 which = (u32)(uintptr_t)arg;

	EXPECT(!bw_thread_attach());
	bw_chan_lock(two.c[which]);
	bw_go(selects_two, NULL);
	/* pairs with selects_two() */
	while (!smp_load_acquire(&two.began))
		sched_yield();
	/* it takes the first, and comes to the second */
	while (which && READ_ONCE(two.c[0]->lock) != BW_LOCK_HELD)
		sched_yield();
	stays_out(which);
	EXPECT(READ_ONCE(two.c[which]->lock) == BW_LOCK_HELD);
	bw_chan_unlock(two.c[which]);
	rig_wait_waiters(two.c[0], &two.c[0]->recvq, 1);
	bw_chan_send(two.c[0], NULL);
	bw_thread_detach();
	return NULL;
}

static int run_locks(void *arg)
{
	struct bw_chan *a, *b;
	pthread_t t;
	uintptr_t i;

	for (i = 0; i < 2; i++) {
		a = bw_chan_make_bytes(0, 0);
		b = bw_chan_make_bytes(0, 0);
		two = (struct two){ { min(a, b), max(a, b) }, 0 };
		countdown_init(&left, 1);
		EXPECT(!pthread_create(&t, NULL, holds_a_lock, (void *)i));
		bw_block_begin();
		pthread_join(t, NULL);
		bw_block_end();
		countdown_wait(&left);
		EXPECT(nobody_waits());
	}
	return 0;
}

static void a_select_waits_only_when_it_has_all_locks_in_order(void)
{
	EXPECT(!run_it(run_locks));
}

int main(void)
{
	setenv("BURROW_PROCS", "2", 1);
	TEST(a_select_does_only_what_can_be_done);
	TEST(cases_that_are_ready_are_chosen_evenly);
	TEST(deadlines_and_timers_end_a_select);
	TEST(a_select_waits_in_as_many_channels_as_one_likes);
	TEST(what_selects_send_selects_receive);
	TEST(closing_one_channel_ends_every_select_on_it);
	TEST(a_select_waits_only_when_it_has_all_locks_in_order);
	TEST(selects_that_a_run_left_are_in_no_channel);
	return tap_end();
}
