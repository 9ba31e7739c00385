// SPDX-License-Identifier: MIT
/* Misuse of channels is fatal, and the message says what was wrong. */
#include "burrow.h"
#include "chan_rig.h"
#include "death_rig.h"

static int sends_on_closed(void *arg)
{
	struct bw_chan *c = bw_chan_make_bytes(1, 1);

	bw_chan_close(c);
	bw_chan_send(c, "");
	return 0;
}

static int sends_a_word_on_closed(void *arg)
{
	struct bw_chan *c = bw_chan_make_bytes(sizeof(long), 2);

	bw_chan_send(c, &(long){ 1 });
	bw_chan_close(c);
	bw_chan_send(c, &(long){ 2 });
	return 0;
}

static void closer(void *arg)
{
	bw_chan_close(arg);
}

static int waits_to_send_and_it_is_closed(void *arg)
{
	struct bw_chan *c = bw_chan_make_bytes(1, 0);

	bw_go(closer, c);
	bw_chan_send(c, "");
	return 0;
}

static int closes_twice(void *arg)
{
	struct bw_chan *c = bw_chan_make_bytes(1, 1);

	bw_chan_close(c);
	bw_chan_close(c);
	return 0;
}

static int closes_null(void *arg)
{
	bw_chan_close(NULL);
	return 0;
}

static int sends_on_a_timer(void *arg)
{
	u64 value = 0;

	bw_chan_send(bw_chan_after(1), &value);
	return 0;
}

static int selects_on_closed(void *arg)
{
	struct bw_chan *c = bw_chan_make_bytes(1, 0);
	struct bw_case k[] = { BW_SEND(c, "") };

	bw_chan_close(c);
	bw_select(k, 1);
	return 0;
}

static int waits_for_nobody(void *arg)
{
	bw_chan_recv(bw_chan_make_bytes(0, 0), NULL);
	return 0;
}

static int waits_on_null(void *arg)
{
	bw_chan_send(NULL, NULL);
	return 0;
}

static void not_attached(void *arg)
{
	bw_chan_try_recv(bw_chan_make_bytes(0, 1), NULL);
}

static void misuse_dies_with_the_right_line(void)
{
	static const struct {
		int (*fn)(void *arg);
		const char *says[3];
	} rows[] = {
		{ sends_on_closed, { "bw_chan_send() by G 1 'main' (",
		  "on a channel that G 1 (", " closed" } },
		{ sends_a_word_on_closed, { "bw_chan_send() by G 1 'main' (",
		  "on a channel that G 1 (", " closed" } },
		{ waits_to_send_and_it_is_closed, { "bw_chan_send() by G 1",
		  " (closer", " closed" } },
		{ closes_twice, { "bw_chan_close() by G 1", "of a channel that",
		  " closed" } },
		{ closes_null, { "bw_chan_close() of NULL", "", "" } },
		{ sends_on_a_timer, { "bw_chan_send() of a timer's channel", "",
		  "" } },
		{ selects_on_closed, { "bw_select() by G 1", "on a channel that",
		  " closed" } },
		{ waits_for_nobody, { "deadlock: every G waits",
		  "parked (chan receive)", "" } },
		{ waits_on_null, { "deadlock: every G waits",
		  "parked (chan send, NULL)", "" } },
	};
	u32 i, k;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		expect_death(run_alone, (void *)&rows[i].fn, SIGABRT,
			     rows[i].says[0]);
		for (k = 1; k < 3; k++)
			if (!EXPECT(strstr(said, rows[i].says[k])))
				printf("# row %u: %s\n", i, said);
	}
	expect_death(not_attached, NULL, SIGABRT,
		     "bw_chan_try_recv() from a thread that is not");
}

int main(void)
{
	TEST(misuse_dies_with_the_right_line);
	return tap_end();
}
