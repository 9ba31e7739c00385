// SPDX-License-Identifier: MIT
/*
 * fanin: many senders, many receivers, one channel, and who closes it.
 *
 *	fanin [SENDERS [RECEIVERS]]
 *
 * Only the last sender may close: they count themselves down. Each receiver adds
 * up what it gets until the channel is closed, and sends its sum. The first G
 * waits for sums, and says so when none comes for a second.
 */
#include <stdio.h>
#include <stdlib.h>

#include <burrow.h>

#define VALUES	1000
#define SECOND	1000000000ULL

static int nr_senders = 10, nr_receivers = 4;
static struct bw_chan *values, *sums;

static void sender(void *arg)
{
	long i;

	for (i = 1; i <= VALUES; i++)
		bw_chan_send(values, &i);
	if (!__atomic_sub_fetch(&nr_senders, 1, __ATOMIC_ACQ_REL))
		bw_chan_close(values);
}

static void receiver(void *arg)
{
	long value, sum = 0;

	bw_chan_range(values, &value)
		sum += value;
	bw_chan_send(sums, &sum);
}

static int start(void *arg)
{
	long sum, all = 0, want = (long)nr_senders * VALUES * (VALUES + 1) / 2;
	int i, n = nr_senders, nr_sums = 0;

	values = bw_chan_make_bytes(sizeof(long), 16);
	sums = bw_chan_make_bytes(sizeof(long), 0);
	if (!values || !sums)
		return 1;
	for (i = 0; i < n; i++)
		if (bw_go(sender, NULL))
			return 1;
	for (i = 0; i < nr_receivers; i++)
		if (bw_go(receiver, NULL))
			return 1;
	while (nr_sums < nr_receivers) {
		uint64_t at;
		struct bw_case k[] = {
			BW_RECV(sums, &sum),
			BW_RECV(bw_chan_after(SECOND), &at),
		};

		if (bw_select(k, 2) == 1) {
			printf("still waiting\n");
			continue;
		}
		all += sum;
		nr_sums++;
	}
	printf("%d receivers got %ld\n", nr_receivers, all);
	return all != want;
}

int main(int argc, char **argv)
{
	if (argc > 1)
		nr_senders = atoi(argv[1]);
	if (argc > 2)
		nr_receivers = atoi(argv[2]);
	if (nr_senders < 1 || nr_receivers < 1)
		return 2;
	return bw_run(start, NULL);
}
