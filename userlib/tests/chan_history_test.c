// SPDX-License-Identifier: MIT
/*
 * Histories of channels are linearizable: there is an order of all calls that a
 * channel with one caller could have seen, in which no call that ended before
 * another began comes after it.
 *
 * The channel of one caller is a queue that may be closed. Without a buffer a send
 * and the receive of its value happen together. A try that fails says that the
 * queue was full, or empty; without a buffer it says nothing.
 */
#include "burrow.h"
#include "chan_rig.h"

#define GS	4
#define CALLS	5			/* of each */
#define NR	(GS * CALLS)
#define ROUNDS	(RIG_SLOW ? 300 : 3000)
#define SEEN	(1U << 16)

enum { SEND, RECV, CLOSE };

/**
 * struct call - what a G did and what it was told
 */
struct call {
	int kind;
	long value;
	int err;
	long begin;
	long end;
};

static struct call call[NR];
static long moment, nr_sending;
static struct bw_chan *c;
static struct countdown left;
static u64 seeds[GS];
static size_t cap;

static int do_send(struct call *k, u64 r)
{
	struct bw_case s[] = { BW_SEND(c, &k->value) };

	if (r % 3 == 0)
		return bw_chan_try_send(c, &k->value);
	if (r % 3 == 1)
		return bw_chan_send_until(c, &k->value,
					  bw_now() + r / 8 % 20000);
	return bw_select_try(s, 1);
}

static int do_recv(struct call *k, u64 r)
{
	struct bw_case s[] = { BW_RECV(c, &k->value) };
	int err;

	if (r % 3 == 0)
		return bw_chan_try_recv(c, &k->value);
	if (r % 3 == 1)
		return bw_chan_recv_until(c, &k->value,
					  bw_now() + r / 8 % 20000);
	err = bw_select_try(s, 1);
	return s[0].closed ? -EPIPE : err;
}

/* Receives and sends; the last that has sent all it will closes. */
static void caller(void *arg)
{
	long g = (long)arg, i, last = -1;
	u64 r;

	for (i = 0; i < CALLS; i++) {
		struct call *k = &call[g * CALLS + i];
		bool closes = i == CALLS - 1 && !add(&nr_sending, -1);

		r = rig_random(&seeds[g]) >> 8;
		k->kind = closes ? CLOSE : i < CALLS - 1 && r & 1 ? SEND : RECV;
		k->value = g * CALLS + i + 1;
		k->begin = add(&moment, 1);
		if (closes)
			bw_chan_close(c);
		k->err = closes ? 0 : k->kind == SEND ? do_send(k, r / 2) :
							do_recv(k, r / 2);
		k->end = add(&moment, 1);
		last = i;
	}
	EXPECT(last == CALLS - 1);
	countdown_done(&left);
}

/**
 * struct state - of the queue, and which calls have happened
 */
struct state {
	u32 done;
	u32 nr;
	bool closed;
	u8 queue[NR];
};

static struct {
	u64 key[SEEN];
} seen;

static u64 key_of(const struct state *s)
{
	u64 h = s->done * 0x9e3779b97f4a7c15ULL + s->closed + 1;
	u32 i;

	for (i = 0; i < s->nr; i++)
		h = (h ^ s->queue[i]) * 0x100000001b3ULL + (h >> 29);
	return h | 1;
}

/* It was tried before, in vain. Where there is no room for it, it is again. */
static bool is_seen(const struct state *s)
{
	u64 key = key_of(s);
	u32 i = (u32)(key >> 40) % SEEN, n;

	for (n = 0; n < 64; n++, i = (i + 1) % SEEN) {
		if (seen.key[i] == key)
			return true;
		if (!seen.key[i]) {
			seen.key[i] = key;
			return false;
		}
	}
	return false;
}

/* May it be the next: does it begin before all that is left has ended? */
static bool may_be_next(const struct state *s, u32 i)
{
	u32 k;

	for (k = 0; k < NR; k++)
		if (!(s->done >> k & 1) && call[k].end < call[i].begin)
			return false;
	return !(s->done >> i & 1);
}

static bool fails(int err)
{
	return err == -EAGAIN || err == -ETIMEDOUT;
}

/* One call happens, to the queue of one caller. False: it could not. */
static bool happens(struct state *s, const struct call *k)
{
	if (k->kind == CLOSE) {
		s->closed = true;
	} else if (k->kind == SEND) {
		if (fails(k->err))
			return s->nr == cap && !s->closed;
		if (s->nr == cap || s->closed)
			return false;
		s->queue[s->nr++] = (u8)k->value;
	} else if (k->err) {
		return !s->nr && (fails(k->err) ? !s->closed :
						  s->closed && !k->value);
	} else {
		if (!s->nr || s->queue[0] != (u8)k->value)
			return false;
		memmove(s->queue, s->queue + 1, --s->nr);
	}
	return true;
}

static bool is_linear(const struct state *s);

/* A send and the receive of its value, both of which may be next. */
static bool is_linear_pair(const struct state *s, u32 i)
{
	u32 k;

	for (k = 0; k < NR; k++)
		if (call[k].kind == RECV && !call[k].err &&
		    call[k].value == call[i].value && may_be_next(s, k)) {
			struct state next = *s;

			next.done |= 1U << i | 1U << k;
			return !s->closed && is_linear(&next);
		}
	return false;
}

static bool is_linear(const struct state *s)
{
	u32 i;

	if (s->done == (1U << NR) - 1)
		return true;
	if (is_seen(s))
		return false;
	for (i = 0; i < NR; i++) {
		struct state next = *s;

		if (!may_be_next(s, i))
			continue;
		if (!cap && call[i].kind == SEND && !call[i].err) {
			if (is_linear_pair(s, i))
				return true;
			continue;
		}
		next.done |= 1U << i;
		if (happens(&next, &call[i]) && is_linear(&next))
			return true;
	}
	return false;
}

static void print_history(void)
{
	u32 i;

	printf("# capacity %zu\n", cap);
	for (i = 0; i < NR; i++)
		printf("# G %u: %ld to %ld: %s %ld: %d\n", i / CALLS,
		       call[i].begin, call[i].end,
		       call[i].kind == SEND ? "send" :
		       call[i].kind == RECV ? "receive" : "close",
		       call[i].value, call[i].err);
}

static int run_histories(void *arg)
{
	long round, i;

	for (round = 0; round < ROUNDS; round++) {
		struct state s = { .done = 0 };

		cap = (size_t)(round % 4);
		c = bw_chan_make_bytes(sizeof(long), cap);
		moment = 0;
		nr_sending = GS;
		countdown_init(&left, GS);
		for (i = 0; i < GS; i++)
			bw_go(caller, (void *)i);
		countdown_wait(&left);
		memset(&seen, 0, sizeof(seen));
		if (!EXPECT(is_linear(&s))) {
			print_history();
			return 1;
		}
	}
	return 0;
}

static void random_histories_are_those_of_a_queue(void)
{
	u64 seed = tap_seed(4711);
	u32 i;

	for (i = 0; i < GS; i++)
		seeds[i] = rig_random(&seed) | 1;
	EXPECT(!run_it(run_histories));
}

/* The check can fail: a value that is received twice, out of order, too early. */
static void set(u32 i, int kind, long value, int err, long begin, long end)
{
	call[i] = (struct call){ kind, value, err, begin, end };
}

static bool with_rest_is_linear(u32 n)
{
	struct state s = { .done = 0 };
	u32 i;

	for (i = n; i < NR; i++)
		s.done |= 1U << i;
	memset(&seen, 0, sizeof(seen));
	return is_linear(&s);
}

static void a_wrong_history_is_found(void)
{
	cap = 2;
	set(0, SEND, 1, 0, 1, 2);
	set(1, SEND, 2, 0, 3, 4);
	set(2, RECV, 1, 0, 5, 6);
	EXPECT(with_rest_is_linear(3));
	set(2, RECV, 2, 0, 5, 6);
	EXPECT(!with_rest_is_linear(3));
	set(2, RECV, 0, -EAGAIN, 5, 6);
	EXPECT(!with_rest_is_linear(3));
	set(2, SEND, 3, 0, 5, 6);
	EXPECT(!with_rest_is_linear(3));
	set(2, RECV, 1, 0, 5, 6);
	set(3, RECV, 1, 0, 7, 8);
	EXPECT(!with_rest_is_linear(4));
	cap = 0;
	set(0, SEND, 1, 0, 1, 2);
	set(1, RECV, 1, 0, 3, 4);
	EXPECT(!with_rest_is_linear(2));
	set(1, RECV, 1, 0, 1, 4);
	EXPECT(with_rest_is_linear(2));
}

#define WIDE	500
#define LOOKS	(RIG_SLOW ? 1000 : 20000)

/**
 * struct tokens - two, which go to and fro between the ends of a wide select
 * @at:		the first of its channels, and the last				[const]
 * @over:	nobody looks any more						[atomic]
 */
static struct tokens {
	struct bw_chan *at[2];
	u32 over;
} tokens;

/* One is always in a channel: the other is put down before it is taken. */
static void moves_tokens(void *arg)
{
	long token = 1;

	while (!READ_ONCE(tokens.over)) {
		bw_chan_send(tokens.at[1], &token);
		bw_chan_recv(tokens.at[0], &token);
		bw_chan_send(tokens.at[0], &token);
		bw_chan_recv(tokens.at[1], &token);
	}
	countdown_done(&left);
}

static int run_tokens(void *arg)
{
	struct bw_case *k = bw_alloc_array(WIDE, sizeof(*k));
	long value;
	int i, n;

	for (i = 0; i < WIDE; i++)
		bw_set(&k[i].chan, bw_chan_make_bytes(sizeof(long), 4));
	for (i = 0; i < WIDE; i++)
		k[i].value = &value;
	tokens = (struct tokens){ { k[0].chan, k[WIDE - 1].chan }, 0 };
	bw_chan_send(tokens.at[0], &(long){ 0 });
	countdown_init(&left, 1);
	bw_go(moves_tokens, NULL);
	for (n = 0; n < LOOKS; n++) {
		i = bw_select_try(k, WIDE);
		if (!EXPECT(i >= 0))
			break;
		bw_chan_send(k[i].chan, &value);
	}
	WRITE_ONCE(tokens.over, 1);
	countdown_wait(&left);
	return 0;
}

static void that_none_was_ready_is_true_of_one_moment(void)
{
	EXPECT(!run_it(run_tokens));
}

int main(void)
{
	setenv("BURROW_PROCS", "2", 1);
	TEST(that_none_was_ready_is_true_of_one_moment);
	TEST(a_wrong_history_is_found);
	TEST(random_histories_are_those_of_a_queue);
	return tap_end();
}
