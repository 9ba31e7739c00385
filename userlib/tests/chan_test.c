// SPDX-License-Identifier: MIT
/* Channels: what Go's do, as tables and with many Gs. */
#include "burrow.h"
#include "chan_rig.h"

/*
 * A script for one G, without waiting. Sn: n is sent; s: it would have to wait;
 * Rn: n is received; r: would have to wait; C: close; E: it is closed; Ln: length.
 */
static const struct {
	size_t cap;
	const char *script;
} scripts[] = {
	{ 0, "L0 s r s r C E E L0" },
	{ 1, "r S1 s L1 R1 r L0 S2 C L1 R2 E E" },
	{ 2, "S1 S2 s R1 S3 s R2 R3 r" },
	{ 3, "S1 R1 S2 S3 S4 s L3 R2 S5 C R3 R4 R5 E" },
	{ 3, "C E E L0" },
};

static bool step(struct bw_chan *c, const char *at)
{
	long n = at[1] && at[1] != ' ' ? at[1] - '0' : 7, got = -1;

	switch (*at) {
	case 'S':
		return !bw_chan_try_send(c, &n);
	case 's':
		return bw_chan_try_send(c, &n) == -EAGAIN;
	case 'R':
		return !bw_chan_try_recv(c, &got) && got == n;
	case 'r':
		return bw_chan_try_recv(c, &got) == -EAGAIN && got == -1;
	case 'E':
		return bw_chan_try_recv(c, &got) == -EPIPE && !got;
	case 'C':
		bw_chan_close(c);
		return true;
	default:
		return bw_chan_len(c) == (size_t)n;
	}
}

static int run_scripts(void *arg)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(scripts); i++) {
		const char *at = scripts[i].script;
		struct bw_chan *c = bw_chan_make_bytes(sizeof(long),
						       scripts[i].cap);

		EXPECT(bw_chan_cap(c) == scripts[i].cap);
		for (; at; at = strchr(at, ' '), at += !!at)
			if (!EXPECT(step(c, at)))
				printf("# row %u at '%s'\n", i, at);
	}
	return 0;
}

static void without_waiting_a_channel_does_what_the_table_says(void)
{
	EXPECT(!run_it(run_scripts));
}

/* Values of a size, filled from a number. */
struct flow {
	struct bw_chan *c;
	size_t size;
	long n;
};

static void fill(unsigned char *value, size_t size, long i)
{
	size_t k;

	for (k = 0; k < size; k++)
		value[k] = (unsigned char)(i * 31 + (long)k);
}

static void producer(void *arg)
{
	const struct flow *f = arg;
	unsigned char value[200];
	long i;

	for (i = 0; i < f->n; i++) {
		fill(value, f->size, i);
		bw_chan_send(f->c, value);
	}
	bw_chan_close(f->c);
}

static int run_flows(void *arg)
{
	static const size_t caps[] = { 0, 1, 3, 128 };
	static const size_t sizes[] = { 0, 1, 4, 8, 24, 100, 200 };
	unsigned char value[200], want[200];
	u32 i, k;
	long n;

	for (i = 0; i < ARRAY_SIZE(caps); i++)
		for (k = 0; k < ARRAY_SIZE(sizes); k++) {
			struct flow f = { .size = sizes[k], .n = 500 };

			f.c = bw_chan_make_bytes(f.size, caps[i]);
			bw_go(producer, &f);
			n = 0;
			bw_chan_range(f.c, value) {
				fill(want, f.size, n++);
				if (!EXPECT(!memcmp(value, want, f.size)))
					return 1;
			}
			EXPECT(n == f.n);
		}
	return 0;
}

static void values_of_every_size_come_in_order_at_every_capacity(void)
{
	EXPECT(!run_it(run_flows));
}

#define IN_LINE	50

static struct bw_chan *line;
static long got_by[IN_LINE];

static void line_receiver(void *arg)
{
	bw_chan_recv(line, &got_by[(long)arg]);
}

static void line_sender(void *arg)
{
	long value = (long)arg;

	bw_chan_send(line, &value);
}

static int run_line(void *arg)
{
	long i, value;

	line = bw_chan_make_bytes(sizeof(long), 0);
	for (i = 0; i < IN_LINE; i++) {
		bw_go(line_receiver, (void *)i);
		rig_wait_waiters(line, &line->recvq, (u32)i + 1);
	}
	for (i = 0; i < IN_LINE; i++)
		bw_chan_send(line, &i);
	for (i = 0; i < IN_LINE; i++) {
		bw_go(line_sender, (void *)i);
		rig_wait_waiters(line, &line->sendq, (u32)i + 1);
	}
	for (i = 0; i < IN_LINE; i++)
		EXPECT(bw_chan_recv(line, &value) && value == i);
	/* from a full buffer: who waits has a place at once */
	line = bw_chan_make_bytes(sizeof(long), 1);
	bw_chan_send(line, &i);
	bw_go(line_sender, (void *)1);
	rig_wait_waiters(line, &line->sendq, 1);
	EXPECT(bw_chan_recv(line, &value) && value == i);
	EXPECT(bw_chan_len(line) == 1);
	/* the receivers may not have looked yet */
	for (i = 0; i < IN_LINE; i++)
		EXPECT(READ_ONCE(got_by[i]) == i);
	return 0;
}

static void those_who_wait_are_served_in_their_order(void)
{
	EXPECT(!run_it(run_line));
}

static struct countdown left;

static void told_of_close(void *arg)
{
	long value = 5;

	EXPECT(!bw_chan_recv(arg, &value));
	EXPECT(!value);
	countdown_done(&left);
}

static int run_close(void *arg)
{
	struct bw_chan *c = bw_chan_make_bytes(sizeof(long), 4);
	long i;

	countdown_init(&left, 100);
	for (i = 0; i < 100; i++)
		bw_go(told_of_close, c);
	rig_wait_waiters(c, &c->recvq, 100);
	bw_chan_close(c);
	countdown_wait(&left);
	return 0;
}

static void close_tells_everyone_who_waits(void)
{
	EXPECT(!run_it(run_close));
}

static void late_sender(void *arg)
{
	long value = 77;

	bw_chan_send(arg, &value);
}

static int run_deadlines(void *arg)
{
	struct bw_chan *c = bw_chan_make_bytes(sizeof(long), 1);
	u64 soon = bw_now() + 1000000;
	long value = 3;

	EXPECT(bw_chan_recv_until(c, &value, soon) == -ETIMEDOUT);
	EXPECT(bw_now() >= soon && value == 3 && !c->recvq.first);
	EXPECT(!bw_chan_send_until(c, &value, 1));
	soon = bw_now() + 1000000;
	EXPECT(bw_chan_send_until(c, &value, soon) == -ETIMEDOUT);
	EXPECT(bw_now() >= soon && !c->sendq.first);
	EXPECT(!bw_chan_recv_until(c, &value, 1) && value == 3);
	EXPECT(bw_chan_recv_until(c, &value, 1) == -ETIMEDOUT);
	bw_go(late_sender, c);
	EXPECT(!bw_chan_recv_until(c, &value, BW_FOREVER) && value == 77);
	soon = bw_now() + 1000000;
	EXPECT(bw_chan_recv_until(NULL, &value, soon) == -ETIMEDOUT);
	EXPECT(bw_chan_send_until(NULL, &value, soon) == -ETIMEDOUT);
	EXPECT(bw_chan_try_recv(NULL, &value) == -EAGAIN);
	EXPECT(bw_chan_try_send(NULL, &value) == -EAGAIN);
	EXPECT(!bw_chan_len(NULL) && !bw_chan_cap(NULL));
	bw_chan_close(c);
	EXPECT(bw_chan_recv_until(c, &value, BW_FOREVER) == -EPIPE);
	return 0;
}

static void a_deadline_ends_a_wait_and_leaves_no_trace(void)
{
	EXPECT(!run_it(run_deadlines));
}

#define CROWD	(RIG_SLOW ? 500 : 10000)

static struct bw_chan *crowd;
static long nr_senders, sum, nr_got;

/* The idiom: the last of several senders closes. */
static void crowd_sender(void *arg)
{
	long i = (long)arg;

	bw_chan_send(crowd, &i);
	if (!add(&nr_senders, -1))
		bw_chan_close(crowd);
}

static void crowd_receiver(void *arg)
{
	long value;

	bw_chan_range(crowd, &value) {
		add(&sum, value);
		add(&nr_got, 1);
	}
	countdown_done(&left);
}

static int run_crowd(void *arg)
{
	static const size_t caps[] = { 0, 1, 128 };
	u32 k;
	long i;

	for (k = 0; k < ARRAY_SIZE(caps); k++) {
		crowd = bw_chan_make_bytes(sizeof(long), caps[k]);
		nr_senders = CROWD;
		sum = 0;
		nr_got = 0;
		countdown_init(&left, CROWD);
		for (i = 0; i < CROWD; i++) {
			bw_go(crowd_sender, (void *)(i + 1));
			bw_go(crowd_receiver, NULL);
		}
		countdown_wait(&left);
		EXPECT(nr_got == CROWD);
		EXPECT(sum == (long)CROWD * (CROWD + 1) / 2);
	}
	return 0;
}

static void thousands_of_senders_and_receivers_end_with_a_close(void)
{
	EXPECT(!run_it(run_crowd));
}

static void *thread_of_its_own(void *arg)
{
	struct bw_chan **c = arg;
	long value;

	EXPECT(!bw_thread_attach());
	bw_chan_range(c[0], &value) {
		value *= 2;
		bw_chan_send(c[1], &value);
	}
	bw_chan_close(c[1]);
	EXPECT(bw_chan_recv_until(c[2], &value, bw_now() + 1000000) ==
	       -ETIMEDOUT);
	bw_thread_detach();
	return NULL;
}

static int run_attached(void *arg)
{
	struct bw_chan *c[3] = {
		bw_chan_make_bytes(sizeof(long), 0),
		bw_chan_make_bytes(sizeof(long), 1),
		bw_chan_make_bytes(sizeof(long), 0),
	};
	pthread_t t;
	long i, value;

	EXPECT(!pthread_create(&t, NULL, thread_of_its_own, c));
	for (i = 0; i < 300; i++) {
		bw_chan_send(c[0], &i);
		EXPECT(bw_chan_recv(c[1], &value) && value == 2 * i);
	}
	bw_chan_close(c[0]);
	EXPECT(!bw_chan_recv(c[1], &value));
	bw_block_begin();
	pthread_join(t, NULL);
	bw_block_end();
	return 0;
}

static void an_attached_thread_sends_and_receives(void)
{
	EXPECT(!run_it(run_attached));
}

static struct bw_chan *kept;

static void left_behind(void *arg)
{
	long value = 1;

	if (arg)
		bw_chan_recv(kept, &value);
	else
		bw_chan_recv_until(kept, &value, BW_FOREVER - 1);
	EXPECT(false);
}

static int run_leaves(void *arg)
{
	long i;

	kept = bw_chan_make_bytes(sizeof(long), 0);
	for (i = 0; i < 20; i++)
		bw_go(left_behind, (void *)(i & 1));
	rig_wait_waiters(kept, &kept->recvq, 20);
	return 0;
}

static void kept_sender(void *arg)
{
	long value = 9;

	bw_chan_send(kept, &value);
}

static int run_again(void *arg)
{
	long value = 0;

	EXPECT(!kept->recvq.first && !kept->recvq.last);
	bw_go(kept_sender, NULL);
	EXPECT(bw_chan_recv(kept, &value) && value == 9);
	return 0;
}

static void those_whom_a_run_left_are_in_no_channel(void)
{
	EXPECT(!run_it(run_leaves));
	EXPECT(!run_it(run_again));
}

static int run_timers(void *arg)
{
	u64 from = bw_now(), value = 0, again;
	struct bw_chan *c = bw_chan_after(3600000000000ULL);

	EXPECT(bw_chan_try_recv(c, &value) == -EAGAIN);
	EXPECT(bw_chan_timer_set(c, from + 2000000, 0) ||
	       bw_now() >= from + 2000000);
	EXPECT(bw_chan_recv(c, &value));
	EXPECT(value >= from + 2000000 && bw_now() >= value);
	EXPECT(bw_chan_recv_until(c, &value, bw_now() + 1000000) ==
	       -ETIMEDOUT);
	EXPECT(!bw_chan_timer_set(c, bw_now(), 0));
	EXPECT(!bw_chan_try_recv(c, &value));
	EXPECT(!bw_chan_timer_set(c, bw_now() + 3600000000000ULL, 0));
	EXPECT(bw_chan_timer_set(c, BW_FOREVER, 0));
	EXPECT(bw_chan_try_recv(c, &value) == -EAGAIN);
	/* ticks that nobody took do not pile up */
	c = bw_chan_tick(1000000);
	EXPECT(bw_chan_recv(c, &value));
	bw_sleep(5000000);
	EXPECT(bw_chan_recv(c, &value));
	EXPECT(bw_chan_recv(c, &again) && again > value);
	return 0;
}

static void waits_for_a_timer(void *arg)
{
	u64 value;

	EXPECT(bw_chan_recv(arg, &value));
	countdown_done(&left);
}

static int run_timer_moved(void *arg)
{
	struct bw_chan *c = bw_chan_after(3600000000000ULL);

	countdown_init(&left, 1);
	bw_go(waits_for_a_timer, c);
	rig_wait_waiters(c, &c->recvq, 1);
	EXPECT(bw_chan_timer_set(c, bw_now(), 0));
	countdown_wait(&left);
	return 0;
}

static void a_timers_channel_yields_its_moment_and_can_be_moved(void)
{
	EXPECT(!run_it(run_timers));
	EXPECT(!run_it(run_timer_moved));
}

int main(void)
{
	setenv("BURROW_PROCS", "2", 1);
	TEST(without_waiting_a_channel_does_what_the_table_says);
	TEST(values_of_every_size_come_in_order_at_every_capacity);
	TEST(those_who_wait_are_served_in_their_order);
	TEST(close_tells_everyone_who_waits);
	TEST(a_deadline_ends_a_wait_and_leaves_no_trace);
	TEST(thousands_of_senders_and_receivers_end_with_a_close);
	TEST(an_attached_thread_sends_and_receives);
	TEST(those_whom_a_run_left_are_in_no_channel);
	TEST(a_timers_channel_yields_its_moment_and_can_be_moved);
	return tap_end();
}
