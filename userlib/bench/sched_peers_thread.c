// SPDX-License-Identifier: MIT
/*
 * sched_peers_thread: the rows of bench-sched-peers that threads can do. With one P
 * they share a CPU.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <semaphore.h>

#include "sched_peers.h"

static int cpus[2], nr_cpus = 2;

static void *nothing(void *arg)
{
	return arg;
}

static void start(pthread_t *t, void *(*fn)(void *arg), void *arg)
{
	if (pthread_create(t, NULL, fn, arg)) {
		fprintf(stderr, "no thread\n");
		exit(1);
	}
}

static double many(int n, int at_once)
{
	pthread_t t[100];
	double begun = ns_now();
	int i, k;

	for (i = 0; i < n; i += at_once) {
		for (k = 0; k < at_once; k++)
			start(&t[k], nothing, NULL);
		for (k = 0; k < at_once; k++)
			pthread_join(t[k], NULL);
	}
	return (ns_now() - begun) / n;
}

static double do_create(void)
{
	return many(2000, 100);
}

static double do_join(void)
{
	return many(2000, 1);
}

static void stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

/* The first two CPUs that this process may use. */
static void look_for_cpus(void)
{
	cpu_set_t set;
	int i, n = 0;

	sched_getaffinity(0, sizeof(set), &set);
	for (i = 0; i < CPU_SETSIZE && n < 2; i++)
		if (CPU_ISSET(i, &set))
			cpus[n++] = i;
	if (n < 2)
		cpus[1] = cpus[0];
}

static void *yields(void *arg)
{
	long n = *(long *)arg;

	stay_on(cpus[0]);
	while (n--)
		sched_yield();
	return NULL;
}

static double do_yield(void)
{
	long n = 10000;
	pthread_t t[4];
	double begun = ns_now();
	int i;

	if (nr_cpus > 1)
		exit(NONE);
	for (i = 0; i < 4; i++)
		start(&t[i], yields, &n);
	for (i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	return (ns_now() - begun) / (double)(4 * n);
}

static sem_t ball[2];
static long turns;

static void *plays(void *arg)
{
	long me = (long)arg, i;

	stay_on(cpus[nr_cpus > 1 ? me : 0]);
	for (i = 0; i < turns; i++) {
		sem_wait(&ball[me]);
		sem_post(&ball[!me]);
	}
	return NULL;
}

static double do_ping(void)
{
	pthread_t t[2];
	double begun;

	turns = 5000;
	sem_init(&ball[0], 0, 1);
	sem_init(&ball[1], 0, 0);
	begun = ns_now();
	start(&t[0], plays, (void *)0L);
	start(&t[1], plays, (void *)1L);
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	return (ns_now() - begun) / (double)(2 * turns);
}

static double sample[MAX_SAMPLES], seen_at;
static int seen, stop;

static void *is_woken(void *arg)
{
	int i;

	for (i = 0; i < 100; i++) {
		sem_wait(&ball[0]);
		seen_at = ns_now();
		__atomic_store_n(&seen, 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

static double do_wake(void)
{
	pthread_t t;
	double begun;
	int i;

	sem_init(&ball[0], 0, 0);
	start(&t, is_woken, NULL);
	for (i = 0; i < 100; i++) {
		usleep(100);
		spin_for(MS);
		begun = ns_now();
		sem_post(&ball[0]);
		while (!__atomic_load_n(&seen, __ATOMIC_ACQUIRE))
			;
		seen = 0;
		sample[i] = seen_at - begun;
	}
	pthread_join(t, NULL);
	return median(sample, 100);
}

static void *computes(void *arg)
{
	uint64_t *mine = arg, x = 1;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		x = chunk(x);
		__atomic_store_n(mine, *mine + (x != 0), __ATOMIC_RELAXED);
	}
	return NULL;
}

static void *blocks(void *arg)
{
	int fd = ticking();

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		read_tick(fd);
	close(fd);
	return NULL;
}

static double rate(int k)
{
	static uint64_t done[2];
	pthread_t t[18];
	double begun, sum;
	int i;

	stop = 0;
	memset(done, 0, sizeof(done));
	for (i = 0; i < k; i++)
		start(&t[i], blocks, NULL);
	begun = ns_now();
	start(&t[k], computes, &done[0]);
	start(&t[k + 1], computes, &done[1]);
	usleep((useconds_t)(PHASE / 1000));
	sum = (double)__atomic_load_n(&done[0], __ATOMIC_RELAXED) +
	      (double)__atomic_load_n(&done[1], __ATOMIC_RELAXED);
	sum /= ns_now() - begun;
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < k + 2; i++)
		pthread_join(t[i], NULL);
	return sum;
}

static double kept(int k)
{
	double with = 0, without = 0;
	int i;

	for (i = 0; i < 3; i++) {
		without += rate(0);
		with += rate(k);
	}
	return 100 * with / without;
}

static double do_block4(void)
{
	return kept(4);
}

static double do_block16(void)
{
	return kept(16);
}

static double do_timer(void)
{
	struct timespec ts;
	double at;
	int i;

	for (i = 0; i < 200; i++) {
		clock_gettime(CLOCK_MONOTONIC, &ts);
		ts.tv_nsec += 100000;
		if (ts.tv_nsec >= 1000000000) {
			ts.tv_nsec -= 1000000000;
			ts.tv_sec++;
		}
		at = (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
		sample[i] = ns_now() - at;
	}
	return median(sample, 200);
}

/* The kernel's: two calls. */
static double do_timer_start(void)
{
	struct itimerspec far = { { 0, 0 }, { 3600, 0 } }, never = { 0 };
	struct sigevent none = { .sigev_notify = SIGEV_NONE };
	timer_t timer;
	double begun;
	int i;

	if (timer_create(CLOCK_MONOTONIC, &none, &timer))
		exit(1);
	begun = ns_now();
	for (i = 0; i < NR_STARTS; i++) {
		timer_settime(timer, 0, &far, NULL);
		timer_settime(timer, 0, &never, NULL);
	}
	return (ns_now() - begun) / NR_STARTS;
}

struct fib_task {
	int n, depth;
	long sum;
};

/* Eight threads do for two CPUs. */
static void *fib_runs(void *arg)
{
	struct fib_task *t = arg, a, b;
	pthread_t other;

	if (t->depth == 3) {
		t->sum = fib(t->n);
		return NULL;
	}
	a = (struct fib_task){ t->n - 1, t->depth + 1, 0 };
	b = (struct fib_task){ t->n - 2, t->depth + 1, 0 };
	start(&other, fib_runs, &a);
	fib_runs(&b);
	pthread_join(other, NULL);
	t->sum = a.sum + b.sum;
	return NULL;
}

static double do_fib(void)
{
	struct fib_task task = { FIB_N, 0, 0 };
	double t = ns_now(), serial;
	long a = fib(FIB_N);

	serial = ns_now() - t;
	t = ns_now();
	fib_runs(&task);
	if (a != task.sum)
		exit(1);
	return serial / (ns_now() - t);
}

struct part {
	int *a;
	long n;
	int depth;
};

static void *sorts(void *arg)
{
	struct part *p = arg;
	long cut = partition(p->a, p->n);
	struct part one = { p->a, cut, p->depth + 1 };
	struct part two = { p->a + cut, p->n - cut, p->depth + 1 };
	pthread_t other;

	if (p->depth == 4) {
		sort(one.a, one.n);
		sort(two.a, two.n);
		return NULL;
	}
	start(&other, sorts, &one);
	sorts(&two);
	pthread_join(other, NULL);
	return NULL;
}

static double do_sort(void)
{
	int *a = malloc(SORT_LEN * sizeof(*a));
	struct part p = { a, SORT_LEN, 0 };
	double t, serial;

	fill(a, SORT_LEN);
	t = ns_now();
	sort(a, SORT_LEN);
	serial = ns_now() - t;
	fill(a, SORT_LEN);
	t = ns_now();
	sorts(&p);
	t = ns_now() - t;
	must_be_sorted(a, SORT_LEN);
	free(a);
	return serial / t;
}

static const struct row rows[] = {
	{ "create", do_create },
	{ "join", do_join },
	{ "yield", do_yield },
	{ "ping", do_ping },
	{ "ping-threads", do_ping },
	{ "wake", do_wake },
	{ "wake-thread", do_wake },
	{ "block4", do_block4 },
	{ "block16", do_block16 },
	{ "timer", do_timer },
	{ "timer-start", do_timer_start },
	{ "fib", do_fib },
	{ "sort", do_sort },
	{ NULL, NULL },
};

int main(int argc, char **argv)
{
	const struct row *row = argc > 2 ? find_row(rows, argv[1]) : NULL;

	if (!row)
		return NONE;
	look_for_cpus();
	nr_cpus = atoi(argv[2]);
	if (nr_cpus == 1)
		stay_on(cpus[0]);
	printf("%.3f\n", row->fn());
	return 0;
}
