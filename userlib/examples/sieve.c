// SPDX-License-Identifier: MIT
/*
 * sieve: primes, each with a G that lets through what it does not divide.
 *
 *	sieve [HOW-MANY]
 */
#include <stdio.h>
#include <stdlib.h>

#include <burrow.h>

struct filter {
	struct bw_chan *in;
	struct bw_chan *out;
	long prime;
};

BW_TYPE(filter, struct filter, in, out);

static void numbers(void *arg)
{
	long n;

	for (n = 2;; n++)
		bw_chan_send(arg, &n);
}

static void filter(void *arg)
{
	struct filter *f = arg;
	long n;

	bw_chan_range(f->in, &n)
		if (n % f->prime)
			bw_chan_send(f->out, &n);
}

/* Those that wait when the first G ends are gone with it. */
static int start(void *arg)
{
	struct bw_chan *c = bw_chan_make_bytes(sizeof(long), 0);
	long i, many = *(long *)arg, prime;

	bw_go(numbers, c);
	for (i = 0; i < many; i++) {
		struct filter *f = bw_new(filter);

		if (!f || !bw_chan_recv(c, &prime))
			return 1;
		printf("%ld%c", prime, i + 1 < many ? ' ' : '\n');
		bw_set(&f->in, c);
		bw_set(&f->out, bw_chan_make_bytes(sizeof(long), 0));
		f->prime = prime;
		c = f->out;
		if (!c || bw_go(filter, f))
			return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	long many = argc > 1 ? atol(argv[1]) : 30;

	return bw_run(start, &many);
}
