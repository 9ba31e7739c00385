// SPDX-License-Identifier: MIT
/*
 * pipeline: numbers go through stages, each a G that receives from the one before
 * it, sends to the next, and closes when there is nothing more.
 */
#include <stdio.h>

#include <burrow.h>

#define NUMBERS	100

/**
 * struct stage - what a G of the pipeline does
 * @fn:		to each number
 */
struct stage {
	struct bw_chan *in;
	struct bw_chan *out;
	long (*fn)(long n);
};

static void stage(void *arg)
{
	struct stage *s = arg;
	long n;

	bw_chan_range(s->in, &n) {
		n = s->fn(n);
		bw_chan_send(s->out, &n);
	}
	bw_chan_close(s->out);
}

static void numbers(void *arg)
{
	long n;

	for (n = 1; n <= NUMBERS; n++)
		bw_chan_send(arg, &n);
	bw_chan_close(arg);
}

static long square(long n)
{
	return n * n;
}

static long plus_one(long n)
{
	return n + 1;
}

static int start(void *arg)
{
	struct bw_chan *c[3];
	struct stage stages[2];
	long n, sum = 0;
	int i;

	for (i = 0; i < 3; i++)
		c[i] = bw_chan_make_bytes(sizeof(long), 4);
	stages[0] = (struct stage){ c[0], c[1], square };
	stages[1] = (struct stage){ c[1], c[2], plus_one };
	bw_go(numbers, c[0]);
	bw_go(stage, &stages[0]);
	bw_go(stage, &stages[1]);
	bw_chan_range(c[2], &n)
		sum += n;
	printf("the sum of n * n + 1 up to %d is %ld\n", NUMBERS, sum);
	return 0;
}

int main(void)
{
	return bw_run(start, NULL);
}
