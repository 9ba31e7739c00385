// SPDX-License-Identifier: MIT
/*
 * timeouts: whichever comes first: an answer, a tick, a deadline, or a context's end.
 */
#include <stdio.h>

#include <burrow.h>

#define MS	1000000ULL
#define HOUR	(3600 * 1000 * MS)

static struct bw_chan *answers;

static void answer_soon(void *arg)
{
	long n = 42;

	bw_chan_send(answers, &n);
}

/* Waits for an answer, or as long as @c allows. */
static int ask(struct bw_ctx *c, long *answer)
{
	struct bw_case k[] = {
		BW_RECV(answers, answer),
		BW_RECV(bw_ctx_done(c), NULL),
	};

	return bw_select(k, 2) ? bw_ctx_err(c) : 0;
}

static void gives_up(void *arg)
{
	bw_ctx_cancel(arg);
}

static int start(void *arg)
{
	struct bw_chan *tick = bw_chan_tick(MS);
	struct bw_ctx *hour, *soon;
	uint64_t at, n;
	long answer = 0;

	answers = bw_chan_make_bytes(sizeof(long), 0);
	hour = bw_ctx_with_timeout(bw_ctx_background(), HOUR);

	bw_go(answer_soon, NULL);
	if (!ask(hour, &answer))
		printf("asked: the answer is %ld\n", answer);

	soon = bw_ctx_with_timeout(hour, 5 * MS);
	printf("nobody answers: %s\n",
	       ask(soon, &answer) ? "timed out" : "what?");

	bw_go(gives_up, hour);
	ask(hour, &answer);
	printf("somebody gave up: %s\n",
	       bw_ctx_err(hour) ? "cancelled" : "what?");

	for (n = 1; n <= 3 && bw_chan_recv(tick, &at); n++)
		printf("tick %llu\n", (unsigned long long)n);

	printf("nothing at once: %s\n",
	       bw_chan_try_recv(answers, &answer) ? "nothing" : "what?");
	return 0;
}

int main(void)
{
	return bw_run(start, NULL);
}
