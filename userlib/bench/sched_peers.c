// SPDX-License-Identifier: MIT
/*
 * sched_peers: what burrow's scheduler does in the time others take for the same
 * (sched_peers.py has the rows, sched_peers.go, sched_peers_fiber.cpp and
 * sched_peers_thread.c the others).
 *
 *	sched_peers ROW PS [HOW MANY ARE PARKED]
 *
 * Where others have channels, Gs park and ready each other here. Rows about time
 * and threads are in sched_peers_late.c.
 */
#include "burrow/go.h"
#include "burrow/time.h"
#include "last_one.h"
#include "sched_peers.h"

static void go(void (*fn)(void *arg), void *arg)
{
	if (bw_go(fn, arg)) {
		fprintf(stderr, "no memory for a G\n");
		exit(1);
	}
}

static void ends(void *arg)
{
	one_less();
}

static double many(long n, long at_once)
{
	double t = ns_now();
	long i, k;

	for (i = 0; i < n; i += at_once) {
		left = at_once;
		for (k = 0; k < at_once; k++)
			go(ends, NULL);
		wait_for_all();
	}
	return (ns_now() - t) / (double)n;
}

static double do_create(void)
{
	many(10000, 1000);
	return many(200000, 1000);
}

static double do_join(void)
{
	many(1000, 1);
	return many(200000, 1);
}

static void yields(void *arg)
{
	long n = *(long *)arg;

	while (n--)
		bw_yield();
	one_less();
}

static double do_yield(void)
{
	long n = 250000;
	double t;

	left = 4;
	go(yields, &n);
	go(yields, &n);
	go(yields, &n);
	go(yields, &n);
	t = ns_now();
	wait_for_all();
	return (ns_now() - t) / (double)(4 * n);
}

static struct bw_g *player[2];
static long turns;
static int locked;

/* @ball is whose turn it is: a stray token moves nobody. */
static long ball;

static void plays(void *arg)
{
	long me = (long)arg, i;

	if (locked)
		bw_lock_thread();
	player[me] = bw_self();
	while (!__atomic_load_n(&player[!me], __ATOMIC_ACQUIRE))
		bw_yield();
	for (i = 0; i < turns; i++) {
		while (__atomic_load_n(&ball, __ATOMIC_ACQUIRE) != me)
			bw_park();
		__atomic_store_n(&ball, !me, __ATOMIC_RELEASE);
		bw_ready(player[!me]);
	}
	if (locked)
		bw_unlock_thread();
	one_less();
}

static double ping(long n)
{
	double t;

	left = 2;
	turns = n;
	go(plays, (void *)0L);
	go(plays, (void *)1L);
	t = ns_now();
	wait_for_all();
	return (ns_now() - t) / (double)(2 * n);
}

static double do_ping(void)
{
	return ping(300000);
}

static double do_ping_threads(void)
{
	locked = 1;
	return ping(5000);
}

static struct bw_g *worker[WORKERS];
static long round_nr, over;

static void works(void *arg)
{
	long seen = 0;
	int last = 0;

	worker[(long)arg] = bw_self();
	one_less();
	while (!last) {
		while (__atomic_load_n(&round_nr, __ATOMIC_ACQUIRE) == seen)
			bw_park();
		seen++;
		last = over;
		one_less();
	}
}

static void fan_out(void)
{
	long i;

	left = WORKERS;
	__atomic_add_fetch(&round_nr, 1, __ATOMIC_RELEASE);
	for (i = 0; i < WORKERS; i++)
		bw_ready(worker[i]);
	wait_for_all();
}

static double do_fan(void)
{
	long i, n = 3000;
	double t;

	left = WORKERS;
	for (i = 0; i < WORKERS; i++)
		go(works, (void *)i);
	wait_for_all();
	t = ns_now();
	for (i = 0; i < n; i++)
		fan_out();
	t = ns_now() - t;
	over = 1;
	fan_out();
	return t / (double)(n * WORKERS);
}

/* A node of skynet: its ten children add to @sum, the last readies @g. */
struct node {
	struct node *up;
	long nr, size, sum;
	int left;
	struct bw_g *g;
};

static void node_tell(struct node *up, long sum)
{
	struct bw_g *g = up->g;

	__atomic_add_fetch(&up->sum, sum, __ATOMIC_RELAXED);
	if (__atomic_sub_fetch(&up->left, 1, __ATOMIC_ACQ_REL) == 0)
		bw_ready(g);
}

static void skynet(void *arg)
{
	struct node *me = arg, child[10];
	int i;

	if (me->size == 1) {
		node_tell(me->up, me->nr);
		return;
	}
	me->g = bw_self();
	me->left = 10;
	me->sum = 0;
	for (i = 0; i < 10; i++) {
		child[i] = (struct node){ me, me->nr + i * me->size / 10,
					  me->size / 10, 0, 0, NULL };
		go(skynet, &child[i]);
	}
	while (__atomic_load_n(&me->left, __ATOMIC_ACQUIRE))
		bw_park();
	node_tell(me->up, me->sum);
}

static double skynet_of(long n)
{
	struct node top = { .left = 1, .g = boss };
	struct node first = { &top, 0, n, 0, 0, NULL };
	double t = ns_now();

	go(skynet, &first);
	while (__atomic_load_n(&top.left, __ATOMIC_ACQUIRE))
		bw_park();
	t = ns_now() - t;
	if (top.sum != n * (n - 1) / 2)
		exit(1);
	return t / ((double)n * 10 / 9);
}

static double do_skynet(void)
{
	return skynet_of(100000);
}

static double do_skynet_1m(void)
{
	return skynet_of(1000000);
}

struct fib_task {
	int n, done;
	long sum;
	struct bw_g *g;
};

static long fib_many(int n);

static void fib_runs(void *arg)
{
	struct fib_task *t = arg;
	struct bw_g *g = t->g;

	t->sum = fib_many(t->n);
	__atomic_store_n(&t->done, 1, __ATOMIC_RELEASE);
	bw_ready(g);
}

static long fib_many(int n)
{
	struct fib_task t = { .n = n - 1, .g = bw_self() };
	long sum;

	if (n < FIB_CUT)
		return fib(n);
	go(fib_runs, &t);
	sum = fib_many(n - 2);
	while (!__atomic_load_n(&t.done, __ATOMIC_ACQUIRE))
		bw_park();
	return sum + t.sum;
}

static double do_fib(void)
{
	double t = ns_now(), serial;
	long a = fib(FIB_N);

	serial = ns_now() - t;
	t = ns_now();
	if (a != fib_many(FIB_N))
		exit(1);
	return serial / (ns_now() - t);
}

struct part {
	int *a;
	long n;
};

static void sorts(void *arg)
{
	struct part p = *(struct part *)arg;

	free(arg);
	while (p.n > SORT_CUT) {
		struct part *other = malloc(sizeof(*other));
		long cut = partition(p.a, p.n);

		*other = (struct part){ p.a + cut, p.n - cut };
		p.n = cut;
		__atomic_add_fetch(&left, 1, __ATOMIC_RELAXED);
		go(sorts, other);
	}
	sort(p.a, p.n);
	one_less();
}

static double do_sort(void)
{
	int *a = malloc(SORT_LEN * sizeof(*a));
	struct part *p = malloc(sizeof(*p));
	double t, serial;

	fill(a, SORT_LEN);
	t = ns_now();
	sort(a, SORT_LEN);
	serial = ns_now() - t;
	fill(a, SORT_LEN);
	*p = (struct part){ a, SORT_LEN };
	left = 1;
	t = ns_now();
	go(sorts, p);
	wait_for_all();
	t = ns_now() - t;
	must_be_sorted(a, SORT_LEN);
	free(a);
	return serial / t;
}

static void parks(void *arg)
{
	one_less();
	for (;;)
		bw_park();
}

static void park_many(long n)
{
	long i;

	left = n;
	for (i = 0; i < n; i++)
		go(parks, NULL);
	wait_for_all();
}

static long nr_parked = NR_PARKED;

static double do_parked(void)
{
	double t = ns_now();

	park_many(nr_parked);
	return (ns_now() - t) / (double)nr_parked;
}

static double do_parked_bytes(void)
{
	double m = memory();

	park_many(nr_parked);
	return (memory() - m) / (double)nr_parked;
}

static double do_million(void)
{
	double t = ns_now();

	park_many(MILLION);
	return (ns_now() - t) / MILLION;
}

static double do_million_cpu(void)
{
	double t = cpu_now();

	park_many(MILLION);
	return (cpu_now() - t) / MILLION;
}

static double do_million_bytes(void)
{
	double m = memory();

	park_many(MILLION);
	return (memory() - m) / MILLION;
}

static const struct row rows[] = {
	{ "create", do_create },
	{ "join", do_join },
	{ "yield", do_yield },
	{ "ping", do_ping },
	{ "ping-threads", do_ping_threads },
	{ "fan", do_fan },
	{ "skynet", do_skynet },
	{ "skynet-1M", do_skynet_1m },
	{ "fib", do_fib },
	{ "sort", do_sort },
	{ "parked", do_parked },
	{ "parked-bytes", do_parked_bytes },
	{ "million", do_million },
	{ "million-cpu", do_million_cpu },
	{ "million-bytes", do_million_bytes },
	{ NULL, NULL },
};

static int bench(void *arg)
{
	const struct row *row = arg;

	boss = bw_self();
	printf("%.3f\n", row->fn());
	return 0;
}

int main(int argc, char **argv)
{
	const struct row *row = argc > 2 ? find_row(rows, argv[1]) : NULL;

	if (!row && argc > 2)
		row = find_row(late_rows, argv[1]);
	if (!row)
		return NONE;
	if (argc > 3 && atol(argv[3]) > 0)
		nr_parked = atol(argv[3]);
	setenv("BURROW_PROCS", argv[2], 1);
	return bw_run(bench, (void *)row);
}
