// SPDX-License-Identifier: MIT
/* Contexts and groups: a tree that is cancelled, deadlines, values, first errors. */
#include "burrow.h"
#include "chan_rig.h"
#include "gc_rig.h"

#define MS		1000000ULL
#define LONG		(600 * 1000 * MS)
#define WAITERS		8
#define TREES		(RIG_SLOW ? 20 : 400)

static char said[8000];
static struct countdown left;
static const char key_one, key_two;

/*
 * Contexts by letters, each made from the one before the letter: "Ca" is a
 * with_cancel named a. C: cancel, D: a deadline far away, P: one that has passed,
 * V: a value. "!x" cancels x with a cause. Then each letter's error: 0: none,
 * c: cancelled, t: timed out, and 1 behind c: with the cause that was given.
 */
static const struct {
	const char *script;
	const char *errors;
} trees[] = {
	{ ".Ca", "a0" },
	{ ".Ca !a", "ac1" },
	{ ".Ca aCb bCc aCd !b", "a0 bc1 cc1 d0" },
	{ ".Ca aCb bCc !a", "ac1 bc1 cc1" },
	{ ".Ca !a aCb bVc cCd", "ac1 bc1 cc1 dc1" },
	{ ".Ca aVb bCc !c !a", "ac1 bc1 cc1" },
	{ ".Va aCb bVc !b", "a0 bc1 cc1" },
	{ ".Pa aCb !a !b", "at bt" },
	{ ".Da aPb bCc !a", "ac1 bt ct" },
	{ ".Da aCb bDc !b", "a0 bc1 cc1" },
	{ ".Va", "a0" },
};

static struct bw_ctx *make_one(char kind, struct bw_ctx *parent)
{
	switch (kind) {
	case 'C':
		return bw_ctx_with_cancel(parent);
	case 'D':
		return bw_ctx_with_timeout(parent, LONG);
	case 'P':
		return bw_ctx_with_deadline(parent, bw_now() - 1);
	default:
		return bw_ctx_with_value(parent, &key_one, (void *)&key_two);
	}
}

static bool is_as_said(struct bw_ctx *c, const char *says)
{
	int want = *says == 'c' ? -ECANCELED : *says == 't' ? -ETIMEDOUT : 0;
	int closed = bw_chan_try_recv(bw_ctx_done(c), NULL);

	return bw_ctx_err(c) == want &&
	       bw_ctx_cause(c) == (says[1] == '1' ? -EIO : want) &&
	       closed == (want ? -EPIPE : -EAGAIN);
}

static void try_tree(u32 row)
{
	struct bw_ctx *c[128] = { NULL };
	const char *at;

	for (at = trees[row].script; at; at = strchr(at, ' '), at += !!at) {
		if (*at == '!')
			bw_ctx_cancel_cause(c[(int)at[1]], -EIO);
		else
			c[(int)at[2]] = make_one(at[1], c[(int)at[0]]);
	}
	for (at = trees[row].errors; at; at = strchr(at, ' '), at += !!at)
		if (!EXPECT(is_as_said(c[(int)*at], at + 1)))
			printf("# row %u at '%s'\n", row, at);
}

static int run_table(void *arg)
{
	struct bw_ctx *bg = bw_ctx_background();
	u32 i;

	EXPECT(!bw_ctx_err(bg) && !bw_ctx_done(bg) && !bw_ctx_cause(bg));
	EXPECT(bw_ctx_deadline(bg) == BW_FOREVER);
	for (i = 0; i < ARRAY_SIZE(trees); i++)
		try_tree(i);
	return 0;
}

static void a_tree_of_contexts_ends_as_the_table_says(void)
{
	EXPECT(!run_it(run_table));
}

static int run_values(void *arg)
{
	int one, other;
	struct bw_ctx *a = bw_ctx_with_value(NULL, &key_one, &one);
	struct bw_ctx *b = bw_ctx_with_cancel(a);
	struct bw_ctx *c = bw_ctx_with_value(b, &key_two, &other);
	struct bw_ctx *d = bw_ctx_with_value(c, &key_one, &other);

	EXPECT(!bw_ctx_value(NULL, &key_one));
	EXPECT(bw_ctx_value(c, &key_one) == &one);
	EXPECT(bw_ctx_value(d, &key_one) == &other);
	EXPECT(bw_ctx_value(d, &key_two) == &other);
	EXPECT(!bw_ctx_value(b, &key_two) && !bw_ctx_value(d, &other));
	return 0;
}

static void the_nearest_value_with_a_key_is_found(void)
{
	EXPECT(!run_it(run_values));
}

static int run_deadlines(void *arg)
{
	struct bw_ctx *late = bw_ctx_with_timeout(NULL, LONG);
	struct bw_ctx *soon = bw_ctx_with_timeout(late, 2 * MS);
	struct bw_ctx *child = bw_ctx_with_timeout(soon, LONG);
	u64 until = bw_ctx_deadline(soon);

	EXPECT(bw_ctx_deadline(child) == until);
	EXPECT(bw_ctx_deadline(late) > until);
	/* nobody cancels it */
	EXPECT(!bw_chan_recv(bw_ctx_done(child), NULL));
	EXPECT(bw_now() >= until && bw_ctx_err(child) == -ETIMEDOUT);
	EXPECT(bw_ctx_err(soon) == -ETIMEDOUT && !bw_ctx_err(late));
	EXPECT(bw_chan_recv_until(bw_ctx_done(late), NULL, bw_now() + MS) ==
	       -ETIMEDOUT);
	EXPECT(!bw_ctx_sleep(late, MS) && !bw_ctx_sleep(NULL, MS));
	EXPECT(bw_ctx_sleep(child, LONG) == -ETIMEDOUT);
	soon = bw_ctx_with_timeout(late, 2 * MS);
	EXPECT(bw_ctx_sleep(soon, LONG) == -ETIMEDOUT);
	return 0;
}

static void a_deadline_ends_a_context_and_its_children(void)
{
	EXPECT(!run_it(run_deadlines));
}

static void waits_for_end(void *arg)
{
	struct bw_ctx *c = arg;
	struct bw_case k[] = {
		BW_RECV(NULL, NULL), BW_RECV(bw_ctx_done(c), NULL),
	};

	if (bw_g_id(bw_self()) % 2)
		EXPECT(bw_select(k, 2) == 1 && k[1].closed);
	else
		EXPECT(!bw_chan_recv(bw_ctx_done(c), NULL));
	EXPECT(bw_ctx_err(c) == -ECANCELED && bw_ctx_cause(c) == -EIO);
	countdown_done(&left);
}

static int run_waiters(void *arg)
{
	struct bw_ctx *top = bw_ctx_with_cancel(NULL), *c = top;
	struct bw_chan *done;
	u32 i;

	countdown_init(&left, WAITERS);
	for (i = 0; i < WAITERS; i++) {
		c = i % 3 ? bw_ctx_with_cancel(c) :
			    bw_ctx_with_timeout(c, LONG);
		bw_go(waits_for_end, c);
		done = bw_ctx_done(c);
		rig_wait_waiters(done, &done->recvq, 1);
	}
	/* those that wait are all that have the children */
	c = NULL;
	bw_gc();
	bw_ctx_cancel_cause(top, -EIO);
	countdown_wait(&left);
	return 0;
}

static void who_waits_for_a_child_goes_on_when_its_ancestor_is_cancelled(void)
{
	EXPECT(!run_it(run_waiters));
}

/* A tree whose contexts are cancelled and made by many at once. */
static struct bw_ctx *shared;

static void cancels(void *arg)
{
	bw_ctx_cancel_cause(arg, -EIO);
	countdown_done(&left);
}

static void makes(void *arg)
{
	struct bw_ctx *c = bw_ctx_with_cancel(arg), *d = bw_ctx_with_cancel(c);

	bw_yield();
	if ((uintptr_t)bw_g_id(bw_self()) % 4 == 0)
		bw_ctx_cancel_cause(c, -EIO);
	EXPECT(!bw_chan_recv(bw_ctx_done(d), NULL));
	EXPECT(bw_ctx_cause(d) == -EIO && bw_ctx_cause(c) == -EIO);
	countdown_done(&left);
}

/* Each leaves its parent, which is being cancelled. */
static void cancels_its_own(void *arg)
{
	struct bw_ctx *c[30];
	u32 i;

	for (i = 0; i < ARRAY_SIZE(c); i++)
		c[i] = bw_ctx_with_cancel(arg);
	for (i = 0; i < ARRAY_SIZE(c); i++)
		bw_ctx_cancel_cause(c[i], -EIO);
	countdown_done(&left);
}

static int run_storm(void *arg)
{
	long i, k;

	for (i = 0; i < TREES; i++) {
		shared = bw_ctx_with_cancel(NULL);
		countdown_init(&left, WAITERS + 3);
		bw_go(cancels_its_own, shared);
		for (k = 0; k < WAITERS; k++)
			bw_go(makes, shared);
		bw_go(cancels, shared);
		bw_go(cancels, shared);
		countdown_wait(&left);
		EXPECT(bw_ctx_err(shared) == -ECANCELED);
	}
	shared = NULL;
	return 0;
}

static void children_made_while_it_is_cancelled_are_cancelled(void)
{
	EXPECT(!run_it(run_storm));
}

static void storm_child(void *arg)
{
	rig_collect(arg, "gcevery=100,clobberfree=1");
	run_it(run_storm);
	run_it(run_waiters);
}

static void contexts_hold_while_the_collector_runs(void)
{
	rig_both_collectors(storm_child);
}

#define DROPPED	2000

static __attribute__((noinline)) void drop(struct bw_ctx *parent, u64 *secret,
					  bool trees)
{
	u32 i;

	/* lone ones; and small trees, of which one has the topmost */
	for (i = 0; i < DROPPED; i++) {
		struct bw_ctx *c = bw_ctx_with_timeout(i % 2 ? parent : NULL,
						       LONG);

		if (trees && i % 4 > 1)
			bw_ctx_with_cancel(bw_ctx_with_cancel(c));
		secret[i] = hide(c);
	}
}

/*
 * There is a finalizer of each level, which run in a G of their own: as many cycles
 * as they need, but not for ever. Some may look as if they were on a stack.
 */
static bool few_are_left(const u64 *secret)
{
	u64 end = bw_now() + 60000 * MS;
	u32 i, nr;

	do {
		wipe();
		bw_gc();
		bw_sleep(MS);
		for (i = 0, nr = 0; i < DROPPED; i++)
			nr += is_there(secret[i]);
	} while (nr >= DROPPED / 10 && bw_now() < end);
	if (nr >= DROPPED / 10)
		printf("# %u are still there\n", nr);
	return nr < DROPPED / 10;
}

static int run_drops(void *arg)
{
	struct bw_ctx *parent = bw_ctx_with_cancel(NULL);
	struct bw_memstats before, after;
	static u64 secret[DROPPED];
	u32 i;

	drop(parent, secret, true);
	EXPECT(few_are_left(secret));
	EXPECT(!bw_ctx_err(parent));
	bw_memstats(&before);
	for (i = 0; i < 5; i++) {
		drop(parent, secret, false);
		EXPECT(few_are_left(secret));
	}
	bw_memstats(&after);
	/* nor does their parent keep a note of each: half of them are its own */
	EXPECT(after.nr_objects < before.nr_objects + 5 * DROPPED / 2);
	bw_ctx_cancel(parent);
	return 0;
}

static void a_child_that_nobody_has_is_collected(void)
{
	EXPECT(!run_it(run_drops));
}

/* The child is on no other stack than that of who waits. */
static void waits_for_child(void *arg)
{
	struct bw_ctx *c = bw_ctx_with_cancel(bw_ctx_with_cancel(arg));

	bw_chan_recv(bw_ctx_done(c), NULL);
	countdown_done(&left);
}

#define LOST	20U

static u32 nr_parked;

static void count_parked(struct bw_g *g, void *arg)
{
	nr_parked += READ_ONCE(g->state) == BW_G_PARKED && g->stack;
}

static int run_leaks(void *arg)
{
	struct bw_leak leak[LOST + 1];
	size_t i, n;

	countdown_init(&left, 1);
	shared = bw_ctx_with_cancel(NULL);
	bw_go_named("awaited", waits_for_child, shared);
	for (i = 0; i < LOST; i++)
		bw_go(waits_for_child, NULL);
	do {
		bw_yield();
		nr_parked = 0;
		bw_g_each(count_parked, NULL);
	} while (nr_parked < LOST + 1);
	wipe();
	n = bw_leaks(leak, LOST + 1);
	/* some may look as if somebody had them */
	if (!EXPECT(n <= LOST && n >= LOST / 2))
		printf("# %zu\n", n);
	for (i = 0; i < n; i++)
		EXPECT(!leak[i].name);
	bw_ctx_cancel(shared);
	countdown_wait(&left);
	return 0;
}

static void leaks_child(void *arg)
{
	setenv("BURROW_PROCS", "1", 1);
	run_it(run_leaks);
}

static void who_waits_for_a_child_is_lost_only_if_nobody_has_an_ancestor(void)
{
	EXPECT(rig_child_is_well(leaks_child, NULL));
}

static int fails_at(void *arg)
{
	long n = (long)arg;

	if (n == 3)
		return -EDOM;
	return bw_chan_recv(bw_ctx_done(shared), NULL) ? 0 : -EPIPE;
}

static int run_first_error(void *arg)
{
	struct bw_group g = { 0 };
	long i;

	shared = bw_group_ctx(&g, NULL);
	for (i = 0; i < 6; i++)
		EXPECT(!bw_group_go(&g, fails_at, (void *)i));
	EXPECT(bw_group_wait(&g) == -EDOM);
	EXPECT(bw_ctx_cause(shared) == -EDOM);
	return 0;
}

static void the_first_error_ends_a_group(void)
{
	EXPECT(!run_it(run_first_error));
}

static long inside, most, sum;

static int adds(void *arg)
{
	long now = add(&inside, 1), was = READ_ONCE(most);

	while (now > was && !try_cmpxchg(&most, &was, now))
		;
	bw_yield();
	add(&sum, (long)arg);
	add(&inside, -1);
	return 0;
}

static int run_limit(void *arg)
{
	long i, round;

	for (round = 0; round < TREES; round++) {
		struct bw_group g = { 0 };

		bw_group_limit(&g, 7);
		bw_group_limit(&g, 3);
		for (i = 0; i < 10; i++)
			EXPECT(!bw_group_go(&g, adds, (void *)i));
		EXPECT(!bw_group_wait(&g));
		/* what comes too late finds something else there */
		memset(&g, 0xff, sizeof(g));
	}
	EXPECT(sum == (long)TREES * 9 * 10 / 2 && most <= 3);
	return 0;
}

static int waits_to_go_on(void *arg)
{
	return bw_chan_recv(arg, NULL) ? 0 : -EPIPE;
}

static int run_full(void *arg)
{
	struct bw_chan *c = bw_chan_make_bytes(0, 0);
	struct bw_group g = { 0 };

	bw_group_limit(&g, 1);
	EXPECT(!bw_group_try_go(&g, waits_to_go_on, c));
	EXPECT(bw_group_try_go(&g, waits_to_go_on, c) == -EAGAIN);
	bw_chan_send(c, NULL);
	EXPECT(!bw_group_wait(&g));
	EXPECT(!bw_group_try_go(&g, waits_to_go_on, c));
	bw_chan_close(c);
	EXPECT(bw_group_wait(&g) == -EPIPE);
	return 0;
}

static void a_group_has_no_more_at_a_time_than_its_limit(void)
{
	EXPECT(!run_it(run_limit));
	EXPECT(!run_it(run_full));
}

static void no_cancel_background(void)
{
	bw_ctx_cancel(bw_ctx_background());
}

static void no_cancel_value(void)
{
	bw_ctx_cancel(bw_ctx_with_value(NULL, &key_one, NULL));
}

static void no_good_cause(void)
{
	bw_ctx_cancel_cause(bw_ctx_with_cancel(NULL), 5);
}

static void no_key(void)
{
	bw_ctx_with_value(NULL, NULL, NULL);
}

static void no_close(void)
{
	bw_chan_close(bw_ctx_done(bw_ctx_with_cancel(NULL)));
}

static void no_send(void)
{
	bw_chan_send(bw_ctx_done(bw_ctx_with_cancel(NULL)), NULL);
}

static void no_timer(void)
{
	bw_chan_timer_set(bw_ctx_done(bw_ctx_with_cancel(NULL)), 1, 0);
}

static void no_limit(void)
{
	struct bw_group g = { 0 };

	bw_group_limit(&g, 0);
}

static void no_limit_now(void)
{
	struct bw_group g = { 0 };

	bw_group_go(&g, waits_to_go_on, bw_chan_make_bytes(0, 0));
	bw_group_limit(&g, 1);
}

static void no_second_ctx(void)
{
	struct bw_group g = { 0 };

	bw_group_ctx(&g, NULL);
	bw_group_ctx(&g, NULL);
}

static int call(void *arg)
{
	(*(void (**)(void))arg)();
	return 0;
}

static void dies(void *arg)
{
	bw_run(call, arg);
}

static void misuse_dies_with_the_right_line(void)
{
	static const struct {
		void (*fn)(void);
		const char *says;
	} rows[] = {
		{ no_cancel_background, "bw_ctx_cancel() of a background" },
		{ no_cancel_value, "of a context with a value: cancel its" },
		{ no_good_cause, "the cause 5 is no negative errno" },
		{ no_key, "bw_ctx_with_value(): the key is NULL" },
		{ no_close, "bw_chan_close() of a context's channel" },
		{ no_send, "bw_chan_send() of a context's channel" },
		{ no_timer, "of a channel that is no timer's" },
		{ no_limit, "bw_group_limit() of 0" },
		{ no_limit_now, "some of the group are at work" },
		{ no_second_ctx, "the group has a context" },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		int status = rig_child(dies, (void *)&rows[i].fn, said,
				       sizeof(said));

		if (!EXPECT(rig_aborted(status) && strstr(said, rows[i].says)))
			printf("# row %u: 0x%x %s\n", i, status, said);
	}
}

int main(void)
{
	setenv("BURROW_PROCS", "2", 1);
	/* in children, so before this process has a run */
	TEST(misuse_dies_with_the_right_line);
	TEST(contexts_hold_while_the_collector_runs);
	TEST(who_waits_for_a_child_is_lost_only_if_nobody_has_an_ancestor);
	TEST(a_tree_of_contexts_ends_as_the_table_says);
	TEST(the_nearest_value_with_a_key_is_found);
	TEST(a_deadline_ends_a_context_and_its_children);
	TEST(who_waits_for_a_child_goes_on_when_its_ancestor_is_cancelled);
	TEST(children_made_while_it_is_cancelled_are_cancelled);
	TEST(a_child_that_nobody_has_is_collected);
	TEST(the_first_error_ends_a_group);
	TEST(a_group_has_no_more_at_a_time_than_its_limit);
	return tap_end();
}
